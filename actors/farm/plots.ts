/**
 * The plots of all tenants: documents of the actor `advice`, checked before they are put, changed by compare-and-set, known to every store by a watch.
 *
 * Owns entries and revisions, and adds to a document what its place's clocks do. Leaves the language of plots to plot.ts, and how the actor hears of one to
 * own/feed.ts.
 */

import { ErrorCode, isOperating } from '../../runtime/errors.ts'
import type { KeyValue } from '../../runtime/log.ts'
import { RevisionError } from '../../runtime/tenant-values.ts'
import { offsetsFor } from '../alert/schedule.ts'
import { zoneName } from '../../runtime/zones.ts'
import { documentKey, watchDocuments } from '../own/documents.ts'
import { decodePlain, encodePlain } from '../own/plain.ts'
import { parsePlot, PlotError } from './plot.ts'

export const FARM_ACTOR = 'advice'
const PLOTS_MAX = 500
export const PLOT_ID_RULE = '1 to 64 of A-Z a-z 0-9 . _ -'
export const isPlotId = (id: string): boolean => /^[A-Za-z0-9._-]{1,64}$/.test(id)

export interface StoredPlot {
  readonly tenant: string
  readonly id: string
  readonly revision: number
  /** As it was written. */
  readonly document: Readonly<Record<string, unknown>>
}

export class PlotRegistry {
  readonly #kv: KeyValue
  readonly #known = new Map<string, { readonly revision: number; readonly plot: StoredPlot | null }>()
  #unwatch: () => void = () => {}

  private constructor(kv: KeyValue) {
    this.#kv = kv
  }

  static async open(kv: KeyValue): Promise<PlotRegistry> {
    const registry = new PlotRegistry(kv)
    registry.#unwatch = await watchDocuments(kv, FARM_ACTOR, ({ tenant, id, revision, body }) => registry.#learn({ tenant, id, revision }, body))
    return registry
  }

  close(): void {
    this.#unwatch()
  }

  /** In order of their ids. */
  of(tenant: string): readonly StoredPlot[] {
    return [...this.#known.values()].flatMap(({ plot }) => (plot?.tenant === tenant ? [plot] : [])).sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  find(tenant: string, id: string): StoredPlot | null {
    return this.#known.get(documentKey(FARM_ACTOR, tenant, id))?.plot ?? null
  }

  /** `known`: the revision that must still hold, 0 where there must be none, null for any. Throws `PlotError` and `RevisionError`. */
  async put(tenant: string, id: string, document: unknown, known: number | null): Promise<StoredPlot> {
    if (typeof document === 'object' && document !== null && 'offsets' in document) throw new PlotError('/offsets', 'left out', document.offsets)
    const { zone } = parsePlot(document)
    const name = zoneName(zone)
    if (name === null) throw new PlotError('/zone', 'a time zone as Europe/Vienna', zone)
    if (this.find(tenant, id) === null && this.of(tenant).length >= PLOTS_MAX) throw new PlotError('', `one of at most ${PLOTS_MAX} plots of a tenant`, PLOTS_MAX)
    const body = encodePlain({ ...(document as object), zone: name, offsets: offsetsFor(name) })
    return (await this.#change(tenant, id, known, body))!
  }

  /** False where there is none. */
  async delete(tenant: string, id: string, known: number | null): Promise<boolean> {
    return this.#change(tenant, id, known, encodePlain(null)).then((changed) => changed !== null)
  }

  async #change(tenant: string, id: string, known: number | null, body: string): Promise<StoredPlot | null> {
    const key = documentKey(FARM_ACTOR, tenant, id)
    for (;;) {
      const there = await this.#kv.get(key)
      const before = there === null || plotIn({ tenant, id, revision: there.revision }, new TextDecoder().decode(there.value)) === null ? 0 : there.revision
      if (known !== null && known !== before) throw new RevisionError('plots', known, before)
      if (before === 0 && body === encodePlain(null)) return null
      try {
        const revision = await this.#kv.put(key, new TextEncoder().encode(body), there?.revision ?? 0)
        const changed = { tenant, id, revision }
        this.#learn(changed, body)
        return plotIn(changed, body) ?? { ...changed, document: {} }
      } catch (error) {
        // Somebody was faster: what they wrote is read, and decided anew.
        if (!isOperating(error, ErrorCode.conflict)) throw error
      }
    }
  }

  #learn(entry: Omit<StoredPlot, 'document'>, body: string | null): void {
    const key = documentKey(FARM_ACTOR, entry.tenant, entry.id)
    if ((this.#known.get(key)?.revision ?? 0) >= entry.revision) return
    this.#known.set(key, { revision: entry.revision, plot: body === null ? null : plotIn(entry, body) })
  }
}

/** Null for what is no object: taken away, or put by somebody else. */
function plotIn(entry: Omit<StoredPlot, 'document'>, body: string): StoredPlot | null {
  try {
    const value = decodePlain(body)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
    const { offsets: _, ...document } = value as Record<string, unknown>
    return { ...entry, document }
  } catch {
    return null
  }
}
