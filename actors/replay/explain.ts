/**
 * How an anomaly came about: the readings before it, the state that its reading met, and the verdict step by step.
 *
 * The state is made again by a replay up to the message that brought the reading (runtime/replay.ts). Then the message is cut in two: the rows before
 * the reading are stepped as a block, which gives the state that the reading met, and the reading alone as another. What the actor says of
 * it must be what was committed, to the bit.
 */

import assert from 'node:assert/strict'
import type { Clock } from '../../runtime/clock.ts'
import { isOperating } from '../../runtime/errors.ts'
import type { Connection } from '../../runtime/log.ts'
import { Replay } from '../../runtime/replay.ts'
import { inputStream, partitionFor } from '../../runtime/topology.ts'
import type { Topology } from '../../runtime/topology.ts'
import { partitionActor } from '../partition/actor.ts'
import type { PartitionState } from '../partition/actor.ts'
import type { AnomalyRow } from '../partition/effects.ts'
import { Flag } from '../partition/flags.ts'
import { DETECTOR_FIELDS, lookAt } from '../partition/series/detector.ts'
import { judgement } from '../partition/series/ensemble/judgement.ts'
import type { Judgement } from '../partition/series/ensemble/judgement.ts'
import { ENSEMBLE_DOUBLES } from '../partition/series/ensemble/layout.ts'
import { lookAtEnsemble } from '../partition/series/ensemble/look.ts'
import { UPPER_SIZES } from '../partition/series/series.ts'
import type { Series } from '../partition/series/series.ts'
import { verdict } from '../partition/series/verdict.ts'
import type { Verdict } from '../partition/series/verdict.ts'
import { PAGE_BITS, PAGE_SERIES } from '../partition/state.ts'
import { encodeBlock } from '../reading/input.ts'
import type { Block, Settings } from '../reading/input.ts'
import { WINDOW_SIZE_NAMES } from '../reading/window.ts'
import type { AnomalyAddress } from './address.ts'
import { findAnomaly, findBlock } from './find.ts'
import type { FoundAnomaly, FoundBlock, PastReading } from './find.ts'

export interface OpenWindow {
  readonly size: string
  readonly start: number
  /** Readings that merged into it; those of its open parts are counted with the parts. */
  readonly count: number
}

/** What was known of the series and what was said of the reading: by the detector, or by the ensemble once its flag was on. */
export type Judged =
  | { readonly by: 'detector'; readonly detector: ReturnType<typeof lookAt>; readonly verdict: Verdict }
  | { readonly by: 'ensemble'; readonly ensemble: ReturnType<typeof lookAtEnsemble>; readonly judgement: Judgement }

/** What the reading met, and what became of it. */
export interface Met {
  readonly from: string
  readonly messages: number
  readonly judged: Judged
  readonly settings: Settings
  readonly logMs: number
  readonly greatestMs: number
  readonly watermarkMs: number
  readonly closedUntilMs: number
  readonly windows: readonly OpenWindow[]
  /** Whether the replay says of the reading what was committed. */
  readonly same: boolean
}

export interface Explanation {
  readonly address: AnomalyAddress
  readonly partition: number
  readonly stream: string
  readonly anomaly: AnomalyRow
  readonly commit: { readonly seq: number; readonly timeMs: number; readonly epoch: number; readonly owner: string; readonly to: number }
  /** The message that brought the reading; null where it is purged. */
  readonly block: { readonly seq: number; readonly timeMs: number; readonly row: number; readonly rows: number } | null
  readonly readings: readonly PastReading[]
  /** Null where the state can't be made again, for the reason in `unreachable`. */
  readonly met: Met | null
  readonly unreachable: string | null
}

/** Nothing was found, or more than one: in words. */
export interface NotFound {
  readonly partition: number
  readonly matches: readonly AnomalyRow[]
  readonly others: readonly { readonly ts: number; readonly value: number }[]
  readonly sinceMs: number | null
}

/** A recorded log, and the clock by which its servers are waited for. */
export interface Recorded {
  readonly connection: Connection
  readonly topology: Topology
  readonly clock: Clock
}

export async function explain(log: Recorded, address: AnomalyAddress, last: number): Promise<Explanation | NotFound> {
  const { connection, topology } = log
  const partition = partitionFor(topology, address.tenant, address.device)
  const { matches, others, sinceMs } = await findAnomaly(connection.log, partition, address)
  if (matches.length !== 1) return { partition, matches: matches.map((m) => m.anomaly), others, sinceMs }
  const [found] = matches
  const { block, readings } = await findBlock(connection.log, { topology, partition }, address, found, last)
  const { seq, timeMs, header } = found.commit
  const about = {
    address: { ...address, value: found.anomaly.value },
    partition,
    stream: inputStream(topology, partition),
    anomaly: found.anomaly,
    commit: { seq, timeMs, epoch: header.epoch, owner: header.owner, to: header.position.seq },
    block: block && { seq: block.message.seq, timeMs: block.message.timeMs, row: block.row, rows: block.block.row.length },
    readings,
  }
  if (found.anomaly.part === 'neighbours') return { ...about, met: null, unreachable: 'no reading brought it, but what was told of its kind in that hour' }
  if (block === null) return { ...about, met: null, unreachable: 'the message that brought the reading is no longer in the log' }
  try {
    return { ...about, met: await meet(log, partition, address, found, block), unreachable: null }
  } catch (error) {
    if (!isOperating(error)) throw error
    return { ...about, met: null, unreachable: error.message }
  }
}

async function meet(
  log: Recorded,
  partition: number,
  address: AnomalyAddress,
  found: FoundAnomaly,
  { message, block, row }: FoundBlock,
): Promise<Met> {
  const replay = await Replay.open({ ...log, actor: partitionActor, partition, from: message.seq, to: null })
  assert(replay !== null, 'a partition with an anomaly has committed')
  const state = await replay.stateBefore(message.seq)
  const effects = partitionActor.effects()
  const step = (part: Block) => partitionActor.step(state, { seq: message.seq, timeMs: message.timeMs, data: encodeBlock(part) }, effects)
  step(rowsOf(block, 0, row))
  const series = state.seriesAt(address.tenant, address.device, address.metric)
  const met = look(state, series)
  const judges = state.flags.has(Flag.ensemble)
  const ensemble = judges ? lookAtEnsemble(state.ensembles[series.id >> PAGE_BITS], (series.id & (PAGE_SERIES - 1)) * ENSEMBLE_DOUBLES) : null
  const detector = judges ? null : lookAt(state.detectors, series.id * DETECTOR_FIELDS)
  const before = effects.anomalies.length
  step(rowsOf(block, row, row + 1))
  const again = effects.anomalies.length > before ? effects.anomalies[before] : null
  const numbers = ['ts', 'value', 'score', 'expected', 'lower', 'upper', 'reason', 'kind', 'part'] as const
  return {
    ...met,
    from: replay.start.snapshot === null ? 'the first message of the log' : `snapshot ${replay.start.snapshot}`,
    messages: replay.tally.messages,
    judged: ensemble !== null ? { by: 'ensemble', ensemble, judgement: { ...judgement } } : { by: 'detector', detector: detector!, verdict: { ...verdict } },
    same: again !== null && numbers.every((key) => Object.is(again[key], found.anomaly[key])),
  }
}

/** A block of the same series with some of its rows. */
function rowsOf(block: Block, from: number, to: number): Block {
  // A key that was seen with the rows before must not make the reading a repetition; and one of later rows is not seen yet.
  const keyed = from > 0 ? [] : block.keyed.filter((k) => k.from < to).map((k) => ({ ...k, to: Math.min(k.to, to) }))
  return { ...block, row: block.row.slice(from, to), ts: block.ts.slice(from, to), value: block.value.slice(from, to), keyed }
}

function look(state: PartitionState, series: Series): Omit<Met, 'from' | 'messages' | 'judged' | 'same'> {
  const { settings, time } = state
  const windows: OpenWindow[] = []
  for (let minute = series.minutes; minute !== null; minute = minute.next) windows.push({ size: WINDOW_SIZE_NAMES[0], start: minute.start, count: minute.count })
  for (let size = 1; size <= UPPER_SIZES; size++) {
    for (const { start, count } of state.summaries.chain(series.oldest(size))) windows.push({ size: WINDOW_SIZE_NAMES[size], start, count })
  }
  return {
    settings,
    logMs: time.logMs,
    greatestMs: series.greatestMs,
    watermarkMs: Math.min(series.greatestMs, time.logMs) - settings.latenessMs,
    closedUntilMs: series.closedUntilMs,
    windows,
  }
}
