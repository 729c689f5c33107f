/**
 * What a million series cost one worker: the memory that they hold, and how long their snapshots take to write and to restore.
 *
 * `SERIES` series of `PARTITIONS` partitions, all flags on, each with two days and an hour behind it, so that all have a forecaster that is grown, and
 * then half a day of readings ten minutes apart. Every window is open that would be; `WEIR_BENCH_SERIES` chooses another number of them. The first
 * partition lives through all of it; the others begin with what it was `OWN_READINGS` readings before the end, restored from its snapshot, and live on
 * from there by themselves: what is then in memory is the same, in a tenth of the time. Times are CPU time of the process, its collector's threads
 * included; a snapshot is restored beside all that is there already, piece by piece as it is written. Then it goes through compression and checksums to
 * an object, and back. What is not measured is the log, and the network that objects travel by.
 */

import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { partitionActor } from '../../actors/partition/actor.ts'
import { FLAGS } from '../../actors/partition/flags.ts'
import type { PartitionState } from '../../actors/partition/state.ts'
import { encodeBlock, encodeSettings } from '../../actors/reading/input.ts'
import type { Block } from '../../actors/reading/input.ts'
import { HOUR_MS, MINUTE_MS } from '../../actors/reading/window.ts'
import type { ObjectStore } from '../../runtime/log.ts'
import { restoreNewest, writeSnapshot } from '../../runtime/snapshots.ts'
import { seeded } from '../support/random.ts'
import type { Bench, BenchRow } from './bench.ts'

const PARTITIONS = 16
const SERIES = 1_000_000
const METRICS = 4
const HOURS = 49
/** Readings after them, ten minutes apart. */
const READINGS = 72
const CADENCE_MS = 10 * MINUTE_MS
/** The last of them, which every partition lives through itself: two hours. */
const OWN_READINGS = 12
/** An object is read in chunks of so many. */
const CHUNK_BYTES = 128 * 1024
/** A block holds all metrics of so many devices. */
const BLOCK_DEVICES = 500
const T0 = Date.UTC(2026, 0, 1)

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e3
}

function memoryHeld(): { resident: number; heap: number; buffers: number } {
  collect()
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage()
  return { resident: rss, heap: heapUsed, buffers: arrayBuffers }
}

interface Life {
  readonly hours: number
  readonly readings: number
  /** Of the readings, those that each partition lives through itself. */
  readonly own: number
}

/** Feeds one partition of so many series. */
class Feeder {
  state: PartitionState = partitionActor.create()
  readonly #random: () => number
  readonly #blocks: Omit<Block, 'kind' | 'ts' | 'value'>[] = []
  #effects = partitionActor.effects()
  #seq = 0

  constructor(series: number) {
    this.#random = seeded(1)
    const devices = Math.ceil(series / METRICS)
    const metrics = Array.from({ length: METRICS }, (_, m) => `metric_${m}`)
    for (let first = 0; first < devices; first += BLOCK_DEVICES) {
      const names = Array.from({ length: Math.min(BLOCK_DEVICES, devices - first) }, (_, i) => `field-${(first + i) % 64}/probe-${first + i}`)
      const rows = names.length * METRICS
      this.#blocks.push({
        tenant: 'default',
        devices: names,
        metrics,
        seriesDevice: Uint16Array.from({ length: rows }, (_, i) => Math.floor(i / METRICS)),
        seriesMetric: Uint16Array.from({ length: rows }, (_, i) => i % METRICS),
        row: Uint16Array.from({ length: rows }, (_, i) => i),
        keyed: [],
      })
    }
    this.#step(T0, encodeSettings({ latenessMs: 5_000, idleMs: 600_000, retentionMs: 0 }, FLAGS))
  }

  /** A reading of each series. */
  round(ts: number): void {
    for (const block of this.#blocks) {
      const times = new Float64Array(block.row.length).fill(ts)
      const level = 20 + Math.abs(((ts / HOUR_MS) % 24) - 12)
      this.#step(ts, encodeBlock({ ...block, ts: times, value: times.map(() => Math.round(1_000 * (level + this.#random())) / 1_000) }))
    }
  }

  #step(timeMs: number, data: Uint8Array): void {
    partitionActor.step(this.state, { seq: ++this.#seq, timeMs, data }, this.#effects)
    if (partitionActor.count(this.#effects) > 10_000) this.#effects = partitionActor.effects()
  }
}

/** States of all partitions; gives them as they would be if each had lived through all of it. */
function grown(series: number, { hours, readings, own }: Life): PartitionState[] {
  const feeder = new Feeder(series)
  const live = (from: number, until: number) => {
    for (let r = from; r < until; r++) feeder.round(r < hours ? T0 + r * HOUR_MS : T0 + hours * HOUR_MS + (r - hours) * CADENCE_MS)
  }
  const all = hours + readings
  live(0, all - own)
  // As one: what is so large goes back to the system at its end, and leaves no gaps between what is measured.
  const snapshot = partitionActor.snapshot(feeder.state)
  return Array.from({ length: PARTITIONS }, (_, p) => {
    if (p > 0) feeder.state = partitionActor.restore(snapshot)
    live(all - own, all)
    return feeder.state
  })
}

/** Writes the state's snapshot and restores it, piece by piece. */
function throughPieces(state: PartitionState, hash: Hash): { bytes: number; writeMs: number; longestMs: number; restoreMs: number; restored: PartitionState } {
  const restoring = partitionActor.restoring()
  let [bytes, writeMs, longestMs, restoreMs] = [0, 0, 0, 0]
  let begun = cpuMs()
  for (const piece of partitionActor.pieces(state)) {
    const tookMs = cpuMs() - begun
    writeMs += tookMs
    longestMs = Math.max(longestMs, tookMs)
    bytes += piece.length
    hash.update(piece)
    begun = cpuMs()
    restoring.take(piece)
    restoreMs += cpuMs() - begun
    begun = cpuMs()
  }
  return { bytes, writeMs, longestMs, restoreMs, restored: restoring.done() }
}

/** A store of the one object that was put last. */
class OneObject implements ObjectStore {
  // Shared, which an engine does not count: as garbage of this process what stands for the log would make it collect everything again and again.
  static #memory = new Uint8Array(new SharedArrayBuffer(1 << 26))
  bytes = 0

  async put(_: string, data: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
    this.bytes = 0
    if (data instanceof Uint8Array) this.#append(data)
    else for await (const piece of data) this.#append(piece)
  }

  #append(piece: Uint8Array): void {
    const end = this.bytes + piece.byteLength
    if (end > OneObject.#memory.length) {
      const before = OneObject.#memory
      OneObject.#memory = new Uint8Array(new SharedArrayBuffer(2 * end))
      OneObject.#memory.set(before)
    }
    OneObject.#memory.set(piece, this.bytes)
    this.bytes = end
  }

  async read(_: string, onBytes: (bytes: Uint8Array) => void): Promise<boolean> {
    for (let at = 0; at < this.bytes; at += CHUNK_BYTES) onBytes(OneObject.#memory.slice(at, Math.min(at + CHUNK_BYTES, this.bytes)))
    return true
  }

  async get(): Promise<Uint8Array> {
    return OneObject.#memory.slice(0, this.bytes)
  }

  async delete(): Promise<void> {}

  async list(): Promise<string[]> {
    return []
  }
}

/** Writes the state's snapshot as an object, and restores it. */
async function throughObject(state: PartitionState): Promise<{ bytes: number; writeMs: number; restoreMs: number }> {
  const store = new OneObject()
  let begun = cpuMs()
  const pieces = partitionActor.pieces(state)
  const about = { actor: partitionActor.name, version: partitionActor.snapshotVersionOf(state), partition: 0, epoch: 1, position: { created: '', seq: 1, timeMs: 1 } }
  const ref = await writeSnapshot(store, { ...about, pieces, count: pieces.count })
  const writeMs = cpuMs() - begun
  begun = cpuMs()
  if ((await restoreNewest(store, [ref], partitionActor)) === null) throw new Error('A snapshot was not read as it was written')
  return { bytes: store.bytes, writeMs, restoreMs: cpuMs() - begun }
}

export const run: Bench = async ({ size }) => {
  const series = size === 'smoke' ? 20_000 : Number(process.env.WEIR_BENCH_SERIES ?? SERIES)
  const life = size === 'smoke' ? { hours: 2, readings: 3, own: 1 } : { hours: HOURS, readings: READINGS, own: OWN_READINGS }
  const before = memoryHeld()
  const states = grown(Math.ceil(series / PARTITIONS), life)
  const count = states.reduce((sum, state) => sum + state.series.length, 0)
  const after = memoryHeld()
  const hash = createHash('sha256')
  let [bytes, writeMs, longestMs, restoreMs] = [0, 0, 0, 0]
  for (const state of states) {
    const one = throughPieces(state, hash)
    bytes += one.bytes
    writeMs += one.writeMs
    longestMs = Math.max(longestMs, one.longestMs)
    restoreMs += one.restoreMs
    if (state === states[0] && Buffer.compare(partitionActor.snapshot(one.restored), partitionActor.snapshot(state)) !== 0) throw new Error('A restored state was written as other bytes')
  }
  const objects = { bytes: 0, writeMs: 0, restoreMs: 0 }
  for (const state of states) {
    const one = await throughObject(state)
    for (const key of ['bytes', 'writeMs', 'restoreMs'] as const) objects[key] += one[key]
  }
  const digest = hash.digest('hex').slice(0, 12)
  const row = (name: string, value: number, unit: string): BenchRow => ({ name, value, unit, hash: digest })
  const each = (of: 'resident' | 'heap' | 'buffers') => (after[of] - before[of]) / count
  return [
    row('series in one process', count, 'series'),
    row('resident memory of the process', after.resident / 2 ** 20, 'MiB'),
    row('a series, of what it had not before', each('resident'), 'B'),
    row('of these in objects', each('heap'), 'B'),
    row('of these in slabs', each('buffers'), 'B'),
    row('snapshots of all partitions', bytes / 2 ** 20, 'MiB'),
    row('writing them, CPU', writeMs / 1e3, 's'),
    row('the longest piece, CPU', longestMs, 'ms'),
    row('restoring them, CPU', restoreMs / 1e3, 's'),
    row('snapshots as objects', objects.bytes / 2 ** 20, 'MiB'),
    row('writing these, CPU', objects.writeMs / 1e3, 's'),
    row('restoring these, CPU', objects.restoreMs / 1e3, 's'),
  ]
}
