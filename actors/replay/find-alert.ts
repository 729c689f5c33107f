/**
 * Finds the life of an alert in the recorded results, and the readings before its first event in the recorded input, without any replay.
 *
 * An alert's id names its rule and a hash of its series, and not where it is: so partitions are looked through one after another. Bounds are those of find.ts.
 */

import { decodeJournal, JournalReader } from '../../runtime/journal.ts'
import type { Log } from '../../runtime/log.ts'
import { inputStream, inputSubject, RESULTS, resultsSubject } from '../../runtime/topology.ts'
import type { Topology } from '../../runtime/topology.ts'
import { decodeAlerts, decodeEffects } from '../partition/effects.ts'
import type { AlertRow, BlockFates, SeriesName } from '../partition/effects.ts'
import { blockOf, fateOf, isOf, LOOK_BACK, remember, wholeOf } from './find.ts'
import type { PastReading } from './find.ts'

/** An event of an alert, and the commit that it is in. */
export interface AlertEventFound {
  readonly row: Omit<AlertRow, 'series'>
  readonly commit: { readonly seq: number; readonly timeMs: number; readonly epoch: number; readonly owner: string; readonly to: number; readonly created: string }
  /** The commit's messages are those behind this one; null where that is not known. */
  readonly after: number | null
}

export interface FoundAlert {
  readonly partition: number
  readonly series: SeriesName
  /** In order; never empty. */
  readonly events: readonly AlertEventFound[]
}

/** All that is held of an alert; null where nothing is. */
export async function findAlert(log: Log, topology: Topology, id: string): Promise<FoundAlert | null> {
  for (let partition = 0; partition < topology.partitions; partition++) {
    const events: AlertEventFound[] = []
    let series: SeriesName | null = null
    const subject = resultsSubject(partition)
    const last = await log.last(RESULTS, subject)
    if (last === null) continue
    const journal = new JournalReader()
    let after: { created: string; seq: number } | null = null
    const reader = log.read({ stream: RESULTS, subject, fromSeq: 1 })
    try {
      for await (const message of reader) {
        const commit = wholeOf(journal, message)
        for (const { series: of, ...row } of commit === null ? [] : decodeAlerts(commit.payload)) {
          if (row.id !== id) continue
          series = of
          const { position, epoch, owner } = commit!.header
          const begins = after === null ? null : after.created === position.created ? after.seq : 0
          events.push({ row, commit: { seq: commit!.seq, timeMs: commit!.timeMs, epoch, owner, to: position.seq, created: position.created }, after: begins })
        }
        if (commit !== null) after = commit.header.position
        else if (after === null) after = decodeJournal(message.data).header.position
        if (message.seq >= last.seq) break
      }
    } finally {
      await reader.close()
    }
    if (series !== null) return { partition, series, events }
  }
  return null
}

/** At most `most` readings of the alert's series up to message `seq`, oldest first. */
export async function readingsUpTo(log: Log, topology: Topology, { partition, series, events }: FoundAlert, seq: number, most: number): Promise<readonly PastReading[]> {
  const { commit } = events[0]
  const stream = inputStream(topology, partition)
  const subject = inputSubject(partition)
  const readings: PastReading[] = []
  const [info, last] = [await log.info(stream), await log.last(stream, subject)]
  if (most === 0 || info.created !== commit.created || last === null || last.seq < seq) return readings
  const fates = await fatesUpTo(log, partition, commit, seq - LOOK_BACK)
  const reader = log.read({ stream, subject, fromSeq: Math.max(1, seq - LOOK_BACK) })
  try {
    for await (const message of reader) {
      if (message.seq > seq) break
      const block = blockOf(message)
      if (block !== null && block.tenant === series.tenant) {
        for (let row = 0; row < block.row.length; row++) {
          if (!isOf(block, row, series)) continue
          readings.push({ ts: block.ts[row], value: block.value[row] + 0, fate: fateOf(fates.get(message.seq), row), block: message.seq })
          if (readings.length > most) readings.shift()
        }
      }
      if (message.seq >= last.seq) break
    }
  } finally {
    await reader.close()
  }
  return readings
}

/** Fates by block, of blocks behind message `from` in which not every row was on time. */
async function fatesUpTo(log: Log, partition: number, end: AlertEventFound['commit'], from: number): Promise<ReadonlyMap<number, BlockFates>> {
  const fates = new Map<number, BlockFates>()
  const journal = new JournalReader()
  const reader = log.read({ stream: RESULTS, subject: resultsSubject(partition), fromSeq: 1 })
  try {
    for await (const message of reader) {
      const commit = wholeOf(journal, message)
      if (commit !== null && commit.header.position.created === end.created && commit.header.position.seq > from) for (const f of decodeEffects(commit.payload).fates) remember(fates, f)
      if (message.seq >= end.seq) return fates
    }
  } finally {
    await reader.close()
  }
  return fates
}
