/**
 * A device: all its metrics in charts of one time and one cursor, what stood out, the windows in numbers, and what comes live.
 *
 * Owns the span shown, loading, the live stream, and the address. Leaves a metric to pane.ts, drawing to chart.ts, tables to theirs, and why something
 * stood out to why.ts.
 *
 * Invariants
 * - I1 One stream at most is open, of the device that is shown.
 * - I2 What is drawn is what the server drew up, plus live readings (pane.ts); once a minute the server draws it up anew.
 * - I3 The address holds all that the reader chose; what follows the present is relative in it.
 */

import { isRefusal } from '../api.ts'
import { announce, h, setText } from '../dom.ts'
import { age, count, duration, moment } from '../format.ts'
import { follow } from '../live.ts'
import type { StreamEvent, StreamState } from '../live.ts'
import type { Context, Page } from '../page.ts'
import type { AnomalyRow, ForecastEvent, ReadingRow, SeriesRow, WindowRow } from '../shapes.ts'
import { createAnomalyTable } from './anomalies.ts'
import { createMetricChoice } from './metric-choice.ts'
import { Pane } from './pane.ts'
import { fittingRange, placeAddress, rangeSpan, readPlace, rhythmOf, withAhead, zoomed } from './place.ts'
import type { Place, RangeName, Span } from './place.ts'
import { createTools } from './tools.ts'
import { createWhy } from './why.ts'
import { createWindowsTable } from './windows-table.ts'

/** Metrics shown before the reader chooses. */
const FIRST_METRICS = 6
const SERIES_MAX = 500
/** How often the graph is drawn up anew while it follows the present. */
const RELOAD_MS = 60_000
/** A window closed: its charts are drawn up anew, once for all that close with it. */
const WINDOW_PAUSE_MS = 1_500
const HINT =
  'Drag to move, pinch to zoom; with the mouse, the wheel over a chart that was clicked. Keys: arrows read point by point, Shift with them moves, ' +
  '+ and − zoom, 0 goes back, N and P go to what stood out, Enter says why.'
const NOTHING_KNOWN = 'Nothing of this device is known here. It may be of another tenant, or have left by age.'
const STREAM_TEXT: Record<StreamState, string> = { idle: '', connecting: 'connecting', live: 'live', waiting: 'reconnecting', refused: 'not allowed' }

export function open(host: HTMLElement, { api, units, note }: Context): Page {
  let place: Place = readPlace(new URLSearchParams())
  let rows: readonly SeriesRow[] = []
  let fitting: RangeName | null = null
  let panes: Pane[] = []
  let pointed: AnomalyRow | null = null
  let stopStream: () => void = () => {}
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

  const title = h('h1', { id: 'title' })
  const about = h('span', { class: 'muted', id: 'device-about' })
  const stream = h('span', { class: 'stream', id: 'stream', 'data-state': 'idle' })
  const trouble = h('p', { class: 'trouble', role: 'alert', hidden: true })
  const tools = createTools({
    span: () => span(),
    onRange: (range) => go({ ...place, range, zoom: null }),
    onView: (view) => go({ ...place, view }),
    onAhead: (ahead) => go({ ...place, ahead }),
    onSpan: (wanted) => setSpan(wanted, true),
  })
  const metrics = createMetricChoice(units, (names) => go({ ...place, metrics: names }))
  const charts = h('div', { class: 'panes', id: 'panes' })
  const spoken = h('p', { class: 'unseen', role: 'status', id: 'chart-read' })
  const why = createWhy(api, units, {
    onZoom: (a) => {
      const { from, to } = span()
      setSpan(zoomed({ from, to }, 0.1, a.ts), true)
      panes.find((p) => p.series.metric === a.metric)?.element.scrollIntoView({ block: 'nearest' })
    },
    onClose: () => point(null),
  })
  const ask = (anomaly: AnomalyRow) => {
    point(anomaly)
    why.ask(anomaly)
  }
  const anomalies = createAnomalyTable(units, point, ask)
  const windows = createWindowsTable(api, units)
  host.append(
    h('div', { class: 'page-head' },
      h('p', { class: 'crumbs' }, h('a', { href: '/' }, 'Fleet')), title,
      h('p', { class: 'lead-in' }, about, ' ', stream)),
    h('div', { class: 'stack' },
      h('section', { class: 'card charts', 'aria-label': 'Charts' },
        tools.element, metrics.element, tools.shown, trouble, charts,
        h('p', { class: 'muted small hint', id: 'chart-keys' }, HINT), spoken),
      h('div', { class: 'panels' }, anomalies.element, windows.element)),
    why.element)

  const rhythm = () => rhythmOf(rows)
  const range = () => place.range ?? fitting ?? '1h'
  /** The range, of what was measured. */
  const measured = (): Span => place.zoom ?? rangeSpan(range(), rhythm(), Date.now())
  /** What the charts show: the range, and what is expected beyond it. */
  const span = (): Span => {
    if (place.zoom || !place.ahead) return measured()
    return withAhead(measured(), Math.max(0, ...panes.map((pane) => pane.outlook?.hours.at(-1)?.ts ?? 0)), Date.now())
  }
  const shownMetrics = () => place.metrics?.filter((name) => rows.some((row) => row.metric === name)) ?? rows.slice(0, FIRST_METRICS).map((row) => row.metric)

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

  const showTools = () => tools.choose(place.zoom ? null : range(), place.view, panes.some((pane) => pane.outlook !== null) ? place.ahead : null)

  function showChoices(): void {
    showTools()
    metrics.show(rows, shownMetrics())
  }

  function show(next: Place): void {
    const sameDevice = next.device === place.device && rows.length > 0
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
    rows = []
    fitting = null
    loaded = false
    stopStream()
    const at = device.lastIndexOf('/') + 1
    title.replaceChildren(h('span', { class: 'title-path' }, device.slice(0, at)), device.slice(at) || 'No device')
    document.title = `${device || 'No device'} · Weir`
    setText(about, 'Loading…')
    makePanes()
    try {
      rows = await seriesOf(device, signal)
    } catch (error) {
      if (signal.aborted || isRefusal(error)) return
      sayTrouble(`Cannot show this device: ${(error as Error).message}`)
      setTimeout(() => !signal.aborted && !left && void openDevice(), 3_000)
      return
    }
    if (signal.aborted) return
    sayTrouble('')
    fitting = fittingRange(rhythm())
    showChoices()
    makePanes()
    for (const pane of panes) pane.last = lastOf(pane.series.metric)
    showAbout()
    draw()
    if (device !== '') listen()
    await load()
  }

  async function seriesOf(device: string, signal: AbortSignal): Promise<SeriesRow[]> {
    if (device === '') return []
    const { series } = await api.get<{ series: SeriesRow[] }>('/v1/series', { device, limit: SERIES_MAX }, signal)
    return series.sort((a, b) => units.label(a.metric).localeCompare(units.label(b.metric)))
  }

  const lastOf = (metric: string) => {
    const row = rows.find((r) => r.metric === metric)
    return row ? { ts: row.last, value: row.value } : null
  }

  function makePanes(): void {
    const wanted = shownMetrics()
    const same = panes.length === wanted.length && panes.every((p, i) => p.series.device === place.device && p.series.metric === wanted[i])
    if (same) return
    for (const pane of panes) pane.destroy()
    panes = wanted.map((metric) => {
      const pane: Pane = new Pane({ device: place.device, metric }, units, {
        height: chartHeight(wanted.length),
        onSpan: setSpan,
        onCursor: (ts, aloud) => cursor(ts, aloud ? pane : null),
        onPick: point,
        onAsk: ask,
      })
      pane.last = lastOf(metric)
      charts.append(pane.element)
      return pane
    })
  }

  async function load(): Promise<void> {
    if (rows.length === 0) return
    loading.abort()
    loading = new AbortController()
    const { signal } = loading
    const shown = measured()
    const whole = withAhead(shown, Infinity, Date.now())
    const width = Math.min(4_000, Math.max(100, charts.clientWidth - 70))
    const wish = { span: shown, view: place.view, width, open: place.zoom === null, aheadMs: whole.to - Date.now() }
    charts.setAttribute('aria-busy', 'true')
    askedAt = Date.now()
    try {
      await Promise.all([...panes.map((pane) => pane.load(api, wish, signal)), windows.load(place.device, shownMetrics(), shown, signal)])
      loaded = true
      sayTrouble('')
      draw()
    } catch (error) {
      if (signal.aborted || isRefusal(error)) return
      sayTrouble(`Cannot draw this: ${(error as Error).message}`)
      // As if it had been asked for a while ago: the next ticks try again.
      askedAt = Date.now() - RELOAD_MS + 4_000
    } finally {
      if (!signal.aborted) charts.removeAttribute('aria-busy')
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
    for (const pane of panes) pane.draw(shown, { open: place.zoom === null, ahead: place.ahead })
    const range = measured()
    tools.showSpan(range, shown.to - range.to)
    if (!loaded) return
    showTools()
    const inSpan = panes.flatMap((pane) => pane.anomalies).filter((a) => a.ts >= shown.from && a.ts <= shown.to)
    anomalies.show(inSpan.sort((a, b) => b.ts - a.ts))
  }

  function cursor(ts: number | null, speaking: Pane | null): void {
    for (const pane of panes) {
      const said = pane.cursor(ts)
      if (pane === speaking) setText(spoken, said ?? 'Nothing measured here')
    }
  }

  function point(anomaly: AnomalyRow | null): void {
    pointed = anomaly
    for (const pane of panes) pane.point(pointed && pane.series.metric === pointed.metric ? pointed : null)
  }

  function showAbout(): void {
    const all = rhythm()
    if (!all) return setText(about, place.device === '' ? 'Choose one in the fleet.' : NOTHING_KNOWN)
    const every = all.everyMs === null ? '' : ` · usually every ${duration(all.everyMs)}`
    const things = `${rows.length} metric${rows.length === 1 ? '' : 's'} · ${count(all.count)} reading${all.count === 1 ? '' : 's'}`
    setText(about, `${things} · last ${age(all.last, Date.now())}${every}`)
  }

  function onEvent({ event, data }: StreamEvent): void {
    if (event === 'reading') onReading(JSON.parse(data) as ReadingRow, false)
    else if (event === 'snapshot') for (const row of (JSON.parse(data) as { latest: ReadingRow[] }).latest) onReading(row, true)
    else if (event === 'anomaly') onAnomaly(JSON.parse(data) as AnomalyRow)
    else if (event === 'window') onWindow(JSON.parse(data) as WindowRow)
    else if (event === 'forecast') onForecast(JSON.parse(data) as ForecastEvent)
  }

  function onReading(reading: ReadingRow, snapshot: boolean): void {
    if (reading.device !== place.device) return
    const at = rows.findIndex((row) => row.metric === reading.metric)
    if (at < 0) {
      // A metric that the device did not have before.
      const { device, metric, ts, value } = reading
      rows = [...rows, { device, metric, count: 1, first: ts, last: ts, value }]
      fitting ??= '1h'
      showChoices()
      makePanes()
      return void load()
    }
    const row = rows[at]
    const newer = reading.ts >= row.last ? { last: reading.ts, value: reading.value } : {}
    rows = rows.with(at, { ...row, ...newer, count: row.count + (snapshot ? 0 : 1) })
    metrics.note(reading)
    const pane = panes.find((p) => p.series.metric === reading.metric)
    if (pane?.add(reading, span(), { open: place.zoom === null, snapshot }) && loaded) drawSoon()
    else pane?.showLast()
  }

  function onAnomaly(anomaly: AnomalyRow): void {
    const pane = panes.find((p) => p.series.metric === anomaly.metric)
    if (!pane?.addAnomaly(anomaly)) return
    const what = `${units.label(anomaly.metric)} ${units.text(anomaly.metric, anomaly.value)}`
    announce(`Unusual: ${what} at ${moment(anomaly.ts, Date.now())}, ${anomaly.reason}`)
    drawSoon()
  }

  function onForecast(forecast: ForecastEvent): void {
    const pane = panes.find((p) => p.series.metric === forecast.metric)
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

  function listen(): void {
    stopStream()
    if (paused || left) return
    let broken = false
    stopStream = follow(api, '/v1/live', { device: place.device, kind: 'reading,window,anomaly,forecast' }, {
      onEvent,
      onState: (state) => {
        stream.dataset.state = state
        setText(stream, STREAM_TEXT[state])
        if (state === 'waiting') broken = true
        if (state !== 'live' || !broken) return
        broken = false
        void load()
      },
    })
  }

  return {
    show(query) {
      why.close()
      show(readPlace(query))
    },
    tick() {
      showAbout()
      for (const pane of panes) pane.showLast()
      if (rows.length === 0) return
      if (Date.now() - askedAt > RELOAD_MS && (place.zoom === null || !trouble.hidden)) return void load()
      const { from, to } = span()
      if (place.zoom === null && loaded && to - drawnTo >= (to - from) / Math.max(100, charts.clientWidth)) draw()
    },
    recolour: () => panes.forEach((pane) => pane.recolour()),
    pause() {
      stopStream()
      paused = true
    },
    resume() {
      if (!paused) return
      paused = false
      if (rows.length === 0) return
      listen()
      void load()
    },
    leave() {
      left = true
      stopStream()
      opening.abort()
      loading.abort()
      clearTimeout(windowTimer)
      windows.leave()
      why.leave()
      for (const pane of panes) pane.destroy()
    },
  }
}

/** Less on a phone, and where there are several, so that two or three fit one screen. */
function chartHeight(charts: number): number {
  const phone = matchMedia('(max-width: 700px)').matches
  if (charts === 1) return phone ? 260 : 380
  return phone ? 180 : 210
}
