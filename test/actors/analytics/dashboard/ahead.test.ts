/** Laws of what is expected in a device's charts: its hours, its tail, and what is said of it. */

import { describe, expect, test } from 'vitest'
import { aheadText, expectedAt, fromForecast, tailOf, withForecast } from '../../../../actors/analytics/dashboard/client/device/ahead.ts'
import { withAhead } from '../../../../actors/analytics/dashboard/client/device/place.ts'
import type { ForecastEvent } from '../../../../actors/analytics/dashboard/client/shapes.ts'

const HOUR = 3_600_000
const words = { text: (_m: string, v: number | null | undefined) => `${v} %`, band: (_m: string, a: number, b: number) => `${a} to ${b} %` }

/** As a graph has it: by the middles of hours, the mean climbing by one an hour from `from`. */
function graphed(madeAt: number, hours: number, from: number) {
  const column = (by: number) => Array.from({ length: hours }, (_, i) => from + i + by)
  const ts = Array.from({ length: hours }, (_, i) => madeAt + (i + 0.5) * HOUR)
  return { model: 'week', made_at: madeAt, coverage: 0.949, error: 1, ts, mean: column(0), lower: column(-2), upper: column(2), lower80: column(-1), upper80: column(1) }
}
/** As it comes live: by when each hour begins. */
const event = (madeAt: number, hours: number, from: number, over: Partial<ForecastEvent> = {}): ForecastEvent => ({
  device: 'd', metric: 'm', model: 'day', made_at: madeAt, coverage: null, error: null,
  forecast: Array.from({ length: hours }, (_, i) => ({ ts: madeAt + i * HOUR, mean: from + i, lower: from + i - 2, upper: from + i + 2, lower80: from + i - 1, upper80: from + i + 1 })),
  ...over,
})

describe('what is expected', () => {
  const before = fromForecast(graphed(0, 6, 10))!

  test('is nothing where there is no forecast, or an older store that says nothing of it', () => {
    expect([fromForecast(null), fromForecast(undefined), fromForecast(graphed(0, 0, 1)), tailOf(null, 0, HOUR)]).toEqual([null, null, null, null])
  })

  test('takes the hours of a forecast that comes live, and goes on with the one before it where that reaches further', () => {
    const after = withForecast(before, event(2 * HOUR, 2, 100))!
    expect(after.hours.map(({ ts, mean }) => [ts / HOUR, mean])).toEqual([[2.5, 100], [3.5, 101], [4.5, 14], [5.5, 15]])
    expect([after.model, after.madeAt, after.coverage]).toEqual(['day', 2 * HOUR, null])
    expect(withForecast(after, event(HOUR, 3, 7))).toBe(after)
    expect(withForecast(after, event(3 * HOUR, 0, 7))).toBe(after)
    expect(withForecast(null, event(0, 1, 3))!.hours).toHaveLength(1)
  })

  test('lies on a line between the middles of hours, and before the first of them is as in that', () => {
    expect(expectedAt(before, 1.25 * HOUR)).toMatchObject({ mean: 10.75, lower: 8.75, upper80: 11.75 })
    expect(expectedAt(before, 0.1 * HOUR)).toMatchObject({ ts: 0.1 * HOUR, mean: 10 })
    expect([expectedAt(before, -HOUR), expectedAt(before, 6 * HOUR)]).toEqual([null, null])
  })

  test('is a tail that begins and ends where it is told to, or with its first and last hour', () => {
    const tail = tailOf(before, 3 * HOUR, 4 * HOUR)!
    expect(tail.ts.map((ts) => ts / HOUR)).toEqual([3, 3.5, 4])
    expect(tail.mean).toEqual([12.5, 13, 13.5])
    expect(tail.upper[0] - tail.lower[0]).toBe(4)
    expect(tailOf(before, 5 * HOUR, 100 * HOUR)!.ts.map((ts) => ts / HOUR)).toEqual([5, 5.5])
    expect(tailOf(before, 1.6 * HOUR, 1.8 * HOUR)!.ts).toHaveLength(2)
    expect([tailOf(before, 5.5 * HOUR, 9 * HOUR), tailOf(before, 3 * HOUR, 3 * HOUR)]).toEqual([null, null])
    // One that was made of a later day does not reach back.
    expect(tailOf(before, -5 * HOUR, 9 * HOUR)!.ts[0]).toBe(0.5 * HOUR)
  })

  test('is said for six hours from now, or as far as it reaches, with how often it was right', () => {
    expect(aheadText('m', words, fromForecast(graphed(0, 24, 10))!, 0.5 * HOUR)).toEqual({ expected: 'Expected: 16 % in 6 h, within 14 to 18 %', model: 'model week, ', trust: 'in 95 of 100 cases right so far' })
    expect(aheadText('m', words, withForecast(null, event(0, 3, 1))!, 0.5 * HOUR)).toEqual({ expected: 'Expected: 3 % in 2 h, within 1 to 5 %', model: 'model day, ', trust: 'not tried often enough to say how often it is right' })
    expect(aheadText('m', words, before, 6 * HOUR)).toBeNull()
  })
})

test('charts reach ahead by a third of their range, as far as something is expected, and only from a range of hours that ends now', () => {
  const span = { from: 0, to: 9 * HOUR }
  expect(withAhead(span, 100 * HOUR, 9 * HOUR)).toEqual({ from: 0, to: 12 * HOUR })
  expect(withAhead(span, 10 * HOUR, 9 * HOUR)).toEqual({ from: 0, to: 10 * HOUR })
  expect(withAhead(span, 9 * HOUR, 9 * HOUR)).toEqual(span)
  expect(withAhead(span, 0, 9 * HOUR)).toEqual(span)
  expect(withAhead(span, 100 * HOUR, 11 * HOUR)).toEqual(span)
  expect(withAhead({ from: 0, to: HOUR }, 100 * HOUR, HOUR)).toEqual({ from: 0, to: HOUR })
})
