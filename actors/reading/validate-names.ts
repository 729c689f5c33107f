/**
 * Names of devices and metrics: what they may be, and a memory of those already seen.
 *
 * Owns the patterns. Leaves numbers, times and verdicts to validate.ts.
 *
 * Most readings of a second come from series that spoke a second before. So a name is checked once and then found by one lookup,
 * like a guest whom the doorman knows by face. The memory has a bound that its owner keeps (`size`, `clear`).
 */

import { DEVICE_CHARS_MAX, METRIC_CHARS_MAX } from '../../runtime/limits.ts'

export const DEVICE = new RegExp(`^[A-Za-z0-9._:/-]{1,${DEVICE_CHARS_MAX}}$`)
export const METRIC = new RegExp(`^[A-Za-z][A-Za-z0-9_.]{0,${METRIC_CHARS_MAX - 1}}$`)
export const DEVICE_RULE = `1 to ${DEVICE_CHARS_MAX} of A-Z a-z 0-9 . _ : / -`
export const METRIC_RULE = `1 to ${METRIC_CHARS_MAX} of A-Z a-z 0-9 _ ., starting with a letter`

/** Series of a device beyond this many, and the three that stand in the device itself, are found by a map in place of a walk. */
const WALK_MAX = 8

export function isDevice(name: string): boolean {
  return name.length <= DEVICE_CHARS_MAX && DEVICE.test(name)
}

export function isMetric(name: string): boolean {
  return name.length <= METRIC_CHARS_MAX && METRIC.test(name)
}

/** A valid series of one tenant. `mark` and `place` are slots for who gathers series: `place` means something where `mark` is the gatherer's. */
export class Series {
  readonly device: Device
  readonly metric: string
  mark = -1
  place = 0

  constructor(device: Device, metric: string) {
    this.device = device
    this.metric = metric
  }
}

/**
 * A device of one tenant, with the series known of it. `partition` is -1 until who routes it has set it.
 *
 * The first series stand in the object itself: with many devices every step to another object is a wait for memory, and that is
 * most of what a reading costs here.
 */
export class Device {
  readonly name: string
  partition = -1
  mark = -1
  place = 0
  #metric0: string | null = null
  #metric1: string | null = null
  #metric2: string | null = null
  #series0: Series | undefined = undefined
  #series1: Series | undefined = undefined
  #series2: Series | undefined = undefined
  #more: Series[] | null = null
  #byMetric: Map<string, Series> | null = null

  constructor(name: string) {
    this.name = name
  }

  /** The series of `metric`, or undefined where it is not known yet. */
  find(metric: string): Series | undefined {
    if (metric === this.#metric0) return this.#series0
    if (metric === this.#metric1) return this.#series1
    if (metric === this.#metric2) return this.#series2
    if (this.#byMetric !== null) return this.#byMetric.get(metric)
    const more = this.#more
    if (more !== null) for (let i = 0; i < more.length; i++) if (more[i].metric === metric) return more[i]
    return undefined
  }

  add(series: Series): void {
    if (this.#metric0 === null) {
      this.#metric0 = series.metric
      this.#series0 = series
    } else if (this.#metric1 === null) {
      this.#metric1 = series.metric
      this.#series1 = series
    } else if (this.#metric2 === null) {
      this.#metric2 = series.metric
      this.#series2 = series
    } else {
      this.#more ??= []
      this.#more.push(series)
      if (this.#byMetric !== null) this.#byMetric.set(series.metric, series)
      else if (this.#more.length > WALK_MAX) this.#byMetric = new Map(this.#more.map((s) => [s.metric, s]))
    }
  }
}

/** The valid names of one tenant. */
export class Names {
  #devices = new Map<string, Device>()
  /** One string for each metric, so that all devices point to the same. */
  #metrics = new Map<string, string>()
  #size = 0

  /** Devices and series held: what its owner bounds. */
  get size(): number {
    return this.#size
  }

  find(device: string): Device | undefined {
    return this.#devices.get(device)
  }

  /** Keeps a new device, or gives undefined where the name is not valid. */
  addDevice(name: string): Device | undefined {
    if (!isDevice(name)) return undefined
    const device = new Device(name)
    this.#devices.set(name, device)
    this.#size++
    return device
  }

  /** Keeps a new series, or gives undefined where the metric's name is not valid. */
  addSeries(device: Device, metric: string): Series | undefined {
    let name = this.#metrics.get(metric)
    if (name === undefined) {
      if (!isMetric(metric)) return undefined
      name = metric
      this.#metrics.set(name, name)
    }
    const series = new Series(device, name)
    device.add(series)
    this.#size++
    return series
  }

  clear(): void {
    this.#devices.clear()
    this.#metrics.clear()
    this.#size = 0
  }
}
