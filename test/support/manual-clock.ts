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
  run: (() => void) | null
}

const isBefore = (a: Timer, b: Timer): boolean => a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order)

/** A sleep made of a clock's timers. */
export function sleepBy(after: Clock['after'], ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = after(ms, done)
    signal?.addEventListener('abort', done)
  })
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
  /** A binary heap, the next one due at its root; a timer that was cancelled stays, without what it runs. */
  #timers: Timer[] = []
  #live = 0
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
    return sleepBy((delayMs, run) => this.after(delayMs, run), ms, signal)
  }

  after(ms: number, run: () => void): () => void {
    const timer: Timer = { dueMs: this.#elapsedMs + Math.max(0, ms), order: this.#order++, run }
    this.#push(timer)
    this.#live++
    return () => {
      if (timer.run === null) return
      timer.run = null
      this.#live--
    }
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
    return this.#live
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
      const next = this.#timers[0]
      if (next === undefined || next.dueMs > untilMs) break
      this.#pop()
      const { run } = next
      if (run === null) continue
      next.run = null
      this.#live--
      this.#move(next.dueMs)
      run()
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

  #push(timer: Timer): void {
    const heap = this.#timers
    let at = heap.push(timer) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (isBefore(heap[above], timer)) break
      heap[at] = heap[above]
      at = above
    }
    heap[at] = timer
  }

  #pop(): void {
    const heap = this.#timers
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isBefore(heap[below + 1], heap[below])) below++
      if (isBefore(last, heap[below])) break
      heap[at] = heap[below]
      at = below
    }
    heap[at] = last
  }

  #move(elapsedMs: number): void {
    if (elapsedMs <= this.#elapsedMs) return
    this.#nowMs += elapsedMs - this.#elapsedMs
    this.#elapsedMs = elapsedMs
  }
}
