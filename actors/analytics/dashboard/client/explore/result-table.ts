/**
 * The rows of an answer: all of them up to some hundreds, else those in sight, so that a hundred thousand cost no more than a screen.
 *
 * Owns the scrolling. Every row is one line high; what is longer is cut, and shown whole at a pointer's rest.
 */

import { h } from '../dom.ts'
import { stamp } from '../format.ts'
import { kindOf, timeOf } from './answer.ts'
import type { Answer, Column } from './answer.ts'

const PLAIN_ROWS = 300
const ROW_PX = 33
/** Rows drawn beyond the screen at both ends. */
const MARGIN_ROWS = 20

export function resultTable({ columns, rows }: Answer): HTMLElement {
  const frame = h('div', { class: 'table-scroll result-scroll', tabindex: 0, role: 'region', 'aria-label': 'Rows of the answer' })
  const kinds = columns.map(kindOf)
  const head = h('thead', {}, h('tr', {}, ...columns.map((column, i) => h('th', { scope: 'col', class: kinds[i] === 'number' ? 'number' : null, title: column.type }, column.name))))
  const body = h('tbody')
  const table = h('table', { class: 'result-table', 'aria-rowcount': rows.length + 1 }, head, body)
  frame.append(table)
  const rowOf = (i: number) => h('tr', { 'aria-rowindex': i + 2 }, ...columns.map((column, c) => cellOf(column, kinds[c] === 'number', rows[i][column.name])))

  if (rows.length <= PLAIN_ROWS) {
    body.append(...rows.map((_, i) => rowOf(i)))
    return frame
  }
  let first = -1
  let last = -1
  const space = () => h('tr', { class: 'space', 'aria-hidden': 'true' }, h('td', { colspan: columns.length }))
  const [above, below] = [space(), space()]
  const show = () => {
    const from = Math.max(0, Math.floor(frame.scrollTop / ROW_PX) - MARGIN_ROWS)
    const to = Math.min(rows.length, Math.ceil((frame.scrollTop + (frame.clientHeight || 600)) / ROW_PX) + MARGIN_ROWS)
    if (from === first && to === last) return
    ;[first, last] = [from, to]
    above.style.height = `${from * ROW_PX}px`
    below.style.height = `${(rows.length - to) * ROW_PX}px`
    body.replaceChildren(above, ...Array.from({ length: to - from }, (_, i) => rowOf(from + i)), below)
  }
  frame.addEventListener('scroll', show, { passive: true })
  show()
  requestAnimationFrame(() => {
    // Other rows would make other widths: no column gets narrower than it is on the first screen.
    for (const th of head.querySelectorAll('th')) th.style.minWidth = `${th.offsetWidth}px`
  })
  return frame
}

function cellOf(column: Column, number: boolean, value: unknown): HTMLElement {
  const text = cellText(column, value)
  return h('td', { class: number ? 'number' : value === null ? 'is-null' : null, title: text.length > 40 ? text : null }, text)
}

/** A value as it is read. */
function cellText(column: Column, value: unknown): string {
  if (value === null || value === undefined) return '–'
  if (kindOf(column) === 'time') {
    const ms = timeOf(value)
    return ms === null ? String(value) : stamp(ms)
  }
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(9)))
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
