/**
 * The kept views of all tenants: one value a tenant in the log's key-value store, edited by compare-and-set, known to every store and its writer by a watch.
 *
 * Owns entries, their revision and their bounds. Leaves the compiling to who asks for a view, and the parts to the store.
 */

import { VIEWS_MAX } from '../../runtime/limits.ts'
import type { KeyValue } from '../../runtime/log.ts'
import { TenantValues } from '../../runtime/tenant-values.ts'
import { ViewError } from './listed.ts'
import { keptViewsIn } from './kept.ts'
import type { KeptView, KeptViews } from './kept.ts'

type Named = Readonly<Record<string, KeptView>>
interface Entry {
  readonly tenant: string
  readonly views: Named
}

const NONE: Entry = { tenant: '', views: {} }

export class ViewRegistry {
  readonly #values: TenantValues<Entry>

  private constructor(values: TenantValues<Entry>) {
    this.#values = values
  }

  static async open(kv: KeyValue): Promise<ViewRegistry> {
    const decode = (json: unknown): Entry => {
      const { tenant, views } = json as Entry
      return typeof tenant === 'string' ? { tenant, views: keptViewsIn(tenant, views) } : NONE
    }
    return new ViewRegistry(await TenantValues.open({ kv, name: 'views', none: NONE, decode }))
  }

  close(): void {
    this.#values.close()
  }

  /** Views of a tenant by name, and the revision of them all. */
  of(tenant: string): { readonly revision: number; readonly views: Named } {
    const { revision, value } = this.#values.of(tenant)
    return { revision, views: value.views }
  }

  /** Those of all tenants; what has none is left out. */
  all(): KeptViews {
    const entries = this.#values.all().filter(({ views }) => Object.keys(views).length > 0)
    return Object.fromEntries(entries.sort((a, b) => (a.tenant < b.tenant ? -1 : 1)).map(({ tenant, views }) => [tenant, views]))
  }

  /** Stores a view; gives the new revision. `known`: the revision that must still hold, null for any. Throws `ViewError` and `RevisionError`. */
  async put(tenant: string, name: string, view: KeptView, known: number | null): Promise<number> {
    const changed = await this.#values.change(tenant, known, ({ views }) => {
      if (!Object.hasOwn(views, name) && Object.keys(views).length >= VIEWS_MAX) throw new ViewError(`Cannot keep this view as a tenant has at most ${VIEWS_MAX}. Take one away that nobody reads`)
      return { tenant, views: { ...views, [name]: view } }
    })
    return changed.revision
  }

  /** Takes a view away; false where there is none. */
  async delete(tenant: string, name: string, known: number | null): Promise<boolean> {
    const changed = await this.#values.change(tenant, known, ({ views }): Entry | null => {
      if (!Object.hasOwn(views, name)) return null
      const { [name]: _, ...rest } = views
      return { tenant, views: rest }
    })
    return changed !== null
  }
}
