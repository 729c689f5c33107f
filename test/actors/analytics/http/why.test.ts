/** Why an anomaly is one: how far it is off, and what the neighbours did, fresh and sealed. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WHY_ROWS_MAX } from '../../../../runtime/limits.ts'
import { House, MINUTE, T0, windowRow } from '../house.ts'
import type { NamedAnomaly } from '../house.ts'

const QUARTER = 15 * MINUTE
const HOUR = 60 * MINUTE
const [QUARTERS, HOURS] = [1, 2]
let house: House
beforeEach(async () => {
  house = await House.open()
})
afterEach(() => house.close())

const anomaly = (device: string, ts: number, over: Partial<NamedAnomaly> = {}): NamedAnomaly => ({ device, metric: 'm', ts, value: 9, score: 0.9, expected: 1.5, lower: 0, upper: 2, reason: 'far', kind: 'spike', part: 'residual', ...over })
/** An hour's window, its mean the value. */
const hour = (device: string, start: number, mean: number, over = {}) => windowRow(device, start, [mean - 1, mean + 1], { size: HOURS, ...over })
const why = async (query = '', key = 'default analyst'): Promise<any[]> => (await house.json(`/v1/anomalies?time=ms&why=true${query}`, { key: house.keys[key] })).anomalies
const told = async (query?: string, key?: string) => (await why(query, key)).map(({ device, residual, neighbours }) => [device, residual, neighbours])

describe('why an anomaly is one', () => {
  it('says how far it is off, and what the other devices of its kind did in its hour: those alone that measured, and that stood out near it', async () => {
    const at = T0 + 20 * MINUTE
    await house.commit({
      windows: [
        // Its own, four of its kind, one of which measured another metric, one an hour later; and two that are no neighbours.
        hour('field-1/probe-1', T0, 9), hour('field-1/probe-2', T0, 2), hour('field-2/probe-13', T0, 4), hour('field-30/probe-1', T0, 3),
        hour('field-4/probe-1', T0, 50, { metric: 'other' }), hour('field-5/probe-1', T0 + HOUR, 50), hour('field-1/pump-2', T0, 70), hour('mast', T0, 80),
      ],
      anomalies: [
        anomaly('field-1/probe-1', at), anomaly('field-1/probe-2', at - QUARTER, { score: 0.5 }), anomaly('field-2/probe-13', at + QUARTER + 1),
        anomaly('field-30/probe-1', at, { metric: 'other' }), anomaly('field-5/probe-1', at), anomaly('mast', at),
      ],
    })
    const expected = { kind: 'field-#/probe-#', devices: 3, unusual: 1, median: 3 }
    const asked = `&device=field-1/probe-1`
    expect(await told(asked)).toEqual([['field-1/probe-1', 7.5, expected]])
    await house.seal()
    expect(await told(asked)).toEqual([['field-1/probe-1', 7.5, expected]])
    const [without] = (await house.json('/v1/anomalies?device=field-1/probe-1')).anomalies
    expect(Object.keys(without)).not.toContain('neighbours')
  })

  it('takes all that measured the metric where none of its kind did, and says nothing of nobody', async () => {
    await house.commit({
      windows: [hour('tank', T0, 5), hour('silo', T0, 1), hour('lake', T0, 2), hour('lonely', T0, 2, { metric: 'own' })],
      anomalies: [anomaly('tank', T0), anomaly('silo', T0 + QUARTER), anomaly('lonely', T0, { metric: 'own', expected: NaN })],
    })
    const expected = [
      ['lonely', null, { kind: null, devices: 0, unusual: 0, median: null }],
      ['tank', 7.5, { kind: null, devices: 2, unusual: 1, median: 1.5 }],
      ['silo', 7.5, { kind: null, devices: 2, unusual: 1, median: 3.5 }],
    ]
    expect(await told()).toEqual(expected)
  })

  it('counts a window once, by its newest version: fresh before sealed, and the store’s own before both', async () => {
    await house.commit({ windows: [hour('d-1', T0, 9), hour('d-2', T0, 1), hour('d-3', T0, 1)], anomalies: [anomaly('d-1', T0)] })
    await house.seal()
    await house.sealWindow(hour('d-3', T0, 5, { closedBy: 'late' }), 0)
    await house.commit({ windows: [hour('d-2', T0, 3), hour('d-3', T0, 2)] })
    const expected = [['d-1', 7.5, { kind: 'd-#', devices: 2, unusual: 0, median: 4 }]]
    expect(await told()).toEqual(expected)
    await house.seal()
    expect(await told()).toEqual(expected)
  })

  it('goes by windows of a quarter of an hour where the hour is not over', async () => {
    const now = Date.now()
    const quarter = (back: number) => Math.floor(now / QUARTER) * QUARTER - back * QUARTER
    const row = (device: string, back: number, mean: number) => windowRow(device, quarter(back), [mean], { size: QUARTERS })
    await house.commit({
      windows: [row('d-2', 4, 70), row('d-2', 1, 2), row('d-3', 4, 6), row('d-4', 5, 80), hour('d-5', Math.floor(now / HOUR) * HOUR, 90)],
      anomalies: [anomaly('d-1', now)],
    })
    const expected = [['d-1', 7.5, { kind: 'd-#', devices: 2, unusual: 0, median: 4 }]]
    expect(await told()).toEqual(expected)
    await house.seal()
    expect(await told()).toEqual(expected)
  })

  it('is of one tenant alone', async () => {
    await house.commit({ windows: [hour('d-1', T0, 9), hour('d-2', T0, 2)], anomalies: [anomaly('d-1', T0)] })
    await house.commit({ tenant: 'other', windows: [hour('d-3', T0, 50), hour('d-4', T0, 60)], anomalies: [anomaly('d-3', T0)] })
    const mine = [['d-1', 7.5, { kind: 'd-#', devices: 1, unusual: 0, median: 2 }]]
    const theirs = [['d-3', 7.5, { kind: 'd-#', devices: 1, unusual: 0, median: 60 }]]
    expect([await told(), await told('', 'other analyst')]).toEqual([mine, theirs])
    await house.seal()
    expect([await told(), await told('', 'other analyst')]).toEqual([mine, theirs])
  })

  it('comes in pages of few rows, with cursors that lead on, and as columns where the format is a table', async () => {
    const many = WHY_ROWS_MAX + 5
    await house.commit({ windows: [hour('d-2', T0, 2)], anomalies: Array.from({ length: many }, (_, i) => anomaly('d-1', T0 + i)) })
    const first = await house.json('/v1/anomalies?time=ms&why=true&limit=5000')
    const second = await house.json(`/v1/anomalies?time=ms&why=true&limit=5000&cursor=${first.cursor}`)
    expect([first.anomalies.length, second.anomalies.length, second.cursor]).toEqual([WHY_ROWS_MAX, 5, null])
    expect([...first.anomalies, ...second.anomalies].every((row: any) => row.neighbours.devices === 1)).toBe(true)
    const lines = (await (await house.get('/v1/anomalies?why=true&format=csv&limit=1')).text()).trim().split('\r\n')
    expect(lines[0]).toMatch(/,useful,residual,neighbours_kind,neighbours_devices,neighbours_unusual,neighbours_median$/)
    expect(lines[1]).toMatch(/,7\.5,d-#,1,0,2$/)
    for (const format of ['arrow', 'parquet']) expect((await house.get(`/v1/anomalies?why=true&format=${format}`)).status).toBe(200)
    expect((await house.get('/v1/anomalies?why=maybe')).status).toBe(400)
  })
})
