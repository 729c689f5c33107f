/**
 * Windows of any size and zone: page by page, and the filling of what is missing.
 *
 * Owns pages and filling. Leaves where windows begin to window-grid.ts, rows of stored sizes to query/stored-windows.ts, all others to
 * query/composed-windows.ts.
 *
 * - W1 Rows are ordered by (device, metric, start). A cursor says where a page ended, so paging shows each window once while rows come, are
 *   sealed, merged and let go.
 * - W2 A filled row has count 0 and no `closed_by`. `previous` repeats the row before, `linear` draws a straight line between its
 *   neighbours; where there is no neighbour, and always with `null`, its numbers are null.
 */

import type { Range } from '../data/fresh.ts'
import { composedWindows } from './composed-windows.ts'
import type { Scope } from './scope.ts'
import { storedWindows } from './stored-windows.ts'
import type { From, WindowCells, WindowPage } from './stored-windows.ts'
import type { Tail, View } from '../data/tail.ts'
import { WindowGrid } from './window-grid.ts'
import type { WindowSize } from './window-grid.ts'

export const FILLS = ['none', 'null', 'previous', 'linear'] as const
export type Fill = (typeof FILLS)[number]

const DAY_MS = 86_400_000
/** min, max, mean, first, last, p50, p95, p99: what a filled row carries. Its sum and its deviation are null. */
const CARRIED = [4, 5, 6, 9, 10, 11, 12, 13]

/** Where a page ended, and the start of the last window in it that was not filled in (−1: none yet of that series). */
export type WindowPlace = readonly [device: string, metric: string, start: number, real: number]

export interface WindowsRequest {
  readonly scope: Scope
  /** Of starts. */
  readonly range: Range
  readonly size: WindowSize
  /** As `zoneName` gives it. */
  readonly zone: string
  /** Whether sizes that are not stored get percentiles too, for which readings are read. */
  readonly percentiles: boolean
  readonly fill: Fill
  readonly after: WindowPlace | null
  readonly limit: number
  readonly nowMs: number
}

export async function windows(tail: Tail, request: WindowsRequest): Promise<{ rows: WindowCells[]; next: WindowPlace | null }> {
  const view = tail.view()
  try {
    const grid = gridOf(view, request)
    if (request.fill !== 'none') return filledPage(await realWindows(tail, view, request, grid, request.limit + 3), request, grid)
    const { rows, next } = await realWindows(tail, view, request, grid, request.limit)
    return { rows, next: next === null ? null : [...next.at, next.at[2]] }
  } finally {
    view.release()
  }
}

/** A filled page begins again at the last window that it was filled from; and a gap is only known by the window behind it. */
function filledPage({ rows: real }: WindowPage, request: WindowsRequest, grid: WindowGrid): { rows: WindowCells[]; next: WindowPlace | null } {
  const { after, limit } = request
  const rows: WindowCells[] = []
  let next: WindowPlace | null = null
  let lastReal = after === null ? -1 : after[3]
  let current: readonly unknown[] | null = after
  for (const { row, filled } of filling(real, request, grid)) {
    if (after !== null && row[0] === after[0] && row[1] === after[1] && row[2] <= after[2]) continue
    if (rows.length === limit) {
      const [device, metric, start] = rows[limit - 1]
      next = [device, metric, start, lastReal]
      break
    }
    rows.push(row)
    if (!filled) lastReal = row[2]
    else if (current === null || current[0] !== row[0] || current[1] !== row[1]) lastReal = -1
    current = row
  }
  return { rows, next }
}

/** The grid of a request, over what there is and what is filled: each change of clocks within it costs every reading a comparison. */
function gridOf({ version, fresh }: View, { size, zone, range, fill, nowMs }: WindowsRequest): WindowGrid {
  let from = nowMs
  for (const { segment } of version.attached) from = Math.min(from, segment.tsMin ?? Infinity)
  for (const commits of fresh) for (const { blocks } of commits) for (const { tsMin } of blocks) from = Math.min(from, tsMin)
  for (const commits of fresh) for (const { effects } of commits) for (const { start } of effects.windows) from = Math.min(from, start)
  // A window begins before the first of what is in it. No reading lies more than a day ahead.
  from -= size.ms ?? size.months * 31 * DAY_MS
  let to = nowMs + DAY_MS
  if (fill !== 'none' && Number.isFinite(range.from)) from = Math.min(from, range.from)
  if (fill !== 'none' && Number.isFinite(range.to)) to = Math.max(to, range.to)
  return new WindowGrid(size, zone, { from, to })
}

function beginning(after: WindowPlace | null, fill: Fill): From | null {
  if (after === null) return null
  const [device, metric, start, real] = after
  return fill === 'none' || real < 0 ? { at: [device, metric, start], inclusive: false } : { at: [device, metric, real], inclusive: true }
}

/** The rows that there are, as many as asked for where there are so many. */
async function realWindows(tail: Tail, view: View, request: WindowsRequest, grid: WindowGrid, limit: number): Promise<WindowPage> {
  const { scope, range, percentiles, nowMs } = request
  const rows: WindowCells[] = []
  let place = beginning(request.after, request.fill)
  for (;;) {
    const query = { scope, range, place, limit: limit - rows.length }
    const page =
      grid.stored >= 0 ? await storedWindows(tail, view, query, grid.stored) : await composedWindows(tail, view, query, { grid, percentiles, nowMs })
    rows.push(...page.rows)
    if (page.next === null || rows.length === limit) return { rows, next: page.next }
    place = page.next
  }
}

/** The rows with what is missing between them, and, of a range with ends, before the first and behind the last of a series. */
function* filling(
  real: readonly WindowCells[],
  { range, fill, after }: WindowsRequest,
  grid: WindowGrid,
): Generator<{ row: WindowCells; filled: boolean }> {
  for (let i = 0; i < real.length; i++) {
    const row = real[i]
    const [device, metric] = row
    const same = (other: WindowCells | undefined) => other !== undefined && other[0] === device && other[1] === metric
    // Where the page before ended, if that was within this series.
    const passed = after !== null && after[0] === device && after[1] === metric ? after : null
    if (!same(real[i - 1]) && Number.isFinite(range.from) && !(passed !== null && passed[3] >= 0)) {
      let start = passed !== null ? grid.next(passed[2]) : grid.atOrAfter(range.from)
      for (; start < row[2]; start = grid.next(start)) yield { row: filled(device, metric, start, null, null, fill), filled: true }
    }
    yield { row, filled: false }
    const follower = same(real[i + 1]) ? real[i + 1] : null
    const end = follower !== null ? follower[2] : Number.isFinite(range.to) ? range.to : -Infinity
    let start = grid.next(row[2])
    if (passed !== null && passed[2] >= start) start = grid.next(passed[2])
    for (; start < end; start = grid.next(start)) yield { row: filled(device, metric, start, row, follower, fill), filled: true }
  }
}

function filled(
  device: string,
  metric: string,
  start: number,
  before: WindowCells | null,
  behind: WindowCells | null,
  fill: Fill,
): WindowCells {
  const row: WindowCells = [device, metric, start, 0, null, null, null, null, null, null, null, null, null, null, null]
  if (before === null || fill === 'null' || (fill === 'linear' && behind === null)) return row
  const share = behind === null ? 0 : (start - before[2]) / (behind[2] - before[2])
  for (const at of CARRIED) {
    const a = before[at] as number
    row[at] = fill === 'previous' ? a : a + ((behind![at] as number) - a) * share
  }
  return row
}
