import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../runtime/clock.ts'
import { isOperating } from '../../runtime/errors.ts'
import { ensureInstallation, readInstallation } from '../../runtime/installation.ts'
import { PAYLOAD_MAX_BYTES } from '../../runtime/limits.ts'
import type { Connection } from '../../runtime/log.ts'
import { connectNats } from '../../runtime/nats-log.ts'
import { findNatsServer, startNatsServer } from '../../runtime/nats-server.ts'
import type { NatsBinary, NatsRole, NatsServer, NatsServerOptions } from '../../runtime/nats-server.ts'
import { natsServerPath } from '../support/nats.ts'
import { notTested, replicatedServer } from '../support/servers.ts'

const hello = new TextEncoder().encode('hello')
const logger = { info: () => {}, warn: () => {} }
const linux = process.platform === 'linux'

let binary: NatsBinary
let dataDir: string
const endings: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  binary = (await findNatsServer({ cacheDir: '/nowhere', env: { NATS_SERVER: natsServerPath() } }))!
})
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'weir-embedded-'))
})
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
  await rm(dataDir, { recursive: true, force: true })
})

async function start(options: Partial<NatsServerOptions> = {}): Promise<NatsServer> {
  const server = await startNatsServer({ binary, dataDir, port: 0, clock: systemClock, logger, ...options })
  endings.push(() => server.stop())
  return server
}

async function connect(server: NatsServer, role: NatsRole): Promise<Connection> {
  const connection = await connectNats({ servers: server.url(role), name: role, clock: systemClock })
  endings.push(() => connection.close())
  return connection
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: unknown) => (isOperating(error) ? error.code : String(error)),
  )
}

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await systemClock.sleep(10)
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Another process that starts a server on the data folder; resolves with what it says of it. */
async function startElsewhere(): Promise<{ child: ChildProcess; pid: number; port: number }> {
  const script = join(import.meta.dirname, '../support/nats-starter.ts')
  const child = spawn(process.execPath, [script, dataDir, binary.version], { stdio: ['pipe', 'pipe', 'inherit'] })
  endings.push(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    }
  })
  const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
  return { child, ...(JSON.parse(line) as { pid: number; port: number }) }
}

describe('the embedded nats-server', { timeout: 60_000 }, () => {
  it('goes on at its second start where it stopped: port, credentials, bound and data', async () => {
    const first = await start()
    await (await connect(first, 'admin')).log.ensureStream({ name: 'KEPT', subjects: ['readings.0'], replicas: 1, bytesMax: -1 })
    const edge = await connect(first, 'edge')
    await edge.log.publish('readings.0', hello)
    expect(edge.maxPayloadBytes).toBe(PAYLOAD_MAX_BYTES)
    await first.stop()
    expect(lives(first.pid)).toBe(false)
    const second = await start()
    expect([second.port, second.url('store'), second.storeBytesMax]).toEqual([first.port, first.url('store'), first.storeBytesMax])
    expect((await (await connect(second, 'admin')).log.info('KEPT')).messages).toBe(1)
    expect(first.storeBytesMax).toBeLessThanOrEqual(64 * 1024 ** 3)
    expect(first.storeBytesMax).toBeGreaterThan(0)
  })

  it('keeps its secrets from other users, and knows nobody without a password', async () => {
    const server = await start()
    for (const file of ['nats.conf', 'credentials.json']) expect((await stat(join(dataDir, 'nats', file))).mode & 0o777).toBe(0o600)
    const anonymous = { name: 'x', clock: systemClock, connectWithinMs: 1_000 }
    expect(await codeOf(connectNats({ ...anonymous, servers: `nats://127.0.0.1:${server.port}` }))).toBe('config')
    expect(await codeOf(connectNats({ ...anonymous, servers: `nats://admin:guess@127.0.0.1:${server.port}` }))).toBe('config')
    const passwords = Object.values(JSON.parse(await readFile(join(dataDir, 'nats', 'credentials.json'), 'utf8')) as Record<string, string>)
    expect(new Set(passwords).size).toBe(6)
    for (const password of passwords) expect(password).toMatch(/^[0-9a-f]{48}$/)
  })

  it.runIf(linux)('runs in a process group of its own, by its own name', async () => {
    const server = await start()
    const field = async (pid: number, at: number) => {
      const text = await readFile(`/proc/${pid}/stat`, 'utf8')
      return text.slice(text.lastIndexOf(')') + 2).split(' ')[at]
    }
    expect((await readFile(`/proc/${server.pid}/comm`, 'utf8')).trim()).toBe('nats-server')
    expect(await field(server.pid, 2)).not.toBe(await field(process.pid, 2))
    expect(await field(server.pid, 3)).not.toBe(await field(process.pid, 3))
  })

  it('tells the exit code when it dies', async () => {
    const server = await start()
    process.kill(server.pid, 'SIGKILL')
    expect(await server.exited).toBe(137)
    await server.stop()
    const next = await start()
    expect(next.port).toBe(server.port)
  })

  it('ends by itself, cleanly, when its starter is killed with SIGKILL, and leaves the folder to the next', async () => {
    const { child, pid, port } = await startElsewhere()
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    const server = await start()
    expect(server.port).toBe(port)
    expect(server.pid).not.toBe(pid)
    expect(lives(pid)).toBe(false)
    expect(await readFile(join(dataDir, 'nats', 'nats.log'), 'utf8')).toContain('Server Exiting')
  })

  it('refuses a data folder on which another process that lives runs its server', async () => {
    const { child, pid } = await startElsewhere()
    const error = await start().then(
      () => null,
      (e: Error) => e,
    )
    expect(isOperating(error, 'config')).toBe(true)
    expect((error as Error).message).toContain(`process ${child.pid}`)
    expect(lives(pid)).toBe(true)
    const gone = once(child, 'exit')
    child.stdin!.end()
    expect(await gone).toEqual([0, null])
    expect(lives(pid)).toBe(false)
  })

  it.runIf(linux)('ends a server whose shell was killed before it starts the next', async () => {
    const first = await start()
    const status = await readFile(`/proc/${first.pid}/status`, 'utf8')
    const shell = Number(/^PPid:\s*(\d+)/m.exec(status)?.[1])
    process.kill(shell, 'SIGKILL')
    await first.exited
    const second = await start()
    expect(second.pid).not.toBe(first.pid)
    await until(() => !lives(first.pid))
    expect((await connect(second, 'admin')).connected()).toBe(true)
  })

  it('says which port is taken, and takes another where it may choose', async () => {
    const first = await start()
    await first.stop()
    const other = createServer().listen(first.port, '127.0.0.1')
    await once(other, 'listening')
    endings.push(async () => void other.close())
    const { port } = other.address() as AddressInfo
    const error = await start({ port }).then(
      () => null,
      (e: Error) => e,
    )
    expect(isOperating(error, 'config')).toBe(true)
    expect((error as Error).message).toContain(`port ${port}`)
    expect((error as Error).message).toContain('address already in use')
    expect((await start()).port).not.toBe(port)
  })

  it('draws a password for a role that an earlier version did not know, and keeps the others', async () => {
    const first = await start()
    await first.stop()
    const path = join(dataDir, 'nats', 'credentials.json')
    const { reader, ...others } = JSON.parse(await readFile(path, 'utf8')) as Record<string, string>
    await writeFile(path, JSON.stringify(others))
    const second = await start()
    const after = JSON.parse(await readFile(path, 'utf8')) as Record<string, string>
    expect(after).toMatchObject(others)
    expect(after.reader).toMatch(/^[0-9a-f]{48}$/)
    expect(after.reader).not.toBe(reader)
    expect((await connect(second, 'reader')).connected()).toBe(true)
  })

  it('tells nobody of a port that is for one life alone', async () => {
    const first = await start()
    await first.stop()
    const told = await readFile(join(dataDir, 'nats', 'port'), 'utf8')
    const aside = await start({ port: -1 })
    expect(aside.port).not.toBe(Number(told))
    expect(await readFile(join(dataDir, 'nats', 'port'), 'utf8')).toBe(told)
    await aside.stop()
    expect((await start()).port).toBe(Number(told))
  })

  it('refuses to sync otherwise than the server does by itself where that is too old, and says how to get a newer one', async () => {
    for (const sync of [{ sync: 'always' }, { syncIntervalMs: 1_000 }] as const) {
      const error = await start({ ...sync, binary: { ...binary, version: '2.9.10' } }).then(
        () => null,
        (e: Error) => e,
      )
      expect(isOperating(error, 'config')).toBe(true)
      expect(error!.message).toMatch(/at least 2\.10\.0: current value is 2\.9\.10 .*--upgrade-nats-server/)
    }
  })

  it('tells a server when to sync in words that it understands as they are meant', async (context) => {
    const { binary: newer, reason } = await replicatedServer()
    if (newer === null) return notTested(context, 'a server that syncs as it is told', reason)
    const understood = async (options: Partial<NatsServerOptions>) => {
      const server = await start({ binary: newer, ...options })
      await server.stop()
      // The same configuration once more, with a port at which the server says what it made of it.
      const conf = join(dataDir, 'nats', 'monitored.conf')
      await writeFile(conf, `${await readFile(join(dataDir, 'nats', 'nats.conf'), 'utf8')}\nhttp: "127.0.0.1:-1"\n`)
      const child = spawn(newer.path, ['-c', conf], { stdio: 'ignore' })
      const gone = once(child, 'exit')
      const file = join(dataDir, 'nats', 'ports', `nats-server_${child.pid}.ports`)
      let text = ''
      await until(async () => (text = await readFile(file, 'utf8').catch(() => '')).endsWith('}'))
      const { monitoring } = JSON.parse(text) as { monitoring: string[] }
      const { jetstream } = (await (await fetch(`${monitoring[0]}/varz`)).json()) as { jetstream: { config: { sync_interval: number; sync_always?: boolean } } }
      child.kill('SIGTERM')
      await gone
      return { always: jetstream.config.sync_always ?? false, intervalMs: jetstream.config.sync_interval / 1_000_000 }
    }
    expect((await understood({ sync: 'always' })).always).toBe(true)
    expect(await understood({ sync: 'interval' })).toEqual({ always: false, intervalMs: 120_000 })
    expect(await understood({ syncIntervalMs: 1_500 })).toEqual({ always: false, intervalMs: 1_500 })
  })
})

describe('a role of the embedded nats-server', { timeout: 60_000 }, () => {
  let server: NatsServer
  let admin: Connection

  beforeEach(async () => {
    server = await start()
    admin = await connect(server, 'admin')
    await ensureInstallation(admin, { partitions: 16, replicas: 1, bytesMax: server.storeBytesMax, firstMessage: hello, clock: systemClock })
    await (await admin.kv('weir_keys')).set('a', hello)
    await (await admin.objects('weir_snapshots')).put('old', hello)
  })

  async function first(connection: Connection, stream: string, subject?: string): Promise<number> {
    for await (const message of connection.log.read({ stream, subject, fromSeq: 1 })) return message.seq
    return 0
  }

  /** One member hears another. */
  async function meets(connection: Connection): Promise<void> {
    const heard = new Promise<void>((resolve) => connection.bus.listen('weir.members.>', () => resolve()))
    await connection.log.info('RESULTS')
    ;(await connect(server, 'worker')).bus.send('weir.members.worker.x', hello)
    await heard
  }

  async function joins(connection: Connection): Promise<void> {
    expect((await readInstallation(connection, { clock: systemClock })).partitions).toBe(16)
    expect((await ensureInstallation(connection, { replicas: 1, bytesMax: -1, firstMessage: hello, clock: systemClock })).partitions).toBe(16)
    await meets(connection)
  }

  it('edge appends readings and follows the keys, and does nothing else', async () => {
    const edge = await connect(server, 'edge')
    await joins(edge)
    expect(await codeOf(edge.log.publish('readings.3', hello))).toBe('none')
    const keys = await edge.kv('weir_keys')
    const seen: string[] = []
    const stop = await keys.watch((key) => seen.push(key))
    expect(seen).toEqual(['a'])
    await (await admin.kv('weir_keys')).set('b', hello)
    await until(() => seen.length === 2)
    stop()
    expect(await keys.keys()).toEqual(['a', 'b'])
    expect(await codeOf(keys.set('mine', hello))).toBe('config')
    expect(await codeOf(edge.log.publish('results.3', hello))).toBe('config')
    expect(await codeOf(edge.log.purge('READINGS_3', { beforeSeq: 9 }))).toBe('config')
    expect(await codeOf(edge.log.last('RESULTS', 'results.3'))).toBe('config')
    expect(await codeOf(first(edge, 'READINGS_3'))).toBe('config')
    expect(await codeOf(edge.log.ensureStream({ name: 'X', subjects: ['x'], replicas: 1, bytesMax: -1 }))).toBe('config')
    expect(await codeOf(edge.kv('mine'))).toBe('config')
    expect(await codeOf((await edge.objects('weir_snapshots')).get('old'))).toBe('config')
  })

  it('reader reads both logs and snapshots, and writes nothing', async () => {
    const reader = await connect(server, 'reader')
    expect((await readInstallation(reader, { clock: systemClock })).partitions).toBe(16)
    await admin.log.publish('results.3', hello)
    expect(await first(reader, 'READINGS_3', 'readings.3')).toBe(1)
    expect(await first(reader, 'RESULTS', 'results.3')).toBe(1)
    expect((await reader.log.last('RESULTS', 'results.3'))?.seq).toBe(1)
    const snapshots = await reader.objects('weir_snapshots', { create: false })
    expect(await snapshots.list()).toEqual(['old'])
    expect(await snapshots.get('old')).toEqual(hello)
    for (const subject of ['readings.3', 'results.3']) expect(await codeOf(reader.log.publish(subject, hello))).toBe('config')
    for (const stream of ['READINGS_3', 'RESULTS']) expect(await codeOf(reader.log.purge(stream, { beforeSeq: 9 }))).toBe('config')
    expect(await codeOf(snapshots.put('mine', hello))).toBe('config')
    expect(await codeOf(snapshots.delete('old'))).toBe('config')
    expect(await codeOf((await reader.kv('weir', { create: false })).set('readers.me', hello))).toBe('config')
    expect(await codeOf((await reader.kv('weir_keys', { create: false })).keys())).toBe('config')
  })

  it('worker reads input, commits results, appends to the input, keeps snapshots, and does nothing else', async () => {
    const worker = await connect(server, 'worker')
    await joins(worker)
    expect(await first(worker, 'READINGS_3', 'readings.3')).toBe(1)
    expect(await first(worker, 'READINGS_7', 'readings.15')).toBe(2)
    const { seq } = await worker.log.publish('results.3', hello, { expectLastSubjectSeq: 0 })
    expect(await codeOf(worker.log.publish('results.3', hello, { expectLastSubjectSeq: 0 }))).toBe('conflict')
    expect((await worker.log.last('RESULTS', 'results.3'))?.seq).toBe(seq)
    expect((await worker.log.at('READINGS_3', 1))?.seq).toBe(1)
    expect(await codeOf(worker.log.publish('readings.3', hello))).toBe('none')
    const snapshots = await worker.objects('weir_snapshots')
    await snapshots.put('new', new Uint8Array(300_000))
    expect((await snapshots.get('new'))?.byteLength).toBe(300_000)
    expect(await snapshots.list()).toEqual(['new', 'old'])
    await snapshots.put('new', hello)
    await snapshots.delete('old')
    expect(await snapshots.list()).toEqual(['new'])
    expect(await codeOf(worker.log.purge('RESULTS', { beforeSeq: 9 }))).toBe('config')
    expect(await codeOf(worker.log.purge('READINGS_0', { beforeSeq: 9 }))).toBe('config')
    expect(await codeOf((await worker.kv('weir')).set('topology', hello))).toBe('config')
    expect(await codeOf((await worker.kv('weir_keys')).get('a'))).toBe('config')
  })

  it('store reads both logs, keys and snapshots, registers itself, purges what is done, appends answers to the input, and writes no results', async () => {
    const store = await connect(server, 'store')
    await joins(store)
    await admin.log.publish('results.3', hello)
    expect(await first(store, 'READINGS_3')).toBe(1)
    expect(await first(store, 'RESULTS')).toBe(1)
    const keys: string[] = []
    const stop = await (await store.kv('weir_keys')).watch((key) => keys.push(key))
    stop()
    expect(keys).toEqual(['a'])
    const meta = await store.kv('weir')
    const revision = await meta.put('readers.main', hello, 0)
    expect((await meta.get('readers.main'))?.revision).toBe(revision)
    await meta.delete('readers.main')
    expect(await codeOf(meta.set('topology', hello))).toBe('config')
    expect((await (await store.objects('weir_snapshots')).get('old'))?.byteLength).toBe(5)
    await store.log.purge('READINGS_3', { subject: 'readings.3', beforeSeq: 2 })
    await store.log.purge('RESULTS', { subject: 'results.3', beforeSeq: 2 })
    expect((await store.log.info('RESULTS')).messages).toBe(0)
    await (await store.objects('weir_snapshots')).delete('old')
    expect(await codeOf(store.log.publish('readings.3', hello))).toBe('none')
    expect(await codeOf(store.log.publish('results.3', hello))).toBe('config')
    expect(await codeOf((await store.kv('weir_keys')).set('b', hello))).toBe('config')
  })

  it('admin does all of it, and even admin reaches no other account through $JS', async () => {
    await joins(admin)
    const keys = await admin.kv('weir_keys')
    await keys.delete('a')
    expect(await keys.keys()).toEqual([])
    expect(await first(admin, 'READINGS_3')).toBe(1)
    await admin.log.purge('READINGS_3', { beforeSeq: 2 })
    await (await admin.objects('weir_snapshots')).delete('old')
    expect(await readFile(join(dataDir, 'nats', 'nats.conf'), 'utf8')).not.toMatch(/"\$JS\.(API\.)?>"/)
  })

  it('hears no answers to another', async () => {
    const edge = await connect(server, 'edge')
    let heard = 0
    for (const subject of ['_INBOX_worker.>', '_INBOX.>', '$KV.>', 'readings.>', '>']) edge.bus.listen(subject, () => heard++)
    const worker = await connect(server, 'worker')
    await worker.log.publish('readings.1', hello)
    await worker.log.info('RESULTS')
    await edge.log.info('RESULTS')
    expect(heard).toBe(0)
  })
})
