/**
 * The messages of `results.<p>`: claims, commits and parts of commits (I3, I4).
 *
 * Each message is msgpack `[header, payload]`. Every header repeats the partition's committed position, its epoch and its two
 * newest snapshots, so that the last message of the subject, of whatever kind, is all that a new owner needs.
 * - `claim`: a new owner, with the epoch before plus one. Parts that came before it and have no end are void.
 * - `part`: a piece of a commit too large for one message; repeats the position *before* that commit. Its payload is a slice of bytes.
 * - `commit`: carries the position that it covers, and the payload (the last slice, where parts precede it).
 */

import { pack, unpack } from './codec.ts'

/** How far a partition's input is read: a place in one creation of one stream. */
export interface Position {
  /** Identity of the input stream (`StreamInfo.created`). */
  readonly created: string
  /** Last sequence covered; 0 before the first message. */
  readonly seq: number
  /** The log's time of the message at `seq`; 0 before the first. */
  readonly timeMs: number
}

export interface SnapshotRef {
  /** Name of the object: `<actor>.<partition>.<epoch>.<seq>`. */
  readonly name: string
  readonly position: Position
}

export interface JournalHeader {
  readonly kind: 'claim' | 'part' | 'commit'
  readonly partition: number
  readonly epoch: number
  /** Id of the member that wrote it. */
  readonly owner: string
  /** Drawn anew for each message, so that a writer recognises its own after a time-out. */
  readonly nonce: string
  readonly position: Position
  /** Newest first, two at most. */
  readonly snapshots: readonly SnapshotRef[]
  /** Of a part or of the commit that ends parts: index from 0. Parts before this message: `part`. */
  readonly part: number
}

export interface JournalMessage {
  readonly header: JournalHeader
  readonly payload: Uint8Array
}

const EMPTY = new Uint8Array(0)

export function encodeJournal(header: JournalHeader, payload: Uint8Array = EMPTY): Uint8Array {
  return pack([1, header, payload])
}

/** Throws on bytes that are no journal message of a known version. */
export function decodeJournal(data: Uint8Array): JournalMessage {
  const [version, header, payload] = unpack<[number, JournalHeader, Uint8Array]>(data)
  if (version !== 1) throw new RangeError(`Cannot read a journal message as its version must be 1: current value is ${version}`)
  return { header, payload }
}

/** A whole commit, its parts put together. */
export interface Commit {
  readonly header: JournalHeader
  readonly payload: Uint8Array
  /** Sequence in RESULTS of the message that ended it: versions of a row order by it. */
  readonly seq: number
  readonly timeMs: number
}

/**
 * Puts parts together, for readers of RESULTS: feed it each message in order, it answers with a commit when one is whole.
 * Holds the unfinished parts of each partition and drops them at a claim. Throws `RangeError` on a commit of which parts are missing.
 */
export class JournalReader {
  #parts = new Map<number, { seq: number; payload: Uint8Array }[]>()

  accept(message: { seq: number; timeMs: number; data: Uint8Array }): { claim: JournalHeader; seq: number } | { commit: Commit } | null {
    const { header, payload } = decodeJournal(message.data)
    if (header.kind === 'claim') {
      this.#parts.delete(header.partition)
      return { claim: header, seq: message.seq }
    }
    const parts = this.#parts.get(header.partition) ?? []
    if (header.kind === 'part') {
      if (header.part === 0) parts.length = 0
      parts.push({ seq: message.seq, payload })
      this.#parts.set(header.partition, parts)
      return null
    }
    this.#parts.delete(header.partition)
    // A reader may begin in the middle of a commit, where the log before it was purged: what it has is no payload.
    if (header.part > parts.length) {
      throw new RangeError(`Cannot put the commit at ${message.seq} together as its ${header.part} parts must have been read: current number is ${parts.length}`)
    }
    const whole = header.part === 0 ? payload : concat([...parts.slice(0, header.part).map((p) => p.payload), payload])
    return { commit: { header, payload: whole, seq: message.seq, timeMs: message.timeMs } }
  }

  /** Lowest sequence in RESULTS that an unfinished commit needs, or null: a reader that restarts must go back to it. */
  pendingFrom(): number | null {
    let lowest: number | null = null
    for (const parts of this.#parts.values()) for (const part of parts) if (lowest === null || part.seq < lowest) lowest = part.seq
    return lowest
  }
}

function concat(pieces: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(pieces.reduce((sum, p) => sum + p.byteLength, 0))
  let at = 0
  for (const piece of pieces) {
    out.set(piece, at)
    at += piece.byteLength
  }
  return out
}
