/** An explanation as a person reads it, from what is known of the anomaly down to the arithmetic of its score. Values are in the units of the device. */

import { formatDuration } from '../../runtime/config.ts'
import { formatTime } from '../analytics/data/times.ts'
import { STUCK_LIKELIHOOD, TAIL, TAIL_LIKELIHOOD } from '../partition/series/detector.ts'
import { ALARM_LIKELIHOOD } from '../partition/series/verdict.ts'
import type { Verdict } from '../partition/series/verdict.ts'
import { formatAddress } from './address.ts'
import type { AnomalyAddress } from './address.ts'
import { line, shortTime, shown } from './describe.ts'
import { ensembleWords, judgementWords } from './ensemble-words.ts'
import type { Explanation, Judged, Met, NotFound } from './explain.ts'

export function wordsOfNotFound(address: AnomalyAddress, { partition, matches, others, sinceMs }: NotFound): string {
  const name = (a: { ts: number; value: number }) => formatAddress({ ...address, ts: a.ts, value: a.value })
  if (matches.length > 1) {
    const names = matches.map(name).join('\n  ')
    return `Cannot explain ${formatAddress(address)} as it must be one anomaly: there are ${matches.length}. Name one of them:\n  ${names}`
  }
  const where = sinceMs === null ? 'nothing was ever committed of it' : `what the log holds of it begins at ${formatTime(sinceMs)}`
  const nearby = others.length === 0 ? 'There is no anomaly of that series in it.' : `The last anomalies of that series in it:\n  ${others.map(name).join('\n  ')}`
  const must = `an anomaly at that place must have been committed by partition ${partition}`
  return `Cannot explain ${formatAddress(address)} as ${must}: ${where}. ${nearby}`
}

export function wordsOf(e: Explanation): string {
  const { anomaly: a, commit, block } = e
  const out = [formatAddress(e.address), '']
  out.push(line('committed as', `score ${shown(a.score)}, expected ${shown(a.expected)}, usual ${shown(a.lower)} to ${shown(a.upper)}`))
  out.push(line('reason', a.reason))
  const of = a.part === 'neighbours' ? 'none: it is of an hour as a whole' : block === null ? 'no longer in the log' : `${block.seq} of ${e.stream}, row ${block.row} of ${block.rows}, log time ${formatTime(block.timeMs)}`
  out.push(line('block', of))
  out.push(line('commit', `${commit.seq} of RESULTS at ${formatTime(commit.timeMs)}, partition ${e.partition}, epoch ${commit.epoch} of ${commit.owner}`))
  out.push('', `Readings of the series before it, as they came${e.readings.length === 0 ? ': none are held' : ''}`)
  for (const r of e.readings) {
    const fate = r.fate === 'old' ? 'old: late or twice' : r.fate.padEnd(9)
    out.push(`  ${formatTime(r.ts)}  ${String(r.value).padEnd(12)}  ${fate}  block ${r.block}`)
  }
  out.push('')
  if (e.met === null) out.push(`The state that the reading met can't be made again: ${e.unreachable}.`)
  else out.push(...stateWords(e.met), '', ...verdictWords(e.met, a.value))
  return out.join('\n')
}

function stateWords(met: Met): string[] {
  const windows = met.windows.map((w) => `${w.size} from ${shortTime(w.start)} (${w.count})`).join(', ')
  const times = `greatest time seen ${formatTime(met.greatestMs)}, log time ${formatTime(met.logMs)}`
  return [
    `State that the reading met (replayed ${met.messages} messages from ${met.from})`,
    ...(met.judged.by === 'ensemble' ? ensembleWords(met.judged.ensemble) : detectorWords(met.judged)),
    line('watermark', `${formatTime(met.watermarkMs)} (lateness ${formatDuration(met.settings.latenessMs)}); ${times}`),
    line('closed until', met.closedUntilMs === 0 ? 'nothing yet' : String(formatTime(met.closedUntilMs))),
    line('open windows', windows === '' ? 'none' : `${windows}: readings in each beside those of its open parts`),
  ]
}

function detectorWords({ detector: d, verdict }: Judged & { by: 'detector' }): string[] {
  const believed = verdict.kind === 'stuck' ? (d.slowDeviation <= d.fastDeviation ? 'slow' : 'fast') : verdict.believed
  const pace = d.intervalMs > 0 ? `, one every ${formatDuration(d.intervalMs)}` : ''
  const wrong = (level: number, deviation: number) => `${shown(level)}, usually wrong by ${shown(deviation)}`
  const rest = `${d.rest} ${d.rest === 1 ? 'reading' : 'readings'} since it last changed`
  return [
    line('seen', `${d.count} readings${pace}; the last was ${shown(d.last)} at ${formatTime(d.lastTs)}`),
    line('level', `slow ${wrong(d.slow, d.slowDeviation)}; fast ${wrong(d.fast, d.fastDeviation)}; believed: the ${believed} one`),
    line('spread', `lately wrong by ${shown(d.burstDeviation)}; smallest step of the value ${shown(d.step)}`),
    line('tail', `misses beyond ${TAIL} deviations exceed them by ${shown(d.excess)}`),
    line('peak', d.peak > 0 ? `${shown(d.peak)} deviations: what an anomaly before it has left, and decays` : 'none: no anomaly before it'),
    line('rest', `${rest}; usually ${shown(d.restMean)}, at most ${shown(d.restRecord)}; ${d.changes} changes`),
  ]
}

function verdictWords(met: Met, value: number): string[] {
  const out = ['Verdict, step by step']
  if (met.judged.by === 'ensemble') out.push(...judgementWords(met.judged.ensemble, met.judged.judgement, value))
  else out.push(...detectorVerdictWords(met.judged.verdict, value))
  out.push(line('replayed', met.same ? 'identical to what was committed, to the last bit' : 'DIFFERENT from what was committed'))
  return out
}

function detectorVerdictWords(v: Verdict, value: number): string[] {
  const out: string[] = []
  if (v.kind === 'stuck') {
    out.push(line('rest', `${v.size} readings without a change, this one included; it usually changes after ${shown(v.usual)}`))
    out.push(line('likelihood', `10^-${shown(v.likelihood)}, were each change independent of the others`))
  } else {
    const residual = value - v.expected
    const far = Math.max(v.size, v.shortDistance)
    out.push(line('miss', `${shown(value)} − ${shown(v.expected)} = ${shown(residual)}`))
    out.push(line('distance', `${shown(Math.abs(residual))} / ${shown(v.deviation)} = ${shown(v.size)} deviations; of the mean of the last misses: ${shown(v.shortDistance)}`))
    out.push(line('likelihood', `10^-${shown(v.likelihood)}: ${TAIL_LIKELIHOOD} + (${shown(far)} − ${TAIL}) / (${shown(v.excess)} × ln 10)`))
    out.push(line('peak to exceed', `${shown(v.peak)} deviations`))
  }
  out.push(line('an anomaly is', `what is no likelier than 10^-${v.kind === 'stuck' ? STUCK_LIKELIHOOD : ALARM_LIKELIHOOD}`))
  out.push(line('score', `${shown(v.likelihood)} / (${shown(v.likelihood)} + ${ALARM_LIKELIHOOD}) = ${shown(v.score)}`))
  out.push(line('usual', `${shown(v.lower)} to ${shown(v.upper)}: ${shown(v.expected)} ± 3.29 deviations of ${shown(v.deviation)}`))
  return out
}

/** The same as one object; times as RFC 3339. */
export function jsonOfExplanation(e: Explanation): object {
  const { met } = e
  const at = (ms: number) => formatTime(ms)
  return {
    kind: 'explanation',
    address: formatAddress(e.address),
    partition: e.partition,
    anomaly: { ...e.anomaly, series: undefined, ts: at(e.anomaly.ts) },
    block: e.block && { ...e.block, stream: e.stream, timeMs: undefined, logTime: at(e.block.timeMs) },
    commit: { ...e.commit, timeMs: undefined, at: at(e.commit.timeMs) },
    readings: e.readings.map((r) => ({ ...r, ts: at(r.ts) })),
    unreachable: e.unreachable,
    state: met && {
      from: met.from,
      messages: met.messages,
      ...(met.judged.by === 'ensemble'
        ? { ensemble: { ...met.judged.ensemble, lastTs: at(met.judged.ensemble.lastTs) } }
        : { detector: { ...met.judged.detector, lastTs: at(met.judged.detector.lastTs) } }),
      settings: met.settings,
      logTime: at(met.logMs),
      greatest: at(met.greatestMs),
      watermark: at(met.watermarkMs),
      closedUntil: at(met.closedUntilMs),
      windows: met.windows.map((w) => ({ ...w, start: at(w.start) })),
    },
    verdict: met && { ...(met.judged.by === 'ensemble' ? met.judged.judgement : met.judged.verdict), same: met.same },
  }
}
