/**
 * DuckDB as a public query has it: in memory, without files, network, extensions or settings, over segments that are attached read-only.
 *
 * Owns its two instances, one that only parses and one that answers, and what may be told of their errors. Leaves to gate.ts what may run.
 *
 * - S1 Each query has a connection of its own, which ends with it: temporary tables, views and seeds of one query are never another's.
 * - S2 What DuckDB says while it reads and plans a query speaks of the query alone, and is passed on. What it says while rows flow may hold a
 *   value, and is replaced by a sentence for its kind.
 */

import { DuckDBInstance } from '@duckdb/node-api'
import type { DuckDBConnection, DuckDBPreparedStatement } from '@duckdb/node-api'
import { join } from 'node:path'
import { SQL_SPILL_MIB } from '../../../runtime/limits.ts'
import { literal } from '../../store/tables.ts'
import { compileView } from '../../view/compile.ts'
import { ViewError } from '../../view/listed.ts'
import { emptyDatabase } from '../../view/database.ts'
import type { KeptView } from '../../view/kept.ts'
import { answerBytes, BrokenOff, TooManyRows } from './answer.ts'
import { AttachedSegments } from './attached.ts'
import { SqlError } from './frames.ts'
import type { Ask, Parameters } from './frames.ts'
import { makeViews } from './tenant-views.ts'
import type { ViewsOf } from './tenant-views.ts'

export interface SessionOptions {
  /** Where the segments lie: the only folder whose files can be attached. */
  readonly segmentsDir: string
  /** For files that are only there while an answer is made. */
  readonly tmpDir: string
  readonly memoryMiB: number
  readonly threads: number
}

export class Session {
  readonly segments: AttachedSegments
  readonly #parsing: DuckDBInstance
  readonly #parser: DuckDBConnection
  readonly #instance: DuckDBInstance
  readonly #tmpDir: string

  private constructor({ parsing, parser }: { parsing: DuckDBInstance; parser: DuckDBConnection }, instance: DuckDBInstance, segments: AttachedSegments, tmpDir: string) {
    this.#parsing = parsing
    this.#parser = parser
    this.#instance = instance
    this.segments = segments
    this.#tmpDir = tmpDir
  }

  static async open({ segmentsDir, tmpDir, memoryMiB, threads }: SessionOptions): Promise<Session> {
    const parsing = await lockedInstance({ threads: 1, memoryMiB: 128 })
    const instance = await lockedInstance({ threads, memoryMiB, segmentsDir, spillDir: join(tmpDir, 'spill') })
    return new Session({ parsing, parser: await parsing.connect() }, instance, new AttachedSegments(await instance.connect(), segmentsDir), tmpDir)
  }

  /** The syntax tree of a text, or what is wrong with it, as JSON. */
  async parse(sql: string): Promise<string> {
    try {
      const reader = await this.#parser.runAndReadAll('SELECT json_serialize_sql($1::VARCHAR)', [sql])
      return String(reader.getRows()[0][0])
    } catch (error) {
      throw planningError(error)
    }
  }

  /** A view of what was parsed, and has passed the gate. Throws `SqlError`. */
  async compile(tenant: string, parsed: string, sql: string): Promise<KeptView> {
    const connection = await this.#parsing.connect()
    try {
      return await compileView(tenant, parsed, sql, await emptyDatabase(connection))
    } catch (error) {
      throw error instanceof ViewError ? new SqlError('refused', error.message, error.position) : planningError(error)
    } finally {
      connection.closeSync()
    }
  }

  /** Begins one tenant's query. `close` it, whatever comes. */
  async begin(options: ViewsOf): Promise<Query> {
    const connection = await this.#instance.connect()
    const query = new Query(connection, this.#tmpDir)
    try {
      await makeViews(connection, this.segments, options)
      return query
    } catch (error) {
      query.close()
      // These statements are ours: what is wrong with them is not the query's fault.
      const { code } = runningError(error)
      throw code === 'memory' || code === 'time' ? runningError(error) : new SqlError('broken', `The views could not be made: ${String(error)}`)
    }
  }
}

/** One query under way. */
export class Query {
  readonly #connection: DuckDBConnection
  readonly #tmpDir: string

  constructor(connection: DuckDBConnection, tmpDir: string) {
    this.#connection = connection
    this.#tmpDir = tmpDir
  }

  /** The answer, piece by piece. Throws `SqlError`. */
  async *answer(ask: Ask): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const prepared = await this.#connection.prepare(ask.sql).catch((error: unknown) => Promise.reject(planningError(error)))
    let sent = false
    try {
      bind(prepared, ask.params)
      for await (const bytes of answerBytes(await prepared.stream(), ask, this.#tmpDir)) {
        sent = true
        yield bytes
      }
    } catch (error) {
      // Where the client can still be told why, it is worth finding out.
      if (error instanceof BrokenOff && !sent) await prepared.run().catch((why: unknown) => Promise.reject(runningError(why)))
      if (error instanceof BrokenOff) throw new SqlError('failed', 'A row of the answer could not be computed.')
      if (error instanceof TooManyRows) {
        throw new SqlError('rows', `The answer has more than ${ask.rowsMax} rows, and ${ask.format} can not say that it is cut. Add a LIMIT, or raise maxRows.`)
      }
      throw runningError(error)
    } finally {
      prepared.destroySync()
    }
  }

  /** Has what runs end soon, with `time`. May be said again. */
  interrupt(): void {
    this.#connection.interrupt()
  }

  close(): void {
    this.#connection.closeSync()
  }
}

interface InstanceOptions {
  readonly threads: number
  readonly memoryMiB: number
  readonly segmentsDir?: string
  /** Where large sorts, joins and groups go on beyond the memory. */
  readonly spillDir?: string
}

async function lockedInstance({ threads, memoryMiB, segmentsDir, spillDir = '' }: InstanceOptions): Promise<DuckDBInstance> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(threads),
    memory_limit: `${memoryMiB}MiB`,
    temp_directory: spillDir,
    max_temp_directory_size: `${SQL_SPILL_MIB}MiB`,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
  })
  const connection = await instance.connect()
  // Errors as JSON tell their kind and place, so that nobody has to guess them from a sentence.
  const settings = ["TimeZone='UTC'", 'GLOBAL errors_as_json=true', ...(segmentsDir === undefined ? [] : [`allowed_directories=[${literal(segmentsDir)}]`]), 'enable_external_access=false', 'lock_configuration=true']
  for (const setting of settings) await connection.run(`SET ${setting}`)
  connection.closeSync()
  return instance
}

function bind(prepared: DuckDBPreparedStatement, params: Parameters): void {
  const count = prepared.parameterCount
  const named = Array.isArray(params) ? null : (params as Readonly<Record<string, Parameters[keyof Parameters]>>)
  const given = named === null ? (params as readonly unknown[]).length : Object.keys(named).length
  if (given !== count) throw new SqlError('invalid', `Cannot run the query as each of its parameters must be given: it has ${count}, and current number is ${given}`)
  for (let index = 1; index <= count; index++) {
    const name = prepared.parameterName(index)
    if (named !== null && !Object.hasOwn(named, name)) throw new SqlError('invalid', `Cannot run the query as each of its parameters must be given: "${name}" is not`)
    const value = named === null ? (params as readonly unknown[])[index - 1] : named[name]
    if (value === null) prepared.bindNull(index)
    else if (typeof value === 'boolean') prepared.bindBoolean(index, value)
    else if (typeof value === 'string') prepared.bindVarchar(index, value)
    else if (Number.isSafeInteger(value)) prepared.bindBigInt(index, BigInt(value as number))
    else prepared.bindDouble(index, value as number)
  }
}

interface DuckDBErrorFacts {
  readonly exception_type?: string
  readonly exception_message?: string
  readonly position?: string
}

function factsOf(error: unknown): DuckDBErrorFacts {
  const message = error instanceof Error ? error.message : String(error)
  const json = message.indexOf('{')
  try {
    return JSON.parse(message.slice(json)) as DuckDBErrorFacts
  } catch {
    return {}
  }
}

const SENTENCES: Readonly<Record<string, string>> = {
  Conversion: 'A value could not be converted to the type asked for. TRY_CAST gives NULL in its place.',
  'Invalid Input': 'A function was given a value that it can not take. TRY gives NULL in its place.',
  'Out of Range': 'A number was out of the range of its type. Cast it to a larger type, as DOUBLE or HUGEINT, before it is computed with.',
  'Mismatch Type': 'A value was not of the type that it was taken for.',
  Constraint: 'A value was not within what its type allows.',
  'Not implemented': 'The query asks for what DuckDB can not do with these types.',
}

/** Kinds that only ever speak of the query's text and its parameters. */
const OF_THE_TEXT = ['Parser', 'Syntax', 'Binder', 'Catalog', 'Parameter Not Resolved', 'Parameter Not Allowed', 'Expression']

function planningError(error: unknown): SqlError {
  if (error instanceof SqlError) return error
  const { exception_type: kind = '', exception_message: message = '', position } = factsOf(error)
  const known = OF_THE_TEXT.includes(kind) || kind in SENTENCES
  return known ? new SqlError('invalid', `${kind} error: ${message}`, position === undefined ? null : Number(position)) : runningError(error)
}

function runningError(error: unknown): SqlError {
  if (error instanceof SqlError) return error
  const { exception_type: kind = '', position } = factsOf(error)
  if (OF_THE_TEXT.includes(kind)) return planningError(error)
  const place = position === undefined ? null : Number(position)
  if (kind === 'Out of Memory') return new SqlError('memory', 'The query takes more memory than one may take. Ask for fewer rows, groups or columns at a time.')
  if (kind === 'INTERRUPT') return new SqlError('time', 'The query was stopped.')
  if (kind === 'Permission') return new SqlError('refused', 'The query may read nothing but its views.', place)
  if (Object.hasOwn(SENTENCES, kind)) return new SqlError('failed', SENTENCES[kind], place)
  return new SqlError('broken', `DuckDB failed, by an error of kind "${kind || 'unknown'}".`)
}
