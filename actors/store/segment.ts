/**
 * Makes one segment: an immutable file.
 *
 * Owns the file's life: written by the shelf in the lake's `tmp` folder, let go of, made read-only, synced, moved to its name, folder
 * synced. Leaves what is in it to the shelf and its caller.
 *
 * - G1 A name never comes twice, so that whoever has a file open, or its path in hand, never meets another one under it.
 * - G2 The file is touched only after the shelf has let go of it: with DuckDB, closing it any earlier would drop DuckDB's lock.
 */

import { join } from 'node:path'
import type { Clock } from '../../runtime/clock.ts'
import type { Disk } from '../../runtime/disk.ts'
import { publishFile, segmentsDir } from './manifest.ts'
import type { Segment } from './manifest.ts'
import type { SegmentFacts } from './shelf.ts'
import { FORM } from './tables.ts'

/** A new name: level, time, and a random part. */
export function segmentName(level: number, clock: Clock): string {
  return `l${level}-${Math.floor(clock.now()).toString(36)}-${clock.nonce(6)}.duckdb`
}

export interface SegmentPlan extends Pick<Segment, 'file' | 'level' | 'sealedFrom' | 'sealedTo'> {
  readonly lakeDir: string
  readonly disk: Disk
  /** Writes the file at `path` and lets go of it. */
  readonly fill: (path: string) => Promise<SegmentFacts>
}

/** Writes the segment and gives its entry for a manifest. Whatever fails leaves at most a file in `tmp`. */
export async function makeSegment({ lakeDir, disk, fill, file, level, sealedFrom, sealedTo }: SegmentPlan): Promise<Segment> {
  const path = join(lakeDir, 'tmp', file)
  const facts = await fill(path)
  await disk.makeReadOnly(path)
  const bytes = await disk.size(path)
  if (bytes === null) throw new Error(`Cannot keep ${path} as a segment as it must be there: it is gone`)
  await publishFile(path, join(segmentsDir(lakeDir), file), disk)
  return { file, level, sealedFrom, sealedTo, ...facts, bytes, form: FORM }
}
