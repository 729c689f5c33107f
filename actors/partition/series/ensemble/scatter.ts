/**
 * How far changes from reading to reading scatter now, against how far they do in the long run: the ratio of their mean squares.
 *
 * - C1 One wild change can't make the scatter of dozens: it enters cut to `CUT` times the long-run mean square, and the latter to `CUT_LONG`.
 */

import { exponentOf, fraction } from '../arithmetic.ts'
import { COUNT, SCATTER, SCATTER_LONG } from './layout.ts'
import type { Slab } from './layout.ts'
import { seen } from './seen.ts'

/** Of some two dozen readings. */
const RATE = 2 / 25
const RATE_LONG = 0.001
const CUT = 100
const CUT_LONG = 16
const CUT_FROM = 8
/** Keeps the logarithm of a scatter that has vanished bounded. */
const RATIO_MIN = 0.01

/** Learns the change. The logarithm is 0 while nothing has scattered. */
export function passScatter({ doubles: d, singles }: Slab, at: number): void {
  const { moved, least } = seen
  const count = singles[2 * at + COUNT]
  const squared = moved * moved
  const long = d[at + SCATTER_LONG]
  const cuts = count > CUT_FROM && long > 0
  const now = d[at + SCATTER] + Math.max(RATE, least) * ((cuts ? Math.min(squared, CUT * long) : squared) - d[at + SCATTER])
  const usual = long + Math.max(RATE_LONG, least) * ((cuts ? Math.min(squared, CUT_LONG * long) : squared) - long)
  d[at + SCATTER] = now
  d[at + SCATTER_LONG] = usual
  const ratio = usual > 0 ? now / usual : 1
  seen.scatterRatio = ratio
  // The fraction stands for its own logarithm: continuous, rising, and right to 0.09.
  seen.scatterLog = usual > 0 ? exponentOf(ratio + RATIO_MIN) + fraction() - 1 : 0
}
