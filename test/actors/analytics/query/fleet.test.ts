/** The fleet: which devices need a look, in which order, and what became of readings by device and over time. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isLosing, stateOf } from '../../../../actors/analytics/query/fleet.ts'
import { House, MINUTE } from '../house.ts'

const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

test('a device is silent by its own rhythm, and past once it has been for long', () => {
  expect(stateOf(100_000, 1_000)).toBe('speaking')
  expect(stateOf(130_000, 1_000)).toBe('silent')
  expect(stateOf(130_000, null)).toBe('speaking')
  expect(stateOf(DAY + 1, null)).toBe('silent')
  expect(stateOf(8 * DAY, null)).toBe('past')
  expect(stateOf(4 * HOUR, HOUR)).toBe('speaking')
  expect(stateOf(6 * HOUR, HOUR)).toBe('silent')
  expect(stateOf(8 * DAY, HOUR)).toBe('past')
  expect(stateOf(50 * DAY, DAY)).toBe('silent')
})

test('losing readings begins at one in a hundred rejected, or one in five late', () => {
  const ledger = (rejected: number, late: number) => ({ received: 1_000, accepted: 1_000 - rejected, rejected, onTime: 1_000 - rejected - late, late, duplicate: 0, expired: 0 })
  expect([isLosing(null), isLosing(ledger(0, 0)), isLosing(ledger(10, 200)), isLosing(ledger(11, 0)), isLosing(ledger(0, 201))]).toEqual([false, false, false, true, true])
})

describe('of a tenant', () => {
  let house: House
  let now = 0
  beforeAll(async () => {
    house = await House.open()
    now = Date.now()
    const series = (device: string, endMs: number, n = 10, metric = 'm') => Array.from({ length: n }, (_, i) => ({ device, metric, ts: endMs - i * MINUTE, value: i }))
    // One post a device: the house writes a message's ledger under its first device.
    for (const [device, endMs] of [['probe-10', now], ['probe-2', now], ['quiet', now - HOUR], ['odd', now], ['gone', now - 30 * DAY]] as const) await house.post(series(device, endMs))
    await house.post(series('probe-2', now, 10, 'ec'))
    await house.post([{ device: 'elsewhere', ts: now, value: 1 }], 'other')
    const anomaly = { metric: 'm', value: 9, expected: 1, lower: 0, upper: 2, reason: 'too high' }
    await house.commit({
      fates: { old: [3] },
      anomalies: [
        { ...anomaly, device: 'odd', ts: now - 5 * MINUTE, score: 0.9 }, { ...anomaly, device: 'odd', ts: now - 2 * DAY, score: 0.99 }, { ...anomaly, device: 'gone', ts: now - 30 * DAY, score: 0.95 },
      ],
    })
    await house.seal()
    // More of each, which no segment has.
    await house.reject('probe-10', 4)
    await house.reject('', 2)
    await house.post(series('probe-2', now + 1_000, 1))
    await house.commit({ anomalies: [{ ...anomaly, device: 'odd', ts: now - MINUTE, score: 0.95, reason: 'higher still' }] })
  })
  afterAll(() => house.close())
  const names = async (query: string) => (await house.json(`/v1/devices${query}`)).devices.map((d: { device: string }) => d.device)

  test('what needs a look comes first: silent ones, unusual ones, those that lose readings; history comes last', async () => {
    const answer = await house.json('/v1/devices?time=ms')
    expect(answer.devices.map((d: { device: string }) => d.device)).toEqual(['quiet', 'odd', 'probe-10', 'probe-2', 'gone'])
    const { devices, series, speaking, silent, past, unusual, anomalies } = answer.summary
    expect({ devices, series, speaking, silent, past, unusual, anomalies }).toEqual({ devices: 5, series: 6, speaking: 3, silent: 1, past: 1, unusual: 1, anomalies: 2 })
    expect(answer.summary.metrics).toEqual([{ metric: 'm', series: 5 }, { metric: 'ec', series: 1 }])
    const odd = answer.devices[1]
    expect(odd).toMatchObject({ state: 'speaking', everyMs: MINUTE, series: 1, last: now, anomalies: { count: 2, newest: now - MINUTE, score: 0.95, reason: 'higher still', ts: now - MINUTE } })
    expect(odd.metrics).toEqual([{ metric: 'm', ts: now, value: 0 }])
  })

  test('can be searched, filtered, ordered and paged', async () => {
    expect(await names('?q=PROBE')).toEqual(['probe-10', 'probe-2'])
    expect(await names('?q=probe%20ec')).toEqual(['probe-2'])
    expect(await names('?q=%25')).toEqual([])
    expect(await names('?show=silent')).toEqual(['quiet'])
    expect(await names('?show=unusual')).toEqual(['odd'])
    expect(await names('?show=losing')).toContain('probe-10')
    expect((await names('?order=name')).slice(-3)).toEqual(['probe-2', 'probe-10', 'quiet'])
    expect((await names('?order=last'))[0]).toBe('probe-2')
    expect(await names('?order=name&limit=2&offset=1')).toEqual(['odd', 'probe-2'])
    expect((await house.json('/v1/devices?q=probe&limit=1')).found).toBe(2)
  })

  test('shows nothing of another tenant', async () => {
    const other = await house.json('/v1/devices', { key: house.keys['other analyst'] })
    expect([other.summary.devices, other.devices.map((d: { device: string }) => d.device), other.summary.anomalies]).toEqual([1, ['elsewhere'], 0])
  })

  test('has a ledger by device and over time, each of which adds up to the ledger', async () => {
    const whole = await house.json('/v1/ledger')
    const total = (rows: Record<string, number>[]) => Object.fromEntries(Object.keys(whole).map((fate) => [fate, rows.reduce((sum, row) => sum + row[fate], 0)]))
    const devices = (await house.json('/v1/ledger/devices')).ledger
    expect(total(devices)).toEqual(whole)
    expect(devices.map((d: { device: string }) => d.device)).toEqual(expect.arrayContaining(['', 'probe-2', 'gone']))
    expect(devices.find((d: { device: string }) => d.device === 'probe-10')).toMatchObject({ rejected: 4 })
    const times = (await house.json('/v1/ledger/times?stepMs=60000&time=ms')).ledger
    expect(total(times)).toEqual(whole)
    expect(times.every((row: { start: number }) => row.start % MINUTE === 0)).toBe(true)
    const one = (await house.json('/v1/ledger/times?device=probe-10')).ledger
    expect(one.reduce((sum: number, row: { received: number }) => sum + row.received, 0)).toBe(14)
  })

  test('refuses what it can not use, and says what must be', async () => {
    for (const path of ['/v1/devices?show=x', '/v1/devices?offset=-1', `/v1/devices?q=${'x'.repeat(201)}`, '/v1/ledger/times?stepMs=90000', '/v1/ledger/times?from=0&stepMs=60000', '/v1/ledger/times?device=a,b']) {
      const answer = await house.get(path)
      expect(answer.status, path).toBe(400)
      expect(((await answer.json()) as { detail: string }).detail).toMatch(/^Cannot use /)
    }
  })
})
