/**
 * What the close of an hour leads to: the series learns its mean, and says what comes next.
 *
 * - F1 Where several hours close at once, only the last of them is forecast behind; and nothing is, whose hours the log's time has all passed.
 * - F2 Each hour a day is forecast, each sixth hour of the UTC day a week.
 */

import { HOUR_MS } from '../../reading/window.ts'
import type { EffectsBuilder } from '../effects.ts'
import { HORIZON_MAX } from '../forecasts.ts'
import type { PartitionState } from '../state.ts'
import { forecasted } from './forecaster/forecaster.ts'
import type { Series } from './series.ts'
import type { Summary } from './summary.ts'

const STEPS = 24
const WEEK_EVERY_MS = 6 * HOUR_MS

/** Gives the end of the hour. */
export function learnHour(state: PartitionState, series: Series, hour: Summary): number {
  // By its number, so that of many series that began together some learn in each hour of the day.
  series.forecaster = state.forecasters.learn(series.forecaster, series.id, hour.start, (hour.sum + hour.carry) / hour.count)
  return hour.start + HOUR_MS
}

/** Emits what is forecast behind `madeAt`, the end of the hour that was learnt last. */
export function foresee(state: PartitionState, series: Series, madeAt: number, effects: EffectsBuilder): void {
  if (madeAt + STEPS * HOUR_MS <= state.time.logMs) return
  const steps = madeAt % WEEK_EVERY_MS === 0 ? HORIZON_MAX : STEPS
  if (!state.forecasters.forecast(series.forecaster, steps)) return
  effects.forecasts.add({ series: series.indexIn(effects), madeAt, ...forecasted })
}
