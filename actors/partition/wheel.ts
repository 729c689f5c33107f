/**
 * An alarm clock for many series: a bucket of series for each second of a clock that never runs back.
 *
 * Picture a row of pigeon-holes, one a second: a step of the clock empties the holes it passes, so that it costs what is due and not
 * what waits. Nothing is ever taken out early: the owner notes on the series which bucket is the valid one, and passes over what
 * it finds in another. Source: Varghese and Lauck, Hashed and Hierarchical Timing Wheels, SOSP 1987.
 *
 * - W1 What falls due in one step comes out in order of series, so that neither insertion order nor a restore shows.
 */

const BUCKET_MS = 1_000

/** What can be woken: a number that orders it among its kind. */
export interface Sleeper {
  readonly id: number
}

export class Wheel<T extends Sleeper> {
  readonly #buckets = new Map<number, T[]>()
  /** Last bucket that was emptied. */
  #cursor: number

  constructor(clockMs: number) {
    this.#cursor = Math.floor(clockMs / BUCKET_MS)
  }

  /** The bucket that falls due when the clock reaches `dueMs`, at the next full second, and not before its next step. */
  bucketOf(dueMs: number): number {
    return Math.max(Math.ceil(dueMs / BUCKET_MS), this.#cursor + 1)
  }

  put(sleeper: T, bucket: number): void {
    const there = this.#buckets.get(bucket)
    if (there === undefined) this.#buckets.set(bucket, [sleeper])
    else there.push(sleeper)
  }

  /** Moves the clock and takes out all that is due, in order of id; one that was put in twice comes twice. */
  advance(clockMs: number): readonly T[] {
    const until = Math.floor(clockMs / BUCKET_MS)
    const from = this.#cursor + 1
    if (until < from) return NONE
    this.#cursor = until
    if (this.#buckets.size === 0) return NONE
    const due: T[] = []
    // A clock may jump years ahead: then the buckets are fewer than the seconds.
    if (until - from > this.#buckets.size) {
      for (const [bucket, sleepers] of this.#buckets) {
        if (bucket > until) continue
        this.#buckets.delete(bucket)
        for (const s of sleepers) due.push(s)
      }
    } else {
      for (let bucket = from; bucket <= until; bucket++) {
        const sleepers = this.#buckets.get(bucket)
        if (sleepers === undefined) continue
        this.#buckets.delete(bucket)
        for (const s of sleepers) due.push(s)
      }
    }
    return due.sort(byId)
  }

  clear(): void {
    this.#buckets.clear()
  }

  /** Whether `bucket` has been passed. */
  passed(bucket: number): boolean {
    return bucket <= this.#cursor
  }
}

const NONE: readonly never[] = []

function byId(a: Sleeper, b: Sleeper): number {
  return a.id - b.id
}
