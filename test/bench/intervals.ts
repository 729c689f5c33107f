/**
 * Do intervals hold what they say, at each distance, of series of every nature? Coverage of the 95 % interval, and its mean width, so many hours ahead.
 *
 * Made series whose nature is known: noise, noise that remembers around a course of days, and of weeks, a trend, a wandering one. With
 * `--data DIR` (of the bench m4) the hourly series of that competition as well, to the end of their test hours, in steps of their naive forecast.
 * The forecaster is asked now and again once it has seen a month (M4: three weeks); nothing is fed that it is then held against.
 */

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { forecasted, Forecasters } from '../../actors/partition/series/forecaster/forecaster.ts'
import { gaussian, seeded } from '../actors/partition/harness.ts'
import type { Bench, BenchRow } from './bench.ts'
import { readSeries, stepOf } from './m4-score.ts'

const HOUR = 3_600_000
const AHEAD = [1, 6, 24, 48, 96, 168]
const HOURS = 1_400
/** Between two forecasts: no part of a day. */
const EVERY = 13

const day = (h: number) => Math.sin((h * Math.PI) / 12)

const NATURES: Record<string, (h: number, draw: () => number, state: { x: number }) => number> = {
  'noise': (_, draw) => 20 + draw(),
  'noise that remembers': (h, draw, s) => 20 + 5 * day(h) + (s.x = 0.8 * s.x + 0.5 * draw()),
  'weeks': (h, draw, s) => 20 + 5 * day(h) - (Math.floor(h / 24) % 7 >= 5 ? 4 : 0) + (s.x = 0.8 * s.x + (0.3 + 0.2 * day(h)) * draw()),
  'a trend': (h, draw, s) => 0.05 * h + 5 * day(h) + (s.x = 0.8 * s.x + 0.5 * draw()),
  'wandering': (h, draw, s) => 5 * day(h) + (s.x += 0.5 * draw()),
}

function made(nature: string, seed: number): number[] {
  const draw = gaussian(seeded(seed))
  const state = { x: 0 }
  return Array.from({ length: HOURS }, (_, h) => NATURES[nature](h, draw, state))
}

function measure(name: string, all: readonly (readonly number[])[], from: number, unitOf: (values: readonly number[]) => number): BenchRow[] {
  const sums = AHEAD.map(() => ({ hits: 0, width: 0, count: 0 }))
  for (const [id, values] of all.entries()) {
    const forecasters = new Forecasters()
    const unit = unitOf(values)
    let place = 0
    for (let h = 0; h < values.length - 1; h++) {
      place = forecasters.learn(place, 5 * id, (490_000 + h) * HOUR, values[h], null)
      if (h < from || h % EVERY !== 0 || !forecasters.forecast(place, null, 168)) continue
      for (const [i, ahead] of AHEAD.entries()) {
        const value = values[h + ahead]
        if (value === undefined) continue
        const [lower, upper] = [forecasted.lower[ahead - 1], forecasted.upper[ahead - 1]]
        sums[i].hits += value >= lower && value <= upper ? 1 : 0
        sums[i].width += (upper - lower) / unit
        sums[i].count++
      }
    }
  }
  const hash = createHash('sha256').update(JSON.stringify(sums)).digest('hex').slice(0, 12)
  return sums.flatMap(({ hits, width, count }, i) => [
    { name: `${name}, ${AHEAD[i]} h ahead: in the 95 % interval`, value: (100 * hits) / count, unit: '%', hash },
    { name: `${name}, ${AHEAD[i]} h ahead: its width`, value: width / count, unit: name === 'M4' ? 'steps' : '', hash },
  ])
}

export const run: Bench = ({ size, data }) => {
  const seeds = size === 'smoke' ? 1 : 16
  const rows = Object.keys(NATURES).flatMap((nature) => measure(nature, Array.from({ length: seeds }, (_, i) => made(nature, i + 1)), 700, () => 1))
  if (data === undefined) return rows
  const test = readSeries(join(data, 'Dataset/Test/Hourly-test.csv'))
  const whole = [...readSeries(join(data, 'Dataset/Train/Hourly-train.csv'))].map(([id, values]) => [...values, ...(test.get(id) ?? [])])
  return [...rows, ...measure('M4', whole, 504, stepOf)]
}
