/**
 * From a surprise to a score, and what a score means.
 *
 * - B1 A reading's score is 0, or L / (L + `EVEN`), L = −log10 of how often noise alone gives such a score or a higher one, a reading.
 * - B2 So a threshold s means at most 10^(−6 s / (1 − s)) false alarms a reading: 1 in a thousand at 1/3, in 10,000 at 0.4, in a million
 *   at `REPORT`. It holds of noise whose tails are no heavier than the exponential distribution's on both sides (Laplace); heavier ones
 *   alarm oftener, Student's t with 3 degrees of freedom some hundred times as often at `REPORT` (test/actors/partition/series/ensemble).
 *
 * In the tail of an exponential distribution an overshoot of so many widths is as much rarer wherever it begins: L is a straight line of the
 * surprise. Its constants were measured on millions of readings of Laplace noise; calmer noise lies below it everywhere.
 */

import { FACTOR_MIN } from '../../tuning.ts'

/** L of a score of one half. */
export const EVEN = 6
/** From this score on a reading is an anomaly, where nobody has moved the bar of its series (../../tuning.ts). */
export const REPORT = 0.5

const LEAST = 2.3
const SLOPE = 2

/** −log10 of the rate at which noise gives a surprise of at least `surprise`, which is above 0. */
export function likelihoodOf(surprise: number): number {
  return LEAST + SLOPE * surprise
}

/** The score that is an anomaly where the exponent of the bar is multiplied by `factor`. */
export function barOf(factor: number): number {
  return factor / (factor + 1)
}

/** From this surprise on, what has happened is named: the least bar that answers can set. */
export const SURPRISE_NAMED = 0.999 * ((EVEN * FACTOR_MIN - LEAST) / SLOPE)

/** The surprise that is `EVEN`. */
export const SURPRISE_EVEN = (EVEN - LEAST) / SLOPE

/** The score of −log10 of a rate. */
export function scoreOf(likelihood: number): number {
  return likelihood / (likelihood + EVEN)
}
