/** What stores ask the notifier for: a route is tried by one message, a host is looked at; where nobody is there that is known at once. */

import { expect, it } from 'vitest'
import { Errands, runErrands } from '../../../actors/notify/errands.ts'
import type { Outcome } from '../../../actors/notify/desk.ts'
import type { Outgoing } from '../../../actors/notify/outgoing.ts'
import { reachOf } from '../../../actors/notify/reach.ts'
import { RouteRegistry } from '../../../actors/notify/routes.ts'
import { NOTIFY_ANSWER_MAX_MS, NOTIFY_TESTS_MAX } from '../../../runtime/limits.ts'
import { BUCKET_NOTIFY } from '../../../runtime/topology.ts'
import { HOOK, SECRET, Stage } from './stage.ts'

/** A notifier that runs errands, and a store that asks. */
async function pair({ isOn = true } = {}) {
  const stage = await Stage.open()
  const connection = stage.world.connect()
  const kv = await connection.kv(BUCKET_NOTIFY)
  const routes = await RouteRegistry.open(kv)
  const sent: Outgoing[] = []
  let answer: () => Outcome | Promise<Outcome> = () => ({ kind: 'taken', status: 204 })
  const send = async (_: unknown, message: Outgoing) => {
    sent.push(message)
    return answer()
  }
  const { clock, lines } = stage
  const end = runErrands({ bus: connection.bus, routes, senders: { webhook: send, email: send, nats: send, mqtt: send }, reach: reachOf('127.0.0.1, hooks.example.org', async () => [{ address: '203.0.113.7', family: 4 }]), clock, logger: lines.logger, isOn: () => isOn })
  const store = stage.world.connect()
  const heard: string[] = []
  store.bus.listen('weir.>', (data) => heard.push(new TextDecoder().decode(data)))
  const { stored } = await routes.put('default', 'phone', { name: 'Phone', target: HOOK, enabled: false }, null, () => SECRET)
  const settle = async <T>(asked: Promise<T>, ms = 100) => {
    let given: { value: T } | null = null
    void asked.then((value) => (given = { value }))
    await clock.advance(ms)
    return given === null ? 'waits' : (given as { value: T }).value
  }
  return { stage, store, errands: new Errands(store.bus, clock), sent, heard, end, settle, revision: stored.revision, say: (next: typeof answer) => (answer = next) }
}

it('a route is tried by a message of its own, once, though it is switched off; what its receiver says comes back, and no secret travels', async () => {
  const { errands, sent, heard, settle, revision, say, end } = await pair()
  expect(await settle(errands.test('default', 'phone', revision))).toEqual({ delivered: true, error: null, status: 204 })
  expect(sent).toHaveLength(1)
  expect(sent[0]).toMatchObject({ tenant: 'default', route: 'phone', title: 'A test of the route Phone', id: expect.stringMatching(/^msg_test-/) })
  expect(JSON.parse(sent[0].body)).toMatchObject({ id: sent[0].id, type: 'test', data: { route: 'phone', alerts: [] } })
  say(() => ({ kind: 'away', status: 503, error: 'the receiver answered 503' }))
  expect(await settle(errands.test('default', 'phone', revision))).toEqual({ delivered: false, error: 'the receiver answered 503', status: 503 })
  say(() => {
    throw new Error('a bug')
  })
  expect(await settle(errands.test('default', 'phone', revision))).toMatchObject({ delivered: false, error: expect.stringContaining('the log of the notifier says why') })
  expect(new Set(sent.map(({ id }) => id)).size).toBe(3)
  expect(heard.length).toBeGreaterThanOrEqual(6)
  expect(heard.join()).not.toMatch(/whsec|9\/hook/)
  end()
})

it('a route that the notifier does not know yet is waited for, and not for ever; what is no route of the tenant is none', async () => {
  const { errands, settle, revision, stage, end } = await pair()
  const asked = errands.test('default', 'late', revision + 1)
  expect(await settle(asked, 500)).toBe('waits')
  await stage.route('late', { name: 'Late' })
  expect(await settle(asked)).toMatchObject({ delivered: true })
  expect(await settle(errands.test('other', 'phone', revision), 3_000)).toMatchObject({ delivered: false, error: expect.stringContaining('does not know the route yet') })
  end()
})

it('more than some at a time are sent away, and nobody waits for a receiver for ever', async () => {
  const { errands, settle, revision, say, end } = await pair()
  say(() => new Promise(() => {}))
  const asked = Array.from({ length: NOTIFY_TESTS_MAX }, () => errands.test('default', 'phone', revision))
  expect(await settle(asked[0])).toBe('waits')
  expect(await settle(errands.test('default', 'phone', revision))).toMatchObject({ delivered: false, error: expect.stringContaining('try again') })
  expect(await settle(asked[0], NOTIFY_ANSWER_MAX_MS + 4_000)).toBe(null)
  end()
})

it('a host that may not be sent to is told with the reason, one that may or that nobody can judge is not', async () => {
  const { errands, settle, end } = await pair()
  expect(await settle(errands.refusalOf('hooks.example.org'))).toBe(null)
  expect(await settle(errands.refusalOf('127.0.0.1'))).toBe(null)
  expect(await settle(errands.refusalOf('10.0.0.1'))).toMatch(/^Cannot send to 10\.0\.0\.1 as the operator's list/)
  end()
  expect(await settle(errands.refusalOf('10.0.0.1'), 2_500)).toBe(null)
})

it('where no notifier is there that is known at once; one that stands by does not answer', async () => {
  const stage = await Stage.open()
  const alone = new Errands(stage.world.connect().bus, stage.clock)
  expect(await alone.test('default', 'phone', 1)).toBe(null)
  const { errands, sent, settle, revision, end } = await pair({ isOn: false })
  expect(await settle(errands.test('default', 'phone', revision), 14_000)).toBe(null)
  expect(sent).toEqual([])
  end()
})
