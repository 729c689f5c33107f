/**
 * One chart on uPlot: a line of means in a band from least to greatest, anomalies as marks, a reading of what is under
 * the cursor.
 *
 * Owns drawing, pointer and keyboard within the chart. Leaves what is shown, and what a zoom fetches, to series-view.ts.
 */

import uPlot from 'uplot'
import { colour, h } from './dom.ts'
import { bucketOf } from './columns.ts'
import type { Columns } from './columns.ts'
import { moment, value as valueText } from './format.ts'
import type { AnomalyRow } from './shapes.ts'

export interface ChartOptions {
  readonly height: number
  /** Charts of one key share their cursor. */
  readonly syncKey: string
  /** A small chart has no keyboard of its own and fewer ticks. */
  readonly small: boolean
  /** The reader drew or typed a narrower span, or wants the whole one back (null). */
  onZoom(span: { from: number; to: number } | null): void
  /** What the keyboard's cursor stands on, in words. */
  onRead?(text: string): void
}

export interface Chart {
  /** Shows `columns` from `from` to `to`. */
  draw(columns: Columns, anomalies: readonly AnomalyRow[], span: { from: number; to: number }): void
  /** Points at an anomaly as if the cursor were on it; null lets go. */
  point(anomaly: AnomalyRow | null): void
  recolour(): void
  destroy(): void
}

/** Marks beyond this are left out of the chart, the oldest first; the table has them. */
const MARKS_MAX = 300
const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif'

export function createChart(host: HTMLElement, options: ChartOptions): Chart {
  let palette = readPalette()
  let anomalies: readonly AnomalyRow[] = []
  let pointed: AnomalyRow | null = null
  let span = { from: 0, to: 1 }

  const marks = h('div', { class: 'marks', 'aria-hidden': 'true' })
  const tip = h('div', { class: 'tip', 'aria-hidden': 'true', hidden: true })
  const grid = () => palette.grid
  const text = () => palette.text

  const plot = new uPlot(
    {
      width: Math.max(200, host.clientWidth),
      height: options.height,
      ms: 1,
      legend: { show: false },
      padding: [12, 10, 0, 0],
      scales: { x: { time: true, auto: false }, y: { range: yRange } },
      axes: [
        { stroke: text, font: FONT, grid: { show: false }, ticks: { stroke: grid, size: 5 }, size: 42, space: 70, values: timeTicks },
        {
          stroke: text,
          font: FONT,
          grid: { stroke: grid, width: 1 },
          ticks: { show: false },
          gap: 8,
          size: (_u, values) => 18 + 7 * Math.max(3, ...(values ?? []).map((v) => v.length)),
          space: options.small ? 22 : 44,
          values: (_u, splits) => splits.map((v) => tickText(v, splits)),
        },
      ],
      series: [
        {},
        { stroke: 'transparent', width: 0, points: { show: false } },
        { stroke: 'transparent', width: 0, points: { show: false } },
        { stroke: () => palette.line, width: 1.75, points: { size: 5, fill: () => palette.surface, stroke: () => palette.line, width: 1.5 } },
      ],
      bands: [{ series: [1, 2], fill: () => palette.band }],
      cursor: {
        y: false,
        drag: { x: true, y: false, dist: 6 },
        points: { size: (_u, i) => (i === 3 ? 9 : 0), width: 0, fill: () => palette.line },
        sync: { key: options.syncKey, scales: ['x', null] },
        bind: { dblclick: () => () => (options.onZoom(null), null) },
      },
      hooks: {
        setCursor: [(u) => showTip(u)],
        setSelect: [
          (u) => {
            if (u.select.width > 0) options.onZoom({ from: u.posToVal(u.select.left, 'x'), to: u.posToVal(u.select.left + u.select.width, 'x') })
          },
        ],
        draw: [(u) => placeMarks(u)],
      },
    },
    [[], [], [], []],
    host,
  )
  plot.over.append(marks, tip)
  plot.over.addEventListener('mouseleave', () => !pointed && (tip.hidden = true))

  /** The anomaly at most 9 px from the cursor. */
  function near(u: uPlot): AnomalyRow | null {
    const { left = -1, top = -1 } = u.cursor
    if (left < 0) return null
    let best: AnomalyRow | null = null
    let least = 81
    for (const a of anomalies) {
      const distance = (u.valToPos(a.ts, 'x') - left) ** 2 + (top < 0 ? 0 : (u.valToPos(a.value, 'y') - top) ** 2)
      if (distance <= least) [best, least] = [a, distance]
    }
    return best
  }

  function showTip(u: uPlot): void {
    const anomaly = pointed ?? (u.cursor.event ? near(u) : null)
    if (anomaly) return fillTip(u, anomaly.ts, anomaly.value, anomalyLines(anomaly), 'anomaly')
    const idx = u.cursor.idx
    const hovered = u.cursor.event !== undefined && u.over.matches(':hover')
    if (idx === null || idx === undefined || (u.cursor.left ?? -1) < 0 || (!hovered && !(host.contains(document.activeElement) && !options.small))) {
      tip.hidden = true
      return
    }
    const lines = pointLines(idx)
    if (!lines) tip.hidden = true
    else fillTip(u, u.data[0][idx], u.data[3][idx] as number, lines, 'point')
  }

  function pointLines(idx: number): string[] | null {
    const [ts, max, min, mean] = plot.data as unknown as (number | null)[][]
    if (mean[idx] === null || mean[idx] === undefined) return null
    const spread = min[idx] !== max[idx] ? [`${valueText(min[idx])} to ${valueText(max[idx])}`] : []
    return [valueText(mean[idx]), ...spread, moment(ts[idx] as number, Date.now())]
  }

  function fillTip(u: uPlot, x: number, y: number, lines: string[], kind: string): void {
    tip.replaceChildren(...lines.map((line, i) => h(i === 0 ? 'strong' : 'span', {}, line)))
    tip.dataset.kind = kind
    tip.hidden = false
    const width = u.over.clientWidth
    const left = u.valToPos(x, 'x')
    const top = u.valToPos(y, 'y')
    const beside = left + 14 + tip.offsetWidth > width ? left - 14 - tip.offsetWidth : left + 14
    const beneath = Math.min(Math.max(0, top - tip.offsetHeight / 2), Math.max(0, u.over.clientHeight - tip.offsetHeight))
    tip.style.transform = `translate(${Math.round(Math.min(Math.max(0, beside), Math.max(0, width - tip.offsetWidth)))}px, ${Math.round(beneath)}px)`
  }

  function placeMarks(u: uPlot): void {
    const { from, to } = span
    const inView = anomalies.filter((a) => a.ts >= from && a.ts <= to).slice(0, MARKS_MAX)
    while (marks.childElementCount > inView.length) marks.lastElementChild!.remove()
    while (marks.childElementCount < inView.length) marks.append(h('span', { class: 'mark' }))
    inView.forEach((a, i) => {
      const mark = marks.children[i] as HTMLElement
      mark.style.transform = `translate(${u.valToPos(a.ts, 'x')}px, ${u.valToPos(a.value, 'y')}px)`
      mark.classList.toggle('is-pointed', a === pointed)
    })
    if (pointed) showTip(u)
  }

  const keyboard = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const ts = plot.data[0]
    const { from, to } = span
    const at = plot.cursor.idx ?? ts.length - 1
    const moveTo = (idx: number) => {
      let i = Math.min(Math.max(0, idx), ts.length - 1)
      if (plot.data[3][i] === null) i = Math.min(Math.max(0, i + Math.sign(idx - at || 1)), ts.length - 1)
      if (i < 0) return
      const y = plot.data[3][i]
      plot.setCursor({ left: plot.valToPos(ts[i], 'x'), top: y == null ? 0 : plot.valToPos(y, 'y') })
      const lines = pointLines(i)
      const here = anomalies.filter((a) => bucketOf(ts as number[], a.ts) === i).map((a) => `Anomaly: ${a.reason}`)
      if (lines) options.onRead?.([...lines, ...here].join(', '))
    }
    const zoom = (factor: number) => {
      const middle = (plot.cursor.left ?? -1) >= 0 && ts.length > 0 ? ts[at] : (from + to) / 2
      const half = Math.max(500, ((to - from) / 2) * factor)
      options.onZoom({ from: middle - half, to: middle + half })
    }
    const step = event.shiftKey ? 10 : 1
    const actions: Record<string, () => void> = {
      ArrowLeft: () => moveTo(at - step),
      ArrowRight: () => moveTo(at + step),
      Home: () => moveTo(bucketOf(ts as number[], from) + 1),
      End: () => moveTo(ts.length - 1),
      '+': () => zoom(0.5),
      '=': () => zoom(0.5),
      '-': () => zoom(2),
      '0': () => options.onZoom(null),
      Escape: () => options.onZoom(null),
    }
    const act = actions[event.key]
    if (!act) return
    event.preventDefault()
    act()
  }
  if (!options.small) host.addEventListener('keydown', keyboard)

  const resized = new ResizeObserver(() => {
    const width = Math.floor(host.clientWidth)
    if (width > 0 && width !== plot.width) plot.setSize({ width, height: options.height })
  })
  resized.observe(host)

  return {
    draw(columns, rows, shown) {
      anomalies = rows
      span = shown
      plot.batch(() => {
        plot.setData([columns.ts, columns.max, columns.min, columns.mean] as uPlot.AlignedData, false)
        plot.setScale('x', { min: shown.from, max: shown.to })
      })
    },
    point(anomaly) {
      pointed = anomaly
      if (anomaly) showTip(plot)
      else tip.hidden = true
      placeMarks(plot)
    },
    recolour() {
      palette = readPalette()
      plot.redraw(false)
    },
    destroy() {
      resized.disconnect()
      host.removeEventListener('keydown', keyboard)
      plot.destroy()
    },
  }
}

/** A constant series still gets a scale with room around it. */
function yRange(_u: uPlot, min: number | null, max: number | null): [number, number] {
  if (min === null || max === null) return [0, 1]
  const room = max > min ? (max - min) * 0.1 : Math.max(Math.abs(max) * 0.1, 0.5)
  return [min - room, max + room]
}

function readPalette() {
  return {
    line: colour('water'),
    band: colour('band'),
    grid: colour('grid'),
    text: colour('muted'),
    surface: colour('surface'),
  }
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
const clockSeconds = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
const day = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' })
const year = new Intl.DateTimeFormat(undefined, { year: 'numeric' })

/** Hours under each tick, the day beneath where it changes; days and years for long spans. */
function timeTicks(_u: uPlot, splits: number[], _axis: number, _space: number, stepMs: number): string[] {
  let shownDay = ''
  let shownYear = ''
  return splits.map((t) => {
    const theDay = day.format(t)
    const theYear = year.format(t)
    const first = stepMs >= 86_400_000 ? theDay : (stepMs < 60_000 ? clockSeconds : clock).format(t)
    let second = ''
    if (stepMs < 86_400_000) {
      if (theDay !== shownDay) second = theDay
    } else if (theYear !== shownYear) second = theYear
    shownDay = theDay
    shownYear = theYear
    return second ? `${first}\n${second}` : first
  })
}

function tickText(v: number, splits: readonly number[]): string {
  const step = splits.length > 1 ? Math.abs(splits[1] - splits[0]) : Math.abs(v)
  const size = Math.max(Math.abs(splits[0]), Math.abs(splits.at(-1) ?? 0))
  if (size >= 1e6 || (size < 1e-3 && size > 0)) return v === 0 ? '0' : v.toExponential(1)
  let decimals = 0
  while (decimals < 6 && Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6) decimals++
  return v.toFixed(decimals)
}

/** What is said of an anomaly where it is pointed at. */
export function anomalyLines(a: AnomalyRow): string[] {
  return [valueText(a.value), a.reason, moment(a.ts, Date.now())]
}
