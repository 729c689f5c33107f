/**
 * Pages of rows that have a time: those of the lake and fresh ones as one ordered list.
 *
 * - Q1 Rows are ordered by (time, device, metric, value), which names a reading uniquely; so a cursor that says where a page ended
 *   neither skips nor repeats a row, while rows come. A row that comes late, behind the cursor, is not shown to who has passed it.
 */

import { double, text, timestamp } from '../data/lake.ts'

/** Where a page of readings or anomalies ended. */
export type Place = readonly [ts: number, device: string, metric: string, value: number]

export interface Page<Row> {
  readonly rows: Row[]
  /** The last row's place where more rows follow. */
  readonly next: Place | null
}

/** What lies behind a place, as a condition of SQL with a leading AND. */
export function afterSql(after: Place | null): string {
  if (after === null) return ''
  const [ts, device, metric, value] = after
  const place = [timestamp(ts), text(device), text(metric), double(value)].join(', ')
  return ` AND ts >= ${timestamp(ts)} AND (ts, device, metric, value) > (${place})`
}

/** The order of rows: by time, device, metric, value. */
export function compare(a: readonly unknown[], b: readonly unknown[]): number {
  for (const at of [2, 0, 1, 3]) {
    const x = a[at] as number | string
    const y = b[at] as number | string
    if (x < y) return -1
    if (x > y) return 1
  }
  return 0
}

export const isAfter = (row: readonly unknown[], [ts, device, metric, value]: Place) => compare(row, [device, metric, ts, value]) > 0

/** A row of either list begins with device, metric, ts, value. */
export type Row = [device: string, metric: string, ts: number, value: number, ...rest: unknown[]]

/** Merges two ordered lists; equal places are one row, the lake's. */
export function page(lake: Row[], fresh: Row[], limit: number): Page<Row> {
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

export function rowsOf(columns: any[][]): Row[] {
  const rows = new Array<Row>(columns[0]?.length ?? 0)
  for (let i = 0; i < rows.length; i++) rows[i] = columns.map((column) => column[i]) as unknown as Row
  return rows
}
