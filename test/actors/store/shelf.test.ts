/** Two shelves, one port: DuckDB and the naive one in memory keep the same laws, and of one story hold the same rows. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LakeDatabase } from '../../../actors/store/database.ts'
import { duckdbShelf } from '../../../actors/store/duckdb-shelf.ts'
import { newestWindows } from '../../../actors/store/memory-rows.ts'
import { lakeRows, packSegment, unpackSegment } from '../../../actors/store/memory-segment.ts'
import type { LakeRow } from '../../../actors/store/memory-rows.ts'
import { memoryShelf } from '../../../actors/store/memory-shelf.ts'
import { TABLES, TABLE_NAMES } from '../../../actors/store/tables.ts'
import { systemDisk } from '../../../runtime/disk.ts'
import { MemoryDisk } from '../../../runtime/memory-disk.ts'
import { withLake } from '../../support/law.ts'
import { difference, shelfConformance } from './shelf.conformance.ts'
import type { ShelfHouse } from './shelf.conformance.ts'
import { tellStory } from './shelf-story.ts'

const SEEDS = Number(process.env.WEIR_SHELF_SEEDS ?? 3)
const FIRST_SEED = Number(process.env.WEIR_SHELF_SEED ?? 1)

async function duckdbHouse(): Promise<ShelfHouse & { dataDir: string }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'weir-shelf-'))
  const lakeDir = join(dataDir, 'lake')
  const plain = (table: keyof typeof TABLES) =>
    TABLES[table].map(([name, type]) => (type === 'TIMESTAMP' || type === 'INTERVAL' ? `epoch_ms("${name}")::DOUBLE` : type === 'BIGINT' ? `"${name}"::DOUBLE` : `"${name}"`)).join(', ')
  return {
    dataDir,
    lakeDir,
    disk: systemDisk,
    port: duckdbShelf,
    rows: async ({ segments }, table) => {
      const db = await LakeDatabase.open(lakeDir)
      try {
        const from = await db.relation(table, segments, '*')
        const rows = from === null ? [] : await db.rows(`SELECT ${plain(table)} FROM ${from}`)
        return rows.map((row) => Object.fromEntries(TABLES[table].map(([name], i) => [name, row[i]])) as LakeRow)
      } finally {
        db.close()
      }
    },
    close: () => rm(dataDir, { recursive: true, force: true }),
  }
}

function memoryHouse(): ShelfHouse {
  const machine = new MemoryDisk()
  const disk = machine.open()
  const lakeDir = '/data/lake'
  return { lakeDir, disk, port: memoryShelf(disk), rows: (manifest, table) => lakeRows(machine.open(), { lakeDir, manifest, table }), close: async () => {} }
}

shelfConformance('DuckDB', duckdbHouse)
shelfConformance('memory', async () => memoryHouse())

describe('one story told on both shelves', () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    it(`ends in the same tables, seed ${seed}`, async () => {
      const [duckdb, memory] = [await duckdbHouse(), memoryHouse()]
      try {
        const expected = await tellStory(duckdb, seed)
        const got = await tellStory(memory, seed)
        expect(got.map((station) => station.told)).toEqual(expected.map((station) => station.told))
        for (const [i, station] of got.entries()) {
          for (const table of TABLE_NAMES) {
            expect(`${table}: ${difference(station.tables[table], expected[i].tables[table])}`, `after${station.told}`).toBe(`${table}: null`)
          }
          expect(station.segments).toEqual(expected[i].segments)
        }
        const shown = await withLake(duckdb.dataDir, (query) =>
          query('SELECT * REPLACE (epoch_ms(size)::DOUBLE AS size, epoch_ms(start)::DOUBLE AS start, count::DOUBLE AS count, epoch_ms(updated_at)::DOUBLE AS updated_at) FROM windows'),
        )
        const newest = newestWindows(got.at(-1)!.tables.windows).map(({ version: _version, ...row }) => row)
        expect(difference(newest, shown as LakeRow[])).toBeNull()
        expect(Math.max(...got.map((station) => station.tables.windows.length))).toBeGreaterThan(50)
      } finally {
        await duckdb.close()
      }
    }, 120_000)
  }
})

describe('a file of the memory shelf', () => {
  const NO_WINDOWS = { windows_1m: [], windows_15m: [], windows_1h: [], windows_1d: [] }
  const tables = { readings: [{ tenant: 't', device: 'd', metric: 'm', ts: 5, value: -0, received_at: 6 }], windows: [], owned_windows: [], anomalies: [], forecasts: [], feedback: [], profiles: [], drivers: [], alerts: [], own_rows: [], rejects: [], ledger: [], series: [], ...NO_WINDOWS }

  it('gives back its rows to the last bit', () => {
    expect(unpackSegment(packSegment(tables), 'f')).toEqual(tables)
    expect(Object.is(unpackSegment(packSegment(tables), 'f').readings[0].value, -0)).toBe(true)
  })

  it('does not read where any one bit of it has flipped, or its end is gone', () => {
    const bytes = packSegment(tables)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice()
      flipped[bit >>> 3] ^= 1 << (bit & 7)
      expect(() => unpackSegment(flipped, 'f')).toThrow(/checksum/)
    }
    for (let length = 0; length < bytes.length; length++) expect(() => unpackSegment(bytes.slice(0, length), 'f')).toThrow(/checksum/)
  })
})
