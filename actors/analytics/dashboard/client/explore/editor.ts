/**
 * A place to write SQL: a plain text area, with numbered lines and coloured words beneath it.
 *
 * Owns the two layers, which show the same text in the same place. Tab leaves the field, as everywhere else.
 */

import { h } from '../dom.ts'

const WORDS = new Set(
  ('select from where group by order having limit offset as and or not in is null between like ilike join left right full inner outer cross on using union all distinct with ' +
    'recursive case when then else end cast interval over partition rows range filter qualify asc desc true false exists any values lateral pivot unpivot sample within asof')
    .split(' '))
const TOKENS = /(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|('(?:[^']|'')*'?)|("[^"]*"?)|(\b\d+(?:\.\d+)?\b)|([A-Za-z_]+)/g
const LINES_MIN = 6
const LINES_MAX = 18

export interface Editor {
  readonly element: HTMLElement
  text(): string
  setText(text: string): void
  /** Puts `words` where the cursor is. */
  insert(words: string): void
  /** Puts the cursor at a place of the text, from 0. */
  focusAt(position: number): void
}

export function createEditor(onRun: () => void): Editor {
  const numbers = h('pre', { class: 'editor-numbers', 'aria-hidden': 'true' })
  const colours = h('pre', { class: 'editor-colours', 'aria-hidden': 'true' })
  const field = h('textarea', {
    id: 'sql', class: 'editor-text', spellcheck: 'false', autocapitalize: 'off', autocomplete: 'off', wrap: 'off', rows: LINES_MIN,
    'aria-label': 'SQL', 'aria-describedby': 'sql-keys', placeholder: 'SELECT device, count(*) FROM readings GROUP BY device',
  })
  const element = h('div', { class: 'editor' }, numbers, h('div', { class: 'editor-layers' }, colours, field))

  function paint(): void {
    const text = field.value
    const lines = text.split('\n').length
    field.rows = Math.min(LINES_MAX, Math.max(LINES_MIN, lines))
    numbers.textContent = Array.from({ length: lines }, (_, i) => i + 1).join('\n')
    // The last line's end is shown only if something follows it.
    colours.replaceChildren(...coloured(text), '\n')
    follow()
  }
  function follow(): void {
    colours.scrollTop = numbers.scrollTop = field.scrollTop
    colours.scrollLeft = field.scrollLeft
  }
  field.addEventListener('input', paint)
  field.addEventListener('scroll', follow)
  field.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return
    event.preventDefault()
    onRun()
  })
  paint()

  return {
    element,
    text: () => field.value,
    setText(text) {
      if (field.value === text) return
      field.value = text
      paint()
    },
    insert(words) {
      field.focus()
      field.setRangeText(words, field.selectionStart, field.selectionEnd, 'end')
      paint()
    },
    focusAt(position) {
      field.focus()
      field.setSelectionRange(position, position)
    },
  }
}

function coloured(text: string): (Node | string)[] {
  const parts: (Node | string)[] = []
  let at = 0
  for (const match of text.matchAll(TOKENS)) {
    const [token, comment, string, name, number, word] = match
    const kind = comment ? 'comment' : string ? 'string' : name ? 'name' : number ? 'number' : WORDS.has(word.toLowerCase()) ? 'word' : null
    if (kind === null) continue
    if (match.index > at) parts.push(text.slice(at, match.index))
    parts.push(h('span', { class: `sql-${kind}` }, token))
    at = match.index + token.length
  }
  if (at < text.length) parts.push(text.slice(at))
  return parts
}
