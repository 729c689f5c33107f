/**
 * How long a partition stands still when the group of workers changes, under steady load: real processes, on Node and on Deno, that are killed,
 * told to end, frozen, and joined by new ones.
 *
 * All times are of the results log itself, which a reader of it has: a claim or a commit with the log's own time. A commit counts where it covers
 * new input.
 *
 * - after SIGKILL, SIGTERM, SIGSTOP: from the signal until a partition of the victim commits under another owner, for each of its partitions.
 *   Nobody says bye for the victim, as `weir up` would.
 * - pause of a moved partition: from the last commit of the owner before until the first of the next one, for each partition that a joiner takes or
 *   a leaver (SIGTERM) hands over. A joiner is a new process, or a frozen one that goes on.
 * - between commits: the same pause where nothing moves, so that it is known what of the pause is due to moving.
 *
 * It also holds the group to moving nothing but what must move, and ends with an error where something else did.
 *
 * It leaves out stores, several machines, and partitions of very many series: here 5,000 devices are in 16 partitions.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { ownersOf } from '../../runtime/ownership.ts'
import { Fleet } from '../support/fleet.ts'
import type { FleetProcess } from '../support/fleet.ts'
import { seeded } from '../support/random.ts'
import type { Bench, BenchRow } from './bench.ts'
import type { LoadOrder } from './load.ts'

const READINGS_PER_S = 20_000
const WORKERS = 3
/** Commits under steady load before each event, so that it finds one. */
const STEADY_COMMITS = 64

type Change = 'SIGKILL' | 'SIGTERM' | 'SIGSTOP'

class Elasticity {
  readonly samples = { SIGKILL: [] as number[], SIGTERM: [] as number[], SIGSTOP: [] as number[], join: [] as number[], leave: [] as number[], steady: [] as number[] }
  readonly events = { SIGKILL: 0, SIGTERM: 0, SIGSTOP: 0, join: 0 }
  #fleet: Fleet
  #workers: FleetProcess[] = []
  #born = 0
  #draw = seeded(11)

  constructor(fleet: Fleet) {
    this.#fleet = fleet
  }

  async begin(): Promise<void> {
    for (let i = 0; i < WORKERS; i++) this.#start()
    await this.#shared()
  }

  /** A victim of `change` is drawn, and then there are as many as before again. */
  async round(change: Change): Promise<void> {
    await this.#steady()
    const victim = this.#workers[Math.floor(this.#draw() * this.#workers.length)]
    await this.#lose(victim, change)
    await this.#steady()
    await this.#join(() => (change === 'SIGSTOP' ? (victim.child.kill('SIGCONT'), victim) : this.#start()))
  }

  #start(): FleetProcess {
    const n = ++this.#born
    const worker = this.#fleet.startWorker(`w${n}`, { deno: n % 3 === 0 })
    this.#workers.push(worker)
    return worker
  }

  #shared(): Promise<true> {
    return this.#fleet.fact('the workers share the partitions', () => this.#fleet.sharedBy(...this.#workers)) as Promise<true>
  }

  /** Waits until every partition commits, and measures from one commit to the next while nothing moves. */
  async #steady(): Promise<void> {
    const { journal, partitions } = this.#fleet
    const from = journal.entries.length
    const commits = () => journal.entries.slice(from).filter((entry) => entry.onward)
    await this.#fleet.fact('every partition commits', () => {
      const found = commits()
      return found.length >= STEADY_COMMITS && new Set(found.map((entry) => entry.partition)).size === partitions
    })
    const last = new Map<number, number>()
    for (const { partition, timeMs } of commits()) {
      const before = last.get(partition)
      if (before !== undefined) this.samples.steady.push(timeMs - before)
      last.set(partition, timeMs)
    }
  }

  async #lose(victim: FleetProcess, change: Change): Promise<void> {
    const { journal, membership } = this.#fleet
    const { id } = this.#fleet.memberOf(victim)!
    const others = membership.view('worker').map((member) => member.id).filter((other) => other !== id)
    const from = journal.entries.length
    const theirs = journal.ownedBy(id)
    this.#workers = this.#workers.filter((worker) => worker !== victim)
    const atMs = Date.now()
    if (change === 'SIGSTOP') victim.child.kill(change)
    else void this.#fleet.end(victim, change)
    await this.#shared()
    const owners = ownersOf(this.#fleet.partitions, others)
    for (const partition of theirs) {
      const first = await this.#fleet.fact(`partition ${partition} goes on`, () => journal.firstByAnother(partition, id, from))
      this.samples[change].push(first.timeMs - atMs)
      if (change === 'SIGTERM') this.samples.leave.push(first.timeMs - journal.lastBefore(first)!.timeMs)
    }
    this.#expectMoves(from, new Map(theirs.map((partition) => [partition, owners.get(partition)!])))
    this.events[change]++
    if (change === 'SIGSTOP') this.#workers.push(victim)
    else await this.#fleet.fact('the victim is gone', () => victim.child.exitCode !== null || victim.child.signalCode !== null)
  }

  async #join(start: () => FleetProcess): Promise<void> {
    const { journal } = this.#fleet
    const from = journal.entries.length
    const joiner = start()
    await this.#shared()
    const { id } = this.#fleet.memberOf(joiner)!
    const ids = this.#fleet.membership.view('worker').map((member) => member.id)
    const share = [...ownersOf(this.#fleet.partitions, ids)].filter(([, owner]) => owner === id).map(([partition]) => partition)
    for (const partition of share) {
      const find = () => journal.entries.slice(from).find((e) => e.partition === partition && e.onward && e.owner === id)
      const first = await this.#fleet.fact(`partition ${partition} goes on under the joiner`, find)
      this.samples.join.push(first.timeMs - journal.lastBefore(first)!.timeMs)
    }
    this.#expectMoves(from, new Map(share.map((partition) => [partition, id])))
    this.events.join++
  }

  /** One claim for each partition that must move, by the one that must have it, and none else. */
  #expectMoves(from: number, wanted: ReadonlyMap<number, string>): void {
    const claims = this.#fleet.journal.claimsFrom(from).map(({ partition, owner }) => `${partition} to ${owner}`)
    assert.deepEqual(claims.sort(), [...wanted].map(([partition, owner]) => `${partition} to ${owner}`).sort(), 'what moved must be what had to move')
  }
}

function startLoad(url: string, key: string): ChildProcess {
  const order: LoadOrder = { url, key, kind: 'columns', seconds: 24 * 3_600, connections: 4, rate: READINGS_PER_S }
  return spawn(process.execPath, [join(import.meta.dirname, 'load.ts'), JSON.stringify(order)], { stdio: ['ignore', 'ignore', 'inherit'] })
}

function rowsOf(name: string, values: number[], events: number | null): BenchRow[] {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (q: number) => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]
  const hash = events === null ? `${sorted.length} pauses` : `${sorted.length} partitions, ${events} events`
  return (['p50', 'p99', 'max'] as const).map((what) => {
    return { name: `${name}: ${what}`, value: at(what === 'p50' ? 0.5 : what === 'p99' ? 0.99 : 1), unit: 'ms', hash }
  })
}

export const run: Bench = async ({ size }) => {
  const rounds = Number(process.env.WEIR_BENCH_ROUNDS ?? (size === 'real' ? 50 : 1))
  const fleet = await Fleet.install()
  let load: ChildProcess | null = null
  try {
    const edge = fleet.startEdge()
    const bench = new Elasticity(fleet)
    await bench.begin()
    load = startLoad(await fleet.fact('the edge takes readings', () => fleet.urlOf(edge)), fleet.secret)
    for (let i = 0; i < rounds; i++) for (const change of ['SIGKILL', 'SIGTERM', 'SIGSTOP'] as const) await bench.round(change)
    assert.deepEqual(fleet.journal.breaches, [])
    console.log(`load of the machine over the last 15 minutes: ${loadavg()[2].toFixed(1)}`)
    const { samples, events } = bench
    return [
      ...rowsOf('after SIGKILL, to the first commit of another', samples.SIGKILL, events.SIGKILL),
      ...rowsOf('after SIGTERM, to the first commit of another', samples.SIGTERM, events.SIGTERM),
      ...rowsOf('after SIGSTOP, to the first commit of another', samples.SIGSTOP, events.SIGSTOP),
      ...rowsOf('pause of a partition that a joiner takes', samples.join, events.join),
      ...rowsOf('pause of a partition that a leaver hands over', samples.leave, events.SIGTERM),
      ...rowsOf('between commits, nothing moving', samples.steady, null),
    ]
  } finally {
    load?.kill('SIGKILL')
    await fleet.remove()
  }
}

if (import.meta.main) {
  const { printRows } = await import('./bench.ts')
  printRows(await run({ size: process.argv.includes('--smoke') ? 'smoke' : 'real' }))
  process.exit(0)
}
