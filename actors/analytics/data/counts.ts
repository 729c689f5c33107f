/**
 * Counts of series in the lake: where they come from when a manifest brings new segments.
 *
 * A seal holds the rows of the commits that it covers, less old rows that were duplicates. So the commits' own counts are taken
 * where they add up to what the manifest says, and the segments are read for the rest only: a seal of a million series must not
 * cost a million rows each two seconds.
 */

import { FATE_OLD } from './fresh.ts'
import type { FreshCommit, FreshRows } from './fresh.ts'
import { text } from './lake.ts'
import type { Columns, Lake, LakeVersion } from './lake.ts'
import type { SeriesEntry } from './series-catalog.ts'

/** Where the counts of new segments come from. */
export interface CountPlan {
  /** Everything is counted anew. */
  readonly whole: boolean
  /** Segments to be read; null: all. */
  readonly files: ReadonlySet<string> | null
  /** Whether the counts of the covered commits are taken, for all series but the doubtful ones. */
  readonly trusted: boolean
  /** Series whose old rows may have been duplicates. */
  readonly doubtful: ReadonlySet<SeriesEntry>
}

const NONE: ReadonlySet<SeriesEntry> = new Set()
/** Doubtful series beyond which the whole segments are read. */
const DOUBTFUL_MAX = 2_000

/** The series of a commit, with the rows that count of each. */
export function eachCount(commit: FreshCommit, visit: (entry: SeriesEntry, count: number) => void): void {
  for (const { entries, counts } of commit.blocks) for (let s = 0; s < entries.length; s++) visit(entries[s], counts[s])
}

/** What the tail knows when a manifest comes. */
export interface Known {
  readonly fresh: FreshRows
  /** Whether fresh commits were let go before a manifest covered them. */
  readonly shed: boolean
  /** Readings in the lake before, by the catalog's own count. */
  readonly sealed: number
  /** Identity of RESULTS, and the newest commit read of each partition. */
  readonly resultsCreated: string
  readonly newest: readonly number[]
  /** Whether all may be counted anew at this moment, where it must be. */
  readonly mayRebuild: () => boolean
}

/** What has to be read of the new segments, for the counts to be what the lake has. */
export function planCounts(before: LakeVersion, version: LakeVersion, known: Known): CountPlan {
  const { fresh, shed, sealed, resultsCreated, newest, mayRebuild } = known
  const manifest = version.manifest!
  const attached = new Set(before.attached.map((a) => a.segment.file))
  const files = new Set(manifest.segments.filter((s) => s.level === 0 && !attached.has(s.file)).map((s) => s.file))
  const added = manifest.segments.reduce((sum, s) => sum + (files.has(s.file) ? (s.rows.readings ?? 0) : 0), 0)
  // Compaction keeps rows; where the sum says otherwise rows have left (retention), or came by segments that were never seen.
  const whole = before.manifest === null || (sealed + added !== version.readings && mayRebuild())
  if (whole) return { whole, files: null, trusted: false, doubtful: NONE }
  const same = manifest.resultsCreated === resultsCreated
  const coveredSeq = (partition: number) => (same ? (manifest.covered[partition]?.resultsSeq ?? 0) : 0)
  const seen = same && newest.every((seq, partition) => coveredSeq(partition) <= seq)
  if (!seen || shed) return { whole, files, trusted: false, doubtful: NONE }
  // Every commit that the manifest covers is known here, so the segments hold its rows, less the old ones that were duplicates.
  const commits = fresh.covered(coveredSeq)
  let expected = 0
  for (const commit of commits) eachCount(commit, (_, count) => (expected += count))
  if (expected === added) return { whole, files: new Set(), trusted: true, doubtful: NONE }
  const doubtful = new Set<SeriesEntry>()
  for (const commit of commits) {
    for (const { fates, entries, block } of commit.blocks) {
      if (fates !== null) for (let i = 0; i < fates.length; i++) if (fates[i] === FATE_OLD) doubtful.add(entries[block.row[i]])
    }
  }
  if (doubtful.size > DOUBTFUL_MAX) return { whole, files, trusted: false, doubtful: NONE }
  return { whole, files, trusted: true, doubtful }
}

/** Reads what the segments of a plan hold of each series (of the doubtful ones alone, where the others are known). */
export async function readCounts(lake: Lake, version: LakeVersion, { files, trusted, doubtful }: CountPlan): Promise<Columns> {
  if (files !== null && files.size === 0) return []
  const names = [...doubtful].map((e) => `(${text(e.tenant)}, ${text(e.device)}, ${text(e.metric)})`)
  const only = !trusted ? '' : names.length === 0 ? ' WHERE false' : ` WHERE (tenant, device, metric) IN (${names.join(', ')})`
  // A merged segment says of itself what it holds of each series; those of an earlier version do not, and reading them takes what it takes: a store
  // that gave up here could never start.
  const summed = files === null ? version.reached('series', {}).map((a) => a.segment.file) : []
  const read = files ?? new Set(version.reached('readings', {}).map((a) => a.segment.file).filter((file) => !summed.includes(file)))
  return lake.query(
    `SELECT tenant, device, metric, sum(n)::DOUBLE, epoch_ms(min(first))::DOUBLE, epoch_ms(max(last))::DOUBLE, arg_max(v, (last, v)), epoch_ms(arg_max(received, (last, v)))::DOUBLE FROM (
       SELECT tenant, device, metric, count AS n, first, last, value AS v, received_at AS received FROM ${version.relation('series', { files: new Set(summed) })} WHERE count > 0
       UNION ALL
       SELECT tenant, device, metric, count(*), min(ts), max(ts), arg_max(value, (ts, value)), arg_max(received_at, (ts, value))
       FROM ${version.relation('readings', { files: read })}${only} GROUP BY tenant, device, metric)
     GROUP BY tenant, device, metric`,
    [],
    { deadline: false },
  )
}
