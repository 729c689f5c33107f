import { describe, expect, it } from 'vitest'
import { createHostMetrics } from '../../runtime/host-metrics.ts'
import { decodeJournal } from '../../runtime/journal.ts'
import { HEARTBEAT_MS, MEMBER_CHECK_MS, TICK_INTERVAL_MS } from '../../runtime/limits.ts'
import { createMetrics } from '../../runtime/telemetry.ts'
import { settle } from '../support/manual-clock.ts'
import { expectExactlyOnce, numbered, stage } from '../support/stage.ts'
import { toyActor } from '../support/toy-actor.ts'

describe('a host', () => {
  it('claims a partition, steps its input from the first message on, and commits results with the position they cover', async () => {
    const s = await stage()
    await s.say(numbered(5))
    const host = s.host('a')
    await s.covered()
    await s.say(numbered(5, 5))
    await s.covered()
    expect(s.told().claims.map((c) => [c.owner, c.epoch])).toEqual([['a', 1]])
    expect(host.phase.kind).toBe('running')
    expectExactlyOnce(s)
    expect(await host.stop()).toEqual({ kind: 'stopped', reason: 'asked' })
  })

  it('commits what must not wait at once, the rest within the interval, and nothing when nothing was read', async () => {
    const s = await stage()
    const host = s.host('a')
    await s.clock.until(() => host.phase.kind === 'running')
    await s.clock.advance(5_000)
    expect(s.told().commits).toHaveLength(0)
    await s.say(['plain'])
    await s.clock.advance(50)
    expect(s.told().commits).toHaveLength(0)
    await s.say(['urgent x'])
    await settle()
    expect(s.told().commits.map((c) => c.results.length)).toEqual([2])
    await s.say(['plain'])
    await s.clock.advance(100)
    expect(s.told().commits).toHaveLength(2)
    await host.stop()
  })

  it('says how old what it commits is, and that it is level once nothing more has come', async () => {
    const s = await stage()
    const metrics = createHostMetrics(createMetrics({ process: false }))
    const host = s.host('a', { metrics })
    await s.clock.until(() => host.phase.kind === 'running')
    const release = s.world.holdPublishes('results.0')
    await s.say(['late'])
    await s.clock.advance(3_000)
    release()
    await s.covered()
    const lagS = async () => (await metrics.lagSeconds.get()).values.find((v) => v.labels.partition === '0')?.value
    expect(await lagS()).toBeGreaterThan(2)
    await s.clock.advance(MEMBER_CHECK_MS + TICK_INTERVAL_MS)
    expect(await lagS()).toBe(0)
    await host.stop()
  })

  it('moves its position over messages without results', async () => {
    const s = await stage()
    const host = s.host('a')
    await s.say(['quiet 1', 'quiet 2'])
    await s.covered()
    expect(s.told().results).toEqual([])
    expect(host.committed.seq).toBe(2)
    await host.stop()
  })

  it('commits by the number of results, and steps on while a commit is under way', async () => {
    const s = await stage()
    const host = s.host('a', { bounds: { commitResultsMax: 10 } })
    await s.clock.until(() => host.phase.kind === 'running')
    const release = s.world.holdPublishes('results.0')
    await s.say(['many 10', 'many 9', 'many 9'])
    await settle()
    expect(host.state.count).toBe(3)
    // At twice the bound the loop waits for the answer.
    await s.say(['many 9', 'many 9'])
    await settle()
    expect(host.state.count).toBe(4)
    release()
    await s.covered()
    expect(s.told().commits.map((c) => c.results.length)).toEqual([10, 27, 9])
    expectExactlyOnce(s)
    await host.stop()
  })

  it('stores a commit that is too large for one message in parts, of which readers make one commit', async () => {
    const s = await stage()
    const host = s.host('a', { bounds: { commitPartBytes: 1_000 } })
    await s.say(['big 4500', 'small'])
    await s.covered()
    expect(s.told().commits).toHaveLength(1)
    const messages = s.world.messages('RESULTS')
    expect(messages.length).toBeGreaterThan(5)
    // All but the first say which one is the first.
    const [begun, ...rest] = messages.map((m) => ({ seq: m.seq, ...decodeJournal(m.data).header })).filter((h) => h.kind !== 'claim')
    expect(begun).not.toHaveProperty('first')
    expect(new Set(rest.map((h) => h.first))).toEqual(new Set([begun.seq]))
    expectExactlyOnce(s)
    await host.stop()
  })

  it('voids the parts of an owner that was overtaken, and commits what they held once', async () => {
    const s = await stage()
    const connection = s.world.connect()
    const first = s.host('a', { connection, bounds: { commitPartBytes: 1_000 } })
    await s.clock.until(() => first.phase.kind === 'running')
    let parts = 0
    s.world.publishFault = (subject) => (subject === 'results.0' && ++parts === 3 ? (connection.die(), 'unavailable') : null)
    await s.say(['big 4500', 'small'])
    await s.clock.advance(200)
    s.world.publishFault = null
    expect(s.told().commits).toHaveLength(0)
    const second = s.host('b')
    await s.covered()
    expectExactlyOnce(s)
    await second.stop()
  })

  it('commits exactly once whatever becomes of publishes and their answers', async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const s = await stage({ seed })
      const host = s.host('a', { bounds: { commitPartBytes: 400, replayCostMs: 0.5 } })
      s.world.publishFault = (subject) => {
        if (!subject.startsWith('results') || s.clock.random() < 0.6) return null
        return (['lost-ack', 'lost', 'unavailable', 'full'] as const)[Math.floor(s.clock.random() * 4)]
      }
      for (let i = 0; i < 30; i++) {
        await s.say(numbered(3, i * 3))
        await s.clock.advance(200)
      }
      s.world.publishFault = null
      await s.covered()
      expectExactlyOnce(s)
      expect(s.told().claims).toHaveLength(1)
      expect((await host.stop()).kind).toBe('stopped')
    }
  })

  it('recognises a commit that arrives long after it was given up for lost, and goes on', async () => {
    const s = await stage()
    const host = s.host('a')
    await s.clock.until(() => host.phase.kind === 'running')
    const release = s.world.holdPublishes('results.0')
    await s.say(['urgent 1'])
    await s.clock.advance(2_010)
    release()
    await s.clock.advance(3_000)
    await s.say(['urgent 2'])
    await s.covered()
    expectExactlyOnce(s)
    expect(s.told().commits).toHaveLength(2)
    expect(host.phase.kind).toBe('running')
    await host.stop()
  })

  it('fences a zombie: two hosts of one partition, of which the later claim wins and the effects are there once', async () => {
    const s = await stage()
    const [one, two] = [s.world.connect(), s.world.connect()]
    const first = s.host('a', { connection: one })
    await s.say(numbered(5))
    await s.covered()
    const release = s.world.holdDeliveries('readings.0')
    one.cut()
    await s.say(numbered(5, 5))
    release()
    const second = s.host('b', { connection: two })
    await s.covered()
    await s.say(numbered(5, 10))
    one.heal()
    await s.covered()
    await s.clock.advance(5_000)
    expect(await first.ended).toEqual({ kind: 'fenced', by: 'b' })
    expect(second.phase.kind).toBe('running')
    expectExactlyOnce(s)
    await second.stop()
  })

  it('fences a zombie whose commit was on its way when the claim came', async () => {
    const s = await stage()
    const first = s.host('a')
    await s.clock.until(() => first.phase.kind === 'running')
    const release = s.world.holdPublishes('results.0')
    await s.say(['urgent late'])
    await settle()
    const second = s.host('b')
    await s.clock.advance(1)
    release()
    await s.clock.advance(100)
    await s.say(numbered(3))
    await s.covered()
    await s.clock.advance(3_000)
    const ends = [first, second].map((h) => h.phase.kind)
    expect(ends).toEqual(['fenced', 'running'])
    expectExactlyOnce(s)
    await second.stop()
  })

  it('tells a partition with nothing to commit, too, that it was taken over', async () => {
    const s = await stage()
    const first = s.host('a')
    await s.clock.until(() => first.phase.kind === 'running')
    const second = s.host('b')
    await s.clock.until(() => second.phase.kind === 'running')
    await s.clock.until(() => first.phase.kind === 'fenced', { maxMs: 10_000 })
    await second.stop()
  })

  it('lets one of many that claim at the same time win', async () => {
    const s = await stage()
    const hosts = ['a', 'b', 'c', 'd'].map((owner) => s.host(owner))
    await s.say(numbered(10))
    await s.covered()
    await s.clock.advance(10_000)
    expect(hosts.map((h) => h.phase.kind).sort()).toEqual(['fenced', 'fenced', 'fenced', 'running'])
    expectExactlyOnce(s)
    await Promise.all(hosts.map((h) => h.stop()))
  })

  it('finds its own claim again when the answer to it was lost', async () => {
    const s = await stage()
    s.world.failNext('results.0', 'lost-ack')
    const host = s.host('a')
    await s.say(numbered(3))
    await s.covered()
    expect(s.told().claims).toHaveLength(1)
    expectExactlyOnce(s)
    await host.stop()
  })
})

describe('a host and time', () => {
  it('appends a tick a second while the actor wants one and nothing else comes, one at a time', async () => {
    const s = await stage()
    const host = s.host('a')
    await s.say(['wait'])
    await s.clock.advance(TICK_INTERVAL_MS + HEARTBEAT_MS)
    expect(s.world.messages('READINGS_0').map((m) => new TextDecoder().decode(m.data))).toEqual(['wait', 'tick'])
    await s.clock.advance(5_000)
    expect(s.world.messages('READINGS_0')).toHaveLength(2)
    const release = s.world.holdDeliveries('readings.0')
    await s.say(['wait'])
    release()
    await settle()
    const again = s.world.holdDeliveries('readings.0')
    await s.clock.advance(4_000)
    expect(s.world.messages('READINGS_0')).toHaveLength(4)
    again()
    await s.covered()
    expectExactlyOnce(s)
    await host.stop()
  })

  it('introduces its settings as a message of the log, unless the state has them', async () => {
    const s = await stage()
    const first = s.host('a', { settings: 'x' })
    await s.clock.until(() => first.state.setting === 'x')
    await first.stop()
    const second = s.host('b', { settings: 'x' })
    await s.clock.until(() => second.phase.kind === 'running')
    await s.clock.advance(1_000)
    expect(s.world.messages('READINGS_0')).toHaveLength(1)
    await second.stop()
    const third = s.host('c', { settings: 'y' })
    await s.clock.until(() => third.state.setting === 'y')
    await s.covered()
    expectExactlyOnce(s)
    await third.stop()
  })
})

describe('the end of a host', () => {
  it('is `failed` at a step that throws, loudly, with the log intact and other partitions at work', async () => {
    const s = await stage({ partitions: 2 })
    const host = s.host('a')
    const other = s.host('a', { partition: 1 })
    await s.say(['fine'])
    await s.covered()
    const stored = s.world.messages('RESULTS').length
    await s.say(['lost with the bug', 'boom', 'after'])
    await s.say(['other'], 1)
    const end = await host.ended
    expect(end).toMatchObject({ kind: 'failed' })
    expect((end as { error: Error }).error).toBeInstanceOf(TypeError)
    expect(s.lines.some((l) => l.level === 50 && l.msg.includes('bug'))).toBe(true)
    await s.covered(1)
    expect(other.phase.kind).toBe('running')
    expect(s.world.messages('RESULTS').slice(stored).every((m) => m.subject === 'results.1')).toBe(true)
    await other.stop()
    // The same log under a version without the bug loses nothing.
    const fixed = toyActor()
    const fixedHost = s.host('b', { actor: { ...fixed, step: (state, m, e) => (m.seq === 3 ? undefined : fixed.step(state, m, e)) } })
    await s.covered()
    expect(s.told().results.map((r) => r.split(' ')[1])).toEqual(['fine', 'lost', 'after'])
    await fixedHost.stop()
  })

  it('is `failed`, and the process goes on, where the actor throws as it encodes', async () => {
    const s = await stage()
    const actor = toyActor()
    const host = s.host('a', { actor: { ...actor, encode: () => { throw new RangeError('encode') } } })
    await s.say(['x'])
    await s.clock.advance(1_000)
    expect(await host.ended).toMatchObject({ kind: 'failed' })
  })

  it('comes within a bound although the log is away, and the next owner commits what was left', async () => {
    const s = await stage()
    const connection = s.world.connect()
    const host = s.host('a', { connection })
    await s.say(numbered(3))
    await s.covered()
    await s.say(numbered(3, 3))
    connection.cut()
    const ended = host.stop()
    await s.clock.advance(10_000)
    expect(await ended).toEqual({ kind: 'stopped', reason: 'asked' })
    const next = s.host('b')
    await s.covered()
    expectExactlyOnce(s)
    await next.stop()
  })

  it('comes at once to a host that waits for a log that is away', async () => {
    const s = await stage()
    const connection = s.world.connect()
    connection.cut()
    const host = s.host('a', { connection })
    await s.clock.advance(1_000)
    expect(host.phase.kind).toBe('claiming')
    expect((await host.stop()).kind).toBe('stopped')
  })
})
