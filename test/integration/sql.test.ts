/** Public SQL of the real processes, through the edge: what streams, what is cut, what is killed, and what a store's end leaves behind. */

import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN_KEY, eventually, startSystem } from '../support/system.ts'
import type { System } from '../support/system.ts'

const T0 = Date.UTC(2026, 0, 1)
const ENDLESS = 'SELECT count(*) FROM range(100000000000) a, range(1000) b'
const LONG = 'SELECT i, hash(i) AS h FROM range(9000000) t(i)'

let system: System
beforeAll(async () => {
  system = await startSystem()
})
afterAll(() => system.remove())

async function ask(sql: string, body: object = {}, signal?: AbortSignal): Promise<Response> {
  return system.fetch('/v1/sql', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ sql, ...body }), signal })
}

async function one(sql: string): Promise<unknown> {
  const { rows } = (await (await ask(sql)).json()) as { rows: object[] }
  return Object.values(rows[0])[0]
}

/** The answer itself, which nobody reads yet. */
function open(sql: string, body: object): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' }
    request(`${system.url}/v1/sql`, { method: 'POST', headers, agent: false }, resolve).on('error', reject).end(JSON.stringify({ sql, ...body }))
  })
}

const post = (rows: object[]) => system.fetch('/v1/readings', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(rows) })
const rssMiB = (title: string) => system.pids(title).reduce((sum, pid) => sum + Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) / 256, 0)

/** Processor time used, in hundredths of a second. */
const cpuOf = (pid: number) => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')[11])

describe('public SQL of a running system', () => {
  it('sees every reading once while it is written, sealed and merged', async () => {
    let posted = 0
    let going = true
    const writer = (async () => {
      while (going) {
        const answer = await post(Array.from({ length: 100 }, (_, i) => ({ device: `d${i % 10}`, metric: 'm', ts: T0 + posted + i, value: i })))
        if (answer.status !== 202) throw new Error(await answer.text())
        posted += 100
      }
    })()
    let last = 0
    const end = performance.now() + 8_000
    while (performance.now() < end) {
      const { rows } = (await (await ask('SELECT count(*) AS n, count(DISTINCT ts) AS d FROM readings')).json()) as { rows: { n: number; d: number }[] }
      expect(rows[0].n).toBe(rows[0].d)
      expect(rows[0].n).toBeGreaterThanOrEqual(last)
      last = rows[0].n
    }
    going = false
    await writer
    expect(await eventually('all of them show', async () => (await one('SELECT count(*) FROM readings')) === posted)).toBe(true)
  })

  it('streams a long answer whole through the edge', async () => {
    const text = await (await ask(LONG, { format: 'csv', timeoutMs: 240_000 })).text()
    expect(text.endsWith('\r\n')).toBe(true)
    let lines = 0
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines++
    expect(lines).toBe(9_000_001)
  })

  it('holds a query back whose reader does not read, in every process on the way', async () => {
    const before = ['weir-edge', 'weir-store', 'weir-store-sql'].map(rssMiB)
    const answer = await open(LONG, { format: 'ndjson' })
    expect(answer.statusCode).toBe(200)
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    const after = ['weir-edge', 'weir-store', 'weir-store-sql'].map(rssMiB)
    for (const at of [0, 1, 2]) expect(after[at] - before[at]).toBeLessThan(150)
    answer.destroy()
  })

  it('breaks the connection off where an answer that has begun can not be ended', async () => {
    const answer = await open(LONG, { format: 'ndjson', maxRows: 2_000_000 })
    expect(answer.statusCode).toBe(200)
    await expect((async () => {
      for await (const _ of answer);
    })()).rejects.toThrow('aborted')
    expect(answer.complete).toBe(false)
  })

  it('ends the query of a client that goes away', async () => {
    // One tenant has two of the three processes: were these two not ended, the third would wait in vain.
    const going = new AbortController()
    const before = new Map(system.pids('weir-store-sql').map((pid) => [pid, cpuOf(pid)]))
    const both = [ask(ENDLESS, { timeoutMs: 120_000 }, going.signal), ask(ENDLESS, { timeoutMs: 120_000 }, going.signal)].map((answer) => answer.catch(() => 'gone'))
    await eventually('both run', () => system.pids('weir-store-sql').filter((pid) => cpuOf(pid) > (before.get(pid) ?? 100) + 20).length === 2)
    going.abort()
    expect(await Promise.all(both)).toEqual(['gone', 'gone'])
    expect((await ask('SELECT 1')).status).toBe(200)
  })

  it('answers on when a process for queries is killed, and when the store is, which leaves none behind', async () => {
    for (const pid of system.pids('weir-store-sql')) process.kill(pid, 'SIGKILL')
    expect((await ask('SELECT 1')).status).toBe(200)
    const before = system.pids('weir-store-sql')
    expect(before.length).toBeGreaterThan(0)
    for (const pid of system.pids('weir-store')) process.kill(pid, 'SIGKILL')
    const alive = (pid: number) => {
      try {
        return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
      } catch {
        return false
      }
    }
    await eventually('they are gone', () => !before.some(alive))
    await eventually('the store is back', async () => (await ask('SELECT 1')).status === 200)
  })
})
