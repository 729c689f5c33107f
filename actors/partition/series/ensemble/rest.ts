/**
 * How long the value stands still, and when that is longer than it ever does: a gauge that hangs.
 *
 * - T1 A rest is stuck where it is at least `STUCK_MIN` readings, `RECORD_TIMES` times as long as any lately, and unlikely were each change
 *   independent of the others.
 * - T2 What a fault taught is not learned: a stuck rest does not enter the mean nor the record.
 */

import { log10 } from '../arithmetic.ts'
import { CHANGES, COUNT, REST, REST_MEAN, REST_RECORD, STEP, STUCK } from './layout.ts'
import type { Slab } from './layout.ts'
import { seen } from './seen.ts'

/** Changes before which nothing is said of a series at all. */
export const CHANGES_MIN = 8

const RECORD_TIMES = 3
const RECORD_KEEP = 0.9999
const MEAN_RATE = 0.01
const STUCK_MIN = 30
const STUCK_LIKELIHOOD = 12
const STUCK_CHANGES = 2 * STUCK_MIN
const COUNT_MIN = 128
/** Steps grow back by so much a change. */
const STEP_GROWTH = 1.01

/** Counts the reading. True where it frees a value that was stuck. */
export function passRest({ doubles: d, singles }: Slab, at: number): boolean {
  const { moved } = seen
  if (moved === 0) {
    singles[2 * at + REST]++
    return false
  }
  const s = 2 * at
  const wasStuck = singles[s + STUCK] === 1
  const changes = singles[s + CHANGES] + 1
  if (changes <= STUCK_CHANGES) singles[s + CHANGES] = changes
  const rest = singles[2 * at + REST]
  if (!wasStuck) {
    singles[2 * at + REST_MEAN] += Math.max(MEAN_RATE, 1 / changes) * (rest - singles[2 * at + REST_MEAN])
    singles[2 * at + REST_RECORD] = Math.max(rest, singles[2 * at + REST_RECORD] * RECORD_KEEP)
  }
  singles[2 * at + REST] = 1
  singles[s + STUCK] = 0
  const size = Math.abs(moved)
  d[at + STEP] = d[at + STEP] === 0 ? size : Math.min(size, d[at + STEP] * STEP_GROWTH)
  return wasStuck
}

/** True in a rest that is long for this series: it says nothing of how far the value moves when it moves. */
export function isResting({ singles }: Slab, at: number): boolean {
  return singles[2 * at + REST] > 8 && singles[2 * at + REST] > 4 * singles[2 * at + REST_MEAN]
}

/** −log10 of the likelihood of this rest where it is stuck from this reading on; 0 otherwise. */
export function becomesStuck({ singles }: Slab, at: number): number {
  const rest = singles[2 * at + REST]
  if (rest < STUCK_MIN || singles[2 * at + STUCK] === 1) return 0
  if (singles[2 * at + COUNT] <= COUNT_MIN || singles[2 * at + CHANGES] < STUCK_CHANGES || rest <= RECORD_TIMES * singles[2 * at + REST_RECORD]) return 0
  const stay = 1 - 1 / Math.max(singles[2 * at + REST_MEAN], 1.001)
  const likelihood = -rest * log10(stay)
  if (likelihood < STUCK_LIKELIHOOD) return 0
  singles[2 * at + STUCK] = 1
  return likelihood
}
