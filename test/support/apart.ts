/** Roles as processes of their own, beside an outer server of the log, each started and ended at will: what `weir up` would hold together. */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeSettings } from '../../actors/reading/input.ts'
import type { Settings } from '../../actors/reading/input.ts'
import { systemClock } from '../../runtime/clock.ts'
import { ensureInstallation } from '../../runtime/installation.ts'
import { Keyring } from '../../runtime/keys.ts'
import type { Principal } from '../../runtime/keys.ts'
import type { Connection } from '../../runtime/log.ts'
import { BUCKET_KEYS } from '../../runtime/topology.ts'
import { startTestNats } from './nats.ts'
import type { TestNats } from './nats.ts'
import { descendants, eventually, freePort } from './system.ts'

const root = join(import.meta.dirname, '..', '..')

export interface Part {
  readonly pid: number
  /** Of its HTTP server. */
  readonly url: string
  output(): string
  /** SIGTERM; resolves with the exit code once it is gone. */
  stop(): Promise<number | null>
}

export class Apart {
  readonly nats: TestNats
  readonly connection: Connection
  /** Of an admin of the tenant `default`. */
  readonly key: string
  readonly folder: string
  readonly #keyring: Keyring
  readonly #parts: { child: ChildProcess }[] = []

  private constructor(nats: TestNats, connection: Connection, keyring: Keyring, key: string) {
    this.nats = nats
    this.connection = connection
    this.#keyring = keyring
    this.key = key
    this.folder = mkdtempSync(join(tmpdir(), 'weir-apart-'))
  }

  static async install({ partitions, settings }: { partitions: number; settings: Settings }): Promise<Apart> {
    const nats = await startTestNats()
    const connection = await nats.connect('bench')
    await ensureInstallation(connection, { partitions, replicas: 1, bytesMax: -1, firstMessage: encodeSettings(settings), clock: systemClock })
    const keyring = await Keyring.open(await connection.kv(BUCKET_KEYS), systemClock)
    const { secret } = await keyring.create({ tenant: 'default', role: 'admin' })
    return new Apart(nats, connection, keyring, secret)
  }

  /** A key for another tenant, or with a quota. */
  async createKey(options: { tenant?: string; role: Principal['role']; quota?: number }): Promise<string> {
    return (await this.#keyring.create(options)).secret
  }

  /** Folder of a store of that name. */
  lakeOf(name: string): string {
    return join(this.folder, name)
  }

  /** Starts `weir <role>`; does not wait for it to be ready. */
  async start(role: 'edge' | 'worker' | 'store', flags: string[] = []): Promise<Part> {
    const port = await freePort()
    const args = [join(root, 'cmd', `${role}.ts`), '--nats', this.nats.url, '--port', String(port), ...flags]
    const child = spawn(process.execPath, args, { cwd: root, env: { ...process.env, WEIR_SUPERVISED: '' }, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk) => (output = (output + chunk).slice(-20_000)))
    this.#parts.push({ child })
    const stop = async () => {
      if (child.exitCode === null && child.signalCode === null) {
        const gone = once(child, 'exit')
        child.kill('SIGTERM')
        await gone
      }
      return child.exitCode
    }
    return { pid: child.pid!, url: `http://127.0.0.1:${port}`, output: () => output, stop }
  }

  async ready(part: Part): Promise<void> {
    const child = this.#parts.find((one) => one.child.pid === part.pid)?.child
    const isReady = () => fetch(`${part.url}/readyz`).then(async (r) => (await r.text(), r.ok), () => false)
    const isOver = () => child?.exitCode != null || child?.signalCode != null
    await eventually(`${part.url} is ready, or its process has ended`, async () => (await isReady()) || isOver(), 120_000).catch((cause) => {
      throw new Error(`Not ready in time, saying: ${part.output()}`, { cause })
    })
    // Another process may have taken the port since it was free: waiting helps nothing.
    if (isOver()) throw new Error(`Cannot wait for ${part.url} to be ready as its process must live: it has ended, saying: ${part.output()}`)
  }

  /** With the admin's key. */
  fetch(part: Part, path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(part.url + path, { ...init, headers: { authorization: `Bearer ${this.key}`, ...(init.headers as Record<string, string>) } })
  }

  /** Every process that lives, with those below it. */
  processes(): { pid: number; title: string }[] {
    return descendants(process.pid)
  }

  /** Ends every part, last started first, the server after them, and removes the folders. */
  async remove(): Promise<void> {
    for (const { child } of this.#parts.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      await gone
    }
    this.#keyring.close()
    await this.nats.stop()
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
}
