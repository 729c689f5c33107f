/**
 * What is left of a request's body when its answer is ready: it is read and thrown away before the answer goes out.
 *
 * A sender that sends all before it listens, or a proxy that stands between, writes on after a refusal. Where the connection is closed then, the
 * system tells it of that before it has read the answer, and it takes a refusal for a server that is gone.
 *
 * - U1 An answer goes out when the body has ended, or `DISCARD_MAX_BYTES` of it were read, or its sender is gone.
 * - U2 Who answers past the router (`RESPONSE_ALREADY_SENT`) sees to the body himself.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { DISCARD_MAX_BYTES } from './limits.ts'

interface Sides {
  readonly incoming?: IncomingMessage
  readonly outgoing?: ServerResponse
}

type Fetch = (request: Request, env?: unknown) => Response | Promise<Response>

/** The same app, whose answers wait for the bodies of their requests. */
export function hearingOut(fetch: Fetch): Fetch {
  return (request, env) => {
    const answer = fetch(request, env)
    const { incoming, outgoing } = (env ?? {}) as Sides
    if (incoming === undefined || outgoing === undefined || request.method === 'GET' || request.method === 'HEAD') return answer
    return afterBody(answer, incoming, outgoing)
  }
}

async function afterBody(answer: Response | Promise<Response>, incoming: IncomingMessage, outgoing: ServerResponse): Promise<Response> {
  const response = await answer
  if (!outgoing.headersSent) await discard(incoming)
  return response
}

function discard(incoming: IncomingMessage): Promise<void> {
  if (incoming.readableEnded || incoming.destroyed) return Promise.resolve()
  // A handler that gave the body up halfway has left listeners behind, which would gather it or have it wait.
  incoming.removeAllListeners('data')
  return new Promise((resolve) => {
    let bytes = 0
    const end = () => {
      incoming.off('data', onData).off('end', end).off('close', end).off('error', end)
      resolve()
    }
    const onData = (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > DISCARD_MAX_BYTES) end()
    }
    incoming.on('data', onData).on('end', end).on('close', end).on('error', end).resume()
  })
}
