/** Drivers: named through the API, each hour of one relayed to the partition of what it drives, effects shown as they were committed. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decodeInput } from '../../../../actors/reading/input.ts'
import { inputStream, partitionFor } from '../../../../runtime/topology.ts'
import { House, T0, until, windowRow } from '../house.ts'

let house: House
let admin: string
beforeEach(async () => {
  house = await House.open()
  admin = (await house.keyring.create({ tenant: 'default', role: 'admin' })).secret
})
afterEach(() => house.close())

const name = (body: unknown, key = admin) =>
  house.analytics.app.request('/v1/drivers', { method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body: JSON.stringify(body) })
const rain = { device: 'mast', metric: 'rain' }
const soil = { device: 'probe', metric: 'moisture', drivers: [{ device: 'mast', metric: 'wind' }, rain] }

describe('drivers', () => {
  it('get each closed hour to the partition of what they drive, and no other window', async () => {
    expect((await name(soil)).status).toBe(200)
    await house.commit({
      windows: [
        windowRow('mast', T0, [2, 4], { metric: 'rain', size: 2 }), windowRow('mast', T0, [9], { metric: 'rain', size: 1 }), windowRow('mast', T0 + 3_600_000, [7], { metric: 'rain', size: 2, closedBy: 'open' }),
        windowRow('mast', T0, [1], { metric: 'pressure', size: 2 }), windowRow('other', T0, [1], { metric: 'rain', size: 2 }),
      ],
    })
    await house.commit({ tenant: 'other', windows: [windowRow('mast', T0, [99], { metric: 'rain', size: 2 })] })
    const stream = inputStream(house.topology, partitionFor(house.topology, 'default', 'probe'))
    await until('the hour is there', async () => (await house.connection.log.info(stream)).lastSeq > 0)
    expect((await house.connection.log.info(stream)).lastSeq).toBe(1)
    expect(decodeInput((await house.connection.log.at(stream, 1))!.data)).toEqual({ kind: 'hour', tenant: 'default', device: 'probe', metric: 'moisture', slot: 1, driver: 'mast\nrain', hour: T0, value: 3 })
  })

  it('show what they were found to do, fresh as sealed, the newest of several', async () => {
    await name(soil)
    expect(await house.json('/v1/drivers?device=probe&metric=moisture')).toEqual({ device: 'probe', metric: 'moisture', gain: null, used: false, hours: 0, learned_at: null, drivers: [{ device: 'mast', metric: 'wind' }, rain], mayEdit: false })
    const row = (at: number, effect: number, gain = 0.8) => ({ device: 'probe', metric: 'moisture', at, driverDevice: 'mast', driverMetric: 'rain', effects: [effect, 0, 0], errors: [0.1, 0.2, 0.3], gain, hours: 200 })
    await house.commit({ drivers: [row(T0, 0.5, 1)] })
    expect(await house.json('/v1/drivers?device=probe&metric=moisture')).toMatchObject({ gain: 1, used: false })
    await house.commit({ drivers: [row(T0 + 86_400_000, 0.6)] })
    const shown = await house.json('/v1/drivers?device=probe&metric=moisture&time=ms')
    expect(shown).toMatchObject({ gain: 0.8, used: true, hours: 200, learned_at: T0 + 86_400_000 })
    expect(shown.drivers[1]).toEqual({ ...rain, last_hour: { effect: 0.6, error: 0.1 }, last_6h: { effect: 0, error: 0.2 }, last_24h: { effect: 0, error: 0.3 } })
    await house.seal()
    expect(await house.json('/v1/drivers?device=probe&metric=moisture&time=ms')).toEqual(shown)
    await name({ ...soil, drivers: [] })
    expect((await house.json('/v1/drivers?device=probe&metric=moisture')).drivers).toEqual([])
  })

  it('are named by admins alone, and only such as can drive', async () => {
    expect((await name(soil, house.keys['default analyst'])).status).toBe(403)
    for (const [bad, pointer] of [
      [{ ...soil, drivers: [rain, { device: 'probe', metric: 'moisture' }] }, '/drivers/1'], [{ ...soil, drivers: [rain, rain] }, '/drivers/1'],
      [{ ...soil, drivers: ['a', 'b', 'c', 'd', 'e'].map((device) => ({ device, metric: 'm' })) }, '/drivers'], [{ ...soil, device: 'a b' }, '/device'],
      [{ ...soil, drivers: [{ device: 'mast', metric: '1' }] }, '/drivers/0/metric'], [{ ...soil, drivers: [rain, { device: '', metric: 'm' }] }, '/drivers/1/device'],
      [{ device: 'probe' }, undefined], [{ ...soil, more: 1 }, undefined],
    ] as const) {
      const answer = await name(bad)
      expect([bad, answer.status, ((await answer.json()) as { pointer?: string }).pointer]).toEqual([bad, 400, pointer])
    }
    expect((await (await house.get('/v1/drivers?device=probe&metric=moisture', { key: admin })).json()) as object).toMatchObject({ mayEdit: true })
    expect((await house.json('/v1/drivers?device=probe&metric=moisture')).drivers).toEqual([])
  })
})

