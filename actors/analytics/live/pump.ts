/**
 * The pump: passes what feeds were given on to their readers, in rounds.
 *
 * Owns when. With few readers a round follows each event at once; with thousands it takes a while, the next waits for as long, and what comes
 * meanwhile is one text for each feed: the cost of writing is bounded by what there is of time, and paid in latency.
 *
 * - P1 A round gives way to timers and sockets after each turn (runtime/turns.ts).
 * - P2 At the bound of the account those are let go who are furthest behind, and never one whose connection takes what it gets.
 */

import type { Clock } from '../../../runtime/clock.ts'
import { LIVE_BYTES_MAX, LIVE_LINK_CHARS } from '../../../runtime/limits.ts'
import { turnOf } from '../../../runtime/turns.ts'
import { costFrom } from './feed.ts'
import type { Account, Feed, Link } from './feed.ts'
import type { Subscriber } from './subscriber.ts'

export class LivePump {
  readonly #clock: Clock
  readonly #account: Account
  readonly #everyone: () => Iterable<Subscriber>
  readonly #bytesMax: number
  #given = new Set<Feed>()
  #waiting: Subscriber[] = []
  #running = false
  /** Rounds begun. */
  #round = 0
  /** Who waits for the end of which round. */
  #asked: { readonly round: number; readonly resolve: () => void }[] = []
  /** Streams let go since the start, as they were too far behind. */
  letGo = 0

  constructor(options: { clock: Clock; account: Account; everyone: () => Iterable<Subscriber>; bytesMax?: number }) {
    this.#clock = options.clock
    this.#account = options.account
    this.#everyone = options.everyone
    this.#bytesMax = options.bytesMax ?? LIVE_BYTES_MAX
  }

  /** Adds text of whole events to a feed. */
  give(feed: Feed, text: string): void {
    feed.pending += text
    this.#given.add(feed)
    if (feed.pending.length > LIVE_LINK_CHARS) this.seal(feed)
    this.#start()
  }

  /** Leads a feed and its readers into another, from its link `at` on. */
  lead(feed: Feed, into: Feed, at: Link): void {
    this.seal(feed)
    const added = feed.lead(at) + costFrom(at)
    for (const reader of feed.readers) {
      reader.move(into, added)
      this.#waiting.push(reader)
    }
    this.#start()
  }

  /** Resolves when what was given so far is with all whose connections take it, whatever is given meanwhile. */
  async passedOn(): Promise<void> {
    if (!this.#running) return
    // What was given after the present round had begun is of the next one.
    const round = this.#round + 1
    await new Promise<void>((resolve) => this.#asked.push({ round, resolve }))
  }

  /** Makes one link of what a feed was given so far. */
  seal(feed: Feed): void {
    this.#given.delete(feed)
    const bytes = feed.seal()
    if (bytes === 0) return
    for (const reader of feed.readers) {
      if (!reader.grown(bytes)) this.letGo++
      else if (!reader.blocked) this.#waiting.push(reader)
    }
    if (this.#account.bytes > this.#bytesMax) this.#relieve()
  }

  #start(): void {
    if (this.#running) return
    this.#running = true
    void this.#run()
  }

  #answer(round: number): void {
    if (this.#asked.length === 0) return
    const done = this.#asked.filter((asked) => asked.round <= round)
    this.#asked = this.#asked.filter((asked) => asked.round > round)
    for (const { resolve } of done) resolve()
  }

  async #run(): Promise<void> {
    const turn = turnOf(this.#clock)
    // What else this turn of the event loop brings is of the same round.
    await null
    while (this.#given.size > 0 || this.#waiting.length > 0) {
      const beganMs = this.#clock.monotonic()
      const round = ++this.#round
      for (const feed of [...this.#given]) this.seal(feed)
      const readers = this.#waiting
      this.#waiting = []
      let sliceMs = beganMs
      for (const reader of readers) {
        reader.advance()
        const nowMs = this.#clock.monotonic()
        if (nowMs - sliceMs < 2) continue
        turn.spent(nowMs - sliceMs)
        while (turn.isOver) await turn.next()
        sliceMs = this.#clock.monotonic()
      }
      this.#answer(round)
      await this.#clock.sleep(this.#clock.monotonic() - beganMs)
    }
    this.#running = false
    this.#answer(Infinity)
  }

  /** P2. */
  #relieve(): void {
    const behind = [...this.#everyone()].filter((reader) => reader.blocked).sort((a, b) => b.owed - a.owed)
    for (const reader of behind) {
      if (this.#account.bytes <= this.#bytesMax * 0.9) return
      // What has ended already is with a connection that does not take it.
      if (!reader.open) {
        reader.cut()
        continue
      }
      reader.endToResume('too far behind of all')
      this.letGo++
    }
  }
}
