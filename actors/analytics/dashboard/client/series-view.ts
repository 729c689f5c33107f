/**
 * What is shown of the chosen series: its chart, the charts of its device's other metrics, anomalies, windows, and what comes live.
 *
 * Owns the span shown, loading, and the live stream. Leaves drawing to chart.ts and tables.ts.
 *
 * Invariants
 * - I1 One stream at most is open, of the device that is shown.
 * - I2 What is drawn is what the server drew up, plus live readings; where these can't be placed exactly, the server is asked anew.
 * - I3 A span that follows the present ends now while the series is heard of, else at its last reading.
 */

import type { Api, ApiError } from './api.ts'
import type { Catalog } from './catalog.ts'
import { createChart } from './chart.ts'
import type { Chart } from './chart.ts'
import { addReading, anomalyRows, dropBefore, emptyColumns, toColumns } from './columns.ts'
import type { Columns } from './columns.ts'
import { announce, byId, h, segments, setText } from './dom.ts'
import { age, count, date, moment, value } from './format.ts'
import { follow } from './live.ts'
import type { StreamEvent, StreamState } from './live.ts'
import { RANGES } from './place.ts'
import type { RangeName } from './place.ts'
import { sameSeries } from './shapes.ts'
import type { AnomalyRow, Graph, ReadingRow, SeriesKey, WindowRow } from './shapes.ts'
import { showAnomalies, showWindows } from './tables.ts'

const LINKED_MAX = 5
const WINDOW_ROWS = 120
/** How often the graph is drawn up anew while it follows the present. */
const RELOAD_MS = 60_000
const SIZES = [
  { value: '1m', label: '1m', title: 'One minute', ms: 60_000 },
  { value: '15m', label: '15m', title: 'Fifteen minutes', ms: 900_000 },
  { value: '1h', label: '1h', title: 'One hour', ms: 3_600_000 },
  { value: '1d', label: '1d', title: 'One day, by UTC', ms: 86_400_000 },
] as const
type SizeName = (typeof SIZES)[number]['value']

interface Span {
  from: number
  to: number
}

interface Pane {
  readonly metric: string
  readonly chart: Chart
  columns: Columns
  anomalies: AnomalyRow[]
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
  let size: SizeName = '1m'
  let sizeChosen = false
  let drawAsked = false
  let drawnTo = 0
  let reloadTimer: ReturnType<typeof setTimeout> | undefined
  let windowsTimer: ReturnType<typeof setTimeout> | undefined

  const chartHost = byId('chart')
  const linkedHost = byId('linked')
  const ranges = segments(byId('ranges'), 'range', RANGES, (name) => listener.onRange(name as RangeName))
  const sizes = segments(byId('sizes'), 'size', SIZES, (name) => {
    size = name as SizeName
    sizeChosen = true
    void loadWindows()
  })
  byId('reset-zoom').addEventListener('click', () => setZoom(null))

  /** The span of the range, following the present (I3). */
  function wholeSpan(): Span {
    const row = series && catalog.get(series)
    const now = Date.now()
    const ms = RANGES.find((r) => r.value === range)!.ms
    if (ms === null) {
      const from = row?.first ?? now - 3_600_000
      const to = row?.last ?? now
      return to > from ? { from, to } : { from: from - 1_800_000, to: from + 1_800_000 }
    }
    const to = row && (row.last < now - ms || row.last > now) ? row.last : now
    return { from: to - ms, to }
  }

  const span = () => zoom ?? wholeSpan()

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
    panes.push({ metric: series.metric, chart: main, columns: emptyColumns(), anomalies: [], label: null })
    const { device, metric } = series
    for (const other of catalog.ofDevice(device).filter((row) => row.metric !== metric).slice(0, LINKED_MAX)) {
      const label = h('span', { class: 'linked-value' })
      const host = h('div', { class: 'linked-chart', 'aria-hidden': 'true' })
      const pick = h('button', { type: 'button', class: 'as-link', title: 'Show it large', onclick: () => listener.onPick({ device, metric: other.metric }) }, other.metric)
      linkedHost.append(h('div', { class: 'linked-pane' }, h('p', { class: 'linked-head' }, pick, label), host))
      panes.push({ metric: other.metric, chart: createChart(host, { height: 128, syncKey, small: true, onZoom }), columns: emptyColumns(), anomalies: [], label })
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
        ...panes.map(async (pane) => {
          const graph = await api.get<Graph>('/v1/graph', { device: shown.device, metric: pane.metric, from: Math.floor(from), to: Math.ceil(to) + 1, width }, signal)
          pane.columns = toColumns(graph)
          pane.anomalies = anomalyRows(graph, { device: shown.device, metric: pane.metric })
        }),
        loadWindows(),
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

  async function loadWindows(): Promise<void> {
    if (!series) return
    const { signal } = loading
    const { from, to } = span()
    if (!sizeChosen) size = (to - from <= 6 * 3_600_000 ? '1m' : to - from <= 2 * 86_400_000 ? '15m' : to - from <= 14 * 86_400_000 ? '1h' : '1d')
    sizes.set(size)
    const sizeMs = SIZES.find((s) => s.value === size)!.ms
    const start = Math.floor(Math.max(from, to - WINDOW_ROWS * sizeMs) / sizeMs) * sizeMs
    const asked = size
    try {
      const page = await api.get<{ windows: WindowRow[] }>('/v1/windows', { ...series, from: start, to: Math.ceil(to), size, limit: WINDOW_ROWS + 2 }, signal)
      if (!signal.aborted && asked === size) showWindows(page.windows)
    } catch (error) {
      if (!signal.aborted) byId('windows').replaceChildren(h('p', { class: 'nothing' }, `Cannot show windows: ${(error as Error).message}.`))
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
    describe(main, inSpan.length)
    showHead()
  }

  /** The note beneath the chart, and the chart in words for those who don't see it. */
  function describe(main: Pane, anomalies: number): void {
    if (!loaded) return
    const shown = span()
    const first = main.columns.ts.findIndex((t) => t >= shown.from)
    const seen = (column: readonly (number | null)[]) => (first < 0 ? [] : column.slice(first).filter((v) => v !== null))
    const row = catalog.get(series!)
    const now = Date.now()
    const lows = seen(main.columns.min)
    const note = byId('chart-note')
    if (note.dataset.state !== 'bad') {
      const stale = !zoom && row && row.last < shown.to + 1 && row.last < now - 2 * 3_600_000 ? `Up to the last reading, ${date(row.last)}. ` : ''
      const band = main.columns.stepMs > 0 && lows.length > 0 ? 'The line is the mean, the band reaches from least to greatest.' : ''
      setText(note, lows.length === 0 ? `No readings in this range.${row ? ` The last one was ${age(row.last, now)}.` : ''}` : stale + band)
    }
    let least = Infinity
    let most = -Infinity
    for (const v of lows) least = Math.min(least, v)
    for (const v of seen(main.columns.max)) most = Math.max(most, v)
    const words = lows.length === 0 ? 'no readings' : `from ${value(least)} to ${value(most)}, ${anomalies} anomal${anomalies === 1 ? 'y' : 'ies'}`
    chartHost.setAttribute('aria-label', `${series!.metric} of ${series!.device}: ${words}`)
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
    else if (event === 'window') {
      const row = JSON.parse(data) as WindowRow
      if (row.metric === series.metric && row.device === series.device && row.size === size) {
        windowsTimer ??= setTimeout(() => {
          windowsTimer = undefined
          void loadWindows()
        }, 1_000)
      }
    }
  }

  function onReading(reading: ReadingRow, snapshot = false): void {
    if (reading.device !== series!.device) return
    const known = catalog.get(reading)
    if (!snapshot) catalog.note(reading)
    listener.onReading()
    const pane = panes.find((p) => p.metric === reading.metric)
    if (!pane) {
      if (!known && panes.length <= LINKED_MAX) reopen()
      return
    }
    const shown = span()
    if (!loaded || reading.ts < shown.from || (zoom && reading.ts > zoom.to)) return
    // The snapshot's readings are in the graph already, or else newer than it.
    if (snapshot && reading.ts <= (pane.columns.ts.at(-1) ?? -Infinity) + pane.columns.stepMs) return
    if (addReading(pane.columns, reading.ts, reading.value)) drawSoon()
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
        showWindows(null)
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
      clearTimeout(windowsTimer)
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
