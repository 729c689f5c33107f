/**
 * The gate: which parsed statements may run.
 *
 * A doorman with a guest list. He reads DuckDB's own syntax tree (`json_serialize_sql`) from top to bottom, and who is not on the list stays
 * outside, however well dressed: settings of DuckDB do not hold a stranger's SQL back by themselves.
 *
 * Owns the list of nodes, and the walk. Leaves functions to functions.ts, the parsing to session.ts, and to DuckDB whether it makes sense.
 *
 * - G1 A node, or a field of a node, that is not listed here is refused. So a new version of DuckDB brings nothing in unseen.
 * - G2 A table is one of `VIEWS`, or a CTE at a place where DuckDB would find that CTE; neither is ever qualified. A quoted file name, a table
 *   of the catalog, a segment are none.
 * - G3 Functions, types and collations are never qualified; a function is one of functions.ts.
 * - G4 Exactly one statement, bounded in its nodes and their depth: beyond some depth parts of DuckDB can't be interrupted.
 */

import { SQL_DEPTH_MAX, SQL_NODES_MAX } from '../../../runtime/limits.ts'
import { SOURCES } from '../../view/sources.ts'
import { ALLOWED_CALLS, ALLOWED_TABLES, SYNTAX_CALLS } from './functions.ts'
import { SqlError } from './frames.ts'
import { VIEWS } from './views.ts'
import type { ViewName } from './views.ts'

/** A statement that may not run, or (`invalid`) that can't be read. */
export class Refusal extends SqlError {
  constructor(message: string, position: number | null = null, code: 'refused' | 'invalid' = 'refused') {
    super(code, message, position)
    this.name = 'Refusal'
  }
}

/** A name as DuckDB compares it: only ASCII has no case. With more than that, a CTE's name with a Kelvin sign would let a table with a k pass. */
const folded = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
const allFolded = (names: ReadonlySet<string>) => new Set([...names].map(folded))
const CALLS = allFolded(new Set([...ALLOWED_CALLS, ...SYNTAX_CALLS]))
const TABLES = allFolded(ALLOWED_TABLES)

type Node = Record<string, unknown>
/** Names of the CTEs that are visible, folded. */
type Scope = ReadonlySet<string>
/** Looks at one field of a node. */
type Look = (walk: Walk, value: unknown, scope: Scope, node: Node) => void
type Fields = Readonly<Record<string, Look>>

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value)

const isScalar = (value: unknown): boolean => typeof value !== 'object' || value === null || (Array.isArray(value) && value.every(isScalar))
/** Texts, numbers and flags, or lists of them, that name nothing outside of the query. */
const plain: Look = (_walk, value, _scope, node) => {
  if (!isScalar(value)) throw unknownShape('a list or a node where a text stands', node)
}
/** A value of any type, and what is told of one: data, in which there is no expression and no table. */
const inert: Look = (walk, value, scope, node) => {
  if (Array.isArray(value)) for (const item of value) inert(walk, item, scope, node)
  else if (isNode(value)) {
    if ('class' in value || 'function_name' in value || 'table_name' in value || 'select_list' in value) throw unknownShape('an expression within a value', node)
    for (const item of Object.values(value)) inert(walk, item, scope, node)
  }
}
/** What must not be there: empty, zero, false or null. */
const none: Look = (_walk, value, _scope, node) => {
  const empty = value === null || value === '' || value === false || (Array.isArray(value) && value.length === 0)
  if (!empty) throw new Refusal('Cannot run the query as names must not be qualified, and tables be of no other version than the present one', placeOf(node))
}
/** The schema of a function: the parser itself writes `main` before some. */
const schema: Look = (walk, value, scope, node) => {
  if (value !== 'main') none(walk, value, scope, node)
}
const expression: Look = (walk, value, scope) => {
  if (value !== null) walk.expression(value, scope)
}
const table: Look = (walk, value, scope) => walk.table(value, scope)
const select: Look = (walk, value, scope) => walk.select(value, scope)
const listOf =
  (look: Look): Look =>
  (walk, value, scope, node) => {
    if (!Array.isArray(value)) throw unknownShape('a list', node)
    for (const item of value) look(walk, item, scope, node)
  }
const fieldsOf =
  (fields: Fields): Look =>
  (walk, value, scope) =>
    walk.fields(value, fields, scope)
const expressions = listOf(expression)
const maybe =
  (look: Look): Look =>
  (walk, value, scope, node) => {
    if (value !== null) look(walk, value, scope, node)
  }
/** `{node, named_param_map}`: how a query stands within another. */
const query = fieldsOf({ node: select, named_param_map: inert })
const orders = listOf(fieldsOf({ type: plain, null_order: plain, expression }))

const called =
  (names: ReadonlySet<string>, what: string): Look =>
  (walk, value, _scope, node) => {
    if (typeof value === 'string' && names.has(folded(value))) return void walk.calls.add(folded(value))
    throw new Refusal(`Cannot run the query as ${what} must be one that a public query may call: current value is ${told(value)}`, placeOf(node))
  }

/** A function of a FROM: one of DuckDB's, or one that is made of the readings. */
const calledTable: Look = (walk, value, scope, node) => {
  if (typeof value !== 'string' || !Object.hasOwn(SOURCES, folded(value))) return called(TABLES, 'a table function')(walk, value, scope, node)
  walk.sources.add(folded(value))
  walk.calls.add(folded(value))
  walk.views.add('readings')
}

const typeInfo = fieldsOf({
  type: plain, alias: plain, extension_info: none, child_type: (walk, value, scope) => type(walk, value, scope, {}), size: plain, width: plain, scale: plain,
  child_types: listOf(fieldsOf({ first: plain, second: (walk, value, scope) => type(walk, value, scope, {}) })),
  name: plain, catalog: none, schema: none, user_type_modifiers: inert, collation: plain, values: inert, values_count: plain, dict_type: plain,
})
const type: Look = fieldsOf({ id: plain, type_info: maybe(typeInfo) })
const constant: Look = fieldsOf({ type, is_null: plain, value: inert })

const EXPRESSION = { class: plain, type: plain, alias: plain, query_location: plain } as const
const COMPARISONS = ['EQUAL', 'NOTEQUAL', 'LESSTHAN', 'GREATERTHAN', 'LESSTHANOREQUALTO', 'GREATERTHANOREQUALTO', 'DISTINCT_FROM', 'NOT_DISTINCT_FROM']
const WINDOWS = ['AGGREGATE', 'ROW_NUMBER', 'RANK', 'RANK_DENSE', 'PERCENT_RANK', 'CUME_DIST', 'NTILE', 'FIRST_VALUE', 'LAST_VALUE', 'NTH_VALUE', 'LEAD', 'LAG', 'FILL']
const OPERATORS = [
  'ARRAY_EXTRACT', 'ARRAY_SLICE', 'COMPARE_IN', 'COMPARE_NOT_IN', 'GROUPING_FUNCTION', 'OPERATOR_COALESCE', 'OPERATOR_IS_NOT_NULL', 'OPERATOR_IS_NULL',
  'OPERATOR_NOT', 'OPERATOR_TRY', 'OPERATOR_UNPACK', 'STRUCT_EXTRACT',
]

/** By class, the types of an expression and its fields beside those of all. */
const EXPRESSIONS: Readonly<Record<string, { readonly types: readonly string[]; readonly fields: Fields }>> = {
  BETWEEN: { types: ['COMPARE_BETWEEN'], fields: { input: expression, lower: expression, upper: expression } },
  CASE: { types: ['CASE_EXPR'], fields: { case_checks: listOf(fieldsOf({ when_expr: expression, then_expr: expression })), else_expr: expression } },
  CAST: { types: ['OPERATOR_CAST'], fields: { child: expression, cast_type: type, try_cast: plain } },
  COLLATE: { types: ['COLLATE'], fields: { child: expression, collation: plain } },
  COLUMN_REF: { types: ['COLUMN_REF'], fields: { column_names: plain } },
  COMPARISON: { types: COMPARISONS.map((name) => `COMPARE_${name}`), fields: { left: expression, right: expression } },
  CONJUNCTION: { types: ['CONJUNCTION_AND', 'CONJUNCTION_OR'], fields: { children: expressions } },
  CONSTANT: { types: ['VALUE_CONSTANT'], fields: { value: constant } },
  FUNCTION: {
    types: ['FUNCTION'],
    fields: {
      function_name: called(CALLS, 'a function'), schema, catalog: none, children: expressions, filter: expression,
      order_bys: fieldsOf({ type: plain, orders }), distinct: plain, is_operator: plain, export_state: none,
    },
  },
  LAMBDA: { types: ['LAMBDA'], fields: { lhs: expression, expr: expression } },
  OPERATOR: { types: OPERATORS, fields: { children: expressions } },
  PARAMETER: { types: ['VALUE_PARAMETER'], fields: { identifier: plain } },
  POSITIONAL_REFERENCE: { types: ['POSITIONAL_REFERENCE'], fields: { index: plain } },
  STAR: {
    types: ['STAR'],
    fields: {
      relation_name: plain, exclude_list: plain, qualified_exclude_list: inert, rename_list: inert, columns: plain, expr: expression,
      replace_list: listOf(fieldsOf({ key: plain, value: expression })),
    },
  },
  SUBQUERY: { types: ['SUBQUERY'], fields: { subquery_type: plain, subquery: query, child: expression, comparison_type: plain } },
  WINDOW: {
    types: WINDOWS.map((name) => `WINDOW_${name}`),
    fields: {
      function_name: called(CALLS, 'a function'), schema, catalog: none, children: expressions, partitions: expressions, orders, start: plain, end: plain,
      start_expr: expression, end_expr: expression, offset_expr: expression, default_expr: expression, ignore_nulls: plain, filter_expr: expression,
      exclude_clause: plain, distinct: plain, arg_orders: orders,
    },
  },
}

const TABLE = { type: plain, alias: plain, sample: inert, query_location: plain } as const
const named: Look = (walk, value, scope, node) => walk.name(value, scope, node)
const shown: Look = (_walk, value, _scope, node) => {
  if (value !== 'DESCRIBE' && value !== 'SUMMARY') throw new Refusal('Cannot run the query as only a query or a view can be shown: name one of them', placeOf(node))
}
/** By type, the fields of what stands in a FROM, beside those of all. */
const TABLE_REFERENCES: Readonly<Record<string, Fields>> = {
  BASE_TABLE: { table_name: named, schema_name: none, catalog_name: none, column_name_alias: plain, at_clause: none },
  EMPTY: {},
  EXPRESSION_LIST: { expected_names: plain, expected_types: none, values: listOf(expressions) },
  JOIN: {
    left: table, right: table, condition: expression, join_type: plain, ref_type: plain, using_columns: plain, delim_flipped: plain,
    duplicate_eliminated_columns: none,
  },
  PIVOT: {
    source: table, aggregates: expressions, unpivot_names: plain, groups: plain, column_name_alias: plain, include_nulls: plain,
    pivots: listOf(fieldsOf({
      pivot_expressions: expressions, unpivot_names: plain, pivot_enum: none,
      entries: listOf(fieldsOf({ values: listOf(constant), star_expr: expression, alias: plain })),
    })),
  },
  SHOW_REF: { table_name: none, query: select, show_type: shown, catalog_name: none, schema_name: none },
  SUBQUERY: { subquery: query, column_name_alias: plain },
  TABLE_FUNCTION: {
    function: (walk, value, scope, node) => {
      walk.fields(value, { ...EXPRESSION, ...EXPRESSIONS.FUNCTION.fields, function_name: calledTable }, scope, node)
    },
    column_name_alias: plain, with_ordinality: plain,
  },
}

const modifier: Look = (walk, value, scope, node) => {
  const fields = isNode(value) ? MODIFIERS[String(value.type)] : undefined
  if (fields === undefined) throw unknownShape('a modifier', node)
  walk.fields(value, { type: plain, ...fields }, scope)
}
const MODIFIERS: Readonly<Record<string, Fields>> = {
  ORDER_MODIFIER: { orders },
  LIMIT_MODIFIER: { limit: expression, offset: expression },
  LIMIT_PERCENT_MODIFIER: { limit: expression, offset: expression },
  DISTINCT_MODIFIER: { distinct_on_targets: expressions },
}

/** By type, the fields of a query, beside `type` and `cte_map`. */
const SELECTS: Readonly<Record<string, Fields>> = {
  SELECT_NODE: {
    modifiers: listOf(modifier), select_list: expressions, from_table: table, where_clause: expression, group_expressions: expressions, group_sets: plain,
    aggregate_handling: plain, having: expression, sample: inert, qualify: expression,
  },
  SET_OPERATION_NODE: { modifiers: listOf(modifier), setop_type: plain, setop_all: plain, left: select, right: select },
  RECURSIVE_CTE_NODE: {
    modifiers: listOf(modifier), cte_name: plain, union_all: plain, left: select, aliases: plain, key_targets: expressions,
    right: (walk, value, scope, node) => walk.select(value, new Set([...scope, folded(String(node.cte_name))])),
  },
}
const CTE: Fields = { aliases: plain, query, materialized: plain, key_targets: expressions }

class Walk {
  readonly views = new Set<ViewName>()
  /** Views of own actors, which show rows of `own_rows`. */
  readonly own = new Set<string>()
  readonly calls = new Set<string>()
  /** Kept views, whose rows are made of readings. */
  readonly kept = new Set<string>()
  /** Functions of view/sources.ts. */
  readonly sources = new Set<string>()
  readonly #ownNames: readonly string[]
  readonly #keptNames: readonly string[]
  #nodes = 0
  #depth = 0

  constructor({ own = [], kept = [] }: OtherNames) {
    this.#ownNames = own
    this.#keptNames = kept
  }

  /** Looks at each field of a node; one that is not among `fields` is refused. */
  fields(value: unknown, fields: Fields, scope: Scope, parent: Node = {}): void {
    if (!isNode(value)) throw unknownShape('a node', parent)
    if (++this.#nodes > SQL_NODES_MAX || ++this.#depth > SQL_DEPTH_MAX) {
      const bound = `${SQL_NODES_MAX} parts, nested ${SQL_DEPTH_MAX} deep`
      throw new Refusal(`Cannot run the query as it must be of at most ${bound}: write long lists as parameters, or as rows of VALUES`, placeOf(value))
    }
    for (const [name, field] of Object.entries(value)) {
      if (!Object.hasOwn(fields, name)) throw unknownShape(`"${name}"`, value)
      fields[name](this, field, scope, value)
    }
    // A name that is left out is not one that was looked at.
    for (const name of ['table_name', 'function_name', 'query', 'show_type']) if (Object.hasOwn(fields, name) && !Object.hasOwn(value, name)) throw unknownShape(`no ${name}`, value)
    this.#depth--
  }

  expression(value: unknown, scope: Scope): void {
    const known = isNode(value) && Object.hasOwn(EXPRESSIONS, String(value.class)) ? EXPRESSIONS[String(value.class)] : undefined
    if (known === undefined || !known.types.includes(String((value as Node).type))) throw unknownShape('an expression', isNode(value) ? value : {})
    this.fields(value, { ...EXPRESSION, ...known.fields }, scope)
  }

  table(value: unknown, scope: Scope): void {
    if (!isNode(value) || !Object.hasOwn(TABLE_REFERENCES, String(value.type))) throw unknownShape('a table', isNode(value) ? value : {})
    this.fields(value, { ...TABLE, ...TABLE_REFERENCES[String(value.type)] }, scope)
  }

  name(value: unknown, scope: Scope, node: Node): void {
    const name = folded(String(value))
    if (scope.has(name)) return
    const view = VIEWS.find((known) => known === name)
    if (view === undefined && this.#ownNames.includes(name)) {
      this.own.add(name)
      this.views.add('own_rows')
      return
    }
    if (view === undefined && this.#keptNames.includes(name)) {
      this.kept.add(name)
      // What it calls is the parts' affair, and not looked at here.
      this.calls.add(`view ${name}`)
      this.views.add('readings')
      return
    }
    if (view === undefined) {
      throw new Refusal(`Cannot run the query as a table must be one of ${[...VIEWS, ...this.#ownNames, ...this.#keptNames].join(', ')}, or of its own WITH: current value is ${told(value)}`, placeOf(node))
    }
    this.views.add(view)
  }

  /** A query, with the CTEs that it brings: each sees those before it, and itself only from the recursive side. */
  select(value: unknown, scope: Scope): void {
    if (!isNode(value) || !Object.hasOwn(SELECTS, String(value.type))) throw unknownShape('a query', isNode(value) ? value : {})
    const { cte_map: ctes, ...rest } = value
    const seen = new Set(scope)
    const entry: Look = (walk, item, _scope, node) => {
      if (!isNode(item) || typeof item.key !== 'string') throw unknownShape('a WITH', node)
      walk.fields(item, { key: plain, value: fieldsOf(CTE) }, new Set(seen))
      seen.add(folded(item.key))
    }
    this.fields(ctes, { map: listOf(entry) }, scope, value)
    this.fields(rest, { type: plain, ...SELECTS[String(value.type)] }, seen)
  }
}

/** What a statement reads, and the functions that it calls. */
export interface Passed {
  readonly views: ReadonlySet<ViewName>
  readonly calls: ReadonlySet<string>
  /** Those of own actors, by name. */
  readonly own: ReadonlySet<string>
  /** Those that are kept, by name. */
  readonly kept: ReadonlySet<string>
  /** Functions of view/sources.ts that it stands on. */
  readonly sources: ReadonlySet<string>
}

/** Names of views beside `VIEWS`. */
export interface OtherNames {
  /** Those of own actors. */
  readonly own?: readonly string[]
  readonly kept?: readonly string[]
}

/** Checks what `json_serialize_sql` gave, parsed. Throws `Refusal`, and nothing else. */
export function passGate(tree: unknown, others: OtherNames = {}): Passed {
  if (!isNode(tree)) throw unknownShape('a statement', {})
  if (tree.error !== false) {
    const message = String(tree.error_message)
    if (tree.error_type === 'parser') throw new Refusal(`Parser error: ${message}`, tree.position === undefined ? null : Number(tree.position), 'invalid')
    throw new Refusal('Cannot run the query as it must be a SELECT: nothing can be changed, set, attached, copied or explained here')
  }
  if (Object.keys(tree).length > 2) throw unknownShape('more than statements', {})
  if (!Array.isArray(tree.statements) || tree.statements.length !== 1) {
    throw new Refusal(`Cannot run the query as it must be exactly one statement: current number is ${Array.isArray(tree.statements) ? tree.statements.length : 0}`)
  }
  const walk = new Walk(others)
  query(walk, tree.statements[0], new Set(), {})
  return walk
}

function unknownShape(what: string, node: Node): Refusal {
  const kind = [node.class, node.type].filter((part) => typeof part === 'string').join(' ')
  return new Refusal(`Cannot run the query as it must be made of what a public query may hold: ${what}${kind === '' ? '' : ` of ${kind}`} is not known here`, placeOf(node))
}

/** A node's place in the text; what has none carries the greatest number that there is. */
function placeOf(node: Node): number | null {
  return typeof node.query_location === 'number' && node.query_location < 2 ** 32 ? node.query_location : null
}

function told(value: unknown): string {
  return JSON.stringify(String(value).slice(0, 80))
}
