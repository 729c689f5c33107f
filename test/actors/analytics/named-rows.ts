/** Rows as tests write them: with the names of their series in place of numbers, and plain values where a test does not care. */

import type { AlertRow, AnomalyRow, DriverRow, FeedbackRow, HourRow, ProfileRow, WindowRow } from '../../../actors/partition/effects.ts'
import type { Forecast } from '../../../actors/partition/forecasts.ts'

export const T0 = Date.UTC(2026, 0, 1)
export const MINUTE = 60_000

export type NamedWindow = Omit<WindowRow, 'series'> & { device: string; metric: string }
export type NamedForecast = Omit<Forecast, 'series'> & { device: string; metric: string }
export type NamedFeedback = Omit<FeedbackRow, 'series'> & { device: string; metric: string }
export type NamedProfile = Omit<ProfileRow, 'series'> & { device: string; metric: string }
export type NamedDriver = Omit<DriverRow, 'series'> & { device: string; metric: string }
export type NamedHour = Omit<HourRow, 'series'> & { device: string; metric: string }
export type NamedAlert = Omit<AlertRow, 'series'> & { device: string; metric: string }
export type NamedAnomaly = Omit<AnomalyRow, 'series'> & { device: string; metric: string }

/** A forecast of some hours: the mean climbs by one an hour from `from`, its bounds are 2 and 1 away. */
export function forecastRow(device: string, madeAt: number, steps: number, from: number, options: Partial<NamedForecast> = {}): NamedForecast {
  const column = (by: number) => Float64Array.from({ length: steps }, (_, i) => from + i + by)
  return { device, metric: 'm', madeAt, steps, mean: column(0), lower: column(-2), upper: column(2), lower80: column(-1), upper80: column(1), model: 'theta', coverage: NaN, error: NaN, ...options }
}

/** A window's row with plain numbers. */
export function windowRow(device: string, start: number, values: number[], options: Partial<NamedWindow> = {}): NamedWindow {
  const sorted = [...values].sort((a, b) => a - b)
  const sum = values.reduce((a, b) => a + b, 0)
  const at = (q: number) => sorted[Math.ceil(q * sorted.length) - 1]
  const mean = sum / values.length
  const variance = values.reduce((a, v) => a + (v - mean) ** 2, 0) / (values.length - 1)
  return {
    device, metric: 'm', size: 0, start, count: values.length, sum, min: sorted[0], max: sorted.at(-1)!, stddev: values.length > 1 ? Math.sqrt(variance) : NaN,
    first: values[0], last: values.at(-1)!, p50: at(0.5), p95: at(0.95), p99: at(0.99), closedBy: 'watermark', ...options,
  }
}
