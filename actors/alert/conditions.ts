/**
 * Conditions on one series, as plain numbers that readings, windows, forecasts and time move.
 *
 * Each has a stretch of an array: whether it holds, the last value of its series, and what it needs to remember. Truth is of three values, after
 * Kleene: what has not been seen yet is unknown, raises nothing and resolves nothing.
 *
 * - C1 Everything comes from messages of the log: event times from readings, the activity clock (partition/log-time.ts) for silence and holding.
 * - C2 A threshold that holds does so until its value passes `clear`.
 */

import type { Leaf } from './rule.ts'

export const Truth = { no: -1, unknown: 0, yes: 1 } as const

/** The two clocks, epoch ms and ms of activity. */
export interface Now {
  readonly logMs: number
  readonly activityMs: number
}

/** What some condition is told of a reading beside itself: the score of the anomaly that was reported of it, −1 where none was. */
export interface Seen {
  readonly ts: number
  readonly value: number
  readonly score: number
}

const VALUE = 1
const OWN = 2
/** Stretches that the time of a change is cut into; each remembers its least and greatest value. */
const BUCKETS = 16
/** Gaps that a rhythm must have been learned of; a silence is three times as long as the usual, with four times its spread. */
const GAPS_MIN = 8
const RHYTHM_RATE = 1 / 16
const SPREADS = 4
const FACTOR = 3
const SILENCE_MIN_MS = 10_000

/** Numbers of a condition. */
export function roomOf({ is }: Leaf): number {
  switch (is) {
    case 'above':
    case 'below':
      return OWN
    case 'rises':
    case 'falls':
      return OWN + 1 + 2 * BUCKETS
    case 'silent':
      return OWN + 4
    case 'apart':
      return OWN + 2
    default:
      return OWN + 1
  }
}

/** Fills in what there is before anything was seen. */
export function begin(leaf: Leaf, s: Float64Array, at: number): void {
  s.fill(NaN, at + VALUE, at + roomOf(leaf))
  s[at] = Truth.unknown
  if (leaf.is === 'silent') s.fill(0, at + OWN + 1, at + OWN + 4)
}

/** The last value that its series had; NaN before the first. */
export const valueOf = (s: Float64Array, at: number): number => s[at + VALUE]
/** Of a forecast, when it crosses, epoch ms; of a deviation the mean, or what was expected, that it is of. */
export const ownOf = (s: Float64Array, at: number): number => s[at + OWN]
/** Of a deviation from neighbours, the mean of the hour that was compared. */
export const hourOf = (s: Float64Array, at: number): number => s[at + OWN + 1]

/** A silence counts from here on, also of a series that was silent before there was the rule: it is not known to be alive until it has spoken. */
export function watchFrom(leaf: Leaf, s: Float64Array, at: number, { activityMs }: Now): void {
  if (leaf.is === 'silent') s[at + OWN] = activityMs
}

/** A sign of life, old readings among them. */
export function hear(leaf: Leaf, s: Float64Array, at: number, { activityMs }: Now): void {
  if (leaf.is !== 'silent') return
  // What it was before the first reading is no gap between two.
  const heard = s[at] === Truth.unknown ? NaN : s[at + OWN]
  s[at] = Truth.no
  s[at + OWN] = activityMs
  const gap = activityMs - heard
  if (!(gap > 0) || leaf.afterMs !== null) return
  const count = ++s[at + OWN + 3]
  const rate = Math.max(RHYTHM_RATE, 1 / count)
  // A silence that was told is no part of the rhythm.
  const learned = Math.min(gap, silenceOf(leaf, s, at))
  if (count > 1) s[at + OWN + 2] += rate * (Math.abs(learned - s[at + OWN + 1]) - s[at + OWN + 2])
  s[at + OWN + 1] += rate * (learned - s[at + OWN + 1])
}

/** How long a series may be quiet, ms; Infinity while that is being learned. */
export function silenceOf(leaf: Leaf, s: Float64Array, at: number): number {
  if (leaf.is !== 'silent') return Infinity
  if (leaf.afterMs !== null) return leaf.afterMs
  return s[at + OWN + 3] < GAPS_MIN ? Infinity : Math.max(SILENCE_MIN_MS, FACTOR * (s[at + OWN + 1] + SPREADS * s[at + OWN + 2]))
}

/** The newest reading of its series. */
export function see(leaf: Leaf, s: Float64Array, at: number, { ts, value, score }: Seen, now: Now): void {
  s[at + VALUE] = value
  switch (leaf.is) {
    case 'above':
      s[at] = value > leaf.limit || (s[at] === Truth.yes && value > leaf.clear) ? Truth.yes : Truth.no
      return
    case 'below':
      s[at] = value < leaf.limit || (s[at] === Truth.yes && value < leaf.clear) ? Truth.yes : Truth.no
      return
    case 'rises':
    case 'falls':
      return change(leaf, s, at, ts, value)
    case 'anomaly':
      if (s[at] === Truth.unknown) s[at] = Truth.no
      if (score >= 0) seeAnomaly(leaf, s, at, score, now)
      return
    case 'deviates':
      return deviate(leaf, s, at, value, s[at + OWN])
  }
}

/** An anomaly of its series was reported. */
export function seeAnomaly(leaf: Leaf, s: Float64Array, at: number, score: number, { activityMs }: Now): void {
  if (leaf.is !== 'anomaly' || score < leaf.score) return
  s[at] = Truth.yes
  s[at + OWN] = activityMs + leaf.holdMs
}

function change(leaf: Leaf & { is: 'rises' | 'falls' }, s: Float64Array, at: number, ts: number, value: number): void {
  const width = leaf.withinMs / BUCKETS
  const bucket = Math.floor(ts / width)
  const newest = s[at + OWN]
  const least = at + OWN + 1
  if (Number.isNaN(newest) || bucket - newest >= BUCKETS) s.fill(NaN, least, least + 2 * BUCKETS)
  else for (let b = newest + 1; b < bucket; b++) forget(s, least, b)
  if (bucket !== newest) forget(s, least, bucket)
  s[at + OWN] = bucket
  const i = least + 2 * (bucket % BUCKETS)
  if (!(value >= s[i])) s[i] = value
  if (!(value <= s[i + 1])) s[i + 1] = value
  let [low, high] = [value, value]
  for (let b = 0; b < BUCKETS; b++) {
    if (s[least + 2 * b] < low) low = s[least + 2 * b]
    if (s[least + 2 * b + 1] > high) high = s[least + 2 * b + 1]
  }
  s[at] = (leaf.is === 'rises' ? value - low : high - value) >= leaf.by ? Truth.yes : Truth.no
}

function forget(s: Float64Array, least: number, bucket: number): void {
  s.fill(NaN, least + 2 * (bucket % BUCKETS), least + 2 * (bucket % BUCKETS) + 2)
}

function deviate(leaf: Leaf & { is: 'deviates' | 'apart' }, s: Float64Array, at: number, value: number, mean: number): void {
  if (Number.isNaN(value) || Number.isNaN(mean)) return
  const off = leaf.side === 0 ? Math.abs(value - mean) : leaf.side * (value - mean)
  s[at] = off >= (leaf.percent ? (Math.abs(mean) * leaf.by) / 100 : leaf.by) ? Truth.yes : Truth.no
}

/** A window of its series has closed. */
export function seeWindow(leaf: Leaf, s: Float64Array, at: number, size: number, mean: number): void {
  if (leaf.is !== 'deviates' || leaf.size !== size) return
  // Of a value that the window itself holds nothing is said: the next one is held against it.
  s[at + OWN] = mean
}

/** Its kind has told of an hour: what the mean of the series was in it, and what was expected of it. It holds until the kind tells of another hour. */
export function seeNeighbours(leaf: Leaf & { is: 'apart' }, s: Float64Array, at: number, mean: number, expected: number): void {
  s[at + OWN] = expected
  s[at + OWN + 1] = mean
  deviate(leaf, s, at, mean, expected)
}

/** What is forecast of its series: means of the hours from `madeAt` on. */
export function seeForecast(leaf: Leaf, s: Float64Array, at: number, madeAt: number, mean: ArrayLike<number>, steps: number): void {
  if (leaf.is !== 'forecast') return
  s[at] = Truth.no
  s[at + OWN] = NaN
  for (let h = 0; h < steps; h++) {
    const ts = madeAt + h * 3_600_000
    if (ts - madeAt >= leaf.withinMs) return
    if (leaf.falls ? mean[h] < leaf.limit : mean[h] > leaf.limit) {
      s[at] = Truth.yes
      s[at + OWN] = ts
      return
    }
  }
}

/** The clocks have moved. */
export function passTime(leaf: Leaf, s: Float64Array, at: number, { activityMs }: Now): void {
  if (leaf.is === 'silent' && s[at] !== Truth.yes && activityMs >= s[at + OWN] + silenceOf(leaf, s, at)) s[at] = Truth.yes
  else if (leaf.is === 'anomaly' && s[at] === Truth.yes && activityMs >= s[at + OWN]) s[at] = Truth.no
}

/** When time alone moves it next, by the activity clock; Infinity for never. */
export function dueOf(leaf: Leaf, s: Float64Array, at: number): number {
  if (leaf.is === 'silent' && s[at] !== Truth.yes && s[at + OWN] >= 0) return s[at + OWN] + silenceOf(leaf, s, at)
  if (leaf.is === 'anomaly' && s[at] === Truth.yes) return s[at + OWN]
  return Infinity
}
