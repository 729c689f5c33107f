/**
 * The parts of kept views: which segments get them when, and the life of their files.
 *
 * Owns that a file of parts lies beside a segment and is of exactly its readings (view/kept.ts says why that is enough). Leaves the making to the shelf, and
 * the swap of the manifest to writer.ts.
 *
 * - T1 Parts are a cache of their segment: who reads a view reads the segment where they are not there. So a new view needs no moment from which it
 *   follows: its backfill is that segments get their parts, one by one, the newest first, and it is whole before, meanwhile and after.
 * - T2 A merged segment comes with its parts, made of its own readings: nothing is carried on from the parts of what was merged.
 * - T3 Seals get none, since a minute later they are merged; only one that stayed alone for longer does.
 * - T4 A view that fails over a segment is told so there and not tried again: the same readings would fail again.
 */

import { join } from 'node:path'
import type { Clock } from '../../runtime/clock.ts'
import { systemDisk } from '../../runtime/disk.ts'
import type { Disk } from '../../runtime/disk.ts'
import type { KeptView, KeptViews } from '../view/kept.ts'
import { publishFile, segmentsDir } from './manifest.ts'
import type { Parts, Segment } from './manifest.ts'
import type { ShelfPort } from './shelf.ts'

/** A view and whose it is. */
export interface ViewOf {
  readonly tenant: string
  readonly view: KeptView
}

/** Plain data, so that it can be sent to another process. */
export interface PartsJob {
  readonly lakeDir: string
  readonly file: string
  readonly segment: Segment
  readonly views: readonly ViewOf[]
}

/** What a file of parts holds, and which views failed, by their ids. */
export interface PartsFacts {
  readonly rows: Readonly<Record<string, number>>
  readonly failed: Readonly<Record<string, string>>
}

/** What a job adds to its segment's entry. */
export type Made = Pick<Segment, 'parts' | 'failed'>

/** A seal that is older than this will not be merged with its minute. */
const ALONE_AFTER_MS = 120_000

/** The views of all tenants, each id once. */
export function viewsById(views: KeptViews): ReadonlyMap<string, ViewOf> {
  return new Map(Object.entries(views).flatMap(([tenant, of]) => Object.values(of).map((view) => [view.id, { tenant, view }] as const)))
}

/** The views of which a segment has neither parts nor a reason why not. */
export function missingViews({ parts = [], failed = {} }: Segment, views: ReadonlyMap<string, ViewOf>): ViewOf[] {
  return [...views].filter(([id]) => !Object.hasOwn(failed, id) && !parts.some(({ rows }) => Object.hasOwn(rows, id))).map(([, of]) => of)
}

/** The parts that are due at `nowMs`, of one segment, the newest first; null where none are. */
export function planParts(segments: readonly Segment[], views: KeptViews, { nowMs, clock, lakeDir }: { nowMs: number; clock: Clock; lakeDir: string }): PartsJob | null {
  const all = viewsById(views)
  if (all.size === 0) return null
  for (const segment of [...segments].sort((a, b) => b.sealedFrom - a.sealedFrom)) {
    if (segment.level === 0 && segment.sealedFrom + ALONE_AFTER_MS > nowMs) continue
    const missing = missingViews(segment, all)
    if (missing.length > 0) return { lakeDir, file: partsName(segment, clock), segment, views: missing }
  }
  return null
}

/** A name that never comes twice, as a segment's. */
export function partsName({ level }: Segment, clock: Clock): string {
  return `p${level}-${Math.floor(clock.now()).toString(36)}-${clock.nonce(6)}.duckdb`
}

/** Runs a job: gives the segment's entry as it is with the parts. Whatever fails leaves at most a file in `tmp`. */
export async function makeParts(job: PartsJob, { shelf, disk = systemDisk, signal }: { shelf: ShelfPort; disk?: Disk; signal?: AbortSignal }): Promise<Made> {
  const { lakeDir, file, segment } = job
  const path = join(lakeDir, 'tmp', file)
  const { rows, failed } = await shelf.parts(job, path, signal)
  await disk.makeReadOnly(path)
  const bytes = await disk.size(path)
  if (bytes === null) throw new Error(`Cannot keep ${path} as parts as it must be there: it is gone`)
  await publishFile(path, join(segmentsDir(lakeDir), file), disk)
  const parts: Parts[] = [...(segment.parts ?? []), { file, bytes, rows }]
  const known = { ...segment.failed, ...failed }
  return { parts, ...(Object.keys(known).length === 0 ? {} : { failed: known }) }
}

/** A segment without the parts of views that are no more; the same object where it has none. Files that others are in stay. */
export function withoutOthers(segment: Segment, views: ReadonlyMap<string, ViewOf>): Segment {
  const { parts = [], failed = {}, ...rest } = segment
  const kept = parts.filter(({ rows }) => Object.keys(rows).length === 0 || Object.keys(rows).some((id) => views.has(id)))
  const stillFailed = Object.entries(failed).filter(([id]) => views.has(id))
  if (kept.length === parts.length && stillFailed.length === Object.keys(failed).length) return segment
  return { ...rest, ...(kept.length === 0 ? {} : { parts: kept }), ...(stillFailed.length === 0 ? {} : { failed: Object.fromEntries(stillFailed) }) }
}

/** Where the parts of a view over a segment's readings are: the file, null for none without a row; undefined where they are not stored. */
export function partsFileOf({ parts = [] }: Pick<Segment, 'parts'>, id: string): string | null | undefined {
  const found = parts.find(({ rows }) => Object.hasOwn(rows, id))
  if (found === undefined) return undefined
  return found.rows[id] > 0 ? found.file : null
}
