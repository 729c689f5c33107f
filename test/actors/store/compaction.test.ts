/** Merging, retention and the catalog: what an analyst sees stays as it is, while files come and go under it. */

import { spawn } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { compactAside } from '../../../actors/store/compaction-client.ts'
import { planCompaction } from '../../../actors/store/compaction.ts'
import type { CompactionJob } from '../../../actors/store/compaction.ts'
import { readNewestManifest } from '../../../actors/store/manifest.ts'
import type { Segment } from '../../../actors/store/manifest.ts'
import { LakeWriter } from '../../../actors/store/writer.ts'
import type { LakeWriterOptions } from '../../../actors/store/writer.ts'
import type { Log } from '../../../runtime/log.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import { topologyOf } from '../../../runtime/topology.ts'
import { lawBreakers, withLake } from '../../support/law.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { disorderedStream, Feed, makeStreams } from './feed.ts'

const BEGIN_MS = 1_767_225_600_000
const PARTITIONS = 2
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const quiet = { info() {}, warn() {}, error() {} }

let dataDir: string
let lakeDir: string
let clock: ManualClock
let world: MemoryWorld
let log: Log
let feed: Feed
let open: LakeWriter[]

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'weir-compaction-'))
  lakeDir = join(dataDir, 'lake')
  clock = new ManualClock({ nowMs: BEGIN_MS })
  world = new MemoryWorld({ clock })
  log = world.connect().log
  open = []
  await makeStreams(log, PARTITIONS)
  feed = new Feed({ log, clock, partitions: PARTITIONS })
  await feed.begin({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 })
})

afterEach(async () => {
  for (const writer of open) await writer.stop({ seal: false })
  await rm(dataDir, { recursive: true, force: true })
})

async function openWriter(options: Partial<LakeWriterOptions> = {}): Promise<LakeWriter> {
  const writer = await LakeWriter.open({ lakeDir, log, topology: topologyOf(PARTITIONS), clock, logger: quiet, compaction: false, ...options })
  open.push(writer)
  await writer.start()
  return writer
}

async function seal(writer: LakeWriter): Promise<void> {
  const last = Math.max(0, ...world.messages('RESULTS').map((m) => m.seq))
  while (Math.max(...writer.status().lag.map((l) => l.resultsSeq)) < last) await new Promise((resolve) => setImmediate(resolve))
  await writer.seal()
}

/** Sends a disordered stream, sealing as it goes; time passes as in life. */
async function live(writer: LakeWriter, { steps, stepMs, each }: { steps: number; stepMs: number; each?: () => Promise<void> }): Promise<void> {
  let step = 0
  for (const { nowMs, readings } of disorderedStream({ seed: 5, devices: 6, metrics: 2, stepMs, steps, disordered: 0.3, disorderMs: stepMs * 4, doubled: 0.05 }, BEGIN_MS)) {
    clock.stepWall(nowMs - clock.now())
    await feed.send(readings)
    await feed.commitAll()
    if (step++ % 3 === 0) await seal(writer)
    await each?.()
  }
  await feed.quiet()
  await seal(writer)
}

async function content(): Promise<string> {
  return withLake(dataDir, async (query) => {
    const all = []
    for (const view of ['readings', 'windows', 'anomalies', 'rejects']) all.push(await query(`SELECT * FROM ${view} ORDER BY ALL`))
    return JSON.stringify(all)
  })
}

const ledgerSum = async (segments: readonly Segment[]) => {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const files = segments.filter((s) => s.rows.ledger > 0).map((s) => `'${join(lakeDir, 'segments', s.file)}'`)
  const reader = await connection.runAndReadAll(`SELECT sum(accepted)::INTEGER, sum(on_time)::INTEGER, sum(late)::INTEGER, sum(duplicate)::INTEGER FROM read_duckdb([${files.join(', ')}], table_name = 'ledger')`)
  const [row] = reader.getRowsJS()
  connection.closeSync()
  instance.closeSync()
  return row
}

describe('merging', () => {
  test('keeps the rows that show, the ledger and the law, and bounds the number of files', async () => {
    const writer = await openWriter()
    await live(writer, { steps: 120, stepMs: 20_000 })
    const before = await content()
    const counts = await ledgerSum(writer.manifest.segments)
    const files = writer.manifest.segments.length
    clock.stepWall(2 * DAY_MS)
    while (await writer.upkeep(clock.now()));
    expect(files).toBeGreaterThan(30)
    expect(writer.manifest.segments.length).toBe(1)
    expect(await content()).toBe(before)
    expect(await ledgerSum(writer.manifest.segments)).toEqual(counts)
    expect(await lawBreakers(dataDir)).toEqual([])
  })

  test('goes by minute, hour and day of sealing', async () => {
    const at = (level: number, sealedMs: number, n = 0): Segment => ({
      file: `l${level}-${sealedMs}-${n}`,
      level,
      sealedFrom: sealedMs,
      sealedTo: sealedMs,
      bytes: 1,
      rows: { readings: 10 },
      tsMin: 0,
      tsMax: 0,
      readingsMin: 0,
      readingsMax: 0,
    })
    const plan = (segments: Segment[], nowMs: number) => planCompaction(segments, { nowMs, clock, lakeDir, dropBeforeMs: null })
    const minute = [at(0, BEGIN_MS + 1_000), at(0, BEGIN_MS + 3_000), at(0, BEGIN_MS + 61_000)]
    expect(plan(minute, BEGIN_MS + 60_000)).toBeNull()
    expect(plan(minute, BEGIN_MS + 65_000)).toMatchObject({ level: 1, inputs: minute.slice(0, 2) })
    const hour = [at(1, BEGIN_MS), at(1, BEGIN_MS + 120_000), at(0, BEGIN_MS + 240_000)]
    expect(plan(hour, BEGIN_MS + 3_500_000)).toBeNull()
    expect(plan(hour, BEGIN_MS + 3_700_000)).toMatchObject({ level: 2, inputs: hour })
    const day = [at(2, BEGIN_MS), at(2, BEGIN_MS + 7_200_000)]
    expect(plan(day, BEGIN_MS + DAY_MS + 10_000)).toMatchObject({ level: 3, inputs: day })
    const large = { ...at(2, BEGIN_MS), rows: { readings: 1e9 } }
    expect(plan([large, ...day], BEGIN_MS + DAY_MS + 10_000)).toMatchObject({ level: 3, inputs: day })
    expect(plan([large, day[0]], BEGIN_MS + DAY_MS + 10_000)).toBeNull()
  })

  test('may be done by another process', async () => {
    const writer = await openWriter({ compact: compactAside })
    await live(writer, { steps: 20, stepMs: 20_000 })
    const before = await content()
    clock.stepWall(DAY_MS)
    const files = writer.manifest.segments.length
    expect(await writer.upkeep(clock.now())).toBe(true)
    expect(writer.manifest.segments.length).toBeLessThan(files)
    expect(await content()).toBe(before)
  })

  test('leaves replaced files in place for those who have them open, and sweeps them when their time is over', async () => {
    const writer = await openWriter({ keepSupersededMs: 3_600_000 })
    await live(writer, { steps: 12, stepMs: 20_000 })
    const replaced = writer.manifest.segments.map((s) => s.file)
    const instance = await DuckDBInstance.create(join(lakeDir, 'weir.duckdb'), { access_mode: 'READ_ONLY' })
    const connection = await instance.connect()
    const count = async () => (await connection.runAndReadAll('SELECT count(*) FROM readings')).getRowsJS()[0][0]
    const before = await count()
    clock.stepWall(DAY_MS)
    while (await writer.upkeep(clock.now()));
    expect(await readdir(join(lakeDir, 'segments'))).toEqual(expect.arrayContaining(replaced))
    expect(await count()).toBe(before)
    connection.closeSync()
    instance.closeSync()
    clock.stepWall(3_700_000)
    for (let n = 0; n < 4; n++) {
      await feed.send([{ device: 'd', metric: 'm', ts: clock.now() + n, value: n }])
      await feed.commitAll()
      await seal(writer)
    }
    await writer.upkeep(BEGIN_MS)
    expect((await readdir(join(lakeDir, 'segments'))).filter((f) => replaced.includes(f))).toEqual([])
  })

  test('that fails leaves the lake as it was, no half of a file, and the writer at work', async () => {
    const fail = async ({ file }: CompactionJob) => {
      await writeFile(join(lakeDir, 'tmp', file), 'half')
      throw new Error('disk full')
    }
    const writer = await openWriter({ compact: fail })
    await live(writer, { steps: 9, stepMs: 20_000 })
    const before = await content()
    clock.stepWall(DAY_MS)
    expect(await writer.upkeep(clock.now())).toBe(false)
    expect(await readdir(join(lakeDir, 'tmp'))).toEqual([])
    await feed.send([{ device: 'd', metric: 'm', ts: clock.now(), value: 1 }])
    await feed.quiet()
    await seal(writer)
    expect(await content()).not.toBe(before)
    expect(await lawBreakers(dataDir)).toEqual([])
  })
})

describe('retention', () => {
  test('drops what is older by event time, and keeps the ledger of it', async () => {
    const writer = await openWriter({ retentionMs: DAY_MS })
    await live(writer, { steps: 12, stepMs: 20_000 })
    const counts = await ledgerSum(writer.manifest.segments)
    clock.stepWall(3 * DAY_MS)
    await feed.send([{ device: 'd', metric: 'm', ts: clock.now(), value: 1 }])
    await feed.quiet()
    await seal(writer)
    while (await writer.upkeep(clock.now()));
    const [{ n }] = await withLake(dataDir, (query) => query('SELECT count(*)::INTEGER AS n FROM readings'))
    expect(n).toBe(1)
    const [accepted] = await ledgerSum(writer.manifest.segments)
    expect(accepted).toBe(Number(counts[0]) + 1)
  })

  test('drops whole days, so that the windows of what is left are those of its readings', async () => {
    const writer = await openWriter({ retentionMs: DAY_MS })
    const dayMs = Math.ceil(BEGIN_MS / DAY_MS) * DAY_MS
    clock.stepWall(dayMs + 20 * HOUR_MS - clock.now())
    for (const hour of [6, 18]) {
      await feed.send([{ device: 'd', metric: 'm', ts: dayMs + hour * HOUR_MS, value: hour }])
      await feed.quiet()
      await seal(writer)
    }
    // A day later the retention ends between the two, and both segments are due to be merged.
    clock.stepWall(dayMs + DAY_MS + 12 * HOUR_MS - clock.now())
    while (await writer.upkeep(clock.now()));
    const [{ n }] = await withLake(dataDir, (query) => query('SELECT count(*)::INTEGER AS n FROM readings'))
    expect(n).toBe(2)
    expect(await lawBreakers(dataDir)).toEqual([])
  })
})

describe('retention by size', () => {
  const dayMs = Math.ceil(BEGIN_MS / DAY_MS) * DAY_MS

  /** A day of readings after the other, each sealed by itself. */
  async function days(writer: LakeWriter, count: number): Promise<void> {
    for (let day = 0; day < count; day++) {
      clock.stepWall(dayMs + day * DAY_MS + 12 * HOUR_MS - clock.now())
      await feed.send(Array.from({ length: 20 }, (_, i) => ({ device: 'd', metric: 'm', ts: dayMs + day * DAY_MS + i * HOUR_MS / 2, value: i })))
      await feed.quiet()
      await seal(writer)
    }
  }
  const daysShown = async () => (await withLake(dataDir, (query) => query(`SELECT DISTINCT ts::DATE::VARCHAR AS day FROM readings ORDER BY day`))).map((row) => row.day)

  test('lets the oldest days go until the lake fits, keeps their ledger, and cuts no further while the files of those days are still there', async () => {
    const writer = await openWriter()
    await days(writer, 5)
    const counts = await ledgerSum(writer.manifest.segments)
    const bytes = writer.manifest.segments.reduce((sum, s) => sum + s.bytes, 0)
    await writer.stop()
    const bounded = await openWriter({ retentionBytes: Math.floor(bytes * 0.7) })
    const before = await daysShown()
    while (await bounded.upkeep(dayMs + 4 * DAY_MS + 13 * HOUR_MS));
    const left = await daysShown()
    expect(left.length).toBeLessThan(before.length)
    expect(left).toEqual(before.slice(-left.length))
    expect(await lawBreakers(dataDir)).toEqual([])
    expect(await ledgerSum(bounded.manifest.segments)).toEqual(counts)
    const { floorMs } = bounded.manifest
    expect(new Date(floorMs!).toISOString().slice(0, 10)).toBe(left[0])
    for (let n = 0; n < 3; n++) await bounded.upkeep(dayMs + 4 * DAY_MS + 13 * HOUR_MS)
    expect(bounded.manifest.floorMs).toBe(floorMs)
    await bounded.stop()
    // The floor outlives the bound, since the days before it are gone.
    expect((await openWriter()).manifest.floorMs).toBe(floorMs)
  })

  test('counts what comes late from before the cut as expired, so that no day comes back as the one reading that was late', async () => {
    const writer = await openWriter({ retentionBytes: 1 })
    await days(writer, 3)
    while (await writer.upkeep(dayMs + 2 * DAY_MS + 13 * HOUR_MS));
    const left = await daysShown()
    expect(left).toHaveLength(1)
    const [accepted, onTime, late, duplicate] = (await ledgerSum(writer.manifest.segments)).map(Number)
    await feed.send([
      { device: 'd', metric: 'm', ts: dayMs + 5 * HOUR_MS, value: 0.5 },
      { device: 'd', metric: 'm', ts: dayMs + 2 * DAY_MS + 5 * HOUR_MS + 1, value: 0.5 },
      { device: 'new', metric: 'm', ts: dayMs + DAY_MS, value: 1 },
    ])
    await feed.quiet()
    await seal(writer)
    expect(await daysShown()).toEqual(left)
    expect(await lawBreakers(dataDir)).toEqual([])
    const after = (await ledgerSum(writer.manifest.segments)).map(Number)
    expect(after).toEqual([accepted + 3, onTime, late + 1, duplicate])
  })
})

describe('the catalog', () => {
  test('has the views of the public interface, typed, in an empty lake too', async () => {
    await openWriter()
    const described = await withLake(dataDir, async (query) => {
      const views: Record<string, string> = {}
      for (const view of ['readings', 'windows', 'anomalies', 'alerts', 'forecasts', 'feedback', 'profiles', 'drivers', 'rejects']) {
        views[view] = (await query(`DESCRIBE ${view}`)).map((c) => `${c.column_name} ${c.column_type}`).join(', ')
      }
      return views
    })
    const names = 'tenant VARCHAR, device VARCHAR, metric VARCHAR'
    const doubles = (list: string) => list.split(' ').map((n) => `${n} DOUBLE`).join(', ')
    expect(described).toEqual({
      readings: `${names}, ts TIMESTAMP, value DOUBLE, received_at TIMESTAMP`,
      windows: `${names}, size INTERVAL, start TIMESTAMP, count BIGINT, ${doubles('sum min max mean stddev first last p50 p95 p99')}, closed_by VARCHAR, updated_at TIMESTAMP`,
      anomalies: `${names}, ts TIMESTAMP, ${doubles('value score expected lower upper')}, reason VARCHAR, kind VARCHAR, part VARCHAR`,
      alerts: `tenant VARCHAR, id VARCHAR, rule VARCHAR, device VARCHAR, metric VARCHAR, severity VARCHAR, event VARCHAR, at TIMESTAMP, value DOUBLE, message VARCHAR, number BIGINT, person VARCHAR`,
      forecasts: `${names}, made_at TIMESTAMP, ts TIMESTAMP, ${doubles('mean lower upper')}, model VARCHAR, ${doubles('lower80 upper80 coverage error')}`,
      feedback: `${names}, ts TIMESTAMP, value DOUBLE, useful BOOLEAN, factor DOUBLE, answered_at TIMESTAMP`,
      profiles: `${names}, day TIMESTAMP, level DOUBLE, amplitude DOUBLE, cluster BIGINT, distance DOUBLE`,
      drivers: `${names}, learned_at TIMESTAMP, driver_device VARCHAR, driver_metric VARCHAR, ${doubles('effect_1h effect_6h effect_24h error_1h error_6h error_24h gain')}, hours BIGINT`,
      rejects: `tenant VARCHAR, received_at TIMESTAMP, reason VARCHAR, reading VARCHAR`,
    })
  })

  test('takes filters on series, size and start down to the segments', async () => {
    const writer = await openWriter()
    await live(writer, { steps: 12, stepMs: 20_000 })
    const plan = await withLake(dataDir, async (query) =>
      JSON.stringify(await query(`EXPLAIN SELECT * FROM windows WHERE device = 'field-1/probe-1' AND metric = 'metric_0' AND start >= TIMESTAMP '2026-01-01 00:01:00'`)),
    )
    expect(plan.slice(plan.lastIndexOf('READ_DUCKDB'))).toMatch(/device='field-1[\s\S]*start>=/)
  })

  test('of a copied lake is open.sql, from inside its folder', async () => {
    const writer = await openWriter()
    await live(writer, { steps: 12, stepMs: 20_000 })
    const copy = join(dataDir, 'elsewhere')
    await cp(lakeDir, copy, { recursive: true, filter: (path) => !path.endsWith('lock.duckdb') && !path.endsWith('.wal') })
    expect(await readFile(join(copy, 'open.sql'), 'utf8')).not.toContain(lakeDir)
    const program = `
      const { DuckDBInstance } = await import(${JSON.stringify(import.meta.resolve('@duckdb/node-api'))})
      const { readFileSync } = await import('node:fs')
      const connection = await (await DuckDBInstance.create(':memory:')).connect()
      await connection.run(readFileSync('open.sql', 'utf8'))
      console.log(Number((await connection.runAndReadAll('SELECT count(*) FROM readings')).getRowsJS()[0][0]))`
    const printed = await run(['--input-type=module', '-e', program], copy)
    const [{ n }] = await withLake(dataDir, (query) => query('SELECT count(*)::INTEGER AS n FROM readings'))
    expect(Number(printed)).toBe(n)
  })

  test('serves an analyst without an error all the while seals and merges run', async () => {
    const writer = await openWriter()
    await live(writer, { steps: 3, stepMs: 20_000 })
    const analyst = spawn(process.execPath, [new URL('../../support/analyst.ts', import.meta.url).pathname, dataDir], { stdio: ['pipe', 'pipe', 'inherit'] })
    let printed = ''
    analyst.stdout.on('data', (data) => (printed += String(data)))
    const gone = new Promise((resolve) => analyst.once('exit', resolve))
    await live(writer, { steps: 100, stepMs: 5_000, each: async () => void (await writer.upkeep(clock.now())) })
    analyst.stdin.end()
    await gone
    const told = JSON.parse(printed) as { queries: number; errors: string[] }
    expect(told.errors).toEqual([])
    expect(told.queries).toBeGreaterThan(0)
    expect(writer.status().compactions).toBeGreaterThan(5)
    expect((await readNewestManifest(lakeDir))?.version).toBe(writer.manifest.version)
  })
})

function run(args: string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
    let printed = ''
    child.stdout.on('data', (data) => (printed += String(data)))
    child.on('exit', (code) => (code === 0 ? resolve(printed) : reject(new Error(`ended with ${code}`))))
  })
}
