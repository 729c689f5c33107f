/**
 * One connection to NATS servers, and the two ways of asking them something: a publish that JetStream acknowledges, and a
 * request to JetStream's API.
 *
 * Owns connecting and the acknowledgements under way. Leaves the meaning of answers to nats-answers.ts, reading to nats-reader.ts,
 * buckets to nats-kv.ts and nats-objects.ts, the contract to nats-log.ts.
 *
 * Invariants
 * - C1 A publish is a plain message with a reply subject of our own, never with an id for deduplication: servers disagree about
 *   a retry that has both an id and an expected sequence.
 * - C2 Nothing is sent while the connection is known to be down, so that no message leaves long after its publish was given up.
 * - C3 Every publish ends: by its acknowledgement, by its time-out, by the loss of the connection, or by a refused permission.
 * - C4 A server of a cluster that can't serve is left for another (nats-failover.ts).
 */

import { connect } from '@nats-io/transport-node'
import type { Msg, MsgHdrs, NatsConnection } from '@nats-io/transport-node'
import { createInbox, errors, headers } from '@nats-io/nats-core'
import type { Clock } from './clock.ts'
import { ErrorCode, OperatingError } from './errors.ts'
import type { ServerGreeting } from './log.ts'
import { fastSeq, leaderless, notPermitted, refusal, translate } from './nats-answers.ts'
import type { ApiError } from './nats-answers.ts'
import { Failover } from './nats-failover.ts'
import { greetingsOf } from './nats-peers.ts'
import { parseServers } from './nats-target.ts'

export interface NatsOptions {
  /**
   * `nats://user:password@host:port`, several of them separated by commas; `tls://` for TLS. `?inbox=PREFIX` after the first
   * one names the prefix of inboxes that the user may subscribe to.
   */
  readonly servers: string
  /** Shown by the server in its list of connections. */
  readonly name: string
  readonly clock: Clock
  /** Prefix of inboxes; by default the one in `servers`, else `_INBOX`. */
  readonly inboxPrefix?: string
  /** Time in which the first connection must stand; 10,000 by default. */
  readonly connectWithinMs?: number
}

const PUBLISH_TIMEOUT_MS = 2_000
const REQUEST_TIMEOUT_MS = 2_000
const SWEEP_MS = 50
/** For acknowledgements under way at the close. */
const CLOSE_WITHIN_MS = 1_000

interface UnderWay {
  readonly subject: string
  readonly sentMs: number
  readonly deadline: number
  readonly resolve: (ack: { seq: number }) => void
  readonly reject: (error: OperatingError) => void
}

export class NatsClient {
  readonly clock: Clock
  readonly nc: NatsConnection
  readonly inboxPrefix: string
  #named: readonly string[]
  #standing = true
  #closed = false
  #nextId = 0
  #underWay = new Map<number, UnderWay>()
  #ackInbox: string
  #sweeping = false
  #reconnectListeners = new Set<() => void>()
  #closeListeners = new Set<() => void>()
  #failover: Failover
  /** The stream that was asked for last: what a probe asks for. */
  #asked: string | null = null
  /** The server that is being left, while the connection moves. */
  #leaving: string | null = null

  constructor(nc: NatsConnection, clock: Clock, inboxPrefix: string, named: readonly string[]) {
    this.nc = nc
    this.#named = named
    this.clock = clock
    this.inboxPrefix = inboxPrefix
    this.#ackInbox = `${this.inbox()}.`
    this.#failover = new Failover({
      clock,
      inCluster: () => this.connected() && nc.info?.cluster !== undefined,
      probe: () => void (this.#asked && this.api(`STREAM.INFO.${this.#asked}`).catch(() => {})),
      move: () => {
        this.#leaving = nc.getServer()
        void nc.reconnect()
      },
    })
    nc.subscribe(`${this.#ackInbox}*`, { callback: (error, message) => this.#onAck(error, message) })
    void this.#follow()
  }

  /** Connects, trying again until the time is up. Throws `unavailable`, or `config` where the credentials are refused. */
  static async connect(options: NatsOptions): Promise<NatsClient> {
    const { clock } = options
    const target = parseServers(options.servers)
    const inboxPrefix = options.inboxPrefix ?? target.inboxPrefix ?? '_INBOX'
    const within = options.connectWithinMs ?? 10_000
    const deadline = clock.monotonic() + within
    for (;;) {
      try {
        const nc = await connect({
          ...target.options,
          name: options.name,
          inboxPrefix,
          timeout: 5_000,
          reconnectTimeWait: 100,
          reconnectJitter: 100,
          maxReconnectAttempts: -1,
          ignoreAuthErrorAbort: true,
          pingInterval: 5_000,
          maxPingOut: 3,
          noAsyncTraces: true,
        })
        return new NatsClient(nc, clock, inboxPrefix, [target.options.servers ?? []].flat())
      } catch (cause) {
        if (cause instanceof errors.AuthorizationError) {
          throw new OperatingError(
            ErrorCode.config,
            `Cannot use the log's server at ${target.shown} as it refuses these credentials: check user and password in --nats`,
            { cause },
          )
        }
        if (clock.monotonic() >= deadline) {
          const why = cause instanceof Error ? cause.message : String(cause)
          throw new OperatingError(
            ErrorCode.unavailable,
            `Cannot reach a log server at ${target.shown} within ${within} ms: start one, or name another with --nats (${why})`,
            { cause },
          )
        }
        await clock.sleep(100)
      }
    }
  }

  get serverVersion(): string {
    return this.nc.info?.version ?? '0.0.0'
  }

  get maxPayloadBytes(): number {
    return this.nc.info?.max_payload ?? 1024 * 1024
  }

  connected(): boolean {
    return this.#standing && !this.#closed
  }

  /** What the servers say of themselves: those named in `servers`, and those that the one in use names. */
  async servers(): Promise<ServerGreeting[]> {
    const own = { name: this.nc.info?.server_name ?? '', version: this.serverVersion }
    const others = await greetingsOf([...this.#named, ...(this.nc.info?.connect_urls ?? [])], this.clock)
    return [own, ...others.filter(({ name }) => name !== own.name)]
  }

  get closed(): boolean {
    return this.#closed
  }

  /** A subject that nobody else listens to. */
  inbox(): string {
    return createInbox(this.inboxPrefix)
  }

  onReconnect(run: () => void): () => void {
    this.#reconnectListeners.add(run)
    return () => this.#reconnectListeners.delete(run)
  }

  onClose(run: () => void): () => void {
    this.#closeListeners.add(run)
    return () => this.#closeListeners.delete(run)
  }

  /** Publishes to a stream; the answer is the acknowledgement. */
  publish(subject: string, data: Uint8Array, options: { timeoutMs?: number; headers?: MsgHdrs } = {}): Promise<{ seq: number }> {
    return new Promise((resolve, reject) => {
      if (!this.connected()) return reject(this.#down())
      const id = this.#nextId++
      const sentMs = this.clock.monotonic()
      const deadline = sentMs + (options.timeoutMs ?? PUBLISH_TIMEOUT_MS)
      this.#underWay.set(id, { subject, sentMs, deadline, resolve, reject })
      try {
        const reply = this.#ackInbox + id
        this.nc.publish(subject, data, options.headers === undefined ? { reply } : { reply, headers: options.headers })
      } catch (cause) {
        this.#underWay.delete(id)
        if (data.byteLength > this.maxPayloadBytes - 256) {
          const bound = `a message must be at most ${this.maxPayloadBytes} bytes: current length is ${data.byteLength}`
          const message = `Cannot publish to ${subject} as ${bound}`
          return reject(new OperatingError(ErrorCode.tooLarge, message, { cause }))
        }
        return reject(this.nc.isClosed() ? this.#down() : cause)
      }
      this.#sweepLater()
    })
  }

  /** A request to JetStream's API, `$JS.API.<verb>`; the answer is its parsed JSON. Refusals reject with `ApiRefusal`. */
  async api<T>(verb: string, body: unknown = undefined, timeoutMs = REQUEST_TIMEOUT_MS): Promise<T> {
    if (!this.connected()) throw this.#down()
    if (verb.startsWith('STREAM.INFO.')) this.#asked = verb.slice('STREAM.INFO.'.length)
    const sentMs = this.clock.monotonic()
    let answer: Msg
    try {
      answer = await this.nc.request(`$JS.API.${verb}`, body === undefined ? undefined : JSON.stringify(body), { timeout: timeoutMs })
    } catch (cause) {
      const error = translate(`ask for ${verb}`, cause)
      if (error.retry) this.#failover.failed('api', sentMs)
      throw error
    }
    const parsed = answer.json<T & { error?: ApiError; cluster?: { leader?: string } }>()
    const refused = parsed.error === undefined ? leaderless(verb, parsed) : refusal(`ask for ${verb}`, parsed.error)
    if (refused?.code === ErrorCode.unavailable) this.#failover.failed('api', sentMs)
    else this.#failover.answered('api')
    if (refused !== null) throw refused
    return parsed
  }

  async close(): Promise<void> {
    if (this.#closed) return
    const deadline = this.clock.monotonic() + CLOSE_WITHIN_MS
    while (this.#underWay.size > 0 && this.connected() && this.clock.monotonic() < deadline) await this.clock.sleep(2)
    if (this.connected()) await Promise.race([this.nc.flush().catch(() => {}), this.clock.sleep(CLOSE_WITHIN_MS)])
    this.#end()
    await this.nc.close()
  }

  #onAck(error: Error | null, message: Msg): void {
    if (error !== null) return
    const id = Number(message.subject.slice(this.#ackInbox.length))
    const entry = this.#underWay.get(id)
    if (entry === undefined) return
    this.#underWay.delete(id)
    const { data } = message
    if (data.length === 0) {
      this.#failover.failed('publish', entry.sentMs)
      return entry.reject(new OperatingError(
        ErrorCode.unavailable,
        `Cannot publish to ${entry.subject}: no stream of the log's server answers`,
      ))
    }
    const seq = fastSeq(data)
    if (seq > 0) {
      this.#failover.answered('publish')
      return entry.resolve({ seq })
    }
    const ack = message.json<{ seq?: number; error?: ApiError }>()
    const refused = ack.error === undefined ? null : refusal(`publish to ${entry.subject}`, ack.error)
    if (refused?.code === ErrorCode.unavailable) this.#failover.failed('publish', entry.sentMs)
    else this.#failover.answered('publish')
    if (refused !== null) return entry.reject(refused)
    if (typeof ack.seq === 'number') return entry.resolve({ seq: ack.seq })
    entry.reject(new OperatingError(ErrorCode.unavailable, `Cannot publish to ${entry.subject}: the answer is not an acknowledgement`))
  }

  #sweepLater(): void {
    if (this.#sweeping) return
    this.#sweeping = true
    this.clock.after(SWEEP_MS, () => {
      this.#sweeping = false
      const now = this.clock.monotonic()
      for (const [id, entry] of this.#underWay) {
        if (entry.deadline > now) continue
        this.#underWay.delete(id)
        this.#failover.failed('publish', entry.sentMs)
        entry.reject(unsure(entry.subject, 'no answer in time'))
      }
      if (this.#underWay.size > 0) this.#sweepLater()
    })
  }

  /** Follows the connection's state until it is closed. */
  async #follow(): Promise<void> {
    for await (const status of this.nc.status()) {
      if (status.type === 'disconnect' || status.type === 'staleConnection') {
        this.#standing = false
        this.#failover.anew()
        this.#abandon(() => true, (subject) => new OperatingError(
          ErrorCode.timeout,
          `Cannot say whether the message for ${subject} is stored: the connection was lost`,
        ))
      } else if (status.type === 'reconnect') {
        this.#failover.anew()
        // The library may begin its round at the server that it has just left.
        const again = this.#leaving !== null && this.nc.getServer() === this.#leaving
        this.#leaving = null
        if (again) {
          void this.nc.reconnect()
          continue
        }
        this.#standing = true
        for (const run of [...this.#reconnectListeners]) run()
      } else if (status.type === 'error' && status.error instanceof errors.PermissionViolationError) {
        const { subject: denied, operation } = status.error
        if (operation === 'publish') this.#abandon((subject) => subject === denied, (subject) => notPermitted(subject, status.error))
      }
    }
    this.#end()
  }

  #abandon(which: (subject: string) => boolean, error: (subject: string) => OperatingError): void {
    for (const [id, entry] of this.#underWay) {
      if (!which(entry.subject)) continue
      this.#underWay.delete(id)
      entry.reject(error(entry.subject))
    }
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    this.#failover.close()
    this.#abandon(() => true, (subject) => new OperatingError(
      ErrorCode.timeout,
      `Cannot say whether the message for ${subject} is stored: the connection was closed`,
    ))
    for (const run of [...this.#closeListeners]) run()
    this.#closeListeners.clear()
    this.#reconnectListeners.clear()
  }

  #down(): OperatingError {
    const why = this.#closed ? 'Cannot use the log as its connection is closed' : "Cannot reach the log's server at present"
    return new OperatingError(ErrorCode.unavailable, why)
  }
}

/** Headers of a publish that expects `seq` to be the last of its subject. */
export function expecting(seq: number): MsgHdrs {
  const h = headers()
  h.set('Nats-Expected-Last-Subject-Sequence', String(seq))
  return h
}

function unsure(subject: string, why: string): OperatingError {
  return new OperatingError(ErrorCode.timeout, `Cannot say whether the message for ${subject} is stored: ${why}`)
}
