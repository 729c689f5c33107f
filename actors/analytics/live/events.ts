/**
 * Live events as text of Server-Sent Events: the rows of a block, and the results of a commit.
 *
 * Events of a message are numbered from 0, windows, anomalies, forecasts and alerts of a commit together: the number is part of an event's id, so that a
 * stream that was cut within a message goes on within it.
 */

import { sizeMs } from '../../partition/effects.ts'
import type { AlertRow, PartitionEffects, SeriesName } from '../../partition/effects.ts'
import { rowsOf } from '../../partition/forecasts.ts'
import type { Forecast } from '../../partition/forecasts.ts'
import { WINDOW_SIZES_MS, WINDOW_SIZE_NAMES } from '../../reading/window.ts'
import type { Block } from '../../reading/input.ts'
import { suffixOf } from './ids.ts'
import type { Kind, LiveFilter } from './subscriber.ts'
import { formatTime } from '../data/times.ts'

/** What one message of the log says, event by event. */
export interface Events {
  /** The stream that the message is of, as ids number them. */
  readonly stream: number
  readonly count: number
  readonly series: readonly SeriesName[]
  seriesOf(event: number): number
  kindOf(event: number): Kind
  /** JSON. */
  dataOf(event: number, timeMs: boolean): string
}

const nameOf = ({ device, metric }: SeriesName) => `{"device":${JSON.stringify(device)},"metric":${JSON.stringify(metric)}`

/** The series of a block's dictionary. */
export function seriesOf({ tenant, devices, metrics, seriesDevice, seriesMetric }: Block): SeriesName[] {
  return Array.from(seriesDevice, (d, s) => ({ tenant, device: devices[d], metric: metrics[seriesMetric[s]] }))
}

/** The readings of a block that the log stored at `timeMs`. */
export function readingsOf(stream: number, storedMs: number, block: Block, series: readonly SeriesName[]): Events {
  const names = new Array<string | undefined>(series.length)
  return {
    stream,
    count: block.ts.length,
    series,
    seriesOf: (i) => block.row[i],
    kindOf: () => 'reading',
    dataOf: (i, timeMs) => {
      const s = block.row[i]
      const name = (names[s] ??= nameOf(series[s]))
      const ts = block.ts[i]
      return timeMs
        ? `${name},"ts":${ts},"value":${block.value[i]},"received_at":${storedMs}}`
        : `${name},"ts":"${formatTime(ts)}","value":${block.value[i]},"received_at":"${formatTime(storedMs)}"}`
    },
  }
}

/** The results of a commit: windows first, then anomalies, then forecasts, then alerts. */
export function resultsOf(stream: number, { series, windows, anomalies, forecasts, alerts }: PartitionEffects): Events {
  const behind = windows.length + anomalies.length
  const last = behind + forecasts.length
  return {
    stream,
    count: last + alerts.length,
    series,
    seriesOf: (i) => (i < windows.length ? windows[i] : i < behind ? anomalies[i - windows.length] : i < last ? forecasts[i - behind] : alerts[i - last]).series,
    kindOf: (i) => (i < windows.length ? 'window' : i < behind ? 'anomaly' : i < last ? 'forecast' : 'alert'),
    dataOf: (i, timeMs) => {
      const time = (ms: number) => (timeMs ? ms : formatTime(ms))
      if (i >= last) return alertText(alerts[i - last], series, time)
      if (i >= behind) return forecastText(forecasts[i - behind], series, time)
      if (i >= windows.length) {
        const { series: s, ts, value, score, expected, lower, upper, reason, kind = null, part = null } = anomalies[i - windows.length]
        const { device, metric } = series[s]
        return JSON.stringify({ device, metric, ts: time(ts), value, score, expected, lower, upper, reason, kind, part })
      }
      const { series: s, start, count, min, max, sum, stddev, first, last: newest, p50, p95, p99, closedBy } = windows[i]
      const { device, metric } = series[s]
      const size = WINDOW_SIZE_NAMES[WINDOW_SIZES_MS.indexOf(sizeMs(windows[i]) as (typeof WINDOW_SIZES_MS)[number])]
      const numbers = { count, min, max, mean: sum / count, sum, stddev, first, last: newest, p50, p95, p99 }
      return JSON.stringify({ device, metric, size, start: time(start), ...numbers, closed_by: closedBy })
    },
  }
}

function alertText(alert: AlertRow, series: readonly SeriesName[], time: (ms: number) => number | string | null): string {
  const { id, rule, severity, event, at, value, message, number, by } = alert
  const { device, metric } = series[alert.series]
  return JSON.stringify({ id, rule, device, metric, severity, event, at: time(at), value, message, number, person: by })
}

function forecastText(forecast: Forecast, series: readonly SeriesName[], time: (ms: number) => number | string | null): string {
  const { model, madeAt, coverage, error } = forecast
  const { device, metric } = series[forecast.series]
  const rows = [...rowsOf(forecast)].map(({ ts, mean, lower, upper, lower80, upper80 }) => ({ ts: time(ts), mean, lower, upper, lower80, upper80 }))
  return JSON.stringify({ device, metric, model, made_at: time(madeAt), coverage, error, forecast: rows })
}

/** The events of each series, in order; made where more than one filter asks. */
export class BySeries {
  #events: Events
  #first: Int32Array | null = null
  #next: Int32Array = new Int32Array(0)

  constructor(events: Events) {
    this.#events = events
  }

  of(series: number): number[] {
    const { count, seriesOf } = this.#events
    if (this.#first === null) {
      this.#first = new Int32Array(this.#events.series.length).fill(-1)
      this.#next = new Int32Array(count)
      for (let i = count - 1; i >= 0; i--) {
        const s = seriesOf(i)
        this.#next[i] = this.#first[s]
        this.#first[s] = i
      }
    }
    const found: number[] = []
    for (let i = this.#first[series]; i >= 0; i = this.#next[i]) found.push(i)
    return found
  }
}

/**
 * The text of the events of the series `wanted` that a filter lets pass, from the event `from` on. `prefix` is the id up to the row.
 */
export function textOf(events: Events, by: BySeries, { kinds, timeMs }: LiveFilter, options: { wanted: readonly number[]; prefix: string; from?: number }): string {
  const { wanted, prefix, from = 0 } = options
  const { stream, count, series, seriesOf, kindOf, dataOf } = events
  let out = ''
  const add = (i: number) => {
    const kind = kindOf(i)
    if (kinds.has(kind)) out += `event: ${kind}\nid: ${prefix}${i === count - 1 ? '' : suffixOf(stream, i)}\ndata: ${dataOf(i, timeMs)}\n\n`
  }
  if (wanted.length === series.length) {
    for (let i = from; i < count; i++) add(i)
  } else if (wanted.length === 1) {
    for (const i of by.of(wanted[0])) if (i >= from) add(i)
  } else {
    const asked = new Set(wanted)
    for (let i = from; i < count; i++) if (asked.has(seriesOf(i))) add(i)
  }
  return out
}
