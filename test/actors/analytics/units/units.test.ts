/** Units of metrics: what holds for which, who may edit, and that edits of two at once both stay. */

import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { UnitRegistry, isUnitName, parseUnit } from '../../../../actors/analytics/units/units.ts'
import { DEFAULT_UNITS } from '../../../../actors/analytics/units/defaults.ts'
import { BUCKET_META } from '../../../../runtime/topology.ts'
import { House, until } from '../house.ts'

let house: House
let admin: string
beforeAll(async () => {
  house = await House.open()
  admin = (await house.keyring.create({ role: 'admin' })).secret
})
afterAll(() => house.close())

const send = (method: string, metric: string, body?: unknown, headers: Record<string, string> = {}, key = admin) =>
  house.analytics.app.request(`/v1/units/${metric}`, { method, headers: { authorization: `Bearer ${key}`, ...headers }, body: body === undefined ? undefined : JSON.stringify(body) })
const entry = async (metric: string) => (await house.json('/v1/units')).units.find((row: { metric: string }) => row.metric === metric)

test('common metrics have a unit before anybody edits one', async () => {
  expect(await entry('soil_moisture')).toEqual({ metric: 'soil_moisture', label: 'Soil moisture', unit: '%', decimals: 1, range: null, source: 'default' })
  for (const [name, unit] of Object.entries(DEFAULT_UNITS)) {
    expect(isUnitName(name), name).toBe(true)
    expect(parseUnit(unit), name).toEqual(unit)
  }
})

test('an admin edits an entry, which goes before the built-in one until it is taken out', async () => {
  const mine = { label: 'Wetness', unit: 'vol. %', decimals: 2, range: [0, 60] }
  const answer = await send('PUT', 'soil_moisture', mine)
  expect([answer.status, await answer.json()]).toEqual([200, { metric: 'soil_moisture', ...mine, source: 'edited' }])
  expect(await entry('soil_moisture')).toEqual({ metric: 'soil_moisture', ...mine, source: 'edited' })
  expect((await send('DELETE', 'soil_moisture')).status).toBe(204)
  expect((await entry('soil_moisture')).source).toBe('default')
  expect((await send('DELETE', 'soil_moisture')).status).toBe(404)
  expect((await send('DELETE', 'constructor')).status).toBe(404)
})

test('beginnings of metrics may have an entry as well', async () => {
  expect((await send('PUT', 'tank_*', { unit: 'l' })).status).toBe(200)
  expect(await entry('tank_*')).toEqual({ metric: 'tank_*', label: '', unit: 'l', decimals: 2, range: null, source: 'edited' })
})

test('an analyst reads them and is told that it may not edit; only an admin may', async () => {
  expect((await house.json('/v1/units')).mayEdit).toBe(false)
  expect((await house.json('/v1/units', { key: admin })).mayEdit).toBe(true)
  expect((await send('PUT', 'ec', { unit: 'x' }, {}, house.keys['default analyst'])).status).toBe(403)
  expect((await send('PUT', 'ec', { unit: 'x' }, {}, 'none-such-key')).status).toBe(401)
})

test('edits of a tenant are not those of another', async () => {
  await send('PUT', 'ph', { unit: 'mine' })
  const others = await house.json('/v1/units', { key: house.keys['other analyst'] })
  expect(others.units.find((row: { metric: string }) => row.metric === 'ph').unit).toBe('pH')
})

describe('what can not be stored is refused, with the place in the body', () => {
  for (const [body, pointer] of [
    [[], ''],
    [{ label: 7 }, '/label'],
    [{ label: 'two\nlines' }, '/label'],
    [{ unit: 'x'.repeat(17) }, '/unit'],
    [{ decimals: 1.5 }, '/decimals'],
    [{ range: [1] }, '/range'],
    [{ range: [1, 'x'] }, '/range/1'],
    [{ range: [5, 5] }, '/range/1'],
    [{ symbol: '%' }, '/symbol'],
  ] as const) {
    test(`${JSON.stringify(body)} at ${pointer || 'the whole'}`, async () => {
      const answer = await send('PUT', 'ec', body)
      const problem = (await answer.json()) as { pointer: string; detail: string }
      expect([answer.status, problem.pointer]).toEqual([400, pointer])
      expect(problem.detail).toMatch(/^Cannot use .* as it must be .*: current value is /)
    })
  }
  test('and so is a name that no metric can have', async () => {
    for (const name of ['7up', 'a b', '*', 'a*b', '__proto__']) expect((await send('PUT', encodeURIComponent(name), {})).status, name).toBe(400)
  })
})

test('an edit that knows another revision than there is changes nothing', async () => {
  const before = await house.get('/v1/units', { key: admin })
  const tag = before.headers.get('etag')!
  expect((await send('PUT', 'rain', { unit: 'in' }, { 'if-match': tag })).status).toBe(200)
  const late = await send('PUT', 'rain', { unit: 'cm' }, { 'if-match': tag })
  expect(late.status).toBe(412)
  expect((await entry('rain')).unit).toBe('in')
})

test('stores agree: of edits at once through two of them none is lost, and both show all', async () => {
  const kv = await house.connection.kv(BUCKET_META)
  const [a, b] = [await UnitRegistry.open(kv), await UnitRegistry.open(kv)]
  const unit = parseUnit({ unit: 'u' })
  const names = Array.from({ length: 12 }, (_, i) => `metric_${i}`)
  await Promise.all(names.map((name, i) => (i % 2 === 0 ? a : b).put('shared', name, unit, null)))
  await until('both know all', () => [a, b].every((one) => Object.keys(one.edited('shared').units).length === names.length))
  expect(a.edited('shared')).toEqual(b.edited('shared'))
  a.close()
  b.close()
})

test('bytes that are no units count as none, and the next edit replaces them', async () => {
  const kv = await house.connection.kv(BUCKET_META)
  await kv.set(`units.${Buffer.from('broken').toString('base64url')}`, new TextEncoder().encode('{"x":'))
  const registry = await UnitRegistry.open(kv)
  expect(registry.edited('broken').units).toEqual({})
  await registry.put('broken', 'ec', parseUnit({ unit: 'u' }), null)
  expect(Object.keys(registry.edited('broken').units)).toEqual(['ec'])
  registry.close()
})

test('answers go compressed to who takes that, events and SQL as they are made; a tag of a compressed one still names its revision', async () => {
  const ask = (path: string, init: RequestInit = {}) =>
    house.analytics.app.request(path, { ...init, headers: { authorization: `Bearer ${admin}`, 'accept-encoding': 'gzip', 'content-type': 'application/json' } })
  const answer = await ask('/v1/units')
  expect([answer.status, answer.headers.get('content-encoding'), answer.headers.get('vary')]).toEqual([200, 'gzip', 'Accept-Encoding'])
  const bytes = gunzipSync(await answer.arrayBuffer())
  expect(JSON.parse(bytes.toString())).toEqual(await house.json('/v1/units', { key: admin }))
  expect((await send('PUT', 'rssi', { unit: 'dB' }, { 'if-match': answer.headers.get('etag')! })).status).toBe(200)
  expect((await send('PUT', 'rssi', { unit: 'dBm' }, { 'if-match': answer.headers.get('etag')! })).status).toBe(412)

  const streams = [await ask('/v1/live'), await ask('/v1/sql', { method: 'POST', body: '{"sql": "SELECT 1"}' })]
  for (const stream of streams) {
    expect([stream.status, stream.headers.get('content-encoding')]).toEqual([200, null])
    await stream.body!.cancel()
  }
})
