/** What a snapshot holds of each of some series, but for its open windows: name, times, detector or ensemble, forecaster. */

import { ColumnRoom, toBytes, toFloat64, toUint32 } from '../../../runtime/codec.ts'
import { TOGETHER_SINGLES } from '../device/together.ts'
import { Flag } from '../flags.ts'
import { KIN_SINGLES } from '../fleet/kin-layout.ts'
import { DETECTOR_FIELDS } from '../series/detector.ts'
import { ENSEMBLE_DOUBLES } from '../series/ensemble/layout.ts'
import { Phase } from '../series/series.ts'
import type { Device } from '../series/series.ts'
import { PAGE_BITS, PAGE_SERIES } from '../state.ts'
import type { PartitionState } from '../state.ts'
import { isText, must } from './wire.ts'
import type { Wire } from './wire.ts'

/** Doubles of a series. */
const SERIES_NUMBERS = 6

/** Kinds of a series' forecaster. */
const YOUNG = 1
const GROWN = 2

const isPhase = (n: number): n is Phase => n === Phase.rest || n === Phase.speaking || n === Phase.settling

/** Memory for the columns of one piece. */
const devicesRoom = new ColumnRoom()
const metricsRoom = new ColumnRoom()
const numbersRoom = new ColumnRoom()
const kindsRoom = new ColumnRoom()
const youngRoom = new ColumnRoom()
const grownRoom = new ColumnRoom()
const pageRoom = new ColumnRoom()

/** Devices and metrics of the pieces so far, numbered in order of first appearance. */
export class NamesWritten {
  readonly devices = new Map<Device, number>()
  readonly metrics = new Map<string, number>()
}

type Columns = Pick<Wire, 'devices' | 'metrics' | 'names' | 'series' | 'detectors'>

/** What is valid until the next call. */
export function writeColumns(state: PartitionState, from: number, until: number, names: NamesWritten): Columns {
  const { series } = state
  const deviceOf = devicesRoom.uint32(until - from)
  const metricOf = metricsRoom.uint32(until - from)
  const numbers = numbersRoom.doubles((until - from) * SERIES_NUMBERS)
  const devices: Device[] = []
  const metrics: string[] = []
  for (let id = from, at = 0; id < until; id++, at += SERIES_NUMBERS) {
    const s = series[id]
    deviceOf[id - from] = numberOf(names.devices, s.device, devices)
    metricOf[id - from] = numberOf(names.metrics, s.metric, metrics)
    numbers[at] = s.closedUntilMs
    numbers[at + 1] = s.greatestMs
    numbers[at + 2] = s.spokeAtMs
    numbers[at + 3] = s.phase
    numbers[at + 4] = s.quietBucket
    numbers[at + 5] = s.logBucket
  }
  return {
    devices: [devices.map((d) => d.tenant), devices.map((d) => d.name)],
    metrics,
    names: [toBytes(deviceOf), toBytes(metricOf)],
    series: toBytes(numbers),
    // None once the ensemble is on.
    detectors: toBytes(state.detectors.subarray(from * DETECTOR_FIELDS, until * DETECTOR_FIELDS)),
  }
}

/** Number of `item` in order of first appearance; a new one is added to `fresh`. */
function numberOf<T>(numbers: Map<T, number>, item: T, fresh: T[]): number {
  let n = numbers.get(item)
  if (n === undefined) {
    numbers.set(item, (n = numbers.size))
    fresh.push(item)
  }
  return n
}

/** Devices and metrics of the pieces so far. */
export class NamesRead {
  readonly devices: Device[] = []
  readonly metrics: string[] = []
}

/** Makes the series of a piece. */
export function readColumns(wire: Wire, state: PartitionState, names: NamesRead): void {
  const [tenants, devices] = wire.devices
  must(tenants.every(isText) && devices.every(isText) && wire.metrics.every(isText) && tenants.length === devices.length, 'it must name each series')
  devices.forEach((name, i) => names.devices.push(state.deviceAt(tenants[i], name)))
  for (const metric of wire.metrics) names.metrics.push(metric)
  const from = state.series.length
  const deviceOf = toUint32(wire.names[0])
  const metricOf = toUint32(wire.names[1])
  const numbers = numbersRoom.readFloat64(wire.series)
  must(numbers.length === deviceOf.length * SERIES_NUMBERS && metricOf.length === deviceOf.length, 'it must hold the numbers of each series')
  for (let i = 0, at = 0; i < deviceOf.length; i++, at += SERIES_NUMBERS) {
    const device = names.devices[deviceOf[i]]
    const metric = names.metrics[metricOf[i]]
    must(device !== undefined && metric !== undefined, 'it must name each series')
    const s = state.seriesOf(device, metric)
    must(s.id === from + i, 'it must name each series once')
    s.closedUntilMs = numbers[at]
    s.greatestMs = numbers[at + 1]
    s.spokeAtMs = numbers[at + 2]
    const phase = numbers[at + 3]
    must(isPhase(phase), 'a series must be in one of its phases')
    s.phase = phase as Phase
    s.quietBucket = numbers[at + 4]
    s.logBucket = numbers[at + 5]
    if (s.phase === Phase.speaking) state.pending++
    else if (s.phase === Phase.settling) state.settling++
    if (s.quietBucket !== 0) state.quietWheel.put(s, s.quietBucket)
    if (s.logBucket !== 0) state.logWheel.put(s, s.logBucket)
  }
  const detectors = toFloat64(wire.detectors)
  must(detectors.length === (state.flags.has(Flag.ensemble) ? 0 : deviceOf.length * DETECTOR_FIELDS), 'it must hold the detector of each series')
  state.detectors.set(detectors, detectors.length === 0 ? 0 : from * DETECTOR_FIELDS)
}

/** Each page of the series from `from` until `until`: which one, its first of them, and how many. */
function* pagesOf(from: number, until: number): Generator<{ page: number; first: number; count: number }> {
  for (let id = from; id < until; ) {
    const first = id & (PAGE_SERIES - 1)
    const count = Math.min(PAGE_SERIES - first, until - id)
    yield { page: id >> PAGE_BITS, first, count }
    id += count
  }
}

/** Views of the state itself. */
export function writePages(state: PartitionState, from: number, until: number): Pick<Wire, 'ensembles' | 'leanings' | 'kin'> {
  const pages = [...pagesOf(from, until)]
  const singles = (kept: readonly Float32Array[], width: number) => pages.map(({ page, first, count }) => toBytes(kept[page].subarray(first * width, (first + count) * width)))
  const out: Pick<Wire, 'ensembles' | 'leanings' | 'kin'> = {}
  if (state.flags.has(Flag.ensemble)) {
    out.ensembles = pages.map(({ page, first, count }) => toBytes(state.ensembles[page].doubles.subarray(first * ENSEMBLE_DOUBLES, (first + count) * ENSEMBLE_DOUBLES)))
  }
  if (state.flags.has(Flag.together)) out.leanings = singles(state.leanings.pages, TOGETHER_SINGLES)
  if (state.flags.has(Flag.kin)) out.kin = singles(state.kin.pages, KIN_SINGLES)
  return out
}

/** Fills the pages of the series from `from` on. */
export function readPages(wire: Wire, state: PartitionState, from: number): void {
  const pages = [...pagesOf(from, state.series.length)]
  if (state.flags.has(Flag.ensemble)) {
    const whole = 'it must hold the ensemble of each series'
    must(Array.isArray(wire.ensembles) && wire.ensembles.length === pages.length, whole)
    pages.forEach(({ page, first, count }, i) => {
      const doubles = pageRoom.readFloat64(wire.ensembles![i])
      must(doubles.length === count * ENSEMBLE_DOUBLES, whole)
      state.ensembles[page].doubles.set(doubles, first * ENSEMBLE_DOUBLES)
    })
  }
  const readSingles = (stored: Uint8Array[] | undefined, kept: readonly Float32Array[], width: number, what: string) => {
    must((stored ?? []).length === (kept.length === 0 ? 0 : pages.length), `it must hold ${what} exactly if that is switched on`)
    stored?.forEach((page, i) => {
      const singles = pageRoom.readFloat32(page)
      must(singles.length === pages[i].count * width, `it must hold ${what}`)
      kept[pages[i].page].set(singles, pages[i].first * width)
    })
  }
  readSingles(wire.leanings, state.leanings.pages, TOGETHER_SINGLES, 'what each metric leans by')
  readSingles(wire.kin, state.kin.pages, KIN_SINGLES, 'how each series stands to its kind')
}

/** What is valid until the next call. */
export function writeForecasters({ series, forecasters }: PartitionState, from: number, until: number): NonNullable<Wire['forecasters']> {
  const { young, grown } = forecasters
  const kinds = kindsRoom.bytes(until - from)
  let youngCount = 0
  for (let id = from; id < until; id++) {
    const { forecaster } = series[id]
    kinds[id - from] = forecaster === 0 ? 0 : forecaster < 0 ? YOUNG : GROWN
    if (forecaster < 0) youngCount++
  }
  let grownCount = 0
  for (const kind of kinds) if (kind === GROWN) grownCount++
  const youngRows = youngRoom.bytes(youngCount * young.rowBytes)
  const grownRows = grownRoom.bytes(grownCount * grown.rowBytes)
  let youngAt = 0
  let grownAt = 0
  for (let id = from; id < until; id++) {
    const { forecaster } = series[id]
    if (forecaster < 0) {
      youngRows.set(young.bytesOf(-forecaster - 1), youngAt)
      youngAt += young.rowBytes
    } else if (forecaster > 0) {
      grownRows.set(grown.bytesOf(forecaster - 1), grownAt)
      grownAt += grown.rowBytes
    }
  }
  return [kinds, youngRows, grownRows]
}

export function readForecasters(columns: NonNullable<Wire['forecasters']>, { series, forecasters }: PartitionState, from: number): void {
  const [kinds, ...rows] = columns
  must(columns.every((column) => column instanceof Uint8Array) && kinds.length === series.length - from, 'it must hold the forecaster of each series')
  const widths = [forecasters.young.rowBytes, forecasters.grown.rowBytes]
  const at = [0, 0]
  kinds.forEach((kind, i) => {
    must(kind <= GROWN, 'a forecaster must be of one of its kinds')
    if (kind === 0) return
    const begin = at[kind - 1]
    at[kind - 1] += widths[kind - 1]
    must(at[kind - 1] <= rows[kind - 1].length, 'it must hold the rows of all forecasters')
    series[from + i].forecaster = forecasters.restore(kind === GROWN, rows[kind - 1].subarray(begin, at[kind - 1]))
  })
  must(at[0] === rows[0].length && at[1] === rows[1].length, 'it must hold the rows of all forecasters')
}
