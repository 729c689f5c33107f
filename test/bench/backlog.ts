/**
 * Catching up: nats-server and edge are up, workers and store are down for what would be an hour of 2,778 readings/s, 10 M in all; then two
 * workers and a store start, while live readings go on. Everything on this machine, which takes both sides' turns on the same cores.
 *
 * - processed       until the workers have committed all of the backlog
 * - sealed          until all of it is in sealed segments
 * - times live      the backlog's rate of catching up over the rate at which it arose
 * - answer          of live readings that are posted meanwhile, from the POST to the 202
 * - memory          of each process: what it held at most in the first and in the last third; flat where it does not grow
 *
 * Event times are spread over the hour. The log's times are not: the backlog is written as fast as the edge takes it, in blocks that are
 * fuller than an hour's would be (the rows of a block are printed).
 */

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Connection } from '../../runtime/log.ts'
import { decodeJournal } from '../../runtime/journal.ts'
import { inputStream, inputSubject, RESULTS, resultsSubject, topologyOf } from '../../runtime/topology.ts'
import { Apart } from '../support/apart.ts'
import type { Part } from '../support/apart.ts'
import { withLake } from '../support/law.ts'
import { eventually } from '../support/system.ts'
import type { Bench, BenchRow } from './bench.ts'
import { PARTITIONS } from './fleet.ts'
import { load } from './load-client.ts'
import { percentile, probeAnswers } from './probe.ts'
import { MemoryWatch, metricOf, named } from './watch.ts'

const HOUR_MS = 3_600_000
const SETTINGS = { latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }
const topology = topologyOf(PARTITIONS)
const partitions = Array.from({ length: PARTITIONS }, (_, p) => p)

interface Status {
  accepted: number
  processed: number
  sealed: number
}

/** By partition, the last sequence of its input. */
function ends(connection: Connection): Promise<number[]> {
  return Promise.all(partitions.map(async (p) => (await connection.log.last(inputStream(topology, p), inputSubject(p)))?.seq ?? 0))
}

/** By partition, how far it is committed. Commits are large, so that looking at them costs something: it is done twice a second. */
async function positions(connection: Connection): Promise<number[]> {
  await new Promise((resolve) => setTimeout(resolve, 450))
  return Promise.all(
    partitions.map(async (p) => {
      const last = await connection.log.last(RESULTS, resultsSubject(p))
      return last === null ? 0 : decodeJournal(last.data).header.position.seq
    }),
  )
}

function folderMiB(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((e) => e.isFile())
  let bytes = 0
  for (const e of files) {
    try {
      bytes += statSync(join(e.parentPath, e.name)).size
    } catch {
      // Purged meanwhile.
    }
  }
  return bytes / 2 ** 20
}

/** The most that the store said of what waits in its memory. */
class StoreWatch {
  readonly most = new Map<string, number>()
  #on = true
  readonly #done: Promise<void>

  constructor(store: Part) {
    this.#done = (async () => {
      while (this.#on) {
        const page = await fetch(`${store.url}/metrics`).then((r) => r.text(), () => '')
        for (const name of ['weir_store_waiting_rows', 'weir_store_buffered_rows', 'weir_analytics_waiting_readings', 'weir_analytics_fresh_rows', 'weir_store_seal_seconds']) {
          this.most.set(name, Math.max(this.most.get(name) ?? 0, metricOf(page, name)))
        }
        await new Promise((resolve) => setTimeout(resolve, 500))
      }
    })()
  }

  async stop(): Promise<void> {
    this.#on = false
    await this.#done
  }
}

export const run: Bench = async ({ size }) => {
  const total = Number(process.env.WEIR_BENCH_ROWS ?? (size === 'real' ? 10_000_000 : 50_000))
  const rows: BenchRow[] = []
  const apart = await Apart.install({ partitions: PARTITIONS, settings: SETTINGS })
  const { connection } = apart
  try {
    const edge = await apart.start('edge')
    await apart.ready(edge)
    const written = await load(edge.url, { kind: 'columns', shape: 'backlog', key: apart.key, seconds: 3_600, connections: 16, rows: total, fromMs: Date.now() - HOUR_MS, spanMs: HOUR_MS })
    const target = await ends(connection)
    const blocks = await fetch(`${edge.url}/metrics`).then((r) => r.text())
    const hash = String(written.accepted)
    const row = (name: string, value: number, unit: string) => void rows.push({ name, value, unit, hash })
    row('backlog written', written.accepted / written.seconds, 'readings/s')
    row('rows of a block', metricOf(blocks, 'weir_edge_block_rows_sum') / metricOf(blocks, 'weir_edge_block_rows_count'), 'readings')
    row("log's disk, backlog alone", folderMiB(apart.nats.folder), 'MiB')

    const watch = new MemoryWatch(() => named(apart.processes()), size === 'real' ? 1_000 : 200)
    const began = performance.now()
    const seconds = () => (performance.now() - began) / 1000
    const workers = await Promise.all(['a', 'b'].map((name) => apart.start('worker', ['--name', name, '--lateness', '5s', '--idle', '60s'])))
    const store = await apart.start('store', ['--name', 's', '--data', apart.lakeOf('s')])
    const storeWatch = new StoreWatch(store)
    let caughtUp = false
    const probing = probeAnswers({ fetch: (path, init) => apart.fetch(edge, path, init) }, 'live/probe', () => caughtUp)
    const patience = 60_000 + total / 5
    const begin = await positions(connection)
    await eventually('the first commit', async () => (await positions(connection)).some((seq, p) => seq > begin[p]), 60_000)
    row('from start to the first commit', seconds(), 's')
    const processedS = await eventually('all of the backlog is processed', async () => ((await positions(connection)).every((seq, p) => seq >= target[p]) ? seconds() : null), patience)
    const sealedS = await eventually('all of the backlog is sealed', async () => {
      const status = await apart.fetch(store, '/v1/status').then((r) => (r.ok ? (r.json() as Promise<Status>) : null))
      return status !== null && status.sealed >= written.accepted ? seconds() : null
    }, patience)
    caughtUp = true
    const live = await probing
    await storeWatch.stop()
    watch.stop()
    const perSecond = total / (HOUR_MS / 1000)
    row('processed', total / processedS, 'readings/s')
    row('processed, times live', total / processedS / perSecond, '×')
    row('sealed', total / sealedS, 'readings/s')
    row('sealed, times live', total / sealedS / perSecond, '×')
    row('live readings meanwhile, answer, p50', percentile(live.answerMs, 0.5), 'ms')
    row('live readings meanwhile, answer, p99', percentile(live.answerMs, 0.99), 'ms')
    row('live readings meanwhile, refused', live.refused, 'readings')
    rows.push(...watch.rows('catching up'))
    for (const [name, most] of storeWatch.most) row(`store: most ${name}`, most, '')
    for (const [i, worker] of workers.entries()) {
      const page = await fetch(`${worker.url}/metrics`).then((r) => r.text())
      for (const name of ['weir_partition_commits_total', 'weir_partition_results_total', 'weir_partition_step_seconds_total', 'weir_partition_replayed_messages_total']) row(`worker ${i + 1}: ${name}`, metricOf(page, name), '')
    }
    const info = await connection.log.info(RESULTS)
    row('commits and claims', info.lastSeq, 'messages')
    row("log's disk, with results and snapshots", folderMiB(apart.nats.folder), 'MiB')
    const [lake] = await withLake(apart.lakeOf('s'), (query) => query("SELECT count(*)::DOUBLE AS n FROM readings WHERE metric = 'soil_moisture'"))
    row('backlog readings in the lake', Number(lake.n), 'readings')
    for (const line of watch.lines()) console.log(line)
  } finally {
    await apart.remove()
  }
  return rows
}
