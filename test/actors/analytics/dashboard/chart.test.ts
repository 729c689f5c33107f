/** Laws of a device's charts: their columns, the cursor, and what they say in words. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anomalyLines, labelText } from '../../../../actors/analytics/dashboard/client/device/chart-words.ts'
import { addReading, bucketOf, dropBefore, emptyColumns, fromGraph, fromReadings, fromWindows, nearest, stepFrom } from '../../../../actors/analytics/dashboard/client/device/columns.ts'
import { valueRange } from '../../../../actors/analytics/dashboard/client/device/value-range.ts'
import type { Graph } from '../../../../actors/analytics/dashboard/client/shapes.ts'

function graph(over: Partial<Graph>): Graph {
  const ts = over.ts ?? []
  const same = ts.map((_, i) => i)
  return {
    from: 0, to: 100, source: 'readings', stepMs: 0, ts, min: same, max: same, mean: same, gaps: [],
    anomalies: { ts: [], value: [], score: [], expected: [], lower: [], upper: [], reason: [] },
    ...over,
  }
}

describe('columns of a chart', () => {
  test('have a point of nulls in each gap, and only there', () => {
    const columns = fromGraph(graph({ ts: [10, 20, 60, 70], gaps: [[20, 60]] }))
    expect(columns.ts).toEqual([10, 20, 40, 60, 70])
    expect(columns.mean).toEqual([0, 1, null, 2, 3])
  })

  test('have none where the device measured less often than it does now', () => {
    const ts = [...Array.from({ length: 10 }, (_, i) => i * 30), ...Array.from({ length: 40 }, (_, i) => 270 + (i + 1) * 2)]
    const gaps = ts.slice(1, 10).map((t, i): [number, number] => [ts[i], t])
    expect(fromGraph(graph({ ts, gaps })).ts).toEqual(ts)
    expect(fromReadings(ts.map((t) => ({ ts: t, value: 1 }))).ts).toEqual(ts)
    expect(fromReadings([...ts, 400, 402, 404].map((t) => ({ ts: t, value: 1 }))).ts).toContain(375)
  })

  test('have no gap where neighbouring buckets follow each other', () => {
    expect(fromGraph(graph({ stepMs: 10, ts: [0, 10, 20], gaps: [[2, 9], [12, 19]] })).ts).toEqual([0, 10, 20])
  })

  test('grow strictly in time, whatever the server says', () => {
    expect(fromGraph(graph({ ts: [10, 10, 5, 20] })).ts).toEqual([10, 20])
  })

  test('take a reading after the end as a new point, within the last bucket as a part of it', () => {
    const columns = fromGraph(graph({ stepMs: 10, ts: [0, 10], min: [1, 2], max: [1, 2], mean: [1, 2] }))
    addReading(columns, 19, 8)
    expect(columns.ts).toEqual([0, 10])
    expect([columns.min[1], columns.max[1]]).toEqual([2, 8])
    addReading(columns, 47, 3)
    expect(columns.ts).toEqual([0, 10, 40])
  })

  test('take a late reading into the bucket that covers it, or as a point in its place', () => {
    const columns = fromGraph(graph({ stepMs: 10, ts: [0, 40], min: [1, 2], max: [1, 2], mean: [1, 2] }))
    addReading(columns, 5, -4)
    expect(columns.min[0]).toBe(-4)
    addReading(columns, 25, 7)
    expect(columns.ts).toEqual([0, 20, 40])
    expect(columns.mean[1]).toBe(7)
    addReading(columns, -13, 6)
    expect(columns.ts).toEqual([-13, 0, 20, 40])
    const gapped = fromGraph(graph({ ts: [-20, -10, 0, 40], gaps: [[0, 40]] }))
    addReading(gapped, 20, 9)
    addReading(gapped, 30, 8)
    expect(gapped.ts).toEqual([-20, -10, 0, 20, 30, 40])
    expect(gapped.mean).toEqual([0, 1, 2, 9, 8, 3])
  })

  test('stay in order, whatever comes in whatever order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: -500, max: 500 }), fc.integer())), fc.integer({ min: 0, max: 30 }), (readings, stepMs) => {
        const columns = fromGraph(graph({ stepMs, ts: [0, 90, 180], gaps: [[100, 170]] }))
        for (const [ts, value] of readings) addReading(columns, ts, value)
        for (let i = 1; i < columns.ts.length; i++) expect(columns.ts[i]).toBeGreaterThan(columns.ts[i - 1])
        const values = readings.map(([, value]) => value)
        if (values.length > 0) {
          expect(Math.max(...columns.max.map((v) => v ?? -Infinity))).toBe(Math.max(2, ...values))
          expect(Math.min(...columns.min.map((v) => v ?? Infinity))).toBe(Math.min(0, ...values))
        }
        expect([columns.min, columns.max, columns.mean, columns.p50, columns.p95].map((column) => column.length)).toEqual(Array(5).fill(columns.ts.length))
      }),
    )
  })

  test('are not changed by a reading that they hold already', () => {
    const columns = emptyColumns()
    addReading(columns, 5, 7)
    const before = structuredClone(columns)
    addReading(columns, 5, 7)
    expect(columns).toEqual(before)
  })

  test('keep the one point before the view, so that its line leads in', () => {
    const columns = fromGraph(graph({ ts: [0, 10, 20, 30] }))
    dropBefore(columns, 25)
    expect(columns.ts).toEqual([20, 30])
    expect(bucketOf([0, 10, 20], 19)).toBe(1)
    expect(bucketOf([0, 10, 20], -1)).toBe(-1)
  })
})

describe('readings one by one', () => {
  const rows = (...ts: number[]) => ts.map((t, i) => ({ ts: t, value: i }))

  test('are a point each, those of one instant one point from least to greatest', () => {
    const columns = fromReadings([{ ts: 1, value: 5 }, { ts: 1, value: 3 }, { ts: 2, value: 4 }])
    expect([columns.ts, columns.min, columns.max]).toEqual([[1, 2], [3, 4], [5, 4]])
  })

  test('have a gap where the silence is longer than three usual intervals', () => {
    expect(fromReadings(rows(0, 10, 20, 50, 60, 95)).ts).toEqual([0, 10, 20, 50, 60, 77.5, 95])
    expect(fromReadings(rows(0, 1_000)).ts).toEqual([0, 1_000])
  })
})

test('windows have a gap where one is missing, and none where a day is an hour longer', () => {
  const window = (start: number) => ({ device: 'd', metric: 'm', size: '1h', start, count: 1, min: 1, max: 3, mean: 2, p50: 2, p95: 3, stddev: 1, closed_by: 'idle' })
  const columns = fromWindows([0, 10, 30, 41].map(window), 10)
  expect(columns.ts).toEqual([0, 10, 20, 30, 41])
  expect([columns.mean[2], columns.p95[2], columns.p50[3]]).toEqual([null, null, 2])
})

describe('the cursor', () => {
  const columns = fromGraph(graph({ ts: [10, 20, 60, 70], gaps: [[20, 60]] }))

  test('stands at the nearest point with a value', () => {
    expect([-5, 14, 16, 39, 41, 99].map((t) => columns.ts[nearest(columns, t)])).toEqual([10, 10, 20, 20, 60, 70])
    expect(nearest(emptyColumns(), 5)).toBe(-1)
  })

  test('steps over gaps, and stops at the ends', () => {
    expect([stepFrom(columns, 1, 1), stepFrom(columns, 3, -1), stepFrom(columns, 4, 1), stepFrom(columns, 0, 10), stepFrom(columns, 0, -1)]).toEqual([3, 1, 4, 4, 0])
  })
})

const words = { label: (metric: string) => metric.toUpperCase(), text: (_m: string, v: number | null | undefined) => `${v} %`, band: (_m: string, a: number, b: number) => `${a} to ${b} %` }

test('a chart says in words what it shows, within its span only', () => {
  const columns = fromGraph(graph({ ts: [10, 20, 30], min: [1, 5, -9], max: [2, 8, -9], mean: [1.5, 6, -9] }))
  expect(labelText('m', words, { columns, span: { from: 5, to: 25 }, anomalies: 1 })).toBe('M: between 1 to 8 %, from 1.5 % at the begin to 6 % at the end, 1 time unusual')
  expect(labelText('m', words, { columns, span: { from: 100, to: 200 }, anomalies: 0 })).toBe('M: no readings in this range')
})

test('an anomaly is explained by its value, how far out it is, what would be usual, and why', () => {
  const anomaly = { device: 'd', metric: 'm', ts: 0, value: 9, score: 0.95, expected: 1, lower: 0, upper: 2, reason: 'far above' }
  expect(anomalyLines(anomaly, words, 0)).toEqual(['9 %', expect.stringMatching(/^Very unusual, /), 'Usual would be 0 to 2 %', 'far above'])
  expect(anomalyLines({ ...anomaly, lower: null, score: 0.5 }, words, 0)).toHaveLength(3)
})

test('the scale of values holds the range of the unit, and more where the values need it', () => {
  expect(valueRange(null, null, null)).toEqual([0, 1])
  expect(valueRange(null, null, [0, 60])).toEqual([0, 60])
  expect(valueRange(20, 30, [0, 60])).toEqual([0, 60])
  expect(valueRange(20, 80, [0, 60])).toEqual([0, 86])
  expect(valueRange(5, 5, null)).toEqual([4.5, 5.5])
})
