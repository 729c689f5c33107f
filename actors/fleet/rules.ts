/**
 * The rules of all tenants: a document each in the log's key-value store, edited by compare-and-set and known to every store by a watch.
 *
 * Owns entries and their revisions. Leaves the language to alert/document.ts, and how partitions hear of a rule to rule-relay.ts.
 *
 * - U1 The store's revision of an entry is the rule's: it grows with each change, that of its end among them.
 * - U2 A rule that has ended stays as an entry without a document, since partitions must hear of the end.
 */

import { parseRule, RuleError } from '../alert/document.ts'
import { ErrorCode, isOperating } from '../../runtime/errors.ts'
import { RULES_MAX } from '../../runtime/limits.ts'
import type { KeyValue } from '../../runtime/log.ts'
import { RevisionError } from '../../runtime/tenant-values.ts'

export interface StoredRule {
  readonly tenant: string
  readonly id: string
  readonly revision: number
  /** As it was written; null: it has ended. */
  readonly document: unknown
  /** What partitions follow, as JSON; null: nothing. */
  readonly body: string | null
}

const PREFIX = 'rules.'
const keyOf = (tenant: string, id: string) => `${PREFIX}${Buffer.from(tenant).toString('base64url')}.${id}`

export class RuleRegistry {
  readonly #kv: KeyValue
  /** By key of the store. */
  readonly #known = new Map<string, StoredRule>()
  #unwatch: () => void = () => {}
  #onChange: () => void = () => {}

  private constructor(kv: KeyValue) {
    this.#kv = kv
  }

  static async open(kv: KeyValue): Promise<RuleRegistry> {
    const registry = new RuleRegistry(kv)
    registry.#unwatch = await kv.watch((key, value, revision) => {
      const stored = key.startsWith(PREFIX) && value !== null ? decode(value, revision) : null
      if (stored !== null) registry.#learn(key, stored)
    })
    return registry
  }

  close(): void {
    this.#unwatch()
  }

  /** Calls `heard` whenever a rule has changed. */
  listen(heard: () => void): void {
    this.#onChange = heard
  }

  /** Every rule, ended ones among them. */
  all(): readonly StoredRule[] {
    return [...this.#known.values()]
  }

  /** Those of a tenant that there are, in order of their ids. */
  of(tenant: string): readonly StoredRule[] {
    return this.all().filter((rule) => rule.tenant === tenant && rule.document !== null).sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  find(tenant: string, id: string): StoredRule | null {
    const stored = this.#known.get(keyOf(tenant, id))
    return stored === undefined || stored.document === null ? null : stored
  }

  /** Stores a rule. `known`: the revision that must still hold, 0 where there must be none, null for any. Throws `RuleError` and `RevisionError`. */
  async put(tenant: string, id: string, document: unknown, known: number | null): Promise<StoredRule> {
    const { rule, enabled } = parseRule(document)
    if (this.find(tenant, id) === null && this.of(tenant).length >= RULES_MAX) throw new RuleError({ pointer: '', value: undefined }, `one of at most ${RULES_MAX} rules of a tenant`, RULES_MAX)
    return this.#change(tenant, id, known, () => ({ document, body: enabled ? JSON.stringify(rule) : null }))!
  }

  /** Ends a rule; false where there is none. */
  async delete(tenant: string, id: string, known: number | null): Promise<boolean> {
    return (await this.#change(tenant, id, known, (before) => (before === null ? null : { document: null, body: null }))) !== null
  }

  #change(tenant: string, id: string, known: number | null, change: (before: StoredRule | null) => { document: unknown; body: string | null }): Promise<StoredRule>
  #change(tenant: string, id: string, known: number | null, change: (before: StoredRule | null) => { document: unknown; body: string | null } | null): Promise<StoredRule | null>
  async #change(tenant: string, id: string, known: number | null, change: (before: StoredRule | null) => { document: unknown; body: string | null } | null): Promise<StoredRule | null> {
    const key = keyOf(tenant, id)
    for (;;) {
      const there = await this.#kv.get(key)
      const stored = there === null ? null : decode(there.value, there.revision)
      const before = stored === null || stored.document === null ? null : stored
      const current = before?.revision ?? 0
      if (known !== null && known !== current) throw new RevisionError('rules', known, current)
      const next = change(before)
      if (next === null) return null
      try {
        const revision = await this.#kv.put(key, new TextEncoder().encode(JSON.stringify({ tenant, id, ...next })), there?.revision ?? 0)
        const changed = { tenant, id, revision, ...next }
        this.#learn(key, changed)
        return changed
      } catch (error) {
        // Somebody was faster: what they wrote is read, and decided anew.
        if (!isOperating(error, ErrorCode.conflict)) throw error
      }
    }
  }

  #learn(key: string, stored: StoredRule): void {
    if ((this.#known.get(key)?.revision ?? 0) >= stored.revision) return
    this.#known.set(key, stored)
    this.#onChange()
  }
}

/** Null for bytes that are no such entry: it is overwritten by the next change. */
function decode(value: Uint8Array, revision: number): StoredRule | null {
  try {
    const { tenant, id, document, body } = JSON.parse(new TextDecoder().decode(value)) as StoredRule
    const sound = typeof tenant === 'string' && typeof id === 'string' && document !== undefined && (body === null || typeof body === 'string')
    return sound ? { tenant, id, revision, document, body } : null
  } catch {
    return null
  }
}
