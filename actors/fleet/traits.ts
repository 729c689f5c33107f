/**
 * The traits that series of a kind have on average: what a new one is lent (partition/fleet/loan.ts).
 *
 * - T1 One day of one series counts once, old ones for ever less; an amount beyond `CUT` times the mean counts as that: one broken device does not make
 *   all of its kind deaf.
 */

import { TRAIT_WEIGHTS } from '../partition/fleet/loan.ts'

const MEMORY = 200
const CUT = 3
/** Days before a mean can cut. */
const CUT_FROM = 8

/** Days of series, so that what one of them is like is not taken for the kind. */
export const TRAIT_DAYS_MIN = 5

export interface Traits {
  readonly days: number
  readonly means: readonly number[]
}

export const NO_TRAITS: Traits = { days: 0, means: [] }

/** The means with those of one more day of a series. */
export function learnTraits({ days, means }: Traits, given: ArrayLike<number>): Traits {
  if (days === 0) return { days: 1, means: Array.from(given) }
  const rate = 1 / Math.min(days + 1, MEMORY)
  const cut = (i: number) => (i < TRAIT_WEIGHTS && days >= CUT_FROM ? Math.min(given[i], CUT * means[i]) : given[i])
  return { days: days + 1, means: means.map((mean, i) => mean + rate * (cut(i) - mean)) }
}
