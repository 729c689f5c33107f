/**
 * One run through the log for all streams that resume from about the same distance: each gets the events behind its own place.
 *
 * Owns what is read when, and what each cohort has been given. Leaves reading a stream to live/passage.ts, who runs when to live/resume.ts.
 *
 * - U1 No event between a cohort's place and the hub's is left out, and none is given twice: the last stretch is read while the cohort's
 *   channel gathers what the hub gives, and then the cohort's feed leads into it.
 * - U4 A message is read and taken apart once for the whole run, whatever the number of streams, and once for runs that follow each other.
 * - U5 An id says that the message which a place lies within is done; so that message is gone through before any other of its cohort.
 */

import type { Clock } from '../../../runtime/clock.ts'
import { LIVE_CATCH_UP_CHARS, LIVE_CATCH_UP_LAST_MESSAGES, LIVE_CATCH_UP_OWED_MAX } from '../../../runtime/limits.ts'
import type { Log } from '../../../runtime/log.ts'
import { RESULTS, inputStreams } from '../../../runtime/topology.ts'
import { turnOf } from '../../../runtime/turns.ts'
import { BySeries, textOf } from './events.ts'
import type { Events } from './events.ts'
import { Feed, hold, release } from './feed.ts'
import type { Link } from './feed.ts'
import { prefixOf } from './ids.ts'
import type { EventPlace } from './ids.ts'
import { Passage } from './passage.ts'
import type { RecentLog } from './recent.ts'
import { LiveIndex } from './series-index.ts'
import type { LiveFilter } from './subscriber.ts'
import type { Channel, LiveHub } from './live.ts'

/** What comes meanwhile may be more each time, where much comes: then the channels gather it. */
const ROUNDS_MAX = 8

/** Streams that asked for the same and had the same last id: they share what they are told. */
export class Cohort {
  readonly filter: LiveFilter
  readonly feed: Feed
  /** How far each stream of the log has been gone through. */
  readonly vector: number[]
  /** The message that the place lies within, until it has been gone through. */
  within: { readonly stream: number; readonly row: number } | null
  /** Since when it waits for the hub to come nearer, and how far the hub was then. */
  sinceMs: number
  hubAt: readonly number[]

  constructor(hub: LiveHub, filter: LiveFilter, place: EventPlace, sinceMs: number) {
    this.filter = filter
    this.feed = new Feed(hub.account)
    this.vector = [...place.vector]
    this.within = place.row < 0 ? null : { stream: place.stream, row: place.row }
    this.sinceMs = sinceMs
    this.hubAt = hub.place.vector
  }

  /** Whether anyone still waits for it. */
  get wanted(): boolean {
    return this.feed.readers.size > 0
  }

  /** Whether none of its readers has read the most of it. */
  get isFar(): boolean {
    for (const reader of this.feed.readers) if (reader.owed <= LIVE_CATCH_UP_OWED_MAX) return false
    return true
  }

  distanceTo(vector: readonly number[]): number {
    return vector.reduce((sum, seq, i) => sum + Math.max(0, seq - this.vector[i]), 0)
  }
}

export interface CatchUpSources {
  readonly hub: LiveHub
  readonly log: Log
  readonly clock: Clock
  /** Shared by all runs. */
  readonly recent: RecentLog
}

export class CatchUp {
  readonly #sources: CatchUpSources
  readonly #cohorts: Set<Cohort>
  readonly #index = new LiveIndex<Cohort>()
  readonly #onFar: (cohort: Cohort) => void
  readonly #passages: readonly Passage[]
  #chars = 0

  /** `onFar` takes a cohort back whose readers are too slow to go on with the others. */
  constructor(sources: CatchUpSources, cohorts: readonly Cohort[], onFar: (cohort: Cohort) => void) {
    this.#sources = sources
    this.#cohorts = new Set(cohorts)
    this.#onFar = onFar
    for (const cohort of cohorts) this.#index.add(cohort)
    const { hub, log, recent } = sources
    this.#passages = [...inputStreams(hub.topology), RESULTS].map((name, stream) => new Passage({ log, recent, stream, name, isResults: name === RESULTS }))
  }

  /** Resolves once every cohort has joined its channel, or left. Rejects where the log does not answer; the cohorts stand where they stood. */
  async run(): Promise<void> {
    const { hub } = this.#sources
    for (let round = 0; round < ROUNDS_MAX && this.#most() > LIVE_CATCH_UP_LAST_MESSAGES; round++) {
      await this.#readTo(hub.place.vector)
      // Where so little was given, nobody is far behind, and a round of the pump may take long.
      if (this.#chars > LIVE_CATCH_UP_OWED_MAX) await this.#ease()
    }
    const joins: [Cohort, Channel, Link][] = []
    try {
      for (const cohort of this.#cohorts) {
        const channel = hub.join(cohort.filter)
        joins.push([cohort, channel, hold(channel.feed.tail)])
      }
      await this.#readTo(hub.place.vector)
      for (const [cohort, channel, at] of joins) if (this.#cohorts.has(cohort)) hub.pump.lead(cohort.feed, channel.feed, at)
    } finally {
      for (const [, channel, at] of joins) {
        release(hub.account, at)
        hub.leave(channel)
      }
    }
  }

  /** Ends reading; a run that is under way ends with what it has. */
  async close(): Promise<void> {
    await Promise.all(this.#passages.map((passage) => passage.close()))
  }

  /** Those that are still of this run. */
  get cohorts(): Iterable<Cohort> {
    return this.#cohorts
  }

  #most(): number {
    const { vector } = this.#sources.hub.place
    let most = 0
    for (const cohort of this.#cohorts) if (cohort.wanted) most = Math.max(most, cohort.distanceTo(vector))
    return most
  }

  /** All streams at a time: one after the other, each would cost the others its way to the log's server. */
  async #readTo(target: readonly number[]): Promise<void> {
    for (;;) {
      const stretches: Promise<void>[] = []
      for (const [stream, until] of target.entries()) {
        const those = [...this.#cohorts].filter((c) => c.wanted && (c.within === null ? c.vector[stream] < until : c.within.stream === stream))
        if (those.length > 0) stretches.push(this.#readStream(stream, until, those))
      }
      if (stretches.length === 0) return
      await Promise.all(stretches)
    }
  }

  async #readStream(stream: number, until: number, those: readonly Cohort[]): Promise<void> {
    const passage = this.#passages[stream]
    let first = Infinity
    for (const { vector, within } of those) first = Math.min(first, within === null ? vector[stream] + 1 : vector[stream])
    const turn = turnOf(this.#sources.clock)
    const members = new Set(those)
    for await (const { seq, events } of passage.stretch(first, until)) {
      const beganMs = this.#sources.clock.monotonic()
      if (events !== null) this.#give(seq, events, members)
      turn.spent(this.#sources.clock.monotonic() - beganMs)
      while (turn.isOver) await turn.next()
      if (this.#chars <= LIVE_CATCH_UP_CHARS) continue
      await this.#ease()
      for (const cohort of members) if (!this.#cohorts.has(cohort)) members.delete(cohort)
      if (members.size === 0) return
    }
    // One of the others has failed.
    if (passage.closed) return
    for (const cohort of members) {
      if (!this.#cohorts.has(cohort)) continue
      cohort.vector[stream] = Math.max(cohort.vector[stream], until)
      cohort.within = null
    }
  }

  #give(seq: number, events: Events, members: ReadonlySet<Cohort>): void {
    const { hub } = this.#sources
    const { stream } = events
    const by = new BySeries(events)
    // Whoever has left the run is no longer in the index.
    for (const [cohort, wanted] of this.#index.match(events)) {
      if (!members.has(cohort)) continue
      const { vector, within } = cohort
      if (seq < vector[stream] || (seq === vector[stream] && within === null)) continue
      const from = within !== null && seq === vector[stream] ? within.row + 1 : 0
      vector[stream] = seq
      cohort.within = null
      const text = textOf(events, by, cohort.filter, { wanted, prefix: prefixOf(hub.generation, vector), from })
      if (text === '') continue
      this.#chars += text.length
      hub.pump.give(cohort.feed, text)
    }
  }

  /** Waits until what was given is with those whose connections take it; the cohorts of others leave. */
  async #ease(): Promise<void> {
    this.#chars = 0
    await this.#sources.hub.pump.passedOn()
    for (const cohort of this.#cohorts) {
      if (cohort.wanted && !cohort.isFar) continue
      this.#cohorts.delete(cohort)
      this.#index.remove(cohort)
      if (cohort.wanted) this.#onFar(cohort)
    }
  }
}
