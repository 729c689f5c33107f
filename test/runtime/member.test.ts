import { describe, expect, it } from 'vitest'
import type { Clock } from '../../runtime/clock.ts'
import { pack } from '../../runtime/codec.ts'
import { ABSENT_AFTER_MS, DEAD_AFTER_MS, HANDOVER_MAX_MS, HEARTBEAT_MS, PREPARE_MAX_MS } from '../../runtime/limits.ts'
import { startMember } from '../../runtime/member.ts'
import type { RunningMember } from '../../runtime/member.ts'
import type { MemoryConnection } from '../../runtime/memory-log.ts'
import { ownersOf } from '../../runtime/ownership.ts'
import { inputStream, inputSubject } from '../../runtime/topology.ts'
import { ProcessClock } from '../support/process-clock.ts'
import { quietLogger } from '../support/quiet-logger.ts'
import { oracle, stage } from '../support/stage.ts'
import type { Stage } from '../support/stage.ts'
import { toyActor } from '../support/toy-actor.ts'

const PARTITIONS = 16
const QUARREL_MS = 10_000

interface Party {
  s: Stage
  join(id: string, connection?: MemoryConnection, clock?: Clock): RunningMember & { connection: MemoryConnection }
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
    join(id, connection = s.world.connect(), clock = s.clock) {
      const { logger } = quietLogger()
      const member = startMember({ connection, actor: toyActor(), topology: s.topology, settings: null, clock, logger, id })
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

  it('moves to a joiner what is its share and nothing else, and stands still for no partition while the joiner makes itself ready', async () => {
    const g = await party()
    const members = ['a', 'b', 'c'].map((id) => g.join(id))
    await g.s.clock.until(() => g.owned(...members))
    // Long enough that there is much to restore and to replay.
    for (let i = 0; i < 20; i++) await sayToAll(g.s, `before${i}`)
    const claims = () => Array.from({ length: PARTITIONS }, (_, p) => g.s.told(p).claims)
    const before = claims().map((list) => list.length)
    const joiner = g.join('joiner')
    // Whoever may be a joiner's is still committed by its owner until the joiner can take it, at the latest a round of heartbeats after its hello.
    await g.s.clock.advance(HEARTBEAT_MS / 2)
    await sayToAll(g.s, 'meanwhile')
    for (let p = 0; p < PARTITIONS; p++) await g.s.covered(p)
    expect(claims().map((list) => list.length)).toEqual(before)
    await g.s.clock.until(() => g.owned(...members, joiner), { maxMs: HEARTBEAT_MS })
    const share = [...ownersOf(PARTITIONS, ['a', 'b', 'c', 'joiner'])].filter(([, id]) => id === 'joiner').map(([p]) => p)
    expect(share.length).toBeGreaterThan(0)
    expect(claims().flatMap((list, p) => list.slice(before[p]).map(({ owner }) => ({ p, owner })))).toEqual(share.map((p) => ({ p, owner: 'joiner' })))
    await sayToAll(g.s, 'after')
    await expectExactlyOnce(g.s)
    await Promise.all([...members, joiner].map((m) => m.stop()))
  })

  it('lets a partition go only once the next owner says that it is ready for it, or after a time', async () => {
    const g = await party()
    const a = g.join('a')
    await g.s.clock.until(() => g.owned(a))
    await sayToAll(g.s, 'before')
    // It takes part, and is never ready for anything.
    const { bus } = g.s.world.connect()
    const member = { id: 'b', role: 'worker', url: null, runtime: 'node', pid: 1, startedAt: 0, partitions: [], stage: 'working', ready: [] }
    const share = [...ownersOf(PARTITIONS, ['a', 'b'])].filter(([, id]) => id === 'b').map(([p]) => p)
    const beat = () => bus.send('weir.members.worker.b', pack(['beat', member]))
    bus.listen('weir.alive.b', () => {})
    const pass = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += HEARTBEAT_MS) {
        beat()
        await g.s.clock.advance(Math.min(HEARTBEAT_MS, ms - passed))
      }
    }
    await pass(PREPARE_MAX_MS - 50)
    expect(g.owned(a)).toBe(true)
    await pass(100)
    expect([...g.runners().keys()].sort((x, y) => x - y)).toEqual([...Array(PARTITIONS).keys()].filter((p) => !share.includes(p)))
    let left = false
    void a.stop().then(() => (left = true))
    await g.s.clock.until(() => left)
  })

  it('hands the partitions of one that leaves over one by one, without a claim by force or a pause for a snapshot', async () => {
    const g = await party()
    const [a, b, c] = ['a', 'b', 'c'].map((id) => g.join(id))
    await g.s.clock.until(() => g.owned(a, b, c))
    for (let i = 0; i < 20; i++) await sayToAll(g.s, `before${i}`)
    const epochs = () => Array.from({ length: PARTITIONS }, (_, p) => g.s.told(p).claims.length)
    const before = epochs()
    const theirs = c.status().partitions.map(({ partition }) => partition)
    let left = false
    void c.stop().then(() => (left = true))
    await g.s.clock.until(() => left, { maxMs: HANDOVER_MAX_MS / 2 })
    await g.s.clock.until(() => g.owned(a, b), { maxMs: HANDOVER_MAX_MS / 2 })
    expect(epochs().map((count, p) => count - before[p])).toEqual(before.map((_, p) => (theirs.includes(p) ? 1 : 0)))
    await sayToAll(g.s, 'after')
    await expectExactlyOnce(g.s)
    await Promise.all([a, b].map((m) => m.stop()))
  })

  it('ends at once where nobody is there to hand over to, as where all are told to end together', async () => {
    const g = await party()
    const members = ['a', 'b', 'c'].map((id) => g.join(id))
    await g.s.clock.until(() => g.owned(...members))
    await sayToAll(g.s, 'before')
    let left = 0
    for (const m of members) void m.stop().then(() => left++)
    await g.s.clock.until(() => left === members.length, { maxMs: PREPARE_MAX_MS / 2 })
    const last = g.join('last')
    await g.s.clock.until(() => g.owned(last))
    await expectExactlyOnce(g.s)
    await last.stop()
  })

  it('is a newcomer again when it wakes from a sleep in which others took over, and has its share back without a quarrel', async () => {
    const g = await party()
    const clock = new ProcessClock(g.s.clock)
    const [a, b] = [g.join('a'), g.join('b', g.s.world.connect(), clock)]
    await g.s.clock.until(() => g.owned(a, b))
    await sayToAll(g.s, 'before')
    clock.pause()
    b.connection.pause()
    await g.s.clock.until(() => [...g.runners().values()].flat().filter((id) => id === 'a').length === PARTITIONS, { maxMs: 2 * DEAD_AFTER_MS })
    // Of the others it learns nothing by its commits, as it has nothing to commit.
    for (let p = 0; p < PARTITIONS; p += 2) await g.s.say(['meanwhile'], p)
    clock.resume()
    b.connection.resume()
    await g.s.clock.until(() => g.owned(a, b), { maxMs: 2 * HEARTBEAT_MS })
    await sayToAll(g.s, 'after')
    await expectExactlyOnce(g.s)
    expect(Math.max(...Array.from({ length: PARTITIONS }, (_, p) => g.s.told(p).claims.length))).toBeLessThanOrEqual(3)
    await Promise.all([a, b].map((m) => m.stop()))
  })

  it('acts on no old news when it wakes: what moved while it slept stays where it is, but for its own share', async () => {
    const g = await party()
    const clock = new ProcessClock(g.s.clock)
    const [a, b] = [g.join('a'), g.join('b', g.s.world.connect(), clock)]
    await g.s.clock.until(() => g.owned(a, b))
    clock.pause()
    b.connection.pause()
    const c = g.join('c')
    const runs = (id: string) => [...g.runners()].filter(([, ids]) => ids.includes(id)).map(([p]) => p).sort((x, y) => x - y)
    const shares = (...ids: string[]) => (id: string) => [...ownersOf(PARTITIONS, ids)].filter(([, owner]) => owner === id).map(([p]) => p)
    const wanted = shares('a', 'c')
    await g.s.clock.until(() => ['a', 'c'].every((id) => String(runs(id)) === String(wanted(id))))
    // One whose goodbye it sleeps through, too.
    const d = g.join('d')
    await g.s.clock.until(() => runs('d').length > 0)
    let left = false
    void d.stop().then(() => (left = true))
    await g.s.clock.until(() => left && ['a', 'c'].every((id) => String(runs(id)) === String(wanted(id))))
    await g.s.clock.advance(1_000)
    const before = Array.from({ length: PARTITIONS }, (_, p) => g.s.told(p).claims.length)
    clock.resume()
    b.connection.resume()
    await g.s.clock.until(() => g.owned(a, b, c), { maxMs: 2_000 })
    const claims = before.flatMap((count, p) => g.s.told(p).claims.slice(count).map(({ owner }) => ({ p, owner })))
    expect(claims).toEqual(shares('a', 'b', 'c')('b').map((p) => ({ p, owner: 'b' })))
    await sayToAll(g.s, 'after')
    await expectExactlyOnce(g.s)
    await Promise.all([a, b, c].map((m) => m.stop()))
  })

  it('takes over from a member that is killed, within a second where the server knows that its connection is gone', async () => {
    const g = await party()
    const [a, b, c] = ['a', 'b', 'c'].map((id) => g.join(id))
    await g.s.clock.until(() => g.owned(a, b, c))
    c.connection.die()
    await g.s.clock.until(() => g.owned(a, b), { maxMs: ABSENT_AFTER_MS + HEARTBEAT_MS / 2 })
    await sayToAll(g.s, 'after')
    await expectExactlyOnce(g.s)
    await Promise.all([a, b].map((m) => m.stop()))
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
