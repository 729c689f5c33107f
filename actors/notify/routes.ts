/**
 * The routes of all tenants: a document each in the log's key-value store, edited by compare-and-set and known to every process by a watch.
 *
 * Owns entries and their revisions, and that a secret which is not sent anew is kept. Leaves the language to document.ts.
 */

import { ErrorCode, isOperating } from '../../runtime/errors.ts'
import { ROUTES_MAX } from '../../runtime/limits.ts'
import type { KeyValue } from '../../runtime/log.ts'
import { RevisionError } from '../../runtime/tenant-values.ts'
import { parseRoute, RouteError } from './document.ts'
import type { Route, Target } from './route.ts'

export interface StoredRoute {
  readonly tenant: string
  readonly id: string
  readonly revision: number
  /** As it was written, with its secrets: never to be shown as it is. */
  readonly document: Record<string, unknown>
  /** Null: it is switched off. */
  readonly route: Route | null
}

const PREFIX = 'route.'
const keyOf = (tenant: string, id: string) => `${PREFIX}${Buffer.from(tenant).toString('base64url')}.${id}`
/** Stored documents have their secrets. */
const NO_DRAW = (): string => ''

export class RouteRegistry {
  readonly #kv: KeyValue
  readonly #known = new Map<string, StoredRoute>()
  /** Of entries that are gone: an older word of one must not bring it back. */
  readonly #gone = new Map<string, number>()
  #unwatch: () => void = () => {}
  #onChange: () => void = () => {}

  private constructor(kv: KeyValue) {
    this.#kv = kv
  }

  static async open(kv: KeyValue): Promise<RouteRegistry> {
    const registry = new RouteRegistry(kv)
    registry.#unwatch = await kv.watch((key, value, revision) => {
      if (key.startsWith(PREFIX)) registry.#learn(key, value === null ? null : decode(value, revision), revision)
    })
    return registry
  }

  close(): void {
    this.#unwatch()
  }

  /** Calls `heard` whenever a route has changed. */
  listen(heard: () => void): void {
    this.#onChange = heard
  }

  /** Those of all tenants. */
  all(): readonly StoredRoute[] {
    return [...this.#known.values()]
  }

  /** Those of a tenant, in order of their ids. */
  of(tenant: string): readonly StoredRoute[] {
    return this.all().filter((route) => route.tenant === tenant).sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** Those of a tenant that are switched on. */
  active(tenant: string): Map<string, Route> {
    return new Map(this.of(tenant).flatMap(({ id, route }) => (route === null ? [] : [[id, route] as const])))
  }

  find(tenant: string, id: string): StoredRoute | null {
    return this.#known.get(keyOf(tenant, id)) ?? null
  }

  /**
   * Stores a route. `known`: the revision that must still hold, 0 where there must be none, null for any. Gives it with the secret that was drawn for it,
   * where it brought none. `check` may refuse its target by throwing. Throws `RouteError` and `RevisionError`.
   */
  async put(tenant: string, id: string, json: unknown, known: number | null, draw: () => string, check: (target: Target) => Promise<void> = async () => {}): Promise<{ stored: StoredRoute; drawn: string | null }> {
    const key = keyOf(tenant, id)
    for (;;) {
      const there = await this.#kv.get(key)
      const before = there === null ? null : decode(there.value, there.revision)
      if (known !== null && known !== (there?.revision ?? 0)) throw new RevisionError('routes', known, there?.revision ?? 0)
      const { route, enabled, document, drawn } = parseRoute(json, before?.document ?? null, draw)
      if (there === null && this.of(tenant).length >= ROUTES_MAX) throw new RouteError({ pointer: '', trouble: `it must be one of at most ${ROUTES_MAX} routes of a tenant: current value is ${ROUTES_MAX}` })
      await check(route.target)
      try {
        const revision = await this.#kv.put(key, new TextEncoder().encode(JSON.stringify({ tenant, id, document })), there?.revision ?? 0)
        const stored = { tenant, id, revision, document, route: enabled ? route : null }
        this.#learn(key, stored, revision)
        return { stored, drawn }
      } catch (error) {
        // Somebody was faster: what they wrote is read, and decided anew.
        if (!isOperating(error, ErrorCode.conflict)) throw error
      }
    }
  }

  /** Removes a route; false where there is none. */
  async delete(tenant: string, id: string, known: number | null): Promise<boolean> {
    const key = keyOf(tenant, id)
    const there = await this.#kv.get(key)
    if (there === null) return false
    if (known !== null && known !== there.revision) throw new RevisionError('routes', known, there.revision)
    await this.#kv.delete(key)
    this.#learn(key, null, there.revision)
    return true
  }

  #learn(key: string, stored: StoredRoute | null, revision: number): void {
    if (Math.max(this.#known.get(key)?.revision ?? 0, this.#gone.get(key) ?? 0) > revision) return
    if (stored === null) {
      this.#known.delete(key)
      this.#gone.set(key, revision)
    } else if (this.#gone.get(key) !== revision) this.#known.set(key, stored)
    this.#onChange()
  }
}

/** Null for bytes that are no such entry: it is overwritten by the next change. */
function decode(value: Uint8Array, revision: number): StoredRoute | null {
  try {
    const { tenant, id, document } = JSON.parse(new TextDecoder().decode(value)) as StoredRoute
    const { route, enabled } = parseRoute(document, null, NO_DRAW)
    return { tenant, id, revision, document, route: enabled ? route : null }
  } catch {
    return null
  }
}
