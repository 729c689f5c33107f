/**
 * The rows of the fleet's list: a device each, its last values, why it needs a look, and a line of its last hour while it is in sight.
 *
 * Owns the elements, which are kept by device and only changed, so that focus and scroll stay.
 */

import type { Api } from '../api.ts'
import { h, setText } from '../dom.ts'
import { age } from '../format.ts'
import { address } from '../page.ts'
import type { DeviceRow, Graph } from '../shapes.ts'
import { drawSpark } from '../spark.ts'
import type { Units } from '../units.ts'
import { isRecent, reasons } from './words.ts'

const SPARK_AGAIN_MS = 60_000
const SPARK_POINTS = 60
const SPARK_SPAN_MIN_MS = 3_600_000
/** Values that a row shows; the device's page has them all. */
const VALUES_MAX = 4

interface Row {
  readonly element: HTMLLIElement
  readonly age: HTMLElement
  readonly reasons: HTMLElement
  readonly values: HTMLElement
  readonly spark: HTMLCanvasElement
  device: DeviceRow
  points: (number | null)[]
  drawnAt: number
}

export interface Rows {
  readonly element: HTMLElement
  render(devices: readonly DeviceRow[]): void
  /** Every second: ages and silences grow. */
  tick(): void
  recolour(): void
  leave(): void
}

export function createRows(api: Api, units: Units): Rows {
  const element = h('ul', { class: 'devices' })
  const rows = new Map<string, Row>()
  const inSight = new Set<Row>()
  let left = false
  let drawing = false

  const sight = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const row = rows.get((entry.target as HTMLElement).dataset.device ?? '')
      if (!row) continue
      if (entry.isIntersecting) inSight.add(row)
      else inSight.delete(row)
    }
    void drawSparks()
  })

  /** One after the other, so that a long list never crowds out what else is asked for. */
  async function drawSparks(): Promise<void> {
    if (drawing) return
    drawing = true
    try {
      for (;;) {
        const row = [...inSight].find((r) => Date.now() - r.drawnAt > SPARK_AGAIN_MS)
        if (!row || document.hidden || left) return
        row.drawnAt = Date.now()
        const { device, everyMs, last } = row.device
        const metric = sparkMetric(row.device)
        if (metric === null) continue
        const spanMs = Math.max(SPARK_SPAN_MIN_MS, SPARK_POINTS * (everyMs ?? 0))
        const to = Date.now() - last < spanMs ? Math.max(Date.now(), last) : last
        const graph = await api.get<Graph>('/v1/graph', { device, metric, from: Math.floor(to - spanMs), to: to + 1, width: SPARK_POINTS }).catch(() => null)
        if (!graph) continue
        row.points = [...graph.mean]
        row.spark.title = units.label(metric)
        drawSpark(row.spark, row.points, { fill: false, zeroBased: false })
      }
    } finally {
      drawing = false
    }
  }

  function makeRow(device: DeviceRow): Row {
    const at = device.device.lastIndexOf('/') + 1
    const name = h('a', { class: 'device-link', href: address('/device', { id: device.device }) },
      at > 0 && h('span', { class: 'device-path' }, device.device.slice(0, at)), h('span', { class: 'device-own' }, device.device.slice(at)))
    const row: Row = {
      element: h('li', { class: 'device-row', 'data-device': device.device }),
      age: h('span', { class: 'device-age muted small' }),
      reasons: h('ul', { class: 'device-reasons' }),
      values: h('dl', { class: 'device-values' }),
      spark: h('canvas', { class: 'device-spark', width: 96, height: 32, 'aria-hidden': 'true' }),
      device,
      points: [],
      drawnAt: 0,
    }
    row.element.append(h('span', { class: 'dot', 'aria-hidden': 'true' }), h('div', { class: 'device-words' }, h('p', { class: 'device-name' }, name, ' ', row.age), row.reasons), row.spark, row.values)
    sight.observe(row.element)
    return row
  }

  function fill(row: Row): void {
    const { device } = row
    row.element.dataset.state = device.state === 'silent' ? 'bad' : device.state === 'past' ? 'past' : isRecent(device, Date.now()) ? 'warn' : 'good'
    const shown = device.metrics.slice(0, VALUES_MAX)
    while (row.values.childElementCount > shown.length) row.values.lastElementChild!.remove()
    shown.forEach(({ metric, value }, i) => {
      const pair = row.values.children[i] ?? row.values.appendChild(h('div', {}, h('dt'), h('dd')))
      setText(pair.children[0] as HTMLElement, units.label(metric))
      setText(pair.children[1] as HTMLElement, units.text(metric, value))
    })
    showAge(row)
  }

  function showAge(row: Row): void {
    const now = Date.now()
    setText(row.age, row.device.state === 'speaking' ? age(row.device.last, now) : '')
    const why = reasons(row.device, units, now)
    while (row.reasons.childElementCount > why.length) row.reasons.lastElementChild!.remove()
    why.forEach(({ kind, text }, i) => {
      const item = (row.reasons.children[i] ?? row.reasons.appendChild(h('li'))) as HTMLElement
      item.dataset.kind = kind
      setText(item, text)
    })
  }

  return {
    element,
    render(devices) {
      const wanted = new Set(devices.map((d) => d.device))
      for (const [name, row] of rows) {
        if (wanted.has(name)) continue
        sight.unobserve(row.element)
        inSight.delete(row)
        row.element.remove()
        rows.delete(name)
      }
      devices.forEach((device, i) => {
        let row = rows.get(device.device)
        if (!row) rows.set(device.device, (row = makeRow(device)))
        row.device = device
        fill(row)
        // What stands in its place already is not moved, so that the reader's focus stays.
        if (element.children[i] !== row.element) element.insertBefore(row.element, element.children[i] ?? null)
      })
      void drawSparks()
    },
    tick() {
      for (const row of inSight) showAge(row)
    },
    recolour() {
      for (const row of inSight) drawSpark(row.spark, row.points, { fill: false, zeroBased: false })
    },
    leave() {
      left = true
      sight.disconnect()
    },
  }
}

/** The metric whose last hour is worth a line: the unusual one, else the first. */
function sparkMetric({ anomalies, metrics }: DeviceRow): string | null {
  return anomalies?.metric ?? metrics[0]?.metric ?? null
}
