/**
 * The manifest: the one file that says what the lake is.
 *
 * Owns the document and its swap (write, sync, rename, sync the folder). Leaves segments to segment.ts.
 * - M1 A manifest names immutable segments only, all of them synced before it.
 * - M2 `<lake>/manifest-<version>.json`; versions grow by one; the newest that reads whole is the lake. Three are kept.
 */

import type { Position } from '../../runtime/journal.ts'

/** A sealed DuckDB file: `<lake>/segments/<file>`, mode 0444, never written again. */
export interface Segment {
  readonly file: string
  /** 0: as sealed; 1, 2, 3: compacted to a minute, an hour, a day. */
  readonly level: number
  /** When its first and last row were sealed, epoch ms. */
  readonly sealedFrom: number
  readonly sealedTo: number
  readonly bytes: number
  /** Rows of each table. */
  readonly rows: Readonly<Record<string, number>>
  /** Event times of its readings and windows, epoch ms; null where it has none. */
  readonly tsMin: number | null
  readonly tsMax: number | null
}

/** How far one partition is in the lake. */
export interface Covered {
  /** Input up to here is in the lake. */
  readonly input: Position
  /** Last commit in the lake: its sequence in RESULTS. */
  readonly resultsSeq: number
  /** Accepted readings up to here, from the commit. */
  readonly accepted: number
  /** Series that still owed rows at that commit. */
  readonly pending: number
}

export interface Manifest {
  readonly format: 1
  readonly version: number
  /** Store's clock when it was made, epoch ms: information only. */
  readonly madeAt: number
  /** Identity of the RESULTS stream. */
  readonly resultsCreated: string
  /** By partition number. */
  readonly covered: Readonly<Record<string, Covered>>
  readonly segments: readonly Segment[]
  /** Segments replaced by compaction, still on disk until `until` (epoch ms), for readers that opened them. */
  readonly superseded: readonly { readonly file: string; readonly until: number }[]
}
