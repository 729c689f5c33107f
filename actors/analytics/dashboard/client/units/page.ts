/**
 * The units: what each metric is called and measured in; an admin edits them here.
 *
 * Owns the table and the form. Leaves the rule which entry holds to client/units.ts, and the checks to the server, whose words are shown at the
 * field.
 */

import { ApiError, isRefusal } from '../api.ts'
import { announce, button, h, setText, tableHead } from '../dom.ts'
import { count } from '../format.ts'
import type { Context, Page } from '../page.ts'
import type { Devices } from '../shapes.ts'
import { inWords, pickUnit } from '../units.ts'
import type { UnitList, UnitRow } from '../units.ts'

const FIELDS = ['label', 'unit', 'decimals', 'least', 'greatest'] as const
type Field = (typeof FIELDS)[number]
const HEADS = ['Metric', 'Unit', ['Decimals', 'number wide-only'], ['Shown at least', 'wide-only'], ['Series', 'number wide-only']] as const
/** The field of a place in the body. */
const FIELD_AT: Readonly<Record<string, string>> = {
  '/label': 'unit-label', '/unit': 'unit-unit', '/decimals': 'unit-decimals', '/range/0': 'unit-least', '/range/1': 'unit-greatest', '/range': 'unit-least',
}

export function open(host: HTMLElement, { api, units }: Context): Page {
  let list: UnitList = { units: [], revision: 0, mayEdit: false }
  let known: Devices['summary']['metrics'] = []
  let left = false

  const said = h('p', { class: 'lead-in', id: 'units-said' }, 'Asking…')
  const trouble = h('p', { class: 'trouble', role: 'alert', hidden: true })
  const add = button('quiet', 'Add one for a name or a beginning', () => edit(''), { id: 'unit-add', hidden: true })
  const body = h('div', { class: 'table-scroll tall', tabindex: 0, role: 'region', 'aria-label': 'Units of metrics', id: 'units' })
  const dialog = makeDialog(save)
  host.append(
    h('div', { class: 'page-head' }, h('h1', {}, 'Units'), said),
    h('div', { class: 'stack' },
      h('section', { class: 'card panel', 'aria-label': 'Metrics' },
        h('div', { class: 'panel-head' }, h('p', { class: 'muted' }, 'Words for eyes: values stay as they were sent.'), add),
        trouble, body)),
    dialog.element)

  async function load(): Promise<void> {
    try {
      const [rows, devices] = await Promise.all([units.load(), api.get<Devices>('/v1/devices', { limit: 1 })])
      if (left) return
      list = rows
      known = devices.summary.metrics
      trouble.hidden = true
      render()
    } catch (error) {
      if (left || isRefusal(error)) return
      trouble.hidden = false
      setText(trouble, `Cannot show the units: ${(error as Error).message.replace(/\.$/, '')}. Trying again.`)
      setTimeout(() => !left && void load(), 3_000)
    }
  }

  function render(): void {
    setText(said, `What each metric is called and measured in${list.mayEdit ? ', on all pages.' : '. A key of the role admin may change it.'}`)
    add.hidden = !list.mayEdit
    // What is measured here, then what was edited for others.
    const names = new Set(known.map(({ metric }) => metric))
    const others = list.units.filter((row) => row.source === 'edited' && !names.has(row.metric))
    const seriesOf = new Map(known.map(({ metric, series }) => [metric, series]))
    const rows = [...[...names].sort(), ...others.map((row) => row.metric)].map((name) => rowOf(name, seriesOf.get(name) ?? null))
    const heads = [...HEADS, ...(list.mayEdit ? [['Change', 'unseen-head'] as const] : [])]
    body.replaceChildren(
      rows.length === 0
        ? h('p', { class: 'nothing' }, 'Nothing has been measured yet.')
        : h('table', { class: 'unit-table' }, tableHead(heads), h('tbody', {}, ...rows)))
  }

  function rowOf(name: string, series: number | null): HTMLElement {
    const row = entryFor(name)
    const own = row?.metric === name
    const from = row === null ? 'not said' : row.source === 'edited' ? (own ? 'edited' : `edited as ${row.metric}`) : ''
    return h('tr', { 'data-metric': name },
      h('th', { scope: 'row' }, h('span', { class: 'unit-label' }, row?.label || (name.endsWith('*') ? 'Each by its own name' : inWords(name))),
        h('span', { class: 'unit-name muted' }, h('code', {}, name), from !== '' && ` · ${from}`)),
      h('td', {}, row?.unit || '–'),
      h('td', { class: 'number wide-only' }, row === null ? 'as sent' : String(row.decimals)),
      h('td', { class: 'wide-only' }, row?.range ? `${row.range[0]} to ${row.range[1]}` : 'as the values are'),
      h('td', { class: 'number wide-only' }, series === null ? '–' : count(series)),
      list.mayEdit && h('td', {}, h('div', { class: 'row-actions' },
        button('quiet', 'Edit', () => edit(name), { 'aria-label': `Edit ${name}` }),
        own && row.source === 'edited' && button('quiet', 'Take back', () => void takeBack(name), { 'aria-label': `Take back the edit of ${name}` }))))
  }

  const entryFor = (name: string): UnitRow | null =>
    list.units.find((row) => row.metric === name) ?? (name.endsWith('*') ? null : pickUnit(list.units, name))

  function edit(name: string): void {
    dialog.open(name, entryFor(name))
  }

  async function save(name: string, body: object): Promise<void> {
    await api.send(`/v1/units/${encodeURIComponent(name)}`, { method: 'PUT', body, headers: { 'If-Match': `"${list.revision}"` } })
    announce(`${name} is changed`)
    await load()
  }

  async function takeBack(name: string): Promise<void> {
    try {
      await api.send(`/v1/units/${encodeURIComponent(name)}`, { method: 'DELETE', headers: { 'If-Match': `"${list.revision}"` } })
      announce(`The edit of ${name} is taken back`)
    } catch (error) {
      trouble.hidden = false
      setText(trouble, (error as Error).message)
    }
    await load()
  }

  return {
    show: () => void load(),
    leave() {
      left = true
      dialog.close()
    },
  }
}

/** The form of an entry, in a dialog that the browser keeps the focus in. */
function makeDialog(save: (name: string, body: object) => Promise<void>) {
  const input = (id: string, attributes: Record<string, string | number | boolean>) =>
    h('input', { id, type: 'text', autocomplete: 'off', autocapitalize: 'off', 'aria-describedby': `${id}-error`, ...attributes })
  const name = input('unit-name', { required: true, maxlength: 65, spellcheck: 'false', placeholder: 'soil_moisture, or temp*' })
  const fields: Record<Field, HTMLInputElement> = {
    label: input('unit-label', { maxlength: 64 }),
    unit: input('unit-unit', { maxlength: 16 }),
    decimals: input('unit-decimals', { inputmode: 'numeric', required: true }),
    least: input('unit-least', { inputmode: 'decimal' }),
    greatest: input('unit-greatest', { inputmode: 'decimal' }),
  }
  const error = (id: string) => h('p', { id: `${id}-error`, class: 'error' })
  const field = (label: string, control: HTMLInputElement, hint = '') =>
    h('div', { class: 'field' },
      h('label', { for: control.id }, label, hint !== '' && h('span', { class: 'muted small' }, ` ${hint}`)), control, error(control.id))
  const whole = h('p', { class: 'error', role: 'alert' })
  const title = h('h2', { id: 'unit-title' })
  const form = h('form', { class: 'unit-form', novalidate: true },
    title,
    field('Metric', name, 'with * at its end, all that begin so'),
    field('Called', fields.label, 'left empty, by its own name'),
    h('div', { class: 'field-pair' }, field('Unit', fields.unit), field('Decimals', fields.decimals)),
    h('div', { class: 'field-pair' }, field('Shown from', fields.least, 'left empty, as the values are'), field('to', fields.greatest)),
    whole,
    h('div', { class: 'form-actions' }, h('button', { type: 'submit', class: 'primary' }, 'Save'), button('quiet', 'Cancel', () => element.close())))
  const element: HTMLDialogElement = h('dialog', { class: 'card', 'aria-labelledby': 'unit-title' }, form)

  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    for (const place of form.querySelectorAll<HTMLElement>('.error')) setText(place, '')
    try {
      await save(name.value.trim(), bodyOf(fields))
      element.close()
    } catch (problem) {
      const at = placeOf(problem)
      setText(at === null ? whole : (form.querySelector(`#${at}-error`) as HTMLElement), (problem as Error).message)
      if (at !== null) form.querySelector<HTMLInputElement>(`#${at}`)?.focus()
    }
  })

  return {
    element,
    open(metric: string, row: UnitRow | null) {
      setText(title, metric === '' ? 'A new entry' : 'What it is called and measured in')
      name.value = metric
      name.readOnly = metric !== ''
      fields.label.value = row?.label ?? ''
      fields.unit.value = row?.unit ?? ''
      fields.decimals.value = String(row?.decimals ?? 2)
      fields.least.value = row?.range ? String(row.range[0]) : ''
      fields.greatest.value = row?.range ? String(row.range[1]) : ''
      for (const place of form.querySelectorAll<HTMLElement>('.error')) setText(place, '')
      element.showModal()
      ;(metric === '' ? name : fields.label).focus()
    },
    close: () => element.close(),
  }
}

function bodyOf({ label, unit, decimals, least, greatest }: Record<Field, HTMLInputElement>): object {
  // What is no number goes as it is: the server says what it must be.
  const number = ({ value }: HTMLInputElement) => (value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : value)
  const range = least.value.trim() === '' && greatest.value.trim() === '' ? null : [number(least), number(greatest)]
  return { label: label.value, unit: unit.value, decimals: number(decimals), range }
}

/** Id of the field that a problem points at; null for the whole. */
function placeOf(problem: unknown): string | null {
  if (!(problem instanceof ApiError)) return null
  if (problem.problem.parameter === 'metric') return 'unit-name'
  return FIELD_AT[String(problem.problem.pointer)] ?? null
}
