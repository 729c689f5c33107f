/**
 * What the input log alone says: the batch computation that everything else is held against.
 *
 * Owns the rules in their plainest form, over the whole log at once and without any memory of windows: a reading is distinct by series,
 * time and value; expired by the log's time at its receipt; repeated by its Idempotency-Key.
 */

import { decodeInput, DEFAULT_SETTINGS } from '../../../actors/reading/input.ts'
import type { Block } from '../../../actors/reading/input.ts'
import { WINDOW_SIZES_MS, windowStart } from '../../../actors/reading/window.ts'
import { IDEMPOTENCY_MS } from '../../../runtime/limits.ts'
import type { LogMessage } from '../../../runtime/log.ts'

export interface Row {
  readonly tenant: string
  readonly device: string
  readonly metric: string
  readonly ts: number
  readonly value: number
}

/** Names a reading by all that makes it one. */
export const nameOf = ({ tenant, device, metric, ts, value }: Row): string => `${tenant} ${device} ${metric} ${ts} ${value}`

/** Every distinct reading that was not expired, and the counts of fates. */
export interface Expected {
  readonly readings: Map<string, Row>
  /** Readings that came when they were older than retention, each time counted. */
  readonly expiredNames: Set<string>
  accepted: number
  rejected: number
  expired: number
}

export function nothing(): Expected {
  return { readings: new Map(), expiredNames: new Set(), accepted: 0, rejected: 0, expired: 0 }
}

/** Adds what the messages of one partition say, in order. Retention is what the settings among them say, from each on. */
export function compute(messages: readonly LogMessage[], expected: Expected): void {
  let nowMs = 0
  let { retentionMs } = DEFAULT_SETTINGS
  const keys = new Map<string, number>()
  for (const { timeMs, data } of messages) {
    nowMs = Math.max(nowMs, timeMs)
    const input = decodeInput(data)
    if (input.kind === 'settings') retentionMs = input.settings.retentionMs
    if (input.kind === 'rejects') for (const [, count] of input.counts) expected.rejected += count
    if (input.kind !== 'block') continue
    const repeated = new Set<number>()
    for (const { hash, from, to } of input.keyed) {
      // A key is forgotten in time; what comes under it again then is found by value, or expired.
      const known = keys.has(hash) && keys.get(hash)! >= nowMs - IDEMPOTENCY_MS
      if (known) for (let i = from; i < to; i++) repeated.add(i)
      else keys.set(hash, nowMs)
    }
    for (let i = 0; i < input.ts.length; i++) {
      expected.accepted++
      if (repeated.has(i)) continue
      const row = rowOf(input, i)
      if (retentionMs > 0 && row.ts < nowMs - retentionMs) {
        expected.expired++
        expected.expiredNames.add(nameOf(row))
      } else expected.readings.set(nameOf(row), row)
    }
  }
}

export function rowOf(block: Block, i: number): Row {
  const series = block.row[i]
  return {
    tenant: block.tenant,
    device: block.devices[block.seriesDevice[series]],
    metric: block.metrics[block.seriesMetric[series]],
    ts: block.ts[i],
    value: block.value[i],
  }
}

/** A window's statistics, as `GROUP BY time_bucket` gives them. Percentiles are discrete. */
export interface Statistics {
  count: number
  sum: number
  min: number
  max: number
  mean: number
  /** NaN of one reading. */
  stddev: number
  first: number
  last: number
  p50: number
  p95: number
  p99: number
}

/** Statistics by `tenant device metric size start`, for all sizes. */
export function windowsOf(rows: Iterable<Row>): Map<string, Statistics> {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    for (const [size, sizeMs] of WINDOW_SIZES_MS.entries()) {
      const key = windowKey({ ...row, size, start: windowStart(row.ts, sizeMs) })
      const group = groups.get(key)
      if (group === undefined) groups.set(key, [row])
      else group.push(row)
    }
  }
  return new Map([...groups].map(([key, group]) => [key, statistics(group)]))
}

export function windowKey(of: { tenant: string; device: string; metric: string; size: number; start: number }): string {
  return `${of.tenant} ${of.device} ${of.metric} ${of.size} ${of.start}`
}

function statistics(rows: readonly Row[]): Statistics {
  const byTime = [...rows].sort((a, b) => a.ts - b.ts || a.value - b.value)
  const values = rows.map((r) => r.value).sort((a, b) => a - b)
  const sum = values.reduce((s, v) => s + v, 0)
  const mean = sum / values.length
  const squares = values.reduce((s, v) => s + (v - mean) ** 2, 0)
  const quantile = (q: number) => values[Math.max(0, Math.ceil(q * values.length) - 1)]
  return {
    count: values.length,
    sum,
    min: values[0],
    max: values[values.length - 1],
    mean,
    stddev: values.length < 2 ? NaN : Math.sqrt(squares / (values.length - 1)),
    first: byTime[0].value,
    last: byTime[byTime.length - 1].value,
    p50: quantile(0.5),
    p95: quantile(0.95),
    p99: quantile(0.99),
  }
}
