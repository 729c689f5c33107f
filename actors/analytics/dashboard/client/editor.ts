/**
 * A place to write code: a plain text area, with numbered lines and coloured words beneath it.
 *
 * Owns the two layers, which show the same text in the same place. Tab leaves the field, as everywhere else.
 */

import { h } from './dom.ts'

const LINES_MIN = 6
const LINES_MAX = 18

export interface Editor {
  readonly element: HTMLElement
  text(): string
  setText(text: string): void
  /** Puts `words` where the cursor is. */
  insert(words: string): void
  /** Puts the cursor at a place of the text, from 0; to `to`, what lies between is chosen. */
  focusAt(position: number, to?: number): void
}

export interface EditorOptions {
  readonly id: string
  readonly label: string
  /** Id of what says more of it. */
  readonly describedBy: string
  readonly placeholder: string
  /** The same text in parts, some of them coloured: `code-word` and the like. */
  colour(text: string): (Node | string)[]
  /** Ctrl or ⌘ with Enter. */
  onRun(): void
  /** It was changed by hand. */
  onInput?(): void
}

export function createEditor({ id, label, describedBy, placeholder, colour, onRun, onInput }: EditorOptions): Editor {
  const numbers = h('pre', { class: 'editor-numbers', 'aria-hidden': 'true' })
  const colours = h('pre', { class: 'editor-colours', 'aria-hidden': 'true' })
  const field = h('textarea', {
    id, class: 'editor-text', spellcheck: 'false', autocapitalize: 'off', autocomplete: 'off', wrap: 'off', rows: LINES_MIN,
    'aria-label': label, 'aria-describedby': describedBy, placeholder,
  })
  const element = h('div', { class: 'editor' }, numbers, h('div', { class: 'editor-layers' }, colours, field))

  function paint(): void {
    const text = field.value
    const lines = text.split('\n').length
    field.rows = Math.min(LINES_MAX, Math.max(LINES_MIN, lines))
    numbers.textContent = Array.from({ length: lines }, (_, i) => i + 1).join('\n')
    // The last line's end is shown only if something follows it.
    colours.replaceChildren(...colour(text), '\n')
    follow()
  }
  function follow(): void {
    colours.scrollTop = numbers.scrollTop = field.scrollTop
    colours.scrollLeft = field.scrollLeft
  }
  field.addEventListener('input', () => (paint(), onInput?.()))
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
    focusAt(position, to = position) {
      field.focus()
      field.setSelectionRange(position, to)
    },
  }
}

/** The text in parts: what `kindOf` names a kind of is coloured as that, null as it is. */
export function coloured(text: string, tokens: RegExp, kindOf: (match: RegExpExecArray) => string | null): (Node | string)[] {
  const parts: (Node | string)[] = []
  let at = 0
  for (const match of text.matchAll(tokens)) {
    const kind = kindOf(match)
    if (kind === null) continue
    if (match.index > at) parts.push(text.slice(at, match.index))
    parts.push(h('span', { class: `code-${kind}` }, match[0]))
    at = match.index + match[0].length
  }
  if (at < text.length) parts.push(text.slice(at))
  return parts
}
