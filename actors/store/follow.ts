/**
 * Follows the two logs and joins them: gives, partition by partition and in order, each commit with the input that it covers.
 *
 * Owns reading, waiting, and the bound on what waits. Leaves to others what a commit means (writer.ts, the analytics tail).
 * The picture is a cloakroom: blocks are hung up as they arrive; a commit is the ticket that fetches all of one partition's
 * coats up to a number.
 *
 * - F1 A commit is given only after every message of its partition up to its position has been read; RESULTS is gone through in
 *   its own order, one commit at a time, and `onCommit` is awaited.
 * - F2 No message is given twice, none that lies at or before the starting position is given at all.
 * - F3 What has been read and not yet been covered is bounded: the reader of a stream waits while more than its share of
 *   `STORE_WAITING_BYTES` hangs there, unless the commit that is next needs that very stream, so that it can't lock up.
 * - F4 A position speaks of one creation of a stream. An input stream of another `created` is a new generation and is read from its
 *   first message; a log that is shorter than a position, or holds another message there, stops the follower loudly.
 */

import type { Clock } from '../../runtime/clock.ts'
import { OperatingError } from '../../runtime/errors.ts'
import { identify, infoShowing } from '../../runtime/identity.ts'
import { Aborted, persist } from '../../runtime/journal-writer.ts'
import { JournalReader } from '../../runtime/journal.ts'
import type { Commit, JournalHeader, Position } from '../../runtime/journal.ts'
import { STORE_WAITING_BYTES } from '../../runtime/limits.ts'
import type { Log, LogReader } from '../../runtime/log.ts'
import { RESULTS, inputStream, inputStreams, inputSubject, isOwn, partitionOf } from '../../runtime/topology.ts'
import type { Topology } from '../../runtime/topology.ts'
import { decodeEffects } from '../partition/effects.ts'
import type { BlockFates, PartitionEffects } from '../partition/effects.ts'
import { decodeInput } from '../reading/input.ts'
import type { Block, Rejects } from '../reading/input.ts'
import type { Covered } from './manifest.ts'

/** A block or a count of rejects that a commit covers, with the fates of the block's rows where any is not simply on time. */
export interface CoveredMessage {
  readonly seq: number
  readonly timeMs: number
  readonly input: Block | Rejects
  readonly fates: BlockFates | null
}

/** A commit with all blocks and rejects between the position before it and its own. */
export interface CoveredCommit {
  readonly partition: number
  readonly commit: Commit
  readonly effects: PartitionEffects
  readonly messages: readonly CoveredMessage[]
}

/** A message of the input as it is read, before any commit covers it. */
export interface InputSeen {
  readonly seq: number
  readonly timeMs: number
  readonly input: Block | Rejects
}

/** What is logged; a pino logger fits. */
export interface FollowerLogger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface FollowerOptions {
  readonly log: Log
  readonly topology: Topology
  /** Where to go on, by partition number; null: from the first message that the logs hold. */
  readonly from: Readonly<Record<string, Covered>> | null
  /** First sequence of RESULTS to read; what `positions().resultsFrom` said. The least that `from` needs when left out. */
  readonly resultsFrom?: number
  /** Identity of RESULTS that `from` speaks of; another one there means that it was made anew, and is read from its first message. */
  readonly resultsCreated?: string
  /** By stream, the first sequence that can still matter (`positions().inputFrom`); only ever saves reading. */
  readonly inputFrom?: Readonly<Record<string, { created: string; seq: number }>>
  readonly clock: Clock
  readonly logger: FollowerLogger
  /** Bound on the bytes read and not yet covered; `STORE_WAITING_BYTES` by default. */
  readonly waitingBytesMax?: number
  readonly onInput?: (partition: number, message: InputSeen) => void
  readonly onCommit: (covered: CoveredCommit) => void | Promise<void>
  readonly onClaim?: (header: JournalHeader) => void
  /** Called once when following ended by an error; positions stand where they stood. */
  readonly onFailure?: (error: unknown) => void
}

/** How far a follower is, all of one moment. */
export interface FollowerPositions {
  readonly resultsCreated: string
  /** Where a restart must begin to read RESULTS, unfinished parts included. */
  readonly resultsFrom: number
  /** By stream: nothing before this sequence is needed any more. */
  readonly inputFrom: Readonly<Record<string, { created: string; seq: number }>>
  /** By partition number: covered by the commits that were given. */
  readonly covered: Readonly<Record<string, Covered>>
}

/** Figures of one partition's export. */
export interface FollowerLag {
  readonly partition: number
  /** Messages, rows and bytes read and not yet covered. */
  readonly waitingMessages: number
  readonly waitingRows: number
  readonly waitingBytes: number
  /** The log's time of the oldest of them, epoch ms; null when nothing waits. */
  readonly oldestMs: number | null
  readonly resultsSeq: number
  readonly inputSeq: number
}

interface Waiting extends InputSeen {
  readonly bytes: number
}

interface InputState {
  readonly stream: string
  created: string
  /** Every message up to here has been read (or is gone). */
  readSeq: number
  readTimeMs: number
  waitingBytes: number
  /** The sequence that the next commit needs of this stream; 0 when it needs none. */
  wantedSeq: number
  reader: LogReader | null
}

/** Joins the input log and RESULTS. `start` once, `stop` once. */
export class Follower {
  /** Messages that no one could read; passed over. */
  malformed = 0
  #options: FollowerOptions
  #inputs = new Map<string, InputState>()
  #waiting: Waiting[][]
  #covered = new Map<number, Covered>()
  #journal = new JournalReader()
  #results: LogReader | null = null
  #resultsCreated = ''
  #resultsDone = 0
  /** Where the commit begins that waits for its input; null where none does. */
  #givingFrom: number | null = null
  #changed = new Set<() => void>()
  #tasks: Promise<void>[] = []
  #life: 'new' | 'running' | 'stopped' = 'new'
  #failed = false
  #ending = new AbortController()

  constructor(options: FollowerOptions) {
    this.#options = options
    this.#waiting = Array.from({ length: options.topology.partitions }, () => [])
  }

  /** Checks the identities of the streams and begins to read. Throws `OperatingError` `identity` where a log is shorter than a position. */
  async start(): Promise<void> {
    const { log, topology, from, logger, clock } = this.#options
    this.#life = 'running'
    let results = await log.info(RESULTS)
    this.#resultsCreated = results.created
    const sameResults = this.#options.resultsCreated === undefined || this.#options.resultsCreated === results.created
    if (!sameResults) logger.warn({ created: results.created }, 'RESULTS was made anew: reading it from its first message')
    for (const stream of inputStreams(topology)) await this.#openInput(stream, sameResults)
    for (const [partition, at] of Object.entries(from ?? {})) if (isOwn(Number(partition))) this.#covered.set(Number(partition), sameResults ? at : { ...at, resultsSeq: 0 })
    const needed = sameResults ? (this.#options.resultsFrom ?? this.#leastResults(from)) : 1
    if (needed > results.lastSeq + 1) results = await infoShowing(log, clock, RESULTS, needed - 1, results)
    if (needed > results.lastSeq + 1) throw shorter(RESULTS, needed - 1, results.lastSeq)
    this.#resultsDone = Math.max(needed, results.firstSeq, 1) - 1
    for (const state of this.#inputs.values()) this.#run(() => this.#readInput(state))
    this.#run(() => this.#readResults())
  }

  /** Ends reading; a commit that is being given is finished first. */
  async stop(): Promise<void> {
    if (this.#life === 'stopped') return
    this.#life = 'stopped'
    this.#ending.abort()
    this.#notify()
    await Promise.all([this.#results?.close(), ...[...this.#inputs.values()].map((s) => s.reader?.close())])
    await Promise.all(this.#tasks)
  }

  /**
   * Whether the streams are still those that were read; call it after a reconnection. Asks until the log answers, or `stop` is called. Throws
   * `OperatingError` `identity` where they are not.
   */
  async check(): Promise<void> {
    await persist(this.#options.clock, this.#ending.signal, () => this.#check()).catch((error) => {
      if (!(error instanceof Aborted)) throw error
    })
  }

  async #check(): Promise<void> {
    const { log, topology, clock } = this.#options
    for (const [partition, { input }] of this.#covered) if (input.seq > 0 && !isOwn(partition)) await identify(log, clock, inputStream(topology, partition), inputSubject(partition), input)
    const streams: [string, string, number][] = [...this.#inputs.values()].map((s) => [s.stream, s.created, s.readSeq])
    streams.push([RESULTS, this.#resultsCreated, this.#resultsDone])
    for (const [name, created, seq] of streams) {
      const info = await infoShowing(log, clock, name, seq)
      if (info.created !== created) {
        throw new OperatingError('identity', `Cannot go on reading ${name} as it must be the stream made at ${created}: it was made at ${info.created}`)
      }
      if (info.lastSeq < seq) throw shorter(name, seq, info.lastSeq)
    }
  }

  positions(): FollowerPositions {
    const inputFrom: Record<string, { created: string; seq: number }> = {}
    for (const [name, state] of this.#inputs) inputFrom[name] = { created: state.created, seq: state.readSeq + 1 }
    for (const [partition, queue] of this.#waiting.entries()) {
      const of = inputFrom[inputStream(this.#options.topology, partition)]
      if (of !== undefined && queue.length > 0 && queue[0].seq < of.seq) of.seq = queue[0].seq
    }
    const covered: Record<string, Covered> = {}
    for (const [partition, at] of this.#covered) covered[partition] = at
    const resultsFrom = Math.min(this.#journal.pendingFrom() ?? Infinity, this.#givingFrom ?? Infinity, this.#resultsDone + 1)
    return { resultsCreated: this.#resultsCreated, resultsFrom, inputFrom, covered }
  }

  /** Export lag of every partition. */
  lag(): FollowerLag[] {
    return this.#waiting.map((queue, partition) => ({
      partition,
      waitingMessages: queue.length,
      waitingRows: queue.reduce((sum, m) => sum + (m.input.kind === 'block' ? m.input.ts.length : 0), 0),
      waitingBytes: queue.reduce((sum, m) => sum + m.bytes, 0),
      oldestMs: queue.length > 0 ? queue[0].timeMs : null,
      resultsSeq: this.#covered.get(partition)?.resultsSeq ?? 0,
      inputSeq: this.#covered.get(partition)?.input.seq ?? 0,
    }))
  }

  /** By stream, the last message that was read: its sequence and the log's time of it. */
  read(): { stream: string; created: string; seq: number; timeMs: number }[] {
    return [...this.#inputs.values()].map((s) => ({ stream: s.stream, created: s.created, seq: s.readSeq, timeMs: s.readTimeMs }))
  }

  async #openInput(stream: string, sameResults: boolean): Promise<void> {
    const { log, topology, from, logger, clock, inputFrom } = this.#options
    const info = await log.info(stream)
    let least = Infinity
    for (let p = 0; p < topology.partitions; p++) {
      if (inputStream(topology, p) !== stream) continue
      const known = from?.[p]
      let at: Covered = known ?? { input: { created: info.created, seq: 0, timeMs: 0 }, resultsSeq: 0, accepted: 0, pending: 0 }
      if (at.input.seq > 0 && (await identify(log, clock, stream, inputSubject(p), at.input)).kind === 'new-generation') {
        logger.warn({ partition: p, stream, created: info.created, was: at.input.created }, 'the input stream was made anew: reading it from its first message')
        at = { ...at, input: { created: info.created, seq: 0, timeMs: 0 } }
      }
      if (!sameResults) at = { ...at, resultsSeq: 0 }
      this.#covered.set(p, at)
      least = Math.min(least, at.input.seq + 1)
    }
    const hint = inputFrom?.[stream]
    if (hint !== undefined && hint.created === info.created && hint.seq <= info.lastSeq + 1) least = Math.max(least, hint.seq)
    const first = Math.max(least, info.firstSeq, 1)
    if (from !== null && info.firstSeq > least) {
      logger.warn({ stream, needed: least, first: info.firstSeq }, 'messages that were not yet in the lake may be gone from the input stream')
    }
    this.#inputs.set(stream, { stream, created: info.created, readSeq: first - 1, readTimeMs: 0, waitingBytes: 0, wantedSeq: 0, reader: null })
  }

  #leastResults(from: Readonly<Record<string, Covered>> | null): number {
    if (from === null) return 1
    let least = Infinity
    for (let p = 0; p < this.#options.topology.partitions; p++) least = Math.min(least, (from[p]?.resultsSeq ?? 0) + 1)
    return least
  }

  async #readInput(state: InputState): Promise<void> {
    const share = (this.#options.waitingBytesMax ?? STORE_WAITING_BYTES) / this.#inputs.size
    const reader = this.#options.log.read({ stream: state.stream, fromSeq: state.readSeq + 1 })
    state.reader = reader
    for await (const message of reader) {
      if (this.#life === 'stopped') break
      this.#hang(state, message)
      state.readSeq = message.seq
      state.readTimeMs = message.timeMs
      if (state.wantedSeq > 0 && state.readSeq >= state.wantedSeq) this.#notify()
      while (state.waitingBytes > share && state.wantedSeq <= state.readSeq && this.#life === 'running') await this.#change()
    }
  }

  #hang(state: InputState, message: { subject: string; seq: number; timeMs: number; data: Uint8Array }): void {
    const partition = partitionOf(message.subject)
    const queue = this.#waiting[partition]
    if (queue === undefined) {
      this.#pass(message, 'its subject names no partition')
      return
    }
    if (message.seq <= (this.#covered.get(partition)?.input.seq ?? 0)) return
    let input
    try {
      input = decodeInput(message.data)
    } catch (error) {
      this.#pass(message, String(error))
      return
    }
    if (input.kind !== 'block' && input.kind !== 'rejects') return
    const seen = { seq: message.seq, timeMs: message.timeMs, input, bytes: message.data.byteLength + 256 }
    queue.push(seen)
    state.waitingBytes += seen.bytes
    this.#options.onInput?.(partition, seen)
  }

  async #readResults(): Promise<void> {
    const reader = this.#options.log.read({ stream: RESULTS, fromSeq: this.#resultsDone + 1 })
    this.#results = reader
    for await (const message of reader) {
      if (this.#life === 'stopped') break
      let given
      try {
        given = this.#journal.accept(message)
      } catch (error) {
        this.#pass(message, String(error))
      }
      if (given == null) this.#resultsDone = message.seq
      else if ('claim' in given) {
        this.#resultsDone = message.seq
        this.#options.onClaim?.(given.claim)
      } else if (!(await this.#cover(given.commit))) break
    }
  }

  /** Waits for the commit's input and gives both; false when stopped meanwhile. */
  async #cover(commit: Commit): Promise<boolean> {
    const { partition, position } = commit.header
    if (isOwn(partition)) return this.#coverOwn(commit)
    const before = this.#covered.get(partition)
    const state = before && this.#inputs.get(inputStream(this.#options.topology, partition))
    if (before === undefined || state === undefined || commit.seq <= before.resultsSeq) {
      this.#resultsDone = commit.seq
      return true
    }
    // The journal has let go of its parts, and until it is covered a restart needs them.
    this.#givingFrom = commit.fromSeq
    const effects = decodeEffects(commit.payload)
    const messages: CoveredMessage[] = []
    let input = position
    if (position.seq > 0 && position.created !== state.created) {
      this.#options.logger.error({ partition, created: position.created, now: state.created }, 'a commit covers input of a stream that is gone: its readings are lost to the lake')
      input = before.input
    } else {
      state.wantedSeq = position.seq
      if (state.readSeq < position.seq) this.#notify()
      while (state.readSeq < position.seq && this.#life === 'running') await this.#change()
      state.wantedSeq = 0
      if (this.#life !== 'running') return false
      this.#fetch(state, partition, position, effects.fates, messages)
      if (position.seq < before.input.seq) input = before.input
    }
    this.#givingFrom = null
    this.#covered.set(partition, { input, resultsSeq: commit.seq, accepted: effects.accepted, pending: effects.pending })
    this.#resultsDone = commit.seq
    this.#notify()
    const done = this.#options.onCommit({ partition, commit, effects, messages })
    if (done !== undefined) await done
    return true
  }

  /** A commit of an own actor has no input that anybody waits for: what it was told were readings of others' commits. */
  async #coverOwn(commit: Commit): Promise<boolean> {
    const { partition, position } = commit.header
    if (commit.seq > (this.#covered.get(partition)?.resultsSeq ?? 0)) {
      this.#givingFrom = commit.fromSeq
      const effects = decodeEffects(commit.payload)
      this.#covered.set(partition, { input: position, resultsSeq: commit.seq, accepted: effects.accepted, pending: effects.pending })
      this.#givingFrom = null
      this.#resultsDone = commit.seq
      const done = this.#options.onCommit({ partition, commit, effects, messages: [] })
      if (done !== undefined) await done
    } else this.#resultsDone = commit.seq
    return true
  }

  #fetch(state: InputState, partition: number, { seq, timeMs }: Position, fates: readonly BlockFates[], into: CoveredMessage[]): void {
    const queue = this.#waiting[partition]
    const bySeq = new Map<number, BlockFates>()
    for (const f of fates) bySeq.set(f.seq, f)
    let taken = 0
    while (taken < queue.length && queue[taken].seq <= seq) {
      const message = queue[taken++]
      if (message.seq === seq && message.timeMs !== timeMs) {
        throw new OperatingError('identity', `Cannot go on with ${inputSubject(partition)} as message ${seq} must be the one of ${timeMs} that a commit covers: it is of ${message.timeMs}`)
      }
      state.waitingBytes -= message.bytes
      into.push({ seq: message.seq, timeMs: message.timeMs, input: message.input, fates: bySeq.get(message.seq) ?? null })
    }
    queue.splice(0, taken)
  }

  #pass(message: { subject: string; seq: number }, why: string): void {
    this.malformed++
    this.#options.logger.warn({ subject: message.subject, seq: message.seq, why }, 'passed over a message of the log that can not be read')
  }

  #run(task: () => Promise<void>): void {
    this.#tasks.push(
      task().catch((error) => {
        if (this.#life === 'stopped' || this.#failed) return
        this.#failed = true
        this.#options.logger.error({ err: error }, 'following the logs ended')
        this.#options.onFailure?.(error)
      }),
    )
  }

  #notify(): void {
    const waiters = [...this.#changed]
    this.#changed.clear()
    for (const wake of waiters) wake()
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changed.add(resolve))
  }
}

function shorter(stream: string, needed: number, last: number): OperatingError {
  return new OperatingError('identity', `Cannot read ${stream} as it must hold all that is in the lake, up to message ${needed}: its last message is ${last}`)
}
