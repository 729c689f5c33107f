/**
 * The rows of a made lake, as SQL that gives them in their order.
 *
 * A device has four metrics. Three come every 10 s, `battery` every minute, each series at a moment of its own within its step and a few hundred
 * milliseconds off it, and a reading is received a moment after. So a minute has 6 readings or 1, at 27,360 a device a day.
 *
 * - K4 A reading is a function of (seed, series, number of its step): any part of the lake can be made without the rest.
 * - K5 What is drawn and measured repeats after `periodDays`, where there is such: a later day is an earlier one, moved.
 */

import type { LakeDatabase, StagedColumn } from '../../actors/store/database.ts'
import type { SegmentSource } from '../../actors/store/duckdb-segment.ts'
import { WINDOW_SIZES_MS } from '../../actors/reading/window.ts'
import { WINDOW_TABLES } from '../../actors/store/tables.ts'

/** In the order of names: its level, and the size of its daily swing and of its noise. */
const METRICS = [
  { name: 'air_temperature', stepMs: 10_000, level: 14, swing: 8, noise: 0.4 },
  { name: 'battery', stepMs: 60_000, level: 3.9, swing: 0.05, noise: 0.01 },
  { name: 'soil_moisture', stepMs: 10_000, level: 31, swing: 2, noise: 0.2 },
  { name: 'soil_temperature', stepMs: 10_000, level: 11, swing: 3, noise: 0.1 },
] as const

export function readingsADevice(ms: number): number {
  return METRICS.reduce((sum, { stepMs }) => sum + ms / stepMs, 0)
}

/** The first of these is `farm-00/field-000/probe-0`; names sort as numbers do. */
export function deviceName(n: number): string {
  const two = (part: number, width: number) => String(part).padStart(width, '0')
  return `farm-${two(Math.floor(n / 200), 2)}/field-${two(Math.floor(n / 10) % 20, 3)}/probe-${n % 10}`
}

/** Puts the series into the table `series`, and defines what a reading is. */
export async function stageSeries(db: LakeDatabase, of: { devices: number; seed: number; beginMs: number; periodDays: number }): Promise<void> {
  const { devices, seed, beginMs, periodDays } = of
  const rows = Array.from({ length: devices * METRICS.length }, (_, i) => ({ device: deviceName(Math.floor(i / METRICS.length)), ...METRICS[i % METRICS.length] }))
  const double = (pick: (row: (typeof rows)[number], i: number) => number) => Float64Array.from(rows, pick)
  const columns: StagedColumn[] = [
    { name: 'id', kind: 'whole', data: double((_, i) => i) },
    { name: 'device', kind: 'text', data: rows.map((r) => r.device) },
    { name: 'metric', kind: 'text', data: rows.map((r) => r.name) },
    { name: 'step', kind: 'whole', data: double((r) => r.stepMs) },
    { name: 'level', kind: 'double', data: double((r, i) => r.level + ((i * 37) % 100) / 50) },
    { name: 'swing', kind: 'double', data: double((r) => r.swing) },
    { name: 'noise', kind: 'double', data: double((r) => r.noise) },
  ]
  await db.stage('series', columns, rows.length)
  // The number of a step within its period.
  await db.run(`CREATE MACRO memory.main.within(step, k) AS ${Number.isFinite(periodDays) ? `k % (${periodDays * 86_400_000} // step)` : 'k'}`)
  // A draw of 0 to 9,999 of (series, step, what for).
  await db.run(`CREATE MACRO memory.main.drawn(id, k, what) AS (hash(id * 1000003 + what * 7919 + ${seed}, k) % 10000)::BIGINT`)
  await db.run(`CREATE MACRO memory.main.at(id, step, k) AS ${beginMs} + k * step + (id * 7919) % (step - 1000) + memory.main.drawn(id, memory.main.within(step, k), 1) // 20`)
  await db.run(
    `CREATE MACRO memory.main.value_at(id, step, k, level, swing, noise) AS
      round(level - swing * cos(2 * pi() * (k * step / 86400000.0 + (id % 97) / 400.0)) + noise * (memory.main.drawn(id, k, 2) / 5000.0 - 1), 2)`,
  )
  await db.run(`CREATE MACRO memory.main.begin_ms() AS ${beginMs}`)
}

const NAMES = `'default' AS tenant, device, metric`

const moment = (ms: string) => `make_timestamp((${ms}) * 1000)`

export interface SpanOfRows {
  readonly from: number
  readonly to: number
  readonly endMs: number
  readonly isLast: boolean
}

/** Makes the rows of a span, in the table `rows`, and gives what a segment of it is made of. */
export async function segmentSources(db: LakeDatabase, { from, to, endMs, isLast }: SpanOfRows): Promise<SegmentSource[]> {
  // Windows that end in (from, to], and of the last segment those that are open.
  const sizes = WINDOW_SIZES_MS.map((sizeMs) => {
    const first = Math.floor(from / sizeMs) * sizeMs
    return { sizeMs, first, behind: isLast ? Math.ceil(to / sizeMs) * sizeMs : Math.floor(to / sizeMs) * sizeMs }
  }).filter(({ first, behind }) => first < behind)
  const firstMs = Math.min(from, ...sizes.map(({ first }) => first))
  // A step's reading is somewhere within the step, so one more on either side is looked at.
  const step = (ms: number) => `(${ms} - memory.main.begin_ms()) // step`
  await db.run(
    `CREATE OR REPLACE TABLE memory.main.rows AS SELECT id, k, ms, memory.main.value_at(id, step, k, level, swing, noise) AS value
     FROM (SELECT * REPLACE (memory.main.within(step, k) AS k), memory.main.at(id, step, k) AS ms
       FROM (SELECT *, unnest(range(greatest(0, ${step(firstMs)} - 1), ${step(to)} + 1)) AS k FROM memory.main.series))
     WHERE ms >= ${firstMs} AND ms < ${to}`,
  )
  // A join keeps the order of its larger side, which the rows of a day are.
  const order = to - from < 86_400_000 ? ' ORDER BY id, r.ms' : ''
  const own = `memory.main.rows r JOIN memory.main.series s USING (id) WHERE r.ms >= ${from}`
  const sources: SegmentSource[] = [
    { table: 'readings', selects: [`SELECT ${NAMES}, ${moment('r.ms')}, r.value, ${moment('r.ms + 20 + memory.main.drawn(id, k, 3) // 50')} FROM ${own}${order}`] },
  ]
  for (const of of sizes) {
    const table = WINDOW_TABLES[WINDOW_SIZES_MS.indexOf(of.sizeMs)]
    sources.push({ table, selects: [`SELECT ${NAMES}, * EXCLUDE (id, device, metric) FROM (SELECT w.*, s.device, s.metric FROM (${windowsOf({ ...of, endMs })}) w JOIN memory.main.series s USING (id)) ORDER BY id, start`] })
  }
  sources.push({
    table: 'anomalies',
    selects: [
      `SELECT ${NAMES}, ${moment('r.ms')}, r.value, 0.9 + memory.main.drawn(id, k, 4) / 1e5, r.value - 5 * noise, r.value - 6 * noise, r.value - 4 * noise, 'above the expected', 'spike', 'residual'
       FROM ${own} AND memory.main.drawn(id, k, 5) = 0 AND memory.main.drawn(id, k, 6) < 1000 ORDER BY id, r.ms`,
    ],
  })
  if (to - from >= 60_000) {
    sources.push({
      table: 'ledger',
      selects: [
        `SELECT 'default', device, ${moment('minute')}, n, 0, n, 0, 0, 0 FROM (SELECT device, unnest(range(${from}, ${to}, 60000)) AS minute, n
         FROM (SELECT device, sum(60000 // step)::BIGINT AS n FROM memory.main.series GROUP BY device ORDER BY min(id)))`,
      ],
    })
  }
  return sources
}

/** What a segment is made of that holds a day which repeats that of the segment attached as `alias`, `shiftMs` later (K5). */
export function repeatedSources(alias: string, shiftMs: number): SegmentSource[] {
  const moved = (column: string) => `${column} + to_milliseconds(${shiftMs}) AS ${column}`
  const select = (table: SegmentSource['table'], columns: string) => ({ table, selects: [`SELECT * REPLACE (${columns}) FROM ${alias}.main.${table}`] })
  return [
    select('readings', `${moved('ts')}, ${moved('received_at')}`),
    ...WINDOW_TABLES.map((table) => select(table, `${moved('start')}, ${moved('updated_at')}, version + ${shiftMs / 500} AS version`)),
    select('anomalies', moved('ts')),
    select('ledger', moved('minute')),
  ]
}

/** Windows of one size that begin in [first, behind), of the table `rows`. */
function windowsOf({ sizeMs, first, behind, endMs }: { sizeMs: number; first: number; behind: number; endMs: number }): string {
  const start = `ms // ${sizeMs} * ${sizeMs}`
  const end = `start_ms + ${sizeMs}`
  return `SELECT id, ${moment('start_ms')} AS start, count, sum, min, max, sum / count AS mean, stddev, first, last, q[1], q[2], q[3],
    if(${end} <= ${endMs}, 'watermark', 'open'), ${moment(`least(${end} + 6000, ${endMs} + 60000)`)}, ((${end} - memory.main.begin_ms()) // 500)::BIGINT
    FROM (SELECT id, ${start} AS start_ms, count(*) AS count, sum(value) AS sum, min(value) AS min, max(value) AS max, stddev_samp(value) AS stddev,
      arg_min(value, (ms, value)) AS first, arg_max(value, (ms, value)) AS last, quantile_disc(value, [0.5, 0.95, 0.99]) AS q
      FROM memory.main.rows WHERE ms >= ${first} AND ms < ${behind} GROUP BY ALL)`
}
