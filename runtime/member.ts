/**
 * One member of a group that shares the partitions: says that it is there, sees who else is, and hosts its share.
 *
 * Owns when a host is started and when it is told to let go. Leaves who should own what to ownership.ts, and safety to the claims of
 * hosts: a member that is wrong about the others costs time, never a result (I4).
 *
 * - M1 One host a partition at a time.
 * - M2 A newcomer claims nothing before it has listened for a round of heartbeats; until then nobody lets go of anything for it, nor claims what
 *   will be its own. One that was away so long that it was taken for dead is a newcomer.
 * - M3 A partition moves from a living member to another in three steps: who should have it makes itself ready, beside the owner; the owner hears
 *   so and lets go; the other claims. Each waits for the other only so long: PREPARE_MAX_MS the owner, HANDOVER_MAX_MS the one that is ready.
 * - M4 A partition that failed stays down on this member, until it has been another's in the meantime: what stopped it needs a person.
 * - M5 One that leaves says so first, and hands its partitions over likewise; those that nobody is there for it leaves behind at once.
 * - M6 A partition whose log or snapshot is of a newer version is given up for the life of this member, which says so with each heartbeat:
 *   the others share it among themselves. Nothing is switched on in a log that a living member does not know.
 */

import process from 'node:process'
import type { Actor } from './actor.ts'
import type { Clock } from './clock.ts'
import { createHostMetrics, forgetPartition } from './host-metrics.ts'
import type { HostMetrics } from './host-metrics.ts'
import { PartitionHost } from './host.ts'
import type { HostBounds, HostEnd, HostPhase } from './host-life.ts'
import { isOperating } from './errors.ts'
import { HANDOVER_MAX_MS, HEARTBEAT_MS, PREPARE_MAX_MS, RETRY_MAX_MS, RETRY_MIN_MS } from './limits.ts'
import type { Connection } from './log.ts'
import { Membership, runtimeName } from './membership.ts'
import type { Member, Stage } from './membership.ts'
import { ownersOf } from './ownership.ts'
import type { Logger, Metrics } from './telemetry.ts'
import type { Topology } from './topology.ts'

/** A host that ran this long was no quarrel: the next pause is the shortest again. */
const PEACE_MS = 10_000

export interface MemberOptions<State, Effects> {
  readonly connection: Connection
  readonly actor: Actor<State, Effects>
  readonly topology: Topology
  /** Those that the group shares; all that the topology counts, where it is left out. */
  readonly partitions?: readonly number[]
  /** Handed to `actor.introduce` of each partition taken over. */
  readonly settings: unknown
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics?: Metrics
  /** Drawn anew at each start; of letters, digits, `-` and `_`. */
  readonly id: string
  /** Where its process serves HTTP. */
  readonly url?: string | null
  readonly bounds?: Partial<HostBounds>
}

/** What a member does at this moment, as plain data. */
export interface MemberStatus {
  readonly id: string
  readonly connected: boolean
  /** True once it has seen who is there and all that it should own runs. */
  readonly ready: boolean
  /** What it waits for, in words; empty when ready. */
  readonly waitsFor: string
  readonly partitions: readonly PartitionStatus[]
  /** Partitions that are stopped here, and why. */
  readonly failures: readonly { readonly partition: number; readonly message: string }[]
}

export interface PartitionStatus {
  readonly partition: number
  readonly phase: HostPhase['kind']
  readonly epoch: number
  /** Committed up to this sequence of the input. */
  readonly seq: number
}

export interface RunningMember {
  readonly id: string
  readonly membership: Membership
  status(): MemberStatus
  /** Drains every partition, and says bye. */
  stop(): Promise<void>
}

/** Joins the group. Resolves at once; `status().ready` says when its share runs. */
export function startMember<State, Effects>(options: MemberOptions<State, Effects>): RunningMember {
  return new GroupMember(options)
}

class GroupMember<State, Effects> implements RunningMember {
  readonly id: string
  readonly membership: Membership
  #options: MemberOptions<State, Effects>
  #metrics: HostMetrics | undefined
  #hosts = new Map<number, { host: PartitionHost<State, Effects>; sinceMs: number }>()
  #failed = new Map<number, unknown>()
  /** What it can't host, being of an older version than the log (M5). */
  #cannot = new Set<number>()
  /** Partitions that are not claimed before a time, and the pause that led to it. */
  #resting = new Map<number, { untilMs: number; pauseMs: number }>()
  /** Since when a partition that it is ready for is waited for, and since when one waits here for its next owner. */
  #wantedSinceMs = new Map<number, number>()
  #promisedSinceMs = new Map<number, number>()
  #stage: Stage = 'listening'
  /** Whether who is there has had the time to say so. */
  #hasHeard = false
  #isStopping = false
  #cancelLook: (() => void) | null = null
  #cancelListening: (() => void)[] = []
  #ends: (() => void)[] = []

  constructor(options: MemberOptions<State, Effects>) {
    const { connection, clock } = options
    this.#options = options
    this.id = options.id
    this.#metrics = options.metrics && createHostMetrics(options.metrics)
    const self: Member = {
      id: options.id,
      role: 'worker',
      url: options.url ?? null,
      runtime: runtimeName(),
      pid: process.pid,
      startedAt: clock.now(),
      partitions: [],
      flags: options.actor.flags,
    }
    const connected = () => connection.connected()
    this.membership = new Membership({ bus: connection.bus, clock, self, connected, present: () => this.#present() })
    this.#ends.push(this.membership.onChange(() => this.#reconcile()))
    this.#ends.push(connection.onReconnect(() => this.#askAround()))
    this.#ends.push(this.membership.onAbsence(() => this.#beginAnew()))
    this.membership.start()
    this.#listen()
  }

  status(): MemberStatus {
    const partitions = [...this.#hosts].map(([partition, { host }]) => {
      return { partition, phase: host.phase.kind, epoch: host.epoch, seq: host.committed.seq }
    })
    const connected = this.#options.connection.connected()
    const waitsFor = this.#waitsFor(connected)
    const failures = [...this.#failed].map(([partition, error]) => ({ partition, message: error instanceof Error ? error.message : String(error) }))
    return { id: this.id, connected, ready: waitsFor === '', waitsFor, failures, partitions: partitions.sort((a, b) => a.partition - b.partition) }
  }

  async stop(): Promise<void> {
    if (this.#isStopping) return
    this.#isStopping = true
    await this.#freshen()
    this.#stage = 'leaving'
    this.membership.update({})
    this.#reconcile()
    await Promise.all([...this.#hosts.values()].map(({ host }) => host.ended))
    this.#cancelLook?.()
    for (const end of [...this.#ends, ...this.#cancelListening]) end()
    this.membership.stop()
  }

  #waitsFor(connected: boolean): string {
    if (!connected) return 'The connection to the log is down.'
    if (this.#stage !== 'working') return `The worker is ${this.#stage}.`
    if (this.#cannot.size > 0) {
      return `Partitions ${numbers(this.#cannot)} are of a newer version than this worker, and left to workers of that one; the log of this process says why.`
    }
    if (this.#failed.size > 0) return `Partitions ${[...this.#failed.keys()].join(', ')} are stopped by errors; the log of this process has them.`
    const share = [...this.#owners()].filter(([, owner]) => owner.id === this.id).map(([partition]) => partition)
    const waiting = share.filter((partition) => this.#hosts.get(partition)?.host.phase.kind !== 'running')
    return waiting.length === 0 ? '' : `Partitions ${waiting.join(', ')} are being taken over.`
  }

  /** What it says of itself. */
  #present(): Pick<Member, 'stage' | 'partitions' | 'ready'> {
    const hosts = [...this.#hosts].map(([partition, { host }]) => ({ partition, host })).sort((a, b) => a.partition - b.partition)
    return {
      stage: this.#stage,
      partitions: hosts
        .filter(({ host }) => host.phase.kind !== 'preparing' && host.phase.kind !== 'claiming')
        .map(({ partition, host }) => ({ partition, epoch: host.epoch, seq: host.committed.seq })),
      ready: this.#ready().sort((a, b) => a - b),
    }
  }

  /** Partitions that it is ready for: all of those that it prepares, or none, since what is let go of early would wait for a thread busy with the others. */
  #ready(): number[] {
    const preparing = [...this.#hosts].filter(([, { host }]) => host.phase.kind === 'preparing')
    return preparing.every(([, { host }]) => host.isReady) ? preparing.map(([partition]) => partition) : []
  }

  /** Who should own each partition, by this member's own view. */
  #owners(): Map<number, Member> {
    const members = new Map(this.membership.view('worker').filter((member) => member.stage !== 'leaving').map((member) => [member.id, member]))
    const cannot = (id: string, partition: number) => members.get(id)!.cannot?.includes(partition) ?? false
    const owners = ownersOf(this.#options.partitions ?? this.#options.topology.partitions, [...members.keys()], cannot)
    return new Map([...owners].map(([partition, id]) => [partition, members.get(id)!]))
  }

  /** Flags that every living worker knows, this one included. */
  #agreed(): readonly number[] {
    const workers = this.membership.view('worker')
    return this.#options.actor.flags.filter((flag) => workers.every((member) => member.flags?.includes(flag)))
  }

  #askAround(): void {
    if (this.#stage === 'leaving') return
    this.membership.refresh()
    this.#listen()
  }

  /** Gives everyone a round of heartbeats to say that it is there. */
  #listen(): void {
    const { clock } = this.#options
    for (const cancel of this.#cancelListening) cancel()
    this.#cancelListening = [
      // Who is there has answered by then, and what is to be taken over can be made ready beside the listening.
      clock.after(HEARTBEAT_MS / 4, () => {
        this.#hasHeard = true
        this.#reconcile()
      }),
      clock.after(HEARTBEAT_MS, () => {
        if (this.#stage === 'listening') {
          this.#stage = 'working'
          this.membership.update({})
        }
        this.#reconcile()
      }),
    ]
  }

  /** Who was away so long that others have its partitions is a newcomer: they keep them until it can take them back. */
  #beginAnew(): void {
    if (this.#stage === 'leaving') return
    this.#stage = 'listening'
    this.#hasHeard = false
    for (const { host } of this.#hosts.values()) host.verify()
    this.#askAround()
  }

  /** Before it lets go of everything at once, it sees to it that those who are there for it have little to replay. */
  async #freshen(): Promise<void> {
    const { connection, clock } = this.#options
    const heirs = this.membership.view('worker').filter((member) => member.id !== this.id && member.stage !== 'leaving')
    if (heirs.length === 0 || !connection.connected()) return
    const enough = new AbortController()
    const fresh = Promise.all([...this.#hosts.values()].map(({ host }) => host.freshen()))
    await Promise.race([fresh, clock.sleep(HANDOVER_MAX_MS, enough.signal)])
    enough.abort()
  }

  /** Brings what is hosted in line with the share. */
  #reconcile(): void {
    const { topology, partitions = Array.from({ length: topology.partitions }, (_, p) => p), connection, clock } = this.#options
    const isConnected = connection.connected()
    if (this.#stage !== 'leaving' && (!this.#hasHeard || !isConnected)) return
    const nowMs = clock.monotonic()
    const owners = this.#owners()
    let lookAgainMs = Infinity
    for (const partition of partitions) {
      const owner = owners.get(partition)
      const waitMs = owner?.id === this.id ? this.#take(partition, nowMs) : this.#leave(partition, isConnected ? owner : undefined, nowMs)
      lookAgainMs = Math.min(lookAgainMs, waitMs)
    }
    this.#cancelLook?.()
    // At least a millisecond: a fraction of one may be lost in the sum, and the timer be due before its time for ever.
    this.#cancelLook = lookAgainMs === Infinity ? null : clock.after(Math.ceil(lookAgainMs), () => this.#reconcile())
  }

  /** Has a partition of the share hosted; gives the time until it should be looked at again. */
  #take(partition: number, nowMs: number): number {
    this.#promisedSinceMs.delete(partition)
    const host = this.#hosts.get(partition)?.host
    if (this.#failed.has(partition) || (host && host.phase.kind !== 'preparing')) return Infinity
    const restMs = (this.#resting.get(partition)?.untilMs ?? 0) - nowMs
    const others = this.membership.view('worker').filter((member) => member.id !== this.id)
    const isHeld = others.some((member) => member.partitions.some((p) => p.partition === partition))
    if (!host) this.#host(partition, { waits: isHeld || restMs > 0 || this.#stage === 'listening' })
    const waiting = this.#hosts.get(partition)!.host
    if (waiting.phase.kind !== 'preparing' || this.#stage === 'listening') return Infinity
    if (!isHeld || !this.#ready().includes(partition)) this.#wantedSinceMs.delete(partition)
    else if (!this.#wantedSinceMs.has(partition)) this.#wantedSinceMs.set(partition, nowMs)
    if (isHeld && !this.#wantedSinceMs.has(partition)) return Infinity
    const heldMs = isHeld ? this.#wantedSinceMs.get(partition)! + HANDOVER_MAX_MS - nowMs : 0
    const waitMs = Math.max(restMs, heldMs)
    if (waitMs > 0) return waitMs
    this.#hosts.get(partition)!.sinceMs = nowMs
    waiting.claim()
    return Infinity
  }

  /** Lets go of a partition for its next owner, once that one is ready, and at once where there is none; gives the time until it should be looked at again. */
  #leave(partition: number, owner: Member | undefined, nowMs: number): number {
    const host = this.#hosts.get(partition)?.host
    if (host?.phase.kind === 'preparing') void host.stop()
    // Until a newcomer can take it, it is in better hands here.
    if (owner?.stage === 'listening' && this.#stage !== 'leaving') return Infinity
    this.#wantedSinceMs.delete(partition)
    this.#resting.delete(partition)
    if (this.#failed.delete(partition)) this.#metrics?.failed.remove({ partition: String(partition) })
    if (!host) return Infinity
    const isReady = owner?.stage === 'working' && owner.ready?.includes(partition) === true
    const sinceMs = this.#promisedSinceMs.get(partition) ?? nowMs
    this.#promisedSinceMs.set(partition, sinceMs)
    const waitMs = sinceMs + PREPARE_MAX_MS - nowMs
    if (owner !== undefined && !isReady && host.phase.kind === 'running' && waitMs > 0) return waitMs
    void host.stop(isReady ? 'handed-over' : 'asked')
    return Infinity
  }

  #host(partition: number, { waits }: { waits: boolean }): void {
    const { connection, actor, topology, settings, clock, logger, bounds } = this.#options
    this.#wantedSinceMs.delete(partition)
    const host = new PartitionHost({
      connection,
      actor,
      topology,
      partition,
      owner: this.id,
      settings,
      agreed: () => this.#agreed(),
      clock,
      logger,
      metrics: this.#metrics,
      bounds,
      waits,
      onReady: () => {
        this.membership.update({})
        this.#reconcile()
      },
      onMove: (phase) => {
        if (phase.kind === 'restoring' || phase.kind === 'running') this.membership.update({})
      },
    })
    this.#hosts.set(partition, { host, sinceMs: clock.monotonic() })
    void host.ended.then((end) => this.#onEnd(partition, end))
  }

  #onEnd(partition: number, end: HostEnd): void {
    const nowMs = this.#options.clock.monotonic()
    const { sinceMs } = this.#hosts.get(partition)!
    this.#hosts.delete(partition)
    this.#promisedSinceMs.delete(partition)
    if (this.#metrics) forgetPartition(this.#metrics, partition)
    if (end.kind === 'failed' && isOperating(end.error, 'version')) {
      this.#cannot.add(partition)
      this.#metrics?.failed.remove({ partition: String(partition) })
    } else if (end.kind === 'failed') this.#failed.set(partition, end.error)
    if (end.kind === 'fenced') {
      // Whoever claimed it sees other members than this one. Views meet again soon; until then both pause, each for its own time.
      const before = nowMs - sinceMs < PEACE_MS ? (this.#resting.get(partition)?.pauseMs ?? 0) : 0
      const pauseMs = Math.min(RETRY_MAX_MS, Math.max(4 * RETRY_MIN_MS, 2 * before))
      this.#resting.set(partition, { pauseMs, untilMs: nowMs + pauseMs * (0.5 + this.#options.clock.random()) })
    }
    this.membership.update(this.#cannot.size > 0 ? { cannot: [...this.#cannot].sort((a, b) => a - b) } : {})
    this.#reconcile()
  }
}

const numbers = (set: Iterable<number>): string => [...set].sort((a, b) => a - b).join(', ')
