/**
 * What is made once for all processes of an installation: the partition count, the streams, the buckets.
 *
 * The count is fixed by the `topology` entry of the bucket `weir`, written by compare-and-set before any stream is made; so of
 * two processes that start at once with different wishes one is refused, and no stream is ever cut in two ways.
 *
 * Invariants
 * - N1 The entry is there before the first stream; the count in it never changes.
 * - N2 Every step is idempotent: a process that dies half way leaves what the next one completes.
 * - N3 Where everything is there already only reading is needed, so that processes without the right to make streams pass.
 */

import type { Clock } from './clock.ts'
import { ErrorCode, isOperating, OperatingError } from './errors.ts'
import { PAYLOAD_MAX_BYTES } from './limits.ts'
import type { Connection, KeyValue } from './log.ts'
import { BUCKET_KEYS, BUCKET_META, BUCKET_NOTIFY, BUCKET_SNAPSHOTS, OWN, RESULTS } from './topology.ts'
import { inputStream, inputStreams, inputSubject, ownPartitions, resultsSubject, topologyOf } from './topology.ts'
import type { Topology } from './topology.ts'

export interface InstallationOptions {
  /** The count that must hold; left out: the one that is there, else `partitionsDefault`. */
  readonly partitions?: number
  /** 16 by default. */
  readonly partitionsDefault?: number
  /** Copies of every stream and bucket; those of the first start hold. */
  readonly replicas: number
  /** Bytes that the logs may take together, -1 for no bound but the servers' own. */
  readonly bytesMax: number
  /** Appended to each partition's input before anything else. */
  readonly firstMessage?: Uint8Array
  readonly clock: Clock
  /** Time within which the servers must be able to do it; 30,000 by default. */
  readonly withinMs?: number
}

/** What the `topology` entry holds, as JSON. */
interface Entry {
  readonly partitions: number
  readonly replicas: number
  /** Whether each partition has its first message. */
  readonly introduced: boolean
}

const PARTITIONS_MAX = 1_024
/** Shares of `bytesMax`. What is left is for snapshots and buckets, so that a full input log never stops the commits that free it. */
const INPUT_SHARE = 0.5
const OWN_SHARE = 0.1
const RESULTS_SHARE = 0.2

/** Below it the log's server lacks what Weir needs. */
export const SERVER_FLOOR = '2.9.10'
/** Below it servers of a cluster can accept two writers where one is expected, or lose a stream. */
export const SERVER_FLOOR_REPLICATED = '2.10.23'

const TOPOLOGY_KEY = 'topology'

/** Whether `version` (`2.10.23`, `2.12.0-beta.1`) is `floor` or newer; what precedes a release counts as older than it. */
export function atLeast(version: string, floor: string): boolean {
  const [core, preview] = version.split('-', 2)
  const a = core.split('.').map(Number)
  const b = floor.split('.').map(Number)
  for (let i = 0; i < 3; i++) {
    if ((a[i] || 0) !== (b[i] || 0)) return (a[i] || 0) > (b[i] || 0)
  }
  return preview === undefined
}

/**
 * Makes what is missing of the installation, or checks what is there. Throws `OperatingError`: `config` for a server or a wish that
 * can't be served, `unavailable` where the servers can't do it in time.
 */
export async function ensureInstallation(connection: Connection, options: InstallationOptions): Promise<Topology> {
  const { clock, partitions, replicas } = options
  await checkServers(connection, replicas)
  for (const count of [partitions, options.partitionsDefault]) checkCount(count)
  return patiently(clock, options.withinMs ?? 30_000, async () => {
    const meta = await connection.kv(BUCKET_META, { replicas })
    const entry = await agree(meta, options)
    await checkServers(connection, entry.replicas)
    const topology = topologyOf(entry.partitions)
    await makeStreams(connection, topology, entry, options.bytesMax)
    await connection.kv(BUCKET_KEYS, { replicas: entry.replicas })
    await connection.kv(BUCKET_NOTIFY, { replicas: entry.replicas }).catch((error) => {
      // An installation of before it lacks it, and who may not make it needs none: the next process with the admin's rights makes it.
      if (!isOperating(error, ErrorCode.config)) throw error
    })
    await connection.objects(BUCKET_SNAPSHOTS, { replicas: entry.replicas })
    if (options.firstMessage !== undefined && !entry.introduced) {
      await introduce(connection, topology, options.firstMessage)
      await markIntroduced(meta)
    }
    return topology
  })
}

/**
 * The topology of an installation that another process makes; waits for it. Throws `unavailable` where it is not there in time.
 */
export async function readInstallation(connection: Connection, options: { clock: Clock; withinMs?: number }): Promise<Topology> {
  await checkServers(connection, 1)
  return patiently(options.clock, options.withinMs ?? 30_000, async () => {
    try {
      const entry = await readEntry(await connection.kv(BUCKET_META, { create: false }))
      if (entry !== null) {
        await checkServers(connection, entry.replicas)
        const topology = topologyOf(entry.partitions)
        for (const stream of [...inputStreams(topology), RESULTS]) await connection.log.info(stream)
        return topology
      }
    } catch (error) {
      if (!isOperating(error, ErrorCode.identity)) throw error
    }
    throw new OperatingError(
      ErrorCode.unavailable,
      "Cannot join the installation as it must be made first: start 'weir up', or any process that may make streams, on the same log servers",
    )
  })
}

/** Of replicas, the oldest server that keeps one decides: so all that can be asked are. */
async function checkServers(connection: Connection, replicas: number): Promise<void> {
  const { serverVersion, maxPayloadBytes } = connection
  if (!atLeast(serverVersion, SERVER_FLOOR)) {
    throw new OperatingError(
      ErrorCode.config,
      `Cannot use nats-server as its version must be at least ${SERVER_FLOOR}: current value is ${serverVersion}`,
    )
  }
  const servers = replicas > 1 ? await connection.servers() : []
  const old = servers.filter(({ version }) => !atLeast(version, SERVER_FLOOR_REPLICATED))
  if (old.length > 0) {
    const current = servers.length === 1 ? old[0].version : old.map(({ name, version }) => `${version} of ${name}`).join(', ')
    throw new OperatingError(
      ErrorCode.config,
      `Cannot use nats-server with ${replicas} replicas as the version of each must be at least ${SERVER_FLOOR_REPLICATED}: current value ` +
        `is ${current}. Upgrade it, or run with one replica`,
    )
  }
  if (maxPayloadBytes !== undefined && maxPayloadBytes < PAYLOAD_MAX_BYTES) {
    throw new OperatingError(
      ErrorCode.config,
      `Cannot use nats-server as its max_payload must be at least ${PAYLOAD_MAX_BYTES}: current value is ${maxPayloadBytes}. Set 'max_payload: 8MB' in its configuration and reload it`,
    )
  }
}

function checkCount(partitions: number | undefined): void {
  if (partitions === undefined || (Number.isInteger(partitions) && partitions >= 1 && partitions <= PARTITIONS_MAX)) return
  throw new OperatingError(
    ErrorCode.config,
    `Cannot start as --partitions must be a whole number from 1 to ${PARTITIONS_MAX}: current value is ${partitions}`,
  )
}

/** N1: the entry that holds, written by this process where there was none. */
async function agree(meta: KeyValue, options: InstallationOptions): Promise<Entry> {
  const { partitions } = options
  let entry = await readEntry(meta)
  if (entry === null) {
    const wish: Entry = { partitions: partitions ?? options.partitionsDefault ?? 16, replicas: options.replicas, introduced: false }
    try {
      await meta.put(TOPOLOGY_KEY, bytesOf(wish), 0)
      entry = wish
    } catch (error) {
      if (!isOperating(error, ErrorCode.conflict)) throw error
      entry = await readEntry(meta)
      if (entry === null) throw new OperatingError(ErrorCode.unavailable, 'Cannot read the installation that another process has just made')
    }
  }
  if (partitions !== undefined && partitions !== entry.partitions) {
    throw new OperatingError(
      ErrorCode.config,
      `Cannot start with ${partitions} partitions as the count is fixed at the first start: current value is ${entry.partitions}. Leave --partitions out, or use another data folder or other log servers`,
    )
  }
  return entry
}

async function makeStreams(connection: Connection, topology: Topology, entry: Entry, bytesMax: number): Promise<void> {
  const { replicas, partitions } = entry
  const share = (part: number, streams: number): number => (bytesMax < 0 ? -1 : Math.floor((bytesMax * part) / streams))
  const all = Array.from({ length: partitions }, (_, p) => p)
  const inputs = inputStreams(topology).map((name) => {
    const subjects = all.filter((p) => inputStream(topology, p) === name).map(inputSubject)
    return { name, subjects, replicas, bytesMax: share(INPUT_SHARE, topology.streams) }
  })
  const own = { name: OWN, subjects: ownPartitions().map(inputSubject), replicas, bytesMax: share(OWN_SHARE, 1) }
  const results = { name: RESULTS, subjects: [...all, ...ownPartitions()].map(resultsSubject), replicas, bytesMax: share(RESULTS_SHARE, 1) }
  // Side by side, since each one of replicas waits for an election of its own.
  const made = [...inputs, results].map((stream) => connection.log.ensureStream(stream))
  // Who may not make streams can join an installation of before there were own partitions (N3): it has all else that there is to do.
  const owns = connection.log.ensureStream(own).catch((error) => {
    if (!isOperating(error, ErrorCode.config)) throw error
  })
  await Promise.all([...made, owns])
}

async function introduce(connection: Connection, topology: Topology, message: Uint8Array): Promise<void> {
  const appended = Array.from({ length: topology.partitions }, (_, p) =>
    connection.log.publish(inputSubject(p), message, { expectLastSubjectSeq: 0 }).catch((error) => {
      // Another process was first, or this one before a time-out: either way there is one.
      if (!isOperating(error, ErrorCode.conflict)) throw error
    }),
  )
  await Promise.all(appended)
}

async function markIntroduced(meta: KeyValue): Promise<void> {
  const current = await meta.get(TOPOLOGY_KEY)
  if (current === null) return
  const entry = parseEntry(current.value)
  if (entry.introduced) return
  await meta.put(TOPOLOGY_KEY, bytesOf({ ...entry, introduced: true }), current.revision).catch((error) => {
    if (!isOperating(error, ErrorCode.conflict)) throw error
  })
}

async function readEntry(meta: KeyValue): Promise<Entry | null> {
  const current = await meta.get(TOPOLOGY_KEY)
  return current === null ? null : parseEntry(current.value)
}

function parseEntry(value: Uint8Array): Entry {
  return JSON.parse(new TextDecoder().decode(value)) as Entry
}

function bytesOf(entry: Entry): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(entry))
}

/** Calls `attempt` until it answers, or the time is up, or its error is one that time does not mend. */
async function patiently<T>(clock: Clock, withinMs: number, attempt: () => Promise<T>): Promise<T> {
  const deadline = clock.monotonic() + withinMs
  for (let wait = 50; ; wait = Math.min(wait * 2, 500)) {
    try {
      return await attempt()
    } catch (error) {
      if (!isOperating(error) || !error.retry || clock.monotonic() + wait > deadline) throw error
      await clock.sleep(wait)
    }
  }
}
