/**
 * The status: how far the system is, counted from the log.
 *
 * - S1 `accepted`, `processed` and `sealed` are never equal while a stream is ahead of what this process has read: the ends of the
 *   streams are asked for first, the tail gets a moment to reach them, and what it has not read then counts as accepted, a message as
 *   one reading at least.
 * - S2 `settled` says that everything acknowledged before the request is in the lake, that no window row is owed, and no row of an own actor that runs.
 */

import type { Clock } from '../../../runtime/clock.ts'
import { STATUS_WAIT_MAX_MS } from '../../../runtime/limits.ts'
import type { StreamInfo } from '../../../runtime/log.ts'
import { RESULTS, inputStreams } from '../../../runtime/topology.ts'
import type { Topology } from '../../../runtime/topology.ts'
import type { FollowerLag } from '../../store/follow.ts'
import type { Tail } from './tail.ts'

/** What a status needs of a member of the group; `Member` of runtime/membership.ts fits. */
export interface MemberView {
  readonly id: string
  readonly role: string
  readonly url: string | null
  readonly runtime: string
  readonly pid: number
  readonly startedAt: number
}

/** What a status needs of the follower; `Follower` fits. */
export interface Progress {
  read(): readonly { stream: string; created: string; seq: number }[]
  lag(): readonly FollowerLag[]
  positions(): { resultsCreated: string; resultsFrom: number; covered?: Readonly<Record<string, { readonly input: { readonly created: string; readonly seq: number } }>> }
}

export interface StatusSources {
  readonly tail: Tail
  readonly progress: Progress
  readonly topology: Topology
  readonly clock: Clock
  /** `log.info`. */
  readonly info: (stream: string) => Promise<StreamInfo>
  readonly members: () => readonly MemberView[]
  readonly actors: () => readonly ActorView[]
  /** Whether all that own actors make of it is in the lake as well (own-settled.ts). */
  readonly ownSettled: () => Promise<boolean>
}

/** What a status says of an own actor; `ActorPresence` of own/presence.ts fits. */
export interface ActorView {
  readonly actor: string
  readonly partition: number
  readonly state: string
  readonly why: string
  readonly worker: string
}

export interface PartitionStatus {
  partition: number
  owner: string | null
  runtime: string | null
  epoch: number
  position: number
  behind: number
  pending: number
}

export interface Status {
  accepted: number
  processed: number
  sealed: number
  settled: boolean
  lagMs: number
  partitions: PartitionStatus[]
  /** Own actors that some worker has loaded. */
  actors: { name: string; state: string; why: string; worker: string }[]
  members: { id: string; role: string; runtime: string; pid: number; url: string | null; startedAt: number; partitions: number[] }[]
}

export async function status(sources: StatusSources): Promise<Status> {
  const { tail, progress, topology, clock, info, members } = sources
  const ends = await Promise.all([...inputStreams(topology), RESULTS].map(info))
  const until = clock.monotonic() + STATUS_WAIT_MAX_MS
  let unread = unreadOf(progress, ends)
  while (unread.input + unread.results > 0 && clock.monotonic() < until) {
    await clock.sleep(10)
    unread = unreadOf(progress, ends)
  }

  const covered = tail.manifest?.covered ?? {}
  const lags = progress.lag()
  const group = members()
  const now = clock.now()
  let accepted = unread.input
  let processed = 0
  let sealed = 0
  let oldest = Infinity
  let done = unread.input + unread.results === 0
  const partitions: PartitionStatus[] = []
  const owned = new Map<string, number[]>()
  for (const [partition, state] of tail.partitions.entries()) {
    const lag = lags[partition]
    const inLake = covered[partition] ?? { accepted: 0, pending: 0 }
    const coveredSeq = tail.coveredSeq(partition)
    // The writer may be ahead of this process.
    const of = Math.max(state.accepted, inLake.accepted)
    processed += of
    accepted += Math.max(of, state.accepted + lag.waitingRows)
    sealed += inLake.accepted
    const pending = coveredSeq >= state.resultsSeq ? inLake.pending : state.pending
    if (lag.waitingMessages > 0 || pending > 0 || coveredSeq < state.contentSeq) done = false
    if (lag.oldestMs !== null && lag.waitingRows > 0) oldest = Math.min(oldest, lag.oldestMs)
    const owner = group.find((member) => member.id === state.owner)
    if (owner !== undefined) owned.set(owner.id, [...(owned.get(owner.id) ?? []), partition])
    const { epoch, position } = state
    partitions.push({ partition, owner: state.owner, runtime: owner?.runtime ?? null, epoch, position, behind: lag.waitingRows, pending })
  }
  const settled = done && accepted === processed && processed === sealed && (await sources.ownSettled())
  return {
    accepted,
    processed,
    sealed,
    settled,
    lagMs: oldest === Infinity ? 0 : Math.max(0, now - oldest),
    partitions,
    actors: sources.actors().map(({ actor, state, why, worker }) => ({ name: actor, state, why, worker })),
    members: group.map((member) => {
      const { id, role, runtime, pid, url, startedAt } = member
      return { id, role, runtime, pid, url, startedAt, partitions: owned.get(id) ?? [] }
    }),
  }
}

/** Messages of the input, and of RESULTS, that this process has yet to read up to `ends`. */
export function unreadOf(progress: Progress, ends: readonly StreamInfo[]): { input: number; results: number } {
  const read = new Map<string, { created: string; seq: number }>(progress.read().map((r) => [r.stream, r]))
  const { resultsCreated, resultsFrom } = progress.positions()
  read.set(RESULTS, { created: resultsCreated, seq: resultsFrom - 1 })
  let input = 0
  let results = 0
  for (const { name, created, lastSeq } of ends) {
    const at = read.get(name)
    const left = at === undefined || at.created !== created ? Math.max(1, lastSeq) : Math.max(0, lastSeq - at.seq)
    if (name === RESULTS) results += left
    else input += left
  }
  return { input, results }
}
