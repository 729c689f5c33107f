/**
 * Keeps the states of tenants: loads them, and stores each after it has changed, by compare-and-set.
 *
 * - P1 A message may be sent once the state that holds it is stored. So whoever takes over sends the same ones, under the same ids.
 * - P2 Where another has stored something meanwhile, this one is not the notifier any more: the term ends, nothing is overwritten.
 * - P3 Everything of RESULTS before `neededFrom` is in states that are stored.
 * - P4 To store a change of one among thousands of alerts costs what has changed (fair-copy.ts): each store is read by whoever watches routes, too.
 */

import type { Clock } from '../../runtime/clock.ts'
import { ErrorCode, isOperating } from '../../runtime/errors.ts'
import { NOTIFY_CHANGES_MAX, NOTIFY_SETTLE_MS, RETRY_MAX_MS, RETRY_MIN_MS } from '../../runtime/limits.ts'
import type { KeyValue } from '../../runtime/log.ts'
import { FairCopy, PLACES, sizeOf, together } from './fair-copy.ts'
import type { CopyRef, Slip } from './fair-copy.ts'
import { copyKey, decodeState, emptyState, encodeState, stateKey, tenantOf } from './state.ts'
import type { TenantState } from './state.ts'

export interface KeeperOptions {
  readonly kv: KeyValue
  readonly clock: Clock
  /** Called after each store: what the state holds may be sent. */
  readonly onStored: (kept: Kept) => void
  /** Called once, where this term is over or can't go on. */
  readonly onFailure: (error: unknown) => void
  /** `NOTIFY_CHANGES_MAX` by default. */
  readonly changesMax?: number
}

/** A tenant's state, and how much of it is stored. */
export class Kept {
  readonly state: TenantState
  revision: number
  /** The copy that the state is stored beside, and the revisions of what is in its two places. */
  copy: { readonly fair: FairCopy; readonly ref: CopyRef } | null = null
  readonly revisions = PLACES.map(() => 0)
  /** Ids of messages that are stored. */
  stored = new Set<string>()
  /** First sequence of RESULTS whose events are in the state and not yet stored, and of those that are being stored; Infinity for none. */
  newFrom = Infinity
  storingFrom = Infinity
  life: 'clean' | 'settling' | 'storing' | 'storing-again' = 'clean'
  cancel: () => void = () => {}

  constructor(state: TenantState, revision: number) {
    this.state = state
    this.revision = revision
    this.stored = idsIn(state)
  }
}

/** The state as it is stored. */
const formOf = ({ state, copy }: Kept): TenantState | Slip => (copy === null ? state : copy.fair.slipOf(state, copy.ref))

const idsIn = ({ routes }: TenantState) => new Set(Object.values(routes).flatMap(({ queue }) => queue.map(({ id }) => id)))

export class Keeper {
  readonly #options: KeeperOptions
  readonly #by: string
  readonly #kept = new Map<string, Kept>()
  #ending = new AbortController()
  #storing = new Set<Promise<void>>()

  private constructor(options: KeeperOptions) {
    this.#options = options
    this.#by = options.clock.nonce()
  }

  static async open(options: KeeperOptions): Promise<Keeper> {
    const keeper = new Keeper(options)
    for (const tenant of new Set((await options.kv.keys()).map(tenantOf))) if (tenant !== null) await keeper.#load(tenant)
    return keeper
  }

  async #load(tenant: string): Promise<void> {
    const { kv } = this.#options
    const [there, ...copies] = await Promise.all([stateKey(tenant), ...PLACES.map((place) => copyKey(tenant, place))].map((key) => kv.get(key)))
    // Who began to store its first state may have come no further than its copy.
    const stored = there === null ? emptyState(tenant) : decodeState(there.value)
    if (stored === null) return
    const of = stored.v === 2 ? copies[stored.copy.place] : null
    // F2: it is there.
    const copy = of === null || stored.v === 1 || of.revision !== stored.copy.revision ? null : decodeState(of.value)
    const fair = copy?.v === 1 ? new FairCopy(copy) : null
    const state = stored.v === 1 ? stored : together(stored, copy?.v === 1 ? copy : emptyState(tenant))
    const kept = new Kept(state, there?.revision ?? 0)
    if (fair !== null && stored.v === 2) kept.copy = { fair, ref: stored.copy }
    for (const place of PLACES) kept.revisions[place] = copies[place]?.revision ?? 0
    this.#kept.set(tenant, kept)
  }

  all(): Iterable<Kept> {
    return this.#kept.values()
  }

  of(tenant: string): Kept {
    let kept = this.#kept.get(tenant)
    if (kept === undefined) this.#kept.set(tenant, (kept = new Kept(emptyState(tenant), 0)))
    return kept
  }

  /** The state has changed, `from` a commit on where one brought it: it is stored now. */
  changed(kept: Kept, from = Infinity): void {
    kept.newFrom = Math.min(kept.newFrom, from)
    if (this.#ending.signal.aborted) return
    if (kept.life === 'storing' || kept.life === 'storing-again') kept.life = 'storing-again'
    else this.#begin(kept)
  }

  /** Something has been delivered, or came that is to be said to nobody: that is stored soon, or with what changes before. */
  settled(kept: Kept, { from = Infinity, afterMs = NOTIFY_SETTLE_MS } = {}): void {
    kept.newFrom = Math.min(kept.newFrom, from)
    if (kept.life === 'storing') kept.life = 'storing-again'
    if (kept.life !== 'clean') return
    kept.life = 'settling'
    kept.cancel = this.#options.clock.after(afterMs, () => this.#begin(kept))
  }

  /** RESULTS before it, up to `otherwise`, is in what is stored. */
  neededFrom(otherwise: number): number {
    let from = otherwise
    for (const { newFrom, storingFrom } of this.#kept.values()) from = Math.min(from, newFrom, storingFrom)
    return from
  }

  /** Resolves once nothing is being stored that was changed before the call. */
  async flush(): Promise<void> {
    while (this.#storing.size > 0) await Promise.all(this.#storing)
  }

  /** Stores what is to be stored, unless the term failed, and stops. */
  async stop({ store }: { store: boolean }): Promise<void> {
    if (store) for (const kept of this.#kept.values()) if (kept.life === 'settling') this.#begin(kept)
    if (store) await this.flush()
    this.#ending.abort()
    for (const kept of this.#kept.values()) kept.cancel()
    await this.flush()
  }

  #begin(kept: Kept): void {
    kept.cancel()
    kept.life = 'storing'
    const storing = this.#store(kept)
      .catch((error) => {
        if (!this.#ending.signal.aborted) this.#options.onFailure(error)
      })
      .finally(() => this.#storing.delete(storing))
    this.#storing.add(storing)
  }

  async #store(kept: Kept): Promise<void> {
    do {
      kept.state.by = this.#by
      let form: TenantState | Slip | null = formOf(kept)
      if (sizeOf(form) > (this.#options.changesMax ?? NOTIFY_CHANGES_MAX)) {
        // F2: from here on nobody who has loaded an older slip can store one, that might name a copy which this one writes over.
        kept.revision = await this.#put(stateKey(kept.state.tenant), encodeState(kept.state, () => formOf(kept)), kept.revision)
        await this.#copyAnew(kept)
        form = null
      }
      kept.life = 'storing'
      kept.storingFrom = kept.newFrom
      kept.newFrom = Infinity
      const bytes = encodeState(kept.state, () => {
        const made = form ?? formOf(kept)
        form = null
        return made
      })
      const stored = idsIn(kept.state)
      kept.revision = await this.#put(stateKey(kept.state.tenant), bytes, kept.revision)
      kept.storingFrom = Infinity
      kept.stored = stored
      this.#options.onStored(kept)
    } while ((kept.life as string) === 'storing-again' && !this.#ending.signal.aborted)
    kept.life = 'clean'
  }

  /** F2: a copy in the other place. What changes meanwhile is on the slip. */
  async #copyAnew(kept: Kept): Promise<void> {
    const { state, copy, revisions } = kept
    const bytes = encodeState(state)
    const fair = new FairCopy(state)
    const place = copy?.ref.place === 0 ? 1 : 0
    const revision = await this.#put(copyKey(state.tenant, place), bytes, revisions[place])
    revisions[place] = revision
    kept.copy = { fair, ref: { place, revision } }
  }

  async #put(key: string, bytes: Uint8Array, revision: number): Promise<number> {
    const { kv, clock } = this.#options
    for (let pauseMs = RETRY_MIN_MS; ; pauseMs = Math.min(2 * pauseMs, RETRY_MAX_MS)) {
      try {
        return await kv.put(key, bytes, revision)
      } catch (error) {
        if (isOperating(error, ErrorCode.conflict)) {
          // Of an answer that was lost it is not known whether it was stored.
          const there = await kv.get(key)
          if (there !== null && Buffer.compare(there.value, bytes) === 0) return there.revision
        }
        if (!isOperating(error) || !error.retry || this.#ending.signal.aborted) throw error
      }
      await clock.sleep(pauseMs, this.#ending.signal)
      if (this.#ending.signal.aborted) throw new Error('the term is over')
    }
  }
}
