/**
 * What a series that has just begun borrows from its kind: how far such a series usually misses, moves and goes, so that it is judged from its first
 * tens of readings on and not from its first hundreds.
 *
 * At the end of each day a series that has been there for long tells its traits beside its profile; the mean of a kind's traits comes back with the prior.
 *
 * - L1 A series borrows once, at its reading `BORROWS_AT`, where its kind has traits and it reports about as often as its kind; it is then as if it had
 *   come to the end of its warm-up (../series/ensemble/ensemble.ts, D1). Before and without, all is as it was.
 * - L2 Where the series itself was wider than its kind so far, that holds: marks are only widened, and errors are at least half of its own.
 * - L3 The day's course of the kind, around the level of its first readings, fills the hours that it has not seen; the marks of what misses it are as much
 *   wider as days of the kind usually are apart from that course.
 */

import { DAY_HOURS } from '../../reading/window.ts'
import { TRAITS } from '../../reading/input.ts'
import type { PriorGroup } from '../../reading/input.ts'
import { CHANGES_MIN } from '../series/ensemble/rest.ts'
import { WARM_UP } from '../series/ensemble/ensemble.ts'
import {
  AWAY_USUAL, CHANGES, COUNT, DEVIATION, ERROR, EXCESS, FAST, HOURS, INTERVAL, INVERSE_11, INVERSE_12, INVERSE_22, LAST_TS, ORIGIN, PROFILE, RECORD_DAY, RECORD_FORECAST,
  RECORD_LEVEL, RECORD_PROFILE, RECORD_SCATTER, REVISITS, SCATTER_LONG, SEEN, SETTLED, SLOTS, SLOW, SPREAD, USUAL_ERROR, WEIGHT_1, WEIGHT_2,
} from '../series/ensemble/layout.ts'
import type { Slab } from '../series/ensemble/layout.ts'
import { isProfileSettled, SLOT_MS } from '../series/ensemble/profile.ts'

/** Places of traits. All but weights are amounts: deviations of errors; half the distance of the marks of each part; moves; usual misses; excess; ms between readings. */
const OF_ERROR = 0
const OF_FORECAST = 1
const OF_LEVEL = 2
const OF_HALF_HOUR = 3
const OF_HOUR = 4
const OF_SCATTER_ABOVE = 5
const OF_SCATTER_BELOW = 6
const OF_MOVES = 7
const OF_MISS = 8
const OF_AWAY = 9
const OF_EXCESS = 10
const OF_INTERVAL = 11
/** Of the autoregression: these may be negative. */
export const TRAIT_WEIGHTS = 12

/** Readings after which a series has traits of its own. */
const GROWN = 300
export const BORROWS_AT = 24
/** What is learned of the autoregression's weights behind them is learned as if a good part of its memory were filled. */
const INVERSE_LENT = 0.1
/** How much more or less often than its kind a series may report. */
const PACE = 2
/** In the kind's spreads: how far a day lies from the course at most, mostly. */
const COURSE_APART = 2
const SETTLED_ENOUGH = 128

/** The traits of a series; null where it is too young. */
export function traitsOf(slab: Slab, at: number): Float64Array | null {
  const { doubles: d, singles } = slab
  if (singles[2 * at + COUNT] < GROWN || singles[2 * at + CHANGES] < CHANGES_MIN || !isProfileSettled(slab, at) || !(singles[2 * at + INTERVAL] > 0)) return null
  const half = (record: number) => (d[at + record] - d[at + record + 1]) / 2
  const traits = new Float64Array(TRAITS)
  traits[OF_ERROR] = Math.sqrt(d[at + ERROR])
  traits[OF_FORECAST] = half(RECORD_FORECAST)
  traits[OF_LEVEL] = half(RECORD_LEVEL)
  traits[OF_HALF_HOUR] = half(RECORD_PROFILE)
  traits[OF_HOUR] = half(RECORD_DAY)
  traits[OF_SCATTER_ABOVE] = Math.max(0, d[at + RECORD_SCATTER])
  traits[OF_SCATTER_BELOW] = Math.max(0, -d[at + RECORD_SCATTER + 1])
  traits[OF_MOVES] = Math.sqrt(d[at + SCATTER_LONG])
  traits[OF_MISS] = d[at + USUAL_ERROR]
  traits[OF_AWAY] = singles[2 * at + AWAY_USUAL]
  traits[OF_EXCESS] = singles[2 * at + EXCESS]
  traits[OF_INTERVAL] = singles[2 * at + INTERVAL]
  traits[TRAIT_WEIGHTS] = singles[2 * at + WEIGHT_1]
  traits[TRAIT_WEIGHTS + 1] = singles[2 * at + WEIGHT_2]
  return traits
}

/** Lends what is known of a kind to a series that has come to its reading `BORROWS_AT`. */
export function borrow(slab: Slab, at: number, traits: ArrayLike<number>, scale: number, groups: readonly PriorGroup[]): void {
  const { doubles: d, singles } = slab
  const pace = singles[2 * at + INTERVAL] / traits[OF_INTERVAL]
  if (!(pace * PACE >= 1 && pace <= PACE) || !(traits[OF_ERROR] > 0)) return
  const own = BORROWS_AT / WARM_UP
  d[at + ERROR] = Math.max(traits[OF_ERROR] * traits[OF_ERROR], d[at + ERROR] / 2)
  d[at + SCATTER_LONG] = Math.max(traits[OF_MOVES] * traits[OF_MOVES], d[at + SCATTER_LONG] / 2)
  singles[2 * at + EXCESS] = Math.max(singles[2 * at + EXCESS], traits[OF_EXCESS])
  singles[2 * at + WEIGHT_1] = traits[TRAIT_WEIGHTS]
  singles[2 * at + WEIGHT_2] = traits[TRAIT_WEIGHTS + 1]
  d[at + INVERSE_11] = d[at + INVERSE_22] = INVERSE_LENT
  d[at + INVERSE_12] = 0
  widen(d, at + RECORD_FORECAST, traits[OF_FORECAST], traits[OF_FORECAST])
  widen(d, at + RECORD_LEVEL, traits[OF_LEVEL], traits[OF_LEVEL])
  widen(d, at + RECORD_SCATTER, traits[OF_SCATTER_ABOVE], traits[OF_SCATTER_BELOW])
  const main = groups.reduce<PriorGroup | null>((most, group) => (most === null || group.days > most.days ? group : most), null)
  if (main !== null) lendCourse(slab, at, traits, scale, main)
  d[at + SPREAD] = own * d[at + SPREAD] + (1 - own) * Math.max(d[at + SPREAD], traits[OF_ERROR] * traits[OF_ERROR])
  singles[2 * at + COUNT] = WARM_UP
}

function widen(d: Float64Array, record: number, above: number, below: number): void {
  d[record] = Math.max(d[record], above)
  d[record + 1] = Math.min(d[record + 1], -below)
}

function lendCourse({ doubles: d, singles }: Slab, at: number, traits: ArrayLike<number>, scale: number, { centre, spread }: PriorGroup): void {
  const s = 2 * at
  const visit = Math.floor(d[at + LAST_TS] / SLOT_MS)
  const level = d[at + FAST] - scale * courseAt(centre, visit - Math.floor(visit / SLOTS) * SLOTS)
  for (let slot = 0; slot < SLOTS; slot++) {
    const i = s + PROFILE + slot
    if (singles[i] === singles[i]) continue
    singles[i] = level + scale * courseAt(centre, slot) - d[at + ORIGIN]
    singles[s + SEEN]++
  }
  singles[s + REVISITS] = SLOTS
  singles[s + SETTLED] = SETTLED_ENOUGH
  for (let hour = 0; hour < HOURS; hour++) singles[s + DEVIATION + hour] = Math.max(singles[s + DEVIATION + hour], traits[OF_MISS])
  d[at + USUAL_ERROR] = Math.max(d[at + USUAL_ERROR], traits[OF_MISS])
  singles[2 * at + AWAY_USUAL] = Math.max(singles[2 * at + AWAY_USUAL], traits[OF_AWAY])
  const apart = COURSE_APART * spread * scale
  widen(d, at + RECORD_PROFILE, traits[OF_HALF_HOUR] + apart, traits[OF_HALF_HOUR] + apart)
  const hours = traits[OF_HOUR] + (traits[OF_MISS] > 0 ? apart / traits[OF_MISS] : 0)
  widen(d, at + RECORD_DAY, hours, hours)
  // What stands far from a mean of hundreds of readings is the course of the day as well.
  let squares = 0
  for (let hour = 0; hour < DAY_HOURS; hour++) squares += centre[hour] * centre[hour]
  d[at + SLOW] = level
  d[at + SPREAD] += (scale * scale * squares) / DAY_HOURS
}

/** The course in the midst of a half-hour: a line between the midsts of hours. */
function courseAt(centre: ArrayLike<number>, slot: number): number {
  const hour = slot >> 1
  const other = (slot & 1) === 0 ? (hour + DAY_HOURS - 1) % DAY_HOURS : (hour + 1) % DAY_HOURS
  return 0.75 * centre[hour] + 0.25 * centre[other]
}
