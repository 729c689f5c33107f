import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Lake } from '../../../../actors/analytics/data/lake.ts'
import { segmentsDir } from '../../../../actors/store/manifest.ts'
import { systemClock } from '../../../../runtime/clock.ts'
import { LAKE_CONNECTIONS, LAKE_QUERIES_WAITING_MAX, LAKE_QUERY_MAX_MS } from '../../../../runtime/limits.ts'
import { ManualClock } from '../../../support/manual-clock.ts'
import { House, T0 } from '../house.ts'

describe('queries of the lake', () => {
  const clock = new ManualClock()
  let lake: Lake
  beforeEach(async () => {
    lake = await Lake.open({ folder: '/nowhere', clock, memoryMiB: 64, threads: 1 })
  })
  afterEach(() => lake.close())

  const endless = 'SELECT count(*)::DOUBLE FROM range(1000000000000) a(i), range(1000000) b(j) WHERE i % 7 = j % 11'

  /**
   * Moves the clock to the deadline, and on by the interval at which an interrupt is said again, until all have ended. DuckDB takes real
   * time to end, and those that waited for a connection have a deadline of their own from then on: so each step waits for a real moment.
   */
  async function pastDeadline<T>(queries: Promise<T>[]): Promise<T[]> {
    let ended = false
    const all = Promise.all(queries).finally(() => {
      ended = true
    })
    await clock.advance(LAKE_QUERY_MAX_MS)
    while (!ended) {
      await systemClock.sleep(100)
      await clock.advance(250)
    }
    return all
  }

  it('are interrupted at their deadline, and the connection serves the next', async () => {
    const queries = Array.from({ length: LAKE_CONNECTIONS }, () => lake.query(endless).catch((error) => error.code))
    expect(await pastDeadline(queries)).toEqual(Array(LAKE_CONNECTIONS).fill('timeout'))
    expect(await lake.query('SELECT 1::DOUBLE')).toEqual([[1]])
  })

  it('that the store itself needs have no deadline', async () => {
    let ended = false
    const query = lake.query(endless, [], { deadline: false }).catch(() => {}).finally(() => (ended = true))
    await clock.advance(10 * LAKE_QUERY_MAX_MS)
    await systemClock.sleep(100)
    expect(ended).toBe(false)
    const closing = lake.close()
    await Promise.all([query, closing])
    lake = await Lake.open({ folder: '/nowhere', clock, memoryMiB: 64, threads: 1 })
  })

  it('that take more memory than there is fail alone, as too large', async () => {
    const large = lake.query('SELECT list(i) FROM range(100000000) t(i)').catch((error) => error.code)
    const small = lake.query('SELECT 2::DOUBLE')
    expect([await large, await small]).toEqual(['too-large', [[2]]])
  })

  it('wait for a connection, a bounded number of them', async () => {
    const running = Array.from({ length: LAKE_CONNECTIONS }, () => lake.query(endless).catch((error) => error.code))
    const waiting = Array.from({ length: LAKE_QUERIES_WAITING_MAX }, () => lake.query('SELECT 3::DOUBLE'))
    expect(await lake.query('SELECT 4::DOUBLE').catch((error) => error.code)).toBe('unavailable')
    await pastDeadline(running)
    expect(new Set((await Promise.all(waiting)).map(String))).toEqual(new Set(['3']))
  })
})

describe('a version of the lake', () => {
  it('that a query holds keeps its segments, whatever is merged meanwhile; then they are let go', async () => {
    const house = await House.open()
    try {
      await house.post([{ device: 'd1', ts: T0, value: 1 }])
      await house.commit()
      await house.seal()
      const { lake } = house.analytics.tail
      const held = lake.acquire()
      const sql = `SELECT count(*)::DOUBLE FROM ${held.relation('readings')}`
      await house.rewrite()
      expect(lake.current.manifest!.version).toBeGreaterThan(held.manifest!.version)
      expect(await lake.query(sql)).toEqual([[1]])
      lake.release(held)
      const attached = async () => (await lake.query(`SELECT count(*)::DOUBLE FROM duckdb_databases() WHERE database_name LIKE 's%' AND NOT internal`))[0][0]
      const end = systemClock.monotonic() + 5_000
      while ((await attached()) !== 1 && systemClock.monotonic() < end) await systemClock.sleep(5)
      expect(await attached()).toBe(1)
    } finally {
      await house.close()
    }
  })

  it('that names a segment which is lost is passed over at the start, and the log gives what it held', async () => {
    const house = await House.open()
    try {
      for (const value of [1, 2]) {
        await house.post([{ device: 'd1', ts: T0 + value, value }])
        await house.commit()
        await house.seal()
      }
      await rm(join(segmentsDir(join(house.dir, 'lake')), 'segment-2.duckdb'))
      await house.restart()
      expect(house.analytics.tail.manifest!.version).toBe(1)
      expect((await house.json('/v1/readings?device=d1')).readings).toMatchObject([{ value: 1 }, { value: 2 }])
    } finally {
      await house.close()
    }
  })
})
