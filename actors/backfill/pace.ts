/**
 * How fast history may be sent beside what is live. The picture is a driver in a side street: faster while nobody is held up, and off the pedal at the
 * first sign of it.
 *
 * What the others feel is felt by small requests of the history itself, a row each, many a second: they go the way of a device's reading. Before
 * anything else is sent, and in short rests four times a minute, they tell how long that takes without the backfill; beside it, how long with it. So
 * what others do to each other is not taken for its own doing.
 *
 * - P1 Where others send, it begins slowly. At each look at the small requests, if all but the slowest of twenty took little longer than they
 *   do at rest, the rate grows by a fifth; else it falls by a quarter.
 * - P2 Where nobody else sends there is nobody to hold up: the rate grows by a twentieth with each answer that came in good time, and falls by a
 *   third at one that took long. Who does not know takes it that others do.
 * - P3 At a refusal it falls by half.
 * - P4 Nothing is sent while more is accepted and not yet in the lake than `BACKFILL_BEHIND_MAX`: the store is never given more than it digests.
 */

import {
  BACKFILL_BATCH_ROWS,
  BACKFILL_BEHIND_MAX,
  BACKFILL_ENOUGH_PROBES,
  BACKFILL_RATE_FIRST,
  BACKFILL_RATE_FIRST_BESIDE,
  BACKFILL_RATE_MIN,
  BACKFILL_REST_EVERY_MS,
  BACKFILL_REST_MS,
  BACKFILL_SLOW_MS,
} from '../../runtime/limits.ts'

/** How long a look at the small requests takes, and how many of them it needs. */
const LOOK_MS = 2_000
const LOOK_PROBES = 10
/** …or so long, where they take so long themselves that there are not so many. */
const LOOK_MAX_MS = 4_000
/** Small requests at rest, the newest so many, that tell what is usual. */
const REST_PROBES = 60
/** A request holds as many rows as the rate gives in this time: many small bursts disturb less than few large ones. */
const REQUEST_MS = 100
const REQUEST_ROWS_MIN = 500

type Phase =
  | { readonly kind: 'resting'; readonly untilMs: number | null; readonly tookMs: number[] }
  | { readonly kind: 'sending'; lookSinceMs: number; tookMs: number[] }

export class Pace {
  /** Rows a second. */
  rate: number
  #rateMax: number
  #quickMs = Infinity
  #behind = 0
  #dueMs = -Infinity
  #others: boolean | null = null
  #atRest: number[] = []
  #restedMs = -Infinity
  #phase: Phase = { kind: 'resting', untilMs: null, tookMs: [] }

  /** @param rateMax rows a second at most; 0 for no bound of its own. */
  constructor(rateMax: number) {
    this.#rateMax = rateMax === 0 ? Infinity : rateMax
    this.rate = Math.min(BACKFILL_RATE_FIRST, this.#rateMax)
  }

  /** Rows of the next request. */
  get rowsAtOnce(): number {
    return Math.min(BACKFILL_BATCH_ROWS, Math.max(REQUEST_ROWS_MIN, Math.round((this.rate * REQUEST_MS) / 1_000)))
  }

  /** How long nineteen of twenty small requests may take for nobody to be held up; Infinity while nothing is known. */
  get bearableMs(): number {
    return this.#atRest.length === 0 ? Infinity : slowOf(this.#atRest) * 1.5 + 10
  }

  /** A small request that took so long, at this moment of a monotonic clock. */
  probed(tookMs: number, nowMs: number): void {
    const phase = this.#phase
    phase.tookMs.push(tookMs)
    if (phase.kind === 'resting') {
      const isOver = phase.untilMs === null ? phase.tookMs.length >= BACKFILL_ENOUGH_PROBES : nowMs >= phase.untilMs
      if (!isOver) return
      // What was sent before a rest is still being digested in its first half.
      const told = phase.untilMs === null ? phase.tookMs : phase.tookMs.slice(phase.tookMs.length >> 1)
      if (this.#atRest.length === 0) this.rate = Math.min(this.rate, BACKFILL_RATE_FIRST_BESIDE)
      this.#atRest = [...this.#atRest, ...told].slice(-REST_PROBES)
      this.#phase = { kind: 'sending', lookSinceMs: nowMs, tookMs: [] }
      this.#restedMs = nowMs
      return
    }
    const lookMs = nowMs - phase.lookSinceMs
    if (lookMs < LOOK_MS || (phase.tookMs.length < LOOK_PROBES && lookMs < LOOK_MAX_MS)) return
    if (this.#others !== false) this.#change(slowOf(phase.tookMs) <= this.bearableMs ? 6 / 5 : 3 / 4)
    phase.lookSinceMs = nowMs
    phase.tookMs = []
    if (this.#others !== false && nowMs - this.#restedMs > BACKFILL_REST_EVERY_MS) this.#phase = { kind: 'resting', untilMs: nowMs + BACKFILL_REST_MS, tookMs: [] }
  }

  /** An answer to a large request that took so long. */
  answered(tookMs: number): void {
    this.#quickMs = Math.min(this.#quickMs * 1.01, tookMs)
    if (tookMs > Math.max(BACKFILL_SLOW_MS, 4 * this.#quickMs)) this.#change(2 / 3)
    else if (this.#others === false) this.#change(1.05)
  }

  /** 429, 503 or no answer. */
  refused(): void {
    this.#change(1 / 2)
  }

  /** Readings of everybody that are accepted and not yet in the lake, and whether anybody else sends; null: that is not known. */
  learn(behind: number, others: boolean | null): void {
    this.#behind = behind
    this.#others = others
    if (others === false && this.#phase.kind === 'resting') this.#phase = { kind: 'sending', lookSinceMs: -Infinity, tookMs: [] }
    // Beside others it must know first how they fare without it.
    if (others !== false && this.#phase.kind === 'sending' && this.#atRest.length === 0) this.#phase = { kind: 'resting', untilMs: null, tookMs: [] }
  }

  /** How long to wait before rows are sent, at this moment of a monotonic clock; Infinity: until more is learnt. */
  waitMs(nowMs: number): number {
    return this.#phase.kind === 'resting' || this.#behind > BACKFILL_BEHIND_MAX ? Infinity : Math.max(0, this.#dueMs - nowMs)
  }

  /** They are being sent. */
  sent(rows: number, nowMs: number): void {
    this.#dueMs = Math.max(this.#dueMs, nowMs) + (rows / this.rate) * 1_000
  }

  #change(factor: number): void {
    this.rate = Math.min(this.#rateMax, Math.max(BACKFILL_RATE_MIN, this.rate * factor))
  }
}

/** What nineteen of twenty did not take longer than. */
function slowOf(tookMs: readonly number[]): number {
  const sorted = [...tookMs].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * 0.95) - 1)]
}
