/**
 * The tables of a segment, and the order of their rows.
 *
 * One list, from which segments are made, merged, and shown: a change here is a change of the lake's format. A column may be added: it is null in
 * segments that lack it (`unionSql`). Before that, keep a lake of the present format (test/golden/record-lake.ts); and where rows are read by
 * their number (analytics/data/series-rows.ts), segments without the column must be read by the plain relation.
 *
 * `series` sums up what a merged segment holds of each series: its readings, the last of them (of equal times the largest), and at which row its
 * readings and windows begin. What a seal writes has none, nor has a segment of an earlier version.
 */

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
  windows: [
    ['tenant', 'VARCHAR'],
    ['device', 'VARCHAR'],
    ['metric', 'VARCHAR'],
    ['size', 'INTERVAL'],
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
  ],
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
    ['windows', 'BIGINT'],
    ['windows_at', 'BIGINT'],
  ],
} as const satisfies Record<string, readonly (readonly [name: string, type: string])[]>

export type TableName = keyof typeof TABLES
export const TABLE_NAMES = Object.keys(TABLES) as TableName[]

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
