/** What is said of kinds and of who is unlike the others: how far out and since when; and what will come while there is nothing. Pure, but for the time zone. */

import { clockTime, count, date, duration, roughly, value as plain } from '../format.ts'
import type { FleetKind, FleetOutlier } from '../shapes.ts'
import type { Units } from '../units.ts'

const DAY_MS = 86_400_000
/** How long ago the newest day of a device is, where it has fallen behind. */
const BEHIND_DAYS = 2

/** A UTC day as a date: its noon is on that date in nearly all time zones. */
const dayName = (day: number) => date(day + DAY_MS / 2)

/** How far out it is, by what is usual. */
export function farWords(metric: string, { by, distance, usual }: FleetOutlier, words: Pick<Units, 'text'>): string {
  const far = Math.abs(distance)
  const times = usual > 0 && far / usual >= 1.5 ? far / usual : null
  const usually = times === null ? '' : `, ${times < 10 ? plain(Math.round(times * 10) / 10) : count(Math.round(times))} times as far as usual`
  if (by === 'level') return `On average ${words.text(metric, roughly(far))} ${distance < 0 ? 'below' : 'above'} the others${usually}`
  return `Its day goes another way: ${words.text(metric, roughly(far))} from the nearest pattern${usually}`
}

/** Since when, as days in a row. */
export function sinceWords({ since, day }: Pick<FleetOutlier, 'since' | 'day'>, nowMs: number): string {
  const days = Math.round((day - since) / DAY_MS) + 1
  const told = days === 1 ? `on ${dayName(day)}` : `since ${dayName(since)}, for ${count(days)} days`
  // A day is told once it is over: yesterday is the newest there can be.
  const behind = nowMs - (day + DAY_MS) > BEHIND_DAYS * DAY_MS
  return behind && days > 1 ? `${told}; nothing is known of it since ${dayName(day)}` : told
}

/** The devices of a kind, and what is known of them. */
export function kindWords({ devices, sort, days, ungrouped }: FleetKind): string {
  const many = devices === 0 ? 'No device of late' : `${count(devices)} device${devices === 1 ? '' : 's'}`
  const who = `${many} named ${sort}${sort.includes('#') ? ' (# being any number)' : ''}`
  const waiting = ungrouped > 0 ? `; ${count(ungrouped)} of them in no pattern until ${ungrouped === 1 ? 'its' : 'their'} next day is over` : ''
  return `${who}, learned from ${count(days)} day${days === 1 ? '' : 's'}${waiting}`
}

export function headline(metrics: readonly { readonly kinds: number; readonly outliers: number }[]): string {
  const [kinds, outliers] = [metrics.reduce((sum, m) => sum + m.kinds, 0), metrics.reduce((sum, m) => sum + m.outliers, 0)]
  const odd = outliers === 0 ? 'no device is unlike the others' : `in ${outliers === 1 ? 'one case' : `${count(outliers)} cases`} a device is unlike the others`
  return `How a day usually goes for devices that measure the same: ${count(kinds)} kind${kinds === 1 ? '' : 's'}, ${odd}.`
}

/** What will come, and when. */
export function comingWords(nowMs: number): string {
  const end = Math.floor(nowMs / DAY_MS + 1) * DAY_MS
  return `Each device tells how its day went when the UTC day is over, next at ${clockTime(end)} (in ${duration(end - nowMs)}), if it measured in at least 20 of its hours. ` +
    'With the first such day its pattern is shown here, and with those of four devices of a kind, who is unlike the others.'
}
