import { describe, expect, test } from 'vitest'
import { FleetLearner } from '../../../actors/fleet/learner.ts'
import type { CoveredCommit } from '../../../actors/store/follow.ts'
import { profileOf } from '../../../actors/partition/fleet/profile.ts'
import { decodeInput } from '../../../actors/reading/input.ts'
import { systemClock } from '../../../runtime/clock.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import { BUCKET_META, inputStreams, topologyOf } from '../../../runtime/topology.ts'
import { seeded } from '../partition/harness.ts'

const quiet = { info: () => {}, warn: () => {}, error: () => {} }
const topology = topologyOf(2)

/** A commit with a day of each of some devices, as the follower gives it; of it a learner reads the effects and the sequence. */
function commitOf(seq: number, random: () => number): CoveredCommit {
  const profiles = [0, 1, 2].map((series) => ({ series, day: seq, ...profileOf(Array.from({ length: 24 }, (_, h) => 10 + Math.sin(h / 4) + random()))!, cluster: -1, distance: NaN }))
  return { commit: { seq }, effects: { series: [0, 1, 2].map((n) => ({ tenant: 't', device: `probe-${n}`, metric: 'm' })), profiles } } as unknown as CoveredCommit
}

async function house() {
  const world = new MemoryWorld({ clock: systemClock })
  const connection = world.connect()
  for (const name of inputStreams(topology)) await connection.log.ensureStream({ name, subjects: topology.partitions === 2 ? [`readings.${name.slice(-1)}`] : [], replicas: 1, bytesMax: -1 })
  const kv = await connection.kv(BUCKET_META)
  const open = (created = 'c1') => FleetLearner.open({ kv, log: connection.log, topology, created, clock: systemClock, logger: quiet })
  return { connection, open }
}

describe('a learner', () => {
  test('counts a profile once, whoever learns it, and however often it is read again', async () => {
    const { open } = await house()
    const random = seeded(3)
    const commits = Array.from({ length: 20 }, (_, i) => commitOf(i + 1, random))
    const straight = await (await house()).open()
    for (const commit of commits) straight.onCommit(commit)
    await straight.learnNow()
    const [a, b] = [await open(), await open()]
    for (const [i, commit] of commits.entries()) {
      for (const learner of [a, b]) learner.onCommit(commit)
      if (i % 3 === 0) await a.learnNow()
      if (i % 4 === 0) await b.learnNow()
    }
    await Promise.all([a.learnNow(), b.learnNow()])
    // One that starts again reads some of them once more.
    const c = await open()
    for (const commit of commits.slice(10)) c.onCommit(commit)
    await c.learnNow()
    expect(c.kinds().map((k) => [k.of, k.seq, k.model])).toEqual(straight.kinds().map((k) => [k.of, k.seq, k.model]))
    expect(c.kinds()[0].model.days).toBe(60)
    await Promise.all([a, b, c, straight].map((learner) => learner.stop()))
  })

  test('tells a kind when what is known has grown, and again when it starts', async () => {
    const { open, connection } = await house()
    const random = seeded(4)
    const said = async () => (await connection.log.info('READINGS_1')).lastSeq
    const a = await open()
    a.onCommit(commitOf(1, random))
    await a.learnNow()
    expect(await said()).toBe(1)
    a.onCommit(commitOf(2, random))
    await a.learnNow()
    expect(await said()).toBe(2)
    a.onCommit(commitOf(3, random))
    await a.learnNow()
    await a.learnNow()
    expect(await said()).toBe(3)
    a.onCommit(commitOf(4, random))
    await a.learnNow()
    expect(await said()).toBe(3)
    const b = await open()
    await b.learnNow()
    expect(await said()).toBe(4)
    const last = decodeInput((await connection.log.at('READINGS_1', 4))!.data)
    expect(last).toMatchObject({ kind: 'prior', of: 't\nprobe-#\nm' })
    await Promise.all([a.stop(), b.stop()])
  })

  test('goes on where RESULTS was made anew, whose sequences begin again', async () => {
    const { open } = await house()
    const random = seeded(5)
    const a = await open()
    for (let seq = 1; seq <= 9; seq++) a.onCommit(commitOf(seq, random))
    await a.learnNow()
    await a.stop()
    const b = await open('c2')
    b.onCommit(commitOf(1, random))
    await b.learnNow()
    expect(b.kinds()[0].model.days).toBe(30)
    expect([b.kinds()[0].created, b.kinds()[0].seq]).toEqual(['c2', 1])
    await b.stop()
  })
})
