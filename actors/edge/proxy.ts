/**
 * Everything but ingest is the store's: the edge passes it on as a stream, both ways, so that one port serves all of Weir.
 *
 * A telephone switchboard: it connects, and hangs up on the one side when the other has.
 *
 * Picks a store at random and keeps to it while it is there, so that one client sees one store's view; a store that refuses a
 * connection is avoided for a while, and a request without a body is tried at another.
 */

import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Context } from 'hono'
import { Agent, request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { Clock } from '../../runtime/clock.ts'
import { problem } from '../../runtime/http.ts'
import { PROXY_AVOID_MS } from '../../runtime/limits.ts'
import type { Member, MemberRole } from '../../runtime/membership.ts'

/** Headers that speak of one connection (RFC 9110, section 7.6.1), not of the message. */
const HOP_BY_HOP = new Set([
  'connection', 'host', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade',
])

/** Methods whose body means nothing (RFC 9110, section 9.3.1): it is not passed on. */
const BODILESS = new Set(['GET', 'HEAD'])

/** The part of the membership that the edge looks at. */
export interface Stores {
  view(role: MemberRole): readonly Member[]
}

export class Proxy {
  readonly #stores: Stores
  readonly #clock: Clock
  readonly #agent = new Agent({ keepAlive: true })
  readonly #avoidUntil = new Map<string, number>()
  #chosen: string | null = null

  constructor(options: { stores: Stores; clock: Clock }) {
    this.#stores = options.stores
    this.#clock = options.clock
  }

  async handle(c: Context): Promise<Response> {
    const repeatable = BODILESS.has(c.req.method)
    for (let attempt = 0; ; attempt++) {
      const url = this.#pick()
      if (url === null) return nobody(c)
      try {
        return await this.#pass(c, url)
      } catch (error) {
        if (gone(c)) return new Response(null, { status: 499 })
        this.#avoidUntil.set(url, this.#clock.monotonic() + PROXY_AVOID_MS)
        this.#chosen = null
        if (!repeatable || attempt >= 2) return nobody(c, (error as NodeJS.ErrnoException).code)
      }
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  #pick(): string | null {
    const urls = this.#stores.view('store').flatMap((member) => (member.url === null ? [] : [member.url]))
    if (urls.length === 0) return null
    const nowMs = this.#clock.monotonic()
    const willing = urls.filter((url) => (this.#avoidUntil.get(url) ?? 0) <= nowMs)
    for (const url of this.#avoidUntil.keys()) if (!urls.includes(url)) this.#avoidUntil.delete(url)
    if (this.#chosen !== null && willing.includes(this.#chosen)) return this.#chosen
    const from = willing.length > 0 ? willing : urls
    this.#chosen = from[Math.floor(this.#clock.random() * from.length)]
    return this.#chosen
  }

  #pass(c: Context, base: string): Promise<Response> {
    const raw = c.req.raw
    const from = new URL(raw.url)
    const method = raw.method
    const { incoming, outgoing } = (c.env ?? {}) as Partial<HttpBindings>
    return new Promise<Response>((resolve, reject) => {
      const upstream = httpRequest(base, { method, path: from.pathname + from.search, headers: forwarded(raw, from), agent: this.#agent })
      // A client that goes away takes its request with it, whether the store was still thinking or already streaming.
      const hangUp = () => upstream.destroy()
      if (outgoing !== undefined) outgoing.on('close', hangUp)
      else raw.signal.addEventListener('abort', hangUp)
      upstream.on('error', reject)
      // The answer to a HEAD is made anew by the router, so it can't be written past it.
      upstream.on('response', (answer) => resolve(outgoing === undefined || method === 'HEAD' ? asResponse(answer, method) : passOn(answer, outgoing)))
      if (BODILESS.has(method)) upstream.end()
      else if (incoming !== undefined) incoming.pipe(upstream)
      else if (raw.body !== null) Readable.fromWeb(raw.body as never).on('error', hangUp).pipe(upstream)
      else upstream.end()
    })
  }
}

/** Whether the client has closed its connection. */
function gone(c: Context): boolean {
  const { outgoing } = (c.env ?? {}) as Partial<HttpBindings>
  return outgoing === undefined ? c.req.raw.signal.aborted : outgoing.destroyed
}

function forwarded(raw: Request, from: URL): Record<string, string> {
  const dropped = new Set((raw.headers.get('connection') ?? '').split(',').map((name) => name.trim().toLowerCase()))
  const headers: Record<string, string> = {}
  raw.headers.forEach((value, name) => {
    if (!HOP_BY_HOP.has(name) && !dropped.has(name)) headers[name] = value
  })
  // A length of what is not passed on would let the store take the next request of the connection, anybody's, for this one's body.
  if (BODILESS.has(raw.method)) delete headers['content-length']
  headers['x-forwarded-host'] ??= from.host
  headers['x-forwarded-proto'] ??= from.protocol.slice(0, -1)
  return headers
}

/** Straight into Node's response, which spares a stream; an answer that breaks off breaks the client's off too. */
function passOn(answer: IncomingMessage, outgoing: HttpBindings['outgoing']): Response {
  const headers = kept(answer)
  outgoing.writeHead(answer.statusCode ?? 502, headers.flat())
  outgoing.flushHeaders()
  answer.on('error', () => outgoing.destroy())
  answer.pipe(outgoing)
  return RESPONSE_ALREADY_SENT
}

function asResponse(answer: IncomingMessage, method: string): Response {
  const status = answer.statusCode ?? 502
  const headers = kept(answer)
  if (method === 'HEAD' || status === 204 || status === 304) {
    answer.resume()
    return new Response(null, { status, headers })
  }
  return new Response(Readable.toWeb(answer) as ReadableStream<Uint8Array>, { status, headers })
}

/** The headers of an answer that are the message's. */
function kept(answer: IncomingMessage): [string, string][] {
  const dropped = new Set((answer.headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()))
  const headers: [string, string][] = []
  for (let i = 0; i < answer.rawHeaders.length; i += 2) {
    const name = answer.rawHeaders[i].toLowerCase()
    if (!HOP_BY_HOP.has(name) && !dropped.has(name)) headers.push([name, answer.rawHeaders[i + 1]])
  }
  return headers
}

function nobody(c: Context, code?: string): Response {
  return problem(c, {
    status: 503,
    title: 'No store',
    detail: `Queries and the dashboard are served by a store, and none answers${code === undefined ? '' : ` (${code})`}. Readings are still taken. Try again in a second.`,
    headers: { 'retry-after': '1' },
  })
}
