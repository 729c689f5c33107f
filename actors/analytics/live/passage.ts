/**
 * One stream of the log as a run of resumed streams goes through it: forward, stretch by stretch, as events. What others have just read is taken
 * from where it is held (live/recent.ts).
 *
 * A reader stays open from one stretch to the next, and is opened anew only where a stretch does not begin at the end of the last one: on
 * a busy machine opening it takes longer than reading.
 */

import { JournalReader } from '../../../runtime/journal.ts'
import { LIVE_RECENT_BYTES_MAX, LIVE_RESULTS_LOOKBACK } from '../../../runtime/limits.ts'
import type { Log, LogMessage, LogReader } from '../../../runtime/log.ts'
import { decodeEffects } from '../../partition/effects.ts'
import { decodeInput } from '../../reading/input.ts'
import { readingsOf, resultsOf, seriesOf } from './events.ts'
import type { Events } from './events.ts'
import { costOf } from './recent.ts'
import type { Kept, RecentLog } from './recent.ts'

export class Passage {
  /** Its number among the streams of a vector. */
  readonly stream: number
  readonly #log: Log
  readonly #recent: RecentLog
  readonly #name: string
  readonly #isResults: boolean
  #reader: LogReader | null = null
  #messages: AsyncIterator<LogMessage> | null = null
  #journal: JournalReader | null = null
  /** From here on commits count: what is read before is for the beginnings of them. */
  #firstSeq = 0
  /** The reader has given everything up to here. */
  #atSeq = 0
  /** What it has given beyond the end of a stretch. */
  #ahead: LogMessage | null = null
  #closed = false

  constructor(options: { log: Log; recent: RecentLog; stream: number; name: string; isResults: boolean }) {
    this.#log = options.log
    this.#recent = options.recent
    this.stream = options.stream
    this.#name = options.name
    this.#isResults = options.isResults
  }

  /** Every message from `first` to `until`, in order. Ends early only when the passage is closed. */
  async *stretch(first: number, until: number): AsyncGenerator<Kept> {
    for (let next = first; next <= until; ) {
      const held = this.#recent.nextHeld(this.stream, next)
      if (held === next) {
        const { messages, upTo } = this.#recent.held(this.stream, next, until)
        yield* messages
        next = upTo + 1
      } else {
        const end = Math.min(until, held - 1)
        yield* this.#read(next, end, held)
        if (this.#closed) return
        next = end + 1
      }
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#reader?.close()
  }

  /** From the log; what is read is held for others, up to what is held already from `held` on. */
  async *#read(first: number, until: number, held: number): AsyncGenerator<Kept> {
    if (this.#reader === null || this.#atSeq !== first - 1) await this.#open(first)
    let before: Kept[] | null = held < Infinity ? [] : null
    let bytes = 0
    while (this.#atSeq < until) {
      const message = this.#ahead ?? (await this.#next())
      if (message === null) return
      if (message.seq > until) {
        this.#ahead = message
        this.#atSeq = until
        break
      }
      this.#ahead = null
      if (message.seq < first) {
        this.#eventsOf(message)
        continue
      }
      const kept = { seq: message.seq, events: this.#eventsOf(message), bytes: message.data.byteLength }
      if (held === Infinity) this.#recent.append(this.stream, this.#atSeq, kept)
      else if (before !== null) {
        before.push(kept)
        bytes += costOf(kept)
        if (this.#recent.bytes + bytes > LIVE_RECENT_BYTES_MAX) before = null
      }
      this.#atSeq = message.seq
      yield kept
    }
    if (before !== null && until === held - 1) this.#recent.prepend(this.stream, first, held, before)
  }

  async #open(first: number): Promise<void> {
    await this.#reader?.close()
    this.#journal = this.#isResults ? new JournalReader() : null
    this.#ahead = null
    this.#firstSeq = first
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

  #eventsOf(message: LogMessage): Events | null {
    return this.#journal === null ? eventsOfInput(this.stream, message) : eventsOfResults(this.stream, message, this.#journal, this.#firstSeq)
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
