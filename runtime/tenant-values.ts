/**
 * One value a tenant in the log's key-value store: changed by compare-and-set, so that of two who change it at once none undoes the other, and
 * followed by a watch, so that all stores know it.
 *
 * - T1 What is stored was checked by whoever stored it; bytes that `decode` refuses count as none, and are overwritten by the next change.
 */

import { ErrorCode, isOperating } from './errors.ts'
import type { KeyValue } from './log.ts'

/** `revision` grows with each change; 0 where nothing was ever stored. */
export interface Revised<T> {
  readonly revision: number
  readonly value: T
}

/** Thrown where the caller knew another revision than there is. */
export class RevisionError extends Error {
  constructor(what: string, known: number, current: number) {
    super(`Cannot change the ${what} as they must still be at revision ${known}: current value is ${current}. Read them anew, and decide again`)
    this.name = 'RevisionError'
  }
}

export interface TenantValuesOptions<T> {
  readonly kv: KeyValue
  /** Begins the keys: `units`. Also what errors call the value. */
  readonly name: string
  readonly none: T
  /** Throws where the parsed JSON is no such value. */
  readonly decode: (json: unknown) => T
}

export class TenantValues<T> {
  readonly #options: TenantValuesOptions<T>
  /** By key of the store. */
  #known = new Map<string, Revised<T>>()
  #unwatch: () => void = () => {}

  private constructor(options: TenantValuesOptions<T>) {
    this.#options = options
  }

  /** Reads what is stored, and follows it until `close`. */
  static async open<T>(options: TenantValuesOptions<T>): Promise<TenantValues<T>> {
    const values = new TenantValues(options)
    const prefix = `${options.name}.`
    values.#unwatch = await options.kv.watch((key, bytes, revision) => {
      if (key.startsWith(prefix)) values.#learn(key, { revision, value: values.#read(bytes) })
    })
    return values
  }

  close(): void {
    this.#unwatch()
  }

  /** What is known of all tenants. */
  all(): readonly T[] {
    return [...this.#known.values()].map(({ value }) => value)
  }

  of(tenant: string): Revised<T> {
    return this.#known.get(this.#keyOf(tenant)) ?? { revision: 0, value: this.#options.none }
  }

  /** Stores what `change` makes of the value; null, and nothing is stored, where it makes nothing. `known`: the revision that must still hold, null for any. */
  change(tenant: string, known: number | null, change: (value: T) => T): Promise<Revised<T>>
  change(tenant: string, known: number | null, change: (value: T) => T | null): Promise<Revised<T> | null>
  async change(tenant: string, known: number | null, change: (value: T) => T | null): Promise<Revised<T> | null> {
    const { kv, name } = this.#options
    const key = this.#keyOf(tenant)
    for (;;) {
      const there = await kv.get(key)
      const revision = there?.revision ?? 0
      if (known !== null && known !== revision) throw new RevisionError(name, known, revision)
      const value = change(this.#read(there?.value ?? null))
      if (value === null) return null
      try {
        const stored = { revision: await kv.put(key, new TextEncoder().encode(JSON.stringify(value)), revision), value }
        this.#learn(key, stored)
        return stored
      } catch (error) {
        // Somebody was faster: what they wrote is read, and the change made to that.
        if (!isOperating(error, ErrorCode.conflict)) throw error
      }
    }
  }

  #learn(key: string, revised: Revised<T>): void {
    if ((this.#known.get(key)?.revision ?? 0) <= revised.revision) this.#known.set(key, revised)
  }

  #read(bytes: Uint8Array | null): T {
    if (bytes === null) return this.#options.none
    try {
      return this.#options.decode(JSON.parse(new TextDecoder().decode(bytes)))
    } catch {
      return this.#options.none
    }
  }

  /** A tenant's name may hold dots in any place; a key may not. */
  #keyOf(tenant: string): string {
    return `${this.#options.name}.${Buffer.from(tenant).toString('base64url')}`
  }
}
