/**
 * A linear autoregression with lags of hours, days and a week, on the values or on their signed square roots.
 *
 * Picture someone who knows each hour of the last day and of a week ago, and has learnt how much to heed each of them. Coefficients come of
 * least squares, twice: the second time, hours that the first explained badly count less (Huber's weights), so that a fault is not learnt.
 * They are drawn to a prior (lags.ts) with the strength of `PRIOR_HOURS` hours of standard size.
 *
 * Recursive least squares with the same memory would give the same coefficients hour by hour, for a matrix of 153 doubles; a fit a day
 * from the ring needs none.
 *
 * - A1 Hours that are gaps are not fitted; as lags they count as they were filled.
 * - A2 A forecast stays within half a span of what was there: no coefficients make it run away.
 */

/** How values enter: 0 is no fit, the model gives way to another one. */
export const Shape = { none: 0, plain: 1, root: 2 } as const

const PRIOR_HOURS = 0.1
/** In medians of the first fit's absolute errors: 1.5 deviations, were they normal. */
const HUBER = 1.5 * 1.4826
const REACH = 0.5
/** Hours to fit for each coefficient, at least. */
const HOURS_EACH = 2
const HOURS_MORE = 24

const COEFFICIENTS_MAX = 20
const matrix = new Float64Array(COEFFICIENTS_MAX * COEFFICIENTS_MAX)
const right = new Float64Array(COEFFICIENTS_MAX)
/** Values as they enter, centred; behind them the forecast. */
const entered = new Float64Array(504 + 168)
const errors = new Float64Array(504)
const sorted = new Float64Array(504)
/** What each hour counts, none for one that is not known; and that times the value of a lag. */
const hourWeights = new Float64Array(504)
const weighted = new Float64Array(504)
const four = new Float64Array(4)

function enter(value: number, shape: number): number {
  if (shape === Shape.plain) return value
  return value < 0 ? -Math.sqrt(-value) : Math.sqrt(value)
}

function leave(value: number, shape: number): number {
  if (shape === Shape.plain) return value
  return value < 0 ? -value * value : value * value
}

export interface Fit {
  shape: number
  centre: number
  /** One each lag, and the constant. */
  readonly coefficients: Float64Array
}

/** Writes into `fit` what explains values[from … until) best; gives whether they are enough. */
export function fitAutoregression(
  values: Float64Array,
  known: Uint8Array,
  { from, until }: { from: number; until: number },
  { lags, prior }: { lags: readonly number[]; prior: readonly number[] },
  fit: Fit,
): boolean {
  const longest = lags[lags.length - 1]
  const count = lags.length + 1
  const first = from + longest
  let rows = 0
  let least = Infinity
  let mean = 0
  for (let t = first; t < until; t++) rows += known[t]
  if (rows < HOURS_EACH * count + HOURS_MORE) return false
  for (let t = from; t < until; t++) if (values[t] < least) least = values[t]
  fit.shape = least >= 0 ? Shape.root : Shape.plain
  for (let t = from; t < until; t++) mean += entered[t] = enter(values[t], fit.shape)
  fit.centre = mean / (until - from)
  let square = 0
  for (let t = from; t < until; t++) square += (entered[t] -= fit.centre) * entered[t]
  const deviation = Math.sqrt(square / (until - from))
  const { coefficients } = fit
  if (!(deviation > 0)) {
    for (let i = 0; i < count; i++) coefficients[i] = i < count - 1 ? prior[i] : 0
    return true
  }
  for (let t = from; t < until; t++) entered[t] /= deviation
  solveWeighted(known, first, until, lags, prior, coefficients, 0)
  const limit = HUBER * missesOf(known, first, until, lags, coefficients)
  if (limit > 0) solveWeighted(known, first, until, lags, prior, coefficients, limit)
  coefficients[count - 1] *= deviation
  return coefficients.every(Number.isFinite)
}

/** Normal equations of all known hours; those whose `errors` exceed `limit` (0: none) weigh less. */
function solveWeighted(known: Uint8Array, first: number, until: number, lags: readonly number[], prior: readonly number[], out: Float64Array, limit: number): void {
  const constant = lags.length
  for (let t = first; t < until; t++) {
    const size = limit > 0 ? Math.abs(errors[t]) : 0
    hourWeights[t] = known[t] === 0 ? 0 : size > limit ? limit / size : 1
  }
  for (let i = 0; i <= constant; i++) {
    const lag = i < constant ? lags[i] : 0
    for (let t = first; t < until; t++) weighted[t] = i < constant ? hourWeights[t] * entered[t - lag] : hourWeights[t]
    // The hour itself, which stands on the right, and the lags up to this one: as many columns.
    const columns = Math.min(i + 1, constant) + 1
    const lagOf = (column: number) => (column === 0 || column >= columns ? 0 : lags[column - 1])
    for (let c = 0; c < columns; c += 4) {
      sumFour(first, until, lagOf(c), lagOf(c + 1), lagOf(c + 2), lagOf(c + 3))
      if (c === 0) right[i] = four[0]
      for (let k = c === 0 ? 1 : 0; k < 4 && c + k < columns; k++) matrix[i * COEFFICIENTS_MAX + c + k - 1] = four[k]
    }
  }
  let all = 0
  for (let t = first; t < until; t++) all += hourWeights[t]
  matrix[constant * COEFFICIENTS_MAX + constant] = all
  for (let i = 0; i <= constant; i++) {
    const strength = i < constant ? PRIOR_HOURS : 1e-9
    matrix[i * COEFFICIENTS_MAX + i] += strength
    if (i < constant) right[i] += strength * prior[i]
  }
  solve(constant + 1, out)
}

/** Sums of `weighted` times the hours so many before: four at a time, as one alone waits at each hour for its own last step. */
function sumFour(first: number, until: number, lag0: number, lag1: number, lag2: number, lag3: number): void {
  let [sum0, sum1, sum2, sum3] = [0, 0, 0, 0]
  for (let t = first; t < until; t++) {
    const weight = weighted[t]
    sum0 += weight * entered[t - lag0]
    sum1 += weight * entered[t - lag1]
    sum2 += weight * entered[t - lag2]
    sum3 += weight * entered[t - lag3]
  }
  four[0] = sum0
  four[1] = sum1
  four[2] = sum2
  four[3] = sum3
}

/** The median absolute error of the fit, and each in `errors`. */
function missesOf(known: Uint8Array, first: number, until: number, lags: readonly number[], coefficients: Float64Array): number {
  const constant = lags.length
  let n = 0
  for (let t = first; t < until; t++) {
    if (known[t] === 0) continue
    let error = entered[t] - coefficients[constant]
    for (let i = 0; i < constant; i++) error -= coefficients[i] * entered[t - lags[i]]
    errors[t] = error
    sorted[n++] = Math.abs(error)
  }
  return sorted.subarray(0, n).sort()[n >> 1]
}

/** Solves matrix · out = right, of which the lower half is given, by L·D·Lᵀ. */
function solve(count: number, out: Float64Array): void {
  const width = COEFFICIENTS_MAX
  for (let j = 0; j < count; j++) {
    let pivot = matrix[j * width + j]
    for (let k = 0; k < j; k++) pivot -= matrix[j * width + k] * matrix[j * width + k] * matrix[k * width + k]
    matrix[j * width + j] = pivot
    for (let i = j + 1; i < count; i++) {
      let sum = matrix[i * width + j]
      for (let k = 0; k < j; k++) sum -= matrix[i * width + k] * matrix[j * width + k] * matrix[k * width + k]
      matrix[i * width + j] = sum / pivot
    }
  }
  for (let i = 0; i < count; i++) {
    let sum = right[i]
    for (let k = 0; k < i; k++) sum -= matrix[i * width + k] * out[k]
    out[i] = sum
  }
  for (let i = 0; i < count; i++) out[i] /= matrix[i * width + i]
  for (let i = count - 1; i >= 0; i--) {
    let sum = out[i]
    for (let k = i + 1; k < count; k++) sum -= matrix[k * width + i] * out[k]
    out[i] = sum
  }
}

/** Forecasts `steps` hours behind values[until - 1] into `out`. `until - from` must be at least the longest lag. */
export function forecastAutoregression(
  values: Float64Array,
  { from, until }: { from: number; until: number },
  lags: readonly number[],
  { shape, centre, coefficients }: Fit,
  steps: number,
  out: Float64Array,
): void {
  const longest = lags[lags.length - 1]
  const constant = lags.length
  let least = Infinity
  let greatest = -Infinity
  for (let t = from; t < until; t++) {
    if (values[t] < least) least = values[t]
    if (values[t] > greatest) greatest = values[t]
  }
  const low = enter(least, shape) - centre
  const high = enter(greatest, shape) - centre
  const floor = low - REACH * (high - low)
  const ceiling = high + REACH * (high - low)
  for (let i = 0; i < longest; i++) entered[i] = enter(values[until - longest + i], shape) - centre
  for (let h = 0; h < steps; h++) {
    let sum = coefficients[constant]
    for (let i = 0; i < constant; i++) sum += coefficients[i] * entered[longest + h - lags[i]]
    const bounded = sum < floor ? floor : sum > ceiling ? ceiling : sum
    entered[longest + h] = bounded
    out[h] = leave(bounded + centre, shape)
  }
}
