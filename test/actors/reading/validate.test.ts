import { describe, expect, test } from 'vitest'
import { BODY_READINGS_MAX, REJECT_TEXT_MAX, REJECTS_KEPT_MAX, REJECTS_NAMED_MAX, TS_AHEAD_MS, TS_MIN_MS } from '../../../runtime/limits.ts'
import { rfc3339 } from '../../../actors/reading/validate-time.ts'
import { json, NOW_MS, read } from './read.ts'

const good = { device: 'field-7/probe-2', metric: 'soil_moisture', ts: NOW_MS, value: 23.4 }
const reasonOf = (reading: unknown) => {
  const { rejected, readings } = json([reading])
  expect(readings).toEqual([])
  expect(rejected).toHaveLength(1)
  return rejected[0].reason
}

describe('a reading', () => {
  test('that is valid comes out as it went in', () => {
    expect(json(good).readings).toEqual([good])
  })

  test('without a time is of now', () => {
    const { ts: _, ...timeless } = good
    expect(json(timeless).readings).toEqual([good])
  })

  test('may have a boolean value, which is 1 or 0', () => {
    expect(json([{ ...good, value: true }, { ...good, value: false }]).readings.map((r) => r.value)).toEqual([1, 0])
  })

  test('of −0 is of 0', () => {
    expect(Object.is(read('json', '{"device":"a","metric":"b","value":-0}').readings[0].value, 0)).toBe(true)
  })

  test('has its time cut to whole milliseconds', () => {
    expect(json({ ...good, ts: NOW_MS + 0.9 }).readings[0].ts).toBe(NOW_MS)
  })

  test('takes an RFC 3339 time', () => {
    expect(json({ ...good, ts: '2026-01-01T01:00:00+01:00' }).readings[0].ts).toBe(NOW_MS)
  })

  test.each([
    ['field 7', /^Device must be 1 to 128 of .*: current value is "field 7"\.$/],
    ['', /^Device must be/],
    ['a'.repeat(129), /^Device must be/],
    ['a\n', /^Device must be/],
    ['\ud800', /^Device must be/],
    ['é', /^Device must be/],
    [7, /current value is 7\.$/],
    [null, /current value is null\.$/],
    [{ a: 1 }, /current value is an object\.$/],
    [undefined, /^Device is missing/],
  ])('of device %j is rejected', (device, reason) => {
    expect(reasonOf({ ...good, device })).toMatch(reason)
  })

  test.each(['7up', '_a', '', 'a-b', 'a'.repeat(65), 'a b', 3, null, undefined])('of metric %j is rejected', (metric) => {
    expect(reasonOf({ ...good, metric })).toMatch(/^Metric (must be|is missing)/)
  })

  test.each(['23.4', null, {}, '', 'NaN', undefined])('of value %j is rejected', (value) => {
    expect(reasonOf({ ...good, value })).toMatch(/^Value (must be|is missing)/)
  })

  test.each(['1e400', '-1e400', '1.1e100', '-1.1e100'])('of value %s is rejected as too large', (value) => {
    const { rejected, readings } = read('json', `{"device":"a","metric":"b","value":${value}}`)
    expect(readings).toEqual([])
    expect(rejected[0].reason).toMatch(/magnitude at most 1e\+100/)
  })

  test.each([1e100, -1e100, 5e-324, Number.MAX_SAFE_INTEGER])('of value %d is taken', (value) => {
    expect(json({ ...good, value }).readings[0].value).toBe(value)
  })

  test.each([TS_MIN_MS, NOW_MS + TS_AHEAD_MS])('at the bound %d of time is taken', (ts) => {
    expect(json({ ...good, ts }).readings).toHaveLength(1)
  })

  test.each([
    [TS_MIN_MS - 1, /from 2000-01-01 on/],
    [-5, /from 2000-01-01 on/],
    [NOW_MS / 1000, /looks like seconds/],
    [NOW_MS + TS_AHEAD_MS + 1, /at most 24 h ahead/],
    [1e300, /at most 24 h ahead/],
    ['yesterday', /epoch milliseconds or an RFC 3339 string/],
    [String(NOW_MS), /epoch milliseconds or an RFC 3339 string/],
    [null, /epoch milliseconds or an RFC 3339 string/],
    [true, /epoch milliseconds or an RFC 3339 string/],
    [{}, /epoch milliseconds or an RFC 3339 string/],
  ])('of time %j is rejected', (ts, reason) => {
    expect(reasonOf({ ...good, ts })).toMatch(reason)
  })

  test('of a time that JSON can not hold is rejected', () => {
    expect(read('json', `{"device":"a","metric":"b","value":1,"ts":1e400}`).rejected[0].reason).toMatch(/24 h ahead/)
  })

  test.each([1, 'a', null, [], [[]], true])('that is %j is rejected', (item) => {
    expect(reasonOf(item)).toMatch(/^A reading must be an object/)
  })
})

describe('several metrics of one instant', () => {
  test('are a reading each', () => {
    const { readings } = json({ device: 'a', ts: NOW_MS, values: { soil_moisture: 23.4, ec: 1.2 } })
    expect(readings).toEqual([
      { device: 'a', metric: 'soil_moisture', ts: NOW_MS, value: 23.4 },
      { device: 'a', metric: 'ec', ts: NOW_MS, value: 1.2 },
    ])
  })

  test('are judged each for itself, under the index of their item, with the metric named', () => {
    const { readings, rejected } = json([good, { device: 'a', values: { ok: 1, bad: 'x', 'no way': 2 } }])
    expect(readings.map((r) => r.metric)).toEqual(['soil_moisture', 'ok'])
    expect(rejected.map((r) => r.index)).toEqual([1, 1])
    expect(rejected[0].reason).toMatch(/^Metric "bad": value must be/)
    expect(rejected[1].reason).toMatch(/^Metric "no way": metric must be/)
  })

  test.each([[{}], [[]], [null], ['x']])('must be an object that holds some: %j is rejected', (values) => {
    expect(json([{ device: 'a', values }]).rejectedCount).toBe(1)
  })

  test('do not mix with a metric of its own', () => {
    expect(json([{ ...good, values: { a: 1 } }]).rejected[0].reason).toMatch(/either metric and value, or values/)
  })
})

describe('a batch', () => {
  test('loses none of its good readings to the bad ones among them', () => {
    const { readings, rejected, rejectedCount } = json([good, 7, { ...good, value: 'x' }, { ...good, value: 9 }])
    expect(readings.map((r) => r.value)).toEqual([23.4, 9])
    expect(rejected.map((r) => r.index)).toEqual([1, 2])
    expect(rejectedCount).toBe(2)
  })

  test('counts every rejected reading by device, names a bounded number, keeps a bounded sample', () => {
    const items = Array.from({ length: 3000 }, (_, i) => ({ device: i % 2 ? 'b' : 'bad device', metric: 'm', value: 'x'.repeat(2000) }))
    const { rejected, rejectedCount, rejectedBy, samples } = json(items)
    expect(rejectedCount).toBe(3000)
    expect(rejectedBy).toEqual(new Map([['', 1500], ['b', 1500]]))
    expect(rejected).toHaveLength(REJECTS_NAMED_MAX)
    expect(samples).toHaveLength(REJECTS_KEPT_MAX)
    for (const sample of samples) expect(sample.reading.length).toBeLessThanOrEqual(REJECT_TEXT_MAX)
  })

  test('of a key bound to prefixes keeps the readings of its devices, and counts the others under no device', () => {
    const { readings, rejectedBy, forbiddenCount, rejected } = json([{ ...good, device: 'a/1' }, { ...good, device: 'b/1' }], { prefixes: ['a/', 'c'] })
    expect(readings.map((r) => r.device)).toEqual(['a/1'])
    expect(rejectedBy).toEqual(new Map([['', 1]]))
    expect(forbiddenCount).toBe(1)
    expect(rejected[0].reason).toMatch(/may not write for device "b\/1"/)
  })

  test('stops at the bound of readings', () => {
    const { tooMany, readings } = read('json', `{"device":"a","metric":"b","value":[${'1,'.repeat(BODY_READINGS_MAX + 5)}1]}`)
    expect(tooMany).toBe(true)
    expect(readings.length).toBeLessThanOrEqual(BODY_READINGS_MAX + 1)
  })

  test('knows many metrics of one device', () => {
    const values = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`m${i}`, i]))
    const { readings } = json([{ device: 'a', values }, { device: 'a', values }])
    expect(readings.map((r) => r.metric)).toEqual([...Object.keys(values), ...Object.keys(values)])
  })
})

describe('an RFC 3339 time', () => {
  test.each([
    ['2026-01-01T00:00:00Z', NOW_MS],
    ['2026-01-01t00:00:00z', NOW_MS],
    ['2026-01-01 00:00:00Z', NOW_MS],
    ['2025-12-31T23:59:60Z', NOW_MS],
    ['2026-01-01T00:00:00.123456789Z', NOW_MS + 123],
    ['2026-01-01T00:00:00.1Z', NOW_MS + 100],
    ['2025-12-31T20:30:00-03:30', NOW_MS],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
  ])('%s is understood', (text, ms) => {
    expect(rfc3339(text)).toBe(ms)
  })

  test.each([
    '2026-01-01', '2026-01-01T00:00:00', '2026-13-01T00:00:00Z', '2026-02-29T00:00:00Z', '2026-00-01T00:00:00Z', '2026-01-32T00:00:00Z',
    '2026-01-01T24:00:00Z', '2026-01-01T00:60:00Z', '2026-01-01T00:00:61Z', '2026-01-01T00:00:00+24:00', '2026-01-01T00:00:00.Z', '', 'now', 'x'.repeat(1e6),
    ' 2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z\n', '0050-01-01T00:00:00Z',
  ])('%.40s is not one', (text) => {
    expect(rfc3339(text)).toBeNaN()
  })
})
