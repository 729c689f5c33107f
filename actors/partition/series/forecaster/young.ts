/**
 * Forecasts of a series that is too young for models of its own: as its kind usually goes (by-kind.ts), or as the last hour was, whichever has told
 * more of the hours that are known.
 *
 * - Y1 The two are held against each other at places of the series' own past, from its third hour on, up to `AHEAD` hours ahead. Before, each counts
 *   as if it had erred for `GUESS_HOURS` hours as is usual for the kind.
 * - Y2 The doubt is that of either, what they really missed included, and how far they are from each other; it grows with the distance.
 */

import { DAY_HOURS } from '../../../reading/window.ts'
import { fitKind, followKind, KIND_HOURS_MIN, saidBy } from './by-kind.ts'
import type { Kind, KindFit } from './by-kind.ts'

/** Between two places. */
const EVERY = 3
const AHEAD = 12
const GUESS_HOURS = 12
/** Mean absolute error of a normal one, in deviations. */
const MEAN_OF_ONE = 0.8
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

/** Sums over `count` hours of how far off each was, and of the squares. */
interface Tried {
  count: number
  kind: number
  kindSquares: number
  last: number
  lastSquares: number
}

const ahead = new Float64Array(AHEAD)

/** `hours`: the last means, oldest first, NaN where there is none, but not the last, which is that of hour `lastHour` (since 1970). False where too little is known. */
export function forecastYoung(hours: Float64Array, lastHour: number, kind: Kind, steps: number, out: Expected): boolean {
  const fits = fitKind(hours, { from: 0, until: hours.length }, lastHour, kind, 1)
  if (fits === null) return false
  followKind(fits, lastHour, steps, out.mean)
  const tried = tryBoth(hours, lastHour, kind, fits)
  const voice = voiceOf(tried)
  const last = hours[hours.length - 1]
  for (let h = 0; h < steps; h++) {
    const byKind = out.mean[h]
    const expected = voice * byKind + (1 - voice) * last
    const growth = 1 + (h + 1) / DAY_HOURS
    let variance = 0
    for (const fit of fits) {
      const apart = saidBy(fit, lastHour, h) - byKind
      variance += fit.voice * (fit.variance * growth + apart * apart)
    }
    const ofKind = Math.max(variance, tried.kindSquares / tried.count) + (expected - byKind) * (expected - byKind)
    const ofLast = (tried.lastSquares / tried.count) * growth + (expected - last) * (expected - last)
    const spread = Math.sqrt(voice * ofKind + (1 - voice) * ofLast)
    out.mean[h] = expected
    out.lower[h] = expected - WIDE * spread
    out.upper[h] = expected + WIDE * spread
    out.lower80[h] = expected - NARROW * spread
    out.upper80[h] = expected + NARROW * spread
  }
  return true
}

function tryBoth(hours: Float64Array, lastHour: number, kind: Kind, fits: readonly KindFit[]): Tried {
  const { scale } = kind
  let spread = 0
  for (const { group, voice } of fits) spread += voice * group.spread * scale
  const tried: Tried = {
    count: GUESS_HOURS,
    kind: GUESS_HOURS * MEAN_OF_ONE * spread,
    kindSquares: GUESS_HOURS * spread * spread,
    last: GUESS_HOURS * scale,
    lastSquares: GUESS_HOURS * scale * scale,
  }
  for (let origin = KIND_HOURS_MIN; origin < hours.length; origin += EVERY) {
    const last = hours[origin - 1]
    const at = lastHour - (hours.length - origin)
    const before = Number.isNaN(last) ? null : fitKind(hours, { from: 0, until: origin }, at, kind, 1)
    if (before === null) continue
    const steps = Math.min(AHEAD, hours.length - origin)
    followKind(before, at, steps, ahead)
    for (let h = 0; h < steps; h++) {
      const value = hours[origin + h]
      if (Number.isNaN(value)) continue
      const [byKind, byLast] = [Math.abs(value - ahead[h]), Math.abs(value - last)]
      tried.count++
      tried.kind += byKind
      tried.kindSquares += byKind * byKind
      tried.last += byLast
      tried.lastSquares += byLast * byLast
    }
  }
  return tried
}

/** Of the kind: the fourth power of the errors decides. */
function voiceOf({ kind, last }: Tried): number {
  if (!(last > 0)) return kind > 0 ? 0 : 1
  const square = (kind / last) * (kind / last)
  return 1 / (1 + square * square)
}
