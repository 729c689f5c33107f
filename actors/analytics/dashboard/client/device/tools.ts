/** The tools above the charts: the range, moving and zooming by buttons, how a series is drawn, and which time is shown, in words. */

import { h, segments, setText } from '../dom.ts'
import { duration, moment } from '../format.ts'
import { RANGES, VIEWS, panned, zoomed } from './place.ts'
import type { RangeName, Span, View } from './place.ts'

/** A span that ends so close to now says "now". */
const NOW_MS = 2_000

export interface ToolsListener {
  span(): Span
  onRange(range: RangeName): void
  onView(view: View): void
  onAhead(ahead: boolean): void
  /** Null: the range again. */
  onSpan(span: Span | null): void
}

export interface Tools {
  readonly element: HTMLElement
  /** The span in words. */
  readonly shown: HTMLElement
  /** `range` null: the span is the reader's own; `ahead` null: nothing is expected, and there is nothing to switch. */
  choose(range: RangeName | null, view: View, ahead: boolean | null): void
  /** `aheadMs`: by how much the charts reach beyond it. */
  showSpan(span: Span, aheadMs: number): void
}

export function createTools({ span, onRange, onView, onAhead, onSpan }: ToolsListener): Tools {
  const tool = (id: string, label: string, sign: string, next: () => Span) =>
    h('button', { type: 'button', class: 'quiet icon', id, 'aria-label': label, title: label, onclick: () => onSpan(next()) },
      h('span', { 'aria-hidden': 'true' }, sign))
  const ranges = h('fieldset', { class: 'segments', id: 'ranges' }, h('legend', { class: 'unseen' }, 'Range'))
  const buttons = segments(ranges, 'range', RANGES, (name) => onRange(name as RangeName))
  const back = h('button', { type: 'button', class: 'quiet', id: 'reset-zoom', hidden: true, onclick: () => onSpan(null) }, 'Back to the range')
  const options = VIEWS.map(({ value, label }) => h('option', { value }, label))
  const views = h('select', { id: 'view', 'aria-label': 'How it is drawn', onchange: () => onView(views.value as View) }, ...options)
  const ahead = h('input', { type: 'checkbox', id: 'ahead', onchange: () => onAhead(ahead.checked) })
  const aheadChip = h('label', { class: 'chip', hidden: true, title: 'What is expected, beyond now' }, ahead, h('span', {}, 'Forecast'))
  const shown = h('p', { class: 'muted small', id: 'span' })
  const element = h('div', { class: 'chart-tools' },
    ranges,
    h('div', { class: 'tool-row' },
      tool('pan-back', 'Earlier', '←', () => panned(span(), -0.5)),
      tool('pan-on', 'Later', '→', () => panned(span(), 0.5)),
      tool('zoom-out', 'Zoom out', '−', () => zoomed(span(), 2)),
      tool('zoom-in', 'Zoom in', '+', () => zoomed(span(), 0.5)),
      aheadChip,
      back),
    views)
  return {
    element,
    shown,
    choose(range, view, wanted) {
      buttons.set(range)
      back.hidden = range !== null
      views.value = view
      aheadChip.hidden = wanted === null
      ahead.checked = wanted === true
    },
    showSpan({ from, to }, aheadMs) {
      const now = Date.now()
      setText(shown, `${moment(from, now)} to ${Math.abs(to - now) < NOW_MS ? 'now' : moment(to, now)} (${duration(to - from)})${aheadMs > 0 ? `, and ${duration(aheadMs)} ahead` : ''}`)
    },
  }
}
