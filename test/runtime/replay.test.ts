/** A recorded log told again: every commit comes out as it was committed, from wherever the replay begins, and what was tampered with is found. */

import { describe, expect, it } from 'vitest'
import { isOperating } from '../../runtime/errors.ts'
import { firstDifferentByte, Replay } from '../../runtime/replay.ts'
import type { ReplayedCommit, ReplayFrom } from '../../runtime/replay.ts'
import { BUCKET_SNAPSHOTS } from '../../runtime/topology.ts'
import { oracle, stage } from '../support/stage.ts'
import type { Stage } from '../support/stage.ts'
import { toyActor } from '../support/toy-actor.ts'
import { ManualClock } from '../support/manual-clock.ts'

const BOUNDS = { commitPartBytes: 300, commitResultsMax: 12, replayCostMs: 0.25, quietCostMs: 0.03 }
const WORDS = ['a', 'many 5', 'urgent b', 'quiet c', 'big 900', 'd', 'many 20', 'wait', 'e', 'f', 'urgent g', 'h', 'quiet i', 'j', 'big 400', 'k']

/** Three owners one after another, the first two of which die; commits in parts among what they say. */
async function recorded(seed = 1): Promise<Stage> {
  const s = await stage({ seed })
  for (let life = 0; life < 3; life++) {
    const connection = s.world.connect()
    const host = s.host(`owner${life}`, { connection, bounds: BOUNDS })
    for (let i = 0; i < WORDS.length; i += 3) {
      await s.say(WORDS.slice(i, i + 3))
      await s.clock.advance(60)
    }
    if (life === 2) {
      await s.covered()
      await host.stop()
    } else connection.die()
  }
  return s
}

async function replay(s: Stage, options: { from?: ReplayFrom; to?: number | null } = {}) {
  const { from = null, to = null } = options
  const made = await Replay.open({ clock: new ManualClock(), connection: s.world.connect(), actor: toyActor(), topology: s.topology, partition: 0, from, to })
  if (made === null) throw new Error('nothing to replay')
  const commits: ReplayedCommit[] = []
  for await (const commit of made.commits()) commits.push(commit)
  return { start: made.start, tally: made.tally, commits }
}

const refusalOf = (run: Promise<unknown>) => run.then(() => 'none', (error) => (isOperating(error) ? `${error.code}: ${error.message}` : String(error)))
const positions = (commits: readonly ReplayedCommit[]) => commits.map((c) => c.header.position.seq)
const inputs = (s: Stage) => s.world.messages('READINGS_0').filter((m) => m.subject === 'readings.0')

describe('a replay', () => {
  it('makes every commit of every owner again, to the byte, parts and claims included', async () => {
    for (let seed = 1; seed <= 8; seed++) {
      const s = await recorded(seed)
      const { start, tally, commits } = await replay(s, { from: 'start' })
      const told = s.told()
      expect(start).toMatchObject({ kind: 'first message', seq: 0 })
      expect(commits.map((c) => c.seq)).toEqual(told.commits.map((c) => c.seq))
      expect(commits.every((c) => c.same)).toBe(true)
      expect(tally).toMatchObject({ different: 0, claims: 3, beforeStart: 0, beginningPurged: 0, messages: oracle(inputs(s)).state.count })
      expect(tally.parted).toBeGreaterThan(3)
      expect(commits.reduce((sum, c) => sum + c.messages, 0)).toBe(tally.messages)
    }
  })

  it('begins at any message: each commit that covers it or a later one is made again, none before', async () => {
    const s = await recorded()
    const all = (await replay(s, { from: 'start' })).commits
    const end = all.at(-1)!.header.position.seq
    for (let from = 1; from <= end; from++) {
      const { commits, tally } = await replay(s, { from })
      expect(positions(commits)).toEqual(positions(all).filter((seq) => seq >= from))
      expect(tally.different).toBe(0)
    }
  })

  it('ends at any message: no commit that reaches beyond it is made again', async () => {
    const s = await recorded()
    const all = (await replay(s)).commits
    for (let to = 0; to <= all.at(-1)!.header.position.seq; to += 3) {
      expect(positions((await replay(s, { to })).commits)).toEqual(positions(all).filter((seq) => seq <= to))
    }
  })

  it('saves time by the newest snapshot before the wanted message', async () => {
    const s = await recorded()
    const [newest, older] = s.told().commits.at(-1)!.header.snapshots
    const late = await replay(s, { from: newest.position.seq + 1 })
    expect(late.start).toMatchObject({ kind: 'snapshot', seq: newest.position.seq, snapshot: newest.name })
    expect((await replay(s, { from: 'snapshot' })).start.seq).toBe(older.position.seq)
    s.world.harmObject(BUCKET_SNAPSHOTS, newest.name, 'flipped')
    const after = await replay(s, { from: newest.position.seq + 1 })
    expect(after.start.seq).toBe(older.position.seq)
    expect(positions(after.commits)).toEqual(positions(late.commits))
  })

  it('finds a commit in which one bit is another, names it alone, and goes on', async () => {
    const s = await recorded()
    const { commits } = await replay(s)
    for (const victim of [commits[0], commits[Math.floor(commits.length / 2)], commits.at(-1)!]) {
      const message = s.world.messages('RESULTS').find((m) => m.seq === victim.seq)!
      const at = message.data.byteLength - 2
      message.data[at] ^= 1
      const again = await replay(s)
      expect(again.commits.filter((c) => !c.same).map((c) => c.seq)).toEqual([victim.seq])
      expect(again.tally.different).toBe(1)
      message.data[at] ^= 1
    }
    expect((await replay(s)).tally.different).toBe(0)
  })

  it('says so where a message of the results can not be read at all', async () => {
    const s = await recorded()
    const message = s.world.messages('RESULTS')[5]
    message.data[0] = 0xc1
    expect(await refusalOf(replay(s))).toMatch(new RegExp(`^identity: Cannot read message ${message.seq} of RESULTS`))
  })

  it('finds a message of the input in which one byte is another: every commit from there on differs', async () => {
    const s = await recorded()
    const victim = inputs(s)[10]
    victim.data[0] ^= 2
    const { commits } = await replay(s, { from: 'start' })
    expect(positions(commits.filter((c) => c.same)).every((seq) => seq < victim.seq)).toBe(true)
    expect(positions(commits.filter((c) => !c.same))).toEqual(positions(commits).filter((seq) => seq >= victim.seq))
  })

  it('begins at a snapshot where the log before is purged, and says what it can not reach', async () => {
    const s = await recorded()
    const { snapshots } = s.told().commits.at(-1)!.header
    const older = snapshots[1].position.seq
    const all = (await replay(s)).commits
    await s.producer.log.purge('READINGS_0', { beforeSeq: older })
    for (const from of [null, 'snapshot', older + 1] as const) {
      const { start, commits, tally } = await replay(s, { from })
      expect(start.seq).toBe(older)
      expect(positions(commits)).toEqual(positions(all.filter((c) => c.after.seq >= older)))
      expect(tally.different).toBe(0)
      expect(tally.beforeStart).toBe(all.filter((c) => c.after.seq < older).length)
    }
    for (const from of ['start', 2] as const) {
      const words = await refusalOf(replay(s, { from }))
      expect(words).toMatch(/^config: Cannot replay partition 0 from (its start|message 2) as .*the log before is purged/)
      expect(words).toContain(`message ${older} and ${snapshots[0].position.seq}`)
    }
    for (const ref of snapshots) s.world.harmObject(BUCKET_SNAPSHOTS, ref.name, 'damaged')
    expect(await refusalOf(replay(s))).toMatch(/no snapshot is whole/)
  })

  it('leaves out a commit whose beginning is purged, be it its first parts or the position before it', async () => {
    const s = await recorded()
    const all = (await replay(s)).commits
    const parted = all.find((c) => c.header.part > 1)!
    const index = all.indexOf(parted)
    // Its last message and one part stay: it can't be put together.
    await s.producer.log.purge('RESULTS', { beforeSeq: parted.seq - 1 })
    const headless = await replay(s, { from: 'start' })
    expect(headless.tally).toMatchObject({ beginningPurged: 1, different: 0 })
    expect(positions(headless.commits)).toEqual(positions(all.slice(index + 1)))
    // The message that ends the commit before it is gone: where its effects begin is not known.
    const whole = all.slice(index + 1).find((c) => c.header.part === 0)!
    await s.producer.log.purge('RESULTS', { beforeSeq: whole.seq })
    const unknown = await replay(s)
    expect(unknown.tally).toMatchObject({ beginningPurged: 1, different: 0 })
    expect(positions(unknown.commits)).toEqual(positions(all.filter((c) => c.seq > whole.seq)))
    expect(unknown.commits.length).toBeGreaterThan(1)
  })

  it('goes on over a new creation of the input, from the state that was kept for it', async () => {
    const s = await recorded()
    s.world.recreateStream('READINGS_0')
    const host = s.host('after', { bounds: { ...BOUNDS, replayCostMs: 1e9, quietCostMs: 1e9 } })
    await s.say(['new a', 'many 3', 'new b'])
    await s.covered()
    const before = s.told().commits.filter((c) => c.header.position.created !== host.committed.created).length
    const { start, commits, tally } = await replay(s)
    expect(start).toMatchObject({ kind: 'snapshot', seq: 0 })
    // The first commit of the new creation has no message; it is made again too.
    expect(commits[0]).toMatchObject({ messages: 0, same: true })
    expect(commits.length).toBeGreaterThan(1)
    expect(tally).toMatchObject({ different: 0, otherGeneration: before, messages: 3 })
    s.world.harmObject(BUCKET_SNAPSHOTS, start.snapshot!, 'lost')
    expect(await refusalOf(replay(s, { from: 'start' }))).toMatch(/^config: /)
    await host.stop()
  })

  it('says so where the input was made anew and nobody went on, or lost what was committed, and where nothing was ever committed', async () => {
    const s = await recorded()
    const nothing = await stage()
    expect(await Replay.open({ clock: new ManualClock(), connection: nothing.world.connect(), actor: toyActor(), topology: nothing.topology, partition: 0, from: null, to: null })).toBe(null)
    const end = s.told().commits.at(-1)!.header.position.seq
    s.world.truncateStream('READINGS_0', end - 2)
    expect(await refusalOf(replay(s))).toMatch(/^identity: .*lost messages that were already processed/)
    s.world.recreateStream('READINGS_0')
    expect(await refusalOf(replay(s))).toMatch(/^identity: .*was made anew at .*nobody has committed/)
  })

  it('fails, in place of waiting, where a commit names a message that is not there', async () => {
    const s = await recorded()
    const { commits } = await replay(s)
    const hole = commits.find((c) => c.messages > 1 && c.header.position.seq > 4)!.header.position.seq
    const stream = s.world.stream('READINGS_0')
    stream.bySubject.set('readings.0', stream.bySubject.get('readings.0')!.filter((m) => m.seq !== hole))
    expect(await refusalOf(replay(s, { from: 'start' }))).toMatch(new RegExp(`^identity: .*must hold message ${hole}, at which a commit ends`))
  })

  it('leaves out what is committed after it began, and writes nothing', async () => {
    const s = await recorded()
    const before = s.world.messages('RESULTS').length + s.world.messages('READINGS_0').length
    const connection = s.world.connect()
    const made = (await Replay.open({ clock: new ManualClock(), connection, actor: toyActor(), topology: s.topology, partition: 0, from: null, to: null }))!
    expect(s.world.messages('RESULTS').length + s.world.messages('READINGS_0').length).toBe(before)
    const end = made.committed.seq
    const host = s.host('later')
    await s.say(['x', 'y'])
    await s.covered()
    let last = 0
    for await (const commit of made.commits()) last = commit.header.position.seq
    expect(last).toBe(end)
    await host.stop()
  })

  it('shows the state that a message met', async () => {
    const s = await recorded()
    const all = inputs(s)
    for (const at of [0, 1, 17, all.length - 1]) {
      const made = (await Replay.open({ clock: new ManualClock(), connection: s.world.connect(), actor: toyActor(), topology: s.topology, partition: 0, from: all[at].seq, to: null }))!
      expect(await made.stateBefore(all[at].seq)).toEqual(oracle(all.slice(0, at)).state)
    }
  })

  it('tells where two payloads differ first', () => {
    const bytes = (...b: number[]) => Uint8Array.from(b)
    expect(firstDifferentByte(bytes(1, 2), bytes(1, 2))).toBe(null)
    expect(firstDifferentByte(bytes(1, 2, 3), bytes(1, 4, 3))).toBe(1)
    expect(firstDifferentByte(bytes(1, 2), bytes(1, 2, 3))).toBe(2)
    expect(firstDifferentByte(bytes(), bytes())).toBe(null)
  })
})
