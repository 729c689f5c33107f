/**
 * Forecasts of a series that is too young for models of its own: its level, and the daily course that is usual for its kind.
 *
 * - B1 Level and amplitude are fitted to the hours there are, the later ones counting more; the amplitude leans toward that of the kind, as if
 *   `LEAN_HOURS` hours of just that had been seen. Of several groups of a kind the one is taken whose course fits best, once `CHOOSE_HOURS` are known.
 * - B2 The doubt begins as the group's own spread and becomes that of the hours seen; it grows with the distance.
 */

import { DAY_HOURS } from '../../../reading/window.ts'
import type { PriorGroup } from '../../../reading/input.ts'

/** Hours known, at least. */
export const KIND_HOURS_MIN = 3
const CHOOSE_HOURS = 12
const LEAN_HOURS = 12
/** Hours of the kind's spread that the doubt begins with. */
const DOUBT_HOURS = 8
/** Of an hour's weight, each hour later. */
const FADE = 0.96
const WIDE = 1.96
const NARROW = 1.2816

/** What is said, overwritten by the next. */
export interface Expected {
  readonly mean: Float64Array
  readonly lower: Float64Array
  readonly upper: Float64Array
  readonly lower80: Float64Array
  readonly upper80: Float64Array
}

/** `hours`: the last means, oldest first, NaN where there is none; the last is that of hour `lastHour` (since 1970). False where too few are known. */
export function forecastByKind(hours: ArrayLike<number>, lastHour: number, kind: { readonly scale: number; readonly groups: readonly PriorGroup[] }, steps: number, out: Expected): boolean {
  let known = 0
  for (let i = 0; i < hours.length; i++) if (!Number.isNaN(hours[i])) known++
  if (known < KIND_HOURS_MIN || kind.groups.length === 0) return false
  let best: Fit | null = null
  const main = kind.groups.reduce((most, group) => (group.days > most.days ? group : most))
  for (const group of known < CHOOSE_HOURS ? [main] : kind.groups) {
    const fit = fitTo(hours, lastHour, group, kind.scale)
    if (best === null || fit.squares < best.squares) best = fit
  }
  const { level, amplitude, centre, deviation } = best!
  for (let h = 0; h < steps; h++) {
    const expected = level + amplitude * centre[(lastHour + 1 + h) % DAY_HOURS]
    const spread = deviation * Math.sqrt(1 + (h + 1) / DAY_HOURS)
    out.mean[h] = expected
    out.lower[h] = expected - WIDE * spread
    out.upper[h] = expected + WIDE * spread
    out.lower80[h] = expected - NARROW * spread
    out.upper80[h] = expected + NARROW * spread
  }
  return true
}

interface Fit {
  readonly level: number
  /** In the unit of the series, of one unit of the centre. */
  readonly amplitude: number
  readonly centre: Float64Array
  /** Weighted mean of squared residuals. */
  readonly squares: number
  readonly deviation: number
}

function fitTo(hours: ArrayLike<number>, lastHour: number, { centre, spread }: PriorGroup, scale: number): Fit {
  let weight = 0
  let values = 0
  let courses = 0
  for (let i = hours.length - 1, w = 1; i >= 0; i--, w *= FADE) {
    if (Number.isNaN(hours[i])) continue
    weight += w
    values += w * hours[i]
    courses += w * centre[courseAt(lastHour, hours.length, i)]
  }
  const [value, course] = [values / weight, courses / weight]
  let both = LEAN_HOURS * scale
  let own = LEAN_HOURS
  for (let i = hours.length - 1, w = 1; i >= 0; i--, w *= FADE) {
    if (Number.isNaN(hours[i])) continue
    const c = centre[courseAt(lastHour, hours.length, i)] - course
    both += w * c * (hours[i] - value)
    own += w * c * c
  }
  const amplitude = Math.max(0, both / own)
  const level = value - amplitude * course
  let squares = 0
  for (let i = hours.length - 1, w = 1; i >= 0; i--, w *= FADE) {
    if (Number.isNaN(hours[i])) continue
    const off = hours[i] - level - amplitude * centre[courseAt(lastHour, hours.length, i)]
    squares += w * off * off
  }
  const usual = spread * scale
  return { level, amplitude, centre, squares: squares / weight, deviation: Math.sqrt((squares + DOUBT_HOURS * usual * usual) / (weight + DOUBT_HOURS)) }
}

/** The hour of the day of the i-th of `count` hours that end with `lastHour`. */
function courseAt(lastHour: number, count: number, i: number): number {
  return (((lastHour - (count - 1 - i)) % DAY_HOURS) + DAY_HOURS) % DAY_HOURS
}
