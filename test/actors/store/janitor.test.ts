/** The janitor on a log in memory: what it purges, and what it never does. */

import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { Janitor } from '../../../actors/store/janitor.ts'
import type { Manifest } from '../../../actors/store/manifest.ts'
import { forgetReader, listReaders, readerName, writeReader } from '../../../actors/store/readers.ts'
import type { Connection, KeyValue, ObjectStore } from '../../../runtime/log.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import { BUCKET_META, BUCKET_SNAPSHOTS, inputStream, inputSubject, RESULTS, resultsSubject, topologyOf } from '../../../runtime/topology.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { Feed, makeStreams } from './feed.ts'

const BEGIN_MS = 1_767_225_600_000
const PARTITIONS = 2
const HOUR_MS = 3_600_000
const topology = topologyOf(PARTITIONS)
const quiet = { info() {}, warn() {}, error() {} }

let clock: ManualClock
let world: MemoryWorld
let connection: Connection
let kv: KeyValue
let objects: ObjectStore
let feed: Feed
let manifest: Manifest

beforeEach(async () => {
  clock = new ManualClock({ nowMs: BEGIN_MS })
  world = new MemoryWorld({ clock })
  connection = world.connect()
  kv = await connection.kv(BUCKET_META)
  objects = await connection.objects(BUCKET_SNAPSHOTS)
  await makeStreams(connection.log, PARTITIONS)
  feed = new Feed({ log: connection.log, clock, partitions: PARTITIONS })
  await feed.begin({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 })
})

/** A manifest that covers all that is in the logs. */
async function coverAll(): Promise<void> {
  const results = await connection.log.info(RESULTS)
  const inputFrom: Record<string, { created: string; seq: number }> = {}
  const covered: Manifest['covered'] = {}
  for (let p = 0; p < PARTITIONS; p++) {
    const info = await connection.log.info(inputStream(topology, p))
    inputFrom[info.name] = { created: info.created, seq: info.lastSeq + 1 }
    Object.assign(covered, { [p]: { input: { created: info.created, seq: info.lastSeq, timeMs: 0 }, resultsSeq: (await connection.log.last(RESULTS, resultsSubject(p)))!.seq, accepted: 0, pending: 0 } })
  }
  manifest = { format: 1, version: 1, madeAt: 0, resultsCreated: results.created, resultsBase: 0, resultsFrom: results.lastSeq + 1, inputFrom, settleUntil: null, covered, segments: [], superseded: [] }
}

async function say(times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    await feed.send(Array.from({ length: 8 }, (_, i) => ({ device: `d${i}`, metric: 'm', ts: clock.now(), value: n })))
    await feed.commitAll()
    clock.stepWall(60_000)
  }
}

async function snapshotAll(): Promise<void> {
  for (let p = 0; p < PARTITIONS; p++) await feed.snapshot(p, objects)
}

const open = (keepLogMs: number) => Janitor.open({ connection, topology, clock, logger: quiet, name: 'store', manifest: () => manifest, keepLogMs })
const firstOf = (subject: string) => {
  const stream = subject.startsWith('results.') ? RESULTS : inputStream(topology, Number(subject.split('.')[1]))
  return world.messages(stream).find((m) => m.subject === subject)?.seq ?? 0
}

/** Two snapshots, with input before, between and after them, all of it in the lake. */
async function busy(): Promise<number[]> {
  await say(10)
  const older: number[] = []
  for (let p = 0; p < PARTITIONS; p++) older[p] = (await feed.snapshot(p, objects)).position.seq
  await say(10)
  await snapshotAll()
  await say(10)
  await coverAll()
  return older
}

describe('the janitor', () => {
  test('purges input below the older of two snapshots, and results that every reader has', async () => {
    const older = await busy()
    const janitor = await open(HOUR_MS)
    await janitor.purge()
    clock.stepWall(2 * HOUR_MS)
    const last = await connection.log.last(RESULTS, resultsSubject(1))
    await janitor.purge()
    for (let p = 0; p < PARTITIONS; p++) expect(firstOf(inputSubject(p))).toBe(older[p])
    expect(world.messages(RESULTS).filter((m) => m.subject === resultsSubject(1)).map((m) => m.seq)).toEqual([last!.seq])
  })

  test('keeps everything for as long as the floor says', async () => {
    await busy()
    const janitor = await open(24 * HOUR_MS)
    await janitor.purge()
    clock.stepWall(23 * HOUR_MS)
    expect(await janitor.purge()).toEqual({})
    clock.stepWall(2 * HOUR_MS)
    expect(Object.keys(await janitor.purge())).toHaveLength(2 * PARTITIONS)
  })

  test('knows the age of messages from before its own start', async () => {
    await busy()
    await (await open(HOUR_MS)).purge()
    await (await open(HOUR_MS)).register()
    const first = await open(HOUR_MS)
    await first.purge()
    await first.register()
    clock.stepWall(2 * HOUR_MS)
    expect(Object.keys(await (await open(HOUR_MS)).purge())).toHaveLength(2 * PARTITIONS)
  })

  test('never purges what a registered reader has not behind it', async () => {
    await busy()
    const janitor = await open(HOUR_MS)
    const [{ entry }] = await listReaders(kv)
    const info = await connection.log.info(inputStream(topology, 0))
    await writeReader(kv, {
      ...entry!,
      name: 'slow',
      inputFrom: { ...entry!.inputFrom, [info.name]: { created: info.created, seq: 4 } },
      covered: { ...entry!.covered, 0: { ...entry!.covered[0], seq: 3, resultsSeq: 2 } },
      resultsFrom: 3,
    })
    await janitor.purge()
    clock.stepWall(2 * HOUR_MS)
    const before = world.messages(info.name).filter((m) => m.subject === inputSubject(0) && m.seq >= 4).length
    await janitor.purge()
    expect(world.messages(info.name).filter((m) => m.subject === inputSubject(0) && m.seq >= 4)).toHaveLength(before)
    expect(firstOf(resultsSubject(0))).toBeGreaterThanOrEqual(3)
    expect(firstOf(resultsSubject(0))).toBeLessThan(10)
    await forgetReader(kv, 'slow')
    await janitor.purge()
    expect(firstOf(resultsSubject(0))).toBe((await connection.log.last(RESULTS, resultsSubject(0)))!.seq)
  })

  test('purges no input of a partition whose snapshots do not both read back whole', async () => {
    await busy()
    const last = await connection.log.last(RESULTS, resultsSubject(0))
    const { decodeJournal } = await import('../../../runtime/journal.ts')
    const [, older] = decodeJournal(last!.data).header.snapshots
    world.harmObject(BUCKET_SNAPSHOTS, older.name, 'flipped')
    const janitor = await open(HOUR_MS)
    await janitor.purge()
    clock.stepWall(2 * HOUR_MS)
    const purged = await janitor.purge()
    expect(purged[inputSubject(0)]).toBeUndefined()
    expect(purged[inputSubject(1)]).toBeGreaterThan(1)
  })

  test('takes a reader that speaks of another creation of a stream, or that can not be read, to need everything', async () => {
    await busy()
    const janitor = await open(HOUR_MS)
    await kv.set('readers.torn', new TextEncoder().encode('{"na'))
    await janitor.purge()
    clock.stepWall(2 * HOUR_MS)
    expect(await janitor.purge()).toEqual({})
    await forgetReader(kv, 'torn')
    manifest = { ...manifest, resultsCreated: 'before', inputFrom: {}, covered: {} }
    await janitor.register()
    expect(await janitor.purge()).toEqual({})
  })
})

test('two stores of one machine have names of their own, each the same at every start', () => {
  expect(readerName('', './data')).toBe(readerName('', join(process.cwd(), 'data')))
  expect(readerName('', '/one/data')).not.toBe(readerName('', '/two/data'))
  expect(readerName('', '/one/data')).toMatch(/^[A-Za-z0-9_-]+$/)
  expect(readerName('north.1', '/one/data')).toBe('north-1')
})
