import { describe, expect, test } from 'vitest'
import { forecasted, Forecasters } from '../../../../../actors/partition/series/forecaster/forecaster.ts'
import type { Kind } from '../../../../../actors/partition/series/forecaster/by-kind.ts'
import { ERRORS, FIT_HOUR, GROWN_HOURS, SCALE, WINDOW } from '../../../../../actors/partition/series/forecaster/layout.ts'
import { MODELS } from '../../../../../actors/partition/series/forecaster/mixture.ts'
import { gaussian, HOUR, seeded, T0 } from '../../harness.ts'

interface Told {
  readonly mean: number[]
  readonly lower: number[]
  readonly upper: number[]
  readonly lower80: number[]
  readonly upper80: number[]
  readonly model: string
  readonly coverage: number
  readonly error: number
}

/** One series, fed by the hour. */
class Series {
  readonly all: Forecasters
  place = 0
  hour = T0 / HOUR
  readonly turn: number
  kind: Kind | null

  constructor(turn = 0, all = new Forecasters(), kind: Kind | null = null) {
    this.turn = turn
    this.all = all
    this.kind = kind
  }

  put(value: number): void {
    this.place = this.all.learn(this.place, this.turn, this.hour++ * HOUR, value, this.kind)
  }

  tell(steps = 168): Told | null {
    if (!this.all.forecast(this.place, this.kind, steps)) return null
    const { mean, lower, upper, lower80, upper80, model, coverage, error } = forecasted
    const cut = (column: Float64Array) => [...column.subarray(0, steps)]
    return { mean: cut(mean), lower: cut(lower), upper: cut(upper), lower80: cut(lower80), upper80: cut(upper80), model, coverage, error }
  }
}

/** Ends of the distances that intervals are measured at. */
const AHEAD = [24, 48, 96, 168]

const day = (h: number) => Math.sin((h * Math.PI) / 12)
const week = (h: number) => 5 * day(h) + (Math.floor(h / 24) % 7 >= 5 ? -4 : 0)

function fed(values: Iterable<number>, turn = 0): Series {
  const series = new Series(turn)
  for (const v of values) series.put(v)
  return series
}

const made = (hours: number, value: (h: number) => number) => Array.from({ length: hours }, (_, h) => value(h))

/** An hour's step, a course of day and week, noise that remembers, and a deviation that differs by the hour of the day. */
function* noisy(seed: number): Generator<number> {
  const normal = gaussian(seeded(seed))
  let stays = 0
  for (let h = 0; ; h++) {
    stays = 0.8 * stays + (0.3 + 0.2 * day(h)) * normal()
    yield 20 + week(h) + stays
  }
}

const worst = (told: Told, wanted: (h: number) => number) => Math.max(...told.mean.map((m, h) => Math.abs(m - wanted(h))))

describe('the forecaster of a series', () => {
  test('says nothing before it has seen two days', () => {
    const series = new Series()
    for (let h = 0; h < 48; h++) {
      expect(series.tell()).toBe(null)
      series.put(day(h))
    }
    expect(series.tell()).not.toBe(null)
  })

  test('finds a day, then a week', () => {
    expect(worst(fed(made(96, day)).tell()!, (h) => day(96 + h))).toBeLessThan(0.01)
    const series = fed(made(480, week))
    expect(worst(series.tell()!, (h) => week(480 + h))).toBeLessThan(0.5)
  })

  test('goes on with one value where there is none but that, and is sure of it', () => {
    for (const value of [0, -3, 1e100, 1e-100]) {
      const told = fed(made(700, () => value)).tell()!
      expect(new Set(told.mean)).toEqual(new Set([value]))
      for (const v of [...told.lower, ...told.upper]) expect(Math.abs(v - value)).toBeLessThanOrEqual(2e-12 * Math.abs(value))
      expect(told.coverage).toBe(1)
      expect(told.error).toBeLessThanOrEqual(1e-14 * Math.abs(value))
    }
  })

  test('follows a new level within a day, and keeps the course of the day', () => {
    const level = (h: number) => (h >= 500 ? 40 : 0) + 10 * day(h) + 100
    const series = fed(made(524, level))
    const told = series.tell(24)!
    expect(Math.abs(told.mean.reduce((a, b) => a + b, 0) / 24 - 140)).toBeLessThan(8)
    expect(worst({ ...told }, (h) => level(524 + h))).toBeLessThan(16)
  })

  test('never falls below zero where zero is the least that there was', () => {
    const random = seeded(8)
    const told = fed(made(600, (h) => (random() < 0.1 ? 5 * random() : Math.max(0, day(h) - 0.5)))).tell()!
    for (const column of [told.mean, told.lower, told.upper, told.lower80, told.upper80]) expect(Math.min(...column)).toBeGreaterThanOrEqual(0)
    expect(Math.min(...told.lower)).toBe(0)
  })

  test('has intervals that hold each other and the mean, whatever comes, and numbers that are finite', () => {
    for (let seed = 1; seed <= 24; seed++) {
      const random = seeded(seed)
      const series = new Series(seed)
      const size = 10 ** Math.floor(random() * 200 - 100)
      for (let h = 0; h < 700; h++) {
        const kind = random()
        if (kind < 0.02) series.hour += Math.floor(random() * (seed % 3 === 0 ? 200 : 30))
        const value = kind < 0.03 ? 1e100 : kind < 0.04 ? -1e100 : kind < 0.4 ? 0 : seed % 2 === 0 ? size * (random() - 0.5) : size * Math.floor(random() * 3)
        series.put(kind < 0.04 && seed > 12 ? size : value)
        const told = h % 101 === 0 || h > 697 ? series.tell() : null
        if (told === null) continue
        for (let i = 0; i < 168; i++) {
          const ordered: number[] = [told.lower[i], told.lower80[i], told.mean[i], told.upper80[i], told.upper[i]]
          const sound = ordered.every((v, k) => Number.isFinite(v) && (k === 0 || v >= ordered[k - 1]))
          if (!sound) expect.fail(`seed ${seed}, hour ${h}: ${ordered}`)
        }
        expect(told.model).not.toBe('')
      }
    }
  })

  test('does not depend on size or unit, but for the root that positive values enter by', () => {
    const values = made(600, (h) => week(h) + ((h * 7_919) % 101) / 50)
    const plain = fed(values).tell()!
    for (const factor of [2 ** 300, 2 ** -300]) {
      const scaled = fed(values.map((v) => v * factor)).tell()!
      expect(scaled.mean.map((v) => v / factor)).toEqual(plain.mean)
      expect(scaled.upper.map((v) => v / factor)).toEqual(plain.upper)
    }
  })

  test('of two to seven days is forecast clearly better than by its last day, and no worse for having a week\'s models to come', () => {
    let [missed, naive] = [0, 0]
    for (let seed = 1; seed <= 10; seed++) {
      const normal = gaussian(seeded(seed))
      let stays = 0
      const values = made(192, (h) => 30 + 4 * day(h) + (stays = 0.8 * stays + normal()))
      const series = new Series(seed)
      for (let h = 0; h < 168; h++) {
        series.put(values[h])
        const told = h < 48 ? null : series.tell(24)
        if (told !== null) for (let i = 0; i < 24; i++) {
          missed += Math.abs(values[h + 1 + i] - told.mean[i])
          naive += Math.abs(values[h + 1 + i] - values[h - 23 + i])
        }
      }
    }
    expect(missed / naive).toBeLessThan(0.85)
  })

  test('begins anew after a silence of a week, and gives its memory back', () => {
    const series = fed(made(300, day))
    series.hour += 167
    series.put(1)
    expect(series.tell()).not.toBe(null)
    series.hour += 168
    series.put(1)
    expect([series.tell(), series.all.grown.count, series.all.young.count]).toEqual([null, 0, 1])
    for (let h = 0; h < 47; h++) series.put(day(h))
    expect([series.tell() !== null, series.all.grown.count, series.all.young.count]).toEqual([true, 1, 0])
  })

  test('learns through gaps: what is left out costs little', () => {
    const random = seeded(4)
    const series = new Series()
    for (let h = 0; h < 600; h++) {
      if (h < 599 && random() < 0.3) series.hour++
      else series.put(week(h))
    }
    expect(worst(series.tell()!, (h) => week(600 + h))).toBeLessThan(3)
  })

  /** Coverage of both intervals, mean width of the wide one, and misses, by hours ahead. */
  function measure(source: (seed: number) => Generator<number>, { seeds, hours, from, every }: { seeds: number; hours: number; from: number; every: number }) {
    const all = AHEAD.map(() => ({ in95: 0, in80: 0, width: 0, missed: 0, naive: 0, count: 0 }))
    for (let seed = 1; seed <= seeds; seed++) {
      const given = source(seed)
      const values = Array.from({ length: hours + 168 }, () => given.next().value as number)
      const series = new Series(seed)
      for (let h = 0; h < hours; h++) {
        series.put(values[h])
        if (h < from || h % every !== 0) continue
        const told = series.tell()!
        for (let i = 0; i < 168; i++) {
          const a = all[AHEAD.findIndex((end) => i < end)]
          const v = values[h + 1 + i]
          a.in95 += v >= told.lower[i] && v <= told.upper[i] ? 1 : 0
          a.in80 += v >= told.lower80[i] && v <= told.upper80[i] ? 1 : 0
          a.width += told.upper[i] - told.lower[i]
          a.missed += Math.abs(v - told.mean[i])
          a.naive += Math.abs(v - values[h - 167 + i])
          a.count++
        }
      }
    }
    return all.map(({ in95, in80, width, missed, naive, count }) => ({ in95: (100 * in95) / count, in80: (100 * in80) / count, width: width / count, gain: missed / naive }))
  }

  test('holds about 95 and 80 % in its intervals at each distance after a while, beats the naive forecast, and is no less sure of a week than of a day', () => {
    const told = measure(noisy, { seeds: 12, hours: 2_032, from: 1_200, every: 17 })
    for (const { in95, in80, gain } of told) {
      expect(in95).toBeGreaterThan(93)
      expect(in95).toBeLessThan(97.5)
      expect(in80).toBeGreaterThan(75)
      expect(in80).toBeLessThan(84)
      expect(gain).toBeLessThan(0.9)
    }
    // It returns to its course within hours: what comes in a week is as certain as what comes tomorrow.
    expect(told[3].width / told[0].width).toBeLessThan(1.15)
  })

  test('of a series that wanders is as wide a week ahead as that goes, though three weeks have seen little of it', () => {
    function* wandering(seed: number): Generator<number> {
      const normal = gaussian(seeded(seed))
      for (let h = 0, at = 0; ; h++) yield 5 * day(h) + (at += 0.5 * normal())
    }
    const told = measure(wandering, { seeds: 8, hours: 1_300, from: 700, every: 29 })
    for (const { in95 } of told) expect(in95).toBeGreaterThan(90)
    expect(told[3].width / told[0].width).toBeGreaterThan(3)
  })

  test('tells the coverage and the error of the forecasts that it gave at each fit, for as many hours as lay before the next', () => {
    const source = noisy(77)
    const series = new Series(5)
    const sums = { graded: 0, hits: 0, missed: 0 }
    let before: { hour: number; told: Told } | null = null
    const since: number[] = []
    let last = NaN
    for (let h = 0; h < 1_000; h++) {
      const value = source.next().value as number
      series.put(value)
      since.push(value)
      const told = series.tell(24)
      if (told === null) continue
      // What it tells changes when it has graded: at a fit.
      if (before === null) {
        before = { hour: h, told }
        since.length = 0
      } else if (told.error !== last && !(Number.isNaN(told.error) && Number.isNaN(last))) {
        const given = before.told
        sums.graded = sums.graded * 0.98 + since.length
        sums.hits = sums.hits * 0.98 + since.filter((v, i) => v >= given.lower[i] && v <= given.upper[i]).length
        sums.missed = sums.missed * 0.98 + since.reduce((sum, v, i) => sum + Math.abs(v - given.mean[i]), 0)
        expect(told.coverage).toBeCloseTo(sums.hits / sums.graded, 1)
        expect(told.error / (sums.missed / sums.graded)).toBeCloseTo(1, 2)
        before = { hour: h, told }
        since.length = 0
      }
      last = told.error
    }
    expect(sums.graded).toBeGreaterThan(400)
  })

  test('learns at an hour of its own: of many series that began together each hour some learn, and each once in 23 hours', () => {
    const all = new Forecasters()
    const series = Array.from({ length: 230 }, (_, turn) => new Series(turn, all))
    const fits = new Map<number, number>()
    const lastOf = new Map<Series, number>()
    for (let h = 0; h < 200; h++) {
      for (const s of series) {
        s.put(week(h) + (s.turn % 7) * day(h))
        if (h < 100) continue
        const row = all.grown.open(s.place - 1)
        const hour = row.doubles[row.d + FIT_HOUR]
        if (hour !== s.hour - 1) continue
        fits.set(h, (fits.get(h) ?? 0) + 1)
        if (lastOf.has(s)) expect(hour - lastOf.get(s)!).toBe(23)
        lastOf.set(s, hour)
      }
    }
    expect([...fits.values()]).toEqual(Array(100).fill(10))
  })

  test('needs no more than 1,400 bytes for a grown series, 160 for a young one, and can make yesterday\'s forecast once more', () => {
    const all = new Forecasters()
    expect(all.grown.rowBytes).toBeLessThanOrEqual(1_400)
    expect(all.young.rowBytes).toBeLessThanOrEqual(160)
    expect(GROWN_HOURS - WINDOW).toBeGreaterThanOrEqual(24)
  })
})

describe('what is known of a kind', () => {
  const KIND = MODELS.indexOf('kind')
  const kindOf = (peak: number, scale = 4 / Math.SQRT2): Kind => ({
    scale,
    groups: [{ centre: Float64Array.from({ length: 24 }, (_, h) => Math.SQRT2 * Math.cos(((h - peak) / 24) * 2 * Math.PI)), spread: 0.5, days: 100 }],
  })
  /** A course of days that is greatest at 15, under weather of its own: what each series' last days have in common tells of it only slowly. */
  function* weather(seed: number): Generator<number> {
    const normal = gaussian(seeded(seed))
    const clouds = Array.from({ length: 32 }, () => Array.from({ length: 24 }, () => 2 * normal()))
    for (let h = 0; ; h++) yield 20 + 4 * Math.cos(((h - 15) / 24) * 2 * Math.PI) + clouds[Math.floor(h / 24)][h % 24]
  }

  function missesOf(kind: Kind | null, from: number, until: number): number {
    let missed = 0
    for (let seed = 1; seed <= 12; seed++) {
      const source = weather(seed)
      const values = Array.from({ length: until + 24 }, () => source.next().value as number)
      const series = new Series(seed, new Forecasters(), kind)
      for (let h = 0; h < until; h++) {
        series.put(values[h])
        const told = h < from ? null : series.tell(24)
        if (told !== null) for (let i = 0; i < 24; i++) missed += Math.abs(told.mean[i] - (20 + 4 * Math.cos(((h + 1 + i - 15) / 24) * 2 * Math.PI)))
      }
    }
    return missed
  }

  test('makes a series\' first week better where it goes so, and costs little where it does not', () => {
    const [right, none, wrong] = [kindOf(15), null, kindOf(3)].map((kind) => missesOf(kind, 48, 168))
    expect(right / none).toBeLessThan(0.9)
    expect(wrong / none).toBeLessThan(1.1)
  })

  test('is graded by what was said of it, not by what came to be known since', () => {
    const errors = [kindOf(15), kindOf(3)].map((later) => {
      const source = weather(5)
      const series = new Series(0, new Forecasters(), kindOf(15))
      const errorOf = () => {
        const row = series.all.grown.open(series.place - 1)
        return { hour: row.doubles[row.d + FIT_HOUR], error: row.floats[row.f + ERRORS + KIND], scale: row.doubles[row.d + SCALE] }
      }
      for (let h = 0; h < 100; h++) series.put(source.next().value as number)
      const before = errorOf()
      expect(before.error).toBeGreaterThan(0)
      // Between two fits something else comes to be known: the next grade is still that of what was said before.
      series.kind = later
      for (let h = 0; h < 23 && errorOf().hour === before.hour; h++) series.put(source.next().value as number)
      expect(errorOf().hour).toBeGreaterThan(before.hour)
      return errorOf().error * errorOf().scale
    })
    expect(errors[0]).toBe(errors[1])
  })

  test('that comes later, or goes on for more than three weeks, does no harm to what is forecast', () => {
    const source = weather(6)
    const series = new Series(3)
    for (let h = 0; h < 700; h++) {
      if (h === 90) series.kind = kindOf(15)
      if (h === 130) series.kind = kindOf(15, 1e250)
      if (h === 160) series.kind = kindOf(15)
      series.put(source.next().value as number)
      const told = series.tell()
      if (told !== null && ![...told.mean, ...told.lower, ...told.upper].every(Number.isFinite)) expect.fail(`hour ${h}`)
      if (h === 140) expect(told!.model).not.toMatch(/kind/)
    }
    const row = series.all.grown.open(series.place - 1)
    expect(row.floats[row.f + ERRORS + KIND]).toBe(-1)
  })
})
