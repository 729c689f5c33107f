/**
 * Parameters of a request, from texts to values; each that can't be used is a `ParameterError` that says what it must be.
 */

import { DEVICE_CHARS_MAX, NAMES_MAX, PAGE_ROWS, PAGE_ROWS_MAX } from '../../../runtime/limits.ts'
import type { Range } from '../data/fresh.ts'
import { ParameterError } from './reply.ts'
import type { SeriesFilter } from '../data/series-catalog.ts'
import { parseTime } from '../data/times.ts'
import { SIZE_MUST, parseSize } from '../query/window-grid.ts'
import type { WindowSize } from '../query/window-grid.ts'
import { zoneName } from '../../../runtime/zones.ts'

/** Texts of a query; an empty one counts as left out. */
export type Query = Readonly<Record<string, string | undefined>>

const given = (text: string | undefined): string | undefined => (text === undefined || text === '' ? undefined : text)

const DEVICE = /^[A-Za-z0-9._:/-]{1,128}$/
const METRIC = /^[A-Za-z][A-Za-z0-9_.]{0,63}$/

function namesOf(parameter: string, text: string | undefined, form: RegExp, must: string): ReadonlySet<string> | null {
  const list = given(text)
  if (list === undefined) return null
  const names = new Set(list.split(','))
  for (const name of names) if (!form.test(name)) throw new ParameterError(parameter, must, name)
  if (names.size > NAMES_MAX) throw new ParameterError(parameter, `a list of at most ${NAMES_MAX} names`, `${names.size} names`)
  return names
}

const DEVICE_MUST = '1 to 128 of A-Z a-z 0-9 . _ : / -, several of them with commas between'
const METRIC_MUST = 'a letter and up to 63 of A-Z a-z 0-9 _ ., several of them with commas between'

export function filterOf(query: Query): SeriesFilter {
  const prefix = given(query.prefix) ?? null
  if (prefix !== null && !DEVICE.test(prefix)) {
    throw new ParameterError('prefix', `1 to ${DEVICE_CHARS_MAX} of A-Z a-z 0-9 . _ : / -`, prefix)
  }
  return {
    devices: namesOf('device', query.device, DEVICE, DEVICE_MUST),
    metrics: namesOf('metric', query.metric, METRIC, METRIC_MUST),
    prefix,
  }
}

/** One device and one metric, both needed. */
export function seriesOf(query: Query): { device: string; metric: string } {
  const { devices, metrics } = filterOf(query)
  const one = (parameter: string, names: ReadonlySet<string> | null) => {
    const [name, ...more] = names ?? []
    if (name === undefined || more.length > 0) throw new ParameterError(parameter, `one ${parameter}`, query[parameter] ?? '')
    return name
  }
  return { device: one('device', devices), metric: one('metric', metrics) }
}

const TIME_MUST = 'epoch milliseconds, RFC 3339 as 2026-01-01T00:00:00Z, or a time before now as -1h or -7d'

export function rangeOf(query: Query, nowMs: number, defaults: Range = { from: -Infinity, to: Infinity }): Range {
  const time = (parameter: 'from' | 'to') => {
    const text = given(query[parameter])
    if (text === undefined) return defaults[parameter]
    const ms = parseTime(text, nowMs)
    if (ms === null) throw new ParameterError(parameter, TIME_MUST, text)
    return ms
  }
  const range = { from: time('from'), to: time('to') }
  if (range.from > range.to) throw new ParameterError('to', 'no earlier than from', query.to ?? query.from ?? '')
  return range
}

/** A number within bounds; `integer` (by default) whole. */
export function numberOf(
  parameter: string,
  text: string | undefined,
  options: { fallback: number; min: number; max: number; integer?: boolean },
): number {
  const { fallback, min, max, integer = true } = options
  if (given(text) === undefined) return fallback
  const value = /^-?\d+(\.\d+)?(e[+-]?\d{1,3})?$/i.test(text!) ? Number(text) : NaN
  if (!(value >= min && value <= max) || (integer && !Number.isInteger(value))) {
    throw new ParameterError(parameter, `a ${integer ? 'whole ' : ''}number from ${min} to ${max}`, text!)
  }
  return value
}

export const limitOf = (query: Query) => numberOf('limit', query.limit, { fallback: PAGE_ROWS, min: 1, max: PAGE_ROWS_MAX })

export function choiceOf<T extends string>(parameter: string, text: string | undefined, choices: readonly T[], fallback: T): T {
  const value = given(text) ?? fallback
  if (!(choices as readonly string[]).includes(value)) throw new ParameterError(parameter, `one of ${choices.join(', ')}`, value)
  return value as T
}

/** Several choices with commas between; all of them when left out. */
export function choicesOf<T extends string>(parameter: string, text: string | undefined, choices: readonly T[]): ReadonlySet<T> {
  const list = given(text)
  return new Set(list === undefined ? choices : list.split(',').map((one) => choiceOf(parameter, one, choices, choices[0])))
}

export function sizeOf(query: Query): WindowSize {
  const text = given(query.size) ?? '1m'
  const size = parseSize(text)
  if (size === null) throw new ParameterError('size', SIZE_MUST, text)
  return size
}

/** A time zone by its name in the database; UTC when left out. */
export function zoneOf(query: Query): string {
  const text = given(query.tz) ?? 'UTC'
  const zone = zoneName(text)
  if (zone === null) throw new ParameterError('tz', 'the name of a time zone such as Europe/Vienna', text)
  return zone
}

export const timeMsOf = (query: Query): boolean => choiceOf('time', query.time, ['rfc3339', 'ms'], 'rfc3339') === 'ms'
