/** The endpoint of forecasts. */

import { z } from '@hono/zod-openapi'
import { parseDuration } from '../../../runtime/config.ts'
import { FORECAST_HORIZON_MAX_MS } from '../../../runtime/limits.ts'
import { HOUR_MS } from '../../reading/window.ts'
import { formatTime } from '../data/times.ts'
import { expectedHours } from '../query/forecasts.ts'
import type { ExpectedHour } from '../query/forecasts.ts'
import type { Scope } from '../query/scope.ts'
import { seriesOf } from './parameters.ts'
import { LIST_FORMATS, ParameterError, listReply, numberColumn, textColumn, timeColumn } from './reply.ts'
import type { AnalyticsSources, Get } from './route.ts'
import * as shapes from './schemas.ts'

const DAY_MS = 86_400_000
const FORECAST = [timeColumn('ts'), ...['mean', 'lower', 'upper', 'lower80', 'upper80'].map(numberColumn), timeColumn('made_at'), textColumn('model')]

export function forecastRoute(get: Get, { tail }: Pick<AnalyticsSources, 'tail'>): void {
  get(
    '/v1/forecast',
    {
      summary: 'What a series is expected to do, with bounds at 95 and 80 %',
      description:
        'A row an hour, the one that is under way first: the mean that is expected of it. model, made_at, coverage and error are those of the newest forecast; ' +
        'rows further ahead than it reaches are of the newest that reaches them. Of a series without a forecast model is null, and the list empty.',
      query: {
        ...shapes.series,
        horizon: z.string().optional().openapi({ description: 'How far ahead, up to 7d: 24h by default.', example: '24h' }),
        ...shapes.forms,
      },
      answer: shapes.Forecast,
      formats: LIST_FORMATS,
    },
    async ({ c, query, principal, format, timeMs, nowMs }) => {
      const { device, metric } = seriesOf(query)
      const horizonMs = horizonOf(query.horizon)
      const scope: Scope = { tenant: principal.tenant, filter: { devices: new Set([device]), metrics: new Set([metric]), prefix: null } }
      const view = tail.view()
      let hours: ExpectedHour[]
      try {
        hours = await expectedHours(tail, view, scope, { from: nowMs - HOUR_MS + 1, to: nowMs + horizonMs })
      } finally {
        view.release()
      }
      const time = (ms: number) => (timeMs ? ms : formatTime(ms))
      if (format === 'json') {
        const newest = hours.reduce<ExpectedHour | null>((best, hour) => (best === null || hour.madeAt > best.madeAt ? hour : best), null)
        const head = newest === null ? NO_FORECAST : { model: newest.model, made_at: time(newest.madeAt), coverage: newest.coverage, error: newest.error }
        const forecast = hours.map(({ ts, mean, lower, upper, lower80, upper80 }) => ({ ts: time(ts), mean, lower, upper, lower80, upper80 }))
        return c.json({ device, metric, ...head, forecast }, 200, { 'cache-control': 'no-store' })
      }
      const rows = hours.map(({ ts, mean, lower, upper, lower80, upper80, madeAt, model }) => [ts, mean, lower, upper, lower80, upper80, madeAt, model])
      return listReply(c, { name: 'forecast', columns: FORECAST, rows, cursor: null }, { format, timeMs, lake: tail.lake })
    },
  )
}

const NO_FORECAST = { model: null, made_at: null, coverage: null, error: null }

function horizonOf(text: string | undefined): number {
  const asked = text === undefined || text === '' ? '24h' : text
  const horizonMs = parseDuration(asked)
  if (horizonMs !== null && horizonMs > 0 && horizonMs <= FORECAST_HORIZON_MAX_MS) return horizonMs
  throw new ParameterError('horizon', `a duration such as 24h, of at most ${FORECAST_HORIZON_MAX_MS / DAY_MS}d`, asked)
}
