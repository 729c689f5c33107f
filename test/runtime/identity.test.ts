import { beforeEach, describe, expect, test } from 'vitest'
import { isOperating } from '../../runtime/errors.ts'
import { identify } from '../../runtime/identity.ts'
import { JournalWriter } from '../../runtime/journal-writer.ts'
import type { Position } from '../../runtime/journal.ts'
import { STALE_LEADER_MS } from '../../runtime/limits.ts'
import type { Log } from '../../runtime/log.ts'
import { MemoryWorld } from '../../runtime/memory-log.ts'
import { RESULTS } from '../../runtime/topology.ts'
import { ManualClock } from '../support/manual-clock.ts'

const STREAM = 'READINGS_0'
const bytes = new Uint8Array([1])

let clock: ManualClock
let world: MemoryWorld
let log: Log

beforeEach(() => {
  clock = new ManualClock()
  world = new MemoryWorld({ clock })
  log = world.connect().log
})

async function make(replicas: number): Promise<void> {
  await log.ensureStream({ name: STREAM, subjects: ['readings.0', 'readings.8'], replicas, bytesMax: -1 })
  await log.ensureStream({ name: RESULTS, subjects: ['results.>'], replicas, bytesMax: -1 })
}

async function append(count: number): Promise<Position> {
  let seq = 0
  for (let i = 0; i < count; i++) seq = (await log.publish('readings.0', bytes)).seq
  const { timeMs } = (await log.at(STREAM, seq))!
  return { created: (await log.info(STREAM)).created, seq, timeMs }
}

/** The outcome of `run`, and the time that passed until it was known. */
async function outcome<T>(run: Promise<T>): Promise<{ value: T | null; error: unknown; tookMs: number }> {
  let done: { value: T | null; error: unknown } | null = null
  void run.then(
    (value) => (done = { value, error: null }),
    (error) => (done = { value: null, error }),
  )
  const beganMs = clock.monotonic()
  while (done === null) await clock.advance(50)
  return { ...(done as { value: T | null; error: unknown }), tookMs: clock.monotonic() - beganMs }
}

describe('the identity of a log', () => {
  test('is not doubted for what a replica does not show that has just begun to lead', async () => {
    await make(3)
    await append(3)
    const caughtUp = world.lagAnswers(STREAM)
    const position = { ...(await append2(5)), created: (await log.info(STREAM)).created }
    clock.after(4_000, caughtUp)
    const { value } = await outcome(identify(log, clock, STREAM, 'readings.0', position))
    expect(value).toMatchObject({ kind: 'same', target: position.seq })
  })

  test('is lost where every replica lacks what was read, for longer than one that is cut off can believe that it leads', async () => {
    await make(3)
    const position = await append(5)
    world.truncateStream(STREAM, 3)
    const { error, tookMs } = await outcome(identify(log, clock, STREAM, 'readings.0', position))
    expect(isOperating(error, 'identity')).toBe(true)
    expect(tookMs).toBeGreaterThanOrEqual(STALE_LEADER_MS)
  })

  test('of a stream that one server alone keeps is told at once', async () => {
    await make(1)
    const position = await append(5)
    world.truncateStream(STREAM, 3)
    const { error, tookMs } = await outcome(identify(log, clock, STREAM, 'readings.0', position))
    expect(isOperating(error, 'identity')).toBe(true)
    expect(tookMs).toBeLessThanOrEqual(50)
  })

  test('has the whole way to the position as its replay, although the leader changes between two questions', async () => {
    await make(3)
    const position = await append(5)
    const asked: string[] = []
    // The first answer about the message at the position comes from a replica that does not have it yet.
    const between: Log = Object.assign(Object.create(log) as Log, {
      info: (stream: string) => log.info(stream),
      last: (stream: string, subject: string) => log.last(stream, subject),
      at: async (stream: string, seq: number) => {
        asked.push('at')
        return asked.length === 1 ? null : log.at(stream, seq)
      },
    })
    const { value } = await outcome(identify(between, clock, STREAM, 'readings.0', position))
    expect(value).toMatchObject({ kind: 'same', target: position.seq })
    expect(asked.length).toBe(2)
  })

  /** Appends while answers lag: the position is made from what the publishes say. */
  async function append2(count: number): Promise<{ seq: number; timeMs: number }> {
    let seq = 0
    for (let i = 0; i < count; i++) seq = (await log.publish('readings.0', bytes)).seq
    return { seq, timeMs: world.messages(STREAM).at(-1)!.timeMs }
  }
})

describe('the writer of a journal', () => {
  test('goes on where a replica that leads does not yet show its last commit', async () => {
    await make(3)
    const writer = new JournalWriter({ log, clock, partition: 0, owner: 'one', signal: new AbortController().signal })
    const at = (seq: number): Position => ({ created: 'x', seq, timeMs: 0 })
    await writer.claim(at(0), async () => {})
    const caughtUp = world.lagAnswers(RESULTS)
    await writer.commit({ position: at(1), payload: bytes, snapshots: [] })
    clock.after(4_000, caughtUp)
    world.failNext('results.0', 'lost')
    const { error } = await outcome(writer.commit({ position: at(2), payload: bytes, snapshots: [] }))
    expect(error).toBeNull()
    expect(world.messages(RESULTS).length).toBe(3)
  })
})
