/**
 * The charts in numbers: a table of windows of one metric, of a size that the reader picks or that fits the span.
 *
 * Owns asking for them, and the choice of metric and size.
 */

import type { Api } from '../api.ts'
import { h, segments, tableHead } from '../dom.ts'
import { count, moment, zone } from '../format.ts'
import type { WindowRow } from '../shapes.ts'
import type { Units } from '../units.ts'
import type { Span } from './place.ts'

const HOUR_MS = 3_600_000
const ROWS_MAX = 120
/** Windows close in crowds: one question for all of them. */
const RELOAD_PAUSE_MS = 1_000

/** Sizes, each with the longest span that it is first shown for. */
const SIZES = [
  { value: '1m', label: '1m', title: 'One minute', ms: 60_000, spanMaxMs: 6 * HOUR_MS },
  { value: '15m', label: '15m', title: 'Fifteen minutes', ms: 900_000, spanMaxMs: 48 * HOUR_MS },
  { value: '1h', label: '1h', title: 'One hour', ms: HOUR_MS, spanMaxMs: 14 * 24 * HOUR_MS },
  { value: '1d', label: '1d', title: 'One day, from midnight to midnight', ms: 24 * HOUR_MS, spanMaxMs: Infinity },
] as const
type Size = (typeof SIZES)[number]

export interface WindowsTable {
  readonly element: HTMLElement
  /** Shows the newest windows of `span`, of one of these metrics. Never rejects: what goes wrong is said in its place. */
  load(device: string, metrics: readonly string[], span: Span, signal: AbortSignal): Promise<void>
  /** Takes notice of a window that was closed: where it belongs here, the rows are asked for anew. */
  note(row: WindowRow): void
  leave(): void
}

export function createWindowsTable(api: Api, units: Units): WindowsTable {
  let chosen: Size | null = null
  let shown: { device: string; span: Span; signal: AbortSignal } | null = null
  let timer: ReturnType<typeof setTimeout> | undefined

  const sizes = h('fieldset', { class: 'segments', id: 'sizes' }, h('legend', { class: 'unseen' }, 'Size of the windows'))
  const metric = h('select', { id: 'windows-metric', 'aria-label': 'Metric of the table', onchange: () => void ask() })
  const body = h('div', { id: 'windows', class: 'table-scroll', tabindex: 0, role: 'region', 'aria-labelledby': 'windows-title' }, h('p', { class: 'nothing' }, 'Loading…'))
  const element = h('section', { class: 'card panel' }, h('div', { class: 'panel-head' }, h('h2', { id: 'windows-title' }, 'In numbers'), h('div', { class: 'panel-tools' }, metric, sizes)), body)
  const buttons = segments(sizes, 'size', SIZES, (name) => {
    chosen = SIZES.find((s) => s.value === name)!
    void ask()
  })
  const size = () => chosen ?? SIZES.find((s) => shown === null || shown.span.to - shown.span.from <= s.spanMaxMs)!

  async function ask(): Promise<void> {
    if (!shown || metric.value === '') return
    const asked = shown
    const { device, span, signal } = asked
    const { value, ms } = size()
    const of = metric.value
    buttons.set(value)
    // The window that the span begins in belongs to it.
    const from = Math.floor(Math.max(span.from, span.to - ROWS_MAX * ms) - ms)
    try {
      const page = await api.get<{ windows: WindowRow[] }>('/v1/windows', { device, metric: of, from, to: Math.ceil(span.to), size: value, tz: value === '1d' ? zone() : null, limit: ROWS_MAX + 2 }, signal)
      if (asked === shown && value === size().value && of === metric.value) body.replaceChildren(tableOf(page.windows, of))
    } catch (error) {
      if (!signal.aborted) body.replaceChildren(h('p', { class: 'nothing' }, `Cannot show windows: ${(error as Error).message.replace(/\.$/, '')}.`))
    }
  }

  function tableOf(rows: readonly WindowRow[], of: string): HTMLElement {
    if (rows.length === 0) return h('p', { class: 'nothing' }, 'No window of this size in this range yet.')
    const now = Date.now()
    return h('table', { class: 'window-table' },
      h('caption', { class: 'unseen' }, `${units.label(of)}${units.symbol(of) && `, ${units.symbol(of)}`}, the newest first`),
      tableHead(['From', ...['Count', 'Mean', 'Least', 'Greatest', 'Middle', '95 %'].map((head) => [head, 'number'] as const)]),
      h('tbody', {},
        ...[...rows].reverse().map((w) =>
          h('tr', { class: w.closed_by === 'open' ? 'is-open' : null, title: w.closed_by === 'open' ? 'Still open: these numbers may change' : null },
            h('td', {}, moment(w.start, now)),
            ...[count(w.count), ...[w.mean, w.min, w.max, w.p50, w.p95].map((v) => units.bare(of, v))].map((text) => h('td', { class: 'number' }, text))))))
  }

  return {
    element,
    load(device, metrics, span, signal) {
      const before = metric.value
      if ([...metric.options].map((o) => o.value).join() !== metrics.join()) {
        metric.replaceChildren(...metrics.map((name) => h('option', { value: name }, units.label(name))))
        if (metrics.includes(before)) metric.value = before
      }
      shown = { device, span, signal }
      return ask()
    },
    note(row) {
      if (!shown || row.metric !== metric.value || row.size !== size().value) return
      timer ??= setTimeout(() => {
        timer = undefined
        if (!shown) return
        // The span may have moved on since it was loaded: the new window is to be in it.
        shown = { ...shown, span: { from: shown.span.from, to: Math.max(shown.span.to, row.start + 1) } }
        void ask()
      }, RELOAD_PAUSE_MS)
    },
    leave: () => clearTimeout(timer),
  }
}
