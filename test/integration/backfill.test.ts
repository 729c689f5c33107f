/** `weir backfill` against a real system: history of living series and of unknown ones, beside live readings, killed in the middle and run again. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lawBreakers, withLake } from '../support/law.ts'
import { ADMIN_KEY, eventually, settled, startSystem } from '../support/system.ts'
import type { System } from '../support/system.ts'

const root = join(import.meta.dirname, '..', '..')
const ROWS = 60_000
const STEP_MS = 20_000
let system: System
let dir: string

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'weir-backfill-'))
  system = await startSystem({ flags: ['--idle', '2s', '--lateness', '1s'] })
})

afterAll(async () => {
  await system?.remove()
  rmSync(dir, { recursive: true, force: true })
})

function start(args: string[]) {
  const child = spawn(process.execPath, [join(root, 'cmd', 'weir.ts'), 'backfill', ...args, '--url', system.url, '--key', ADMIN_KEY], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)))
  const ended = once(child, 'close').then(([code, signal]) => ({ code: (signal ?? code) as number | string, said }))
  return { child, ended }
}

test('history is loaded once, whatever is killed, beside what is live; and its windows are those of its readings', async () => {
  const beginMs = Date.UTC(2025, 2, 1)
  const line = (i: number) => `${i % 2 === 0 ? 'living' : 'unknown'},m,${new Date(beginMs + i * STEP_MS).toISOString()},${(i * 7) % 100}`
  writeFileSync(join(dir, 'h.csv'), `device,metric,ts,value\n${Array.from({ length: ROWS }, (_, i) => line(i)).join('\n')}\nliving,m,never,1\n`)

  let live = 0
  let isLive = true
  const living = (async () => {
    while (isLive) {
      const answer = await system.fetch('/v1/readings', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ device: 'living', metric: 'm', ts: Date.now(), value: ++live }) })
      expect(answer.status).toBe(202)
      await answer.body?.cancel()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  await eventually('the series lives', async () => (await system.get<{ latest: unknown[] }>('/v1/latest?device=living')).latest.length === 1)

  const dry = await start(['h.csv', '--dry-run']).ended
  expect(dry.code).toBe(0)
  expect(dry.said).toContain('60,001 readings of 2 devices')
  expect((await system.get<{ series: unknown[] }>('/v1/series?device=unknown')).series).toHaveLength(0)

  const first = start(['h.csv', '--rate', '10000'])
  const state = join(dir, 'h.csv.backfill.json')
  const rowOf = () => (existsSync(state) ? (JSON.parse(readFileSync(state, 'utf8')) as { row: number }).row : 0)
  await eventually('it is under way', () => rowOf() > 0)
  first.child.kill('SIGKILL')
  expect((await first.ended).code).toBe('SIGKILL')
  const noted = rowOf()
  expect(noted).toBeLessThan(ROWS)

  const second = await start(['h.csv']).ended
  expect(second.said).toContain(`came to row ${noted.toLocaleString('en')}`)
  expect(second.code).toBe(0)
  expect(rowOf()).toBe(ROWS + 1)
  // From its first row again: all of it is there already.
  const again = await start(['h.csv', '--from-row', '0']).ended
  expect(again.code).toBe(1)
  expect(again.said).toContain(`${ROWS.toLocaleString('en')} accepted, 1 rejected`)
  expect(JSON.parse(readFileSync(join(dir, 'h.csv.rejects.ndjson'), 'utf8'))).toMatchObject({ row: 0, device: 'living', raw: 'never', reason: 'Its time does not read.' })

  isLive = false
  await living
  await settled(system)
  const counts = await withLake(system.dataDir, (query) => query(`SELECT device, count(*) FILTER (WHERE ts < '2025-12-01')::INT AS history, count(*)::INT AS n FROM readings GROUP BY device ORDER BY device`))
  expect(counts).toEqual([{ device: 'living', history: ROWS / 2, n: ROWS / 2 + live }, { device: 'unknown', history: ROWS / 2, n: ROWS / 2 }])
  expect(await lawBreakers(system.dataDir)).toEqual([])
  const ledger = await system.get<Record<string, number>>('/v1/ledger')
  expect(ledger.accepted - ledger.duplicate).toBe(ROWS + live)
})
