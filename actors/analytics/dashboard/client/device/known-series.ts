/** What is known of a device: its series, each with its last value and how many readings it has, as the server listed them and as readings come. */

import type { Api } from '../api.ts'
import { age, count, duration } from '../format.ts'
import type { ReadingRow, SeriesRow } from '../shapes.ts'
import type { Units } from '../units.ts'
import { rhythmOf } from './place.ts'
import type { Rhythm } from './place.ts'

/** Metrics shown before the reader chooses. */
const FIRST_METRICS = 6
const SERIES_MAX = 500
const NOTHING_KNOWN = 'Nothing of this device is known here. It may be of another tenant, or have left by age.'

export class KnownSeries {
  readonly #api: Api
  readonly #units: Units
  /** In order of their labels; what comes live, behind. */
  rows: readonly SeriesRow[] = []

  constructor(api: Api, units: Units) {
    this.#api = api
    this.#units = units
  }

  clear(): void {
    this.rows = []
  }

  /** Asks for the series of a device. Throws as `Api.get` does. */
  async load(device: string, signal: AbortSignal): Promise<void> {
    if (device === '') return this.clear()
    const { series } = await this.#api.get<{ series: SeriesRow[] }>('/v1/series', { device, limit: SERIES_MAX }, signal)
    this.rows = series.sort((a, b) => this.#units.label(a.metric).localeCompare(this.#units.label(b.metric)))
  }

  /** Takes a reading that came live; false for one of a metric that the device did not have before. */
  note({ device, metric, ts, value }: ReadingRow, { snapshot }: { snapshot: boolean }): boolean {
    const at = this.rows.findIndex((row) => row.metric === metric)
    if (at < 0) {
      this.rows = [...this.rows, { device, metric, count: 1, first: ts, last: ts, value }]
      return false
    }
    const row = this.rows[at]
    const newer = ts >= row.last ? { last: ts, value } : {}
    this.rows = this.rows.with(at, { ...row, ...newer, count: row.count + (snapshot ? 0 : 1) })
    return true
  }

  rhythm(): Rhythm | null {
    return rhythmOf(this.rows)
  }

  /** Of the metrics that are wished, those that there are; the first ones where there is no wish. */
  metrics(wished: readonly string[] | null): string[] {
    return wished?.filter((name) => this.rows.some((row) => row.metric === name)) ?? this.rows.slice(0, FIRST_METRICS).map((row) => row.metric)
  }

  lastOf(metric: string): { ts: number; value: number } | null {
    const row = this.rows.find((r) => r.metric === metric)
    return row ? { ts: row.last, value: row.value } : null
  }

  /** In a line: how many metrics and readings, how long ago, and how often. */
  about(device: string, nowMs: number): string {
    const all = this.rhythm()
    if (!all) return device === '' ? 'Choose one in the fleet.' : NOTHING_KNOWN
    const every = all.everyMs === null ? '' : ` · usually every ${duration(all.everyMs)}`
    const things = `${this.rows.length} metric${this.rows.length === 1 ? '' : 's'} · ${count(all.count)} reading${all.count === 1 ? '' : 's'}`
    return `${things} · last ${age(all.last, nowMs)}${every}`
  }
}
