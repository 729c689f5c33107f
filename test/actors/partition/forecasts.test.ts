import { describe, expect, test } from 'vitest'
import { decodeEffects, EffectsBuilder } from '../../../actors/partition/effects.ts'
import { HORIZON_MAX, rowsOf } from '../../../actors/partition/forecasts.ts'
import type { Forecast } from '../../../actors/partition/forecasts.ts'
import { differenceOf } from '../../../actors/replay/difference.ts'
import { unpack } from '../../../runtime/codec.ts'
import { HOUR, T0 } from './harness.ts'

const TOTALS = { accepted: 7, pending: 0, logTimeMs: T0 }

function forecastOf(series: number, steps: number, base: number, rest: Partial<Forecast> = {}): Forecast {
  const column = (by: number) => Float64Array.from({ length: steps + 3 }, (_, h) => base + h / 7 + by)
  return {
    series, madeAt: T0 + series * HOUR, steps, mean: column(0), lower: column(-2.1), upper: column(2.2), lower80: column(-1.1), upper80: column(1.3),
    model: 'week', coverage: 0.951, error: 0.4, ...rest,
  }
}

function builderOf(forecasts: readonly Forecast[]): EffectsBuilder {
  const builder = new EffectsBuilder()
  for (const device of ['a', 'b', 'c']) builder.addSeries({ tenant: 'default', device, metric: 'm' })
  for (const f of forecasts) builder.forecasts.add(f)
  return builder
}

const payloadOf = (forecasts: readonly Forecast[]) => builderOf(forecasts).encode(TOTALS)

describe('forecasts of a commit', () => {
  test('read back as their rows, an hour apart from the moment at which they were made', () => {
    const forecasts = [forecastOf(2, HORIZON_MAX, 20), forecastOf(0, 24, -1e6, { model: 'day', coverage: NaN, error: NaN }), forecastOf(1, 1, 0)]
    const read = decodeEffects(payloadOf(forecasts)).forecasts
    expect(read.map((f) => [f.series, f.madeAt, f.steps, f.model, f.coverage, f.error])).toEqual(
      forecasts.map((f) => [f.series, f.madeAt, f.steps, f.model, f.coverage, f.error]),
    )
    for (const [i, f] of forecasts.entries()) {
      const rows = [...rowsOf(read[i])]
      expect(rows).toHaveLength(f.steps)
      for (const [h, row] of rows.entries()) {
        expect(row).toMatchObject({ series: f.series, madeAt: f.madeAt, ts: f.madeAt + h * HOUR, model: f.model })
        for (const name of ['mean', 'lower', 'upper', 'lower80', 'upper80'] as const) expect(Math.abs(row[name] - f[name][h])).toBeLessThan(4e-6)
      }
    }
  })

  test('keep what is of interest where a series is large and hardly moves, and where all is one number', () => {
    const [large, flat, huge] = decodeEffects(payloadOf([
      forecastOf(0, 24, 1.7e12),
      forecastOf(1, 24, 5, { mean: new Float64Array(24).fill(5), lower: new Float64Array(24).fill(5), upper: new Float64Array(24).fill(5), lower80: new Float64Array(24).fill(5), upper80: new Float64Array(24).fill(5) }),
      forecastOf(2, 2, 0, { mean: Float64Array.of(-1e100, 1e100), upper: Float64Array.of(3e100, 3e100) }),
    ])).forecasts
    expect(Math.abs(large.upper[23] - (1.7e12 + 23 / 7 + 2.2))).toBeLessThan(1e-3)
    expect([...flat.lower80]).toEqual(Array(24).fill(5))
    expect(huge.mean[1]).toBeCloseTo(1e100, -94)
  })

  test('grow the columns as far as they must', () => {
    const many = Array.from({ length: 700 }, (_, i) => forecastOf(i % 3, 1 + (i % HORIZON_MAX), i))
    const read = decodeEffects(payloadOf(many)).forecasts
    expect(read.map((f) => f.steps)).toEqual(many.map((f) => f.steps))
    expect(read.every((f, i) => Math.abs(f.upper[f.steps - 1] - many[i].upper[f.steps - 1]) < 1e-4)).toBe(true)
  })

  test('count as results of the commit by their rows, and only a commit that holds one is of version 2', () => {
    expect(unpack<{ v: number }>(payloadOf([]))).not.toHaveProperty('fc')
    expect(unpack<{ v: number }>(payloadOf([])).v).toBe(1)
    expect(unpack<{ v: number }>(payloadOf([forecastOf(0, 1, 1)])).v).toBe(2)
    expect(builderOf([forecastOf(0, 168, 1), forecastOf(1, 1, 1)]).count).toBe(169)
    expect(decodeEffects(payloadOf([])).forecasts).toEqual([])
  })

  test('are refused where they are of a series that is not named, or not whole', () => {
    expect(() => decodeEffects(payloadOf([forecastOf(3, 1, 1)]))).toThrow(/of series that the commit names/)
    expect(() => decodeEffects(payloadOf([forecastOf(0, 0, 1)]))).toThrow(/must be whole/)
    expect(() => decodeEffects(payloadOf([forecastOf(0, HORIZON_MAX + 1, 1)]))).toThrow(/must be whole/)
  })

  test('that differ between two commits are named by series, hour and column', () => {
    const is = forecastOf(1, 3, 1)
    is.lower80[2] -= 0.5
    expect(differenceOf(payloadOf([forecastOf(1, 3, 1)]), payloadOf([is]))).toMatch(
      /^forecast default\/b\/m@2026-01-01T03:00:00\.000Z made at 2026-01-01T01:00:00\.000Z: lower80 was .* when it was committed, and is .* now$/,
    )
  })
})
