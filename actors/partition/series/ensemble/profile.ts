/**
 * What the value usually is at this time of day: a mean for each half-hour, and how far it usually misses for each hour. UTC, which is
 * as good as any zone for what comes again each day.
 *
 * - F1 A slot is not judged by before it has been visited: its first visit only fills it, and the readings that find it filled are counted
 *   as settled, so that the caller can wait until the marks are those of a filled profile.
 * - F2 Early readings of a slot count alike; later ones by `RATE`.
 */

import { COUNT, DEVIATION, FRESH, LAST_TS, ORIGIN, PROFILE, REVISITS, SEEN, SETTLED, SLOTS, USUAL_ERROR } from './layout.ts'
import type { Slab } from './layout.ts'
import { seen } from './seen.ts'

export const SLOT_MS = 1_800_000

const RATE = 0.01
const RATE_DEVIATION = 0.005
const RATE_USUAL = 0.001
/** What an hour's deviation is blended with: this share of the usual error of all hours. */
const BLEND = 0.6
const CUT = 5
const CUT_FROM = 50
/** Beyond, a count in single precision need not go. */
const FRESH_MAX = 1e6
/** Readings of a filled profile after which its misses are judged by. */
const SETTLED_ENOUGH = 128
/** Visits of filled slots, two days of them at least, after which what is usual at its hour is known well enough to say that a day is otherwise. */
export const REVISITS_ENOUGH = 2 * SLOTS
/** Single precision holds no more; what is beyond it is as strange at this size. */
export const SINGLE_MAX = 1e38

export function beginProfile({ singles }: Slab, at: number): void {
  const from = 2 * at + PROFILE
  for (let i = from; i < from + SLOTS; i++) singles[i] = NaN
}

/** Whether every slot that it knows has been visited again, and often enough: before, the marks of its misses are those of a few slots. */
export function isProfileSettled({ singles }: Slab, at: number): boolean {
  return singles[2 * at + SETTLED] >= SETTLED_ENOUGH && singles[2 * at + REVISITS] >= singles[2 * at + SEEN]
}

/** Measures the value against the profile, and learns it. Its time may go back. */
export function passProfile({ doubles: d, singles }: Slab, at: number): void {
  const { ts, value, least } = seen
  const visit = Math.floor(ts / SLOT_MS)
  const slot = visit - Math.floor(visit / SLOTS) * SLOTS
  const s = 2 * at
  const mine = s + PROFILE + slot
  const hour = s + DEVIATION + (slot >> 1)
  const held = singles[mine]
  const isFilled = held === held
  if (visit !== Math.floor(d[at + LAST_TS] / SLOT_MS)) {
    singles[s + FRESH] = isFilled ? 0 : 1
    if (isFilled && singles[s + REVISITS] < REVISITS_ENOUGH) singles[s + REVISITS]++
  } else if ((singles[s + FRESH] > 0 || !isFilled) && singles[s + FRESH] < FRESH_MAX) singles[s + FRESH]++
  const fresh = singles[s + FRESH]
  if (fresh === 0 && singles[s + SETTLED] < SETTLED_ENOUGH) singles[s + SETTLED]++
  const from = value - d[at + ORIGIN]
  const other = singles[s + PROFILE + (slot ^ 1)]
  const ofHour = isFilled ? (other === other ? (held + other) / 2 : held) : other
  const slotMiss = isFilled ? from - held : NaN
  const hourMiss = from - ofHour
  const usual = d[at + USUAL_ERROR]
  if (fresh === 1 && singles[hour] < usual) singles[hour] = Math.min(usual, SINGLE_MAX)
  const hourDeviation = singles[hour] + BLEND * usual
  seen.slotMiss = slotMiss
  seen.hourMiss = hourMiss
  seen.hourDeviation = hourDeviation

  const count = singles[2 * at + COUNT]
  const known = singles[s + SEEN]
  const visits = fresh > 0 ? fresh : 1 + count / Math.max(1, known)
  if (hourMiss === hourMiss) {
    let size = Math.abs(hourMiss)
    if (count > CUT_FROM && hourDeviation > 0) size = Math.min(size, CUT * hourDeviation)
    singles[hour] = Math.min(singles[hour] + Math.max(RATE_DEVIATION, 1 / visits) * (size - singles[hour]), SINGLE_MAX)
    d[at + USUAL_ERROR] = usual + Math.max(RATE_USUAL, least) * (size - usual)
  }
  const mean = isFilled ? held + Math.max(RATE, 1 / visits) * slotMiss : from
  singles[mine] = mean > SINGLE_MAX ? SINGLE_MAX : mean < -SINGLE_MAX ? -SINGLE_MAX : mean
  if (!isFilled) singles[s + SEEN] = known + 1
}
