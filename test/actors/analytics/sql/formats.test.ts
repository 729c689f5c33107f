import { DuckDBInstance } from '@duckdb/node-api'
import { tableFromIPC } from 'apache-arrow'
import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { T0 } from '../house.ts'
import { askerWithRows } from './asker.ts'
import type { Asker } from './asker.ts'

let asker: Asker
let close: () => Promise<void>
beforeAll(async () => {
  ;({ asker, close } = await askerWithRows())
})
afterAll(() => close())

/** One row of each kind of value, and one of nulls. */
const KINDS = `
  SELECT i AS whole, 9007199254740993 + i AS big, 170141183460469231731687303715884105727::HUGEINT AS huge, 1.5::DOUBLE AS double, 1.25::DECIMAL(10, 2) AS decimal,
    true AS yes, 'a,"b"
c ä' AS text, TIMESTAMP '2026-01-01 00:00:00.123456' AS at, DATE '2026-01-02' AS day, TIME '03:04:05' AS time, INTERVAL '1 month 2 days 3 seconds' AS span,
    [1, NULL, 3] AS list, {'a': 1, 'b': 'x'} AS struct, MAP {'k': 1} AS map, '\\xAA'::BLOB AS blob, '{"a": [1]}'::JSON AS json,
    uuid '00000000-0000-0000-0000-000000000001' AS id, 'x'::ENUM('x', 'y') AS enum, ROW(1, 'y') AS pair
  FROM range(1) t(i)`
const NULLS = `SELECT ${['whole', 'big', 'huge', 'double', 'decimal', 'yes', 'text', 'at', 'day', 'time', 'span', 'list', 'struct', 'map', 'blob', 'json', 'id', 'enum', 'pair'].map((name) => `NULLIF("${name}", "${name}") AS "${name}"`).join(', ')} FROM (${KINDS})`
const BOTH = `${KINDS} UNION ALL ${NULLS}`

describe('an answer', () => {
  it('in JSON loses no digit, and has a form for every type', async () => {
    const [row, nulls] = (await asker.ask(BOTH)).json.rows
    expect(row).toEqual({
      whole: 0, big: '9007199254740993', huge: '170141183460469231731687303715884105727', double: 1.5, decimal: 1.25, yes: true, text: 'a,"b"\nc ä',
      at: '2026-01-01T00:00:00.123456Z', day: '2026-01-02', time: '03:04:05', span: '1 month 2 days 00:00:03', list: [1, null, 3], struct: { a: 1, b: 'x' },
      map: [{ key: 'k', value: 1 }], blob: '\\xAA', json: { a: [1] }, id: '00000000-0000-0000-0000-000000000001', enum: 'x', pair: [1, 'y'],
    })
    expect(new Set(Object.values(nulls))).toEqual(new Set([null]))
    const odd = await asker.rows("SELECT 'nan'::DOUBLE, 'inf'::DOUBLE, '-inf'::FLOAT, 'infinity'::TIMESTAMP, -0.0::DOUBLE, 123456789012345678.5::DECIMAL(20, 1), TIMESTAMP '1969-12-31 23:59:59.999999'")
    expect(odd).toEqual([[null, null, null, 'infinity', 0, '123456789012345678.5', '1969-12-31T23:59:59.999999Z']])
    expect(await asker.rows("SELECT TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-01 00:00:00.0005', [TIMESTAMP '2026-01-01']", { time: 'ms' })).toEqual([[T0, T0 + 0.5, [T0]]])
    const { json } = await asker.ask('SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS "x""y"')
    expect(json.columns.map((column: { name: string }) => column.name)).toEqual(['a', 'a_2', 'a_1', 'x"y'])
    expect(json.rows).toEqual([{ a: 1, a_2: 2, a_1: 3, 'x"y': 4 }])
  })

  it('in NDJSON is a row a line, and in CSV a row that any reader of RFC 4180 takes apart', async () => {
    const lines = (await asker.ask(BOTH, { format: 'ndjson' })).text.split('\n')
    expect(lines).toHaveLength(3)
    expect(JSON.parse(lines[0])).toEqual((await asker.ask(BOTH)).json.rows[0])
    const { text } = await asker.ask(`SELECT big, "text", "at", list, span, json FROM (${BOTH})`, { format: 'csv' })
    expect(text).toBe('big,text,at,list,span,json\r\n9007199254740993,"a,""b""\nc ä",2026-01-01T00:00:00.123456Z,"[1,null,3]",1 month 2 days 00:00:03,"{""a"": [1]}"\r\n,,,,,\r\n')
  })

  it('in Arrow reads back as what it was, by the reader of Arrow', async () => {
    const answer = await asker.response(BOTH, { path: '/v1/sql?format=arrow' })
    expect(answer.headers.get('content-type')).toBe('application/vnd.apache.arrow.stream')
    const table = tableFromIPC(new Uint8Array(await answer.arrayBuffer()))
    const row = table.get(0)!.toJSON() as Record<string, any>
    expect(row).toMatchObject({ whole: 0n, big: 9007199254740993n, double: 1.5, yes: true, text: 'a,"b"\nc ä', id: '00000000-0000-0000-0000-000000000001', enum: 'x' })
    expect(String(row.huge)).toBe('170141183460469231731687303715884105727')
    expect(Number(row.decimal)).toBe(125)
    expect(row.at).toBe(T0 + 0.123456 * 1000)
    expect([...row.list]).toEqual([1, null, 3])
    expect(row.struct.toJSON()).toEqual({ a: 1, b: 'x' })
    expect(row.map.toJSON()).toEqual({ k: 1 })
    expect([...row.blob]).toEqual([0xaa])
    expect(table.schema.fields.map(({ type }) => String(type))).toEqual([
      'Int64', 'Int64', 'Decimal[38e0]', 'Float64', 'Decimal[10e+2]', 'Bool', 'Utf8', 'Timestamp<MICROSECOND, UTC>', 'Date32<DAY>', 'Time64<MICROSECOND>',
      'Interval<MONTH_DAY_NANO>', 'List<Int32>', expect.stringMatching(/^Struct/), expect.stringMatching(/^Map/), 'Binary', 'Utf8', 'Utf8', 'Utf8', expect.stringMatching(/^Struct/),
    ])
    for (const [name, value] of Object.entries(table.get(1)!.toJSON())) expect([name, value]).toEqual([name, null])
  })

  it('in Arrow of many batches is whole', async () => {
    const answer = await asker.response('SELECT i, i / 3 AS d, CASE WHEN i % 7 > 0 THEN \'n\' || i END AS t FROM range(100000) r(i)', { headers: { accept: 'application/vnd.apache.arrow.stream' } })
    const table = tableFromIPC(new Uint8Array(await answer.arrayBuffer()))
    expect(table.batches.length).toBeGreaterThan(3)
    expect(table.numRows).toBe(100_000)
    expect(table.getChild('t')!.nullCount).toBe(Math.ceil(100_000 / 7))
    for (const at of [0, 1, 16_383, 16_384, 99_999]) expect(table.get(at)!.toJSON()).toEqual({ i: BigInt(at), d: at / 3, t: at % 7 === 0 ? null : `n${at}` })
  })

  it('in Parquet reads back by DuckDB with its types, and leaves no file behind', async () => {
    const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('weir-sql-')).flatMap((name) => readdirSync(join(tmpdir(), name)))
    const read = async (sql: string, select: string, options: object = {}) => {
      const answer = await asker.response(sql, { format: 'parquet', ...options })
      expect(answer.headers.get('content-type')).toBe('application/vnd.apache.parquet')
      const file = join(asker.house.dir, 'answer.parquet')
      await writeFile(file, new Uint8Array(await answer.arrayBuffer()))
      const instance = await DuckDBInstance.create(':memory:')
      const connection = await instance.connect()
      const rows = (await connection.runAndReadAll(select.replace('FILE', `'${file}'`))).getRowsJS()
      connection.closeSync()
      instance.closeSync()
      return rows
    }
    const types = await read(`SELECT * EXCLUDE (json) FROM (${BOTH})`, 'SELECT column_type FROM (DESCRIBE SELECT * FROM FILE)')
    expect(types.flat()).toEqual([
      'BIGINT', 'BIGINT', 'DOUBLE', 'DOUBLE', 'DECIMAL(10,2)', 'BOOLEAN', 'VARCHAR', 'TIMESTAMP', 'DATE', 'TIME', 'INTERVAL', 'INTEGER[]', 'STRUCT(a INTEGER, b VARCHAR)',
      'MAP(VARCHAR, INTEGER)', 'BLOB', 'UUID', 'VARCHAR', expect.stringMatching(/^STRUCT/),
    ])
    expect(await read('SELECT * FROM range(50000) t(i)', 'SELECT count(*)::DOUBLE, sum(i)::DOUBLE FROM FILE')).toEqual([[50_000, 1_249_975_000]])
    expect(await read("SELECT TIMESTAMP '2026-01-01' AS t", 'SELECT t::DOUBLE FROM FILE', { time: 'ms' })).toEqual([[T0]])
    expect(folders()).toEqual([])
  })

  it('of more rows than it may have fails in any format but JSON: by a problem, or by a connection that is cut', async () => {
    for (const format of ['csv', 'ndjson', 'arrow', 'parquet']) {
      const { status, text } = await asker.ask('SELECT * FROM range(100)', { format, maxRows: 99 })
      expect([status, JSON.parse(text).code]).toEqual([400, 'rows'])
    }
    const long = await asker.response("SELECT repeat('x', 100) FROM range(100000)", { format: 'csv', maxRows: 50_000 })
    expect(long.status).toBe(200)
    await expect(long.text()).rejects.toThrow('more than 50000 rows')
  })

  it('that fails behind its first byte is cut, and one that fails before says why', async () => {
    const failing = (at: number, rows: number) => `SELECT CASE WHEN i = ${at} THEN CAST('x' || i AS INTEGER) ELSE i END AS x FROM range(${rows}) t(i)`
    for (const format of ['json', 'ndjson', 'csv', 'arrow']) {
      const answer = await asker.response(failing(999_999, 1_000_000), { format, maxRows: 2_000_000 })
      expect(answer.status).toBe(200)
      await expect(answer.arrayBuffer()).rejects.toThrow('could not be computed')
      // A few rows are not sent before the last of them is there.
      const { status, text } = await asker.ask(failing(4_000, 4_001), { format })
      expect([status, JSON.parse(text).detail]).toEqual([400, expect.stringContaining('could not be converted')])
    }
    expect((await asker.ask(failing(999_999, 1_000_000), { format: 'parquet' })).text).toContain('could not be converted')
  })

  it('goes by the body, then by format=, then by Accept', async () => {
    const type = async (options: Record<string, unknown>) => (await asker.response('SELECT 1', options)).headers.get('content-type')
    expect(await type({ headers: { accept: 'text/csv' } })).toMatch('text/csv')
    expect(await type({ path: '/v1/sql?format=ndjson', headers: { accept: 'text/csv' } })).toMatch('ndjson')
    expect(await type({ format: 'json', path: '/v1/sql?format=ndjson' })).toMatch('application/json')
  })
})

describe('a list', () => {
  it('is Arrow where that is asked for, with its types, its cursor in the headers', async () => {
    const answer = await asker.house.get('/v1/readings?format=arrow&device=tank&limit=50')
    expect(answer.headers.get('content-type')).toBe('application/vnd.apache.arrow.stream')
    expect(answer.headers.get('x-next-cursor')).toBeTruthy()
    const table = tableFromIPC(new Uint8Array(await answer.arrayBuffer()))
    expect(table.schema.fields.map(({ name, type }) => `${name} ${type}`)).toEqual(['device Utf8', 'metric Utf8', 'ts Timestamp<MICROSECOND, UTC>', 'value Float64', 'received_at Timestamp<MICROSECOND, UTC>'])
    const { readings } = await asker.house.json('/v1/readings?device=tank&limit=50&time=ms')
    expect(table.toArray().map((row) => row.toJSON())).toEqual(readings)
    const windows = tableFromIPC(new Uint8Array(await (await asker.house.get('/v1/windows?time=ms&device=tank', { headers: { accept: 'application/vnd.apache.arrow.stream' } })).arrayBuffer()))
    expect(String(windows.schema.fields.find(({ name }) => name === 'start')!.type)).toBe('Int64')
    expect(windows.getChild('stddev')!.nullCount).toBe(windows.numRows)
    for (const path of ['series', 'latest', 'anomalies', 'ledger']) {
      const list = await asker.house.get(`/v1/${path}?format=arrow`)
      expect(tableFromIPC(new Uint8Array(await list.arrayBuffer())).numRows, path).toBeGreaterThan(0)
    }
  })
})
