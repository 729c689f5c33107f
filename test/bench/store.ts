/**
 * The store alone: covered commits in, sealed segments out. Rows a second and processor time a reading, decoding of both logs, settling of
 * old readings, sorting, segments, manifests and catalogs included; and bytes a reading in the lake, fresh and merged.
 *
 * The logs are in memory and were filled beforehand by the real partition actor. It does not measure NATS, nor queries beside it. A seal
 * holds 300,000 rows, as one does that comes every 2 s at 150,000 readings/s.
 */

import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { compact } from '../../actors/store/compaction.ts'
import { duckdbShelf } from '../../actors/store/duckdb-shelf.ts'
import { segmentName } from '../../actors/store/segment.ts'
import { LakeWriter } from '../../actors/store/writer.ts'
import { systemClock } from '../../runtime/clock.ts'
import { MemoryWorld } from '../../runtime/memory-log.ts'
import { topologyOf } from '../../runtime/topology.ts'
import { disorderedStream, Feed, makeStreams } from '../actors/store/feed.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { printRows } from './bench.ts'
import type { BenchRow } from './bench.ts'

const BEGIN_MS = Date.UTC(2026, 0, 1)
const PARTITIONS = 16
const SEAL_ROWS = 300_000

const SHAPES = [
  { name: 'on time', disordered: 0, doubled: 0 },
  { name: '30 % disordered by up to 20 s, 2 % doubled', disordered: 0.3, doubled: 0.02 },
]

/** Readings of 2,000 series at 10 s, sent in blocks of a few hundred. */
export async function run({ size }: { size: 'smoke' | 'real' }): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  const steps = size === 'smoke' ? 10 : 300
  for (const shape of SHAPES) {
    const clock = new ManualClock({ nowMs: BEGIN_MS })
    const world = new MemoryWorld({ clock })
    const { log } = world.connect()
    await makeStreams(log, PARTITIONS)
    const feed = new Feed({ log, clock, partitions: PARTITIONS })
    await feed.begin({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 })
    const stream = disorderedStream({ seed: 3, devices: 1_000, metrics: 2, stepMs: 10_000, steps, disordered: shape.disordered, disorderMs: 20_000, doubled: shape.doubled }, BEGIN_MS)
    for (const { nowMs, readings } of stream) {
      clock.stepWall(nowMs - clock.now())
      await feed.send(readings)
      await feed.commitAll()
    }
    await feed.quiet()
    const dataDir = await mkdtemp(join(tmpdir(), 'weir-bench-store-'))
    try {
      rows.push(...(await measure(`${shape.name}`, { dataDir, world, feed })))
    } finally {
      await rm(dataDir, { recursive: true, force: true })
    }
  }
  return rows
}

async function measure(name: string, { dataDir, world, feed }: { dataDir: string; world: MemoryWorld; feed: Feed }): Promise<BenchRow[]> {
  const quiet = { info() {}, warn() {}, error: console.error }
  const lakeDir = join(dataDir, 'lake')
  const last = Math.max(...world.messages('RESULTS').map((m) => m.seq))
  const writer = await LakeWriter.open({
    lakeDir,
    log: world.connect().log,
    topology: topologyOf(PARTITIONS),
    clock: systemClock,
    logger: quiet,
    sealIntervalMs: 3_600_000,
    sealRowsMax: SEAL_ROWS,
    compaction: false,
  })
  const cpu = process.cpuUsage()
  const begun = performance.now()
  await writer.start()
  while (Math.max(...writer.status().lag.map((l) => l.resultsSeq)) < last) await systemClock.sleep(5)
  await writer.seal()
  const seconds = (performance.now() - begun) / 1_000
  const used = process.cpuUsage(cpu)
  const { segments } = writer.manifest
  const readings = segments.reduce((sum, s) => sum + s.rows.readings, 0)
  const fresh = segments.reduce((sum, s) => sum + s.bytes, 0)
  const mergedCpu = process.cpuUsage()
  const merged = await compact({ lakeDir, level: 3, file: segmentName(3, systemClock), inputs: segments, dropBeforeMs: null }, { shelf: duckdbShelf })
  const mergeUsed = process.cpuUsage(mergedCpu)
  const { sealMs } = writer.status()
  await writer.stop()
  const hash = createHash('sha256')
    .update(JSON.stringify([readings, merged.rows]))
    .digest('hex')
    .slice(0, 12)
  const row = (what: string, value: number, unit: string): BenchRow => ({ name: `${name}: ${what}`, value, unit, hash })
  return [
    row('sealed', feed.published / seconds, 'readings/s'),
    row('processor time of sealing', (used.user + used.system) / feed.published, 'µs/reading'),
    row('newest seal', sealMs, 'ms'),
    row('lake, fresh', fresh / readings, 'bytes/reading'),
    row('lake, merged', merged.bytes / readings, 'bytes/reading'),
    row('processor time of one merge', (mergeUsed.user + mergeUsed.system) / readings, 'µs/reading'),
  ]
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  printRows(await run({ size: process.argv.includes('--smoke') ? 'smoke' : 'real' }))
  process.exit(0)
}
