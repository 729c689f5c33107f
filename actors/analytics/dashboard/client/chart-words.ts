/** What a chart says in words: the note beneath it, and its label for those who do not see it. Pure. */

import { bucketOf } from './columns.ts'
import type { Columns } from './columns.ts'
import { age, date, value } from './format.ts'
import type { Span } from './place.ts'
import type { SeriesKey, SeriesRow } from './shapes.ts'

export interface ChartFacts {
  readonly columns: Columns
  readonly span: Span
  readonly row: SeriesRow | undefined
  readonly zoomed: boolean
  readonly anomalies: number
}

/** Silence after which the last reading's date is worth saying. */
const STALE_MS = 2 * 3_600_000

export function noteText({ columns, span, row, zoomed }: ChartFacts, nowMs: number): string {
  if (extent(columns, span) === null) return `No readings in this range.${row ? ` The last one was ${age(row.last, nowMs)}.` : ''}`
  const stale = !zoomed && row && row.last <= span.to && row.last < nowMs - STALE_MS ? `Up to the last reading, ${date(row.last)}. ` : ''
  return stale + (columns.stepMs > 0 ? 'The line is the mean, the band reaches from least to greatest.' : '')
}

export function labelText(series: SeriesKey, { columns, span, anomalies }: ChartFacts): string {
  const seen = extent(columns, span)
  const words = seen === null ? 'no readings' : `from ${value(seen.least)} to ${value(seen.most)}, ${anomalies} anomal${anomalies === 1 ? 'y' : 'ies'}`
  return `${series.metric} of ${series.device}: ${words}`
}

/** Least and greatest of what is in the span; null where nothing is. */
export function extent(columns: Columns, { from, to }: Span): { least: number; most: number } | null {
  let least = Infinity
  let most = -Infinity
  for (let i = Math.max(0, bucketOf(columns.ts, from - columns.stepMs)); i < columns.ts.length && columns.ts[i] <= to; i++) {
    if (columns.ts[i] + columns.stepMs < from) continue
    const [low, high] = [columns.min[i], columns.max[i]]
    if (low !== null && low < least) least = low
    if (high !== null && high > most) most = high
  }
  return least === Infinity ? null : { least, most }
}
