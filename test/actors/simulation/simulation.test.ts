import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { FARM_METRICS, measured } from '../../../actors/simulation/farm.ts'
import { deliveries, NO_FAULTS, SPELL_MS, TSBS_RATES } from '../../../actors/simulation/faults.ts'
import type { Farm } from '../../../actors/simulation/faults.ts'
import { drawn, drawnNormal } from '../../../actors/simulation/random.ts'
import { DAILY, NORMALS, readingsOf } from '../../../actors/simulation/weather.ts'

const HOUR_MS = 3_600_000
const start = Date.UTC(2026, 5, 1)
const farm: Farm = { seed: 7, probes: 36, intervalMs: 2_000, spreadMs: 2_000, rates: TSBS_RATES }
const sound: Farm = { ...farm, rates: NO_FAULTS }
const count = <T>(list: readonly T[], is: (one: T) => boolean) => list.filter(is).length

describe('drawn numbers', () => {
  test('are the same for the same place, and spread evenly over places', () => {
    const numbers = Array.from({ length: 20_000 }, (_, i) => drawn(1, 5, start + i))
    expect(numbers).toEqual(Array.from({ length: 20_000 }, (_, i) => drawn(1, 5, start + i)))
    for (let decile = 0; decile < 10; decile++) {
      const share = count(numbers, (x) => x >= decile / 10 && x < (decile + 1) / 10) / numbers.length
      expect(share).toBeCloseTo(0.1, 1)
    }
  })

  test('of the normal law have mean 0 and deviation 1', () => {
    const numbers = Array.from({ length: 20_000 }, (_, i) => drawnNormal(1, 5, i))
    const mean = numbers.reduce((sum, x) => sum + x, 0) / numbers.length
    expect(mean).toBeCloseTo(0, 1)
    expect(numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / numbers.length).toBeCloseTo(1, 1)
  })
})

describe('the farm', () => {
  test('measures what soil probes measure, at any time of the year', () => {
    for (let hour = 0; hour < 24 * 365; hour += 7) {
      const at = (metric: (typeof FARM_METRICS)[number]) => measured(7, hour % 36, metric, start + hour * HOUR_MS)
      expect(at('soil_moisture')).toBeGreaterThan(8)
      expect(at('soil_moisture')).toBeLessThan(45)
      expect(Math.abs(at('soil_temperature') - 16)).toBeLessThan(12)
      expect(Math.abs(at('ec') - 1.1)).toBeLessThan(0.7)
      expect(Math.abs(at('battery') - 3.8)).toBeLessThan(0.4)
    }
  })

  test('is watered every day, fast, and dries slowly after it', () => {
    for (let probe = 0; probe < 8; probe++) {
      const hours = Array.from({ length: 72 }, (_, hour) => measured(7, probe, 'soil_moisture', start + hour * HOUR_MS))
      const steps = hours.slice(1).map((value, i) => value - hours[i]!)
      expect(Math.max(...steps)).toBeGreaterThan(2)
      expect(count(steps, (step) => step < 0)).toBeGreaterThan(40)
    }
  })
})

describe('deliveries', () => {
  test('without faults are every measurement once, in order', () => {
    const all = deliveries(sound, start, start + 60_000)
    expect(all).toHaveLength(36 * FARM_METRICS.length * 30)
    expect(all.every(({ atMs, reading }) => atMs === reading.ts)).toBe(true)
  })

  test('do not depend on how the time is cut', () => {
    const order = (a: { atMs: number; reading: object }, b: { atMs: number; reading: object }) => a.atMs - b.atMs || JSON.stringify(a.reading).localeCompare(JSON.stringify(b.reading))
    const whole = deliveries(farm, start, start + 30_000)
    const cut = [0, 1_234, 7_000, 29_999, 30_000].flatMap((to, i, ends) => (i === 0 ? [] : deliveries(farm, start + ends[i - 1]!, start + to)))
    expect(cut.sort(order)).toEqual(whole.sort(order))
  })

  test('of a coarser grid hold the same readings at its instants', () => {
    const fine = new Set(deliveries(farm, start, start + HOUR_MS / 4).map(({ reading }) => JSON.stringify(reading)))
    const coarse = deliveries({ ...farm, intervalMs: 30_000 }, start, start + HOUR_MS / 4)
    expect(coarse.filter(({ reading }) => !fine.has(JSON.stringify(reading)))).toEqual([])
  })

  test('suffer each fault at its rate', () => {
    const day = { ...farm, intervalMs: 60_000 }
    const faulty = deliveries(day, start, start + 24 * HOUR_MS)
    const all = 36 * 4 * 1440
    const distinct = new Set(faulty.map(({ reading }) => `${reading.device} ${reading.metric} ${reading.ts}`)).size
    expect(distinct / all).toBeCloseTo(0.9 * 0.98, 1)
    expect((faulty.length - distinct) / distinct).toBeCloseTo(0.02, 2)
    expect(count(faulty, ({ atMs, reading }) => atMs > reading.ts) / faulty.length).toBeCloseTo(0.32, 1)
    const truth = new Map(deliveries({ ...sound, intervalMs: 60_000 }, start, start + 24 * HOUR_MS).map(({ reading: r }) => [`${r.device} ${r.metric} ${r.ts}`, r.value]))
    const spikes = count(faulty, ({ reading: r }) => r.metric === 'soil_temperature' && Math.abs(r.value - truth.get(`${r.device} ${r.metric} ${r.ts}`)!) > 5)
    expect(spikes).toBeGreaterThan(5)
    expect(spikes).toBeLessThan(80)
  })

  test('fall silent and stick for whole spells', () => {
    const always = (rates: object) => deliveries({ ...farm, rates: { ...NO_FAULTS, ...rates } }, start, start + SPELL_MS)
    expect(always({ silent: 1 })).toEqual([])
    expect(new Set(always({ stuck: 1 }).map(({ reading: r }) => `${r.device} ${r.metric} ${r.value}`)).size).toBe(36 * 4)
  })
})

describe('the weather', () => {
  const csv = (file: string) => readFile(new URL(`../../../node_modules/vega-datasets/data/${file}`, import.meta.url), 'utf8')

  test('is all that the files hold', async () => {
    const normals = readingsOf(await csv(NORMALS.file), NORMALS)
    expect(normals).toHaveLength(8_759 * 3)
    expect(normals[0]).toEqual({ device: 'seattle/normals', metric: 'pressure', ts: Date.UTC(2010, 0, 1, 1), value: 1016.6 })
    const daily = readingsOf(await csv(DAILY.file), DAILY)
    expect(daily).toHaveLength(1_461 * 4)
    expect(daily.at(-1)).toMatchObject({ device: 'seattle/daily', metric: 'wind', ts: Date.UTC(2015, 11, 31) })
  })

  test('leaves out cells without a number, and refuses a file without its columns', () => {
    expect(readingsOf('date,a,b\n2012-01-01,1,\n2012-01-02,x,2\n', { device: 'd', metrics: ['a', 'b'] })).toEqual([
      { device: 'd', metric: 'a', ts: Date.UTC(2012, 0, 1), value: 1 },
      { device: 'd', metric: 'b', ts: Date.UTC(2012, 0, 2), value: 2 },
    ])
    expect(() => readingsOf('day,a\n', { device: 'd', metrics: ['a'] })).toThrow(/columns must be date and a/)
  })
})
