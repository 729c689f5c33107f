/**
 * Webhooks: a POST of JSON, signed as Standard Webhooks has it (../signature.ts).
 *
 * - H1 A redirect is an error: what is signed for one address is not taken to another.
 * - H2 Of an answer no more than `NOTIFY_ANSWER_BYTES_MAX` is read, and nothing of it is kept.
 * - H3 The connection goes to an address that ../reach.ts has looked at, or to none.
 */

import { Agent as HttpAgent, request as requestHttp } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import type { LookupFunction } from 'node:net'
import type { Clock } from '../../../runtime/clock.ts'
import { NOTIFY_ANSWER_BYTES_MAX, NOTIFY_ANSWER_MAX_MS } from '../../../runtime/limits.ts'
import type { Sender } from '../outgoing.ts'
import { lookupOf, ReachError } from '../reach.ts'
import type { Reach } from '../reach.ts'
import { signatureOf } from '../signature.ts'

/** The receiver, or what is before it, is busy or away: the next message fares no better. */
const AWAY: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504])
/** Connections that wait for the next message, of each receiver. */
const IDLE_MAX = 4

interface Post {
  readonly url: URL
  readonly headers: Readonly<Record<string, string | number>>
  readonly body: string
  readonly agent: HttpAgent
  readonly lookup: LookupFunction
  readonly signal: AbortSignal
}

export function webhookSender(clock: Clock, reach: Reach): Sender<'webhook'> {
  const agents = { 'http:': new HttpAgent({ keepAlive: true, maxFreeSockets: IDLE_MAX }), 'https:': new HttpsAgent({ keepAlive: true, maxFreeSockets: IDLE_MAX }) }
  return async ({ url, secret }, { id, body }, signal) => {
    const timestamp = Math.floor(clock.now() / 1_000)
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'Weir',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signatureOf({ secret, id, timestamp, body }),
    }
    let answer: Pick<IncomingMessage, 'statusCode' | 'headers'>
    let isLate = false
    const ending = new AbortController()
    const end = () => ending.abort()
    signal.addEventListener('abort', end)
    const cancel = clock.after(NOTIFY_ANSWER_MAX_MS, () => {
      isLate = true
      end()
    })
    try {
      const to = new URL(url)
      const addresses = await beforeEnd(reach.addressesOf(to.hostname), ending.signal)
      answer = await post({ url: to, headers, body, agent: agents[to.protocol as keyof typeof agents], lookup: lookupOf(addresses), signal: ending.signal })
    } catch (error) {
      if (error instanceof ReachError) return { kind: 'away', error: error.message }
      return { kind: 'away', error: `the receiver could not be reached: ${isLate ? `no answer within ${NOTIFY_ANSWER_MAX_MS / 1_000} s` : whyOf(error)}` }
    } finally {
      cancel()
      signal.removeEventListener('abort', end)
    }
    const status = answer.statusCode!
    if (status >= 200 && status < 300) return { kind: 'taken', status }
    if (status === 410) return { kind: 'never', status, error: 'the receiver says that it is gone for good (410)' }
    if (status >= 300 && status < 400) return { kind: 'refused', status, error: `the receiver answers with a redirect (${status}), which is not followed: name the address that it leads to` }
    const retryAfterMs = retryAfterOf(answer.headers['retry-after'] ?? null, clock.now())
    return { kind: AWAY.has(status) ? 'away' : 'refused', status, error: `the receiver answered ${status}`, ...(retryAfterMs === null ? {} : { retryAfterMs }) }
  }
}

/** Sends once; once more where a connection that had waited for it is found to be closed. */
async function post(message: Post): Promise<IncomingMessage> {
  try {
    return await attempt(message)
  } catch (error) {
    if (!(error instanceof Error) || (error as Stale).isStale !== true) throw error
    return attempt(message)
  }
}

interface Stale extends Error {
  isStale?: boolean
}

function attempt({ url, headers, body, agent, lookup, signal }: Post): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, { method: 'POST', headers, agent, lookup, signal }, (answer) => {
      let bytes = 0
      // Read to its end, so that the connection can be used again, unless it goes on for too long.
      answer.on('data', (part: Uint8Array) => {
        bytes += part.byteLength
        if (bytes > NOTIFY_ANSWER_BYTES_MAX) answer.destroy()
      })
      answer.on('error', () => {})
      answer.on('close', () => (bytes > NOTIFY_ANSWER_BYTES_MAX || answer.complete ? resolve(answer) : reject(new Error('the answer was cut off'))))
    })
    sent.on('error', (error) => {
      if (sent.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET') (error as Stale).isStale = true
      reject(error)
    })
    sent.end(body)
  })
}

/** What a promise gives, unless the signal comes before. */
export function beforeEnd<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const cut = () => reject(new Error('this process ends'))
    if (signal.aborted) cut()
    signal.addEventListener('abort', cut, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', cut))
  })
}

/** Seconds, or a date (RFC 9110, 10.2.3); null for neither. */
export function retryAfterOf(text: string | null, nowMs: number): number | null {
  if (text === null) return null
  if (/^\d{1,9}$/.test(text.trim())) return Number(text) * 1_000
  const atMs = Date.parse(text)
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs)
}

function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return (error as NodeJS.ErrnoException).code ?? error.message
}
