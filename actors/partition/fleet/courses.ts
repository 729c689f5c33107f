/**
 * What kinds of series did in their last hours, as a partition was told by messages of its log: how far their members were from what is usual for
 * each of them, in the midst, and how far apart they were in that.
 *
 * - R1 Of each kind the newest hour is kept; one that is not newer is passed over: hours are told again after crashes, and by several stores.
 * - R2 Kinds are at most `KINDS_MAX`; more are passed over, those that are known go on.
 * - R3 Of fewer than `MEMBERS_MIN` members nothing is told, and nothing heard.
 */

import type { CourseHour } from '../../reading/input.ts'
import { kindOf } from './kinds.ts'
import { KINDS_MAX } from './priors.ts'

/** Below, no midst is to be trusted: two that fail would be most of it. */
export const MEMBERS_MIN = 5

export class Courses {
  #kinds = new Map<string, CourseHour>()

  get size(): number {
    return this.#kinds.size
  }

  /** Takes in an hour of a kind. False where it is no news. */
  learn(course: CourseHour): boolean {
    const known = this.#kinds.get(course.of)
    if (course.members < MEMBERS_MIN || (known === undefined ? this.#kinds.size >= KINDS_MAX : known.hour >= course.hour)) return false
    this.#kinds.set(course.of, course)
    return true
  }

  /** The newest hour of the kind of a series; null where none was told. */
  of(tenant: string, device: string, metric: string): CourseHour | null {
    return this.#kinds.size === 0 ? null : (this.#kinds.get(kindOf(tenant, device, metric)) ?? null)
  }

  /** All of them, in order of their names. */
  entries(): CourseHour[] {
    return [...this.#kinds.values()].sort((a, b) => (a.of < b.of ? -1 : 1))
  }
}
