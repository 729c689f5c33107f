/**
 * Merges segments so that their number stays bounded: a minute's seals into one, an hour's minutes, a day's hours, 32 days' days.
 *
 * Owns which segments are merged when. Leaves what becomes of their rows to the shelf, and the swap of the manifest to writer.ts.
 *
 * - P1 A merge reads segments, which never change, and writes a new one: it needs no lock, may run anywhere, and may be thrown away.
 * - P2 The rows that show are the same before and after: windows keep their newest version, the ledger is summed by minute, all
 *   else is copied. Only what retention drops goes.
 * - P3 Once all that is due is merged, there are at most 31 seals and 60, 24 and 32 segments of the spans under way, one more of each for the span
 *   before while it may still grow; and behind them two for `COMPACT_ROWS_MAX` rows each and one for each 32 days. A row is written once by its seal
 *   and at most four times by merges.
 */

import type { Clock } from '../../runtime/clock.ts'
import { systemDisk } from '../../runtime/disk.ts'
import type { Disk } from '../../runtime/disk.ts'
import { COMPACT_ROWS_MAX } from '../../runtime/limits.ts'
import type { Segment } from './manifest.ts'
import { makeSegment, segmentName } from './segment.ts'
import type { ShelfPort } from './shelf.ts'

/** By level, the span of sealing times that one segment of it holds. Level 0 is what a seal makes. */
export const LEVEL_SPANS_MS = [0, 60_000, 3_600_000, 86_400_000, 32 * 86_400_000] as const
/** How long after its end a span is merged, so that a late seal of it is in. */
const SPAN_SLACK_MS = 2_000

/** Segments that retention empties are let go of so many at a time: a merge has each of its inputs open. */
const DROPPED_AT_ONCE = 64
/** One that retention has taken so much of is written anew: so what is kept too long is bounded, and so is how often a row is written again. */
const REWRITE_SHARE = 0.25

/** Plain data, so that it can be sent to another process. */
export interface CompactionJob {
  readonly lakeDir: string
  readonly level: number
  readonly file: string
  readonly inputs: readonly Segment[]
  /** Readings, windows and the like from before this epoch ms are left out; null: nothing is. */
  readonly dropBeforeMs: number | null
}

/**
 * What is due at `nowMs`: segments that retention empties but for their ledger; else the oldest span of the lowest level that has something to
 * merge; else one of whose time so much is dropped that it is worth writing the rest anew; null where nothing is.
 */
export function planCompaction(
  segments: readonly Segment[],
  { nowMs, clock, lakeDir, dropBeforeMs }: { nowMs: number; clock: Clock; lakeDir: string; dropBeforeMs: number | null },
): CompactionJob | null {
  const expired = dropBeforeMs === null ? [] : segments.filter((s) => s.tsMax !== null && s.tsMax < dropBeforeMs)
  // Of these little more than the ledger is read and written, so their size is no matter; what is left is merged by the 32 days as any other.
  const day = LEVEL_SPANS_MS.length - 2
  if (expired.length > 0) return { lakeDir, level: day, file: segmentName(day, clock), inputs: expired.slice(0, DROPPED_AT_ONCE), dropBeforeMs }
  for (let level = 1; level < LEVEL_SPANS_MS.length; level++) {
    const spanMs = LEVEL_SPANS_MS[level]
    const spans = new Map<number, Segment[]>()
    for (const segment of segments) {
      if (segment.level >= level) continue
      const span = Math.floor(segment.sealedFrom / spanMs)
      if ((span + 1) * spanMs + SPAN_SLACK_MS > nowMs) continue
      const of = spans.get(span)
      if (of === undefined) spans.set(span, [segment])
      else of.push(segment)
    }
    for (const span of [...spans.keys()].sort((a, b) => a - b)) {
      const inputs = withinBound(spans.get(span)!.sort((a, b) => a.sealedFrom - b.sealedFrom))
      if (inputs.length >= 2) return { lakeDir, level, file: segmentName(level, clock), inputs, dropBeforeMs }
    }
  }
  const halved = dropBeforeMs === null ? undefined : segments.find((s) => shareBefore(s, dropBeforeMs) >= REWRITE_SHARE)
  return halved === undefined ? null : { lakeDir, level: halved.level, file: segmentName(halved.level, clock), inputs: [halved], dropBeforeMs }
}

/** How much of a segment's span of event times lies before a moment, 0 to 1. */
export function shareBefore({ tsMin, tsMax }: Segment, ms: number): number {
  if (tsMin === null || tsMax === null || tsMin >= ms) return 0
  return tsMax < ms ? 1 : (ms - tsMin) / (tsMax + 1 - tsMin)
}

/** The first run of at least two neighbours that together stay within the bound on rows; segments too large to be merged are passed over. */
function withinBound(inputs: readonly Segment[]): Segment[] {
  let run: Segment[] = []
  let rows = 0
  for (const segment of inputs) {
    const own = rowsOf(segment)
    if (rows + own > COMPACT_ROWS_MAX) {
      if (run.length >= 2) return run
      run = []
      rows = 0
      if (own > COMPACT_ROWS_MAX) continue
    }
    run.push(segment)
    rows += own
  }
  return run
}

function rowsOf(segment: Segment): number {
  return Object.values(segment.rows).reduce((sum, n) => sum + n, 0)
}

/** Runs a merge. Rejects soon after `signal` aborts. */
export async function compact(job: CompactionJob, { shelf, disk = systemDisk, signal }: { shelf: ShelfPort; disk?: Disk; signal?: AbortSignal }): Promise<Segment> {
  const { lakeDir, file, level, inputs } = job
  const sealedFrom = Math.min(...inputs.map((s) => s.sealedFrom))
  const sealedTo = Math.max(...inputs.map((s) => s.sealedTo))
  return makeSegment({ lakeDir, disk, file, level, sealedFrom, sealedTo, fill: (path) => shelf.merge(job, path, signal) })
}
