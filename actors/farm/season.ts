/**
 * A plot through its season: readings come, days end, advice is given and graded.
 *
 * Owns the state of a plot and its steps, and when a day ends. Leaves the arithmetic to the files beside it, words to words.ts. Pure; a state is plain data.
 *
 * - S1 A day ends an hour after midnight of the plot's clock: by the readings themselves once every series that was lately heard is past it; and by ticks, so that
 *   a plot whose sensors are dead is still advised. While history is told, a day waits for all series of the plot, for as many days as fit: they come
 *   through several partitions, one of which may stand still while the others tell weeks.
 * - S2 What comes for a day that has ended is left out.
 * - S3 Advice is graded by the probes alone, on days without water in between; nothing of the count enters the grade but the forecast itself.
 */

import { adviseOn, surfaceOn, WITHIN_95 } from './advice.ts'
import type { Advice } from './advice.ts'
import { depletionFraction, effectiveRainMm, totalAvailableMm } from './balance.ts'
import { cropOn } from './crops.ts'
import type { Stage } from './crops.ts'
import { dayGoesBy, depletionDeviation, firstBelief, moistureSeen } from './filter.ts'
import type { Belief } from './filter.ts'
import { evaporableMm, gather, gathered, MEASURES, usualPart, waterOf, weatherOf } from './gather.ts'
import type { EtSource, Gathered, Meter } from './gather.ts'
import { nitrogenOfBalance, nitrogenOfMaize } from './nitrogen.ts'
import { dayAt, dayOf, offsetAt, startOf } from './plot.ts'
import type { Plot, Source } from './plot.ts'

const HOUR_MS = 3_600_000
/** A day ends so long after its midnight. */
const GRACE_MS = HOUR_MS
/** A series that was not heard for so long holds up nobody. */
const SILENT_MS = 6 * HOUR_MS
/** Where some series are of long ago and others are not, as by a clock that is wrong, so long. */
const SILENT_TELLING_MS = 5 * 24 * HOUR_MS
/** What is older than this when it comes is history. */
const SILENT_TOLD_MS = 48 * HOUR_MS
/** Nothing but history came until so long ago, by the log's time: a series may still be behind. */
const HISTORY_MS = 60_000
/** A plot that hears of long ago, and did so within this, is being told its history: ticks do not end its days. */
const TELLING_MS = 15 * 60_000
/** Probes are heard as a mean that forgets within about so long. */
const PROBE_MEMORY_MS = HOUR_MS
/** A state is read and written at every step: what happened longer ago is in the view. */
const DAYS_KEPT = 7
/** After a long silence only so many days are told. */
const DAYS_MISSED_MAX = 60
const PARTS_KEPT = 14
const OPEN_DAYS_MAX = 45
/** Of a state's bytes, those that open days may take; and those of a day, and of a probe in it. */
const OPEN_BYTES = 32_000
const OPEN_DAY_BYTES = 640
const OPEN_PROBE_BYTES = 80
/** mm of net water on a day, above which forecasts that span it are not graded. */
const DRY_MM = 1
/** Days ahead that are graded. */
export const HORIZONS = [1, 3] as const
/** ET0 of a day against what was foretold, mm, until the plot has shown its own. */
const EVAPORATION_DOUBT_FIRST = 0.9

export interface PlotDay {
  readonly day: number
  readonly stage: Stage
  readonly et0Mm: number
  readonly source: EtSource
  readonly assumed: readonly string[]
  readonly kc: number
  /** What the crop used, thirst counted. */
  readonly usedMm: number
  readonly rainMm: number
  /** Gross. */
  readonly irrigationMm: number
  readonly drainedMm: number
  readonly depletionMm: number
  readonly deviationMm: number
  /** By the probes alone. */
  readonly seenMm: number | null
  /** m³/m³. */
  readonly moisture: number | null
  readonly surprise: 'wetter' | 'drier' | null
  readonly stress: number
  readonly readyMm: number
  readonly totalMm: number
}

export interface Grade {
  count: number
  within: number
  errorMm: number
  absoluteMm: number
}

interface Foretold {
  readonly horizon: number
  readonly day: number
  readonly depletionMm: number
  readonly deviationMm: number
}

export interface PlotState {
  plot: Plot | null
  /** Why the document is none. */
  problem: string | null
  /** Days that have not ended. */
  open: Gathered[]
  endedTo: number | null
  /** Newest reading of each series, epoch ms; and when the newest of all came. */
  heard: Record<string, number>
  heardAt: number
  /** When something of long ago came last; and when nothing but that had ever come. */
  toldAt: number
  pastAt: number
  left: number
  meters: Record<string, Meter>
  belief: Belief | null
  /** What has evaporated of the top layer, mm, and which part of it the last water wetted. */
  surface: { depletionMm: number; wetted: number }
  /** ET0 of the last days, each as part of what the radiation above the air could have evaporated. */
  parts: number[]
  evaporationVariance: number
  days: PlotDay[]
  foretold: Foretold[]
  grades: Record<string, Grade>
  /** Days that ended beyond RAW by the probes; of them those for which advice of the day before had not asked for water. */
  thirstyDays: number
  unwarnedDays: number
  advice: Advice | null
  /** Since the last nitrogen was given. */
  drainedMm: number
}

export function firstState(): PlotState {
  return {
    plot: null,
    problem: null,
    open: [],
    endedTo: null,
    heard: {},
    heardAt: 0,
    toldAt: 0,
    pastAt: 0,
    left: 0,
    meters: {},
    belief: null,
    surface: { depletionMm: 0, wetted: 1 },
    parts: [],
    evaporationVariance: EVAPORATION_DOUBT_FIRST ** 2,
    days: [],
    foretold: [],
    grades: {},
    thirstyDays: 0,
    unwarnedDays: 0,
    advice: null,
    drainedMm: 0,
  }
}

/** The plot as it is from now on. What was learned stays, but where roots or soil are others. */
export function plotChanged(state: PlotState, plot: Plot): void {
  const before = state.plot
  state.plot = plot
  state.problem = null
  if (before !== null && (before.soil !== plot.soil || before.fieldCapacity !== plot.fieldCapacity || before.crop.name !== plot.crop.name || before.planted !== plot.planted)) state.belief = null
}

export interface PlotReading extends Source {
  readonly ts: number
  readonly value: number
  readonly receivedAt: number
}

const isOf = (source: Source | null, { device, metric }: Source): boolean => source !== null && source.device === device && source.metric === metric

/** Whether a series says anything of a plot. */
export function concerns(plot: Plot, series: Source): boolean {
  return MEASURES.some((measure) => isOf(plot[measure], series)) || isOf(plot.rain, series) || isOf(plot.irrigation, series) || plot.moisture.some((source) => isOf(source, series))
}

/** The names of all series that a plot is measured by. */
function seriesOf(plot: Plot): string[] {
  const sources = [...MEASURES.map((measure) => plot[measure]), plot.rain, plot.irrigation, ...plot.moisture]
  return sources.filter((source) => source !== null).map(({ device, metric }) => `${device} ${metric}`)
}

const openDaysMax = ({ moisture }: Plot): number => Math.min(OPEN_DAYS_MAX, Math.max(4, Math.floor(OPEN_BYTES / (OPEN_DAY_BYTES + OPEN_PROBE_BYTES * moisture.length))))

/** Calls `ended` for each day that the reading shows to be over. */
export function readingCame(state: PlotState, reading: PlotReading, ended: (day: PlotDay) => void): void {
  const { plot } = state
  if (plot === null) return
  const { ts, value } = reading
  const series = `${reading.device} ${reading.metric}`
  state.heardAt = Math.max(state.heardAt, reading.receivedAt)
  // A clock that is ahead must not end the day.
  const heardMs = Math.min(ts, reading.receivedAt)
  if (!(state.heard[series]! >= heardMs)) state.heard[series] = heardMs
  const newest = Math.max(...Object.values(state.heard))
  if (reading.receivedAt - ts > SILENT_TOLD_MS) state.toldAt = Math.max(state.toldAt, reading.receivedAt)
  if (reading.receivedAt - newest > SILENT_TOLD_MS) state.pastAt = reading.receivedAt
  const isHistory = reading.receivedAt - (state.pastAt ?? 0) < HISTORY_MS
  const isTold = reading.receivedAt - state.toldAt < TELLING_MS
  const silentMs = isTold ? SILENT_TELLING_MS : SILENT_MS
  const waitedFor = isHistory ? seriesOf(plot).map((name) => state.heard[name] ?? -Infinity) : Object.values(state.heard).filter((ms) => newest - ms < silentMs)
  endDays(state, Math.min(...waitedFor), ended)

  const day = dayAt(plot, ts)
  state.endedTo ??= day - 1
  if (day <= state.endedTo) {
    state.left++
    return
  }
  let into = state.open.find((open) => open.day === day)
  if (into === undefined) {
    if (day > dayAt(plot, reading.receivedAt) + 1) return
    // The oldest day has waited long enough where no more fit.
    if (state.open.length >= openDaysMax(plot)) {
      const oldest = state.open.reduce((least, open) => Math.min(least, open.day), Infinity)
      endDays(state, startOf(plot, Math.min(oldest, day - 1) + 1) + GRACE_MS, ended)
      if (day <= state.endedTo || state.open.length >= openDaysMax(plot)) return
    }
    state.open.push((into = gathered(day)))
  }
  for (const source of plot.moisture) {
    if (!isOf(source, reading)) continue
    const moisture = source.unit === 'percent' ? value / 100 : value
    const last = into.probes[series]
    if (moisture < 0 || moisture > 0.8 || (last !== undefined && ts <= last[0])) continue
    const weight = last === undefined ? 1 : 1 - Math.exp(-(ts - last[0]) / PROBE_MEMORY_MS)
    into.probes[series] = [ts, last === undefined ? moisture : last[1] + weight * (moisture - last[1])]
  }
  const hour = Math.floor((ts + offsetAt(plot, ts) - day * 24 * HOUR_MS) / HOUR_MS)
  for (const measure of MEASURES) if (isOf(plot[measure], reading)) gather(into, measure, hour, value)
  if (isOf(plot.rain, reading)) {
    into.rainMm += waterOf(plot.rain!, state.meters, { ts, value, areaHa: plot.areaHa })
  }
  if (isOf(plot.irrigation, reading)) {
    into.irrigationMm += waterOf(plot.irrigation!, state.meters, { ts, value, areaHa: plot.areaHa })
  }
}

export function timePassed(state: PlotState, nowMs: number, ended: (day: PlotDay) => void): void {
  if (state.plot === null) return
  const newest = Math.max(-Infinity, ...Object.values(state.heard))
  if (nowMs - state.heardAt < TELLING_MS && (newest < nowMs - SILENT_MS || nowMs - state.toldAt < TELLING_MS)) return
  state.endedTo ??= dayAt(state.plot, nowMs) - 1
  endDays(state, nowMs, ended)
}

function endDays(state: PlotState, nowMs: number, ended: (day: PlotDay) => void): void {
  const plot = state.plot!
  if (state.endedTo === null) return
  let day = state.endedTo + 1
  if (startOf(plot, day + 1) + GRACE_MS > nowMs) return
  day = Math.max(day, dayAt(plot, nowMs) - DAYS_MISSED_MAX)
  for (; startOf(plot, day + 1) + GRACE_MS <= nowMs; day++) ended(endDay(state, plot, day))
}

function endDay(state: PlotState, plot: Plot, day: number): PlotDay {
  const known = state.open.find((open) => open.day === day) ?? gathered(day)
  state.open = state.open.filter((open) => open.day > day)
  state.endedTo = day

  const foretoldMm = usualPart(state.parts) * evaporableMm(plot, day)
  const weather = weatherOf(plot, known, state.parts)
  const { et0Mm } = weather
  if (weather.source === 'penman-monteith' || weather.source === 'temperatures') {
    if (state.parts.length > 0) state.evaporationVariance = 0.93 * state.evaporationVariance + 0.07 * (et0Mm - foretoldMm) ** 2
    state.parts = [...state.parts, et0Mm / evaporableMm(plot, day)].slice(-PARTS_KEPT)
  }

  const { rootM, stage } = cropOn(plot.crop, day - dayOf(plot.planted))
  const totalMm = totalAvailableMm(plot.fieldCapacity, plot.wiltingPoint, rootM)
  const surface = surfaceOn(plot, state.surface, { day, ...weather, rainMm: known.rainMm, irrigationMm: known.irrigationMm * plot.efficiency })
  const { kc, cropUseMm } = surface
  state.surface = { depletionMm: surface.depletionMm, wetted: surface.wetted }
  // What an older version believed of a plot is of another form: it is learned anew.
  if (state.belief?.members === undefined) state.belief = null
  const before = (state.belief ??= firstBelief({ readyMm: plot.crop.depletionFraction * totalMm, capacity: plot.fieldCapacity, capacityDeviation: plot.soilDeviation }))
  const fraction = depletionFraction(plot.crop.depletionFraction, before.use * cropUseMm)
  const readyMm = fraction * totalMm
  const rainMm = effectiveRainMm(known.rainMm, et0Mm)
  const netMm = known.irrigationMm * plot.efficiency
  // Weather that was not measured is as doubtful as a forecast of it.
  const cropUseDoubtMm = weather.source === 'last days' ? kc * Math.sqrt(state.evaporationVariance) : weather.source === 'season' ? 0.4 * cropUseMm : weather.source === 'temperatures' ? 0.15 * cropUseMm : 0
  const step = dayGoesBy(before, { totalMm, fraction, cropUseMm, cropUseDoubtMm, rainMm, irrigationMm: netMm })
  state.belief = step.belief

  const moisture = moistureAt(known, plot, { ms: startOf(plot, day + 1), rootM })
  let seenMm: number | null = null
  let surprise: PlotDay['surprise'] = null
  if (moisture !== null) {
    const seen = moistureSeen(step.belief, moisture, { rootM, totalMm, wet: rainMm + netMm > 5 })
    state.belief = seen.belief
    seenMm = seen.seenMm
    surprise = seen.surprise
    grade(state, { day, seenMm, noiseMm: seen.noiseMm, wet: rainMm + netMm > DRY_MM, surprise: surprise === 'wetter' })
    if (seenMm > readyMm && stage !== 'before planting' && stage !== 'harvested') {
      state.thirstyDays++
      const warned = state.advice !== null && state.advice.waterOn !== null && state.advice.waterOn <= day
      if (!warned) state.unwarnedDays++
    }
  }

  const row: PlotDay = {
    day,
    stage,
    et0Mm,
    source: weather.source,
    assumed: weather.assumed,
    kc,
    usedMm: step.usedMm,
    rainMm: known.rainMm,
    irrigationMm: known.irrigationMm,
    drainedMm: step.drainedMm,
    depletionMm: state.belief.depletionMm,
    deviationMm: depletionDeviation(state.belief, totalMm),
    seenMm,
    moisture,
    surprise,
    stress: step.stress,
    readyMm,
    totalMm,
  }
  state.days = [...state.days, row].slice(-DAYS_KEPT)
  const lastGiven = plot.nitrogen?.applied.reduce((last, { on }) => (dayOf(on) <= day ? Math.max(last, dayOf(on)) : last), -Infinity) ?? -Infinity
  state.drainedMm = lastGiven >= day ? 0 : state.drainedMm + step.drainedMm
  state.advice = adviseOn(plot, state.belief, { after: day, surface: state.surface, parts: state.parts, evaporationDoubt: Math.sqrt(state.evaporationVariance) })
  for (const horizon of HORIZONS) {
    const { depletionMm, deviationMm } = state.advice.outlook[horizon - 1]!
    state.foretold.push({ horizon, day: day + horizon, depletionMm, deviationMm })
  }
  return row
}

/**
 * What the probes that spoke lately say of the root zone; null where none did. Probes of one depth count by their middle one; each depth for the soil that is nearer to it
 * than to others.
 */
function moistureAt({ probes }: Gathered, plot: Plot, { ms, rootM }: { ms: number; rootM: number }): number | null {
  const depths = new Map<number, number[]>()
  for (const { device, metric, depthM } of plot.moisture) {
    const last = probes[`${device} ${metric}`]
    if (last !== undefined && last[0] >= ms - SILENT_MS) depths.set(depthM ?? 0, [...(depths.get(depthM ?? 0) ?? []), last[1]])
  }
  if (depths.size === 0) return null
  const levels = [...depths].sort(([a], [b]) => a - b).map(([depthM, values]) => ({ depthM, moisture: medianOf(values) }))
  let [sum, total, from] = [0, 0, 0]
  levels.forEach(({ depthM, moisture }, i) => {
    const next = levels[i + 1]
    const to = next === undefined ? Math.max(rootM, from + 0.05) : (depthM + next.depthM) / 2
    sum += moisture * (to - from)
    total += to - from
    from = to
  })
  return sum / total
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** What was foretold of this day meets the probes (S3). Water, counted or seen, makes what was foretold without it void. */
function grade(state: PlotState, { day, seenMm, noiseMm, wet, surprise }: { day: number; seenMm: number; noiseMm: number; wet: boolean; surprise: boolean }): void {
  if (wet || surprise) state.foretold = state.foretold.filter((foretold) => foretold.day < day)
  for (const { horizon, day: of, depletionMm, deviationMm } of state.foretold) {
    if (of !== day) continue
    const tally = (state.grades[horizon] ??= { count: 0, within: 0, errorMm: 0, absoluteMm: 0 })
    const errorMm = seenMm - depletionMm
    tally.count++
    tally.errorMm += errorMm
    tally.absoluteMm += Math.abs(errorMm)
    if (Math.abs(errorMm) <= WITHIN_95 * Math.hypot(deviationMm, noiseMm)) tally.within++
  }
  state.foretold = state.foretold.filter((foretold) => foretold.day > day)
}

export interface NitrogenAdvice {
  /** Of the whole season. */
  readonly needKgHa: number
  readonly givenKgHa: number
  readonly leftKgHa: number
  readonly source: string
  /** Through the root zone since the last of it was given. */
  readonly drainedMm: number
}

export function nitrogenOf({ plot, drainedMm, endedTo }: PlotState): NitrogenAdvice | null {
  if (plot === null || plot.nitrogen === null) return null
  const { yieldTonnesHa, nitratePpm, organicMatter, cropKgHa, soilKgHa, creditsKgHa, applied } = plot.nitrogen
  const byBalance = cropKgHa !== null && soilKgHa !== null
  const needKgHa = byBalance ? nitrogenOfBalance({ cropKgHa, soilKgHa, creditsKgHa }) : nitrogenOfMaize({ yieldTonnesHa: yieldTonnesHa!, nitratePpm, organicMatter, creditsKgHa })
  const givenKgHa = applied.reduce((sum, { on, kgHa }) => (endedTo === null || dayOf(on) <= endedTo + 1 ? sum + kgHa : sum), 0)
  return { needKgHa, givenKgHa, leftKgHa: Math.max(0, needKgHa - givenKgHa), source: byBalance ? 'mass balance (Stanford 1973), 60 % recovered' : 'University of Nebraska, EC117', drainedMm }
}
