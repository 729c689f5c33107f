/**
 * The analytics API: one route an endpoint, each with its schema, from parameters to an answer.
 *
 * Owns paths, roles and the OpenAPI document. Leaves what an answer holds to the queries, its form to reply.ts, the page to dashboard/.
 *
 * - E1 The tenant is the key's, never a parameter: no answer holds a row of another tenant.
 * - E2 A parameter that is unknown or can't be used is 400 and named; nothing is guessed.
 */

import { OpenAPIHono, createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Clock } from '../../runtime/clock.ts'
import { installProblems, problem, requireKey } from '../../runtime/http.ts'
import type { KeyedEnv } from '../../runtime/http.ts'
import type { Keyring, Principal } from '../../runtime/keys.ts'
import { GRAPH_WIDTH_MAX } from '../../runtime/limits.ts'
import type { Log } from '../../runtime/log.ts'
import type { Topology } from '../../runtime/topology.ts'
import { WINDOW_SIZE_NAMES } from '../reading/window.ts'
import { DOCS_CSP, docsPage } from './docs.ts'
import { graph } from './graph.ts'
import { openLive } from './live-resume.ts'
import { KINDS } from './live-subscriber.ts'
import type { LiveHub } from './live.ts'
import { choiceOf, choicesOf, filterOf, limitOf, numberOf, rangeOf, seriesOf, timeMsOf, zoneOf } from './parameters.ts'
import type { Query } from './parameters.ts'
import { ledger } from './query-ledger.ts'
import { anomalies, readings } from './query-readings.ts'
import { FILLS, WINDOW_NUMBERS, windows } from './query-windows.ts'
import { ParameterError, badParameter, decodeCursor, encodeCursor, formatOf, listReply, notAcceptable } from './reply.ts'
import type { Format, Listing } from './reply.ts'
import * as shapes from './schemas.ts'
import type { SeriesEntry } from './series-catalog.ts'
import { status } from './status.ts'
import type { StatusSources } from './status.ts'
import type { Tail, TailLogger } from './tail.ts'
import { formatTime } from './times.ts'

export interface AnalyticsSources {
  readonly tail: Tail
  readonly hub: LiveHub
  readonly log: Log
  readonly topology: Topology
  readonly keyring: Keyring
  readonly clock: Clock
  readonly logger: TailLogger
  readonly progress: StatusSources['progress']
  readonly members: StatusSources['members']
}

/** What a handler knows of its request. */
interface Request {
  readonly c: Context<KeyedEnv>
  readonly query: Query
  readonly principal: Principal
  readonly format: Format
  readonly timeMs: boolean
  readonly nowMs: number
}

const KEYED = [{ key: [] }]
const json = (schema: z.ZodType, description: string) => ({ description, content: { 'application/json': { schema } } })
const failure = (description: string) => ({ description, content: { 'application/problem+json': { schema: shapes.Problem } } })
const FAILURES = {
  400: failure('A parameter can not be used; the detail says which, and what it must be.'),
  401: failure('The key is missing or unknown.'),
  403: failure('The role of the key may not read.'),
  406: failure('There is no such format.'),
  503: failure('The store is not ready, or too many ask. Try again.'),
}

export function createAnalytics(sources: AnalyticsSources): { app: OpenAPIHono<KeyedEnv> } {
  const { tail, hub, log, topology, keyring, clock, logger } = sources
  const app = new OpenAPIHono<KeyedEnv>({
    defaultHook: (result) => {
      if (result.success) return
      const [issue] = result.error.issues
      const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : null
      const parameter = unknown ?? String(issue.path[0] ?? '')
      return badParameter(new ParameterError(parameter, unknown === null ? issue.message : 'one of those that /openapi.json names', parameter))
    },
  })
  installProblems(app, (error, c) => logger.error({ err: error, path: c.req.path }, 'a request failed'))
  app.openAPIRegistry.registerComponent('securitySchemes', 'key', { type: 'http', scheme: 'bearer', description: 'A key of role analyst or admin; device or admin to post.' })

  /** Adds `GET path`: checks key, parameters and format, and turns what the handler throws into problems. */
  const get = (
    path: string,
    about: { summary: string; description?: string; query: z.ZodRawShape; answer: z.ZodType; formats?: readonly Format[]; content?: string },
    handler: (request: Request) => Promise<Response>,
  ) => {
    const { summary, description, query, answer, formats = ['json'], content = 'application/json' } = about
    const contents: Record<string, { schema: z.ZodType }> = { [content]: { schema: answer } }
    if (formats.includes('csv')) contents['text/csv'] = { schema: z.string() }
    if (formats.includes('ndjson')) contents['application/x-ndjson'] = { schema: z.string() }
    const route = createRoute({
      method: 'get',
      path,
      summary,
      description,
      security: KEYED,
      request: { query: z.strictObject(query) },
      responses: { 200: { description: summary, content: contents }, ...FAILURES },
      middleware: [requireKey(keyring, ['analyst'])],
    })
    app.openapi(route, (async (c: Context<KeyedEnv>) => {
      const texts = c.req.query()
      try {
        const format = content === 'application/json' ? formatOf(c, texts.format) : 'json'
        if (format === null || !formats.includes(format)) return notAcceptable()
        return await handler({ c, query: texts, principal: c.var.principal, format, timeMs: timeMsOf(texts), nowMs: clock.now() })
      } catch (error) {
        if (error instanceof ParameterError) return badParameter(error)
        throw error
      }
    }) as never)
  }

  const lists: readonly Format[] = ['json', 'csv', 'ndjson']
  const reply = ({ c, format, timeMs }: Request, listing: Listing) => listReply(c, listing, format, timeMs)

  /** A page of the catalog. */
  const catalogPage = (request: Request, name: string, columns: Listing['columns'], row: (entry: SeriesEntry) => unknown[] | null): Response => {
    const limit = limitOf(request.query)
    const after = decodeCursor(request.query.cursor, 'ss') as [string, string] | null
    const rows: unknown[][] = []
    let cursor: string | null = null
    let last: SeriesEntry | null = null
    for (const entry of tail.catalog.list(request.principal.tenant, filterOf(request.query), after)) {
      const cells = row(entry)
      if (cells === null) continue
      if (rows.length === limit) {
        cursor = encodeCursor([last!.device, last!.metric])
        break
      }
      rows.push(cells)
      last = entry
    }
    return reply(request, { name, columns, rows, cursor })
  }

  const pagedNames = { ...shapes.names, ...shapes.prefix, ...shapes.paging, ...shapes.forms }
  get(
    '/v1/series',
    { summary: 'The series, each with count, first and last time, last value', query: pagedNames, answer: shapes.list('series', shapes.SeriesRow), formats: lists },
    async (request) =>
      catalogPage(
        request,
        'series',
        [{ name: 'device' }, { name: 'metric' }, { name: 'count' }, { name: 'first', time: true }, { name: 'last', time: true }, { name: 'value' }],
        (s) => (s.count === 0 ? null : [s.device, s.metric, s.count, s.first, s.ts, s.value]),
      ),
  )
  get(
    '/v1/latest',
    { summary: 'The last value of each series by event time', query: pagedNames, answer: shapes.list('latest', shapes.LatestRow), formats: lists },
    async (request) =>
      catalogPage(
        request,
        'latest',
        [{ name: 'device' }, { name: 'metric' }, { name: 'ts', time: true }, { name: 'value' }, { name: 'received_at', time: true }],
        (s) => (s.ts === -Infinity ? null : [s.device, s.metric, s.ts, s.value, s.receivedAt]),
      ),
  )

  const scopeOf = ({ principal, query }: Request) => ({ tenant: principal.tenant, filter: filterOf(query) })
  get(
    '/v1/readings',
    {
      summary: 'Readings, duplicates removed, in order of time',
      query: { ...shapes.names, ...shapes.prefix, ...shapes.range, ...shapes.paging, ...shapes.forms },
      answer: shapes.list('readings', shapes.ReadingRow),
      formats: lists,
    },
    async (request) => {
      const { query, nowMs } = request
      const after = decodeCursor(query.cursor, 'nssn') as [number, string, string, number] | null
      const { rows, next } = await readings(tail, scopeOf(request), rangeOf(query, nowMs), after, limitOf(query))
      const columns = [{ name: 'device' }, { name: 'metric' }, { name: 'ts', time: true as const }, { name: 'value' }, { name: 'received_at', time: true as const }]
      return reply(request, { name: 'readings', columns, rows, cursor: next === null ? null : encodeCursor(next) })
    },
  )

  get(
    '/v1/windows',
    {
      summary: 'A row a window, with all of its statistics',
      description:
        'Windows whose start lies in the range, ordered by device, metric, start. fill adds the missing ones with count 0: with nulls, with the numbers of ' +
        'the window before, or on a straight line between neighbours. tz asks for calendar days of a time zone, computed from readings.',
      query: {
        ...shapes.names,
        ...shapes.prefix,
        ...shapes.range,
        size: z.string().optional().openapi({ description: '1m (the default), 15m, 1h or 1d.', example: '1h' }),
        fill: z.string().optional().openapi({ description: 'none (the default), null, previous or linear.', example: 'none' }),
        tz: z.string().optional().openapi({ description: 'Time zone of days (size=1d); UTC by default.', example: 'Europe/Vienna' }),
        ...shapes.paging,
        ...shapes.forms,
      },
      answer: shapes.list('windows', shapes.WindowRow),
      formats: lists,
    },
    async (request) => {
      const { query, nowMs } = request
      const size = choiceOf('size', query.size, WINDOW_SIZE_NAMES, '1m')
      const { rows, next } = await windows(tail, {
        scope: scopeOf(request),
        range: rangeOf(query, nowMs),
        size: WINDOW_SIZE_NAMES.indexOf(size),
        zone: zoneOf(query, size),
        fill: choiceOf('fill', query.fill, FILLS, 'none'),
        after: decodeCursor(query.cursor, 'ssnn') as [string, string, number, number] | null,
        limit: limitOf(query),
      })
      const columns = [
        { name: 'device' },
        { name: 'metric' },
        { name: 'size' },
        { name: 'start', time: true as const },
        { name: 'count' },
        ...WINDOW_NUMBERS.map((name) => ({ name })),
        { name: 'closed_by' },
      ]
      const shown = rows.map(([device, metric, ...rest]) => [device, metric, size, ...rest])
      return reply(request, { name: 'windows', columns, rows: shown, cursor: next === null ? null : encodeCursor(next) })
    },
  )

  get(
    '/v1/anomalies',
    {
      summary: 'Anomalies, in order of time',
      query: {
        ...shapes.names,
        ...shapes.prefix,
        ...shapes.range,
        minScore: z.string().optional().openapi({ description: 'Least score, 0 to 1; 0 by default.', example: '0.9' }),
        ...shapes.paging,
        ...shapes.forms,
      },
      answer: shapes.list('anomalies', shapes.AnomalyRow),
      formats: lists,
    },
    async (request) => {
      const { query, nowMs } = request
      const { rows, next } = await anomalies(tail, scopeOf(request), rangeOf(query, nowMs), {
        minScore: numberOf('minScore', query.minScore, { fallback: 0, min: 0, max: 1, integer: false }),
        after: decodeCursor(query.cursor, 'nssn') as [number, string, string, number] | null,
        limit: limitOf(query),
      })
      const columns = [
        { name: 'device' },
        { name: 'metric' },
        { name: 'ts', time: true as const },
        ...['value', 'score', 'expected', 'lower', 'upper', 'reason'].map((name) => ({ name })),
      ]
      return reply(request, { name: 'anomalies', columns, rows, cursor: next === null ? null : encodeCursor(next) })
    },
  )

  get(
    '/v1/ledger',
    {
      summary: 'What became of every reading received',
      description: 'Counted by the minute of arrival: the minute that from lies in, and on. Without device: all devices, and what named none.',
      query: { device: shapes.names.device, ...shapes.range, ...shapes.forms },
      answer: shapes.Ledger,
      formats: lists,
    },
    async (request) => {
      const { c, query, nowMs, principal, format, timeMs } = request
      const { devices } = filterOf(query)
      if (devices !== null && devices.size > 1) throw new ParameterError('device', 'one device', query.device ?? '')
      const sums = await ledger(tail, principal.tenant, devices === null ? null : [...devices][0], rangeOf(query, nowMs))
      if (format === 'json') return c.json(sums, 200, { 'cache-control': 'no-store' })
      return listReply(c, { name: 'ledger', columns: Object.keys(sums).map((name) => ({ name })), rows: [Object.values(sums)], cursor: null }, format, timeMs)
    },
  )

  get(
    '/v1/graph',
    {
      summary: 'One series as columns that are ready to plot',
      description: 'At most a few points a pixel; extremes are kept. The last 24 hours by default.',
      query: {
        ...shapes.names,
        ...shapes.range,
        width: z.string().optional().openapi({ description: `Pixels: 1 to ${GRAPH_WIDTH_MAX}, 800 by default.`, example: '800' }),
        ...shapes.forms,
      },
      answer: shapes.Graph,
    },
    async ({ c, query, principal, nowMs, timeMs }) => {
      const { device, metric } = seriesOf(query)
      const range = rangeOf(query, nowMs, { from: nowMs - 86_400_000, to: nowMs })
      const width = numberOf('width', query.width, { fallback: 800, min: 1, max: GRAPH_WIDTH_MAX })
      const made = await graph(tail, { tenant: principal.tenant, device, metric, range, width })
      const time = (ms: number) => (timeMs ? ms : formatTime(ms))
      return c.json(
        {
          ...made,
          from: time(made.from),
          to: time(made.to),
          ts: made.ts.map(time),
          gaps: made.gaps.map((gap) => gap.map(time)),
          anomalies: { ...made.anomalies, ts: made.anomalies.ts.map(time) },
        },
        200,
        { 'cache-control': 'no-store' },
      )
    },
  )

  get('/v1/status', { summary: 'How far the system is, counted from the log', query: shapes.forms, answer: shapes.Status }, async ({ c, timeMs }) => {
    const { progress, members } = sources
    const found = await status({ tail, progress, topology, clock, members, info: (stream) => log.info(stream) })
    const shown = found.members.map((member) => ({ ...member, startedAt: timeMs ? member.startedAt : formatTime(member.startedAt) }))
    return c.json({ ...found, members: shown }, 200, { 'cache-control': 'no-store' })
  })

  get(
    '/v1/live',
    {
      summary: 'Server-Sent Events: a snapshot, then readings, windows and anomalies as they come',
      description:
        'Events: snapshot, reading, window, anomaly. Each has an id; Last-Event-ID resumes behind it, exactly. A reading that is sent twice may show twice. ' +
        'A reader that is too slow is let go, and resumes.',
      query: {
        ...shapes.names,
        ...shapes.prefix,
        kind: z.string().optional().openapi({ description: 'reading, window, anomaly; several with commas, all by default.', example: 'reading,anomaly' }),
        time: shapes.forms.time,
      },
      answer: z.string(),
      content: 'text/event-stream',
    },
    async ({ c, query, principal, timeMs }) => {
      if (!hub.open) return problem(c, { status: 503, title: 'Too many live streams', detail: 'Close some, or try again later.', headers: { 'retry-after': '5' } })
      const filter = { tenant: principal.tenant, filter: filterOf(query), kinds: choicesOf('kind', query.kind, KINDS), timeMs }
      const subscriber = openLive({ hub, catalog: tail.catalog, log, clock, logger }, filter, c.req.header('last-event-id') ?? null)
      const encoder = new TextEncoder()
      const release = () => {
        subscriber.close()
        hub.unsubscribe(subscriber)
      }
      const body = new ReadableStream<Uint8Array>(
        {
          pull: async (controller) => {
            const chunk = await subscriber.take()
            if (chunk !== null) return controller.enqueue(encoder.encode(chunk))
            controller.close()
            release()
          },
          cancel: release,
        },
        { highWaterMark: 0 },
      )
      return c.body(body, 200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
    },
  )

  describeIngest(app)
  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: { title: 'Weir', version: '1', description: 'Readings of devices in; live statistics, anomalies, and history out. Times are epoch ms or RFC 3339.' },
  })
  app.get('/docs', (c) => c.html(docsPage(), 200, { 'content-security-policy': DOCS_CSP, 'x-content-type-options': 'nosniff' }))
  return { app }
}

/** The edge answers this path; it is described here so that one document has the whole interface. */
function describeIngest(app: OpenAPIHono<KeyedEnv>): void {
  app.openAPIRegistry.registerPath({
    method: 'post',
    path: '/v1/readings',
    summary: 'Takes readings, one or many',
    description: 'Also as NDJSON, msgpack (rows or columns) and SenML, with Content-Encoding gzip, br or zstd. Answered once the log has acknowledged every accepted reading.',
    security: KEYED,
    request: {
      headers: z.object({ 'Idempotency-Key': z.string().optional().openapi({ description: 'Makes a retried request count once, for 24 hours.' }) }),
      body: {
        required: true,
        content: {
          'application/json': { schema: shapes.PostedReadings },
          'application/x-ndjson': { schema: z.string() },
          'application/msgpack': { schema: z.string().openapi({ format: 'binary' }) },
          'application/senml+json': { schema: z.array(z.record(z.string(), z.unknown())) },
          'application/senml+cbor': { schema: z.string().openapi({ format: 'binary' }) },
        },
      },
    },
    responses: {
      202: json(shapes.Verdict, 'A verdict for the readings of the request.'),
      400: failure('Nothing in it can be used.'),
      401: FAILURES[401],
      403: failure('The key may not post, or not for these devices.'),
      413: failure('The body is too large.'),
      415: failure('The format of the body is unknown.'),
      429: failure('Over the quota; Retry-After says when.'),
      503: failure('The log is away or full; Retry-After says when.'),
    },
  })
}
