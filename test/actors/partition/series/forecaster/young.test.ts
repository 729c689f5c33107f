import { describe, expect, test } from 'vitest'
import { partitionActor } from '../../../../../actors/partition/actor.ts'
import { FLAGS } from '../../../../../actors/partition/flags.ts'
import { rowsOf } from '../../../../../actors/partition/forecasts.ts'
import { forecastYoung } from '../../../../../actors/partition/series/forecaster/young.ts'
import { encodePrior, encodeSettings } from '../../../../../actors/reading/input.ts'
import { Bench, blockOf, DAY, gaussian, HOUR, MINUTE, seeded, T0 } from '../../harness.ts'

const course = (peak: number) => Float64Array.from({ length: 24 }, (_, h) => Math.SQRT2 * Math.cos(((h - peak) / 24) * 2 * Math.PI))
const group = (peak: number, days = 100) => ({ centre: course(peak), spread: 0.1, days })
const out = () => ({ mean: new Float64Array(24), lower: new Float64Array(24), upper: new Float64Array(24), lower80: new Float64Array(24), upper80: new Float64Array(24) })

describe('a young series', () => {
  test('goes on as its kind does, from its own level, after three hours; before that nothing is said', () => {
    const said = out()
    const hours = Float64Array.from({ length: 5 }, (_, i) => 50 + 4 * course(14)[6 + i])
    const kind = { scale: 4, groups: [group(14)] }
    expect(forecastYoung(hours.subarray(0, 2), 7, kind, 24, said)).toBe(false)
    expect(forecastYoung(hours, 24_000 + 10, kind, 24, said)).toBe(true)
    for (let h = 0; h < 24; h++) {
      expect(said.mean[h]).toBeCloseTo(50 + 4 * course(14)[(11 + h) % 24], 3)
      expect(said.lower[h] < said.lower80[h] && said.lower80[h] < said.mean[h] && said.mean[h] < said.upper80[h] && said.upper80[h] < said.upper[h]).toBe(true)
    }
    expect(said.upper[23] - said.lower[23]).toBeGreaterThan(said.upper[0] - said.lower[0])
  })

  test('is taken for the group that fits it once half a day is known, gaps or not; its amplitude becomes its own', () => {
    const said = out()
    const groups = [group(14), group(2, 10)]
    const hours = Float64Array.from({ length: 40 }, (_, i) => (i % 7 === 3 ? NaN : 10 + 2 * course(2)[i % 24]))
    expect(forecastYoung(hours, 24_000 + 15, { scale: 4, groups }, 24, said)).toBe(true)
    const wanted = (h: number) => 10 + 2 * course(2)[(16 + h) % 24]
    const misses = Array.from({ length: 24 }, (_, h) => Math.abs(said.mean[h] - wanted(h)))
    expect(Math.max(...misses)).toBeLessThan(1.6)
    expect(said.mean[10]).toBeGreaterThan(said.mean[22])
  })

  test('that does not go as its kind does is carried on as it was, once that has told more, and its bounds are those of what was missed', () => {
    const said = out()
    const draw = gaussian(seeded(3))
    let [inside, apart] = [0, 0]
    for (let run = 0; run < 40; run++) {
      let level = 0
      const steps = Float64Array.from({ length: 64 }, () => (level += draw()))
      expect(forecastYoung(steps.slice(0, 40), 24_000 + 15, { scale: 40, groups: [group(14), group(2)] }, 24, said)).toBe(true)
      for (let h = 0; h < 24; h++) {
        apart += Math.abs(said.mean[h] - steps[39])
        if (steps[40 + h] >= said.lower[h] && steps[40 + h] <= said.upper[h]) inside++
      }
    }
    // In steps; the kind alone would go 40 of them to and fro.
    expect(apart / (40 * 24)).toBeLessThan(3)
    expect(inside / (40 * 24)).toBeGreaterThan(0.9)
  })

  test('is not told of in numbers that are none, however large its values', () => {
    const said = out()
    for (const size of [1e160, 1e308]) {
      const told = forecastYoung(Float64Array.from({ length: 30 }, (_, i) => size * course(14)[i % 24]), 24_000 + 5, { scale: 4, groups: [group(14)] }, 24, said)
      if (told) expect([...said.mean, ...said.lower, ...said.upper].every(Number.isFinite)).toBe(true)
    }
  })

  test('of a partition that was told is forecast from its third hour on, of one that was not from its second day on', () => {
    const first = (told: boolean) => {
      const bench = new Bench()
      bench.feed(encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }, FLAGS))
      if (told) bench.feed(encodePrior({ of: 'default\nprobe-#\nm', revision: 1, scale: 4, groups: [group(14)] }))
      const draw = gaussian(seeded(1))
      for (let h = 0; h < 60; h++) {
        const { forecasts } = bench.feed(blockOf([{ device: 'probe-1', metric: 'm', ts: T0 + h * HOUR + 10 * MINUTE, value: 50 + 4 * course(14)[h % 24] + 0.1 * draw() }]), T0 + h * HOUR + 10 * MINUTE)
        if (forecasts.length > 0) return { h, model: forecasts[0].model, rows: [...rowsOf(forecasts[0])] }
      }
      return null
    }
    expect(first(false)).toMatchObject({ h: 48 })
    const told = first(true)!
    expect(told).toMatchObject({ h: 3, model: 'kind' })
    expect(told.rows.length).toBe(24)
    for (const row of told.rows) expect(Math.abs(row.mean - (50 + 4 * course(14)[((row.ts - T0) / HOUR) % 24]))).toBeLessThan(0.5)
  })
})

describe('the end of a UTC day', () => {
  test('tells the profile of each series, and which group it is nearest to where its kind is known', () => {
    const bench = new Bench()
    bench.feed(encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }, FLAGS))
    bench.feed(encodePrior({ of: 'default\nprobe-#\nm', revision: 1, scale: 4, groups: [group(2), group(14)] }))
    const profiles: unknown[] = []
    for (let h = 0; h < 75; h++) {
      const readings = ['probe-1', 'pump-1'].filter((device) => device === 'pump-1' || h < 24 || h >= 29).map((device) => ({ device, metric: 'm', ts: T0 + h * HOUR + 10 * MINUTE, value: 50 + 4 * course(14)[h % 24] }))
      for (const p of bench.feed(blockOf(readings), T0 + h * HOUR + 10 * MINUTE).profiles) profiles.push([bench.last!.series[p.series].device, (p.day - T0) / DAY, p.cluster, Math.round(p.level), Math.round(p.amplitude * 100) / 100])
    }
    // Of the second day of the first five hours are missing: that is too many.
    expect(profiles.sort()).toEqual([['probe-1', 0, 1, 50, 4], ['probe-1', 2, 1, 50, 4], ['pump-1', 0, -1, 50, 4], ['pump-1', 1, -1, 50, 4], ['pump-1', 2, -1, 50, 4]])
    const before = partitionActor.snapshot(bench.state)
    bench.restore()
    expect(Buffer.from(partitionActor.snapshot(bench.state)).equals(Buffer.from(before))).toBe(true)
  })
})
