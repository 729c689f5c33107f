/** What a chart says in words: the label for those who do not see it, the readout of a point, and the explanation of an anomaly. Pure. */

import { moment } from '../format.ts'
import { severity } from '../severity.ts'
import type { AnomalyRow } from '../shapes.ts'
import type { Units } from '../units.ts'
import { bucketOf } from './columns.ts'
import type { Columns } from './columns.ts'
import type { Span } from './place.ts'

type Words = Pick<Units, 'label' | 'text' | 'band'>

/** A chart in a sentence: what it shows, how it goes, and how often it stood out. */
export function labelText(metric: string, words: Words, { columns, span, anomalies }: { columns: Columns; span: Span; anomalies: number }): string {
  const seen = extent(columns, span)
  if (seen === null) return `${words.label(metric)}: no readings in this range`
  const { least, most, first, last } = seen
  const trend = Math.abs(last - first) < 0.1 * (most - least) ? 'as much at the end as at the begin' : `from ${words.text(metric, first)} at the begin to ${words.text(metric, last)} at the end`
  const odd = anomalies === 0 ? 'nothing unusual' : `${anomalies} time${anomalies === 1 ? '' : 's'} unusual`
  return `${words.label(metric)}: between ${words.band(metric, least, most)}, ${trend}, ${odd}`
}

/** Least and greatest of what is in the span, and its first and last mean; null where nothing is. */
export function extent(columns: Columns, { from, to }: Span): { least: number; most: number; first: number; last: number } | null {
  let least = Infinity
  let most = -Infinity
  let first: number | null = null
  let last = 0
  for (let i = Math.max(0, bucketOf(columns.ts, from - columns.stepMs)); i < columns.ts.length && columns.ts[i] <= to; i++) {
    if (columns.ts[i] + columns.stepMs < from) continue
    const [low, high, mean] = [columns.min[i], columns.max[i], columns.mean[i]]
    if (low !== null && low < least) least = low
    if (high !== null && high > most) most = high
    if (mean === null) continue
    first ??= mean
    last = mean
  }
  return least === Infinity || first === null ? null : { least, most, first, last }
}

/** A point as it is read: value, spread where it has one, moment. */
export function pointText(metric: string, words: Words, columns: Columns, i: number, nowMs: number): { value: string; spread: string; at: string } {
  const [mean, min, max] = [columns.mean[i], columns.min[i], columns.max[i]]
  return {
    value: words.text(metric, mean),
    spread: min !== null && max !== null && min !== max ? words.band(metric, min, max) : '',
    at: moment(columns.ts[i], nowMs),
  }
}

/** What an anomaly is, from its value to why. */
export function anomalyLines(a: AnomalyRow, words: Words, nowMs: number): string[] {
  const usual = a.lower !== null && a.upper !== null ? [`Usual would be ${words.band(a.metric, a.lower, a.upper)}`] : []
  return [words.text(a.metric, a.value), `${severity(a.score)}, ${moment(a.ts, nowMs)}`, ...usual, a.reason]
}
