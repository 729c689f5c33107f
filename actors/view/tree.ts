/**
 * DuckDB's syntax trees, as `json_serialize_sql` gives them and `json_deserialize_sql` takes them: reading, changing and making nodes.
 *
 * Owns their shapes. Leaves what a node may say to its readers.
 */

export type Node = Readonly<Record<string, unknown>>

/** JSON as V8 has it; TypeScript does not know all of it yet. */
const raw = JSON as unknown as { parse(text: string, revive: (name: string, value: unknown, context: { source?: string }) => unknown): unknown; rawJSON(text: string): object; isRawJSON(value: unknown): boolean }

export const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value) && !raw.isRawJSON(value)
/** A name as DuckDB compares it: only ASCII has no case. */
export const folded = (name: unknown) => String(name).replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
export const keyOf = (node: unknown) => JSON.stringify(node)

/** A node with each node within it changed; what is no node stays. */
export function within(node: Node, change: (child: Node) => Node): Node {
  const deep = (value: unknown): unknown => (Array.isArray(value) ? value.map(deep) : isNode(value) ? ('class' in value ? change(value) : Object.fromEntries(Object.entries(value).map(([k, v]) => [k, deep(v)]))) : value)
  return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, deep(value)]))
}

export function some(node: Node, test: (node: Node) => boolean): boolean {
  let found = test(node)
  within(node, (child) => {
    found ||= some(child, test)
    return child
  })
  return found
}

export const column = (name: string): Node => ({ class: 'COLUMN_REF', type: 'COLUMN_REF', alias: '', query_location: 0, column_names: [name] })
export const call = (name: string, children: readonly Node[], filter: Node | null = null): Node => ({
  class: 'FUNCTION', type: 'FUNCTION', alias: '', query_location: 0, function_name: name, schema: '', children, filter,
  order_bys: { type: 'ORDER_MODIFIER', orders: [] }, distinct: false, is_operator: name === '*', export_state: false, catalog: '',
})
export const isKnown = (node: Node): Node => ({ class: 'OPERATOR', type: 'OPERATOR_IS_NOT_NULL', alias: '', query_location: 0, children: [node] })
export const both = (a: Node | null, b: Node | null): Node | null => (a === null || b === null ? (a ?? b) : { class: 'CONJUNCTION', type: 'CONJUNCTION_AND', alias: '', query_location: 0, children: [a, b] })
export const named = (node: Node, alias: string): Node => ({ ...node, alias })

interface Select {
  readonly list: readonly Node[]
  readonly table: string
  readonly where?: Node | null
  /** How many of the list, from its first, are grouped by. */
  readonly groups?: number
}

export function selectTree({ list, table, where = null, groups = 0 }: Select): unknown {
  const place = (value: number): Node => ({ class: 'CONSTANT', type: 'VALUE_CONSTANT', alias: '', query_location: 0, value: { type: { id: 'INTEGER', type_info: null }, is_null: false, value } })
  const node = {
    type: 'SELECT_NODE', modifiers: [], cte_map: { map: [] }, select_list: list,
    from_table: { type: 'BASE_TABLE', alias: '', sample: null, query_location: 0, schema_name: '', table_name: table, column_name_alias: [], catalog_name: '', at_clause: null },
    where_clause: where, group_expressions: Array.from({ length: groups }, (_, i) => place(i + 1)), group_sets: groups === 0 ? [] : [Array.from({ length: groups }, (_, i) => i)],
    aggregate_handling: 'STANDARD_HANDLING', having: null, sample: null, qualify: null,
  }
  return { error: false, statements: [{ node, named_param_map: [] }] }
}

/** The tree. A number that JavaScript would write in another way (a double without a fraction, what is beyond 2^53) stays as DuckDB wrote it. */
export function treeOf(parsed: string): unknown {
  return raw.parse(parsed, (name, value, { source }) => {
    if (name === 'query_location') return Number.isSafeInteger(value) ? value : 0
    return typeof value === 'number' && source !== undefined && String(value) !== source ? raw.rawJSON(source) : value
  })
}

/** A node without what only the text knows: places and names. */
export function bare(node: Node): Node {
  return within({ ...node, alias: '', query_location: 0 }, bare)
}

export const isDouble = (node: Node): boolean => node.class === 'CONSTANT' && (node.value as { type: { id: string } }).type.id === 'DOUBLE'
/** DuckDB writes a double as it writes a decimal. */
export const asDouble = (node: Node): Node => ({ class: 'CAST', type: 'OPERATOR_CAST', alias: '', query_location: 0, child: { ...node, alias: '', query_location: 0 }, cast_type: { id: 'DOUBLE', type_info: null }, try_cast: false })
