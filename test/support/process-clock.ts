/**
 * The clock of one process, over one that several share: stopped, as by SIGSTOP, its timers wait, and are all due when it goes on, while time
 * passes for the others; killed, none of them runs any more. Its wall clock may be wrong.
 */

import type { Clock } from '../../runtime/clock.ts'
import { sleepBy } from './manual-clock.ts'

export class ProcessClock implements Clock {
  #base: Clock
  #skewMs: number
  #dead = false
  #held: (() => void)[] | null = null

  constructor(base: Clock, skewMs = 0) {
    this.#base = base
    this.#skewMs = skewMs
  }

  now(): number {
    return this.#base.now() + this.#skewMs
  }

  monotonic(): number {
    return this.#base.monotonic()
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepBy((delayMs, run) => this.after(delayMs, run), ms, signal)
  }

  after(ms: number, run: () => void): () => void {
    let cancelled = false
    const due = () => {
      if (this.#dead || cancelled) return
      if (this.#held) this.#held.push(due)
      else run()
    }
    const cancel = this.#base.after(ms, due)
    return () => {
      cancelled = true
      cancel()
    }
  }

  random(): number {
    return this.#base.random()
  }

  nonce(bytes?: number): string {
    return this.#base.nonce(bytes)
  }

  pause(): void {
    this.#held ??= []
  }

  resume(): void {
    const held = this.#held ?? []
    this.#held = null
    for (const run of held) run()
  }

  die(): void {
    this.#dead = true
  }
}
