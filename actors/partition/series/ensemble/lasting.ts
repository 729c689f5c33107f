/**
 * What shows only as it lasts: a jump that stays is a step of the level, changes that scatter otherwise for dozens of readings are another
 * noise, and a value that stays away from what is usual at its hour has drifted, or its day has broken.
 *
 * - L1 Each is told once, when it has lasted; and again only after it was over.
 */

import { AWAY_AGE, AWAY_USUAL, FAST, JUMP_AGE, JUMP_FROM, JUMP_SIZE, JUMP_SURPRISE, REVISITS, SCATTER_AGE, SLOW } from './layout.ts'
import type { Slab } from './layout.ts'
import { EVEN, SURPRISE_EVEN } from './calibration.ts'
import { REVISITS_ENOUGH, SINGLE_MAX } from './profile.ts'
import { seen } from './seen.ts'

/** A jump is an error of so many deviations … */
const JUMP = 5
/** … and a step is one that at least half of has stayed for so many readings. */
const JUMP_LASTS = 8
/** Readings after one that did not stay in which the forecast still reckons with it. */
const JUMP_ECHO = 2

const SCATTER_LASTS = 48
/**
 * Half the normal readings that the scatter of two dozen changes is worth: few where it rises, as tails heavier than normal ones and bursts
 * raise it too, more where it falls, as nothing else makes it fall.
 */
const RISE_WORTH = 2
const FALL_WORTH = 6

const AWAY = 8
const AWAY_LASTS = 96
/** As it begins it is also so many times what the profile misses at this hour, which the fault itself soon raises. */
const AWAY_DEVIATIONS = 2
const AWAY_OVER = 2
const AWAY_RATE = 0.001
const AWAY_CUT = 4

/** The size of the step where the jump has now lasted; 0 otherwise. */
export function stepOf(slab: Slab, at: number): number {
  const { doubles: d, singles } = slab
  const s = 2 * at
  const age = singles[s + JUMP_AGE]
  if (age < 0) {
    singles[s + JUMP_AGE] = age + 1
    return 0
  }
  if (age === 0) {
    if (Math.abs(seen.error) < JUMP * seen.deviation) return 0
    singles[s + JUMP_AGE] = 1
    d[at + JUMP_FROM] = seen.expected
    d[at + JUMP_SIZE] = seen.error
    singles[2 * at + JUMP_SURPRISE] = seen.surprise
    return 0
  }
  const size = d[at + JUMP_SIZE]
  const gone = seen.value - d[at + JUMP_FROM]
  if (size > 0 ? gone < size / 2 : gone > size / 2) {
    singles[s + JUMP_AGE] = -JUMP_ECHO
    return 0
  }
  if (seen.surprise > singles[2 * at + JUMP_SURPRISE]) singles[2 * at + JUMP_SURPRISE] = seen.surprise
  if (age + 1 < JUMP_LASTS) {
    singles[s + JUMP_AGE] = age + 1
    return 0
  }
  singles[s + JUMP_AGE] = 0
  if (singles[2 * at + JUMP_SURPRISE] < SURPRISE_EVEN) return 0
  endStep(slab, at)
  return size
}

/** What follows is measured from the new level, and is not told again as a drift. */
export function endStep({ doubles: d, singles }: Slab, at: number): void {
  d[at + SLOW] = d[at + FAST] = seen.value
  singles[2 * at + JUMP_AGE] = 0
  singles[2 * at + AWAY_AGE] = AWAY_LASTS + 1
}

/** −log10 of the likelihood of the scatter where it has now lasted; 0 otherwise. `isRecord`: beyond its marks with this reading. */
export function scatterLasts({ singles }: Slab, at: number, isRecord: boolean): number {
  const s = 2 * at + SCATTER_AGE
  const age = singles[s]
  if (age === 0 && !isRecord) return 0
  const log2 = seen.scatterLog
  const likelihood = (log2 > 0 ? RISE_WORTH : FALL_WORTH) * Math.LOG10E * (seen.scatterRatio - 1 - log2 * Math.LN2)
  const side = log2 > 0 ? 1 : -1
  if (likelihood < EVEN || age * side < 0) {
    singles[s] = 0
    return 0
  }
  if (Math.abs(age) > SCATTER_LASTS) return 0
  singles[s] = age + side
  return Math.abs(age) === SCATTER_LASTS ? likelihood : 0
}

/** How many times the usual the value has been away from the profile where that has now lasted, with its sign; 0 otherwise. */
export function awayLasts({ singles }: Slab, at: number): number {
  const miss = seen.slotMiss
  const s = 2 * at + AWAY_AGE
  const usual = singles[2 * at + AWAY_USUAL]
  const size = Math.abs(miss)
  const isNew = singles[2 * at + REVISITS] < REVISITS_ENOUGH
  singles[2 * at + AWAY_USUAL] = Math.min(SINGLE_MAX, usual + AWAY_RATE * ((isNew ? size : Math.min(size, AWAY_CUT * usual)) - usual))
  if (isNew || !(usual > 0)) return 0
  const age = singles[s]
  const side = miss > 0 ? 1 : -1
  if (Math.abs(age) > AWAY_LASTS) {
    if (size < AWAY_OVER * usual) singles[s] = 0
    return 0
  }
  if (size < AWAY * usual || (age === 0 && size < AWAY_DEVIATIONS * seen.hourDeviation) || age * side < 0) {
    singles[s] = 0
    return 0
  }
  singles[s] = age + side
  return Math.abs(age) === AWAY_LASTS ? (side * size) / usual : 0
}
