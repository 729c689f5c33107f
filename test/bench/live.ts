/**
 * Thousands of live streams on the real processes of this machine, their clients and the load generator included.
 *
 * - own      each stream on one of 5,000 devices, at the store
 * - edge     the same through the edge; then the store is killed, and all of them resume at once
 * - all      each stream on everything, few readings a second
 * - stuck    as own, beside ten streams on everything whose clients never read
 *
 * Each stream that is looked at must have had every reading of the lake once, whatever broke. It does not measure networks, TLS, or clients
 * in browsers; the clients take about as much of the cores as the store does.
 */

import { createHash } from 'node:crypto'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { withLake } from '../support/law.ts'
import { ADMIN_KEY, descendants, eventually, startSystem } from '../support/system.ts'
import type { System } from '../support/system.ts'
import type { Bench, BenchRow } from './bench.ts'
import { load } from './load-client.ts'
import { heaps, linesOf } from './memory.ts'
import type { LiveOrder, LiveReport } from './live-client.ts'
import { percentile } from './probe.ts'
import { storeUrl, storm } from './storm.ts'
import { cpuSecondsOf, MachineWatch, MemoryWatch, metricOf, named } from './watch.ts'

const DEVICES = Array.from({ length: 5_000 }, (_, d) => `gateway-${Math.floor(d / 50)}/probe-${d}`)

/** How often the processes are asked for their heaps. */
const MEMORY_STEPS = 20

export class Clients {
  readonly #child
  constructor(order: LiveOrder) {
    this.#child = fork(join(import.meta.dirname, 'live-client.ts'))
    this.#child.send(order)
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** How many streams stand, and are level since the newest mark. */
  open(): Promise<number> {
    return this.#ask('open') as Promise<number>
  }

  /** From now on a stream is level once it has an event that was stored later. */
  async mark(): Promise<void> {
    await this.#ask('mark')
  }

  report(): Promise<LiveReport> {
    return this.#ask('report') as Promise<LiveReport>
  }

  async #ask(what: string): Promise<unknown> {
    const answer = once(this.#child, 'message')
    this.#child.send(what)
    return (await answer)[0]
  }

  async end(): Promise<void> {
    const gone = once(this.#child, 'exit')
    this.#child.disconnect()
    await gone
  }
}

/** Posts of single readings whose value is the time. */
async function pulse(system: System, rate: number, ended: () => boolean): Promise<number> {
  const began = performance.now()
  const under = new Set<Promise<void>>()
  let n = 0
  for (; !ended(); n++) {
    const wait = began + (n * 1000) / rate - performance.now()
    if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait))
    const value = performance.timeOrigin + performance.now()
    const post = system
      .fetch('/v1/readings', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ device: DEVICES[(n * 1_237) % DEVICES.length], metric: 'probe', ts: Math.floor(value), value }),
      })
      .then((answer) => answer.body?.cancel())
      .then(() => void under.delete(post), () => void under.delete(post))
    under.add(post)
  }
  await Promise.all(under)
  return n
}

/** Of each query's readings in the lake, as a client counts them. */
async function expected(system: System, queries: Iterable<string>): Promise<Map<string, string>> {
  const figures = 'count(*)::DOUBLE AS n, (sum(round(value * 100)::BIGINT % 1000000007) % 1000000007)::DOUBLE AS x'
  const rows = await withLake(system.dataDir, (query) => query(`SELECT device, ${figures} FROM readings GROUP BY device`))
  const [all] = await withLake(system.dataDir, (query) => query(`SELECT ${figures} FROM readings`))
  const of = new Map(rows.map(({ device, n, x }) => [`device=${device}&kind=reading`, `${n} ${x}`]))
  return new Map([...queries].map((query) => [query, query === 'kind=reading' ? `${all.n} ${all.x}` : (of.get(query) ?? '')]))
}

interface Shape {
  readonly name: string
  readonly streams: number
  /** Readings a second, and how many of them come one by one, as probes. */
  readonly rate: number
  readonly probes: number
  readonly seconds: number
  readonly everything?: boolean
  readonly stuck?: number
  readonly edge?: boolean
}

async function measure({ name, streams, rate, probes, seconds, everything = false, stuck = 0, edge = false }: Shape): Promise<BenchRow[]> {
  const system = await startSystem()
  const rows: BenchRow[] = []
  let clients: Clients | null = null
  let ended = false
  const enough = new AbortController()
  try {
    const own = Array.from({ length: streams - stuck }, (_, i) => (everything ? 'kind=reading' : `device=${DEVICES[i % DEVICES.length]}&kind=reading`))
    const queries = [...Array.from({ length: stuck }, () => 'kind=reading'), ...own]
    const sample = everything ? 50 : 1
    const openedMs = performance.now()
    clients = new Clients({ url: edge ? system.url : await storeUrl(system), key: ADMIN_KEY, queries, stuck, sample })
    const allOpen = () => eventually(`${name}: all streams are open`, async () => (await clients!.open()) >= streams - stuck, 120_000)
    await allOpen()
    const row = (what: string, value: number, unit: string, hash = '') => rows.push({ name: `${name}: ${what}`, value, unit, hash })
    row('opening all streams', performance.now() - openedMs, 'ms')

    const pulsing = pulse(system, probes, () => ended)
    const loading = rate > probes ? load(system.url, { kind: 'columns', seconds: seconds + 3 + (edge ? 180 : 0), connections: 4, rate: rate - probes, signal: enough.signal }) : null
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    await clients.report()
    const watched = () => [...named(descendants(system.pid)), { name: 'clients', pid: clients!.pid }].filter(({ name: n }) => /weir-(store|edge)$|clients/.test(n))
    const before = new Map(watched().map(({ name: n, pid }) => [n, cpuSecondsOf(pid) ?? 0]))
    const began = performance.now()
    const watch = new MemoryWatch(watched)
    const machine = new MachineWatch(system.pid, ['nats-server', 'weir-edge', 'weir-store'])
    const told: Map<string, number>[] = []
    for (let step = 0; step < MEMORY_STEPS; step++) {
      await new Promise((resolve) => setTimeout(resolve, (seconds * 1_000) / MEMORY_STEPS))
      // Who watches for so short a time wants to know other things.
      if (seconds >= 120) told.push(await heaps(system).catch(() => new Map<string, number>()))
    }
    watch.stop()
    const ofMachine = machine.rows(name)
    if (seconds >= 120) for (const line of [...watch.lines(), ...linesOf(told)]) console.log(line)
    const { agesMs, bytes, open } = await clients.report()
    const tookSeconds = (performance.now() - began) / 1_000
    const sorted = [...agesMs].sort((a, b) => a - b)
    row('streams', open, 'streams')
    row('POST to event, p50', percentile(sorted, 0.5), 'ms', String(sorted.length))
    row('POST to event, p99', percentile(sorted, 0.99), 'ms', String(sorted.length))
    for (const { name: n, pid } of watched()) {
      row(`CPU of ${n}`, (((cpuSecondsOf(pid) ?? 0) - before.get(n)!) / tookSeconds) * 100, '% of a core')
    }
    rows.push(...ofMachine, ...watch.rows(name))
    row('delivered', bytes / tookSeconds / 2 ** 20, 'MiB/s since the start')
    const gauges = await (await fetch(`${await storeUrl(system)}/metrics`)).text()
    if (stuck > 0) row('let go', metricOf(gauges, 'weir_live_let_go'), 'streams')
    row('held at the end', metricOf(gauges, 'weir_live_bytes') / 2 ** 20, 'MiB')

    if (edge) rows.push(...(await storm(system, clients, { streams, name })))
    ended = true
    enough.abort()
    await Promise.all([pulsing, loading])
    await eventually('everything accepted is sealed', async () => {
      const { accepted, sealed } = await system.get<{ accepted: number; sealed: number }>('/v1/status')
      return accepted === sealed
    }, 180_000)

    const wanted = await expected(system, new Set(own.filter((_, i) => (i + stuck) % sample === 0)))
    const report = await eventually(`${name}: every stream has every reading once`, async () => {
      const found = await clients!.report()
      const wrong = [...wanted].filter(([query, figures]) => figures !== '' && found.readings[query]?.join(' ') !== figures)
      return wrong.length === 0 ? found : null
    }, 30_000).catch(async () => clients!.report())
    const wrong = [...wanted].filter(([query, figures]) => figures !== '' && report.readings[query]?.join(' ') !== figures)
    const hash = createHash('sha256').update(JSON.stringify([...wanted].sort())).digest('hex').slice(0, 12)
    row('streams that did not have each reading of the lake once', wrong.length, `of ${wanted.size}`, hash)
    for (const [query, figures] of wrong.slice(0, 5)) console.log(`${query}: lake ${figures}, stream ${report.readings[query]?.join(' ')}`)
    if (edge) row('streams that began anew', report.anew, 'streams')
  } finally {
    ended = true
    enough.abort()
    await clients?.end()
    await system.remove()
  }
  return rows
}

export const run: Bench = async ({ size }) => {
  const [streams, usual, rate] = size === 'real' ? [5_000, 30, 20_000] : [100, 2, 20_000]
  const seconds = Number(process.env.WEIR_BENCH_SECONDS ?? usual)
  const shapes: Shape[] = [
    { name: 'own', streams, rate, probes: 50, seconds },
    { name: 'edge', streams, rate, probes: 50, seconds, edge: true },
    { name: 'all', streams, rate: 200, probes: 200, seconds, everything: true },
    { name: 'stuck', streams, rate, probes: 50, seconds, stuck: 10 },
  ]
  const only = process.env.WEIR_BENCH_SHAPE
  const rows: BenchRow[] = []
  for (const shape of shapes) {
    const wanted = only === undefined ? size === 'real' || shape.edge || shape.everything : only === shape.name
    if (wanted) rows.push(...(await measure(shape)))
  }
  return rows
}
