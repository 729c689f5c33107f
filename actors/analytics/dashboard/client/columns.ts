/**
 * The points of one chart: what the server drew up for the width of the screen, and what has come since.
 *
 * Pure. Invariants
 * - I1 `ts` grows strictly.
 * - I2 A gap is a point of nulls between its ends, so that no line is drawn where nothing was measured.
 */

import type { AnomalyRow, Graph, SeriesKey } from './shapes.ts'

export interface Columns {
  /** Width of a bucket in ms; 0 where the points are single readings. */
  readonly stepMs: number
  readonly ts: number[]
  readonly min: (number | null)[]
  readonly max: (number | null)[]
  readonly mean: (number | null)[]
}

export function emptyColumns(stepMs = 0): Columns {
  return { stepMs, ts: [], min: [], max: [], mean: [] }
}

/** The graph's points, with a point of nulls in each gap. */
export function toColumns(graph: Graph): Columns {
  const columns = emptyColumns(graph.stepMs)
  let g = 0
  for (let i = 0; i < graph.ts.length; i++) {
    const t = graph.ts[i]
    const before = columns.ts.at(-1)
    if (before !== undefined && t <= before) continue
    while (g < graph.gaps.length && graph.gaps[g][1] <= (before ?? -Infinity)) g++
    const gap = graph.gaps[g]
    // A silence within neighbouring buckets is too short to be seen at this width.
    if (before !== undefined && gap && gap[0] < t && gap[1] > before && t - before > graph.stepMs) pushPoint(columns, before + (t - before) / 2, null, null, null)
    pushPoint(columns, t, graph.min[i], graph.max[i], graph.mean[i])
  }
  return columns
}

function pushPoint(columns: Columns, t: number, min: number | null, max: number | null, mean: number | null): void {
  columns.ts.push(t)
  columns.min.push(min)
  columns.max.push(max)
  columns.mean.push(mean)
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
  for (const column of [columns.min, columns.max, columns.mean]) column.splice(at, 1 - added, value)
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

/** Drops points before `from`, but for the one whose line leads into view. */
export function dropBefore(columns: Columns, from: number): void {
  const n = bucketOf(columns.ts, from)
  if (n <= 0) return
  for (const column of [columns.ts, columns.min, columns.max, columns.mean]) column.splice(0, n)
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
