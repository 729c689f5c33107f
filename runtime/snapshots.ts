/**
 * Snapshots of partitions as immutable objects: written once, checked when read, and never trusted beyond their checksum (I5).
 *
 * Owns the form of an object and what counts as whole. Leaves when to take one, and which are named by the log, to the host.
 *
 * Of one piece, an object is msgpack `[format, checksum, body]`, the checksum being the SHA-256 of the body: the actor's name and snapshot
 * version, the position, the state's bytes, and how they are compressed (`zstd`, or `none` where that would save less than a
 * tenth). Of several, it is frames (snapshot-frames.ts). Its name is `<actor>.<partition>.<epoch>.<seq>`.
 */

import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { Actor } from './actor.ts'
import { pack, unpack } from './codec.ts'
import { isOperating, OperatingError } from './errors.ts'
import type { Position, SnapshotRef } from './journal.ts'
import type { ObjectStore } from './log.ts'
import { FrameReader, FRAMES, writeFrames } from './snapshot-frames.ts'

const FORMAT = 1
/** Below this, compressing is not worth its answer. */
const COMPRESS_FROM_BYTES = 1_024

/** Above this, compressing goes to another thread. */
const COMPRESS_ASIDE_BYTES = 256 * 1024

const compressAside = promisify(zstdCompress)
const fast = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }
/** Of large states: a third less time for a sixteenth more bytes; and each stretch of output is a way to another thread and back. */
const faster = { [constants.ZSTD_c_compressionLevel]: -3 }
/** How many times as large as what is compressed the whole may be: room is made for so much at once. */
const EXPANDS_ABOUT = 4

/** A piece, as it is stored. */
interface SnapshotPiece {
  compression: 'zstd' | 'none'
  state: Uint8Array
}

/** What a snapshot of several pieces says of itself. */
interface SnapshotHead {
  actor: string
  version: number
  position: Position
  pieces: number
}

/** A snapshot of one piece. */
type SnapshotBody = Omit<SnapshotHead, 'pieces'> & SnapshotPiece

export function snapshotName(actor: string, at: { partition: number; epoch: number; position: Position }): string {
  return `${actor}.${at.partition}.${at.epoch}.${at.position.seq}`
}

/** Partition, epoch and sequence in the name of a snapshot of `actor`, or null where it is none. */
export function parseSnapshotName(actor: string, name: string): { partition: number; epoch: number; seq: number } | null {
  if (!name.startsWith(`${actor}.`)) return null
  const parts = name.slice(actor.length + 1).split('.')
  if (parts.length !== 3 || parts.some((part) => !/^\d+$/.test(part))) return null
  const [partition, epoch, seq] = parts.map(Number)
  return { partition, epoch, seq }
}

interface Written {
  readonly actor: string
  readonly version: number
  readonly partition: number
  readonly epoch: number
  readonly position: Position
  /** Each is asked for when the one before is on its way. */
  readonly pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
  readonly count: number
}

/** Stores a state, taken at `position`; resolves once the store has it whole. */
export async function writeSnapshot(store: ObjectStore, snapshot: Written): Promise<SnapshotRef> {
  const { position } = snapshot
  const name = snapshotName(snapshot.actor, snapshot)
  await store.put(name, snapshot.count > 1 ? writeFrames(bodiesOf(snapshot)) : await wholeOf(snapshot))
  return { name, position }
}

async function wholeOf({ actor, version, position, pieces }: Written): Promise<Uint8Array> {
  for await (const state of pieces) {
    const body = pack({ actor, version, position, ...(await compressed(state)) } satisfies SnapshotBody)
    return pack([FORMAT, checksum(body), body])
  }
  throw new Error('a snapshot of no piece')
}

async function* bodiesOf({ actor, version, position, pieces, count }: Written): AsyncGenerator<SnapshotHead | SnapshotPiece> {
  yield { actor, version, position, pieces: count }
  for await (const piece of pieces) {
    const made = await compressed(piece)
    yield made
    if (made.state !== piece) release(made.state)
  }
}

async function compressed(state: Uint8Array): Promise<SnapshotPiece> {
  if (state.byteLength >= COMPRESS_FROM_BYTES) {
    const packed = state.byteLength > COMPRESS_ASIDE_BYTES ? await compressAside(state, { params: faster, chunkSize: state.byteLength }) : zstdCompressSync(state, fast)
    if (packed.byteLength <= 0.9 * state.byteLength) return { compression: 'zstd', state: packed }
  }
  return { compression: 'none', state }
}

/** Does some of the work, and says whether to wait before there is more. */
export type Pace = (work: () => void) => void | Promise<void>

const atOnce: Pace = (work) => work()

type Reading = Pick<Actor<unknown, unknown>, 'name' | 'snapshotVersion'>

/**
 * Gives the pieces of the object that `ref` names as they come; what they say counts only if the answer is true, at the end: false where it is absent,
 * damaged, or of another actor or position, or where `onPiece` throws (it is not called again then). Throws `OperatingError` `version` where it is whole
 * so far and of a later version than the actor reads: it is good, for somebody else.
 */
export async function readSnapshot(
  store: ObjectStore,
  ref: SnapshotRef,
  actor: Reading,
  onPiece: (piece: Uint8Array) => void = () => {},
  pace: Pace = atOnce,
): Promise<boolean> {
  const reader = new SnapshotReader(ref, actor, onPiece)
  let failure: unknown = null
  const take = (bytes: Uint8Array): void => {
    if (failure !== null) return
    try {
      reader.take(bytes)
    } catch (error) {
      failure = error
    }
  }
  const isWhole = await store.read(ref.name, (bytes) => pace(() => take(bytes)))
  try {
    if (failure !== null) throw failure
    return isWhole && reader.done()
  } catch (error) {
    if (isOperating(error, 'version')) throw error
    // Whatever a damaged object does to its readers, it is not whole.
    return false
  }
}

class SnapshotReader {
  #ref: SnapshotRef
  #actor: Reading
  #onPiece: (piece: Uint8Array) => void
  #frames: FrameReader | null = null
  /** An object of one piece, which is read at its end. */
  #whole: Uint8Array[] = []
  /** Pieces to come; −1 before it is known. */
  #left = -1

  constructor(ref: SnapshotRef, actor: Reading, onPiece: (piece: Uint8Array) => void) {
    this.#ref = ref
    this.#actor = actor
    this.#onPiece = onPiece
  }

  take(bytes: Uint8Array): void {
    if (this.#whole.length === 0 && bytes[0] === FRAMES) this.#frames ??= new FrameReader((body) => this.#takeBody(body as SnapshotHead | SnapshotPiece))
    if (this.#frames !== null) this.#frames.take(bytes)
    else this.#whole.push(new Uint8Array(bytes))
  }

  done(): boolean {
    if (this.#frames !== null) return this.#frames.isLevel && this.#left === 0
    const [format, sum, packed] = unpack<[number, Uint8Array, Uint8Array]>(new Uint8Array(Buffer.concat(this.#whole)))
    if (format !== FORMAT || Buffer.compare(checksum(packed), sum) !== 0) return false
    const body = unpack<SnapshotBody>(packed)
    this.#meet(body)
    this.#onPiece(expand(body))
    return true
  }

  #takeBody(body: SnapshotHead | SnapshotPiece): void {
    if (this.#left < 0) {
      const head = body as SnapshotHead
      this.#meet(head)
      this.#left = head.pieces
    } else if (this.#left === 0) throw new RangeError('a snapshot with more than its pieces')
    else {
      this.#left--
      const { state } = body as SnapshotPiece
      const piece = expand(body as SnapshotPiece)
      this.#onPiece(piece)
      if (piece !== state) release(piece)
    }
  }

  #meet({ actor, version, position }: SnapshotHead | SnapshotBody): void {
    const wanted = this.#ref.position
    if (actor !== this.#actor.name || position.created !== wanted.created || position.seq !== wanted.seq) throw new RangeError('a snapshot of something else')
    if (version > this.#actor.snapshotVersion) {
      throw new OperatingError('version', `Cannot restore snapshot ${this.#ref.name} as its version must be at most ${this.#actor.snapshotVersion}: current value is ${version}. A newer version of the program wrote it`)
    }
  }
}

/**
 * The state of the newest of `refs` (newest first) that reads whole and that the actor takes, or null. Throws `OperatingError` `version`
 * at one that is of a newer program: the log behind an older one would lead there too.
 */
export async function restoreNewest<State>(
  store: ObjectStore,
  refs: readonly SnapshotRef[],
  actor: Pick<Actor<State, unknown>, 'name' | 'snapshotVersion' | 'restoring'>,
  onUnusable: (ref: SnapshotRef, cause: unknown) => void = () => {},
  pace: Pace = atOnce,
): Promise<{ ref: SnapshotRef; state: State } | null> {
  for (const ref of refs) {
    const restoring = actor.restoring()
    let cause: unknown = null
    const take = (piece: Uint8Array) => {
      try {
        restoring.take(piece)
      } catch (error) {
        cause = error
        throw error
      }
    }
    if (await readSnapshot(store, ref, actor, take, pace)) {
      try {
        return { ref, state: restoring.done() }
      } catch (error) {
        cause = error
      }
    }
    onUnusable(ref, cause)
  }
  return null
}

/**
 * Deletes the partition's objects that are older than all of `keep`, which a commit already names. Newer ones stay, whoever wrote
 * them: they may be on their way into a commit.
 */
export async function sweepSnapshots(
  store: ObjectStore,
  options: { actor: string; partition: number; keep: readonly SnapshotRef[] },
): Promise<number> {
  const kept = options.keep.map((ref) => parseSnapshotName(options.actor, ref.name)).filter((at) => at !== null)
  if (kept.length === 0) return 0
  const oldest = kept.reduce((a, b) => (isBefore(a, b) ? a : b))
  let swept = 0
  for (const name of await store.list()) {
    const at = parseSnapshotName(options.actor, name)
    if (!at || at.partition !== options.partition || !isBefore(at, oldest)) continue
    await store.delete(name)
    swept++
  }
  return swept
}

/** Epochs order first: sequences start again with a new creation of the input, and that always comes with a new epoch. */
function isBefore(a: { epoch: number; seq: number }, b: { epoch: number; seq: number }): boolean {
  return a.epoch !== b.epoch ? a.epoch < b.epoch : a.seq < b.seq
}

function expand({ compression, state }: SnapshotPiece): Uint8Array {
  return compression === 'zstd' ? zstdDecompressSync(state, { chunkSize: Math.max(1_024, EXPANDS_ABOUT * state.byteLength) }) : state
}

/** Below this, memory may be shared with other buffers. */
const OWN_BYTES = 65_536

/** Gives large memory back at once: as garbage, some of it makes an engine collect everything again. Nobody may hold it any more. */
function release(bytes: Uint8Array): void {
  const { buffer } = bytes
  if (bytes.byteLength >= OWN_BYTES && buffer instanceof ArrayBuffer) buffer.transfer(0)
}

function checksum(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest())
}
