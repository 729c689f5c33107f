import { describe, expect, test } from 'vitest'
import type { Reading } from '../../../actors/reading/input.ts'
import { Flag } from '../../../actors/partition/flags.ts'
import { encodeSettings } from '../../../actors/reading/input.ts'
import { deliveries, NO_FAULTS } from '../../../actors/simulation/faults.ts'
import type { FaultRates } from '../../../actors/simulation/faults.ts'
import { WARM_UP } from '../../../actors/partition/series/detector.ts'
import { Bench, blockOf, HOUR, T0 } from './harness.ts'

const PROBES = 6
const HOURS = 8

/** Anomalies of a simulated farm, delivered to a partition second by second. */
function farm(rates: FaultRates, flags: number[]) {
  const bench = new Bench(T0)
  bench.feed(encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }, flags))
  const all = deliveries({ seed: 7, probes: PROBES, intervalMs: 10_000, spreadMs: 10_000, rates }, T0, T0 + HOURS * HOUR)
  let waiting: Reading[] = []
  let end = T0 + 1_000
  for (const { atMs, reading } of all) {
    if (atMs >= end) {
      bench.feed(blockOf(waiting), end)
      waiting = []
      end = Math.ceil((atMs + 1) / 1_000) * 1_000
    }
    waiting.push(reading)
  }
  bench.feed(blockOf(waiting), end)
  return { anomalies: bench.anomalies, readings: all.map((d) => d.reading) }
}

/** The share of spikes that is found: the ensemble holds what came often lately for less strange. */
const BY: [string, number[], number][] = [
  ['the detector', [], 0.9],
  ['the ensemble', [Flag.ensemble], 0.8],
]

describe.each(BY)('anomalies of a simulated farm, told by %s', (_, flags, share) => {
  const sound = farm(NO_FAULTS, flags)
  const key = (r: { device: string; metric: string; ts: number }) => `default/${r.device}/${r.metric} ${r.ts}`
  const value = new Map(sound.readings.map((r) => [key(r), r.value]))

  test('a sound farm has none', () => {
    expect(sound.readings.length).toBe(PROBES * 4 * HOURS * 360)
    expect(sound.anomalies).toEqual([])
  })

  test('nearly all spikes are found though a tenth of the readings is missing, and nothing else is', () => {
    const { anomalies, readings } = farm({ ...NO_FAULTS, missing: 0.1, duplicate: 0.02, spike: 0.001 }, flags)
    const spikes = new Set(readings.filter((r) => value.get(key(r)) !== r.value).map(key))
    const afterWarmUp = readings.filter((r) => spikes.has(key(r)) && r.ts >= T0 + WARM_UP * 10_000).map(key)
    const found = anomalies.map((a) => `${a.name} ${a.ts}`)
    expect(afterWarmUp.length).toBeGreaterThan(40)
    expect(found.filter((f) => !spikes.has(f))).toEqual([])
    expect(afterWarmUp.filter((k) => found.includes(k)).length / new Set(afterWarmUp).size).toBeGreaterThan(share)
  })

  test('of values that stick for a quarter of an hour nearly all are found, once each', () => {
    const { anomalies, readings } = farm({ ...NO_FAULTS, stuck: 0.03 }, flags)
    const wrong = readings.filter((r) => value.get(key(r)) !== r.value)
    const spells = new Set(wrong.map((r) => `default/${r.device}/${r.metric} ${Math.floor(r.ts / 900_000)}`))
    const found = anomalies.map((a) => `${a.name} ${Math.floor(a.ts / 900_000)}`)
    expect(spells.size).toBeGreaterThan(10)
    expect(found.filter((f) => !spells.has(f))).toEqual([])
    expect(new Set(found).size).toBe(found.length)
    expect(found.length / spells.size).toBeGreaterThan(0.8)
  })
})
