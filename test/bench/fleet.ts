/**
 * The fleets whose readings the load generator posts: 5,000 devices behind gateways, a batch being 500 readings of one gateway or of one
 * device; and how the load is spread over partitions.
 *
 * - even         each device alike
 * - hot-device   one device has half of all readings, in batches of its own
 * - hot-partition one partition has ten times the load of each of the others
 * - backlog      what an hour of outage left: batches in the order of their times, spread evenly over the hour
 */

import { partitionFor, topologyOf } from '../../runtime/topology.ts'

export const SHAPES = ['even', 'hot-device', 'hot-partition', 'backlog'] as const
export type Shape = (typeof SHAPES)[number]

/** Partitions of a `weir up`, which the names of devices are chosen for. */
export const PARTITIONS = 16
/** The partition of the hot device, and the hot one. */
export const HOT_PARTITION = 5
export const HOT_TIMES = 10
const DEVICES = 5_000
const PER_BATCH = 50
const READINGS_EACH = 10
export const BATCH_ROWS = PER_BATCH * READINGS_EACH

const topology = topologyOf(PARTITIONS)

/** Names in which `text` makes the device's partition `partition`. */
export function nameIn(partition: number, text: string): string {
  for (let n = 0; ; n++) {
    const name = `${text}-${n}`
    if (partitionFor(topology, 'default', name) === partition) return name
  }
}

export const HOT_DEVICE = nameIn(HOT_PARTITION, 'hot/turbine')

export interface Columns {
  device: string[]
  metric: string
  ts: number[]
  value: number[]
}

/** A slow wave with a little ripple, without a random draw a reading. */
function valueOf(device: number, n: number): number {
  return Math.round((20 + (device % 17) + 3 * Math.sin(n / 5000 + device) + ((n * 2654435761) % 1000) / 2000) * 100) / 100
}

/** Batches of a shape, one after the other. */
export class Fleet {
  readonly #shape: Shape
  readonly #names: string[]
  /** Readings a second that are meant, for the distances of times of the hot device; and the beginning and span of the backlog's times. */
  readonly #rate: number
  readonly #fromMs: number
  readonly #rows: number
  readonly #spanMs: number
  #counter = 0
  #batches = 0

  constructor(shape: Shape, { rate = 0, fromMs = 0, spanMs = 0, rows = 0 }: { rate?: number; fromMs?: number; spanMs?: number; rows?: number } = {}) {
    this.#shape = shape
    this.#rate = rate
    this.#fromMs = fromMs
    this.#spanMs = spanMs
    this.#rows = rows
    this.#names = namesOf(shape)
  }

  /** The next batch; `nowMs` is the sender's clock. */
  next(nowMs: number): Columns {
    const number = this.#batches++
    if (this.#shape === 'hot-device' && number % 2 === 1) return this.#hot(nowMs)
    const turn = this.#shape === 'hot-device' ? number >> 1 : number
    const first = (turn * PER_BATCH) % DEVICES
    // Of the backlog, each gateway's batch is of its share of the hour.
    const round = (this.#spanMs * BATCH_ROWS * (DEVICES / PER_BATCH)) / Math.max(1, this.#rows)
    const [endMs, stepMs] = this.#shape === 'backlog' ? [this.#fromMs + (Math.floor((turn * PER_BATCH) / DEVICES) + 1) * round, round / READINGS_EACH] : [nowMs, 10]
    const columns: Columns = { device: [], metric: 'soil_moisture', ts: [], value: [] }
    for (let i = 0; i < PER_BATCH; i++) {
      for (let j = 0; j < READINGS_EACH; j++) {
        columns.device.push(this.#names[first + i])
        columns.ts.push(Math.floor(endMs - (READINGS_EACH - j) * stepMs))
        columns.value.push(valueOf(first + i, this.#counter++))
      }
    }
    return columns
  }

  /** The next reading of a device that sends each by itself. */
  one(): { device: string; metric: string; value: number } {
    const d = this.#counter++ % DEVICES
    return { device: this.#names[d], metric: 'soil_moisture', value: valueOf(d, this.#counter) }
  }

  #hot(nowMs: number): Columns {
    const spanMs = this.#rate > 0 ? (BATCH_ROWS / (this.#rate / 2)) * 1000 : 10
    const columns: Columns = { device: [], metric: 'soil_moisture', ts: [], value: [] }
    for (let j = 0; j < BATCH_ROWS; j++) {
      columns.device.push(HOT_DEVICE)
      columns.ts.push(Math.floor(nowMs - spanMs + (j * spanMs) / BATCH_ROWS))
      // Many of one millisecond must differ, to be no duplicates.
      const n = this.#counter++
      columns.value.push(valueOf(0, n) + (n % 100_000) / 1e7)
    }
    return columns
  }
}

function namesOf(shape: Shape): string[] {
  if (shape !== 'hot-partition') return Array.from({ length: DEVICES }, (_, d) => `gateway-${Math.floor(d / PER_BATCH)}/probe-${d}`)
  const unit = DEVICES / (PARTITIONS - 1 + HOT_TIMES)
  const room = Array.from({ length: PARTITIONS }, (_, p) => Math.round(p === HOT_PARTITION ? unit * HOT_TIMES : unit))
  const names: string[] = []
  for (let n = 0; names.length < DEVICES; n++) {
    const name = `probe-${n}`
    if (room[partitionFor(topology, 'default', name)]-- > 0) names.push(name)
  }
  // The hot ones stand among the others, as they would.
  return names.map((_, i) => names[(i * 1_237) % DEVICES])
}
