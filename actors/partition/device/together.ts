/**
 * What the metrics of one device do together: several that are each a little off at once are further off than any of them alone.
 *
 * Picture a crew of whom each has a slight cold. None of them would be sent to a doctor; all of them at once is news about the ship.
 *
 * Of each metric a lean is kept: a mean of its last dozen distances from what is usual at its hour, in that hour's deviations (../series/ensemble/profile.ts).
 * Its square over its long-run mean square says how far it leans; the device's distance is the root of the sum of these, over the metrics
 * that spoke lately. That number is watched by a decaying record, as those of the ensemble's parts are, and its overshoot is calibrated like theirs.
 *
 * - G1 No independence is assumed. Metrics that go together whenever the weather changes make great distances usual for their device, and the
 *   record knows them; what it promises of false alarms holds however metrics hang together.
 * - G2 Speaks only where there is a record even without the metric that leans most: what one of them does alone is the ensemble's to tell.
 * - G3 Is silent for `HUSH` readings of each metric after anything was told of the device, and from when each has leaned `WARM_UP` times since its profile
 *   was settled. It gives no score below the least bar that answers can set.
 * - G4 The distance is looked at once in `TURN` readings of the device. Of a device with more than `MATES_MAX` metrics the first that came are looked at.
 *
 * Source: Lowry and others, A Multivariate EWMA Control Chart (Technometrics 1992), without its covariance.
 */

import { MINUTE_MS } from '../../reading/window.ts'
import { likelihoodOf, REPORT, scoreOf, SURPRISE_NAMED } from '../series/ensemble/calibration.ts'
import { judgement, short } from '../series/ensemble/judgement.ts'
import { INTERVAL, LEANED, RECORD_PROFILE } from '../series/ensemble/layout.ts'
import type { Slab } from '../series/ensemble/layout.ts'
import { isProfileSettled } from '../series/ensemble/profile.ts'
import { keepOf } from '../series/ensemble/records.ts'
import { seen } from '../series/ensemble/seen.ts'
import type { Series } from '../series/series.ts'

export const MATES_MAX = 8

/**
 * Singles a series. Of each its lean, and the mean square of leans; in the row of its first series those of a device: the mark, the greatest distance of
 * the block before this one and of this one, and readings left of it. Readings that leaned stand in the ensemble's row.
 */
export const TOGETHER_SINGLES = 6
const LEAN = 0
const SQUARE = 1
const MARK = 2
const HELD = 3
const HIGH = 4
const LEFT = 5

export const WARM_UP = 256
const LEANED_MAX = 1e6
const LEAN_RATE = 2 / 13
/** One distance enters the lean cut to so many deviations. */
const CUT = 8
/** Mean squares are those of some 2,000 readings, or of twelve days where that is longer; a square enters cut to so many times the mean. */
const SQUARE_RATE = 0.0005
const SQUARE_RATE_MS = 1 / (12 * 86_400_000)
const SQUARE_LONG_MS = SQUARE_RATE / SQUARE_RATE_MS
const SQUARE_CUT = 9
/** In usual leans: what is named, and the square of what counts. */
const LEANS = 2
const FAR_MAX = 100

/** Metrics that spoke within so long, and two usual intervals, are those of the moment. */
const FRESH_MS = 10 * MINUTE_MS

/** A power of two. */
const TURN = 4
/** Readings of each metric in a block, whose greatest distance enters the mark a block later: what rises for dozens of readings does not take its mark along. */
const BLOCK = 64
/** What a block can make of a mark. */
const REACH = 1.5
/** Readings of each metric before a block in which nothing is told; what they were goes into the mark as it is. */
const HUSH = 256
/** The mark fades by half in 3,500 readings of each metric, or in twelve days where that is longer. */
const FADE = 1 - keepOf(3_500)
const FADE_MS = Math.LN2 / (12 * 86_400_000)
/** A mark of few blocks is not low by chance: as if each metric had leaned so far, less and less after so many readings. */
const MARK_NEW = 4
const NEW_READINGS = 1_024
const WEIGHT = 2.5
/** So many times the square of the mark there must be without the metric that leans most: two that lean alike have half of what a score of one half asks for. */
const WITHOUT_ONE = 1.5

/** Metrics that spoke since then are those of the moment; a field, as seen.ts says. */
const moment = { since: 0.5 }

/** Where the numbers of the metrics stand: pages of as many series as those of ensembles. */
export interface Leanings {
  readonly pages: readonly Float32Array[]
  readonly pageBits: number
}

/**
 * Takes in the reading of `series` that was judged just now; `at` is the series' place in `slab`. True where the device as a whole makes more of it than
 * the judgement did, which then says so.
 */
export function judgeTogether({ pages, pageBits }: Leanings, series: Series, slab: Slab, at: number): boolean {
  const { hourMiss, hourDeviation } = seen
  // What is in the cache already is asked first.
  if (!isProfileSettled(slab, at) || !(hourDeviation > 0) || hourMiss !== hourMiss) return false
  const mates = series.device.series
  const count = mates.length < MATES_MAX ? mates.length : MATES_MAX
  if (count < 2 || (mates.length > MATES_MAX && series.id > mates[count - 1].id)) return false
  const mask = (1 << pageBits) - 1
  const page = pages[series.id >> pageBits]
  const own = (series.id & mask) * TOGETHER_SINGLES
  const first = mates[0].id
  const head = pages[first >> pageBits]
  const h = (first & mask) * TOGETHER_SINGLES
  const interval = slab.singles[2 * at + INTERVAL]

  const off = hourMiss / hourDeviation
  const former = page[own + LEAN]
  const lean = former + LEAN_RATE * ((off > CUT ? CUT : off < -CUT ? -CUT : off) - former)
  page[own + LEAN] = lean
  const leaned = slab.singles[2 * at + LEANED] + 1
  if (leaned <= LEANED_MAX) slab.singles[2 * at + LEANED] = leaned
  const usual = page[own + SQUARE]
  const square = lean * lean
  const long = interval < SQUARE_LONG_MS ? interval * SQUARE_RATE_MS : SQUARE_RATE
  const isNew = leaned <= WARM_UP
  page[own + SQUARE] = usual + (leaned * long < 1 ? 1 / leaned : long) * ((isNew || square < SQUARE_CUT * usual ? square : SQUARE_CUT * usual) - usual)
  if (isNew) {
    head[h + LEFT] = (HUSH + BLOCK) * count
    return false
  }
  const left = head[h + LEFT] - 1
  head[h + LEFT] = left
  if ((left & (TURN - 1)) !== 0) return false

  const since = seen.ts - FRESH_MS - 2 * interval
  let sum = 0
  let most = 0
  for (let i = 0; i < count; i++) {
    const mate = mates[i]
    if (mate.greatestMs < since) continue
    const of = pages[mate.id >> pageBits]
    const o = (mate.id & mask) * TOGETHER_SINGLES
    if (of[o + SQUARE] === 0) continue
    const far = Math.min(FAR_MAX, (of[o + LEAN] * of[o + LEAN]) / of[o + SQUARE])
    sum += far
    if (far > most) most = far
  }
  const distance = Math.sqrt(sum)
  if (distance > head[h + HIGH]) head[h + HIGH] = distance
  const block = BLOCK * count
  if (left > block) return false
  const learned = head[h + MARK]
  if (left === block && head[h + HIGH] > learned) {
    head[h + MARK] = head[h + HIGH]
    head[h + HIGH] = 0
    return false
  }
  if (left <= 0) {
    const faded = learned * (1 - BLOCK * Math.min(FADE, FADE_MS * interval))
    head[h + MARK] = Math.max(faded, Math.min(head[h + HELD], REACH * learned))
    head[h + HELD] = head[h + HIGH]
    head[h + HIGH] = 0
    head[h + LEFT] = block
  }
  if (distance <= learned || judgement.score >= REPORT) return false
  const mark = Math.max(learned, (MARK_NEW * Math.sqrt(count)) / (1 + (leaned - WARM_UP) / NEW_READINGS))
  if (distance <= mark || sum - most <= WITHOUT_ONE * mark * mark) return false
  const surprise = (WEIGHT * (distance - mark)) / mark
  const score = scoreOf(likelihoodOf(surprise))
  if (surprise < SURPRISE_NAMED || score <= judgement.score) return false
  moment.since = since
  const d = slab.doubles
  judgement.score = score
  judgement.kind = 'device'
  judgement.part = 'device'
  // The profile is settled, so that each half-hour that it knows is filled; one that it does not know has a neighbour.
  judgement.expected = seen.value - (seen.slotMiss === seen.slotMiss ? seen.slotMiss : hourMiss)
  judgement.lower = judgement.expected + d[at + RECORD_PROFILE + 1]
  judgement.upper = judgement.expected + d[at + RECORD_PROFILE]
  judgement.size = distance
  judgement.usual = mark
  return true
}

/** Something was told of the device of `series`: what its metrics do together in the next readings is the same event. */
export function hush({ pages, pageBits }: Leanings, series: Series): void {
  const { id } = series.device.series[0]
  const page = pages[id >> pageBits]
  page[(id & ((1 << pageBits) - 1)) * TOGETHER_SINGLES + LEFT] = (HUSH + BLOCK) * Math.min(MATES_MAX, series.device.series.length)
}

/** The judgement that `judgeTogether` has just made, as a sentence. */
export function togetherWords({ pages, pageBits }: Leanings, series: Series): string {
  const mask = (1 << pageBits) - 1
  const words: string[] = []
  for (const mate of series.device.series.slice(0, MATES_MAX)) {
    const page = pages[mate.id >> pageBits]
    const at = (mate.id & mask) * TOGETHER_SINGLES
    const far = page[at + SQUARE] > 0 ? page[at + LEAN] / Math.sqrt(page[at + SQUARE]) : 0
    if (Math.abs(far) < LEANS || mate.greatestMs < moment.since) continue
    words.push(`${mate.metric} ${short(Math.abs(far))} times ${far > 0 ? 'above' : 'below'}`)
  }
  return `several metrics of the device are further than usual from their hour at once, ${words.join(', ')}: together ${short(judgement.size / judgement.usual)} times as far as ever lately`
}
