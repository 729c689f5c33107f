/**
 * What is shown of the chosen series: its chart, the charts of its device's other metrics, anomalies, windows, and what comes live.
 *
 * Owns the span shown, loading, and the live stream. Leaves drawing to chart.ts and tables.ts.
 *
 * Invariants
 * - I1 One stream at most is open, of the device that is shown.
 * - I2 What is drawn is what the server drew up, plus live readings; where these can't be placed exactly, the server is asked anew.
 * - I3 A reading that came live stays drawn when the server's points replace the chart's: they may be a moment older than it.
 */

import type { Api, ApiError } from './api.ts'
import type { Catalog } from './catalog.ts'
import { createChart } from './chart.ts'
import type { Chart } from './chart.ts'
import { addReading, anomalyRows, dropBefore, emptyColumns, toColumns } from './columns.ts'
import type { Columns } from './columns.ts'
import { announce, byId, h, segments, setText } from './dom.ts'
import { labelText, noteText } from './chart-words.ts'
import { age, count, moment, value } from './format.ts'
import { follow } from './live.ts'
import type { StreamEvent, StreamState } from './live.ts'
import { RANGES, rangeSpan } from './place.ts'
import type { RangeName, Span } from './place.ts'
import { sameSeries } from './shapes.ts'
import type { AnomalyRow, Graph, ReadingRow, SeriesKey, WindowRow } from './shapes.ts'
import { showAnomalies } from './tables.ts'
import { createWindowsPanel } from './windows-panel.ts'

const LINKED_MAX = 5
/** How often the graph is drawn up anew while it follows the present. */
const RELOAD_MS = 60_000
/** How much older than the live stream an answer of the server may be. */
const RECENT_MS = 5_000
const RECENT_MAX = 2_000
interface Pane {
  readonly metric: string
  readonly chart: Chart
  columns: Columns
  anomalies: AnomalyRow[]
  /** Readings that came lately, by arrival. */
  recent: { readonly ts: number; readonly value: number; readonly atMs: number }[]
  /** Where the pane says its last value; the main one says it in the head. */
  readonly label: HTMLElement | null
}

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
  let reloadTimer: ReturnType<typeof setTimeout> | undefined

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
    for (const pane of panes) pane.chart.destroy()
    panes = []
    linkedHost.replaceChildren()
    if (!series) return
    const syncKey = 'reading'
    const onZoom = setZoom
    const main = createChart(chartHost, { height: chartHeight(), syncKey, small: false, onZoom, onRead: (text) => setText(byId('chart-read'), text) })
    panes.push({ metric: series.metric, chart: main, columns: emptyColumns(), anomalies: [], recent: [], label: null })
    const { device, metric } = series
    for (const other of catalog.ofDevice(device).filter((row) => row.metric !== metric).slice(0, LINKED_MAX)) {
      const label = h('span', { class: 'linked-value' })
      const host = h('div', { class: 'linked-chart', 'aria-hidden': 'true' })
      const pick = h('button', { type: 'button', class: 'as-link', title: 'Show it large', onclick: () => listener.onPick({ device, metric: other.metric }) }, other.metric)
      linkedHost.append(h('div', { class: 'linked-pane' }, h('p', { class: 'linked-head' }, pick, label), host))
      panes.push({ metric: other.metric, chart: createChart(host, { height: 128, syncKey, small: true, onZoom }), columns: emptyColumns(), anomalies: [], recent: [], label })
    }
  }

  async function load(): Promise<void> {
    if (!series) return
    loading.abort()
    loading = new AbortController()
    const { signal } = loading
    const shown = series
    const askedAt = Date.now()
    const { from, to } = span()
    const width = Math.min(4_000, Math.max(100, chartHost.clientWidth - 60))
    chartHost.setAttribute('aria-busy', 'true')
    byId('chart-note').dataset.state = ''
    if (!loaded) setText(byId('chart-note'), 'Loading…')
    try {
      await Promise.all([
        ...panes.map(async (pane) => {
          const graph = await api.get<Graph>('/v1/graph', { device: shown.device, metric: pane.metric, from: Math.floor(from), to: Math.ceil(to) + 1, width }, signal)
          pane.columns = toColumns(graph)
          pane.anomalies = anomalyRows(graph, { device: shown.device, metric: pane.metric })
          pane.recent = pane.recent.filter((r) => r.atMs > askedAt - RECENT_MS)
          for (const r of pane.recent) if (r.ts >= from && (!zoom || r.ts <= to)) addReading(pane.columns, r.ts, r.value)
        }),
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
      if (!zoom) dropBefore(pane.columns, shown.from)
      pane.chart.draw(pane.columns, pane.anomalies, shown)
      if (pane.label) setText(pane.label, value(catalog.get({ device: series.device, metric: pane.metric })?.value))
    }
    const main = panes[0]
    const inSpan = main.anomalies.filter((a) => a.ts >= shown.from && a.ts <= shown.to)
    showAnomalies(inSpan, (a) => main.chart.point(a), (a) => setZoom({ from: a.ts - (shown.to - shown.from) / 20, to: a.ts + (shown.to - shown.from) / 20 }))
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
    const pane = panes.find((p) => p.metric === reading.metric)
    if (!pane) {
      if (!known && panes.length <= LINKED_MAX) reopen()
      return
    }
    const { ts, value } = reading
    const atMs = Date.now()
    // A burst of readings is drawn up by the server soon enough; what is kept here has a bound.
    if (pane.recent.length >= RECENT_MAX) pane.recent = pane.recent.filter((r) => r.atMs > atMs - RECENT_MS).slice(-RECENT_MAX / 2)
    pane.recent.push({ ts, value, atMs })
    const shown = span()
    if (!loaded || ts < shown.from || (zoom && ts > zoom.to)) return
    // The snapshot's readings are in the graph already, or else newer than it.
    if (snapshot && ts <= (pane.columns.ts.at(-1) ?? -Infinity) + pane.columns.stepMs) return
    if (addReading(pane.columns, ts, value)) drawSoon()
    else reloadSoon()
  }

  function onAnomaly(anomaly: AnomalyRow): void {
    const pane = anomaly.device === series!.device ? panes.find((p) => p.metric === anomaly.metric) : undefined
    if (!pane || pane.anomalies.some((a) => a.ts === anomaly.ts && a.value === anomaly.value)) return
    pane.anomalies = [anomaly, ...pane.anomalies].sort((a, b) => b.ts - a.ts)
    announce(`Anomaly in ${anomaly.metric} at ${moment(anomaly.ts, Date.now())}: ${value(anomaly.value)}, ${anomaly.reason}`)
    drawSoon()
  }

  /** Late readings come in crowds: one question for all of them. */
  function reloadSoon(): void {
    reloadTimer ??= setTimeout(() => {
      reloadTimer = undefined
      void load()
    }, 3_000)
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
        void catalog.fetchDevice(wanted.device, loading.signal).catch(() => {}).then(() => {
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
      for (const pane of panes) pane.chart.recolour()
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
      clearTimeout(reloadTimer)
      for (const pane of panes) pane.chart.destroy()
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
