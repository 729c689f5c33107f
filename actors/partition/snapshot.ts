/**
 * A partition's state as bytes: columns in msgpack, a row a series or a window.
 *
 * - S1 A restored state gives the same effects for the same messages as the one that was written, forever.
 * - S2 The bytes are a function of the state, whichever way the state came about.
 * - S3 A state is written in the least format that holds it, and every older format is read: 1 is that of a state whose log has
 *   switched no flag on, 2 names the flags, 3 holds ensembles in place of detectors, 5 answers to anomalies, 6 what is known of kinds, 7 what
 *   drives series, 8 what forecasts need, 9 what the metrics of devices lean by, and how series stand to their kinds, and what
 *   kinds lend, 10 rules. So the version before reads what this one writes until a flag is on. (4 was what forecasts needed before
 *   any release had them.)
 */

import { isOperating, OperatingError } from '../../runtime/errors.ts'
import { packLarge, toBytes, toFloat32, toFloat64, told, toUint32, unpack } from '../../runtime/codec.ts'
import { TRAITS } from '../reading/input.ts'
import { DAY_HOURS } from '../reading/window.ts'
import { TOGETHER_SINGLES } from './device/together.ts'
import { Driven } from './drivers/driven.ts'
import { assertKnown, Flag } from './flags.ts'
import { KIN_SINGLES } from './fleet/kin.ts'
import { LogTime } from './log-time.ts'
import { DETECTOR_FIELDS } from './series/detector.ts'
import { ENSEMBLE_DOUBLES } from './series/ensemble/layout.ts'
import { readRules, writeRules } from './rules/snapshot.ts'
import type { RulesWire } from './rules/snapshot.ts'
import { Phase, UPPER_SIZES } from './series/series.ts'
import type { Device } from './series/series.ts'
import { SUMMARY_NUMBERS } from './series/summary.ts'
import { PAGE_SERIES, PartitionState } from './state.ts'
import { FACTOR_MAX, FACTOR_MIN } from './tuning.ts'

export const SNAPSHOT_VERSION = 10

export function snapshotVersionOf(state: PartitionState): number {
  if (state.rules.size > 0) return 10
  if (state.flags.has(Flag.together) || state.flags.has(Flag.kin) || state.flags.has(Flag.loan)) return 9
  if (state.flags.has(Flag.forecasts)) return 8
  if (state.driven.size > 0) return 7
  if (state.priors.size > 0) return 6
  if (state.tuning.size > 0) return 5
  if (state.flags.has(Flag.ensemble)) return 3
  return state.flags.size === 0 ? 1 : 2
}

/** Doubles of a series, of a minute, of a window above. */
const SERIES_NUMBERS = 6
const MINUTE_NUMBERS = 3
const UPPER_NUMBERS = SUMMARY_NUMBERS + 3

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
  /** From format 2 on: what the log has switched on, ascending. */
  flags?: number[]
  /** From format 3 on, where the flag is on: the ensembles of `PAGE_SERIES` series in each, the last of fewer. */
  ensembles?: Uint8Array[]
  /** From format 9 on, where the flag is on: what the metrics of devices lean by, in pages as of ensembles. */
  leanings?: Uint8Array[]
  /** From format 8 on, where they are switched on, of forecasters: which kind each series has (0 none); rows of the young, of the grown, in the order of series. */
  /** From format 9 on, where the flag is on: how series stand to their kinds, in pages as of ensembles; and what kinds did in their last hours. */
  kin?: Uint8Array[]
  courses?: [string, number, number, number, number, number][]
  forecasters?: [Uint8Array, Uint8Array, Uint8Array]
  /** From format 5 on: series and factor by turns. */
  tuning?: Uint8Array
  /** From format 7 on, of what drives a series: its number, names of the slots, numbers. */
  driven?: [number, string[], Uint8Array][]
  /** From format 6 on: kind, revision, scale, and of each group centre, spread and days. */
  priors?: [string, number, number, [Uint8Array, number, number][], traits?: Uint8Array][]
  /** From format 10 on. */
  rules?: RulesWire
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
  for (const s of series) {
    deviceOf[s.id] = numberOf(devices, s.device)
    metricOf[s.id] = numberOf(metrics, s.metric)
    numbers.set([s.closedUntilMs, s.greatestMs, s.spokeAtMs, s.phase, s.quietBucket, s.logBucket], s.id * SERIES_NUMBERS)
  }
  const wire: Wire = {
    v: snapshotVersionOf(state),
    settings: [settings.latenessMs, settings.idleMs, settings.retentionMs],
    numbers: [time.logMs, time.activityMs, state.accepted, state.malformed],
    keys: [hashes, toBytes(new Float64Array(keySeqs)), toBytes(new Float64Array(keyTimes))],
    devices: [[...devices.keys()].map((d) => d.tenant), [...devices.keys()].map((d) => d.name)],
    metrics: [...metrics.keys()],
    names: [toBytes(deviceOf), toBytes(metricOf)],
    series: toBytes(numbers),
    // None once the ensemble is on.
    detectors: toBytes(state.detectors.subarray(0, series.length * DETECTOR_FIELDS)),
    minutes: writeMinutes(state),
    upper: writeUpper(state),
  }
  if (state.flags.size > 0) wire.flags = [...state.flags].sort((a, b) => a - b)
  if (state.flags.has(Flag.ensemble)) {
    wire.ensembles = state.ensembles.map(({ doubles }, i) => toBytes(doubles.subarray(0, seriesOfPage(state, i) * ENSEMBLE_DOUBLES)))
  }
  if (state.flags.has(Flag.together)) wire.leanings = state.leanings.pages.map((page, i) => toBytes(page.subarray(0, seriesOfPage(state, i) * TOGETHER_SINGLES)))
  if (state.flags.has(Flag.kin)) {
    wire.kin = state.kin.pages.map((page, i) => toBytes(page.subarray(0, seriesOfPage(state, i) * KIN_SINGLES)))
    wire.courses = state.courses.entries().map((c) => [c.of, c.hour, c.members, c.moved, c.deviation, c.spread])
  }
  if (state.flags.has(Flag.forecasts)) wire.forecasters = writeForecasters(state)
  if (state.tuning.size > 0) wire.tuning = toBytes(new Float64Array(state.tuning.entries()))
  if (state.priors.size > 0) wire.priors = state.priors.entries().map((p) => [p.of, p.revision, p.scale, p.groups.map((g) => [toBytes(g.centre), g.spread, g.days]), ...(p.traits === undefined ? [] : [toBytes(p.traits)])]) as Wire['priors']
  if (state.driven.size > 0) {
    const inOrder = [...state.driven].sort(([a], [b]) => a - b)
    wire.driven = inOrder.map(([id, driven]) => [id, driven.slots.map((slot) => slot.name), toBytes(Float64Array.from(driven.numbers()))])
  }
  if (state.rules.size > 0) wire.rules = writeRules(state.rules)
  return packLarge(wire, bytesAbout(wire))
}

/** Of a name with its head, mostly less. */
const NAME_BYTES = 64
/** Of what is neither a column nor a name. */
const REST_BYTES = 65_536

/** Nearly as many bytes as the snapshot will have, or some more. */
function bytesAbout(wire: Wire): number {
  let bytes = REST_BYTES
  const add = (part: unknown): void => {
    if (part instanceof Uint8Array) bytes += part.length + 8
    else if (typeof part === 'string') bytes += NAME_BYTES
    else if (Array.isArray(part)) part.forEach(add)
  }
  Object.values(wire).forEach(add)
  return bytes
}

function seriesOfPage({ series }: PartitionState, page: number): number {
  return Math.min(PAGE_SERIES, series.length - page * PAGE_SERIES)
}

/** Kinds of a series' forecaster. */
const YOUNG = 1
const GROWN = 2

function writeForecasters({ series, forecasters }: PartitionState): [Uint8Array, Uint8Array, Uint8Array] {
  const { young, grown } = forecasters
  const kinds = new Uint8Array(series.length)
  const rows = [new Uint8Array(young.count * young.rowBytes), new Uint8Array(grown.count * grown.rowBytes)]
  const at = [0, 0]
  for (const { id, forecaster } of series) {
    if (forecaster === 0) continue
    const kind = forecaster < 0 ? YOUNG : GROWN
    const bytes = kind === YOUNG ? young.bytesOf(-forecaster - 1) : grown.bytesOf(forecaster - 1)
    kinds[id] = kind
    rows[kind - 1].set(bytes, at[kind - 1])
    at[kind - 1] += bytes.length
  }
  return [kinds, rows[0], rows[1]]
}

function writeMinutes({ series }: PartitionState): Wire['minutes'] {
  let windows = 0
  let count = 0
  for (const s of series) {
    for (let minute = s.minutes; minute !== null; minute = minute.next) {
      windows++
      count += minute.count
    }
  }
  const minutes = new Float64Array(windows * MINUTE_NUMBERS)
  const readings = new Float64Array(count * 2)
  let m = 0
  let r = 0
  for (const s of series) {
    for (let minute = s.minutes; minute !== null; minute = minute.next) {
      minutes[m++] = s.id
      minutes[m++] = minute.start
      minutes[m++] = minute.count
      r = minute.write(readings, r)
    }
  }
  return [toBytes(minutes), toBytes(readings)]
}

function writeUpper({ series, summaries }: PartitionState): Wire['upper'] {
  const room = { windows: 0, values: 0, bins: 0 }
  for (const s of series) {
    for (let size = 1; size <= UPPER_SIZES; size++) {
      for (const w of summaries.chain(s.oldest(size))) {
        room.windows++
        if (w.bins < 0) room.values += w.count
        else room.bins += w.bins
      }
    }
  }
  const upper = new Float64Array(room.windows * UPPER_NUMBERS)
  const values = new Float64Array(room.values)
  const bins = new Float64Array(room.bins * 2)
  let u = 0
  let v = 0
  let b = 0
  for (const s of series) {
    for (let size = 1; size <= UPPER_SIZES; size++) {
      for (const w of summaries.chain(s.oldest(size))) {
        upper[u] = s.id
        upper[u + 1] = size
        w.write(upper, u + 2)
        upper[u + UPPER_NUMBERS - 1] = w.bins
        if (w.bins < 0) v = w.writeList(values, v)
        else b = w.writeList(bins, b)
        u += UPPER_NUMBERS
      }
    }
  }
  return [toBytes(upper), toBytes(values), toBytes(bins)]
}

/** Number of `item` in order of first appearance. */
function numberOf<T>(numbers: Map<T, number>, item: T): number {
  let n = numbers.get(item)
  if (n === undefined) numbers.set(item, (n = numbers.size))
  return n
}

/**
 * The state in `bytes`, of any format so far. Throws `RangeError` on bytes that are no whole snapshot, and `OperatingError` `version` on one
 * of a later format, or that names a flag which is not `known`.
 */
export function readSnapshot(bytes: Uint8Array, known: readonly number[]): PartitionState {
  const wire = unpack<Wire | null>(bytes)
  const version = wire?.v
  must(Number.isInteger(version) && version! >= 1, `it must have a version: current value is ${told(version)}`)
  if (version! > SNAPSHOT_VERSION) {
    throw new OperatingError('version', `Cannot read a snapshot as its version must be at most ${SNAPSHOT_VERSION}: current value is ${version}. A newer version of Weir wrote it`)
  }
  try {
    return stateOf(wire!, known)
  } catch (error) {
    if (error instanceof RangeError || isOperating(error)) throw error
    // Parts that are of another kind than they must be.
    throw new RangeError('Cannot read a snapshot as it must be whole', { cause: error })
  }
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new RangeError(`Cannot read a snapshot as ${what}`)
}

function stateOf(wire: Wire, known: readonly number[]): PartitionState {
  const numbers = [...wire.settings, ...wire.numbers]
  must(numbers.length === 7 && numbers.every(Number.isFinite), 'its settings and clocks must be numbers')
  const time = new LogTime()
  ;[time.logMs, time.activityMs] = wire.numbers
  const state = new PartitionState(time)
  state.accepted = wire.numbers[2]
  state.malformed = wire.numbers[3]
  const [latenessMs, idleMs, retentionMs] = wire.settings
  state.settings = { latenessMs, idleMs, retentionMs }
  const flags = wire.v >= 2 ? wire.flags! : []
  must(Array.isArray(flags) && flags.every(Number.isInteger) && flags.length > 0 === wire.v >= 2, 'it must name its flags')
  assertKnown(flags, known, 'snapshot')
  for (const flag of flags) state.switchOn(flag)
  const [hashes, keySeqs, keyTimes] = [wire.keys[0], toFloat64(wire.keys[1]), toFloat64(wire.keys[2])]
  must(Array.isArray(hashes) && hashes.every(isText) && hashes.length === keySeqs.length && hashes.length === keyTimes.length, 'it must hold all of each key')
  for (let i = 0; i < hashes.length; i++) state.keys.restore(hashes[i], { seq: keySeqs[i], atMs: keyTimes[i] })
  readSeries(wire, state)
  must(state.flags.has(Flag.forecasts) === (wire.v >= 8 && wire.forecasters !== undefined), 'it must hold what forecasts need exactly if they are switched on')
  if (wire.forecasters !== undefined) readForecasters(wire.forecasters, state)
  readMinutes(wire, state)
  readUpper(wire, state)
  if (wire.tuning !== undefined) readTuning(toFloat64(wire.tuning), state)
  for (const [id, names, numbers] of wire.driven ?? []) {
    must(Number.isInteger(id) && id >= 0 && id < state.series.length && Array.isArray(names) && names.every(isText), 'it must name the series that are driven')
    const driven = new Driven()
    driven.restore(names, toFloat64(numbers))
    state.driven.set(id, driven)
  }
  for (const [of, revision, scale, groups, traits] of wire.priors ?? []) {
    const sound = typeof of === 'string' && Number.isSafeInteger(revision) && scale > 0 && groups.every(([centre]) => toFloat64(centre).length === DAY_HOURS) && (traits === undefined || toFloat64(traits).length === TRAITS)
    must(sound, 'what it knows of kinds must be whole')
    state.priors.learn({ of, revision, scale, groups: groups.map(([centre, spread, days]) => ({ centre: toFloat64(centre), spread, days })), ...(traits === undefined ? {} : { traits: toFloat64(traits) }) })
  }
  readCourses(wire.courses ?? [], state)
  if (wire.rules !== undefined) readRules(wire.rules, state)
  for (const series of state.series) series.refreshNextEnd(state.summaries)
  return state
}

const isText = (text: unknown) => typeof text === 'string'
const isCount = (n: number) => Number.isInteger(n) && n >= 1
const isPhase = (n: number): n is Phase => n === Phase.rest || n === Phase.speaking || n === Phase.settling

function readSeries(wire: Wire, state: PartitionState): void {
  const deviceOf = toUint32(wire.names[0])
  const metricOf = toUint32(wire.names[1])
  const numbers = toFloat64(wire.series)
  must(numbers.length === deviceOf.length * SERIES_NUMBERS && metricOf.length === deviceOf.length, 'it must hold the numbers of each series')
  for (let i = 0; i < deviceOf.length; i++) {
    const name = [wire.devices[0][deviceOf[i]], wire.devices[1][deviceOf[i]], wire.metrics[metricOf[i]]] as const
    must(name.every(isText), 'it must name each series')
    const s = state.seriesAt(...name)
    must(s.id === i, 'it must name each series once')
    const at = i * SERIES_NUMBERS
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
  const isEnsemble = state.flags.has(Flag.ensemble)
  must(detectors.length === (isEnsemble ? 0 : deviceOf.length * DETECTOR_FIELDS), 'it must hold the detector of each series')
  state.detectors.set(detectors)
  if (isEnsemble) readEnsembles(wire.ensembles!, state)
  readPages(wire.leanings, state.leanings.pages, TOGETHER_SINGLES, state, 'what each metric leans by')
  readPages(wire.kin, state.kin.pages, KIN_SINGLES, state, 'how each series stands to its kind')
}

function readEnsembles(pages: Uint8Array[], state: PartitionState): void {
  must(Array.isArray(pages) && pages.length === state.ensembles.length, 'it must hold the ensemble of each series')
  pages.forEach((page, i) => {
    const doubles = toFloat64(page)
    must(doubles.length === seriesOfPage(state, i) * ENSEMBLE_DOUBLES, 'it must hold the ensemble of each series')
    state.ensembles[i].doubles.set(doubles)
  })
}

/** Fills `kept` with the `singles` of each series in `pages`; `what` names them. */
function readPages(pages: Uint8Array[] | undefined, kept: readonly Float32Array[], singles: number, state: PartitionState, what: string): void {
  must((pages ?? []).length === kept.length, `it must hold ${what} exactly if that is switched on`)
  kept.forEach((page, i) => {
    const stored = toFloat32(pages![i])
    must(stored.length === seriesOfPage(state, i) * singles, `it must hold ${what}`)
    page.set(stored)
  })
}

function readCourses(courses: NonNullable<Wire['courses']>, state: PartitionState): void {
  for (const [of, hour, members, moved, deviation, spread] of courses) {
    must(typeof of === 'string' && [hour, members, moved, deviation, spread].every(Number.isFinite), 'what it knows of the hours of kinds must be whole')
    state.courses.learn({ of, hour, members, moved, deviation, spread })
  }
}

function readForecasters([kinds, ...rows]: [Uint8Array, Uint8Array, Uint8Array], { series, forecasters }: PartitionState): void {
  must([kinds, ...rows].every((column) => column instanceof Uint8Array) && kinds.length === series.length, 'it must hold the forecaster of each series')
  const at = [0, 0]
  for (const s of series) {
    const kind = kinds[s.id]
    must(kind <= GROWN, 'a forecaster must be of one of its kinds')
    if (kind === 0) continue
    const { rowBytes } = kind === YOUNG ? forecasters.young : forecasters.grown
    const from = at[kind - 1]
    at[kind - 1] += rowBytes
    must(at[kind - 1] <= rows[kind - 1].length, 'it must hold the rows of all forecasters')
    s.forecaster = forecasters.restore(kind === GROWN, rows[kind - 1].subarray(from, from + rowBytes))
  }
  must(at[0] === rows[0].length && at[1] === rows[1].length, 'it must hold the rows of all forecasters')
}

function readTuning(entries: Float64Array, state: PartitionState): void {
  must(entries.length % 2 === 0, 'it must hold the factor of each series that was answered')
  for (let i = 0; i < entries.length; i += 2) {
    const [series, factor] = [entries[i], entries[i + 1]]
    must(Number.isInteger(series) && series >= 0 && series < state.series.length && factor >= FACTOR_MIN && factor <= FACTOR_MAX, 'its factors must be of its series')
    state.tuning.restore(series, factor)
  }
}

function readMinutes(wire: Wire, state: PartitionState): void {
  const minutes = toFloat64(wire.minutes[0])
  const readings = toFloat64(wire.minutes[1])
  let at = 0
  for (let i = 0; i < minutes.length; i += MINUTE_NUMBERS) {
    const [start, count] = [minutes[i + 1], minutes[i + 2]]
    must(isCount(count) && at + 2 * count <= readings.length && Number.isInteger(start), 'it must hold the readings of each open minute')
    const minute = state.series[minutes[i]].minuteOf(start, state.minutePool)
    for (let n = count; n > 0; n--, at += 2) minute.add(readings[at], readings[at + 1])
    must(minute.count === count, 'it must hold each reading of a minute once')
  }
  must(at === readings.length, 'it must hold the readings of each open minute')
}

function readUpper(wire: Wire, state: PartitionState): void {
  const upper = toFloat64(wire.upper[0])
  const values = toFloat64(wire.upper[1])
  const bins = toFloat64(wire.upper[2])
  let value = 0
  let bin = 0
  for (let i = 0; i < upper.length; i += UPPER_NUMBERS) {
    must(Number.isInteger(upper[i + 2]), 'each open window must begin somewhere')
    const w = state.series[upper[i]].upperAt(upper[i + 1], upper[i + 2], state.summaries)
    must(w.count === 0, 'it must hold each open window once')
    const [start, count, sum, carry, m2, min, max, firstTs, first, lastTs, last] = upper.subarray(i + 2, i + 2 + SUMMARY_NUMBERS)
    w.set(start, count, sum, carry, m2, min, max, firstTs, first, lastTs, last)
    const length = upper[i + UPPER_NUMBERS - 1]
    const fits = length < 0 ? value + w.count <= values.length : Number.isInteger(length) && bin + 2 * length <= bins.length
    must(isCount(w.count) && fits, 'it must hold the values of each open window')
    if (length < 0) w.setValues(values.subarray(value, (value += w.count)), w.count)
    else w.setBins(bins.subarray(bin, (bin += 2 * length)), length)
  }
  must(value === values.length && bin === bins.length, 'it must hold the values of each open window')
}
