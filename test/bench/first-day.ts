/**
 * How soon a new series is watched: false alarms and faults found in its first day, with what its kind lends and without.
 *
 * Teachers of one farm are heard for two weeks by ten minutes, and what the actor commits of them teaches each kind, as a learner does. Then probes that
 * nobody has seen before begin, on days of many weeks, in a partition that was told of the kinds and in one that was not. Each series is there twice: as
 * it was measured, of which every anomaly is a false alarm, and with one spike at an hour of its first day that is drawn, half as far as those of the
 * simulation's faults, which is found where it is told at that reading.
 */

import { createHash } from 'node:crypto'
import { asSent, deviceOf, FARM_METRICS } from '../../actors/simulation/farm.ts'
import type { FarmMetric } from '../../actors/simulation/farm.ts'
import { seeded } from '../support/random.ts'
import type { BenchRow } from './bench.ts'
import { every, FarmPartition, probes, school } from './farm-partition.ts'
import type { Kind } from './farm-partition.ts'

const STEP_MS = 600_000
const DAY_STEPS = 144
const T0 = Date.UTC(2026, 4, 1)
const SEED = 11
/** Readings of a series before the first that may be false. */
const FAULTS_FROM = 30
const SPIKES: Readonly<Record<FarmMetric, number>> = { soil_moisture: 7, soil_temperature: 5.5, ec: 0.45, battery: -0.35 }

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
      const partition = new FarmPartition(SEED, kinds, T0)
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
  const kinds = school(SEED, probes(0, teachers), every(STEP_MS, T0, days * DAY_STEPS + 1))
  return (['with', 'without'] as const).flatMap((which) => {
    const { series, falseAlarms, found } = firstDays(which === 'with' ? kinds : new Map(), probes(1_000, pupils), days, starts)
    const hash = createHash('sha256').update(`${falseAlarms} ${found}`).digest('hex').slice(0, 12)
    return [
      { name: `spikes found in the first day, ${which} its kind`, value: (100 * found) / series, unit: `% of ${series}`, hash },
      { name: `false alarms in the first day, ${which} its kind`, value: (100 * falseAlarms) / series, unit: 'per 100 series', hash },
    ]
  })
}
