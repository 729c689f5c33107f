/**
 * Linear regression, one observation at a time: recursive least squares with forgetting (Plackett 1950; Haykin, Adaptive Filter Theory, ch. 9).
 *
 * - R1 Numbers are plain IEEE arithmetic, so that they are the same on every engine; the covariance is kept symmetric.
 * - R2 The state is the coefficients, the covariance (unscaled), and the variance of what is left over; `errorOf` is the standard error of a coefficient.
 *   Of observations that count w, the error is that of the sum of w², not of w: what is forgotten has not made it larger than it is.
 * - R3 The covariance never grows beyond `PRIOR`: where nothing moves, forgetting would otherwise blow it up.
 */

const PRIOR = 1_000

export class Regression {
  readonly size: number
  readonly forget: number
  readonly coefficients: Float64Array
  /** Row by row. */
  readonly covariance: Float64Array
  /** Observations, those long ago counted less; mean square of what was left over before each was learned. */
  count = 0
  leftOver = 0
  #gain: Float64Array

  /** `forget`: what an observation still counts after the next one. */
  constructor(size: number, forget = 0.998) {
    this.size = size
    this.forget = forget
    this.coefficients = new Float64Array(size)
    this.covariance = new Float64Array(size * size)
    this.#gain = new Float64Array(size)
    for (let i = 0; i < size; i++) this.covariance[i * size + i] = PRIOR
  }

  predict(x: ArrayLike<number>): number {
    let sum = 0
    for (let i = 0; i < this.size; i++) sum += this.coefficients[i] * x[i]
    return sum
  }

  learn(x: ArrayLike<number>, y: number): void {
    const { size, forget, covariance, coefficients } = this
    const gain = this.#gain
    let weight = forget
    for (let i = 0; i < size; i++) {
      let sum = 0
      for (let j = 0; j < size; j++) sum += covariance[i * size + j] * x[j]
      gain[i] = sum
      weight += x[i] * sum
    }
    const missed = y - this.predict(x)
    // What is left of it once learned, times what was missed: the share that the observation did not explain by itself.
    const square = (missed * missed * forget) / weight
    this.count = this.count * forget + 1
    this.leftOver += (square - this.leftOver) / this.count
    for (let i = 0; i < size; i++) coefficients[i] += (gain[i] / weight) * missed
    for (let i = 0; i < size; i++) {
      for (let j = i; j < size; j++) {
        const next = (covariance[i * size + j] - (gain[i] * gain[j]) / weight) / forget
        covariance[i * size + j] = covariance[j * size + i] = next
      }
    }
    for (let i = 0; i < size; i++) {
      const own = covariance[i * size + i]
      if (own <= PRIOR) continue
      const shrink = Math.sqrt(PRIOR / own)
      for (let j = 0; j < size; j++) {
        covariance[i * size + j] *= shrink
        covariance[j * size + i] *= shrink
      }
    }
  }

  /** Standard error of a coefficient; that of the prior where little is known. */
  errorOf(i: number): number {
    // The sum of squared weights over that of weights: (1 + forget^n) / (1 + forget), n the observations; `count` is that of weights.
    const part = (2 - this.count * (1 - this.forget)) / (1 + this.forget)
    return Math.sqrt(this.leftOver * this.covariance[i * this.size + i] * part)
  }
}
