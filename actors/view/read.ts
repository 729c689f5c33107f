/** What a SELECT says, with its names resolved as DuckDB resolves them; refused where something stands around it that can't be kept. */

import type { SqlDatabase } from './database.ts'
import type { Source } from './from.ts'
import { check, isAggregate, refuse } from './listed.ts'
import { asDouble, column, folded, isDouble, keyOf, some, within } from './tree.ts'
import type { Node } from './tree.ts'

/** The one SELECT of a statement, where nothing is around it that can't be kept. */
export function selectOf(tree: unknown): Node {
  const { node } = (tree as { statements: { node: Node }[] }).statements[0]
  if (node.type !== 'SELECT_NODE') throw refuse('it must be one SELECT: what several of them give together depends on all rows of each')
  if ((node.cte_map as { map: unknown[] }).map.length > 0) throw refuse('it must be one SELECT without WITH: write what it names where it is used')
  for (const { type } of node.modifiers as { type: string }[]) {
    if (type === 'ORDER_MODIFIER') throw refuse('rows of a view have no order. Give one where the view is read')
    if (type === 'DISTINCT_MODIFIER') throw refuse('rows can only be told apart by their groups. Write a GROUP BY')
    throw refuse('which rows are the first ones changes with each reading. Give a LIMIT where the view is read')
  }
  if (node.sample !== null) throw refuse('each reading has to count')
  if (node.qualify !== null) throw refuse('QUALIFY looks at rows of other groups. Say it where the view is read')
  if ((node.group_sets as unknown[]).length > 1) throw refuse('it must have one grouping: write a view for each')
  return node
}

export interface Parsed {
  readonly items: readonly Node[]
  readonly keys: readonly Node[]
  readonly where: Node | null
  readonly having: Node | null
}

/** What a SELECT says, each name of it a column of its source. */
export function read(select: Node, source: Source, db: SqlDatabase): Parsed {
  const list = select.select_list as Node[]
  const aliases = new Map(list.filter(({ alias }) => alias !== '').map((item) => [folded(item.alias), item]))
  const resolved = (node: Node, depth = 0): Node => {
    check(node, db)
    if (depth > 10) throw refuse('its columns must not be named by each other in a ring', node)
    if (isDouble(node)) return asDouble(node)
    if (node.class !== 'COLUMN_REF') return within({ ...node, alias: '', query_location: 0 }, (child) => resolved(child, depth))
    const names = (node.column_names as string[]).map(folded)
    const name = names.at(-1)!
    const qualified = names.length > 1
    if (names.length > 2 || (qualified && !source.names.has(names[0]))) throw refuse(`${names.join('.')} is no column of ${source.name}`, node)
    if (source.columns.has(name)) return column(name)
    const item = qualified ? undefined : aliases.get(name)
    if (item === undefined) throw refuse(`${name} is no column of ${source.name}`, node)
    return resolved({ ...item, alias: '' }, depth + 1)
  }
  const items = list.map((item) => resolved(item))
  const positions = (node: Node): Node => {
    const { value, type } = (node.value ?? {}) as { value?: unknown; type?: { id: string } }
    const isPosition = node.class === 'CONSTANT' && type?.id === 'INTEGER' && typeof value === 'number'
    return isPosition ? items[Number(value) - 1] : resolved(node)
  }
  const hasAggregate = (node: Node) => some(node, (of) => isAggregate(of, db))
  const isAll = select.aggregate_handling === 'FORCE_AGGREGATES'
  const given = isAll ? items.filter((item) => !hasAggregate(item)) : (select.group_expressions as Node[]).map(positions)
  const keys = [...new Map(given.map((key) => [keyOf(key), key])).values()]
  if (keys.length === 0 && !items.some(hasAggregate)) throw refuse('it must group readings: a view has a row for each group. Write a GROUP BY')
  const where = select.where_clause === null ? null : resolved(select.where_clause as Node)
  const having = select.having === null ? null : resolved(select.having as Node)
  return { items, keys, where, having }
}
