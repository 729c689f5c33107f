/** The lake's writer from logs to SQL, with real DuckDB files: the law of the lake, and that kills change nothing. */

import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LakeWriter } from '../../../actors/store/writer.ts'
import type { LakeWriterOptions } from '../../../actors/store/writer.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import type { Log } from '../../../runtime/log.ts'
import { topologyOf } from '../../../runtime/topology.ts'
import { failingDisk } from '../../support/failing-disk.ts'
import { lawBreakers, withLake } from '../../support/law.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { disorderedStream, Feed, makeStreams } from './feed.ts'
import type { StreamShape } from './feed.ts'

const BEGIN_MS = 1_767_225_600_000
const PARTITIONS = 4
const quiet = { info() {}, warn() {}, error() {} }
const SHAPE: StreamShape = { seed: 7, devices: 12, metrics: 2, stepMs: 5_000, steps: 500, disordered: 0.3, disorderMs: 120_000, doubled: 0.05 }

let dataDir: string
let clock: ManualClock
let log: Log
let world: MemoryWorld
let open: LakeWriter[]

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'weir-store-'))
  clock = new ManualClock({ nowMs: BEGIN_MS })
  world = new MemoryWorld({ clock })
  log = world.connect().log
  open = []
  await makeStreams(log, PARTITIONS)
})

afterEach(async () => {
  for (const writer of open) await writer.stop({ seal: false })
  await rm(dataDir, { recursive: true, force: true })
})

async function openWriter(options: Partial<LakeWriterOptions> = {}): Promise<LakeWriter> {
  const writer = await LakeWriter.open({ lakeDir: join(dataDir, 'lake'), log, topology: topologyOf(PARTITIONS), clock, logger: quiet, compaction: false, ...options })
  open.push(writer)
  await writer.start()
  return writer
}

async function close(writer: LakeWriter, options: { seal?: boolean } = {}): Promise<void> {
  open = open.filter((w) => w !== writer)
  await writer.stop(options)
}

/** Awaits that everything in the logs is covered by the writer's buffer or lake. */
async function caughtUp(writer: LakeWriter): Promise<void> {
  const last = Math.max(0, ...world.messages('RESULTS').map((m) => m.seq))
  while (Math.max(...writer.status().lag.map((l) => l.resultsSeq)) < last) await new Promise((resolve) => setImmediate(resolve))
}

async function feed(shape: StreamShape, each: (step: number) => Promise<void> = async () => {}): Promise<Feed> {
  const feed = new Feed({ log, clock, partitions: PARTITIONS })
  await feed.begin({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 })
  let step = 0
  for (const { nowMs, readings } of disorderedStream(shape, BEGIN_MS)) {
    clock.stepWall(nowMs - clock.now())
    for (let i = 0; i < readings.length; i += 20) await feed.send(readings.slice(i, i + 20))
    if (step % 50 === 0) await feed.reject('field-0/probe-0', 3)
    if (step % 4 === 0) await feed.commit(step % PARTITIONS, step % 8 === 0 ? 4_000 : Infinity)
    if (step % 10 === 0) await feed.commitAll()
    await each(step++)
  }
  await feed.quiet()
  return feed
}

/** All that an analyst sees, as one text; times of receipt and row order aside nothing is left out. */
async function content(): Promise<string> {
  return withLake(dataDir, async (query) => {
    const readings = await query('SELECT * FROM readings ORDER BY ALL')
    const windows = await query('SELECT * EXCLUDE (sum, mean, stddev), round(sum, 6) AS sum, round(mean, 6) AS mean, round(stddev, 6) AS stddev FROM windows ORDER BY ALL')
    const anomalies = await query('SELECT * FROM anomalies ORDER BY ALL')
    const rejects = await query('SELECT * FROM rejects ORDER BY ALL')
    return JSON.stringify([readings, windows, anomalies, rejects])
  })
}

async function ledger(writer: LakeWriter): Promise<Record<string, number>> {
  const { DuckDBInstance } = await import('@duckdb/node-api')
  const files = writer.manifest.segments.filter((s) => s.rows.ledger > 0).map((s) => `'${join(dataDir, 'lake', 'segments', s.file)}'`)
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const reader = await connection.runAndReadAll(
    `SELECT sum(accepted)::DOUBLE AS accepted, sum(rejected)::DOUBLE AS rejected, sum(on_time)::DOUBLE AS on_time, sum(late)::DOUBLE AS late, sum(duplicate)::DOUBLE AS duplicate, sum(expired)::DOUBLE AS expired FROM read_duckdb([${files.join(', ')}], table_name = 'ledger')`,
  )
  const [row] = reader.getRowObjectsJS() as Record<string, number>[]
  connection.closeSync()
  instance.closeSync()
  return row
}

describe('the lake', () => {
  test('holds each reading of a disordered, doubled, late stream once, and its windows are what GROUP BY over readings gives', async () => {
    const writer = await openWriter()
    const sent = await feed(SHAPE, async (step) => {
      if (step % 37 !== 0) return
      await caughtUp(writer)
      await writer.seal()
    })
    await caughtUp(writer)
    await writer.seal()
    expect(await lawBreakers(dataDir)).toEqual([])
    const [{ n, d }] = await withLake(dataDir, (query) => query('SELECT count(*)::INTEGER AS n, count(DISTINCT (tenant, device, metric, ts, value))::INTEGER AS d FROM readings'))
    expect(n).toBe(d)
    const counts = await ledger(writer)
    expect(counts.accepted).toBe(sent.published)
    expect(counts.rejected).toBe(sent.rejected)
    expect(counts.on_time + counts.late + counts.duplicate + counts.expired).toBe(counts.accepted)
    expect(counts.on_time + counts.late).toBe(n)
    expect(counts.late).toBeGreaterThan(1_000)
    expect(counts.duplicate).toBeGreaterThan(100)
    expect(Object.values(writer.manifest.covered).reduce((sum, c) => sum + c.pending, 0)).toBe(0)
    expect(Object.values(writer.manifest.covered).reduce((sum, c) => sum + c.accepted, 0)).toBe(sent.published)
  })

  test('shows the same rows wherever the seals fall, and wherever the writer was killed', async () => {
    await feed({ ...SHAPE, steps: 300 })
    const straight = await openWriter()
    await caughtUp(straight)
    await close(straight)
    const expected = await content()
    expect(await lawBreakers(dataDir)).toEqual([])
    await rm(join(dataDir, 'lake'), { recursive: true })

    let killed = 0
    for (let round = 0; round < 12; round++) {
      let seals = 0
      let calls = 0
      let died = false
      const writer = await openWriter({
        sealRowsMax: 300 + 30 * round,
        disk: failingDisk((operation, path, moment) => {
          if (operation === 'makeReadOnly' && path.includes('/tmp/l0-') && moment === 'before') seals++
          if (seals > round % 3 && ++calls > round * 3) throw new Error(`killed ${moment} ${operation} of ${path}`)
        }),
        onFailure: () => (died = true),
      })
      const last = Math.max(...world.messages('RESULTS').map((m) => m.seq))
      while (!died && Math.max(...writer.status().lag.map((l) => l.resultsSeq)) < last) await new Promise((resolve) => setImmediate(resolve))
      await close(writer, { seal: false })
      if (died) killed++
    }
    expect(killed).toBeGreaterThan(8)
    const writer = await openWriter()
    await caughtUp(writer)
    await writer.seal()
    expect(await lawBreakers(dataDir)).toEqual([])
    expect(await content()).toBe(expected)
  })

  test('has a row for an open window that only late readings entered, which its actor knows nothing of', async () => {
    const writer = await openWriter()
    const sent = new Feed({ log, clock, partitions: PARTITIONS })
    await sent.begin({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 })
    const say = async (minute: number, seconds: number, value: number) => {
      const ts = BEGIN_MS + minute * 60_000 + seconds * 1_000
      clock.stepWall(Math.max(0, ts - clock.now()))
      await sent.send([{ device: 'probe', metric: 'm', ts, value }])
      await sent.commitAll()
    }
    const lawful = async () => {
      await sent.quiet()
      await caughtUp(writer)
      await writer.seal()
      expect(await lawBreakers(dataDir)).toEqual([])
    }
    await say(59, 58, 1)
    // The next one on time is so far on that the quarter from 60 to 75 is still open, and holds nothing on time.
    await say(75, 3, 2)
    await say(62, 0, 3)
    await lawful()
    await say(63, 0, 4)
    await say(63, 0, 4)
    await lawful()
    await say(140, 0, 5)
    await lawful()
    await say(64, 0, 6)
    await lawful()
  })

  test('goes on when the log was made anew: nothing is doubled, and windows across the break hold both sides', async () => {
    const writer = await openWriter()
    await feed({ ...SHAPE, steps: 150 })
    await caughtUp(writer)
    await close(writer)
    const versions = async () => withLake(dataDir, (query) => query("SELECT count(*)::INTEGER AS n, max(start) FILTER (size = INTERVAL 1 DAY) AS day FROM windows"))
    const [before] = await versions()
    for (const name of ['READINGS_0', 'READINGS_1', 'READINGS_2', 'READINGS_3', 'RESULTS']) world.recreateStream(name)
    // The same stream again, and more of it: the first part is in the lake, but the new actors know nothing of that.
    await feed({ ...SHAPE, steps: 200 })
    const after = await openWriter()
    await caughtUp(after)
    await after.seal()
    expect(after.manifest.resultsBase).toBeGreaterThan(0)
    expect(await lawBreakers(dataDir)).toEqual([])
    const [{ n, d }] = await withLake(dataDir, (query) => query('SELECT count(*)::INTEGER AS n, count(DISTINCT (tenant, device, metric, ts, value))::INTEGER AS d FROM readings'))
    expect(n).toBe(d)
    expect(Number((await versions())[0].n)).toBeGreaterThan(Number(before.n))
    await close(after)
    const again = await openWriter()
    await feed({ ...SHAPE, seed: 8, steps: 20 })
    await caughtUp(again)
    await again.seal()
    expect(await lawBreakers(dataDir)).toEqual([])
  })

  test('computes a window that an earlier generation filled at each late reading, since the new actors know nothing of it', async () => {
    const sent = new Feed({ log, clock, partitions: PARTITIONS })
    const settings = { latenessMs: 20 * 60_000, idleMs: 60_000, retentionMs: 0 }
    const say = async (minute: number, value: number) => {
      const ts = BEGIN_MS + minute * 60_000
      clock.stepWall(Math.max(0, ts - clock.now()))
      await sent.send([{ device: 'probe', metric: 'm', ts, value }])
      await sent.commitAll()
    }
    const writer = await openWriter()
    await sent.begin(settings)
    await say(55, 1)
    await sent.quiet()
    await caughtUp(writer)
    await close(writer)
    for (const name of ['READINGS_0', 'READINGS_1', 'READINGS_2', 'READINGS_3', 'RESULTS']) world.recreateStream(name)
    const after = await openWriter()
    await sent.begin(settings)
    // Closed until minute 50: the first hour is open, and to these actors empty.
    await say(70, 2)
    for (const [minute, value] of [[5, 3], [6, 4]]) {
      await say(minute, value)
      await caughtUp(after)
      await after.seal()
    }
    await sent.quiet()
    await caughtUp(after)
    await after.seal()
    expect(await lawBreakers(dataDir)).toEqual([])
  })

  test('is made of files that no one can write, and of one catalog', async () => {
    const writer = await openWriter()
    await feed({ ...SHAPE, steps: 20 })
    await caughtUp(writer)
    await writer.seal()
    for (const { file, bytes } of writer.manifest.segments) {
      const found = await stat(join(dataDir, 'lake', 'segments', file))
      expect(found.mode & 0o777).toBe(0o444)
      expect(found.size).toBe(bytes)
    }
    expect((await stat(join(dataDir, 'lake', 'weir.duckdb'))).mode & 0o777).toBe(0o444)
  })
})
