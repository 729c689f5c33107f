/**
 * What a commit of a partition says: the payload of a journal message, written by the partition actor, read by stores.
 *
 * Columns throughout. A series is named once, in a dictionary; rows refer to it by index. Forecasts have a form of their own (forecasts.ts).
 *
 * - E1 A commit is written in the least version that holds it, and all are read: 1 holds neither forecasts nor answers to anomalies nor profiles nor drivers nor hours nor rules and alerts nor rows of own actors, 2 does.
 */

import { pack, toBytes, toFloat32, toFloat64, told, toUint32, toUint8, unpack } from '../../runtime/codec.ts'
import { EVENTS } from '../alert/life.ts'
import type { AlertEvent } from '../alert/life.ts'
import { TRAITS } from '../reading/input.ts'
import { CLOSED_BY, DAY_HOURS, WINDOW_SIZES_MS } from '../reading/window.ts'
import type { ClosedBy } from '../reading/window.ts'
import { decodeForecasts, ForecastColumns } from './forecasts.ts'
import type { Forecast, ForecastWire } from './forecasts.ts'
import type { Summary } from './series/summary.ts'

/** Fates of rows of one block that are not simply on time. A row is in one list at most; lists ascend. */
export interface BlockFates {
  /** Sequence of the block in its input stream. */
  readonly seq: number
  /** Same series, time and value as an earlier reading of an open window, or a repeated Idempotency-Key: not kept. */
  readonly duplicate: Uint32Array
  /** Older than retention at receipt: not kept. */
  readonly expired: Uint32Array
  /** The 1m window was closed: the store finds out whether each is a duplicate or late, and merges. */
  readonly old: Uint32Array
  /** For each of `old`: the series' windows of any size that end at or before this epoch ms are closed, the later ones are not. */
  readonly closedUntil: Float64Array
}

export interface SeriesName {
  readonly tenant: string
  readonly device: string
  readonly metric: string
}

/** A window's row, as the actor saw it. Statistics of the readings that were on time. */
export interface WindowRow {
  /** Index into `series` of the commit. */
  readonly series: number
  /** Index into `WINDOW_SIZES_MS`. */
  readonly size: number
  /** Epoch ms. */
  readonly start: number
  readonly count: number
  readonly sum: number
  readonly min: number
  readonly max: number
  /** Sample deviation; NaN for one reading (null in the lake). */
  readonly stddev: number
  /** By event time; of equal times the smallest value is first, the largest last. */
  readonly first: number
  readonly last: number
  /** Within 1 % of the exact quantile (discrete, rank ⌈q·n⌉). */
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly closedBy: ClosedBy
}

export interface AnomalyRow {
  readonly series: number
  readonly ts: number
  readonly value: number
  /** In [0, 1]. */
  readonly score: number
  readonly expected: number
  readonly lower: number
  readonly upper: number
  /** A sentence. */
  readonly reason: string
  /** What sort of thing happened, and which part of the detector noticed it; left out of what earlier detectors found. */
  readonly kind?: string
  readonly part?: string
}

/** What one driver does to a series, as of the end of a day. */
export interface DriverRow {
  readonly series: number
  /** Epoch ms. */
  readonly at: number
  readonly driverDevice: string
  readonly driverMetric: string
  /** Change of the series in an hour by one unit of the driver in the hour before, of its average of 6 hours, of that of 24; standard errors. */
  readonly effects: readonly number[]
  readonly errors: readonly number[]
  /** Error of forecasts 1, 6 and 24 hours ahead with all drivers over that without, the mean of the three; NaN while too few were graded. */
  readonly gain: number
  /** Hours learned. */
  readonly hours: number
}

/** A day of a series, as its kind sees it. */
export interface ProfileRow {
  readonly series: number
  /** Epoch ms, midnight UTC. */
  readonly day: number
  /** Mean of its hours, and root mean square of their distances from it. */
  readonly level: number
  readonly amplitude: number
  /** Distance of each of its 24 hours from the level. */
  readonly course: Float64Array
  /** The group of its kind that it was nearest to, as an index, and how far, in units of the kind's scale; −1 and NaN where the kind was not known. */
  readonly cluster: number
  readonly distance: number
  /** What it is like as a whole, for its kind to lend (fleet/loan.ts); left out where it is too young. */
  readonly traits?: Float64Array
}

/** An hour of a series, as its kind is told of it. */
export interface HourRow {
  readonly series: number
  /** Start, epoch ms. */
  readonly hour: number
  /** The mean of the hour less what is usual of the series at this hour. */
  readonly deviation: number
  /** Whether its mean was another one than that of the hour before. */
  readonly moved: boolean
}

/** What somebody said of an anomaly, and what it did. */
export interface FeedbackRow {
  readonly series: number
  /** Time and value of the anomaly. */
  readonly ts: number
  readonly value: number
  readonly useful: boolean
  /** By how much the exponent of the series' bar is multiplied from then on; 1 where nobody has said anything. */
  readonly factor: number
}

/** An event in the life of an alert. */
export interface AlertRow {
  readonly series: number
  /** Log time, epoch ms. */
  readonly at: number
  /** Last value of the series; NaN where there was none. */
  readonly value: number
  /** Of the alert's events, from 1: with `id` it names the event for ever. */
  readonly number: number
  readonly id: string
  readonly rule: string
  readonly severity: string
  readonly event: AlertEvent
  readonly message: string
  /** Who did it; null where nobody did. */
  readonly by: string | null
}

/** A rule's revision that the partition follows from here on. */
export interface RuleRow {
  readonly tenant: string
  readonly id: string
  readonly revision: number
}

/** A row of the view of an own actor (actors/own/), whose commit has the view's name and columns. */
export interface OwnRow {
  /** Its device is the key, its metric the actor. */
  readonly series: number
  /** Epoch ms. */
  readonly at: number
  /** Of the actor's rows, from 1: names the row for ever. */
  readonly number: number
  /** JSON by column; a column that is left out is null. */
  readonly body: string
}

/** The view of an own actor: its columns with their types. */
export interface OwnView {
  readonly actor: string
  readonly columns: readonly (readonly [name: string, type: string])[]
  /** Which code made the commit. */
  readonly code: string
}

/** A decoded commit. */
export interface PartitionEffects {
  /** Accepted readings in all blocks of the partition's log up to this commit's position: on time, duplicate, expired and old together. */
  readonly accepted: number
  /** Series that still owe rows when nothing more comes: 0 means that every window is out, closed or provisional. */
  readonly pending: number
  /** The partition's log time at the end, epoch ms (greatest timestamp seen). */
  readonly logTimeMs: number
  readonly series: readonly SeriesName[]
  readonly fates: readonly BlockFates[]
  readonly windows: readonly WindowRow[]
  readonly anomalies: readonly AnomalyRow[]
  /** Each holds the rows of one series that were made at one moment: `rowsOf` tells them. */
  readonly forecasts: readonly Forecast[]
  readonly feedback: readonly FeedbackRow[]
  readonly profiles: readonly ProfileRow[]
  readonly drivers: readonly DriverRow[]
  readonly hours: readonly HourRow[]
  readonly alerts: readonly AlertRow[]
  readonly rules: readonly RuleRow[]
  readonly own: readonly OwnRow[]
  /** Null in the commits of partitions. */
  readonly ownView: OwnView | null
}

/** As `Summary.writeRow` writes them. */
const WINDOW_NUMBERS = ['start', 'count', 'sum', 'min', 'max', 'stddev', 'first', 'last', 'p50', 'p95', 'p99'] as const

/** Rows that a builder has room for before it grows. */
const WINDOWS_AT_FIRST = 256

/** What a commit is given room for by the one before, at most. */
const WINDOWS_HINT_MAX = 65_536

let generations = 0
/** Room for a quarter more windows than the last commit of this process had. It only spares growing. */
let windowsAtFirst = WINDOWS_AT_FIRST

/** Collects the results of a commit. Rows of windows go into growing columns, since they are many. */
export class EffectsBuilder {
  /** Another one for each builder of a process: who remembers an index remembers this with it. */
  readonly generation = ++generations
  readonly series: SeriesName[] = []
  readonly fates: BlockFates[] = []
  readonly anomalies: AnomalyRow[] = []
  readonly forecasts = new ForecastColumns()
  readonly feedback: FeedbackRow[] = []
  readonly profiles: ProfileRow[] = []
  readonly drivers: DriverRow[] = []
  readonly hours: HourRow[] = []
  readonly alerts: AlertRow[] = []
  readonly rules: RuleRow[] = []
  readonly own: OwnRow[] = []
  ownView: OwnView | null = null
  #windows = 0
  #windowSeries = new Uint32Array(windowsAtFirst)
  /** size · 4 + closedBy. */
  #windowKind = new Uint8Array(windowsAtFirst)
  #windowNumbers = new Float64Array(windowsAtFirst * WINDOW_NUMBERS.length)

  get count(): number {
    return this.#windows + this.fates.length + this.anomalies.length + this.forecasts.rows + this.feedback.length + this.profiles.length + this.drivers.length + this.hours.length + this.alerts.length + this.rules.length + this.own.length
  }

  /** Adds a name and gives its index. The caller remembers the index for the life of this builder. */
  addSeries(name: SeriesName): number {
    return this.series.push(name) - 1
  }

  addWindow(row: WindowRow): void {
    const at = this.#roomFor(row.series, row.size, row.closedBy)
    for (let k = 0; k < WINDOW_NUMBERS.length; k++) this.#windowNumbers[at + k] = row[WINDOW_NUMBERS[k]]
  }

  /** Adds what is known of a window: its numbers go from column to column, since a row and a box for each number were a third of all garbage. */
  addWindowOf(series: number, size: number, closedBy: ClosedBy, summary: Summary): void {
    const at = this.#roomFor(series, size, closedBy)
    summary.writeRow(this.#windowNumbers, at)
  }

  /** Takes a row, and gives where its numbers begin. */
  #roomFor(series: number, size: number, closedBy: ClosedBy): number {
    const i = this.#windows++
    if (i === this.#windowKind.length) this.#grow()
    this.#windowSeries[i] = series
    this.#windowKind[i] = size * 4 + CLOSED_BY.indexOf(closedBy)
    return i * WINDOW_NUMBERS.length
  }

  #grow(): void {
    const series = new Uint32Array(this.#windowSeries.length * 2)
    series.set(this.#windowSeries)
    this.#windowSeries = series
    const kind = new Uint8Array(this.#windowKind.length * 2)
    kind.set(this.#windowKind)
    this.#windowKind = kind
    const numbers = new Float64Array(this.#windowNumbers.length * 2)
    numbers.set(this.#windowNumbers)
    this.#windowNumbers = numbers
  }

  encode(totals: { accepted: number; pending: number; logTimeMs: number }): Uint8Array {
    windowsAtFirst = Math.max(WINDOWS_AT_FIRST, Math.min(WINDOWS_HINT_MAX, Math.ceil(this.#windows * 1.25)))
    const wire: Wire = {
      v: this.forecasts.count + this.feedback.length + this.profiles.length + this.drivers.length + this.hours.length + this.alerts.length + this.rules.length === 0 && this.ownView === null ? 1 : 2,
      a: totals.accepted,
      p: totals.pending,
      l: totals.logTimeMs,
      s: this.series.map((s) => [s.tenant, s.device, s.metric]),
      f: this.fates.map((f) => [f.seq, toBytes(f.duplicate), toBytes(f.expired), toBytes(f.old), toBytes(f.closedUntil)]),
      ws: toBytes(this.#windowSeries.subarray(0, this.#windows)),
      wk: toBytes(this.#windowKind.subarray(0, this.#windows)),
      wn: toBytes(this.#windowNumbers.subarray(0, this.#windows * WINDOW_NUMBERS.length)),
      an: this.anomalies.map((a) => [a.series, a.ts, a.value, a.score, a.expected, a.lower, a.upper, a.reason, ...(a.kind === undefined ? [] : [a.kind, a.part ?? ''])]) as Wire['an'],
    }
    if (wire.v >= 2) {
      wire.fc = this.forecasts.wire()
      wire.fb = this.feedback.map((f) => [f.series, f.ts, f.value, f.useful, f.factor])
      if (this.profiles.length > 0) wire.pf = this.profiles.map((p) => [p.series, p.day, p.level, p.amplitude, p.cluster, p.distance, toBytes(Float32Array.from(p.course)), ...(p.traits === undefined ? [] : [toBytes(p.traits)])]) as Wire['pf']
      if (this.drivers.length > 0) wire.dr = this.drivers.map((d) => [d.series, d.at, d.gain, d.hours, d.driverDevice, d.driverMetric, [...d.effects, ...d.errors]])
      if (this.hours.length > 0) {
        const { hours } = this
        wire.hr = [Uint32Array.from(hours, (h) => h.series), Float64Array.from(hours, (h) => h.hour), Float64Array.from(hours, (h) => h.deviation), Uint8Array.from(hours, (h) => Number(h.moved))].map(toBytes)
      }
      if (this.alerts.length > 0) wire.al = this.alerts.map((a) => [a.series, a.at, a.value, a.number, a.id, a.rule, a.severity, a.event, a.message, a.by])
      if (this.rules.length > 0) wire.rl = this.rules.map((r) => [r.tenant, r.id, r.revision])
      if (this.ownView !== null) {
        const { actor, columns, code } = this.ownView
        wire.ow = [actor, columns.flat(), code, this.own.map((row) => [row.series, row.at, row.number, row.body])]
      }
    }
    return pack(wire)
  }
}

interface Wire {
  v: number
  a: number
  p: number
  l: number
  s: [string, string, string][]
  f: [number, unknown, unknown, unknown, unknown][]
  ws: unknown
  wk: unknown
  wn: unknown
  an: [number, number, number, number, number, number, number, reason: string, kind?: string, part?: string][]
  /** From version 2 on. */
  fc?: ForecastWire
  fb?: [number, number, number, boolean, number][]
  pf?: [series: number, day: number, level: number, amplitude: number, cluster: number, distance: number, course: unknown, traits?: unknown][]
  /** Columns: series, hour, deviation, moved. */
  hr?: unknown[]
  dr?: [series: number, at: number, gain: number, hours: number, device: string, metric: string, numbers: number[]][]
  al?: [series: number, at: number, value: number, number: number, id: string, rule: string, severity: string, event: string, message: string, by: string | null][]
  rl?: [string, string, number][]
  /** Actor, columns and types by turns, code, rows. */
  ow?: [string, string[], string, [series: number, at: number, number: number, body: string][]]
}

/** The effects in a commit's payload. Throws `RangeError` on another version, and on what is not whole. */
export function decodeEffects(payload: Uint8Array): PartitionEffects {
  const wire = unpack<Wire | null>(payload)
  const version = wire?.v
  if (version !== 1 && version !== 2) throw new RangeError(`Cannot read a commit's effects as their version must be 1 or 2: current value is ${told(version)}`)
  assertLists(wire!)
  return rowsIn(wire!)
}

function rowsIn(wire: Wire): PartitionEffects {
  const series = toUint32(wire.ws)
  const kinds = toUint8(wire.wk)
  const numbers = toFloat64(wire.wn)
  const named = wire.s.length
  let sound = kinds.length === series.length && numbers.length === series.length * WINDOW_NUMBERS.length
  for (let i = 0; i < series.length; i++) sound &&= series[i] < named && kinds[i] < 4 * WINDOW_SIZES_MS.length
  for (const row of [...wire.an, ...(wire.fb ?? []), ...(wire.pf ?? []), ...(wire.dr ?? []), ...(wire.al ?? []), ...(wire.ow?.[3] ?? [])]) sound &&= row[0] < named
  if (!sound) throw new RangeError('Cannot read a commit\'s effects as its rows must be whole and of the series that it names')
  const windows: WindowRow[] = new Array(series.length)
  for (let i = 0; i < series.length; i++) {
    const at = i * WINDOW_NUMBERS.length
    windows[i] = {
      series: series[i],
      size: kinds[i] >> 2,
      closedBy: CLOSED_BY[kinds[i] & 3],
      start: numbers[at],
      count: numbers[at + 1],
      sum: numbers[at + 2],
      min: numbers[at + 3],
      max: numbers[at + 4],
      stddev: numbers[at + 5],
      first: numbers[at + 6],
      last: numbers[at + 7],
      p50: numbers[at + 8],
      p95: numbers[at + 9],
      p99: numbers[at + 10],
    }
  }
  const hours = hoursIn(wire.hr ?? [], named)
  return {
    accepted: wire.a,
    pending: wire.p,
    logTimeMs: wire.l,
    series: wire.s.map(([tenant, device, metric]) => ({ tenant, device, metric })),
    fates: wire.f.map(fatesOf),
    windows,
    anomalies: wire.an.map(([s, ts, value, score, expected, lower, upper, reason, kind, part]) => {
      return { series: s, ts, value, score, expected, lower, upper, reason, ...(kind === undefined ? {} : { kind, part }) }
    }),
    forecasts: wire.v === 1 ? [] : decodeForecasts(wire.fc, named),
    feedback: (wire.fb ?? []).map(([s, ts, value, useful, factor]) => ({ series: s, ts, value, useful, factor })),
    profiles: (wire.pf ?? []).map(([s, day, level, amplitude, cluster, distance, course, traits]) => {
      return { series: s, day, level, amplitude, cluster, distance, course: courseOf(course), ...(traits === undefined ? {} : { traits: traitsIn(traits) }) }
    }),
    drivers: (wire.dr ?? []).map(([s, at, gain, hours, driverDevice, driverMetric, numbers]) => ({ series: s, at, gain, hours, driverDevice, driverMetric, effects: numbers.slice(0, 3), errors: numbers.slice(3) })),
    hours,
    alerts: (wire.al ?? []).map(([s, at, value, number, id, rule, severity, event, message, by]) => ({ series: s, at, value, number, id, rule, severity, event: event as AlertEvent, message, by })),
    rules: (wire.rl ?? []).map(([tenant, id, revision]) => ({ tenant, id, revision })),
    own: (wire.ow?.[3] ?? []).map(([s, at, number, body]) => ({ series: s, at, number, body })),
    ownView: wire.ow === undefined ? null : ownViewIn(wire.ow),
  }
}

function ownViewIn([actor, columns, code]: NonNullable<Wire['ow']>): OwnView {
  return { actor, code, columns: Array.from({ length: columns.length / 2 }, (_, i) => [columns[2 * i], columns[2 * i + 1]] as const) }
}

function traitsIn(bytes: unknown): Float64Array {
  const traits = toFloat64(bytes)
  if (traits.length !== TRAITS) throw new RangeError(`Cannot read a profile as it must have ${TRAITS} traits: current number is ${traits.length}`)
  return traits
}

function hoursIn(columns: unknown[], named: number): HourRow[] {
  if (columns.length === 0) return []
  const [series, hours, deviations, moved] = [toUint32(columns[0]), toFloat64(columns[1]), toFloat64(columns[2]), toUint8(columns[3])]
  const sound = columns.length === 4 && [hours, deviations, moved].every((column) => column.length === series.length) && series.every((s) => s < named)
  if (!sound) throw new RangeError('Cannot read a commit\'s hours as they must be whole and of the series that it names')
  return Array.from(series, (s, i) => ({ series: s, hour: hours[i], deviation: deviations[i], moved: moved[i] === 1 }))
}

function courseOf(bytes: unknown): Float64Array {
  const course = Float64Array.from(toFloat32(bytes))
  if (course.length !== DAY_HOURS) throw new RangeError(`Cannot read a profile as it must have ${DAY_HOURS} hours: current number is ${course.length}`)
  return course
}

function fatesOf([seq, duplicate, expired, old, closedUntil]: Wire['f'][number]): BlockFates {
  const fates = { seq, duplicate: toUint32(duplicate), expired: toUint32(expired), old: toUint32(old), closedUntil: toFloat64(closedUntil) }
  if (fates.old.length !== fates.closedUntil.length) throw new RangeError('Cannot read fates as each old row must have what was closed by then')
  return fates
}

function assertLists({ a, p, l, s, f, an, fb = [], pf = [], dr = [], hr = [], al = [], rl = [], ow }: Wire): void {
  const isNumber = (n: unknown) => typeof n === 'number'
  const isCount = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= 0
  const list = (of: unknown, row: (entry: unknown[]) => boolean) => Array.isArray(of) && of.every((entry) => Array.isArray(entry) && row(entry))
  const whole =
    [a, p, l].every(isNumber) &&
    list(s, (name) => name.length === 3 && name.every((part) => typeof part === 'string')) &&
    Array.isArray(hr) &&
    list(f, (fates) => fates.length === 5 && Number.isSafeInteger(fates[0])) &&
    list(an, (row) => (row.length === 8 || row.length === 10) && isCount(row[0]) && row.slice(1, 7).every(isNumber) && row.slice(7).every((text) => typeof text === 'string')) &&
    list(fb, (row) => row.length === 5 && isCount(row[0]) && [row[1], row[2], row[4]].every(isNumber) && typeof row[3] === 'boolean') &&
    list(pf, (row) => (row.length === 7 || row.length === 8) && isCount(row[0]) && row.slice(1, 6).every(isNumber)) &&
    list(dr, (row) => row.length === 7 && isCount(row[0]) && row.slice(1, 4).every(isNumber) && typeof row[4] === 'string' && typeof row[5] === 'string' && Array.isArray(row[6]) && row[6].length === 6 && row[6].every(isNumber)) &&
    list(al, (row) => row.length === 10 && isCount(row[0]) && [row[1], row[2]].every(isNumber) && isCount(row[3]) && row.slice(4, 9).every((text) => typeof text === 'string') && EVENTS.includes(row[7] as AlertEvent) && (row[9] === null || typeof row[9] === 'string')) &&
    list(rl, (row) => row.length === 3 && typeof row[0] === 'string' && typeof row[1] === 'string' && isCount(row[2])) &&
    (ow === undefined || isOwn(ow, list))
  if (!whole) throw new RangeError('Cannot read a commit\'s effects as its totals and lists must be whole')
}

function isOwn(ow: unknown, list: (of: unknown, row: (entry: unknown[]) => boolean) => boolean): boolean {
  const [actor, columns, code, rows] = Array.isArray(ow) ? (ow as unknown[]) : []
  const named = typeof actor === 'string' && typeof code === 'string' && Array.isArray(columns) && columns.length % 2 === 0 && columns.every((part) => typeof part === 'string')
  return named && list(rows, (row) => row.length === 4 && Number.isSafeInteger(row[0]) && (row[0] as number) >= 0 && Number.isFinite(row[1]) && Number.isSafeInteger(row[2]) && typeof row[3] === 'string')
}

/** The key of alerts on the wire, as msgpack has it. */
const ALERTS_KEY = Uint8Array.of(0xa2, 0x61, 0x6c)

/** The events of alerts in a commit's payload, for who needs nothing else of it: one without any is not decoded. Throws `RangeError` as `decodeEffects` does. */
export function decodeAlerts(payload: Uint8Array): (Omit<AlertRow, 'series'> & { readonly series: SeriesName })[] {
  if (Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).indexOf(ALERTS_KEY) < 0) return []
  const { alerts, series } = decodeEffects(payload)
  return alerts.map((row) => ({ ...row, series: series[row.series] }))
}

/** Size of a window's row, ms. */
export function sizeMs(row: Pick<WindowRow, 'size'>): number {
  return WINDOW_SIZES_MS[row.size]
}
