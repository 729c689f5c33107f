/**
 * The list of series by device: last value, age, and a line of its last hour, or of its last sixty readings where they take longer, while it is in sight.
 *
 * Owns the list's elements, which are kept and only changed, so that focus and scroll stay. Each series is a link, so that it can be
 * opened in another tab as well.
 */

import type { Api } from './api.ts'
import type { Catalog } from './catalog.ts'
import { byId, h, setText } from './dom.ts'
import { age, count, value } from './format.ts'
import { placeQuery, usualIntervalMs } from './place.ts'
import type { RangeName } from './place.ts'
import { sameSeries } from './shapes.ts'
import type { Graph, SeriesKey } from './shapes.ts'
import { drawSpark } from './spark.ts'

/** Rows shown; beyond them one searches. */
const ROWS_MAX = 300
const SPARK_AGAIN_MS = 60_000
const SPARK_POINTS = 60
const SPARK_SPAN_MIN_MS = 3_600_000

interface Row {
  readonly key: SeriesKey
  readonly link: HTMLAnchorElement
  readonly value: HTMLElement
  readonly age: HTMLElement
  readonly spark: HTMLCanvasElement
  points: (number | null)[]
  drawnAt: number
}

export interface SeriesList {
  render(selected: SeriesKey | null, range: RangeName | null): void
  recolour(): void
  /** Forgets everything, for another key. */
  clear(): void
}

export function createSeriesList(api: Api, catalog: Catalog, onPick: (series: SeriesKey) => void): SeriesList {
  const list = byId('series-list')
  const more = byId('series-more')
  const rows = new Map<string, Row>()
  const groups = new Map<string, HTMLUListElement>()
  const inSight = new Set<Row>()
  let drawing = false
  let shown: SeriesKey | null = null

  const sight = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const row = rows.get((entry.target as HTMLElement).dataset.key ?? '')
      if (!row) continue
      if (entry.isIntersecting) inSight.add(row)
      else inSight.delete(row)
    }
    void drawSparks()
  })

  /** One after the other, so that a long list never crowds out the chart. */
  async function drawSparks(): Promise<void> {
    if (drawing) return
    drawing = true
    try {
      for (;;) {
        const row = [...inSight].find((r) => Date.now() - r.drawnAt > SPARK_AGAIN_MS)
        if (!row || document.hidden) return
        row.drawnAt = Date.now()
        const series = catalog.get(row.key)
        const last = series?.last ?? Date.now()
        const spanMs = Math.max(SPARK_SPAN_MIN_MS, SPARK_POINTS * (usualIntervalMs(series) ?? 0))
        const to = Date.now() - last < spanMs ? Math.max(Date.now(), last) : last
        const graph = await api.get<Graph>('/v1/graph', { ...row.key, from: Math.floor(to - spanMs), to: to + 1, width: SPARK_POINTS }).catch(() => null)
        if (!graph) continue
        row.points = [...graph.mean]
        drawSpark(row.spark, row.points, { fill: false, zeroBased: false })
      }
    } finally {
      drawing = false
    }
  }

  function makeRow(key: SeriesKey, id: string): Row {
    const row: Row = {
      key,
      link: h('a', {
        class: 'series-row',
        'data-key': id,
        onclick: (event: MouseEvent) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return
          event.preventDefault()
          onPick(key)
        },
      }),
      value: h('span', { class: 'row-value' }),
      age: h('span', { class: 'row-age' }),
      spark: h('canvas', { class: 'row-spark', width: 56, height: 22, 'aria-hidden': 'true' }),
      points: [],
      drawnAt: 0,
    }
    row.link.append(h('span', { class: 'row-metric' }, key.metric), row.spark, row.value, row.age)
    sight.observe(row.link)
    return row
  }

  return {
    render(selected, range) {
      const all = catalog.rows()
      const now = Date.now()
      for (const series of all.slice(0, ROWS_MAX)) {
        const id = `${series.device}\n${series.metric}`
        let row = rows.get(id)
        if (!row) {
          let group = groups.get(series.device)
          if (!group) {
            groups.set(series.device, (group = h('ul', { 'aria-label': series.device })))
            insertSorted(list, h('li', { class: 'device', 'data-name': series.device }, h('span', { class: 'device-name' }, series.device), group))
          }
          rows.set(id, (row = makeRow({ device: series.device, metric: series.metric }, id)))
          insertSorted(group, h('li', { 'data-name': series.metric }, row.link))
        }
        setText(row.value, value(series.value))
        setText(row.age, age(series.last, now))
        row.link.href = placeQuery({ series: row.key, range })
        if (sameSeries(row.key, selected)) row.link.setAttribute('aria-current', 'true')
        else row.link.removeAttribute('aria-current')
      }
      if (selected && !sameSeries(selected, shown)) {
        const row = rows.get(`${selected.device}\n${selected.metric}`)
        if (row) {
          shown = selected
          bringIntoSight(row.link)
        }
      }
      more.hidden = all.length <= ROWS_MAX && !catalog.partial()
      if (!more.hidden) setText(more, `The first ${count(Math.min(all.length, ROWS_MAX))} of more: find the others by typing.`)
      void drawSparks()
    },
    recolour() {
      for (const row of inSight) drawSpark(row.spark, row.points, { fill: false, zeroBased: false })
    },
    clear() {
      list.replaceChildren()
      rows.clear()
      groups.clear()
      inSight.clear()
    },
  }
}

/** Scrolls the list alone, never the page. */
function bringIntoSight(element: HTMLElement): void {
  const frame = byId('series-scroll')
  const [inner, outer] = [element.getBoundingClientRect(), frame.getBoundingClientRect()]
  if (inner.top < outer.top + 40 || inner.bottom > outer.bottom) frame.scrollTop += inner.top - outer.top - outer.height / 3
}

const collator = new Intl.Collator('en', { numeric: true })

function insertSorted(parent: HTMLElement, child: HTMLElement): void {
  const name = child.dataset.name ?? ''
  for (const other of parent.children) {
    if (collator.compare((other as HTMLElement).dataset.name ?? '', name) > 0) return void parent.insertBefore(child, other)
  }
  parent.append(child)
}
