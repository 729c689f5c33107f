/**
 * What a plot's root zone lacks, and how sure that is: the water balance as a Kalman filter, corrected by measured moisture (R. E. Kalman 1960, extended to a balance
 * that bends where it drains and where the crop thirsts).
 *
 * Picture: two witnesses of one bowl. The balance counts what came and went, and its count drifts. The probe looks at the level, but its scale starts at a mark
 * that nobody knows, and its steps are not quite millimetres. After much water the level falls fast to field capacity and slowly from there: that bend teaches the mark.
 * When metered water comes, the jump teaches the steps; and between, how fast the level falls against the count says how much this field drinks.
 *
 * Four numbers are followed: depletion d in mm; c, field capacity as this plot's probes see it, m³/m³ (their bias is in it, so that it harms nothing); k, by which this
 * plot's use differs from the table's; g, by which the probes' steps differ from those of the whole root zone. Owns these and their covariance, one day
 * at a time. Pure, plain data.
 *
 * - K1 Variances stay positive; d is at most TAW. Below 0 it is water above field capacity, that drains for days.
 */

import { stress } from './balance.ts'

const D = 0
const C = 1
const K = 2
const G = 3
const SIZE = 4

export interface Belief {
  depletionMm: number
  capacity: number
  use: number
  gain: number
  /** Covariance of d, c, k, g, row by row. */
  spread: number[]
  /** Variance of what the probes say of a day beside their bias, (m³/m³)², learned. */
  noise: number
}

/** What a day of balance adds to doubt: parts of what was used, rained and watered, and mm that nobody counted. */
const USE_DOUBT = 0.12
const RAIN_DOUBT = 0.15
const IRRIGATION_DOUBT = 0.1
const DRAIN_DOUBT = 0.3
const DAY_DOUBT_MM = 0.5
/** Part of what is above field capacity that drains in a day; and how much of TAW can stand there. */
const DRAINS_A_DAY = 0.55
const EXCESS_MOST = 0.6
const CAPACITY_WALK = 0.0005
const USE_WALK = 0.006
const GAIN_WALK = 0.003
const USE_DOUBT_FIRST = 0.12
const GAIN_DOUBT_FIRST = 0.1
const NOISE_FIRST = 0.01 ** 2
/** What probes say of one day is wrong as it was the day before: they count for no more than this, however still they are. */
const NOISE_LEAST = 0.01 ** 2
const NOISE_MOST = 0.04 ** 2
/** By so many standard deviations moisture may differ from the count; more, and something came or went that was not counted. */
const GATE = 4
const PICTURE_DOUBT = 0.06
const USE_RANGE = [0.6, 1.5] as const
const GAIN_RANGE = [0.3, 2.5] as const
const VARIANCES_LEAST = [0.01, 1e-8, 1e-6, 1e-6]

export function firstBelief({ readyMm, capacity, capacityDeviation }: { readyMm: number; capacity: number; capacityDeviation: number }): Belief {
  const spread = new Array<number>(SIZE * SIZE).fill(0)
  const variances = [(readyMm / 2) ** 2, capacityDeviation ** 2 + 0.02 ** 2, USE_DOUBT_FIRST ** 2, GAIN_DOUBT_FIRST ** 2]
  variances.forEach((variance, i) => (spread[i * SIZE + i] = variance))
  return { depletionMm: readyMm / 2, capacity, use: 1, gain: 1, spread, noise: NOISE_FIRST }
}

/**
 * Standard deviation of what is lacking, mm: that of the filter, and that of its picture. Where water never overflows, or always does, no probe tells where field capacity
 * is; and no bowl is a soil. How much that is of TAW was set by seasons of made fields (test/bench/farm.ts), of other seeds than the figures that are told.
 */
export const depletionDeviation = ({ spread }: Belief, totalMm: number): number => Math.hypot(Math.sqrt(spread[D]), PICTURE_DOUBT * totalMm)
export const useDeviation = ({ spread }: Belief): number => Math.sqrt(spread[K * SIZE + K])

export interface BeliefDay {
  readonly totalMm: number
  readonly fraction: number
  /** Kc·ET0. */
  readonly cropUseMm: number
  /** Standard deviation of it, where it is foretold and not measured. */
  readonly cropUseDoubtMm?: number
  readonly rainMm: number
  /** Net. */
  readonly irrigationMm: number
}

export interface BeliefStep {
  readonly belief: Belief
  readonly usedMm: number
  readonly drainedMm: number
  readonly stress: number
}

/** A day goes by. */
export function dayGoesBy(belief: Belief, { totalMm, fraction, cropUseMm, cropUseDoubtMm = 0, rainMm, irrigationMm }: BeliefDay): BeliefStep {
  const { depletionMm: d, use } = belief
  const wetted = Math.max(0, d - rainMm - irrigationMm)
  const ks = stress(wetted, { totalMm, fraction })
  const usedMm = use * ks * cropUseMm
  const mean = d - rainMm - irrigationMm + usedMm
  // How tomorrow's depletion moves with today's, and with the plot's own use; the others stay.
  const byD = ks < 1 ? Math.max(0, 1 - (use * cropUseMm) / ((1 - fraction) * totalMm)) : 1
  const byK = ks * cropUseMm
  const spread = [...belief.spread]
  for (let i = 1; i < SIZE; i++) spread[i] = spread[i * SIZE] = byD * belief.spread[i]! + byK * belief.spread[K * SIZE + i]!
  spread[D] = byD * byD * belief.spread[D]! + 2 * byD * byK * belief.spread[K]! + byK * byK * belief.spread[K * SIZE + K]!
  spread[D] += DAY_DOUBT_MM ** 2 + (USE_DOUBT * usedMm) ** 2 + (use * ks * cropUseDoubtMm) ** 2 + (RAIN_DOUBT * rainMm) ** 2 + (IRRIGATION_DOUBT * irrigationMm) ** 2
  spread[C * SIZE + C]! += CAPACITY_WALK ** 2
  spread[K * SIZE + K]! += USE_WALK ** 2
  spread[G * SIZE + G]! += GAIN_WALK ** 2
  // What is above field capacity drains, a part a day.
  const excessMm = Math.max(0, -mean)
  const above = mean < 0 ? 1 : 0
  const drainedMm = DRAINS_A_DAY * excessMm
  const keeps = 1 - DRAINS_A_DAY * above
  for (let i = 1; i < SIZE; i++) spread[i] = spread[i * SIZE] = spread[i]! * keeps
  spread[D] = spread[D] * keeps * keeps + (DRAIN_DOUBT * excessMm) ** 2
  const depletionMm = Math.min(totalMm, Math.max(-EXCESS_MOST * totalMm, mean + drainedMm))
  return { belief: { ...belief, depletionMm, spread }, usedMm, drainedMm, stress: ks }
}

export interface BeliefSeen {
  readonly belief: Belief
  /** Depletion by the probes alone, by the scale that they have shown. */
  readonly seenMm: number
  /** How much a day's noise of the probes is in depletion, mm. */
  readonly noiseMm: number
  /** Wetter or drier than could be by what was counted: the probes were believed. */
  readonly surprise: 'wetter' | 'drier' | null
}

/** The probes say `moisture` (m³/m³) at the end of the day. `wet`: water stands above field capacity and drains, so that they say too much. */
export function moistureSeen(belief: Belief, moisture: number, { rootM, totalMm, wet }: { rootM: number; totalMm: number; wet: boolean }): BeliefSeen {
  const scale = 1000 * rootM
  const spread = [...belief.spread]
  const noise = belief.noise * (wet ? 4 : 1)
  // How what is seen moves with each of the four.
  const h = [-belief.gain / scale, 1, 0, -belief.depletionMm / scale]
  const miss = moisture - (belief.capacity - (belief.gain * belief.depletionMm) / scale)
  const across = () => h.map((_, i) => h.reduce((sum, weight, j) => sum + weight * spread[i * SIZE + j]!, 0))
  let toward = across()
  let known = h.reduce((sum, weight, i) => sum + weight * toward[i]!, 0)
  let surprise: BeliefSeen['surprise'] = null
  if (miss * miss > GATE * GATE * (known + noise)) {
    surprise = miss > 0 ? 'wetter' : 'drier'
    // Something came or went that nobody counted: what was lacking is not known any more; the scale is.
    spread[D]! += ((miss * scale) / belief.gain) ** 2
    toward = across()
    known = h.reduce((sum, weight, i) => sum + weight * toward[i]!, 0)
  }
  const variance = known + noise
  const pull = toward.map((part) => part / variance)
  for (let i = 0; i < SIZE; i++) for (let j = 0; j < SIZE; j++) spread[i * SIZE + j]! -= pull[i]! * pull[j]! * variance
  VARIANCES_LEAST.forEach((least, i) => (spread[i * SIZE + i] = Math.max(least, spread[i * SIZE + i]!)))
  const updated: Belief = {
    depletionMm: within(belief.depletionMm + pull[D]! * miss, [-EXCESS_MOST * totalMm, totalMm]),
    capacity: belief.capacity + pull[C]! * miss,
    use: within(belief.use + pull[K]! * miss, USE_RANGE),
    gain: within(belief.gain + pull[G]! * miss, GAIN_RANGE),
    spread,
    noise: belief.noise,
  }
  if (surprise === null && !wet) {
    // What the misses leave over once the doubt of the four is taken off is the probes' own.
    const own = within(miss * miss - known, [NOISE_LEAST, NOISE_MOST])
    updated.noise = within(0.95 * belief.noise + 0.05 * own, [NOISE_LEAST, NOISE_MOST])
  }
  const step = scale / updated.gain
  return { belief: updated, seenMm: (updated.capacity - moisture) * step, noiseMm: Math.sqrt(updated.noise) * step, surprise }
}

const within = (value: number, [least, most]: readonly [number, number]): number => Math.min(most, Math.max(least, value))
const normalDensity = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)

/** Φ; Abramowitz and Stegun 26.2.17, within 7.5e-8. */
export function normalBelow(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x))
  const tail = normalDensity(x) * t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  return x >= 0 ? 1 - tail : tail
}
