/**
 * Does the advice water a field well? Seasons of fields whose true water is known (farm-season.ts), watered by the advice, by a fixed schedule, by a plain threshold of
 * moisture, and not at all: what was given, what was needed, what of it drained, and on how many days the crop thirsted. And are the advice's intervals what they say: foretold depletion
 * against the truth, of days without water between.
 *
 * Weather: two made climates by the hour, and measured days of Seattle 2012 to 2015 (no radiation: Hargreaves). Two truths, of other parts than each other and than the advisor:
 * an even field of two layers, and an uneven one whose probes stand in a dry or a wet spot of it and drift. All were written by the same hands: what a real field does is not
 * measured here, nor is its harvest. Constants of the advisor that were chosen by made seasons were chosen by other seeds of fields and weather (71 to 83), but for `SAFETY`, which was chosen among three by these.
 */

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { CropName } from '../../actors/farm/crops.ts'
import type { SoilName } from '../../actors/farm/soils.ts'
import { CLIMATES, skyAt } from '../../actors/simulation/fields.ts'
import type { Climate, HourOfSky } from '../../actors/simulation/fields.ts'
import { DAILY, readingsOf } from '../../actors/simulation/weather.ts'
import type { Bench, BenchRow } from './bench.ts'
import { livedSeason } from './farm-season.ts'
import type { Place, Season, Way } from './farm-season.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const WAYS: readonly Way[] = ['advice', 'fixed schedule', 'moisture threshold', 'nothing']
const FIELDS: readonly (readonly [CropName, SoilName])[] = [['maize', 'silt-loam'], ['maize', 'sandy-loam'], ['potatoes', 'loam'], ['soybeans', 'silty-clay'], ['tomatoes', 'loamy-sand'], ['onions', 'sandy-loam']]

function made(name: string, climate: Climate, seed: number): Place {
  return { name, latitude: climate.latitude, elevationM: 100, planted: '2026-04-20', hasRadiation: true, sky: (ms) => skyAt(seed, climate, ms) }
}

/** Days of Seattle as hours: temperatures along a cosine, rain at night, radiation of the range of temperatures by Bristow and Campbell (1984). */
function seattle(): Place[] {
  const folder = dirname(dirname(createRequire(import.meta.url).resolve('vega-datasets')))
  const days = new Map<number, Record<string, number>>()
  for (const { metric, ts, value } of readingsOf(readFileSync(join(folder, 'data', DAILY.file), 'utf8'), DAILY)) {
    const day = Math.floor(ts / DAY_MS)
    days.set(day, { ...days.get(day), [metric]: value })
  }
  const first = Math.min(...days.keys())
  const sky = (ms: number): HourOfSky => {
    let day = Math.floor(ms / DAY_MS)
    // Before the first year it is the years that are known, over again.
    while (day < first) day += 1461
    const { precipitation = 0, temp_max = 15, temp_min = 8, wind = 2 } = days.get(day) ?? {}
    const hour = (ms / HOUR_MS) % 24
    const temperature = (temp_max + temp_min) / 2 - ((temp_max - temp_min) / 2) * Math.cos((2 * Math.PI * (hour + 0.5 - 3.5)) / 24)
    const angle = (2 * Math.PI * (day + 10)) / 365.2425
    const declination = ((-23.44 * Math.PI) / 180) * Math.cos(angle)
    const phi = (47.6 * Math.PI) / 180
    const height = Math.max(0, Math.sin(phi) * Math.sin(declination) - Math.cos(phi) * Math.cos(declination) * Math.cos((2 * Math.PI * (hour + 0.5)) / 24))
    const clear = 0.72 * (1 - Math.exp(-0.008 * Math.max(1, temp_max - temp_min) ** 2.2))
    const vapour = (t: number) => Math.exp((17.625 * t) / (t + 243.04))
    return { temperature, humidity: Math.min(100, (100 * vapour(temp_min)) / vapour(temperature)), wind, radiation: 1361 * height * clear, rainMm: hour >= 2 && hour < 6 ? precipitation / 4 : 0 }
  }
  return [2012, 2013, 2014, 2015].map((year) => ({ name: 'Seattle', latitude: 47.6, elevationM: 100, planted: `${year}-05-01`, hasRadiation: false, sky }))
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)

export const run: Bench = ({ size }) => {
  const seeds = size === 'smoke' ? [21] : [21, 22, 23, 24, 25, 26]
  const fields = size === 'smoke' ? FIELDS.slice(0, 1) : FIELDS
  const groups: [string, Place[]][] = [
    ['dry summers', seeds.map((seed) => made('dry', CLIMATES.dry, seed))],
    ['showers', seeds.map((seed) => made('mixed', CLIMATES.mixed, seed))],
    ['Seattle', size === 'smoke' ? seattle().slice(0, 1) : seattle()],
  ]
  const rows: BenchRow[] = []
  const hashOf = (value: unknown) => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 12)
  const say = (name: string, value: number, unit: string, hash: string) => rows.push({ name, value, unit, hash })
  for (const truth of ['layers', 'columns'] as const) {
    for (const [where, places] of groups) {
      const name = truth === 'layers' ? where : `${where}, uneven field`
      const livedAll = (way: Way, probes = true): Season[] => places.flatMap((place, p) => fields.map(([crop, soil], f) => livedSeason(place, { crop, soil, way, seed: 2000 + 100 * p + f, probes, truth })))
      const runs: [string, Season[]][] = WAYS.map((way) => [way, livedAll(way)])
      runs.splice(1, 0, ['advice without probes', livedAll('advice', false)])
      for (const [way, seasons] of runs) {
        const hash = hashOf(seasons.map(({ givenMm, lost }) => [givenMm, lost]))
        const sayMean = (what: string, of: (season: Season) => number, unit = 'mm a season') => say(`${name}, ${way}: ${what}`, mean(seasons.map(of)), unit, hash)
        sayMean('water given', ({ givenMm }) => givenMm)
        sayMean('in waterings', ({ waterings }) => waterings, 'a season')
        sayMean('thirsty days', ({ stressDays }) => stressDays, 'a season')
        sayMean('drink that was lost', ({ lost }) => 100 * lost, '%')
        // Where each millimetre was to go, and went: need − rain = what watering should bring to the ground; given − lost on the way = what it brought.
        sayMean('needed by crop and ground', ({ needMm }) => needMm)
        sayMean('of it rain', ({ rainMm }) => rainMm)
        sayMean('lost on the way', ({ lostMm }) => lostMm)
        sayMean('drained', ({ drainedMm }) => drainedMm)
        sayMean('ran off', ({ ranOffMm }) => ranOffMm)
        if (!way.startsWith('advice')) continue
        for (const ahead of [1, 3]) {
          const errors = seasons.flatMap((season) => season.errors.filter((error) => error.ahead === ahead))
          say(`${name}, ${way}: depletion ${ahead} d ahead, mean error`, mean(errors.map(({ errorMm }) => Math.abs(errorMm))), 'mm', hash)
          say(`${name}, ${way}: depletion ${ahead} d ahead, lean`, mean(errors.map(({ errorMm }) => errorMm)), 'mm', hash)
          say(`${name}, ${way}: depletion ${ahead} d ahead, within 95 %`, 100 * mean(errors.map(({ within }) => (within ? 1 : 0))), '%', hash)
        }
      }
    }
  }
  return rows
}
