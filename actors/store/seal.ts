/**
 * Turns a buffer into a segment: settles old rows, computes windows, sorts, writes.
 *
 * Owns the order of these steps and the statements that bring staged columns into the segment's tables. Series are named by
 * number until the very last step, which joins the names in.
 */

import type { Clock } from '../../runtime/clock.ts'
import { SMALL_SEGMENT_ROWS } from '../../runtime/limits.ts'
import { CLOSED_BY } from '../reading/window.ts'
import { LEDGER_COUNTS, WINDOW_DOUBLES } from './buffer.ts'
import type { SealBuffer } from './buffer.ts'
import type { LakeDatabase, StagedColumn } from './database.ts'
import type { Segment } from './manifest.ts'
import { planWindows, recompute } from './recompute.ts'
import type { OwnedWindows } from './recompute.ts'
import { segmentName, writeSegment } from './segment.ts'
import type { SegmentSource } from './segment.ts'
import { KIND_DUPLICATE, settle } from './settle.ts'
import type { Settled } from './settle.ts'
import { rankKeys, sortRows } from './sort.ts'
import type { SortedRows } from './sort.ts'

export interface SealInput {
  readonly db: LakeDatabase
  readonly buffer: SealBuffer
  /** Segments of the newest manifest. */
  readonly segments: readonly Segment[]
  readonly owned: OwnedWindows
  readonly settleUntil: number
  readonly clock: Clock
  readonly beforeSync?: () => void
}

const SIZE_SQL = `CASE w.size WHEN 0 THEN INTERVAL '1 minute' WHEN 1 THEN INTERVAL '15 minutes' WHEN 2 THEN INTERVAL '1 hour' ELSE INTERVAL '1 day' END`
const CLOSED_BY_SQL = `CASE w.closed_by ${CLOSED_BY.map((name, code) => `WHEN ${code} THEN '${name}'`).join(' ')} END`
const WINDOW_COLUMNS = `series, size, start, count, sum, min, max, stddev, first, last, p50, p95, p99, closed_by, updated_at, version`
const WINDOWS_SQL = (from: string) => `
SELECT n.tenant, n.device, n.metric, ${SIZE_SQL}, w.start, w.count::BIGINT, w.sum, w.min, w.max, w.sum / w.count,
  CASE WHEN isnan(w.stddev) THEN NULL ELSE w.stddev END, w.first, w.last, w.p50, w.p95, w.p99, ${CLOSED_BY_SQL}, w.updated_at, w.version::BIGINT
FROM (${from}) w JOIN memory.main.names n ON n.id = w.series
ORDER BY w.series, w.size, w.start, w.version`

/** Writes what the buffer holds as a segment of level 0; null where that is nothing. */
export async function sealBuffer({ db, buffer, segments, owned, settleUntil, clock, beforeSync }: SealInput): Promise<Segment | null> {
  if (buffer.rows === 0) return null
  const { rank, sorted: keys } = rankKeys(buffer.keys)
  const { readings } = buffer
  const sorted = sortRows(readings.length, readings.int.series, readings.double.ts, rank)
  await stageNames(db, keys)
  const settled = await settle(db, segments, { buffer, order: sorted.order, rank })
  const rows = await stageReadings(db, { buffer, sorted, rank, settled })
  const work = planWindows({ buffer, sorted, rank, keys, settled, settleUntil }, owned)
  const computed = work.dirty.list.length > 0
  if (computed) for (const window of await recompute(db, segments, work.dirty)) owned.feed(keys[window.series], window.size, window.start)

  const sources: SegmentSource[] = []
  if (rows > 0) {
    // The join keeps the order of what it probes with, which is the larger side; only where names are many might they be that.
    const order = keys.length * 4 > rows ? ' ORDER BY r.series, r.ts' : ''
    sources.push({ table: 'readings', select: `SELECT n.tenant, n.device, n.metric, r.ts, r.value, r.received_at FROM memory.main.sealed r JOIN memory.main.names n ON n.id = r.series${order}` })
  }
  if (work.kept.length > 0 || computed) {
    await stageWindows(db, buffer, work.kept, rank)
    const all = `SELECT ${WINDOW_COLUMNS} FROM memory.main.kept_windows` + (computed ? ` UNION ALL SELECT ${WINDOW_COLUMNS} FROM memory.main.recomputed` : '')
    sources.push({ table: 'windows', select: WINDOWS_SQL(all) })
  }
  if (work.owned.length > 0) {
    await stageOwned(db, work.owned)
    sources.push({ table: 'owned_windows', select: `SELECT n.tenant, n.device, n.metric, ${SIZE_SQL}, w.start FROM memory.main.owned w JOIN memory.main.names n ON n.id = w.series ORDER BY w.series, w.size, w.start` })
  }
  sources.push(...(await stageSmall(db, buffer, rank)))
  const now = Math.floor(clock.now())
  return writeSegment({ db, file: segmentName(0, clock), level: 0, sealedFrom: now, sealedTo: now, sources, small: rows < SMALL_SEGMENT_ROWS, beforeSync })
}

async function stageNames(db: LakeDatabase, keys: readonly string[]): Promise<void> {
  const tenant: string[] = new Array(keys.length)
  const device: string[] = new Array(keys.length)
  const metric: string[] = new Array(keys.length)
  for (let i = 0; i < keys.length; i++) [tenant[i], device[i], metric[i]] = keys[i].split('\n')
  const columns: StagedColumn[] = [
    { name: 'id', kind: 'int', data: Int32Array.from(keys, (_, i) => i) },
    { name: 'tenant', kind: 'text', data: tenant },
    { name: 'device', kind: 'text', data: device },
    { name: 'metric', kind: 'text', data: metric },
  ]
  await db.stage('names', columns, keys.length)
}

/** Stages the readings that stay, in order, as the table `sealed`; gives their number. */
async function stageReadings(
  db: LakeDatabase,
  { buffer, sorted, rank, settled }: { buffer: SealBuffer; sorted: SortedRows; rank: Int32Array; settled: Settled },
): Promise<number> {
  const { readings } = buffer
  const { kinds } = settled
  const series = new Int32Array(readings.length)
  const ts = new Float64Array(readings.length)
  const value = new Float64Array(readings.length)
  const received = new Float64Array(readings.length)
  const from = { series: readings.int.series, ...readings.double }
  let rows = 0
  for (const i of sorted.order) {
    if (kinds !== null && kinds[i] === KIND_DUPLICATE) continue
    series[rows] = rank[from.series[i]]
    ts[rows] = from.ts[i]
    value[rows] = from.value[i]
    received[rows] = from.received_at[i]
    rows++
  }
  await db.stage(
    'sealed',
    [
      { name: 'series', kind: 'int', data: series },
      { name: 'ts', kind: 'time', data: ts },
      { name: 'value', kind: 'double', data: value },
      { name: 'received_at', kind: 'time', data: received },
    ],
    rows,
  )
  return rows
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

async function stageOwned(db: LakeDatabase, owned: readonly { series: number; size: number; start: number }[]): Promise<void> {
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
