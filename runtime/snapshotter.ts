/**
 * When a host takes a snapshot, and which of them a commit names.
 *
 * Picture: a bookmark is put in where reading again from the last one would take too long. Owns that reckoning, and the one snapshot
 * at a time on its way into the store. Leaves the form of objects to snapshots.ts.
 *
 * - A snapshot is taken where every message so far is in a commit that is stored or under way (H1, H5 of host.ts).
 * - One of several pieces is made while it is stored, piece by piece, and everything else of the process has its turns in between. Until the last of them
 *   is made no message is stepped (`holding`); that takes as long as the log stores them, and at most `SNAPSHOT_HOLD_MAX_MS`.
 * - It only saves time (I5): one that can't be stored is reported and forgotten.
 */

import assert from 'node:assert/strict'
import type { Pieces } from './actor.ts'
import type { HostContext } from './host-life.ts'
import { Aborted } from './journal-writer.ts'
import type { Position, SnapshotRef } from './journal.ts'
import { SNAPSHOT_AGE_MAX_MS, SNAPSHOT_COST_FACTOR, SNAPSHOT_HOLD_MAX_MS } from './limits.ts'
import type { ObjectStore } from './log.ts'
import { restoreNewest, sweepSnapshots, writeSnapshot } from './snapshots.ts'
import { turnOf } from './turns.ts'

export class Snapshotter<State, Effects> {
  #context: HostContext<State, Effects>
  #objects: ObjectStore | null = null
  #epoch = 0
  /** What replaying from the newest snapshot would cost by now. */
  #replayMs = 0
  #tookMs = 0
  #takenMs: number
  #storing: Promise<void> | null = null
  /** While pieces of the state are still to be made. */
  #hold: { readonly over: Promise<void>; release(): void } | null = null
  #stored: SnapshotRef | null = null
  #onStored: () => void

  /** `onStored` is called when there is one for a commit to name. */
  constructor(context: HostContext<State, Effects>, onStored: () => void) {
    this.#context = context
    this.#onStored = onStored
    this.#takenMs = context.clock.monotonic()
  }

  /** Reads objects from now on. */
  open(objects: ObjectStore): void {
    this.#objects = objects
  }

  /** Names what it writes by the epoch of a claim from now on. */
  began(epoch: number): void {
    this.#epoch = epoch
  }

  restore(refs: readonly SnapshotRef[]): Promise<{ ref: SnapshotRef; state: State } | null> {
    const { actor, logger, persist } = this.#context
    const report = (ref: SnapshotRef, cause: unknown) => logger.error({ snapshot: ref.name, err: cause }, 'snapshot is not whole')
    return persist(() => restoreNewest(this.#objects!, refs, actor, report, (work) => this.#atPace(work)))
  }

  #atPace(work: () => void): void | Promise<void> {
    const { clock } = this.#context
    const turn = turnOf(clock)
    const beganMs = clock.monotonic()
    work()
    turn.spent(clock.monotonic() - beganMs)
    if (turn.isOver) return turn.next()
  }

  /** A message was stepped, in so much time. */
  worked(ms: number): void {
    this.#replayMs += ms + this.#context.bounds.replayMessageMs
  }

  get replayMs(): number {
    return this.#replayMs
  }

  /** Whether a replay would cost so much by now that a snapshot should be taken at the next commit. */
  get isDue(): boolean {
    if (!this.isIdle || this.#replayMs === 0) return false
    if (this.#replayMs >= Math.max(this.#context.bounds.replayCostMs, SNAPSHOT_COST_FACTOR * this.#tookMs)) return true
    return this.#context.clock.monotonic() - this.#takenMs >= SNAPSHOT_AGE_MAX_MS
  }

  /** Whether one is worth its while where there is nothing else to do. */
  get isWorthwhile(): boolean {
    return this.isIdle && this.#replayMs >= this.#context.bounds.quietCostMs
  }

  /** Whether none is on its way or waits to be named. */
  get isIdle(): boolean {
    return this.#storing === null && this.#stored === null
  }

  get hasStored(): boolean {
    return this.#stored !== null
  }

  /** Resolves when messages may be stepped again; null: they may. */
  get holding(): Promise<void> | null {
    return this.#hold?.over ?? null
  }

  /** Gives up the snapshot that is being made, so that messages may be stepped. */
  letGo(): void {
    this.#hold?.release()
  }

  /** Takes the state as it is now, and stores it beside what goes on; `isLast`: the state does not change any more. */
  take({ isLast = false } = {}): void {
    assert(this.isIdle, 'one snapshot at a time')
    const { at } = this.#context.progress
    this.#storing = (isLast ? this.takeWhole() : this.#begin(at)).then(
      (ref) => {
        this.#storing = null
        this.#stored = ref
        this.#onStored()
      },
      (error) => {
        this.#storing = null
        if (!(error instanceof Aborted)) this.#context.logger.error({ err: error, position: at }, 'snapshot could not be stored')
      },
    )
  }

  #begin(position: Position): Promise<SnapshotRef> {
    const { clock, persist } = this.#context
    const { pieces, write } = this.#prepare(position)
    if (pieces.count === 1) {
      const only = [...this.#made(pieces)]
      return persist(() => write(only))
    }
    const beganMs = clock.monotonic()
    const { promise: over, resolve } = Promise.withResolvers<void>()
    const release = (): void => {
      if (this.#hold !== hold) return
      cancel()
      this.#hold = null
      // All that nobody was stepped for is what it costs: one that a slow store made long is not soon taken again.
      this.#tookMs = clock.monotonic() - beganMs
      resolve()
    }
    const hold = { over, release }
    const cancel = clock.after(SNAPSHOT_HOLD_MAX_MS, release)
    this.#hold = hold
    // Tried once: a log that does not answer must not hold the partition.
    return write(this.#paced(pieces, () => this.#hold === hold)).finally(release)
  }

  /** Takes one and waits until it is stored; the state must not change meanwhile. */
  takeWhole(): Promise<SnapshotRef> {
    const { pieces, write } = this.#prepare(this.#context.progress.at)
    return this.#context.persist(() => write(this.#paced(pieces, () => true)))
  }

  /** The pieces of the state as it is now, and how they are stored. */
  #prepare(position: Position): { pieces: Pieces; write(pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<SnapshotRef> } {
    const { actor, partition, progress, clock } = this.#context
    const pieces = actor.pieces(progress.state)
    const about = { actor: actor.name, version: actor.snapshotVersionOf(progress.state), partition, epoch: this.#epoch, position, count: pieces.count }
    this.#replayMs = 0
    this.#takenMs = clock.monotonic()
    return { pieces, write: (made) => writeSnapshot(this.#objects!, { ...about, pieces: made }) }
  }

  /** The stored one that the next commit names, or null; it is then no longer there. */
  nameNext(): SnapshotRef | null {
    const ref = this.#stored
    this.#stored = null
    return ref
  }

  /** Deletes what a commit, now stored, has ceased to name. */
  sweep(keep: readonly SnapshotRef[]): void {
    const { actor, partition, logger } = this.#context
    sweepSnapshots(this.#objects!, { actor: actor.name, partition, keep }).catch((error) => {
      // What stays is swept after the next snapshot.
      logger.warn({ err: error }, 'old snapshots could not be deleted')
    })
  }

  /** Resolves when none is on its way. */
  async settled(): Promise<void> {
    await this.#storing
  }

  /** The pieces as they are made, with turns for others between them; after the last the state may change. */
  async *#paced(pieces: Pieces, isHeld: () => boolean): AsyncGenerator<Uint8Array> {
    const turn = turnOf(this.#context.clock)
    let left = pieces.count
    for (const piece of this.#made(pieces)) {
      if (--left === 0) this.#hold?.release()
      yield piece
      while (left > 0 && turn.isOver && isHeld()) await turn.next()
      if (left > 0 && !isHeld()) throw new Error('the partition could not be held until all of it was stored')
    }
  }

  /** The pieces, with a reckoning of what they cost. */
  *#made(pieces: Pieces): Generator<Uint8Array> {
    const { clock, metrics, labels } = this.#context
    this.#tookMs = 0
    let bytes = 0
    let beganMs = clock.monotonic()
    for (const piece of pieces) {
      const tookMs = clock.monotonic() - beganMs
      this.#tookMs += tookMs
      turnOf(clock).spent(tookMs)
      bytes += piece.byteLength
      yield piece
      beganMs = clock.monotonic()
    }
    metrics?.snapshotBytes.set(labels, bytes)
  }
}
