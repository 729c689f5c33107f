/** What the partition's tests share: seeded numbers, blocks from plain readings, a partition to feed, and a naive batch oracle. */

import { partitionActor } from '../../../actors/partition/actor.ts'
import type { PartitionState } from '../../../actors/partition/actor.ts'
import { decodeEffects } from '../../../actors/partition/effects.ts'
import type { PartitionEffects, SeriesName, WindowRow } from '../../../actors/partition/effects.ts'
import { encodeBlock } from '../../../actors/reading/input.ts'
import type { KeyedRows, Reading } from '../../../actors/reading/input.ts'
import { WINDOW_SIZES_MS, windowStart } from '../../../actors/reading/window.ts'
import type { InputMessage } from '../../../runtime/actor.ts'
import { seeded } from '../../support/random.ts'

export { seeded }

export const MINUTE = 60_000
export const HOUR = 3_600_000
export const DAY = 86_400_000
/** 2026-01-01T00:00:00Z. */
export const T0 = 1_767_225_600_000

/** Standard normal numbers (Box and Muller). */
export function gaussian(random: () => number): () => number {
  let spare: number | null = null
  return () => {
    if (spare !== null) {
      const s = spare
      spare = null
      return s
    }
    const r = Math.sqrt(-2 * Math.log(1 - random()))
    const a = 2 * Math.PI * random()
    spare = r * Math.sin(a)
    return r * Math.cos(a)
  }
}

/** A block of readings as an edge would write it. */
export function blockOf(readings: readonly Reading[], keyed: readonly KeyedRows[] = [], tenant = 'default'): Uint8Array {
  const devices: string[] = []
  const metrics: string[] = []
  const index = new Map<string, number>()
  const seriesDevice: number[] = []
  const seriesMetric: number[] = []
  const row: number[] = []
  const place = (list: string[], name: string) => {
    const at = list.indexOf(name)
    return at >= 0 ? at : list.push(name) - 1
  }
  for (const { device, metric } of readings) {
    const name = `${device}\n${metric}`
    let at = index.get(name)
    if (at === undefined) {
      at = seriesDevice.length
      index.set(name, at)
      seriesDevice.push(place(devices, device))
      seriesMetric.push(place(metrics, metric))
    }
    row.push(at)
  }
  return encodeBlock({
    tenant,
    devices,
    metrics,
    seriesDevice: Uint16Array.from(seriesDevice),
    seriesMetric: Uint16Array.from(seriesMetric),
    row: Uint16Array.from(row),
    ts: Float64Array.from(readings, (r) => r.ts),
    value: Float64Array.from(readings, (r) => r.value),
    keyed,
  })
}

/** A window's row with its series spelled out. */
export interface NamedRow extends WindowRow {
  readonly name: string
}

export interface NamedAnomaly {
  readonly name: string
  readonly ts: number
  readonly value: number
  readonly score: number
  readonly expected: number
  readonly lower: number
  readonly upper: number
  readonly reason: string
  readonly kind?: string
  readonly part?: string
}

export interface NamedFate {
  readonly seq: number
  readonly row: number
  readonly fate: 'duplicate' | 'expired' | 'old'
  readonly closedUntil: number
}

export function nameOf(s: SeriesName): string {
  return `${s.tenant}/${s.device}/${s.metric}`
}

/** A partition that commits after each message, and keeps all that it said. */
export class Bench {
  state: PartitionState = partitionActor.create()
  seq = 0
  timeMs: number
  rows: NamedRow[] = []
  fates: NamedFate[] = []
  anomalies: NamedAnomaly[] = []
  last: PartitionEffects | null = null
  /** Bytes of every commit, for comparison. */
  payloads: Uint8Array[] = []

  constructor(timeMs = T0) {
    this.timeMs = timeMs
  }

  /** Applies `data` as a message of time `timeMs` and decodes what follows. */
  feed(data: Uint8Array, timeMs = this.timeMs): PartitionEffects {
    this.timeMs = timeMs
    this.seq += 3
    return this.apply({ seq: this.seq, timeMs, data })
  }

  apply(message: InputMessage): PartitionEffects {
    const effects = partitionActor.effects()
    partitionActor.step(this.state, message, effects)
    const payload = partitionActor.encode(effects, this.state)
    this.payloads.push(payload)
    const decoded = decodeEffects(payload)
    this.last = decoded
    this.rows.push(...decoded.windows.map((w) => ({ ...w, name: nameOf(decoded.series[w.series]) })))
    this.anomalies.push(...decoded.anomalies.map(({ series, ...a }) => ({ ...a, name: nameOf(decoded.series[series]) })))
    for (const f of decoded.fates) {
      f.duplicate.forEach((row) => this.fates.push({ seq: f.seq, row, fate: 'duplicate', closedUntil: NaN }))
      f.expired.forEach((row) => this.fates.push({ seq: f.seq, row, fate: 'expired', closedUntil: NaN }))
      f.old.forEach((row, i) => this.fates.push({ seq: f.seq, row, fate: 'old', closedUntil: f.closedUntil[i] }))
    }
    return decoded
  }

  /** One reading a block. */
  read(ts: number, value: number, device = 'd', metric = 'm'): PartitionEffects {
    return this.feed(blockOf([{ device, metric, ts, value }]))
  }

  /** Ticks a second apart, `seconds` of them, or until none is wanted. Gives how many there were. */
  tick(seconds = Infinity): number {
    let n = 0
    while (n < seconds && (seconds !== Infinity || partitionActor.wantsTick(this.state))) {
      this.feed(partitionActor.tick(), this.timeMs + 1_000)
      n++
    }
    return n
  }

  /** The state as it would be after a crash and a restore. */
  restore(): void {
    this.state = partitionActor.restore(partitionActor.snapshot(this.state))
  }
}

/** The naive statistics of a window's readings. */
export function statistics(readings: readonly { ts: number; value: number }[]) {
  const ordered = [...readings].sort((a, b) => a.ts - b.ts || a.value - b.value)
  const values = readings.map((r) => r.value).sort((a, b) => a - b)
  const n = values.length
  const sum = values.reduce((a, b) => a + b, 0)
  const mean = sum / n
  const m2 = values.reduce((a, v) => a + (v - mean) ** 2, 0)
  const disc = (percent: number) => values[Math.max(1, Math.ceil((percent * n) / 100)) - 1]
  return {
    count: n,
    sum,
    min: values[0],
    max: values[n - 1],
    stddev: n > 1 ? Math.sqrt(m2 / (n - 1)) : NaN,
    first: ordered[0].value,
    last: ordered[n - 1].value,
    p50: disc(50),
    p95: disc(95),
    p99: disc(99),
  }
}

/** Key of a window in the oracle: series, size, start. */
export function windowKey(name: string, size: number, start: number): string {
  return `${name} ${size} ${start}`
}

/** Every window of every size that the readings fall in. */
export function oracle(readings: readonly (Reading & { name: string })[]): Map<string, { ts: number; value: number }[]> {
  const windows = new Map<string, { ts: number; value: number }[]>()
  for (const r of readings) {
    WINDOW_SIZES_MS.forEach((ms, size) => {
      const key = windowKey(r.name, size, windowStart(r.ts, ms))
      const list = windows.get(key)
      if (list === undefined) windows.set(key, [r])
      else list.push(r)
    })
  }
  return windows
}

/** Differences between a row and the statistics it should have, as sentences; percentiles within 1 %. */
export function differences(row: NamedRow, readings: readonly { ts: number; value: number }[]): string[] {
  const wanted = statistics(readings)
  const found: string[] = []
  const scale = Math.max(...readings.map((r) => Math.abs(r.value)))
  const exact = ['count', 'min', 'max', 'first', 'last'] as const
  for (const k of exact) if (row[k] !== wanted[k]) found.push(`${k} is ${row[k]}, not ${wanted[k]}`)
  if (Math.abs(row.sum - wanted.sum) > 1e-9 * scale * wanted.count) found.push(`sum is ${row.sum}, not ${wanted.sum}`)
  if (Number.isNaN(row.stddev) !== Number.isNaN(wanted.stddev) || Math.abs(row.stddev - wanted.stddev) > 1e-9 * scale) {
    found.push(`stddev is ${row.stddev}, not ${wanted.stddev}`)
  }
  for (const k of ['p50', 'p95', 'p99'] as const) {
    // A minute's are exact.
    const allowed = row.size === 0 ? 0 : 0.01 * Math.abs(wanted[k])
    if (Math.abs(row[k] - wanted[k]) > allowed) found.push(`${k} is ${row[k]}, not ${wanted[k]}`)
  }
  return found.map((f) => `${row.name} ${row.size} ${row.start}: ${f}`)
}

/** Input with disorder, doubles, late and ahead-of-time readings, over a handful of series and some hours. */
export function troubled(seed: number, count: number): { readings: Reading[]; timeMs: number }[] {
  const random = seeded(seed)
  const blocks: { readings: Reading[]; timeMs: number }[] = []
  const sent: Reading[] = []
  let now = T0 + 12_345
  while (sent.length < count) {
    const readings: Reading[] = []
    const rows = 1 + Math.floor(random() * 40)
    now += Math.floor(random() * (random() < 0.05 ? 200_000 : 8_000))
    for (let i = 0; i < rows; i++) {
      const again = random() < 0.1 && sent.length > 0 ? sent[sent.length - 1 - Math.floor(random() * Math.min(200, sent.length))] : null
      const kind = random()
      const lag = random() * (kind < 0.3 ? 30_000 : kind < 0.34 ? 2 * HOUR : kind < 0.37 ? -5 * MINUTE : 500)
      const reading = again ?? {
        device: `d${Math.floor(random() * 5)}`,
        metric: random() < 0.5 ? 'a' : 'b',
        ts: Math.floor((now - lag) / 250) * 250,
        value: random() < 0.2 ? Math.floor(random() * 3) : (random() - 0.4) * 10 ** Math.floor(random() * 6 - 2),
      }
      readings.push(reading)
      sent.push(reading)
    }
    blocks.push({ readings, timeMs: now })
  }
  return blocks
}
