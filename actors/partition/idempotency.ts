/**
 * Which Idempotency-Keys the partition has seen.
 *
 * - K1 A hash is remembered for `IDEMPOTENCY_MS` of log time from the block that brought it first; seeing it again does not prolong that.
 * - K2 At `IDEMPOTENCY_KEYS_MAX` the oldest sixteenth is forgotten: a repetition is then still found by value, like any other.
 */

import { IDEMPOTENCY_KEYS_MAX, IDEMPOTENCY_MS } from '../../runtime/limits.ts'
import { MINUTE_MS } from '../reading/window.ts'

export interface SeenKey {
  /** Sequence of the block that brought it. */
  readonly seq: number
  /** Log time then, epoch ms. */
  readonly atMs: number
}

export class Idempotency {
  /** In order of arrival, hence of log time: what expires stands in front. */
  readonly #seen = new Map<string, SeenKey>()
  readonly #keysMax: number
  #sweptMinute = -Infinity

  constructor(keysMax = IDEMPOTENCY_KEYS_MAX) {
    this.#keysMax = keysMax
  }

  get size(): number {
    return this.#seen.size
  }

  /** Whether `hash` was seen before; if not, it is from now on. */
  repeated(hash: string, key: SeenKey): boolean {
    const oldestMs = key.atMs - IDEMPOTENCY_MS
    this.#sweep(oldestMs)
    const before = this.#seen.get(hash)
    if (before !== undefined && before.atMs >= oldestMs) return true
    if (before !== undefined) this.#seen.delete(hash)
    if (this.#seen.size >= this.#keysMax) this.#dropOldest()
    this.#seen.set(hash, key)
    return false
  }

  /** Everything remembered, oldest first. */
  entries(): IterableIterator<[string, SeenKey]> {
    return this.#seen.entries()
  }

  /** Puts back what `entries` gave, in its order. */
  restore(hash: string, key: SeenKey): void {
    this.#seen.set(hash, key)
  }

  /** Takes out what expired before the current minute: a map that loses its front one by one is slow to look at from the front. */
  #sweep(oldestMs: number): void {
    const minute = Math.floor(oldestMs / MINUTE_MS)
    if (minute === this.#sweptMinute) return
    this.#sweptMinute = minute
    for (const [hash, key] of this.#seen) {
      if (key.atMs >= minute * MINUTE_MS) return
      this.#seen.delete(hash)
    }
  }

  #dropOldest(): void {
    let excess = this.#keysMax / 16
    for (const hash of this.#seen.keys()) {
      this.#seen.delete(hash)
      if (--excess <= 0) return
    }
  }
}
