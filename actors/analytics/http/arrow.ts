/**
 * Arrow IPC streams: columns of numbers and texts as record batches.
 *
 * Owns what of apache-arrow is used, which is loaded with this file; so import it only where somebody asks for Arrow. Leaves to sql/arrow-answer.ts
 * what DuckDB's types are in it.
 *
 * - A1 Times are timestamps in UTC, in microseconds; of a request with time=ms, epoch milliseconds as whole numbers.
 */

import * as arrow from 'apache-arrow'
import type { ColumnSpec } from './reply.ts'

/** Bytes of a stream as they come: `take` gives what was written since, `batch` writes, `end` ends it. */
export class ArrowStream {
  readonly #schema: arrow.Schema
  readonly #writer = new arrow.RecordBatchStreamWriter()
  readonly #sink = new Sink()

  constructor(fields: readonly arrow.Field[]) {
    this.#schema = new arrow.Schema([...fields])
    this.#writer.reset(this.#sink, this.#schema)
  }

  /** Writes a batch; `columns` are in the order of the fields. */
  batch(columns: readonly arrow.Data[], rows: number): void {
    const data = arrow.makeData({ type: new arrow.Struct(this.#schema.fields), length: rows, nullCount: 0, children: [...columns] })
    this.#writer.write(new arrow.RecordBatch(this.#schema, data))
  }

  end(): void {
    this.#writer.finish()
  }

  take(): Uint8Array<ArrayBuffer> {
    return Buffer.concat(this.#sink.parts.splice(0))
  }
}

/** Keeps what a writer writes. */
class Sink extends arrow.AsyncByteQueue {
  readonly parts: Uint8Array[] = []

  override write(part: unknown): void {
    const view = part as Uint8Array
    if (view?.byteLength > 0) this.parts.push(new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
  }

  override close(): void {}
}

/** A list as a whole stream of one batch. */
export function arrowList(columns: readonly ColumnSpec[], rows: readonly (readonly unknown[])[], { timeMs }: { timeMs: boolean }): Uint8Array<ArrayBuffer> {
  const vectors = columns.map(({ kind }, at) => {
    const cells = rows.map((row) => row[at] as string | number | null)
    if (kind === 'text') return textData(cells as (string | null)[])
    if (kind === 'flag') return flagData(rows.map((row) => row[at] as boolean | null))
    const number = kind === 'number'
    const type = number ? new arrow.Float64() : kind === 'time' && !timeMs ? new arrow.TimestampMicrosecond('UTC') : new arrow.Int64()
    const { bits, nulls } = validity(cells.length, (i) => cells[i] === null || !Number.isFinite(cells[i]))
    const scale = kind === 'time' && !timeMs ? 1_000 : 1
    const data = number
      ? Float64Array.from(cells as number[])
      : BigInt64Array.from(cells, (cell) => (cell === null || !Number.isFinite(cell) ? 0n : BigInt(Math.round((cell as number) * scale))))
    return arrow.makeData({ type: type as arrow.Int64, length: cells.length, nullCount: nulls, nullBitmap: bits, data: data as BigInt64Array })
  })
  const stream = new ArrowStream(columns.map(({ name }, at) => new arrow.Field(name, vectors[at].type, true)))
  stream.batch(vectors, rows.length)
  stream.end()
  return stream.take()
}

function flagData(flags: readonly (boolean | null)[]): arrow.Data<arrow.Bool> {
  const { bits, nulls } = validity(flags.length, (i) => flags[i] === null)
  const { bits: data } = validity(flags.length, (i) => flags[i] !== true)
  return arrow.makeData({ type: new arrow.Bool(), length: flags.length, nullCount: nulls, nullBitmap: bits, data: data ?? new Uint8Array(Math.ceil(flags.length / 64) * 8).fill(0xff) })
}

const utf8 = new TextEncoder()

export function textData(texts: readonly (string | null)[]): arrow.Data<arrow.Utf8> {
  const offsets = new Int32Array(texts.length + 1)
  let room = new Uint8Array(Math.max(1_024, texts.length * 24))
  let at = 0
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i]
    if (text !== null) {
      // A character of a JavaScript string is at most three bytes.
      if (at + text.length * 3 > room.length) {
        const larger = new Uint8Array(Math.max(room.length * 2, at + text.length * 3))
        larger.set(room)
        room = larger
      }
      at += utf8.encodeInto(text, room.subarray(at)).written
    }
    offsets[i + 1] = at
  }
  const { bits, nulls } = validity(texts.length, (i) => texts[i] === null)
  return arrow.makeData({ type: new arrow.Utf8(), length: texts.length, nullCount: nulls, nullBitmap: bits, valueOffsets: offsets, data: room.subarray(0, at) })
}

/** A bit a row, set where it is there; null where all are. */
export function validity(rows: number, isNull: (row: number) => boolean): { bits: Uint8Array | null; nulls: number } {
  let bits: Uint8Array | null = null
  let nulls = 0
  for (let i = 0; i < rows; i++) {
    if (!isNull(i)) continue
    bits ??= new Uint8Array(Math.ceil(rows / 64) * 8).fill(0xff)
    bits[i >> 3] &= ~(1 << (i & 7))
    nulls++
  }
  return { bits, nulls }
}
