/**
 * What survives a reload: the key (in this browser's storage), the theme, and in the address the series and range, so that a
 * view can be sent to someone.
 */

import type { SeriesKey, SeriesRow } from './shapes.ts'

const HOUR_MS = 3_600_000

/** Ranges that the chart offers. `all` is from the first reading. */
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

export interface Place {
  readonly series: SeriesKey | null
  /** Null where the reader has not chosen: what fits the series, then. */
  readonly range: RangeName | null
}

/** Place that the query of the address holds; what is not understood counts as not there. */
export function readPlace(search: string): Place {
  const query = new URLSearchParams(search)
  const device = query.get('device')
  const metric = query.get('metric')
  const range = RANGES.find((r) => r.value === query.get('range'))?.value ?? null
  return { series: device && metric ? { device, metric } : null, range }
}

export function placeQuery({ series, range }: Place): string {
  const query = new URLSearchParams()
  if (series) {
    query.set('device', series.device)
    query.set('metric', series.metric)
  }
  if (range) query.set('range', range)
  // A slash may stand in a query as it is, and device names are full of them.
  return `?${query.toString().replaceAll('%2F', '/').replaceAll('%3A', ':')}`
}

/** Readings that a line should have to be worth looking at. */
const READINGS_WANTED = 60

/** Mean time between readings of a series; null where there are too few to say. */
export function usualIntervalMs(row: SeriesRow | undefined): number | null {
  return row && row.first !== null && row.count >= 10 && row.last > row.first ? (row.last - row.first) / (row.count - 1) : null
}

/** The shortest range, from the hour up, that shows enough readings of the series to see something. */
export function fittingRange(row: SeriesRow | undefined): RangeName {
  const wantedMs = Math.max(HOUR_MS, READINGS_WANTED * (usualIntervalMs(row) ?? 0))
  return RANGES.find((r) => r.ms === null || r.ms >= wantedMs)!.value
}

/** A stretch of time, epoch ms. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** The span of a range: it ends now while the series is heard of, else at its last reading, so that history is not an empty chart. */
export function rangeSpan(range: RangeName, row: SeriesRow | undefined, nowMs: number): Span {
  const { ms } = RANGES.find((r) => r.value === range)!
  if (ms === null) {
    const from = row?.first ?? nowMs - HOUR_MS
    const to = row?.last ?? nowMs
    return to > from ? { from, to } : { from: from - HOUR_MS / 2, to: from + HOUR_MS / 2 }
  }
  const to = row && (row.last < nowMs - ms || row.last > nowMs) ? row.last : nowMs
  return { from: to - ms, to }
}

/** Takes a key out of `#key=…` and out of the address with it: a key must not stay where it is copied and shown. */
export function takeKeyFromAddress(): void {
  const key = new URLSearchParams(location.hash.slice(1)).get('key')
  if (key === null) return
  history.replaceState(null, '', location.pathname + location.search)
  if (key.trim() !== '') store('weir.key', key.trim())
}

/** Kept in memory as well, for browsers that forbid storage. */
const memory = new Map<string, string>()

export function stored(name: string): string | null {
  try {
    return localStorage.getItem(name) ?? memory.get(name) ?? null
  } catch {
    return memory.get(name) ?? null
  }
}

/** Null removes. */
export function store(name: string, value: string | null): void {
  if (value === null) memory.delete(name)
  else memory.set(name, value)
  try {
    if (value === null) localStorage.removeItem(name)
    else localStorage.setItem(name, value)
  } catch {
    // Memory has it for this visit.
  }
}
