/**
 * A store of the simulated system: the real writer of the lake and the real janitor, on a disk of its own that outlives the process.
 *
 * Owns the machine's disk and the process on it. A store that fails, as on a full disk, ends as its process would, and is started again.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { Janitor } from '../../../actors/store/janitor.ts'
import { manifestPath, manifestVersions, readManifest, segmentsDir } from '../../../actors/store/manifest.ts'
import type { Manifest } from '../../../actors/store/manifest.ts'
import { lakeRows, lakeWindows, readSegment } from '../../../actors/store/memory-segment.ts'
import { countsOf, sumCounts } from '../../../actors/store/memory-rows.ts'
import type { Counts, LakeRow } from '../../../actors/store/memory-rows.ts'
import { viewsById } from '../../../actors/store/parts.ts'
import { memoryShelf } from '../../../actors/store/memory-shelf.ts'
import { LakeWriter } from '../../../actors/store/writer.ts'
import { WINDOW_SIZES_MS } from '../../../actors/reading/window.ts'
import { viewId } from '../../../actors/view/kept.ts'
import type { KeptView, KeptViews } from '../../../actors/view/kept.ts'
import { unpack } from '../../../runtime/codec.ts'
import { MemoryDisk } from '../../../runtime/memory-disk.ts'
import type { DiskView } from '../../../runtime/memory-disk.ts'
import type { Topology } from '../../../runtime/topology.ts'
import type { ShownLake, ShownWindow } from './lake.ts'
import type { Options } from './options.ts'
import { ownRowName } from './own-law.ts'
import type { OwnRow } from './own-law.ts'
import type { Process } from './process.ts'

const LAKE = '/data/lake'
const quiet = { info() {}, warn() {}, error() {} }

const view = (tenant: string, partial: string): Readonly<Record<string, KeptView>> => ({ [partial]: { id: viewId(tenant, partial), sql: '', partial, shown: '', shows: [] } })
/** Choices of kept views; the shelf knows no SQL (memory-shelf.ts). */
const VIEWS: readonly KeptViews[] = [
  { default: view('default', 'one') },
  { default: { ...view('default', 'one'), ...view('default', 'two') }, other: view('other', 'one') },
  {},
]

export class SimStore {
  readonly name: string
  readonly disk = new MemoryDisk()
  /** The process that lives on it, or null between two. */
  process: Process | null = null
  writer: LakeWriter | null = null
  janitor: Janitor | null = null
  /** Why the process before ended, where it ended by itself. */
  failure: unknown = null
  /** Its machine is off until then, by the monotonic clock. */
  awayUntilMs = 0
  /** What its processes did. */
  readonly counts = { starts: 0, failures: 0, seals: 0, merges: 0, harms: 0, parts: 0 }
  #options: Options
  #topology: Topology

  constructor(name: string, options: Options, topology: Topology) {
    this.name = name
    this.#options = options
    this.#topology = topology
  }

  /** Starts a process as writer-process.ts does; `make` makes it on a view of the disk. */
  start(make: (disk: DiskView) => Process): void {
    const view = this.disk.open()
    const process = make(view)
    this.process = process
    this.failure = null
    this.counts.starts++
    void this.#live(process, view).catch((error) => this.#end(process, error))
  }

  async #live(process: Process, disk: DiskView): Promise<void> {
    const { connection, clock } = process
    const { sealIntervalMs, sealRowsMax, keepSupersededMs, keepLogMs } = this.#options
    const topology = this.#topology
    const { starts } = this.counts
    const writer = await LakeWriter.open({
      lakeDir: LAKE,
      log: connection.log,
      topology,
      clock,
      logger: quiet,
      disk,
      shelf: memoryShelf(disk),
      sealIntervalMs,
      sealRowsMax,
      keepSupersededMs,
      // Each process finds other views than the one before.
      views: () => VIEWS[starts % VIEWS.length],
      onManifest: ({ segments }) => this.#count(segments),
      onFailure: (error) => this.#end(process, error),
    })
    this.#segments = writer.manifest.segments.length
    const janitor = await Janitor.open({ connection, topology, clock, logger: quiet, name: this.name, manifest: () => writer.oldestKept, keepLogMs })
    connection.onReconnect(() => void writer.check().catch((error) => this.#end(process, error)))
    await writer.start()
    janitor.start()
    this.writer = writer
    this.janitor = janitor
  }

  #count(segments: Manifest['segments']): void {
    if (segments.length < this.#segments) this.counts.merges++
    else if (segments.length > this.#segments) this.counts.seals++
    this.#segments = segments.length
    for (const { parts = [] } of segments) for (const { file } of parts) if (!this.#parts.has(file)) this.counts.parts = this.#parts.add(file).size
  }
  #segments = 0
  readonly #parts = new Set<string>()

  /** SIGTERM: seals what is covered and ends. */
  async stop(): Promise<void> {
    const { process, writer, janitor } = this
    if (process === null || writer === null || process.dead) return
    try {
      await janitor?.stop()
      await writer.stop()
      this.#end(process, null)
    } catch (error) {
      this.#end(process, error)
    }
  }

  kill(): void {
    if (this.process !== null) this.#end(this.process, null)
  }

  /** The machine loses power. */
  powerCut(draw: () => number): void {
    this.kill()
    this.disk.powerCut(draw)
  }

  #end(process: Process, failure: unknown): void {
    process.kill()
    if (this.process !== process) return
    this.failure = failure
    if (failure !== null) this.counts.failures++
    this.process = null
    this.writer = null
    this.janitor = null
  }

  /** Merges what would be due at `nowMs`. */
  merge(nowMs: number): void {
    // It goes on beside what else happens: a process may die in the middle of it.
    void this.writer?.upkeep(nowMs).catch(() => {})
    void this.writer?.keepViews(nowMs).catch(() => {})
  }

  purge(): void {
    const { janitor } = this
    if (janitor !== null) void janitor.register().then(() => janitor.purge()).catch(() => {})
  }

  // Harm, while no process lives on it ------------------------------------------------------------------------------------------------

  /** Damages the newest manifest, where another is kept to go back to. */
  harmManifest(how: 'lost' | 'torn'): Promise<void> {
    return this.#looking(async (disk) => {
      const versions = await manifestVersions(LAKE, disk)
      if (versions.length > 1 && !this.#harmed(versions)) this.#harm(manifestPath(LAKE, versions[0]), versions[0], how)
    })
  }

  /** Damages a segment that only the newest manifest names. */
  harmSegment(how: 'lost' | 'torn'): Promise<void> {
    return this.#looking(async (disk) => {
      const versions = await manifestVersions(LAKE, disk)
      if (versions.length < 2 || this.#harmed(versions)) return
      const manifests = await Promise.all(versions.map((version) => readManifest(LAKE, version, disk)))
      const [newest, ...older] = manifests as Manifest[]
      const before = new Set(older.flatMap((m) => m.segments.map((s) => s.file)))
      const own = newest.segments.find((s) => !before.has(s.file))
      if (own !== undefined) this.#harm(join(segmentsDir(LAKE), own.file), versions[0], how)
    })
  }

  /** Looks at the disk past its faults. */
  async #looking(look: (disk: DiskView) => Promise<void>): Promise<void> {
    const { faults } = this.disk
    this.disk.faults = null
    await look(this.disk.open())
    this.disk.faults = faults
  }

  /** Of the manifests kept one is harmed at a time: a lake that lost all of them refuses to start, and should. */
  #harmed(versions: readonly number[]): boolean {
    return versions.some((version) => this.#harmedVersions.has(version))
  }

  #harm(path: string, version: number, how: 'lost' | 'torn'): void {
    this.#harmedVersions.add(version)
    this.counts.harms++
    this.disk.harm(path, how)
  }
  readonly #harmedVersions = new Set<number>()

  // Looks ---------------------------------------------------------------------------------------------------------------------------

  /** Whether its manifest covers each partition up to the last commit, and what it owes is nothing; else why not. */
  restless(commits: ReadonlyMap<number, number>): string | null {
    if (this.writer === null) return `store ${this.name} is not up: ${String(this.failure)}`
    for (const [partition, seq] of commits) {
      const covered = this.writer.manifest.covered[partition]?.resultsSeq ?? 0
      if (covered < seq) return `store ${this.name} has sealed partition ${partition} up to ${covered} of ${seq}`
    }
    return null
  }

  /** Throws where parts are not of the readings of their segment. */
  async checkParts(): Promise<void> {
    const disk = this.disk.open()
    const { segments } = this.writer!.manifest
    const all = new Map(VIEWS.flatMap((views) => [...viewsById(views)]))
    for (const segment of segments) {
      const found = new Map<string, Counts[]>()
      for (const { file, rows } of segment.parts ?? []) {
        const bytes = await disk.read(join(segmentsDir(LAKE), file))
        assert.ok(bytes !== null, `${file}, parts of ${segment.file}, is gone`)
        const made = unpack<Record<string, Counts>>(bytes)
        for (const id of Object.keys(rows)) found.set(id, [...(found.get(id) ?? []), made[id]])
      }
      const { readings } = await readSegment(disk, join(segmentsDir(LAKE), segment.file))
      for (const [id, parts] of found) assert.deepEqual(sumCounts(parts), countsOf(readings.filter((row) => row.tenant === all.get(id)!.tenant)), `parts of ${segment.file}`)
    }
  }

  /** What an analyst would see. */
  async shown(): Promise<ShownLake> {
    const disk = this.disk.open()
    const lake = { lakeDir: LAKE, manifest: this.writer!.manifest }
    const readings = await lakeRows(disk, { ...lake, table: 'readings' })
    const ledger = await lakeRows(disk, { ...lake, table: 'ledger' })
    const sum = (name: string) => ledger.reduce((total, row) => total + Number(row[name]), 0)
    return {
      readings: readings.map(({ tenant, device, metric, ts, value }) => ({ tenant: String(tenant), device: String(device), metric: String(metric), ts: Number(ts), value: Number(value) })),
      windows: (await lakeWindows(disk, lake)).map(shownWindow),
      ledger: { accepted: sum('accepted'), rejected: sum('rejected'), onTime: sum('on_time'), late: sum('late'), duplicate: sum('duplicate'), expired: sum('expired') },
      anomalies: (await lakeRows(disk, { ...lake, table: 'anomalies' })).length,
      alerts: (await lakeRows(disk, { ...lake, table: 'alerts' })).map(({ id, number }) => `${id} ${number}`).sort(),
      own: (await lakeRows(disk, { ...lake, table: 'own_rows' })).map(ownRow).map(ownRowName).sort(),
    }
  }
}

function ownRow(row: LakeRow): OwnRow {
  return { tenant: String(row.tenant), key: String(row.device), actor: String(row.metric), at: Number(row.made_at), number: Number(row.number), body: String(row.body) }
}

function shownWindow(row: LakeRow): ShownWindow {
  const number = (name: string) => Number(row[name] ?? NaN)
  return {
    tenant: String(row.tenant),
    device: String(row.device),
    metric: String(row.metric),
    size: WINDOW_SIZES_MS.findIndex((sizeMs) => sizeMs === row.size),
    start: number('start'),
    closedBy: String(row.closed_by),
    count: number('count'),
    sum: number('sum'),
    min: number('min'),
    max: number('max'),
    mean: number('mean'),
    stddev: number('stddev'),
    first: number('first'),
    last: number('last'),
    p50: number('p50'),
    p95: number('p95'),
    p99: number('p99'),
  }
}
