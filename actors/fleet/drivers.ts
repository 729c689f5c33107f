/**
 * Which series drive which: the registry that their owner edits, and the relay that takes each hour of a driver to the partitions of what it drives.
 *
 * Owns both. Leaves what a partition learns of it to partition/drivers/.
 *
 * - R1 A driver's hour goes once it has closed, as a message of the log of each series that it drives, in the order in which hours close. It is sent
 *   again after a crash, from where the store begins to read; partitions count it once. One that the log does not take for `GIVE_UP_MS` is dropped
 *   with a warning: to who is driven it is an hour that never came.
 */

import type { Clock } from '../../runtime/clock.ts'
import { isOperating } from '../../runtime/errors.ts'
import { DRIVEN_MAX } from '../../runtime/limits.ts'
import type { KeyValue, Log } from '../../runtime/log.ts'
import { TenantValues } from '../../runtime/tenant-values.ts'
import type { Revised } from '../../runtime/tenant-values.ts'
import { inputSubject, partitionFor } from '../../runtime/topology.ts'
import type { Topology } from '../../runtime/topology.ts'
import { DRIVERS_MAX, encodeDriverHour } from '../reading/input.ts'
import { HOUR_MS, WINDOW_SIZES_MS } from '../reading/window.ts'
import type { CoveredCommit, FollowerLogger } from '../store/follow.ts'

export interface SeriesRef {
  readonly device: string
  readonly metric: string
}

/** The drivers of one series, each in its slot. */
export interface Driving extends SeriesRef {
  readonly drivers: readonly SeriesRef[]
}

/** All of a tenant, in order of their names. */
export type Drivings = readonly Driving[]

/** What a series drives, and as which of its drivers. */
interface Driven extends SeriesRef {
  readonly slot: number
}

const keyOf = ({ device, metric }: SeriesRef) => `${device}\n${metric}`

const HOUR = WINDOW_SIZES_MS.indexOf(HOUR_MS)
const GIVE_UP_MS = 60_000
const WAITING_MAX = 50_000

/** Why drivers can't be stored, in words that say what to do. */
export class DriverError extends Error {
  /** Place in the body (RFC 6901): `/drivers/1`; `/drivers` for the whole of them. */
  readonly pointer: string

  constructor(must: string, current: string, pointer = '/drivers') {
    super(`Cannot name these drivers as ${must}: current value is ${current}`)
    this.name = 'DriverError'
    this.pointer = pointer
  }
}

const isRef = (ref: unknown): ref is SeriesRef => typeof (ref as SeriesRef)?.device === 'string' && typeof (ref as SeriesRef)?.metric === 'string'
const same = (a: SeriesRef, b: SeriesRef) => a.device === b.device && a.metric === b.metric

function decode(json: unknown): Drivings {
  const sound = Array.isArray(json) && json.every((d) => isRef(d) && Array.isArray((d as Driving).drivers) && (d as Driving).drivers.every(isRef) && (d as Driving).drivers.length <= DRIVERS_MAX)
  if (!sound) throw new RangeError('Cannot read drivers as they must be a list of series with their drivers')
  return json as Drivings
}

export class DriverRegistry {
  readonly #values: TenantValues<Drivings>
  /** By driver, what it drives: made once of each list. */
  readonly #byDriver = new WeakMap<Drivings, ReadonlyMap<string, readonly Driven[]>>()

  private constructor(values: TenantValues<Drivings>) {
    this.#values = values
  }

  static async open(kv: KeyValue): Promise<DriverRegistry> {
    return new DriverRegistry(await TenantValues.open({ kv, name: 'drivers', none: [], decode }))
  }

  close(): void {
    this.#values.close()
  }

  of(tenant: string): Revised<Drivings> {
    return this.#values.of(tenant)
  }

  /** What a series drives. */
  drivenBy(tenant: string, driver: SeriesRef): readonly Driven[] {
    const { value } = this.#values.of(tenant)
    if (value.length === 0) return NOTHING
    let byDriver = this.#byDriver.get(value)
    if (byDriver === undefined) this.#byDriver.set(value, (byDriver = inverted(value)))
    return byDriver.get(keyOf(driver)) ?? NOTHING
  }

  /** Names the drivers of a series anew; none removes it. */
  set(tenant: string, { device, metric, drivers }: Driving): Promise<Revised<Drivings>> {
    if (drivers.length > DRIVERS_MAX) throw new DriverError(`there may be at most ${DRIVERS_MAX} of one series`, String(drivers.length))
    for (const [i, driver] of drivers.entries()) {
      if (same(driver, { device, metric })) throw new DriverError('no series may drive itself', `${device}/${metric}`, `/drivers/${i}`)
      if (drivers.slice(0, i).some((d) => same(d, driver))) throw new DriverError('each may be named once', `${driver.device}/${driver.metric}`, `/drivers/${i}`)
    }
    return this.#values.change(tenant, null, (all) => {
      const others = all.filter((d) => !same(d, { device, metric }))
      if (drivers.length === 0) return others
      if (others.length >= DRIVEN_MAX) throw new DriverError(`at most ${DRIVEN_MAX} series of a tenant may have drivers`, String(others.length))
      return [...others, { device, metric, drivers }].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    })
  }
}

const NOTHING: readonly Driven[] = []

function inverted(drivings: Drivings): Map<string, Driven[]> {
  const byDriver = new Map<string, Driven[]>()
  for (const { device, metric, drivers } of drivings) {
    for (const [slot, driver] of drivers.entries()) {
      const driven = byDriver.get(keyOf(driver))
      if (driven === undefined) byDriver.set(keyOf(driver), [{ device, metric, slot }])
      else driven.push({ device, metric, slot })
    }
  }
  return byDriver
}

export interface RelayOptions {
  readonly registry: Pick<DriverRegistry, 'drivenBy'>
  readonly log: Log
  readonly topology: Topology
  readonly clock: Clock
  readonly logger: FollowerLogger
}

interface Letter {
  readonly partition: number
  readonly data: Uint8Array
}

export class DriverRelay {
  readonly #options: RelayOptions
  #waiting: Letter[] = []
  #sending: Promise<void> | null = null
  #ending = new AbortController()
  /** Hours that were dropped, since the log did not take them. */
  dropped = 0

  constructor(options: RelayOptions) {
    this.#options = options
  }

  onCommit({ effects }: CoveredCommit): void {
    const { registry, topology } = this.#options
    for (const { series, size, start, sum, count, closedBy } of effects.windows) {
      if (size !== HOUR || closedBy === 'open') continue
      const of = effects.series[series]
      for (const { device, metric, slot } of registry.drivenBy(of.tenant, of)) {
        const data = encodeDriverHour({ tenant: of.tenant, device, metric, slot, driver: keyOf(of), hour: start, value: sum / count })
        this.#waiting.push({ partition: partitionFor(topology, of.tenant, device), data })
      }
    }
    const tooMany = this.#waiting.length - WAITING_MAX
    if (tooMany > 0) this.dropped += this.#waiting.splice(0, tooMany).length
    if (this.#waiting.length > 0) this.#sending ??= this.#send().finally(() => (this.#sending = null))
  }

  async stop(): Promise<void> {
    this.#ending.abort()
    await this.#sending
  }

  async #send(): Promise<void> {
    const { log, clock, logger } = this.#options
    const { signal } = this.#ending
    let since = clock.monotonic()
    while (this.#waiting.length > 0 && !signal.aborted) {
      const letter = this.#waiting.shift()!
      try {
        await log.publish(inputSubject(letter.partition), letter.data)
        since = clock.monotonic()
      } catch (error) {
        if (!isOperating(error)) throw error
        this.#waiting.unshift(letter)
        if (!error.retry || clock.monotonic() - since > GIVE_UP_MS) {
          this.dropped += this.#waiting.length
          logger.warn({ code: error.code, hours: this.#waiting.length }, 'hours of drivers were dropped: the log does not take them')
          this.#waiting = []
          return
        }
        await clock.sleep(1_000, signal)
      }
    }
  }
}
