/** Made lakes are what the store would have left: else nothing measured on them means anything. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { missingSegments } from '../../actors/store/manifest.ts'
import { lawBreakers, withLake } from '../support/law.ts'
import { makeLakeOf, parseCount } from './lake-of.ts'

test('a made lake keeps the law, has segments of every level, and comes again by its seed', async () => {
  const endMs = Date.UTC(2026, 4, 3, 1, 2)
  const hashes: unknown[] = []
  for (const seed of [7, 7, 8]) {
    const dir = await mkdtemp(join(tmpdir(), 'weir-lake-of-'))
    try {
      const { manifest, devices, beginMs } = await makeLakeOf({ dir, readings: 60_000, days: 1, endMs, seed })
      expect(devices).toBe(2)
      expect(new Set(manifest.segments.map((s) => s.level))).toEqual(new Set([3, 2, 1, 0]))
      expect(await missingSegments(join(dir, 'lake'), manifest)).toEqual([])
      if (hashes.length === 0) expect(await lawBreakers(dir)).toEqual([])
      const [row] = await withLake(dir, (query) =>
        query(`SELECT count(*)::INT AS n, epoch_ms(min(ts))::DOUBLE AS first, epoch_ms(max(ts))::DOUBLE AS last, bit_xor(hash(device, metric, ts, value, received_at))::VARCHAR AS hash FROM readings`),
      )
      expect(row.n).toBe(2 * (19 * (25 * 60 + 2)))
      expect(row.first).toBeGreaterThanOrEqual(beginMs)
      expect(row.last).toBeLessThan(endMs)
      hashes.push(row.hash)
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  }
  expect(hashes[1]).toBe(hashes[0])
  expect(hashes[2]).not.toBe(hashes[0])
})

test('a made lake whose days repeat keeps the law, too', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'weir-lake-of-'))
  try {
    await makeLakeOf({ dir, readings: 120_000, days: 3, periodDays: 2, endMs: Date.UTC(2026, 4, 4, 1, 2) })
    expect(await lawBreakers(dir)).toEqual([])
    const [row] = await withLake(dir, (query) =>
      query(`SELECT count(*)::INT AS n, count(DISTINCT (ts::DATE, value))::INT AS values FROM readings
        WHERE ts < '2026-05-04' AND (device, metric, ts - INTERVAL 2 DAYS, value) IN (SELECT (device, metric, ts, value) FROM readings)`),
    )
    // The third day is the first one.
    expect(row.n).toBe(Math.round(120_000 / (19 * (73 * 60 + 2))) * 19 * 24 * 60)
    expect(row.values).toBeGreaterThan(100)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})

test('counts are read as people write them', () => {
  expect(['500k', '100M', '1B', '2.5M', '7'].map(parseCount)).toEqual([500_000, 100_000_000, 1_000_000_000, 2_500_000, 7])
  expect(() => parseCount('many')).toThrow(RangeError)
})
