import { DuckDBInstance } from '@duckdb/node-api'
import type { DuckDBConnection } from '@duckdb/node-api'
import { beforeAll, describe, expect, it } from 'vitest'
import { ALLOWED_CALLS, ALLOWED_TABLES, DENIED_CALLS, DENIED_FAMILIES, DENIED_TABLES, SAFE_OVER_TIMES } from '../../../../actors/analytics/sql/functions.ts'
import { passGate, Refusal } from '../../../../actors/analytics/sql/gate.ts'
import { GOOD } from './good.ts'

let connection: DuckDBConnection
beforeAll(async () => {
  connection = await (await DuckDBInstance.create(':memory:')).connect()
})

async function parse(sql: string): Promise<any> {
  return JSON.parse(String((await connection.runAndReadAll('SELECT json_serialize_sql($1::VARCHAR)', [sql])).getRows()[0][0]))
}

const views = async (sql: string) => [...passGate(await parse(sql)).views].sort()

describe('the lists of functions', () => {
  it('are, together, exactly what DuckDB of this version has', async () => {
    const rows = (await connection.runAndReadAll("SELECT DISTINCT function_type, function_name FROM duckdb_functions() WHERE function_type <> 'pragma'")).getRows() as [string, string][]
    const inFrom = (type: string) => type === 'table' || type === 'table_macro'
    for (const [places, allowed, denied] of [[(t: string) => !inFrom(t), ALLOWED_CALLS, DENIED_CALLS], [inFrom, ALLOWED_TABLES, DENIED_TABLES]] as const) {
      const there = new Set(rows.filter(([type]) => places(type)).map(([, name]) => name))
      const times = (name: string) => Number(allowed.has(name)) + Number(denied.has(name)) + Number(DENIED_FAMILIES.some((family) => family.test(name)))
      expect([...there].filter((name) => times(name) !== 1)).toEqual([])
      expect([...allowed, ...denied].filter((name) => !there.has(name))).toEqual([])
    }
    expect([...SAFE_OVER_TIMES].filter((name) => !ALLOWED_CALLS.has(name))).toEqual([])
  })
})

describe('the gate', () => {
  it('names the views that a query reads, wherever it reads them', async () => {
    expect(await views('SELECT 1')).toEqual([])
    expect(await views('SELECT * FROM Readings r JOIN "WINDOWS" USING (device)')).toEqual(['readings', 'windows'])
    expect(await views('SELECT (SELECT max(ts) FROM anomalies) WHERE EXISTS (FROM alerts) ORDER BY (SELECT 1 FROM rejects)')).toEqual(['alerts', 'anomalies', 'rejects'])
    expect(await views('WITH readings AS (FROM forecasts) SELECT * FROM readings')).toEqual(['forecasts'])
  })

  it('finds a CTE where DuckDB would, and nowhere else', async () => {
    const refused = async (sql: string) => expect(views(sql), sql).rejects.toBeInstanceOf(Refusal)
    expect(await views('WITH a AS (SELECT 1), b AS (FROM a) SELECT * FROM b, (SELECT * FROM a)')).toEqual([])
    expect(await views('WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a) FROM a')).toEqual([])
    await refused('WITH a AS (FROM b), b AS (SELECT 1) FROM a')
    await refused('WITH a AS (FROM a) FROM a')
    await refused('WITH RECURSIVE a AS (FROM a UNION ALL SELECT 1) FROM a')
    await refused('SELECT * FROM (WITH a AS (SELECT 1) FROM a), a')
    await refused('(WITH a AS (SELECT 1) FROM a) UNION ALL FROM a')
    await refused('WITH a AS (WITH b AS (SELECT 1) FROM b) FROM b')
    // To DuckDB a Kelvin sign is no k, although JavaScript's lower case of it is one.
    await refused('WITH "duc\u212adb_databases" AS (SELECT 1) FROM duckdb_databases')
  })

  it('refuses a node, a field or a value of a field that it does not know', async () => {
    const tree = await parse('SELECT device FROM readings WHERE value > 1 ORDER BY ts')
    const changed = (change: (node: any) => void) => {
      const copy = structuredClone(tree)
      change(copy.statements[0].node)
      return () => passGate(copy)
    }
    expect(changed(() => {})).not.toThrow()
    expect(changed((node) => (node.type = 'INSERT_NODE'))).toThrow(Refusal)
    expect(changed((node) => (node.into = 'x'))).toThrow(Refusal)
    expect(changed((node) => (node.from_table.type = 'COLUMN_DATA'))).toThrow(Refusal)
    expect(changed((node) => (node.from_table.schema_name = 'main'))).toThrow(Refusal)
    expect(changed((node) => (node.where_clause.class = 'BOUND_FUNCTION'))).toThrow(Refusal)
    expect(changed((node) => (node.where_clause.type = 'COMPARE_SOMEHOW'))).toThrow(Refusal)
    expect(changed((node) => (node.select_list[0].macro = 1))).toThrow(Refusal)
    expect(changed((node) => (node.modifiers[0].type = 'LOCK_MODIFIER'))).toThrow(Refusal)
    for (const odd of [null, 1, 'x', [], {}, { error: false }, { error: false, statements: [] }, { error: false, statements: [null] }, { error: true }]) {
      expect(() => passGate(odd), JSON.stringify(odd)).toThrow(Refusal)
    }
  })

  it('says what is wrong and where', async () => {
    const told = async (sql: string) => views(sql).catch((error: Refusal) => [error.code, error.position, error.message] as const)
    expect(await told('SELECT * FROM secrets')).toEqual(['refused', 14, expect.stringContaining('"secrets"')])
    expect(await told('SELECT 1, getenv(1)')).toEqual(['refused', 10, expect.stringContaining('"getenv"')])
    expect(await told('SELECT * FRM x')).toEqual(['invalid', 13, expect.stringContaining('syntax error')])
    expect(await told('SELECT 1; SELECT 2')).toEqual(['refused', null, expect.stringContaining('current number is 2')])
    expect(await told('DROP TABLE x')).toEqual(['refused', null, expect.stringContaining('must be a SELECT')])
  })

  it('lets every good query pass', async () => {
    for (const sql of GOOD) await expect(views(sql), sql).resolves.toBeInstanceOf(Array)
  })
})
