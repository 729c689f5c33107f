/**
 * Finds a series by typing: a combobox with a list box, as the ARIA Authoring Practices describe it. Focus stays in the field;
 * arrows move, Enter takes, Escape closes.
 */

import type { Catalog } from './catalog.ts'
import { byId, h, setText } from './dom.ts'
import { age, value } from './format.ts'
import type { SeriesKey, SeriesRow } from './shapes.ts'

const PAUSE_MS = 120

export function createFinder(catalog: Catalog, onPick: (series: SeriesKey) => void): void {
  const field = byId<HTMLInputElement>('find')
  const list = byId<HTMLUListElement>('found')
  const status = byId('found-count')
  let rows: readonly SeriesRow[] = []
  let active = -1
  let asked = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined

  const open = () => !list.hidden
  const close = () => {
    list.hidden = true
    active = -1
    field.setAttribute('aria-expanded', 'false')
    field.removeAttribute('aria-activedescendant')
  }

  const show = (found: readonly SeriesRow[]) => {
    rows = found
    const now = Date.now()
    list.replaceChildren(
      ...found.map((row, i) =>
        h(
          'li',
          { role: 'option', id: `found-${i}`, 'aria-selected': 'false', onpointerdown: (event: Event) => event.preventDefault(), onclick: () => pick(i) },
          h('span', { class: 'found-device' }, row.device),
          h('span', { class: 'found-metric' }, row.metric),
          h('span', { class: 'found-value' }, value(row.value)),
          h('span', { class: 'found-age' }, age(row.last, now)),
        ),
      ),
      ...(found.length === 0 ? [h('li', { role: 'option', 'aria-disabled': 'true', 'aria-selected': 'false', class: 'none' }, 'No series matches')] : []),
    )
    list.hidden = false
    field.setAttribute('aria-expanded', 'true')
    setText(status, found.length === 0 ? 'No series matches' : `${found.length} series`)
    activate(found.length > 0 && field.value.trim() !== '' ? 0 : -1)
  }

  const activate = (i: number) => {
    list.children[active]?.setAttribute('aria-selected', 'false')
    active = i
    const option = list.children[i]
    if (i < 0 || !option) {
      field.removeAttribute('aria-activedescendant')
      return
    }
    option.setAttribute('aria-selected', 'true')
    option.scrollIntoView({ block: 'nearest' })
    field.setAttribute('aria-activedescendant', `found-${i}`)
  }

  const pick = (i: number) => {
    const row = rows[i]
    if (!row) return
    close()
    field.value = ''
    onPick(row)
  }

  const search = async () => {
    asked.abort()
    asked = new AbortController()
    const { signal } = asked
    show(catalog.searchHeld(field.value))
    if (!catalog.partial()) return
    try {
      const found = await catalog.search(field.value, signal)
      if (!signal.aborted && document.activeElement === field) show(found)
    } catch {
      // What is held is shown already; the overview says when the server is away.
    }
  }

  field.addEventListener('input', () => {
    clearTimeout(timer)
    if (catalog.partial()) timer = setTimeout(() => void search(), PAUSE_MS)
    else void search()
  })
  field.addEventListener('click', () => !open() && void search())
  field.addEventListener('blur', close)
  field.addEventListener('keydown', (event) => {
    if (event.isComposing) return
    if (event.key === 'Escape') {
      if (open()) close()
      else field.value = ''
      event.preventDefault()
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      if (!open()) return void search()
      const n = rows.length
      if (n > 0) activate(event.key === 'ArrowDown' ? (active + 1) % n : (active <= 0 ? n : active) - 1)
    } else if (event.key === 'Enter' && open()) {
      event.preventDefault()
      pick(active < 0 ? 0 : active)
    }
  })
  document.addEventListener('keydown', (event) => {
    const typing = event.target instanceof HTMLElement && event.target.matches('input, textarea, select')
    if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !byId('board').hidden) {
      event.preventDefault()
      field.focus()
    }
  })
}
