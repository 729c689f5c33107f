/** Anomalies, page by page (pages.ts): what was found, what somebody said of it, and, where asked, why. */

import type { Range } from '../data/fresh.ts'
import { freshAnomalies } from '../data/fresh.ts'
import { double } from '../data/lake.ts'
import { relationOf } from '../data/series-rows.ts'
import type { Tail } from '../data/tail.ts'
import { anomalyKey, answersOf } from './feedback.ts'
import { neighboursOf } from './neighbours.ts'
import { afterSql, compare, isAfter, page, rowsOf } from './pages.ts'
import type { Page, Place, Row } from './pages.ts'
import { rangeSql, scopeSql } from './scope.ts'
import type { Scope } from './scope.ts'

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
