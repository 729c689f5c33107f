/**
 * Live streams through the edge: they outlive the store that they come from.
 *
 * An operator at a switchboard who, when the line goes dead, calls the next one and says "go on behind this word", while the caller stays on the
 * line. Owns that, and how many call at a time. Leaves which store to store-choice.ts, what a stream says to the store.
 *
 * - R1 A client is given whole events only, so that the last id that it was given is known. Where its store is gone, the stream goes on at the next
 *   one behind that id: nothing is left out, and nothing comes twice.
 * - R2 What a store tells a client on purpose stands: an answer that is no stream, and an end with a word to come again (`retry:`).
 * - R3 RELAY_OPENING_MAX streams are being opened at a time, the others wait in order: a store that thousands come to at once, since it has just
 *   started, has other work too.
 * - R4 A stream waits for a store within a bound; behind it the client is told to come again. One whose client takes nothing goes on when it does.
 */

import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Context } from 'hono'
import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { Clock } from '../../runtime/clock.ts'
import { LIVE_HEARTBEAT_MS, LIVE_STALLED_MAX_MS, RELAY_OPENING_MAX, RELAY_OPENING_MAX_MS, RELAY_PATIENCE_MS, RELAY_RETRY_MS, RELAY_RESUME_PATIENCE_MS } from '../../runtime/limits.ts'
import { turnOf } from '../../runtime/turns.ts'
import { Turnstile } from '../../runtime/turnstile.ts'
import { Caller } from './caller.ts'
import { forwarded, passOn, writeHead } from './hop.ts'
import { nobody } from './proxy.ts'
import type { StoreChoice } from './store-choice.ts'

/** The dashboard shows it (analytics/dashboard/client/live.ts). */
const WAITS = Buffer.from(': the store is gone; the stream waits for another\n\n')
const GIVES_UP = Buffer.from(': there is no store; resume from the last id\nretry: 1000\n\n')

export class LiveRelay {
  readonly #choice: StoreChoice
  readonly #clock: Clock
  readonly #turnstile = new Turnstile(RELAY_OPENING_MAX)
  readonly #callers = new Set<Caller>()
  #closed = false
  /** Streams that went on at another store, or at the same one restarted, since the start. */
  resumed = 0

  constructor(options: { choice: StoreChoice; clock: Clock }) {
    this.#choice = options.choice
    this.#clock = options.clock
  }

  /** Streams that are open. */
  get size(): number {
    return this.#callers.size
  }

  /** Answers `GET /v1/live` on a real server. */
  async handle(c: Context): Promise<Response> {
    const { outgoing } = c.env as HttpBindings
    const from = new URL(c.req.raw.url)
    const caller = new Caller(outgoing, { path: from.pathname + from.search, headers: forwarded(c.req.raw, from) })
    const answer = await this.#ask(caller, this.#clock.monotonic() + RELAY_PATIENCE_MS)
    if (caller.gone) return RESPONSE_ALREADY_SENT
    if (answer === null) return nobody(c)
    if (!isStream(answer)) return passOn(answer, outgoing)
    writeHead(answer, outgoing)
    this.#callers.add(caller)
    void this.#relay(caller, answer).finally(() => this.#callers.delete(caller))
    return RESPONSE_ALREADY_SENT
  }

  /** Cuts every stream. */
  close(): void {
    this.#closed = true
    for (const caller of this.#callers) caller.cut()
  }

  async #relay(caller: Caller, first: IncomingMessage): Promise<void> {
    const turn = turnOf(this.#clock)
    for (let answer: IncomingMessage | null = first; answer !== null; ) {
      const end = await caller.take(answer)
      if (caller.gone) return
      if (end === 'told') return caller.end()
      if (this.#closed) return caller.cut()
      // Thousands are told at once.
      while (turn.isOver) await turn.next()
      const beganMs = this.#clock.monotonic()
      caller.say(WAITS)
      turn.spent(this.#clock.monotonic() - beganMs)
      const stop = this.#clock.after(LIVE_STALLED_MAX_MS, () => caller.cut())
      await caller.drained()
      stop()
      const hush = this.#reassure(caller)
      answer = await this.#again(caller)
      hush()
      if (answer !== null) this.resumed++
    }
  }

  /** Says now and then that the stream waits, until the answer is called: a client that hears nothing takes it for dead. */
  #reassure(caller: Caller): () => void {
    let cancel = () => {}
    const later = () => {
      cancel = this.#clock.after(LIVE_HEARTBEAT_MS, () => {
        caller.say(WAITS)
        later()
      })
    }
    later()
    return () => cancel()
  }

  /** The stream from behind the last id, at whichever store; null where the client has been let go instead. */
  async #again(caller: Caller): Promise<IncomingMessage | null> {
    const untilMs = this.#clock.monotonic() + RELAY_RESUME_PATIENCE_MS
    for (;;) {
      const answer = await this.#ask(caller, untilMs)
      if (caller.gone) return null
      if (answer !== null && isStream(answer)) return answer
      answer?.resume()
      if (answer !== null && answer.statusCode !== 503) {
        // It comes again and hears why.
        caller.cut()
        return null
      }
      if (this.#clock.monotonic() >= untilMs) {
        caller.say(GIVES_UP)
        caller.end()
        return null
      }
      await this.#clock.sleep(RELAY_RETRY_MS)
    }
  }

  /** What a store answers; null where none does until `untilMs`, or the client has gone. */
  async #ask(caller: Caller, untilMs: number): Promise<IncomingMessage | null> {
    while (await this.#choice.arrival(untilMs, () => caller.gone)) {
      await this.#turnstile.enter()
      try {
        if (caller.gone) return null
        const url = this.#choice.pick({ patient: true })
        // Whoever comes after one that failed need not fail as well.
        if (url === null) continue
        const answer = await this.#open(caller, url)
        if (answer !== null || caller.gone) return answer
        this.#choice.avoid(url)
      } finally {
        this.#turnstile.leave()
      }
      if (this.#clock.monotonic() >= untilMs) return null
      await this.#clock.sleep(RELAY_RETRY_MS)
    }
    return null
  }

  /** What the store at `url` answers; null where it does not. One that takes a connection and says nothing has no time, or is frozen. */
  async #open(caller: Caller, url: string): Promise<IncomingMessage | null> {
    const cancel = this.#clock.after(RELAY_OPENING_MAX_MS, () => caller.hangUp())
    const answer = await open(caller, url).catch(() => null)
    cancel()
    return answer
  }
}

const isStream = (answer: IncomingMessage) => answer.statusCode === 200 && (answer.headers['content-type'] ?? '').startsWith('text/event-stream')

/** Asks a store for the stream behind the client's last id. On a connection of its own: a pool of thousands that never come back is only searched. */
function open(caller: Caller, url: string): Promise<IncomingMessage> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const host = hostname.replace(/^\[|\]$/g, '')
    const upstream = httpRequest({ host, port, method: 'GET', path: caller.path, headers: caller.headers, createConnection: () => connect(Number(port), host) })
    upstream.on('error', reject).on('response', (answer) => resolve(answer))
    caller.calls(upstream)
    upstream.end()
  })
}
