/**
 * Endpoints of routes: which alerts are sent where. For admins, since a route leads out of the system.
 *
 * Owns their forms, and what an error becomes. Leaves the language of routes to notify/document.ts, entries to notify/routes.ts.
 *
 * - N1 No answer holds a secret, but the one to the PUT by which it was drawn.
 */

import { z } from '@hono/zod-openapi'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { problem, requireKey } from '../../../runtime/http.ts'
import type { KeyedEnv } from '../../../runtime/http.ts'
import { ROUTE_BODY_BYTES_MAX } from '../../../runtime/limits.ts'
import type { KeyValue } from '../../../runtime/log.ts'
import { RevisionError } from '../../../runtime/tenant-values.ts'
import { isRuleId, RULE_ID_RULE } from '../../alert/document.ts'
import { RouteError, shownDocument } from '../../notify/document.ts'
import { hostOf } from '../../notify/reach.ts'
import type { Target } from '../../notify/route.ts'
import type { StoredRoute } from '../../notify/routes.ts'
import { secretOf } from '../../notify/signature.ts'
import { decodeState, emptyRoute, stateKey } from '../../notify/state.ts'
import type { TenantState } from '../../notify/state.ts'
import { formatTime } from '../data/times.ts'
import { ParameterError, badParameter } from './reply.ts'
import { revisionOf, tagOf } from './revision.ts'
import { readJson } from './route.ts'
import type { AnalyticsSources } from './route.ts'
import { Problem } from './schemas.ts'

const NO_STORE = { 'cache-control': 'no-store' }

type Sources = Pick<AnalyticsSources, 'keyring' | 'routes' | 'errands' | 'clock'>

export function notifyRoutes(app: OpenAPIHono<KeyedEnv>, { keyring, routes, errands, clock }: Sources): void {
  const admin = requireKey(keyring, [])
  const answering = async (c: Context<KeyedEnv>, handle: (sources: NonNullable<Sources['routes']>, tenant: string) => Promise<Response>): Promise<Response> => {
    if (routes === null) return problem(c, { status: 503, title: 'Not installed', detail: 'The log lacks the bucket of routes: start any process of this version once with the rights of the role admin.' })
    try {
      return await handle(routes, c.var.principal.tenant)
    } catch (error) {
      if (error instanceof ParameterError) return badParameter(error)
      if (error instanceof RouteError) return problem(c, { status: 400, title: 'Bad route', detail: error.message, extra: { pointer: error.pointer } })
      if (error instanceof RevisionError) return problem(c, { status: 412, title: 'Changed meanwhile', detail: error.message })
      throw error
    }
  }
  /** Only the notifier knows where the operator lets alerts go; where none is there it is said in the route's state, once one tries. */
  const refuseUnreachable = async (target: Target) => {
    const at = hostOf(target)
    const refused = at === null ? null : await errands.refusalOf(at.host)
    if (refused !== null) throw new RouteError({ pointer: at!.pointer, trouble: `${at!.pointer} must lead where alerts may be sent to: ${refused}` })
  }
  const missing = (c: Context, id: string) => problem(c, { status: 404, title: 'No such route', detail: `There is no route ${JSON.stringify(id)}. GET /v1/routes lists those that there are.` })

  app.get('/v1/routes', admin, (c) =>
    answering(c, async ({ registry, kv }, tenant) => {
      const state = await stateOf(kv, tenant)
      return c.json({ routes: registry.of(tenant).map((stored) => shown(stored, state)) }, 200, NO_STORE)
    }),
  )
  app.get('/v1/routes/:id', admin, (c) =>
    answering(c, async ({ registry, kv }, tenant) => {
      const stored = registry.find(tenant, idOf(c))
      return stored === null ? missing(c, idOf(c)) : c.json(shown(stored, await stateOf(kv, tenant)), 200, { ...NO_STORE, etag: tagOf(stored) })
    }),
  )
  app.put('/v1/routes/:id', admin, (c) =>
    answering(c, async ({ registry, kv }, tenant) => {
      const id = idOf(c)
      const body = await readJson(c, ROUTE_BODY_BYTES_MAX)
      if (body instanceof Response) return body
      const known = c.req.header('if-none-match') === '*' ? 0 : revisionOf(c)
      const { stored, drawn } = await registry.put(tenant, id, body.json, known, () => secretOf(Buffer.from(clock.nonce(32), 'hex')), refuseUnreachable)
      return c.json({ ...shown(stored, await stateOf(kv, tenant)), ...(drawn === null ? {} : { secret: drawn }) }, 200, { ...NO_STORE, etag: tagOf(stored) })
    }),
  )
  app.delete('/v1/routes/:id', admin, (c) =>
    answering(c, async ({ registry }, tenant) => ((await registry.delete(tenant, idOf(c), revisionOf(c))) ? c.body(null, 204) : missing(c, idOf(c)))),
  )
  app.post('/v1/routes/:id/test', admin, (c) =>
    answering(c, async ({ registry }, tenant) => {
      const stored = registry.find(tenant, idOf(c))
      if (stored === null) return missing(c, idOf(c))
      const tried = await errands.test(tenant, stored.id, stored.revision)
      if (tried === null) return problem(c, { status: 503, title: 'No notifier', detail: 'Nobody sends alerts now: no notifier answers. Start one with weir notifier, or try again in a moment.', headers: { 'retry-after': '5' } })
      return c.json({ id: stored.id, ...tried }, 200, NO_STORE)
    }),
  )
  describe(app)
}

async function stateOf(kv: KeyValue, tenant: string): Promise<Pick<TenantState, 'routes'> | null> {
  const there = await kv.get(stateKey(tenant))
  return there === null ? null : decodeState(there.value)
}

function shown(stored: StoredRoute, state: Pick<TenantState, 'routes'> | null) {
  const { queue, sent, givenUp, lastSentMs, failures, failingSinceMs, lastError, lastErrorMs, silenced } = state?.routes[stored.id] ?? emptyRoute()
  const time = (ms: number | null) => (ms === null ? null : formatTime(ms))
  const oldest = queue.reduce<number | null>((least, { madeMs }) => (least === null ? madeMs : Math.min(least, madeMs)), null)
  const status = {
    sent, waiting: queue.length, silenced: Object.keys(silenced).length, given_up: givenUp, last_sent_at: time(lastSentMs), oldest_waiting_since: time(oldest),
    failing: failures > 0, failing_since: time(failingSinceMs), last_error: lastError, last_error_at: time(lastErrorMs),
  }
  return { id: stored.id, revision: stored.revision, enabled: stored.route !== null, route: shownDocument(stored.document), status }
}

function idOf(c: Context): string {
  const id = c.req.param('id') ?? ''
  if (isRuleId(id)) return id
  throw new ParameterError('id', RULE_ID_RULE, id)
}

const Selection = z.object({ severity: z.union([z.string(), z.array(z.string())]), rule: z.union([z.string(), z.array(z.string())]), prefix: z.string(), metric: z.string(), labels: z.record(z.string(), z.string()) }).partial()
const RouteDocument = z
  .object({
    name: z.string().optional(),
    match: Selection.optional().openapi({ description: 'Which alerts; all of them where it is left out.' }),
    target: z.object({
      webhook: z.object({ url: z.string(), secret: z.string().optional() }).optional().openapi({ description: 'A POST, signed as Standard Webhooks has it. Without a secret one is drawn, and told in this answer alone.' }),
      email: z.object({ to: z.union([z.string(), z.array(z.string())]), from: z.string(), server: z.string(), user: z.string().optional(), password: z.string().optional() }).optional(),
      nats: z.object({ stored: z.boolean().optional() }).optional().openapi({ description: 'On the subject alerts.<tenant>.<route>; stored: until a stream has taken it.' }),
      mqtt: z.object({ url: z.string(), topic: z.string(), user: z.string().optional(), password: z.string().optional() }).optional().openapi({ description: 'To a topic of a broker, at least once (QoS 1).' }),
    }),
    groupBy: z.array(z.string()).optional().openapi({ description: 'device, metric, rule, severity, place, or labels: what is equal in them is told together.' }),
    wait: z.string().optional().openapi({ description: 'How long the first of a group waits for others; 10s where there is groupBy.' }),
    interval: z.string().optional().openapi({ description: 'Least time between two messages of a group; 5m where there is groupBy.' }),
    urgent: z.array(z.string()).optional().openapi({ description: 'Severities that wait for nothing; critical by default.' }),
    remind: z.string().optional().openapi({ description: 'After so long what nobody has acknowledged is told again; never by default.' }),
    events: z.array(z.string()).optional().openapi({ description: 'Which events are told; all but what people do themselves by default.' }),
    inhibit: z.array(z.object({ when: Selection, silences: Selection, equal: z.array(z.string()) })).optional(),
    title: z.string().optional(),
    message: z.string().optional(),
    giveUp: z.string().optional().openapi({ description: 'After so long without success a message is given up; 24h by default.' }),
    enabled: z.boolean().optional(),
  })
  .openapi('Route', { example: { name: "The farmer's phone", match: { severity: 'critical' }, target: { webhook: { url: 'https://example.org/hooks/7' } } } })

const Status = z.object({
  sent: z.number(), waiting: z.number(), silenced: z.number(), given_up: z.number(), last_sent_at: z.string().nullable(), oldest_waiting_since: z.string().nullable(),
  failing: z.boolean(), failing_since: z.string().nullable(), last_error: z.string().nullable(), last_error_at: z.string().nullable(),
})
const TriedRoute = z
  .object({ id: z.string(), delivered: z.boolean(), error: z.string().nullable().openapi({ description: 'Why it was not, in words.' }), status: z.number().nullable().openapi({ description: 'What a webhook answered.' }) })
  .openapi('RouteTried')
const RouteRow = z.object({ id: z.string(), revision: z.number(), enabled: z.boolean(), route: RouteDocument, status: Status, secret: z.string().optional().openapi({ description: 'The one that was drawn, this once.' }) }).openapi('RouteRow')

function describe(app: OpenAPIHono<KeyedEnv>): void {
  const failure = (description: string) => ({ description, content: { 'application/problem+json': { schema: Problem } } })
  const json = (schema: z.ZodType) => ({ 'application/json': { schema } })
  const params = z.object({ id: z.string().openapi({ description: `${RULE_ID_RULE}.`, example: 'phone' }) })
  const headers = z.object({ 'If-Match': z.string().optional().openapi({ description: 'The ETag that must still hold.' }), 'If-None-Match': z.string().optional().openapi({ description: '* where there must be no such route yet.' }) })
  const failures = { 401: failure('The key is missing or unknown.'), 403: failure('For admins alone.') }
  const none = { 404: failure('There is no such route.') }
  const shared = { path: '/v1/routes/{id}', security: [{ key: [] }], request: { params } }
  app.openAPIRegistry.registerPath({
    path: '/v1/routes', security: [{ key: [] }], method: 'get', summary: 'Routes, by which alerts reach people', description: 'With what was sent, what waits and what fails. Secrets are hidden.',
    responses: { 200: { description: 'All of them.', content: json(z.object({ routes: z.array(RouteRow) }).openapi('Routes')) }, ...failures },
  })
  app.openAPIRegistry.registerPath({ ...shared, method: 'get', summary: 'One route, with its revision as the ETag', responses: { 200: { description: 'The route.', content: json(RouteRow) }, ...none, ...failures } })
  app.openAPIRegistry.registerPath({
    ...shared,
    method: 'put',
    summary: 'Makes or changes a route',
    description: 'It hears of what happens from now on. A document as GET shows it may be sent back: hidden secrets are kept.',
    request: { params, headers, body: { required: true, content: json(RouteDocument) } },
    responses: { 200: { description: 'The route as it is now.', content: json(RouteRow) }, 400: failure('The pointer leads to the place in the route that can not be used.'), 412: failure('Changed meanwhile.'), 413: failure('The body is too large.'), 415: failure('The body is not application/json.'), ...failures },
  })
  app.openAPIRegistry.registerPath({
    ...shared,
    path: '/v1/routes/{id}/test',
    method: 'post',
    summary: 'Sends a message of the type test, once, and says what its receiver answered',
    description: 'It is no part of what the route is said to have sent, and is not tried again. A route that is switched off can be tried.',
    responses: { 200: { description: 'Whether it was taken.', content: json(TriedRoute) }, ...none, 503: failure('No notifier is there.'), ...failures },
  })
  app.openAPIRegistry.registerPath({ ...shared, method: 'delete', summary: 'Removes a route, and what waits for it', request: { params, headers }, responses: { 204: { description: 'It is gone.' }, 412: failure('Changed meanwhile.'), ...none, ...failures } })
}
