/**
 * How a live stream begins that resumes nothing: with a snapshot, the last value of each series that it asked for.
 *
 * - S1 Snapshot and channel are joined in one turn: no event is missing between them.
 * - S2 Those who ask for the same within LIVE_SNAPSHOT_SHARED_MS get the same snapshot, and behind it what came since. Thousands that open at
 *   once take turns, so that none of them holds up the process.
 */

import type { Clock } from '../../../runtime/clock.ts'
import { LIVE_SNAPSHOT_MAX, LIVE_SNAPSHOT_SHARED_MS } from '../../../runtime/limits.ts'
import { turnOf } from '../../../runtime/turns.ts'
import { Feed, hold, release } from './feed.ts'
import type { Link } from './feed.ts'
import { encodeId } from './ids.ts'
import type { LiveFilter, Subscriber } from './subscriber.ts'
import type { LiveHub } from './live.ts'
import type { SeriesCatalog } from '../data/series-catalog.ts'
import { formatTime } from '../data/times.ts'

export class LiveSnapshots {
  readonly #hub: LiveHub
  readonly #catalog: SeriesCatalog
  readonly #clock: Clock
  /** Snapshots that may be shared, by the key of their channel. */
  readonly #shared = new Map<string, Link>()
  #waiting: Subscriber[] = []
  #working = false

  constructor({ hub, catalog, clock }: { hub: LiveHub; catalog: SeriesCatalog; clock: Clock }) {
    this.#hub = hub
    this.#catalog = catalog
    this.#clock = clock
  }

  begin(subscriber: Subscriber): void {
    this.#waiting.push(subscriber)
    if (!this.#working) void this.#work()
  }

  async #work(): Promise<void> {
    this.#working = true
    const turn = turnOf(this.#clock)
    while (this.#waiting.length > 0) {
      const some = this.#waiting
      this.#waiting = []
      for (const subscriber of some) {
        while (turn.isOver) await turn.next()
        const beganMs = this.#clock.monotonic()
        if (subscriber.open) this.#begin(subscriber)
        turn.spent(this.#clock.monotonic() - beganMs)
      }
    }
    this.#working = false
  }

  #begin(subscriber: Subscriber): void {
    const channel = this.#hub.join(subscriber.filter)
    const shared = this.#shared.get(channel.key)
    if (shared !== undefined) {
      subscriber.follow(channel.feed, shared)
      return this.#hub.leave(channel)
    }
    const { account } = this.#hub
    const snapshot = new Feed(account)
    const link = hold(snapshot.tail)
    snapshot.pending = this.#textFor(subscriber.filter)
    snapshot.seal()
    snapshot.lead(channel.feed.tail)
    subscriber.follow(channel.feed, link)
    this.#shared.set(channel.key, link)
    this.#clock.after(LIVE_SNAPSHOT_SHARED_MS, () => {
      this.#shared.delete(channel.key)
      release(account, link)
      this.#hub.leave(channel)
    })
  }

  #textFor({ tenant, filter, timeMs }: LiveFilter): string {
    const time = (ms: number) => (timeMs ? String(ms) : `"${formatTime(ms)}"`)
    const latest: string[] = []
    let truncated = ''
    for (const { device, metric, ts, value, receivedAt } of this.#catalog.list(tenant, filter)) {
      if (ts === -Infinity) continue
      if (latest.length === LIVE_SNAPSHOT_MAX) {
        truncated = ',"truncated":true'
        break
      }
      const names = `{"device":${JSON.stringify(device)},"metric":${JSON.stringify(metric)}`
      latest.push(`${names},"ts":${time(ts)},"value":${value},"received_at":${time(receivedAt)}}`)
    }
    const id = encodeId(this.#hub.generation, this.#hub.place)
    return `event: snapshot\nid: ${id}\ndata: {"latest":[${latest.join(',')}]${truncated}}\n\n`
  }
}
