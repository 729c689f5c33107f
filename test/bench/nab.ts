/**
 * Anomalies of a labelled corpus in the layout of the Numenta Anomaly Benchmark, found by the partition actor itself: a reading a message,
 * as a device would send it, whose event time and log time are the file's own.
 *
 * `--data DIR` holds `data/<path>.csv` (`timestamp,value`) and `labels/combined_windows.json`; `--out DIR` takes a file of the same path for
 * each, `timestamp,anomaly_score`, a row an input row. Each file is a partition of its own with every flag on; the score of a row is what
 * the ensemble said of it, and 0 where the actor judged it not: late, or the same again. Nothing is known of a file in advance.
 *
 * Scores are those of the benchmark, whose threshold is the best for the corpus; beside it stands the score at the threshold from which
 * the product reports. Microseconds are CPU time of the ensemble alone, over all files, the faster of three runs.
 */

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { partitionActor } from '../../actors/partition/actor.ts'
import { FLAGS } from '../../actors/partition/flags.ts'
import { REPORT } from '../../actors/partition/series/ensemble/calibration.ts'
import { judge } from '../../actors/partition/series/ensemble/ensemble.ts'
import { judgement } from '../../actors/partition/series/ensemble/judgement.ts'
import { ENSEMBLE_DOUBLES, makeSlab } from '../../actors/partition/series/ensemble/layout.ts'
import { encodeBlock, encodeSettings } from '../../actors/reading/input.ts'
import type { Bench, BenchRow } from './bench.ts'
import { nabScore, PROFILES } from './nab-score.ts'
import type { ScoredFile } from './nab-score.ts'

const SETTINGS = { latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }

interface File {
  readonly path: string
  readonly timestamps: string[]
  readonly times: Float64Array
  readonly values: Float64Array
  readonly windows: [string, string][]
}

function readCorpus(data: string): File[] {
  const labels = JSON.parse(readFileSync(join(data, 'labels/combined_windows.json'), 'utf8')) as Record<string, [string, string][]>
  return Object.keys(labels)
    .sort()
    .map((path) => {
      const rows = readFileSync(join(data, 'data', path), 'utf8').trim().split(/\r?\n/).slice(1).map((line) => line.split(','))
      const timestamps = rows.map(([t]) => named(t))
      const times = Float64Array.from(timestamps, (t) => Date.parse(`${t.replace(' ', 'T')}Z`))
      const values = Float64Array.from(rows, (row) => Number(row[1]))
      if (![...times, ...values].every(Number.isFinite)) throw new RangeError(`Cannot read ${path} as each row must have a time and a number`)
      return { path, timestamps, times, values, windows: labels[path].map(([a, b]) => [named(a), named(b)]) }
    })
}

const named = (timestamp: string) => timestamp.trim().slice(0, 19).replace('T', ' ')

/** The score of each row, by the actor; and how many rows were judged. */
function feed({ path, times, values }: File): { scores: Float64Array; judged: number } {
  const state = partitionActor.create()
  let seq = 0
  const step = (timeMs: number, data: Uint8Array) => partitionActor.step(state, { seq: ++seq, timeMs, data }, partitionActor.effects())
  step(times[0], encodeSettings(SETTINGS, FLAGS))
  const scores = new Float64Array(times.length)
  let judged = 0
  for (let i = 0; i < times.length; i++) {
    judgement.score = NaN
    step(times[i], encodeBlock({
      tenant: 'default', devices: [path], metrics: ['value'], seriesDevice: Uint16Array.of(0), seriesMetric: Uint16Array.of(0),
      row: Uint16Array.of(0), ts: Float64Array.of(times[i]), value: Float64Array.of(values[i]), keyed: [],
    }))
    if (Number.isNaN(judgement.score)) continue
    scores[i] = judgement.score
    judged++
  }
  return { scores, judged }
}

/** CPU microseconds a reading of the ensemble alone. */
function measure(files: readonly File[]): number {
  let least = Infinity
  for (let run = 0; run < 3; run++) {
    const before = process.cpuUsage()
    let count = 0
    for (const { times, values } of files) {
      const slab = makeSlab(1)
      for (let i = 0; i < times.length; i++) judge(slab, 0, times[i], values[i])
      count += times.length
    }
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, (user + system) / count)
  }
  return least
}

export const run: Bench = ({ data, out }): BenchRow[] => {
  if (data === undefined) throw new RangeError('Cannot run nab as --data must name the folder with data/ and labels/: current value is none')
  const files = readCorpus(data)
  const hash = createHash('sha256')
  let rows = 0
  let judged = 0
  const scored: ScoredFile[] = files.map((file) => {
    const fed = feed(file)
    rows += file.times.length
    judged += fed.judged
    hash.update(new Uint8Array(fed.scores.buffer))
    if (out !== undefined) {
      const to = join(out, file.path)
      mkdirSync(dirname(to), { recursive: true })
      writeFileSync(to, `timestamp,anomaly_score\n${file.timestamps.map((t, i) => `${t},${fed.scores[i]}`).join('\n')}\n`)
    }
    return { timestamps: file.timestamps, scores: fed.scores, windows: file.windows }
  })
  const digest = hash.digest('hex').slice(0, 12)
  const row = (name: string, value: number, unit: string): BenchRow => ({ name, value, unit, hash: digest })
  const reported = scored.map((file) => ({ ...file, scores: Array.from(file.scores, (s) => (s >= REPORT ? 1 : 0)) }))
  return [
    row('files of the corpus', files.length, 'files'),
    row('readings', rows, 'readings'),
    row('of them judged', judged, 'readings'),
    ...Object.entries(PROFILES).flatMap(([name, profile]) => {
      const { score, threshold } = nabScore(scored, profile)
      return [row(`score, ${name}`, score, 'of 100'), row(`its threshold, ${name}`, threshold, '')]
    }),
    row('score, standard, of what is reported as an anomaly', nabScore(reported, PROFILES.standard).score, 'of 100'),
    row('the ensemble, CPU time a reading', measure(files), 'µs'),
    row('the ensemble, memory a series', ENSEMBLE_DOUBLES * 8, 'bytes'),
  ]
}
