import { describe, expect, it } from 'vitest'
import { DEAD_AFTER_MS, HANDOVER_MAX_MS, HEARTBEAT_MS } from '../../runtime/limits.ts'
import { startMember } from '../../runtime/member.ts'
import type { RunningMember } from '../../runtime/member.ts'
import type { MemoryConnection } from '../../runtime/memory-log.ts'
import { ownersOf } from '../../runtime/ownership.ts'
import { inputStream, inputSubject } from '../../runtime/topology.ts'
import { quietLogger } from '../support/quiet-logger.ts'
import { oracle, stage } from '../support/stage.ts'
import type { Stage } from '../support/stage.ts'
import { toyActor } from '../support/toy-actor.ts'

const PARTITIONS = 16
const QUARREL_MS = 10_000

interface Party {
  s: Stage
  join(id: string, connection?: MemoryConnection): RunningMember & { connection: MemoryConnection }
  /** Who runs each partition, by the members themselves. */
  runners(): Map<number, string[]>
  owned(...members: RunningMember[]): boolean
}

async function party(seed = 1): Promise<Party> {
  const s = await stage({ partitions: PARTITIONS, seed })
  const members: (RunningMember & { connection: MemoryConnection })[] = []
  const runners = () => {
    const map = new Map<number, string[]>()
    for (const m of members) {
      if (m.connection.dead) continue
      for (const p of m.status().partitions) if (p.phase === 'running') map.set(p.partition, [...(map.get(p.partition) ?? []), m.id])
    }
    return map
  }
  return {
    s,
    join(id, connection = s.world.connect()) {
      const { logger } = quietLogger()
      const member = startMember({ connection, actor: toyActor(), topology: s.topology, settings: null, clock: s.clock, logger, id })
      const joined = Object.assign(member, { connection })
      members.push(joined)
      return joined
    },
    runners,
    owned(...wanted) {
      const owners = ownersOf(PARTITIONS, wanted.map((m) => m.id))
      const now = runners()
      return [...owners].every(([partition, id]) => now.get(partition)?.length === 1 && now.get(partition)![0] === id)
    },
  }
}

/** A message to each partition. */
async function sayToAll(s: Stage, text: string): Promise<void> {
  for (let p = 0; p < PARTITIONS; p++) await s.say([`${text}-${p}`], p)
}

/** Every partition's results are those of the actor alone. */
async function expectExactlyOnce(s: Stage): Promise<void> {
  for (let p = 0; p < PARTITIONS; p++) {
    await s.covered(p)
    const input = s.world.messages(inputStream(s.topology, p)).filter((m) => m.subject === inputSubject(p))
    expect(s.told(p).results).toEqual(oracle(input).results)
  }
}

describe('a group of members', () => {
  it('shares the partitions, each hosted by the one that should', async () => {
    const g = await party()
    const [a, b, c] = ['a', 'b', 'c'].map((id) => g.join(id))
    expect(a.status().ready).toBe(false)
    await g.s.clock.until(() => g.owned(a, b, c), { maxMs: 2_000 })
    for (const m of [a, b, c]) expect(m.status()).toMatchObject({ ready: true, waitsFor: '' })
    await sayToAll(g.s, 'hello')
    await expectExactlyOnce(g.s)
    await Promise.all([a, b, c].map((m) => m.stop()))
  })

  it('gives a joiner its share within two seconds, let go in good order', async () => {
    const g = await party()
    const [a, b] = ['a', 'b'].map((id) => g.join(id))
    await g.s.clock.until(() => g.owned(a, b))
    await sayToAll(g.s, 'before')
    const c = g.join('c')
    await g.s.clock.until(() => g.owned(a, b, c), { maxMs: 2_000 })
    await sayToAll(g.s, 'after')
    await expectExactlyOnce(g.s)
    // Nobody was fenced: those who held the partitions had let go before.
    const epochs = Array.from({ length: PARTITIONS }, (_, p) => g.s.told(p).claims.length)
    expect(Math.max(...epochs)).toBe(2)
    await Promise.all([a, b, c].map((m) => m.stop()))
  })

  it('takes over from a member that is killed, within three seconds of it', async () => {
    const g = await party()
    const [a, b, c] = ['a', 'b', 'c'].map((id) => g.join(id))
    await g.s.clock.until(() => g.owned(a, b, c))
    await sayToAll(g.s, 'before')
    c.connection.die()
    await sayToAll(g.s, 'while')
    await g.s.clock.until(() => g.owned(a, b), { maxMs: DEAD_AFTER_MS + HEARTBEAT_MS })
    await expectExactlyOnce(g.s)
    await Promise.all([a, b].map((m) => m.stop()))
  })

  it('takes over from a member that stops at once, since it says bye', async () => {
    const g = await party()
    const [a, b] = ['a', 'b'].map((id) => g.join(id))
    await g.s.clock.until(() => g.owned(a, b))
    await sayToAll(g.s, 'before')
    await b.stop()
    await g.s.clock.until(() => g.owned(a), { maxMs: 50, stepMs: 1 })
    await expectExactlyOnce(g.s)
    await a.stop()
  })

  it('claims what another holds and does not let go of, after a time; two that quarrel cost time and no result', async () => {
    const g = await party()
    const c = g.s.world.connect()
    // It is heard, and hears nobody: so it believes that everything is its own.
    const deaf = {
      log: c.log,
      bus: { send: c.bus.send, listen: () => () => {} },
      serverVersion: c.serverVersion,
      dead: false,
      kv: (bucket: string) => c.kv(bucket),
      objects: (bucket: string) => c.objects(bucket),
      connected: () => c.connected(),
      onReconnect: (run: () => void) => c.onReconnect(run),
      close: () => c.close(),
    }
    const a = g.join('a', deaf as unknown as MemoryConnection)
    await g.s.clock.until(() => g.owned(a))
    const b = g.join('b')
    const share = [...ownersOf(PARTITIONS, ['a', 'b'])].filter(([, id]) => id === 'b').map(([p]) => p)
    await g.s.clock.advance(HEARTBEAT_MS + HANDOVER_MAX_MS + 50)
    expect(share.every((p) => g.s.told(p).claims.some((claim) => claim.owner === 'b'))).toBe(true)
    for (let i = 0; i < 10; i++) {
      await sayToAll(g.s, `x${i}`)
      await g.s.clock.advance(2_000)
    }
    await expectExactlyOnce(g.s)
    expect(Math.max(...share.map((p) => g.s.told(p).claims.length))).toBeLessThan(30)
    await Promise.all([a, b].map((m) => m.stop()))
  })

  it('goes on after a restart of the server, without moving a partition', async () => {
    const g = await party()
    const [a, b] = ['a', 'b'].map((id) => g.join(id))
    await g.s.clock.until(() => g.owned(a, b))
    g.s.world.killServer()
    await g.s.clock.advance(10_000)
    g.s.world.restartServer()
    await g.s.clock.advance(2_000)
    expect(g.owned(a, b)).toBe(true)
    await sayToAll(g.s, 'after')
    await expectExactlyOnce(g.s)
    expect(Math.max(...Array.from({ length: PARTITIONS }, (_, p) => g.s.told(p).claims.length))).toBe(1)
    await Promise.all([a, b].map((m) => m.stop()))
  })

  it('settles, exactly once, after members were cut off one from the other and back', async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const g = await party(seed)
      const members = ['a', 'b', 'c'].map((id) => g.join(id))
      await g.s.clock.until(() => g.owned(...members))
      for (let round = 0; round < 4; round++) {
        const cut = members[Math.floor(g.s.clock.random() * 3)]
        cut.connection.cut()
        await sayToAll(g.s, `round${round}`)
        await g.s.clock.advance(Math.floor(g.s.clock.random() * 4_000))
        cut.connection.heal()
        await g.s.clock.advance(Math.floor(g.s.clock.random() * 1_500))
      }
      await g.s.clock.until(() => g.owned(...members), { maxMs: 2 * QUARREL_MS })
      await sayToAll(g.s, 'end')
      await expectExactlyOnce(g.s)
      await Promise.all(members.map((m) => m.stop()))
    }
  })

  it('keeps a partition that failed down, says so, and works on the others', async () => {
    const g = await party()
    const a = g.join('a')
    await g.s.clock.until(() => g.owned(a))
    await g.s.say(['boom'], 3)
    await g.s.clock.advance(5_000)
    expect(a.status().ready).toBe(false)
    expect(a.status().waitsFor).toContain('Partitions 3 are stopped')
    expect(g.runners().size).toBe(PARTITIONS - 1)
    expect(g.s.told(3).claims).toHaveLength(1)
    await a.stop()
  })

  it('begins a new generation by itself where an input stream was made anew', async () => {
    const g = await party()
    const a = g.join('a')
    await g.s.clock.until(() => g.owned(a))
    await sayToAll(g.s, 'before')
    for (let p = 0; p < PARTITIONS; p++) await g.s.covered(p)
    g.s.world.recreateStream('READINGS_3')
    await g.s.say(['fresh'], 3)
    await g.s.clock.until(() => g.s.told(3).results.some((r) => r.includes('fresh')), { maxMs: 10_000 })
    await g.s.clock.until(() => g.owned(a))
    await a.stop()
  })
})
