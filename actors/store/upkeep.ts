/**
 * What is done to a lake beside its seals: merging, dropping what is too old, taking over which views are kept, and making their parts.
 *
 * Owns when each is done, and that none of it is missed where it fails: the lake is whole without. Leaves what is due to compaction.ts, retention.ts and
 * parts.ts, and the manifest to writer.ts.
 *
 * - U1 Merges and parts go on beside seals and beside each other: they only read what never changes, and take their turn at the manifest when they are done.
 */

import { join } from 'node:path'
import type { Disk } from '../../runtime/disk.ts'
import { KEEP_SUPERSEDED_MS } from '../../runtime/limits.ts'
import { windowStart } from '../reading/window.ts'
import type { KeptViews } from '../view/kept.ts'
import { compact, planCompaction } from './compaction.ts'
import type { CompactionJob } from './compaction.ts'
import type { FollowerLogger } from './follow.ts'
import { filesOf, segmentsDir, sweep } from './manifest.ts'
import type { Manifest, Segment, Superseded } from './manifest.ts'
import { inheritedParts, makeParts, planParts, viewsById, withPartsOf } from './parts.ts'
import type { Made, PartsJob } from './parts.ts'
import { DAY_MS, floorToFit } from './retention.ts'
import type { ShelfPort } from './shelf.ts'
import type { Clock } from '../../runtime/clock.ts'

export interface UpkeepOptions {
  readonly lakeDir: string
  readonly clock: Clock
  readonly logger: FollowerLogger
  readonly keepSupersededMs?: number
  /** Readings and windows older than this, by the clock, leave the lake, whole days of UTC at a time; 0: never. */
  readonly retentionMs?: number
  /** Bytes that the lake's files may take: beyond it the oldest days leave it; 0: no bound. */
  readonly retentionBytes?: number
  /** Does the merging; in this process by default. */
  readonly compact?: (job: CompactionJob, signal: AbortSignal) => Promise<Segment>
  /** The views that are to be kept, as they are now; none by default. */
  readonly views?: () => KeptViews
  /** Makes parts; in this process by default. */
  readonly parts?: (job: PartsJob, signal: AbortSignal) => Promise<Made>
}

/** The lake, as upkeep may change it. */
export interface LakeInHand {
  readonly manifest: Manifest
  /** Runs what changes the manifest, after whatever else does. */
  exclusive(run: () => Promise<void>): Promise<void>
  commit(segments: readonly Segment[], replaced: readonly Superseded[], changed: Pick<Manifest, 'floorMs' | 'views'> | null): Promise<void>
  /** Readings from before this that wait to be sealed are late for the lake. */
  raise(floorMs: number): void
}

/** After a merge, or parts, that failed. */
const RETRY_MS = 60_000

export class Upkeep {
  #options: UpkeepOptions
  #lake: LakeInHand
  #disk: Disk
  #shelf: ShelfPort
  #ending: AbortSignal
  #mergeAfterMs = 0
  #partsAfterMs = 0
  /** A file of parts that no manifest names yet. */
  #partsUnderWay: string | null = null

  constructor(options: UpkeepOptions, { lake, disk, shelf, ending }: { lake: LakeInHand; disk: Disk; shelf: ShelfPort; ending: AbortSignal }) {
    this.#options = options
    this.#lake = lake
    this.#disk = disk
    this.#shelf = shelf
    this.#ending = ending
  }

  /** Merges or drops what is due at `nowMs`, one step, and sweeps; gives whether there was anything to merge. */
  async merge(nowMs: number): Promise<boolean> {
    const { lakeDir, clock, logger, keepSupersededMs = KEEP_SUPERSEDED_MS } = this.#options
    // Only here, where no merge is under way: what a merge has written is named by no manifest yet.
    await this.#lake.exclusive(async () => void (await sweep(lakeDir, this.#disk, this.#partsUnderWay)))
    await this.#lake.exclusive(() => this.#fit())
    await this.#lake.exclusive(() => this.#takeViews())
    const dropBeforeMs = this.#dropBefore(nowMs)
    const job = planCompaction(this.#lake.manifest.segments, { nowMs, clock, lakeDir, dropBeforeMs })
    if (job === null || nowMs < this.#mergeAfterMs) return false
    // The merge only reads segments, which never change, so seals go on beside it.
    const begun = clock.monotonic()
    let merged: Segment
    try {
      const { compact: merge = (job, signal) => compact(job, { shelf: this.#shelf, disk: this.#disk, signal }) } = this.#options
      merged = await merge(job, this.#ending)
    } catch (error) {
      // A merge only saves files: the lake is whole without it. What it has written so far may be large, and it may fail again and again.
      await this.#clear(job.file)
      this.#mergeAfterMs = nowMs + RETRY_MS
      if (!this.#ending.aborted) logger.warn({ err: error, files: job.inputs.length }, 'segments could not be merged: trying again later')
      return false
    }
    await this.#lake.exclusive(async () => {
      const inputs = new Set(job.inputs.map((s) => s.file))
      const kept = this.#lake.manifest.segments.filter((s) => !inputs.has(s.file))
      const until = Math.floor(clock.now()) + keepSupersededMs
      const dropped = ({ tsMin }: Segment) => (dropBeforeMs !== null && tsMin !== null && tsMin < dropBeforeMs ? { dropped: true as const } : {})
      const gone = this.#lake.manifest.segments.filter((s) => inputs.has(s.file))
      if (gone.length !== inputs.size) {
        await this.#disk.remove(join(segmentsDir(lakeDir), merged.file)).catch(() => {})
        return
      }
      // Parts of what was dropped would be of more than is left.
      const whole = gone.some((s) => dropped(s).dropped) ? merged : { ...merged, ...inheritedParts(gone) }
      const taken = new Set(filesOf(whole))
      const replaced = gone.flatMap((s) => filesOf(s).filter((file) => !taken.has(file)).map((file): Superseded => ({ file, until, ...dropped(s) })))
      await this.#lake.commit([whole, ...kept].sort((a, b) => a.sealedFrom - b.sealedFrom), replaced, null)
    })
    logger.info({ level: job.level, files: job.inputs.length, bytes: merged.bytes, ms: Math.round(clock.monotonic() - begun) }, 'segments merged')
    return true
  }

  /** Takes over which views are to be kept, and lets go of the parts of others. */
  async #takeViews(): Promise<void> {
    const { segments, views = {} } = this.#lake.manifest
    const next = this.#options.views?.() ?? views
    if (JSON.stringify(next) === JSON.stringify(views)) return
    const all = viewsById(next)
    await this.#replace(segments.map((segment) => withPartsOf(segment, all)), { views: next })
  }

  /** Commits segments with other parts; what of their files is no longer named stays for those who have it open. */
  async #replace(next: readonly Segment[], changed: Pick<Manifest, 'views'> | null): Promise<void> {
    const { clock, keepSupersededMs = KEEP_SUPERSEDED_MS } = this.#options
    const { segments } = this.#lake.manifest
    const kept = new Set(next.flatMap(filesOf))
    const until = Math.floor(clock.now()) + keepSupersededMs
    const replaced = [...new Set(segments.flatMap(filesOf))].filter((file) => !kept.has(file)).map((file) => ({ file, until }))
    await this.#lake.commit(next.every((s, i) => s === segments[i]) ? segments : next, replaced, changed)
  }

  /** Makes the parts of views that are due at `nowMs`, of one segment; gives whether there was anything to make. Goes on beside seals and merges. */
  async keepViews(nowMs: number): Promise<boolean> {
    const { clock, lakeDir, logger, parts: make = (job, signal) => makeParts(job, { shelf: this.#shelf, disk: this.#disk, signal }) } = this.#options
    const job = nowMs < this.#partsAfterMs ? null : planParts(this.#lake.manifest.segments, this.#lake.manifest.views ?? {}, { nowMs, clock, lakeDir })
    if (job === null) return false
    const begun = clock.monotonic()
    this.#partsUnderWay = job.file
    try {
      const made = await make(job, this.#ending)
      logger.info({ segment: job.segment.file, views: job.views.length, failed: made.failed, ms: Math.round(clock.monotonic() - begun) }, 'parts of views made')
      await this.#lake.exclusive(async () => {
        const { segments, views = {} } = this.#lake.manifest
        // It may have been merged meanwhile, and a view been taken away.
        if (!segments.some((s) => s.file === job.segment.file)) return
        const next = segments.map((s) => (s.file === job.segment.file ? withPartsOf(withMade(s, made), viewsById(views)) : s))
        await this.#replace(next, null)
      })
      return true
    } catch (error) {
      // The lake is whole without them.
      await this.#clear(job.file)
      this.#partsAfterMs = nowMs + RETRY_MS
      if (!this.#ending.aborted) logger.warn({ err: error, segment: job.segment.file }, 'parts of views could not be made: trying again later')
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
    const floorMs = Math.max(byAge, this.#lake.manifest.floorMs ?? -Infinity)
    return floorMs === -Infinity ? null : floorMs
  }

  /** Puts the floor of the lake up by as many days as its size asks for; what lies before it is dropped, as by age. */
  async #fit(): Promise<void> {
    const { retentionBytes = 0, lakeDir, logger } = this.#options
    if (retentionBytes <= 0) return
    const { segments, superseded, floorMs = -Infinity } = this.#lake.manifest
    let kept = 0
    for (const { file, dropped } of superseded) if (dropped !== true) kept += (await this.#disk.size(join(segmentsDir(lakeDir), file)).catch(() => null)) ?? 0
    const next = floorToFit(segments, { bytesMax: retentionBytes - kept, floorMs })
    if (next <= floorMs) return
    logger.info({ before: new Date(next).toISOString(), retentionBytes }, 'the lake has outgrown its size: older days leave it')
    await this.#lake.commit(segments, [], { floorMs: next })
    this.#lake.raise(next)
  }
}

/** A segment with what came of a job: parts are as they were when it began, and its views' in place of theirs. */
const withMade = ({ parts: _, failed: __, ...segment }: Segment, made: Made): Segment => ({ ...segment, ...made })
