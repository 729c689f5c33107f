/**
 * What is shown of the chosen series: its chart, the charts of its device's other metrics, anomalies, windows, and what comes live.
 *
 * Owns the span shown, loading, and the live stream. Leaves drawing to chart.ts and tables.ts.
 *
 * Invariants
 * - I1 One stream at most is open, of the device that is shown.
 * - I2 What is drawn is what the server drew up, plus live readings (pane.ts); once a minute the server draws it up anew.
 */

import type { Api, ApiError } from './api.ts'
import type { Catalog } from './catalog.ts'
import { labelText, noteText } from './chart-words.ts'
import { announce, byId, h, segments, setText } from './dom.ts'
import { age, count, moment, value } from './format.ts'
import { follow } from './live.ts'
import type { StreamEvent, StreamState } from './live.ts'
import { Pane } from './pane.ts'
import { RANGES, rangeSpan } from './place.ts'
import type { RangeName, Span } from './place.ts'
import { sameSeries } from './shapes.ts'
import type { AnomalyRow, ReadingRow, SeriesKey, WindowRow } from './shapes.ts'
import { showAnomalies } from './tables.ts'
import { createWindowsPanel } from './windows-panel.ts'

const LINKED_MAX = 5
/** How often the graph is drawn up anew while it follows the present. */
const RELOAD_MS = 60_000
export interface SeriesView {
  show(series: SeriesKey, range: RangeName): void
  /** Every second: ages, and the span that follows the present. */
  tick(): void
  recolour(): void
  /** Lets go of the stream: a browser has but six connections to a host, and hidden tabs would hold them all. */
  pause(): void
  resume(): void
  stop(): void
}

export interface SeriesViewListener {
  onPick(series: SeriesKey): void
  onRange(range: RangeName): void
  onRefused(error: ApiError): void
  /** A reading came: the list may change. */
  onReading(): void
}

const STREAM_TEXT: Record<StreamState, string> = { idle: '', connecting: 'connecting', live: 'live', waiting: 'reconnecting', refused: 'not allowed' }

export function createSeriesView(api: Api, catalog: Catalog, listener: SeriesViewListener): SeriesView {
  let series: SeriesKey | null = null
  let range: RangeName = '1h'
  let zoom: Span | null = null
  let panes: Pane[] = []
  let stopStream: () => void = () => {}
  let paused = false
  let loading = new AbortController()
  let loadedAt = 0
  let loaded = false
  let drawAsked = false
  let drawnTo = 0

  const chartHost = byId('chart')
  const linkedHost = byId('linked')
  const windows = createWindowsPanel(api)
  const ranges = segments(byId('ranges'), 'range', RANGES, (name) => listener.onRange(name as RangeName))
  byId('reset-zoom').addEventListener('click', () => setZoom(null))

  const span = () => zoom ?? rangeSpan(range, series ? catalog.get(series) : undefined, Date.now())

  function setZoom(wanted: Span | null): void {
    if (wanted === null && zoom === null) return
    zoom = wanted && { from: Math.round(wanted.from), to: Math.round(wanted.to) }
    byId('reset-zoom').hidden = zoom === null
    draw()
    void load()
  }

  function makePanes(): void {
    for (const pane of panes) pane.destroy()
    panes = []
    linkedHost.replaceChildren()
    if (!series) return
    const syncKey = 'reading'
    const onZoom = setZoom
    panes.push(new Pane(series, chartHost, null, { height: chartHeight(), syncKey, small: false, onZoom, onRead: (text) => setText(byId('chart-read'), text) }))
    const { device, metric } = series
    for (const other of catalog.ofDevice(device).filter((row) => row.metric !== metric).slice(0, LINKED_MAX)) {
      const label = h('span', { class: 'linked-value' })
      const host = h('div', { class: 'linked-chart', 'aria-hidden': 'true' })
      const pick = h('button', { type: 'button', class: 'as-link', title: 'Show it large', onclick: () => listener.onPick({ device, metric: other.metric }) }, other.metric)
      linkedHost.append(h('div', { class: 'linked-pane' }, h('p', { class: 'linked-head' }, pick, label), host))
      panes.push(new Pane(other, host, label, { height: 128, syncKey, small: true, onZoom }))
    }
  }

  async function load(): Promise<void> {
    if (!series) return
    loading.abort()
    loading = new AbortController()
    const { signal } = loading
    const shown = series
    const { from, to } = span()
    const width = Math.min(4_000, Math.max(100, chartHost.clientWidth - 60))
    chartHost.setAttribute('aria-busy', 'true')
    byId('chart-note').dataset.state = ''
    if (!loaded) setText(byId('chart-note'), 'Loading…')
    try {
      await Promise.all([
        ...panes.map((pane) => pane.load(api, { from, to, open: zoom === null }, width, signal)),
        windows.load(shown, { from, to }, signal),
      ])
      loaded = true
      loadedAt = Date.now()
      draw()
    } catch (error) {
      if (signal.aborted) return
      byId('chart-note').dataset.state = 'bad'
      setText(byId('chart-note'), `Cannot draw this: ${(error as Error).message}.`)
    } finally {
      if (!signal.aborted) chartHost.removeAttribute('aria-busy')
    }
  }

  /** At the next frame, once, however many readings came. */
  function drawSoon(): void {
    if (drawAsked) return
    drawAsked = true
    requestAnimationFrame(() => {
      drawAsked = false
      draw()
    })
  }

  function draw(): void {
    if (!series) return
    const shown = span()
    drawnTo = shown.to
    for (const pane of panes) {
      pane.draw(shown, zoom === null)
      if (pane.label) setText(pane.label, value(catalog.get(pane.series)?.value))
    }
    const main = panes[0]
    const inSpan = main.anomalies.filter((a) => a.ts >= shown.from && a.ts <= shown.to)
    showAnomalies(inSpan, (a) => main.point(a), (a) => setZoom({ from: a.ts - (shown.to - shown.from) / 20, to: a.ts + (shown.to - shown.from) / 20 }))
    if (loaded) {
      const row = catalog.get(series)
      const note = byId('chart-note')
      const facts = { columns: main.columns, span: shown, row, zoomed: zoom !== null, anomalies: inSpan.length }
      if (note.dataset.state !== 'bad') setText(note, noteText(facts, Date.now()))
      chartHost.setAttribute('aria-label', labelText(series, facts))
    }
    showHead()
  }

  function showHead(): void {
    const row = series && catalog.get(series)
    setText(byId('now-value'), row ? value(row.value) : '')
    setText(byId('now-age'), row ? `${age(row.last, Date.now())} · ${count(row.count)} reading${row.count === 1 ? '' : 's'}` : '')
  }

  function onEvent({ event, data }: StreamEvent): void {
    if (!series) return
    if (event === 'reading') onReading(JSON.parse(data) as ReadingRow)
    else if (event === 'snapshot') for (const row of (JSON.parse(data) as { latest: ReadingRow[] }).latest) onReading(row, true)
    else if (event === 'anomaly') onAnomaly(JSON.parse(data) as AnomalyRow)
    else if (event === 'window') windows.note(JSON.parse(data) as WindowRow)
  }

  function onReading(reading: ReadingRow, snapshot = false): void {
    if (reading.device !== series!.device) return
    const known = catalog.get(reading)
    catalog.note(reading, snapshot ? 0 : 1)
    listener.onReading()
    const pane = panes.find((p) => sameSeries(p.series, reading))
    if (!pane) {
      if (!known && panes.length <= LINKED_MAX) reopen()
      return
    }
    if (pane.add(reading, span(), { open: zoom === null, snapshot }) && loaded) drawSoon()
  }

  function onAnomaly(anomaly: AnomalyRow): void {
    const pane = panes.find((p) => sameSeries(p.series, anomaly))
    if (!pane?.addAnomaly(anomaly)) return
    announce(`Anomaly in ${anomaly.metric} at ${moment(anomaly.ts, Date.now())}: ${value(anomaly.value)}, ${anomaly.reason}`)
    drawSoon()
  }

  /** A metric that the device did not have before: it gets its pane. */
  function reopen(): void {
    makePanes()
    void load()
  }

  function listen(): void {
    stopStream()
    if (!series || paused) return
    let broken = false
    stopStream = follow(api, '/v1/live', { device: series.device }, {
      onEvent,
      onState: (state) => {
        const pill = byId('stream')
        pill.dataset.state = state
        setText(pill, STREAM_TEXT[state])
        if (state === 'waiting') broken = true
        if (state === 'live' && broken) {
          broken = false
          void load()
        }
      },
      onRefused: listener.onRefused,
    })
  }

  return {
    show(wanted, wantedRange) {
      const sameDevice = series?.device === wanted.device
      const same = sameSeries(series, wanted)
      if (same && range === wantedRange) return
      series = wanted
      range = wantedRange
      zoom = null
      byId('reset-zoom').hidden = true
      ranges.set(range)
      document.title = `${wanted.metric} · ${wanted.device} · Weir`
      byId('title').replaceChildren(h('span', { class: 'title-metric' }, wanted.metric), ' ', h('span', { class: 'title-device' }, wanted.device))
      if (!same) {
        loaded = false
        setText(byId('chart-read'), '')
        windows.clear()
        makePanes()
      }
      draw()
      if (!sameDevice) {
        listen()
        void catalog.fetchDevice(wanted.device).catch(() => {}).then(() => {
          if (sameSeries(series, wanted) && catalog.ofDevice(wanted.device).length > panes.length && panes.length <= LINKED_MAX) reopen()
          else if (sameSeries(series, wanted) && !loaded) void load()
        })
      }
      void load()
    },
    tick() {
      if (!series) return
      showHead()
      if (zoom || document.hidden) return
      const { from, to } = span()
      const pixelMs = (to - from) / Math.max(100, chartHost.clientWidth)
      if (Date.now() - loadedAt > RELOAD_MS && loaded) void load()
      else if (to - drawnTo >= pixelMs) draw()
    },
    recolour() {
      for (const pane of panes) pane.recolour()
    },
    pause() {
      stopStream()
      stopStream = () => {}
      paused = true
    },
    resume() {
      if (!paused) return
      paused = false
      if (!series) return
      listen()
      void load()
    },
    stop() {
      stopStream()
      loading.abort()
      for (const pane of panes) pane.destroy()
      panes = []
      linkedHost.replaceChildren()
      series = null
    },
  }
}

/** Less on a phone, so that chart and figures fit one screen. */
function chartHeight(): number {
  return matchMedia('(max-width: 700px)').matches ? 240 : 340
}
