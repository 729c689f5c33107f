/**
 * One stream of the log as a run of resumed streams goes through it: forward, stretch by stretch, as events.
 *
 * A reader stays open from one stretch to the next, and is opened anew only where a stretch begins before the end of the last one: on a busy
 * machine opening it takes longer than reading.
 */

import { JournalReader } from '../../../runtime/journal.ts'
import { LIVE_RESULTS_LOOKBACK } from '../../../runtime/limits.ts'
import type { Log, LogMessage, LogReader } from '../../../runtime/log.ts'
import { decodeEffects } from '../../partition/effects.ts'
import { decodeInput } from '../../reading/input.ts'
import { readingsOf, resultsOf, seriesOf } from './events.ts'
import type { Events } from './events.ts'

/** A message of the log, with the events in it where it has any. */
export interface Passed {
  readonly seq: number
  /** Null for a message without events. */
  events(): Events | null
}

export class Passage {
  /** Its number among the streams of a vector. */
  readonly stream: number
  readonly #log: Log
  readonly #name: string
  readonly #isResults: boolean
  #reader: LogReader | null = null
  #messages: AsyncIterator<LogMessage> | null = null
  #journal: JournalReader | null = null
  /** The reader has given everything up to here. */
  #atSeq = 0
  /** What it has given beyond the end of a stretch. */
  #ahead: LogMessage | null = null
  #closed = false

  constructor(options: { log: Log; stream: number; name: string; isResults: boolean }) {
    this.#log = options.log
    this.stream = options.stream
    this.#name = options.name
    this.#isResults = options.isResults
  }

  /** Every message from `first` to `until`, and perhaps some before. Ends early only when the passage is closed. */
  async *stretch(first: number, until: number): AsyncGenerator<Passed> {
    if (this.#reader === null || first <= this.#atSeq) await this.#open(first)
    while (this.#atSeq < until) {
      const message = this.#ahead ?? (await this.#next())
      if (message === null) return
      this.#ahead = message.seq > until ? message : null
      this.#atSeq = Math.min(message.seq, until)
      if (message.seq <= until) yield { seq: message.seq, events: () => this.#eventsOf(message, first) }
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#reader?.close()
  }

  async #open(first: number): Promise<void> {
    await this.#reader?.close()
    this.#journal = this.#isResults ? new JournalReader() : null
    this.#ahead = null
    this.#atSeq = first - 1
    // A commit may have begun before the place.
    this.#reader = this.#log.read({ stream: this.#name, fromSeq: this.#isResults ? Math.max(1, first - LIVE_RESULTS_LOOKBACK) : first })
    this.#messages = this.#reader[Symbol.asyncIterator]()
    if (this.#closed) await this.#reader.close()
  }

  async #next(): Promise<LogMessage | null> {
    const { done, value } = await this.#messages!.next()
    return done ? null : value
  }

  #eventsOf(message: LogMessage, first: number): Events | null {
    return this.#journal === null ? eventsOfInput(this.stream, message) : eventsOfResults(this.stream, message, this.#journal, first)
  }
}

function eventsOfInput(stream: number, { timeMs, data }: LogMessage): Events | null {
  let input
  try {
    input = decodeInput(data)
  } catch {
    return null
  }
  return input.kind === 'block' ? readingsOf(stream, timeMs, input, seriesOf(input)) : null
}

/** Messages before `first` are read for the beginnings of commits in them alone. */
function eventsOfResults(stream: number, message: LogMessage, journal: JournalReader, first: number): Events | null {
  try {
    const given = journal.accept(message)
    if (given === null || !('commit' in given) || message.seq < first) return null
    return resultsOf(stream, decodeEffects(given.commit.payload))
  } catch (error) {
    if (message.seq < first) return null
    throw error
  }
}
