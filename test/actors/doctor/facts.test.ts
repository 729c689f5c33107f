import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { adminKeyFact, diskFact, lakeFact, portFact, routeFacts } from '../../../actors/doctor/facts.ts'
import { viewId } from '../../../actors/view/kept.ts'
import { RouteRegistry } from '../../../actors/notify/routes.ts'
import { emptyRoute, emptyState, stateKey } from '../../../actors/notify/state.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import { BUCKET_NOTIFY } from '../../../runtime/topology.ts'
import { ManualClock } from '../../support/manual-clock.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-doctor-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('the facts', () => {
  test('of a disk are those of the nearest folder that is there', async () => {
    const here = await diskFact(folder)
    const below = await diskFact(join(folder, 'not', 'yet'))
    expect(here).toMatchObject({ path: folder, problem: null })
    expect(here.freeBytes).toBeGreaterThan(0)
    expect(below.totalBytes).toBe(here.totalBytes)
  })

  test('of an admin key are its permissions, and null where there is none', async () => {
    expect(await adminKeyFact(folder)).toBe(null)
    writeFileSync(join(folder, 'admin.key'), 'secret')
    chmodSync(join(folder, 'admin.key'), 0o640)
    expect(await adminKeyFact(folder)).toEqual({ path: join(folder, 'admin.key'), mode: 0o640, mine: true })
  })

  test('of a lake whose manifests do not read are why', async () => {
    expect(await lakeFact(folder)).toMatchObject({ manifests: 0, problem: null })
    mkdirSync(join(folder, 'lake'))
    writeFileSync(join(folder, 'lake', 'manifest-7.json'), '{ half of')
    expect(await lakeFact(folder)).toMatchObject({ problem: expect.stringContaining('manifests must read whole') })
  })

  test('of a lake name the segments that are missing', async () => {
    mkdirSync(join(folder, 'lake', 'segments'), { recursive: true })
    const segment = (file: string) => {
      return { file, level: 0, sealedFrom: 1, sealedTo: 1, bytes: 3, rows: {}, tsMin: null, tsMax: null, readingsMin: null, readingsMax: null }
    }
    const heads = { format: 1, version: 1, madeAt: 0, resultsCreated: 'r', resultsBase: 0, resultsFrom: 1, inputFrom: {}, settleUntil: null }
    const id = viewId('default', 'p')
    const views = { default: { hourly: { id, sql: '', partial: 'p', shown: '', shows: [] } } }
    const manifest = { ...heads, views, segments: [segment('a.duckdb'), { ...segment('b.duckdb'), failed: { [id]: 'why' } }], superseded: [], covered: {} }
    writeFileSync(join(folder, 'lake', 'manifest-1.json'), JSON.stringify(manifest))
    writeFileSync(join(folder, 'lake', 'segments', 'a.duckdb'), 'abc')
    expect(await lakeFact(folder)).toMatchObject({ manifests: 1, problem: null, missing: ['b.duckdb'], segments: 2, failedViews: [{ name: 'hourly', reason: 'why' }] })
  })

  test('of routes are those that are switched on, with what became of them; null where there is no place for them', async () => {
    const clock = new ManualClock()
    const connection = new MemoryWorld({ clock }).connect()
    expect(await routeFacts({ ...connection, kv: () => Promise.reject(new Error('there is no such bucket')) } as never, clock)).toBe(null)
    const kv = await connection.kv(BUCKET_NOTIFY)
    const registry = await RouteRegistry.open(kv)
    for (const [tenant, id, enabled] of [['default', 'phone', true], ['default', 'off', false], ['other', 'mail', true]] as const) await registry.put(tenant, id, { target: { nats: {} }, enabled }, null, () => '')
    const phone = { ...emptyRoute(), failures: 3, failingSinceMs: clock.now() - 60_000, lastError: 'the receiver answered 503' }
    await kv.set(stateKey('default'), new TextEncoder().encode(JSON.stringify({ ...emptyState('default'), routes: { phone } })))
    expect(await routeFacts(connection, clock)).toEqual([
      { tenant: 'default', id: 'phone', failsMs: 60_000, error: 'the receiver answered 503', waiting: 0 },
      { tenant: 'other', id: 'mail', failsMs: null, error: null, waiting: 0 },
    ])
  })

  test('of a port tell an edge from another program', async () => {
    let body = '<html>'
    const server = createServer((_, response) => void response.end(body))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    expect(await portFact('127.0.0.1', port)).toMatchObject({ state: 'taken', by: expect.stringContaining(String(process.pid)) })
    body = '{"status":"ok"}'
    expect(await portFact('127.0.0.1', port)).toMatchObject({ state: 'weir' })
    await new Promise((resolve) => {
      server.close(resolve)
      server.closeAllConnections()
    })
    expect(await portFact('127.0.0.1', port)).toEqual({ host: '127.0.0.1', port, state: 'free', by: null })
  })
})
