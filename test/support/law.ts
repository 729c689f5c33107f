/**
 * The law that ties the lake together, in SQL, over `weir.duckdb` as an analyst opens it: once everything is settled, the rows
 * of `windows` are what `GROUP BY time_bucket` over `readings` gives.
 */

import { DuckDBInstance } from '@duckdb/node-api'
import { join } from 'node:path'
import { readNewestManifest } from '../../actors/store/manifest.ts'
import { sameRows } from './same-rows.ts'

export type Row = Record<string, unknown>

/** Opens the lake read-only, as an analyst does, and closes it after `use`. */
export async function withLake<T>(dataDir: string, use: (query: (sql: string) => Promise<Row[]>) => Promise<T>): Promise<T> {
  const instance = await DuckDBInstance.create(join(dataDir, 'lake', 'weir.duckdb'), { access_mode: 'READ_ONLY' })
  try {
    const connection = await instance.connect()
    try {
      return await use(async (sql) => (await connection.runAndReadAll(sql)).getRowObjectsJson() as Row[])
    } finally {
      connection.closeSync()
    }
  } finally {
    instance.closeSync()
  }
}

const SIZES = ['1 MINUTE', '15 MINUTE', '1 HOUR', '1 DAY']

/** Rows that break the law, at most a few of each size; none when it holds. */
export async function lawBreakers(dataDir: string): Promise<Row[]> {
  const broken: Row[] = []
  for (const size of SIZES) {
    broken.push(
      ...(await withLake(dataDir, (query) =>
        query(`
          WITH expected AS (
            SELECT tenant, device, metric, time_bucket(INTERVAL ${size}, ts) AS start, count(*) AS count, sum(value) AS sum, min(value) AS min,
              max(value) AS max, avg(value) AS mean, stddev_samp(value) AS stddev, arg_min(value, (ts, value)) AS first,
              arg_max(value, (ts, value)) AS last, quantile_disc(value, 0.5) AS p50, quantile_disc(value, 0.95) AS p95,
              quantile_disc(value, 0.99) AS p99, max(abs(value)) AS scale
            FROM readings GROUP BY ALL
          ), got AS (SELECT * FROM windows WHERE size = INTERVAL ${size})
          SELECT '${size}' AS size, coalesce(e.device, g.device) AS device, coalesce(e.metric, g.metric) AS metric,
            coalesce(e.start, g.start) AS start, e.count AS expected_count, g.count AS got_count, e AS expected, g AS got
          FROM expected e FULL JOIN got g USING (tenant, device, metric, start)
          WHERE e.count IS DISTINCT FROM g.count OR e.min IS DISTINCT FROM g.min OR e.max IS DISTINCT FROM g.max
            OR e.first IS DISTINCT FROM g.first OR e.last IS DISTINCT FROM g.last
            OR abs(e.mean - g.mean) > 1e-9 * e.scale OR abs(e.sum - g.sum) > 1e-9 * e.scale * e.count
            OR (e.stddev IS NULL) <> (g.stddev IS NULL) OR abs(e.stddev - g.stddev) > 1e-9 * e.scale
            OR abs(e.p50 - g.p50) > 0.01 * abs(e.p50) OR abs(e.p95 - g.p95) > 0.01 * abs(e.p95) OR abs(e.p99 - g.p99) > 0.01 * abs(e.p99)
          LIMIT 5`),
      )),
    )
  }
  return broken
}

/** Kept views whose rows are not those of their SELECT over the readings of the lake, with what is first amiss; and how many readings have their parts stored. */
export async function viewBreakers(dataDir: string): Promise<{ broken: string[]; stored: number }> {
  const lakeDir = join(dataDir, 'lake')
  const { views = {}, segments } = (await readNewestManifest(lakeDir))!
  const broken = await withLake(dataDir, async (query) => {
    const rows = async (sql: string) => (await query(sql)).map((row) => Object.values(row))
    const found: string[] = []
    for (const [name, { sql }] of Object.values(views).flatMap((of) => Object.entries(of))) {
      const why = sameRows(await rows(`SELECT * FROM ${name}`), await rows(sql))
      if (why !== null) found.push(`${name}: ${why}`)
    }
    return found
  })
  return { broken, stored: segments.reduce((sum, { parts, rows }) => sum + (parts === undefined ? 0 : rows.readings), 0) }
}
