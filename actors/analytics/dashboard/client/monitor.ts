/**
 * Asks every other second how the system is, for whoever wants to know: the head of the page, the fleet's rate, the system's page.
 *
 * Owns the polling, the rate of readings, and whether Weir answers at all.
 */

import { ApiError, isRefusal } from './api.ts'
import type { Api } from './api.ts'
import { byId, setText } from './dom.ts'
import { health } from './health.ts'
import type { Status } from './shapes.ts'

const EVERY_MS = 2_000
/** A rate takes two answers: the second is asked for soon. */
const FIRST_MS = 600
const RATES_KEPT = 90

export interface Monitor {
  start(): void
  stop(): void
  /** Calls `onStatus` with each status until the answer is called; at once with the last one, where there is one. */
  follow(onStatus: (status: Status) => void): () => void
  /** Readings a second that were accepted between the last polls, the newest last. */
  rates(): readonly number[]
}

export function createMonitor(api: Api): Monitor {
  const followers = new Set<(status: Status) => void>()
  let timer: ReturnType<typeof setTimeout> | undefined
  let asked = new AbortController()
  let before: { accepted: number; atMs: number } | null = null
  let rates: number[] = []
  let last: Status | null = null

  function take(status: Status): void {
    const atMs = performance.now()
    if (before && status.accepted >= before.accepted) rates = [...rates, ((status.accepted - before.accepted) * 1_000) / (atMs - before.atMs)].slice(-RATES_KEPT)
    before = { accepted: status.accepted, atMs }
    last = status
    sayHealth(health(status))
    sayOffline(null)
    for (const follower of followers) follower(status)
  }

  async function round(): Promise<void> {
    const { signal } = asked
    try {
      take(await api.get<Status>('/v1/status', {}, signal))
    } catch (error) {
      if (signal.aborted || isRefusal(error)) return
      before = null
      sayHealth({ state: 'bad', text: 'Disconnected' })
      sayOffline(error instanceof ApiError && error.status > 0 ? error.message : 'Weir does not answer')
    }
  }

  const again = async () => {
    const { signal } = asked
    if (!document.hidden) await round()
    if (!signal.aborted) timer = setTimeout(() => void again(), rates.length === 0 && before !== null ? FIRST_MS : EVERY_MS)
  }

  const stop = () => {
    asked.abort()
    clearTimeout(timer)
  }
  document.addEventListener('visibilitychange', () => {
    if (document.hidden || asked.signal.aborted) return
    clearTimeout(timer)
    // What came while nobody looked is no rate.
    before = null
    void again()
  })
  asked.abort()

  return {
    start() {
      stop()
      asked = new AbortController()
      before = null
      last = null
      rates = []
      void again()
    },
    stop() {
      stop()
      sayHealth({ state: 'unknown', text: 'Not signed in' })
      sayOffline(null)
    },
    follow(onStatus) {
      followers.add(onStatus)
      if (last) onStatus(last)
      return () => followers.delete(onStatus)
    },
    rates: () => rates,
  }
}

/** The mean of the last polls: one a batch a second would otherwise jump. Null until there is one. */
export function smoothRate(rates: readonly number[]): number | null {
  const recent = rates.slice(-3)
  return recent.length === 0 ? null : recent.reduce((a, b) => a + b, 0) / recent.length
}

function sayHealth({ state, text, detail }: { state: string; text: string; detail?: string }): void {
  byId('health').dataset.state = state
  setText(byId('health-text'), text)
  setText(byId('health-detail'), detail ? `· ${detail}` : '')
}

function sayOffline(why: string | null): void {
  byId('offline').hidden = why === null
  setText(byId('offline'), why === null ? '' : `${why.replace(/\.$/, '')}. Trying again; what is shown is as of the last answer.`)
}
