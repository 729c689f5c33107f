/**
 * The main promise, on real processes: a reading that was acknowledged is in the lake exactly once, whatever was killed
 * meanwhile, the windows are what SQL over the readings gives, and an own actor was told each reading that was on time, once.
 */

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lawBreakers, viewBreakers, withLake } from '../support/law.ts'
import { Account, disorderedStream } from '../support/stream.ts'
import type { Sent } from '../support/stream.ts'
import { eventually, settled, startSystem } from '../support/system.ts'
import type { System } from '../support/system.ts'

const SEED = 20_260_101
const START_MS = Date.UTC(2026, 0, 1)
const BATCHES = 428
/** Its title: the code of an own actor runs on Deno. */
const SANDBOX = 'deno'

/** 214,000 readings of 120 devices at 10 s, of which 30 % come out of order, 5 % twice, 2 % hours late. */
function disordered(): Sent[][] {
  const stream = disorderedStream({ seed: SEED, devices: 120, batch: 500, startMs: START_MS })
  return Array.from({ length: BATCHES }, () => stream.next().value)
}

/** The hourly normals of Seattle: three metrics of 8,759 hours. */
function seattle(): Sent[][] {
  const folder = dirname(dirname(createRequire(import.meta.url).resolve('vega-datasets')))
  const [head, ...lines] = readFileSync(join(folder, 'data', 'seattle-weather-hourly-normals.csv'), 'utf8').trim().split('\n')
  const metrics = head.split(',').slice(1)
  const all: Sent[] = lines.flatMap((line) => {
    const [date, ...values] = line.split(',')
    return metrics.map((metric, i) => ({ device: 'seattle', metric, ts: Date.parse(`${date}Z`), value: Number(values[i]) }))
  })
  const batches: Sent[][] = []
  for (let i = 0; i < all.length; i += 500) batches.push(all.slice(i, i + 500))
  return batches
}

describe('a reading goes from a POST to the lake exactly once', () => {
  let system: System
  beforeAll(async () => {
    system = await startSystem({ flags: ['--idle', '4s', '--lateness', '2s', '--workers', '2', '--actors', join(import.meta.dirname, '..', 'support', 'tally.ts')] })
  })
  afterAll(() => system?.remove())

  test('though a worker, the edge, the store and the log server are killed in turn under load', async () => {
    const batches = disordered()
    seattle().forEach((batch, i) => batches.splice(i * 5, 0, batch))

    const account = new Account()
    let unanswered = 0
    let next = 0
    const send = async (index: number) => {
      const batch = batches[index]
      for (let attempt = 0; ; attempt++) {
        try {
          const response = await system.fetch('/v1/readings', {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(batch),
            signal: AbortSignal.timeout(15_000),
          })
          const text = await response.text()
          if (response.status === 202) {
            const answer = JSON.parse(text) as { accepted: number; rejected: unknown[] }
            expect(answer).toEqual({ accepted: batch.length, rejected: [] })
            account.acknowledge(batch)
            return
          }
          expect(response.status, text).toBe(503)
        } catch (error) {
          if ((error as Error).name === 'AssertionError') throw error
        }
        // Every fortieth batch is a device that does not try again: its readings may be there once, or not at all.
        if (index % 40 === 7) {
          account.giveUp(batch)
          unanswered += batch.length
          return
        }
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    }
    const sender = async () => {
      while (next < batches.length) await send(next++)
    }

    const keep = async (name: string, sql: string) => {
      const answer = await system.fetch(`/v1/views/${name}`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ sql }) })
      expect(answer.status, await answer.text()).toBe(200)
    }
    await keep('by_hour', "SELECT device, metric, time_bucket(INTERVAL '1 hour', ts) AS hour, count(*) AS n, avg(value) AS mean, max(value) AS top FROM readings GROUP BY ALL")
    await keep('overlapping', "SELECT metric, window_start, count(*) AS n FROM readings_hopping(INTERVAL '20 minutes', INTERVAL '1 hour') GROUP BY ALL HAVING count(*) > 3")
    const analyst = startAnalyst(system.dataDir)
    const killing = (async () => {
      const plan = ['weir-worker', 'weir-edge', SANDBOX, 'weir-store', 'weir-store-writer', 'nats-server', 'weir-worker']
      for (let i = 0; i < plan.length; i++) {
        await eventually(`enough was sent to kill ${plan[i]}`, () => next >= ((i + 1) * batches.length) / (plan.length + 1), 240_000)
        const pids = await eventually(`a ${plan[i]} runs`, () => (system.pids(plan[i]).length > 0 ? system.pids(plan[i]) : null))
        process.kill(pids[0], 'SIGKILL')
      }
    })()
    await Promise.all([sender(), sender(), sender(), killing])

    await settled(system)
    const analystSaw = await analyst.stop()
    expect(analystSaw.errors).toEqual([])
    expect(analystSaw.queries).toBeGreaterThan(5)

    expect(await account.against(system.dataDir)).toEqual({ doubled: 0, strangers: 0, missing: 0 })
    expect(account.acknowledged + unanswered).toBeGreaterThan(200_000)

    expect(await lawBreakers(system.dataDir)).toEqual([])
    // One more comes when readings are there already, some of them with their parts.
    await keep('runs', "SELECT device, metric, session_start, count(*) AS n FROM readings_sessions(INTERVAL '5 minutes') GROUP BY ALL")
    await eventually('parts of all three are stored', async () => {
      const { views } = await system.get<{ views: { parts: { made: number } }[] }>('/v1/views')
      return views.length === 3 && views.every(({ parts }) => parts.made > 0)
    }, 120_000)
    expect((await viewBreakers(system.dataDir)).broken).toEqual([])

    const [{ found }] = await withLake(system.dataDir, (query) => query('SELECT count(*) AS found FROM readings'))
    const ledger = await system.get<Record<string, number>>('/v1/ledger')
    expect(ledger.received).toBe(ledger.accepted + ledger.rejected)
    expect(ledger.accepted).toBe(ledger.onTime + ledger.late + ledger.duplicate + ledger.expired)
    expect(ledger.onTime + ledger.late).toBe(Number(found))
    expect(ledger.accepted).toBeGreaterThanOrEqual(account.acknowledged)
    expect(ledger.late).toBeGreaterThan(0)
    expect(ledger.duplicate).toBeGreaterThan(0)

    const asked = await system.fetch('/v1/actors/tally/documents/all', { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '"at the end"' })
    expect(asked.status, await asked.text()).toBe(200)
    const told = await eventually('the own actor has answered', () => withLake(system.dataDir, (query) => query('SELECT readings FROM tally')).then((rows) => (rows.length > 0 ? rows : null)))
    expect(told.map(({ readings }) => Number(readings))).toEqual([ledger.onTime])
  })

  test('and goes on where it stopped after a clean stop and a second start', async () => {
    const before = await system.get<{ accepted: number }>('/v1/status')
    expect(await system.stop()).toBe(0)
    system = await startSystem({ dataDir: system.dataDir, flags: ['--idle', '4s', '--lateness', '2s'] })
    const reading = { device: 'after/restart', metric: 'level', ts: START_MS + 5, value: 1.5 }
    const response = await system.fetch('/v1/readings', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(reading),
    })
    expect(response.status).toBe(202)
    const status = await settled(system)
    expect(status.accepted).toBe(before.accepted + 1)
    expect(await lawBreakers(system.dataDir)).toEqual([])
    const views = await viewBreakers(system.dataDir)
    expect(views.broken).toEqual([])
    expect(views.stored).toBeGreaterThan(0)
  })
})

/** Another process that opens the lake and queries it, over and over. */
function startAnalyst(dataDir: string): { stop(): Promise<{ queries: number; errors: string[] }> } {
  const child = spawn(process.execPath, [join(import.meta.dirname, '..', 'support', 'analyst.ts'), dataDir], { stdio: ['pipe', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  return {
    stop: () =>
      new Promise((resolve) => {
        child.on('exit', () => resolve(JSON.parse(output)))
        child.stdin.end()
      }),
  }
}
