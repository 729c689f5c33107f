/**
 * One series of a partition: its place in event time and its open windows. Rules that move it are in closing.ts.
 *
 * - T1 `closedUntilMs` never decreases and is a multiple of a minute; a window of any size is closed exactly if it ends at or before it.
 * - T2 An open window of a size exists as an object once something merged into it; before that it is open all the same, in the
 *   windows below it.
 * - T3 `nextEndMs` is the least end of the objects: nothing closes before it.
 */

import type { EffectsBuilder } from '../effects.ts'
import { MINUTE_MS, WINDOW_SIZES_MS } from '../../reading/window.ts'
import { MinuteWindow } from './minute-window.ts'
import type { Summary, SummaryPool } from './summary.ts'

/** A device of a tenant, with its series. */
export interface Device {
  readonly tenant: string
  readonly name: string
  /** While they are few, of no more room than they need: pushing would take that of seventeen. */
  series: Series[]
  /** Devices of its tenant, by name. */
  readonly siblings: Map<string, Device>
  /** The device that came after it when it last came: only a guess, and no part of the state. */
  follower: Device | null
}

/**
 * Whether a series still owes rows, or a look at it, when nothing more comes.
 * - `rest`     neither: what is open was emitted as provisional rows, or nothing is open
 * - `speaking` it owes rows: it has open windows and is not yet quiet
 * - `settling` its rows are out, but time should go on, since a minute of it closes soon
 */
export const Phase = { rest: 0, speaking: 1, settling: 2 } as const
export type Phase = (typeof Phase)[keyof typeof Phase]

/** Sizes above the minute. */
export const UPPER_SIZES = WINDOW_SIZES_MS.length - 1

/** Numbers of a series that stand apart, since an object for each would be what a collector of garbage is busy with: times, and a handle a size. */
export const SERIES_DOUBLES = 4 + UPPER_SIZES

export class Series {
  /** Number in order of first appearance. */
  readonly id: number
  readonly device: Device
  readonly metric: string
  phase: Phase = Phase.rest
  /** Bucket of the quiet wheel in which it waits; 0: in none. */
  quietBucket = 0
  /** Bucket of the log-time wheel in which it waits; 0: in none. */
  logBucket = 0
  /** Place of what its forecasts need (`Forecasters`); 0: nothing yet. */
  forecaster = 0
  /** Open minutes, oldest first. */
  minutes: MinuteWindow | null = null
  /** Where the last reading went: the next one usually goes there too. */
  #recent: MinuteWindow | null = null
  /** Which builder `index` belongs to; no part of the state. */
  #generation = 0
  #index = 0
  readonly #d: Float64Array
  readonly #at: number

  /** Its numbers stand in `doubles` from `at` on: `SERIES_DOUBLES` zeros. */
  constructor(id: number, device: Device, metric: string, doubles: Float64Array, at: number) {
    this.id = id
    this.device = device
    this.metric = metric
    this.#d = doubles
    this.#at = at
    this.greatestMs = -Infinity
    this.nextEndMs = Infinity
  }

  /** Epoch ms (T1). */
  get closedUntilMs(): number {
    return this.#d[this.#at]
  }
  set closedUntilMs(ms: number) {
    this.#d[this.#at] = ms
  }
  /** Greatest event time that was on time, epoch ms. */
  get greatestMs(): number {
    return this.#d[this.#at + 1]
  }
  set greatestMs(ms: number) {
    this.#d[this.#at + 1] = ms
  }
  /** Activity clock at the last reading that changed something. */
  get spokeAtMs(): number {
    return this.#d[this.#at + 2]
  }
  set spokeAtMs(ms: number) {
    this.#d[this.#at + 2] = ms
  }
  /** Epoch ms (T3). */
  get nextEndMs(): number {
    return this.#d[this.#at + 3]
  }
  set nextEndMs(ms: number) {
    this.#d[this.#at + 3] = ms
  }

  /** Handle of the oldest open window of size `size` (1 and up) in the state's summaries; 0: none. */
  oldest(size: number): number {
    return this.#d[this.#at + 3 + size]
  }

  setOldest(size: number, handle: number): void {
    this.#d[this.#at + 3 + size] = handle
  }

  /** Index of its name in the dictionary of `effects`. */
  indexIn(effects: EffectsBuilder): number {
    if (this.#generation !== effects.generation) {
      this.#generation = effects.generation
      this.#index = effects.addSeries({ tenant: this.device.tenant, device: this.device.name, metric: this.metric })
    }
    return this.#index
  }

  /** Touches what the next reading needs (../warm.ts); `pool` holds its windows. */
  glance(pool: SummaryPool): number {
    const recent = this.#recent
    const upper = this.oldest(1)
    return this.#d[this.#at] + (recent === null ? 0 : recent.glance()) + (upper === 0 ? 0 : pool.glance(upper))
  }

  /** The open minute of `ts`, made with the help of `pool` where there is none. */
  minuteOf(ts: number, pool: MinuteWindow[]): MinuteWindow {
    const recent = this.#recent
    if (recent !== null && ts >= recent.start && ts < recent.start + MINUTE_MS) return recent
    return (this.#recent = this.#findMinute(Math.floor(ts / MINUTE_MS) * MINUTE_MS, pool))
  }

  #findMinute(start: number, pool: MinuteWindow[]): MinuteWindow {
    let before: MinuteWindow | null = null
    let at = this.minutes
    while (at !== null && at.start < start) {
      before = at
      at = at.next
    }
    if (at !== null && at.start === start) return at
    const made = pool.pop() ?? new MinuteWindow(start)
    made.start = start
    made.next = at
    if (before === null) this.minutes = made
    else before.next = made
    if (start + MINUTE_MS < this.nextEndMs) this.nextEndMs = start + MINUTE_MS
    return made
  }

  /** Takes the oldest open minute out. */
  dropMinute(pool: MinuteWindow[]): void {
    const minute = this.minutes!
    this.minutes = minute.next
    if (this.#recent === minute) this.#recent = null
    if (minute.reset() && pool.length < POOL_MAX) pool.push(minute)
  }

  /** The open window of size `size` (1 and up) that begins at `start`, taken from `pool` where there is none. */
  upperAt(size: number, start: number, pool: SummaryPool): Summary {
    const chain = this.oldest(size)
    const summary = summaryAt(chain, start, pool)
    this.setOldest(size, headOf(chain, summary))
    return summary
  }

  /** Brings `nextEndMs` up to date; `pool` holds its windows. */
  refreshNextEnd(pool: SummaryPool): void {
    let end = this.minutes === null ? Infinity : this.minutes.start + MINUTE_MS
    for (let size = 1; size <= UPPER_SIZES; size++) {
      const oldest = this.oldest(size)
      if (oldest !== 0) end = Math.min(end, pool.startOf(oldest) + WINDOW_SIZES_MS[size])
    }
    this.nextEndMs = end
  }
}

/** Empty minutes kept for use. */
const POOL_MAX = 4_096

/** Finds the summary of `start` in a chain, or puts one of the pool there: then the chain may have another first (`headOf`). */
export function summaryAt(chain: number, start: number, pool: SummaryPool): Summary {
  let before: Summary | null = null
  let handle = chain
  while (handle !== 0) {
    const at = pool.at(handle)
    if (at.start === start) return at
    if (at.start > start) break
    before = at
    handle = at.next
  }
  const summary = pool.take(start)
  summary.next = handle
  if (before !== null) before.next = summary.handle
  return summary
}

/** The first of a chain, now that `summary` is in it. */
export function headOf(chain: number, summary: Summary): number {
  return summary.next === chain ? summary.handle : chain
}
