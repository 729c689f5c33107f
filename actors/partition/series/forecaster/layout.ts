/**
 * What a series' forecaster remembers: places of its numbers within a row (slab.ts). A young series has the first doubles and shorts alone.
 *
 * - L1 These places are those of snapshots: they change only with the snapshot's format.
 */

import { DAY_LAGS, WEEK_LAGS } from './lags.ts'

/** Hours that a young series remembers; when they are full it becomes a grown one. */
export const YOUNG_HOURS = 48
/** Hours that a grown series remembers, three weeks, and those of them that a forecast is made of: yesterday's can so be made once more. */
export const GROWN_HOURS = 504
export const WINDOW = 480

/** In doubles. */
export const LAST_HOUR = 0
export const BASE = 1
export const UNIT = 2
export const YOUNG_DOUBLES = 3
/** Hour of the last fit. */
export const FIT_HOUR = 3
/** Centres of the two autoregressions' values. */
export const CENTRES = 4
/** A power of two: in units of it values are read, so that no square and no float overflows. */
export const SCALE = 6
export const GROWN_DOUBLES = 7

/** In shorts. */
export const FILLED = 0
export const HEAD = 1
/** Parameters of models: transforms of the two autoregressions, and indexes of choices. */
export const SHAPES = 2
export const HOLT_WINTERS = 4
export const THETA = 5
export const TREND = 6
/** How much more or less than usual each hour of the day is missed, in 1 / `FACTOR_UNITS`. */
export const HOUR_FACTORS = 7
export const FACTOR_UNITS = 256
export const YOUNG_RING = 2
/** Forecasts for days ahead that wait for their hour (far.ts), in the steps of the ring. */
export const WAITING = HOUR_FACTORS + 24 + 9
/** Fits between such a forecast and the one at which its hour has come. */
export const FITS_AHEAD = [2, 4, 7] as const
export const WAITING_COUNT = 13
/** In 1 / `FAR_UNITS`: what such forecasts missed, in what was expected of their band; how much more for how little the past tells of it; the stretch. */
export const FAR = WAITING - 3 * FITS_AHEAD.length
export const FEW = WAITING - 2 * FITS_AHEAD.length
export const FAR_STRETCH = WAITING - FITS_AHEAD.length
export const FAR_UNITS = 4_096
export const GROWN_RING = WAITING + WAITING_COUNT
/** Hours of the ring's end, and where they begin in it: until they are needed, they keep what was last said by kind. */
export const SAID_HOURS = 24
export const SAID = GROWN_HOURS - SAID_HOURS

/** Models of the mixture, in the order of `MODELS` (mixture.ts). */
export const MODEL_COUNT = 11

/** In floats. */
export const WEEK_COEFFICIENTS = 0
export const DAY_COEFFICIENTS = WEEK_COEFFICIENTS + WEEK_LAGS.length + 1
/** Decaying error of each model. */
export const ERRORS = DAY_COEFFICIENTS + DAY_LAGS.length + 1
/** Hours graded, hits of both intervals, sum of absolute errors: all decaying. */
export const GRADED = ERRORS + MODEL_COUNT
export const HITS95 = GRADED + 1
export const HITS80 = GRADED + 2
export const MISSED_SUM = GRADED + 3
/** Widths in spreads, and what experience made of them. */
export const WIDTH95 = GRADED + 4
export const WIDTH80 = GRADED + 5
export const STRETCH95 = GRADED + 6
export const STRETCH80 = GRADED + 7
/** Mean absolute error by band of the horizon. */
export const SPREADS = GRADED + 8
export const BANDS = 9
export const GROWN_FLOATS = SPREADS + BANDS
