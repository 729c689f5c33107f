import { describe, expect, test } from 'vitest'
import { EMPTY_KIND, GROUPS_MAX, learn, mainGroup } from '../../../actors/fleet/groups.ts'
import { distanceOf, nearestOf, profileOf } from '../../../actors/partition/fleet/profile.ts'
import { kindOf, sortOf } from '../../../actors/partition/fleet/kinds.ts'
import { gaussian, seeded } from '../partition/harness.ts'

/** A day that is warmest at `peak`, of an amplitude, around a level, with noise. */
function day({ peak = 14, size = 5, level = 20, noise = 0 }, draw: () => number): number[] {
  return Array.from({ length: 24 }, (_, h) => level + size * Math.cos(((h - peak) / 24) * 2 * Math.PI) + noise * draw())
}

describe('a kind', () => {
  test('is told by tenant, metric, and the name of the device without its numbers', () => {
    expect(sortOf('field-7/probe-12')).toBe('field-#/probe-#')
    expect(kindOf('default', 'field-7/probe-2', 'm')).toBe(kindOf('default', 'field-12/probe-31', 'm'))
    expect(kindOf('default', 'field-7/probe-2', 'm')).not.toBe(kindOf('default', 'field-7/pump-2', 'm'))
    expect(kindOf('a', 'x', 'm')).not.toBe(kindOf('b', 'x', 'm'))
  })
})

describe('a profile', () => {
  test('is the distance of each hour from the mean, whose root mean square is the amplitude', () => {
    const profile = profileOf(day({}, () => 0))!
    expect(profile.level).toBeCloseTo(20, 10)
    expect(profile.amplitude).toBeCloseTo(5 / Math.SQRT2, 10)
    expect(profile.course[14]).toBeCloseTo(5, 10)
  })

  test('bridges a gap by a line, at the ends by what is next, and is none of a day with too many', () => {
    const hours = Array.from({ length: 24 }, (_, h) => h)
    for (const h of [0, 10, 11, 23]) hours[h] = NaN
    const { course, level } = profileOf(hours)!
    expect(Array.from(course, (c) => Math.round((c + level) * 1e9) / 1e9)).toEqual([1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 22])
    hours[12] = NaN
    expect(profileOf(hours)).toBeNull()
  })
})

describe('groups of a kind', () => {
  test('are found: fields that warm by day, cellars that lag, and tell each day to its own', () => {
    const random = seeded(7)
    const draw = gaussian(random)
    const sorts = [{ peak: 14, size: 5 }, { peak: 14, size: 1 }, { peak: 2, size: 5 }]
    let model = EMPTY_KIND
    for (let i = 0; i < 600; i++) model = learn(model, profileOf(day({ ...sorts[i % 3], level: 15 + 5 * random(), noise: 0.3 }, draw))!)
    expect(model.groups.length).toBe(3)
    expect(model.level).toBeGreaterThan(16)
    const centres = model.groups.map((g) => g.centre)
    const told = sorts.map((sort) => Array.from({ length: 40 }, () => nearestOf(profileOf(day({ ...sort, noise: 0.3 }, draw))!.course, model.scale, centres).group))
    for (const groups of told) expect(new Set(groups).size).toBe(1)
    expect(new Set(told.map(([group]) => group)).size).toBe(3)
  })

  test('are one where all are alike, and follow a season', () => {
    const draw = gaussian(seeded(8))
    let model = EMPTY_KIND
    for (let i = 0; i < 300; i++) model = learn(model, profileOf(day({ noise: 0.5 }, draw))!)
    expect(model.groups.length).toBe(1)
    for (let i = 0; i < 2_000; i++) model = learn(model, profileOf(day({ peak: 14 + Math.min(4, i / 200), noise: 0.5 }, draw))!)
    expect(mainGroup(model)!.centre.indexOf(Math.max(...mainGroup(model)!.centre))).toBe(18)
  })

  test('and their unit are not bent by a device that is broken for a tenth of all days, from the first day on', () => {
    const fold = (broken: boolean) => {
      const draw = gaussian(seeded(10))
      let model = EMPTY_KIND
      for (let i = 0; i < 300; i++) {
        const hours = day({ noise: 0.3 }, draw)
        model = learn(model, profileOf(broken && i % 10 === 0 ? hours.map((_, h) => (h === i % 24 ? 1e6 : h)) : hours)!)
      }
      return model
    }
    const [sound, bent] = [fold(false), fold(true)]
    expect(bent.scale / sound.scale).toBeGreaterThan(0.9)
    expect(bent.scale / sound.scale).toBeLessThan(1.1)
    expect(distanceOf(Float64Array.from(mainGroup(bent)!.centre), 1, mainGroup(sound)!.centre)).toBeLessThan(0.1)
  })

  test('are never more than there may be, and the same whoever folds the same days', () => {
    const random = seeded(9)
    const days = Array.from({ length: 500 }, () => profileOf(Array.from({ length: 24 }, () => 10 * random()))!)
    const fold = () => days.reduce(learn, EMPTY_KIND)
    expect(fold()).toEqual(fold())
    expect(fold().groups.length).toBeLessThanOrEqual(GROUPS_MAX)
    // What was written and read again goes on the same way.
    const half = JSON.parse(JSON.stringify(days.slice(0, 250).reduce(learn, EMPTY_KIND)))
    expect(days.slice(250).reduce(learn, half)).toEqual(fold())
  })

  test('of flat days there are none; distances are in units of what is usual', () => {
    const flat = profileOf(new Array(24).fill(3))!
    expect(learn(EMPTY_KIND, flat).groups).toEqual([])
    const profile = profileOf(day({}, () => 0))!
    expect(distanceOf(profile.course, profile.amplitude, new Array(24).fill(0))).toBeCloseTo(1, 10)
    expect(nearestOf(profile.course, 0, [new Array(24).fill(0)])).toEqual({ group: -1, distance: NaN })
  })
})
