/** Plots: checked with the place of what is wrong, edited by compare-and-set, told to the actor with what the clocks of their zone do; and their advice, as the view has it. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PlotRegistry } from '../../../../actors/farm/plots.ts'
import { watchDocuments } from '../../../../actors/own/documents.ts'
import { BUCKET_META } from '../../../../runtime/topology.ts'
import { House } from '../house.ts'

let house: House
let admin: string
beforeEach(async () => {
  house = await House.open()
  admin = (await house.keyring.create({ tenant: 'default', role: 'admin' })).secret
})
afterEach(() => house.close())

const NORTH = { name: 'North', crop: 'maize', planted: '2026-04-20', soil: 'loam', areaHa: 1, latitude: 48.2, longitude: 16.4, zone: 'europe/vienna', measures: { rain: { device: 'station', metric: 'rain' } } }
const ask = (method: string, path: string, { body, key = admin, headers }: { body?: unknown; key?: string; headers?: Record<string, string> } = {}) =>
  house.analytics.app.request(path, { method, headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers }, body: body === undefined ? undefined : JSON.stringify(body) })

describe('plots', () => {
  it('are put by admins who know their revision, are of one tenant, and refuse what is no plot with its place', async () => {
    expect((await ask('PUT', '/v1/plots/north', { body: NORTH, key: house.keys['default analyst'] })).status).toBe(403)
    const put = await ask('PUT', '/v1/plots/north', { body: NORTH, headers: { 'if-none-match': '*' } })
    const entry = { id: 'north', revision: expect.any(Number), plot: { ...NORTH, zone: 'Europe/Vienna' }, advice: null }
    expect([put.status, await put.json()]).toEqual([200, entry])
    expect((await ask('PUT', '/v1/plots/north', { body: NORTH, headers: { 'if-none-match': '*' } })).status).toBe(412)
    const bad = await ask('PUT', '/v1/plots/north', { body: { ...NORTH, soil: 'gold' }, headers: { 'if-match': put.headers.get('etag')! } })
    expect([bad.status, await bad.json()]).toEqual([400, expect.objectContaining({ pointer: '/soil', detail: expect.stringMatching(/^Cannot use this plot as \/soil must be one of/) })])
    for (const [changes, pointer] of [[{ zone: 'Mars/Olympus' }, '/zone'], [{ offsets: [0, 0] }, '/offsets']] as const) {
      expect(await (await ask('PUT', '/v1/plots/south', { body: { ...NORTH, ...changes } })).json()).toMatchObject({ pointer })
    }
    const changed = await ask('PUT', '/v1/plots/north', { body: { ...NORTH, areaHa: 2 }, headers: { 'if-match': put.headers.get('etag')! } })
    expect(changed.status).toBe(200)
    expect((await ask('DELETE', '/v1/plots/north', { headers: { 'if-match': put.headers.get('etag')! } })).status).toBe(412)

    expect(await (await ask('GET', '/v1/plots', { key: house.keys['default analyst'] })).json()).toEqual({ plots: [{ ...entry, plot: { ...entry.plot, areaHa: 2 } }], advised: false, mayEdit: false })
    expect(await (await ask('GET', '/v1/plots', { key: house.keys['other analyst'] })).json()).toEqual({ plots: [], advised: false, mayEdit: false })
    expect((await ask('GET', '/v1/plots/north', { key: house.keys['other analyst'] })).status).toBe(404)
    const one = await ask('GET', '/v1/plots/north?days=30')
    expect([one.headers.get('etag'), await one.json()]).toEqual([changed.headers.get('etag'), { ...entry, plot: { ...entry.plot, areaHa: 2 }, days: [] }])
    expect((await ask('GET', '/v1/plots/north?days=0')).status).toBe(400)
  })

  it('reach the actor as documents with the changes of their clocks, and other stores by a watch; so does their end', async () => {
    await ask('PUT', '/v1/plots/north', { body: NORTH })
    const kv = await house.connection.kv(BUCKET_META)
    const told: (string | null)[] = []
    const unwatch = await watchDocuments(kv, 'advice', ({ body }) => told.push(body))
    const other = await PlotRegistry.open(kv)
    expect(JSON.parse(told[0]!)).toMatchObject({ name: 'North', zone: 'Europe/Vienna', offsets: expect.arrayContaining([3_600_000, 7_200_000]) })
    expect(other.find('default', 'north')!.document).toEqual({ ...NORTH, zone: 'Europe/Vienna' })
    expect((await ask('DELETE', '/v1/plots/north')).status).toBe(204)
    expect((await ask('DELETE', '/v1/plots/north')).status).toBe(404)
    await expect.poll(() => [told.at(-1), other.of('default')]).toEqual([null, []])
    unwatch()
    other.close()
  })

  it('stand in /openapi.json', async () => {
    const { paths } = (await (await ask('GET', '/openapi.json')).json()) as { paths: Record<string, object> }
    expect([Object.keys(paths['/v1/plots']), Object.keys(paths['/v1/plots/{id}']).sort()]).toEqual([['get'], ['delete', 'get', 'put']])
  })
})
