/**
 * A season of a field whose truth is known, watered by one of several ways; and what the advisor said meanwhile, held against the truth. The advisor hears the field's
 * sensors alone, by the hour.
 * There are two truths, made unlike each other: 'layers' (actors/simulation/fields.ts) and 'columns' (farm-columns.ts).
 */

import { totalAvailableMm } from '../../actors/farm/balance.ts'
import { CROPS, cropOn, seasonDays } from '../../actors/farm/crops.ts'
import type { CropName } from '../../actors/farm/crops.ts'
import { et0OfTemperatures } from '../../actors/farm/fao56.ts'
import { dayOf, dayOfYear, parsePlot } from '../../actors/farm/plot.ts'
import { firstState, plotChanged, readingCame } from '../../actors/farm/season.ts'
import type { PlotState } from '../../actors/farm/season.ts'
import { middleOf, SOILS } from '../../actors/farm/soils.ts'
import type { SoilName } from '../../actors/farm/soils.ts'
import { fieldOf, gaugeSays, hourOf, lackingMm, meterSays, probeSays } from '../../actors/simulation/fields.ts'
import type { FieldPlan, HourOfSky } from '../../actors/simulation/fields.ts'
import { columnsOf } from './farm-columns.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const EFFICIENCY = 0.8
/** The hour of the evening in which whoever waters does so. */
const EVENING = 20

export interface Place {
  readonly name: string
  readonly latitude: number
  readonly elevationM: number
  readonly planted: string
  readonly hasRadiation: boolean
  sky(ms: number): HourOfSky
}

export interface HourOfTruth {
  /** What the crop would have drunk of plenty, and did drink, mm. */
  readonly wantedMm: number
  readonly drunkMm: number
  /** Of the ground. */
  readonly evaporatedMm: number
  readonly drainedMm: number
  readonly ranOffMm: number
  /** Of what was given, before it reached the ground. */
  readonly lostMm: number
}

/** A field whose water is known, and its sensors. */
export interface Truth {
  readonly probes: readonly { readonly depthM: number }[]
  /** `givenMm` is what left the pump, over the field. */
  hour(sky: HourOfSky, ms: number, givenMm: number): HourOfTruth
  /** To field capacity, within a depth. */
  lackingMm(depthM: number): number
  /** Percent. */
  probeSays(probe: number, ms: number): number
  gaugeSays(rainMm: number): number
  meterSays(givenMm: number): number
}

export const TRUTHS = {
  layers(plan: FieldPlan, seed: number): Truth {
    const field = fieldOf(plan, seed)
    return {
      probes: field.probes.map(({ layer }) => ({ depthM: layer === 0 ? 0.15 : 0.5 })),
      hour: (sky, ms, givenMm) => hourOf(field, sky, ms, givenMm),
      lackingMm: (depthM) => lackingMm(field, depthM),
      probeSays: (probe, ms) => probeSays(field, probe, ms),
      gaugeSays: (rainMm) => gaugeSays(field, rainMm),
      meterSays: (givenMm) => meterSays(field, givenMm),
    }
  },
  columns: columnsOf,
} as const satisfies Record<string, (plan: FieldPlan, seed: number) => Truth>
export type TruthName = keyof typeof TRUTHS

export type Way = 'advice' | 'fixed schedule' | 'moisture threshold' | 'nothing'

export interface Season {
  readonly givenMm: number
  readonly rainMm: number
  readonly drainedMm: number
  /** What the crop would have drunk of plenty, with what the ground gave beside it: what the field needed of rain and watering together. */
  readonly needMm: number
  /** Of what was given, before it reached the ground; and what ran off of rain and watering. */
  readonly lostMm: number
  readonly ranOffMm: number
  /** Days on which the crop drank less than 90 % of what it would have drunk of plenty. */
  readonly stressDays: number
  /** Part of what it wanted that it did not get. */
  readonly lost: number
  readonly waterings: number
  readonly days: number
  /** By horizon, of days without water between: foretold depletion less the true one, and whether the truth lay within the 95 % interval. */
  readonly errors: readonly { readonly ahead: number; readonly errorMm: number; readonly within: boolean }[]
  readonly state: PlotState
}

/** Where thirst begins to tell in the true field, as part of its available water, for a crop that FAO lets use `p` of it. */
const thirstOf = (p: number): number => (1 - p) * 0.78

export function livedSeason(place: Place, { crop: cropName, soil: soilName, way, seed, probes = true, truth = 'layers' }: { crop: CropName; soil: SoilName; way: Way; seed: number; probes?: boolean; truth?: TruthName }): Season {
  const crop = CROPS[cropName]
  const soil = SOILS[soilName]
  const [fieldCapacity, wiltingPoint] = [middleOf(soil.fieldCapacity), middleOf(soil.wiltingPoint)]
  const plantedDay = dayOf(place.planted)
  const field = TRUTHS[truth]({ fieldCapacity, wiltingPoint, rootM: crop.rootM, stageDays: crop.stageDays, fullUse: crop.kc[1] * 1.02, endShare: Math.min(1, crop.kcb[2] / crop.kcb[1]), thirst: thirstOf(crop.depletionFraction), plantedDay, efficiency: EFFICIENCY }, seed)
  const station = (metric: string) => ({ device: 'station', metric })
  const plot = parsePlot({
    name: 'North', crop: cropName, planted: place.planted, soil: soilName, areaHa: 1, latitude: place.latitude, longitude: 0, elevationM: place.elevationM, irrigation: { efficiency: EFFICIENCY },
    measures: {
      temperature: station('temperature'), humidity: place.hasRadiation ? station('humidity') : undefined, wind: station('wind'), radiation: place.hasRadiation ? station('radiation') : undefined, rain: station('rain'),
      irrigation: station('irrigation'), moisture: probes ? field.probes.map(({ depthM }, i) => ({ ...station(`moisture-${i}`), depthM })) : [],
    },
  })
  const state = firstState()
  plotChanged(state, plot)
  const days = seasonDays(crop)
  const [firstDay, lastDay] = [plantedDay - 2, plantedDay + days]
  const usual = way === 'fixed schedule' ? usualOf(place, plantedDay, days) : null
  const lacking: number[] = []
  const wet: number[] = []
  const told: { day: number; ahead: number; depletionMm: number; deviationMm: number }[] = []
  const sums = { givenMm: 0, rainMm: 0, drainedMm: 0, needMm: 0, lostMm: 0, ranOffMm: 0, stressDays: 0, wanted: 0, drunk: 0, waterings: 0 }
  let [wantedMm, drunkMm] = [0, 0]

  for (let ms = firstDay * DAY_MS; ms < lastDay * DAY_MS; ms += HOUR_MS) {
    const day = Math.floor(ms / DAY_MS)
    const age = day - plantedDay
    const sky = place.sky(ms)
    let givenMm = 0
    if ((ms / HOUR_MS) % 24 === EVENING && age >= 0) {
      const { rootM, kc } = cropOn(crop, age)
      const readyMm = crop.depletionFraction * totalAvailableMm(fieldCapacity, wiltingPoint, rootM)
      if (way === 'advice') givenMm = state.advice !== null && state.advice.waterOn !== null && state.advice.waterOn <= day ? state.advice.grossMm : 0
      else if (way === 'moisture threshold') {
        const moisture = field.probes.reduce((sum, _, i) => sum + field.probeSays(i, ms) / 100 / field.probes.length, 0)
        const threshold = fieldCapacity - crop.depletionFraction * (fieldCapacity - wiltingPoint)
        givenMm = moisture < threshold ? readyMm / EFFICIENCY : 0
      } else if (way === 'fixed schedule') {
        const { et0Mm, rainMm } = usual!(age)
        // As leaflets have it: a whole number of days, by what the soil holds for the grown crop, and the mean use of that stage less most of the mean rain.
        const every = Math.max(2, Math.min(10, Math.floor((crop.depletionFraction * totalAvailableMm(fieldCapacity, wiltingPoint, crop.rootM)) / (crop.kc[1] * et0Mm))))
        givenMm = age % every === 0 ? (Math.max(0, kc * et0Mm - 0.7 * rainMm) * every) / EFFICIENCY : 0
      }
      if (givenMm > 0) sums.waterings++
    }
    const hour = field.hour(sky, ms, givenMm)
    wantedMm += hour.wantedMm
    drunkMm += hour.drunkMm
    sums.givenMm += givenMm
    sums.rainMm += sky.rainMm
    sums.drainedMm += hour.drainedMm
    sums.needMm += hour.wantedMm + hour.evaporatedMm
    sums.lostMm += hour.lostMm
    sums.ranOffMm += hour.ranOffMm
    wet[day] = (wet[day] ?? 0) + sky.rainMm + givenMm
    if ((ms / HOUR_MS) % 24 === 23) {
      lacking[day] = field.lackingMm(cropOn(crop, age).rootM)
      if (wantedMm > 0.3 && drunkMm < 0.9 * wantedMm) sums.stressDays++
      sums.wanted += wantedMm
      sums.drunk += drunkMm
      ;[wantedMm, drunkMm] = [0, 0]
    }

    const ts = ms + HOUR_MS - 60_000
    const say = (metric: string, value: number) =>
      readingCame(state, { device: 'station', metric, ts, value, receivedAt: ts + 1_000 }, (ended) => {
        for (const ahead of [1, 3]) {
          const { depletionMm, deviationMm } = state.advice!.outlook[ahead - 1]!
          told.push({ day: ended.day, ahead, depletionMm, deviationMm })
        }
      })
    say('temperature', sky.temperature)
    if (place.hasRadiation) say('radiation', sky.radiation)
    if (place.hasRadiation) say('humidity', sky.humidity)
    say('wind', sky.wind)
    say('rain', field.gaugeSays(sky.rainMm))
    say('irrigation', field.meterSays(givenMm))
    if (probes) for (const i of field.probes.keys()) say(`moisture-${i}`, field.probeSays(i, ts))
  }

  const errors = told.flatMap(({ day, ahead, depletionMm, deviationMm }) => {
    const age = day + ahead - plantedDay
    if (age < 14 || age >= days) return []
    for (let d = day + 1; d <= day + ahead; d++) if (!(wet[d]! <= 1)) return []
    const errorMm = depletionMm - lacking[day + ahead]!
    return [{ ahead, errorMm, within: Math.abs(errorMm) <= 1.96 * deviationMm }]
  })
  const { wanted, drunk, ...rest } = sums
  return { ...rest, lost: wanted === 0 ? 0 : 1 - drunk / wanted, days, errors, state }
}

/** What is usual of a place at an age of the crop: means of five other years. */
function usualOf(place: Place, plantedDay: number, days: number): (age: number) => { et0Mm: number; rainMm: number } {
  const weeks = new Map<number, { et0Mm: number; rainMm: number; count: number }>()
  for (let year = 1; year <= 5; year++) {
    for (let age = 0; age < days; age += 2) {
      const day = plantedDay - Math.round(365.25 * year) + age
      const skies = Array.from({ length: 24 }, (_, hour) => place.sky(day * DAY_MS + hour * HOUR_MS))
      const temperatures = skies.map(({ temperature }) => temperature)
      const week = weeks.get(Math.floor(age / 14)) ?? { et0Mm: 0, rainMm: 0, count: 0 }
      week.et0Mm += et0OfTemperatures({ temperatureMax: Math.max(...temperatures), temperatureMin: Math.min(...temperatures), latitude: place.latitude, dayOfYear: dayOfYear(day) })
      week.rainMm += skies.reduce((sum, { rainMm }) => sum + rainMm, 0)
      week.count++
      weeks.set(Math.floor(age / 14), week)
    }
  }
  return (age) => {
    const { et0Mm, rainMm, count } = weeks.get(Math.floor(age / 14))!
    return { et0Mm: et0Mm / count, rainMm: rainMm / count }
  }
}

