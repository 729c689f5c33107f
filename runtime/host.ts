/**
 * Drives one partition: prepare where another still has it, claim, restore, replay, then read → step → commit → snapshot, until it is told to
 * stop or someone else owns it.
 *
 * Owns the life cycle and the only await loop of a partition. Leaves what a step does to the actor (actor.ts), how the partition becomes its own
 * to take-over.ts, when to commit to committer.ts, the compare-and-set of claims and commits to journal-writer.ts, snapshots to
 * snapshotter.ts, what it appends to its own input to own-messages.ts, and who should own what to member.ts.
 *
 * - H1 A step happens between two awaits of this loop, in order of sequence, each message once. Encoding a commit is synchronous too, and while a
 *   snapshot's pieces are made no message is stepped: so both see the state after exactly the messages that their position covers.
 * - H2 One commit is under way at a time; steps go on beside it, within a bound. Effects that no commit carries never existed.
 * - H3 Output is suppressed up to the committed position: a replay only makes the state again (I5).
 * - H4 No message is stepped, and no commit goes out, while it is in question whether the log is still the same one (I10).
 * - H5 A snapshot is named by a commit only after it is stored, and older ones are deleted only after a commit has ceased to name them.
 */

import assert from 'node:assert/strict'
import { Committer } from './committer.ts'
import { isOperating } from './errors.ts'
import { HOST_BOUNDS, HOST_MOVES } from './host-life.ts'
import type { HostContext, HostEnd, HostOptions, HostPhase, Progress, StopReason } from './host-life.ts'
import { identify } from './identity.ts'
import type { Identity } from './identity.ts'
import { Aborted, Fenced, JournalWriter, persist } from './journal-writer.ts'
import type { Position } from './journal.ts'
import { HOST_DRAIN_MAX_MS, MEMBER_CHECK_MS, RETRY_MIN_MS, SNAPSHOT_QUIET_MS, TICK_INTERVAL_MS } from './limits.ts'
import type { LogMessage, LogReader } from './log.ts'
import { OwnMessages } from './own-messages.ts'
import { Snapshotter } from './snapshotter.ts'
import { TakeOver } from './take-over.ts'
import { inputStream, inputSubject } from './topology.ts'
import { turnOf } from './turns.ts'
import type { Turn } from './turns.ts'

/** How often a host looks whether it is quiet. */
const LOOK_MS = TICK_INTERVAL_MS / 4

const NOWHERE: Position = { created: '', seq: 0, timeMs: 0 }

/**
 * @example
 * const host = new PartitionHost({ connection, actor, topology, partition: 3, owner: 'w1', settings, clock, logger })
 * const end = await host.ended
 */
export class PartitionHost<State, Effects> {
  readonly partition: number
  /** Resolves at the end of its life; never rejects. */
  readonly ended: Promise<HostEnd>

  #options: HostOptions<State, Effects>
  #context: HostContext<State, Effects>
  #progress: Progress<State>
  #stream: string
  #subject: string
  #phase: HostPhase
  #takeOver: TakeOver<State, Effects>
  #writer: JournalWriter
  #snapshotter: Snapshotter<State, Effects>
  #committer: Committer<State, Effects>
  #own: OwnMessages<State, Effects>
  #reader: LogReader | null = null

  /** Gives up all that is under way: at an error, or when draining takes too long. */
  #quit = new AbortController()
  #error: unknown = null
  #stopping: StopReason | null = null
  /** While the identity of the log is in question. */
  #checking: Promise<void> | null = null
  #cancelDeadline: () => void = () => {}
  #cancelLook: () => void = () => {}

  #startedMs: number
  #lastReadMs = 0
  #measuredMs = 0
  /** Shared with the other partitions of the process. */
  #turn: Turn

  constructor(options: HostOptions<State, Effects>) {
    const { actor, clock, partition, topology, metrics } = options
    const logger = options.logger.child({ partition })
    const bounds = { ...HOST_BOUNDS, ...options.bounds }
    this.partition = partition
    this.#options = options
    this.#stream = inputStream(topology, partition)
    this.#subject = inputSubject(partition)
    this.#phase = { kind: options.waits ? 'preparing' : 'claiming' }
    this.#startedMs = clock.monotonic()
    this.#turn = turnOf(clock)
    this.#progress = { state: actor.create(), at: NOWHERE }
    this.#context = {
      partition,
      actor,
      clock,
      logger,
      bounds,
      progress: this.#progress,
      metrics,
      labels: { partition: String(partition) },
      persist: (run) => {
        return persist(clock, this.#quit.signal, run, (error) => logger.warn({ err: error }, 'the log did not answer; trying again'))
      },
      give: (error) => this.#give(error),
    }
    this.#writer = new JournalWriter({
      log: options.connection.log,
      clock,
      partition,
      owner: options.owner,
      signal: this.#quit.signal,
      partBytes: bounds.commitPartBytes,
      gate: () => this.#checking,
      onError: (error) => logger.warn({ err: error }, 'a claim or commit is tried again'),
    })
    this.#snapshotter = new Snapshotter(this.#context, () => this.#committer.arm())
    this.#committer = new Committer(this.#context, this.#writer, this.#snapshotter)
    this.#own = new OwnMessages(this.#context, options)
    this.#takeOver = new TakeOver({
      connection: options.connection,
      context: this.#context,
      writer: this.#writer,
      snapshotter: this.#snapshotter,
      stream: this.#stream,
      subject: this.#subject,
      waits: options.waits === true,
      signal: this.#quit.signal,
      replay: (message) => {
        this.#replay(message)
        return this.#turn.isOver ? this.#turn.next() : undefined
      },
      onReady: () => options.onReady?.(),
      onClaiming: () => {
        if (options.waits) this.#move({ kind: 'claiming' })
        this.#startedMs = clock.monotonic()
      },
      onClaimed: (epoch) => this.#move({ kind: 'restoring', epoch }),
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

  /** Whether it waits for nothing but `claim`. */
  get isReady(): boolean {
    return this.#phase.kind === 'preparing' && this.#takeOver.isReady
  }

  /** Claims the partition as soon as it is prepared, where it waits for that. */
  claim(): void {
    this.#takeOver.go()
  }

  /** Spares the next owner a replay: takes a snapshot where that is worth its while, and resolves once a commit names it. It goes on meanwhile. */
  async freshen(): Promise<void> {
    if (this.#phase.kind !== 'running' || !this.#snapshotter.isWorthwhile) return
    await this.#committer.level(() => void (this.#snapshotter.isIdle && this.#snapshotter.take()))
    await this.#snapshotter.settled()
    await this.#committer.level(() => {})
    await this.#committer.underWay
  }

  /** Looks at once whether another has claimed the partition, as after a long absence. */
  verify(): void {
    if (this.#phase.kind === 'running') void this.#measure()
  }

  /** For tests to look at. */
  get state(): State {
    return this.#progress.state
  }

  /** Commits what it has, takes a snapshot unless the next owner is ready, and lets go. Resolves at the end of its life, whatever the end is. */
  stop(reason: StopReason = 'asked'): Promise<HostEnd> {
    if (this.#stopping === null) {
      this.#stopping = reason
      // Before it runs it has nothing to commit, and what it waits for may never come.
      if (this.#phase.kind !== 'running') {
        this.#quit.abort()
        void this.#takeOver.close()
      } else this.#cancelDeadline = this.#context.clock.after(HOST_DRAIN_MAX_MS, () => this.#letGo())
      void this.#reader?.close()
    }
    return this.ended
  }

  // Life ----------------------------------------------------------------------------------------------------------------------

  async #live(): Promise<HostEnd> {
    // From the next microtask on, so that who makes a host has it in hand before its first move.
    await Promise.resolve()
    const stopHearing = this.#options.connection.onReconnect(() => {
      this.#takeOver.doubt()
      void this.#check()
    })
    let end: HostEnd
    try {
      await this.#read(await this.#takeOver.run())
      end = await this.#drain()
    } catch (error) {
      end = this.#endOf(this.#error ?? error)
      if (end.kind === 'stopped' && this.#phase.kind === 'running') this.#move({ kind: 'draining', epoch: this.epoch })
    }
    stopHearing()
    this.#committer.close()
    this.#cancelLook()
    this.#cancelDeadline()
    this.#quit.abort()
    await Promise.all([this.#takeOver.close(), this.#reader?.close().catch(() => {})])
    this.#move(end)
    return end
  }

  #endOf(error: unknown): HostEnd {
    const { logger, metrics, labels } = this.#context
    if (error instanceof Fenced) {
      metrics?.fenced.inc(labels)
      logger.info({ by: error.by, epoch: error.epoch }, 'partition is owned by another member')
      return { kind: 'fenced', by: error.by }
    }
    if (error instanceof Aborted && this.#stopping !== null) return { kind: 'stopped', reason: this.#stopping }
    metrics?.failed.set(labels, 1)
    const position = this.#progress.at
    if (isOperating(error)) logger.error({ code: error.code, position }, `partition stopped: ${error.message}`)
    else logger.error({ err: error, position }, 'partition stopped by a bug; its log is intact, and a version without it goes on from there')
    return { kind: 'failed', error }
  }

  #move(to: HostPhase): void {
    const from = this.#phase.kind
    assert(HOST_MOVES[from].includes(to.kind), `Cannot move a host as the move must be a legal one: current move is ${from} to ${to.kind}`)
    this.#phase = to
    this.#options.onMove?.(to)
  }

  /** Ends the life with `error` from outside the loop. */
  #give(error: unknown): void {
    if (this.#error !== null || this.#quit.signal.aborted) return
    this.#error = error
    this.#quit.abort()
    this.#snapshotter.letGo()
    void this.#takeOver.close()
    void this.#reader?.close()
  }

  get #isEnding(): boolean {
    return this.#stopping !== null || this.#error !== null
  }

  // Reading ---------------------------------------------------------------------------------------------------------------------

  /** The await loop. */
  async #read({ target, reader }: { target: number; reader: LogReader | null }): Promise<void> {
    const { log } = this.#options.connection
    const { clock, logger } = this.#context
    this.#move({ kind: 'replaying', epoch: this.epoch, target })
    if (this.#progress.at.seq >= target) this.#run()
    while (!this.#isEnding) {
      this.#reader = reader ?? log.read({ stream: this.#stream, subject: this.#subject, fromSeq: this.#progress.at.seq + 1 })
      reader = null
      try {
        for await (const message of this.#reader) {
          while (this.#checking || this.#snapshotter.holding || this.#turn.isOver) await (this.#checking ?? this.#snapshotter.holding ?? this.#turn.next())
          if (this.#isEnding) break
          this.#take(message, target)
          if (this.#committer.isFull) await this.#committer.underWay
        }
      } catch (error) {
        if (!isOperating(error) || !(error.retry || error.code === 'identity')) throw error
        logger.warn({ err: error }, 'the input can not be read; trying again')
        // A reader that no longer knows its stream says less than a look at it.
        if (error.code === 'identity') await this.#check()
      } finally {
        await this.#reader.close().catch(() => {})
      }
      if (!this.#isEnding) await clock.sleep(RETRY_MIN_MS, this.#quit.signal)
    }
    if (this.#error !== null) throw this.#error
    if (this.#phase.kind === 'replaying') throw new Aborted()
  }

  #take(message: LogMessage, target: number): void {
    if (this.#phase.kind === 'replaying') {
      if (message.seq <= target) {
        this.#replay(message)
        if (message.seq === target) this.#run()
        return
      }
      this.#run()
    }
    this.#committer.stepped(this.#step(message))
  }

  #replay(message: LogMessage): void {
    this.#step(message)
    this.#committer.replayed()
    this.#context.metrics?.replayed.inc(this.#context.labels)
  }

  /** Applies a message; gives the time that it took. */
  #step(message: LogMessage): number {
    const { actor, clock } = this.#context
    const beganMs = clock.monotonic()
    actor.step(this.#progress.state, message, this.#committer.effects)
    this.#progress.at = { created: this.#progress.at.created, seq: message.seq, timeMs: message.timeMs }
    this.#lastReadMs = clock.monotonic()
    const tookMs = this.#lastReadMs - beganMs
    this.#turn.spent(tookMs)
    this.#snapshotter.worked(tookMs)
    return tookMs
  }

  #run(): void {
    const { clock, logger, metrics, labels } = this.#context
    const nowMs = clock.monotonic()
    // Where the end of what was committed is purged, the replay ends before it.
    if (this.#progress.at.seq < this.committed.seq) this.#progress.at = this.committed
    this.#committer.open({ promptly: this.epoch > 1 })
    this.#move({ kind: 'running', epoch: this.epoch })
    this.#lastReadMs = this.#measuredMs = nowMs
    metrics?.takeOverSeconds.observe((nowMs - this.#startedMs) / 1_000)
    metrics?.epoch.set(labels, this.epoch)
    metrics?.failed.set(labels, 0)
    const [tookMs, replayMs] = [nowMs - this.#startedMs, this.#snapshotter.replayMs].map(Math.round)
    logger.info({ epoch: this.epoch, position: this.#progress.at.seq, tookMs, replayMs }, 'partition runs')
    this.#own.introduce()
    this.#lookLater()
  }

  // Looking around --------------------------------------------------------------------------------------------------------------

  #lookLater(): void {
    this.#cancelLook = this.#context.clock.after(LOOK_MS, () => {
      if (this.#phase.kind !== 'running' || this.#isEnding) return
      try {
        this.#look()
      } catch (error) {
        this.#give(error)
      }
      this.#lookLater()
    })
  }

  /** Is a tick due, is it quiet enough for a snapshot, is the log still the same? */
  #look(): void {
    const nowMs = this.#context.clock.monotonic()
    const quietMs = nowMs - this.#lastReadMs
    if (quietMs >= TICK_INTERVAL_MS) this.#own.tick()
    // The last member that lacked a flag may have left.
    this.#own.introduce()
    const snapshotter = this.#snapshotter
    const wanted = snapshotter.isDue || (quietMs >= SNAPSHOT_QUIET_MS && snapshotter.isWorthwhile)
    if (wanted && this.#committer.isLevel && !this.#committer.underWay) snapshotter.take()
    if (nowMs - this.#measuredMs >= MEMBER_CHECK_MS && this.#options.connection.connected() && !this.#checking) {
      this.#measuredMs = nowMs
      void this.#measure()
    }
  }

  async #measure(): Promise<void> {
    const { log } = this.#options.connection
    const { metrics, labels } = this.#context
    const { at } = this.#progress
    try {
      const { created, lastSeq } = await log.info(this.#stream)
      if (created !== at.created || lastSeq < at.seq) void this.#check()
      const last = await log.last(this.#stream, this.#subject)
      metrics?.behind.set(labels, Math.max(0, (last?.seq ?? 0) - this.#progress.at.seq))
      // Commits alone say how old what they hold is: a partition that is level would keep the last one's age for ever.
      if ((last?.seq ?? 0) <= this.committed.seq) metrics?.lagSeconds.set(labels, 0)
      // A partition with nothing to commit would else not learn that it was taken over.
      const newest = await this.#writer.newest()
      if (newest && newest.epoch > this.epoch) this.#give(new Fenced(newest.owner, newest.epoch))
    } catch {
      // The log does not answer now: this only measures, and is asked again soon.
    }
  }

  /** Holds steps and commits until it is known that the log is still the one that was read. */
  #check(): Promise<void> {
    if (this.#checking) return this.#checking
    if (this.#isEnding || (this.#phase.kind !== 'running' && this.#phase.kind !== 'replaying')) return Promise.resolve()
    this.#checking = this.#identify().then(
      (identity) => {
        this.#checking = null
        if (identity.kind === 'new-generation') void this.stop('new-generation')
      },
      (error) => {
        this.#checking = null
        if (!(error instanceof Aborted)) this.#give(error)
      },
    )
    return this.#checking
  }

  #identify(): Promise<Identity> {
    return this.#context.persist(() => identify(this.#options.connection.log, this.#context.clock, this.#stream, this.#subject, this.#progress.at))
  }

  // The end ---------------------------------------------------------------------------------------------------------------------

  async #drain(): Promise<HostEnd> {
    this.#move({ kind: 'draining', epoch: this.epoch })
    this.#committer.close()
    this.#cancelLook()
    await this.#flush()
    // Who takes over has the state, and waits for this.
    if (this.#stopping === 'handed-over') return { kind: 'stopped', reason: this.#stopping }
    // Where the log before it is gone, a snapshot is all that there is of the state.
    const isLast = this.#stopping === 'new-generation' && this.#snapshotter.isIdle
    if ((this.#snapshotter.isWorthwhile || isLast) && this.#committer.isLevel) this.#snapshotter.take({ isLast: true })
    await this.#snapshotter.settled()
    if (this.#snapshotter.hasStored) await this.#flush()
    return { kind: 'stopped', reason: this.#stopping ?? 'asked' }
  }

  async #flush(): Promise<void> {
    await this.#committer.flush()
    if (this.#error !== null) throw this.#error
  }

  #letGo(): void {
    const { logger, progress } = this.#context
    logger.warn({ position: progress.at, committed: this.committed }, 'partition let go before its last commit; its next owner makes it')
    this.#quit.abort()
    this.#snapshotter.letGo()
  }
}
