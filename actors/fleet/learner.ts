/**
 * Learns of each kind of series from the profiles that partitions commit, and tells all partitions, by messages of their logs.
 *
 * Owns the models: one entry a kind in the log's key-value store, with the place in RESULTS up to which it was learned. Leaves how a profile
 * moves a model to groups.ts, and what a partition does with a prior to partition/fleet/.
 *
 * - L1 A profile counts once, however many learners there are and however often they restart: a model and its place change together, by
 *   compare-and-set, and what lies at or before the place is passed over.
 * - L2 What partitions are told is the model as it was stored, under its revision; of two messages of a kind they keep the greater one. So
 *   telling twice does no harm, and what was not told because of a crash is told at the next start.
 * - L3 A kind is told when what is known of it has grown by half, and else every `TELL_MS`.
 */

import type { Clock } from '../../runtime/clock.ts'
import { ErrorCode, isOperating } from '../../runtime/errors.ts'
import type { KeyValue, Log } from '../../runtime/log.ts'
import { inputSubject } from '../../runtime/topology.ts'
import type { Topology } from '../../runtime/topology.ts'
import { kindOf } from '../partition/fleet/kinds.ts'
import { KINDS_MAX } from '../partition/fleet/priors.ts'
import type { Profile } from '../partition/fleet/profile.ts'
import { encodePrior } from '../reading/input.ts'
import type { CoveredCommit, FollowerLogger } from '../store/follow.ts'
import { EMPTY_KIND, learn } from './groups.ts'
import type { KindModel } from './groups.ts'
import { learnTraits, NO_TRAITS, TRAIT_DAYS_MIN } from './traits.ts'
import type { Traits } from './traits.ts'

const PREFIX = 'fleet.'
const TELL_MS = 6 * 3_600_000
const GROWTH = 1.5
/** Profiles of a kind that wait to be learned; of more the oldest go. */
const WAITING_MAX = 20_000
const LEARN_EVERY_MS = 2_000

/** What is stored of a kind. */
export interface StoredKind {
  readonly of: string
  /** Creation of RESULTS, and the last sequence of it, that the model was learned from. */
  readonly created: string
  readonly seq: number
  readonly model: KindModel
  readonly traits: Traits
}

export interface LearnerOptions {
  readonly kv: KeyValue
  readonly log: Log
  readonly topology: Topology
  /** Identity of RESULTS. */
  readonly created: string
  readonly clock: Clock
  readonly logger: FollowerLogger
}

interface Waiting {
  readonly seq: number
  readonly profile: Profile
  readonly traits: Float64Array | undefined
}

export class FleetLearner {
  readonly #options: LearnerOptions
  #kinds = new Map<string, StoredKind & { readonly revision: number }>()
  #waiting = new Map<string, Waiting[]>()
  /** Of each kind, days of its model when it was told, and when that was. */
  #told = new Map<string, { readonly days: number; readonly atMs: number }>()
  #unwatch: () => void = () => {}
  #ending = new AbortController()
  #loop: Promise<void> = Promise.resolve()

  private constructor(options: LearnerOptions) {
    this.#options = options
  }

  /** Reads what is stored, and follows it. */
  static async open(options: LearnerOptions): Promise<FleetLearner> {
    const learner = new FleetLearner(options)
    learner.#unwatch = await options.kv.watch((key, value, revision) => {
      const stored = key.startsWith(PREFIX) && value !== null ? decode(value) : null
      if (stored !== null && (learner.#kinds.get(stored.of)?.revision ?? 0) < revision) learner.#kinds.set(stored.of, { ...stored, revision })
    })
    return learner
  }

  start(): void {
    this.#loop = this.#learnOn()
  }

  async stop(): Promise<void> {
    this.#ending.abort()
    this.#unwatch()
    await this.#loop
  }

  /** What is known, in order of the kinds' names. */
  kinds(): readonly StoredKind[] {
    return [...this.#kinds.values()].sort((a, b) => (a.of < b.of ? -1 : 1))
  }

  onCommit({ commit, effects }: CoveredCommit): void {
    for (const { series, level, amplitude, course, traits } of effects.profiles) {
      const { tenant, device, metric } = effects.series[series]
      const kind = kindOf(tenant, device, metric)
      let waiting = this.#waiting.get(kind)
      if (waiting === undefined) {
        if (!this.#kinds.has(kind) && this.#kinds.size + this.#waiting.size >= KINDS_MAX) continue
        this.#waiting.set(kind, (waiting = []))
      }
      waiting.push({ seq: commit.seq, profile: { level, amplitude, course }, traits })
      if (waiting.length > WAITING_MAX) waiting.shift()
    }
  }

  /** Learns what waits, and tells what has changed enough; throws `OperatingError` where the log does not answer. */
  async learnNow(): Promise<void> {
    for (const [kind, waiting] of [...this.#waiting]) {
      this.#waiting.delete(kind)
      try {
        await this.#learnKind(kind, waiting)
      } catch (error) {
        this.#waiting.set(kind, [...waiting, ...(this.#waiting.get(kind) ?? [])])
        throw error
      }
    }
    for (const stored of this.#kinds.values()) if (this.#isNews(stored)) await this.#tell(stored)
  }

  async #learnKind(kind: string, waiting: readonly Waiting[]): Promise<void> {
    const { kv, created } = this.#options
    const key = keyOf(kind)
    for (;;) {
      const there = await kv.get(key)
      const before = there === null ? null : decode(there.value)
      const from = before?.created === created ? before.seq : 0
      const news = waiting.filter(({ seq }) => seq > from)
      if (news.length === 0) return
      const model = news.reduce((m, { profile }) => learn(m, profile), before?.model ?? EMPTY_KIND)
      const traits = news.reduce((t, day) => (day.traits === undefined ? t : learnTraits(t, day.traits)), before?.traits ?? NO_TRAITS)
      const stored: StoredKind = { of: kind, created, seq: news[news.length - 1].seq, model, traits }
      try {
        const revision = await kv.put(key, new TextEncoder().encode(JSON.stringify(stored)), there?.revision ?? 0)
        this.#kinds.set(kind, { ...stored, revision })
        return
      } catch (error) {
        // Another learner was faster: what it has learned is passed over.
        if (!isOperating(error, ErrorCode.conflict)) throw error
      }
    }
  }

  #isNews({ of, model }: StoredKind): boolean {
    if (model.groups.length === 0) return false
    const told = this.#told.get(of)
    return told === undefined || model.days >= told.days * GROWTH || (model.days > told.days && this.#options.clock.monotonic() - told.atMs >= TELL_MS)
  }

  async #tell({ of, model, traits, revision }: StoredKind & { readonly revision: number }): Promise<void> {
    const { log, topology, clock } = this.#options
    const groups = model.groups.map((g) => ({ centre: Float64Array.from(g.centre), spread: g.spread, days: g.days }))
    const message = encodePrior({ of, revision, scale: model.scale, groups, ...(traits.days >= TRAIT_DAYS_MIN ? { traits: Float64Array.from(traits.means) } : {}) })
    for (let partition = 0; partition < topology.partitions; partition++) await log.publish(inputSubject(partition), message)
    this.#told.set(of, { days: model.days, atMs: clock.monotonic() })
  }

  async #learnOn(): Promise<void> {
    const { clock, logger } = this.#options
    const { signal } = this.#ending
    while (!signal.aborted) {
      await clock.sleep(LEARN_EVERY_MS, signal)
      if (signal.aborted) return
      await this.learnNow().catch((error) => {
        if (!isOperating(error)) throw error
        logger.warn({ code: error.code }, `what is usual for a kind could not be stored or told this time: ${error.message}`)
      })
    }
  }
}

/** Kinds hold signs that a key may not. */
function keyOf(kind: string): string {
  return PREFIX + Buffer.from(kind).toString('base64url')
}

/** Null for bytes that are no such entry: it is learned anew. */
function decode(value: Uint8Array): StoredKind | null {
  try {
    const stored = JSON.parse(new TextDecoder().decode(value)) as StoredKind
    const { model, traits = NO_TRAITS } = stored
    const sound = typeof stored.of === 'string' && Number.isSafeInteger(stored.seq) && model.scale >= 0 && model.groups.every((g) => g.centre.length === 24 && g.centre.every(Number.isFinite)) && traits.days >= 0 && traits.means.every(Number.isFinite)
    return sound ? { ...stored, traits } : null
  } catch {
    return null
  }
}
