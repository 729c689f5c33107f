/**
 * When a host takes a snapshot, and which of them a commit names.
 *
 * Picture: a bookmark is put in where reading again from the last one would take too long. Owns that reckoning, and the one snapshot
 * at a time on its way into the store. Leaves the form of objects to snapshots.ts.
 *
 * - A snapshot is taken where every message so far is in a commit that is stored or under way (H1, H5 of host.ts).
 * - It only saves time (I5): one that can't be stored is reported and forgotten.
 */

import assert from 'node:assert/strict'
import type { HostContext } from './host-life.ts'
import { Aborted } from './journal-writer.ts'
import type { Position, SnapshotRef } from './journal.ts'
import { SNAPSHOT_AGE_MAX_MS, SNAPSHOT_COST_FACTOR } from './limits.ts'
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
    return persist(() => restoreNewest(this.#objects!, refs, actor, report))
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

  /** Takes the bytes now and stores them beside what goes on. */
  take(): void {
    assert(this.isIdle, 'one snapshot at a time')
    const { at } = this.#context.progress
    const bytes = this.#bytes()
    this.#storing = this.#write(bytes, at).then(
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

  /** Takes one and waits until it is stored. */
  takeWhole(): Promise<SnapshotRef> {
    return this.#write(this.#bytes(), this.#context.progress.at)
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

  #bytes(): Uint8Array {
    const { actor, clock, progress, metrics, labels } = this.#context
    const beganMs = clock.monotonic()
    const bytes = actor.snapshot(progress.state)
    this.#takenMs = clock.monotonic()
    this.#tookMs = this.#takenMs - beganMs
    turnOf(clock).spent(this.#tookMs)
    this.#replayMs = 0
    metrics?.snapshotBytes.set(labels, bytes.byteLength)
    return bytes
  }

  /** `state` are bytes that were just taken of the state as it is. */
  #write(state: Uint8Array, position: Position): Promise<SnapshotRef> {
    const { actor, partition, persist, progress } = this.#context
    const about = { actor: actor.name, version: actor.snapshotVersionOf(progress.state), partition, epoch: this.#epoch, position, state }
    return persist(() => writeSnapshot(this.#objects!, about))
  }
}
