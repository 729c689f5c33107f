/**
 * Times as requests write them, and calendar days of a time zone.
 *
 * Epoch milliseconds throughout; a local day is named by its number, the days between 1970-01-01 and its date.
 */

import { parseDuration } from '../../runtime/config.ts'
import { isDay } from '../reading/validate-time.ts'

const DAY_MS = 86_400_000
const RFC3339 = /^\d{4}-\d{2}-\d{2}(?:[Tt ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:[Zz]|[+ -](?:[01]\d|2[0-3]):[0-5]\d)?)?$/
/** Times that DuckDB and JavaScript both hold. */
const TIME_MAX_MS = 8.64e15

/**
 * The time in `text`: epoch ms (`1767225600000`), RFC 3339 (`2026-01-01T00:00:00Z`; a date alone is its midnight, UTC, and so is a
 * time without an offset), or a duration before or after now (`-1h`, `-7d`, `+5m`, `now`). Null for anything else.
 */
export function parseTime(text: string, nowMs: number): number | null {
  const trimmed = text.trim()
  if (trimmed === 'now') return nowMs
  if (/^-?\d+(\.\d+)?$/.test(trimmed)) return inRange(Number(trimmed))
  // A "+" of a query string arrives as a space, here before an offset and below before a duration.
  if (RFC3339.test(trimmed)) {
    // Engines read February 30 as March 2.
    if (!isDay(Number(trimmed.slice(0, 4)), Number(trimmed.slice(5, 7)), Number(trimmed.slice(8, 10)))) return null
    const spaced = trimmed.replace(/(:\d{2}(?:\.\d+)?) (\d{2}:\d{2})$/, '$1+$2').replace(' ', 'T').toUpperCase()
    return inRange(Date.parse(/(?:Z|[+-]\d{2}:\d{2})$/.test(spaced) || spaced.length === 10 ? spaced : `${spaced}Z`))
  }
  const relative = /^([+ -])(.+)$/.exec(text)
  const ms = relative === null ? null : parseDuration(relative[2])
  if (ms === null || relative === null) return null
  return inRange(relative[1] === '-' ? nowMs - ms : nowMs + ms)
}

function inRange(ms: number): number | null {
  return Number.isFinite(ms) && Math.abs(ms) <= TIME_MAX_MS ? Math.round(ms) : null
}

/** RFC 3339 in UTC with milliseconds; null for no time. */
export function formatTime(ms: number | null): string | null {
  return ms === null || !Number.isFinite(ms) ? null : new Date(ms).toISOString()
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** Whether `zone` is a name of the IANA database that this machine knows (`Europe/Vienna`), or `UTC`. */
export function isZone(zone: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(zone)) return false
  try {
    formatOf(zone)
    return true
  } catch {
    return false
  }
}

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
      era: 'short',
    })
    formats.set(zone, format)
  }
  return format
}

/** What a wall clock in `zone` shows at `ms`, read as if it were UTC. */
function wallClock(zone: string, ms: number): number {
  const parts: Record<string, string> = {}
  for (const { type, value } of formatOf(zone).formatToParts(ms)) parts[type] = value
  const year = parts.era === 'BC' ? 1 - Number(parts.year) : Number(parts.year)
  return Date.UTC(year, Number(parts.month) - 1, Number(parts.day), Number(parts.hour), Number(parts.minute), Number(parts.second))
}

/** Number of the local day of `ms` in `zone`. */
export function localDay(zone: string, ms: number): number {
  return Math.floor(wallClock(zone, ms) / DAY_MS)
}

/** First moment of a local day: its midnight, or, where the clocks skip that, the first moment behind the gap. */
export function localDayStart(zone: string, day: number): number {
  // Offsets lie within a day of UTC; the first moment that shows this day is found by halving, to the second.
  let before = day * DAY_MS - DAY_MS
  let at = day * DAY_MS + DAY_MS
  while (at - before > 1_000) {
    const middle = Math.floor((before + at) / 2_000) * 1_000
    if (localDay(zone, middle) >= day) at = middle
    else before = middle
  }
  return at
}
