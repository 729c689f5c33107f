/** `weir doctor` against real servers that are not as they must be. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RouteRegistry } from '../../actors/notify/routes.ts'
import { systemClock } from '../../runtime/clock.ts'
import { ensureInstallation } from '../../runtime/installation.ts'
import { BUCKET_META, BUCKET_NOTIFY } from '../../runtime/topology.ts'
import { freePort, startTestNats } from '../support/nats.ts'
import type { TestNats } from '../support/nats.ts'

let data: string
let nats: TestNats
beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), 'weir-doctor-'))
  nats = await startTestNats()
})
afterAll(async () => {
  await nats?.stop()
  rmSync(data, { recursive: true })
})

async function doctor(url: string): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../cmd/doctor.ts'), '--data', data, '--nats', url, '--port', String(await freePort())])
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}

test('the doctor finds a server without an installation', async () => {
  const { code, output } = await doctor(nats.url)
  expect(code).toBe(1)
  expect(output).toMatch(/^ok {2}the log's server answers/m)
  expect(output).toMatch(/^!! {2}the streams of the log are not there/m)
})

test('the doctor finds roles that nobody fills, and the reader that holds the log', async () => {
  const connection = await nats.connect()
  await ensureInstallation(connection, { partitions: 4, replicas: 1, bytesMax: -1, firstMessage: new Uint8Array([1]), clock: systemClock })
  const meta = await connection.kv(BUCKET_META)
  await meta.set('readers.gone', new TextEncoder().encode('{}'))
  const routes = await RouteRegistry.open(await connection.kv(BUCKET_NOTIFY))
  await routes.put('default', 'phone', { target: { nats: {} } }, null, () => '')
  routes.close()
  const { code, output } = await doctor(nats.url)
  expect(code).toBe(1)
  expect(output).toMatch(/^!! {2}no notifier is alive: nobody is told of alerts, though 1 route says whom to tell/m)
  for (const role of ['edge', 'worker', 'store']) expect(output).toMatch(new RegExp(`^!! {2}no ${role} is alive.*weir ${role}`, 'm'))
  expect(output).toMatch(/^!! {2}.*reader gone .*holds the whole log.*weir store forget gone/m)
  expect(output).toMatch(/^ok {2}the clocks of this machine and of the server agree$/m)
})

test('the doctor finds messages that are too small', async () => {
  const small = await startTestNats({ maxPayloadBytes: 1024 * 1024 })
  try {
    expect((await doctor(small.url)).output).toMatch(/^!! {2}the server takes messages of 1.0 MiB only → set max_payload/m)
  } finally {
    await small.stop()
  }
})

test('the doctor finds that nobody answers', async () => {
  const { code, output } = await doctor(`nats://user:secret@127.0.0.1:${await freePort()}`)
  expect(code).toBe(1)
  expect(output).toMatch(/^!! {2}no server of the log at nats:\/\/127.0.0.1:\d+: .*refused/m)
  expect(output).not.toContain('secret')
})
