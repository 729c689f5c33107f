/**
 * One series with its chart: the points that the server drew up, the readings that came since, and its anomalies.
 *
 * Invariant: a reading that came live stays drawn when the server's points replace the chart's, since these may be a moment older.
 */

import type { Api } from './api.ts'
import { createChart } from './chart.ts'
import type { Chart, ChartOptions } from './chart.ts'
import { addReading, anomalyRows, dropBefore, emptyColumns, toColumns } from './columns.ts'
import type { Columns } from './columns.ts'
import type { Span } from './place.ts'
import type { AnomalyRow, Graph, ReadingRow, SeriesKey } from './shapes.ts'

/** How much older than the live stream an answer of the server may be. */
const RECENT_MS = 5_000
/** Live readings kept for the next answer; of more the oldest go, for a burst is in the answer soon enough. */
const RECENT_MAX = 2_000

export class Pane {
  readonly series: SeriesKey
  /** Where the pane says its last value; null where the head of the page does. */
  readonly label: HTMLElement | null
  columns: Columns = emptyColumns()
  /** The newest first. */
  anomalies: AnomalyRow[] = []
  readonly #chart: Chart
  #recent: { readonly ts: number; readonly value: number; readonly atMs: number }[] = []

  constructor(series: SeriesKey, host: HTMLElement, label: HTMLElement | null, options: ChartOptions) {
    this.series = { device: series.device, metric: series.metric }
    this.label = label
    this.#chart = createChart(host, options)
  }

  /** Fetches the points of a span for so many pixels; `open` where the span follows the present. Draws nothing. */
  async load(api: Api, span: Span & { open: boolean }, width: number, signal: AbortSignal): Promise<void> {
    const askedAt = Date.now()
    const graph = await api.get<Graph>('/v1/graph', { ...this.series, from: Math.floor(span.from), to: Math.ceil(span.to) + 1, width }, signal)
    this.columns = toColumns(graph)
    this.anomalies = anomalyRows(graph, this.series)
    this.#recent = this.#recent.filter((r) => r.atMs > askedAt - RECENT_MS)
    for (const r of this.#recent) if (r.ts >= span.from && (span.open || r.ts <= span.to)) addReading(this.columns, r.ts, r.value)
  }

  /** Takes a live reading. A `snapshot` holds the last of each series, which the points mostly have. False where nothing is to be drawn. */
  add({ ts, value }: ReadingRow, span: Span, { open, snapshot }: { open: boolean; snapshot: boolean }): boolean {
    const atMs = Date.now()
    if (this.#recent.length >= RECENT_MAX) this.#recent = this.#recent.filter((r) => r.atMs > atMs - RECENT_MS).slice(-RECENT_MAX / 2)
    this.#recent.push({ ts, value, atMs })
    if (ts < span.from || (!open && ts > span.to)) return false
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

  draw(span: Span, open: boolean): void {
    if (open) dropBefore(this.columns, span.from)
    this.#chart.draw(this.columns, this.anomalies, span)
  }

  point(anomaly: AnomalyRow | null): void {
    this.#chart.point(anomaly)
  }

  recolour(): void {
    this.#chart.recolour()
  }

  destroy(): void {
    this.#chart.destroy()
  }
}
