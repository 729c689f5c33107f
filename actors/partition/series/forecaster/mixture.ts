/**
 * What is forecast of a series: the models' forecasts, each weighed by how well it lately did.
 *
 * At each fit, every 23 hours, each model's forecast of the last one is made again, exactly as it was given, and compared with what came; its
 * error is remembered with a memory of ten fits. A model weighs 1 where it is the best, and the eighth power of best over own error elsewhere:
 * one that is a tenth worse still has half a voice, one that is a third worse is not asked (`ASKED`).
 *
 * - M1 Nothing is graded that knew what it is graded by.
 * - M2 A model that can't be used yet gives way to a simpler one, whose errors it inherits: autoregression of a week,
 *   of a day, the last day; two weeks, one, the last day.
 */

import { fitAutoregression, forecastAutoregression, Shape } from './autoregression.ts'
import type { Fit } from './autoregression.ts'
import { DAY_LAGS, DAY_PRIOR, WEEK_LAGS, WEEK_PRIOR } from './lags.ts'
import { CENTRES, DAY_COEFFICIENTS, ERRORS, HOLT_WINTERS, MODEL_COUNT, SHAPES, THETA, TREND, WEEK_COEFFICIENTS } from './layout.ts'
import { DAY, repeat, repeatWeeks, WEEK } from './naive.ts'
import type { Row } from './slab.ts'
import { dampedTrend, HOLT_WINTERS_SETTINGS, holtWinters, takeCourse, theta, THETA_SETTINGS, TREND_SETTINGS } from './smoothing.ts'
import type { Span } from './smoothing.ts'

/** In the order of their errors in a row. */
export const MODELS = ['ar-week', 'ar-day', 'week', 'weeks', 'day', 'holt-winters', 'theta', 'trend', 'last'] as const
/** Errors before there are any, in those of the last day. */
const ERRORS_AT_FIRST = [1, 1, 1, 1, 1, 1.3, 1.3, 3, 2]
/** How much of a day's grade they count. */
const FIRST_WORTH = 0.3
const ERROR_STAYS = 0.9
const ASKED = 0.1
/** Below the greatest float32. */
const ERROR_MAX = 1e38
/** Known hours that a grade needs. */
const GRADE_HOURS = 6

const weekFit: Fit = { shape: Shape.none, centre: 0, coefficients: new Float64Array(WEEK_LAGS.length + 1) }
const dayFit: Fit = { shape: Shape.none, centre: 0, coefficients: new Float64Array(DAY_LAGS.length + 1) }
const weights = new Float64Array(MODEL_COUNT)
/** Settings of the three smoothed models. */
const settings = [0, 0, 0]
const one = new Float64Array(WEEK)
/** Models whose voice is at least half of the best one's, as bits in the order of `MODELS`. */
let leaders = 0
/** What the last forecast of the mixture could not fall below. */
export let floor = 0

/** Makes the series of `row` the one that is spoken of: its fits, settings and weights. */
export function load({ doubles, floats, shorts, d, f, s }: Row): void {
  loadFit(weekFit, 0)
  loadFit(dayFit, 1)
  for (let i = 0; i < 3; i++) settings[i] = shorts[s + HOLT_WINTERS + i]
  let best = Infinity
  for (let m = 0; m < MODEL_COUNT; m++) {
    const error = floats[f + ERRORS + m]
    if (error < best) best = error
  }
  leaders = 0
  for (let m = 0; m < MODEL_COUNT; m++) {
    // Where the best makes no error at all, only its equals are asked.
    const error = floats[f + ERRORS + m]
    const ratio = error === best ? 1 : best / error
    const fourth = ratio * ratio * ratio * ratio
    weights[m] = fourth * fourth < ASKED ? 0 : fourth * fourth
    if (weights[m] >= 0.5) leaders |= 1 << m
  }

  function loadFit(fit: Fit, which: number): void {
    const at = f + (which === 0 ? WEEK_COEFFICIENTS : DAY_COEFFICIENTS)
    fit.shape = shorts[s + SHAPES + which]
    fit.centre = doubles[d + CENTRES + which]
    for (let i = 0; i < fit.coefficients.length; i++) fit.coefficients[i] = floats[at + i]
  }
}

const names: string[] = []

/** Names of the models that lead the loaded series' mixture. */
export function namesOfLeaders(): string {
  return (names[leaders] ??= MODELS.filter((_, m) => (leaders >> m) & 1).join(' + '))
}

/** The mixture's forecast of `steps` hours behind values[until - 1], for the series that was loaded. */
export function forecastMixture(values: Float64Array, span: Span, steps: number, out: Float64Array): void {
  let sum = 0
  for (let h = 0; h < steps; h++) out[h] = 0
  for (let m = 0; m < MODEL_COUNT; m++) {
    const weight = weights[m]
    if (weight === 0) continue
    sum += weight
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

function forecastModel(model: number, values: Float64Array, span: Span, steps: number, out: Float64Array): void {
  const { from, until } = span
  const hours = until - from
  if (model === 0 && weekFit.shape !== Shape.none && hours >= WEEK_LAGS[WEEK_LAGS.length - 1]) forecastAutoregression(values, span, WEEK_LAGS, weekFit, steps, out)
  else if (model <= 1 && dayFit.shape !== Shape.none && hours >= DAY_LAGS[DAY_LAGS.length - 1]) forecastAutoregression(values, span, DAY_LAGS, dayFit, steps, out)
  else if (model === 3 && hours >= 2 * WEEK) repeatWeeks(values, until, steps, out)
  else if ((model === 2 || model === 3) && hours >= WEEK) repeat(values, until, WEEK, steps, out)
  else if (model <= 4) repeat(values, until, DAY, steps, out)
  else if (model === 5) holtWinters(values, span, settings[0], steps, out)
  else if (model === 6) {
    takeCourse(values, span)
    theta(span, settings[1], steps, out)
  } else if (model === 7) dampedTrend(values, span, settings[2], steps, out)
  else repeat(values, until, 1, steps, out)
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
    forecastModel(m, values, span, steps, one)
    let sum = 0
    for (let h = 0; h < steps; h++) if (known[span.until + h] === 1) sum += Math.abs(one[h] - values[span.until + h])
    floats[f + ERRORS + m] = Math.min(ERROR_MAX, floats[f + ERRORS + m] * ERROR_STAYS + sum / count)
  }
}

/** Errors of a series that was never graded: as if each had once forecast the last day, by guess. */
export function guessErrors({ floats, f }: Row, values: Float64Array, until: number): void {
  let sum = 0
  for (let h = 1; h <= DAY; h++) sum += Math.abs(values[until - h] - values[until - DAY - h])
  for (let m = 0; m < MODEL_COUNT; m++) floats[f + ERRORS + m] = (sum / DAY) * FIRST_WORTH * ERRORS_AT_FIRST[m]
}

/** Fits all models to values[from … until), and remembers what came of it in the row. */
export function fitModels(row: Row, values: Float64Array, known: Uint8Array, span: Span): void {
  const { doubles, floats, shorts, d, f, s } = row
  if (!fitAutoregression(values, known, span, { lags: WEEK_LAGS, prior: WEEK_PRIOR }, weekFit)) forget(weekFit)
  keep(weekFit, 0, WEEK_COEFFICIENTS)
  if (!fitAutoregression(values, known, span, { lags: DAY_LAGS, prior: DAY_PRIOR }, dayFit)) forget(dayFit)
  keep(dayFit, 1, DAY_COEFFICIENTS)
  shorts[s + HOLT_WINTERS] = best(HOLT_WINTERS_SETTINGS.length, (i) => holtWinters(values, span, i, 0, one))
  takeCourse(values, span)
  shorts[s + THETA] = best(THETA_SETTINGS.length, (i) => theta(span, i, 0, one))
  shorts[s + TREND] = best(TREND_SETTINGS.length, (i) => dampedTrend(values, span, i, 0, one))

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

function best(count: number, errorOf: (i: number) => number): number {
  let least = Infinity
  let at = 0
  for (let i = 0; i < count; i++) {
    const error = errorOf(i)
    if (error < least) {
      least = error
      at = i
    }
  }
  return at
}
