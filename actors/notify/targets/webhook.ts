/**
 * Webhooks: a POST of JSON, signed as Standard Webhooks has it (../signature.ts).
 *
 * - H1 A redirect is an error: what is signed for one address is not taken to another.
 * - H2 Of an answer no more than `NOTIFY_ANSWER_BYTES_MAX` is read, and nothing of it is kept.
 */

import type { Clock } from '../../../runtime/clock.ts'
import { NOTIFY_ANSWER_BYTES_MAX, NOTIFY_ANSWER_MAX_MS } from '../../../runtime/limits.ts'
import type { Sender } from '../outgoing.ts'
import { signatureOf } from '../signature.ts'

/** The receiver, or what is before it, is busy or away: the next message fares no better. */
const AWAY: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504])

export function webhookSender(clock: Clock): Sender<'webhook'> {
  return async ({ url, secret }, { id, body }, signal) => {
    const timestamp = Math.floor(clock.now() / 1_000)
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'Weir',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signatureOf({ secret, id, timestamp, body }),
    }
    let answer: Response
    let isLate = false
    const ending = new AbortController()
    const end = () => ending.abort()
    signal.addEventListener('abort', end)
    const cancel = clock.after(NOTIFY_ANSWER_MAX_MS, () => {
      isLate = true
      end()
    })
    try {
      answer = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal: ending.signal })
      await drop(answer)
    } catch (error) {
      return { kind: 'away', error: `the receiver could not be reached: ${isLate ? `no answer within ${NOTIFY_ANSWER_MAX_MS / 1_000} s` : whyOf(error)}` }
    } finally {
      cancel()
      signal.removeEventListener('abort', end)
    }
    if (answer.ok) return { kind: 'taken' }
    const { status } = answer
    if (status === 410) return { kind: 'never', error: 'the receiver says that it is gone for good (410)' }
    if (status >= 300 && status < 400) return { kind: 'refused', error: `the receiver answers with a redirect (${status}), which is not followed: name the address that it leads to` }
    const retryAfterMs = retryAfterOf(answer.headers.get('retry-after'), clock.now())
    return { kind: AWAY.has(status) ? 'away' : 'refused', error: `the receiver answered ${status}`, ...(retryAfterMs === null ? {} : { retryAfterMs }) }
  }
}

/** Reads an answer so that its connection can be used again, unless it goes on for too long. */
async function drop({ body }: Response): Promise<void> {
  if (body === null) return
  let bytes = 0
  for await (const part of body) if ((bytes += part.byteLength) > NOTIFY_ANSWER_BYTES_MAX) break
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
  const cause = error.cause as { code?: string; message?: string } | undefined
  return cause?.code ?? cause?.message ?? error.message
}
