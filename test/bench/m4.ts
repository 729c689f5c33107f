/**
 * Forecasts of the hourly series of the M4 competition, made by the partition actor itself: a reading an hour, as a device would send it.
 *
 * `--data DIR` holds `Dataset/Train/Hourly-train.csv` and `Dataset/Test/Hourly-test.csv`; `--out FILE` takes the forecasts in the form of the
 * competition, `id,F1..F48`. All series end in the same hour; when it has closed, their forecasts are those of the newest `made_at`. Nothing
 * of the test file is fed. Coverage is counted over the 48 hours of all series.
 *
 * What a close costs is the CPU time of the run over that of the same run with forecasts switched off: learning, grading, forecasting and
 * encoding. It does not measure the store. Bytes are those of a series' row, and what rows take of the process.
 */

import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { partitionActor } from '../../actors/partition/actor.ts'
import { decodeEffects } from '../../actors/partition/effects.ts'
import { FLAGS } from '../../actors/partition/flags.ts'
import { Flag } from '../../actors/partition/flags.ts'
import { HORIZON_MAX } from '../../actors/partition/forecasts.ts'
import type { Forecast } from '../../actors/partition/forecasts.ts'
import { encodeBlock, encodeSettings } from '../../actors/reading/input.ts'
import { HOUR_MS } from '../../actors/reading/window.ts'
import type { Bench, BenchRow } from './bench.ts'
import { errorsOf, HORIZON, meanOf, naive2, owa, readSeries, stepOf } from './m4-score.ts'

/** The hour in which all series end; a sixth one, so that what follows it is a whole week. */
const END_MS = Date.UTC(2026, 5, 1, 12)
const SETTINGS = { latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }

interface Run {
  /** Of the newest `madeAt` of each series. */
  readonly forecasts: Map<string, Forecast>
  readonly cpuUs: number
  readonly closes: number
  readonly state: ReturnType<typeof partitionActor.create>
}

/** Feeds the hours of all series, then lets the last one close. */
function feed(series: ReadonlyMap<string, readonly number[]>, flags: readonly number[]): Run {
  const state = partitionActor.create()
  const forecasts = new Map<string, Forecast>()
  const longest = Math.max(...[...series.values()].map((values) => values.length))
  const ids = [...series.keys()]
  let seq = 0
  let cpuUs = 0
  let closes = 0
  const step = (data: Uint8Array, timeMs: number) => {
    const before = process.cpuUsage()
    const effects = partitionActor.effects()
    partitionActor.step(state, { seq: ++seq, timeMs, data }, effects)
    const payload = partitionActor.encode(effects, state)
    const used = process.cpuUsage(before)
    cpuUs += used.user + used.system
    const told = decodeEffects(payload)
    for (const w of told.windows) if (w.size === 2 && w.closedBy !== 'open') closes++
    for (const f of told.forecasts) forecasts.set(told.series[f.series].device, f)
  }
  step(encodeSettings(SETTINGS, flags), END_MS - longest * HOUR_MS)
  for (let hour = longest; hour > 0; hour--) {
    const there = ids.filter((id) => series.get(id)!.length >= hour)
    const timeMs = END_MS - hour * HOUR_MS
    const rows = there.map((id) => series.get(id)!.at(-hour)!)
    step(
      encodeBlock({
        tenant: 'default', devices: there, metrics: ['value'], seriesDevice: Uint16Array.from(there.keys()), seriesMetric: new Uint16Array(there.length),
        row: Uint16Array.from(there.keys()), ts: new Float64Array(there.length).fill(timeMs), value: Float64Array.from(rows), keyed: [],
      }),
      timeMs,
    )
  }
  for (let s = 0; partitionActor.wantsTick(state) || s < 120; s++) step(partitionActor.tick(), END_MS + s * 1_000)
  return { forecasts, cpuUs, closes, state }
}

export const run: Bench = ({ data, out }): BenchRow[] => {
  if (data === undefined) throw new RangeError('Cannot run m4 as --data must name the folder with Dataset/Train and Dataset/Test: current value is none')
  const train = readSeries(join(data, 'Dataset/Train/Hourly-train.csv'))
  const test = readSeries(join(data, 'Dataset/Test/Hourly-test.csv'))
  const without = feed(train, FLAGS.filter((flag) => flag !== Flag.forecasts))
  const { forecasts, cpuUs, closes, state } = feed(train, FLAGS)
  const ids = [...test.keys()]
  const none = ids.filter((id) => forecasts.get(id)?.steps !== HORIZON_MAX || forecasts.get(id)!.madeAt !== END_MS)
  if (none.length > 0) throw new RangeError(`Cannot score m4 as each series must be forecast for a week from its end: not so are ${none.join(', ')}`)
  const scores = ids.map((id) => errorsOf(train.get(id)!, test.get(id)!, forecasts.get(id)!.mean))
  const benchmark = meanOf(ids.map((id) => errorsOf(train.get(id)!, test.get(id)!, naive2(train.get(id)!))))
  const mean = meanOf(scores)
  const lines = ids.map((id) => [id, ...forecasts.get(id)!.mean.subarray(0, HORIZON)].join(','))
  const csv = [['id', ...Array.from({ length: HORIZON }, (_, i) => `F${i + 1}`)].join(','), ...lines, ''].join('\n')
  if (out !== undefined) writeFileSync(out, csv)
  const hash = createHash('sha256').update(csv).digest('hex').slice(0, 12)
  const row = (name: string, value: number, unit: string): BenchRow => ({ name, value, unit, hash })
  const share = (low: 'lower' | 'lower80', high: 'upper' | 'upper80') => 100 * averageOf(ids.flatMap((id) => {
    const f = forecasts.get(id)!
    return test.get(id)!.map((v, h) => (v >= f[low][h] && v <= f[high][h] ? 1 : 0))
  }))
  // The competition's measure of an interval: its width, and what it missed by, forty times (2 / 5 %), in MASE's unit.
  const msis = averageOf(ids.flatMap((id) => {
    const { lower, upper } = forecasts.get(id)!
    const step = stepOf(train.get(id)!)
    return test.get(id)!.map((v, h) => (upper[h] - lower[h] + 40 * Math.max(0, lower[h] - v, v - upper[h])) / step)
  }))
  const { young, grown } = state.forecasters
  return [
    row('series', ids.length, 'series'),
    row('sMAPE', mean.smape, '%'),
    row('MASE', mean.mase, 'steps'),
    row('Naive2: sMAPE', benchmark.smape, '%'),
    row('Naive2: MASE', benchmark.mase, 'steps'),
    row('OWA', owa(mean, benchmark), 'of Naive2'),
    row('in the 95 % interval', share('lower', 'upper'), '%'),
    row('in the 80 % interval', share('lower80', 'upper80'), '%'),
    row('MSIS of the 95 % interval', msis, 'steps'),
    row('coverage of 95 % that the forecasts tell of themselves', 100 * averageOf(ids.map((id) => forecasts.get(id)!.coverage)), '%'),
    row('CPU of an hour\'s close by its forecast', (cpuUs - without.cpuUs) / closes, 'µs'),
    row('memory of a series, grown', grown.rowBytes, 'bytes'),
    row('memory of a series of less than two days', young.rowBytes, 'bytes'),
    row('memory of all rows, a series', (grown.bytes + young.bytes) / state.series.length, 'bytes'),
  ]
}

function averageOf(list: readonly number[]): number {
  return list.reduce((a, b) => a + b, 0) / list.length
}
