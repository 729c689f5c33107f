/**
 * A series against the others of its kind, hour by hour: whether it goes its own way, or rests while they move; and whether what it does is what all do.
 *
 * Picture sheep on a slope. That one of them goes downhill says nothing while the flock does; that it stands still does, then.
 *
 * Of each hour a kind tells how far its members were from what is usual for each of them, in the midst (courses.ts). A series' own distance less that is
 * how far it was from its kind, in units of what is usual of it, or of how far they all were apart in that hour where that is more. A mean of its last
 * dozen hours is its lean; the lean is watched by a mark of the greatest leans of days, which enter it as each is over, and only so far, so that a slow
 * departure does not take its mark along. Overshoot is calibrated as in the ensemble (../series/ensemble/calibration.ts), an hour in the place of a reading.
 *
 * - N1 What the whole kind does is in no series' lean: a front that passes over all of them is an alarm of none.
 * - N2 Silent for `WARM_UP` hours that were compared. As it is told the mark learns it: the same departure is told again only where it goes on as far again.
 * - N3 An hour in which a series has the mean of the hour before, to the last step of what is remembered, is at rest. It is stuck where it rests for
 *   `STUCK_HOURS` at least, in which most of its kind moved, and so long that its own rests make it unlikely; a rest that was told is not learned.
 */

import { HOUR_MS } from '../../reading/window.ts'
import type { CourseHour } from '../../reading/input.ts'
import type { EffectsBuilder } from '../effects.ts'
import { log10 } from '../series/arithmetic.ts'
import { barOf, EVEN, likelihoodOf, scoreOf } from '../series/ensemble/calibration.ts'
import { judgement, short } from '../series/ensemble/judgement.ts'
import { seen } from '../series/ensemble/seen.ts'
import type { Series } from '../series/series.ts'
import type { PartitionState } from '../state.ts'
import { looked, lookAtHour } from './hours.ts'
import { COMPARED, GAIN, HIGH, KIN_SINGLES, LEAN, MARK, REST, REST_MEAN, USUAL } from './kin-layout.ts'

export const WARM_UP = 72
const COMPARED_MAX = 1e6
const LEAN_RATE = 1 / 12
/** Units in which one hour counts at most. */
const CUT = 6
/** The usual distance is that of a week; one enters cut to so many times it. */
const USUAL_RATE = 1 / 168
const USUAL_CUT = 4
const USUAL_CUT_FROM = 24
/** What an hour teaches of how the series moves with its kind (normalised least mean squares); and the most that it can be. */
const GAIN_RATE = 0.03
const GAIN_MAX = 2
/** How far members are apart in an hour, as a unit: the median says how far half of them are. */
const SPREADS = 1.5
const BLOCK_HOURS = 24
/** What a block can make of a mark. */
const REACH = 1.1
/** A mark fades by half in some six weeks. */
const KEEP = 1 - (Math.LN2 * BLOCK_HOURS) / 1_000
/** A mark of few days is not low by chance: as if it had leaned so far, less and less after so many hours. */
const MARK_NEW = 1
const NEW_HOURS = 336
const WEIGHT = 1
const TOLD_GAIN = 1.25

const STUCK_HOURS = 3
const REST_RATE = 0.002
/** Share of the kind that moved, so that an hour counts as one in which it did. */
const MOST_MOVED = 0.8

/** A move of the kind is one where it is so many times as far as its members are apart; and it explains what comes within so long after its hour. */
const MOVE_SPREADS = 2
const MOVE_MS = 3 * HOUR_MS
/** Parts that see the level of a series, against what it was or usually is. What is sudden is no move of a kind that an hour shows. */
const OF_LEVEL: readonly string[] = ['level', 'half-hour', 'hour', 'away', 'device']

/** Takes in what kinds did in an hour: compares their series in this partition, and reports those that went their own way. */
export function hearCourses(state: PartitionState, courses: readonly CourseHour[], effects: EffectsBuilder): void {
  for (const course of courses) {
    if (!state.courses.learn(course)) continue
    for (const series of state.seriesOfKind(course.of)) {
      if (!lookAtHour(state, series, course.hour / HOUR_MS)) continue
      const found = effects.anomalies.length
      compare(state, series, course, effects)
      if (state.rules.size === 0) continue
      state.rules.seeNeighbours(series, looked.mean, looked.usual + course.deviation, effects)
      if (effects.anomalies.length > found) state.rules.seeAnomaly(series, effects.anomalies[found].score, effects)
    }
  }
}

/** Compares the hour of a series that was looked at just now. */
function compare(state: PartitionState, series: Series, course: CourseHour, effects: EffectsBuilder): void {
  const { pages, pageBits } = state.kin
  const page = pages[series.id >> pageBits]
  const at = (series.id & ((1 << pageBits) - 1)) * KIN_SINGLES
  const off = looked.mean - looked.usual - (1 + page[at + GAIN]) * course.deviation
  const compared = Math.min(COMPARED_MAX, page[at + COMPARED] + 1)
  page[at + COMPARED] = compared
  const usual = page[at + USUAL]
  const size = Math.abs(off)
  page[at + USUAL] = usual + Math.max(USUAL_RATE, 1 / compared) * ((compared > USUAL_CUT_FROM ? Math.min(size, USUAL_CUT * usual) : size) - usual)
  const isReady = compared > WARM_UP
  const bar = barOf(state.tuning.factorOf(series.id))
  const rest = restsWhileOthersMove(page, at, course, compared)
  if (rest > 0 && isReady && scoreOf(rest) >= bar) {
    tell(series, course, { kind: 'stuck', score: scoreOf(rest), reach: Math.max(usual, course.spread), reason: restWords(page[at + REST], course) }, effects)
    return
  }
  const unit = Math.max(usual, SPREADS * course.spread)
  if (!(unit > 0)) return
  const far = Math.max(-CUT, Math.min(CUT, off / unit))
  const moved = course.deviation / unit
  page[at + GAIN] = Math.max(-1, Math.min(GAIN_MAX, page[at + GAIN] + (GAIN_RATE * far * moved) / (1 + moved * moved)))
  const lean = page[at + LEAN] + LEAN_RATE * (far - page[at + LEAN])
  page[at + LEAN] = lean
  const leans = Math.abs(lean)
  const learned = page[at + MARK]
  if (leans > page[at + HIGH]) page[at + HIGH] = leans
  if (compared % BLOCK_HOURS === 0) {
    const high = page[at + HIGH]
    page[at + MARK] = Math.max(learned * KEEP, learned > 0 && isReady ? Math.min(high, REACH * learned) : high)
    page[at + HIGH] = 0
  }
  if (!isReady || learned === 0 || leans <= learned) return
  const mark = Math.max(learned, MARK_NEW / (1 + (compared - WARM_UP) / NEW_HOURS))
  if (leans <= mark) return
  const score = scoreOf(likelihoodOf((WEIGHT * (leans - mark)) / mark))
  if (score < bar) return
  page[at + MARK] = TOLD_GAIN * leans
  // Of one that rests it is told, or soon will be, that it does.
  if (page[at + REST] > 0) return
  tell(series, course, { kind: 'apart', score, reach: mark * unit, reason: apartWords(course, leans / mark) }, effects)
}

/** −log10 of the likelihood of the rest of the series where it has become too long with this hour; 0 otherwise. */
function restsWhileOthersMove(page: Float32Array, at: number, { members, moved }: CourseHour, compared: number): number {
  const rest = page[at + REST]
  const mean = page[at + REST_MEAN]
  const stay = Math.max(mean / (1 + mean), 1 / (compared + 2))
  const likelihood = (hours: number) => (hours < STUCK_HOURS ? 0 : -hours * log10(stay))
  if (looked.moved) {
    if (likelihood(rest) < EVEN) page[at + REST_MEAN] = mean + Math.max(REST_RATE, 1 / compared) * (rest - mean)
    page[at + REST] = 0
    return 0
  }
  if (moved < MOST_MOVED * members) return 0
  page[at + REST] = rest + 1
  return likelihood(rest) < EVEN && likelihood(rest + 1) >= EVEN ? likelihood(rest + 1) : 0
}

interface Telling {
  readonly kind: 'apart' | 'stuck'
  readonly score: number
  /** How far from the expected value would be usual. */
  readonly reach: number
  readonly reason: string
}

function tell(series: Series, course: CourseHour, { kind, score, reach, reason }: Telling, effects: EffectsBuilder): void {
  const expected = looked.usual + course.deviation
  const place = { series: series.indexIn(effects), ts: course.hour, value: looked.mean }
  effects.anomalies.push({ ...place, score, expected, lower: expected - reach, upper: expected + reach, reason, kind, part: 'neighbours' })
}

const side = (off: number) => `${short(Math.abs(off))} ${off < 0 ? 'below' : 'above'}`

function apartWords({ deviation, members }: CourseHour, times: number): string {
  const own = looked.mean - looked.usual
  return (
    `in this hour it was on average ${short(looked.mean)}, ${side(own)} what is usual of it, while the ${members - 1} others of its kind were ${side(deviation)} what is usual of them: ` +
    `over the last hours ${short(times)} times as far from them as ever lately`
  )
}

function restWords(hours: number, { moved, members }: CourseHour): string {
  return `it has not changed from ${short(looked.mean)} for ${hours} hours, while others of its kind did: ${Math.min(moved, members - 1)} of ${members - 1} in this hour`
}

/**
 * Whether what was judged of a reading just now is what its kind does as a whole: at least half of how far it is off. The rest is not lost: how far a
 * series is from its kind is judged here, hour by hour; so it is asked only of one that is compared for long enough.
 */
export function isMoveOfKind(state: PartitionState, series: Series): boolean {
  if (!OF_LEVEL.includes(judgement.part)) return false
  const { pages, pageBits } = state.kin
  const page = pages[series.id >> pageBits]
  const at = (series.id & ((1 << pageBits) - 1)) * KIN_SINGLES
  if (page[at + COMPARED] <= WARM_UP) return false
  const course = state.courses.of(series.device.tenant, series.device.name, series.metric)
  if (course === null || seen.ts < course.hour || seen.ts >= course.hour + HOUR_MS + MOVE_MS) return false
  if (!(Math.abs(course.deviation) > MOVE_SPREADS * course.spread)) return false
  const off = seen.value - judgement.expected
  return Math.abs(off - (1 + page[at + GAIN]) * course.deviation) <= Math.abs(off) / 2
}
