/**
 * `weir replay` on a real system whose workers are killed while it is fed: every partition comes out as it was committed, on Node and on Deno,
 * while the system runs and when it is stopped; and an anomaly is explained by the readings that led to it. Rules are followed all the while: no event of
 * an alert is lost or told twice, and all of them reach a webhook, though the notifier is killed, too.
 */

import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { partitionActor } from '../../actors/partition/actor.ts'
import { DEFAULT_SETTINGS, encodeSettings } from '../../actors/reading/input.ts'
import { lockLake } from '../../actors/store/lock.ts'
import { systemClock } from '../../runtime/clock.ts'
import { PartitionHost } from '../../runtime/host.ts'
import { ensureInstallation } from '../../runtime/installation.ts'
import { openLog } from '../../runtime/open-log.ts'
import { LiveClient } from '../support/live-client.ts'
import { startTestNats } from '../support/nats.ts'
import { quietLogger } from '../support/quiet-logger.ts'
import { seeded } from '../support/random.ts'
import type { Sent } from '../support/stream.ts'
import { ADMIN_KEY, eventually, freePort, settled, startSystem } from '../support/system.ts'
import type { System } from '../support/system.ts'

const root = join(import.meta.dirname, '..', '..')
const PARTITIONS = 4
const FLAGS = ['--partitions', String(PARTITIONS), '--idle', '4s', '--lateness', '2s']
const START_MS = Date.UTC(2026, 10, 23)
const SPIKE = { device: 'field-7/probe-2', metric: 'soil_moisture', ts: START_MS + 170 * 10_000, value: 38.8 }

let system: System
beforeAll(async () => {
  system = await startSystem({ flags: FLAGS })
})
afterAll(async () => {
  live?.close()
  receiver.closeAllConnections()
  receiver.close()
  await system?.remove()
})

interface Ran {
  code: number
  out: string
  err: string
}

function run(command: string, args: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd: root, maxBuffer: 1 << 28 }, (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }))
  })
}

const replay = (...args: string[]) => run(process.execPath, [join(root, 'cmd/replay.ts'), '--data', system.dataDir, ...args])
const onDeno = (...args: string[]) => run(join(root, 'node_modules/.bin/deno'), ['run', '-A', join(root, 'cmd/replay.ts'), '--data', system.dataDir, ...args])
const objects = ({ out }: Ran) => out.trim().split('\n').map((line) => JSON.parse(line) as Record<string, any>)
/** Commits as lines. */
const linesOf = (ran: Ran) => objects(ran).filter((o) => o.kind === 'commit').map((o) => JSON.stringify(o))
const summaries = (ran: Ran) => objects(ran).filter((o) => o.kind === 'summary')

/** Twelve probes at 10 s, quiet ones, of which one has a spike; some readings come twice, some much too late. */
function batches(): Sent[][] {
  const random = seeded(7)
  const all: Sent[][] = []
  const sent: Sent[] = []
  for (let i = 0; i < 200; i++) {
    const batch: Sent[] = []
    for (let d = 0; d < 12; d++) {
      const value = 28 + Math.round((random() + random() - 1) * 40) / 100
      batch.push({ device: `field-7/probe-${d}`, metric: 'soil_moisture', ts: START_MS + i * 10_000, value })
    }
    if (i === 170) batch.find((r) => r.device === SPIKE.device)!.value = SPIKE.value
    if (i % 9 === 8) batch.push(sent[Math.floor(random() * sent.length)], batch[0])
    sent.push(...batch)
    all.push(batch)
  }
  return all
}

async function send(batch: Sent[]): Promise<void> {
  await eventually('a batch is taken', async () => {
    const response = await system.fetch('/v1/readings', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(batch) })
    await response.body?.cancel()
    return response.status === 202
  })
}

/** Rules that `weir rules` puts: one that flaps at each probe, and one that always holds at one of them. */
const RULES = {
  high: { select: { metric: 'soil_moisture', prefix: 'field-7/' }, when: { above: 28.2, clear: 28 }, flapping: { count: 10, within: '1m' } },
  'always-low': { name: 'Low', select: { metric: 'soil_moisture', device: 'field-7/probe-0' }, when: { below: 100 }, severity: 'critical' },
}
const rules = (...args: string[]) => run(process.execPath, [join(root, 'cmd/rules.ts'), '--url', system.url, '--key', ADMIN_KEY, ...args])
interface Shown {
  id: string
  device: string
  state: string
  history: { event: string; person: string | null }[]
}
const alertsOf = async (query: string) => (await system.get<{ alerts: Shown[] }>(`/v1/alerts?limit=1000&${query}`)).alerts
let live: LiveClient

interface Told {
  id: string
  data: { alerts: { id: string; number: number }[] }
}
/** What came to the webhook, which now and then is away. */
const told: { id: string; header: string; alerts: string[] }[] = []
let requests = 0
const receiver = createServer((request, response) => {
  let body = ''
  request.on('data', (part) => (body += part)).on('end', () => {
    if (++requests % 7 === 3) return void response.writeHead(503).end()
    const { id, data } = JSON.parse(body) as Told
    told.push({ id, header: String(request.headers['webhook-id']), alerts: data.alerts.map((alert) => `${alert.id} ${alert.number}`) })
    response.end()
  })
})

test('a route leads to a webhook', async () => {
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`
  const put = await system.fetch('/v1/routes/hook', { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ target: { webhook: { url } } }) })
  expect(put.status).toBe(200)
})

test('rules are put by their command, and soon every partition follows them', async () => {
  live = new LiveClient({ url: system.url, key: ADMIN_KEY, query: 'kind=alert' })
  for (const [id, rule] of Object.entries(RULES)) {
    const file = join(system.dataDir, `${id}.json`)
    writeFileSync(file, JSON.stringify(rule))
    expect(await rules('put', id, file)).toMatchObject({ code: 0, out: expect.stringMatching(new RegExp(`^Rule ${id} is stored as revision \\d+\\.\n$`)) })
    expect(await rules('put', id, file, '--revision', '0')).toMatchObject({ code: 1, err: expect.stringContaining('must still be at revision 0') })
  }
  writeFileSync(join(system.dataDir, 'bad.json'), JSON.stringify({ ...RULES.high, when: { above: 'x' } }))
  expect(await rules('put', 'bad', join(system.dataDir, 'bad.json'))).toMatchObject({ code: 1, err: expect.stringContaining('/when/above must be a number') })
  await eventually('they are in force', async () => (await rules('list')).out.match(/ yes /g)?.length === 2)
})

test('what a system commits, its workers killed again and again, is made again to the byte, on Node and on Deno', async () => {
  const all = batches()
  for (let i = 0; i < all.length; i++) {
    await send(all[i])
    if (i % 45 !== 44) continue
    const pids = await eventually('a worker runs', () => (system.pids('weir-worker').length > 0 ? system.pids('weir-worker') : null))
    process.kill(pids[0], 'SIGKILL')
    for (const pid of system.pids('weir-notifier')) process.kill(pid, 'SIGKILL')
  }
  await settled(system)

  const onNode = await replay('--json')
  expect(onNode.err).toMatch(/^The log of the running system of /)
  expect(summaries(onNode).map(({ partition, same, different }) => ({ partition, same, different }))).toEqual(
    Array.from({ length: PARTITIONS }, (_, partition) => ({ partition, same: true, different: 0 })),
  )
  expect(onNode.code).toBe(0)
  const commits = objects(onNode).filter((o) => o.kind === 'commit')
  expect(commits.every((c) => c.same)).toBe(true)
  // More claims than partitions: others took over, and are in what was compared.
  expect(summaries(onNode).reduce((sum, s) => sum + s.claims, 0)).toBeGreaterThan(PARTITIONS)
  const { accepted } = await system.get<{ accepted: number }>('/v1/status')
  expect(summaries(onNode).reduce((sum, s) => sum + Math.max(0, ...commits.filter((c) => c.partition === s.partition).map((c) => c.accepted)), 0)).toBe(accepted)
  const duplicates = commits.flatMap((c) => c.fates).reduce((sum, f) => sum + f.duplicate.length, 0)
  expect(duplicates).toBeGreaterThan(0)

  const deno = await onDeno('--json')
  // Alerts that flap have the log's time go on: there may be more commits by now.
  expect(linesOf(deno)).toEqual(expect.arrayContaining(linesOf(onNode)))
  expect([deno.code, ...summaries(deno).map((s) => s.different)]).toEqual([0, 0, 0, 0, 0])
})

test('each event of an alert is told once, in the lake as on the live stream, whoever was killed', async () => {
  const alerts = await alertsOf('rule=high')
  for (let d = 0; d < 12; d++) {
    const device = `field-7/probe-${d}`
    // What a thermometer's needle says, without windows, logs or workers.
    const expected: string[] = []
    let isOpen = false
    let openings = 0
    for (const { value } of batches().map((batch) => batch.find((r) => r.device === device)!)) {
      const was: boolean = isOpen
      isOpen = value > 28.2 || (isOpen && value > 28)
      if (isOpen === was || openings === 10) continue
      expected.push(isOpen ? (openings++ === 0 ? 'opened' : 'reopened') : 'resolved')
    }
    if (openings === 10) expected.push('flapping')
    const [alert, ...more] = alerts.filter((a) => a.device === device)
    expect(more).toEqual([])
    expect(alert.history.map((h) => h.event).slice(0, expected.length)).toEqual(expected)
  }
  const { rows } = (await (await system.fetch('/v1/sql', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ sql: 'SELECT id, number FROM alerts ORDER BY ALL' }) })).json()) as { rows: { id: string; number: number }[] }
  const names = rows.map(({ id, number }) => `${id} ${number}`)
  expect(new Set(names).size).toBe(names.length)
  const heard = () => live.of('alert').map(({ data }) => `${data.id} ${data.number}`)
  await eventually('the stream has told all of them', () => names.every((name) => heard().includes(name)))
  expect(new Set(heard()).size).toBe(heard().length)
  // At least once at the webhook, and by its id a receiver sees what it has already.
  await eventually('the webhook has all of them', () => names.every((name) => told.some(({ alerts }) => alerts.includes(name))))
  const ids = new Map(told.map(({ id, alerts }) => [id, alerts.join()]))
  for (const { id, header, alerts } of told) expect([header, alerts.join()]).toEqual([id, ids.get(id)])
  const once = [...ids.values()].flatMap((all) => all.split(','))
  expect(new Set(once).size).toBe(once.length)
})

test('people acknowledge and resolve an alert, though the worker dies between', async () => {
  const [alert] = await alertsOf('rule=always-low')
  expect(alert).toMatchObject({ device: 'field-7/probe-0', state: 'open' })
  const act = (verb: string, body?: object) => system.fetch(`/v1/alerts/${alert.id}/${verb}`, { method: 'POST', ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }) })
  expect(await (await act('ack', { note: 'on my way' })).json()).toEqual({ id: alert.id, state: 'acked' })
  process.kill(system.pids('weir-worker')[0], 'SIGKILL')
  await eventually('it is acknowledged', async () => (await alertsOf('state=acked')).length === 1)
  expect((await act('resolve')).status).toBe(200)
  await eventually('it is resolved', async () => (await alertsOf('rule=always-low'))[0].state === 'resolved')
  const [{ history }] = await alertsOf('rule=always-low')
  expect(history.map((h) => [h.event, h.person !== null])).toEqual([['opened', false], ['acknowledged', true], ['resolved', true]])
  const tried = await rules('try', 'high', '--from', '2026-11-22', '--json')
  expect(JSON.parse(tried.out)).toMatchObject({ series: 12, known: 12 })
  expect((await rules('delete', 'high')).code).toBe(0)
  await eventually('what it had open is resolved', async () => (await alertsOf('rule=high&state=open,acked')).length === 0)
  live.close()
  await settled(system)
})

test('an anomaly is explained by the readings, the state and the sums that led to it', async () => {
  const { anomalies } = await system.get<{ anomalies: { device: string; metric: string; ts: string; value: number; score: number }[] }>('/v1/anomalies?from=2026-11-22')
  const shown = anomalies.find((a) => a.device === SPIKE.device && a.value === SPIKE.value)!
  const address = `default/${shown.device}/${shown.metric}@${shown.ts}`
  const words = await replay('--explain', address, '--last', '5')
  expect(words.code, words.err).toBe(0)
  expect(words.out).toContain('identical to what was committed, to the last bit')
  const asJson = await replay('--explain', address, '--last', '5', '--json')
  const [explanation] = objects(asJson)
  expect(explanation.anomaly).toMatchObject({ ts: shown.ts, value: SPIKE.value, score: shown.score })
  const before = batches().flat().filter((r) => r.device === SPIKE.device && r.ts < SPIKE.ts).map((r) => r.value)
  expect(explanation.readings.map((r: { value: number }) => r.value)).toEqual(before.slice(-5))
  expect(explanation.state.ensemble.last).toBe(before.at(-1))
  expect(explanation.verdict).toMatchObject({ kind: 'spike', same: true })

  const nothing = await replay('--explain', `default/${shown.device}/${shown.metric}@2026-11-23T00:00:00Z`)
  expect(nothing.code).toBe(1)
  expect(nothing.err).toContain(`${address}=${SPIKE.value}`)
  const [alert] = await alertsOf('rule=always-low')
  const life = await replay('--explain', alert.id)
  expect(life.code, life.err).toBe(0)
  expect(life.out).toMatch(/Acknowledged at message \d+ of READINGS_\d, what a person asked for: ack/)
  expect(life.out).toContain('identical to what was committed, to the last bit')
  expect((await replay('--explain', 'alert-17')).err).toContain('must name an anomaly, or be the id of an alert')
})

test('who reads only its first lines ends it in good order', async () => {
  const head = await run('/bin/sh', ['-c', `${process.execPath} cmd/replay.ts --data ${system.dataDir} | head -1`])
  expect(head.out).toMatch(/^commit \d+ /)
  expect(head.code).toBe(0)
})

test('a stopped system is replayed from its folder, which is left as it was; and none starts meanwhile', async () => {
  const running = await replay('--json')
  await system.stop()
  const portFile = join(system.dataDir, 'nats', 'port')
  const port = readFileSync(portFile, 'utf8')
  const stopped = await replay('--json')
  expect(stopped.err).toMatch(/^The log of the stopped system of /)
  expect(stopped.code).toBe(0)
  // The workers took their last snapshots and let go; nothing of what was committed before has changed.
  expect(linesOf(stopped)).toEqual(expect.arrayContaining(linesOf(running)))

  const open = await openLog({
    nats: null,
    dataDir: system.dataDir,
    cacheDir: join(root, '.cache/nats-server'),
    env: process.env,
    clock: systemClock,
    name: 'test',
  })
  const refused = await run(process.execPath, [join(root, 'cmd/up.ts'), '--data', system.dataDir, '--port', String(await freePort()), ...FLAGS])
  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining(`process id ${process.pid}`) })
  await open.close()

  // A store that the folder's own lock does not show, in another container say.
  const store = await lockLake(join(system.dataDir, 'lake'), systemClock)
  expect(await replay('--quiet')).toMatchObject({ code: 1, out: '', err: expect.stringContaining('another process holds') })
  store.release()
  expect((await replay('--quiet')).code).toBe(0)

  expect(readFileSync(portFile, 'utf8')).toBe(port)
  system = await startSystem({ dataDir: system.dataDir, flags: FLAGS })
  await send([{ device: 'after/restart', metric: 'level', ts: START_MS, value: 1.5 }])
  await settled(system)
  expect((await replay('--quiet')).code).toBe(0)
})

test('outer servers are read as the one who may only read', async () => {
  const nats = await startTestNats({ roles: true })
  try {
    const admin = await nats.connect()
    const options = { partitions: 1, replicas: 1, bytesMax: -1, firstMessage: encodeSettings(DEFAULT_SETTINGS), clock: systemClock }
    const topology = await ensureInstallation(admin, options)
    const about = { actor: partitionActor, topology, partition: 0, owner: 'w', settings: null, clock: systemClock, logger: quietLogger().logger }
    const host = new PartitionHost({ connection: admin, ...about })
    await eventually('the first message is committed', () => host.committed.seq === 1)
    await host.stop()
    const ran = await run(process.execPath, [join(root, 'cmd/replay.ts'), '--nats', nats.urlOf('reader'), '--data', '/nowhere'])
    expect(ran).toMatchObject({ code: 0, err: 'The log of outer servers.\n' })
    expect(ran.out).toMatch(/^commit 2 .* messages to 1 \(1\), \d+ bytes: identical\n {2}no rows; 0 readings accepted so far, 0 series with open windows\nPartition 0: 1 message /)
  } finally {
    await nats.stop()
  }
})

test('a folder without a log is refused, and nothing is made in it', async () => {
  const ran = await run(process.execPath, [join(root, 'cmd/replay.ts'), '--data', join(system.dataDir, 'lake')])
  expect(ran).toMatchObject({ code: 1, err: expect.stringContaining('Name the data folder with --data') })
})
