/**
 * Endpoints of rules: read and tried by analysts, edited by admins.
 *
 * Owns their forms, and what an error becomes. Leaves the language of rules to alert/document.ts, entries to fleet/rules.ts, trials to query/.
 */

import { z } from '@hono/zod-openapi'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { problem, requireKey } from '../../../runtime/http.ts'
import type { KeyedEnv } from '../../../runtime/http.ts'
import { RULE_BODY_BYTES_MAX, TRIAL_EVENTS_MAX } from '../../../runtime/limits.ts'
import { RevisionError } from '../../../runtime/tenant-values.ts'
import { isRuleId, parseRule, RULE_ID_RULE, RuleError } from '../../alert/document.ts'
import type { StoredRule } from '../../fleet/rules.ts'
import { formatTime } from '../data/times.ts'
import { trial } from '../query/rule-trial.ts'
import { TrialError } from '../query/trial-error.ts'
import { rangeOf, timeMsOf } from './parameters.ts'
import { ParameterError, badParameter } from './reply.ts'
import { revisionOf, tagOf } from './revision.ts'
import { readJson } from './route.ts'
import type { AnalyticsSources, Get } from './route.ts'
import { RuleDocument, RuleRow, Rules, Trial } from './rule-shapes.ts'
import { Problem, forms } from './schemas.ts'

const NO_STORE = { 'cache-control': 'no-store' }
const TRIAL_DEFAULT_MS = 7 * 86_400_000

type Sources = Pick<AnalyticsSources, 'tail' | 'keyring' | 'rules' | 'ruleRelay' | 'clock'>

export function ruleRoutes(app: OpenAPIHono<KeyedEnv>, get: Get, { tail, keyring, rules, ruleRelay, clock }: Sources): void {
  const shown = (stored: StoredRule) => ({ id: stored.id, revision: stored.revision, in_force: ruleRelay.isInForce(stored), rule: stored.document })
  get(
    '/v1/rules',
    {
      summary: 'Rules, by which alerts are raised',
      description: 'in_force says whether every partition follows the rule as it is here.',
      query: { time: forms.time },
      answer: Rules,
    },
    ({ c, principal }) => c.json({ rules: rules.of(principal.tenant).map(shown), mayEdit: principal.role === 'admin' }, 200, NO_STORE),
  )
  const missing = (id: string) => problem(null, { status: 404, title: 'No such rule', detail: `There is no rule ${JSON.stringify(id)}. GET /v1/rules lists those that there are.` })
  app.get('/v1/rules/:id', requireKey(keyring, ['analyst']), (c) =>
    answering(async () => {
      const stored = rules.find(c.var.principal.tenant, idOf(c))
      return stored === null ? missing(idOf(c)) : c.json(shown(stored) as object, 200, { ...NO_STORE, etag: tagOf(stored) })
    }),
  )
  const admin = requireKey(keyring, [])
  app.put('/v1/rules/:id', admin, (c) =>
    answering(async () => {
      const body = await readJson(c, RULE_BODY_BYTES_MAX)
      if (body instanceof Response) return body
      const stored = await rules.put(c.var.principal.tenant, idOf(c), body.json, heldRevision(c))
      return c.json(shown(stored) as object, 200, { ...NO_STORE, etag: tagOf(stored) })
    }),
  )
  app.delete('/v1/rules/:id', admin, (c) =>
    answering(async () => {
      const id = idOf(c)
      return (await rules.delete(c.var.principal.tenant, id, heldRevision(c))) ? c.body(null, 204) : missing(id)
    }),
  )
  app.post('/v1/rules/:id/try', requireKey(keyring, ['analyst']), (c) =>
    answering(async () => {
      const id = idOf(c)
      const { tenant } = c.var.principal
      const body = c.req.header('content-type') === undefined ? { json: {} } : await readJson(c, RULE_BODY_BYTES_MAX)
      if (body instanceof Response) return body
      const stored = rules.find(tenant, id)
      const isGiven = typeof body.json === 'object' && body.json !== null && Object.keys(body.json).length > 0
      if (!isGiven && stored === null) return missing(id)
      const query = c.req.query()
      const nowMs = clock.now()
      const range = rangeOf(query, nowMs, { from: nowMs - TRIAL_DEFAULT_MS, to: nowMs })
      const timeMs = timeMsOf(query)
      const { rule } = parseRule(isGiven ? body.json : stored!.document)
      const { events, ...sums } = await trial(tail, { tenant, id, rule, range, clock })
      const time = (ms: number) => (timeMs ? ms : formatTime(ms))
      const told = events.slice(0, TRIAL_EVENTS_MAX).map((event) => ({ ...event, at: time(event.at) }))
      const alerts = events.filter(({ event }) => event === 'opened').length
      return c.json({ id, from: time(range.from), to: time(range.to), alerts, ...sums, events: told, truncated: told.length < events.length }, 200, NO_STORE)
    }),
  )
  describe(app)
}

async function answering(handle: () => Promise<Response>): Promise<Response> {
  try {
    return await handle()
  } catch (error) {
    if (error instanceof ParameterError) return badParameter(error)
    if (error instanceof RuleError) return problem(null, { status: 400, title: 'Bad rule', detail: error.message, extra: { pointer: error.pointer } })
    if (error instanceof TrialError) return problem(null, { status: 400, title: 'Too much to try', detail: error.message })
    if (error instanceof RevisionError) return problem(null, { status: 412, title: 'Changed meanwhile', detail: error.message })
    throw error
  }
}

function idOf(c: Context): string {
  const id = c.req.param('id') ?? ''
  if (isRuleId(id)) return id
  throw new ParameterError('id', RULE_ID_RULE, id)
}

/** As `revisionOf`; 0 where `If-None-Match: *` asks that there be no such rule yet. */
function heldRevision(c: Context): number | null {
  return c.req.header('if-none-match') === '*' ? 0 : revisionOf(c)
}

function describe(app: OpenAPIHono<KeyedEnv>): void {
  const failure = (description: string) => ({ description, content: { 'application/problem+json': { schema: Problem } } })
  const json = (schema: z.ZodType) => ({ 'application/json': { schema } })
  const params = z.object({ id: z.string().openapi({ description: `${RULE_ID_RULE}.`, example: 'dry-soil' }) })
  const headers = z.object({ 'If-Match': z.string().optional().openapi({ description: 'The ETag that must still hold.' }), 'If-None-Match': z.string().optional().openapi({ description: '* where there must be no such rule yet.' }) })
  const shared = { path: '/v1/rules/{id}', security: [{ key: [] }], request: { params } }
  const failures = { 401: failure('The key is missing or unknown.'), 403: failure('The role of the key may not do this.') }
  const bad = { 400: failure('The pointer leads to the place in the rule that can not be used.'), 413: failure('The body is too large.'), 415: failure('The body is not application/json.') }
  const none = { 404: failure('There is no such rule.') }
  app.openAPIRegistry.registerPath({ ...shared, method: 'get', summary: 'One rule, with its revision as the ETag', responses: { 200: { description: 'The rule.', content: json(RuleRow) }, ...none, ...failures } })
  app.openAPIRegistry.registerPath({
    ...shared,
    method: 'put',
    summary: 'Makes or changes a rule, while everything runs',
    description: 'An alert of it that is open stays open where the rule still selects its series; else it is resolved. For admins.',
    request: { params, headers, body: { required: true, content: json(RuleDocument) } },
    responses: { 200: { description: 'The rule as it is now.', content: json(RuleRow) }, 412: failure('Changed meanwhile.'), ...bad, ...failures },
  })
  app.openAPIRegistry.registerPath({
    ...shared,
    method: 'delete',
    summary: 'Ends a rule; its open alerts are resolved',
    request: { params, headers },
    responses: { 204: { description: 'It is gone.' }, 412: failure('Changed meanwhile.'), ...none, ...failures },
  })
  app.openAPIRegistry.registerPath({
    ...shared,
    path: '/v1/rules/{id}/try',
    method: 'post',
    summary: 'Says what a rule would have raised, without enabling it',
    description: 'The rule in the body, else the stored one, over the last 7 days or the time asked for. Readings count as having come at their own time.',
    request: {
      params,
      query: z.object({
        from: z.string().optional().openapi({ description: 'Earliest time, inclusive: epoch ms, RFC 3339, or before now as -1h, -7d.', example: '-7d' }),
        to: z.string().optional().openapi({ description: 'Latest time, exclusive, in the same forms.' }),
        time: forms.time,
      }),
      body: { required: false, content: json(RuleDocument) },
    },
    responses: { 200: { description: 'What it would have said, and when.', content: json(Trial) }, ...bad, ...none, ...failures },
  })
}
