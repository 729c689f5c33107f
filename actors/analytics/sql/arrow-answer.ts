/**
 * An answer as an Arrow IPC stream: DuckDB's types as Arrow has them.
 *
 * - W1 Times are UTC. HUGEINT is a decimal of 38 digits, as DuckDB itself exports it; an INTERVAL is months, days and nanoseconds.
 * - W2 What Arrow has no type for (UUID, ENUM, BIT, TIMETZ, UNION, larger integers) is text, as in CSV.
 */

import bindings from '@duckdb/node-bindings'
import {
  DuckDBArrayType, DuckDBBlobValue, DuckDBDecimalType, DuckDBDecimalValue, DuckDBIntervalValue, DuckDBListType, DuckDBMapType, DuckDBStructType, DuckDBTypeId,
} from '@duckdb/node-api'
import type { DuckDBArrayValue, DuckDBDataChunk, DuckDBListValue, DuckDBMapValue, DuckDBStructValue, DuckDBType, DuckDBValue } from '@duckdb/node-api'
import * as arrow from 'apache-arrow'
import { ArrowStream, textData, validity } from '../http/arrow.ts'
import { cellText, cellsOf, fieldName, validityOf } from './cells.ts'
import type { AnswerColumn } from './cells.ts'
import type { AnswerWriter } from './text-answer.ts'

/** Rows of a batch. */
const BATCH_ROWS = 16_384

/** Of types whose values lie in a vector as they do in Arrow: their width, and how the bytes are read. */
const RAW: Readonly<Partial<Record<DuckDBTypeId, { readonly type: arrow.DataType; readonly array: TypedArrays }>>> = {
  [DuckDBTypeId.TINYINT]: { type: new arrow.Int8(), array: Int8Array },
  [DuckDBTypeId.SMALLINT]: { type: new arrow.Int16(), array: Int16Array },
  [DuckDBTypeId.INTEGER]: { type: new arrow.Int32(), array: Int32Array },
  [DuckDBTypeId.BIGINT]: { type: new arrow.Int64(), array: BigInt64Array },
  [DuckDBTypeId.UTINYINT]: { type: new arrow.Uint8(), array: Uint8Array },
  [DuckDBTypeId.USMALLINT]: { type: new arrow.Uint16(), array: Uint16Array },
  [DuckDBTypeId.UINTEGER]: { type: new arrow.Uint32(), array: Uint32Array },
  [DuckDBTypeId.UBIGINT]: { type: new arrow.Uint64(), array: BigUint64Array },
  [DuckDBTypeId.FLOAT]: { type: new arrow.Float32(), array: Float32Array },
  [DuckDBTypeId.DOUBLE]: { type: new arrow.Float64(), array: Float64Array },
  [DuckDBTypeId.DATE]: { type: new arrow.DateDay(), array: Int32Array },
  [DuckDBTypeId.TIME]: { type: new arrow.TimeMicrosecond(), array: BigInt64Array },
  [DuckDBTypeId.TIMESTAMP_S]: { type: new arrow.TimestampSecond('UTC'), array: BigInt64Array },
  [DuckDBTypeId.TIMESTAMP_MS]: { type: new arrow.TimestampMillisecond('UTC'), array: BigInt64Array },
  [DuckDBTypeId.TIMESTAMP]: { type: new arrow.TimestampMicrosecond('UTC'), array: BigInt64Array },
  [DuckDBTypeId.TIMESTAMP_TZ]: { type: new arrow.TimestampMicrosecond('UTC'), array: BigInt64Array },
  [DuckDBTypeId.TIMESTAMP_NS]: { type: new arrow.TimestampNanosecond('UTC'), array: BigInt64Array },
}
type TypedArrays =
  | typeof Int8Array | typeof Int16Array | typeof Int32Array | typeof BigInt64Array | typeof Uint8Array | typeof Uint16Array | typeof Uint32Array
  | typeof BigUint64Array | typeof Float32Array | typeof Float64Array
const UNITS_OF_MS: Readonly<Partial<Record<DuckDBTypeId, bigint>>> = { [DuckDBTypeId.TIMESTAMP]: 1_000n, [DuckDBTypeId.TIMESTAMP_TZ]: 1_000n, [DuckDBTypeId.TIMESTAMP_NS]: 1_000_000n }

export function arrowWriter(columns: readonly AnswerColumn[], timeMs: boolean): AnswerWriter {
  const gathers = columns.map((column) => gatherOf(column, timeMs))
  const stream = new ArrowStream(columns.map(({ name }, i) => new arrow.Field(name, gathers[i].type, true)))
  let gathered = 0
  const flush = () => {
    if (gathered > 0) stream.batch(gathers.map((gather) => gather.take()), gathered)
    gathered = 0
  }
  return {
    begin: () => stream.take(),
    add: (chunk, rows) => {
      for (const [at, gather] of gathers.entries()) gather.add(chunk, at, rows)
      gathered += rows
      if (gathered >= BATCH_ROWS) flush()
      return stream.take()
    },
    end: () => {
      flush()
      stream.end()
      return stream.take()
    },
  }
}

/** The column of a batch, while chunks come. */
interface Gather {
  readonly type: arrow.DataType
  add(chunk: DuckDBDataChunk, at: number, rows: number): void
  take(): arrow.Data
}

function gatherOf({ type }: AnswerColumn, timeMs: boolean): Gather {
  const raw = RAW[type.typeId]
  if (raw !== undefined && !(timeMs && isTime(type))) return rawGather(raw.type, raw.array)
  let values: (DuckDBValue | null)[] = []
  return {
    type: arrowType(type, timeMs),
    add: (chunk, at, rows) => {
      const cells = cellsOf(chunk, at, type)
      for (let i = 0; i < rows; i++) values.push(cells.getItem(i))
    },
    take: () => {
      const data = dataOf(type, values, timeMs)
      values = []
      return data
    },
  }
}

function rawGather(type: arrow.DataType, array: TypedArrays): Gather {
  const width = array.BYTES_PER_ELEMENT
  let parts: Uint8Array[] = []
  let nulls: number[] = []
  let length = 0
  return {
    type,
    add: (chunk, at, rows) => {
      const vector = bindings.data_chunk_get_vector(chunk.chunk, at)
      parts.push(bindings.vector_get_data(vector, rows * width))
      const valid = validityOf(vector, rows)
      for (let i = 0; i < rows; i++) if (!valid(i)) nulls.push(length + i)
      length += rows
    },
    take: () => {
      const bytes = new Uint8Array(length * width)
      let to = 0
      for (const part of parts) {
        bytes.set(part, to)
        to += part.byteLength
      }
      const missing = new Set(nulls)
      const { bits } = missing.size === 0 ? { bits: null } : validity(length, (i) => missing.has(i))
      const data = arrow.makeData({ type: type as arrow.Int64, length, nullCount: missing.size, nullBitmap: bits, data: new array(bytes.buffer) as BigInt64Array })
      parts = []
      nulls = []
      length = 0
      return data
    },
  }
}

const isTime = (type: DuckDBType) => type.toString().startsWith('TIMESTAMP')

function arrowType(type: DuckDBType, timeMs: boolean): arrow.DataType {
  if (timeMs && isTime(type)) return new arrow.Int64()
  const raw = RAW[type.typeId]
  if (raw !== undefined) return raw.type
  if (type.typeId === DuckDBTypeId.BOOLEAN) return new arrow.Bool()
  if (type.typeId === DuckDBTypeId.BLOB) return new arrow.Binary()
  if (type.typeId === DuckDBTypeId.INTERVAL) return new arrow.IntervalMonthDayNano()
  if (type.typeId === DuckDBTypeId.HUGEINT) return new arrow.Decimal(0, 38, 128)
  if (type instanceof DuckDBDecimalType) return new arrow.Decimal(type.scale, type.width, 128)
  if (type instanceof DuckDBListType || type instanceof DuckDBArrayType) return new arrow.List(new arrow.Field('item', arrowType(type.valueType, timeMs), true))
  if (type instanceof DuckDBStructType) return new arrow.Struct(type.entryNames.map((name, i) => new arrow.Field(fieldName(name, i), arrowType(type.entryTypes[i], timeMs), true)))
  if (type instanceof DuckDBMapType) {
    const entry = [new arrow.Field('key', arrowType(type.keyType, timeMs), false), new arrow.Field('value', arrowType(type.valueType, timeMs), true)]
    return new arrow.Map_(new arrow.Field('entries', new arrow.Struct(entry), false) as never)
  }
  return new arrow.Utf8()
}

/** Values one by one, as Arrow's memory. */
function dataOf(type: DuckDBType, values: readonly (DuckDBValue | null)[], timeMs: boolean): arrow.Data {
  const length = values.length
  const { bits: nullBitmap, nulls: nullCount } = validity(length, (i) => values[i] === null)
  const common = { length, nullCount, nullBitmap }
  const made = arrowType(type, timeMs)
  if (timeMs && isTime(type)) {
    const units = UNITS_OF_MS[type.typeId] ?? 1n
    const scale = type.typeId === DuckDBTypeId.TIMESTAMP_S ? 1_000n : 1n
    return arrow.makeData({ ...common, type: new arrow.Int64(), data: BigInt64Array.from(values, (value) => (unitsOf(value) * scale) / units) })
  }
  const raw = RAW[type.typeId]
  if (raw !== undefined) {
    const big = raw.array === BigInt64Array || raw.array === BigUint64Array
    const data = big ? BigInt64Array.from(values, unitsOf) : (raw.array as typeof Float64Array).from(values, (value) => Number(type.typeId === DuckDBTypeId.DATE ? unitsOf(value) : (value ?? 0)))
    return arrow.makeData({ ...common, type: made as arrow.Int64, data: data as BigInt64Array })
  }
  if (made instanceof arrow.Bool) {
    const data = new Uint8Array(Math.ceil(length / 64) * 8)
    for (let i = 0; i < length; i++) if (values[i] === true) data[i >> 3] |= 1 << (i & 7)
    return arrow.makeData({ ...common, type: made, data })
  }
  if (made instanceof arrow.Binary) {
    const parts = values.map((value) => (value instanceof DuckDBBlobValue ? value.bytes : new Uint8Array(0)))
    return arrow.makeData({ ...common, type: made, valueOffsets: offsetsOf(parts), data: Buffer.concat(parts) })
  }
  if (made instanceof arrow.IntervalMonthDayNano) {
    const data = new Int32Array(length * 4)
    const nanos = new BigInt64Array(data.buffer)
    for (const [i, value] of values.entries()) {
      if (!(value instanceof DuckDBIntervalValue)) continue
      data[4 * i] = value.months
      data[4 * i + 1] = value.days
      nanos[2 * i + 1] = value.micros * 1_000n
    }
    return arrow.makeData({ ...common, type: made, data })
  }
  if (made instanceof arrow.Decimal) {
    const halves = new BigInt64Array(length * 2)
    for (const [i, value] of values.entries()) {
      const whole = value instanceof DuckDBDecimalValue ? value.value : typeof value === 'bigint' ? value : 0n
      halves[2 * i] = BigInt.asIntN(64, whole)
      halves[2 * i + 1] = whole >> 64n
    }
    return arrow.makeData({ ...common, type: made, data: new Uint32Array(halves.buffer) })
  }
  if (type instanceof DuckDBListType || type instanceof DuckDBArrayType) {
    const lists = values.map((value) => (value === null ? [] : (value as DuckDBListValue | DuckDBArrayValue).items))
    return arrow.makeData({ ...common, type: made as arrow.List, valueOffsets: offsetsOf(lists), child: dataOf(type.valueType, lists.flat(), timeMs) })
  }
  if (type instanceof DuckDBStructType) {
    const children = type.entryTypes.map((of, i) => {
      const name = fieldName(type.entryNames[i], i)
      return dataOf(of, values.map((value) => (value === null ? null : (value as DuckDBStructValue).entries[name])), timeMs)
    })
    return arrow.makeData({ ...common, type: made as arrow.Struct, children })
  }
  if (type instanceof DuckDBMapType) {
    const maps = values.map((value) => (value === null ? [] : (value as DuckDBMapValue).entries))
    const entries = maps.flat()
    const struct = (made as arrow.Map_).children[0].type as arrow.Struct
    const children = [dataOf(type.keyType, entries.map(({ key }) => key), timeMs), dataOf(type.valueType, entries.map(({ value }) => value), timeMs)]
    const child = arrow.makeData({ type: struct, length: entries.length, nullCount: 0, children })
    return arrow.makeData({ ...common, type: made as arrow.Map_, valueOffsets: offsetsOf(maps), child: child as never })
  }
  return textData(values.map((value) => (value === null ? null : cellText(value, type, timeMs))))
}

/** The number that a time is, in its own units. */
function unitsOf(value: DuckDBValue | null): bigint {
  if (value === null) return 0n
  if (typeof value === 'bigint') return value
  const { micros, millis, nanos, seconds, days } = value as { micros?: bigint; millis?: bigint; nanos?: bigint; seconds?: bigint; days?: number }
  return BigInt(micros ?? millis ?? nanos ?? seconds ?? days ?? 0)
}

function offsetsOf(parts: readonly { readonly length: number }[]): Int32Array {
  const offsets = new Int32Array(parts.length + 1)
  for (let i = 0; i < parts.length; i++) offsets[i + 1] = offsets[i] + parts[i].length
  return offsets
}
