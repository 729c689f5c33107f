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
  /** Null: the range again. */
  onSpan(span: Span | null): void
}

export interface Tools {
  readonly element: HTMLElement
  /** The span in words. */
  readonly shown: HTMLElement
  /** `range` null: the span is the reader's own. */
  choose(range: RangeName | null, view: View): void
  showSpan(span: Span): void
}

export function createTools({ span, onRange, onView, onSpan }: ToolsListener): Tools {
  const tool = (id: string, label: string, sign: string, next: () => Span) =>
    h('button', { type: 'button', class: 'quiet icon', id, 'aria-label': label, title: label, onclick: () => onSpan(next()) },
      h('span', { 'aria-hidden': 'true' }, sign))
  const ranges = h('fieldset', { class: 'segments', id: 'ranges' }, h('legend', { class: 'unseen' }, 'Range'))
  const buttons = segments(ranges, 'range', RANGES, (name) => onRange(name as RangeName))
  const back = h('button', { type: 'button', class: 'quiet', id: 'reset-zoom', hidden: true, onclick: () => onSpan(null) }, 'Back to the range')
  const options = VIEWS.map(({ value, label }) => h('option', { value }, label))
  const views = h('select', { id: 'view', 'aria-label': 'How it is drawn', onchange: () => onView(views.value as View) }, ...options)
  const shown = h('p', { class: 'muted small', id: 'span' })
  const element = h('div', { class: 'chart-tools' },
    ranges,
    h('div', { class: 'tool-row' },
      tool('pan-back', 'Earlier', '←', () => panned(span(), -0.5)),
      tool('pan-on', 'Later', '→', () => panned(span(), 0.5)),
      tool('zoom-out', 'Zoom out', '−', () => zoomed(span(), 2)),
      tool('zoom-in', 'Zoom in', '+', () => zoomed(span(), 0.5)),
      back),
    views)
  return {
    element,
    shown,
    choose(range, view) {
      buttons.set(range)
      back.hidden = range !== null
      views.value = view
    },
    showSpan({ from, to }) {
      const now = Date.now()
      setText(shown, `${moment(from, now)} to ${Math.abs(to - now) < NOW_MS ? 'now' : moment(to, now)} (${duration(to - from)})`)
    },
  }
}
