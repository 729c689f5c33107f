import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SQL_ROWS } from '../../../../runtime/limits.ts'
import { T0, until } from '../house.ts'
import { askerWithRows } from './asker.ts'
import type { Asker } from './asker.ts'

const COUNT = 'SELECT count(*) FROM readings'
/** Runs until it is stopped. */
const ENDLESS = 'SELECT count(*) FROM range(100000000000) a, range(1000) b'
/** Can't be interrupted. */
const DEAF = `SELECT list_sort(list_transform(range(30000000), x -> x * 7919 % 1000003))[1]`

let asker: Asker
let close: () => Promise<void>
beforeAll(async () => {
  ;({ asker, close } = await askerWithRows())
})
afterAll(() => close())

const pool = () => asker.house.analytics.sql
const alive = (pid: number) => {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}

describe('public SQL', () => {
  it('is for analysts, and says what is wrong with a request', async () => {
    expect((await asker.ask('SELECT 1', { key: 'default device' })).status).toBe(403)
    expect((await asker.ask('SELECT 1', { key: 'nobody' })).status).toBe(401)
    expect((await asker.ask('SELECT 1', { headers: { 'content-type': 'text/plain' } })).status).toBe(415)
    expect((await asker.ask('x'.repeat(1024 * 1024))).status).toBe(413)
    expect((await asker.ask('x'.repeat(70_000))).json).toMatchObject({ status: 400, code: 'refused' })
    expect((await asker.ask('SELECT 1', { params: new Array(1_001).fill(1) })).json).toMatchObject({ status: 400, code: 'refused' })
    for (const bad of [{ sql: 1 }, { params: 'x' }, { maxRows: -1 }, { timeoutMs: 0 }, { timeoutMs: 1e9 }, { format: 'xml' }, { limit: 1 }]) {
      expect((await asker.ask('SELECT 1', bad as never)).json, JSON.stringify(bad)).toMatchObject({ status: 400, title: 'Bad body' })
    }
    expect((await asker.ask('SELECT 1', { path: '/v1/sql?format=xml' })).status).toBe(406)
    expect((await asker.ask('SELECT 1', { path: '/v1/sql?x=1' })).status).toBe(400)
    const raw = await asker.house.analytics.app.request('/v1/sql', { method: 'POST', headers: { authorization: `Bearer ${asker.house.keys['default analyst']}`, 'content-type': 'application/json' }, body: '{' })
    expect(raw.status).toBe(400)
  })

  it('sees each tenant its own rows', async () => {
    expect(await asker.rows('SELECT DISTINCT tenant FROM readings')).toEqual([['default']])
    expect(await asker.rows('SELECT DISTINCT tenant, count(*) FROM readings GROUP BY ALL', { key: 'other analyst' })).toEqual([['other', 960]])
  })

  it('cuts JSON at maxRows and says so, at exactly as many rows as there are it does not', async () => {
    const cut = async (sql: string, maxRows?: number) => {
      const { json } = await asker.ask(sql, { maxRows })
      return [json.rows.length, json.truncated]
    }
    expect(await cut('SELECT * FROM range(5)', 4)).toEqual([4, true])
    expect(await cut('SELECT * FROM range(5)', 5)).toEqual([5, false])
    expect(await cut('SELECT * FROM range(5)', 0)).toEqual([0, true])
    expect(await cut('SELECT 1 WHERE false', 0)).toEqual([0, false])
    expect(await cut('SELECT * FROM range(100000)')).toEqual([SQL_ROWS, true])
  })

  it('says nothing of the values that a query failed by', async () => {
    for (const sql of ['SELECT device::INTEGER FROM readings', 'SELECT value::TINYINT * 100::TINYINT FROM readings', "SELECT strptime(device, '%Y') FROM readings"]) {
      const { status, json } = await asker.ask(sql)
      expect([status, json.code]).toEqual([400, 'failed'])
      expect(json.detail).not.toMatch(/probe|tank/)
    }
  })

  it('ends a query at its deadline, whether it listens or not, and answers the next', async () => {
    for (const sql of [ENDLESS, DEAF]) {
      const { status, json } = await asker.ask(sql, { timeoutMs: 300 })
      expect([status, json.code]).toEqual([408, 'time'])
      expect(await asker.rows(COUNT)).toEqual([[960]])
    }
  })

  it('ends a query whose process takes too much memory, and answers the next', async () => {
    const { status, json } = await asker.ask("SELECT length(repeat(repeat('x', 1000000), 4000))", { timeoutMs: 20_000 })
    expect([status, json.code]).toEqual([400, 'memory'])
    expect(await asker.rows(COUNT)).toEqual([[960]])
  })

  it('replaces a process that is killed, and no other query is harmed', async () => {
    const others = asker.ask('SELECT count(*) FROM range(3000000000)', { timeoutMs: 60_000, key: 'other analyst' })
    await until('it runs', () => pool().processes.some(({ running }) => running))
    const first = pool().processes.find(({ running }) => running)!
    const doomed = asker.ask(ENDLESS, { timeoutMs: 60_000 })
    await until('both run', () => pool().processes.filter(({ running }) => running).length === 2)
    const { pid } = pool().processes.find((other) => other.running && other.pid !== first.pid)!
    process.kill(pid, 'SIGKILL')
    expect((await doomed).json.code).toBe('memory')
    expect((await others).json.rows).toEqual([{ 'count_star()': 3_000_000_000 }])
    for (const one of pool().processes) process.kill(one.pid, 'SIGKILL')
    expect(await asker.rows(COUNT)).toEqual([[960]])
    expect(pool().processes.some((one) => one.pid === pid)).toBe(false)
  })

  it('ends the query of a client that goes away', async () => {
    const going = new AbortController()
    const answer = asker.response(ENDLESS, { signal: going.signal, timeoutMs: 60_000 })
    await until('it runs', () => pool().load.running === 1)
    going.abort()
    expect((await answer).status).toBe(408)
    await until('it has ended', () => pool().load.running === 0)
    const stream = (await asker.response('SELECT * FROM range(100000000)', { format: 'csv', timeoutMs: 60_000 })).body!.getReader()
    expect((await stream.read()).done).toBe(false)
    await stream.cancel()
    await until('it has ended', () => pool().load.running === 0)
    expect(await asker.rows(COUNT)).toEqual([[960]])
  })

  it('holds a query back whose reader is slow, and breaks the answer off at the deadline', async () => {
    const { body } = await asker.response('SELECT i, hash(i) FROM range(100000000) t(i)', { format: 'csv', timeoutMs: 1_500 })
    const reader = body!.getReader()
    await reader.read()
    const pid = pool().processes[0].pid
    const rss = () => Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4_096
    const before = rss()
    await until('the deadline has passed', () => pool().load.running === 0)
    expect(rss() - before).toBeLessThan(200 * 1024 * 1024)
    await expect((async () => {
      while (!(await reader.read()).done);
    })()).rejects.toThrow('longer than 1500 ms')
  })

  it('keeps nothing of one query for the next', async () => {
    const first = await asker.rows('SELECT random()')
    expect(await asker.rows('SELECT random()')).not.toEqual(first)
    expect((await asker.ask('SELECT * FROM fresh_readings')).status).toBe(400)
    const pids = pool().processes
    await asker.rows("WITH readings AS (SELECT 'spoofed' AS device) SELECT * FROM readings")
    expect(await asker.rows('SELECT count(DISTINCT device) FROM readings')).toEqual([[4]])
    expect(pool().processes).toEqual(pids)
  })

  it('gives its processes the least priority, and nothing of the environment', async () => {
    await asker.rows(COUNT)
    const [{ pid }] = pool().processes
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
    expect(Number(stat[16])).toBe(10)
    expect(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim()).toBe('1000')
    const names = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').map((of) => of.split('=')[0]).filter((name) => name !== '')
    expect(names.filter((name) => !['WEIR_STORE_SQL', 'PATH', 'TMPDIR'].includes(name))).toEqual([])
    expect(alive(pid)).toBe(true)
  })

  it('goes on while segments are sealed and merged away, and sees each reading once', async () => {
    const posted = { n: 0 }
    let going = true
    const writer = (async () => {
      while (going) {
        await asker.house.post(Array.from({ length: 50 }, () => ({ device: `writer-${posted.n % 7}`, ts: T0 + 86_400_000 + posted.n++, value: 1 })))
        await asker.house.commit()
        if (posted.n % 150 === 0) await asker.house.seal()
        if (posted.n % 600 === 0) await asker.house.rewrite()
      }
    })()
    let last = 0
    // Until segments have been merged away as well, however slowly the writer goes.
    for (let i = 0; i < 60 || posted.n <= 600; i++) {
      const atLeast = posted.n - 50
      const [[n, distinct, most]] = await asker.rows("SELECT count(*), count(DISTINCT ts), coalesce(date_diff('millisecond', TIMESTAMP '2026-01-02', max(ts)) + 1, 0) FROM readings WHERE device LIKE 'writer-%'")
      expect([n, distinct]).toEqual([most, most])
      expect(n).toBeGreaterThanOrEqual(Math.max(last, atLeast))
      last = n
    }
    going = false
    await writer
    expect(await asker.rows("SELECT count(*) FROM readings WHERE device LIKE 'writer-%'")).toEqual([[posted.n]])
  })
})
