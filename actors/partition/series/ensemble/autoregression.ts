/**
 * The next value from the last two: an autoregression of order two around the slow mean, by recursive least squares that forgets.
 *
 * It finds by itself what the series is: of white noise it expects the mean, of a wander the last value, of a smooth curve that it goes on.
 * Both regressors are over the spread of the value, so that no unit matters and nothing overflows.
 *
 * - A1 Errors are learned cut to `CUT` deviations: a fault does not bend the weights.
 * - A2 Where nothing varies, nothing is learned, and the inverse of the correlations stays bounded.
 *
 * Source: Haykin, Adaptive Filter Theory, recursive least squares with exponential forgetting.
 */

import { COUNT, ERROR, INVERSE_11, INVERSE_12, INVERSE_22, LAST, PREVIOUS, SLOW, SPREAD, WEIGHT_1, WEIGHT_2 } from './layout.ts'
import type { Slab } from './layout.ts'
import { seen } from './seen.ts'

const FORGET = 0.99
/** A value's square enters the spread cut to so many times it, once there is one. */
const SPREAD_CUT = 64
const SPREAD_CUT_FROM = 128
const INVERSE_MAX = 1e6
const CUT = 4
/** The first estimates are too rough to cut by. */
const CUT_FROM = 20
/** The spread of fewer values is too rough to measure by: weights would go astray. */
const LEARNS_FROM = 20
/** Of the mean square of errors. */
const LEARN_RATE = 0.003

export function beginAutoregression({ doubles: d, singles }: Slab, at: number): void {
  singles[2 * at + WEIGHT_1] = 1
  d[at + INVERSE_11] = 10
  d[at + INVERSE_22] = 10
}

/** What is expected next. */
export function forecast({ doubles: d, singles }: Slab, at: number): number {
  const slow = d[at + SLOW]
  return slow + singles[2 * at + WEIGHT_1] * (d[at + LAST] - slow) + singles[2 * at + WEIGHT_2] * (d[at + PREVIOUS] - slow)
}

/** Learns from the error of the forecast, or of `isCut` that there is none, before the slow mean and the last values move on. */
export function learnForecast({ doubles: d, singles }: Slab, at: number, isCut: boolean): void {
  const { deviation, least, slowRate } = seen
  const error = isCut ? 0 : seen.error
  const count = singles[2 * at + COUNT]
  const squared = d[at + ERROR]
  let cut = error
  if (count > CUT_FROM) {
    const limit = CUT * deviation
    cut = error > limit ? limit : error < -limit ? -limit : error
  }
  d[at + ERROR] = squared + Math.max(LEARN_RATE, least) * (cut * cut - squared)
  const slow = d[at + SLOW]
  const a = d[at + LAST] - slow
  const before = d[at + SPREAD]
  const square = count > SPREAD_CUT_FROM && before > 0 ? Math.min(a * a, SPREAD_CUT * before) : a * a
  const spread = before + slowRate * (square - before)
  d[at + SPREAD] = spread
  if (!(spread > 0) || count <= LEARNS_FROM) return
  const unit = 1 / Math.sqrt(spread)
  const x = a * unit
  const y = (d[at + PREVIOUS] - slow) * unit
  const i11 = d[at + INVERSE_11]
  const i12 = d[at + INVERSE_12]
  const i22 = d[at + INVERSE_22]
  const gx = i11 * x + i12 * y
  const gy = i12 * x + i22 * y
  const share = 1 / (FORGET + gx * x + gy * y)
  const step = cut * unit * share
  singles[2 * at + WEIGHT_1] += gx * step
  singles[2 * at + WEIGHT_2] += gy * step
  const grown = i11 + i22 > INVERSE_MAX ? 1 : 1 / FORGET
  d[at + INVERSE_11] = (i11 - gx * gx * share) * grown
  d[at + INVERSE_12] = (i12 - gx * gy * share) * grown
  d[at + INVERSE_22] = (i22 - gy * gy * share) * grown
}
