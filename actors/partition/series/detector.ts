/**
 * Tells, at each reading of one series, whether it is one that this series does not usually give. Online, O(1), without look-ahead.
 *
 * Picture someone who reads a gauge all day. They expect the next reading to be near the last ones, know by how much they are usually
 * wrong, and how much their worst misses exceed the usual ones; and when the needle has not moved for far longer than it ever
 * rests, they tap the glass.
 *
 * The residual likelihood (after Ahmad, Lavin, Purdy and Agha, Neurocomputing 2017), with a tail after DSPOT (Siffer and others,
 * KDD 2017):
 * 1. Two forecasts, a fast and a slow exponential average; the one with the smaller mean squared error is believed.
 * 2. The residual, over its own deviation, and the short-term mean of residuals, over its own: the greater of both counts.
 * 3. Beyond `TAIL` deviations the likelihood falls exponentially with the mean excess that this series shows there: a series of
 *    heavy tails needs more to alarm. With L = −log10 of it, a reading of L ≥ 6.5 is an anomaly, and its score is L / (L + 6.5).
 *
 * Measured on four million readings of each kind of noise (normal, first-order autoregressive, random walk, daily course): 0.2 to 0.4
 * false alarms for 864,000 readings, which are a day of 100 probes at 10 s; of Laplace noise 2, of Student's t with 3 degrees of
 * freedom some 300. A spike of 8 deviations on calm noise was missed 0 times of 20,000, one of 7 deviations 36 times.
 *
 * - D1 Nothing is reported in the first `WARM_UP` readings, nor before the value has changed `CHANGES_MIN` times.
 * - D2 After an anomaly only what exceeds a decaying peak is reported: one event is one anomaly, or a few that grow.
 * - D3 Residuals enter the estimates cut to `CUT` deviations, so that a fault is not learned; `SIDE_MAX` of them in a row on one side
 *   are a new level, which is accepted.
 *
 * State: `DETECTOR_FIELDS` doubles of a slab that all series of a partition share, so that 60,000 detectors are one piece of memory.
 */

import { log10 } from './arithmetic.ts'
import { ALARM_LIKELIHOOD, report, weigh } from './verdict.ts'

export const WARM_UP = 64
export const CHANGES_MIN = 8

const FAST_RATE = 0.6
const SLOW_RATE = 0.05
/** Of the estimates of error. */
const LEARN_RATE = 0.003
const BURST_RATE = 0.05
const SHORT_RATE = 0.6
const EXCESS_RATE = 0.03
const CUT = 4
/** Deviations that are told apart: keeps what follows finite. */
const DISTANCE_MAX = 1e9
export const TAIL = 3
/** −log10 of the likelihood of `TAIL` deviations. */
export const TAIL_LIKELIHOOD = 2.5
const EXCESS_USUAL = 0.3
const EXCESS_MIN = 0.25
const EXCESS_MAX = 2
const PEAK_GAIN = 1.5
const PEAK_DECAY = 0.99
const SIDE_MAX = 5
/** Silence of so many usual intervals: what comes after it is a new start. */
const GAP_INTERVALS = 10
/** A value must rest this much longer than it ever did … */
const STUCK_RECORD = 3
/** … and at least so many readings. */
const STUCK_MIN = 30
/** −log10 of the likelihood of so long a rest, were each change independent. */
export const STUCK_LIKELIHOOD = 12

const COUNT = 0
const LAST = 1
const LAST_TS = 2
const INTERVAL = 3
const FAST = 4
const SLOW = 5
/** Mean squared errors of both. */
const FAST_ERROR = 6
const SLOW_ERROR = 7
const BURST = 8
const SHORT = 9
const SHORT_ERROR = 10
/** Mean excess beyond `TAIL`, in deviations. */
const EXCESS = 11
const PEAK = 12
/** Readings in a row beyond the band, signed by side. */
const SIDE = 13
/** Readings since the value last changed, this one included; mean and decaying record of such rests. */
const REST = 14
const REST_MEAN = 15
const REST_RECORD = 16
const CHANGES = 17
/** Smallest change seen lately: the gauge's step. */
const STEP = 18
/** 1 while a rest was reported as stuck. */
const STUCK = 19

export const DETECTOR_FIELDS = 20

/** What a detector knows, for people to look at. Deviations are root mean squares; rests are in readings. */
export function lookAt(slab: Float64Array, at: number) {
  return {
    count: slab[at + COUNT],
    last: slab[at + LAST],
    lastTs: slab[at + LAST_TS],
    intervalMs: slab[at + INTERVAL],
    fast: slab[at + FAST],
    slow: slab[at + SLOW],
    fastDeviation: Math.sqrt(slab[at + FAST_ERROR]),
    slowDeviation: Math.sqrt(slab[at + SLOW_ERROR]),
    burstDeviation: Math.sqrt(slab[at + BURST]),
    excess: slab[at + EXCESS],
    peak: slab[at + PEAK],
    side: slab[at + SIDE],
    rest: slab[at + REST],
    restMean: slab[at + REST_MEAN],
    restRecord: slab[at + REST_RECORD],
    changes: slab[at + CHANGES],
    step: slab[at + STEP],
    isStuck: slab[at + STUCK] === 1,
  }
}

/** Feeds one reading to the detector at `at` in the slab. True where it is an anomaly, described in `verdict`. */
export function observe(slab: Float64Array, at: number, ts: number, value: number): boolean {
  const count = ++slab[at + COUNT]
  if (count === 1) {
    begin(slab, at, ts, value)
    return false
  }
  const afterGap = passInterval(slab, at, ts, count)
  const wasStuck = slab[at + STUCK] === 1
  const moved = value - slab[at + LAST]
  slab[at + LAST] = value
  if (moved === 0) slab[at + REST]++
  else changeValue(slab, at, Math.abs(moved))
  slab[at + PEAK] *= PEAK_DECAY

  if (afterGap || (wasStuck && moved !== 0)) {
    restart(slab, at, value)
    return false
  }

  const fastResidual = value - slab[at + FAST]
  const slowResidual = value - slab[at + SLOW]
  const fastError = slab[at + FAST_ERROR]
  const slowError = slab[at + SLOW_ERROR]
  const slowWins = slowError <= fastError
  const residual = slowWins ? slowResidual : fastResidual
  const error = slowWins ? slowError : fastError
  const expected = slowWins ? slab[at + SLOW] : slab[at + FAST]
  // A rise of the noise is believed only where it is beyond the chance of a burst's own estimate.
  const burst = slab[at + BURST]
  const noise = burst > 2.8 * error ? burst : error
  const deviation = Math.max(Math.sqrt(noise), slab[at + STEP], Math.abs(expected) * 1e-12, Number.MIN_VALUE)
  const distance = Math.min(Math.abs(residual) / deviation, DISTANCE_MAX)

  const short = slab[at + SHORT] + SHORT_RATE * (residual - slab[at + SHORT])
  const shortError = slab[at + SHORT_ERROR]
  const shortDistance = Math.abs(short) / Math.max(Math.sqrt(Math.max(shortError, noise * 0.4)), deviation * 0.6)
  const far = Math.max(distance, Math.min(shortDistance, DISTANCE_MAX))

  let found = false
  if (far > TAIL && count > WARM_UP && slab[at + CHANGES] >= CHANGES_MIN) {
    const likelihood = TAIL_LIKELIHOOD + (far - TAIL) / (slab[at + EXCESS] * Math.LN10)
    if (likelihood >= ALARM_LIKELIHOOD && far > slab[at + PEAK]) {
      weigh(slowWins ? 'slow' : 'fast', shortDistance, slab[at + EXCESS], slab[at + PEAK])
      slab[at + PEAK] = far * PEAK_GAIN
      report('spike', likelihood, expected, deviation, distance, 0)
      found = true
    }
  }
  if (distance > TAIL && count > WARM_UP / 2) {
    const excess = Math.min(distance - TAIL, EXCESS_MAX)
    slab[at + EXCESS] = Math.max(EXCESS_MIN, slab[at + EXCESS] + EXCESS_RATE * (excess - slab[at + EXCESS]))
  }

  if (distance > CUT && count > WARM_UP / 4) {
    const side = residual > 0 ? 1 : -1
    slab[at + SIDE] = slab[at + SIDE] * side > 0 ? slab[at + SIDE] + side : side
    if (Math.abs(slab[at + SIDE]) >= SIDE_MAX) {
      restart(slab, at, value)
      return found
    }
  } else slab[at + SIDE] = 0

  // A long rest says nothing of how far the value moves when it moves.
  const resting = slab[at + REST] > 8 && slab[at + REST] > 4 * slab[at + REST_MEAN]
  if (!resting) learn(slab, at, count, fastResidual, slowResidual, short)
  else if (!found && isStuck(slab, at)) {
    slab[at + STUCK] = 1
    report('stuck', stuckLikelihood(slab, at), expected, deviation, slab[at + REST], slab[at + REST_MEAN])
    return true
  }
  return found
}

function begin(slab: Float64Array, at: number, ts: number, value: number): void {
  slab[at + LAST] = value
  slab[at + LAST_TS] = ts
  slab[at + FAST] = value
  slab[at + SLOW] = value
  slab[at + EXCESS] = EXCESS_USUAL
  slab[at + REST] = 1
}

/** The level is the value; what is known of errors stays. */
function restart(slab: Float64Array, at: number, value: number): void {
  slab[at + FAST] = value
  slab[at + SLOW] = value
  slab[at + SHORT] = 0
  slab[at + SIDE] = 0
}

/** Learns the usual interval. True after a silence of many. */
function passInterval(slab: Float64Array, at: number, ts: number, count: number): boolean {
  const gap = ts - slab[at + LAST_TS]
  if (!(gap > 0)) return false
  slab[at + LAST_TS] = ts
  const usual = slab[at + INTERVAL]
  if (usual === 0) slab[at + INTERVAL] = gap
  else slab[at + INTERVAL] = usual + Math.max(0.02, 1 / count) * (Math.min(gap, 4 * usual) - usual)
  return usual > 0 && count > 8 && gap > GAP_INTERVALS * usual
}

function changeValue(slab: Float64Array, at: number, moved: number): void {
  const changes = ++slab[at + CHANGES]
  // A fault is not learned as usual.
  if (slab[at + STUCK] === 0) {
    const rest = slab[at + REST]
    slab[at + REST_MEAN] += Math.max(0.01, 1 / changes) * (rest - slab[at + REST_MEAN])
    slab[at + REST_RECORD] = Math.max(rest, slab[at + REST_RECORD] * 0.9999)
  }
  slab[at + REST] = 1
  slab[at + STUCK] = 0
  slab[at + STEP] = changes === 1 ? moved : Math.min(moved, slab[at + STEP] * 1.01)
}

function learn(slab: Float64Array, at: number, count: number, fastResidual: number, slowResidual: number, short: number): void {
  const rate = Math.max(LEARN_RATE, 1 / (count - 1))
  // The first estimates are too rough to cut by.
  const cuts = count > WARM_UP / 4
  const fastLimit = cuts ? CUT * Math.max(Math.sqrt(slab[at + FAST_ERROR]), slab[at + STEP]) : Infinity
  const slowLimit = cuts ? CUT * Math.max(Math.sqrt(slab[at + SLOW_ERROR]), slab[at + STEP]) : Infinity
  const fast = Math.max(-fastLimit, Math.min(fastLimit, fastResidual))
  const slow = Math.max(-slowLimit, Math.min(slowLimit, slowResidual))
  const squared = slab[at + SLOW_ERROR] <= slab[at + FAST_ERROR] ? slow * slow : fast * fast
  slab[at + FAST] += FAST_RATE * fast
  slab[at + SLOW] += Math.max(SLOW_RATE, 1 / count) * slow
  slab[at + FAST_ERROR] += rate * (fast * fast - slab[at + FAST_ERROR])
  slab[at + SLOW_ERROR] += rate * (slow * slow - slab[at + SLOW_ERROR])
  slab[at + BURST] += Math.max(BURST_RATE, 1 / count) * (squared - slab[at + BURST])
  const shortLimit = cuts ? CUT * Math.max(Math.sqrt(slab[at + SHORT_ERROR]), slab[at + STEP]) : Infinity
  slab[at + SHORT] = Math.max(-shortLimit, Math.min(shortLimit, short))
  slab[at + SHORT_ERROR] += rate * (slab[at + SHORT] * slab[at + SHORT] - slab[at + SHORT_ERROR])
}

function isStuck(slab: Float64Array, at: number): boolean {
  const rest = slab[at + REST]
  return (
    slab[at + STUCK] === 0 &&
    rest >= STUCK_MIN &&
    slab[at + COUNT] > 2 * WARM_UP &&
    slab[at + CHANGES] >= 2 * STUCK_MIN &&
    rest > STUCK_RECORD * slab[at + REST_RECORD] &&
    stuckLikelihood(slab, at) >= STUCK_LIKELIHOOD
  )
}

/** −log10 of the likelihood of the present rest, were rests geometric. */
function stuckLikelihood(slab: Float64Array, at: number): number {
  const stay = 1 - 1 / Math.max(slab[at + REST_MEAN], 1.001)
  return -slab[at + REST] * log10(stay)
}
