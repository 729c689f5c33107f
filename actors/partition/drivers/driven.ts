/**
 * What drives a series: others that its owner named, such as rain and air temperature of a soil's moisture.
 *
 * Learns, hour by hour, how the series changes beyond what the hour of the day usually brings, from what the drivers did up to the hour before:
 * their last hour, and their averages of about six hours and a day. Then it corrects the forecast by what that says of the hours ahead, where it
 * has been found to help.
 *
 * - D1 A driver's hour counts once, whenever it comes, while it is of the last two days; an hour that never comes counts as usual of its hour.
 * - D2 The future of a driver is what is usual of each hour of its day; its averages fade into that.
 * - D3 What a change leaves behind fades by `PERSISTENCE` an hour, the one of four that has lately forecast best, six hours ahead. A correction is
 *   used while its error is below `HELPS` of the error without.
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
/** Share of a new day in what is usual of an hour of the day, and of a new hour in the mean of a driver. */
const USUAL_RATE = 0.1
const MEAN_RATE = 1 / 336
/** Hours learned before a correction is used. */
const HOURS_MIN = 72
/** Hours ahead, of which corrections are graded. */
export const GRADED_AHEAD = 6
const GRADE_RATE = 1 / 100
const HELPS = 0.97
export const PERSISTENCE = [1, 0.95, 0.8, 0] as const

/** A driver as one slot knows it. */
class Slot {
  /** Device and metric, with a line feed between. */
  name = ''
  /** By hour modulo `KEPT_HOURS`: the value and the hour that it is of. */
  readonly values = new Float64Array(KEPT_HOURS).fill(NaN)
  readonly hours = new Float64Array(KEPT_HOURS)
  readonly usual = new Float64Array(DAY_HOURS).fill(NaN)
  readonly averages = new Float64Array(FEATURES)
  mean = NaN

  at(hour: number): number {
    const i = hour % KEPT_HOURS
    return this.hours[i] === hour ? this.values[i] : NaN
  }

  /** What is expected of an hour of the day. */
  expected(hour: number): number {
    const usual = this.usual[hour % DAY_HOURS]
    return Number.isNaN(usual) ? (Number.isNaN(this.mean) ? 0 : this.mean) : usual
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
  regression = new Regression(DRIVERS_MAX * FEATURES)
  /** Usual change into each hour of the day. */
  readonly usualChange = new Float64Array(DAY_HOURS).fill(NaN)
  last = NaN
  lastHour = 0
  hours = 0
  /** By hour modulo `GRADED_AHEAD`: what was forecast of it so far ahead, without a correction, and the corrections by persistence. */
  readonly ahead = new Float64Array(GRADED_AHEAD * (1 + PERSISTENCE.length)).fill(NaN)
  /** Decaying errors: without, and by persistence. */
  readonly graded = new Float64Array(1 + PERSISTENCE.length)
  gradings = 0
  #features = new Float64Array(DRIVERS_MAX * FEATURES)

  /** Takes in an hour of a driver. `hour`: hours since 1970. */
  hear(slot: number, name: string, hour: number, value: number): void {
    const of = this.slots[slot]
    if (of.name !== name) this.#begin(slot, name)
    if (hour <= this.lastHour - KEPT_HOURS) return
    const i = hour % KEPT_HOURS
    if (of.hours[i] >= hour) return
    of.hours[i] = hour
    of.values[i] = value
    of.mean = Number.isNaN(of.mean) ? value : of.mean + MEAN_RATE * (value - of.mean)
    const h = hour % DAY_HOURS
    of.usual[h] = Number.isNaN(of.usual[h]) ? value : of.usual[h] + USUAL_RATE * (value - of.usual[h])
  }

  #begin(slot: number, name: string): void {
    const of = this.slots[slot]
    of.name = name
    of.values.fill(NaN)
    of.hours.fill(0)
    of.usual.fill(NaN)
    of.averages.fill(0)
    of.mean = NaN
    this.regression = new Regression(DRIVERS_MAX * FEATURES)
    this.hours = 0
    this.gradings = 0
    this.graded.fill(0)
    this.ahead.fill(NaN)
  }

  /** Takes in the mean of an hour of the series itself, which is later than those before. */
  learn(hour: number, mean: number): void {
    this.#grade(hour, mean)
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

  #average(hour: number): void {
    for (const slot of this.slots) {
      if (slot.name === '') continue
      const told = slot.at(hour)
      const value = Number.isNaN(told) ? slot.expected(hour) : told
      for (let i = 0; i < FEATURES; i++) slot.averages[i] += SHARES[i] * (value - slot.averages[i])
    }
  }

  #featuresNow(): Float64Array {
    for (const [s, slot] of this.slots.entries()) {
      for (let i = 0; i < FEATURES; i++) this.#features[s * FEATURES + i] = slot.name === '' || Number.isNaN(slot.mean) ? 0 : slot.averages[i] - slot.mean
    }
    return this.#features
  }

  /** Writes what is to be added to the forecast of the next `steps` hours; all zeros where it would not help. */
  correct(steps: number, out: Float64Array): boolean {
    out.fill(0, 0, steps)
    const best = this.best()
    if (best < 0) return false
    this.#corrections(steps, PERSISTENCE[best], out)
    return true
  }

  /** The persistence that helps, as an index; −1 where none does. */
  best(): number {
    if (this.hours < HOURS_MIN || this.gradings < DAY_HOURS) return -1
    let best = 1
    for (let i = 2; i < this.graded.length; i++) if (this.graded[i] < this.graded[best]) best = i
    return this.graded[best] < HELPS * this.graded[0] ? best - 1 : -1
  }

  /** Error with the correction over that without, six hours ahead; NaN while too little was graded. */
  gain(): number {
    const best = this.best()
    return this.gradings < DAY_HOURS || this.graded[0] === 0 ? NaN : best < 0 ? 1 : this.graded[best + 1] / this.graded[0]
  }

  #corrections(steps: number, persistence: number, out: Float64Array): void {
    const kept = this.slots.map((slot) => slot.averages.slice())
    this.#average(this.lastHour)
    let sum = 0
    for (let h = 0; h < steps; h++) {
      sum = sum * persistence + this.regression.predict(this.#featuresNow())
      out[h] = sum
      this.#average(this.lastHour + 1 + h)
    }
    for (const [s, averages] of kept.entries()) this.slots[s].averages.set(averages)
  }

  /** Remembers what is forecast of the sixth hour ahead without a correction, so that it can be graded. */
  remember(mean: number): void {
    const width = 1 + PERSISTENCE.length
    const at = ((this.lastHour + GRADED_AHEAD) % GRADED_AHEAD) * width
    this.ahead[at] = mean
    for (const [i, persistence] of PERSISTENCE.entries()) {
      this.#corrections(GRADED_AHEAD, persistence, scratch)
      this.ahead[at + 1 + i] = scratch[GRADED_AHEAD - 1]
    }
  }

  #grade(hour: number, mean: number): void {
    const width = 1 + PERSISTENCE.length
    // What was forecast of hours that never came is of no use.
    for (let h = this.lastHour + 1; h < hour && h <= this.lastHour + GRADED_AHEAD; h++) this.ahead[(h % GRADED_AHEAD) * width] = NaN
    const at = (hour % GRADED_AHEAD) * width
    const base = this.ahead[at]
    if (Number.isNaN(base) || hour > this.lastHour + GRADED_AHEAD || this.hours < HOURS_MIN) return
    this.gradings++
    const rate = Math.max(GRADE_RATE, 1 / this.gradings)
    this.graded[0] += rate * (Math.abs(mean - base) - this.graded[0])
    for (let i = 1; i < width; i++) this.graded[i] += rate * (Math.abs(mean - base - this.ahead[at + i]) - this.graded[i])
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
    const own = [this.last, this.lastHour, this.hours, this.gradings, this.regression.count, this.regression.leftOver]
    const arrays = [this.usualChange, this.ahead, this.graded, this.regression.coefficients, this.regression.covariance, ...this.slots.flatMap((s) => [s.values, s.hours, s.usual, s.averages])]
    return [...own, ...this.slots.map((s) => s.mean), ...arrays.flatMap((a) => [...a])]
  }

  /** Puts back what `numbers` gave. Throws `RangeError` where they are not as many. */
  restore(names: readonly string[], numbers: ArrayLike<number>): void {
    if (names.length !== DRIVERS_MAX || numbers.length !== this.numbers().length) throw new RangeError('Cannot read a snapshot as what drives a series must be whole')
    let at = 0
    const take = () => numbers[at++]
    ;[this.last, this.lastHour, this.hours, this.gradings] = [take(), take(), take(), take()]
    this.regression.count = take()
    this.regression.leftOver = take()
    for (const [s, slot] of this.slots.entries()) {
      slot.name = names[s]
      slot.mean = take()
    }
    const arrays = [this.usualChange, this.ahead, this.graded, this.regression.coefficients, this.regression.covariance, ...this.slots.flatMap((s) => [s.values, s.hours, s.usual, s.averages])]
    for (const array of arrays) for (let i = 0; i < array.length; i++) array[i] = take()
  }
}

const scratch = new Float64Array(GRADED_AHEAD)
