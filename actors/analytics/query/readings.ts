/** Readings, page by page (pages.ts). */

import type { FreshReadings, Range } from '../data/fresh.ts'
import { freshReadings } from '../data/fresh.ts'
import { relationOf } from '../data/series-rows.ts'
import type { Tail } from '../data/tail.ts'
import { afterSql, compare, isAfter, page, rowsOf } from './pages.ts'
import type { Page, Place, Row } from './pages.ts'
import { rangeSql, scopeSql } from './scope.ts'
import type { Scope } from './scope.ts'

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
