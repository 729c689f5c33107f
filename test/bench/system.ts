/**
 * The whole system on this machine: nats-server, edge, two workers, store and its writer, and the load generator beside them on the
 * same cores. Figures are what a user of one such machine gets; they do not say what separate machines give.
 *
 * - end to end: acknowledged readings over the time from the first POST until all of them are in sealed segments
 * - acknowledged: the same readings over the time of posting alone
 */

import { createHash } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { withLake } from '../support/law.ts'
import { descendants, eventually, startSystem } from '../support/system.ts'
import type { System } from '../support/system.ts'
import type { Bench, BenchRow } from './bench.ts'
import { load } from './load-client.ts'
import { percentile, probe } from './probe.ts'
import { cpuSecondsOf } from './watch.ts'

interface Status {
  accepted: number
  processed: number
  sealed: number
  partitions: { partition: number; owner: string; epoch: number }[]
}

function sealedUpTo(system: System, timeoutMs = 180_000): Promise<Status> {
  return eventually('everything accepted is sealed', async () => {
    const status = await system.get<Status>('/v1/status').catch(() => null)
    return status !== null && status.accepted === status.processed && status.processed === status.sealed ? status : null
  }, timeoutMs)
}

function folderBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .reduce((sum, e) => sum + statSync(join(e.parentPath, e.name)).size, 0)
}

/** Order-free hash of all readings in the lake. */
async function lakeHash(system: System): Promise<{ hash: string; count: number }> {
  const [row] = await withLake(system.dataDir, (query) =>
    query('SELECT count(*)::DOUBLE AS n, bit_xor(hash(device, metric, ts, value))::VARCHAR AS x FROM readings'),
  )
  return { hash: createHash('sha256').update(`${row.n} ${row.x}`).digest('hex').slice(0, 12), count: Number(row.n) }
}

/** From SIGKILL of a worker until each of its partitions is claimed anew. */
async function takeOverMs(system: System): Promise<number> {
  const before = new Map((await system.get<Status>('/v1/status')).partitions.map((p) => [p.partition, p]))
  const [pid] = system.pids('weir-worker')
  const killed = performance.now()
  process.kill(pid, 'SIGKILL')
  await eventually('the partitions of the killed worker are claimed', async () => {
    const now = (await system.get<Status>('/v1/status')).partitions
    const moved = now.filter((p) => p.epoch > before.get(p.partition)!.epoch)
    return moved.length >= Math.floor(now.length / 4) ? moved : null
  }, 20_000)
  return performance.now() - killed
}

function cpuSeconds(system: System): Map<string, number> {
  const used = new Map<string, number>()
  for (const p of descendants(system.pid)) {
    const stat = cpuSecondsOf(p.pid)
    if (stat !== null) used.set(p.title, (used.get(p.title) ?? 0) + stat)
  }
  return used
}

export const run: Bench = async ({ size }) => {
  const seconds = size === 'real' ? 20 : 2
  const rows: BenchRow[] = []
  for (const [kind, label, connections] of [
    ['columns', 'msgpack columns of 500', 16],
    ['json', 'JSON batches of 500', 16],
    ['single', 'single-reading POSTs', 64],
  ] as const) {
    const system = await startSystem()
    try {
      await load(system.url, { kind, seconds: Math.max(1, seconds / 5), connections })
      const base = await sealedUpTo(system)
      const cpuBefore = cpuSeconds(system)
      const started = performance.now()
      const loaded = await load(system.url, { kind, seconds, connections })
      const done = await sealedUpTo(system)
      const wallSeconds = (performance.now() - started) / 1000
      const cpuAfter = cpuSeconds(system)
      const { hash, count } = await lakeHash(system)
      rows.push({ name: `${label}: end to end`, value: (done.sealed - base.sealed) / wallSeconds, unit: 'readings/s', hash })
      rows.push({ name: `${label}: acknowledged`, value: loaded.accepted / loaded.seconds, unit: 'readings/s', hash })
      if (loaded.refused + loaded.lost > 0) rows.push({ name: `${label}: refused or lost`, value: loaded.refused + loaded.lost, unit: 'readings', hash })
      for (const [title, used] of cpuAfter) {
        const micros = ((used - (cpuBefore.get(title) ?? 0)) * 1e6) / (done.sealed - base.sealed)
        if (micros > 0.05) rows.push({ name: `${label}: CPU of ${title}`, value: micros, unit: 'µs/reading', hash })
      }
      rows.push({ name: `${label}: log`, value: folderBytes(join(system.dataDir, 'nats')) / count, unit: 'bytes/reading', hash })
      rows.push({ name: `${label}: lake`, value: folderBytes(join(system.dataDir, 'lake', 'segments')) / count, unit: 'bytes/reading', hash })
      if (kind === 'columns') {
        const background = load(system.url, { kind: 'columns', seconds: seconds + 2, connections: 8, rate: 75_000 })
        await new Promise((resolve) => setTimeout(resolve, 1_500))
        const { liveMs: took } = await probe(system, { device: 'latency-probe', seconds })
        const half = await background
        const unit = `ms at ${Math.round(half.accepted / half.seconds / 1000)}k/s`
        rows.push({ name: 'reading to live event: p50', value: percentile(took, 0.5), unit, hash: String(took.length) })
        rows.push({ name: 'reading to live event: p99', value: percentile(took, 0.99), unit, hash: String(took.length) })
        rows.push({ name: 'take-over after SIGKILL of a worker', value: await takeOverMs(system), unit: 'ms', hash })
      }
    } finally {
      await system.remove()
    }
  }
  return rows
}

if (import.meta.main) {
  const { printRows } = await import('./bench.ts')
  printRows(await run({ size: process.argv.includes('--smoke') ? 'smoke' : 'real' }))
  process.exit(0)
}
