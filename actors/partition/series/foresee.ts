/**
 * What the close of an hour leads to: the series learns its mean, and says what comes next.
 *
 * - F1 Where several hours close at once, only the last of them is forecast behind; and nothing is, whose hours the log's time has all passed.
 * - F2 Each hour a day is forecast, each sixth hour of the UTC day a week; of a series that is too young for models of its own a day, as its kind
 *   usually goes, where that is known.
 * - F3 The hour that ends a UTC day ends a day of the series: its profile is told (fleet/).
 * - F4 How far the hour was from what is usual of the series is told to its kind (fleet/hours.ts).
 * - F5 Where drivers of the series help, its forecast is corrected by what they say (drivers/); what they do is told once a day.
 */

import { DAY_HOURS, HOUR_MS } from '../../reading/window.ts'
import type { Driven } from '../drivers/driven.ts'
import type { EffectsBuilder } from '../effects.ts'
import { Flag } from '../flags.ts'
import { endDay } from '../fleet/day.ts'
import { tellHour } from '../fleet/hours.ts'
import { HORIZON_MAX } from '../forecasts.ts'
import type { PartitionState } from '../state.ts'
import type { Kind } from './forecaster/by-kind.ts'
import { forecasted } from './forecaster/forecaster.ts'
import type { Series } from './series.ts'
import type { Summary } from './summary.ts'

const DAY_MS = 24 * HOUR_MS
const STEPS = 24
const WEEK_EVERY_MS = 6 * HOUR_MS

/** Gives the end of the hour. */
export function learnHour(state: PartitionState, series: Series, hour: Summary, effects: EffectsBuilder): number {
  // By its number, so that of many series that began together some learn in each hour of the day.
  series.forecaster = state.forecasters.learn(series.forecaster, series.id, hour.start, (hour.sum + hour.carry) / hour.count, kindOf(state, series))
  const end = hour.start + HOUR_MS
  const driven = state.driven.size === 0 ? undefined : state.driven.get(series.id)
  driven?.learn(hour.start / HOUR_MS, (hour.sum + hour.carry) / hour.count)
  if (driven !== undefined && end % DAY_MS === 0) tellDrivers(series, driven, end, effects)
  if (state.flags.has(Flag.kin)) tellHour(state, series, hour.start, effects)
  if (end % DAY_MS === 0 && state.flags.has(Flag.fleet)) tellDay(state, series, end - DAY_MS, effects)
  return end
}

function kindOf(state: PartitionState, { device, metric }: Series): Kind | null {
  return state.priors.of(device.tenant, device.name, metric)
}

function tellDrivers(series: Series, driven: Driven, at: number, effects: EffectsBuilder): void {
  const told = { series: series.indexIn(effects), at, gain: driven.gain(), hours: driven.hours }
  for (const { device, metric, effects: of, errors } of driven.effects()) effects.drivers.push({ ...told, driverDevice: device, driverMetric: metric, effects: of, errors })
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
  const kind = kindOf(state, series)
  if (!state.forecasters.forecast(series.forecaster, kind, steps)) {
    // A day, since what is usual for a kind says nothing of how a series drifts.
    if (kind === null || !state.forecasters.forecastYoung(series.forecaster, kind, STEPS)) return
  }
  const driven = state.driven.size === 0 ? undefined : state.driven.get(series.id)
  if (driven !== undefined) drive(driven)
  effects.forecasts.add({ series: series.indexIn(effects), madeAt, ...forecasted })
  if (state.rules.size > 0) state.rules.seeForecast(series, madeAt, forecasted.mean, forecasted.steps, effects)
}

const corrections = new Float64Array(HORIZON_MAX)

/** Adds to what is forecast what the drivers say of it, where that helps. */
function drive(driven: Driven): void {
  const { steps, mean } = forecasted
  driven.remember(mean)
  if (!driven.correct(steps, corrections)) return
  for (const column of [mean, forecasted.lower, forecasted.upper, forecasted.lower80, forecasted.upper80]) for (let h = 0; h < steps; h++) column[h] += corrections[h]
  forecasted.model = `${forecasted.model} with drivers`
}
