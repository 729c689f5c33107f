/**
 * What became of readings over time: bars of all that was received, and beneath them, on a scale of its own, what did not come in time; else the one
 * would hide the other.
 *
 * Owns the bars, which are elements, and the table that says the same.
 */

import { h, setText, tableHead } from '../dom.ts'
import { compact, count, duration, moment } from '../format.ts'
import type { LedgerAt } from '../shapes.ts'

export const FATES = [
  { key: 'onTime', label: 'On time', about: 'came while their window was open' },
  { key: 'late', label: 'Late', about: 'came after their window had closed, and were merged' },
  { key: 'duplicate', label: 'Duplicate', about: 'were known already, and counted once' },
  { key: 'expired', label: 'Expired', about: 'were older than what is kept' },
  { key: 'rejected', label: 'Rejected', about: 'were not readings' },
] as const

const ROWS = [
  { name: 'On time', fates: ['onTime'] },
  { name: 'All else', fates: ['late', 'duplicate', 'expired', 'rejected'] },
] as const

export interface FateBars {
  readonly element: HTMLElement
  show(rows: readonly LedgerAt[], range: { from: number; to: number; stepMs: number }): void
}

export function createFateBars(): FateBars {
  const charts = ROWS.map(({ name, fates }) => {
    const most = h('span', { class: 'bars-most muted small' })
    const bars = h('div', { class: 'bars', role: 'img' })
    return { name, fates, most, bars, element: h('div', { class: 'bars-row' }, h('p', { class: 'bars-name small' }, name, ' ', most), bars) }
  })
  const ends = h('p', { class: 'bars-ends muted small', 'aria-hidden': 'true' }, h('span'), h('span'))
  const body = h('div', { class: 'table-scroll', tabindex: 0, role: 'region', 'aria-label': 'Fates over time' })
  const asTable = h('details', { class: 'as-table' }, h('summary', {}, 'The same as a table'), body)
  const element = h('div', {}, ...charts.map((chart) => chart.element), ends, asTable)

  return {
    element,
    show(rows, { from, to, stepMs }) {
      const at = new Map(rows.map((row) => [row.start, row]))
      const starts = Array.from({ length: Math.max(1, Math.ceil((to - from) / stepMs)) }, (_, i) => from + i * stepMs)
      const now = Date.now()
      for (const { name, fates, most, bars } of charts) {
        const sums = starts.map((start) => fates.reduce((sum, fate) => sum + (at.get(start)?.[fate] ?? 0), 0))
        const peak = Math.max(...sums)
        setText(most, peak === 0 ? 'none' : `up to ${compact(peak)} in ${duration(stepMs)}`)
        bars.setAttribute('aria-label', `${name}: ${count(sums.reduce((a, b) => a + b, 0))} in all, at most ${count(peak)} a step; the table has them`)
        bars.replaceChildren(...starts.map((start, i) => {
          const row = at.get(start)
          const parts = row ? fates.map((fate) => `${count(row[fate])} ${FATES.find((f) => f.key === fate)!.label.toLowerCase()}`) : []
          const bar = h('div', { class: 'bar', title: row ? `${moment(start, now)}: ${parts.join(', ')}` : null })
          for (const fate of row && sums[i] > 0 ? fates : []) {
            if (row![fate] === 0) continue
            const piece = h('span', { 'data-fate': fate, class: 'fate-piece' })
            piece.style.height = `${(100 * row![fate]) / peak}%`
            bar.append(piece)
          }
          return bar
        }))
      }
      setText(ends.firstElementChild as HTMLElement, moment(from, now))
      setText(ends.lastElementChild as HTMLElement, 'now')
      body.replaceChildren(h('table', {},
        tableHead(['From', ...FATES.map(({ label }) => [label, 'number'] as const)]),
        h('tbody', {}, ...[...rows].reverse().map((row) =>
          h('tr', {}, h('td', {}, moment(row.start, now)), ...FATES.map(({ key }) => h('td', { class: 'number' }, count(row[key]))))))))
    },
  }
}
