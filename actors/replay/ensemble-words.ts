/** What an ensemble knew before a reading, and how it came to its score, as a person reads it. */

import { formatDuration } from '../../runtime/config.ts'
import { formatTime } from '../analytics/data/times.ts'
import { EVEN, likelihoodOf, REPORT } from '../partition/series/ensemble/calibration.ts'
import type { Judgement } from '../partition/series/ensemble/judgement.ts'
import type { lookAtEnsemble } from '../partition/series/ensemble/look.ts'
import { line, shown } from './describe.ts'

type Ensemble = ReturnType<typeof lookAtEnsemble>

const marks = ([below, above]: [number, number]) => `${shown(below)} to ${shown(above)}`

export function ensembleWords(e: Ensemble): string[] {
  const pace = e.intervalMs > 0 ? `, one every ${formatDuration(Math.round(e.intervalMs))}` : ''
  const rest = `${e.rest} ${e.rest === 1 ? 'reading' : 'readings'} since it last changed`
  const [w1, w2] = e.weights
  return [
    line('seen', `${e.count} readings${pace}; the last was ${shown(e.last)} at ${formatTime(e.lastTs)}`),
    line('forecast', `${shown(e.slow)} and ${shown(w1)} and ${shown(w2)} of how far the last two were from it; wrong by ${shown(e.deviation)}, marks ${marks(e.marks.forecast)}`),
    line('tail', `errors beyond 3 deviations exceed them by ${shown(e.excess)}`),
    line('level', `of a dozen readings ${shown(e.fast)}, of hundreds ${shown(e.slow)}; marks of the difference ${marks(e.marks.level)}`),
    line('hour of the day', `${e.slots} half-hours known, missed by ${shown(e.missesUsually)}; marks ${marks(e.marks.halfHour)}, in deviations of the hour ${marks(e.marks.hour)}`),
    line('scatter', `moves by ${shown(e.moves)}, usually ${shown(e.movesUsually)}; marks of the logarithm ${marks(e.marks.scatter)}; smallest step ${shown(e.step)}`),
    line('peak', e.peak > 0.01 ? `${shown(e.peak)}: what was told before has left it, and it decays` : 'none: nothing was told lately'),
    line('rest', `${rest}; usually ${shown(e.restMean)}, at most ${shown(e.restRecord)}`),
  ]
}

export function judgementWords(e: Ensemble, j: Judgement, value: number): string[] {
  const likelihood = (EVEN * j.score) / (1 - j.score)
  const surprise = likelihoodOf(j.surprise)
  const isSurprise = j.surprise > 0 && Math.abs(surprise - likelihood) < 1e-9 * surprise
  const byDevice = `how far the metrics of the device lean together, ${shown(j.size)} in their usual leans, where ${shown(j.usual)} was the most lately`
  const from = j.part === 'device' ? byDevice : isSurprise ? `${shown(likelihoodOf(0))} + ${shown(likelihoodOf(1) - likelihoodOf(0))} × the surprise of ${shown(j.surprise)}, which is the greatest of the parts'` : 'what the rule gives that spoke'
  return [
    line('kind', `${j.kind}, by ${j.part}`),
    line('miss', `${shown(value)} − ${shown(j.expected)} = ${shown(value - j.expected)}`),
    line('usual', `${shown(j.lower)} to ${shown(j.upper)}: the marks that were kept around ${shown(j.expected)}`),
    line('likelihood', `10^-${shown(likelihood)}: ${from}`),
    line('peak to exceed', shown(e.peak)),
    line('an anomaly is', `what has a score of at least ${REPORT}`),
    line('score', `${shown(likelihood)} / (${shown(likelihood)} + ${EVEN}) = ${shown(j.score)}`),
  ]
}
