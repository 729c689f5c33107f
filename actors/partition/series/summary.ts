/**
 * What is known of the readings of one window: the statistics of a row, in a form that merges upward.
 *
 * Moments are merged by Chan, Golub and LeVeque (1979), sums with Neumaier's carry, percentiles exactly while the values are few and by
 * sketch.ts beyond.
 *
 * - U1 A summary holds its values, ascending, while they are at most `RAW_MAX`, else bins; which of the two depends on the count alone.
 *   (The scratch summary of a minute is the exception: it always holds values.)
 */

import { Bins } from './sketch.ts'

/** Values kept one by one before bins are cheaper. */
export const RAW_MAX = 256

export class Summary {
  /** Start of its window, epoch ms. */
  start: number
  /** The next later open window of the same size. */
  next: Summary | null = null
  count = 0
  sum = 0
  /** What rounding took from `sum`. */
  carry = 0
  /** Sum of squared distances from the mean. */
  m2 = 0
  min = Infinity
  max = -Infinity
  firstTs = Infinity
  first = NaN
  lastTs = -Infinity
  last = NaN
  /** The values, ascending, in the first `count` places; not used once there are bins. */
  values: number[] = []
  bins: Bins | null = null

  constructor(start: number) {
    this.start = start
  }

  /** Merges `other` into this one; `other` stays as it is. */
  absorb(other: Summary): void {
    const n = this.count + other.count
    if (this.bins === null && other.bins === null && n <= RAW_MAX) mergeAscending(this.values, this.count, other.values, other.count)
    else {
      if (this.bins === null) {
        this.bins = new Bins()
        this.bins.fill(this.values, this.count)
        this.values = []
      }
      if (other.bins === null) {
        scratch.fill(other.values, other.count)
        this.bins.merge(scratch)
      } else this.bins.merge(other.bins)
    }
    if (this.count === 0) this.m2 = other.m2
    else {
      const distance = (other.sum + other.carry) / other.count - (this.sum + this.carry) / this.count
      this.m2 += other.m2 + distance * distance * ((this.count * other.count) / n)
    }
    const sum = this.sum + other.sum
    this.carry += other.carry + (Math.abs(this.sum) >= Math.abs(other.sum) ? this.sum - sum + other.sum : other.sum - sum + this.sum)
    this.sum = sum
    this.count = n
    if (other.min < this.min) this.min = other.min
    if (other.max > this.max) this.max = other.max
    if (other.firstTs < this.firstTs || (other.firstTs === this.firstTs && other.first < this.first)) {
      this.firstTs = other.firstTs
      this.first = other.first
    }
    if (other.lastTs > this.lastTs || (other.lastTs === this.lastTs && other.last > this.last)) {
      this.lastTs = other.lastTs
      this.last = other.last
    }
  }

  /** Sample deviation; NaN for one reading. */
  stddev(): number {
    return this.count > 1 ? Math.sqrt(Math.max(0, this.m2) / (this.count - 1)) : NaN
  }

  /** The value of rank ⌈percent · count / 100⌉: exact from values, within 1 % from bins. */
  percentile(percent: number): number {
    const rank = Math.max(1, Math.ceil((percent * this.count) / 100))
    if (this.bins === null) return this.values[rank - 1]
    return Math.min(this.max, Math.max(this.min, this.bins.at(rank)))
  }
}

const scratch = new Bins()

/** Merges ascending `b` into ascending `a`, from the back. */
function mergeAscending(a: number[], aCount: number, b: ArrayLike<number>, bCount: number): void {
  let to = aCount + bCount
  for (let k = a.length; k < to; k++) a.push(0)
  let i = aCount - 1
  for (let j = bCount - 1; j >= 0; j--) {
    const v = b[j]
    while (i >= 0 && a[i] > v) a[--to] = a[i--]
    a[--to] = v
  }
}
