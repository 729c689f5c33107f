/** What an analyst's views read, and what they leave alone. */

import { DuckDBInstance } from '@duckdb/node-api'
import type { DuckDBConnection } from '@duckdb/node-api'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lakeViews } from '../../../actors/store/catalog.ts'
import { LakeDatabase } from '../../../actors/store/database.ts'
import { writeFile } from '../../../actors/store/duckdb-segment.ts'
import { makeLake, segmentsDir } from '../../../actors/store/manifest.ts'
import type { Segment } from '../../../actors/store/manifest.ts'
import { makeSegment } from '../../../actors/store/segment.ts'
import { systemDisk } from '../../../runtime/disk.ts'

let lakeDir: string
let db: LakeDatabase
let instance: DuckDBInstance
let analyst: DuckDBConnection

beforeEach(async () => {
  lakeDir = await mkdtemp(join(tmpdir(), 'weir-catalog-'))
  await makeLake(lakeDir)
  db = await LakeDatabase.open(lakeDir)
  instance = await DuckDBInstance.create(':memory:')
  analyst = await instance.connect()
})

afterEach(async () => {
  analyst.closeSync()
  instance.closeSync()
  db.close()
  await rm(lakeDir, { recursive: true, force: true })
})

const WINDOW = '1, 1, 1, 1, 1, NULL, 1, 1, 1, 1, 1'

/** A segment with a reading, a window of a minute and one of an hour of each tenant. */
function segment(file: string, tenants: readonly string[]): Promise<Segment> {
  const of = `(VALUES ${tenants.map((tenant) => `('${tenant}')`).join(', ')}) t(tenant)`
  const windows = `SELECT tenant, 'd', 'm', TIMESTAMP '2026-01-01', ${WINDOW}, 'watermark', TIMESTAMP '2026-01-01', 1 FROM ${of} ORDER BY tenant`
  const fill = (path: string) =>
    writeFile(db, path, {
      small: true,
      indexed: false,
      sources: [
        { table: 'readings', selects: [`SELECT tenant, 'd', 'm', TIMESTAMP '2026-01-01', 1, TIMESTAMP '2026-01-01' FROM ${of} ORDER BY tenant`] },
        { table: 'windows_1m', selects: [windows] },
        { table: 'windows_1h', selects: [windows] },
        { table: 'rejects', selects: [`SELECT 'a', TIMESTAMP '2026-01-01', 'no', '{}' WHERE ${tenants.includes('a')}`] },
      ],
    })
  return makeSegment({ lakeDir, disk: systemDisk, file, level: 0, sealedFrom: 0, sealedTo: 0, fill })
}

async function rows(sql: string): Promise<unknown[][]> {
  return (await analyst.runAndReadAll(sql)).getRowsJson()
}

/** The files and tables that DuckDB reads for a query, by its plan. */
async function read(sql: string): Promise<number> {
  const plan = String((await rows(`EXPLAIN (FORMAT json) ${sql}`))[0][1])
  return plan.match(/"name": "READ_DUCKDB/g)?.length ?? 0
}

test('a segment says which tenant it is of, and the views show each tenant and size, reading no more lists than hold them', async () => {
  const segments = [await segment('a1.duckdb', ['a']), await segment('a2.duckdb', ['a']), await segment('b.duckdb', ['b']), await segment('both.duckdb', ['a', 'b'])]
  expect(segments.map(({ tenant }) => tenant)).toEqual(['a', 'a', 'b', undefined])
  await analyst.run(lakeViews({ segments }, { create: 'CREATE VIEW ', path: (file) => join(segmentsDir(lakeDir), file) }))
  expect(await rows('SELECT tenant, count(*)::INT FROM readings GROUP BY ALL ORDER BY ALL')).toEqual([['a', 3], ['b', 2]])
  expect(await rows(`SELECT count(*)::INT FROM readings WHERE tenant = 'b'`)).toEqual([[2]])
  expect(await rows('SELECT tenant, size::VARCHAR, max(count)::INT FROM windows GROUP BY ALL ORDER BY ALL')).toEqual(
    ['a', 'b'].flatMap((tenant) => ['00:01:00', '01:00:00'].map((size) => [tenant, size, 1])),
  )
  // Those of one tenant in a list each, and those of several in one more; windows in such lists for each size.
  expect(await read('SELECT value FROM readings')).toBe(3)
  expect(await read(`SELECT value FROM readings WHERE tenant = 'b'`)).toBe(2)
  expect(await read(`SELECT value FROM readings WHERE tenant = 'c'`)).toBe(1)
  expect(await read('SELECT count FROM windows')).toBe(6)
  expect(await read('SELECT count FROM windows WHERE size = INTERVAL 1 HOUR')).toBe(3)
  expect(await read(`SELECT count FROM windows WHERE size = INTERVAL 60 MINUTES AND tenant = 'b'`)).toBe(2)
  expect(await read('SELECT count FROM windows WHERE size = INTERVAL 1 DAY')).toBe(0)
})

test('segments of another form are united by name beside those of today', async () => {
  const { form: _form, ...old } = await segment('old.duckdb', ['a'])
  const segments = [old, await segment('new.duckdb', ['a'])]
  const views = lakeViews({ segments }, { create: 'CREATE VIEW ', path: (file) => join(segmentsDir(lakeDir), file) })
  expect(views).toMatch(/old\.duckdb'\], table_name = 'readings', union_by_name = true/)
  expect(views).toMatch(/new\.duckdb'\], table_name = 'readings', union_by_name = false/)
  await analyst.run(views)
  expect(await rows('SELECT tenant, count(*)::INT FROM readings GROUP BY ALL')).toEqual([['a', 2]])
})
