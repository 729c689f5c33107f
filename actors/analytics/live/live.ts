/**
 * Live streams: readings as the log has them, windows and anomalies as commits bring them, to whoever asked for them.
 *
 * Owns who listens, and how far everything has been given. Leaves texts to live/events.ts, who hears of what to live/series-index.ts, what waits to
 * live/feed.ts and live/pump.ts, how a stream begins to live/resume.ts, HTTP to http/routes-live.ts.
 *
 * The picture is a newspaper round: each event's id says how far each of the streets had been gone through, so that another carrier
 * goes on from there.
 *
 * - V1 An id is the position in every stream of the log, and within the message the row: resuming from it gives each later event
 *   once, also from another process. The order between streams may be another one.
 * - V2 Those who asked for the same share a channel: a message is made text once for each channel that it matches, however many listen, and is
 *   not looked at by the others.
 * - V3 Readings are given as the log has them: a row that is sent twice shows twice, for only a commit says that it is a duplicate.
 * - V4 What a manifest covers already is not read again at a start: until that is passed (`ready`), no stream resumes here.
 */

import type { Clock } from '../../../runtime/clock.ts'
import { LIVE_BEATS, LIVE_HEARTBEAT_MS, LIVE_STALLED_MAX_MS, LIVE_SUBSCRIBERS_MAX } from '../../../runtime/limits.ts'
import type { Topology } from '../../../runtime/topology.ts'
import type { CoveredCommit, InputSeen } from '../../store/follow.ts'
import { BySeries, readingsOf, resultsOf, textOf } from './events.ts'
import type { Events } from './events.ts'
import { Account, Feed } from './feed.ts'
import { encodeId, prefixOf } from './ids.ts'
import type { EventPlace, Vector } from './ids.ts'
import { LiveIndex } from './series-index.ts'
import { LivePump } from './pump.ts'
import type { Sink } from './sink.ts'
import { Subscriber } from './subscriber.ts'
import type { LiveFilter } from './subscriber.ts'
import type { SeriesEntry } from '../data/series-catalog.ts'
import type { TailListener } from '../data/tail.ts'

/** Everyone who asked for the same. */
export interface Channel {
  readonly key: string
  readonly filter: LiveFilter
  readonly feed: Feed
  /** Those who will read it and do not yet. */
  awaited: number
}

export function keyOf({ tenant, filter, kinds, timeMs }: LiveFilter): string {
  const names = (of: ReadonlySet<string> | null) => (of === null ? null : [...of].sort())
  return JSON.stringify([tenant, names(filter.devices), names(filter.metrics), filter.prefix, names(kinds), timeMs])
}

export class LiveHub implements TailListener {
  readonly generation: string
  readonly topology: Topology
  readonly account = new Account()
  readonly pump: LivePump
  #clock: Clock
  #vector: number[]
  /** How far each stream must have been read before streams resume, and how far it has been read. */
  #covered: Vector = []
  #read: () => Vector = () => this.#vector
  #channels = new Map<string, Channel>()
  #index = new LiveIndex<Channel>()
  /** Everyone, by whose turn a heartbeat is. */
  #beats: Set<Subscriber>[] = Array.from({ length: LIVE_BEATS }, () => new Set())
  #opened = 0
  #beat = 0
  #stopBeats: () => void = () => {}
  #closed = false
  size = 0

  /** `generation`: a short text that another creation of the streams does not share, without `-`. */
  constructor(options: { topology: Topology; clock: Clock; generation: string; bytesMax?: number }) {
    const { topology, clock, generation, bytesMax } = options
    this.generation = generation
    this.topology = topology
    this.#clock = clock
    this.#vector = new Array<number>(topology.streams + 1).fill(0)
    this.pump = new LivePump({ clock, account: this.account, everyone: () => this.#everyone(), bytesMax })
    this.#nextBeat()
  }

  /** Says how far the streams have been read, now and later, and what of them the lake covers, so that it may not come through here. */
  follow(read: () => Vector, covered: Vector): void {
    this.#read = read
    this.#covered = covered
  }

  /** How far this hub has given events: all of each stream that has been read. */
  get place(): EventPlace {
    for (const [i, seq] of this.#read().entries()) this.#vector[i] = Math.max(this.#vector[i], seq)
    return { vector: [...this.#vector], stream: 0, row: -1 }
  }

  /** V4. */
  get ready(): boolean {
    const { vector } = this.place
    return this.#covered.every((seq, i) => vector[i] >= seq)
  }

  get channels(): number {
    return this.#channels.size
  }

  /** Whether one more stream may be opened. */
  get open(): boolean {
    return this.size < LIVE_SUBSCRIBERS_MAX && !this.#closed
  }

  /** Someone who listens, and follows no feed yet. */
  admit(filter: LiveFilter, sink: Sink): Subscriber {
    const turn = this.#beats[this.#opened++ % LIVE_BEATS]
    const onClosed = () => {
      if (turn.delete(subscriber)) this.size--
      this.#sweep(this.#channels.get(keyOf(filter)))
    }
    const subscriber: Subscriber = new Subscriber({ filter, account: this.account, clock: this.#clock, sink, onClosed })
    turn.add(subscriber)
    this.size++
    return subscriber
  }

  /** The channel of a filter, which is given events from now on; `leave` it once. What came before is sealed. */
  join(filter: LiveFilter): Channel {
    const key = keyOf(filter)
    let channel = this.#channels.get(key)
    if (channel === undefined) {
      channel = { key, filter, feed: new Feed(this.account, { live: true }), awaited: 0 }
      this.#channels.set(key, channel)
      this.#index.add(channel)
    }
    channel.awaited++
    this.pump.seal(channel.feed)
    return channel
  }

  leave(channel: Channel): void {
    channel.awaited--
    this.#sweep(channel)
  }

  /** Ends every stream. */
  close(): void {
    this.#closed = true
    this.#stopBeats()
    for (const subscriber of [...this.#everyone()]) subscriber.end()
  }

  input(partition: number, message: InputSeen, entries: readonly SeriesEntry[] | null): void {
    const stream = partition % this.topology.streams
    this.#vector[stream] = Math.max(this.#vector[stream], message.seq)
    if (message.input.kind !== 'block' || entries === null || !this.#index.has(message.input.tenant)) return
    this.#give(readingsOf(stream, message.timeMs, message.input, entries))
  }

  commit({ commit, effects }: CoveredCommit): void {
    const stream = this.topology.streams
    this.#vector[stream] = Math.max(this.#vector[stream], commit.seq)
    if (this.#channels.size > 0) this.#give(resultsOf(stream, effects))
  }

  #give(events: Events): void {
    if (events.count === 0) return
    const matched = this.#index.match(events)
    if (matched.size === 0) return
    const prefix = prefixOf(this.generation, this.#vector)
    const by = new BySeries(events)
    for (const [channel, wanted] of matched) {
      const text = textOf(events, by, channel.filter, { wanted, prefix })
      if (text !== '') this.pump.give(channel.feed, text)
    }
  }

  *#everyone(): Generator<Subscriber> {
    for (const turn of this.#beats) yield* turn
  }

  #sweep(channel: Channel | undefined): void {
    if (channel === undefined || channel.awaited > 0 || channel.feed.readers.size > 0) return
    this.#channels.delete(channel.key)
    this.#index.remove(channel)
  }

  /**
   * A part of the streams at a time: who has heard nothing for long gets an id without data, which moves the client's last id on, so that a
   * quiet stream resumes cheaply; who takes nothing is cut.
   */
  #nextBeat(): void {
    this.#stopBeats = this.#clock.after(LIVE_HEARTBEAT_MS / LIVE_BEATS, () => {
      const comment = Buffer.from(': heartbeat\n\n')
      const beat = Buffer.from(`: heartbeat\nid: ${encodeId(this.generation, this.place)}\n\n`)
      for (const subscriber of [...this.#beats[this.#beat++ % LIVE_BEATS]]) {
        if (subscriber.blockedForMs > LIVE_STALLED_MAX_MS) subscriber.cut()
        else if (subscriber.quietMs > LIVE_HEARTBEAT_MS / 2) subscriber.say(subscriber.upToDate ? beat : comment)
      }
      this.#nextBeat()
    })
  }
}
