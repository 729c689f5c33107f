import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Bins, KEY_MAX, keyOf, valueOf } from '../../../../actors/partition/series/sketch.ts'
import { RAW_MAX, SummaryPool } from '../../../../actors/partition/series/summary.ts'
import type { Summary } from '../../../../actors/partition/series/summary.ts'
import { MinuteWindow } from '../../../../actors/partition/series/minute-window.ts'
import { seeded } from '../harness.ts'

const reading = fc.oneof(
  fc.double({ min: -1e100, max: 1e100, noNaN: true }),
  fc.double({ min: -100, max: 100, noNaN: true }),
  fc.integer({ min: -20_000, max: 20_000 }).map((units) => units * Number.MIN_VALUE),
  fc.constantFrom(0, 1e100, -1e100, 2.2250738585072014e-308, 1, -1),
).map((v) => v + 0)

const within = (found: number, wanted: number) => Math.abs(found - wanted) <= 0.01 * Math.abs(wanted)

const pool = new SummaryPool()

function summaryOf(values: readonly number[]): Summary {
  const minute = new MinuteWindow(0)
  values.forEach((v, i) => minute.add(i, v))
  const summary = pool.take(0)
  if (values.length > 0) {
    const scratch = pool.take(0)
    minute.summarize(scratch)
    summary.absorb(scratch)
  }
  return summary
}

function binsOf(summary: Summary): [number, number][] {
  const bins = new Bins()
  summary.fill(bins)
  return Array.from({ length: bins.length }, (_, i) => [bins.keys[i], bins.counts[i]])
}

describe('the sketch', () => {
  test('a value and its bin differ by 1 % at most, for every double up to 1e100, negative, zero or denormal', () => {
    fc.assert(
      fc.property(reading, (v) => {
        expect(within(valueOf(keyOf(v)), v)).toBe(true)
      }),
      { numRuns: 5_000 },
    )
    const far = (v: number) => !within(valueOf(keyOf(v)), v)
    expect(Array.from({ length: 30_000 }, (_, units) => units * Number.MIN_VALUE).filter(far)).toEqual([])
    const powers = Array.from({ length: 1_406 }, (_, i) => 2 ** (i - 1_074))
    const edges = powers.flatMap((v) => [v, v * (1 - Number.EPSILON / 2), v * (1 + Number.EPSILON)])
    expect(edges.filter(far)).toEqual([])
  })

  test('keys are whole, ascend with the values, and are bounded', () => {
    fc.assert(
      fc.property(reading, reading, (a, b) => {
        expect(Number.isInteger(keyOf(a)) && Math.abs(keyOf(a)) <= KEY_MAX).toBe(true)
        if (a < b) expect(keyOf(a)).toBeLessThanOrEqual(keyOf(b))
      }),
      { numRuns: 5_000 },
    )
    expect(KEY_MAX).toBeLessThan(60_000)
  })

  test('every percentile of a merged summary is within 1 % of the discrete quantile, however the readings were split', () => {
    fc.assert(
      fc.property(fc.array(reading, { minLength: 1, maxLength: 900 }), fc.integer({ min: 1, max: 400 }), (values, piece) => {
        const whole = pool.take(0)
        for (let i = 0; i < values.length; i += piece) whole.absorb(summaryOf(values.slice(i, i + piece)))
        const sorted = [...values].sort((a, b) => a - b)
        for (let percent = 1; percent <= 100; percent++) {
          const wanted = sorted[Math.max(1, Math.ceil((percent * sorted.length) / 100)) - 1]
          const found = whole.percentile(percent)
          const right = values.length <= RAW_MAX ? found === wanted : within(found, wanted)
          if (!right) expect.fail(`p${percent} is ${found}, not ${wanted}`)
        }
      }),
      { numRuns: 150 },
    )
  })

  test('merging is associative and commutative, to the bin', () => {
    const list = fc.array(reading, { minLength: 1, maxLength: 300 })
    fc.assert(
      fc.property(list, list, list, (a, b, c) => {
        const left = summaryOf(a)
        left.absorb(summaryOf(b))
        left.absorb(summaryOf(c))
        const tail = summaryOf(c)
        tail.absorb(summaryOf(b))
        const right = summaryOf([])
        right.absorb(tail)
        right.absorb(summaryOf(a))
        expect(binsOf(left)).toEqual(binsOf(right))
        expect([left.count, left.min, left.max, left.bins < 0]).toEqual([right.count, right.min, right.max, right.bins < 0])
      }),
      { numRuns: 200 },
    )
  })

  test('moments survive merging: many small parts agree with one pass over all, far from zero too', () => {
    const random = seeded(8)
    const values = Array.from({ length: 5_000 }, () => 1e6 + random())
    const whole = pool.take(0)
    for (let i = 0; i < values.length; i += 7) whole.absorb(summaryOf(values.slice(i, i + 7)))
    const mean = values.reduce((a, v) => a + (v - 1e6), 0) / values.length
    const m2 = values.reduce((a, v) => a + (v - 1e6 - mean) ** 2, 0)
    expect(whole.stddev()).toBeCloseTo(Math.sqrt(m2 / (values.length - 1)), 9)
    expect((whole.sum + whole.carry) / values.length - 1e6).toBeCloseTo(mean, 9)
  })

  test('sums keep what plain addition loses', () => {
    const whole = pool.take(0)
    for (const part of [[1e100, 1, 2], [-1e100, 3], [4]]) whole.absorb(summaryOf(part))
    expect(whole.sum + whole.carry).toBe(10)
  })
})
