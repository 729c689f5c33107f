/**
 * How far off a forecast will be: intervals that hold 95 and 80 % of what comes.
 *
 * 1. At each fit the mixture forecasts from many places of its own past. Its mean absolute error by band of the horizon is its spread there,
 *    more or less by the hour of the day; the 95th and 80th percentile of errors in spreads are the widths (split conformal prediction,
 *    Papadopoulos and others 2002).
 * 2. That past is one that the fit has seen. So spreads are scaled to the error that forecasts really had, and a stretch for either interval
 *    learns from them: at each fit the hours of the forecast that was given at the last one are counted, and the stretch grows where too many
 *    lay outside (adaptive conformal inference, Gibbs and Candès 2021).
 * 3. Beyond a day, each band has a scale and a stretch of its own, of forecasts that were given so far ahead (far.ts); and it is wider for how little
 *    the past tells of it. Errors a week ahead of a series that wanders last for days: three weeks hold three of them, and their mean may be far
 *    off. Those of one that returns to its course are new every few hours. So it is their correlation that tells how many there really were.
 *
 * - V1 Before the hour of the day has its say, spreads do not fall with the horizon.
 * - V2 Coverage and error that are told are those of forecasts that were given, for 1 to 24 hours ahead, with a memory of some 50 days.
 */

import { BANDS, BASE, FACTOR_UNITS, FAR, FAR_STRETCH, FAR_UNITS, FEW, GRADED, HITS80, HITS95, HOUR_FACTORS, MISSED_SUM, SCALE, SPREADS, STRETCH80, STRETCH95, UNIT, WIDTH80, WIDTH95 } from './layout.ts'
import { forecastMixture, hoursNeeded } from './mixture.ts'
import { DAY, WEEK } from './naive.ts'
import type { Row } from '../slab.ts'
import type { Span } from './smoothing.ts'

/** Last hour ahead of each band, its hours, and their middle. */
const BAND_ENDS = [1, 2, 4, 8, 16, 24, 48, 96, 168]
const BAND_HOURS = BAND_ENDS.map((end, b) => end - (b === 0 ? 0 : BAND_ENDS[b - 1]))
const MIDDLES = BAND_ENDS.map((end, b) => end - (BAND_HOURS[b] - 1) / 2)
const DAY_BANDS = BAND_ENDS.indexOf(DAY) + 1
const BAND_OF = Uint8Array.from({ length: WEEK }, (_, h) => BAND_ENDS.findIndex((end) => h < end))
/** The other band whose spread an hour ahead has a share of, as it is not in the middle of its own; and that share. */
const OTHERS = Uint8Array.from(BAND_OF, (b, h) => (h + 1 > MIDDLES[b] ? Math.min(b + 1, BANDS - 1) : Math.max(b - 1, 0)))
const SHARES = Float64Array.from(BAND_OF, (b, h) => (OTHERS[h] === b ? 0 : (h + 1 - MIDDLES[b]) / (MIDDLES[OTHERS[h]] - MIDDLES[b])))
/** Strain before anything was graded, and the graded hours that it counts. */
const STRAIN_AT_FIRST = 1.2
const STRAIN_WORTH = 24
/** Of all. */
const MORE = 1.08
/** Places of the past from which it forecasts again: their distance is no part of a day, so that they lie at all hours of it. */
const ORIGIN_STEP = 11
const ORIGIN_HOURS = 240
const ORIGINS_MAX = Math.floor(ORIGIN_HOURS / ORIGIN_STEP)
/** Of each band of a day: the next hours are those that a fit is made for, and so those that it is most flattered by. */
const MORE_NEAR = [1.14, 1.08, 1.04, 1.02, 1, 1]
/** Of all beyond a day. */
const MORE_FAR = 1.12
/** A band of which the past holds but one independent error is wider by so much, one of which it holds n by an n-th of it. */
const FEW_WORTH = 1.6
/** Independent errors at least, and how much may stay of one to the next place. */
const FEW_MIN = 0.8
const STAYS_MAX = 0.97
const FEW_MAX = 7
/** What the spread of a band that the past has no room for is, in that of the one before. */
const BAND_GROWTH = 1.15
/** Errors of usual size that each hour of the day begins with, and how far it may be from usual. */
const HOUR_PRIOR = 32
const HOUR_MAX = 8
/** Errors in spreads are counted in bins of 1 / `BINS_EACH`. */
const BINS = 512
const BINS_EACH = 32
/** Errors before which widths are those of normal ones, a little more. */
const WIDTH_HOURS = 336
const WIDTHS_AT_FIRST = [2.7, 1.7]
export const STRETCH_AT_FIRST = 1.08
const STRETCH_RATE = 0.2
const STRETCH_MIN = 0.3
const STRETCH_MAX = 8
/** Of a grade, to the next. */
const GRADES_STAY = 0.98
/** Of the last place of a value. */
const ROUNDING = 1e-12
/** Below the greatest float32. */
const ERROR_MAX = 1e38

const ahead = new Float64Array(WEEK)
const spreads = new Float64Array(WEEK)
/** By place and hours ahead: NaN where nothing is known. */
const misses = new Float64Array(ORIGINS_MAX * WEEK)
const sums = new Float64Array(BANDS)
const counts = new Float64Array(BANDS)
const hourSums = new Float64Array(DAY)
const hourCounts = new Float64Array(DAY)
const bins = new Uint32Array(BINS)

/** Measures spreads and widths of the loaded series' mixture on values[from … until), of which `hour` is the last. */
export function measureSpreads(row: Row, values: Float64Array, known: Uint8Array, { from, until }: Span, hour: number): void {
  const { floats, shorts, f, s } = row
  const needed = hoursNeeded()
  sums.fill(0)
  counts.fill(0)
  let origins = 0
  for (let origin = until - ORIGIN_STEP; origin - from >= needed && origins < ORIGINS_MAX; origin -= ORIGIN_STEP) {
    const steps = stepsBehind(origins)
    forecastMixture(values, { from, until: origin }, steps, ahead)
    const at = origins++ * WEEK
    for (let h = 0; h < steps; h++) {
      misses[at + h] = known[origin + h] === 1 ? values[origin + h] - ahead[h] : NaN
      if (known[origin + h] === 0) continue
      sums[BAND_OF[h]] += Math.abs(misses[at + h])
      counts[BAND_OF[h]]++
    }
  }
  let spread = counts[0] > 0 ? 0 : guessed(values, until)
  for (let b = 0; b < BANDS; b++) {
    spread = counts[b] > 0 ? Math.max(spread, sums[b] / counts[b]) : spread * BAND_GROWTH
    floats[f + SPREADS + b] = Math.min(ERROR_MAX, spread)
  }
  for (let i = 0; i < DAY; i++) shorts[s + HOUR_FACTORS + i] = FACTOR_UNITS
  spreadsOf(row, hour, WEEK, spreads, false)
  /** Hour of the day of the first error behind place `o`. */
  const hourOf = (o: number) => (hour + 1 - (o + 1) * ORIGIN_STEP + ORIGIN_HOURS) % DAY
  hourSums.fill(0)
  hourCounts.fill(0)
  for (let o = 0; o < origins; o++) {
    for (let h = 0, at = hourOf(o), steps = stepsBehind(o); h < steps; h++) {
      const miss = Math.abs(misses[o * WEEK + h])
      if (miss >= 0 && spreads[h] > 0) {
        hourSums[at] += miss / spreads[h]
        hourCounts[at]++
      }
      if (++at === DAY) at = 0
    }
  }
  for (let i = 0; i < DAY; i++) {
    const factor = (hourSums[i] + HOUR_PRIOR) / (hourCounts[i] + HOUR_PRIOR)
    shorts[s + HOUR_FACTORS + i] = Math.round(Math.min(HOUR_MAX, Math.max(1 / HOUR_MAX, factor)) * FACTOR_UNITS)
  }
  bins.fill(0)
  let total = 0
  for (let o = 0; o < origins; o++) {
    for (let h = 0, at = hourOf(o), steps = stepsBehind(o); h < steps; h++) {
      const miss = Math.abs(misses[o * WEEK + h])
      if (miss >= 0 && spreads[h] > 0) {
        const ratio = miss / (spreads[h] * (shorts[s + HOUR_FACTORS + at] / FACTOR_UNITS))
        bins[ratio < BINS / BINS_EACH ? Math.floor(ratio * BINS_EACH) : BINS - 1]++
        total++
      }
      if (++at === DAY) at = 0
    }
  }
  const near = fewOf(origins, DAY_BANDS - 1)
  for (let b = DAY_BANDS; b < BANDS; b++) shorts[s + FEW + b - DAY_BANDS] = Math.round(Math.min(FEW_MAX, Math.max(1, fewOf(origins, b) / near)) * FAR_UNITS)
  const enough = total >= WIDTH_HOURS
  floats[f + WIDTH95] = enough ? percentile(total, 0.95) : WIDTHS_AT_FIRST[0]
  floats[f + WIDTH80] = enough ? percentile(total, 0.8) : WIDTHS_AT_FIRST[1]
}

/** How much wider a band is for how few independent errors of it there are. */
function fewOf(origins: number, band: number): number {
  const first = band === 0 ? 0 : BAND_ENDS[band - 1]
  let both = 0
  let own = 0
  for (let o = 0; o + 1 < origins; o++) {
    const until = Math.min(WEEK, (o + 1) * ORIGIN_STEP, BAND_ENDS[band])
    for (let h = first; h < until; h++) {
      const [later, earlier] = [misses[o * WEEK + h], misses[(o + 1) * WEEK + h]]
      if (Number.isNaN(later) || Number.isNaN(earlier)) continue
      both += later * earlier
      own += (later * later + earlier * earlier) / 2
    }
  }
  const stays = own > 0 ? Math.max(0, Math.min(STAYS_MAX, both / own)) : 0.5
  return 1 + FEW_WORTH / Math.max(FEW_MIN, ((origins - first / ORIGIN_STEP) * (1 - stays)) / (1 + stays))
}

/** Hours that are there behind place `o`, a week at most. */
function stepsBehind(o: number): number {
  return Math.min(WEEK, (o + 1) * ORIGIN_STEP)
}

function factorAt(shorts: Int16Array, s: number, hour: number): number {
  return shorts[s + HOUR_FACTORS + (hour % DAY)] / FACTOR_UNITS
}

/** The error of the last day, had it been forecast by the one before. */
function guessed(values: Float64Array, until: number): number {
  let sum = 0
  for (let h = 1; h <= DAY; h++) sum += Math.abs(values[until - h] - values[until - DAY - h])
  return sum / DAY
}

/** Upper edge of the bin in which the share `part` of all is reached. */
function percentile(total: number, part: number): number {
  let sum = 0
  for (let i = 0; i < BINS; i++) {
    sum += bins[i]
    if (sum >= part * total) return (i + 1) / BINS_EACH
  }
  return BINS / BINS_EACH
}

/** Spread of each of the `steps` hours behind `hour`: in lines between the bands' middles; not `whole`: as it was measured, the same at each hour of the day. */
export function spreadsOf(row: Row, hour: number, steps: number, out: Float64Array, whole = true): void {
  const { floats, shorts, f, s } = row
  for (let h = 0; h < steps; h++) {
    const share = SHARES[h]
    const spread = floats[f + SPREADS + BAND_OF[h]]
    out[h] = share === 0 ? spread : spread * (1 - share) + floats[f + SPREADS + OTHERS[h]] * share
  }
  if (!whole) return
  const strain = strainOf(floats, f)
  for (let b = 0; b < BANDS; b++) more[b] = b < DAY_BANDS ? MORE_NEAR[b] : farther(row, b - DAY_BANDS)
  for (let h = 0, at = (hour + 1) % DAY; h < steps; h++) {
    out[h] = MORE * out[h] * strain * more[BAND_OF[h]] * (shorts[s + HOUR_FACTORS + at] / FACTOR_UNITS)
    if (++at === DAY) at = 0
  }
}

const more = new Float64Array(BANDS)

/** How much more is expected of the far band `b` than what was measured of it; its own stretch stands in place of the one of a day. */
function farther({ floats, shorts, f, s }: Row, b: number): number {
  return (MORE_FAR * shorts[s + FAR + b] * shorts[s + FEW + b] * shorts[s + FAR_STRETCH + b]) / (FAR_UNITS * FAR_UNITS * FAR_UNITS) / floats[f + STRETCH95]
}

/** Half of the 95 % interval that is said of the hour `hour`, `ahead` hours ahead. */
export function halfWidthFar(row: Row, ahead: number, hour: number): number {
  spreadsOf(row, hour - ahead, ahead, spreads)
  return spreads[ahead - 1] * widthsOf(row)[0] + stepOf(row)
}

/** Mean error that is expected `ahead` hours ahead, at `hour`, but for what forecasts so far ahead have really missed. */
export function expectedFar(row: Row, ahead: number, hour: number): number {
  const { floats, shorts, f, s } = row
  spreadsOf(row, hour, ahead, spreads, false)
  return MORE * spreads[ahead - 1] * strainOf(floats, f) * factorAt(shorts, s, hour)
}

/** The error that forecasts for a day really had, in the spread that was measured for one. */
function strainOf(floats: Float32Array, f: number): number {
  let spread = 0
  for (let b = 0; b < DAY_BANDS; b++) spread += (floats[f + SPREADS + b] * BAND_HOURS[b]) / DAY
  if (spread === 0) return STRAIN_AT_FIRST
  return (floats[f + MISSED_SUM] / spread + STRAIN_WORTH * STRAIN_AT_FIRST) / (floats[f + GRADED] + STRAIN_WORTH)
}

/** Half of the 95 and of the 80 % interval, in spreads. */
export function widthsOf({ floats, f }: Row): readonly [number, number] {
  const wide = floats[f + WIDTH95] * floats[f + STRETCH95]
  return [wide, Math.min(wide, floats[f + WIDTH80] * floats[f + STRETCH80])]
}

/** What a value may be off because it is remembered in steps: no interval is narrower. */
export function stepOf({ doubles, d }: Row): number {
  return (doubles[d + UNIT] + Math.abs(doubles[d + BASE]) * ROUNDING) / doubles[d + SCALE]
}

/** Counts how the loaded series' forecast behind `span` did in the `steps` hours that are there, and stretches its intervals by it. */
export function gradeIntervals(row: Row, values: Float64Array, known: Uint8Array, span: Span, hour: number, steps: number): void {
  const { floats, f } = row
  forecastMixture(values, span, steps, ahead)
  spreadsOf(row, hour, steps, spreads)
  const [wide, narrow] = widthsOf(row)
  const step = stepOf(row)
  let count = 0
  let missed = 0
  let hits95 = 0
  let hits80 = 0
  for (let h = 0; h < steps; h++) {
    if (known[span.until + h] === 0) continue
    const value = values[span.until + h]
    const miss = Math.abs(value - ahead[h])
    const spread = spreads[h]
    count++
    missed += miss
    if (miss <= spread * wide + step) hits95++
    if (miss <= spread * narrow + step) hits80++
  }
  if (count === 0) return
  floats[f + GRADED] = floats[f + GRADED] * GRADES_STAY + count
  floats[f + HITS95] = floats[f + HITS95] * GRADES_STAY + hits95
  floats[f + HITS80] = floats[f + HITS80] * GRADES_STAY + hits80
  floats[f + MISSED_SUM] = Math.min(ERROR_MAX, floats[f + MISSED_SUM] * GRADES_STAY + missed)
  const share = count / 24
  floats[f + STRETCH95] = stretched(floats[f + STRETCH95], 0.95 - hits95 / count, share)
  floats[f + STRETCH80] = stretched(floats[f + STRETCH80], 0.8 - hits80 / count, share)
}

function stretched(stretch: number, lacking: number, share: number): number {
  return Math.min(STRETCH_MAX, Math.max(STRETCH_MIN, stretch * (1 + STRETCH_RATE * share * lacking)))
}
