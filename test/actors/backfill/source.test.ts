/** Files of history as people have them, and the readings that they are. */

import { DuckDBInstance } from '@duckdb/node-api'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HistorySource } from '../../../actors/backfill/source.ts'
import type { SourceOptions } from '../../../actors/backfill/source.ts'

let dir: string
let opened: HistorySource[]

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-history-'))
  opened = []
})
afterEach(async () => {
  for (const source of opened) source.close()
  await rm(dir, { recursive: true, force: true })
})

const open = async (files: readonly string[], options: Partial<SourceOptions> = {}): Promise<HistorySource> => {
  const source = await HistorySource.open({ files: files.map((file) => join(dir, file)), map: {}, device: null, metric: null, prefix: '', zone: 'UTC', order: 'time', ...options })
  opened.push(source)
  return source
}

/** Rows as `device metric time value`, what does not read in brackets. */
async function told(source: HistorySource, from = 0): Promise<string[]> {
  const lines: string[] = []
  for await (const { device, metric, ts, value, raw } of source.rows(from, 2)) {
    for (let i = 0; i < ts.length; i++) lines.push(`${device[i]} ${metric[i]} ${raw[i] !== null ? `[${raw[i]}]` : `${new Date(ts[i]).toISOString()} ${value[i]}`}`)
  }
  return lines
}

const LONG = `Device,Metric,Time,Value
b,t,2024-05-01 10:00:00,2.5
a,t,2024-05-01T09:00:00Z,1
a,on,2024-05-01 11:00:00+02:00,true
a,t,2024-05-01 12:00:00,
a,t,yesterday,3
b,t,2024-05-01 13:00:00,warm
`
const EXPECTED = ['a t [yesterday]', 'a on 2024-05-01T09:00:00.000Z 1', 'a t 2024-05-01T09:00:00.000Z 1', 'b t 2024-05-01T10:00:00.000Z 2.5', 'b t [warm]']

describe('a source of history', () => {
  test('recognises columns by their names, sorts by time, leaves out empty values and gives what does not read by its text', async () => {
    await writeFile(join(dir, 'h.csv'), LONG)
    const source = await open(['h.csv'])
    expect(await told(source)).toEqual(EXPECTED)
    expect(source.count).toBe(5)
    expect(await source.describe()).toEqual({ devices: 2, metrics: ['on', 't'], firstMs: Date.UTC(2024, 4, 1, 9), lastMs: Date.UTC(2024, 4, 1, 13), unreadable: 2 })
  })

  test('goes on at any row, and keeps the order of the file where that is asked for', async () => {
    await writeFile(join(dir, 'h.csv'), LONG)
    expect(await told(await open(['h.csv']), 3)).toEqual(EXPECTED.slice(3))
    expect(await told(await open(['h.csv'], { order: 'file' }), 1)).toEqual([EXPECTED[2], EXPECTED[1], EXPECTED[0], EXPECTED[4]])
  })

  test('reads gzip and zstd, several files and globs as one', async () => {
    const [head, ...lines] = LONG.trimEnd().split('\n')
    await writeFile(join(dir, 'h1.csv.gz'), gzipSync([head, ...lines.slice(0, 3)].join('\n')))
    await writeFile(join(dir, 'h2.csv.gz'), gzipSync([head, ...lines.slice(3)].join('\n')))
    await writeFile(join(dir, 'whole.csv.zst'), zstdCompressSync(LONG))
    expect(await told(await open(['h*.csv.gz']))).toEqual(EXPECTED)
    expect(await told(await open(['whole.csv.zst']))).toEqual(EXPECTED)
  })

  test('takes each column of numbers as a metric where there is none of values', async () => {
    await writeFile(join(dir, 'wide.csv'), 'time,air temp,rain,note,open\n2024-05-01,11.5,0,dry,true\n2024-05-02,12,,wet,false\n')
    expect(await told(await open(['wide.csv'], { device: 'mast', prefix: 'north/' }))).toEqual([
      'north/mast air_temp 2024-05-01T00:00:00.000Z 11.5', 'north/mast open 2024-05-01T00:00:00.000Z 1', 'north/mast rain 2024-05-01T00:00:00.000Z 0',
      'north/mast air_temp 2024-05-02T00:00:00.000Z 12', 'north/mast open 2024-05-02T00:00:00.000Z 0',
    ])
  })

  test('takes times without a zone as of the zone that is given, summer time included, and numbers by their size', async () => {
    await writeFile(join(dir, 'local.csv'), 'when,n\n2024-01-01 00:00:00,1\n2024-07-01 00:00:00,2\n')
    expect(await told(await open(['local.csv'], { device: 'd', metric: 'm', zone: 'Europe/Vienna', map: { ts: 'when', value: 'n' } }))).toEqual(['d m 2023-12-31T23:00:00.000Z 1', 'd m 2024-06-30T22:00:00.000Z 2'])
    const ms = Date.UTC(2024, 0, 1)
    await writeFile(join(dir, 'numbers.ndjson'), [ms / 1_000, ms + 1, (ms + 2) * 1e3, (ms + 3) * 1e6].map((ts, i) => JSON.stringify({ sensor: 's', ts, metric: 'm', value: i })).join('\n'))
    expect(await told(await open(['numbers.ndjson']))).toEqual([0, 1, 2, 3].map((i) => `s m 2024-01-01T00:00:00.00${i}Z ${i}`))
  })

  test('reads Parquet with its types', async () => {
    const instance = await DuckDBInstance.create(':memory:')
    const connection = await instance.connect()
    await connection.run(`COPY (SELECT 'p' AS station, TIMESTAMP '2024-05-01 10:00:00' AS ts, 1.25::DECIMAL(6, 2) AS rain, 7::BIGINT AS count) TO '${join(dir, 'h.parquet')}' (FORMAT parquet)`)
    connection.closeSync()
    instance.closeSync()
    expect(await told(await open(['h.parquet']))).toEqual(['p count 2024-05-01T10:00:00.000Z 7', 'p rain 2024-05-01T10:00:00.000Z 1.25'])
  })

  test('says what is not clear, by its name and with the columns that there are', async () => {
    await writeFile(join(dir, 'odd.csv'), 'x,y\na,b\n')
    await writeFile(join(dir, 'h.csv'), LONG)
    await writeFile(join(dir, 'h.json'), '[]')
    for (const [files, options, message] of [
      [['odd.csv'], {}, /which column is ts \(--map ts=COLUMN\).*x, y/],
      [['h.csv'], { map: { value: 'nothing' } }, /which column is value .* there is no column nothing/],
      [['none-*.csv'], {}, /each file must be there: .*none-\*\.csv is not/],
      [['h.csv', 'h.json'], {}, /of one kind/],
      [['h.csv'], { zone: 'Mars/North' }, /--tz Mars\/North must be readable/],
    ] as const) {
      await expect(open(files, options)).rejects.toMatchObject({ code: 'config', message: expect.stringMatching(message) })
    }
  })

  test('has an identity that changes with its files and with what is made of them', async () => {
    await writeFile(join(dir, 'h.csv'), LONG)
    const { identity } = await open(['h.csv'])
    expect((await open(['h.csv'])).identity).toBe(identity)
    expect((await open(['h.csv'], { prefix: 'x/' })).identity).not.toBe(identity)
    await writeFile(join(dir, 'h.csv'), `${LONG}c,t,2024-05-02,1\n`)
    expect((await open(['h.csv'])).identity).not.toBe(identity)
  })
})
