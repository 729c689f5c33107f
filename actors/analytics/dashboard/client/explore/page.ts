/**
 * The explorer: a question in SQL, its answer as a table and as a plot, and the same answer to take away.
 *
 * Owns asking, the history of questions, and the address, which holds the question and how its answer is shown. Leaves the editor, the table and
 * the plot to their files.
 */

import { ApiError, isRefusal } from '../api.ts'
import { button, h, segments, setText } from '../dom.ts'
import { createEditor } from '../editor.ts'
import { count, duration } from '../format.ts'
import { store, stored } from '../keep.ts'
import type { Context, Page } from '../page.ts'
import { NO_SPLIT, choose, kindOf } from './answer.ts'
import type { Answer } from './answer.ts'
import { EXAMPLES } from './examples.ts'
import { placeAddress, readPlace } from './place.ts'
import type { Place } from './place.ts'
import { createPlot } from './plot.ts'
import type { Plot } from './plot.ts'
import { resultTable } from './result-table.ts'
import { sqlColours } from './sql-colours.ts'
import { tablesHelp } from './tables-help.ts'

const HISTORY_KEY = 'weir.queries'
const HISTORY_MAX = 20
/** Rows shown here; an export has them all, within the server's own bounds. */
const ROWS_MAX = 20_000

const SHOWN = [{ value: 'table', label: 'Table' }, { value: 'plot', label: 'Plot' }] as const
const NO_SQL = 'This store does not answer SQL. Open the lake with DuckDB instead: weir.duckdb in the data folder.'
const NO_PLOT = 'Nothing to plot here: it takes a column of times, texts or numbers, and another one of numbers.'

const EXPORTS = [
  { format: 'csv', label: 'CSV' },
  { format: 'ndjson', label: 'NDJSON' },
  { format: 'parquet', label: 'Parquet' },
  { format: 'arrow', label: 'Arrow' },
] as const

export function open(host: HTMLElement, { api, note }: Context): Page {
  let place: Place = readPlace(new URLSearchParams())
  let answer: Answer | null = null
  let plot: Plot | null = null
  let asked: AbortController | null = null
  let left = false

  const editor = createEditor({ id: 'sql', label: 'SQL', describedBy: 'sql-keys', placeholder: 'SELECT device, count(*) FROM readings GROUP BY device', colour: sqlColours, onRun: () => void run() })
  const runButton = h('button', { type: 'button', class: 'primary', id: 'run', onclick: () => (asked ? asked.abort() : void run()) }, 'Run')
  const said = h('p', { class: 'muted small', id: 'sql-said', role: 'status' })
  const trouble = h('p', { class: 'trouble', id: 'sql-trouble', role: 'alert', hidden: true })
  const shown = h('fieldset', { class: 'segments', id: 'shown' }, h('legend', { class: 'unseen' }, 'Shown as'))
  const plotTools = h('div', { class: 'plot-tools' })
  const formats = EXPORTS.map(({ format, label }) => button('quiet', label, () => void take(format), { 'data-format': format }))
  const exports = h('div', { class: 'exports', role: 'group', 'aria-label': 'Take it away as' }, ...formats)
  const body = h('div', { id: 'answer' })
  const resultHead = h('div', { class: 'result-head' }, shown, exports)
  const result = h('section', { class: 'card result', 'aria-label': 'Answer', hidden: true }, resultHead, plotTools, body)
  const history = h('ul', { class: 'questions', id: 'history' })
  const historyBox = h('details', { class: 'help' }, h('summary', {}, h('h2', {}, 'Asked before')), history)
  host.append(
    h('div', { class: 'page-head' }, h('h1', {}, 'Explore'),
      h('p', { class: 'lead-in' }, 'Ask all that was ever measured, in SQL. It reads only: nothing can be broken here.')),
    h('div', { class: 'explore' },
      h('div', { class: 'stack' },
        h('section', { class: 'card editor-card', 'aria-label': 'Question' }, editor.element,
          h('div', { class: 'editor-tools' },
            runButton, h('span', { class: 'muted small', id: 'sql-keys' }, 'Ctrl or ⌘ with Enter runs it'), said),
          trouble),
        result),
      h('aside', { class: 'stack explore-side', 'aria-label': 'Help' },
        h('details', { class: 'help card', open: true }, h('summary', {}, h('h2', {}, 'Questions to begin with')),
          h('ul', { class: 'questions' }, ...EXAMPLES.map((example) =>
            h('li', {}, button('as-link', example.name, () => begin(example)), h('span', { class: 'muted small' }, example.about))))),
        tablesHelp(api, (name) => editor.insert(name)),
        h('div', { class: 'card' }, historyBox))))
  const shownButtons = segments(shown, 'shown', SHOWN, (value) => change({ shown: value as Place['shown'] }))
  showHistory()

  /** Runs what is in the editor. */
  async function run(): Promise<void> {
    const sql = editor.text().trim()
    if (sql === '') return
    // Another question has another plot.
    if (sql !== place.sql) place = { ...place, sql, x: null, y: [], by: null, kind: null }
    note(placeAddress(place), 'push')
    remember(sql)
    await ask()
  }

  function begin({ sql, shown: as }: (typeof EXAMPLES)[number]): void {
    editor.setText(sql)
    place = { sql, shown: as, x: null, y: [], by: null, kind: null }
    void run()
  }

  async function ask(): Promise<void> {
    asked?.abort()
    const mine = (asked = new AbortController())
    setText(runButton, 'Stop')
    setText(said, 'Asking…')
    trouble.hidden = true
    result.setAttribute('aria-busy', 'true')
    const begun = performance.now()
    try {
      const response = await api.send('/v1/sql', { method: 'POST', body: { sql: place.sql, params: [], maxRows: ROWS_MAX }, signal: mine.signal })
      answer = (await response.json()) as Answer
      if (mine.signal.aborted || left) return
      const rows = `${count(answer.rows.length)} row${answer.rows.length === 1 ? '' : 's'}`
      setText(said, `${answer.truncated ? `The first ${rows}; take it away for more` : rows}, in ${duration(performance.now() - begun)}`)
      showAnswer()
    } catch (error) {
      if (left || asked !== mine) return
      setText(said, mine.signal.aborted ? 'Stopped.' : '')
      if (!mine.signal.aborted) sayTrouble(error)
    } finally {
      if (asked === mine) {
        asked = null
        setText(runButton, 'Run')
        result.removeAttribute('aria-busy')
      }
    }
  }

  function sayTrouble(error: unknown): void {
    if (isRefusal(error) && error.status === 401) return
    trouble.hidden = false
    const missing = error instanceof ApiError && error.status === 404
    setText(trouble, missing ? NO_SQL : (error as Error).message)
    const position = error instanceof ApiError ? error.problem.position : undefined
    if (typeof position === 'number' && document.activeElement === document.getElementById('sql')) editor.focusAt(position)
  }

  function change(next: Partial<Place>): void {
    place = { ...place, ...next }
    note(placeAddress(place), 'replace')
    showAnswer()
  }

  function showAnswer(): void {
    if (answer === null) return
    plot?.destroy()
    plot = null
    result.hidden = false
    shownButtons.set(place.shown)
    const choice = place.shown === 'plot' ? choose(answer, place) : null
    plotTools.hidden = choice === null
    if (answer.rows.length === 0) return body.replaceChildren(h('p', { class: 'nothing' }, 'No rows: nothing in the lake fits this question.'))
    if (place.shown === 'table') return body.replaceChildren(resultTable(answer))
    if (choice === null) return body.replaceChildren(h('p', { class: 'nothing' }, NO_PLOT))
    plotTools.replaceChildren(...plotChoices(answer, choice))
    plot = createPlot(answer, choice)
    body.replaceChildren(plot.element)
  }

  function plotChoices({ columns }: Answer, { x, xKind, y, by, kind }: NonNullable<ReturnType<typeof choose>>): HTMLElement[] {
    const names = columns.map((c) => c.name)
    const select = (label: string, value: string, options: readonly (readonly [string, string])[], pick: (value: string) => void) => {
      const choices = options.map(([v, text]) => h('option', { value: v }, text))
      const field = h('select', { 'aria-label': label, onchange: () => pick(field.value) }, ...choices)
      field.value = value
      return h('label', { class: 'plot-field' }, h('span', {}, label), field)
    }
    const texts = columns.filter((c) => kindOf(c) === 'text' && c.name !== x).map((c) => c.name)
    const numbers = columns.filter((c) => kindOf(c) === 'number' && c.name !== x).map((c) => c.name)
    const boxes = numbers.map((name) => {
      const pick = () => change({ y: numbers.filter((n) => (n === name ? input.checked : y.includes(n))) })
      const input = h('input', { type: 'checkbox', onchange: pick })
      input.checked = y.includes(name)
      return h('label', { class: 'chip' }, input, h('span', {}, name))
    })
    const itself = (n: string) => [n, n] as const
    const kinds = [['line', 'Lines'], ['bars', 'Bars']] as const
    const splits = [[NO_SPLIT, 'nothing'] as const, ...texts.map(itself)]
    return [
      select('Along', x, names.map(itself), (value) => change({ x: value, y: [], by: null })),
      ...(xKind === 'text' ? [] : [select('Drawn as', kind, kinds, (value) => change({ kind: value as 'line' | 'bars' }))]),
      ...(xKind === 'text' || texts.length === 0 ? [] : [select('A line for each', by ?? NO_SPLIT, splits, (value) => change({ by: value }))]),
      h('fieldset', { class: 'chips' }, h('legend', {}, 'Values'), ...boxes),
    ]
  }

  async function take(format: string): Promise<void> {
    setText(said, `Fetching ${format}…`)
    try {
      const response = await api.send(`/v1/sql?format=${format}`, { method: 'POST', body: { sql: place.sql, params: [] } })
      const blob = await response.blob()
      const link = h('a', { href: URL.createObjectURL(blob), download: `weir.${format}` })
      link.click()
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
      setText(said, `weir.${format}: ${count(blob.size)} bytes`)
    } catch (error) {
      setText(said, '')
      sayTrouble(error)
    }
  }

  function remember(sql: string): void {
    const all = [sql, ...asks().filter((one) => one !== sql)].slice(0, HISTORY_MAX)
    store(HISTORY_KEY, JSON.stringify(all))
    showHistory()
  }

  function showHistory(): void {
    const all = asks()
    historyBox.hidden = all.length === 0
    ;(historyBox.parentElement ?? historyBox).hidden = all.length === 0
    const again = (sql: string) => {
      editor.setText(sql)
      void run()
    }
    history.replaceChildren(...all.map((sql) => h('li', {}, button('as-link one-line', sql.replace(/\s+/g, ' '), () => again(sql), { title: sql }))))
  }

  return {
    show(query) {
      place = readPlace(query)
      editor.setText(place.sql)
      if (place.sql !== '') return void ask()
      answer = null
      result.hidden = true
      setText(said, '')
    },
    recolour: () => plot?.recolour(),
    leave() {
      left = true
      asked?.abort()
      plot?.destroy()
    },
  }
}

function asks(): string[] {
  try {
    const all = JSON.parse(stored(HISTORY_KEY) ?? '[]') as unknown
    return Array.isArray(all) ? all.filter((one) => typeof one === 'string') : []
  } catch {
    return []
  }
}
