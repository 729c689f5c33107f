/**
 * Compiles a SELECT into a view that is kept (kept.ts), or says why it can't be.
 *
 * Owns what of SQL can be kept up to date, which follows from one question: can the rows be made of the parts of readings that were taken apart in any
 * way? Takes DuckDB's own syntax tree and gives its pieces back to DuckDB to write, so that nobody here parses or prints SQL. Leaves to DuckDB whether
 * a statement makes sense, and to its caller that the tree holds nothing which a public query may not hold.
 *
 * - C1 What is not listed here is refused, with the reason: a view is never nearly right.
 * - C2 A row follows from readings alone, so nothing is called that knows the time, or chance.
 * - C3 Nothing is called that makes much of a small value, or that runs long: views run where the lake is merged, unasked.
 */

import { KEPT, keptName, whyNotKept } from './aggregates.ts'
import type { Kept } from './aggregates.ts'
import { NO_READINGS, partialSql, shownSql, viewId } from './kept.ts'
import type { Columns, KeptView } from './kept.ts'
import { HOPPING, hoppingSql, SESSIONS, sessionsSql, SOURCE_COLUMNS, SOURCES, windowStarts } from './sources.ts'

/** A view that can't be kept. */
export class ViewError extends Error {
  /** In the text, where it is known. */
  readonly position: number | null

  constructor(message: string, position: number | null = null) {
    super(message)
    this.name = 'ViewError'
    this.position = position
  }
}

/** DuckDB, as the compiler asks it: with an empty view `readings` and the functions of sources.ts. */
export interface SqlDatabase {
  /** SQL of a syntax tree. */
  write(tree: unknown): Promise<string>
  /** The columns that a query gives. Throws what DuckDB says where it gives none. */
  describe(sql: string): Promise<Columns>
  /** The first value of a query. */
  value(sql: string): Promise<unknown>
  readonly aggregates: ReadonlySet<string>
}

type Node = Readonly<Record<string, unknown>>

/** A hopping window may overlap so many others: each reading stands in the parts of all. */
const WINDOWS_AT_ONCE_MAX = 200
const READING: Columns = [['tenant', 'VARCHAR'], ['device', 'VARCHAR'], ['metric', 'VARCHAR'], ['ts', 'TIMESTAMP'], ['value', 'DOUBLE'], ['received_at', 'TIMESTAMP']]

const words = (text: string) => new Set(text.trim().split(/\s+/))
/** Functions of values that a view may call. */
const CALLS = words(`
  % & * ** + - / // << >> ^ | ~ ~~ !~~ ~~* !~~* || abs bar cbrt ceil ceiling chr concat contains date_add date_diff date_part date_sub date_trunc datediff datepart
  datesub datetrunc day dayname dayofmonth dayofweek dayofyear degrees divide ends_with epoch epoch_ms epoch_us era even exp fdiv floor fmod greatest hour
  isfinite isinf isnan isodow isoyear last_day lcase least left length ln log log10 log2 lower ltrim make_date make_timestamp make_timestamp_ms microsecond
  millisecond minute mod month monthname multiply nullif pi pow power prefix quarter radians regexp_matches right round row rtrim second sign split_part sqrt
  starts_with strlen strpos subtract substr substring suffix time_bucket to_days to_hours to_microseconds to_milliseconds to_minutes to_months to_seconds
  to_weeks to_years trim trunc ucase upper week weekday weekofyear year yearweek add not_like_escape like_escape
`)
const TIMELY = words('now today current_date current_localtime current_localtimestamp current_time current_timestamp get_current_time get_current_timestamp transaction_timestamp age random uuid gen_random_uuid uuidv4 uuidv7')
const CLASSES: Readonly<Record<string, string | null>> = {
  BETWEEN: null, CASE: null, CAST: null, COLUMN_REF: null, COMPARISON: null, CONJUNCTION: null, CONSTANT: null, FUNCTION: null, OPERATOR: null,
  WINDOW: 'a window function looks at rows of other groups. Call it where the view is read',
  SUBQUERY: 'what a query within it gives may change without a reading. Join it where the view is read',
  STAR: 'a column of which no group has but one value can not be shown. Name the columns',
  PARAMETER: 'nobody gives it parameters. Write the value',
  POSITIONAL_REFERENCE: 'columns are named here. Write the name',
  COLLATE: 'texts are compared as they are',
  LAMBDA: 'no function over lists is called in it',
}

/** JSON as V8 has it; TypeScript does not know all of it yet. */
const raw = JSON as unknown as { parse(text: string, revive: (name: string, value: unknown, context: { source?: string }) => unknown): unknown; rawJSON(text: string): object; isRawJSON(value: unknown): boolean }

const refuse = (why: string, node: Node | null = null): ViewError => {
  const at = node?.query_location
  return new ViewError(`Cannot keep this view as ${why}`, typeof at === 'number' && at < 2 ** 32 ? at : null)
}
const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value) && !raw.isRawJSON(value)
const folded = (name: unknown) => String(name).toLowerCase()
const keyOf = (node: unknown) => JSON.stringify(node)

/** A node with each node within it changed; what is no node stays. */
function within(node: Node, change: (child: Node) => Node): Node {
  const deep = (value: unknown): unknown => (Array.isArray(value) ? value.map(deep) : isNode(value) ? ('class' in value ? change(value) : Object.fromEntries(Object.entries(value).map(([k, v]) => [k, deep(v)]))) : value)
  return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, deep(value)]))
}

function some(node: Node, test: (node: Node) => boolean): boolean {
  let found = test(node)
  within(node, (child) => {
    found ||= some(child, test)
    return child
  })
  return found
}

const column = (name: string): Node => ({ class: 'COLUMN_REF', type: 'COLUMN_REF', alias: '', query_location: 0, column_names: [name] })
const call = (name: string, children: readonly Node[], filter: Node | null = null): Node => ({
  class: 'FUNCTION', type: 'FUNCTION', alias: '', query_location: 0, function_name: name, schema: '', children, filter,
  order_bys: { type: 'ORDER_MODIFIER', orders: [] }, distinct: false, is_operator: name === '*', export_state: false, catalog: '',
})
const isKnown = (node: Node): Node => ({ class: 'OPERATOR', type: 'OPERATOR_IS_NOT_NULL', alias: '', query_location: 0, children: [node] })
const both = (a: Node | null, b: Node | null): Node | null => (a === null || b === null ? (a ?? b) : { class: 'CONJUNCTION', type: 'CONJUNCTION_AND', alias: '', query_location: 0, children: [a, b] })
const named = (node: Node, alias: string): Node => ({ ...node, alias })

interface Select {
  readonly list: readonly Node[]
  readonly table: string
  readonly where?: Node | null
  /** How many of the list, from its first, are grouped by. */
  readonly groups?: number
}

function selectTree({ list, table, where = null, groups = 0 }: Select): unknown {
  const place = (value: number): Node => ({ class: 'CONSTANT', type: 'VALUE_CONSTANT', alias: '', query_location: 0, value: { type: { id: 'INTEGER', type_info: null }, is_null: false, value } })
  const node = {
    type: 'SELECT_NODE', modifiers: [], cte_map: { map: [] }, select_list: list,
    from_table: { type: 'BASE_TABLE', alias: '', sample: null, query_location: 0, schema_name: '', table_name: table, column_name_alias: [], catalog_name: '', at_clause: null },
    where_clause: where, group_expressions: Array.from({ length: groups }, (_, i) => place(i + 1)), group_sets: groups === 0 ? [] : [Array.from({ length: groups }, (_, i) => i)],
    aggregate_handling: 'STANDARD_HANDLING', having: null, sample: null, qualify: null,
  }
  return { error: false, statements: [{ node, named_param_map: [] }] }
}

/** Compiles a text, of which `parsed` is what `json_serialize_sql` gives. Throws `ViewError`, and what the database throws. */
export async function compileView(tenant: string, parsed: string, sql: string, db: SqlDatabase): Promise<KeptView> {
  const tree = treeOf(parsed)
  const select = selectOf(tree)
  const source = await sourceOf(select.from_table as Node, db)
  const shows = await db.describe(sql.replace(/;[\s;]*$/, ''))
  if (new Set(shows.map(([name]) => folded(name))).size < shows.length) throw refuse('each of its columns must have a name of its own. Name them by AS')
  for (const [name, type] of shows) {
    if (type.includes('STRUCT(')) throw refuse(`${name} must be one value, or several that are columns each: it is a ${type}`)
  }
  const { items, keys, where, having } = read(select, source, db)
  const isSessions = source.name === SESSIONS
  if (isSessions) checkSessions(keys, where)

  // Each aggregate is found once, and each stored column.
  const found = new Map<string, { readonly kept: Kept; readonly places: readonly number[] }>()
  const stored: Node[] = []
  const places = new Map<string, number>()
  const store = (node: Node): number => {
    const key = keyOf(node)
    if (!places.has(key)) places.set(key, stored.push(storable(node)) - 1)
    return places.get(key)!
  }
  // A session is one of all its readings; which of them are asked about is up to each aggregate.
  const asked = isSessions ? where : null
  const matched = isSessions ? store(call('count_star', [], asked)) : null
  const shownOf = (expression: Node): Node => {
    const key = keys.findIndex((of) => keyOf(of) === keyOf(expression))
    if (key >= 0) return column(`k${key}`)
    if (expression.class === 'COLUMN_REF') {
      const [name] = expression.column_names as string[]
      throw refuse(`${name} must stand in GROUP BY, or within an aggregate`)
    }
    if (!isAggregate(expression, db)) return within(expression, shownOf)
    if (isSessions) checkUnbound(expression)
    const at = [...found.keys()].indexOf(keyOf(expression))
    if (at >= 0) return column(`f${at}`)
    const { kept, columns } = partsOf(expression, asked, db)
    found.set(keyOf(expression), { kept, places: columns.map(store) })
    return column(`f${found.size - 1}`)
  }
  const list = items.map((item, i) => named(shownOf(item), shows[i][0]))
  const filter = having === null ? null : shownOf(having)

  const grouped = isSessions ? SESSION_PARTS.map(column) : keys
  const written = await db.write(selectTree({ list: [...grouped.map((key, i) => named(storable(key), `k${i}`)), ...stored.map((part, i) => named(part, `a${i}`))], table: 'source', where: isSessions ? null : where, groups: grouped.length }))
  // A table of values of several columns each is not read back by all that DuckDB has to read tables: each stands in a column of its own.
  const widths = stored.map((part) => (part.children as Node[])[0]).map((x) => (x?.class === 'FUNCTION' && x.function_name === 'struct_pack' ? (x.children as unknown[]).length : 0))
  const each = (i: number, write: (v: number) => string) => Array.from({ length: widths[i] }, (_, v) => write(v))
  const taken = stored.flatMap((_, i) => (widths[i] === 0 ? [`a${i}`] : each(i, (v) => `a${i}.v${v} AS a${i}_${v}`)))
  const given = stored.map((_, i) => (widths[i] === 0 ? `a${i}` : `{${each(i, (v) => `'v${v}': a${i}_${v}`).join(', ')}} AS a${i}`))
  const gs = grouped.map((_, i) => `k${i}`)
  const partial = `, source AS (${source.sql}) SELECT ${[...gs, ...taken].join(', ')} FROM (${written})`
  for (const [, type] of await db.describe(partialSql({ partial }, NO_READINGS))) {
    if (!/^[A-Z]+( WITH TIME ZONE)?(\([0-9,]+\))?$/.test(type)) throw refuse(`each value that it stores must be one, and none is a ${type}. Several, as in (ts, value), may stand for the order of arg_min and arg_max`)
  }

  const sums: string[] = []
  const values: string[] = []
  for (const [i, { kept, places: at }] of [...found.values()].entries()) {
    const merged = kept.merge(at.map((place) => `a${place}`))
    for (const [j, sum] of merged.entries()) sums.push(`${sum} AS m${i}_${j}`)
    values.push(`${kept.value(merged.map((_, j) => `m${i}_${j}`))} AS f${i}`)
  }
  if (matched !== null) sums.push(`sum(a${matched}) AS matched`)
  const ks = keys.map((_, i) => `k${i}`)
  const groupedSql = isSessions ? joinedSessions(keys, source.arguments[0], sums) : `SELECT ${[...ks, ...sums].join(', ') || '1'} FROM whole${ks.length === 0 ? '' : ` GROUP BY ${ks.join(', ')}`}`
  const last = await db.write(selectTree({ list, table: 'merged', where: filter }))
  const body = `, whole AS (SELECT ${[...gs, ...given].join(', ') || '1'} FROM parts), grouped AS (${groupedSql}), merged AS (SELECT ${[...ks, ...values].join(', ') || '1'} FROM grouped${matched === null ? '' : ' WHERE matched > 0'}) `
  const view = { id: viewId(tenant, partial), sql, partial, shown: `${body}${last}`, shows }
  const types = await db.describe(shownSql(view, []))
  if (types.every(([, type], i) => type === shows[i][1])) return view
  const cast = shows.map(([name, type], i) => (type === types[i][1] ? quoted(name) : `CAST(${quoted(name)} AS ${type}) AS ${quoted(name)}`))
  return { ...view, shown: `${body}SELECT ${cast.join(', ')} FROM (${last})` }
}

/** The tree. A number that JavaScript would write in another way (a double without a fraction, what is beyond 2^53) stays as DuckDB wrote it. */
function treeOf(parsed: string): unknown {
  return raw.parse(parsed, (name, value, { source }) => {
    if (name === 'query_location') return Number.isSafeInteger(value) ? value : 0
    return typeof value === 'number' && source !== undefined && String(value) !== source ? raw.rawJSON(source) : value
  })
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`

/** The one SELECT of a statement, where nothing is around it that can't be kept. */
function selectOf(tree: unknown): Node {
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

interface Source {
  readonly name: string
  /** The rows that the SELECT stands on, of the relation `readings`. */
  readonly sql: string
  /** As SQL. */
  readonly arguments: readonly string[]
  readonly columns: ReadonlySet<string>
  /** Names by which columns may be qualified. */
  readonly names: ReadonlySet<string>
}

async function sourceOf(from: Node, db: SqlDatabase): Promise<Source> {
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

/** A node without what only the text knows: places and names. */
function bare(node: Node): Node {
  return within({ ...node, alias: '', query_location: 0 }, bare)
}

const isDouble = (node: Node): boolean => node.class === 'CONSTANT' && (node.value as { type: { id: string } }).type.id === 'DOUBLE'
/** DuckDB writes a double as it writes a decimal. */
const asDouble = (node: Node): Node => ({ class: 'CAST', type: 'OPERATOR_CAST', alias: '', query_location: 0, child: { ...node, alias: '', query_location: 0 }, cast_type: { id: 'DOUBLE', type_info: null }, try_cast: false })

interface Parsed {
  readonly items: readonly Node[]
  readonly keys: readonly Node[]
  readonly where: Node | null
  readonly having: Node | null
}

/** What a SELECT says, each name of it a column of its source. */
function read(select: Node, source: Source, db: SqlDatabase): Parsed {
  const list = select.select_list as Node[]
  const aliases = new Map(list.filter(({ alias }) => alias !== '').map((item) => [folded(item.alias), item]))
  const resolved = (node: Node, depth = 0): Node => {
    check(node, db)
    if (depth > 50) throw refuse('its columns must not be named by each other in a ring', node)
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

/** A value of several without names, as `(ts, value)`, has them given: no table holds it else. */
function storable(node: Node): Node {
  const children = within(node, storable)
  if (node.class !== 'FUNCTION' || folded(node.function_name) !== 'row') return children
  return { ...children, function_name: 'struct_pack', schema: '', children: (children.children as Node[]).map((child, i) => named(child, `v${i}`)) }
}

/** Whether an expression is one that can be kept, itself: what is within it is looked at by itself. */
function check(node: Node, db: SqlDatabase): void {
  const kind = String(node.class)
  const why = Object.hasOwn(CLASSES, kind) ? CLASSES[kind] : 'such an expression is not known here'
  if (why !== null) throw refuse(why, node)
  if (kind !== 'FUNCTION') return
  const name = folded(node.function_name)
  if (TIMELY.has(name)) throw refuse(`a row has to follow from its readings alone, and ${name} does not. Compare with it where the view is read`, node)
  if (!db.aggregates.has(name)) {
    if (!CALLS.has(name)) throw refuse(`${name} is none of the functions that a view may call: ${[...CALLS].filter((of) => /^[a-z]/.test(of)).sort().join(', ')}`, node)
    return
  }
  const kept = Object.hasOwn(KEPT, keptName(name)) ? KEPT[keptName(name)] : null
  if (kept === null) throw refuse(`${name} is none of the aggregates that can be kept up to date: ${whyNotKept(name)}`, node)
  if (node.distinct === true && kept.idempotent !== true) throw refuse(`${name} of DISTINCT values can not be added up of parts: whether a value comes in one says nothing of another`, node)
  if ((node.order_bys as { orders: unknown[] }).orders.length > 0) throw refuse(`${name} has to be the same in whatever order rows come. arg_min(x, ts) gives the first in time, arg_max(x, ts) the last`, node)
  const arity = (node.children as unknown[]).length
  if (arity !== kept.arity) throw refuse(`${name} must have ${kept.arity} arguments to be kept: it has ${arity}`, node)
}

const isAggregate = (node: Node, db: SqlDatabase): boolean => node.class === 'FUNCTION' && db.aggregates.has(folded(node.function_name))

/** The stored columns of an aggregate; `asked`: which rows are asked about at all. */
function partsOf(node: Node, asked: Node | null, db: SqlDatabase): { kept: Kept; columns: Node[] } {
  const kept = KEPT[keptName(folded(node.function_name))]
  const [x, y] = node.children as Node[]
  const filter = both(asked, node.filter as Node | null)
  for (const child of [x, y, node.filter as Node | null]) if (child !== undefined && child !== null && some(child, (of) => isAggregate(of, db))) throw refuse('an aggregate must not stand within another')
  const columns = kept.parts.map(({ call: name, args, times, known }) => {
    const rows = known === true ? both(filter, isKnown(x)) : filter
    const made = call(name, args.map((arg) => (arg === 'x' ? x : y)), rows)
    return times === undefined ? made : call('*', [made, call(times, [x], rows)])
  })
  return { kept, columns }
}

// Sessions ----------------------------------------------------------------------------------------------------------------------

/** What is stored of each session of a part: its series, its bounds; as k0 to k4. */
const SESSION_PARTS = ['tenant', 'device', 'metric', 'session_start', 'session_end']

function checkSessions(keys: readonly Node[], where: Node | null): void {
  const names = keys.map((key) => (key.class === 'COLUMN_REF' ? (key.column_names as string[])[0] : ''))
  const sound = names.every((name) => SESSION_PARTS.includes(name)) && ['device', 'metric', 'session_start'].every((name) => names.includes(name))
  if (!sound) throw refuse('a view of sessions has a row for each of them: it must be grouped by device, metric and session_start, and beside them by session_end and tenant at most')
  if (where !== null) checkUnbound(where)
}

/** Of a condition, or an aggregate. */
function checkUnbound(node: Node): void {
  const isBound = (of: Node) => of.class === 'COLUMN_REF' && ['session_start', 'session_end'].includes((of.column_names as string[])[0])
  if (some(node, isBound)) throw refuse('where a session begins and ends is not known until all of its parts are together: session_start and session_end must not stand in WHERE, or within an aggregate')
}

/** Sessions of parts, joined where no gap is between them. */
function joinedSessions(keys: readonly Node[], gap: string, sums: readonly string[]): string {
  const series = 'tenant, device, metric'
  const named = `SELECT * RENAME (${SESSION_PARTS.map((name, i) => `k${i} AS ${name}`).join(', ')}) FROM whole`
  const begins = `SELECT *, CASE WHEN session_start - max(session_end) OVER (PARTITION BY ${series} ORDER BY session_start ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) <= ${gap} THEN 0 ELSE 1 END AS begins FROM (${named})`
  const numbered = `SELECT *, sum(begins) OVER (PARTITION BY ${series} ORDER BY session_start) AS session FROM (${begins})`
  const bounds: Readonly<Record<string, string>> = { session_start: 'min(session_start)', session_end: 'max(session_end)' }
  const shown = keys.map((key, i) => [(key.column_names as string[])[0], i] as const).map(([name, i]) => `${bounds[name] ?? name} AS k${i}`)
  return `SELECT ${[...shown, ...sums].join(', ')} FROM (${numbered}) GROUP BY ${series}, session`
}
