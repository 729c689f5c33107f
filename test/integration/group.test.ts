/**
 * A group of real workers, on Node and on Deno, over a real server: members join, are killed and leave, and every message is in
 * exactly one commit.
 */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeEffects } from '../../actors/partition/effects.ts'
import { encodeBlock } from '../../actors/reading/input.ts'
import { MINUTE_MS } from '../../actors/reading/window.ts'
import { systemClock } from '../../runtime/clock.ts'
import { JournalReader } from '../../runtime/journal.ts'
import type { Commit, JournalHeader } from '../../runtime/journal.ts'
import type { Connection, LogReader } from '../../runtime/log.ts'
import { Membership, runtimeName } from '../../runtime/membership.ts'
import type { Member } from '../../runtime/membership.ts'
import { ownersOf } from '../../runtime/ownership.ts'
import { inputSubject, partitionFor, RESULTS, topologyOf } from '../../runtime/topology.ts'
import { startTestNats } from '../support/nats.ts'
import type { TestNats } from '../support/nats.ts'
import { eventually } from '../support/system.ts'

const root = join(import.meta.dirname, '..', '..')
const topology = topologyOf(16)
const ROWS = 20
const DEVICES = 200

interface WorkerProcess {
  readonly child: ChildProcess
  readonly name: string
  readonly output: () => string
}

/** What the results log tells, as it comes. */
interface Told {
  readonly claims: { header: JournalHeader; atMs: number }[]
  readonly commits: Commit[]
}

let nats: TestNats
let connection: Connection
let membership: Membership
let reader: LogReader
let reading: Promise<void>
const told: Told = { claims: [], commits: [] }
const workers: WorkerProcess[] = []

function startWorker(runtime: 'node' | 'deno', name: string, flags: string[] = []): WorkerProcess {
  const program = join(root, 'cmd', 'worker.ts')
  const args = ['--nats', nats.url, '--partitions', String(topology.partitions), '--name', name, '--lateness', '1s', '--idle', '5s', ...flags]
  const child =
    runtime === 'node'
      ? spawn(process.execPath, [program, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
      : spawn(join(root, 'node_modules', '.bin', 'deno'), ['run', '-A', program, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk) => (output += chunk))
  const worker = { child, name, output: () => output }
  workers.push(worker)
  return worker
}

async function end(worker: WorkerProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (worker.child.exitCode !== null || worker.child.signalCode !== null) return worker.child.exitCode
  const gone = once(worker.child, 'exit')
  worker.child.kill(signal)
  const [code] = await gone
  return code as number | null
}

/** The members that run, by the name that they were started with. */
const members = (): Map<string, Member> => new Map(membership.view('worker').map((m) => [m.id.replace(/(-t\d+)?-[0-9a-f]{6}$/, ''), m]))

/** Whether the workers of these names are the group, and each partition is held by the one that should, and by no other. */
function sharedBy(...names: string[]): boolean {
  const present = membership.view('worker')
  if (!names.every((name) => members().has(name)) || [...members().keys()].some((name) => !names.includes(name))) return false
  const owners = ownersOf(topology.partitions, present.map((m) => m.id))
  const held = present.flatMap((m) => m.partitions.map((p) => ({ id: m.id, partition: p.partition })))
  return held.length === topology.partitions && held.every(({ id, partition }) => owners.get(partition) === id)
}

/** A device of each partition and more, readings a second apart from ten minutes ago on; gives the count of rows so far. */
class Feed {
  readonly lastSeq = new Map<number, number>()
  rows = 0
  #running = false
  #done: Promise<void> = Promise.resolve()
  #round = 0
  #startMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - 10 * MINUTE_MS

  start(): void {
    this.#running = true
    this.#done = (async () => {
      while (this.#running) {
        await this.#send(this.#round++)
        await systemClock.sleep(25)
      }
    })()
  }

  async stop(): Promise<void> {
    this.#running = false
    await this.#done
  }

  async #send(round: number): Promise<void> {
    const publishes = []
    for (let d = round % 10; d < DEVICES; d += 10) {
      const device = `field/probe-${d}`
      const partition = partitionFor(topology, 'default', device)
      const ts = Float64Array.from({ length: ROWS }, (_, i) => this.#startMs + (Math.floor(round / 10) * ROWS + i) * 500)
      const value = Float64Array.from({ length: ROWS }, (_, i) => 20 + Math.sin(round + i) + i / 1_000)
      const data = encodeBlock({
        tenant: 'default',
        devices: [device],
        metrics: ['soil_moisture'],
        seriesDevice: Uint16Array.of(0),
        seriesMetric: Uint16Array.of(0),
        row: new Uint16Array(ROWS),
        ts,
        value,
        keyed: [],
      })
      publishes.push(
        connection.log.publish(inputSubject(partition), data).then(({ seq }) => {
          this.lastSeq.set(partition, Math.max(seq, this.lastSeq.get(partition) ?? 0))
          this.rows += ROWS
        }),
      )
    }
    await Promise.all(publishes)
  }
}

/** Time from `sinceMs` until the last of a member's partitions was claimed by another. */
async function takenOver(member: Member, sinceMs: number): Promise<number> {
  let last = 0
  for (const { partition } of member.partitions) {
    const claim = await eventually(`partition ${partition} is taken over`, () =>
      told.claims.find(({ header, atMs }) => header.partition === partition && atMs >= sinceMs && header.owner !== member.id),
    )
    last = Math.max(last, claim.atMs - sinceMs)
  }
  return Math.round(last)
}

describe('a group of workers on Node and Deno', () => {
  beforeAll(async () => {
    nats = await startTestNats()
    connection = await nats.connect('watcher')
    const self: Member = { id: 'watcher', role: 'edge', url: null, runtime: runtimeName(), pid: process.pid, startedAt: 0, partitions: [] }
    membership = new Membership({ bus: connection.bus, clock: systemClock, self, connected: () => connection.connected() })
    membership.start()
  })

  afterAll(async () => {
    await Promise.all(workers.map((worker) => end(worker, 'SIGKILL')))
    membership.stop()
    await reader?.close()
    await reading
    await nats.stop()
  })

  it('covers every message by exactly one commit, whoever joins, is killed, or leaves, and though the server is killed', async () => {
    startWorker('node', 'one')
    const two = startWorker('node', 'two')
    const three = startWorker('deno', 'three')
    await eventually('three workers share the partitions', () => sharedBy('one', 'two', 'three')).catch((error) => {
      throw new Error(workers.map((w) => `${w.name}: ${w.output()}`).join('\n'), { cause: error })
    })
    expect(members().get('three')!.runtime).toBe('deno')
    expect(members().get('three')!.partitions.length).toBeGreaterThan(0)

    reader = connection.log.read({ stream: RESULTS, fromSeq: 1 })
    const journal = new JournalReader()
    reading = (async () => {
      for await (const message of reader) {
        const got = journal.accept(message)
        if (got && 'claim' in got) told.claims.push({ header: got.claim, atMs: performance.now() })
        else if (got) told.commits.push(got.commit)
      }
    })()
    const feed = new Feed()
    feed.start()
    await eventually('some of it is committed', () => told.commits.length > 50)

    const killed = members().get('two')!
    let sinceMs = performance.now()
    await end(two, 'SIGKILL')
    console.log(`take-over of ${killed.partitions.length} partitions after SIGKILL: ${await takenOver(killed, sinceMs)} ms`)
    await eventually('two workers share the partitions', () => sharedBy('one', 'three'))

    sinceMs = performance.now()
    startWorker('node', 'four', ['--threads', '2'])
    const joined = await eventually('the joiner is heard', () => members().get('four'))
    const heardMs = performance.now()
    await eventually('three workers share the partitions again', () => sharedBy('one', 'three', 'four'))
    const [afterHello, afterStart] = [heardMs, sinceMs].map((ms) => Math.round(performance.now() - ms))
    console.log(`share of a joiner complete ${afterHello} ms after its hello, ${afterStart} ms after its process was started`)
    expect(joined.runtime).toBe('node')

    const leaving = members().get('three')!
    sinceMs = performance.now()
    expect(await end(three, 'SIGTERM')).toBe(0)
    console.log(`take-over of ${leaving.partitions.length} partitions after SIGTERM: ${await takenOver(leaving, sinceMs)} ms`)
    await eventually('two workers share the partitions at the end', () => sharedBy('one', 'four'))

    await feed.stop()
    const claims = told.claims.length
    await nats.restart()
    await eventually('the connection is back', () => connection.connected())
    feed.start()
    const commits = told.commits.length
    await eventually('commits go on after the restart of the server', () => told.commits.length > commits + topology.partitions)
    await feed.stop()
    console.log(`claims because of a restart of the server: ${told.claims.length - claims}`)
    const newest = (partition: number) => told.commits.findLast((c) => c.header.partition === partition)
    await eventually('every message is covered', () => [...feed.lastSeq].every(([p, seq]) => (newest(p)?.header.position.seq ?? 0) >= seq))
    await eventually('every window is closed', () => [...feed.lastSeq.keys()].every((p) => decodeEffects(newest(p)!.payload).pending === 0))

    // Positions only grow, within ever newer epochs: so commits cut the input into pieces, and no message is in two.
    const reached = new Map<number, { seq: number; epoch: number }>()
    const counted = new Map<string, number>()
    let accepted = 0
    let old = 0
    for (const { header, payload } of told.commits) {
      const before = reached.get(header.partition) ?? { seq: 0, epoch: 0 }
      expect(header.epoch).toBeGreaterThanOrEqual(before.epoch)
      expect(header.position.seq).toBeGreaterThanOrEqual(before.seq)
      const effects = decodeEffects(payload)
      for (const fate of effects.fates) {
        expect(fate.seq).toBeGreaterThan(before.seq)
        expect(fate.seq).toBeLessThanOrEqual(header.position.seq)
        expect(fate.duplicate.length + fate.expired.length).toBe(0)
        old += fate.old.length
      }
      for (const window of effects.windows) {
        if (window.size !== 0 || window.closedBy === 'open') continue
        const key = `${effects.series[window.series].device} ${window.start}`
        expect(counted.has(key)).toBe(false)
        counted.set(key, window.count)
      }
      reached.set(header.partition, { seq: header.position.seq, epoch: header.epoch })
    }
    for (const partition of feed.lastSeq.keys()) accepted += decodeEffects(newest(partition)!.payload).accepted
    expect(accepted).toBe(feed.rows)
    expect([...counted.values()].reduce((sum, count) => sum + count, 0) + old).toBe(feed.rows)
    console.log(`${feed.rows} readings in ${told.commits.length} commits and ${told.claims.length} claims, ${old} after their window's close`)
  })
})
