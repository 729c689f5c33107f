/**
 * Where the ensemble's state stands: `ENSEMBLE_DOUBLES` doubles a series of one slab that all series of a partition share.
 *
 * The daily profile needs no more than single precision, and small counts need less: they stand in the last doubles of the series, two
 * singles in each, and are read through `singles`, a second view of the same memory.
 *
 * - E1 What is new is zero, but for what `begin` (ensemble.ts) writes.
 * - E2 At most 640 bytes a series.
 */

export interface Slab {
  readonly doubles: Float64Array
  readonly singles: Float32Array
}

/** Readings so far. */
export const COUNT = 0
export const LAST = 1
/** The value before the last. */
export const PREVIOUS = 2
export const LAST_TS = 3

/** Slow and fast exponential means. */
export const SLOW = 4
export const FAST = 5
/** Mean square of the last value's distance from the slow mean. */
export const SPREAD = 6

/** Autoregression of order two: weights, and the upper half of the inverse of the correlations (autoregression.ts). */
export const WEIGHT_1 = 7
export const WEIGHT_2 = 8
export const INVERSE_11 = 9
export const INVERSE_12 = 10
export const INVERSE_22 = 11
/** Mean square of its cut errors. */
export const ERROR = 12
/** Mean excess of its errors beyond `TAIL` deviations. */
export const EXCESS = 13

/** Mean squares of the value's changes, of the last two dozen and of long (scatter.ts). */
export const SCATTER = 14
export const SCATTER_LONG = 15

/** Upper and lower record of each part, by turns (records.ts). */
export const RECORD_FORECAST = 16
export const RECORD_LEVEL = 18
export const RECORD_PROFILE = 20
export const RECORD_DAY = 22
export const RECORD_SCATTER = 24

/** Of the profile: the value that it counts from, and its mean error. */
export const ORIGIN = 26
export const USUAL_ERROR = 27

/** Decaying peak of what was told (ensemble.ts). */
export const PEAK = 28

/** Usual interval, decaying record of intervals (rhythm.ts). */
export const INTERVAL = 29
export const INTERVAL_RECORD = 30

/** Readings since the value last changed, this one included; mean and decaying record of such rests (rest.ts). */
export const REST = 31
export const REST_MEAN = 32
export const REST_RECORD = 33
/** Smallest change seen lately: the gauge's step. */
export const STEP = 34

/** A jump that may turn out to be a step: where the level was, how far it went, the greatest surprise since (lasting.ts). */
export const JUMP_FROM = 35
export const JUMP_SIZE = 36
export const JUMP_SURPRISE = 37
/** How far the profile usually misses; cut, so that a drift does not become usual. */
export const AWAY_USUAL = 38

/** Doubles before the singles. */
const HEAD = 39

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
export const PROFILE = SEEN + 10
export const DEVIATION = PROFILE + SLOTS

export const ENSEMBLE_DOUBLES = (DEVIATION + HOURS) / 2

/** A slab of `series` series, all new. */
export function makeSlab(series: number): Slab {
  return slabOf(new Float64Array(series * ENSEMBLE_DOUBLES))
}

export function slabOf(doubles: Float64Array): Slab {
  return { doubles, singles: new Float32Array(doubles.buffer, doubles.byteOffset, doubles.length * 2) }
}
