/**
 * What goes wrong between a soil probe and the ingest: from measurements to deliveries.
 *
 * The rates of missing (10 %) and disordered (30 %) readings are those of the Time Series Benchmark Suite's IoT case; the faults of
 * sensors are those that field reports name first: spikes, drift, stuck values, silence. As in farm.ts all is a function of seed,
 * probe and time, so that the same hour asked for twice has the same faults.
 */

import type { Reading } from '../reading/input.ts'
import { asSent, deviceOf, FARM_METRICS, measured } from './farm.ts'
import type { FarmMetric } from './farm.ts'
import { drawn, drawnBetween } from './random.ts'

/** Shares of readings, or of spells of `SPELL_MS`, that a fault strikes. */
export interface FaultRates {
  /** Never sent. */
  readonly missing: number
  /** Sent one or two rounds after its turn, so behind newer ones. */
  readonly disordered: number
  /** Sent half a minute to five minutes after its turn, when its window is closed. */
  readonly late: number
  /** Sent twice. */
  readonly duplicate: number
  /** Far off for one instant. */
  readonly spike: number
  /** Spells of a metric that repeat their first value. */
  readonly stuck: number
  /** Spells of a probe in which nothing is sent. */
  readonly silent: number
  /** Probes whose moisture drifts upward through each day. */
  readonly drifting: number
}

export const TSBS_RATES: FaultRates = {
  missing: 0.1, disordered: 0.3, late: 0.01, duplicate: 0.02, spike: 0.000_5, stuck: 0.01, silent: 0.02, drifting: 0.06,
}
export const NO_FAULTS: FaultRates = { missing: 0, disordered: 0, late: 0, duplicate: 0, spike: 0, stuck: 0, silent: 0, drifting: 0 }

/** Length of a stuck or silent spell. */
export const SPELL_MS = 15 * 60_000
const DAY_MS = 86_400_000
const SPIKE_SIZE: Readonly<Record<FarmMetric, number>> = { soil_moisture: 14, soil_temperature: 11, ec: 0.9, battery: -0.7 }
/** Percent of water a day that a drifting probe reads too much by the evening. */
const DRIFT_A_DAY = 5

// Disjoint from the first words that farm.ts draws by.
const Draw = { missing: 101, delay: 102, late: 103, duplicate: 104, spike: 105, stuck: 106, silent: 107, drifting: 108 } as const

export interface Farm {
  readonly seed: number
  readonly probes: number
  /** A probe measures all its metrics this often. */
  readonly intervalMs: number
  /** Their instants are spread over so long, the same whatever the interval: a coarser history then lies on the grid of the present. */
  readonly spreadMs: number
  readonly rates: FaultRates
}

/** A reading and the instant at which it reaches the sender. */
export interface Delivery {
  readonly atMs: number
  readonly reading: Reading
}

function faultyValue({ seed, rates }: Farm, probe: number, metric: FarmMetric, ts: number): number {
  const column = FARM_METRICS.indexOf(metric)
  const spell = Math.floor(ts / SPELL_MS)
  const stuck = drawn(seed, Draw.stuck, probe, column, spell) < rates.stuck
  let value = measured(seed, probe, metric, stuck ? spell * SPELL_MS : ts)
  if (metric === 'soil_moisture' && drawn(seed, Draw.drifting, probe) < rates.drifting) value += (DRIFT_A_DAY * (ts % DAY_MS)) / DAY_MS
  if (drawn(seed, Draw.spike, probe, column, ts) < rates.spike) value += SPIKE_SIZE[metric] * drawnBetween(0.7, 1.3, seed, Draw.spike, probe, column, ts, 1)
  return asSent(metric, value)
}

/**
 * Deliveries of what is measured in `[fromMs, toMs)`, in the order of their arrival, which is not that of their times. Instants of a
 * probe lie on a grid that is the same whatever range is asked for, and are spread so that the probes do not speak all at once.
 */
export function deliveries(farm: Farm, fromMs: number, toMs: number): Delivery[] {
  const { seed, probes, intervalMs, spreadMs, rates } = farm
  const out: Delivery[] = []
  for (let probe = 0; probe < probes; probe++) {
    const device = deviceOf(probe)
    const offset = Math.floor((probe * spreadMs) / probes)
    const first = Math.ceil((fromMs - offset) / intervalMs) * intervalMs + offset
    for (let ts = first; ts < toMs; ts += intervalMs) {
      if (drawn(seed, Draw.silent, probe, Math.floor(ts / SPELL_MS)) < rates.silent) continue
      FARM_METRICS.forEach((metric, column) => {
        const place = [probe, column, ts]
        if (drawn(seed, Draw.missing, ...place) < rates.missing) return
        let atMs = ts
        if (drawn(seed, Draw.late, ...place) < rates.late) atMs += drawnBetween(30_000, 300_000, seed, Draw.late, ...place, 1)
        else if (drawn(seed, Draw.delay, ...place) < rates.disordered) atMs += intervalMs * drawnBetween(1, 2, seed, Draw.delay, ...place, 1)
        const reading = { device, metric, ts, value: faultyValue(farm, probe, metric, ts) }
        out.push({ atMs, reading })
        if (drawn(seed, Draw.duplicate, ...place) >= rates.duplicate) return
        out.push({ atMs: atMs + intervalMs * drawnBetween(0, 3, seed, Draw.duplicate, ...place, 1), reading })
      })
    }
  }
  return out.sort((a, b) => a.atMs - b.atMs)
}
