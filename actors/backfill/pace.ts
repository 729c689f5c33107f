/**
 * How fast history may be sent beside what is live. The picture is a driver in a side street: faster while nobody is held up, and off the pedal at the
 * first sign of it.
 *
 * - P1 The rate grows by a twentieth with each answer that came in good time, and falls by a third at one that took long, by half at a refusal.
 * - P2 Nothing is sent while more is accepted and not yet in the lake than `behindMax`: the store is never given more than it digests.
 */

import { BACKFILL_BEHIND_MAX, BACKFILL_RATE_FIRST, BACKFILL_RATE_MIN, BACKFILL_SLOW_MS } from '../../runtime/limits.ts'

export class Pace {
  /** Rows a second. */
  rate: number
  #rateMax: number
  #quickMs = Infinity
  #behind = 0
  #dueMs = -Infinity

  /** @param rateMax rows a second at most; 0 for no bound of its own. */
  constructor(rateMax: number) {
    this.#rateMax = rateMax === 0 ? Infinity : rateMax
    this.rate = Math.min(BACKFILL_RATE_FIRST, this.#rateMax)
  }

  /** An answer that took so long. */
  answered(tookMs: number): void {
    this.#quickMs = Math.min(this.#quickMs * 1.01, tookMs)
    const slow = tookMs > Math.max(BACKFILL_SLOW_MS, 4 * this.#quickMs)
    this.rate = slow ? Math.max(BACKFILL_RATE_MIN, this.rate * (2 / 3)) : Math.min(this.#rateMax, this.rate * 1.05)
  }

  /** 429, 503 or no answer. */
  refused(): void {
    this.rate = Math.max(BACKFILL_RATE_MIN, this.rate / 2)
  }

  /** Readings of everybody that are accepted and not yet in the lake. */
  learn(behind: number): void {
    this.#behind = behind
  }

  /** How long to wait before `rows` rows are sent, at this moment of a monotonic clock; Infinity: until more is learnt. */
  waitMs(nowMs: number): number {
    return this.#behind > BACKFILL_BEHIND_MAX ? Infinity : Math.max(0, this.#dueMs - nowMs)
  }

  /** They are being sent. */
  sent(rows: number, nowMs: number): void {
    this.#dueMs = Math.max(this.#dueMs, nowMs) + (rows / this.rate) * 1_000
  }
}
