/**
 * Fields whose true water is known: what rains on them, what is given to them, what their crop drinks, and what imperfect sensors say of it.
 *
 * It is there to grade advice, so it shares no equation with it (actors/farm): evaporation by Priestley and Taylor (1972) with the wind's share added, a canopy that
 * grows logistically, thirst as a smooth curve of the water around the roots, two layers of soil that drain for days, all by the hour. Soils, canopies, pumps,
 * gauges and probes differ from what is written of them, by the seed. Only the crop's calendar and the soil's texture are what the farmer knows of it, roughly.
 *
 * Owns the weather of places, the truth of a field from hour to hour, and its sensors. Leaves who waters, and when, to whoever steps it. Pure.
 */

import { drawn, drawnBetween, drawnNormal } from './random.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

// First words of every place that is drawn from, so that no two uses share a number.
const Draw = { sky: 11, warmth: 12, rain: 13, wind: 14, air: 15, soil: 16, crop: 17, gear: 18, probe: 19, noise: 20 } as const

export interface Climate {
  readonly latitude: number
  /** Of the year and between its coldest and warmest month, °C; ends of the range between night and day. */
  readonly meanTemperature: number
  readonly seasonTemperature: number
  readonly dailyRange: readonly [cloudy: number, clear: number]
  /** Chance of rain on a day, and its mean, mm. */
  readonly rainChance: number
  readonly rainMm: number
  readonly wind: number
  /** °C that the dew point lies below the night's least temperature: dry air. */
  readonly dryness: number
}

export const CLIMATES = {
  /** An irrigated plain with hot dry summers. */
  dry: { latitude: 38, meanTemperature: 17, seasonTemperature: 9, dailyRange: [9, 16], rainChance: 0.05, rainMm: 8, wind: 2.6, dryness: 3 },
  /** Mild, with showers that come as they like. */
  mixed: { latitude: 48, meanTemperature: 10, seasonTemperature: 10, dailyRange: [6, 13], rainChance: 0.28, rainMm: 7, wind: 2.2, dryness: 0.5 },
  /** Warm the year round, with rare cloudbursts. */
  island: { latitude: 28, meanTemperature: 20, seasonTemperature: 3.5, dailyRange: [5, 9], rainChance: 0.07, rainMm: 14, wind: 3.4, dryness: 1 },
} as const satisfies Record<string, Climate>

export interface HourOfSky {
  readonly temperature: number
  /** Percent. */
  readonly humidity: number
  readonly wind: number
  /** W/m². */
  readonly radiation: number
  readonly rainMm: number
}

const smooth = (x: number) => (x <= 0 ? 0 : x >= 1 ? 1 : x * x * (3 - 2 * x))
const vapour = (temperature: number) => 0.61094 * Math.exp((17.625 * temperature) / (temperature + 243.04))

/** W/m² above the air, on the level, by the sun's height; solar time is UTC. */
function sunAbove(latitude: number, ms: number): number {
  const day = ms / DAY_MS
  const declination = (-23.44 * Math.PI) / 180 * Math.cos((2 * Math.PI * (day + 10)) / 365.2425)
  const phi = (latitude * Math.PI) / 180
  const hour = 2 * Math.PI * (day - Math.floor(day) - 0.5)
  return 1361 * Math.max(0, Math.sin(phi) * Math.sin(declination) + Math.cos(phi) * Math.cos(declination) * Math.cos(hour))
}

/** How clear a day is, 0 to 1; days come in spells. */
function clearness(seed: number, day: number): number {
  const spell = drawn(seed, Draw.sky, Math.floor(day / 4), 1)
  return 0.6 * drawn(seed, Draw.sky, day) + 0.4 * spell
}

function rainOn(seed: number, { rainChance, rainMm }: Climate, day: number): { mm: number; atHour: number; hours: number } {
  const clear = clearness(seed, day)
  const chance = Math.min(0.95, rainChance * (clear < 0.35 ? 2.4 : clear < 0.6 ? 1 : 0.3))
  if (drawn(seed, Draw.rain, day) >= chance) return { mm: 0, atHour: 0, hours: 1 }
  return { mm: -rainMm * Math.log(1 - 0.98 * drawn(seed, Draw.rain, day, 1)), atHour: Math.floor(drawnBetween(0, 20, seed, Draw.rain, day, 2)), hours: 1 + Math.floor(drawnBetween(0, 4, seed, Draw.rain, day, 3)) }
}

/** The weather of the hour that begins at `ms` (a whole hour). */
export function skyAt(seed: number, climate: Climate, ms: number): HourOfSky {
  const day = Math.floor(ms / DAY_MS)
  const hour = Math.floor((ms - day * DAY_MS) / HOUR_MS)
  const part = (ms - day * DAY_MS) / DAY_MS
  const warmth = drawnNormal(seed, Draw.warmth, day) + (drawnNormal(seed, Draw.warmth, day + 1) - drawnNormal(seed, Draw.warmth, day)) * smooth(part)
  const season = (climate.latitude >= 0 ? -1 : 1) * Math.cos((2 * Math.PI * (day - 20)) / 365.2425)
  const clear = clearness(seed, day)
  const range = climate.dailyRange[0] + (climate.dailyRange[1] - climate.dailyRange[0]) * clear
  const mean = climate.meanTemperature + climate.seasonTemperature * season + 2 * warmth
  const temperature = mean - (range / 2) * Math.cos(2 * Math.PI * (part - 3.5 / 24)) + 0.3 * drawnNormal(seed, Draw.air, day, hour)
  const dew = mean - range / 2 - climate.dryness * (0.5 + clear)
  const rain = rainOn(seed, climate, day)
  const raining = rain.mm > 0 && hour >= rain.atHour && hour < rain.atHour + rain.hours
  const humidity = raining ? 97 : Math.min(100, (100 * vapour(dew)) / vapour(temperature))
  const gust = Math.exp(0.35 * drawnNormal(seed, Draw.wind, day))
  const wind = Math.max(0.3, climate.wind * gust * (0.7 + 0.6 * smooth(Math.sin(Math.PI * Math.max(0, part * 24 - 7) / 14))))
  const radiation = sunAbove(climate.latitude, ms + HOUR_MS / 2) * (0.2 + 0.55 * clear)
  return { temperature, humidity, wind, radiation, rainMm: raining ? rain.mm / rain.hours : 0 }
}

/** What a farmer writes down of a field; the truth is near it. */
export interface FieldPlan {
  /** m³/m³, of the texture. */
  readonly fieldCapacity: number
  readonly wiltingPoint: number
  readonly rootM: number
  readonly stageDays: readonly [number, number, number, number]
  /** Of the full canopy against bare wet ground. */
  readonly fullUse: number
  /** Of the full canopy's use, what is left at harvest. */
  readonly endShare: number
  /** Part of the available water below which the crop drinks half as easily. */
  readonly thirst: number
  readonly plantedDay: number
  readonly efficiency: number
}

/** The truth of a field. */
export interface Field {
  readonly plan: FieldPlan
  readonly seed: number
  readonly capacity: number
  readonly wilting: number
  readonly drainPerHour: number
  readonly efficiency: number
  /** Probes: two depths, each with a bias and a gain. */
  readonly probes: readonly { readonly layer: 0 | 1; readonly bias: number; readonly gain: number }[]
  readonly meterGain: number
  readonly gaugeGain: number
  readonly calendar: number
  readonly thirst: number
  readonly fullUse: number
  /** Water of the two layers, m³/m³, and of the surface, mm. */
  top: number
  deep: number
  surfaceMm: number
  waitingMm: number
}

const TOP_M = 0.3
const SURFACE_MM = 17

/** The field as it is before planting: somewhere below field capacity. */
export function fieldOf(plan: FieldPlan, seed: number): Field {
  const capacity = plan.fieldCapacity + 0.015 * drawnNormal(seed, Draw.soil, 1)
  const available = (plan.fieldCapacity - plan.wiltingPoint) * Math.exp(0.1 * drawnNormal(seed, Draw.soil, 2))
  const begin = capacity - available * drawnBetween(0.1, 0.35, seed, Draw.soil, 3)
  return {
    plan,
    seed,
    capacity,
    wilting: capacity - available,
    drainPerHour: drawnBetween(0.02, 0.06, seed, Draw.soil, 4),
    efficiency: Math.min(1, plan.efficiency * Math.exp(0.07 * drawnNormal(seed, Draw.gear, 1))),
    probes: ([0, 1] as const).map((layer) => ({ layer, bias: 0.02 * drawnNormal(seed, Draw.probe, layer, 1), gain: Math.exp(0.06 * drawnNormal(seed, Draw.probe, layer, 2)) })),
    meterGain: Math.exp(0.03 * drawnNormal(seed, Draw.gear, 2)),
    gaugeGain: 0.95 * Math.exp(0.03 * drawnNormal(seed, Draw.gear, 3)),
    calendar: Math.exp(0.07 * drawnNormal(seed, Draw.crop, 1)),
    thirst: plan.thirst * drawnBetween(0.88, 1.12, seed, Draw.crop, 2),
    fullUse: plan.fullUse * Math.exp(0.06 * drawnNormal(seed, Draw.crop, 3)),
    top: begin,
    deep: begin,
    surfaceMm: 0.5 * SURFACE_MM,
    waitingMm: 0,
  }
}

export interface HourOfField {
  /** What the crop would have drunk of plenty, and did drink, mm. */
  readonly wantedMm: number
  readonly drunkMm: number
  /** Of the ground. */
  readonly evaporatedMm: number
  readonly drainedMm: number
  readonly ranOffMm: number
  /** Of what was given, on its way. */
  readonly lostMm: number
}

/** One hour of truth. `givenMm` is what left the pump, over the field. Changes the field. */
export function hourOf(field: Field, sky: HourOfSky, ms: number, givenMm: number): HourOfField {
  const { plan, capacity, wilting } = field
  const age = (ms / DAY_MS - plan.plantedDay) * field.calendar
  const [initial, development, middle, late] = plan.stageDays
  const grown = age < 0 ? 0 : 1 / (1 + Math.exp(-(age - initial - development / 2) / (development / 7)))
  const ripe = 1 / (1 + Math.exp(-(age - initial - development - middle - late * 0.55) / (late / 6)))
  const cover = 0.95 * grown * (1 - (1 - plan.endShare) * ripe)
  const deepM = Math.max(0.05, (plan.rootM - TOP_M) * Math.min(1, Math.max(0.1, age / (initial + development))))

  // The energy of the hour, and what dry wind adds: MJ/m² to mm.
  const slope = (17.625 * 243.04 * vapour(sky.temperature)) / (sky.temperature + 243.04) ** 2
  const net = 0.78 * sky.radiation * 0.0036 - 0.16 * (sky.radiation > 20 ? 0.25 + sky.radiation / 900 : 0.35)
  const deficit = Math.max(0, vapour(sky.temperature) * (1 - sky.humidity / 100))
  const evaporable = Math.max(0, (0.82 * (slope / (slope + 0.066)) * net) / 2.45 + 0.0266 * (0.6 + 0.5 * sky.wind) * deficit)

  // Water comes: beyond what an hour can take in it runs off.
  const ranOffMm = Math.max(0, sky.rainMm - 30)
  const came = sky.rainMm - ranOffMm + givenMm * field.efficiency
  field.surfaceMm = Math.min(SURFACE_MM, field.surfaceMm + came)
  field.waitingMm += came
  const entering = Math.min(field.waitingMm, 15)
  field.waitingMm -= entering
  field.top += entering / (1000 * TOP_M)

  // Two layers drain what is above field capacity, for days.
  const topExcess = Math.max(0, field.top - capacity) * field.drainPerHour * 3
  field.top -= topExcess
  field.deep += (topExcess * TOP_M) / deepM
  const deepExcess = Math.max(0, field.deep - capacity) * field.drainPerHour
  field.deep -= deepExcess
  const flooded = Math.max(0, field.deep - capacity - 0.12)
  field.deep -= flooded
  const drainedMm = 1000 * deepM * (deepExcess + flooded)

  // The ground gives its top film, the roots what they reach.
  const bare = Math.min(field.surfaceMm, (1 - cover) * evaporable * 1.05 * Math.min(1, field.surfaceMm / (0.45 * SURFACE_MM)))
  field.surfaceMm = Math.max(0, field.surfaceMm - bare - 0.3 * cover * evaporable)
  field.top -= bare / (1000 * TOP_M)
  const wantedMm = cover * field.fullUse * evaporable
  const ease = (water: number) => {
    const x = Math.max(0, (water - wilting) / (capacity - wilting))
    return x ** 5 / (x ** 5 + field.thirst ** 5)
  }
  // Most roots are near the surface; where some are dry, the others make up for part of it.
  const top = (1.6 * TOP_M) / (1.6 * TOP_M + deepM)
  const [near, far] = [top * ease(field.top), (1 - top) * ease(field.deep)]
  const drunkMm = wantedMm * (1 - (1 - near - far) ** 2)
  if (near + far > 0) {
    field.top -= (drunkMm * near) / (near + far) / (1000 * TOP_M)
    field.deep -= (drunkMm * far) / (near + far) / (1000 * deepM)
  }
  field.top = Math.max(field.top, 0.5 * wilting)
  field.deep = Math.max(field.deep, 0.5 * wilting)
  return { wantedMm, drunkMm, evaporatedMm: bare, drainedMm, ranOffMm, lostMm: givenMm * (1 - field.efficiency) }
}

/** What is truly lacking to field capacity within a depth, mm. */
export function lackingMm({ top, deep, capacity }: Field, depthM: number): number {
  return Math.max(0, 1000 * ((capacity - top) * Math.min(TOP_M, depthM) + (capacity - deep) * Math.max(0, depthM - TOP_M)))
}

/** Percent, as a probe says it. */
export function probeSays(field: Field, probe: number, ms: number): number {
  const { layer, bias, gain } = field.probes[probe]!
  const water = layer === 0 ? field.top : field.deep
  return 100 * (field.capacity + gain * (water - field.capacity) + bias + 0.004 * drawnNormal(field.seed, Draw.noise, probe, ms))
}

/** mm, as gauge and meter say them. */
export const gaugeSays = (field: Field, rainMm: number): number => Math.round(rainMm * field.gaugeGain * 5) / 5
export const meterSays = (field: Field, givenMm: number): number => givenMm * field.meterGain
