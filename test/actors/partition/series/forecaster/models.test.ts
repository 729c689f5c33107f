/** Each model against a naive twin that does the same plainly, from the definition. */

import { describe, expect, test } from 'vitest'
import { fitAutoregression, forecastAutoregression, Shape } from '../../../../../actors/partition/series/forecaster/autoregression.ts'
import type { Fit } from '../../../../../actors/partition/series/forecaster/autoregression.ts'
import { DAY_LAGS, DAY_PRIOR, WEEK_LAGS, WEEK_PRIOR } from '../../../../../actors/partition/series/forecaster/lags.ts'
import { repeat } from '../../../../../actors/partition/series/forecaster/naive.ts'
import { dampedTrend, HOLT_WINTERS_SETTINGS, holtWinters, takeCourse, theta, THETA_SETTINGS, TREND_SETTINGS } from '../../../../../actors/partition/series/forecaster/smoothing.ts'
import { usual } from '../../../../../actors/partition/series/forecaster/usual.ts'
import { gaussian, seeded } from '../../harness.ts'

const STEPS = 168

/** Days and weeks with noise that remembers, on a level. */
function course(seed: number, hours: number, { level = 0, noise = 0.5 } = {}): Float64Array {
  const normal = gaussian(seeded(seed))
  let stays = 0
  return Float64Array.from({ length: hours }, (_, h) => {
    stays = 0.7 * stays + noise * normal()
    return level + 5 * Math.sin((h * Math.PI) / 12) + (Math.floor(h / 24) % 7 >= 5 ? -3 : 0) + stays
  })
}

function expectClose(got: ArrayLike<number>, wanted: readonly number[], precision = 1e-8): void {
  expect(got.length).toBeGreaterThanOrEqual(wanted.length)
  wanted.forEach((w, i) => expect(Math.abs(got[i] - w), `hour ${i}: ${got[i]}, not ${w}`).toBeLessThan(precision * Math.max(1, Math.abs(w))))
}

/** Solves A x = b by elimination with pivots. */
function eliminate(a: number[][], b: number[]): number[] {
  const rows = a.map((row, i) => [...row, b[i]])
  const n = rows.length
  for (let c = 0; c < n; c++) {
    const best = rows.slice(c).reduce((p, row, i) => (Math.abs(row[c]) > Math.abs(rows[p][c]) ? c + i : p), c)
    ;[rows[c], rows[best]] = [rows[best], rows[c]]
    for (let r = 0; r < n; r++) {
      if (r === c) continue
      const factor = rows[r][c] / rows[c][c]
      for (let k = c; k <= n; k++) rows[r][k] -= factor * rows[c][k]
    }
  }
  return rows.map((row, i) => row[n] / row[i])
}

/** The autoregression from its definition: rows of lags, weighted least squares with a ridge toward the prior, twice. */
function twin(y: readonly number[], known: ArrayLike<number>, lags: readonly number[], prior: readonly number[], steps: number): number[] {
  const root = Math.min(...y) >= 0
  const enter = (v: number) => (root ? Math.sqrt(v) : v)
  const entered = y.map(enter)
  const mean = entered.reduce((a, b) => a + b, 0) / y.length
  const deviation = Math.sqrt(entered.reduce((a, v) => a + (v - mean) ** 2, 0) / y.length)
  const z = entered.map((v) => (v - mean) / deviation)
  const rows = z.flatMap((target, t) => (t >= lags.at(-1)! && known[t] === 1 ? [{ target, inputs: [...lags.map((lag) => z[t - lag]), 1] }] : []))
  const fit = (weights: readonly number[]) => {
    const width = lags.length + 1
    const a = Array.from({ length: width }, (_, i) => Array.from({ length: width }, (_, j) => rows.reduce((s, r, k) => s + weights[k] * r.inputs[i] * r.inputs[j], i !== j ? 0 : i < lags.length ? 0.1 : 1e-9)))
    const b = Array.from({ length: width }, (_, i) => rows.reduce((s, r, k) => s + weights[k] * r.inputs[i] * r.target, i < lags.length ? 0.1 * prior[i] : 0))
    return eliminate(a, b)
  }
  const first = fit(rows.map(() => 1))
  const misses = rows.map((r) => Math.abs(r.target - r.inputs.reduce((s, x, i) => s + x * first[i], 0)))
  const limit = 1.5 * 1.4826 * [...misses].sort((a, b) => a - b)[misses.length >> 1]
  const coefficients = fit(misses.map((m) => (m > limit ? limit / m : 1)))
  const [low, high] = [Math.min(...z), Math.max(...z)]
  for (let h = 0; h < steps; h++) {
    const next = lags.reduce((s, lag, i) => s + coefficients[i] * z[z.length - lag], coefficients[lags.length])
    z.push(Math.min(high + (high - low) / 2, Math.max(low - (high - low) / 2, next)))
  }
  return z.slice(-steps).map((v) => v * deviation + mean).map((v) => (root ? Math.sign(v) * v * v : v))
}

const fitOf = (lags: readonly number[]): Fit => ({ shape: Shape.none, centre: 0, coefficients: new Float64Array(lags.length + 1) })

describe('an autoregression', () => {
  test.each([['a week', WEEK_LAGS, WEEK_PRIOR], ['a day', DAY_LAGS, DAY_PRIOR]] as const)('of %s fits and forecasts what its definition does, on values and on roots, with gaps and faults', (_, lags, prior) => {
    for (const level of [0, 30]) {
      const values = course(11, 480, { level })
      const known = Uint8Array.from(values, (_, t) => (t % 17 === 5 ? 0 : 1))
      values[300] += 40
      for (const span of [{ from: 0, until: 480 }, { from: 60, until: 470 }]) {
        const fit = fitOf(lags)
        expect(fitAutoregression(values, known, span, { lags, prior }, fit)).toBe(true)
        expect(fit.shape).toBe(level === 0 ? Shape.plain : Shape.root)
        const out = new Float64Array(STEPS)
        forecastAutoregression(values, span, lags, fit, STEPS, out)
        expectClose(out, twin([...values.subarray(span.from, span.until)], known.subarray(span.from, span.until), lags, prior, STEPS), 1e-6)
      }
    }
  })

  test('is not fitted on too few hours, and is its prior where nothing ever moves', () => {
    const fit = fitOf(WEEK_LAGS)
    const known = new Uint8Array(480).fill(1)
    const lags = { lags: WEEK_LAGS, prior: WEEK_PRIOR }
    expect(fitAutoregression(course(1, 480), known, { from: 0, until: 226 }, lags, fit)).toBe(false)
    expect(fitAutoregression(course(1, 480), known, { from: 0, until: 227 }, lags, fit)).toBe(true)
    expect(fitAutoregression(course(1, 480), new Uint8Array(480), { from: 0, until: 480 }, lags, fit)).toBe(false)
    expect(fitAutoregression(new Float64Array(480).fill(4), known, { from: 0, until: 480 }, lags, fit)).toBe(true)
    expect([...fit.coefficients]).toEqual([...WEEK_PRIOR, 0])
  })

  test('stays within half a span of what was there, whatever its coefficients', () => {
    const values = course(2, 480)
    const out = new Float64Array(STEPS)
    const [low, high] = [Math.min(...values), Math.max(...values)]
    for (const [constant, end] of [[50, high + (high - low) / 2], [-50, low - (high - low) / 2]]) {
      forecastAutoregression(values, { from: 0, until: 480 }, [1], { shape: Shape.plain, centre: 0, coefficients: Float64Array.of(1.5, constant) }, STEPS, out)
      expect(out[STEPS - 1]).toBeCloseTo(end, 9)
    }
  })
})

describe('a naive forecast', () => {
  test('repeats the last period', () => {
    const values = course(3, 100)
    const out = new Float64Array(STEPS)
    repeat(values, 90, 24, STEPS, out)
    expectClose(out, Array.from({ length: STEPS }, (_, h) => values[66 + (h % 24)]), 1e-15)
  })
})

describe('smoothing', () => {
  const values = course(4, 300, { level: 7 })
  const span = { from: 20, until: 300 }
  const y = [...values.subarray(span.from, span.until)]
  const out = new Float64Array(STEPS)

  test('by Holt-Winters does what its recursion says, under each of its settings', () => {
    HOLT_WINTERS_SETTINGS.forEach(([alpha, gamma, phi], setting) => {
      const level = [y.slice(0, 24).reduce((a, b) => a + b, 0) / 24]
      const season = y.slice(0, 24).map((v) => v - level[0])
      const residuals = [0]
      let squares = 0
      y.slice(24).forEach((v, i) => {
        const residual = v - level[i] - season[i]
        const error = residual - phi * residuals[i]
        residuals.push(residual)
        squares += error ** 2
        level.push(level[i] + alpha * error)
        season.push(season[i] + gamma * error)
      })
      const wanted = Array.from({ length: STEPS }, (_, h) => level.at(-1)! + season[season.length - 24 + (h % 24)] + phi ** (h + 1) * residuals.at(-1)!)
      expect(holtWinters(values, span, setting, STEPS, out)).toBeCloseTo(squares / (y.length - 24), 9)
      expectClose(out, wanted)
    })
  })

  test('of a damped trend does what its recursion says, under each of its settings', () => {
    TREND_SETTINGS.forEach(([alpha, beta], setting) => {
      let [level, trend, squares] = [y[0], 0, 0]
      for (const v of y.slice(1)) {
        const error = v - (level + 0.95 * trend)
        squares += error ** 2
        ;[level, trend] = [level + 0.95 * trend + alpha * error, 0.95 * trend + alpha * beta * error]
      }
      const wanted = Array.from({ length: STEPS }, (_, h) => level + trend * Array.from({ length: h + 1 }, (_, i) => 0.95 ** (i + 1)).reduce((a, b) => a + b, 0))
      expect(dampedTrend(values, span, setting, STEPS, out)).toBeCloseTo(squares / (y.length - 1), 9)
      expectClose(out, wanted)
    })
  })

  test('by theta takes the mean course of the day out, smooths, and adds half the slope', () => {
    const distances = Array.from({ length: 24 }, () => [] as number[])
    for (let t = 12; t < y.length - 12; t++) {
      const day = y.slice(t - 12, t + 13).reduce((sum, v, i) => sum + (i === 0 || i === 24 ? v / 2 : v), 0)
      distances[t % 24].push(y[t] - day / 24)
    }
    const raw = distances.map((list) => list.reduce((a, b) => a + b, 0) / list.length)
    const season = raw.map((s) => s - raw.reduce((a, b) => a + b, 0) / 24)
    const plain = y.map((v, t) => v - season[t % 24])
    const middle = (y.length - 1) / 2
    const slope = plain.reduce((s, v, t) => s + (t - middle) * v, 0) / plain.reduce((s, _, t) => s + (t - middle) ** 2, 0)
    THETA_SETTINGS.forEach((alpha, setting) => {
      const level = plain.reduce((l, v) => l + alpha * (v - l))
      takeCourse(values, span)
      theta(span, setting, STEPS, out)
      expectClose(out, Array.from({ length: STEPS }, (_, h) => level + 0.5 * slope * (h + 1) + season[(y.length + h) % 24]))
    })
  })
})

describe('what is usual', () => {
  /** The same from its definition. */
  function plainly(y: readonly number[], steps: number): number[] {
    const root = Math.min(...y) >= 0
    const z = root ? y.map(Math.sqrt) : y
    const days = Array.from({ length: Math.min(14, Math.floor(z.length / 24)) }, (_, k) => z.slice(z.length - 24 * (k + 1), z.length - 24 * k))
    const mean = (list: readonly number[]) => list.reduce((a, b) => a + b, 0) / list.length
    const weighted = (list: readonly number[], stays: number) => list.reduce((a, v, k) => a + v * stays ** k, 0) / list.reduce((a, _, k) => a + stays ** k, 0)
    const level = weighted(days.map(mean), 0.2)
    const raw = Array.from({ length: 24 }, (_, h) => weighted(days.map((d) => d[h] - mean(d)), 0.9))
    const power = raw.reduce((a, c) => a + c * c, 0)
    const squares = weighted(days.map((d) => d.reduce((a, v, h) => a + (v - mean(d) - raw[h]) ** 2, 0)), 0.9)
    const shares = days.map((_, k) => 0.9 ** k)
    const left = shares.reduce((a, w) => a + w * w, 0) / shares.reduce((a, w) => a + w, 0) ** 2
    const share = Math.max(0, 1 - (days.length > 1 ? (squares * left) / (1 - left) : power / 2) / power)
    const off = days.toReversed().flatMap((d) => d.map((v, h) => v - level - share * raw[h]))
    const [both, own] = [off.slice(1).reduce((a, v, i) => a + v * off[i], 0), off.slice(0, -1).reduce((a, v) => a + v * v, 0)]
    const fading = squares < 1e-12 ? 0.8 : Math.min(0.98, Math.max(0, (both + (12 * 0.8 * squares) / 24) / (own + (12 * squares) / 24)))
    const told = Array.from({ length: steps }, (_, h) => level + share * raw[h % 24] + fading ** (h + 1) * off.at(-1)!)
    return root ? told.map((v) => (v > 0 ? v * v : 0)) : told
  }

  test('is what its definition says, of a few days and of many, above zero and not', () => {
    const out = new Float64Array(STEPS)
    for (const [seed, level, hours] of [[5, 0, 48], [6, 0, 75], [7, 30, 60], [8, 30, 200], [9, 4, 480]] as const) {
      const values = course(seed, hours, { level }).map((v) => (level === 4 ? Math.max(0, v) : v))
      usual(values, { from: 10, until: hours }, STEPS, out)
      expectClose(out, plainly([...values.subarray(10)], STEPS))
    }
  })

  test('of two days that have nothing in common is no course, and what never moves stays', () => {
    const out = new Float64Array(STEPS)
    usual(Float64Array.from({ length: 48 }, (_, h) => (h < 24 ? 1 : -1) * Math.sin((h * Math.PI) / 12)), { from: 0, until: 48 }, STEPS, out)
    expect(Math.max(...out.subarray(24).map(Math.abs))).toBeLessThan(0.1)
    usual(new Float64Array(48).fill(-7), { from: 0, until: 48 }, STEPS, out)
    expectClose(out, new Array(STEPS).fill(-7), 1e-14)
  })
})
