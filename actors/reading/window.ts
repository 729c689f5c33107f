/** Sizes of tumbling windows, aligned to UTC midnight, and why a window's row was emitted. */

export const MINUTE_MS = 60_000
export const HOUR_MS = 60 * MINUTE_MS
export const DAY_HOURS = 24

/** From the finest up; each divides the next. The index of a size is what travels in the log. */
export const WINDOW_SIZES_MS = [MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, 24 * HOUR_MS] as const
export const WINDOW_SIZE_NAMES = ['1m', '15m', '1h', '1d'] as const

/**
 * - `watermark` the series' own event time passed the end
 * - `idle`      the log's time passed the end while the series was quiet
 * - `open`      still open, of a series that went quiet: a provisional row, replaced later
 * - `late`      recomputed by the store, because a reading came after the close
 */
export const CLOSED_BY = ['watermark', 'idle', 'open', 'late'] as const
export type ClosedBy = (typeof CLOSED_BY)[number]

export function windowStart(ts: number, sizeMs: number): number {
  return Math.floor(ts / sizeMs) * sizeMs
}
