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

/**
 * Adds a reading: into the last bucket, after it, or into an older one that covers it.
 *
 * @returns false where no bucket covers it: only the server can place it then
 */
export function addReading(columns: Columns, ts: number, value: number): boolean {
  const last = columns.ts.length - 1
  if (last < 0) {
    pushPoint(columns, ts, value, value, value)
    return true
  }
  const step = columns.stepMs
  const end = columns.ts[last]
  if (ts > end && ts >= end + step) {
    pushPoint(columns, step > 0 ? end + Math.floor((ts - end) / step) * step : ts, value, value, value)
    return true
  }
  const i = bucketOf(columns.ts, ts)
  if (i < 0 || columns.mean[i] === null || (step > 0 ? ts >= columns.ts[i] + step : ts !== columns.ts[i])) return false
  const [low, high, middle] = [columns.min[i] ?? value, columns.max[i] ?? value, columns.mean[i] ?? value]
  if (value === middle && value >= low && value <= high) return true
  columns.mean[i] = middle + (value - middle) / (low === high ? 2 : WEIGHT)
  columns.min[i] = Math.min(low, value)
  columns.max[i] = Math.max(high, value)
  return true
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
