/** A series among others of its kind. */

import { describe, expect, test } from 'vitest'
import { partitionActor } from '../../../../actors/partition/actor.ts'
import { Flag, FLAGS } from '../../../../actors/partition/flags.ts'
import { Courses } from '../../../../actors/partition/fleet/courses.ts'
import { KIN_SINGLES } from '../../../../actors/partition/fleet/kin-layout.ts'
import { KINDS_MAX } from '../../../../actors/partition/fleet/priors.ts'
import { encodeCourses, encodeSettings } from '../../../../actors/reading/input.ts'
import { pack, unpack } from '../../../../runtime/codec.ts'
import { Bench } from '../harness.ts'
import { at, Flock, HOUR, weatherOf } from './flock.ts'

const DEVICES = 12
const AT_DAY = 15

interface Fault {
  (value: number, device: number, hoursSince: number, held: number): number | null
}

/** A flock of `days`, in which `fault` changes what is measured from day `AT_DAY` on. */
async function flockWith(seed: number, days: number, fault: Fault, { devices = DEVICES } = {}): Promise<Flock> {
  const flock = new Flock(devices)
  const next = weatherOf(seed, devices)
  let held: number[] = []
  for (let hour = 0; hour < days * 24; hour++) {
    const sound = next(hour)
    const since = hour - AT_DAY * 24
    if (since < 0) held = sound
    await flock.read(at(hour), since < 0 ? sound : sound.map((value, d) => fault(value, d, since, held[d])))
  }
  return flock
}

const byNeighbours = ({ bench }: Flock) => bench.anomalies.filter(({ part }) => part === 'neighbours')
const daysSince = (ts: number) => (ts - at(AT_DAY * 24)) / (24 * HOUR)

describe('a series among its kind', () => {
  test('takes 32 bytes', () => {
    expect(KIN_SINGLES * Float32Array.BYTES_PER_ELEMENT).toBe(32)
  })

  test('is told of where it drifts away from the others, which no part sees that looks at it alone; the others are not', async () => {
    for (const seed of [1, 2]) {
      const flock = await flockWith(seed, 22, (value, d, since) => value + (d === 3 ? (0.4 * since) / 24 : 0))
      const found = byNeighbours(flock)
      expect(new Set(found.map(({ name, kind }) => [name, kind].join()))).toEqual(new Set(['default/field-3/probe/temperature,apart']))
      expect(daysSince(found[0].ts)).toBeGreaterThan(0)
      expect(daysSince(found[0].ts)).toBeLessThan(5)
      expect(found[0].reason).toMatch(/^in this hour it was on average -?[\d.]+, [\d.]+ (above|below) what is usual of it, while the 11 others of its kind were [\d.]+ (above|below) what is usual of them: over the last hours [\d.]+ times as far from them as ever lately$/)
      expect(found[0].value).toBeGreaterThan(found[0].upper)
      expect(flock.bench.anomalies.filter(({ name, part }) => name.includes('field-3/') && part !== 'neighbours')).toEqual([])
    }
  })

  test('is told of where it rests while they move, long before its own rests would tell', async () => {
    const flock = await flockWith(4, 16, (value, d, _, held) => (d === 5 ? held : value))
    const found = byNeighbours(flock)
    expect(found.map(({ name, kind }) => [name, kind].join())).toEqual(['default/field-5/probe/temperature,stuck'])
    expect(daysSince(found[0].ts) * 24).toBeLessThan(8)
    expect(found[0].reason).toMatch(/^it has not changed from -?[\d.]+ for \d hours, while others of its kind did: 1[01] of 11 in this hour$/)
    expect(flock.bench.anomalies.filter(({ kind, part }) => kind === 'stuck' && part === 'rest')).toEqual([])
  })

  test('is left alone where all of them move, though each raises an alarm of its own where it is looked at alone', async () => {
    const found = { alone: 0, among: 0 }
    for (const [which, flags] of [['alone', FLAGS.filter((flag) => flag !== Flag.kin)], ['among', FLAGS]] as const) {
      const flock = new Flock(DEVICES, flags)
      const next = weatherOf(5, DEVICES, { frontAt: AT_DAY * 24 })
      let from = next(0)
      for (let hour = 0; hour < (AT_DAY + 3) * 24; hour++) {
        const to = next(hour + 1)
        for (const part of [0, 1 / 3, 2 / 3]) await flock.read(at(hour) + part * HOUR, from.map((value, d) => value + part * (to[d] - value)))
        from = to
      }
      expect(byNeighbours(flock)).toEqual([])
      found[which] = flock.bench.anomalies.filter(({ ts }) => daysSince(ts) >= 0).length
    }
    expect(found.alone).toBeGreaterThanOrEqual(DEVICES)
    expect(found.among).toBeLessThanOrEqual(found.alone / 10)
  })

  test('is compared with nobody where there are fewer than five', async () => {
    const flock = await flockWith(6, 17, (value, d) => (d === 1 ? value + 9 : value), { devices: 4 })
    expect(flock.told).toEqual([])
    expect(flock.bench.state.courses.size).toBe(0)
  })
})

describe('what a partition hears of kinds', () => {
  const course = (of: string, hour: number, members = 9) => ({ of, hour: hour * HOUR, members, moved: members, deviation: 1, spread: 0.5 })

  test('is of each kind the newest hour; of too many kinds the first; of fewer than five members nothing', () => {
    const courses = new Courses()
    expect([3, 5, 4, 5].map((hour) => courses.learn(course('t\nprobe-#\nm', hour)))).toEqual([true, true, false, false])
    expect(courses.learn(course('t\nprobe-#\nm', 9, 4))).toBe(false)
    expect(courses.of('t', 'probe-77', 'm')?.hour).toBe(5 * HOUR)
    expect(courses.of('t', 'probe-77', 'n')).toBeNull()
    for (let i = 0; i < KINDS_MAX + 9; i++) courses.learn(course(`t\nx\n${i}`, 1))
    expect(courses.size).toBe(KINDS_MAX)
    expect(courses.learn(course('t\nprobe-#\nm', 6))).toBe(true)
  })

  test('counts from where the log has switched it on', () => {
    const bench = new Bench()
    const message = encodeCourses([course('default\nd\nm', 9)])
    bench.feed(message)
    expect([bench.state.malformed, bench.state.courses.size]).toEqual([1, 0])
    bench.feed(encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }, [Flag.kin]))
    bench.feed(message)
    expect([bench.state.malformed, bench.state.courses.size]).toEqual([1, 1])
  })

  test('and how series stand to their kinds is a part of the snapshot, to the last bit; one without it is refused', async () => {
    const straight = await flockWith(7, 8, (value) => value)
    const restored = new Flock(DEVICES)
    const next = weatherOf(7, DEVICES)
    for (let hour = 0; hour < 8 * 24; hour++) {
      await restored.read(at(hour), next(hour))
      if (hour % 5 === 2) restored.bench.restore()
    }
    expect(restored.bench.payloads).toEqual(straight.bench.payloads)
    const bytes = partitionActor.snapshot(straight.bench.state)
    expect(Buffer.from(partitionActor.snapshot(restored.bench.state)).equals(Buffer.from(bytes))).toBe(true)
    restored.bench.restore()
    expect(restored.bench.state.kin).toEqual(straight.bench.state.kin)
    expect(restored.bench.state.courses.entries()).toEqual(straight.bench.state.courses.entries())
    expect(restored.bench.state.courses.size).toBe(1)
    const whole = unpack<{ kin: Uint8Array[] }>(bytes)
    for (const kin of [[], whole.kin.map((page) => page.slice(4))]) expect(() => partitionActor.restore(pack({ ...whole, kin }))).toThrow(/must hold how each series stands to its kind/)
  })
})
