/**
 * The tables of a segment, and the order of their rows.
 *
 * One list, from which segments are made, merged, and shown: a change here is a change of the lake's format. A column may be added: it is null in
 * segments that lack it (`unionSql`). Before that, keep a lake of the present format (test/golden/record-lake.ts); and where rows are read by
 * their number (analytics/data/series-rows.ts), segments without the column must be read by the plain relation.
 *
 * Windows are in a table of their own for each size, of the names in `WINDOW_TABLES`: who asks for hours does not read the sixty times as many minutes,
 * as DuckDB prunes by whole tables, and by no INTERVAL. `windows` is all of them as one relation (`tablesOf`); segments of earlier versions
 * have it as a table, of all sizes.
 *
 * `series` sums up what a merged segment holds of each series: its readings, the last of them (of equal times the largest), and at which row its
 * readings, its windows of each size and its anomalies begin. What a seal writes has none, nor has a segment of an earlier version.
 */

import { createHash } from 'node:crypto'
import { MINUTE_MS, WINDOW_SIZES_MS, WINDOW_SIZE_NAMES } from '../reading/window.ts'

const DAY_MS = 1_440 * MINUTE_MS
const WINDOW_VALUES = [
  ['start', 'TIMESTAMP'],
  ['count', 'BIGINT'],
  ['sum', 'DOUBLE'],
  ['min', 'DOUBLE'],
  ['max', 'DOUBLE'],
  ['mean', 'DOUBLE'],
  ['stddev', 'DOUBLE'],
  ['first', 'DOUBLE'],
  ['last', 'DOUBLE'],
  ['p50', 'DOUBLE'],
  ['p95', 'DOUBLE'],
  ['p99', 'DOUBLE'],
  ['closed_by', 'VARCHAR'],
  ['updated_at', 'TIMESTAMP'],
  ['version', 'BIGINT'],
] as const
const SERIES_KEY = [
  ['tenant', 'VARCHAR'],
  ['device', 'VARCHAR'],
  ['metric', 'VARCHAR'],
] as const
const WINDOWS_OF_ONE_SIZE = [...SERIES_KEY, ...WINDOW_VALUES] as const

/** Column names and DuckDB types by table. Tables that begin with `tenant, device, metric` are sorted by these, then by time. */
export const TABLES = {
  readings: [
    ['tenant', 'VARCHAR'],
    ['device', 'VARCHAR'],
    ['metric', 'VARCHAR'],
    ['ts', 'TIMESTAMP'],
    ['value', 'DOUBLE'],
    ['received_at', 'TIMESTAMP'],
  ],
  windows: [...SERIES_KEY, ['size', 'INTERVAL'], ...WINDOW_VALUES],
  windows_1m: WINDOWS_OF_ONE_SIZE,
  windows_15m: WINDOWS_OF_ONE_SIZE,
  windows_1h: WINDOWS_OF_ONE_SIZE,
  windows_1d: WINDOWS_OF_ONE_SIZE,
  owned_windows: [
    ['tenant', 'VARCHAR'],
    ['device', 'VARCHAR'],
    ['metric', 'VARCHAR'],
    ['size', 'INTERVAL'],
    ['start', 'TIMESTAMP'],
  ],
  anomalies: [
    ['tenant', 'VARCHAR'],
    ['device', 'VARCHAR'],
    ['metric', 'VARCHAR'],
    ['ts', 'TIMESTAMP'],
    ['value', 'DOUBLE'],
    ['score', 'DOUBLE'],
    ['expected', 'DOUBLE'],
    ['lower', 'DOUBLE'],
    ['upper', 'DOUBLE'],
    ['reason', 'VARCHAR'],
    ['kind', 'VARCHAR'],
    ['part', 'VARCHAR'],
  ],
  forecasts: [
    ['tenant', 'VARCHAR'],
    ['device', 'VARCHAR'],
    ['metric', 'VARCHAR'],
    ['made_at', 'TIMESTAMP'],
    ['ts', 'TIMESTAMP'],
    ['mean', 'DOUBLE'],
    ['lower', 'DOUBLE'],
    ['upper', 'DOUBLE'],
    ['model', 'VARCHAR'],
    ['lower80', 'DOUBLE'],
    ['upper80', 'DOUBLE'],
    ['coverage', 'DOUBLE'],
    ['error', 'DOUBLE'],
  ],
  feedback: [
    ['tenant', 'VARCHAR'],
    ['device', 'VARCHAR'],
    ['metric', 'VARCHAR'],
    ['ts', 'TIMESTAMP'],
    ['value', 'DOUBLE'],
    ['useful', 'BOOLEAN'],
    ['factor', 'DOUBLE'],
    ['answered_at', 'TIMESTAMP'],
  ],
  profiles: [
    ['tenant', 'VARCHAR'],
    ['device', 'VARCHAR'],
    ['metric', 'VARCHAR'],
    ['day', 'TIMESTAMP'],
    ['level', 'DOUBLE'],
    ['amplitude', 'DOUBLE'],
    ['cluster', 'BIGINT'],
    ['distance', 'DOUBLE'],
  ],
  drivers: [
    ['tenant', 'VARCHAR'],
    ['device', 'VARCHAR'],
    ['metric', 'VARCHAR'],
    ['learned_at', 'TIMESTAMP'],
    ['driver_device', 'VARCHAR'],
    ['driver_metric', 'VARCHAR'],
    ['effect_1h', 'DOUBLE'],
    ['effect_6h', 'DOUBLE'],
    ['effect_24h', 'DOUBLE'],
    ['error_1h', 'DOUBLE'],
    ['error_6h', 'DOUBLE'],
    ['error_24h', 'DOUBLE'],
    ['gain', 'DOUBLE'],
    ['hours', 'BIGINT'],
  ],
  alerts: [
    ['tenant', 'VARCHAR'],
    ['device', 'VARCHAR'],
    ['metric', 'VARCHAR'],
    // The view calls it at, a name that DuckDB takes in quotes only.
    ['happened_at', 'TIMESTAMP'],
    ['value', 'DOUBLE'],
    ['number', 'BIGINT'],
    ['id', 'VARCHAR'],
    ['rule', 'VARCHAR'],
    ['severity', 'VARCHAR'],
    ['event', 'VARCHAR'],
    ['message', 'VARCHAR'],
    ['person', 'VARCHAR'],
  ],
  // Rows of own actors: the device is the key, the metric the actor.
  own_rows: [
    ['tenant', 'VARCHAR'],
    ['device', 'VARCHAR'],
    ['metric', 'VARCHAR'],
    ['made_at', 'TIMESTAMP'],
    ['number', 'BIGINT'],
    ['body', 'VARCHAR'],
  ],
  rejects: [
    ['tenant', 'VARCHAR'],
    ['received_at', 'TIMESTAMP'],
    ['reason', 'VARCHAR'],
    ['reading', 'VARCHAR'],
  ],
  ledger: [
    ['tenant', 'VARCHAR'],
    ['device', 'VARCHAR'],
    ['minute', 'TIMESTAMP'],
    ['accepted', 'BIGINT'],
    ['rejected', 'BIGINT'],
    ['on_time', 'BIGINT'],
    ['late', 'BIGINT'],
    ['duplicate', 'BIGINT'],
    ['expired', 'BIGINT'],
  ],
  series: [
    ['tenant', 'VARCHAR'],
    ['device', 'VARCHAR'],
    ['metric', 'VARCHAR'],
    ['count', 'BIGINT'],
    ['first', 'TIMESTAMP'],
    ['last', 'TIMESTAMP'],
    ['value', 'DOUBLE'],
    ['received_at', 'TIMESTAMP'],
    ['readings_at', 'BIGINT'],
    ['windows_1m', 'BIGINT'],
    ['windows_1m_at', 'BIGINT'],
    ['windows_15m', 'BIGINT'],
    ['windows_15m_at', 'BIGINT'],
    ['windows_1h', 'BIGINT'],
    ['windows_1h_at', 'BIGINT'],
    ['windows_1d', 'BIGINT'],
    ['windows_1d_at', 'BIGINT'],
    ['anomalies', 'BIGINT'],
    ['anomalies_at', 'BIGINT'],
  ],
} as const satisfies Record<string, readonly (readonly [name: string, type: string])[]>

export type TableName = keyof typeof TABLES
export const TABLE_NAMES = Object.keys(TABLES) as TableName[]
/** The table of each size of windows, by the size's index. */
export const WINDOW_TABLES = WINDOW_SIZE_NAMES.map((name) => `windows_${name}` as const)
export type WindowTable = (typeof WINDOW_TABLES)[number]
/** Tables of which `series` says, beside `readings`, at which row a series begins in them, and how many it has. */
export const PLACED_TABLES = [...WINDOW_TABLES, 'anomalies'] as const
/** The sizes as SQL literals, by index; a day is one, as an analyst writes it, and no 24 hours. */
export const WINDOW_SIZES_SQL = WINDOW_SIZES_MS.map((sizeMs) => (sizeMs < DAY_MS ? `INTERVAL '${sizeMs / MINUTE_MS} minutes'` : `INTERVAL '${sizeMs / DAY_MS} days'`))

/** Tells tables of these columns from those of other versions. */
export const FORM = createHash('sha256').update(JSON.stringify(TABLES)).digest('hex').slice(0, 12)

/** What a segment holds of each table: rows by name. */
type Rows = Readonly<Record<string, number>>

/** The tables of a segment that make up `table`, those of them that have rows. `size`, an index: of windows those of that size, or of all together. */
export function tablesOf(table: TableName, rows: Rows, size?: number): TableName[] {
  const all = table !== 'windows' ? [table] : ['windows' as const, ...(size === undefined ? WINDOW_TABLES : [WINDOW_TABLES[size]])]
  return all.filter((name) => (rows[name] ?? 0) > 0)
}

/** Rows of a table, of windows those of all sizes. */
export function rowsOfTable(table: TableName, rows: Rows): number {
  return tablesOf(table, rows).reduce((sum, name) => sum + rows[name], 0)
}

/**
 * What stands behind FROM for one of `tablesOf`, where it is reached as `at`. Its size is a constant, and so is `tenant` where all its rows are of
 * that one: who asks for another does not read it, and who asks for this one does not compare it row by row, which takes as long as all else.
 */
export function pieceSql(table: TableName, at: string, tenant?: string): string {
  const size = (WINDOW_TABLES as readonly string[]).indexOf(table)
  if (size < 0 && tenant === undefined) return at
  return `(SELECT *${tenant === undefined ? '' : ` REPLACE (${literal(tenant)} AS tenant)`}${size < 0 ? '' : `, ${WINDOW_SIZES_SQL[size]} AS size`} FROM ${at})`
}

/** Of a piece that holds windows of all sizes those of one, an index; any other piece as it is. */
export function ofSizeSql(table: TableName, piece: string, size: number | undefined): string {
  return table !== 'windows' || size === undefined ? piece : `(SELECT * FROM ${piece} WHERE size = ${WINDOW_SIZES_SQL[size]})`
}

/** `name TYPE, …` of a table, as CREATE TABLE takes it. */
export function columnsSql(table: TableName): string {
  return TABLES[table].map(([name, type]) => `"${name}" ${type}`).join(', ')
}

/** A relation of no rows with the columns of a table. */
export function emptySql(table: TableName): string {
  return `(SELECT ${TABLES[table].map(([name, type]) => `NULL::${type} AS "${name}"`).join(', ')} WHERE false)`
}

/**
 * A table of several segments as one relation, with the columns that it has today: one that a segment lacks, since it was written before there
 * was such a column, is null in its rows. `from` are the segments' own tables; filters on the whole reach each of them.
 */
export function unionSql(table: TableName, from: readonly string[]): string {
  const columns = TABLES[table].map(([name]) => `"${name}"`).join(', ')
  return `(SELECT ${columns} FROM (${[emptySql(table), ...from].map((part) => `SELECT * FROM ${part}`).join(' UNION ALL BY NAME ')}))`
}

/** Text as an SQL literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** Epoch ms as an SQL literal. */
export function timestampSql(ms: number): string {
  return `make_timestamp(${BigInt(Math.round(ms)) * 1000n})`
}
