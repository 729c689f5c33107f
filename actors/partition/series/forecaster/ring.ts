/**
 * The last hours of a series, each as 16 bits: a whole number of steps from a base, where a step is a 44,000th of the span or less.
 *
 * - R1 An hour without readings is a gap.
 * - R2 A value beyond what can be written widens the span. It counts at most `JUMP` spans outside of what was there, so that one false reading
 *   of 1e9 does not flatten three weeks; what really rose gets there within hours.
 * - R3 What is nearer to zero than half a step reads as zero.
 * - R4 What is not filled yet of a ring may be lent to other values of the series: they are in the same steps, and go when the hours come.
 */

import { BASE, FILLED, HEAD, LAST_HOUR, UNIT } from './layout.ts'
import type { Row } from '../slab.ts'

const CODE_MAX = 32_767
/** In place of a value that there is not. */
export const GAP = -32_768
const JUMP = 4
/** Of the span, kept free on either side when it is chosen. */
const MARGIN = 0.25
/** Hours before a value is held against the span. */
const SETTLED = 24

export interface RingPlace {
  /** First of its shorts in the row. */
  readonly at: number
  readonly hours: number
  /** Hours from which on it keeps something else while no more than so many are filled (R4). */
  readonly lent?: number
  /** Shorts before it that hold values in its steps as well. */
  readonly before?: number
}

/** What `read` found: values by time, oldest first, gaps filled; and which of them are known. */
export const values = new Float64Array(504)
export const known = new Uint8Array(504)

/** Appends the mean of `hour` (hours since 1970), which is later than all before. */
export function append(row: Row, ring: RingPlace, hour: number, value: number): void {
  const { doubles, shorts, d, s } = row
  const filled = shorts[s + FILLED]
  if (filled === 0) {
    doubles[d + BASE] = value
    doubles[d + UNIT] = 0
    put(row, ring, 0)
  } else {
    const missing = Math.min(ring.hours, hour - doubles[d + LAST_HOUR] - 1)
    for (let i = 0; i < missing; i++) put(row, ring, GAP)
    put(row, ring, codeOf(row, ring, value))
  }
  doubles[d + LAST_HOUR] = hour
}

function put(row: Row, ring: RingPlace, code: number): void {
  const { shorts, s } = row
  const head = shorts[s + HEAD]
  shorts[s + ring.at + head] = code
  shorts[s + HEAD] = head + 1 === ring.hours ? 0 : head + 1
  if (shorts[s + FILLED] < ring.hours) shorts[s + FILLED]++
}

function codeOf(row: Row, ring: RingPlace, value: number): number {
  const { doubles, shorts, d, s } = row
  const base = doubles[d + BASE]
  const unit = doubles[d + UNIT]
  if (unit > 0) {
    const code = Math.round((value - base) / unit)
    if (code >= -CODE_MAX && code <= CODE_MAX) return code
  } else if (value === base) return 0
  const { least, greatest } = span(row, ring)
  const width = greatest - least
  let taken = value
  if (width > 0 && shorts[s + FILLED] >= SETTLED) taken = Math.min(greatest + JUMP * width, Math.max(least - JUMP * width, value))
  rescale(row, ring, Math.min(least, taken), Math.max(greatest, taken))
  return Math.round((taken - doubles[d + BASE]) / doubles[d + UNIT])
}

/** Makes steps finer again where most of the span is no longer used. */
export function refine(row: Row, ring: RingPlace): void {
  const { doubles, d } = row
  const { least, greatest } = span(row, ring)
  if (greatest > least && (greatest - least) * 8 < 2 * CODE_MAX * doubles[d + UNIT]) rescale(row, ring, least, greatest)
}

/** Least and greatest value that are there. */
export function span(row: Row, ring: RingPlace): { least: number; greatest: number } {
  const { doubles, shorts, d, s } = row
  let low = CODE_MAX
  let high = -CODE_MAX
  const filled = shorts[s + FILLED]
  const head = shorts[s + HEAD]
  for (let i = 1; i <= filled; i++) {
    const code = shorts[s + ring.at + (head >= i ? head - i : head - i + ring.hours)]
    if (code === GAP) continue
    if (code < low) low = code
    if (code > high) high = code
  }
  const base = doubles[d + BASE]
  if (low > high) return { least: base, greatest: base }
  return { least: base + low * doubles[d + UNIT], greatest: base + high * doubles[d + UNIT] }
}

/** A value in units of `scale` as one of the steps. */
export function toCode({ doubles, d }: Row, value: number, scale: number): number {
  const unit = doubles[d + UNIT] / scale
  const code = unit > 0 ? Math.round((value - doubles[d + BASE] / scale) / unit) : 0
  return Math.max(-CODE_MAX, Math.min(CODE_MAX, code))
}

export function fromCode({ doubles, d }: Row, code: number, scale: number): number {
  return (doubles[d + BASE] + code * doubles[d + UNIT]) / scale
}

/** Lends the end of the ring to `values`, in units of `scale`: as many as there is room for. Nothing where `lent` hours are filled. */
export function lend(row: Row, ring: RingPlace, values: ArrayLike<number>, scale: number): void {
  const { shorts, s } = row
  const lent = ring.lent!
  if (shorts[s + FILLED] > lent) return
  for (let i = lent; i < ring.hours; i++) shorts[s + ring.at + i] = toCode(row, values[i - lent], scale)
}

/** Takes back what was lent. */
export function unlend({ shorts, s }: Row, ring: RingPlace): void {
  if (shorts[s + FILLED] <= ring.lent!) shorts[s + ring.at + ring.lent!] = GAP
}

/** Writes what is lent into `out`, in units of `scale`; false where nothing is. */
export function readLent(row: Row, ring: RingPlace, scale: number, out: Float64Array): boolean {
  const { shorts, s } = row
  const lent = ring.lent!
  if (shorts[s + FILLED] > lent || shorts[s + ring.at + lent] === GAP) return false
  for (let i = lent; i < ring.hours; i++) out[i - lent] = fromCode(row, shorts[s + ring.at + i], scale)
  return true
}

function rescale(row: Row, ring: RingPlace, least: number, greatest: number): void {
  const { doubles, shorts, d, s } = row
  const formerBase = doubles[d + BASE]
  const formerUnit = doubles[d + UNIT]
  const base = least + (greatest - least) / 2
  // A step that is too small to be told beside the base would be none.
  const unit = Math.max(((greatest - least) * (0.5 + MARGIN)) / CODE_MAX, Math.abs(base) * 1e-15, Number.MIN_VALUE)
  const recode = (from: number, until: number) => {
    for (let i = ring.at + from; i < ring.at + until; i++) {
      const code = shorts[s + i]
      if (code !== GAP) shorts[s + i] = Math.max(-CODE_MAX, Math.min(CODE_MAX, Math.round((formerBase + code * formerUnit - base) / unit)))
    }
  }
  recode(-(ring.before ?? 0), shorts[s + FILLED])
  if (ring.lent !== undefined && shorts[s + FILLED] <= ring.lent) recode(ring.lent, ring.hours)
  doubles[d + BASE] = base
  doubles[d + UNIT] = unit
}

/** Reads the hours into `values`, in units of `scale` (a power of two), and `known`; gives how many. */
export function read(row: Row, ring: RingPlace, scale: number): number {
  const { doubles, shorts, d, s } = row
  const base = doubles[d + BASE] / scale
  const unit = doubles[d + UNIT] / scale
  const nothing = unit / 2
  const filled = shorts[s + FILLED]
  let at = filled < ring.hours ? 0 : shorts[s + HEAD]
  let gaps = 0
  for (let i = 0; i < filled; i++) {
    const code = shorts[s + ring.at + at]
    if (++at === ring.hours) at = 0
    if (code === GAP) {
      known[i] = 0
      gaps++
    } else {
      const value = base + code * unit
      known[i] = 1
      values[i] = value < nothing && value > -nothing ? 0 : value
    }
  }
  if (gaps > 0) fillGaps(filled)
  return filled
}

/** Writes the last hours into `out`, oldest first, NaN where there is none: `out.length` at most; gives how many. */
export function readLast(row: Row, ring: RingPlace, out: Float64Array): number {
  const { doubles, shorts, d, s } = row
  const count = Math.min(out.length, shorts[s + FILLED])
  const head = shorts[s + HEAD]
  for (let i = 0; i < count; i++) {
    const back = count - i
    const code = shorts[s + ring.at + (head >= back ? head - back : head - back + ring.hours)]
    out[i] = code === GAP ? NaN : doubles[d + BASE] + code * doubles[d + UNIT]
  }
  return count
}

/** Hours of a gap that a straight line bridges; a longer one takes the shape of the day before, bent to meet both ends (of up to a day: its beginning). */
const LINE_HOURS = 3
const DAY = 24

function fillGaps(count: number): void {
  let first = 0
  while (first < count && known[first] === 0) first++
  for (let i = 0; i < first; i++) values[i] = first < count ? values[first] : 0
  for (let i = first; i < count; i++) {
    if (known[i] === 1) continue
    let after = i
    while (after < count && known[after] === 0) after++
    const before = i - 1
    const hours = after - before
    const bent = hours - 1 > LINE_HOURS && before >= DAY
    const from = bent ? values[before] - values[before - DAY] : values[before]
    const end = !bent ? values[after] : after - DAY < i ? values[after] - values[after - DAY] : from
    for (let h = i; h < after; h++) {
      values[h] = from + ((end - from) * (h - before)) / hours + (bent ? values[h - DAY] : 0)
    }
    i = after
  }
}
