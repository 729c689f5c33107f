/**
 * All that a partition remembers, and how a name finds its series. What is written of it into snapshots stands in snapshot.ts.
 *
 * - P1 Series are numbered in order of first appearance; nothing depends on the order of a map.
 * - P2 A series is never forgotten: what it has closed must stay closed.
 */

import type { Block, Settings } from '../reading/input.ts'
import { DEFAULT_SETTINGS } from '../reading/input.ts'
import { TOGETHER_SINGLES } from './device/together.ts'
import type { Driven } from './drivers/driven.ts'
import { Flag } from './flags.ts'
import { Courses } from './fleet/courses.ts'
import { KIN_SINGLES } from './fleet/kin-layout.ts'
import { kindOf } from './fleet/kinds.ts'
import { Priors } from './fleet/priors.ts'
import { Idempotency } from './idempotency.ts'
import { LogTime } from './log-time.ts'
import { RuleBook } from './rules/book.ts'
import { DETECTOR_FIELDS } from './series/detector.ts'
import { makeSlab } from './series/ensemble/layout.ts'
import type { Slab as EnsembleSlab } from './series/ensemble/layout.ts'
import { Forecasters } from './series/forecaster/forecaster.ts'
import { lastingMemory, Slab } from './series/slab.ts'
import type { MinuteWindow } from './series/minute-window.ts'
import { Series, SERIES_DOUBLES } from './series/series.ts'
import type { Device } from './series/series.ts'
import { SummaryPool } from './series/summary.ts'
import { Tuning } from './tuning.ts'
import { Wheel } from './wheel.ts'

/** Series in a page of ensembles, as a power of two: memory grows by pages, and nothing is copied. */
export const PAGE_BITS = 8
export const PAGE_SERIES = 1 << PAGE_BITS

/** Series of one device that are looked through one by one; beyond, by map. */
const LOOK_THROUGH_MAX = 8

export class PartitionState {
  settings: Settings = DEFAULT_SETTINGS
  /** Changes of behaviour that the log has switched on so far (flags.ts): `switchOn` adds to them. */
  readonly flags = new Set<number>()
  readonly time: LogTime
  /** Rows of all blocks so far. */
  accepted = 0
  /** Messages that could not be read, and were passed over. */
  malformed = 0
  /** Series that still owe rows: those that are speaking (`Phase`). */
  pending = 0
  /** Series whose rows are all out, some of them provisional, because a minute of theirs closes soon. */
  settling = 0
  readonly keys = new Idempotency()
  readonly tuning = new Tuning()
  readonly priors = new Priors()
  /** What kinds did in their last hours, and how each series stands to its kind, by number, `PAGE_SERIES` a page, once `Flag.kin` is on. */
  readonly courses = new Courses()
  readonly kin = { pages: [] as Float32Array[], pageBits: PAGE_BITS }
  /** What drives a series, by its number; most have none. */
  readonly driven = new Map<number, Driven>()
  /** By number. */
  readonly series: Series[] = []
  /** Detectors of all series, `DETECTOR_FIELDS` doubles each, by number; none once `Flag.ensemble` is on. */
  detectors = new Float64Array(64 * DETECTOR_FIELDS)
  /** Ensembles of all series by number, `PAGE_SERIES` a page, once `Flag.ensemble` is on. */
  readonly ensembles: EnsembleSlab[] = []
  /** What series and their devices lean by, by number, `PAGE_SERIES` a page, once `Flag.together` is on. */
  readonly leanings = { pages: [] as Float32Array[], pageBits: PAGE_BITS }
  readonly forecasters = new Forecasters()
  readonly rules: RuleBook
  /** Wakes series that may have gone quiet, by the activity clock. */
  readonly quietWheel: Wheel<Series>
  /** Wakes series of which log time closes something. */
  readonly logWheel: Wheel<Series>
  /** Empty windows for use; no part of the state. */
  readonly minutePool: MinuteWindow[] = []
  readonly summaries = new SummaryPool()
  readonly #tenants = new Map<string, Map<string, Device>>()
  readonly #byMetric = new Map<Device, Map<string, Series>>()
  readonly #numbers = new Slab({ doubles: SERIES_DOUBLES, floats: 0, shorts: 0 })
  /** Series by kind, once somebody has asked; no part of the state. */
  #byKind: Map<string, Series[]> | null = null
  #lastDevice: Device | null = null
  /** One copy of each metric's name. */
  readonly #metrics = new Map<string, string>()

  constructor(time = new LogTime()) {
    this.time = time
    this.quietWheel = new Wheel(time.activityMs)
    this.logWheel = new Wheel(time.logMs)
    this.rules = new RuleBook(time)
  }

  /** Switches a flag on, and makes what the state needs for it. */
  switchOn(flag: number): void {
    if (this.flags.has(flag)) return
    this.flags.add(flag)
    if (flag === Flag.ensemble) {
      this.detectors = new Float64Array(0)
      for (let made = 0; made < this.series.length; made += PAGE_SERIES) this.ensembles.push(makeSlab(PAGE_SERIES))
    } else if (flag === Flag.together) {
      for (let made = 0; made < this.series.length; made += PAGE_SERIES) this.leanings.pages.push(pageOf(TOGETHER_SINGLES))
    } else if (flag === Flag.kin) {
      for (let made = 0; made < this.series.length; made += PAGE_SERIES) this.kin.pages.push(pageOf(KIN_SINGLES))
    }
  }

  /** Writes the series of the block's dictionary into `table`, in the dictionary's order. */
  resolve(block: Block, table: Series[]): void {
    const { seriesDevice, seriesMetric, devices } = block
    // The one copy of each name that series have as well: names that are the same object are compared at a glance.
    const metrics = block.metrics.map((name) => this.#metrics.get(name) ?? name)
    const tenant = this.#tenant(block.tenant)
    let device: Device | null = null
    let deviceAt = -1
    for (let i = 0; i < seriesDevice.length; i++) {
      if (device === null || seriesDevice[i] !== deviceAt) {
        deviceAt = seriesDevice[i]
        device = this.#deviceAfter(tenant, block.tenant, devices[deviceAt])
      }
      table[i] = this.seriesOf(device, metrics[seriesMetric[i]])
    }
  }

  /** The series of that name, made where there is none. */
  seriesAt(tenant: string, device: string, metric: string): Series {
    return this.seriesOf(this.deviceAt(tenant, device), metric)
  }

  /** The device of that name, made where there is none. */
  deviceAt(tenant: string, device: string): Device {
    return deviceOf(this.#tenant(tenant), tenant, device)
  }

  /** The series of that name; null where none ever came. */
  find(tenant: string, device: string, metric: string): Series | null {
    const known = this.#tenants.get(tenant)?.get(device)
    return known === undefined ? null : this.#known(known, metric)
  }

  /** The series of a kind, in order of their numbers. */
  seriesOfKind(kind: string): readonly Series[] {
    if (this.#byKind === null) {
      this.#byKind = new Map()
      for (const series of this.series) this.#putByKind(series)
    }
    return this.#byKind.get(kind) ?? []
  }

  #putByKind(series: Series): void {
    const kind = kindOf(series.device.tenant, series.device.name, series.metric)
    const kin = this.#byKind!.get(kind)
    if (kin === undefined) this.#byKind!.set(kind, [series])
    else kin.push(series)
  }

  /**
   * Devices report by clocks of their own, so that the order in which they come hardly changes: who came next last time is tried
   * first, which is cheaper than a look into a map of all.
   */
  #deviceAfter(tenant: Map<string, Device>, tenantName: string, name: string): Device {
    const guess = this.#lastDevice?.follower ?? null
    const device = guess !== null && guess.siblings === tenant && guess.name === name ? guess : deviceOf(tenant, tenantName, name)
    if (this.#lastDevice !== null) this.#lastDevice.follower = device
    this.#lastDevice = device
    return device
  }

  #tenant(name: string): Map<string, Device> {
    let devices = this.#tenants.get(name)
    if (devices === undefined) this.#tenants.set(name, (devices = new Map()))
    return devices
  }

  /** The series of a device, made where there is none. */
  seriesOf(device: Device, metric: string): Series {
    return this.#known(device, metric) ?? this.#makeSeries(device, metric)
  }

  #known(device: Device, metric: string): Series | null {
    const known = device.series
    if (known.length > LOOK_THROUGH_MAX) return this.#byMetric.get(device)!.get(metric) ?? null
    for (let i = 0; i < known.length; i++) if (known[i].metric === metric) return known[i]
    return null
  }

  #makeSeries(device: Device, metric: string): Series {
    let name = this.#metrics.get(metric)
    if (name === undefined) this.#metrics.set(metric, (name = metric))
    const { doubles, d } = this.#numbers.open(this.#numbers.take())
    const series = new Series(this.series.length, device, name, doubles, d)
    this.series.push(series)
    if (device.series.length < LOOK_THROUGH_MAX) device.series = [...device.series, series]
    else device.series.push(series)
    if (this.#byKind !== null) this.#putByKind(series)
    if (device.series.length > LOOK_THROUGH_MAX) {
      const byMetric = this.#byMetric.get(device)
      if (byMetric === undefined) this.#byMetric.set(device, new Map(device.series.map((s) => [s.metric, s])))
      else byMetric.set(name, series)
    }
    this.#makeDetector()
    if (this.rules.size > 0) this.rules.meet(series)
    return series
  }

  /** Room for what is known of the newest series. */
  #makeDetector(): void {
    if (this.flags.has(Flag.kin) && this.series.length > this.kin.pages.length * PAGE_SERIES) this.kin.pages.push(pageOf(KIN_SINGLES))
    if (this.flags.has(Flag.together) && this.series.length > this.leanings.pages.length * PAGE_SERIES) {
      this.leanings.pages.push(pageOf(TOGETHER_SINGLES))
    }
    if (this.flags.has(Flag.ensemble)) {
      if (this.series.length > this.ensembles.length * PAGE_SERIES) this.ensembles.push(makeSlab(PAGE_SERIES))
    } else if (this.series.length * DETECTOR_FIELDS > this.detectors.length) {
      const grown = new Float64Array(this.detectors.length * 2)
      grown.set(this.detectors)
      this.detectors = grown
    }
  }
}

function deviceOf(tenant: Map<string, Device>, tenantName: string, name: string): Device {
  let device = tenant.get(name)
  if (device === undefined) tenant.set(name, (device = { tenant: tenantName, name, series: [], siblings: tenant, follower: null }))
  return device
}

/** A page of so many singles a series. */
function pageOf(singles: number): Float32Array {
  return new Float32Array(lastingMemory(PAGE_SERIES * singles * 4))
}
