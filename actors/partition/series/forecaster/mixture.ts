/**
 * What is forecast of a series: the models' forecasts, each weighed by how well it lately did.
 *
 * At each fit, every 23 hours, each model's forecast of the last one is made again, exactly as it was given, and compared with what came; its
 * error is remembered with a memory of ten fits. A model weighs 1 where it is the best, and the eighth power of best over own error elsewhere:
 * one that is a tenth worse still has half a voice, one that is a third worse is not asked (`ASKED`).
 *
 * - M1 Nothing is graded that knew what it is graded by. What is known of a kind may know it since: what was said by it is kept, not made again.
 * - M2 A model that can't be used yet gives way to a simpler one, whose errors it inherits: autoregression of a week,
 *   of a day, the last day; two weeks, one, the last day. However many do, that one has one voice.
 * - M3 A kind that comes to be known later begins with the error that it would have had in the last day; it is a model for as long as there is
 *   room for what it said (layout.ts), which is the first 20 days.
 */

import { fitAutoregression, forecastAutoregression, Shape } from './autoregression.ts'
import type { Fit } from './autoregression.ts'
import { fitKind, followKind } from './by-kind.ts'
import type { Kind } from './by-kind.ts'
import { DAY_LAGS, DAY_PRIOR, WEEK_LAGS, WEEK_PRIOR } from './lags.ts'
import { CENTRES, DAY_COEFFICIENTS, ERRORS, FILLED, HOLT_WINTERS, LAST_HOUR, MODEL_COUNT, SAID, SCALE, SHAPES, THETA, TREND, WEEK_COEFFICIENTS } from './layout.ts'
import { DAY, repeat, repeatWeeks, WEEK } from './naive.ts'
import type { Row } from '../slab.ts'
import { bestHoltWinters, bestTheta, bestTrend, dampedTrend, holtWinters, takeCourse, theta } from './smoothing.ts'
import type { Span } from './smoothing.ts'
import { usual } from './usual.ts'

/** In the order of their errors in a row. */
export const MODELS = ['ar-week', 'ar-day', 'week', 'weeks', 'day', 'holt-winters', 'theta', 'trend', 'last', 'usual', 'kind'] as const
const LAST_DAY = MODELS.indexOf('day')
const LAST_HOUR_AGAIN = MODELS.indexOf('last')
const USUAL = MODELS.indexOf('usual')
const KIND = MODELS.indexOf('kind')
/** Errors before there are any, in those of the last day. */
const ERRORS_AT_FIRST = [1, 1, 1, 1, 1, 1.3, 1.3, 3, 2, 0.9]
/** Days of a kind that may be those that it is first held against. */
const OWN_DAYS = 2
const ERROR_STAYS = 0.9
const ASKED = 0.1
/** Below the greatest float32. */
const ERROR_MAX = 1e38
/** Known hours that a grade needs. */
const GRADE_HOURS = 6
/** A kind whose unit is so many times the span of the series is none of it. */
const KIND_FAR = 1e6
/** In place of the error of a model that there is not. */
export const NO_ERROR = -1

const weekFit: Fit = { shape: Shape.none, centre: 0, coefficients: new Float64Array(WEEK_LAGS.length + 1) }
const dayFit: Fit = { shape: Shape.none, centre: 0, coefficients: new Float64Array(DAY_LAGS.length + 1) }
const weights = new Float64Array(MODEL_COUNT)
/** Of those that speak over a span. */
const voices = new Float64Array(MODEL_COUNT)
/** Settings of the three smoothed models. */
const settings = [0, 0, 0]
const one = new Float64Array(WEEK)
/** What is known of its kind, or what was said by it; the hour, since 1970, of values[0]; what one is in its own unit. */
let kind: Kind | null = null
let said: Float64Array | null = null
let firstHour = 0
let unit = 1
/** Models whose voice in the last forecast was at least half of the best one's, as bits in the order of `MODELS`. */
let leaders = 0
/** What the last forecast of the mixture could not fall below. */
export let floor = 0

/**
 * Makes the series of `row` the one that is spoken of: its fits, settings and weights. `ofKind` is what is known of its kind, or what was said by
 * that of the hours that are forecast now once more.
 */
export function load({ doubles, floats, shorts, d, f, s }: Row, ofKind: Kind | Float64Array | null): void {
  said = ofKind instanceof Float64Array ? ofKind : null
  kind = ofKind instanceof Float64Array || ofKind === null || !(ofKind.scale < KIND_FAR * doubles[d + SCALE]) ? null : ofKind
  firstHour = doubles[d + LAST_HOUR] - shorts[s + FILLED] + 1
  unit = doubles[d + SCALE]
  loadFit(weekFit, 0)
  loadFit(dayFit, 1)
  for (let i = 0; i < 3; i++) settings[i] = shorts[s + HOLT_WINTERS + i]
  let best = Infinity
  for (let m = 0; m < MODEL_COUNT; m++) {
    const error = floats[f + ERRORS + m]
    if (error < best && isThere(m, error)) best = error
  }
  for (let m = 0; m < MODEL_COUNT; m++) {
    // Where the best makes no error at all, only its equals are asked.
    const error = floats[f + ERRORS + m]
    const ratio = !isThere(m, error) ? 0 : error === best ? 1 : best / error
    const fourth = ratio * ratio * ratio * ratio
    weights[m] = fourth * fourth < ASKED ? 0 : fourth * fourth
  }

  function loadFit(fit: Fit, which: number): void {
    const at = f + (which === 0 ? WEEK_COEFFICIENTS : DAY_COEFFICIENTS)
    fit.shape = shorts[s + SHAPES + which]
    fit.centre = doubles[d + CENTRES + which]
    for (let i = 0; i < fit.coefficients.length; i++) fit.coefficients[i] = floats[at + i]
  }
}

function isThere(model: number, error: number): boolean {
  return model !== KIND || ((kind !== null || said !== null) && error !== NO_ERROR)
}

const names: string[] = []

/** Names of the models that led the last forecast of the mixture. */
export function namesOfLeaders(): string {
  return (names[leaders] ??= MODELS.filter((_, m) => (leaders >> m) & 1).join(' + '))
}

/** The mixture's forecast of `steps` hours behind values[until - 1], for the series that was loaded. */
export function forecastMixture(values: Float64Array, span: Span, steps: number, out: Float64Array): void {
  let sum = 0
  for (let h = 0; h < steps; h++) out[h] = 0
  voices.fill(0)
  for (let m = 0; m < MODEL_COUNT; m++) {
    if (weights[m] === 0) continue
    const speaker = speakerFor(m, span.until - span.from)
    if (weights[m] > voices[speaker]) voices[speaker] = weights[m]
  }
  leaders = 0
  for (let m = 0; m < MODEL_COUNT; m++) {
    const weight = voices[m]
    if (weight === 0) continue
    sum += weight
    if (weight >= 0.5) leaders |= 1 << m
    forecastModel(m, values, span, steps, one)
    for (let h = 0; h < steps; h++) out[h] += weight * one[h]
  }
  floor = floorOf(values, span)
  for (let h = 0; h < steps; h++) out[h] = Math.max(floor, out[h] / sum)
}

/** Zero where the least of all values is zero: what can't be less has never been. */
function floorOf(values: Float64Array, { from, until }: Span): number {
  let least = Infinity
  for (let t = from; t < until; t++) if (values[t] < least) least = values[t]
  return least === 0 ? 0 : -Infinity
}

/** The model that speaks for `model` where so many hours are known: itself, or a simpler one (M2). */
function speakerFor(model: number, hours: number): number {
  if (model === 0 && weekFit.shape !== Shape.none && hours >= WEEK_LAGS[WEEK_LAGS.length - 1]) return 0
  if (model <= 1) return dayFit.shape !== Shape.none && hours >= DAY_LAGS[DAY_LAGS.length - 1] ? 1 : 4
  if (model === 3 && hours >= 2 * WEEK) return 3
  if (model === 2 || model === 3) return hours >= WEEK ? 2 : 4
  return model
}

function forecastModel(model: number, values: Float64Array, span: Span, steps: number, out: Float64Array): void {
  const { from, until } = span
  switch (speakerFor(model, until - from)) {
    case 0: return forecastAutoregression(values, span, WEEK_LAGS, weekFit, steps, out)
    case 1: return forecastAutoregression(values, span, DAY_LAGS, dayFit, steps, out)
    case 2: return repeat(values, until, WEEK, steps, out)
    case 3: return repeatWeeks(values, until, steps, out)
    case 4: return repeat(values, until, DAY, steps, out)
    case 5: return void holtWinters(values, span, settings[0], steps, out)
    case 6:
      takeCourse(values, span)
      return void theta(span, settings[1], steps, out)
    case 7: return void dampedTrend(values, span, settings[2], steps, out)
    case 8: return repeat(values, until, 1, steps, out)
    case USUAL: return usual(values, span, steps, out)
    default: speakByKind(values, span, steps, out)
  }
}

/** Gives how many days of series it comes of; 0 where nothing could be said. */
function speakByKind(values: Float64Array, span: Span, steps: number, out: Float64Array): number {
  if (said !== null) {
    for (let h = 0; h < steps; h++) out[h] = said[h]
    return 0
  }
  const lastHour = firstHour + span.until - 1
  const fits = kind === null ? null : fitKind(values, span, lastHour, kind, unit)
  if (fits === null) {
    repeat(values, span.until, DAY, steps, out)
    return 0
  }
  followKind(fits, lastHour, steps, out)
  return fits.reduce((days, { voice, group }) => days + voice * group.days, 0)
}

/** Hours before values[until] that the loaded series' mixture must know to forecast as it does now. */
export function hoursNeeded(): number {
  if (weights[0] > 0 && weekFit.shape !== Shape.none) return WEEK_LAGS[WEEK_LAGS.length - 1]
  return weights[2] > 0 || weights[3] > 0 ? WEEK : 2 * DAY + 1
}

/** Grades each model of the loaded series on the hours behind `span`, of which `steps` are there. */
export function gradeModels({ floats, f }: Row, values: Float64Array, known: Uint8Array, span: Span, steps: number): void {
  let count = 0
  for (let h = 0; h < steps; h++) count += known[span.until + h]
  if (count < GRADE_HOURS) return
  for (let m = 0; m < MODEL_COUNT; m++) {
    if (!isThere(m, floats[f + ERRORS + m])) continue
    forecastModel(m, values, span, steps, one)
    let sum = 0
    for (let h = 0; h < steps; h++) if (known[span.until + h] === 1) sum += Math.abs(one[h] - values[span.until + h])
    floats[f + ERRORS + m] = Math.min(ERROR_MAX, floats[f + ERRORS + m] * ERROR_STAYS + sum / count)
  }
}

/** Errors of a series that was never graded: as if each had once forecast the last day, by guess; of the last hour, half of what it would have missed. */
export function guessErrors({ floats, f }: Row, values: Float64Array, until: number): void {
  const error = missOf(values, until, LAST_DAY)
  for (let m = 0; m < KIND; m++) floats[f + ERRORS + m] = error * ERRORS_AT_FIRST[m]
  floats[f + ERRORS + LAST_HOUR_AGAIN] = (floats[f + ERRORS + LAST_HOUR_AGAIN] + missOf(values, until, LAST_HOUR_AGAIN)) / 2
  floats[f + ERRORS + KIND] = NO_ERROR
}

/**
 * Writes what is said by kind of the day behind values[until - 1] into `out`; false where nothing is. A kind that had no error gets one: the mean
 * of the last day's, and of what it would have missed in that day, more by as much as two of the days that it comes of may have told it.
 */
export function sayByKind({ floats, f, shorts, s }: Row, values: Float64Array, until: number, out: Float64Array): boolean {
  const days = shorts[s + FILLED] > SAID - DAY ? 0 : speakByKind(values, { from: 0, until: until - DAY }, DAY, out)
  if (days <= OWN_DAYS) {
    floats[f + ERRORS + KIND] = NO_ERROR
    return false
  }
  if (floats[f + ERRORS + KIND] === NO_ERROR) {
    const missed = missOfDay(values, until, out) * (days / (days - OWN_DAYS))
    const naive = missOf(values, until, LAST_DAY)
    const graded = floats[f + ERRORS + LAST_DAY]
    floats[f + ERRORS + KIND] = Math.min(ERROR_MAX, naive > 0 ? ((missed + naive) / 2) * (graded / naive) : graded + missed)
  }
  return speakByKind(values, { from: 0, until }, DAY, out) > 0
}

/** Mean absolute error of the last day, had `model` forecast it. */
function missOf(values: Float64Array, until: number, model: number): number {
  forecastModel(model, values, { from: 0, until: until - DAY }, DAY, one)
  return missOfDay(values, until, one)
}

function missOfDay(values: Float64Array, until: number, told: Float64Array): number {
  let sum = 0
  for (let h = 0; h < DAY; h++) sum += Math.abs(told[h] - values[until - DAY + h])
  return sum / DAY
}

/** Fits all models to values[from … until), and remembers what came of it in the row. */
export function fitModels(row: Row, values: Float64Array, known: Uint8Array, span: Span): void {
  const { doubles, floats, shorts, d, f, s } = row
  if (!fitAutoregression(values, known, span, { lags: WEEK_LAGS, prior: WEEK_PRIOR }, weekFit)) forget(weekFit)
  keep(weekFit, 0, WEEK_COEFFICIENTS)
  if (!fitAutoregression(values, known, span, { lags: DAY_LAGS, prior: DAY_PRIOR }, dayFit)) forget(dayFit)
  keep(dayFit, 1, DAY_COEFFICIENTS)
  shorts[s + HOLT_WINTERS] = bestHoltWinters(values, span)
  takeCourse(values, span)
  shorts[s + THETA] = bestTheta(span)
  shorts[s + TREND] = bestTrend(values, span)

  function keep(fit: Fit, which: number, at: number): void {
    shorts[s + SHAPES + which] = fit.shape
    doubles[d + CENTRES + which] = fit.centre
    floats.set(fit.coefficients, f + at)
  }
}

function forget(fit: Fit): void {
  fit.shape = Shape.none
  fit.centre = 0
  fit.coefficients.fill(0)
}
