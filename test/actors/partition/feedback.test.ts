/** Answers to anomalies: messages of the log that move the bar of their series. */

import { describe, expect, test } from 'vitest'
import { partitionActor } from '../../../actors/partition/actor.ts'
import { Flag } from '../../../actors/partition/flags.ts'
import { FACTOR_MAX, FACTOR_MIN, Tuning } from '../../../actors/partition/tuning.ts'
import { encodeFeedback, encodeSettings } from '../../../actors/reading/input.ts'
import { Bench, T0 } from './harness.ts'

const SETTINGS = { latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }
const answer = (useful: boolean, metric = 'temperature') => encodeFeedback({ tenant: 'default', device: 'probe', metric, ts: T0, value: 1, useful })

function answering(): Bench {
  const bench = new Bench()
  bench.feed(encodeSettings(SETTINGS, [Flag.feedback]))
  bench.read(T0, 1)
  return bench
}

describe('tuning', () => {
  test('a series is where it began until somebody answers; "not useful" puts its bar up, "useful" down, within bounds', () => {
    const tuning = new Tuning()
    expect(tuning.factorOf(3)).toBe(1)
    expect(tuning.answer(3, false)).toBeGreaterThan(1)
    expect(tuning.factorOf(4)).toBe(1)
    expect(tuning.answer(4, true)).toBeLessThan(1)
    for (let i = 0; i < 100; i++) tuning.answer(3, false)
    expect(tuning.factorOf(3)).toBe(FACTOR_MAX)
    for (let i = 0; i < 100; i++) tuning.answer(3, true)
    expect(tuning.factorOf(3)).toBe(FACTOR_MIN)
  })

  test('its entries are in order of the series, whichever was answered first', () => {
    const [a, b] = [new Tuning(), new Tuning()]
    a.answer(9, true)
    a.answer(2, false)
    b.answer(2, false)
    b.answer(9, true)
    expect(a.entries()).toEqual(b.entries())
    expect(a.entries().length).toBe(4)
  })
})

describe('an answer to an anomaly', () => {
  test('is committed with what it did, and moves its own series alone', () => {
    const bench = answering()
    const [series] = bench.state.series
    const { feedback, series: names } = bench.feed(encodeFeedback({ tenant: series.device.tenant, device: series.device.name, metric: series.metric, ts: T0, value: 1, useful: false }))
    expect(feedback).toEqual([{ series: 0, ts: T0, value: 1, useful: false, factor: bench.state.tuning.factorOf(series.id) }])
    expect(names[0]).toEqual({ tenant: series.device.tenant, device: series.device.name, metric: series.metric })
    expect(bench.state.tuning.factorOf(series.id)).toBeGreaterThan(1)
  })

  test('to a series that the partition has never heard of does nothing', () => {
    const bench = answering()
    const before = partitionActor.snapshot(bench.state)
    const { feedback } = bench.feed(answer(false, 'no_such_metric'))
    expect(feedback).toEqual([])
    expect(Buffer.from(partitionActor.snapshot(bench.state)).equals(Buffer.from(before))).toBe(true)
  })

  test('before the log has switched it on is a message that nobody can read, as it was to the versions before', () => {
    const bench = new Bench()
    bench.read(T0, 1)
    const [series] = bench.state.series
    bench.feed(encodeFeedback({ tenant: 'default', device: series.device.name, metric: series.metric, ts: T0, value: 1, useful: false }))
    expect(bench.state.malformed).toBe(1)
    expect(bench.state.tuning.size).toBe(0)
  })

  test('is a part of the snapshot, whose format grows by it and by nothing else', () => {
    const bench = answering()
    expect(partitionActor.snapshotVersionOf(bench.state)).toBe(2)
    const [series] = bench.state.series
    bench.feed(encodeFeedback({ tenant: 'default', device: series.device.name, metric: series.metric, ts: T0, value: 1, useful: true }))
    expect(partitionActor.snapshotVersionOf(bench.state)).toBe(5)
    const factor = bench.state.tuning.factorOf(series.id)
    const bytes = partitionActor.snapshot(bench.state)
    bench.restore()
    expect(bench.state.tuning.factorOf(series.id)).toBe(factor)
    expect(Buffer.from(partitionActor.snapshot(bench.state)).equals(Buffer.from(bytes))).toBe(true)
  })
})
