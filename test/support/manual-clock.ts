/**
 * A clock that a test moves: virtual time, seeded randomness, counted names.
 *
 * Owns the order of timers (by due time, then by the order of their making). Between two timers it lets promises settle, so that
 * what a timer started has run as far as it can before the next one is due.
 */

import type { Clock } from '../../runtime/clock.ts'

interface Timer {
  readonly dueMs: number
  readonly order: number
  readonly run: () => void
}

/** Lets every promise that can settle without I/O do so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/**
 * @example
 * const clock = new ManualClock({ nowMs: 1_000 })
 * clock.after(50, () => console.log('due'))
 * await clock.advance(100)
 */
export class ManualClock implements Clock {
  #nowMs: number
  #elapsedMs = 0
  #order = 0
  #timers = new Map<number, Timer>()
  #seed: number
  #names = 0

  constructor({ nowMs = 1_767_225_600_000, seed = 1 }: { nowMs?: number; seed?: number } = {}) {
    this.#nowMs = nowMs
    this.#seed = seed >>> 0
  }

  now(): number {
    return this.#nowMs
  }

  monotonic(): number {
    return this.#elapsedMs
  }

  /** Moves the wall clock alone, as an operator or NTP does; timers and `monotonic` take no notice. */
  stepWall(ms: number): void {
    this.#nowMs += ms
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const done = () => {
        cancel()
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const cancel = this.after(ms, done)
      signal?.addEventListener('abort', done)
    })
  }

  after(ms: number, run: () => void): () => void {
    const order = this.#order++
    this.#timers.set(order, { dueMs: this.#elapsedMs + Math.max(0, ms), order, run })
    return () => this.#timers.delete(order)
  }

  random(): number {
    // mulberry32
    this.#seed = (this.#seed + 0x6d2b79f5) >>> 0
    let t = this.#seed
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }

  nonce(bytes = 8): string {
    return (++this.#names).toString(16).padStart(bytes * 2, '0')
  }

  /** Timers that wait. */
  get waiting(): number {
    return this.#timers.size
  }

  /** Lets `ms` pass as a frozen process does: no timer runs, and all that was due meanwhile is overdue. */
  sleepThrough(ms: number): void {
    this.#move(this.#elapsedMs + ms)
  }

  /** Lets `ms` pass: runs what is due on the way in order, each followed by what it sets going. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#elapsedMs + ms
    await settle()
    for (;;) {
      let next: Timer | null = null
      for (const timer of this.#timers.values()) {
        if (timer.dueMs > untilMs) continue
        if (next === null || timer.dueMs < next.dueMs || (timer.dueMs === next.dueMs && timer.order < next.order)) next = timer
      }
      if (next === null) break
      this.#timers.delete(next.order)
      this.#move(next.dueMs)
      next.run()
      await settle()
    }
    this.#move(untilMs)
    await settle()
  }

  /** Advances in steps until `condition` holds; throws after `maxMs` of virtual time. */
  async until(condition: () => boolean | Promise<boolean>, { stepMs = 10, maxMs = 60_000, what = 'the condition' } = {}): Promise<void> {
    const limitMs = this.#elapsedMs + maxMs
    await settle()
    while (!(await condition())) {
      if (this.#elapsedMs >= limitMs) throw new Error(`Cannot go on as ${what} must hold within ${maxMs} ms of virtual time`)
      await this.advance(stepMs)
    }
  }

  #move(elapsedMs: number): void {
    if (elapsedMs <= this.#elapsedMs) return
    this.#nowMs += elapsedMs - this.#elapsedMs
    this.#elapsedMs = elapsedMs
  }
}

/** One process's view of a clock that several share: frozen, its timers wait, and are all due when it thaws, while time goes on for the others. */
export class FreezableClock implements Clock {
  #clock: Clock
  #frozen = false
  #overdue = new Set<() => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  freeze(): void {
    this.#frozen = true
  }

  thaw(): void {
    this.#frozen = false
    const overdue = [...this.#overdue]
    this.#overdue.clear()
    for (const run of overdue) run()
  }

  now(): number {
    return this.#clock.now()
  }

  monotonic(): number {
    return this.#clock.monotonic()
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const done = () => {
        cancel()
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const cancel = this.after(ms, done)
      signal?.addEventListener('abort', done)
    })
  }

  after(ms: number, run: () => void): () => void {
    const due = () => {
      if (this.#frozen) this.#overdue.add(due)
      else run()
    }
    const cancel = this.#clock.after(ms, due)
    return () => {
      cancel()
      this.#overdue.delete(due)
    }
  }

  random(): number {
    return this.#clock.random()
  }

  nonce(bytes?: number): string {
    return this.#clock.nonce(bytes)
  }
}
