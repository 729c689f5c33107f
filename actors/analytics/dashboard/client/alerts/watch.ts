/**
 * The open alerts, asked for now and then for whoever wants to know: the number in the navigation, and the fleet.
 *
 * Owns the polling, and the number of critical ones that nobody looks after yet. Leaves what is said of them to the pages.
 */

import type { Api } from '../api.ts'
import { byId, setText } from '../dom.ts'
import type { AlertRow, Alerts } from '../shapes.ts'
import { createSoon } from '../soon.ts'
import { inOrder, isCritical } from './order.ts'

const EVERY_MS = 10_000
/** Events come several at a time. */
const EVENT_PAUSE_MS = 200
/** More open ones than this are a number beyond counting. */
export const OPEN_MAX = 500
export const OPEN_STATES = 'open,acked,shelved'

export interface AlertWatch {
  start(): void
  stop(): void
  /** Calls `onAlerts` with the open alerts, those first that want a look first; at once where they are known. Until the answer is called. */
  follow(onAlerts: (open: readonly AlertRow[]) => void): () => void
  /** Something has happened: asks soon. */
  refresh(): void
}

export function createAlertWatch(api: Api): AlertWatch {
  const followers = new Set<(open: readonly AlertRow[]) => void>()
  let timer: ReturnType<typeof setTimeout> | undefined
  let asked = new AbortController()
  let last: readonly AlertRow[] | null = null
  let turn = 0
  asked.abort()

  function take(open: readonly AlertRow[]): void {
    last = open
    showCount(open.filter((alert) => alert.state === 'open' && isCritical(alert)).length)
    for (const follower of followers) follower(open)
  }

  async function again(): Promise<void> {
    clearTimeout(timer)
    const { signal } = asked
    const mine = ++turn
    // That Weir does not answer, or refuses the key, others say.
    const answer = document.hidden ? null : await api.get<Alerts>('/v1/alerts', { state: OPEN_STATES, limit: OPEN_MAX }, signal).catch(() => null)
    if (signal.aborted) return
    if (answer !== null) take(inOrder(answer.alerts))
    // Of two that were under way at once the later one goes on.
    if (mine === turn) timer = setTimeout(() => void again(), EVERY_MS)
  }

  const stop = () => {
    asked.abort()
    clearTimeout(timer)
    last = null
    showCount(0)
  }
  const soon = createSoon(async () => {
    if (!asked.signal.aborted) await again()
  }, EVENT_PAUSE_MS)
  document.addEventListener('visibilitychange', () => !document.hidden && soon.ask())

  return {
    start() {
      stop()
      asked = new AbortController()
      void again()
    },
    stop,
    follow(onAlerts) {
      followers.add(onAlerts)
      if (last) onAlerts(last)
      return () => followers.delete(onAlerts)
    },
    refresh: soon.ask,
  }
}

function showCount(critical: number): void {
  const element = byId('nav-alerts')
  element.hidden = critical === 0
  setText(element.firstElementChild as HTMLElement, String(critical))
}
