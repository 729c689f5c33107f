/**
 * Which store the edge asks.
 *
 * Picks one at random and keeps to it while it is there, so that one client sees one store's view; a store that refused a connection is avoided
 * for a while. Leaves asking to proxy.ts and relay.ts.
 */

import type { Clock } from '../../runtime/clock.ts'
import { PROXY_AVOID_MS } from '../../runtime/limits.ts'
import type { Member, MemberRole } from '../../runtime/membership.ts'

/** How often it is looked whether a store has come. */
const LOOK_MS = 50

/** The part of the membership that the edge looks at. */
export interface Stores {
  view(role: MemberRole): readonly Member[]
}

interface Waiter {
  readonly untilMs: number
  readonly gone: () => boolean
  readonly wake: (found: boolean) => void
}

export class StoreChoice {
  readonly #stores: Stores
  readonly #clock: Clock
  readonly #avoidUntil = new Map<string, number>()
  #chosen: string | null = null
  #waiting: Waiter[] = []

  constructor(options: { stores: Stores; clock: Clock }) {
    this.#stores = options.stores
    this.#clock = options.clock
  }

  /**
   * Address of a store; null where there is none. One that is avoided only where there is no other, and where `patient`, for one who can wait,
   * not even then.
   */
  pick({ patient = false } = {}): string | null {
    const urls = this.#stores.view('store').flatMap((member) => (member.url === null ? [] : [member.url]))
    const nowMs = this.#clock.monotonic()
    const willing = urls.filter((url) => (this.#avoidUntil.get(url) ?? 0) <= nowMs)
    for (const url of this.#avoidUntil.keys()) if (!urls.includes(url)) this.#avoidUntil.delete(url)
    if (this.#chosen !== null && willing.includes(this.#chosen)) return this.#chosen
    const from = willing.length > 0 || patient ? willing : urls
    if (from.length === 0) return null
    this.#chosen = from[Math.floor(this.#clock.random() * from.length)]
    return this.#chosen
  }

  avoid(url: string): void {
    this.#avoidUntil.set(url, this.#clock.monotonic() + PROXY_AVOID_MS)
    this.#chosen = null
  }

  /** Resolves once there is a store that is not avoided: true; false at `untilMs` of the monotonic clock, or when who asked is `gone`. One look serves all who wait. */
  arrival(untilMs: number, gone: () => boolean): Promise<boolean> {
    if (this.pick({ patient: true }) !== null) return Promise.resolve(true)
    return new Promise((wake) => {
      this.#waiting.push({ untilMs, gone, wake })
      if (this.#waiting.length === 1) void this.#look()
    })
  }

  async #look(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#clock.sleep(LOOK_MS)
      const found = this.pick({ patient: true }) !== null
      const nowMs = this.#clock.monotonic()
      const ready = this.#waiting.filter(({ untilMs, gone }) => found || nowMs >= untilMs || gone())
      if (ready.length === 0) continue
      const woken = new Set(ready)
      this.#waiting = this.#waiting.filter((waiter) => !woken.has(waiter))
      for (const { wake } of ready) wake(found)
    }
  }
}
