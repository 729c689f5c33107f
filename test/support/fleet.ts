/**
 * Weir's processes apart from each other, as on several machines: edges, workers on Node and on Deno, and stores, that meet at an outer
 * server of the log and nowhere else; with somebody who sees its members and reads its results log.
 *
 * Owns the processes that it starts and ends each of them. Leaves the load to senders.ts, and what the log tells to journal-watch.ts.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeSettings } from '../../actors/reading/input.ts'
import { systemClock } from '../../runtime/clock.ts'
import { ensureInstallation } from '../../runtime/installation.ts'
import { Keyring } from '../../runtime/keys.ts'
import type { Connection } from '../../runtime/log.ts'
import { Membership, runtimeName } from '../../runtime/membership.ts'
import type { Member, MemberRole } from '../../runtime/membership.ts'
import { ownersOf } from '../../runtime/ownership.ts'
import { BUCKET_KEYS } from '../../runtime/topology.ts'
import { JournalWatch } from './journal-watch.ts'
import { lawBreakers } from './law.ts'
import { startTestNats } from './nats.ts'
import type { TestNats } from './nats.ts'
import type { Account } from './stream.ts'
import { eventually } from './system.ts'

const root = join(import.meta.dirname, '..', '..')

export interface FleetProcess {
  readonly role: MemberRole
  readonly name: string
  readonly child: ChildProcess
  /** The last of what it printed. */
  readonly output: () => string
  /** On the clock of `performance`. */
  readonly startedMs: number
  readonly deno: boolean
  /** Whether someone told it to end. */
  asked: boolean
}

interface StartOptions {
  readonly deno?: boolean
  readonly url?: string
  /** Flags beside those that all have. */
  readonly flags?: readonly string[]
}

export interface FleetOptions {
  readonly partitions?: number
  /** Whether the server has the rights of deploy/nats.conf. */
  readonly roles?: boolean
}

/** The log's servers: `TestNats` fits, and a cluster. */
export interface FleetServers {
  readonly url?: string
  /** Address for a role, where each has its own rights. */
  urlOf?(role: MemberRole): string
  kill?(): Promise<void>
  stop(): Promise<void>
}

const SETTINGS = { latenessMs: 2_000, idleMs: 4_000, retentionMs: 0 }

export class Fleet<Servers extends FleetServers = TestNats> {
  readonly partitions: number
  readonly nats: Servers
  readonly connection: Connection
  readonly membership: Membership
  readonly journal: JournalWatch
  /** An admin's key. */
  readonly secret: string
  /** All that were started, the ended ones among them. */
  readonly started: FleetProcess[] = []
  #folder: string

  private constructor(parts: { partitions: number; nats: Servers; connection: Connection; secret: string; folder: string }) {
    this.partitions = parts.partitions
    this.nats = parts.nats
    this.connection = parts.connection
    this.secret = parts.secret
    this.#folder = parts.folder
    const { connection } = parts
    const self: Member = { id: 'watcher', role: 'edge', url: null, runtime: runtimeName(), pid: process.pid, startedAt: 0, partitions: [] }
    this.membership = new Membership({ bus: connection.bus, clock: systemClock, self, connected: () => connection.connected() })
    connection.onReconnect(() => this.membership.refresh())
    this.membership.start()
    this.journal = new JournalWatch(connection.log)
    process.on('exit', this.#killAll)
  }

  /** An installation on a server of its own, with a key; no process of Weir yet. */
  static async install({ partitions = 16, roles = false }: FleetOptions = {}): Promise<Fleet> {
    const nats = await startTestNats({ roles })
    return Fleet.installOn(nats, { partitions, replicas: 1, connection: await nats.connect('watcher') })
  }

  /** The same on servers that are there, which then are the fleet's. */
  static async installOn<Servers extends FleetServers>(
    nats: Servers,
    { connection, partitions, replicas }: { connection: Connection; partitions: number; replicas: number },
  ): Promise<Fleet<Servers>> {
    const firstMessage = encodeSettings(SETTINGS)
    // Servers of a cluster that have just met may find no place for replicas yet, and take their time on a busy machine.
    await ensureInstallation(connection, { partitions, replicas, bytesMax: -1, firstMessage, clock: systemClock, withinMs: 60_000 })
    const keyring = await Keyring.open(await connection.kv(BUCKET_KEYS), systemClock)
    const { secret } = await keyring.create({ tenant: 'default', role: 'admin' })
    keyring.close()
    return new Fleet({ partitions, nats, connection, secret, folder: mkdtempSync(join(tmpdir(), 'weir-fleet-')) })
  }

  /** None of them outlives this process, where it ends before its time. */
  #killAll = (): void => {
    for (const { child } of this.started) child.kill('SIGKILL')
    void this.nats.kill?.()
  }

  /** Kills what still runs, and removes everything. */
  async remove(): Promise<void> {
    process.off('exit', this.#killAll)
    await Promise.all(this.started.map((process) => this.end(process, 'SIGKILL')))
    this.membership.stop()
    await this.journal.close()
    await this.nats.stop()
    // A lake's writer outlives its killed parent for the moment of its last seal.
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }

  // Processes -----------------------------------------------------------------------------------------------------------------

  startEdge(options: StartOptions = {}): FleetProcess {
    return this.#start('edge', `edge-${this.started.length}`, [], options)
  }

  startWorker(name: string, options: StartOptions = {}): FleetProcess {
    return this.#start('worker', name, ['--name', name, '--lateness', '2s', '--idle', '4s'], options)
  }

  /** A store of the same name goes on with the lake of the one before. */
  startStore(name: string, options: StartOptions = {}): FleetProcess {
    return this.#start('store', name, ['--name', name, '--data', this.lakeOf(name)], options)
  }

  /** Data folder of a store. */
  lakeOf(name: string): string {
    return join(this.#folder, name)
  }

  #start(role: MemberRole, name: string, flags: string[], { deno = false, url = this.nats.url ?? this.nats.urlOf!(role), flags: more = [] }: StartOptions): FleetProcess {
    const args = [join(root, 'cmd', `${role}.ts`), '--nats', url, '--port', '0', ...flags, ...more]
    const [command, before] = deno ? [join(root, 'node_modules', '.bin', 'deno'), ['run', '-A']] : [process.execPath, []]
    const child = spawn(command, [...before, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk) => (output = (output + chunk).slice(-20_000)))
    const started = { role, name, child, output: () => output, startedMs: performance.now(), deno, asked: false }
    this.started.push(started)
    return started
  }

  /** Tells a process to end; resolves with its exit code when it is gone, null where a signal killed it. */
  async end(process: FleetProcess, signal: NodeJS.Signals): Promise<number | null> {
    const { child } = process
    if (child.exitCode === null && child.signalCode === null) {
      process.asked = true
      const gone = once(child, 'exit')
      child.kill(signal)
      await gone
    }
    return child.exitCode
  }

  /** Those that ended and that nobody told to. */
  deserters(): FleetProcess[] {
    return this.started.filter(({ child, asked }) => !asked && (child.exitCode !== null || child.signalCode !== null))
  }

  // What is known of them -----------------------------------------------------------------------------------------------------

  /** Waits for a fact; where it does not come, says what the processes said. */
  async fact<T>(what: string, probe: () => Promise<T> | T, timeoutMs = 60_000): Promise<NonNullable<T>> {
    return eventually(what, probe, timeoutMs).catch((error) => {
      const said = this.started.map(({ role, name, child, output }) => `${role} ${name} ${child.pid}: ${output().slice(-2_000)}`)
      throw new Error(`${what}\n${said.join('\n')}`, { cause: error })
    })
  }

  memberOf({ role, child }: FleetProcess): Member | null {
    return this.membership.view(role).find((m) => m.pid === child.pid) ?? null
  }

  urlOf(process: FleetProcess): string | null {
    return this.memberOf(process)?.url ?? null
  }

  /** Whether these workers are the group, and each partition is held by the one that should, and by no other. */
  sharedBy(...processes: FleetProcess[]): boolean {
    const present = this.membership.view('worker')
    const pids = processes.map(({ child }) => child.pid)
    if (present.length !== pids.length || !present.every((m) => pids.includes(m.pid))) return false
    const owners = ownersOf(this.partitions, present.map((m) => m.id))
    const held = present.flatMap((m) => m.partitions.map((p) => ({ id: m.id, partition: p.partition })))
    return held.length === this.partitions && held.every(({ id, partition }) => owners.get(partition) === id)
  }

  /** JSON of a GET that must succeed. */
  async ask<T>(process: FleetProcess, path: string): Promise<T> {
    const response = await fetch(`${this.urlOf(process)}${path}`, { headers: { authorization: `Bearer ${this.secret}` } })
    const text = await response.text()
    assert.equal(response.status, 200, `${path}: ${text}`)
    return JSON.parse(text) as T
  }

  /** Waits until a store is settled; gives how its lake differs from the account, and from its own laws: nothing, where all is right. */
  async faultsOf(store: FleetProcess, account: Account): Promise<string[]> {
    const { name } = store
    await this.fact(`${name} is settled`, async () => (await this.ask<{ settled: boolean }>(store, '/v1/status')).settled, 120_000)
    const faults: string[] = []
    const { doubled, strangers, missing } = await account.against(this.lakeOf(name))
    if (doubled + strangers + missing > 0) faults.push(`lake ${name}: ${doubled} readings doubled, ${strangers} strange, ${missing} missing`)
    const broken = await lawBreakers(this.lakeOf(name))
    if (broken.length > 0) faults.push(`lake ${name}: windows break the law over readings: ${JSON.stringify(broken)}`)
    const ledger = await this.ask<Record<string, number>>(store, '/v1/ledger')
    const { accepted, onTime, late, duplicate, expired } = ledger
    if (accepted !== onTime + late + duplicate + expired) faults.push(`ledger of ${name} does not add up: ${JSON.stringify(ledger)}`)
    const [least, most] = [account.must.size, account.must.size + account.may.size]
    if (onTime + late < least || onTime + late > most) faults.push(`ledger of ${name} counts other than ${least} to ${most} readings: ${JSON.stringify(ledger)}`)
    return faults
  }
}
