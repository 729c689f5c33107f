/**
 * Tells every partition of each rule, until each has said in a commit that it follows it.
 *
 * Owns what was sent and confirmed. Leaves the rules to rules.ts, and what a partition does with one to partition/rules/.
 *
 * - Y1 A rule is sent again, more and more rarely, to a partition that has not confirmed its revision: what reads the log may be of a version
 *   before rules, which passes over it. Partitions keep the greatest revision, so that to tell twice does no harm.
 * - Y2 That all have confirmed a revision is stored, so that a store that starts does not tell all of them everything anew.
 */

import type { Clock } from '../../runtime/clock.ts'
import { isOperating } from '../../runtime/errors.ts'
import type { KeyValue, Log } from '../../runtime/log.ts'
import { inputSubject } from '../../runtime/topology.ts'
import type { Topology } from '../../runtime/topology.ts'
import { encodeRule } from '../reading/input.ts'
import type { CoveredCommit, FollowerLogger } from '../store/follow.ts'
import type { RuleRegistry, StoredRule } from './rules.ts'

const PREFIX = 'ruled.'
const AGAIN_MS = 2_000
const AGAIN_MAX_MS = 60_000
const IDLE_MS = 60_000

export interface RuleRelayOptions {
  readonly registry: Pick<RuleRegistry, 'all' | 'listen'>
  readonly kv: KeyValue
  readonly log: Log
  readonly topology: Topology
  readonly clock: Clock
  readonly logger: FollowerLogger
}

/** How far one revision of a rule has come. */
interface Passage {
  readonly revision: number
  readonly confirmed: Set<number>
  /** When it is sent again, by the monotonic clock, and how long after that. */
  nextMs: number
  pauseMs: number
}

const nameOf = ({ tenant, id }: { readonly tenant: string; readonly id: string }) => `${Buffer.from(tenant).toString('base64url')}.${id}`

export class RuleRelay {
  readonly #options: RuleRelayOptions
  readonly #passages = new Map<string, Passage>()
  /** Revisions that every partition follows. */
  readonly #done = new Map<string, number>()
  #unwatch: () => void = () => {}
  #ending = new AbortController()
  #nap = new AbortController()
  #loop: Promise<void> = Promise.resolve()

  private constructor(options: RuleRelayOptions) {
    this.#options = options
  }

  static async open(options: RuleRelayOptions): Promise<RuleRelay> {
    const relay = new RuleRelay(options)
    relay.#unwatch = await options.kv.watch((key, value) => {
      if (!key.startsWith(PREFIX) || value === null) return
      const revision = Number(new TextDecoder().decode(value))
      const name = key.slice(PREFIX.length)
      if (Number.isSafeInteger(revision) && revision > (relay.#done.get(name) ?? 0)) relay.#done.set(name, revision)
    })
    options.registry.listen(() => relay.#nap.abort())
    return relay
  }

  start(): void {
    this.#loop = this.#tellOn()
  }

  async stop(): Promise<void> {
    this.#ending.abort()
    this.#nap.abort()
    this.#unwatch()
    await this.#loop
  }

  /** Whether every partition follows the rule as it is. */
  isInForce(rule: StoredRule): boolean {
    const passage = this.#passages.get(nameOf(rule))
    return (this.#done.get(nameOf(rule)) ?? 0) >= rule.revision || (passage?.revision === rule.revision && passage.confirmed.size === this.#options.topology.partitions)
  }

  onCommit({ partition, effects }: CoveredCommit): void {
    for (const { tenant, id, revision } of effects.rules) {
      const passage = this.#passages.get(nameOf({ tenant, id }))
      if (passage === undefined || revision < passage.revision) continue
      passage.confirmed.add(partition)
      if (passage.confirmed.size === this.#options.topology.partitions) this.#nap.abort()
    }
  }

  async #tellOn(): Promise<void> {
    const { clock, logger } = this.#options
    while (!this.#ending.signal.aborted) {
      this.#nap = new AbortController()
      let due = clock.monotonic() + IDLE_MS
      try {
        for (const rule of this.#options.registry.all()) due = Math.min(due, await this.#tell(rule))
      } catch (error) {
        if (!isOperating(error)) throw error
        due = clock.monotonic() + AGAIN_MS
        logger.warn({ code: error.code }, `a rule could not be told this time: ${error.message}`)
      }
      await clock.sleep(Math.max(1, due - clock.monotonic()), this.#nap.signal)
    }
  }

  /** Sends a rule where it has not been confirmed; gives when to look again. */
  async #tell(rule: StoredRule): Promise<number> {
    const { kv, log, topology, clock } = this.#options
    const name = nameOf(rule)
    if ((this.#done.get(name) ?? 0) >= rule.revision) {
      this.#passages.delete(name)
      return Infinity
    }
    let passage = this.#passages.get(name)
    if (passage === undefined || passage.revision < rule.revision) {
      this.#passages.set(name, (passage = { revision: rule.revision, confirmed: new Set(), nextMs: clock.monotonic(), pauseMs: AGAIN_MS }))
    }
    if (passage.confirmed.size === topology.partitions) {
      await kv.set(`${PREFIX}${name}`, new TextEncoder().encode(String(rule.revision)))
      this.#done.set(name, rule.revision)
      return Infinity
    }
    if (clock.monotonic() < passage.nextMs) return passage.nextMs
    passage.nextMs = clock.monotonic() + passage.pauseMs
    passage.pauseMs = Math.min(AGAIN_MAX_MS, 2 * passage.pauseMs)
    const message = encodeRule(rule)
    for (let partition = 0; partition < topology.partitions; partition++) {
      if (this.#ending.signal.aborted) break
      if (!passage.confirmed.has(partition)) await log.publish(inputSubject(partition), message)
    }
    return passage.nextMs
  }
}
