import { describe, expect, test } from 'vitest'
import type { Reading } from '../../../actors/reading/input.ts'
import { WINDOW_SIZES_MS } from '../../../actors/reading/window.ts'
import { Bench, blockOf, differences, oracle, troubled, windowKey } from './harness.ts'
import type { NamedRow } from './harness.ts'

describe('the partition actor against a naive batch', () => {
  test.each([1, 2, 3, 4, 5, 6])('every reading on time is in its window of each size once, whatever the order (seed %i)', (seed) => {
    const bench = new Bench()
    const blocks = troubled(seed, 4_000)
    const onTime: (Reading & { name: string })[] = []
    let total = 0
    for (const { readings, timeMs } of blocks) {
      const fatesBefore = bench.fates.length
      bench.feed(blockOf(readings), timeMs)
      const gone = new Set(bench.fates.slice(fatesBefore).map((f) => f.row))
      expect(gone.size).toBe(bench.fates.length - fatesBefore)
      readings.forEach((r, i) => {
        if (!gone.has(i)) onTime.push({ ...r, name: `default/${r.device}/${r.metric}` })
      })
      total += readings.length
    }
    bench.tick()
    expect(bench.last!.accepted).toBe(total)
    expect(bench.last!.pending).toBe(0)
    expect(bench.fates.some((f) => f.fate === 'old') && bench.fates.some((f) => f.fate === 'duplicate')).toBe(true)

    const newest = new Map<string, NamedRow>()
    for (const row of bench.rows) {
      const key = windowKey(row.name, row.size, row.start)
      const before = newest.get(key)
      expect(before === undefined || before.closedBy === 'open', `${key} was closed and came again`).toBe(true)
      newest.set(key, row)
    }
    const wanted = oracle(onTime)
    expect(newest.size).toBe(wanted.size)
    for (const [key, readings] of wanted) expect(differences(newest.get(key)!, readings)).toEqual([])
    expect(new Set(bench.rows.map((r) => r.size)).size).toBe(WINDOW_SIZES_MS.length)
  })
})
