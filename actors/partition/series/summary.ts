/**
 * What is known of the readings of one window: the statistics of a row, in a form that merges upward.
 *
 * Moments are merged by Chan, Golub and LeVeque (1979), sums with Neumaier's carry, percentiles exactly while the values are few and by
 * sketch.ts beyond.
 *
 * - U1 A summary holds its values while they are at most `RAW_MAX`, else bins; which of the two depends on the count alone.
 *   (The scratch summary of a minute is the exception: it always holds values.) Values stand as they came, so that a minute that merges into a longer window
 *   touches its end alone; whoever asks for them gets them ascending.
 * - U2 All of it stands in the slabs of its pool, and a `Summary` is but a look at it: of a million open windows a collector of garbage sees nothing.
 */

import { ascend } from './ascend.ts'
import { Lists } from './lists.ts'
import { Bins } from './sketch.ts'
import { Slab } from './slab.ts'

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
/** Behind them: the next later open window of the same size; the list of its values, or of keys and counts by turns; how many bins, −1 while there are values. */
const NEXT = SUMMARY_NUMBERS
const LIST = SUMMARY_NUMBERS + 1
const BINS = SUMMARY_NUMBERS + 2
const ROW_NUMBERS = SUMMARY_NUMBERS + 3

/** Gives summaries out and takes them back. */
export class SummaryPool {
  readonly rows = new Slab({ doubles: ROW_NUMBERS, floats: 0, shorts: 0 })
  readonly lists = new Lists()

  /** An empty one of the window that begins at `start`. */
  take(start: number): Summary {
    const summary = this.at(this.rows.take() + 1)
    summary.set(start, 0, 0, 0, 0, Infinity, -Infinity, Infinity, NaN, -Infinity, NaN)
    return summary
  }

  /** The one of that handle, which is not 0. */
  at(handle: number): Summary {
    return new Summary(this, handle)
  }

  /** Start of the window of that handle, epoch ms. */
  startOf(handle: number): number {
    const { doubles, d } = this.rows.open(handle - 1)
    return doubles[d + START]
  }

  /** Touches what `absorb` needs of the one of that handle. */
  glance(handle: number): number {
    const { doubles, d } = this.rows.open(handle - 1)
    return doubles[d] + doubles[d + LAST] + this.lists.glance(doubles[d + LIST])
  }

  /** Those of a chain, oldest first. */
  *chain(oldest: number): Generator<Summary> {
    for (let handle = oldest; handle !== 0; ) {
      const summary = this.at(handle)
      yield summary
      handle = summary.next
    }
  }

  /** Nobody may hold it any more. */
  give(summary: Summary): void {
    summary.clear()
    this.rows.give(summary.handle - 1)
  }

  /** Gives back a whole chain, 0 for none. */
  giveAll(chain: number): void {
    for (let handle = chain; handle !== 0; ) {
      const summary = this.at(handle)
      handle = summary.next
      this.give(summary)
    }
  }
}

export class Summary {
  /** Never 0: that is the handle of none. */
  readonly handle: number
  readonly #lists: Lists
  readonly #d: Float64Array
  readonly #at: number

  /** A look at the summary of that handle. */
  constructor({ rows, lists }: SummaryPool, handle: number) {
    const { doubles, d } = rows.open(handle - 1)
    this.handle = handle
    this.#lists = lists
    this.#d = doubles
    this.#at = d
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
  /** Handle of the next later open window of the same size; 0: none. */
  get next(): number {
    return this.#d[this.#at + NEXT]
  }
  set next(handle: number) {
    this.#d[this.#at + NEXT] = handle
  }
  /** How many bins it holds; −1 while it holds values. */
  get bins(): number {
    return this.#d[this.#at + BINS] - 1
  }

  /** Copies all of its numbers to `to`, from `at` on, in the order of `set`. */
  write(to: Float64Array, at: number): void {
    for (let i = 0; i < SUMMARY_NUMBERS; i++) to[at + i] = this.#d[this.#at + i]
  }

  /** Takes what `write` gave. */
  read(from: Float64Array, at: number): void {
    for (let i = 0; i < SUMMARY_NUMBERS; i++) this.#d[this.#at + i] = from[at + i]
  }

  /** Copies its values, ascending, or the keys and counts of its bins by turns, to `to`, from `at` on; gives the place behind them. */
  writeList(to: Float64Array, at: number): number {
    const { bins, count } = this
    const list = this.#d[this.#at + LIST]
    if (bins < 0) {
      this.#lists.readPushed(list, count, to, at)
      ascend(to, at, at + count)
      return at + count
    }
    this.#lists.read(list, 2 * bins, to, at)
    return at + 2 * bins
  }

  /** Writes the numbers of its row, in their order in a commit: start, count, sum, min, max, stddev, first, last, p50, p95, p99. */
  writeRow(to: Float64Array, at: number): void {
    const d = this.#d
    const from = this.#at
    to[at] = d[from + START]
    to[at + 1] = d[from + COUNT]
    to[at + 2] = d[from + SUM] + d[from + CARRY]
    to[at + 3] = d[from + MIN]
    to[at + 4] = d[from + MAX]
    to[at + 5] = this.stddev()
    to[at + 6] = d[from + FIRST]
    to[at + 7] = d[from + LAST]
    const values = this.bins < 0 ? this.#values() : null
    if (values === null) this.fill(binsOfMine)
    for (let i = 0; i < PERCENTS.length; i++) to[at + 8 + i] = values === null ? this.#ofBins(PERCENTS[i]) : values[this.#rank(PERCENTS[i]) - 1]
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

  /** Makes the first `count` of `values` its values. */
  setValues(values: ArrayLike<number>, count: number): void {
    const at = this.#at + LIST
    this.#lists.free(this.#d[at])
    this.#d[at] = this.#lists.push(0, 0, values, count)
    this.#d[this.#at + BINS] = 0
  }

  /** Makes these its bins: keys, which ascend, and counts by turns, in the first 2 · `length` places. */
  setBins(keysAndCounts: ArrayLike<number>, length: number): void {
    const at = this.#at + LIST
    this.#d[at] = this.#lists.write(this.#d[at], keysAndCounts, 2 * length)
    this.#d[this.#at + BINS] = length + 1
  }

  /** Lets go of its values or bins. */
  clear(): void {
    this.setValues([], 0)
  }

  /** Puts what it has seen into `bins`, whatever was there. */
  fill(bins: Bins): void {
    if (this.bins < 0) bins.fill(this.#values(), this.count)
    else {
      const length = 2 * this.bins
      bins.clear()
      this.#lists.read(this.#d[this.#at + LIST], length, (pairs = roomFor(pairs, length)))
      for (let i = 0; i < length; i += 2) bins.push(pairs[i], pairs[i + 1])
    }
  }

  /** Its values as they came, in memory that is valid until the next call. */
  #unordered(): Float64Array {
    const { count } = this
    scratch = roomFor(scratch, count)
    this.#lists.readPushed(this.#d[this.#at + LIST], count, scratch)
    return scratch
  }

  /** Its values, ascending, in memory that is valid until the next call. */
  #values(): Float64Array {
    const values = this.#unordered()
    ascend(values, 0, this.count)
    return values
  }

  /** Merges `other` into this one; `other` stays as it is. */
  absorb(other: Summary): void {
    const [d, at, o, from] = [this.#d, this.#at, other.#d, other.#at]
    const own = d[at + COUNT]
    const others = o[from + COUNT]
    const n = own + others
    if (this.bins < 0 && other.bins < 0 && n <= RAW_MAX) {
      d[at + LIST] = this.#lists.push(d[at + LIST], own, other.#unordered(), others)
    } else {
      this.fill(binsOfMine)
      other.fill(binsOfTheirs)
      binsOfMine.merge(binsOfTheirs)
      const { keys, counts, length } = binsOfMine
      pairs = roomFor(pairs, 2 * length)
      for (let i = 0; i < length; i++) {
        pairs[2 * i] = keys[i]
        pairs[2 * i + 1] = counts[i]
      }
      this.setBins(pairs, length)
    }
    const sum = d[at + SUM]
    const added = o[from + SUM]
    if (own === 0) d[at + M2] = o[from + M2]
    else {
      const distance = (added + o[from + CARRY]) / others - (sum + d[at + CARRY]) / own
      d[at + M2] += o[from + M2] + distance * distance * ((own * others) / n)
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

  /** Sample deviation; NaN for one reading. */
  stddev(): number {
    return this.count > 1 ? Math.sqrt(Math.max(0, this.#d[this.#at + M2]) / (this.count - 1)) : NaN
  }

  /** The value of rank ⌈percent · count / 100⌉: exact from values, within 1 % from bins. */
  percentile(percent: number): number {
    if (this.bins < 0) return this.#values()[this.#rank(percent) - 1]
    this.fill(binsOfMine)
    return this.#ofBins(percent)
  }

  #rank(percent: number): number {
    return Math.max(1, Math.ceil((percent * this.count) / 100))
  }

  /** The percentile of its bins, which are in `binsOfMine`. */
  #ofBins(percent: number): number {
    return Math.min(this.max, Math.max(this.min, binsOfMine.at(this.#rank(percent))))
  }
}

/** Those of a row. */
const PERCENTS = [50, 95, 99] as const

/** Memory to work in, kept between calls. */
let scratch: Float64Array = new Float64Array(RAW_MAX)
const binsOfMine = new Bins()
const binsOfTheirs = new Bins()
let pairs: Float64Array = new Float64Array(2 * RAW_MAX)

function roomFor(room: Float64Array, length: number): Float64Array {
  return room.length >= length ? room : new Float64Array(2 * length)
}
