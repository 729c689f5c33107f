/**
 * The typical day of a group, by the clock of who reads: what is learned goes by hours of the UTC day.
 *
 * Pure. Invariants
 * - I1 A day closes: it is at midnight what it was at the midnight before.
 * - I2 An hour lies at its middle, as a mean of it does.
 */

import { roughly } from '../format.ts'
import type { Units } from '../units.ts'

export const DAY_MINUTES = 1_440

export interface TypicalDay {
  /** From midnight to midnight, the value in the unit of the metric. */
  readonly points: readonly { readonly minute: number; readonly value: number }[]
  /** How far from that a day usually is. */
  readonly spread: number
  readonly level: number
  readonly low: { readonly minute: number; readonly value: number }
  readonly high: { readonly minute: number; readonly value: number }
}

/** `profile`: of each hour of a UTC day, its distance from `level`. `aheadMinutes`: by how much the reader's clock is ahead of UTC. */
export function typicalDay({ profile, spread }: { profile: readonly number[]; spread: number }, level: number, aheadMinutes: number): TypicalDay {
  const step = DAY_MINUTES / profile.length
  const minuteOf = (hour: number) => (((hour + 0.5) * step + aheadMinutes) % DAY_MINUTES + DAY_MINUTES) % DAY_MINUTES
  const hours = profile.map((distance, hour) => ({ minute: minuteOf(hour), value: level + distance })).sort((a, b) => a.minute - b.minute)
  const [first, last] = [hours[0], hours[hours.length - 1]]
  // Between the last hour of a day and the first one of the next.
  const share = (DAY_MINUTES - last.minute) / (DAY_MINUTES - last.minute + first.minute)
  const midnight = last.value + (first.value - last.value) * share
  const inner = hours.filter(({ minute }) => minute > 0)
  const points = [{ minute: 0, value: midnight }, ...inner, { minute: DAY_MINUTES, value: midnight }]
  const least = (sign: number) => hours.reduce((best, hour) => (sign * hour.value < sign * best.value ? hour : best))
  return { points, spread, level, low: least(1), high: least(-1) }
}

/** Least and greatest of some days with their spreads, so that one scale holds all of them. */
export function extentOf(days: readonly TypicalDay[]): [number, number] {
  const least = Math.min(...days.map((day) => day.low.value - day.spread))
  const most = Math.max(...days.map((day) => day.high.value + day.spread))
  return most > least ? [least, most] : [least - 0.5, most + 0.5]
}

const two = (n: number) => String(n).padStart(2, '0')

/** A minute of the day as a clock shows it. */
export function clockOf(minute: number): string {
  const whole = Math.round(minute) % DAY_MINUTES
  return `${two(Math.floor(whole / 60))}:${two(whole % 60)}`
}

/** A day in a sentence. */
export function dayWords(metric: string, { low, high, level, spread }: TypicalDay, words: Pick<Units, 'text'>): string {
  const near = spread > 0 ? `; a day is usually within ${words.text(metric, roughly(spread))} of this` : ''
  return `Around ${words.text(metric, level)}: lowest about ${clockOf(low.minute)} with ${words.text(metric, low.value)}, highest about ${clockOf(high.minute)} with ${words.text(metric, high.value)}${near}.`
}
