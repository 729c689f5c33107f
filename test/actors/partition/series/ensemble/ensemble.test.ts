import { describe, expect, test } from 'vitest'
import { TOGETHER_SINGLES } from '../../../../../actors/partition/device/together.ts'
import { KIN_SINGLES } from '../../../../../actors/partition/fleet/kin-layout.ts'
import { EVEN, likelihoodOf, REPORT, scoreOf, SURPRISE_EVEN } from '../../../../../actors/partition/series/ensemble/calibration.ts'
import { judge, WARM_UP } from '../../../../../actors/partition/series/ensemble/ensemble.ts'
import { judgement } from '../../../../../actors/partition/series/ensemble/judgement.ts'
import { ENSEMBLE_DOUBLES, makeSlab, SEEN, SLOW } from '../../../../../actors/partition/series/ensemble/layout.ts'
import { Forecasters } from '../../../../../actors/partition/series/forecaster/forecaster.ts'
import { gaussian, HOUR, seeded, T0 } from '../../harness.ts'
import { CALM_NOISES, series, Watch, watch } from './watch.ts'

describe('the ensemble', () => {
  test('takes 592 bytes a series, and with what looks beyond it and the forecaster at most two KiB', () => {
    expect(ENSEMBLE_DOUBLES * 8).toBe(592)
    expect(ENSEMBLE_DOUBLES * 8 + (TOGETHER_SINGLES + KIN_SINGLES) * 4 + new Forecasters().grown.rowBytes).toBeLessThanOrEqual(2_048)
  })

  test('a series is judged by its own place in the slab alone', () => {
    const alone = makeSlab(1)
    const among = makeSlab(3)
    const next = CALM_NOISES['daily course'](5, 288)
    const noise = gaussian(seeded(6))
    for (let i = 0; i < 3_000; i++) {
      const value = next(i) + (i % 700 === 0 ? 5 : 0)
      const ts = T0 + i * 300_000
      judge(among, 0, ts, noise() * 1e6)
      const there = [judge(among, ENSEMBLE_DOUBLES, ts, value), { ...judgement }]
      judge(among, 2 * ENSEMBLE_DOUBLES, ts, -noise())
      expect([judge(alone, 0, ts, value), { ...judgement }]).toEqual(there)
    }
  })

  test('no unit matters: values 1,024 times as great, or a 1,024th, have the same scores to the last bit', () => {
    for (const factor of [1_024, 1 / 1_024]) {
      const next = CALM_NOISES['daily course in steps'](3, 288)
      const plain = new Watch()
      const scaled = new Watch()
      let positive = 0
      for (let i = 0; i < 5_000; i++) {
        const value = next(i) + (i % 900 === 0 ? 9 : 0)
        const score = plain.feed(value)
        expect(scaled.feed(value * factor)).toBe(score)
        if (score > 0) positive++
      }
      expect(positive).toBeGreaterThan(5)
    }
  })

  test('gives no score in the warm-up but for the tail of errors, nor before the value has changed eight times', () => {
    const g = gaussian(seeded(4))
    const w = new Watch(10_000)
    for (let i = 0; i < WARM_UP; i++) {
      const score = w.feed(i === 40 ? 1e9 : g())
      if (i <= 64) expect(score).toBe(0)
    }
    expect(watch(series(5_000, (i) => (i === 4_000 ? 1 : 0)))).toEqual([])
    expect(watch(series(5_000, () => 21.5))).toEqual([])
  })

  test('what was constant for long and then moves is judged by how it moves, and one wild value does not move the mean of hundreds', () => {
    const g = gaussian(seeded(6))
    const w = new Watch(10_000)
    for (let i = 0; i < 3_000; i++) w.feed(i < 500 ? 7 : i === 2_500 ? -9_999 : 7 + g())
    expect(w.found.map((f) => f.at).filter((at) => at > 700)).toEqual([2_500])
    expect(Math.abs(w.slab.doubles[SLOW] - 7)).toBeLessThan(1)
  })

  test('a gauge that switches between two values is not strange', () => {
    const random = seeded(3)
    let on = 0
    expect(watch(series(50_000, () => (random() < (on === 1 ? 0.05 : 0.002) ? (on = 1 - on) : on)), 10_000)).toEqual([])
  })

  test('after an alarm a score is given only above what it has left: a burst of like spikes is one event', () => {
    const g = gaussian(seeded(8))
    const w = new Watch(10_000)
    for (let i = 0; i < 3_000; i++) w.feed(i >= 2_000 && i < 2_020 && i % 4 === 0 ? 30 : g())
    expect(w.found.length).toBe(1)
    expect(w.found[0].at).toBe(2_000)
  })

  test('a pause that comes each night is told the first time at most', () => {
    const g = gaussian(seeded(9))
    const w = new Watch(60_000)
    for (let i = 0; i < 20 * 1_440; i++) w.feed(i % 1_440 < 600 ? null : 20 + g())
    expect(w.found.filter((f) => f.kind === 'gap').length).toBe(1)
    expect(w.found.length).toBeLessThanOrEqual(2)
  })

  test('values of any size leave only numbers behind, and bands that hold what was expected', () => {
    const random = seeded(11)
    for (const size of [1e-300, 1e-30, 1, 1e30, 1e100]) {
      const w = new Watch(10_000)
      for (let i = 0; i < 20_000; i++) {
        const score = w.feed(random() < 0.01 ? size * (random() - 0.5) : random() < 0.3 ? 0 : size * 1e-3 * random())
        expect(score >= 0 && score < 1 && judgement.lower <= judgement.expected && judgement.expected <= judgement.upper).toBe(true)
      }
      // The profile alone may hold that it knows nothing of a slot.
      expect(w.slab.doubles.subarray(0, SEEN / 2).every(Number.isFinite)).toBe(true)
      expect(w.slab.singles.subarray(SEEN).every((n) => Number.isFinite(n) || Number.isNaN(n))).toBe(true)
    }
  })

  test('readings out of order, and of one time, are judged like others', () => {
    const g = gaussian(seeded(13))
    const slab = makeSlab(1)
    for (let i = 0; i < 4_000; i++) {
      judge(slab, 0, T0 + (i - (i % 3)) * 10_000 - (i % 5 === 0 ? 2 * HOUR : 0), 20 + g())
      expect(judgement.score).toBeLessThan(REPORT)
    }
    judge(slab, 0, T0 - HOUR, 40)
    expect(judgement.score).toBeGreaterThanOrEqual(REPORT)
  })

  test('a score of one half is the surprise that is even, and scores rise with surprise', () => {
    expect(scoreOf(EVEN)).toBe(0.5)
    expect(scoreOf(likelihoodOf(SURPRISE_EVEN))).toBeCloseTo(REPORT, 12)
    for (let s = 0.1; s < 50; s *= 1.3) expect(scoreOf(likelihoodOf(s * 1.3))).toBeGreaterThan(scoreOf(likelihoodOf(s)))
  })
})

describe('what is said of an anomaly', () => {
  const calm = (fault: (i: number, value: number) => number | null) => {
    const g = gaussian(seeded(21))
    return watch(series(4_000, (i) => fault(i, 20 + g())))
  }

  test('is a sentence with the figures in it', () => {
    const said = [
      calm((i, v) => (i === 3_000 ? 40 : v)),
      calm((i, v) => (i === 3_000 ? 0 : v)),
      calm((i, v) => (i >= 3_000 ? v + 15 : v)).slice(1),
      calm((i, v) => (i >= 3_000 ? v + Math.min(20, (i - 3_000) / 10) : v)),
      calm((i, v) => (i >= 3_000 ? 20.5 : v)),
      calm((i, v) => (i >= 3_000 && i < 3_030 ? null : v)),
    ].map(([first]) => first.reason)
    expect(said[0]).toMatch(/^40 is above the expected [\d.]+; [\d.]+ to [\d.]+ would be usual$/)
    expect(said[1]).toMatch(/^0 is below the expected [\d.]+; [\d.]+ to [\d.]+ would be usual$/)
    expect(said[2]).toMatch(/^it went up by [\d.]+ to [\d.]+ and stays there; [\d.]+ to [\d.]+ was usual$/)
    expect(said[3]).toMatch(/^[\d.]+ is above [\d.]+ to [\d.]+, which was usual: [\d.]+ times as far from [\d.]+ as usual$/)
    expect(said[4]).toMatch(/^20\.5 has not changed for \d+ readings, though it usually changes every reading$/)
    expect(said[5]).toMatch(/^nothing came for 3[01](\.\d+)? usual intervals before this reading$/)
  })

  test('the band of a spike is what the forecast missed by lately, and the value is outside of it', () => {
    const [spike] = calm((i, v) => (i === 3_000 ? 40 : v))
    expect(spike).toMatchObject({ at: 3_000, kind: 'spike' })
    expect(spike.expected).toBeGreaterThan(17)
    expect(spike.expected).toBeLessThan(23)
    expect(spike.lower).toBeGreaterThan(14)
    expect(spike.upper).toBeLessThan(26)
  })
})
