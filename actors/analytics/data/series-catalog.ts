/**
 * The catalog of series: every series of every tenant, with its count, its first time and its last value.
 *
 * Owns what is known of each series, and the order of names for paging. Leaves to the tail when readings come and when the lake
 * has them.
 *
 * - C1 The last value is by event time; of equal times the largest value is last.
 * - C2 `sealed` equals the rows in the lake's manifest, `fresh` those of commits beyond it: their sum is what `/v1/readings` can show.
 * - C3 `observe` costs a comparison a reading; names are looked up once a block.
 */

import type { Block } from '../../reading/input.ts'

/** One series. Times are epoch ms. */
export class SeriesEntry {
  readonly tenant: string
  readonly device: string
  readonly metric: string
  /** Rows in the lake. */
  sealed = 0
  /** Rows of commits that the lake does not cover yet. */
  fresh = 0
  first = Infinity
  ts = -Infinity
  value = 0
  receivedAt = 0

  constructor(tenant: string, device: string, metric: string) {
    this.tenant = tenant
    this.device = device
    this.metric = metric
  }

  get count(): number {
    return this.sealed + this.fresh
  }

  last(ts: number, value: number, receivedAt: number): void {
    if (ts > this.ts || (ts === this.ts && value > this.value)) {
      this.ts = ts
      this.value = value
      this.receivedAt = receivedAt
    }
  }
}

/** Names of a tenant, in order; names that came since the last look are merged in when somebody looks. */
class Tenant {
  readonly devices = new Map<string, Map<string, SeriesEntry>>()
  #ordered: string[] = []
  #added: string[] = []
  #stale = false

  entry(tenant: string, device: string, metric: string): SeriesEntry {
    let metrics = this.devices.get(device)
    if (metrics === undefined) {
      metrics = new Map()
      this.devices.set(device, metrics)
      this.#added.push(device)
    }
    let entry = metrics.get(metric)
    if (entry === undefined) {
      entry = new SeriesEntry(tenant, device, metric)
      metrics.set(metric, entry)
    }
    return entry
  }

  delete(device: string, metric: string): void {
    const metrics = this.devices.get(device)
    if (metrics === undefined || !metrics.delete(metric) || metrics.size > 0) return
    this.devices.delete(device)
    this.#stale = true
  }

  ordered(): readonly string[] {
    if (this.#stale) {
      this.#ordered = [...this.devices.keys()].sort()
      this.#added = []
      this.#stale = false
    }
    if (this.#added.length > 0) {
      this.#added.sort()
      this.#ordered = merge(this.#ordered, this.#added)
      this.#added = []
    }
    return this.#ordered
  }
}

/** What a request asks for; null: any. */
export interface SeriesFilter {
  readonly devices: ReadonlySet<string> | null
  readonly metrics: ReadonlySet<string> | null
  readonly prefix: string | null
}

export function matches(filter: SeriesFilter, device: string, metric: string): boolean {
  return (
    (filter.devices === null || filter.devices.has(device)) &&
    (filter.metrics === null || filter.metrics.has(metric)) &&
    (filter.prefix === null || device.startsWith(filter.prefix))
  )
}

export class SeriesCatalog {
  #tenants = new Map<string, Tenant>()
  size = 0
  /** Series that were taken out so far: entries resolved before may be of a series that is gone. */
  forgotten = 0

  entry(tenant: string, device: string, metric: string): SeriesEntry {
    let of = this.#tenants.get(tenant)
    if (of === undefined) {
      of = new Tenant()
      this.#tenants.set(tenant, of)
    }
    const known = of.devices.get(device)?.get(metric)
    if (known !== undefined) return known
    this.size++
    return of.entry(tenant, device, metric)
  }

  find(tenant: string, device: string, metric: string): SeriesEntry | null {
    return this.#tenants.get(tenant)?.devices.get(device)?.get(metric) ?? null
  }

  /** The entries of a block's dictionary, by the block's series index. */
  resolve(block: Block): SeriesEntry[] {
    const { tenant, devices, metrics, seriesDevice, seriesMetric } = block
    const known = this.#tenants.get(tenant)
    const byDevice = new Array<Map<string, SeriesEntry> | undefined>(devices.length)
    const entries = new Array<SeriesEntry>(seriesDevice.length)
    for (let s = 0; s < entries.length; s++) {
      const d = seriesDevice[s]
      const metric = metrics[seriesMetric[s]]
      entries[s] = (byDevice[d] ??= known?.devices.get(devices[d]))?.get(metric) ?? this.entry(tenant, devices[d], metric)
    }
    return entries
  }

  /** Takes a block's rows as they arrive, before any commit covers them: what is last. */
  observe(block: Block, entries: readonly SeriesEntry[], receivedAt: number): void {
    const { row, ts, value } = block
    for (let i = 0; i < ts.length; i++) {
      const entry = entries[row[i]]
      const t = ts[i]
      if (t < entry.ts) continue
      entry.last(t, value[i], receivedAt)
    }
  }

  /** Takes a series out, when none of its rows is left. */
  forget(entry: SeriesEntry): void {
    const of = this.#tenants.get(entry.tenant)
    if (of?.devices.get(entry.device)?.get(entry.metric) !== entry) return
    of.delete(entry.device, entry.metric)
    this.size--
    this.forgotten++
  }

  /** Every series, in no order. */
  *all(): Generator<SeriesEntry> {
    for (const of of this.#tenants.values()) for (const metrics of of.devices.values()) yield* metrics.values()
  }

  /**
   * The series of a tenant that `filter` lets pass, ordered by device, then metric, beginning behind `after`. Lazy: a page costs
   * what it shows, and what the filter turns away.
   */
  *list(tenant: string, filter: SeriesFilter, after: readonly [device: string, metric: string] | null = null): Generator<SeriesEntry> {
    const of = this.#tenants.get(tenant)
    if (of === undefined) return
    const devices = filter.devices !== null ? [...filter.devices].sort() : of.ordered()
    const least = filter.prefix !== null && (after === null || filter.prefix > after[0]) ? filter.prefix : (after?.[0] ?? '')
    for (let i = lowerBound(devices, least); i < devices.length; i++) {
      const device = devices[i]
      if (filter.prefix !== null && !device.startsWith(filter.prefix)) {
        if (device > filter.prefix) return
        continue
      }
      const metrics = of.devices.get(device)
      if (metrics === undefined) continue
      const names = filter.metrics !== null ? [...filter.metrics] : [...metrics.keys()]
      if (names.length > 1) names.sort()
      for (const metric of names) {
        if (after !== null && device === after[0] && metric <= after[1]) continue
        const entry = metrics.get(metric)
        if (entry !== undefined) yield entry
      }
    }
  }
}

function lowerBound(sorted: readonly string[], least: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle] < least) low = middle + 1
    else high = middle
  }
  return low
}

function merge(a: readonly string[], b: readonly string[]): string[] {
  const out = new Array<string>(a.length + b.length)
  let i = 0
  let j = 0
  for (let k = 0; k < out.length; k++) out[k] = j >= b.length || (i < a.length && a[i] < b[j]) ? a[i++] : b[j++]
  return out
}
