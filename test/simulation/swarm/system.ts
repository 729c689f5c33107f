/**
 * The simulated system: the real parts of Weir as processes on a simulated log, network, disks and clock, all drawn from one seed.
 *
 * Owns the processes and what may be done to them. Leaves what is tried to options.ts, what must hold to checks.ts and lake.ts, and the
 * course of a run to run.ts.
 *
 * - Y1 Fully determined by the options: nothing here reads a real clock, a real random number, or waits for real input.
 * - Y2 A fault only does what a machine, a network or an operator can do. Of what a part may count on (two snapshots are not harmed at once,
 *   a disk that synced keeps), nothing is taken away.
 */

import { pino } from 'pino'
import { partitionActor, partitionActorKnowing } from '../../../actors/partition/actor.ts'
import { startMember } from '../../../runtime/member.ts'
import type { RunningMember } from '../../../runtime/member.ts'
import type { MemoryDisk } from '../../../runtime/memory-disk.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import type { Mortal } from '../../../runtime/memory-mortal.ts'
import { ownersOf } from '../../../runtime/ownership.ts'
import { BUCKET_META, BUCKET_NOTIFY, BUCKET_SNAPSHOTS, inputStream, inputStreams, inputSubject, OWN, OWN_FIRST, partitionOf, RESULTS, resultsSubject } from '../../../runtime/topology.ts'
import type { Topology } from '../../../runtime/topology.ts'
import { decodeJournal } from '../../../runtime/journal.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { seeded } from '../../support/random.ts'
import { Recorder } from './checks.ts'
import { Clients } from './clients.ts'
import { SimEdge } from './edge.ts'
import type { Deed, Options } from './options.ts'
import { SimNotifier } from './notifier.ts'
import { SimOwn } from './own.ts'
import { OwnLaw } from './own-law.ts'
import { Process } from './process.ts'
import { SimReceiver } from './receiver.ts'
import { SimRules } from './rules.ts'
import { SimStore } from './store.ts'

const silent = pino({ level: 'silent' })
/** Where every run begins: a New Year, so that days and hours turn in some. */
const BEGIN_MS = Date.UTC(2026, 0, 1)

/** The actor of the version before flags. */
const formerActor = partitionActorKnowing([])

interface Worker {
  readonly process: Process
  readonly member: RunningMember
  readonly isFormer: boolean
  stopping: boolean
  readonly stop: () => Promise<void>
}

export class SimSystem {
  readonly options: Options
  readonly clock: ManualClock
  readonly world: MemoryWorld
  readonly topology: Topology
  readonly recorder = new Recorder()
  readonly clients: Clients
  readonly rules: SimRules | null
  readonly ownLaw: OwnLaw | null
  readonly receiver: SimReceiver | null
  /** Those who put documents of own actors; null where there are none. */
  own: SimOwn | null = null
  /** What was done, for the account of a failure. */
  readonly told: string[] = []
  readonly draw: () => number
  edges: SimEdge[] = []
  workers: Worker[] = []
  readonly stores: SimStore[] = []
  notifiers: SimNotifier[] = []
  #born = 0
  /** What ends a fault that lasts. */
  #releases: (() => void)[] = []
  #faultsOn = true

  private constructor(options: Options) {
    this.options = options
    this.draw = seeded(Math.imul(options.seed, 0x85ebca6b) ^ 0xd1ce)
    this.clock = new ManualClock({ nowMs: BEGIN_MS + this.upTo(86_400_000), seed: options.seed })
    this.world = new MemoryWorld({ clock: this.clock })
    this.topology = { partitions: options.partitions, streams: options.streams }
    this.world.onStored = (message) => {
      this.recorder.stored(message)
      this.ownLaw?.stored(message)
    }
    this.world.entryFault = options.lossOfEntries === 0 ? null : (key) => this.#entryFault(key)
    this.world.publishFault = (subject) => this.#publishFault(subject)
    const edge = () => {
      const up = this.edges.filter((e) => !e.process.dead)
      return up.length === 0 ? null : this.pick(up)
    }
    this.rules = options.rules ? new SimRules({ log: this.world.connect().log, topology: this.topology, tenants: options.tenants }) : null
    this.ownLaw = options.own.length > 0 ? new OwnLaw(options.own, (partition) => this.recorder.inputOf(partition)) : null
    const noted = (key: string, value: Uint8Array | null) => {
      try {
        if (value !== null && /^(state|readers)\./.test(key)) for (const law of [this.ownLaw, this.receiver]) law?.noted(key, value)
      } catch (error) {
        this.recorder.broken ??= error as Error
      }
    }
    if (options.own.length + options.notifiers > 0) for (const bucket of [BUCKET_META, BUCKET_NOTIFY]) this.world.bucket(bucket).watchers.add(noted)
    const misbehaves = () => this.#faultsOn && this.chance(options.receiverFails)
    this.receiver = options.notifiers > 0 ? new SimReceiver({ clock: this.clock, misbehaves, draw: this.draw }) : null
    for (const part of [this.rules, this.ownLaw, this.receiver]) if (part !== null) this.recorder.onCommit.push((commit) => part.hear(commit))
    this.clients = new Clients(options, { clock: this.clock, draw: this.draw, edge })
  }

  static async start(options: Options): Promise<SimSystem> {
    const system = new SimSystem(options)
    const { world, topology } = system
    const { log } = world.connect()
    for (const name of inputStreams(topology)) {
      const subjects = Array.from({ length: topology.partitions }, (_, p) => p).filter((p) => inputStream(topology, p) === name).map(inputSubject)
      await log.ensureStream({ name, subjects, replicas: options.replicas, bytesMax: -1 })
    }
    await log.ensureStream({ name: RESULTS, subjects: ['results.*'], replicas: options.replicas, bytesMax: -1 })
    if (options.own.length > 0) {
      await log.ensureStream({ name: OWN, subjects: ['own.*'], replicas: options.replicas, bytesMax: -1 })
      const dies = () => system.#faultsOn && system.chance(options.sandboxDies)
      system.own = new SimOwn(options, { topology, kv: await world.connect().kv(BUCKET_META), dies, draw: system.draw, logger: silent })
    }
    if (options.notifiers > 0) await SimReceiver.route(await world.connect().kv(BUCKET_NOTIFY), options.tenants)
    const { latencyMs } = options
    if (latencyMs > 0) world.latencyMs = () => system.draw() ** 4 * latencyMs
    for (let i = 0; i < options.edges; i++) system.startEdge()
    system.startWorker()
    for (let i = 0; i < options.stores; i++) system.stores.push(new SimStore(`store${i}`, options, topology))
    system.supervise()
    // Who was never there before is owed nothing that is purged; so each says once that it is.
    const readers = [...options.own.map((name) => `own-${name}`), ...(options.notifiers > 0 ? ['notifier'] : [])]
    const isRegistered = (name: string) => world.bucket(BUCKET_META).entries.has(`readers.${name}`)
    await system.clock.until(() => system.stores.every((store) => store.janitor !== null) && readers.every(isRegistered), { what: 'every reader is registered' })
    return system
  }

  upTo(n: number): number {
    return Math.floor(this.draw() * n)
  }

  chance(p: number): boolean {
    return this.draw() < p
  }

  pick<T>(list: readonly T[]): T {
    return list[this.upTo(list.length)]
  }

  // Processes -----------------------------------------------------------------------------------------------------------------------

  #process(role: string, disk: Mortal | null = null): Process {
    const { skewMs } = this.options
    const { world, clock } = this
    return new Process(`${role}${this.#born++}`, { world, clock, skewMs: skewMs === 0 ? 0 : Math.floor((this.draw() * 2 - 1) * skewMs), disk })
  }

  startEdge(): void {
    this.edges.push(new SimEdge(this.#process('e'), this.topology))
  }

  startWorker(): void {
    const process = this.#process('w')
    const { settings, bounds, former } = this.options
    const { connection, clock, name } = process
    // Own actors are there from the start: who comes first knows of them.
    const isFormer = this.#faultsOn && this.chance(former) && (this.own === null || this.workers.length > 0)
    const actor = isFormer ? formerActor : partitionActor
    const member = startMember({ connection, actor, topology: this.topology, settings, clock, logger: silent, id: name, bounds })
    // A former version has no own actors. What ends at its start ends its process.
    const own = isFormer ? undefined : this.own?.run(process).catch(() => void process.kill())
    const stop = async () => void (await Promise.all([member.stop(), own?.then((stop) => stop?.())]))
    this.workers.push({ process, member, isFormer, stopping: false, stop })
  }

  get #processes(): Process[] {
    return [...this.edges, ...this.workers, ...this.stores, ...this.notifiers].flatMap(({ process }) => process ?? [])
  }

  /** Workers that live and were not told to leave. */
  get staying(): Worker[] {
    return this.workers.filter((w) => !w.process.dead && !w.stopping)
  }

  /** Starts again what died, as a supervisor does. */
  supervise(): void {
    for (const process of this.#processes) process.bury()
    for (const store of this.stores) {
      if (store.process?.dead) store.kill()
      if (store.process === null && this.clock.monotonic() >= store.awayUntilMs) store.start((disk) => this.#process('s', disk))
    }
    this.edges = this.edges.filter((e) => !e.process.dead)
    while (this.edges.length < this.options.edges) this.startEdge()
    this.workers = this.workers.filter((w) => !w.process.dead)
    if (this.staying.length === 0) this.startWorker()
    this.notifiers = this.notifiers.filter((n) => !n.process.dead)
    while (this.notifiers.length < this.options.notifiers) this.notifiers.push(new SimNotifier(this.#process('n'), { topology: this.topology, receiver: this.receiver!, changesMax: this.options.notifierChanges || undefined }))
  }

  // Deeds ---------------------------------------------------------------------------------------------------------------------------

  #publishFault(subject: string): 'lost-ack' | 'lost' | 'unavailable' | 'full' | null {
    if (!this.#faultsOn) return null
    const rate = subject.startsWith('results.') ? this.options.lossOfResults : this.options.lossOfInput
    if (rate === 0 || !this.chance(rate)) return null
    return this.pick(['lost-ack', 'lost', 'unavailable', 'full'] as const)
  }

  #entryFault(key: string): 'lost-ack' | 'lost' | 'unavailable' | null {
    if (!this.#faultsOn || !/^(state|readers\.(own-|notifier))/.test(key) || !this.chance(this.options.lossOfEntries)) return null
    return this.pick(['lost-ack', 'lost', 'unavailable'] as const)
  }

  readonly deeds: Readonly<Record<Deed, () => void | Promise<void>>> = {
    workerJoin: () => {
      if (this.staying.length < this.options.workersMax) this.startWorker()
    },
    workerKill: () => this.#oneOf(this.workers)?.process.kill(),
    workerKillSoon: () => this.#dieSoon(this.#oneOf(this.workers)?.process, 60),
    workerLeave: () => {
      const worker = this.#oneOf(this.staying)
      if (!worker) return
      worker.stopping = true
      void worker.stop().then(() => worker.process.kill())
    },
    workerPause: () => this.#sleep(this.#oneOf(this.workers)?.process),
    edgeKill: () => this.#oneOf(this.edges)?.process.kill(),
    edgeKillSoon: () => this.#dieSoon(this.#oneOf(this.edges)?.process, 20),
    edgePause: () => this.#sleep(this.#oneOf(this.edges)?.process),
    storeKill: () => this.pick(this.stores).kill(),
    storeKillSoon: () => {
      const { process } = this.pick(this.stores)
      if (process) this.pick([() => this.#dieSoon(process, 60), () => process.disk!.dieAt(process.disk!.points + 1 + this.upTo(60))])()
    },
    storeAway: () => {
      const store = this.pick(this.stores)
      store.kill()
      store.awayUntilMs = this.clock.monotonic() + this.upTo(60_000)
    },
    storeStop: () => void this.pick(this.stores).stop(),
    storePause: () => this.#sleep(this.pick(this.stores).process ?? undefined),
    powerCut: () => this.pick(this.stores).powerCut(this.draw),
    diskFull: () => this.#diskFault(this.pick(this.stores), (operation) => (operation === 'write' ? 'full' : null)),
    diskError: () => {
      const rate = this.pick([0.02, 0.2])
      this.#diskFault(this.pick(this.stores), () => (this.chance(rate) ? 'io' : null))
    },
    harmManifest: () => {
      const store = this.pick(this.stores)
      store.kill()
      return store.harmManifest(this.pick(['lost', 'torn']))
    },
    harmSegment: () => {
      const store = this.pick(this.stores)
      store.kill()
      return store.harmSegment(this.pick(['lost', 'torn']))
    },
    notifierKill: () => this.#oneOf(this.notifiers)?.process.kill(),
    notifierKillSoon: () => this.#dieSoon(this.#oneOf(this.notifiers)?.process, 40),
    notifierLeave: () => void this.#oneOf(this.notifiers)?.stop(),
    notifierPause: () => this.#sleep(this.#oneOf(this.notifiers)?.process),
    merge: () => this.pick(this.stores).merge(this.clock.now() + this.pick([0, 120_000, 7_200_000, 180_000_000])),
    purge: () => this.pick(this.stores).purge(),
    cut: () => {
      const process = this.#oneOf(this.#processes.map((of) => ({ process: of })))?.process
      if (!process) return
      process.connection.cut()
      this.#later(() => process.connection.heal())
    },
    serverRestart: async () => {
      this.world.killServer()
      await this.clock.advance(this.upTo(4_000))
      this.world.restartServer()
    },
    holdResults: () => this.#later(this.world.holdPublishes(resultsSubject(this.upTo(this.options.partitions)))),
    holdInput: () => this.#later(this.world.holdPublishes(inputSubject(this.upTo(this.options.partitions)))),
    holdDeliveries: () => this.#later(this.world.holdDeliveries(this.pick(['readings.*', 'results.*', inputSubject(0)]))),
    clockStep: () => void (this.world.timeOffsetMs += Math.floor((this.draw() - 0.5) * 20_000)),
    harmSnapshot: () => this.#harmSnapshot(),
    slowBus: () => {
      this.world.busDelayMs = this.upTo(400)
      this.#later(() => (this.world.busDelayMs = 0))
    },
    lagAnswers: () => {
      if (this.options.replicas > 1) this.#later(this.world.lagAnswers(this.pick([...inputStreams(this.topology), RESULTS])))
    },
    outage: () => this.clock.advance(this.upTo(120_000)),
  }

  #oneOf<T extends { process: Process }>(list: readonly T[]): T | undefined {
    const alive = list.filter((one) => !one.process.dead)
    return alive.length === 0 ? undefined : this.pick(alive)
  }

  #dieSoon(process: Process | undefined, within: number): void {
    process?.connection.dieAt(process.connection.points + 1 + this.upTo(within))
  }

  #diskFault(store: SimStore, faults: NonNullable<MemoryDisk['faults']>): void {
    store.disk.faults = faults
    this.#later(() => (store.disk.faults = null))
  }

  #sleep(process: Process | undefined): void {
    if (!process || process.paused) return
    process.pause()
    this.#later(() => process.resume())
  }

  /** Undoes something after a while, or when everything heals. */
  #later(release: () => void): void {
    let done = false
    const once = () => {
      if (done) return
      done = true
      release()
    }
    this.#releases.push(once)
    this.clock.after(this.upTo(8_000), once)
  }

  /** Harms one of the two snapshots that a partition's last message names, where the other is whole (Y2). */
  #harmSnapshot(): void {
    const partition = this.upTo(this.options.partitions)
    const last = this.world.stream(RESULTS).bySubject.get(resultsSubject(partition))?.at(-1)
    if (!last) return
    const { snapshots } = decodeJournal(last.data).header
    const objects = this.world.objectBucket(BUCKET_SNAPSHOTS)
    if (snapshots.length < 2 || snapshots.some((ref) => !objects.has(ref.name) || this.#harmed.has(ref.name))) return
    const { name } = this.pick(snapshots)
    this.#harmed.add(name)
    this.world.harmObject(BUCKET_SNAPSHOTS, name, this.pick(['damaged', 'flipped', 'lost']))
  }
  readonly #harmed = new Set<string>()

  /** Everything works from now on: what was held arrives, what sleeps wakes, what died is started again, and of the newest version. */
  heal(): void {
    this.#faultsOn = false
    this.world.latencyMs = null
    for (const release of this.#releases.splice(0)) release()
    for (const process of this.#processes) {
      process.connection.dieAt(Infinity)
      process.disk?.dieAt(Infinity)
      if (process.paused) process.resume()
    }
    for (const store of this.stores) store.awayUntilMs = 0
    for (const worker of this.workers) if (worker.isFormer) worker.process.kill()
    this.world.restartServer()
    this.supervise()
  }

  // Looks ---------------------------------------------------------------------------------------------------------------------------

  /** What is not at rest yet, in words: each partition must run on the member that should own it, its commits cover all input and owe nothing. */
  restless(): string | null {
    if (this.clients.account.waiting > 0) return `${this.clients.account.waiting} requests wait for their acknowledgement`
    const owners = ownersOf(this.options.partitions, this.staying.map((w) => w.member.id))
    for (const [partition, id] of owners) {
      const { partitions, waitsFor } = this.staying.find((w) => w.member.id === id)!.member.status()
      const phase = partitions.find((p) => p.partition === partition)?.phase
      if (phase !== 'running') return `partition ${partition} should run on ${id}, where it is ${phase ?? 'not held'}: ${waitsFor}`
      const last = this.recorder.inputOf(partition).at(-1)?.seq ?? 0
      const { position, pending } = this.recorder.partition(partition)
      if (position.seq < last) return `partition ${partition} is committed up to ${position.seq} of ${last}`
      if (pending > 0) return `partition ${partition} owes rows of ${pending} series`
    }
    for (const [at, name] of this.options.own.entries()) {
      const partition = OWN_FIRST + at
      const last = this.recorder.inputOf(partition).at(-1)?.seq ?? 0
      const { position } = this.recorder.partition(partition)
      if (position.seq < last) return `${name} is committed up to ${position.seq} of ${last}`
    }
    const documents = [...this.world.bucket(BUCKET_META).entries].filter(([key, { value }]) => value !== null && this.options.own.some((name) => key.startsWith(`documents.${name}.`)))
    const why = this.ownLaw?.restless(new Map(documents.map(([key, { revision }]) => [key, revision]))) ?? this.receiver?.restless() ?? null
    if (why !== null) return why
    const commits = new Map([...this.recorder.partitions].map(([partition, { commitSeq }]) => [partition, commitSeq]))
    for (const store of this.stores) {
      const why = store.restless(commits)
      if (why !== null) return why
    }
    return null
  }

  /** The first law that was broken, or null. */
  get broken(): Error | null {
    return this.recorder.broken ?? this.receiver?.broken ?? null
  }

  /** How often things came about that a run is worth the more for. */
  get counts(): Record<string, number> {
    const stored = this.inputMessages + this.recorder.results
    const held = [...inputStreams(this.topology), RESULTS].reduce((sum, name) => sum + this.world.messages(name).length, 0)
    const sum = (name: keyof SimStore['counts']) => this.stores.reduce((total, store) => total + store.counts[name], 0)
    return { claims: this.recorder.claims, commits: this.recorder.commits, purged: stored - held, starts: sum('starts'), failures: sum('failures'), seals: sum('seals'), merges: sum('merges'), harms: sum('harms'), parts: sum('parts'), alerts: this.recorder.alerts.length, ownRows: this.ownLaw?.rows.length ?? 0, advised: this.ownLaw?.advised ?? 0, ...this.receiver?.counts }
  }

  /** Messages of the input so far, of all partitions. */
  get inputMessages(): number {
    let sum = 0
    for (const [subject, of] of this.recorder.input) if (partitionOf(subject) >= 0) sum += of.length
    return sum
  }
}
