/** What is looked at ahead of a block is all of it, and changes nothing. */

import { expect, test } from 'vitest'
import { partitionActor } from '../../../actors/partition/actor.ts'
import { FLAGS } from '../../../actors/partition/flags.ts'
import { SERIES_MIN, warm } from '../../../actors/partition/warm.ts'
import { encodeBlock, encodeSettings } from '../../../actors/reading/input.ts'
import { T0 } from './harness.ts'

/** A partition of so many series, which have each been told three values. */
function partitionOf(count: number) {
  const state = partitionActor.create()
  const effects = partitionActor.effects()
  partitionActor.step(state, { seq: 1, timeMs: T0, data: encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }, FLAGS) }, effects)
  const all = Uint16Array.from({ length: count }, (_, i) => i)
  const devices = Array.from(all, (i) => `d-${i}`)
  // The last of the dictionary comes first: all before it are looked at then.
  const block = { tenant: 'default', devices, metrics: ['m'], seriesDevice: all, seriesMetric: new Uint16Array(count), row: all.toReversed(), keyed: [] }
  for (let n = 0; n < 3; n++) {
    const data = encodeBlock({ ...block, ts: new Float64Array(count).fill(T0 + n * 50_000), value: Float64Array.from(all, (i) => i + n) })
    partitionActor.step(state, { seq: 2 + n, timeMs: T0 + n * 50_000, data }, effects)
  }
  return state
}

test('each series of a block is looked at, some at a time, and none is another than before', () => {
  const state = partitionOf(SERIES_MIN)
  const before = partitionActor.snapshot(state)
  const places: number[] = []
  for (let at = 0; at < SERIES_MIN - 5; at = places[places.length - 1]) places.push(warm(state, state.series, at, SERIES_MIN - 5))
  expect(places.every((place, i) => place > (places[i - 1] ?? 0))).toBe(true)
  expect(places.length).toBeGreaterThan(100)
  expect(places.at(-1)).toBe(SERIES_MIN - 5)
  expect(partitionActor.snapshot(state)).toEqual(before)
  expect(state.accepted).toBe(3 * SERIES_MIN)
})

test('where series are few, none is looked at', () => {
  const state = partitionActor.create()
  expect(warm(state, [], 0, 10)).toBe(10)
})
