/**
 * How a state is stored whose tenant has many alerts open. The picture is a fair copy, and a slip beside it with all that has changed since: only the slip is
 * written at each change, and once it grows long the whole is copied anew.
 *
 * Owns what a slip holds, and how the two are put together again. Leaves storing to keeper.ts, and the form of a whole state to state.ts.
 *
 * - F1 Copy and slip together are the state, exactly. A state of few alerts is its own slip, and has no copy.
 * - F2 There are two places for a tenant's copies. A slip names the place and the revision of its own, and the next copy goes to the other place, by
 *   compare-and-set: so what a stored slip names is there for as long as it is stored, whoever else is at work.
 */

import type { Group, OpenAlert, RouteState, TenantState } from './state.ts'

export const PLACES = [0, 1] as const
export type Place = (typeof PLACES)[number]

/** The copy that a slip goes with. */
export interface CopyRef {
  readonly place: Place
  readonly revision: number
}

/** A state as it is stored beside a copy: of alerts and groups those that differ from the copy's, and the names of those that are gone. */
export interface Slip extends Omit<TenantState, 'v' | 'routes'> {
  readonly v: 2
  readonly copy: CopyRef
  readonly gone: readonly string[]
  readonly routes: Readonly<Record<string, RouteState & { readonly gone: readonly string[] }>>
}

export class FairCopy {
  /** Alerts are replaced where they change, never edited, so each is known by its identity. Groups are edited: these are copies. */
  readonly #alerts: ReadonlyMap<string, OpenAlert>
  readonly #groups: ReadonlyMap<string, ReadonlyMap<string, Group>>

  /** Of the state as it is now. */
  constructor(state: TenantState) {
    this.#alerts = new Map(Object.entries(state.alerts))
    const copied = (group: Group): Group => ({ ...group, waiting: [...group.waiting], told: [...group.told] })
    this.#groups = new Map(Object.entries(state.routes).map(([id, { groups }]) => [id, new Map(Object.entries(groups).map(([key, group]) => [key, copied(group)]))]))
  }

  slipOf(state: TenantState, copy: CopyRef): Slip {
    const routes = Object.entries(state.routes).map(([id, of]) => {
      const before = this.#groups.get(id) ?? new Map<string, Group>()
      return [id, { ...of, groups: changed(of.groups, before, isSame), gone: gone(of.groups, before) }] as const
    })
    return { ...state, v: 2, copy, alerts: changed(state.alerts, this.#alerts, (a, b) => a === b), gone: gone(state.alerts, this.#alerts), routes: Object.fromEntries(routes) }
  }

  /** How many alerts and groups have changed since. */
  changes(state: TenantState): number {
    let count = countOf(state.alerts, this.#alerts, (a, b) => a === b)
    for (const [id, { groups }] of Object.entries(state.routes)) count += countOf(groups, this.#groups.get(id) ?? new Map<string, Group>(), isSame)
    return count
  }
}

/** Alerts and groups of a state that has no copy. */
export function sizeOf({ alerts, routes }: TenantState): number {
  return Object.values(routes).reduce((sum, { groups }) => sum + Object.keys(groups).length, Object.keys(alerts).length)
}

/** The state that a slip and its copy are. Alerts of the copy are the copy's own objects. */
export function together({ copy: _, gone, ...slip }: Slip, copy: TenantState): TenantState {
  const routes = Object.entries(slip.routes).map(([id, { gone, ...of }]) => [id, { ...of, groups: merged(copy.routes[id]?.groups ?? {}, of.groups, gone) }] as const)
  return { ...slip, v: 1, alerts: merged(copy.alerts, slip.alerts, gone), routes: Object.fromEntries(routes) }
}

type Same<T> = (a: T, b: T) => boolean

function changed<T>(now: Record<string, T>, before: ReadonlyMap<string, T>, same: Same<T>): Record<string, T> {
  return Object.fromEntries(Object.entries(now).filter(([key, value]) => !before.has(key) || !same(value, before.get(key)!)))
}

function gone<T>(now: Record<string, T>, before: ReadonlyMap<string, T>): string[] {
  return [...before.keys()].filter((key) => now[key] === undefined)
}

function countOf<T>(now: Record<string, T>, before: ReadonlyMap<string, T>, same: Same<T>): number {
  let [there, differing] = [0, 0]
  for (const key in now) {
    if (!before.has(key)) differing++
    else {
      there++
      if (!same(now[key], before.get(key)!)) differing++
    }
  }
  return differing + before.size - there
}

function merged<T>(before: Record<string, T>, now: Record<string, T>, gone: readonly string[]): Record<string, T> {
  const all = { ...before, ...now }
  for (const key of gone) delete all[key]
  return all
}

function isSame(a: Group, b: Group): boolean {
  if (a.dueMs !== b.dueMs || a.lastMs !== b.lastMs || a.remindMs !== b.remindMs || a.more !== b.more) return false
  return sameItems(a.told, b.told) && sameItems(a.waiting, b.waiting)
}

const sameItems = (a: readonly unknown[], b: readonly unknown[]) => a.length === b.length && a.every((item, i) => item === b[i])
