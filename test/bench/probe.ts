/** A device that sends a reading every 50 ms, and times its answers and its way to an open live stream. */

import { eventually } from '../support/system.ts'
import type { System } from '../support/system.ts'

export interface Probed {
  /** From the POST to the live event, ascending. */
  readonly liveMs: readonly number[]
  /** From the POST to its 202, ascending. */
  readonly answerMs: readonly number[]
  /** Answers that were no 202. */
  readonly refused: number
  /** Events that did not come within a minute of the last POST. */
  readonly missing: number
}

export function percentile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)]
}

type Client = Pick<System, 'fetch'>

/** Posts of one device. */
class Poster {
  readonly sentAt = new Map<number, number>()
  readonly answerMs: number[] = []
  refused = 0
  readonly #client: Client
  readonly #device: string

  constructor(client: Client, device: string) {
    this.#client = client
    this.#device = device
  }

  /** Posts until `ended`. */
  async run(ended: () => boolean): Promise<void> {
    for (let n = 1; !ended(); n++) {
      const began = performance.now()
      this.sentAt.set(n, began)
      const posted = await this.#client.fetch('/v1/readings', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ device: this.#device, metric: 'probe', ts: Date.now(), value: n }),
      })
      await posted.body?.cancel()
      if (posted.status === 202) this.answerMs.push(performance.now() - began)
      else {
        this.refused++
        this.sentAt.delete(n)
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    this.answerMs.sort((a, b) => a - b)
  }
}

/** Posts for as long as `ended` says, and times the answers alone. */
export async function probeAnswers(client: Client, device: string, ended: () => boolean): Promise<Pick<Probed, 'answerMs' | 'refused'>> {
  const poster = new Poster(client, device)
  await poster.run(ended)
  return poster
}

/** Posts for `seconds`, and times answers and live events. */
export async function probe(client: Client, { device, seconds }: { device: string; seconds: number }): Promise<Probed> {
  const poster = new Poster(client, device)
  const abort = new AbortController()
  const response = await client.fetch(`/v1/live?device=${encodeURIComponent(device)}&metric=probe&kind=reading`, { signal: abort.signal })
  const liveMs: number[] = []
  const reading = (async () => {
    const decoder = new TextDecoder()
    let rest = ''
    try {
      for await (const chunk of response.body!) {
        const now = performance.now()
        rest += decoder.decode(chunk as Uint8Array, { stream: true })
        const events = rest.split('\n\n')
        rest = events.pop()!
        for (const event of events) {
          const data = /^data: ?(.*)$/m.exec(event)?.[1]
          if (data === undefined || !/^event: ?reading$/m.test(event)) continue
          const { value } = JSON.parse(data) as { value: number }
          const sent = poster.sentAt.get(value)
          if (sent !== undefined) liveMs.push(now - sent)
          poster.sentAt.delete(value)
        }
      }
    } catch {
      // Aborted below.
    }
  })()
  const end = performance.now() + seconds * 1000
  await poster.run(() => performance.now() >= end)
  await eventually('the last probes arrive', () => poster.sentAt.size === 0).catch(() => {})
  abort.abort()
  await reading
  liveMs.sort((a, b) => a - b)
  return { liveMs, answerMs: poster.answerMs, refused: poster.refused, missing: poster.sentAt.size }
}
