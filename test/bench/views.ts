/**
 * Kept views over a made lake (lake-of.ts) of 20 M readings: what their parts cost to make, to store and to read, against the same SELECT over all readings.
 *
 * Reading is by DuckDB over weir.duckdb on one thread, as an analyst has it, one query after the other; the last minute's seals have no parts, as in life.
 * It does not measure the API around it, nor a cold disk.
 */

import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { DuckDBInstance } from '@duckdb/node-api'
import type { DuckDBConnection } from '@duckdb/node-api'
import { writeCatalog } from '../../actors/store/catalog.ts'
import { duckdbShelf } from '../../actors/store/duckdb-shelf.ts'
import type { Manifest, Segment } from '../../actors/store/manifest.ts'
import { makeParts, planParts } from '../../actors/store/parts.ts'
import { compileView } from '../../actors/view/compile.ts'
import { emptyDatabase } from '../../actors/view/database.ts'
import type { KeptView } from '../../actors/view/kept.ts'
import { systemClock } from '../../runtime/clock.ts'
import { systemDisk } from '../../runtime/disk.ts'
import { sameRows } from '../support/same-rows.ts'
import type { Bench, BenchRow } from './bench.ts'
import { makeLakeOf } from './lake-of.ts'

const TENANT = 'default'
const VIEWS: Readonly<Record<string, string>> = {
  'by hour, all series': "SELECT device, metric, time_bucket(INTERVAL '1 hour', ts) AS hour, count(*) AS n, avg(value) AS mean, stddev(value) AS spread, arg_max(value, ts) AS newest FROM readings GROUP BY ALL",
  'by day and metric': "SELECT metric, time_bucket(INTERVAL '1 day', ts) AS day, count(*) AS n, max(value) AS top FROM readings GROUP BY ALL",
  'sessions of a gap of 10 minutes': "SELECT device, metric, session_start, session_end, count(*) AS n FROM readings_sessions(INTERVAL '10 minutes') GROUP BY ALL",
}

export const run: Bench = async ({ size }) => {
  const smoke = size === 'smoke'
  const dir = await mkdtemp(join(tmpdir(), 'weir-bench-views-'))
  const lakeDir = join(dir, 'lake')
  const rows: BenchRow[] = []
  try {
    const made = await makeLakeOf({ dir, readings: smoke ? 50_000 : 20_000_000, ...(smoke ? { days: 1, endMs: Date.UTC(2026, 4, 3, 1, 2) } : {}) })
    for (const [name, sql] of Object.entries(VIEWS)) {
      const view = await compiled(sql)
      const views = { [TENANT]: { kept: view } }
      const cpu = process.cpuUsage()
      let segments: readonly Segment[] = made.manifest.segments
      let longest = 0
      for (;;) {
        // The seals of the last minute get none.
        const job = planParts(segments, views, { nowMs: made.endMs, clock: systemClock, lakeDir })
        if (job === null) break
        const begun = performance.now()
        const parts = await makeParts(job, { shelf: duckdbShelf })
        longest = Math.max(longest, performance.now() - begun)
        segments = segments.map((segment) => (segment.file === job.segment.file ? { ...segment, ...parts } : segment))
      }
      const { user, system } = process.cpuUsage(cpu)
      const readings = segments.reduce((sum, segment) => sum + (segment.rows.readings ?? 0), 0)
      const stored = segments.flatMap((segment) => segment.parts ?? [])
      const partRows = stored.reduce((sum, { rows }) => sum + rows[view.id], 0)
      rows.push({ name: `${name}: parts made, of processor time`, value: readings / ((user + system) / 1e6), unit: 'readings/s', hash: '' })
      rows.push({ name: `${name}: the segment that took longest`, value: longest / 1_000, unit: 's', hash: '' })
      rows.push({ name: `${name}: rows of parts`, value: partRows, unit: 'rows', hash: '' })
      rows.push({ name: `${name}: bytes of parts a reading`, value: stored.reduce((sum, { bytes }) => sum + bytes, 0) / readings, unit: 'bytes', hash: '' })
      await writeCatalog(await opened(lakeDir), { lakeDir, manifest: { ...made.manifest, segments, views } as Manifest, disk: systemDisk })
      const times = await asked(lakeDir, { view: 'SELECT * FROM kept', select: sql }, smoke ? 1 : 5)
      rows.push({ name: `${name}: read as a view, least`, value: times.view.ms, unit: 'ms', hash: times.view.hash })
      rows.push({ name: `${name}: the same SELECT over all readings, least`, value: times.select.ms, unit: 'ms', hash: times.select.hash })
    }
    return rows
  } finally {
    shelf?.close()
    shelf = null
    await rm(dir, { recursive: true, force: true })
  }
}

let shelf: Awaited<ReturnType<typeof duckdbShelf.open>> | null = null
async function opened(lakeDir: string): Promise<NonNullable<typeof shelf>> {
  shelf ??= await duckdbShelf.open(lakeDir)
  return shelf
}

async function compiled(sql: string): Promise<KeptView> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await instance.connect()
  const parsed = String((await connection.runAndReadAll('SELECT json_serialize_sql($1::VARCHAR)', [sql])).getRows()[0][0])
  const view = await compileView(TENANT, parsed, sql, await emptyDatabase(connection))
  instance.closeSync()
  return view
}

/** The least time of each query, over one lake, in turn; and that they say the same. */
async function asked<Name extends string>(lakeDir: string, queries: Record<Name, string>, times: number): Promise<Record<Name, { ms: number; hash: string }>> {
  const instance = await DuckDBInstance.create(join(lakeDir, 'weir.duckdb'), { access_mode: 'READ_ONLY', threads: '1' })
  const connection: DuckDBConnection = await instance.connect()
  const names = Object.keys(queries) as Name[]
  const least = Object.fromEntries(names.map((name) => [name, { ms: Infinity, hash: '' }])) as Record<Name, { ms: number; hash: string }>
  try {
    for (let i = 0; i < times; i++) {
      for (const name of names) {
        const begun = performance.now()
        // Counted as all its columns are made, so that none is left out.
        await connection.run(`CREATE OR REPLACE TEMP TABLE answer_${name} AS ${queries[name]}`)
        least[name].ms = Math.min(least[name].ms, performance.now() - begun)
      }
    }
    const answers = await Promise.all(names.map(async (name) => (await connection.runAndReadAll(`SELECT * FROM answer_${name} ORDER BY ALL LIMIT 20000`)).getRows()))
    const why = sameRows(answers[0], answers[1])
    if (why !== null) throw new Error(`Cannot measure the view as its rows must be those of its SELECT: ${why}`)
    for (const name of names) {
      const [[count]] = (await connection.runAndReadAll(`SELECT count(*) FROM answer_${name}`)).getRows()
      least[name].hash = createHash('sha256').update(String(count)).digest('hex').slice(0, 12)
    }
    return least
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}
