/**
 * FAO-56's own examples, as the paper prints them (https://www.fao.org/4/x0490e/x0490e00.htm): 93 values with the tolerance of what was rounded in print.
 * Inputs are the examples'; example 38 drains before the day's use, as its table does (balance.ts, `drains`).
 */

import { describe, expect, test } from 'vitest'
import { coefficientMax, dayOfRootZone, dayOfSurface, depletionFraction, effectiveRainMm, stress, totalAvailableMm, totalEvaporableMm } from '../../../actors/farm/balance.ts'
import { CROPS, cropOn, seasonDays } from '../../../actors/farm/crops.ts'
import {
  airPressure,
  daylightHours,
  et0OfDay,
  et0OfHour,
  et0OfTemperatures,
  extraterrestrialRadiation,
  extraterrestrialRadiationOfHour,
  meanSaturationPressure,
  netRadiation,
  radiationOfSunshine,
  radiationOfTemperatures,
  saturationPressure,
  soilHeatOfMonth,
  vapourPressureOfHumidity,
  windAt2m,
} from '../../../actors/farm/fao56.ts'
import { nitrogenOfBalance, nitrogenOfMaize } from '../../../actors/farm/nitrogen.ts'
import { middleOf, SOILS } from '../../../actors/farm/soils.ts'

type Published = readonly [what: string, computed: number, published: number, tolerance: number]

const bangkok = { temperatureMax: 34.8, temperatureMin: 25.6, vapourPressure: 2.85, wind: 2, latitude: 13.73, elevationM: 2, dayOfYear: 105 }
const bangkokRa = extraterrestrialRadiation(13.73, 105)
const bangkokRs = radiationOfSunshine(8.5, daylightHours(13.73, 105), bangkokRa)

const uccleEa = vapourPressureOfHumidity({ temperatureMax: 21.5, temperatureMin: 12.3, humidityMax: 84, humidityMin: 63 })
const uccleWind = windAt2m(10 / 3.6, 10)
const uccle = { temperatureMax: 21.5, temperatureMin: 12.3, vapourPressure: uccleEa, wind: uccleWind, latitude: 50.8, elevationM: 100, dayOfYear: 187 }
const uccleRa = extraterrestrialRadiation(50.8, 187)
const uccleRs = radiationOfSunshine(9.25, daylightHours(50.8, 187), uccleRa)

// N'Diaye's clock is that of 15° west, an hour behind UTC.
const ndiaye = { latitude: 16.22, longitude: -16.25, elevationM: 8, dayOfYear: 274, clearnessAtNight: 0.8 }
const lyon = (wind: number): number => {
  const day = { temperatureMax: 26.6, temperatureMin: 14.8, elevationM: 200, latitude: 45.72, dayOfYear: 196 }
  const radiation = radiationOfTemperatures(day, extraterrestrialRadiation(45.72, 196), 0.16)
  return et0OfDay({ ...day, vapourPressure: saturationPressure(14.8), wind, radiation })
}

const WEATHER: Published[] = [
  ['Ex 8 Ra, 20° south, 3 September', extraterrestrialRadiation(-20, 246), 32.2, 0.06],
  ['Ex 2 pressure at 1800 m', airPressure(1800), 81.8, 0.06],
  ['Ex 17 Bangkok in April, ET0', et0OfDay({ ...bangkok, radiation: bangkokRs, soilHeat: soilHeatOfMonth(30.2, 29.2) }), 5.72, 0.03],
  ['Ex 17 Ra', bangkokRa, 38.06, 0.08],
  ['Ex 17 Rs', bangkokRs, 22.65, 0.08],
  ['Ex 17 Rn', netRadiation(bangkok, bangkokRs, bangkokRa), 14.33, 0.08],
  ['Ex 17 es', meanSaturationPressure(34.8, 25.6), 4.42, 0.08],
  ['Ex 18 wind at 2 m', uccleWind, 2.078, 0.002],
  ['Ex 18 ea', uccleEa, 1.409, 0.001],
  ['Ex 18 Uccle on 6 July, ET0', et0OfDay({ ...uccle, radiation: uccleRs }), 3.88, 0.02],
  ['Ex 18 Ra', uccleRa, 41.09, 0.05],
  ['Ex 18 Rs', uccleRs, 22.07, 0.05],
  ['Ex 18 Rn', netRadiation(uccle, uccleRs, uccleRa), 13.28, 0.05],
  ['Ex 18 es', meanSaturationPressure(21.5, 12.3), 1.997, 0.05],
  ["Ex 19 N'Diaye, 2 to 3 h, ET0", et0OfHour({ ...ndiaye, temperature: 28, humidity: 90, wind: 1.9, radiation: 0, middleUtcHour: 3.5 }), 0, 0.006],
  ["Ex 19 N'Diaye, 14 to 15 h, ET0", et0OfHour({ ...ndiaye, temperature: 38, humidity: 52, wind: 3.3, radiation: 2.45, middleUtcHour: 15.5 }), 0.63, 0.006],
  ['Ex 19 Ra of 14 to 15 h', extraterrestrialRadiationOfHour(ndiaye, 274, 15.5), 3.543, 0.005],
  ['Ex 20 Lyon in July, ET0 with wind of 2', lyon(2), 4.56, 0.03],
  ['Ex 20 Lyon in July, ET0 with wind of 1', lyon(1), 4.2, 0.06],
  ['Ex 20 Lyon in July, ET0 with wind of 3', lyon(3), 4.8, 0.06],
  ['Ex 20 Lyon in July, Hargreaves', et0OfTemperatures({ temperatureMax: 26.6, temperatureMin: 14.8, latitude: 45.72, dayOfYear: 196 }), 5, 0.06],
]

const LOAMY_SAND = [0.15, 0.06] as const
const SILT = [0.32, 0.15] as const
const SILTY_CLAY = [0.35, 0.23] as const
const STORES: [string, readonly [number, number], number, number, number, number][] = [
  ['onion on loamy sand', LOAMY_SAND, 0.4, 0.3, 36, 11],
  ['onion on silt', SILT, 0.4, 0.3, 68, 20],
  ['onion on silty clay', SILTY_CLAY, 0.4, 0.3, 48, 14],
  ['tomato on loamy sand', LOAMY_SAND, 0.8, 0.4, 72, 29],
  ['tomato on silt', SILT, 0.8, 0.4, 136, 54],
  ['tomato on silty clay', SILTY_CLAY, 0.8, 0.4, 96, 38],
  ['maize on loamy sand', LOAMY_SAND, 1.2, 0.55, 108, 59],
  ['maize on silt', SILT, 1.2, 0.55, 204, 112],
  ['maize on silty clay', SILTY_CLAY, 1.2, 0.55, 144, 79],
]

/** Example 36: TAW and RAW. */
const stores = (): Published[] =>
  STORES.flatMap(([name, [capacity, wilting], root, p, total, ready]): Published[] => {
    const totalMm = totalAvailableMm(capacity, wilting, root)
    return [[`Ex 36 TAW, ${name}`, totalMm, total, 0.51], [`Ex 36 RAW, ${name}`, p * totalMm, ready, 0.51]]
  })

/** Example 37: a tomato runs dry for ten days. */
function drying(): Published[] {
  const published: [ks: number, depletion: number][] = [[1, 61], [1, 67], [0.97, 72.8], [0.91, 78.3], [0.85, 83.4], [0.8, 88.2], [0.75, 92.6], [0.7, 96.9], [0.66, 100.8], [0.62, 104.5]]
  const totalMm = totalAvailableMm(0.32, 0.12, 0.8)
  let depletionMm = 55
  return published.flatMap(([ks, depletion], day): Published[] => {
    const end = dayOfRootZone({ depletionMm, totalMm, fraction: 0.4, cropUseMm: 1.2 * 5 })
    depletionMm = end.depletionMm
    return [[`Ex 37 day ${day + 1}, Ks`, end.stress, ks, 0.006], [`Ex 37 day ${day + 1}, Dr`, depletionMm, depletion, 0.07]]
  })
}

const ET0 = [4.5, 5, 3.9, 4.2, 4.8, 2.7, 5.8, 5.1, 4.7, 5.2]
const PRINTED_KC = [1.21, 1.21, 1.04, 0.7, 0.52, 1, 0.82, 0.55, 0.47, 1.21]

/** Example 38: the schedule of ten days on sandy loam, roots from 0.30 to 0.35 m; a day begins with water where RAW is used up. */
function schedule(): Published[] {
  const printed = [5, 12, 16, 18, 21, 18, 22, 25, 27, 6]
  const values: Published[] = []
  let irrigations = 0
  let last = 0
  let depletionMm = NaN
  printed.forEach((depletion, day) => {
    const totalMm = totalAvailableMm(0.23, 0.1, 0.3 + (0.05 * day) / 9)
    const readyMm = 0.6 * totalMm
    if (day === 0) depletionMm = readyMm
    const irrigationMm = depletionMm < readyMm ? 0 : day === 0 ? 40 : depletionMm
    if (irrigationMm > 0) [irrigations, last] = [irrigations + 1, irrigationMm]
    const end = dayOfRootZone({ depletionMm, totalMm, fraction: 0.6, cropUseMm: PRINTED_KC[day]! * ET0[day]!, rainMm: day === 5 ? 6 : 0, irrigationMm, drains: 'before' })
    depletionMm = end.depletionMm
    if (day === 0) values.push(['Ex 38 day 1, DP', end.drainedMm, 17, 0.6])
    values.push([`Ex 38 day ${day + 1}, Dr`, depletionMm, depletion, 1])
  })
  return [...values, ['Ex 38 irrigation of day 10', last, 27, 1], ['Ex 38 number of irrigations', irrigations, 2, 0]]
}

/** Example 35: the dual coefficient; sandy loam, crop of 0.3 m, wind 1.6 m/s, least humidity 35 %, fw 0.8 until the rain. */
function dual(): Published[] {
  const printed: [kc: number, etc: number][] = [[1.21, 5.5], [1.21, 6.1], [1.04, 4], [0.7, 2.9], [0.52, 2.5], [1, 2.7], [0.82, 4.7], [0.55, 2.8], [0.47, 2.2], [0.44, 2.3]]
  const totalMm = totalEvaporableMm(0.23, 0.1)
  const kcMax = coefficientMax({ kcb: 0.3, wind: 1.6, humidityMin: 35, heightM: 0.3 })
  let depletionMm = totalMm
  const days = printed.flatMap(([kc, etc], day): Published[] => {
    const end = dayOfSurface({
      depletionMm,
      totalMm,
      readilyMm: 8,
      kcb: 0.3 + (0.1 * day) / 9,
      kcMax,
      et0Mm: ET0[day]!,
      exposed: 0.92 - (0.06 * day) / 9,
      wetted: day < 5 ? 0.8 : 1,
      rainMm: day === 5 ? 6 : 0,
      irrigationMm: day === 0 ? 40 : 0,
    })
    depletionMm = end.depletionMm
    return [[`Ex 35 day ${day + 1}, Kc`, end.kc, kc, 0.08], [`Ex 35 day ${day + 1}, ETc`, end.cropUseMm, etc, 0.25]]
  })
  return [['Ex 35 Kc max', kcMax, 1.21, 0.005], ...days]
}

const ALL: Published[] = [...WEATHER, ...stores(), ...drying(), ...schedule(), ...dual()]

describe("FAO-56's published examples", () => {
  test('are 93', () => expect(new Set(ALL.map(([what]) => what)).size).toBe(93))

  test.each(ALL)('%s', (_, computed, published, tolerance) => {
    expect(Math.abs(computed - published)).toBeLessThanOrEqual(tolerance)
  })

  test('example 38 by equation 88 as printed drains 11 mm on its first day, and not the 17 of its table', () => {
    const totalMm = totalAvailableMm(0.23, 0.1, 0.3)
    const end = dayOfRootZone({ depletionMm: 0.6 * totalMm, totalMm, fraction: 0.6, cropUseMm: 1.21 * 4.5, irrigationMm: 40 })
    expect(end.drainedMm).toBeCloseTo(11.2, 1)
    expect(end.depletionMm).toBe(0)
  })
})

describe('the water of a root zone', () => {
  test('is neither made nor lost, and depletion stays within 0 and TAW', () => {
    for (const drains of ['before', 'after'] as const) {
      for (let i = 0; i < 400; i++) {
        // Every mixture of dry and wet, of small and large, without randomness: multiples of incommensurable steps.
        const at = (step: number) => (i * step) % 1
        const totalMm = 20 + 180 * at(0.6180339)
        const given = { depletionMm: totalMm * at(0.4142135), totalMm, fraction: 0.1 + 0.7 * at(0.7320508), cropUseMm: 12 * at(0.2360679), rainMm: i % 3 ? 0 : 90 * at(0.6457513), irrigationMm: i % 5 ? 0 : 60 * at(0.3166247) }
        const end = dayOfRootZone({ ...given, drains })
        expect(end.depletionMm).toBeGreaterThanOrEqual(0)
        expect(end.depletionMm).toBeLessThanOrEqual(totalMm)
        expect(end.depletionMm).toBeCloseTo(given.depletionMm - given.rainMm - given.irrigationMm + end.usedMm + end.drainedMm, 9)
        expect(end.usedMm).toBeLessThanOrEqual(given.cropUseMm + 1e-12)
      }
    }
  })

  test('stress begins at RAW and is complete at TAW; p gives way to hot days, within 0.1 and 0.8', () => {
    expect([0, 40, 60, 100].map((mm) => stress(mm, { totalMm: 100, fraction: 0.4 }))).toEqual([1, 1, 2 / 3, 0].map((ks) => expect.closeTo(ks, 12)))
    expect([depletionFraction(0.55, 5), depletionFraction(0.55, 7.5), depletionFraction(0.2, 12), depletionFraction(0.65, 0.1)]).toEqual([0.55, 0.45, 0.1, 0.8].map((p) => expect.closeTo(p, 12)))
  })

  test('a drizzle below a fifth of ET0 does not count', () => {
    expect([effectiveRainMm(0.9, 5), effectiveRainMm(1, 5), effectiveRainMm(30, 5)]).toEqual([0, 1, 30])
  })
})

describe('crops and soils', () => {
  test('the season of each crop goes through its stages, Kc within those of the table and without a jump, roots never shrink', () => {
    for (const crop of Object.values(CROPS)) {
      const days = Array.from({ length: seasonDays(crop) }, (_, day) => cropOn(crop, day))
      expect([...new Set(days.map(({ stage }) => stage))]).toEqual(['initial', 'development', 'mid-season', 'late season'])
      expect([Math.min(...days.map(({ kc }) => kc)) >= Math.min(...crop.kc) - 1e-9, Math.max(...days.map(({ kc }) => kc))]).toEqual([true, expect.closeTo(Math.max(...crop.kc), 9)])
      expect(days.slice(1).filter((day, i) => Math.abs(day.kc - days[i]!.kc) > 0.1 || day.rootM < days[i]!.rootM)).toEqual([])
      expect(days.at(-1)!.rootM).toBeCloseTo(crop.rootM, 12)
      expect([cropOn(crop, -1).stage, cropOn(crop, seasonDays(crop)).stage]).toEqual(['before planting', 'harvested'])
    }
  })

  test("the soils of the paper's examples lie within the ranges of the table, and the middles hold what its third column says", () => {
    const within = (value: number, [least, most]: readonly [number, number], slack = 1e-9) => value >= least - slack && value <= most + slack
    const examples = [['sandy-loam', 0.23, 0.1], ['loamy-sand', 0.15, 0.06], ['silt', 0.32, 0.15], ['silty-clay', 0.35, 0.23]] as const
    expect(examples.filter(([name, capacity, wilting]) => !within(capacity, SOILS[name].fieldCapacity) || !within(wilting, SOILS[name].wiltingPoint))).toEqual([])
    const available = { sand: [0.05, 0.11], 'loamy-sand': [0.06, 0.12], 'sandy-loam': [0.11, 0.15], loam: [0.13, 0.18], 'silt-loam': [0.13, 0.19], silt: [0.16, 0.2], 'silty-clay-loam': [0.13, 0.18], 'silty-clay': [0.13, 0.19], clay: [0.12, 0.2] } as const
    const wrong = Object.entries(SOILS).filter(([name, soil]) => !within(middleOf(soil.fieldCapacity) - middleOf(soil.wiltingPoint), available[name as keyof typeof available], 0.0101))
    expect(wrong).toEqual([])
  })
})

describe('nitrogen', () => {
  test('of maize is what the equation of EC117 gives, in kg a hectare', () => {
    // 200 bu/ac, 3 ppm, 2 % organic matter, 35 lb/ac of credits: 35 + 240 − 24 − 56 − 35 = 160 lb/ac.
    const field = { yieldTonnesHa: 200 / 15.93, nitratePpm: 3, organicMatter: 2, creditsKgHa: 35 * 1.1209 }
    expect(nitrogenOfMaize(field)).toBeCloseTo(160 * 1.1209, 6)
    expect(nitrogenOfMaize({ ...field, organicMatter: 9 })).toBe(nitrogenOfMaize({ ...field, organicMatter: 3 }))
    expect(nitrogenOfMaize({ ...field, nitratePpm: 60 })).toBe(0)
  })

  test('of another crop is its need less what soil and others give, over what it recovers', () => {
    expect(nitrogenOfBalance({ cropKgHa: 180, soilKgHa: 60, creditsKgHa: 30 })).toBeCloseTo(150, 9)
    expect(nitrogenOfBalance({ cropKgHa: 50, soilKgHa: 60 })).toBe(0)
  })
})
