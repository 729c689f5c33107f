/**
 * Where one is on a device's page, as the address says it: the device, its metrics, the range or a span of its own, and how it is drawn.
 *
 * Pure. What is not understood counts as not there.
 */

import { address } from '../page.ts'
import type { SeriesRow } from '../shapes.ts'

const HOUR_MS = 3_600_000

/** Ranges that end now. `all` is from the first reading. */
export const RANGES = [
  { value: '15m', label: '15m', title: 'The last 15 minutes', ms: HOUR_MS / 4 },
  { value: '1h', label: '1h', title: 'The last hour', ms: HOUR_MS },
  { value: '6h', label: '6h', title: 'The last 6 hours', ms: 6 * HOUR_MS },
  { value: '24h', label: '24h', title: 'The last 24 hours', ms: 24 * HOUR_MS },
  { value: '7d', label: '7d', title: 'The last 7 days', ms: 7 * 24 * HOUR_MS },
  { value: '30d', label: '30d', title: 'The last 30 days', ms: 30 * 24 * HOUR_MS },
  { value: 'all', label: 'All', title: 'From the first reading on', ms: null },
] as const
export type RangeName = (typeof RANGES)[number]['value']

/** How a series is drawn. */
export const VIEWS = [
  { value: 'auto', label: 'As it fits', ms: null },
  { value: 'readings', label: 'Every reading', ms: null },
  { value: '1m', label: 'By 1 minute', ms: HOUR_MS / 60 },
  { value: '5m', label: 'By 5 minutes', ms: HOUR_MS / 12 },
  { value: '15m', label: 'By 15 minutes', ms: HOUR_MS / 4 },
  { value: '1h', label: 'By 1 hour', ms: HOUR_MS },
  { value: '6h', label: 'By 6 hours', ms: 6 * HOUR_MS },
  { value: '1d', label: 'By day', ms: 24 * HOUR_MS },
  { value: '1w', label: 'By week', ms: 7 * 24 * HOUR_MS },
] as const
export type View = (typeof VIEWS)[number]['value']

/** A stretch of time, epoch ms. */
export interface Span {
  readonly from: number
  readonly to: number
}

export interface Place {
  readonly device: string
  /** Null: the first ones. */
  readonly metrics: readonly string[] | null
  /** Null where the reader has not chosen: what fits the device, then. */
  readonly range: RangeName | null
  /** A span of the reader's own, by zooming or panning. */
  readonly zoom: Span | null
  readonly view: View
  /** Whether what is expected is drawn beyond now. */
  readonly ahead: boolean
}

export function readPlace(query: URLSearchParams): Place {
  const [from, to] = [Date.parse(query.get('from') ?? ''), Date.parse(query.get('to') ?? '')]
  const metrics = query.get('metrics')?.split(',').filter((name) => name !== '')
  return {
    device: query.get('id') ?? '',
    metrics: metrics && metrics.length > 0 ? metrics : null,
    range: RANGES.find((r) => r.value === query.get('range'))?.value ?? null,
    zoom: to > from ? { from, to } : null,
    view: VIEWS.find((v) => v.value === query.get('view'))?.value ?? 'auto',
    ahead: query.get('ahead') !== 'off',
  }
}

export function placeAddress({ device, metrics, range, zoom, view, ahead }: Place): string {
  return address('/device', {
    id: device,
    metrics: metrics?.join(','),
    range,
    from: zoom && new Date(zoom.from).toISOString(),
    to: zoom && new Date(zoom.to).toISOString(),
    view: view === 'auto' ? null : view,
    ahead: ahead ? null : 'off',
  })
}

/** Readings that a line should have to be worth looking at. */
const READINGS_WANTED = 60

/** A device in numbers: its series taken together, its rhythm that of the most frequent one. */
export interface Rhythm {
  readonly first: number
  readonly last: number
  readonly count: number
  readonly everyMs: number | null
}

export function rhythmOf(rows: readonly SeriesRow[]): Rhythm | null {
  if (rows.length === 0) return null
  const intervals = rows.flatMap(({ first, last, count }) => (first !== null && count >= 10 && last > first ? [(last - first) / (count - 1)] : []))
  return {
    first: Math.min(...rows.map((row) => row.first ?? row.last)),
    last: Math.max(...rows.map((row) => row.last)),
    count: rows.reduce((sum, row) => sum + row.count, 0),
    everyMs: intervals.length > 0 ? Math.min(...intervals) : null,
  }
}

/** The shortest range, from the hour up, that shows enough readings to see something. */
export function fittingRange(rhythm: Rhythm | null): RangeName {
  const wantedMs = Math.max(HOUR_MS, READINGS_WANTED * (rhythm?.everyMs ?? 0))
  return RANGES.find((r) => r.ms === null || r.ms >= wantedMs)!.value
}

/** The span of a range: it ends now while the device is heard of, else at its last reading, so that history is not an empty chart. */
export function rangeSpan(range: RangeName, rhythm: Rhythm | null, nowMs: number): Span {
  const { ms } = RANGES.find((r) => r.value === range)!
  if (ms === null) {
    const from = rhythm?.first ?? nowMs - HOUR_MS
    const to = rhythm?.last ?? nowMs
    return to > from ? { from, to } : { from: from - HOUR_MS / 2, to: from + HOUR_MS / 2 }
  }
  const to = rhythm && (rhythm.last < nowMs - ms || rhythm.last > nowMs) ? rhythm.last : nowMs
  return { from: to - ms, to }
}

/** Of a range that ends now, the part of its length by which it reaches ahead where something is expected. */
const AHEAD_SHARE = 3
/** Of a shorter range a third would be less than the hours that a forecast is made of. */
const AHEAD_RANGE_MIN_MS = 6 * HOUR_MS

/** Whether a span reaches the present, or nearly. */
export const reachesNow = (span: Span, nowMs: number): boolean => span.to >= nowMs - HOUR_MS

/** `span` with its tail, which ends at `lastMs` at the latest; one that ended long ago has none. */
export function withAhead(span: Span, lastMs: number, nowMs: number): Span {
  if (!reachesNow(span, nowMs) || lastMs <= nowMs || span.to - span.from < AHEAD_RANGE_MIN_MS) return span
  return { from: span.from, to: Math.max(span.to, Math.min(lastMs, Math.round(span.to + (span.to - span.from) / AHEAD_SHARE))) }
}

/** Least and greatest length of a span: below it nothing is told apart, beyond it nothing was ever measured. */
const SPAN_MIN_MS = 1_000
const SPAN_MAX_MS = 60 * 365 * 24 * HOUR_MS

/** `span` made `factor` times as long around a moment, which stays in its place. */
export function zoomed(span: Span, factor: number, around = (span.from + span.to) / 2): Span {
  const length = Math.min(SPAN_MAX_MS, Math.max(SPAN_MIN_MS, (span.to - span.from) * factor))
  const share = (around - span.from) / (span.to - span.from)
  const from = Math.round(around - share * length)
  return { from, to: Math.round(from + length) }
}

/** `span` moved by a share of its length. */
export function panned(span: Span, share: number): Span {
  const ms = Math.round((span.to - span.from) * share)
  return { from: span.from + ms, to: span.to + ms }
}
