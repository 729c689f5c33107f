/**
 * Merges segments in a DuckDB of its own: slice after slice of their series, so that what is sorted at a time fits its memory however large
 * they are.
 *
 * DuckDB's sort does not go to disk in time for tens of millions of rows. But the inputs have the same order, so the picture is a zip: the rows of
 * some series are taken from all of them, sorted, and appended; then those of the next.
 *
 * - G5 The slices are intervals of series that follow each other without a gap, the first and the last open-ended: every row is in one.
 * - G6 A series of more rows than a slice is one by itself, and is cut further by time.
 */

import { COMPACT_MEMORY_MIB, MERGE_SLICE_ROWS, SMALL_SEGMENT_ROWS } from '../../runtime/limits.ts'
import type { CompactionJob } from './compaction.ts'
import { LakeDatabase } from './database.ts'
import { writeFile } from './duckdb-segment.ts'
import type { SegmentSource } from './duckdb-segment.ts'
import type { Segment } from './manifest.ts'
import { ageOf, orderOf, PLAIN_TABLES } from './plain.ts'
import type { PlainTable } from './plain.ts'
import type { SegmentFacts } from './shelf.ts'
import { literal, rowsOfTable, TABLES, TABLE_NAMES, timestampSql, WINDOW_SIZES_SQL, WINDOW_TABLES } from './tables.ts'
import type { TableName } from './tables.ts'

/** What a row weighs in a slice: one of windows is sorted with all its numbers, and grouped. */
const WEIGHTS = [['readings', 1], ['windows', 4], ['forecasts', 2]] as const

type Key = readonly [tenant: string, device: string, metric: string]

/** Series behind one key, up to and with another; null: no bound. `large`: it is one series, of so many readings that they are cut by time. */
interface Slice {
  readonly after: Key | null
  readonly upTo: Key | null
  readonly large: boolean
}

/** Runs a merge on one thread. Rejects soon after `signal` aborts. */
export async function mergeSegments(job: CompactionJob, path: string, signal?: AbortSignal, sliceRows: number = MERGE_SLICE_ROWS): Promise<SegmentFacts> {
  const db = await LakeDatabase.open(job.lakeDir, { memoryMiB: COMPACT_MEMORY_MIB, threads: 1 })
  const stop = () => db.interrupt()
  signal?.addEventListener('abort', stop)
  try {
    signal?.throwIfAborted()
    const before = job.dropBeforeMs === null ? null : timestampSql(job.dropBeforeMs)
    const slices = await slicesOf(db, job, before, sliceRows)
    const sources: SegmentSource[] = []
    for (const table of MERGED) {
      const size = (WINDOW_TABLES as readonly string[]).indexOf(table)
      const from = size < 0 ? await db.relation(table, job.inputs, '*') : await db.relation('windows', job.inputs, '*', size)
      if (from === null) continue
      const selects: string[] = []
      for (const slice of table === 'rejects' ? [WHOLE] : slices) {
        const conditions = [...within(slice, table === 'ledger' ? 2 : 3), ...(before === null ? [] : DROPS[table](before))]
        for (const more of slice.large && table === 'readings' ? await timesOf(db, from, conditions, sliceRows) : [[]]) selects.push(MERGES[table](from, whereSql([...conditions, ...more])))
      }
      sources.push({ table, selects })
    }
    const readings = job.inputs.reduce((sum, s) => sum + (s.rows.readings ?? 0), 0)
    return await writeFile(db, path, { sources, small: readings < SMALL_SEGMENT_ROWS, indexed: true })
  } finally {
    signal?.removeEventListener('abort', stop)
    db.close()
  }
}

const whereSql = (conditions: readonly string[]) => (conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`)

/** The table `series` is made of the others, and windows are written into tables of their sizes. */
type Unmerged = 'series' | 'windows'
const MERGED = TABLE_NAMES.filter((table): table is Exclude<TableName, Unmerged> => table !== 'series' && table !== 'windows')

/** What of a table stays where all before a time is dropped: of the ledger everything. */
const since = (column: string) => (before: string) => [`${column} >= ${before}`]
const DROPS: Record<(typeof MERGED)[number], (before: string) => string[]> = {
  readings: since('ts'),
  windows_1m: since('start'),
  windows_15m: since('start'),
  windows_1h: since('start'),
  windows_1d: since('start'),
  owned_windows: since('start'),
  ...(Object.fromEntries(PLAIN_TABLES.map((table) => [table, since(ageOf(table))])) as Record<PlainTable, (before: string) => string[]>),
  rejects: since('received_at'),
  ledger: () => [],
}

/** Columns of a window's row between its key and its version. */
const WINDOW_VALUES = TABLES.windows_1m.map(([name]) => name).slice(4, -1)
const windowsOf = (size: number) => (from: string, where: string) =>
  `SELECT tenant, device, metric, start, ${WINDOW_VALUES.map((name) => `arg_max_null("${name}", version)`).join(', ')}, max(version) FROM ${from}${where === '' ? ' WHERE' : `${where} AND`} size = ${WINDOW_SIZES_SQL[size]} GROUP BY tenant, device, metric, start ORDER BY tenant, device, metric, start`

const ordered = (by: string) => (from: string, where: string) => `SELECT * FROM ${from}${where} ORDER BY ${by}`

const MERGES: Record<(typeof MERGED)[number], (from: string, where: string) => string> = {
  readings: (from, where) => `SELECT * FROM ${from}${where} ORDER BY tenant, device, metric, ts`,
  windows_1m: windowsOf(0),
  windows_15m: windowsOf(1),
  windows_1h: windowsOf(2),
  windows_1d: windowsOf(3),
  owned_windows: (from, where) => `SELECT DISTINCT * FROM ${from}${where} ORDER BY ALL`,
  ...(Object.fromEntries(PLAIN_TABLES.map((table) => [table, ordered(`tenant, device, metric, ${orderOf(table)}`)])) as Record<PlainTable, (from: string, where: string) => string>),
  rejects: (from, where) => `SELECT * FROM ${from}${where} ORDER BY tenant, received_at`,
  ledger: (from, where) =>
    `SELECT tenant, device, minute, sum(accepted)::BIGINT, sum(rejected)::BIGINT, sum(on_time)::BIGINT, sum(late)::BIGINT, sum(duplicate)::BIGINT, sum(expired)::BIGINT FROM ${from}${where} GROUP BY ALL ORDER BY tenant, device, minute`,
}

const WHOLE: Slice = { after: null, upTo: null, large: false }

/** Conditions that cut the readings of a segment into slices; one that is empty where it is a slice itself. */
export async function readingSlices(db: LakeDatabase, segment: Segment, sliceRows: number): Promise<string[]> {
  const from = await db.relation('readings', [segment], '*')
  if (from === null) return []
  const slices: string[] = []
  for (const slice of await slicesOf(db, { inputs: [segment] }, null, sliceRows)) {
    const conditions = within(slice, 3)
    for (const more of slice.large ? await timesOf(db, from, conditions, sliceRows) : [[]]) slices.push([...conditions, ...more].join(' AND '))
  }
  return slices
}

async function slicesOf(db: LakeDatabase, { inputs }: Pick<CompactionJob, 'inputs'>, before: string | null, sliceRows: number): Promise<Slice[]> {
  const rows = inputs.reduce((sum, s) => sum + WEIGHTS.reduce((of, [table, weight]) => of + weight * rowsOfTable(table, s.rows), 0), 0)
  if (rows <= sliceRows) return [WHOLE]
  const weights: string[] = []
  for (const [table, weight] of WEIGHTS) {
    const from = await db.relation(table, inputs, '*')
    // What is dropped is not counted: where that is all, nothing but the bounds of row groups is looked at.
    if (from !== null) weights.push(`SELECT tenant, device, metric, count(*) * ${weight} AS n FROM ${from}${before === null ? '' : whereSql(since(table === 'windows' ? 'start' : 'ts')(before))} GROUP BY ALL`)
  }
  // The last series of each slice: a slice ends where the sum of all before it enters the next one.
  const ends = await db.rows(
    `SELECT tenant, device, metric, n >= ${sliceRows} FROM (
       SELECT *, sum(n) OVER keys // ${sliceRows} AS slice FROM (SELECT tenant, device, metric, sum(n) AS n FROM (${weights.join(' UNION ALL ')}) GROUP BY ALL)
       WINDOW keys AS (ORDER BY tenant, device, metric))
     QUALIFY slice <> lead(slice) OVER (ORDER BY tenant, device, metric) OR n >= ${sliceRows} ORDER BY tenant, device, metric`,
  )
  const slices: Slice[] = []
  let after: Key | null = null
  for (const [tenant, device, metric, large] of ends as [string, string, string, boolean][]) {
    slices.push({ after, upTo: [tenant, device, metric], large })
    after = [tenant, device, metric]
  }
  return [...slices, { after, upTo: null, large: false }]
}

/** A slice as conditions on the first `width` columns of the key; those that DuckDB can prune by first. */
function within({ after, upTo }: Slice, width: 2 | 3): string[] {
  const conditions: string[] = []
  if (after !== null && upTo !== null && after[0] === upTo[0]) conditions.push(`tenant = ${literal(after[0])}`, `device >= ${literal(after[1])}`, `device <= ${literal(upTo[1])}`)
  if (after !== null) conditions.push(beyond('>', after.slice(0, width)))
  if (upTo !== null) conditions.push(beyond('<', upTo.slice(0, width)))
  return conditions
}

/** Whether the first columns of the key lie on one side of `values` (`<`: or there). Spelled out: DuckDB 1.5 fails at a row between two others. */
function beyond(side: '<' | '>', values: readonly string[]): string {
  return values.reduceRight((rest, value, i) => {
    const column = KEY[i]
    return `(${column} ${side} ${literal(value)}${rest === '' ? (side === '<' ? ` OR ${column} = ${literal(value)}` : '') : ` OR (${column} = ${literal(value)} AND ${rest})`})`
  }, '')
}

const KEY = ['tenant', 'device', 'metric'] as const

/** Intervals of time with about as many readings each as a slice may have, as conditions. */
async function timesOf(db: LakeDatabase, from: string, conditions: readonly string[], sliceRows: number): Promise<string[][]> {
  const [[count]] = await db.rows(`SELECT count(*)::DOUBLE FROM ${from}${whereSql(conditions)}`)
  const pieces = Math.ceil(Number(count) / sliceRows)
  const shares = Array.from({ length: pieces - 1 }, (_, i) => (i + 1) / pieces)
  if (shares.length === 0) return [[]]
  const cuts = await db.rows(`SELECT DISTINCT unnest(quantile_disc(epoch_ms(ts), [${shares.join(', ')}]))::DOUBLE AS ms FROM ${from}${whereSql(conditions)} ORDER BY ms`)
  const times = cuts.map(([ms]) => timestampSql(Number(ms)))
  return Array.from({ length: times.length + 1 }, (_, i) => [...(i > 0 ? [`ts >= ${times[i - 1]}`] : []), ...(i < times.length ? [`ts < ${times[i]}`] : [])])
}
