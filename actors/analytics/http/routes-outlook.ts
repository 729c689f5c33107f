/**
 * Endpoints of alerts and forecasts.
 *
 * Rules do not exist yet, so there are no alerts, as the lake's view `alerts` says, too: the list is empty, in its final shape, and an alert that
 * somebody names is not found. Parameters are checked as they will be.
 */

import { z } from '@hono/zod-openapi'
import type { OpenAPIHono } from '@hono/zod-openapi'
import { parseDuration } from '../../../runtime/config.ts'
import { problem, requireKey } from '../../../runtime/http.ts'
import type { KeyedEnv } from '../../../runtime/http.ts'
import { FORECAST_HORIZON_MAX_MS } from '../../../runtime/limits.ts'
import { HOUR_MS } from '../../reading/window.ts'
import { formatTime } from '../data/times.ts'
import { expectedHours } from '../query/forecasts.ts'
import type { ExpectedHour } from '../query/forecasts.ts'
import type { Scope } from '../query/scope.ts'
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
const FORECAST = [timeColumn('ts'), ...['mean', 'lower', 'upper', 'lower80', 'upper80'].map(numberColumn), timeColumn('made_at'), textColumn('model')]

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
