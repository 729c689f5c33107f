/**
 * Windows: a row a window, the newest version of each, from the lake and from fresh commits; and the filling of what is missing.
 *
 * - W1 Rows are ordered by (device, metric, start). Of several versions of a window the one of the newest commit is shown; a window
 *   that the store has made anew with late readings stays the store's, since the actor's rows lack them.
 * - W2 Calendar days of a time zone are computed from readings, percentiles exactly; such a day is never closed, and says so by a null
 *   `closed_by`.
 * - W3 A filled row has count 0 and no `closed_by`. `previous` repeats the row before, `linear` draws a straight line between its
 *   neighbours; where there is no neighbour, and always with `null`, its numbers are null.
 */

import { WINDOW_SIZES_MS, windowStart } from '../reading/window.ts'
import type { FreshView, Range } from './fresh.ts'
import { freshReadings } from './fresh.ts'
import { rangeSql, scopeSql } from './query-readings.ts'
import type { Scope } from './query-readings.ts'
import { matches } from './series-catalog.ts'
import type { Tail, View } from './tail.ts'
import { text } from './lake.ts'
import { localDay, localDayStart } from './times.ts'

export const FILLS = ['none', 'null', 'previous', 'linear'] as const
export type Fill = (typeof FILLS)[number]

/** `[device, metric, start, count, min, max, mean, sum, stddev, first, last, p50, p95, p99, closed_by]` */
export type WindowCells = [device: string, metric: string, start: number, count: number, ...rest: (number | string | null)[]]
export const WINDOW_NUMBERS = ['min', 'max', 'mean', 'sum', 'stddev', 'first', 'last', 'p50', 'p95', 'p99'] as const
const CLOSED_BY_AT = 14
/** min, max, mean, first, last, p50, p95, p99: what a filled row carries. Its sum and its deviation are null. */
const CARRIED = [4, 5, 6, 9, 10, 11, 12, 13]

/** Where a page ended, and the start of the last window in it that was not filled in (−1: none yet of that series). */
export type WindowPlace = readonly [device: string, metric: string, start: number, real: number]

export interface WindowsRequest {
  readonly scope: Scope
  readonly range: Range
  /** Index into `WINDOW_SIZES_MS`. */
  readonly size: number
  /** Of days only; null: UTC. */
  readonly zone: string | null
  readonly fill: Fill
  readonly after: WindowPlace | null
  readonly limit: number
}

const NUMBERS_SQL = 'count::DOUBLE, min, max, mean, sum, stddev, first, last, p50, p95, p99'

export async function windows(tail: Tail, request: WindowsRequest): Promise<{ rows: WindowCells[]; next: WindowPlace | null }> {
  const { after, limit, fill, zone, size } = request
  // A filled page begins again at the last window that it was filled from; a gap is only known by the window behind it.
  const real = await realWindows(tail, request, after === null ? null : beginning(after, fill), limit + 3)
  if (fill === 'none') {
    if (real.length <= limit) return { rows: real, next: null }
    real.length = limit
    const [device, metric, start] = real[limit - 1]
    return { rows: real, next: [device, metric, start, start] }
  }
  const grid = zone === null ? fixedGrid(WINDOW_SIZES_MS[size]) : dayGrid(zone)
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

interface From {
  readonly at: readonly [device: string, metric: string, start: number, ...unknown[]]
  readonly inclusive: boolean
}

function beginning(after: WindowPlace, fill: Fill): From {
  const [device, metric, , real] = after
  return fill === 'none' || real < 0 ? { at: after, inclusive: false } : { at: [device, metric, real], inclusive: true }
}

async function realWindows(tail: Tail, request: WindowsRequest, place: From | null, limit: number): Promise<WindowCells[]> {
  const view = tail.view()
  try {
    const windowsOf = request.zone === null ? storedWindows : zonedDays
    return await windowsOf(tail, view, request, place, limit)
  } finally {
    view.release()
  }
}

function placeSql(keyword: 'AND' | 'HAVING', place: From | null, start: string): string {
  if (place === null) return ''
  const [device, metric, ms] = place.at
  return ` ${keyword} (device, metric, ${start}) ${place.inclusive ? '>=' : '>'} (${text(device)}, ${text(metric)}, ${ms}::DOUBLE)`
}

function compare(a: WindowCells, b: WindowCells): number {
  for (const at of [0, 1, 2]) {
    if (a[at]! < b[at]!) return -1
    if (a[at]! > b[at]!) return 1
  }
  return 0
}

async function storedWindows(tail: Tail, view: View, request: WindowsRequest, place: From | null, limit: number): Promise<WindowCells[]> {
  const { scope, range, size } = request
  const minutes = WINDOW_SIZES_MS[size] / 60_000
  const fresh = freshWindows(view.fresh, scope, range, size)
  const columns = await tail.lake.query(
    `SELECT device, metric, epoch_ms(start)::DOUBLE, ${NUMBERS_SQL}, closed_by FROM ${view.version.relation('windows', range)}
     WHERE ${scopeSql(scope)} AND size = to_minutes(${minutes})${rangeSql('start', range)}
       ${placeSql('AND', place, 'epoch_ms(start)::DOUBLE')}
     QUALIFY row_number() OVER (PARTITION BY device, metric, start ORDER BY version DESC) = 1
     ORDER BY device, metric, start LIMIT ${limit}`,
  )
  const rows = cellsOf(columns)
  if (fresh.size === 0) return rows
  const kept: WindowCells[] = []
  for (const row of rows) {
    const key = keyOf(row)
    const newer = fresh.get(key)
    if (newer === undefined || row[CLOSED_BY_AT] === 'late') {
      kept.push(row)
      fresh.delete(key)
    }
  }
  // Fresh rows behind the lake's last row are left to the next page, where the lake's own rows there are known.
  const last = rows.length === limit ? rows[limit - 1] : null
  for (const row of fresh.values()) {
    if (place !== null && !isBeyond(row, place)) continue
    if (last !== null && compare(row, last) > 0) continue
    kept.push(row)
  }
  return kept.sort(compare).slice(0, limit)
}

function isBeyond(row: WindowCells, { at, inclusive }: From): boolean {
  const order = compare(row, at as unknown as WindowCells)
  return inclusive ? order >= 0 : order > 0
}

const keyOf = (row: WindowCells) => `${row[0]}\n${row[1]}\n${row[2]}`

function cellsOf(columns: any[][]): WindowCells[] {
  const rows = new Array<WindowCells>(columns[0]?.length ?? 0)
  for (let i = 0; i < rows.length; i++) rows[i] = columns.map((column) => column[i]) as WindowCells
  return rows
}

/** The newest fresh row of each window that passes, by its key. */
export function freshWindows(view: FreshView, { tenant, filter }: Scope, range: Range, size: number): Map<string, WindowCells> {
  const newest = new Map<string, WindowCells>()
  for (const commits of view) {
    for (const { effects } of commits) {
      if (effects.windows.length === 0) continue
      const wanted = effects.series.map((s) => s.tenant === tenant && matches(filter, s.device, s.metric))
      if (!wanted.includes(true)) continue
      for (const w of effects.windows) {
        if (w.size !== size || !wanted[w.series] || w.start < range.from || w.start >= range.to) continue
        const { device, metric } = effects.series[w.series]
        const row: WindowCells = [
          device, metric, w.start, w.count, w.min, w.max, w.sum / w.count, w.sum, Number.isNaN(w.stddev) ? null : w.stddev,
          w.first, w.last, w.p50, w.p95, w.p99, w.closedBy,
        ]
        newest.set(keyOf(row), row)
      }
    }
  }
  return newest
}

/** Whether fresh rows may be in the lake already, because a stream was made anew. */
const settles = (view: View) => (view.version.manifest?.settleUntil ?? null) !== null

async function zonedDays(tail: Tail, view: View, request: WindowsRequest, place: From | null, limit: number): Promise<WindowCells[]> {
  const { scope, range } = request
  const zone = request.zone!
  const days = dayGrid(zone)
  // Whole days: those that begin within the range.
  const from = Number.isFinite(range.from) ? days.atOrAfter(range.from) : range.from
  const to = Number.isFinite(range.to) ? days.atOrAfter(range.to) : range.to
  const fresh = freshReadings(view.fresh, scope.tenant, scope.filter, { from, to })
  const local = `((ts AT TIME ZONE 'UTC') AT TIME ZONE ${text(zone)})::DATE`
  const day = place === null ? null : { ...place, at: [place.at[0], place.at[1], localDay(zone, place.at[2])] as const }
  const after = placeSql('HAVING', day, 'day')
  const columns = await tail.lake.query(
    `WITH rows AS (
       SELECT device, metric, ts, value FROM ${view.version.relation('readings', { from, to })}
       WHERE ${scopeSql(scope)}${rangeSql('ts', { from, to })}
       ${fresh.old || settles(view) ? 'UNION' : 'UNION ALL'} SELECT device, metric, make_timestamp((ts * 1000)::BIGINT), value FROM fresh)
     SELECT device, metric, date_diff('day', DATE '1970-01-01', ${local})::DOUBLE AS day,
       count(*)::DOUBLE, min(value), max(value), avg(value), sum(value), stddev_samp(value),
       arg_min(value, (ts, value)), arg_max(value, (ts, value)),
       quantile_disc(value, 0.5), quantile_disc(value, 0.95), quantile_disc(value, 0.99), NULL
     FROM rows GROUP BY device, metric, day${after} ORDER BY device, metric, day LIMIT ${limit}`,
    { device: fresh.device, metric: fresh.metric, ts: fresh.ts, value: fresh.value },
  )
  const rows = cellsOf(columns)
  for (const row of rows) row[2] = localDayStart(zone, row[2])
  return rows
}

/** The starts of windows. */
interface Grid {
  atOrAfter(ms: number): number
  next(start: number): number
}

function fixedGrid(sizeMs: number): Grid {
  return { atOrAfter: (ms) => windowStart(ms + sizeMs - 1, sizeMs), next: (start) => start + sizeMs }
}

function dayGrid(zone: string): Grid {
  return {
    atOrAfter: (ms) => {
      const start = localDayStart(zone, localDay(zone, ms))
      return start >= ms ? start : localDayStart(zone, localDay(zone, ms) + 1)
    },
    next: (start) => localDayStart(zone, localDay(zone, start) + 1),
  }
}

/** The rows with what is missing between them, and, of a range with ends, before the first and behind the last of a series. */
function* filling(
  real: readonly WindowCells[],
  { range, fill, after }: WindowsRequest,
  grid: Grid,
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
