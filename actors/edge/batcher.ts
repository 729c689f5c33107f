/**
 * From the columns of requests to blocks in the log: what arrives close together for one partition travels together.
 *
 * A ferry that leaves at once while the pier is quiet; at high traffic a full block leaves at once, and all others together. A block of few
 * rows costs everybody behind the edge as much as one of many, and blocks that leave together cost less than as many that leave one by
 * one. So a request's blocks leave as they are made while nothing is under way; else they wait for the answers to that, so that slow answers
 * make for full blocks. Beside that there is a budget of EDGE_BLOCKS_PER_S, used up on credit by a departure: the more blocks it had, and
 * the smaller they were, the longer the next one waits. No block waits longer than BLOCK_LINGER_MS, whatever the reason.
 *
 * Owns the names known of each tenant, the open blocks, what is under way, and the bound on both. Leaves verdicts to the reading's
 * room and answers to ingest.ts.
 *
 * Invariants
 * - B1 A submission resolves without an error only after the log has acknowledged every block that holds a row of it (I1).
 * - B2 The rows of one submission for one partition lie next to each other in one block; more than BLOCK_ROWS_MAX are cut into
 *   pieces of exactly so many, so that a repeated request is cut alike.
 * - B3 A series stands once in a block's dictionary.
 * - B4 A block without an answer is given up, not repeated: its sender repeats it, and readings stored twice count once. Only one that
 *   found no log at all is sent once more.
 */

import { createHash } from 'node:crypto'
import type { Clock } from '../../runtime/clock.ts'
import { ErrorCode, isOperating, OperatingError } from '../../runtime/errors.ts'
import {
  BLOCK_BYTES,
  BLOCK_LINGER_MS,
  BLOCK_ROWS_MAX,
  EDGE_BLOCK_ROWS_WORTH,
  EDGE_BLOCKS_BURST,
  EDGE_BLOCKS_PER_S,
  EDGE_NAMES_MAX,
  EDGE_RETRY_MS,
} from '../../runtime/limits.ts'
import type { Connection } from '../../runtime/log.ts'
import { inputSubject, partitionFor } from '../../runtime/topology.ts'
import type { Topology } from '../../runtime/topology.ts'
import { Names } from '../reading/validate-names.ts'
import type { Batch } from '../reading/validate.ts'
import { OpenBlock } from './open-block.ts'
import type { Ticket } from './open-block.ts'

/** What happened to a block that left: for metrics. */
export interface BlockReport {
  readonly rows: number
  readonly bytes: number
  readonly ms: number
  readonly error: Error | null
}

interface Tenant {
  readonly names: Names
  /** By partition. */
  readonly open: (OpenBlock | null)[]
  /** Of `names.size`: how much is counted in the sum of all tenants. */
  counted: number
}

/** Debt that is paid off within BLOCK_LINGER_MS. */
const CREDIT_MAX = (EDGE_BLOCKS_PER_S * BLOCK_LINGER_MS) / 1000

export class Batcher {
  readonly #connection: Connection
  readonly #topology: Topology
  readonly #clock: Clock
  readonly #report: (report: BlockReport) => void
  readonly #tenants = new Map<string, Tenant>()
  /** Blocks under way. */
  #inFlightTotal = 0
  /** Rows of the submission at hand, by partition, and the partitions that have any. */
  readonly #rowsOf: Int32Array
  /** Where its rows begin in the open block of each partition. */
  readonly #fromOf: Int32Array
  readonly #touched: number[] = []
  #bytesInHand = 0
  #names = 0
  /** Blocks that may leave now; less than nothing after a departure on credit. */
  #budget = EDGE_BLOCKS_BURST
  #budgetAtMs: number
  /** Whether nothing was under way when the submission at hand came. */
  #quiet = true
  /** Open blocks that wait for the next departure; some may have left since. */
  #waiting: { readonly tenant: Tenant; readonly block: OpenBlock }[] = []
  #cancelDeparture: () => void = () => {}
  #idle: (() => void)[] = []

  constructor(options: { connection: Connection; topology: Topology; clock: Clock; report?: (report: BlockReport) => void }) {
    this.#connection = options.connection
    this.#topology = options.topology
    this.#clock = options.clock
    this.#report = options.report ?? (() => {})
    this.#rowsOf = new Int32Array(options.topology.partitions)
    this.#fromOf = new Int32Array(options.topology.partitions)
    this.#budgetAtMs = options.clock.monotonic()
  }

  /** Bytes in open blocks and under way. */
  get bytesInHand(): number {
    return this.#bytesInHand
  }

  get blocksInFlight(): number {
    return this.#inFlightTotal
  }

  /** The names known of a tenant: a batch is validated against them, and submitted before anything else is awaited. */
  namesOf(tenant: string): Names {
    if (this.#names > EDGE_NAMES_MAX) this.#forget()
    return this.#tenant(tenant).names
  }

  /**
   * Takes over the rows of `batch`, at once, and resolves when the log has acknowledged them all: null, or why not. With `key`, each
   * piece is marked with a hash of it.
   */
  submit(tenantName: string, batch: Batch, key: string | null): Promise<Error | null> {
    const tenant = this.#tenant(tenantName)
    this.#names += tenant.names.size - tenant.counted
    tenant.counted = tenant.names.size
    this.#countRows(tenantName, batch)
    const ticket: Ticket = { left: 1, error: null, done: () => {} }
    const answered = new Promise<Error | null>((resolve) => {
      ticket.done = () => resolve(ticket.error)
    })

    const { open } = tenant
    const rowsOf = this.#rowsOf
    for (const p of this.#touched) {
      const block = open[p]
      // A long submission begins a block of its own, so that its pieces end where blocks do.
      if (block !== null && block.rows + rowsOf[p] > BLOCK_ROWS_MAX) this.#send(tenant, block)
      open[p] ??= new OpenBlock(tenantName, p)
    }
    const from = this.#fromOf
    for (const p of this.#touched) from[p] = open[p]!.rows
    const firstHash = key === null ? '' : hashOf(tenantName, key, 0)
    const piece = (p: number, number: number) => {
      const block = open[p]!
      ticket.left++
      block.tickets.push(ticket)
      if (key !== null) block.keyed.push({ hash: number === 0 ? firstHash : hashOf(tenantName, key, number), from: from[p], to: block.rows })
    }

    const { count, series, ts, value } = batch
    let pieces: Map<number, number> | null = null
    for (let i = 0; i < count; i++) {
      const p = series[i].device.partition
      const block = open[p]!
      if (block.rows === BLOCK_ROWS_MAX) {
        pieces ??= new Map()
        const number = pieces.get(p) ?? 0
        piece(p, number)
        pieces.set(p, number + 1)
        this.#send(tenant, block)
        const next = new OpenBlock(tenantName, p)
        open[p] = next
        from[p] = 0
        next.add(series[i], ts[i], value[i])
      } else block.add(series[i], ts[i], value[i])
    }
    this.#quiet = this.#inFlightTotal === 0
    for (const p of this.#touched) {
      piece(p, pieces?.get(p) ?? 0)
      this.#consider(tenant, open[p]!)
    }
    settle(ticket, null)
    return answered
  }

  /** Sends every open block now. */
  flush(): void {
    for (const tenant of this.#tenants.values()) for (const block of tenant.open) if (block !== null) this.#send(tenant, block)
  }

  /** Sends every open block and resolves when nothing is under way. */
  async drain(): Promise<void> {
    this.flush()
    if (this.#inFlightTotal > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  #tenant(name: string): Tenant {
    let tenant = this.#tenants.get(name)
    if (tenant === undefined) {
      tenant = { names: new Names(), open: new Array<OpenBlock | null>(this.#topology.partitions).fill(null), counted: 0 }
      this.#tenants.set(name, tenant)
    }
    return tenant
  }

  /** Open blocks point to names by their marks, so they leave before the names are forgotten (B3). */
  #forget(): void {
    this.flush()
    this.#tenants.clear()
    this.#names = 0
  }

  #countRows(tenant: string, batch: Batch): void {
    const rowsOf = this.#rowsOf
    for (const p of this.#touched) rowsOf[p] = 0
    this.#touched.length = 0
    const { count, series } = batch
    for (let i = 0; i < count; i++) {
      const { device } = series[i]
      if (device.partition === -1) device.partition = partitionFor(this.#topology, tenant, device.name)
      if (rowsOf[device.partition]++ === 0) this.#touched.push(device.partition)
    }
  }

  /** Whether the block leaves now, or waits for others. */
  #consider(tenant: Tenant, block: OpenBlock): void {
    this.#account(block)
    if (block.bytes >= BLOCK_BYTES || (this.#quiet && this.#affordable() >= 1)) return this.#send(tenant, block)
    if (block.waits) return
    block.waits = true
    if (this.#waiting.push({ tenant, block }) === 1) this.#departLater()
  }

  /** Everything open leaves once the budget allows it and nothing is under way, within BLOCK_LINGER_MS at most. */
  #departLater(): void {
    const waitMs = Math.min(BLOCK_LINGER_MS, Math.max(0, ((1 - this.#affordable()) * 1000) / EDGE_BLOCKS_PER_S))
    this.#cancelDeparture = this.#clock.after(waitMs, () => {
      if (this.#inFlightTotal === 0 || waitMs === BLOCK_LINGER_MS) return this.#depart()
      this.#cancelDeparture = this.#clock.after(BLOCK_LINGER_MS - waitMs, () => this.#depart())
    })
  }

  #depart(): void {
    this.#cancelDeparture()
    for (const { tenant, block } of this.#waiting.splice(0)) if (tenant.open[block.partition] === block) this.#send(tenant, block)
  }

  #affordable(): number {
    const nowMs = this.#clock.monotonic()
    this.#budget = Math.min(EDGE_BLOCKS_BURST, this.#budget + ((nowMs - this.#budgetAtMs) * EDGE_BLOCKS_PER_S) / 1000)
    this.#budgetAtMs = nowMs
    return this.#budget
  }

  #account(block: OpenBlock): void {
    this.#bytesInHand += block.bytes - block.counted
    block.counted = block.bytes
  }

  #send(tenant: Tenant, block: OpenBlock): void {
    tenant.open[block.partition] = null
    // What a block costs by being one weighs the less the more rows share it.
    this.#budget = Math.max(-CREDIT_MAX, this.#budget - 1 / (1 + block.rows / EDGE_BLOCK_ROWS_WORTH))
    this.#account(block)
    this.#inFlightTotal++
    const startMs = this.#clock.monotonic()
    const bytes = block.encode()
    void this.#publish(block.partition, bytes).then((error) => {
      this.#inFlightTotal--
      this.#bytesInHand -= block.counted
      this.#report({ rows: block.rows, bytes: bytes.length, ms: this.#clock.monotonic() - startMs, error })
      for (const ticket of block.tickets) settle(ticket, error)
      if (this.#inFlightTotal > 0) return
      if (this.#waiting.length > 0 && this.#affordable() >= 1) this.#depart()
      if (this.#inFlightTotal === 0) for (const run of this.#idle.splice(0)) run()
    })
  }

  async #publish(partition: number, bytes: Uint8Array): Promise<Error | null> {
    for (let attempt = 0; ; attempt++) {
      try {
        if (!this.#connection.connected()) throw new OperatingError(ErrorCode.unavailable, 'Cannot publish as the log must be connected: it is not')
        await this.#connection.log.publish(inputSubject(partition), bytes)
        return null
      } catch (error) {
        if (attempt > 0 || !isOperating(error, ErrorCode.unavailable)) return error as Error
        await this.#clock.sleep(EDGE_RETRY_MS)
      }
    }
  }
}

function settle(ticket: Ticket, error: Error | null): void {
  ticket.error ??= error
  if (--ticket.left === 0) ticket.done()
}

/** 128 bits of tenant, key and piece, hexadecimal. None of them holds a line feed. */
export function hashOf(tenant: string, key: string, piece: number): string {
  return createHash('sha256').update(`${tenant}\n${key}\n${piece}`).digest('hex').slice(0, 32)
}
