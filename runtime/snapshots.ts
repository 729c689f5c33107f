/**
 * Snapshots of partitions as immutable objects: written once, checked when read, and never trusted beyond their checksum (I5).
 *
 * Owns the form of an object and what counts as whole. Leaves when to take one, and which are named by the log, to the host.
 *
 * An object is msgpack `[format, checksum, body]`, the checksum being the SHA-256 of the body: the actor's name and snapshot
 * version, the position, the state's bytes, and how they are compressed (`zstd`, or `none` where that would save less than a
 * tenth). Its name is `<actor>.<partition>.<epoch>.<seq>`.
 */

import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from 'node:zlib'
import { pack, unpack } from './codec.ts'
import { isOperating, OperatingError } from './errors.ts'
import type { Position, SnapshotRef } from './journal.ts'
import type { ObjectStore } from './log.ts'

const FORMAT = 1
/** Below this, compressing is not worth its answer. */
const COMPRESS_FROM_BYTES = 1_024

/** Above this, compressing goes to another thread. */
const COMPRESS_ASIDE_BYTES = 256 * 1024

const compressAside = promisify(zstdCompress)
const decompressAside = promisify(zstdDecompress)
const fast = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

interface SnapshotBody {
  actor: string
  version: number
  position: Position
  compression: 'zstd' | 'none'
  state: Uint8Array
}

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

/** Stores `state`, taken at `position`; resolves once the store has it whole. */
export async function writeSnapshot(
  store: ObjectStore,
  options: { actor: string; version: number; partition: number; epoch: number; position: Position; state: Uint8Array },
): Promise<SnapshotRef> {
  const { actor, version, position, state } = options
  const name = snapshotName(actor, options)
  let packed: Uint8Array = state
  if (state.byteLength >= COMPRESS_FROM_BYTES) {
    packed = state.byteLength > COMPRESS_ASIDE_BYTES ? await compressAside(state, fast) : zstdCompressSync(state, fast)
    if (packed.byteLength > 0.9 * state.byteLength) packed = state
  }
  const body = pack({ actor, version, position, compression: packed === state ? 'none' : 'zstd', state: packed } satisfies SnapshotBody)
  await store.put(name, pack([FORMAT, checksum(body), body]))
  return { name, position }
}

/**
 * The state's bytes in the object that `ref` names; null where it is absent, damaged, or of another actor or position. Throws
 * `OperatingError` `version` where it is whole and of a later version than the actor reads: it is good, for somebody else.
 */
export async function readSnapshot(
  store: ObjectStore,
  ref: SnapshotRef,
  actor: { name: string; snapshotVersion: number },
): Promise<Uint8Array | null> {
  const data = await store.get(ref.name)
  if (data === null) return null
  try {
    const [format, sum, packed] = unpack<[number, Uint8Array, Uint8Array]>(data)
    if (format !== FORMAT || Buffer.compare(checksum(packed), sum) !== 0) return null
    const { actor: name, version, position, compression, state } = unpack<SnapshotBody>(packed)
    if (name !== actor.name) return null
    if (position.created !== ref.position.created || position.seq !== ref.position.seq) return null
    if (version > actor.snapshotVersion) {
      throw new OperatingError('version', `Cannot restore snapshot ${ref.name} as its version must be at most ${actor.snapshotVersion}: current value is ${version}. A newer version of the program wrote it`)
    }
    return compression === 'zstd' ? await expand(state) : state
  } catch (error) {
    if (isOperating(error, 'version')) throw error
    // Whatever a damaged object does to its readers, it is not whole.
    return null
  }
}

/**
 * The state of the newest of `refs` (newest first) that reads whole and that `restore` takes, or null. Throws `OperatingError` `version`
 * at one that is of a newer program: the log behind an older one would lead there too.
 */
export async function restoreNewest<State>(
  store: ObjectStore,
  refs: readonly SnapshotRef[],
  actor: { name: string; snapshotVersion: number; restore(bytes: Uint8Array): State },
  onUnusable: (ref: SnapshotRef, cause: unknown) => void = () => {},
): Promise<{ ref: SnapshotRef; state: State } | null> {
  for (const ref of refs) {
    const bytes = await readSnapshot(store, ref, actor)
    if (bytes === null) {
      onUnusable(ref, null)
      continue
    }
    try {
      return { ref, state: actor.restore(bytes) }
    } catch (cause) {
      if (isOperating(cause, 'version')) throw cause
      onUnusable(ref, cause)
    }
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

async function expand(packed: Uint8Array): Promise<Uint8Array> {
  return packed.byteLength > COMPRESS_ASIDE_BYTES ? decompressAside(packed) : zstdDecompressSync(packed)
}

function checksum(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest())
}
