/** Routes of alerts: edited by compare-and-set, by admins alone, and never a secret in an answer but the one by which it was drawn. */

import { afterEach, beforeEach, expect, it } from 'vitest'
import { emptyRoute, emptyState, stateKey } from '../../../../actors/notify/state.ts'
import { BUCKET_NOTIFY } from '../../../../runtime/topology.ts'
import { House, until } from '../house.ts'

let house: House
let admin: string
beforeEach(async () => {
  house = await House.open()
  admin = (await house.keyring.create({ tenant: 'default', role: 'admin' })).secret
})
afterEach(() => house.close())

const URL_ = 'https://hooks.example.org/T0/s3cr3t'
const ask = async (method: string, path: string, { body, key = admin, headers = {} }: { body?: unknown; key?: string; headers?: Record<string, string> } = {}) => {
  const answer = await house.analytics.app.request(path, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  const text = await answer.text()
  return { status: answer.status, tag: answer.headers.get('etag')!, text, json: (text === '' ? null : JSON.parse(text)) as any }
}

it('are edited by who knows their revision, of one tenant, for admins; what is secret is told once and never shown', async () => {
  for (const [method, path] of [['GET', '/v1/routes'], ['GET', '/v1/routes/phone'], ['PUT', '/v1/routes/phone'], ['DELETE', '/v1/routes/phone']]) {
    expect((await ask(method, path, { key: house.keys['default analyst'] })).status).toBe(403)
  }
  const put = await ask('PUT', '/v1/routes/phone', { body: { target: { webhook: { url: URL_ } } }, headers: { 'if-none-match': '*' } })
  expect(put.json).toMatchObject({ id: 'phone', enabled: true, route: { target: { webhook: { url: 'https://hooks.example.org/…', secret: '…' } } }, secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/) })
  const got = await ask('GET', '/v1/routes/phone')
  expect(got.tag).toBe(put.tag)
  expect(got.json.status).toEqual({ sent: 0, waiting: 0, silenced: 0, given_up: 0, last_sent_at: null, oldest_waiting_since: null, failing: false, failing_since: null, last_error: null, last_error_at: null })
  for (const { text } of [got, await ask('GET', '/v1/routes')]) expect(text).not.toMatch(/whsec|s3cr3t/)
  // As it was shown it goes back, with a change.
  const changed = await ask('PUT', '/v1/routes/phone', { body: { ...got.json.route, remind: '2h' }, headers: { 'if-match': got.tag } })
  expect([changed.status, changed.json.secret, changed.json.route.remind]).toEqual([200, undefined, '2h'])
  const kv = await house.connection.kv(BUCKET_NOTIFY)
  const [key] = await kv.keys()
  expect(JSON.parse(new TextDecoder().decode((await kv.get(key))!.value)).document.target.webhook).toEqual({ url: URL_, secret: put.json.secret })
  expect((await ask('PUT', '/v1/routes/phone', { body: { target: { nats: {} } }, headers: { 'if-match': got.tag } })).status).toBe(412)
  expect((await ask('DELETE', '/v1/routes/phone', { headers: { 'if-match': got.tag } })).status).toBe(412)
  expect(await ask('PUT', '/v1/routes/phone', { body: { target: { webhook: { url: 'ftp://x' } } } })).toMatchObject({ status: 400, json: { title: 'Bad route', pointer: '/target/webhook/url' } })
  expect((await ask('GET', '/v1/routes/no route')).status).toBe(400)
  const other = (await house.keyring.create({ tenant: 'other', role: 'admin' })).secret
  expect((await ask('GET', '/v1/routes', { key: other })).json).toEqual({ routes: [] })
  expect((await ask('DELETE', '/v1/routes/phone', { key: other })).status).toBe(404)

  const state = { ...emptyState('default'), routes: { phone: { ...emptyRoute(), sent: 3, givenUp: 1, failures: 2, failingSinceMs: 1_767_225_600_000, lastError: 'the receiver answered 503' } } }
  await kv.set(stateKey('default'), new TextEncoder().encode(JSON.stringify(state)))
  expect((await ask('GET', '/v1/routes/phone')).json.status).toMatchObject({ sent: 3, given_up: 1, failing: true, failing_since: '2026-01-01T00:00:00.000Z', last_error: 'the receiver answered 503' })

  await house.restart()
  await until('it is there', async () => (await ask('GET', '/v1/routes/phone')).status === 200)
  expect((await ask('DELETE', '/v1/routes/phone')).status).toBe(204)
  expect((await ask('GET', '/v1/routes/phone')).status).toBe(404)
  expect((await ask('PUT', '/v1/routes/phone', { body: { target: { nats: {} } }, headers: { 'if-none-match': '*' } })).status).toBe(200)
  expect((await ask('GET', '/v1/routes/phone')).status).toBe(200)
})
