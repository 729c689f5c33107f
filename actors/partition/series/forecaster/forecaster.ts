/**
 * Forecasts of all series of a partition: each is told the mean of an hour when that closes, and says what comes next.
 *
 * Owns what a series remembers for it (layout.ts), how it grows, and when it learns. Leaves models to mixture.ts, their doubt to interval.ts.
 *
 * - F1 What is forecast depends on the hours before alone, in their order.
 * - F2 A series of less than two days costs a small row and forecasts nothing; a silence of a week makes it such a one again.
 * - F3 It learns once in 23 hours, at an hour of its own, so that not all series learn in the same one.
 */

import { HOUR_MS } from '../../../reading/window.ts'
import { exponentOf, scale } from '../arithmetic.ts'
import { BASE, ERRORS, FAR, FILLED, FIT_HOUR, GRADED, GROWN_DOUBLES, GROWN_FLOATS, GROWN_HOURS, GROWN_RING, HEAD, HITS95, HOLT_WINTERS, LAST_HOUR } from './layout.ts'
import { MISSED_SUM, SAID, SAID_HOURS, SCALE, SHAPES, STRETCH80, STRETCH95, THETA, TREND, UNIT, WAITING, WAITING_COUNT, WINDOW, YOUNG_DOUBLES, YOUNG_HOURS, YOUNG_RING } from './layout.ts'
import { gradeIntervals, measureSpreads, spreadsOf, stepOf, STRETCH_AT_FIRST, widthsOf } from './interval.ts'
import { fitModels, floor, forecastMixture, gradeModels, guessErrors, load, MODELS, namesOfLeaders, NO_ERROR, sayByKind } from './mixture.ts'
import type { Kind } from './by-kind.ts'
import { DAY } from './naive.ts'
import { append, known, lend, read, readLast, readLent, refine, span, unlend, values } from './ring.ts'
import type { RingPlace } from './ring.ts'
import { HOLT_WINTERS_SETTINGS, THETA_SETTINGS, TREND_SETTINGS } from './smoothing.ts'
import { beginFar, gradeFar, sayFar, turnOf } from './far.ts'
import { forecastYoung } from './young.ts'
import { Slab } from '../slab.ts'
import type { Row } from '../slab.ts'

const YOUNG: RingPlace = { at: YOUNG_RING, hours: YOUNG_HOURS }
const GROWN: RingPlace = { at: GROWN_RING, hours: GROWN_HOURS, lent: SAID, before: WAITING_COUNT }
/** Silence after which a series begins anew. */
const SILENCE_HOURS = 168
/** After the first fit, or one that a gap has delayed: what is less could hardly be graded. */
const FIT_HOURS_MIN = 6
/** How far the span may leave the scale. */
const SCALE_FAR = 65_536

/** What `forecast` says, overwritten by the next: `steps` entries of each column count. */
export const forecasted = {
  steps: 0,
  mean: new Float64Array(168),
  lower: new Float64Array(168),
  upper: new Float64Array(168),
  lower80: new Float64Array(168),
  upper80: new Float64Array(168),
  model: '',
  coverage: NaN,
  error: NaN,
}

const spreads = new Float64Array(168)
const youngHours = new Float64Array(YOUNG_HOURS)
/** What was said by kind. */
const said = new Float64Array(SAID_HOURS)

export class Forecasters {
  readonly young = new Slab({ doubles: YOUNG_DOUBLES, floats: 0, shorts: YOUNG_RING + YOUNG_HOURS })
  readonly grown = new Slab({ doubles: GROWN_DOUBLES, floats: GROWN_FLOATS, shorts: GROWN_RING + GROWN_HOURS })

  /**
   * Takes in the mean of the hour that starts at `startMs`. `place` is where the series' memory is: 0 nowhere yet, above 0 a grown row, below 0
   * a young one; the place that it has from now on is the answer. `turn` sets the hour of the day at which it learns; `kind` is what is known of its
   * kind.
   */
  learn(place: number, turn: number, startMs: number, mean: number, kind: Kind | null): number {
    const hour = Math.floor(startMs / HOUR_MS)
    const at = place === 0 ? -1 - this.young.take() : this.#awake(place, hour)
    if (at < 0) {
      const row = this.young.open(-at - 1)
      append(row, YOUNG, hour, mean)
      return row.shorts[row.s + FILLED] < YOUNG_HOURS ? at : this.#grow(at, turn, hour, kind)
    }
    const row = this.grown.open(at - 1)
    append(row, GROWN, hour, mean)
    const last = row.doubles[row.d + FIT_HOUR]
    const isTurn = turnOf(hour, turn) > turnOf(last, turn)
    if (isTurn && hour - last >= FIT_HOURS_MIN) fit(row, hour, turn, kind)
    return at
  }

  /** Puts back a row of a snapshot, and gives its place. Throws `RangeError` on one that is no row. */
  restore(grown: boolean, bytes: Uint8Array): number {
    const slab = grown ? this.grown : this.young
    const place = slab.take()
    slab.bytesOf(place).set(bytes)
    if (!isSound(slab.open(place), grown)) throw new RangeError('Cannot read a snapshot as the rows of its forecasters must be sound')
    return grown ? place + 1 : -1 - place
  }

  #awake(place: number, hour: number): number {
    const row = place > 0 ? this.grown.open(place - 1) : this.young.open(-place - 1)
    if (hour - row.doubles[row.d + LAST_HOUR] <= SILENCE_HOURS) return place
    if (place > 0) this.grown.give(place - 1)
    else this.young.give(-place - 1)
    return -1 - this.young.take()
  }

  #grow(at: number, turn: number, hour: number, kind: Kind | null): number {
    const young = this.young.open(-at - 1)
    const place = this.grown.take()
    const row = this.grown.open(place)
    for (const i of [LAST_HOUR, BASE, UNIT]) row.doubles[row.d + i] = young.doubles[young.d + i]
    for (let i = 0; i < YOUNG_HOURS; i++) row.shorts[row.s + GROWN_RING + i] = young.shorts[young.s + YOUNG_RING + ((young.shorts[young.s + HEAD] + i) % YOUNG_HOURS)]
    row.shorts[row.s + FILLED] = row.shorts[row.s + HEAD] = YOUNG_HOURS
    row.floats[row.f + STRETCH95] = row.floats[row.f + STRETCH80] = STRETCH_AT_FIRST
    unlend(row, GROWN)
    beginFar(row)
    this.young.give(-at - 1)
    fit(row, hour, turn, kind)
    return place + 1
  }

  /** The last hours of a series, `out.length` at most, oldest first, NaN where there is none; gives how many, and the last of them (since 1970). */
  lastHours(place: number, out: Float64Array): { readonly count: number; readonly lastHour: number } {
    if (place === 0) return { count: 0, lastHour: 0 }
    const row = place > 0 ? this.grown.open(place - 1) : this.young.open(-place - 1)
    return { count: readLast(row, place > 0 ? GROWN : YOUNG, out), lastHour: row.doubles[row.d + LAST_HOUR] }
  }

  /** Forecasts a young series as its kind usually goes, into `forecasted`; false where there is too little of it, or it is no longer young. */
  forecastYoung(place: number, kind: Kind, steps: number): boolean {
    if (place >= 0) return false
    const { count, lastHour } = this.lastHours(place, youngHours)
    if (!forecastYoung(youngHours.subarray(0, count), lastHour, kind, steps, forecasted)) return false
    forecasted.steps = steps
    forecasted.model = 'kind'
    forecasted.coverage = NaN
    forecasted.error = NaN
    return true
  }

  /** Forecasts `steps` hours behind the last that was learnt into `forecasted`, with what is known of its kind; false where the series is too young. */
  forecast(place: number, kind: Kind | null, steps: number): boolean {
    if (place <= 0) return false
    const row = this.grown.open(place - 1)
    const { floats, f } = row
    const unit = row.doubles[row.d + SCALE]
    const count = read(row, GROWN, unit)
    load(row, kind)
    const { mean, lower, upper, lower80, upper80 } = forecasted
    forecastMixture(values, { from: Math.max(0, count - WINDOW), until: count }, steps, mean)
    const [wide, narrow] = widthsOf(row)
    const step = stepOf(row)
    spreadsOf(row, row.doubles[row.d + LAST_HOUR], steps, spreads)
    for (let h = 0; h < steps; h++) {
      const expected = mean[h]
      const spread = spreads[h]
      mean[h] = expected * unit
      lower[h] = Math.max(floor, expected - spread * wide - step) * unit
      upper[h] = Math.max(floor, expected + spread * wide + step) * unit
      lower80[h] = Math.max(floor, expected - spread * narrow - step) * unit
      upper80[h] = Math.max(floor, expected + spread * narrow + step) * unit
    }
    const graded = floats[f + GRADED]
    forecasted.steps = steps
    forecasted.model = namesOfLeaders()
    forecasted.coverage = graded > 0 ? floats[f + HITS95] / graded : NaN
    forecasted.error = graded > 0 ? (floats[f + MISSED_SUM] / graded) * unit : NaN
    return true
  }
}

function isSound({ doubles, floats, shorts, d, f, s }: Row, grown: boolean): boolean {
  const hours = grown ? GROWN_HOURS : YOUNG_HOURS
  const within = (i: number, until: number) => shorts[s + i] >= 0 && shorts[s + i] < until
  if (!within(FILLED, hours + 1) || shorts[s + FILLED] === 0 || !within(HEAD, hours)) return false
  for (let i = 0; i < (grown ? GROWN_DOUBLES : YOUNG_DOUBLES); i++) if (!Number.isFinite(doubles[d + i])) return false
  if (!Number.isInteger(doubles[d + LAST_HOUR])) return false
  if (!grown) return doubles[d + UNIT] >= 0
  if (!Number.isInteger(doubles[d + FIT_HOUR])) return false
  for (let i = 0; i < GROWN_FLOATS; i++) if (!Number.isFinite(floats[f + i])) return false
  const settings = within(HOLT_WINTERS, HOLT_WINTERS_SETTINGS.length) && within(THETA, THETA_SETTINGS.length) && within(TREND, TREND_SETTINGS.length)
  for (let i = FAR; i < WAITING; i++) if (shorts[s + i] < 0) return false
  return settings && within(SHAPES, 3) && within(SHAPES + 1, 3) && shorts[s + FILLED] >= YOUNG_HOURS && doubles[d + SCALE] > 0 && doubles[d + UNIT] >= 0
}

/** A power of two near the span, or near the value where all are one. */
function scaleOf(row: Row): number {
  const { least, greatest } = span(row, GROWN)
  const size = greatest - least > 0 ? greatest - least : Math.abs(greatest)
  return size > 0 ? scale(1, Math.max(-1_000, exponentOf(size))) : 1
}

/** Changes the scale where the span has left it far behind. */
function rescale(row: Row): void {
  const { doubles, floats, d, f } = row
  const former = doubles[d + SCALE]
  const wanted = scaleOf(row)
  if (wanted < former * SCALE_FAR && wanted * SCALE_FAR > former) return
  const ratio = former / wanted
  doubles[d + SCALE] = wanted
  for (const i of [MISSED_SUM, ...MODELS.map((_, m) => ERRORS + m)]) if (floats[f + i] !== NO_ERROR) floats[f + i] = Math.min(1e38, floats[f + i] * ratio)
}

/** Grades what was forecast at the last fit, and fits anew. */
function fit(row: Row, hour: number, turn: number, kind: Kind | null): void {
  const { doubles, d } = row
  const last = doubles[d + FIT_HOUR]
  if (last === 0) doubles[d + SCALE] = scaleOf(row)
  const count = read(row, GROWN, doubles[d + SCALE])
  if (last === 0) guessErrors(row, values, count)
  else {
    const origin = count - (hour - last)
    if (origin >= 2 * DAY) {
      const span = { from: Math.max(0, origin - WINDOW), until: origin }
      const steps = Math.min(DAY, count - origin)
      load(row, readLent(row, GROWN, doubles[d + SCALE], said) ? said : null)
      gradeIntervals(row, values, known, span, last, steps)
      gradeModels(row, values, known, span, steps)
    }
  }
  if (last !== 0) gradeFar(row, values, known, { count, hour, turn })
  refine(row, GROWN)
  rescale(row)
  read(row, GROWN, doubles[d + SCALE])
  const span = { from: Math.max(0, count - WINDOW), until: count }
  fitModels(row, values, known, span)
  load(row, kind)
  if (sayByKind(row, values, count, said)) lend(row, GROWN, said, doubles[d + SCALE])
  else unlend(row, GROWN)
  load(row, kind)
  measureSpreads(row, values, known, span, hour)
  sayFar(row, values, span, { hour, turn })
  doubles[d + FIT_HOUR] = hour
}
