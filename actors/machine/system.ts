/**
 * The whole system on one machine: the log's server, an edge, workers, a store and a notifier as processes of their own, kept running, and stopped
 * in the order in which readings flow: edge, workers, notifier, store, log.
 *
 * Owns the order of starting and stopping, what each child is told by its environment, and when all of it is ready. Leaves each role to its
 * own command, keeping alive to runtime/supervisor.ts, and what a person reads to `weir up`.
 */

import { access, constants, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { ensureAdminKey } from '../../runtime/admin-key.ts'
import type { Clock } from '../../runtime/clock.ts'
import { formatDuration } from '../../runtime/config.ts'
import type { Env } from '../../runtime/config.ts'
import { OperatingError } from '../../runtime/errors.ts'
import { lockFolder } from '../../runtime/folder-lock.ts'
import { ensureInstallation } from '../../runtime/installation.ts'
import { Keyring } from '../../runtime/keys.ts'
import { RESTART_MAX_MS } from '../../runtime/limits.ts'
import type { Connection } from '../../runtime/log.ts'
import { LogFile } from '../../runtime/log-file.ts'
import { sayByeFor, watchMembers } from '../../runtime/membership.ts'
import type { Member } from '../../runtime/membership.ts'
import { connectNats } from '../../runtime/nats-log.ts'
import { findNatsServer, obtainNatsServer, startNatsServer } from '../../runtime/nats-server.ts'
import type { NatsRole } from '../../runtime/nats-server.ts'
import { portHolder, portState } from '../../runtime/ports.ts'
import type { ProcessLogger } from '../../runtime/process.ts'
import { launchChild, Service } from '../../runtime/supervisor.ts'
import { toHuman } from '../../runtime/terminal.ts'
import { BUCKET_KEYS } from '../../runtime/topology.ts'
import { reachOf } from '../notify/reach.ts'
import { encodeSettings } from '../reading/input.ts'
import type { Settings } from '../reading/input.ts'

export interface SystemOptions {
  /** Absolute. */
  readonly dataDir: string
  /** Folder of the project: its commands are in `cmd/`, its caches in `.cache/`. */
  readonly root: string
  /** Where the edge listens. */
  readonly host: string
  readonly port: number
  /** Outer servers in place of the embedded one. */
  readonly nats: string | null
  readonly workers: number
  readonly threads: number
  readonly partitions: number | null
  readonly replicas: number
  readonly logBytes: number | null
  readonly sync: 'interval' | 'always'
  /** Null: the server's own. */
  readonly syncInterval: number | null
  readonly settings: Settings
  /** Size that the lake may have; 0 for no bound. */
  readonly retentionBytes: number
  /** Whether it is also fed by the simulation. */
  readonly demo: boolean
  /** Own actors of the first worker, as `weir worker --actors` takes them; null for none. */
  readonly actors: string | null
  /** Hosts that alerts may be sent to, as `weir notifier --notify-allow` takes them; null: see there. */
  readonly notifyAllow: string | null
  /** What the children inherit. */
  readonly env: Env
  readonly clock: Clock
  readonly logger: ProcessLogger
  /** Prints a line for the person at the terminal. */
  say(line: string): void
}

const READY_POLL_MS = 100
/** After so long without being ready it says what it waits for. */
const READY_PATIENCE_MS = 20_000

export class System {
  #options: SystemOptions
  /** What is to be ended, in the order of starting. */
  #ends: (() => Promise<unknown>)[] = []
  #services: Service[] = []
  /** What the processes that run here say of themselves, by member id. */
  #members = new Map<string, Member>()
  /** Bound of the embedded server's store; -1 for outer servers, whose bounds their operator sets. */
  #storeBytesMax = -1
  /** Services that die again and again, of which the terminal has heard enough. */
  #tiresome = new Set<string>()
  /** What feeds it, where that was asked for. */
  #demo: () => Service[] = () => []

  constructor(options: SystemOptions) {
    this.#options = options
  }

  /** Address of the edge. */
  get url(): string {
    const { host, port } = this.#options
    const shown = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host
    return `http://${shown}:${port}`
  }

  /** Starts every process, and gives the admin key; what they do takes a moment more ({@link ready}). Throws operating errors; `stop` then ends what was started. */
  async start(signal: AbortSignal): Promise<string> {
    await this.#claimFolder()
    await this.#claimPort()
    const { nats, clock, workers, host, port, demo, notifyAllow } = this.#options
    // Said at once, and not by a notifier that dies again and again.
    reachOf(notifyAllow)
    const urlOf = nats === null ? await this.#startNats() : () => nats
    const connection = await connectNats({ servers: urlOf('admin'), name: 'weir-up', clock })
    this.#ends.push(() => connection.close())
    const key = await this.#install(connection)
    watchMembers(connection.bus, (member) => {
      if (this.#services.some(({ pid }) => pid === member.pid)) this.#members.set(member.id, member)
    })

    // The demo's plots are advised, beside whatever else was asked for.
    const actors = [...new Set([...(this.#options.actors ?? '').split(','), demo ? 'farm' : ''])].filter((file) => file !== '').join(',')
    const groups: (() => Service[])[] = [
      () => [this.#role('store', 'store', { WEIR_NATS: urlOf('store') }, connection)],
      () => [this.#role('notifier', 'notifier', { WEIR_NATS: urlOf('notifier'), ...(notifyAllow === null ? {} : { WEIR_NOTIFY_ALLOW: notifyAllow }) }, connection)],
      () => Array.from({ length: workers }, (_, i) => this.#role(`worker-${i + 1}`, 'worker', { WEIR_NATS: urlOf('worker'), ...(i === 0 && actors !== '' ? { WEIR_ACTORS: actors } : {}) }, connection)),
      () => [this.#role('edge', 'edge', { WEIR_NATS: urlOf('edge'), WEIR_HOST: host, WEIR_PORT: String(port) }, connection)],
    ]
    if (demo) this.#demo = () => [this.#role('simulate', 'simulate', { WEIR_URL: this.url, WEIR_KEY: key, WEIR_PLOTS: 'true' }, connection)]
    for (const services of groups) if (!signal.aborted) await this.#startGroup(services())
    return key
  }

  /**
   * Resolves when every process does its work: true; or false when `signal` aborted before. The demo begins then, since it would find
   * nobody who listens before.
   */
  async ready(signal: AbortSignal): Promise<boolean> {
    const { clock, logger } = this.#options
    let impatientAtMs = clock.monotonic() + READY_PATIENCE_MS
    while (!signal.aborted) {
      const waiting = await this.#unready()
      if (waiting.length === 0 && !signal.aborted) {
        await this.#startGroup(this.#demo())
        return true
      }
      if (clock.monotonic() > impatientAtMs) {
        logger.warn({ waiting }, `still waiting for ${waiting.join(', ')}; the logs may say why`)
        impatientAtMs = Infinity
      }
      await clock.sleep(READY_POLL_MS, signal)
    }
    return false
  }

  /** Ends everything, last started first, each part within its bound. */
  async stop(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) {
      await end().catch((error) => this.#options.logger.error({ err: error }, 'a part could not be stopped in order'))
    }
  }

  async #claimFolder(): Promise<void> {
    const { dataDir } = this.#options
    try {
      await mkdir(join(dataDir, 'logs'), { recursive: true })
      await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK)
    } catch (cause) {
      throw new OperatingError('config', `Cannot use the data folder as it must be readable and writable: ${(cause as Error).message}. Correct it, or choose another with --data`, { cause })
    }
    const lock = await lockFolder(dataDir, 'weir-up')
    this.#ends.push(() => lock.release())
  }

  async #claimPort(): Promise<void> {
    const { host, port } = this.#options
    const state = await portState(host, port)
    if (state === 'free') return
    const holder = state === 'taken' ? await portHolder(port) : null
    const why = { taken: `it is taken by ${holder ?? 'another program'}`, forbidden: 'this user may not listen there', absent: 'this machine has no such address' }[state]
    const advice = state === 'absent' ? 'Choose another --host' : state === 'forbidden' ? 'Choose one above 1023 with --port' : 'Choose another with --port, or end that program'
    throw new OperatingError('config', `Cannot listen on port ${port} of ${host} as it must be free: ${why}. ${advice}`)
  }

  async #startNats(): Promise<(role: NatsRole) => string> {
    const { root, env, dataDir, clock, logger, sync, syncInterval, say } = this.#options
    const cacheDir = join(root, '.cache', 'nats-server')
    const binary = (await findNatsServer({ cacheDir, env })) ?? (await obtainNatsServer({ cacheDir, log: say }))
    // The children know the server by its port: every later life of it has the first one's.
    let port = 0
    let urlOf: (role: NatsRole) => string = () => ''
    const service = new Service({
      name: 'nats-server',
      clock,
      launch: async () => {
        const storeBytesMax = this.#options.logBytes ?? undefined
        const server = await startNatsServer({ binary, dataDir, port, clock, logger, sync, syncIntervalMs: syncInterval ?? undefined, storeBytesMax })
        port = server.port
        this.#storeBytesMax = server.storeBytesMax
        urlOf = (role) => server.url(role)
        return { pid: server.pid, ended: server.exited.then((code) => `exit code ${code}`), stop: () => server.stop() }
      },
      onDeath: (death) => this.#sayDeath(death),
    })
    await this.#startGroup([service])
    return (role) => urlOf(role)
  }

  /** Streams, buckets and the admin key: there already at every start but the first. */
  async #install(connection: Connection): Promise<string> {
    const { partitions, nats, replicas, logBytes, settings, clock, env, dataDir } = this.#options
    await ensureInstallation(connection, {
      partitions: partitions ?? undefined,
      partitionsDefault: nats === null ? 16 : 64,
      replicas,
      // Streams without bounds of their own would share the server's: a full input log would then block the commits that free it.
      bytesMax: logBytes ?? this.#storeBytesMax,
      firstMessage: encodeSettings(settings),
      clock,
    })
    const secret = env.WEIR_ADMIN_KEY || (await ensureAdminKey(dataDir, clock))
    const keyring = await Keyring.open(await connection.kv(BUCKET_KEYS), clock)
    try {
      await keyring.ensureAdminKey({ secret })
    } finally {
      keyring.close()
    }
    return secret
  }

  /** A command of Weir as a child process, told by variables what it is to do. */
  #role(name: string, command: string, own: Env, connection: Connection): Service {
    const { dataDir, root, threads, settings, retentionBytes, clock, say } = this.#options
    const env = {
      // What one life of a process has compiled, the next need not: it is at work a third of a second sooner.
      NODE_COMPILE_CACHE: join(root, '.cache', 'compile'),
      ...this.#options.env,
      WEIR_ADMIN_KEY: undefined,
      WEIR_NATS: undefined,
      WEIR_DATA: dataDir,
      WEIR_HOST: '127.0.0.1',
      WEIR_PORT: '0',
      WEIR_THREADS: String(threads),
      WEIR_LATENESS: formatDuration(settings.latenessMs),
      WEIR_IDLE: formatDuration(settings.idleMs),
      WEIR_RETENTION: formatDuration(settings.retentionMs),
      WEIR_RETENTION_BYTES: String(retentionBytes),
      ...own,
    }
    const program = join(root, 'cmd', `${command}.ts`)
    const args = 'deno' in process.versions ? ['run', '-A', program] : [program]
    const log = new LogFile(join(dataDir, 'logs', `${name}.log`))
    let lastWords = ''
    const onLine = (line: string) => {
      log.write(line)
      const human = toHuman(name, line)
      if (human !== null) say(human)
      // What a runtime that breaks down prints is no log line; its first error is what a person wants to know of it.
      else if (lastWords === '' && /^\w*Error\b/.test(line)) lastWords = `: ${line}`
    }
    return new Service({
      name,
      clock,
      launch: () => {
        lastWords = ''
        return launchChild({ name, command: process.execPath, args, env, clock, onLine })
      },
      onDeath: (death) => {
        // Nobody need wait for its silence to be noticed: its partitions move now.
        for (const { id, role, pid } of this.#members.values()) {
          if (pid !== death.pid) continue
          if (connection.connected()) sayByeFor(connection.bus, role, id)
          this.#members.delete(id)
        }
        this.#sayDeath({ ...death, how: death.how + lastWords })
      },
    })
  }

  async #startGroup(services: readonly Service[]): Promise<void> {
    this.#services.push(...services)
    this.#ends.push(() => Promise.all(services.map((service) => service.stop())))
    await Promise.all(services.map((service) => service.start()))
  }

  #sayDeath({ name, pid, how, pauseMs }: { name: string; pid: number | null; how: string; pauseMs: number }): void {
    const what = pid === null ? `${name} could not be started (${how}), and is tried again` : `${name} ended (${how}), and is started again`
    // One that can't live would fill the screen: once the pauses are at their longest, it is said to the log alone.
    const tiresome = pauseMs === RESTART_MAX_MS && this.#tiresome.has(name)
    if (pauseMs === RESTART_MAX_MS) this.#tiresome.add(name)
    else this.#tiresome.delete(name)
    this.#options.logger[tiresome ? 'info' : 'warn']({ name, pid, how, pauseMs }, `${what} in ${pauseMs} ms`)
  }

  /** Names of the processes that do not yet do their work. */
  async #unready(): Promise<string[]> {
    const asked = this.#services.filter(({ name }) => name !== 'nats-server' && name !== 'simulate')
    const answers = await Promise.all(
      asked.map(async ({ name, pid }) => {
        const member = [...this.#members.values()].find((other) => other.pid === pid && other.url !== null)
        const url = name === 'edge' ? this.url : member?.url
        return url !== undefined && url !== null && (await answersReady(url))
      }),
    )
    return asked.filter((_, i) => !answers[i]).map(({ name }) => name)
  }
}

async function answersReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) })
    await answer.body?.cancel()
    return answer.ok
  } catch {
    return false
  }
}
