/**
 * The shelf port: what the lake's writer asks of the engine that keeps its segments, which is DuckDB.
 *
 * Owns the words between the two. Every decision stays above it, in plain functions: the order of rows, which old reading is late or a
 * duplicate, which windows are computed, which segments are reached, what is merged when, and the life of each file. Below it are rows:
 * staged, looked up, computed, written into a file, merged.
 *
 * - H1 A series of a seal is named once, by `begin`; after that it is its rank, its place in the order of the keys.
 * - H2 A shelf writes whole files at the paths it is given, lets go of them before it answers, and never changes or removes one. Syncing
 *   and moving them is its caller's.
 * - H3 Segments never change, so a shelf may keep hold of those it has read, until `letGo`.
 *
 * Two things keep to it, under one conformance suite: duckdb-shelf.ts, and memory-shelf.ts, which is naive on purpose.
 */

import type { Clock } from '../../runtime/clock.ts'
import type { SealBuffer } from './buffer.ts'
import type { Shown } from './catalog.ts'
import type { CompactionJob } from './compaction.ts'
import type { Segment } from './manifest.ts'
import type { PartsFacts, PartsJob } from './parts.ts'
import type { DirtyWindow, OwnedWindow } from './recompute.ts'

/** The lock of a lake: it dies with the process that holds it, however it dies. */
export interface LakeLock {
  release(): void
}

/** The readings of a seal that stay, in order; the first `rows` of each column. */
export interface SealedReadings {
  readonly rows: number
  readonly series: Int32Array
  readonly ts: Float64Array
  readonly value: Float64Array
  readonly receivedAt: Float64Array
}

/** Readings that may be in the lake already. */
export interface Candidates {
  /** What its caller calls each. */
  readonly n: Int32Array
  readonly series: Int32Array
  readonly ts: Float64Array
  readonly value: Float64Array
}

/** What a segment is made of, beside the readings that were staged and the windows that were computed. */
export interface SealContent {
  /** Its plain rows, rejects and ledger go in as they are, its windows as `kept` says. */
  readonly buffer: SealBuffer
  readonly rank: Int32Array
  /** Rows of `buffer.windows` that go in as the actor sent them. */
  readonly kept: Int32Array
  readonly owned: readonly OwnedWindow[]
}

/** What a finished file holds, for its entry in a manifest: rows by table, the span of its event times, epoch ms, and its tenant where it is of one. */
export type SegmentFacts = Pick<Segment, 'rows' | 'tsMin' | 'tsMax' | 'readingsMin' | 'readingsMax' | 'tenant'>

/** A window of the list of owned ones, as the lake names it. */
export interface OwnedRow {
  /** Tenant, device and metric, each ended by a line feed but the last. */
  readonly key: string
  /** Index into `WINDOW_SIZES_MS`. */
  readonly size: number
  readonly start: number
}

/** One lake's engine, open for writing. One call at a time. */
export interface Shelf {
  /** Begins a seal of series with these keys, in order; forgets the one before. */
  begin(keys: readonly string[]): Promise<void>
  /** Gives `n` of each candidate of which `segments` hold a reading of the same series, time and value. */
  known(candidates: Candidates, segments: readonly Segment[]): Promise<ReadonlySet<number>>
  /** Takes the readings of the seal. */
  stage(readings: SealedReadings): Promise<void>
  /**
   * Computes windows from all readings of theirs that were staged or lie in `reached`, by size; one without any gets no row. Where `last` is
   * asked for, gives the newest event time of each that got one, by its index.
   */
  compute(windows: readonly DirtyWindow[], options: { reached: readonly (readonly Segment[])[]; last: boolean }): Promise<ReadonlyMap<number, number>>
  /** Writes the seal as a file at `path`. */
  write(path: string, content: SealContent): Promise<SegmentFacts>
  /** Owned windows in the list of `segments` whose newest row is not one that the actor closed. */
  owned(segments: readonly Segment[]): Promise<OwnedRow[]>
  /** Writes the views of a lake as a file at `path`; `folder` is where its segments lie. */
  writeViews(path: string, manifest: Shown, folder: string): Promise<void>
  /** Lets go of the segments that `keep` does not name. */
  letGo(keep: ReadonlySet<string>): Promise<void>
  close(): void
}

/** An engine before it is opened. */
export interface ShelfPort {
  /** Takes the lock of a lake, and makes its folder. Throws `OperatingError` `config` where another process keeps it. */
  lock(lakeDir: string, clock: Clock): Promise<LakeLock>
  open(lakeDir: string, options?: { memoryMiB?: number }): Promise<Shelf>
  /** Merges the inputs of a job into one file at `path`, beside whatever else the lake does. Rejects soon after `signal` aborts. */
  merge(job: CompactionJob, path: string, signal?: AbortSignal): Promise<SegmentFacts>
  /** Writes the parts of a segment's readings that a job asks for as a file at `path`, as `merge` does. One view's failure is not another's. */
  parts(job: PartsJob, path: string, signal?: AbortSignal): Promise<PartsFacts>
}
