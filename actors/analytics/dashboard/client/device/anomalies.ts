/** The table of what stood out: when, what, why. Pointing at a row points at its mark in the chart, a press tells more of it. */

import { h, setText, tableHead } from '../dom.ts'
import { count, moment } from '../format.ts'
import { severity } from '../severity.ts'
import type { AnomalyRow } from '../shapes.ts'
import type { Units } from '../units.ts'

/** Rows shown, the newest first. */
const ROWS_MAX = 100

export interface AnomalyTable {
  readonly element: HTMLElement
  show(rows: readonly AnomalyRow[]): void
}

export function createAnomalyTable(units: Units, onPoint: (anomaly: AnomalyRow | null) => void, onAsk: (anomaly: AnomalyRow) => void): AnomalyTable {
  const counted = h('span', { class: 'count', id: 'anomalies-count' })
  const body = h('div', { id: 'anomalies', class: 'table-scroll', tabindex: 0, role: 'region', 'aria-labelledby': 'anomalies-title' })
  const element = h('section', { class: 'card panel' }, h('h2', { id: 'anomalies-title' }, 'What stood out ', counted), body)
  let signature = ''

  function rowOf(a: AnomalyRow, now: number): HTMLElement {
    const usual = a.lower !== null && a.upper !== null ? units.band(a.metric, a.lower, a.upper) : units.text(a.metric, a.expected)
    const open = h('button', { type: 'button', class: 'as-link', 'data-at': `${a.ts} ${a.metric}`, title: 'Why?', 'aria-haspopup': 'dialog', onfocus: () => onPoint(a), onblur: () => onPoint(null) }, moment(a.ts, now))
    // A press anywhere in the row asks; that of the button, by hand or by key, arrives here as well.
    return h('tr', { class: 'is-pressable', onclick: () => onAsk(a), onmouseenter: () => onPoint(a), onmouseleave: () => onPoint(null) },
      h('td', {}, open, h('span', { class: 'reason' }, `${severity(a.score)}. ${a.reason}`)),
      h('td', {}, units.label(a.metric)),
      h('td', { class: 'number' }, units.text(a.metric, a.value)),
      h('td', { class: 'number wide-only' }, usual))
  }

  return {
    element,
    show(rows) {
      // A table that says the same already stays, with the reader's focus in it.
      const next = rows.length === 0 ? 'none' : `${rows.length} ${rows[0].ts} ${rows[0].metric} ${rows.at(-1)!.ts}`
      if (next === signature) return
      signature = next
      setText(counted, rows.length > 0 ? count(rows.length) : '')
      const focused = body.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset.at : undefined
      const now = Date.now()
      body.replaceChildren(
        rows.length === 0
          ? h('p', { class: 'nothing' }, 'Nothing stood out in this range.')
          : h('table', { class: 'anomaly-table' }, tableHead(['When, and why', 'What', ['Value', 'number'], ['Usual', 'number wide-only']]),
              h('tbody', {}, ...rows.slice(0, ROWS_MAX).map((a) => rowOf(a, now)))))
      if (rows.length > ROWS_MAX) body.append(h('p', { class: 'nothing' }, `The newest ${ROWS_MAX} of ${count(rows.length)}.`))
      if (focused) [...body.querySelectorAll<HTMLElement>('button')].find((b) => b.dataset.at === focused)?.focus({ preventScroll: true })
    },
  }
}
