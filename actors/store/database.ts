/**
 * The writer's DuckDB: one instance in memory, to which segments are attached, and the fast ways in and out of it.
 *
 * Owns the instance, its one connection, and which segments are attached. Leaves to others what is asked of it.
 *
 * - D1 A segment's file is attached READ_ONLY under a name of its own, and never opened by JavaScript while it is.
 * - D2 One statement at a time; nothing is left open between two.
 * - D3 Each instance spills into a folder of its own: DuckDB's spill files bear the same names in every instance, and two in one folder
 *   read each other's. DuckDB removes it at the end, the writer at its start what was killed.
 */

import { BIGINT, DOUBLE, DuckDBDataChunk, DuckDBInstance, INTEGER, TIMESTAMP, VARCHAR } from '@duckdb/node-api'
import type { DuckDBConnection, DuckDBType } from '@duckdb/node-api'
import bindings from '@duckdb/node-bindings'
import { join } from 'node:path'
import process from 'node:process'
import { STORE_MEMORY_MIB } from '../../runtime/limits.ts'
import type { StagedColumn } from './columns.ts'
import { segmentsDir } from './manifest.ts'
import type { Segment } from './manifest.ts'
import { literal, pieceSql, tablesOf, unionSql } from './tables.ts'
import type { TableName } from './tables.ts'

export type { StagedColumn } from './columns.ts'

const TYPES: Record<StagedColumn['kind'], { type: DuckDBType; sql: string }> = {
  int: { type: INTEGER, sql: 'INTEGER' },
  double: { type: DOUBLE, sql: 'DOUBLE' },
  time: { type: TIMESTAMP, sql: 'TIMESTAMP' },
  whole: { type: BIGINT, sql: 'BIGINT' },
  text: { type: VARCHAR, sql: 'VARCHAR' },
}

const CHUNK_ROWS = 2048
const TWO_32 = 4_294_967_296

/** Instances that this process has opened. */
let opened = 0

export class LakeDatabase {
  readonly lakeDir: string
  #instance: DuckDBInstance
  #connection: DuckDBConnection
  #attached = new Map<string, string>()
  #names = 0

  private constructor(lakeDir: string, instance: DuckDBInstance, connection: DuckDBConnection) {
    this.lakeDir = lakeDir
    this.#instance = instance
    this.#connection = connection
  }

  static async open(lakeDir: string, options: { memoryMiB?: number; threads?: number } = {}): Promise<LakeDatabase> {
    // One thread by default: a second one costs a quarter more processor time, which the rest of the system has better use for.
    const instance = await DuckDBInstance.create(':memory:', {
      threads: String(options.threads ?? 1),
      memory_limit: `${options.memoryMiB ?? STORE_MEMORY_MIB}MiB`,
      temp_directory: join(lakeDir, 'tmp', `spill-${process.pid}-${++opened}`),
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    })
    return new LakeDatabase(lakeDir, instance, await instance.connect())
  }

  close(): void {
    this.#connection.closeSync()
    this.#instance.closeSync()
  }

  /** Ends the statement that runs, which then rejects. */
  interrupt(): void {
    this.#connection.interrupt()
  }

  /** Runs one statement and forgets its result. */
  async run(sql: string): Promise<void> {
    await this.#connection.run(sql)
  }

  /** Rows of one statement as arrays of JavaScript values. */
  async rows(sql: string): Promise<unknown[][]> {
    return (await this.#connection.runAndReadAll(sql)).getRowsJS() as unknown[][]
  }

  /** Makes the table `name` in memory, in place of any before, and fills it with `rows` rows of the columns. */
  async stage(name: string, columns: readonly StagedColumn[], rows: number): Promise<void> {
    await stage(this.#connection, { catalog: 'memory', name }, columns, rows)
  }

  /** A name to attach a file under for writing: one a file, never again. */
  newAlias(): string {
    return `w${++this.#names}`
  }

  /** The name under which a segment's tables are to be asked; attaches it where it is not yet. */
  async attach(file: string): Promise<string> {
    const known = this.#attached.get(file)
    if (known !== undefined) return known
    const alias = `s${++this.#names}`
    await this.#connection.run(`ATTACH ${literal(join(segmentsDir(this.lakeDir), file))} AS ${alias} (READ_ONLY)`)
    this.#attached.set(file, alias)
    return alias
  }

  /** Lets go of the segments that `keep` does not name. */
  async detachAllBut(keep: ReadonlySet<string>): Promise<void> {
    for (const [file, alias] of this.#attached) {
      if (keep.has(file)) continue
      await this.#connection.run(`DETACH ${alias}`)
      this.#attached.delete(file)
    }
  }

  /**
   * The union of one table of the given segments, as SQL that follows FROM; null where none of them has rows of it. `size`, an index: of windows, of
   * all where the segment tells them apart by their column alone.
   */
  async relation(table: TableName, segments: readonly Segment[], columns: string, size?: number): Promise<string | null> {
    const parts: string[] = []
    for (const { file, rows, tenant } of segments) for (const name of tablesOf(table, rows, size)) parts.push(pieceSql(name, `${await this.attach(file)}.main.${name}`, tenant))
    return parts.length === 0 ? null : `(SELECT ${columns} FROM ${unionSql(table, parts)})`
  }
}

/** Makes the table `name` in a catalog in memory, in place of any before, and fills it with `rows` rows of the columns. */
export async function stage(connection: DuckDBConnection, { catalog, name }: { catalog: 'memory' | 'temp'; name: string }, columns: readonly StagedColumn[], rows: number): Promise<void> {
  const made = catalog === 'temp' ? `TEMP TABLE ${name}` : `TABLE ${catalog}.main.${name}`
  await connection.run(`CREATE OR REPLACE ${made} (${columns.map((c) => `"${c.name}" ${TYPES[c.kind].sql}`).join(', ')})`)
  if (rows === 0) return
  const appender = await connection.createAppender(name, 'main', catalog)
  try {
    const chunk = DuckDBDataChunk.create(columns.map((c) => TYPES[c.kind].type))
    for (let at = 0; at < rows; at += CHUNK_ROWS) {
      const n = Math.min(CHUNK_ROWS, rows - at)
      chunk.reset()
      chunk.rowCount = n
      for (const [index, column] of columns.entries()) put(chunk, index, column, at, n)
      appender.appendDataChunk(chunk)
    }
  } finally {
    appender.closeSync()
  }
}

// Whole 64-bit numbers are written as two halves, since a BigInt a row costs more than the row. Reused for every chunk.
const halves = new Uint32Array(CHUNK_ROWS * 2)

function put(chunk: DuckDBDataChunk, index: number, column: StagedColumn, at: number, n: number): void {
  if (column.kind === 'text') {
    chunk.setColumnValues(index, column.data.slice(at, at + n))
    return
  }
  const vector = bindings.data_chunk_get_vector(chunk.chunk, index)
  const { data } = column
  if (column.kind === 'int' || column.kind === 'double') {
    const width = data.BYTES_PER_ELEMENT
    bindings.copy_data_to_vector(vector, 0, data.buffer as ArrayBuffer, data.byteOffset + at * width, n * width)
    return
  }
  const scale = column.kind === 'time' ? 1000 : 1
  for (let i = 0; i < n; i++) {
    const whole = data[at + i] * scale
    halves[2 * i] = whole >>> 0
    halves[2 * i + 1] = whole / TWO_32
  }
  bindings.copy_data_to_vector(vector, 0, halves.buffer as ArrayBuffer, 0, n * 8)
}
