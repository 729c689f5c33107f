import { describe, expect, test } from 'vitest'
import { DETECTOR_FIELDS, observe, WARM_UP } from '../../../../actors/partition/series/detector.ts'
import { reasonOf, verdict } from '../../../../actors/partition/series/verdict.ts'
import { gaussian, seeded } from '../harness.ts'

interface Found {
  at: number
  kind: string
  score: number
  expected: number
  lower: number
  upper: number
  reason: string
}

/** Feeds `values`, 10 s apart, and gives what was found. */
function watch(values: Iterable<number>, stepMs = 10_000): Found[] {
  const slab = new Float64Array(DETECTOR_FIELDS)
  const found: Found[] = []
  let at = 0
  for (const value of values) {
    if (observe(slab, 0, at * stepMs, value)) found.push({ at, ...verdict, reason: reasonOf(value) })
    at++
  }
  return found
}

const series = (count: number, make: (i: number) => number) => Array.from({ length: count }, (_, i) => make(i))

describe('the detector', () => {
  const noises: [string, (seed: number) => (i: number) => number][] = [
    ['normal', (seed) => ((g) => () => 20 + g())(gaussian(seeded(seed)))],
    [
      'autoregressive',
      (seed) => {
        const g = gaussian(seeded(seed))
        let x = 0
        return () => (x = 0.9 * x + g())
      },
    ],
    ['daily', (seed) => ((g) => (i: number) => 20 + 8 * Math.sin((i / 8_640) * 2 * Math.PI) + 0.3 * g())(gaussian(seeded(seed)))],
    [
      'in steps',
      (seed) => {
        const g = gaussian(seeded(seed))
        return (i) => Math.round(200 + 80 * Math.sin((i / 8_640) * 2 * Math.PI) + 0.5 * g()) / 10
      },
    ],
    ['hourly', (seed) => ((g) => (i: number) => 20 + 8 * Math.sin((i / 24) * 2 * Math.PI) + 0.3 * g())(gaussian(seeded(seed)))],
  ]
  test.each(noises)('%s noise alarms at most twice in 240,000 readings: 7 on a day of a farm of 100 probes', (_, noise) => {
    let alarms = 0
    for (let seed = 1; seed <= 8; seed++) {
      const next = noise(seed)
      alarms += watch(series(30_000, next)).length
    }
    expect(alarms).toBeLessThanOrEqual(2)
  })

  test('a single spike of 8 deviations on a calm series is reported at once, whenever it comes after the warm-up', () => {
    for (let seed = 1; seed <= 1_000; seed++) {
      const g = gaussian(seeded(seed))
      const at = WARM_UP + 1 + ((seed * 7_919) % 900)
      const side = seed % 2 === 0 ? 1 : -1
      const found = watch(series(at + 200, (i) => 50 + 0.1 * (i === at ? 8 * side : g())))
      expect(found.map((f) => f.at)).toEqual([at])
      expect(found[0].score).toBeGreaterThanOrEqual(0.5)
      expect(found[0].score).toBeLessThanOrEqual(1)
    }
  })

  test('nothing is reported during the warm-up, nor of a value that hardly ever changed', () => {
    expect(watch(series(WARM_UP, (i) => (i === 40 ? 1e9 : Math.sin(i))))).toEqual([])
    expect(watch(series(5_000, (i) => (i === 4_000 ? 1 : 0)))).toEqual([])
    expect(watch(series(5_000, () => 21.5))).toEqual([])
  })

  test('a shift of the level is one event, or two, and the new level becomes the expected one', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const g = gaussian(seeded(seed))
      const found = watch(series(3_000, (i) => (i < 1_000 ? 10 : 40) + g()))
      expect(found[0].at).toBe(1_000)
      expect(found.length).toBeLessThanOrEqual(2)
      expect(found[0].expected).toBeCloseTo(10, -1)
    }
  })

  test('a gauge that switches between two values is not strange', () => {
    const random = seeded(3)
    let on = 0
    expect(watch(series(50_000, () => (random() < (on === 1 ? 0.05 : 0.002) ? (on = 1 - on) : on)))).toEqual([])
  })

  test('a value that rests far longer than usual is reported once as stuck, and its release is not', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const g = gaussian(seeded(seed))
      const found = watch(series(2_000, (i) => (i >= 1_000 && i < 1_500 ? 12.5 : 12 + g())))
      expect(found.map((f) => f.kind)).toEqual(['stuck'])
      expect(found[0].at).toBeGreaterThan(1_000)
      expect(found[0].at).toBeLessThan(1_060)
      expect(found[0].reason).toMatch(/^12\.5 has not changed for \d+ readings, though it usually changes every reading$/)
    }
  })

  test('a value that is stuck again is reported again', () => {
    const g = gaussian(seeded(12))
    const found = watch(series(6_000, (i) => (i % 1_000 >= 800 ? 12.5 : 12 + g())))
    expect(found.map((f) => f.kind)).toEqual(Array(6).fill('stuck'))
  })

  test('what follows a long silence is a new start', () => {
    const g = gaussian(seeded(9))
    const slab = new Float64Array(DETECTOR_FIELDS)
    let ts = 0
    for (let i = 0; i < 1_000; i++) expect(observe(slab, 0, (ts += 10_000), g())).toBe(false)
    expect(observe(slab, 0, (ts += 3_600_000), 30)).toBe(false)
    for (let i = 0; i < 100; i++) expect(observe(slab, 0, (ts += 10_000), 30 + g())).toBe(false)
  })

  test('the band holds 99.9 % of normal noise, and the verdict is a sentence with the figures in it', () => {
    const slab = new Float64Array(DETECTOR_FIELDS)
    const g = gaussian(seeded(21))
    for (let i = 0; i < 5_000; i++) observe(slab, 0, i * 10_000, 12 + 0.5 * g())
    expect(observe(slab, 0, 5_000 * 10_000, 23.4)).toBe(true)
    expect(verdict.lower).toBeLessThan(verdict.expected)
    // 3.29 deviations to either side are 99.9 % of a normal distribution.
    expect((verdict.upper - verdict.lower) / 2 / 3.29).toBeCloseTo(0.5, 1)
    expect(reasonOf(23.4)).toMatch(/^23\.4 is 2\d(\.\d)? deviations above the expected 1[12](\.\d+)?; [\d.]+ to [\d.]+ would be usual$/)
  })

  test('a jump from the least double to 1e100 still has a finite verdict', () => {
    const found = watch(series(300, (i) => (i === 200 ? 1e100 : (i % 3) * Number.MIN_VALUE)))
    expect(found.map((f) => f.at)).toEqual([200])
    expect([found[0].score, found[0].expected, found[0].lower, found[0].upper].every(Number.isFinite)).toBe(true)
    expect(found[0].score).toBeLessThan(1)
  })

  test('values extreme or at rest leave the state finite', () => {
    const random = seeded(4)
    for (const still of [0, 1, 2, 10, 100]) {
      const slab = new Float64Array(DETECTOR_FIELDS)
      for (let i = 0; i < 2_000; i++) {
        const magnitude = i < still ? 7 : Math.min(10 ** (random() * 400 - 300), 1e100)
        observe(slab, 0, random() < 0.9 ? i * 1_000 : 0, random() < 0.5 ? magnitude : i < still ? 7 : -magnitude)
        if (!slab.every(Number.isFinite) || !(verdict.score <= 1)) expect.fail(`${slab.join()} after ${i} readings`)
      }
    }
  })
})
