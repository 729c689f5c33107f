/**
 * The analytics API: its endpoints, the OpenAPI document made of their schemas, and the page that shows it.
 *
 * Owns ledger and status. Leaves lists to routes-lists.ts, graphs to routes-graph.ts, the live stream to routes-live.ts, what an answer holds to
 * the queries, its form to reply.ts, the dashboard to dashboard/.
 */

import type { OpenAPIHono } from '@hono/zod-openapi'
import { compress } from 'hono/compress'
import type { KeyedEnv } from '../../../runtime/http.ts'
import { DOCS_CSP, docsPage } from './docs.ts'
import { installElsewhere } from './elsewhere.ts'
import { driversRoutes } from './routes-drivers.ts'
import { feedbackRoute } from './routes-feedback.ts'
import { fleetRoutes } from './routes-fleet.ts'
import { filterOf, rangeOf } from './parameters.ts'
import { ledger } from '../query/ledger.ts'
import { LIST_FORMATS, ParameterError, countColumn, listReply } from './reply.ts'
import { describeIngest, newApp } from './route.ts'
import type { AnalyticsSources, Get } from './route.ts'
import { graphRoute } from './routes-graph.ts'
import { listRoutes } from './routes-lists.ts'
import { kindsRoute } from './routes-kinds.ts'
import { liveRoute } from './routes-live.ts'
import { sqlRoutes } from './routes-sql.ts'
import { actorRoutes } from './routes-actors.ts'
import { alertRoutes } from './routes-alerts.ts'
import { forecastRoute } from './routes-forecast.ts'
import { notifyRoutes } from './routes-notify.ts'
import { plotRoutes } from './routes-plots.ts'
import { ruleRoutes } from './routes-rules.ts'
import { targetsRoute } from './routes-targets.ts'
import { viewRoutes } from './routes-views.ts'
import * as shapes from './schemas.ts'
import { status } from '../data/status.ts'
import { formatTime } from '../data/times.ts'
import { unitsRoutes } from './routes-units.ts'

export type { AnalyticsSources } from './route.ts'

const NO_STORE = { 'cache-control': 'no-store' }
/** Answers that go out as they are made: a compressor would hold their rows back. */
const STREAMED: ReadonlySet<string> = new Set(['/v1/live', '/v1/sql'])

export function createAnalytics(sources: AnalyticsSources): { app: OpenAPIHono<KeyedEnv> } {
  const { app, get, post } = newApp(sources)
  const packed = compress({ encoding: 'gzip' })
  app.use('/v1/*', (c, next) => (STREAMED.has(c.req.path) ? next() : packed(c, next)))
  listRoutes(get, sources)
  sqlRoutes({ get, post }, sources)
  ledgerRoute(get, sources)
  graphRoute(get, sources)
  statusRoute(get, sources)
  liveRoute(get, sources)
  fleetRoutes(get, sources)
  unitsRoutes(app, get, sources)
  targetsRoute(get, sources)
  alertRoutes(app, get, sources)
  ruleRoutes(app, get, sources)
  viewRoutes(app, get, sources)
  actorRoutes(app, sources)
  plotRoutes(app, get, sources)
  notifyRoutes(app, sources)
  forecastRoute(get, sources)
  feedbackRoute(post, sources)
  kindsRoute(get, sources)
  driversRoutes({ get, post }, sources)
  describeIngest(app)
  installElsewhere(app)
  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: {
      title: 'Weir',
      version: '1',
      description: 'Readings of devices in; live statistics, anomalies, and history out. Times are epoch ms or RFC 3339.',
    },
  })
  const headers = { 'content-security-policy': DOCS_CSP, 'x-content-type-options': 'nosniff' }
  app.get('/docs', (c) => c.html(docsPage(), 200, headers))
  return { app }
}

function ledgerRoute(get: Get, { tail }: AnalyticsSources): void {
  get(
    '/v1/ledger',
    {
      summary: 'What became of every reading received',
      description:
        'Counted by the minute of arrival: the minute that from lies in, and on. Without device: all devices, and the readings that ' +
        'named none.',
      query: { device: shapes.oneDevice, ...shapes.range, ...shapes.forms },
      answer: shapes.Ledger,
      formats: LIST_FORMATS,
    },
    async ({ c, query, nowMs, principal, format, timeMs }) => {
      const { devices } = filterOf(query)
      if (devices !== null && devices.size > 1) throw new ParameterError('device', 'one device', query.device ?? '')
      const sums = await ledger(tail, principal.tenant, devices === null ? null : [...devices][0], rangeOf(query, nowMs))
      if (format === 'json') return c.json(sums, 200, NO_STORE)
      const columns = Object.keys(sums).map(countColumn)
      return listReply(c, { name: 'ledger', columns, rows: [Object.values(sums)], cursor: null }, { format, timeMs, lake: tail.lake })
    },
  )
}

function statusRoute(get: Get, { tail, progress, topology, clock, members, actors, ownSettled, log }: AnalyticsSources): void {
  get(
    '/v1/status',
    { summary: 'How far the system is, counted from the log', query: shapes.forms, answer: shapes.Status },
    async ({ c, timeMs }) => {
      const found = await status({ tail, progress, topology, clock, members, actors, ownSettled, info: (stream) => log.info(stream) })
      const shown = found.members.map((member) => ({ ...member, startedAt: timeMs ? member.startedAt : formatTime(member.startedAt) }))
      return c.json({ ...found, members: shown }, 200, NO_STORE)
    },
  )
}
