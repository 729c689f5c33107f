/**
 * Forecasts for days ahead, held until their hour comes: what they then miss tells how much more than expected such forecasts miss.
 *
 * Spreads are measured on a past that the fit has seen. A day later it is known how much wider they must be for a day ahead (interval.ts), but not
 * for a week. So each fit leaves word of one hour two, four and seven fits ahead.
 *
 * - W1 Of each distance are learned the mean miss, in what was expected, and a stretch of the interval (as in interval.ts).
 * - W2 A word is of the hour at which its fit should come, and is graded at that fit; where a fit was left out, so is the word of its hour.
 * - W3 A word stands in the steps of the ring, and moves with them.
 */

import { FAR, FAR_STRETCH, FAR_UNITS, FEW, FIT_HOUR, FITS_AHEAD, SCALE, WAITING, WAITING_COUNT } from './layout.ts'
import { expectedFar, halfWidthFar, STRETCH_AT_FIRST } from './interval.ts'
import { forecastMixture } from './mixture.ts'
import { WEEK } from './naive.ts'
import { fromCode, GAP, toCode } from './ring.ts'
import type { Row } from '../slab.ts'
import type { Span } from './smoothing.ts'

/** Between two fits: an hour less than a day, so that what is graded begins at each hour of the day in turn. */
const FIT_HOURS = 23
/** What they miss in what was expected, before any has come; the share of a new one in that. */
const FAR_AT_FIRST: readonly number[] = [1.05, 1.15, 1.3]
const RATE = 1 / 25
/** Of one miss, so that a single one does not widen all. */
const FAR_MAX = 6
/** Of the stretch, in one step. */
const STRETCH_RATE = 0.06
const STRETCH_MIN = 0.25
const STRETCH_MAX = 4

/** Where the words of each distance begin. */
const PLACES = FITS_AHEAD.map((_, b) => WAITING + FITS_AHEAD.slice(0, b).reduce((sum, n) => sum + n, 0))

const ahead = new Float64Array(WEEK)

/** Which of all turns of fits, since 1970, an hour is in, where `turn` sets the hour at which they come. */
export function turnOf(hour: number, turn: number): number {
  return Math.floor((hour + turn) / FIT_HOURS)
}

export interface FitAt {
  readonly hour: number
  readonly turn: number
}

/** No word is out. */
export function beginFar({ shorts, s }: Row): void {
  for (let i = 0; i < WAITING_COUNT; i++) shorts[s + WAITING + i] = GAP
  for (let b = 0; b < FITS_AHEAD.length; b++) {
    shorts[s + FAR + b] = Math.round(FAR_AT_FIRST[b] * FAR_UNITS)
    shorts[s + FEW + b] = FAR_UNITS
    shorts[s + FAR_STRETCH + b] = Math.round(STRETCH_AT_FIRST * FAR_UNITS)
  }
}

/** Grades the words of this turn's hour. `count` values, of which the last is that of `hour`. */
export function gradeFar(row: Row, values: Float64Array, known: Uint8Array, { count, hour, turn }: FitAt & { readonly count: number }): void {
  const { doubles, shorts, d, s } = row
  const now = turnOf(hour, turn)
  const last = turnOf(doubles[d + FIT_HOUR], turn)
  const at = count - 1 - (hour - (now * FIT_HOURS - turn))
  for (let b = 0; b < FITS_AHEAD.length; b++) {
    const fits = FITS_AHEAD[b]
    for (let left = Math.max(last + 1, now - fits); left < now; left++) shorts[s + PLACES[b] + (left % fits)] = GAP
    const code = shorts[s + PLACES[b] + (now % fits)]
    const expected = expectedFar(row, FIT_HOURS * fits, hour)
    if (code === GAP || at < 0 || known[at] === 0 || !(expected > 0)) continue
    const missed = Math.min(FAR_MAX, Math.abs(values[at] - fromCode(row, code, doubles[d + SCALE])) / expected)
    const far = shorts[s + FAR + b] / FAR_UNITS
    shorts[s + FAR + b] = Math.round((far + RATE * (missed - far)) * FAR_UNITS)
    const isInside = missed * expected <= halfWidthFar(row, FIT_HOURS * fits, hour)
    const stretch = (shorts[s + FAR_STRETCH + b] / FAR_UNITS) * (1 + STRETCH_RATE * (isInside ? -0.05 : 0.95))
    shorts[s + FAR_STRETCH + b] = Math.round(Math.max(STRETCH_MIN, Math.min(STRETCH_MAX, stretch)) * FAR_UNITS)
  }
}

/** Leaves word of the loaded series' mixture behind `span`. */
export function sayFar(row: Row, values: Float64Array, span: Span, { hour, turn }: FitAt): void {
  const { doubles, shorts, d, s } = row
  const now = turnOf(hour, turn)
  forecastMixture(values, span, WEEK, ahead)
  for (let b = 0; b < FITS_AHEAD.length; b++) {
    const fits = FITS_AHEAD[b]
    const steps = (now + fits) * FIT_HOURS - turn - hour
    shorts[s + PLACES[b] + (now % fits)] = toCode(row, ahead[steps - 1], doubles[d + SCALE])
  }
}
