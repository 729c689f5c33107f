/**
 * Who may run next: a bounded queue before a few slots, fair between tenants.
 *
 * A counter with several clerks, and a line for each tenant. A clerk who is free calls from the line of which the fewest are being served.
 *
 * - Q1 One tenant has all slots but one at most, so that another's query never waits for it alone.
 * - Q2 Lines are bounded, in all and each, and so is the wait: beyond them `busy`.
 */

import type { Clock } from '../../../runtime/clock.ts'
import { SqlError } from './frames.ts'

export interface FairQueueOptions {
  readonly clock: Clock
  readonly slots: number
  readonly waitingMax: number
  readonly waitingTenantMax: number
  readonly waitMaxMs: number
}

interface Line {
  running: number
  /** When it was last called from, as a number that grows. */
  calledAt: number
  readonly waiting: (() => void)[]
}

export class FairQueue {
  readonly #options: FairQueueOptions
  #lines = new Map<string, Line>()
  #running = 0
  #waiting = 0
  #calls = 0

  constructor(options: FairQueueOptions) {
    this.#options = options
  }

  get waiting(): number {
    return this.#waiting
  }

  get running(): number {
    return this.#running
  }

  /** Resolves with what gives the slot back, once; rejects with `busy`, or where `signal` aborts. */
  async enter(tenant: string, signal?: AbortSignal): Promise<() => void> {
    const { clock, waitingMax, waitingTenantMax, waitMaxMs } = this.#options
    const line = this.#lines.get(tenant) ?? { running: 0, calledAt: 0, waiting: [] }
    this.#lines.set(tenant, line)
    if (!this.#mayRun(line)) {
      if (this.#waiting >= waitingMax || line.waiting.length >= waitingTenantMax) {
        throw new SqlError('busy', `Cannot run the query as at most ${waitingMax} may wait, and ${waitingTenantMax} of one tenant: current number is ${line.waiting.length}`)
      }
      this.#waiting++
      const ending = new AbortController()
      let called = false
      const call = new Promise<void>((resolve) => line.waiting.push(resolve)).then(() => (called = true))
      const leave = () => ending.abort()
      signal?.addEventListener('abort', leave)
      const place = line.waiting.at(-1)!
      await Promise.race([call, clock.sleep(waitMaxMs, ending.signal)])
      ending.abort()
      signal?.removeEventListener('abort', leave)
      if (!called) {
        const at = line.waiting.indexOf(place)
        // Called at the very moment of leaving: the slot is ours, and given back.
        if (at === -1) this.#leave(tenant, line)
        else {
          line.waiting.splice(at, 1)
          this.#waiting--
          this.#forget(tenant, line)
        }
        throw new SqlError('busy', `The query waited ${waitMaxMs} ms for others to end.`)
      }
    } else this.#begin(line)
    let left = false
    return () => {
      if (!left) this.#leave(tenant, line)
      left = true
    }
  }

  #mayRun(line: Line): boolean {
    return this.#running < this.#options.slots && line.running < Math.max(1, this.#options.slots - 1)
  }

  #begin(line: Line): void {
    this.#running++
    line.running++
    line.calledAt = ++this.#calls
  }

  #leave(tenant: string, line: Line): void {
    this.#running--
    line.running--
    this.#forget(tenant, line)
    for (;;) {
      const able = [...this.#lines.values()].filter((other) => other.waiting.length > 0 && this.#mayRun(other))
      if (able.length === 0) return
      const next = able.reduce((best, other) => (other.running - best.running || other.calledAt - best.calledAt) < 0 ? other : best)
      this.#waiting--
      this.#begin(next)
      next.waiting.shift()!()
    }
  }

  #forget(tenant: string, line: Line): void {
    if (line.running === 0 && line.waiting.length === 0 && this.#lines.get(tenant) === line) this.#lines.delete(tenant)
  }
}
