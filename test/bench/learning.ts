/**
 * How soon a new series is useful: the error of what is forecast of its next 24 hours, after so many hours of it, with what is usual for its
 * kind and without.
 *
 * The partition actor is fed one farm (actors/simulation) for three weeks, and what it commits teaches the model of each kind, as a learner does.
 * Then probes that nobody has seen before begin, in a partition that was told of the kinds and in one that was not, on days of many weeks, since all
 * probes have the weather of a day in common. Errors are mean absolute ones, over all new probes and starts, in parts of what the last hour carried
 * on would miss; where nothing is forecast, that is what one is left with. What is found and falsely told in first days is first-day.ts' to say.
 */

import { createHash } from 'node:crypto'
import { deviceOf, FARM_METRICS, measured } from '../../actors/simulation/farm.ts'
import type { Bench, BenchRow } from './bench.ts'
import { every, FarmPartition, probes, school } from './farm-partition.ts'
import type { Kind } from './farm-partition.ts'
import { firstDay } from './first-day.ts'

const HOUR = 3_600_000
const T0 = Date.UTC(2026, 4, 1)
const SEED = 7
const AFTER = [3, 6, 12, 24, 36, 48, 72, 96, 120, 168]

/** The midst of an hour. */
const midst = (hour: number) => T0 + hour * HOUR + HOUR / 2

export const run: Bench = async ({ size }) => {
  const [teachers, pupils, days, starts] = size === 'smoke' ? [8, 3, 8, 3] : [60, 10, 21, 16]
  const kinds = new Map<string, Kind>()
  for (const [of, { model }] of school(SEED, probes(0, teachers), every(HOUR, midst(0), days * 24 + 1))) kinds.set(of, { model })
  const fresh = probes(1_000, pupils)
  const rows: BenchRow[] = []
  const errors = { with: errorsOf(kinds, fresh, days, starts), without: errorsOf(new Map(), fresh, days, starts) }
  for (const metric of FARM_METRICS) {
    for (const after of AFTER) {
      const key = `${metric} ${after}`
      for (const which of ['with', 'without'] as const) {
        const { missed, carried, said } = errors[which].get(key)!
        if (said > 0) rows.push({ name: `${metric} after ${after} h, ${which} its kind`, value: (100 * missed) / carried, unit: '% of carrying on', hash: hashOf(missed) })
      }
    }
  }
  return [...rows, ...firstDay({ size })]
}

const hashOf = (n: number) => createHash('sha256').update(String(n)).digest('hex').slice(0, 12)

interface Errors {
  missed: number
  carried: number
  said: number
}

/** Over the hours ahead, what forecasts missed and what the last hour carried on would have. */
function errorsOf(told: ReadonlyMap<string, Kind>, fresh: readonly number[], days: number, starts: number): Map<string, Errors> {
  const errors = new Map<string, Errors>()
  for (const metric of FARM_METRICS) for (const after of AFTER) errors.set(`${metric} ${after}`, { missed: 0, carried: 0, said: 0 })
  // Five days and seven hours apart: at all hours of the day.
  for (const begin of Array.from({ length: starts }, (_, i) => (days + 1 + 5 * i) * 24 + ((7 * i) % 24))) {
    const partition = new FarmPartition(SEED, told, T0)
    for (let hour = begin; hour <= begin + AFTER[AFTER.length - 1]; hour++) {
      const { series, forecasts } = partition.read(fresh, midst(hour))
      const after = hour - begin
      if (!AFTER.includes(after)) continue
      for (const probe of fresh) {
        for (const metric of FARM_METRICS) {
          const forecast = forecasts.find((f) => series[f.series].device === deviceOf(probe) && series[f.series].metric === metric)
          const sum = errors.get(`${metric} ${after}`)!
          if (forecast === undefined) continue
          sum.said++
          const at = (h: number) => measured(SEED, probe, metric, midst(h))
          for (let h = 0; h < 24; h++) {
            sum.missed += Math.abs(forecast.mean[h] - at(hour + h))
            sum.carried += Math.abs(at(hour - 1) - at(hour + h))
          }
        }
      }
    }
  }
  return errors
}
