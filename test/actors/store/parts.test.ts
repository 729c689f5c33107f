/** Kept views in the lake: what an analyst reads of one is what its SELECT gives, while its parts are made, merged, lost and swept. */

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { copyLake } from '../../../cmd/lake.ts'
import { makePartsAside } from '../../../actors/store/compaction-client.ts'
import { writeParts } from '../../../actors/store/duckdb-parts.ts'
import { filesOf, segmentsDir } from '../../../actors/store/manifest.ts'
import { withWholeParts } from '../../../actors/store/parts.ts'
import { LakeWriter } from '../../../actors/store/writer.ts'
import type { LakeWriterOptions } from '../../../actors/store/writer.ts'
import { compileView } from '../../../actors/view/compile.ts'
import { emptyDatabase } from '../../../actors/view/database.ts'
import type { SqlDatabase } from '../../../actors/view/database.ts'
import { viewId } from '../../../actors/view/kept.ts'
import type { KeptView, KeptViews } from '../../../actors/view/kept.ts'
import type { Log } from '../../../runtime/log.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import { topologyOf } from '../../../runtime/topology.ts'
import { withLake } from '../../support/law.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { sameRows } from '../../support/same-rows.ts'
import { disorderedStream, Feed, makeStreams, TENANT } from './feed.ts'

const BEGIN_MS = 1_767_225_600_000
const PARTITIONS = 2
const DAY_MS = 86_400_000
const quiet = { info() {}, warn() {}, error() {} }

let instance: DuckDBInstance
let compiler: SqlDatabase
let dataDir: string
let lakeDir: string
let clock: ManualClock
let world: MemoryWorld
let log: Log
let feed: Feed
let open: LakeWriter[]
let views: KeptViews

beforeAll(async () => {
  instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  compiler = await emptyDatabase(await instance.connect())
})
afterAll(() => instance.closeSync())

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'weir-parts-'))
  lakeDir = join(dataDir, 'lake')
  clock = new ManualClock({ nowMs: BEGIN_MS })
  world = new MemoryWorld({ clock })
  log = world.connect().log
  open = []
  views = {}
  await makeStreams(log, PARTITIONS)
  feed = new Feed({ log, clock, partitions: PARTITIONS })
  await feed.begin({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 })
})

afterEach(async () => {
  for (const writer of open) await writer.stop({ seal: false })
  await rm(dataDir, { recursive: true, force: true })
})

async function kept(sql: string, tenant = TENANT): Promise<KeptView> {
  const connection = await instance.connect()
  const [[tree]] = (await connection.runAndReadAll('SELECT json_serialize_sql($1::VARCHAR)', [sql])).getRows()
  connection.closeSync()
  return compileView(tenant, String(tree), sql, compiler)
}

async function openWriter(options: Partial<LakeWriterOptions> = {}): Promise<LakeWriter> {
  const writer = await LakeWriter.open({ lakeDir, log, topology: topologyOf(PARTITIONS), clock, logger: quiet, compaction: false, views: () => views, ...options })
  open.push(writer)
  await writer.start()
  return writer
}

async function seal(writer: LakeWriter): Promise<void> {
  const last = Math.max(0, ...world.messages('RESULTS').map((m) => m.seq))
  while (Math.max(...writer.status().lag.map((l) => l.resultsSeq)) < last) await new Promise((resolve) => setImmediate(resolve))
  await writer.seal()
}

const batches = disorderedStream({ seed: 5, devices: 6, metrics: 2, stepMs: 20_000, steps: 400, disordered: 0.3, disorderMs: 80_000, doubled: 0.05 }, BEGIN_MS)
/** Merges and makes parts until nothing is due. */
async function rest(writer: LakeWriter): Promise<void> {
  while ((await writer.upkeep(clock.now())) || (await writer.keepViews(clock.now())));
}

async function live(writer: LakeWriter, steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) {
    const { nowMs, readings } = batches.next().value!
    clock.stepWall(Math.max(0, nowMs - clock.now()))
    await feed.send(readings)
    await feed.commitAll()
    if (step % 3 === 0) await seal(writer)
  }
  await seal(writer)
}

const SELECTS = {
  hourly: "SELECT device, metric, time_bucket(INTERVAL '5 minutes', ts) AS bucket, count(*) AS n, avg(value) AS mean, stddev(value) AS spread, arg_max(value, (ts, value)) AS newest FROM readings GROUP BY ALL HAVING count(*) > 1",
  hopping: "SELECT metric, window_start, window_end, sum(value) FILTER (WHERE value > 0) AS wet, count(*) AS n FROM readings_hopping(INTERVAL '2 minutes', INTERVAL '6 minutes') GROUP BY ALL",
  sessions: "SELECT device, metric, session_start, session_end, count(*) AS n, max(value) AS top FROM readings_sessions(INTERVAL '45 seconds') WHERE value > 0 GROUP BY ALL",
  total: 'SELECT count(*) AS n, min(ts) AS since FROM readings',
}

async function allKept(): Promise<KeptViews> {
  const of: Record<string, KeptView> = {}
  for (const [name, sql] of Object.entries(SELECTS)) of[name] = await kept(sql)
  return { [TENANT]: of }
}

/** Each view, as it stands in weir.duckdb, holds what its SELECT gives there. */
async function expectTrue(names: readonly string[] = Object.keys(SELECTS)): Promise<void> {
  await withLake(dataDir, async (query) => {
    for (const name of names) {
      const sql = SELECTS[name as keyof typeof SELECTS]
      const rows = async (of: string) => (await query(of)).map((row) => Object.values(row as object))
      const want = await rows(sql)
      expect(want.length).toBeGreaterThan(0)
      expect(sameRows(await rows(`SELECT * FROM ${name}`), want), name).toBeNull()
    }
  })
}

const covered = ({ manifest }: LakeWriter) => manifest.segments.filter((s) => s.parts !== undefined).length

describe('a kept view in the lake', () => {
  test('holds what its SELECT gives from its first moment, while its parts are made, and when all are', async () => {
    const writer = await openWriter()
    await live(writer, 20)
    clock.stepWall(120_000)
    await rest(writer)
    views = await allKept()
    await live(writer, 10)
    await writer.upkeep(clock.now())
    await expectTrue()
    await live(writer, 20)
    clock.stepWall(600_000)
    await writer.upkeep(clock.now())
    await expectTrue()
    await rest(writer)
    expect(covered(writer)).toBe(writer.manifest.segments.length)
    await expectTrue()
    clock.stepWall(2 * DAY_MS)
    await rest(writer)
    expect(writer.manifest.segments).toHaveLength(1)
    expect(covered(writer)).toBe(1)
    await expectTrue()
  })

  test('whose parts a merged segment takes over is read of them at once, and of one file later; not so where something was dropped', async () => {
    views = await allKept()
    const writer = await openWriter({ retentionMs: 0 })
    for (let minute = 0; minute < 3; minute++) {
      await live(writer, 12)
      clock.stepWall(180_000)
      while (await writer.upkeep(clock.now()));
      while (await writer.keepViews(clock.now()));
    }
    clock.stepWall(2 * DAY_MS)
    while (await writer.upkeep(clock.now()));
    const [merged] = writer.manifest.segments
    expect(merged.parts!.length).toBeGreaterThan(1)
    await expectTrue()
    // One of several that is lost takes the others with it.
    await writer.stop()
    const without = await withWholeParts(lakeDir, { ...writer.manifest, segments: [{ ...merged, parts: [{ ...merged.parts![0], bytes: 1 }, ...merged.parts!.slice(1)] }] })
    expect(without.segments[0].parts).toBeUndefined()
    const again = await openWriter()
    while (await again.keepViews(clock.now()));
    expect(again.manifest.segments[0].parts).toHaveLength(1)
    await expectTrue()
    await again.stop()
    const dropping = await openWriter({ retentionMs: DAY_MS })
    await feed.send([{ device: 'new', metric: 'm', ts: clock.now(), value: 1 }])
    await feed.quiet()
    await seal(dropping)
    while (await dropping.upkeep(clock.now()));
    await withLake(dataDir, async (query) => {
      expect(await query('SELECT DISTINCT device FROM readings')).toEqual([{ device: 'new' }])
      expect(await query('SELECT n::INT AS n FROM total')).toEqual(await query('SELECT count(*)::INT AS n FROM readings'))
    })
  })

  test('is made by another process, and goes on after late and doubled readings', async () => {
    views = await allKept()
    const writer = await openWriter({ parts: makePartsAside })
    await live(writer, 12)
    clock.stepWall(300_000)
    await rest(writer)
    expect(covered(writer)).toBe(writer.manifest.segments.length)
    const late = Array.from({ length: 40 }, (_, i) => ({ device: 'field-1/probe-1', metric: 'metric_0', ts: BEGIN_MS + i * 7_000, value: i % 5 }))
    await feed.send([...late, ...late.slice(0, 10)])
    await feed.quiet()
    await seal(writer)
    await expectTrue()
  })

  test('whose parts were lost is made again, and a file that nobody names is swept', async () => {
    views = await allKept()
    const first = await openWriter({ keepSupersededMs: 1_000 })
    await live(first, 18)
    clock.stepWall(300_000)
    await rest(first)
    const [lost] = first.manifest.segments.flatMap((s) => s.parts ?? [])
    await first.stop()
    await rm(join(segmentsDir(lakeDir), lost.file), { force: true })
    const writer = await openWriter({ keepSupersededMs: 1_000 })
    await expectTrue()
    const before = covered(writer)
    await writer.keepViews(clock.now())
    expect(covered(writer)).toBeGreaterThan(before)
    await expectTrue()
    views = { [TENANT]: { total: views[TENANT].total } }
    await writer.upkeep(clock.now())
    views = {}
    await writer.upkeep(clock.now())
    expect(covered(writer)).toBe(0)
    for (let n = 0; n < 4; n++) {
      clock.stepWall(2_000)
      await feed.send([{ device: 'd', metric: 'm', ts: clock.now(), value: n }])
      await feed.commitAll()
      await seal(writer)
    }
    await writer.upkeep(clock.now())
    const named = new Set([...writer.manifest.segments.flatMap(filesOf), ...writer.manifest.superseded.map((s) => s.file)])
    expect((await readdir(segmentsDir(lakeDir))).filter((file) => !named.has(file))).toEqual([])
    expect((await readdir(segmentsDir(lakeDir))).filter((file) => file.startsWith('p'))).toEqual([])
  })

  test('that can not be computed says so, is not tried again, and harms no other', async () => {
    const failing = await kept('SELECT device, max(metric::DOUBLE) AS m FROM readings GROUP BY device')
    views = { [TENANT]: { ...(await allKept())[TENANT], failing } }
    const writer = await openWriter()
    await live(writer, 20)
    clock.stepWall(300_000)
    await rest(writer)
    expect(writer.manifest.segments.map(({ failed }) => failed?.[failing.id])).toEqual(writer.manifest.segments.map(() => 'A value could not be converted to the type asked for. TRY_CAST gives NULL in its place.'))
    expect(await writer.keepViews(clock.now())).toBe(false)
    await expectTrue()
  })

  test('is of its tenant: others see nothing of it, and a name that two have given is nobody\'s', async () => {
    const sql = 'SELECT device, count(*) AS n FROM readings GROUP BY device'
    const [mine, theirs] = [await kept(sql), await kept(sql, 'other')]
    expect(theirs.id).not.toBe(mine.id)
    views = { [TENANT]: { mine, both: mine }, other: { theirs, both: theirs } }
    const writer = await openWriter()
    await live(writer, 20)
    clock.stepWall(300_000)
    await rest(writer)
    await withLake(dataDir, async (query) => {
      expect((await query('SELECT * FROM mine')).length).toBeGreaterThan(0)
      expect(await query('SELECT * FROM theirs')).toEqual([])
      await expect(query('SELECT * FROM both')).rejects.toThrow(/both/)
    })
    expect(viewId('other', mine.partial)).toBe(theirs.id)
  })

  test('goes with a copied lake', async () => {
    views = await allKept()
    const writer = await openWriter()
    await live(writer, 20)
    clock.stepWall(300_000)
    await rest(writer)
    const copy = join(dataDir, 'copy')
    await copyLake(lakeDir, copy)
    const copied = await DuckDBInstance.create(':memory:')
    const connection = await copied.connect()
    await connection.run((await readFile(join(copy, 'open.sql'), 'utf8')).replaceAll("'segments/", `'${copy}/segments/`))
    await rm(segmentsDir(lakeDir), { recursive: true })
    const rows = async (sql: string) => (await connection.runAndReadAll(sql)).getRows()
    for (const [name, sql] of Object.entries(SELECTS)) expect(sameRows(await rows(`SELECT * FROM ${name}`), await rows(sql)), name).toBeNull()
    copied.closeSync()
  })

  test('has the same parts however small the slices are that they are made of', async () => {
    views = await allKept()
    const writer = await openWriter({ parts: undefined })
    await live(writer, 30)
    clock.stepWall(2 * DAY_MS)
    await rest(writer)
    const [segment] = writer.manifest.segments
    const { parts: _, ...plain } = segment
    const path = join(lakeDir, 'tmp', 'sliced.duckdb')
    const { rows, failed } = await writeParts({ lakeDir, file: 'sliced.duckdb', segment: plain, views: Object.values(views[TENANT]).map((view) => ({ tenant: TENANT, view })) }, path, undefined, { sliceRows: 100 })
    expect(failed).toEqual({})
    const whole = segment.parts![0].rows
    // What stands across slices has a row in each.
    for (const id of Object.keys(whole)) expect(rows[id]).toBeGreaterThanOrEqual(whole[id])
    expect(rows[views[TENANT].hourly.id]).toBe(whole[views[TENANT].hourly.id])
    expect(rows[views[TENANT].total.id]).toBeGreaterThan(1)
  })
})
