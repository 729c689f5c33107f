/**
 * The route as people write it, JSON, and what becomes of it: a `Route`, or an error that points at the place and says what to do.
 *
 * Owns the language of routes, and which parts of one are secret. Leaves the form that the notifier follows to route.ts.
 *
 * - D1 What is shown of a document holds no secret, and may be sent back as it was shown: `HIDDEN` in a secret's place keeps what is stored. That is
 *   refused where the secret would go to another address than the one that it was given for.
 *
 * @example
 * {
 *   "name": "The farmer's phone",
 *   "match": { "severity": "critical", "prefix": "field-7/", "labels": { "crop": "maize" } },
 *   "target": { "webhook": { "url": "https://example.org/hooks/7" } },
 *   "groupBy": ["place"], "wait": "30s", "interval": "5m", "remind": "4h",
 *   "inhibit": [{ "when": { "severity": "critical" }, "silences": { "severity": "warning" }, "equal": ["place"] }]
 * }
 */

import { durationOf, fields, listOf, objectOf, RuleError, textOf } from '../alert/document-parts.ts'
import type { Place } from '../alert/document-parts.ts'
import { EVENTS } from '../alert/life.ts'
import type { AlertEvent } from '../alert/life.ts'
import type { Inhibition, Route, Selection, Target } from './route.ts'
import { isSecret } from './signature.ts'
import { TEMPLATE_FIELDS } from './words.ts'

/** Why a document is no route, in words that say what to do. */
export class RouteError extends Error {
  readonly pointer: string

  constructor({ pointer, trouble }: { pointer: string; trouble: string }) {
    super(`Cannot use this route as ${trouble}`)
    this.name = 'RouteError'
    this.pointer = pointer
  }
}

/** Stands where a document holds a secret. */
export const HIDDEN = '…'

const HOUR_MS = 3_600_000
const WEEK_MS = 7 * 24 * HOUR_MS
const TOP = ['name', 'match', 'target', 'groupBy', 'wait', 'interval', 'urgent', 'remind', 'events', 'inhibit', 'title', 'message', 'giveUp', 'enabled'] as const
const NAME_FORM = /^[A-Za-z][A-Za-z0-9_-]{0,31}$/
const SEVERITY_FORM = /^[A-Za-z0-9_-]{1,32}$/
const ADDRESS_FORM = /^[^\s@<>,;:"\\]{1,64}@[A-Za-z0-9.-]{1,190}$/
/** What is told unless the document says otherwise: all but what people did themselves. */
const EVENTS_TOLD: readonly AlertEvent[] = EVENTS.filter((event) => event !== 'acknowledged' && event !== 'shelved')
const BROKER_RULE = 'the address of a broker such as mqtt://broker.example.org or mqtts://broker.example.org:8883'
const SERVER_RULE = 'the address of a mail server such as smtp://mail.example.org:587 or smtps://mail.example.org'

export interface ParsedRoute {
  readonly route: Route
  readonly enabled: boolean
  /** What is stored: as it was written, with secrets that were kept or drawn. */
  readonly document: Record<string, unknown>
  /** The secret that was drawn for it, which its receiver must be told; null where it has its own. */
  readonly drawn: string | null
}

/** The route in a document. `held` is the one that is stored, null where there is none; `draw` makes a secret. Throws `RouteError`. */
export function parseRoute(json: unknown, held: unknown, draw: () => string): ParsedRoute {
  try {
    const root: Place = { pointer: '', value: json }
    const of = fields(root, TOP, ['target'])
    const { target, written, drawn } = targetOf(of('target')!, targetIn(held), draw)
    const enabled = of('enabled')
    if (enabled !== null && typeof enabled.value !== 'boolean') throw new RuleError(enabled, 'true or false')
    const groupBy = namesOf(of('groupBy'))
    const route: Route = {
      name: of('name') === null ? target.kind : textOf(of('name')!, { charsMax: 100 }),
      match: selectionOf(of('match')),
      target,
      groupBy,
      waitMs: durationOf(of('wait'), { fallback: groupBy.length === 0 ? 0 : 10_000, max: HOUR_MS }),
      intervalMs: durationOf(of('interval'), { fallback: groupBy.length === 0 ? 0 : 300_000, max: 24 * HOUR_MS }),
      urgent: of('urgent') === null ? ['critical'] : severitiesOf(of('urgent')!),
      remindMs: of('remind') === null ? null : durationOf(of('remind'), { min: 60_000, max: WEEK_MS }),
      events: of('events') === null ? EVENTS_TOLD : listOf(of('events'), { least: 1, most: EVENTS.length }).map(eventOf),
      inhibit: listOf(of('inhibit'), { most: 20 }).map(inhibitionOf),
      title: templateOf(of('title'), 200),
      message: templateOf(of('message'), 500),
      giveUpMs: durationOf(of('giveUp'), { fallback: 24 * HOUR_MS, min: 60_000, max: WEEK_MS }),
    }
    return { route, enabled: enabled?.value !== false, document: { ...(json as object), target: written }, drawn }
  } catch (error) {
    throw error instanceof RuleError ? new RouteError(error) : error
  }
}

/** The document without its secrets. */
export function shownDocument(document: Record<string, unknown>): Record<string, unknown> {
  const [kind, part] = Object.entries(targetIn(document) ?? {})[0] ?? []
  if (kind === undefined) return document
  const shown = { ...part }
  // Addresses of hooks are secrets of their own, often.
  if (kind === 'webhook') shown.url = hiddenUrl(String(part.url))
  for (const name of ['secret', 'password']) if (shown[name] !== undefined) shown[name] = HIDDEN
  return { ...document, target: { [kind]: shown } }
}

type Written = Record<string, Record<string, unknown>>

function targetIn(document: unknown): Written | null {
  const target = (document as { target?: Written } | null)?.target
  return typeof target === 'object' && target !== null ? target : null
}

const hiddenUrl = (url: string) => `${new URL(url).origin}/${HIDDEN}`

function targetOf(place: Place, held: Written | null, draw: () => string): { target: Target; written: Written; drawn: string | null } {
  const of = fields(place, ['webhook', 'email', 'nats', 'mqtt'], [])
  const kinds = (['webhook', 'email', 'nats', 'mqtt'] as const).filter((kind) => of(kind) !== null)
  if (kinds.length !== 1) throw new RuleError(place, 'an object with one of webhook, email, nats, mqtt', kinds.length)
  const [kind] = kinds
  const at = of(kind)!
  const before = held?.[kind] ?? null
  if (kind === 'webhook') return webhookOf(at, before, draw)
  if (kind === 'email') return emailOf(at, before)
  if (kind === 'mqtt') return mqttOf(at, before)
  const stored = fields(at, ['stored'], [])('stored')
  if (stored !== null && typeof stored.value !== 'boolean') throw new RuleError(stored, 'true or false')
  return { target: { kind, stored: stored?.value === true }, written: { nats: objectOf(at) }, drawn: null }
}

function webhookOf(place: Place, before: Record<string, unknown> | null, draw: () => string) {
  const of = fields(place, ['url', 'secret'], ['url'])
  const urlPlace = of('url')!
  let url = textOf(urlPlace, { charsMax: 2_000 })
  if (url.endsWith(`/${HIDDEN}`)) {
    if (before === null || hiddenUrl(String(before.url)) !== url) throw new RuleError(urlPlace, 'written out, as no such address is stored')
    url = String(before.url)
  }
  const parsed = URL.canParse(url) ? new URL(url) : null
  const sound = parsed !== null && ['http:', 'https:'].includes(parsed.protocol) && parsed.username === '' && parsed.password === '' && parsed.hash === ''
  if (!sound) throw new RuleError(urlPlace, 'an address that begins with https:// or http://, without a user or a fragment')
  const given = of('secret')
  const isKept = given === null || given.value === HIDDEN
  const kept = isKept ? before?.secret : given.value
  if (given?.value === HIDDEN && kept === undefined) throw new RuleError(given, 'written out, as none is stored')
  const drawn = kept === undefined ? draw() : null
  const secret = drawn ?? kept
  if (typeof secret !== 'string' || !isSecret(secret)) throw new RuleError({ pointer: `${place.pointer}/secret`, value: HIDDEN }, 'whsec_ and 24 to 64 bytes in base64')
  return { target: { kind: 'webhook', url, secret } as Target, written: { webhook: { url, secret } }, drawn }
}

function emailOf(place: Place, before: Record<string, unknown> | null) {
  const of = fields(place, ['to', 'from', 'server', 'user', 'password'], ['to', 'from', 'server'])
  const addressOf = (at: Place) => textOf(at, { charsMax: 254, form: ADDRESS_FORM, must: 'an address such as farmer@example.org' })
  const to = Array.isArray(of('to')!.value) ? listOf(of('to'), { least: 1, most: 20 }).map(addressOf) : [addressOf(of('to')!)]
  const serverPlace = of('server')!
  const server = textOf(serverPlace, { charsMax: 300, must: SERVER_RULE })
  const parsed = URL.canParse(server) ? new URL(server) : null
  if (parsed === null || !['smtp:', 'smtps:'].includes(parsed.protocol) || parsed.hostname === '' || parsed.username !== '' || parsed.password !== '') throw new RuleError(serverPlace, SERVER_RULE)
  const { user, password } = userOf(of, before?.server === server ? before : null)
  const target: Target = { kind: 'email', to, from: addressOf(of('from')!), server, user, password }
  return { target, written: { email: { ...objectOf(place), ...(password === null ? {} : { password }) } }, drawn: null }
}

function mqttOf(place: Place, before: Record<string, unknown> | null) {
  const of = fields(place, ['url', 'topic', 'user', 'password'], ['url', 'topic'])
  const urlPlace = of('url')!
  const url = textOf(urlPlace, { charsMax: 300, must: BROKER_RULE })
  const parsed = URL.canParse(url) ? new URL(url) : null
  if (parsed === null || !['mqtt:', 'mqtts:'].includes(parsed.protocol) || parsed.hostname === '' || parsed.username !== '' || parsed.password !== '') throw new RuleError(urlPlace, BROKER_RULE)
  const topic = textOf(of('topic')!, { charsMax: 200, form: /^[^+#\0]+$/, must: 'a topic such as weir/alerts, without + and #' })
  const { user, password } = userOf(of, before?.url === url ? before : null)
  const target: Target = { kind: 'mqtt', url, topic, user, password }
  return { target, written: { mqtt: { ...objectOf(place), ...(password === null ? {} : { password }) } }, drawn: null }
}

/** User and password; `before`: what is stored for the same address. */
function userOf(of: (name: string) => Place | null, before: Record<string, unknown> | null): { user: string | null; password: string | null } {
  const user = of('user') === null ? null : textOf(of('user')!, { charsMax: 200 })
  const given = of('password')
  let password = given === null ? null : textOf(given, { charsMax: 500 })
  if (password === HIDDEN) {
    if (typeof before?.password !== 'string' || (before.user ?? null) !== user) throw new RuleError(given!, 'written out, as none is stored for this address and user')
    password = before.password
  }
  if ((user === null) !== (password === null)) throw new RuleError(given ?? of('user')!, 'there together with user')
  return { user, password }
}

function selectionOf(place: Place | null): Selection {
  if (place === null) return { severities: null, rules: null, prefix: null, metric: null, labels: {} }
  const of = fields(place, ['severity', 'rule', 'prefix', 'metric', 'labels'], [])
  const rules = of('rule')
  const labels = of('labels') === null ? {} : objectOf(of('labels')!)
  for (const [name, value] of Object.entries(labels)) {
    if (!NAME_FORM.test(name)) throw new RuleError({ pointer: `${place.pointer}/labels`, value: name }, 'named by a letter and up to 31 of A-Z a-z 0-9 _ -')
    textOf({ pointer: `${place.pointer}/labels/${name}`, value }, { charsMax: 100 })
  }
  return {
    severities: of('severity') === null ? null : severitiesOf(of('severity')!),
    rules: rules === null ? null : textsOf(rules, 100).map((at) => textOf(at, { charsMax: 64 })),
    prefix: of('prefix') === null ? null : textOf(of('prefix')!, { charsMax: 200 }),
    metric: of('metric') === null ? null : textOf(of('metric')!, { charsMax: 200 }),
    labels: labels as Record<string, string>,
  }
}

/** One text, or a list of them. */
const textsOf = (place: Place, most: number): Place[] => (Array.isArray(place.value) ? listOf(place, { most }) : [place])
const severitiesOf = (place: Place) => textsOf(place, 10).map((at) => textOf(at, { charsMax: 32, form: SEVERITY_FORM, must: 'up to 32 of A-Z a-z 0-9 _ -, such as warning or critical' }))
const namesOf = (place: Place | null) => listOf(place, { most: 5 }).map((at) => textOf(at, { charsMax: 32, form: NAME_FORM, must: 'device, metric, rule, severity, place, or the name of a label' }))

function eventOf(place: Place): AlertEvent {
  if (!EVENTS.includes(place.value as AlertEvent)) throw new RuleError(place, `one of ${EVENTS.join(', ')}`)
  return place.value as AlertEvent
}

function inhibitionOf(place: Place): Inhibition {
  const of = fields(place, ['when', 'silences', 'equal'], ['when', 'silences', 'equal'])
  return { when: selectionOf(of('when')), silences: selectionOf(of('silences')), equal: namesOf(of('equal')) }
}

function templateOf(place: Place | null, charsMax: number): string | null {
  if (place === null) return null
  const template = textOf(place, { charsMax })
  for (const [, field] of template.matchAll(/\{([^{}]*)\}/g)) {
    if ((TEMPLATE_FIELDS as readonly string[]).includes(field) || /^labels\.[A-Za-z][A-Za-z0-9_-]{0,31}$/.test(field)) continue
    throw new RuleError(place, `a text whose braces hold ${TEMPLATE_FIELDS.join(', ')}, or labels. and the name of a label`, `{${field}}`)
  }
  return template
}
