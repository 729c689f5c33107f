/**
 * What must hold of a lake at rest: its readings are those of the input, each once; its windows are what grouping them gives; every fate adds up;
 * and what should be closed is closed.
 */

import assert from 'node:assert/strict'
import { MINUTE_MS, WINDOW_SIZES_MS } from '../../../actors/reading/window.ts'
import { nameOf, windowKey, windowsOf } from './oracle.ts'
import type { Expected, Row, Statistics } from './oracle.ts'

/** A window as the lake shows it: the newest version of its row. `size` is an index into `WINDOW_SIZES_MS`. */
export interface ShownWindow extends Statistics {
  readonly tenant: string
  readonly device: string
  readonly metric: string
  readonly size: number
  readonly start: number
  readonly closedBy: string
}

export interface ShownLake {
  readonly readings: readonly Row[]
  readonly windows: readonly ShownWindow[]
  /** Sums of the ledger. */
  readonly ledger: { readonly accepted: number; readonly rejected: number; readonly onTime: number; readonly late: number; readonly duplicate: number; readonly expired: number }
  readonly anomalies: number
  /** Ids and numbers of events, in order. */
  readonly alerts: readonly string[]
  /** Rows of own actors, in order. */
  readonly own: readonly string[]
}

export interface AtRest {
  readonly expected: Expected
  readonly anomalies: number
  readonly alerts: readonly string[]
  readonly own: readonly string[]
  /** By device, epoch ms: a minute that ended at or before this must be closed, by the watermark or by idle time. */
  readonly closedUntilMs: (row: { tenant: string; device: string }) => number
}

export function assertLake(lake: ShownLake, { expected, anomalies, alerts, own, closedUntilMs }: AtRest): void {
  const names = new Map<string, number>()
  for (const row of lake.readings) names.set(nameOf(row), (names.get(nameOf(row)) ?? 0) + 1)
  for (const [name, times] of names) {
    assert.equal(times, 1, `the lake holds ${name} ${times} times`)
    assert.ok(expected.readings.has(name), `the lake holds ${name}, which the log does not`)
  }
  for (const name of expected.readings.keys()) assert.ok(names.has(name), `the lake lacks ${name}`)
  assertWindows(lake.windows, windowsOf(expected.readings.values()))
  for (const w of lake.windows) {
    const mayBeOpen = w.size > 0 || w.start + MINUTE_MS > closedUntilMs(w)
    assert.ok(w.closedBy !== 'open' || mayBeOpen, `the minute ${windowKey(w)} is still open, though log time has passed it by lateness and idle time`)
  }
  const { accepted, rejected, onTime, late, duplicate, expired } = lake.ledger
  assert.deepEqual(
    { accepted, rejected, kept: onTime + late, expired, fates: onTime + late + duplicate + expired },
    { accepted: expected.accepted, rejected: expected.rejected, kept: expected.readings.size, expired: expected.expired, fates: expected.accepted },
    'the ledger',
  )
  assert.equal(lake.anomalies, anomalies, 'anomalies in the lake')
  assert.deepEqual(lake.alerts, alerts, 'events of alerts in the lake')
  assert.deepEqual(lake.own, own, 'rows of own actors in the lake')
}

function assertWindows(shown: readonly ShownWindow[], wanted: ReadonlyMap<string, Statistics>): void {
  const keys = new Set(shown.map(windowKey))
  assert.equal(keys.size, shown.length, 'a window shows twice')
  for (const key of wanted.keys()) assert.ok(keys.has(key), `the lake lacks the window ${key}`)
  for (const w of shown) {
    const want = wanted.get(windowKey(w))
    const what = `window ${windowKey(w)} of ${WINDOW_SIZES_MS[w.size]} ms, closed by ${w.closedBy}`
    assert.ok(want, `${what} has no readings`)
    for (const name of ['count', 'min', 'max', 'first', 'last'] as const) assert.equal(w[name], want[name], `${name} of ${what}`)
    const scale = Math.max(Math.abs(want.min), Math.abs(want.max))
    assertNear(w.mean, want.mean, 1e-9 * scale, `mean of ${what}`)
    assertNear(w.sum, want.sum, 1e-9 * scale * want.count, `sum of ${what}`)
    assert.equal(Number.isNaN(w.stddev), Number.isNaN(want.stddev), `stddev of ${what}`)
    if (want.count > 1) assertNear(w.stddev, want.stddev, 1e-9 * scale, `stddev of ${what}`)
    for (const name of ['p50', 'p95', 'p99'] as const) assertNear(w[name], want[name], 0.01 * Math.abs(want[name]), `${name} of ${what}`)
  }
}

function assertNear(got: number, wanted: number, within: number, what: string): void {
  assert.ok(Math.abs(got - wanted) <= within, `${what}: ${got} where ${wanted} is expected`)
}
