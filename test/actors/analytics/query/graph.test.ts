import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { bucketsOf, gapsOf, merged } from '../../../../actors/analytics/query/graph-points.ts'
import type { Point } from '../../../../actors/analytics/query/graph-points.ts'
import { GRAPH_ANOMALIES_MAX } from '../../../../runtime/limits.ts'
import { seeded } from '../../../support/random.ts'
import { House, MINUTE, T0, windowRow } from '../house.ts'

let house: House
beforeEach(async () => {
  house = await House.open()
})
afterEach(() => house.close())

const HOUR = 60 * MINUTE
/** Readings that nothing should look at one by one. */
const MANY = 200_000
const graph = (query: string) => house.json(`/v1/graph?device=d1&metric=m&time=ms&${query}`)

describe('a graph', () => {
  it('of few readings shows each of them, with the gap and the anomalies', async () => {
    const ts = [0, 1, 2, 3, 10, 11, 12].map((i) => T0 + i * MINUTE)
    await house.post(ts.map((t, i) => ({ device: 'd1', ts: t, value: i })))
    const anomaly = { device: 'd1', metric: 'm', ts: ts[4], value: 4, score: 0.97, expected: 1, lower: 0, upper: 2, reason: 'far' }
    await house.commit({ anomalies: [anomaly] })
    for (const sealed of [false, true]) {
      if (sealed) await house.seal()
      expect(await graph(`from=${T0}&to=${T0 + HOUR}&width=100`)).toEqual({
        device: 'd1',
        metric: 'm',
        from: T0,
        to: T0 + HOUR,
        width: 100,
        source: 'readings',
        stepMs: 0,
        ts,
        min: [0, 1, 2, 3, 4, 5, 6],
        max: [0, 1, 2, 3, 4, 5, 6],
        mean: [0, 1, 2, 3, 4, 5, 6],
        last: [0, 1, 2, 3, 4, 5, 6],
        count: [1, 1, 1, 1, 1, 1, 1],
        p50: [0, 1, 2, 3, 4, 5, 6],
        p95: [0, 1, 2, 3, 4, 5, 6],
        gaps: [[ts[3], ts[4]]],
        anomalies: { ts: [ts[4]], value: [4], score: [0.97], expected: [1], lower: [0], upper: [2], reason: ['far'] },
        forecast: null,
      })
    }
  })

  it('of many readings keeps every extreme, in at most a few points a pixel', async () => {
    const values = Array.from({ length: 5_000 }, (_, i) => Math.sin(i / 50) + (i === 1_234 ? 100 : 0) - (i === 4_321 ? 100 : 0))
    const half = values.length / 2
    const row = (value: number, i: number) => ({ device: 'd1', ts: T0 + i * 1_000, value })
    const rows = values.map(row)
    await house.post(rows.slice(0, half))
    await house.commit()
    await house.seal()
    await house.post(rows.slice(half))
    await house.commit()
    const made = await graph(`from=${T0}&to=${T0 + 5_000_000}&width=100`)
    expect(made.ts.length).toBeLessThanOrEqual(101)
    expect(made.ts).toEqual([...made.ts].sort((a, b) => a - b))
    expect(made.gaps).toEqual([])
    for (const [i, t] of made.ts.entries()) {
      const own = rows.filter((r) => r.ts >= t && r.ts < t + made.stepMs).map((r) => r.value)
      expect([made.min[i], made.max[i]]).toEqual([Math.min(...own), Math.max(...own)])
      expect(made.mean[i]).toBeCloseTo(own.reduce((a, b) => a + b) / own.length, 9)
      expect([made.count[i], made.last[i]]).toEqual([own.length, own.at(-1)])
      const [p50, p95] = [0.5, 0.95].map((q) => own.toSorted((a, b) => a - b)[Math.ceil(q * own.length) - 1])
      // A bucket with readings in it that are not sealed yet has none.
      if (made.p50[i] !== null) expect([made.p50[i], made.p95[i]]).toEqual([p50, p95])
    }
  })

  it('takes a day by default, and RFC 3339 unless time=ms is asked for', async () => {
    await house.post([{ device: 'd1', ts: Date.now() - HOUR, value: 1 }, { device: 'd1', ts: Date.now() - 25 * HOUR, value: 2 }])
    await house.commit()
    const made = await house.json('/v1/graph?device=d1&metric=m')
    expect(made.mean).toEqual([1])
    expect(made.ts[0]).toMatch(/^\d{4}-.*Z$/)
    expect(Date.parse(made.to) - Date.parse(made.from)).toBe(24 * HOUR)
  })

  it('of a series that is not there is empty', async () => {
    expect(await graph('')).toMatchObject({ ts: [], gaps: [], anomalies: { ts: [] } })
  })
})

describe('a graph of windows', () => {
  it('uses the coarsest windows that are fine enough, and readings where no window is closed yet', async () => {
    // More readings than are looked at one by one: 250,000 in the lake, by SQL as the house would take long.
    await house.post([{ device: 'd1', ts: T0, value: 0 }])
    const windows = Array.from({ length: 70 }, (_, h) => windowRow('d1', T0 + h * HOUR, [h, h + 0.5, h === 33 ? 999 : h], { size: 2 }))
    await house.commit({ windows: [...windows, windowRow('d1', T0 + 70 * HOUR, [1, 1], { size: 2, closedBy: 'open' })] })
    await house.seal()
    await house.fillSeries('d1', T0, 260_000, 1_000)
    const to = T0 + 80 * HOUR
    const made = await graph(`from=${T0}&to=${to}&width=40`)
    expect(made.source).toBe('1h')
    expect(made.stepMs).toBe(2 * HOUR)
    expect(made.ts.length).toBeLessThanOrEqual(41)
    expect(Math.max(...made.max)).toBe(999)
    expect(made.ts[0]).toBe(T0)
    // 260,000 seconds end in hour 72: behind the closed windows readings go on, and the provisional row is not used.
    expect(made.ts.at(-1)).toBe(T0 + 72 * HOUR)
    expect(made.min.at(-2)).toBe(-5)
    expect(made.gaps).toEqual([])
    const fine = await graph(`from=${T0}&to=${T0 + 72 * HOUR}&width=8000`)
    expect(fine.source).toBe('readings')
    expect(fine.stepMs).toBe(32_400)
    expect(fine.ts.length).toBeLessThanOrEqual(8_001)
    expect(fine.gaps).toEqual([])
  })

  it('never takes the readings of a hot series out of the lake or of memory one by one', async () => {
    // An hour of closed minutes, and a minute that is not yet closed with more readings than are looked at: sealed ones and fresh ones.
    const open = T0 + HOUR
    await house.post([{ device: 'd1', ts: T0, value: 0 }])
    await house.commit({ windows: Array.from({ length: 60 }, (_, m) => windowRow('d1', T0 + m * MINUTE, [m, m + 0.5])) })
    await house.seal()
    await house.fillSeries('d1', open, MANY - 10_000, 0)
    const fresh = Array.from({ length: 20_000 }, (_, i) => ({ device: 'd1', ts: open + 1_000 + i, value: i === 77 ? 500 : 3 }))
    await house.post(fresh)
    await house.commit()
    const query = vi.spyOn(house.analytics.tail.lake, 'query')
    for (const [range, source] of [[`from=${T0}&to=${open + MINUTE}&width=30`, '1m'], [`from=${open}&to=${open + MINUTE}&width=800`, 'readings']]) {
      const made = await graph(range)
      expect(made.source).toBe(source)
      expect([Math.min(...made.min), Math.max(...made.max)]).toEqual([-5, 500])
      const [from, last] = source === '1m' ? [T0, made.ts.at(-1)] : [open, open]
      expect(made.ts[0]).toBe(from)
      // All of the open minute is in the mean of what is shown of it.
      const at = made.ts.indexOf(last)
      if (source === '1m') expect(made.mean[at]).toBeCloseTo(((MANY - 10_000) * -5 + 19_999 * 3 + 500) / (MANY + 10_000), 2)
      else expect(made.mean[at]).toBe(-5)
    }
    const answers = await Promise.all(query.mock.results.map((result) => result.value as Promise<unknown[][]>))
    expect(answers.length).toBeGreaterThan(4)
    for (const columns of answers) expect(columns[0]?.length ?? 0).toBeLessThan(2_000)
  })
})

describe('points', () => {
  const stretch = (ts: number, values: number[], length = 10): Point => {
    const sorted = values.toSorted((a, b) => a - b)
    const at = (q: number) => sorted[Math.ceil(q * values.length) - 1]
    const sum = values.reduce((a, b) => a + b)
    return { ts, end: ts + length, min: at(0.0001), max: at(1), sum, count: values.length, last: values.at(-1)!, p50: at(0.5), p95: at(0.95), p99: at(0.99) }
  }

  it('gaps are what lasts longer than three usual intervals, in whatever is shown', () => {
    const points = (starts: number[], width: number, count = 1) => starts.map((ts) => ({ ts, end: ts + width, count }))
    expect(gapsOf(points([0, 10, 20, 49, 59], 0))).toEqual([])
    expect(gapsOf(points([0, 10, 20, 51, 61], 0))).toEqual([[20, 51]])
    expect(gapsOf(points([0, 10, 20, 60, 70], 10))).toEqual([[30, 60]])
    // Of six readings a minute, one minute without any is a gap; of one an hour, an hour is none.
    expect(gapsOf(points([0, 60, 120, 240, 300], 60, 6))).toEqual([[180, 240]])
    expect(gapsOf(points([0, 3_600, 7_200, 10_800, 32_400], 60))).toEqual([[10_860, 32_400]])
    // Every 30 s, then every 2 s, then silent: one gap.
    const rhythm = [...Array.from({ length: 20 }, (_, i) => i * 30), ...Array.from({ length: 200 }, (_, i) => 600 + i * 2), 1_100]
    expect(gapsOf(points(rhythm, 0))).toEqual([[998, 1_100]])
    expect(gapsOf(points([], 0))).toEqual([])
    expect(gapsOf(points([5, 900], 0))).toEqual([])
  })

  it('in one bucket keep extremes, count, sum and last; its quantiles lie between those of its parts, and near those of all their readings', () => {
    const random = seeded(4)
    for (let round = 0; round < 200; round++) {
      const parts = Array.from({ length: 1 + Math.floor(random() * 8) }, () => {
        const [level, spread] = [random() * 10, random() * 5]
        return Array.from({ length: 1 + Math.floor(random() * 90) }, () => level + spread * (random() + random() - 1))
      })
      const points = parts.map((values, i) => stretch(i * 10, values))
      const one = merged(points, { ts: 0, end: 100 })
      const all = stretch(0, parts.flat(), 100)
      expect([one.min, one.max, one.count, one.last]).toEqual([all.min, all.max, all.count, all.last])
      expect(one.sum).toBeCloseTo(all.sum, 6)
      for (const q of ['p50', 'p95', 'p99'] as const) {
        const own = points.map((p) => p[q]!)
        expect(one[q]).toBeGreaterThanOrEqual(Math.min(...own))
        expect(one[q]).toBeLessThanOrEqual(Math.max(...own))
      }
      // How far the median of the mixture is from that of the readings, as a share of the readings between the two.
      const between = (value: number) => Math.abs(parts.flat().filter((v) => v <= value).length / all.count - 0.5)
      expect(between(one.p50!)).toBeLessThan(0.35)
    }
    const equal = merged([stretch(0, [3, 3, 3]), stretch(10, [3, 3])], { ts: 0, end: 20 })
    expect([equal.p50, equal.p95, equal.p99]).toEqual([3, 3, 3])
    expect(merged([stretch(0, [1]), { ...stretch(10, [2]), p50: null, p95: null, p99: null }], { ts: 0, end: 20 })).toMatchObject({ p50: null, p95: null, max: 2 })
  })

  it('go into buckets that begin at multiples of the step', () => {
    const buckets = bucketsOf([0, 10, 20, 30, 70].map((ts) => stretch(ts, [ts])), 25)
    expect(buckets.map((b) => [b.ts, b.end, b.count, b.last])).toEqual([[0, 25, 3, 20], [25, 50, 1, 30], [50, 75, 1, 70]])
  })
})

describe('a graph of several metrics', () => {
  it('is one of each, in the order asked for, as each alone would be', async () => {
    await house.post(['m', 'n'].flatMap((metric, i) => [1, 2, 3].map((value) => ({ device: 'd1', metric, ts: T0 + value * MINUTE, value: value * 10 ** i }))))
    await house.commit()
    const range = `from=${T0}&to=${T0 + HOUR}&width=50&time=ms`
    const both = await house.json(`/v1/graph?device=d1&metric=n,m&${range}`)
    expect(both).toMatchObject({ device: 'd1', from: T0, to: T0 + HOUR, width: 50 })
    expect(both.series).toEqual([await house.json(`/v1/graph?device=d1&metric=n&${range}`), await house.json(`/v1/graph?device=d1&metric=m&${range}`)])
    expect(both.series[0].last).toEqual([10, 20, 30])
    expect((await house.get(`/v1/graph?device=d1&metric=${Array.from({ length: 21 }, (_, i) => `m${i}`).join(',')}`)).status).toBe(400)
  })
})

describe('anomalies of a graph', () => {
  it('are the worst where there are too many, in order of time, sealed and fresh alike', async () => {
    const scored = (i: number, score: number) => ({ device: 'd1', metric: 'm', ts: T0 + i * 1_000, value: i, score, expected: 1, lower: 0, upper: 2, reason: 'far' })
    await house.commit({ anomalies: Array.from({ length: GRAPH_ANOMALIES_MAX }, (_, i) => scored(i, 0.5 + i / 1e4)) })
    await house.seal()
    await house.commit({ anomalies: [scored(5_000, 0.99), scored(5_001, 0.1)] })
    const { anomalies } = await graph(`from=${T0}&to=${T0 + 10 * HOUR}`)
    expect(anomalies.ts).toHaveLength(GRAPH_ANOMALIES_MAX)
    expect([anomalies.value[0], anomalies.value.at(-1), anomalies.score.at(-1)]).toEqual([1, 5_000, 0.99])
  })
})
