/**
 * Hot and skewed load on the real processes of this machine, load generator included: even; one device with half of all readings; one
 * partition with ten times the load of each other. The rate is half of what the machine was seen to take just before, when the load is even.
 *
 * - reading to live event  of a device that sends little, in a partition that is not hot (nothing starves), and of the hot device or partition
 * - lag                    by partition, as /v1/status (readings behind) and the workers' /metrics (age at commit) show it, in the middle
 *                          third of the run and in the last: bounded where the last is no greater
 *
 * It does not measure several machines, where a hot partition has a core of its own.
 */

import { ADMIN_KEY, eventually, startSystem } from '../support/system.ts'
import type { System } from '../support/system.ts'
import type { Bench, BenchRow } from './bench.ts'
import { HOT_DEVICE, HOT_PARTITION, nameIn } from './fleet.ts'
import type { Shape } from './fleet.ts'
import { load } from './load-client.ts'
import { percentile, probe } from './probe.ts'
import { labelled } from './watch.ts'

const QUIET_PARTITION = (HOT_PARTITION + 1) % 16
/** Below 1, since the probes, the status and the generator itself need the same cores. */
const PART_OF_MAX = 0.5

interface Status {
  accepted: number
  processed: number
  sealed: number
  lagMs: number
  partitions: { partition: number; behind: number }[]
  members: { role: string; url: string | null }[]
}

interface LagSample {
  readonly hotBehind: number
  readonly otherBehind: number
  readonly hotAgeMs: number
  readonly otherAgeMs: number
}

async function lagNow(system: System): Promise<LagSample> {
  const status = await system.get<Status>('/v1/status')
  const behind = (of: (partition: number) => boolean) => Math.max(...status.partitions.filter((p) => of(p.partition)).map((p) => p.behind))
  const ages = new Map<number, number>()
  for (const { role, url } of status.members) {
    if (role !== 'worker' || url === null) continue
    const page = await (await fetch(`${url}/metrics`)).text()
    for (const [labels, value] of labelled(page, 'weir_partition_lag_seconds')) ages.set(Number(/partition="(\d+)"/.exec(labels)?.[1]), value * 1000)
  }
  const age = (of: (partition: number) => boolean) => Math.max(0, ...[...ages].filter(([p]) => of(p)).map(([, ms]) => ms))
  const isHot = (p: number) => p === HOT_PARTITION
  const isOther = (p: number) => p !== HOT_PARTITION
  return { hotBehind: behind(isHot), otherBehind: behind(isOther), hotAgeMs: age(isHot), otherAgeMs: age(isOther) }
}

function sealed(system: System): Promise<Status> {
  return eventually('everything accepted is sealed', async () => {
    const status = await system.get<Status>('/v1/status').catch(() => null)
    return status !== null && status.accepted === status.processed && status.processed === status.sealed ? status : null
  }, 300_000)
}

/** What the machine takes when the load is even, readings/s from the first POST to the last sealed one. */
async function sustained(system: System, seconds: number): Promise<number> {
  await load(system.url, { kind: 'columns', seconds: Math.max(1, seconds / 3), connections: 16 })
  const before = await sealed(system)
  const began = performance.now()
  await load(system.url, { kind: 'columns', seconds, connections: 16 })
  const after = await sealed(system)
  return ((after.sealed - before.sealed) * 1000) / (performance.now() - began)
}

async function measure(shape: Exclude<Shape, 'backlog'>, rate: number, seconds: number): Promise<BenchRow[]> {
  const system = await startSystem({ env: { WEIR_ADMIN_KEY: ADMIN_KEY } })
  try {
    const before = await sealed(system)
    const loading = load(system.url, { kind: 'columns', shape, seconds, connections: 8, rate })
    const began = performance.now()
    const leadMs = Math.min(1_500, seconds * 100)
    await new Promise((resolve) => setTimeout(resolve, leadMs))
    const probeSeconds = seconds - leadMs / 1000
    const probes = [nameIn(QUIET_PARTITION, 'quiet/probe'), shape === 'hot-device' ? HOT_DEVICE : nameIn(HOT_PARTITION, 'busy/probe')]
    const probing = Promise.all(probes.map((device) => probe(system, { device, seconds: probeSeconds })))
    const samples: { at: number; lag: LagSample }[] = []
    let looking = true
    const look = (async () => {
      while (looking) {
        samples.push({ at: (performance.now() - began) / (seconds * 1000), lag: await lagNow(system) })
        await new Promise((resolve) => setTimeout(resolve, Math.min(500, seconds * 20)))
      }
    })()
    const loaded = await loading
    looking = false
    await look
    const [quiet, hot] = await probing
    const after = await sealed(system)
    const wallSeconds = (performance.now() - began) / 1000
    const ledger = await system.get<{ onTime: number; late: number; duplicate: number }>('/v1/ledger')
    const hash = String(after.sealed - before.sealed)
    const row = (name: string, value: number, unit: string): BenchRow => ({ name: `${shape}: ${name}`, value, unit, hash })
    const rows = [
      row('acknowledged', loaded.accepted / loaded.seconds, 'readings/s'),
      row('end to end', (after.sealed - before.sealed) / wallSeconds, 'readings/s'),
      row('from the last reading to all sealed', wallSeconds - seconds, 's'),
      row('late by the ledger', ledger.late, 'readings'),
      row('duplicates by the ledger', ledger.duplicate, 'readings'),
    ]
    for (const [name, { liveMs, answerMs, refused, missing }] of [['quiet device', quiet], [shape === 'hot-device' ? 'hot device' : `partition ${HOT_PARTITION}`, hot]] as const) {
      rows.push(row(`${name}, reading to live event, p50`, percentile(liveMs, 0.5), 'ms'), row(`${name}, reading to live event, p99`, percentile(liveMs, 0.99), 'ms'))
      rows.push(row(`${name}, answer, p99`, percentile(answerMs, 0.99), 'ms'), row(`${name}, refused`, refused, 'probes'), row(`${name}, not seen`, missing, 'probes'))
    }
    for (const [part, from, to] of [['middle third', 1 / 3, 2 / 3], ['last third', 2 / 3, 1]] as const) {
      const within = samples.filter((s) => s.at >= from && s.at < to).map((s) => s.lag)
      const most = (of: (lag: LagSample) => number) => Math.max(0, ...within.map(of))
      rows.push(row(`behind, partition ${HOT_PARTITION}, ${part}`, most((l) => l.hotBehind), 'readings'), row(`behind, the most of the others, ${part}`, most((l) => l.otherBehind), 'readings'))
      rows.push(row(`age at commit, partition ${HOT_PARTITION}, ${part}`, most((l) => l.hotAgeMs), 'ms'), row(`age at commit, the most of the others, ${part}`, most((l) => l.otherAgeMs), 'ms'))
    }
    return rows
  } finally {
    await system.remove()
  }
}

export const run: Bench = async ({ size }) => {
  const seconds = Number(process.env.WEIR_BENCH_SECONDS ?? (size === 'real' ? 60 : 2))
  const rows: BenchRow[] = []
  let rate = Number(process.env.WEIR_BENCH_RATE ?? (size === 'real' ? 0 : 2_000))
  if (rate === 0) {
    const system = await startSystem()
    const most = await sustained(system, 10).finally(() => system.remove())
    rate = Math.round((most * PART_OF_MAX) / 1000) * 1000
    rows.push({ name: 'what the machine sustains, even load', value: most, unit: 'readings/s', hash: '' })
  }
  rows.push({ name: 'offered', value: rate, unit: 'readings/s', hash: '' })
  for (const shape of ['even', 'hot-device', 'hot-partition'] as const) rows.push(...(await measure(shape, rate, seconds)))
  return rows
}
