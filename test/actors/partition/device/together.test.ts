/** What several metrics of a device show at once, and what they never may. */

import { describe, expect, test } from 'vitest'
import { partitionActor } from '../../../../actors/partition/actor.ts'
import { TOGETHER_SINGLES } from '../../../../actors/partition/device/together.ts'
import { Flag } from '../../../../actors/partition/flags.ts'
import { EVEN, REPORT } from '../../../../actors/partition/series/ensemble/calibration.ts'
import { encodeSettings } from '../../../../actors/reading/input.ts'
import { pack, unpack } from '../../../../runtime/codec.ts'
import { Bench, blockOf, gaussian, HOUR, MINUTE, seeded, T0 } from '../harness.ts'
import { Crew, CREW_NOISES } from './crew.ts'

const DAY = 288

/** The most that a threshold promises for so many readings, and what chance adds to it once in some thousand runs. */
const most = (threshold: number, readings: number) => {
  const expected = readings * 10 ** ((-EVEN * threshold) / (1 - threshold))
  return expected + 3.3 * Math.sqrt(expected) + 1
}

/** A station of four metrics with a daily course each, of which all are off by `size` deviations from some reading on, each to a side of its own. */
function stationWithFault(seed: number, size: readonly number[], { together = true, course = 8, readings = 300 } = {}): { crew: Crew; from: number } {
  const random = seeded(seed * 31)
  const g = gaussian(random)
  const crew = new Crew(4, { together })
  const from = 8 * DAY + Math.floor(random() * DAY)
  const sides = size.map(() => (random() < 0.5 ? -1 : 1))
  for (let i = 0; i < from + readings; i++) {
    const day = course * Math.sin((i / DAY) * 2 * Math.PI)
    crew.feed(size.map((s, m) => 20 + day + g() + (i >= from ? s * sides[m] : 0)))
  }
  return { crew, from }
}

describe('metrics that hang together', () => {
  test('take 24 bytes a series', () => {
    expect(TOGETHER_SINGLES * Float32Array.BYTES_PER_ELEMENT).toBe(24)
  })

  test('raise no more false alarms than their score promises, of each kind of noise, at 10 s and at 10 min', () => {
    const [devices, readings, metrics] = [2, 8_000, 4]
    let all = 0
    for (const [name, noise] of Object.entries(CREW_NOISES)) {
      for (const stepMs of [10_000, 600_000]) {
        let told = 0
        for (let seed = 1; seed <= devices; seed++) {
          const crew = new Crew(metrics, { stepMs })
          const next = noise(500 + seed, metrics, (24 * HOUR) / stepMs)
          for (let i = 0; i < readings; i++) crew.feed(next(i))
          told += crew.told.filter(({ kind }) => kind === 'device').length
        }
        expect(told, `${name} at ${stepMs} ms`).toBeLessThanOrEqual(most(REPORT, devices * readings * metrics))
        all += told
      }
    }
    expect(all).toBeLessThanOrEqual(most(REPORT, 2 * Object.keys(CREW_NOISES).length * devices * readings * metrics))
  })

  test('are told where all of them are off by one and a quarter deviations, of which no series says a word', () => {
    const CASES = 12
    const found = { alone: 0, together: 0 }
    let before = 0
    for (let seed = 1; seed <= CASES; seed++) {
      for (const together of [false, true]) {
        const { crew, from } = stationWithFault(seed, [1.25, 1.25, 1.25, 1.25], { together })
        before += crew.told.filter(({ at }) => at < from).length
        if (crew.told.some(({ at }) => at >= from)) found[together ? 'together' : 'alone']++
        if (together) expect(crew.told.filter(({ at, kind }) => at >= from && kind === 'device').length).toBeLessThanOrEqual(1)
      }
    }
    expect(before).toBeLessThanOrEqual(1)
    expect(found.alone).toBeLessThanOrEqual(0.1 * CASES)
    expect(found.together).toBeGreaterThanOrEqual(0.9 * CASES)
  })

  test('are not told of for what one of them does alone', () => {
    for (let seed = 1; seed <= 10; seed++) {
      for (const size of [2, 4]) expect(stationWithFault(seed, [size, 0, 0, 0]).crew.told.filter(({ kind }) => kind === 'device')).toEqual([])
    }
  })

  test('are not told of behind what was told of one of them', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const { crew, from } = stationWithFault(seed, [15, 1.5, 1.5, 1.5])
      const kinds = crew.told.filter(({ at }) => at >= from).map(({ kind }) => kind)
      expect(kinds.length).toBeGreaterThan(0)
      expect(kinds).not.toContain('device')
    }
  })

  test('are told by name and with figures', () => {
    const { crew } = stationWithFault(3, [2, 2, 2, 2])
    const [first] = crew.told.filter(({ kind }) => kind === 'device')
    expect(first.reason).toMatch(/^several metrics of the device are further than usual from their hour at once(, m\d [\d.]+ times (above|below)){2,4}: together [\d.]+ times as far as ever lately$/)
  })

  test('are left alone where one of them has long been silent', () => {
    const g = gaussian(seeded(8))
    const crew = new Crew(2)
    // As the second falls silent both lean; the first goes on leaning alone.
    for (let i = 0; i < 9 * DAY; i++) crew.feed(i < 8 * DAY ? [g(), g()] : i < 8 * DAY + 6 ? [g() + 1.5, g() + 1.5] : [g() + 2, null])
    expect(crew.told.filter(({ kind }) => kind === 'device')).toEqual([])
  })
})

describe('flag 7, what the metrics of a device do together', () => {
  const settings = { latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }
  const METRICS = ['a', 'b', 'c']

  /** Nine days of a device by ten minutes, with a fault in all metrics on the last; the flag goes on at `at`. */
  const feed = (bench: Bench, at: number, each: () => void = () => {}) => {
    const g = gaussian(seeded(17))
    bench.feed(encodeSettings(settings, [Flag.ensemble]))
    for (let i = 0; i < 9 * 144; i++) {
      if (i === at) bench.feed(encodeSettings(settings, [Flag.together]))
      bench.feed(blockOf(METRICS.map((metric) => ({ device: 'd', metric, ts: T0 + i * 10 * MINUTE, value: g() + (i >= 8.5 * 144 ? 2.2 : 0) }))), T0 + i * 10 * MINUTE)
      each()
    }
    return bench
  }

  test('is off until the log has switched it on; then the fault is told once, as an anomaly of a reading that it was seen in', () => {
    const off = feed(new Bench(), -1).anomalies.filter(({ kind }) => kind === 'device')
    const on = feed(new Bench(), 0).anomalies.filter(({ kind }) => kind === 'device')
    expect(off).toEqual([])
    expect(on.map(({ part }) => part)).toEqual(['device'])
    expect(on[0].ts).toBeGreaterThanOrEqual(T0 + 8.5 * 144 * 10 * MINUTE)
    expect(on[0].score).toBeGreaterThanOrEqual(REPORT)
    expect(on[0].lower).toBeLessThan(on[0].expected)
    expect(on[0].upper).toBeGreaterThan(on[0].expected)
  })

  test('is a part of the snapshot, to the last bit, and one without it is refused', () => {
    const [straight, restored] = [new Bench(), new Bench()]
    let n = 0
    feed(straight, 200)
    feed(restored, 200, () => n++ % 7 === 3 && restored.restore())
    expect(restored.payloads).toEqual(straight.payloads)
    const bytes = partitionActor.snapshot(straight.state)
    expect(partitionActor.snapshotVersionOf(straight.state)).toBe(9)
    expect(Buffer.from(partitionActor.snapshot(restored.state)).equals(Buffer.from(bytes))).toBe(true)
    restored.restore()
    expect(restored.state.leanings).toEqual(straight.state.leanings)
    const { leanings: _, ...without } = unpack<{ leanings: Uint8Array[] }>(bytes)
    expect(() => partitionActor.restore(pack(without))).toThrow(/must hold what each metric leans by/)
    const whole = unpack<{ leanings: Uint8Array[] }>(bytes)
    for (const leanings of [[], whole.leanings.map((page) => page.slice(4))]) {
      expect(() => partitionActor.restore(pack({ ...whole, leanings }))).toThrow(/must hold what each metric leans by/)
    }
  })
})
