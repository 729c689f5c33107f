/**
 * The fleet: what needs a look first, how it goes as a whole, and each device by its last values.
 *
 * Owns the questions to the server (one page of devices at a time, whatever the fleet's size), search, filter and order, and the address of them.
 * Leaves the rows to rows.ts, and what needs a look to the server.
 */

import { amiss, isCritical } from '../alerts/order.ts'
import { openWords } from '../alerts/words.ts'
import { ApiError, isRefusal } from '../api.ts'
import { button, h, setText } from '../dom.ts'
import { compact, count, rate } from '../format.ts'
import { smoothRate } from '../monitor.ts'
import { address } from '../page.ts'
import type { Context, Page } from '../page.ts'
import type { AlertRow, Devices, FleetSummary } from '../shapes.ts'
import { drawSpark } from '../spark.ts'
import { firstReading } from './first-reading.ts'
import { createRows } from './rows.ts'
import { headline } from './words.ts'

const EVERY_MS = 4_000
/** While nothing is there yet, someone waits for the first reading to appear. */
const EVERY_EMPTY_MS = 1_000
const PAGE_DEVICES = 50
const TYPING_PAUSE_MS = 160

/** The figures that choose which devices are listed. */
const SHOWS = [
  { value: 'all', name: 'Speaking', title: 'List every device' },
  { value: 'silent', name: 'Silent', title: 'List devices that have not measured for five of their own usual intervals' },
  { value: 'unusual', name: 'Unusual', title: 'List devices with anomalies in the last 24 hours' },
  { value: 'losing', name: 'Rejected or late', title: 'List devices of whose readings of the last hour many were rejected or late' },
] as const
type Show = (typeof SHOWS)[number]['value']
const ORDERS = [
  { value: 'attention', label: 'What needs a look first' },
  { value: 'name', label: 'By name' },
  { value: 'last', label: 'Heard of last' },
] as const

interface Place {
  readonly search: string
  readonly show: Show
  readonly order: string
  /** From 1. */
  readonly part: number
}

export function open(host: HTMLElement, { api, units, monitor, alerts, note }: Context): Page {
  let place: Place = { search: '', show: 'all', order: 'attention', part: 1 }
  let timer: ReturnType<typeof setTimeout> | undefined
  let typing: ReturnType<typeof setTimeout> | undefined
  let asked = new AbortController()
  let left = false

  const title = h('h1', {}, 'Fleet')
  const said = h('p', { class: 'lead-in', id: 'fleet-said' }, 'Asking for the devices…')
  const figures = makeFigures((show) => go({ ...place, show, part: 1 }, 'push'))
  const search = h('input', {
    id: 'find', type: 'search', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', placeholder: 'field-7 moisture',
    'aria-describedby': 'fleet-found',
  })
  const order = h('select', { id: 'order' }, ...ORDERS.map(({ value, label }) => h('option', { value }, label)))
  const found = h('p', { class: 'muted small', id: 'fleet-found', role: 'status' })
  const trouble = h('p', { class: 'trouble', role: 'alert', hidden: true })
  const rows = createRows(api, units)
  const before = button('quiet', 'Before', () => go({ ...place, part: place.part - 1 }, 'push'))
  const after = button('quiet', 'Next', () => go({ ...place, part: place.part + 1 }, 'push'))
  const part = h('span', { class: 'muted small' })
  const pager = h('nav', { class: 'pager', 'aria-label': 'Parts of the list', hidden: true }, before, part, after)
  const list = h('section', { class: 'card fleet-list', 'aria-label': 'Devices' },
    h('div', { class: 'list-tools' },
      h('div', { class: 'field grow' }, h('label', { for: 'find' }, 'Find a device'), search),
      h('div', { class: 'field' }, h('label', { for: 'order' }, 'Order'), order),
    ),
    found, trouble, rows.element, pager)
  const empty = firstReading()
  empty.hidden = true
  const strip = h('a', { class: 'card alert-strip', id: 'fleet-alerts', href: '/alerts', hidden: true })
  const board = h('div', { class: 'stack' }, strip, figures.element, list)
  host.append(h('div', { class: 'page-head' }, title, said), board, empty)

  search.addEventListener('input', () => {
    // What is typed holds at once, whatever else is pressed before it is asked for.
    place = { ...place, search: search.value.trim(), part: 1 }
    clearTimeout(typing)
    typing = setTimeout(() => go(place, 'replace'), TYPING_PAUSE_MS)
  })
  order.addEventListener('change', () => go({ ...place, order: order.value, part: 1 }, 'push'))
  const slash = (event: KeyboardEvent) => {
    const elsewhere = event.target instanceof HTMLElement && event.target.matches('input, textarea, select')
    if (event.key !== '/' || elsewhere || event.ctrlKey || event.metaKey) return
    event.preventDefault()
    search.focus()
  }
  document.addEventListener('keydown', slash)
  const stops = [monitor.follow(() => figures.showRate(monitor.rates())), alerts.follow((open) => showAlerts(strip, open))]

  function go(next: Place, how: 'push' | 'replace'): void {
    place = next
    const { search: q, show, order: by, part: at } = place
    note(address('/', { q, show: show === 'all' ? null : show, order: by === 'attention' ? null : by, part: at > 1 ? String(at) : null }), how)
    showChoices()
    void ask()
  }

  function showChoices(): void {
    figures.choose(place.show)
    order.value = place.order
    if (document.activeElement !== search) search.value = place.search
  }

  async function ask(): Promise<void> {
    clearTimeout(timer)
    asked.abort()
    asked = new AbortController()
    const { signal } = asked
    let waitMs = EVERY_MS
    try {
      const { search: q, show, order: by } = place
      const asking = { q: q || null, show, order: by, offset: (place.part - 1) * PAGE_DEVICES, limit: PAGE_DEVICES }
      const answer = await api.get<Devices>('/v1/devices', asking, signal)
      trouble.hidden = true
      if (answer.summary.devices === 0) waitMs = EVERY_EMPTY_MS
      showAnswer(answer)
    } catch (error) {
      if (signal.aborted || isRefusal(error)) return
      trouble.hidden = false
      setText(trouble, `Cannot show the devices: ${(error as ApiError).message.replace(/\.$/, '')}. Trying again.`)
    }
    if (!left && !signal.aborted) timer = setTimeout(() => (document.hidden ? void again() : void ask()), waitMs)
  }

  /** A hidden tab asks for nothing; it looks again once it is seen. */
  function again(): void {
    clearTimeout(timer)
    if (!left) timer = setTimeout(() => (document.hidden ? again() : void ask()), EVERY_MS)
  }

  function showAnswer({ summary, found: matching, devices }: Devices): void {
    const none = summary.devices === 0
    empty.hidden = !none
    board.hidden = none
    setText(title, none ? 'Nothing has been measured yet' : `${count(summary.devices)} device${summary.devices === 1 ? '' : 's'}`)
    setText(said, none ? 'Send a first reading, from any machine that can reach this one; it appears here by itself.' : headline(summary))
    if (none) return
    figures.show(summary)
    const parts = Math.max(1, Math.ceil(matching / PAGE_DEVICES))
    if (place.part > parts) return go({ ...place, part: parts }, 'replace')
    const first = (place.part - 1) * PAGE_DEVICES
    const narrowed = place.search !== '' || place.show !== 'all'
    setText(found, matching === 0 ? nothingFound(place) : narrowed ? `${count(matching)} of ${count(summary.devices)}` : '')
    rows.render(devices)
    pager.hidden = parts === 1
    before.disabled = place.part === 1
    after.disabled = place.part === parts
    setText(part, `${count(first + 1)} to ${count(first + devices.length)} of ${count(matching)}`)
  }

  return {
    show(query) {
      const part = Number(query.get('part') ?? 1)
      place = {
        search: query.get('q') ?? '',
        show: SHOWS.find((s) => s.value === query.get('show'))?.value ?? 'all',
        order: ORDERS.find((o) => o.value === query.get('order'))?.value ?? 'attention',
        part: Number.isInteger(part) && part > 0 ? part : 1,
      }
      showChoices()
      void ask()
    },
    tick: () => rows.tick(),
    recolour() {
      rows.recolour()
      figures.showRate(monitor.rates())
    },
    resume: () => void ask(),
    leave() {
      left = true
      asked.abort()
      clearTimeout(timer)
      clearTimeout(typing)
      for (const stop of stops) stop()
      rows.leave()
      document.removeEventListener('keydown', slash)
    },
  }
}

/** How many alerts nobody looks after, and the worst of them in its words. */
function showAlerts(strip: HTMLAnchorElement, open: readonly AlertRow[]): void {
  const waiting = open.filter(({ state }) => state === 'open')
  strip.hidden = waiting.length === 0
  if (waiting.length === 0) return
  strip.dataset.tone = isCritical(waiting[0]) ? 'bad' : 'warn'
  const words = [openWords(waiting), amiss(waiting[0]).message]
  if (strip.textContent !== words.join('')) strip.replaceChildren(h('strong', {}, words[0]), h('span', {}, words[1]))
}

function nothingFound({ search, show }: Place): string {
  if (search !== '') return 'No device fits. Each word must be in its name or in the name of one of its metrics.'
  if (show === 'silent') return 'No device is silent.'
  return show === 'unusual' ? 'Nothing unusual in the last 24 hours.' : 'No device loses readings.'
}

/** The strip of figures; those that name devices show these at a press. */
function makeFigures(onShow: (show: Show) => void) {
  const line = h('canvas', { class: 'rate-line', width: 160, height: 40, 'aria-hidden': 'true' })
  const rateText = h('span', { id: 'rate' }, '–')
  const buttons = new Map<string, HTMLButtonElement>()
  const [speaking, silent, unusual, losing] = SHOWS.map(({ value: show, name, title }) => {
    const number = h('span', { class: 'figure-number', id: `figure-${show}` }, '–')
    const about = h('span', { class: 'figure-about' })
    const attributes = { type: 'button', class: 'figure', 'data-figure': show, 'aria-pressed': 'false', title, onclick: () => onShow(show) }
    const element = h('button', attributes, h('span', { class: 'figure-name' }, name), number, about)
    buttons.set(show, element)
    return { number, about, element }
  })
  const element = h('section', { class: 'card figures', 'aria-label': 'How it goes' },
    h('div', { class: 'figure lead' },
      h('span', { class: 'figure-name' }, 'Readings a second'), h('span', { class: 'figure-number' }, rateText), line),
    speaking.element, silent.element, unusual.element, losing.element)
  const set = ({ number, about, element: button }: typeof speaking, text: string, more: string, state: 'good' | 'warn' | 'bad') => {
    setText(number, text)
    setText(about, more)
    button.dataset.state = state
  }
  return {
    element,
    choose(show: Show) {
      for (const [name, button] of buttons) button.setAttribute('aria-pressed', String(name === show))
    },
    showRate(rates: readonly number[]) {
      const now = smoothRate(rates)
      if (now !== null) setText(rateText, rate(now))
      drawSpark(line, rates, { fill: true, zeroBased: true })
    },
    show({ devices, speaking: speak, silent: quiet, past, unusual: odd, anomalies, hour }: FleetSummary) {
      set(speaking, compact(speak), `of ${compact(devices)}`, 'good')
      set(silent, compact(quiet), past > 0 ? `and ${compact(past)} of the past` : '', quiet > 0 ? 'bad' : 'good')
      const times = odd > 0 ? `${compact(anomalies)} time${anomalies === 1 ? '' : 's'} in 24 hours` : 'in 24 hours'
      set(unusual, compact(odd), times, odd > 0 ? 'warn' : 'good')
      const amiss = hour.rejected + hour.late
      const which = amiss > 0 ? `${compact(hour.rejected)} rejected, ${compact(hour.late)} late` : 'in an hour'
      set(losing, share(amiss, hour.received), which, amiss > 0.05 * hour.received ? 'warn' : 'good')
    },
  }
}

function share(part: number, whole: number): string {
  if (part === 0 || whole === 0) return '0 %'
  const percent = (100 * part) / whole
  return percent < 0.1 ? '< 0.1 %' : `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`
}
