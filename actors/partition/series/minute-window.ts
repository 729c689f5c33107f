/**
 * The readings of one open minute of one series, each of them, so that duplicates are found and the minute's row is exact.
 *
 * Picture a shelf in order of (time, value): what comes in order is put at the end; what comes late is slid in between. Where
 * sliding would move much, it waits on a small side shelf, which is merged when full: a hostile order costs little more than a good one.
 *
 * - M1 No (time, value) is held twice.
 * - M2 The greatest (time, value) is always on the main shelf.
 */

import { MINUTE_MS } from '../../reading/window.ts'
import { ascend } from './ascend.ts'
import type { Summary } from './summary.ts'

/** Readings that are slid one by one; beyond, the side shelf is used. It also is the side shelf's size. */
const SLIDE_MAX = 512
/** Shelves that grew beyond so many readings are not used again. */
const REUSE_MAX = 1_024

export class MinuteWindow {
  /** Minutes since 1970, since a field of so small a whole number needs no object of its own. */
  #minute: number
  /** The next later open minute. */
  next: MinuteWindow | null = null
  /** Time and value by turns; only the first 2 · `count` places count. Room for one at first, which is all that a slow series needs; of doubles from the start. */
  #shelf: number[] = [0.5, 0.5]
  #count = 0
  #side: number[] | null = null
  #sideCount = 0

  constructor(start: number) {
    this.#minute = start / MINUTE_MS
  }

  /** Epoch ms. */
  get start(): number {
    return this.#minute * MINUTE_MS
  }
  set start(ms: number) {
    this.#minute = ms / MINUTE_MS
  }

  get count(): number {
    return this.#count + this.#sideCount
  }

  /** Touches what `add` needs. */
  glance(): number {
    return this.#shelf[0]
  }

  /** Puts a reading in its place. False where it is there already. */
  add(ts: number, value: number): boolean {
    const shelf = this.#shelf
    const at = this.#count * 2
    if (at > 0) {
      const lastTs = shelf[at - 2]
      if (ts < lastTs || (ts === lastTs && value <= shelf[at - 1])) return this.#addBetween(ts, value)
    }
    if (at < shelf.length) {
      shelf[at] = ts
      shelf[at + 1] = value
    } else shelf.push(ts, value)
    this.#count++
    return true
  }

  #addBetween(ts: number, value: number): boolean {
    const place = search(this.#shelf, this.#count, ts, value)
    if (place < 0) return false
    if (this.#count - place <= SLIDE_MAX && this.#sideCount === 0) {
      slideIn(this.#shelf, this.#count++, place, ts, value)
      return true
    }
    this.#side ??= []
    const sidePlace = search(this.#side, this.#sideCount, ts, value)
    if (sidePlace < 0) return false
    slideIn(this.#side, this.#sideCount++, sidePlace, ts, value)
    if (this.#sideCount === SLIDE_MAX) this.#settle()
    return true
  }

  /** Empties the side shelf into the main one. */
  #settle(): void {
    const side = this.#side
    if (side === null || this.#sideCount === 0) return
    const shelf = this.#shelf
    let to = (this.#count + this.#sideCount) * 2
    while (shelf.length < to) shelf.push(0)
    let i = this.#count * 2 - 2
    for (let j = this.#sideCount * 2 - 2; j >= 0; j -= 2) {
      const ts = side[j]
      const value = side[j + 1]
      while (i >= 0 && (shelf[i] > ts || (shelf[i] === ts && shelf[i + 1] > value))) {
        to -= 2
        shelf[to] = shelf[i]
        shelf[to + 1] = shelf[i + 1]
        i -= 2
      }
      to -= 2
      shelf[to] = ts
      shelf[to + 1] = value
    }
    this.#count += this.#sideCount
    this.#sideCount = 0
    this.#side = null
  }

  /** Writes the minute's statistics into `summary`, whatever was there. */
  summarize(summary: Summary): void {
    this.#settle()
    const shelf = this.#shelf
    const n = this.#count
    if (sorted.length < n) sorted = new Float64Array(n * 2)
    const values = sorted
    let sum = 0
    let carry = 0
    for (let i = 0; i < n; i++) {
      const v = shelf[2 * i + 1]
      const next = sum + v
      carry += Math.abs(sum) >= Math.abs(v) ? sum - next + v : v - next + sum
      sum = next
      values[i] = v
    }
    const mean = (sum + carry) / n
    let squares = 0
    let residue = 0
    for (let i = 0; i < n; i++) {
      const distance = values[i] - mean
      squares += distance * distance
      residue += distance
    }
    ascend(values, 0, n)
    const m2 = squares - (residue * residue) / n
    summary.set(this.start, n, sum, carry, m2, values[0], values[n - 1], shelf[0], shelf[1], shelf[2 * n - 2], shelf[2 * n - 1])
    summary.setValues(values, n)
  }

  /** Writes its readings in order, time and value by turns, to `to` from `at` on; gives the place behind them. */
  write(to: Float64Array, at: number): number {
    this.#settle()
    const n = this.#count * 2
    for (let i = 0; i < n; i++) to[at + i] = this.#shelf[i]
    return at + n
  }

  /** Makes it an empty window of another minute. False where its memory had better be let go. */
  reset(): boolean {
    this.next = null
    this.#count = 0
    this.#sideCount = 0
    this.#side = null
    return this.#shelf.length <= 2 * REUSE_MAX
  }
}

/** Where (ts, value) belongs among the first `count` readings, or −1 where it is. */
function search(shelf: number[], count: number, ts: number, value: number): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    const t = shelf[2 * middle]
    if (t < ts || (t === ts && shelf[2 * middle + 1] < value)) low = middle + 1
    else high = middle
  }
  return low < count && shelf[2 * low] === ts && shelf[2 * low + 1] === value ? -1 : low
}

/** Moves what stands from `place` on and puts the reading there. */
function slideIn(shelf: number[], count: number, place: number, ts: number, value: number): void {
  if (shelf.length < 2 * count + 2) shelf.push(0, 0)
  for (let i = 2 * count - 1; i >= 2 * place; i--) shelf[i + 2] = shelf[i]
  shelf[2 * place] = ts
  shelf[2 * place + 1] = value
}

/** Values of the minute at hand. */
let sorted = new Float64Array(1_024)
