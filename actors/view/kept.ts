/**
 * Views that are kept: SELECTs of a tenant over its readings, whose rows are there before anybody asks.
 *
 * Owns what such a view is once it is compiled, and how its SQL is put together. Leaves the compiling to compile.ts, the files of parts to the store,
 * and who may name one to the API.
 *
 * A view is kept as parts: to a set of readings belongs a small table, its groups with what of each aggregate can be added up. The
 * parts of a union of sets are the parts of the sets, one below the other, and what the view shows is made of parts alone. So
 *
 * - V1 it does not matter how readings are spread over segments, which of these have their parts stored, or when a reading came: the rows are
 *   those of the same SELECT over all readings, up to the rounding of sums.
 * - V2 parts are only a cache. A segment without them is read itself; so a view is whole from its first moment, and only slower until its parts are there.
 * - V3 A view's parts bear the hash of what they are made by: a view that is changed has others, and two views may share theirs.
 */

import { createHash } from 'node:crypto'

export type Columns = readonly (readonly [name: string, type: string])[]

/** A view as it is compiled: SQL of DuckDB, which names nothing but what is given to it. */
export interface KeptView {
  /** Names the table of its parts. */
  readonly id: string
  /** As it was written. */
  readonly sql: string
  /** What follows `WITH readings AS (…)` and gives parts. */
  readonly partial: string
  /** What follows `WITH parts AS (…)` and gives the rows. */
  readonly shown: string
  /** Columns of the rows. */
  readonly shows: Columns
}

/** By tenant, the views of each by name. */
export type KeptViews = Readonly<Record<string, Readonly<Record<string, KeptView>>>>

const NAME = /^[a-z][a-z0-9_]{0,62}$/
export const VIEW_NAME_RULE = 'of small letters, digits and _, the first a letter, 63 at most'
export const isViewName = (name: string): boolean => NAME.test(name)

const ID = /^[0-9a-f]{16}$/

export function viewId(tenant: string, partial: string): string {
  return createHash('sha256').update(`${tenant}\n${partial}`).digest('hex').slice(0, 16)
}

/** The table of a view's parts in a file. */
export const partsTable = (id: string): string => `parts_${id}`

/** The parts of the readings that `relation` gives, which follows FROM and has the columns of the view `readings`, of the view's tenant alone. */
export function partialSql({ partial }: Pick<KeptView, 'partial'>, relation: string): string {
  return `WITH readings AS (SELECT * FROM ${relation})${partial}`
}

/** No readings, with the columns of such. */
export const NO_READINGS = "(SELECT ''::VARCHAR AS tenant, ''::VARCHAR AS device, ''::VARCHAR AS metric, NULL::TIMESTAMP AS ts, NULL::DOUBLE AS value, NULL::TIMESTAMP AS received_at WHERE false)"

/** The rows of a view, of SELECTs of its parts. Those of no readings are among them: they change nothing, and say of which types parts are. */
export function shownSql(view: Pick<KeptView, 'partial' | 'shown'>, parts: readonly string[]): string {
  return `WITH parts AS (${[partialSql(view, NO_READINGS), ...parts].map((part) => `(${part})`).join(' UNION ALL ')})${view.shown}`
}

/** Whether something that was stored is a view of this tenant: nothing else may come into SQL. */
export function isKeptView(tenant: string, value: unknown): value is KeptView {
  if (typeof value !== 'object' || value === null) return false
  const { id, sql, partial, shown, shows } = value as KeptView
  const isColumns = (list: unknown) => Array.isArray(list) && list.every((column) => Array.isArray(column) && column.length === 2 && column.every((text) => typeof text === 'string'))
  return [id, sql, partial, shown].every((text) => typeof text === 'string') && ID.test(id) && id === viewId(tenant, partial) && isColumns(shows)
}

/** Views as they were stored by tenant; what is none is left out. */
export function keptViewsIn(tenant: string, json: unknown): Readonly<Record<string, KeptView>> {
  if (typeof json !== 'object' || json === null) return {}
  return Object.fromEntries(Object.entries(json).filter(([name, view]) => isViewName(name) && isKeptView(tenant, view)))
}
