/**
 * The series that are known here: the first thousand of the tenant, and whatever was searched for beyond them.
 *
 * Owns loading and searching. Leaves showing to series-list.ts and finder.ts.
 */

import type { Api } from './api.ts'
import { rank } from './match.ts'
import type { SeriesKey, SeriesPage, SeriesRow } from './shapes.ts'

/** Series held at first; a tenant with more is searched by the server as well. */
const PAGE_SIZE = 1_000
const FOUND_MAX = 30

export interface Catalog {
  /** Loads the first page anew. */
  refresh(signal?: AbortSignal): Promise<void>
  /** Best matches of what is held; where the tenant has more, the server is asked too. */
  search(typed: string, signal: AbortSignal): Promise<SeriesRow[]>
  /** The same, of what is held alone. */
  searchHeld(typed: string): SeriesRow[]
  get(key: SeriesKey): SeriesRow | undefined
  /** All series of a device, by metric. */
  ofDevice(device: string): SeriesRow[]
  /** Makes sure that the series of `device` are held. */
  fetchDevice(device: string, signal?: AbortSignal): Promise<void>
  /** Takes up a reading that came live; `added` is 0 for one that is counted already. */
  note(reading: { device: string; metric: string; ts: number; value: number }, added: 0 | 1): void
  rows(): SeriesRow[]
  /** Whether the tenant has more than is held. */
  partial(): boolean
}

export function createCatalog(api: Api): Catalog {
  const held = new Map<string, SeriesRow>()
  let partial = false
  const name = (key: SeriesKey) => `${key.device}\n${key.metric}`

  const take = (rows: readonly SeriesRow[]) => {
    for (const row of rows) {
      const known = held.get(name(row))
      // A live reading may be ahead of the list that was under way meanwhile.
      held.set(name(row), known && known.last > row.last ? { ...row, last: known.last, value: known.value } : row)
    }
  }

  return {
    async refresh(signal) {
      const page = await api.get<SeriesPage>('/v1/series', { limit: PAGE_SIZE }, signal)
      take(page.series)
      partial = Boolean(page.cursor)
    },
    async search(typed, signal) {
      if (partial && typed.trim() !== '') {
        const page = await api.get<SeriesPage>('/v1/series', { prefix: typed.trim().split(/\s+/)[0], limit: 100 }, signal)
        take(page.series)
      }
      return this.searchHeld(typed)
    },
    searchHeld: (typed) => rank(typed, held.values(), FOUND_MAX),
    get: (key) => held.get(name(key)),
    ofDevice: (device) => rank('', [...held.values()].filter((row) => row.device === device), 100),
    async fetchDevice(device, signal) {
      take((await api.get<SeriesPage>('/v1/series', { device, limit: 100 }, signal)).series)
    },
    note(reading, added) {
      const row = held.get(name(reading))
      if (!row) held.set(name(reading), { device: reading.device, metric: reading.metric, count: 1, first: reading.ts, last: reading.ts, value: reading.value })
      else if (reading.ts >= row.last) held.set(name(reading), { ...row, count: row.count + added, last: reading.ts, value: reading.value })
      else held.set(name(reading), { ...row, count: row.count + added })
    },
    rows: () => rank('', held.values(), PAGE_SIZE),
    partial: () => partial,
  }
}
