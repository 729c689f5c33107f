/**
 * The parts of kept views: which segments get them when, and the life of their files.
 *
 * Owns that the files of parts of a segment are together of exactly its readings (view/kept.ts says why that is enough). Leaves the making to the shelf, and
 * the swap of the manifest to writer.ts.
 *
 * - T1 Parts are a cache of their segment: who reads a view reads the segment where they are not there. So a new view needs no moment from which it
 *   follows: its backfill is that segments get their parts, one by one, the newest first, and it is whole before, meanwhile and after.
 * - T2 A merged segment takes over the parts of its inputs as they are: one below the other they are its own, unless something was dropped. So merges
 *   neither wait for views nor slow them down; later its parts are made anew, as one.
 * - T3 Seals get none, since a minute later they are merged; only one that stayed alone for longer does.
 * - T4 A view that fails over a segment is told so there and not tried again: the same readings would fail again.
 */

import { join } from 'node:path'
import type { Clock } from '../../runtime/clock.ts'
import { systemDisk } from '../../runtime/disk.ts'
import type { Disk } from '../../runtime/disk.ts'
import type { KeptView, KeptViews } from '../view/kept.ts'
import { publishFile, segmentsDir } from './manifest.ts'
import type { Manifest, Parts, Segment } from './manifest.ts'
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
/** Readings times views that one job looks at, so that none goes on for hours; one view it looks at in any case. */
const JOB_READINGS_MAX = 256_000_000

/** The views of all tenants, each id once. */
export function viewsById(views: KeptViews): ReadonlyMap<string, ViewOf> {
  return new Map(Object.entries(views).flatMap(([tenant, of]) => Object.values(of).map((view) => [view.id, { tenant, view }] as const)))
}

const readingsOf = ({ rows }: Segment): number => rows.readings ?? 0
const has = (id: string) => (of: Parts) => Object.hasOwn(of.rows, id)

/** The files with parts of a view, of those of its rows; null where its parts over this segment are not stored. */
export function partsFilesOf({ parts = [] }: Pick<Segment, 'parts'>, id: string): string[] | null {
  const found = parts.filter(has(id))
  return found.length === 0 ? null : found.filter(({ rows }) => rows[id] > 0).map(({ file }) => file)
}

/** What is due at `nowMs`, of one segment: parts that are missing, the newest first; else such as lie in several files; null where nothing is. */
export function planParts(segments: readonly Segment[], views: KeptViews, { nowMs, clock, lakeDir }: { nowMs: number; clock: Clock; lakeDir: string }): PartsJob | null {
  const all = [...viewsById(views).values()]
  const newest = segments.filter((s) => readingsOf(s) > 0 && (s.level > 0 || s.sealedFrom + ALONE_AFTER_MS <= nowMs)).sort((a, b) => b.sealedFrom - a.sealedFrom)
  const isMissing = ({ parts = [] }: Segment, id: string) => !parts.some(has(id))
  const isScattered = ({ parts = [] }: Segment, id: string) => parts.filter(has(id)).length > 1
  for (const isDue of [isMissing, isScattered]) {
    for (const segment of newest) {
      const due = all.filter(({ view }) => !Object.hasOwn(segment.failed ?? {}, view.id) && isDue(segment, view.id))
      if (due.length > 0) return { lakeDir, file: partsName(segment, clock), segment, views: due.slice(0, Math.max(1, Math.floor(JOB_READINGS_MAX / readingsOf(segment)))) }
    }
  }
  return null
}

/** A name that never comes twice, as a segment's. */
function partsName({ level }: Segment, clock: Clock): string {
  return `p${level}-${Math.floor(clock.now()).toString(36)}-${clock.nonce(6)}.duckdb`
}

/** Runs a job: gives what the segment's entry then says of parts. Whatever fails leaves at most a file in `tmp`. */
export async function makeParts(job: PartsJob, { shelf, disk = systemDisk, signal }: { shelf: ShelfPort; disk?: Disk; signal?: AbortSignal }): Promise<Made> {
  const { lakeDir, file, segment } = job
  const path = join(lakeDir, 'tmp', file)
  const { rows, failed } = await shelf.parts(job, path, signal)
  await disk.makeReadOnly(path)
  const bytes = await disk.size(path)
  if (bytes === null) throw new Error(`Cannot keep ${path} as parts as it must be there: it is gone`)
  await publishFile(path, join(segmentsDir(lakeDir), file), disk)
  return made([...restricted(segment.parts ?? [], (id) => !Object.hasOwn(rows, id)), { file, bytes, rows }], { ...segment.failed, ...failed })
}

/** What a merged segment has of the parts of its inputs: of views that all of them have. */
export function inheritedParts(inputs: readonly Segment[]): Made {
  const withReadings = inputs.filter((segment) => readingsOf(segment) > 0)
  return made(restricted(withReadings.flatMap(({ parts = [] }) => parts), (id) => withReadings.every(({ parts = [] }) => parts.some(has(id)))), {})
}

/** A segment with the parts of these views alone; the same object where it has no others. */
export function withPartsOf(segment: Segment, views: ReadonlyMap<string, ViewOf>): Segment {
  const { parts = [], failed = {}, ...rest } = segment
  const isKept = (id: string) => views.has(id)
  const ids = [...parts.flatMap(({ rows }) => Object.keys(rows)), ...Object.keys(failed)]
  if (ids.every(isKept)) return segment
  return { ...rest, ...made(restricted(parts, isKept), Object.fromEntries(Object.entries(failed).filter(([id]) => isKept(id)))) }
}

/** A manifest without parts of which a file is not there whole, and without all that lie beside those: they are only a cache, and are made again. */
export async function withWholeParts(lakeDir: string, manifest: Manifest, disk: Disk = systemDisk): Promise<Manifest> {
  const isThere = async ({ file, bytes }: Parts) => (await disk.size(join(segmentsDir(lakeDir), file)).catch(() => null)) === bytes
  const segments: Segment[] = []
  for (const segment of manifest.segments) {
    const { parts = [], failed = {}, ...rest } = segment
    const lost = new Set<string>()
    for (const of of parts) if (!(await isThere(of))) for (const id of Object.keys(of.rows)) lost.add(id)
    segments.push(lost.size === 0 ? segment : { ...rest, ...made(restricted(parts, (id) => !lost.has(id)), failed) })
  }
  return segments.every((segment, i) => segment === manifest.segments[i]) ? manifest : { ...manifest, segments }
}

/** Files of parts by some of the views in them; one with none of these is left out. */
function restricted(parts: readonly Parts[], isKept: (id: string) => boolean): Parts[] {
  return parts.flatMap((of) => {
    const rows = Object.fromEntries(Object.entries(of.rows).filter(([id]) => isKept(id)))
    return Object.keys(rows).length === 0 ? [] : [{ ...of, rows }]
  })
}

function made(parts: readonly Parts[], failed: Readonly<Record<string, string>>): Made {
  return { ...(parts.length === 0 ? {} : { parts }), ...(Object.keys(failed).length === 0 ? {} : { failed }) }
}
