/**
 * Exponential smoothing: Holt-Winters with a daily season, a damped trend without one, and theta.
 *
 * Each runs over the window anew for every forecast, which takes a microsecond or two; what is kept is which of a few settings fitted best.
 * To find that, settings are tried four at a time: one alone waits at each hour for its own last step.
 *
 * Sources: Winters 1960, with the first-order error term of Taylor 2003; Gardner and McKenzie 1985; Assimakopoulos and Nikolopoulos 2000, in
 * the form of Hyndman and Billah 2003: smoothing plus half the slope.
 */

import { DAY } from './naive.ts'

/** Hours that are smoothed, and forecast behind. */
export interface Span {
  readonly from: number
  readonly until: number
}

const combine = (...lists: number[][]): number[][] => lists.reduce<number[][]>((all, list) => all.flatMap((head) => list.map((n) => [...head, n])), [[]])

/** Rates of level and season, and how much of an error stays to the next hour. */
export const HOLT_WINTERS_SETTINGS = combine([0.02, 0.1, 0.4], [0.1, 0.3], [0, 0.8])
/** Rates of level and trend. */
export const TREND_SETTINGS = combine([0.1, 0.4, 0.9], [0, 0.05, 0.2])
/** Rates of the level. */
export const THETA_SETTINGS = [0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95]
const DAMPING = 0.95

const season = new Float64Array(DAY)
const seen = new Float64Array(DAY)

/** Gives the mean squared error one hour ahead; forecasts where `steps` > 0. Needs two days. */
export function holtWinters(values: Float64Array, { from, until }: Span, setting: number, steps: number, out: Float64Array): number {
  const [levelRate, seasonRate, stays] = HOLT_WINTERS_SETTINGS[setting]
  let level = 0
  for (let i = 0; i < DAY; i++) level += values[from + i] / DAY
  for (let i = 0; i < DAY; i++) season[i] = values[from + i] - level
  let last = 0
  let squares = 0
  let phase = 0
  for (let t = from + DAY; t < until; t++) {
    const miss = values[t] - level - season[phase]
    const error = miss - stays * last
    squares += error * error
    level += levelRate * error
    season[phase] += seasonRate * error
    last = miss
    if (++phase === DAY) phase = 0
  }
  for (let h = 0; h < steps; h++) {
    last *= stays
    out[h] = level + season[phase] + last
    if (++phase === DAY) phase = 0
  }
  return squares / (until - from - DAY)
}

/** Settings that are tried together. */
const TOGETHER = 4
const seasons = new Float64Array(DAY * TOGETHER)

/** The setting with the least squares; the first of equals. `tryFour` writes those of four, from the one it is given on. */
function bestOf(count: number, tryFour: (first: number) => void): number {
  let least = Infinity
  let best = 0
  for (let i = 0; i < count; i += TOGETHER) {
    const first = Math.max(0, Math.min(i, count - TOGETHER))
    tryFour(first)
    for (let k = 0; k < TOGETHER; k++) {
      if (!(tried[k] < least)) continue
      least = tried[k]
      best = first + k
    }
  }
  return best
}

const tried = new Float64Array(TOGETHER)

/** The setting of Holt-Winters that errs least one hour ahead. Needs two days. */
export function bestHoltWinters(values: Float64Array, span: Span): number {
  return bestOf(HOLT_WINTERS_SETTINGS.length, (first) => tryHoltWinters(values, span, first))
}

function tryHoltWinters(values: Float64Array, { from, until }: Span, first: number): void {
  const [[rate0, season0, stays0], [rate1, season1, stays1], [rate2, season2, stays2], [rate3, season3, stays3]] = HOLT_WINTERS_SETTINGS.slice(first)
  let level = 0
  for (let i = 0; i < DAY; i++) level += values[from + i] / DAY
  for (let i = 0; i < DAY; i++) seasons.fill(values[from + i] - level, i * TOGETHER, (i + 1) * TOGETHER)
  let [level0, level1, level2, level3] = [level, level, level, level]
  let [last0, last1, last2, last3] = [0, 0, 0, 0]
  let [squares0, squares1, squares2, squares3] = [0, 0, 0, 0]
  for (let t = from + DAY, at = 0; t < until; t++) {
    const value = values[t]
    const miss0 = value - level0 - seasons[at]
    const miss1 = value - level1 - seasons[at + 1]
    const miss2 = value - level2 - seasons[at + 2]
    const miss3 = value - level3 - seasons[at + 3]
    const error0 = miss0 - stays0 * last0
    const error1 = miss1 - stays1 * last1
    const error2 = miss2 - stays2 * last2
    const error3 = miss3 - stays3 * last3
    squares0 += error0 * error0
    squares1 += error1 * error1
    squares2 += error2 * error2
    squares3 += error3 * error3
    level0 += rate0 * error0
    level1 += rate1 * error1
    level2 += rate2 * error2
    level3 += rate3 * error3
    seasons[at] += season0 * error0
    seasons[at + 1] += season1 * error1
    seasons[at + 2] += season2 * error2
    seasons[at + 3] += season3 * error3
    last0 = miss0
    last1 = miss1
    last2 = miss2
    last3 = miss3
    at = at + TOGETHER === DAY * TOGETHER ? 0 : at + TOGETHER
  }
  const hours = until - from - DAY
  tell(squares0 / hours, squares1 / hours, squares2 / hours, squares3 / hours)
}

function tell(error0: number, error1: number, error2: number, error3: number): void {
  tried[0] = error0
  tried[1] = error1
  tried[2] = error2
  tried[3] = error3
}

/** The setting of the damped trend that errs least one hour ahead. */
export function bestTrend(values: Float64Array, span: Span): number {
  return bestOf(TREND_SETTINGS.length, (first) => tryTrend(values, span, first))
}

function tryTrend(values: Float64Array, { from, until }: Span, first: number): void {
  const [[rate0, of0], [rate1, of1], [rate2, of2], [rate3, of3]] = TREND_SETTINGS.slice(first)
  const [both0, both1, both2, both3] = [rate0 * of0, rate1 * of1, rate2 * of2, rate3 * of3]
  let [level0, level1, level2, level3] = [values[from], values[from], values[from], values[from]]
  let [trend0, trend1, trend2, trend3] = [0, 0, 0, 0]
  let [squares0, squares1, squares2, squares3] = [0, 0, 0, 0]
  for (let t = from + 1; t < until; t++) {
    const value = values[t]
    const error0 = value - level0 - DAMPING * trend0
    const error1 = value - level1 - DAMPING * trend1
    const error2 = value - level2 - DAMPING * trend2
    const error3 = value - level3 - DAMPING * trend3
    squares0 += error0 * error0
    squares1 += error1 * error1
    squares2 += error2 * error2
    squares3 += error3 * error3
    level0 += DAMPING * trend0 + rate0 * error0
    level1 += DAMPING * trend1 + rate1 * error1
    level2 += DAMPING * trend2 + rate2 * error2
    level3 += DAMPING * trend3 + rate3 * error3
    trend0 = DAMPING * trend0 + both0 * error0
    trend1 = DAMPING * trend1 + both1 * error1
    trend2 = DAMPING * trend2 + both2 * error2
    trend3 = DAMPING * trend3 + both3 * error3
  }
  const hours = until - from - 1
  tell(squares0 / hours, squares1 / hours, squares2 / hours, squares3 / hours)
}

export function dampedTrend(values: Float64Array, { from, until }: Span, setting: number, steps: number, out: Float64Array): number {
  const [levelRate, trendRate] = TREND_SETTINGS[setting]
  let level = values[from]
  let trend = 0
  let squares = 0
  for (let t = from + 1; t < until; t++) {
    const error = values[t] - level - DAMPING * trend
    squares += error * error
    level += DAMPING * trend + levelRate * error
    trend = DAMPING * trend + levelRate * trendRate * error
  }
  let ahead = level
  for (let h = 0; h < steps; h++) {
    trend *= DAMPING
    ahead += trend
    out[h] = ahead
  }
  return squares / (until - from - 1)
}

const plain = new Float64Array(504)

/** Takes the mean daily course out of values[from … until) into `plain`; the course stays in `season`, its phase 0 at `from`. */
export function takeCourse(values: Float64Array, { from, until }: Span): void {
  season.fill(0)
  seen.fill(0)
  const half = DAY / 2
  // Twice the sum of the day around t, its two ends counted half.
  let sum = 0
  for (let t = from; t < from + DAY; t++) sum += values[t] + values[t + 1]
  for (let t = from + half, phase = half; t < until - half; t++) {
    if (t > from + half) sum += values[t + half] + values[t + half - 1] - values[t - half - 1] - values[t - half]
    season[phase] += values[t] - sum / (2 * DAY)
    seen[phase]++
    if (++phase === DAY) phase = 0
  }
  let mean = 0
  for (let i = 0; i < DAY; i++) mean += season[i] = season[i] / seen[i]
  for (let i = 0; i < DAY; i++) season[i] -= mean / DAY
  for (let t = from, phase = 0; t < until; t++) {
    plain[t] = values[t] - season[phase]
    if (++phase === DAY) phase = 0
  }
}

/** Of the course taken by `takeCourse` of the same span. */
export function theta({ from, until }: Span, setting: number, steps: number, out: Float64Array): number {
  const rate = THETA_SETTINGS[setting]
  const n = until - from
  let level = plain[from]
  let squares = 0
  let sumY = 0
  let sumTY = 0
  for (let t = from; t < until; t++) {
    const error = plain[t] - level
    squares += error * error
    level += rate * error
    sumY += plain[t]
    sumTY += (t - from) * plain[t]
  }
  if (steps > 0) {
    const middle = (n - 1) / 2
    const slope = (sumTY - middle * sumY) / ((n * (n * n - 1)) / 12)
    for (let h = 0; h < steps; h++) out[h] = level + 0.5 * slope * (h + 1) + season[(n + h) % DAY]
  }
  return squares / n
}

/** The setting of theta that errs least one hour ahead, of the course taken by `takeCourse` of the same span. */
export function bestTheta(span: Span): number {
  return bestOf(THETA_SETTINGS.length, (first) => tryTheta(span, first))
}

function tryTheta({ from, until }: Span, first: number): void {
  const [rate0, rate1, rate2, rate3] = THETA_SETTINGS.slice(first)
  let [level0, level1, level2, level3] = [plain[from], plain[from], plain[from], plain[from]]
  let [squares0, squares1, squares2, squares3] = [0, 0, 0, 0]
  for (let t = from; t < until; t++) {
    const value = plain[t]
    const error0 = value - level0
    const error1 = value - level1
    const error2 = value - level2
    const error3 = value - level3
    squares0 += error0 * error0
    squares1 += error1 * error1
    squares2 += error2 * error2
    squares3 += error3 * error3
    level0 += rate0 * error0
    level1 += rate1 * error1
    level2 += rate2 * error2
    level3 += rate3 * error3
  }
  const hours = until - from
  tell(squares0 / hours, squares1 / hours, squares2 / hours, squares3 / hours)
}
