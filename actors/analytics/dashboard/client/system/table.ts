/** A titled table in a panel that is filled again and again: what is being read or focused in it is left in peace. */

import { h, tableHead } from '../dom.ts'

type Cell = string | HTMLElement

export interface Table {
  readonly element: HTMLElement
  /** `empty` is said in place of no rows. */
  show(rows: readonly (readonly Cell[])[], empty?: string): void
}

/** Columns from `numbersFrom` on hold numbers. */
export function table(title: string, heads: readonly string[], { numbersFrom }: { numbersFrom: number }): Table {
  const id = `table-${title.toLowerCase().replace(/[^a-z]+/g, '-')}`
  const body = h('div', { class: 'table-scroll', tabindex: 0, role: 'region', 'aria-labelledby': id }, h('p', { class: 'nothing' }, 'Loading…'))
  let said = ''
  return {
    element: h('section', { class: 'card panel' }, h('h2', { id }, title), body),
    show(rows, empty = 'Nothing here.') {
      const text = rows.length === 0 ? empty : rows.map((row) => row.map((cell) => (typeof cell === 'string' ? cell : cell.textContent)).join('\t')).join('\n')
      if (text === said || (body.contains(document.activeElement) && body !== document.activeElement)) return
      said = text
      const kind = (i: number) => (i >= numbersFrom ? 'number' : null)
      const { scrollTop } = body
      body.replaceChildren(
        rows.length === 0
          ? h('p', { class: 'nothing' }, empty)
          : h('table', {},
              tableHead(heads.map((head, i) => [head, kind(i) ?? ''] as const)),
              h('tbody', {}, ...rows.map((row) => h('tr', {}, ...row.map((cell, i) => h('td', { class: kind(i) }, cell)))))))
      body.scrollTop = scrollTop
    },
  }
}
