/** Laws of the dashboard's pure parts: finding, columns of a chart, the event stream, the address. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addReading, bucketOf, dropBefore, emptyColumns, toColumns } from '../../../../actors/analytics/dashboard/client/columns.ts'
import { labelText, noteText } from '../../../../actors/analytics/dashboard/client/chart-words.ts'
import { band, duration, value } from '../../../../actors/analytics/dashboard/client/format.ts'
import { createEventParser, follow } from '../../../../actors/analytics/dashboard/client/live.ts'
import type { StreamEvent, StreamState } from '../../../../actors/analytics/dashboard/client/live.ts'
import { compareSeries, rank, score } from '../../../../actors/analytics/dashboard/client/match.ts'
import { createApi } from '../../../../actors/analytics/dashboard/client/api.ts'
import { health } from '../../../../actors/analytics/dashboard/client/health.ts'
import { fittingRange, placeQuery, rangeSpan, readPlace } from '../../../../actors/analytics/dashboard/client/place.ts'
import type { Graph, Status } from '../../../../actors/analytics/dashboard/client/shapes.ts'

const series = (device: string, metric: string) => ({ device, metric })

describe('finding', () => {
  const all = [series('field-7/probe-10', 'ec'), series('field-7/probe-2', 'soil_moisture'), series('seattle', 'air_pressure'), series('tank', 'level')]

  test('puts what begins with the words before what holds them', () => {
    expect(rank('sea', all, 10)[0]).toEqual(all[2])
    expect(rank('moist', all, 10)).toEqual([all[1]])
    expect(score('soil', all[1])).toBeGreaterThan(score('oil', all[1])!)
  })

  test('takes words in any order, of device and metric together', () => {
    expect(rank('moisture field', all, 10)).toEqual([all[1]])
    expect(rank('field moisture', all, 10)).toEqual([all[1]])
    expect(rank('field pressure', all, 10)).toEqual([])
  })

  test('takes letters in order with some left out', () => {
    expect(rank('sttl', all, 10)).toEqual([all[2]])
    expect(rank('zzz', all, 10)).toEqual([])
  })

  test('sorts numbers in names by their size, and gives everything when nothing is typed', () => {
    expect(compareSeries(all[1], all[0])).toBeLessThan(0)
    expect(rank('', all, 2)).toEqual([all[1], all[0]])
  })
})

function graph(over: Partial<Graph>): Graph {
  const ts = over.ts ?? []
  const same = ts.map((_, i) => i)
  return {
    from: 0, to: 100, stepMs: 0, ts, min: same, max: same, mean: same, gaps: [],
    anomalies: { ts: [], value: [], score: [], expected: [], lower: [], upper: [], reason: [] },
    ...over,
  }
}

describe('columns of a chart', () => {
  test('have a point of nulls in each gap, and only there', () => {
    const columns = toColumns(graph({ ts: [10, 20, 60, 70], gaps: [[20, 60]] }))
    expect(columns.ts).toEqual([10, 20, 40, 60, 70])
    expect(columns.mean).toEqual([0, 1, null, 2, 3])
  })

  test('have no gap where neighbouring buckets follow each other', () => {
    expect(toColumns(graph({ stepMs: 10, ts: [0, 10, 20], gaps: [[2, 9], [12, 19]] })).ts).toEqual([0, 10, 20])
  })

  test('grow strictly in time, whatever the server says', () => {
    expect(toColumns(graph({ ts: [10, 10, 5, 20] })).ts).toEqual([10, 20])
  })

  test('take a reading after the end as a new point, within the last bucket as a part of it', () => {
    const columns = toColumns(graph({ stepMs: 10, ts: [0, 10], min: [1, 2], max: [1, 2], mean: [1, 2] }))
    addReading(columns, 19, 8)
    expect(columns.ts).toEqual([0, 10])
    expect([columns.min[1], columns.max[1]]).toEqual([2, 8])
    addReading(columns, 47, 3)
    expect(columns.ts).toEqual([0, 10, 40])
  })

  test('take a late reading into the bucket that covers it, or as a point in its place', () => {
    const columns = toColumns(graph({ stepMs: 10, ts: [0, 40], min: [1, 2], max: [1, 2], mean: [1, 2] }))
    addReading(columns, 5, -4)
    expect(columns.min[0]).toBe(-4)
    addReading(columns, 25, 7)
    expect(columns.ts).toEqual([0, 20, 40])
    expect(columns.mean[1]).toBe(7)
    addReading(columns, -13, 6)
    expect(columns.ts).toEqual([-13, 0, 20, 40])
    const gapped = toColumns(graph({ ts: [0, 40], gaps: [[0, 40]] }))
    addReading(gapped, 20, 9)
    addReading(gapped, 30, 8)
    expect(gapped.ts).toEqual([0, 20, 30, 40])
    expect(gapped.mean).toEqual([0, 9, 8, 1])
  })

  test('stay in order, whatever comes in whatever order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: -500, max: 500 }), fc.integer())), fc.integer({ min: 0, max: 30 }), (readings, stepMs) => {
        const columns = toColumns(graph({ stepMs, ts: [0, 90, 180], gaps: [[100, 170]] }))
        for (const [ts, value] of readings) addReading(columns, ts, value)
        for (let i = 1; i < columns.ts.length; i++) expect(columns.ts[i]).toBeGreaterThan(columns.ts[i - 1])
        const values = readings.map(([, value]) => value)
        if (values.length > 0) {
          expect(Math.max(...columns.max.map((v) => v ?? -Infinity))).toBe(Math.max(2, ...values))
          expect(Math.min(...columns.min.map((v) => v ?? Infinity))).toBe(Math.min(0, ...values))
        }
        expect([columns.min.length, columns.max.length, columns.mean.length]).toEqual(Array(3).fill(columns.ts.length))
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
    const columns = toColumns(graph({ ts: [0, 10, 20, 30] }))
    dropBefore(columns, 25)
    expect(columns.ts).toEqual([20, 30])
    expect(bucketOf([0, 10, 20], 19)).toBe(1)
    expect(bucketOf([0, 10, 20], -1)).toBe(-1)
  })
})

describe('the event stream', () => {
  const text = 'id: 7\r\nevent: reading\r\ndata: {"a":1}\r\n\r\n: still here\n\ndata: one\ndata: two\nid: 8\n\nevent: lost\ndata: half'

  test('gives the same whole events however it is cut', () => {
    const whole = createEventParser()(text)
    expect(whole).toEqual([
      { event: 'reading', data: '{"a":1}', id: '7' },
      { event: 'message', data: 'one\ntwo', id: '8' },
    ])
    for (let size = 1; size < 9; size++) {
      const parse = createEventParser()
      const events: StreamEvent[] = []
      for (let i = 0; i < text.length; i += size) events.push(...parse(text.slice(i, i + size)))
      expect(events).toEqual(whole)
    }
  })

  function listener() {
    const events: string[] = []
    const states: StreamState[] = []
    let onRefused: () => void = () => {}
    const refused = new Promise<void>((resolve) => (onRefused = resolve))
    return { events, states, refused, on: { onEvent: (e: StreamEvent) => events.push(e.data), onState: (s: StreamState) => states.push(s), onRefused } }
  }

  test('goes on after the last event that was given, and ends when the key is refused', async () => {
    const asked: (string | undefined)[] = []
    const api = { ...createApi(() => null), open: async (_path: string, _parameters: unknown, headers: Record<string, string>) => {
      asked.push(headers['Last-Event-ID'])
      if (asked.length === 1) return new Response('id: 41\ndata: a\n\nid: 42\ndata: b\n\nid: 43\ndata: cut')
      const { ApiError } = await import('../../../../actors/analytics/dashboard/client/api.ts')
      throw new ApiError(401, 'gone')
    } }
    const seen = listener()
    follow(api, '/v1/live', {}, seen.on)
    await seen.refused
    expect(seen.events).toEqual(['a', 'b'])
    expect(asked).toEqual([undefined, '42'])
    expect(seen.states).toEqual(['connecting', 'live', 'waiting', 'refused'])
  })
})

test('an id without an event moves the place to resume from', () => {
  expect(createEventParser()('data: a\nid: 1\n\n: heartbeat\nid: 2\n\n: heartbeat\n\n')).toEqual([
    { event: 'message', data: 'a', id: '1' },
    { event: '', data: '', id: '2' },
  ])
})

describe('the address', () => {
  test('holds series and range, and gives them back', () => {
    for (const place of [{ series: series('field-7/probe:2', 'ec'), range: '7d' }, { series: series('a&b', 'm'), range: null }] as const) {
      expect(readPlace(placeQuery(place))).toEqual(place)
    }
  })

  test('counts what it does not understand as not there', () => {
    expect(readPlace('?device=x&range=99y')).toEqual({ series: null, range: null })
  })
})

test('a series is first shown over a time that holds some of its readings', () => {
  const row = (count: number, spanMs: number) => ({ ...series('d', 'm'), count, first: 0, last: spanMs, value: 1 })
  expect(fittingRange(undefined)).toBe('1h')
  expect(fittingRange(row(3, 1e12))).toBe('1h')
  expect(fittingRange(row(3_601, 3_600_000))).toBe('1h')
  expect(fittingRange(row(8_760, 8_759 * 3_600_000))).toBe('7d')
  expect(fittingRange(row(1_461, 1_460 * 86_400_000))).toBe('all')
})

test('a range ends now, or at the last reading of a series that is of another time', () => {
  const now = 1_000_000_000
  const row = { ...series('d', 'm'), count: 5, first: 1_000, last: now - 10_000, value: 1 }
  expect(rangeSpan('1h', row, now)).toEqual({ from: now - 3_600_000, to: now })
  expect(rangeSpan('1h', { ...row, last: 500_000_000 }, now)).toEqual({ from: 496_400_000, to: 500_000_000 })
  expect(rangeSpan('1h', { ...row, last: now + 60_000 }, now).to).toBe(now + 60_000)
  expect(rangeSpan('all', row, now)).toEqual({ from: 1_000, to: now - 10_000 })
  const { from, to } = rangeSpan('all', { ...row, first: 5, last: 5 }, now)
  expect(to - from).toBe(3_600_000)
})

test('a chart says in words what it shows, within its span only', () => {
  const columns = toColumns(graph({ ts: [10, 20, 30], min: [1, 5, -9], max: [2, 8, -9], mean: [1.5, 6, -9] }))
  const row = { ...series('d', 'm'), count: 3, first: 10, last: 30, value: -9 }
  const facts = { columns, span: { from: 5, to: 25 }, row, zoomed: false, anomalies: 1 }
  expect(labelText(row, facts)).toBe('m of d: from 1 to 8, 1 anomaly')
  expect(noteText({ ...facts, span: { from: 100, to: 200 } }, 1_000)).toMatch(/^No readings in this range. The last one was/)
})

test('values, spans and bands are said in few digits', () => {
  expect([value(23.4), value(0), value(-0.00001234), value(1e30), value(null)]).toEqual(['23.4', '0', '-1.23e-5', '1.00e+30', '–'])
  expect([duration(80), duration(4_200), duration(61_000), duration(90_000_000)]).toEqual(['80 ms', '4.2 s', '1 min', '25 h'])
  expect(band(22.8812345, 24.8851)).toBe('22.88 to 24.89')
})

describe('health', () => {
  const status: Status = {
    accepted: 10, processed: 10, sealed: 10, settled: true, lagMs: 0,
    partitions: [{ partition: 0, owner: 'w' }, { partition: 1, owner: 'w' }],
    members: [{ id: 'w', role: 'worker' }, { id: 's', role: 'store' }],
  }

  test('is good only while every partition has a worker that keeps up', () => {
    expect(health(status)).toEqual({ state: 'good', text: 'All well · 1 worker, 1 store' })
    expect(health({ ...status, members: [{ id: 's', role: 'store' }] }).text).toBe('No worker')
    expect(health({ ...status, partitions: [{ partition: 0, owner: null }] }).text).toBe('1 partition without a worker')
    expect(health({ ...status, processed: 3, lagMs: 14_000 }).text).toBe('Behind by 14 s')
  })
})
