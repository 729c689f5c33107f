/**
 * When a host commits, and what a commit carries.
 *
 * Owns the effects since the last commit was begun, and the one commit under way. Leaves the compare-and-set to journal-writer.ts.
 *
 * - One commit is under way at a time; the next one is begun when it is due and the one before is answered (H2 of host.ts).
 * - Nothing consumed and no snapshot to name: no commit.
 */

import { atNextBeat } from './beat.ts'
import type { HostContext } from './host-life.ts'
import type { JournalWriter } from './journal-writer.ts'
import { COMMIT_MESSAGES_MAX, COMMIT_RESULTS_MAX, COMMIT_WAITING_MESSAGES_MAX, COMMIT_WAITING_RESULTS_MAX } from './limits.ts'
import type { Snapshotter } from './snapshotter.ts'
import { turnOf } from './turns.ts'

export class Committer<State, Effects> {
  #context: HostContext<State, Effects>
  #writer: JournalWriter
  #snapshotter: Snapshotter<State, Effects>
  #effects: Effects
  /** Messages and step time since the last commit was begun. */
  #messages = 0
  #stepMs = 0
  #underWay: Promise<void> | null = null
  /** The next one should follow the one under way at once. */
  #due = false
  /** The next commit ends the pause of a take-over, so it waits for no beat. */
  #isAwaited = false
  #cancelTimer: (() => void) | null = null
  /** Commits begin by themselves only while the host runs. */
  #state: 'closed' | 'open' = 'closed'

  constructor(context: HostContext<State, Effects>, writer: JournalWriter, snapshotter: Snapshotter<State, Effects>) {
    this.#context = context
    this.#writer = writer
    this.#snapshotter = snapshotter
    this.#effects = context.actor.effects()
  }

  /** What a step appends to. */
  get effects(): Effects {
    return this.#effects
  }

  /** The commit under way, or null. It never rejects: errors end the host. */
  get underWay(): Promise<void> | null {
    return this.#underWay
  }

  /** Whether every message so far is in a commit that is stored or under way. */
  get isLevel(): boolean {
    return this.#messages === 0
  }

  /** Whether so much waits beside the commit under way that stepping must pause. */
  get isFull(): boolean {
    const { actor, bounds } = this.#context
    const resultsMax = (COMMIT_WAITING_RESULTS_MAX / COMMIT_RESULTS_MAX) * bounds.commitResultsMax
    return this.#underWay !== null && (this.#messages >= COMMIT_WAITING_MESSAGES_MAX || actor.count(this.#effects) >= resultsMax)
  }

  /** A message was stepped again: nobody sees its effects, they only must not grow without bound. */
  replayed(): void {
    const { actor, bounds } = this.#context
    if (actor.count(this.#effects) >= bounds.commitResultsMax) this.#effects = actor.effects()
  }

  /** Commits what is stepped from now on, and nothing of before; `promptly`: the first message at once, since readers wait for it. */
  open({ promptly }: { promptly: boolean }): void {
    this.#effects = this.#context.actor.effects()
    this.#isAwaited = promptly
    this.#state = 'open'
  }

  /** A new message was stepped, in so much time. */
  stepped(ms: number): void {
    const { actor, bounds } = this.#context
    this.#messages++
    this.#stepMs += ms
    const enough = this.#messages >= COMMIT_MESSAGES_MAX || actor.count(this.#effects) >= bounds.commitResultsMax
    if (enough || this.#isAwaited || actor.urgent(this.#effects)) this.#soon()
    else this.arm()
  }

  /** Begins a commit within the interval, together with the other partitions of the process. */
  arm(): void {
    const { clock, bounds } = this.#context
    if (this.#state === 'open') this.#cancelTimer ??= atNextBeat(clock, bounds.commitIntervalMs, () => this.#soon())
  }

  /** Begins no more commits by itself. */
  close(): void {
    this.#state = 'closed'
    this.#cancelTimer?.()
    this.#cancelTimer = null
  }

  /** Begins a commit of what there is as soon as none is under way, and calls `run` in the same turn: every message so far is in a commit then. */
  async level(run: () => void): Promise<void> {
    while (this.#underWay) await this.#underWay
    if (this.#state === 'closed') return
    this.#soon()
    if (this.isLevel) run()
  }

  /** Commits what there is, and resolves when it is answered. */
  async flush(): Promise<void> {
    await this.#underWay
    this.#begin()
    await this.#underWay
  }

  #soon(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = null
    if (this.#underWay) this.#due = true
    else if (this.#state === 'open') {
      // What the actor throws, wherever it is called from, stops the partition and not the process.
      try {
        this.#begin()
      } catch (error) {
        this.#context.give(error)
      }
    }
  }

  #begin(): void {
    const { actor, progress, clock } = this.#context
    if (this.#messages === 0 && !this.#snapshotter.hasStored) return
    const encodingMs = clock.monotonic()
    const payload = actor.encode(this.#effects, progress.state)
    const results = actor.count(this.#effects)
    const done = { position: progress.at, messages: this.#messages, results, stepMs: this.#stepMs, beganMs: clock.monotonic() }
    turnOf(clock).spent(done.beganMs - encodingMs)
    this.#effects = actor.effects()
    this.#messages = 0
    this.#stepMs = 0
    this.#isAwaited = false
    const named = this.#snapshotter.nameNext()
    const snapshots = named ? [named, ...this.#writer.snapshots].slice(0, 2) : this.#writer.snapshots
    if (this.#snapshotter.isDue) this.#snapshotter.take()
    this.#underWay = this.#writer.commit({ position: done.position, payload, snapshots }).then(
      () => {
        this.#underWay = null
        this.#measure(done)
        if (named) this.#snapshotter.sweep(snapshots)
        if (this.#due) {
          this.#due = false
          this.#soon()
        }
      },
      (error) => {
        this.#underWay = null
        this.#context.give(error)
      },
    )
  }

  #measure(done: { position: { timeMs: number }; messages: number; results: number; stepMs: number; beganMs: number }): void {
    const { metrics, labels, clock } = this.#context
    if (!metrics) return
    metrics.messages.inc(labels, done.messages)
    metrics.results.inc(labels, done.results)
    metrics.commits.inc(labels)
    metrics.stepSeconds.inc(labels, done.stepMs / 1_000)
    metrics.commitSeconds.observe((clock.monotonic() - done.beganMs) / 1_000)
    metrics.lagSeconds.set(labels, Math.max(0, clock.now() - done.position.timeMs) / 1_000)
  }
}
