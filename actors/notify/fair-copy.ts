/**
 * How a state is stored whose tenant has many alerts open. The picture is a fair copy, and a slip beside it with all that has changed since: only the slip is
 * written at each change, and once it grows long the whole is copied anew.
 *
 * Owns what a slip holds, and how the two are put together again. Leaves storing to keeper.ts, and the form of a whole state to state.ts.
 *
 * - F1 Copy and slip together are the state, exactly. A state of few alerts is its own slip, and has no copy.
 * - F2 There are two places for a tenant's copies. A slip names the place and the revision of its own, and the next copy goes to the other place, by
 *   compare-and-set, once the slip has been stored anew: so what a stored slip names is there for as long as it is stored, whoever else is at work.
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
      const { changed, gone } = since(of.groups, this.#groups.get(id) ?? NONE, isSame)
      return [id, { ...of, groups: changed, gone }] as const
    })
    const { changed, gone } = since(state.alerts, this.#alerts, (a, b) => a === b)
    return { ...state, v: 2, copy, alerts: changed, gone, routes: Object.fromEntries(routes) }
  }
}

/** Alerts and groups that are stored with it: changed or gone in a slip, all in a state. */
export function sizeOf(stored: TenantState | Slip): number {
  let size = Object.keys(stored.alerts).length
  for (const { groups } of Object.values<RouteState>(stored.routes)) size += Object.keys(groups).length
  if (stored.v === 2) for (const { gone } of [stored, ...Object.values(stored.routes)]) size += gone.length
  return size
}

/** The state that a slip and its copy are. Alerts of the copy are the copy's own objects. */
export function together({ copy: _, gone, ...slip }: Slip, copy: TenantState): TenantState {
  const routes = Object.entries(slip.routes).map(([id, { gone, ...of }]) => [id, { ...of, groups: merged(copy.routes[id]?.groups ?? {}, of.groups, gone) }] as const)
  return { ...slip, v: 1, alerts: merged(copy.alerts, slip.alerts, gone), routes: Object.fromEntries(routes) }
}

const NONE: ReadonlyMap<string, Group> = new Map()

/** What has changed, and the names of what is gone. It is done at each store, with thousands of them: nothing is made of what is as it was. */
function since<T>(now: Record<string, T>, before: ReadonlyMap<string, T>, same: (a: T, b: T) => boolean): { changed: Record<string, T>; gone: string[] } {
  const changed: Record<string, T> = {}
  let there = 0
  for (const key of Object.keys(now)) {
    const value = now[key]
    const was = before.get(key)
    if (was !== undefined) there++
    if (was === undefined || !same(value, was)) changed[key] = value
  }
  const gone: string[] = []
  if (there < before.size) for (const key of before.keys()) if (now[key] === undefined) gone.push(key)
  return { changed, gone }
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
