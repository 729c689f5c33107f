/** What people said of anomalies: of each the last answer, from the lake and from fresh commits. */

import type { Range } from '../data/fresh.ts'
import type { Tail, View } from '../data/tail.ts'
import { rangeSql, scopeSql } from './scope.ts'
import type { Scope } from './scope.ts'

/** Names an anomaly, as its row does. */
export const anomalyKey = (device: string, metric: string, ts: number, value: number): string => `${device}\n${metric}\n${ts}\n${value}`

/** By `anomalyKey`, whether it was useful. */
export async function answersOf(tail: Tail, view: View, scope: Scope, range: Range): Promise<Map<string, boolean>> {
  const answers = new Map<string, boolean>()
  const columns = await tail.lake.query(
    `SELECT device, metric, epoch_ms(ts)::DOUBLE, value, arg_max(useful, answered_at) FROM ${view.version.relation('feedback')}
     WHERE ${scopeSql(scope)}${rangeSql('ts', range)} GROUP BY device, metric, ts, value`,
  )
  for (let i = 0; i < (columns[0]?.length ?? 0); i++) {
    const [device, metric, ts, value, useful] = columns.map((column) => column[i])
    answers.set(anomalyKey(device, metric, ts, value), useful)
  }
  for (const { effects } of view.fresh.flat()) {
    for (const { series, ts, value, useful } of effects.feedback) {
      const { tenant, device, metric } = effects.series[series]
      if (tenant === scope.tenant) answers.set(anomalyKey(device, metric, ts, value), useful)
    }
  }
  return answers
}
