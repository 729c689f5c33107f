import { describe, expect, it } from 'vitest'
import { HANDOVER_MAX_MS } from '../../runtime/limits.ts'
import { settle } from '../support/manual-clock.ts'
import { expectExactlyOnce, numbered, stage } from '../support/stage.ts'
import type { Stage } from '../support/stage.ts'
import { toyActor } from '../support/toy-actor.ts'

describe('a host that waits', () => {
  const bounds = { replayCostMs: 1_000, quietCostMs: 0.01 }

  /** An owner with a snapshot and something after it, and another host that waits. */
  async function pair(s: Stage, options: Parameters<Stage['host']>[1] = {}) {
    const first = s.host('a', { bounds })
    await s.clock.until(() => first.phase.kind === 'running')
    await s.say(numbered(5))
    await first.freshen()
    await s.say(numbered(5, 5))
    await s.covered()
    const stepped: string[] = []
    let ready = 0
    const actor = toyActor({ onStep: (text) => stepped.push(text) })
    const second = s.host('b', { actor, waits: true, onReady: () => ready++, ...options })
    await s.clock.until(() => second.isReady)
    return { first, second, stepped, ready: () => ready }
  }

  it('makes itself ready beside the owner, comes level with it again and again, and writes nothing until it is told to claim', async () => {
    const s = await stage()
    const { first, second, stepped, ready } = await pair(s)
    expect(ready()).toBe(1)
    expect(stepped).toEqual(numbered(5, 5))
    await s.say(numbered(3, 10))
    await s.covered()
    await s.clock.until(() => stepped.length === 8)
    await s.clock.advance(1_000)
    expect([first.phase.kind, second.phase.kind, s.told().claims.length]).toEqual(['running', 'preparing', 1])
    await first.stop('handed-over')
    await s.say(numbered(2, 13))
    second.claim()
    await s.covered()
    // Each message once, and none twice: what was prepared is gone on with.
    expect(stepped).toEqual(numbered(10, 5))
    expect(s.told().claims.map(({ owner }) => owner)).toEqual(['a', 'b'])
    expectExactlyOnce(s)
    await second.stop()
  })

  it('steps nothing that its owner has not committed, whatever is in the log by then', async () => {
    const s = await stage()
    const { first, second, stepped } = await pair(s)
    const release = s.world.holdPublishes('results.0')
    await s.say(numbered(3, 10))
    await s.clock.advance(1_000)
    expect(stepped).toEqual(numbered(5, 5))
    release()
    await s.covered()
    second.claim()
    await s.say(['last'])
    await s.covered()
    expectExactlyOnce(s)
    await Promise.all([first, second].map((h) => h.stop()))
  })

  it('begins anew at its claim where its connection was lost, or the snapshot that it began from is no longer named', async () => {
    for (const harm of ['reconnect', 'snapshots'] as const) {
      const s = await stage()
      const connection = s.world.connect()
      const { first, second, stepped } = await pair(s, { connection })
      if (harm === 'reconnect') {
        connection.cut()
        connection.heal()
      } else {
        for (let i = 0; i < 2; i++) {
          await s.say(numbered(2, 10 + 2 * i))
          await first.freshen()
        }
      }
      await s.covered()
      const newest = s.told().commits.at(-1)!.header
      stepped.length = 0
      second.claim()
      await s.say(['last'])
      await s.covered()
      const all = s.world.messages('READINGS_0').map((m) => new TextDecoder().decode(m.data))
      expect(stepped, harm).toEqual(all.slice(newest.snapshots[0].position.seq))
      expectExactlyOnce(s)
      await Promise.all([first, second].map((h) => h.stop()))
    }
  })

  it('claims although what it reads to be ready never comes', async () => {
    const s = await stage()
    const first = s.host('a', { bounds })
    await s.say(numbered(5))
    await s.covered()
    const release = s.world.holdDeliveries('readings.0')
    const second = s.host('b', { waits: true })
    await s.clock.advance(500)
    expect(second.isReady).toBe(false)
    second.claim()
    await s.clock.until(() => s.told().claims.length === 2, { maxMs: HANDOVER_MAX_MS + 100 })
    release()
    await s.say(['last'])
    await s.covered()
    expectExactlyOnce(s)
    await Promise.all([first, second].map((h) => h.stop()))
  })

  it('ends at once when it is told to, at whatever it is', async () => {
    const s = await stage()
    const { first, second } = await pair(s)
    expect(await second.stop()).toEqual({ kind: 'stopped', reason: 'asked' })
    const third = s.host('c', { waits: true })
    expect(await third.stop()).toEqual({ kind: 'stopped', reason: 'asked' })
    expect(s.told().claims).toHaveLength(1)
    await first.stop()
  })

  it('lets the next owner have the partition without a snapshot, where that one is ready', async () => {
    const s = await stage()
    const { first, second } = await pair(s)
    await s.say(numbered(3, 10))
    await first.stop('handed-over')
    expect(s.told().commits.at(-1)!.header).toMatchObject({ position: { seq: 13 }, snapshots: [{ position: { seq: 5 } }] })
    second.claim()
    await s.say(['last'])
    await s.covered()
    expectExactlyOnce(s)
    await second.stop()
  })

  it('commits its first message at once, since its readers wait', async () => {
    const s = await stage()
    const { first, second } = await pair(s)
    await first.stop('handed-over')
    second.claim()
    await s.clock.until(() => second.phase.kind === 'running', { stepMs: 1 })
    const before = s.told().commits.length
    await s.say(['awaited'])
    await settle()
    expect(s.told().commits.length).toBe(before + 1)
    await second.stop()
  })
})
