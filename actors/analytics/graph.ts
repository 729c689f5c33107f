/**
 * A graph: one series as columns that are ready to plot, a few points a pixel at most, with its extremes, its gaps and its anomalies.
 *
 * - P1 No extreme is lost: each point carries the least and the greatest value of its bucket.
 * - P2 The source is readings while the range holds few of them, else the coarsest windows that still give a point a pixel; what has
 *   no closed window yet is added from readings.
 * - P3 Readings that are many, in the lake or still fresh, are never looked at one by one as rows: the lake puts its own into buckets,
 *   and fresh ones are folded into them. So a series of thousands a second costs others little.
 * - P4 A gap is where the series was silent for longer than three of its usual intervals (the median of the intervals shown).
 */

import { GRAPH_ANOMALIES_MAX, GRAPH_READINGS_MAX } from '../../runtime/limits.ts'
import { WINDOW_SIZES_MS, WINDOW_SIZE_NAMES } from '../reading/window.ts'
import type { Range } from './fresh.ts'
import { eachFresh, freshReadings } from './fresh.ts'
import { freshWindows } from './query-stored-windows.ts'
import { freshAnomalies, rangeSql, scopeSql } from './query-readings.ts'
import type { Scope } from './query-readings.ts'
import { relationOf } from './series-rows.ts'
import type { Tail, View } from './tail.ts'

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
  gaps: [number, number][]
  anomalies: { ts: number[]; value: number[]; score: number[]; expected: number[]; lower: number[]; upper: number[]; reason: string[] }
  forecast: null
}

/** Points in order of time: an instant, or a stretch `[ts, end)`. */
interface Points {
  ts: number[]
  end: number[]
  min: number[]
  max: number[]
  sum: number[]
  count: number[]
}

const GAP_INTERVALS = 3
/** Points a pixel above which readings go into buckets. */
const POINTS_PER_PIXEL = 2

export async function graph(
  tail: Tail,
  request: { tenant: string; device: string; metric: string; range: Range; width: number },
): Promise<Graph> {
  const { tenant, device, metric, range, width } = request
  const scope: Scope = { tenant, filter: { devices: new Set([device]), metrics: new Set([metric]), prefix: null } }
  const view = tail.view()
  try {
    const step = Math.max(1, Math.ceil((range.to - range.from) / width))
    const size = WINDOW_SIZES_MS.findLastIndex((sizeMs) => sizeMs <= step)
    const many = await holdsMany(tail, view, scope, range)
    let points: Points
    let source = 'readings'
    let bucketMs = step
    if (many && size >= 0) {
      source = WINDOW_SIZE_NAMES[size]
      bucketMs = Math.ceil(step / WINDOW_SIZES_MS[size]) * WINDOW_SIZES_MS[size]
      points = await fromWindows(tail, view, scope, range, size)
    } else if (many) points = await fromBuckets(tail, view, scope, range, step)
    else points = await fromReadings(tail, view, scope, range)
    const gaps = gapsOf(points)
    const bucketed = many || points.ts.length > POINTS_PER_PIXEL * width
    const shown = bucketed ? bucket(points, bucketMs) : points
    return {
      device,
      metric,
      ...range,
      width,
      source,
      stepMs: bucketed ? bucketMs : 0,
      ts: shown.ts,
      min: shown.min,
      max: shown.max,
      mean: shown.sum.map((sum, i) => sum / shown.count[i]),
      gaps,
      anomalies: await anomaliesOf(tail, view, scope, range),
      forecast: null,
    }
  } finally {
    view.release()
  }
}

async function holdsMany(tail: Tail, view: View, scope: Scope, range: Range): Promise<boolean> {
  const [[count]] = await tail.lake.query(
    `SELECT count(*)::DOUBLE FROM ${await relationOf(tail.lake, view.version, 'readings', { ...scope, ...range })} WHERE ${scopeSql(scope)}${rangeSql('ts', range)}`,
  )
  let all = count as number
  if (all <= GRAPH_READINGS_MAX) eachFresh(view.fresh, scope.tenant, scope.filter, range, () => all++)
  return all > GRAPH_READINGS_MAX
}

/** Every reading a point; readings of one instant are one point. */
async function fromReadings(tail: Tail, view: View, scope: Scope, range: Range): Promise<Points> {
  const [ts, values] = await tail.lake.query(
    `SELECT epoch_ms(ts)::DOUBLE, value FROM ${await relationOf(tail.lake, view.version, 'readings', { ...scope, ...range })}
     WHERE ${scopeSql(scope)}${rangeSql('ts', range)} ORDER BY ts`,
  )
  const fresh = freshReadings(view.fresh, scope.tenant, scope.filter, range)
  const rows: [number, number][] = (ts ?? []).map((t: number, i: number) => [t, values[i] as number])
  const known = fresh.old || (view.version.manifest?.settleUntil ?? null) !== null ? new Set(rows.map(([t, v]) => `${t} ${v}`)) : null
  for (let i = 0; i < fresh.ts.length; i++) if (!known?.has(`${fresh.ts[i]} ${fresh.value[i]}`)) rows.push([fresh.ts[i], fresh.value[i]])
  rows.sort((a, b) => a[0] - b[0])
  const points = noPoints()
  for (const [t, v] of rows) add(points, { ts: t, end: t, min: v, max: v, sum: v, count: 1 })
  return points
}

/** Readings put into buckets by the lake, where they are too many to be looked at one by one and too dense for windows. */
async function fromBuckets(tail: Tail, view: View, scope: Scope, range: Range, stepMs: number): Promise<Points> {
  const columns = await tail.lake.query(
    `SELECT floor(epoch_ms(ts) / ${stepMs}) * ${stepMs} AS bucket, min(value), max(value), sum(value), count(*)::DOUBLE
     FROM ${await relationOf(tail.lake, view.version, 'readings', { ...scope, ...range })} WHERE ${scopeSql(scope)}${rangeSql('ts', range)} GROUP BY bucket ORDER BY bucket`,
  )
  const buckets = new Map<number, Point>()
  for (let i = 0; i < (columns[0]?.length ?? 0); i++) {
    const [ts, min, max, sum, count] = columns.map((column) => column[i] as number)
    buckets.set(ts, { ts, end: ts + stepMs, min, max, sum, count })
  }
  eachFresh(view.fresh, scope.tenant, scope.filter, range, (_entry, t, v) => {
    const ts = Math.floor(t / stepMs) * stepMs
    const there = buckets.get(ts)
    if (there === undefined) {
      buckets.set(ts, { ts, end: ts + stepMs, min: v, max: v, sum: v, count: 1 })
      return
    }
    if (v < there.min) there.min = v
    if (v > there.max) there.max = v
    there.sum += v
    there.count++
  })
  const points = noPoints()
  for (const point of [...buckets.values()].sort((a, b) => a.ts - b.ts)) add(points, point)
  return points
}

/** Closed windows of one size, and readings from where they end. */
async function fromWindows(tail: Tail, view: View, scope: Scope, range: Range, size: number): Promise<Points> {
  const sizeMs = WINDOW_SIZES_MS[size]
  const starts = { from: Math.floor(range.from / sizeMs) * sizeMs, to: range.to }
  const columns = await tail.lake.query(
    `SELECT epoch_ms(start)::DOUBLE, min, max, sum, count::DOUBLE, closed_by FROM ${await relationOf(tail.lake, view.version, 'windows', { ...scope, ...starts })}
     WHERE ${scopeSql(scope)} AND size = to_minutes(${sizeMs / 60_000})${rangeSql('start', starts)}
     QUALIFY row_number() OVER (PARTITION BY start ORDER BY version DESC) = 1 ORDER BY start`,
  )
  const rows = new Map<number, { ts: number; end: number; min: number; max: number; sum: number; count: number; closedBy: string }>()
  for (let i = 0; i < (columns[0]?.length ?? 0); i++) {
    const [ts, min, max, sum, count] = columns.map((column) => column[i] as number)
    rows.set(ts, { ts, end: ts + sizeMs, min, max, sum, count, closedBy: columns[5][i] as string })
  }
  for (const row of freshWindows(view.fresh, scope, starts, size).values()) {
    const [, , ts, count, min, max, , sum] = row as [string, string, ...number[]]
    const closedBy = row[14] as string
    if (rows.get(ts)?.closedBy !== 'late') rows.set(ts, { ts, end: ts + sizeMs, min, max, sum, count, closedBy })
  }
  // A provisional row may lack what came since; readings stand for it and for all behind it.
  const ordered = [...rows.values()].sort((a, b) => a.ts - b.ts)
  const open = ordered.findIndex((row) => row.closedBy === 'open')
  const closed = open < 0 ? ordered : ordered.slice(0, open)
  const points = noPoints()
  for (const row of closed) add(points, row)
  const rest = { from: Math.max(range.from, closed.at(-1)?.end ?? range.from), to: range.to }
  // In buckets of the same size, so that the usual interval of the whole has a meaning.
  if (rest.from >= rest.to) return points
  const many = await holdsMany(tail, view, scope, rest)
  return merged(points, many ? await fromBuckets(tail, view, scope, rest, sizeMs) : bucket(await fromReadings(tail, view, scope, rest), sizeMs))
}

async function anomaliesOf(tail: Tail, view: View, scope: Scope, range: Range): Promise<Graph['anomalies']> {
  const columns = await tail.lake.query(
    `SELECT device, metric, epoch_ms(ts)::DOUBLE, value, score, expected, lower, upper, reason FROM ${view.version.relation('anomalies')}
     WHERE ${scopeSql(scope)}${rangeSql('ts', range)} ORDER BY score DESC, ts LIMIT ${GRAPH_ANOMALIES_MAX}`,
  )
  const rows: unknown[][] = (columns[0] ?? []).map((_: unknown, i: number) => columns.map((column) => column[i]))
  rows.push(...freshAnomalies(view.fresh, scope, range, 0))
  rows.sort((a, b) => (a[2] as number) - (b[2] as number))
  const column = <T>(at: number) => rows.map((row) => row[at] as T)
  return { ts: column(2), value: column(3), score: column(4), expected: column(5), lower: column(6), upper: column(7), reason: column(8) }
}

interface Point {
  ts: number
  end: number
  min: number
  max: number
  sum: number
  count: number
}

function noPoints(): Points {
  return { ts: [], end: [], min: [], max: [], sum: [], count: [] }
}

/** Appends a point, or joins it with the last where both are of one time. */
function add(points: Points, p: Point): void {
  const last = points.ts.length - 1
  if (last < 0 || points.ts[last] !== p.ts) {
    points.ts.push(p.ts)
    points.end.push(p.end)
    points.min.push(p.min)
    points.max.push(p.max)
    points.sum.push(p.sum)
    points.count.push(p.count)
    return
  }
  points.end[last] = Math.max(points.end[last], p.end)
  points.min[last] = Math.min(points.min[last], p.min)
  points.max[last] = Math.max(points.max[last], p.max)
  points.sum[last] += p.sum
  points.count[last] += p.count
}

const at = (points: Points, i: number): Point => ({
  ts: points.ts[i],
  end: points.end[i],
  min: points.min[i],
  max: points.max[i],
  sum: points.sum[i],
  count: points.count[i],
})

function merged(a: Points, b: Points): Points {
  const points = noPoints()
  let i = 0
  let j = 0
  while (i < a.ts.length || j < b.ts.length) {
    const first = j >= b.ts.length || (i < a.ts.length && a.ts[i] <= b.ts[j])
    add(points, first ? at(a, i++) : at(b, j++))
  }
  return points
}

function bucket(points: Points, stepMs: number): Points {
  const out = noPoints()
  for (let i = 0; i < points.ts.length; i++) {
    const start = Math.floor(points.ts[i] / stepMs) * stepMs
    add(out, { ...at(points, i), ts: start, end: start + stepMs })
  }
  return out
}

/** Stretches between points that are longer than three usual intervals. */
export function gapsOf(points: { readonly ts: readonly number[]; readonly end: readonly number[] }): [number, number][] {
  const { ts, end } = points
  if (ts.length < 3) return []
  const intervals = new Float64Array(ts.length - 1)
  for (let i = 1; i < ts.length; i++) intervals[i - 1] = ts[i] - ts[i - 1]
  const usual = intervals.slice().sort()[(intervals.length - 1) >> 1]
  const gaps: [number, number][] = []
  for (let i = 1; i < ts.length; i++) if (ts[i] - ts[i - 1] > GAP_INTERVALS * usual) gaps.push([end[i - 1], ts[i]])
  return gaps
}
