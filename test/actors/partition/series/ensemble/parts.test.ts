/** The parts of the ensemble against what they stand for. */

import { describe, expect, test } from 'vitest'
import { forecast } from '../../../../../actors/partition/series/ensemble/autoregression.ts'
import { judge } from '../../../../../actors/partition/series/ensemble/ensemble.ts'
import { LAST, makeSlab, ORIGIN, PROFILE, SLOTS } from '../../../../../actors/partition/series/ensemble/layout.ts'
import { SLOT_MS } from '../../../../../actors/partition/series/ensemble/profile.ts'
import { keepOf, surprise } from '../../../../../actors/partition/series/ensemble/record.ts'
import { DAY, gaussian, seeded, T0 } from '../../harness.ts'

describe('a decaying record', () => {
  test('keeps half of a mark for its half-life, to one part in a million million a reading', () => {
    for (const n of [100, 1_000, 3_500, 20_000]) expect(Math.abs(keepOf(n) - 2 ** (-1 / n))).toBeLessThan(1e-12)
  })

  test('is surprised by the overshoot over the distance of its marks, on either side, and by nothing within', () => {
    const d = Float64Array.of(3, -1)
    expect(surprise(d, 0, 2, 1, 0, false)).toBe(0)
    expect([...d]).toEqual([3, -1])
    expect(surprise(d, 0, 5, 1, 0, false)).toBe(0.5)
    // A fifth of the distance of four.
    expect(d[0]).toBeCloseTo(3.8, 12)
    expect(surprise(d, 0, -1 - 4.8, 1, 0, false)).toBeCloseTo(1, 12)
    expect(d[1]).toBeCloseTo(-1.96, 12)
  })

  test('moves a mark all the way while it is new, or by less than its reach; and by nothing less than the floor', () => {
    const d = Float64Array.of(1, -1)
    surprise(d, 0, 100, 1, 0, true)
    expect(d[0]).toBe(100)
    surprise(d, 0, 101, 1, 0, false)
    expect(d[0]).toBe(101)
    expect(surprise(Float64Array.of(0, 0), 0, 3, 1, 10, false)).toBe(0.3)
  })

  test('fades toward zero', () => {
    const d = Float64Array.of(8, -4)
    const keep = keepOf(100)
    for (let i = 0; i < 200; i++) surprise(d, 0, 0, keep, 0, false)
    expect(d[0]).toBeCloseTo(2, 9)
    expect(d[1]).toBeCloseTo(-1, 9)
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
      sum += (value - forecast(slab.doubles, 0)) ** 2
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
