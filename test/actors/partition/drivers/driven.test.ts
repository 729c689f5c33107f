import { describe, expect, test } from 'vitest'
import { Driven, FEATURES, HORIZONS } from '../../../../actors/partition/drivers/driven.ts'
import { Regression } from '../../../../actors/partition/drivers/regression.ts'
import { gaussian, seeded } from '../harness.ts'

describe('recursive least squares', () => {
  test('are what batch least squares give, and their errors what a simulation finds', () => {
    const wanted = [2, -0.5, 0]
    const estimates: number[][] = []
    let told: number[] = []
    for (let seed = 1; seed <= 60; seed++) {
      const draw = gaussian(seeded(seed))
      const r = new Regression(3)
      for (let i = 0; i < 300; i++) {
        const x = [draw(), draw() + 1, draw()]
        r.learn(x, x[0] * wanted[0] + x[1] * wanted[1] + 0.5 * draw())
      }
      estimates.push([...r.coefficients])
      told = [0, 1, 2].map((i) => r.errorOf(i))
    }
    for (let i = 0; i < 3; i++) {
      const mean = estimates.reduce((sum, e) => sum + e[i], 0) / estimates.length
      const deviation = Math.sqrt(estimates.reduce((sum, e) => sum + (e[i] - mean) ** 2, 0) / (estimates.length - 1))
      expect(Math.abs(mean - wanted[i])).toBeLessThan(0.02)
      expect(told[i] / deviation).toBeGreaterThan(0.75)
      expect(told[i] / deviation).toBeLessThan(1.3)
    }
  })

  test('stay finite where nothing moves for long, and follow a change afterwards', () => {
    const r = new Regression(2)
    const draw = gaussian(seeded(9))
    for (let i = 0; i < 20_000; i++) r.learn([0, 1e-9], 0)
    expect([...r.covariance].every(Number.isFinite)).toBe(true)
    for (let i = 0; i < 3_000; i++) {
      const x = [draw(), draw()]
      r.learn(x, 3 * x[0] + 0.1 * draw())
    }
    expect(Math.abs(r.coefficients[0] - 3)).toBeLessThan(0.05)
    expect(Math.abs(r.coefficients[1])).toBeLessThan(5 * r.errorOf(1))
  })
})

/** A soil that dries by day, and that rain fills; noise of its own. */
function field(seed: number, hours: number, effect: number) {
  const random = seeded(seed)
  const draw = gaussian(random)
  const rain = Array.from({ length: hours }, () => (random() < 0.06 ? 4 * random() : 0))
  const soil: number[] = []
  let level = 25
  for (let h = 0; h < hours; h++) {
    level += -0.05 - 0.05 * Math.sin((h / 24) * 2 * Math.PI) + (h > 0 ? effect * rain[h - 1] : 0) + 0.05 * draw()
    level += 0.01 * (25 - level)
    soil.push(level)
  }
  return { rain, soil }
}

function live(driven: Driven, { rain, soil }: ReturnType<typeof field>): { with: number; without: number } {
  const out = new Float64Array(24)
  const errors = { with: 0, without: 0 }
  for (let h = 0; h < soil.length; h++) {
    driven.hear(0, 'mast\nrain', 1_000_000 + h, rain[h])
    driven.learn(1_000_000 + h, soil[h])
    // A naive forecaster: it stays as it is.
    driven.remember(new Float64Array(24).fill(soil[h]))
    driven.correct(24, out)
    if (h < soil.length / 2 || h + 6 >= soil.length) continue
    errors.without += Math.abs(soil[h + 6] - soil[h])
    errors.with += Math.abs(soil[h + 6] - soil[h] - out[5])
  }
  return errors
}

describe('what drives a series', () => {
  test('has effects within two errors of the true ones as often as that says, of a driver with a day of its own as well', () => {
    let [inside, all] = [0, 0]
    for (let seed = 1; seed <= 40; seed++) {
      const draw = gaussian(seeded(100 + seed))
      const driven = new Driven()
      let [level, weather, sun] = [25, 0, 0]
      for (let h = 0; h < 1_500; h++) {
        level += -0.02 * sun + 0.05 * draw()
        driven.learn(1_000_000 + h, level)
        weather = 0.97 * weather + draw()
        sun = 15 + 8 * Math.sin((h * Math.PI) / 12) + weather
        driven.hear(0, 'mast\nsun', 1_000_000 + h, sun)
      }
      const [{ effects, errors }] = driven.effects()
      for (const [i, wanted] of [-0.02, 0, 0].entries()) {
        all++
        if (Math.abs(effects[i] - wanted) < 1.96 * errors[i]) inside++
      }
    }
    expect(inside / all).toBeGreaterThan(0.88)
    expect(inside / all).toBeLessThan(0.99)
  })

  test('is of no use where the series tells it itself: what its forecast knows already is not added once more', () => {
    const driven = new Driven()
    const { rain, soil } = field(6, 2_500, 0.8)
    const out = new Float64Array(24)
    let [with_, without] = [0, 0]
    for (let h = 0; h + 24 < soil.length; h++) {
      driven.hear(0, 'mast\nrain', 1_000_000 + h, rain[h])
      driven.learn(1_000_000 + h, soil[h])
      // A forecaster that knows what is to come, but for chance.
      const mean = Float64Array.from({ length: 24 }, (_, i) => soil[h + 1 + i] + 0.02 * Math.sin(h * 7 + i * 3))
      driven.remember(mean)
      driven.correct(24, out)
      for (let i = 0; i < 24; i++) {
        without += Math.abs(mean[i] - soil[h + 1 + i])
        with_ += Math.abs(mean[i] + out[i] - soil[h + 1 + i])
      }
    }
    expect(with_ / without).toBeLessThan(1.01)
  })

  test('is found, with its uncertainty, and used for the hours ahead', () => {
    const driven = new Driven()
    const errors = live(driven, field(1, 3_000, 0.8))
    const [{ device, metric, effects, errors: told }] = driven.effects()
    expect([device, metric]).toEqual(['mast', 'rain'])
    expect(Math.abs(effects[0] - 0.8)).toBeLessThan(4 * told[0])
    expect(told[0]).toBeLessThan(0.05)
    expect(effects[0] / told[0]).toBeGreaterThan(10)
    expect(errors.with).toBeLessThan(0.95 * errors.without)
    expect(driven.gain()).toBeLessThan(0.97)
  })

  test('that drives nothing is left out, and said to be uncertain', () => {
    const driven = new Driven()
    live(driven, field(2, 3_000, 0))
    const [{ effects, errors }] = driven.effects()
    for (let i = 0; i < FEATURES; i++) expect(Math.abs(effects[i])).toBeLessThan(4 * errors[i])
    const out = new Float64Array(24).fill(1)
    if (driven.correct(24, out)) expect(Math.max(...out.map(Math.abs))).toBeLessThan(0.2)
    else expect([...out]).toEqual(new Array(24).fill(0))
  })

  test('goes on the same from its numbers; an hour told twice, or too late, changes nothing', () => {
    const [a, b] = [new Driven(), new Driven()]
    const { rain, soil } = field(3, 400, 0.5)
    for (let h = 0; h < 400; h++) {
      a.learn(1_000_000 + h, soil[h])
      a.remember(new Float64Array(24).fill(soil[h]))
      a.hear(0, 'x\ny', 1_000_000 + h, rain[h])
      const before = JSON.stringify(a.numbers())
      a.hear(0, 'x\ny', 1_000_000 + h, 99)
      a.hear(0, 'x\ny', 1_000_000 + h - 60, 99)
      if (h === 399) expect(JSON.stringify(a.numbers())).toBe(before)
    }
    b.restore(a.slots.map((s) => s.name), a.numbers())
    for (const d of [a, b]) {
      d.learn(1_000_400, 30)
      d.remember(new Float64Array(24).fill(30))
    }
    expect(b.numbers()).toEqual(a.numbers())
    expect(() => b.restore(['a'], [])).toThrow(RangeError)
  })

  test('begins anew where another one takes its place', () => {
    const driven = new Driven()
    live(driven, field(4, 500, 0.8))
    driven.hear(0, 'mast\nwind', 1_000_600, 3)
    expect(driven.effects()[0]).toMatchObject({ metric: 'wind', effects: [0, 0, 0] })
    expect(HORIZONS.map((_, k) => driven.share(k))).toEqual([0, 0, 0])
    expect(driven.gain()).toBeNaN()
  })
})
