/**
 * Do drivers help, and are their effects what is told? The partition actor is fed a series and those that drive it by the hour, whose closed hours
 * the relay takes to it (actors/fleet/drivers.ts); then the same without them.
 *
 * `--data DIR` holds measured series, in one of two layouts: `DIR/<name>.csv`, `timestamp,<driven>,<driver>,…` by the hour, empty where nothing was
 * measured; or `DIR/data/<place>_<metric>.csv`, `timestamp,value`, where what was measured at a place is driven by its `temp`. Of each the last
 * year is taken, and after its first 500 hours errors are mean absolute ones of the next 1, 6 and 24 hours, with drivers in parts of those without.
 * What really drives a measured series nobody knows. So effects are held against a made soil, whose every hour is the one before, what rain brought and
 * what warmth took of it, and chance: how often the truth lies within 1.96 errors.
 */

import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DriverRelay } from '../../actors/fleet/drivers.ts'
import { partitionActor } from '../../actors/partition/actor.ts'
import { decodeEffects } from '../../actors/partition/effects.ts'
import type { DriverRow } from '../../actors/partition/effects.ts'
import { Flag, FLAGS } from '../../actors/partition/flags.ts'
import type { Forecast } from '../../actors/partition/forecasts.ts'
import { encodeBlock, encodeSettings } from '../../actors/reading/input.ts'
import { HOUR_MS } from '../../actors/reading/window.ts'
import type { CoveredCommit } from '../../actors/store/follow.ts'
import { gaussian, seeded } from '../actors/partition/harness.ts'
import type { Bench, BenchRow } from './bench.ts'

const SETTINGS = { latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }
const AHEAD = [1, 6, 24]
const SETTLED_HOURS = 500
const YEAR = 8_760

/** Hours of a driven series and of its drivers, NaN where nothing was measured; the driven one first. */
interface Measured {
  readonly name: string
  readonly startMs: number
  readonly metrics: readonly string[]
  readonly columns: readonly Float64Array[]
}

interface Lived {
  /** By the hour behind which they were made. */
  readonly forecasts: Map<number, Forecast>
  readonly effects: DriverRow[]
}

async function live({ startMs, metrics, columns }: Measured, areDriving: boolean): Promise<Lived> {
  const state = partitionActor.create()
  const forecasts = new Map<number, Forecast>()
  const told = new Map<string, DriverRow>()
  const letters: Uint8Array[] = []
  const registry = { drivenBy: (_: string, { metric }: { metric: string }) => (metrics.indexOf(metric) > 0 ? [{ device: 'here', metric: metrics[0], slot: metrics.indexOf(metric) - 1 }] : []) }
  const log = { publish: async (_: string, data: Uint8Array) => void letters.push(data) }
  const clock = { monotonic: () => 0, sleep: async () => {} }
  const relay = new DriverRelay({ registry, log, clock, topology: { partitions: 1 }, logger: { warn: () => {} } } as unknown as ConstructorParameters<typeof DriverRelay>[0])
  let seq = 0
  const step = (data: Uint8Array, timeMs: number) => {
    const effects = partitionActor.effects()
    partitionActor.step(state, { seq: ++seq, timeMs, data }, effects)
    const decoded = decodeEffects(partitionActor.encode(effects, state))
    for (const f of decoded.forecasts) if (decoded.series[f.series].metric === metrics[0]) forecasts.set((f.madeAt - startMs) / HOUR_MS, f)
    for (const d of decoded.drivers) told.set(d.driverMetric, d)
    if (areDriving) relay.onCommit({ effects: decoded } as CoveredCommit)
  }
  step(encodeSettings(SETTINGS, FLAGS.filter((flag) => flag !== Flag.ensemble)), startMs)
  for (let h = 0; h < columns[0].length; h++) {
    const there = metrics.flatMap((_, m) => (Number.isNaN(columns[m][h]) ? [] : [m]))
    if (there.length === 0) continue
    const ts = startMs + h * HOUR_MS + 1_000
    step(
      encodeBlock({
        tenant: 'default', devices: ['here'], metrics: there.map((m) => metrics[m]), seriesDevice: new Uint16Array(there.length), seriesMetric: Uint16Array.from(there.keys()),
        row: Uint16Array.from(there.keys()), ts: new Float64Array(there.length).fill(ts), value: Float64Array.from(there, (m) => columns[m][h]), keyed: [],
      }),
      ts,
    )
    await new Promise(setImmediate)
    for (const letter of letters.splice(0)) step(letter, ts + 1_000)
  }
  return { forecasts, effects: [...told.values()] }
}

/** Mean absolute errors of the next hours, and how many forecasts there were of hours that are all known. */
function errorsOf({ forecasts }: Lived, values: Float64Array): { errors: number[]; count: number; driven: number } {
  const errors = AHEAD.map(() => 0)
  let [count, driven] = [0, 0]
  for (const [h, { mean, model }] of forecasts) {
    if (h < SETTLED_HOURS || h + 24 > values.length || values.subarray(h, h + 24).some(Number.isNaN)) continue
    count++
    if (model.endsWith(' with drivers')) driven++
    for (const [i, ahead] of AHEAD.entries()) for (let k = 0; k < ahead; k++) errors[i] += Math.abs(mean[k] - values[h + k]) / ahead
  }
  return { errors: errors.map((e) => e / count), count, driven: driven / count }
}

async function measure(series: Measured): Promise<BenchRow[]> {
  const alone = errorsOf(await live(series, false), series.columns[0])
  const lived = await live(series, true)
  const { errors, count, driven } = errorsOf(lived, series.columns[0])
  const hash = createHash('sha256').update(JSON.stringify([alone, errors, lived.effects])).digest('hex').slice(0, 12)
  if (count === 0) return []
  return [
    ...AHEAD.map((ahead, i) => ({ name: `${series.name}, error of the next ${ahead} h with drivers`, value: (100 * errors[i]) / alone.errors[i], unit: '% of without', hash })),
    { name: `${series.name}, forecasts that use them`, value: 100 * driven, unit: '%', hash },
    ...lived.effects.flatMap((e) => e.effects.map((effect, i) => ({
      name: `${series.name}, ${e.driverMetric} ${['in the last hour', 'of 6 hours', 'of 24 hours'][i]}: effect over its error`, value: effect / e.errors[i], unit: 'errors', hash,
    }))),
  ]
}

function read(name: string, text: string): Measured {
  const [head, ...rows] = text.trim().split(/\r?\n/).map((line) => line.split(','))
  const hourOf = (time: string) => Math.floor(Date.parse(/[zZ+]|-\d\d:\d\d$/.test(time.slice(10)) ? time : `${time.replace(' ', 'T')}Z`) / HOUR_MS)
  const last = hourOf(rows[rows.length - 1][0])
  const first = Math.max(hourOf(rows[0][0]), last - YEAR + 1)
  const metrics = head.slice(1)
  const sums = metrics.map(() => new Float64Array(last - first + 1))
  const counts = metrics.map(() => new Float64Array(last - first + 1))
  for (const row of rows) {
    const h = hourOf(row[0]) - first
    for (const m of metrics.keys()) {
      if (h < 0 || row[m + 1] === undefined || row[m + 1] === '' || !Number.isFinite(Number(row[m + 1]))) continue
      sums[m][h] += Number(row[m + 1])
      counts[m][h]++
    }
  }
  return { name, startMs: first * HOUR_MS, metrics, columns: sums.map((sum, m) => sum.map((s, h) => (counts[m][h] > 0 ? s / counts[m][h] : NaN))) }
}

function readAll(data: string): Measured[] {
  if (!existsSync(join(data, 'data'))) {
    return readdirSync(data).filter((file) => file.endsWith('.csv')).sort().map((file) => read(file.slice(0, -4), readFileSync(join(data, file), 'utf8')))
  }
  const files = readdirSync(join(data, 'data')).filter((file) => /^[^_]+_[^_]+\.csv$/.test(file)).sort()
  return files.flatMap((file) => {
    const [place, metric] = file.slice(0, -4).split('_')
    if (metric === 'temp' || !files.includes(`${place}_temp.csv`)) return []
    const [own, temp] = [file, `${place}_temp.csv`].map((name) => read(name, readFileSync(join(data, 'data', name), 'utf8')))
    const at = (of: Measured, h: number) => of.columns[0][h + (own.startMs - of.startMs) / HOUR_MS] ?? NaN
    return [{ name: `${place} ${metric}`, startMs: own.startMs, metrics: [metric, 'temp'], columns: [own.columns[0], own.columns[0].map((_, h) => at(temp, h))] }]
  })
}

const RAIN_BRINGS = 0.8
const WARMTH_TAKES = -0.02
/** As much as rain brings on average. */
const DRIES = 0.06

/** A soil: rain of the hour before brings water, warmth of the hour before takes it, which has days of its own. */
function madeSoil(seed: number, hours: number): Measured {
  const random = seeded(seed)
  const draw = gaussian(random)
  const [soil, rain, warmth] = [0, 1, 2].map(() => new Float64Array(hours))
  let [level, weather] = [30, 0]
  for (let h = 0; h < hours; h++) {
    if (h > 0) level += RAIN_BRINGS * rain[h - 1] + WARMTH_TAKES * (warmth[h - 1] - 15) - DRIES + 0.05 * draw()
    weather = 0.97 * weather + draw()
    soil[h] = level
    rain[h] = random() < 0.05 ? 3 * random() : 0
    warmth[h] = 15 + 8 * Math.sin(((h - 9) / 24) * 2 * Math.PI) + weather
  }
  return { name: 'made soil', startMs: Date.UTC(2026, 3, 1), metrics: ['soil', 'rain', 'warmth'], columns: [soil, rain, warmth] }
}

async function madeRows(runs: number): Promise<BenchRow[]> {
  let [inside, rain, warmth] = [0, 0, 0]
  for (let seed = 1; seed <= runs; seed++) {
    const { effects } = await live(madeSoil(seed, 1_200), true)
    for (const { driverMetric, effects: told, errors } of effects) {
      const truth = [driverMetric === 'rain' ? RAIN_BRINGS : WARMTH_TAKES, 0, 0]
      inside += truth.filter((t, i) => Math.abs(told[i] - t) <= 1.96 * errors[i]).length
      if (driverMetric === 'rain') rain += told[0] / runs
      else warmth += told[0] / runs
    }
  }
  const hash = createHash('sha256').update(JSON.stringify([inside, rain, warmth])).digest('hex').slice(0, 12)
  return [
    { name: `made soils, true effects within 1.96 errors of those told`, value: (100 * inside) / (runs * 6), unit: '%', hash },
    { name: `made soils, what rain of the hour before brings (true: ${RAIN_BRINGS})`, value: rain, unit: 'a mm', hash },
    { name: `made soils, what warmth of it takes (true: ${WARMTH_TAKES})`, value: warmth, unit: 'a degree', hash },
  ]
}

export const run: Bench = async ({ size, data }) => {
  const rows = [...(await madeRows(size === 'smoke' ? 1 : 40)), ...(await measure(madeSoil(99, size === 'smoke' ? 700 : 3_000)))]
  for (const series of data === undefined ? [] : readAll(data)) rows.push(...(await measure(series)))
  return rows
}
