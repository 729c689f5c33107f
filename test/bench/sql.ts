/**
 * Public SQL without HTTP around it: the pool, its processes, the gate and the answers, over a made lake (lake-of.ts) of 10 M readings.
 *
 * Latencies are of one query after the other; rates are of 1 M rows in each format, as bytes that the store would send. It does not measure the
 * network, nor a cold disk, nor fresh rows that change between two queries.
 */

import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SqlPool } from '../../actors/analytics/sql/pool.ts'
import type { SqlFormat } from '../../actors/analytics/sql/frames.ts'
import { systemClock } from '../../runtime/clock.ts'
import type { Bench, BenchRow } from './bench.ts'
import { makeLakeOf } from './lake-of.ts'
import { deviceName } from './lake-rows.ts'
import { percentile } from './probe.ts'

const HOUR_MS = 3_600_000
const quiet = { info: () => {}, warn: () => {}, error: () => {} }

export const run: Bench = async ({ size }) => {
  const smoke = size === 'smoke'
  const dir = await mkdtemp(join(tmpdir(), 'weir-bench-sql-'))
  const rows: BenchRow[] = []
  const { manifest, endMs, devices } = await makeLakeOf({ dir, readings: smoke ? 50_000 : 10_000_000, ...(smoke ? { days: 1, endMs: Date.UTC(2026, 4, 3, 1, 2) } : {}) })
  const tail = { manifest, ownViews: {}, view: () => ({ version: { manifest } as never, fresh: [], release: () => {} }) }
  const pool = new SqlPool({ tail, lakeDir: join(dir, 'lake'), clock: systemClock, logger: quiet })
  const ask = async (sql: string, format: SqlFormat = 'json'): Promise<{ ms: number; hash: string; bytes: number }> => {
    const begun = performance.now()
    const hash = createHash('sha256')
    let bytes = 0
    const ask = { sql, params: [], format, timeMs: false, rowsMax: 10_000_000 }
    for await (const part of await pool.run({ tenant: 'default', ask, timeMs: 240_000 })) {
      hash.update(part)
      bytes += part.byteLength
    }
    return { ms: performance.now() - begun, hash: hash.digest('hex').slice(0, 12), bytes }
  }
  try {
    rows.push({ name: 'first answer, with the start of its process', value: (await ask('SELECT 1')).ms, unit: 'ms', hash: '' })
    const hour = `ts >= make_timestamp(${(endMs - HOUR_MS) * 1_000})`
    const queries = {
      'SELECT 1': 'SELECT 1',
      'last hour, by minute, all series': `SELECT time_bucket(INTERVAL 1 MINUTE, ts) AS t, count(*) AS n, sum(value) AS s FROM readings WHERE ${hour} GROUP BY t ORDER BY t`,
      'one series, all time': `SELECT count(*) AS n, sum(value) AS s FROM readings WHERE device = '${deviceName(Math.floor(devices / 2))}'`,
      'last hour of windows, top 10': `SELECT device, metric, max(max) AS most FROM windows WHERE size = INTERVAL 1 MINUTE AND start >= make_timestamp(${(endMs - HOUR_MS) * 1_000}) GROUP BY ALL ORDER BY most DESC, device, metric LIMIT 10`,
    }
    for (const [name, sql] of Object.entries(queries)) {
      const times: number[] = []
      let hash = ''
      for (let i = 0; i < (smoke ? 3 : 100); i++) {
        const answer = await ask(sql)
        times.push(answer.ms)
        hash = answer.hash
      }
      times.sort((a, b) => a - b)
      rows.push({ name: `${name}: least`, value: times[0], unit: 'ms', hash })
      for (const [what, share] of [['p50', 0.5], ['p99', 0.99]] as const) rows.push({ name: `${name}: ${what}`, value: percentile(times, share), unit: 'ms', hash })
    }
    const wanted = smoke ? 10_000 : 1_000_000
    for (const format of ['json', 'ndjson', 'csv', 'arrow', 'parquet'] as const) {
      let least = Infinity
      let made = { hash: '', bytes: 0 }
      for (let i = 0; i < (smoke ? 1 : 3); i++) {
        const answer = await ask(`SELECT device, metric, ts, value FROM readings LIMIT ${wanted}`, format)
        least = Math.min(least, answer.ms)
        made = answer
      }
      rows.push({ name: `${format}, ${wanted} rows of (device, metric, ts, value)`, value: wanted / (least / 1_000), unit: 'rows/s', hash: format === 'parquet' ? '' : made.hash })
      rows.push({ name: `${format}, bytes a row`, value: made.bytes / wanted, unit: 'bytes', hash: '' })
    }
    const again: number[] = []
    for (let i = 0; i < (smoke ? 1 : 5); i++) {
      for (const { pid } of pool.processes) process.kill(pid, 'SIGKILL')
      again.push((await ask('SELECT count(*) FROM readings')).ms)
    }
    rows.push({ name: 'answer after all processes were killed: least', value: Math.min(...again), unit: 'ms', hash: '' })
    return rows
  } finally {
    await pool.close()
    await rm(dir, { recursive: true, force: true })
  }
}
