/** Analytics over a lake that the store's own writer fills, from logs that the real actors wrote: a disordered, doubled, late stream. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startAnalytics } from '../../../../actors/analytics/start.ts'
import type { Analytics } from '../../../../actors/analytics/start.ts'
import { LakeWriter } from '../../../../actors/store/writer.ts'
import { systemClock } from '../../../../runtime/clock.ts'
import { Keyring } from '../../../../runtime/keys.ts'
import { MemoryWorld } from '../../../../runtime/memory-log.ts'
import { BUCKET_KEYS, topologyOf } from '../../../../runtime/topology.ts'
import { withLake } from '../../../support/law.ts'
import { ManualClock } from '../../../support/manual-clock.ts'
import { Feed, disorderedStream, makeStreams } from '../../store/feed.ts'
import { until } from '../house.ts'

const BEGIN_MS = 1_767_225_600_000
const PARTITIONS = 4
const SHAPE = { seed: 11, devices: 8, metrics: 2, stepMs: 5_000, steps: 240, disordered: 0.3, disorderMs: 120_000, doubled: 0.05 }
const quiet = { info() {}, warn() {}, error() {} }

let dataDir: string
let clock: ManualClock
let world: MemoryWorld
let keyring: Keyring
let key: string
let writer: LakeWriter
let analytics: Analytics

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'weir-analytics-'))
  clock = new ManualClock({ nowMs: BEGIN_MS })
  world = new MemoryWorld({ clock })
  const connection = world.connect()
  await makeStreams(connection.log, PARTITIONS)
  keyring = await Keyring.open(await connection.kv(BUCKET_KEYS), systemClock)
  key = (await keyring.create({ role: 'analyst' })).secret
  const topology = topologyOf(PARTITIONS)
  writer = await LakeWriter.open({
    lakeDir: join(dataDir, 'lake'),
    log: world.connect().log,
    topology,
    clock,
    logger: quiet,
    compaction: false,
    onManifest: (manifest) => void analytics.onManifest(manifest),
  })
  analytics = await startAnalytics({ connection, topology, dataDir, keyring, membership: { view: () => [] }, clock: systemClock, logger: quiet })
  await writer.start()
})

afterEach(async () => {
  await writer.stop({ seal: false })
  await analytics.stop()
  keyring.close()
  await rm(dataDir, { recursive: true, force: true })
})

async function get(path: string): Promise<any> {
  const answer = await analytics.app.request(path, { headers: { authorization: `Bearer ${key}` } })
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  return answer.json()
}

async function whole(path: string, name: string, limit: number): Promise<any[]> {
  const rows: any[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: any = await get(`${path}${path.includes('?') ? '&' : '?'}time=ms&limit=${limit}&cursor=${cursor}`)
    rows.push(...page[name])
    cursor = page.cursor
  }
  return rows
}

const written = (row: any) => `${row.device} ${row.metric} ${row.ts} ${row.value}`

describe('over a disordered, doubled and late stream', () => {
  it('what the API shows is always free of duplicates, and in the end equals the lake', async () => {
    const feed = new Feed({ log: world.connect().log, clock, partitions: PARTITIONS })
    await feed.begin({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 })
    let step = 0
    for (const { nowMs, readings } of disorderedStream(SHAPE, BEGIN_MS)) {
      clock.stepWall(nowMs - clock.now())
      await feed.send(readings)
      if (step % 50 === 0) await feed.reject('field-0/probe-0', 3)
      if (step % 3 === 0) await feed.commitAll()
      if (step % 40 === 39) await writer.seal()
      if (step % 60 === 59) {
        const shown = await whole('/v1/readings', 'readings', 700)
        expect(new Set(shown.map(written)).size).toBe(shown.length)
        const starts = (await whole('/v1/windows', 'windows', 150)).map((w) => `${w.device} ${w.metric} ${w.start}`)
        expect(new Set(starts).size).toBe(starts.length)
        const { received, accepted, rejected, onTime, late, duplicate, expired } = await get('/v1/ledger')
        expect([received, accepted]).toEqual([accepted + rejected, onTime + late + duplicate + expired])
      }
      step++
    }
    await feed.quiet()
    await until('all is sealed', async () => {
      await writer.seal()
      return (await get('/v1/status')).settled
    })

    const status = await get('/v1/status')
    expect([status.accepted, status.processed, status.sealed]).toEqual([feed.published, feed.published, feed.published])
    const shown = await whole('/v1/readings', 'readings', 1_000)
    const windows = await whole('/v1/windows', 'windows', 300)
    await withLake(dataDir, async (query) => {
      const inLake = await query('SELECT device, metric, epoch_ms(ts)::DOUBLE AS ts, value FROM readings ORDER BY ts, device, metric, value')
      expect(shown.map(written)).toEqual(inLake.map(written))
      const counted = await query(
        `SELECT device, metric, count(*)::DOUBLE AS count, epoch_ms(min(ts))::DOUBLE AS first, epoch_ms(max(ts))::DOUBLE AS last, arg_max(value, (ts, value)) AS value
         FROM readings GROUP BY ALL ORDER BY device, metric`,
      )
      expect(await whole('/v1/series', 'series', 5)).toEqual(counted)
      const law = await query(
        `SELECT device, metric, epoch_ms(time_bucket(INTERVAL 1 MINUTE, ts))::DOUBLE AS start, count(*)::DOUBLE AS count, min(value) AS min, max(value) AS max,
         arg_min(value, (ts, value)) AS first, arg_max(value, (ts, value)) AS last FROM readings GROUP BY ALL ORDER BY device, metric, start`,
      )
      expect(windows.map(({ device, metric, start, count, min, max, first, last }) => ({ device, metric, start, count, min, max, first, last }))).toEqual(law)
    })
    const ledger = await get('/v1/ledger')
    expect(ledger).toMatchObject({ accepted: feed.published, rejected: feed.rejected, expired: 0 })
    expect(ledger.onTime + ledger.late).toBe(shown.length)
  })
})
