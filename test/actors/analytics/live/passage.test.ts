/** What runs of resumed streams read of the log, whatever others have read before them and read beside them. */

import { expect, it } from 'vitest'
import { Passage } from '../../../../actors/analytics/live/passage.ts'
import { RecentLog } from '../../../../actors/analytics/live/recent.ts'
import { LIVE_RECENT_BYTES_MAX } from '../../../../runtime/limits.ts'
import type { Log, LogMessage } from '../../../../runtime/log.ts'
import { seeded } from '../../../support/random.ts'

/** A stream in which some sequences are missing; how often a message was read, and readers that are open. */
class Stage {
  readonly seqs: number[] = []
  reads = 0
  open = 0
  readonly recent = new RecentLog(1)
  readonly log: Log

  constructor(options: { messages: number; bytes: number; random: () => number; gaps?: number }) {
    const { messages, bytes, random, gaps = 0.2 } = options
    for (let seq = 1; this.seqs.length < messages; seq++) if (random() >= gaps) this.seqs.push(seq)
    const data = new Uint8Array(bytes)
    const stage = this
    this.log = {
      read: ({ fromSeq }: { fromSeq: number }) => {
        stage.open++
        let at = stage.seqs.findIndex((seq) => seq >= fromSeq)
        let closed = false
        const next = async (): Promise<IteratorResult<LogMessage>> => {
          for (let i = Math.floor(random() * 3); i > 0; i--) await null
          if (closed) return { done: true, value: undefined }
          stage.reads++
          return { done: false, value: { subject: 's', seq: stage.seqs[at++], timeMs: 0, data } as LogMessage }
        }
        return {
          close: async () => {
            if (!closed) stage.open--
            closed = true
          },
          [Symbol.asyncIterator]: () => ({ next }),
        }
      },
    } as unknown as Log
  }

  passage(): Passage {
    return new Passage({ log: this.log, recent: this.recent, stream: 0, name: 's', isResults: false })
  }

  async stretch(passage: Passage, first: number, until: number): Promise<number[]> {
    const got: number[] = []
    for await (const { seq } of passage.stretch(first, until)) got.push(seq)
    expect(got).toEqual(this.seqs.filter((seq) => seq >= first && seq <= until))
    return got
  }
}

it('is exactly what the log has, whoever reads what beside it', async () => {
  const random = seeded(3)
  for (let round = 0; round < 100; round++) {
    const stage = new Stage({ messages: 120, bytes: 100, random })
    const last = stage.seqs[100]
    const run = async () => {
      for (let visits = 0; visits < 3; visits++) {
        const passage = stage.passage()
        let first = 1 + Math.floor(random() * last)
        for (let stretches = 0; stretches < 4 && first <= last; stretches++) {
          const until = stage.seqs.find((seq) => seq >= Math.min(last, first + Math.floor(random() * 40)))!
          await stage.stretch(passage, first, until)
          // On from there, or back to a place before.
          first = random() < 0.7 ? until + 1 : 1 + Math.floor(random() * until)
        }
        await passage.close()
      }
    }
    await Promise.all(Array.from({ length: 8 }, run))
    expect(stage.open).toBe(0)
  }
})

it('is read once where one comes after the other, from further back too', async () => {
  const stage = new Stage({ messages: 200, bytes: 100, random: seeded(4), gaps: 0 })
  for (const [first, until] of [[100, 150], [110, 150], [90, 160], [50, 100], [50, 170]]) {
    const passage = stage.passage()
    await stage.stretch(passage, first, until)
    await passage.close()
  }
  // Each of 50 to 170, and one ahead of a stretch now and then.
  expect(stage.reads).toBeLessThanOrEqual(121 + 5)
})

it('is held within a bound, and beyond it read anew', async () => {
  const bytes = 1024 * 1024
  const stage = new Stage({ messages: 300, bytes, random: seeded(5), gaps: 0 })
  const many = LIVE_RECENT_BYTES_MAX / bytes
  for (const [first, until] of [[100, 100 + many], [50, 290], [1, 290]]) {
    const passage = stage.passage()
    await stage.stretch(passage, first, until)
    await passage.close()
    expect(stage.recent.bytes).toBeLessThan(LIVE_RECENT_BYTES_MAX + 3 * bytes)
    expect(stage.recent.bytes).toBeGreaterThan(LIVE_RECENT_BYTES_MAX / 2)
  }
  stage.recent.clear()
  expect(stage.recent.bytes).toBe(0)
})
