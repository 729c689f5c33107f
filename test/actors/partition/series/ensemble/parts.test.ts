/** The parts of the ensemble against what they stand for. */

import { describe, expect, test } from 'vitest'
import { forecast } from '../../../../../actors/partition/series/ensemble/autoregression.ts'
import { judge } from '../../../../../actors/partition/series/ensemble/ensemble.ts'
import { LAST, makeSlab, ORIGIN, PROFILE, RECORD_LEVEL, SLOTS } from '../../../../../actors/partition/series/ensemble/layout.ts'
import { SLOT_MS } from '../../../../../actors/partition/series/ensemble/profile.ts'
import { asked, askRecords, keepOf, LEVEL } from '../../../../../actors/partition/series/ensemble/records.ts'
import { DAY, gaussian, seeded, T0 } from '../../harness.ts'

/** The marks of one part, all others silent. */
class Marks {
  readonly #d = makeSlab(1).doubles

  constructor(above: number, below: number) {
    this.#d[RECORD_LEVEL] = above
    this.#d[RECORD_LEVEL + 1] = below
  }

  ask(residual: number, { keep = 1, floor = 0, isNew = false } = {}): number {
    const usualKeep = asked.keep[LEVEL]
    asked.residual.fill(NaN)
    asked.residual[LEVEL] = residual
    asked.keep[LEVEL] = keep
    asked.floor[LEVEL] = floor
    asked.isNew[LEVEL] = isNew ? 1 : 0
    askRecords(this.#d, 0)
    asked.keep[LEVEL] = usualKeep
    return asked.surprise[LEVEL]
  }

  both(): [number, number] {
    return [this.#d[RECORD_LEVEL], this.#d[RECORD_LEVEL + 1]]
  }
}

describe('a decaying record', () => {
  test('keeps half of a mark for its half-life, to one part in a million million a reading', () => {
    for (const n of [100, 1_000, 3_500, 20_000]) expect(Math.abs(keepOf(n) - 2 ** (-1 / n))).toBeLessThan(1e-12)
  })

  test('is surprised by the overshoot over the distance of its marks, on either side, and by nothing within', () => {
    const marks = new Marks(3, -1)
    expect(marks.ask(2)).toBe(0)
    expect(marks.both()).toEqual([3, -1])
    expect(marks.ask(5)).toBe(0.5)
    // A fifth of the distance of four.
    expect(marks.both()[0]).toBeCloseTo(3.8, 12)
    expect(marks.ask(-1 - 4.8)).toBeCloseTo(1, 12)
    expect(marks.both()[1]).toBeCloseTo(-1.96, 12)
  })

  test('moves a mark all the way while it is new, or by less than its reach; and by nothing less than the floor', () => {
    const marks = new Marks(1, -1)
    marks.ask(100, { isNew: true })
    expect(marks.both()[0]).toBe(100)
    marks.ask(101)
    expect(marks.both()[0]).toBe(101)
    expect(new Marks(0, 0).ask(3, { floor: 10 })).toBe(0.3)
  })

  test('fades toward zero, and not where nothing is asked of it', () => {
    const marks = new Marks(8, -4)
    for (let i = 0; i < 200; i++) marks.ask(0, { keep: keepOf(100) })
    expect(marks.both()[0]).toBeCloseTo(2, 9)
    expect(marks.both()[1]).toBeCloseTo(-1, 9)
    const before = marks.both()
    expect(marks.ask(NaN, { keep: keepOf(100) })).toBe(0)
    expect(marks.both()).toEqual(before)
  })
})

/** The mean square of what the forecast missed by, after a while. */
function missed(next: (i: number) => number): number {
  const slab = makeSlab(1)
  let sum = 0
  let count = 0
  for (let i = 0; i < 6_000; i++) {
    const value = next(i)
    if (i > 1_000) {
      sum += (value - forecast(slab, 0)) ** 2
      count++
    }
    judge(slab, 0, T0 + i * 300_000, value)
  }
  return sum / count
}

describe('the forecast', () => {
  test('finds what the series is: noise, a wander, a course', () => {
    const g = gaussian(seeded(2))
    expect(missed(() => 5 + g())).toBeLessThan(1.1)
    let x = 0
    expect(missed(() => (x += g()))).toBeLessThan(1.1)
    let y = 0
    expect(missed(() => (y = 0.8 * y + g()))).toBeLessThan(1.1)
    // A course of steps of up to 0.17 is foreseen to a tenth of that.
    expect(missed((i) => 20 + 8 * Math.sin((i / 288) * 2 * Math.PI))).toBeLessThan(0.017 ** 2)
  })
})

describe('the profile', () => {
  test('of each half-hour is the mean of its readings so far, in the first days', () => {
    const slab = makeSlab(1)
    const g = gaussian(seeded(3))
    const sums = new Float64Array(SLOTS)
    const counts = new Float64Array(SLOTS)
    for (let i = 0; i < 4 * 288; i++) {
      const ts = T0 + i * 300_000
      const value = 100 + 10 * Math.sin((i / 288) * 2 * Math.PI) + g()
      judge(slab, 0, ts, value)
      if (i === 0) continue
      const slot = Math.floor((ts % DAY) / SLOT_MS)
      sums[slot] += value
      counts[slot]++
    }
    for (let slot = 0; slot < SLOTS; slot++) {
      const mean = slab.doubles[ORIGIN] + slab.singles[PROFILE + slot]
      // Readings of a slot are reckoned by the mean of all slots, so that weights differ a little.
      expect(Math.abs(mean - sums[slot] / counts[slot])).toBeLessThan(0.5)
    }
    expect(slab.doubles[LAST]).toBeGreaterThan(90)
  })
})
