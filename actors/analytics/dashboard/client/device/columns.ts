/**
 * The points of one chart: what the server drew up, or readings or windows one by one, and what has come since.
 *
 * Pure. Invariants
 * - I1 `ts` grows strictly.
 * - I2 A gap is a point of nulls between its ends, so that no line is drawn where nothing was measured. It is longer than three intervals of the rhythm on
 *   either side of it: a device that measures more often than it did has no gaps in its past.
 */

import type { AnomalyRow, Graph, ReadingRow, SeriesKey, WindowRow } from '../shapes.ts'

type Numbers = (number | null)[]

export interface Columns {
  /** Width of a bucket in ms; 0 where the points are single readings. */
  readonly stepMs: number
  readonly ts: number[]
  readonly min: Numbers
  readonly max: Numbers
  readonly mean: Numbers
  /** The middle and the 95th percentile, where they are known. */
  readonly p50: Numbers
  readonly p95: Numbers
}

interface Point {
  readonly ts: number
  readonly min: number | null
  readonly max: number | null
  readonly mean: number | null
  readonly p50?: number | null
  readonly p95?: number | null
}

const NAMES = ['min', 'max', 'mean', 'p50', 'p95'] as const

export function emptyColumns(stepMs = 0): Columns {
  return { stepMs, ts: [], min: [], max: [], mean: [], p50: [], p95: [] }
}

function push(columns: Columns, point: Point): void {
  const before = columns.ts.at(-1)
  if (before !== undefined && point.ts <= before) return
  columns.ts.push(point.ts)
  for (const name of NAMES) columns[name].push(point[name] ?? null)
}

const pushNulls = (columns: Columns, ts: number) => push(columns, { ts, min: null, max: null, mean: null })

/** The graph's points, with a point of nulls in each gap. */
export function fromGraph(graph: Graph): Columns {
  const columns = emptyColumns(graph.stepMs)
  let g = 0
  for (let i = 0; i < graph.ts.length; i++) {
    const t = graph.ts[i]
    const before = columns.ts.at(-1)
    if (before !== undefined && t <= before) continue
    while (g < graph.gaps.length && graph.gaps[g][1] <= (before ?? -Infinity)) g++
    const gap = graph.gaps[g]
    // A silence within neighbouring buckets is too short to be seen at this width.
    const silent = before !== undefined && gap && gap[0] < t && gap[1] > before && t - before > graph.stepMs
    if (silent && isSilence(graph.ts, i)) pushNulls(columns, before + (t - before) / 2)
    push(columns, { ts: t, min: graph.min[i], max: graph.max[i], mean: graph.mean[i], p50: graph.p50?.[i], p95: graph.p95?.[i] })
  }
  return columns
}

/** Intervals on either side of a silence that tell the rhythm there. */
const RHYTHM_INTERVALS = 8

/** Whether nothing was measured between points `i - 1` and `i` for longer than the rhythm before it and that behind it lead one to expect. */
function isSilence(ts: readonly number[], i: number): boolean {
  const usual = (first: number, last: number) => {
    const intervals: number[] = []
    for (let k = Math.max(1, first); k <= Math.min(ts.length - 1, last); k++) if (ts[k] > ts[k - 1]) intervals.push(ts[k] - ts[k - 1])
    return intervals.sort((a, b) => a - b)[(intervals.length - 1) >> 1] ?? 0
  }
  const longest = Math.max(usual(i - RHYTHM_INTERVALS, i - 1), usual(i + 1, i + RHYTHM_INTERVALS))
  return longest > 0 && ts[i] - ts[i - 1] > 3 * longest
}

/** Readings one by one; several of one instant are one point. */
export function fromReadings(rows: readonly Pick<ReadingRow, 'ts' | 'value'>[]): Columns {
  const columns = emptyColumns()
  const all = rows.map((row) => row.ts)
  for (const [at, { ts, value }] of rows.entries()) {
    const before = columns.ts.at(-1)
    if (before !== undefined && isSilence(all, at)) pushNulls(columns, before + (ts - before) / 2)
    if (before === ts) {
      const i = columns.ts.length - 1
      columns.min[i] = Math.min(columns.min[i]!, value)
      columns.max[i] = Math.max(columns.max[i]!, value)
    } else push(columns, { ts, min: value, max: value, mean: value })
  }
  return columns
}

/** Windows of one size; a missing one is a gap. */
export function fromWindows(rows: readonly WindowRow[], stepMs: number): Columns {
  const columns = emptyColumns(stepMs)
  for (const { start, min, max, mean, p50, p95 } of rows) {
    const before = columns.ts.at(-1)
    // A day of a time zone may be an hour longer.
    if (before !== undefined && start - before > 1.5 * stepMs) pushNulls(columns, before + (start - before) / 2)
    push(columns, { ts: start, min, max, mean, p50, p95 })
  }
  return columns
}

/** How many readings a bucket of the server's is taken to hold, when one more comes and its count is not known. */
const WEIGHT = 20

/** Adds a reading: into the bucket that covers it, else as a point of its own in its place. */
export function addReading(columns: Columns, ts: number, value: number): void {
  const step = columns.stepMs
  const i = bucketOf(columns.ts, ts)
  const middle = i < 0 ? null : columns.mean[i]
  if (middle === null) {
    // Before everything, or behind the nulls of a gap.
    const at = columns.ts[i] === ts ? i : i + 1
    insert(columns, at, at - i, ts, value)
  } else if (ts === columns.ts[i] || ts < columns.ts[i] + step) {
    const [low, high] = [columns.min[i] ?? value, columns.max[i] ?? value]
    if (value === middle) return
    columns.mean[i] = middle + (value - middle) / (low === high ? 2 : WEIGHT)
    columns.min[i] = Math.min(low, value)
    columns.max[i] = Math.max(high, value)
  } else insert(columns, i + 1, 1, step > 0 ? columns.ts[i] + Math.floor((ts - columns.ts[i]) / step) * step : ts, value)
}

/** A point before index `at`, or in place of the one there where `added` is 0. */
function insert(columns: Columns, at: number, added: number, t: number, value: number): void {
  columns.ts.splice(at, 1 - added, t)
  for (const name of NAMES) columns[name].splice(at, 1 - added, name === 'p50' || name === 'p95' ? null : value)
}

/** Index of the greatest element ≤ `t`, or −1. */
export function bucketOf(ts: readonly number[], t: number): number {
  let low = 0
  let high = ts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ts[middle] <= t) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** Index of the point with a value that is nearest to `t`; −1 where there is none. */
export function nearest(columns: Pick<Columns, 'ts' | 'mean'>, t: number): number {
  const { ts, mean } = columns
  let below = bucketOf(ts, t)
  while (below >= 0 && mean[below] === null) below--
  let above = Math.max(0, bucketOf(ts, t) + 1)
  while (above < ts.length && mean[above] === null) above++
  if (below < 0) return above < ts.length ? above : -1
  return above < ts.length && ts[above] - t < t - ts[below] ? above : below
}

/** The point with a value that is `steps` further (negative: before); the last one in that direction where there are fewer. */
export function stepFrom(columns: Pick<Columns, 'ts' | 'mean'>, i: number, steps: number): number {
  const direction = Math.sign(steps)
  let at = i
  let left = Math.abs(steps)
  for (let j = i + direction; left > 0 && j >= 0 && j < columns.ts.length; j += direction) {
    if (columns.mean[j] === null) continue
    at = j
    left--
  }
  return at
}

/** Drops points before `from`, but for the one whose line leads into view. */
export function dropBefore(columns: Columns, from: number): void {
  const n = bucketOf(columns.ts, from)
  if (n <= 0) return
  columns.ts.splice(0, n)
  for (const name of NAMES) columns[name].splice(0, n)
}

/** The graph's anomalies as rows, newest first. */
export function anomalyRows(graph: Graph, series: SeriesKey): AnomalyRow[] {
  const a = graph.anomalies
  const rows = a.ts.map((ts, i) => ({
    device: series.device,
    metric: series.metric,
    ts,
    value: a.value[i],
    score: a.score[i],
    expected: a.expected[i] ?? null,
    lower: a.lower[i] ?? null,
    upper: a.upper[i] ?? null,
    reason: a.reason[i],
  }))
  return rows.sort((x, y) => y.ts - x.ts)
}
