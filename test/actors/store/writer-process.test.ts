/** The writer as a process, on a real log: it is killed, its parent is asked to stop, and the lake is whole. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readNewestManifest } from '../../../actors/store/manifest.ts'
import { listReaders } from '../../../actors/store/readers.ts'
import { startWriterProcess } from '../../../actors/store/writer-client.ts'
import { systemClock } from '../../../runtime/clock.ts'
import { ensureInstallation } from '../../../runtime/installation.ts'
import { BUCKET_META } from '../../../runtime/topology.ts'
import { lawBreakers, withLake } from '../../support/law.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { startTestNats } from '../../support/nats.ts'
import type { TestNats } from '../../support/nats.ts'
import { disorderedStream, Feed } from './feed.ts'

const BEGIN_MS = 1_767_225_600_000
const PARTITIONS = 4
const quiet = { info() {}, warn() {}, error() {} }

// The children say what they do on stderr.
process.env.WEIR_LOG_LEVEL = 'silent'

let nats: TestNats
let dataDir: string

beforeEach(async () => {
  nats = await startTestNats()
  dataDir = await mkdtemp(join(tmpdir(), 'weir-writer-'))
})
afterEach(async () => {
  await nats.stop()
  await rm(dataDir, { recursive: true, force: true })
})

test('a writer that is killed is started again and loses nothing; one that is stopped seals what is covered', async () => {
  const connection = await nats.connect()
  await ensureInstallation(connection, { partitions: PARTITIONS, replicas: 1, bytesMax: -1, clock: systemClock })
  const clock = new ManualClock({ nowMs: BEGIN_MS })
  const feed = new Feed({ log: connection.log, clock, partitions: PARTITIONS })
  await feed.begin({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 })
  const versions: number[] = []
  let changed: () => void = () => {}
  const seen = (version: number) => {
    versions.push(version)
    changed()
  }
  const options = { nats: nats.url, dataDir, name: 'store-1', sealIntervalMs: 100, clock: systemClock, logger: quiet }
  const writer = startWriterProcess({ ...options, onManifest: seen })
  const manifestAfter = async (n: number) => {
    while (versions.length <= n) await new Promise<void>((resolve) => (changed = resolve))
  }
  try {
    await manifestAfter(0)
    let step = 0
    for (const { nowMs, readings } of disorderedStream({ seed: 9, devices: 10, metrics: 2, stepMs: 10_000, steps: 90, disordered: 0.3, disorderMs: 60_000, doubled: 0.05 }, BEGIN_MS)) {
      clock.stepWall(nowMs - clock.now())
      await feed.send(readings)
      await feed.commitAll()
      if (++step % 30 === 0) {
        await manifestAfter(versions.length)
        process.kill(writer.pid!, 'SIGKILL')
        await manifestAfter(versions.length)
      }
    }
    await feed.quiet()
  } finally {
    // What is not read yet is sealed after the next start; the stop alone seals what is covered.
    await writer.stop()
  }
  const again = startWriterProcess({ ...options, onManifest: seen })
  const accepted = async () => Object.values((await readNewestManifest(join(dataDir, 'lake')))?.covered ?? {}).reduce((sum, c) => sum + (c.pending === 0 ? c.accepted : 0), 0)
  for (;;) {
    const before = versions.length
    if ((await accepted()) === feed.published) break
    await manifestAfter(before)
  }
  await again.stop()
  expect(again.pid).toBeNull()
  expect(await lawBreakers(dataDir)).toEqual([])
  const [{ n, d }] = await withLake(dataDir, (query) => query('SELECT count(*)::INTEGER AS n, count(DISTINCT (device, metric, ts, value))::INTEGER AS d FROM readings'))
  expect(n).toBe(d)
  expect(n).toBe(1_800)
  expect((await listReaders(await connection.kv(BUCKET_META))).map((r) => r.name)).toEqual(['store-1'])
})
