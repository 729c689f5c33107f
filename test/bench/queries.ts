/**
 * Queries over a large made lake (lake-of.ts): by an analyst's own DuckDB on `weir.duckdb`, and over HTTP from the real system on top of it.
 *
 * `--readings 100M` (1 B, …) says how large it is, `--dir` where it is kept for the next time; else it is made anew and removed. Each query
 * runs several times: the median is shown, with the least beside it. An analyst asks the lake as it was made, with the hours, minutes and seals
 * of its last day; the system begins by merging those, and is asked when its last day is one segment, beside the niced merges of its days.
 *
 * It does not measure a cold disk: what was just made, or asked before, is in the memory of the machine as far as that goes.
 */

import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { planCompaction } from '../../actors/store/compaction.ts'
import { readNewestManifest } from '../../actors/store/manifest.ts'
import type { Manifest } from '../../actors/store/manifest.ts'
import { rowsOfTable } from '../../actors/store/tables.ts'
import { systemClock } from '../../runtime/clock.ts'
import { withLake } from '../support/law.ts'
import { eventually, startSystem } from '../support/system.ts'
import type { Bench, BenchRow } from './bench.ts'
import { makeLakeOf, parseCount } from './lake-of.ts'
import { deviceName } from './lake-rows.ts'
import { percentile } from './probe.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const RUNS = 7

const sum = (manifest: Manifest, of: (s: Manifest['segments'][number]) => number) => manifest.segments.reduce((total, s) => total + of(s), 0)

export const run: Bench = async ({ size, readings, dir }) => {
  const count = size === 'smoke' ? 50_000 : parseCount(readings ?? '100M')
  const dataDir = dir === undefined ? await mkdtemp(join(tmpdir(), 'weir-bench-queries-')) : resolve(dir)
  try {
    let manifest = await readNewestManifest(join(dataDir, 'lake')).catch(() => null)
    if (manifest === null) manifest = (await makeLakeOf({ dir: dataDir, readings: count, say: size === 'smoke' ? () => {} : (line) => console.error(line), ...(size === 'smoke' && SMALL) })).manifest
    const shown = new Hash(String(sum(manifest, (s) => s.rows.readings ?? 0)))
    const rows: BenchRow[] = [
      { name: 'readings in the lake', value: sum(manifest, (s) => s.rows.readings ?? 0), unit: 'readings', hash: shown.text },
      { name: 'windows in the lake', value: sum(manifest, (s) => rowsOfTable('windows', s.rows)), unit: 'rows', hash: shown.text },
      { name: 'bytes of the lake', value: sum(manifest, (s) => s.bytes), unit: 'bytes', hash: shown.text },
      { name: 'files of the lake, as found', value: manifest.segments.length, unit: 'files', hash: shown.text },
    ]
    const place = placeOf(manifest)
    rows.push(...(await askAsAnalyst(dataDir, place)))
    rows.push(...(await askSystem(dataDir, place)))
    return rows
  } finally {
    if (dir === undefined) await rm(dataDir, { recursive: true, force: true })
  }
}

const SMALL = { days: 1, endMs: Date.UTC(2026, 4, 3, 1, 2) }

class Hash {
  readonly text: string
  constructor(of: string | Uint8Array) {
    this.text = createHash('sha256').update(of).digest('hex').slice(0, 12)
  }
}

/** What is asked for: a series in the middle, and the lake's end. */
interface Place {
  readonly device: string
  readonly endMs: number
}

function placeOf(manifest: Manifest): Place {
  const last = Math.max(...manifest.segments.map((s) => s.readingsMax ?? 0))
  const beginMs = Math.min(...manifest.segments.map((s) => s.readingsMin ?? Infinity))
  const devices = sum(manifest, (s) => s.rows.readings ?? 0) / (19 * ((last - beginMs) / 60_000))
  return { device: deviceName(Math.floor(devices / 2)), endMs: Math.ceil(last / 60_000) * 60_000 }
}

/** Times an answer several times; what it gives must be the same each time. */
async function time(name: string, ask: () => Promise<string | Uint8Array>): Promise<BenchRow> {
  const took: number[] = []
  let hash = ''
  for (let i = 0; i < RUNS; i++) {
    const begun = performance.now()
    const answer = await ask()
    took.push(performance.now() - begun)
    const { text } = new Hash(answer)
    if (hash !== '' && text !== hash) throw new Error(`${name}: the same question has two answers`)
    hash = text
  }
  took.sort((a, b) => a - b)
  return { name, value: percentile(took, 0.5), unit: `ms, least ${took[0].toFixed(took[0] < 10 ? 1 : 0)}`, hash }
}

// Means are rounded, since two threads add up in no fixed order.

// An analyst's own DuckDB -------------------------------------------------------------------------------------------------------------

async function askAsAnalyst(dataDir: string, { device, endMs }: Place): Promise<BenchRow[]> {
  const at = (ms: number) => `make_timestamp(${endMs + ms} * 1000)`
  const series = `tenant = 'default' AND device = '${device}' AND metric = 'soil_moisture'`
  const questions: [string, string][] = [
    ['count of all readings', 'SELECT count(*) FROM readings'],
    ['last hour by minute, all series', `SELECT device, metric, time_bucket(INTERVAL 1 MINUTE, ts) AS minute, count(*), round(avg(value), 9) FROM readings WHERE ts >= ${at(-HOUR_MS)} GROUP BY ALL ORDER BY ALL LIMIT 10000`],
    ['top 10 of the last hour', `SELECT device, max(value) AS most FROM readings WHERE metric = 'soil_moisture' AND ts >= ${at(-HOUR_MS)} GROUP BY device ORDER BY most DESC, device LIMIT 10`],
    ['an hour a week ago, all series', `SELECT metric, count(*), round(avg(value), 9) FROM readings WHERE ts >= ${at(-7 * DAY_MS)} AND ts < ${at(-7 * DAY_MS + HOUR_MS)} GROUP BY metric ORDER BY metric`],
    ['a series, its last day', `SELECT ts, value FROM readings WHERE ${series} AND ts >= ${at(-DAY_MS)} ORDER BY ts`],
    ['a series, all time by hour, of readings', `SELECT time_bucket(INTERVAL 1 HOUR, ts) AS hour, min(value), max(value), round(avg(value), 9) FROM readings WHERE ${series} GROUP BY hour ORDER BY hour`],
    ['a series, all time by hour, of windows', `SELECT start, min, max, mean, p95 FROM windows WHERE ${series} AND size = INTERVAL 1 HOUR ORDER BY start`],
    ['a series, its last reading', `SELECT max(ts), arg_max(value, ts) FROM readings WHERE ${series}`],
    [
      'the law, a device and a day',
      `WITH e AS (SELECT metric, time_bucket(INTERVAL 1 MINUTE, ts) AS start, count(*) AS n, min(value) AS least, max(value) AS most FROM readings
         WHERE tenant = 'default' AND device = '${device}' AND ts >= ${at(-DAY_MS)} GROUP BY ALL),
       g AS (SELECT metric, start, count, min, max FROM windows WHERE tenant = 'default' AND device = '${device}' AND size = INTERVAL 1 MINUTE AND start >= ${at(-DAY_MS)})
       SELECT count(*), count(*) FILTER (WHERE e.n IS DISTINCT FROM g.count OR e.least IS DISTINCT FROM g.min OR e.most IS DISTINCT FROM g.max) AS broken FROM e FULL JOIN g USING (metric, start)`,
    ],
  ]
  const rows = [await time('analyst: open, and count devices of the last hour', () => withLake(dataDir, async (query) => JSON.stringify(await query(`SELECT count(DISTINCT device) FROM readings WHERE ts >= ${at(-HOUR_MS)}`))))]
  await withLake(dataDir, async (query) => {
    for (const [name, sql] of questions) rows.push(await time(`analyst: ${name}`, async () => JSON.stringify(await query(sql))))
  })
  return rows
}

// The API -----------------------------------------------------------------------------------------------------------------------------

async function askSystem(dataDir: string, { device, endMs }: Place): Promise<BenchRow[]> {
  const begun = performance.now()
  const system = await startSystem({ dataDir })
  try {
    await eventually('the store is ready', async () => (await system.fetch('/readyz')).ok && (await system.get<{ settled: boolean }>('/v1/status')).settled !== undefined)
    const rows: BenchRow[] = [{ name: 'from the start until all is ready', value: performance.now() - begun, unit: 'ms', hash: '' }]
    const files = await merged(dataDir)
    rows.push({ name: 'files of the lake, merged', value: files, unit: 'files', hash: '' })
    const span = (fromMs: number, toMs = 0) => `from=${endMs + fromMs}&to=${endMs + toMs}`
    const series = `device=${device}&metric=soil_moisture`
    const paths: [string, string][] = [
      ['windows of an hour, all series', `/v1/windows?size=1h&${span(-2 * HOUR_MS)}&limit=100000`],
      ['windows of a minute, last hour, a page', `/v1/windows?size=1m&${span(-HOUR_MS)}`],
      ['windows of a minute, a series, a day', `/v1/windows?size=1m&${series}&${span(-DAY_MS)}&limit=10000`],
      ['windows of a day, a series, all time', `/v1/windows?size=1d&${series}`],
      ['readings of a series, an hour', `/v1/readings?${series}&${span(-HOUR_MS)}`],
      ['readings of a series, a day', `/v1/readings?${series}&${span(-DAY_MS)}&limit=10000`],
      ['readings of all, last minute, a page', `/v1/readings?${span(-60_000)}`],
      ['graph of a series, an hour', `/v1/graph?${series}&${span(-HOUR_MS)}&width=1200`],
      ['graph of a series, a day', `/v1/graph?${series}&${span(-DAY_MS)}&width=1200`],
      ['graph of a series, all time', `/v1/graph?${series}&${span(-400 * DAY_MS)}&width=1200`],
      ['series, a page', '/v1/series'],
      ['latest of a device', `/v1/latest?device=${device}`],
      ['anomalies of the last day', `/v1/anomalies?${span(-DAY_MS)}`],
      ['ledger of all time', '/v1/ledger'],
    ]
    const answerOf = async (path: string, init?: RequestInit) => {
      const response = await system.fetch(path, init)
      const body = new Uint8Array(await response.arrayBuffer())
      if (response.status !== 200) throw new Error(`${path}: ${response.status} ${new TextDecoder().decode(body)}`)
      return body
    }
    for (const [name, path] of paths) rows.push(await time(`HTTP: ${name}`, () => answerOf(path)))
    const at = (ms: number) => `make_timestamp(${endMs + ms} * 1000)`
    const statements: [string, string][] = [
      ['last hour by metric, all series', `SELECT metric, count(*) AS n, max(value) AS most FROM readings WHERE ts >= ${at(-HOUR_MS)} AND ts < ${at(0)} GROUP BY metric ORDER BY metric`],
      ['a series, a day by hour', `SELECT start, min, max FROM windows WHERE device = '${device}' AND metric = 'soil_moisture' AND size = INTERVAL 1 HOUR AND start >= ${at(-DAY_MS)} ORDER BY start`],
    ]
    for (const [name, sql] of statements) {
      const init = { method: 'POST', headers: { 'content-type': 'application/json', accept: 'text/csv' }, body: JSON.stringify({ sql }) }
      rows.push(await time(`POST /v1/sql: ${name}`, () => answerOf('/v1/sql', init)))
    }
    return rows
  } finally {
    await system.stop()
  }
}

/** Waits until the last day is one segment; gives the number of files. Merges of days, which take minutes each in a large lake, go on beside. */
async function merged(dataDir: string): Promise<number> {
  const lakeDir = join(dataDir, 'lake')
  return eventually('hours are merged', async () => {
    const segments = (await readNewestManifest(lakeDir))?.segments ?? []
    const next = planCompaction(segments, { nowMs: Date.now(), clock: systemClock, lakeDir, dropBeforeMs: null })
    return next === null || next.level > DAYS ? segments.length : null
  }, 1_800_000)
}

/** Level of segments that hold a day. */
const DAYS = 3
