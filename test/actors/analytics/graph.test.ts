import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { gapsOf } from '../../../actors/analytics/graph.ts'
import { GRAPH_READINGS_MAX } from '../../../runtime/limits.ts'
import { House, MINUTE, T0, windowRow } from './house.ts'

let house: House
beforeEach(async () => {
  house = await House.open()
})
afterEach(() => house.close())

const HOUR = 60 * MINUTE
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
    await house.fillSeries('d1', open, GRAPH_READINGS_MAX - 10_000, 0)
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
      if (source === '1m') expect(made.mean[at]).toBeCloseTo(((GRAPH_READINGS_MAX - 10_000) * -5 + 19_999 * 3 + 500) / (GRAPH_READINGS_MAX + 10_000), 2)
      else expect(made.mean[at]).toBe(-5)
    }
    const answers = await Promise.all(query.mock.results.map((result) => result.value as Promise<unknown[][]>))
    expect(answers.length).toBeGreaterThan(4)
    for (const columns of answers) expect(columns[0]?.length ?? 0).toBeLessThan(1_000)
  })

  it('gaps are what lasts longer than three usual intervals, in whatever is shown', () => {
    const points = (starts: number[], width: number) => ({ ts: starts, end: starts.map((t) => t + width) })
    expect(gapsOf(points([0, 10, 20, 49, 59], 0))).toEqual([])
    expect(gapsOf(points([0, 10, 20, 51, 61], 0))).toEqual([[20, 51]])
    expect(gapsOf(points([0, 10, 20, 60, 70], 10))).toEqual([[30, 60]])
    expect(gapsOf(points([], 0))).toEqual([])
    expect(gapsOf(points([5, 900], 0))).toEqual([])
  })
})
