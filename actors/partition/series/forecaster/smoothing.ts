/**
 * Exponential smoothing: Holt-Winters with a daily season, a damped trend without one, and theta.
 *
 * Each runs over the window anew for every forecast, which takes a microsecond or two; what is kept is which of a few settings fitted best.
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
  for (let t = from + half; t < until - half; t++) {
    if (t > from + half) sum += values[t + half] + values[t + half - 1] - values[t - half - 1] - values[t - half]
    const phase = (t - from) % DAY
    season[phase] += values[t] - sum / (2 * DAY)
    seen[phase]++
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
