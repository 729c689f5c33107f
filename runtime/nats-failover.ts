/**
 * When a connection leaves a server of a cluster that still answers, and yet can't serve.
 *
 * A server that is cut off from the others keeps its clients: it answers their pings, and nothing else, for as long as the cut lasts.
 * The picture is a shop whose telephone is dead: the clerk is friendly, and nothing that you order ever comes. So who has waited long
 * enough goes to the shop next door.
 *
 * Owns what counts as waiting, and how long. Leaves connecting to the client.
 *
 * - V1 Only in a cluster, and only where nothing of a kind succeeded for longer than an election takes: messages that are stored (which
 *   takes a majority), or questions that are answered. One success starts the wait anew, so a single stream without a leader moves nobody.
 * - V2 A connection with nothing to ask asks something now and then, since a reader on such a server would wait in silence for ever.
 * - V3 Between two moves the wait doubles, up to a bound: where no server can serve, going round helps nobody.
 */

import type { Clock } from './clock.ts'

/** Elections take 4 to 9 s. */
const WAIT_MS = 10_000
const WAIT_MAX_MS = 80_000
/** A success so long after a move makes the next wait the shortest again. */
const CALM_MS = 60_000
/** Without a question for so long, one is asked. */
const PROBE_MS = 2_500

export type Kind = 'publish' | 'api'

export interface FailoverOptions {
  readonly clock: Clock
  /** Whether the server is one of several at this moment. */
  readonly inCluster: () => boolean
  /** Asks JetStream something; its outcome is reported as any other's. */
  readonly probe: () => void
  /** Goes to another server. */
  readonly move: () => void
}

export class Failover {
  readonly #options: FailoverOptions
  /** Since when each kind fails, by the time that the first failed one was sent. */
  readonly #failingSinceMs: Record<Kind, number | null> = { publish: null, api: null }
  #waitMs = WAIT_MS
  #movedMs = -Infinity
  #askedMs: number
  #cancel: () => void

  constructor(options: FailoverOptions) {
    this.#options = options
    this.#askedMs = options.clock.monotonic()
    this.#cancel = () => {}
    this.#lookLater()
  }

  answered(kind: Kind): void {
    this.#failingSinceMs[kind] = null
    if (kind === 'publish' && this.#waitMs === WAIT_MS) return
    const nowMs = this.#options.clock.monotonic()
    if (kind === 'api') this.#askedMs = nowMs
    if (nowMs - this.#movedMs > CALM_MS) this.#waitMs = WAIT_MS
  }

  /** One that was sent at `sentMs` of the monotonic clock got no answer, or one that says that JetStream is away. */
  failed(kind: Kind, sentMs: number): void {
    const nowMs = this.#options.clock.monotonic()
    if (kind === 'api') this.#askedMs = nowMs
    const sinceMs = (this.#failingSinceMs[kind] ??= sentMs)
    if (nowMs - sinceMs < this.#waitMs || !this.#options.inCluster()) return
    this.#waitMs = Math.min(WAIT_MAX_MS, 2 * this.#waitMs)
    this.#movedMs = nowMs
    this.anew()
    this.#options.move()
  }

  /** The connection was lost, or stands anew: what failed before says nothing of what comes. */
  anew(): void {
    this.#failingSinceMs.publish = null
    this.#failingSinceMs.api = null
  }

  close(): void {
    this.#cancel()
  }

  #lookLater(): void {
    const { clock, inCluster, probe } = this.#options
    this.#cancel = clock.after(PROBE_MS, () => {
      if (inCluster() && clock.monotonic() - this.#askedMs >= PROBE_MS) probe()
      this.#lookLater()
    })
  }
}
