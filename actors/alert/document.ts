/**
 * The rule as people write it, JSON, and what becomes of it: a `Rule`, or an error that points at the place and says what to do.
 *
 * Owns the language of rules but for its conditions (document-conditions.ts). Leaves the form that partitions follow to rule.ts.
 *
 * @example
 * {
 *   "name": "Soil too dry",
 *   "select": { "prefix": "field-7/", "metric": "soil_moisture" },
 *   "when": { "below": 14, "clear": 16 }, "for": "10m", "severity": "warning",
 *   "steps": [{ "severity": "critical", "when": { "below": 10 } }],
 *   "schedule": { "zone": "Europe/Vienna", "days": ["mon", "tue"], "from": "06:00", "to": "22:00" },
 *   "message": "{device} is dry: {value} %", "labels": { "crop": "maize" }
 * }
 */

import { zoneName } from '../../runtime/zones.ts'
import { DEVICE_RULE, isDevice, isMetric, METRIC_RULE } from '../reading/validate-names.ts'
import { conditionOf } from './document-conditions.ts'
import { durationOf, fields, listOf, numberOf, objectOf, RuleError, textOf } from './document-parts.ts'
import type { Place } from './document-parts.ts'
import { LEAVES_MAX, LEVELS_MAX, OPENINGS_MAX } from './rule.ts'
import type { Level, Rule, Schedule } from './rule.ts'
import { offsetsFor } from './schedule.ts'
import { FIELDS } from './words.ts'

export { RuleError } from './document-parts.ts'

const HOUR_MS = 3_600_000
const DEVICES_MAX = 200
const LABELS_MAX = 16
const MESSAGE_CHARS_MAX = 500
const WEEK_MS = 7 * 24 * HOUR_MS
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']

const RULE_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/
export const RULE_ID_RULE = '1 to 64 of A-Z a-z 0-9 _ -, beginning with a letter or a digit'
export const isRuleId = (id: string) => RULE_ID.test(id)

const TOP = ['name', 'select', 'when', 'for', 'severity', 'message', 'resolved', 'steps', 'schedule', 'flapping', 'reopen', 'eases', 'labels', 'enabled'] as const

export interface ParsedRule {
  readonly rule: Rule
  /** False: nothing is watched, and what is open is resolved. */
  readonly enabled: boolean
}

/** The rule in a document. Throws `RuleError`. */
export function parseRule(json: unknown): ParsedRule {
  const root: Place = { pointer: '', value: json }
  const of = fields(root, TOP, ['select', 'when'])
  const name = of('name') === null ? null : textOf(of('name')!, { charsMax: 100 })
  const labels = labelsOf(of('labels'))
  const left = { leaves: LEAVES_MAX }
  const message = templateOf(of('message'), labels)
  const levels = [levelOf({ of, left, labels, message, severity: 'warning' })]
  for (const step of listOf(of('steps'), { most: LEVELS_MAX - 1 })) {
    const stepOf = fields(step, ['severity', 'when', 'for', 'message'], ['severity', 'when'])
    levels.push(levelOf({ of: stepOf, left, labels, message, severity: 'critical' }))
  }
  const select = selectOf(of('select')!)
  const enabled = of('enabled')
  if (enabled !== null && typeof enabled.value !== 'boolean') throw new RuleError(enabled, 'true or false')
  const eases = of('eases')
  if (eases !== null && typeof eases.value !== 'boolean') throw new RuleError(eases, 'true or false')
  const rule: Rule = {
    name: name ?? `${select.metric} of ${select.prefix ?? select.devices?.join(', ') ?? 'all devices'}`,
    ...select,
    levels,
    schedule: of('schedule') === null ? null : scheduleOf(of('schedule')!),
    flapping: flappingOf(of('flapping')),
    reopenMs: durationOf(of('reopen'), { fallback: HOUR_MS, max: WEEK_MS }),
    ...(eases?.value === true ? { eases: true } : {}),
    labels,
    resolvedMessage: templateOf(of('resolved'), labels),
  }
  return { rule, enabled: enabled?.value !== false }
}

type Of = (name: string) => Place | null

function levelOf({ of, left, labels, message, severity }: { of: Of; left: { leaves: number }; labels: Rule['labels']; message: string | null; severity: string }): Level {
  const given = of('severity')
  const named = given === null ? severity : textOf(given, { charsMax: 32, form: /^[A-Za-z0-9_-]+$/, must: 'up to 32 of A-Z a-z 0-9 _ -, such as warning or critical' })
  return { severity: named, when: conditionOf(of('when')!, left), forMs: durationOf(of('for'), { fallback: 0, max: WEEK_MS }), message: templateOf(of('message'), labels) ?? message }
}

function selectOf(place: Place): Pick<Rule, 'devices' | 'prefix' | 'metric'> {
  const of = fields(place, ['device', 'devices', 'prefix', 'metric'], ['metric'])
  const named = ['device', 'devices', 'prefix'].filter((name) => of(name) !== null)
  if (named.length > 1) throw new RuleError(of(named[1])!, `left out, as ${named[0]} says which devices`)
  const deviceOf = (at: Place) => {
    if (typeof at.value !== 'string' || !isDevice(at.value)) throw new RuleError(at, DEVICE_RULE)
    return at.value
  }
  const metric = of('metric')!
  if (typeof metric.value !== 'string' || !isMetric(metric.value)) throw new RuleError(metric, METRIC_RULE)
  const devices = of('device') === null ? (of('devices') === null ? null : listOf(of('devices'), { least: 1, most: DEVICES_MAX }).map(deviceOf)) : [deviceOf(of('device')!)]
  return { devices, prefix: of('prefix') === null ? null : deviceOf(of('prefix')!), metric: metric.value }
}

function scheduleOf(place: Place): Schedule {
  const of = fields(place, ['zone', 'days', 'from', 'to'], ['zone'])
  const zonePlace = of('zone')!
  const zone = typeof zonePlace.value === 'string' ? zoneName(zonePlace.value) : null
  if (zone === null) throw new RuleError(zonePlace, 'the name of a time zone such as Europe/Vienna')
  let days = 0
  for (const day of listOf(of('days'), { least: 1, most: 7 })) {
    const at = DAYS.indexOf(String(day.value))
    if (at < 0) throw new RuleError(day, `one of ${DAYS.join(', ')}`)
    days |= 1 << at
  }
  const minuteOf = (at: Place | null, fallback: number) => {
    if (at === null) return fallback
    const found = typeof at.value === 'string' ? /^([01]\d|2[0-3]):([0-5]\d)$|^24:00$/.exec(at.value) : null
    if (found === null) throw new RuleError(at, 'a time of day such as 06:30')
    return found[1] === undefined ? 1_440 : Number(found[1]) * 60 + Number(found[2])
  }
  const [fromMinute, toMinute] = [minuteOf(of('from'), 0) % 1_440, minuteOf(of('to'), 1_440)]
  return { zone, days: of('days') === null ? 0x7f : days, fromMinute, toMinute, offsets: offsetsFor(zone) }
}

function flappingOf(place: Place | null): Rule['flapping'] {
  const fallback = { count: 4, withinMs: HOUR_MS }
  if (place === null) return fallback
  const of = fields(place, ['count', 'within'], [])
  return {
    count: numberOf(of('count'), { fallback: fallback.count, min: 2, max: OPENINGS_MAX, whole: true }),
    withinMs: durationOf(of('within'), { fallback: fallback.withinMs, min: 60_000, max: WEEK_MS }),
  }
}

function labelsOf(place: Place | null): Record<string, string> {
  if (place === null) return {}
  const entries = Object.entries(objectOf(place))
  if (entries.length > LABELS_MAX) throw new RuleError(place, `at most ${LABELS_MAX} labels`, entries.length)
  for (const [name, value] of entries) {
    const at = { pointer: `${place.pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, value }
    if (!/^[A-Za-z][A-Za-z0-9_-]{0,31}$/.test(name)) throw new RuleError(at, 'named by a letter and up to 31 of A-Z a-z 0-9 _ -', name)
    textOf(at, { charsMax: 100 })
  }
  return Object.fromEntries(entries) as Record<string, string>
}

function templateOf(place: Place | null, labels: Rule['labels']): string | null {
  if (place === null) return null
  const template = textOf(place, { charsMax: MESSAGE_CHARS_MAX })
  for (const [, field] of template.matchAll(/\{([^{}]*)\}/g)) {
    if ((FIELDS as readonly string[]).includes(field) || (field.startsWith('labels.') && Object.hasOwn(labels, field.slice(7)))) continue
    throw new RuleError(place, `a text whose braces hold ${FIELDS.join(', ')}, or labels. and the name of a label of this rule`, `{${field}}`)
  }
  return template
}
