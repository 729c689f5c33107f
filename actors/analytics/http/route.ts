/**
 * How an endpoint of the analytics API is made: its schema, its key, its format, and what its errors become.
 *
 * - E1 The tenant is the key's, never a parameter: no answer holds a row of another tenant.
 * - E2 A parameter that is unknown or can't be used is 400 and named; nothing is guessed.
 */

import { OpenAPIHono, createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Clock } from '../../../runtime/clock.ts'
import { ErrorCode, isOperating } from '../../../runtime/errors.ts'
import { installProblems, problem, requireKey } from '../../../runtime/http.ts'
import type { KeyedEnv } from '../../../runtime/http.ts'
import type { Keyring, Principal } from '../../../runtime/keys.ts'
import type { KeyValue, Log } from '../../../runtime/log.ts'
import type { Topology } from '../../../runtime/topology.ts'
import type { DriverRegistry } from '../../fleet/drivers.ts'
import type { Plain } from '../../own/contract.ts'
import type { PlotRegistry } from '../../farm/plots.ts'
import type { Errands } from '../../notify/errands.ts'
import type { RouteRegistry } from '../../notify/routes.ts'
import type { RuleRelay } from '../../fleet/rule-relay.ts'
import type { RuleRegistry } from '../../fleet/rules.ts'
import type { ViewRegistry } from '../../view/registry.ts'
import type { FleetLearner } from '../../fleet/learner.ts'
import type { LiveHub } from '../live/live.ts'
import { timeMsOf } from './parameters.ts'
import type { Query } from './parameters.ts'
import { ParameterError, badParameter, formatOf, notAcceptable } from './reply.ts'
import type { Format } from './reply.ts'
import { InfluxError, PostedReadings, Problem, Verdict } from './schemas.ts'
import type { SqlPool } from '../sql/pool.ts'
import type { StatusSources } from '../data/status.ts'
import type { Tail, TailLogger } from '../data/tail.ts'
import type { UnitRegistry } from '../units/units.ts'

/** What the endpoints answer from. */
export interface AnalyticsSources {
  readonly tail: Tail
  readonly sql: SqlPool
  readonly hub: LiveHub
  readonly log: Log
  readonly topology: Topology
  readonly keyring: Keyring
  readonly units: UnitRegistry
  readonly learner: Pick<FleetLearner, 'kinds'>
  readonly drivers: Pick<DriverRegistry, 'of' | 'set'>
  readonly rules: Pick<RuleRegistry, 'of' | 'find' | 'put' | 'delete'>
  readonly views: Pick<ViewRegistry, 'of' | 'put' | 'delete'>
  readonly ruleRelay: Pick<RuleRelay, 'isInForce'>
  readonly plots: Pick<PlotRegistry, 'of' | 'find' | 'put' | 'delete'>
  /** Routes of alerts, and the bucket that also holds what the notifier says of them; null where the installation has no place for them yet. */
  readonly routes: { readonly registry: RouteRegistry; readonly kv: KeyValue } | null
  /** What the notifier is asked for. */
  readonly errands: Pick<Errands, 'test' | 'refusalOf'>
  readonly clock: Clock
  readonly logger: TailLogger
  readonly progress: StatusSources['progress']
  readonly members: StatusSources['members']
  readonly actors: StatusSources['actors']
  readonly ownSettled: StatusSources['ownSettled']
  /** The own partition of an own actor; null where nobody has run it. */
  readonly ownPartitionOf: (actor: string) => number | null
  /** Documents of own actors. */
  readonly documents: {
    get(place: { actor: string; tenant: string; id: string }): Promise<{ revision: number; body: Plain } | null>
    put(document: { actor: string; tenant: string; id: string; body: Plain }): Promise<number>
  }
}

/** What a handler knows of its request. */
export interface Request {
  readonly c: Context<KeyedEnv>
  readonly query: Query
  readonly principal: Principal
  readonly format: Format
  readonly timeMs: boolean
  readonly nowMs: number
}

/** What is said of an endpoint. `formats` are those beside JSON; `content` is the type of an answer that is not JSON. */
export interface About {
  readonly summary: string
  readonly description?: string
  readonly query: z.ZodRawShape
  /** Headers that the handler reads. */
  readonly headers?: z.ZodRawShape
  readonly answer: z.ZodType
  readonly formats?: Readonly<Partial<Record<Format, string>>>
  readonly content?: string
}

/** Adds `POST path` to the app, whose body is JSON of the shape `body`. */
export type Post = <Body>(
  path: string,
  about: About & { readonly body: z.ZodType<Body>; readonly bodyBytesMax: number; readonly failures?: Readonly<Record<number, string>> },
  handler: (request: Request & { readonly body: Body }) => Response | Promise<Response>,
) => void

/** Adds `GET path` to the app. */
export type Get = (path: string, about: About, handler: (request: Request) => Response | Promise<Response>) => void

const KEYED = [{ key: [] }]
const failure = (description: string) => ({ description, content: { 'application/problem+json': { schema: Problem } } })
const FAILURES = {
  400: failure('A parameter can not be used; the detail says which, and what it must be.'),
  401: failure('The key is missing or unknown.'),
  403: failure('The role of the key may not do this.'),
  406: failure('There is no such format.'),
  503: failure('The store is not ready, or too many ask. Try again.'),
}

/** An app that answers problems, and what adds endpoints to it. */
export function newApp({ keyring, clock, logger }: Pick<AnalyticsSources, 'keyring' | 'clock' | 'logger'>): {
  app: OpenAPIHono<KeyedEnv>
  get: Get
  post: Post
} {
  const app = new OpenAPIHono<KeyedEnv>({
    defaultHook: (result) => {
      if (result.success) return
      const [issue] = result.error.issues
      const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : null
      const parameter = unknown ?? String(issue.path[0] ?? '')
      // All parameters are texts, so that only one that came twice can fail here.
      const must = unknown === null ? 'given once; several names have commas between them' : 'one of those that /openapi.json names'
      return badParameter(new ParameterError(parameter, must, parameter))
    },
  })
  installProblems(app, (error, c) => logger.error({ err: error, path: c.req.path }, 'a request failed'))
  app.openAPIRegistry.registerComponent('securitySchemes', 'key', {
    type: 'http',
    scheme: 'bearer',
    description: 'A key of role analyst or admin; of role device or admin to post.',
  })

  const add = (
    method: 'get' | 'post',
    path: string,
    about: About,
    extra: { body?: z.ZodType; failures?: Readonly<Record<number, string>> },
    handler: (request: Request) => Response | Promise<Response>,
  ) => {
    const { summary, description, query, headers, answer, formats = {}, content = 'application/json' } = about
    const contents: Record<string, { schema: z.ZodType }> = { [content]: { schema: answer } }
    for (const type of Object.values(formats)) contents[type.split(';')[0]] = { schema: z.string() }
    const format = query.format === undefined ? {} : { format: (query.format as z.ZodType).openapi({ enum: ['json', ...Object.keys(formats)] }) }
    const failures = Object.entries(extra.failures ?? {}).map(([status, text]) => [status, failure(text)])
    const described = {
      method,
      path,
      summary,
      description,
      security: KEYED,
      request: { query: z.strictObject({ ...query, ...format }) },
      responses: { 200: { description: summary, content: contents }, ...FAILURES, ...Object.fromEntries(failures) },
    }
    // A body is read here and not by the router's own validator, which knows no bound; so it is only described. So are headers, which it would
    // gather all for each request: a fifth of the router's time, where thousands of streams are opened at once.
    const route = createRoute({ ...described, hide: extra.body !== undefined || headers !== undefined, middleware: [requireKey(keyring, ['analyst'])] })
    const more = {
      ...(extra.body === undefined ? {} : { body: { required: true, content: { 'application/json': { schema: extra.body } } } }),
      ...(headers === undefined ? {} : { headers: z.object(headers) }),
    }
    if (Object.keys(more).length > 0) app.openAPIRegistry.registerPath({ ...described, request: { ...described.request, ...more } } as never)
    const answerTo = async (c: Context<KeyedEnv>) => {
      const texts = c.req.query()
      try {
        const format = content === 'application/json' ? formatOf(c, texts.format) : 'json'
        if (format === null || (format !== 'json' && formats[format] === undefined)) return notAcceptable(['json', ...Object.keys(formats)])
        return await handler({ c, query: texts, principal: c.var.principal, format, timeMs: timeMsOf(texts), nowMs: clock.now() })
      } catch (error) {
        if (error instanceof ParameterError) return badParameter(error)
        if (!isOperating(error, ErrorCode.tooLarge)) throw error
        const detail = 'The answer takes more memory than there is for one. Ask for a shorter range, fewer series, or smaller pages.'
        return problem(c, { status: 400, title: 'Query too large', detail })
      }
    }
    app.openapi(route, answerTo as never)
  }

  const get: Get = (path, about, handler) => add('get', path, about, {}, handler)
  const post: Post = (path, about, handler) => {
    const { body: shape, bodyBytesMax, failures } = about
    add('post', path, about, { body: shape, failures: { ...failures, ...BODY_FAILURES } }, async (request) => {
      const read = await readJson(request.c, bodyBytesMax)
      if (read instanceof Response) return read
      const body = shape.safeParse(read.json)
      if (body.success) return handler({ ...request, body: body.data })
      const [issue] = body.error.issues
      const part = issue.code === 'unrecognized_keys' ? issue.keys[0] : issue.path.join('.') || 'body'
      return problem(request.c, { status: 400, title: 'Bad body', detail: `Cannot use ${part} of the body: ${issue.message}. /openapi.json has its shape.`, extra: { parameter: part } })
    })
  }
  return { app, get, post }
}

const BODY_FAILURES = { 413: 'The body is too large.', 415: 'The body is not application/json.' }

/** The body of a request as JSON, or the problem with it. */
export async function readJson(c: Context, bytesMax: number): Promise<{ json: unknown } | Response> {
  const type = c.req.header('content-type')?.split(';')[0].trim().toLowerCase()
  if (type !== 'application/json') {
    const detail = `The body must be JSON, and say so by "Content-Type: application/json": current value is ${JSON.stringify(type ?? '')}.`
    return problem(c, { status: 415, title: 'Unknown type of body', detail })
  }
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of c.req.raw.body ?? []) {
    bytes += part.byteLength
    if (bytes > bytesMax) return problem(c, { status: 413, title: 'Body too large', detail: `The body must be of at most ${bytesMax} bytes.` })
    parts.push(part)
  }
  try {
    return { json: JSON.parse(Buffer.concat(parts).toString()) as unknown }
  } catch (error) {
    return problem(c, { status: 400, title: 'Bad body', detail: `The body must be JSON: ${(error as Error).message}.` })
  }
}

/** The edge answers these paths; they are described here so that one document has the whole interface. */
export function describeIngest(app: OpenAPIHono<KeyedEnv>): void {
  const idempotency = z.string().optional().openapi({ description: 'Makes a retried request count once, for 24 hours.' })
  const binary = { schema: z.string().openapi({ format: 'binary' }) }
  app.openAPIRegistry.registerPath({
    method: 'post',
    path: '/v1/readings',
    summary: 'Takes readings, one or many',
    description:
      'Also as NDJSON, msgpack (rows or columns) and SenML, with Content-Encoding gzip, br or zstd. Answered once the log has ' +
      'acknowledged every accepted reading.',
    security: KEYED,
    request: {
      headers: z.object({ 'Idempotency-Key': idempotency }),
      body: {
        required: true,
        content: {
          'application/json': { schema: PostedReadings },
          'application/x-ndjson': { schema: z.string() },
          'application/msgpack': binary,
          'application/vnd.msgpack': binary,
          'application/x-msgpack': binary,
          'application/senml+json': { schema: z.array(z.record(z.string(), z.unknown())) },
          'application/senml+cbor': binary,
        },
      },
    },
    responses: {
      202: { description: 'A verdict for the readings of the request.', content: { 'application/json': { schema: Verdict } } },
      400: failure('Nothing in it can be used.'),
      401: FAILURES[401],
      403: failure('The key may not post, or not for these devices.'),
      413: failure('The body is too large.'),
      415: failure('The format of the body is unknown.'),
      429: failure('Over the quota; Retry-After says when.'),
      503: failure('The log is away or full; Retry-After says when.'),
    },
  })
  const told = (description: string) => ({ description, content: { 'application/json': { schema: InfluxError } } })
  const precision = z.enum(['ns', 'us', 'ms', 's']).optional().openapi({ description: 'Unit of the times; ns by default.', example: 'ms' })
  app.openAPIRegistry.registerPath({
    method: 'post',
    path: '/api/v2/write',
    summary: 'Takes InfluxDB line protocol, as Telegraf writes it',
    description:
      'A tag device names the device and each field is a metric; without one, the device is made of the tags. The key may also be sent ' +
      'as "Authorization: Token <key>". org and bucket are not looked at.',
    security: KEYED,
    request: {
      query: z.object({ precision }),
      headers: z.object({ 'Idempotency-Key': idempotency }),
      body: { required: true, content: { 'text/plain': { schema: z.string() } } },
    },
    responses: {
      202: { description: 'A part was taken; the rest is named.', content: { 'application/json': { schema: Verdict } } },
      204: { description: 'All of it was taken.' },
      400: told('Nothing in it can be used.'),
      401: told('The key is missing or unknown.'),
      403: told('The key may not post, or not for these devices.'),
      413: told('The body is too large.'),
      415: told('The Content-Encoding is unknown.'),
      429: told('Over the quota; Retry-After says when.'),
      503: told('The log is away or full; Retry-After says when.'),
    },
  })
}
