/**
 * Posts readings as a careful device does: a batch is sent again, with growing pauses, until it is acknowledged or refused.
 *
 * Owns retries, the Idempotency-Key and the counts of what came back. Leaves what is sent, and when, to the command.
 *
 * Invariants
 * - A batch that got no answer, 429 or 503 is sent again under the same Idempotency-Key, so that it counts once.
 * - A refusal that another try cannot change ends the simulation where it concerns the key, and is counted where it concerns the batch.
 */

import type { Clock } from '../../runtime/clock.ts'
import { OperatingError } from '../../runtime/errors.ts'
import type { Reading } from '../reading/input.ts'

/** Pauses between tries double from the first to the second; Retry-After is heeded where it is longer. */
const PAUSE_MIN_MS = 100
const PAUSE_MAX_MS = 5_000
/** A request without an answer for so long counts as unanswered. */
const ANSWER_MS = 30_000

/** What became of all that was sent. */
export interface Tally {
  readings: number
  requests: number
  retries: number
  accepted: number
  rejected: number
  /** Batches that were refused as a whole. */
  refused: number
}

export interface SenderOptions {
  readonly url: string
  readonly key: string
  readonly clock: Clock
  readonly fetch?: typeof globalThis.fetch
  /** Told of each pause, once a stretch of trouble. */
  onTrouble?(what: string): void
}

export class Sender {
  readonly tally: Tally = { readings: 0, requests: 0, retries: 0, accepted: 0, rejected: 0, refused: 0 }
  #options: SenderOptions
  #endpoint: string
  #troubled = false

  /** Throws `config` where `url` is no HTTP address. */
  constructor(options: SenderOptions) {
    this.#options = options
    const url = URL.canParse(options.url) ? new URL('/v1/readings', options.url) : null
    if (url === null || !/^https?:$/.test(url.protocol)) {
      throw new OperatingError('config', `Cannot send as the URL must be an http address: current value is ${options.url}`)
    }
    this.#endpoint = url.href
  }

  /** Resolves once the batch is acknowledged or refused, or `signal` aborted. Throws `config` where the key is not accepted. */
  async send(readings: readonly Reading[], signal: AbortSignal): Promise<void> {
    if (readings.length === 0) return
    const { clock, key } = this.#options
    const body = JSON.stringify({ readings })
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'idempotency-key': clock.nonce(16) }
    this.tally.readings += readings.length
    for (let attempt = 0; !signal.aborted; attempt++) {
      if (attempt > 0) this.tally.retries++
      const after = await this.#try({ headers, body }, signal)
      if (after === 'done') return
      const pauseMs = Math.max(after, Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** attempt) * (0.5 + clock.random() / 2))
      await clock.sleep(pauseMs, signal)
    }
  }

  /** One request: `done`, or how long the server wants to be left alone. */
  async #try(request: { headers: Record<string, string>; body: string }, signal: AbortSignal): Promise<'done' | number> {
    const { fetch = globalThis.fetch } = this.#options
    this.tally.requests++
    let response: Response
    let text: string
    try {
      response = await fetch(this.#endpoint, { method: 'POST', ...request, signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]) })
      text = await response.text()
    } catch (error) {
      if (signal.aborted) return 'done'
      this.#trouble(`no answer from ${this.#endpoint}: ${reasonOf(error)}`)
      return 0
    }
    if (response.status === 202) {
      const { accepted = 0, rejected = [], rejectedCount = rejected.length } = parsed(text) as { accepted?: number; rejected?: unknown[]; rejectedCount?: number }
      this.tally.accepted += accepted
      this.tally.rejected += rejectedCount
      this.#troubled = false
      return 'done'
    }
    const detail = (parsed(text) as { detail?: string }).detail ?? text.slice(0, 200)
    if (response.status === 401 || response.status === 403) {
      throw new OperatingError('config', `Cannot send to ${this.#endpoint} as the key must be one of an admin or a device (--key): ${detail}`)
    }
    if (response.status === 429 || response.status >= 500) {
      this.#trouble(`${response.status} from ${this.#endpoint}: ${detail}`)
      const seconds = Number(response.headers.get('retry-after') ?? 0)
      return Number.isFinite(seconds) ? Math.min(60, seconds) * 1000 : 0
    }
    this.tally.refused++
    this.#trouble(`a batch was refused with ${response.status}: ${detail}`)
    return 'done'
  }

  #trouble(what: string): void {
    if (!this.#troubled) this.#options.onTrouble?.(what)
    this.#troubled = true
  }
}

function parsed(text: string): object {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

/** What a failed `fetch` failed of: the cause says more than the error. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error
  return cause instanceof Error && cause.message !== '' ? cause.message : ((cause as { code?: string })?.code ?? message)
}
