/**
 * Alerts on their way to a webhook: from the POST of a reading that is too high until a receiver on loopback has the signed message, at rest and at half
 * load, on one machine with the load generator and the receiver beside it. Each device raises one critical alert.
 *
 * - deduplicated: messages that came again under an id that had come before
 * - lost: alerts that had not come a minute after the last POST
 */

import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { eventually, startSystem, descendants } from '../support/system.ts'
import type { System } from '../support/system.ts'
import type { Bench, BenchRow } from './bench.ts'
import { load } from './load-client.ts'
import { percentile } from './probe.ts'
import { cpuSecondsOf } from './watch.ts'

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

/** Posts an alert's reading every `PAUSE_MS` for `seconds`; gives what each took, ascending, and how many never came. */
async function measure(system: System, receiver: Receiver, { name, seconds }: { name: string; seconds: number }) {
  const sentAt = new Map<string, number>()
  const answerMs: number[] = []
  const end = performance.now() + seconds * 1_000
  for (let n = 0; performance.now() < end; n++) {
    const device = `${name}-${n}`
    const began = performance.now()
    const answer = await system.fetch('/v1/readings', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ device, metric: 'alarm', value: 99 }) })
    await answer.body?.cancel()
    if (answer.status === 202) {
      sentAt.set(device, began)
      answerMs.push(performance.now() - began)
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
  await eventually('every alert has come', () => [...sentAt.keys()].every((device) => receiver.cameAt.has(device))).catch(() => null)
  const tookMs = [...sentAt].flatMap(([device, at]) => (receiver.cameAt.has(device) ? [receiver.cameAt.get(device)! - at] : [])).sort((a, b) => a - b)
  answerMs.sort((a, b) => a - b)
  return { tookMs, answerMs, lost: sentAt.size - tookMs.length, hash: createHash('sha256').update([...sentAt.keys()].join()).digest('hex').slice(0, 12) }
}

const notifierSeconds = (system: System) => descendants(system.pid).filter(({ title }) => title === 'weir-notifier').reduce((sum, { pid }) => sum + (cpuSecondsOf(pid) ?? 0), 0)

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
      const cpu = notifierSeconds(system)
      const { tookMs, answerMs, lost, hash } = await measure(system, receiver, { name: label.replaceAll(' ', '-'), seconds })
      const used = notifierSeconds(system) - cpu
      const loaded = await background
      const unit = loaded === null ? 'ms' : `ms at ${Math.round(loaded.accepted / loaded.seconds / 1_000)}k/s`
      for (const [what, q] of [['p50', 0.5], ['p99', 0.99], ['max', 1]] as const) rows.push({ name: `${label}: POST to webhook, ${what}`, value: percentile(tookMs, q), unit, hash })
      for (const [what, q] of [['p50', 0.5], ['p99', 0.99]] as const) rows.push({ name: `${label}: of it, POST to its 202, ${what}`, value: percentile(answerMs, q), unit, hash })
      rows.push({ name: `${label}: alerts that came`, value: tookMs.length, unit: '', hash })
      rows.push({ name: `${label}: lost`, value: lost, unit: '', hash })
      rows.push({ name: `${label}: CPU of weir-notifier`, value: (used / seconds) * 100, unit: '% of a core', hash })
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
