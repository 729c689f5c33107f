/**
 * The files of DuckDB's shelf: the statements that bring a seal's staged columns, or the rows of merged segments, into a file.
 *
 * Owns the file while DuckDB has it: attached for writing, filled, checkpointed, detached. Leaves its life after that to segment.ts.
 *
 * - G3 A table without rows is not made.
 */

import { COMPACT_MEMORY_MIB, SMALL_BLOCK_BYTES, SMALL_SEGMENT_ROWS } from '../../runtime/limits.ts'
import { CLOSED_BY } from '../reading/window.ts'
import { LEDGER_COUNTS, WINDOW_DOUBLES } from './buffer.ts'
import type { SealBuffer } from './buffer.ts'
import type { CompactionJob } from './compaction.ts'
import { LakeDatabase } from './database.ts'
import type { StagedColumn } from './database.ts'
import type { OwnedWindow } from './recompute.ts'
import type { SealContent, SegmentFacts } from './shelf.ts'
import { columnsSql, literal, TABLES, TABLE_NAMES, timestampSql } from './tables.ts'
import type { TableName } from './tables.ts'

export interface SegmentSource {
  readonly table: TableName
  /** SELECT that gives the table's columns in its order, sorted. */
  readonly select: string
}

/** Fills a new file at `path`. Small blocks waste less on a few rows, and more on many. */
export async function writeFile(db: LakeDatabase, path: string, { sources, small }: { sources: readonly SegmentSource[]; small: boolean }): Promise<SegmentFacts> {
  const alias = db.newAlias()
  await db.run(`ATTACH ${literal(path)} AS ${alias}${small ? ` (BLOCK_SIZE ${SMALL_BLOCK_BYTES})` : ''}`)
  const rows = Object.fromEntries(TABLE_NAMES.map((table) => [table, 0])) as Record<TableName, number>
  const range = async (table: TableName, column: string) => (await db.rows(`SELECT epoch_ms(min(${column}))::DOUBLE, epoch_ms(max(${column}))::DOUBLE FROM ${alias}.main.${table}`))[0]
  let readings: unknown[] = [null, null]
  let windows: unknown[] = [null, null]
  try {
    for (const { table, select } of sources) {
      await db.run(`CREATE TABLE ${alias}.main.${table} (${columnsSql(table)})`)
      await db.run(`INSERT INTO ${alias}.main.${table} ${select}`)
      const [[count]] = await db.rows(`SELECT count(*) FROM ${alias}.main.${table}`)
      rows[table] = Number(count)
      if (table === 'readings') readings = await range(table, 'ts')
      if (table === 'windows') windows = await range(table, '"start"')
    }
    await db.run(`CHECKPOINT ${alias}`)
    await db.run(`DETACH ${alias}`)
  } catch (error) {
    await db.run(`DETACH DATABASE IF EXISTS ${alias}`).catch(() => {})
    throw error
  }
  const both = [...readings, ...windows].filter((t): t is number => t !== null)
  return {
    rows,
    tsMin: both.length === 0 ? null : Math.min(...both),
    tsMax: both.length === 0 ? null : Math.max(...both),
    readingsMin: readings[0] as number | null,
    readingsMax: readings[1] as number | null,
  }
}

// A seal ------------------------------------------------------------------------------------------------------------------------

const SIZE_SQL = `CASE w.size WHEN 0 THEN INTERVAL '1 minute' WHEN 1 THEN INTERVAL '15 minutes' WHEN 2 THEN INTERVAL '1 hour' ELSE INTERVAL '1 day' END`
const CLOSED_BY_SQL = `CASE w.closed_by ${CLOSED_BY.map((name, code) => `WHEN ${code} THEN '${name}'`).join(' ')} END`
const WINDOW_COLUMNS = `series, size, start, count, sum, min, max, stddev, first, last, p50, p95, p99, closed_by, updated_at, version`
const WINDOWS_SQL = (from: string) => `
SELECT n.tenant, n.device, n.metric, ${SIZE_SQL}, w.start, w.count::BIGINT, w.sum, w.min, w.max, w.sum / w.count,
  CASE WHEN isnan(w.stddev) THEN NULL ELSE w.stddev END, w.first, w.last, w.p50, w.p95, w.p99, ${CLOSED_BY_SQL}, w.updated_at, w.version::BIGINT
FROM (${from}) w JOIN memory.main.names n ON n.id = w.series
ORDER BY w.series, w.size, w.start, w.version`

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
    sources.push({ table: 'readings', select: `SELECT n.tenant, n.device, n.metric, r.ts, r.value, r.received_at FROM memory.main.sealed r JOIN memory.main.names n ON n.id = r.series${order}` })
  }
  if (kept.length > 0 || computed) {
    await stageWindows(db, buffer, kept, rank)
    const all = `SELECT ${WINDOW_COLUMNS} FROM memory.main.kept_windows` + (computed ? ` UNION ALL SELECT ${WINDOW_COLUMNS} FROM memory.main.recomputed` : '')
    sources.push({ table: 'windows', select: WINDOWS_SQL(all) })
  }
  if (owned.length > 0) {
    await stageOwned(db, owned)
    sources.push({ table: 'owned_windows', select: `SELECT n.tenant, n.device, n.metric, ${SIZE_SQL}, w.start FROM memory.main.owned w JOIN memory.main.names n ON n.id = w.series ORDER BY w.series, w.size, w.start` })
  }
  sources.push(...(await stageSmall(db, buffer, rank)))
  return writeFile(db, path, { sources, small: readings < SMALL_SEGMENT_ROWS })
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

/** Anomalies, rejects and the ledger. */
async function stageSmall(db: LakeDatabase, buffer: SealBuffer, rank: Int32Array): Promise<SegmentSource[]> {
  const sources: SegmentSource[] = []
  const { anomalies, rejects, ledger } = buffer
  if (anomalies.ts.length > 0) {
    const columns: StagedColumn[] = [{ name: 'series', kind: 'int', data: Int32Array.from(anomalies.series, (s) => rank[s]) }, { name: 'ts', kind: 'time', data: Float64Array.from(anomalies.ts) }]
    for (const name of ['value', 'score', 'expected', 'lower', 'upper'] as const) columns.push({ name, kind: 'double', data: Float64Array.from(anomalies[name]) })
    columns.push({ name: 'reason', kind: 'text', data: anomalies.reason })
    await db.stage('anomalies', columns, anomalies.ts.length)
    sources.push({
      table: 'anomalies',
      select: 'SELECT n.tenant, n.device, n.metric, a.ts, a.value, a.score, a.expected, a.lower, a.upper, a.reason FROM memory.main.anomalies a JOIN memory.main.names n ON n.id = a.series ORDER BY a.series, a.ts, a.value',
    })
  }
  if (rejects.reason.length > 0) {
    const columns: StagedColumn[] = [
      { name: 'tenant', kind: 'text', data: rejects.tenant },
      { name: 'received_at', kind: 'time', data: Float64Array.from(rejects.receivedAt) },
      { name: 'reason', kind: 'text', data: rejects.reason },
      { name: 'reading', kind: 'text', data: rejects.reading },
    ]
    await db.stage('rejects', columns, rejects.reason.length)
    sources.push({ table: 'rejects', select: 'SELECT * FROM memory.main.rejects ORDER BY tenant, received_at' })
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
      select: 'SELECT tenant, device, minute, on_time + late + duplicate + expired, rejected, on_time, late, duplicate, expired FROM memory.main.ledger ORDER BY tenant, device, minute',
    })
  }
  return sources
}

// A merge -----------------------------------------------------------------------------------------------------------------------

/** Runs a merge in a DuckDB of its own, on one thread. */
export async function mergeSegments(job: CompactionJob, path: string, signal?: AbortSignal): Promise<SegmentFacts> {
  const db = await LakeDatabase.open(job.lakeDir, { memoryMiB: COMPACT_MEMORY_MIB, threads: 1 })
  const stop = () => db.interrupt()
  signal?.addEventListener('abort', stop)
  try {
    signal?.throwIfAborted()
    const sources: SegmentSource[] = []
    for (const table of TABLE_NAMES) {
      const from = await db.relation(table, job.inputs, '*')
      if (from !== null) sources.push({ table, select: MERGES[table](from, job.dropBeforeMs === null ? null : timestampSql(job.dropBeforeMs)) })
    }
    const readings = job.inputs.reduce((sum, s) => sum + (s.rows.readings ?? 0), 0)
    return await writeFile(db, path, { sources, small: readings < SMALL_SEGMENT_ROWS })
  } finally {
    signal?.removeEventListener('abort', stop)
    db.close()
  }
}

const since = (column: string, before: string | null) => (before === null ? '' : ` WHERE ${column} >= ${before}`)

/** Columns of a window's row between its key and its version. */
const WINDOW_VALUES = TABLES.windows.map(([name]) => name).slice(5, -1)

const MERGES: Record<TableName, (from: string, before: string | null) => string> = {
  readings: (from, before) => `SELECT * FROM ${from}${since('ts', before)} ORDER BY tenant, device, metric, ts`,
  windows: (from, before) =>
    `SELECT tenant, device, metric, size, start, ${WINDOW_VALUES.map((name) => `arg_max_null("${name}", version)`).join(', ')}, max(version) FROM ${from}${since('start', before)} GROUP BY tenant, device, metric, size, start ORDER BY tenant, device, metric, size, start`,
  owned_windows: (from, before) => `SELECT DISTINCT * FROM ${from}${since('start', before)} ORDER BY ALL`,
  anomalies: (from, before) => `SELECT * FROM ${from}${since('ts', before)} ORDER BY tenant, device, metric, ts`,
  rejects: (from, before) => `SELECT * FROM ${from}${since('received_at', before)} ORDER BY tenant, received_at`,
  ledger: (from) =>
    `SELECT tenant, device, minute, sum(accepted)::BIGINT, sum(rejected)::BIGINT, sum(on_time)::BIGINT, sum(late)::BIGINT, sum(duplicate)::BIGINT, sum(expired)::BIGINT FROM ${from} GROUP BY ALL ORDER BY tenant, device, minute`,
}
