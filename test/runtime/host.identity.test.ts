import { describe, expect, it } from 'vitest'
import { expectExactlyOnce, numbered, oracle, stage } from '../support/stage.ts'
import type { Stage } from '../support/stage.ts'

describe('a host and the identity of its log', () => {
  async function committed(s: Stage, count = 10): Promise<void> {
    const first = s.host('a', { bounds: { quietCostMs: 0.01 } })
    await s.say(numbered(count))
    await s.covered()
    await first.stop()
  }

  it('reads a stream that was made anew from its first message, and its state goes on as it is', async () => {
    const s = await stage()
    await committed(s)
    const before = [...s.world.messages('READINGS_0')]
    s.world.recreateStream('READINGS_0')
    await s.say(['new1', 'new2'])
    const host = s.host('b')
    await s.clock.advance(1_000)
    const wanted = oracle([...before, ...s.world.messages('READINGS_0')])
    expect(s.told().results).toEqual(wanted.results)
    expect(host.state).toEqual(wanted.state)
    expect(host.committed.created).toBe((await s.producer.log.info('READINGS_0')).created)
    expect(host.committed.seq).toBe(2)
    await host.stop()
    // A third owner restores the root of the new generation and not the state before it.
    const third = s.host('c')
    await s.clock.until(() => third.phase.kind === 'running')
    expect(third.state).toEqual(wanted.state)
    await third.stop()
  })

  it('notices while it runs that the stream was made anew, and lets go for a new generation with all that it knows', async () => {
    for (const reconnect of [true, false]) {
      const s = await stage()
      const connection = s.world.connect()
      const host = s.host('a', { connection })
      await s.say(numbered(10))
      await s.covered()
      const before = [...s.world.messages('READINGS_0')]
      if (reconnect) connection.cut()
      s.world.recreateStream('READINGS_0')
      await s.say(numbered(20, 100))
      if (reconnect) connection.heal()
      await s.clock.until(() => host.phase.kind === 'stopped')
      expect(await host.ended).toEqual({ kind: 'stopped', reason: 'new-generation' })
      const next = s.host('a')
      await s.clock.advance(1_000)
      // Without a reconnection messages may come before the change is noticed: never are they skipped, which is what counts here.
      if (reconnect) expect(s.told().results).toEqual(oracle([...before, ...s.world.messages('READINGS_0')]).results)
      for (let i = 100; i < 120; i++) expect(s.told().results.some((r) => r.includes(` m${i} `))).toBe(true)
      await next.stop()
    }
  })

  it('stops loudly at a log that is shorter than what was read', async () => {
    const s = await stage()
    await committed(s)
    s.world.truncateStream('READINGS_0', 6)
    const host = s.host('b')
    const end = await host.ended
    expect(end).toMatchObject({ kind: 'failed', error: { code: 'identity' } })
    expect(String((end as { error: Error }).error.message)).toMatch(/Cannot go on with readings\.0 .* sequence 10 or later: its last sequence is 5.*Restore/s)
    expect(s.told().claims).toHaveLength(1)
  })

  it('stops loudly at a log that holds another message where it stopped reading', async () => {
    const s = await stage()
    await committed(s)
    s.world.truncateStream('READINGS_0', 6)
    await s.say(numbered(10, 50))
    expect(await s.host('b').ended).toMatchObject({ kind: 'failed', error: { code: 'identity' } })
  })

  it('commits nothing more when the log comes back shorter after a power cut', async () => {
    const s = await stage()
    const connection = s.world.connect()
    const host = s.host('a', { connection })
    await s.say(numbered(10))
    await s.covered()
    await s.say(numbered(5, 10))
    connection.cut()
    s.world.truncateStream('READINGS_0', 12)
    await s.clock.advance(300)
    // Who looks at the log has to wait; what wants to be committed waits with it.
    const info = connection.log.info.bind(connection.log)
    connection.log.info = async (stream) => {
      await s.clock.sleep(5_000)
      return info(stream)
    }
    connection.heal()
    await s.clock.advance(4_900)
    expect(host.phase.kind).toBe('running')
    expect(s.told().commits.at(-1)!.header.position.seq).toBe(10)
    await s.clock.advance(200)
    expect(await host.ended).toMatchObject({ kind: 'failed', error: { code: 'identity' } })
    expect(s.told().commits.at(-1)!.header.position.seq).toBe(10)
  })

  it('goes on after a reconnection to the log that it knows', async () => {
    const s = await stage()
    const connection = s.world.connect()
    const host = s.host('a', { connection })
    for (let i = 0; i < 5; i++) {
      await s.say(numbered(3, 3 * i))
      connection.cut()
      await s.say(['urgent while cut'])
      await s.clock.advance(500)
      connection.heal()
    }
    await s.covered()
    expectExactlyOnce(s)
    expect(host.phase.kind).toBe('running')
    await host.stop()
  })
})
