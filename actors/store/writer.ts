/**
 * The lake's one writer: follows the logs, keeps covered rows in memory, and seals them.
 *
 * Owns the order of a seal: segment synced, manifest swapped, catalog swapped, leftovers swept. The manifest's rename is the commit of
 * it all; whatever was not committed is read again from the logs. Leaves what each step does to its own file.
 *
 * - L1 The lake is a function of the two logs: where seals fall changes how rows are spread over segments, never which rows show.
 * - L2 One thing at a time changes the manifest: a seal, or upkeep.ts. Commits go on meanwhile into the next buffer.
 * - L3 A failed step ends the writer: it does not go on with a memory that may differ from the disk.
 */

import { join } from 'node:path'
import { systemDisk } from '../../runtime/disk.ts'
import type { Disk } from '../../runtime/disk.ts'
import { SEAL_INTERVAL_MS, SEAL_ROWS_MAX, WRITER_WAITING_BYTES } from '../../runtime/limits.ts'
import type { Log } from '../../runtime/log.ts'
import type { Topology } from '../../runtime/topology.ts'
import { SealBuffer } from './buffer.ts'
import { writeCatalog } from './catalog.ts'
import { duckdbShelf } from './duckdb-shelf.ts'
import { Follower } from './follow.ts'
import type { CoveredCommit, FollowerLag, FollowerPositions } from './follow.ts'
import { EMPTY, newestWhole, renewed } from './go-on.ts'
import { keptVersions, makeLake, MANIFESTS_KEPT, manifestVersions, readManifest, sweep, writeManifest } from './manifest.ts'
import type { Manifest, Segment, Superseded } from './manifest.ts'
import { withView } from './own-views.ts'
import type { OwnViews } from './own-views.ts'
import { loadOwned } from './owned.ts'
import type { OwnedWindows } from './recompute.ts'
import { sealBuffer } from './seal.ts'
import type { LakeLock, Shelf, ShelfPort } from './shelf.ts'
import { Upkeep } from './upkeep.ts'
import type { LakeInHand, UpkeepOptions } from './upkeep.ts'

export interface LakeWriterOptions extends UpkeepOptions {
  readonly log: Log
  readonly topology: Topology
  /** Where the lake lies; the machine's own files by default. */
  readonly disk?: Disk
  /** What keeps its segments; DuckDB by default, which is at home on the machine's own files alone. */
  readonly shelf?: ShelfPort
  readonly sealIntervalMs?: number
  readonly sealRowsMax?: number
  readonly waitingBytesMax?: number
  readonly memoryMiB?: number
  /** Whether segments are merged as time passes; true by default. */
  readonly compaction?: boolean
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

export class LakeWriter {
  #options: LakeWriterOptions
  #lock: LakeLock
  #disk: Disk
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
  #upkeep: Upkeep
  /** Manifests that a restart may go back to, oldest first. */
  #kept: Manifest[]

  private constructor(options: LakeWriterOptions, held: { lock: LakeLock; disk: Disk; port: ShelfPort; shelf: Shelf; manifest: Manifest; kept: Manifest[]; owned: OwnedWindows; fresh: boolean }) {
    this.#options = options
    this.#lock = held.lock
    this.#disk = held.disk
    this.#shelf = held.shelf
    this.#manifest = held.manifest
    this.#kept = held.kept
    this.#owned = held.owned
    this.#buffer = new SealBuffer(held.manifest.settleUntil ?? -Infinity, held.manifest.floorMs)
    const { manifest } = held
    this.#ownViews = manifest.ownViews ?? NO_VIEWS
    const known = held.fresh ? {} : { resultsFrom: manifest.resultsFrom, resultsCreated: manifest.resultsCreated, inputFrom: manifest.inputFrom }
    this.#upkeep = new Upkeep(options, { lake: this.#inHand(), disk: held.disk, shelf: held.port, ending: this.#ending.signal })
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

  /** As `Upkeep.merge`. */
  async upkeep(nowMs: number): Promise<boolean> {
    const merged = await this.#upkeep.merge(nowMs)
    if (merged) this.#compactions++
    return merged
  }

  /** As `Upkeep.keepViews`. */
  keepViews(nowMs: number): Promise<boolean> {
    return this.#upkeep.keepViews(nowMs)
  }

  #inHand(): LakeInHand {
    const manifest = () => this.#manifest
    return {
      get manifest() {
        return manifest()
      },
      exclusive: (run) => this.#exclusive(run),
      commit: (...changes) => this.#commit(...changes),
      raise: (floorMs) => this.#buffer.raise(floorMs),
    }
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

const NO_VIEWS: OwnViews = {}
