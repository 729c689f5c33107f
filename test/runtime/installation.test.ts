import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../runtime/clock.ts'
import { isOperating, OperatingError } from '../../runtime/errors.ts'
import { atLeast, ensureInstallation, readInstallation } from '../../runtime/installation.ts'
import type { InstallationOptions } from '../../runtime/installation.ts'
import { MemoryWorld } from '../../runtime/memory-log.ts'
import type { Connection } from '../../runtime/log.ts'
import { inputStreams, inputSubject, RESULTS } from '../../runtime/topology.ts'
import { notTested, oldServer, replicatedServer } from '../support/servers.ts'
import { startTestNats } from '../support/nats.ts'
import type { TestNats, TestNatsOptions } from '../support/nats.ts'

const options: InstallationOptions = { replicas: 1, bytesMax: -1, clock: systemClock, withinMs: 5_000 }
const hello = new TextEncoder().encode('hello')

async function messageOf(promise: Promise<unknown>, code: string): Promise<string> {
  const error = await promise.then(
    () => null,
    (e: unknown) => e,
  )
  expect(isOperating(error) ? error.code : error).toBe(code)
  return (error as Error).message
}

function memory(serverVersion?: string): Connection {
  return new MemoryWorld({ clock: systemClock, serverVersion }).connect()
}

it('of before own partitions is joined by who may not make their stream', async () => {
  const connection = memory()
  const { log } = connection
  const refused = (name: string, code: 'config' | 'unavailable') => ({
    ...connection, connected: () => true, serverVersion: connection.serverVersion, kv: connection.kv.bind(connection), objects: connection.objects.bind(connection), servers: connection.servers.bind(connection),
    log: { ensureStream: (o: Parameters<typeof log.ensureStream>[0]) => (o.name === name ? Promise.reject(new OperatingError(code, 'no', { retry: false })) : log.ensureStream(o)), publish: log.publish.bind(log) },
  }) as unknown as Connection
  expect(await ensureInstallation(refused('OWN', 'config'), { ...options, partitions: 2 })).toEqual({ partitions: 2, streams: 2 })
  await messageOf(ensureInstallation(refused(RESULTS, 'config'), options), 'config')
  await messageOf(ensureInstallation(refused('OWN', 'unavailable'), options), 'unavailable')
})

describe('an installation on a real server', { timeout: 60_000 }, () => {
  let nats: TestNats | null = null
  afterEach(async () => {
    await nats?.stop()
    nats = null
  })
  async function start(o?: TestNatsOptions): Promise<TestNats> {
    nats = await startTestNats(o)
    return nats
  }

  it('is made once: streams for each partition, and a first message in each', async () => {
    const { log } = await (await start()).connect()
    const connection = await nats!.connect()
    const topology = await ensureInstallation(connection, { ...options, partitions: 12, firstMessage: hello })
    expect(topology).toEqual({ partitions: 12, streams: 8 })
    const infos = await Promise.all(inputStreams(topology).map((s) => log.info(s)))
    expect(infos.map((i) => i.messages)).toEqual([2, 2, 2, 2, 1, 1, 1, 1])
    expect((await log.publish('results.11', hello)).seq).toBe(1)
    expect((await log.info(RESULTS)).messages).toBe(1)
    await ensureInstallation(connection, { ...options, firstMessage: hello })
    for (const [i, s] of inputStreams(topology).entries()) expect(await log.info(s)).toEqual(infos[i])
  })

  it('gives racers one count: who asked for another is refused with both numbers', async () => {
    const server = await start()
    const connections = await Promise.all(Array.from({ length: 6 }, () => server.connect()))
    const wishes = [4, 8, 4, 8, 4, 8]
    const results = await Promise.allSettled(connections.map((c, i) => ensureInstallation(c, { ...options, partitions: wishes[i], firstMessage: hello })))
    const chosen = (await readInstallation(connections[0], { clock: systemClock })).partitions
    for (const [i, result] of results.entries()) {
      if (wishes[i] === chosen) expect(result).toEqual({ status: 'fulfilled', value: { partitions: chosen, streams: chosen } })
      else {
        expect(result.status).toBe('rejected')
        const message = await messageOf(Promise.reject((result as PromiseRejectedResult).reason), 'config')
        expect(message).toContain(`with ${wishes[i]} partitions`)
        expect(message).toContain(`current value is ${chosen}`)
      }
    }
    for (let p = 0; p < chosen; p++) {
      const first = await connections[0].log.last(`READINGS_${p}`, inputSubject(p))
      expect(first?.seq).toBe(1)
    }
    expect(await ensureInstallation(connections[0], options)).toEqual({ partitions: chosen, streams: chosen })
  })

  it('is completed by the next process where one died half way', async () => {
    const connection = await (await start()).connect()
    const meta = await connection.kv('weir')
    await meta.put('topology', new TextEncoder().encode(JSON.stringify({ partitions: 3, replicas: 1, introduced: false })), 0)
    await connection.log.ensureStream({ name: 'READINGS_0', subjects: ['readings.0'], replicas: 1, bytesMax: -1 })
    expect(await ensureInstallation(connection, { ...options, firstMessage: hello })).toEqual({ partitions: 3, streams: 3 })
    for (let p = 0; p < 3; p++) expect((await connection.log.info(`READINGS_${p}`)).messages).toBe(1)
  })

  it('is waited for by those who only join', async () => {
    const server = await start()
    const joining = readInstallation(await server.connect(), { clock: systemClock })
    await ensureInstallation(await server.connect(), { ...options, partitions: 5 })
    expect((await joining).partitions).toBe(5)
  })

  it('leaves results their room when the input is full', async () => {
    const { log } = await (await start()).connect()
    await ensureInstallation(await nats!.connect(), { ...options, partitions: 1, bytesMax: 1_000_000 })
    const message = await messageOf(
      (async () => {
        for (;;) await log.publish('readings.0', new Uint8Array(50_000))
      })(),
      'full',
    )
    expect(message).toContain('readings.0')
    await log.publish('results.0', new Uint8Array(50_000))
  })

  it('refuses a server whose messages are too small for a commit, and says what to set', async () => {
    const connection = await (await start({ maxPayloadBytes: 1024 * 1024 })).connect()
    expect(await messageOf(ensureInstallation(connection, options), 'config')).toMatch(/max_payload.*at least 8388608.*1048576/)
  })

  it('refuses replicas on a server that is too old for them, and makes nothing on it', async (context) => {
    const { binary, reason } = await oldServer()
    if (binary === null) return notTested(context, 'a server that is too old for replicas', reason)
    const connection = await (await start({ binary: binary.path })).connect()
    const message = await messageOf(ensureInstallation(connection, { ...options, replicas: 3 }), 'config')
    expect(message).toMatch(/3 replicas.*2\.10\.23.*one replica/)
    expect(message).toContain(`current value is ${binary.version}`)
    expect(await messageOf(connection.log.info(RESULTS), 'identity')).toContain(RESULTS)
    expect(await messageOf(connection.kv('weir', { create: false }), 'identity')).toContain('KV_weir')
  })

  it('refuses replicas on a server that is alone', async (context) => {
    const { binary, reason } = await replicatedServer()
    if (binary === null) return notTested(context, 'replicas on a server that is alone', reason)
    const connection = await (await start({ binary: binary.path })).connect()
    expect(await messageOf(ensureInstallation(connection, { ...options, replicas: 3 }), 'config')).toContain('replicas > 1')
  })
})

describe('an installation', () => {
  it('refuses servers below the floor', async () => {
    expect(await messageOf(ensureInstallation(memory('2.9.9'), options), 'config')).toMatch(/2\.9\.10.*2\.9\.9/)
    expect(await messageOf(readInstallation(memory('2.8.4'), { clock: systemClock }), 'config')).toMatch(/2\.9\.10.*2\.8\.4/)
  })

  it('refuses counts that are none', async () => {
    for (const partitions of [0, -1, 1.5, 1025, NaN]) {
      expect(await messageOf(ensureInstallation(memory(), { ...options, partitions }), 'config')).toContain('from 1 to 1024')
    }
  })

  it('is said to be missing, and how to make it, once the time is up', async () => {
    expect(await messageOf(readInstallation(memory(), { clock: systemClock, withinMs: 10 }), 'unavailable')).toContain('weir up')
  })

  it('takes the default count where nothing else is asked for', async () => {
    expect((await ensureInstallation(memory(), { ...options, partitionsDefault: 64 })).partitions).toBe(64)
    expect((await ensureInstallation(memory(), options)).partitions).toBe(16)
  })

  it('orders versions by number, previews before their release', () => {
    expect(['2.10.0', '2.9.10', '3.0.0', '2.9.11-beta.1'].map((v) => atLeast(v, '2.9.10'))).toEqual([true, true, true, true])
    expect(['2.9.9', '1.99.99', '2.9.10-RC.1', '0.0.0', ''].map((v) => atLeast(v, '2.9.10'))).toEqual([false, false, false, false, false])
  })
})
