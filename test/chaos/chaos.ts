/**
 * A run of chaos: real processes under load, to which a plan is done; then everything is let heal, and both lakes must hold exactly what was
 * acknowledged.
 *
 * Owns how a deed is done and what counts as wrong. Leaves what is done when to plan.ts, and the processes to fleet.ts.
 *
 * Wrong is: a reading that is missing, there twice, or from nowhere; windows that are not what SQL over the readings gives; a ledger that does
 * not add up; a results log in which an epoch or a position steps back; a process that ends without being told to, or that was told to and
 * does not end in good order; an answer to a sender that is none of the promised ones; a lake that does not settle.
 *
 * A process that could not start as the log's server was killed meanwhile is started again, as a supervisor does: it had not yet begun its work.
 */

import { systemClock } from '../../runtime/clock.ts'
import { Fleet } from '../support/fleet.ts'
import type { FleetProcess } from '../support/fleet.ts'
import { Senders } from '../support/senders.ts'
import { EDGES, inWords, planOf, STORES, workersAtStart } from './plan.ts'
import type { Deed, PlanOptions } from './plan.ts'

export interface ChaosOutcome {
  /** What is wrong, in words; empty where all is right. */
  readonly wrong: string[]
  readonly deeds: Readonly<Record<string, number>>
  /** Readings, duplicates among them. */
  readonly acknowledged: number
  /** Different readings. */
  readonly readings: number
  readonly retries: number
  readonly repeats: number
  /** Processes started once more, since the log's server was killed while they started. */
  readonly restarts: number
  readonly claims: number
  readonly commits: number
  /** From the last deed until both lakes were settled. */
  readonly settledMs: number
}

export async function runChaos(options: PlanOptions & { say: (line: string) => void }): Promise<ChaosOutcome> {
  const fleet = await Fleet.install()
  try {
    return await new Chaos(fleet, options).run()
  } finally {
    await fleet.remove()
  }
}

class Chaos {
  #fleet: Fleet
  #options: PlanOptions & { say: (line: string) => void }
  #wrong: string[] = []
  #deeds: Record<string, number> = {}
  #workers = new Map<string, FleetProcess>()
  #edges: FleetProcess[] = []
  #stores: FleetProcess[] = []
  #senders: Senders | null = null
  #serverKilledMs = -Infinity
  #restarts = 0
  /** What goes on beside the plan, by what it is done to: deeds to one thing wait for each other. */
  #underWay = new Map<string, Promise<unknown>>()

  constructor(fleet: Fleet, options: PlanOptions & { say: (line: string) => void }) {
    this.#fleet = fleet
    this.#options = options
  }

  async run(): Promise<ChaosOutcome> {
    const { seed, durationMs, workers, say } = this.#options
    const fleet = this.#fleet
    this.#edges = Array.from({ length: EDGES }, () => fleet.startEdge())
    this.#stores = STORES.map((name) => fleet.startStore(name))
    for (const { name, deno } of workersAtStart(workers)) this.#workers.set(name, fleet.startWorker(name, { deno }))
    await fleet.fact('edges take readings and stores answer', () => [...this.#edges, ...this.#stores].every((process) => fleet.urlOf(process) !== null))
    await fleet.fact('the workers share the partitions', () => fleet.sharedBy(...this.#workers.values()))
    const senders = new Senders(fleet, this.#edges, { seed })
    this.#senders = senders

    const beganMs = performance.now()
    const watched = new AbortController()
    const watch = this.#watch(watched.signal)
    for (const { atMs, deed } of planOf(this.#options)) {
      await systemClock.sleep(Math.max(0, atMs - (performance.now() - beganMs)))
      say(`${((performance.now() - beganMs) / 1_000).toFixed(1).padStart(6)} s  ${inWords(deed)}`)
      this.#deeds[deed.kind] = (this.#deeds[deed.kind] ?? 0) + 1
      this.#do(deed)
    }
    await systemClock.sleep(Math.max(0, durationMs - (performance.now() - beganMs)))

    say(`${((performance.now() - beganMs) / 1_000).toFixed(1).padStart(6)} s  the last deed is done; everything heals`)
    while (this.#underWay.size > 0) await Promise.all(this.#underWay.values())
    await this.#attempt(() => senders.stop())
    const healMs = performance.now()
    await this.#attempt(() => fleet.fact('the workers share the partitions again', () => fleet.sharedBy(...this.#workers.values()), 120_000))
    for (const store of this.#stores) await this.#attempt(async () => this.#wrong.push(...(await fleet.faultsOf(store, senders.account))))
    const settledMs = performance.now() - healMs
    watched.abort()
    await watch
    this.#wrong.push(...fleet.journal.breaches)
    for (const { role, name, child, output } of fleet.deserters()) {
      this.#wrong.push(`${role} ${name} ended by itself, by ${child.signalCode ?? `exit code ${child.exitCode}`}: ${output().slice(-2_000)}`)
    }
    await Promise.all([...this.#workers.values(), ...this.#edges].map((process) => this.#endInOrder(process)))
    await Promise.all(this.#stores.map((process) => this.#endInOrder(process)))

    const { entries } = fleet.journal
    return {
      wrong: this.#wrong,
      deeds: this.#deeds,
      acknowledged: senders.account.acknowledged,
      readings: senders.account.must.size,
      retries: senders.retries,
      repeats: senders.repeats,
      restarts: this.#restarts,
      claims: entries.filter((entry) => entry.kind === 'claim').length,
      commits: entries.filter((entry) => entry.kind === 'commit').length,
      settledMs,
    }
  }

  #do(deed: Deed): void {
    const fleet = this.#fleet
    switch (deed.kind) {
      case 'join':
        this.#workers.set(deed.worker, fleet.startWorker(deed.worker, { deno: deed.deno }))
        break
      case 'kill':
      case 'leave': {
        const worker = this.#workers.get(deed.worker)!
        this.#workers.delete(deed.worker)
        this.#beside(deed.worker, () => (deed.kind === 'kill' ? fleet.end(worker, 'SIGKILL') : this.#endInOrder(worker)))
        break
      }
      case 'freeze': {
        const { child } = this.#workers.get(deed.worker)!
        child.kill('SIGSTOP')
        this.#beside(`${deed.worker} asleep`, async () => {
          await systemClock.sleep(deed.forMs)
          child.kill('SIGCONT')
        })
        break
      }
      case 'edge':
        this.#beside(`edge ${deed.index}`, async () => {
          await this.#endBy(this.#edges[deed.index], deed.signal)
          this.#edges[deed.index] = fleet.startEdge()
          this.#senders!.edges = [...this.#edges]
        })
        break
      case 'store':
        this.#beside(`store ${deed.index}`, async () => {
          await this.#endBy(this.#stores[deed.index], deed.signal)
          this.#stores[deed.index] = fleet.startStore(STORES[deed.index])
        })
        break
      case 'server':
        this.#beside('server', async () => {
          this.#serverKilledMs = performance.now()
          await fleet.nats.kill()
          await systemClock.sleep(deed.awayMs)
          await fleet.nats.restart()
        })
        break
    }
  }

  /** Starts again what ended at its start, as a supervisor does. */
  async #watch(signal: AbortSignal): Promise<void> {
    const fleet = this.#fleet
    for (; !signal.aborted; await systemClock.sleep(200, signal)) {
      for (const ended of fleet.deserters()) {
        const hadBegun = /worker joined|takes readings on|serves the lake on/.test(ended.output())
        if (hadBegun || this.#serverKilledMs < ended.startedMs) continue
        ended.asked = true
        this.#restarts++
        const { role, name, deno } = ended
        this.#options.say(`          ${role} ${name} could not start without nats-server, and starts again`)
        if (role === 'worker' && this.#workers.get(name) === ended) this.#workers.set(name, fleet.startWorker(name, { deno }))
        else if (role === 'edge' && this.#edges.includes(ended)) this.#edges[this.#edges.indexOf(ended)] = fleet.startEdge()
        else if (role === 'store' && this.#stores.includes(ended)) this.#stores[this.#stores.indexOf(ended)] = fleet.startStore(name)
        this.#senders!.edges = [...this.#edges]
      }
    }
  }

  /** Does it after what is under way for `what`, while the plan goes on. */
  #beside(what: string, run: () => Promise<unknown>): void {
    const before = this.#underWay.get(what) ?? Promise.resolve()
    const done = before.then(() => this.#attempt(run)).then(() => {
      if (this.#underWay.get(what) === done) this.#underWay.delete(what)
    })
    this.#underWay.set(what, done)
  }

  #endBy(process: FleetProcess, signal: NodeJS.Signals): Promise<unknown> {
    return signal === 'SIGTERM' ? this.#endInOrder(process) : this.#fleet.end(process, signal)
  }

  async #endInOrder(process: FleetProcess): Promise<void> {
    // It is named among those that ended by themselves.
    if (this.#fleet.deserters().includes(process)) return
    const code = await this.#fleet.end(process, 'SIGTERM')
    // One that was told to end before it could hear the signal is killed by it.
    const { child, role, name, output } = process
    if (code === 0 || (child.signalCode === 'SIGTERM' && output() === '')) return
    this.#wrong.push(`${role} ${name} did not end in good order, but by ${child.signalCode ?? `exit code ${code}`}: ${output().slice(-2_000)}`)
  }

  async #attempt(run: () => Promise<unknown>): Promise<void> {
    try {
      await run()
    } catch (error) {
      this.#wrong.push(error instanceof Error ? (error.stack ?? error.message) : String(error))
    }
  }
}
