/**
 * Rows of the memory shelf, and what is computed from them: plain arithmetic, no files.
 *
 * A row is an object by column, as tables.ts names them: times and sizes are milliseconds, counts plain numbers. A window's `stddev`
 * may be null, and the readings of a series that has only windows.
 */

import { WINDOW_SIZES_MS } from '../reading/window.ts'
import { LEDGER_COUNTS } from './buffer.ts'
import { PLACED_TABLES, WINDOW_TABLES } from './tables.ts'
import type { WindowTable } from './tables.ts'

export type LakeRow = Readonly<Record<string, string | number | null>>

export interface Point {
  readonly ts: number
  readonly value: number
}

export function windowKey(row: LakeRow): string {
  return `${row.tenant}\n${row.device}\n${row.metric}\n${row.size}\n${row.start}`
}

/** Windows of all sizes as the tables of theirs. */
export function bySize(rows: readonly LakeRow[]): Record<WindowTable, LakeRow[]> {
  return Object.fromEntries(WINDOW_TABLES.map((table, size) => [table, rows.filter((row) => row.size === WINDOW_SIZES_MS[size])])) as Record<WindowTable, LakeRow[]>
}

/** The rows of those tables together, each with its size. */
export function ofAllSizes(tables: Readonly<Record<WindowTable, readonly LakeRow[]>>): LakeRow[] {
  return WINDOW_TABLES.flatMap((table, size) => tables[table].map((row) => ({ ...row, size: WINDOW_SIZES_MS[size] })))
}

/** Of the versions of each window the newest. */
export function newestWindows(rows: readonly LakeRow[]): LakeRow[] {
  const newest = new Map<string, LakeRow>()
  for (const row of rows) {
    const known = newest.get(windowKey(row))
    if (known === undefined || Number(row.version) > Number(known.version)) newest.set(windowKey(row), row)
  }
  return [...newest.values()]
}

export function readingKey({ tenant, device, metric, ts, value }: LakeRow): string {
  // Zero of either sign has one text.
  return `${tenant}\n${device}\n${metric}\n${ts}\n${value}`
}

/** What a window's row says of its readings. */
export function statisticsOf(points: readonly Point[]): LakeRow {
  const inTime = [...points].sort((a, b) => a.ts - b.ts || a.value - b.value)
  const ascending = points.map((p) => p.value).sort((a, b) => a - b)
  const count = points.length
  const sum = inTime.reduce((total, p) => total + p.value, 0)
  /** The smallest value that at least so many of a hundred do not exceed. */
  const atPercent = (percent: number) => ascending[Math.max(1, Math.ceil((percent * count) / 100)) - 1]
  return {
    count,
    sum,
    min: ascending[0],
    max: ascending[count - 1],
    mean: sum / count,
    stddev: deviationOf(ascending),
    first: inTime[0].value,
    last: inTime[count - 1].value,
    p50: atPercent(50),
    p95: atPercent(95),
    p99: atPercent(99),
  }
}

/** Sample deviation by Welford's method, which gives exactly 0 for equal values; null for one. */
function deviationOf(values: readonly number[]): number | null {
  let mean = 0
  let squares = 0
  for (const [i, value] of values.entries()) {
    const before = value - mean
    mean += before / (i + 1)
    squares += before * (value - mean)
  }
  return values.length === 1 ? null : Math.sqrt(squares / (values.length - 1))
}

/** Counts of one device and minute in one row. */
export function sumLedger(rows: readonly LakeRow[]): LakeRow[] {
  const sums = new Map<string, Record<string, string | number | null>>()
  for (const row of rows) {
    const key = [row.tenant, row.device, row.minute].join('\n')
    const sum = sums.get(key)
    if (sum === undefined) sums.set(key, { ...row })
    else for (const name of ['accepted', ...LEDGER_COUNTS]) sum[name] = Number(sum[name]) + Number(row[name])
  }
  return [...sums.values()]
}

/** The summary of each series, in order, of rows that lie in the order of series. */
export function seriesOf(readings: readonly LakeRow[], placed: Readonly<Record<(typeof PLACED_TABLES)[number], readonly LakeRow[]>>): LakeRow[] {
  const nameOf = (row: LakeRow) => `${row.tenant}\n${row.device}\n${row.metric}`
  const readingsOf = Map.groupBy(readings, nameOf)
  const placedOf = PLACED_TABLES.map((table) => Map.groupBy(placed[table], nameOf))
  const names = [...new Set([readingsOf, ...placedOf].flatMap((of) => [...of.keys()]))].sort()
  let readingsAt = 0
  const placedAt = PLACED_TABLES.map(() => 0)
  return names.map((name) => {
    const [tenant, device, metric] = name.split('\n')
    const inTime = (readingsOf.get(name) ?? []).toSorted((a, b) => Number(a.ts) - Number(b.ts) || Number(a.value) - Number(b.value))
    const count = inTime.length
    const last = inTime.at(-1)
    const row: Record<string, string | number | null> = {
      tenant, device, metric, count, first: inTime[0]?.ts ?? null, last: last?.ts ?? null, value: last?.value ?? null, received_at: last?.received_at ?? null,
      readings_at: count === 0 ? 0 : readingsAt,
    }
    readingsAt += count
    for (const [i, table] of PLACED_TABLES.entries()) {
      const own = placedOf[i].get(name)?.length ?? 0
      row[table] = own
      row[`${table}_at`] = own === 0 ? 0 : placedAt[i]
      placedAt[i] += own
    }
    return row
  })
}

/** Of each series how many readings there are, and their sum, in order of the series. */
export type Counts = readonly (readonly [series: string, count: number, sum: number])[]

export function countsOf(readings: readonly LakeRow[]): Counts {
  return sumCounts([readings.map(({ device, metric, value }) => [`${device}\n${metric}`, 1, Number(value)] as const)])
}

/** Those of several parts together. The sums are exact where values are whole. */
export function sumCounts(parts: readonly Counts[]): Counts {
  const sums = new Map<string, readonly [number, number]>()
  for (const [series, n, of] of parts.flat()) {
    const [count, sum] = sums.get(series) ?? [0, 0]
    sums.set(series, [count + n, sum + of])
  }
  return [...sums].map(([series, [count, sum]]) => [series, count, sum] as const).sort(([a], [b]) => (a < b ? -1 : 1))
}
