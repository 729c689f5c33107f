/**
 * Reads a stream in order over JetStream's pull protocol, across reconnections and deaths of the server (L3 of log.ts).
 *
 * A reader holds a throw-away consumer in the server's memory, without acknowledgements. The picture is a bookmark of our own:
 * whenever anything about the consumer is in doubt (the connection came back, a heartbeat is missing, a delivery number is
 * skipped, the server says that the consumer is gone), it is dropped, and a new one starts after the last message that came.
 *
 * Invariants
 * - R1 Deliveries of one consumer are numbered 1, 2, 3 …: a skipped number means a lost message, and a new consumer.
 * - R2 Each consumer delivers to an inbox of its own, so that nothing of an older one is taken for the newer's.
 * - R3 What is asked for and what waits unread is bounded: MESSAGES_MAX, and WAITING_BYTES_MAX plus two requests' bytes; beside that two requests
 *   of before the last renewal (R5). Requests are small, since a server cuts a connection for which too much waits to be sent, and one connection
 *   has many readers.
 * - R4 A stream that is made anew or is shorter than what was read is an `identity` error, never a silent wait. Of a replicated one that
 *   is believed only after STALE_LEADER_MS, since a server may tell of it as it was.
 * - R5 No request is counted on until the server lets it go for its age: RENEW_MS after the last time all is asked for anew, and what is left of
 *   before is extra. A server of 2.9 that is busy drops an old request without a word; who counted on it would wait for SILENCE_MS.
 */

import type { Msg, Subscription } from '@nats-io/nats-core'
import { ErrorCode, isOperating, OperatingError } from './errors.ts'
import { PAYLOAD_MAX_BYTES, STALE_LEADER_MS } from './limits.ts'
import type { LogMessage, LogReader, ReadOptions } from './log.ts'
import type { NatsClient } from './nats-client.ts'

/** Messages of one request; two are under way, so that the server never waits for the next. */
const REQUEST_MESSAGES = 1_024
const MESSAGES_MAX = 4 * REQUEST_MESSAGES
/** A request ends before it would pass this many bytes … */
const REQUEST_BYTES = 1024 * 1024
/** … and one for which the very next message was too large is followed by one that any message fits. */
const REQUEST_BYTES_LARGE = 2 * PAYLOAD_MAX_BYTES
const WAITING_BYTES_MAX = 8 * 1024 * 1024
const HEARTBEAT_MS = 1_000
/** The server lets a request go at this age. The difference is what this process or the server may stand still in between. */
const EXPIRES_MS = 15_000
const RENEW_MS = 10_000
/** No sign of life for so long: the consumer is taken for lost. */
const SILENCE_MS = 2_500
/** The server forgets a consumer that nobody pulls from. */
const INACTIVE_MS = 30_000
const API_TIMEOUT_MS = 1_000
const BACKOFF_MS = [20, 50, 100, 200, 400]

/** A message as the reader gives it. */
export interface ReadMessage extends LogMessage {
  /** Messages of the selection that the stream holds after this one, at the time of delivery. */
  readonly pending: number
  /** `DEL` or `PURGE` of an entry of a bucket that was deleted, else ''. */
  readonly operation: string
}

/** What a reader finds at its start. */
export interface Present {
  /** Messages of the selection. */
  readonly pending: number
  /** Last sequence of the stream, by its leader. */
  readonly lastSeq: number
  /** Copies of the stream. The one that a reader is served from may lag, and `pending` is what that one knows. */
  readonly replicas: number
}

interface StreamState {
  readonly created: string
  readonly config: { readonly num_replicas: number }
  readonly state: { readonly last_seq: number }
}

export class NatsReader implements LogReader {
  #client: NatsClient
  #options: ReadOptions
  /** Sequence of the last message taken from the server. */
  #lastSeq: number
  #received = false
  /** Since when the stream is told to be shorter than what was read. */
  #shortSinceMs: number | null = null
  #created: string | null = null
  #streamLastSeq = 0
  #replicas = 1
  #queue: ReadMessage[] = []
  #head = 0
  #queuedBytes = 0
  #waiter: { resolve: (r: IteratorResult<ReadMessage>) => void; reject: (e: unknown) => void } | null = null
  #state: 'new' | 'opening' | 'open' | 'closed' | 'failed' = 'new'
  #failure: unknown = null
  #consumer = ''
  #subscription: Subscription | null = null
  #inbox = ''
  #delivered = 0
  /** Messages asked for since the last renewal and not yet delivered: less than that where older requests brought some. */
  #asked = 0
  /** Where answers to what was asked for since the last renewal go (R5). */
  #reply = ''
  #renewals = 0
  #renewedAt = 0
  #requestBytes = REQUEST_BYTES
  #heardAt = 0
  #aborter = new AbortController()
  #cancels: (() => void)[] = []
  #atOpen: ((present: Present) => void) | null
  #name: string
  #serial = 0

  /** `atOpen` is told once what is there at the start. */
  constructor(client: NatsClient, options: ReadOptions, atOpen: ((present: Present) => void) | null = null) {
    this.#client = client
    this.#options = options
    this.#lastSeq = options.fromSeq - 1
    this.#atOpen = atOpen
    this.#name = `weir_${client.clock.nonce()}`
  }

  [Symbol.asyncIterator](): AsyncIterator<ReadMessage> {
    return {
      next: () => this.#next(),
      return: async () => {
        await this.close()
        return { done: true, value: undefined }
      },
    }
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return
    const open = this.#consumer
    this.#finish('closed')
    if (open !== '' && this.#client.connected()) await this.#drop(open)
  }

  #next(): Promise<IteratorResult<ReadMessage>> {
    if (this.#state === 'new') this.#start()
    if (this.#state !== 'closed' && this.#head < this.#queue.length) {
      const value = this.#queue[this.#head]
      // The slot is cleared so that a long queue does not hold what was read.
      this.#queue[this.#head++] = undefined as unknown as ReadMessage
      this.#queuedBytes -= value.data.byteLength
      if (this.#head === this.#queue.length) {
        this.#queue.length = 0
        this.#head = 0
      }
      this.#pullIfRoom()
      return Promise.resolve({ done: false, value })
    }
    if (this.#state === 'failed') return Promise.reject(this.#failure)
    if (this.#state === 'closed') return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject }
    })
  }

  #start(): void {
    if (this.#client.closed) return this.#finish('closed')
    this.#cancels.push(this.#client.onReconnect(() => this.#reopen()))
    this.#cancels.push(this.#client.onClose(() => this.#finish('closed')))
    const watch = () => {
      this.#look()
      cancelWatch = this.#client.clock.after(HEARTBEAT_MS, watch)
    }
    let cancelWatch = this.#client.clock.after(HEARTBEAT_MS, watch)
    this.#cancels.push(() => cancelWatch())
    this.#reopen()
  }

  /** Is the server silent, is it time to ask anew? */
  #look(): void {
    if (this.#state !== 'open') return
    const nowMs = this.#client.clock.monotonic()
    if (this.#asked > 0 && nowMs - this.#heardAt > SILENCE_MS) this.#reopen()
    else if (nowMs - this.#renewedAt >= RENEW_MS && this.#client.connected()) this.#renew()
  }

  /** Drops the consumer, if there is one, and makes a new one after the last message that came. */
  #reopen(): void {
    if (this.#state !== 'new' && this.#state !== 'open') return
    this.#state = 'opening'
    const old = this.#consumer
    this.#release()
    if (old !== '' && this.#client.connected()) void this.#drop(old)
    this.#open().catch((error) => {
      this.#failure = error
      this.#finish('failed')
    })
  }

  async #open(): Promise<void> {
    const { clock } = this.#client
    for (let attempt = 0; ; attempt++) {
      if (this.#state !== 'opening') return
      try {
        await this.#check()
        await this.#create()
        return
      } catch (error) {
        if (!isOperating(error) || !error.retry) throw error
        await clock.sleep(BACKOFF_MS[Math.min(attempt, BACKOFF_MS.length - 1)], this.#aborter.signal)
      }
    }
  }

  /** R4. */
  async #check(): Promise<void> {
    const { stream } = this.#options
    const info = await this.#client.api<StreamState>(`STREAM.INFO.${stream}`, undefined, API_TIMEOUT_MS)
    if (this.#created !== null && info.created !== this.#created) {
      throw new OperatingError(
        ErrorCode.identity,
        `Cannot read on in ${stream} as it must be the stream made at ${this.#created}: current one was made at ${info.created}`,
      )
    }
    this.#created = info.created
    this.#streamLastSeq = info.state.last_seq
    this.#replicas = info.config.num_replicas
    if (!this.#received || info.state.last_seq >= this.#lastSeq) this.#shortSinceMs = null
    else {
      const nowMs = this.#client.clock.monotonic()
      this.#shortSinceMs ??= nowMs
      if (info.config.num_replicas > 1 && nowMs - this.#shortSinceMs < STALE_LEADER_MS) {
        throw new OperatingError(ErrorCode.unavailable, `Cannot read on in ${stream} yet: the server that leads it has not caught up`)
      }
      throw new OperatingError(
        ErrorCode.identity,
        `Cannot read on in ${stream} as it must hold sequence ${this.#lastSeq}: current last is ${info.state.last_seq}`,
      )
    }
  }

  async #create(): Promise<void> {
    const { stream, subject } = this.#options
    const name = `${this.#name}_${++this.#serial}`
    const config = {
      name,
      deliver_policy: 'by_start_sequence',
      opt_start_seq: this.#lastSeq + 1,
      ack_policy: 'none',
      replay_policy: 'instant',
      inactive_threshold: INACTIVE_MS * 1_000_000,
      num_replicas: 1,
      mem_storage: true,
      ...(subject === undefined ? {} : { filter_subject: subject }),
    }
    const verb = `CONSUMER.CREATE.${stream}.${name}${subject === undefined ? '' : `.${subject}`}`
    const made = await this.#client.api<{ num_pending: number }>(verb, { stream_name: stream, config }, API_TIMEOUT_MS)
    if (this.#state !== 'opening') return void this.#drop(name)
    this.#consumer = name
    this.#inbox = this.#client.inbox()
    this.#delivered = 0
    this.#asked = 0
    this.#heardAt = this.#client.clock.monotonic()
    this.#state = 'open'
    this.#subscription = this.#client.nc.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (this.#consumer !== name) return
        if (error !== null) {
          this.#failure = new OperatingError(
            ErrorCode.config,
            `Cannot read ${stream} as the user of this connection may not subscribe to its own inbox`,
            { cause: error },
          )
          return this.#finish('failed')
        }
        this.#accept(message)
      },
    })
    this.#atOpen?.({ pending: made.num_pending, lastSeq: this.#streamLastSeq, replicas: this.#replicas })
    this.#atOpen = null
    this.#renew()
  }

  /** R5. */
  #renew(): void {
    const [waits, heardAt] = [this.#asked > 0, this.#heardAt]
    this.#renewedAt = this.#client.clock.monotonic()
    this.#reply = `${this.#inbox}.${++this.#renewals}`
    this.#asked = 0
    this.#pullIfRoom()
    // To ask anew is no sign of life.
    if (waits) this.#heardAt = heardAt
  }

  #accept(message: Msg): void {
    this.#heardAt = this.#client.clock.monotonic()
    const { reply } = message
    if (reply === undefined || !reply.startsWith('$JS.ACK.')) return this.#acceptStatus(message)
    // $JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<ns>.<pending>; newer servers put domain and account before.
    const tokens = reply.split('.')
    const at = tokens.length > 9 ? 7 : 5
    if (Number(tokens[at + 1]) !== this.#delivered + 1) return this.#reopen()
    this.#delivered++
    this.#asked = Math.max(0, this.#asked - 1)
    const seq = Number(tokens[at])
    if (seq <= this.#lastSeq) return this.#reopen()
    this.#lastSeq = seq
    this.#received = true
    this.#requestBytes = REQUEST_BYTES
    const read: ReadMessage = {
      subject: message.subject,
      seq,
      timeMs: Number(tokens[at + 2].slice(0, -6)),
      data: message.data,
      pending: Number(tokens[at + 3]),
      operation: message.headers?.get('KV-Operation') ?? '',
    }
    if (this.#waiter !== null) {
      const waiter = this.#waiter
      this.#waiter = null
      waiter.resolve({ done: false, value: read })
    } else {
      this.#queue.push(read)
      this.#queuedBytes += read.data.byteLength
    }
    this.#pullIfRoom()
  }

  #acceptStatus(message: Msg): void {
    const code = message.headers?.code ?? 0
    if (code === 100) return
    const unserved = Number(message.headers?.get('Nats-Pending-Messages') || NaN)
    const ended = code === 408 || code === 404 || (code === 409 && /maxbytes/i.test(message.headers?.description ?? ''))
    if (!ended || Number.isNaN(unserved)) return this.#reopen()
    if (message.subject !== this.#reply) return
    if (code === 409 && unserved === REQUEST_MESSAGES) this.#requestBytes = REQUEST_BYTES_LARGE
    this.#asked = Math.max(0, this.#asked - unserved)
    this.#pullIfRoom()
  }

  #pullIfRoom(): void {
    if (this.#state !== 'open' || !this.#client.connected()) return
    if (this.#asked > REQUEST_MESSAGES || this.#queuedBytes > WAITING_BYTES_MAX) return
    while (this.#asked <= REQUEST_MESSAGES && this.#asked + this.#queue.length - this.#head + REQUEST_MESSAGES <= MESSAGES_MAX) {
      // Silence is measured from the moment that an answer is due.
      if (this.#asked === 0) this.#heardAt = this.#client.clock.monotonic()
      this.#asked += REQUEST_MESSAGES
      const [expires, idle_heartbeat] = [EXPIRES_MS * 1_000_000, HEARTBEAT_MS * 1_000_000]
      const request = { batch: REQUEST_MESSAGES, max_bytes: this.#requestBytes, expires, idle_heartbeat }
      const subject = `$JS.API.CONSUMER.MSG.NEXT.${this.#options.stream}.${this.#consumer}`
      this.#client.nc.publish(subject, JSON.stringify(request), { reply: this.#reply })
    }
  }

  /** Takes the consumer out of use on this side. */
  #release(): void {
    this.#consumer = ''
    if (!this.#client.closed) this.#subscription?.unsubscribe()
    this.#subscription = null
  }

  async #drop(consumer: string): Promise<void> {
    // The server forgets it by itself in time, so no failure matters.
    await this.#client.api(`CONSUMER.DELETE.${this.#options.stream}.${consumer}`, undefined, API_TIMEOUT_MS).catch(() => {})
  }

  #finish(state: 'closed' | 'failed'): void {
    if (this.#state === 'closed' || this.#state === 'failed') {
      if (state === 'closed') this.#state = state
      return
    }
    this.#state = state
    this.#release()
    this.#aborter.abort()
    for (const cancel of this.#cancels.splice(0)) cancel()
    if (state === 'closed') {
      this.#queue.length = 0
      this.#head = 0
    }
    const waiter = this.#waiter
    this.#waiter = null
    if (state === 'failed') waiter?.reject(this.#failure)
    else waiter?.resolve({ done: true, value: undefined })
  }
}
