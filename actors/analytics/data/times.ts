/** Times as requests write them and answers show them. */

import { parseDuration } from '../../../runtime/config.ts'
import { isDay } from '../../reading/validate-time.ts'

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
