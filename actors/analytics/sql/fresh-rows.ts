/**
 * The rows of one tenant that no segment holds yet, as they go to the process that runs a query: columns, each series named once.
 *
 * Owns their form on that wire, and what of them may be shown. Leaves to tenant-views.ts what the lake alone can tell: whether an old row
 * is in it already, and which windows are the store's.
 *
 * - F1 They are of the very moment of the view, and so of the manifest that goes with it: a row is in one of the two, never in both (R1 of
 *   fresh.ts), but for old ones (R2), which are marked.
 */

import { toBytes } from '../../../runtime/codec.ts'
import { SQL_FRESH_ROWS_MAX } from '../../../runtime/limits.ts'
import { CLOSED_BY } from '../../reading/window.ts'
import { namesOf, PLAIN_ROWS, PLAIN_TABLES } from '../../store/plain.ts'
import type { PlainTable } from '../../store/plain.ts'
import { FATE_OLD } from '../data/fresh.ts'
import type { FreshView } from '../data/fresh.ts'
import type { ViewName } from './views.ts'

/** Names by series number. */
export interface FreshNames {
  readonly device: string[]
  readonly metric: string[]
}

/** Typed arrays as bytes. A view that the query does not read is left out. */
export interface FreshRows extends Readonly<Partial<Record<PlainTable, FreshPlain>>> {
  readonly names: FreshNames
  readonly readings?: { readonly series: Uint8Array; readonly ts: Uint8Array; readonly value: Uint8Array; readonly receivedAt: Uint8Array; readonly old: Uint8Array }
  readonly windows?: { readonly series: Uint8Array; readonly size: Uint8Array; readonly closedBy: Uint8Array; readonly numbers: Uint8Array }
  readonly rejects?: { readonly receivedAt: Uint8Array; readonly reason: string[]; readonly reading: string[] }
}

/** Rows that show as they are: a series each, its numbers row by row, and its texts by column, in the order of store/plain.ts. */
export interface FreshPlain {
  readonly series: Uint8Array
  readonly numbers: Uint8Array
  readonly texts: readonly (readonly (string | null)[])[]
}

/** Numbers of a fresh window, in this order, row by row. */
export const FRESH_WINDOW_NUMBERS = ['start', 'count', 'sum', 'min', 'max', 'stddev', 'first', 'last', 'p50', 'p95', 'p99', 'updated_at'] as const

/** A column of numbers that grows. */
class Growing<T extends Float64Array | Uint32Array | Uint8Array> {
  #data: T
  #length = 0
  #make: (length: number) => T

  constructor(make: (length: number) => T) {
    this.#make = make
    this.#data = make(1_024)
  }

  push(value: number): void {
    if (this.#length === this.#data.length) {
      const larger = this.#make(this.#length * 2)
      larger.set(this.#data)
      this.#data = larger
    }
    this.#data[this.#length++] = value
  }

  get length(): number {
    return this.#length
  }

  bytes(): Uint8Array {
    return toBytes(this.#data.subarray(0, this.#length) as T)
  }
}

const doubles = () => new Growing((length) => new Float64Array(length))
const wholes = () => new Growing((length) => new Uint32Array(length))
const octets = () => new Growing((length) => new Uint8Array(length))

class Names implements FreshNames {
  readonly device: string[] = []
  readonly metric: string[] = []
  #numbers = new Map<string, Map<string, number>>()

  number(device: string, metric: string): number {
    let metrics = this.#numbers.get(device)
    if (metrics === undefined) this.#numbers.set(device, (metrics = new Map()))
    let number = metrics.get(metric)
    if (number === undefined) {
      metrics.set(metric, (number = this.device.push(device) - 1))
      this.metric.push(metric)
    }
    return number
  }
}

/**
 * Rows of `tenant` for the views asked for; null where there are more than a query may be handed. `settleUntil` (epoch ms): up to there the
 * lake holds rows of streams before, so that every reading may be in it already, and every window is the store's (null for none).
 */
export function freshRowsOf(view: FreshView, tenant: string, views: ReadonlySet<ViewName>, settleUntil: number | null): FreshRows | null {
  const names = new Names()
  const parts: Omit<FreshRows, 'names'> = {
    ...(views.has('readings') ? readingsOf(view, tenant, names, settleUntil ?? -Infinity) : {}),
    ...(views.has('windows') ? windowsOf(view, tenant, names, settleUntil ?? -Infinity) : {}),
    ...Object.fromEntries(PLAIN_TABLES.filter((name) => views.has(name)).map((name) => [name, plainOf(name, view, tenant, names)])),
    ...(views.has('rejects') ? rejectsOf(view, tenant) : {}),
  }
  const plain = PLAIN_TABLES.reduce((sum, name) => sum + (parts[name]?.series.length ?? 0) / Uint32Array.BYTES_PER_ELEMENT, 0)
  const rows = (parts.readings?.old.length ?? 0) + (parts.windows?.size.length ?? 0) + plain
  return rows > SQL_FRESH_ROWS_MAX ? null : { names: { device: names.device, metric: names.metric }, ...parts }
}

function readingsOf(view: FreshView, tenant: string, names: Names, settleUntil: number): Pick<FreshRows, 'readings'> {
  const series = wholes()
  const ts = doubles()
  const value = doubles()
  const receivedAt = doubles()
  const old = octets()
  for (const commit of view.flat()) {
    for (const { block, entries, fates, timeMs } of commit.blocks) {
      if (block.tenant !== tenant) continue
      const numbers = entries.map((entry) => names.number(entry.device, entry.metric))
      for (let i = 0; i < block.ts.length; i++) {
        if (fates !== null && fates[i] > FATE_OLD) continue
        if (series.length > SQL_FRESH_ROWS_MAX) break
        series.push(numbers[block.row[i]])
        ts.push(block.ts[i])
        value.push(block.value[i])
        receivedAt.push(timeMs)
        old.push((fates !== null && fates[i] === FATE_OLD) || block.ts[i] <= settleUntil ? 1 : 0)
      }
    }
  }
  return { readings: { series: series.bytes(), ts: ts.bytes(), value: value.bytes(), receivedAt: receivedAt.bytes(), old: old.bytes() } }
}

function windowsOf(view: FreshView, tenant: string, names: Names, settleUntil: number): Pick<FreshRows, 'windows'> {
  const series = wholes()
  const size = octets()
  const closedBy = octets()
  const numbers = doubles()
  for (const { effects, timeMs } of view.flat()) {
    if (effects.windows.length === 0) continue
    const known = effects.series.map((s) => (s.tenant === tenant ? names.number(s.device, s.metric) : -1))
    for (const w of effects.windows) {
      if (known[w.series] < 0 || w.start <= settleUntil || series.length > SQL_FRESH_ROWS_MAX) continue
      series.push(known[w.series])
      size.push(w.size)
      closedBy.push(CLOSED_BY.indexOf(w.closedBy))
      for (const number of [w.start, w.count, w.sum, w.min, w.max, w.stddev, w.first, w.last, w.p50, w.p95, w.p99, timeMs]) numbers.push(number)
    }
  }
  return { windows: { series: series.bytes(), size: size.bytes(), closedBy: closedBy.bytes(), numbers: numbers.bytes() } }
}

function plainOf(name: PlainTable, view: FreshView, tenant: string, names: Names): FreshPlain {
  const series = wholes()
  const numbers = doubles()
  const texts: (string | null)[][] = namesOf(name).texts.map(() => [])
  for (const { effects, timeMs } of view.flat()) {
    for (const [s, own, words] of PLAIN_ROWS[name](effects, timeMs)) {
      const of = effects.series[s]
      if (of.tenant !== tenant || series.length > SQL_FRESH_ROWS_MAX) continue
      series.push(names.number(of.device, of.metric))
      for (const number of own) numbers.push(number)
      for (const [i, word] of words.entries()) texts[i].push(word)
    }
  }
  return { series: series.bytes(), numbers: numbers.bytes(), texts }
}

function rejectsOf(view: FreshView, tenant: string): Pick<FreshRows, 'rejects'> {
  const receivedAt = doubles()
  const reason: string[] = []
  const reading: string[] = []
  for (const rejects of view.flat().flatMap((commit) => commit.rejects)) {
    if (rejects.tenant !== tenant) continue
    for (const [why, what] of rejects.samples) {
      receivedAt.push(rejects.timeMs)
      reason.push(why)
      reading.push(what)
    }
  }
  return { rejects: { receivedAt: receivedAt.bytes(), reason, reading } }
}
