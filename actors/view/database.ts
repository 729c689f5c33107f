/** DuckDB as the compiler of views asks it: over no readings at all. */

import type { DuckDBConnection } from '@duckdb/node-api'
import { NO_READINGS } from './kept.ts'
import type { Columns } from './kept.ts'
import { sourceMacros } from './sources.ts'

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

/** Takes a connection for itself; it may be of an instance that is locked. */
export async function emptyDatabase(connection: DuckDBConnection): Promise<SqlDatabase> {
  await connection.run(`CREATE OR REPLACE TEMP VIEW readings AS FROM ${NO_READINGS}`)
  for (const macro of Object.values(sourceMacros('CREATE OR REPLACE TEMP MACRO ', 'readings'))) await connection.run(macro)
  const rows = async (sql: string, parameters: string[] = []) => (await connection.runAndReadAll(sql, parameters)).getRows()
  const aggregates = new Set((await rows("SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'aggregate'")).map(([name]) => String(name)))
  return {
    aggregates,
    write: async (tree) => String((await rows('SELECT json_deserialize_sql($1::JSON)', [JSON.stringify(tree)]))[0][0]),
    describe: async (sql): Promise<Columns> => (await rows(`DESCRIBE ${sql}`)).map(([name, type]) => [String(name), String(type)] as const),
    value: async (sql) => (await connection.runAndReadAll(sql)).getRowsJS()[0][0],
  }
}
