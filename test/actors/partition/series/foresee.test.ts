import { describe, expect, test } from 'vitest'
import { partitionActor } from '../../../../actors/partition/actor.ts'
import { decodeEffects } from '../../../../actors/partition/effects.ts'
import { Flag } from '../../../../actors/partition/flags.ts'
import { encodeSettings } from '../../../../actors/reading/input.ts'
import { Bench, blockOf, HOUR, MINUTE, T0 } from '../harness.ts'

const SETTINGS = { latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }
const value = (h: number, device = 0) => 20 + 5 * Math.sin((h * Math.PI) / 12) + ((h * 7 + device) % 5) / 10

/** A partition whose devices report twice an hour, with forecasts switched on. */
class Farm extends Bench {
  readonly devices: number
  forecasts: { name: string; madeAt: number; steps: number; at: number }[] = []

  constructor(devices = 1, flags: number[] = [Flag.forecasts]) {
    super(T0)
    this.devices = devices
    this.feed(encodeSettings(SETTINGS, flags))
  }

  hours(from: number, until: number): this {
    for (let h = from; h < until; h++) for (const minute of [10, 40]) this.block(T0 + h * HOUR + minute * MINUTE, h)
    return this
  }

  block(ts: number, h: number, timeMs = ts): void {
    const readings = Array.from({ length: this.devices }, (_, d) => ({ device: `d${d}`, metric: 'm', ts, value: value(h, d) }))
    for (const f of this.feed(blockOf(readings), timeMs).forecasts) this.forecasts.push({ name: this.last!.series[f.series].device, madeAt: f.madeAt, steps: f.steps, at: this.timeMs })
  }
}

describe('the close of an hour', () => {
  test('brings a day\'s forecast, and each sixth hour of the day a week\'s, once two days are known and not before', () => {
    const farm = new Farm().hours(0, 60)
    const wanted = Array.from({ length: 12 }, (_, i) => T0 + (48 + i) * HOUR)
    expect(farm.forecasts.map((f) => f.madeAt)).toEqual(wanted)
    for (const f of farm.forecasts) {
      expect(f.steps).toBe((f.madeAt / HOUR) % 6 === 0 ? 168 : 24)
      expect(f.at).toBe(f.madeAt + 10 * MINUTE)
    }
  })

  test('brings none where the log has not switched forecasts on, and costs no memory there', () => {
    const farm = new Farm(2, [Flag.ageAtReceipt]).hours(0, 60)
    expect(farm.forecasts).toEqual([])
    expect(farm.state.forecasters.young.bytes + farm.state.forecasters.grown.bytes).toBe(0)
  })

  test('by idleness brings one as well', () => {
    const farm = new Farm().hours(0, 50)
    const before = farm.forecasts.length
    const told: number[] = []
    for (let s = 1; s < 40; s++) told.push(...farm.feed(partitionActor.tick(), farm.timeMs + MINUTE).forecasts.map((f) => f.madeAt))
    expect(before).toBe(2)
    expect(told).toEqual([T0 + 50 * HOUR])
  })

  test('of several at once is forecast behind the last alone', () => {
    const farm = new Farm().hours(0, 60)
    const clock = T0 + 66 * HOUR
    // A device that was away for six hours sends them in disorder, so that nothing but the newest reading closes them.
    const late = [59.9, 61, 62, 63, 64, 65].map((h) => ({ device: 'd0', metric: 'm', ts: T0 + h * HOUR, value: value(h) }))
    farm.feed(encodeSettings({ ...SETTINGS, latenessMs: 8 * HOUR }))
    farm.feed(blockOf(late), clock)
    farm.feed(encodeSettings(SETTINGS))
    const { forecasts, windows } = farm.feed(blockOf([{ device: 'd0', metric: 'm', ts: T0 + 66 * HOUR - 1, value: 1 }]), clock)
    expect(windows.filter((w) => w.size === 2 && w.closedBy === 'watermark').map((w) => w.start)).toEqual([59, 61, 62, 63, 64].map((h) => T0 + h * HOUR))
    expect(forecasts.map((f) => f.madeAt)).toEqual([T0 + 65 * HOUR])
  })

  test('long ago teaches, and brings no forecast of what has passed', () => {
    const farm = new Farm()
    for (let h = 0; h < 100; h++) farm.block(T0 + h * HOUR, h, T0 + 120 * HOUR)
    expect(farm.forecasts.map((f) => f.madeAt)).toEqual([97, 98].map((h) => T0 + h * HOUR).filter((ms) => ms > T0 + 96 * HOUR))
  })

  test('forecasts the same whether the series is alone or among others that began with it, but for the hour at which they learn', () => {
    const among = new Farm(30).hours(0, 49)
    const alone = new Farm(1).hours(0, 49)
    const rowsOf = (farm: Farm) => farm.payloads.flatMap((p) => decodeEffects(p).forecasts.filter((f) => f.series === 0))
    expect(rowsOf(alone)).toEqual(rowsOf(among))
  })

  test('is told alike by a state that went through snapshots, young and grown', () => {
    const straight = new Farm(3).hours(0, 80)
    const restored = new Farm(3)
    for (let h = 0; h < 80; h++) {
      restored.hours(h, h + 1)
      if (h % 9 === 0 || (h > 44 && h < 50)) restored.restore()
    }
    expect(restored.forecasts).toEqual(straight.forecasts)
    expect(restored.payloads).toEqual(straight.payloads)
    expect(Buffer.from(partitionActor.snapshot(restored.state)).equals(partitionActor.snapshot(straight.state))).toBe(true)
  })

  test('leaves a snapshot of format 8, which is refused where its rows are not whole or not sound', () => {
    const farm = new Farm(2).hours(0, 50)
    farm.feed(blockOf([{ device: 'young', metric: 'm', ts: T0 + 50 * HOUR, value: 1 }]), T0 + 50 * HOUR)
    farm.feed(blockOf([{ device: 'young', metric: 'm', ts: T0 + 52 * HOUR, value: 1 }]), T0 + 52 * HOUR)
    const { young, grown } = farm.state.forecasters
    expect([young.count, grown.count, partitionActor.snapshotVersionOf(farm.state)]).toEqual([1, 2, 8])
    const bytes = partitionActor.snapshot(farm.state)
    expect(Buffer.from(partitionActor.snapshot(partitionActor.restore(bytes))).equals(bytes)).toBe(true)
    const at = Buffer.from(bytes).indexOf(Buffer.from(grown.bytesOf(0)))
    expect(at).toBeGreaterThan(0)
    for (const [offset, what] of [[0, 'last hour'], [56, 'a float'], [56 + 4 * 52, 'filled']] as const) {
      const changed = bytes.slice()
      changed.fill(0xff, at + offset, at + offset + 8)
      expect(() => partitionActor.restore(changed), what).toThrow(/must be sound/)
    }
  })
})
