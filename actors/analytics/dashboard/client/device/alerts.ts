/**
 * What is open of the device that is shown, above its charts; and all its alerts, for whoever marks their times.
 *
 * Owns asking for them. Leaves when to ask again to the page, which hears of them live.
 */

import { amiss, inOrder, toneOf } from '../alerts/order.ts'
import { answerWords, capital, sinceWords } from '../alerts/words.ts'
import type { Api } from '../api.ts'
import { h } from '../dom.ts'
import { address } from '../page.ts'
import type { AlertRow, Alerts } from '../shapes.ts'
import { createSoon } from '../soon.ts'

const ALERTS_MAX = 200
/** Events come several at a time. */
const PAUSE_MS = 250
/** Shown here; the page of alerts has them all. */
const ROWS_MAX = 5

export interface DeviceAlerts {
  readonly element: HTMLElement
  all(): readonly AlertRow[]
  load(device: string): void
  refresh(): void
  tick(): void
  leave(): void
}

export function createDeviceAlerts(api: Api, onAlerts: (all: readonly AlertRow[]) => void): DeviceAlerts {
  let device = ''
  let all: readonly AlertRow[] = []
  let asked = new AbortController()
  const soon = createSoon(ask, PAUSE_MS)
  let shown = ''
  const list = h('ul')
  const more = h('a', { class: 'small' }, 'All its alerts')
  const element = h('section', { class: 'card device-alerts', id: 'device-alerts', 'aria-label': 'Open alerts', hidden: true }, list, h('p', {}, more))

  async function ask(): Promise<void> {
    asked.abort()
    asked = new AbortController()
    const { signal } = asked
    // Without an answer the page shows what it has: its charts say whether Weir answers.
    const answer = device === '' ? null : await api.get<Alerts>('/v1/alerts', { device, limit: ALERTS_MAX }, signal).catch(() => null)
    if (signal.aborted || answer === null) return
    all = answer.alerts
    show()
    onAlerts(all)
  }

  function show(): void {
    const now = Date.now()
    const open = inOrder(all.filter(({ state }) => state !== 'resolved'))
    element.hidden = open.length === 0
    const rows = open.slice(0, ROWS_MAX).map((alert) => ({ id: alert.id, tone: toneOf(alert.severity), head: `${capital(alert.severity)}: ${amiss(alert).message}`, about: [sinceWords(alert, now), answerWords(alert, now)].filter(Boolean).join('. ') }))
    const next = JSON.stringify(rows)
    if (next === shown) return
    shown = next
    more.href = address('/alerts', { state: 'all', prefix: device })
    list.replaceChildren(...rows.map(({ tone, head, about }) => h('li', { 'data-tone': tone }, h('strong', {}, head), h('span', { class: 'muted small' }, about))))
  }

  return {
    element,
    all: () => all,
    load(of) {
      device = of
      all = []
      show()
      void ask()
    },
    refresh: soon.ask,
    tick: show,
    leave() {
      asked.abort()
      soon.stop()
    },
  }
}
