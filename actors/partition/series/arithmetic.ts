/**
 * Logarithms and powers of two that are the same to the last bit on every engine.
 *
 * `Math.log`, `Math.exp` and `Math.pow` are only approximately specified, and engines of two versions do differ in the last bit: a
 * partition that moves from Node to Deno would then replay into other rows. What is used here, and all that actors/partition/ may
 * use, is +, −, ×, ÷ and the square root, which IEEE 754 fixes, and the bits of a double.
 */

const double = new Float64Array(1)
const words = new Uint32Array(double.buffer)

/** Fraction in [1, 2) of the double last given to `exponentOf`, until anything else here is called. */
export function fraction(): number {
  return double[0]
}

/** The exponent e of a positive finite `x` = fraction · 2^e, denormals included; `fraction` gives the other part. */
export function exponentOf(x: number): number {
  let shift = 0
  if (x < 2.2250738585072014e-308) {
    x *= 18014398509481984
    shift = 54
  }
  double[0] = x
  const high = words[1]
  words[1] = (high & 0xfffff) | 0x3ff00000
  return (high >>> 20) - 1023 - shift
}

/** x · 2^e, rounded once, for −1100 ≤ e ≤ 1023. */
export function scale(x: number, e: number): number {
  if (e < -1022) return x * powerOfTwo(-1022) * powerOfTwo(e + 1022)
  return x * powerOfTwo(e)
}

function powerOfTwo(e: number): number {
  words[0] = 0
  words[1] = (e + 1023) << 20
  return double[0]
}

/** log10 of a positive finite number, to about 1e-15 of its size or of 1. */
export function log10(x: number): number {
  let e = exponentOf(x)
  let m = fraction()
  if (m > Math.SQRT2) {
    m /= 2
    e++
  }
  // ln m = 2 · artanh t, of which the series converges fast for |t| ≤ 0.172.
  const t = (m - 1) / (m + 1)
  const square = t * t
  let sum = 0
  for (let k = 23; k >= 1; k -= 2) sum = sum * square + 1 / k
  return (2 * t * sum + e * Math.LN2) / Math.LN10
}
