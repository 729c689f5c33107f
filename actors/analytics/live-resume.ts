/**
 * Opens a live stream: with a snapshot, or, resumed, with exactly the events behind the id that the client had last.
 *
 * A resumed stream reads the logs from its own place until it has met the hub, and then gets what the hub gives.
 *
 * - U1 No event between the client's place and the hub's is left out, and none is given twice: the last stretch is read while the
 *   hub's events wait behind it.
 * - U2 Where the place is unknown, of another log, purged or too far back, the stream says so by beginning with a snapshot.
 * - U3 Where the log does not answer, or is still being read up to the place, the stream ends behind what was given, and its client resumes again: nothing is left out.
 */

import type { Clock } from '../../runtime/clock.ts'
import { isOperating } from '../../runtime/errors.ts'
import { JournalReader } from '../../runtime/journal.ts'
import { LIVE_RESULTS_LOOKBACK, LIVE_RESUME_MESSAGES_MAX, LIVE_RESUME_WAIT_MS, LIVE_SNAPSHOT_MAX } from '../../runtime/limits.ts'
import type { Log, StreamInfo } from '../../runtime/log.ts'
import { RESULTS, inputStreams } from '../../runtime/topology.ts'
import { decodeEffects } from '../partition/effects.ts'
import { decodeInput } from '../reading/input.ts'
import { readingEvents, resultEvents } from './live-events.ts'
import { decodeId, encodeId, prefixOf } from './live-ids.ts'
import type { EventPlace } from './live-ids.ts'
import { Subscriber } from './live-subscriber.ts'
import type { LiveFilter } from './live-subscriber.ts'
import type { LiveHub } from './live.ts'
import type { SeriesCatalog } from './series-catalog.ts'
import type { TailLogger } from './tail.ts'
import { formatTime } from './times.ts'

export interface LiveSources {
  readonly hub: LiveHub
  readonly catalog: SeriesCatalog
  readonly log: Log
  readonly clock: Clock
  readonly logger: TailLogger
}

/** Messages between a resumed stream and the hub that are read while the hub's events wait. */
const LAST_STRETCH_MESSAGES = 500

/** A subscriber that is being fed; close it when its reader is gone. `lastEventId` null: begin with a snapshot. */
export function openLive(sources: LiveSources, filter: LiveFilter, lastEventId: string | null): Subscriber {
  const { hub, logger } = sources
  const subscriber = new Subscriber(filter)
  const place = lastEventId === null ? null : decodeId(hub.generation, lastEventId, hub.topology.streams)
  if (place === null) begin(sources, subscriber)
  else {
    resume(sources, subscriber, place).catch((error) => {
      hub.unsubscribe(subscriber)
      subscriber.discard()
      if (isOperating(error) && error.retry) return subscriber.endToResume('the log does not answer')
      logger.warn({ err: error }, 'a live stream could not be resumed and begins anew')
      begin(sources, subscriber)
    })
  }
  return subscriber
}

/** Snapshot and subscription are of one turn: no event is missing between them. */
function begin({ hub, catalog }: LiveSources, subscriber: Subscriber): void {
  const { tenant, filter, timeMs } = subscriber.filter
  const time = (ms: number) => (timeMs ? ms : formatTime(ms))
  const latest: object[] = []
  let truncated = false
  for (const { device, metric, ts, value, receivedAt } of catalog.list(tenant, filter)) {
    if (ts === -Infinity) continue
    if (latest.length === LIVE_SNAPSHOT_MAX) {
      truncated = true
      break
    }
    latest.push({ device, metric, ts: time(ts), value, received_at: time(receivedAt) })
  }
  const data = JSON.stringify(truncated ? { latest, truncated } : { latest })
  subscriber.prepend(`event: snapshot\nid: ${encodeId(hub.generation, hub.place)}\ndata: ${data}\n\n`)
  hub.subscribe(subscriber)
}

async function resume(sources: LiveSources, subscriber: Subscriber, place: EventPlace): Promise<void> {
  const { hub, clock } = sources
  const until = clock.monotonic() + LIVE_RESUME_WAIT_MS
  // A process that has just started may still be behind the client.
  while (!subscriber.closed && place.vector.some((seq, i) => seq > hub.place.vector[i])) {
    if (clock.monotonic() >= until) {
      const behind = (await infosOf(sources)).some((info, i) => info.lastSeq > hub.place.vector[i])
      return behind ? subscriber.endToResume('the log is still being read') : begin(sources, subscriber)
    }
    await clock.sleep(50)
  }
  if (!(await isHeld(sources, place))) return begin(sources, subscriber)
  const reader = new CatchUp(sources, subscriber, place)
  while (!subscriber.closed && distance(reader.vector, hub.place.vector) > LAST_STRETCH_MESSAGES) await reader.readTo(hub.place.vector)
  if (subscriber.closed) return
  subscriber.hold()
  hub.subscribe(subscriber)
  await reader.readTo(hub.place.vector)
  subscriber.release()
}

function distance(from: readonly number[], to: readonly number[]): number {
  return to.reduce((sum, seq, i) => sum + Math.max(0, seq - from[i]), 0)
}

/** The streams in the order of a vector. */
function infosOf({ hub, log }: LiveSources): Promise<StreamInfo[]> {
  return Promise.all([...inputStreams(hub.topology), RESULTS].map((name) => log.info(name)))
}

/** Whether the logs still hold what lies behind the place, and it is not too much. */
async function isHeld(sources: LiveSources, { vector }: EventPlace): Promise<boolean> {
  const now = sources.hub.place.vector
  if (distance(vector, now) > LIVE_RESUME_MESSAGES_MAX) return false
  const infos = await infosOf(sources)
  return infos.every((info, i) => vector[i] >= now[i] || info.firstSeq <= vector[i] + 1)
}

/** Reads the logs from a place on, stream by stream, and gives the events to one subscriber. */
class CatchUp {
  readonly vector: number[]
  #sources: LiveSources
  #subscriber: Subscriber
  /** The message that the place lies within, until it has been gone through. */
  #within: EventPlace | null
  #journal = new JournalReader()
  #journalFrom: number

  constructor(sources: LiveSources, subscriber: Subscriber, place: EventPlace) {
    this.#sources = sources
    this.#subscriber = subscriber
    this.vector = [...place.vector]
    this.#within = place.row >= 0 ? place : null
    this.#journalFrom = Math.max(1, place.vector[place.vector.length - 1] - LIVE_RESULTS_LOOKBACK)
  }

  /** Gives all events up to `target`. */
  async readTo(target: readonly number[]): Promise<void> {
    // The message in the middle comes first: the ids of all others say that it is done.
    const order = [...target.keys()]
    const { stream } = this.#within ?? { stream: 0 }
    order.sort((a, b) => Number(b === stream) - Number(a === stream))
    for (const i of order) await this.#readStream(i, target[i])
  }

  async #readStream(stream: number, until: number): Promise<void> {
    const { hub, log, clock } = this.#sources
    const within = this.#within?.stream === stream ? this.#within : null
    if (within === null && until <= this.vector[stream]) return
    const results = stream === hub.topology.streams
    const name = results ? RESULTS : inputStreams(hub.topology)[stream]
    const first = within === null ? this.vector[stream] + 1 : this.vector[stream]
    const reader = log.read({ stream: name, fromSeq: results ? Math.min(this.#journalFrom, first) : first })
    try {
      for await (const message of reader) {
        if (this.#subscriber.closed) return
        if (message.seq > until) break
        const from = within !== null && message.seq === first ? within.row + 1 : 0
        if (message.seq >= first) {
          this.vector[stream] = message.seq
          if (within !== null) this.#within = null
        }
        const events = results ? this.#result(message, first, from) : this.#reading(stream, message, from)
        if (events !== '') this.#subscriber.prepend(events)
        await this.#subscriber.drained(clock)
        if (message.seq >= until) break
      }
    } finally {
      await reader.close()
    }
    this.vector[stream] = Math.max(this.vector[stream], until)
    if (results) this.#journalFrom = this.#journal.pendingFrom() ?? this.vector[stream] + 1
  }

  #reading(stream: number, message: { timeMs: number; data: Uint8Array }, from: number): string {
    let input
    try {
      input = decodeInput(message.data)
    } catch {
      return ''
    }
    if (input.kind !== 'block') return ''
    const prefix = prefixOf(this.#sources.hub.generation, this.vector)
    return readingEvents(this.#subscriber.filter, { stream, timeMs: message.timeMs, block: input, prefix, from })
  }

  #result(message: { seq: number; timeMs: number; data: Uint8Array }, first: number, from: number): string {
    const { hub } = this.#sources
    let effects
    try {
      const given = this.#journal.accept(message)
      if (given === null || !('commit' in given) || message.seq < first) return ''
      effects = decodeEffects(given.commit.payload)
    } catch (error) {
      if (message.seq < first) return ''
      throw error
    }
    const prefix = prefixOf(hub.generation, this.vector)
    return resultEvents(this.#subscriber.filter, { stream: hub.topology.streams, effects, prefix, from })
  }
}
