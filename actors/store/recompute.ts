/**
 * Windows that the store computes: which they are, and their one statement a seal.
 *
 * A late reading changes windows that the actor has closed, and is missing from those that it still has open. The former are
 * computed anew at once; the latter become *owned*: whenever the actor sends a row for one, it is computed from the lake instead.
 *
 * - W1 A computed row counts exactly the readings that are in the lake as of its seal.
 * - W2 Its version is that of the commit which caused it, plus one: above the actor's own row of that commit, below any later one.
 * - W3 A window that the actor has closed needs no owner: the actor sends nothing for it any more, and a late reading computes it.
 * - W4 The actor knows an open window only once a reading entered it on time. Until the store has seen that (the window is *fed*), it
 *   computes the window at each late reading, since nobody else may ever send its row.
 */

import { CLOSED_BY, MINUTE_MS, WINDOW_SIZES_MS, windowStart } from '../reading/window.ts'
import type { SealBuffer } from './buffer.ts'
import type { Segment } from './manifest.ts'
import { anyWithin, KIND_ON_TIME } from './settle.ts'
import type { Settled } from './settle.ts'
import type { Shelf } from './shelf.ts'
import type { SortedRows } from './sort.ts'

const LATE_CODE = CLOSED_BY.indexOf('late')
const OPEN_CODE = CLOSED_BY.indexOf('open')
/** Minutes from the epoch to the latest time that a reading may have are fewer; so minute and series fit one whole number. */
const MINUTES_MAX = 2 ** 27

/** Windows by series key that are open in their actor and hold a late reading, and whether each is fed (W4). */
export class OwnedWindows {
  #bySeries = new Map<string, Map<number, boolean>>()
  size = 0

  /** Gives whether the window was not owned before. */
  add(key: string, size: number, start: number): boolean {
    let codes = this.#bySeries.get(key)
    if (codes === undefined) this.#bySeries.set(key, (codes = new Map()))
    const code = codeOf(size, start)
    if (codes.has(code)) return false
    codes.set(code, false)
    this.size++
    return true
  }

  has(key: string, size: number, start: number): boolean {
    return this.#bySeries.get(key)?.has(codeOf(size, start)) ?? false
  }

  isFed(key: string, size: number, start: number): boolean {
    return this.#bySeries.get(key)?.get(codeOf(size, start)) ?? false
  }

  feed(key: string, size: number, start: number): void {
    const codes = this.#bySeries.get(key)
    if (codes?.has(codeOf(size, start)) === true) codes.set(codeOf(size, start), true)
  }

  delete(key: string, size: number, start: number): void {
    const codes = this.#bySeries.get(key)
    if (codes?.delete(codeOf(size, start)) !== true) return
    this.size--
    if (codes.size === 0) this.#bySeries.delete(key)
  }
}

function codeOf(size: number, start: number): number {
  return start * WINDOW_SIZES_MS.length + size
}

/** A window of a seal: series by rank, index into `WINDOW_SIZES_MS`, epoch ms. */
export interface OwnedWindow {
  readonly series: number
  readonly size: number
  readonly start: number
}

/** A window to compute. */
export interface DirtyWindow extends OwnedWindow {
  version: number
  updatedAt: number
  closedBy: number
  /** Of an open window that is not known to be fed: it is, if it holds a reading from this epoch ms on. Infinity: nobody asks. */
  fedFrom: number
}

/** Windows to compute in this seal, each once. Series are given by rank. */
export class DirtyWindows {
  readonly list: DirtyWindow[] = []
  #by = new Map<number, Map<number, DirtyWindow>>()

  /** Of several causes the newest names the row. */
  add(window: DirtyWindow): void {
    const code = window.series * WINDOW_SIZES_MS.length + window.size
    let starts = this.#by.get(code)
    if (starts === undefined) this.#by.set(code, (starts = new Map()))
    const known = starts.get(window.start)
    if (known === undefined) {
      starts.set(window.start, window)
      this.list.push(window)
      return
    }
    known.fedFrom = Math.max(known.fedFrom, window.fedFrom)
    if (window.version <= known.version) return
    known.version = window.version
    known.updatedAt = window.updatedAt
    known.closedBy = window.closedBy
  }
}

export interface WindowWork {
  readonly dirty: DirtyWindows
  /** Rows of `buffer.windows` that stay as the actor sent them. */
  readonly kept: Int32Array
  /** Windows that became owned. */
  readonly owned: readonly OwnedWindow[]
}

export interface SealView {
  readonly buffer: SealBuffer
  readonly sorted: SortedRows
  readonly rank: Int32Array
  /** By rank. */
  readonly keys: readonly string[]
  readonly settled: Settled
  /** Windows that begin at or before this event time are computed whatever else holds; −Infinity for none. */
  readonly settleUntil: number
}

/** Sorts out what becomes of the windows of a seal. Changes `owned`. */
export function planWindows(view: SealView, owned: OwnedWindows): WindowWork {
  const { buffer, rank, keys, settled } = view
  const dirty = new DirtyWindows()
  const newlyOwned: OwnedWindow[] = []
  const { row } = buffer.old.int
  const { closedUntil, version, updated_at } = buffer.old.double
  for (const o of settled.late) {
    const series = rank[buffer.readings.int.series[row[o]]]
    const key = keys[series]
    const ts = buffer.readings.double.ts[row[o]]
    for (let size = 0; size < WINDOW_SIZES_MS.length; size++) {
      const start = windowStart(ts, WINDOW_SIZES_MS[size])
      const cause = { series, size, start, version: version[o] + 1, updatedAt: updated_at[o], closedBy: LATE_CODE, fedFrom: Infinity }
      if (start + WINDOW_SIZES_MS[size] <= closedUntil[o]) {
        dirty.add(cause)
        owned.delete(key, size, start)
        continue
      }
      if (owned.add(key, size, start)) newlyOwned.push({ series, size, start })
      if (owned.isFed(key, size, start)) continue
      if (fedInSeal(view, series, start, start + WINDOW_SIZES_MS[size])) owned.feed(key, size, start)
      else {
        // Up to there the lake holds readings that the actors of this generation never saw: they say nothing of what is fed.
        dirty.add({ ...cause, fedFrom: start > view.settleUntil ? closedUntil[o] : Infinity })
      }
    }
  }
  const { windows } = buffer
  const newest = newestRows(buffer)
  const kept = new Int32Array(windows.length)
  let keptCount = 0
  for (let i = 0; i < windows.length; i++) {
    if (newest[i] === 0) continue
    const series = rank[windows.int.series[i]]
    const size = windows.int.size[i]
    const start = windows.double.start[i]
    const isOwned = owned.size > 0 && owned.has(keys[series], size, start)
    if (!isOwned && start > view.settleUntil) {
      kept[keptCount++] = i
      continue
    }
    const closedBy = windows.int.closed_by[i]
    dirty.add({ series, size, start, version: windows.double.version[i] + 1, updatedAt: windows.double.updated_at[i], closedBy, fedFrom: Infinity })
    if (closedBy === OPEN_CODE) owned.feed(keys[series], size, start)
    else owned.delete(keys[series], size, start)
  }
  return { dirty, kept: kept.subarray(0, keptCount), owned: newlyOwned }
}

/** By row of `buffer.windows`, 1 where no later row is of the same window: one commit may send a window as open and as closed, under one version. */
function newestRows({ windows }: SealBuffer): Uint8Array {
  const newest = new Uint8Array(windows.length)
  const seen = new Set<number>()
  for (let i = windows.length - 1; i >= 0; i--) {
    const window = (windows.int.series[i] * WINDOW_SIZES_MS.length + windows.int.size[i]) * MINUTES_MAX + windows.double.start[i] / MINUTE_MS
    if (seen.has(window)) continue
    seen.add(window)
    newest[i] = 1
  }
  return newest
}

/** Whether a reading of this seal entered the window on time. */
function fedInSeal({ buffer, sorted, settled }: SealView, series: number, from: number, to: number): boolean {
  const { ts } = buffer.readings.double
  for (let i = sorted.ends[series]; i < sorted.ends[series + 1]; i++) {
    const row = sorted.order[i]
    if (ts[row] >= to) return false
    if (ts[row] >= from && settled.kinds?.[row] === KIND_ON_TIME) return true
  }
  return false
}

/** Has the dirty windows computed, of a seal whose readings are staged. Gives those that turn out to be fed. */
export async function recompute(shelf: Shelf, segments: readonly Segment[], { list }: DirtyWindows): Promise<DirtyWindow[]> {
  const reached = WINDOW_SIZES_MS.map((sizeMs, size) => {
    const starts = Float64Array.from(list.filter((w) => w.size === size), (w) => w.start).sort()
    return segments.filter((s) => s.readingsMin !== null && s.readingsMax !== null && anyWithin(starts, s.readingsMin - sizeMs + 1, s.readingsMax))
  })
  const last = await shelf.compute(list, { reached, last: list.some((w) => w.fedFrom < Infinity) })
  return list.filter(({ fedFrom }, k) => {
    const ts = last.get(k)
    return ts !== undefined && ts >= fedFrom
  })
}
