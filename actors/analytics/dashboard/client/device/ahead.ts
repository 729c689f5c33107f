/**
 * What is expected of a series in the hours ahead: the forecast that the server gave with a graph, those that come live, and its tail in a chart.
 *
 * Pure. Invariants
 * - I1 Hours are in order, each once: of several forecasts of an hour the one that was made last.
 * - I2 A tail begins where what was measured ends, or now: nothing is expected of the past.
 */

import { duration } from '../format.ts'
import type { ForecastEvent, Graph } from '../shapes.ts'
import type { Units } from '../units.ts'

const HOUR_MS = 3_600_000

/** An hour by its middle, where a line through the means lies. 95 of 100 should fall between `lower` and `upper`, 80 between the other two. */
export interface Expected {
  readonly ts: number
  readonly mean: number
  readonly lower: number
  readonly upper: number
  readonly lower80: number
  readonly upper80: number
}

export interface Outlook {
  readonly model: string
  readonly madeAt: number
  /** Share of hours so far that fell within the bounds of 95 %; null until there are enough. */
  readonly coverage: number | null
  readonly hours: readonly Expected[]
}

/** The columns of a tail as a chart draws them. */
export type Tail = { readonly [Name in keyof Expected]: number[] }

const NAMES = ['ts', 'mean', 'lower', 'upper', 'lower80', 'upper80'] as const

export function fromForecast(forecast: Graph['forecast']): Outlook | null {
  if (!forecast || forecast.ts.length === 0) return null
  const { model, made_at, coverage, ts, mean, lower, upper, lower80, upper80 } = forecast
  const hours = ts.map((t, i) => ({ ts: t, mean: mean[i], lower: lower[i], upper: upper[i], lower80: lower80[i], upper80: upper80[i] }))
  return { model, madeAt: made_at, coverage, hours }
}

/** With a forecast that came live: where it ends, what was expected before goes on. */
export function withForecast(before: Outlook | null, { model, made_at, coverage, forecast }: ForecastEvent): Outlook | null {
  if (forecast.length === 0 || (before !== null && before.madeAt > made_at)) return before
  const hours = new Map(before?.hours.map((hour) => [hour.ts, hour]))
  for (const { ts, ...row } of forecast) hours.set(ts + HOUR_MS / 2, { ts: ts + HOUR_MS / 2, ...row })
  return { model, madeAt: made_at, coverage, hours: [...hours.values()].filter(({ ts }) => ts > made_at).sort((a, b) => a.ts - b.ts) }
}

/** What is expected at a moment, between the hours around it; before the first hour as in that. Null where nothing is. */
export function expectedAt({ hours }: Outlook, ts: number): Expected | null {
  const next = hours.findIndex((hour) => hour.ts >= ts)
  if (next < 0) return null
  const b = hours[next]
  if (next === 0) return b.ts - ts <= HOUR_MS ? { ...b, ts } : null
  const a = hours[next - 1]
  const share = (ts - a.ts) / (b.ts - a.ts)
  const between = (name: keyof Expected) => a[name] + (b[name] - a[name]) * share
  return { ts, mean: between('mean'), lower: between('lower'), upper: between('upper'), lower80: between('lower80'), upper80: between('upper80') }
}

/** The tail from a moment to another, both of them in it, so that the scale of values knows where it leaves; null where nothing is expected between. */
export function tailOf(outlook: Outlook | null, fromMs: number, toMs: number): Tail | null {
  if (outlook === null || toMs <= fromMs) return null
  const within = outlook.hours.filter(({ ts }) => ts > fromMs && ts < toMs)
  const all = [expectedAt(outlook, fromMs), ...within, expectedAt(outlook, toMs)].filter((hour) => hour !== null)
  if (all.length < 2) return null
  return Object.fromEntries(NAMES.map((name) => [name, all.map((hour) => hour[name])])) as Tail
}

type Words = Pick<Units, 'text' | 'band'>

/** What is expected in some hours, or as far as is known, and how far that is to be trusted; null where nothing is. */
export function aheadText(metric: string, words: Words, outlook: Outlook, nowMs: number): { expected: string; model: string; trust: string } | null {
  const last = outlook.hours.at(-1)
  if (!last || last.ts <= nowMs) return null
  const at = expectedAt(outlook, Math.min(last.ts, nowMs + SAID_MS)) ?? last
  const trust = outlook.coverage === null ? 'not tried often enough to say how often it is right' : `in ${Math.round(outlook.coverage * 100)} of 100 cases right so far`
  return {
    expected: `Expected: ${words.text(metric, at.mean)} in ${duration(at.ts - nowMs)}, within ${words.band(metric, at.lower, at.upper)}`,
    model: outlook.model === '' ? '' : `model ${outlook.model}, `,
    trust,
  }
}

/** How far ahead the words reach. */
export const SAID_MS = 6 * HOUR_MS
