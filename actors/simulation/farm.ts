/**
 * A farm of soil probes: what each would measure at any instant, if nothing went wrong. What goes wrong is in faults.ts.
 *
 * Every value is a function of seed, probe and time alone, with no state in between: the farm can be asked for last night as
 * easily as for now, and a simulation that is started again goes on along the same curves.
 *
 * Picture: a field is a sponge. Irrigation fills it once a day within the hour, rain when it comes; the sun empties it towards the
 * wilting point, fast while it is full and at noon, slowly when it is dry. Four probes stand in each field.
 */

import { drawn, drawnBetween, drawnNormal } from './random.ts'

export const FARM_METRICS = ['soil_moisture', 'soil_temperature', 'ec', 'battery'] as const
export type FarmMetric = (typeof FARM_METRICS)[number]

const PROBES_PER_FIELD = 4
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** How long a rain is still felt. */
const RAIN_DAYS = 5

// First words of every place that is drawn from, so that no two uses share a number.
const Draw = { soil: 1, hour: 2, peak: 3, rain: 4, season: 5, noise: 6, battery: 7 } as const

/** What the names of its devices begin with. */
export const FARM_PREFIX = 'farm/'

export function deviceOf(probe: number): string {
  const field = Math.floor(probe / PROBES_PER_FIELD) + 1
  return `${FARM_PREFIX}field-${field}/probe-${(probe % PROBES_PER_FIELD) + 1}`
}

const smooth = (x: number) => (x <= 0 ? 0 : x >= 1 ? 1 : x * x * (3 - 2 * x))
/** −1 before dawn, 1 in the early afternoon, `lagMs` later deep in the soil. */
const daily = (atMs: number, lagMs = 0) => -Math.cos((2 * Math.PI * (atMs - lagMs - 2 * HOUR_MS)) / DAY_MS)

/** Volumetric water content in percent. */
function soilMoisture(seed: number, probe: number, atMs: number): number {
  const field = Math.floor(probe / PROBES_PER_FIELD)
  const capacity = drawnBetween(29, 36, seed, Draw.soil, field) + drawnBetween(-1.5, 1.5, seed, Draw.soil, probe, 1)
  const wilting = capacity * 0.42
  const fallHours = drawnBetween(30, 60, seed, Draw.soil, probe, 2)
  const dayStart = (day: number) => day * DAY_MS + drawnBetween(0, 24, seed, Draw.hour, field) * HOUR_MS
  const peak = (day: number) => capacity * drawnBetween(0.9, 1, seed, Draw.peak, probe, day)
  const dried = (from: number, hours: number) => wilting + (from - wilting) * Math.exp(-hours / fallHours)

  let day = Math.floor(atMs / DAY_MS)
  if (dayStart(day) > atMs) day -= 1
  const sinceMs = atMs - dayStart(day)
  const before = dried(peak(day - 1), 24)
  const filling = smooth(sinceMs / (0.75 * HOUR_MS))
  let moisture = before + (dried(peak(day), sinceMs / HOUR_MS) - before) * filling

  for (let back = 0; back < RAIN_DAYS; back++) {
    const rainDay = Math.floor(atMs / DAY_MS) - back
    if (drawn(seed, Draw.rain, rainDay) > 0.2) continue
    const rainMs = atMs - rainDay * DAY_MS - drawnBetween(0, 20, seed, Draw.rain, rainDay, 1) * HOUR_MS
    const gain = drawnBetween(1, 6, seed, Draw.rain, rainDay, 2)
    moisture += gain * smooth(rainMs / (2 * HOUR_MS)) * Math.exp(-Math.max(0, rainMs) / (30 * HOUR_MS))
  }
  return Math.min(capacity + 5, moisture - 0.25 * daily(atMs))
}

/** The farm's slow weather in °C around its mean, from one day's draw to the next. */
function season(seed: number, atMs: number): number {
  const day = Math.floor(atMs / DAY_MS)
  const [from, to] = [drawnBetween(-3, 3, seed, Draw.season, day), drawnBetween(-3, 3, seed, Draw.season, day + 1)]
  return from + (to - from) * smooth((atMs - day * DAY_MS) / DAY_MS)
}

const DECIMALS: Readonly<Record<FarmMetric, number>> = { soil_moisture: 2, soil_temperature: 2, ec: 3, battery: 3 }

/** Rounded as a probe of this kind would send it. */
export function asSent(metric: FarmMetric, value: number): number {
  const factor = 10 ** DECIMALS[metric]
  return Math.round(value * factor) / factor
}

/** What a sound probe measures: percent, °C, dS/m, V. */
export function measured(seed: number, probe: number, metric: FarmMetric, atMs: number): number {
  const noise = drawnNormal(seed, Draw.noise, probe, FARM_METRICS.indexOf(metric), atMs)
  switch (metric) {
    case 'soil_moisture':
      return asSent(metric, soilMoisture(seed, probe, atMs) + 0.06 * noise)
    case 'soil_temperature':
      return asSent(metric, 16 + season(seed, atMs) + drawnBetween(3, 5, seed, Draw.soil, probe, 3) * daily(atMs, 2 * HOUR_MS) + 0.05 * noise)
    case 'ec':
      return asSent(metric, 0.35 + 0.028 * soilMoisture(seed, probe, atMs) + drawnBetween(-0.1, 0.1, seed, Draw.soil, probe, 4) + 0.006 * noise)
    case 'battery': {
      // A solar cell fills it by day; its age takes the same from every day.
      const age = drawnBetween(0, 0.25, seed, Draw.battery, probe)
      return asSent(metric, 3.95 - age + 0.09 * daily(atMs, 3 * HOUR_MS) + 0.004 * noise)
    }
  }
}
