/** Forecasts and answers to anomalies, fresh and sealed, through the API. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decodeInput } from '../../../../actors/reading/input.ts'
import { inputStream, partitionFor } from '../../../../runtime/topology.ts'
import { forecastRow, House, T0 } from '../house.ts'

const HOUR = 3_600_000
let house: House
beforeEach(async () => {
  house = await House.open()
})
afterEach(() => house.close())

/** The hour that is under way. */
const thisHour = () => Math.floor(Date.now() / HOUR) * HOUR
const forecast = (query = '') => house.json(`/v1/forecast?device=d&metric=m&time=ms${query}`)

describe('a forecast', () => {
  it('shows of each hour the newest that was made of it, fresh as sealed, and goes on with an older one where that reaches further', async () => {
    const now = thisHour()
    await house.commit({ forecasts: [forecastRow('d', now - HOUR, 168, 100, { model: 'week' }), forecastRow('other', now, 24, 7)] })
    const shown = async () => {
      const { model, made_at, forecast: rows } = await forecast('&horizon=30h')
      return { model, made_at: made_at - now, means: rows.map((row: any) => row.mean), first: rows[0].ts - now }
    }
    const first = await shown()
    expect(first).toEqual({ model: 'week', made_at: -HOUR, means: Array.from({ length: first.means.length }, (_, i) => 101 + i), first: 0 })
    await house.seal()
    expect(await shown()).toEqual(first)
    await house.commit({ forecasts: [forecastRow('d', now, 24, 500, { model: 'day', coverage: 0.951, error: 0.25 })] })
    const second = await shown()
    expect([second.model, second.made_at, second.means[0], second.means[23], second.means[24]]).toEqual(['day', 0, 500, 523, 125])
    await house.seal()
    expect(await shown()).toEqual(second)
    const { coverage, error, forecast: [row] } = await forecast()
    expect([coverage, error]).toEqual([0.951, 0.25])
    expect(row).toEqual({ ts: now, mean: 500, lower: 498, upper: 502, lower80: 499, upper80: 501 })
  })

  it('reaches as far as it is asked, a day where nothing is said, and is a list in every format', async () => {
    await house.commit({ forecasts: [forecastRow('d', thisHour(), 168, 0)] })
    expect((await forecast()).forecast.length).toBe(25)
    expect((await forecast('&horizon=2h')).forecast.length).toBe(3)
    const lines = (await (await house.get('/v1/forecast?device=d&metric=m&format=csv&horizon=1h')).text()).trim().split('\r\n')
    expect(lines[0]).toBe('ts,mean,lower,upper,lower80,upper80,made_at,model')
    expect(lines[1].split(',').slice(1, 6)).toEqual(['0', '-2', '2', '-1', '1'])
  })

  it('is the tail of a graph that reaches the present, and of no other', async () => {
    const now = thisHour()
    await house.post([{ device: 'd', ts: now - 1, value: 3 }])
    await house.commit({ forecasts: [forecastRow('d', now, 24, 10)] })
    const tail = async (query: string) => (await house.json(`/v1/graph?device=d&metric=m&time=ms${query}`)).forecast
    expect(await tail('&from=-9h')).toMatchObject({ model: 'theta', made_at: now, ts: [0, 1, 2, 3].map((h) => now + h * HOUR + HOUR / 2), mean: [10, 11, 12, 13], upper: [12, 13, 14, 15] })
    expect((await tail('&horizon=5h')).mean.length).toBe(6)
    expect(await tail('&horizon=0s')).toBeNull()
    expect(await tail('&from=-9h&to=-2h')).toBeNull()
  })

  it('is one event of a live stream', async () => {
    const response = await house.get('/v1/live?device=d&kind=forecast&time=ms')
    const reader = response.body!.getReader()
    await house.commit({ forecasts: [forecastRow('d', T0, 2, 10, { coverage: 0.9, error: 1 }), forecastRow('e', T0, 2, 10)] })
    let text = ''
    while (!text.includes('event: forecast')) text += Buffer.from((await reader.read()).value!).toString()
    await reader.cancel()
    const data = JSON.parse(/event: forecast\nid: .*\ndata: (.*)\n/.exec(text)![1])
    expect(data).toMatchObject({ device: 'd', metric: 'm', model: 'theta', made_at: T0, coverage: 0.9, error: 1 })
    expect(data.forecast.map((row: any) => [row.ts - T0, row.mean])).toEqual([[0, 10], [HOUR, 11]])
    expect(text).not.toContain('"device":"e"')
  })

  it('is a row an hour of the view forecasts, for its own tenant alone', async () => {
    await house.commit({ forecasts: [forecastRow('d', T0, 3, 1)] })
    const rows = async (key?: string) => {
      const answer = await house.analytics.app.request('/v1/sql', {
        method: 'POST',
        headers: { authorization: `Bearer ${house.keys[key ?? 'default analyst']}`, 'content-type': 'application/json' },
        body: JSON.stringify({ sql: 'SELECT device, epoch_ms(ts) AS ts, mean, lower80, model, coverage FROM forecasts ORDER BY ts' }),
      })
      return ((await answer.json()) as { rows: unknown[] }).rows
    }
    const fresh = await rows()
    expect(fresh).toHaveLength(3)
    expect(JSON.stringify(fresh[2])).toContain('null')
    await house.seal()
    expect(await rows()).toEqual(fresh)
    expect(await rows('other analyst')).toEqual([])
  })
})

describe('an answer to an anomaly', () => {
  const anomaly = { device: 'd', metric: 'm', ts: T0, value: 9, score: 0.9, expected: 1, lower: 0, upper: 2, reason: 'far', kind: 'spike', part: 'residual' }
  const post = (body: unknown, key = 'default analyst') =>
    house.analytics.app.request('/v1/anomalies/feedback?time=ms', {
      method: 'POST',
      headers: { authorization: `Bearer ${house.keys[key]}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const shown = async () => (await house.json('/v1/anomalies?time=ms')).anomalies.map(({ ts, kind, part, useful }: any) => [ts - T0, kind, part, useful])

  it('is an event in the log of its partition; once committed it shows, the last of several, fresh and sealed', async () => {
    await house.commit({ anomalies: [anomaly, { ...anomaly, ts: T0 + 1, kind: undefined, part: undefined }] })
    expect(await shown()).toEqual([[0, 'spike', 'residual', null], [1, null, null, null]])
    const answer = await post({ device: 'd', metric: 'm', ts: new Date(T0).toISOString(), useful: false })
    expect([answer.status, await answer.json()]).toEqual([200, { device: 'd', metric: 'm', ts: T0, value: 9, useful: false }])
    const stream = inputStream(house.topology, partitionFor(house.topology, 'default', 'd'))
    const { lastSeq } = await house.connection.log.info(stream)
    expect(decodeInput((await house.connection.log.at(stream, lastSeq))!.data)).toEqual({ kind: 'feedback', tenant: 'default', device: 'd', metric: 'm', ts: T0, value: 9, useful: false })
    const said = { device: 'd', metric: 'm', ts: T0, value: 9, factor: 1.25 }
    await house.commit({ feedback: [{ ...said, useful: true }] })
    await house.seal()
    expect((await shown())[0]).toEqual([0, 'spike', 'residual', true])
    await house.commit({ feedback: [{ ...said, useful: false }] })
    expect(await shown()).toEqual([[0, 'spike', 'residual', false], [1, null, null, null]])
    await house.seal()
    expect((await shown())[0][3]).toBe(false)
    expect(await (await house.get('/v1/anomalies?format=csv')).text()).toContain(',spike,residual,false')
    for (const format of ['arrow', 'parquet']) expect((await house.get(`/v1/anomalies?format=${format}`)).status).toBe(200)
  })

  it('to none that there is, or that says not what it must, is refused, and nothing goes into the log', async () => {
    await house.commit({ anomalies: [anomaly, { ...anomaly, value: 10 }] })
    const lastOf = async () => Promise.all(Array.from({ length: house.topology.streams }, async (_, i) => (await house.connection.log.info(`READINGS_${i}`)).lastSeq))
    const before = await lastOf()
    const good = { device: 'd', metric: 'm', ts: T0, value: 9, useful: true }
    for (const [status, body, key] of [
      [404, { ...good, ts: T0 + 5 }], [404, { ...good, value: 11 }], [404, { ...good, device: 'e' }], [400, { ...good, value: undefined }], [400, { ...good, useful: 'yes' }],
      [400, { ...good, ts: 'soon' }], [400, { ...good, more: 1 }], [403, good, 'default device'], [404, good, 'other analyst'],
    ] as const) {
      expect([body, key, (await post(body, key)).status]).toEqual([body, key, status])
    }
    expect(await lastOf()).toEqual(before)
    expect((await post(good)).status).toBe(200)
  })
})
