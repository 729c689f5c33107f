/** The number of a lake's files over years, and where it is cut to fit its size, by planning alone: entries of segments, no files. */

import { describe, expect, test } from 'vitest'
import { planCompaction } from '../../../actors/store/compaction.ts'
import type { CompactionJob } from '../../../actors/store/compaction.ts'
import type { Segment } from '../../../actors/store/manifest.ts'
import { floorToFit } from '../../../actors/store/retention.ts'
import { COMPACT_ROWS_MAX } from '../../../runtime/limits.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const BEGIN_MS = Date.UTC(2026, 0, 1)
const clock = new ManualClock({ nowMs: BEGIN_MS })

const rowsOf = (s: Segment) => Object.values(s.rows).reduce((sum, n) => sum + n, 0)

function sealed(atMs: number, rows: number): Segment {
  return { file: `l0-${atMs}`, level: 0, sealedFrom: atMs, sealedTo: atMs, bytes: rows * 10, rows: { readings: rows }, tsMin: atMs - 2_000, tsMax: atMs, readingsMin: atMs - 2_000, readingsMax: atMs }
}

/** What a merge leaves, as it drops nothing or all before a time. */
function merged({ level, file, inputs, dropBeforeMs }: CompactionJob): Segment {
  const least = (of: (s: Segment) => number) => inputs.reduce((a, s) => Math.min(a, of(s)), Infinity)
  const most = (of: (s: Segment) => number) => inputs.reduce((a, s) => Math.max(a, of(s)), -Infinity)
  const rows = inputs.reduce((sum, s) => sum + rowsOf(s), 0)
  const from = Math.max(least((s) => s.tsMin ?? Infinity), dropBeforeMs ?? -Infinity)
  const to = most((s) => s.tsMax ?? -Infinity)
  const times = from > to ? { tsMin: null, tsMax: null, readingsMin: null, readingsMax: null } : { tsMin: from, tsMax: to, readingsMin: from, readingsMax: to }
  return { file, level, sealedFrom: least((s) => s.sealedFrom), sealedTo: most((s) => s.sealedTo), bytes: rows * 10, rows: { readings: from > to ? 1 : rows }, ...times }
}

interface Life {
  segments: Segment[]
  /** The most files at a time, once all that was due was merged. */
  most: number
  /** Rows that were written by merges. */
  written: number
}

/** Lives `ms` on, with a seal each `sealMs` of `rows` rows, merging what is due after each. */
function live(life: Life, { fromMs, ms, sealMs, rows, retentionMs = 0 }: { fromMs: number; ms: number; sealMs: number; rows: number; retentionMs?: number }): void {
  for (let at = fromMs; at < fromMs + ms; at += sealMs) {
    life.segments.push(sealed(at, rows))
    const nowMs = at + 5_000
    const dropBeforeMs = retentionMs === 0 ? null : Math.floor((nowMs - retentionMs) / DAY_MS) * DAY_MS
    for (;;) {
      const job = planCompaction(life.segments, { nowMs, clock, lakeDir: '/lake', dropBeforeMs })
      if (job === null) break
      const one = merged(job)
      life.written += rowsOf(one)
      life.segments = [one, ...life.segments.filter((s) => !job.inputs.includes(s))].sort((a, b) => a.sealedFrom - b.sealedFrom)
    }
    life.most = Math.max(life.most, life.segments.length)
  }
}

/** P3, of all rows that were sealed in so many days. */
const bound = (rows: number, days: number) => 2 * (31 + 60 + 24 + 32) + Math.ceil((2 * rows) / COMPACT_ROWS_MAX) + Math.ceil(days / 32)

describe('the number of files', () => {
  for (const perSecond of [100, 10_000, 200_000]) {
    test(`is bounded by what the lake holds, at ${perSecond} rows a second: seal by seal over two days`, () => {
      const life: Life = { segments: [], most: 0, written: 0 }
      live(life, { fromMs: BEGIN_MS, ms: 2 * DAY_MS, sealMs: 10_000, rows: perSecond * 10 })
      const rows = perSecond * 2 * 86_400
      expect(life.segments.reduce((sum, s) => sum + rowsOf(s), 0)).toBe(rows)
      expect(life.most).toBeLessThanOrEqual(bound(rows, 2))
      expect(life.written).toBeLessThanOrEqual(4 * rows)
    })
  }

  test('stays so over five years at 100 and 1,000 rows a second', () => {
    for (const perSecond of [100, 1_000]) {
      const life: Life = { segments: [], most: 0, written: 0 }
      const days = 5 * 365
      live(life, { fromMs: BEGIN_MS, ms: days * DAY_MS, sealMs: 6 * HOUR_MS, rows: perSecond * 6 * 3_600 })
      const rows = perSecond * days * 86_400
      expect(life.most).toBeLessThanOrEqual(bound(rows, days))
      expect(life.segments.length).toBeLessThan(perSecond === 100 ? 400 : 2_600)
      expect(life.written).toBeLessThanOrEqual(4 * rows)
    }
  })

  test('and their age, where retention drops what is older: little more than a quarter of a segment is kept too long', () => {
    const life: Life = { segments: [], most: 0, written: 0 }
    const retentionMs = 90 * DAY_MS
    live(life, { fromMs: BEGIN_MS, ms: 730 * DAY_MS, sealMs: 6 * HOUR_MS, rows: 100 * 6 * 3_600, retentionMs })
    const nowMs = BEGIN_MS + 730 * DAY_MS
    for (const { tsMin, tsMax } of life.segments) if (tsMin !== null) expect(nowMs - retentionMs - DAY_MS - tsMin).toBeLessThanOrEqual(0.25 * (tsMax! - tsMin) + DAY_MS)
    expect(life.segments.length).toBeLessThan(100)
  })
})

describe('the floor of a lake', () => {
  const day = (n: number, bytes: number, days = 1): Segment => ({ ...sealed(BEGIN_MS, 1), bytes, tsMin: BEGIN_MS + n * DAY_MS, tsMax: BEGIN_MS + (n + days) * DAY_MS - 1 })

  test('goes up by whole days, only as far as it must, and never takes the newest day', () => {
    const segments = [day(0, 100), day(1, 100), day(2, 100), day(3, 100)]
    const floor = (bytesMax: number, floorMs = -Infinity) => (floorToFit(segments, { bytesMax, floorMs }) - BEGIN_MS) / DAY_MS
    expect([400, 399, 300, 299, 200, 100].map((bytesMax) => floor(bytesMax))).toEqual([-Infinity, 1, 1, 2, 2, 3])
    expect(floor(1)).toBe(3)
    expect(floor(-5)).toBe(3)
  })

  test('counts what lies before it as gone, though its files are still there, and never goes down', () => {
    const segments = [day(0, 400, 4)]
    const at = (n: number) => BEGIN_MS + n * DAY_MS
    expect(floorToFit(segments, { bytesMax: 200, floorMs: -Infinity })).toBe(at(2))
    expect(floorToFit(segments, { bytesMax: 200, floorMs: at(2) })).toBe(at(2))
    expect(floorToFit(segments, { bytesMax: 1_000, floorMs: at(2) })).toBe(at(2))
    expect(floorToFit(segments, { bytesMax: 150, floorMs: at(2) })).toBe(at(3))
    expect(floorToFit([], { bytesMax: 1, floorMs: at(2) })).toBe(at(2))
  })
})
