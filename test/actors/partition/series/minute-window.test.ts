import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MinuteWindow } from '../../../../actors/partition/series/minute-window.ts'
import { SummaryPool } from '../../../../actors/partition/series/summary.ts'
import { seeded, statistics } from '../harness.ts'

function readingsOf(minute: MinuteWindow): Float64Array {
  const readings = new Float64Array(2 * minute.count)
  expect(minute.write(readings, 0)).toBe(readings.length)
  return readings
}

describe('an open minute', () => {
  test('holds each (time, value) once and keeps them in order, whatever the order of arrival', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.integer({ min: -3, max: 3 })), { maxLength: 200 }), (readings) => {
        const minute = new MinuteWindow(0)
        const seen = new Set<string>()
        for (const [ts, value] of readings) {
          expect(minute.add(ts, value)).toBe(!seen.has(`${ts} ${value}`))
          seen.add(`${ts} ${value}`)
        }
        expect(minute.count).toBe(seen.size)
        const held = readingsOf(minute)
        for (let i = 2; i < held.length; i += 2) {
          expect(held[i - 2] < held[i] || (held[i - 2] === held[i] && held[i - 1] < held[i + 1])).toBe(true)
        }
      }),
    )
  })

  test.each([
    ['in reverse', (n: number) => n],
    ['by turns from both ends', (n: number) => (n % 2 === 0 ? n : 60_000 - n)],
  ])('tens of thousands of readings %s are found again as duplicates, and counted right', (_, order) => {
    const minute = new MinuteWindow(0)
    const n = 30_000
    let added = 0
    for (let i = 0; i < n; i++) if (minute.add(60_000 - order(i), i)) added++
    expect(added).toBe(n)
    for (let i = 0; i < n; i++) if (minute.add(60_000 - order(i), i)) added++
    expect(added).toBe(n)
    expect(minute.count).toBe(n)
    const held = readingsOf(minute)
    let fallen = 0
    for (let i = 2; i < held.length; i += 2) if (held[i - 2] > held[i]) fallen++
    expect(fallen).toBe(0)
  })

  test('its statistics are those of a naive pass', () => {
    const random = seeded(6)
    for (let round = 0; round < 60; round++) {
      const minute = new MinuteWindow(0)
      const readings = new Map<string, { ts: number; value: number }>()
      for (let i = 0; i < 1 + round * 12; i++) {
        const r = { ts: Math.floor(random() * 60_000), value: round % 3 === 0 ? Math.floor(random() * 5) : random() * 1e3 - 500 }
        minute.add(r.ts, r.value)
        readings.set(`${r.ts} ${r.value}`, r)
      }
      const summary = new SummaryPool().take(0)
      minute.summarize(summary)
      const wanted = statistics([...readings.values()])
      for (const k of ['count', 'min', 'max', 'first', 'last'] as const) expect(summary[k]).toBe(wanted[k])
      expect([50, 95, 99].map((p) => summary.percentile(p))).toEqual([wanted.p50, wanted.p95, wanted.p99])
      expect(summary.sum + summary.carry).toBeCloseTo(wanted.sum, 8)
      if (wanted.count > 1) expect(summary.stddev()).toBeCloseTo(wanted.stddev, 9)
      else expect(summary.stddev()).toBeNaN()
    }
  })
})
