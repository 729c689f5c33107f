/**
 * Whether to water, when and how much, of what is believed of a plot at the end of a day.
 *
 * Owns the outlook of the next days, the choice of the evening and the amount with its interval. No rain is foretold: if it comes, the next morning's advice
 * says so. Leaves its words to words.ts. Pure.
 *
 * The choice: water on the last evening before the crop would begin to thirst (depletion beyond RAW), and give back what is lacking then, less some room where it is not sure.
 */

import { coefficientMax, coverOf, dayOfSurface, depletionFraction, totalAvailableMm, totalEvaporableMm } from './balance.ts'
import { cropOn } from './crops.ts'
import type { Stage } from './crops.ts'
import { dayGoesBy, depletionDeviation } from './filter.ts'
import type { Belief } from './filter.ts'
import { evaporableMm, usualPart } from './gather.ts'
import { dayOf } from './plot.ts'
import type { Plot } from './plot.ts'

export const OUTLOOK_DAYS = 7
/** Thirst is avoided with so many standard deviations to spare, and with no more than this part of RAW: nobody waters each day because the soil is not known. */
const SAFETY = 0.8
const SAFETY_MOST = 0.15
/**
 * A watering stops short of full by so many standard deviations of what is lacking, and by no more than this part of it: what runs over is lost, and what is not given now
 * is given next time. So whoever is sure of a field fills it, and whoever is not leaves room.
 */
const ROOM_DEVIATIONS = 0.6
const ROOM_MOST = 0.3
/** How alike the errors of two days' foretold weather are. */
const ALIKE = 0.4
/** A watering below this is not worth the walk: net mm. */
const LEAST_MM = 4
export const WITHIN_95 = 1.96

/** The end of a day to come. */
export interface Outlook {
  readonly day: number
  readonly depletionMm: number
  readonly deviationMm: number
  readonly readyMm: number
  readonly totalMm: number
  readonly cropUseMm: number
}

export interface Advice {
  /** The last day that is over. */
  readonly madeOn: number
  readonly stage: Stage
  /** The day of whose evening; null: none within the outlook. */
  readonly waterOn: number | null
  /** Gross, with what is lost on the way. What would fill the root zone lies between `leastMm` and `mostMm`, 95 times in 100. */
  readonly grossMm: number
  readonly leastMm: number
  readonly mostMm: number
  /** By how much it stops short of what is believed to fill it; gross. */
  readonly roomMm: number
  readonly litres: number
  readonly hours: number | null
  readonly outlook: readonly Outlook[]
}

export interface Given {
  /** The last day that is over. */
  readonly after: number
  readonly surface: Surface
  readonly parts: readonly number[]
  /** Standard deviation of a day's ET0 against what was foretold of it, mm. */
  readonly evaporationDoubt: number
}

export interface Surface {
  readonly depletionMm: number
  readonly wetted: number
}

/** What the crop and the wet ground use on a day, by the dual coefficient: after rain the bare ground gives as much as a crop does. */
export function surfaceOn(
  plot: Plot,
  before: Surface,
  { day, et0Mm, wind, humidityMin, rainMm, irrigationMm }: { day: number; et0Mm: number; wind: number; humidityMin: number; rainMm: number; irrigationMm: number },
): Surface & { kc: number; cropUseMm: number } {
  const { kcb, heightM } = cropOn(plot.crop, day - dayOf(plot.planted))
  const kcMax = coefficientMax({ kcb, wind, humidityMin, heightM })
  const exposed = Math.max(0.01, 1 - coverOf({ kcb, kcMax, heightM }))
  const wetted = rainMm > 3 ? 1 : irrigationMm > 0 ? plot.wetted : before.wetted
  const totalMm = totalEvaporableMm(plot.fieldCapacity, plot.wiltingPoint)
  const { depletionMm, kc, cropUseMm } = dayOfSurface({ depletionMm: Math.min(before.depletionMm, totalMm), totalMm, readilyMm: Math.min(plot.readilyEvaporableMm, 0.8 * totalMm), kcb, kcMax, et0Mm, exposed, wetted, rainMm, irrigationMm })
  return { depletionMm, wetted, kc, cropUseMm }
}

export function outlookOf(plot: Plot, belief: Belief, { after, surface, parts, evaporationDoubt }: Given): Outlook[] {
  const part = usualPart(parts)
  const outlook: Outlook[] = []
  let at = belief
  let ground = surface
  for (let ahead = 0; ahead < OUTLOOK_DAYS; ahead++) {
    const day = after + 1 + ahead
    const { rootM } = cropOn(plot.crop, day - dayOf(plot.planted))
    const totalMm = totalAvailableMm(plot.fieldCapacity, plot.wiltingPoint, rootM)
    const next = surfaceOn(plot, ground, { day, et0Mm: part * evaporableMm(plot, day), wind: 2, humidityMin: 45, rainMm: 0, irrigationMm: 0 })
    const { kc, cropUseMm } = next
    ground = next
    const fraction = depletionFraction(plot.crop.depletionFraction, at.use * cropUseMm)
    at = dayGoesBy(at, { totalMm, fraction, cropUseMm, cropUseDoubtMm: kc * evaporationDoubt * Math.sqrt(1 + 2 * ALIKE * ahead), rainMm: 0, irrigationMm: 0 }).belief
    outlook.push({ day, depletionMm: at.depletionMm, deviationMm: depletionDeviation(at, totalMm), readyMm: fraction * totalMm, totalMm, cropUseMm: at.use * cropUseMm })
  }
  return outlook
}

export function adviseOn(plot: Plot, belief: Belief, given: Given): Advice {
  const { after } = given
  const outlook = outlookOf(plot, belief, given)
  const { stage } = cropOn(plot.crop, after + 1 - dayOf(plot.planted))
  const none: Advice = { madeOn: after, stage, waterOn: null, grossMm: 0, leastMm: 0, mostMm: 0, roomMm: 0, litres: 0, hours: null, outlook }
  if (stage === 'before planting' || stage === 'harvested') return none
  const thirsty = outlook.findIndex(({ depletionMm, deviationMm, readyMm }) => depletionMm + Math.min(SAFETY * deviationMm, SAFETY_MOST * readyMm) > readyMm)
  if (thirsty === -1) return none
  const evening = outlook[Math.max(0, thirsty - 1)]!
  const netMm = Math.max(LEAST_MM, evening.depletionMm - Math.min(ROOM_DEVIATIONS * evening.deviationMm, ROOM_MOST * Math.max(0, evening.depletionMm)))
  const grossOf = (netMm: number) => Math.min(plot.mostMm ?? Infinity, Math.min(evening.totalMm, Math.max(0, netMm)) / plot.efficiency)
  const grossMm = grossOf(netMm)
  return {
    madeOn: after,
    stage,
    waterOn: evening.day,
    grossMm,
    leastMm: Math.min(grossMm, grossOf(evening.depletionMm - WITHIN_95 * evening.deviationMm)),
    mostMm: grossOf(evening.depletionMm + WITHIN_95 * evening.deviationMm),
    roomMm: Math.max(0, grossOf(evening.depletionMm) - grossMm),
    litres: grossMm * plot.areaHa * 10_000,
    hours: plot.rateMmHour === null ? null : grossMm / plot.rateMmHour,
    outlook,
  }
}
