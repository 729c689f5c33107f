/**
 * What a view may stand on: the readings, the readings once for each hopping window that holds them, and the readings with the session that each is in.
 *
 * Owns the SQL of the two table functions, which are the same in public queries, in weir.duckdb and in kept views.
 *
 * - S1 A hopping window begins at each multiple of `slide` as `time_bucket` counts them, and holds the readings of `size` from there, its end not included.
 * - S2 A session is a run of readings of one series in which none is more than `gap` after the one before it.
 */

import type { Columns } from './kept.ts'

export const HOPPING = 'readings_hopping'
export const SESSIONS = 'readings_sessions'

/** Parameters by function. */
export const SOURCES: Readonly<Record<string, readonly string[]>> = { [HOPPING]: ['slide', 'size'], [SESSIONS]: ['gap'] }

/** What each adds to the columns of a reading. */
export const SOURCE_COLUMNS: Readonly<Record<string, Columns>> = {
  [HOPPING]: [['window_start', 'TIMESTAMP'], ['window_end', 'TIMESTAMP']],
  [SESSIONS]: [['session_start', 'TIMESTAMP'], ['session_end', 'TIMESTAMP']],
}

const SERIES = 'tenant, device, metric'
const READING = `${SERIES}, ts, value, received_at`

/** The starts of the windows that hold a moment. */
export const windowStarts = (ts: string, slide: string, size: string): string => `generate_series(time_bucket(${slide}, ${ts} - ${size}) + ${slide}, time_bucket(${slide}, ${ts}), ${slide})`

export function hoppingSql(readings: string, slide: string, size: string): string {
  return `SELECT *, window_start + ${size} AS window_end FROM (SELECT ${READING}, unnest(${windowStarts('ts', slide, size)}) AS window_start FROM ${readings})`
}

export function sessionsSql(readings: string, gap: string): string {
  // Readings of one time stand in one session whatever their order: the sum goes over all of a time, of which only the first may begin one.
  const begins = `SELECT ${READING}, CASE WHEN ts - lag(ts) OVER (PARTITION BY ${SERIES} ORDER BY ts) <= ${gap} THEN 0 ELSE 1 END AS begins FROM ${readings}`
  const numbered = `SELECT ${READING}, sum(begins) OVER (PARTITION BY ${SERIES} ORDER BY ts) AS session FROM (${begins})`
  return `SELECT ${READING}, min(ts) OVER of_session AS session_start, max(ts) OVER of_session AS session_end FROM (${numbered}) WINDOW of_session AS (PARTITION BY ${SERIES}, session)`
}

/** The two as table macros; `create` begins a statement up to the name. */
export function sourceMacros(create: string, readings: string): Readonly<Record<string, string>> {
  return {
    [HOPPING]: `${create}${HOPPING}(slide, size) AS TABLE ${hoppingSql(readings, 'slide', 'size')}`,
    [SESSIONS]: `${create}${SESSIONS}(gap) AS TABLE ${sessionsSql(readings, 'gap')}`,
  }
}
