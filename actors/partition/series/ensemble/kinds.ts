/**
 * Which kind of thing has happened, from the part or the rule that spoke; and what is said of it.
 *
 * - K1 What comes suddenly is a spike or a dip, whichever part saw it first: that it stays shows later, and is told then.
 * - K2 Of several things in one reading the one of the highest score is told; of equals, what lasts.
 */

import { HOUR_MS } from '../../../reading/window.ts'
import { EVEN, likelihoodOf, scoreOf } from './calibration.ts'
import { judgement } from './judgement.ts'
import type { Kind, Part } from './judgement.ts'
import {
  FAST,
  JUMP_AGE,
  JUMP_FROM,
  JUMP_SURPRISE,
  ORIGIN,
  PROFILE,
  RECORD_DAY,
  RECORD_FORECAST,
  RECORD_LEVEL,
  RECORD_PROFILE,
  REST,
  REST_MEAN,
  SLOTS,
  SLOW,
  USUAL_ERROR,
} from './layout.ts'
import type { Slab } from './layout.ts'
import { endStep } from './lasting.ts'
import { seen } from './seen.ts'

/** Deviations of the forecast's error from which a reading is sudden. */
const SUDDEN = 4
/** A day's course is there where the profile's span is so many times its usual miss. */
const COURSE = 4
const HOURS = 24

/** Names what made the ensemble speak. */
export function nameSurprise(slab: Slab, at: number, part: Part): void {
  const d = slab.doubles
  const { value, error } = seen
  judgement.part = part
  judgement.size = 0
  judgement.usual = 0
  const moment: Kind = error > 0 ? 'spike' : 'dip'
  if (part === 'tail' || part === 'forecast' || Math.abs(error) >= SUDDEN * seen.deviation) {
    judgement.kind = moment
    return
  }
  if (part === 'scatter') {
    judgement.kind = seen.scatterLog > 0 ? 'noise change' : 'flat-line'
    judgement.size = Math.sqrt(seen.scatterRatio)
    return
  }
  if (part === 'half-hour' || part === 'hour') {
    const miss = part === 'hour' ? seen.hourMiss : seen.slotMiss
    const marks = at + (part === 'hour' ? RECORD_DAY : RECORD_PROFILE)
    const unit = part === 'hour' ? seen.hourDeviation : 1
    band(value - miss, unit * d[marks + 1], unit * d[marks])
    if (hasCourse(slab, at)) {
      judgement.kind = 'pattern'
      judgement.hour = hourOf(seen.ts)
      return
    }
  } else band(d[at + SLOW], d[at + RECORD_LEVEL + 1], d[at + RECORD_LEVEL])
  const gone = d[at + FAST] - d[at + SLOW]
  if (slab.singles[2 * at + JUMP_AGE] > 0 || Math.abs(value - d[at + FAST]) > Math.abs(gone) / 2) {
    judgement.kind = 'level shift'
    judgement.size = value - d[at + SLOW]
    endStep(slab, at)
  } else {
    judgement.kind = 'drift'
    judgement.size = gone
  }
}

function band(expected: number, below: number, above: number): void {
  judgement.expected = expected
  judgement.lower = expected + below
  judgement.upper = expected + above
}

/** Tells of something beside the ensemble, where it is more than what has been told of this reading. */
function tells(kind: Kind, part: Part, likelihood: number, size: number, usual: number): boolean {
  const score = scoreOf(Math.max(likelihood, EVEN))
  if (score < judgement.score) return false
  judgement.score = score
  judgement.kind = kind
  judgement.part = part
  judgement.size = size
  judgement.usual = usual
  return true
}

export function tellStep({ doubles: d, singles }: Slab, at: number, size: number): void {
  const from = d[at + JUMP_FROM]
  if (tells('level shift', 'step', likelihoodOf(singles[2 * at + JUMP_SURPRISE]), size, 0)) band(from, d[at + RECORD_FORECAST + 1], d[at + RECORD_FORECAST])
}

export function tellNoise(likelihood: number): void {
  const ratio = seen.scatterRatio
  tells(ratio < FLAT ? 'flat-line' : 'noise change', 'noise', likelihood, Math.sqrt(ratio), 0)
}

/** Below this ratio of mean squares next to nothing moves. */
const FLAT = 1 / 100

export function tellAway(slab: Slab, at: number, times: number): void {
  const d = slab.doubles
  const { ts, value, slotMiss } = seen
  const expected = value - slotMiss
  const inDay = hasCourse(slab, at) && value >= dayLow - d[at + USUAL_ERROR] && value <= dayHigh + d[at + USUAL_ERROR]
  if (!tells(inDay ? 'pattern' : 'drift', 'away', Math.abs(times), times, 1)) return
  judgement.hour = hourOf(ts)
  const usual = Math.abs(slotMiss / times)
  band(expected, -AWAY_BAND * usual, AWAY_BAND * usual)
}

/** Times the usual miss that the band of what stays away holds. */
const AWAY_BAND = 4

export function tellStuck({ singles }: Slab, at: number, likelihood: number): void {
  tells('stuck', 'rest', likelihood, singles[2 * at + REST], singles[2 * at + REST_MEAN])
}

export function tellGap(): void {
  const intervals = seen.silence
  if (intervals * Math.LOG10E >= EVEN) tells('gap', 'rhythm', intervals * Math.LOG10E, intervals, 1)
}

/** The least and the greatest mean of the day, set by `hasCourse`. */
let dayLow = 0
let dayHigh = 0

/** Whether the day has a course that the profile knows. */
function hasCourse({ doubles: d, singles }: Slab, at: number): boolean {
  const from = 2 * at + PROFILE
  dayLow = Infinity
  dayHigh = -Infinity
  for (let i = from; i < from + SLOTS; i++) {
    if (singles[i] < dayLow) dayLow = singles[i]
    if (singles[i] > dayHigh) dayHigh = singles[i]
  }
  const span = dayHigh - dayLow
  dayLow += d[at + ORIGIN]
  dayHigh += d[at + ORIGIN]
  return span > COURSE * d[at + USUAL_ERROR]
}

function hourOf(ts: number): number {
  const hours = Math.floor(ts / HOUR_MS)
  return hours - Math.floor(hours / HOURS) * HOURS
}
