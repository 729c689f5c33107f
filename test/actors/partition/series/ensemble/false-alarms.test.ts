/** What a score means: how often noise alone gives it. */

import { describe, expect, test } from 'vitest'
import { EVEN, REPORT } from '../../../../../actors/partition/series/ensemble/calibration.ts'
import { CALM_NOISES, dayOf, HEAVY_NOISE, Watch } from './watch.ts'
import type { Noise } from './watch.ts'

const SERIES = 8
const READINGS = 40_000
const ALL = SERIES * READINGS
const THRESHOLDS = [1 / 3, 0.4, REPORT]

/** Readings of noise with a score of at least each threshold. */
function alarms(noise: Noise, stepMs: number): number[] {
  const counts = THRESHOLDS.map(() => 0)
  for (let seed = 1; seed <= SERIES; seed++) {
    const next = noise(1_000 + seed, dayOf(stepMs))
    const w = new Watch(stepMs)
    for (let i = 0; i < READINGS; i++) {
      const score = w.feed(next(i))
      if (score > 0) THRESHOLDS.forEach((threshold, k) => (counts[k] += score >= threshold ? 1 : 0))
    }
  }
  return counts
}

/** The most that a threshold promises for all of them, and what chance adds to it once in some thousand runs. */
const most = (threshold: number) => {
  const expected = ALL * 10 ** ((-EVEN * threshold) / (1 - threshold))
  return expected + 3.3 * Math.sqrt(expected) + 1
}

describe('a threshold is a rate of false alarms', () => {
  const cases = Object.entries(CALM_NOISES).flatMap(([name, noise]) => [10_000, 300_000].map((stepMs) => [name, stepMs, noise] as const))
  test.each(cases)('on %s noise, a reading every %i ms, it is not exceeded', (_, stepMs, noise) => {
    const counts = alarms(noise, stepMs)
    THRESHOLDS.forEach((threshold, k) => expect(counts[k], `at ${threshold}`).toBeLessThanOrEqual(most(threshold)))
  })

  test('and is no more than ten times what noise with exponential tails gives, where there is enough to count', () => {
    expect(alarms(CALM_NOISES.Laplace, 300_000)[0]).toBeGreaterThan(most(THRESHOLDS[0]) / 10)
  })

  test("noise of Student's t with 3 degrees of freedom alarms at most 300 times in 864,000 readings", () => {
    const counts = alarms(HEAVY_NOISE, 300_000)
    expect(counts.at(-1)!).toBeLessThan((300 * ALL) / 864_000)
    expect(counts.at(-1)!).toBeGreaterThan(0)
  })
})
