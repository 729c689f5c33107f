/**
 * Tells, at each reading of one series, how strange it is for that series, and what kind of thing has happened. Online, O(1), without look-ahead.
 *
 * Picture a keeper who knows a machine by more than one sense: what comes next, how high it usually stands, what is usual at this hour, how
 * much it trembles. Whichever sense is most surprised speaks; and having called once, the keeper calls again only for what is stranger
 * still, until the call has faded.
 *
 * Five parts watch a number each by a decaying record (records.ts), a sixth by the tail of its errors:
 *   forecast   the error of an autoregression of the last two values
 *   level      a mean of a dozen readings less a mean of hundreds
 *   half-hour  the value less the mean of its half-hour of the day
 *   hour       the value less the mean of its hour, over how far it usually misses at that hour
 *   scatter    the logarithm of how far it moves from reading to reading, over the long-run
 *   tail       the forecast's error in deviations, by the mean excess that this series shows beyond three (after DSPOT)
 * The surprise of the ensemble is the greatest of theirs, each by its weight; the score follows from it (calibration.ts). Beside them stand
 * rules for what a single reading can't show: steps, noise, drifts and broken days (lasting.ts), rests (rest.ts), silences (rhythm.ts).
 *
 * - D1 Warm-up: the score is 0 in the first `WARM_UP` readings, and before the value has changed `CHANGES_MIN` times; what the profile
 *   says counts once each slot it speaks of has been visited before, which takes a day.
 * - D2 One event is one alarm: a score is given only above a peak that what was told leaves, and that fades by half in a hundred readings.
 *   The rules beside the ensemble are not held down by it, and tell each thing once.
 * - D3 Only +, −, ×, ÷, the square root and ../arithmetic.ts, so that every engine computes the same bits.
 *
 * Sources: Siffer and others, Anomaly Detection in Streams with Extreme Value Theory (KDD 2017), for the tail.
 */

import { beginAutoregression, forecast, learnForecast } from './autoregression.ts'
import { likelihoodOf, scoreOf, SURPRISE_EVEN, SURPRISE_NAMED } from './calibration.ts'
import { judgement } from './judgement.ts'
import type { Part } from './judgement.ts'
import { nameSurprise, tellAway, tellGap, tellNoise, tellStep, tellStuck } from './kinds.ts'
import { awayLasts, scatterLasts, stepOf } from './lasting.ts'
import {
  CHANGES,
  COUNT,
  ERROR,
  EXCESS,
  FAST,
  JUMP_AGE,
  LAST,
  LAST_TS,
  ORIGIN,
  PEAK,
  PREVIOUS,
  RECORD_FORECAST,
  REST,
  SLOW,
  SPREAD,
  STEP,
} from './layout.ts'
import type { Slab } from './layout.ts'
import { beginProfile, isProfileSettled, passProfile } from './profile.ts'
import { asked, askRecords, FORECAST, HALF_HOUR, HOUR, keepOf, LEVEL, RECORDED, SCATTER } from './records.ts'
import { becomesStuck, CHANGES_MIN, isResting, passRest } from './rest.ts'
import { passTime } from './rhythm.ts'
import { passScatter } from './scatter.ts'
import { seen } from './seen.ts'

export const WARM_UP = 128

const SLOW_RATE = 0.002
/** What one value moves the slow mean by is as if it were at most so many times the spread away. */
const SLOW_REACH = 8
const FAST_RATE = 2 / 13

/** What marks keep of themselves: half of it after so many readings. */
const KEEP_QUICK = keepOf(1_000)
const KEEP_LONG = keepOf(3_500)
/** The profile's marks, of readings that come often, fade by days: by half in twelve. */
const FADE_LONG = 1 - KEEP_LONG
const FADE_MS = Math.LN2 / (12 * 86_400_000)

/** Of the parts that have a record. */
const WEIGHTS = Float64Array.of(0.5, 2, 2.5, 2.5, 1)
asked.keep.set([KEEP_QUICK, KEEP_LONG, KEEP_LONG, KEEP_LONG, KEEP_QUICK])

/** Deviations from which the tail is looked at, and −log10 of their likelihood. */
const TAIL = 3
const TAIL_LIKELIHOOD = 2.5
const TAIL_FROM = 64
/** Below this likelihood the tail does not speak; at `TAIL_EVEN` it is worth `SURPRISE_EVEN`. */
const TAIL_SPEAKS = 6
const TAIL_EVEN = 7
const EXCESS_USUAL = 0.3
const EXCESS_MIN = 0.25
const EXCESS_RISE = 0.1
const EXCESS_KEEP = KEEP_LONG
const EXCESS_FALL = 0.015
/** Deviations that are told apart. */
const DISTANCE_MAX = 1e6

/** Surprises that are told apart. */
const SURPRISE_MAX = 1e6

/** Surprise at which a peak's height is one half. */
const PEAK_HALF = 0.3
const PEAK_KEEP = keepOf(100)
const PEAK_GAIN = 1.25

/** A silence of so many usual intervals: the forecast was not for what comes after it. */
const SILENCE_ENDS = 10

/** Feeds one reading to the ensemble of the series at `at` doubles of the slab. True where its score is above 0; all else stands in `judgement`. */
export function judge(slab: Slab, at: number, ts: number, value: number): boolean {
  const { doubles: d, singles } = slab
  const count = ++singles[2 * at + COUNT]
  seen.ts = ts
  seen.value = value
  if (count === 1) return begin(slab, at)
  const isNew = count <= WARM_UP
  const least = 1 / count
  const last = d[at + LAST]
  const elapsedMs = Math.max(0, ts - d[at + LAST_TS])
  seen.least = least
  seen.moved = value - last
  const isRecordSilence = passTime(slab, at)
  const wasStuck = passRest(slab, at)
  const isCut = seen.silence > SILENCE_ENDS || wasStuck
  const step = d[at + STEP]

  const expected = forecast(slab, at)
  const error = value - expected
  seen.expected = expected
  seen.error = error
  seen.deviation = Math.max(Math.sqrt(d[at + ERROR]), step)
  judgement.expected = expected
  judgement.upper = expected + d[at + RECORD_FORECAST]
  judgement.lower = expected + d[at + RECORD_FORECAST + 1]
  seen.scatterLog = 0
  if (!isCut) passScatter(slab, at)
  let all = isCut ? 0 : tailOf(slab, at, count)
  const slowRate = Math.max(SLOW_RATE, least)
  seen.slowRate = slowRate
  if (!isResting(slab, at)) learnForecast(slab, at, isCut)

  const fast = d[at + FAST] + Math.max(FAST_RATE, least) * (value - d[at + FAST])
  const far = value - d[at + SLOW]
  const reach = isNew || d[at + SPREAD] === 0 ? Infinity : SLOW_REACH * Math.sqrt(d[at + SPREAD])
  const slow = d[at + SLOW] + slowRate * (far > reach ? reach : far < -reach ? -reach : far)
  d[at + FAST] = fast
  d[at + SLOW] = slow

  passProfile(slab, at)
  const isSettled = isProfileSettled(slab, at)
  const { residual, keep, floor, surprise } = asked
  residual[FORECAST] = isCut ? NaN : error
  residual[LEVEL] = fast - slow
  residual[HALF_HOUR] = seen.slotMiss
  residual[HOUR] = seen.hourDeviation > 0 ? seen.hourMiss / seen.hourDeviation : NaN
  residual[SCATTER] = isCut ? NaN : seen.scatterLog
  floor[FORECAST] = floor[LEVEL] = floor[HALF_HOUR] = step
  keep[HALF_HOUR] = keep[HOUR] = 1 - Math.min(FADE_LONG, FADE_MS * elapsedMs)
  asked.isNew.fill(isNew ? 1 : 0)
  if (!isSettled) asked.isNew[HALF_HOUR] = asked.isNew[HOUR] = 1
  askRecords(d, at)
  if (!isSettled) surprise[HALF_HOUR] = surprise[HOUR] = 0

  // What comes after a silence goes on from itself.
  d[at + PREVIOUS] = isCut ? value : last
  d[at + LAST] = value
  if (ts > d[at + LAST_TS]) d[at + LAST_TS] = ts

  let part: Part = 'tail'
  for (let i = 0; i < WEIGHTS.length; i++) {
    const weighed = WEIGHTS[i] * surprise[i]
    if (weighed > all) {
      all = weighed
      part = RECORDED[i]
    }
  }
  all = Math.min(SURPRISE_MAX, all)
  seen.surprise = judgement.surprise = all
  judgement.score = 0
  judgement.part = 'none'
  const peak = singles[2 * at + PEAK] * PEAK_KEEP
  const height = all > 0 ? all / (all + PEAK_HALF) : 0
  const isAbove = height > peak
  singles[2 * at + PEAK] = isAbove ? height * PEAK_GAIN : peak
  const changesEnough = singles[2 * at + CHANGES] >= CHANGES_MIN
  const isReady = !isNew && changesEnough
  if (isAbove && (isReady || (part === 'tail' && count > TAIL_FROM && changesEnough))) {
    judgement.score = scoreOf(likelihoodOf(all))
    if (all >= SURPRISE_NAMED) nameSurprise(slab, at, part)
  }
  if (!isCut) {
    const size = stepOf(slab, at)
    if (size !== 0 && isReady) tellStep(slab, at, size)
    // A value that rests says nothing of how it scatters when it moves: rest.ts has an eye on that.
    const noise = seen.moved === 0 && seen.scatterLog < 0 ? 0 : scatterLasts(slab, at, surprise[SCATTER] > 0)
    if (noise > 0 && isReady) tellNoise(noise)
  }
  if (isSettled && seen.slotMiss === seen.slotMiss) {
    const away = awayLasts(slab, at)
    if (away !== 0 && isReady) tellAway(slab, at, away)
  }
  if (seen.moved === 0) {
    const stuck = becomesStuck(slab, at)
    if (stuck > 0) tellStuck(slab, at, stuck)
  }
  if (isRecordSilence && seen.silence > SILENCE_ENDS && isReady) tellGap()
  return judgement.score > 0
}

/** The surprise of the forecast's error, by the tail that this series showed so far; what it shows fades as marks do. */
function tailOf({ singles }: Slab, at: number, count: number): number {
  const excess = Math.max(EXCESS_MIN, singles[2 * at + EXCESS] * EXCESS_KEEP)
  singles[2 * at + EXCESS] = excess
  const deviations = Math.abs(seen.error) / seen.deviation
  if (!(deviations > TAIL) || count <= TAIL_FROM) return 0
  const over = Math.min(deviations, DISTANCE_MAX) - TAIL
  const likelihood = TAIL_LIKELIHOOD + (over / excess) * Math.LOG10E
  // What follows a jump is the same event.
  if (singles[2 * at + JUMP_AGE] === 0) singles[2 * at + EXCESS] = Math.max(EXCESS_MIN, excess + (over > excess ? EXCESS_RISE : EXCESS_FALL) * (over - excess))
  return likelihood > TAIL_SPEAKS ? (SURPRISE_EVEN / (TAIL_EVEN - TAIL_SPEAKS)) * (likelihood - TAIL_SPEAKS) : 0
}

function begin(slab: Slab, at: number): boolean {
  const { doubles: d, singles } = slab
  const { ts, value } = seen
  d[at + LAST] = d[at + PREVIOUS] = d[at + SLOW] = d[at + FAST] = d[at + ORIGIN] = value
  d[at + LAST_TS] = ts
  singles[2 * at + REST] = 1
  singles[2 * at + EXCESS] = EXCESS_USUAL
  beginAutoregression(slab, at)
  beginProfile(slab, at)
  judgement.expected = judgement.lower = judgement.upper = value
  judgement.surprise = judgement.score = 0
  judgement.part = 'none'
  return false
}
