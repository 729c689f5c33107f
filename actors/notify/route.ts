/**
 * A route as the notifier follows it: which alerts go where, when, and in which words.
 *
 * Owns the form, and which alerts a selection is about. Leaves what people write to document.ts, what is sent when to desk.ts.
 */

import type { AlertEvent } from '../alert/life.ts'

/** What a selection looks at. */
export interface Facts {
  readonly id: string
  readonly rule: string
  readonly device: string
  readonly metric: string
  readonly severity: string
  /** Those of its rule. */
  readonly labels: Readonly<Record<string, string>>
}

/** Null: any. */
export interface Selection {
  readonly severities: readonly string[] | null
  readonly rules: readonly string[] | null
  readonly prefix: string | null
  readonly metric: string | null
  readonly labels: Readonly<Record<string, string>>
}

/** While an alert of `when` is open, those of `silences` that are equal to it in the named fields are not told. */
export interface Inhibition {
  readonly when: Selection
  readonly silences: Selection
  readonly equal: readonly string[]
}

export type Target =
  | { readonly kind: 'webhook'; readonly url: string; readonly secret: string }
  | { readonly kind: 'email'; readonly to: readonly string[]; readonly from: string; readonly server: string; readonly user: string | null; readonly password: string | null }
  | { readonly kind: 'nats'; readonly stored: boolean }
  | { readonly kind: 'mqtt'; readonly url: string; readonly topic: string; readonly user: string | null; readonly password: string | null }

export interface Route {
  readonly name: string
  readonly match: Selection
  readonly target: Target
  /** Alerts that are equal in these fields are told together; none: each by itself. */
  readonly groupBy: readonly string[]
  /** How long the first alert of a group waits for others; at least so long is between two messages of a group. */
  readonly waitMs: number
  readonly intervalMs: number
  /** Severities that wait for nothing. */
  readonly urgent: readonly string[]
  /** After so long without an answer by a person what is open is told again; null: never. */
  readonly remindMs: number | null
  readonly events: readonly AlertEvent[]
  readonly inhibit: readonly Inhibition[]
  /** Templates; null: the notifier's own words. */
  readonly title: string | null
  readonly message: string | null
  /** A message that could not be delivered for so long is given up. */
  readonly giveUpMs: number
}

/** `field-7` of `field-7/probe-2`; a device without a place is its own. */
export const placeOf = (device: string) => (device.includes('/') ? device.slice(0, device.lastIndexOf('/')) : device)

export const FIELDS = ['device', 'metric', 'rule', 'severity', 'place'] as const

/** A field of an alert by its name: one of `FIELDS`, else a label; null where it has none. */
export function fieldOf(facts: Facts, name: string): string | null {
  switch (name) {
    case 'device':
    case 'metric':
    case 'rule':
    case 'severity':
      return facts[name]
    case 'place':
      return placeOf(facts.device)
    default:
      return Object.hasOwn(facts.labels, name) ? facts.labels[name] : null
  }
}

export function selects({ severities, rules, prefix, metric, labels }: Selection, facts: Facts): boolean {
  if (severities !== null && !severities.includes(facts.severity)) return false
  if (rules !== null && !rules.includes(facts.rule)) return false
  if (prefix !== null && !facts.device.startsWith(prefix)) return false
  if (metric !== null && metric !== facts.metric) return false
  return Object.entries(labels).every(([name, value]) => fieldOf(facts, name) === value)
}

/** Whether the open alert `by` keeps `facts` from being told. One that would itself be silenced silences nobody: else two could silence each other. */
export function silences({ when, silences: what, equal }: Inhibition, by: Facts, facts: Facts): boolean {
  if (by.id === facts.id || !selects(what, facts) || !selects(when, by) || selects(what, by)) return false
  return equal.every((name) => {
    const value = fieldOf(facts, name)
    return value !== null && value === fieldOf(by, name)
  })
}
