/**
 * Everything but ingest is the store's: the edge passes it on as a stream, both ways, so that one port serves all of Weir.
 *
 * A telephone switchboard: it connects, and hangs up on the one side when the other has. A request without a body, which a store refused to take,
 * is tried at another. Leaves which store to store-choice.ts, live streams to relay.ts.
 */

import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import { Agent, request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { problem } from '../../runtime/http.ts'
import { BODILESS, forwarded, kept, passOn } from './hop.ts'
import type { StoreChoice } from './store-choice.ts'

export class Proxy {
  readonly #choice: StoreChoice
  readonly #agent = new Agent({ keepAlive: true })

  constructor(choice: StoreChoice) {
    this.#choice = choice
  }

  async handle(c: Context): Promise<Response> {
    const repeatable = BODILESS.has(c.req.method)
    for (let attempt = 0; ; attempt++) {
      const url = this.#choice.pick()
      if (url === null) return nobody(c)
      try {
        return await this.#pass(c, url)
      } catch (error) {
        if (gone(c)) return new Response(null, { status: 499 })
        this.#choice.avoid(url)
        if (!repeatable || attempt >= 2) return nobody(c, (error as NodeJS.ErrnoException).code)
      }
    }
  }

  close(): void {
    this.#agent.destroy()
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

function asResponse(answer: IncomingMessage, method: string): Response {
  const status = answer.statusCode ?? 502
  const headers = kept(answer)
  if (method === 'HEAD' || status === 204 || status === 304) {
    answer.resume()
    return new Response(null, { status, headers })
  }
  return new Response(Readable.toWeb(answer) as ReadableStream<Uint8Array>, { status, headers })
}

/** The answer where no store does. */
export function nobody(c: Context, code?: string): Response {
  return problem(c, {
    status: 503,
    title: 'No store',
    detail: `Queries and the dashboard are served by a store, and none answers${code === undefined ? '' : ` (${code})`}. Readings are still taken. Try again in a second.`,
    headers: { 'retry-after': '1' },
  })
}
