/**
 * Finds out which old readings of a seal are duplicates and which are late.
 *
 * The actor has forgotten closed windows, so it names a reading that falls into one *old*, and the store looks: the same series, time
 * and value among the rows of this seal or in the lake makes it a duplicate; else it is late, and kept.
 *
 * - S1 Of equal rows exactly one is kept: the one that was on time, else the first that came.
 */

import type { SealBuffer } from './buffer.ts'
import { DUPLICATE, LATE } from './buffer.ts'
import type { Segment } from './manifest.ts'
import type { Shelf } from './shelf.ts'

export interface Settled {
  /** Rows of `buffer.old` that are late, in order of series and time. */
  readonly late: readonly number[]
  /** By row of `buffer.readings`, what it is; null where all are on time. */
  readonly kinds: Uint8Array | null
}

export const KIND_ON_TIME = 0
export const KIND_LATE = 1
export const KIND_DUPLICATE = 2

/** Settles `buffer.old` and counts the fates in its ledger. `order` are the rows in order, `rank` the series' places, of a seal that the shelf has begun. */
export async function settle(
  shelf: Shelf,
  segments: readonly Segment[],
  { buffer, order, rank }: { buffer: SealBuffer; order: Uint32Array; rank: Int32Array },
): Promise<Settled> {
  if (buffer.old.length === 0) return { late: [], kinds: null }
  const { row, ledger } = buffer.old.int
  const kinds = new Uint8Array(buffer.readings.length)
  const first = firstOfTheirKind(buffer, order)
  const known = await inLake(shelf, segments, { buffer, rank, candidates: first })
  const late = first.filter((o) => !known.has(o))
  for (let o = 0; o < buffer.old.length; o++) kinds[row[o]] = KIND_DUPLICATE
  for (const o of late) kinds[row[o]] = KIND_LATE
  for (let o = 0; o < buffer.old.length; o++) buffer.count(ledger[o], kinds[row[o]] === KIND_LATE ? LATE : DUPLICATE)
  return { late, kinds }
}

/** Old rows of which the seal holds no equal that comes before them, in order of series and time. */
function firstOfTheirKind(buffer: SealBuffer, order: Uint32Array): number[] {
  const { series } = buffer.readings.int
  const { ts, value } = buffer.readings.double
  const oldOf = new Int32Array(buffer.readings.length).fill(-1)
  for (let o = 0; o < buffer.old.length; o++) oldOf[buffer.old.int.row[o]] = o
  const first: number[] = []
  for (let from = 0; from < order.length; ) {
    let to = from + 1
    while (to < order.length && ts[order[to]] === ts[order[from]] && series[order[to]] === series[order[from]]) to++
    if (to === from + 1) {
      if (oldOf[order[from]] >= 0) first.push(oldOf[order[from]])
    } else {
      const run = order.subarray(from, to)
      const values = new Set<number>()
      for (const i of run) if (oldOf[i] < 0) values.add(value[i])
      for (const i of run) {
        if (oldOf[i] < 0 || values.has(value[i])) continue
        values.add(value[i])
        first.push(oldOf[i])
      }
    }
    from = to
  }
  return first
}

async function inLake(
  shelf: Shelf,
  segments: readonly Segment[],
  { buffer, rank, candidates }: { buffer: SealBuffer; rank: Int32Array; candidates: readonly number[] },
): Promise<ReadonlySet<number>> {
  if (candidates.length === 0) return new Set()
  const n = new Int32Array(candidates)
  const series = new Int32Array(n.length)
  const ts = new Float64Array(n.length)
  const value = new Float64Array(n.length)
  for (let i = 0; i < n.length; i++) {
    const at = buffer.old.int.row[n[i]]
    series[i] = rank[buffer.readings.int.series[at]]
    ts[i] = buffer.readings.double.ts[at]
    value[i] = buffer.readings.double.value[at]
  }
  const times = ts.slice().sort()
  const reached = segments.filter((s) => s.readingsMin !== null && s.readingsMax !== null && anyWithin(times, s.readingsMin, s.readingsMax))
  return reached.length === 0 ? new Set() : shelf.known({ n, series, ts, value }, reached)
}

/** Whether any of the ascending `times` lies in [from, to]. */
export function anyWithin(times: Float64Array, from: number, to: number): boolean {
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (times[middle] < from) low = middle + 1
    else high = middle
  }
  return low < times.length && times[low] <= to
}
