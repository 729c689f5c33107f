/**
 * What a plot's root zone lacks, and how sure that is: the water balance as a bank of Kalman filters, corrected by measured moisture (R. E. Kalman 1960; a sum of Gaussians by
 * H. W. Sorenson and D. L. Alspach 1971).
 *
 * Picture: two witnesses of one bowl. The balance counts what came and went, and its count drifts. The probe looks at the level, but its scale starts at a mark
 * that nobody knows, and its steps are not quite millimetres. What bends at that mark is how fast the level falls: above it the bowl drains, below it only the crop drinks. One
 * filter that takes its surroundings for straight cannot see a bend that it does not stand on: where each watering runs over, it takes what drains for use, asks for more, and
 * never learns. So there are several, each with the mark elsewhere, and the level that follows says which of them knew.
 *
 * Each follows five numbers: depletion d in mm; c, field capacity as this plot's probes see it, m³/m³ (their bias is in it, so that it harms nothing); k, by which this plot's
 * use differs from the table's; g, by which the probes' steps differ from those of the whole root zone; r, the part of what is above field capacity that drains in a day.
 * Owns these, their covariance and what each filter counts for, one day at a time. Pure, plain data.
 *
 * - K1 Variances stay positive; d is at most TAW. Below 0 it is water above field capacity, that drains for days.
 * - K2 Each filter counts for something, at least `WEIGHT_LEAST`: soils and probes change, and who was wrong may be right.
 */

import { stress } from './balance.ts'

const D = 0
const C = 1
const K = 2
const G = 3
const R = 4
const SIZE = 5

/** One filter of the bank. */
export interface Member {
  /** d, c, k, g, r. */
  mean: number[]
  /** Their covariance, row by row. */
  spread: number[]
  weight: number
}

export interface Belief {
  members: Member[]
  /** Variance of what the probes say of a day beside their bias, (m³/m³)², learned. */
  noise: number
  /** Means of all filters, by what each counts for. */
  depletionMm: number
  capacity: number
  use: number
}

const MEMBERS = 7
/** From the first to the last filter, in standard deviations of what is known of field capacity. */
const MEMBERS_SPAN = 4.4
const WEIGHT_LEAST = 1e-3
/** What a day of balance adds to doubt: parts of what was used, rained and watered, and mm that nobody counted. */
const USE_DOUBT = 0.12
const RAIN_DOUBT = 0.15
const IRRIGATION_DOUBT = 0.1
const DRAIN_DOUBT = 0.15
const DAY_DOUBT_MM = 0.5
/** Part of what is above field capacity that drains in a day, until the plot has shown its own; and how much of TAW can stand there. */
const DRAINS_FIRST = 0.55
const DRAINS_DOUBT_FIRST = 0.2
const EXCESS_MOST = 0.6
const CAPACITY_WALK = 0.0005
const USE_WALK = 0.006
const GAIN_WALK = 0.003
const USE_DOUBT_FIRST = 0.15
const GAIN_DOUBT_FIRST = 0.1
const NOISE_FIRST = 0.01 ** 2
/** What probes say of one day is wrong as it was the day before: they count for no more than a probe of this noise, however still they are. */
const NOISE_LEAST = 0.006 ** 2
const NOISE_MOST = 0.04 ** 2
/** By so many standard deviations moisture may differ from the count; more, and something came or went that was not counted. */
const GATE = 4
/** No bowl is a soil, and no probe its field: a part of TAW. */
const PICTURE_DOUBT = 0.06
const RANGES = [null, null, [0.6, 1.5], [0.3, 2.5], [0.15, 0.9]] as const
const VARIANCES_LEAST = [0.01, 1e-8, 1e-6, 1e-6, 1e-5]

export function firstBelief({ readyMm, capacity, capacityDeviation }: { readyMm: number; capacity: number; capacityDeviation: number }): Belief {
  const deviation = Math.hypot(capacityDeviation, 0.02)
  const step = (MEMBERS_SPAN * deviation) / (MEMBERS - 1)
  const variances = [(readyMm / 2) ** 2, (0.6 * step) ** 2, USE_DOUBT_FIRST ** 2, GAIN_DOUBT_FIRST ** 2, DRAINS_DOUBT_FIRST ** 2]
  const members = Array.from({ length: MEMBERS }, (_, i): Member => {
    const spread = new Array<number>(SIZE * SIZE).fill(0)
    variances.forEach((variance, n) => (spread[n * SIZE + n] = variance))
    const off = (i - (MEMBERS - 1) / 2) * step
    return { mean: [readyMm / 2, capacity + off, 1, 1, DRAINS_FIRST], spread, weight: Math.exp(-((off / deviation) ** 2) / 2) }
  })
  return summed({ members, noise: NOISE_FIRST })
}

function summed({ members, noise }: Pick<Belief, 'members' | 'noise'>): Belief {
  const total = members.reduce((sum, { weight }) => sum + weight, 0)
  const weighed = members.map((member) => ({ ...member, weight: Math.max(WEIGHT_LEAST, member.weight / total) }))
  const left = weighed.reduce((sum, { weight }) => sum + weight, 0)
  for (const member of weighed) member.weight /= left
  const mean = (n: number) => weighed.reduce((sum, { mean, weight }) => sum + weight * mean[n]!, 0)
  return { members: weighed, noise, depletionMm: mean(D), capacity: mean(C), use: mean(K) }
}

/** Variance of one of the five over all filters. */
const varianceOf = ({ members }: Belief, n: number): number => {
  const mean = members.reduce((sum, member) => sum + member.weight * member.mean[n]!, 0)
  return members.reduce((sum, member) => sum + member.weight * (member.spread[n * SIZE + n]! + (member.mean[n]! - mean) ** 2), 0)
}

/**
 * Standard deviation of what is lacking, mm: that of the filters, and that of their picture, which was set by seasons of two kinds of made fields (test/bench/farm.ts), of
 * other seeds than the figures that are told: a little wide where a field is even, a little narrow where it is not.
 */
export const depletionDeviation = (belief: Belief, totalMm: number): number => Math.hypot(Math.sqrt(varianceOf(belief, D)), PICTURE_DOUBT * totalMm)
export const useDeviation = (belief: Belief): number => Math.sqrt(varianceOf(belief, K))

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
export function dayGoesBy(belief: Belief, day: BeliefDay): BeliefStep {
  let [usedMm, drainedMm, ks] = [0, 0, 0]
  const members = belief.members.map((member) => {
    const step = memberGoesBy(member, day)
    usedMm += member.weight * step.usedMm
    drainedMm += member.weight * step.drainedMm
    ks += member.weight * step.ks
    return step.member
  })
  return { belief: summed({ members, noise: belief.noise }), usedMm, drainedMm, stress: ks }
}

function memberGoesBy({ mean, spread: before, weight }: Member, { totalMm, fraction, cropUseMm, cropUseDoubtMm = 0, rainMm, irrigationMm }: BeliefDay) {
  const [d, , use, , drains] = mean as [number, number, number, number, number]
  const cameMm = rainMm + irrigationMm
  const ks = stress(Math.max(0, d - cameMm), { totalMm, fraction })
  const usedMm = use * ks * cropUseMm
  const lacking = d - cameMm + usedMm
  // How tomorrow's depletion moves with today's, with the plot's own use and with what reaches the roots; the others stay.
  const by = [ks < 1 ? Math.max(0, 1 - (use * cropUseMm) / ((1 - fraction) * totalMm)) : 1, 0, ks * cropUseMm, 0, 0]
  const spread = [...before]
  const row = Array.from({ length: SIZE }, (_, i) => by.reduce((sum, part, n) => sum + part * before[n * SIZE + i]!, 0))
  for (let i = 1; i < SIZE; i++) spread[i] = spread[i * SIZE] = row[i]!
  spread[D] = by.reduce((sum, part, n) => sum + part * row[n]!, 0)
  spread[D] += DAY_DOUBT_MM ** 2 + (USE_DOUBT * usedMm) ** 2 + (use * ks * cropUseDoubtMm) ** 2 + (RAIN_DOUBT * rainMm) ** 2 + (IRRIGATION_DOUBT * irrigationMm) ** 2
  spread[C * SIZE + C]! += CAPACITY_WALK ** 2
  spread[K * SIZE + K]! += USE_WALK ** 2
  spread[G * SIZE + G]! += GAIN_WALK ** 2
  // What is above field capacity drains, a part a day.
  const excessMm = Math.max(0, -lacking)
  const drainedMm = drains * excessMm
  const keeps = lacking < 0 ? 1 - drains : 1
  const toD = [...spread.slice(0, SIZE)]
  for (let i = 1; i < SIZE; i++) spread[i] = spread[i * SIZE] = toD[i]! * keeps + excessMm * spread[R * SIZE + i]!
  spread[D] = toD[D]! * keeps * keeps + 2 * keeps * excessMm * toD[R]! + excessMm * excessMm * spread[R * SIZE + R]! + (DRAIN_DOUBT * excessMm) ** 2
  const depletionMm = Math.min(totalMm, Math.max(-EXCESS_MOST * totalMm, lacking + drainedMm))
  return { member: { mean: [depletionMm, ...mean.slice(1)], spread, weight }, usedMm, drainedMm, ks }
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

/** The probes say `moisture` (m³/m³) at the end of the day. `wet`: water came today, that has not found its place. */
export function moistureSeen(belief: Belief, moisture: number, { rootM, totalMm, wet }: { rootM: number; totalMm: number; wet: boolean }): BeliefSeen {
  const scale = 1000 * rootM
  const noise = belief.noise * (wet ? 4 : 1)
  const views = belief.members.map((member) => viewOf(member, moisture, scale))
  // Of the filter that is surprised least.
  const least = views.reduce((best, view) => (view.miss ** 2 / (view.known + noise) < best.miss ** 2 / (best.known + noise) ? view : best))
  const surprise = least.miss ** 2 > GATE * GATE * (least.known + noise) ? (least.miss > 0 ? 'wetter' : 'drier') : null
  let own = 0
  const members = belief.members.map((member, n): Member => {
    let { miss, toward, known } = views[n]!
    const spread = [...member.spread]
    if (surprise !== null) {
      // Something came or went that nobody counted: what was lacking is not known any more; the scale is.
      spread[D]! += ((miss * scale) / member.mean[G]!) ** 2
      ;({ toward, known } = viewOf({ ...member, spread }, moisture, scale))
    }
    own += member.weight * (miss * miss - known)
    const variance = known + noise
    const pull = toward.map((part) => part / variance)
    for (let i = 0; i < SIZE; i++) for (let j = 0; j < SIZE; j++) spread[i * SIZE + j]! -= pull[i]! * pull[j]! * variance
    VARIANCES_LEAST.forEach((variance, i) => (spread[i * SIZE + i] = Math.max(variance, spread[i * SIZE + i]!)))
    const mean = member.mean.map((value, i) => {
      const range = i === D ? ([-EXCESS_MOST * totalMm, totalMm] as const) : RANGES[i]!
      return range === null ? value + pull[i]! * miss : within(value + pull[i]! * miss, range)
    })
    const likelihood = surprise === null ? Math.exp(-(miss * miss) / variance / 2) / Math.sqrt(variance) : 1
    return { mean, spread, weight: member.weight * likelihood }
  })
  let updatedNoise = belief.noise
  if (surprise === null && !wet) {
    // What the misses leave over once the doubt of the five is taken off is the probes' own.
    updatedNoise = within(0.95 * belief.noise + 0.05 * within(own, [NOISE_LEAST, NOISE_MOST]), [NOISE_LEAST, NOISE_MOST])
  }
  const updated = summed({ members, noise: updatedNoise })
  const gain = updated.members.reduce((sum, { mean, weight }) => sum + weight * mean[G]!, 0)
  return { belief: updated, seenMm: ((updated.capacity - moisture) * scale) / gain, noiseMm: (Math.sqrt(updatedNoise) * scale) / gain, surprise }
}

/** How what is seen differs from what a filter counts, how that moves with each of the five, and the filter's own variance of it. */
function viewOf({ mean, spread }: Pick<Member, 'mean' | 'spread'>, moisture: number, scale: number): { miss: number; toward: number[]; known: number } {
  const [d, c, , gain] = mean as [number, number, number, number, number]
  const h = [-gain / scale, 1, 0, -d / scale, 0]
  const toward = h.map((_, i) => h.reduce((sum, weight, j) => sum + weight * spread[i * SIZE + j]!, 0))
  return { miss: moisture - (c - (gain * d) / scale), toward, known: h.reduce((sum, weight, i) => sum + weight * toward[i]!, 0) }
}

const within = (value: number, [least, most]: readonly [number, number]): number => Math.min(most, Math.max(least, value))
