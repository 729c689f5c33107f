/**
 * What a million series cost one worker: the memory that they hold, and how long their snapshots take to write and to restore.
 *
 * `SERIES` series of `PARTITIONS` partitions, all flags on, each with two days and an hour behind it, so that all have a forecaster that is grown, and
 * then half a day of readings ten minutes apart. Every window is open that would be; `WEIR_BENCH_SERIES` chooses another number of them. Times are CPU
 * time of the process, its collector's threads included. It measures the actor: not the host, the log, nor the network that snapshots travel by.
 */

import { createHash } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { partitionActor } from '../../actors/partition/actor.ts'
import { FLAGS } from '../../actors/partition/flags.ts'
import type { PartitionState } from '../../actors/partition/state.ts'
import { encodeBlock, encodeSettings } from '../../actors/reading/input.ts'
import type { Block } from '../../actors/reading/input.ts'
import { HOUR_MS, MINUTE_MS } from '../../actors/reading/window.ts'
import { seeded } from '../support/random.ts'
import type { Bench, BenchRow } from './bench.ts'

const PARTITIONS = 16
const SERIES = 1_000_000
const METRICS = 4
const HOURS = 49
/** Readings after them, ten minutes apart. */
const READINGS = 72
const CADENCE_MS = 10 * MINUTE_MS
/** A block holds all metrics of so many devices. */
const BLOCK_DEVICES = 125
const T0 = Date.UTC(2026, 0, 1)

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e3
}

function residentBytes(): number {
  collect()
  return process.memoryUsage.rss()
}

/** A partition of so many series that have lived for `hours` and then for so many `readings`. */
function grown(partition: number, series: number, { hours, readings }: { hours: number; readings: number }): PartitionState {
  const state = partitionActor.create()
  const random = seeded(partition + 1)
  let effects = partitionActor.effects()
  let seq = 0
  const step = (timeMs: number, data: Uint8Array) => {
    partitionActor.step(state, { seq: ++seq, timeMs, data }, effects)
    if (partitionActor.count(effects) > 10_000) effects = partitionActor.effects()
  }
  step(T0, encodeSettings({ latenessMs: 5_000, idleMs: 600_000, retentionMs: 0 }, FLAGS))
  const devices = Math.ceil(series / METRICS)
  const metrics = Array.from({ length: METRICS }, (_, m) => `metric_${m}`)
  const blocks: Omit<Block, 'kind' | 'ts' | 'value'>[] = []
  for (let first = 0; first < devices; first += BLOCK_DEVICES) {
    const names = Array.from({ length: Math.min(BLOCK_DEVICES, devices - first) }, (_, i) => `field-${(first + i) % 64}/probe-${partition}-${first + i}`)
    const rows = names.length * METRICS
    blocks.push({
      tenant: 'default',
      devices: names,
      metrics,
      seriesDevice: Uint16Array.from({ length: rows }, (_, i) => Math.floor(i / METRICS)),
      seriesMetric: Uint16Array.from({ length: rows }, (_, i) => i % METRICS),
      row: Uint16Array.from({ length: rows }, (_, i) => i),
      keyed: [],
    })
  }
  const round = (ts: number) => {
    for (const block of blocks) {
      const times = new Float64Array(block.row.length).fill(ts)
      const level = 20 + Math.abs(((ts / HOUR_MS) % 24) - 12)
      step(ts, encodeBlock({ ...block, ts: times, value: times.map(() => Math.round(1_000 * (level + random())) / 1_000) }))
    }
  }
  for (let h = 0; h < hours; h++) round(T0 + h * HOUR_MS)
  for (let r = 0; r < readings; r++) round(T0 + hours * HOUR_MS + r * CADENCE_MS)
  return state
}

export const run: Bench = ({ size }) => {
  const series = size === 'smoke' ? 2_000 : Number(process.env.WEIR_BENCH_SERIES ?? SERIES)
  const life = size === 'smoke' ? { hours: 2, readings: 3 } : { hours: HOURS, readings: READINGS }
  const before = residentBytes()
  const states = Array.from({ length: PARTITIONS }, (_, p) => grown(p, Math.ceil(series / PARTITIONS), life))
  const count = states.reduce((sum, state) => sum + state.series.length, 0)
  const held = residentBytes() - before
  const hash = createHash('sha256')
  let bytes = 0
  let writeMs = 0
  let restoreMs = 0
  let again = true
  for (const state of states) {
    let begun = cpuMs()
    const snapshot = partitionActor.snapshot(state)
    writeMs += cpuMs() - begun
    bytes += snapshot.length
    hash.update(snapshot)
    begun = cpuMs()
    const restored = partitionActor.restore(snapshot)
    restoreMs += cpuMs() - begun
    if (state === states[0]) again = Buffer.compare(partitionActor.snapshot(restored), snapshot) === 0
  }
  if (!again) throw new Error('A restored state was written as other bytes')
  const digest = hash.digest('hex').slice(0, 12)
  const row = (name: string, value: number, unit: string): BenchRow => ({ name, value, unit, hash: digest })
  return [
    row('series in one process', count, 'series'),
    row('resident memory that they hold', held / 2 ** 20, 'MiB'),
    row('a series', held / count, 'B'),
    row('snapshots of all partitions', bytes / 2 ** 20, 'MiB'),
    row('writing them, CPU', writeMs / 1e3, 's'),
    row('restoring them, CPU', restoreMs / 1e3, 's'),
  ]
}
