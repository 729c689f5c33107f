/**
 * The one writer of `results.<p>`: claims the partition and commits to it, by compare-and-set on the subject's last message.
 *
 * Owns what an answer that never came means. Leaves what is committed, and when, to the host.
 *
 * - JW1 Every message expects the one before it, so a writer that was overtaken stores nothing more (I4): its next message rejects
 *   with `Fenced`.
 * - JW2 A message goes out again only as the same bytes with the same nonce. If an earlier try lands late, the later one meets a conflict,
 *   and reading back shows the nonce: landed, once.
 * - JW3 One message is under way at a time.
 */

import { decodeJournal, encodeJournal } from './journal.ts'
import type { JournalHeader, Position, SnapshotRef } from './journal.ts'
import type { Clock } from './clock.ts'
import { isOperating, OperatingError } from './errors.ts'
import { infoShowing } from './identity.ts'
import { COMMIT_PART_BYTES, RETRY_MAX_MS, RETRY_MIN_MS } from './limits.ts'
import type { Log, LogMessage } from './log.ts'
import { RESULTS, resultsSubject } from './topology.ts'

/** Claims that meet with a commit of the owner before are tried again so often. */
const CLAIMS_MAX = 50

/** Someone else owns the partition: whoever wrote the newest message of its results. */
export class Fenced extends Error {
  readonly by: string
  readonly epoch: number

  constructor(by: string, epoch: number) {
    super(`The partition was claimed by ${by} with epoch ${epoch}`)
    this.name = 'Fenced'
    this.by = by
    this.epoch = epoch
  }
}

/** The work was given up on request; no more is known of what was under way. */
export class Aborted extends Error {
  constructor() {
    super('The work was given up on request')
    this.name = 'Aborted'
  }
}

/** Tries `run` again, with growing pauses, while it rejects with an error that a retry can help. Rejects with `Aborted` on the signal. */
export async function persist<T>(
  clock: Clock,
  signal: AbortSignal,
  run: () => Promise<T>,
  onError: (error: unknown) => void = () => {},
): Promise<T> {
  for (let pauseMs = RETRY_MIN_MS; ; pauseMs = Math.min(RETRY_MAX_MS, 2 * pauseMs)) {
    if (signal.aborted) throw new Aborted()
    try {
      return await run()
    } catch (error) {
      if (!isOperating(error) || !error.retry) throw error
      onError(error)
    }
    await clock.sleep(pauseMs, signal)
  }
}

export interface JournalWriterOptions {
  readonly log: Log
  readonly clock: Clock
  readonly partition: number
  readonly owner: string
  /** Gives up whatever is under way. */
  readonly signal: AbortSignal
  /** A commit's payload beyond this goes in parts. */
  readonly partBytes?: number
  /** Waited for before each message goes out, where it is not null. */
  readonly gate?: () => Promise<void> | null
  readonly onError?: (error: unknown) => void
}

export class JournalWriter {
  #options: JournalWriterOptions
  #subject: string
  #lastSeq = 0
  #epoch = 0
  #position: Position = { created: '', seq: 0, timeMs: 0 }
  #snapshots: readonly SnapshotRef[] = []

  constructor(options: JournalWriterOptions) {
    this.#options = options
    this.#subject = resultsSubject(options.partition)
  }

  get epoch(): number {
    return this.#epoch
  }

  /** As the last message of this writer, or of the owner before, has it. */
  get position(): Position {
    return this.#position
  }

  get snapshots(): readonly SnapshotRef[] {
    return this.#snapshots
  }

  /** The newest header of the partition, or null where no one ever claimed it. */
  async newest(): Promise<JournalHeader | null> {
    const last = await this.#last()
    return last ? decodeJournal(last.data).header : null
  }

  /**
   * Claims the partition, with the epoch after the newest one. `unclaimed` is the position of a partition that no one ever claimed;
   * `check` sees the position that is inherited, and may throw. Throws `Fenced` when someone else claims at the same time and wins.
   */
  async claim(unclaimed: Position, check: (position: Position) => Promise<void>): Promise<void> {
    for (let tries = 1; ; tries++) {
      const last = await this.#last()
      const before = last ? decodeJournal(last.data).header : null
      await check(before?.position ?? unclaimed)
      this.#lastSeq = last?.seq ?? 0
      this.#epoch = (before?.epoch ?? 0) + 1
      this.#position = before?.position ?? unclaimed
      this.#snapshots = before?.snapshots ?? []
      try {
        await this.#put({ kind: 'claim', position: this.#position, snapshots: this.#snapshots, part: 0 })
        return
      } catch (error) {
        // The owner before went on committing until now: that is no rival.
        if (!(error instanceof Fenced) || error.epoch >= this.#epoch || tries >= CLAIMS_MAX) throw error
      }
    }
  }

  /** Stores a commit; resolves once it is known to be stored. Throws `Fenced` when it never will be. */
  async commit(commit: { position: Position; payload: Uint8Array; snapshots: readonly SnapshotRef[] }): Promise<void> {
    const { position, payload, snapshots } = commit
    const partBytes = this.#options.partBytes ?? COMMIT_PART_BYTES
    const parts = Math.max(0, Math.ceil(payload.byteLength / partBytes) - 1)
    let begun: { first?: number } = {}
    for (let part = 0; part < parts; part++) {
      const slice = payload.subarray(part * partBytes, (part + 1) * partBytes)
      await this.#put({ kind: 'part', position: this.#position, snapshots: this.#snapshots, part, ...begun }, slice)
      if (part === 0) begun = { first: this.#lastSeq }
    }
    await this.#put({ kind: 'commit', position, snapshots, part: parts, ...begun }, payload.subarray(parts * partBytes))
    this.#position = position
    this.#snapshots = snapshots
  }

  async #put(header: Pick<JournalHeader, 'kind' | 'position' | 'snapshots' | 'part' | 'first'>, payload?: Uint8Array): Promise<void> {
    const { log, clock, partition, owner, signal, gate, onError } = this.#options
    const nonce = clock.nonce()
    const bytes = encodeJournal({ ...header, partition, owner, nonce, epoch: this.#epoch }, payload)
    for (let pauseMs = RETRY_MIN_MS; ; pauseMs = Math.min(RETRY_MAX_MS, 2 * pauseMs)) {
      await gate?.()
      if (signal.aborted) throw new Aborted()
      try {
        this.#lastSeq = (await log.publish(this.#subject, bytes, { expectLastSubjectSeq: this.#lastSeq })).seq
        return
      } catch (error) {
        if (!isOperating(error) || !(error.retry || error.code === 'conflict')) throw error
        onError?.(error)
      }
      const last = await this.#last()
      if (last && last.seq > this.#lastSeq) {
        const newest = decodeJournal(last.data).header
        if (newest.nonce !== nonce) throw new Fenced(newest.owner, newest.epoch)
        this.#lastSeq = last.seq
        return
      }
      if ((last?.seq ?? 0) < this.#lastSeq) await this.#assertNotShorter()
      await clock.sleep(pauseMs, signal)
    }
  }

  async #assertNotShorter(): Promise<void> {
    const { log, clock, partition, signal } = this.#options
    const { lastSeq } = await persist(clock, signal, () => infoShowing(log, clock, RESULTS, this.#lastSeq))
    if (lastSeq >= this.#lastSeq) return
    throw new OperatingError(
      'identity',
      `Cannot go on with partition ${partition} as stream ${RESULTS} must still hold what this owner stored at sequence ` +
        `${this.#lastSeq}: its current last sequence is ${lastSeq}. The stream lost messages or was made anew; restore it from a backup, ` +
        `or start again with an empty store.`,
    )
  }

  #last(): Promise<LogMessage | null> {
    const { log, clock, signal, onError } = this.#options
    return persist(clock, signal, () => log.last(RESULTS, this.#subject), onError)
  }
}
