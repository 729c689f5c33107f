/**
 * Windows of a stored size: the newest version of each, from the lake and from fresh commits.
 *
 * - V1 Rows are ordered by (device, metric, start), and a page ends behind its last row: what comes meanwhile neither moves nor repeats a row
 *   that was shown. A window that comes behind a place that was passed is not shown to who has passed it.
 * - V2 Of several versions of a window the one of the newest commit is shown; a window that the store has made anew with late readings stays the
 *   store's, since the actor's rows lack them.
 */

import { WINDOW_SIZES_MS } from '../../reading/window.ts'
import type { FreshView, Range } from '../data/fresh.ts'
import { text } from '../data/lake.ts'
import { rangeSql, scopeSql } from './scope.ts'
import type { Scope } from './scope.ts'
import { matches } from '../data/series-catalog.ts'
import { relationOf } from '../data/series-rows.ts'
import type { Tail, View } from '../data/tail.ts'

/** `[device, metric, start, count, min, max, mean, sum, stddev, first, last, p50, p95, p99, closed_by]` */
export type WindowCells = [device: string, metric: string, start: number, count: number, ...rest: (number | string | null)[]]
export const WINDOW_NUMBERS = ['min', 'max', 'mean', 'sum', 'stddev', 'first', 'last', 'p50', 'p95', 'p99'] as const
export const CLOSED_BY_AT = 14

/** Where rows begin: behind the window that `at` names, or with it. */
export interface From {
  readonly at: readonly [device: string, metric: string, start: number]
  readonly inclusive: boolean
}

/** Rows, at most as many as asked for, and where to go on; null where none follow. */
export interface WindowPage {
  readonly rows: WindowCells[]
  readonly next: From | null
}

/** What the rows are of, and where they begin. */
export interface WindowQuery {
  readonly scope: Scope
  /** Of starts. */
  readonly range: Range
  readonly place: From | null
  readonly limit: number
}

/** The first `limit` of rows of which there may be more. */
export function pageOf(rows: WindowCells[], limit: number): WindowPage {
  if (rows.length <= limit) return { rows, next: null }
  rows.length = limit
  return { rows, next: behind(rows[limit - 1]) }
}

const behind = ([device, metric, start]: WindowCells): From => ({ at: [device, metric, start], inclusive: false })

/** A place as a condition on `start`, an SQL expression of epoch ms, with a leading AND. The device alone lets segments be passed over. */
export function placeSql(place: From | null, start: string): string {
  if (place === null) return ''
  const [device, metric, ms] = place.at
  const order = place.inclusive ? '>=' : '>'
  return ` AND device >= ${text(device)} AND (device, metric, ${start}) ${order} (${text(device)}, ${text(metric)}, ${ms}::DOUBLE)`
}

export function compare(a: readonly unknown[], b: readonly unknown[]): number {
  for (const at of [0, 1, 2]) {
    const x = a[at] as string | number
    const y = b[at] as string | number
    if (x < y) return -1
    if (x > y) return 1
  }
  return 0
}

export function isBeyond(row: WindowCells, place: From | null): boolean {
  if (place === null) return true
  const order = compare(row, place.at)
  return place.inclusive ? order >= 0 : order > 0
}

export const keyOf = ([device, metric, start]: readonly unknown[]) => `${device}\n${metric}\n${start}`

export function cellsOf(columns: any[][]): WindowCells[] {
  const rows = new Array<WindowCells>(columns[0]?.length ?? 0)
  for (let i = 0; i < rows.length; i++) rows[i] = columns.map((column) => column[i]) as WindowCells
  return rows
}

const NUMBERS_SQL = 'count::DOUBLE, min, max, mean, sum, stddev, first, last, p50, p95, p99'

/**
 * The newest version of each of the first `most` windows, in order. Nearly every window has one version alone: so they are sorted with all of
 * theirs, and the older ones passed over here, which costs a third of having DuckDB rank them.
 */
async function newestWindows(tail: Tail, view: View, { scope, range, place }: WindowQuery, size: number, most: number): Promise<WindowCells[]> {
  const relation = await relationOf(tail.lake, view.version, 'windows', { ...scope, ...range, size })
  for (let asked = most + Math.ceil(most / 4); ; asked *= 4) {
    const all = cellsOf(
      await tail.lake.query(
        `SELECT device, metric, epoch_ms(start)::DOUBLE, ${NUMBERS_SQL}, closed_by FROM ${relation}
         WHERE ${scopeSql(scope)} AND size = to_minutes(${WINDOW_SIZES_MS[size] / 60_000})${rangeSql('start', range)}
           ${placeSql(place, 'epoch_ms(start)::DOUBLE')}
         ORDER BY device, metric, start, version DESC LIMIT ${asked}`,
      ),
    )
    const rows = all.filter((row, i) => i === 0 || compare(row, all[i - 1]) !== 0)
    if (rows.length >= most || all.length < asked) return rows.slice(0, most)
  }
}

export async function storedWindows(tail: Tail, view: View, query: WindowQuery, size: number): Promise<WindowPage> {
  const { scope, range, place, limit } = query
  const most = limit + 1
  const fresh = freshWindows(view.fresh, scope, range, size)
  const rows = await newestWindows(tail, view, query, size, most)
  if (fresh.size === 0) return pageOf(rows, limit)
  const kept: WindowCells[] = []
  for (const row of rows) {
    const key = keyOf(row)
    if (fresh.has(key) && row[CLOSED_BY_AT] !== 'late') continue
    kept.push(row)
    fresh.delete(key)
  }
  // Fresh rows behind the lake's last row are left to the next page, where the lake's own rows there are known.
  const last = rows.length === most ? rows[most - 1] : null
  for (const row of fresh.values()) if (isBeyond(row, place) && (last === null || compare(row, last) <= 0)) kept.push(row)
  return pageOf(kept.sort(compare), limit)
}

/** The newest fresh row of each window that passes, by its key. */
export function freshWindows(view: FreshView, { tenant, filter }: Scope, range: Range, size: number): Map<string, WindowCells> {
  const newest = new Map<string, WindowCells>()
  for (const commits of view) {
    for (const { effects } of commits) {
      if (effects.windows.length === 0) continue
      const wanted = effects.series.map((s) => s.tenant === tenant && matches(filter, s.device, s.metric))
      if (!wanted.includes(true)) continue
      for (const w of effects.windows) {
        if (w.size !== size || !wanted[w.series] || w.start < range.from || w.start >= range.to) continue
        const { device, metric } = effects.series[w.series]
        const row: WindowCells = [
          device, metric, w.start, w.count, w.min, w.max, w.sum / w.count, w.sum, Number.isNaN(w.stddev) ? null : w.stddev,
          w.first, w.last, w.p50, w.p95, w.p99, w.closedBy,
        ]
        newest.set(keyOf(row), row)
      }
    }
  }
  return newest
}
