import { describe, expect, test } from 'vitest'
import { partitionActor } from '../../../actors/partition/actor.ts'
import { Flag, FLAGS } from '../../../actors/partition/flags.ts'
import { piecesOf, restoring, snapshotVersionOf } from '../../../actors/partition/snapshot/snapshot.ts'
import type { PartitionState } from '../../../actors/partition/state.ts'
import { encodeFeedback, encodeSettings } from '../../../actors/reading/input.ts'
import { pack, unpack } from '../../../runtime/codec.ts'
import { Bench, blockOf, HOUR, MINUTE, seeded, T0 } from './harness.ts'

const SETTINGS = { latenessMs: 5_000, idleMs: 90_000, retentionMs: 0 }
const random = seeded(3)
/** New devices come all the time, some metrics later than their devices, and one series is so fast that it has bins. */
const blocks = Array.from({ length: 130 }, (_, i) => {
  const ts = T0 + i * 30 * MINUTE
  const slow = Array.from({ length: 4 + Math.floor(i / 10) }, (_, d) => ({ device: `d${(d * 7) % 19}`, metric: `m${(d + i) % 3}`, ts: ts + d, value: 20 + random() }))
  const fast = Array.from({ length: 12 }, (_, n) => ({ device: 'fast', metric: 'm', ts: ts + n * 1_000, value: random() * 1e3 }))
  return { ts, data: blockOf([...slow, ...fast]) }
})

/** The state as it is behind the snapshot in pieces of so many series. */
function restored(state: PartitionState, pieceSeries: number): PartitionState {
  const whole = restoring(FLAGS)
  for (const piece of piecesOf(state, pieceSeries)) whole.take(piece)
  return whole.done()
}

function lived(flags: readonly number[] = FLAGS): Bench {
  const bench = new Bench()
  bench.feed(encodeSettings(SETTINGS, flags))
  for (const { ts, data } of blocks) bench.feed(data, ts)
  if (flags === FLAGS) bench.feed(encodeFeedback({ tenant: 'default', device: 'd7', metric: 'm0', ts: T0, value: 20, useful: false }))
  return bench
}

const copies = (state: PartitionState, pieceSeries: number) => Array.from(piecesOf(state, pieceSeries), (piece) => piece.slice())

describe('a snapshot in pieces', () => {
  test.each([1, 3, 7])('of %i series each gives the state that goes on as the one that was written, byte for byte, from anywhere', (pieceSeries) => {
    const straight = new Bench()
    const again = new Bench()
    for (const bench of [straight, again]) bench.feed(encodeSettings(SETTINGS, FLAGS))
    blocks.forEach(({ ts, data }, i) => {
      straight.feed(data, ts)
      if (i % 9 === 4) again.state = restored(again.state, pieceSeries)
      again.feed(data, ts)
      expect(again.payloads.at(-1)).toEqual(straight.payloads.at(-1))
    })
    const { young, grown } = straight.state.forecasters
    expect(young.count > 3 && grown.count > 3 && straight.state.series.length > 30).toBe(true)
    expect(partitionActor.snapshot(again.state)).toEqual(partitionActor.snapshot(straight.state))
  })

  test('has as many pieces as it says, the same each time, and the memory of one is used for the next', () => {
    const { state } = lived()
    const pieces = piecesOf(state, 4)
    expect(pieces.count).toBe(Math.ceil(state.series.length / 4))
    const [first, second] = [pieces, pieces].map((all) => Array.from(all, (piece) => Buffer.from(piece).toString('hex')))
    expect(first).toEqual(second)
    expect([first.length, new Set(first).size]).toEqual([pieces.count, pieces.count])
    const kept = [...pieces]
    expect(new Set(kept.map((piece) => piece.buffer)).size).toBeLessThan(pieces.count / 2)
  })

  test('is of format 11, and one alone of the least that holds the state', () => {
    const { state } = lived()
    expect([snapshotVersionOf(state, 4), snapshotVersionOf(state, 1_000)]).toEqual([11, 9])
    expect(new Set(copies(state, 4).map((piece) => unpack<{ v: number }>(piece).v))).toEqual(new Set([11]))
    expect(unpack<{ v: number; piece?: unknown }>(copies(state, 1_000)[0])).toMatchObject({ v: 9 })
    // Who does not know the ensemble reads what others write before it is on.
    const old = lived([Flag.ageAtReceipt]).state
    expect([piecesOf(old, 4).count, snapshotVersionOf(old, 4)]).toEqual([1, 2])
  })

  test('is refused where a piece is missing, doubled, in another place, of another snapshot, or where one series is told twice', () => {
    const { state } = lived()
    const pieces = copies(state, 8)
    const take = (some: readonly Uint8Array[]) => {
      const whole = restoring(FLAGS)
      for (const piece of some) whole.take(piece)
      return whole.done()
    }
    expect(take(pieces).series.length).toBe(state.series.length)
    const [a, b, ...rest] = pieces
    for (const some of [[], [a], pieces.slice(0, -1), pieces.slice(1), [b, a, ...rest], [a, a, b, ...rest], [a, ...rest], [...pieces, pieces.at(-1)!]]) {
      expect(() => take(some)).toThrow(/Cannot read a snapshot as/)
    }
    expect(() => take([a, ...copies(state, 9).slice(1)])).toThrow(RangeError)
    const told = unpack<Record<string, unknown>>(b)
    expect(() => take([a, pack({ ...told, devices: unpack<{ devices: unknown }>(a).devices, metrics: [], names: unpack<{ names: unknown }>(a).names }), ...rest])).toThrow(RangeError)
    expect(() => take([pack({ ...unpack<object>(a), piece: [0, 1] }), b, ...rest])).toThrow(/of how many pieces/)
  })

  test('of thousands of series has pieces by itself, each of a bounded size, and is one value where it is kept as one', () => {
    const bench = new Bench()
    bench.feed(encodeSettings(SETTINGS, FLAGS))
    const hour = (h: number) => Array.from({ length: 2_500 }, (_, d) => ({ device: `d${d}`, metric: 'm', ts: T0 + h * HOUR, value: h + (d % 7) }))
    for (let h = 0; h < 3; h++) bench.feed(blockOf(hour(h)), T0 + h * HOUR)
    const pieces = Array.from(partitionActor.pieces(bench.state), (piece) => piece.length)
    expect([partitionActor.pieces(bench.state).count, pieces.length, partitionActor.snapshotVersionOf(bench.state)]).toEqual([3, 3, 11])
    expect(Math.max(...pieces)).toBeLessThan(4_000_000)
    const bytes = partitionActor.snapshot(bench.state)
    const twin = partitionActor.restore(bytes)
    expect(Buffer.compare(partitionActor.snapshot(twin), bytes)).toBe(0)
    expect(() => partitionActor.restore(bytes.subarray(0, bytes.length - 1))).toThrow(RangeError)
  })
})
