/**
 * Live streams: readings as the log has them, windows and anomalies as commits bring them, to whoever asked for them.
 *
 * Owns who listens, and how far everything has been given. Leaves queues to live-subscriber.ts, texts to live-events.ts, the catching
 * up of a resumed stream to live-resume.ts, HTTP to the app.
 *
 * The picture is a newspaper round: each event's id says how far each of the streets had been gone through, so that another carrier
 * goes on from there.
 *
 * - V1 An id is the position in every stream of the log, and within the message the row: resuming from it gives each later event
 *   once, also from another process. The order between streams may be another one.
 * - V2 Where nobody listens to a tenant, a block costs one look-up; where nobody matches, one look a series of its dictionary.
 * - V3 Readings are given as the log has them: a row that is sent twice shows twice, for only a commit says that it is a duplicate.
 */

import type { Clock } from '../../runtime/clock.ts'
import { LIVE_HEARTBEAT_MS, LIVE_SUBSCRIBERS_MAX } from '../../runtime/limits.ts'
import type { Topology } from '../../runtime/topology.ts'
import type { CoveredCommit, InputSeen } from '../store/follow.ts'
import { readingEvents, resultEvents } from './live-events.ts'
import { encodeId, prefixOf } from './live-ids.ts'
import type { EventPlace, Vector } from './live-ids.ts'
import type { Subscriber } from './live-subscriber.ts'
import type { SeriesEntry } from './series-catalog.ts'
import type { TailListener } from './tail.ts'

export class LiveHub implements TailListener {
  readonly generation: string
  readonly topology: Topology
  #clock: Clock
  #vector: number[]
  #subscribers = new Map<string, Set<Subscriber>>()
  #stopHeartbeat: () => void = () => {}
  size = 0

  /** `generation`: a short text that another creation of the streams does not share, without `-`. */
  constructor(options: { topology: Topology; clock: Clock; generation: string }) {
    this.generation = options.generation
    this.topology = options.topology
    this.#clock = options.clock
    this.#vector = new Array<number>(options.topology.streams + 1).fill(0)
    this.#beat()
  }

  /** Says where the tail begins: what lies before is not this hub's to give. */
  startAt(vector: Vector): void {
    for (const [i, seq] of vector.entries()) this.#vector[i] = Math.max(this.#vector[i], seq)
  }

  /** How far this hub has given events. */
  get place(): EventPlace {
    return { vector: [...this.#vector], stream: 0, row: -1 }
  }

  /** Whether one more stream may be opened. */
  get open(): boolean {
    return this.size < LIVE_SUBSCRIBERS_MAX
  }

  subscribe(subscriber: Subscriber): void {
    const { tenant } = subscriber.filter
    const of = this.#subscribers.get(tenant) ?? new Set()
    of.add(subscriber)
    this.#subscribers.set(tenant, of)
    this.size++
  }

  unsubscribe(subscriber: Subscriber): void {
    const { tenant } = subscriber.filter
    const of = this.#subscribers.get(tenant)
    if (of === undefined || !of.delete(subscriber)) return
    if (of.size === 0) this.#subscribers.delete(tenant)
    this.size--
  }

  /** Ends every stream. */
  close(): void {
    this.#stopHeartbeat()
    for (const of of [...this.#subscribers.values()]) {
      for (const subscriber of [...of]) {
        subscriber.end()
        this.unsubscribe(subscriber)
      }
    }
  }

  input(partition: number, message: InputSeen, entries: readonly SeriesEntry[] | null): void {
    const stream = partition % this.topology.streams
    this.#vector[stream] = Math.max(this.#vector[stream], message.seq)
    if (message.input.kind !== 'block' || entries === null || this.size === 0) return
    const subscribers = this.#subscribers.get(message.input.tenant)
    if (subscribers === undefined) return
    const prefix = prefixOf(this.generation, this.#vector)
    for (const subscriber of subscribers) {
      this.#give(subscriber, readingEvents(subscriber.filter, { stream, timeMs: message.timeMs, block: message.input, prefix }))
    }
  }

  commit({ commit, effects }: CoveredCommit): void {
    const stream = this.topology.streams
    this.#vector[stream] = Math.max(this.#vector[stream], commit.seq)
    if (this.size === 0 || (effects.windows.length === 0 && effects.anomalies.length === 0)) return
    const prefix = prefixOf(this.generation, this.#vector)
    for (const tenant of new Set(effects.series.map((s) => s.tenant))) {
      for (const subscriber of this.#subscribers.get(tenant) ?? []) {
        this.#give(subscriber, resultEvents(subscriber.filter, { stream, effects, prefix }))
      }
    }
  }

  #give(subscriber: Subscriber, events: string): void {
    if (events !== '' && !subscriber.push(events)) this.unsubscribe(subscriber)
  }

  /** An id without data moves the client's last id on, so that a quiet stream resumes cheaply. */
  #beat(): void {
    this.#stopHeartbeat = this.#clock.after(LIVE_HEARTBEAT_MS, () => {
      const beat = `: heartbeat\nid: ${encodeId(this.generation, this.place)}\n\n`
      for (const of of this.#subscribers.values()) for (const subscriber of of) this.#give(subscriber, beat)
      this.#beat()
    })
  }
}
