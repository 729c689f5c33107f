/**
 * `/v1/graph` over a year of one series at 10 s (3.15 million readings), in a lake with seven other series and windows of all sizes, through the real
 * app and HTTP: time to the whole answer, by range and width, and the processor time that it takes, of the asking as well. First in a lake of a file a
 * day, then in the same lake as a store leaves it, merged by 32 days. `WEIR_BENCH_LAKE` names a folder with a lake that test/bench/lake-of.ts made
 * (`--readings 20M --days 365`), since making it takes minutes; it is asked as it is.
 *
 * It does not measure fresh rows beside the lake, sealing beside the queries, nor a cold page cache: each question is asked once beforehand.
 */

import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startAnalytics } from '../../actors/analytics/start.ts'
import { readNewestManifest } from '../../actors/store/manifest.ts'
import { systemClock } from '../../runtime/clock.ts'
import { serveApp } from '../../runtime/http.ts'
import { Keyring } from '../../runtime/keys.ts'
import { MemoryWorld } from '../../runtime/memory-log.ts'
import { BUCKET_KEYS, topologyOf } from '../../runtime/topology.ts'
import { makeStreams } from '../actors/store/feed.ts'
import { quietLogger } from '../support/quiet-logger.ts'
import type { BenchRow, BenchSize } from './bench.ts'
import { makeLakeOf, mergeLake } from './lake-of.ts'
import { deviceName } from './lake-rows.ts'

const DAY_MS = 86_400_000
const RANGES = { day: DAY_MS, week: 7 * DAY_MS, month: 30 * DAY_MS, year: 365 * DAY_MS }
const WIDTHS = [800, 2_000]

export async function run({ size }: { size: BenchSize }): Promise<BenchRow[]> {
  const given = size === 'real' ? process.env.WEIR_BENCH_LAKE : undefined
  const dataDir = given ?? (await mkdtemp(join(tmpdir(), 'weir-bench-graph-')))
  try {
    const shape = size === 'real' ? { readings: 20_000_000, days: 365 } : { readings: 60_000, days: 1, endMs: Date.UTC(2026, 4, 3, 1, 2) }
    if (given === undefined) await makeLakeOf({ dir: dataDir, ...shape })
    const times = size === 'real' ? 30 : 2
    const days = await measure(dataDir, times)
    if (given !== undefined) return days
    await mergeLake(dataDir)
    return [...days, ...(await measure(dataDir, times))]
  } finally {
    if (given === undefined) await rm(dataDir, { recursive: true, force: true })
  }
}

async function measure(dataDir: string, times: number): Promise<BenchRow[]> {
  const { segments } = (await readNewestManifest(join(dataDir, 'lake')))!
  const files = `${segments.length} files`
  const endMs = Math.max(...segments.map((segment) => segment.readingsMax ?? 0))
  const connection = new MemoryWorld({ clock: systemClock }).connect()
  const topology = topologyOf(1)
  await makeStreams(connection.log, 1)
  const keyring = await Keyring.open(await connection.kv(BUCKET_KEYS), systemClock)
  const { secret } = await keyring.create({ role: 'analyst' })
  const { logger } = quietLogger()
  const analytics = await startAnalytics({ connection, topology, dataDir, keyring, membership: { view: () => [] }, clock: systemClock, logger })
  const served = await serveApp({ app: analytics.app, port: 0 })
  const rows: BenchRow[] = []
  try {
    for (const [name, lengthMs] of Object.entries(RANGES)) {
      for (const width of WIDTHS) {
        const range = `from=${endMs - lengthMs}&to=${endMs}&width=${width}&time=ms`
        const url = `${served.url}/v1/graph?device=${encodeURIComponent(deviceName(0))}&metric=soil_moisture&${range}`
        let text = ''
        const took: number[] = []
        let cpu = process.cpuUsage()
        for (let i = 0; i <= times; i++) {
          if (i === 1) cpu = process.cpuUsage()
          const begun = systemClock.monotonic()
          text = await (await fetch(url, { headers: { authorization: `Bearer ${secret}` } })).text()
          if (i > 0) took.push(systemClock.monotonic() - begun)
        }
        const used = process.cpuUsage(cpu)
        took.sort((a, b) => a - b)
        // Sums of two threads may differ in their last bits from run to run, and so do means.
        const { mean, ...made } = JSON.parse(text) as { source: string; mean?: number[] }
        if (mean === undefined || mean.length === 0) throw new Error(`Cannot measure ${url} as it must have points: ${text}`)
        const { source } = made
        const hash = createHash('sha256').update(JSON.stringify(made)).digest('hex').slice(0, 12)
        const row = (what: string, value: number) => rows.push({ name: `${files}, a ${name}, ${width} pixels, of ${source}: ${what}`, value, unit: 'ms', hash })
        row('p50', took[took.length >> 1])
        row('p99', took[Math.ceil(took.length * 0.99) - 1])
        row('processor time', (used.user + used.system) / 1_000 / times)
      }
    }
  } finally {
    await served.close({ graceMs: 0 })
    await analytics.stop()
    keyring.close()
    await connection.close()
  }
  return rows
}
