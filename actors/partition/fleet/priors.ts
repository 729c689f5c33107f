/**
 * What a partition has been told of kinds of series, by messages of its log.
 *
 * - R1 Of a kind the greatest revision holds, whatever the order in which messages come: they are sent anew after crashes.
 * - R2 Kinds are at most `KINDS_MAX`; more are passed over, those that are known go on.
 */

import type { Prior } from '../../reading/input.ts'
import { kindOf } from './kinds.ts'

export const KINDS_MAX = 1_000

export type KnownKind = Omit<Prior, 'kind'>

export class Priors {
  #kinds = new Map<string, KnownKind>()

  get size(): number {
    return this.#kinds.size
  }

  /** Takes a message in. */
  learn({ of, revision, scale, groups, traits }: KnownKind): void {
    const known = this.#kinds.get(of)
    if (known === undefined ? this.#kinds.size >= KINDS_MAX : known.revision >= revision) return
    // Decoded columns may be views that hold the whole message.
    this.#kinds.set(of, { of, revision, scale, groups: groups.map((g) => ({ ...g, centre: Float64Array.from(g.centre) })), ...(traits === undefined ? {} : { traits: Float64Array.from(traits) }) })
  }

  /** What is known of the kind of a series; null where nothing is. */
  of(tenant: string, device: string, metric: string): KnownKind | null {
    return this.#kinds.size === 0 ? null : (this.#kinds.get(kindOf(tenant, device, metric)) ?? null)
  }

  /** All of them, in order of their names. */
  entries(): KnownKind[] {
    return [...this.#kinds.values()].sort((a, b) => (a.of < b.of ? -1 : 1))
  }
}
