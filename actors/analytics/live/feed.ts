/**
 * Feeds: what live streams are told, as chains of texts that any number of readers walk along, and one account of all that is held.
 *
 * Owns when a text is let go, and the account. Leaves who reads to live/subscriber.ts, when texts are passed on to live/pump.ts.
 *
 * The picture is a rope with knots: each reader holds the rope at the knot that it has come to, and the rope behind the last hand falls off.
 *
 * - Q1 A link is held by each reader that stands at it, and by the link before it. When nobody holds it, it is gone and its bytes are given
 *   back: what many readers have yet to read is counted, and kept, once.
 * - Q2 The last link of a feed is empty and open; filling it opens the next one. A feed that is led into another goes on there, for whoever
 *   walks along it, without a copy.
 */

import type { Subscriber } from './subscriber.ts'

/** What a link costs beside its text. */
const LINK_BYTES = 200

/** Bytes that all links together hold. */
export class Account {
  bytes = 0
}

/** A text of whole events, and where it goes on. */
export class Link {
  /** Null as long as the link is open. */
  data: Buffer | null = null
  next: Link | null = null
  holders = 0

  get cost(): number {
    return this.data === null ? 0 : this.data.byteLength + LINK_BYTES
  }
}

/** One chain and its readers. */
export class Feed {
  readonly readers = new Set<Subscriber>()
  readonly account: Account
  /** Whether it is given everything as it comes, so that who has read it all is where the hub is. */
  readonly live: boolean
  /** Text that is no link yet, so that what comes at about the same time becomes one. */
  pending = ''
  tail = new Link()

  constructor(account: Account, { live = false } = {}) {
    this.account = account
    this.live = live
  }

  /** Makes a link of what is pending; gives its cost, 0 where there is none or nobody stands before it. */
  seal(): number {
    if (this.pending === '') return 0
    const text = this.pending
    this.pending = ''
    const { tail } = this
    if (tail.holders === 0) return 0
    // Not from Node's pool: a small text in it would hold the eight kibibytes around it, which no account shows.
    const data = Buffer.allocUnsafeSlow(Buffer.byteLength(text))
    data.write(text)
    tail.data = data
    this.account.bytes += tail.cost
    this.#open(new Link())
    return tail.cost
  }

  /** Goes on in another feed, from its link `at` on; nothing may be pending. Gives what that costs. */
  lead(at: Link): number {
    const { tail } = this
    if (tail.holders === 0) return 0
    tail.data = Buffer.alloc(0)
    this.account.bytes += tail.cost
    this.#open(at)
    return tail.cost
  }

  #open(next: Link): void {
    this.tail.next = hold(next)
    this.tail = next
  }
}

export function hold(link: Link): Link {
  link.holders++
  return link
}

export function release(account: Account, link: Link): void {
  let at: Link | null = link
  while (at !== null && --at.holders === 0) {
    account.bytes -= at.cost
    const next: Link | null = at.next
    at.next = null
    at = next
  }
}

/** What lies from a link on. */
export function costFrom(link: Link): number {
  let sum = 0
  for (let at: Link | null = link; at !== null; at = at.next) sum += at.cost
  return sum
}
