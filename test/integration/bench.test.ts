/**
 * The benches on real processes, at their smallest size: they measure what they say, and lose nothing on the way. Those of backfill and retention run by
 * hand (`npm run bench -- backfill retention --smoke`): backfill.test.ts and the compaction's own tests hold what they drive.
 */

import { expect, test } from 'vitest'
import type { BenchRow } from '../bench/bench.ts'
import { run as backlog } from '../bench/backlog.ts'
import { run as live } from '../bench/live.ts'
import { run as memory } from '../bench/memory.ts'
import { run as queries } from '../bench/queries.ts'
import { run as skew } from '../bench/skew.ts'

function valuesOf(rows: readonly BenchRow[]) {
  for (const { name, value } of rows) expect(value, name).toBeGreaterThanOrEqual(0)
  return (part: string) => {
    const found = rows.filter(({ name }) => name.includes(part)).map(({ value }) => value)
    expect(found.length, part).toBeGreaterThan(0)
    return found
  }
}

test('under even, hot and skewed load each reading of a quiet device is seen, and each partition says how far it lags', async () => {
  const of = valuesOf(await skew({ size: 'smoke' }))
  expect(of('not seen')).toEqual([0, 0, 0, 0, 0, 0])
  for (const what of ['even: acknowledged', 'hot-device: acknowledged', 'hot-partition: acknowledged', 'reading to live event, p50', 'end to end']) {
    for (const value of of(what)) expect(value).toBeGreaterThan(0)
  }
  expect(of('duplicates by the ledger')).toEqual([0, 0, 0])
  expect(of('behind, ')).toHaveLength(12)
})

test('a backlog is caught up with, whole, while live readings are answered', async () => {
  const of = valuesOf(await backlog({ size: 'smoke' }))
  expect(of('backlog readings in the lake')).toEqual([50_000])
  expect(of('times live').every((times) => times > 0)).toBe(true)
  expect(of('meanwhile, answer, p50')[0]).toBeGreaterThan(0)
  expect(of('catching up: memory of weir-worker').length).toBeGreaterThan(0)
})

test('the memory of each process is watched over time', async () => {
  const of = valuesOf(await memory({ size: 'smoke' }))
  for (const process of ['nats-server', 'weir-edge', 'weir-worker 1', 'weir-worker 2', 'weir-store']) {
    for (const mebibytes of of(`memory of ${process}, `)) expect(mebibytes).toBeGreaterThan(1)
  }
  expect(of('acknowledged')[0]).toBeGreaterThan(0)
})

test('live streams have every reading of the lake once, also where the store is killed under them', async () => {
  const of = valuesOf(await live({ size: 'smoke' }))
  expect(of('did not have each reading of the lake once')).toEqual([0, 0])
  expect(of('streams that began anew')).toEqual([0])
  expect(of('POST to event, p50').every((ms) => ms > 0)).toBe(true)
})

test('a made lake is asked by an analyst and over HTTP, and each question has one answer', async () => {
  const of = valuesOf(await queries({ size: 'smoke' }))
  expect(of('readings in the lake')[0]).toBeGreaterThan(50_000)
  expect(of('analyst: ').length).toBeGreaterThanOrEqual(10)
  expect(of('HTTP: ').length).toBeGreaterThanOrEqual(14)
  expect(of('files of the lake, merged')[0]).toBeLessThan(of('files of the lake, as found')[0])
})
