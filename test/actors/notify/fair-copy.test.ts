/** A state that is stored as a copy and a slip is the state that it would be whole, and to change one of many alerts costs little. */

import { expect, it } from 'vitest'
import { stateKey } from '../../../actors/notify/state.ts'
import type { AlertEvent } from '../../../actors/alert/life.ts'
import { BUCKET_NOTIFY } from '../../../runtime/topology.ts'
import { seeded } from '../../support/random.ts'
import { Stage } from './stage.ts'
import type { Event } from './stage.ts'

const ROUTE = { groupBy: ['place'], wait: '1s', interval: '30s', remind: '20m', inhibit: [{ when: { severity: 'critical' }, silences: { severity: 'warning' }, equal: ['place'] }] }

/** Lives of the alerts of some devices, an event at a time: some at a few places, some each at its own. */
function lives(random: () => number): () => Event {
  const numbers = new Map<string, number>()
  return () => {
    const n = Math.floor(random() * 30)
    const device = n < 15 ? `p${n % 4}/d${n}` : `d${n}`
    const number = (numbers.get(device) ?? 0) + 1
    const event: AlertEvent = number === 1 ? 'opened' : (['escalated', 'acknowledged', 'shelved', 'unshelved', 'resolved'] as const)[Math.floor(random() * 5)]
    if (event === 'resolved') numbers.delete(device)
    else numbers.set(device, number)
    return { device, event, number, severity: random() < 0.3 ? 'critical' : 'warning' }
  }
}

/** What came of it, at the end of each of some terms. */
async function play(seed: number, changesMax: number): Promise<{ received: string[]; copies: number; states: unknown[]; loaded: unknown[] }[]> {
  const stage = await Stage.open()
  stage.changesMax = changesMax
  await stage.route('phone', ROUTE)
  await stage.route('radio', {})
  const random = seeded(seed)
  const next = lives(random)
  const refuses = seeded(seed + 1)
  stage.answer = () => (refuses() < 0.2 ? { kind: 'refused', error: 'not now' } : { kind: 'taken' })
  const told = []
  for (let term = 0; term < 4; term++) {
    const { notifier } = await stage.notifier()
    for (let commit = 0; commit < 25; commit++) {
      await stage.commit(...Array.from({ length: Math.floor(random() * 3) }, next))
      await stage.clock.advance(random() < 0.1 ? 60_000 : 300)
    }
    await notifier.stop()
    const connection = stage.world.connect()
    const kv = await connection.kv(BUCKET_NOTIFY)
    const places = await Promise.all([0, 1].map((place) => kv.get(`${stateKey('default')}.${place}`)))
    const loaded = (await stage.open(connection)).states
    const received = stage.received.map(({ id, body }) => `${id} ${body}`)
    told.push({ received, copies: places.filter((there) => there !== null).length, states: JSON.parse(JSON.stringify(notifier.states)), loaded: JSON.parse(JSON.stringify(loaded)) })
  }
  return told
}

it.each([1, 2, 3])('says what it would say if it stored all of it each time, and knows the same when it is taken up again: seed %s', async (seed) => {
  const whole = await play(seed, Infinity)
  const apart = await play(seed, 3)
  expect(apart.map(({ received }) => received)).toEqual(whole.map(({ received }) => received))
  for (const { states, loaded } of [...whole, ...apart]) expect(loaded).toEqual(states)
  expect(whole.at(-1)!.copies).toBe(0)
  expect(apart.at(-1)!.copies).toBe(2)
})

it('stores little of a change where thousands of alerts are open', async () => {
  const stage = await Stage.open()
  await stage.route('phone', { match: { prefix: 'e' } })
  const connection = stage.world.connect()
  const open = connection.kv.bind(connection)
  let bytes = 0
  connection.kv = async (bucket) => {
    const kv = await open(bucket)
    const put = kv.put.bind(kv)
    kv.put = (key, value, revision) => {
      bytes += value.byteLength
      return put(key, value, revision)
    }
    return kv
  }
  const { notifier } = await stage.notifier(connection)
  await stage.commit(...Array.from({ length: 3_000 }, (_, i): Event => ({ device: `d${i}`, event: 'opened' })))
  await stage.clock.advance(1_000)
  const wholeBytes = JSON.stringify(notifier.states[0]).length
  bytes = 0
  for (let i = 0; i < 150; i++) {
    await stage.commit({ device: `e${i}`, event: 'opened' })
    await stage.clock.advance(300)
  }
  expect(stage.events.length).toBe(150)
  // Each twice: before it is sent, and once it was taken.
  expect(bytes / 300).toBeLessThan(wholeBytes / 10)
  await notifier.stop()
})
