/**
 * Where a replay can begin: with the first message of the input, or behind a snapshot of it (RP2 of replay.ts).
 *
 * The store of snapshots is looked through itself, since older headers name snapshots that are deleted since. A snapshot speaks of the
 * creation of the input that it was taken in; those of other creations are passed over.
 */

import type { Actor } from './actor.ts'
import { OperatingError } from './errors.ts'
import type { JournalHeader } from './journal.ts'
import type { Log, ObjectStore } from './log.ts'
import { parseSnapshotName, restoreNewest } from './snapshots.ts'

/** A sequence of the input; `start`: its first message; `snapshot`: the oldest snapshot there is; null: whichever reaches further back. */
export type ReplayFrom = number | 'start' | 'snapshot' | null

export interface ReplayStart<State> {
  readonly kind: 'first message' | 'snapshot'
  /** The state covers the messages up to this one; 0: none. */
  readonly seq: number
  readonly snapshot: string | null
  readonly state: State
}

export interface StartOptions<State, Effects> {
  readonly log: Log
  readonly objects: ObjectStore
  readonly actor: Actor<State, Effects>
  readonly partition: number
  readonly stream: string
  readonly from: ReplayFrom
  /** The creation of the input. */
  readonly created: string
  /** Whether the input is held from its first message on. */
  readonly isHeld: boolean
  /** Of the first and the last message of the partition in RESULTS. */
  readonly oldest: JournalHeader
  readonly newest: JournalHeader
}

/** Throws `config` where no state reaches as far back as `from`. */
export async function findStart<State, Effects>(options: StartOptions<State, Effects>): Promise<ReplayStart<State>> {
  const { from, partition, objects, actor } = options
  const snapshots = (await objects.list())
    .flatMap((name) => {
      const at = parseSnapshotName(actor.name, name)
      return at?.partition === partition ? [{ name, seq: at.seq }] : []
    })
    .sort((a, b) => a.seq - b.seq)
  // One that is ahead of what is committed was taken by an owner whose commit never came.
  const later = snapshots.filter(({ seq }) => seq > 0 && seq <= options.newest.position.seq)
  if (typeof from === 'number') {
    for (const { name, seq } of later.filter((s) => s.seq <= from).reverse()) {
      // One that ends with the wanted message itself says nothing of it, where there is an older one.
      if (seq === from && (options.isHeld || later[0].seq < seq)) continue
      const start = await restoreAt(options, name, seq)
      if (start !== null) return start
    }
  }
  if (from !== 'snapshot') {
    const start = await firstMessage(options, snapshots.find(({ seq }) => seq === 0)?.name ?? null)
    if (start !== null) return start
  }
  if (from === 'snapshot' || from === null) {
    for (const { name, seq } of later) {
      const start = await restoreAt(options, name, seq)
      if (start !== null) return start
    }
  }
  throw new OperatingError('config', await refusal(options, later))
}

/** The state before the first message of this creation of the input, or null where it can't be had. */
async function firstMessage<State, Effects>(options: StartOptions<State, Effects>, root: string | null): Promise<ReplayStart<State> | null> {
  const { actor, isHeld, oldest, newest, created } = options
  if (!isHeld) return null
  // A later creation of the input begins with the state of the one before, kept as a snapshot of no message.
  const kept = root === null ? null : await restore(options, root, 0)
  if (kept !== null) return { kind: 'snapshot', seq: 0, snapshot: root, state: kept }
  const { snapshots } = newest
  // A later creation begins with a commit that names its root, and the two newest names are all there ever were where they are fewer.
  const hasNoRoot = snapshots.length < 2 && snapshots.every(({ position }) => position.created === created && position.seq > 0)
  const isFirst = oldest.epoch === 1 ? oldest.position.created === created : hasNoRoot
  return isFirst ? { kind: 'first message', seq: 0, snapshot: null, state: actor.create() } : null
}

/** The state of a snapshot, where the log goes on from it without a hole; else null. */
async function restoreAt<State, Effects>(options: StartOptions<State, Effects>, name: string, seq: number): Promise<ReplayStart<State> | null> {
  // Purging spares the message of the snapshot's own position.
  if (!options.isHeld && (await options.log.at(options.stream, seq)) === null) return null
  const state = await restore(options, name, seq)
  return state === null ? null : { kind: 'snapshot', seq, snapshot: name, state }
}

async function restore<State, Effects>(options: StartOptions<State, Effects>, name: string, seq: number): Promise<State | null> {
  const { objects, actor, created } = options
  const restored = await restoreNewest(objects, [{ name, position: { created, seq, timeMs: 0 } }], actor)
  return restored?.state ?? null
}

async function refusal<State, Effects>(options: StartOptions<State, Effects>, later: readonly { name: string; seq: number }[]): Promise<string> {
  const { from, partition, stream } = options
  const usable: number[] = []
  for (const { name, seq } of later) if ((await restoreAt(options, name, seq)) !== null) usable.push(seq)
  if (from === 'snapshot') return `Cannot replay partition ${partition} from a snapshot as there must be a whole one of it: there is none. Use --from start`
  const wanted = from === 'start' ? 'its start' : from === null ? 'anywhere' : `message ${from}`
  const must = `${stream} must hold all of its messages before, or a snapshot must reach there`
  if (usable.length === 0) return `Cannot replay partition ${partition} from ${wanted} as ${must}: the log before is purged, and no snapshot is whole`
  return (
    `Cannot replay partition ${partition} from ${wanted} as ${must}: the log before is purged, and the snapshots there are hold the state after ` +
    `message ${usable.join(' and ')}. --from snapshot begins behind the first of them`
  )
}
