/** Routes of alerts: edited by compare-and-set, by admins alone, and never a secret in an answer but the one by which it was drawn. */

import { afterEach, beforeEach, expect, it } from 'vitest'
import { runErrands } from '../../../../actors/notify/errands.ts'
import { reachOf } from '../../../../actors/notify/reach.ts'
import { RouteRegistry } from '../../../../actors/notify/routes.ts'
import { emptyRoute, emptyState, stateKey } from '../../../../actors/notify/state.ts'
import { systemClock } from '../../../../runtime/clock.ts'
import { BUCKET_NOTIFY } from '../../../../runtime/topology.ts'
import { quietLogger } from '../../../support/quiet-logger.ts'
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

it('are refused where the operator lets nobody send, and tried by a message of their own; without a notifier neither is known', async () => {
  expect((await ask('PUT', '/v1/routes/lan', { body: { target: { webhook: { url: 'http://169.254.169.254/latest/s3cr3t' } } } })).status).toBe(200)
  expect(await ask('POST', '/v1/routes/lan/test')).toMatchObject({ status: 503, json: { title: 'No notifier', detail: expect.stringContaining('weir notifier') } })
  const connection = house.world.connect()
  const routes = await RouteRegistry.open(await connection.kv(BUCKET_NOTIFY))
  const send = async (target: object) => ('url' in target && String(target.url).endsWith('503') ? { kind: 'away' as const, error: 'the receiver answered 503', status: 503 } : { kind: 'taken' as const })
  const end = runErrands({ bus: connection.bus, routes, senders: { webhook: send, email: send, nats: send, mqtt: send }, reach: reachOf(null), clock: systemClock, logger: quietLogger().logger, isOn: () => true })
  try {
    for (const [target, pointer] of [
      [{ webhook: { url: 'http://169.254.169.254/latest/s3cr3t' } }, '/target/webhook/url'], [{ mqtt: { url: 'mqtt://[fe80::1]', topic: 'x' } }, '/target/mqtt/url'],
      [{ email: { to: 'a@example.org', from: 'w@example.org', server: 'smtp://0.0.0.0' } }, '/target/email/server'],
    ] as const) {
      const { status, json } = await ask('PUT', '/v1/routes/meta', { body: { target } })
      expect([status, json.pointer, json.detail]).toEqual([400, pointer, expect.stringMatching(/must lead where alerts may be sent to: Cannot send to \S+ as its address must be/)])
      expect(json.detail).not.toContain('s3cr3t')
    }
    expect((await ask('GET', '/v1/routes/meta')).status).toBe(404)
    for (const [name, answer] of [['well', { delivered: true, error: null, status: null }], ['503', { delivered: false, error: 'the receiver answered 503', status: 503 }]] as const) {
      expect((await ask('PUT', `/v1/routes/${name}`, { body: { target: { webhook: { url: `http://127.0.0.1:9/${name}` } } } })).status).toBe(200)
      expect((await ask('POST', `/v1/routes/${name}/test`)).json).toEqual({ id: name, ...answer })
      // What was tried is no part of what was told.
      expect((await ask('GET', `/v1/routes/${name}`)).json.status).toMatchObject({ sent: 0, failing: false })
    }
    expect((await ask('POST', '/v1/routes/none/test')).status).toBe(404)
    expect((await ask('POST', '/v1/routes/well/test', { key: house.keys['default analyst'] })).status).toBe(403)
  } finally {
    end()
    routes.close()
    await connection.close()
  }
})
