/**
 * Decaying records: how far the number that a part watches goes beyond all that it did lately.
 *
 * Picture the high-water marks on a bridge's pillar. A flood is news by how far it rises above the marks, measured by how far they stand
 * apart; and the marks fade over the years, so that a flood that none alive has seen is news again. No distribution is assumed, and no
 * mean or deviation is spoiled by what must not be learned.
 *
 * - R1 The surprise is zero within the marks, and beyond them the overshoot over their distance.
 * - R2 A mark moves by at most `REACH` of the distance a reading: one wild value does not make the next ones usual.
 * - R3 Marks fade toward zero, which is what a residual is on average.
 */

import { RECORD_FORECAST } from './layout.ts'

/** The parts that have a record, in the order of their marks; of equal surprises the first counts. */
export const RECORDED = ['forecast', 'level', 'half-hour', 'hour', 'scatter'] as const
export const FORECAST = 0
export const LEVEL = 1
export const HALF_HOUR = 2
export const HOUR = 3
export const SCATTER = 4

/** Share of the distance between the marks that one reading moves a mark by. */
const REACH = 0.2

/**
 * What is asked of the records, by part: the residual, NaN where there is none at this reading; what a mark keeps of itself; the least
 * distance of the marks that counts, 0 for none; and whether a mark goes all the way, 1 or 0. Answered is the surprise.
 */
export const asked = {
  residual: new Float64Array(RECORDED.length),
  keep: new Float64Array(RECORDED.length),
  floor: new Float64Array(RECORDED.length),
  isNew: new Uint8Array(RECORDED.length),
  surprise: new Float64Array(RECORDED.length),
}

/** Answers for all parts of the series at `at`, whose marks learn what was asked. */
export function askRecords(d: Float64Array, at: number): void {
  const { residual, keep, floor, isNew, surprise } = asked
  for (let part = 0; part < RECORDED.length; part++) {
    surprise[part] = 0
    const x = residual[part]
    if (x !== x) continue
    const hi = at + RECORD_FORECAST + 2 * part
    const above = d[hi]
    const below = d[hi + 1]
    let reached = x
    if (x > above || x < below) {
      const apart = Math.max(above - below, floor[part])
      if (apart > 0) {
        const over = x > above ? x - above : below - x
        surprise[part] = over / apart
        const reach = REACH * apart
        if (isNew[part] === 0 && over > reach) reached = x > above ? above + reach : below - reach
      }
    }
    const fadedAbove = above * keep[part]
    const fadedBelow = below * keep[part]
    d[hi] = reached > fadedAbove ? reached : fadedAbove
    d[hi + 1] = reached < fadedBelow ? reached : fadedBelow
  }
}

/** What a mark keeps of itself a reading, so that half of it is left after so many. */
export function keepOf(halfLife: number): number {
  // 1 − ln 2 ÷ n + …: the first four terms of 2^(−1/n), which differ from it by less than one part in 10^12 for n ≥ 100.
  const x = Math.LN2 / halfLife
  return 1 - x * (1 - (x / 2) * (1 - (x / 3) * (1 - x / 4)))
}
