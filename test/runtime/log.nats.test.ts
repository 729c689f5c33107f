/** The laws of the log port on real nats-servers, and the laws that only a real server can break: kill -9, a frozen server, a full store. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../runtime/clock.ts'
import { isOperating, OperatingError } from '../../runtime/errors.ts'
import type { Connection, Log, LogMessage } from '../../runtime/log.ts'
import { connectNats } from '../../runtime/nats-log.ts'
import { freePort, startTestNats } from '../support/nats.ts'
import type { TestNats } from '../support/nats.ts'
import { logConformance } from './log.conformance.ts'

logConformance('NATS JetStream', async () => {
  const nats = await startTestNats()
  return { connection: await nats.connect(), restart: () => nats.restart(), close: () => nats.stop() }
})

const text = (s: string) => new TextEncoder().encode(s)
const hello = text('hello')
const textOf = (m: LogMessage) => new TextDecoder().decode(m.data)

async function errorOf(promise: Promise<unknown>): Promise<OperatingError> {
  const error = await promise.then(
    () => null,
    (e: unknown) => e,
  )
  if (!isOperating(error)) throw new Error(`Expected an operating error, got ${String(error)}`)
  return error
}

/** Calls `attempt` until it answers. */
async function until<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (!isOperating(error) || !error.retry) throw error
      await systemClock.sleep(20)
    }
  }
}

/** Reads until `isLast`, collecting. */
async function readUntil(log: Log, stream: string, isLast: (m: LogMessage) => boolean, seen: LogMessage[]): Promise<void> {
  const reader = log.read({ stream, fromSeq: 1 })
  for await (const message of reader) {
    seen.push(message)
    if (isLast(message)) break
  }
}

describe('the log on a real nats-server', { timeout: 60_000 }, () => {
  let nats: TestNats
  let connection: Connection
  let log: Log

  beforeAll(async () => {
    nats = await startTestNats()
    connection = await nats.connect()
    log = connection.log
  }, 60_000)
  afterAll(() => nats?.stop())

  it('keeps every acknowledged message, and gives readers each once and in order, through kill -9 under load, thrice', async () => {
    await log.ensureStream({ name: 'KILLED', subjects: ['killed.*'], replicas: 1, bytesMax: -1 })
    const seen: LogMessage[] = []
    const read = readUntil(log, 'KILLED', (m) => textOf(m) === 'end', seen)
    const acknowledged = new Map<number, string>()
    let sent = 0
    let loading = true
    const load = async (worker: number) => {
      while (loading) {
        const body = `${worker}/${sent++}`
        try {
          acknowledged.set((await log.publish(`killed.${worker}`, text(body))).seq, body)
        } catch (error) {
          if (!isOperating(error)) throw error
          await systemClock.sleep(5)
        }
      }
    }
    const workers = Array.from({ length: 16 }, (_, i) => load(i))
    for (let kill = 0; kill < 3; kill++) {
      const goal = acknowledged.size + 300
      while (acknowledged.size < goal) await systemClock.sleep(5)
      await nats.kill()
      expect((await errorOf(untilFails(() => log.publish('killed.0', text('down'))))).retry).toBe(true)
      await nats.restart()
    }
    const goal = acknowledged.size + 300
    while (acknowledged.size < goal) await systemClock.sleep(5)
    loading = false
    await Promise.all(workers)
    await until(() => log.publish('killed.0', text('end')))
    await read
    const { messages } = await log.info('KILLED')
    expect(seen.length).toBe(messages)
    expect(seen.map((m) => m.seq)).toEqual(Array.from({ length: messages }, (_, i) => i + 1))
    for (const [seq, body] of acknowledged) expect(textOf(seen[seq - 1])).toBe(body)
  })

  it('ends publishes under way when the server freezes, and goes on when it thaws', async () => {
    await log.ensureStream({ name: 'FROZEN', subjects: ['frozen.*'], replicas: 1, bytesMax: -1 })
    const seen: LogMessage[] = []
    const read = readUntil(log, 'FROZEN', (m) => textOf(m) === 'end', seen)
    await log.publish('frozen.0', text('before'))
    await nats.pause()
    try {
      expect((await errorOf(log.publish('frozen.0', text('lost?'), { timeoutMs: 200 }))).code).toBe('timeout')
    } finally {
      nats.resume()
    }
    await until(() => log.publish('frozen.0', text('end')))
    await read
    expect(seen.map((m) => m.seq)).toEqual(seen.map((_, i) => i + 1))
    expect(textOf(seen[0])).toBe('before')
  })

  it('gives a slow reader everything, though far more waits than is fetched ahead', async () => {
    await log.ensureStream({ name: 'SLOW', subjects: ['slow.*'], replicas: 1, bytesMax: -1 })
    const body = new Uint8Array(64 * 1024)
    for (let i = 0; i < 30; i++) await Promise.all(Array.from({ length: 50 }, () => log.publish('slow.0', body)))
    let last = 0
    for await (const message of log.read({ stream: 'SLOW', fromSeq: 1 })) {
      expect(message.seq).toBe(last + 1)
      last = message.seq
      if (last % 100 === 0) await systemClock.sleep(5)
      if (last === 1500) break
    }
  })

  it('gives messages of every size up to the largest, small ones between them', async () => {
    await log.ensureStream({ name: 'LARGE', subjects: ['large.*'], replicas: 1, bytesMax: -1 })
    const largest = (connection.maxPayloadBytes ?? 0) - 200
    const sizes = [10, largest, 10, 1024 * 1024, largest, largest, 2_000_000, 10, 0, largest, 3]
    const seen: number[] = []
    const read = (async () => {
      for await (const message of log.read({ stream: 'LARGE', fromSeq: 1 })) if (seen.push(message.data.byteLength) === sizes.length * 2) break
    })()
    for (const size of [...sizes, ...sizes]) await log.publish('large.0', new Uint8Array(size), { timeoutMs: 10_000 })
    await read
    expect(seen).toEqual([...sizes, ...sizes])
    expect((await log.last('LARGE', 'large.0'))?.data.byteLength).toBe(3)
    expect((await log.at('LARGE', 2))?.data.byteLength).toBe(largest)
  })

  it('waits at its close for the acknowledgements under way', async () => {
    await log.ensureStream({ name: 'CLOSING', subjects: ['closing.*'], replicas: 1, bytesMax: -1 })
    const other = await nats.connect()
    const publishes = Promise.all(Array.from({ length: 500 }, () => other.log.publish('closing.0', hello)))
    await other.close()
    expect((await publishes).length).toBe(500)
    expect((await log.info('CLOSING')).messages).toBe(500)
  })

  it('reads on with a new consumer when the server has dropped the old one', async () => {
    await log.ensureStream({ name: 'DROPPED', subjects: ['dropped.*'], replicas: 1, bytesMax: -1 })
    const seen: LogMessage[] = []
    const read = readUntil(log, 'DROPPED', (m) => textOf(m) === 'end', seen)
    await log.publish('dropped.0', text('one'))
    while (seen.length < 1) await systemClock.sleep(5)
    const raw = await rawApi(nats)
    const { consumers } = await raw.ask<{ consumers: string[] }>('CONSUMER.NAMES.DROPPED')
    expect(consumers).toHaveLength(1)
    await raw.ask(`CONSUMER.DELETE.DROPPED.${consumers[0]}`)
    await log.publish('dropped.0', text('two'))
    await log.publish('dropped.0', text('end'))
    await read
    expect(seen.map(textOf)).toEqual(['one', 'two', 'end'])
    await until(async () => {
      const left = (await raw.ask<{ consumers: string[] | null }>('CONSUMER.NAMES.DROPPED')).consumers ?? []
      if (left.length > 0) throw new OperatingError('unavailable', 'a closed reader leaves no consumer')
    })
    await raw.close()
  })

  it('stops a reader with `identity` when its stream was made anew', async () => {
    await log.ensureStream({ name: 'REMADE', subjects: ['remade.*'], replicas: 1, bytesMax: -1 })
    const seen: LogMessage[] = []
    const read = errorOf(readUntil(log, 'REMADE', () => false, seen))
    for (let i = 0; i < 3; i++) await log.publish('remade.0', text(String(i)))
    while (seen.length < 3) await systemClock.sleep(5)
    const raw = await rawApi(nats)
    await raw.ask('STREAM.DELETE.REMADE')
    await log.ensureStream({ name: 'REMADE', subjects: ['remade.*'], replicas: 1, bytesMax: -1 })
    expect((await read).code).toBe('identity')
    await raw.close()
  })

  it('refuses a publish with `full` when the store of the whole server is full, and takes it again after a purge', async () => {
    const small = await startTestNats({ storeBytes: 4 * 1024 * 1024 })
    try {
      const { log: tight } = await small.connect()
      await tight.ensureStream({ name: 'TIGHT', subjects: ['tight.*'], replicas: 1, bytesMax: -1 })
      let stored = 0
      const error = await errorOf(
        (async () => {
          for (; stored < 1000; stored++) await tight.publish('tight.0', new Uint8Array(16 * 1024))
        })(),
      )
      expect(error.code).toBe('full')
      expect((await tight.info('TIGHT')).messages).toBe(stored)
      await tight.purge('TIGHT', { beforeSeq: stored })
      await until(() => tight.publish('tight.0', text('room')))
    } finally {
      await small.stop()
    }
  })

  it('keeps watching a bucket through kill -9', async () => {
    const kv = await connection.kv('watched')
    await kv.set('a', text('1'))
    const seen: string[] = []
    const stop = await kv.watch((key, value) => seen.push(`${key}=${value === null ? null : new TextDecoder().decode(value)}`))
    await nats.restart()
    await until(() => kv.set('b', text('2')))
    while (seen.length < 2) await systemClock.sleep(5)
    stop()
    expect(seen.slice(0, 2)).toEqual(['a=1', 'b=2'])
  })

  it('gives the entries of a watched bucket again when the bucket was made anew', async () => {
    const kv = await connection.kv('remade')
    await kv.set('a', text('1'))
    const seen: string[] = []
    const stop = await kv.watch((key) => seen.push(key))
    const raw = await rawApi(nats)
    await raw.ask('STREAM.DELETE.KV_remade')
    await (await connection.kv('remade')).set('b', text('2'))
    while (seen.length < 2) await systemClock.sleep(5)
    stop()
    expect(seen).toEqual(['a', 'b'])
    await raw.close()
  })

  it('answers with null for an object of which a chunk is missing or changed', async () => {
    const objects = await connection.objects('damaged')
    await objects.put('whole', new Uint8Array(500_000).fill(7))
    await objects.put('short', new Uint8Array(500_000).fill(8))
    const raw = await rawApi(nats)
    const { messages } = await log.info('OBJ_damaged')
    // The chunks of `short` come right before its name.
    await raw.ask('STREAM.MSG.DELETE.OBJ_damaged', { seq: messages - 1 })
    expect(await objects.get('short')).toBeNull()
    expect((await objects.get('whole'))?.byteLength).toBe(500_000)
    await raw.close()
  })

  it('names the server and what to do when there is none, and refuses wrong addresses at once', async () => {
    const port = await freePort()
    const servers = `nats://user:hidden@127.0.0.1:${port}`
    const error = await errorOf(connectNats({ servers, name: 'test', clock: systemClock, connectWithinMs: 150 }))
    expect(error.code).toBe('unavailable')
    expect(error.message).toContain(`127.0.0.1:${port}`)
    expect(error.message).not.toContain('hidden')
    expect((await errorOf(connectNats({ servers: 'http://127.0.0.1', name: 'test', clock: systemClock }))).code).toBe('config')
    expect((await errorOf(connectNats({ servers: ' , ', name: 'test', clock: systemClock }))).code).toBe('config')
  })

  it('goes over to the server of a list that answers', async () => {
    const servers = `nats://127.0.0.1:${await freePort()},nats://127.0.0.1:${nats.port}`
    const other = await connectNats({ servers, name: 'test', clock: systemClock })
    expect(other.connected()).toBe(true)
    await other.close()
  })

  it('rejects what is asked of a closed connection, and ends its readers', async () => {
    const other = await nats.connect()
    await other.log.ensureStream({ name: 'CLOSED', subjects: ['closed.*'], replicas: 1, bytesMax: -1 })
    const read = (async () => {
      for await (const _ of other.log.read({ stream: 'CLOSED', fromSeq: 1 })) return 'a message'
      return 'the end'
    })()
    await other.log.publish('elsewhere', text('x')).catch(() => {})
    await other.close()
    expect(await read).toBe('the end')
    expect(other.connected()).toBe(false)
    expect((await errorOf(other.log.publish('closed.0', text('x')))).code).toBe('unavailable')
    expect((await errorOf(other.log.info('CLOSED'))).code).toBe('unavailable')
    other.bus.send('anything', text('x'))
  })
})

/** Calls until it fails. */
async function untilFails(attempt: () => Promise<unknown>): Promise<never> {
  for (;;) await attempt()
}

/** JetStream's API beside the port, for what the port does not do. */
async function rawApi(nats: TestNats): Promise<{ ask<T>(verb: string, body?: unknown): Promise<T>; close(): Promise<void> }> {
  const { connect } = await import('@nats-io/transport-node')
  const nc = await connect({ servers: `127.0.0.1:${nats.port}` })
  return {
    ask: async <T>(verb: string, body?: unknown) => (await nc.request(`$JS.API.${verb}`, body === undefined ? '' : JSON.stringify(body))).json<T>(),
    close: () => nc.close(),
  }
}
