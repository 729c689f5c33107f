import { describe, expect, test } from 'vitest'
import { partitionActor } from '../../../actors/partition/actor.ts'
import { Flag } from '../../../actors/partition/flags.ts'
import { encodeSettings } from '../../../actors/reading/input.ts'
import type { KeyedRows } from '../../../actors/reading/input.ts'
import { Bench, blockOf, HOUR, MINUTE, seeded, T0, troubled } from './harness.ts'

interface Message {
  data: Uint8Array
  timeMs: number
}

/** A log with every kind of message: blocks, some keyed, settings, ticks, noise, outages, and a clock that steps back. */
function log(seed: number, count: number): Message[] {
  const random = seeded(seed + 99)
  const messages: Message[] = []
  for (const { readings, timeMs } of troubled(seed, count)) {
    const hash = Math.floor(random() * 30).toString(16).padStart(32, '0')
    const keyed: KeyedRows[] = random() < 0.3 ? [{ hash, from: 0, to: Math.ceil(readings.length / 2) }] : []
    messages.push({ data: blockOf(readings, keyed), timeMs: timeMs - (random() < 0.1 ? 3_000 : 0) })
    if (random() < 0.05) for (let i = 1; i < 90; i++) messages.push({ data: partitionActor.tick(), timeMs: timeMs + i * 1_000 })
    if (random() < 0.02) messages.push({ data: Uint8Array.of(0xc1, 1, 2), timeMs })
    if (random() < 0.02) {
      const [latenessMs, idleMs] = [Math.floor(random() * 20_000), 1_000 + Math.floor(random() * 90_000)]
      messages.push({ data: encodeSettings({ latenessMs, idleMs, retentionMs: random() < 0.5 ? HOUR : 0 }), timeMs })
    }
  }
  const end = messages[messages.length - 1].timeMs
  for (let i = 0; i < 200; i++) messages.push({ data: partitionActor.tick(), timeMs: end + i * 1_000 })
  return messages
}

describe('snapshots of a partition', () => {
  test.each([11, 12, 13])('a partition restored before every message says the same, byte for byte (seed %i)', (seed) => {
    const straight = new Bench()
    const restored = new Bench()
    if (seed === 13) for (const bench of [straight, restored]) bench.feed(encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }, [Flag.ensemble]))
    for (const { data, timeMs } of log(seed, 1_500)) {
      straight.feed(data, timeMs)
      restored.restore()
      restored.feed(data, timeMs)
      expect(restored.payloads.at(-1)).toEqual(straight.payloads.at(-1))
    }
    expect(partitionActor.snapshot(restored.state)).toEqual(partitionActor.snapshot(straight.state))
    expect(straight.rows.length).toBeGreaterThan(100)
  })

  test('a snapshot survives bins, side shelves and many devices', () => {
    const random = seeded(5)
    const bench = new Bench()
    const fast = (_: unknown, i: number) => ({ device: 'fast', metric: 'm', ts: T0 + i * 10, value: (random() - 0.5) * 1e6 })
    const ordered = Array.from({ length: 4_000 }, fast)
    bench.feed(blockOf(ordered.filter((_, i) => i % 2 === 0)), T0 + MINUTE)
    bench.feed(blockOf(ordered.filter((_, i) => i % 2 === 1).reverse()), T0 + MINUTE)
    const many = (_: unknown, i: number) => ({ device: `d${i % 100}`, metric: `m${i % 30}`, ts: T0 + i, value: i })
    bench.feed(blockOf(Array.from({ length: 300 }, many)), T0 + MINUTE)
    const twin = new Bench()
    twin.state = partitionActor.restore(partitionActor.snapshot(bench.state))
    for (const b of [bench, twin]) {
      b.timeMs = T0 + MINUTE
      b.payloads = []
      b.feed(blockOf(Array.from({ length: 90 }, (_, i) => ({ device: 'fast', metric: 'm', ts: T0 + i * MINUTE, value: i }))), T0 + 2 * HOUR)
      b.tick()
    }
    expect(twin.payloads).toEqual(bench.payloads)
  })

  test('bytes that are no whole snapshot, or of a later version, are refused', () => {
    const bench = new Bench()
    bench.read(T0, 1)
    const bytes = partitionActor.snapshot(bench.state)
    for (let length = 0; length < bytes.length; length += 7) expect(() => partitionActor.restore(bytes.slice(0, length))).toThrow()
    const later = partitionActor.snapshotVersion + 1
    expect(() => partitionActor.restore(Uint8Array.of(0x81, 0xa1, 0x76, later))).toThrow(new RegExp(`must be at most ${later - 1}: current value is ${later}`))
  })
})
