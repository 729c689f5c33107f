/**
 * History as files: CSV, Parquet or JSON, read by DuckDB, as readings in a fixed order.
 *
 * Owns which column is what, and how times and values are read. Leaves sending them to run.ts.
 *
 * - S1 The same files and options give the same rows in the same order, so that a row's number says where to go on.
 * - S2 A row that has a value which is no number, or no time, is given all the same, and refused by name; an empty value is no reading.
 * - S3 Two layouts. Long: columns device, metric, time and value. Wide: device and time, and each other column of numbers is a metric.
 */

import { DuckDBInstance } from '@duckdb/node-api'
import type { DuckDBConnection } from '@duckdb/node-api'
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { OperatingError } from '../../runtime/errors.ts'
import { BACKFILL_MEMORY_MIB, BACKFILL_SORTED_ROWS_MAX } from '../../runtime/limits.ts'

export const ROLES = ['device', 'metric', 'ts', 'value'] as const
export type Role = (typeof ROLES)[number]

export interface SourceOptions {
  /** Paths or globs. */
  readonly files: readonly string[]
  /** Names of columns by role, where they are not recognised. */
  readonly map: Readonly<Partial<Record<Role, string>>>
  /** The device, or the metric, of all rows. */
  readonly device: string | null
  readonly metric: string | null
  /** Put before each device. */
  readonly prefix: string
  /** Zone of times that name none. */
  readonly zone: string
  /** By time, so that the lake's files are cut by it; in the order of the files; or by time where that is not too many rows. */
  readonly order: 'auto' | 'time' | 'file'
}

/** Rows in order, as columns. A time or a value that does not read is NaN, and its text is in `raw`. */
export interface HistoryRows {
  /** Number of the first. */
  readonly from: number
  readonly device: string[]
  readonly metric: string[]
  readonly ts: number[]
  readonly value: number[]
  readonly raw: (string | null)[]
}

/** What each role is read from: a column, or a text for all rows. */
export interface Layout {
  readonly device: string
  readonly ts: string
  readonly metrics: string
  readonly order: 'time' | 'file'
}

const KNOWN: Record<Role, readonly string[]> = {
  device: ['device', 'device_id', 'deviceid', 'sensor', 'sensor_id', 'station', 'station_id'],
  metric: ['metric', 'measurement', 'parameter', 'variable', 'quantity'],
  ts: ['ts', 'time', 'timestamp', 'datetime', 'date_time', 'date', 'at'],
  value: ['value', 'val', 'reading'],
}
const READERS: Record<string, string> = { csv: 'csv', tsv: 'csv', txt: 'csv', parquet: 'parquet', json: 'json', ndjson: 'json', jsonl: 'json' }
const NUMBERS = /^(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT|UTINYINT|USMALLINT|UINTEGER|UBIGINT|FLOAT|DOUBLE|DECIMAL|BOOLEAN)/

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`
const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`

export class HistorySource {
  readonly layout: Layout
  /** Rows that are no empty ones. */
  readonly count: number
  /** A short text that only these files, as they are, and these options have. */
  readonly identity: string
  #instance: DuckDBInstance
  #connection: DuckDBConnection
  #select: string

  private constructor(made: { layout: Layout; count: number; identity: string; instance: DuckDBInstance; connection: DuckDBConnection; select: string }) {
    this.layout = made.layout
    this.count = made.count
    this.identity = made.identity
    this.#instance = made.instance
    this.#connection = made.connection
    this.#select = made.select
  }

  /** Throws `OperatingError` `config` where files are missing, or it is not clear what their columns are. */
  static async open(options: SourceOptions): Promise<HistorySource> {
    const instance = await DuckDBInstance.create(':memory:', { memory_limit: `${BACKFILL_MEMORY_MIB}MiB`, autoinstall_known_extensions: 'false', autoload_known_extensions: 'false' })
    const connection = await instance.connect()
    try {
      const rows = async (sql: string) => (await connection.runAndReadAll(sql)).getRowsJS() as unknown[][]
      await asked(`--tz ${options.zone}`, () => connection.run(`SET TimeZone = ${literal(options.zone)}`))
      const files = await filesOf(options.files, rows)
      const reader = readerOf(files)
      const list = `[${files.map(literal).join(', ')}]`
      const from = reader === 'csv' ? `read_csv(${list}, all_varchar = true, union_by_name = true)` : `read_${reader}(${list}, union_by_name = true)`
      const typed = reader === 'csv' ? `read_csv(${list}, union_by_name = true)` : from
      const columns = await asked('the files', () => rows(`DESCRIBE SELECT * FROM ${typed}`))
      const { select, layout } = planOf(from, columns.map(([name, type]) => ({ name: String(name), type: String(type) })), options)
      const [[count]] = await asked('the files', () => rows(`SELECT count(*)::DOUBLE FROM (${select})`))
      const byTime = options.order === 'time' || (options.order === 'auto' && Number(count) <= BACKFILL_SORTED_ROWS_MAX)
      const hash = createHash('sha256').update(JSON.stringify([byTime, { ...options, files: [], order: '' }]))
      for (const file of files) {
        const { size, mtimeMs } = await stat(file)
        hash.update(`${file}\n${size}\n${mtimeMs}\n`)
      }
      const ordered = byTime ? `${select} ORDER BY ms NULLS FIRST, device, metric, value, raw` : select
      return new HistorySource({
        layout: { ...layout, order: byTime ? 'time' : 'file' }, count: Number(count), identity: hash.digest('hex').slice(0, 16), instance, connection, select: ordered,
      })
    } catch (error) {
      connection.closeSync()
      instance.closeSync()
      throw error
    }
  }

  /** The rows from one on, so many at a time. */
  async *rows(from: number, most: number): AsyncGenerator<HistoryRows> {
    const result = await this.#connection.stream(`${this.#select} OFFSET ${from}`)
    let next: HistoryRows = { from, device: [], metric: [], ts: [], value: [], raw: [] }
    for (;;) {
      const chunk = await result.fetchChunk()
      if (chunk === null || chunk.rowCount === 0) break
      const [device, metric, ms, value, raw] = [0, 1, 2, 3, 4].map((i) => chunk.getColumnValues(i)) as [string[], string[], (number | null)[], (number | null)[], (string | null)[]]
      for (let i = 0; i < chunk.rowCount; i++) {
        next.device.push(device[i])
        next.metric.push(metric[i])
        next.ts.push(ms[i] ?? NaN)
        next.value.push(value[i] ?? NaN)
        next.raw.push(raw[i])
        if (next.ts.length < most) continue
        yield next
        next = { from: next.from + most, device: [], metric: [], ts: [], value: [], raw: [] }
      }
    }
    if (next.ts.length > 0) yield next
  }

  /** What a person wants to know before it is sent. */
  async describe(): Promise<{ devices: number; metrics: string[]; firstMs: number | null; lastMs: number | null; unreadable: number }> {
    const [[devices, metrics, first, last, unreadable]] = (
      await this.#connection.runAndReadAll(
        `SELECT count(DISTINCT device)::DOUBLE, list(DISTINCT metric ORDER BY metric), min(ms), max(ms), count(*) FILTER (WHERE raw IS NOT NULL)::DOUBLE FROM (${this.#select})`,
      )
    ).getRowsJS() as [[number, string[], number | null, number | null, number]]
    return { devices, metrics: metrics ?? [], firstMs: first, lastMs: last, unreadable }
  }

  close(): void {
    this.#connection.closeSync()
    this.#instance.closeSync()
  }
}

async function asked<T>(what: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (cause) {
    throw new OperatingError('config', `Cannot read the history as ${what} must be readable: ${String((cause as Error).message).split('\n')[0]}`, { cause })
  }
}

async function filesOf(given: readonly string[], rows: (sql: string) => Promise<unknown[][]>): Promise<string[]> {
  const files: string[] = []
  for (const pattern of given) {
    const found = (await rows(`SELECT file FROM glob(${literal(pattern)}) ORDER BY file`)).map(([file]) => String(file))
    if (found.length === 0) throw new OperatingError('config', `Cannot read the history as each file must be there: ${pattern} is not`)
    files.push(...found)
  }
  return files
}

function readerOf(files: readonly string[]): string {
  const readers = new Set(files.map((file) => READERS[/\.([a-z]+)(\.(gz|zst))?$/i.exec(file)?.[1]?.toLowerCase() ?? ''] ?? file))
  const [reader] = readers
  if (readers.size === 1 && Object.values(READERS).includes(reader)) return reader
  throw new OperatingError('config', `Cannot read the history as all files must be .csv, .parquet, .ndjson or .json, of one kind, as they are or as .gz or .zst: current ones are ${files.slice(0, 3).join(', ')}`)
}

/** The statement that gives `device, metric, ms, value, raw`, and what it reads them from. */
function planOf(from: string, columns: readonly { name: string; type: string }[], { map, device, metric, prefix }: SourceOptions): { select: string; layout: Omit<Layout, 'order'> } {
  const column = (role: Role): { name: string; type: string } | null => {
    const wanted = map[role]
    const found = wanted !== undefined ? columns.find((c) => c.name === wanted) : KNOWN[role].map((name) => columns.find((c) => c.name.toLowerCase() === name)).find((c) => c !== undefined)
    if (wanted !== undefined && found === undefined) throw unclear(role, `there is no column ${wanted}`, columns)
    return found ?? null
  }
  const ts = column('ts')
  if (ts === null) throw unclear('ts', 'none is recognised', columns)
  const deviceColumn = device === null ? column('device') : null
  if (device === null && deviceColumn === null) throw unclear('device', 'none is recognised, and --device names none', columns)
  const named = device !== null ? literal(prefix + device) : `${literal(prefix)} || trim(${quoted(deviceColumn!.name)}::VARCHAR)`
  const value = column('value')
  const metricColumn = metric === null ? column('metric') : null
  const time = quoted(ts.name)
  let table: string
  let metrics: string
  if (value !== null && (metric !== null || metricColumn !== null)) {
    const name = metric !== null ? literal(metric) : `trim(${quoted(metricColumn!.name)}::VARCHAR)`
    table = `SELECT ${named} AS device, ${name} AS metric, ${time} AS moment, ${quoted(value.name)}::VARCHAR AS v FROM ${from}`
    metrics = `${metric ?? metricColumn!.name}, of the column ${value.name}`
  } else {
    const used = new Set([ts.name, deviceColumn?.name])
    const wide = columns.filter((c) => !used.has(c.name) && NUMBERS.test(c.type))
    if (wide.length === 0) throw unclear('value', 'none is recognised, and no other column holds numbers', columns)
    const texts = wide.map((c) => `${quoted(c.name)}::VARCHAR AS ${quoted(c.name)}`).join(', ')
    table = `SELECT "__device" AS device, regexp_replace(m, '[^A-Za-z0-9_.]', '_', 'g') AS metric, "__at" AS moment, v
      FROM (UNPIVOT (SELECT ${named} AS "__device", ${time} AS "__at", ${texts} FROM ${from}) ON ${wide.map((c) => quoted(c.name)).join(', ')} INTO NAME m VALUE v)`
    metrics = `one a column: ${wide.map((c) => c.name).join(', ')}`
  }
  // Numbers are seconds, milliseconds, microseconds or nanoseconds: between the years 2000 and 2100 their size says which.
  const number = `TRY_CAST(moment::VARCHAR AS DOUBLE)`
  const moments = `CASE WHEN ${number} IS NULL THEN epoch_ms(TRY_CAST(moment AS TIMESTAMPTZ))::DOUBLE WHEN ${number} < 1e11 THEN round(${number} * 1e3) WHEN ${number} < 1e14 THEN floor(${number})
    WHEN ${number} < 1e17 THEN floor(${number} / 1e3) ELSE floor(${number} / 1e6) END`
  const numbers = `CASE lower(trim(v)) WHEN 'true' THEN 1 WHEN 'false' THEN 0 ELSE TRY_CAST(v AS DOUBLE) END`
  const select = `SELECT device, metric, ms, value, CASE WHEN ms IS NULL THEN coalesce(moment::VARCHAR, '') WHEN value IS NULL THEN v END AS raw
    FROM (SELECT coalesce(device, '') AS device, coalesce(metric, '') AS metric, moment, v, ${moments} AS ms, ${numbers} AS value FROM (${table}) WHERE v IS NOT NULL AND trim(v) <> '')`
  return { select, layout: { device: device !== null ? `${prefix}${device} for all` : `${prefix}… of the column ${deviceColumn!.name}`, ts: ts.name, metrics } }
}

function unclear(role: Role, why: string, columns: readonly { name: string }[]): OperatingError {
  return new OperatingError('config', `Cannot read the history as it must be clear which column is ${role} (--map ${role}=COLUMN): ${why}; the columns are ${columns.map((c) => c.name).join(', ')}`)
}
