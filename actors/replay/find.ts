/**
 * Finds an anomaly in the recorded results, and the readings of its series before it in the recorded input, without any replay.
 *
 * Both logs are read in order, in bounded memory: of fates the newest `FATES_KEPT` blocks are remembered, of the input the last `LOOK_BACK`
 * messages before the commit's end are looked through.
 */

import { decodeJournal, JournalReader } from '../../runtime/journal.ts'
import type { Commit } from '../../runtime/journal.ts'
import type { Log, LogMessage } from '../../runtime/log.ts'
import { inputStream, inputSubject, RESULTS, resultsSubject } from '../../runtime/topology.ts'
import type { Topology } from '../../runtime/topology.ts'
import { decodeEffects } from '../partition/effects.ts'
import type { AnomalyRow, BlockFates } from '../partition/effects.ts'
import { decodeInput } from '../reading/input.ts'
import type { Block } from '../reading/input.ts'
import type { AnomalyAddress } from './address.ts'

const FATES_KEPT = 20_000
/** Sequences of the stream, which other partitions share. */
export const LOOK_BACK = 50_000

/** `old`: its minute was closed; the store finds out whether it came twice, and merges it if not. */
export type Fate = 'on time' | 'duplicate' | 'expired' | 'old'

export interface PastReading {
  readonly ts: number
  readonly value: number
  readonly fate: Fate
  readonly block: number
}

export interface FoundAnomaly {
  readonly commit: Commit
  readonly anomaly: AnomalyRow
  /** Fates by block, of the blocks up to the commit's end in which not every row was on time. */
  readonly fates: ReadonlyMap<number, BlockFates>
}

export interface Search {
  readonly matches: readonly FoundAnomaly[]
  /** Anomalies of the series that were passed on the way, newest last, some of them. */
  readonly others: readonly { readonly ts: number; readonly value: number }[]
  /** When the oldest message of results that is held was stored; null: there is none. */
  readonly sinceMs: number | null
}

/** Looks through all that is held of the partition's results. */
export async function findAnomaly(log: Log, partition: number, address: AnomalyAddress): Promise<Search> {
  const subject = resultsSubject(partition)
  const last = await log.last(RESULTS, subject)
  const matches: FoundAnomaly[] = []
  const others: { ts: number; value: number }[] = []
  let sinceMs: number | null = null
  if (last === null) return { matches, others, sinceMs }
  const journal = new JournalReader()
  const fates = new Map<number, BlockFates>()
  let created = decodeJournal(last.data).header.position.created
  const reader = log.read({ stream: RESULTS, subject, fromSeq: 1 })
  try {
    for await (const message of reader) {
      sinceMs ??= message.timeMs
      const commit = wholeOf(journal, message)
      if (commit !== null) {
        // Sequences start again with each creation of the input.
        if (commit.header.position.created !== created) fates.clear()
        created = commit.header.position.created
        const { series, anomalies, fates: some } = decodeEffects(commit.payload)
        for (const f of some) remember(fates, f)
        for (const anomaly of anomalies) {
          const { tenant, device, metric } = series[anomaly.series]
          if (tenant !== address.tenant || device !== address.device || metric !== address.metric) continue
          const isIt = anomaly.ts === address.ts && (address.value === null || address.value === anomaly.value)
          if (isIt) matches.push({ commit, anomaly, fates: new Map(fates) })
          else if (others.push({ ts: anomaly.ts, value: anomaly.value }) > 3) others.shift()
        }
      }
      if (message.seq >= last.seq) break
    }
  } finally {
    await reader.close()
  }
  return { matches, others, sinceMs }
}

export function wholeOf(journal: JournalReader, message: LogMessage): Commit | null {
  try {
    const got = journal.accept(message)
    return got !== null && 'commit' in got ? got.commit : null
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

export function remember(fates: Map<number, BlockFates>, f: BlockFates): void {
  fates.set(f.seq, f)
  if (fates.size > FATES_KEPT) fates.delete(fates.keys().next().value!)
}

export interface FoundBlock {
  readonly message: LogMessage
  readonly block: Block
  /** The reading's row in it. */
  readonly row: number
}

/** The message that brought the reading, null where it is purged; and at most `most` readings of its series before it, oldest first. */
export async function findBlock(
  log: Log,
  place: { topology: Topology; partition: number },
  address: AnomalyAddress,
  found: FoundAnomaly,
  most: number,
): Promise<{ block: FoundBlock | null; readings: readonly PastReading[] }> {
  const stream = inputStream(place.topology, place.partition)
  const subject = inputSubject(place.partition)
  const readings: PastReading[] = []
  const { position } = found.commit.header
  const [info, last] = [await log.info(stream), await log.last(stream, subject)]
  if (info.created !== position.created || last === null || last.seq < position.seq) return { block: null, readings }
  const reader = log.read({ stream, subject, fromSeq: Math.max(1, position.seq - LOOK_BACK) })
  try {
    for await (const message of reader) {
      const block = blockOf(message)
      const fates = found.fates.get(message.seq)
      if (block !== null && block.tenant === address.tenant) {
        for (let row = 0; row < block.row.length; row++) {
          if (!isOf(block, row, address)) continue
          const [ts, value] = [block.ts[row], block.value[row] + 0]
          const fate = fateOf(fates, row)
          if (fate === 'on time' && ts === found.anomaly.ts && value === found.anomaly.value) return { block: { message, block, row }, readings }
          readings.push({ ts, value, fate, block: message.seq })
          if (readings.length > most) readings.shift()
        }
      }
      if (message.seq >= position.seq) break
    }
  } finally {
    await reader.close()
  }
  return { block: null, readings }
}

export function isOf(block: Block, row: number, { device, metric }: Pick<AnomalyAddress, 'device' | 'metric'>): boolean {
  const series = block.row[row]
  return block.devices[block.seriesDevice[series]] === device && block.metrics[block.seriesMetric[series]] === metric
}

export function fateOf(fates: BlockFates | undefined, row: number): Fate {
  if (fates === undefined) return 'on time'
  return fates.duplicate.includes(row) ? 'duplicate' : fates.expired.includes(row) ? 'expired' : fates.old.includes(row) ? 'old' : 'on time'
}

export function blockOf(message: LogMessage): Block | null {
  try {
    const input = decodeInput(message.data)
    return input.kind === 'block' ? input : null
  } catch {
    // The actor passes over it as well.
    return null
  }
}
