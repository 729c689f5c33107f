/** Advice in the words of a farmer: what to do in one sentence, and why in a few. Pure. */

import type { Advice } from './advice.ts'
import { useDeviation } from './filter.ts'
import type { Plot } from './plot.ts'
import { HORIZONS, nitrogenOf } from './season.ts'
import type { PlotDay, PlotState } from './season.ts'

const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const RECENT_DAYS = 7

/** 1970-01-01 was a Thursday. */
const weekday = (day: number): string => WEEKDAYS[(((day + 4) % 7) + 7) % 7]!
const whole = (value: number): string => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',')
/** Nobody doses to the litre: three digits. */
const roughly = (value: number): number => (value > 0 ? Number(value.toPrecision(3)) : 0)
const tenth = (value: number): string => String(Math.round(value * 10) / 10)

function eveningOf(advice: Advice): string {
  const ahead = advice.waterOn! - advice.madeOn
  return ahead <= 1 ? 'this evening' : ahead === 2 ? 'tomorrow evening' : `on ${weekday(advice.waterOn!)} evening`
}

/** What to do, in one sentence. */
export function adviceWords(plot: Plot, advice: Advice): string {
  if (advice.stage === 'before planting') return `Nothing to water on plot ${plot.name}: it is planted on ${plot.planted}.`
  if (advice.stage === 'harvested') return `Nothing to water on plot ${plot.name}: its season is over.`
  if (advice.waterOn === null) return `No water needed on plot ${plot.name} for at least ${advice.outlook.length} days.`
  const hours = advice.hours === null ? '' : `, ${tenth(advice.hours)} hours`
  return `Water ${eveningOf(advice)}, ${whole(advice.grossMm)} mm on plot ${plot.name} (${whole(roughly(advice.litres))} litres${hours}).`
}

/** Of an alert; null where there is nothing to do before the day after tomorrow. */
export function urgencyOf(advice: Advice, last: PlotDay): 'info' | 'warning' | 'critical' | null {
  if (advice.waterOn === null || advice.waterOn - advice.madeOn > 2) return null
  if (last.depletionMm > last.readyMm * 1.15) return 'critical'
  return advice.waterOn - advice.madeOn <= 1 ? 'warning' : 'info'
}

/** Why, the weightiest first. */
export function reasonsOf(state: PlotState): string[] {
  const { plot, advice, belief } = state
  const last = state.days.at(-1)
  if (plot === null || advice === null || belief === null || last === undefined) return []
  const reasons: string[] = []
  const recent = state.days.slice(-RECENT_DAYS)
  const sum = (of: (day: PlotDay) => number) => recent.reduce((total, day) => total + of(day), 0)
  const holds = `all they hold: ${whole(last.totalMm)} mm`
  if (last.depletionMm > last.readyMm) reasons.push(`The crop is thirsty: the roots lack ${whole(last.depletionMm)} mm, and thirst begins at ${whole(last.readyMm)} (${holds}).`)
  else if (last.depletionMm < 0.5) reasons.push(`The soil about the roots is full (${holds}).`)
  else reasons.push(`The roots lack ${whole(last.depletionMm)} mm of the ${whole(last.readyMm)} mm that they may draw without thirst (${holds}).`)
  if (advice.waterOn !== null && advice.grossMm > 0) {
    const room = advice.roomMm < 1 ? '' : `; this stops ${whole(advice.roomMm)} mm short, as what runs over is lost`
    reasons.push(`Between ${whole(advice.leastMm)} and ${whole(advice.mostMm)} mm will fill them, 95 times in 100${room}. ${whole(plot.efficiency * 100)} % of what is given reaches them.`)
  }
  reasons.push(`${capital(plot.crop.name)} in ${last.stage === 'mid-season' || last.stage === 'late season' ? last.stage : `the ${last.stage} stage`} used ${tenth(sum((day) => day.usedMm) / recent.length)} mm a day this week.`)
  const [rain, given] = [sum((day) => day.rainMm), sum((day) => day.irrigationMm)]
  reasons.push(`${rain < 0.5 ? 'No rain' : `${whole(rain)} mm of rain`} and ${given < 0.5 ? 'no watering' : `${whole(given)} mm of watering`} in the last ${recent.length === 1 ? 'day' : `${recent.length} days`}; no rain is foretold here, so wait if you expect some.`)
  if (last.seenMm !== null) reasons.push(`The probes say ${tenth(last.moisture! * 100)} %, which is ${whole(Math.max(0, last.seenMm))} mm short of the ${tenth(belief.capacity * 100)} % that this field holds.`)
  if (Math.abs(belief.use - 1) > 0.05 && useDeviation(belief) < 0.1) reasons.push(`This field has used ${whole(Math.abs(belief.use - 1) * 100)} % ${belief.use > 1 ? 'more' : 'less'} than the table says; that is counted in.`)
  const surprised = recent.findLast((day) => day.surprise !== null)
  if (surprised !== undefined) {
    reasons.push(surprised.surprise === 'wetter' ? `On ${weekday(surprised.day)} the probes rose more than the water that was metered: it counts as watered.` : `On ${weekday(surprised.day)} the probes fell more than the crop could have drunk: look at them.`)
  }
  reasons.push(...doubtsOf(plot, last))
  return reasons
}

function doubtsOf(plot: Plot, last: PlotDay): string[] {
  const doubts: string[] = []
  if (last.source === 'temperatures') doubts.push('No sunlight was measured, so evaporation comes of temperatures alone.')
  if (last.source === 'last days') doubts.push(`No weather was measured on ${weekday(last.day)}: it counts like the days before.`)
  if (last.source === 'season') doubts.push('No weather was ever measured here: evaporation is a rough guess by latitude and season.')
  if (last.assumed.length > 0) doubts.push(`No ${last.assumed.join(' or ')} was measured; ${last.assumed.map((what) => (what === 'wind' ? 'a light wind' : 'the dew of the night')).join(' and ')} is assumed.`)
  if (last.seenMm === null) doubts.push(plot.moisture.length === 0 ? 'No probe measures this soil: the amounts are less sure.' : 'The probes are silent: the amounts are less sure.')
  if (plot.irrigation === null && last.seenMm === null) doubts.push('No meter counts what you water: tell it, or the advice will not know.')
  return doubts
}

export function nitrogenWords(state: PlotState): string | null {
  const nitrogen = nitrogenOf(state)
  if (nitrogen === null) return null
  const { needKgHa, givenKgHa, leftKgHa, source, drainedMm } = nitrogen
  const leached = drainedMm > 20 && givenKgHa > 0 ? ` ${whole(drainedMm)} mm of water has drained since the last was given, and may have taken some along.` : ''
  return `Nitrogen: ${whole(leftKgHa)} kg/ha to give (${whole(needKgHa)} for the season by ${source}, ${whole(givenKgHa)} given).${leached}`
}

/** How good it has been so far; null before ten forecasts were graded. */
export function gradeWords({ grades }: PlotState): string | null {
  const words = HORIZONS.flatMap((horizon) => {
    const grade = grades[horizon]
    if (grade === undefined || grade.count < 10) return []
    return [`${horizon === 1 ? 'a day' : `${horizon} days`} ahead off by ${tenth(grade.absoluteMm / grade.count)} mm, within its interval ${whole((100 * grade.within) / grade.count)} times in 100`]
  })
  return words.length === 0 ? null : `So far ${words.join('; ')}.`
}

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1)
