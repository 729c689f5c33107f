/** The follower: two logs joined, in order, bounded, and across restarts. */

import { beforeEach, describe, expect, test } from 'vitest'
import { Follower } from '../../../actors/store/follow.ts'
import type { CoveredCommit, FollowerOptions, FollowerPositions } from '../../../actors/store/follow.ts'
import { pack } from '../../../runtime/codec.ts'
import { isOperating, OperatingError } from '../../../runtime/errors.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import type { Log } from '../../../runtime/log.ts'
import { inputStream, inputSubject, partitionFor, topologyOf } from '../../../runtime/topology.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { Feed, makeStreams, TENANT } from './feed.ts'

const BEGIN_MS = 1_767_225_600_000
const PARTITIONS = 10
const topology = topologyOf(PARTITIONS)
const quiet = { info() {}, warn() {}, error() {} }

let clock: ManualClock
let world: MemoryWorld
let log: Log
let feed: Feed

beforeEach(async () => {
  clock = new ManualClock({ nowMs: BEGIN_MS })
  world = new MemoryWorld({ clock })
  log = world.connect().log
  await makeStreams(log, PARTITIONS)
  feed = new Feed({ log, clock, partitions: PARTITIONS })
  await feed.begin({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 })
})

const reading = (n: number, device = `d${n % 40}`) => ({ device, metric: 'm', ts: BEGIN_MS + n * 1_000, value: n })

function follower(options: Partial<FollowerOptions> & Pick<FollowerOptions, 'onCommit'>): Follower {
  return new Follower({ log, topology, from: null, clock, logger: quiet, ...options })
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}

const rowsOf = (commits: readonly CoveredCommit[]) => commits.flatMap((c) => c.messages).reduce((sum, m) => sum + (m.input.kind === 'block' ? m.input.ts.length : 0), 0)

async function fill(from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += 10) {
    clock.stepWall(1_000)
    await feed.send(Array.from({ length: 10 }, (_, i) => reading(n + i)))
    if (n % 50 === 0) await feed.commitAll()
  }
  await feed.commitAll()
}

describe('a follower', () => {
  test('passes over messages of the input that hold the wrong things, and gives their neighbours', async () => {
    await fill(0, 20)
    const strange = [{ k: 'x', t: 'default', c: 7, s: null }, { k: 'x', t: 'default', c: [['d', 'many']], s: [] }, { k: 'b', t: 'default', d: 1 }, null, [], 'b']
    for (const wire of strange) for (let p = 0; p < PARTITIONS; p++) await log.publish(inputSubject(p), pack(wire))
    await fill(20, 40)
    const passed: unknown[] = []
    const commits: CoveredCommit[] = []
    const f = follower({ onCommit: (c) => void commits.push(c), logger: { ...quiet, error: (about) => void passed.push(about), warn: (about) => void passed.push(about) } })
    await f.start()
    await until(() => rowsOf(commits) === 40)
    await f.stop()
    for (const { input } of commits.flatMap((c) => c.messages)) if (input.kind === 'rejects') for (const [, n] of input.counts) expect(n).toBeTypeOf('number')
    expect(passed).toHaveLength(strange.length * PARTITIONS)
  })

  test('asks again whether the streams are still the same where the log does not answer, and fails only where they are not', async () => {
    await fill(0, 50)
    let silent = 0
    const shy: Log = {
      publish: (...args) => log.publish(...args),
      read: (options) => log.read(options),
      last: (...args) => log.last(...args),
      at: (...args) => log.at(...args),
      ensureStream: (options) => log.ensureStream(options),
      purge: (...args) => log.purge(...args),
      info: async (stream) => {
        if (silent-- > 0) throw new OperatingError('timeout', 'Cannot ask for it: no answer in time')
        return log.info(stream)
      },
    }
    const f = follower({ log: shy, onCommit: () => {} })
    await f.start()
    silent = 3
    let checked = false
    void f.check().then(() => (checked = true))
    await clock.until(() => checked)
    world.recreateStream('READINGS_1')
    silent = 2
    let error: unknown = null
    f.check().catch((e) => (error = e))
    await clock.until(() => error !== null)
    expect(isOperating(error, 'identity')).toBe(true)
    // One that is stopped waits for no answer.
    silent = Infinity
    const unanswered = f.check()
    await f.stop()
    await unanswered
  })

  test('gives each message once, with the commit that covers it, in order', async () => {
    await fill(0, 400)
    const commits: CoveredCommit[] = []
    const f = follower({ onCommit: (c) => void commits.push(c) })
    await f.start()
    await until(() => rowsOf(commits) === 400)
    await f.stop()
    for (let p = 0; p < PARTITIONS; p++) {
      const of = commits.filter((c) => c.partition === p)
      let before = 0
      for (const { commit, messages } of of) {
        for (const m of messages) {
          expect(m.seq).toBeGreaterThan(before)
          expect(m.seq).toBeLessThanOrEqual(commit.header.position.seq)
          before = m.seq
        }
      }
    }
    expect(commits.map((c) => c.commit.seq)).toEqual(commits.map((c) => c.commit.seq).sort((a, b) => a - b))
  })

  test('holds a commit back until its input has come', async () => {
    const p = partitionFor(topology, TENANT, 'd1')
    const release = world.holdDeliveries(inputSubject(p))
    await feed.send([reading(1, 'd1')])
    await feed.commitAll()
    const commits: CoveredCommit[] = []
    const f = follower({ onCommit: (c) => void commits.push(c) })
    await f.start()
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
    expect(commits.filter((c) => c.partition === p)).toEqual([])
    release()
    await until(() => rowsOf(commits) === 1)
    await f.stop()
  })

  test('goes on from its positions where it stopped with a commit in parts in hand, whose input had not come', async () => {
    const p = partitionFor(topology, TENANT, 'd1')
    const release = world.holdDeliveries(inputSubject(p))
    await feed.send([reading(1, 'd1')])
    await feed.commit(p, 20)
    const first = follower({ onCommit: () => {} })
    await first.start()
    for (let i = 0; i < 500; i++) await new Promise((resolve) => setImmediate(resolve))
    const at = first.positions()
    await first.stop()
    release()
    const commits: CoveredCommit[] = []
    const second = follower({ ...at, from: at.covered, onCommit: (c) => void commits.push(c) })
    await second.start()
    await until(() => rowsOf(commits) === 1 || second.malformed > 0)
    await second.stop()
    expect([rowsOf(commits), second.malformed]).toEqual([1, 0])
  })

  test('goes on from its positions wherever it stopped, in the midst of a commit in parts too', async () => {
    const commits: CoveredCommit[] = []
    let at: FollowerPositions | null = null
    let n = 0
    for (let round = 0; round < 8; round++) {
      const f = follower({
        from: at?.covered ?? null,
        resultsFrom: at?.resultsFrom,
        resultsCreated: at?.resultsCreated,
        inputFrom: at?.inputFrom,
        onCommit: (c) => void commits.push(c),
      })
      await f.start()
      for (let i = 0; i < 30; i++) {
        await feed.send(Array.from({ length: 10 }, () => reading(n++)))
        if (i % 7 === round % 7) await feed.commit(round % PARTITIONS, 64)
        if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      await f.stop()
      at = f.positions()
    }
    await feed.commitAll()
    const f = follower({ from: at!.covered, resultsFrom: at!.resultsFrom, resultsCreated: at!.resultsCreated, inputFrom: at!.inputFrom, onCommit: (c) => void commits.push(c) })
    await f.start()
    await until(() => rowsOf(commits) >= n)
    await f.stop()
    const seen = new Set(commits.flatMap((c) => c.messages.map((m) => `${c.partition} ${m.seq}`)))
    expect(rowsOf(commits)).toBe(n)
    expect(seen.size).toBe(commits.flatMap((c) => c.messages).length)
  })

  test('bounds what waits, and is not locked up by it', async () => {
    for (let n = 0; n < 400; n += 10) await feed.send(Array.from({ length: 10 }, (_, i) => reading(n + i)))
    let rows = 0
    const f = follower({ waitingBytesMax: 8_000, onCommit: (c) => void (rows += rowsOf([c])) })
    await f.start()
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
    expect(f.lag().reduce((sum, l) => sum + l.waitingBytes, 0)).toBeLessThan(8_000 + topology.streams * 1_500)
    await feed.commitAll()
    await until(() => rows === 400)
    await f.stop()
  })

  test('waits for what takes a commit before it gives the next', async () => {
    await fill(0, 200)
    let running = 0
    let most = 0
    let given = 0
    const f = follower({
      onCommit: async (c) => {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setImmediate(resolve))
        running--
        given += rowsOf([c])
      },
    })
    await f.start()
    await until(() => given === 200)
    await f.stop()
    expect(most).toBe(1)
  })

  test('passes over what nobody can read', async () => {
    await log.publish(inputSubject(3), new Uint8Array([1, 2, 3]))
    await log.publish('results.3', new Uint8Array([193, 0]))
    await fill(0, 50)
    let rows = 0
    const f = follower({ onCommit: (c) => void (rows += rowsOf([c])) })
    await f.start()
    await until(() => rows === 50)
    expect(f.malformed).toBe(2)
    await f.stop()
  })

  test('reads an input stream that was made anew from its first message', async () => {
    await fill(0, 100)
    let rows = 0
    const first = follower({ onCommit: (c) => void (rows += rowsOf([c])) })
    await first.start()
    await until(() => rows === 100)
    await first.stop()
    const at = first.positions()
    for (const name of new Set(Array.from({ length: PARTITIONS }, (_, p) => inputStream(topology, p)))) world.recreateStream(name)
    feed = new Feed({ log, clock, partitions: PARTITIONS })
    await feed.begin({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 })
    await fill(100, 150)
    const second = follower({ from: at.covered, resultsFrom: at.resultsFrom, resultsCreated: at.resultsCreated, inputFrom: at.inputFrom, onCommit: (c) => void (rows += rowsOf([c])) })
    await second.start()
    await until(() => rows === 150)
    await second.stop()
  })

  test('refuses to go on where a log is shorter than what was read of it', async () => {
    await fill(0, 100)
    let rows = 0
    const first = follower({ onCommit: (c) => void (rows += rowsOf([c])) })
    await first.start()
    await until(() => rows === 100)
    await first.stop()
    const { covered } = first.positions()
    world.truncateStream('READINGS_0', 1)
    const second = follower({ from: covered, onCommit: () => {} })
    await expect(second.start()).rejects.toSatisfy((error) => isOperating(error, 'identity'))
    await second.stop()
  })
})
