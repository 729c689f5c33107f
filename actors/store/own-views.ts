/**
 * The views of own actors: a name and columns each, as their commits say them, over the table `own_rows`, which holds every row as JSON.
 *
 * Owns which definitions are sound, and their SQL. Leaves the rows to plain.ts.
 *
 * - V1 A definition goes into SQL only where each of its names is of letters that need no quotes, and the actor's is nobody else's; what a log says may be anybody's.
 */

import type { OwnView } from '../partition/effects.ts'
import { isReservedName } from '../reading/reserved-names.ts'
import { literal } from './tables.ts'

/** Columns with their types, by the actor's name, which is the view's. */
export type OwnViews = Readonly<Record<string, readonly (readonly [name: string, type: string])[]>>

const NAME = /^[a-z][a-z0-9_]{0,62}$/
/** A value of JSON as a column of a type. */
const CASTS: Readonly<Record<string, (text: string) => string>> = {
  DOUBLE: (text) => `TRY_CAST(${text} AS DOUBLE)`,
  BIGINT: (text) => `TRY_CAST(${text} AS BIGINT)`,
  BOOLEAN: (text) => `TRY_CAST(${text} AS BOOLEAN)`,
  VARCHAR: (text) => text,
  TIMESTAMP: (text) => `make_timestamp(TRY_CAST(${text} AS BIGINT) * 1000)`,
}

export function isSoundView(actor: unknown, columns: unknown): boolean {
  const isColumn = (column: unknown) => Array.isArray(column) && column.length === 2 && NAME.test(String(column[0])) && Object.hasOwn(CASTS, String(column[1]))
  return typeof actor === 'string' && NAME.test(actor) && !isReservedName(actor) && Array.isArray(columns) && columns.length <= 64 && columns.every(isColumn)
}

/** `views` with what a commit says of its own; the same object where that is nothing new. */
export function withView(views: OwnViews, said: OwnView | null): OwnViews {
  if (said === null || !isSoundView(said.actor, said.columns)) return views
  if (JSON.stringify(views[said.actor]) === JSON.stringify(said.columns)) return views
  return { ...views, [said.actor]: said.columns }
}

/** The SELECT of an actor's view. `rows` is a relation as the view `own_rows` shows it. */
export function ownViewSql(actor: string, columns: OwnViews[string], rows: string): string {
  const shown = columns.map(([name, type]) => `, ${CASTS[type](`json_extract_string(body, ${literal(`$.${name}`)})`)} AS "${name}"`)
  return `SELECT tenant, key, "at"${shown.join('')} FROM ${rows} WHERE actor = ${literal(actor)}`
}

/** Its columns as an analyst sees them. */
export const ownViewColumns = (columns: OwnViews[string]): readonly (readonly [name: string, type: string])[] => [['tenant', 'VARCHAR'], ['key', 'VARCHAR'], ['at', 'TIMESTAMP'], ...columns]
