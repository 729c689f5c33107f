/**
 * When windows close, and what is emitted then.
 *
 * - By the watermark: min(greatest event time, log time) − lateness, looked at after each reading on time, and by the passing of log
 *   time where only that holds it back.
 * - By idleness: a series quiet for the idle time, of whose open windows the log time has passed the end by lateness + idle.
 * - A series that goes quiet shows what stays open as provisional rows, once for each time that it goes quiet.
 *
 * - C1 Closing goes from the minute up: what closes merges into its parent before the parent may close.
 * - C2 Everything here is a function of the state: a wheel's late or repeated call changes nothing.
 */

import { HOUR_MS, MINUTE_MS, WINDOW_SIZES_MS, windowStart } from '../../reading/window.ts'
import type { ClosedBy } from '../../reading/window.ts'
import type { EffectsBuilder } from '../effects.ts'
import { Flag } from '../flags.ts'
import type { PartitionState } from '../state.ts'
import { foresee, learnHour } from './foresee.ts'
import { headOf, Phase, summaryAt, UPPER_SIZES } from './series.ts'
import type { Series } from './series.ts'
import { SummaryPool } from './summary.ts'
import type { Summary } from './summary.ts'

/** Index of the size whose windows forecasts are made of. */
const HOUR = WINDOW_SIZES_MS.indexOf(HOUR_MS)

/** Holds a minute's statistics on their way to the row and to the parent. */
const minuteSummary = new SummaryPool().take(0)

/** Closes every window that ends at or before `untilMs`, a multiple of a minute that is not below `series.closedUntilMs`. */
export function closeUntil(state: PartitionState, series: Series, untilMs: number, closedBy: ClosedBy, effects: EffectsBuilder): void {
  series.closedUntilMs = untilMs
  if (series.nextEndMs > untilMs) return
  let learntUntilMs = 0
  for (let minute = series.minutes; minute !== null && minute.start + MINUTE_MS <= untilMs; minute = series.minutes) {
    minute.summarize(minuteSummary)
    series.dropMinute(state.minutePool)
    emit(series, 0, minuteSummary, closedBy, effects)
    if (state.rules.size > 0) state.rules.seeWindow(series, 0, (minuteSummary.sum + minuteSummary.carry) / minuteSummary.count)
    series.upperAt(1, windowStart(minuteSummary.start, WINDOW_SIZES_MS[1]), state.summaries).absorb(minuteSummary)
  }
  for (let size = 1; size <= UPPER_SIZES; size++) {
    const last = untilMs - WINDOW_SIZES_MS[size]
    for (let handle = series.oldest(size); handle !== 0; handle = series.oldest(size)) {
      const window = state.summaries.at(handle)
      if (window.start > last) break
      series.setOldest(size, window.next)
      emit(series, size, window, closedBy, effects)
      if (state.rules.size > 0) state.rules.seeWindow(series, size, (window.sum + window.carry) / window.count)
      if (size === HOUR && state.flags.has(Flag.forecasts)) learntUntilMs = learnHour(state, series, window, effects)
      if (size < UPPER_SIZES) {
        series.upperAt(size + 1, windowStart(window.start, WINDOW_SIZES_MS[size + 1]), state.summaries).absorb(window)
      }
      state.summaries.give(window)
    }
  }
  if (learntUntilMs > 0) foresee(state, series, learntUntilMs, effects)
  series.refreshNextEnd(state.summaries)
}

/** To be called after each reading on time, and when log time may have moved the watermark. */
export function followWatermark(state: PartitionState, series: Series, effects: EffectsBuilder): void {
  const own = series.greatestMs - state.settings.latenessMs
  const watermark = Math.min(own, state.time.logMs - state.settings.latenessMs)
  if (watermark - series.closedUntilMs >= MINUTE_MS) closeUntil(state, series, windowStart(watermark, MINUTE_MS), 'watermark', effects)
  // What its own time allows to close waits for the log's: a device whose clock is ahead.
  if (own >= series.nextEndMs) armLogTime(state, series)
}

/** To be called when a reading changed something: the series is not quiet. */
export function speak(state: PartitionState, series: Series): void {
  series.spokeAtMs = state.time.activityMs
  if (series.phase === Phase.speaking || series.nextEndMs === Infinity) return
  setPhase(state, series, Phase.speaking)
  series.quietBucket = state.quietWheel.bucketOf(series.spokeAtMs + state.settings.idleMs)
  state.quietWheel.put(series, series.quietBucket)
}

/** Looks at all that the clocks have made due. */
export function passTime(state: PartitionState, effects: EffectsBuilder): void {
  for (const series of state.logWheel.advance(state.time.logMs)) {
    if (series.logBucket === 0 || !state.logWheel.passed(series.logBucket)) continue
    series.logBucket = 0
    followWatermark(state, series, effects)
    if (series.phase !== Phase.speaking) closeIdle(state, series, effects)
    if (series.phase === Phase.settling && !minuteClosesSoon(state, series)) setPhase(state, series, Phase.rest)
    armLogTime(state, series)
  }
  for (const series of state.quietWheel.advance(state.time.activityMs)) {
    if (series.quietBucket === 0 || !state.quietWheel.passed(series.quietBucket)) continue
    const bucket = state.quietWheel.bucketOf(series.spokeAtMs + state.settings.idleMs)
    if (series.spokeAtMs + state.settings.idleMs > state.time.activityMs) {
      series.quietBucket = bucket
      state.quietWheel.put(series, bucket)
    } else {
      series.quietBucket = 0
      goQuiet(state, series, effects)
    }
  }
}

/** Puts every series where it belongs under settings that have just changed. */
export function rearmAll(state: PartitionState): void {
  state.quietWheel.clear()
  state.logWheel.clear()
  for (const series of state.series) {
    series.quietBucket = 0
    series.logBucket = 0
    if (series.phase === Phase.speaking) {
      series.quietBucket = state.quietWheel.bucketOf(series.spokeAtMs + state.settings.idleMs)
      state.quietWheel.put(series, series.quietBucket)
    }
    armLogTime(state, series)
  }
}

function goQuiet(state: PartitionState, series: Series, effects: EffectsBuilder): void {
  closeIdle(state, series, effects)
  emitOpen(state, series, effects)
  setPhase(state, series, minuteClosesSoon(state, series) ? Phase.settling : Phase.rest)
  armLogTime(state, series)
}

/** Closes every open window whose end the log time has passed by lateness and idle time; `closedUntilMs` becomes the last of those ends. */
function closeIdle(state: PartitionState, series: Series, effects: EffectsBuilder): void {
  const passed = state.time.logMs - state.settings.latenessMs - state.settings.idleMs
  if (series.nextEndMs > passed) return
  let until = series.closedUntilMs
  // A window above is open as soon as one of its minutes is (T2), so each object is looked at together with its parents.
  for (let m = series.minutes; m !== null; m = m.next) until = Math.max(until, lastEndOf(m.start, 0, passed))
  for (let size = 1; size <= UPPER_SIZES; size++) {
    for (let w = series.oldest(size); w !== 0; w = state.summaries.at(w).next) until = Math.max(until, lastEndOf(state.summaries.startOf(w), size, passed))
  }
  if (until > series.closedUntilMs) closeUntil(state, series, until, 'idle', effects)
}

/** The greatest end, not beyond `passedMs`, of the windows of size `size` and up that hold `start`; 0 where none ends so early. */
function lastEndOf(start: number, size: number, passedMs: number): number {
  let last = 0
  for (let s = size; s <= UPPER_SIZES; s++) {
    const end = windowStart(start, WINDOW_SIZES_MS[s]) + WINDOW_SIZES_MS[s]
    if (end <= passedMs) last = Math.max(last, end)
  }
  return last
}

/** Emits all that is open as provisional rows, each window with all that is open below it. */
function emitOpen({ summaries }: PartitionState, series: Series, effects: EffectsBuilder): void {
  let below = 0
  let lastBelow: Summary | null = null
  for (let minute = series.minutes; minute !== null; minute = minute.next) {
    const summary = summaries.take(minute.start)
    minute.summarize(summary)
    emit(series, 0, summary, 'open', effects)
    if (lastBelow === null) below = summary.handle
    else lastBelow.next = summary.handle
    lastBelow = summary
  }
  for (let size = 1; size <= UPPER_SIZES; size++) {
    let copies = 0
    for (const window of summaries.chain(series.oldest(size))) copies = absorbInto(copies, window.start, window, summaries)
    const ms = WINDOW_SIZES_MS[size]
    for (const part of summaries.chain(below)) copies = absorbInto(copies, windowStart(part.start, ms), part, summaries)
    for (const window of summaries.chain(copies)) emit(series, size, window, 'open', effects)
    summaries.giveAll(below)
    below = copies
  }
  summaries.giveAll(below)
}

/** Merges `part` into the window of `start` in the chain; gives the chain's head. */
function absorbInto(chain: number, start: number, part: Summary, pool: SummaryPool): number {
  const summary = summaryAt(chain, start, pool)
  summary.absorb(part)
  return headOf(chain, summary)
}

function minuteClosesSoon(state: PartitionState, series: Series): boolean {
  return series.minutes !== null && series.minutes.start <= state.time.logMs
}

/** Sees to it that the series is looked at when log time next closes something of it. */
function armLogTime(state: PartitionState, series: Series): void {
  if (series.nextEndMs === Infinity) return
  const { latenessMs, idleMs } = state.settings
  let dueMs = series.nextEndMs + latenessMs
  if (series.greatestMs - latenessMs < series.nextEndMs) {
    if (series.phase === Phase.speaking) return
    dueMs += idleMs
  }
  const bucket = state.logWheel.bucketOf(dueMs)
  if (series.logBucket !== 0 && series.logBucket <= bucket) return
  series.logBucket = bucket
  state.logWheel.put(series, bucket)
}

function setPhase(state: PartitionState, series: Series, phase: Phase): void {
  count(state, series.phase, -1)
  series.phase = phase
  count(state, phase, 1)
}

function count(state: PartitionState, phase: Phase, by: 1 | -1): void {
  if (phase === Phase.speaking) state.pending += by
  else if (phase === Phase.settling) state.settling += by
}

function emit(series: Series, size: number, summary: Summary, closedBy: ClosedBy, effects: EffectsBuilder): void {
  effects.addWindowOf(series.indexIn(effects), size, closedBy, summary)
}
