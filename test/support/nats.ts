/** Real nats-servers for tests: on a free port of loopback, in a folder of their own, killed and started again at will. */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../runtime/clock.ts'
import { PAYLOAD_MAX_BYTES } from '../../runtime/limits.ts'
import type { Connection } from '../../runtime/log.ts'
import { connectNats } from '../../runtime/nats-log.ts'

export interface TestNatsOptions {
  /** Bound of the server's whole store; none by default. */
  readonly storeBytes?: number
  /** `PAYLOAD_MAX_BYTES` by default. */
  readonly maxPayloadBytes?: number
}

export interface TestNats {
  readonly url: string
  readonly port: number
  readonly folder: string
  connect(name?: string): Promise<Connection>
  /** SIGKILL; resolves when the process is gone. Connections stay, and wait for it to come back. */
  kill(): Promise<void>
  /** Starts it again, on the same port and folder, killing it first where it runs. */
  restart(): Promise<void>
  /** SIGSTOP and SIGCONT: a server that is there and does not answer. */
  pause(): void
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

export async function startTestNats(options: TestNatsOptions = {}): Promise<TestNats> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-nats-'))
  const binary = natsServerPath()
  let child: ChildProcess | null = null
  let port = 0
  const connections: Connection[] = []

  async function start(): Promise<void> {
    const ports = join(folder, 'ports')
    await rm(ports, { recursive: true, force: true })
    await mkdir(ports, { recursive: true })
    const store = options.storeBytes === undefined ? '' : `, max_file_store: ${options.storeBytes}`
    await writeFile(
      join(folder, 'nats.conf'),
      [
        'server_name: test',
        `listen: "127.0.0.1:${port === 0 ? -1 : port}"`,
        `max_payload: ${options.maxPayloadBytes ?? PAYLOAD_MAX_BYTES}`,
        `ports_file_dir: "${ports}"`,
        `jetstream { store_dir: "${join(folder, 'store')}"${store} }`,
      ].join('\n'),
    )
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
    if (running === null || running.exitCode !== null || running.signalCode !== null) return
    const gone = once(running, 'exit')
    running.kill(signal)
    if (signal !== 'SIGKILL') running.kill('SIGCONT')
    await gone
  }

  await start()
  return {
    get url() {
      return `nats://127.0.0.1:${port}`
    },
    get port() {
      return port
    },
    folder,
    async connect(name = 'test') {
      const connection = await connectNats({ servers: `nats://127.0.0.1:${port}`, name, clock: systemClock })
      connections.push(connection)
      return connection
    },
    kill: () => end('SIGKILL'),
    async restart() {
      await end('SIGKILL')
      await start()
    },
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    async stop() {
      await Promise.all(connections.map((c) => c.close().catch(() => {})))
      await end('SIGTERM')
      await rm(folder, { recursive: true, force: true })
    },
  }
}
