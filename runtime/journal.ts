/**
 * The messages of `results.<p>`: claims, commits and parts of commits (I3, I4).
 *
 * Each message is msgpack `[header, payload]`. Every header repeats the partition's committed position, its epoch and its two
 * newest snapshots, so that the last message of the subject, of whatever kind, is all that a new owner needs.
 * - `claim`: a new owner, with the epoch before plus one. Parts that came before it and have no end are void.
 * - `part`: a piece of a commit too large for one message; repeats the position *before* that commit. Its payload is a slice of bytes.
 * - `commit`: carries the position that it covers, and the payload (the last slice, where parts precede it).
 */

import { pack, told, unpack } from './codec.ts'

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
  /** Of what follows part 0 in its commit: the sequence of that part in RESULTS, so that nobody's parts are taken for another's. Older writers left it out. */
  readonly first?: number
}

export interface JournalMessage {
  readonly header: JournalHeader
  readonly payload: Uint8Array
}

const EMPTY = new Uint8Array(0)

export function encodeJournal(header: JournalHeader, payload: Uint8Array = EMPTY): Uint8Array {
  return pack([1, header, payload])
}

/** Throws `RangeError` on bytes that are no journal message of a known version. */
export function decodeJournal(data: Uint8Array): JournalMessage {
  const wire = unpack<unknown>(data)
  const [version, header, payload] = Array.isArray(wire) ? (wire as unknown[]) : []
  if (version !== 1) throw new RangeError(`Cannot read a journal message as its version must be 1: current value is ${told(version)}`)
  if (!isHeader(header) || !(payload instanceof Uint8Array)) throw new RangeError('Cannot read a journal message as its header and payload must be whole')
  return { header, payload }
}

const isCount = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 0

function isPosition(position: unknown): position is Position {
  const p = position as Position | null | undefined
  return typeof p?.created === 'string' && isCount(p.seq) && Number.isFinite(p.timeMs)
}

function isHeader(header: unknown): header is JournalHeader {
  const h = header as JournalHeader | null | undefined
  if (h?.kind !== 'claim' && h?.kind !== 'part' && h?.kind !== 'commit') return false
  if (!isCount(h.partition) || !isCount(h.epoch) || !isCount(h.part) || typeof h.owner !== 'string' || typeof h.nonce !== 'string') return false
  if (h.first !== undefined && !isCount(h.first)) return false
  return isPosition(h.position) && Array.isArray(h.snapshots) && h.snapshots.every((ref) => typeof ref?.name === 'string' && isPosition(ref.position))
}

/** A whole commit, its parts put together. */
export interface Commit {
  readonly header: JournalHeader
  readonly payload: Uint8Array
  /** Sequence in RESULTS of the message that ended it: versions of a row order by it. */
  readonly seq: number
  /** Sequence of its first part, or its own: where a reader must begin to read it. */
  readonly fromSeq: number
  readonly timeMs: number
}

/**
 * Puts parts together, for readers of RESULTS: feed it each message in order, it answers with a commit when one is whole.
 * Holds the unfinished parts of each partition and drops them at a claim. Throws `RangeError` on a commit of which parts are missing.
 *
 * Parts follow each other, in one epoch; where one is missing, what was held is let go, so that no commit is put together of others' parts.
 */
export class JournalReader {
  #parts = new Map<number, Part[]>()

  accept(message: { seq: number; timeMs: number; data: Uint8Array }): { claim: JournalHeader; seq: number } | { commit: Commit } | null {
    const { header, payload } = decodeJournal(message.data)
    if (header.kind === 'claim') {
      this.#parts.delete(header.partition)
      return { claim: header, seq: message.seq }
    }
    const parts = this.#parts.get(header.partition) ?? []
    if (header.kind === 'part') {
      const last = parts.at(-1)
      // Read once more: it is here already.
      if (last !== undefined && message.seq <= last.seq && header.epoch === last.epoch && header.part < parts.length) return null
      if (header.part === 0) parts.length = 0
      if (header.part === 0 || follows(header, message.seq, parts)) parts.push({ seq: message.seq, epoch: header.epoch, payload })
      else parts.length = 0
      this.#parts.set(header.partition, parts)
      return null
    }
    this.#parts.delete(header.partition)
    // A reader may begin in the middle of a commit, where the log before it was purged: what it has is no payload.
    if (header.part > 0 && !follows(header, message.seq, parts)) {
      throw new RangeError(`Cannot put the commit at ${message.seq} together as its ${header.part} parts must have been read: current number is ${parts.length}`)
    }
    const whole = header.part === 0 ? payload : concat([...parts.map((p) => p.payload), payload])
    const fromSeq = header.part === 0 ? message.seq : parts[0].seq
    return { commit: { header, payload: whole, seq: message.seq, fromSeq, timeMs: message.timeMs } }
  }

  /** Lowest sequence in RESULTS that an unfinished commit needs, or null: a reader that restarts must go back to it. */
  pendingFrom(): number | null {
    let lowest: number | null = null
    for (const parts of this.#parts.values()) for (const part of parts) if (lowest === null || part.seq < lowest) lowest = part.seq
    return lowest
  }
}

interface Part {
  readonly seq: number
  readonly epoch: number
  readonly payload: Uint8Array
}

/** Whether the message goes on where `parts` end. */
function follows(header: JournalHeader, seq: number, parts: readonly Part[]): boolean {
  if (parts.length === 0 || header.part !== parts.length) return false
  return header.epoch === parts[0].epoch && seq > parts[parts.length - 1].seq && (header.first === undefined || header.first === parts[0].seq)
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
