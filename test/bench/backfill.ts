/**
 * History of living series, loaded by `weir backfill` beside a live load: how fast it goes, what it does to live readings, and how far it throws the
 * store back, which settles every row of it.
 *
 * `WEIR_BENCH_ROWS` chooses how many rows, of 5,000 series, a minute apart. Everything runs on the same cores, the reading of the file included.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { lawBreakers, withLake } from '../support/law.ts'
import { ADMIN_KEY, eventually, startSystem } from '../support/system.ts'
import type { System } from '../support/system.ts'
import type { Bench, BenchRow } from './bench.ts'
import { load } from './load-client.ts'
import { percentile, probe } from './probe.ts'

const DEVICES = 5_000
const PER_GATEWAY = 50
const LIVE_RATE = 2_000
const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

/** A Parquet file of so many rows, in order of time, of the devices that the load generator has. */
async function writeHistory(path: string, rows: number, fromMs: number): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  await connection.run(
    `COPY (SELECT format('gateway-{}/probe-{}', i % ${DEVICES} // ${PER_GATEWAY}, i % ${DEVICES}) AS device, 'soil_moisture' AS metric,
       make_timestamp((${fromMs} + i // ${DEVICES} * ${MINUTE_MS}) * 1000) AS ts, round(20 + 3 * sin(i / 5000.0) + (i * 7919) % 1000 / 2000.0, 2) AS value
     FROM range(${rows}) t(i)) TO '${path}' (FORMAT parquet)`,
  )
  connection.closeSync()
  instance.closeSync()
}

interface Status {
  accepted: number
  sealed: number
}

/** Live readings go on until `until` resolves; gives answers and events of a probe meanwhile. */
async function beside(system: System, device: string, until: Promise<unknown>): Promise<{ answerMs: number[]; liveMs: number[] }> {
  const answerMs: number[] = []
  const liveMs: number[] = []
  let ended = false
  void until.finally(() => (ended = true)).catch(() => {})
  while (!ended) {
    const seconds = 5
    const loading = load(system.url, { kind: 'columns', seconds, connections: 2, rate: LIVE_RATE })
    const probed = await probe(system, { device, seconds: seconds - 1 })
    answerMs.push(...probed.answerMs)
    liveMs.push(...probed.liveMs)
    await loading
  }
  return { answerMs: answerMs.sort((a, b) => a - b), liveMs: liveMs.sort((a, b) => a - b) }
}

export const run: Bench = async ({ size }) => {
  const rows = Number(process.env.WEIR_BENCH_ROWS ?? (size === 'real' ? 10_000_000 : 50_000))
  const dir = await mkdtemp(join(tmpdir(), 'weir-bench-backfill-'))
  const system = await startSystem()
  const figures: BenchRow[] = []
  try {
    const path = join(dir, 'history.parquet')
    const fromMs = Math.floor(Date.now() / DAY_MS) * DAY_MS - 10 * DAY_MS
    await writeHistory(path, rows, fromMs)
    // Every series of the history lives before it comes.
    await load(system.url, { kind: 'columns', seconds: 5, connections: 4, rate: 20_000 })
    const without = await beside(system, 'probe/without', new Promise((resolve) => setTimeout(resolve, size === 'real' ? 15_000 : 1_000)))

    const begun = performance.now()
    const seconds = () => (performance.now() - begun) / 1_000
    const child = spawn(process.execPath, [join(import.meta.dirname, '..', '..', 'cmd', 'backfill.ts'), path, '--url', system.url, '--key', ADMIN_KEY], { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (chunk) => (said += String(chunk)))
    const sent = once(child, 'close').then(([code]) => {
      if (code !== 0) throw new Error(`weir backfill ended with ${code}: ${said}`)
      return seconds()
    })
    let behind = 0
    let isSent = false
    const watching = (async () => {
      while (!isSent) {
        const status = await system.get<Status>('/v1/status').catch(() => null)
        if (status !== null) behind = Math.max(behind, status.accepted - status.sealed)
        await new Promise((resolve) => setTimeout(resolve, 500))
      }
    })()
    const during = await beside(system, 'probe/during', sent)
    const sentS = await sent
    isSent = true
    await watching
    const sealedS = await eventually('all of it is sealed', async () => {
      const status = await system.get<Status>('/v1/status').catch(() => null)
      return status !== null && status.accepted === status.sealed ? seconds() : null
    }, 60_000 + rows / 10)
    const [lake] = await withLake(system.dataDir, (query) => query(`SELECT count(*)::DOUBLE AS n, bit_xor(hash(device, ts, value))::VARCHAR AS hash FROM readings WHERE ts < make_timestamp(${fromMs + 9 * DAY_MS} * 1000)`))
    const hash = String(lake.hash).slice(0, 12)
    const row = (name: string, value: number, unit: string) => void figures.push({ name, value, unit, hash })
    row('history in the lake', Number(lake.n), 'readings')
    row('sent', rows / sentS, 'rows/s')
    row('sealed', rows / sealedS, 'rows/s')
    row('behind at most', behind, 'readings')
    for (const [name, of] of [['without it', without], ['beside it', during]] as const) {
      for (const q of [0.5, 0.99]) {
        row(`live, ${name}: POST to 202, p${q * 100}`, percentile(of.answerMs, q), 'ms')
        row(`live, ${name}: POST to event, p${q * 100}`, percentile(of.liveMs, q), 'ms')
      }
    }
    if (size === 'smoke') row('windows that break the law', (await lawBreakers(system.dataDir)).filter((w) => String(w.device).startsWith('gateway') && String(w.start) < new Date(fromMs + 9 * DAY_MS).toISOString()).length, 'windows')
    return figures
  } finally {
    await system.remove()
    await rm(dir, { recursive: true, force: true })
  }
}
