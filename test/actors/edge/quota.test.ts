/** Quotas over several edges, which share a log and its bus in memory, and a clock that the test moves. */

import { describe, expect, test } from 'vitest'
import { Quotas } from '../../../actors/edge/quota.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import type { Principal } from '../../../runtime/keys.ts'
import { pack } from '../../../runtime/codec.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const key = (quota?: number): Principal => ({ id: 'k1', tenant: 'acme', role: 'device', prefixes: [], quota })

function edges(count: number, perTenant: number | null = null) {
  const clock = new ManualClock()
  const world = new MemoryWorld({ clock })
  const connections = Array.from({ length: count }, () => world.connect())
  return { clock, world, connections, quotas: connections.map(({ bus }) => new Quotas({ clock, bus, perTenant })) }
}

/** Sends as much as is let in, in batches of `batch` through each edge in turn, for so long; gives the readings let in. */
async function send({ clock, quotas }: ReturnType<typeof edges>, principal: Principal, options: { seconds: number; batch: number; through?: number[] }): Promise<number> {
  const through = options.through ?? quotas.map((_, i) => i)
  let letIn = 0
  for (let ms = 0; ms < options.seconds * 1000; ms += 10) {
    for (const i of through) {
      if (quotas[i].waitS(principal) > 0) continue
      quotas[i].take(principal, options.batch)
      letIn += options.batch
    }
    await clock.advance(10)
  }
  return letIn
}

describe('a quota', () => {
  test.each(['tenant', 'key'] as const)('of a %s is for all edges together: three let in no more than one, but for what crosses', async (whose) => {
    const [perTenant, quota] = whose === 'tenant' ? [100, undefined] : [null, 100]
    const group = edges(3, perTenant)
    // A second's worth at the start, ten seconds' worth, and what each lets in before it hears of the others.
    const letIn = await send(group, key(quota), { seconds: 10, batch: 5 })
    expect(letIn).toBeGreaterThanOrEqual(1_000)
    expect(letIn).toBeLessThanOrEqual(100 + 1_000 + 3 * 100)
    const longer = await send(group, key(quota), { seconds: 60, batch: 5 })
    expect(Math.abs(longer - 6_000)).toBeLessThanOrEqual(100)
  })

  test('is all there for a sender that uses one edge of many', async () => {
    const group = edges(3, 100)
    await send(group, key(), { seconds: 5, batch: 5, through: [1] })
    const letIn = await send(group, key(), { seconds: 10, batch: 5, through: [1] })
    expect(Math.abs(letIn - 1_000)).toBeLessThanOrEqual(50)
  })

  test('of an edge that hears of a sender for the first time is in debt as well', async () => {
    const { clock, quotas } = edges(2, 10)
    quotas[0].take(key(), 1_000)
    await clock.advance(1_000)
    expect(quotas[1].waitS(key())).toBeGreaterThan(90)
  })

  test('that another edge does not set is no quota there', async () => {
    const { clock, world } = edges(0)
    const [strict, free] = [10, null].map((perTenant) => new Quotas({ clock, bus: world.connect().bus, perTenant }))
    strict.take(key(), 1_000)
    await clock.advance(1_000)
    expect(strict.waitS(key())).toBeGreaterThan(0)
    expect(free.waitS(key())).toBe(0)
  })

  test('is told before an edge ends, and takes no notice of what it can not read', async () => {
    const { clock, connections, quotas } = edges(2, 10)
    quotas[0].take(key(), 1_000)
    quotas[0].close()
    for (const bad of [new Uint8Array([0xc1]), pack(7), pack(['x', 7]), pack(['x', [['t acme', 10, -5], ['t acme', 10, NaN], [7, 7, 7], null]])]) connections[0].bus.send('weir.quotas', bad)
    await clock.advance(1_000)
    expect(quotas[1].waitS(key())).toBeGreaterThan(90)
    expect(quotas[1].waitS(key())).toBeLessThanOrEqual(100)
  })
})
