/**
 * The messages of `readings.<p>`: what edges and owners write, what partition actors and stores read.
 *
 * - `block`     readings of one tenant as columns, with a dictionary of their series
 * - `rejects`   what the edge turned away: exact counts a device, and a bounded sample of the texts
 * - `settings`  lateness, idle time, retention: from the message on, for every series of the partition; and changes of behaviour by number
 * - `tick`      time passes
 * - `hour`      the mean of an hour of a series that drives another one, in the log of the driven
 * - `prior`     what was learned of a kind of series, for all partitions
 * - `courses`   what kinds of series did in an hour, for partitions that hold some of them
 * - `feedback`  what somebody says of a reported anomaly: whether it was useful
 * - `rule`      a rule, or its end, for all partitions
 * - `action`    what somebody does about an alert
 *
 * Times of receipt are not in here: a message's time is the log's own.
 */

import { pack, toBytes, toFloat64, told, toUint16, toUint32, unpack } from '../../runtime/codec.ts'
import { VALUE_MAGNITUDE_MAX } from '../../runtime/limits.ts'
import { DAY_HOURS, HOUR_MS } from './window.ts'

export const SYSTEM_TENANT = 'default'
/** Furthest date that a clock can show, epoch ms. */
const TS_MAGNITUDE_MAX_MS = 8.64e15

/** One accepted reading. `ts` in whole epoch ms; `value` finite, of magnitude ≤ 1e100, never −0. */
export interface Reading {
  readonly device: string
  readonly metric: string
  readonly ts: number
  readonly value: number
}

/** Rows `[from, to)` of a block that came under an Idempotency-Key. */
export interface KeyedRows {
  /** 128-bit hash of tenant, key, and the piece's number within its request, hexadecimal. */
  readonly hash: string
  readonly from: number
  readonly to: number
}

/** Columns of one tenant's readings. Row i is series `series[row[i]]`, at `ts[i]`, of `value[i]`. */
export interface Block {
  readonly kind: 'block'
  readonly tenant: string
  readonly devices: readonly string[]
  readonly metrics: readonly string[]
  /** Distinct series of the block: index into `devices`, index into `metrics`. */
  readonly seriesDevice: Uint16Array
  readonly seriesMetric: Uint16Array
  /** Series of each row. */
  readonly row: Uint16Array
  readonly ts: Float64Array
  readonly value: Float64Array
  readonly keyed: readonly KeyedRows[]
}

/** What the edge rejected of one request or of several. */
export interface Rejects {
  readonly kind: 'rejects'
  readonly tenant: string
  /** Count of rejected readings by device; device '' where none could be read. */
  readonly counts: readonly (readonly [device: string, count: number])[]
  /** Sampled: reason, and the reading as text, cut to a bound. */
  readonly samples: readonly (readonly [reason: string, reading: string])[]
}

/** What decides when windows close and which readings are too old. */
export interface Settings {
  readonly latenessMs: number
  readonly idleMs: number
  /** Readings older than this at receipt are `expired`; 0: never. */
  readonly retentionMs: number
}

export const DEFAULT_SETTINGS: Settings = { latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }

export interface SettingsMessage {
  readonly kind: 'settings'
  readonly settings: Settings
  /** Flags that are on from here on (actors/partition/flags.ts); none where it is about settings alone. */
  readonly flags: readonly number[]
}

/** Flags in one message, and the greatest number of one. */
const FLAGS_MAX = 256
const FLAG_MAX = 0xffff

export interface Tick {
  readonly kind: 'tick'
}

/** An answer to "was this useful?", of the anomaly that its series, time and value name. */
export interface Feedback {
  readonly kind: 'feedback'
  readonly tenant: string
  readonly device: string
  readonly metric: string
  /** Epoch ms. */
  readonly ts: number
  readonly value: number
  readonly useful: boolean
}

/** A group of daily profiles: 24 distances from the day's mean in units of the kind's scale, from midnight UTC on. */
export interface PriorGroup {
  readonly centre: Float64Array
  /** Usual distance of a profile from the centre, in the same unit. */
  readonly spread: number
  /** Days of series that it was learned of. */
  readonly days: number
}

/** What is known of a kind (partition/fleet/kinds.ts). Of several messages of a kind the one of the greatest revision holds. */
export interface Prior {
  readonly kind: 'prior'
  readonly of: string
  readonly revision: number
  /** Usual amplitude of a day, in the unit of the metric; more than 0. */
  readonly scale: number
  readonly groups: readonly PriorGroup[]
  /** What a new series of the kind is lent (partition/fleet/loan.ts); left out where that is not known. */
  readonly traits?: Float64Array
}

/** An hour of a series that drives `device`/`metric`. */
export interface DriverHour {
  readonly kind: 'hour'
  readonly tenant: string
  readonly device: string
  readonly metric: string
  /** Which of its drivers it is, from 0. */
  readonly slot: number
  /** Device and metric of the driver, with a line feed between. */
  readonly driver: string
  /** Start of the hour, epoch ms. */
  readonly hour: number
  /** Mean of its readings. */
  readonly value: number
}

/** What a kind did in an hour. Of several messages of one hour the first holds. */
export interface CourseHour {
  readonly of: string
  /** Start of the hour, epoch ms. */
  readonly hour: number
  /** Series that told of the hour, and how many of these had another mean than in the hour before. */
  readonly members: number
  readonly moved: number
  /** Median of how far they were from what is usual of each, in the unit of the metric; and of how far they were from that median. */
  readonly deviation: number
  readonly spread: number
}

export interface CoursesMessage {
  readonly kind: 'courses'
  readonly courses: readonly CourseHour[]
}

/** A revision of a rule. Of several messages of one the greatest revision holds. */
export interface RuleMessage {
  readonly kind: 'rule'
  readonly tenant: string
  readonly id: string
  readonly revision: number
  /** As alert/rule.ts reads it; null: it is deleted, or not enabled. */
  readonly body: string | null
}

export const ALERT_VERBS = ['ack', 'resolve', 'shelve', 'unshelve'] as const
export type AlertVerb = (typeof ALERT_VERBS)[number]

/** What a person does about an alert, in the log of its series. */
export interface AlertAction {
  readonly kind: 'action'
  readonly tenant: string
  readonly device: string
  readonly metric: string
  /** Name of the alert. */
  readonly alert: string
  readonly action: AlertVerb
  /** Of `shelve`: until that time of the log, epoch ms. */
  readonly until?: number
  /** Who it is, and what was said. */
  readonly by: string
  readonly note: string
}

export type Input = Block | Rejects | SettingsMessage | Tick | Feedback | Prior | DriverHour | CoursesMessage | RuleMessage | AlertAction

interface WireBlock {
  k: 'b'
  t: string
  d: string[]
  m: string[]
  sd: Uint8Array
  sm: Uint8Array
  r: Uint8Array
  /** Least ts; `ts` then holds 32-bit distances to it, or doubles where `w` is 8. */
  b: number
  w: 4 | 8
  ts: Uint8Array
  v: Uint8Array
  i?: [string, number, number][]
}

/** Bytes of a block: 14 a row where its times lie within 49 days, and the dictionary. */
export function encodeBlock(block: Omit<Block, 'kind'>): Uint8Array {
  const rows = block.ts.length
  let least = Infinity
  let most = -Infinity
  for (let i = 0; i < rows; i++) {
    const t = block.ts[i]
    if (t < least) least = t
    if (t > most) most = t
  }
  const narrow = most - least <= 0xffffffff
  let ts: Uint8Array
  if (narrow) {
    const offsets = new Uint32Array(rows)
    for (let i = 0; i < rows; i++) offsets[i] = block.ts[i] - least
    ts = toBytes(offsets)
  } else ts = toBytes(block.ts)
  const wire: WireBlock = {
    k: 'b',
    t: block.tenant,
    d: block.devices as string[],
    m: block.metrics as string[],
    sd: toBytes(block.seriesDevice),
    sm: toBytes(block.seriesMetric),
    r: toBytes(block.row),
    b: least,
    w: narrow ? 4 : 8,
    ts,
    v: toBytes(block.value),
  }
  if (block.keyed.length > 0) wire.i = block.keyed.map((k) => [k.hash, k.from, k.to])
  return pack(wire)
}

export function encodeRejects(rejects: Omit<Rejects, 'kind'>): Uint8Array {
  return pack({ k: 'x', t: rejects.tenant, c: rejects.counts, s: rejects.samples })
}

export function encodeSettings(settings: Settings, flags: readonly number[] = []): Uint8Array {
  const s = [settings.latenessMs, settings.idleMs, settings.retentionMs]
  return pack(flags.length === 0 ? { k: 's', s } : { k: 's', s, f: flags })
}

export function encodeFeedback({ tenant, device, metric, ts, value, useful }: Omit<Feedback, 'kind'>): Uint8Array {
  return pack({ k: 'u', t: tenant, d: device, m: metric, ts, v: value, u: useful })
}

export function encodePrior({ of, revision, scale, groups, traits }: Omit<Prior, 'kind'>): Uint8Array {
  return pack({ k: 'p', o: of, r: revision, s: scale, g: groups.map((g) => [toBytes(g.centre), g.spread, g.days]), ...(traits === undefined ? {} : { a: toBytes(traits) }) })
}

export function encodeDriverHour({ tenant, device, metric, slot, driver, hour, value }: Omit<DriverHour, 'kind'>): Uint8Array {
  return pack({ k: 'h', t: tenant, d: device, m: metric, n: slot, o: driver, h: hour, v: value })
}

export function encodeCourses(courses: readonly CourseHour[]): Uint8Array {
  return pack({ k: 'c', h: courses.map((c) => [c.of, c.hour, c.members, c.moved, c.deviation, c.spread]) })
}

export function encodeRule({ tenant, id, revision, body }: Omit<RuleMessage, 'kind'>): Uint8Array {
  return pack({ k: 'r', t: tenant, i: id, n: revision, b: body })
}

export function encodeAction({ tenant, device, metric, alert, action, by, note, until }: Omit<AlertAction, 'kind'>): Uint8Array {
  return pack({ k: 'a', t: tenant, d: device, m: metric, i: alert, a: action, w: by, n: note, ...(until === undefined ? {} : { u: until }) })
}

const TICK = pack({ k: 't' })

export function encodeTick(): Uint8Array {
  return TICK
}

/**
 * The message in `data`. Throws `RangeError` on bytes that are none; readers of the log count such a message and pass on,
 * since someone else's bytes in the log must not stop a partition, nor a store.
 */
export function decodeInput(data: Uint8Array): Input {
  const wire = unpack<{ k?: unknown } | null>(data)
  switch (wire?.k) {
    case 'b':
      return decodeBlock(wire as unknown as WireBlock)
    case 't':
      return { kind: 'tick' }
    case 'x':
      return decodeRejects(wire as { t?: unknown; c?: unknown; s?: unknown })
    case 's':
      return decodeSettings(wire as { s?: unknown; f?: unknown })
    case 'u':
      return decodeFeedback(wire as Record<string, unknown>)
    case 'p':
      return decodePrior(wire as Record<string, unknown>)
    case 'h':
      return decodeDriverHour(wire as Record<string, unknown>)
    case 'c':
      return decodeCourses(wire as Record<string, unknown>)
    case 'r':
      return decodeRuleMessage(wire as Record<string, unknown>)
    case 'a':
      return decodeAction(wire as Record<string, unknown>)
    default:
      throw new RangeError(`Cannot read a message of the input log as its kind must be one of b, x, s, t, u, p, h, c, r, a: current value is ${told(wire?.k)}`)
  }
}

function decodeRuleMessage({ t, i, n, b }: Record<string, unknown>): RuleMessage {
  const sound = typeof t === 'string' && typeof i === 'string' && Number.isSafeInteger(n) && (n as number) >= 1 && (b === null || typeof b === 'string')
  if (!sound) throw new RangeError('Cannot read a rule as it must have a tenant, an id, a revision and a body')
  return { kind: 'rule', tenant: t as string, id: i as string, revision: n as number, body: b as string | null }
}

function decodeAction({ t, d, m, i, a, w, n, u }: Record<string, unknown>): AlertAction {
  const sound = [t, d, m, i, w, n].every((text) => typeof text === 'string') && ALERT_VERBS.includes(a as AlertVerb) && (a === 'shelve' ? Number.isFinite(u) : u === undefined)
  if (!sound) throw new RangeError('Cannot read what is done about an alert as it must name a series, an alert, an action and a person')
  return { kind: 'action', tenant: t as string, device: d as string, metric: m as string, alert: i as string, action: a as AlertVerb, by: w as string, note: n as string, ...(a === 'shelve' ? { until: u as number } : {}) }
}

/** Drivers that a series may have. */
export const DRIVERS_MAX = 4

function decodeDriverHour({ t, d, m, n, o, h, v }: Record<string, unknown>): DriverHour {
  const named = [t, d, m, o].every((name) => typeof name === 'string') && (o as string).split('\n').length === 2
  const sound = named && Number.isInteger(n) && (n as number) >= 0 && (n as number) < DRIVERS_MAX && Number.isSafeInteger(h) && (h as number) >= 0 && (h as number) % HOUR_MS === 0
  if (!sound || !Number.isFinite(v) || Math.abs(v as number) > VALUE_MAGNITUDE_MAX) throw new RangeError('Cannot read an hour of a driver as it must name a series, a slot, a driver, a whole hour, and a mean')
  return { kind: 'hour', tenant: t as string, device: d as string, metric: m as string, slot: n as number, driver: o as string, hour: h as number, value: v as number }
}

/** Kinds in one message. */
export const COURSES_MAX = 1_000

function decodeCourses({ h }: Record<string, unknown>): CoursesMessage {
  const isCount = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= 0
  const isHour = (row: unknown) => {
    if (!Array.isArray(row) || row.length !== 6 || typeof row[0] !== 'string') return false
    const [, hour, members, moved, deviation, spread] = row
    return isCount(hour) && hour % HOUR_MS === 0 && isCount(members) && isCount(moved) && moved <= members && Number.isFinite(deviation) && Number.isFinite(spread) && spread >= 0
  }
  if (!Array.isArray(h) || h.length > COURSES_MAX || !h.every(isHour)) throw new RangeError(`Cannot read what kinds did as it must be at most ${COURSES_MAX} whole hours with their members`)
  return { kind: 'courses', courses: (h as [string, number, number, number, number, number][]).map(([of, hour, members, moved, deviation, spread]) => ({ of, hour, members, moved, deviation, spread })) }
}

const PRIOR_GROUPS_MAX = 16
/** Numbers that tell what series of a kind are like. */
export const TRAITS = 14

function decodePrior({ o, r, s, g, a }: Record<string, unknown>): Prior {
  const isAmount = (n: unknown) => Number.isFinite(n) && (n as number) >= 0
  const isList = Array.isArray(g) && g.length <= PRIOR_GROUPS_MAX && g.every((group) => Array.isArray(group) && group.length === 3 && isAmount(group[1]) && isAmount(group[2]))
  if (typeof o !== 'string' || !Number.isSafeInteger(r) || !isAmount(s) || s === 0 || !isList) throw new RangeError('Cannot read a prior as it must be of a kind, with a revision, a scale and groups')
  const groups = (g as [unknown, number, number][]).map(([centre, spread, days]) => ({ centre: toFloat64(centre), spread, days }))
  if (!groups.every(({ centre }) => centre.length === DAY_HOURS && centre.every(Number.isFinite))) throw new RangeError(`Cannot read a prior as each centre must be ${DAY_HOURS} numbers`)
  const traits = a === undefined ? undefined : toFloat64(a)
  if (traits !== undefined && !(traits.length === TRAITS && traits.every(Number.isFinite))) throw new RangeError(`Cannot read a prior as its traits must be ${TRAITS} numbers`)
  return { kind: 'prior', of: o, revision: r as number, scale: s as number, groups, ...(traits === undefined ? {} : { traits }) }
}

function decodeFeedback({ t, d, m, ts, v, u }: Record<string, unknown>): Feedback {
  const sound = [t, d, m].every((name) => typeof name === 'string') && Number.isFinite(ts) && Number.isFinite(v) && typeof u === 'boolean'
  if (!sound) throw new RangeError('Cannot read an answer to an anomaly as it must name a series, a time, a value, and whether it was useful')
  return { kind: 'feedback', tenant: t as string, device: d as string, metric: m as string, ts: ts as number, value: v as number, useful: u as boolean }
}

function decodeSettings({ s: numbers, f: flags = [] }: { s?: unknown; f?: unknown }): SettingsMessage {
  const sound = Array.isArray(numbers) && numbers.length === 3 && numbers.every((ms) => Number.isFinite(ms) && ms >= 0)
  if (!sound) {
    const current = JSON.stringify(numbers)?.slice(0, 80)
    throw new RangeError(`Cannot read settings as each of the three must be a finite number of at least 0: current values are ${current}`)
  }
  const [latenessMs, idleMs, retentionMs] = numbers as [number, number, number]
  const isFlag = (flag: unknown) => Number.isInteger(flag) && (flag as number) >= 1 && (flag as number) <= FLAG_MAX
  if (!Array.isArray(flags) || flags.length > FLAGS_MAX || !flags.every(isFlag)) {
    throw new RangeError(`Cannot read settings as their flags must be at most ${FLAGS_MAX} whole numbers from 1 to ${FLAG_MAX}`)
  }
  return { kind: 'settings', settings: { latenessMs, idleMs, retentionMs }, flags: flags as number[] }
}

function decodeRejects({ t, c, s }: { t?: unknown; c?: unknown; s?: unknown }): Rejects {
  const pairs = (list: unknown, second: (of: unknown) => boolean): boolean => {
    return Array.isArray(list) && list.every((pair) => Array.isArray(pair) && pair.length === 2 && typeof pair[0] === 'string' && second(pair[1]))
  }
  const sound = typeof t === 'string' && pairs(c, (n) => Number.isSafeInteger(n) && (n as number) >= 0) && pairs(s, (text) => typeof text === 'string')
  if (!sound) throw new RangeError('Cannot read rejects as they must be counts by device and pairs of reason and reading')
  return { kind: 'rejects', tenant: t as string, counts: c as [string, number][], samples: s as [string, string][] }
}

function decodeBlock(wire: WireBlock): Block {
  let ts: Float64Array
  if (wire.w === 4) {
    const offsets = toUint32(wire.ts)
    ts = new Float64Array(offsets.length)
    const least = Number(wire.b)
    for (let i = 0; i < ts.length; i++) ts[i] = least + offsets[i]
  } else ts = toFloat64(wire.ts)
  const value = toFloat64(wire.v)
  const row = toUint16(wire.r)
  const seriesDevice = toUint16(wire.sd)
  const seriesMetric = toUint16(wire.sm)
  if (row.length !== ts.length || value.length !== ts.length || seriesDevice.length !== seriesMetric.length) {
    throw new RangeError(`Cannot read a block as its columns must be of one length: current lengths are ${row.length}, ${ts.length}, ${value.length}`)
  }
  const keyed = wire.i ?? []
  if (!Array.isArray(keyed) || !keyed.every(Array.isArray)) throw new RangeError('Cannot read a block as its keys must be a list of hashes and row ranges')
  const block: Block = {
    kind: 'block',
    tenant: wire.t,
    devices: wire.d,
    metrics: wire.m,
    seriesDevice,
    seriesMetric,
    row,
    ts,
    value,
    keyed: keyed.map(([hash, from, to]) => ({ hash, from, to })),
  }
  assertSound(block)
  return block
}

/** Every reader passes over the same blocks: those that point outside themselves or hold what no edge lets in. */
function assertSound(block: Block): void {
  const { devices, metrics, seriesDevice, seriesMetric, row, ts, value } = block
  let sound = typeof block.tenant === 'string' && Array.isArray(devices) && Array.isArray(metrics)
  if (sound) {
    for (const name of devices) sound &&= typeof name === 'string'
    for (const name of metrics) sound &&= typeof name === 'string'
    for (let i = 0; i < seriesDevice.length; i++) sound &&= seriesDevice[i] < devices.length && seriesMetric[i] < metrics.length
    const series = seriesDevice.length
    for (let i = 0; i < row.length; i++) {
      // Written so that NaN fails each comparison.
      sound &&= row[i] < series && Math.abs(value[i]) <= VALUE_MAGNITUDE_MAX && Math.abs(ts[i]) <= TS_MAGNITUDE_MAX_MS && Math.floor(ts[i]) === ts[i]
    }
    for (const { hash, from, to } of block.keyed) {
      sound &&= typeof hash === 'string' && Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from <= to && to <= row.length
    }
  }
  if (!sound) throw new RangeError('Cannot read a block as its rows must be finite readings of the series that it names')
}
