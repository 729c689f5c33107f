/**
 * Retention by size: up to which day a lake has to be cut to fit.
 *
 * Owns that one decision, from the entries of the manifest alone. Leaves the dropping to compaction, which is the same as of retention by age.
 *
 * - R1 Whole days of event time go, the oldest first. The newest day stays, whatever its size.
 * - R2 What lies before a floor that is set counts as gone, though its file may still be written anew or wait for its readers: else a lake that
 *   has been cut would be cut again before the first cut shows.
 */

import { shareBefore } from './compaction.ts'
import { bytesOf } from './manifest.ts'
import type { Segment } from './manifest.ts'

export const DAY_MS = 86_400_000

/** The floor (epoch ms) such that what lies behind it takes at most `bytesMax`; `floorMs` where it does already. */
export function floorToFit(segments: readonly Segment[], { bytesMax, floorMs }: { bytesMax: number; floorMs: number }): number {
  const times = segments.filter((s) => s.tsMin !== null && s.tsMax !== null)
  if (times.length === 0) return floorMs
  const bytesBehind = (ms: number) => segments.reduce((sum, s) => sum + bytesOf(s) * (1 - shareBefore(s, ms)), 0)
  if (bytesBehind(floorMs) <= bytesMax) return floorMs
  const days = (ms: number) => Math.floor(ms / DAY_MS)
  let low = days(Math.max(floorMs, Math.min(...times.map((s) => s.tsMin!))))
  let high = days(Math.max(...times.map((s) => s.tsMax!)))
  // The first day at which what is left fits: the more is cut, the less is left.
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (bytesBehind(middle * DAY_MS) <= bytesMax) high = middle
    else low = middle + 1
  }
  return Math.max(floorMs, high * DAY_MS)
}
