/**
 * What a series is expected to do: of all forecasts that were made of an hour the newest, from the lake and from fresh commits.
 *
 * - F1 An hour's row is of the forecast with the greatest `madeAt` that reaches it; rows of several forecasts may follow each other, since the
 *   long ones are made less often.
 */

import { rowsOf } from '../../partition/forecasts.ts'
import type { Range } from '../data/fresh.ts'
import type { Tail, View } from '../data/tail.ts'
import { rangeSql, scopeSql } from './scope.ts'
import type { Scope } from './scope.ts'


/** An hour that is expected. Times are epoch ms; `lower` and `upper` hold 95 %, those of 80 % lie within. */
export interface ExpectedHour {
  readonly ts: number
  readonly mean: number
  readonly lower: number
  readonly upper: number
  readonly lower80: number
  readonly upper80: number
  readonly madeAt: number
  readonly model: string
  readonly coverage: number | null
  readonly error: number | null
}

/** The hours that begin in a range, in order. The scope must be one series. */
export async function expectedHours(tail: Tail, view: View, scope: Scope, range: Range): Promise<ExpectedHour[]> {
  const newest = ['mean', 'lower', 'upper', 'lower80', 'upper80', 'model', 'coverage', 'error'].map((name) => `arg_max_null(${name}, made_at)`).join(', ')
  const columns = await tail.lake.query(
    `SELECT epoch_ms(ts)::DOUBLE, epoch_ms(max(made_at))::DOUBLE, ${newest} FROM ${view.version.relation('forecasts', range)}
     WHERE ${scopeSql(scope)}${rangeSql('ts', range)} GROUP BY ts`,
  )
  const hours = new Map<number, ExpectedHour>()
  for (let i = 0; i < (columns[0]?.length ?? 0); i++) {
    const [ts, madeAt, mean, lower, upper, lower80, upper80, model, coverage, error] = columns.map((column) => column[i])
    hours.set(ts, { ts, mean, lower, upper, lower80, upper80, madeAt, model, coverage, error })
  }
  const { devices, metrics } = scope.filter
  for (const { effects } of view.fresh.flat()) {
    for (const forecast of effects.forecasts) {
      const { tenant, device, metric } = effects.series[forecast.series]
      if (tenant !== scope.tenant || !devices?.has(device) || !metrics?.has(metric)) continue
      for (const { series: _series, ...row } of rowsOf(forecast)) {
        if (row.ts < range.from || row.ts >= range.to || row.madeAt < (hours.get(row.ts)?.madeAt ?? -Infinity)) continue
        const known = (n: number) => (Number.isNaN(n) ? null : n)
        hours.set(row.ts, { ...row, coverage: known(row.coverage), error: known(row.error) })
      }
    }
  }
  return [...hours.values()].sort((a, b) => a.ts - b.ts)
}
