/** The partition's recorded log, replayed and printed; and what is said where it is not what was committed. */

import { beforeAll, describe, expect, it } from 'vitest'
import { differenceOf } from '../../../actors/replay/difference.ts'
import { parseFrom, runReplay } from '../../../actors/replay/run.ts'
import { EffectsBuilder } from '../../../actors/partition/effects.ts'
import { decodeJournal } from '../../../runtime/journal.ts'
import type { MemoryWorld } from '../../../runtime/memory-log.ts'
import { RESULTS } from '../../../runtime/topology.ts'
import { commitsOf, goldenWorld, topology } from './world.ts'
import { ManualClock } from '../../support/manual-clock.ts'

let world: MemoryWorld
beforeAll(async () => {
  world = await goldenWorld()
})

async function run(options: { json?: boolean; quiet?: boolean; from?: string } = {}): Promise<{ same: boolean; lines: string[] }> {
  const lines: string[] = []
  const print = async (line: string) => void lines.push(line)
  const { json = false, quiet = false, from = null } = options
  const same = await runReplay({ connection: world.connect(), topology, clock: new ManualClock(), partition: null, from: parseFrom(from), to: null, json, quiet, print })
  return { same, lines }
}

describe('the recorded log of a partition, committed by four owners of whom three died', () => {
  it('is made again to the byte, from the start and from a snapshot', async () => {
    const commits = commitsOf(world)
    for (const from of ['start', 'snapshot', '1', '2000']) {
      const { same, lines } = await run({ from, json: true })
      expect(same).toBe(true)
      const all = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
      const summary = all.pop()!
      expect(summary).toMatchObject({ kind: 'summary', different: 0, commits: all.length, claims: 4, difference: null })
      if (from === 'start') {
        expect(all.map((c) => c.seq)).toEqual(commits.map((c) => c.seq))
        expect(summary.bytes).toBe(commits.reduce((sum, c) => sum + c.payload.byteLength, 0))
        expect(summary.parted).toBeGreaterThan(0)
        expect(summary.messages).toBe(world.messages('READINGS_0').length)
      }
    }
  })

  it('is printed a line an effect, and as a sum at the end', async () => {
    const { lines } = await run()
    expect(lines.filter((line) => line.startsWith('commit '))).toHaveLength(commitsOf(world).length)
    expect(lines.filter((line) => line.startsWith('  anomaly ')).length).toBe(8)
    expect(lines.find((line) => line.startsWith('  anomaly '))).toMatch(/^ {2}anomaly {2}default\/\S+\/\w+@2026-01-01T\S+Z=\S+ {2}score 0\.\d+: .* deviations /)
    expect(lines.find((line) => line.startsWith('  window '))).toMatch(/^ {2}window {3}default\/\S+ {2}1m from 2026-\S+: count \d+, mean .*, by (watermark|idle|open)$/)
    expect(lines.at(-1)).toMatch(/^Partition 0: [\d,]+ messages from the first message on, 4 claims, \d+ commits in parts; [\d,]+ commits of [\d,]+ bytes compared: identical\.$/)
    const quiet = await run({ quiet: true })
    expect(quiet.lines).toEqual(lines.slice(-1))
  })

  it('says in words what was tampered with, be it a number of a window or bytes that are no commit at all', async () => {
    const message = world.messages(RESULTS).find((m) => {
      const { header, payload } = decodeJournal(m.data)
      return header.kind === 'commit' && header.part === 0 && payload.byteLength > 400
    })!
    const payload = decodeJournal(message.data).payload.slice()
    const at = message.data.byteLength - payload.byteLength
    for (let i = 0; i < payload.byteLength; i += 7) {
      message.data[at + i] ^= 0x10
      const words = differenceOf(decodeJournal(message.data).payload, payload)
      expect(words).toMatch(/when it was committed|can't be read|in other bytes/)
      if (i % 91 === 0) {
        const { same, lines } = await run({ quiet: true, from: 'start' })
        expect(same).toBe(false)
        expect(lines[0]).toMatch(/: 1 DIFFERENT\.$/)
        expect(lines[1]).toBe(`  The first difference: commit ${message.seq}, which covers ${/the messages after \d+ up to \d+/.exec(lines[1])![0]}: ${words}`)
      }
      message.data[at + i] ^= 0x10
    }
    expect((await run({ quiet: true })).same).toBe(true)
  })
})

it('the first difference of two commits is named by its row and its field, and the totals come first', () => {
  const of = (change: { p95?: number; score?: number; accepted?: number; expired?: number[] }): Uint8Array => {
    const effects = new EffectsBuilder()
    const series = effects.addSeries({ tenant: 'default', device: 'a/b', metric: 'm' })
    const numbers = { count: 2, sum: 3, min: 1, max: 2, stddev: NaN, first: 1, last: 2, p50: 1, p95: change.p95 ?? 2, p99: 2 }
    effects.addWindow({ series, size: 1, start: 0, closedBy: 'idle', ...numbers })
    effects.anomalies.push({ series, ts: 60_000, value: 5, score: change.score ?? 0.7, expected: 1, lower: 0, upper: 2, reason: 'so' })
    const none = new Uint32Array()
    effects.fates.push({ seq: 7, duplicate: none, expired: Uint32Array.from(change.expired ?? []), old: none, closedUntil: new Float64Array() })
    return effects.encode({ accepted: change.accepted ?? 2, pending: 1, logTimeMs: 0 })
  }
  expect(differenceOf(of({}), of({ p95: 1.5 }))).toBe('window default/a/b/m 15m from 1970-01-01T00:00:00.000Z: p95 was 2 when it was committed, and is 1.5 now')
  expect(differenceOf(of({ score: 0.8 }), of({ p95: 1.5 }))).toBe('anomaly default/a/b/m@1970-01-01T00:01:00.000Z: score was 0.8 when it was committed, and is 0.7 now')
  expect(differenceOf(of({ accepted: 3, p95: 1 }), of({}))).toBe('accepted readings were 3 when it was committed, and are 2 now')
  expect(differenceOf(of({ expired: [1] }), of({}))).toMatch(/^fates: block 7: duplicate ; expired 1; /)
})

it('--from is a message, start or snapshot, and nothing else', () => {
  expect(['1', '42', 'start', 'snapshot', null].map(parseFrom)).toEqual([1, 42, 'start', 'snapshot', null])
  for (const wrong of ['', '0', '-1', '1.5', 'newest', 'NaN']) expect(() => parseFrom(wrong)).toThrow('must be the sequence of a message, snapshot or start')
})

it('a partition that is not there is refused', async () => {
  const refused = runReplay({ connection: world.connect(), topology, clock: new ManualClock(), partition: 1, from: null, to: null, json: false, quiet: false, print: async () => {} })
  await expect(refused).rejects.toThrow('must be one of 0 to 0')
})
