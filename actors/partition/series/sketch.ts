/**
 * Percentiles of any number of readings, within 1 %, from a sketch that merges.
 *
 * Picture drawers for values whose labels grow by 2 % from each to the next: one counts how many values lie in each drawer, and
 * reads a percentile by counting drawers. Whatever the order of adding and merging, the counts are the same. Source: Masson, Rim
 * and Lee, DDSketch, VLDB 2019; here with drawers for negative values, for zero, and for the last few denormals one by one.
 *
 * - S1 A bin's value differs from every value in the bin by at most 1 % of it, for all doubles of magnitude ≤ 1e100.
 * - S2 A value's bin depends on the value alone, so that merging is exact, associative and commutative.
 * - S3 Bins are held sparse, sorted by key. Nothing is ever collapsed: what bounds them is the number of keys, 2 · `KEY_MAX` + 1 (about
 *   108,000), which only a series that covers every magnitude from 1e-324 to 1e100 in one day could reach; a sensor fills some dozens.
 */

import { exponentOf, fraction, scale } from './arithmetic.ts'

/** Bins from a power of two to the next: each 2 % wider than the one before, so that its middle is 0.99 % from either edge. */
const BINS = 35
/** Below so many units of the least double, a rounded middle could be off by more than 1 %: each unit has a key of its own. */
const EXACT_UNITS = 5_000
const UNIT = Number.MIN_VALUE
const EXACT_BELOW = EXACT_UNITS * UNIT
/** Exponent of `EXACT_BELOW`: the first that has bins. */
const EXPONENT_MIN = exponentOf(EXACT_BELOW)

/** Lower edges of the bins in [1, 2), and 2: a geometric series whose ratio is found by Newton's method. */
const EDGES = (() => {
  let ratio = 1.02
  for (let round = 0; round < 60; round++) {
    let power = 1
    for (let i = 1; i < BINS; i++) power *= ratio
    ratio -= (power * ratio - 2) / (BINS * power)
  }
  const edges = new Float64Array(BINS + 1)
  edges[0] = 1
  for (let i = 1; i < BINS; i++) edges[i] = edges[i - 1] * ratio
  edges[BINS] = 2
  return edges
})()

/** Value of each bin: equally far, relatively, from both edges. */
const MIDDLES = Float64Array.from({ length: BINS }, (_, i) => (2 * EDGES[i] * EDGES[i + 1]) / (EDGES[i] + EDGES[i + 1]))

/** Bin of the lower end of each 128th of [1, 2): where the search begins. */
const FIRST_BIN = Uint8Array.from({ length: 128 }, (_, i) => EDGES.findLastIndex((edge) => edge <= 1 + i / 128))

/** The bin's key of a finite value of magnitude ≤ 1e100. */
export function keyOf(value: number): number {
  if (value > 0) {
    if (value < EXACT_BELOW) return Math.round(value / UNIT)
    const exponent = exponentOf(value)
    const part = fraction()
    let bin = FIRST_BIN[((part - 1) * 128) | 0]
    while (part >= EDGES[bin + 1]) bin++
    return (exponent - EXPONENT_MIN) * BINS + bin + EXACT_UNITS
  }
  if (value < 0) return -keyOf(-value)
  return 0
}

/** Greatest key: that of 1e100. */
export const KEY_MAX = keyOf(1e100)

/** A value within 1 % of every value of the bin. */
export function valueOf(key: number): number {
  if (key > 0) {
    if (key < EXACT_UNITS) return key * UNIT
    const beyond = key - EXACT_UNITS
    return scale(MIDDLES[beyond % BINS], Math.floor(beyond / BINS) + EXPONENT_MIN)
  }
  if (key < 0) return -valueOf(-key)
  return 0
}

/** Sparse bins: keys ascend, `counts[i]` belongs to `keys[i]`. Only the first `length` entries count. */
export class Bins {
  keys: number[] = []
  counts: number[] = []
  length = 0

  clear(): void {
    this.length = 0
  }

  /** Adds a bin whose key is beyond all others. */
  push(key: number, count: number): void {
    this.keys[this.length] = key
    this.counts[this.length++] = count
  }

  /** Replaces the content with that of `values`, which ascend. */
  fill(values: ArrayLike<number>, count: number): void {
    const { keys, counts } = this
    let n = 0
    for (let i = 0; i < count; i++) {
      const key = keyOf(values[i])
      if (n > 0 && keys[n - 1] === key) counts[n - 1]++
      else {
        keys[n] = key
        counts[n] = 1
        n++
      }
    }
    this.length = n
  }

  /** Adds the counts of `other`. */
  merge(other: Bins): void {
    let fresh = 0
    const { keys, counts } = this
    const n = this.length
    for (let i = 0, j = 0; j < other.length; j++) {
      const key = other.keys[j]
      while (i < n && keys[i] < key) i++
      if (i === n || keys[i] !== key) fresh++
    }
    let to = n + fresh
    this.length = to
    for (let k = n; k < to; k++) {
      keys[k] = 0
      counts[k] = 0
    }
    // From the back, so that nothing is overwritten before it has moved.
    let i = n - 1
    for (let j = other.length - 1; j >= 0; j--) {
      const key = other.keys[j]
      while (i >= 0 && keys[i] > key) {
        to--
        keys[to] = keys[i]
        counts[to] = counts[i]
        i--
      }
      to--
      keys[to] = key
      if (i >= 0 && keys[i] === key) counts[to] = counts[i--] + other.counts[j]
      else counts[to] = other.counts[j]
    }
  }

  /** The value of rank `rank`, counted from 1. */
  at(rank: number): number {
    let seen = 0
    for (let i = 0; i < this.length; i++) {
      seen += this.counts[i]
      if (seen >= rank) return valueOf(this.keys[i])
    }
    return NaN
  }
}
