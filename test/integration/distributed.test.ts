/**
 * Weir on several machines, as far as one machine can show it: edges, workers on Node and on Deno, and two stores with a lake each, all of
 * them processes of their own that meet at an outer server of the log and nowhere else. Whatever is killed, or sleeps and wakes as a
 * zombie, both lakes hold in the end exactly what was acknowledged.
 */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeSettings } from '../../actors/reading/input.ts'
import { systemClock } from '../../runtime/clock.ts'
import { ensureInstallation } from '../../runtime/installation.ts'
import { JournalReader } from '../../runtime/journal.ts'
import type { JournalHeader } from '../../runtime/journal.ts'
import { Keyring } from '../../runtime/keys.ts'
import type { Connection, LogReader } from '../../runtime/log.ts'
import { Membership, runtimeName } from '../../runtime/membership.ts'
import type { Member } from '../../runtime/membership.ts'
import { ownersOf } from '../../runtime/ownership.ts'
import { BUCKET_KEYS, RESULTS } from '../../runtime/topology.ts'
import { lawBreakers } from '../support/law.ts'
import { startTestNats } from '../support/nats.ts'
import type { TestNats } from '../support/nats.ts'
import { Account, disorderedStream } from '../support/stream.ts'
import type { Sent } from '../support/stream.ts'
import { eventually } from '../support/system.ts'

const root = join(import.meta.dirname, '..', '..')
const PARTITIONS = 16
const SENDERS = 4
const ROLES = ['edge', 'worker', 'store'] as const
type Role = (typeof ROLES)[number]

interface Process {
  readonly role: Role
  readonly child: ChildProcess
  readonly output: () => string
}

let nats: TestNats
let connection: Connection
let membership: Membership
let reader: LogReader
let reading: Promise<void>
let secret: string
let folder: string
let claims: { header: JournalHeader; atMs: number }[]
let started: Process[]

/** An installation on a server of its own, with a key, and somebody who sees its members and its claims. */
async function install(roles: boolean): Promise<void> {
  started = []
  claims = []
  folder = mkdtempSync(join(tmpdir(), 'weir-distributed-'))
  nats = await startTestNats({ roles })
  connection = await nats.connect('watcher')
  const settings = encodeSettings({ latenessMs: 2_000, idleMs: 4_000, retentionMs: 0 })
  await ensureInstallation(connection, { partitions: PARTITIONS, replicas: 1, bytesMax: -1, firstMessage: settings, clock: systemClock })
  const keyring = await Keyring.open(await connection.kv(BUCKET_KEYS), systemClock)
  secret = (await keyring.create({ tenant: 'default', role: 'admin' })).secret
  keyring.close()
  const self: Member = { id: 'watcher', role: 'edge', url: null, runtime: runtimeName(), pid: process.pid, startedAt: 0, partitions: [] }
  membership = new Membership({ bus: connection.bus, clock: systemClock, self, connected: () => connection.connected() })
  membership.start()
  reader = connection.log.read({ stream: RESULTS, fromSeq: 1 })
  const journal = new JournalReader()
  reading = (async () => {
    for await (const message of reader) {
      const got = journal.accept(message)
      if (got && 'claim' in got) claims.push({ header: got.claim, atMs: performance.now() })
    }
  })()
}

afterEach(async () => {
  await Promise.all(started.map((process) => end(process, 'SIGKILL')))
  membership?.stop()
  await reader?.close()
  await reading
  await nats?.stop()
  // A lake's writer outlives its killed parent for the moment of its last seal.
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
})

function start(role: Role, flags: string[], { deno = false, url = nats.url } = {}): Process {
  const args = [join(root, 'cmd', `${role}.ts`), '--nats', url, '--port', '0', ...flags]
  const [command, before] = deno ? [join(root, 'node_modules', '.bin', 'deno'), ['run', '-A']] : [process.execPath, []]
  const child = spawn(command, [...before, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk) => (output = (output + chunk).slice(-20_000)))
  const found = { role, child, output: () => output }
  started.push(found)
  return found
}

const startWorker = (name: string, options: { deno?: boolean; url?: string } = {}) =>
  start('worker', ['--name', name, '--lateness', '2s', '--idle', '4s'], options)
const lakeOf = (name: string) => join(folder, name)
const startStore = (name: string, options: { url?: string } = {}) => start('store', ['--name', name, '--data', lakeOf(name)], options)

async function end({ child }: Process, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }
  return child.exitCode
}

/** Waits for a fact; where it does not come, says what the processes said. */
async function fact<T>(what: string, probe: () => Promise<T> | T, timeoutMs = 60_000): Promise<NonNullable<T>> {
  return eventually(what, probe, timeoutMs).catch((error) => {
    const said = started.map(({ role, child, output }) => `${role} ${child.pid}: ${output().slice(-2_000)}`)
    throw new Error(`${what}\n${said.join('\n')}`, { cause: error })
  })
}

const memberOf = ({ role, child }: Process) => membership.view(role).find((m) => m.pid === child.pid) ?? null
const urlOf = (process: Process) => memberOf(process)?.url ?? null
const within = (sinceMs: number) => `${Math.round(performance.now() - sinceMs)} ms`

/** Whether these workers are the group, and each partition is held by the one that should, and by no other. */
function sharedBy(...processes: Process[]): boolean {
  const present = membership.view('worker')
  const pids = processes.map(({ child }) => child.pid)
  if (present.length !== pids.length || !present.every((m) => pids.includes(m.pid))) return false
  const owners = ownersOf(PARTITIONS, present.map((m) => m.id))
  const held = present.flatMap((m) => m.partitions.map((p) => ({ id: m.id, partition: p.partition })))
  return held.length === PARTITIONS && held.every(({ id, partition }) => owners.get(partition) === id)
}

/** Time from `sinceMs` until the last of a member's partitions was claimed by another. */
async function takenOver({ id, partitions }: Member, sinceMs: number): Promise<string> {
  let lastMs = sinceMs
  for (const { partition } of partitions) {
    const claim = await fact(`partition ${partition} is taken over`, () =>
      claims.find(({ header, atMs }) => header.partition === partition && atMs >= sinceMs && header.owner !== id),
    )
    lastMs = Math.max(lastMs, claim.atMs)
  }
  return `${partitions.length} partitions, ${Math.round(lastMs - sinceMs)} ms`
}

/** Posts the stream through all edges in turn until it is told to stop; every batch is sent until it is acknowledged. */
class Senders {
  readonly account = new Account()
  edges: Process[]
  retries = 0
  repeats = 0
  #stream = disorderedStream({ seed: 20_260_701, devices: 60, batch: 100, startMs: Date.UTC(2026, 0, 1) })
  #next = 0
  #stopped = false
  #done: Promise<unknown>

  constructor(edges: Process[]) {
    this.edges = edges
    this.#done = Promise.all(Array.from({ length: SENDERS }, () => this.#run()))
    this.#done.catch(() => {})
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#done
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const index = this.#next++
      const batch = this.#stream.next().value
      // A third of the devices names its requests, so that a retry on another edge is known as one.
      const key = index % 3 === 0 ? `batch-${index}` : null
      for (let attempt = 0; !(await this.#post(index + attempt, batch, key)); attempt++) {
        this.retries++
        await systemClock.sleep(100)
      }
      this.account.acknowledge(batch)
      // The answer was lost on its way, for all that this device knows: once more, by the other edge.
      if (index % 9 === 0 && (await this.#post(index + 1, batch, key))) this.repeats++
      await systemClock.sleep(60)
    }
  }

  async #post(turn: number, batch: Sent[], key: string | null): Promise<boolean> {
    const url = urlOf(this.edges[turn % this.edges.length])
    if (url === null) return false
    const named: Record<string, string> = key === null ? {} : { 'idempotency-key': key }
    const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/json', ...named }
    const request = { method: 'POST', headers, body: JSON.stringify(batch), signal: AbortSignal.timeout(5_000) }
    const answer = await fetch(`${url}/v1/readings`, request).then(async (r) => ({ status: r.status, text: await r.text() }), () => null)
    if (answer === null) return false
    if (answer.status === 202) expect(JSON.parse(answer.text)).toEqual({ accepted: batch.length, rejected: [] })
    else expect(answer.status, answer.text).toBe(503)
    return answer.status === 202
  }
}

async function ask<T>(process: Process, path: string): Promise<T> {
  const response = await fetch(`${urlOf(process)}${path}`, { headers: { authorization: `Bearer ${secret}` } })
  expect(response.status).toBe(200)
  return (await response.json()) as T
}

async function settledAndRight(store: Process, name: string, account: Account): Promise<void> {
  await fact(`${name} is settled`, async () => (await ask<{ settled: boolean }>(store, '/v1/status')).settled)
  expect(await account.against(lakeOf(name))).toEqual({ doubled: 0, strangers: 0, missing: 0 })
  expect(await lawBreakers(lakeOf(name))).toEqual([])
  const ledger = await ask<Record<string, number>>(store, '/v1/ledger')
  expect(ledger.accepted).toBe(ledger.onTime + ledger.late + ledger.duplicate + ledger.expired)
  expect(ledger.onTime + ledger.late).toBe(account.must.size)
}

describe('processes that meet at an outer log', () => {
  beforeEach(() => install(false))

  test('fill two lakes with exactly what was acknowledged, whatever joins, dies, or wakes as a zombie', async () => {
    const edges = [start('edge', []), start('edge', [])]
    const [one, two, three] = [startWorker('one'), startWorker('two'), startWorker('three', { deno: true })]
    const stores = [startStore('north'), startStore('south')]
    await fact('edges take readings and stores answer', () => [...edges, ...stores].every((process) => urlOf(process) !== null))
    await fact('three workers share the partitions', () => sharedBy(one, two, three))
    expect(memberOf(three)!.runtime).toBe('deno')
    const senders = new Senders(edges)
    await fact('readings are acknowledged', () => senders.account.acknowledged > 3_000)

    let sinceMs = performance.now()
    const four = startWorker('four')
    await fact('the joiner is heard', () => memberOf(four))
    const heardMs = performance.now()
    await fact('the joiner has its share', () => sharedBy(one, two, three, four))
    console.log(`share of a joiner: ${within(heardMs)} after its hello, ${within(sinceMs)} after its start`)

    const killed = memberOf(one)!
    sinceMs = performance.now()
    await end(one, 'SIGKILL')
    console.log(`take-over after SIGKILL of a worker: ${await takenOver(killed, sinceMs)}`)
    await fact('three workers share the partitions again', () => sharedBy(two, three, four))

    const zombie = memberOf(two)!
    sinceMs = performance.now()
    two.child.kill('SIGSTOP')
    console.log(`take-over after SIGSTOP of a worker: ${await takenOver(zombie, sinceMs)}`)
    await systemClock.sleep(Math.max(0, 4_000 - (performance.now() - sinceMs)))
    two.child.kill('SIGCONT')
    sinceMs = performance.now()
    await fact('the zombie has its share again', () => sharedBy(two, three, four))
    console.log(`share of a zombie: ${within(sinceMs)} after it woke`)

    await end(edges[1], 'SIGKILL')
    for (const [i, name] of ['north', 'south'].entries()) {
      await end(stores[i], 'SIGKILL')
      stores[i] = startStore(name)
      await fact(`${name} answers again`, () => urlOf(stores[i]))
    }
    const third = start('edge', [])
    await fact('a third edge takes readings', () => urlOf(third))
    senders.edges = [edges[0], third]

    await fact('enough was sent', () => senders.account.acknowledged > 32_000)
    await senders.stop()
    const { account, retries, repeats } = senders
    for (const [i, name] of ['north', 'south'].entries()) await settledAndRight(stores[i], name, account)
    expect(repeats).toBeGreaterThan(0)
    const { acknowledged, must } = account
    console.log(`${acknowledged} readings acknowledged, ${must.size} different ones, ${retries} retries, ${repeats} repeats`)
    for (const process of [edges[0], third, two, three, four, ...stores]) expect(await end(process, 'SIGTERM'), process.output()).toBe(0)
  })
})

describe('processes that meet at a server with the rights of deploy/nats.conf', () => {
  beforeEach(() => install(true))

  test('do all of their work with them', async () => {
    const edge = start('edge', [], { url: nats.urlOf('edge') })
    const workers = [startWorker('one', { url: nats.urlOf('worker') }), startWorker('two', { url: nats.urlOf('worker') })]
    const store = startStore('north', { url: nats.urlOf('store') })
    await fact('all are there', () => urlOf(edge) !== null && urlOf(store) !== null && sharedBy(...workers))
    const senders = new Senders([edge])
    await fact('readings are acknowledged', () => senders.account.acknowledged > 1_000)
    await end(workers[0], 'SIGTERM')
    await fact('the other one has all partitions', () => sharedBy(workers[1]))
    await senders.stop()
    await settledAndRight(store, 'north', senders.account)
    for (const { output } of started) expect(output()).not.toMatch(/permission/i)
  })
})
