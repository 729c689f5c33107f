/**
 * Three plots on an island for the demo: fields whose true water is known (fields.ts), a weather station between them, meters and probes, and farmers of three kinds.
 * North is watered well, South is forgotten for long, East gets a little each other evening.
 *
 * Owns their documents and readings: all a function of the seed and of the season, which begins each 90 days, so that a simulation that is started again goes on along the
 * same curves. Leaves sending to the command. Pure, but for the fields that it steps.
 */

import type { Reading } from '../reading/input.ts'
import { CLIMATES, fieldOf, gaugeSays, hourOf, meterSays, probeSays, skyAt } from './fields.ts'
import type { Field, FieldPlan } from './fields.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const SEASON_DAYS = 90
/** Days that the crop has behind it when its season is first shown. */
const AGE_FIRST_DAYS = 40
const EVENING = 20
const STATION = 'plots/station'

/** What the names of its devices begin with. */
export const PLOTS_PREFIX = 'plots/'

interface DemoPlot {
  readonly id: string
  readonly name: string
  readonly crop: string
  readonly soil: string
  readonly areaHa: number
  readonly plan: Omit<FieldPlan, 'plantedDay'>
  /** mm given on the evening of a day after planting. */
  given(age: number): number
}

const PLOTS: readonly DemoPlot[] = [
  {
    id: 'north', name: 'North', crop: 'maize', soil: 'silt-loam', areaHa: 1.2,
    plan: { fieldCapacity: 0.29, wiltingPoint: 0.15, rootM: 1, stageDays: [30, 40, 50, 30], fullUse: 1.2, endShare: 0.3, thirst: 0.35, efficiency: 0.8 },
    given: (age) => (age % 7 === 3 ? 45 : 0),
  },
  {
    id: 'south', name: 'South', crop: 'potatoes', soil: 'loam', areaHa: 0.4,
    plan: { fieldCapacity: 0.25, wiltingPoint: 0.12, rootM: 0.4, stageDays: [30, 35, 50, 30], fullUse: 1.15, endShare: 0.6, thirst: 0.5, efficiency: 0.8 },
    given: (age) => (age % 9 === 1 ? 40 : 0),
  },
  {
    id: 'east', name: 'East', crop: 'tomatoes', soil: 'sandy-loam', areaHa: 0.15,
    plan: { fieldCapacity: 0.23, wiltingPoint: 0.11, rootM: 0.7, stageDays: [30, 40, 45, 30], fullUse: 1.15, endShare: 0.65, thirst: 0.45, efficiency: 0.9 },
    given: (age) => (age % 2 === 0 ? 9 : 0),
  },
]

/** The day, since 1970-01-01, on which all three were planted. */
export function plantedDayAt(nowMs: number): number {
  return Math.floor((nowMs / DAY_MS - AGE_FIRST_DAYS) / SEASON_DAYS) * SEASON_DAYS
}

/** The documents of the plots by their ids, as PUT /v1/plots takes them. */
export function plotDocuments(plantedDay: number): Record<string, object> {
  const station = (metric: string) => ({ device: STATION, metric })
  return Object.fromEntries(PLOTS.map(({ id, name, crop, soil, areaHa, plan }) => [id, {
    name, crop, soil, areaHa, planted: new Date(plantedDay * DAY_MS).toISOString().slice(0, 10), latitude: CLIMATES.island.latitude, longitude: 0, elevationM: 100, zone: 'UTC',
    irrigation: { efficiency: plan.efficiency, rateMmHour: 6 },
    measures: {
      temperature: station('temperature'), humidity: station('humidity'), wind: station('wind'), radiation: station('radiation'), rain: station('rain'),
      irrigation: { device: `${PLOTS_PREFIX}${id}/meter`, metric: 'irrigation' },
      moisture: [0.15, 0.5].slice(0, plan.rootM > 0.45 ? 2 : 1).map((depthM, i) => ({ device: `${PLOTS_PREFIX}${id}/probe-${i + 1}`, metric: 'soil_moisture', depthM })),
    },
    ...(crop === 'maize' ? { nitrogen: { yieldTonnesHa: 11, nitratePpm: 4, organicMatter: 2, applied: [{ on: new Date((plantedDay + 2) * DAY_MS).toISOString().slice(0, 10), kgHa: 60 }] } } : {}),
  }]))
}

/** Readings of each hour that has ended before `toMs`, from planting on or from where the last call came to; those before `fromMs` are left out. */
export class PlotsFarm {
  readonly #seed: number
  readonly #plantedDay: number
  readonly #fields: readonly Field[]
  #atMs: number

  constructor(seed: number, plantedDay: number) {
    this.#seed = seed
    this.#plantedDay = plantedDay
    this.#fields = PLOTS.map(({ plan }, i) => fieldOf({ ...plan, plantedDay }, seed * 100 + i))
    this.#atMs = plantedDay * DAY_MS
  }

  hours(fromMs: number, toMs: number): Reading[] {
    const readings: Reading[] = []
    const rounded = (value: number, decimals: number) => Number(value.toFixed(decimals))
    for (; this.#atMs + HOUR_MS <= toMs; this.#atMs += HOUR_MS) {
      const ms = this.#atMs
      const sky = skyAt(this.#seed, CLIMATES.island, ms)
      const ts = ms + HOUR_MS - 30_000
      const told = ts >= fromMs
      const say = (device: string, metric: string, value: number) => told && readings.push({ device, metric, ts, value })
      say(STATION, 'temperature', rounded(sky.temperature, 2))
      say(STATION, 'humidity', rounded(sky.humidity, 1))
      say(STATION, 'wind', rounded(sky.wind, 2))
      say(STATION, 'radiation', rounded(sky.radiation, 1))
      say(STATION, 'rain', gaugeSays(this.#fields[0]!, sky.rainMm))
      PLOTS.forEach(({ id, given, plan }, i) => {
        const field = this.#fields[i]!
        const givenMm = (ms / HOUR_MS) % 24 === EVENING ? given(Math.floor(ms / DAY_MS) - this.#plantedDay) : 0
        hourOf(field, sky, ms, givenMm)
        say(`${PLOTS_PREFIX}${id}/meter`, 'irrigation', rounded(meterSays(field, givenMm), 2))
        field.probes.slice(0, plan.rootM > 0.45 ? 2 : 1).forEach((_, probe) => say(`${PLOTS_PREFIX}${id}/probe-${probe + 1}`, 'soil_moisture', rounded(probeSays(field, probe, ts), 2)))
      })
    }
    return readings
  }
}
