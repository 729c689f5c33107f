/**
 * Makes a lake as weeks of life would leave it, without living them: the segments that seals and merges leave, of readings that a function
 * of seed, series and time gives, with windows of every size, the ledger and a few anomalies.
 *
 *     node test/bench/lake-of.ts --readings 100M --dir /tmp/some-folder      (a data folder: the lake is its `lake`)
 *
 * Owns which segments there are and how far each reaches. Leaves the rows to lake-rows.ts, and the files to actors/store, so that they are what
 * the store itself writes.
 *
 * - K1 Before its end it has whole days, then the hours of the last day, the minutes of the last hour, and the seals of the last minute.
 * - K2 A window's row is in the segment of its end, as its actor sends it then; those that end behind the lake's end are in the last
 *   segment, `open`. So the law holds, and the lake is settled.
 * - K3 The same options give the same rows, whenever and wherever.
 * - K4 What is measured repeats after a few days, of a lake so large that making each day from nothing would take an hour.
 */

import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { pathToFileURL } from 'node:url'
import { writeCatalog } from '../../actors/store/catalog.ts'
import { compact, planCompaction } from '../../actors/store/compaction.ts'
import { LakeDatabase } from '../../actors/store/database.ts'
import { writeFile } from '../../actors/store/duckdb-segment.ts'
import { duckdbShelf } from '../../actors/store/duckdb-shelf.ts'
import { makeLake, readNewestManifest, segmentsDir, writeManifest } from '../../actors/store/manifest.ts'
import type { Manifest, Segment } from '../../actors/store/manifest.ts'
import { makeSegment } from '../../actors/store/segment.ts'
import { rowsOfTable } from '../../actors/store/tables.ts'
import { systemClock } from '../../runtime/clock.ts'
import { systemDisk } from '../../runtime/disk.ts'
import { SMALL_SEGMENT_ROWS } from '../../runtime/limits.ts'
import { readingsADevice, repeatedSources, segmentSources, stageSeries } from './lake-rows.ts'

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const SEAL_MS = 2 * SECOND_MS
/** A late afternoon, so that there are segments of every level. */
const END_MS = Date.UTC(2026, 10, 20, 17, 42)

export interface LakeOptions {
  /** The data folder. */
  readonly dir: string
  /** About so many. */
  readonly readings: number
  readonly seed?: number
  /** Whole days before the last one; by default 23, and 2 of a lake of fewer than 10 million readings. */
  readonly days?: number
  /** Days after which the readings repeat; by default 3 of a lake of 500 million or more, else never. */
  readonly periodDays?: number
  /** The last moment, a whole minute. */
  readonly endMs?: number
  readonly say?: (line: string) => void
}

export interface MadeLake {
  readonly manifest: Manifest
  readonly devices: number
  readonly beginMs: number
  readonly endMs: number
}

/** What a segment of a made lake spans: readings in [from, to). */
interface Span {
  readonly level: number
  readonly from: number
  readonly to: number
}

/** The spans of days, hours, minutes and seals between two moments. */
export function spansUntil(beginMs: number, endMs: number): Span[] {
  const spans: Span[] = []
  let from = beginMs
  for (const [level, sizeMs] of [[3, DAY_MS], [2, HOUR_MS], [1, MINUTE_MS], [0, SEAL_MS]] as const) {
    // The last minute is still of seals, the last hour of minutes.
    for (; from + sizeMs <= endMs - (level === 1 ? MINUTE_MS : 0); from += sizeMs) spans.push({ level, from, to: from + sizeMs })
  }
  return spans
}

/** Makes the lake, in place of nothing: the folder must not have one. */
export async function makeLakeOf(options: LakeOptions): Promise<MadeLake> {
  const { readings, seed = 1, days = readings < 10_000_000 ? 2 : 23, endMs = END_MS, say = () => {} } = options
  const { periodDays = readings < 500_000_000 ? Infinity : 3 } = options
  const lakeDir = join(resolve(options.dir), 'lake')
  await makeLake(lakeDir)
  if ((await readNewestManifest(lakeDir)) !== null) throw new Error(`Cannot make a lake in ${lakeDir} as it must be empty: there is one`)
  const beginMs = Math.floor(endMs / DAY_MS) * DAY_MS - days * DAY_MS
  const devices = Math.max(1, Math.round(readings / readingsADevice(endMs - beginMs)))
  const db = await LakeDatabase.open(lakeDir, { memoryMiB: 4_096, threads: 2 })
  const segments: Segment[] = []
  try {
    await stageSeries(db, { devices, seed, beginMs, periodDays })
    const spans = spansUntil(beginMs, endMs)
    for (const [i, { level, from, to }] of spans.entries()) {
      // The days come first, so that a day's number is its segment's.
      const repeats = level === 3 && i >= periodDays && i < spans.length - 1 ? segments[i - periodDays] : null
      const sources =
        repeats === null
          ? await segmentSources(db, { from, to, endMs, isLast: i === spans.length - 1 })
          : repeatedSources(await db.attach(repeats.file), periodDays * DAY_MS)
      const small = devices * readingsADevice(to - from) < SMALL_SEGMENT_ROWS
      // Names are told by the time alone: made again, the lake is the same.
      const file = `l${level}-${from.toString(36)}-${to.toString(36)}.duckdb`
      const seals = level === 0 ? { sealedFrom: to, sealedTo: to } : { sealedFrom: from + SEAL_MS, sealedTo: to }
      segments.push(await makeSegment({ lakeDir, disk: systemDisk, file, level, ...seals, fill: (path) => writeFile(db, path, { sources, small, indexed: level > 0 }) }))
      if (level === 3) say(`${new Date(from).toISOString().slice(0, 10)}: ${segments.reduce((sum, s) => sum + s.rows.readings, 0).toLocaleString('en')} readings, ${Math.round(segments.reduce((sum, s) => sum + s.bytes, 0) / 2 ** 20).toLocaleString('en')} MiB`)
    }
  } finally {
    db.close()
  }
  const manifest: Manifest = {
    format: 1, version: 1, madeAt: endMs, resultsCreated: '', resultsBase: 0, resultsFrom: 1, inputFrom: {}, settleUntil: null, covered: {}, segments, superseded: [],
  }
  await writeManifest(lakeDir, manifest)
  const shelf = await duckdbShelf.open(lakeDir)
  await writeCatalog(shelf, { lakeDir, manifest, disk: systemDisk })
  shelf.close()
  return { manifest, devices, beginMs, endMs }
}

/** Merges a made lake as its store would by a moment long after its end: all that is due. Gives its manifest. */
export async function mergeLake(dir: string): Promise<Manifest> {
  const lakeDir = join(resolve(dir), 'lake')
  let manifest = (await readNewestManifest(lakeDir))!
  const nowMs = Math.max(...manifest.segments.map((s) => s.sealedTo)) + 40 * DAY_MS
  for (;;) {
    const job = planCompaction(manifest.segments, { nowMs, clock: systemClock, lakeDir, dropBeforeMs: null })
    if (job === null) break
    const merged = await compact(job, { shelf: duckdbShelf })
    const inputs = new Set(job.inputs.map((s) => s.file))
    const segments = [...manifest.segments.filter((s) => !inputs.has(s.file)), merged].sort((a, b) => a.sealedFrom - b.sealedFrom)
    manifest = { ...manifest, version: manifest.version + 1, segments }
    await writeManifest(lakeDir, manifest)
    for (const file of inputs) await rm(join(segmentsDir(lakeDir), file), { force: true })
  }
  const shelf = await duckdbShelf.open(lakeDir)
  await writeCatalog(shelf, { lakeDir, manifest, disk: systemDisk })
  shelf.close()
  return manifest
}

/** Whole numbers as people write them: `100M`, `1B`, `500k`. */
export function parseCount(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kMB]?)$/.exec(text)
  if (match === null) throw new RangeError(`Cannot read a count as it must be a number such as 500k, 100M or 1B: current value is ${text}`)
  return Math.round(Number(match[1]) * { '': 1, k: 1e3, M: 1e6, B: 1e9 }[match[2] as '' | 'k' | 'M' | 'B'])
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({ options: { dir: { type: 'string' }, readings: { type: 'string', default: '1M' }, seed: { type: 'string', default: '1' }, days: { type: 'string' } } })
  if (values.dir === undefined) throw new RangeError('Cannot make a lake as --dir must name a folder for it')
  const begun = systemClock.monotonic()
  const days = values.days === undefined ? undefined : Number(values.days)
  const { manifest, devices } = await makeLakeOf({ dir: values.dir, readings: parseCount(values.readings), seed: Number(values.seed), days, say: console.log })
  const sum = (of: (s: Segment) => number) => manifest.segments.reduce((total, s) => total + of(s), 0).toLocaleString('en')
  console.log(`${sum((s) => s.rows.readings)} readings and ${sum((s) => rowsOfTable('windows', s.rows))} windows of ${devices * 4} series, ${manifest.segments.length} files of ${sum((s) => s.bytes)} bytes, in ${Math.round((systemClock.monotonic() - begun) / 1000)} s`)
}
