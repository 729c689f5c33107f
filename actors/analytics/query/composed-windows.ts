/**
 * Windows of sizes that are not stored, or of another time zone's days: composed of the coarsest stored windows that tile them, their parts.
 *
 * - C1 Which windows there are, the parts say; for what came since the newest part of a series, its last reading does.
 * - C2 A row's numbers are those of the readings within it, all of them, percentiles exact. Only the windows of the page are read so, a bounded
 *   number of readings at a time.
 * - C3 Where readings are gone that the parts have counted, or percentiles are not asked for, the row is merged from the parts: count, sum, min, max,
 *   first and last as they are; the deviation by squares about the merged mean (Chan, Golub and LeVeque 1979), which is stable however large
 *   that is. Percentiles of parts can't be merged: they are null.
 * - C4 A row is `open` while its end is not past, a part of it is open, or readings of it are in no part yet; else `late` if a part of it is; else
 *   closed by what closed its last part.
 */

import { NAMES_MAX, WINDOW_READINGS_MAX } from '../../../runtime/limits.ts'
import { WINDOW_SIZES_MS } from '../../reading/window.ts'
import type { Range } from '../data/fresh.ts'
import { freshReadings } from '../data/fresh.ts'
import { text } from '../data/lake.ts'
import type { GivenTable } from '../data/lake.ts'
import { CLOSED_BY_AT, cellsOf, compare, freshWindows, keyOf, pageOf, placeSql } from './stored-windows.ts'
import type { From, WindowCells, WindowPage, WindowQuery } from './stored-windows.ts'
import { rangeSql, scopeSql } from './scope.ts'
import type { Scope } from './scope.ts'
import { relationOf } from '../data/series-rows.ts'
import type { Tail, View } from '../data/tail.ts'
import type { WindowGrid } from './window-grid.ts'

const MINUTE_MS = 60_000

export interface Composition {
  readonly grid: WindowGrid
  /** Whether the page's readings are looked at. */
  readonly percentiles: boolean
  readonly nowMs: number
}

export async function composedWindows(
  tail: Tail,
  view: View,
  query: WindowQuery,
  { grid, percentiles, nowMs }: Composition,
): Promise<WindowPage> {
  const { scope, limit } = query
  // Windows that begin in the range, whole ones: they end where the first one outside begins.
  const from = Number.isFinite(query.range.from) ? grid.atOrAfter(query.range.from) : query.range.from
  const to = Number.isFinite(query.range.to) ? grid.atOrAfter(query.range.to) : query.range.to
  const asked = { ...query, range: { from, to }, limit: limit + 1 }
  const merged = await mergedParts(tail, view, asked, grid)
  const { rows, next } = pageOf(percentiles ? withNewest(tail, merged, asked, grid) : merged, limit)
  const found = percentiles ? await readWindows(tail, view, scope, rows, grid) : new Map<string, WindowCells>()
  const shown: WindowCells[] = []
  for (const row of rows) {
    const read = found.get(keyOf(row))
    const more = read !== undefined && read[3] > row[3]
    // The readings of a window that only its series' last reading spoke of may not be committed yet.
    if (read === undefined && row[3] === 0) continue
    const [device, metric, start] = row
    const closedBy = more || grid.next(start) > nowMs ? 'open' : row[CLOSED_BY_AT]
    const numbers = read !== undefined && read[3] >= row[3] ? read : row
    shown.push([device, metric, start, ...numbers.slice(3, CLOSED_BY_AT), closedBy] as unknown as WindowCells)
  }
  return { rows: shown, next }
}

/** Where the parts begin of the windows that begin at or behind a place. */
function partPlace(place: From | null, grid: WindowGrid): From | null {
  if (place === null || place.inclusive) return place
  const [device, metric, start] = place.at
  return { at: [device, metric, grid.next(start)], inclusive: true }
}

/** The newest version of each part, of the lake and of fresh commits: the same rule as for windows of a stored size. */
async function partsSql(
  tail: Tail,
  view: View,
  { scope, range }: WindowQuery,
  { base, place, hasFresh }: { base: number; place: string; hasFresh: boolean },
): Promise<string> {
  const columns = ['count', 'sum', 'min', 'max', 'mean', 'stddev', 'first', 'last', 'closed_by']
  const newest = columns.map((column) => `${column === 'stddev' ? 'arg_max_null' : 'arg_max'}(${column}, version) AS ${column}`)
  const lake = `SELECT device, metric, epoch_ms(start) AS began, ${newest.join(', ')}
    FROM ${await relationOf(tail.lake, view.version, 'windows', { ...scope, ...range, size: base })}
    WHERE ${scopeSql(scope)} AND size = to_minutes(${WINDOW_SIZES_MS[base] / MINUTE_MS})${rangeSql('start', range)}${place}
    GROUP BY device, metric, start`
  if (!hasFresh) return `parts AS (${lake})`
  const fresh = `SELECT device, metric, began::BIGINT AS began, ${columns.join(', ')}
    FROM (SELECT *, epoch_ms(began::BIGINT) AS start FROM fresh_windows) WHERE true${place}`
  const same = 'USING (device, metric, began)'
  return `lake AS (${lake}), fresh AS (${fresh}), parts AS (
    SELECT l.* FROM lake l LEFT JOIN fresh f ${same} WHERE f.count IS NULL OR l.closed_by = 'late'
    UNION ALL SELECT f.* FROM fresh f LEFT JOIN lake l ${same} WHERE l.closed_by IS NULL OR l.closed_by <> 'late')`
}

/** The first rows behind the place, merged from their parts. */
async function mergedParts(tail: Tail, view: View, query: WindowQuery, grid: WindowGrid): Promise<WindowCells[]> {
  const fresh = [...freshWindows(view.fresh, query.scope, query.range, grid.base).values()]
  const place = placeSql(partPlace(query.place, grid), 'epoch_ms(start)::DOUBLE')
  const parts = await partsSql(tail, view, query, { base: grid.base, place, hasFresh: fresh.length > 0 })
  const columns = await tail.lake.query(
    `WITH ${parts}, placed AS (SELECT *, ${grid.sql('began')} AS bucket FROM parts), page AS (
       SELECT device, metric, bucket, sum(count)::DOUBLE AS count, min(min) AS min, max(max) AS max, fsum(sum) AS sum,
         arg_min(first, began) AS first, arg_max(last, began) AS last,
         CASE WHEN bool_or(closed_by = 'open') THEN 'open' WHEN bool_or(closed_by = 'late') THEN 'late'
           ELSE arg_max(closed_by, began) END AS closed_by
       FROM placed GROUP BY device, metric, bucket ORDER BY device, metric, bucket LIMIT ${query.limit}),
     spread AS (
       SELECT device, metric, bucket,
         fsum((p.count - 1) * coalesce(p.stddev, 0) ** 2 + p.count * (p.mean - m.sum / m.count) ** 2) AS squares
       FROM placed p JOIN page m USING (device, metric, bucket) GROUP BY device, metric, bucket)
     SELECT device, metric, bucket::DOUBLE, count, min, max, sum / count, sum, CASE WHEN count > 1 THEN sqrt(squares / (count - 1)) END, first, last,
       NULL, NULL, NULL, closed_by
     FROM page JOIN spread USING (device, metric, bucket) ORDER BY device, metric, bucket`,
    fresh.length === 0 ? [] : [freshTable(fresh)],
  )
  return cellsOf(columns)
}

function freshTable(rows: readonly WindowCells[]): GivenTable {
  const texts = (at: number) => rows.map((row) => row[at] as string)
  const numbers = (at: number) => rows.map((row) => row[at] as number | null)
  return {
    name: 'fresh_windows',
    texts: { device: texts(0), metric: texts(1), closed_by: texts(CLOSED_BY_AT) },
    numbers: {
      began: numbers(2),
      count: numbers(3),
      min: numbers(4),
      max: numbers(5),
      mean: numbers(6),
      sum: numbers(7),
      stddev: numbers(8),
      first: numbers(9),
      last: numbers(10),
    },
  }
}

/** Adds the windows behind the newest row of each series that its last reading reaches into: no part of them is closed yet. */
function withNewest(
  { catalog }: Tail,
  rows: readonly WindowCells[],
  { scope, range, place, limit }: WindowQuery,
  grid: WindowGrid,
): WindowCells[] {
  const { tenant, filter } = scope
  const newest = new Map(rows.map((row) => [`${row[0]}\n${row[1]}`, row[2]]))
  // The last series of a full page may have more rows in the lake, and series behind it have not been looked at.
  const last = rows.length === limit ? rows[limit - 1] : null
  const added: WindowCells[] = []
  const passed = place === null ? null : catalog.find(tenant, place.at[0], place.at[1])
  const series = function* () {
    if (passed !== null) yield passed
    yield* catalog.list(tenant, filter, place === null ? null : [place.at[0], place.at[1]])
  }
  for (const entry of series()) {
    const { device, metric } = entry
    if (last !== null && compare([device, metric, -Infinity], [last[0], last[1], -Infinity]) >= 0) break
    if (added.length >= limit) break
    if (entry.ts < range.from || entry.first === Infinity) continue
    const known = newest.get(`${device}\n${metric}`)
    let start = grid.atOrAfter(Math.max(grid.startOf(entry.first), range.from))
    if (known !== undefined) start = grid.next(known)
    else if (entry === passed) start = place!.inclusive ? place!.at[2] : grid.next(place!.at[2])
    for (; start <= entry.ts && start < range.to && added.length < limit; start = grid.next(start)) added.push(empty(device, metric, start))
  }
  return added.length === 0 ? [...rows] : [...rows, ...added].sort(compare)
}

function empty(device: string, metric: string, start: number): WindowCells {
  return [device, metric, start, 0, null, null, null, null, null, null, null, null, null, null, 'open']
}

/** A run of windows of one series that lie side by side. */
interface Span extends Range {
  readonly device: string
  readonly metric: string
}

/** Windows as their readings are, by key. */
async function readWindows(tail: Tail, view: View, scope: Scope, rows: readonly WindowCells[], grid: WindowGrid): Promise<Map<string, WindowCells>> {
  const found = new Map<string, WindowCells>()
  for (let at = 0; at < rows.length; ) {
    const spans: (Span & { to: number })[] = []
    for (let readings = 0; at < rows.length && (spans.length === 0 || readings + rows[at][3] <= WINDOW_READINGS_MAX); at++) {
      const [device, metric, start, count] = rows[at]
      readings += count
      const before = spans.at(-1)
      if (before?.device === device && before.metric === metric && before.to === start) before.to = grid.next(start)
      else spans.push({ device, metric, from: start, to: grid.next(start) })
    }
    for (const row of cellsOf(await readSpans(tail, view, scope.tenant, spans, grid))) found.set(keyOf(row), row)
  }
  return found
}

async function readSpans(tail: Tail, view: View, tenant: string, spans: readonly Span[], grid: WindowGrid): Promise<any[][]> {
  const devices = new Set(spans.map((span) => span.device))
  const metrics = new Set(spans.map((span) => span.metric))
  const range = { from: Infinity, to: -Infinity }
  for (const { from, to } of spans) {
    range.from = Math.min(range.from, from)
    range.to = Math.max(range.to, to)
  }
  const few = (names: ReadonlySet<string>) => (names.size <= NAMES_MAX ? names : null)
  const filter = { devices: few(devices), metrics: few(metrics), prefix: null }
  const between = `device BETWEEN ${text(spans[0].device)} AND ${text(spans.at(-1)!.device)}`
  const moment = (column: string) => `make_timestamp((${column} * 1000)::BIGINT)`
  const given: GivenTable[] = []
  let readings = `SELECT device, metric, ts, value FROM ${await relationOf(tail.lake, view.version, 'readings', { tenant, filter, ...range })}
    WHERE ${scopeSql({ tenant, filter })} AND ${between}${rangeSql('ts', range)}`
  const fresh = freshReadings(view.fresh, tenant, { devices, metrics, prefix: null }, range)
  if (fresh.ts.length > 0) {
    const { device, metric, ts, value } = fresh
    given.push({ name: 'fresh_readings', texts: { device, metric }, numbers: { ts, value } })
    // Where a fresh row may be in the lake already, equal rows are one.
    const doubtful = fresh.old || (view.version.manifest?.settleUntil ?? null) !== null
    readings += ` ${doubtful ? 'UNION' : 'UNION ALL'} SELECT device, metric, ${moment('ts')}, value FROM fresh_readings`
  }
  if (spans.length > 1) {
    const texts = { device: spans.map((span) => span.device), metric: spans.map((span) => span.metric) }
    given.push({ name: 'spans', texts, numbers: { low: spans.map((span) => span.from), high: spans.map((span) => span.to) } })
    readings = `SELECT r.* FROM (${readings}) r
      JOIN spans s ON r.device = s.device AND r.metric = s.metric AND r.ts >= ${moment('s.low')} AND r.ts < ${moment('s.high')}`
  }
  return tail.lake.query(
    `SELECT device, metric, bucket::DOUBLE, count, min, max, mean, sum, stddev, first, last, q[1], q[2], q[3] FROM (
       SELECT device, metric, ${grid.sql('epoch_ms(ts)')} AS bucket, count(*)::DOUBLE AS count, min(value) AS min, max(value) AS max,
         avg(value) AS mean, sum(value) AS sum, stddev_samp(value) AS stddev, arg_min(value, (ts, value)) AS first,
         arg_max(value, (ts, value)) AS last, quantile_disc(value, [0.5, 0.95, 0.99]) AS q
       FROM (${readings}) GROUP BY device, metric, bucket)`,
    given,
  )
}
