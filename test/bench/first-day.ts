/**
 * How soon a new series is watched: false alarms and faults found in its first day, with what its kind lends and without.
 *
 * Teachers of one farm are heard for two weeks by ten minutes, and what the actor commits of them teaches each kind, as a learner does. Then probes that
 * nobody has seen before begin, on days of many weeks, in a partition that was told of the kinds and in one that was not. Each series is there twice: as
 * it was measured, of which every anomaly is a false alarm, and with one spike at an hour of its first day that is drawn, half as far as those of the
 * simulation's faults, which is found where it is told at that reading.
 */

import { createHash } from 'node:crypto'
import { partitionActor } from '../../actors/partition/actor.ts'
import { decodeEffects } from '../../actors/partition/effects.ts'
import type { PartitionEffects } from '../../actors/partition/effects.ts'
import { FLAGS } from '../../actors/partition/flags.ts'
import { kindOf } from '../../actors/partition/fleet/kinds.ts'
import { EMPTY_KIND, learn } from '../../actors/fleet/groups.ts'
import type { KindModel } from '../../actors/fleet/groups.ts'
import { learnTraits, NO_TRAITS } from '../../actors/fleet/traits.ts'
import type { Traits } from '../../actors/fleet/traits.ts'
import { encodeBlock, encodePrior, encodeSettings } from '../../actors/reading/input.ts'
import { asSent, deviceOf, FARM_METRICS, measured } from '../../actors/simulation/farm.ts'
import type { FarmMetric } from '../../actors/simulation/farm.ts'
import { seeded } from '../support/random.ts'
import type { BenchRow } from './bench.ts'

const STEP_MS = 600_000
const DAY_STEPS = 144
const T0 = Date.UTC(2026, 4, 1)
const SETTINGS = { latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }
const SEED = 11
/** Readings of a series before the first that may be false. */
const FAULTS_FROM = 30
const SPIKES: Readonly<Record<FarmMetric, number>> = { soil_moisture: 7, soil_temperature: 5.5, ec: 0.45, battery: -0.35 }

interface Kind {
  readonly model: KindModel
  readonly traits: Traits
}

class Partition {
  readonly state = partitionActor.create()
  #seq = 0

  constructor(kinds: ReadonlyMap<string, Kind>) {
    this.step(encodeSettings(SETTINGS, FLAGS), T0)
    for (const [of, { model, traits }] of kinds) {
      const groups = model.groups.map((g) => ({ centre: Float64Array.from(g.centre), spread: g.spread, days: g.days }))
      if (groups.length > 0) this.step(encodePrior({ of, revision: 1, scale: model.scale, groups, traits: Float64Array.from(traits.means) }), T0)
    }
  }

  step(data: Uint8Array, timeMs: number): PartitionEffects {
    const effects = partitionActor.effects()
    partitionActor.step(this.state, { seq: ++this.#seq, timeMs, data }, effects)
    return decodeEffects(partitionActor.encode(effects, this.state))
  }

  /** A reading of each metric of some probes. */
  read(probes: readonly number[], ts: number, changed: (probe: number, metric: FarmMetric, value: number) => number = (_p, _m, value) => value): PartitionEffects {
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
        value: Float64Array.from(rows, ([d, m]) => changed(probes[d], FARM_METRICS[m], measured(SEED, probes[d], FARM_METRICS[m], ts))),
        keyed: [],
      }),
      ts + 1_000,
    )
  }
}

function school(teachers: readonly number[], days: number): Map<string, Kind> {
  const kinds = new Map<string, Kind>()
  const partition = new Partition(kinds)
  for (let i = 0; i <= days * DAY_STEPS; i++) {
    const { series, profiles } = partition.read(teachers, T0 + i * STEP_MS)
    for (const p of profiles) {
      const { tenant, device, metric } = series[p.series]
      const of = kindOf(tenant, device, metric)
      const { model, traits } = kinds.get(of) ?? { model: EMPTY_KIND, traits: NO_TRAITS }
      kinds.set(of, { model: learn(model, p), traits: p.traits === undefined ? traits : learnTraits(traits, p.traits) })
    }
  }
  return kinds
}

interface FirstDays {
  series: number
  falseAlarms: number
  found: number
}

function firstDays(kinds: ReadonlyMap<string, Kind>, pupils: readonly number[], days: number, starts: number): FirstDays {
  const sum = { series: 0, falseAlarms: 0, found: 0 }
  const random = seeded(SEED)
  for (let start = 0; start < starts; start++) {
    const begin = T0 + (days + 1 + 5 * start) * 86_400_000 + ((7 * start) % 24) * 3_600_000
    const faulty = new Map<string, number>(pupils.flatMap((probe) => FARM_METRICS.map((metric) => [`${deviceOf(probe)} ${metric}`, begin + (FAULTS_FROM + Math.floor(random() * (DAY_STEPS - FAULTS_FROM))) * STEP_MS] as const)))
    sum.series += faulty.size
    for (const isFaulty of [false, true]) {
      const partition = new Partition(kinds)
      for (let i = 0; i < DAY_STEPS; i++) {
        const ts = begin + i * STEP_MS
        const { series, anomalies } = partition.read(pupils, ts, (probe, metric, value) => (isFaulty && faulty.get(`${deviceOf(probe)} ${metric}`) === ts ? asSent(metric, value + SPIKES[metric]) : value))
        if (!isFaulty) sum.falseAlarms += anomalies.length
        else sum.found += anomalies.filter((a) => a.ts === ts && faulty.get(`${series[a.series].device} ${series[a.series].metric}`) === ts).length
      }
    }
  }
  return sum
}

export function firstDay({ size }: { size: 'smoke' | 'real' }): BenchRow[] {
  const [teachers, pupils, days, starts] = size === 'smoke' ? [6, 3, 5, 2] : [30, 10, 14, 16]
  const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i)
  const kinds = school(range(0, teachers), days)
  return (['with', 'without'] as const).flatMap((which) => {
    const { series, falseAlarms, found } = firstDays(which === 'with' ? kinds : new Map(), range(1_000, pupils), days, starts)
    const hash = createHash('sha256').update(`${falseAlarms} ${found}`).digest('hex').slice(0, 12)
    return [
      { name: `spikes found in the first day, ${which} its kind`, value: (100 * found) / series, unit: `% of ${series}`, hash },
      { name: `false alarms in the first day, ${which} its kind`, value: (100 * falseAlarms) / series, unit: 'per 100 series', hash },
    ]
  })
}
