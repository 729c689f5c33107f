import { describe, expect, test } from 'vitest'
import { Idempotency } from '../../../actors/partition/idempotency.ts'
import type { Reading } from '../../../actors/reading/input.ts'
import { IDEMPOTENCY_MS } from '../../../runtime/limits.ts'
import { Bench, blockOf, T0 } from './harness.ts'

const hash = (n: number) => n.toString(16).padStart(32, '0')
const rows = (...values: number[]): Reading[] => values.map((value, i) => ({ device: 'd', metric: 'm', ts: T0 + i, value }))

describe('Idempotency-Keys', () => {
  test('rows that come again under their key are duplicates, whatever they hold; other rows of the block are not', () => {
    const bench = new Bench(T0)
    bench.feed(blockOf(rows(1, 2, 3), [{ hash: hash(1), from: 0, to: 2 }]))
    expect(bench.fates).toEqual([])
    bench.feed(blockOf(rows(7, 8, 9, 10), [{ hash: hash(1), from: 1, to: 3 }]))
    expect(bench.fates.map((f) => [f.row, f.fate])).toEqual([
      [1, 'duplicate'],
      [2, 'duplicate'],
    ])
    expect(bench.last!.accepted).toBe(7)
  })

  test('a key that comes twice in one block counts once', () => {
    const bench = new Bench(T0)
    bench.feed(blockOf(rows(1, 2, 3, 4), [{ hash: hash(1), from: 0, to: 2 }, { hash: hash(1), from: 2, to: 4 }]))
    expect(bench.fates.map((f) => f.row)).toEqual([2, 3])
  })

  test('a key is remembered for its time from the first block that had it, across snapshots, and no longer', () => {
    const bench = new Bench(T0)
    const block = blockOf(rows(1), [{ hash: hash(1), from: 0, to: 1 }])
    bench.feed(block, T0 + 500)
    bench.feed(block, T0 + IDEMPOTENCY_MS / 2)
    bench.restore()
    bench.feed(block, T0 + 500 + IDEMPOTENCY_MS)
    expect(bench.fates.splice(0).map((f) => f.fate)).toEqual(['duplicate', 'duplicate'])
    const again = (value: number) => blockOf(rows(value), [{ hash: hash(1), from: 0, to: 1 }])
    bench.feed(again(2), T0 + 501 + IDEMPOTENCY_MS)
    expect(bench.fates).toEqual([])
    bench.feed(again(3), T0 + 501 + IDEMPOTENCY_MS)
    expect(bench.fates.map((f) => f.fate)).toEqual(['duplicate'])
  })

  test('what expired is let go, and beyond the bound the oldest are', () => {
    const keys = new Idempotency(1_000)
    for (let i = 0; i <= 1_000; i++) keys.repeated(hash(i), { seq: i, atMs: T0 })
    expect(keys.size).toBeLessThanOrEqual(1_000)
    expect(keys.repeated(hash(1_000), { seq: 1, atMs: T0 })).toBe(true)
    expect(keys.repeated(hash(0), { seq: 1, atMs: T0 })).toBe(false)
    keys.repeated(hash(1), { seq: 1, atMs: T0 + 2 * IDEMPOTENCY_MS })
    expect(keys.size).toBe(1)
  })
})
