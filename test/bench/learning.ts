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
import { partitionActor } from '../../actors/partition/actor.ts'
import { decodeEffects } from '../../actors/partition/effects.ts'
import type { PartitionEffects } from '../../actors/partition/effects.ts'
import { FLAGS } from '../../actors/partition/flags.ts'
import { kindOf } from '../../actors/partition/fleet/kinds.ts'
import { EMPTY_KIND, learn } from '../../actors/fleet/groups.ts'
import type { KindModel } from '../../actors/fleet/groups.ts'
import { encodeBlock, encodePrior, encodeSettings } from '../../actors/reading/input.ts'
import { deviceOf, FARM_METRICS, measured } from '../../actors/simulation/farm.ts'
import type { Bench, BenchRow } from './bench.ts'
import { firstDay } from './first-day.ts'

const HOUR = 3_600_000
const T0 = Date.UTC(2026, 4, 1)
const SETTINGS = { latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }
const SEED = 7
const AFTER = [3, 6, 12, 24, 36, 48, 72, 96, 120, 168]

class Partition {
  readonly state = partitionActor.create()
  #seq = 0

  constructor(told: ReadonlyMap<string, KindModel>) {
    this.step(encodeSettings(SETTINGS, FLAGS), T0)
    for (const [of, model] of told) {
      const groups = model.groups.map((g) => ({ centre: Float64Array.from(g.centre), spread: g.spread, days: g.days }))
      if (groups.length > 0) this.step(encodePrior({ of, revision: 1, scale: model.scale, groups }), T0)
    }
  }

  step(data: Uint8Array, timeMs: number): PartitionEffects {
    const effects = partitionActor.effects()
    partitionActor.step(this.state, { seq: ++this.#seq, timeMs, data }, effects)
    return decodeEffects(partitionActor.encode(effects, this.state))
  }

  /** A reading of each metric of some probes in the midst of an hour. */
  hour(probes: readonly number[], hour: number): PartitionEffects {
    const ts = T0 + hour * HOUR + HOUR / 2
    const rows = probes.flatMap((_, d) => FARM_METRICS.map((_, m) => [d, m] as const))
    return this.step(
      encodeBlock({
        tenant: 'default',
        devices: probes.map(deviceOf),
        metrics: FARM_METRICS,
        seriesDevice: Uint16Array.from(rows, ([d]) => d),
        seriesMetric: Uint16Array.from(rows, ([, m]) => m),
        row: Uint16Array.from(rows.keys()),
        ts: new Float64Array(rows.length).fill(ts),
        value: Float64Array.from(rows, ([d, m]) => measured(SEED, probes[d], FARM_METRICS[m], ts)),
        keyed: [],
      }),
      ts,
    )
  }
}

export const run: Bench = async ({ size }) => {
  const [teachers, pupils, days, starts] = size === 'smoke' ? [8, 3, 8, 3] : [60, 10, 21, 16]
  const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i)
  const models = new Map<string, KindModel>()
  const school = new Partition(new Map())
  for (let hour = 0; hour < days * 24 + 1; hour++) {
    const { series, profiles } = school.hour(range(0, teachers), hour)
    for (const p of profiles) {
      const { tenant, device, metric } = series[p.series]
      const kind = kindOf(tenant, device, metric)
      models.set(kind, learn(models.get(kind) ?? EMPTY_KIND, p))
    }
  }
  const probes = range(1_000, pupils)
  const rows: BenchRow[] = []
  const errors = { with: errorsOf(models, probes, days, starts), without: errorsOf(new Map(), probes, days, starts) }
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
function errorsOf(told: ReadonlyMap<string, KindModel>, probes: readonly number[], days: number, starts: number): Map<string, Errors> {
  const errors = new Map<string, Errors>()
  for (const metric of FARM_METRICS) for (const after of AFTER) errors.set(`${metric} ${after}`, { missed: 0, carried: 0, said: 0 })
  // Five days and seven hours apart: at all hours of the day.
  for (const begin of Array.from({ length: starts }, (_, i) => (days + 1 + 5 * i) * 24 + ((7 * i) % 24))) {
    const partition = new Partition(told)
    for (let hour = begin; hour <= begin + AFTER[AFTER.length - 1]; hour++) {
      const { series, forecasts } = partition.hour(probes, hour)
      const after = hour - begin
      if (!AFTER.includes(after)) continue
      for (const [p, probe] of probes.entries()) {
        for (const metric of FARM_METRICS) {
          const forecast = forecasts.find((f) => series[f.series].device === deviceOf(probes[p]) && series[f.series].metric === metric)
          const sum = errors.get(`${metric} ${after}`)!
          if (forecast === undefined) continue
          sum.said++
          const at = (h: number) => measured(SEED, probe, metric, T0 + h * HOUR + HOUR / 2)
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
