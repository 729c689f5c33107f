/**
 * What the devices of a kind have in common: groups of daily profiles, learned one day of one series at a time.
 *
 * Sequential k-means (MacQueen 1967) with forgetting: a profile moves the centre that it is nearest to by its share; one that is far from all of
 * them founds a group of its own, while there are fewer than `GROUPS_MAX`; of two that have come to lie together the smaller joins the larger.
 *
 * - K1 The outcome is a function of the profiles and their order, which is that of the results log: whoever folds it comes to the same groups.
 * - K2 A centre is in units of the kind's scale, which is the usual amplitude of a day; so groups are of shape and of size, not of level.
 * - K3 The state is bounded: `GROUPS_MAX` centres of 24 numbers, and `AMPLITUDES_MAX` amplitudes.
 * - K4 One broken device does not bend a kind: the usual amplitude is a trimmed mean, and a day that is far from every group moves none further than one
 *   that is just not far.
 */

import { DAY_HOURS } from '../reading/window.ts'
import { distanceOf, nearestOf } from '../partition/fleet/profile.ts'
import type { Profile } from '../partition/fleet/profile.ts'

export const GROUPS_MAX = 4
/** Days after which an old one counts for little. */
const MEMORY = 200
/** Days of series whose amplitudes' mean is the usual one, without so many parts of them at either end. */
const AMPLITUDES_MAX = 31
const TRIMMED = 1 / 7
/** How far from every centre a profile founds a group, in units of the kind's scale, and in spreads of the nearest group. */
const FOUND_DISTANCE = 0.9
const FOUND_SPREADS = 3
/** Centres nearer than this are of one group. */
const JOIN_DISTANCE = 0.25
/** A group founded by one day that nobody followed in so many of the kind goes. */
const FORGOTTEN = 400

export interface Group {
  /** Days of series in it, those long ago counted less. */
  readonly days: number
  /** Hours of a UTC day, in units of the kind's scale. */
  readonly centre: readonly number[]
  /** Usual distance of its profiles from the centre. */
  readonly spread: number
  /** Days of the kind when it last grew. */
  readonly grewAt: number
}

export interface KindModel {
  /** Days of series that it has seen. */
  readonly days: number
  /** Usual amplitude, in the unit of the metric. */
  readonly scale: number
  /** Of the last days, oldest first. */
  readonly amplitudes: readonly number[]
  /** Mean of the levels, and their usual distance from it. */
  readonly level: number
  readonly levelSpread: number
  /** In order of their founding. */
  readonly groups: readonly Group[]
}

export const EMPTY_KIND: KindModel = { days: 0, scale: 0, amplitudes: [], level: 0, levelSpread: 0, groups: [] }

/** The model with one more day of one series in it. */
export function learn(model: KindModel, { level, amplitude, course }: Profile): KindModel {
  const days = model.days + 1
  const rate = 1 / Math.min(days, MEMORY)
  const amplitudes = [...model.amplitudes.slice(1 - AMPLITUDES_MAX), amplitude]
  // Of a kind whose first days are flat nothing can be said in units of its amplitude; one that has become flat keeps its unit.
  const scale = trimmedMean(amplitudes) || model.scale
  const off = Math.abs(level - model.level)
  const mean = model.level + (level - model.level) * rate
  const levelSpread = days === 1 ? 0 : model.levelSpread + (off - model.levelSpread) * rate
  const next = { days, scale, amplitudes, level: mean, levelSpread }
  if (!(scale > 0)) return { ...next, groups: [] }
  // What was measured by the former scale is measured by the new one.
  const groups = model.groups.map((group) => (model.scale > 0 ? { ...group, centre: group.centre.map((c) => (c * model.scale) / scale) } : group))
  return { ...next, groups: tidy(place(groups, course, scale, days), days) }
}

function trimmedMean(list: readonly number[]): number {
  const cut = Math.floor(list.length * TRIMMED)
  const middle = [...list].sort((a, b) => a - b).slice(cut, list.length - cut)
  return middle.reduce((sum, v) => sum + v, 0) / middle.length
}

function place(groups: Group[], course: Float64Array, scale: number, days: number): Group[] {
  const { group, distance } = nearestOf(course, scale, groups.map((g) => g.centre))
  const scaled = Array.from(course, (c) => c / scale)
  const near = groups[group]
  const far = near === undefined ? 0 : Math.max(FOUND_DISTANCE, FOUND_SPREADS * near.spread)
  if (near === undefined || (distance > far && groups.length < GROUPS_MAX)) return [...groups, { days: 1, centre: scaled, spread: 0, grewAt: days }]
  const count = Math.min(near.days + 1, MEMORY)
  const counted = Math.min(distance, far)
  const share = counted / (distance || 1) / count
  const centre = near.centre.map((c, h) => c + (scaled[h] - c) * share)
  return groups.map((g, i) => (i === group ? { days: count, centre, spread: near.spread + (counted - near.spread) / count, grewAt: days } : g))
}

/** Joins what lies together, and lets go of what was a whim. */
function tidy(groups: Group[], days: number): Group[] {
  let left = groups.filter((g) => g.days > 1 || days - g.grewAt < FORGOTTEN)
  for (let a = 0; a < left.length; a++) {
    for (let b = a + 1; b < left.length; b++) {
      if (distanceOf(left[a].centre, 1, left[b].centre) >= JOIN_DISTANCE) continue
      const [x, y] = [left[a], left[b]]
      const sum = x.days + y.days
      const joined = {
        days: Math.min(sum, MEMORY),
        centre: Array.from({ length: DAY_HOURS }, (_, h) => (x.centre[h] * x.days + y.centre[h] * y.days) / sum),
        spread: (x.spread * x.days + y.spread * y.days) / sum,
        grewAt: Math.max(x.grewAt, y.grewAt),
      }
      left = left.map((g, i) => (i === a ? joined : g)).filter((_, i) => i !== b)
      b--
    }
  }
  return left
}

/** The group that most days are of; null where there is none. */
export function mainGroup(model: KindModel): Group | null {
  return model.groups.reduce<Group | null>((best, group) => (best === null || group.days > best.days ? group : best), null)
}
