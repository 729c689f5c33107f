/** Laws of kept views: the rows made of parts are those of the SELECT, however readings are spread. */

import { DuckDBInstance } from '@duckdb/node-api'
import type { DuckDBConnection } from '@duckdb/node-api'
import { beforeAll, describe, expect, it } from 'vitest'
import { compileView } from '../../../actors/view/compile.ts'
import { ViewError } from '../../../actors/view/listed.ts'
import { emptyDatabase } from '../../../actors/view/database.ts'
import type { SqlDatabase } from '../../../actors/view/database.ts'
import { isKeptView, partialSql, shownSql, viewId } from '../../../actors/view/kept.ts'
import type { KeptView } from '../../../actors/view/kept.ts'
import { sourceMacros } from '../../../actors/view/sources.ts'
import { drawReadings, drawSelect, randomOf } from './generated.ts'
import type { DrawnReading } from './generated.ts'
import { sameRows } from '../../support/same-rows.ts'

const TENANT = 'farm'
let compiler: SqlDatabase
let lake: DuckDBConnection

beforeAll(async () => {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  compiler = await emptyDatabase(await instance.connect())
  lake = await instance.connect()
})

async function compiled(sql: string): Promise<KeptView> {
  const [[tree]] = await rowsOf(`SELECT json_serialize_sql(${text(sql)})`)
  return compileView(TENANT, String(tree), sql, compiler)
}

const text = (of: string) => `'${of.replaceAll("'", "''")}'`
const rowsOf = async (sql: string) => (await lake.runAndReadAll(sql)).getRows()

/** Puts readings into a table for each piece, and all of them into the view `readings`. */
async function spread(pieces: readonly (readonly DrawnReading[])[]): Promise<void> {
  await lake.run('DROP VIEW IF EXISTS readings')
  for (const [i, piece] of pieces.entries()) {
    await lake.run(`CREATE OR REPLACE TABLE piece${i} (tenant VARCHAR, device VARCHAR, metric VARCHAR, ts TIMESTAMP, value DOUBLE, received_at TIMESTAMP)`)
    if (piece.length === 0) continue
    const values = piece.map((r) => `('${TENANT}', ${text(r.device)}, ${text(r.metric)}, make_timestamp(${r.tsMs * 1000}::BIGINT), ${r.value}, make_timestamp(${r.receivedMs * 1000}::BIGINT))`)
    await lake.run(`INSERT INTO piece${i} VALUES ${values.join(', ')}`)
  }
  await lake.run(`CREATE VIEW readings AS ${pieces.map((_, i) => `SELECT * FROM piece${i}`).join(' UNION ALL ')}`)
  for (const macro of Object.values(sourceMacros('CREATE OR REPLACE MACRO ', 'readings'))) await lake.run(macro)
}

/** The view's rows where the parts of some pieces are stored and those of the rest are made when it is asked. */
async function shownOf(view: KeptView, stored: readonly number[], fresh: readonly number[]): Promise<unknown[][]> {
  const parts: string[] = []
  for (const i of stored) {
    await lake.run(`CREATE OR REPLACE TABLE stored${i} AS ${partialSql(view, `piece${i}`)}`)
    parts.push(`SELECT * FROM stored${i}`)
  }
  if (fresh.length > 0) parts.push(partialSql(view, `(${fresh.map((i) => `SELECT * FROM piece${i}`).join(' UNION ALL ')})`))
  return rowsOf(shownSql(view, parts))
}

const CASES = Number(process.env.WEIR_VIEW_CASES ?? 150)

describe('rows of a kept view', () => {
  it(`are those of its SELECT over all readings, for ${CASES} drawn SELECTs over readings spread anyhow`, { timeout: 300_000 }, async () => {
    const seed = Number(process.env.WEIR_VIEW_SEED ?? 1)
    let pieces = 0
    for (let n = 0; n < CASES; n++) {
      const random = randomOf(seed * 1_000_003 + n)
      if (n % 10 === 0) {
        pieces = 1 + Math.floor(random() * 5)
        const readings = drawReadings(random, Math.floor(random() * 300))
        const of = readings.map(() => Math.floor(random() * pieces))
        await spread(Array.from({ length: pieces }, (_, i) => readings.filter((_, j) => of[j] === i)))
      }
      const sql = drawSelect(random)
      const view = await compiled(sql).catch((error: Error) => Promise.reject(new Error(`${error.message}\n${sql}`)))
      expect(isKeptView(TENANT, JSON.parse(JSON.stringify(view)))).toBe(true)
      const all = Array.from({ length: pieces }, (_, i) => i)
      const stored = all.filter(() => random() < 0.6)
      const want = await rowsOf(sql)
      const shown = await shownOf(view, stored, all.filter((i) => !stored.includes(i))).catch((error: Error) => Promise.reject(new Error(`${error.message}\n${sql}\n${JSON.stringify(view, null, 1)}`)))
      expect(sameRows(shown, want), `seed ${seed}, case ${n}: ${sql}`).toBe(null)
      const described = (await lake.runAndReadAll(`DESCRIBE ${sql}`)).getRows().map(([name, type]) => [name, type])
      expect(view.shows).toEqual(described)
    }
  })
})

const hourly = (rest: string) => `SELECT device, time_bucket(INTERVAL '1 hour', ts) AS hour, ${rest}`
/** What is refused, and a word of the reason. */
const REFUSED: readonly (readonly [sql: string, reason: RegExp])[] = [
  [hourly('median(value) FROM readings GROUP BY ALL'), /needs every value.*p50/],
  [hourly('quantile_cont(value, 0.9) FROM readings GROUP BY ALL'), /needs every value/],
  [hourly('count(DISTINCT value) FROM readings GROUP BY ALL'), /DISTINCT/],
  [hourly('approx_count_distinct(value) FROM readings GROUP BY ALL'), /says nothing of whether/],
  [hourly('last(value) FROM readings GROUP BY ALL'), /arg_max\(x, ts\)/],
  [hourly('first(value ORDER BY ts) FROM readings GROUP BY ALL'), /arg_min\(x, ts\)/],
  [hourly('max(value, 3) FROM readings GROUP BY ALL'), /1 arguments/],
  [hourly("string_agg(metric, ',') FROM readings GROUP BY ALL"), /order in which rows come/],
  [hourly('skewness(value) FROM readings GROUP BY ALL'), /kept up to date are count\(\*\)/],
  [hourly('count(*) FROM readings WHERE ts > now() - INTERVAL 1 DAY GROUP BY ALL'), /follow from its readings alone, and now/],
  [hourly('count(*) FROM readings WHERE random() < 0.5 GROUP BY ALL'), /random/],
  [hourly("count(*) FROM readings WHERE regexp_extract(device, 'a+') = 'a' GROUP BY ALL"), /none of the functions that a view may call/],
  [hourly('count(*) FROM readings GROUP BY ALL ORDER BY hour'), /no order/],
  [hourly('count(*) FROM readings GROUP BY ALL LIMIT 5'), /LIMIT where the view is read/],
  [hourly('count(*) FROM readings GROUP BY ALL QUALIFY row_number() OVER () = 1'), /other groups/],
  [hourly('count(*) FROM readings GROUP BY ROLLUP (device, hour)'), /one grouping/],
  [hourly('count(*) FROM readings TABLESAMPLE 10% GROUP BY ALL'), /each reading/],
  [hourly('sum(count(*)) OVER () FROM readings GROUP BY ALL'), /window function/],
  [hourly('count(*) FROM windows GROUP BY ALL').replace('ts', 'start'), /until they are closed/],
  [hourly('count(*) FROM readings r JOIN readings s USING (device, metric, ts) GROUP BY ALL'), /joined/],
  [hourly('count(*) FROM (SELECT * FROM readings) GROUP BY ALL'), /must stand on readings/],
  ['WITH r AS (SELECT * FROM readings) SELECT device, count(*) FROM r GROUP BY device', /without WITH/],
  ['SELECT device, count(*) FROM readings GROUP BY device UNION ALL SELECT device, 1 FROM readings', /one SELECT/],
  ['SELECT DISTINCT device FROM readings', /GROUP BY/],
  ['SELECT device, value FROM readings', /must group readings/],
  ['SELECT device, count(*) AS n, sum(value) AS N FROM readings GROUP BY device', /a name of its own/],
  ['SELECT device, (SELECT max(value) FROM readings) AS top, count(*) FROM readings GROUP BY device', /Join it where/],
  ['SELECT device, count(*) FROM readings WHERE value > $1 GROUP BY device', /parameters/],
  ['SELECT device, max((ts, value)) AS newest FROM readings GROUP BY device', /columns each/],
  ["SELECT device, window_start, count(*) FROM readings_hopping(INTERVAL '1 second', INTERVAL '1 day') GROUP BY ALL", /200 windows at once.*86400/],
  ["SELECT device, window_start, count(*) FROM readings_hopping(INTERVAL '0 seconds', INTERVAL '1 day') GROUP BY ALL", /longer than none/],
  ["SELECT device, window_start, count(*) FROM readings_hopping(INTERVAL '1 hour') GROUP BY ALL", /takes slide, size|hopping/],
  ["SELECT device, session_start, count(*) FROM readings_sessions(INTERVAL '1 hour') GROUP BY ALL", /device, metric and session_start/],
  ["SELECT device, metric, session_start, max(ts - session_start) AS t FROM readings_sessions(INTERVAL '1 hour') GROUP BY ALL", /until all of its parts are together/],
]

describe('a SELECT that can not be kept', () => {
  it.each(REFUSED)('is refused with the reason: %s', async (sql, reason) => {
    await expect(compiled(sql)).rejects.toThrow(reason)
  })

  it('names the place in the text, where there is one', async () => {
    const sql = 'SELECT device, count(*), median(value) FROM readings GROUP BY device'
    const error = await compiled(sql).catch((of: unknown) => of)
    expect(error).toBeInstanceOf(ViewError)
    expect((error as ViewError).position).toBe(sql.indexOf('median'))
  })
})

describe('the parts of a view', () => {
  it('bear a name of the tenant and what they are made by: a HAVING or a name of a column changes it not, a filter does', async () => {
    const of = async (sql: string) => (await compiled(sql)).id
    const one = await of('SELECT device, count(*) AS n FROM readings GROUP BY device')
    expect(await of('SELECT device AS name, count(*) AS m FROM readings GROUP BY ALL HAVING count(*) > 3')).toBe(one)
    expect(await of('SELECT device, count(*) AS n FROM readings WHERE value > 1 GROUP BY device')).not.toBe(one)
    expect(viewId('another', (await compiled('SELECT device, count(*) AS n FROM readings GROUP BY device')).partial)).not.toBe(one)
  })

  it('keep whole numbers and doubles of the text as they were written', async () => {
    await spread([[{ device: 'a', metric: 'm', tsMs: 0, value: 1, receivedMs: 0 }]])
    const sql = 'SELECT device, sum(9007199254740993) AS whole, max(1e6) AS million, min(value * 1e300) AS much, min(1.10) AS price FROM readings GROUP BY device'
    expect(await shownOf(await compiled(sql), [0], [])).toEqual(await rowsOf(sql))
  })
})
