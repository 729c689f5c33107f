/**
 * A series as its kind usually goes: its own level, and the daily course that others of its kind have.
 *
 * Young series are forecast by it (young.ts); later it is one of the models that are graded (mixture.ts).
 *
 * - B1 Level and amplitude are fitted to the hours there are, the later ones counting more; the amplitude leans toward that of the kind, as if
 *   `LEAN_HOURS` hours of just that had been seen. How far the last hour was from it fades.
 * - B2 Of several groups of a kind each has a voice: the days that are of it, times the likelihood of what was seen so far, were it of that group.
 */

import { DAY_HOURS } from '../../../reading/window.ts'
import type { PriorGroup } from '../../../reading/input.ts'
import type { Span } from './smoothing.ts'

/** Hours known, at least. */
export const KIND_HOURS_MIN = 3
const LEAN_HOURS = 12
/** Hours of the kind's spread that the doubt begins with. */
const DOUBT_HOURS = 8
/** Of a group's spread, which few days may have understated: in units of the kind's scale. */
const SPREAD_MIN = 0.2
/** Of an hour's weight, each hour later; and the hours back that are looked at. */
const FADE = 0.98
const HOURS_BACK = 120
/** Hours that are one independent witness of which group a series is of, since what one misses the next does as well; those that are heard at most. */
const WITNESS_HOURS = 4
const WITNESSES_MAX = 24
/** What of an hour's distance is there an hour later, before `FADING_HOURS` have told; and at most. */
const FADING = 0.8
const FADING_HOURS = 6
const FADING_MAX = 0.98

/** What is known of a kind: its groups, in units of `scale`. */
export interface Kind {
  readonly scale: number
  readonly groups: readonly PriorGroup[]
}

/** A series fitted to a group of its kind. */
export interface KindFit {
  readonly group: PriorGroup
  readonly level: number
  /** In the unit of the values, of one unit of the centre. */
  readonly amplitude: number
  /** How far the last hour was off, and what of it is there an hour later. */
  readonly off: number
  readonly fading: number
  /** Of an hour around it. */
  readonly variance: number
  /** Of all voices, which are 1 together. */
  voice: number
}

/**
 * Fits each group of a kind to values[from … until), NaN where there is none, of which the last is that of hour `lastHour` (since 1970) and one is
 * `unit` in the metric's own unit; null where too few are known, or where they are so large that their squares are not.
 */
export function fitKind(values: ArrayLike<number>, { from, until }: Span, lastHour: number, { scale, groups }: Kind, unit: number): KindFit[] | null {
  const first = Math.max(from, until - HOURS_BACK)
  let known = 0
  for (let i = first; i < until; i++) if (!Number.isNaN(values[i])) known++
  if (known < KIND_HOURS_MIN || groups.length === 0) return null
  const fits = groups.map((group) => fitTo(values, first, until, lastHour, group, scale / unit))
  if (!fits.every((fit) => Number.isFinite(fit.variance + fit.level))) return null
  raise(fits, Math.min(WITNESSES_MAX, Math.floor(known / WITNESS_HOURS)), scale / unit)
  return fits
}

/** Gives each fit its voice. */
function raise(fits: readonly KindFit[], witnesses: number, scale: number): void {
  const spreadOf = (fit: KindFit) => Math.max(SPREAD_MIN, fit.group.spread) * scale
  const likely = fits.map((fit) => (fit.variance > 0 ? spreadOf(fit) / Math.sqrt(fit.variance) : 1))
  const most = Math.max(...likely)
  const least = Math.min(...fits.map((fit) => fit.variance))
  let sum = 0
  for (const [i, fit] of fits.entries()) {
    const ratio = fit.variance > 0 ? Math.sqrt(least / fit.variance) : 1
    fit.voice = fit.group.days
    // Normal errors, whose variance is known before as if from `DOUBT_HOURS`: half a power for each witness.
    for (let w = 0; w < witnesses; w++) fit.voice *= ratio
    for (let w = 0; w < DOUBT_HOURS / WITNESS_HOURS; w++) fit.voice *= most > 0 ? likely[i] / most : 1
    sum += fit.voice
  }
  for (const fit of fits) fit.voice = sum > 0 ? fit.voice / sum : 1 / fits.length
}

/** What the fits say of the `steps` hours behind `lastHour`. */
export function followKind(fits: readonly KindFit[], lastHour: number, steps: number, out: Float64Array): void {
  out.fill(0, 0, steps)
  for (const { group, level, amplitude, off, fading, voice } of fits) {
    for (let h = 0, left = off; h < steps; h++) out[h] += voice * (level + amplitude * group.centre[(lastHour + 1 + h) % DAY_HOURS] + (left *= fading))
  }
}

/** What one fit says of the hour `h` behind the first that is behind `lastHour`, but for what fades. */
export function saidBy({ group, level, amplitude }: KindFit, lastHour: number, h: number): number {
  return level + amplitude * group.centre[(lastHour + 1 + h) % DAY_HOURS]
}

function fitTo(values: ArrayLike<number>, first: number, until: number, lastHour: number, group: PriorGroup, scale: number): KindFit {
  const { centre, spread } = group
  /** The hour of the day of values[0]. */
  const origin = (((lastHour + 1 - until) % DAY_HOURS) + DAY_HOURS) % DAY_HOURS
  let weight = 0
  let sum = 0
  let courses = 0
  for (let i = until - 1, w = 1; i >= first; i--, w *= FADE) {
    if (Number.isNaN(values[i])) continue
    weight += w
    sum += w * values[i]
    courses += w * centre[(origin + i) % DAY_HOURS]
  }
  const [value, course] = [sum / weight, courses / weight]
  let both = LEAN_HOURS * scale
  let own = LEAN_HOURS
  for (let i = until - 1, w = 1; i >= first; i--, w *= FADE) {
    if (Number.isNaN(values[i])) continue
    const c = centre[(origin + i) % DAY_HOURS] - course
    both += w * c * (values[i] - value)
    own += w * c * c
  }
  const amplitude = Math.max(0, both / own)
  const level = value - amplitude * course
  let squares = 0
  let off = NaN
  let after = NaN
  let pairs = 0
  let pairSquares = 0
  for (let i = until - 1, w = 1; i >= first; i--, w *= FADE) {
    const miss = values[i] - level - amplitude * centre[(origin + i) % DAY_HOURS]
    if (!Number.isNaN(miss)) {
      squares += w * miss * miss
      if (Number.isNaN(off)) off = miss
      if (!Number.isNaN(after)) {
        pairs += w * after * miss
        pairSquares += w * miss * miss
      }
    }
    after = miss
  }
  const prior = (FADING_HOURS * squares) / weight
  const fading = prior > 0 ? Math.min(FADING_MAX, Math.max(0, (pairs + FADING * prior) / (pairSquares + prior))) : FADING
  const usual = Math.max(SPREAD_MIN, spread) * scale
  return { group, level, amplitude, off, fading, variance: (squares + DOUBT_HOURS * usual * usual) / (weight + DOUBT_HOURS), voice: 0 }
}
