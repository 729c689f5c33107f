/**
 * The lake as the server sees it: segments attached read-only to one DuckDB in memory, one consistent manifest a query.
 *
 * Owns the DuckDB instance, its connections and their bound, and which segments are attached. Leaves what is asked to the
 * queries, and the manifest to the store.
 *
 * Invariants
 * - A1 A query holds one version of the lake from its first row to its last: no segment of it is detached meanwhile.
 * - A2 Segments are attached READ_ONLY by their own names, never through `read_duckdb`, which spins where a statement over the
 *   same file is alive in the instance.
 * - A3 Queries run on a bounded number of connections, since they share the few threads that all file I/O of the process uses.
 */

import { BOOLEAN, DuckDBInstance, DuckDBDataChunk, DOUBLE, VARCHAR } from '@duckdb/node-api'
import type { DuckDBConnection, DuckDBType, DuckDBValue } from '@duckdb/node-api'
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../../../runtime/clock.ts'
import { ErrorCode, OperatingError } from '../../../runtime/errors.ts'
import { LAKE_CONNECTIONS, LAKE_MEMORY_MIB, LAKE_QUERIES_WAITING_MAX, LAKE_QUERY_MAX_MS, LAKE_THREADS } from '../../../runtime/limits.ts'
import { HOUR_MS } from '../../reading/window.ts'
import { HORIZON_MAX } from '../../partition/forecasts.ts'
import { segmentsDir } from '../../store/manifest.ts'
import type { Manifest, Segment } from '../../store/manifest.ts'
import { columnsSql, literal, pieceSql, tablesOf, unionSql } from '../../store/tables.ts'

const SHOWN = ['readings', 'windows', 'anomalies', 'forecasts', 'feedback', 'profiles', 'drivers', 'alerts', 'ledger', 'series'] as const
/** Tables that queries ask for. */
export type ShownTable = (typeof SHOWN)[number]

/** A text as an SQL literal. */
export const text = literal

/** A number as an SQL literal of type DOUBLE, every bit of it: a bare literal would be read as a decimal first. */
export function double(value: number): string {
  return `'${value}'::DOUBLE`
}

/** Epoch ms as an SQL literal of type TIMESTAMP. */
export function timestamp(ms: number): string {
  return `make_timestamp(${BigInt(Math.round(ms * 1000))})`
}

/** A segment, and its name in SQL for as long as it is attached. */
export interface Attached {
  readonly alias: string
  readonly segment: Segment
}

/**
 * Times, epoch ms, and files, that a relation is asked for; what is left out is not restricted. `size`, an index, is of windows: the relation may still
 * have others, of segments that keep all sizes in one table.
 */
export interface Within {
  readonly from?: number
  readonly to?: number
  readonly size?: number
  readonly files?: ReadonlySet<string>
}

/** Selects of a table's columns as SQL that follows `FROM`. */
export function unionOf(table: ShownTable, parts: readonly string[]): string {
  return parts.length === 0 ? `memory.main.${table}` : `(${parts.join(' UNION ALL ')})`
}

/** One manifest, its segments attached. Hold it by `Lake.acquire`, or by being the current one. */
export class LakeVersion {
  readonly manifest: Manifest | null
  readonly attached: readonly Attached[]
  /** Queries that hold it. */
  holders = 0

  constructor(manifest: Manifest | null, attached: readonly Attached[]) {
    this.manifest = manifest
    this.attached = attached
  }

  /**
   * Segments that may have rows of a table; `from`, `to` (not of the ledger, which goes by arrival) leave out those whose event times lie wholly
   * outside: an anomaly is sealed with its reading.
   */
  reached(table: ShownTable, { from = -Infinity, to = Infinity, size, files }: Within): Attached[] {
    return this.attached.filter(({ segment }) => {
      if (tablesOf(table, segment.rows, size).length === 0 || (files !== undefined && !files.has(segment.file))) return false
      // An answer comes long after its anomaly; a forecast is sealed with the hour that it was made at, at most a week before those it speaks of.
      if (table === 'ledger' || table === 'series' || table === 'feedback' || table === 'profiles' || table === 'drivers' || table === 'alerts') return true
      const since = table === 'forecasts' ? from - (HORIZON_MAX + 1) * HOUR_MS : from
      const [least, most] = table === 'readings' ? [segment.readingsMin ?? segment.tsMin, segment.readingsMax ?? segment.tsMax] : [segment.tsMin, segment.tsMax]
      return least === null || most === null || (most >= since && least < to)
    })
  }

  /** A table as SQL that follows `FROM`: the union of the segments that may have rows of it. */
  relation(table: ShownTable, within: Within = {}): string {
    const parts = this.reached(table, within).flatMap(({ alias, segment }) => tablesOf(table, segment.rows, within.size).map((name) => pieceSql(name, `${alias}.main.${name}`, segment.tenant)))
    return parts.length === 0 ? `memory.main.${table}` : unionSql(table, parts)
  }

  /** Rows of readings in all segments, by the manifest. */
  get readings(): number {
    return this.attached.reduce((sum, a) => sum + (a.segment.rows.readings ?? 0), 0)
  }
}

/** Rows of the caller, given to a query as a temporary table of that name: columns of texts (VARCHAR), then columns of numbers (DOUBLE). */
export interface GivenTable {
  readonly name: string
  readonly texts: Readonly<Record<string, readonly (string | null)[]>>
  readonly numbers: Readonly<Record<string, readonly (number | null)[]>>
}

/** What a query gives: a column an array. DOUBLE columns are numbers; ask for no other numeric type. */
export type Columns = any[][]

export class Lake {
  #folder: string
  #clock: Clock
  #instance: DuckDBInstance
  #admin: DuckDBConnection
  /** What attaches and detaches, one after the other: a connection is for one statement at a time. */
  #turn: Promise<unknown> = Promise.resolve()
  #free: DuckDBConnection[]
  #busy = new Set<DuckDBConnection>()
  #waiting: ((connection: DuckDBConnection) => void)[] = []
  #byFile = new Map<string, Attached>()
  #current = new LakeVersion(null, [])
  #versions = new Set<LakeVersion>([this.#current])
  #names = 0
  #closed = false

  private constructor(folder: string, clock: Clock, instance: DuckDBInstance, admin: DuckDBConnection, pool: DuckDBConnection[]) {
    this.#folder = folder
    this.#clock = clock
    this.#instance = instance
    this.#admin = admin
    this.#free = pool
  }

  /** `folder` is `<data>/lake`; nothing is attached yet. */
  static async open(options: { folder: string; clock: Clock; memoryMiB?: number; threads?: number }): Promise<Lake> {
    const { folder, clock, memoryMiB = LAKE_MEMORY_MIB, threads = LAKE_THREADS } = options
    const instance = await DuckDBInstance.create(':memory:', {
      threads: String(threads),
      memory_limit: `${memoryMiB}MB`,
      max_temp_directory_size: '0KB',
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    })
    const admin = await instance.connect()
    for (const table of SHOWN) await admin.run(`CREATE TABLE memory.main.${table} (${columnsSql(table)})`)
    const pool: DuckDBConnection[] = []
    for (let i = 0; i < LAKE_CONNECTIONS; i++) pool.push(await instance.connect())
    return new Lake(folder, clock, instance, admin, pool)
  }

  /** The version that new queries get. Who awaits while using it must `acquire` it. */
  get current(): LakeVersion {
    return this.#current
  }

  /** Attaches what `manifest` names and is not attached yet. The answer is held by the caller, until `publish` or `release`. */
  async prepare(manifest: Manifest): Promise<LakeVersion> {
    const attached: Attached[] = []
    for (const segment of manifest.segments) {
      const known = this.#byFile.get(segment.file)
      if (known !== undefined) {
        attached.push(known)
        continue
      }
      const made = { alias: `s${++this.#names}`, segment }
      await this.#manage(`ATTACH ${text(join(segmentsDir(this.#folder), segment.file))} AS ${made.alias} (READ_ONLY)`)
      this.#byFile.set(segment.file, made)
      attached.push(made)
    }
    const version = new LakeVersion(manifest, attached)
    version.holders = 1
    this.#versions.add(version)
    return version
  }

  /** Makes a prepared version the current one: synchronous, so that the caller can change what belongs to it in the same turn. */
  publish(version: LakeVersion): void {
    assert(this.#versions.has(version), 'a version must be prepared by this lake before it is published')
    const before = this.#current
    this.#current = version
    this.release(version)
    this.#drop(before)
  }

  /** Holds the current version until `release`. */
  acquire(): LakeVersion {
    this.#current.holders++
    return this.#current
  }

  release(version: LakeVersion): void {
    version.holders--
    assert(version.holders >= 0, 'a version of the lake must not be released twice')
    this.#drop(version)
  }

  /**
   * Runs one statement; the caller holds the version that it names. Throws `timeout` at the deadline, which what the store itself must know has
   * none of, `too-large` where it takes more memory than there is, and `unavailable` where too many wait.
   */
  async query(sql: string, given: readonly GivenTable[] = [], { deadline = true }: { deadline?: boolean } = {}): Promise<Columns> {
    const connection = await this.#take()
    let late = false
    let cancel = () => {}
    const interruptAfter = (ms: number) => {
      cancel = this.#clock.after(ms, () => {
        late = true
        connection.interrupt()
        // An interrupt that comes before the statement runs is lost, so it is said again until the statement ends.
        interruptAfter(INTERRUPT_AGAIN_MS)
      })
    }
    if (deadline) interruptAfter(LAKE_QUERY_MAX_MS)
    try {
      for (const table of given) await fill(connection, table)
      const reader = await connection.runAndReadAll(sql)
      return reader.getColumnsJS()
    } catch (error) {
      // DuckDB names its errors in their text alone.
      if (error instanceof Error && error.message.startsWith('Out of Memory')) {
        throw new OperatingError(ErrorCode.tooLarge, 'Cannot answer the query as its memory must be within its bound', { cause: error })
      }
      if (!late) throw error
      throw new OperatingError(ErrorCode.timeout, `Cannot answer the query as it must end within ${LAKE_QUERY_MAX_MS} ms`, { cause: error })
    } finally {
      cancel()
      // What is left there would hold memory until the next query of its kind takes its place.
      for (const { name } of given) await connection.run(`DROP TABLE IF EXISTS temp."${name}"`).catch(() => {})
      this.#give(connection)
    }
  }

  /** Rows as the bytes of a Parquet file: counts as BIGINT, times as TIMESTAMP, or as BIGINT of epoch ms. */
  async parquet(
    columns: readonly { readonly name: string; readonly kind: 'text' | 'number' | 'count' | 'time' | 'flag' }[],
    rows: readonly (readonly unknown[])[],
    { timeMs }: { timeMs: boolean },
  ): Promise<Uint8Array<ArrayBuffer>> {
    const folder = await mkdtemp(join(tmpdir(), 'weir-parquet-'))
    const file = join(folder, 'rows.parquet')
    const connection = await this.#take()
    try {
      const types = columns.map(({ kind }) => (kind === 'text' ? VARCHAR : kind === 'flag' ? BOOLEAN : DOUBLE))
      const defined = columns.map(({ name }, i) => `"${name}" ${types[i]}`).join(', ')
      await connection.run(`CREATE OR REPLACE TEMP TABLE given (${defined})`)
      await append(connection, 'given', types, columns.map((_, i) => rows.map((row) => row[i] as DuckDBValue)))
      const moment = timeMs ? '' : 'epoch_ms'
      const shown = columns.map(({ name, kind }) => {
        if (kind === 'time') return `${moment}("${name}"::BIGINT) AS "${name}"`
        return kind === 'count' ? `"${name}"::BIGINT AS "${name}"` : `"${name}"`
      })
      await connection.run(`COPY (SELECT ${shown.join(', ')} FROM given) TO ${text(file)} (FORMAT parquet)`)
      await connection.run('DROP TABLE given')
    } finally {
      this.#give(connection)
    }
    try {
      return await readFile(file)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  /** Interrupts the queries under way, and closes all. */
  async close(): Promise<void> {
    this.#closed = true
    for (const connection of this.#busy) connection.interrupt()
    for (let taken = 0; taken < LAKE_CONNECTIONS; taken++) {
      const idle = this.#free.pop() ?? (await new Promise<DuckDBConnection>((resolve) => this.#waiting.push(resolve)))
      idle.closeSync()
    }
    await this.#turn
    this.#admin.closeSync()
    this.#instance.closeSync()
  }

  #manage(sql: string): Promise<unknown> {
    const done = this.#turn.then(() => this.#admin.run(sql))
    this.#turn = done.catch(() => {})
    return done
  }

  async #take(): Promise<DuckDBConnection> {
    if (this.#closed) throw new OperatingError(ErrorCode.unavailable, 'Cannot query as the lake must be open: current state is closed')
    const connection = this.#free.pop()
    if (connection !== undefined) {
      this.#busy.add(connection)
      return connection
    }
    if (this.#waiting.length >= LAKE_QUERIES_WAITING_MAX) {
      const must = `at most ${LAKE_QUERIES_WAITING_MAX} queries may wait`
      throw new OperatingError(ErrorCode.unavailable, `Cannot query as ${must}: current number is ${this.#waiting.length}`)
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #give(connection: DuckDBConnection): void {
    const next = this.#waiting.shift()
    if (next !== undefined) return next(connection)
    this.#busy.delete(connection)
    this.#free.push(connection)
  }

  /** Forgets a version that is neither current nor held, and detaches what no other version names. */
  #drop(version: LakeVersion): void {
    if (version === this.#current || version.holders > 0 || !this.#versions.delete(version)) return
    const needed = new Set<Attached>()
    for (const other of this.#versions) for (const attached of other.attached) needed.add(attached)
    for (const attached of version.attached) {
      if (needed.has(attached) || this.#byFile.get(attached.segment.file) !== attached) continue
      this.#byFile.delete(attached.segment.file)
      // A failure leaves an attached file that nobody asks; the next start is without it.
      this.#manage(`DETACH ${attached.alias}`).catch(() => {})
    }
  }
}

const CHUNK_ROWS = 2_048
const INTERRUPT_AGAIN_MS = 250

async function fill(connection: DuckDBConnection, { name, texts, numbers }: GivenTable): Promise<void> {
  const columns = [
    ...Object.entries(texts).map(([column, values]) => ({ column, values, type: VARCHAR })),
    ...Object.entries(numbers).map(([column, values]) => ({ column, values, type: DOUBLE })),
  ]
  await connection.run(`CREATE OR REPLACE TEMP TABLE "${name}" (${columns.map(({ column, type }) => `"${column}" ${type}`).join(', ')})`)
  await append(connection, name, columns.map(({ type }) => type), columns.map(({ values }) => values))
}

/** Appends columns to a temporary table. */
async function append(
  connection: DuckDBConnection,
  table: string,
  types: readonly DuckDBType[],
  columns: readonly (readonly DuckDBValue[])[],
): Promise<void> {
  const rows = columns[0].length
  if (rows === 0) return
  const appender = await connection.createAppender(table, 'main', 'temp')
  for (let at = 0; at < rows; at += CHUNK_ROWS) {
    const chunk = DuckDBDataChunk.create(types)
    chunk.setColumns(columns.map((column) => column.slice(at, at + CHUNK_ROWS)))
    appender.appendDataChunk(chunk)
  }
  appender.closeSync()
}
