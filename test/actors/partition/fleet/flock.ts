/** A flock of devices of one kind in one partition, whose hours a teller gathers and tells, as the store's does. */

import { CourseTeller } from '../../../../actors/fleet/courses.ts'
import { FLAGS } from '../../../../actors/partition/flags.ts'
import { decodeInput, encodeSettings } from '../../../../actors/reading/input.ts'
import type { CourseHour } from '../../../../actors/reading/input.ts'
import type { CoveredCommit } from '../../../../actors/store/follow.ts'
import type { Log } from '../../../../runtime/log.ts'
import { ManualClock } from '../../../support/manual-clock.ts'
import { Bench, blockOf, DAY, gaussian, HOUR, seeded, T0 } from '../harness.ts'

const quiet = { info: () => {}, warn: () => {}, error: () => {} }

export class Flock {
  readonly bench = new Bench()
  readonly told: CourseHour[] = []
  readonly devices: readonly string[]
  readonly #teller: CourseTeller
  #letters: Uint8Array[] = []

  constructor(devices: number, flags: readonly number[] = FLAGS) {
    this.devices = Array.from({ length: devices }, (_, d) => `field-${d}/probe`)
    const publish: Log['publish'] = (_, data) => {
      this.#letters.push(data)
      return Promise.resolve({ seq: 0 } as never)
    }
    this.#teller = new CourseTeller({ log: { publish }, clock: new ManualClock(), logger: quiet })
    this.bench.feed(encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }, flags))
  }

  /** A reading of each device, null for none; then what was gathered is told, and heard. */
  async read(ts: number, values: readonly (number | null)[], metric = 'temperature'): Promise<void> {
    const readings = values.flatMap((value, d) => (value === null ? [] : [{ device: this.devices[d], metric, ts, value }]))
    this.#hear(this.bench.feed(blockOf(readings), ts + 1_000))
    await this.#teller.tellNow()
    for (const data of this.#letters.splice(0)) {
      const input = decodeInput(data)
      if (input.kind === 'courses') this.told.push(...input.courses)
      this.#hear(this.bench.feed(data, ts + 2_000))
    }
  }

  #hear(effects: NonNullable<Bench['last']>): void {
    this.#teller.onCommit({ partition: 0, effects } as CoveredCommit)
  }
}

/**
 * What sound devices of one field measure by the hour: one weather, which each feels more or less, a course of the day of each its own, a level of its own,
 * and some noise. A front comes at hour `frontAt`, and takes a day to cool all of it by 14 degrees.
 */
export function weatherOf(seed: number, devices: number, { noise = 0.15, frontAt = Infinity } = {}): (hour: number) => number[] {
  const random = seeded(seed)
  const g = gaussian(random)
  const own = Array.from({ length: devices }, () => ({ level: 12 + 4 * random(), amplitude: 3 + 2 * random(), feels: 0.8 + 0.4 * random(), x: 0 }))
  let weather = 0
  return (hour) => {
    weather = 0.97 * weather + 0.6 * g()
    const felt = weather - 14 * Math.max(0, Math.min(1, (hour - frontAt) / 24))
    const course = -Math.cos(((hour - 3) / 24) * 2 * Math.PI)
    return own.map((d) => {
      d.x = 0.8 * d.x + 0.6 * g()
      return Math.round(100 * (d.level + d.amplitude * course + d.feels * felt + noise * d.x)) / 100
    })
  }
}

export const at = (hour: number) => T0 + hour * HOUR + HOUR / 2
export { DAY, HOUR }
