/**
 * Readings a second of the worker's core on one CPU: bytes of the input log in, bytes of commits out (decode, step, encode).
 *
 * Time is the process's own CPU time, the collector's threads included, so that what else the machine does matters little.
 * It does not measure the log, the host, or snapshots. Blocks are made beforehand; each shape runs on a fresh partition, and the first
 * part of it, while the code is still cold, does not count. The log has switched all flags on; a shape with `hoursBehind` begins with that many
 * hours of a reading each, so that its series forecast.
 */

import { createHash } from 'node:crypto'
import { pathToFileURL } from 'node:url'
import { partitionActor } from '../../actors/partition/actor.ts'
import { FLAGS } from '../../actors/partition/flags.ts'
import { decodeInput, encodeBlock, encodeSettings } from '../../actors/reading/input.ts'
import type { Input } from '../../actors/reading/input.ts'
import { HOUR_MS } from '../../actors/reading/window.ts'
import type { InputMessage } from '../../runtime/actor.ts'
import { COMMIT_RESULTS_MAX } from '../../runtime/limits.ts'
import { seeded } from '../support/random.ts'

export interface Row {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly hash: string
}

const BLOCK_ROWS = 500

interface Shape {
  readonly name: string
  readonly devices: number
  readonly metrics: number
  /** Readings of one series to the next. */
  readonly cadenceMs: number
  /** Share of readings that come up to 20 s late. */
  readonly disorder: number
  /** Readings of one series that stand together in a block. */
  readonly run: number
  /** Hours of each series before the first reading that counts. */
  readonly hoursBehind?: number
}

const SHAPES: readonly Shape[] = [
  { name: '1,000 devices at 10 s', devices: 1_000, metrics: 1, cadenceMs: 10_000, disorder: 0, run: 1 },
  { name: '250 devices of 4 metrics at 10 s, a third disordered', devices: 250, metrics: 4, cadenceMs: 10_000, disorder: 0.33, run: 1 },
  { name: '1,000 devices at 1 s', devices: 1_000, metrics: 1, cadenceMs: 1_000, disorder: 0, run: 1 },
  { name: '15,000 devices of 4 metrics at 30 s', devices: 15_000, metrics: 4, cadenceMs: 30_000, disorder: 0, run: 1 },
  { name: '10 devices at 10 ms', devices: 10, metrics: 1, cadenceMs: 10, disorder: 0, run: 50 },
  { name: '1,000 devices at 10 s, three weeks behind them', devices: 1_000, metrics: 1, cadenceMs: 10_000, disorder: 0, run: 1, hoursBehind: 504 },
]

const T0 = Date.UTC(2026, 0, 1)

/** Blocks of `count` readings in all: every series speaks in turn, `run` readings at a time. */
function messages(shape: Shape, count: number): InputMessage[] {
  const random = seeded(7)
  const series = shape.devices * shape.metrics
  const level = Float64Array.from({ length: series }, () => 10 + 40 * random())
  const steps = new Uint32Array(series)
  const made: InputMessage[] = []
  let cursor = 0
  for (let seq = 1, left = count; left > 0; seq++, left -= BLOCK_ROWS) {
    const devices: string[] = []
    const metrics = Array.from({ length: shape.metrics }, (_, m) => `metric_${m}`)
    const deviceAt = new Map<number, number>()
    const seriesAt = new Map<number, number>()
    const seriesDevice: number[] = []
    const seriesMetric: number[] = []
    const row = new Uint16Array(BLOCK_ROWS)
    const ts = new Float64Array(BLOCK_ROWS)
    const value = new Float64Array(BLOCK_ROWS)
    let newest = 0
    for (let i = 0; i < BLOCK_ROWS; i++) {
      const s = Math.floor(cursor++ / shape.run) % series
      let at = seriesAt.get(s)
      if (at === undefined) {
        seriesAt.set(s, (at = seriesDevice.length))
        const device = Math.floor(s / shape.metrics)
        let d = deviceAt.get(device)
        if (d === undefined) deviceAt.set(device, (d = devices.push(`field-${device % 16}/probe-${device}`) - 1))
        seriesDevice.push(d)
        seriesMetric.push(s % shape.metrics)
      }
      row[i] = at
      const on = T0 + Math.floor((steps[s]++ + s / series) * shape.cadenceMs)
      newest = Math.max(newest, on)
      ts[i] = random() < shape.disorder ? on - Math.floor(random() * 20_000) : on
      level[s] += (random() - 0.5) * 0.1
      value[i] = Math.round((level[s] + random() * 0.5) * 1_000) / 1_000
    }
    made.push({
      seq,
      timeMs: newest + 50,
      data: encodeBlock({
        tenant: 'default',
        devices,
        metrics,
        seriesDevice: Uint16Array.from(seriesDevice),
        seriesMetric: Uint16Array.from(seriesMetric),
        row,
        ts,
        value,
        keyed: [],
      }),
    })
  }
  return made
}

/** A partition with all flags on, and the hours behind the shape's series. */
function prepared(shape: Shape, blockMessages: readonly InputMessage[]): ReturnType<typeof partitionActor.create> {
  const state = partitionActor.create()
  const { hoursBehind = 0, devices, metrics } = shape
  const step = (timeMs: number, data: Uint8Array) => partitionActor.step(state, { seq: 0, timeMs, data }, partitionActor.effects())
  step(T0 - hoursBehind * HOUR_MS, encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }, FLAGS))
  const random = seeded(8)
  // The same blocks over and over, with other times and values: so all series are there.
  const blocks = blockMessages.slice(0, (devices * metrics) / BLOCK_ROWS).map(({ data }) => decodeInput(data) as Input & { kind: 'block' })
  for (let h = hoursBehind; h > 0; h--) {
    for (const block of blocks) {
      const ts = new Float64Array(BLOCK_ROWS).fill(T0 - h * HOUR_MS)
      step(T0 - h * HOUR_MS, encodeBlock({ ...block, ts, value: Float64Array.from(ts, () => 20 + Math.abs((h % 24) - 12) + random()) }))
    }
  }
  return state
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

function measure(shape: Shape, count: number): Row {
  const input = messages(shape, count)
  const state = prepared(shape, input)
  const hash = createHash('sha256')
  const payloads: Uint8Array[] = []
  const warm = Math.floor(input.length / 4)
  let started = cpuSeconds()
  let effects = partitionActor.effects()
  let counted = 0
  for (let i = 0; i < input.length; i++) {
    if (i === warm) {
      started = cpuSeconds()
      counted = 0
    }
    partitionActor.step(state, input[i], effects)
    counted += BLOCK_ROWS
    // The host commits every 100 ms: at this pace about every 200 blocks.
    if (i % 200 === 199 || partitionActor.count(effects) >= COMMIT_RESULTS_MAX || i === input.length - 1) {
      payloads.push(partitionActor.encode(effects, state))
      effects = partitionActor.effects()
    }
  }
  const seconds = cpuSeconds() - started
  for (const payload of payloads) hash.update(payload)
  const value = Math.round(counted / seconds)
  return { name: `worker core: ${shape.name}`, value, unit: 'readings/s', hash: hash.digest('hex').slice(0, 12) }
}

/** Every shape, or the one of that number. */
export function run({ size, only }: { size: 'smoke' | 'real'; only?: number }): Row[] {
  return SHAPES.filter((_, i) => only === undefined || i === only).map((shape) => measure(shape, size === 'smoke' ? 20_000 : 3_000_000))
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const only = process.argv[2] === undefined ? undefined : Number(process.argv[2])
  for (const { name, value, unit, hash } of run({ size: 'real', only })) {
    console.log(`${name.padEnd(70)} ${value.toLocaleString('en').padStart(12)} ${unit}  ${hash}`)
  }
}
