/**
 * The lake's one writer: follows the logs, keeps covered rows in memory, and seals them.
 *
 * Owns the order of a seal: segment synced, manifest swapped, catalog swapped, leftovers swept. The manifest's rename is the commit of
 * it all; whatever was not committed is read again from the logs. Leaves what each step does to its own file.
 *
 * - L1 The lake is a function of the two logs: where seals fall changes how rows are spread over segments, never which rows show.
 * - L2 One thing at a time changes the manifest: a seal, a compaction, or retention. Commits go on meanwhile into the next buffer.
 * - L3 A failed step ends the writer: it does not go on with a memory that may differ from the disk.
 */

import { join } from 'node:path'
import type { Clock } from '../../runtime/clock.ts'
import { systemDisk } from '../../runtime/disk.ts'
import type { Disk } from '../../runtime/disk.ts'
import { KEEP_SUPERSEDED_MS, SEAL_INTERVAL_MS, SEAL_ROWS_MAX, WRITER_WAITING_BYTES } from '../../runtime/limits.ts'
import type { Log } from '../../runtime/log.ts'
import type { Topology } from '../../runtime/topology.ts'
import { windowStart } from '../reading/window.ts'
import type { KeptViews } from '../view/kept.ts'
import { SealBuffer } from './buffer.ts'
import { writeCatalog } from './catalog.ts'
import { compact, planCompaction } from './compaction.ts'
import type { CompactionJob } from './compaction.ts'
import { duckdbShelf } from './duckdb-shelf.ts'
import { Follower } from './follow.ts'
import type { CoveredCommit, FollowerLag, FollowerLogger, FollowerPositions } from './follow.ts'
import { EMPTY, newestWhole, renewed } from './go-on.ts'
import { keptVersions, makeLake, MANIFESTS_KEPT, manifestVersions, readManifest, segmentsDir, sweep, writeManifest, filesOf } from './manifest.ts'
import type { Manifest, Segment, Superseded } from './manifest.ts'
import { withView } from './own-views.ts'
import type { OwnViews } from './own-views.ts'
import { loadOwned } from './owned.ts'
import { inheritedParts, makeParts, planParts, viewsById, withPartsOf } from './parts.ts'
import type { Made, PartsJob } from './parts.ts'
import type { OwnedWindows } from './recompute.ts'
import { DAY_MS, floorToFit } from './retention.ts'
import { sealBuffer } from './seal.ts'
import type { LakeLock, Shelf, ShelfPort } from './shelf.ts'

export interface LakeWriterOptions {
  readonly lakeDir: string
  readonly log: Log
  readonly topology: Topology
  readonly clock: Clock
  readonly logger: FollowerLogger
  /** Where the lake lies; the machine's own files by default. */
  readonly disk?: Disk
  /** What keeps its segments; DuckDB by default, which is at home on the machine's own files alone. */
  readonly shelf?: ShelfPort
  readonly sealIntervalMs?: number
  readonly sealRowsMax?: number
  readonly keepSupersededMs?: number
  /** Readings and windows older than this, by the clock, leave the lake, whole days of UTC at a time; 0: never. */
  readonly retentionMs?: number
  /** Bytes that the lake's files may take: beyond it the oldest days leave it; 0: no bound. */
  readonly retentionBytes?: number
  readonly waitingBytesMax?: number
  readonly memoryMiB?: number
  /** Whether segments are merged as time passes; true by default. */
  readonly compaction?: boolean
  /** Does the merging; in this process by default. */
  readonly compact?: (job: CompactionJob, signal: AbortSignal) => Promise<Segment>
  /** The views that are to be kept, as they are now; none by default. */
  readonly views?: () => KeptViews
  /** Makes parts; in this process by default. */
  readonly parts?: (job: PartsJob, signal: AbortSignal) => Promise<Made>
  /** Called when a manifest is the newest and its catalog is in place. */
  readonly onManifest?: (manifest: Manifest) => void
  /** Called once when the writer can't go on. */
  readonly onFailure?: (error: unknown) => void
}

export interface LakeWriterStatus {
  readonly version: number
  readonly segments: number
  readonly bytes: number
  /** Rows covered and not yet sealed. */
  readonly bufferedRows: number
  readonly malformed: number
  readonly seals: number
  readonly compactions: number
  /** Duration of the newest seal. */
  readonly sealMs: number
  readonly lag: readonly FollowerLag[]
}

/** How often the lake is looked over for what is due to be merged or dropped. */
const UPKEEP_INTERVAL_MS = 5_000
/** After a merge that failed. */
const MERGE_RETRY_MS = 60_000

export class LakeWriter {
  #options: LakeWriterOptions
  #lock: LakeLock
  #disk: Disk
  #port: ShelfPort
  #shelf: Shelf
  #manifest: Manifest
  #owned: OwnedWindows
  #buffer: SealBuffer
  #follower: Follower
  #turn: Promise<void> = Promise.resolve()
  #ending = new AbortController()
  #loops: Promise<void>[] = []
  #uncommitted = false
  #failed = false
  #sealing: Promise<void> | null = null
  /** Those of the manifest, and what commits have said since. */
  #ownViews: OwnViews
  #seals = 0
  #compactions = 0
  #sealMs = 0
  #mergeAfterMs = 0
  #partsAfterMs = 0
  /** A file of parts that no manifest names yet. */
  #partsUnderWay: string | null = null
  /** Manifests that a restart may go back to, oldest first. */
  #kept: Manifest[]

  private constructor(options: LakeWriterOptions, held: { lock: LakeLock; disk: Disk; port: ShelfPort; shelf: Shelf; manifest: Manifest; kept: Manifest[]; owned: OwnedWindows; fresh: boolean }) {
    this.#options = options
    this.#lock = held.lock
    this.#disk = held.disk
    this.#port = held.port
    this.#shelf = held.shelf
    this.#manifest = held.manifest
    this.#kept = held.kept
    this.#owned = held.owned
    this.#buffer = new SealBuffer(held.manifest.settleUntil ?? -Infinity, held.manifest.floorMs)
    const { manifest } = held
    this.#ownViews = manifest.ownViews ?? NO_VIEWS
    const known = held.fresh ? {} : { resultsFrom: manifest.resultsFrom, resultsCreated: manifest.resultsCreated, inputFrom: manifest.inputFrom }
    this.#follower = new Follower({
      log: options.log,
      topology: options.topology,
      clock: options.clock,
      logger: options.logger,
      waitingBytesMax: options.waitingBytesMax ?? WRITER_WAITING_BYTES,
      from: held.fresh ? null : manifest.covered,
      ...known,
      onCommit: (covered) => this.#take(covered),
      onFailure: (error) => this.#fail(error),
    })
  }

  /**
   * Takes the lake's lock and opens its newest manifest. Throws `OperatingError` `config` where another process writes the lake, or none
   * of its manifests reads.
   */
  static async open(options: LakeWriterOptions): Promise<LakeWriter> {
    const { lakeDir, clock, log, topology, disk = systemDisk, shelf: port = duckdbShelf } = options
    const lock = await port.lock(lakeDir, clock)
    let shelf: Shelf | null = null
    try {
      await makeLake(lakeDir, disk)
      const found = await newestWhole(lakeDir, { logger: options.logger, disk })
      if (found !== null) await sweep(lakeDir, disk)
      for (const leftover of (await disk.list(join(lakeDir, 'tmp'))) ?? []) await disk.removeAll(join(lakeDir, 'tmp', leftover))
      shelf = await port.open(lakeDir, { memoryMiB: options.memoryMiB })
      const manifest = await renewed(found ?? EMPTY, { log, topology })
      const owned = await loadOwned(shelf, manifest.segments)
      await writeCatalog(shelf, { lakeDir, manifest, disk })
      const kept = (await Promise.all((await keptVersions(lakeDir, disk)).map((version) => readManifest(lakeDir, version, disk)))).filter((m) => m !== null)
      return new LakeWriter(options, { lock, disk, port, shelf, manifest, kept: kept.reverse(), owned, fresh: found === null })
    } catch (error) {
      shelf?.close()
      lock.release()
      throw error
    }
  }

  get manifest(): Manifest {
    return this.#manifest
  }

  /** The oldest manifest that a restart may have to go back to: what it covers, the lake needs no more of the logs. */
  get oldestKept(): Manifest {
    return this.#kept[0] ?? this.#manifest
  }

  /** Begins to follow and to seal. */
  async start(): Promise<void> {
    await this.#follower.start()
    const { clock, sealIntervalMs = SEAL_INTERVAL_MS } = this.#options
    this.#loops.push(this.#every(sealIntervalMs, () => this.seal()))
    if (!(this.#options.compaction ?? true)) return
    this.#loops.push(this.#every(UPKEEP_INTERVAL_MS, () => this.upkeep(clock.now())))
    this.#loops.push(
      this.#every(UPKEEP_INTERVAL_MS, async () => {
        while (!this.#ending.signal.aborted && (await this.keepViews(clock.now())));
      }),
    )
  }

  /** Seals what is covered and lets go of the lake. With `seal: false` it ends as a kill would end it. */
  async stop({ seal = true }: { seal?: boolean } = {}): Promise<void> {
    this.#ending.abort()
    await this.#follower.stop()
    await Promise.all(this.#loops)
    await this.#turn.catch(() => {})
    if (seal && !this.#failed) await this.seal()
    this.#shelf.close()
    this.#lock.release()
  }

  /** Whether the logs are still those that were read; call it after a reconnection. */
  check(): Promise<void> {
    return this.#follower.check()
  }

  status(): LakeWriterStatus {
    const { version, segments } = this.#manifest
    return {
      version,
      segments: segments.length,
      bytes: segments.reduce((sum, s) => sum + s.bytes, 0),
      bufferedRows: this.#buffer.rows,
      malformed: this.#follower.malformed,
      seals: this.#seals,
      compactions: this.#compactions,
      sealMs: this.#sealMs,
      lag: this.#follower.lag(),
    }
  }

  /** How far the logs were read, by stream. */
  read(): ReturnType<Follower['read']> {
    return this.#follower.read()
  }

  #take(covered: CoveredCommit): void | Promise<void> {
    this.#ownViews = withView(this.#ownViews, covered.effects.ownView)
    this.#buffer.add(covered, this.#manifest.resultsBase + covered.commit.seq)
    this.#uncommitted = true
    // The follower waits only here: a buffer that fills while the one before it is being sealed.
    if (this.#buffer.rows < (this.#options.sealRowsMax ?? SEAL_ROWS_MAX)) return
    const begin = () => void this.seal().catch(() => {})
    return this.#sealing === null ? begin() : this.#sealing.then(begin)
  }

  /** Seals what is covered now; nothing where that is nothing. */
  async seal(): Promise<void> {
    if (!this.#uncommitted) return
    const run = this.#exclusive(() => this.#seal())
    this.#sealing = run
    try {
      await run
    } finally {
      if (this.#sealing === run) this.#sealing = null
    }
  }

  async #seal(): Promise<void> {
    if (!this.#uncommitted) return
    const { clock, lakeDir } = this.#options
    const begun = clock.monotonic()
    const buffer = this.#buffer
    const changed = { ...this.#follower.positions(), ...(this.#ownViews === NO_VIEWS ? {} : { ownViews: this.#ownViews }) }
    this.#buffer = new SealBuffer(this.#manifest.settleUntil ?? -Infinity, this.#manifest.floorMs)
    this.#uncommitted = false
    const segment = await sealBuffer({
      lakeDir,
      disk: this.#disk,
      shelf: this.#shelf,
      buffer,
      segments: this.#manifest.segments,
      owned: this.#owned,
      settleUntil: this.#manifest.settleUntil ?? -Infinity,
      clock,
    })
    await this.#commit(segment === null ? this.#manifest.segments : [...this.#manifest.segments, segment], [], changed)
    this.#seals++
    this.#sealMs = clock.monotonic() - begun
  }

  /** Writes the next manifest and shows it. */
  async #commit(segments: readonly Segment[], replaced: readonly Superseded[], changed: (FollowerPositions & Pick<Manifest, 'ownViews'>) | Pick<Manifest, 'floorMs' | 'views'> | null): Promise<void> {
    const { clock, lakeDir, onManifest } = this.#options
    const now = Math.floor(clock.now())
    const before = this.#manifest
    const superseded = [...before.superseded.filter((s) => s.until > now), ...replaced]
    const [newest = 0] = await manifestVersions(lakeDir, this.#disk)
    const next: Manifest = { ...before, ...changed, version: Math.max(before.version, newest) + 1, madeAt: now, segments, superseded }
    await writeManifest(lakeDir, next, this.#disk)
    this.#manifest = next
    this.#kept = [...this.#kept, next].slice(-MANIFESTS_KEPT)
    if (segments !== before.segments || next.ownViews !== before.ownViews || next.views !== before.views) {
      await this.#shelf.letGo(new Set(segments.map((s) => s.file)))
      await writeCatalog(this.#shelf, { lakeDir, manifest: next, disk: this.#disk })
    }
    onManifest?.(next)
  }

  /** Merges or drops what is due at `nowMs`, one step, and sweeps; gives whether there was anything to merge. */
  async upkeep(nowMs: number): Promise<boolean> {
    const { lakeDir, clock, logger, keepSupersededMs = KEEP_SUPERSEDED_MS } = this.#options
    // Only here, where no merge is under way: what a merge has written is named by no manifest yet.
    await this.#exclusive(async () => void (await sweep(lakeDir, this.#disk, this.#partsUnderWay)))
    await this.#exclusive(() => this.#fit())
    await this.#exclusive(() => this.#takeViews())
    const dropBeforeMs = this.#dropBefore(nowMs)
    const job = planCompaction(this.#manifest.segments, { nowMs, clock, lakeDir, dropBeforeMs })
    if (job === null || nowMs < this.#mergeAfterMs) return false
    // The merge only reads segments, which never change, so seals go on beside it.
    const begun = clock.monotonic()
    let merged: Segment
    try {
      const { compact: merge = (job, signal) => compact(job, { shelf: this.#port, disk: this.#disk, signal }) } = this.#options
      merged = await merge(job, this.#ending.signal)
    } catch (error) {
      // A merge only saves files: the lake is whole without it. What it has written so far may be large, and it may fail again and again.
      await this.#clear(job.file)
      this.#mergeAfterMs = nowMs + MERGE_RETRY_MS
      if (!this.#ending.signal.aborted) logger.warn({ err: error, files: job.inputs.length }, 'segments could not be merged: trying again later')
      return false
    }
    await this.#exclusive(async () => {
      const inputs = new Set(job.inputs.map((s) => s.file))
      const kept = this.#manifest.segments.filter((s) => !inputs.has(s.file))
      const until = Math.floor(clock.now()) + keepSupersededMs
      const dropped = ({ tsMin }: Segment) => (dropBeforeMs !== null && tsMin !== null && tsMin < dropBeforeMs ? { dropped: true as const } : {})
      const gone = this.#manifest.segments.filter((s) => inputs.has(s.file))
      if (gone.length !== inputs.size) {
        await this.#disk.remove(join(segmentsDir(lakeDir), merged.file)).catch(() => {})
        return
      }
      // Parts of what was dropped would be of more than is left.
      const whole = gone.some((s) => dropped(s).dropped) ? merged : { ...merged, ...inheritedParts(gone) }
      const taken = new Set(filesOf(whole))
      const replaced = gone.flatMap((s) => filesOf(s).filter((file) => !taken.has(file)).map((file): Superseded => ({ file, until, ...dropped(s) })))
      await this.#commit([whole, ...kept].sort((a, b) => a.sealedFrom - b.sealedFrom), replaced, null)
      this.#compactions++
    })
    logger.info({ level: job.level, files: job.inputs.length, bytes: merged.bytes, ms: Math.round(clock.monotonic() - begun) }, 'segments merged')
    return true
  }

  /** Takes over which views are to be kept, and lets go of the parts of others. */
  async #takeViews(): Promise<void> {
    const { segments, views = {} } = this.#manifest
    const next = this.#options.views?.() ?? views
    if (JSON.stringify(next) === JSON.stringify(views)) return
    const all = viewsById(next)
    await this.#replace(segments.map((segment) => withPartsOf(segment, all)), { views: next })
  }

  /** Commits segments with other parts; what of their files is no longer named stays for those who have it open. */
  async #replace(next: readonly Segment[], changed: Pick<Manifest, 'views'> | null): Promise<void> {
    const { clock, keepSupersededMs = KEEP_SUPERSEDED_MS } = this.#options
    const { segments } = this.#manifest
    const kept = new Set(next.flatMap(filesOf))
    const until = Math.floor(clock.now()) + keepSupersededMs
    const replaced = [...new Set(segments.flatMap(filesOf))].filter((file) => !kept.has(file)).map((file) => ({ file, until }))
    await this.#commit(next.every((s, i) => s === segments[i]) ? segments : next, replaced, changed)
  }

  /** Makes the parts of views that are due at `nowMs`, of one segment; gives whether there was anything to make. Goes on beside seals and merges. */
  async keepViews(nowMs: number): Promise<boolean> {
    const { clock, lakeDir, logger, parts: make = (job, signal) => makeParts(job, { shelf: this.#port, disk: this.#disk, signal }) } = this.#options
    const job = nowMs < this.#partsAfterMs ? null : planParts(this.#manifest.segments, this.#manifest.views ?? {}, { nowMs, clock, lakeDir })
    if (job === null) return false
    const begun = clock.monotonic()
    this.#partsUnderWay = job.file
    try {
      const made = await make(job, this.#ending.signal)
      logger.info({ segment: job.segment.file, views: job.views.length, failed: made.failed, ms: Math.round(clock.monotonic() - begun) }, 'parts of views made')
      await this.#exclusive(async () => {
        const { segments, views = {} } = this.#manifest
        // It may have been merged meanwhile, and a view been taken away.
        if (!segments.some((s) => s.file === job.segment.file)) return
        const next = segments.map((s) => (s.file === job.segment.file ? withPartsOf(withMade(s, made), viewsById(views)) : s))
        await this.#replace(next, null)
      })
      return true
    } catch (error) {
      // The lake is whole without them.
      await this.#clear(job.file)
      this.#partsAfterMs = nowMs + MERGE_RETRY_MS
      if (!this.#ending.signal.aborted) logger.warn({ err: error, segment: job.segment.file }, 'parts of views could not be made: trying again later')
      return false
    } finally {
      this.#partsUnderWay = null
    }
  }

  async #clear(file: string): Promise<void> {
    for (const leftover of [file, `${file}.wal`]) await this.#disk.removeAll(join(this.#options.lakeDir, 'tmp', leftover)).catch(() => {})
  }

  /** The event time before which all is to be dropped; null: nothing is. Whole days, since a window across the edge would else count what is gone. */
  #dropBefore(nowMs: number): number | null {
    const { retentionMs = 0 } = this.#options
    const byAge = retentionMs > 0 ? windowStart(nowMs - retentionMs, DAY_MS) : -Infinity
    const floorMs = Math.max(byAge, this.#manifest.floorMs ?? -Infinity)
    return floorMs === -Infinity ? null : floorMs
  }

  /** Puts the floor of the lake up by as many days as its size asks for; what lies before it is dropped, as by age. */
  async #fit(): Promise<void> {
    const { retentionBytes = 0, lakeDir, logger } = this.#options
    if (retentionBytes <= 0) return
    const { segments, superseded, floorMs = -Infinity } = this.#manifest
    let kept = 0
    for (const { file, dropped } of superseded) if (dropped !== true) kept += (await this.#disk.size(join(segmentsDir(lakeDir), file)).catch(() => null)) ?? 0
    const next = floorToFit(segments, { bytesMax: retentionBytes - kept, floorMs })
    if (next <= floorMs) return
    logger.info({ before: new Date(next).toISOString(), retentionBytes }, 'the lake has outgrown its size: older days leave it')
    await this.#commit(segments, [], { floorMs: next })
    this.#buffer.raise(next)
  }

  async #exclusive(run: () => Promise<void>): Promise<void> {
    const before = this.#turn
    const mine = before.then(async () => {
      if (this.#failed) return
      try {
        await run()
      } catch (error) {
        this.#fail(error)
        throw error
      }
    })
    this.#turn = mine.catch(() => {})
    await mine
  }

  #fail(error: unknown): void {
    if (this.#failed) return
    this.#failed = true
    this.#ending.abort()
    this.#options.logger.error({ err: error }, 'the lake can not be written any further')
    this.#options.onFailure?.(error)
  }

  async #every(intervalMs: number, run: () => Promise<unknown>): Promise<void> {
    const { clock } = this.#options
    while (!this.#ending.signal.aborted) {
      await clock.sleep(intervalMs, this.#ending.signal)
      if (this.#ending.signal.aborted) return
      await run().catch((error) => this.#fail(error))
    }
  }
}

/** A segment with what came of a job: parts are as they were when it began, and its views' in place of theirs. */
const withMade = ({ parts: _, failed: __, ...segment }: Segment, made: Made): Segment => ({ ...segment, ...made })

const NO_VIEWS: OwnViews = {}
