/**
 * The partition actor: takes each message of `readings.<p>` to the part that it concerns, and gives each row its fate.
 *
 * Owns the order of things within a message. Leaves time to log-time.ts and wheel.ts, names to state.ts, windows to series/,
 * repeated keys to idempotency.ts, and the form of snapshots to snapshot/.
 *
 * - A1 A message first moves time, and what time makes due is emitted; then it is applied.
 * - A2 Each row of a block has one fate: duplicate by key, expired, old, duplicate by value, or on time, tried in this order.
 * - A3 A message that can't be read is counted and passed over.
 * - A4 What a message leads to is decided by the log before it: by its settings, and by the flags that it has switched on (flags.ts).
 */

import type { Actor, InputMessage } from '../../runtime/actor.ts'
import { decodeInput, encodeSettings, encodeTick } from '../reading/input.ts'
import type { Block, DriverHour, Feedback, Input, RuleMessage, Settings } from '../reading/input.ts'
import { hush, judgeTogether, togetherWords } from './device/together.ts'
import { Driven } from './drivers/driven.ts'
import { EffectsBuilder } from './effects.ts'
import { assertKnown, Flag, FLAGS } from './flags.ts'
import { hearCourses, isMoveOfKind } from './fleet/kin.ts'
import { borrow, BORROWS_AT } from './fleet/loan.ts'
import { followWatermark, passTime, rearmAll, speak, closeUntil } from './series/closing.ts'
import { DETECTOR_FIELDS, observe } from './series/detector.ts'
import { barOf } from './series/ensemble/calibration.ts'
import { judge } from './series/ensemble/ensemble.ts'
import { judgement, sentenceOf } from './series/ensemble/judgement.ts'
import { COUNT, ENSEMBLE_DOUBLES } from './series/ensemble/layout.ts'
import type { Slab } from './series/ensemble/layout.ts'
import type { Series } from './series/series.ts'
import { reasonOf, verdict } from './series/verdict.ts'
import { HOUR_MS, MINUTE_MS } from '../reading/window.ts'
import { MINUTE_READINGS_MAX } from '../../runtime/limits.ts'
import { piecesOf, readWhole, restoring, SNAPSHOT_VERSION, snapshotVersionOf, writeWhole } from './snapshot/snapshot.ts'
import { PAGE_BITS, PAGE_SERIES, PartitionState } from './state.ts'
import { warm } from './warm.ts'

export { PartitionState } from './state.ts'

const common = {
  name: 'partition',
  snapshotVersion: SNAPSHOT_VERSION,
  create: () => new PartitionState(),
  effects: () => new EffectsBuilder(),
  count: (effects: EffectsBuilder) => effects.count,
  urgent: (effects: EffectsBuilder) => effects.anomalies.length > 0 || effects.alerts.length > 0,
  encode: (effects: EffectsBuilder, state: PartitionState) => {
    return effects.encode({ accepted: state.accepted, pending: state.pending, logTimeMs: state.time.logMs })
  },
  pieces: (state: PartitionState) => piecesOf(state),
  snapshot: writeWhole,
  snapshotVersionOf: (state: PartitionState) => snapshotVersionOf(state),
  wantsTick: (state: PartitionState) => state.pending + state.settling + state.rules.waiting > 0,
  tick: encodeTick,
}

export const partitionActor = partitionActorKnowing(FLAGS)

/** With snapshots also as one, for those that are kept in files. */
export interface PartitionActor extends Actor<PartitionState, EffectsBuilder> {
  snapshot(state: PartitionState): Uint8Array
  restore(bytes: Uint8Array): PartitionState
}

/** The actor as a version of the program has it that knows `flags`: all of them, but where a test sets versions side by side. */
export function partitionActorKnowing(flags: readonly number[]): PartitionActor {
  return {
    ...common,
    flags,
    step: (state, message, effects) => step(state, message, effects, flags),
    restoring: () => restoring(flags),
    restore: (bytes) => readWhole(bytes, flags),
    introduce: (state, settings, agreed) => introduce(state, settings as Settings | null, agreed.filter((flag) => flags.includes(flag))),
  }
}

function step(state: PartitionState, message: InputMessage, effects: EffectsBuilder, known: readonly number[]): void {
  if (state.time.advance(message.timeMs)) {
    passTime(state, effects)
    if (state.rules.waiting > 0) state.rules.passTime(effects)
  }
  let input: Input
  try {
    input = decodeInput(message.data)
  } catch {
    state.malformed++
    return
  }
  if (input.kind === 'block') applyBlock(state, message, input, effects)
  else if (input.kind === 'settings') {
    assertKnown(input.flags, known, 'log')
    for (const flag of input.flags) state.switchOn(flag)
    state.settings = input.settings
    rearmAll(state)
  } else if (input.kind === 'feedback') {
    if (state.flags.has(Flag.feedback)) applyFeedback(state, input, effects)
    else state.malformed++
  } else if (input.kind === 'prior') {
    if (state.flags.has(Flag.fleet)) state.priors.learn(state.flags.has(Flag.loan) ? input : { ...input, traits: undefined })
    else state.malformed++
  } else if (input.kind === 'hour') {
    if (state.flags.has(Flag.drivers)) hearDriver(state, input)
    else state.malformed++
  } else if (input.kind === 'courses') {
    if (state.flags.has(Flag.kin)) hearCourses(state, input.courses, effects)
    else state.malformed++
  } else if (input.kind === 'rule') {
    if (state.flags.has(Flag.rules)) learnRule(state, input, effects)
    else state.malformed++
  } else if (input.kind === 'action') {
    if (state.flags.has(Flag.rules)) state.rules.act(state.find(input.tenant, input.device, input.metric), input, effects)
    else state.malformed++
  }
}

function learnRule(state: PartitionState, message: RuleMessage, effects: EffectsBuilder): void {
  try {
    state.rules.learn(message, state.series, effects)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    state.malformed++
  }
}

/** An hour of a driver of a series that never came is passed over: it is driven from its own first hour on. */
function hearDriver(state: PartitionState, { tenant, device, metric, slot, driver, hour, value }: DriverHour): void {
  const series = state.find(tenant, device, metric)
  if (series === null) return
  let driven = state.driven.get(series.id)
  if (driven === undefined) state.driven.set(series.id, (driven = new Driven()))
  driven.hear(slot, driver, hour / HOUR_MS, value)
}

/** Moves the bar of the series; an answer to what this partition has never heard of is passed over. */
function applyFeedback(state: PartitionState, { tenant, device, metric, ts, value, useful }: Feedback, effects: EffectsBuilder): void {
  const series = state.find(tenant, device, metric)
  if (series === null) return
  effects.feedback.push({ series: series.indexIn(effects), ts, value, useful, factor: state.tuning.answer(series.id, useful) })
}

/** Series and fates of the block at hand: kept between blocks only for their memory. */
const table: Series[] = []
const duplicate: number[] = []
const expired: number[] = []
const old: number[] = []
const closedUntil: number[] = []

function applyBlock(state: PartitionState, { seq, timeMs }: InputMessage, block: Block, effects: EffectsBuilder): void {
  const { row, ts: times, value: values } = block
  const repeated = block.keyed.length === 0 ? null : repeatedRows(state, seq, block)
  const judges = state.flags.has(Flag.ensemble)
  const lends = state.flags.has(Flag.loan) && state.priors.size > 0
  const judgesKin = state.flags.has(Flag.kin)
  const judgesDevices = judges && state.flags.has(Flag.together)
  const rules = state.rules.size > 0 ? state.rules : null
  const receivedMs = state.flags.has(Flag.ageAtReceipt) ? timeMs : state.time.logMs
  const oldestMs = state.settings.retentionMs > 0 ? receivedMs - state.settings.retentionMs : -Infinity
  state.resolve(block, table)
  state.accepted += row.length
  duplicate.length = expired.length = old.length = closedUntil.length = 0
  for (let i = 0, warmed = 0; i < row.length; i++) {
    while (warmed <= row[i]) warmed = warm(state, table, warmed, block.seriesDevice.length)
    const ts = times[i]
    if (repeated !== null && repeated[i] === 1) duplicate.push(i)
    else if (ts < oldestMs) expired.push(i)
    else {
      const series = table[row[i]]
      if (ts < series.closedUntilMs) {
        old.push(i)
        closedUntil.push(series.closedUntilMs)
        speak(state, series)
        if (rules !== null) rules.hear(series, effects)
      } else {
        // Negative zero becomes zero here.
        const value = values[i] + 0
        const minute = series.minuteOf(ts, state.minutePool)
        if (!minute.add(ts, value)) duplicate.push(i)
        else {
          if (ts > series.greatestMs) series.greatestMs = ts
          speak(state, series)
          const found = effects.anomalies.length
          if (judges) {
            const slab = state.ensembles[series.id >> PAGE_BITS]
            const at = (series.id & (PAGE_SERIES - 1)) * ENSEMBLE_DOUBLES
            let isStrange = judge(slab, at, ts, value)
            if (lends && slab.singles[2 * at + COUNT] === BORROWS_AT) lend(state, series, slab, at)
            if (judgesDevices && judgeTogether(state.leanings, series, slab, at)) isStrange = true
            if (isStrange && judgement.score >= barOf(state.tuning.factorOf(series.id)) && !(judgesKin && isMoveOfKind(state, series))) {
              reportJudgement(state, series, ts, value, effects)
              if (judgesDevices) hush(state.leanings, series)
            }
          } else if (observe(state.detectors, series.id * DETECTOR_FIELDS, ts, value)) reportAnomaly(series, ts, value, effects)
          if (rules !== null) rules.see(series, ts, value, effects.anomalies.length > found ? effects.anomalies[found].score : -1, effects)
          if (minute.count >= MINUTE_READINGS_MAX) closeUntil(state, series, minute.start + MINUTE_MS, 'watermark', effects)
          followWatermark(state, series, effects)
        }
      }
    }
  }
  if (duplicate.length + expired.length + old.length > 0) {
    effects.fates.push({
      seq,
      duplicate: Uint32Array.from(duplicate),
      expired: Uint32Array.from(expired),
      old: Uint32Array.from(old),
      closedUntil: Float64Array.from(closedUntil),
    })
  }
}

/** Lends the series what is known of its kind, where that is known. */
function lend(state: PartitionState, { device, metric }: Series, slab: Slab, at: number): void {
  const kind = state.priors.of(device.tenant, device.name, metric)
  if (kind?.traits !== undefined) borrow(slab, at, kind.traits, kind.scale, kind.groups)
}

/** Marks the rows whose Idempotency-Key was seen before; null where there is none. */
function repeatedRows(state: PartitionState, seq: number, block: Block): Uint8Array | null {
  let marks: Uint8Array | null = null
  for (const { hash, from, to } of block.keyed) {
    if (!state.keys.repeated(hash, { seq, atMs: state.time.logMs })) continue
    marks ??= new Uint8Array(block.row.length)
    marks.fill(1, from, to)
  }
  return marks
}

function reportAnomaly(series: Series, ts: number, value: number, effects: EffectsBuilder): void {
  effects.anomalies.push({
    series: series.indexIn(effects),
    ts,
    value,
    score: verdict.score,
    expected: verdict.expected,
    lower: verdict.lower,
    upper: verdict.upper,
    reason: reasonOf(value),
  })
}

function reportJudgement(state: PartitionState, series: Series, ts: number, value: number, effects: EffectsBuilder): void {
  const { score, expected, lower, upper, kind, part } = judgement
  const reason = kind === 'device' ? togetherWords(state.leanings, series) : sentenceOf(value)
  effects.anomalies.push({ series: series.indexIn(effects), ts, value, score, expected, lower, upper, reason, kind, part })
}

function introduce(state: PartitionState, settings: Settings | null, agreed: readonly number[]): Uint8Array | null {
  const now = state.settings
  const { latenessMs, idleMs, retentionMs } = settings ?? now
  const fresh = agreed.filter((flag) => !state.flags.has(flag))
  if (fresh.length === 0 && now.latenessMs === latenessMs && now.idleMs === idleMs && now.retentionMs === retentionMs) return null
  return encodeSettings({ latenessMs, idleMs, retentionMs }, fresh)
}
