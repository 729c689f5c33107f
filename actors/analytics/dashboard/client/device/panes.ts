/**
 * The charts of a device above each other: one time, one cursor, one anomaly that is pointed at.
 *
 * Owns which panes there are. Leaves a metric to pane.ts, and what drives it to drivers.ts.
 */

import type { Api } from '../api.ts'
import { h, setText } from '../dom.ts'
import type { AlertRow, AnomalyRow } from '../shapes.ts'
import type { Units } from '../units.ts'
import type { ChartOptions } from './chart.ts'
import { createDrivers } from './drivers.ts'
import type { Drivers, EditDrivers } from './drivers.ts'
import { Pane } from './pane.ts'
import type { Wish } from './pane.ts'
import type { Span } from './place.ts'

export interface PanesListener extends Pick<ChartOptions, 'onSpan' | 'onAsk'> {
  onEdit: EditDrivers
}

export interface Panes {
  readonly element: HTMLElement
  /** What a key has come to, said aloud. */
  readonly spoken: HTMLElement
  /** Width of a chart's field, about. */
  readonly width: number
  /** One for each metric, in this order; those that are there already stay where nothing has changed. */
  make(device: string, metrics: readonly string[], lastOf: (metric: string) => Pane['last']): void
  all(): readonly Pane[]
  of(metric: string): Pane | undefined
  /** Fetches the points of all of them. Throws as `Api.get` does. */
  load(wish: Omit<Wish, 'width'>, signal: AbortSignal): Promise<void>
  draw(span: Span, how: { open: boolean; ahead: boolean }): void
  point(anomaly: AnomalyRow | null): void
  /** Marks the times in which alerts were open, each in the chart of its metric. */
  mark(alerts: readonly AlertRow[]): void
  tick(): void
  recolour(): void
  leave(): void
}

export function createPanes(api: Api, units: Units, { onSpan, onAsk, onEdit }: PanesListener): Panes {
  const element = h('div', { class: 'panes', id: 'panes' })
  const spoken = h('p', { class: 'unseen', role: 'status', id: 'chart-read' })
  let panes: { pane: Pane; drivers: Drivers }[] = []
  const all = () => panes.map(({ pane }) => pane)

  function cursor(ts: number | null, speaking: Pane | null): void {
    for (const pane of all()) {
      const said = pane.cursor(ts)
      if (pane === speaking) setText(spoken, said ?? 'Nothing measured here')
    }
  }

  function point(anomaly: AnomalyRow | null): void {
    for (const pane of all()) pane.point(anomaly && pane.series.metric === anomaly.metric ? anomaly : null)
  }

  function leave(): void {
    for (const { pane, drivers } of panes) {
      pane.destroy()
      drivers.leave()
    }
    panes = []
  }

  return {
    element,
    spoken,
    get width() {
      return Math.min(4_000, Math.max(100, element.clientWidth - 70))
    },
    make(device, metrics, lastOf) {
      const same = panes.length === metrics.length && all().every(({ series }, i) => series.device === device && series.metric === metrics[i])
      if (same) return
      leave()
      panes = metrics.map((metric) => {
        const series = { device, metric }
        const pane: Pane = new Pane(series, units, { height: chartHeight(metrics.length), onSpan, onCursor: (ts, aloud) => cursor(ts, aloud ? pane : null), onPick: point, onAsk })
        const drivers = createDrivers(api, units, series, onEdit)
        pane.last = lastOf(metric)
        pane.element.append(drivers.element)
        element.append(pane.element)
        return { pane, drivers }
      })
    },
    all,
    of: (metric) => all().find(({ series }) => series.metric === metric),
    async load(wish, signal) {
      const { width } = this
      for (const { drivers } of panes) drivers.refresh()
      await Promise.all(all().map((pane) => pane.load(api, { ...wish, width }, signal)))
    },
    draw(span, how) {
      for (const pane of all()) pane.draw(span, how)
    },
    point,
    mark(alerts) {
      for (const pane of all()) pane.mark(alerts)
    },
    tick() {
      for (const pane of all()) pane.showLast()
    },
    recolour() {
      for (const pane of all()) pane.recolour()
    },
    leave,
  }
}

/** Less on a phone, and where there are several, so that two or three fit one screen. */
function chartHeight(charts: number): number {
  const phone = matchMedia('(max-width: 700px)').matches
  if (charts === 1) return phone ? 260 : 380
  return phone ? 180 : 210
}
