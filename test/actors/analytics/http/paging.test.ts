/** Pages of every list, while readings come, are sealed, merged and let go, and the store restarts; and what is asked for at the edges. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { NAMES_MAX } from '../../../../runtime/limits.ts'
import { House, MINUTE, T0, windowRow } from '../house.ts'

let house: House
beforeEach(async () => {
  house = await House.open()
})
afterEach(() => house.close())

const DEVICES = ['a', 'b/1', 'b/2', 'c']
const anomaly = (device: string, ts: number, value: number) => ({ device, metric: 'm', ts, value, score: 0.9, expected: 1, lower: 0, upper: 2, reason: 'far' })

/** Ten minutes of each device, a reading every 30 s, with the minutes' windows and an anomaly a minute. */
async function write(from: number, value: number, devices = DEVICES): Promise<void> {
  const readings = devices.flatMap((device) => Array.from({ length: 20 }, (_, i) => ({ device, ts: from + i * 30_000, value })))
  await house.post(readings)
  const minutes = devices.flatMap((device) => Array.from({ length: 10 }, (_, i) => ({ device, start: from + i * MINUTE })))
  await house.commit({
    windows: minutes.map(({ device, start }) => windowRow(device, start, [value, value])),
    anomalies: minutes.map(({ device, start }) => anomaly(device, start, value)),
  })
}

const LISTS: Record<string, { name: string; key: (row: any) => string; order: (row: any) => unknown[] }> = {
  '/v1/series?': { name: 'series', key: (r) => r.device, order: (r) => [r.device] },
  '/v1/latest?prefix=b/': { name: 'latest', key: (r) => r.device, order: (r) => [r.device] },
  '/v1/readings?': { name: 'readings', key: (r) => `${r.device} ${r.ts} ${r.value}`, order: (r) => [r.ts, r.device, r.value] },
  '/v1/anomalies?': { name: 'anomalies', key: (r) => `${r.device} ${r.ts} ${r.value}`, order: (r) => [r.ts, r.device, r.value] },
  '/v1/windows?': { name: 'windows', key: (r) => `${r.device} ${r.start}`, order: (r) => [r.device, r.start] },
  '/v1/windows?size=3m': { name: 'windows', key: (r) => `${r.device} ${r.start}`, order: (r) => [r.device, r.start] },
  '/v1/windows?size=3m&tz=Asia/Kolkata&fill=linear': { name: 'windows', key: (r) => `${r.device} ${r.start}`, order: (r) => [r.device, r.start] },
}

function isBefore(a: readonly unknown[], b: readonly unknown[]): boolean {
  for (const [i, of] of a.entries()) if (of !== b[i]) return (of as number) < (b[i] as number)
  return false
}

async function pages(path: string, name: string, limit: number, between: (page: number) => Promise<void> = async () => {}): Promise<any[]> {
  const rows: any[] = []
  for (let cursor: string | null = '', page = 0; cursor !== null; page++) {
    const answer: any = await house.json(`${path}&time=ms&limit=${limit}&cursor=${cursor}`)
    expect(answer[name].length).toBeLessThanOrEqual(limit)
    rows.push(...answer[name])
    cursor = answer.cursor
    await between(page)
  }
  return rows
}

describe('a cursor', () => {
  it('shows each row once, in order, and every one that stays, while rows come, are sealed, merged and let go, and the store restarts', async () => {
    for (const [i, [path, { name, key, order }]] of Object.entries(LISTS).entries()) {
      const from = T0 + i * 100 * MINUTE
      await write(from, 1)
      await house.seal()
      await write(from + 10 * MINUTE, 2)
      const range = name === 'series' || name === 'latest' ? path : `${path}&from=${from}`
      const before = await pages(range, name, 100_000)
      const events = [
        () => write(from + 20 * MINUTE, 3),
        () => house.seal(),
        () => house.rewrite(),
        // Retention takes the first minutes of readings.
        () => house.rewrite(`ts >= make_timestamp(${(from + 2 * MINUTE) * 1_000})`),
        () => house.restart(),
        () => write(from + 30 * MINUTE, 4, [...DEVICES, `d${i}`]),
      ]
      const seen = await pages(range, name, Math.max(1, Math.ceil(before.length / 9)), async (page) => void (await events[page]?.()))
      const keys = seen.map(key)
      expect([path, keys.length - new Set(keys).size]).toEqual([path, 0])
      for (let n = 1; n < seen.length; n++) expect([path, isBefore(order(seen[n - 1]), order(seen[n]))]).toEqual([path, true])
      const stays = (row: any) => (name === 'readings' ? row.ts >= from + 2 * MINUTE : true)
      expect([path, before.filter(stays).map(key).filter((k) => !keys.includes(k))]).toEqual([path, []])
      expect(seen.length).toBeGreaterThanOrEqual(before.length / 2)
    }
  })

  it('gives the same rows at any limit, one among them', async () => {
    await write(T0, 1)
    await house.seal()
    await write(T0 + 10 * MINUTE, 2, ['a', 'c'])
    for (const [path, { name }] of Object.entries(LISTS)) {
      const whole = await pages(path, name, 100_000)
      expect(whole.length).toBeGreaterThan(1)
      for (const limit of name === 'readings' ? [7] : [1, 7]) expect([path, limit, await pages(path, name, limit)]).toEqual([path, limit, whole])
    }
  })
})

describe('at the edges', () => {
  const values = async (query: string) => (await house.json(`/v1/readings?${query}`)).readings.map((r: any) => r.value)

  it('a range that is empty, or lies in the future, or before everything gives empty lists', async () => {
    await write(T0, 1)
    const future = Date.now() + 365 * 86_400_000
    for (const range of [`from=${T0}&to=${T0}`, `from=${future}&to=${future + 1_000}`, `from=${future}`, 'to=2000-01-01', 'from=1970-01-01&to=1999-12-31T23:59:59Z', 'from=-0h&to=now']) {
      for (const path of ['readings', 'windows', 'anomalies']) {
        const answer = await house.json(`/v1/${path}?${range}`)
        expect([path, range, answer]).toEqual([path, range, { [path]: [], cursor: null }])
      }
      expect([range, (await house.json(`/v1/windows?size=1w&tz=Europe/Vienna&fill=null&${range}`)).windows]).toEqual([range, []])
    }
    for (const range of [`from=${T0}&to=${T0}`, `from=${future}&to=${future + 1_000}`, 'from=1970-01-01&to=2000-01-01']) {
      expect((await house.json(`/v1/graph?device=a&metric=m&${range}`)).ts).toEqual([])
    }
  })

  it('from is within and to is not, to the millisecond; a window counts by its start', async () => {
    await write(T0, 1, ['a'])
    expect(await values(`from=${T0}&to=${T0 + 30_000}`)).toEqual([1])
    expect(await values(`from=${T0 + 1}&to=${T0 + 30_001}`)).toEqual([1])
    const starts = async (query: string) => (await house.json(`/v1/windows?time=ms&${query}`)).windows.map((w: any) => (w.start - T0) / MINUTE)
    expect(await starts(`from=${T0 + 1}&to=${T0 + 3 * MINUTE}`)).toEqual([1, 2])
    expect(await starts(`from=${T0 + 1}&to=${T0 + 3 * MINUTE + 1}`)).toEqual([1, 2, 3])
    expect(await starts(`size=2m&from=${T0 + 1}&to=${T0 + 6 * MINUTE + 1}`)).toEqual([2, 4, 6])
    expect(await starts(`size=2m&from=${T0 + 1}&to=${T0 + 6 * MINUTE}&fill=null`)).toEqual([2, 4])
  })

  it('names of every letter that is allowed are found, exactly; others are refused by name; 200 names fit a request', async () => {
    const odd = ['A.b_c:d/e-f', '-', '..', '0', 'x'.repeat(128), 'a/../b']
    await house.post(odd.map((device, i) => ({ device, metric: i % 2 === 0 ? 'M.e_1' : 'm', ts: T0, value: i })))
    await house.commit()
    for (const [i, device] of odd.entries()) expect(await values(`device=${encodeURIComponent(device)}`)).toEqual([i])
    expect(await values(`device=${odd.map(encodeURIComponent).join(',')}&metric=M.e_1`)).toHaveLength(3)
    for (const device of ['Ä', '温度', 'a b', "a'b", 'a,', 'x'.repeat(129), '%00']) {
      const answer = await house.get(`/v1/readings?device=${encodeURIComponent(device)}`)
      expect([device, answer.status, (await answer.json()).parameter]).toEqual([device, 400, 'device'])
    }
    const names = (n: number) => Array.from({ length: n }, (_, i) => `d${i}`).join(',')
    expect(await values(`device=0,${names(NAMES_MAX - 1)}`)).toEqual([3])
    expect((await house.get(`/v1/readings?device=${names(NAMES_MAX + 1)}`)).status).toBe(400)
    expect((await house.get(`/v1/windows?size=1w&device=${names(NAMES_MAX)}`)).status).toBe(200)
  })
})
