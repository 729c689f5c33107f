/** Simulated faults of stated sizes are found and named in nine of ten cases, on calm noise, on noise with memory, and on a daily course. */

import { describe, expect, test } from 'vitest'
import type { Kind } from '../../../../../actors/partition/series/ensemble/judgement.ts'
import { gaussian, seeded } from '../../harness.ts'
import { Watch } from './watch.ts'

const DAY = 288
const CASES = 40

interface Ground {
  /** Of the noise, which sizes are measured in. */
  readonly deviation: number
  readonly make: (g: () => number) => (i: number) => number
}

const GROUNDS: Record<string, Ground> = {
  'calm noise': { deviation: 1, make: (g) => () => 20 + g() },
  'noise with memory': {
    deviation: 1 / Math.sqrt(1 - 0.9 ** 2),
    make: (g) => {
      let x = 0
      return () => 20 + (x = 0.9 * x + g())
    },
  },
  'a daily course': { deviation: 0.3, make: (g) => (i) => 20 + 8 * Math.sin((i / DAY) * 2 * Math.PI) + 0.3 * g() },
}

/** What a fault makes of a value; `since` counts readings from its beginning, `held` is the last value before it. */
type Fault = (value: number, since: number, held: number, side: number, g: () => number, deviation: number) => number | null

const FAULTS: [Kind, string, Fault, string[]][] = [
  ['spike', 'of 12 deviations', (v, since, _h, _s, _g, d) => (since === 0 ? v + 12 * d : v), Object.keys(GROUNDS)],
  ['dip', 'of 12 deviations', (v, since, _h, _s, _g, d) => (since === 0 ? v - 12 * d : v), Object.keys(GROUNDS)],
  ['level shift', 'of 12 deviations', (v, _since, _h, side, _g, d) => v + 12 * side * d, Object.keys(GROUNDS)],
  ['drift', 'by 15 deviations in 200 readings', (v, since, _h, side, _g, d) => v + 15 * side * d * Math.min(1, since / 200), ['calm noise', 'noise with memory']],
  ['noise change', 'to eight times the noise', (v, _since, _h, _s, g, d) => v + 8 * d * g(), Object.keys(GROUNDS)],
  ['flat-line', 'to a fiftieth of the noise', (_v, _since, held, _s, g, d) => held + (d * g()) / 50, Object.keys(GROUNDS)],
  ['stuck', 'at the last value', (_v, _since, held) => held, Object.keys(GROUNDS)],
  ['gap', 'of 20 readings', (v, since) => (since < 20 ? null : v), Object.keys(GROUNDS)],
  ['pattern', 'where a day has no course', (_v, _since, _h, _s, g) => 20 + 0.3 * g(), ['a daily course']],
]

describe('a fault', () => {
  const cases = FAULTS.flatMap(([kind, size, fault, grounds]) => grounds.map((ground) => [kind, size, ground, fault] as const))
  test.each(cases)('%s %s on %s is found and named in nine of ten cases, and nothing is found before it', (kind, _size, ground, fault) => {
    const { deviation, make } = GROUNDS[ground]
    let named = 0
    let before = 0
    for (let seed = 1; seed <= CASES; seed++) {
      const random = seeded(seed * 31)
      const g = gaussian(random)
      const next = make(g)
      const from = 6 * DAY + Math.floor(random() * 3 * DAY)
      const side = random() < 0.5 ? -1 : 1
      const w = new Watch()
      let held = NaN
      for (let i = 0; i < from + 400; i++) {
        const sound = next(i)
        w.feed(i < from ? (held = sound) : fault(sound, i - from, held, side, g, deviation))
      }
      before += w.found.filter((f) => f.at < from).length
      if (w.found.some((f) => f.at >= from && f.kind === kind)) named++
    }
    expect(before).toBeLessThanOrEqual(1)
    expect(named).toBeGreaterThanOrEqual(0.9 * CASES)
  })

  test('that grows on a daily course is told as a drift, or as a break of the day while the value is still one that the day has', () => {
    let told = 0
    for (let seed = 1; seed <= CASES; seed++) {
      const random = seeded(seed * 37)
      const g = gaussian(random)
      const next = GROUNDS['a daily course'].make(g)
      const from = 6 * DAY + Math.floor(random() * 3 * DAY)
      const w = new Watch()
      for (let i = 0; i < from + 400; i++) w.feed(next(i) + 25 * 0.3 * Math.min(1, Math.max(0, i - from) / 200))
      if (w.found.some((f) => f.at >= from && (f.kind === 'drift' || f.kind === 'pattern'))) told++
    }
    expect(told).toBeGreaterThanOrEqual(0.9 * CASES)
  })

  test('of one reading is told at that reading, and no other is', () => {
    for (let seed = 1; seed <= CASES; seed++) {
      const g = gaussian(seeded(seed))
      const w = new Watch(10_000)
      for (let i = 0; i < 1_400; i++) w.feed(50 + 0.1 * (i === 1_000 ? 14 : g()))
      expect(w.found.map((f) => [f.at, f.kind])).toEqual([[1_000, 'spike']])
    }
  })

  test('that stays is told twice: at once, and as a level shift when it has stayed; its new level is not told again', () => {
    for (let seed = 1; seed <= CASES; seed++) {
      const g = gaussian(seeded(seed))
      const w = new Watch(10_000)
      for (let i = 0; i < 3_000; i++) w.feed((i < 1_000 ? 10 : 40) + g())
      expect(w.found.map((f) => [f.at, f.kind])).toEqual([
        [1_000, 'spike'],
        [1_007, 'level shift'],
      ])
    }
  })

  test('of a gauge that hangs is told once, its release is not; and again when it hangs again', () => {
    const g = gaussian(seeded(12))
    const w = new Watch(10_000)
    for (let i = 0; i < 6_000; i++) w.feed(i % 1_000 >= 800 ? 12.5 : 12 + g())
    expect(w.found.map((f) => f.kind)).toEqual(Array(6).fill('stuck'))
  })
})
