import { describe, expect, it } from 'vitest'
import { systemClock } from '../../runtime/clock.ts'
import { MemoryWorld } from '../../runtime/memory-log.ts'
import { ManualClock, settle } from '../support/manual-clock.ts'
import { logConformance } from './log.conformance.ts'

logConformance('memory', async () => {
  const world = new MemoryWorld({ clock: systemClock })
  const connection = world.connect()
  return {
    connection,
    close: () => connection.close(),
    restart: async () => {
      world.killServer()
      await settle()
      world.restartServer()
    },
  }
})

describe('faults of the memory log', () => {
  const bytes = (s: string) => new TextEncoder().encode(s)

  async function world() {
    const clock = new ManualClock()
    const world = new MemoryWorld({ clock })
    const connection = world.connect()
    await connection.log.ensureStream({ name: 'S', subjects: ['s.*'], replicas: 1, bytesMax: -1 })
    return { clock, world, connection, log: connection.log }
  }

  /** Outcome of a publish once the clock has passed its time-out. */
  async function outcome(clock: ManualClock, publish: Promise<{ seq: number }>): Promise<number | string> {
    const settled = publish.then((x) => x.seq, (error: { code: string }) => error.code)
    await clock.advance(3_000)
    return settled
  }

  it('a lost acknowledgement stores the message and times out; a lost message only times out', async () => {
    const { clock, world: w, log } = await world()
    w.failNext('s.a', 'lost-ack')
    expect(await outcome(clock, log.publish('s.a', bytes('1')))).toBe('timeout')
    w.failNext('s.*', 'lost')
    expect(await outcome(clock, log.publish('s.a', bytes('2')))).toBe('timeout')
    expect(await outcome(clock, log.publish('s.a', bytes('3')))).toBe(2)
    expect(w.messages('S').map((m) => new TextDecoder().decode(m.data))).toEqual(['1', '3'])
  })

  it('a publish held beyond its time-out still arrives when the hold ends, if its expectation then holds', async () => {
    const { clock, world: w, log } = await world()
    const release = w.holdPublishes('s.a')
    expect(await outcome(clock, log.publish('s.a', bytes('late'), { expectLastSubjectSeq: 0 }))).toBe('timeout')
    expect(w.messages('S')).toHaveLength(0)
    release()
    await settle()
    expect(w.messages('S')).toHaveLength(1)
    const again = w.holdPublishes('s.a')
    const held = log.publish('s.a', bytes('zombie'), { expectLastSubjectSeq: 1 })
    held.catch(() => {})
    await settle()
    again()
    await log.publish('s.a', bytes('owner'), { expectLastSubjectSeq: 1 }).catch(() => {})
    await settle()
    expect(w.messages('S')).toHaveLength(2)
  })

  it('a connection that is cut refuses calls and pauses its readers; healed, it tells and goes on', async () => {
    const { world: w, connection, log } = await world()
    const other = w.connect()
    const seen: number[] = []
    let reconnects = 0
    connection.onReconnect(() => reconnects++)
    const reader = log.read({ stream: 'S', fromSeq: 1 })
    const reading = (async () => {
      for await (const m of reader) seen.push(m.seq)
    })()
    await log.publish('s.a', bytes('1'))
    await settle()
    connection.cut()
    await expect(log.publish('s.a', bytes('x'))).rejects.toMatchObject({ code: 'unavailable' })
    await other.log.publish('s.a', bytes('2'))
    await settle()
    expect(seen).toEqual([1])
    connection.heal()
    await settle()
    expect(seen).toEqual([1, 2])
    expect(reconnects).toBe(1)
    await reader.close()
    await reading
  })

  it('a process dies at the await point that was named, before or after the effect of a call', async () => {
    for (const [point, stored] of [
      [1, 0],
      [2, 1],
    ]) {
      const { world: w } = await world()
      const connection = w.connect()
      connection.dieAt(point)
      let answered = false
      void connection.log.publish('s.a', bytes('1')).finally(() => (answered = true))
      await settle()
      expect([answered, connection.dead, w.messages('S').length]).toEqual([false, true, stored])
    }
  })

  it('a stream made anew has another creation and starts from sequence 1; a truncated one has the same', async () => {
    const { world: w, log } = await world()
    for (let i = 0; i < 5; i++) await log.publish('s.a', bytes(String(i)))
    const before = await log.info('S')
    w.truncateStream('S', 4)
    expect(await log.info('S')).toMatchObject({ created: before.created, lastSeq: 3, messages: 3 })
    w.recreateStream('S')
    const after = await log.info('S')
    expect(after.created).not.toBe(before.created)
    expect([after.lastSeq, (await log.publish('s.a', bytes('x'))).seq]).toEqual([0, 1])
  })

  it('the time of messages is the server’s own, and steps back with it', async () => {
    const { world: w, log } = await world()
    await log.publish('s.a', bytes('1'))
    w.timeOffsetMs = -60_000
    await log.publish('s.a', bytes('2'))
    const [one, two] = w.messages('S')
    expect(one.timeMs - two.timeMs).toBe(60_000)
  })

  it('an object that is damaged or lost reads as null; a flipped byte goes unnoticed by the store', async () => {
    const { world: w, connection } = await world()
    const objects = await connection.objects('o')
    for (const name of ['a', 'b', 'c']) await objects.put(name, bytes('content'))
    w.harmObject('o', 'a', 'damaged')
    w.harmObject('o', 'b', 'lost')
    w.harmObject('o', 'c', 'flipped')
    expect(await objects.get('a')).toBeNull()
    expect(await objects.get('b')).toBeNull()
    expect(await objects.get('c')).not.toEqual(bytes('content'))
  })
})

describe('the manual clock', () => {
  it('runs timers in order of their due time, and what each sets going before the next', async () => {
    const clock = new ManualClock()
    const seen: string[] = []
    clock.after(20, () => seen.push('b'))
    clock.after(10, () => {
      seen.push('a')
      void clock.sleep(5).then(() => seen.push('a+5'))
    })
    const cancel = clock.after(15, () => seen.push('never'))
    cancel()
    await clock.advance(12)
    expect(seen).toEqual(['a'])
    await clock.advance(100)
    expect(seen).toEqual(['a', 'a+5', 'b'])
    expect(clock.monotonic()).toBe(112)
    expect(clock.waiting).toBe(0)
  })
})
