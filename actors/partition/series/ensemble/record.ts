/**
 * A decaying record: how far a number goes beyond all that it did lately.
 *
 * Picture the high-water marks on a bridge's pillar. A flood is news by how far it rises above the marks, measured by how far they stand
 * apart; and the marks fade over the years, so that a flood that none alive has seen is news again. No distribution is assumed, and no
 * mean or deviation is spoiled by what must not be learned.
 *
 * - R1 The surprise is zero within the marks, and beyond them the overshoot over their distance.
 * - R2 A mark moves by at most `REACH` of the distance a reading: one wild value does not make the next ones usual.
 * - R3 Marks fade toward zero, which is what a residual is on average.
 */

/** Share of the distance between the marks that one reading moves a mark by. */
const REACH = 0.2

/**
 * The surprise of `x` at the marks in `d[hi]` and `d[hi + 1]`, which learn it. `keep` is what a mark keeps of itself a reading; `floor` is the
 * least distance that counts, 0 for none; while `isNew`, a mark goes all the way.
 */
export function surprise(d: Float64Array, hi: number, x: number, keep: number, floor: number, isNew: boolean): number {
  const above = d[hi]
  const below = d[hi + 1]
  let reached = x
  let found = 0
  if (x > above || x < below) {
    const apart = Math.max(above - below, floor)
    if (apart > 0) {
      const over = x > above ? x - above : below - x
      found = over / apart
      const reach = REACH * apart
      if (!isNew && over > reach) reached = x > above ? above + reach : below - reach
    }
  }
  const fadedAbove = above * keep
  const fadedBelow = below * keep
  d[hi] = reached > fadedAbove ? reached : fadedAbove
  d[hi + 1] = reached < fadedBelow ? reached : fadedBelow
  return found
}

/** What a mark keeps of itself a reading, so that half of it is left after so many. */
export function keepOf(halfLife: number): number {
  // 1 − ln 2 ÷ n + …: the first four terms of 2^(−1/n), which differ from it by less than one part in 10^12 for n ≥ 100.
  const x = Math.LN2 / halfLife
  return 1 - x * (1 - (x / 2) * (1 - (x / 3) * (1 - x / 4)))
}
