import { describe, expect, it } from 'vitest'
import type { SnapshotRef } from '../../runtime/journal.ts'
import type { ObjectStore } from '../../runtime/log.ts'
import { SNAPSHOT_AGE_MAX_MS } from '../../runtime/limits.ts'
import { BUCKET_SNAPSHOTS } from '../../runtime/topology.ts'
import { settle } from '../support/manual-clock.ts'
import { expectExactlyOnce, numbered, oracle, stage } from '../support/stage.ts'
import type { Stage } from '../support/stage.ts'
import { toyActor } from '../support/toy-actor.ts'

describe('a host and its snapshots', () => {
  const bounds = { replayCostMs: 0.3, quietCostMs: 0.03 }

  it('takes one when a replay would cost much, names it in a later commit, keeps two, and a new owner starts from the newest', async () => {
    const s = await stage()
    const first = s.host('a', { bounds })
    for (let i = 0; i < 20; i++) {
      await s.say(numbered(5, 5 * i))
      await s.clock.advance(100)
    }
    await s.covered()
    const connection = s.world.connect()
    const objects = await connection.objects(BUCKET_SNAPSHOTS)
    await first.stop()
    await settle()
    const refs = s.told().commits.at(-1)!.header.snapshots
    expect(refs).toHaveLength(2)
    expect(refs[0].position.seq).toBeGreaterThan(refs[1].position.seq)
    expect((await objects.list()).sort()).toEqual(refs.map((r) => r.name).sort())
    const stepped: string[] = []
    const second = s.host('b', { bounds, actor: toyActor({ onStep: (text) => stepped.push(text) }) })
    await s.say(['next'])
    await s.covered()
    expect(stepped).toEqual(numbered(100).slice(refs[0].position.seq).concat('next'))
    expectExactlyOnce(s)
    await second.stop()
  })

  it('drains with a snapshot of everything, so that the next owner replays nothing', async () => {
    const s = await stage()
    const first = s.host('a', { bounds })
    await s.clock.until(() => first.phase.kind === 'running')
    await s.say(numbered(5))
    await first.stop()
    const header = s.told().commits.at(-1)!.header
    expect([header.position.seq, header.snapshots[0]?.position.seq]).toEqual([5, 5])
    const stepped: string[] = []
    const second = s.host('b', { actor: toyActor({ onStep: (text) => stepped.push(text) }) })
    await s.clock.until(() => second.phase.kind === 'running')
    expect(stepped).toEqual([])
    expect(second.state).toEqual(oracle(s.world.messages('READINGS_0')).state)
    await second.stop()
  })

  it('has one taken when asked to spare the next owner a replay, and goes on meanwhile', async () => {
    const s = await stage()
    const host = s.host('a', { bounds: { ...bounds, replayCostMs: 1_000, quietCostMs: 0.01 } })
    await s.clock.until(() => host.phase.kind === 'running')
    await s.say(numbered(5))
    await host.freshen()
    expect(s.told().commits.at(-1)!.header.snapshots.map((r) => r.position.seq)).toEqual([5])
    await s.say(numbered(5, 5))
    await s.covered()
    expectExactlyOnce(s)
    await host.stop()
  })

  it('takes one when the partition goes quiet', async () => {
    const s = await stage()
    const host = s.host('a', { bounds: { ...bounds, replayCostMs: 1_000 } })
    await s.say(numbered(5))
    await s.clock.advance(3_000)
    expect(s.told().commits.at(-1)!.header.snapshots.map((r) => r.position.seq)).toEqual([5])
    await host.stop()
  })

  /** Runs until two snapshots are named, ends without a drain, and gives their names. */
  async function untilTwo(s: Stage): Promise<readonly SnapshotRef[]> {
    const connection = s.world.connect()
    s.host('a', { bounds, connection })
    for (let i = 0; (s.told().commits.at(-1)?.header.snapshots.length ?? 0) < 2; i++) {
      await s.say(numbered(5, 5 * i))
      await s.clock.advance(100)
    }
    await s.say(numbered(5, 1_000))
    await s.covered()
    connection.die()
    return s.told().commits.at(-1)!.header.snapshots
  }

  for (const how of ['damaged', 'flipped', 'lost'] as const) {
    it(`restores the older one where the newest is ${how}, and from the log alone where both are`, async () => {
      const s = await stage()
      const [newest, older] = await untilTwo(s)
      s.world.harmObject(BUCKET_SNAPSHOTS, newest.name, how)
      const stepped: string[] = []
      const connection = s.world.connect()
      const second = s.host('b', { connection, actor: toyActor({ onStep: (text) => stepped.push(text) }) })
      await s.clock.until(() => second.phase.kind === 'running')
      expect(stepped).toHaveLength(second.committed.seq - older.position.seq)
      connection.die()
      s.world.harmObject(BUCKET_SNAPSHOTS, older.name, how)
      stepped.length = 0
      const third = s.host('c', { actor: toyActor({ onStep: (text) => stepped.push(text) }) })
      await s.say(['next'])
      await s.covered()
      expect(stepped).toHaveLength(third.committed.seq)
      expectExactlyOnce(s)
      await third.stop()
    })
  }

  it('stops loudly where no snapshot is whole and the log before them is purged', async () => {
    const s = await stage()
    const refs = await untilTwo(s)
    for (const ref of refs) s.world.harmObject(BUCKET_SNAPSHOTS, ref.name, 'lost')
    await s.producer.log.purge('READINGS_0', { beforeSeq: refs[1].position.seq })
    const host = s.host('b')
    expect(await host.ended).toMatchObject({ kind: 'failed', error: { code: 'identity' } })
    expect(s.lines.some((l) => l.level === 50 && l.msg.includes('stopped'))).toBe(true)
  })

  it('stops loudly where no snapshot is whole and its own log is purged, though the stream still begins with what is of another partition', async () => {
    const s = await stage({ partitions: 16 })
    await s.say(['of another partition'], 8)
    const refs = await untilTwo(s)
    for (const ref of refs) s.world.harmObject(BUCKET_SNAPSHOTS, ref.name, 'lost')
    await s.producer.log.purge('READINGS_0', { subject: 'readings.0', beforeSeq: refs[1].position.seq })
    const host = s.host('b')
    await s.clock.until(() => host.phase.kind === 'failed' || host.phase.kind === 'running')
    expect(host.phase).toMatchObject({ kind: 'failed', error: { code: 'identity' } })
    await host.stop()
  })

  it('restores from a snapshot whose log before it is purged', async () => {
    const s = await stage()
    const refs = await untilTwo(s)
    const all = [...s.world.messages('READINGS_0')]
    await s.producer.log.purge('READINGS_0', { beforeSeq: refs[1].position.seq + 1 })
    const host = s.host('b')
    await s.clock.until(() => host.phase.kind === 'running')
    expect(host.state).toEqual(oracle(all).state)
    await host.stop()
  })

  describe('of several pieces', () => {
    const actor = toyActor({ pieces: 4 })
    const often = { replayCostMs: 0.3, quietCostMs: 0.03 }

    /** A host whose store takes a piece a second, and what it has taken. */
    async function slowly(s: Stage) {
      const connection = s.world.connect()
      const objects = await connection.objects(BUCKET_SNAPSHOTS)
      const taken: number[] = []
      const slow = Object.assign(Object.create(null), {
        get: (name: string) => objects.get(name),
        read: (name: string, onBytes: (bytes: Uint8Array) => void) => objects.read(name, onBytes),
        delete: (name: string) => objects.delete(name),
        list: () => objects.list(),
        async put(name: string, data: Uint8Array | AsyncIterable<Uint8Array>) {
          const all: Uint8Array[] = []
          if (data instanceof Uint8Array) all.push(data)
          else {
            for await (const piece of data) {
              all.push(piece.slice())
              taken.push(s.clock.monotonic())
              await s.clock.sleep(pauseMs)
            }
          }
          await objects.put(name, Buffer.concat(all))
        },
      }) as ObjectStore
      connection.objects = async () => slow
      let pauseMs = 1_000
      return { connection, taken, pause: (ms: number) => (pauseMs = ms) }
    }

    it('steps no message while they are made, goes on at the last one, and restores them', async () => {
      const s = await stage()
      const { connection, taken } = await slowly(s)
      const stepped: string[] = []
      const first = s.host('a', { bounds: { ...often, replayCostMs: 1_000, quietCostMs: 0.01 }, connection, actor: toyActor({ pieces: 4, onStep: (text) => stepped.push(text) }) })
      await s.clock.until(() => first.phase.kind === 'running')
      await s.say(numbered(5))
      let isFresh = false
      void first.freshen().then(() => (isFresh = true))
      await s.clock.until(() => taken.length > 2)
      await s.say(numbered(5, 5))
      await s.clock.advance(1_500)
      expect(stepped).toEqual(numbered(5))
      await s.clock.until(() => stepped.length === 10)
      await s.clock.until(() => isFresh)
      await s.covered()
      expect(s.told().commits.at(-1)!.header.snapshots.map((r) => r.position.seq)).toEqual([5])
      expectExactlyOnce(s)
      void first.stop()
      await s.clock.until(() => first.phase.kind === 'stopped')
      const again: string[] = []
      const second = s.host('b', { actor: toyActor({ pieces: 4, onStep: (text) => again.push(text) }) })
      await s.clock.until(() => second.phase.kind === 'running')
      expect(second.state).toEqual(oracle(s.world.messages('READINGS_0')).state)
      // From the snapshot that was made while these waited: the last one takes longer than a drain may.
      expect(again).toEqual(numbered(5, 5))
      await second.stop()
    })

    it('gives one up that the store takes too long for, and tries again later', async () => {
      const s = await stage()
      const { connection, taken, pause } = await slowly(s)
      pause(40_000)
      const host = s.host('a', { bounds: often, connection, actor })
      await s.clock.until(() => host.phase.kind === 'running')
      await s.say(numbered(20))
      await s.clock.until(() => taken.length > 0)
      await s.say(numbered(5, 20))
      await s.covered()
      expectExactlyOnce(s)
      await s.clock.until(() => s.lines.some(({ msg }) => msg === 'snapshot could not be stored'), { maxMs: 200_000, stepMs: 1_000 })
      expect(await (await s.world.connect().objects(BUCKET_SNAPSHOTS)).list()).toEqual([])
      pause(10)
      await s.say(numbered(20, 25))
      await s.clock.advance(SNAPSHOT_AGE_MAX_MS)
      await s.clock.until(() => (s.told().commits.at(-1)?.header.snapshots.length ?? 0) > 0, { maxMs: 200_000, stepMs: 1_000 })
      await host.stop()
    })

    it('has each result once, whatever is restored, while snapshots are taken at every turn', async () => {
      const s = await stage()
      for (const owner of ['a', 'b', 'c']) {
        const host = s.host(owner, { bounds: often, actor })
        for (let i = 0; i < 10; i++) {
          await s.say(numbered(5, 5 * i).map((m) => `${owner}${m}`))
          await s.clock.advance(100)
        }
        await s.covered()
        await host.stop()
        expect(host.state).toEqual(oracle(s.world.messages('READINGS_0')).state)
      }
      expect(s.told().commits.at(-1)!.header.snapshots).toHaveLength(2)
      expectExactlyOnce(s)
    })
  })
})
