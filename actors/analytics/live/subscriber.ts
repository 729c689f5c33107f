/**
 * One client of a live stream: what it asked for, and how far along its feed it has read.
 *
 * - N1 Nothing is kept for a reader alone: it holds its feed where it stands. What it is behind is bounded, and at the bound its stream ends
 *   behind what its connection has, with a word to resume: nothing grows without end for a reader that is slow or gone.
 * - N2 What its connection has not yet taken counts as held until it is taken, or the connection is gone.
 */

import type { Clock } from '../../../runtime/clock.ts'
import { LIVE_QUEUE_BYTES_MAX } from '../../../runtime/limits.ts'
import { costFrom, hold, release } from './feed.ts'
import type { Account, Feed, Link } from './feed.ts'
import type { Sink } from './sink.ts'
import type { SeriesFilter } from '../data/series-catalog.ts'

export const KINDS = ['reading', 'window', 'anomaly', 'alert', 'forecast'] as const
export type Kind = (typeof KINDS)[number]

/** What a subscriber asked for. */
export interface LiveFilter {
  readonly tenant: string
  readonly filter: SeriesFilter
  readonly kinds: ReadonlySet<Kind>
  /** Times as epoch ms. */
  readonly timeMs: boolean
}

const RESUME = '; resume from the last id\nretry: 200\n\n'

/** One stream of events to one client. */
export class Subscriber {
  readonly filter: LiveFilter
  readonly #account: Account
  readonly #clock: Clock
  readonly #sink: Sink
  readonly #onClosed: () => void
  #feed: Feed | null = null
  /** The link that is written next. */
  #at: Link | null = null
  /** From here on links are held: those before `#at` are with a connection that has not taken them. */
  #held: Link | null = null
  /** Bytes from `#at` on. */
  #owed = 0
  /** Bytes that the connection has not taken, of a feed that was left. */
  #unsent = 0
  #life: 'open' | 'ending' | 'closed' = 'open'
  /** Since when the connection takes nothing; null while it does. */
  #blockedMs: number | null = null
  #wroteMs: number

  constructor(options: { filter: LiveFilter; account: Account; clock: Clock; sink: Sink; onClosed: () => void }) {
    const { filter, account, clock, sink, onClosed } = options
    this.filter = filter
    this.#account = account
    this.#clock = clock
    this.#sink = sink
    this.#onClosed = onClosed
    this.#wroteMs = clock.monotonic()
    sink.listen({ onDrain: () => this.#drained(), onClose: () => this.#close() })
  }

  get open(): boolean {
    return this.#life === 'open'
  }

  get blocked(): boolean {
    return this.#blockedMs !== null
  }

  /** Bytes that it has yet to read, beside what its connection has. */
  get owed(): number {
    return this.#owed
  }

  /** Reads `feed` from the link `at` on, and nothing more of the one before. */
  follow(feed: Feed, at: Link): void {
    this.#leave()
    this.#at = this.#held = hold(at)
    this.#owed = costFrom(at)
    this.move(feed)
    this.advance()
  }

  /** Hears of what is added to `feed` from now on: the one that its own leads into. `added`: what lies there already. */
  move(feed: Feed, added = 0): void {
    this.#feed?.readers.delete(this)
    if (!this.open) return
    this.#feed = feed
    feed.readers.add(this)
    this.#owed += added
  }

  /** Hears that its feed has grown; false where it was too far behind for that, and has been let go. */
  grown(bytes: number): boolean {
    this.#owed += bytes
    if (this.#blockedMs === null || this.#owed <= LIVE_QUEUE_BYTES_MAX) return true
    this.endToResume('too slow')
    return false
  }

  /** Writes what the connection takes. */
  advance(): void {
    if (!this.open || this.#at === null) return
    while (this.#blockedMs === null && this.#at.next !== null) {
      const { data, cost, next }: Link = this.#at
      this.#at = next
      this.#owed -= cost
      if (data !== null && data.byteLength > 0) this.#write(data)
    }
    if (this.#blockedMs === null) this.#let()
  }

  /** Says a word beside the feed: a comment, or an id that holds where the stream stands. */
  say(data: Uint8Array): void {
    if (this.open && this.#blockedMs === null) this.#write(data)
  }

  /** Whether it has got all that the hub has given. */
  get upToDate(): boolean {
    return this.#at !== null && this.#at.next === null && this.#feed !== null && this.#feed.live && this.#feed.pending === ''
  }

  get quietMs(): number {
    return this.#clock.monotonic() - this.#wroteMs
  }

  get blockedForMs(): number {
    return this.#blockedMs === null ? 0 : this.#clock.monotonic() - this.#blockedMs
  }

  /** Ends behind what the connection has, and tells the client to come again with the id that it has then. */
  endToResume(why: string): void {
    if (this.open) this.#end(`: ${why}${RESUME}`)
  }

  /** No more events. */
  end(): void {
    if (this.open) this.#end('')
  }

  /** Cuts the connection, which has been given all the time that it gets. */
  cut(): void {
    this.#sink.destroy()
  }

  #end(word: string): void {
    this.#life = 'ending'
    this.#leave()
    if (word !== '') this.#sink.write(Buffer.from(word))
    this.#sink.end()
  }

  #close(): void {
    if (this.#life === 'closed') return
    this.#leave()
    this.#life = 'closed'
    this.#account.bytes -= this.#unsent
    this.#unsent = 0
    this.#onClosed()
  }

  #write(data: Uint8Array): void {
    this.#wroteMs = this.#clock.monotonic()
    if (!this.#sink.write(data)) this.#blockedMs = this.#wroteMs
  }

  #drained(): void {
    this.#blockedMs = null
    this.#account.bytes -= this.#unsent
    this.#unsent = 0
    this.advance()
  }

  /** Lets go of the links before `#at`. */
  #let(): void {
    if (this.#held === this.#at || this.#held === null || this.#at === null) return
    hold(this.#at)
    release(this.#account, this.#held)
    this.#held = this.#at
  }

  #leave(): void {
    this.#feed?.readers.delete(this)
    if (this.#held !== null) {
      if (this.#life !== 'closed') {
        for (let link = this.#held; link !== this.#at; link = link.next!) this.#unsent += link.cost
        this.#account.bytes += this.#unsent
      }
      release(this.#account, this.#held)
    }
    this.#feed = this.#at = this.#held = null
    this.#owed = 0
  }
}
