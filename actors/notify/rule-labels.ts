/** What rules are called, and their labels: commits name the rule of an alert alone. Looked up in the log's key-value store, and followed by a watch. */

import type { KeyValue } from '../../runtime/log.ts'
import { RuleRegistry } from '../fleet/rules.ts'

export interface RuleLook {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

export class RuleLabels {
  readonly #registry: RuleRegistry
  readonly #looks = new WeakMap<object, RuleLook>()

  private constructor(registry: RuleRegistry) {
    this.#registry = registry
  }

  static async open(kv: KeyValue): Promise<RuleLabels> {
    return new RuleLabels(await RuleRegistry.open(kv))
  }

  close(): void {
    this.#registry.close()
  }

  /** Null where there is no such rule, or it is switched off. */
  of(tenant: string, id: string): RuleLook | null {
    const stored = this.#registry.find(tenant, id)
    if (stored === null || stored.body === null) return null
    let look = this.#looks.get(stored)
    if (look === undefined) {
      const { name, labels } = JSON.parse(stored.body) as RuleLook
      this.#looks.set(stored, (look = { name, labels }))
    }
    return look
  }
}
