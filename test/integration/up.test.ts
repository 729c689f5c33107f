/** `weir up` as a user has it: what it starts, what it starts again, how it ends, and how it goes on. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../runtime/clock.ts'
import { embeddedNatsUrl } from '../../runtime/nats-address.ts'
import { connectNats } from '../../runtime/nats-log.ts'
import { inputStreams, RESULTS, topologyOf } from '../../runtime/topology.ts'
import { descendants, eventually, freePort, startSystem } from '../support/system.ts'
import type { System } from '../support/system.ts'

const weir = join(import.meta.dirname, '..', '..', 'cmd', 'weir.ts')
const ROLES = { 'nats-server': 1, 'weir-edge': 1, 'weir-worker': 2, 'weir-store': 1, 'weir-store-writer': 1, 'weir-notifier': 1 }

/** A run of `weir` that ends by itself. */
async function run(args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [weir, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}

const post = (system: System, ts: number) =>
  system.fetch('/v1/readings', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ device: 'field-7/probe-2', metric: 'level', ts, value: 1 }) })

describe('weir up', () => {
  let system: System
  let sent = 0
  const send = () =>
    eventually('a reading is accepted', async () => {
      const response = await post(system, Date.UTC(2026, 0, 1) + sent).catch(() => null)
      await response?.body?.cancel()
      return response?.status === 202
    }).then(() => void sent++)
  const counted = () => eventually('every reading is processed', async () => (await system.get<{ processed: number }>('/v1/status').catch(() => null))?.processed === sent)
  const printed = () => eventually('it says that it is up', () => system.output().includes('Weir is up.'))

  beforeAll(async () => {
    system = await startSystem({ env: { WEIR_ADMIN_KEY: '' } })
  })
  afterAll(() => system?.remove())

  test('runs each role as a process that is found by its title', async () => {
    await printed()
    for (const [title, count] of Object.entries(ROLES)) expect([title, system.pids(title).length]).toEqual([title, count])
  })

  test('keeps what its processes compiled for their next lives', () => {
    for (const title of ['weir-edge', 'weir-worker', 'weir-store', 'weir-store-writer', 'weir-notifier']) {
      const environment = readFileSync(`/proc/${system.pids(title)[0]}/environ`, 'utf8').split('\0')
      expect(environment).toContain(`NODE_COMPILE_CACHE=${join(import.meta.dirname, '../../.cache/compile')}`)
    }
  })

  test('prints a link, a key that only its owner may read, and a request that works as it stands', async () => {
    const output = system.output()
    const key = readFileSync(join(system.dataDir, 'admin.key'), 'utf8').trim()
    expect(statSync(join(system.dataDir, 'admin.key')).mode & 0o777).toBe(0o600)
    expect(output).toContain(`${system.url}/#key=${key}`)
    const [, url, header, body] = /curl -i (\S+) -H 'Authorization: (.+?)'.*-d '(.+?)'/s.exec(output)!
    const answer = await fetch(url!, { method: 'POST', headers: { authorization: header!, 'content-type': 'application/json' }, body: body! })
    expect(await answer.json()).toEqual({ accepted: 1, rejected: [] })
    sent++
  })

  test('bounds every stream, so that a full input log leaves room for the commits that free it', async () => {
    const servers = await embeddedNatsUrl(system.dataDir, 'admin')
    const connection = await connectNats({ servers, name: 'test', clock: systemClock })
    try {
      const { log } = connection
      const inputs = await Promise.all(inputStreams(topologyOf(16)).map((name) => log.info(name)))
      const results = await log.info(RESULTS)
      const taken = inputs.reduce((sum, { bytesMax = -1 }) => sum + (bytesMax > 0 ? bytesMax : Infinity), 0)
      expect(results.bytesMax).toBeGreaterThan(0)
      expect(taken).toBeLessThan(Number(readFileSync(join(system.dataDir, 'nats', 'store-bytes'), 'utf8')) - results.bytesMax!)
    } finally {
      await connection.close()
    }
  })

  test.each(Object.keys(ROLES))('starts %s again when it is killed', async (title) => {
    const before = await eventually(`a ${title} runs`, () => (system.pids(title).length === ROLES[title as keyof typeof ROLES] ? system.pids(title) : null))
    process.kill(before[0]!, 'SIGKILL')
    await eventually(`another ${title} runs`, () => {
      const now = system.pids(title)
      return now.length === before.length && !now.includes(before[0]!)
    })
    await send()
    await counted()
  })

  test('lets nobody else into its data folder or its port', async () => {
    const folder = await run(['up', '--data', system.dataDir, '--port', String(await freePort())])
    expect(folder).toMatchObject({ code: 1, output: expect.stringContaining(`process id ${system.pid}`) })
    const other = mkdtempSync(join(tmpdir(), 'weir-up-'))
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const taken = await run(['up', '--data', other, '--port', String((server.address() as AddressInfo).port)])
    server.close()
    rmSync(other, { recursive: true })
    expect(taken).toMatchObject({ code: 1, output: expect.stringMatching(/port \d+ of 127.0.0.1.*taken by .*process id.*--port/) })
  })

  test('is well in the eyes of the doctor while it runs, and not when it is stopped', async () => {
    const examine = () => run(['doctor', '--data', system.dataDir, '--port', new URL(system.url).port])
    const well = await eventually('all is well', async () => {
      const answer = await examine()
      return answer.code === 0 ? answer : null
    })
    expect(well.output).toMatch(/^ok {2}alive: 1 edge, 2 worker, 1 store$/m)
    expect(well.output).not.toContain('!!')
    expect(await system.stop()).toBe(0)
    expect(await examine()).toMatchObject({ code: 1, output: expect.stringMatching(/^!! {2}no server of the log.*npm start/m) })
    system = await startSystem({ dataDir: system.dataDir, env: { WEIR_ADMIN_KEY: '' } })
  })

  test('ends everything at SIGTERM, and goes on at the next start where it stopped', async () => {
    const key = readFileSync(join(system.dataDir, 'admin.key'), 'utf8')
    expect(await system.stop()).toBe(0)
    system = await startSystem({ dataDir: system.dataDir, env: { WEIR_ADMIN_KEY: '' } })
    expect(readFileSync(join(system.dataDir, 'admin.key'), 'utf8')).toBe(key)
    await send()
    await counted()
    expect(readdirSync(join(system.dataDir, 'logs'))).toEqual(expect.arrayContaining(['edge.log', 'store.log', 'up.log', 'worker-1.log', 'worker-2.log']))
  })

  test('that is killed leaves no process behind', async () => {
    const children = descendants(system.pid)
    expect(children.length).toBeGreaterThan(5)
    process.kill(system.pid, 'SIGKILL')
    await eventually('its processes are gone', () => children.every(({ pid }) => !isAlive(pid)))
  })
})

test('the demo fills it with real weather, a farm, and plots to be advised', async () => {
  // A probe may be silent for a quarter of an hour: not so for a whole one.
  const system = await startSystem({ flags: ['--demo', '--workers', '1'], env: { WEIR_WEATHER: '1s', WEIR_BACKFILL: '1h' } })
  try {
    const devices = await eventually('the weather and every probe have series', async () => {
      const { series } = await system.get<{ series: { device: string; metric: string }[] }>('/v1/series?limit=1000')
      if (series.length >= 3 + 4 + 36 * 4 + 13) return new Set(series.map(({ device }) => device))
      // Said as the cause, should it never come about.
      throw new Error(`${series.length} series: ${JSON.stringify(await system.get('/v1/status'))}`)
    }, 120_000)
    expect(devices).toContain('seattle/normals')
    expect(devices).toContain('seattle/daily')
    // A weather station, three meters and five probes on three plots, which the actor of advice is told of.
    expect(devices.size).toBe(2 + 36 + 9)
    expect((await system.get<{ plots: { id: string }[] }>('/v1/plots')).plots.map(({ id }) => id)).toEqual(['east', 'north', 'south'])
    // It begins once there is who listens, so that nobody's first sight of it is a warning.
    expect(system.output()).not.toContain('sending waits')
  } finally {
    await system.remove()
  }
})

function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}
