/**
 * Validation: one pass from parsed items to columns, with a verdict for each reading.
 *
 * Owns the rules of a reading (api.md of a client's side: names, times, magnitudes) and the wording of reasons. Leaves the
 * formats to parse-*.ts, and where columns go to the edge.
 *
 * Invariants
 * - V1 A row in the columns is a valid reading: a known series, a whole `ts` in range, a finite `value` that is never −0.
 * - V2 Every reading handed in is either a row or counted as rejected, exactly once; one never changes the fate of another.
 * - V3 A bad reading is data: nothing here throws on what a client sent, and reasons are made only for as many as are named.
 * - V4 The columns are used again, and so are the lists of the rejected while they are empty: who takes anything out of a batch
 *   does so before the next `reset`.
 */

import {
  BODY_READINGS_MAX,
  REJECT_TEXT_MAX,
  REJECTS_KEPT_MAX,
  REJECTS_NAMED_MAX,
  TS_AHEAD_MS,
  TS_MIN_MS,
  VALUE_MAGNITUDE_MAX,
} from '../../runtime/limits.ts'
import { DEVICE_RULE, METRIC_RULE } from './validate-names.ts'
import type { Device, Names, Series } from './validate-names.ts'
import { rfc3339 } from './validate-time.ts'

/** A rejected reading as the answer names it: the index of its item in the request, and why. */
export interface Rejected {
  readonly index: number
  readonly reason: string
}

/** A rejected reading as the `rejects` view keeps it. */
export interface RejectSample {
  /** '' where no device could be read, or the key may not speak for it. */
  readonly device: string
  readonly reason: string
  readonly reading: string
}

/**
 * What was wrong with a reading: one of its parts, `key` where the key may not speak for the device, `form` where it was no reading at all, `body`
 * where the whole body was of no use.
 */
export const REJECT_CAUSES = ['device', 'metric', 'ts', 'value', 'key', 'form', 'body'] as const
export type RejectCause = (typeof REJECT_CAUSES)[number]

/** The columns of one request, and what was rejected of it. Made once, and used again by `reset`. */
export class Batch {
  /** Rows. Row i is of `series[i]`, at `ts[i]` (whole epoch ms), of `value[i]`. */
  count = 0
  readonly series: Series[] = []
  ts = new Float64Array(1024)
  value = new Float64Array(1024)

  /** The first `REJECTS_NAMED_MAX` of the rejected. */
  rejected: Rejected[] = []
  rejectedCount = 0
  /** Of the rejected: those whose device the key may not speak for. */
  forbiddenCount = 0
  /** Exact counts of the rejected by device. */
  rejectedBy = new Map<string, number>()
  /** Counts of the rejected by cause. */
  rejectedFor = new Map<RejectCause, number>()
  /** The first `REJECTS_KEPT_MAX` of the rejected, as text. */
  samples: RejectSample[] = []
  /** Why the body as a whole is of no use, or null. */
  refusal: string | null = null

  #names: Names
  #prefixes: readonly string[] = []
  #nowMs = 0
  #tsMaxMs = 0

  constructor(names: Names) {
    this.#names = names
  }

  /** Empties the batch for a request of a tenant's `names`, at `nowMs`, of a key bound to `prefixes` (none: any device). */
  reset(names: Names, nowMs: number, prefixes: readonly string[] = []): void {
    this.count = 0
    if (this.rejectedCount > 0) {
      // Whoever took these out may still hold them, so they are left to them.
      this.rejected = []
      this.rejectedBy = new Map()
      this.rejectedFor = new Map()
      this.samples = []
    }
    this.rejectedCount = 0
    this.forbiddenCount = 0
    this.refusal = null
    this.#names = names
    this.#prefixes = prefixes
    this.#nowMs = Math.trunc(nowMs)
    this.#tsMaxMs = this.#nowMs + TS_AHEAD_MS
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** Whether the request holds more readings than one may: the parser stops, and the whole of it is refused. */
  get tooMany(): boolean {
    return this.count + this.rejectedCount > BODY_READINGS_MAX
  }

  /** Says that the body as a whole can't be used: no row of it is taken. It counts as one rejected reading, `text` of it is kept. */
  refuse(reason: string, text = ''): void {
    this.refusal = reason
    this.count = 0
    this.reject(0, '', () => reason, text, 'body')
  }

  /**
   * A reading, its parts as they came. `item` is what a sample shows of it (left out: the parts). Where one item holds several
   * readings, `part` says what each is called, and the reason names it.
   */
  add(index: number, device: unknown, metric: unknown, ts: unknown, value: unknown, item?: unknown, part?: 'metric' | 'field'): void {
    let owner: Device | undefined
    if (typeof device === 'string') owner = this.#names.find(device) ?? this.#names.addDevice(device)
    if (owner === undefined) {
      return this.reject(index, '', () => lead(part, metric) + nameReason('device', device, DEVICE_RULE), item ?? { device, metric, ts, value }, 'device')
    }
    if (this.#prefixes.length !== 0 && !this.#permitted(owner.name)) {
      this.forbiddenCount++
      return this.reject(index, '', () => `${lead(part, metric)}the key may not write for device ${quote(owner.name)}: its prefixes are ${this.#prefixes.join(', ')}.`, item ?? { device, metric, ts, value }, 'key')
    }
    let series: Series | undefined
    if (typeof metric === 'string') series = owner.find(metric) ?? this.#names.addSeries(owner, metric)
    if (series === undefined) {
      return this.reject(index, owner.name, () => lead(part, metric) + nameReason('metric', metric, METRIC_RULE), item ?? { device, metric, ts, value }, 'metric')
    }

    let number: number
    if (typeof value === 'number') number = value
    else if (typeof value === 'boolean') number = value ? 1 : 0
    else number = NaN
    if (!(number >= -VALUE_MAGNITUDE_MAX && number <= VALUE_MAGNITUDE_MAX)) {
      return this.reject(index, owner.name, () => lead(part, metric) + valueReason(value), item ?? { device, metric, ts, value }, 'value')
    }

    let atMs: number
    if (typeof ts === 'number') atMs = Math.trunc(ts)
    else if (ts === undefined) atMs = this.#nowMs
    else if (typeof ts === 'string') atMs = rfc3339(ts)
    else if (ts instanceof Date) atMs = ts.getTime()
    else atMs = NaN
    if (!(atMs >= TS_MIN_MS && atMs <= this.#tsMaxMs)) {
      return this.reject(index, owner.name, () => lead(part, metric) + timeReason(ts, atMs, this.#nowMs), item ?? { device, metric, ts, value }, 'ts')
    }

    const at = this.count
    if (at === this.ts.length) this.#grow()
    this.series[at] = series
    this.ts[at] = atMs
    // Adding 0 turns −0 into 0 and leaves every other number as it is.
    this.value[at] = number + 0
    this.count = at + 1
  }

  /** Counts a reading of `device` ('' where unknown) as rejected; `item` is what a sample shows of it. */
  reject(index: number, device: string, reason: () => string, item: unknown, cause: RejectCause = 'form'): void {
    this.rejectedCount++
    this.rejectedFor.set(cause, (this.rejectedFor.get(cause) ?? 0) + 1)
    this.rejectedBy.set(device, (this.rejectedBy.get(device) ?? 0) + 1)
    if (this.rejected.length < REJECTS_NAMED_MAX) {
      const said = capitalised(reason())
      this.rejected.push({ index, reason: said })
      if (this.samples.length < REJECTS_KEPT_MAX) this.samples.push({ device, reason: said, reading: textOf(item) })
    }
  }

  #permitted(device: string): boolean {
    for (const prefix of this.#prefixes) if (device.startsWith(prefix)) return true
    return false
  }

  #grow(): void {
    const ts = new Float64Array(this.ts.length * 2)
    const value = new Float64Array(ts.length)
    ts.set(this.ts)
    value.set(this.value)
    this.ts = ts
    this.value = value
  }
}

/** What stands before the reason. */
function lead(part: string | undefined, metric: unknown): string {
  return part === undefined ? '' : `${part} ${quote(metric)}: `
}

function nameReason(part: 'device' | 'metric', name: unknown, rule: string): string {
  if (name === undefined) return `${part} is missing; it must be ${rule}.`
  return `${part} must be ${rule}: current value is ${quote(name)}.`
}

function valueReason(value: unknown): string {
  if (value === undefined) return 'value is missing; it must be a number or a boolean.'
  if (typeof value === 'number') return `value must be finite and of magnitude at most ${VALUE_MAGNITUDE_MAX}: current value is ${value}.`
  return `value must be a number or a boolean: current value is ${quote(value)}.`
}

function timeReason(ts: unknown, atMs: number, nowMs: number): string {
  if (Number.isNaN(atMs)) return `ts must be epoch milliseconds or an RFC 3339 string: current value is ${quote(ts)}.`
  if (atMs > nowMs) return `ts must be at most 24 h ahead of the server's clock, which says ${new Date(nowMs).toISOString()}: current value is ${quote(ts)}.`
  const seconds = atMs * 1000 >= TS_MIN_MS && atMs * 1000 <= nowMs + TS_AHEAD_MS
  return `ts must be epoch milliseconds from 2000-01-01 on: current value is ${quote(ts)}${seconds ? ', which looks like seconds' : ''}.`
}

/** A value as a reason shows it: short, and never more than one line. */
export function quote(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify((value.length > 64 ? `${value.slice(0, 64)}…` : value).toWellFormed())
    case 'number':
    case 'boolean':
    case 'bigint':
    case 'undefined':
      return String(value)
    default:
      if (value === null) return 'null'
      if (value instanceof Date) return 'a time out of range'
      return Array.isArray(value) ? 'an array' : 'an object'
  }
}

function textOf(item: unknown): string {
  let text: string | undefined
  if (typeof item === 'string') text = item
  else {
    try {
      text = JSON.stringify(item)
    } catch {
      // Dates out of range and the like have no JSON; a sample of a reading is a help, not a promise.
    }
  }
  return (text ?? String(item)).slice(0, REJECT_TEXT_MAX).toWellFormed()
}

function capitalised(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1)
}
