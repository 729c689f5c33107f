/**
 * Names of streams and subjects, and the one partition count of an installation.
 *
 * The log of readings is 8 streams (fewer where there are fewer partitions), so that one partition's reader scans
 * an eighth of the log; results are one stream. A partition's number never changes its stream.
 */

export const RESULTS = 'RESULTS'
/** The inputs of own partitions: those beyond the count that devices are spread over, one an actor that a user has added. Their results are in RESULTS. */
export const OWN = 'OWN'
/** Numbers of own partitions: from here on, so many. */
export const OWN_FIRST = 1_024
export const OWN_MAX = 32
export const STREAMS_MAX = 8
/** Bucket of installation-wide entries: `topology`, `readers.<name>`, `units.<tenant>`. */
export const BUCKET_META = 'weir'
export const BUCKET_KEYS = 'weir_keys'
export const BUCKET_SNAPSHOTS = 'weir_snapshots'
/** Bucket of where alerts are sent, with the secrets of those places, and of what was sent: neither edges nor workers read it. */
export const BUCKET_NOTIFY = 'weir_notify'

/** What was fixed at the first start. */
export interface Topology {
  readonly partitions: number
  readonly streams: number
}

export function topologyOf(partitions: number): Topology {
  return { partitions, streams: Math.min(STREAMS_MAX, partitions) }
}

export const isOwn = (partition: number): boolean => partition >= OWN_FIRST

export function ownPartitions(): number[] {
  return Array.from({ length: OWN_MAX }, (_, i) => OWN_FIRST + i)
}

export function inputStream(topology: Topology, partition: number): string {
  if (isOwn(partition)) return OWN
  return `READINGS_${partition % topology.streams}`
}

export function inputStreams(topology: Topology): string[] {
  return Array.from({ length: topology.streams }, (_, i) => `READINGS_${i}`)
}

export function inputSubject(partition: number): string {
  return `${isOwn(partition) ? 'own' : 'readings'}.${partition}`
}

export function resultsSubject(partition: number): string {
  return `results.${partition}`
}

/** The partition at the end of a subject of either log. */
export function partitionOf(subject: string): number {
  return Number(subject.slice(subject.lastIndexOf('.') + 1))
}

/**
 * The partition of a device: FNV-1a (32 bits) over the UTF-16 units of `tenant`, a line feed, and `device`, with the avalanche
 * step of MurmurHash3 so that short names spread, modulo the count.
 */
export function partitionFor(topology: Topology, tenant: string, device: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < tenant.length; i++) h = Math.imul(h ^ tenant.charCodeAt(i), 0x01000193)
  h = Math.imul(h ^ 10, 0x01000193)
  for (let i = 0; i < device.length; i++) h = Math.imul(h ^ device.charCodeAt(i), 0x01000193)
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  h ^= h >>> 16
  return (h >>> 0) % topology.partitions
}
