import { describe, expect, it } from 'vitest'
import { FairQueue } from '../../../../actors/analytics/sql/fair-queue.ts'
import { ManualClock } from '../../../support/manual-clock.ts'

function queueOf(options: { slots?: number; waitingMax?: number; waitingTenantMax?: number } = {}) {
  const clock = new ManualClock({ seed: 1 })
  const queue = new FairQueue({ clock, slots: 3, waitingMax: 10, waitingTenantMax: 5, waitMaxMs: 1_000, ...options })
  const order: string[] = []
  const leave: (() => void)[] = []
  const enter = (tenant: string, signal?: AbortSignal) =>
    queue.enter(tenant, signal).then((left) => {
      order.push(tenant)
      leave.push(left)
    })
  return { clock, queue, order, leave, enter }
}
const settle = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

describe('the queue of public queries', () => {
  it('never gives one tenant all slots', async () => {
    const { queue, order, enter } = queueOf()
    for (let i = 0; i < 4; i++) void enter('a')
    await settle()
    expect(order).toEqual(['a', 'a'])
    void enter('b')
    await settle()
    expect([order, queue.running, queue.waiting]).toEqual([['a', 'a', 'b'], 3, 2])
  })

  it('calls from the line of which the fewest are served, then from the one that waits longest', async () => {
    const { order, leave, enter } = queueOf()
    for (const tenant of ['a', 'a', 'b', 'a', 'a', 'c', 'd', 'b']) void enter(tenant)
    await settle()
    expect(order).toEqual(['a', 'a', 'b'])
    for (const at of [0, 1, 2, 3, 4]) {
      leave[at]()
      await settle()
    }
    expect(order).toEqual(['a', 'a', 'b', 'c', 'd', 'a', 'b', 'a'])
  })

  it('refuses who would wait in a line that is too long, and lets go who has waited too long or leaves', async () => {
    const { clock, queue, order, leave, enter } = queueOf({ waitingMax: 3, waitingTenantMax: 2 })
    void enter('a')
    void enter('a')
    const going = new AbortController()
    const waiting = [enter('a'), enter('a', going.signal)].map((one) => one.catch((error: { code: string }) => error.code))
    await settle()
    await expect(enter('a')).rejects.toMatchObject({ code: 'busy' })
    void enter('b')
    const c = enter('c').catch((error: { code: string }) => error.code)
    await expect(enter('d')).rejects.toMatchObject({ code: 'busy' })
    going.abort()
    expect(await waiting[1]).toBe('busy')
    await clock.advance(1_001)
    expect([await waiting[0], await c, queue.waiting]).toEqual(['busy', 'busy', 0])
    for (const one of leave) one()
    leave[0]()
    await settle()
    expect([order, queue.running]).toEqual([['a', 'a', 'b'], 0])
  })
})
