/**
 * One client of a live stream: what it asked for, and the bounded queue of what it has yet to read.
 *
 * - N1 At the bound the stream ends behind what is queued, and its client resumes from the last id that it got: nothing grows without
 *   end for a reader that is slow or gone.
 */

import type { Clock } from '../../runtime/clock.ts'
import { LIVE_QUEUE_CHARS_MAX } from '../../runtime/limits.ts'
import type { SeriesFilter } from './series-catalog.ts'

export const KINDS = ['reading', 'window', 'anomaly'] as const
export type Kind = (typeof KINDS)[number]

/** What a subscriber asked for. */
export interface LiveFilter {
  readonly tenant: string
  readonly filter: SeriesFilter
  readonly kinds: ReadonlySet<Kind>
  /** Times as epoch ms. */
  readonly timeMs: boolean
}

/** One stream of events to one client. */
export class Subscriber {
  readonly filter: LiveFilter
  #queue: string[] = []
  /** Events of the hub that wait until the ones before them have been read from the log. */
  #held: string[] | null = null
  #chars = 0
  #wake: (() => void) | null = null
  #life: 'open' | 'ending' | 'closed' = 'open'

  constructor(filter: LiveFilter) {
    this.filter = filter
  }

  get closed(): boolean {
    return this.#life !== 'open'
  }

  /** Queues text; false where the queue is full, and the stream ends behind what is in it. */
  push(chunk: string): boolean {
    if (this.#life !== 'open') return false
    if (this.#chars + chunk.length > LIVE_QUEUE_CHARS_MAX && this.#chars > 0) {
      // What is held lies behind events that are not queued yet, so that it must not be given without them.
      this.#held = null
      this.endToResume('too slow')
      return false
    }
    this.#chars += chunk.length
    if (this.#held !== null) this.#held.push(chunk)
    else this.#queue.push(chunk)
    this.#notify()
    return true
  }

  /** From now on what is pushed waits, and what is `prepend`ed goes before it, until `release`. */
  hold(): void {
    this.#held ??= []
  }

  prepend(chunk: string): void {
    if (this.#life !== 'open') return
    this.#queue.push(chunk)
    this.#chars += chunk.length
    this.#notify()
  }

  /** Drops what is held: the stream begins anew. */
  discard(): void {
    for (const chunk of this.#held ?? []) this.#chars -= chunk.length
    this.#held = null
  }

  release(): void {
    if (this.#held !== null) this.#queue.push(...this.#held)
    this.#held = null
    this.#notify()
  }

  /** Ends behind what is queued, and tells the client to come again with the id that it has then. */
  endToResume(why: string): void {
    if (this.#life === 'open') this.#queue.push(`: ${why}; resume from the last id\nretry: 200\n\n`)
    this.end()
  }

  /** No more events; what is queued is still given. */
  end(): void {
    if (this.#life === 'open') this.#life = 'ending'
    this.#notify()
  }

  /** The reader is gone. */
  close(): void {
    this.#life = 'closed'
    this.#queue = []
    this.#chars = 0
    this.#notify()
  }

  /** All that is queued, once there is something; null at the end. */
  async take(): Promise<string | null> {
    while (this.#queue.length === 0 && this.#life === 'open') await new Promise<void>((resolve) => (this.#wake = resolve))
    if (this.#queue.length === 0 || this.#life === 'closed') return null
    const all = this.#queue.join('')
    this.#queue = []
    this.#chars -= all.length
    return all
  }

  /** Resolves when little is queued, or nobody reads any more: for who feeds it from the log. */
  async drained(clock: Clock): Promise<void> {
    while (this.#chars > LIVE_QUEUE_CHARS_MAX / 4 && this.#life === 'open') await clock.sleep(20)
  }

  #notify(): void {
    this.#wake?.()
    this.#wake = null
  }
}
