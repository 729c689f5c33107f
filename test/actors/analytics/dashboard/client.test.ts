/** Laws of the dashboard's pure parts: addresses, units, words, what can be drawn of an answer. */

import { describe, expect, test } from 'vitest'
import { fittingRange, panned, placeAddress, rangeSpan, readPlace, rhythmOf, zoomed } from '../../../../actors/analytics/dashboard/client/device/place.ts'
import { NO_SPLIT, choose, kindOf, linesOf, numberOf, timeOf } from '../../../../actors/analytics/dashboard/client/explore/answer.ts'
import type { Answer } from '../../../../actors/analytics/dashboard/client/explore/answer.ts'
import * as explore from '../../../../actors/analytics/dashboard/client/explore/place.ts'
import { headline, reasons } from '../../../../actors/analytics/dashboard/client/fleet/words.ts'
import { duration, value } from '../../../../actors/analytics/dashboard/client/format.ts'
import { health } from '../../../../actors/analytics/dashboard/client/health.ts'
import { PAGES, pageAt } from '../../../../actors/analytics/dashboard/client/pages.ts'
import type { DeviceRow, FleetSummary, Status } from '../../../../actors/analytics/dashboard/client/shapes.ts'
import { createUnits, inWords, pickUnit } from '../../../../actors/analytics/dashboard/client/units.ts'
import type { UnitRow } from '../../../../actors/analytics/dashboard/client/units.ts'

const queryOf = (address: string) => new URL(address, 'http://weir').searchParams

describe('the address of a device', () => {
  test('holds all that was chosen, and gives it back', () => {
    const place = { device: 'field-7/probe:2', metrics: ['ec', 'a.b'], range: '7d', zoom: { from: 1_000, to: 61_000 }, view: '15m', ahead: false } as const
    expect(readPlace(queryOf(placeAddress(place)))).toEqual(place)
    const least = { device: 'a', metrics: null, range: null, zoom: null, view: 'auto', ahead: true } as const
    expect(placeAddress(least)).toBe('/device?id=a')
    expect(readPlace(queryOf(placeAddress(least)))).toEqual(least)
  })

  test('counts what it does not understand as not there', () => {
    expect(readPlace(queryOf('/device?id=x&range=99y&view=z&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z&metrics=,'))).toEqual({ device: 'x', metrics: null, range: null, zoom: null, view: 'auto', ahead: true })
  })
})

test('the address of a question holds it and how its answer is shown', () => {
  const place = { sql: "SELECT 'a&b', 1\n-- ümlaut + %", shown: 'plot', x: 'start', y: ['mean', 'a, b'], by: 'device', kind: 'bars' } as const
  expect(explore.readPlace(queryOf(explore.placeAddress(place)))).toEqual(place)
  expect(explore.placeAddress({ sql: '', shown: 'table', x: null, y: [], by: null, kind: null })).toBe('/explore')
})

test('each page has a path of its own, and nothing else has a page', () => {
  expect(new Set(PAGES.map((page) => page.path)).size).toBe(PAGES.length)
  for (const page of PAGES) expect(pageAt(page.path)).toBe(page)
  expect(pageAt('/v1/status')).toBe(null)
})

describe('time on a device\'s page', () => {
  const series = (count: number, spanMs: number) => [{ device: 'd', metric: 'm', count, first: 0, last: spanMs, value: 1 }]

  test('is at first a range that holds some of its readings', () => {
    expect(fittingRange(null)).toBe('1h')
    expect(fittingRange(rhythmOf(series(3, 1e12)))).toBe('1h')
    expect(fittingRange(rhythmOf(series(3_601, 3_600_000)))).toBe('1h')
    expect(fittingRange(rhythmOf(series(8_760, 8_759 * 3_600_000)))).toBe('7d')
    expect(fittingRange(rhythmOf(series(1_461, 1_460 * 86_400_000)))).toBe('all')
  })

  test('ends now, or at the last reading of a device that is of another time', () => {
    const now = 1_000_000_000
    const rhythm = { count: 5, first: 1_000, last: now - 10_000, everyMs: null }
    expect(rangeSpan('1h', rhythm, now)).toEqual({ from: now - 3_600_000, to: now })
    expect(rangeSpan('1h', { ...rhythm, last: 500_000_000 }, now)).toEqual({ from: 496_400_000, to: 500_000_000 })
    expect(rangeSpan('1h', { ...rhythm, last: now + 60_000 }, now).to).toBe(now + 60_000)
    expect(rangeSpan('all', rhythm, now)).toEqual({ from: 1_000, to: now - 10_000 })
    const { from, to } = rangeSpan('all', { ...rhythm, first: 5, last: 5 }, now)
    expect(to - from).toBe(3_600_000)
  })

  test('zooms around a moment that stays in its place, within bounds, and moves by shares', () => {
    expect(zoomed({ from: 0, to: 10_000 }, 0.5, 2_000)).toEqual({ from: 1_000, to: 6_000 })
    expect(zoomed({ from: 0, to: 10_000 }, 2)).toEqual({ from: -5_000, to: 15_000 })
    const least = zoomed({ from: 0, to: 10_000 }, 1e-9, 5_000)
    expect(least.to - least.from).toBe(1_000)
    expect(panned({ from: 0, to: 100 }, -0.25)).toEqual({ from: -25, to: 75 })
  })

  test('has the rhythm of the most frequent of its series', () => {
    const rows = [...series(11, 100_000), { device: 'd', metric: 'n', count: 101, first: 50_000, last: 150_000, value: 2 }]
    expect(rhythmOf(rows)).toEqual({ first: 0, last: 150_000, count: 112, everyMs: 1_000 })
    expect(rhythmOf([])).toBe(null)
  })
})

describe('units', () => {
  const row = (metric: string, unit: string, source: UnitRow['source'] = 'default', over: Partial<UnitRow> = {}): UnitRow => ({ metric, label: '', unit, decimals: 1, range: null, source, ...over })

  test('are those of the very name before those of the longest beginning, edited before built-in ones', () => {
    const rows = [row('temp*', 'a'), row('temp_air*', 'b'), row('temp_air', 'c'), row('*', 'none')]
    expect(pickUnit(rows, 'temp_air')?.unit).toBe('c')
    expect(pickUnit(rows, 'temp_air_2')?.unit).toBe('b')
    expect(pickUnit(rows, 'temp_x')?.unit).toBe('a')
    expect(pickUnit([row('temp_air', 'c'), row('t*', 'mine', 'edited')], 'temp_air')?.unit).toBe('mine')
    expect(pickUnit([row('temp*', 'a')], 'tem')).toBe(null)
  })

  test('stand behind their values, which have as many decimals as are worth showing', async () => {
    const rows = [row('soil_moisture', '%', 'default', { label: 'Moisture' }), row('count*', '', 'edited', { decimals: 0 })]
    const units = createUnits({ get: async () => ({ units: rows, revision: 0, mayEdit: false }) } as never)
    expect([units.label('soil_moisture'), units.text('soil_moisture', 23.4)]).toEqual(['Soil moisture', '23.4'])
    await units.load()
    expect([units.label('soil_moisture'), units.text('soil_moisture', 23)]).toEqual(['Moisture', '23.0\u00a0%'])
    expect([units.text('soil_moisture', null), units.text('count_x', 7.6), units.label('count_x')]).toEqual(['–', '8', 'Count x'])
    expect([units.bare('soil_moisture', 0.0123), units.bare('soil_moisture', 0), units.bare('soil_moisture', 5e12)]).toEqual(['0.0123', '0.0', '5.00e+12'])
    expect(units.band('soil_moisture', 1, 2)).toBe('1.0 to 2.0\u00a0%')
    expect(inWords('soil_moisture.top')).toBe('Soil moisture top')
  })
})

describe('an answer of SQL', () => {
  const answer = (types: Record<string, string>, ...rows: unknown[][]): Answer => {
    const columns = Object.entries(types).map(([name, type]) => ({ name, type }))
    return { columns, rows: rows.map((row) => Object.fromEntries(columns.map((c, i) => [c.name, row[i]]))), truncated: false }
  }
  const none = { x: null, y: [], by: null, kind: null }

  test('has columns of times, numbers and texts', () => {
    expect(['TIMESTAMP', 'TIMESTAMP WITH TIME ZONE', 'DATE', 'DOUBLE', 'BIGINT', 'HUGEINT', 'UINTEGER', 'DECIMAL(18,3)', 'VARCHAR', 'INTERVAL', 'INTEGER[]'].map((type) => kindOf({ name: 'c', type })))
      .toEqual(['time', 'time', 'time', 'number', 'number', 'number', 'number', 'number', 'text', 'text', 'text'])
  })

  test('is drawn over its times, else as bars by its texts, else over its first number', () => {
    expect(choose(answer({ a: 'DOUBLE', t: 'TIMESTAMP', b: 'BIGINT' }, [1, '2026-01-01T00:00:00Z', 2]), none)).toEqual({ x: 't', xKind: 'time', y: ['a', 'b'], by: null, kind: 'line' })
    expect(choose(answer({ device: 'VARCHAR', n: 'BIGINT' }, ['a', 2]), none)).toMatchObject({ x: 'device', y: ['n'], kind: 'bars' })
    expect(choose(answer({ a: 'DOUBLE', b: 'DOUBLE' }, [1, 2]), none)).toMatchObject({ x: 'a', xKind: 'number', y: ['b'] })
    expect(choose(answer({ a: 'VARCHAR' }, ['x']), none)).toBe(null)
    expect(choose(answer({ t: 'TIMESTAMP', a: 'DOUBLE' }), none)).toBe(null)
  })

  test('has a line for each of few texts, where these tell rows of one time apart', () => {
    const two = answer({ t: 'TIMESTAMP', device: 'VARCHAR', v: 'DOUBLE' }, [0, 'a', 1], [0, 'b', 2], [1, 'b', null], [2, 'a', 3])
    const choice = choose(two, none)!
    expect(choice).toMatchObject({ by: 'device', y: ['v'] })
    expect(linesOf(two, choice)).toEqual({ names: ['a', 'b'], x: [0, 1, 2], y: [[1, undefined, 3], [2, null, undefined]], left: 0 })
    expect(choose(two, { ...none, by: NO_SPLIT })!.by).toBe(null)
    const many = answer({ t: 'TIMESTAMP', device: 'VARCHAR', v: 'DOUBLE' }, ...Array.from({ length: 20 }, (_, i) => [0, `d${i}`, i]))
    expect(choose(many, none)!.by).toBe(null)
    expect(linesOf(many, choose(many, { ...none, by: 'device' })!).left).toBe(12)
  })

  test('is drawn as the reader wishes, as far as its columns allow', () => {
    const rows = answer({ t: 'TIMESTAMP', a: 'DOUBLE', b: 'DOUBLE' }, [0, 1, 2])
    expect(choose(rows, { x: 'a', y: ['b'], by: null, kind: 'bars' })).toEqual({ x: 'a', xKind: 'number', y: ['b'], by: null, kind: 'bars' })
    expect(choose(rows, { x: 'gone', y: ['gone'], by: 'gone', kind: null })).toMatchObject({ x: 't', y: ['a', 'b'], by: null })
  })

  test('may hold numbers as texts, and times as RFC 3339 or ms', () => {
    expect([numberOf('9007199254740993'), numberOf(null), numberOf('x'), numberOf(Infinity)]).toEqual([9007199254740992, null, null, null])
    expect([timeOf('1970-01-01T00:00:01Z'), timeOf('1970-01-01 00:00:01'), timeOf(1_000), timeOf('x'), timeOf(null)]).toEqual([1_000, 1_000, 1_000, null, null])
  })
})

describe('a fleet in words', () => {
  const summary: FleetSummary = { devices: 4, series: 8, speaking: 4, silent: 0, past: 0, unusual: 0, anomalies: 0, hour: { received: 0, accepted: 0, rejected: 0, onTime: 0, late: 0, duplicate: 0, expired: 0 }, metrics: [] }

  test('says first who is silent, then what was unusual', () => {
    expect(headline(summary)).toBe('All of them speak; nothing unusual in the last 24 hours.')
    expect(headline({ ...summary, speaking: 2, silent: 1, past: 1, unusual: 2, anomalies: 5 })).toBe('1 is silent; 1 is of the past; 2 had something unusual in the last 24 hours, 5 times in all.')
    expect(headline({ ...summary, speaking: 3, past: 1, unusual: 1, anomalies: 1 })).toBe('None has fallen silent; 1 is of the past; 1 had something unusual in the last 24 hours, 1 time in all.')
  })

  test('says of a device why it needs a look, and nothing where it does not', () => {
    const units = { label: (m: string) => m, text: (_m: string, v: number | null | undefined) => String(v) }
    const hour = { received: 100, accepted: 95, rejected: 5, onTime: 70, late: 25, duplicate: 0, expired: 0 }
    const device: DeviceRow = { device: 'd', state: 'silent', last: 0, everyMs: 2_000, series: 1, metrics: [], hour, anomalies: { count: 3, newest: 60_000, metric: 'ec', ts: 0, value: 9, score: 0.95, reason: '' } }
    const said = reasons(device, units, 300_000)
    expect(said.map((r) => r.kind)).toEqual(['silent', 'unusual', 'losing', 'losing'])
    expect(said[0].text).toBe('Silent for 5 min, usually every 2.0 s')
    expect(said[1].text).toMatch(/^Very unusual: ec 9 at \d\d:\d\d, worst of 3$/)
    expect(reasons(device, units, 5_000_000)[1].kind).toBe('before')
    expect(reasons({ ...device, state: 'speaking', anomalies: null, hour: null }, units, 0)).toEqual([])
  })
})

test('values and spans are said in few digits', () => {
  expect([value(23.4), value(0), value(-0.00001234), value(1e30), value(null)]).toEqual(['23.4', '0', '-1.23e-5', '1.00e+30', '–'])
  expect([duration(80), duration(4_200), duration(61_000), duration(90_000_000)]).toEqual(['80 ms', '4.2 s', '1 min', '25 h'])
})

describe('health', () => {
  const status: Status = {
    accepted: 10, processed: 10, sealed: 10, settled: true, lagMs: 0,
    partitions: [{ partition: 0, owner: 'w' }, { partition: 1, owner: 'w' }],
    members: [{ id: 'w', role: 'worker' }, { id: 's', role: 'store' }],
  }

  test('is good only while every partition has a worker that keeps up', () => {
    expect(health(status)).toEqual({ state: 'good', text: 'All well', detail: '1 worker, 1 store' })
    expect(health({ ...status, members: [{ id: 's', role: 'store' }] }).text).toBe('No worker')
    expect(health({ ...status, partitions: [{ partition: 0, owner: null }] }).text).toBe('1 partition without a worker')
    expect(health({ ...status, processed: 3, lagMs: 14_000 }).text).toBe('Behind by 14 s')
  })
})
