/**
 * Sizes of windows, and where windows of a size begin, in UTC and on the clocks of a time zone.
 *
 * Think of a clock on a wall there, and of marks on its dial at each multiple of the size: counted from midnight of Monday 2000-01-03, which is where
 * DuckDB's `time_bucket` counts from; months, quarters and years from 2000-01-01, as it does too.
 *
 * - D1 A window begins whenever that clock shows a mark, or is put forward over marks (then it begins once, when the clock is put).
 * - D2 Where the clock is put back, a mark that it shows for the second time begins a window again if the size is no longer than the clock was
 *   put back: of two hours from 2 to 3, each is a window of 1h, and a window of 6h is 7 hours long. So a day is a date.
 * - D3 Windows tile time: the end of one is the start of the next. In UTC all of this is `time_bucket(size, ts)`.
 */

import { WINDOW_SIZES_MS } from '../../reading/window.ts'
import { ZONE_FROM_MS, ZONE_TO_MS, offsetsOf } from '../../../runtime/zones.ts'
import type { OffsetSpan } from '../../../runtime/zones.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const ORIGIN_MS = Date.UTC(2000, 0, 3)
const UNITS = { m: MINUTE_MS, h: 60 * MINUTE_MS, d: DAY_MS, w: 7 * DAY_MS, mo: 0, y: 0 }
const YEARS_MAX = 100

/** A size of windows: `ms` long, or `months` long (then `ms` is null). */
export type WindowSize = { readonly name: string } & (
  | { readonly ms: number; readonly months: null }
  | { readonly ms: null; readonly months: number }
)

export const SIZE = /^(\d{1,9})(m|h|d|w|mo|y)$/
export const SIZE_MUST = 'a whole number of minutes or more, up to 100 years, such as 1m, 15m, 6h, 1d, 1w, 3mo or 1y'

/** The size that a text names: a whole number and m, h, d, w, mo or y. Null for anything else. */
export function parseSize(text: string): WindowSize | null {
  const [, digits, unit] = SIZE.exec(text) ?? []
  const count = Number(digits)
  if (unit === undefined || count === 0) return null
  if (unit === 'mo' || unit === 'y') {
    const months = unit === 'y' ? count * 12 : count
    return months > YEARS_MAX * 12 ? null : { name: text, ms: null, months }
  }
  const ms = count * UNITS[unit as keyof typeof UNITS]
  return ms > YEARS_MAX * 365 * DAY_MS ? null : { name: text, ms, months: null }
}

/** The marks of a size on a dial; times of a clock as if they were UTC. */
interface Marks {
  /** Every mark lies on a multiple of it. */
  readonly stepMs: number
  /** Length of a window, at least. */
  readonly leastMs: number
  /** The last mark at or before a time. */
  floor(local: number): number
  /** The first mark behind one. */
  next(mark: number): number
  /** As SQL, the start of the window of epoch ms `at` where the clock shows UTC + `offsetMs`. */
  sql(at: string, offsetMs: number): string
}

function fixedMarks(sizeMs: number): Marks {
  return {
    stepMs: gcd(sizeMs, DAY_MS),
    leastMs: sizeMs,
    floor: (local) => ORIGIN_MS + Math.floor((local - ORIGIN_MS) / sizeMs) * sizeMs,
    next: (mark) => mark + sizeMs,
    sql: (at, offsetMs) => {
      const shift = remainder(offsetMs - ORIGIN_MS, sizeMs)
      return shift === 0 ? `${at} // ${sizeMs} * ${sizeMs}` : `(${at} + ${shift}) // ${sizeMs} * ${sizeMs} - ${shift}`
    },
  }
}

function monthMarks(months: number): Marks {
  const monthOf = (local: number) => {
    const date = new Date(local)
    return (date.getUTCFullYear() - 2000) * 12 + date.getUTCMonth()
  }
  const firstOf = (month: number) => Date.UTC(2000, month, 1)
  return {
    stepMs: DAY_MS,
    leastMs: 28 * DAY_MS,
    floor: (local) => firstOf(Math.floor(monthOf(local) / months) * months),
    next: (mark) => firstOf(monthOf(mark) + months),
    sql: (at, offsetMs) => `epoch_ms(time_bucket(to_months(${months}), make_timestamp((${at} + ${offsetMs}) * 1000))) - ${offsetMs}`,
  }
}

/** A stretch of one offset. Until `headEnd` its times are of the window that began at `head`; behind it windows begin at the marks. */
interface Piece extends OffsetSpan {
  readonly head: number
  readonly headEnd: number
}

/** Where the windows of a size begin. */
export class WindowGrid {
  readonly #marks: Marks
  readonly #pieces: Piece[] = []
  /** Index of the stored size whose windows are exactly these; −1 where none's are. */
  readonly stored: number
  /** Index of the coarsest stored size whose windows tile these. */
  readonly base: number

  /** `zone` as `zoneName` gives it. The range is that of the starts that are asked for, and bounds what is looked up of a zone. */
  constructor(size: WindowSize, zone: string, { from, to }: { from: number; to: number }) {
    this.#marks = size.months === null ? fixedMarks(size.ms) : monthMarks(size.months)
    // What a change of clocks does to a window reaches no further than the clocks are put, which was a day at most.
    const range = { from: Math.max(from, ZONE_FROM_MS) - 2 * DAY_MS, to: Math.min(to, ZONE_TO_MS) + 2 * DAY_MS }
    for (const span of offsetsOf(zone, range)) this.#add(span)
    const sizesMs = WINDOW_SIZES_MS as readonly number[]
    this.base = sizesMs.findLastIndex((sizeMs) => this.#isTiledBy(sizeMs))
    this.stored = this.#pieces.length === 1 && size.ms === sizesMs[this.base] ? this.base : -1
  }

  /** Start of the window that `ms` lies in. */
  startOf(ms: number): number {
    const piece = this.#pieces[this.#pieceOf(ms)]
    return ms < piece.headEnd ? piece.head : this.#marks.floor(ms + piece.offsetMs) - piece.offsetMs
  }

  /** Start of the window behind the one that begins at `start`: its end. */
  next(start: number): number {
    for (let at = start, i = this.#pieceOf(start); ; at = this.#pieces[++i].from) {
      if (at !== start && this.startOf(at) === at) return at
      const { headEnd, offsetMs } = this.#pieces[i]
      const end = at < headEnd ? headEnd : this.#marks.next(this.#marks.floor(at + offsetMs)) - offsetMs
      if (end < (this.#pieces[i + 1]?.from ?? Infinity)) return end
    }
  }

  atOrAfter(ms: number): number {
    const start = this.startOf(ms)
    return start === ms ? ms : this.next(start)
  }

  /** `startOf` as an SQL expression of type BIGINT over epoch ms, a BIGINT. */
  sql(at: string): string {
    const choose = (low: number, high: number): string => {
      if (low === high) {
        const { from, head, headEnd, offsetMs } = this.#pieces[low]
        const start = this.#marks.sql(at, offsetMs)
        return headEnd > from ? `CASE WHEN ${at} < ${headEnd} THEN ${head} ELSE ${start} END` : start
      }
      const middle = (low + high + 1) >> 1
      return `CASE WHEN ${at} < ${this.#pieces[middle].from} THEN ${choose(low, middle - 1)} ELSE ${choose(middle, high)} END`
    }
    return `(${choose(0, this.#pieces.length - 1)})::BIGINT`
  }

  #pieceOf(ms: number): number {
    let low = 0
    let high = this.#pieces.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#pieces[middle].from <= ms) low = middle
      else high = middle - 1
    }
    return low
  }

  #add({ from, offsetMs }: OffsetSpan): void {
    const before = this.#pieces.at(-1)
    if (before === undefined) {
      this.#pieces.push({ from, offsetMs, head: from, headEnd: from })
      return
    }
    const { floor, next, leastMs, stepMs } = this.#marks
    const shown = from + offsetMs
    const due = from + before.offsetMs
    const ceil = (local: number) => (floor(local) === local ? local : next(floor(local)))
    let head: number
    let headEnd: number
    if (offsetMs > before.offsetMs) {
      head = ceil(due) <= shown ? from : this.startOf(from - 1)
      headEnd = next(floor(shown)) - offsetMs
    } else {
      head = this.startOf(from - 1)
      headEnd = (leastMs <= due - shown ? ceil(shown) : ceil(due)) - offsetMs
    }
    // Where the marks of both stretches are the same moments, the change is none for windows of this size.
    const isSame = (offsetMs - before.offsetMs) % leastMs === 0 && leastMs === stepMs
    if (isSame) this.#pieces[this.#pieces.length - 1] = { ...before, offsetMs }
    else this.#pieces.push({ from, offsetMs, head, headEnd })
  }

  #isTiledBy(sizeMs: number): boolean {
    const isMultiple = (ms: number) => ms % sizeMs === 0
    const isTiled = ({ from, offsetMs, head, headEnd }: Piece) => isMultiple(offsetMs) && (headEnd <= from || isMultiple(head))
    return isMultiple(this.#marks.stepMs) && this.#pieces.every(isTiled)
  }
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}

function remainder(a: number, b: number): number {
  return ((a % b) + b) % b
}
