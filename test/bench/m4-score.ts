/**
 * The M4 competition's measures of hourly forecasts: sMAPE, MASE, and OWA, which is the mean of both over those of Naive2.
 *
 * Source: Makridakis, Spiliotis and Assimakopoulos, International Journal of Forecasting 2020, with the benchmark recipe of its code.
 */

import { readFileSync } from 'node:fs'

export const SEASON = 24
export const HORIZON = 48

/** Series of a file of the competition: a line each, its name first. */
export function readSeries(path: string): Map<string, number[]> {
  const lines = readFileSync(path, 'utf8').split('\n').slice(1).filter((line) => line.trim() !== '')
  return new Map(lines.map((line) => {
    const [id, ...rest] = line.trim().replaceAll('"', '').split(',')
    return [id, rest.filter((text) => text !== '' && text !== 'NA').map(Number)]
  }))
}

export interface Errors {
  readonly smape: number
  readonly mase: number
}

/** Mean absolute step of the naive forecast of a day: what MASE counts in. */
export function stepOf(train: readonly number[]): number {
  let sum = 0
  for (let i = SEASON; i < train.length; i++) sum += Math.abs(train[i] - train[i - SEASON])
  return sum / (train.length - SEASON)
}

export function errorsOf(train: readonly number[], actual: readonly number[], forecast: ArrayLike<number>): Errors {
  const step = stepOf(train)
  let smape = 0
  let mase = 0
  for (const [i, a] of actual.entries()) {
    const size = Math.abs(a) + Math.abs(forecast[i])
    if (size > 0) smape += (200 * Math.abs(a - forecast[i])) / size
    mase += Math.abs(a - forecast[i]) / step
  }
  return { smape: smape / actual.length, mase: mase / actual.length }
}

/** The last value, carried on, times its season where a test of the autocorrelation finds one. */
export function naive2(train: readonly number[]): number[] {
  const last = train.length - 1
  if (!isSeasonal(train)) return Array(HORIZON).fill(train[last])
  const season = seasonOf(train)
  return Array.from({ length: HORIZON }, (_, i) => (train[last] / season[last % SEASON]) * season[(train.length + i) % SEASON])
}

function isSeasonal(y: readonly number[]): boolean {
  if (y.length < 3 * SEASON) return false
  const mean = y.reduce((a, b) => a + b, 0) / y.length
  const distances = y.map((v) => v - mean)
  const variance = distances.reduce((sum, d) => sum + d * d, 0)
  if (variance === 0) return false
  const correlation = Array.from({ length: SEASON }, (_, k) => distances.reduce((sum, d, i) => (i > k ? sum + d * distances[i - k - 1] : sum), 0) / variance)
  const limit = (1.645 / Math.sqrt(y.length)) * Math.sqrt(1 + 2 * correlation.slice(0, -1).reduce((sum, c) => sum + c * c, 0))
  return Math.abs(correlation[SEASON - 1]) > limit
}

/** R's `decompose(type = 'multiplicative')`. */
function seasonOf(y: readonly number[]): number[] {
  const half = SEASON / 2
  const sums = Array<number>(SEASON).fill(0)
  const counts = Array<number>(SEASON).fill(0)
  for (let t = half; t < y.length - half; t++) {
    let trend = 0.5 * (y[t - half] + y[t + half])
    for (let i = t - half + 1; i < t + half; i++) trend += y[i]
    sums[t % SEASON] += y[t] / (trend / SEASON)
    counts[t % SEASON]++
  }
  const season = sums.map((sum, i) => sum / counts[i])
  const mean = season.reduce((a, b) => a + b, 0) / SEASON
  return season.map((s) => s / mean)
}

export function meanOf(list: readonly Errors[]): Errors {
  const mean = (part: (e: Errors) => number) => list.reduce((sum, e) => sum + part(e), 0) / list.length
  return { smape: mean((e) => e.smape), mase: mean((e) => e.mase) }
}

export function owa(errors: Errors, benchmark: Errors): number {
  return (errors.smape / benchmark.smape + errors.mase / benchmark.mase) / 2
}
