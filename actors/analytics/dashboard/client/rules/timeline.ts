/** What a trial would have raised, drawn: a line a device, bars while an alert was open; and the same as a table. */

import { rankOf, toneOf } from '../alerts/order.ts'
import { capital, eventWords } from '../alerts/words.ts'
import { h, svg, tableHead } from '../dom.ts'
import { count, date, moment } from '../format.ts'
import { address } from '../page.ts'
import { barsOf } from './trial.ts'
import type { Trial } from './trial.ts'

const DEVICES_MAX = 12
const STEPS_MAX = 100
const WIDTH = 1_000
const ROW = 22
const TICKS = 4
/** So wide is a bar at least, for an eye to find. */
const BAR_MIN = 8

export function timeline(trial: Trial, nowMs: number): HTMLElement {
  const rows = barsOf(trial)
  const shown = rows.slice(0, DEVICES_MAX)
  const x = (ts: number) => ((ts - trial.from) / (trial.to - trial.from)) * WIDTH
  const line = (bars: (typeof rows)[number]['bars'], device: string) =>
    svg('svg', { viewBox: `0 0 ${WIDTH} ${ROW}`, preserveAspectRatio: 'none', class: 'trial-line', role: 'img', 'aria-label': `${device}: ${bars.map((bar) => `${bar.severity} from ${moment(bar.from, nowMs)} to ${moment(bar.to, nowMs)}`).slice(0, 5).join('; ')}` },
      svg('path', { d: `M0 ${ROW / 2}H${WIDTH}`, class: 'trial-ground' }),
      // The severe ones lie on top.
      ...[...bars].sort((a, b) => rankOf(a.severity) - rankOf(b.severity)).map((bar) => {
        const width = Math.max(BAR_MIN, x(bar.to) - x(bar.from))
        return svg('rect', { x: Math.min(x(bar.from), WIDTH - width).toFixed(1), y: 3, width: width.toFixed(1), height: ROW - 6, rx: 2, 'data-tone': toneOf(bar.severity) },
          svg('title', {}, `${capital(bar.severity)}: ${moment(bar.from, nowMs)} to ${moment(bar.to, nowMs)}`))
      }))
  const ticks = Array.from({ length: TICKS + 1 }, (_, i) => trial.from + ((trial.to - trial.from) * i) / TICKS)
  const days = trial.to - trial.from > 2 * 86_400_000
  const axis = h('div', { class: 'trial-axis muted small', 'aria-hidden': 'true' }, ...ticks.map((ts) => h('span', {}, days ? date(ts).replace(/ \d{4}$/, '') : moment(ts, nowMs).replace(/:\d\d$/, ''))))
  return h('div', { class: 'trial-drawing' },
    h('ul', { class: 'trial-lines' }, ...shown.map(({ device, bars }) =>
      h('li', {}, h('a', { class: 'one-line small', href: address('/device', { id: device }) }, device), line(bars, device)))),
    axis,
    rows.length > DEVICES_MAX && h('p', { class: 'muted small' }, `and ${count(rows.length - DEVICES_MAX)} more devices`))
}

export function trialTable({ events }: Trial, nowMs: number): HTMLElement {
  const steps = events.slice(0, STEPS_MAX)
  return h('details', { class: 'as-table' }, h('summary', {}, `Step by step (${count(events.length)})`),
    h('div', { class: 'table-scroll', tabindex: 0, role: 'region', 'aria-label': 'What it would have said' },
      h('table', {}, tableHead(['When', 'What', ['Severity', 'wide-only']]),
        h('tbody', {}, ...steps.map(({ at, event, severity, message }) => h('tr', {}, h('td', {}, moment(at, nowMs)), h('td', {}, h('strong', {}, eventWords(event)), `: ${message}`), h('td', { class: 'wide-only' }, severity))))),
      events.length > STEPS_MAX && h('p', { class: 'nothing' }, `The first ${STEPS_MAX}.`)))
}
