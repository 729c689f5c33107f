/**
 * What the sensors of a plot said of a day, gathered as readings come, and told as weather and water when the day ends.
 *
 * Owns sums by the hour, meters that count totals, and how missing weather degrades, in this order:
 *   1. temperature, radiation (humidity and wind where they are): Penman-Monteith; 2. temperatures alone: Hargreaves; 3. none: the plot's last days, brought to this day
 *   by the radiation above the air; 4. never any: a rough guess by latitude and season. Each is said in words with the advice (words.ts).
 * Leaves the day's beginning and end to season.ts. Pure; a `Gathered` is plain data.
 */

import { et0OfDay, et0OfTemperatures, extraterrestrialRadiation, saturationPressure, vapourPressureOfHumidity, windAt2m } from './fao56.ts'
import { dayOfYear } from './plot.ts'
import type { Plot, Source, WaterSource } from './plot.ts'

export type Measure = 'temperature' | 'humidity' | 'wind' | 'radiation'
export const MEASURES: readonly Measure[] = ['temperature', 'humidity', 'wind', 'radiation']

/** Of one measure on one day: its extremes, and the means of its hours, of which the newest is still open. */
interface Hours {
  least: number
  most: number
  /** Closed hours that were seen, and the sum of their means. */
  seen: number
  sum: number
  hour: number
  hourSum: number
  hourCount: number
}

export interface Gathered {
  readonly day: number
  readonly measures: Partial<Record<Measure, Hours>>
  /** By series: the newest time, and a mean of moisture that forgets within about an hour, m³/m³. */
  readonly probes: Record<string, [ts: number, moisture: number]>
  rainMm: number
  irrigationMm: number
}

export function gathered(day: number): Gathered {
  return { day, measures: {}, probes: {}, rainMm: 0, irrigationMm: 0 }
}

/** What comes for an hour before the newest one counts for the extremes alone. */
export function gather(into: Gathered, measure: Measure, hour: number, value: number): void {
  const known = (into.measures[measure] ??= { least: value, most: value, seen: 0, sum: 0, hour, hourSum: 0, hourCount: 0 })
  known.least = Math.min(known.least, value)
  known.most = Math.max(known.most, value)
  if (hour < known.hour) return
  if (hour > known.hour) {
    known.seen++
    known.sum += known.hourSum / known.hourCount
    known.hour = hour
    known.hourSum = known.hourCount = 0
  }
  known.hourSum += value
  known.hourCount++
}

/** A meter's place: the newest time and total seen. */
export type Meter = [ts: number, total: number]

/** mm over the plot that a reading of water stands for. A total that falls began anew; one older than the newest says nothing. */
export function waterOf(source: WaterSource, meters: Record<string, Meter>, { ts, value, areaHa }: { ts: number; value: number; areaHa: number }): number {
  let amount = value
  if (source.counts === 'total') {
    const key = `${source.device} ${source.metric}`
    const last = meters[key]
    if (last !== undefined && ts <= last[0]) return 0
    meters[key] = [ts, value]
    amount = last === undefined ? 0 : value >= last[1] ? value - last[1] : value
  }
  const squareMetres = areaHa * 10_000
  return Math.max(0, source.unit === 'mm' ? amount : (amount * (source.unit === 'm3' ? 1_000 : 1)) / squareMetres)
}

export type EtSource = 'penman-monteith' | 'temperatures' | 'last days' | 'season'

export interface WeatherDay {
  readonly et0Mm: number
  readonly source: EtSource
  /** m/s at 2 m and least humidity in percent, for how much a wet surface may give. */
  readonly wind: number
  readonly humidityMin: number
  /** What was taken in place of measures that were not there. */
  readonly assumed: readonly ('humidity' | 'wind')[]
}

/** Of this many hours a day must have been seen, so that its extremes and its sum are those of the day. */
const HOURS_NEEDED = 18
const ASSUMED_WIND = 2
/** Of a sub-humid climate: Kc max is 1.2 then. */
const ASSUMED_HUMIDITY_MIN = 45
/** ET0 as part of what the radiation above the air could evaporate, where nothing is known: about what 20 °C with a range of 10 °C give. */
const SEASON_PART = 0.27

/** `lastParts` are ET0 of the plot's last days, each as part of what the radiation above the air could have evaporated that day. */
export function weatherOf(plot: Plot, day: Gathered, lastParts: readonly number[]): WeatherDay {
  const season = dayOfYear(day.day)
  const of = (measure: Measure) => day.measures[measure]!
  const meanOf = (measure: Measure) => (of(measure).sum + of(measure).hourSum / of(measure).hourCount) / (of(measure).seen + 1)
  const seen = (measure: Measure, source: Source | null) => source !== null && day.measures[measure] !== undefined && of(measure).seen + 1 >= HOURS_NEEDED
  const air = { wind: ASSUMED_WIND, humidityMin: seen('humidity', plot.humidity) ? of('humidity').least : ASSUMED_HUMIDITY_MIN }
  if (seen('temperature', plot.temperature)) {
    const temperatures = { temperatureMax: of('temperature').most, temperatureMin: of('temperature').least }
    if (!seen('radiation', plot.radiation)) return { et0Mm: et0OfTemperatures({ ...temperatures, latitude: plot.latitude, dayOfYear: season }), source: 'temperatures', ...air, assumed: [] }
    const assumed: ('humidity' | 'wind')[] = []
    let vapourPressure: number
    if (seen('humidity', plot.humidity)) vapourPressure = vapourPressureOfHumidity({ ...temperatures, humidityMax: of('humidity').most, humidityMin: of('humidity').least })
    else {
      // (48): the air's dew point is near the night's least temperature.
      vapourPressure = saturationPressure(temperatures.temperatureMin)
      assumed.push('humidity')
    }
    let wind = ASSUMED_WIND
    if (seen('wind', plot.wind)) wind = plot.wind!.heightM === 2 ? meanOf('wind') : windAt2m(meanOf('wind'), plot.wind!.heightM)
    else assumed.push('wind')
    const radiation = (meanOf('radiation') * 86_400) / 1e6
    return { et0Mm: et0OfDay({ ...temperatures, vapourPressure, wind, radiation, latitude: plot.latitude, elevationM: plot.elevationM, dayOfYear: season }), source: 'penman-monteith', wind, humidityMin: air.humidityMin, assumed }
  }
  if (lastParts.length > 0) return { et0Mm: usualPart(lastParts) * evaporableMm(plot, day.day), source: 'last days', ...air, assumed: [] }
  return { et0Mm: SEASON_PART * evaporableMm(plot, day.day), source: 'season', ...air, assumed: [] }
}

/** mm that the radiation above the air could evaporate on a day. */
export function evaporableMm(plot: Pick<Plot, 'latitude'>, day: number): number {
  return 0.408 * extraterrestrialRadiation(plot.latitude, dayOfYear(day))
}

/** What the last days say of the next ones: the newest counts most, a week ago a fifth of it. */
export function usualPart(lastParts: readonly number[]): number {
  if (lastParts.length === 0) return SEASON_PART
  let [sum, weights] = [0, 0]
  lastParts.forEach((part, i) => {
    const weight = 0.8 ** (lastParts.length - 1 - i)
    sum += weight * part
    weights += weight
  })
  return sum / weights
}
