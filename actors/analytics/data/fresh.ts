/**
 * Fresh rows: what commits say beyond the newest manifest, kept in memory until a manifest covers it.
 *
 * Owns these commits, partition by partition, and the fates of their rows. Leaves the catalog's counts to the tail.
 *
 * - R1 Lake and fresh rows of one view never overlap: a commit is fresh exactly while its sequence lies beyond what the
 *   manifest covers of its partition.
 * - R2 A row that the actor called old may be in the lake already (the store finds out); readers of fresh rows are told, and
 *   take it for the same row where time and value are equal.
 */

import { isOwn, OWN_FIRST, OWN_MAX } from '../../../runtime/topology.ts'
import type { PartitionEffects } from '../../partition/effects.ts'
import type { Block } from '../../reading/input.ts'
import type { SeriesEntry, SeriesFilter } from './series-catalog.ts'
import { matches } from './series-catalog.ts'

export const FATE_KEPT = 0
export const FATE_OLD = 1
export const FATE_DUPLICATE = 2
export const FATE_EXPIRED = 3

/** Columns of a block: its names are in the entries. */
export type FreshColumns = Pick<Block, 'tenant' | 'row' | 'ts' | 'value'>

export interface FreshBlock {
  readonly timeMs: number
  readonly block: FreshColumns
  /** By the block's series index. */
  readonly entries: readonly SeriesEntry[]
  /** Rows of each series that count: neither duplicate nor expired. */
  readonly counts: Uint32Array
  /** By row, one of FATE_…; null where every row is on time. */
  readonly fates: Uint8Array | null
  readonly tsMin: number
  readonly tsMax: number
}

export interface FreshRejects {
  readonly timeMs: number
  readonly tenant: string
  readonly counts: readonly (readonly [device: string, count: number])[]
  readonly samples: readonly (readonly [reason: string, reading: string])[]
}

export interface FreshCommit {
  readonly partition: number
  /** In RESULTS. */
  readonly seq: number
  /** Of the commit, epoch ms. */
  readonly timeMs: number
  readonly effects: PartitionEffects
  readonly blocks: readonly FreshBlock[]
  readonly rejects: readonly FreshRejects[]
  readonly rows: number
}

/**
 * What is kept of a block, in one piece of memory of its own: as they were decoded, columns may be views that hold the whole message, and
 * what came with it.
 */
export function columnsOf({ tenant, row, ts, value }: FreshColumns): FreshColumns {
  const n = ts.length
  const memory = new ArrayBuffer(n * (2 * ts.BYTES_PER_ELEMENT + row.BYTES_PER_ELEMENT))
  const kept = { tenant, ts: new Float64Array(memory, 0, n), value: new Float64Array(memory, n * 8, n), row: new Uint16Array(memory, n * 16, n) }
  kept.ts.set(ts)
  kept.value.set(value)
  kept.row.set(row)
  return kept
}

/** Fresh commits of one moment, by partition, each in order. */
export type FreshView = readonly (readonly FreshCommit[])[]

export class FreshRows {
  #partitions: FreshCommit[][]
  /** Rows kept of each partition. */
  #rowsOf: number[]
  /** Rows kept. */
  rows = 0
  #rowsMax: number
  /** Partitions of devices; those of own actors stand behind them. */
  #shared: number

  constructor(partitions: number, rowsMax: number) {
    this.#shared = partitions
    this.#partitions = Array.from({ length: partitions + OWN_MAX }, () => [])
    this.#rowsOf = new Array<number>(partitions + OWN_MAX).fill(0)
    this.#rowsMax = rowsMax
  }

  #slotOf(partition: number): number {
    return isOwn(partition) ? this.#shared + partition - OWN_FIRST : partition
  }

  #partitionOf(slot: number): number {
    return slot < this.#shared ? slot : OWN_FIRST + slot - this.#shared
  }

  add(commit: FreshCommit): void {
    this.#partitions[this.#slotOf(commit.partition)].push(commit)
    this.#rowsOf[this.#slotOf(commit.partition)] += commit.rows
    this.rows += commit.rows
  }

  /** The commits that a manifest covers, which says up to which sequence by partition. */
  covered(coveredSeq: (partition: number) => number): FreshCommit[] {
    return this.#partitions.flatMap((commits, slot) => commits.slice(0, countUntil(commits, coveredSeq(this.#partitionOf(slot)))))
  }

  /** Takes them out, and gives them. */
  settle(coveredSeq: (partition: number) => number): FreshCommit[] {
    const settled = this.#partitions.flatMap((commits, slot) => commits.splice(0, countUntil(commits, coveredSeq(this.#partitionOf(slot)))))
    for (const commit of settled) this.#forget(commit)
    return settled
  }

  /** Takes out and gives the oldest commits of the fullest partition, while there are more rows than may be kept. */
  shed(): FreshCommit[] {
    const shed: FreshCommit[] = []
    while (this.rows > this.#rowsMax) {
      const fullest = this.#rowsOf.indexOf(Math.max(...this.#rowsOf))
      const commit = this.#partitions[fullest].shift()!
      this.#forget(commit)
      shed.push(commit)
    }
    return shed
  }

  #forget({ partition, rows }: FreshCommit): void {
    this.#rowsOf[this.#slotOf(partition)] -= rows
    this.rows -= rows
  }

  /** The commits of this moment; what comes later does not change the answer. */
  view(): FreshView {
    return this.#partitions.map((commits) => commits.slice())
  }

  *blocks(): Generator<FreshBlock> {
    for (const commits of this.#partitions) for (const commit of commits) yield* commit.blocks
  }
}

function countUntil(commits: readonly FreshCommit[], seq: number): number {
  let n = 0
  while (n < commits.length && commits[n].seq <= seq) n++
  return n
}

/** Fresh readings as columns. */
export interface FreshReadings {
  readonly device: string[]
  readonly metric: string[]
  readonly ts: number[]
  readonly value: number[]
  readonly receivedAt: number[]
  /** Whether any of them may be in the lake already. */
  old: boolean
}

/** Times asked for, epoch ms: from inclusive, to exclusive. */
export interface Range {
  readonly from: number
  readonly to: number
}

/** What is told of a fresh reading; `isOld`: it may be in the lake already. */
type FreshVisit = (entry: SeriesEntry, ts: number, value: number, receivedAt: number, isOld: boolean) => void

/** Visits the fresh readings that pass, in no order. `range` is looked at for each, so that a visit may narrow it. */
export function eachFresh(view: FreshView, tenant: string, filter: SeriesFilter, range: Range, visit: FreshVisit): void {
  for (const commits of view) {
    for (const commit of commits) {
      for (const { block, entries, fates, timeMs, tsMin, tsMax } of commit.blocks) {
        if (block.tenant !== tenant || tsMax < range.from || tsMin >= range.to) continue
        const wanted = wantedSeries(entries, filter)
        if (wanted === null) continue
        const { row, ts, value } = block
        for (let i = 0; i < ts.length; i++) {
          const t = ts[i]
          if (t < range.from || t >= range.to || wanted[row[i]] === 0) continue
          const fate = fates === null ? FATE_KEPT : fates[i]
          if (fate <= FATE_OLD) visit(entries[row[i]], t, value[i], timeMs, fate === FATE_OLD)
        }
      }
    }
  }
}

/**
 * Fresh readings that pass, in no order. With `limit`, those whose times can't be among the `limit` earliest may be left out.
 */
export function freshReadings(view: FreshView, tenant: string, filter: SeriesFilter, range: Range, limit = Infinity): FreshReadings {
  const out: FreshReadings = { device: [], metric: [], ts: [], value: [], receivedAt: [], old: false }
  const within = { ...range }
  const cut = () => {
    // The rows beyond the limit's time are of no use, and neither are later ones that come: the range shrinks.
    const bound = Float64Array.from(out.ts).sort()[limit - 1]
    let kept = 0
    for (let i = 0; i < out.ts.length; i++) {
      if (out.ts[i] > bound) continue
      out.device[kept] = out.device[i]
      out.metric[kept] = out.metric[i]
      out.ts[kept] = out.ts[i]
      out.value[kept] = out.value[i]
      out.receivedAt[kept++] = out.receivedAt[i]
    }
    for (const column of [out.device, out.metric, out.ts, out.value, out.receivedAt]) column.length = kept
    within.to = Math.min(within.to, bound + 1)
  }
  let next = limit * 4 + 10_000
  eachFresh(view, tenant, filter, within, (entry, ts, value, receivedAt, isOld) => {
    if (isOld) out.old = true
    out.device.push(entry.device)
    out.metric.push(entry.metric)
    out.ts.push(ts)
    out.value.push(value)
    out.receivedAt.push(receivedAt)
    if (out.ts.length > next) {
      cut()
      next = Math.max(limit * 4 + 10_000, out.ts.length * 2)
    }
  })
  return out
}

/** By series of a block: whether it passes; null where none does. */
export function wantedSeries(entries: readonly SeriesEntry[], filter: SeriesFilter): Uint8Array | null {
  const wanted = new Uint8Array(entries.length)
  let any = false
  for (let s = 0; s < entries.length; s++) {
    if (matches(filter, entries[s].device, entries[s].metric)) {
      wanted[s] = 1
      any = true
    }
  }
  return any ? wanted : null
}

type FreshAnomaly = [device: string, metric: string, ts: number, value: number, ...rest: unknown[]]

/** Fresh anomalies that pass, as rows `[device, metric, ts, value, score, expected, lower, upper, reason, kind, part]`, in no order. */
export function freshAnomalies(view: FreshView, { tenant, filter }: { readonly tenant: string; readonly filter: SeriesFilter }, range: Range, minScore: number): FreshAnomaly[] {
  const rows: FreshAnomaly[] = []
  for (const commits of view) {
    for (const { effects } of commits) {
      for (const a of effects.anomalies) {
        const name = effects.series[a.series]
        if (name.tenant !== tenant || a.score < minScore || a.ts < range.from || a.ts >= range.to) continue
        if (!matches(filter, name.device, name.metric)) continue
        rows.push([name.device, name.metric, a.ts, a.value, a.score, a.expected, a.lower, a.upper, a.reason, a.kind ?? null, a.part ?? null])
      }
    }
  }
  return rows
}
