/**
 * The tables whose rows are what commits say, as they are: anomalies, forecasts, answers, profiles, drivers, alerts.
 *
 * Owns which rows of a commit they are, as numbers and texts in the order of the table's columns. So a table of this sort is one entry in tables.ts
 * and one here; buffer, segments, both shelves, fresh rows and the views of public SQL follow.
 *
 * - P1 Behind the names of its series, a row is numbers and texts: times in epoch ms, whole numbers and booleans as numbers, NaN for null.
 * - P2 The first column behind the names is a time; by it rows are sorted, and dropped with old days, unless `BY` names another one.
 */

import type { PartitionEffects } from '../partition/effects.ts'
import { rowsOf } from '../partition/forecasts.ts'
import type { StagedColumn } from './columns.ts'
import { TABLES } from './tables.ts'

export const PLAIN_TABLES = ['anomalies', 'forecasts', 'feedback', 'profiles', 'drivers', 'alerts', 'own_rows'] as const
export type PlainTable = (typeof PLAIN_TABLES)[number]

type Row = readonly [series: number, numbers: readonly number[], texts: readonly (string | null)[]]

/** The rows of a commit of time `timeMs`. */
export const PLAIN_ROWS: Readonly<Record<PlainTable, (effects: PartitionEffects, timeMs: number) => Iterable<Row>>> = {
  anomalies: ({ anomalies }) => anomalies.map((a) => [a.series, [a.ts, a.value, a.score, a.expected, a.lower, a.upper], [a.reason, a.kind ?? null, a.part ?? null]]),
  *forecasts({ forecasts }) {
    for (const forecast of forecasts) {
      for (const f of rowsOf(forecast)) yield [f.series, [f.madeAt, f.ts, f.mean, f.lower, f.upper, f.lower80, f.upper80, f.coverage, f.error], [f.model]]
    }
  },
  feedback: ({ feedback }, timeMs) => feedback.map((f) => [f.series, [f.ts, f.value, f.useful ? 1 : 0, f.factor, timeMs], []]),
  profiles: ({ profiles }) => profiles.map((p) => [p.series, [p.day, p.level, p.amplitude, p.cluster < 0 ? NaN : p.cluster, p.distance], []]),
  drivers: ({ drivers }) => drivers.map((d) => [d.series, [d.at, ...d.effects, ...d.errors, d.gain, d.hours], [d.driverDevice, d.driverMetric]]),
  alerts: ({ alerts }) => alerts.map((a) => [a.series, [a.at, a.value, a.number], [a.id, a.rule, a.severity, a.event, a.message, a.by]]),
  own_rows: ({ own }) => own.map((row) => [row.series, [row.at, row.number], [row.body]]),
}

/** By what rows are sorted and grow old, where it is not their first column; and what orders those that are of one time. */
const BY: Partial<Record<PlainTable, string>> = { forecasts: 'ts' }
const THEN: Readonly<Record<PlainTable, string>> = { anomalies: 'value', forecasts: 'made_at', feedback: 'answered_at', profiles: 'day', drivers: 'driver_device', alerts: 'number', own_rows: 'number' }

type Column = readonly [name: string, type: string]
const columnsOf = (table: PlainTable): readonly Column[] => (TABLES[table] as readonly Column[]).slice(3)
const isText = ([, type]: Column) => type === 'VARCHAR'

/** Names of a row's numbers and of its texts, in the order of `PLAIN_ROWS`. */
export function namesOf(table: PlainTable): { readonly numbers: readonly string[]; readonly texts: readonly string[] } {
  const columns = columnsOf(table)
  return { numbers: columns.filter((c) => !isText(c)).map(([name]) => name), texts: columns.filter(isText).map(([name]) => name) }
}

/** The column whose time says how old a row is, and the order of rows of one series. */
export const ageOf = (table: PlainTable): string => BY[table] ?? columnsOf(table)[0][0]
export const orderOf = (table: PlainTable): string => `${ageOf(table)}, ${THEN[table]}`

/** Rows of one table, in columns that grow. */
export class PlainRows {
  readonly series: number[] = []
  readonly numbers: readonly number[][]
  readonly texts: readonly (string | null)[][]
  readonly #age: number

  constructor(table: PlainTable) {
    const { numbers, texts } = namesOf(table)
    this.numbers = numbers.map(() => [])
    this.texts = texts.map(() => [])
    this.#age = numbers.indexOf(ageOf(table))
  }

  get length(): number {
    return this.series.length
  }

  /** Adds a row, unless it is from before `floorMs`. */
  add(series: number, numbers: readonly number[], texts: readonly (string | null)[], floorMs = -Infinity): void {
    if (numbers[this.#age] < floorMs) return
    this.series.push(series)
    for (const [i, number] of numbers.entries()) this.numbers[i].push(number)
    for (const [i, text] of texts.entries()) this.texts[i].push(text)
  }
}

/** Such columns as DuckDB takes them. `series` says how its rows number theirs. */
export function stagedColumns(table: PlainTable, series: Int32Array, numbers: readonly ArrayLike<number>[], texts: readonly (readonly (string | null)[])[]): StagedColumn[] {
  const times = new Set(columnsOf(table).filter(([, type]) => type === 'TIMESTAMP').map(([name]) => name))
  const names = namesOf(table)
  return [
    { name: 'series', kind: 'int', data: series },
    ...names.numbers.map((name, i) => ({ name, kind: times.has(name) ? ('time' as const) : ('double' as const), data: numbers[i] instanceof Float64Array ? (numbers[i] as Float64Array) : Float64Array.from(numbers[i]) })),
    ...names.texts.map((name, i) => ({ name, kind: 'text' as const, data: texts[i] })),
  ]
}

/** The columns behind the names, of a staged relation `f`, in the table's order and of its types. */
export function shownColumns(table: PlainTable): string {
  const shown = ([name, type]: Column) => {
    if (type === 'BOOLEAN') return `f."${name}" = 1`
    return type === 'DOUBLE' || type === 'BIGINT' ? `CASE WHEN isnan(f."${name}") THEN NULL ELSE f."${name}"::${type} END` : `f."${name}"`
  }
  return columnsOf(table).map((column) => `${shown(column)} AS "${column[0]}"`).join(', ')
}
