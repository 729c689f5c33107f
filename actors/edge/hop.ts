/**
 * What of an HTTP message goes on to the next connection: everything but what speaks of one connection (RFC 9110, section 7.6.1).
 */

import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { IncomingMessage, ServerResponse } from 'node:http'

const HOP_BY_HOP = new Set([
  'connection', 'host', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade',
])

/** Methods whose body means nothing (RFC 9110, section 9.3.1): it is not passed on. */
export const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD'])

const namedBy = (connection: string | null | undefined) => new Set((connection ?? '').split(',').map((name) => name.trim().toLowerCase()))

/** The headers of a request that go on to a store. */
export function forwarded(raw: Request, from: URL): Record<string, string> {
  const dropped = namedBy(raw.headers.get('connection'))
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

/** The headers of an answer that are the message's. */
export function kept(answer: IncomingMessage): [string, string][] {
  const dropped = namedBy(answer.headers.connection)
  const headers: [string, string][] = []
  for (let i = 0; i < answer.rawHeaders.length; i += 2) {
    const name = answer.rawHeaders[i].toLowerCase()
    if (!HOP_BY_HOP.has(name) && !dropped.has(name)) headers.push([name, answer.rawHeaders[i + 1]])
  }
  return headers
}

/** The head of an answer, straight into Node's response, which spares a stream. */
export function writeHead(answer: IncomingMessage, outgoing: ServerResponse): void {
  outgoing.writeHead(answer.statusCode ?? 502, kept(answer).flat())
  outgoing.flushHeaders()
}

/** An answer as it comes; one that breaks off breaks the client's off too. */
export function passOn(answer: IncomingMessage, outgoing: ServerResponse): Response {
  writeHead(answer, outgoing)
  answer.on('error', () => outgoing.destroy())
  answer.pipe(outgoing)
  return RESPONSE_ALREADY_SENT
}
