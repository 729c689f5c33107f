/**
 * The frequent kinds of rules as a form: what its fields make of a document, and the fields that make a document. Pure.
 *
 * - F1 The form writes what it asks for and leaves all else of a document as it stands: words, schedules, labels.
 * - F2 A document of which the form could not write every condition has none: it is edited as it is.
 */

import type { RuleDocument } from '../shapes.ts'

export const KINDS = [
  { value: 'threshold', label: 'A limit' },
  { value: 'rate', label: 'A fast change' },
  { value: 'silence', label: 'Silence' },
  { value: 'forecast', label: 'A forecast' },
  { value: 'neighbours', label: 'Neighbours' },
] as const
export type Kind = (typeof KINDS)[number]['value']

/** All as typed. */
export interface Form {
  readonly kind: Kind
  readonly name: string
  readonly metric: string
  readonly which: 'all' | 'prefix' | 'device'
  /** Of `prefix` and `device`. */
  readonly device: string
  /** Down: below, falls. Up: above, rises. */
  readonly side: 'down' | 'up'
  /** A number; of silence a duration, empty for learned. */
  readonly limit: string
  /** Of a limit: where it is over; empty: at the limit itself. */
  readonly clear: string
  /** Of a fast change and of a forecast: a duration. */
  readonly within: string
  /** How long it must hold; empty: not at all. */
  readonly hold: string
  readonly severity: string
  /** The limit of a second step; empty for none. */
  readonly worse: string
  readonly worseSeverity: string
}

export const EMPTY: Form = {
  kind: 'threshold', name: '', metric: '', which: 'all', device: '', side: 'down', limit: '', clear: '', within: '', hold: '', severity: 'warning', worse: '', worseSeverity: 'critical',
}
/** What a new rule of a kind begins with. */
export const BEGIN: Readonly<Record<Kind, Partial<Form>>> = {
  threshold: { hold: '10m' }, rate: { within: '1h' }, silence: {}, forecast: { within: '6h' }, neighbours: {},
}

type Json = Record<string, unknown>

/** What is no number goes as it was typed: the server says what it must be. */
const numberOf = (text: string): unknown => (text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text)

function conditionOf({ kind, side, within, clear }: Form, limit: string, isStep: boolean): Json {
  switch (kind) {
    case 'threshold':
      return { [side === 'down' ? 'below' : 'above']: numberOf(limit), ...(clear === '' || isStep ? {} : { clear: numberOf(clear) }) }
    case 'rate':
      return { [side === 'down' ? 'falls' : 'rises']: numberOf(limit), within }
    case 'silence':
      return { silent: limit === '' ? 'learned' : limit }
    case 'forecast':
      return { forecast: { [side === 'down' ? 'below' : 'above']: numberOf(limit) }, within }
    case 'neighbours':
      return { deviates: numberOf(limit), from: kind, side: side === 'down' ? 'below' : 'above' }
  }
}

/** The document of a form; what `base` says beyond it stays. */
export function documentOf(form: Form, base: Json = {}): Json {
  const { name, select, when, for: held, severity, steps, ...more } = base
  const which = form.which === 'all' ? {} : { [form.which]: form.device }
  const step = form.worse === '' ? [] : [{ severity: form.worseSeverity, when: conditionOf(form, form.worse, true) }]
  return {
    ...(form.name === '' ? {} : { name: form.name }),
    select: { ...which, metric: form.metric },
    when: conditionOf(form, form.limit, false),
    ...(form.hold === '' ? {} : { for: form.hold }),
    severity: form.severity,
    ...(step.length === 0 ? {} : { steps: step }),
    ...more,
  }
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
const has = (object: Json, ...names: string[]) => Object.keys(object).every((name) => names.includes(name))
const typed = (value: unknown): string | null => (typeof value === 'string' ? value : typeof value === 'number' ? String(value) : null)

/** Kind, side, limit and the rest of a condition; null where the form has no such. */
function partsOf(condition: unknown): Pick<Form, 'kind' | 'side' | 'limit' | 'clear' | 'within'> | null {
  if (!isObject(condition)) return null
  const side = (down: string) => (condition[down] !== undefined ? 'down' : 'up')
  const of = (kind: Kind, at: Form['side'], limit: unknown, { clear = '', within = '' }: { clear?: unknown; within?: unknown } = {}) => {
    const [l, c, w] = [typed(limit), typed(clear), typed(within)]
    return l === null || c === null || w === null ? null : { kind, side: at, limit: l, clear: c, within: w }
  }
  if (has(condition, 'below', 'clear') || has(condition, 'above', 'clear')) return of('threshold', side('below'), condition.below ?? condition.above, { clear: condition.clear })
  if (has(condition, 'falls', 'within') || has(condition, 'rises', 'within')) return of('rate', side('falls'), condition.falls ?? condition.rises, { within: condition.within })
  if (has(condition, 'silent')) return of('silence', 'down', condition.silent === 'learned' ? '' : condition.silent)
  const { forecast, from, side: apart } = condition
  if (from === 'neighbours' && (apart === 'below' || apart === 'above') && has(condition, 'deviates', 'from', 'side')) return of(from, apart === 'below' ? 'down' : 'up', condition.deviates)
  if (!has(condition, 'forecast', 'within') || !isObject(forecast) || !(has(forecast, 'below') || has(forecast, 'above'))) return null
  return of('forecast', forecast.below !== undefined ? 'down' : 'up', forecast.below ?? forecast.above, { within: condition.within })
}

/** The fields that make a document; null where it says more than they could (F2). */
export function formOf(document: unknown): Form | null {
  if (!isObject(document)) return null
  const { name = '', select, when, for: held = '', severity = 'warning', steps = [] } = document as Partial<RuleDocument> & Json
  const parts = partsOf(when)
  if (parts === null || !isObject(select) || !has(select, 'metric', 'device', 'prefix') || !Array.isArray(steps) || steps.length > 1) return null
  const { metric, device, prefix } = select as Json
  if (device !== undefined && prefix !== undefined) return null
  const step: unknown = steps[0]
  let worse: Pick<Form, 'worse' | 'worseSeverity'> = { worse: '', worseSeverity: 'critical' }
  if (step !== undefined) {
    const of = isObject(step) && has(step, 'severity', 'when') ? partsOf(step.when) : null
    if (of === null || of.limit === '' || of.kind !== parts.kind || of.side !== parts.side || of.within !== parts.within || of.clear !== '') return null
    worse = { worse: of.limit, worseSeverity: typed((step as Json).severity) ?? '' }
  }
  const texts = [name, metric, device ?? prefix ?? '', held, severity].map(typed)
  if (texts.includes(null)) return null
  const [called, of, named, hold, grade] = texts as string[]
  return { ...parts, ...worse, name: called, metric: of, which: device !== undefined ? 'device' : prefix !== undefined ? 'prefix' : 'all', device: named, hold, severity: grade }
}

/** A rule's id of its name: `Soil too dry!` becomes `soil-too-dry`. */
export function idOf(name: string): string {
  return name.normalize('NFKD').replace(/[\u0300-\u036f]/g, '').toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 64)
}

/** The field that a pointer of an error is about; null where it is none of the form's. */
export function fieldAt(pointer: string): keyof Form | null {
  const fields: readonly (readonly [RegExp, keyof Form])[] = [
    [/^\/name/, 'name'], [/^\/select\/(device|prefix)/, 'device'], [/^\/select/, 'metric'], [/^\/when\/clear/, 'clear'], [/^\/when\/within/, 'within'], [/^\/when/, 'limit'],
    [/^\/for/, 'hold'], [/^\/severity/, 'severity'], [/^\/steps\/0\/severity/, 'worseSeverity'], [/^\/steps\/0/, 'worse'],
  ]
  return fields.find(([of]) => of.test(pointer))?.[1] ?? null
}
