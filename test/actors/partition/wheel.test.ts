import { describe, expect, test } from 'vitest'
import { LogTime } from '../../../actors/partition/log-time.ts'
import { Wheel } from '../../../actors/partition/wheel.ts'
import { QUIET_STEP_MAX_MS } from '../../../runtime/limits.ts'
import { seeded, T0 } from './harness.ts'

describe('the wheel', () => {
  test('wakes each at the first full second that is not before its time, in order of number, whatever the steps of the clock', () => {
    const random = seeded(1)
    for (let round = 0; round < 50; round++) {
      let clock = Math.floor(random() * 5_000)
      const wheel = new Wheel<{ id: number; dueMs: number }>(clock)
      const sleeper = (_: unknown, i: number) => ({ id: (i * 77) % 200, dueMs: clock + Math.floor(random() * 100_000) })
      const waiting = new Set(Array.from({ length: 200 }, sleeper))
      for (const sleeper of waiting) wheel.put(sleeper, wheel.bucketOf(sleeper.dueMs))
      while (waiting.size > 0) {
        clock += Math.floor(random() * (random() < 0.1 ? 60_000 : 3_000))
        const woken = wheel.advance(clock)
        expect(woken.map((s) => s.id)).toEqual(woken.map((s) => s.id).toSorted((a, b) => a - b))
        for (const sleeper of woken) {
          expect(sleeper.dueMs).toBeLessThanOrEqual(clock)
          waiting.delete(sleeper)
        }
        for (const sleeper of waiting) expect(Math.ceil(sleeper.dueMs / 1_000)).toBeGreaterThan(Math.floor(clock / 1_000))
      }
    }
  })

  test('what is due already is woken at the next second, not lost', () => {
    const wheel = new Wheel<{ id: number }>(10_000)
    wheel.put({ id: 1 }, wheel.bucketOf(3_000))
    expect(wheel.advance(10_999)).toEqual([])
    expect(wheel.advance(11_000)).toEqual([{ id: 1 }])
  })

  test('a jump of a century takes no longer than what waits', () => {
    const wheel = new Wheel<{ id: number }>(0)
    for (let id = 0; id < 100; id++) wheel.put({ id }, wheel.bucketOf(id * 1e9))
    expect(wheel.advance(3e12).length).toBe(100)
    expect(wheel.advance(6e12)).toEqual([])
  })
})

describe('log time', () => {
  test('never runs back, and the activity clock adds at most one step for a gap', () => {
    const time = new LogTime()
    expect([time.advance(T0), time.logMs, time.activityMs]).toEqual([true, T0, 0])
    expect([time.advance(T0 + 700), time.activityMs]).toEqual([true, 700])
    expect([time.advance(T0), time.advance(T0 + 700), time.advance(NaN), time.advance(Infinity)]).toEqual([false, false, false, false])
    expect([time.advance(T0 + 3_600_000), time.logMs, time.activityMs]).toEqual([true, T0 + 3_600_000, 700 + QUIET_STEP_MAX_MS])
  })
})
