/** Real nats-servers for tests: on a free port of loopback, in a folder of their own, killed and started again at will. */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../runtime/clock.ts'
import { PAYLOAD_MAX_BYTES } from '../../runtime/limits.ts'
import type { Connection } from '../../runtime/log.ts'
import { connectNats } from '../../runtime/nats-log.ts'
import { inboxPrefix } from '../../runtime/nats-roles.ts'
import type { NatsRole } from '../../runtime/nats-roles.ts'

export interface TestNatsOptions {
  /** Bound of the server's whole store; none by default. */
  readonly storeBytes?: number
  /** `PAYLOAD_MAX_BYTES` by default. */
  readonly maxPayloadBytes?: number
  /** Its configuration is deploy/nats.conf, but for addresses and folders; a role's password is its name. No such bounds then. */
  readonly roles?: boolean
  /** Another program than the project's. */
  readonly binary?: string
}

export interface TestNats {
  readonly url: string
  readonly port: number
  readonly folder: string
  /** Its address with the credentials of a role, where it has roles. */
  urlOf(role: NatsRole): string
  /** With roles it connects as the admin. */
  connect(name?: string): Promise<Connection>
  /** SIGKILL; resolves when the process is gone. Connections stay, and wait for it to come back. */
  kill(): Promise<void>
  /** Starts it again, on the same port and folder, killing it first where it runs. */
  restart(): Promise<void>
  /** SIGSTOP: a server that is there and does not answer. Resolves once each of its threads has stopped, which is some time after the signal. */
  pause(): Promise<void>
  /** SIGCONT. */
  resume(): void
  /** Closes the connections made by `connect`, ends the server, removes its folder. */
  stop(): Promise<void>
}

/** A port that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** The nats-server that tests run: `NATS_SERVER`, on the PATH, or in the project's cache. */
export function natsServerPath(): string {
  const cached = join(import.meta.dirname, '../../.cache/nats-server/nats-server')
  const onPath = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/bin'].map((folder) => join(folder, 'nats-server'))
  const found = [process.env.NATS_SERVER ?? '', ...onPath, cached].find((path) => path !== '' && existsSync(path))
  if (found === undefined) throw new Error('Cannot test on NATS as nats-server must be there: run deploy/set-up --with-tests, or name it in NATS_SERVER')
  return found
}

/** deploy/nats.conf for a test: another address, another folder, passwords in place of those of the environment. */
export async function sampleConfig(listen: string, storeDir: string): Promise<string> {
  const sample = await readFile(join(import.meta.dirname, '../../deploy/nats.conf'), 'utf8')
  return sample
    .replace(/^listen: .*$/m, listen)
    .replace(/^http: .*$/m, '')
    .replace(/store_dir: .*$/m, `store_dir: "${storeDir}"`)
    .replace(/max_file_store: .*$/m, '')
    .replace(/\$WEIR_(\w+)_PASSWORD/g, (_, role: string) => role.toLowerCase())
}

/** Whether every thread of a process is stopped by a signal. */
export function stopped(pid: number): boolean {
  const states = readdirSync(`/proc/${pid}/task`).map((task) => readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8'))
  return states.every((stat) => stat[stat.lastIndexOf(')') + 2] === 'T')
}

/** Ends a server, a stopped one too; resolves when it is gone. */
export async function endServer(running: ChildProcess | null, signal: NodeJS.Signals): Promise<void> {
  if (running === null || running.exitCode !== null || running.signalCode !== null) return
  const gone = once(running, 'exit')
  running.kill(signal)
  if (signal !== 'SIGKILL') running.kill('SIGCONT')
  await gone
}

export async function startTestNats(options: TestNatsOptions = {}): Promise<TestNats> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-nats-'))
  const binary = options.binary ?? natsServerPath()
  let child: ChildProcess | null = null
  let port = 0
  const connections: Connection[] = []

  async function start(): Promise<void> {
    const ports = join(folder, 'ports')
    await rm(ports, { recursive: true, force: true })
    await mkdir(ports, { recursive: true })
    const listen = `listen: "127.0.0.1:${port === 0 ? -1 : port}"`
    const store = options.storeBytes === undefined ? '' : `, max_file_store: ${options.storeBytes}`
    const plain = [
      'server_name: test',
      listen,
      `max_payload: ${options.maxPayloadBytes ?? PAYLOAD_MAX_BYTES}`,
      `jetstream { store_dir: "${join(folder, 'store')}"${store} }`,
    ]
    const config = options.roles ? await sampleConfig(listen, join(folder, 'store')) : plain.join('\n')
    await writeFile(join(folder, 'nats.conf'), `${config}\nports_file_dir: "${ports}"\n`)
    const started = spawn(binary, ['-c', join(folder, 'nats.conf'), '-l', join(folder, 'nats.log')], { stdio: 'ignore' })
    child = started
    const portsFile = join(ports, `nats-server_${started.pid}.ports`)
    // The server writes the file once it listens.
    for (;;) {
      if (started.exitCode !== null) throw new Error(`nats-server ended at its start: ${await readFile(join(folder, 'nats.log'), 'utf8').catch(() => '')}`)
      const text = await readFile(portsFile, 'utf8').catch(() => '')
      if (text.endsWith('}')) {
        port = Number(new URL((JSON.parse(text) as { nats: string[] }).nats[0]).port)
        return
      }
      await systemClock.sleep(10)
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const running = child
    child = null
    await endServer(running, signal)
  }

  await start()
  const urlOf = (role: NatsRole) => `nats://${role}:${role}@127.0.0.1:${port}?inbox=${inboxPrefix(role)}`
  const url = () => (options.roles ? urlOf('admin') : `nats://127.0.0.1:${port}`)
  return {
    get url() {
      return url()
    },
    urlOf,
    get port() {
      return port
    },
    folder,
    async connect(name = 'test') {
      const connection = await connectNats({ servers: url(), name, clock: systemClock })
      connections.push(connection)
      return connection
    },
    kill: () => end('SIGKILL'),
    async restart() {
      await end('SIGKILL')
      await start()
    },
    async pause() {
      child!.kill('SIGSTOP')
      while (!stopped(child!.pid!)) await systemClock.sleep(1)
    },
    resume: () => void child?.kill('SIGCONT'),
    async stop() {
      await Promise.all(connections.map((c) => c.close().catch(() => {})))
      await end('SIGTERM')
      await rm(folder, { recursive: true, force: true })
    },
  }
}
