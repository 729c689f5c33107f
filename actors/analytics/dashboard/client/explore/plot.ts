/**
 * An answer as a picture: lines or bars over time or a number, or a bar for each text.
 *
 * Owns drawing. Leaves the choice of axes to answer.ts.
 */

import uPlot from 'uplot'
import { colour, h, setText } from '../dom.ts'
import { stamp, value as valueText } from '../format.ts'
import { timeTicks, valueTicks } from '../ticks.ts'
import { LINES_MAX, linesOf, numberOf } from './answer.ts'
import type { Answer, Choice } from './answer.ts'

const HEIGHT_PX = 340
const TEXT_BARS_MAX = 100

export interface Plot {
  readonly element: HTMLElement
  recolour(): void
  destroy(): void
}

export function createPlot(answer: Answer, choice: Choice): Plot {
  return choice.xKind === 'text' ? textBars(answer, choice) : overX(answer, choice)
}

function overX(answer: Answer, choice: Choice): Plot {
  const lines = linesOf(answer, choice)
  const time = choice.xKind === 'time'
  const label = `${lines.names.join(', ')} over ${choice.x}: ${lines.x.length} points; the table has them`
  const host = h('div', { class: 'chart', role: 'img', 'aria-label': label })
  const read = h('p', { class: 'plot-read muted small' }, ' ')
  const items = lines.names.map((name, i) => h('li', {}, h('span', { class: 'swatch', 'data-line': i }), name))
  const element = h('div', { class: 'plot' }, h('ul', { class: 'legend' }, ...items), host, read)
  if (lines.left > 0) element.append(h('p', { class: 'muted small' }, `The first ${LINES_MAX} lines of ${LINES_MAX + lines.left}.`))
  const text = () => colour('muted')
  const grid = () => colour('grid')
  const font = '12px system-ui, sans-serif'
  const bars = choice.kind === 'bars' ? uPlot.paths.bars!({ size: [0.7, 60] }) : undefined
  const plot = new uPlot(
    {
      width: 600,
      height: HEIGHT_PX,
      ms: 1,
      legend: { show: false },
      padding: [10, 12, 0, 0],
      scales: { x: { time }, y: choice.kind === 'bars' ? { range: (_u, min, max) => [Math.min(0, min), Math.max(0, max) * 1.05 || 1] } : {} },
      axes: [
        { stroke: text, font, grid: { show: false }, ticks: { stroke: grid, size: 5 }, size: 42, space: 74, values: time ? timeTicks : undefined },
        { stroke: text, font, grid: { stroke: grid, width: 1 }, ticks: { show: false }, gap: 8, size: 60, values: valueTicks },
      ],
      series: [
        {},
        ...lines.names.map((_, i): uPlot.Series => {
          const stroke = () => colour(`line-${i}`)
          return bars ? { stroke, fill: stroke, width: 0, paths: bars, points: { show: false } } : { stroke, width: 1.75, points: { size: 5 } }
        }),
      ],
      cursor: { y: false, points: { size: 8 } },
      hooks: {
        setCursor: [
          (u) => {
            const i = u.cursor.idx
            if (i === null || i === undefined) return setText(read, ' ')
            const place = time ? stamp(lines.x[i]) : valueText(lines.x[i])
            const values = lines.names.map((name, l) => ({ name, v: lines.y[l][i] ?? null })).filter(({ v }) => v !== null)
            setText(read, [place, ...values.map(({ name, v }) => `${name} ${valueText(v)}`)].join(' · '))
          },
        ],
      },
    },
    [lines.x, ...lines.y] as uPlot.AlignedData,
    host,
  )
  const resized = new ResizeObserver(() => {
    const width = Math.floor(host.clientWidth)
    if (width > 0 && width !== plot.width) plot.setSize({ width, height: HEIGHT_PX })
  })
  resized.observe(host)
  return {
    element,
    recolour: () => plot.redraw(false),
    destroy() {
      resized.disconnect()
      plot.destroy()
    },
  }
}

/** A bar for each row: the table said again, with lengths. */
function textBars({ rows }: Answer, { x, y }: Choice): Plot {
  const [of] = y
  const shown = rows.slice(0, TEXT_BARS_MAX).map((row) => ({ name: String(row[x] ?? '–'), value: numberOf(row[of]) ?? 0 }))
  const most = Math.max(...shown.map((row) => Math.abs(row.value)), 1e-12)
  const list = h('ul', { class: 'text-bars', 'aria-label': `${of} by ${x}` }, ...shown.map(({ name, value }) => {
    const bar = h('span', { class: 'text-bar', 'aria-hidden': 'true' })
    bar.style.width = `${(100 * Math.abs(value)) / most}%`
    return h('li', {}, h('span', { class: 'text-bar-name' }, name), h('span', { class: 'text-bar-track' }, bar), h('span', { class: 'text-bar-value' }, valueText(value)))
  }))
  const element = h('div', { class: 'plot' }, list)
  if (rows.length > TEXT_BARS_MAX) element.append(h('p', { class: 'muted small' }, `The first ${TEXT_BARS_MAX} of ${rows.length}.`))
  return { element, recolour() {}, destroy() {} }
}
