/** What a view stands on, as its FROM says it: the SQL of the rows, and their columns. */

import type { SqlDatabase } from './database.ts'
import type { Columns } from './kept.ts'
import { refuse } from './listed.ts'
import { HOPPING, hoppingSql, SESSIONS, sessionsSql, SOURCE_COLUMNS, SOURCES, windowStarts } from './sources.ts'
import { bare, folded, selectTree, some } from './tree.ts'
import type { Node } from './tree.ts'

/** A hopping window may overlap so many others: each reading stands in the parts of all. */
const WINDOWS_AT_ONCE_MAX = 200
const READING: Columns = [['tenant', 'VARCHAR'], ['device', 'VARCHAR'], ['metric', 'VARCHAR'], ['ts', 'TIMESTAMP'], ['value', 'DOUBLE'], ['received_at', 'TIMESTAMP']]

export interface Source {
  readonly name: string
  /** The rows that the SELECT stands on, of the relation `readings`. */
  readonly sql: string
  /** As SQL. */
  readonly arguments: readonly string[]
  readonly columns: ReadonlySet<string>
  /** Names by which columns may be qualified. */
  readonly names: ReadonlySet<string>
}

export async function sourceOf(from: Node, db: SqlDatabase): Promise<Source> {
  const source = (name: string, sql: string, given: readonly string[]): Source => {
    const columns = [...READING, ...(SOURCE_COLUMNS[name] ?? [])].map(([of]) => of)
    return { name, sql, arguments: given, columns: new Set(columns), names: new Set([name, folded(from.alias)]) }
  }
  const only = `it must stand on readings, ${HOPPING}(slide, size) or ${SESSIONS}(gap)`
  if (from.sample !== undefined && from.sample !== null) throw refuse('each reading has to count', from)
  if (((from.column_name_alias as unknown[]) ?? []).length > 0) throw refuse('the columns of readings keep their names here', from)
  if (from.type === 'BASE_TABLE' && folded(from.table_name) === 'readings') return source('readings', 'SELECT * FROM readings', [])
  if (from.type === 'JOIN') throw refuse(`${only} alone: what is joined may change without a reading. Join it where the view is read`, from)
  if (from.type === 'BASE_TABLE' && folded(from.table_name) === 'windows') throw refuse(`${only}: rows of windows change until they are closed`, from)
  if (from.type !== 'TABLE_FUNCTION') throw refuse(only, from)
  const made = from.function as Node
  const name = folded(made.function_name)
  if (!Object.hasOwn(SOURCES, name)) throw refuse(only, from)
  const children = made.children as Node[]
  const wanted = SOURCES[name]
  if (children.length !== wanted.length || children.some(({ alias }) => alias !== '')) throw refuse(`${name} takes ${wanted.join(', ')}, in this order and without their names`, from)
  for (const child of children) if (some(child, (node) => node.class === 'COLUMN_REF' || node.class === 'SUBQUERY')) throw refuse(`what ${name} takes must be an interval, as INTERVAL '1 hour'`, from)
  const textOf = async (child: Node) => `CAST(${(await db.write(selectTree({ list: [bare(child)], table: 'x' }))).replace(/^SELECT /, '').replace(/ FROM x$/, '')} AS INTERVAL)`
  const given = await Promise.all(children.map(textOf))
  for (const [i, interval] of given.entries()) {
    if ((await db.value(`SELECT TIMESTAMP '2024-01-01' + ${interval} > TIMESTAMP '2024-01-01'`)) !== true) throw refuse(`${wanted[i]} must be an interval longer than none`, from)
  }
  if (name === SESSIONS) return source(name, sessionsSql('readings', given[0]), given)
  const count = Number(await db.value(`SELECT len(${windowStarts("TIMESTAMP '2024-03-01'", given[0], given[1])})`))
  if (count > WINDOWS_AT_ONCE_MAX) throw refuse(`a reading may be in at most ${WINDOWS_AT_ONCE_MAX} windows at once: of slide and size it comes to ${count}`, from)
  return source(name, hoppingSql('readings', given[0], given[1]), given)
}
