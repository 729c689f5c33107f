/**
 * The tail: keeps the catalog and the fresh rows in step with the two logs and with the lake's manifests.
 *
 * Owns the moment at which a manifest takes over from the fresh rows that it covers. Leaves reading and joining the logs to the
 * Follower, files to the lake, delivery to live streams.
 *
 * - T1 A manifest is taken over in one turn of the event loop: lake version, fresh rows and counts change together, so that every
 *   view is one consistent state.
 * - T2 A reading shows as latest when the log has it; it counts when a commit covers it; the count is settled by what the
 *   segment that seals it holds.
 * - T3 Taking a reading costs a few nanoseconds: names are looked up once a block, and rows are walked as columns.
 */

import type { Clock } from '../../../runtime/clock.ts'
import { CATALOG_REBUILD_MIN_MS, FRESH_ROWS_MAX } from '../../../runtime/limits.ts'
import type { JournalHeader } from '../../../runtime/journal.ts'
import { isOwn } from '../../../runtime/topology.ts'
import type { Topology } from '../../../runtime/topology.ts'
import type { Block } from '../../reading/input.ts'
import type { CoveredCommit, CoveredMessage, InputSeen } from '../../store/follow.ts'
import type { Manifest } from '../../store/manifest.ts'
import { withView } from '../../store/own-views.ts'
import type { OwnViews } from '../../store/own-views.ts'
import { eachCount, planCounts, readCounts } from './counts.ts'
import { columnsOf, FATE_DUPLICATE, FATE_EXPIRED, FATE_OLD, FreshRows } from './fresh.ts'
import type { FreshBlock, FreshCommit, FreshRejects, FreshView } from './fresh.ts'
import type { Columns, Lake, LakeVersion } from './lake.ts'
import { SeriesCatalog } from './series-catalog.ts'
import type { SeriesEntry } from './series-catalog.ts'

/** How often it is said that fresh rows are at their bound. */
const SHED_SAID_MS = 60_000

export interface TailLogger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What listens to the tail: the live hub. */
export interface TailListener {
  input(partition: number, message: InputSeen, entries: readonly SeriesEntry[] | null): void
  commit(covered: CoveredCommit): void
}

/** What the journal says of one partition. */
export interface PartitionState {
  owner: string | null
  epoch: number
  /** Sequence of the input that is processed. */
  position: number
  /** Newest commit in RESULTS. */
  resultsSeq: number
  /** Newest commit that holds something for the lake: others only move the position. */
  contentSeq: number
  /** Newest commit that this process has read with messages of the input; else 0. */
  inputSeq: number
  /** Accepted readings up to there. */
  accepted: number
  pending: number
}

/** A consistent state to answer from: hold it while awaiting, `release` it once. */
export interface View {
  readonly version: LakeVersion
  readonly fresh: FreshView
  release(): void
}

export class Tail {
  readonly catalog = new SeriesCatalog()
  readonly partitions: PartitionState[]
  readonly lake: Lake
  /** Identity of the RESULTS that the commits come from. */
  readonly resultsCreated: string
  #fresh: FreshRows
  #clock: Clock
  #logger: TailLogger
  #listener: TailListener | null
  /** Entries of blocks that no commit covers yet, so that names are looked up once. */
  #resolved = new WeakMap<Block, { entries: readonly SeriesEntry[]; forgotten: number }>()
  /** Readings in the lake, by the catalog's own count. */
  #sealed = 0
  #ownViews: OwnViews = {}
  /** By own partition, the newest commit that has something for the lake. */
  readonly #ownContent = new Map<number, number>()
  /** By partition, the newest of the fresh commits that were let go before a manifest covered them. */
  #shedSeq: number[]
  /** When it was last said that some were. */
  #shedSaidMs = -Infinity
  #rebuiltAt = -Infinity
  #retry: () => void = () => {}
  #next: Manifest | null = null
  #working: Promise<void> | null = null
  #closed = false

  constructor(options: {
    lake: Lake
    topology: Topology
    resultsCreated: string
    clock: Clock
    logger: TailLogger
    listener?: TailListener | null
    freshRowsMax?: number
  }) {
    this.lake = options.lake
    this.resultsCreated = options.resultsCreated
    this.#clock = options.clock
    this.#logger = options.logger
    this.#listener = options.listener ?? null
    this.#fresh = new FreshRows(options.topology.partitions, options.freshRowsMax ?? FRESH_ROWS_MAX)
    this.#shedSeq = new Array<number>(options.topology.partitions).fill(0)
    const unknown = () => ({ owner: null, epoch: 0, position: 0, resultsSeq: 0, contentSeq: 0, inputSeq: 0, accepted: 0, pending: 0 })
    this.partitions = Array.from({ length: options.topology.partitions }, unknown)
  }

  /** Rows kept in memory until a manifest covers them. */
  get freshRows(): number {
    return this.#fresh.rows
  }

  /** Views of own actors: those of the lake, and what commits have said since. */
  get ownViews(): OwnViews {
    return { ...this.manifest?.ownViews, ...this.#ownViews }
  }

  /** The newest manifest that readers see; null before the first. */
  get manifest(): Manifest | null {
    return this.lake.current.manifest
  }

  view(): View {
    const version = this.lake.acquire()
    let held = true
    return {
      version,
      fresh: this.#fresh.view(),
      release: () => {
        if (held) this.lake.release(version)
        held = false
      },
    }
  }

  /** Last commit of a partition that the newest manifest covers; 0 where that speaks of another creation of RESULTS. */
  coveredSeq(partition: number): number {
    const manifest = this.manifest
    return manifest === null || manifest.resultsCreated !== this.resultsCreated ? 0 : (manifest.covered[partition]?.resultsSeq ?? 0)
  }

  /** Newest commit of an own actor that has something for the lake, as far as this process has read any; else 0. */
  ownContentSeq(partition: number): number {
    return this.#ownContent.get(partition) ?? 0
  }

  /** A message of the input, as the log gives it. */
  onInput(partition: number, message: InputSeen): void {
    let entries: SeriesEntry[] | null = null
    if (message.input.kind === 'block') {
      entries = this.catalog.resolve(message.input)
      this.catalog.observe(message.input, entries, message.timeMs)
      this.#resolved.set(message.input, { entries, forgotten: this.catalog.forgotten })
    }
    this.#listener?.input(partition, message, entries)
  }

  onClaim(header: JournalHeader): void {
    this.#learn(header)
  }

  onCommit(covered: CoveredCommit): void {
    const { partition, commit, effects } = covered
    this.#ownViews = withView(this.#ownViews, effects.ownView)
    if (isOwn(partition)) {
      if (effects.own.length + effects.alerts.length > 0) this.#ownContent.set(partition, commit.seq)
      if (commit.seq > this.coveredSeq(partition)) this.#take(covered)
      this.#listener?.commit(covered)
      return
    }
    const state = this.partitions[partition]
    this.#learn(commit.header)
    state.resultsSeq = commit.seq
    if (covered.messages.length + effects.windows.length + effects.anomalies.length + effects.forecasts.length + effects.feedback.length + effects.profiles.length + effects.drivers.length + effects.alerts.length > 0) state.contentSeq = commit.seq
    if (covered.messages.length > 0) state.inputSeq = commit.seq
    state.accepted = effects.accepted
    state.pending = effects.pending
    // The writer may be ahead of this reader: what a manifest covers already is in the lake, and in its counts.
    if (commit.seq > this.coveredSeq(partition)) this.#take(covered)
    this.#listener?.commit(covered)
  }

  /** Says who owns a partition, where the tail begins behind the journal's last message of it. */
  introduce(header: JournalHeader): void {
    this.#learn(header)
  }

  /**
   * Takes a new manifest over: attaches its segments, counts what they hold, and lets go of the fresh rows that it covers. Of
   * several that come meanwhile the newest counts. Resolves once nothing is left to do; a failure is logged, and leaves what was.
   */
  onManifest(manifest: Manifest): Promise<void> {
    const newest = Math.max(this.manifest?.version ?? 0, this.#next?.version ?? 0)
    if (this.#closed || manifest.version <= newest) return this.#working ?? Promise.resolve()
    this.#next = manifest
    this.#working ??= this.#work().finally(() => {
      this.#working = null
    })
    return this.#working
  }

  /** Ends; resolves once nothing is under way. */
  async close(): Promise<void> {
    this.#closed = true
    this.#next = null
    this.#retry()
    await this.#working
  }

  #learn(header: JournalHeader): void {
    const state = this.partitions[header.partition]
    if (state === undefined || header.epoch < state.epoch) return
    state.owner = header.owner
    state.epoch = header.epoch
    state.position = header.position.seq
  }

  #take({ partition, commit, effects, messages }: CoveredCommit): void {
    const blocks: FreshBlock[] = []
    const rejects: FreshRejects[] = []
    let rows = effects.own.length
    for (const message of messages) {
      if (message.input.kind === 'block') {
        const block = this.#count(message, message.input)
        blocks.push(block)
        rows += block.block.ts.length
      } else {
        const { tenant, counts, samples } = message.input
        rejects.push({ timeMs: message.timeMs, tenant, counts, samples })
      }
    }
    this.#fresh.add({ partition, seq: commit.seq, timeMs: commit.timeMs, effects, blocks, rejects, rows })
    const shed = this.#fresh.shed()
    if (shed.length > 0) this.#letGo(shed)
  }

  #letGo(shed: readonly FreshCommit[]): void {
    for (const commit of shed) {
      eachCount(commit, (entry, count) => (entry.fresh -= count))
      this.#shedSeq[commit.partition] = commit.seq
    }
    // At the bound each commit lets one go: a line for each would say no more.
    const nowMs = this.#clock.monotonic()
    if (nowMs - this.#shedSaidMs < SHED_SAID_MS) return
    this.#shedSaidMs = nowMs
    this.#logger.warn({ commits: shed.length, rows: this.#fresh.rows }, 'fresh rows are at their bound: the oldest show again once they are sealed')
  }

  /** The fates of a block's rows, and the counts of its series. */
  #count(message: CoveredMessage, block: Block): FreshBlock {
    const resolved = this.#resolved.get(block)
    const entries = resolved?.forgotten === this.catalog.forgotten ? resolved.entries : this.catalog.resolve(block)
    const fates = fatesOf(message, block.ts.length)
    const counts = new Uint32Array(entries.length)
    const { row, ts } = block
    let tsMin = Infinity
    let tsMax = -Infinity
    for (let i = 0; i < ts.length; i++) {
      if (fates !== null && fates[i] >= FATE_DUPLICATE) continue
      const t = ts[i]
      const entry = entries[row[i]]
      counts[row[i]]++
      if (t < entry.first) entry.first = t
      if (t < tsMin) tsMin = t
      if (t > tsMax) tsMax = t
    }
    for (let s = 0; s < entries.length; s++) {
      entries[s].fresh += counts[s]
      // A series all of whose rows were too old was never there.
      if (fates !== null && entries[s].count === 0) this.catalog.forget(entries[s])
    }
    return { timeMs: message.timeMs, block: columnsOf(block), entries, counts, fates, tsMin, tsMax }
  }

  async #work(): Promise<void> {
    while (this.#next !== null && !this.#closed) {
      const manifest = this.#next
      this.#next = null
      try {
        await this.#takeOver(manifest)
      } catch (error) {
        // A segment may be gone already, where compaction and sweeping were faster than this reader; then a newer manifest is on its way.
        this.#logger.warn({ err: error, version: manifest.version }, 'could not take a manifest over: the one before stays')
        this.#later(manifest)
      }
    }
  }

  /** Tries a manifest again, unless a newer one comes first. */
  #later(manifest: Manifest): void {
    this.#retry()
    this.#retry = this.#clock.after(1_000, () => void this.onManifest(manifest))
  }

  async #takeOver(manifest: Manifest): Promise<void> {
    const before = this.lake.current
    const version = await this.lake.prepare(manifest)
    let taken = false
    try {
      const plan = planCounts(before, version, {
        fresh: this.#fresh,
        shed: this.#shedSeq.some((seq, partition) => seq > this.coveredSeq(partition)),
        sealed: this.#sealed,
        resultsCreated: this.resultsCreated,
        newest: this.partitions.map((state) => state.resultsSeq),
        mayRebuild: () => this.#mayRebuild(),
      })
      const counts = await readCounts(this.lake, version, plan)
      if (this.#closed) return
      if (plan.whole) {
        for (const entry of this.catalog.all()) entry.sealed = 0
        this.#sealed = 0
      }
      this.lake.publish(version)
      taken = true
      for (const commit of this.#fresh.settle((partition) => this.coveredSeq(partition))) {
        eachCount(commit, (entry, count) => {
          entry.fresh -= count
          if (plan.trusted && !plan.doubtful.has(entry)) {
            entry.sealed += count
            this.#sealed += count
          }
        })
      }
      this.#apply(counts, plan.whole)
      if (plan.whole) this.#forgetEmpty()
      else if (this.#sealed !== version.readings) this.#againLater(manifest)
    } finally {
      if (!taken) this.lake.release(version)
    }
  }

  #mayRebuild(): boolean {
    const now = this.#clock.monotonic()
    if (now - this.#rebuiltAt < CATALOG_REBUILD_MIN_MS) return false
    this.#rebuiltAt = now
    return true
  }

  /** Counts all of the lake anew, as soon as that is due, if no manifest does it before. */
  #againLater(manifest: Manifest): void {
    this.#retry()
    this.#retry = this.#clock.after(CATALOG_REBUILD_MIN_MS, () => {
      if (this.manifest?.version !== manifest.version || this.#closed) return
      this.#working ??= this.#takeOver(manifest)
        .catch((error) => this.#logger.warn({ err: error }, 'could not count the series of the lake'))
        .finally(() => {
          this.#working = null
          const next = this.#next
          this.#next = null
          if (next !== null) void this.onManifest(next)
        })
    })
  }

  #apply([tenants, devices, metrics, counts, firsts, lasts, values, received]: Columns, whole: boolean): void {
    for (let i = 0; i < (tenants?.length ?? 0); i++) {
      const entry = this.catalog.entry(tenants[i], devices[i], metrics[i])
      entry.sealed += counts[i]
      this.#sealed += counts[i]
      if (firsts[i] < entry.first || (whole && entry.fresh === 0)) entry.first = firsts[i]
      entry.last(lasts[i], values[i], received[i])
    }
  }

  #forgetEmpty(): void {
    const waiting = new Set<SeriesEntry>()
    for (const { entries } of this.#fresh.blocks()) for (const entry of entries) waiting.add(entry)
    // A series that only came with messages that no commit covers yet has a receipt after the manifest; it stays.
    const empty = [...this.catalog.all()].filter((entry) => entry.count === 0 && entry.first !== Infinity && !waiting.has(entry))
    for (const entry of empty) this.catalog.forget(entry)
  }
}

function fatesOf({ fates }: CoveredMessage, rows: number): Uint8Array | null {
  if (fates === null || fates.duplicate.length + fates.expired.length + fates.old.length === 0) return null
  const of = new Uint8Array(rows)
  for (const i of fates.old) of[i] = FATE_OLD
  for (const i of fates.duplicate) of[i] = FATE_DUPLICATE
  for (const i of fates.expired) of[i] = FATE_EXPIRED
  return of
}
