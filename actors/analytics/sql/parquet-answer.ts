/**
 * An answer as a Parquet file. Its end says where everything is, so it is made whole before any of it is sent.
 *
 * Owns a DuckDB of its own, which may write files, and which never sees a word of a query: rows come to it as chunks.
 */

import { DuckDBInstance, DuckDBTypeId } from '@duckdb/node-api'
import type { DuckDBAppender, DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { SQL_CHUNK_BYTES, SQL_MEMORY_MIB } from '../../../runtime/limits.ts'
import { literal } from '../../store/tables.ts'
import { columnType } from './cells.ts'
import type { AnswerColumn } from './cells.ts'

/** Types that Parquet has not, or that DuckDB does not write: they go as text. */
const AS_TEXT: readonly DuckDBTypeId[] = [DuckDBTypeId.UNION, DuckDBTypeId.BIT, DuckDBTypeId.BIGNUM, DuckDBTypeId.TIME_TZ, DuckDBTypeId.VARIANT]

let made: Promise<DuckDBInstance> | null = null

/** @param folder for the file, while it is made and sent. */
export class ParquetAnswer {
  readonly #columns: readonly AnswerColumn[]
  readonly #folder: string
  readonly #timeMs: boolean
  #connection: DuckDBConnection | null = null
  #appender: DuckDBAppender | null = null

  constructor(columns: readonly AnswerColumn[], options: { folder: string; timeMs: boolean }) {
    this.#columns = columns
    this.#folder = options.folder
    this.#timeMs = options.timeMs
  }

  async begin(): Promise<void> {
    made ??= DuckDBInstance.create(':memory:', { threads: '1', memory_limit: `${SQL_MEMORY_MIB}MiB`, max_temp_directory_size: '0KB' })
    this.#connection = await (await made).connect()
    const defined = this.#columns.map(({ name, type }) => `${quoted(name)} ${columnType(type)}`)
    await this.#connection.run(`CREATE TEMP TABLE answer (${defined.join(', ')})`)
    this.#appender = await this.#connection.createAppender('answer', 'main', 'temp')
  }

  add(chunk: DuckDBDataChunk): void {
    this.#appender!.appendDataChunk(chunk)
  }

  /** Writes the file, and gives its bytes one after the other. */
  async *bytes(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    this.#appender!.closeSync()
    this.#appender = null
    const path = join(this.#folder, 'answer.parquet')
    const shown = this.#columns.map(({ name, type }) => {
      const of = quoted(name)
      if (this.#timeMs && type.toString().startsWith('TIMESTAMP')) return `epoch_ms(${of}) AS ${of}`
      return AS_TEXT.includes(type.typeId) ? `${of}::VARCHAR AS ${of}` : of
    })
    try {
      await this.#connection!.run(`COPY (SELECT ${shown.join(', ')} FROM answer) TO ${literal(path)} (FORMAT parquet)`)
      const file = await open(path)
      try {
        for (;;) {
          const { bytesRead, buffer } = await file.read(new Uint8Array(SQL_CHUNK_BYTES), 0, SQL_CHUNK_BYTES)
          if (bytesRead === 0) return
          yield buffer.subarray(0, bytesRead)
        }
      } finally {
        await file.close()
      }
    } finally {
      await rm(path, { force: true })
    }
  }

  close(): void {
    this.#appender?.closeSync()
    this.#connection?.closeSync()
  }
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`
