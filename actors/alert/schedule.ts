/**
 * Whether a moment lies within a rule's schedule, by the offsets of its zone that the rule itself holds (R1).
 */

import { offsetsOf } from '../../runtime/zones.ts'
import type { Schedule } from './rule.ts'

const MINUTE_MS = 60_000
const DAY_MS = 1_440 * MINUTE_MS
/** 1970-01-01 was a Thursday: with Monday as 0. */
const FIRST_WEEKDAY = 3
/** Years that a rule holds the changes of its clocks for. */
const KNOWN_FROM_MS = Date.UTC(2020, 0, 1)
const KNOWN_TO_MS = Date.UTC(2060, 0, 1)

/** The changes of a zone's clocks, as a rule holds them. `zone` is as the database writes it. */
export function offsetsFor(zone: string): number[] {
  return offsetsOf(zone, { from: KNOWN_FROM_MS, to: KNOWN_TO_MS }).flatMap(({ from, offsetMs }) => [Math.max(from, KNOWN_FROM_MS), offsetMs])
}

/** ms that a clock of the zone is ahead of UTC. */
export function offsetAt({ offsets }: Pick<Schedule, 'offsets'>, ms: number): number {
  let low = 0
  let high = offsets.length / 2 - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (offsets[2 * middle] <= ms) low = middle
    else high = middle - 1
  }
  return offsets[2 * low + 1]
}

export function isWithin(schedule: Schedule, ms: number): boolean {
  const { days, fromMinute, toMinute } = schedule
  const local = ms + offsetAt(schedule, ms)
  const day = Math.floor(local / DAY_MS)
  const minute = Math.floor((local - day * DAY_MS) / MINUTE_MS)
  const isDay = (d: number) => ((days >> ((((d + FIRST_WEEKDAY) % 7) + 7) % 7)) & 1) === 1
  if (fromMinute === toMinute) return isDay(day)
  if (fromMinute < toMinute) return isDay(day) && minute >= fromMinute && minute < toMinute
  return (isDay(day) && minute >= fromMinute) || (isDay(day - 1) && minute < toMinute)
}

/** ms to the next full minute: schedules begin and end at such. */
export function toNextMinute(ms: number): number {
  return MINUTE_MS - (ms - Math.floor(ms / MINUTE_MS) * MINUTE_MS)
}
