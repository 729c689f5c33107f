/**
 * How far a system knows a simulation already: so that each past is told once, and one that was interrupted, or whose system stood still, goes on from
 * there. Each is told in order of time, so that whatever lies before the newest reading has been told as well.
 */

import type { Clock } from '../../runtime/clock.ts'
import { PAGE_ROWS } from '../../runtime/limits.ts'

const AGAIN_MS = 1_000

export const seriesKey = ({ device, metric }: { device: string; metric: string }): string => `${device} ${metric}`

export interface Asking {
  readonly url: string
  readonly key: string
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly fetch?: typeof globalThis.fetch
}

/**
 * Time of the newest reading, epoch ms, of each series (`seriesKey`) of devices whose names begin with `prefix`; of none where the key may not read,
 * since then nobody can say. Asks again while the system does not answer yet.
 */
export async function knownUntil(prefix: string, { url, key, clock, signal, fetch = globalThis.fetch }: Asking): Promise<Map<string, number>> {
  const newest = new Map<string, number>()
  let cursor: string | null = null
  while (!signal.aborted) {
    const asked = new URL('/v1/latest', url)
    for (const [name, value] of Object.entries({ prefix, time: 'ms', limit: String(PAGE_ROWS), cursor: cursor ?? '' })) asked.searchParams.set(name, value)
    let response: Response | null = null
    try {
      response = await fetch(asked, { headers: { authorization: `Bearer ${key}` }, signal })
    } catch {
      // Not there yet, or told to end, which the loop looks at.
    }
    if (response === null || response.status === 429 || response.status >= 500) {
      await response?.body?.cancel()
      await clock.sleep(AGAIN_MS, signal)
      continue
    }
    if (!response.ok) {
      await response.body?.cancel()
      return newest
    }
    const page = (await response.json()) as { latest: { device: string; metric: string; ts: number }[]; cursor: string | null }
    for (const row of page.latest) newest.set(seriesKey(row), row.ts)
    cursor = page.cursor
    if (cursor === null) return newest
  }
  return newest
}
