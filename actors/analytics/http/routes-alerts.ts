/**
 * Endpoints of alerts: which there are, with their history, and what people do about them.
 *
 * - K1 What a person does is an event in the log of the alert's own series: it is answered once the log has it, and shows with the commit that follows.
 */

import { z } from '@hono/zod-openapi'
import type { OpenAPIHono } from '@hono/zod-openapi'
import { isOperating } from '../../../runtime/errors.ts'
import { mayAct, problem, requireKey } from '../../../runtime/http.ts'
import type { KeyedEnv } from '../../../runtime/http.ts'
import type { Role } from '../../../runtime/keys.ts'
import { ANSWER_BODY_BYTES_MAX } from '../../../runtime/limits.ts'
import { inputSubject, partitionFor } from '../../../runtime/topology.ts'
import { RULE_ID_RULE, isRuleId } from '../../alert/document.ts'
import { SHELF_MAX_MS } from '../../alert/life.ts'
import { parseDuration } from '../../../runtime/config.ts'
import { encodeOwnAction } from '../../own/input.ts'
import { encodeAction } from '../../reading/input.ts'
import type { AlertVerb } from '../../reading/input.ts'
import { formatTime } from '../data/times.ts'
import { ALERT_STATES, alertOf, alerts } from '../query/alerts.ts'
import type { Alert, AlertPlace, AlertState } from '../query/alerts.ts'
import type { Scope } from '../query/scope.ts'
import { choicesOf, filterOf, limitOf } from './parameters.ts'
import { LIST_FORMATS, ParameterError, decodeCursor, encodeCursor, listReply, numberColumn, textColumn, timeColumn } from './reply.ts'
import type { AnalyticsSources, Get } from './route.ts'
import * as shapes from './schemas.ts'

const ALERTS = [...['id', 'rule', 'device', 'metric', 'severity', 'event'].map(textColumn), timeColumn('at'), numberColumn('value'), textColumn('message'), textColumn('state'), timeColumn('opened_at')]
const VERBS = [
  ['ack', 'Says that somebody looks after an alert'],
  ['resolve', 'Closes an alert; it stays so until all was well once'],
  ['shelve', 'Puts an alert aside for a time: nothing is said of it unless it grows worse'],
  ['unshelve', 'Takes an alert up again that was put aside'],
] as const satisfies readonly (readonly [AlertVerb, string])[]
const STATE_THEN: Readonly<Record<AlertVerb, AlertState>> = { ack: 'acked', resolve: 'resolved', shelve: 'shelved', unshelve: 'open' }
const NOTE_CHARS_MAX = 500
/** Roles beside admins that may do something about an alert: none, as an analyst reads, and what is put aside or resolved is no longer told to others. */
const MAY_ANSWER: readonly Role[] = []

type Sources = Pick<AnalyticsSources, 'ownPartitionOf' | 'tail' | 'keyring' | 'log' | 'topology' | 'logger' | 'clock'>

export function alertRoutes(app: OpenAPIHono<KeyedEnv>, get: Get, sources: Sources): void {
  const { tail } = sources
  get(
    '/v1/alerts',
    {
      summary: 'Alerts, the newest first, each with its history',
      description:
        'severity, event, at, value and message are those of its last event; in JSON, history holds all of them. An alert that comes back soon is the same one. ' +
        'Rules raise them (/v1/rules); the view alerts has a row an event.',
      query: {
        state: z.string().optional().openapi({ description: `${ALERT_STATES.join(', ')}; several with commas, all by default.`, example: 'open' }),
        severity: z.string().optional().openapi({ description: 'As the rule says, exactly; several with commas.', example: 'critical' }),
        rule: z.string().optional().openapi({ description: 'Of that rule.', example: 'dry-soil' }),
        ...shapes.names,
        ...shapes.prefix,
        ...shapes.paging,
        ...shapes.forms,
      },
      answer: shapes.list('alerts', shapes.AlertRow).extend({ mayAct: z.boolean().openapi({ description: 'Whether the key of this request may acknowledge, shelve and resolve.' }) }),
      formats: LIST_FORMATS,
    },
    async ({ c, query, principal, format, timeMs }) => {
      const states = choicesOf('state', query.state, ALERT_STATES)
      const severities = (query.severity ?? '').split(',')
      for (const severity of severities) {
        if (/^[A-Za-z0-9_-]{0,32}$/.test(severity)) continue
        throw new ParameterError('severity', 'up to 32 of A-Z a-z 0-9 _ -, several with commas between', severity)
      }
      const rule = query.rule === undefined || query.rule === '' ? null : query.rule
      if (rule !== null && !isRuleId(rule)) throw new ParameterError('rule', RULE_ID_RULE, rule)
      const scope: Scope = { tenant: principal.tenant, filter: filterOf(query) }
      const after = decodeCursor(query.cursor, 'ns') as AlertPlace | null
      const found = await alerts(tail, scope, { states, severities: query.severity ? new Set(severities) : null, rule, after, limit: limitOf(query) })
      const cursor = found.next === null ? null : encodeCursor(found.next)
      if (format === 'json') return c.json({ alerts: found.alerts.map((alert) => shown(alert, timeMs)), cursor, mayAct: mayAct(principal, MAY_ANSWER) }, 200, { 'cache-control': 'no-store' })
      const rows = found.alerts.map(({ id, rule: of, device, metric, state, openedAt, history }) => {
        const { severity, event, at, value, message } = history.at(-1)!
        return [id, of, device, metric, severity, event, at, value, message, state, openedAt]
      })
      return listReply(c, { name: 'alerts', columns: ALERTS, rows, cursor }, { format, timeMs, lake: tail.lake })
    },
  )
  for (const [verb, summary] of VERBS) actionRoute(app, verb, summary, sources)
}

function shown({ id, rule, device, metric, state, openedAt, history }: Alert, timeMs: boolean) {
  const time = (ms: number) => (timeMs ? ms : formatTime(ms))
  const { severity, event, at, value, message } = history.at(-1)!
  const steps = history.map((step) => ({ event: step.event, severity: step.severity, at: time(step.at), value: step.value, message: step.message, person: step.person }))
  return { id, rule, device, metric, severity, event, at: time(at), value, message, state, opened_at: time(openedAt), history: steps }
}

function actionRoute(app: OpenAPIHono<KeyedEnv>, verb: AlertVerb, summary: string, { tail, keyring, log, topology, logger, clock, ownPartitionOf }: Sources): void {
  app.post(`/v1/alerts/:id/${verb}`, requireKey(keyring, MAY_ANSWER), async (c) => {
    const { tenant, id: person } = c.var.principal
    const id = c.req.param('id')!
    const asked = bodyOf(await c.req.text(), verb, clock.now())
    if ('must' in asked) return problem(c, { status: 400, title: 'Bad body', detail: `The body must be ${asked.must}.`, extra: { parameter: asked.parameter } })
    const alert = id.length > 200 ? null : await alertOf(tail, tenant, id)
    if (alert === null) {
      return problem(c, { status: 404, title: 'No such alert', detail: `There is no alert ${JSON.stringify(id.slice(0, 64))}. GET /v1/alerts lists those that there are.` })
    }
    const isDone = alert.state === 'resolved' || (verb === 'ack' && alert.state === 'acked') || (verb === 'unshelve' && alert.state !== 'shelved')
    const { device, metric, rule } = alert
    // Alerts of an own actor live in its own log: their rule begins with its name, which stands where a metric does.
    const own = rule.startsWith(`${metric}-`) ? ownPartitionOf(metric) : null
    try {
      if (!isDone && own !== null) await log.publish(inputSubject(own), encodeOwnAction({ alert: id, action: verb, by: person, ...asked }))
      else if (!isDone) await log.publish(inputSubject(partitionFor(topology, tenant, device)), encodeAction({ tenant, device, metric, alert: id, action: verb, by: person, ...asked }))
    } catch (error) {
      if (!isOperating(error) || !error.retry) throw error
      logger.warn({ code: error.code }, 'what somebody did about an alert could not be stored')
      return problem(c, { status: 503, title: 'Not available now', detail: 'The log does not take it now. Try again.', headers: { 'retry-after': '1' } })
    }
    return c.json({ id, state: isDone ? alert.state : STATE_THEN[verb] }, 200, { 'cache-control': 'no-store' })
  })
  const failure = (description: string) => ({ description, content: { 'application/problem+json': { schema: shapes.Problem } } })
  app.openAPIRegistry.registerPath({
    method: 'post',
    path: `/v1/alerts/{id}/${verb}`,
    summary,
    description: 'Answered once the log has it; doing it again, or to what is resolved, changes nothing. For admins.',
    security: [{ key: [] }],
    request: { params: z.object({ id: z.string() }), body: { required: verb === 'shelve', content: { 'application/json': { schema: verb === 'shelve' ? ShelfBody : NoteBody } } } },
    responses: {
      200: { description: 'The state that it will have.', content: { 'application/json': { schema: z.object({ id: z.string(), state: z.enum(ALERT_STATES) }).openapi('AlertDone') } } },
      400: failure('The body can not be used.'),
      401: failure('The key is missing or unknown.'),
      403: failure('The role of the key may not do this.'),
      404: failure('There is no such alert.'),
      503: failure('The log is away or full. Try again.'),
    },
  })
}

const NoteBody = z.object({ note: z.string().max(NOTE_CHARS_MAX).optional() }).openapi('AlertNote')
const ShelfBody = z
  .object({ for: z.string().optional().openapi({ description: 'So long, of at most 30 days.', example: '8h' }), until: z.string().optional().openapi({ description: 'Or until then, RFC 3339.' }), note: z.string().max(NOTE_CHARS_MAX).optional() })
  .openapi('AlertShelf')

/** What a body asks for, or what it must be. */
function bodyOf(body: string, verb: AlertVerb, nowMs: number): { note: string; until?: number } | { must: string; parameter: string } {
  const isShelving = verb === 'shelve'
  const shape = isShelving ? '{"for": "8h", "note": "…"}, or with until in place of for' : 'none, or JSON as {"note": "…"}'
  const bad = { must: `${shape}, the note of at most ${NOTE_CHARS_MAX} characters`, parameter: 'note' }
  if (body.length > ANSWER_BODY_BYTES_MAX) return bad
  try {
    const { note = '', for: length, until, ...more } = (body.trim() === '' ? {} : JSON.parse(body)) as { note?: unknown; for?: unknown; until?: unknown }
    if (typeof note !== 'string' || note.length > NOTE_CHARS_MAX || Object.keys(more).length > 0) return bad
    if (!isShelving) return length === undefined && until === undefined ? { note } : bad
    const badShelf = { must: '{"for": "8h"} or {"until": "2026-05-01T06:00:00Z"}, of a time to come and at most 30 days', parameter: until === undefined ? 'for' : 'until' }
    if ((length === undefined) === (until === undefined)) return badShelf
    const untilMs = typeof length === 'string' ? nowMs + (parseDuration(length) ?? NaN) : typeof until === 'string' ? Date.parse(until) : NaN
    return untilMs > nowMs && untilMs <= nowMs + SHELF_MAX_MS ? { note, until: untilMs } : badShelf
  } catch {
    return bad
  }
}
