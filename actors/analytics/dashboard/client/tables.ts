/** The tables beneath the chart: anomalies, and rows of windows. */

import { byId, h, setText } from './dom.ts'
import { band, count, moment, value } from './format.ts'
import type { AnomalyRow, WindowRow } from './shapes.ts'

/** Rows shown, the newest first. */
const ROWS_MAX = 100

/** Fills the table of anomalies; pointing at a row by mouse or keyboard points at its mark in the chart. */
export function showAnomalies(rows: readonly AnomalyRow[], onPoint: (anomaly: AnomalyRow | null) => void, onZoom: (anomaly: AnomalyRow) => void): void {
  const host = byId('anomalies')
  setText(byId('anomalies-count'), rows.length > 0 ? count(rows.length) : '')
  if (rows.length === 0) {
    if (host.dataset.rows !== 'none') host.replaceChildren(h('p', { class: 'nothing' }, 'Nothing stood out in this range.'))
    host.dataset.rows = 'none'
    return
  }
  // A table that says the same already stays, with the reader's focus in it.
  const signature = `${rows.length} ${rows[0].ts} ${rows[0].device} ${rows[0].metric} ${rows.at(-1)!.ts}`
  if (host.dataset.rows === signature) return
  const focused = host.contains(document.activeElement) ? Number((document.activeElement as HTMLElement).dataset.ts ?? NaN) : NaN
  host.dataset.rows = signature
  const now = Date.now()
  host.replaceChildren(
    h('table', { class: 'anomaly-table' },
      h('thead', {}, h('tr', {}, ...['Time and reason', 'Value', 'Expected', 'Score'].map((head, i) => h('th', { scope: 'col', class: i > 0 ? 'number' : null }, head)))),
      h('tbody', {},
        ...rows.slice(0, ROWS_MAX).map((a) =>
          h('tr', { onmouseenter: () => onPoint(a), onmouseleave: () => onPoint(null) },
            h('td', {}, h('button', { type: 'button', class: 'as-link', 'data-ts': a.ts, title: 'Zoom to it', onfocus: () => onPoint(a), onblur: () => onPoint(null), onclick: () => onZoom(a) }, moment(a.ts, now)), h('span', { class: 'reason' }, a.reason)),
            h('td', { class: 'number' }, value(a.value)),
            h('td', { class: 'number' }, expectedText(a)),
            h('td', { class: 'number' }, a.score.toFixed(3)),
          ),
        ),
      ),
    ),
    ...(rows.length > ROWS_MAX ? [h('p', { class: 'muted small' }, `The newest ${ROWS_MAX} of ${count(rows.length)}.`)] : []),
  )
  if (!Number.isNaN(focused)) host.querySelector<HTMLElement>(`button[data-ts="${focused}"]`)?.focus({ preventScroll: true })
}

function expectedText(a: AnomalyRow): string {
  if (a.lower !== null && a.upper !== null) return band(a.lower, a.upper)
  return value(a.expected)
}

/** Fills the table of windows, the newest first. Null: not loaded yet. */
export function showWindows(rows: readonly WindowRow[] | null): void {
  const host = byId('windows')
  if (rows === null) return host.replaceChildren(h('p', { class: 'nothing' }, 'Loading…'))
  if (rows.length === 0) return host.replaceChildren(h('p', { class: 'nothing' }, 'No window of this size in this range yet.'))
  const now = Date.now()
  const heads = ['From', 'Count', 'Mean', 'Min', 'Max', 'p50', 'p95']
  host.replaceChildren(
    h('table', { class: 'window-table' },
      h('thead', {}, h('tr', {}, ...heads.map((head, i) => h('th', { scope: 'col', class: i > 0 ? 'number' : null }, head)))),
      h('tbody', {},
        ...[...rows].reverse().map((w) =>
          h('tr', { class: w.closed_by === 'open' ? 'is-open' : null, title: w.closed_by === 'open' ? 'Still open: these numbers may change' : null },
            h('td', {}, moment(w.start, now)),
            ...[count(w.count), value(w.mean), value(w.min), value(w.max), value(w.p50), value(w.p95)].map((text) => h('td', { class: 'number' }, text)),
          ),
        ),
      ),
    ),
  )
}
