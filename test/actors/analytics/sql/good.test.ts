import { DuckDBListValue, DuckDBStructValue, DuckDBArrayValue } from '@duckdb/node-api'
import type { DuckDBConnection } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { VIEW_COLUMNS, VIEWS } from '../../../../actors/analytics/sql/views.ts'
import { askerWithRows } from './asker.ts'
import type { Asker } from './asker.ts'
import { GOOD } from './good.ts'

let asker: Asker
let plain: DuckDBConnection
let close: () => Promise<void>
beforeAll(async () => {
  ;({ asker, plain, close } = await askerWithRows())
  for (const view of ['alerts', 'forecasts'] as const) await plain.run(`CREATE TABLE ${view} (${VIEW_COLUMNS[view].map(([name, type]) => `"${name}" ${type}`).join(', ')})`)
})
afterAll(() => close())

/** A value of either side as text, so that the two can be compared. */
function told(value: unknown): unknown {
  if (value === null || value === undefined) return null
  if (typeof value === 'number') return String(Number(value.toPrecision(12)))
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(told)
  if (value instanceof DuckDBStructValue) return Object.values(value.entries).map(told)
  if (Array.isArray(value)) return value.map(told)
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) return Object.values(value).map(told)
  const text = String(value)
  const time = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:Z|\+00)?$/.exec(text)
  if (time !== null) return `${time[1]} ${time[2]}${time[3] === undefined || /^0+$/.test(time[3]) ? '' : `.${time[3]}`}`
  return /^-?\d+(\.\d+)?$/.test(text) ? String(Number(text)) : text
}

describe('a query over the views', () => {
  it('is one of many kinds', () => expect(new Set(GOOD).size).toBeGreaterThanOrEqual(60))

  it.each(GOOD.map((sql) => [sql]))('answers as a plain DuckDB over the same rows does: %s', async (sql) => {
    const rows = (await plain.runAndReadAll(sql)).getRows().map((row) => row.map(told))
    const answered = (await asker.rows(sql)).map((row) => row.map(told))
    // The unnamed row of the plain reader hides a field; ours must not.
    if (sql.includes('row(1,')) expect(answered[0][3]).toEqual(['1', 'x'])
    else if (/ORDER BY/.test(sql)) expect(answered).toEqual(rows)
    else expect(answered.map((row) => JSON.stringify(row)).sort()).toEqual(rows.map((row) => JSON.stringify(row)).sort())
  })

  it('shows the columns that /v1/sql/tables names, and SUMMARIZE and DESCRIBE work on them', async () => {
    const { tables } = await asker.house.json('/v1/sql/tables')
    expect(tables.map((table: { name: string }) => table.name)).toEqual([...VIEWS])
    for (const { name, columns } of tables as { name: string; columns: { name: string; type: string }[] }[]) {
      const shown = await asker.rows(`DESCRIBE ${name}`)
      expect(shown.map(([column, type]) => [column, type])).toEqual(columns.map((column) => [column.name, column.type]))
      expect(await asker.rows(`SUMMARIZE ${name}`)).toHaveLength(columns.length)
    }
  })

  it('takes parameters by place and by name, and none of them is ever read as SQL', async () => {
    const one = (rows: any[][]) => rows[0][0]
    expect(one(await asker.rows('SELECT count(*) FROM readings WHERE device = $1 AND ts >= $2', { params: ['tank', '2026-01-01T02:00:00Z'] }))).toBe(80)
    expect(one(await asker.rows('SELECT count(*) FROM readings WHERE device = ? AND value > ?', { params: ['tank', 1_000] }))).toBe(0)
    expect(one(await asker.rows('SELECT count(*) FROM readings WHERE device = $d', { params: { d: "tank' OR true --" } }))).toBe(0)
    expect(await asker.rows('SELECT $1 + 1, $2, $3, $4', { params: [1.5, true, null, 'x'] })).toEqual([[2.5, true, null, 'x']])
    for (const params of [[], [1, 2], { e: 1 }]) {
      const { status, json } = await asker.ask('SELECT $d::INTEGER', { params })
      expect([status, json.code]).toEqual([400, 'invalid'])
    }
  })
})
