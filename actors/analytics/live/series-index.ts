/**
 * Who is to hear of which series: an index by device of those who named devices, beside the list of those who did not.
 *
 * - X1 A message costs one look-up a series of its dictionary, and what it matches; not a look at everyone who listens.
 */

import type { Events } from './events.ts'
import type { LiveFilter } from './subscriber.ts'
import { matches } from '../data/series-catalog.ts'

/** What is indexed: one filter, and whoever stands behind it. */
export interface Indexed {
  readonly filter: LiveFilter
}

class Tenant<T> {
  readonly byDevice = new Map<string, Set<T>>()
  readonly others = new Set<T>()
}

export class LiveIndex<T extends Indexed> {
  #tenants = new Map<string, Tenant<T>>()

  add(one: T): void {
    const { tenant, filter } = one.filter
    let of = this.#tenants.get(tenant)
    if (of === undefined) this.#tenants.set(tenant, (of = new Tenant()))
    if (filter.devices === null) return void of.others.add(one)
    for (const device of filter.devices) {
      const those = of.byDevice.get(device)
      if (those === undefined) of.byDevice.set(device, new Set([one]))
      else those.add(one)
    }
  }

  remove(one: T): void {
    const { tenant, filter } = one.filter
    const of = this.#tenants.get(tenant)
    if (of === undefined) return
    of.others.delete(one)
    for (const device of filter.devices ?? []) {
      const those = of.byDevice.get(device)
      those?.delete(one)
      if (those?.size === 0) of.byDevice.delete(device)
    }
    if (of.others.size === 0 && of.byDevice.size === 0) this.#tenants.delete(tenant)
  }

  /** Whether anyone listens to a tenant. */
  has(tenant: string): boolean {
    return this.#tenants.has(tenant)
  }

  /** Those who asked for any series of the events, with the numbers of these series. */
  match({ series }: Pick<Events, 'series'>): Map<T, number[]> {
    const found = new Map<T, number[]>()
    const add = (one: T, s: number) => {
      const wanted = found.get(one)
      if (wanted === undefined) found.set(one, [s])
      else wanted.push(s)
    }
    for (let s = 0; s < series.length; s++) {
      const { tenant, device, metric } = series[s]
      const of = this.#tenants.get(tenant)
      if (of === undefined) continue
      for (const one of of.others) if (matches(one.filter.filter, device, metric)) add(one, s)
      for (const one of of.byDevice.get(device) ?? []) if (matches(one.filter.filter, device, metric)) add(one, s)
    }
    return found
  }
}
