/** What merged segments say of their series, against their rows. */

import { DuckDBInstance } from '@duckdb/node-api'
import { chmod, copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { readCounts } from '../../../../actors/analytics/data/counts.ts'
import { Lake } from '../../../../actors/analytics/data/lake.ts'
import type { LakeVersion } from '../../../../actors/analytics/data/lake.ts'
import { rangeSql, scopeSql } from '../../../../actors/analytics/query/scope.ts'
import { relationOf } from '../../../../actors/analytics/data/series-rows.ts'
import type { SeriesFilter } from '../../../../actors/analytics/data/series-catalog.ts'
import { compact } from '../../../../actors/store/compaction.ts'
import { duckdbShelf } from '../../../../actors/store/duckdb-shelf.ts'
import { systemClock } from '../../../../runtime/clock.ts'
import { makeLakeOf } from '../../../bench/lake-of.ts'
import { WINDOW_SIZE_NAMES } from '../../../../actors/reading/window.ts'
import { WINDOW_SIZES_SQL } from '../../../../actors/store/tables.ts'
import { deviceName } from '../../../bench/lake-rows.ts'

const END_MS = Date.UTC(2026, 4, 3, 1, 2)
let dir: string
let lake: Lake
let version: LakeVersion

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-series-rows-'))
  const { manifest } = await makeLakeOf({ dir, readings: 90_000, days: 1, endMs: END_MS })
  const lakeDir = join(dir, 'lake')
  // The hour and the minute once more as the store itself merges them; the seals stay as they are, without a table of series.
  const inputs = manifest.segments.filter((s) => s.level === 1 || s.level === 2)
  const merged = await compact({ lakeDir, level: 2, file: 'merged.duckdb', inputs, dropBeforeMs: null }, { shelf: duckdbShelf })
  lake = await Lake.open({ folder: lakeDir, clock: systemClock })
  const segments = [...manifest.segments.filter((s) => !inputs.includes(s)), merged]
  lake.publish(await lake.prepare({ ...manifest, segments }))
  version = lake.current
  expect(new Set(segments.map((s) => (s.rows.series ?? 0) > 0))).toEqual(new Set([true, false]))
})

afterAll(async () => {
  await lake.close()
  await rm(dir, { recursive: true, force: true })
})

describe('rows of a few series', () => {
  const filters: Record<string, SeriesFilter> = {
    'one series': { devices: new Set([deviceName(1)]), metrics: new Set(['soil_moisture']), prefix: null },
    'all of a device': { devices: new Set([deviceName(2)]), metrics: null, prefix: null },
    'two devices, one of which is not there': { devices: new Set([deviceName(0), 'nobody']), metrics: new Set(['battery', 'none']), prefix: null },
    'nobody': { devices: new Set(['nobody']), metrics: null, prefix: null },
    'all devices': { devices: null, metrics: new Set(['battery']), prefix: null },
  }
  const ranges = [{ from: -Infinity, to: Infinity }, { from: END_MS - 5 * 3_600_000 + 1, to: END_MS - 30_000 }, { from: END_MS - 90_000, to: END_MS }]

  for (const [name, filter] of Object.entries(filters)) {
    for (const [table, size] of [['readings', undefined], ['windows', 0], ['windows', 2], ['anomalies', undefined]] as const) {
      it(`are the same by their place as by their names: ${name}, ${table}${size === undefined ? '' : ` of ${WINDOW_SIZE_NAMES[size]}`}`, async () => {
        for (const range of ranges.map((range) => ({ ...range, size }))) {
          const sized = size === undefined ? '' : ` AND size = ${WINDOW_SIZES_SQL[size]}`
          const where = `WHERE ${scopeSql({ tenant: 'default', filter })}${rangeSql(table === 'windows' ? 'start' : 'ts', range)}${sized}`
          const hashOf = async (relation: string) => lake.query(`SELECT count(*)::DOUBLE, coalesce(bit_xor(hash(t)), 0)::VARCHAR FROM (SELECT * FROM ${relation} ${where}) t`)
          const narrow = await relationOf(lake, version, table, { tenant: 'default', filter, ...range })
          if (name === 'one series' && range.from === -Infinity && table !== 'anomalies') expect(narrow).toContain('rowid')
          expect(await hashOf(narrow)).toEqual(await hashOf(version.relation(table, { ...range, size: undefined })))
        }
      })
    }
  }

  it('are the anomalies of each series that has some, and no others are looked at', async () => {
    const [tenants, devices, metrics] = await lake.query(`SELECT DISTINCT tenant, device, metric FROM ${version.relation('anomalies')}`)
    let narrowed = 0
    for (const [i, device] of devices.entries()) {
      const filter = { devices: new Set([device as string]), metrics: new Set([metrics[i] as string]), prefix: null }
      const narrow = await relationOf(lake, version, 'anomalies', { tenant: tenants[i] as string, filter })
      if (narrow.includes('rowid')) narrowed++
      const count = async (relation: string) => (await lake.query(`SELECT count(*)::DOUBLE, bit_xor(hash(t))::VARCHAR FROM (SELECT * FROM ${relation} WHERE ${scopeSql({ tenant: 'default', filter })}) t`)).map(([n]) => n)
      const found = await count(narrow)
      expect(found[0]).toBeGreaterThan(0)
      expect(found).toEqual(await count(version.relation('anomalies')))
    }
    expect(narrowed).toBeGreaterThan(0)
  })

  it('are found in a segment of another version too, with nulls in what it lacks', async () => {
    const { manifest } = version
    const merged = manifest!.segments.find((s) => s.file === 'merged.duckdb')!
    const path = (file: string) => join(dir, 'lake', 'segments', file)
    await copyFile(path('merged.duckdb'), path('older.duckdb'))
    await chmod(path('older.duckdb'), 0o644)
    const instance = await DuckDBInstance.create(path('older.duckdb'))
    const connection = await instance.connect()
    for (const [table, column] of [['readings', 'received_at'], ['windows_1m', 'p99']]) await connection.run(`ALTER TABLE ${table} DROP COLUMN ${column}`)
    connection.closeSync()
    instance.closeSync()
    const before = await Lake.open({ folder: join(dir, 'lake'), clock: systemClock })
    before.publish(await before.prepare({ ...manifest!, segments: [{ ...merged, file: 'older.duckdb', form: 'of another version' }] }))
    const filter = { devices: new Set([deviceName(1)]), metrics: new Set(['soil_moisture']), prefix: null }
    for (const [table, column] of [['readings', 'received_at'], ['windows', 'p99']] as const) {
      const told = async (relation: string) =>
        (await before.query(`SELECT count(*)::DOUBLE, count(${column})::DOUBLE FROM ${relation} WHERE ${scopeSql({ tenant: 'default', filter })}${table === 'windows' ? ' AND size = INTERVAL 1 MINUTE' : ''}`)).map(([n]) => n)
      const narrow = await relationOf(before, before.current, table, { tenant: 'default', filter, size: 0 })
      expect(await told(narrow)).toEqual(await told(before.current.relation(table)))
      expect([narrow.includes('rowid'), (await told(narrow))[0] as number > 0, (await told(narrow))[1]]).toEqual([true, true, 0])
    }
    await before.close()
  })

  it('are looked up once in a segment, for readings and windows alike', async () => {
    const filter = { devices: new Set([deviceName(0), deviceName(2)]), metrics: new Set(['soil_temperature', 'none']), prefix: null }
    const query = vi.spyOn(lake, 'query')
    const ask = (table: 'readings' | 'windows', from: number) => relationOf(lake, version, table, { tenant: 'default', filter, from, size: 0 })
    const part = await ask('readings', END_MS - 90_000)
    const whole = await ask('windows', -Infinity)
    expect(query).toHaveBeenCalledTimes(2)
    expect([await ask('windows', -Infinity), await ask('readings', END_MS - 90_000)]).toEqual([whole, part])
    expect(query).toHaveBeenCalledTimes(2)
    query.mockRestore()
  })

  it('are counted as they are, whether a segment says so itself or not', async () => {
    const counts = await readCounts(lake, version, { whole: true, files: null, trusted: false, doubtful: new Set() })
    const plain = await lake.query(
      `SELECT tenant, device, metric, count(*)::DOUBLE, epoch_ms(min(ts))::DOUBLE, epoch_ms(max(ts))::DOUBLE, arg_max(value, (ts, value)), epoch_ms(arg_max(received_at, (ts, value)))::DOUBLE
       FROM ${version.relation('readings')} GROUP BY tenant, device, metric`,
    )
    const rowsOf = (columns: unknown[][]) => columns[0].map((_, i) => columns.map((column) => column[i]).join(' ')).sort()
    expect(rowsOf(counts)).toEqual(rowsOf(plain))
    expect(counts[0]).toHaveLength(12)
  })
})
