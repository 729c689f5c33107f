/**
 * A prepared query's rows as the bytes of an answer, in the format asked for.
 *
 * - N1 Nothing is sent before there are `SQL_CHUNK_BYTES` of it, or all of it. So a small answer comes whole or not at all.
 * - N2 A stream of DuckDB that fails ends, for the bindings, as one that is at its end, without a word; only that it no longer counts as streaming
 *   tells the two apart. So each end is looked at, else a part would pass for the whole.
 * - N3 Of more rows than may be, JSON says `truncated`; any other format fails, since it has no place to say so.
 */

import type { DuckDBDataChunk, DuckDBResult } from '@duckdb/node-api'
import { SQL_CHUNK_BYTES } from '../../../runtime/limits.ts'
import { distinctNames } from './cells.ts'
import type { AnswerColumn } from './cells.ts'
import type { Ask } from './frames.ts'
import { ParquetAnswer } from './parquet-answer.ts'
import { textWriter } from './text-answer.ts'
import type { AnswerWriter } from './text-answer.ts'

/** More rows than the answer may have. */
export class TooManyRows extends Error {}
/** The rows ended too early; why, only running the query anew can tell. */
export class BrokenOff extends Error {}

/** The next rows; null at the end. Throws `BrokenOff`. */
async function nextChunk(result: DuckDBResult): Promise<DuckDBDataChunk | null> {
  const chunk = await result.fetchChunk()
  if (chunk !== null && chunk.rowCount > 0) return chunk
  if (!result.isStreaming) throw new BrokenOff()
  return null
}

/** @param folder for files that are only there while the answer is made. */
export async function* answerBytes(result: DuckDBResult, { format, timeMs, rowsMax }: Ask, folder: string): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const types = result.columnTypes()
  const columns = distinctNames(result.columnNames()).map((name, i) => ({ name, type: types[i] }))
  if (format === 'parquet') {
    yield* parquetBytes(result, columns, { timeMs, rowsMax, folder })
    return
  }
  const writer = await writerOf(format, columns, timeMs)
  let parts: Buffer<ArrayBuffer>[] = []
  let held = 0
  const keep = (written: Uint8Array | string) => {
    const part = typeof written === 'string' ? Buffer.from(written) : Buffer.from(written.buffer as ArrayBuffer, written.byteOffset, written.byteLength)
    parts.push(part)
    held += part.byteLength
  }
  keep(writer.begin())
  let rows = 0
  let truncated = false
  while (!truncated) {
    const chunk = await nextChunk(result)
    if (chunk === null) break
    const wanted = Math.min(chunk.rowCount, rowsMax - rows)
    truncated = wanted < chunk.rowCount
    if (truncated && format !== 'json') throw new TooManyRows()
    keep(writer.add(chunk, wanted))
    rows += wanted
    if (held >= SQL_CHUNK_BYTES) {
      yield Buffer.concat(parts)
      parts = []
      held = 0
    }
  }
  keep(writer.end(truncated))
  if (parts.length > 0) yield Buffer.concat(parts)
}

async function writerOf(format: 'json' | 'ndjson' | 'csv' | 'arrow', columns: readonly AnswerColumn[], timeMs: boolean): Promise<AnswerWriter> {
  if (format !== 'arrow') return textWriter(format, columns, timeMs)
  const { arrowWriter } = await import('./arrow-answer.ts')
  return arrowWriter(columns, timeMs)
}

async function* parquetBytes(
  result: DuckDBResult,
  columns: readonly AnswerColumn[],
  { timeMs, rowsMax, folder }: { timeMs: boolean; rowsMax: number; folder: string },
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const answer = new ParquetAnswer(columns, { folder, timeMs })
  try {
    await answer.begin()
    let rows = 0
    for (let chunk = await nextChunk(result); chunk !== null; chunk = await nextChunk(result)) {
      rows += chunk.rowCount
      if (rows > rowsMax) throw new TooManyRows()
      answer.add(chunk)
    }
    yield* answer.bytes()
  } finally {
    answer.close()
  }
}
