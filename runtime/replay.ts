/**
 * Drives an actor over the recorded log of one partition again, and compares what it would commit with what was committed.
 *
 * Picture a piece of music played a second time from the same score, with the recording of the first time running beside it: a commit is a
 * bar, and it ends where the recorded position says. Nothing is written; a system may run meanwhile, and what it commits after the replay
 * began is left out.
 *
 * - RP1 A commit is compared only where the state at its beginning is known: its effects are those of the messages after the position
 *   before it, up to its own. What can't be compared is counted, by the reason.
 * - RP2 The state is made from the first message of this creation of the input (I10), or from a snapshot (I5); never from a log with a hole.
 * - RP3 Memory holds one state, the effects of one commit, and what waits in two readers, however long the log is.
 */

import type { Actor, InputMessage } from './actor.ts'
import type { Clock } from './clock.ts'
import { OperatingError } from './errors.ts'
import { holdsBeginning, identify } from './identity.ts'
import { decodeJournal, JournalReader } from './journal.ts'
import type { Commit, JournalHeader, Position } from './journal.ts'
import { COMMIT_RESULTS_MAX } from './limits.ts'
import type { Connection, LogMessage, LogReader } from './log.ts'
import { findStart } from './replay-start.ts'
import type { ReplayFrom, ReplayStart } from './replay-start.ts'
import { BUCKET_SNAPSHOTS, inputStream, inputSubject, RESULTS, resultsSubject } from './topology.ts'
import type { Topology } from './topology.ts'

export type { ReplayFrom, ReplayStart } from './replay-start.ts'

export interface ReplayOptions<State, Effects> {
  readonly connection: Connection
  readonly actor: Actor<State, Effects>
  readonly topology: Topology
  readonly partition: number
  /** Waits for servers of a cluster that have just begun to lead. */
  readonly clock: Clock
  /** First message of the input whose commit is wanted, or where to begin; null: as early as can be. */
  readonly from: ReplayFrom
  /** Last message of the input that a commit may cover; null: no bound. */
  readonly to: number | null
}

/** A commit that was made again. */
export interface ReplayedCommit {
  readonly header: JournalHeader
  /** Sequence in RESULTS of the message that ended it, and the log's time of that. */
  readonly seq: number
  readonly timeMs: number
  /** Its messages are those of the input after this one. */
  readonly after: Position
  readonly messages: number
  readonly recorded: Uint8Array
  readonly replayed: Uint8Array
  readonly same: boolean
}

export interface ReplayTally {
  /** Messages of the input that were stepped, and commits and bytes that were compared. */
  messages: number
  commits: number
  bytes: number
  /** Commits that are not what was recorded. */
  different: number
  claims: number
  /** Commits that came in parts. */
  parted: number
  /** Commits that can't be compared: of an earlier creation of the input; whose own beginning is purged; of before the state begins. */
  otherGeneration: number
  beginningPurged: number
  beforeStart: number
  /** Commits before `from`: made again, as the state needs their messages, and not compared. */
  passed: number
}

const NOTHING: ReplayTally = {
  messages: 0,
  commits: 0,
  bytes: 0,
  different: 0,
  claims: 0,
  parted: 0,
  otherGeneration: 0,
  beginningPurged: 0,
  beforeStart: 0,
  passed: 0,
}

export class Replay<State, Effects> {
  readonly start: ReplayStart<State>
  readonly tally: ReplayTally = { ...NOTHING }
  /** Last position that the log's owner had committed when the replay began. */
  readonly committed: Position
  #options: ReplayOptions<State, Effects>
  #stream: string
  #state: State
  #at: number
  #effects: Effects
  #inputs: LogReader | null = null
  #input: AsyncIterator<LogMessage> | null = null
  /** Read, and not yet stepped. */
  #next: LogMessage | null = null
  /** Last message of RESULTS that is looked at. */
  #resultsEnd: number

  private constructor(options: ReplayOptions<State, Effects>, start: ReplayStart<State>, committed: Position, resultsEnd: number) {
    this.start = start
    this.committed = committed
    this.#options = options
    this.#stream = inputStream(options.topology, options.partition)
    this.#state = start.state
    this.#at = start.seq
    this.#effects = options.actor.effects()
    this.#resultsEnd = resultsEnd
  }

  /**
   * Finds where to begin; null where the partition has committed nothing, ever. Throws `OperatingError`: `config` where no state reaches
   * as far back as `from`, `identity` where the log is not the one that was committed of.
   */
  static async open<State, Effects>(options: ReplayOptions<State, Effects>): Promise<Replay<State, Effects> | null> {
    const { connection, actor, topology, partition, from, clock } = options
    const { log } = connection
    const stream = inputStream(topology, partition)
    const subject = inputSubject(partition)
    const last = await log.last(RESULTS, resultsSubject(partition))
    if (last === null) return null
    const newest = headerOf(last)
    const identity = await identify(log, clock, stream, subject, newest.position)
    if (identity.kind === 'new-generation') {
      throw new OperatingError(
        'identity',
        `Cannot replay partition ${partition} as its input must be the one that was committed of, made at ${newest.position.created}: ` +
          `${stream} was made anew at ${identity.info.created}, and nobody has committed of it yet. Start a worker, and try again.`,
      )
    }
    if (identity.target < newest.position.seq) {
      const must = `its input must be held up to message ${newest.position.seq}, the end of what was committed`
      throw new OperatingError('identity', `Cannot replay partition ${partition} as ${must}: its current last is ${identity.target}`)
    }
    const first = await firstOf(log.read({ stream: RESULTS, subject: resultsSubject(partition), fromSeq: 1 }))
    const start = await findStart({
      log,
      objects: await connection.objects(BUCKET_SNAPSHOTS, { create: false }),
      actor,
      partition,
      stream,
      from,
      created: identity.info.created,
      isHeld: holdsBeginning(identity.info, newest),
      oldest: headerOf(first),
      newest,
    })
    return new Replay(options, start, newest.position, last.seq)
  }

  /** The state after the messages before `seq`: for who wants to see what a message met. */
  async stateBefore(seq: number): Promise<State> {
    try {
      for (let message = await this.#peek(); message.seq < seq; message = await this.#peek()) {
        this.#step(message)
        this.#hush()
      }
    } finally {
      await this.#inputs?.close()
    }
    return this.#state
  }

  /**
   * Steps the messages up to `seq`, each with the effects that `effects` gives, and shows each with what it led to: for who wants to see how something came
   * about. Nothing else may be asked for then.
   */
  async through(seq: number, effects: () => Effects, see: (message: LogMessage, state: State) => void): Promise<void> {
    const { actor } = this.#options
    try {
      while (this.#at < seq) {
        const message = await this.#peek()
        if (message.seq > seq) return
        if (actor.count(this.#effects) > 0 || this.tally.messages === 0) this.#effects = effects()
        this.#step(message)
        see(message, this.#state)
      }
    } finally {
      await this.#inputs?.close()
    }
  }

  /** Makes each commit again, in order, until the last one that was there at the beginning, or `to`. */
  async *commits(): AsyncGenerator<ReplayedCommit> {
    const { connection, partition } = this.#options
    const journal = new JournalReader()
    const results = connection.log.read({ stream: RESULTS, subject: resultsSubject(partition), fromSeq: 1 })
    // Where the next commit's messages begin; null while that is purged.
    let after: Position | null = null
    try {
      for await (const message of results) {
        const header = headerOf(message)
        const commit = this.#wholeOf(journal, message)
        if (header.kind === 'commit') {
          if (this.#isBeyond(header.position)) return
          const made = commit === null ? null : await this.#again(commit, after)
          if (made !== null) yield made
          after = header.position
        } else after ??= header.position
        if (message.seq >= this.#resultsEnd) return
      }
    } finally {
      await Promise.all([results.close(), this.#inputs?.close()])
    }
  }

  #isBeyond(position: Position): boolean {
    const { to } = this.#options
    return to !== null && position.created === this.committed.created && position.seq > to
  }

  #wholeOf(journal: JournalReader, message: LogMessage): Commit | null {
    try {
      const got = journal.accept(message)
      if (got === null) return null
      if ('commit' in got) return got.commit
      this.tally.claims++
    } catch (error) {
      // Its first parts are purged.
      if (!(error instanceof RangeError)) throw error
      this.tally.beginningPurged++
    }
    return null
  }

  /** Makes a commit again; null where it can't be, or need not be. */
  async #again(commit: Commit, after: Position | null): Promise<ReplayedCommit | null> {
    const { actor, from } = this.#options
    const { position } = commit.header
    const { tally } = this
    if (position.created !== this.committed.created) return void tally.otherGeneration++, null
    if (after === null) return void tally.beginningPurged++, null
    // The first commit of a generation has no messages: the state goes on from the one before.
    const begins = after.created === position.created ? after.seq : 0
    if (begins < this.#at) return void tally.beforeStart++, null
    await this.#advance(begins, () => this.#hush())
    this.#effects = actor.effects()
    const before = tally.messages
    await this.#advance(position.seq, () => {})
    if (typeof from === 'number' && position.seq < from) return void tally.passed++, null
    const replayed = actor.encode(this.#effects, this.#state)
    const same = sameBytes(replayed, commit.payload)
    tally.commits++
    tally.bytes += commit.payload.byteLength
    if (commit.header.part > 0) tally.parted++
    if (!same) tally.different++
    const { header, seq, timeMs, payload } = commit
    return { header, seq, timeMs, after, messages: tally.messages - before, recorded: payload, replayed, same }
  }

  /** Steps all messages up to `seq`, which is one of them. */
  async #advance(seq: number, onStep: () => void): Promise<void> {
    while (this.#at < seq) {
      // Beyond the end that was checked when the replay began a reader would wait for ever.
      const message = seq > this.committed.seq ? null : await this.#peek()
      if (message === null || message.seq > seq) {
        const is = message === null ? `what is committed ends at ${this.committed.seq}` : `the next one there is ${message.seq}`
        throw new OperatingError(
          'identity',
          `Cannot replay partition ${this.#options.partition} as ${this.#stream} must hold message ${seq}, at which a commit ends: ${is}. ` +
            `The log was purged while it was read, or is damaged; --from snapshot begins behind what is purged.`,
        )
      }
      this.#step(message)
      onStep()
    }
  }

  #step(message: InputMessage): void {
    const { actor } = this.#options
    actor.step(this.#state, message, this.#effects)
    this.#next = null
    this.#at = message.seq
    this.tally.messages++
  }

  /** Forgets effects that nobody sees. */
  #hush(): void {
    const { actor } = this.#options
    if (actor.count(this.#effects) > COMMIT_RESULTS_MAX) this.#effects = actor.effects()
  }

  async #peek(): Promise<LogMessage> {
    if (this.#next !== null) return this.#next
    if (this.#input === null) {
      const { connection, partition } = this.#options
      this.#inputs = connection.log.read({ stream: this.#stream, subject: inputSubject(partition), fromSeq: this.#at + 1 })
      this.#input = this.#inputs[Symbol.asyncIterator]()
    }
    const { done, value } = await this.#input.next()
    if (done) throw new OperatingError('unavailable', `Cannot read on in ${this.#stream} as the connection must stand: it was closed`)
    return (this.#next = value)
  }
}

async function firstOf(reader: LogReader): Promise<LogMessage> {
  try {
    for await (const message of reader) return message
  } finally {
    await reader.close()
  }
  throw new OperatingError('unavailable', 'Cannot read the results as the connection must stand: it was closed')
}

function headerOf(message: LogMessage): JournalHeader {
  try {
    return decodeJournal(message.data).header
  } catch (cause) {
    const must = 'it must be a claim, a commit or a part of one'
    throw new OperatingError('identity', `Cannot read message ${message.seq} of ${RESULTS} as ${must}: its bytes are neither. The log is damaged`, { cause })
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return firstDifferentByte(a, b) === null
}

/** Index of the first byte in which they differ (the length of the shorter, where it is the beginning of the other); null: they are the same. */
export function firstDifferentByte(a: Uint8Array, b: Uint8Array): number | null {
  const length = Math.min(a.byteLength, b.byteLength)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i
  return a.byteLength === b.byteLength ? null : length
}
