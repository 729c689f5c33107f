/**
 * Endpoints of alerts and forecasts.
 *
 * Rules and forecasters do not exist yet, so there are no alerts and no forecasts, as the lake's views `alerts` and `forecasts` say, too: lists
 * are empty, in their final shape, and an alert that somebody names is not found. Parameters are checked as they will be.
 */

import { z } from '@hono/zod-openapi'
import type { OpenAPIHono } from '@hono/zod-openapi'
import { parseDuration } from '../../../runtime/config.ts'
import { problem, requireKey } from '../../../runtime/http.ts'
import type { KeyedEnv } from '../../../runtime/http.ts'
import { FORECAST_HORIZON_MAX_MS } from '../../../runtime/limits.ts'
import { choicesOf, filterOf, limitOf, seriesOf } from './parameters.ts'
import { LIST_FORMATS, ParameterError, decodeCursor, listReply, numberColumn, textColumn, timeColumn } from './reply.ts'
import type { AnalyticsSources, Get } from './route.ts'
import * as shapes from './schemas.ts'

const DAY_MS = 86_400_000
export const ALERT_STATES = ['open', 'acked', 'resolved'] as const

const ALERTS = [
  ...['id', 'rule', 'device', 'metric', 'severity', 'event'].map(textColumn),
  timeColumn('at'),
  numberColumn('value'),
  textColumn('message'),
]
const FORECAST = [timeColumn('ts'), ...['mean', 'lower', 'upper'].map(numberColumn)]

export function outlookRoutes(app: OpenAPIHono<KeyedEnv>, get: Get, sources: Pick<AnalyticsSources, 'tail' | 'keyring'>): void {
  alertRoutes(app, get, sources)
  forecastRoute(get, sources)
}

function alertRoutes(app: OpenAPIHono<KeyedEnv>, get: Get, { tail, keyring }: Pick<AnalyticsSources, 'tail' | 'keyring'>): void {
  get(
    '/v1/alerts',
    {
      summary: 'Alerts with their history, a row an event',
      description: 'Alerts are raised by rules, of which there are none yet: the list is empty.',
      query: {
        state: z.string().optional().openapi({ description: `${ALERT_STATES.join(', ')}; several with commas, all by default.`, example: 'open' }),
        severity: z.string().optional().openapi({ description: 'As the rule says, exactly; several with commas.', example: 'critical' }),
        ...shapes.names,
        ...shapes.prefix,
        ...shapes.paging,
        ...shapes.forms,
      },
      answer: shapes.list('alerts', shapes.AlertRow),
      formats: LIST_FORMATS,
    },
    ({ c, query, format, timeMs }) => {
      choicesOf('state', query.state, ALERT_STATES)
      for (const severity of (query.severity ?? '').split(',')) {
        if (/^[A-Za-z0-9_-]{0,32}$/.test(severity)) continue
        throw new ParameterError('severity', 'up to 32 of A-Z a-z 0-9 _ -, several with commas between', severity)
      }
      filterOf(query)
      limitOf(query)
      decodeCursor(query.cursor, 'ns')
      return listReply(c, { name: 'alerts', columns: ALERTS, rows: [], cursor: null }, { format, timeMs, lake: tail.lake })
    },
  )
  for (const [verb, summary] of [['ack', 'Says that somebody looks after an alert'], ['resolve', 'Closes an alert']]) {
    app.post(`/v1/alerts/:id/${verb}`, requireKey(keyring, ['analyst']), (c) => {
      const detail = `There is no alert ${JSON.stringify(c.req.param('id')!.slice(0, 64))}. GET /v1/alerts lists those that there are.`
      return problem(c, { status: 404, title: 'No such alert', detail })
    })
    const failure = (description: string) => ({ description, content: { 'application/problem+json': { schema: shapes.Problem } } })
    app.openAPIRegistry.registerPath({
      method: 'post',
      path: `/v1/alerts/{id}/${verb}`,
      summary,
      security: [{ key: [] }],
      request: { params: z.object({ id: z.string() }) },
      responses: {
        401: failure('The key is missing or unknown.'),
        403: failure('The role of the key may not do this.'),
        404: failure('There is no such alert.'),
      },
    })
  }
}

function forecastRoute(get: Get, { tail }: Pick<AnalyticsSources, 'tail'>): void {
  get(
    '/v1/forecast',
    {
      summary: 'What a series is expected to do, with bounds at 95 %',
      description: 'Of a series without a forecast model is null, and the list empty; so far no series has one.',
      query: {
        ...shapes.series,
        horizon: z.string().optional().openapi({ description: 'How far ahead, up to 30d: 24h by default.', example: '24h' }),
        ...shapes.forms,
      },
      answer: shapes.Forecast,
      formats: LIST_FORMATS,
    },
    ({ c, query, format, timeMs }) => {
      const series = seriesOf(query)
      const text = query.horizon === undefined || query.horizon === '' ? '24h' : query.horizon
      const horizonMs = parseDuration(text)
      if (horizonMs === null || horizonMs <= 0 || horizonMs > FORECAST_HORIZON_MAX_MS) {
        throw new ParameterError('horizon', `a duration such as 24h, of at most ${FORECAST_HORIZON_MAX_MS / DAY_MS}d`, text)
      }
      const none = { ...series, model: null, made_at: null, coverage: null, error: null, forecast: [] }
      if (format === 'json') return c.json(none, 200, { 'cache-control': 'no-store' })
      return listReply(c, { name: 'forecast', columns: FORECAST, rows: [], cursor: null }, { format, timeMs, lake: tail.lake })
    },
  )
}
