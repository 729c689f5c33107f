/**
 * A rule tried on history: the same watches that partitions have, over what a series was in the past, with the time of its readings as the clock.
 *
 * Owns the order of readings, windows, anomalies, forecasts and the passing of time. Leaves where they come from to who asks.
 *
 * - Y1 Readings count as having come at their own time, in order of it: what was late then is not late here.
 * - Y2 Windows close with the first reading behind their end, as they do where nothing is late; what a kind did in an hour is told at its end.
 */

import { WINDOW_SIZES_MS, windowStart } from '../reading/window.ts'
import type { AlertEvent } from './life.ts'
import { planOf } from './plan.ts'
import type { Rule } from './rule.ts'
import { Watch } from './watch.ts'
import { messageOf } from './words.ts'

/** What one device was, its events of all metrics in order of time. */
export type Past =
  | { readonly kind: 'reading'; readonly ts: number; readonly metric: string; readonly value: number; readonly score: number }
  | { readonly kind: 'forecast'; readonly ts: number; readonly metric: string; readonly mean: readonly number[] }
  | { readonly kind: 'neighbours'; readonly ts: number; readonly metric: string; readonly mean: number; readonly expected: number }

export interface TrialEvent {
  readonly device: string
  readonly metric: string
  /** Which of the device's alerts it is of, from 1. */
  readonly alert: number
  readonly event: AlertEvent
  readonly severity: string
  readonly at: number
  readonly value: number | null
  readonly message: string
}

/** What a rule would have said of a device up to `endMs`. */
export function tryRule(rule: Rule, device: string, past: Iterable<Past>, endMs: number): TrialEvent[] {
  const watch = new Watch(planOf(rule))
  const events: TrialEvent[] = []
  let alert = 0
  const now = { logMs: 0, activityMs: 0 }
  const tell = (of: Watch, event: AlertEvent) => {
    if (event === 'opened') alert++
    const { severity } = rule.levels[of.life.level] ?? rule.levels[0]
    const message = messageOf(of, event, { device, logMs: now.logMs, by: null, note: null, why: null })
    events.push({ device, metric: rule.metric, alert, event, severity, at: now.logMs, value: Number.isNaN(of.value) ? null : of.value, message })
  }
  let hasBegun = false
  /** Time passes, and whatever it makes due on the way is looked at. */
  const passTo = (ms: number) => {
    for (let due = watch.due(now); hasBegun && due <= ms; due = watch.due(now)) {
      now.logMs = now.activityMs = Math.max(due, now.logMs)
      const before = events.length
      watch.look(now, tell)
      // A look that is due at once and changes nothing must not hold the time up.
      if (events.length === before && watch.due(now) <= now.logMs) break
    }
    now.logMs = now.activityMs = Math.max(ms, now.logMs)
    hasBegun = true
  }
  const windows = new Map<string, OpenWindows>()
  for (const one of past) {
    passTo(one.ts)
    if (one.kind === 'forecast') watch.seeForecast(one.metric, one.ts, one.mean, one.mean.length)
    else if (one.kind === 'neighbours') watch.seeNeighbours(one.metric, one.mean, one.expected)
    else {
      watch.hear(one.metric, now)
      watch.see(one.metric, one, now)
    }
    watch.look(now, tell)
    if (one.kind !== 'reading') continue
    let open = windows.get(one.metric)
    if (open === undefined) windows.set(one.metric, (open = new OpenWindows()))
    open.add(one.ts, one.value, (size, mean) => watch.seeWindow(one.metric, size, mean))
  }
  passTo(endMs)
  return events
}

/** Sums of the open window of each size. */
class OpenWindows {
  readonly #start = new Float64Array(WINDOW_SIZES_MS.length).fill(NaN)
  readonly #sum = new Float64Array(WINDOW_SIZES_MS.length)
  readonly #count = new Float64Array(WINDOW_SIZES_MS.length)

  add(ts: number, value: number, close: (size: number, mean: number) => void): void {
    for (const [size, sizeMs] of WINDOW_SIZES_MS.entries()) {
      const start = windowStart(ts, sizeMs)
      if (start !== this.#start[size]) {
        if (this.#count[size] > 0) close(size, this.#sum[size] / this.#count[size])
        this.#start[size] = start
        this.#sum[size] = this.#count[size] = 0
      }
      this.#sum[size] += value
      this.#count[size]++
    }
  }
}
