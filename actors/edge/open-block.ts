/**
 * A block that still grows: columns of one tenant's readings for one partition, and who waits for them.
 *
 * Series found in it are marked with the block's number, so that a row costs one comparison and three stores. The columns are
 * lent from a pool and given back once encoded.
 */

import { encodeBlock } from '../reading/input.ts'
import type { KeyedRows } from '../reading/input.ts'
import type { Series } from '../reading/validate-names.ts'

const ROWS_FIRST = 256
const POOL_MAX = 64
/** Of a row: its series, its time as a distance, its value. */
const ROW_BYTES = 14

/** Where an answer waits for pieces in several blocks. */
export interface Ticket {
  /** Pieces not yet answered for. */
  left: number
  error: Error | null
  done(): void
}

interface Columns {
  row: Uint16Array
  ts: Float64Array
  value: Float64Array
}

const pool: Columns[] = []
let lastNumber = 0

export class OpenBlock {
  readonly tenant: string
  readonly partition: number
  readonly tickets: Ticket[] = []
  readonly keyed: KeyedRows[] = []
  rows = 0
  /** Of `bytes`: how many its owner has counted as in hand. */
  counted = 0
  /** Whether it is among those that leave with the next departure. */
  waits = false
  /** Bytes of the names in the dictionary. */
  #nameBytes = 0
  readonly #number = ++lastNumber
  readonly #devices: string[] = []
  readonly #metrics: string[] = []
  readonly #metricPlaces = new Map<string, number>()
  readonly #seriesDevice: number[] = []
  readonly #seriesMetric: number[] = []
  readonly #columns: Columns = pool.pop() ?? {
    row: new Uint16Array(ROWS_FIRST),
    ts: new Float64Array(ROWS_FIRST),
    value: new Float64Array(ROWS_FIRST),
  }

  constructor(tenant: string, partition: number) {
    this.tenant = tenant
    this.partition = partition
  }

  /** About the bytes of the encoded block. */
  get bytes(): number {
    return this.rows * ROW_BYTES + this.#nameBytes
  }

  add(series: Series, ts: number, value: number): void {
    if (series.mark !== this.#number) this.#learn(series)
    const columns = this.#columns
    const at = this.rows
    if (at === columns.row.length) this.#grow()
    columns.row[at] = series.place
    columns.ts[at] = ts
    columns.value[at] = value
    this.rows = at + 1
  }

  /** The message's bytes. The block is of no further use, its columns go back to the pool. */
  encode(): Uint8Array {
    const { row, ts, value } = this.#columns
    const bytes = encodeBlock({
      tenant: this.tenant,
      devices: this.#devices,
      metrics: this.#metrics,
      seriesDevice: Uint16Array.from(this.#seriesDevice),
      seriesMetric: Uint16Array.from(this.#seriesMetric),
      row: row.subarray(0, this.rows),
      ts: ts.subarray(0, this.rows),
      value: value.subarray(0, this.rows),
      keyed: this.keyed,
    })
    if (pool.length < POOL_MAX) pool.push(this.#columns)
    return bytes
  }

  #learn(series: Series): void {
    const { device, metric } = series
    if (device.mark !== this.#number) {
      device.mark = this.#number
      device.place = this.#devices.push(device.name) - 1
      this.#nameBytes += device.name.length + 6
    }
    let metricPlace = this.#metricPlaces.get(metric)
    if (metricPlace === undefined) {
      metricPlace = this.#metrics.push(metric) - 1
      this.#metricPlaces.set(metric, metricPlace)
      this.#nameBytes += metric.length + 2
    }
    series.mark = this.#number
    series.place = this.#seriesDevice.push(device.place) - 1
    this.#seriesMetric.push(metricPlace)
  }

  #grow(): void {
    const { row, ts, value } = this.#columns
    const size = row.length * 2
    this.#columns.row = grown(row, new Uint16Array(size))
    this.#columns.ts = grown(ts, new Float64Array(size))
    this.#columns.value = grown(value, new Float64Array(size))
  }
}

function grown<T extends Uint16Array | Float64Array>(from: T, to: T): T {
  to.set(from)
  return to
}
