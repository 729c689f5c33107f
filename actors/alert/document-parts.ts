/** Parts of a document that people write: each read with its place in it, so that an error points there (JSON Pointer, RFC 6901). */

import { parseDuration } from '../../runtime/config.ts'

export interface Place {
  /** Empty for the whole document. */
  readonly pointer: string
  readonly value: unknown
}

/** Why a document is no rule, in words that say what to do. */
export class RuleError extends Error {
  readonly pointer: string
  /** What is wrong, without what it is wrong of. */
  readonly trouble: string

  /** `must` completes "… must be". */
  constructor({ pointer, value }: Place, must: string, current: unknown = value) {
    const shown = (current === undefined ? 'nothing' : (JSON.stringify(current) ?? String(current))).slice(0, 80)
    const trouble = `${pointer === '' ? 'it' : pointer} must be ${must}: current value is ${shown}`
    super(`Cannot use this rule as ${trouble}`)
    this.trouble = trouble
    this.name = 'RuleError'
    this.pointer = pointer
  }
}

export function objectOf(place: Place): Record<string, unknown> {
  const { value } = place
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new RuleError(place, 'an object')
  return value as Record<string, unknown>
}

/** Gives the fields of an object by name, null for one that is not there; refuses those that are not `known`, and misses those that are `needed`. */
export function fields(place: Place, known: readonly string[], needed: readonly string[]): (name: string) => Place | null {
  const object = objectOf(place)
  for (const name of Object.keys(object)) {
    if (!known.includes(name)) throw new RuleError({ pointer: `${place.pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, value: name }, `left out, or one of ${known.join(', ')}`)
  }
  for (const name of needed) if (object[name] === undefined) throw new RuleError({ pointer: `${place.pointer}/${name}`, value: undefined }, 'there')
  return (name) => (object[name] === undefined ? null : { pointer: `${place.pointer}/${name}`, value: object[name] })
}

/** The entries of a list; none where it is left out. */
export function listOf(place: Place | null, { least = 0, most }: { least?: number; most: number }): Place[] {
  if (place === null) return []
  const { pointer, value } = place
  if (!Array.isArray(value) || value.length < least || value.length > most) throw new RuleError(place, `a list of ${least === 0 ? 'at most' : `${least} to`} ${most}`, Array.isArray(value) ? value.length : value)
  return value.map((entry: unknown, i) => ({ pointer: `${pointer}/${i}`, value: entry }))
}

export function textOf(place: Place, { charsMax, form = /^/, must = `a text of 1 to ${charsMax} characters` }: { charsMax: number; form?: RegExp; must?: string }): string {
  const { value } = place
  if (typeof value !== 'string' || value === '' || value.length > charsMax || !form.test(value)) throw new RuleError(place, must)
  return value
}

export function numberOf(place: Place | null, { fallback, min = -1e100, max = 1e100, whole = false }: { fallback?: number; min?: number; max?: number; whole?: boolean }): number {
  if (place === null && fallback !== undefined) return fallback
  const value = place?.value
  if (typeof value !== 'number' || !(value >= min && value <= max) || (whole && !Number.isInteger(value))) {
    const bounds = min === -1e100 ? '' : ` from ${min}${max === 1e100 ? ' up' : ` to ${max}`}`
    throw new RuleError(place!, `a ${whole ? 'whole ' : ''}number${bounds}`)
  }
  return value
}

/** A duration as `30s`, `10m`, `6h`, in ms. */
export function durationOf(place: Place | null, { fallback, min = 0, max }: { fallback?: number; min?: number; max: number }): number {
  if (place === null && fallback !== undefined) return fallback
  const ms = typeof place?.value === 'string' ? parseDuration(place.value) : null
  if (ms === null || ms < min || ms > max) throw new RuleError(place!, `a duration such as 10m or 6h, of ${min === 0 ? '' : `${min / 1_000}s to `}at most ${max / 3_600_000}h`)
  return ms
}
