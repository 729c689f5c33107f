/**
 * A device: all its metrics in charts of one time and one cursor, what stood out, the windows in numbers, and what comes live.
 *
 * Owns the span shown, loading, and the address. Leaves what is known of the device to known-series.ts, what comes live to stream.ts, the charts to
 * panes.ts, tables and dialogs to theirs.
 *
 * Invariants
 * - I1 What is drawn is what the server drew up, plus live readings (pane.ts); once a minute the server draws it up anew.
 * - I2 The address holds all that the reader chose; what follows the present is relative in it.
 */

import { isRefusal } from '../api.ts'
import { announce, h, setText } from '../dom.ts'
import { moment } from '../format.ts'
import type { Context, Page } from '../page.ts'
import type { AnomalyRow, ForecastEvent, ReadingRow, WindowRow } from '../shapes.ts'
import { createAnomalyTable } from './anomalies.ts'
import { createDriversForm } from './drivers-form.ts'
import { KnownSeries } from './known-series.ts'
import { createMetricChoice } from './metric-choice.ts'
import { createPanes } from './panes.ts'
import { fittingRange, placeAddress, rangeSpan, readPlace, withAhead, zoomed } from './place.ts'
import type { Place, RangeName, Span } from './place.ts'
import { createStream } from './stream.ts'
import { createTools } from './tools.ts'
import { createWhy } from './why.ts'
import { createWindowsTable } from './windows-table.ts'

/** How often the graph is drawn up anew while it follows the present. */
const RELOAD_MS = 60_000
/** A window closed: its charts are drawn up anew, once for all that close with it. */
const WINDOW_PAUSE_MS = 1_500
const HINT =
  'Drag to move, pinch to zoom; with the mouse, the wheel over a chart that was clicked. Keys: arrows read point by point, Shift with them moves, ' +
  '+ and − zoom, 0 goes back, N and P go to what stood out, Enter says why.'

export function open(host: HTMLElement, { api, units, note }: Context): Page {
  let place: Place = readPlace(new URLSearchParams())
  let fitting: RangeName | null = null
  let paused = false
  let left = false
  let opening = new AbortController()
  let loading = new AbortController()
  /** When the graph was asked for last: an answer that takes its time must not be given up for the same question. */
  let askedAt = 0
  let loaded = false
  let drawAsked = false
  let drawnTo = 0
  let windowTimer: ReturnType<typeof setTimeout> | undefined

  const known = new KnownSeries(api, units)
  const title = h('h1', { id: 'title' })
  const about = h('span', { class: 'muted', id: 'device-about' })
  const trouble = h('p', { class: 'trouble', role: 'alert', hidden: true })
  const tools = createTools({
    span: () => span(),
    onRange: (range) => go({ ...place, range, zoom: null }),
    onView: (view) => go({ ...place, view }),
    onAhead: (ahead) => go({ ...place, ahead }),
    onSpan: (wanted) => setSpan(wanted, true),
  })
  const metrics = createMetricChoice(units, (names) => go({ ...place, metrics: names }))
  const driversForm = createDriversForm(api, units)
  const panes = createPanes(api, units, { onSpan: setSpan, onAsk: ask, onEdit: driversForm.open })
  const why = createWhy(api, units, {
    onZoom: (a) => {
      setSpan(zoomed(span(), 0.1, a.ts), true)
      panes.of(a.metric)?.element.scrollIntoView({ block: 'nearest' })
    },
    onClose: () => panes.point(null),
  })
  const anomalies = createAnomalyTable(units, panes.point, ask)
  const windows = createWindowsTable(api, units)
  const stream = createStream(api, { onReading, onAnomaly, onWindow, onForecast, onAgain: () => void load() })
  host.append(
    h('div', { class: 'page-head' },
      h('p', { class: 'crumbs' }, h('a', { href: '/' }, 'Fleet')), title,
      h('p', { class: 'lead-in' }, about, ' ', stream.element)),
    h('div', { class: 'stack' },
      h('section', { class: 'card charts', 'aria-label': 'Charts' },
        tools.element, metrics.element, tools.shown, trouble, panes.element,
        h('p', { class: 'muted small hint', id: 'chart-keys' }, HINT), panes.spoken),
      h('div', { class: 'panels' }, anomalies.element, windows.element)),
    why.element, driversForm.element)

  function ask(anomaly: AnomalyRow): void {
    panes.point(anomaly)
    why.ask(anomaly)
  }
  const range = () => place.range ?? fitting ?? '1h'
  /** The range, of what was measured. */
  const measured = (): Span => place.zoom ?? rangeSpan(range(), known.rhythm(), Date.now())
  /** What the charts show: the range, and what is expected beyond it. */
  const span = (): Span => {
    if (place.zoom || !place.ahead) return measured()
    return withAhead(measured(), Math.max(0, ...panes.all().map((pane) => pane.outlook?.hours.at(-1)?.ts ?? 0)), Date.now())
  }
  const shownMetrics = () => known.metrics(place.metrics)
  const makePanes = () => panes.make(place.device, shownMetrics(), (metric) => known.lastOf(metric))

  /** Goes to a place by the reader's will. */
  function go(next: Place): void {
    note(placeAddress(next), 'push')
    show(next)
  }

  /** Another span by hand or key; null: the chosen range. A run of moves is one step of the history. */
  function setSpan(zoom: Span | null, done: boolean): void {
    if (zoom === null && place.zoom === null) return
    const first = place.zoom === null || zoom === null
    place = { ...place, zoom: zoom && { from: Math.round(zoom.from), to: Math.round(zoom.to) } }
    showChoices()
    draw()
    if (!done) {
      // The first move of a run leaves its begin behind as a step to go back to.
      if (first) note(placeAddress(place), 'push')
      return
    }
    note(placeAddress(place), first ? 'push' : 'replace')
    void load()
  }

  const showTools = () => tools.choose(place.zoom ? null : range(), place.view, panes.all().some((pane) => pane.outlook !== null) ? place.ahead : null)

  function showChoices(): void {
    showTools()
    metrics.show(known.rows, shownMetrics())
  }

  function show(next: Place): void {
    const sameDevice = next.device === place.device && known.rows.length > 0
    place = next
    if (!sameDevice) return void openDevice()
    showChoices()
    makePanes()
    draw()
    void load()
  }

  async function openDevice(): Promise<void> {
    opening.abort()
    opening = new AbortController()
    const { signal } = opening
    const { device } = place
    known.clear()
    fitting = null
    loaded = false
    stream.stop()
    const at = device.lastIndexOf('/') + 1
    title.replaceChildren(h('span', { class: 'title-path' }, device.slice(0, at)), device.slice(at) || 'No device')
    document.title = `${device || 'No device'} · Weir`
    setText(about, 'Loading…')
    makePanes()
    try {
      await known.load(device, signal)
    } catch (error) {
      if (signal.aborted || isRefusal(error)) return
      sayTrouble(`Cannot show this device: ${(error as Error).message}`)
      setTimeout(() => !signal.aborted && !left && void openDevice(), 3_000)
      return
    }
    if (signal.aborted) return
    sayTrouble('')
    fitting = fittingRange(known.rhythm())
    showChoices()
    makePanes()
    showAbout()
    draw()
    listen()
    await load()
  }

  function listen(): void {
    if (!paused && !left && place.device !== '') stream.listen(place.device)
  }

  async function load(): Promise<void> {
    if (known.rows.length === 0) return
    loading.abort()
    loading = new AbortController()
    const { signal } = loading
    const shown = measured()
    const whole = withAhead(shown, Infinity, Date.now())
    const wish = { span: shown, view: place.view, open: place.zoom === null, aheadMs: whole.to - Date.now() }
    panes.element.setAttribute('aria-busy', 'true')
    askedAt = Date.now()
    try {
      await Promise.all([panes.load(wish, signal), windows.load(place.device, shownMetrics(), shown, signal)])
      loaded = true
      sayTrouble('')
      draw()
    } catch (error) {
      if (signal.aborted || isRefusal(error)) return
      sayTrouble(`Cannot draw this: ${(error as Error).message}`)
      // As if it had been asked for a while ago: the next ticks try again.
      askedAt = Date.now() - RELOAD_MS + 4_000
    } finally {
      if (!signal.aborted) panes.element.removeAttribute('aria-busy')
    }
  }

  function sayTrouble(text: string): void {
    trouble.hidden = text === ''
    setText(trouble, text === '' ? '' : `${text.replace(/\.$/, '')}. Trying again.`)
  }

  /** At the next frame, once, however many readings came. */
  function drawSoon(): void {
    if (drawAsked) return
    drawAsked = true
    requestAnimationFrame(() => {
      drawAsked = false
      if (!left) draw()
    })
  }

  function draw(): void {
    const shown = span()
    drawnTo = shown.to
    panes.draw(shown, { open: place.zoom === null, ahead: place.ahead })
    const range = measured()
    tools.showSpan(range, shown.to - range.to)
    if (!loaded) return
    showTools()
    const inSpan = panes.all().flatMap((pane) => pane.anomalies).filter((a) => a.ts >= shown.from && a.ts <= shown.to)
    anomalies.show(inSpan.sort((a, b) => b.ts - a.ts))
  }

  const showAbout = () => setText(about, known.about(place.device, Date.now()))

  function onReading(reading: ReadingRow, { snapshot }: { snapshot: boolean }): void {
    if (reading.device !== place.device) return
    if (!known.note(reading, { snapshot })) {
      fitting ??= '1h'
      showChoices()
      makePanes()
      return void load()
    }
    metrics.note(reading)
    const pane = panes.of(reading.metric)
    if (pane?.add(reading, span(), { open: place.zoom === null, snapshot }) && loaded) drawSoon()
    else pane?.showLast()
  }

  function onAnomaly(anomaly: AnomalyRow): void {
    if (!panes.of(anomaly.metric)?.addAnomaly(anomaly)) return
    const what = `${units.label(anomaly.metric)} ${units.text(anomaly.metric, anomaly.value)}`
    announce(`Unusual: ${what} at ${moment(anomaly.ts, Date.now())}, ${anomaly.reason}`)
    drawSoon()
  }

  function onForecast(forecast: ForecastEvent): void {
    const pane = panes.of(forecast.metric)
    pane?.foresee(forecast)
    if (pane && loaded) drawSoon()
  }

  function onWindow(row: WindowRow): void {
    windows.note(row)
    if (row.size !== place.view || place.zoom !== null) return
    windowTimer ??= setTimeout(() => {
      windowTimer = undefined
      if (!left) void load()
    }, WINDOW_PAUSE_MS)
  }

  return {
    show(query) {
      why.close()
      driversForm.close()
      show(readPlace(query))
    },
    tick() {
      showAbout()
      panes.tick()
      if (known.rows.length === 0) return
      if (Date.now() - askedAt > RELOAD_MS && (place.zoom === null || !trouble.hidden)) return void load()
      const { from, to } = span()
      if (place.zoom === null && loaded && to - drawnTo >= (to - from) / panes.width) draw()
    },
    recolour: () => panes.recolour(),
    pause() {
      stream.stop()
      paused = true
    },
    resume() {
      if (!paused) return
      paused = false
      if (known.rows.length === 0) return
      listen()
      void load()
    },
    leave() {
      left = true
      stream.stop()
      opening.abort()
      loading.abort()
      clearTimeout(windowTimer)
      windows.leave()
      why.leave()
      driversForm.close()
      panes.leave()
    },
  }
}
