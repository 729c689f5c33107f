/** Who is the notifier: one of several, and the next one when it is gone. */

import { expect, it } from 'vitest'
import { Office } from '../../../actors/notify/office.ts'
import { Membership } from '../../../runtime/membership.ts'
import { ProcessClock } from '../../support/process-clock.ts'
import { Stage } from './stage.ts'

it('is one of several at a time, and another when it is gone or wakes from a long sleep; each event is told under one id', async () => {
  const stage = await Stage.open()
  await stage.route('phone', {})
  const { clock } = stage
  const join = (id: string) => {
    const connection = stage.world.connect()
    const membership = new Membership({ bus: connection.bus, clock, self: { id, role: 'notifier', url: null, runtime: 'node', pid: 1, startedAt: clock.now(), partitions: [] } })
    membership.start()
    const office = new Office({ membership, open: async () => stage.open(connection), clock, logger: stage.lines.logger })
    office.start()
    return { connection, membership, office }
  }
  const first = join('b')
  await clock.advance(1_000)
  const second = join('a')
  await clock.advance(1_000)
  expect([first.office.state, second.office.state]).toEqual(['active', 'standing-by'])
  await stage.commit({ device: 'x', event: 'opened' })
  await clock.advance(100)
  first.connection.die()
  first.membership.stop()
  await clock.advance(5_000)
  expect(second.office.state).toBe('active')
  await stage.commit({ device: 'y', event: 'opened' })
  await clock.advance(1_000)
  expect(stage.events).toEqual(['x opened 1', 'y opened 1'])
  // It sleeps for so long that a third one takes over; then it wakes, and is the newcomer.
  const third = join('c')
  await clock.advance(1_000)
  second.connection.cut()
  await clock.advance(5_000)
  expect(third.office.state).toBe('active')
  await stage.commit({ device: 'z', event: 'opened' })
  await clock.advance(1_000)
  second.connection.heal()
  await clock.advance(10_000)
  expect([second.office.state, third.office.state].sort()).toEqual(['active', 'standing-by'])
  await stage.commit({ device: 'x', event: 'resolved' })
  await clock.advance(5_000)
  expect(stage.events).toEqual(['x opened 1', 'y opened 1', 'z opened 1', 'x resolved 2'])
  expect(new Set(stage.received.map(({ id }) => id)).size).toBe(4)
  await third.office.stop()
  await second.office.stop()
  second.membership.stop()
  third.membership.stop()
})

it('is one of several again after all of them slept, as where their machine was suspended, in whichever order they wake', async () => {
  for (const order of [[0, 1], [1, 0]]) {
    const stage = await Stage.open()
    await stage.route('phone', {})
    const all = ['b', 'a'].map((id) => {
      const connection = stage.world.connect()
      const clock = new ProcessClock(stage.clock)
      const membership = new Membership({ bus: connection.bus, clock, self: { id, role: 'notifier', url: null, runtime: 'node', pid: 1, startedAt: 0, partitions: [] } })
      const office = new Office({ membership, open: async () => stage.open(connection), clock, logger: stage.lines.logger })
      return { connection, clock, membership, office }
    })
    for (const { membership, office } of all) {
      membership.update({ startedAt: stage.clock.now() })
      membership.start()
      office.start()
      await stage.clock.advance(1_000)
    }
    for (let night = 0; night < 3; night++) {
      for (const { connection, clock } of all) {
        connection.pause()
        clock.pause()
      }
      await stage.clock.advance(10_000)
      await stage.commit({ device: `x${night}`, event: 'opened' })
      for (const at of order) {
        all[at].connection.resume()
        all[at].clock.resume()
        await stage.clock.advance(3)
      }
      await stage.clock.advance(10_000)
      expect(all.map(({ office }) => office.state).sort()).toEqual(['active', 'standing-by'])
    }
    expect(stage.events).toEqual(['x0 opened 1', 'x1 opened 1', 'x2 opened 1'])
    for (const { office, membership } of all) {
      await office.stop()
      membership.stop()
    }
  }
})
