/**
 * A partition's state as bytes: columns in msgpack, a row a series or a window.
 *
 * - S1 A restored state gives the same effects for the same messages as the one that was written, forever.
 * - S2 The bytes are a function of the state, whichever way the state came about.
 */

import assert from 'node:assert/strict'
import { pack, toBytes, toFloat64, toUint32, unpack } from '../../runtime/codec.ts'
import { LogTime } from './log-time.ts'
import { DETECTOR_FIELDS } from './series/detector.ts'
import { Phase, UPPER_SIZES } from './series/series.ts'
import type { Device, Series } from './series/series.ts'
import { Bins } from './series/sketch.ts'
import type { Summary } from './series/summary.ts'
import { PartitionState } from './state.ts'

export const SNAPSHOT_VERSION = 1

/** Doubles of a series, of a minute, of a window above. */
const SERIES_NUMBERS = 6
const MINUTE_NUMBERS = 3
const UPPER_NUMBERS = 14

interface Wire {
  v: number
  settings: [number, number, number]
  /** Log time, activity clock, accepted, malformed. */
  numbers: [number, number, number, number]
  keys: [string[], Uint8Array, Uint8Array]
  /** Tenant and name of each device; names of metrics. */
  devices: [string[], string[]]
  metrics: string[]
  /** Device and metric of each series. */
  names: [Uint8Array, Uint8Array]
  series: Uint8Array
  detectors: Uint8Array
  /** Series, start, count of each open minute; and their readings, time and value by turns. */
  minutes: [Uint8Array, Uint8Array]
  /** Numbers of each open window above; values of those that hold values; keys and counts of the others. */
  upper: [Uint8Array, Uint8Array, Uint8Array]
}

export function writeSnapshot(state: PartitionState): Uint8Array {
  const { series, settings, time } = state
  const hashes: string[] = []
  const keySeqs: number[] = []
  const keyTimes: number[] = []
  for (const [hash, key] of state.keys.entries()) {
    hashes.push(hash)
    keySeqs.push(key.seq)
    keyTimes.push(key.atMs)
  }
  const devices = new Map<Device, number>()
  const metrics = new Map<string, number>()
  const deviceOf = new Uint32Array(series.length)
  const metricOf = new Uint32Array(series.length)
  const numbers = new Float64Array(series.length * SERIES_NUMBERS)
  const minutes: number[] = []
  const readings: number[][] = []
  const upper: number[] = []
  const values: number[] = []
  const bins: number[] = []
  for (const s of series) {
    deviceOf[s.id] = numberOf(devices, s.device)
    metricOf[s.id] = numberOf(metrics, s.metric)
    numbers.set([s.closedUntilMs, s.greatestMs, s.spokeAtMs, s.phase, s.quietBucket, s.logBucket], s.id * SERIES_NUMBERS)
    for (let minute = s.minutes; minute !== null; minute = minute.next) {
      minutes.push(s.id, minute.start, minute.count)
      readings.push(minute.readings())
    }
    for (let size = 1; size <= UPPER_SIZES; size++) {
      for (let window = s.upper[size - 1]; window !== null; window = window.next) writeUpper(s, size, window, upper, values, bins)
    }
  }
  const flat = new Float64Array(readings.reduce((sum, r) => sum + r.length, 0))
  let at = 0
  for (const r of readings) {
    flat.set(r, at)
    at += r.length
  }
  const wire: Wire = {
    v: SNAPSHOT_VERSION,
    settings: [settings.latenessMs, settings.idleMs, settings.retentionMs],
    numbers: [time.logMs, time.activityMs, state.accepted, state.malformed],
    keys: [hashes, toBytes(new Float64Array(keySeqs)), toBytes(new Float64Array(keyTimes))],
    devices: [[...devices.keys()].map((d) => d.tenant), [...devices.keys()].map((d) => d.name)],
    metrics: [...metrics.keys()],
    names: [toBytes(deviceOf), toBytes(metricOf)],
    series: toBytes(numbers),
    detectors: toBytes(state.detectors.subarray(0, series.length * DETECTOR_FIELDS)),
    minutes: [toBytes(new Float64Array(minutes)), toBytes(flat)],
    upper: [toBytes(new Float64Array(upper)), toBytes(new Float64Array(values)), toBytes(new Float64Array(bins))],
  }
  return pack(wire)
}

function writeUpper(series: Series, size: number, w: Summary, upper: number[], values: number[], bins: number[]): void {
  const length = w.bins === null ? -1 : w.bins.length
  upper.push(series.id, size, w.start, w.count, w.sum, w.carry, w.m2, w.min, w.max, w.firstTs, w.first, w.lastTs, w.last, length)
  if (w.bins === null) for (let i = 0; i < w.count; i++) values.push(w.values[i])
  else for (let i = 0; i < length; i++) bins.push(w.bins.keys[i], w.bins.counts[i])
}

/** Number of `item` in order of first appearance. */
function numberOf<T>(numbers: Map<T, number>, item: T): number {
  let n = numbers.get(item)
  if (n === undefined) numbers.set(item, (n = numbers.size))
  return n
}

/** The state in `bytes`. Throws on bytes that are no whole snapshot of this version. */
export function readSnapshot(bytes: Uint8Array): PartitionState {
  const wire = unpack<Wire>(bytes)
  if (wire?.v !== SNAPSHOT_VERSION) {
    throw new RangeError(`Cannot read a snapshot as its version must be ${SNAPSHOT_VERSION}: current value is ${String(wire?.v)}`)
  }
  const time = new LogTime()
  ;[time.logMs, time.activityMs] = wire.numbers
  const state = new PartitionState(time)
  state.accepted = wire.numbers[2]
  state.malformed = wire.numbers[3]
  const [latenessMs, idleMs, retentionMs] = wire.settings
  state.settings = { latenessMs, idleMs, retentionMs }
  const [hashes, keySeqs, keyTimes] = [wire.keys[0], toFloat64(wire.keys[1]), toFloat64(wire.keys[2])]
  for (let i = 0; i < hashes.length; i++) state.keys.restore(hashes[i], { seq: keySeqs[i], atMs: keyTimes[i] })
  readSeries(wire, state)
  readMinutes(wire, state)
  readUpper(wire, state)
  for (const series of state.series) series.refreshNextEnd()
  return state
}

function readSeries(wire: Wire, state: PartitionState): void {
  const deviceOf = toUint32(wire.names[0])
  const metricOf = toUint32(wire.names[1])
  const numbers = toFloat64(wire.series)
  assert.equal(numbers.length, deviceOf.length * SERIES_NUMBERS, 'a snapshot must hold the numbers of each series')
  for (let i = 0; i < deviceOf.length; i++) {
    const s = state.seriesAt(wire.devices[0][deviceOf[i]], wire.devices[1][deviceOf[i]], wire.metrics[metricOf[i]])
    assert.equal(s.id, i, 'a snapshot must name each series once')
    const at = i * SERIES_NUMBERS
    s.closedUntilMs = numbers[at]
    s.greatestMs = numbers[at + 1]
    s.spokeAtMs = numbers[at + 2]
    s.phase = numbers[at + 3] as Phase
    s.quietBucket = numbers[at + 4]
    s.logBucket = numbers[at + 5]
    if (s.phase === Phase.speaking) state.pending++
    else if (s.phase === Phase.settling) state.settling++
    if (s.quietBucket !== 0) state.quietWheel.put(s, s.quietBucket)
    if (s.logBucket !== 0) state.logWheel.put(s, s.logBucket)
  }
  const detectors = toFloat64(wire.detectors)
  assert.equal(detectors.length, deviceOf.length * DETECTOR_FIELDS, 'a snapshot must hold the detector of each series')
  state.detectors.set(detectors)
}

function readMinutes(wire: Wire, state: PartitionState): void {
  const minutes = toFloat64(wire.minutes[0])
  const readings = toFloat64(wire.minutes[1])
  let at = 0
  for (let i = 0; i < minutes.length; i += MINUTE_NUMBERS) {
    const minute = state.series[minutes[i]].minuteOf(minutes[i + 1], state.minutePool)
    for (let n = minutes[i + 2]; n > 0; n--, at += 2) minute.add(readings[at], readings[at + 1])
  }
  assert.equal(at, readings.length, 'a snapshot must hold the readings of each open minute')
}

function readUpper(wire: Wire, state: PartitionState): void {
  const upper = toFloat64(wire.upper[0])
  const values = toFloat64(wire.upper[1])
  const bins = toFloat64(wire.upper[2])
  let value = 0
  let bin = 0
  for (let i = 0; i < upper.length; i += UPPER_NUMBERS) {
    const w = state.series[upper[i]].upperAt(upper[i + 1], upper[i + 2])
    ;[w.count, w.sum, w.carry, w.m2, w.min, w.max, w.firstTs, w.first, w.lastTs, w.last] = upper.subarray(i + 3, i + 13)
    const length = upper[i + 13]
    if (length < 0) for (let n = 0; n < w.count; n++) w.values.push(values[value++])
    else {
      w.bins = new Bins()
      for (let n = 0; n < length; n++) w.bins.push(bins[bin++], bins[bin++])
    }
  }
  assert(value === values.length && bin === bins.length, 'a snapshot must hold the values of each open window')
}
