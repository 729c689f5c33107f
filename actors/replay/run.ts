/**
 * Replays partitions one after another, prints each commit as it is made again, and says at the end what was compared.
 *
 * A line is handed over before the next commit is made, and waited for: a whole day passes through in the memory of one commit.
 */

import type { Clock } from '../../runtime/clock.ts'
import { OperatingError } from '../../runtime/errors.ts'
import type { Connection } from '../../runtime/log.ts'
import { Replay } from '../../runtime/replay.ts'
import type { ReplayedCommit, ReplayFrom, ReplayTally } from '../../runtime/replay.ts'
import type { Topology } from '../../runtime/topology.ts'
import type { OwnActor } from '../own/actor.ts'
import { partitionActor } from '../partition/actor.ts'
import { jsonOf, linesOf } from './describe.ts'
import { differenceOf } from './difference.ts'

/** An own actor: its partition, and the log with the answers of its code beside its messages. */
export interface ReplayedActor {
  readonly partition: number
  readonly actor: OwnActor
  readonly connection: Connection
}

export interface RunOptions {
  readonly connection: Connection
  readonly topology: Topology
  readonly clock: Clock
  /** Null: all of them. */
  readonly partition: number | null
  readonly from: ReplayFrom
  readonly to: number | null
  readonly json: boolean
  /** Summaries alone. */
  readonly quiet: boolean
  /** An own actor to replay in place of partitions. */
  readonly own?: ReplayedActor
  /** Prints a line. */
  print(line: string): Promise<void>
}

/** What `--from` says: a message, `snapshot`, `start`, or null. Throws `config` on anything else. */
export function parseFrom(text: string | null): ReplayFrom {
  if (text === null || text === 'start' || text === 'snapshot') return text
  const seq = Number(text)
  if (text.trim() !== '' && Number.isInteger(seq) && seq >= 1) return seq
  throw new OperatingError('config', `Cannot use --from as it must be the sequence of a message, snapshot or start: current value is ${JSON.stringify(text)}`)
}

/** Resolves with whether everything that was compared is as it was committed. */
export async function runReplay(options: RunOptions): Promise<boolean> {
  const { topology, partition, own } = options
  if (own !== undefined) return tell(options, own.partition, await Replay.open({ ...options, ...own }))
  if (partition !== null && partition >= topology.partitions) {
    throw new OperatingError('config', `Cannot replay partition ${partition} as it must be one of 0 to ${topology.partitions - 1}`)
  }
  const all = partition === null ? Array.from({ length: topology.partitions }, (_, p) => p) : [partition]
  let same = true
  for (const p of all) same = (await runPartition(options, p)) && same
  return same
}

async function runPartition(options: RunOptions, partition: number): Promise<boolean> {
  return tell(options, partition, await Replay.open({ ...options, actor: partitionActor, partition }))
}

async function tell<State, Effects>({ json, quiet, print }: RunOptions, partition: number, replay: Replay<State, Effects> | null): Promise<boolean> {
  if (replay === null) {
    await print(json ? JSON.stringify({ kind: 'summary', partition, commits: 0, same: true }) : `Partition ${partition}: nothing was ever committed of it.`)
    return true
  }
  let difference: string | null = null
  for await (const commit of replay.commits()) {
    if (!commit.same) difference ??= wordsOfDifference(commit)
    if (quiet) continue
    if (json) await print(JSON.stringify(jsonOf(partition, commit)))
    else for (const line of linesOf(commit)) await print(line)
  }
  const { tally, start } = replay
  const began = { kind: start.kind, after: start.seq, snapshot: start.snapshot }
  if (json) await print(JSON.stringify({ kind: 'summary', partition, from: began, ...tally, same: tally.different === 0, difference }))
  else for (const line of summary(partition, tally, start, difference)) await print(line)
  return tally.different === 0
}

function wordsOfDifference({ seq, header, after, recorded, replayed }: ReplayedCommit): string {
  return `commit ${seq}, which covers the messages after ${after.seq} up to ${header.position.seq}: ${differenceOf(recorded, replayed)}`
}

function summary(partition: number, tally: ReplayTally, start: { seq: number; snapshot: string | null }, difference: string | null): string[] {
  const from = start.snapshot === null ? 'the first message on' : `snapshot ${start.snapshot} on`
  const count = (n: number, word: string) => `${n.toLocaleString('en-US')} ${word}${n === 1 ? '' : 's'}`
  const parts = tally.parted > 0 ? `, ${count(tally.parted, 'commit')} in parts` : ''
  const driven = `${count(tally.messages, 'message')} from ${from}, ${count(tally.claims, 'claim')}${parts}`
  const compared = `${count(tally.commits, 'commit')} of ${count(tally.bytes, 'byte')} compared`
  const lines = [`Partition ${partition}: ${driven}; ${compared}: ${difference === null ? 'identical.' : `${tally.different} DIFFERENT.`}`]
  if (difference !== null) lines.push(`  The first difference: ${difference}`)
  const left: [number, string][] = [
    [tally.passed, 'of before --from'],
    [tally.beforeStart, 'of before the state begins'],
    [tally.beginningPurged, 'of which the beginning is purged'],
    [tally.otherGeneration, 'of an input that was made anew since'],
  ]
  for (const [n, what] of left) if (n > 0) lines.push(`  Not compared: ${count(n, 'commit')} ${what}.`)
  return lines
}
