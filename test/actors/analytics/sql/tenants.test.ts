import { DuckDBInstance } from '@duckdb/node-api'
import type { DuckDBConnection } from '@duckdb/node-api'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AttachedSegments } from '../../../../actors/analytics/sql/attached.ts'
import { ALLOWED_CALLS, SAFE_OVER_TIMES } from '../../../../actors/analytics/sql/functions.ts'
import { passGate } from '../../../../actors/analytics/sql/gate.ts'
import type { Passed } from '../../../../actors/analytics/sql/gate.ts'
import { Session } from '../../../../actors/analytics/sql/session.ts'
import { columnsSql } from '../../../../actors/store/tables.ts'

/** What a file of several tenants holds beside ours: values that make functions fail, or take all memory, where they are looked at. */
const OTHERS = `SELECT CASE WHEN i % 2 = 0 THEN '0other' ELSE 'zother' END, repeat('SECRET-', 1 + i % 9) || i % 40, 'S', make_timestamp(CASE i % 3 WHEN 0 THEN -9000000000000000 WHEN 1 THEN 9000000000000000 ELSE 0 END),
  CASE i % 4 WHEN 0 THEN 1e100 WHEN 1 THEN -1e100 WHEN 2 THEN 1e9 ELSE -0.5 END, make_timestamp(0) FROM range(30000) t(i)`
const OURS = `SELECT 'mine', 'a1', 'm', make_timestamp(1767225600000000 + i * 1000000), 1, make_timestamp(1767225600000000) FROM range(2000) t(i)`

let dir: string
let mixed: Session
let alone: Session
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-tenants-'))
  const make = async (file: string, rows: string) => {
    const instance = await DuckDBInstance.create(join(dir, file))
    const connection = await instance.connect()
    await connection.run(`CREATE TABLE readings (${columnsSql('readings')})`)
    await connection.run(`INSERT INTO readings SELECT * FROM (${rows}) ORDER BY ALL`)
    connection.closeSync()
    instance.closeSync()
  }
  await make('mixed.duckdb', `${OTHERS} UNION ALL ${OURS}`)
  // One harmless row of another, so that it is read in the same way.
  await make('alone.duckdb', `${OURS} UNION ALL SELECT 'zother', 'a1', 'm', make_timestamp(1767225600000000), 1, make_timestamp(1767225600000000)`)
  await make('mine.duckdb', OURS)
  await make('others.duckdb', OTHERS.replace('0other', 'zother'))
  mixed = await open('mixed.duckdb')
  alone = await open('alone.duckdb')
})
const open = async (file: string) => {
  const session = await Session.open({ segmentsDir: dir, tmpDir: dir, memoryMiB: 256, threads: 2 })
  await session.segments.change({ add: [{ file, rows: { readings: 1 }, tsMin: null, tsMax: null }], drop: [] })
  return session
}
afterAll(() => rm(dir, { recursive: true, force: true }))

async function outcome(session: Session, sql: string): Promise<string> {
  let passed: Passed
  try {
    passed = passGate(JSON.parse(await session.parse(sql)))
  } catch {
    return 'invalid'
  }
  const { views, calls } = passed
  const query = await session.begin({ tenant: 'mine', views, plainTimes: [...calls].every((name) => SAFE_OVER_TIMES.has(name)), fresh: { names: { device: [], metric: [] }, readings: nothing } })
  try {
    let text = ''
    for await (const bytes of query.answer({ sql, params: [], format: 'ndjson', timeMs: false, rowsMax: 1e9 })) text += Buffer.from(bytes).toString()
    return text
  } catch (error) {
    return `${(error as { code: string }).code}: ${(error as Error).message}`
  } finally {
    query.close()
  }
}
const none = new Uint8Array(0)
const nothing = { series: none, ts: none, value: none, receivedAt: none, old: none }

/** Arguments of a type, as columns of a row give them. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  VARCHAR: ['device', 'ts::VARCHAR'],
  ANY: ['device', 'ts'],
  T: ['device'],
  DOUBLE: ['value'],
  FLOAT: ['value::FLOAT'],
  BIGINT: ['epoch_ms(ts)', 'value::BIGINT'],
  INTEGER: ['value::INTEGER'],
  HUGEINT: ['epoch_us(ts)::HUGEINT'],
  BOOLEAN: ['value > 0'],
  TIMESTAMP: ['ts'],
  'TIMESTAMP WITH TIME ZONE': ['ts::TIMESTAMPTZ'],
  DATE: ['ts::DATE'],
  TIME: ['ts::TIME'],
  INTERVAL: ['to_microseconds(epoch_ms(ts))', 'INTERVAL 1 SECOND'],
  'VARCHAR[]': ['[device]'],
  'DOUBLE[]': ['[value]'],
  'BIGINT[]': ['[epoch_ms(ts)]'],
  'ANY[]': ['[device]'],
  'T[]': ['[device]', '[ts]'],
  BLOB: ['device::BLOB'],
  JSON: ['to_json(device)'],
}

describe('a tenant whose rows lie in one file with others’', () => {
  it('is told the same by every function as if it were alone, in a filter and in an order', { timeout: 300_000 }, async () => {
    const instance = await DuckDBInstance.create(':memory:')
    const connection = await instance.connect()
    const known = (await connection.runAndReadAll("SELECT DISTINCT function_name, parameter_types FROM duckdb_functions() WHERE function_type IN ('scalar', 'macro')")).getRowsJS() as [string, string[]][]
    connection.closeSync()
    instance.closeSync()
    const calls = new Set<string>()
    for (const [name, types] of known) {
      // What is random, or tells the time, differs from one to the next.
      if (!ALLOWED_CALLS.has(name) || /random|uuid|now|current|today|timestamp$|version|^age$|^ago$|^user$/.test(name)) continue
      const choices = types.map((type) => ARGUMENTS[type === null ? 'ANY' : type] ?? null)
      if (types.length === 0 || choices.some((of) => of === null)) continue
      const args = choices as (readonly string[])[]
      for (let variant = 0; variant < Math.max(...args.map((of) => of.length)); variant++) {
        const given = args.map((of) => of[Math.min(variant, of.length - 1)])
        calls.add(/^\w+$/.test(name) ? `"${name}"(${given.join(', ')})` : given.length === 2 ? `(${given[0]}) ${name} (${given[1]})` : `${name}(${given[0]})`)
        // One column and constants besides: what DuckDB moves into a scan, or does over a dictionary.
        if (given.length > 1 && /^\w+$/.test(name)) calls.add(`"${name}"(${given[0]}, ${given.slice(1).map((of) => (/device|VARCHAR/.test(of) ? "'S'" : /\[/.test(of) ? of : '3')).join(', ')})`)
      }
    }
    expect(calls.size).toBeGreaterThan(500)
    const leaks: string[] = []
    let worked = 0
    for (const call of calls) {
      for (const sql of [
        `SELECT count(*) FROM readings WHERE length((${call})::VARCHAR) > 3 AND ts > TIMESTAMP '2026-01-01 00:10:00'`,
        `SELECT (${call})::VARCHAR AS x FROM readings ORDER BY ts DESC, x LIMIT 3`,
      ]) {
        const wanted = await outcome(alone, sql)
        if (wanted.startsWith('invalid')) break
        const got = await outcome(mixed, sql)
        worked++
        if (got !== wanted) leaks.push(`${sql} => ${got.slice(0, 200)} instead of ${wanted.slice(0, 200)}`)
      }
    }
    expect(leaks).toEqual([])
    expect(worked).toBeGreaterThan(600)
  })

  it('has no function run over the others’ values, however much memory that would take', async () => {
    for (const column of ['device', 'metric']) {
      let grown: string = column
      for (let i = 0; i < 25; i++) grown = `replace(${grown}, 'S', 'SS')`
      for (const sql of [`SELECT max(length(${grown})) AS n FROM readings`, `SELECT count(*) AS n FROM readings WHERE length(${grown}) > 0`]) {
        expect(JSON.parse(await outcome(mixed, sql)).n).toBe(sql.includes('max') ? column.length - (column === 'device' ? 4 : 5) : 2_000)
      }
    }
  })

  it('can not tell by a cast, a join, an order or a limit what others have', async () => {
    for (const sql of [
      "SELECT count(*) AS n FROM readings WHERE CASE WHEN device LIKE 'SECRET%' THEN CAST(device AS INTEGER) = 1 ELSE true END",
      "SELECT count(*) AS n FROM readings WHERE device LIKE 'a%' AND substr(device, 2)::INTEGER = 1",
      'SELECT count(*) AS n FROM readings WHERE CAST(value AS TINYINT) = 1',
      "SELECT count(*) AS n FROM readings r JOIN (VALUES (1)) v(x) ON CAST(substr(r.device, 2) AS INTEGER) = v.x",
      "SELECT count(*) AS n FROM (SELECT * FROM readings ORDER BY value DESC LIMIT 2000) WHERE substr(device, 2)::INTEGER = 1",
      "SELECT count(*) AS n FROM (SELECT substr(device, 2)::INTEGER AS d FROM readings LIMIT 2000) WHERE d = 1",
      "SELECT sum(n) AS n FROM (SELECT substr(device, 2)::INTEGER AS d, count(*) AS n FROM readings GROUP BY d)",
      "SELECT count(*) AS n FROM readings WHERE value IN (SELECT substr(device, 2)::DOUBLE FROM readings)",
      "SELECT count(*) AS n FROM readings WHERE year(ts) + 0 = 2026 AND (2000000000 + year(ts) * 10000)::INTEGER > 0 ",
    ]) expect([sql, JSON.parse(await outcome(mixed, sql)).n]).toEqual([sql, 2_000])
    expect(await outcome(mixed, 'SELECT min(tenant) AS a, max(device) AS b, max(value) AS c, min(ts) AS d FROM readings')).toBe('{"a":"mine","b":"a1","c":1,"d":"2026-01-01T00:00:00.000Z"}\n')
  })
})

describe('how rows leave a segment', () => {
  let connection: DuckDBConnection
  let segments: AttachedSegments
  beforeAll(async () => {
    connection = await (await DuckDBInstance.create(':memory:')).connect()
    segments = new AttachedSegments(connection, dir)
    await segments.change({ add: ['mixed', 'mine', 'others'].map((name) => ({ file: `${name}.duckdb`, rows: { readings: 1 }, tsMin: null, tsMax: null })), drop: [] })
  })

  const plan = async (sql: string) => String((await connection.runAndReadAll(`EXPLAIN ${sql}`)).getRows()[0][1]).replaceAll(/[\s│]+/g, ' ')

  it('is by the scan alone: a segment of one tenant as it is, of several guarded, of others not at all', async () => {
    const [guarded, whole, ...rest] = await segments.relation('readings', 'mine', { plainTimes: true })
    expect(rest).toEqual([])
    const where = "device = 'a1' AND ts > TIMESTAMP '2026-01-01 00:10:00'"
    // What prunes still reaches the scan.
    expect(await plan(`SELECT value FROM (${whole}) WHERE ${where}`)).toMatch(/Filters: (?:tenant='mine' )?device='a1' ts>'2026-01-01 00:10:00'/)
    expect(await plan(`SELECT value FROM (${guarded}) WHERE ${where}`)).toMatch(/FILTER.*left.*SEQ_SCAN.*Filters: tenant='mine' ts>'2026-01-01 00:10:00'/)
  })

  it('follows which segments there are', async () => {
    await segments.change({ add: [], drop: ['mine.duckdb'] })
    expect(await segments.relation('readings', 'mine', { plainTimes: true })).toHaveLength(1)
    expect(await segments.relation('readings', 'nobody', { plainTimes: true })).toHaveLength(1)
    expect(await segments.relation('windows', 'mine', { plainTimes: true })).toEqual([])
    await expect(segments.change({ add: [{ file: 'gone.duckdb', rows: { readings: 1 }, tsMin: null, tsMax: null }], drop: [] })).rejects.toThrow()
  })
})
