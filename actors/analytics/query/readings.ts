/**
 * Readings and anomalies, page by page: rows of the lake and fresh rows as one ordered list.
 *
 * - Q1 Rows are ordered by (time, device, metric, value), which names a reading uniquely; so a cursor that says where a page ended
 *   neither skips nor repeats a row, while rows come. A row that comes late, behind the cursor, is not shown to who has passed it.
 */

import { anomalyKey, answersOf } from './feedback.ts'
import { neighboursOf } from './neighbours.ts'
import type { FreshReadings, FreshView, Range } from '../data/fresh.ts'
import { freshReadings } from '../data/fresh.ts'
import { double, text, timestamp } from '../data/lake.ts'
import { relationOf } from '../data/series-rows.ts'
import type { SeriesFilter } from '../data/series-catalog.ts'
import { matches } from '../data/series-catalog.ts'
import type { Tail } from '../data/tail.ts'

/** Whose series, and which. */
export interface Scope {
  readonly tenant: string
  readonly filter: SeriesFilter
}

/** Where a page of readings or anomalies ended. */
export type Place = readonly [ts: number, device: string, metric: string, value: number]

export interface Page<Row> {
  readonly rows: Row[]
  /** The last row's place where more rows follow. */
  readonly next: Place | null
}

/** A scope as conditions of SQL. */
export function scopeSql({ tenant, filter }: Scope): string {
  const conditions = [`tenant = ${text(tenant)}`]
  const names = (column: string, set: ReadonlySet<string>) => conditions.push(`${column} IN (${[...set].map(text).join(', ')})`)
  if (filter.devices !== null) names('device', filter.devices)
  if (filter.metrics !== null) names('metric', filter.metrics)
  if (filter.prefix !== null) conditions.push(`device >= ${text(filter.prefix)}`, `starts_with(device, ${text(filter.prefix)})`)
  return conditions.join(' AND ')
}

/** A range of times as conditions of SQL, with a leading AND where there is one. */
export function rangeSql(column: string, { from, to }: Range): string {
  const least = Number.isFinite(from) ? ` AND ${column} >= ${timestamp(from)}` : ''
  return Number.isFinite(to) ? `${least} AND ${column} < ${timestamp(to)}` : least
}

function afterSql(after: Place | null): string {
  if (after === null) return ''
  const [ts, device, metric, value] = after
  const place = [timestamp(ts), text(device), text(metric), double(value)].join(', ')
  return ` AND ts >= ${timestamp(ts)} AND (ts, device, metric, value) > (${place})`
}

function compare(a: readonly unknown[], b: readonly unknown[]): number {
  for (const at of [2, 0, 1, 3]) {
    const x = a[at] as number | string
    const y = b[at] as number | string
    if (x < y) return -1
    if (x > y) return 1
  }
  return 0
}

const isAfter = (row: readonly unknown[], [ts, device, metric, value]: Place) => compare(row, [device, metric, ts, value]) > 0

/** A row of either list begins with device, metric, ts, value. */
type Row = [device: string, metric: string, ts: number, value: number, ...rest: unknown[]]

/** Merges two ordered lists; equal places are one row, the lake's. */
function page(lake: Row[], fresh: Row[], limit: number): Page<Row> {
  const rows: Row[] = []
  let i = 0
  let j = 0
  while (rows.length <= limit && (i < lake.length || j < fresh.length)) {
    const order = i >= lake.length ? 1 : j >= fresh.length ? -1 : compare(lake[i], fresh[j])
    const row = order <= 0 ? lake[i++] : fresh[j++]
    if (order === 0) j++
    const last = rows.at(-1)
    if (last === undefined || compare(last, row) !== 0) rows.push(row)
  }
  if (rows.length <= limit) return { rows, next: null }
  rows.length = limit
  const [device, metric, ts, value] = rows[limit - 1]
  return { rows, next: [ts, device, metric, value] }
}

function rowsOf(columns: any[][]): Row[] {
  const rows = new Array<Row>(columns[0]?.length ?? 0)
  for (let i = 0; i < rows.length; i++) rows[i] = columns.map((column) => column[i]) as unknown as Row
  return rows
}

/** Readings as rows `[device, metric, ts, value, received_at]`. */
export async function readings(tail: Tail, scope: Scope, range: Range, after: Place | null, limit: number): Promise<Page<Row>> {
  const view = tail.view()
  try {
    const from = after === null ? range.from : Math.max(range.from, after[0])
    // One more than the page tells whether more follow. Behind a cursor no row is left out, since those at its very time may be
    // passed over.
    const most = after === null ? limit + 1 : Infinity
    const fresh = sorted(freshReadings(view.fresh, scope.tenant, scope.filter, { from, to: range.to }, most), after)
    const columns = await tail.lake.query(
      `SELECT device, metric, epoch_ms(ts)::DOUBLE, value, epoch_ms(received_at)::DOUBLE
       FROM ${await relationOf(tail.lake, view.version, 'readings', { ...scope, ...range, from })}
       WHERE ${scopeSql(scope)}${rangeSql('ts', range)}${afterSql(after)} ORDER BY ts, device, metric, value LIMIT ${limit + 1}`,
    )
    return page(rowsOf(columns), fresh, limit)
  } finally {
    view.release()
  }
}

function sorted(fresh: FreshReadings, after: Place | null): Row[] {
  const { device, metric, ts, value, receivedAt } = fresh
  const rows: Row[] = []
  for (let i = 0; i < ts.length; i++) {
    const row: Row = [device[i], metric[i], ts[i], value[i], receivedAt[i]]
    if (after === null || isAfter(row, after)) rows.push(row)
  }
  return rows.sort(compare)
}

/**
 * Anomalies as rows `[device, metric, ts, value, score, expected, lower, upper, reason, kind, part, useful]`; with `whyMs`, the present, behind it
 * `residual` and what the neighbours did (`Neighbours`).
 */
export async function anomalies(
  tail: Tail,
  scope: Scope,
  range: Range,
  options: { minScore: number; after: Place | null; limit: number; whyMs?: number },
): Promise<Page<Row>> {
  const { minScore, after, limit, whyMs } = options
  const view = tail.view()
  try {
    const fresh = freshAnomalies(view.fresh, scope, range, minScore).filter((row) => after === null || isAfter(row, after))
    const columns = await tail.lake.query(
      `SELECT device, metric, epoch_ms(ts)::DOUBLE, value, score, expected, lower, upper, reason, kind, part
       FROM ${await relationOf(tail.lake, view.version, 'anomalies', { ...scope, ...range })}
       WHERE ${scopeSql(scope)} AND score >= ${double(minScore)}${rangeSql('ts', range)}${afterSql(after)}
       ORDER BY ts, device, metric, value LIMIT ${limit + 1}`,
    )
    const found = page(rowsOf(columns), fresh.sort(compare), limit)
    if (found.rows.length === 0) return found
    const answers = await answersOf(tail, view, scope, { from: found.rows[0][2], to: found.rows[found.rows.length - 1][2] + 1 })
    for (const row of found.rows) row.push(answers.get(anomalyKey(row[0], row[1], row[2], row[3])) ?? null)
    if (whyMs === undefined) return found
    const neighbours = await neighboursOf(tail, view, scope.tenant, found.rows.map(([device, metric, ts]) => ({ device, metric, ts })), whyMs)
    for (const [i, row] of found.rows.entries()) {
      const expected = row[5] as number | null
      row.push(expected === null || !Number.isFinite(expected) ? null : row[3] - expected, neighbours[i])
    }
    return found
  } finally {
    view.release()
  }
}

export function freshAnomalies(view: FreshView, { tenant, filter }: Scope, range: Range, minScore: number): Row[] {
  const rows: Row[] = []
  for (const commits of view) {
    for (const { effects } of commits) {
      for (const a of effects.anomalies) {
        const name = effects.series[a.series]
        if (name.tenant !== tenant || a.score < minScore || a.ts < range.from || a.ts >= range.to) continue
        if (!matches(filter, name.device, name.metric)) continue
        rows.push([name.device, name.metric, a.ts, a.value, a.score, a.expected, a.lower, a.upper, a.reason, a.kind ?? null, a.part ?? null])
      }
    }
  }
  return rows
}
