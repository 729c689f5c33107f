/**
 * One chart on uPlot: a line of means in its bands, what is expected beyond it, anomalies as marks, a cursor that all charts of the page share.
 *
 * Owns drawing, and hands and keys within the chart. Leaves what is shown, and what a zoom fetches, to the page.
 */

import uPlot from 'uplot'
import { spansOf } from '../alerts/order.ts'
import { colour, h } from '../dom.ts'
import type { AlertRow, AnomalyRow } from '../shapes.ts'
import { timeTicks, valueTicks } from '../ticks.ts'
import { bucketOf, emptyColumns, nearest, stepFrom } from './columns.ts'
import type { Tail } from './ahead.ts'
import type { Columns } from './columns.ts'
import { watchHands } from './gestures.ts'
import { panned, zoomed } from './place.ts'
import type { Span } from './place.ts'
import { valueRange } from './value-range.ts'

export interface ChartOptions {
  readonly height: number
  /** Range that is shown at least; null where the values decide. */
  readonly range: readonly [number, number] | null
  /** What is said of an anomaly that is pointed at. */
  explain(anomaly: AnomalyRow): string[]
  /** A hand or a key wants another span; null: the chosen range again. `done` once the hand rests. */
  onSpan(span: Span | null, done: boolean): void
  /** The cursor is at a moment; null where it has left. `spoken` where a key moved it, so that it is said aloud. */
  onCursor(ts: number | null, spoken: boolean): void
  /** An anomaly was come to by a key; null lets go. */
  onPick(anomaly: AnomalyRow | null): void
  /** An anomaly was pressed, or chosen by a key: why is it one? */
  onAsk(anomaly: AnomalyRow): void
}

export interface Chart {
  /** All times of the tail lie behind those of the columns. */
  draw(columns: Columns, tail: Tail | null, anomalies: readonly AnomalyRow[], span: Span): void
  /** Puts the cursor at a moment, and gives the index of the point there, those of the tail counted on; −1 where there is none. */
  cursor(ts: number | null): number
  /** Points at an anomaly, and explains it; null lets go. */
  point(anomaly: AnomalyRow | null): void
  /** Alerts whose time is marked from the next drawing on. */
  mark(alerts: readonly AlertRow[]): void
  recolour(): void
  destroy(): void
}

/** Marks beyond this are left out of the chart, the oldest first; the table has them. */
const MARKS_MAX = 300
/** The same for all charts, so that one moment stands in one place in all of them. */
const AXIS_PX = 54
const HOUR_MS = 3_600_000

export function createChart(host: HTMLElement, options: ChartOptions): Chart {
  let palette = readPalette()
  let columns = emptyColumns()
  let tail: Tail | null = null
  /** What the cursor goes along: the columns' means, then the tail's. */
  let line: { ts: number[]; mean: (number | null)[] } = columns
  let anomalies: readonly AnomalyRow[] = []
  let pointed: AnomalyRow | null = null
  let alerts: readonly AlertRow[] = []
  let span: Span = { from: 0, to: 1 }
  let at = -1

  const marks = h('div', { class: 'marks', 'aria-hidden': 'true' })
  const tip = h('div', { class: 'tip', 'aria-hidden': 'true', hidden: true })
  const text = () => palette.text
  const font = '12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif'
  const stroked = (stroke: () => string, width: number, dash?: number[]): uPlot.Series => ({ stroke, width, dash, points: { show: false } })
  const none = () => 'transparent'
  const unbound = () => null

  const plot = new uPlot(
    {
      width: Math.max(200, host.clientWidth),
      height: options.height,
      ms: 1,
      legend: { show: false },
      padding: [10, 12, 0, 0],
      scales: { x: { time: true, auto: false }, y: { range: (_u, min, max) => valueRange(min, max, options.range) } },
      axes: [
        { stroke: text, font, grid: { show: false }, ticks: { stroke: () => palette.grid, size: 5 }, size: 42, space: 74, values: timeTicks },
        { stroke: text, font, grid: { stroke: () => palette.grid, width: 1 }, ticks: { show: false }, gap: 8, size: AXIS_PX, space: 36, values: valueTicks },
      ],
      series: [
        {},
        stroked(none, 0),
        stroked(none, 0),
        stroked(none, 0),
        stroked(none, 0),
        { stroke: () => palette.line, width: 1.75, points: { filter: (_u, _series, all) => (all ? null : lonely(columns, span)), size: 5, fill: () => palette.surface, stroke: () => palette.line, width: 1.5 } },
        stroked(none, 0),
        stroked(none, 0),
        stroked(none, 0),
        stroked(none, 0),
        stroked(() => palette.ahead, 1.75, [6, 5]),
      ],
      bands: [
        { series: [1, 2], fill: () => palette.band },
        { series: [3, 4], fill: () => palette.band },
        { series: [6, 7], fill: () => palette.ahead95 },
        { series: [8, 9], fill: () => palette.ahead80 },
      ],
      cursor: {
        y: false,
        drag: { x: false, y: false },
        points: { size: (_u, i) => (i === 5 || i === 10 ? 9 : 0), width: 0, fill: (_u, i) => (i === 10 ? palette.ahead : palette.line) },
        // Hands are gestures.ts's.
        bind: { mousedown: unbound, mouseup: unbound, click: unbound, dblclick: unbound, mousemove: unbound, mouseleave: unbound, mouseenter: unbound },
      },
      hooks: { drawClear: [() => drawAlerts()], drawSeries: [(_u, i) => i === 10 && drawNow()], draw: [() => placeMarks()] },
    },
    Array.from({ length: 11 }, () => []) as unknown as uPlot.AlignedData,
    host,
  )
  plot.over.append(marks, tip)

  const stopHands = watchHands(plot.over, {
    span: () => span,
    onSpan: (wanted, done) => options.onSpan(wanted, done),
    onPoint: (x) => options.onCursor(x === null ? null : plot.posToVal(x, 'x'), false),
    onTap(x, y, reach) {
      const anomaly = near(x, y, reach)
      options.onCursor(anomaly?.ts ?? plot.posToVal(x, 'x'), false)
      if (anomaly) options.onAsk(anomaly)
      else options.onPick(null)
    },
    onReset: () => options.onSpan(null, true),
    focused: () => document.activeElement === host,
  })

  function near(x: number, y: number, reach: number): AnomalyRow | null {
    let best: AnomalyRow | null = null
    let least = reach * reach
    for (const a of anomalies) {
      const distance = (plot.valToPos(a.ts, 'x') - x) ** 2 + (plot.valToPos(a.value, 'y') - y) ** 2
      if (distance <= least) [best, least] = [a, distance]
    }
    return best
  }

  /** Where what was measured ends, and what is expected begins. */
  function drawNow(): void {
    if (tail === null || tail.ts[0] <= span.from || tail.ts[0] >= span.to) return
    const { ctx } = plot
    const x = Math.round(plot.valToPos(tail.ts[0], 'x', true)) + 0.5
    ctx.save()
    ctx.strokeStyle = palette.text
    ctx.globalAlpha = 0.55
    ctx.lineWidth = devicePixelRatio
    ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio])
    ctx.beginPath()
    ctx.moveTo(x, plot.bbox.top)
    ctx.lineTo(x, plot.bbox.top + plot.bbox.height)
    ctx.stroke()
    ctx.restore()
  }

  /** A ground behind the line while an alert was open, and a bar at its foot, since colour alone says little. */
  function drawAlerts(): void {
    const { ctx, bbox } = plot
    const now = Date.now()
    ctx.save()
    ctx.fillStyle = palette.alert
    for (const { from, to } of alerts.flatMap((alert) => spansOf(alert, now))) {
      if (to < span.from || from > span.to) continue
      const left = Math.max(bbox.left, plot.valToPos(from, 'x', true))
      const right = Math.min(bbox.left + bbox.width, plot.valToPos(to, 'x', true))
      const width = Math.max(right - left, 2 * devicePixelRatio)
      ctx.globalAlpha = 0.09
      ctx.fillRect(left, bbox.top, width, bbox.height)
      ctx.globalAlpha = 0.8
      ctx.fillRect(left, bbox.top + bbox.height - 3 * devicePixelRatio, width, 3 * devicePixelRatio)
    }
    ctx.restore()
  }

  function placeMarks(): void {
    const inView = anomalies.filter((a) => a.ts >= span.from && a.ts <= span.to).slice(0, MARKS_MAX)
    while (marks.childElementCount > inView.length) marks.lastElementChild!.remove()
    while (marks.childElementCount < inView.length) marks.append(h('span', { class: 'mark' }))
    inView.forEach((a, i) => {
      const mark = marks.children[i] as HTMLElement
      mark.style.transform = `translate(${plot.valToPos(a.ts, 'x')}px, ${plot.valToPos(a.value, 'y')}px)`
      mark.classList.toggle('is-pointed', a === pointed)
    })
    showTip()
  }

  function showTip(): void {
    tip.hidden = pointed === null || pointed.ts < span.from || pointed.ts > span.to
    if (pointed === null || tip.hidden) return
    tip.replaceChildren(...options.explain(pointed).map((words, i) => h(i === 0 ? 'strong' : 'span', {}, words)))
    const width = plot.over.clientWidth
    const left = plot.valToPos(pointed.ts, 'x')
    const top = plot.valToPos(pointed.value, 'y')
    const beside = left + 16 + tip.offsetWidth > width ? left - 16 - tip.offsetWidth : left + 16
    const within = (v: number, most: number) => Math.round(Math.min(Math.max(0, v), Math.max(0, most)))
    tip.style.transform = `translate(${within(beside, width - tip.offsetWidth)}px, ${within(top - tip.offsetHeight / 2, plot.over.clientHeight - tip.offsetHeight)}px)`
  }

  /** The next or the previous anomaly from where the cursor is. */
  function step(direction: 1 | -1): void {
    const from = pointed?.ts ?? (at >= 0 ? line.ts[at] : direction > 0 ? -Infinity : Infinity)
    const inView = anomalies.filter((a) => a.ts >= span.from && a.ts <= span.to && (direction > 0 ? a.ts > from : a.ts < from))
    const next = inView.sort((a, b) => direction * (a.ts - b.ts))[0]
    if (!next) return
    options.onPick(next)
    options.onCursor(next.ts, true)
  }

  const keyboard = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const around = at >= 0 ? line.ts[at] : (span.from + span.to) / 2
    const move = (to: number) => to >= 0 && line.mean[to] !== null && options.onCursor(line.ts[to], true)
    const here = () => (at >= 0 ? at : nearest(columns, span.to))
    const actions: Record<string, () => unknown> = {
      ArrowLeft: () => (event.shiftKey ? options.onSpan(panned(span, -0.25), true) : move(stepFrom(line, here(), -1))),
      ArrowRight: () => (event.shiftKey ? options.onSpan(panned(span, 0.25), true) : move(stepFrom(line, here(), 1))),
      PageUp: () => move(stepFrom(line, here(), -10)),
      PageDown: () => move(stepFrom(line, here(), 10)),
      Home: () => move(nearest(columns, span.from)),
      End: () => move(nearest(columns, span.to)),
      '+': () => options.onSpan(zoomed(span, 0.5, around), true),
      '=': () => options.onSpan(zoomed(span, 0.5, around), true),
      '-': () => options.onSpan(zoomed(span, 2, around), true),
      '0': () => options.onSpan(null, true),
      n: () => step(1),
      p: () => step(-1),
      Enter: () => pointed && options.onAsk(pointed),
      Escape: () => (options.onPick(null), options.onCursor(null, false)),
    }
    const act = actions[event.key]
    if (!act) return
    event.preventDefault()
    act()
  }
  host.addEventListener('keydown', keyboard)

  const resized = new ResizeObserver(() => {
    const width = Math.floor(host.clientWidth)
    if (width > 0 && width !== plot.width) plot.setSize({ width, height: options.height })
  })
  resized.observe(host)

  return {
    draw(next, ahead, rows, shown) {
      columns = next
      tail = ahead
      anomalies = rows
      span = shown
      const { ts, max, min, p95, p50, mean } = columns
      line = tail === null ? columns : { ts: [...ts, ...tail.ts], mean: [...mean, ...tail.mean] }
      const measured = [max, min, p95, p50, mean]
      const expected = tail === null ? [] : [tail.upper, tail.lower, tail.upper80, tail.lower80, tail.mean]
      const before = new Array<null>(ts.length).fill(null)
      const behind = new Array<null>(tail?.ts.length ?? 0).fill(null)
      plot.batch(() => {
        const drawn = tail === null ? measured : measured.map((column) => [...column, ...behind])
        const outlook = tail === null ? measured.map(() => before) : expected.map((column) => [...before, ...column])
        plot.setData([line.ts, ...drawn, ...outlook] as uPlot.AlignedData, false)
        plot.setScale('x', { min: shown.from, max: shown.to })
      })
    },
    cursor(ts) {
      at = ts === null ? -1 : nearest(line, ts)
      // The cursor stands at the moment, not at the point: of two charts one may have a gap there.
      const left = ts === null ? -10 : plot.valToPos(ts, 'x')
      plot.setCursor({ left, top: ts === null ? -10 : 0 }, false)
      const reach = Math.max(columns.stepMs, (span.to - span.from) / 40, at >= columns.ts.length ? HOUR_MS : 0)
      if (at >= 0 && Math.abs(line.ts[at] - ts!) > reach) return -1
      return at
    },
    point(anomaly) {
      pointed = anomaly
      placeMarks()
    },
    mark(next) {
      alerts = next
    },
    recolour() {
      palette = readPalette()
      plot.redraw(false)
    },
    destroy() {
      resized.disconnect()
      stopHands()
      host.removeEventListener('keydown', keyboard)
      plot.destroy()
    },
  }
}

/** Points that no line reaches, since gaps are on either side of them: they get a dot, or nothing would show them. */
function lonely({ ts, mean }: Columns, { from, to }: Span): number[] {
  const shown: number[] = []
  for (let i = Math.max(0, bucketOf(ts, from)); i < ts.length && ts[i] <= to; i++) {
    if (mean[i] !== null && (mean[i - 1] ?? null) === null && (mean[i + 1] ?? null) === null) shown.push(i)
  }
  return shown
}

/** Anomalies of the point at `i`: a bucket may hold several. */
export function anomaliesAt(columns: Columns, anomalies: readonly AnomalyRow[], i: number): AnomalyRow[] {
  return anomalies.filter((a) => bucketOf(columns.ts, a.ts) === i)
}

function readPalette() {
  const [line, band, grid, text, surface, alert] = ['water', 'band', 'grid', 'muted', 'surface', 'clay'].map(colour)
  const [ahead, ahead95, ahead80] = ['ahead', 'ahead-95', 'ahead-80'].map(colour)
  return { line, band, grid, text, surface, alert, ahead, ahead95, ahead80 }
}
