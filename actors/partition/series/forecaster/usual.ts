/**
 * What is usual: the mean course of the days so far around a level, to which the last hour's distance from it fades.
 *
 * Picture two days of a thermometer. Repeating the last one repeats its clouds as well; their mean has half of that. Where the two days have
 * little in common there is hardly a course to be repeated: it is shrunk by as much of it as is chance (James and Stein 1961).
 *
 * - U1 Days are counted back from the last hour; what is beyond the last whole day, or `DAYS_MAX` of them, does not count.
 * - U2 Values that are never negative enter by their square roots: a course is larger where the level is, and stays above zero.
 */

import { DAY } from './naive.ts'
import type { Span } from './smoothing.ts'

const DAYS_MAX = 14
/** Of a day's weight, each day back: in the course, and in the level. */
const COURSE_STAYS = 0.9
const LEVEL_STAYS = 0.2
/** What of an hour's distance is there an hour later, before `FADING_HOURS` have told; and at most. */
const FADING = 0.8
const FADING_HOURS = 12
const FADING_MAX = 0.98
/** Below it an hour is as good as explained, and tells nothing of fading. */
const UNEXPLAINED_MIN = 1e-20
/** Of a single day, what is chance. */
const CHANCE_OF_ONE = 0.5

/** Values as they enter: their last days. */
const entered = new Float64Array(DAYS_MAX * DAY)
const means = new Float64Array(DAYS_MAX)
const course = new Float64Array(DAY)

/** Forecasts `steps` hours behind values[until - 1] into `out`. Needs a day. */
export function usual(values: Float64Array, { from, until }: Span, steps: number, out: Float64Array): void {
  const days = Math.min(DAYS_MAX, Math.floor((until - from) / DAY))
  const first = until - days * DAY
  let least = Infinity
  for (let t = first; t < until; t++) if (values[t] < least) least = values[t]
  const isRoot = least >= 0
  for (let t = first; t < until; t++) entered[t - first] = isRoot ? Math.sqrt(values[t]) : values[t]
  const level = learnCourse(days)
  const fading = learnFading(days, level)
  for (let h = 0, phase = 0, off = entered[days * DAY - 1] - level - course[DAY - 1]; h < steps; h++) {
    off *= fading
    const expected = level + course[phase] + off
    out[h] = !isRoot ? expected : expected > 0 ? expected * expected : 0
    if (++phase === DAY) phase = 0
  }
}

/** Mean square of what the course left unexplained of an hour. */
let unexplained = 0

/** Writes the shrunken course of so many days, its phase 0 a day before their end, and gives the level. */
function learnCourse(days: number): number {
  let level = 0
  let levelWeight = 0
  let weight = 0
  let weightSquares = 0
  course.fill(0)
  for (let k = 0, ofLevel = 1, ofCourse = 1; k < days; k++, ofLevel *= LEVEL_STAYS, ofCourse *= COURSE_STAYS) {
    const at = (days - 1 - k) * DAY
    let sum = 0
    for (let h = 0; h < DAY; h++) sum += entered[at + h]
    means[k] = sum / DAY
    level += ofLevel * means[k]
    levelWeight += ofLevel
    for (let h = 0; h < DAY; h++) course[h] += ofCourse * (entered[at + h] - means[k])
    weight += ofCourse
    weightSquares += ofCourse * ofCourse
  }
  let power = 0
  for (let h = 0; h < DAY; h++) power += (course[h] /= weight) * course[h]
  let squares = 0
  for (let k = 0, w = 1; k < days; k++, w *= COURSE_STAYS) {
    const at = (days - 1 - k) * DAY
    for (let h = 0; h < DAY; h++) {
      const off = entered[at + h] - means[k] - course[h]
      squares += w * off * off
    }
  }
  squares /= weight
  unexplained = squares / DAY
  // Of the squares of one day so much is left in a mean that weighs them so.
  const left = weightSquares / (weight * weight)
  const chance = days > 1 ? squares * left / (1 - left) : CHANCE_OF_ONE * power
  const share = power > 0 ? Math.max(0, 1 - chance / power) : 0
  for (let h = 0; h < DAY; h++) course[h] *= share
  return level / levelWeight
}

/** What of an hour's distance from level and course is there an hour later. */
function learnFading(days: number, level: number): number {
  let both = FADING_HOURS * FADING
  let own = FADING_HOURS
  if (!(unexplained > UNEXPLAINED_MIN)) return FADING
  let before = entered[0] - level - course[0]
  for (let t = 1, phase = 1; t < days * DAY; t++) {
    const off = entered[t] - level - course[phase]
    both += (off * before) / unexplained
    own += (before * before) / unexplained
    before = off
    if (++phase === DAY) phase = 0
  }
  return Math.min(FADING_MAX, Math.max(0, both / own))
}
