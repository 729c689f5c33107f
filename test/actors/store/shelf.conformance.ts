/**
 * The laws of the shelf port, run by every implementation of it, and a story that is told on each: what the lake then holds must be the
 * same, table by table. Percentiles and everything counted or copied are equal to the last bit; sums and deviations to 12 digits.
 */

import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SealBuffer } from '../../../actors/store/buffer.ts'
import { makeLake, segmentsDir } from '../../../actors/store/manifest.ts'
import type { Manifest, Segment } from '../../../actors/store/manifest.ts'
import type { LakeRow } from '../../../actors/store/memory-rows.ts'
import { makeSegment } from '../../../actors/store/segment.ts'
import type { Shelf, ShelfPort } from '../../../actors/store/shelf.ts'
import type { TableName } from '../../../actors/store/tables.ts'
import { WINDOW_SIZES_MS } from '../../../actors/reading/window.ts'
import type { Disk } from '../../../runtime/disk.ts'
import { isOperating } from '../../../runtime/errors.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { seeded } from '../../support/random.ts'

/** A lake on one shelf, and eyes to look into it. */
export interface ShelfHouse {
  readonly lakeDir: string
  readonly disk: Disk
  readonly port: ShelfPort
  /** All rows of a table: times and sizes in milliseconds, counts as plain numbers. */
  rows(manifest: Pick<Manifest, 'segments'>, table: TableName): Promise<LakeRow[]>
  close(): Promise<void>
}

const DAY_MS = Date.UTC(2026, 0, 1)
const NOTHING = new Int32Array(0)
const NOWHERE: readonly (readonly Segment[])[] = WINDOW_SIZES_MS.map(() => [])

/** Columns that are sums of doubles, in whatever order. */
const SUMMED = ['sum', 'mean', 'stddev']

/** Whether two tables hold the same rows, in whatever order; null where they do, else what is amiss. */
export function difference(got: readonly LakeRow[], expected: readonly LakeRow[]): string | null {
  if (got.length !== expected.length) return `${got.length} rows in place of ${expected.length}`
  const nameOf = (row: LakeRow) => JSON.stringify(Object.keys(row).filter((name) => !SUMMED.includes(name)).sort().map((name) => row[name]))
  const sorted = (rows: readonly LakeRow[]) => rows.map((row) => ({ row, name: nameOf(row) })).sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  const others = sorted(expected)
  for (const [i, { row, name }] of sorted(got).entries()) {
    const other = others[i]
    const summed = SUMMED.every((column) => {
      const [a, b] = [row[column] ?? null, other.row[column] ?? null]
      if (a === null || b === null) return a === b
      const scale = Math.max(Math.abs(Number(row.min)), Math.abs(Number(row.max)))
      const within = column === 'sum' ? 1e-12 * scale * Number(row.count) : column === 'mean' ? 1e-12 * scale : 1e-12 * Number(b) + 1e-15 * scale
      return Math.abs(Number(a) - Number(b)) <= within
    })
    if (name !== other.name || !summed) return `${JSON.stringify(row)} in place of ${JSON.stringify(other.row)}`
  }
  return null
}

export function shelfConformance(name: string, open: () => Promise<ShelfHouse>): void {
  describe(`the shelf port, ${name}`, () => {
    let house: ShelfHouse
    let shelf: Shelf
    const clock = new ManualClock()
    beforeEach(async () => {
      house = await open()
      await makeLake(house.lakeDir, house.disk)
      shelf = await house.port.open(house.lakeDir)
    })
    afterEach(async () => {
      shelf.close()
      await house.close()
    })

    const stage = (readings: readonly (readonly [series: number, ts: number, value: number])[]) =>
      shelf.stage({
        rows: readings.length,
        series: Int32Array.from(readings, (r) => r[0]),
        ts: Float64Array.from(readings, (r) => r[1]),
        value: Float64Array.from(readings, (r) => r[2]),
        receivedAt: Float64Array.from(readings, (r) => r[1] + 5),
      })
    let files = 0
    const write = (of: { buffer?: SealBuffer; owned?: { series: number; size: number; start: number }[] } = {}) =>
      makeSegment({
        lakeDir: house.lakeDir,
        disk: house.disk,
        file: `s${++files}.duckdb`,
        level: 0,
        sealedFrom: 1,
        sealedTo: 1,
        fill: (path) => shelf.write(path, { buffer: of.buffer ?? new SealBuffer(-Infinity), rank: NOTHING, kept: NOTHING, owned: of.owned ?? [] }),
      })
    const dirty = (series: number, size: number, start: number, version = 2) => ({ series, size, start, version, updatedAt: DAY_MS, closedBy: 3, fedFrom: Infinity })

    it('has one lock a lake, which is free again once it was let go of', async () => {
      const lock = await house.port.lock(house.lakeDir, clock)
      let refusal: unknown = null
      house.port.lock(house.lakeDir, clock).catch((error) => (refusal = error))
      await clock.until(() => refusal !== null, { what: 'the second lock is refused', stepMs: 1, maxMs: 1e9 })
      expect(isOperating(refusal, 'config')).toBe(true)
      lock.release()
      ;(await house.port.lock(house.lakeDir, clock)).release()
    })

    it('knows a reading by series, time and value, and by nothing else; zero is zero whatever its sign', async () => {
      await shelf.begin(['t\nd\nm', 't\nd\nn', 'u\nd\nm'])
      await stage([[0, DAY_MS, 1.5], [0, DAY_MS + 1, 0], [1, DAY_MS, 2.5]])
      const segment = await write()
      await shelf.begin(['t\nd\nk', 't\nd\nm', 't\nd\nn', 'u\nd\nm'])
      const asked: [series: number, ts: number, value: number][] = [
        [1, DAY_MS, 1.5], [1, DAY_MS, 1.25], [1, DAY_MS + 1, 1.5], [1, DAY_MS + 1, -0], [2, DAY_MS, 2.5], [2, DAY_MS, 1.5], [3, DAY_MS, 1.5], [0, DAY_MS, 1.5],
      ]
      const candidates = {
        n: Int32Array.from(asked, (_, i) => 10 * i),
        series: Int32Array.from(asked, (a) => a[0]),
        ts: Float64Array.from(asked, (a) => a[1]),
        value: Float64Array.from(asked, (a) => a[2]),
      }
      expect([...(await shelf.known(candidates, [segment]))].sort((a, b) => a - b)).toEqual([0, 30, 40])
      expect((await shelf.known(candidates, [])).size).toBe(0)
    })

    it('computes windows from what is staged and what the reached segments hold, and gives none to a window without readings', async () => {
      await shelf.begin(['t\nd\nm'])
      await stage([[0, DAY_MS + 70_000, 4], [0, DAY_MS + 59_999, 1]])
      const segment = await write()
      await shelf.begin(['t\nc\nm', 't\nd\nm'])
      await stage([[0, DAY_MS, 9], [1, DAY_MS + 10, 2], [1, DAY_MS + 10, 3]])
      const windows = [dirty(1, 0, DAY_MS), dirty(1, 0, DAY_MS + 60_000), dirty(1, 0, DAY_MS + 120_000), dirty(1, 3, DAY_MS), dirty(0, 3, DAY_MS)]
      const last = await shelf.compute(windows, { reached: [[segment], [], [], [segment]], last: true })
      expect([...last].sort()).toEqual([[0, DAY_MS + 59_999], [1, DAY_MS + 70_000], [3, DAY_MS + 70_000], [4, DAY_MS]])
      const computed = await write()
      expect(computed).toMatchObject({ rows: { readings: 3, windows: 0, windows_1m: 2, windows_15m: 0, windows_1h: 0, windows_1d: 2, owned_windows: 0 }, tsMin: DAY_MS, tsMax: DAY_MS + 60_000, readingsMin: DAY_MS, readingsMax: DAY_MS + 10 })
      const rows = await house.rows({ segments: [computed] }, 'windows')
      const minute = rows.find((row) => row.size === 60_000 && row.start === DAY_MS)
      expect(minute).toEqual({
        tenant: 't', device: 'd', metric: 'm', size: 60_000, start: DAY_MS, count: 3, sum: 6, min: 1, max: 3, mean: 2, stddev: 1, first: 2, last: 1, p50: 2, p95: 3, p99: 3,
        closed_by: 'late', updated_at: DAY_MS, version: 2,
      })
      expect(rows.find((row) => row.device === 'c')).toMatchObject({ count: 1, stddev: null, first: 9, p99: 9 })
    })

    it('takes as a percentile the least value that so many of a hundred do not exceed, of any number of values', async () => {
      const random = seeded(11)
      const counts = [1, 2, 3, 19, 20, 21, 39, 40, 99, 100, 101, 200, 1_000]
      const all = counts.flatMap((count, series) => Array.from({ length: count }, (_, i): [number, number, number] => [series, DAY_MS + (i % 50_000), Math.round(random() * 400) / 7]))
      const keys = counts.map((_, i) => `t\nd${String(i).padStart(3, '0')}\nm`)
      await shelf.begin(keys)
      await stage(all)
      await shelf.compute(counts.map((_, series) => dirty(series, 0, DAY_MS)), { reached: NOWHERE, last: false })
      const rows = await house.rows({ segments: [await write()] }, 'windows')
      for (const [series, count] of counts.entries()) {
        const values = all.filter((r) => r[0] === series).map((r) => r[2]).sort((a, b) => a - b)
        const least = (percent: number) => values.find((v) => values.filter((w) => w <= v).length * 100 >= percent * count)
        const row = rows.find((r) => `t\n${r.device}\nm` === keys[series])
        expect(row).toMatchObject({ count, p50: least(50), p95: least(95), p99: least(99) })
      }
    })

    it('lists owned windows but those whose newest row the actor has closed', async () => {
      await shelf.begin(['t\nd\nm'])
      await stage([[0, DAY_MS, 1], [0, DAY_MS + 60_000, 1], [0, DAY_MS + 120_000, 1]])
      const owned = [0, 1, 2, 3].map((minute) => ({ series: 0, size: 0, start: DAY_MS + minute * 60_000 }))
      // Closed by the watermark and then opened again; closed at last; open; and never seen.
      const closed = (minute: number, closedBy: number, version: number) => ({ ...dirty(0, 0, DAY_MS + minute * 60_000, version), closedBy })
      await shelf.compute([closed(0, 0, 2), closed(1, 2, 2), closed(2, 2, 2)], { reached: NOWHERE, last: false })
      const first = await write({ owned })
      await shelf.begin(['t\nd\nm'])
      await stage([[0, DAY_MS, 2], [0, DAY_MS + 60_000, 2]])
      await shelf.compute([closed(0, 2, 4), closed(1, 1, 4)], { reached: NOWHERE, last: false })
      const second = await write({ owned: [owned[0]] })
      const found = (await shelf.owned([first, second])).sort((a, b) => a.start - b.start)
      expect(found).toEqual([owned[0], owned[2], owned[3]].map(({ size, start }) => ({ key: 't\nd\nm', size, start })))
      expect(await shelf.owned([])).toEqual([])
    })

    it('notices a segment that is cut short, and one that is gone', async () => {
      await shelf.begin(['t\nd\nm'])
      await stage([[0, DAY_MS, 1]])
      const [torn, gone] = [await write(), await write()]
      const path = join(segmentsDir(house.lakeDir), torn.file)
      const bytes = (await house.disk.read(path))!
      await house.disk.remove(path)
      await house.disk.write(path, bytes.subarray(0, bytes.length >>> 1))
      await house.disk.remove(join(segmentsDir(house.lakeDir), gone.file))
      const candidates = { n: Int32Array.of(0), series: Int32Array.of(0), ts: Float64Array.of(DAY_MS), value: Float64Array.of(1) }
      for (const segment of [torn, gone]) await expect(shelf.known(candidates, [segment])).rejects.toThrow()
    })
  })
}
