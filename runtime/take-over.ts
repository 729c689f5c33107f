/**
 * How a host comes to own a partition: it makes the state ready while another still owns it, claims, and makes what is not yet made.
 *
 * Owns the claim and the state up to it. Leaves the pace of preparing to preparation.ts, what a claim is to journal-writer.ts, and reading on to
 * the host.
 */

import { OperatingError } from './errors.ts'
import type { HostContext } from './host-life.ts'
import { identify, isUnpurged } from './identity.ts'
import type { Identity } from './identity.ts'
import type { JournalWriter } from './journal-writer.ts'
import type { Position, SnapshotRef } from './journal.ts'
import type { Connection, LogMessage, LogReader } from './log.ts'
import { PacedReader } from './paced-reader.ts'
import { Preparation } from './preparation.ts'
import type { Snapshotter } from './snapshotter.ts'
import { BUCKET_SNAPSHOTS } from './topology.ts'

const NOWHERE: Position = { created: '', seq: 0, timeMs: 0 }

export interface TakeOverOptions<State, Effects> {
  readonly connection: Connection
  readonly context: HostContext<State, Effects>
  readonly writer: JournalWriter
  readonly snapshotter: Snapshotter<State, Effects>
  readonly stream: string
  readonly subject: string
  /** Whether it prepares itself and claims only once `go` is called. */
  readonly waits: boolean
  /** Gives up. */
  readonly signal: AbortSignal
  /** Steps a message in silence. */
  replay(message: LogMessage): Promise<void> | void
  /** Called when it waits for nothing but `go`, when it begins to claim, and when it has. */
  onReady(): void
  onClaiming(): void
  onClaimed(epoch: number): void
}

export class TakeOver<State, Effects> {
  #options: TakeOverOptions<State, Effects>
  #preparation: Preparation | null = null
  /** What the preparation began with: null for the first message of the input, or where there is none. */
  #preparedFrom: SnapshotRef | null = null
  #reader: PacedReader | null = null

  constructor(options: TakeOverOptions<State, Effects>) {
    this.#options = options
    if (!options.waits) return
    const { clock, logger } = options.context
    this.#preparation = new Preparation({
      clock,
      make: () => this.#prepare(),
      follow: () => this.#follow(),
      giveUp: () => void this.#reader?.close(),
      onReady: () => options.onReady(),
      onError: (error) => logger.warn({ err: error }, 'a partition could not be prepared; its take-over takes longer'),
      signal: options.signal,
    })
  }

  /** Whether it waits for nothing but `go`. */
  get isReady(): boolean {
    return this.#preparation?.isReady === true
  }

  /** The partition may be claimed. */
  go(): void {
    this.#preparation?.go()
  }

  /** The connection was lost: nothing that was prepared is to be trusted. */
  doubt(): void {
    this.#preparation?.doubt()
  }

  /** Ends what it reads. */
  async close(): Promise<void> {
    await this.#reader?.close().catch(() => {})
  }

  /** Claims and restores; gives the sequence up to which the input is replayed, and the reader to go on with, where there is one. */
  async run(): Promise<{ target: number; reader: LogReader | null }> {
    const { connection, context, writer, snapshotter, stream, onClaiming, onClaimed } = this.#options
    const { persist, logger, actor, progress, partition } = context
    const isMade = this.#preparation !== null && (await this.#preparation.run())
    onClaiming()
    const { created } = await persist(() => connection.log.info(stream))
    let inherited: Identity | undefined
    await writer.claim({ ...NOWHERE, created }, async (position) => void (inherited = await this.#identify(position)))
    const { epoch, position, snapshots } = writer
    onClaimed(epoch)
    snapshotter.began(epoch)
    if (isMade && inherited?.kind === 'same' && this.#isUsable(position, snapshots)) {
      logger.debug({ epoch, position: position.seq, prepared: progress.at.seq }, 'partition claimed')
      return { target: inherited.target, reader: this.#reader }
    }
    void this.close()
    progress.state = actor.create()
    snapshotter.open(await persist(() => connection.objects(BUCKET_SNAPSHOTS)))
    const restored = await snapshotter.restore(snapshots)
    const identity = await this.#identify(position)
    if (restored) progress.state = restored.state
    else if (snapshots.length > 0 && !isUnpurged(identity.info) && position.seq > 0) {
      const names = snapshots.map((s) => s.name).join(', ')
      throw new OperatingError(
        'identity',
        `Cannot make the state of partition ${partition} again as a snapshot of it must be whole, or its input held from the first ` +
          `message on: none of ${names} is, and ${stream} holds ${identity.info.messages} of its ${identity.info.lastSeq} messages. ` +
          `Restore bucket ${BUCKET_SNAPSHOTS} from a backup.`,
      )
    }
    logger.debug({ epoch, position: position.seq, snapshot: restored?.ref.name ?? null }, 'partition claimed')
    if (identity.kind === 'new-generation') {
      await this.#beginGeneration({ ...NOWHERE, created: identity.info.created }, position)
      return { target: 0, reader: null }
    }
    const isOfThis = restored?.ref.position.created === position.created
    progress.at = isOfThis ? restored!.ref.position : { ...NOWHERE, created: position.created }
    return { target: identity.target, reader: null }
  }

  /** Makes the state as of the newest commit, while another owns the partition; nothing, where that is more than saving time. */
  async #prepare(): Promise<void> {
    const { connection, context, writer, snapshotter, stream, subject } = this.#options
    const { persist, progress } = context
    const newest = await writer.newest()
    if (newest === null) return
    const { position, snapshots } = newest
    snapshotter.open(await persist(() => connection.objects(BUCKET_SNAPSHOTS)))
    const restored = await snapshotter.restore(snapshots)
    const identity = await this.#identify(position)
    const from = restored?.ref.position ?? { ...NOWHERE, created: position.created }
    if (identity.kind === 'new-generation' || from.created !== position.created || (!restored && snapshots.length > 0)) return
    if (restored) progress.state = restored.state
    this.#preparedFrom = restored?.ref ?? null
    progress.at = from
    this.#reader = new PacedReader(connection.log.read({ stream, subject, fromSeq: from.seq + 1 }))
    await this.#replayUpTo(identity.target)
  }

  async #follow(): Promise<void> {
    const { writer, context } = this.#options
    const newest = this.#reader && (await writer.newest())
    if (newest && newest.position.created === context.progress.at.created) await this.#replayUpTo(newest.position.seq)
  }

  async #replayUpTo(seq: number): Promise<void> {
    const { context, replay } = this.#options
    await this.#reader!.upTo(seq, context.progress.at.seq, replay)
  }

  /** Whether what was prepared leads to the position that was claimed, and no message on the way there was purged while it was read. */
  #isUsable(position: Position, snapshots: readonly SnapshotRef[]): boolean {
    const { at } = this.#options.context.progress
    if (at.seq === 0 || at.created !== position.created || at.seq > position.seq) return false
    // The log is purged before the older snapshot that is named, so what follows one that is still named was there all the time.
    return this.#preparedFrom === null ? snapshots.length === 0 : snapshots.some(({ name }) => name === this.#preparedFrom!.name)
  }

  /** The state goes on; a snapshot of it is the root of the new generation, since the log before it is gone. */
  async #beginGeneration(at: Position, before: Position): Promise<void> {
    const { context, writer, snapshotter } = this.#options
    const { actor, logger, progress } = context
    logger.warn({ before, created: at.created }, 'the input stream was made anew: a new generation begins at its first message')
    progress.at = at
    const ref = await snapshotter.takeWhole()
    const payload = actor.encode(actor.effects(), progress.state)
    await writer.commit({ position: at, payload, snapshots: [ref, ...writer.snapshots].slice(0, 2) })
  }

  #identify(position: Position): Promise<Identity> {
    const { connection, context, stream, subject } = this.#options
    return context.persist(() => identify(connection.log, context.clock, stream, subject, position))
  }
}
