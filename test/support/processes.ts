/** Edges, workers and stores as processes of their own, that meet at outer servers of the log; and devices that send to them. */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { systemClock } from '../../runtime/clock.ts'
import type { Connection } from '../../runtime/log.ts'
import { Membership, runtimeName } from '../../runtime/membership.ts'
import type { Member } from '../../runtime/membership.ts'
import { ownersOf } from '../../runtime/ownership.ts'
import { lawBreakers } from './law.ts'
import { Account, disorderedStream } from './stream.ts'
import type { Sent } from './stream.ts'
import { eventually } from './system.ts'

const root = join(import.meta.dirname, '..', '..')
export type Role = 'edge' | 'worker' | 'store'

export interface Process {
  readonly role: Role
  readonly child: ChildProcess
  readonly output: () => string
}

/** Processes, the folder of their lakes, and somebody who sees which of them are there. */
export class Processes {
  readonly started: Process[] = []
  readonly membership: Membership
  readonly #folder = mkdtempSync(join(tmpdir(), 'weir-processes-'))
  readonly #partitions: number
  readonly #urlOf: (role: Role) => string

  constructor(options: { connection: Connection; partitions: number; urlOf: (role: Role) => string }) {
    const { connection, partitions, urlOf } = options
    const self: Member = { id: 'watcher', role: 'edge', url: null, runtime: runtimeName(), pid: process.pid, startedAt: 0, partitions: [] }
    this.membership = new Membership({ bus: connection.bus, clock: systemClock, self, connected: () => connection.connected() })
    this.membership.start()
    this.#partitions = partitions
    this.#urlOf = urlOf
  }

  start(role: Role, ...flags: string[]): Process {
    const args = [join(root, 'cmd', `${role}.ts`), '--nats', this.#urlOf(role), '--port', '0', ...flags]
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk) => (output = (output + chunk).slice(-200_000)))
    const found = { role, child, output: () => output }
    this.started.push(found)
    return found
  }

  worker(name: string): Process {
    return this.start('worker', '--name', name, '--lateness', '2s', '--idle', '4s')
  }

  store(name: string): Process {
    return this.start('store', '--name', name, '--data', this.lakeOf(name))
  }

  lakeOf(name: string): string {
    return join(this.#folder, name)
  }

  async end({ child }: Process, signal: NodeJS.Signals): Promise<number | null> {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit')
      child.kill(signal)
      await gone
    }
    return child.exitCode
  }

  /** Kills what still runs, and removes the folder. */
  async stop(): Promise<void> {
    await Promise.all(this.started.map((process) => this.end(process, 'SIGKILL')))
    this.membership.stop()
    // A lake's writer outlives its killed parent for the moment of its last seal.
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }

  /** Waits for a fact; where it does not come, says what the processes said. */
  fact<T>(what: string, probe: () => Promise<T> | T, timeoutMs = 60_000): Promise<NonNullable<T>> {
    return eventually(what, probe, timeoutMs).catch((error) => {
      const said = this.started.map(({ role, child, output }) => `${role} ${child.pid}: ${output().slice(-4_000)}`)
      throw new Error(`${what}\n${said.join('\n')}`, { cause: error })
    })
  }

  urlOf({ role, child }: Process): string | null {
    return this.membership.view(role).find((member) => member.pid === child.pid)?.url ?? null
  }

  /** Whether these workers are the group, and each partition is held by the one that should, and by no other. */
  sharedBy(...processes: Process[]): boolean {
    const present = this.membership.view('worker')
    const pids = processes.map(({ child }) => child.pid)
    if (present.length !== pids.length || !present.every((m) => pids.includes(m.pid))) return false
    const owners = ownersOf(this.#partitions, present.map((m) => m.id))
    const held = present.flatMap((m) => m.partitions.map((p) => ({ id: m.id, partition: p.partition })))
    return held.length === this.#partitions && held.every(({ id, partition }) => owners.get(partition) === id)
  }

  async ask<T>(process: Process, path: string, secret: string): Promise<T> {
    const response = await fetch(`${this.urlOf(process)}${path}`, { headers: { authorization: `Bearer ${secret}` } })
    expect(response.status).toBe(200)
    return (await response.json()) as T
  }

  /** The lake of a store holds what was acknowledged, each reading once, and its windows are what its readings give. */
  async settledAndRight(store: Process, name: string, { account, secret }: Senders): Promise<void> {
    await this.fact(`${name} is settled`, async () => (await this.ask<{ settled: boolean }>(store, '/v1/status', secret)).settled)
    expect(await account.against(this.lakeOf(name))).toEqual({ doubled: 0, strangers: 0, missing: 0 })
    expect(await lawBreakers(this.lakeOf(name))).toEqual([])
    const ledger = await this.ask<Record<string, number>>(store, '/v1/ledger', secret)
    expect(ledger.accepted).toBe(ledger.onTime! + ledger.late! + ledger.duplicate! + ledger.expired!)
    expect(ledger.onTime! + ledger.late!).toBe(account.must.size)
  }
}

/** Posts the stream through all edges in turn until it is told to stop; every batch is sent until it is acknowledged. */
export class Senders {
  readonly account = new Account()
  readonly secret: string
  retries = 0
  /** The longest time that passed between two acknowledgements, since it was last set to 0. */
  gapMs = 0
  readonly #urls: () => (string | null)[]
  readonly #stream = disorderedStream({ seed: 20_261_128, devices: 60, batch: 100, startMs: Date.UTC(2026, 0, 1) })
  #next = 0
  #stopped = false
  #gaveUp = false
  #acknowledgedAt = performance.now()
  readonly #done: Promise<unknown>

  constructor(options: { secret: string; urls: () => (string | null)[]; senders?: number }) {
    this.secret = options.secret
    this.#urls = options.urls
    this.#done = Promise.all(Array.from({ length: options.senders ?? 4 }, () => this.#run()))
    this.#done.catch(() => {})
  }

  /** Resolves once the batches under way are acknowledged. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#done
  }

  /** Ends at once, whatever is under way. */
  giveUp(): void {
    this.#stopped = this.#gaveUp = true
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const index = this.#next++
      const batch = this.#stream.next().value
      // A third of the devices names its requests, so that a retry on another edge is known as one.
      const key = index % 3 === 0 ? `batch-${index}` : null
      for (let attempt = 0; !(await this.#post(index + attempt, batch, key)); attempt++) {
        if (this.#gaveUp) return
        this.retries++
        await systemClock.sleep(100)
      }
      this.account.acknowledge(batch)
      const nowMs = performance.now()
      this.gapMs = Math.max(this.gapMs, nowMs - this.#acknowledgedAt)
      this.#acknowledgedAt = nowMs
      await systemClock.sleep(60)
    }
  }

  async #post(turn: number, batch: Sent[], key: string | null): Promise<boolean> {
    const urls = this.#urls()
    const url = urls[turn % urls.length]
    if (url === null || url === undefined) return false
    const named: Record<string, string> = key === null ? {} : { 'idempotency-key': key }
    const headers = { authorization: `Bearer ${this.secret}`, 'content-type': 'application/json', ...named }
    const request = { method: 'POST', headers, body: JSON.stringify(batch), signal: AbortSignal.timeout(5_000) }
    const answer = await fetch(`${url}/v1/readings`, request).then(async (r) => ({ status: r.status, text: await r.text() }), () => null)
    if (answer === null) return false
    if (answer.status === 202) expect(JSON.parse(answer.text)).toEqual({ accepted: batch.length, rejected: [] })
    else expect(answer.status, answer.text).toBe(503)
    return answer.status === 202
  }
}
