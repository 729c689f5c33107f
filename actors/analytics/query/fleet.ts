/**
 * The fleet: all devices of a tenant, what needs a look first, counted and listed a page at a time.
 *
 * Owns what "silent" means, and the order of attention. Leaves the series to the catalog, and words to who shows them.
 *
 * - F1 A device is silent when it has not measured for five of its own usual intervals, and for two minutes at least; for a day, where it has measured
 *   too few times to have a usual interval, which is that of its most frequent series: from first to last reading, divided. One that is silent for
 *   a week, and for a hundred intervals, is past: history, or taken down.
 * - F2 A page costs its rows. The order behind it is made at most every two seconds a tenant (every ten times what it costs, where that is more),
 *   however many look; and in slices, so that nobody else waits for it.
 */

import type { Clock } from '../../../runtime/clock.ts'
import { FLEET_FRESH_MS, FLEET_SLICE_SERIES, FLEET_SUMS_MS } from '../../../runtime/limits.ts'
import { text } from '../data/lake.ts'
import { ledgerByDevice, noLedger } from './ledger.ts'
import type { Ledger } from './ledger.ts'
import { rangeSql } from './scope.ts'
import { freshAnomalies } from '../data/fresh.ts'
import type { SeriesEntry } from '../data/series-catalog.ts'
import type { Tail } from '../data/tail.ts'

export type DeviceState = 'speaking' | 'silent' | 'past'

/** The worst anomaly of a device, how many there were, and when the newest was. */
export interface WorstAnomaly {
  count: number
  newest: number
  metric: string
  ts: number
  value: number
  score: number
  reason: string
}

export interface FleetDevice {
  device: string
  entries: readonly SeriesEntry[]
  last: number
  /** Usual interval between its readings; null where there are too few to say. */
  everyMs: number | null
  state: DeviceState
  anomalies: WorstAnomaly | null
  /** What became of what it sent in the last hour; null where it sent nothing. */
  hour: Ledger | null
  /** Greater comes first. */
  attention: number
}

export interface FleetSummary {
  devices: number
  series: number
  speaking: number
  silent: number
  past: number
  /** Devices with anomalies in the last 24 hours, and the anomalies. */
  unusual: number
  anomalies: number
  /** Of all devices, in the last hour. */
  hour: Ledger
  metrics: { metric: string; series: number }[]
}

export interface Fleet {
  readonly summary: FleetSummary
  /** What needs a look first. */
  readonly devices: readonly FleetDevice[]
}

export const SHOWS = ['all', 'silent', 'unusual', 'losing'] as const
export type Show = (typeof SHOWS)[number]
export const ORDERS = ['attention', 'name', 'last'] as const
export type Order = (typeof ORDERS)[number]

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const SILENT_MIN_MS = 120_000
const SILENT_INTERVALS = 5
const PAST_MIN_MS = 7 * DAY_MS
const PAST_INTERVALS = 100
const INTERVALS_MIN = 5
const UNKNOWN_EVERY_MS = DAY_MS / SILENT_INTERVALS
/** Share of an hour's readings from which losing them, or being late, is worth a look. */
const REJECTED_SHARE = 0.01
const LATE_SHARE = 0.2
const METRICS_MAX = 500
/** Numbers in names of up to so many digits are ordered by size. */
const NAME_DIGITS = 16

interface Sums {
  readonly anomalies: ReadonlyMap<string, WorstAnomaly>
  readonly hours: ReadonlyMap<string, Ledger>
}

interface Kept<T> {
  readonly untilMs: number
  readonly made: Promise<T>
}

/** Fleets of all tenants, each made when somebody looks. */
export class Fleets {
  #tail: Tail
  #clock: Clock
  #fleets = new Map<string, Kept<Fleet>>()
  #sums = new Map<string, Kept<Sums>>()

  constructor(tail: Tail, clock: Clock) {
    this.#tail = tail
    this.#clock = clock
  }

  of(tenant: string): Promise<Fleet> {
    return this.#kept(this.#fleets, tenant, FLEET_FRESH_MS, async () => {
      const sums = await this.#kept(this.#sums, tenant, FLEET_SUMS_MS, () => sumsOf(this.#tail, tenant, this.#clock.now()))
      return fleetOf(this.#tail, tenant, sums, this.#clock)
    })
  }

  /** F2 */
  async #kept<T>(all: Map<string, Kept<T>>, tenant: string, freshMs: number, make: () => Promise<T>): Promise<T> {
    const begunMs = this.#clock.monotonic()
    const there = all.get(tenant)
    if (there !== undefined && begunMs < there.untilMs) return there.made
    const made = make()
    all.set(tenant, { untilMs: Infinity, made })
    try {
      const value = await made
      const endedMs = this.#clock.monotonic()
      all.set(tenant, { untilMs: endedMs + Math.max(freshMs, 10 * (endedMs - begunMs)), made })
      return value
    } catch (error) {
      all.delete(tenant)
      throw error
    }
  }
}

async function sumsOf(tail: Tail, tenant: string, nowMs: number): Promise<Sums> {
  const [anomalies, hours] = await Promise.all([
    worstAnomalies(tail, tenant, nowMs - DAY_MS),
    ledgerByDevice(tail, tenant, { from: nowMs - HOUR_MS, to: Infinity }),
  ])
  return { anomalies, hours }
}

async function worstAnomalies(tail: Tail, tenant: string, from: number): Promise<Map<string, WorstAnomaly>> {
  const range = { from, to: Infinity }
  const view = tail.view()
  try {
    const found = new Map<string, WorstAnomaly>()
    for (const row of freshAnomalies(view.fresh, { tenant, filter: { devices: null, metrics: null, prefix: null } }, range, 0)) {
      const [device, metric, ts, value, score, , , , reason] = row as [string, string, number, number, number, number, number, number, string]
      take(found, device, { count: 1, newest: ts, metric, ts, value, score, reason })
    }
    const worst = (column: string) => `arg_max(${column}, (score, ts))`
    const columns = await tail.lake.query(
      `SELECT device, count(*)::DOUBLE, max(epoch_ms(ts))::DOUBLE, ${worst('metric')}, ${worst('epoch_ms(ts)::DOUBLE')}, ${worst('value')}, max(score), ${worst('reason')}
       FROM ${view.version.relation('anomalies', range)} WHERE tenant = ${text(tenant)}${rangeSql('ts', range)} GROUP BY device`,
    )
    for (let i = 0; i < (columns[0]?.length ?? 0); i++) {
      const [device, count, newest, metric, ts, value, score, reason] = columns.map((column) => column[i])
      take(found, device, { count, newest, metric, ts, value, score, reason })
    }
    return found
  } finally {
    view.release()
  }
}

function take(found: Map<string, WorstAnomaly>, device: string, one: WorstAnomaly): void {
  const there = found.get(device)
  if (there === undefined) found.set(device, one)
  else found.set(device, { ...(one.score > there.score ? one : there), count: there.count + one.count, newest: Math.max(there.newest, one.newest) })
}

async function fleetOf(tail: Tail, tenant: string, sums: Sums, clock: Clock): Promise<Fleet> {
  const nowMs = clock.now()
  const devices: FleetDevice[] = []
  const metrics = new Map<string, number>()
  let series = 0
  let entries: SeriesEntry[] = []
  let sliced = 0
  const end = () => entries.length > 0 && devices.push(deviceOf(entries, sums, nowMs))
  for (const entry of tail.catalog.list(tenant, { devices: null, metrics: null, prefix: null })) {
    if (entry.ts === -Infinity) continue
    if (++sliced % FLEET_SLICE_SERIES === 0) await clock.sleep(0)
    if (entries.length > 0 && entries[0].device !== entry.device) {
      end()
      entries = []
    }
    entries.push(entry)
    series++
    metrics.set(entry.metric, (metrics.get(entry.metric) ?? 0) + 1)
  }
  end()
  // The catalog gives names in order, and the sort keeps it among equals.
  devices.sort((a, b) => b.attention - a.attention)
  return { summary: summaryOf(devices, series, metrics, sums), devices }
}

function deviceOf(entries: SeriesEntry[], sums: Sums, nowMs: number): FleetDevice {
  const { device } = entries[0]
  let last = -Infinity
  let everyMs: number | null = null
  for (const { ts, first, count } of entries) {
    last = Math.max(last, ts)
    if (count <= INTERVALS_MIN || ts <= first) continue
    const every = (ts - first) / (count - 1)
    if (everyMs === null || every < everyMs) everyMs = every
  }
  const anomalies = sums.anomalies.get(device) ?? null
  const hour = sums.hours.get(device) ?? null
  const state = stateOf(nowMs - last, everyMs)
  // Silence comes before what is merely unusual, and what was so within the hour before what was so in the night.
  const unusual = anomalies === null ? 0 : anomalies.score + Math.min(anomalies.count, 50) / 100 + (anomalies.newest > nowMs - HOUR_MS ? 1 : 0)
  const attention = state === 'past' ? -1 : (state === 'silent' ? 4 : 0) + unusual + (isLosing(hour) ? 0.5 : 0)
  return { device, entries, last, everyMs, state, anomalies, hour, attention }
}

/** F1 */
export function stateOf(silenceMs: number, everyMs: number | null): DeviceState {
  const every = everyMs ?? UNKNOWN_EVERY_MS
  if (silenceMs <= Math.max(SILENT_MIN_MS, SILENT_INTERVALS * every)) return 'speaking'
  return silenceMs > Math.max(PAST_MIN_MS, PAST_INTERVALS * (everyMs ?? 0)) ? 'past' : 'silent'
}

/** Whether so much of what was sent in the hour was rejected or late that somebody should know. */
export function isLosing(hour: Ledger | null): boolean {
  return hour !== null && (hour.rejected > REJECTED_SHARE * hour.received || hour.late > LATE_SHARE * hour.received)
}

function summaryOf(devices: readonly FleetDevice[], series: number, metrics: ReadonlyMap<string, number>, sums: Sums): FleetSummary {
  const hour = noLedger()
  for (const one of sums.hours.values()) for (const fate of Object.keys(hour) as (keyof Ledger)[]) hour[fate] += one[fate]
  const of = (state: DeviceState) => devices.reduce((n, d) => n + (d.state === state ? 1 : 0), 0)
  return {
    devices: devices.length,
    series,
    speaking: of('speaking'),
    silent: of('silent'),
    past: of('past'),
    unusual: sums.anomalies.size,
    anomalies: [...sums.anomalies.values()].reduce((sum, a) => sum + a.count, 0),
    hour,
    metrics: [...metrics].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, METRICS_MAX).map(([metric, n]) => ({ metric, series: n })),
  }
}

const SHOWN: Readonly<Record<Show, (device: FleetDevice) => boolean>> = {
  all: () => true,
  silent: ({ state }) => state === 'silent',
  unusual: ({ anomalies }) => anomalies !== null,
  losing: ({ hour }) => isLosing(hour),
}

/** The devices that are asked for, in the order asked for. Each word of `search` must be in the device's name or in one of its metrics'. */
export function pick(devices: readonly FleetDevice[], { show, search, order }: { show: Show; search: string; order: Order }): readonly FleetDevice[] {
  const words = search.toLowerCase().split(/\s+/).filter((word) => word !== '')
  const wanted = (d: FleetDevice) =>
    SHOWN[show](d) &&
    words.every((word) => d.device.toLowerCase().includes(word) || d.entries.some((entry) => entry.metric.toLowerCase().includes(word)))
  const found = show === 'all' && words.length === 0 ? [...devices] : devices.filter(wanted)
  if (order === 'last') found.sort((a, b) => b.last - a.last)
  return order === 'name' ? byName(found) : found
}

/** Numbers within names by size: probe-2 before probe-10. Padded once, since a collator's comparison costs ten times as much. */
function byName(devices: readonly FleetDevice[]): FleetDevice[] {
  const keyed = devices.map((device) => ({ device, key: device.device.replace(/\d+/g, (digits) => digits.padStart(NAME_DIGITS, '0')) }))
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  return keyed.map(({ device }) => device)
}
