/**
 * The daily profile of a series: how each hour of a UTC day stood to the mean of that day, in units of what is usual for its kind.
 *
 * - P1 A profile is told of a day of which at least `HOURS_MIN` hours are known; a gap is bridged by a line.
 * - P2 Distances are root mean squares over the hours, so that a kind's scale is distance 1 from a flat line.
 */

import { DAY_HOURS } from '../../reading/window.ts'

/** Known hours of a day, at least. */
export const HOURS_MIN = 20

/** A day of a series. Values are in its own unit. */
export interface Profile {
  /** Mean of its hours. */
  readonly level: number
  /** Root mean square of the hours' distances from the level. */
  readonly amplitude: number
  /** Distance of each hour from the level. */
  readonly course: Float64Array
}

/** The profile of the 24 means of a day's hours, from midnight UTC on, NaN where there is none; null where too few are known. */
export function profileOf(hours: ArrayLike<number>): Profile | null {
  const known: number[] = []
  for (let h = 0; h < DAY_HOURS; h++) if (!Number.isNaN(hours[h])) known.push(h)
  if (known.length < HOURS_MIN) return null
  const course = new Float64Array(DAY_HOURS)
  let next = 0
  for (let h = 0; h < DAY_HOURS; h++) {
    if (next < known.length && known[next] < h) next++
    const after = known[next] ?? known[known.length - 1]
    const before = after <= h ? after : (known[next - 1] ?? after)
    course[h] = before === after ? hours[before] : hours[before] + ((hours[after] - hours[before]) * (h - before)) / (after - before)
  }
  let sum = 0
  for (let h = 0; h < DAY_HOURS; h++) sum += course[h]
  const level = sum / DAY_HOURS
  let squares = 0
  for (let h = 0; h < DAY_HOURS; h++) {
    course[h] -= level
    squares += course[h] * course[h]
  }
  return { level, amplitude: Math.sqrt(squares / DAY_HOURS), course }
}

/** How far a course is from a group's centre, both of 24 hours: `course` in the series' own unit, `scale` the unit of the centre in it. */
export function distanceOf(course: ArrayLike<number>, scale: number, centre: ArrayLike<number>): number {
  let squares = 0
  for (let h = 0; h < DAY_HOURS; h++) {
    const off = course[h] / scale - centre[h]
    squares += off * off
  }
  return Math.sqrt(squares / DAY_HOURS)
}

/** The nearest of some centres: its index and its distance; −1 and NaN where there is none. */
export function nearestOf(course: ArrayLike<number>, scale: number, centres: readonly ArrayLike<number>[]): { group: number; distance: number } {
  let group = -1
  let distance = NaN
  if (!(scale > 0)) return { group, distance }
  for (const [i, centre] of centres.entries()) {
    const far = distanceOf(course, scale, centre)
    if (group >= 0 && far >= distance) continue
    group = i
    distance = far
  }
  return { group, distance }
}
