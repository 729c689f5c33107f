/**
 * A graph: one series as columns that are ready to plot, a few points a pixel at most, with its extremes, its gaps and its anomalies.
 *
 * - P1 No extreme is lost: each point carries the least and the greatest value of its bucket. (An algorithm that picks one reading a bucket, such as
 *   LTTB, loses the other one, needs every reading, and draws another line at each zoom.)
 * - P2 The source is readings where the range holds no more of them than two a pixel; else the coarsest windows that still give a point a pixel, and
 *   readings in buckets where there are none so fine. What has no closed window yet is added from readings.
 * - P3 Readings that are many, in the lake or still fresh, are never looked at one by one as rows: the lake puts its own into buckets,
 *   and fresh ones are folded into them. So a series of thousands a second costs others little.
 */

import { GRAPH_ANOMALIES_MAX } from '../../../runtime/limits.ts'
import { HOUR_MS, WINDOW_SIZES_MS, WINDOW_SIZE_NAMES } from '../../reading/window.ts'
import type { Range } from '../data/fresh.ts'
import { eachFresh, freshAnomalies, freshReadings } from '../data/fresh.ts'
import { expectedHours } from './forecasts.ts'
import type { ExpectedHour } from './forecasts.ts'
import { bucketsOf, gapsOf } from './graph-points.ts'
import type { Point } from './graph-points.ts'
import { freshWindows } from './stored-windows.ts'
import { rangeSql, scopeSql } from './scope.ts'
import type { Scope } from './scope.ts'
import { relationOf } from '../data/series-rows.ts'
import type { Tail, View } from '../data/tail.ts'

export interface Graph {
  device: string
  metric: string
  from: number
  to: number
  width: number
  /** `readings`, or the size of the windows it is made of. */
  source: string
  /** Width of a bucket; 0 where each point is an instant. */
  stepMs: number
  ts: number[]
  min: number[]
  max: number[]
  mean: number[]
  last: number[]
  count: number[]
  p50: (number | null)[]
  p95: (number | null)[]
  gaps: [number, number][]
  anomalies: { ts: number[]; value: number[]; score: number[]; expected: number[]; lower: number[]; upper: number[]; reason: string[] }
  forecast: Outlook | null
}

/** The hours ahead. `ts` is the middle of each hour, so that a line through the means lies where they hold. */
export interface Outlook {
  readonly model: string
  readonly made_at: number
  readonly coverage: number | null
  readonly error: number | null
  readonly ts: number[]
  readonly mean: number[]
  readonly lower: number[]
  readonly upper: number[]
  readonly lower80: number[]
  readonly upper80: number[]
}

const POINTS_PER_PIXEL = 2
/** A range that should hold so many times as many readings as there may be points is not asked whether it does. */
const SURELY_MANY = 2

export interface GraphRequest {
  readonly tenant: string
  readonly device: string
  readonly metric: string
  readonly range: Range
  readonly width: number
  /** How far beyond the present the forecast is drawn, ms; 0 for none. */
  readonly aheadMs: number
  readonly nowMs: number
}

export async function graph(tail: Tail, { tenant, device, metric, range, width, aheadMs, nowMs }: GraphRequest): Promise<Graph> {
  const scope: Scope = { tenant, filter: { devices: new Set([device]), metrics: new Set([metric]), prefix: null } }
  const view = tail.view()
  try {
    const anomalies = anomaliesOf(tail, view, scope, range)
    const drawn = drawnPoints(tail, view, scope, range, width)
    const ahead = aheadMs > 0 && range.to > nowMs - HOUR_MS ? expectedHours(tail, view, scope, { from: nowMs - HOUR_MS + 1, to: nowMs + aheadMs }) : []
    const [{ points, source, stepMs, gaps }, found, hours] = await Promise.all([drawn, anomalies, ahead])
    return {
      device,
      metric,
      ...range,
      width,
      source,
      stepMs,
      ts: points.map((p) => p.ts),
      min: points.map((p) => p.min),
      max: points.map((p) => p.max),
      mean: points.map((p) => p.sum / p.count),
      last: points.map((p) => p.last),
      count: points.map((p) => p.count),
      p50: points.map((p) => p.p50),
      p95: points.map((p) => p.p95),
      gaps,
      anomalies: found,
      forecast: outlookOf(hours),
    }
  } finally {
    view.release()
  }
}

function outlookOf(hours: readonly ExpectedHour[]): Outlook | null {
  if (hours.length === 0) return null
  const { model, madeAt, coverage, error } = hours.reduce((newest, hour) => (hour.madeAt > newest.madeAt ? hour : newest))
  const column = (of: (hour: ExpectedHour) => number) => hours.map(of)
  return {
    model,
    made_at: madeAt,
    coverage,
    error,
    ts: column((hour) => hour.ts + HOUR_MS / 2),
    mean: column((hour) => hour.mean),
    lower: column((hour) => hour.lower),
    upper: column((hour) => hour.upper),
    lower80: column((hour) => hour.lower80),
    upper80: column((hour) => hour.upper80),
  }
}

interface Drawn {
  readonly points: readonly Point[]
  readonly source: string
  readonly stepMs: number
  readonly gaps: [number, number][]
}

async function drawnPoints(tail: Tail, view: View, scope: Scope, range: Range, width: number): Promise<Drawn> {
  const few = await fromReadings(tail, view, scope, range, POINTS_PER_PIXEL * width)
  if (few !== null) return { points: few, source: 'readings', stepMs: 0, gaps: gapsOf(few) }
  const step = Math.max(1, Math.ceil((range.to - range.from) / width))
  const size = WINDOW_SIZES_MS.findLastIndex((sizeMs) => sizeMs <= step)
  if (size < 0) {
    const points = await fromBuckets(tail, view, scope, range, step)
    return { points, source: 'readings', stepMs: step, gaps: gapsOf(points) }
  }
  const stepMs = Math.ceil(step / WINDOW_SIZES_MS[size]) * WINDOW_SIZES_MS[size]
  const points = await fromWindows(tail, view, scope, range, size)
  return { points: bucketsOf(points, stepMs), source: WINDOW_SIZE_NAMES[size], stepMs, gaps: gapsOf(points) }
}

/** How many readings a range should hold, by what the catalog knows of the series. */
function expected({ catalog }: Tail, { tenant, filter }: Scope, range: Range): number {
  const entry = catalog.find(tenant, [...filter.devices!][0], [...filter.metrics!][0])
  if (entry === null || entry.ts <= entry.first) return entry?.count ?? 0
  const within = Math.min(range.to, entry.ts) - Math.max(range.from, entry.first)
  return (entry.count * Math.max(0, within)) / (entry.ts - entry.first)
}

/** Every reading a point, those of one instant one point; null where there are more than `most`. */
async function fromReadings(tail: Tail, view: View, scope: Scope, range: Range, most: number): Promise<Point[] | null> {
  if (expected(tail, scope, range) > SURELY_MANY * most) return null
  const [ts, values] = await tail.lake.query(
    `SELECT epoch_ms(ts)::DOUBLE, value FROM ${await relationOf(tail.lake, view.version, 'readings', { ...scope, ...range })}
     WHERE ${scopeSql(scope)}${rangeSql('ts', range)} LIMIT ${most + 1}`,
  )
  const rows: [number, number][] = (ts ?? []).map((t: number, i: number) => [t, values[i] as number])
  if (rows.length > most) return null
  const fresh = freshReadings(view.fresh, scope.tenant, scope.filter, range, most + 1)
  const known = fresh.old || (view.version.manifest?.settleUntil ?? null) !== null ? new Set(rows.map(([t, v]) => `${t} ${v}`)) : null
  for (let i = 0; i < fresh.ts.length; i++) if (!known?.has(`${fresh.ts[i]} ${fresh.value[i]}`)) rows.push([fresh.ts[i], fresh.value[i]])
  if (rows.length > most) return null
  rows.sort((a, b) => a[0] - b[0] || a[1] - b[1])
  const points: Point[] = []
  for (let from = 0; from < rows.length; ) {
    let to = from + 1
    while (to < rows.length && rows[to][0] === rows[from][0]) to++
    points.push(instant(rows[from][0], rows.slice(from, to).map(([, value]) => value)))
    from = to
  }
  return points
}

/** Values of one instant, in order. */
function instant(ts: number, values: readonly number[]): Point {
  const n = values.length
  const at = (q: number) => values[Math.ceil(q * n) - 1]
  const sum = values.reduce((a, b) => a + b, 0)
  return { ts, end: ts, min: values[0], max: values[n - 1], sum, count: n, last: values[n - 1], p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}

/** Readings put into buckets, where they are too many to be looked at one by one. A bucket with fresh readings in it has no quantiles. */
async function fromBuckets(tail: Tail, view: View, scope: Scope, range: Range, stepMs: number): Promise<Point[]> {
  const columns = await tail.lake.query(
    `SELECT bucket::DOUBLE, min, max, sum, count, last, q[1], q[2], q[3], last_ms FROM (
       SELECT epoch_ms(ts) // ${stepMs} * ${stepMs} AS bucket, min(value) AS min, max(value) AS max, sum(value) AS sum, count(*)::DOUBLE AS count,
         arg_max(value, (ts, value)) AS last, quantile_disc(value, [0.5, 0.95, 0.99]) AS q, epoch_ms(max(ts))::DOUBLE AS last_ms
       FROM ${await relationOf(tail.lake, view.version, 'readings', { ...scope, ...range })}
       WHERE ${scopeSql(scope)}${rangeSql('ts', range)} GROUP BY bucket)`,
  )
  const buckets = new Map(pointsOf(columns, stepMs).map((point, i) => [point.ts, { ...point, lastMs: columns[9][i] as number }]))
  const unknown = { p50: null, p95: null, p99: null }
  eachFresh(view.fresh, scope.tenant, scope.filter, range, (_entry, t, v) => {
    const ts = Math.floor(t / stepMs) * stepMs
    const there = buckets.get(ts)
    if (there === undefined) {
      buckets.set(ts, { ts, end: ts + stepMs, min: v, max: v, sum: v, count: 1, last: v, ...unknown, lastMs: t })
      return
    }
    Object.assign(there, unknown)
    if (v < there.min) there.min = v
    if (v > there.max) there.max = v
    if (t > there.lastMs || (t === there.lastMs && v > there.last)) {
      there.lastMs = t
      there.last = v
    }
    there.sum += v
    there.count++
  })
  return [...buckets.values()].sort((a, b) => a.ts - b.ts)
}

/** Points of columns `ts, min, max, sum, count, last, p50, p95, p99`. */
function pointsOf([ts, min, max, sum, count, last, p50, p95, p99]: any[][], lengthMs: number): Point[] {
  const point = (i: number) => ({
    ts: ts[i],
    end: ts[i] + lengthMs,
    min: min[i],
    max: max[i],
    sum: sum[i],
    count: count[i],
    last: last[i],
    p50: p50[i],
    p95: p95[i],
    p99: p99[i],
  })
  return Array.from(ts ?? [], (_, i) => point(i))
}

const WINDOW_COLUMNS = ['min', 'max', 'sum', 'count', 'last', 'p50', 'p95', 'p99', 'closed_by']

/** Closed windows of one size, and readings from where they end. */
async function fromWindows(tail: Tail, view: View, scope: Scope, range: Range, size: number): Promise<Point[]> {
  const sizeMs = WINDOW_SIZES_MS[size]
  const starts = { from: Math.floor(range.from / sizeMs) * sizeMs, to: range.to }
  const newest = WINDOW_COLUMNS.map((column) => `arg_max(${column}, version)${column === 'count' ? '::DOUBLE' : ''}`)
  const columns = await tail.lake.query(
    `SELECT epoch_ms(start)::DOUBLE, ${newest.join(', ')}
     FROM ${await relationOf(tail.lake, view.version, 'windows', { ...scope, ...starts, size })}
     WHERE ${scopeSql(scope)} AND size = to_minutes(${sizeMs / 60_000})${rangeSql('start', starts)} GROUP BY start`,
  )
  const rows = new Map(pointsOf(columns, sizeMs).map((point, i) => [point.ts, { ...point, closedBy: columns[9][i] as string }]))
  for (const row of freshWindows(view.fresh, scope, starts, size).values()) {
    const [, , ts, count, min, max, , sum, , , last, p50, p95, p99] = row as [string, string, ...number[]]
    const closedBy = row[14] as string
    if (rows.get(ts)?.closedBy !== 'late') rows.set(ts, { ts, end: ts + sizeMs, min, max, sum, count, last, p50, p95, p99, closedBy })
  }
  // A provisional row may lack what came since; readings stand for it and for all behind it.
  const ordered = [...rows.values()].sort((a, b) => a.ts - b.ts)
  const open = ordered.findIndex((row) => row.closedBy === 'open')
  const closed: Point[] = open < 0 ? ordered : ordered.slice(0, open)
  const rest = { from: Math.max(range.from, closed.at(-1)?.end ?? range.from), to: range.to }
  if (rest.from >= rest.to) return closed
  // In buckets of the same size, so that the usual interval of the whole has a meaning.
  return [...closed, ...(await fromBuckets(tail, view, scope, rest, sizeMs))]
}

/** The worst of a range, in order of time. */
async function anomaliesOf(tail: Tail, view: View, scope: Scope, range: Range): Promise<Graph['anomalies']> {
  const columns = await tail.lake.query(
    `SELECT device, metric, epoch_ms(ts)::DOUBLE, value, score, expected, lower, upper, reason FROM ${await relationOf(tail.lake, view.version, 'anomalies', { ...scope, ...range })}
     WHERE ${scopeSql(scope)}${rangeSql('ts', range)} ORDER BY score DESC, ts LIMIT ${GRAPH_ANOMALIES_MAX}`,
  )
  const rows: unknown[][] = (columns[0] ?? []).map((_: unknown, i: number) => columns.map((column) => column[i]))
  rows.push(...freshAnomalies(view.fresh, scope, range, 0))
  const by = (at: number, sign: number) => (a: unknown[], b: unknown[]) => sign * ((a[at] as number) - (b[at] as number))
  const worst = rows.sort(by(4, -1)).slice(0, GRAPH_ANOMALIES_MAX).sort(by(2, 1))
  const column = <T>(at: number) => worst.map((row) => row[at] as T)
  return { ts: column(2), value: column(3), score: column(4), expected: column(5), lower: column(6), upper: column(7), reason: column(8) }
}
