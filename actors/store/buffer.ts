/**
 * Rows that commits covered and that no segment holds yet: the memory part of the lake.
 *
 * Owns the columns and the counts of fates of one seal. Leaves the settling of old rows to settle.ts, and files to segment.ts.
 *
 * - B1 Rows that a commit calls duplicate or expired are counted and not kept; old ones are kept aside until they are settled.
 * - B2 A series is named once; rows refer to it by number. Numbers mean something within one buffer only.
 */

import { CLOSED_BY } from '../reading/window.ts'
import type { Block, Rejects } from '../reading/input.ts'
import type { BlockFates, PartitionEffects } from '../partition/effects.ts'
import { GrowingColumns } from './columns.ts'
import type { CoveredCommit } from './follow.ts'
import { PLAIN_ROWS, PLAIN_TABLES, PlainRows } from './plain.ts'
import type { PlainTable } from './plain.ts'

const MINUTE_MS = 60_000

/** Counts in a row of the ledger, in this order. Accepted is the sum of the last four. */
export const LEDGER_COUNTS = ['rejected', 'on_time', 'late', 'duplicate', 'expired'] as const
const REJECTED = 0
const ON_TIME = 1
export const LATE = 2
export const DUPLICATE = 3
const EXPIRED = 4

const ROW_ON_TIME = 0
const ROW_DROPPED = 1
const ROW_OLD = 2

/** Numbers of a window's row that travel through unchanged. */
export const WINDOW_DOUBLES = ['start', 'count', 'sum', 'min', 'max', 'stddev', 'first', 'last', 'p50', 'p95', 'p99', 'updated_at', 'version'] as const

export interface Ledger {
  readonly tenant: string[]
  readonly device: string[]
  readonly minute: number[]
  /** By row, `LEDGER_COUNTS.length` counts. */
  readonly counts: number[]
}

export interface RejectRows {
  readonly tenant: string[]
  readonly receivedAt: number[]
  readonly reason: string[]
  readonly reading: string[]
}

/** A device of this buffer: its series by metric, its rows of the ledger by minute. */
interface Device {
  readonly tenant: string
  readonly name: string
  readonly metrics: string[]
  readonly series: number[]
  readonly minutes: number[]
  readonly ledger: number[]
}

export class SealBuffer {
  /** By series number: tenant, device and metric, each ended by a line feed but the last; sorts as the three do. */
  readonly keys: string[] = []
  /** Readings to keep, old ones included. */
  readonly readings = new GrowingColumns(['series'], ['ts', 'value', 'received_at'])
  /** The old ones among them: row of `readings`, row of the ledger; what was closed then; version and time of the commit. */
  readonly old = new GrowingColumns(['row', 'ledger'], ['closedUntil', 'version', 'updated_at'])
  readonly windows = new GrowingColumns(['series', 'size', 'closed_by'], WINDOW_DOUBLES)
  /** Rows that go in as commits say them. */
  readonly plain = Object.fromEntries(PLAIN_TABLES.map((table) => [table, new PlainRows(table)])) as Record<PlainTable, PlainRows>
  readonly rejects: RejectRows = { tenant: [], receivedAt: [], reason: [], reading: [] }
  readonly ledger: Ledger = { tenant: [], device: [], minute: [], counts: [] }
  #devices = new Map<string, Map<string, Device>>()
  #settleUntil: number
  #floorMs: number

  /**
   * @param settleUntil readings up to this event time (epoch ms) are old whatever the commit says; −Infinity for none.
   * @param floorMs readings and windows from before it are expired: the lake has been cut there.
   */
  constructor(settleUntil: number, floorMs = -Infinity) {
    this.#settleUntil = settleUntil
    this.#floorMs = floorMs
  }

  /** Puts the floor up, for what comes from now on; what is here already leaves the lake with the next merge. */
  raise(floorMs: number): void {
    this.#floorMs = floorMs
  }

  get rows(): number {
    const plain = PLAIN_TABLES.reduce((sum, table) => sum + this.plain[table].length, 0)
    return this.readings.length + this.windows.length + this.ledger.minute.length + plain + this.rejects.reason.length
  }

  /** Takes over what a commit covers. Versions of its rows follow from `seq`, which is its sequence in RESULTS, or more. */
  add({ commit, effects, messages }: CoveredCommit, seq: number): void {
    for (const { timeMs, input, fates } of messages) {
      if (input.kind === 'block') this.#addBlock(input, fates, timeMs, { version: seq * 2, timeMs: commit.timeMs })
      else this.#addRejects(input, timeMs)
    }
    this.#addResults(effects, commit.timeMs, seq * 2)
  }

  count(ledgerRow: number, what: number, times = 1): void {
    this.ledger.counts[ledgerRow * LEDGER_COUNTS.length + what] += times
  }

  #device(tenant: string, device: string): Device {
    let devices = this.#devices.get(tenant)
    if (devices === undefined) this.#devices.set(tenant, (devices = new Map()))
    let found = devices.get(device)
    if (found === undefined) devices.set(device, (found = { tenant, name: device, metrics: [], series: [], minutes: [], ledger: [] }))
    return found
  }

  #number(device: Device, metric: string): number {
    // A device has few metrics, so a short walk beats a table of names joined for each look.
    const at = device.metrics.indexOf(metric)
    if (at >= 0) return device.series[at]
    const number = this.keys.push(`${device.tenant}\n${device.name}\n${metric}`) - 1
    device.metrics.push(metric)
    device.series.push(number)
    return number
  }

  #ledgerRow(device: Device, timeMs: number): number {
    const minute = Math.floor(timeMs / MINUTE_MS) * MINUTE_MS
    const at = device.minutes.lastIndexOf(minute)
    if (at >= 0) return device.ledger[at]
    const row = this.ledger.minute.push(minute) - 1
    this.ledger.tenant.push(device.tenant)
    this.ledger.device.push(device.name)
    for (let i = 0; i < LEDGER_COUNTS.length; i++) this.ledger.counts.push(0)
    device.minutes.push(minute)
    device.ledger.push(row)
    return row
  }

  #addBlock(block: Block, fates: BlockFates | null, timeMs: number, commit: { version: number; timeMs: number }): void {
    const rows = block.ts.length
    const names = block.seriesDevice.length
    const number = new Int32Array(names)
    const onTime = new Int32Array(names)
    const devices = block.devices.map((device) => this.#device(block.tenant, device))
    const ledger = new Int32Array(block.devices.length).fill(-1)
    const ledgerOf = (series: number): number => {
      const device = block.seriesDevice[series]
      if (ledger[device] < 0) ledger[device] = this.#ledgerRow(devices[device], timeMs)
      return ledger[device]
    }
    for (let s = 0; s < names; s++) number[s] = this.#number(devices[block.seriesDevice[s]], block.metrics[block.seriesMetric[s]])
    const marks = this.#marks(block, fates, ledgerOf)
    const { readings } = this
    readings.reserve(rows)
    const { series } = readings.int
    const { ts, value, received_at } = readings.double
    let at = readings.length
    let nextOld = 0
    for (let i = 0; i < rows; i++) {
      const s = block.row[i]
      if (marks !== null && marks[i] !== ROW_ON_TIME) {
        // A row that only the new generation's rule calls old has no list entry: of its windows none counts as closed.
        const closedUntil = fates !== null && fates.old[nextOld] === i ? fates.closedUntil[nextOld++] : -Infinity
        if (marks[i] === ROW_DROPPED) continue
        this.#addOld(at, ledgerOf(s), closedUntil, commit)
      } else onTime[s]++
      series[at] = number[s]
      ts[at] = block.ts[i]
      value[at] = block.value[i]
      received_at[at] = timeMs
      at++
    }
    readings.length = at
    for (let s = 0; s < names; s++) if (onTime[s] > 0) this.count(ledgerOf(s), ON_TIME, onTime[s])
  }

  /** What becomes of each row, or null where all are on time. */
  #marks(block: Block, fates: BlockFates | null, ledgerOf: (series: number) => number): Uint8Array | null {
    let marks: Uint8Array | null = null
    if (this.#settleUntil > -Infinity) {
      for (let i = 0; i < block.ts.length; i++) if (block.ts[i] <= this.#settleUntil) (marks ??= new Uint8Array(block.ts.length))[i] = ROW_OLD
    }
    if (fates !== null) {
      marks ??= new Uint8Array(block.ts.length)
      for (const i of fates.old) marks[i] = ROW_OLD
      for (const [rows, what] of [[fates.duplicate, DUPLICATE], [fates.expired, EXPIRED]] as const) {
        for (const i of rows) {
          marks[i] = ROW_DROPPED
          this.count(ledgerOf(block.row[i]), what)
        }
      }
    }
    for (let i = 0; i < block.ts.length; i++) {
      if (block.ts[i] >= this.#floorMs || marks?.[i] === ROW_DROPPED) continue
      marks ??= new Uint8Array(block.ts.length)
      marks[i] = ROW_DROPPED
      this.count(ledgerOf(block.row[i]), EXPIRED)
    }
    return marks
  }

  #addOld(row: number, ledgerRow: number, closedUntil: number, commit: { version: number; timeMs: number }): void {
    const { old } = this
    old.reserve(1)
    old.int.row[old.length] = row
    old.int.ledger[old.length] = ledgerRow
    old.double.closedUntil[old.length] = closedUntil
    old.double.version[old.length] = commit.version
    old.double.updated_at[old.length] = commit.timeMs
    old.length++
  }

  #addRejects(rejects: Rejects, timeMs: number): void {
    for (const [device, count] of rejects.counts) this.count(this.#ledgerRow(this.#device(rejects.tenant, device), timeMs), REJECTED, count)
    for (const [reason, reading] of rejects.samples) {
      this.rejects.tenant.push(rejects.tenant)
      this.rejects.receivedAt.push(timeMs)
      this.rejects.reason.push(reason)
      this.rejects.reading.push(reading)
    }
  }

  #addResults(effects: PartitionEffects, timeMs: number, version: number): void {
    if (effects.series.length === 0) return
    const number = effects.series.map((s) => this.#number(this.#device(s.tenant, s.device), s.metric))
    const { windows } = this
    windows.reserve(effects.windows.length)
    const { series, size, closed_by } = windows.int
    const to = windows.double
    for (const row of effects.windows) {
      if (row.start < this.#floorMs) continue
      const at = windows.length++
      series[at] = number[row.series]
      size[at] = row.size
      closed_by[at] = CLOSED_BY.indexOf(row.closedBy)
      to.start[at] = row.start
      to.count[at] = row.count
      to.sum[at] = row.sum
      to.min[at] = row.min
      to.max[at] = row.max
      to.stddev[at] = row.stddev
      to.first[at] = row.first
      to.last[at] = row.last
      to.p50[at] = row.p50
      to.p95[at] = row.p95
      to.p99[at] = row.p99
      to.updated_at[at] = timeMs
      to.version[at] = version
    }
    for (const table of PLAIN_TABLES) for (const [of, numbers, texts] of PLAIN_ROWS[table](effects, timeMs)) this.plain[table].add(number[of], numbers, texts, this.#floorMs)
  }
}
