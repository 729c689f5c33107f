/**
 * The forecasts of a commit, as columns of its payload, and as the rows that readers keep.
 *
 * Most series forecast each hour, so bytes count: the numbers of one forecast are written as float32 distances from its first mean, in
 * units of a power of two above the greatest of these distances. That keeps seven places of what is of interest, whatever the size of the numbers.
 *
 * - F1 What is decoded is the same on every engine: it comes of one multiplication and one addition of doubles.
 * - F2 The law for readers: for each hour of a series that is forecast more than once, the row of the newest `madeAt` counts.
 */

import { toBytes, toFloat32, toFloat64, told, toUint32, toUint8 } from '../../runtime/codec.ts'
import { HOUR_MS } from '../reading/window.ts'
import { exponentOf, scale } from './series/arithmetic.ts'

/** Hours that one forecast holds at most: a week. */
export const HORIZON_MAX = 168

/** What is forecast of one series at one moment: the mean of each of the next hours, with intervals that hold 95 and 80 % of them. */
export interface Forecast {
  /** Index into `series` of the commit. */
  readonly series: number
  /** Epoch ms: the end of the last hour that it knows, and so the start of the first that it forecasts. */
  readonly madeAt: number
  /** Hours, 1 to `HORIZON_MAX`: as many entries of the columns count. */
  readonly steps: number
  readonly mean: Float64Array
  readonly lower: Float64Array
  readonly upper: Float64Array
  readonly lower80: Float64Array
  readonly upper80: Float64Array
  /** Name of the model that it comes from. */
  readonly model: string
  /** Share of hours so far that lay within the 95 % interval once forecast for them, in [0, 1]; NaN while none was measured (null in the lake). */
  readonly coverage: number
  /** Mean absolute error so far of these forecasts, in the series' own unit; NaN while none was measured. */
  readonly error: number
}

/** One hour of a forecast. */
export interface ForecastRow {
  readonly series: number
  readonly madeAt: number
  /** Epoch ms, start of the hour. */
  readonly ts: number
  readonly mean: number
  readonly lower: number
  readonly upper: number
  readonly lower80: number
  readonly upper80: number
  readonly model: string
  readonly coverage: number
  readonly error: number
}

/** The rows of one forecast, in order of time. */
export function* rowsOf(forecast: Forecast): Generator<ForecastRow> {
  const { series, madeAt, steps, mean, lower, upper, lower80, upper80, model, coverage, error } = forecast
  for (let i = 0; i < steps; i++) {
    const at = { series, madeAt, ts: madeAt + i * HOUR_MS }
    yield { ...at, mean: mean[i], lower: lower[i], upper: upper[i], lower80: lower80[i], upper80: upper80[i], model, coverage, error }
  }
}

const COLUMNS = ['mean', 'lower', 'upper', 'lower80', 'upper80'] as const
/** Doubles of a forecast's head: made at, first mean, unit, coverage, error. */
const HEAD = 5

/** Room that is made for the first forecast of a commit: most commits have none. */
const FORECASTS_AT_FIRST = 16
const VALUES_AT_FIRST = FORECASTS_AT_FIRST * 24 * COLUMNS.length

/** Form in a commit's payload. */
export interface ForecastWire {
  /** Names of models. */
  m: string[]
  /** Of each forecast: series; model; steps; its head. */
  s: unknown
  k: unknown
  n: unknown
  h: unknown
  /** Of each forecast its columns one after the other. */
  v: unknown
}

/** Collects the forecasts of a commit. */
export class ForecastColumns {
  count = 0
  /** Of all of them. */
  rows = 0
  readonly #models: string[] = []
  #series = new Uint32Array(0)
  #model = new Uint8Array(0)
  #steps = new Uint8Array(0)
  #heads = new Float64Array(0)
  #values = new Float32Array(0)
  #used = 0

  /** Copies `forecast`, whose columns the caller may use again. */
  add(forecast: Forecast): void {
    const { steps, mean, model } = forecast
    const i = this.count++
    this.rows += steps
    if (i === this.#series.length) this.#growHeads()
    while (this.#used + steps * COLUMNS.length > this.#values.length) this.#values = grown(this.#values, new Float32Array(Math.max(VALUES_AT_FIRST, this.#values.length * 2)))
    let named = this.#models.indexOf(model)
    if (named < 0) named = this.#models.push(model) - 1
    this.#series[i] = forecast.series
    this.#model[i] = named
    this.#steps[i] = steps
    const base = mean[0]
    let unit = 0
    for (const name of COLUMNS) {
      const column = forecast[name]
      for (let h = 0; h < steps; h++) unit = Math.max(unit, Math.abs(column[h] - base))
    }
    if (unit > 0) unit = scale(1, Math.min(exponentOf(unit) + 1, 1023))
    this.#heads.set([forecast.madeAt, base, unit, forecast.coverage, forecast.error], i * HEAD)
    const values = this.#values
    let used = this.#used
    for (const name of COLUMNS) {
      const column = forecast[name]
      for (let h = 0; h < steps; h++) values[used++] = unit === 0 ? 0 : (column[h] - base) / unit
    }
    this.#used = used
  }

  #growHeads(): void {
    const size = Math.max(FORECASTS_AT_FIRST, this.count * 2)
    this.#series = grown(this.#series, new Uint32Array(size))
    this.#model = grown(this.#model, new Uint8Array(size))
    this.#steps = grown(this.#steps, new Uint8Array(size))
    this.#heads = grown(this.#heads, new Float64Array(size * HEAD))
  }

  wire(): ForecastWire {
    const n = this.count
    return {
      m: this.#models,
      s: toBytes(this.#series.subarray(0, n)),
      k: toBytes(this.#model.subarray(0, n)),
      n: toBytes(this.#steps.subarray(0, n)),
      h: toBytes(this.#heads.subarray(0, n * HEAD)),
      v: toBytes(this.#values.subarray(0, this.#used)),
    }
  }
}

function grown<Column extends { set(from: Column): void }>(from: Column, to: Column): Column {
  to.set(from)
  return to
}

/** The forecasts in `wire` of a commit that names `named` series. Throws `RangeError` on what is not whole. */
export function decodeForecasts(wire: ForecastWire | null | undefined, named: number): Forecast[] {
  if (typeof wire !== 'object' || wire === null) throw new RangeError(`Cannot read forecasts as they must be columns: current value is ${told(wire)}`)
  const models = wire.m
  const [series, model, steps, heads, values] = [toUint32(wire.s), toUint8(wire.k), toUint8(wire.n), toFloat64(wire.h), toFloat32(wire.v)]
  const n = series.length
  let sound = Array.isArray(models) && models.every((name) => typeof name === 'string') && model.length === n && steps.length === n && heads.length === n * HEAD
  let expected = 0
  for (let i = 0; sound && i < n; i++) {
    sound = series[i] < named && model[i] < models.length && steps[i] >= 1 && steps[i] <= HORIZON_MAX
    expected += steps[i] * COLUMNS.length
  }
  if (!sound || values.length !== expected) throw new RangeError('Cannot read forecasts as they must be whole and of series that the commit names')
  let used = 0
  return Array.from({ length: n }, (_, i) => {
    const [madeAt, base, unit, coverage, error] = heads.subarray(i * HEAD, (i + 1) * HEAD)
    const column = () => Float64Array.from(values.subarray(used, (used += steps[i])), (v) => base + v * unit)
    const [mean, lower, upper, lower80, upper80] = COLUMNS.map(column)
    return { series: series[i], madeAt, steps: steps[i], mean, lower, upper, lower80, upper80, model: models[model[i]], coverage, error }
  })
}
