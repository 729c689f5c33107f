/**
 * Drives one partition: claim, restore, replay, then read → step → commit → snapshot, until it is told to stop or someone else owns it.
 *
 * Owns the life cycle and the only await loop of a partition. Leaves what a step does to the actor (actor.ts), the compare-and-set of claims and commits
 * to journal-writer.ts, the form of snapshots to snapshots.ts, and who should own what to member.ts.
 *
 * - H1 A step happens between two awaits of this loop, in order of sequence, each message once. Encoding a commit and taking a
 *   snapshot's bytes are synchronous too, so both see the state after exactly the messages that their position covers.
 * - H2 One commit is under way at a time; steps go on beside it, within a bound. Effects that no commit carries never existed.
 * - H3 Output is suppressed up to the committed position: a replay only makes the state again (I5).
 * - H4 No message is stepped, and no commit goes out, while it is in question whether the log is still the same one (I10).
 * - H5 A snapshot is named by a commit only after it is stored, and older ones are deleted only after a commit has ceased to name them.
 */

import assert from 'node:assert/strict'
import type { Actor } from './actor.ts'
import type { Clock } from './clock.ts'
import { isOperating, OperatingError } from './errors.ts'
import type { HostMetrics } from './host-metrics.ts'
import { identify } from './identity.ts'
import { Aborted, Fenced, JournalWriter, persist } from './journal-writer.ts'
import type { Position, SnapshotRef } from './journal.ts'
import * as limits from './limits.ts'
import type { Connection, LogMessage, LogReader, ObjectStore } from './log.ts'
import { restoreNewest, sweepSnapshots, writeSnapshot } from './snapshots.ts'
import { BUCKET_SNAPSHOTS, inputStream, inputSubject } from './topology.ts'
import type { Topology } from './topology.ts'
import type { Logger } from './telemetry.ts'

/** Where a host is in its life. The last three are ends. */
export type HostPhase =
  | { readonly kind: 'claiming' }
  | { readonly kind: 'restoring'; readonly epoch: number }
  | { readonly kind: 'replaying'; readonly epoch: number; readonly target: number }
  | { readonly kind: 'running'; readonly epoch: number }
  | { readonly kind: 'draining'; readonly epoch: number }
  | { readonly kind: 'stopped'; readonly reason: 'asked' | 'new-generation' }
  | { readonly kind: 'fenced'; readonly by: string }
  | { readonly kind: 'failed'; readonly error: unknown }
export type HostEnd = Extract<HostPhase, { kind: 'stopped' | 'fenced' | 'failed' }>

const MOVES: Record<HostPhase['kind'], readonly HostPhase['kind'][]> = {
  claiming: ['restoring', 'stopped', 'fenced', 'failed'],
  restoring: ['replaying', 'stopped', 'fenced', 'failed'],
  replaying: ['running', 'stopped', 'fenced', 'failed'],
  running: ['draining', 'fenced', 'failed'],
  draining: ['stopped', 'fenced', 'failed'],
  stopped: [],
  fenced: [],
  failed: [],
}

/** Bounds of a host; all of limits.ts by default. */
export interface HostBounds {
  readonly commitIntervalMs: number
  readonly commitResultsMax: number
  readonly commitPartBytes: number
  readonly replayCostMs: number
  readonly replayMessageMs: number
  readonly quietCostMs: number
}

const BOUNDS: HostBounds = {
  commitIntervalMs: limits.COMMIT_INTERVAL_MS,
  commitResultsMax: limits.COMMIT_RESULTS_MAX,
  commitPartBytes: limits.COMMIT_PART_BYTES,
  replayCostMs: limits.REPLAY_COST_MS,
  replayMessageMs: limits.REPLAY_MESSAGE_MS,
  quietCostMs: limits.SNAPSHOT_QUIET_COST_MS,
}

export interface HostOptions<State, Effects> {
  readonly connection: Connection
  readonly actor: Actor<State, Effects>
  readonly topology: Topology
  readonly partition: number
  /** Id of the member that hosts it. */
  readonly owner: string
  /** The owner's settings, handed to `actor.introduce`. */
  readonly settings: unknown
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics?: HostMetrics
  readonly bounds?: Partial<HostBounds>
  /** Called after each move of the life cycle. */
  readonly onMove?: (phase: HostPhase) => void
}

/** How often a host looks whether it is quiet. */
const LOOK_MS = limits.TICK_INTERVAL_MS / 4
/** Step time after which the loop lets timers and sockets have their turn. */
const BURST_MS = 20

export class PartitionHost<State, Effects> {
  readonly partition: number
  /** Resolves at the end of its life; never rejects. */
  readonly ended: Promise<HostEnd>

  #options: HostOptions<State, Effects>
  #bounds: HostBounds
  #actor: Actor<State, Effects>
  #clock: Clock
  #logger: Logger
  #stream: string
  #subject: string
  #labels: { partition: string }
  #phase: HostPhase = { kind: 'claiming' }
  #writer: JournalWriter
  #objects: ObjectStore | null = null
  #reader: LogReader | null = null

  /** Gives up all that is under way: at an error, or when draining takes too long. */
  #quit = new AbortController()
  #error: unknown = null
  #stopping: 'asked' | 'new-generation' | null = null
  /** While the identity of the log is in question. */
  #checking: Promise<void> | null = null

  #state: State
  #effects: Effects
  /** Up to where the state is. */
  #at: Position = { created: '', seq: 0, timeMs: 0 }
  /** Messages and step time since the last commit was begun. */
  #uncommitted = 0
  #uncommittedStepMs = 0
  #burstMs = 0
  #lastReadMs = 0
  #lastLookedMs = 0
  #inflight: Promise<void> | null = null
  /** Set when a commit should follow the one under way at once. */
  #commitDue = false
  #cancelCommitTimer: (() => void) | null = null
  #cancelLook: () => void = () => {}
  #cancelDeadline: () => void = () => {}

  /** What replaying from the newest snapshot would cost by now. */
  #replayMs = 0
  #snapshotTookMs = 0
  #snapshotAtMs = 0
  #snapshotting: Promise<void> | null = null
  /** Stored, and not yet named by a commit. */
  #stored: SnapshotRef | null = null
  /** Sequence of the tick that was appended and not yet read back. */
  #tick: { seq: number; sentMs: number } | null = null

  constructor(options: HostOptions<State, Effects>) {
    this.#options = options
    this.#bounds = { ...BOUNDS, ...options.bounds }
    this.#actor = options.actor
    this.#clock = options.clock
    this.partition = options.partition
    this.#logger = options.logger.child({ partition: options.partition })
    this.#stream = inputStream(options.topology, options.partition)
    this.#subject = inputSubject(options.partition)
    this.#labels = { partition: String(options.partition) }
    this.#state = this.#actor.create()
    this.#effects = this.#actor.effects()
    this.#writer = new JournalWriter({
      log: options.connection.log,
      clock: this.#clock,
      partition: options.partition,
      owner: options.owner,
      signal: this.#quit.signal,
      partBytes: this.#bounds.commitPartBytes,
      gate: () => this.#checking,
      onError: (error) => this.#logger.warn({ err: error }, 'a claim or commit is tried again'),
    })
    this.ended = this.#live()
  }

  get phase(): HostPhase {
    return this.#phase
  }

  /** Epoch of its claim; 0 before. */
  get epoch(): number {
    return this.#writer.epoch
  }

  /** Committed up to here. */
  get committed(): Position {
    return this.#writer.position
  }

  /** For tests to look at. */
  get state(): State {
    return this.#state
  }

  /** Commits what it has, takes a snapshot, and lets go. Resolves at the end of its life, whatever the end is. */
  stop(reason: 'asked' | 'new-generation' = 'asked'): Promise<HostEnd> {
    if (this.#stopping === null) {
      this.#stopping = reason
      // Before it runs it has nothing to commit, and what it waits for may never come.
      if (this.#phase.kind !== 'running') this.#quit.abort()
      else this.#cancelDeadline = this.#clock.after(limits.HOST_DRAIN_MAX_MS, () => this.#letGo())
      void this.#reader?.close()
    }
    return this.ended
  }

  // Life ----------------------------------------------------------------------------------------------------------------------

  async #live(): Promise<HostEnd> {
    const startedMs = this.#clock.monotonic()
    // From the next microtask on, so that who makes a host has it in hand before its first move.
    await Promise.resolve()
    const stopHearing = this.#options.connection.onReconnect(() => void this.#check())
    let end: HostEnd
    try {
      const target = await this.#takeOver()
      await this.#read(target, startedMs)
      end = await this.#drain()
    } catch (error) {
      end = this.#endOf(this.#error ?? error)
      if (end.kind === 'stopped' && this.#phase.kind === 'running') this.#move({ kind: 'draining', epoch: this.epoch })
    }
    stopHearing()
    this.#cancelCommitTimer?.()
    this.#cancelLook()
    this.#cancelDeadline()
    this.#quit.abort()
    await this.#reader?.close().catch(() => {})
    this.#move(end)
    return end
  }

  #endOf(error: unknown): HostEnd {
    if (error instanceof Fenced) {
      this.#options.metrics?.fenced.inc(this.#labels)
      this.#logger.info({ by: error.by, epoch: error.epoch }, 'partition is owned by another member')
      return { kind: 'fenced', by: error.by }
    }
    if (error instanceof Aborted && this.#stopping !== null) return { kind: 'stopped', reason: this.#stopping }
    this.#options.metrics?.failed.set(this.#labels, 1)
    const what = isOperating(error) ? 'partition stopped' : 'partition stopped by a bug; its log is intact, and the message is stepped again by a fixed version'
    this.#logger.error({ err: error, position: this.#at, code: isOperating(error) ? error.code : undefined }, what)
    return { kind: 'failed', error }
  }

  #move(to: HostPhase): void {
    assert(MOVES[this.#phase.kind].includes(to.kind), `Cannot move a host as the move must be a legal one: current move is ${this.#phase.kind} → ${to.kind}`)
    this.#phase = to
    this.#options.onMove?.(to)
  }

  /** Ends the life with `error` from outside the loop. */
  #give(error: unknown): void {
    if (this.#error !== null || this.#quit.signal.aborted) return
    this.#error = error
    this.#quit.abort()
    void this.#reader?.close()
  }

  #persist<T>(run: () => Promise<T>): Promise<T> {
    return persist(this.#clock, this.#quit.signal, run, (error) => this.#logger.warn({ err: error }, 'the log did not answer; trying again'))
  }

  // Taking over -----------------------------------------------------------------------------------------------------------------

  /** Claims, restores; gives the sequence up to which the input is replayed. */
  async #takeOver(): Promise<number> {
    const { connection } = this.#options
    const { created } = await this.#persist(() => connection.log.info(this.#stream))
    const unclaimed: Position = { created, seq: 0, timeMs: 0 }
    await this.#writer.claim(unclaimed, async (position) => void (await this.#identify(position)))
    const { epoch, position, snapshots } = this.#writer
    this.#move({ kind: 'restoring', epoch })
    this.#objects = await this.#persist(() => connection.objects(BUCKET_SNAPSHOTS))
    const restored = await this.#persist(() =>
      restoreNewest(this.#objects!, snapshots, this.#actor, (ref, cause) => this.#logger.error({ snapshot: ref.name, err: cause }, 'snapshot is not whole')),
    )
    const identity = await this.#identify(position)
    const { info } = identity
    if (restored) this.#state = restored.state
    else if (snapshots.length > 0 && info.firstSeq > 1 && position.seq > 0) {
      throw new OperatingError(
        'identity',
        `Cannot make the state of partition ${this.partition} again as a snapshot of it must be whole, or its input held from the first message on: ` +
          `none of ${snapshots.map((s) => s.name).join(', ')} is, and ${this.#stream} begins at ${info.firstSeq}. Restore bucket ${BUCKET_SNAPSHOTS} from a backup.`,
      )
    }
    this.#logger.debug({ epoch, position: position.seq, snapshot: restored?.ref.name ?? null }, 'partition claimed')
    if (identity.kind === 'new-generation') {
      await this.#beginGeneration({ created: info.created, seq: 0, timeMs: 0 }, position)
      return 0
    }
    const same = restored?.ref.position.created === position.created
    this.#at = same ? restored!.ref.position : { created: position.created, seq: 0, timeMs: 0 }
    return identity.target
  }

  /** The state goes on; a snapshot of it is the root of the new generation, since the log before it is gone. */
  async #beginGeneration(at: Position, before: Position): Promise<void> {
    this.#logger.warn({ before, created: at.created }, 'the input stream was made anew: a new generation begins at its first message')
    this.#at = at
    const ref = await this.#persist(() => this.#writeSnapshot(this.#actor.snapshot(this.#state), at))
    const payload = this.#actor.encode(this.#actor.effects(), this.#state)
    await this.#writer.commit({ position: at, payload, snapshots: [ref, ...this.#writer.snapshots].slice(0, 2) })
  }

  #identify(position: Position) {
    return this.#persist(() => identify(this.#options.connection.log, this.#stream, this.#subject, position))
  }

  // Reading ---------------------------------------------------------------------------------------------------------------------

  /** The await loop. */
  async #read(target: number, startedMs: number): Promise<void> {
    const { log } = this.#options.connection
    this.#move({ kind: 'replaying', epoch: this.epoch, target })
    if (this.#at.seq >= target) this.#run(startedMs)
    while (this.#stopping === null && this.#error === null) {
      this.#reader = log.read({ stream: this.#stream, subject: this.#subject, fromSeq: this.#at.seq + 1 })
      // What came while there was no reader to close.
      if (this.#stopping !== null || this.#error !== null) break
      try {
        for await (const message of this.#reader) {
          while (this.#checking) await this.#checking
          if (this.#stopping !== null || this.#error !== null) break
          if (this.#phase.kind === 'replaying') {
            if (message.seq > target) this.#run(startedMs)
            else {
              this.#replay(message)
              if (message.seq >= target) this.#run(startedMs)
            }
          }
          if (this.#at.seq < message.seq) this.#step(message)
          if (this.#inflight && this.#isFull()) await this.#inflight
          if (this.#burstMs > BURST_MS) {
            this.#burstMs = 0
            await this.#clock.sleep(0)
          }
        }
      } catch (error) {
        if (!isOperating(error) || !(error.retry || error.code === 'identity')) throw error
        this.#logger.warn({ err: error }, 'the input can not be read; trying again')
        // A reader that no longer knows its stream says less than a look at it.
        if (error.code === 'identity') await this.#check()
      } finally {
        await this.#reader.close().catch(() => {})
      }
      if (this.#stopping === null && this.#error === null) await this.#clock.sleep(limits.RETRY_MIN_MS, this.#quit.signal)
    }
    if (this.#error !== null) throw this.#error
    if (this.#phase.kind === 'replaying') throw new Aborted()
  }

  #replay(message: LogMessage): void {
    const effects = this.#effects
    this.#apply(message)
    this.#options.metrics?.replayed.inc(this.#labels)
    // Nobody will see these: they only must not grow without bound.
    if (this.#actor.count(effects) >= this.#bounds.commitResultsMax) this.#effects = this.#actor.effects()
  }

  #run(startedMs: number): void {
    const nowMs = this.#clock.monotonic()
    this.#effects = this.#actor.effects()
    // Where the end of what was committed is purged, the replay ends before it.
    if (this.#at.seq < this.committed.seq) this.#at = this.committed
    this.#move({ kind: 'running', epoch: this.epoch })
    this.#lastReadMs = this.#lastLookedMs = this.#snapshotAtMs = nowMs
    this.#options.metrics?.takeOverSeconds.observe((nowMs - startedMs) / 1_000)
    this.#options.metrics?.epoch.set(this.#labels, this.epoch)
    this.#options.metrics?.failed.set(this.#labels, 0)
    this.#logger.info({ epoch: this.epoch, position: this.#at.seq, tookMs: Math.round(nowMs - startedMs), replayMs: Math.round(this.#replayMs) }, 'partition runs')
    const introduction = this.#actor.introduce(this.#state, this.#options.settings)
    if (introduction) this.#append(introduction)
    this.#look()
  }

  #step(message: LogMessage): void {
    this.#apply(message)
    this.#uncommitted++
    if (this.#actor.urgent(this.#effects) || this.#isEnough()) this.#commitSoon()
    else this.#armCommit()
  }

  #apply(message: LogMessage): void {
    const beganMs = this.#clock.monotonic()
    this.#actor.step(this.#state, message, this.#effects)
    this.#at = { created: this.#at.created, seq: message.seq, timeMs: message.timeMs }
    const endedMs = this.#clock.monotonic()
    this.#lastReadMs = endedMs
    this.#burstMs += endedMs - beganMs
    this.#uncommittedStepMs += endedMs - beganMs
    this.#replayMs += endedMs - beganMs + this.#bounds.replayMessageMs
  }

  /** Appends to the input, and tries again while the log does not answer: doing so twice does no harm. */
  #append(data: Uint8Array, onStored: (seq: number) => void = () => {}): void {
    this.#persist(() => this.#options.connection.log.publish(this.#subject, data)).then(
      ({ seq }) => onStored(seq),
      (error) => {
        if (!(error instanceof Aborted)) this.#give(error)
      },
    )
  }

  // Committing ------------------------------------------------------------------------------------------------------------------

  #isEnough(): boolean {
    return this.#actor.count(this.#effects) >= this.#bounds.commitResultsMax || this.#uncommitted >= limits.COMMIT_MESSAGES_MAX
  }

  #isFull(): boolean {
    const factor = limits.COMMIT_WAITING_RESULTS_MAX / limits.COMMIT_RESULTS_MAX
    return this.#actor.count(this.#effects) >= factor * this.#bounds.commitResultsMax || this.#uncommitted >= limits.COMMIT_WAITING_MESSAGES_MAX
  }

  #armCommit(): void {
    this.#cancelCommitTimer ??= this.#clock.after(this.#bounds.commitIntervalMs, () => this.#commitSoon())
  }

  /** Begins a commit now, or as soon as the one under way is answered. */
  #commitSoon(): void {
    this.#cancelCommitTimer?.()
    this.#cancelCommitTimer = null
    if (this.#inflight) this.#commitDue = true
    else if (this.#phase.kind === 'running') this.#guard(() => this.#commit())
  }

  /** What the actor throws, wherever it is called from, stops the partition and not the process. */
  #guard(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#give(error)
    }
  }

  #commit(): void {
    const position = this.#at
    const messages = this.#uncommitted
    const results = this.#actor.count(this.#effects)
    if (messages === 0 && this.#stored === null) return
    const payload = this.#actor.encode(this.#effects, this.#state)
    this.#effects = this.#actor.effects()
    const stepMs = this.#uncommittedStepMs
    this.#uncommitted = 0
    this.#uncommittedStepMs = 0
    const named = this.#stored
    this.#stored = null
    const snapshots = named ? [named, ...this.#writer.snapshots].slice(0, 2) : this.#writer.snapshots
    if (this.#snapshotIsDue()) this.#snapshot()
    const beganMs = this.#clock.monotonic()
    this.#inflight = this.#writer.commit({ position, payload, snapshots }).then(
      () => {
        this.#inflight = null
        const { metrics } = this.#options
        if (metrics) {
          metrics.messages.inc(this.#labels, messages)
          metrics.results.inc(this.#labels, results)
          metrics.commits.inc(this.#labels)
          metrics.stepSeconds.inc(this.#labels, stepMs / 1_000)
          metrics.commitSeconds.observe((this.#clock.monotonic() - beganMs) / 1_000)
          metrics.lagSeconds.set(this.#labels, Math.max(0, this.#clock.now() - position.timeMs) / 1_000)
        }
        if (named) this.#sweep(snapshots)
        if (this.#commitDue) {
          this.#commitDue = false
          this.#commitSoon()
        }
      },
      (error) => {
        this.#inflight = null
        this.#give(error)
      },
    )
  }

  // Snapshots -------------------------------------------------------------------------------------------------------------------

  #snapshotIsDue(): boolean {
    if (this.#snapshotting || this.#stored || this.#replayMs === 0) return false
    if (this.#replayMs >= Math.max(this.#bounds.replayCostMs, limits.SNAPSHOT_COST_FACTOR * this.#snapshotTookMs)) return true
    return this.#clock.monotonic() - this.#snapshotAtMs >= limits.SNAPSHOT_AGE_MAX_MS
  }

  /** Takes the bytes now, where every message so far is in a commit that is under way or stored, and stores them beside the loop. */
  #snapshot(): void {
    assert(this.#uncommitted === 0 && this.#snapshotting === null)
    const position = this.#at
    const beganMs = this.#clock.monotonic()
    const state = this.#actor.snapshot(this.#state)
    this.#snapshotAtMs = this.#clock.monotonic()
    this.#snapshotTookMs = this.#snapshotAtMs - beganMs
    this.#replayMs = 0
    this.#snapshotting = this.#persist(() => this.#writeSnapshot(state, position)).then(
      (ref) => {
        this.#snapshotting = null
        this.#stored = ref
        if (this.#phase.kind === 'running') this.#armCommit()
      },
      (error) => {
        this.#snapshotting = null
        if (error instanceof Aborted) return
        // It only would have saved time; the next one may fare better.
        this.#logger.error({ err: error, position }, 'snapshot could not be stored')
      },
    )
  }

  #writeSnapshot(state: Uint8Array, position: Position): Promise<SnapshotRef> {
    const { name: actor, snapshotVersion: version } = this.#actor
    this.#options.metrics?.snapshotBytes.set(this.#labels, state.byteLength)
    return writeSnapshot(this.#objects!, { actor, version, partition: this.partition, epoch: this.epoch, position, state })
  }

  #sweep(keep: readonly SnapshotRef[]): void {
    sweepSnapshots(this.#objects!, { actor: this.#actor.name, partition: this.partition, keep }).catch((error) => {
      // What stays is swept after the next snapshot.
      this.#logger.warn({ err: error }, 'old snapshots could not be deleted')
    })
  }

  // Looking around --------------------------------------------------------------------------------------------------------------

  /** Every so often: is a tick due, is it quiet enough for a snapshot, is the log still the same? */
  #look(): void {
    this.#cancelLook = this.#clock.after(LOOK_MS, () => this.#guard(() => {
      if (this.#phase.kind !== 'running' || this.#stopping !== null) return
      const nowMs = this.#clock.monotonic()
      const quietMs = nowMs - this.#lastReadMs
      if (quietMs >= limits.TICK_INTERVAL_MS) this.#tickIfWanted(nowMs)
      const quiet = quietMs >= limits.SNAPSHOT_QUIET_MS && this.#replayMs >= this.#bounds.quietCostMs
      if ((quiet || this.#snapshotIsDue()) && !this.#snapshotting && !this.#stored && !this.#inflight && this.#uncommitted === 0) this.#snapshot()
      if (nowMs - this.#lastLookedMs >= limits.MEMBER_CHECK_MS && this.#options.connection.connected() && !this.#checking) {
        this.#lastLookedMs = nowMs
        void this.#measure()
      }
      this.#look()
    }))
  }

  #tickIfWanted(nowMs: number): void {
    if (!this.#actor.wantsTick(this.#state)) return
    // One at a time: another only where the one before was read back, or is lost for so long that it does not matter.
    if (this.#tick && this.#tick.seq > this.#at.seq && nowMs - this.#tick.sentMs < 5 * limits.TICK_INTERVAL_MS) return
    const tick = { seq: Infinity, sentMs: nowMs }
    this.#tick = tick
    this.#append(this.#actor.tick(), (seq) => (tick.seq = seq))
  }

  async #measure(): Promise<void> {
    const { log } = this.#options.connection
    const at = this.#at
    try {
      const { created, lastSeq } = await log.info(this.#stream)
      const last = await log.last(this.#stream, this.#subject)
      this.#options.metrics?.behind.set(this.#labels, Math.max(0, (last?.seq ?? 0) - this.#at.seq))
      if (created !== at.created || lastSeq < at.seq) void this.#check()
      // A partition with nothing to commit would else not learn that it was taken over.
      const newest = await this.#writer.newest()
      if (newest && newest.epoch > this.epoch) this.#give(new Fenced(newest.owner, newest.epoch))
    } catch {
      // The log does not answer now: this measures only, and is asked again soon.
    }
  }

  /** Holds steps and commits until it is known that the log is still the one that was read. */
  #check(): Promise<void> {
    if (this.#checking) return this.#checking
    if (this.#stopping !== null || (this.#phase.kind !== 'running' && this.#phase.kind !== 'replaying')) return Promise.resolve()
    return (this.#checking = this.#identify(this.#at).then(
      (identity) => {
        this.#checking = null
        if (identity.kind === 'new-generation') void this.stop('new-generation')
      },
      (error) => {
        this.#checking = null
        if (!(error instanceof Aborted)) this.#give(error)
      },
    ))
  }

  // The end ---------------------------------------------------------------------------------------------------------------------

  async #drain(): Promise<HostEnd> {
    this.#move({ kind: 'draining', epoch: this.epoch })
    this.#cancelCommitTimer?.()
    this.#cancelLook()
    const idle = async () => {
      while (this.#inflight) await this.#inflight
      if (this.#error !== null) throw this.#error
    }
    await idle()
    // Where the log before it is gone, a snapshot is all that there is of the state.
    const worth = this.#replayMs >= this.#bounds.quietCostMs || this.#stopping === 'new-generation'
    if (this.#uncommitted > 0) this.#commit()
    if (worth && !this.#snapshotting && !this.#stored) this.#snapshot()
    await this.#snapshotting
    await idle()
    if (this.#stored) this.#commit()
    await idle()
    return { kind: 'stopped', reason: this.#stopping ?? 'asked' }
  }

  #letGo(): void {
    this.#logger.warn({ position: this.#at, committed: this.committed }, 'partition let go before its last commit was stored; its next owner makes it')
    this.#quit.abort()
  }
}
