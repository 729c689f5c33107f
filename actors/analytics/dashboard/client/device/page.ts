/**
 * A device: all its metrics in charts of one time and one cursor, what stood out, the windows in numbers, and what comes live.
 *
 * Owns loading, the address, and who tells whom. Leaves what is in view to view.ts, what is known of the device to known-series.ts, what comes live to
 * stream.ts, the charts to panes.ts, tables and dialogs to theirs.
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
import { createDeviceAlerts } from './alerts.ts'
import { createAnomalyTable } from './anomalies.ts'
import { createDriversForm } from './drivers-form.ts'
import { createHeading } from './heading.ts'
import { KnownSeries } from './known-series.ts'
import { createMetricChoice } from './metric-choice.ts'
import { createPanes } from './panes.ts'
import { placeAddress, readPlace, zoomed } from './place.ts'
import type { Place, Span } from './place.ts'
import { createStream } from './stream.ts'
import { createTools } from './tools.ts'
import { DeviceView } from './view.ts'
import { createWhy } from './why.ts'
import { createWindowsTable } from './windows-table.ts'

/** How often the graph is drawn up anew while it follows the present. */
const RELOAD_MS = 60_000
/** A window closed: its charts are drawn up anew, once for all that close with it. */
const WINDOW_PAUSE_MS = 1_500
const HINT =
  'Drag to move, pinch to zoom; with the mouse, the wheel over a chart that was clicked. Keys: arrows read point by point, Shift with them moves, ' +
  '+ and − zoom, 0 goes back, N and P go to what stood out, Enter says why.'

export function open(host: HTMLElement, { api, units, alerts: watch, note }: Context): Page {
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
  const view: DeviceView = new DeviceView(known, () => Math.max(0, ...panes.all().map((pane) => pane.outlook?.hours.at(-1)?.ts ?? 0)))
  const span = () => view.span()
  const trouble = h('p', { class: 'trouble', role: 'alert', hidden: true })
  const tools = createTools({
    span,
    onRange: (range) => go({ range, zoom: null }),
    onView: (drawn) => go({ view: drawn }),
    onAhead: (ahead) => go({ ahead }),
    onSpan: (wanted) => setSpan(wanted, true),
  })
  const metrics = createMetricChoice(units, (names) => go({ metrics: names }))
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
  const stream = createStream(api, { onReading, onAnomaly, onWindow, onForecast, onAlert, onAgain })
  const heading = createHeading(stream.element)
  const alerts = createDeviceAlerts(api, (all) => {
    panes.mark(all)
    if (loaded) drawSoon()
  })
  host.append(
    heading.element,
    h('div', { class: 'stack' }, alerts.element,
      h('section', { class: 'card charts', 'aria-label': 'Charts' },
        tools.element, metrics.element, tools.shown, trouble, panes.element,
        h('p', { class: 'muted small hint', id: 'chart-keys' }, HINT), panes.spoken),
      h('div', { class: 'panels' }, anomalies.element, windows.element)),
    why.element, driversForm.element)

  function ask(anomaly: AnomalyRow): void {
    panes.point(anomaly)
    why.ask(anomaly)
  }
  const makePanes = () => {
    panes.make(view.place.device, view.metrics(), (metric) => known.lastOf(metric))
    panes.mark(alerts.all())
  }

  /** Goes to a place by the reader's will. */
  function go(change: Partial<Place>): void {
    const next = { ...view.place, ...change }
    note(placeAddress(next), 'push')
    show(next)
  }

  /** Another span by hand or key; null: the chosen range. A run of moves is one step of the history. */
  function setSpan(zoom: Span | null, done: boolean): void {
    if (zoom === null && view.open) return
    const first = view.open || zoom === null
    const place = { ...view.place, zoom: zoom && { from: Math.round(zoom.from), to: Math.round(zoom.to) } }
    view.place = place
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

  const showTools = () => tools.choose(view.open ? view.range : null, view.place.view, panes.all().some((pane) => pane.outlook !== null) ? view.place.ahead : null)

  function showChoices(): void {
    showTools()
    metrics.show(known.rows, view.metrics())
  }

  function show(next: Place): void {
    const sameDevice = next.device === view.place.device && known.rows.length > 0
    view.place = next
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
    const { device } = view.place
    known.clear()
    view.unfit()
    loaded = false
    stream.stop()
    heading.name(device)
    heading.say('Loading…')
    alerts.load(device)
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
    view.fit()
    showChoices()
    makePanes()
    showAbout()
    draw()
    listen()
    await load()
  }

  function listen(): void {
    const { device } = view.place
    if (!paused && !left && device !== '') stream.listen(device)
  }

  async function load(): Promise<void> {
    if (known.rows.length === 0) return
    loading.abort()
    loading = new AbortController()
    const { signal } = loading
    const shown = view.measured()
    const wish = { span: shown, view: view.place.view, open: view.open, aheadMs: view.aheadMs() }
    panes.element.setAttribute('aria-busy', 'true')
    askedAt = Date.now()
    try {
      await Promise.all([panes.load(wish, signal), windows.load(view.place.device, view.metrics(), shown, signal)])
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
    panes.draw(shown, { open: view.open, ahead: view.place.ahead })
    const range = view.measured()
    tools.showSpan(range, shown.to - range.to)
    if (!loaded) return
    showTools()
    const inSpan = panes.all().flatMap((pane) => pane.anomalies).filter((a) => a.ts >= shown.from && a.ts <= shown.to)
    anomalies.show(inSpan.sort((a, b) => b.ts - a.ts))
  }

  const showAbout = () => heading.say(known.about(view.place.device, Date.now()))

  function onReading(reading: ReadingRow, { snapshot }: { snapshot: boolean }): void {
    if (reading.device !== view.place.device) return
    if (!known.note(reading, { snapshot })) {
      view.fitFirst()
      showChoices()
      makePanes()
      return void load()
    }
    metrics.note(reading)
    const pane = panes.of(reading.metric)
    if (pane?.add(reading, span(), { open: view.open, snapshot }) && loaded) drawSoon()
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

  function onAlert(): void {
    alerts.refresh()
    watch.refresh()
  }

  function onAgain(): void {
    alerts.refresh()
    void load()
  }

  function onWindow(row: WindowRow): void {
    windows.note(row)
    if (row.size !== view.place.view || !view.open) return
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
      alerts.tick()
      panes.tick()
      if (known.rows.length === 0) return
      if (Date.now() - askedAt > RELOAD_MS && (view.open || !trouble.hidden)) return void load()
      const { from, to } = span()
      if (view.open && loaded && to - drawnTo >= (to - from) / panes.width) draw()
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
      onAgain()
    },
    leave() {
      left = true
      stream.stop()
      opening.abort()
      loading.abort()
      clearTimeout(windowTimer)
      windows.leave()
      alerts.leave()
      why.leave()
      driversForm.close()
      panes.leave()
    },
  }
}
