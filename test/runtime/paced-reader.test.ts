import { expect, test } from 'vitest'
import { MemoryWorld } from '../../runtime/memory-log.ts'
import { PacedReader } from '../../runtime/paced-reader.ts'
import { bytesOf } from '../support/toy-actor.ts'
import { ManualClock } from '../support/manual-clock.ts'

/** A log with `count` messages of the subject that is read, each followed by one of another. */
async function logOf(count: number) {
  const { log } = new MemoryWorld({ clock: new ManualClock() }).connect()
  await log.ensureStream({ name: 'S', subjects: ['a', 'b'], replicas: 1, bytesMax: -1 })
  for (let i = 0; i < count; i++) for (const subject of ['a', 'b']) await log.publish(subject, bytesOf(`${subject}${i}`))
  const seen: number[] = []
  return { log, seen, take: (message: { seq: number }) => void seen.push(message.seq) }
}

test('a stretch ends at its sequence, and what lies beyond it is given to the next one, and in the end to who reads on', async () => {
  const { log, seen, take } = await logOf(5)
  const reader = new PacedReader(log.read({ stream: 'S', subject: 'a', fromSeq: 1 }))
  expect(await reader.upTo(3, 0, take)).toBe(true)
  expect(seen).toEqual([1, 3])
  expect(await reader.upTo(3, 3, take)).toBe(true)
  // Where the message of that sequence is none of the subject's, or is purged, the next one is not taken for it.
  expect(await reader.upTo(6, 3, take)).toBe(true)
  expect(seen).toEqual([1, 3, 5])
  expect(await reader.upTo(7, 5, take)).toBe(true)
  for await (const message of reader) {
    take(message)
    if (message.seq === 9) break
  }
  expect(seen).toEqual([1, 3, 5, 7, 9])
})

test('a stretch that waits for what never comes ends when the reader is closed', async () => {
  const { log, seen, take } = await logOf(1)
  const reader = new PacedReader(log.read({ stream: 'S', subject: 'a', fromSeq: 1 }))
  const waiting = reader.upTo(9, 0, take)
  await reader.close()
  expect(await waiting).toBe(false)
  expect(seen.length).toBeLessThan(2)
})
