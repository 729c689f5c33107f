/**
 * What drives a series: others that its owner named, such as rain and air temperature of a soil's moisture.
 *
 * Learns, hour by hour, two things from what the drivers did up to the hour before, which are their last hour, and their averages of about six
 * hours and a day, all of them as distances from what is usual of the hour: how the series changes beyond what is usual of the hour, which are the
 * effects that are told; and what its forecasts miss one, six and twenty-four hours ahead, by which they are corrected. The forecast knows the
 * series' own past: what a driver did shows in that as well, and only what it does not show can help.
 *
 * - D1 A driver's hour counts once, whenever it comes, while it is of the last two days; an hour that never comes counts as usual of its hour.
 * - D2 The future of a driver is what is usual of each hour of its day.
 * - D3 A correction is used, whole or half, for each of the three distances where it has lately missed less than `HELPS` of what was missed without;
 *   between them it is a line, and beyond the last it fades.
 * - D4 A slot whose driver is another one than before begins anew, and with it all that was learned.
 */

import { DRIVERS_MAX } from '../../reading/input.ts'
import { DAY_HOURS } from '../../reading/window.ts'
import { Regression } from './regression.ts'

/** Features of a driver: its last hour, and two averages. */
export const FEATURES = 3
/** Shares of a new hour in the averages. */
const SHARES = [1, 1 / 6, 1 / 24] as const
/** Hours of a driver that are kept. */
const KEPT_HOURS = 48
/** Share of a new day in what is usual of an hour of the day. */
const USUAL_RATE = 0.1
/** Hours learned before a correction is graded, and graded before it is used. */
const HOURS_MIN = 168
const GRADED_MIN = 72
/** Hours ahead for which corrections are learned and graded. */
export const HORIZONS = [1, 6, 24] as const
const KEPT_ORIGINS = HORIZONS[HORIZONS.length - 1]
/** Shares of a correction that are tried: the first is none. */
const TRIED = [0, 0.5, 1] as const
const GRADE_RATE = 1 / 300
const HELPS = 0.97
/** Of an hour in the corrections, each hour later: what misses have in common is little, and takes long to be told. */
const CORRECTION_STAYS = 0.9995

const SIZE = DRIVERS_MAX * FEATURES
const ORIGIN = SIZE + 2 * HORIZONS.length

/** A driver as one slot knows it. */
class Slot {
  /** Device and metric, with a line feed between. */
  name = ''
  /** By hour modulo `KEPT_HOURS`: how far it was from what is usual of its hour, and the hour that it is of. */
  readonly values = new Float64Array(KEPT_HOURS).fill(NaN)
  readonly hours = new Float64Array(KEPT_HOURS)
  readonly usual = new Float64Array(DAY_HOURS).fill(NaN)
  readonly averages = new Float64Array(FEATURES)

  at(hour: number): number {
    const i = hour % KEPT_HOURS
    return this.hours[i] === hour ? this.values[i] : NaN
  }
}

/** The effect of one driver, as it is told. */
export interface Effect {
  readonly slot: number
  /** Device and metric of the driver. */
  readonly device: string
  readonly metric: string
  /** Change of the series in an hour, in its unit, by one unit of the driver in the hour before, of its average of 6 hours, of that of 24; and their standard errors. */
  readonly effects: readonly number[]
  readonly errors: readonly number[]
}

export class Driven {
  readonly slots: readonly Slot[] = Array.from({ length: DRIVERS_MAX }, () => new Slot())
  regression = new Regression(SIZE)
  /** What forecasts miss, by horizon. */
  corrections = HORIZONS.map(() => new Regression(SIZE, CORRECTION_STAYS))
  /** Usual change into each hour of the day. */
  readonly usualChange = new Float64Array(DAY_HOURS).fill(NaN)
  last = NaN
  lastHour = 0
  hours = 0
  /** By hour modulo `KEPT_ORIGINS`, of the last hours that were forecast behind: features, and for each horizon what was forecast and the correction. */
  readonly origins = new Float64Array(KEPT_ORIGINS * ORIGIN).fill(NaN)
  /** Decaying errors by horizon and share; hours graded. */
  readonly graded = new Float64Array(HORIZONS.length * TRIED.length)
  readonly gradings = new Float64Array(HORIZONS.length)
  #features = new Float64Array(SIZE)

  /** Takes in an hour of a driver. `hour`: hours since 1970. */
  hear(slot: number, name: string, hour: number, value: number): void {
    const of = this.slots[slot]
    if (of.name !== name) this.#begin(slot, name)
    if (hour <= this.lastHour - KEPT_HOURS) return
    const i = hour % KEPT_HOURS
    if (of.hours[i] >= hour) return
    const h = hour % DAY_HOURS
    const usual = of.usual[h]
    of.hours[i] = hour
    of.values[i] = Number.isNaN(usual) ? 0 : value - usual
    of.usual[h] = Number.isNaN(usual) ? value : usual + USUAL_RATE * (value - usual)
  }

  #begin(slot: number, name: string): void {
    const of = this.slots[slot]
    of.name = name
    of.values.fill(NaN)
    of.hours.fill(0)
    of.usual.fill(NaN)
    of.averages.fill(0)
    this.regression = new Regression(SIZE)
    this.corrections = HORIZONS.map(() => new Regression(SIZE, CORRECTION_STAYS))
    this.hours = 0
    this.origins.fill(NaN)
    this.graded.fill(0)
    this.gradings.fill(0)
  }

  /** Takes in the mean of an hour of the series itself, which is later than those before. */
  learn(hour: number, mean: number): void {
    this.#judge(hour, mean)
    const follows = hour === this.lastHour + 1
    // The drivers as they were before this hour.
    for (let h = Math.max(this.lastHour, hour - KEPT_HOURS); h < hour; h++) this.#average(h)
    if (follows && !Number.isNaN(this.last)) {
      const h = hour % DAY_HOURS
      const change = mean - this.last
      const usual = this.usualChange[h]
      if (!Number.isNaN(usual)) {
        this.regression.learn(this.#featuresNow(), change - usual)
        this.hours++
      }
      this.usualChange[h] = Number.isNaN(usual) ? change : usual + USUAL_RATE * (change - usual)
    }
    this.last = mean
    this.lastHour = hour
  }

  /** Takes an hour of the drivers into their averages; for the time of `during` alone where that is given. */
  #average(hour: number, during?: () => void): void {
    const before = during === undefined ? [] : this.slots.map((slot) => slot.averages.slice())
    for (const slot of this.slots) {
      if (slot.name === '') continue
      const off = slot.at(hour)
      for (let i = 0; i < FEATURES; i++) slot.averages[i] += SHARES[i] * ((Number.isNaN(off) ? 0 : off) - slot.averages[i])
    }
    during?.()
    for (const [s, averages] of before.entries()) this.slots[s].averages.set(averages)
  }

  #featuresNow(): Float64Array {
    for (const [s, slot] of this.slots.entries()) for (let i = 0; i < FEATURES; i++) this.#features[s * FEATURES + i] = slot.averages[i]
    return this.#features
  }

  /** Learns and grades by `mean` of `hour` what was forecast of it at each of the distances. */
  #judge(hour: number, mean: number): void {
    for (const [k, horizon] of HORIZONS.entries()) {
      const origin = hour - horizon
      // An hour that never came leaves an older origin in its place.
      const at = (origin % KEPT_ORIGINS) * ORIGIN
      if (origin > this.lastHour || origin < this.lastHour - KEPT_ORIGINS + 1) continue
      const missed = mean - this.origins[at + SIZE + 2 * k]
      if (Number.isNaN(missed)) continue
      const correction = this.origins[at + SIZE + 2 * k + 1]
      if (this.hours >= HOURS_MIN) {
        const rate = Math.max(GRADE_RATE, 1 / ++this.gradings[k])
        for (const [t, share] of TRIED.entries()) this.graded[k * TRIED.length + t] += rate * (Math.abs(missed - share * correction) - this.graded[k * TRIED.length + t])
      }
      this.corrections[k].learn(this.origins.subarray(at, at + SIZE), missed)
    }
    for (let h = Math.max(this.lastHour + 1, hour - KEPT_ORIGINS + 1); h <= hour; h++) this.origins.fill(NaN, (h % KEPT_ORIGINS) * ORIGIN, (h % KEPT_ORIGINS + 1) * ORIGIN)
  }

  /** Remembers what is forecast behind the last hour, before it is corrected, so that it can be learned from: `mean` is of a day at least. */
  remember(mean: ArrayLike<number>): void {
    const at = (this.lastHour % KEPT_ORIGINS) * ORIGIN
    this.#average(this.lastHour, () => {
      this.origins.set(this.#featuresNow(), at)
      for (const [k, horizon] of HORIZONS.entries()) {
        this.origins[at + SIZE + 2 * k] = mean[horizon - 1]
        this.origins[at + SIZE + 2 * k + 1] = this.corrections[k].predict(this.#features)
      }
    })
  }

  /** Writes what is to be added to the forecast of the next `steps` hours, once that was remembered; false where nothing would help. */
  correct(steps: number, out: Float64Array): boolean {
    out.fill(0, 0, steps)
    const at = (this.lastHour % KEPT_ORIGINS) * ORIGIN + SIZE
    const shares = HORIZONS.map((_, k) => this.share(k))
    if (shares.every((share) => share === 0)) return false
    const told = shares.map((share, k) => (share === 0 ? 0 : share * this.origins[at + 2 * k + 1]))
    for (let h = 0, k = 0; h < steps; h++) {
      const ahead = h + 1
      while (k + 1 < HORIZONS.length && ahead > HORIZONS[k + 1]) k++
      if (ahead >= KEPT_ORIGINS) out[h] = (told[HORIZONS.length - 1] * KEPT_ORIGINS) / ahead
      else out[h] = told[k] + ((told[k + 1] - told[k]) * (ahead - HORIZONS[k])) / (HORIZONS[k + 1] - HORIZONS[k])
    }
    return true
  }

  /** The share of the correction that is used at a horizon, by its index. */
  share(k: number): number {
    const errors = this.graded.subarray(k * TRIED.length, (k + 1) * TRIED.length)
    if (this.gradings[k] < GRADED_MIN) return 0
    const best = errors.indexOf(Math.min(...errors))
    return errors[best] < HELPS * errors[0] ? TRIED[best] : 0
  }

  /** Error with the corrections over that without, the mean of the three horizons; NaN while too little was graded. */
  gain(): number {
    if (this.gradings.some((n) => n < GRADED_MIN)) return NaN
    let sum = 0
    for (let k = 0; k < HORIZONS.length; k++) {
      const errors = this.graded.subarray(k * TRIED.length, (k + 1) * TRIED.length)
      sum += this.share(k) === 0 ? 1 : Math.min(...errors) / errors[0]
    }
    return sum / HORIZONS.length
  }

  effects(): Effect[] {
    return this.slots.flatMap((slot, s) => {
      if (slot.name === '') return []
      const [device, metric] = slot.name.split('\n')
      const at = Array.from({ length: FEATURES }, (_, i) => s * FEATURES + i)
      return [{ slot: s, device, metric, effects: at.map((i) => this.regression.coefficients[i]), errors: at.map((i) => this.regression.errorOf(i)) }]
    })
  }

  /** All of it as numbers, in an order of its own, without the names. */
  numbers(): number[] {
    const own = [this.last, this.lastHour, this.hours, ...this.#regressions().flatMap((r) => [r.count, r.leftOver])]
    return [...own, ...this.#arrays().flatMap((a) => [...a])]
  }

  /** Puts back what `numbers` gave. Throws `RangeError` where they are not as many. */
  restore(names: readonly string[], numbers: ArrayLike<number>): void {
    if (names.length !== DRIVERS_MAX || numbers.length !== this.numbers().length) throw new RangeError('Cannot read a snapshot as what drives a series must be whole')
    let at = 0
    const take = () => numbers[at++]
    ;[this.last, this.lastHour, this.hours] = [take(), take(), take()]
    for (const r of this.#regressions()) [r.count, r.leftOver] = [take(), take()]
    for (const [s, slot] of this.slots.entries()) slot.name = names[s]
    for (const array of this.#arrays()) for (let i = 0; i < array.length; i++) array[i] = take()
  }

  #regressions(): Regression[] {
    return [this.regression, ...this.corrections]
  }

  #arrays(): Float64Array[] {
    const ofSlots = this.slots.flatMap((s) => [s.values, s.hours, s.usual, s.averages])
    return [this.usualChange, this.origins, this.graded, this.gradings, ...this.#regressions().flatMap((r) => [r.coefficients, r.covariance]), ...ofSlots]
  }
}
