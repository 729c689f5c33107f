/**
 * Compiles a SELECT into a view that is kept (kept.ts), or says why it can't be.
 *
 * Owns what of SQL can be kept up to date, which follows from one question: can the rows be made of the parts of readings that were taken apart in any
 * way? Takes DuckDB's own syntax tree and gives its pieces back to DuckDB to write, so that nobody here parses or prints SQL. Leaves to DuckDB whether
 * a statement makes sense, and to its caller that the tree holds nothing which a public query may not hold.
 *
 * The SQL goes in steps, each on the one before. Parts: `source`, its groups as k0, k1, … and the stored columns a0, a1, …. Rows: `whole`, the stored columns
 * as they were before a table took them apart; `grouped`, what was added up, m0_0, …; `merged`, the value f0, f1, … of each aggregate; and the SELECT as it was
 * written, over these.
 */

import { KEPT, keptName } from './aggregates.ts'
import type { Kept } from './aggregates.ts'
import type { SqlDatabase } from './database.ts'
import { sourceOf } from './from.ts'
import { NO_READINGS, partialSql, shownSql, viewId } from './kept.ts'
import type { Columns, KeptView } from './kept.ts'
import { isAggregate, refuse } from './listed.ts'
import { read, selectOf } from './read.ts'
import { checkSessions, checkUnbound, joinedSessions, SESSION_PARTS } from './sessions.ts'
import { SESSIONS } from './sources.ts'
import { both, call, column, folded, isKnown, keyOf, named, selectTree, some, treeOf, within } from './tree.ts'
import type { Node } from './tree.ts'

/** Compiles a text, of which `parsed` is what `json_serialize_sql` gives. Throws `ViewError`, and what the database throws. */
export async function compileView(tenant: string, parsed: string, sql: string, db: SqlDatabase): Promise<KeptView> {
  const select = selectOf(treeOf(parsed))
  const source = await sourceOf(select.from_table as Node, db)
  const shows = await db.describe(sql.replace(/;[\s;]*$/, ''))
  checkColumns(shows)
  const { items, keys, where, having } = read(select, source, db)
  const isSessions = source.name === SESSIONS
  if (isSessions) checkSessions(keys, where)

  // A session is one of all its readings; which of them are asked about is up to each aggregate.
  const stored = new Stored(isSessions ? where : null)
  const matched = isSessions ? stored.column(call('count_star', [], where)) : null
  const shownOf = (expression: Node): Node => {
    const key = keys.findIndex((of) => keyOf(of) === keyOf(expression))
    if (key >= 0) return column(`k${key}`)
    if (expression.class === 'COLUMN_REF') throw refuse(`${(expression.column_names as string[])[0]} must stand in GROUP BY, or within an aggregate`)
    if (!isAggregate(expression, db)) return within(expression, shownOf)
    if (isSessions) checkUnbound(expression)
    return column(`f${stored.aggregate(expression, db)}`)
  }
  const list = items.map((item, i) => named(shownOf(item), shows[i][0]))
  const filter = having === null ? null : shownOf(having)

  const groups = isSessions ? SESSION_PARTS.map(column) : keys
  const groupNames = groups.map((_, i) => `k${i}`)
  const inner = [...groups.map((key, i) => named(storable(key), `k${i}`)), ...stored.columns.map((part, i) => named(part, `a${i}`))]
  const written = await db.write(selectTree({ list: inner, table: 'source', where: isSessions ? null : where, groups: groups.length }))
  const partial = `, source AS (${source.sql}) SELECT ${[...groupNames, ...stored.takenApart()].join(', ')} FROM (${written})`
  checkStored(await db.describe(partialSql({ partial }, NO_READINGS)))

  const keyNames = keys.map((_, i) => `k${i}`)
  const { sums, values } = stored.merged()
  if (matched !== null) sums.push(`sum(a${matched}) AS matched`)
  const byKeys = `SELECT ${[...keyNames, ...sums].join(', ')} FROM whole${keys.length === 0 ? '' : ` GROUP BY ${keyNames.join(', ')}`}`
  const steps = [
    `whole AS (SELECT ${[...groupNames, ...stored.putTogether()].join(', ')} FROM parts)`,
    `grouped AS (${isSessions ? joinedSessions(keys, source.arguments[0], sums) : byKeys})`,
    `merged AS (SELECT ${[...keyNames, ...values].join(', ')} FROM grouped${matched === null ? '' : ' WHERE matched > 0'})`,
  ]
  const last = await db.write(selectTree({ list, table: 'merged', where: filter }))
  const view = { id: viewId(tenant, partial), sql, partial, shown: `, ${steps.join(', ')} ${last}`, shows }
  // What DuckDB makes of sums may be wider than what it makes of readings.
  const types = await db.describe(shownSql(view, []))
  if (types.every(([, type], i) => type === shows[i][1])) return view
  const cast = shows.map(([name, type], i) => (type === types[i][1] ? quoted(name) : `CAST(${quoted(name)} AS ${type}) AS ${quoted(name)}`))
  return { ...view, shown: `, ${steps.join(', ')} SELECT ${cast.join(', ')} FROM (${last})` }
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`

function checkColumns(shows: Columns): void {
  if (new Set(shows.map(([name]) => folded(name))).size < shows.length) throw refuse('each of its columns must have a name of its own. Name them by AS')
  for (const [name, type] of shows) {
    if (type.includes('STRUCT(')) throw refuse(`${name} must be one value, or several that are columns each: it is a ${type}`)
  }
}

function checkStored(columns: Columns): void {
  for (const [, type] of columns) {
    if (/^[A-Z]+( WITH TIME ZONE)?(\([0-9,]+\))?$/.test(type)) continue
    throw refuse(`each value that it stores must be one, and none is a ${type}. Several, as in (ts, value), may stand for the order of arg_min and arg_max`)
  }
}

/** The stored columns of a view, and the aggregates that are made of them; each once, however often the SELECT says it. */
class Stored {
  readonly columns: Node[] = []
  readonly #asked: Node | null
  #places = new Map<string, number>()
  #aggregates = new Map<string, { readonly kept: Kept; readonly places: readonly number[] }>()

  /** @param asked the condition on rows that each aggregate has for itself. */
  constructor(asked: Node | null) {
    this.#asked = asked
  }

  /** The place of a column. */
  column(node: Node): number {
    const key = keyOf(node)
    if (!this.#places.has(key)) this.#places.set(key, this.columns.push(storable(node)) - 1)
    return this.#places.get(key)!
  }

  /** The place of an aggregate. */
  aggregate(node: Node, db: SqlDatabase): number {
    const key = keyOf(node)
    if (!this.#aggregates.has(key)) {
      const kept = KEPT[keptName(folded(node.function_name))]
      this.#aggregates.set(key, { kept, places: this.#partsOf(node, kept, db).map((part) => this.column(part)) })
    }
    return [...this.#aggregates.keys()].indexOf(key)
  }

  #partsOf(node: Node, kept: Kept, db: SqlDatabase): Node[] {
    const [x, y] = node.children as Node[]
    for (const child of [x, y, node.filter as Node | null]) if (child && some(child, (of) => isAggregate(of, db))) throw refuse('an aggregate must not stand within another')
    const filter = both(this.#asked, node.filter as Node | null)
    return kept.parts.map(({ call: name, args, times, known }) => {
      const rows = known === true ? both(filter, isKnown(x)) : filter
      const made = call(name, args.map((arg) => (arg === 'x' ? x : y)), rows)
      return times === undefined ? made : call('*', [made, call(times, [x], rows)])
    })
  }

  /** Of a column of values of several, which no reader of tables gives back whole (DuckDB 1.5 reads NULL for each of them), how many they are; else 0. */
  #width(i: number): number {
    const [x] = this.columns[i].children as Node[]
    return x?.class === 'FUNCTION' && x.function_name === 'struct_pack' ? (x.children as unknown[]).length : 0
  }

  /** The columns as a table has them, one value each. */
  takenApart(): string[] {
    return this.columns.flatMap((_, i) => (this.#width(i) === 0 ? [`a${i}`] : Array.from({ length: this.#width(i) }, (_, v) => `a${i}.v${v} AS a${i}_${v}`)))
  }

  /** And of these as they were. */
  putTogether(): string[] {
    return this.columns.map((_, i) => (this.#width(i) === 0 ? `a${i}` : `{${Array.from({ length: this.#width(i) }, (_, v) => `'v${v}': a${i}_${v}`).join(', ')}} AS a${i}`))
  }

  /** How columns are added up, and what is made of the sums. */
  merged(): { sums: string[]; values: string[] } {
    const sums: string[] = []
    const values: string[] = []
    for (const [i, { kept, places }] of [...this.#aggregates.values()].entries()) {
      const merged = kept.merge(places.map((place) => `a${place}`))
      for (const [j, sum] of merged.entries()) sums.push(`${sum} AS m${i}_${j}`)
      values.push(`${kept.value(merged.map((_, j) => `m${i}_${j}`))} AS f${i}`)
    }
    return { sums, values }
  }
}

/** A value of several without names, as `(ts, value)`, has them given, so that they can be asked for. */
function storable(node: Node): Node {
  const children = within(node, storable)
  if (node.class !== 'FUNCTION' || folded(node.function_name) !== 'row') return children
  return { ...children, function_name: 'struct_pack', schema: '', children: (children.children as Node[]).map((child, i) => named(child, `v${i}`)) }
}
