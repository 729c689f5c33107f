/**
 * How far changes from reading to reading scatter now, against how far they do in the long run: the ratio of their mean squares.
 *
 * - C1 One wild change can't make the scatter of dozens: it enters cut to `CUT` times the long-run mean square, and the latter to `CUT_LONG`.
 */

import { exponentOf, fraction } from '../arithmetic.ts'
import { COUNT, SCATTER, SCATTER_LONG } from './layout.ts'

/** Of some two dozen readings. */
const RATE = 2 / 25
const RATE_LONG = 0.001
const CUT = 100
const CUT_LONG = 16
const CUT_FROM = 8
/** Keeps the logarithm of a scatter that has vanished bounded. */
const RATIO_MIN = 0.01

/** The ratio that `scatterOf` gave the logarithm of. */
export let scatterRatio = 1

/** Learns a change, `least` of it at the least: one over the count of readings. The logarithm to base two of the ratio, 0 while nothing has scattered. */
export function scatterOf(d: Float64Array, at: number, change: number, least: number): number {
  const count = d[at + COUNT]
  const squared = change * change
  const long = d[at + SCATTER_LONG]
  const cuts = count > CUT_FROM && long > 0
  const now = d[at + SCATTER] + Math.max(RATE, least) * ((cuts ? Math.min(squared, CUT * long) : squared) - d[at + SCATTER])
  const usual = long + Math.max(RATE_LONG, least) * ((cuts ? Math.min(squared, CUT_LONG * long) : squared) - long)
  d[at + SCATTER] = now
  d[at + SCATTER_LONG] = usual
  scatterRatio = usual > 0 ? now / usual : 1
  if (!(usual > 0)) return 0
  // The fraction stands for its own logarithm: continuous, rising, and right to 0.09.
  return exponentOf(scatterRatio + RATIO_MIN) + fraction - 1
}
