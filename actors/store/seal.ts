/**
 * Turns a buffer into a segment: settles old rows, computes windows, sorts, writes.
 *
 * Owns the order of these steps. Leaves to the shelf how rows are kept.
 */

import type { Clock } from '../../runtime/clock.ts'
import type { Disk } from '../../runtime/disk.ts'
import type { SealBuffer } from './buffer.ts'
import type { Segment } from './manifest.ts'
import { planWindows, recompute } from './recompute.ts'
import type { OwnedWindows } from './recompute.ts'
import { makeSegment, segmentName } from './segment.ts'
import { KIND_DUPLICATE, settle } from './settle.ts'
import type { Settled } from './settle.ts'
import type { SealedReadings, Shelf } from './shelf.ts'
import { rankKeys, sortRows } from './sort.ts'
import type { SortedRows } from './sort.ts'

export interface SealInput {
  readonly lakeDir: string
  readonly disk: Disk
  readonly shelf: Shelf
  readonly buffer: SealBuffer
  /** Segments of the newest manifest. */
  readonly segments: readonly Segment[]
  readonly owned: OwnedWindows
  readonly settleUntil: number
  readonly clock: Clock
}

/** Writes what the buffer holds as a segment of level 0; null where that is nothing. */
export async function sealBuffer({ lakeDir, disk, shelf, buffer, segments, owned, settleUntil, clock }: SealInput): Promise<Segment | null> {
  if (buffer.rows === 0) return null
  const { rank, sorted: keys } = rankKeys(buffer.keys)
  const { readings } = buffer
  const sorted = sortRows(readings.length, readings.int.series, readings.double.ts, rank)
  await shelf.begin(keys)
  const settled = await settle(shelf, segments, { buffer, order: sorted.order, rank })
  await shelf.stage(readingsThatStay(buffer, { sorted, rank, settled }))
  const work = planWindows({ buffer, sorted, rank, keys, settled, settleUntil }, owned)
  if (work.dirty.list.length > 0) for (const window of await recompute(shelf, segments, work.dirty)) owned.feed(keys[window.series], window.size, window.start)
  const now = Math.floor(clock.now())
  const content = { buffer, rank, kept: work.kept, owned: work.owned }
  return makeSegment({ lakeDir, disk, file: segmentName(0, clock), level: 0, sealedFrom: now, sealedTo: now, fill: (path) => shelf.write(path, content) })
}

function readingsThatStay(buffer: SealBuffer, { sorted, rank, settled }: { sorted: SortedRows; rank: Int32Array; settled: Settled }): SealedReadings {
  const { readings } = buffer
  const { kinds } = settled
  const series = new Int32Array(readings.length)
  const ts = new Float64Array(readings.length)
  const value = new Float64Array(readings.length)
  const receivedAt = new Float64Array(readings.length)
  const from = { series: readings.int.series, ...readings.double }
  let rows = 0
  for (const i of sorted.order) {
    if (kinds !== null && kinds[i] === KIND_DUPLICATE) continue
    series[rows] = rank[from.series[i]]
    ts[rows] = from.ts[i]
    value[rows] = from.value[i]
    receivedAt[rows] = from.received_at[i]
    rows++
  }
  return { rows, series, ts, value, receivedAt }
}
