/** What a new series borrows from its kind, and what that does to it. */

import { describe, expect, test } from 'vitest'
import { learnTraits, NO_TRAITS } from '../../../../actors/fleet/traits.ts'
import type { Traits } from '../../../../actors/fleet/traits.ts'
import { partitionActor } from '../../../../actors/partition/actor.ts'
import { Flag, FLAGS } from '../../../../actors/partition/flags.ts'
import { borrow, BORROWS_AT, traitsOf } from '../../../../actors/partition/fleet/loan.ts'
import { EVEN, REPORT } from '../../../../actors/partition/series/ensemble/calibration.ts'
import { WARM_UP } from '../../../../actors/partition/series/ensemble/ensemble.ts'
import { COUNT, ENSEMBLE_DOUBLES } from '../../../../actors/partition/series/ensemble/layout.ts'
import { encodePrior, encodeSettings, TRAITS } from '../../../../actors/reading/input.ts'
import type { PriorGroup } from '../../../../actors/reading/input.ts'
import { Bench, blockOf, gaussian, MINUTE, seeded, T0 } from '../harness.ts'
import { CALM_NOISES, dayOf, Watch } from '../series/ensemble/watch.ts'
import type { Noise } from '../series/ensemble/watch.ts'

const STEP_MS = 600_000
const DAY = dayOf(STEP_MS)

/** The course of the noise that has one, whose readings begin at midnight. */
const SINE: PriorGroup = { centre: Float64Array.from({ length: 24 }, (_, h) => Math.SQRT2 * Math.sin(((h + 0.5) / 24) * 2 * Math.PI)), spread: 0.05, days: 30 }
const SCALE = 8 / Math.SQRT2
const groupsOf = (name: string) => (name.startsWith('daily course') ? [SINE] : [])

/** What grown series of a noise are like on average. */
function school(noise: Noise): Float64Array {
  let traits: Traits = NO_TRAITS
  for (let seed = 1; seed <= 6; seed++) {
    const next = noise(7_000 + seed, DAY)
    const w = new Watch(STEP_MS)
    for (let i = 0; i < 12 * DAY; i++) w.feed(next(i))
    traits = learnTraits(traits, traitsOf(w.slab, 0)!)
  }
  return Float64Array.from(traits.means)
}

/** A series that begins, and borrows where there is something to borrow. */
function pupil(traits: Float64Array | null, groups: readonly PriorGroup[], values: (i: number) => number, readings: number): Watch {
  const w = new Watch(STEP_MS)
  for (let i = 0; i < readings; i++) {
    w.feed(values(i))
    if (traits !== null && w.slab.singles[COUNT] === BORROWS_AT) borrow(w.slab, 0, traits, SCALE, groups)
  }
  return w
}

describe('a series that has borrowed', () => {
  test('raises no more false alarms in its first days than its scores promise', () => {
    const [series, readings] = [50, 3 * DAY]
    let told = 0
    for (const [name, noise] of Object.entries(CALM_NOISES)) {
      const [traits, groups] = [school(noise), groupsOf(name)]
      for (let seed = 1; seed <= series; seed++) told += pupil(traits, groups, noise(seed, DAY), readings).found.length
    }
    const promised = Object.keys(CALM_NOISES).length * series * readings * 10 ** ((-EVEN * REPORT) / (1 - REPORT))
    expect(told).toBeLessThanOrEqual(promised + 3.3 * Math.sqrt(promised) + 1)
  })

  test('finds spikes of 12 deviations, nine in ten at least, from its thirtieth reading on, of which one that has not sees none before its tail has come to speak', () => {
    const normal = CALM_NOISES.normal
    const traits = school(normal)
    const found = { with: 0, without: 0 }
    for (let seed = 1; seed <= 30; seed++) {
      const at = 30 + seed
      const spiked = () => ((next) => (i: number) => next(i) + (i === at ? 12 : 0))(normal(seed, DAY))
      if (pupil(traits, [], spiked(), at + 1).found.some((f) => f.at === at)) found.with++
      if (pupil(null, [], spiked(), at + 1).found.some((f) => f.at === at)) found.without++
    }
    expect(found.without).toBe(0)
    expect(found.with).toBeGreaterThanOrEqual(28)
  })

  test('is left as it is where it is noisier than its kind, and raises a handful of alarms at most', () => {
    const traits = school(CALM_NOISES.normal)
    let told = 0
    for (let seed = 1; seed <= 20; seed++) {
      const g = gaussian(seeded(seed))
      told += pupil(traits, [], () => 20 + 4 * g(), 3 * DAY).found.length
    }
    expect(told).toBeLessThanOrEqual(4)
  })

  test('borrows nothing where it reports at another pace', () => {
    const traits = school(CALM_NOISES.normal)
    traits[11] *= 10
    expect(pupil(traits, [], CALM_NOISES.normal(1, DAY), BORROWS_AT).slab.singles[COUNT]).toBe(BORROWS_AT)
    traits[11] /= 10
    expect(pupil(traits, [], CALM_NOISES.normal(1, DAY), BORROWS_AT).slab.singles[COUNT]).toBe(WARM_UP)
  })
})

describe('the traits of a kind', () => {
  test('are a mean of days, of which one that is far out counts as three times the mean; weights may be negative', () => {
    const of = (n: number) => Float64Array.from({ length: TRAITS }, (_, i) => (i < 12 ? n : -n))
    let traits = NO_TRAITS
    for (let day = 0; day < 9; day++) traits = learnTraits(traits, of(2))
    traits = learnTraits(traits, of(1e9))
    expect(traits.means.slice(0, 12)).toEqual(Array(12).fill(2.4))
    expect(traits.means[13]).toBeLessThan(-1e7)
    expect(traits.days).toBe(10)
  })
})

describe('flag 9, what a kind lends', () => {
  const settings = { latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }
  const traits = school(CALM_NOISES.normal)
  const prior = (revision: number) => encodePrior({ of: 'default\nprobe-#\nm', revision, scale: SCALE, groups: [SINE], traits })

  test('is heard from where the log has switched it on, and a part of the snapshot', () => {
    const bench = new Bench()
    bench.feed(encodeSettings(settings, [Flag.ensemble, Flag.fleet]))
    bench.feed(prior(1))
    expect(bench.state.priors.entries()[0].traits).toBeUndefined()
    expect(partitionActor.snapshotVersionOf(bench.state)).toBe(6)
    bench.feed(encodeSettings(settings, [Flag.loan]))
    bench.feed(prior(2))
    expect(bench.state.priors.entries()[0].traits).toEqual(traits)
    const bytes = partitionActor.snapshot(bench.state)
    expect(partitionActor.snapshotVersionOf(bench.state)).toBe(9)
    bench.restore()
    expect(bench.state.priors.entries()[0].traits).toEqual(traits)
    expect(Buffer.from(partitionActor.snapshot(bench.state)).equals(Buffer.from(bytes))).toBe(true)
  })

  test('a new series of the kind has borrowed after its first readings, one of another kind has not; and days are told with traits', () => {
    const bench = new Bench()
    bench.feed(encodeSettings(settings, FLAGS))
    bench.feed(prior(1))
    const g = gaussian(seeded(4))
    const days: (Float64Array | undefined)[] = []
    for (let i = 0; i < 4 * DAY; i++) {
      const ts = T0 + i * 10 * MINUTE
      const said = bench.feed(blockOf(['probe-1', 'other'].map((device) => ({ device, metric: 'm', ts, value: 20 + g() }))), ts + 1_000)
      days.push(...said.profiles.map((p) => p.traits))
      if (i === BORROWS_AT - 1) expect([0, 1].map((s) => bench.state.ensembles[0].singles[2 * s * ENSEMBLE_DOUBLES + COUNT])).toEqual([WARM_UP, BORROWS_AT])
      if (i === 500) bench.restore()
    }
    expect(days.length).toBe(6)
    expect(days.slice(0, 2)).toEqual([undefined, undefined])
    expect(days.at(-1)?.length).toBe(TRAITS)
  })
})
