/**
 * Whether own actors have made what there is to be made of everything that partitions have committed, and all of it is in the lake.
 *
 * Owns the way of a reading beyond its partition, place by place: told by the feed, covered by the actor's commit, sealed. A place that was asked for
 * later is ahead of one that was asked for before; so they are asked for in the order in which a reading comes by them.
 *
 * - O1 An actor that no process runs, or that is stopped, is waited for by nobody: the status names it, and its rows come once it runs.
 */

import type { KeyValue, Log } from '../../../runtime/log.ts'
import { inputSubject, OWN } from '../../../runtime/topology.ts'
import { readReader } from '../../store/readers.ts'
import type { ActorView, Progress } from './status.ts'
import type { Tail } from './tail.ts'

export interface OwnSettledSources {
  readonly tail: Tail
  readonly progress: Pick<Progress, 'positions'>
  readonly log: Pick<Log, 'last' | 'info'>
  /** Where readers of the log say how far they are, the feeds of own actors among them. */
  readonly meta: KeyValue
  readonly actors: () => readonly ActorView[]
}

export async function isOwnSettled({ tail, progress, log, meta, actors }: OwnSettledSources): Promise<boolean> {
  const running = actors().filter(({ state }) => state === 'running' || state === 'starting')
  if (running.length === 0) return true
  // Everything of partitions that can matter to an actor is in RESULTS up to here: readings that came, or, where this process has begun behind all of them,
  // what it began with.
  const needed = Math.max(0, ...tail.partitions.map(({ inputSeq }, partition) => (inputSeq > 0 ? inputSeq : tail.coveredSeq(partition))))
  const { created } = await log.info(OWN)
  for (const { actor, partition } of running) {
    const entry = await readReader(meta, `own-${actor}`)
    if (entry === null || entry.resultsCreated !== tail.resultsCreated || entry.resultsFrom <= needed) return false
    const told = (await log.last(OWN, inputSubject(partition)))?.seq ?? 0
    const at = progress.positions().covered?.[partition]
    if (told > 0 && (at === undefined || at.input.created !== created || at.input.seq < told)) return false
    if (tail.coveredSeq(partition) < tail.ownContentSeq(partition)) return false
  }
  return true
}
