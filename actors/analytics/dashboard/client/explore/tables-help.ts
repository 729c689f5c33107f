/** What can be asked: the views of the lake and their columns, each put into the question at a press. */

import type { Api } from '../api.ts'
import { h } from '../dom.ts'

interface Table {
  readonly name: string
  readonly columns: readonly { readonly name: string; readonly type: string }[]
}

export function tablesHelp(api: Api, onPick: (name: string) => void): HTMLElement {
  const body = h('div', { class: 'tables' }, h('p', { class: 'muted small' }, 'Loading…'))
  const pick = (name: string, title: string) => h('button', { type: 'button', class: 'as-link', title, onclick: () => onPick(name) }, name)
  const show = (tables: readonly Table[]) =>
    body.replaceChildren(...tables.map(({ name, columns }) =>
      h('section', { 'aria-label': `Table ${name}` }, h('h3', {}, pick(name, 'Put it into the question')),
        h('ul', { class: 'columns' }, ...columns.map((column) => h('li', {}, pick(column.name, column.type), h('span', { class: 'muted small' }, column.type.toLowerCase())))))))
  api
    .send('/v1/sql/tables', { method: 'GET' })
    .then(async (response) => show(((await response.json()) as { tables: Table[] }).tables))
    .catch(() => body.replaceChildren(h('p', { class: 'muted small' }, 'The views are readings, windows, anomalies, alerts, forecasts and rejects; DESCRIBE shows the columns of one.')))
  return h('details', { class: 'help card', open: matchMedia('(min-width: 1000px)').matches }, h('summary', {}, h('h2', {}, 'Tables and columns')), body)
}
