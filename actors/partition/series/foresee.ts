/**
 * What the close of an hour leads to: the series learns its mean, and says what comes next.
 *
 * - F1 Where several hours close at once, only the last of them is forecast behind; and nothing is, whose hours the log's time has all passed.
 * - F2 Each hour a day is forecast, each sixth hour of the UTC day a week; of a series that is too young for models of its own a day, as its kind
 *   usually goes, where that is known.
 * - F3 The hour that ends a UTC day ends a day of the series: its profile is told (fleet/).
 */

import { HOUR_MS } from '../../reading/window.ts'
import type { EffectsBuilder } from '../effects.ts'
import { Flag } from '../flags.ts'
import { endDay } from '../fleet/day.ts'
import { DAY_HOURS } from '../fleet/profile.ts'
import { HORIZON_MAX } from '../forecasts.ts'
import type { PartitionState } from '../state.ts'
import { forecasted } from './forecaster/forecaster.ts'
import type { Series } from './series.ts'
import type { Summary } from './summary.ts'

const DAY_MS = 24 * HOUR_MS
const STEPS = 24
const WEEK_EVERY_MS = 6 * HOUR_MS

/** Gives the end of the hour. */
export function learnHour(state: PartitionState, series: Series, hour: Summary, effects: EffectsBuilder): number {
  // By its number, so that of many series that began together some learn in each hour of the day.
  series.forecaster = state.forecasters.learn(series.forecaster, series.id, hour.start, (hour.sum + hour.carry) / hour.count)
  const end = hour.start + HOUR_MS
  if (end % DAY_MS === 0 && state.flags.has(Flag.fleet)) tellDay(state, series, end - DAY_MS, effects)
  return end
}

/** Hours of the day that has just ended, from midnight on. */
const dayHours = new Float64Array(DAY_HOURS)

function tellDay(state: PartitionState, series: Series, day: number, effects: EffectsBuilder): void {
  const { count } = state.forecasters.lastHours(series.forecaster, dayHours)
  // The last hour is the day's last one; what is not there comes before all.
  dayHours.copyWithin(DAY_HOURS - count, 0, count)
  dayHours.fill(NaN, 0, DAY_HOURS - count)
  endDay(state, series, { day, hours: dayHours }, effects)
}

/** Emits what is forecast behind `madeAt`, the end of the hour that was learnt last. */
export function foresee(state: PartitionState, series: Series, madeAt: number, effects: EffectsBuilder): void {
  if (madeAt + STEPS * HOUR_MS <= state.time.logMs) return
  const steps = madeAt % WEEK_EVERY_MS === 0 ? HORIZON_MAX : STEPS
  if (!state.forecasters.forecast(series.forecaster, steps)) {
    const kind = state.priors.of(series.device.tenant, series.device.name, series.metric)
    // A day, since what is usual for a kind says nothing of how a series drifts.
    if (kind === null || !state.forecasters.forecastYoung(series.forecaster, kind, STEPS)) return
  }
  effects.forecasts.add({ series: series.indexIn(effects), madeAt, ...forecasted })
}
