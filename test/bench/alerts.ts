/**
 * Alerts on their way to a webhook: from the POST of a reading that is too high until a receiver on loopback has the signed message, at rest and at half
 * load, on one machine with the load generator and the receiver beside it. Each device raises one critical alert.
 *
 * - of it, …: where the time went, by the log's own times: until the reading is in the log, until its alert is in the log of results, and until the
 *   receiver has it
 * - waits for a core: how long a process had work and no core. Where that is much, or others have used the machine, the figures are of the machine
 * - own event loop: how long this process, that posts and receives, answered nobody
 * - deduplicated: messages that came again under an id that had come before
 * - lost: alerts that had not come a minute after the last POST
 */

import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decodeAlerts } from '../../actors/partition/effects.ts'
import { systemClock } from '../../runtime/clock.ts'
import { JournalReader } from '../../runtime/journal.ts'
import { embeddedNatsUrl } from '../../runtime/nats-address.ts'
import { connectNats } from '../../runtime/nats-log.ts'
import { RESULTS } from '../../runtime/topology.ts'
import { eventually, startSystem, descendants } from '../support/system.ts'
import type { System } from '../support/system.ts'
import type { Bench, BenchRow } from './bench.ts'
import { load } from './load-client.ts'
import { percentile } from './probe.ts'
import { cpuSecondsOf, MachineWatch } from './watch.ts'

const PAUSE_MS = 50
/** Half of what this machine takes, as the bench `system` has it; readings a second. */
const HALF_LOAD = Number(process.env.WEIR_BENCH_RATE) || 75_000

interface Receiver {
  readonly url: string
  /** When each device's alert came first. */
  readonly cameAt: ReadonlyMap<string, number>
  again(): number
  close(): void
}

async function receive(): Promise<Receiver> {
  const cameAt = new Map<string, number>()
  const ids = new Set<string>()
  let again = 0
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part) => (body += part)).on('end', () => {
      const at = performance.now()
      response.writeHead(204).end()
      const { id, data } = JSON.parse(body) as { id: string; data: { alerts: { device: string }[] } }
      if (ids.has(id)) again++
      ids.add(id)
      for (const { device } of data.alerts) if (!cameAt.has(device)) cameAt.set(device, at)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/`, cameAt, again: () => again, close: () => (server.closeAllConnections(), server.close()) }
}

const put = async (system: System, path: string, document: object) => {
  const answer = await system.fetch(path, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(document) })
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`)
}

/** Of each device's alert, by the times of the log: when its reading was stored, and when the commit that tells of it was. */
async function storedTimes(system: System): Promise<Map<string, { readingMs: number; alertMs: number }>> {
  const found = new Map<string, { readingMs: number; alertMs: number }>()
  const connection = await connectNats({ servers: await embeddedNatsUrl(system.dataDir, 'admin'), name: 'bench', clock: systemClock })
  const { lastSeq } = await connection.log.info(RESULTS)
  const journal = new JournalReader()
  for await (const message of connection.log.read({ stream: RESULTS, fromSeq: 1 })) {
    const given = journal.accept(message)
    if (given !== null && 'commit' in given) {
      for (const { series, at } of decodeAlerts(given.commit.payload)) found.set(series.device, { readingMs: at, alertMs: given.commit.timeMs })
    }
    if (message.seq >= lastSeq) break
  }
  await connection.close()
  return found
}

/** An alert that came: from its POST to its 202, and to the receiver; when the POST was, on this process' clock. */
interface Came {
  readonly device: string
  readonly sentMs: number
  readonly answerMs: number
  readonly tookMs: number
}

/** Posts an alert's reading every `PAUSE_MS` for `seconds`, whether the one before is answered or not. Resolves when all have come, or don't. */
async function measure(system: System, receiver: Receiver, { name, seconds }: { name: string; seconds: number }): Promise<{ came: Came[]; lost: number }> {
  const sent: Omit<Came, 'tookMs'>[] = []
  const underWay: Promise<void>[] = []
  const post = async (device: string) => {
    const sentMs = performance.now()
    const answer = await system.fetch('/v1/readings', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ device, metric: 'alarm', value: 99 }) })
    await answer.body?.cancel()
    if (answer.status === 202) sent.push({ device, sentMs, answerMs: performance.now() - sentMs })
  }
  const began = performance.now()
  for (let n = 0; n * PAUSE_MS < seconds * 1_000; n++) {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, began + n * PAUSE_MS - performance.now())))
    underWay.push(post(`${name}-${n}`))
  }
  await Promise.all(underWay)
  await eventually('every alert has come', () => sent.every(({ device }) => receiver.cameAt.has(device))).catch(() => null)
  const came = sent.flatMap((one) => (receiver.cameAt.has(one.device) ? [{ ...one, tookMs: receiver.cameAt.get(one.device)! - one.sentMs }] : []))
  return { came, lost: sent.length - came.length }
}

const notifierSeconds = (system: System) => descendants(system.pid).filter(({ title }) => title === 'weir-notifier').reduce((sum, { pid }) => sum + (cpuSecondsOf(pid) ?? 0), 0)
const ascending = (values: readonly number[]) => [...values].sort((a, b) => a - b)

export const run: Bench = async ({ size }) => {
  const seconds = size === 'real' ? 30 : 2
  const rows: BenchRow[] = []
  const receiver = await receive()
  const system = await startSystem()
  try {
    await put(system, '/v1/rules/alarm', { name: 'Alarm', select: { metric: 'alarm' }, when: { above: 50 }, severity: 'critical' })
    await put(system, '/v1/routes/hook', { target: { webhook: { url: receiver.url } } })
    await eventually('the rule is in force', async () => (await system.get<{ in_force: boolean }>('/v1/rules/alarm')).in_force)
    await measure(system, receiver, { name: 'first', seconds: 1 })
    const shapes = [['at rest', 0], ['at half load', HALF_LOAD]] as const
    for (const [label, rate] of shapes) {
      const background = rate === 0 ? null : load(system.url, { kind: 'columns', seconds: seconds + 3, connections: 8, rate })
      if (background !== null) await new Promise((resolve) => setTimeout(resolve, 1_500))
      const machine = new MachineWatch(system.pid, ['nats-server', 'weir-edge', 'weir-worker', 'weir-notifier'])
      const cpu = notifierSeconds(system)
      const { came, lost } = await measure(system, receiver, { name: label.replaceAll(' ', '-'), seconds })
      const hash = createHash('sha256').update(came.map(({ device }) => device).sort().join()).digest('hex').slice(0, 12)
      const ofMachine = machine.rows(label, hash)
      const used = notifierSeconds(system) - cpu
      const loaded = await background
      const stored = await storedTimes(system)
      const unit = loaded === null ? 'ms' : `ms at ${Math.round(loaded.accepted / loaded.seconds / 1_000)}k/s`
      const row = (name: string, value: number, unit = '') => rows.push({ name: `${label}: ${name}`, value, unit, hash })
      const tell = (what: string, values: readonly number[]) => {
        for (const [name, q] of [['p50', 0.5], ['p99', 0.99], ['max', 1]] as const) row(`${what}, ${name}`, percentile(ascending(values), q), unit)
      }
      tell('POST to webhook', came.map(({ tookMs }) => tookMs))
      tell('of it, POST to its 202', came.map(({ answerMs }) => answerMs))
      const onTheWay = came.map((one) => ({ ...one, ...stored.get(one.device)!, sentMs: performance.timeOrigin + one.sentMs }))
      tell('of it, POST to the log', onTheWay.map(({ sentMs, readingMs }) => readingMs - sentMs))
      tell('of it, the log to the alert in the log', onTheWay.map(({ readingMs, alertMs }) => alertMs - readingMs))
      tell('of it, the alert in the log to webhook', onTheWay.map(({ sentMs, tookMs, alertMs }) => sentMs + tookMs - alertMs))
      row('alerts that came', came.length)
      row('lost', lost)
      row('CPU of weir-notifier', (used / seconds) * 100, '% of a core')
      rows.push(...ofMachine)
    }
    rows.push({ name: 'deduplicated', value: receiver.again(), unit: '', hash: '' })
  } finally {
    receiver.close()
    await system.remove()
  }
  return rows
}

if (import.meta.main) {
  const { printRows } = await import('./bench.ts')
  printRows(await run({ size: process.argv.includes('--smoke') ? 'smoke' : 'real' }))
  process.exit(0)
}
