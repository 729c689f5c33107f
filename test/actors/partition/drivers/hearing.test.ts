/** Drivers in a partition: hours heard, forecasts corrected, effects told, all of it a part of the state. */

import { describe, expect, test } from 'vitest'
import { partitionActor } from '../../../../actors/partition/actor.ts'
import { Flag, FLAGS } from '../../../../actors/partition/flags.ts'
import { encodeDriverHour, encodeSettings } from '../../../../actors/reading/input.ts'
import { Bench, blockOf, gaussian, HOUR, MINUTE, seeded, T0 } from '../harness.ts'

const SETTINGS = { latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }
const heard = (h: number, value: number) => encodeDriverHour({ tenant: 'default', device: 'probe', metric: 'soil', slot: 0, driver: 'mast\nrain', hour: T0 + h * HOUR, value })

test('an hour of a driver is nothing before the log has switched it on, nor to a series that never came', () => {
  const bench = new Bench()
  bench.feed(blockOf([{ device: 'probe', metric: 'soil', ts: T0, value: 1 }]))
  bench.feed(heard(0, 1))
  expect([bench.state.malformed, bench.state.driven.size]).toEqual([1, 0])
  bench.feed(encodeSettings(SETTINGS, [Flag.drivers]))
  bench.feed(encodeDriverHour({ tenant: 'default', device: 'other', metric: 'soil', slot: 0, driver: 'a\nb', hour: T0, value: 1 }))
  expect(bench.state.driven.size).toBe(0)
  bench.feed(heard(0, 1))
  expect(bench.state.driven.size).toBe(1)
  expect(partitionActor.snapshotVersionOf(bench.state)).toBe(7)
})

describe('a series that is driven', () => {
  test('is told what its drivers do at the end of each day, is forecast with them where they help, and goes on the same from a snapshot', () => {
    const [bench, random] = [new Bench(), seeded(5)]
    const draw = gaussian(random)
    bench.feed(encodeSettings(SETTINGS, FLAGS))
    let soil = 20
    let rain = 0
    const models = new Set<string>()
    let last: { effects: readonly number[]; errors: readonly number[]; gain: number } | null = null
    for (let h = 0; h < 900; h++) {
      soil += 0.9 * rain - 0.02 * (soil - 20) - 0.1 + 0.03 * draw()
      const { drivers, forecasts } = bench.feed(blockOf([{ device: 'probe', metric: 'soil', ts: T0 + h * HOUR + 20 * MINUTE, value: soil }]), T0 + h * HOUR + 20 * MINUTE)
      for (const f of forecasts) models.add(f.model)
      if (drivers.length > 0) last = drivers[0]
      // A shower an hour long: the soil itself tells of it an hour later.
      rain = random() < 0.1 ? 3 * random() : 0
      bench.feed(heard(h, rain), T0 + h * HOUR + 40 * MINUTE)
      if (h === 700) {
        const bytes = partitionActor.snapshot(bench.state)
        bench.restore()
        expect(Buffer.from(partitionActor.snapshot(bench.state)).equals(Buffer.from(bytes))).toBe(true)
      }
    }
    expect(Math.abs(last!.effects[0] - 0.9)).toBeLessThan(0.2)
    expect(last!.effects[0] / last!.errors[0]).toBeGreaterThan(5)
    expect(last!.gain).toBeLessThan(1)
    expect([...models].some((model) => model.endsWith(' with drivers'))).toBe(true)
  })
})
