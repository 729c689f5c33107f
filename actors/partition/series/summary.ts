/**
 * What is known of the readings of one window: the statistics of a row, in a form that merges upward.
 *
 * Moments are merged by Chan, Golub and LeVeque (1979), sums with Neumaier's carry, percentiles exactly while the values are few and by
 * sketch.ts beyond.
 *
 * - U1 A summary holds its values, ascending, while they are at most `RAW_MAX`, else bins; which of the two depends on the count alone.
 *   (The scratch summary of a minute is the exception: it always holds values.)
 */

import { Slab } from './forecaster/slab.ts'
import { Bins } from './sketch.ts'

/** Values kept one by one before bins are cheaper. */
export const RAW_MAX = 256

/** Numbers of a summary, in the order in which snapshots hold them. */
const START = 0
const COUNT = 1
const SUM = 2
const CARRY = 3
const M2 = 4
const MIN = 5
const MAX = 6
const FIRST_TS = 7
const FIRST = 8
const LAST_TS = 9
const LAST = 10
export const SUMMARY_NUMBERS = 11

export class Summary {
  /** The next later open window of the same size. */
  next: Summary | null = null
  /** The values, ascending, in the first `count` places; not used once there are bins. */
  values: number[] = []
  bins: Bins | null = null
  readonly #d: Float64Array
  readonly #at: number

  /** Its numbers stand in `numbers` from `at` on. */
  constructor(start: number, numbers: Float64Array = new Float64Array(SUMMARY_NUMBERS), at = 0) {
    this.#d = numbers
    this.#at = at
    this.begin(start)
  }

  /** Makes it that of a window in which nothing has come. */
  begin(start: number): void {
    this.set(start, 0, 0, 0, 0, Infinity, -Infinity, Infinity, NaN, -Infinity, NaN)
    this.next = null
    this.values = []
    this.bins = null
  }

  /** Start of its window, epoch ms. */
  get start(): number {
    return this.#d[this.#at + START]
  }
  get count(): number {
    return this.#d[this.#at + COUNT]
  }
  get sum(): number {
    return this.#d[this.#at + SUM]
  }
  /** What rounding took from `sum`. */
  get carry(): number {
    return this.#d[this.#at + CARRY]
  }
  get min(): number {
    return this.#d[this.#at + MIN]
  }
  get max(): number {
    return this.#d[this.#at + MAX]
  }
  get first(): number {
    return this.#d[this.#at + FIRST]
  }
  get last(): number {
    return this.#d[this.#at + LAST]
  }

  /** Touches what `absorb` needs. */
  glance(): number {
    return this.#d[this.#at] + this.#d[this.#at + LAST] + this.values.length
  }

  /** Copies all of its numbers to `to`, from `at` on, in the order of `set`. */
  write(to: Float64Array, at: number): void {
    for (let i = 0; i < SUMMARY_NUMBERS; i++) to[at + i] = this.#d[this.#at + i]
  }

  /** `m2` is the sum of squared distances from the mean. Values or bins are the caller's to set. */
  set(start: number, count: number, sum: number, carry: number, m2: number, min: number, max: number, firstTs: number, first: number, lastTs: number, last: number): void {
    const d = this.#d
    const at = this.#at
    d[at + START] = start
    d[at + COUNT] = count
    d[at + SUM] = sum
    d[at + CARRY] = carry
    d[at + M2] = m2
    d[at + MIN] = min
    d[at + MAX] = max
    d[at + FIRST_TS] = firstTs
    d[at + FIRST] = first
    d[at + LAST_TS] = lastTs
    d[at + LAST] = last
  }

  /** Merges `other` into this one; `other` stays as it is. */
  absorb(other: Summary): void {
    const [d, at, o, from] = [this.#d, this.#at, other.#d, other.#at]
    const mine = d[at + COUNT]
    const others = o[from + COUNT]
    const n = mine + others
    if (this.bins === null && other.bins === null && n <= RAW_MAX) {
      if (mine === 0) this.values = other.values.slice(0, others)
      else mergeAscending(this.values, mine, other.values, others)
    } else {
      if (this.bins === null) {
        this.bins = new Bins()
        this.bins.fill(this.values, mine)
        this.values = []
      }
      if (other.bins === null) {
        scratch.fill(other.values, others)
        this.bins.merge(scratch)
      } else this.bins.merge(other.bins)
    }
    const sum = d[at + SUM]
    const added = o[from + SUM]
    if (mine === 0) d[at + M2] = o[from + M2]
    else {
      const distance = (added + o[from + CARRY]) / others - (sum + d[at + CARRY]) / mine
      d[at + M2] += o[from + M2] + distance * distance * ((mine * others) / n)
    }
    const all = sum + added
    d[at + CARRY] += o[from + CARRY] + (Math.abs(sum) >= Math.abs(added) ? sum - all + added : added - all + sum)
    d[at + SUM] = all
    d[at + COUNT] = n
    if (o[from + MIN] < d[at + MIN]) d[at + MIN] = o[from + MIN]
    if (o[from + MAX] > d[at + MAX]) d[at + MAX] = o[from + MAX]
    if (o[from + FIRST_TS] < d[at + FIRST_TS] || (o[from + FIRST_TS] === d[at + FIRST_TS] && o[from + FIRST] < d[at + FIRST])) {
      d[at + FIRST_TS] = o[from + FIRST_TS]
      d[at + FIRST] = o[from + FIRST]
    }
    if (o[from + LAST_TS] > d[at + LAST_TS] || (o[from + LAST_TS] === d[at + LAST_TS] && o[from + LAST] > d[at + LAST])) {
      d[at + LAST_TS] = o[from + LAST_TS]
      d[at + LAST] = o[from + LAST]
    }
  }

  /** Lets go of memory that was taken ahead: for windows that grow seldom, of which there are as many as series. */
  trim(): void {
    if (this.bins === null) this.values = this.values.slice(0, this.count)
    else this.bins.trim()
  }

  /** Sample deviation; NaN for one reading. */
  stddev(): number {
    return this.count > 1 ? Math.sqrt(Math.max(0, this.#d[this.#at + M2]) / (this.count - 1)) : NaN
  }

  /** The value of rank ⌈percent · count / 100⌉: exact from values, within 1 % from bins. */
  percentile(percent: number): number {
    const rank = Math.max(1, Math.ceil((percent * this.count) / 100))
    if (this.bins === null) return this.values[rank - 1]
    return Math.min(this.max, Math.max(this.min, this.bins.at(rank)))
  }
}

const scratch = new Bins()

/** Gives summaries out and takes them back. Their numbers stand in chunks of many: an object each would double what a collector has to look at. */
export class SummaryPool {
  readonly #numbers = new Slab({ doubles: SUMMARY_NUMBERS, floats: 0, shorts: 0 })
  readonly #free: Summary[] = []

  take(start: number): Summary {
    const freed = this.#free.pop()
    if (freed === undefined) {
      const { doubles, d } = this.#numbers.open(this.#numbers.take())
      return new Summary(start, doubles, d)
    }
    freed.begin(start)
    return freed
  }

  /** Nobody may hold it any more. */
  give(summary: Summary): void {
    summary.begin(0)
    this.#free.push(summary)
  }

  /** Gives back a whole chain. */
  giveAll(chain: Summary | null): void {
    for (let summary = chain; summary !== null; ) {
      const { next } = summary
      this.give(summary)
      summary = next
    }
  }
}

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
