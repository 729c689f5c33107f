/**
 * Units: what a metric is called, what it is measured in, how many decimals are worth showing, and over which range.
 *
 * Owns the registry: built-in entries (units/defaults.ts), and those that a tenant has edited, which go before. Leaves HTTP to http/routes-units.ts, and
 * the choice among entries that fit a metric to who shows it (the rule is V1).
 *
 * Like labels on the drawers of a workshop: anybody may rewrite one, and what is in the drawer stays as it is.
 *
 * Invariants
 * - V1 For a metric holds, among edited entries before built-in ones, the entry of its very name, else that of the longest beginning (`temp*`).
 * - V2 All of a tenant's edited entries are one value in the log's key-value store (runtime/tenant-values.ts).
 * - V3 What is stored was checked; bytes that can't be read count as no edits, and are overwritten by the next one.
 */

import { UNITS_MAX } from '../../../runtime/limits.ts'
import type { KeyValue } from '../../../runtime/log.ts'
import { TenantValues } from '../../../runtime/tenant-values.ts'
import type { Revised } from '../../../runtime/tenant-values.ts'

export interface Unit {
  /** Empty: the metric's own name, in words. */
  readonly label: string
  /** The symbol; empty for a bare number. */
  readonly unit: string
  readonly decimals: number
  /** Range that a chart shows at least; null where the values decide. */
  readonly range: readonly [least: number, most: number] | null
}

/** The edited entries of a tenant. `revision` grows with each change; 0 where nothing was ever edited. */
export interface EditedUnits {
  readonly revision: number
  readonly units: Readonly<Record<string, Unit>>
}

/** Why an entry can't be stored: `pointer` (RFC 6901) names the place in the body, '' the whole. */
export class UnitError extends Error {
  readonly pointer: string

  constructor(pointer: string, must: string, current: unknown) {
    super(`Cannot use ${pointer === '' ? 'the body' : pointer.slice(1)} as it must be ${must}: current value is ${JSON.stringify(current) ?? 'missing'}`)
    this.name = 'UnitError'
    this.pointer = pointer
  }
}

const NAME = /^[A-Za-z][A-Za-z0-9_.]{0,63}\*?$/

export class UnitRegistry {
  readonly #values: TenantValues<EditedUnits['units']>

  private constructor(values: TenantValues<EditedUnits['units']>) {
    this.#values = values
  }

  /** Reads what was edited, and follows the changes until `close`. */
  static async open(kv: KeyValue): Promise<UnitRegistry> {
    return new UnitRegistry(await TenantValues.open<EditedUnits['units']>({ kv, name: 'units', none: {}, decode }))
  }

  close(): void {
    this.#values.close()
  }

  edited(tenant: string): EditedUnits {
    return shown(this.#values.of(tenant))
  }

  /** Stores the entry of a metric, or of a beginning. `known`: the revision that must still hold (`RevisionError`), null for any. */
  async put(tenant: string, name: string, unit: Unit, known: number | null): Promise<EditedUnits> {
    const stored = await this.#values.change(tenant, known, (units) => {
      const next = { ...units, [name]: unit }
      if (Object.keys(next).length > UNITS_MAX) throw new UnitError('', `one of at most ${UNITS_MAX} edited entries`, Object.keys(next).length)
      return next
    })
    return shown(stored)
  }

  /** Takes an edited entry out, so that the built-in one holds again. Null where there is none. */
  async delete(tenant: string, name: string, known: number | null): Promise<EditedUnits | null> {
    const stored = await this.#values.change(tenant, known, (units) => {
      const { [name]: _gone, ...rest } = units
      return Object.hasOwn(units, name) ? rest : null
    })
    return stored === null ? null : shown(stored)
  }
}

const shown = ({ revision, value }: Revised<EditedUnits['units']>): EditedUnits => ({ revision, units: value })

/** Whether `name` is that of a metric, or of a beginning of metrics (`soil_*`). */
export function isUnitName(name: string): boolean {
  return NAME.test(name)
}

/** The entry that a body asks for. Throws `UnitError` with the place that can't be used. */
export function parseUnit(body: unknown): Unit {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new UnitError('', 'an object with label, unit, decimals and range', body)
  const { label = '', unit = '', decimals = 2, range = null, ...others } = body as Record<string, unknown>
  const [other] = Object.keys(others)
  if (other !== undefined) throw new UnitError(`/${other}`, 'left out: the members are label, unit, decimals, range', others[other])
  return { label: wordsOf('/label', label, 64), unit: wordsOf('/unit', unit, 16), decimals: decimalsOf(decimals), range: spanOf(range) }
}

function wordsOf(pointer: string, value: unknown, charsMax: number): string {
  if (typeof value === 'string' && [...value].length <= charsMax && !/\p{Cc}/u.test(value)) return value.trim()
  throw new UnitError(pointer, `a text of at most ${charsMax} characters on one line`, value)
}

function decimalsOf(value: unknown): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 8) return value as number
  throw new UnitError('/decimals', 'a whole number from 0 to 8', value)
}

function spanOf(value: unknown): Unit['range'] {
  if (value === null) return null
  if (!Array.isArray(value) || value.length !== 2) throw new UnitError('/range', 'null, or an array of two numbers, the least and the greatest', value)
  for (const [i, end] of value.entries()) {
    if (typeof end !== 'number' || !Number.isFinite(end)) throw new UnitError(`/range/${i}`, 'a number', end)
  }
  const [least, most] = value as [number, number]
  if (least >= most) throw new UnitError('/range/1', `more than the least, ${least}`, most)
  return [least, most]
}

/** V3 */
function decode(json: unknown): EditedUnits['units'] {
  return Object.fromEntries(Object.entries(json as Record<string, unknown>).map(([name, unit]) => [name, parseUnit(unit)]))
}
