/**
 * How far an hour of a series was from what is usual for itself at that hour: the mean of the same hour of the days before.
 *
 * - H1 Usual is the mean of the last `USUAL_DAYS` days, of which at least `USUAL_DAYS_MIN` are known: a week, so that all series of a kind soon look back
 *   on the same weather, however long they have been there, and what that did to them is the same for all.
 * - H2 It is made of the hours that the forecaster remembers, so that it can be made again for an hour that has passed.
 */

import { DAY_HOURS, HOUR_MS } from '../../reading/window.ts'
import type { EffectsBuilder } from '../effects.ts'
import type { Series } from '../series/series.ts'
import type { PartitionState } from '../state.ts'

export const USUAL_DAYS = 7
export const USUAL_DAYS_MIN = 3
/** An hour that is looked at may lie so many hours behind the last. */
export const BEHIND_MAX = DAY_HOURS

const hours = new Float64Array(USUAL_DAYS * DAY_HOURS + 1 + BEHIND_MAX)

/** What `lookAtHour` found, overwritten by the next. */
export const looked = { mean: 0.5, usual: 0.5, moved: false }

/** Looks at hour `hour` (since 1970) of a series. False where it is not known, or too little of the days before it. */
export function lookAtHour(state: PartitionState, series: Series, hour: number): boolean {
  const { count, lastHour } = state.forecasters.lastHours(series.forecaster, hours)
  const at = count - 1 - (lastHour - hour)
  if (at < 0 || at >= count || Number.isNaN(hours[at])) return false
  let known = 0
  let sum = 0
  for (let day = 1; day <= USUAL_DAYS; day++) {
    const before = at - day * DAY_HOURS
    if (before < 0 || Number.isNaN(hours[before])) continue
    known++
    sum += hours[before]
  }
  if (known < USUAL_DAYS_MIN) return false
  looked.mean = hours[at]
  looked.usual = sum / known
  looked.moved = hours[at] !== hours[at - 1] && !Number.isNaN(hours[at - 1])
  return true
}

/** Tells the hour that the series has learnt last, which starts at `startMs`. */
export function tellHour(state: PartitionState, series: Series, startMs: number, effects: EffectsBuilder): void {
  if (!lookAtHour(state, series, startMs / HOUR_MS)) return
  effects.hours.push({ series: series.indexIn(effects), hour: startMs, deviation: looked.mean - looked.usual, moved: looked.moved })
}
