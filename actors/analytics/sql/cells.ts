/**
 * Values of an answer as text: how each type of DuckDB looks in JSON and in CSV.
 *
 * - C1 Nothing is lost on the way: whole numbers beyond 2^53, and decimals of more than 15 digits, are texts in JSON.
 * - C2 Times are RFC 3339 in UTC, with as many digits as they have, 3 at least; or epoch milliseconds. What JSON has no word for (NaN, infinite) is null.
 * - C3 Lists, structs and maps are JSON, of MAP a list of `{key, value}`; the rest (INTERVAL, TIME, UUID, BLOB, BIT …) is the text that DuckDB shows.
 */

import bindings from '@duckdb/node-bindings'
import {
  DuckDBArrayType, DuckDBArrayValue, DuckDBDateValue, DuckDBDecimalValue, DuckDBListType, DuckDBListValue, DuckDBMapType, DuckDBMapValue, DuckDBStructType,
  DuckDBStructValue, DuckDBTimestampMillisecondsValue, DuckDBTimestampNanosecondsValue, DuckDBTimestampSecondsValue, DuckDBTimestampTZValue,
  DuckDBTimestampValue, DuckDBTypeId, DuckDBUnionType, DuckDBUnionValue, DuckDBVector,
} from '@duckdb/node-api'
import type { DuckDBDataChunk, DuckDBType, DuckDBValue } from '@duckdb/node-api'

/** A column of an answer, its name its own. */
export interface AnswerColumn {
  readonly name: string
  readonly type: DuckDBType
}

/** A type as an answer names it: as DuckDB does, or by its alias (JSON). */
export function typeName(type: DuckDBType): string {
  return type.alias ?? type.toString()
}

/** Names that differ, whatever the query called its columns: a second `x` is `x_1`. */
export function distinctNames(names: readonly string[]): string[] {
  const taken = new Set(names)
  const used = new Set<string>()
  return names.map((name) => {
    let own = name
    for (let n = 1; used.has(own); n++) own = taken.has(`${name}_${n}`) ? own : `${name}_${n}`
    used.add(own)
    return own
  })
}

/** The texts of a column of a chunk: as JSON, where null is `null`; or as CSV has them, where it is empty. */
export function columnTexts(chunk: DuckDBDataChunk, at: number, { type }: AnswerColumn, options: { timeMs: boolean; csv: boolean }): string[] {
  const { timeMs, csv } = options
  const rows = chunk.rowCount
  const texts = new Array<string>(rows)
  const none = csv ? '' : 'null'
  const quoted = csv ? csvField : JSON.stringify
  if (type.typeId === DuckDBTypeId.DOUBLE) {
    const vector = bindings.data_chunk_get_vector(chunk.chunk, at)
    const bytes = bindings.vector_get_data(vector, rows * 8)
    const values = new Float64Array(bytes.buffer, bytes.byteOffset, rows)
    const valid = validityOf(vector, rows)
    for (let i = 0; i < rows; i++) texts[i] = valid(i) && Number.isFinite(values[i]) ? String(values[i]) : none
    return texts
  }
  if (type.typeId === DuckDBTypeId.TIMESTAMP || type.typeId === DuckDBTypeId.TIMESTAMP_TZ) {
    const vector = bindings.data_chunk_get_vector(chunk.chunk, at)
    const bytes = bindings.vector_get_data(vector, rows * 8)
    const values = new BigInt64Array(bytes.buffer, bytes.byteOffset, rows)
    const valid = validityOf(vector, rows)
    for (let i = 0; i < rows; i++) texts[i] = valid(i) ? instant(values[i], 6, timeMs, quoted) : none
    return texts
  }
  const vector = cellsOf(chunk, at, type)
  if (type.typeId === DuckDBTypeId.VARCHAR && type.alias === undefined) {
    for (let i = 0; i < rows; i++) {
      const value = vector.getItem(i) as string | null
      texts[i] = value === null ? none : quoted(value)
    }
    return texts
  }
  for (let i = 0; i < rows; i++) {
    const value = vector.getItem(i)
    if (value === null) texts[i] = none
    else texts[i] = csv ? csvField(cellText(value, type, timeMs)) : cellJson(value, type, timeMs)
  }
  return texts
}

/** The cells of a column. Fields of a row without names are called by their number, since else one would hide the other. */
export function cellsOf(chunk: DuckDBDataChunk, at: number, type: DuckDBType): DuckDBVector {
  return DuckDBVector.create(bindings.data_chunk_get_vector(chunk.chunk, at), chunk.rowCount, fieldsNamed(type))
}

/** A type as a column of a table may have it. */
export function columnType(type: DuckDBType): string {
  return fieldsNamed(type).toString()
}

function fieldsNamed(type: DuckDBType): DuckDBType {
  if (type instanceof DuckDBListType) return new DuckDBListType(fieldsNamed(type.valueType), type.alias)
  if (type instanceof DuckDBArrayType) return new DuckDBArrayType(fieldsNamed(type.valueType), type.length, type.alias)
  if (type instanceof DuckDBMapType) return new DuckDBMapType(fieldsNamed(type.keyType), fieldsNamed(type.valueType), type.alias)
  if (type instanceof DuckDBStructType) return new DuckDBStructType(type.entryNames.map(fieldName), type.entryTypes.map(fieldsNamed), type.alias)
  if (type instanceof DuckDBUnionType) return new DuckDBUnionType(type.memberTags, type.memberTypes.map(fieldsNamed), type.alias)
  return type
}

/** What a field of a struct is called, where its type has no name for it. */
export const fieldName = (name: string, at: number): string => (name === '' ? `#${at}` : name)

/** Whether a row is there, by the bits of a vector. */
export function validityOf(vector: ReturnType<typeof bindings.data_chunk_get_vector>, rows: number): (row: number) => boolean {
  const bits: Uint8Array | null = bindings.vector_get_validity(vector, Math.ceil(rows / 64) * 8)
  return bits === null || bits === undefined ? () => true : (row) => (bits[row >> 3] & (1 << (row & 7))) !== 0
}

/** One value as JSON. */
function cellJson(value: DuckDBValue, type: DuckDBType, timeMs: boolean): string {
  if (value === null) return 'null'
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : 'null'
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'bigint') return value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER ? String(value) : `"${value}"`
  if (typeof value === 'string') return type.alias === 'JSON' ? json(value) : JSON.stringify(value)
  if (value instanceof DuckDBTimestampValue || value instanceof DuckDBTimestampTZValue) return instant(value.micros, 6, timeMs, JSON.stringify)
  if (value instanceof DuckDBTimestampMillisecondsValue) return instant(value.millis, 3, timeMs, JSON.stringify)
  if (value instanceof DuckDBTimestampNanosecondsValue) return instant(value.nanos, 9, timeMs, JSON.stringify)
  if (value instanceof DuckDBTimestampSecondsValue) return instant(value.seconds, 0, timeMs, JSON.stringify)
  if (value instanceof DuckDBDecimalValue) {
    const text = value.toString()
    return text.replace(/[-.]/g, '').replace(/^0+/, '').length <= 15 ? text : JSON.stringify(text)
  }
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) {
    const { valueType } = type as DuckDBListType | DuckDBArrayType
    return `[${value.items.map((item) => cellJson(item, valueType, timeMs)).join(',')}]`
  }
  if (value instanceof DuckDBStructValue) {
    const { entryNames, entryTypes } = type as DuckDBStructType
    const cells = entryNames.map((name, i) => cellJson(value.entries[fieldName(name, i)], entryTypes[i], timeMs))
    if (entryNames.every((name) => name === '')) return `[${cells.join(',')}]`
    return `{${cells.map((cell, i) => `${JSON.stringify(fieldName(entryNames[i], i))}:${cell}`).join(',')}}`
  }
  if (value instanceof DuckDBMapValue) {
    const { keyType, valueType } = type as DuckDBMapType
    return `[${value.entries.map(({ key, value: of }) => `{"key":${cellJson(key, keyType, timeMs)},"value":${cellJson(of, valueType, timeMs)}}`).join(',')}]`
  }
  if (value instanceof DuckDBUnionValue) return cellJson(value.value, (type as DuckDBUnionType).memberTypeForTag(value.tag), timeMs)
  if (value instanceof DuckDBDateValue && timeMs) return String(value.days * 86_400_000)
  return JSON.stringify(String(value))
}

/** A text of type JSON as it stands, on one line; DuckDB has checked it, but for what it was only told. */
function json(text: string): string {
  try {
    JSON.parse(text)
    return text.replaceAll(/[\r\n]/g, ' ')
  } catch {
    return JSON.stringify(text)
  }
}

const INFINITE = 2n ** 63n - 1n

/** A moment, counted from the epoch in units of 10^-digits seconds. */
function instant(units: bigint, digits: number, timeMs: boolean, quoted: (text: string) => string): string {
  if (units === INFINITE || units === -INFINITE) return timeMs ? quoted('') && 'null' : quoted(units > 0n ? 'infinity' : '-infinity')
  const unitsOfMs = 10n ** BigInt(Math.max(0, digits - 3))
  let ms = digits < 3 ? units * 10n ** BigInt(3 - digits) : units / unitsOfMs
  let rest = digits < 3 ? 0n : units % unitsOfMs
  if (rest < 0n) {
    rest += unitsOfMs
    ms -= 1n
  }
  if (timeMs) return rest === 0n ? String(ms) : String(Number(ms) + Number(rest) / Number(unitsOfMs))
  const date = new Date(Number(ms))
  if (Number.isNaN(date.getTime())) return quoted(`${units}e-${digits} s`)
  const written = date.toISOString()
  return quoted(rest === 0n ? written : `${written.slice(0, -1)}${String(rest).padStart(digits - 3, '0').replace(/0{3}$/, '')}Z`)
}

/** One value as a text by itself, as in CSV: what is a text in JSON, without its quotes. */
export function cellText(value: DuckDBValue, type: DuckDBType, timeMs: boolean): string {
  if (typeof value === 'string') return value
  const written = cellJson(value, type, timeMs)
  return written.startsWith('"') ? (JSON.parse(written) as string) : written === 'null' ? '' : written
}

/** A field of RFC 4180. */
export function csvField(written: string): string {
  return /[",\r\n]/.test(written) ? `"${written.replaceAll('"', '""')}"` : written
}
