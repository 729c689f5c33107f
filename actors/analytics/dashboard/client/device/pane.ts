/**
 * One metric with its chart: its points as the reader wants them drawn, the readings that came since, its anomalies, and its value under the cursor.
 *
 * Invariant: a reading that came live stays drawn when the server's points replace the chart's, since these may be a moment older.
 */

import type { Api } from '../api.ts'
import { h, setText } from '../dom.ts'
import { age, moment, zone } from '../format.ts'
import type { AlertRow, AnomalyRow, ForecastEvent, Graph, ReadingRow, SeriesKey, WindowRow } from '../shapes.ts'
import type { Units } from '../units.ts'
import { SAID_MS, aheadText, fromForecast, tailOf, withForecast } from './ahead.ts'
import type { Outlook, Tail } from './ahead.ts'
import { anomalyLines, labelText, pointText } from './chart-words.ts'
import { anomaliesAt, createChart } from './chart.ts'
import type { Chart, ChartOptions } from './chart.ts'
import { addReading, anomalyRows, dropBefore, emptyColumns, fromGraph, fromReadings, fromWindows } from './columns.ts'
import type { Columns } from './columns.ts'
import { VIEWS, reachesNow } from './place.ts'
import type { Span, View } from './place.ts'

/** How much older than the live stream an answer of the server may be. */
const RECENT_MS = 5_000
/** Live readings kept for the next answer; of more the oldest go, for a burst is in the answer soon enough. */
const RECENT_MAX = 2_000
/** Points drawn one by one; of more the server draws up as many as the screen has pixels. */
const POINTS_MAX = 20_000
const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
/** As far as forecasts reach. */
const AHEAD_MAX_MS = 7 * DAY_MS

/** What is asked of a pane: a span, how it is drawn, for so many pixels; `open` where the span follows the present. */
export interface Wish {
  readonly span: Span
  readonly view: View
  readonly width: number
  readonly open: boolean
  /** How far beyond now the forecast is drawn. */
  readonly aheadMs: number
}

export class Pane {
  readonly series: SeriesKey
  readonly element: HTMLElement
  readonly chartHost: HTMLElement
  columns: Columns = emptyColumns()
  /** The newest first. */
  anomalies: AnomalyRow[] = []
  /** What is expected of it; null where nothing is. */
  outlook: Outlook | null = null
  /** Its last reading. */
  last: { readonly ts: number; readonly value: number } | null = null
  readonly #units: Units
  readonly #chart: Chart
  readonly #value = h('strong', { class: 'pane-value' })
  readonly #about = h('span', { class: 'pane-about muted small' })
  readonly #expected = h('span')
  /** Left out where there is little room; the label of the chart has it. */
  readonly #model = h('span', { class: 'wide-only' })
  readonly #trust = h('span')
  readonly #ahead = h('p', { class: 'pane-ahead small', hidden: true }, h('span', { class: 'dashes', 'aria-hidden': 'true' }), this.#expected, ' ', h('span', { class: 'muted' }, '(', this.#model, this.#trust, ')'))
  readonly #note = h('p', { class: 'pane-note muted small' })
  #recent: { readonly ts: number; readonly value: number; readonly atMs: number }[] = []
  #view: View = 'auto'
  #cursor: number | null = null
  #tail: Tail | null = null

  constructor(series: SeriesKey, units: Units, options: Omit<ChartOptions, 'explain' | 'range'>) {
    this.series = { device: series.device, metric: series.metric }
    this.#units = units
    const name = h('h2', { class: 'pane-name', title: series.metric }, units.label(series.metric))
    this.chartHost = h('div', { class: 'chart', role: 'group', 'aria-roledescription': 'chart', 'aria-label': units.label(series.metric), 'aria-describedby': 'chart-keys', tabindex: 0 })
    this.element = h('section', { class: 'pane', 'data-metric': series.metric, 'aria-label': units.label(series.metric) },
      h('div', { class: 'pane-head' }, name, h('p', { class: 'pane-now' }, this.#value, ' ', this.#about)), this.#ahead, this.chartHost, this.#note)
    this.#chart = createChart(this.chartHost, { ...options, range: units.of(series.metric)?.range ?? null, explain: (a) => anomalyLines(a, units, Date.now()) })
  }

  /** Fetches the points of a wish. Draws nothing. */
  async load(api: Api, { span, view, width, open, aheadMs }: Wish, signal: AbortSignal): Promise<void> {
    const askedAt = Date.now()
    const range = { ...this.series, from: Math.floor(span.from), to: Math.ceil(span.to) + 1 }
    // An hour more than is drawn, so that its line leaves the view, and as far as is said in words.
    const horizon = `${Math.ceil(Math.min(AHEAD_MAX_MS, Math.max(aheadMs, SAID_MS) + HOUR_MS) / 1_000)}s`
    const [graph, single] = await Promise.all([api.get<Graph>('/v1/graph', { ...range, width, horizon }, signal), this.#oneByOne(api, range, view, signal)])
    this.#view = view
    this.columns = single ?? fromGraph(graph)
    this.anomalies = anomalyRows(graph, this.series)
    const told = fromForecast(graph.forecast)
    // A range of the past says nothing of what is ahead; and a live forecast may be newer than the answer.
    if (told === null ? range.to > askedAt - HOUR_MS / 2 : told.madeAt >= (this.outlook?.madeAt ?? 0)) this.outlook = told
    setText(this.#note, view !== 'auto' && single === null ? 'Too many for this range to be drawn one by one: zoom in for them.' : sourceText(view, graph.source, this.columns))
    this.#recent = this.#recent.filter((r) => r.atMs > askedAt - RECENT_MS)
    if (this.#live) for (const r of this.#recent) if (r.ts >= span.from && (open || r.ts <= span.to)) addReading(this.columns, r.ts, r.value)
  }

  /** Readings, or windows of a size, as they are; null where the server is to draw it up, or they are too many. */
  async #oneByOne(api: Api, range: SeriesKey & Span, view: View, signal: AbortSignal): Promise<Columns | null> {
    if (view === 'auto') return null
    if (view === 'readings') {
      const page = await api.get<{ readings: ReadingRow[]; cursor: string | null }>('/v1/readings', { ...range, limit: POINTS_MAX }, signal)
      return page.cursor === null ? fromReadings(page.readings) : null
    }
    const stepMs = VIEWS.find((v) => v.value === view)!.ms!
    const page = await api.get<{ windows: WindowRow[]; cursor: string | null }>('/v1/windows', { ...range, from: range.from - stepMs, size: view, tz: stepMs >= DAY_MS ? zone() : null, limit: POINTS_MAX }, signal)
    return page.cursor === null ? fromWindows(page.windows, stepMs) : null
  }

  /** Windows are as the server closes them; everything else takes up what comes. */
  get #live(): boolean {
    return this.#view === 'auto' || this.#view === 'readings'
  }

  /** Takes a live reading. A `snapshot` holds the last of each series, which the points mostly have. False where nothing is to be drawn. */
  add({ ts, value }: ReadingRow, span: Span, { open, snapshot }: { open: boolean; snapshot: boolean }): boolean {
    const atMs = Date.now()
    if (this.last === null || ts >= this.last.ts) this.last = { ts, value }
    if (this.#recent.length >= RECENT_MAX) this.#recent = this.#recent.filter((r) => r.atMs > atMs - RECENT_MS).slice(-RECENT_MAX / 2)
    this.#recent.push({ ts, value, atMs })
    if (!this.#live || ts < span.from || (!open && ts > span.to)) return false
    if (snapshot && ts <= (this.columns.ts.at(-1) ?? -Infinity) + this.columns.stepMs) return false
    addReading(this.columns, ts, value)
    return true
  }

  /** False for one that is known. */
  addAnomaly(anomaly: AnomalyRow): boolean {
    if (this.anomalies.some((a) => a.ts === anomaly.ts && a.value === anomaly.value)) return false
    this.anomalies = [anomaly, ...this.anomalies].sort((a, b) => b.ts - a.ts)
    return true
  }

  /** Takes a forecast that came live. */
  foresee(forecast: ForecastEvent): void {
    this.outlook = withForecast(this.outlook, forecast)
  }

  draw(span: Span, { open, ahead }: { open: boolean; ahead: boolean }): void {
    const { metric } = this.series
    if (open) dropBefore(this.columns, span.from)
    const now = Date.now()
    this.#tail = ahead ? tailOf(this.outlook, Math.max(now, (this.columns.ts.at(-1) ?? 0) + 1), span.to) : null
    this.#chart.draw(this.columns, this.#tail, this.anomalies, span)
    const said = ahead && reachesNow(span, now) && this.outlook ? aheadText(metric, this.#units, this.outlook, now) : null
    this.#ahead.hidden = said === null
    setText(this.#expected, said?.expected ?? '')
    setText(this.#model, said?.model ?? '')
    setText(this.#trust, said?.trust ?? '')
    const inSpan = this.anomalies.filter((a) => a.ts >= span.from && a.ts <= span.to).length
    const seen = labelText(metric, this.#units, { columns: this.columns, span, anomalies: inSpan })
    this.chartHost.setAttribute('aria-label', said ? `${seen}. ${said.expected}, ${said.model}${said.trust}` : seen)
    this.cursor(this.#cursor)
  }

  /** Shows the value at a moment in place of the last one, and gives it in words; null where nothing was measured there, or the cursor is gone. */
  cursor(ts: number | null): string | null {
    this.#cursor = ts
    const i = this.#chart.cursor(ts)
    this.element.classList.toggle('is-read', ts !== null)
    if (ts === null) {
      this.showLast()
      return null
    }
    const { metric } = this.series
    const ahead = i - this.columns.ts.length
    if (this.#tail && ahead >= 0) return this.#showExpected(this.#tail, ahead)
    const point = i < 0 ? null : pointText(metric, this.#units, this.columns, i, Date.now())
    setText(this.#value, point?.value ?? '–')
    setText(this.#about, point ? [point.spread, point.at].filter(Boolean).join(' · ') : 'nothing measured here')
    if (!point) return null
    const odd = anomaliesAt(this.columns, this.anomalies, i).map((a) => `Unusual: ${a.reason}`)
    return [this.#units.label(metric), point.value, point.spread, point.at, ...odd].filter(Boolean).join(', ')
  }

  /** Shows what is expected at a point of the tail, and gives it in words. */
  #showExpected(tail: Tail, i: number): string {
    const { metric } = this.series
    const now = Date.now()
    const [value, band] = [this.#units.text(metric, tail.mean[i]), this.#units.band(metric, tail.lower[i], tail.upper[i])]
    const at = `${moment(tail.ts[i], now)}, ${age(tail.ts[i], now)}`
    setText(this.#value, value)
    setText(this.#about, `expected, ${band} · ${at}`)
    return `${this.#units.label(metric)}, expected ${value}, within ${band}, ${at}`
  }

  /** The last value, and how old it is. */
  showLast(): void {
    if (this.#cursor !== null) return
    setText(this.#value, this.last ? this.#units.text(this.series.metric, this.last.value) : '')
    setText(this.#about, this.last ? age(this.last.ts, Date.now()) : '')
  }

  point(anomaly: AnomalyRow | null): void {
    this.#chart.point(anomaly)
  }

  mark(alerts: readonly AlertRow[]): void {
    this.#chart.mark(alerts.filter(({ metric }) => metric === this.series.metric))
  }

  recolour(): void {
    this.#chart.recolour()
  }

  destroy(): void {
    this.#chart.destroy()
    this.element.remove()
  }
}

/** What the points are. */
function sourceText(view: View, source: string, { ts, stepMs }: Columns): string {
  if (ts.length === 0) return 'Nothing was measured in this range.'
  if (stepMs === 0) return 'Each point is a reading.'
  const windows = view === 'auto' ? (source === 'readings' ? '' : ` Drawn from windows of ${source}.`) : ''
  return `The line is the mean; the band reaches from least to greatest, the darker one from the middle value to the 95th percentile.${windows}`
}
