/**
 * What metrics are called and measured in, as the registry of units says, and values in those words.
 *
 * Owns loading the registry, and the rule which entry holds: edited before built-in, the very name before the longest beginning.
 */

import type { Api } from './api.ts'
import { value as plain } from './format.ts'

export interface UnitRow {
  readonly metric: string
  readonly label: string
  readonly unit: string
  readonly decimals: number
  readonly range: readonly [number, number] | null
  readonly source: 'edited' | 'default'
}

export interface UnitList {
  readonly units: readonly UnitRow[]
  readonly revision: number
  readonly mayEdit: boolean
}

export interface Units {
  /** Asks for the registry. Without an answer metrics keep their bare names. */
  load(): Promise<UnitList>
  /** The entry that holds for a metric; null where none does. */
  of(metric: string): UnitRow | null
  label(metric: string): string
  /** Its symbol; empty where there is none. */
  symbol(metric: string): string
  /** A value without its unit: 26.3. */
  bare(metric: string, v: number | null | undefined): string
  /** A value with its unit: 26.3 %. */
  text(metric: string, v: number | null | undefined): string
  /** From one value to another: 25.9 to 26.5 %. */
  band(metric: string, lower: number, upper: number): string
}

export function createUnits(api: Api): Units {
  let rows: readonly UnitRow[] = []
  const found = new Map<string, UnitRow | null>()

  const units: Units = {
    async load() {
      const list = await api.get<UnitList>('/v1/units')
      rows = list.units
      found.clear()
      return list
    },
    of(metric) {
      let row = found.get(metric)
      if (row === undefined) found.set(metric, (row = pickUnit(rows, metric)))
      return row
    },
    label: (metric) => units.of(metric)?.label || inWords(metric),
    symbol: (metric) => units.of(metric)?.unit ?? '',
    bare(metric, v) {
      const row = units.of(metric)
      if (row === null || v === null || v === undefined) return plain(v)
      // What would be rounded away, or is out of all proportion, is said in its own digits.
      const size = Math.abs(v)
      if (size >= 1e9 || (size !== 0 && size < 0.5 * 10 ** -row.decimals)) return plain(v)
      return fixed(row.decimals).format(v)
    },
    text(metric, v) {
      const symbol = units.symbol(metric)
      const bare = units.bare(metric, v)
      return symbol === '' || v === null || v === undefined ? bare : `${bare}\u00a0${symbol}`
    },
    band: (metric, lower, upper) => `${units.bare(metric, lower)} to ${units.text(metric, upper)}`,
  }
  return units
}

/** The rule of the registry; `rows` in any order. */
export function pickUnit(rows: readonly UnitRow[], metric: string): UnitRow | null {
  let best: UnitRow | null = null
  let points = -1
  for (const row of rows) {
    const beginning = row.metric.endsWith('*') ? row.metric.slice(0, -1) : null
    if (beginning === null ? row.metric !== metric : !metric.startsWith(beginning)) continue
    const of = (row.source === 'edited' ? 10_000 : 0) + (beginning === null ? 1_000 : beginning.length)
    if (of > points) [best, points] = [row, of]
  }
  return best
}

/** A metric's name as words: soil_moisture.top becomes Soil moisture top. */
export function inWords(metric: string): string {
  const words = metric.replace(/[_.]+/g, ' ').trim()
  return words.charAt(0).toUpperCase() + words.slice(1)
}

const formats = new Map<number, Intl.NumberFormat>()

function fixed(decimals: number): Intl.NumberFormat {
  let format = formats.get(decimals)
  if (!format) formats.set(decimals, (format = new Intl.NumberFormat(undefined, { minimumFractionDigits: decimals, maximumFractionDigits: decimals })))
  return format
}
