/**
 * Live streams: readings as the log has them, windows and anomalies as commits bring them, to whoever asked for them.
 *
 * Owns subscriptions, their queues and the ids of events. Leaves the catching up of a resumed stream to live-resume.ts, HTTP to the app.
 *
 * The picture is a newspaper round: each event's id says how far each of the streets had been gone through, so that another carrier
 * goes on from there.
 *
 * - V1 An id is the position in every stream of the log, and within the message the row: resuming from it gives each later event
 *   once, also from another process. The order between streams may be another one.
 * - V2 Where nobody listens to a tenant, a block costs one look-up; where nobody matches, one look a series of its dictionary.
 * - V3 A slow reader has a bounded queue. At the bound its stream ends, and its client resumes from the last id that it got.
 * - V4 Readings are given as the log has them: a row that is sent twice shows twice, for only a commit says that it is a duplicate.
 */

import type { Clock } from '../../runtime/clock.ts'
import { LIVE_HEARTBEAT_MS, LIVE_QUEUE_CHARS_MAX, LIVE_SUBSCRIBERS_MAX } from '../../runtime/limits.ts'
import type { Topology } from '../../runtime/topology.ts'
import { sizeMs } from '../partition/effects.ts'
import type { PartitionEffects } from '../partition/effects.ts'
import { WINDOW_SIZES_MS, WINDOW_SIZE_NAMES } from '../reading/window.ts'
import type { Block } from '../reading/input.ts'
import type { CoveredCommit, InputSeen } from '../store/follow.ts'
import type { SeriesEntry, SeriesFilter } from './series-catalog.ts'
import { matches } from './series-catalog.ts'
import type { TailListener } from './tail.ts'
import { formatTime } from './times.ts'

export const KINDS = ['reading', 'window', 'anomaly'] as const
export type Kind = (typeof KINDS)[number]

/** How far each stream has been gone through: sequences of the input streams, in order, and last of RESULTS. */
export type Vector = readonly number[]

/** A place between two events. Of stream `stream` the message at its sequence is gone through up to `row` only (−1: wholly). */
export interface EventPlace {
  readonly vector: Vector
  readonly stream: number
  readonly row: number
}

/** What a subscriber asked for. */
export interface LiveFilter {
  readonly tenant: string
  readonly filter: SeriesFilter
  readonly kinds: ReadonlySet<Kind>
  /** Times as epoch ms. */
  readonly timeMs: boolean
}

/** `<generation>-<seq>.<seq>…[-<stream>.<row>]`, numbers in base 36. */
export function encodeId(generation: string, place: EventPlace): string {
  return `${prefixOf(generation, place.vector)}${place.row < 0 ? '' : suffixOf(place.stream, place.row)}`
}

export const prefixOf = (generation: string, vector: Vector) => `${generation}-${vector.map((seq) => seq.toString(36)).join('.')}`
const suffixOf = (stream: number, row: number) => `-${stream.toString(36)}.${row.toString(36)}`

/** The place of an id of this generation of the streams; null for any other text. */
export function decodeId(generation: string, id: string, streams: number): EventPlace | null {
  const [of, seqs, within, ...more] = id.split('-')
  if (of !== generation || seqs === undefined || more.length > 0) return null
  const vector = numbers(seqs)
  if (vector === null || vector.length !== streams + 1) return null
  if (within === undefined) return { vector, stream: 0, row: -1 }
  const place = numbers(within)
  if (place === null || place.length !== 2 || place[0] > streams) return null
  return { vector, stream: place[0], row: place[1] }
}

function numbers(dotted: string): number[] | null {
  const parts = dotted.split('.')
  return parts.every((part) => /^[0-9a-z]{1,11}$/.test(part)) ? parts.map((part) => parseInt(part, 36)) : null
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
      this.#queue.push(': too slow; resume from the last id\nretry: 200\n\n')
      this.end()
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

/** The events of a block that a subscriber is to have, as text of Server-Sent Events. `prefix` is the id up to the row, `from` the first row. */
export function readingEvents(
  filter: LiveFilter,
  { stream, timeMs, block, prefix, from = 0 }: { stream: number; timeMs: number; block: Block; prefix: string; from?: number },
): string {
  if (!filter.kinds.has('reading') || block.tenant !== filter.tenant) return ''
  const names = new Array<string | null>(block.seriesDevice.length)
  let any = false
  for (let s = 0; s < names.length; s++) {
    const device = block.devices[block.seriesDevice[s]]
    const metric = block.metrics[block.seriesMetric[s]]
    const wanted = matches(filter.filter, device, metric)
    names[s] = wanted ? `{"device":${JSON.stringify(device)},"metric":${JSON.stringify(metric)},"ts":` : null
    any ||= wanted
  }
  if (!any) return ''
  const received = filter.timeMs ? String(timeMs) : `"${formatTime(timeMs)}"`
  const last = block.ts.length - 1
  let out = ''
  for (let i = from; i <= last; i++) {
    const name = names[block.row[i]]
    if (name === null) continue
    const ts = filter.timeMs ? String(block.ts[i]) : `"${formatTime(block.ts[i])}"`
    out += `event: reading\nid: ${prefix}${i === last ? '' : suffixOf(stream, i)}\ndata: ${name}${ts},"value":${block.value[i]},"received_at":${received}}\n\n`
  }
  return out
}

/** The events of a commit that a subscriber is to have: windows first, then anomalies, numbered together. */
export function resultEvents(
  filter: LiveFilter,
  { stream, effects, prefix, from = 0 }: { stream: number; effects: PartitionEffects; prefix: string; from?: number },
): string {
  const wanted = effects.series.map((s) => s.tenant === filter.tenant && matches(filter.filter, s.device, s.metric))
  if (!wanted.includes(true)) return ''
  const time = (ms: number) => (filter.timeMs ? ms : formatTime(ms))
  const last = effects.windows.length + effects.anomalies.length - 1
  let out = ''
  const event = (kind: Kind, row: number, data: object) => {
    out += `event: ${kind}\nid: ${prefix}${row === last ? '' : suffixOf(stream, row)}\ndata: ${JSON.stringify(data)}\n\n`
  }
  if (filter.kinds.has('window')) {
    for (let i = from; i < effects.windows.length; i++) {
      const w = effects.windows[i]
      if (!wanted[w.series]) continue
      const { device, metric } = effects.series[w.series]
      const { count, min, max, sum, stddev, first, last: lastValue, p50, p95, p99, closedBy } = w
      const size = WINDOW_SIZE_NAMES[WINDOW_SIZES_MS.indexOf(sizeMs(w) as (typeof WINDOW_SIZES_MS)[number])]
      event('window', i, {
        device, metric, size, start: time(w.start), count, min, max, mean: sum / count, sum, stddev, first, last: lastValue, p50, p95, p99, closed_by: closedBy,
      })
    }
  }
  if (filter.kinds.has('anomaly')) {
    for (let j = Math.max(0, from - effects.windows.length); j < effects.anomalies.length; j++) {
      const a = effects.anomalies[j]
      if (!wanted[a.series]) continue
      const { device, metric } = effects.series[a.series]
      const { value, score, expected, lower, upper, reason } = a
      event('anomaly', effects.windows.length + j, { device, metric, ts: time(a.ts), value, score, expected, lower, upper, reason })
    }
  }
  return out
}
