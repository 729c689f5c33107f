/**
 * One member of a group that shares the partitions: says that it is there, sees who else is, and hosts its share.
 *
 * Owns when a host is started and when it is told to let go. Leaves who should own what to ownership.ts, and safety to the claims of
 * hosts: a member that is wrong about the others costs time, never a result (I4).
 *
 * - M1 One host a partition at a time.
 * - M2 A newcomer claims nothing before it has listened for a round of heartbeats.
 * - M3 A partition that a living member still holds is claimed once that one has let go, or after HANDOVER_MAX_MS.
 * - M4 A partition that failed stays down on this member, until it has been another's in the meantime: what stopped it needs a person.
 * - M5 A partition whose log or snapshot is of a newer version is given up for the life of this member, which says so with each heartbeat:
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
import { HANDOVER_MAX_MS, HEARTBEAT_MS, RETRY_MAX_MS, RETRY_MIN_MS } from './limits.ts'
import type { Connection } from './log.ts'
import { Membership, runtimeName } from './membership.ts'
import type { Member } from './membership.ts'
import { ownersOf } from './ownership.ts'
import type { Logger, Metrics } from './telemetry.ts'
import type { Topology } from './topology.ts'

/** A host that ran this long was no quarrel: the next pause is the shortest again. */
const PEACE_MS = 10_000

export interface MemberOptions<State, Effects> {
  readonly connection: Connection
  readonly actor: Actor<State, Effects>
  readonly topology: Topology
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
  /** Since when a partition is waited for that another holds. */
  #wantedSinceMs = new Map<number, number>()
  #phase: 'listening' | 'working' | 'stopping' = 'listening'
  #cancelLook: (() => void) | null = null
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
    this.membership = new Membership({ bus: connection.bus, clock, self, connected, partitions: () => this.#held() })
    this.#ends.push(this.membership.onChange(() => this.#reconcile()))
    this.#ends.push(connection.onReconnect(() => this.#listen()))
    this.membership.start()
    this.#listen()
  }

  status(): MemberStatus {
    const partitions = [...this.#hosts].map(([partition, { host }]) => {
      return { partition, phase: host.phase.kind, epoch: host.epoch, seq: host.committed.seq }
    })
    const connected = this.#options.connection.connected()
    const waitsFor = this.#waitsFor(connected)
    return { id: this.id, connected, ready: waitsFor === '', waitsFor, partitions: partitions.sort((a, b) => a.partition - b.partition) }
  }

  async stop(): Promise<void> {
    if (this.#phase === 'stopping') return
    this.#phase = 'stopping'
    this.#cancelLook?.()
    for (const end of this.#ends) end()
    await Promise.all([...this.#hosts.values()].map(({ host }) => host.stop()))
    this.membership.stop()
  }

  #waitsFor(connected: boolean): string {
    if (!connected) return 'The connection to the log is down.'
    if (this.#phase !== 'working') return `The worker is ${this.#phase}.`
    if (this.#cannot.size > 0) {
      return `Partitions ${numbers(this.#cannot)} are of a newer version than this worker, and left to workers of that one; the log of this process says why.`
    }
    if (this.#failed.size > 0) return `Partitions ${[...this.#failed.keys()].join(', ')} are stopped by errors; the log of this process has them.`
    const waiting = [...this.#share()].filter((partition) => this.#hosts.get(partition)?.host.phase.kind !== 'running')
    return waiting.length === 0 ? '' : `Partitions ${waiting.join(', ')} are being taken over.`
  }

  #held(): Member['partitions'] {
    return [...this.#hosts]
      .filter(([, { host }]) => host.phase.kind !== 'claiming')
      .map(([partition, { host }]) => ({ partition, epoch: host.epoch, seq: host.committed.seq }))
      .sort((a, b) => a.partition - b.partition)
  }

  /** What should be this member's, by its own view. */
  #share(): Set<number> {
    const members = new Map(this.membership.view('worker').map((member) => [member.id, member]))
    const cannot = (id: string, partition: number) => members.get(id)!.cannot?.includes(partition) ?? false
    const owners = ownersOf(this.#options.topology.partitions, [...members.keys()], cannot)
    return new Set([...owners].filter(([, id]) => id === this.id).map(([partition]) => partition))
  }

  /** Flags that every living worker knows, this one included. */
  #agreed(): readonly number[] {
    const workers = this.membership.view('worker')
    return this.#options.actor.flags.filter((flag) => workers.every((member) => member.flags?.includes(flag)))
  }

  /** Asks who is there, and gives everyone a round of heartbeats to say so. */
  #listen(): void {
    if (this.#phase === 'stopping') return
    if (this.#phase === 'working') this.membership.refresh()
    this.#options.clock.after(HEARTBEAT_MS, () => {
      if (this.#phase === 'listening') this.#phase = 'working'
      this.#reconcile()
    })
  }

  /** Brings what is hosted in line with the share. */
  #reconcile(): void {
    if (this.#phase !== 'working' || !this.#options.connection.connected()) return
    const nowMs = this.#options.clock.monotonic()
    const share = this.#share()
    let lookAgainMs = Infinity
    for (let partition = 0; partition < this.#options.topology.partitions; partition++) {
      const host = this.#hosts.get(partition)?.host
      if (!share.has(partition)) {
        void host?.stop()
        this.#wantedSinceMs.delete(partition)
        this.#resting.delete(partition)
        if (this.#failed.delete(partition)) this.#metrics?.failed.remove({ partition: String(partition) })
        continue
      }
      if (host || this.#failed.has(partition)) continue
      const waitMs = this.#mustWaitMs(partition, nowMs)
      if (waitMs > 0) lookAgainMs = Math.min(lookAgainMs, waitMs)
      else this.#host(partition)
    }
    this.#cancelLook?.()
    // At least a millisecond: a fraction of one may be lost in the sum, and the timer be due before its time for ever.
    this.#cancelLook = lookAgainMs === Infinity ? null : this.#options.clock.after(Math.ceil(lookAgainMs), () => this.#reconcile())
  }

  /** Time until the partition may be claimed; 0 for now. */
  #mustWaitMs(partition: number, nowMs: number): number {
    const restMs = (this.#resting.get(partition)?.untilMs ?? 0) - nowMs
    if (restMs > 0) return restMs
    const others = this.membership.view('worker').filter((member) => member.id !== this.id)
    if (!others.some((member) => member.partitions.some((p) => p.partition === partition))) return 0
    const sinceMs = this.#wantedSinceMs.get(partition) ?? nowMs
    this.#wantedSinceMs.set(partition, sinceMs)
    return sinceMs + HANDOVER_MAX_MS - nowMs
  }

  #host(partition: number): void {
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
    if (this.#phase !== 'stopping') this.membership.update(this.#cannot.size > 0 ? { cannot: [...this.#cannot].sort((a, b) => a - b) } : {})
    this.#reconcile()
  }
}

const numbers = (set: Iterable<number>): string => [...set].sort((a, b) => a - b).join(', ')
