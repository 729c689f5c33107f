/**
 * Where the ensemble's state stands: `ENSEMBLE_DOUBLES` doubles a series of one slab that all series of a partition share.
 *
 * The daily profile needs no more than single precision, nor do counts, shares and what fades within thousands of readings: they stand in the last doubles of the
 * series, two singles in each, and are read through `singles`, a second view of the same memory.
 *
 * - E1 What is new is zero, but for what `begin` (ensemble.ts) writes.
 * - E2 592 bytes a series: with what looks beyond it (../../device/, ../../fleet/) and its forecaster at most 2 KiB.
 */

import { lastingMemory } from '../slab.ts'

export interface Slab {
  readonly doubles: Float64Array
  readonly singles: Float32Array
}

/** The last value, and the one before it; the time of the last. */
export const LAST = 0
export const PREVIOUS = 1
export const LAST_TS = 2

/** Slow and fast exponential means. */
export const SLOW = 3
export const FAST = 4
/** Mean square of the last value's distance from the slow mean. */
export const SPREAD = 5

/** Of the autoregression of order two, the upper half of the inverse of the correlations (autoregression.ts). */
export const INVERSE_11 = 6
export const INVERSE_12 = 7
export const INVERSE_22 = 8
/** Mean square of its cut errors. */
export const ERROR = 9

/** Mean squares of the value's changes, of the last two dozen and of long (scatter.ts). */
export const SCATTER = 10
export const SCATTER_LONG = 11

/** Upper and lower record of each part, by turns (records.ts). */
export const RECORD_FORECAST = 12
export const RECORD_LEVEL = 14
export const RECORD_PROFILE = 16
export const RECORD_DAY = 18
export const RECORD_SCATTER = 20

/** Of the profile: the value that it counts from, and its mean error. */
export const ORIGIN = 22
export const USUAL_ERROR = 23

/** Smallest change seen lately: the gauge's step. */
export const STEP = 24

/** A jump that may turn out to be a step: where the level was, how far it went (lasting.ts). */
export const JUMP_FROM = 25
export const JUMP_SIZE = 26

/** Doubles before the singles. */
const HEAD = 27

/** Half-hours of a day, and hours. */
export const SLOTS = 48
export const HOURS = 24

// Singles from here, counted from twice the place of the doubles; counts first, which each reading touches, as it does the doubles before them.

/** Slots that the profile has seen; readings in a slot's first visit; readings after it, up to what is asked for. */
export const SEEN = 2 * HEAD
export const FRESH = SEEN + 1
export const SETTLED = SEEN + 2
/** Changes of the value, up to what is asked for; 1 while a rest was told as stuck. */
export const CHANGES = SEEN + 3
export const STUCK = SEEN + 4
/** Readings since a jump, 0 for none, negative where one did not stay; in a row of another scatter, signed; in a row away from the profile, signed. */
export const JUMP_AGE = SEEN + 5
export const SCATTER_AGE = SEEN + 6
export const AWAY_AGE = SEEN + 7
/** Visits of filled slots, up to what is asked for. */
export const REVISITS = SEEN + 8
/** Readings that leaned, of which ../../device/ keeps the rest. */
export const LEANED = SEEN + 9
/** Readings so far: beyond 2^24 they are no longer counted, and no mean asks for it. */
export const COUNT = SEEN + 10
/** Weights of the autoregression; mean excess of its errors beyond `TAIL` deviations. */
export const WEIGHT_1 = SEEN + 11
export const WEIGHT_2 = SEEN + 12
export const EXCESS = SEEN + 13
/** Decaying peak of what was told (ensemble.ts). */
export const PEAK = SEEN + 14
/** The greatest surprise since a jump (lasting.ts). */
export const JUMP_SURPRISE = SEEN + 15
/** Usual interval, decaying record of intervals (rhythm.ts). */
export const INTERVAL = SEEN + 16
export const INTERVAL_RECORD = SEEN + 17
/** Readings since the value last changed, this one included; mean and decaying record of such rests (rest.ts). */
export const REST = SEEN + 18
export const REST_MEAN = SEEN + 19
export const REST_RECORD = SEEN + 20
/** How far the profile usually misses; cut, so that a drift does not become usual. */
export const AWAY_USUAL = SEEN + 21
export const PROFILE = SEEN + 22
export const DEVIATION = PROFILE + SLOTS

export const ENSEMBLE_DOUBLES = (DEVIATION + HOURS) / 2

/** A slab of `series` series, all new. */
export function makeSlab(series: number): Slab {
  return slabOf(new Float64Array(lastingMemory(series * ENSEMBLE_DOUBLES * 8)))
}

export function slabOf(doubles: Float64Array): Slab {
  return { doubles, singles: new Float32Array(doubles.buffer, doubles.byteOffset, doubles.length * 2) }
}
