/** A merge in slices gives the rows of a merge in one piece, in the same order; windows go into the tables of their sizes, whatever table they came from. */

import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LakeDatabase } from '../../../actors/store/database.ts'
import { mergeSegments } from '../../../actors/store/duckdb-merge.ts'
import { writeFile } from '../../../actors/store/duckdb-segment.ts'
import { makeLake, segmentsDir } from '../../../actors/store/manifest.ts'
import type { Segment } from '../../../actors/store/manifest.ts'
import { TABLE_NAMES, WINDOW_TABLES } from '../../../actors/store/tables.ts'
import type { TableName } from '../../../actors/store/tables.ts'

let lakeDir: string
let db: LakeDatabase

beforeEach(async () => {
  lakeDir = await mkdtemp(join(tmpdir(), 'weir-merge-'))
  await makeLake(lakeDir)
  await mkdir(join(lakeDir, 'merged'))
  db = await LakeDatabase.open(lakeDir)
})

afterEach(async () => {
  db.close()
  await rm(lakeDir, { recursive: true, force: true })
})

/** Three tenants, of which the middle one has one series of thousands a minute; names with quotes, and one that begins another. */
const SERIES = `(VALUES ('a', 'd', 'm', 40), ('a', 'd', 'n', 3), ('a', 'd''s', 'm', 7), ('b', 'big', 'k', 2), ('b', 'big', 'm', 3000), ('b', 'big', 'n', 5), ('b', 'bigger', 'm', 9), ('c', 'd', 'm', 11)) s(tenant, device, metric, n)`

/** Windows of two sizes; `sized`: in one table, as earlier versions wrote them. */
async function segment(file: string, part: number, { sized = false } = {}): Promise<Segment> {
  const moment = (ms: string) => `make_timestamp((1767225600000 + ${ms}) * 1000)`
  const windows = (size: string, stepMs: number) =>
    `SELECT tenant, device, metric, ${sized ? `${size} AS size, ` : ''}${moment(`i * ${stepMs}`)} AS start, ${part + 1}, 1, 1, 1, 1, NULL, 1, 1, 1, 1, 1, 'late', ${moment('0')}, ${part} FROM (SELECT *, unnest(range(6)) AS i FROM ${SERIES})`
  const minutes = windows('INTERVAL 1 MINUTE', 60_000)
  const days = windows('INTERVAL 1 DAY', 86_400_000)
  const facts = await writeFile(db, join(segmentsDir(lakeDir), file), {
    small: true,
    indexed: false,
    sources: [
      { table: 'readings', selects: [`SELECT tenant, device, metric, ${moment(`i * 7 + ${part}`)} AS ts, i % 5 + ${part} / 4, ${moment('i')} FROM (SELECT *, unnest(range(n)) AS i FROM ${SERIES}) ORDER BY tenant, device, metric, ts`] },
      ...(sized
        ? [{ table: 'windows' as const, selects: [`SELECT * FROM (${minutes} UNION ALL ${days}) ORDER BY tenant, device, metric, size, start`] }]
        : [
            { table: 'windows_1m' as const, selects: [`${minutes} ORDER BY tenant, device, metric, start`] },
            { table: 'windows_1d' as const, selects: [`${days} ORDER BY tenant, device, metric, start`] },
          ]),
      { table: 'owned_windows', selects: [`SELECT tenant, device, metric, INTERVAL 1 MINUTE, ${moment('0')} FROM ${SERIES} ORDER BY ALL`] },
      { table: 'ledger', selects: [`SELECT DISTINCT tenant, device, ${moment('0')}, 1, 0, 1, 0, 0, 0 FROM (SELECT tenant, device FROM ${SERIES} UNION ALL VALUES ('b', 'refused'), ('z', 'refused')) ORDER BY ALL`] },
    ],
  })
  return { file, level: 0, sealedFrom: part, sealedTo: part, bytes: 1, ...facts }
}

async function rowsOf(path: string): Promise<Record<TableName, unknown[][]>> {
  await db.run(`ATTACH '${path}' AS merged (READ_ONLY)`)
  const rows = {} as Record<TableName, unknown[][]>
  for (const table of TABLE_NAMES) {
    const there = (await db.rows(`SELECT 1 FROM duckdb_tables() WHERE database_name = 'merged' AND table_name = '${table}'`)).length > 0
    rows[table] = there ? await db.rows(`SELECT * FROM merged.main.${table} ORDER BY rowid`) : []
  }
  await db.run('DETACH merged')
  return rows
}

test('rows, their order, sums and the table of series are the same, however many slices there are', async () => {
  const inputs = [await segment('one.duckdb', 0, { sized: true }), await segment('two.duckdb', 1)]
  const merge = async (name: string, sliceRows: number) => {
    const path = join(lakeDir, 'merged', `${name}.duckdb`)
    const facts = await mergeSegments({ lakeDir, level: 1, file: name, inputs, dropBeforeMs: null }, path, undefined, sliceRows)
    return { facts, rows: await rowsOf(path) }
  }
  const whole = await merge('whole', 1_000_000)
  expect(whole.facts.rows).toMatchObject({ readings: 2 * 3077, windows: 0, windows_1m: 48, windows_15m: 0, windows_1h: 0, windows_1d: 48, owned_windows: 8, ledger: 7, series: 8 })
  for (const table of ['windows_1m', 'windows_1d'] as const) expect(whole.rows[table].map((row) => Number(row[4]))).toEqual(Array(48).fill(2))
  // Each series' rows are where its row in the table of series says.
  for (const [tenant, device, metric, , , , , , , ...places] of whole.rows.series) {
    for (const [size, table] of WINDOW_TABLES.entries()) {
      const [n, at] = [Number(places[2 * size]), Number(places[2 * size + 1])]
      expect(n).toBe(whole.facts.rows[table] > 0 ? 6 : 0)
      for (const row of whole.rows[table].slice(at, at + n)) expect(row.slice(0, 3)).toEqual([tenant, device, metric])
    }
  }
  expect(whole.rows.ledger.every((row) => Number(row[3]) === 2)).toBe(true)
  for (const sliceRows of [10, 100, 1_000, 5_000]) expect(await merge(`slices-${sliceRows}`, sliceRows)).toEqual(whole)
})
