/**
 * The manifest: the one file that says what the lake is.
 *
 * Owns the document and its swap (write, sync, rename, sync the folder). Leaves segments to segment.ts.
 * - M1 A manifest names immutable segments only, all of them synced before it.
 * - M2 `<lake>/manifest-<version>.json`; versions grow by one; the newest that reads whole is the lake. Three are kept.
 */

import { dirname, join } from 'node:path'
import { systemDisk } from '../../runtime/disk.ts'
import type { Disk } from '../../runtime/disk.ts'
import { OperatingError } from '../../runtime/errors.ts'
import type { Position } from '../../runtime/journal.ts'
import { isKeptView, isViewName } from '../view/kept.ts'
import type { KeptViews } from '../view/kept.ts'
import { isSoundView } from './own-views.ts'
import type { OwnViews } from './own-views.ts'

/** A file of parts of kept views, beside a segment some or all of whose readings they are of: `<lake>/segments/<file>`, never written again. */
export interface Parts {
  readonly file: string
  readonly bytes: number
  /** Rows by the view's id; of one without any there is no table. */
  readonly rows: Readonly<Record<string, number>>
}

/** A sealed DuckDB file: `<lake>/segments/<file>`, mode 0444, never written again. */
export interface Segment {
  readonly file: string
  /** 0: as sealed; 1, 2, 3, 4: compacted to a minute, an hour, a day, 32 days. */
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
  /** The same of its readings alone. */
  readonly readingsMin: number | null
  readonly readingsMax: number | null
  /** The tenant of all its rows; absent where they are of several, or where nobody has looked. */
  readonly tenant?: string
  /** `FORM` of the version that wrote it: segments of one form have the same columns. Absent of those written before there was such. */
  readonly form?: string
  /** Parts of its readings: those of a view in one or several of these files; absent where there are none yet. */
  readonly parts?: readonly Parts[]
  /** Of views whose parts could not be made of it, why, by their id. */
  readonly failed?: Readonly<Record<string, string>>
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

/** A segment that was replaced, and stays on disk until `until` (epoch ms). `dropped`: retention has replaced it by nothing, or by little. */
export interface Superseded {
  readonly file: string
  readonly until: number
  readonly dropped?: true
}

export interface Manifest {
  readonly format: 1
  readonly version: number
  /** Store's clock when it was made, epoch ms: information only. */
  readonly madeAt: number
  /** Identity of the RESULTS stream. */
  readonly resultsCreated: string
  /** Added to a sequence of RESULTS for the version of a row, so that versions grow on when RESULTS is made anew. */
  readonly resultsBase: number
  /** First sequence of RESULTS that a restart must read, and of each input stream: they only save reading. */
  readonly resultsFrom: number
  readonly inputFrom: Readonly<Record<string, { readonly created: string; readonly seq: number }>>
  /**
   * Event time, epoch ms, of the newest reading at the moment when a stream was found made anew, or null. The actors of a new
   * generation know nothing of the lake, so readings and windows up to it are settled by the store.
   */
  readonly settleUntil: number | null
  /**
   * Event time, epoch ms, before which the lake was cut to fit its size; absent where it never was. It never goes back: a reading from before it that
   * comes late counts as expired, since its windows would lack those that were dropped.
   */
  readonly floorMs?: number
  /** Views of own actors whose rows are in the lake; absent where there never was one. */
  readonly ownViews?: OwnViews
  /** Views that are kept; absent where there never was one. */
  readonly views?: KeptViews
  /** By partition number. */
  readonly covered: Readonly<Record<string, Covered>>
  readonly segments: readonly Segment[]
  /** Segments replaced by compaction, still on disk until `until` (epoch ms), for readers that opened them. */
  readonly superseded: readonly Superseded[]
}

/** Manifests that are kept. */
export const MANIFESTS_KEPT = 3

const NAME = /^manifest-(\d+)\.json$/

export function manifestPath(lakeDir: string, version: number): string {
  return join(lakeDir, `manifest-${version}.json`)
}

export function segmentsDir(lakeDir: string): string {
  return join(lakeDir, 'segments')
}

/** Versions whose manifest lies in the folder, newest first, whether they read or not. */
export async function manifestVersions(lakeDir: string, disk: Disk = systemDisk): Promise<number[]> {
  const versions = ((await disk.list(lakeDir)) ?? []).flatMap((name) => {
    const match = NAME.exec(name)
    return match === null ? [] : [Number(match[1])]
  })
  return versions.sort((a, b) => b - a)
}

/**
 * The newest of them, which are those that a lake may go back to. An older one may still lie there, where it could not be removed or a
 * power cut has brought it back; but the logs may be purged already of what it lacks.
 */
export async function keptVersions(lakeDir: string, disk: Disk = systemDisk): Promise<number[]> {
  return (await manifestVersions(lakeDir, disk)).slice(0, MANIFESTS_KEPT)
}

/** The manifest of one version, or null where it does not read whole. */
export async function readManifest(lakeDir: string, version: number, disk: Disk = systemDisk): Promise<Manifest | null> {
  try {
    const bytes = await disk.read(manifestPath(lakeDir, version))
    if (bytes === null) return null
    const read = JSON.parse(new TextDecoder().decode(bytes)) as Manifest
    return read.format === 1 && read.version === version && isWhole(read) ? read : null
  } catch {
    return null
  }
}

const isCount = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 0
const isTime = (ms: unknown): boolean => Number.isFinite(ms)
const isFileName = (name: unknown): boolean => typeof name === 'string' && name !== '' && !name.includes('/')

/** Whether everything is there that a store goes on from: a file whose bytes turned on the disk may still be JSON. */
function isWhole({ madeAt, resultsCreated, resultsBase, resultsFrom, inputFrom, settleUntil, floorMs = 0, ownViews = {}, views = {}, covered, segments, superseded }: Manifest): boolean {
  const heads = isTime(madeAt) && typeof resultsCreated === 'string' && isTime(resultsBase) && isCount(resultsFrom) && (settleUntil === null || isTime(settleUntil)) && isTime(floorMs)
  const place = (p: { created: string; seq: number }) => typeof p.created === 'string' && isCount(p.seq)
  const maybe = (ms: number | null) => ms === null || isTime(ms)
  const partition = (c: Covered) => place(c.input) && isTime(c.input.timeMs) && [c.resultsSeq, c.accepted, c.pending].every(isCount)
  const segment = (s: Segment) => {
    const spans = [s.tsMin, s.tsMax, s.readingsMin, s.readingsMax].every(maybe) && isTime(s.sealedFrom) && isTime(s.sealedTo)
    const said = [s.tenant, s.form].every((text) => text === undefined || typeof text === 'string')
    const parts = (s.parts ?? []).every(({ file, bytes, rows }) => isFileName(file) && [bytes, ...Object.values(rows)].every(isCount))
    return isFileName(s.file) && spans && said && parts && [s.level, s.bytes, ...Object.values(s.rows)].every(isCount)
  }
  const lists = segments.every(segment) && superseded.every(({ file, until }) => isFileName(file) && isTime(until))
  const kept = Object.entries(views).every(([tenant, of]) => Object.entries(of).every(([name, view]) => isViewName(name) && isKeptView(tenant, view)))
  return heads && lists && kept && Object.entries(ownViews).every(([actor, columns]) => isSoundView(actor, columns)) && Object.values(inputFrom).every(place) && Object.values(covered).every(partition)
}

/** The newest manifest that reads whole; null of a lake that has none yet. Throws `OperatingError` `config` where some are there and none reads. */
export async function readNewestManifest(lakeDir: string, disk: Disk = systemDisk): Promise<Manifest | null> {
  // The writer may swap the kept ones away between the listing and the reading: the second look then finds the new ones.
  for (let look = 0; look < 2; look++) {
    const versions = await keptVersions(lakeDir, disk)
    if (versions.length === 0) return null
    for (const version of versions) {
      const manifest = await readManifest(lakeDir, version, disk)
      if (manifest !== null) return manifest
    }
  }
  throw new OperatingError(
    'config',
    `Cannot open the lake as one of its manifests must read whole: none in ${lakeDir} does. Restore the folder from a copy, or move it away so that a new lake is filled from the logs`,
  )
}

/** The files of a segment: its own, and those of its parts. */
export function filesOf({ file, parts = [] }: Segment): string[] {
  return [file, ...parts.map((of) => of.file)]
}

/** What its files take, bytes. */
export function bytesOf({ bytes, parts = [] }: Segment): number {
  return parts.reduce((sum, of) => sum + of.bytes, bytes)
}

/** Makes the folders of a lake where they are missing, such that a power cut can't take them with all that is in them. */
export async function makeLake(lakeDir: string, disk: Disk = systemDisk): Promise<void> {
  await disk.makeFolder(lakeDir)
  await disk.makeFolder(segmentsDir(lakeDir))
  await disk.makeFolder(join(lakeDir, 'tmp'))
}

/** Syncs a finished file, moves it to its name, and syncs that name's folder. Only for files that DuckDB has let go of. */
export async function publishFile(from: string, to: string, disk: Disk = systemDisk): Promise<void> {
  await disk.syncFile(from)
  await disk.rename(from, to)
  await disk.syncFolder(dirname(to))
}

/** The commit of the lake: written, synced, renamed, folder synced; then all but the newest three are removed. */
export async function writeManifest(lakeDir: string, manifest: Manifest, disk: Disk = systemDisk): Promise<void> {
  const path = manifestPath(lakeDir, manifest.version)
  const temporary = `${path}.tmp`
  await disk.write(temporary, new TextEncoder().encode(JSON.stringify(manifest)))
  await publishFile(temporary, path, disk)
  for (const version of (await manifestVersions(lakeDir, disk)).slice(MANIFESTS_KEPT)) await disk.remove(manifestPath(lakeDir, version)).catch(() => {})
}

/**
 * Removes segments that none of the kept manifests names, neither as its own nor as superseded and still shown. Gives the names
 * removed. Removes nothing where any of the kept manifests does not read, or none is there. `spared`: a file that the next manifest may name.
 */
export async function sweep(lakeDir: string, disk: Disk = systemDisk, spared: string | null = null): Promise<string[]> {
  const versions = await keptVersions(lakeDir, disk)
  const named = new Set<string>(spared === null ? [] : [spared])
  for (const version of versions) {
    const manifest = await readManifest(lakeDir, version, disk)
    if (manifest === null) return []
    for (const segment of manifest.segments) for (const file of filesOf(segment)) named.add(file)
    for (const old of manifest.superseded) named.add(old.file)
  }
  if (versions.length === 0) return []
  const removed: string[] = []
  for (const file of (await disk.list(segmentsDir(lakeDir))) ?? []) {
    if (named.has(file)) continue
    await disk.remove(join(segmentsDir(lakeDir), file))
    removed.push(file)
  }
  return removed
}

/** Segments of a manifest that are not in the folder with the bytes that it says. */
export async function missingSegments(lakeDir: string, manifest: Manifest, disk: Disk = systemDisk): Promise<string[]> {
  const missing: string[] = []
  for (const segment of manifest.segments) {
    const bytes = await disk.size(join(segmentsDir(lakeDir), segment.file)).catch(() => null)
    if (bytes !== segment.bytes) missing.push(segment.file)
  }
  return missing
}

/** A manifest that was passed over: the segments that are not there whole; null where it does not itself read whole. */
export interface PassedOver {
  readonly version: number
  readonly missing: readonly string[] | null
}

/**
 * The newest manifest that reads whole and whose segments are all there, and what was passed over for it; null of a lake that has none
 * yet. Throws `OperatingError` `config` where some are there and none will do.
 */
export async function readNewestWhole(lakeDir: string, disk: Disk = systemDisk): Promise<{ manifest: Manifest; passed: PassedOver[] } | null> {
  if ((await readNewestManifest(lakeDir, disk)) === null) return null
  let first = ''
  // As above: what a second look misses is missing.
  for (let look = 0; look < 2; look++) {
    const passed: PassedOver[] = []
    for (const version of await keptVersions(lakeDir, disk)) {
      const manifest = await readManifest(lakeDir, version, disk)
      const missing = manifest === null ? null : await missingSegments(lakeDir, manifest, disk)
      if (manifest !== null && missing?.length === 0) return { manifest, passed }
      passed.push({ version, missing })
    }
    first = passed.find((of) => of.missing !== null)?.missing?.[0] ?? ''
  }
  throw new OperatingError(
    'config',
    `Cannot open the lake as all segments of one of its manifests must be there whole: none in ${lakeDir} has them all, ${first} is missing or cut short. Nothing was removed: restore that file, or the folder, from a copy`,
  )
}
