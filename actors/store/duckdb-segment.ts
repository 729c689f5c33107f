/**
 * The files of DuckDB's shelf: how one is written, and the statements that bring a seal's staged columns into it.
 *
 * Owns the file while DuckDB has it: attached for writing, filled, checkpointed, detached. Leaves its life after that to segment.ts, and what
 * a merge brings into it to duckdb-merge.ts.
 *
 * - G3 A table without rows is not made.
 * - G4 `series` says of each series where its rows lie in `readings`, the tables of windows and `anomalies`, which are sorted by series. Readers find them by
 *   that, since DuckDB prunes by the first 8 bytes of a text alone, and count series by it without reading their rows.
 */

import { SMALL_BLOCK_BYTES, SMALL_SEGMENT_ROWS } from '../../runtime/limits.ts'
import { CLOSED_BY } from '../reading/window.ts'
import { LEDGER_COUNTS, WINDOW_DOUBLES } from './buffer.ts'
import type { SealBuffer } from './buffer.ts'
import type { LakeDatabase, StagedColumn } from './database.ts'
import { orderOf, PLAIN_TABLES, shownColumns, stagedColumns } from './plain.ts'
import type { OwnedWindow } from './recompute.ts'
import type { SealContent, SegmentFacts } from './shelf.ts'
import { columnsSql, emptySql, literal, PLACED_TABLES, TABLE_NAMES, WINDOW_SIZES_SQL, WINDOW_TABLES } from './tables.ts'
import type { TableName } from './tables.ts'

export interface SegmentSource {
  readonly table: TableName
  /** Statements that give the table's columns in its order, sorted, and one after the other. */
  readonly selects: readonly string[]
}

/**
 * The form of the files, which DuckDB 1.4 and later read: names of series are kept as a dictionary that filters are tried on, so that queries
 * are two to three times as fast as with the form that DuckDB writes unasked.
 */
export const STORAGE_VERSION = 'v1.4.0'

/** What becomes a file. */
export interface FileContent {
  readonly sources: readonly SegmentSource[]
  /** Small blocks waste less on a few rows, and more on many. */
  readonly small: boolean
  /** Whether it has the table `series`. */
  readonly indexed: boolean
}

/** Fills a new file at `path`. */
export async function writeFile(db: LakeDatabase, path: string, { sources, small, indexed }: FileContent): Promise<SegmentFacts> {
  const alias = db.newAlias()
  await db.run(`ATTACH ${literal(path)} AS ${alias} (STORAGE_VERSION '${STORAGE_VERSION}'${small ? `, BLOCK_SIZE ${SMALL_BLOCK_BYTES}` : ''})`)
  const rows = Object.fromEntries(TABLE_NAMES.map((table) => [table, 0])) as Record<TableName, number>
  const range = async (table: TableName, column: string) => (await db.rows(`SELECT epoch_ms(min(${column}))::DOUBLE, epoch_ms(max(${column}))::DOUBLE FROM ${alias}.main.${table}`))[0]
  let readings: unknown[] = [null, null]
  const times: unknown[] = []
  let tenants: unknown[] = []
  try {
    const index = indexed ? [{ table: 'series', selects: [seriesSql(alias, new Set(sources.map((s) => s.table)))] } as const] : []
    for (const { table, selects } of [...sources, ...index]) {
      await db.run(`CREATE TABLE ${alias}.main.${table} (${columnsSql(table)})`)
      for (const select of selects) await db.run(`INSERT INTO ${alias}.main.${table} ${select}`)
      const [[count]] = await db.rows(`SELECT count(*) FROM ${alias}.main.${table}`)
      rows[table] = Number(count)
      if (table === 'readings') readings = await range(table, 'ts')
      if (isOfWindows(table)) times.push(...(await range(table, '"start"')))
    }
    tenants = await tenantsOf(db, alias, rows)
    await db.run(`CHECKPOINT ${alias}`)
    await db.run(`DETACH ${alias}`)
  } catch (error) {
    await db.run(`DETACH DATABASE IF EXISTS ${alias}`).catch(() => {})
    throw error
  }
  const both = [...readings, ...times].filter((t): t is number => t !== null)
  return {
    rows,
    tsMin: both.length === 0 ? null : Math.min(...both),
    tsMax: both.length === 0 ? null : Math.max(...both),
    readingsMin: readings[0] as number | null,
    readingsMax: readings[1] as number | null,
    ...(tenants.length === 1 ? { tenant: String(tenants[0]) } : {}),
  }
}

/** The tenants of a file's rows, two of them at most. Where it has the table of series, that stands for their rows. */
async function tenantsOf(db: LakeDatabase, alias: string, rows: Readonly<Record<TableName, number>>): Promise<unknown[]> {
  const summed = rows.series > 0 ? (table: TableName) => table === 'readings' || isOfWindows(table) : () => false
  const bounds = TABLE_NAMES.filter((table) => rows[table] > 0 && !summed(table)).map((table) => `SELECT unnest([min(tenant), max(tenant)]) AS tenant FROM ${alias}.main.${table}`)
  return bounds.length === 0 ? [] : (await db.rows(`SELECT DISTINCT tenant FROM (${bounds.join(' UNION ALL ')}) LIMIT 2`)).map(([tenant]) => tenant)
}

const isOfWindows = (table: TableName) => table === 'windows' || (WINDOW_TABLES as readonly TableName[]).includes(table)

/** The rows of `series` of a file that has the others. */
function seriesSql(alias: string, tables: ReadonlySet<TableName>): string {
  const of = (table: TableName) => (tables.has(table) ? `${alias}.main.${table}` : `(SELECT *, 0::BIGINT AS rowid FROM ${emptySql(table)})`)
  const places = PLACED_TABLES.map((table, i) => `count(*) FILTER (i = ${i}) AS ${table}, coalesce(min(place) FILTER (i = ${i}), 0) AS ${table}_at`)
  const placed = PLACED_TABLES.map((table, i) => `SELECT tenant, device, metric, rowid AS place, ${i} AS i FROM ${of(table)}`)
  const shown = PLACED_TABLES.map((table) => `coalesce(${table}, 0), coalesce(${table}_at, 0)`)
  return `SELECT tenant, device, metric, coalesce(n, 0), first, last, value, received_at, coalesce(readings_at, 0), ${shown.join(', ')}
    FROM (SELECT tenant, device, metric, count(*) AS n, min(ts) AS first, max(ts) AS last, arg_max(value, (ts, value)) AS value, arg_max(received_at, (ts, value)) AS received_at, min(rowid) AS readings_at
      FROM ${of('readings')} GROUP BY ALL)
    FULL JOIN (SELECT tenant, device, metric, ${places.join(', ')} FROM (${placed.join(' UNION ALL ')}) GROUP BY ALL) USING (tenant, device, metric)
    ORDER BY tenant, device, metric`
}

// A seal ------------------------------------------------------------------------------------------------------------------------

const SIZE_SQL = `CASE w.size ${WINDOW_SIZES_SQL.map((sql, size) => `WHEN ${size} THEN ${sql}`).join(' ')} END`
const CLOSED_BY_SQL = `CASE w.closed_by ${CLOSED_BY.map((name, code) => `WHEN ${code} THEN '${name}'`).join(' ')} END`
const WINDOW_COLUMNS = `series, size, start, count, sum, min, max, stddev, first, last, p50, p95, p99, closed_by, updated_at, version`
const WINDOWS_SQL = (from: string, size: number) => `
SELECT n.tenant, n.device, n.metric, w.start, w.count::BIGINT, w.sum, w.min, w.max, w.sum / w.count,
  CASE WHEN isnan(w.stddev) THEN NULL ELSE w.stddev END, w.first, w.last, w.p50, w.p95, w.p99, ${CLOSED_BY_SQL}, w.updated_at, w.version::BIGINT
FROM (${from}) w JOIN memory.main.names n ON n.id = w.series WHERE w.size = ${size}
ORDER BY w.series, w.start, w.version`

/** What is in memory already: rows of the tables `names` and `sealed`, and whether `recomputed` is of this seal. */
interface Staged {
  readonly names: number
  readonly readings: number
  readonly computed: boolean
}

/** Writes a seal whose names, readings and computed windows are in memory. */
export async function writeSeal(db: LakeDatabase, path: string, { buffer, rank, kept, owned, names, readings, computed }: SealContent & Staged): Promise<SegmentFacts> {
  const sources: SegmentSource[] = []
  if (readings > 0) {
    // The join keeps the order of what it probes with, which is the larger side; only where names are many might they be that.
    const order = names * 4 > readings ? ' ORDER BY r.series, r.ts' : ''
    sources.push({ table: 'readings', selects: [`SELECT n.tenant, n.device, n.metric, r.ts, r.value, r.received_at FROM memory.main.sealed r JOIN memory.main.names n ON n.id = r.series${order}`] })
  }
  if (kept.length > 0 || computed) {
    await stageWindows(db, buffer, kept, rank)
    const all = `SELECT ${WINDOW_COLUMNS} FROM memory.main.kept_windows` + (computed ? ` UNION ALL SELECT ${WINDOW_COLUMNS} FROM memory.main.recomputed` : '')
    const sizes = await db.rows(`SELECT DISTINCT size FROM (${all}) ORDER BY size`)
    for (const [size] of sizes as [number][]) sources.push({ table: WINDOW_TABLES[size], selects: [WINDOWS_SQL(all, size)] })
  }
  if (owned.length > 0) {
    await stageOwned(db, owned)
    sources.push({ table: 'owned_windows', selects: [`SELECT n.tenant, n.device, n.metric, ${SIZE_SQL}, w.start FROM memory.main.owned w JOIN memory.main.names n ON n.id = w.series ORDER BY w.series, w.size, w.start`] })
  }
  sources.push(...(await stageSmall(db, buffer, rank)))
  return writeFile(db, path, { sources, small: readings < SMALL_SEGMENT_ROWS, indexed: false })
}

async function stageWindows(db: LakeDatabase, buffer: SealBuffer, kept: Int32Array, rank: Int32Array): Promise<void> {
  const { int, double } = buffer.windows
  const columns: StagedColumn[] = [
    { name: 'series', kind: 'int', data: Int32Array.from(kept, (i) => rank[int.series[i]]) },
    { name: 'size', kind: 'int', data: Int32Array.from(kept, (i) => int.size[i]) },
    { name: 'closed_by', kind: 'int', data: Int32Array.from(kept, (i) => int.closed_by[i]) },
  ]
  for (const name of WINDOW_DOUBLES) {
    const data = new Float64Array(kept.length)
    const source = double[name]
    for (let i = 0; i < kept.length; i++) data[i] = source[kept[i]]
    columns.push({ name, kind: name === 'start' || name === 'updated_at' ? 'time' : 'double', data })
  }
  await db.stage('kept_windows', columns, kept.length)
}

async function stageOwned(db: LakeDatabase, owned: readonly OwnedWindow[]): Promise<void> {
  const columns: StagedColumn[] = [
    { name: 'series', kind: 'int', data: Int32Array.from(owned, (w) => w.series) },
    { name: 'size', kind: 'int', data: Int32Array.from(owned, (w) => w.size) },
    { name: 'start', kind: 'time', data: Float64Array.from(owned, (w) => w.start) },
  ]
  await db.stage('owned', columns, owned.length)
}

/** What goes in as it is, rejects and the ledger. */
async function stageSmall(db: LakeDatabase, buffer: SealBuffer, rank: Int32Array): Promise<SegmentSource[]> {
  const sources: SegmentSource[] = []
  const { plain, rejects, ledger } = buffer
  for (const table of PLAIN_TABLES) {
    const { series, numbers, texts, length } = plain[table]
    if (length === 0) continue
    await db.stage(table, stagedColumns(table, Int32Array.from(series, (s) => rank[s]), numbers, texts), length)
    const order = orderOf(table).replaceAll(/\w+/g, 'f.$&')
    sources.push({ table, selects: [`SELECT n.tenant, n.device, n.metric, ${shownColumns(table)} FROM memory.main.${table} f JOIN memory.main.names n ON n.id = f.series ORDER BY f.series, ${order}`] })
  }
  if (rejects.reason.length > 0) {
    const columns: StagedColumn[] = [
      { name: 'tenant', kind: 'text', data: rejects.tenant },
      { name: 'received_at', kind: 'time', data: Float64Array.from(rejects.receivedAt) },
      { name: 'reason', kind: 'text', data: rejects.reason },
      { name: 'reading', kind: 'text', data: rejects.reading },
    ]
    await db.stage('rejects', columns, rejects.reason.length)
    sources.push({ table: 'rejects', selects: ['SELECT * FROM memory.main.rejects ORDER BY tenant, received_at'] })
  }
  if (ledger.minute.length > 0) {
    const columns: StagedColumn[] = [
      { name: 'tenant', kind: 'text', data: ledger.tenant },
      { name: 'device', kind: 'text', data: ledger.device },
      { name: 'minute', kind: 'time', data: Float64Array.from(ledger.minute) },
    ]
    for (const [what, name] of LEDGER_COUNTS.entries()) {
      const data = new Float64Array(ledger.minute.length)
      for (let i = 0; i < data.length; i++) data[i] = ledger.counts[i * LEDGER_COUNTS.length + what]
      columns.push({ name, kind: 'whole', data })
    }
    await db.stage('ledger', columns, ledger.minute.length)
    sources.push({
      table: 'ledger',
      selects: ['SELECT tenant, device, minute, on_time + late + duplicate + expired, rejected, on_time, late, duplicate, expired FROM memory.main.ledger ORDER BY tenant, device, minute'],
    })
  }
  return sources
}
