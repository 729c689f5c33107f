/** The feed of an own actor: what it notes as told is told. */

import { expect, test } from 'vitest'
import { OwnFeed } from '../../../actors/own/feed.ts'
import { EffectsBuilder } from '../../../actors/partition/effects.ts'
import { readReader } from '../../../actors/store/readers.ts'
import { encodeJournal } from '../../../runtime/journal.ts'
import type { Log, LogReader, ReadOptions } from '../../../runtime/log.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import { BUCKET_META, inputStream, inputSubject, OWN, OWN_FIRST, RESULTS, resultsSubject, topologyOf } from '../../../runtime/topology.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { quietLogger } from '../../support/quiet-logger.ts'
import { blockOf } from '../store/feed.ts'

test('a place is noted once all before it is in the log, at whatever turn the next commit comes', async () => {
  const topology = topologyOf(1)
  for (let turns = 0; turns < 40; turns++) {
    const clock = new ManualClock()
    const connection = new MemoryWorld({ clock }).connect()
    const { log } = connection
    const kv = await connection.kv(BUCKET_META)
    for (const [name, subject] of [[inputStream(topology, 0), inputSubject(0)], [RESULTS, 'results.*'], [OWN, 'own.*']]) await log.ensureStream({ name, subjects: [subject], replicas: 1, bytesMax: -1 })
    const { created } = await log.info(inputStream(topology, 0))
    const commits: number[] = []
    for (const value of [1, 2]) {
      const { seq } = await log.publish(inputSubject(0), blockOf([{ device: 'd', metric: 'm', ts: value, value }]))
      const header = { kind: 'commit' as const, partition: 0, epoch: 1, owner: 'w', nonce: `n${value}`, position: { created, seq, timeMs: clock.now() }, snapshots: [], part: 0 }
      commits.push((await log.publish(resultsSubject(0), encodeJournal(header, new EffectsBuilder().encode({ accepted: value, pending: 0, logTimeMs: clock.now() })))).seq)
    }
    // The second commit is read so many turns after the log has answered for what the first one told.
    const gate = Promise.withResolvers<void>()
    const gated = (inner: LogReader): LogReader => ({
      close: () => inner.close(),
      async *[Symbol.asyncIterator]() {
        for await (const message of inner) {
          if (message.seq === commits[1]) {
            await gate.promise
            for (let i = 0; i < turns; i++) await Promise.resolve()
          }
          yield message
        }
      },
    })
    const answers: (() => void)[] = []
    const publish = () => new Promise<{ seq: number }>((resolve) => answers.push(() => resolve({ seq: answers.length })))
    const read = (options: ReadOptions) => (options.stream === RESULTS ? gated(log.read(options)) : log.read(options))
    const held = { publish, read, info: (stream: string) => log.info(stream), last: (stream: string, subject: string) => log.last(stream, subject), at: (stream: string, seq: number) => log.at(stream, seq) } as unknown as Log
    const feed = new OwnFeed({ log: held, kv, topology, partition: OWN_FIRST, actor: 'x', reads: undefined, everyMs: null, wantsTime: () => false, clock, logger: quietLogger().logger })
    await feed.start()
    await clock.advance(2_500)
    expect(answers).toHaveLength(1)
    gate.resolve()
    answers[0]()
    await clock.advance(100)
    expect(answers).toHaveLength(2)
    const noted = async () => (await readReader(kv, 'own-x'))?.resultsFrom ?? 0
    // What the second commit told is under way: a feed that begins anew must read it again.
    expect([turns, (await noted()) <= commits[1]]).toEqual([turns, true])
    answers[1]()
    await clock.advance(5_000)
    expect(await noted()).toBe(commits[1] + 1)
    await feed.stop()
  }
})
