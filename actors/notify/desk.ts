/**
 * Decides what is said of a tenant's alerts, to whom, and when. The picture is a desk between the alarm bell and the telephone: it knows which alerts
 * are open, whom each concerns, what belongs together, what a greater one makes needless, and what nobody has answered.
 *
 * Owns these decisions, as functions of a state and of what happens, with the time handed in. Leaves sending to post.ts, and keeping to keeper.ts.
 *
 * - K1 Each event of an alert is taken in once, by its number; each message names its events, and its id is a function of them.
 * - K2 Nothing is dropped in silence: what is given up is counted, with the reason.
 * - K3 What is silenced is told once nothing silences it any more, unless it has passed by then.
 * - K4 Of an alert that is shelved nothing is told until that is over, or it grows worse.
 */

import { createHash } from 'node:crypto'
import { NOTIFY_EVENTS_MAX, NOTIFY_OPEN_MAX, NOTIFY_PAUSE_MAX_MS, NOTIFY_PAUSE_MIN_MS, NOTIFY_RETRY_AFTER_MAX_MS, NOTIFY_RETRY_MAX_MS, NOTIFY_RETRY_MIN_MS, NOTIFY_WAITING_MAX } from '../../runtime/limits.ts'
import { fieldOf, selects, silences } from './route.ts'
import type { Route } from './route.ts'
import { emptyRoute } from './state.ts'
import type { Delivery, Group, RouteState, TenantState, Told } from './state.ts'

/** The routes of a tenant that are enabled, by id. */
export type Routes = ReadonlyMap<string, Route>

/** What came of an attempt to deliver; `status`: what HTTP calls so. */
export type Outcome =
  | { readonly kind: 'taken'; readonly status?: number }
  /** `refused`: this message; `away`: the receiver; `never`: it says that it will not take it at any time. */
  | { readonly kind: 'refused' | 'away' | 'never'; readonly error: string; readonly status?: number; readonly retryAfterMs?: number }

const STATE_AFTER = { opened: 'open', escalated: 'open', reopened: 'open', acknowledged: 'acked', shelved: 'shelved', unshelved: 'open' } as const

/** Takes an event in. */
export function hear(state: TenantState, told: Told, routes: Routes, nowMs: number): void {
  const before = state.alerts[told.id]
  if (before !== undefined && before.number >= told.number) return
  const wasShelved = before?.state === 'shelved'
  if (told.event === 'resolved') delete state.alerts[told.id]
  else state.alerts[told.id] = { ...told, state: STATE_AFTER[told.event as keyof typeof STATE_AFTER] ?? before?.state ?? 'open' }
  for (const [id, route] of routes) {
    const of = (state.routes[id] ??= emptyRoute())
    // Whoever has put it aside need not hear that it is over.
    if (!wasShelved || told.event !== 'resolved') take(state, of, route, told, nowMs)
    else for (const group of Object.values(of.groups)) group.told = group.told.filter((id) => id !== told.id)
    unsilence(state, of, route, nowMs)
  }
}

/** Lets go of what came first where more is open than is remembered. Once a commit: to look for it costs as much as there is. */
export function forgetOldest({ alerts }: TenantState): void {
  const ids = Object.keys(alerts)
  for (const id of ids.slice(0, Math.max(0, ids.length - NOTIFY_OPEN_MAX))) delete alerts[id]
}

function take(state: TenantState, of: RouteState, route: Route, told: Told, nowMs: number): void {
  if (told.event === 'resolved') {
    for (const group of Object.values(of.groups)) group.told = group.told.filter((id) => id !== told.id)
    if (of.silenced[told.id] !== undefined) {
      delete of.silenced[told.id]
      return
    }
  }
  if (!selects(route.match, told) || !route.events.includes(told.event)) return
  if (told.event !== 'resolved' && isSilenced(state, route, told)) of.silenced[told.id] = told
  else add(of, route, told, nowMs)
}

function isSilenced({ alerts }: TenantState, { inhibit }: Route, told: Told): boolean {
  return inhibit.length > 0 && Object.values(alerts).some((by) => inhibit.some((rule) => silences(rule, by, told)))
}

function unsilence(state: TenantState, of: RouteState, route: Route, nowMs: number): void {
  for (const told of Object.values(of.silenced)) {
    if (isSilenced(state, route, told)) continue
    delete of.silenced[told.id]
    add(of, route, told, nowMs)
  }
}

function groupKey({ groupBy }: Route, told: Told): string {
  return groupBy.length === 0 ? told.id : JSON.stringify(groupBy.map((name) => fieldOf(told, name)))
}

function add(of: RouteState, route: Route, told: Told, nowMs: number): void {
  const key = groupKey(route, told)
  const group = (of.groups[key] ??= { waiting: [], more: 0, dueMs: null, lastMs: 0, told: [], remindMs: null })
  if (group.waiting.length < NOTIFY_EVENTS_MAX) group.waiting.push(told)
  else group.more++
  const isUrgent = route.urgent.includes(told.severity) && told.event !== 'resolved' && told.event !== 'acknowledged'
  const dueMs = isUrgent ? nowMs : Math.max(nowMs + route.waitMs, group.lastMs + route.intervalMs)
  group.dueMs = Math.min(group.dueMs ?? Infinity, dueMs)
}

/** Does what is due: says what waits, reminds, gives up what could not be delivered for too long. Gives whether something has changed. */
export function passTime(state: TenantState, routes: Routes, nowMs: number): boolean {
  let changed = false
  for (const [id, of] of Object.entries(state.routes)) {
    const route = routes.get(id)
    if (route === undefined) {
      // A route that is gone, or switched off, says nothing more.
      delete state.routes[id]
      changed = true
      continue
    }
    for (const [key, group] of Object.entries(of.groups)) {
      if (group.dueMs !== null && group.dueMs <= nowMs) {
        say(state, id, of, key, group, route, nowMs)
        changed = true
      }
      if (group.remindMs !== null && group.remindMs <= nowMs) {
        remind(state, id, of, key, group, route, nowMs)
        changed = true
      }
      if (isOver(group, route, nowMs)) delete of.groups[key]
    }
    if (giveUpOld(of, route, nowMs)) changed = true
  }
  return changed
}

const isOver = ({ dueMs, told, lastMs }: Group, route: Route, nowMs: number) => dueMs === null && (route.remindMs === null || told.length === 0) && nowMs >= lastMs + route.intervalMs

/** When `passTime` has something to do next, epoch ms; Infinity for never. Sending is not its affair. */
export function dueOf(state: TenantState, routes: Routes): number {
  let due = Infinity
  for (const [id, { groups, queue }] of Object.entries(state.routes)) {
    const giveUpMs = routes.get(id)?.giveUpMs
    if (giveUpMs === undefined) return 0
    for (const { dueMs, remindMs } of Object.values(groups)) due = Math.min(due, dueMs ?? Infinity, remindMs ?? Infinity)
    if (queue.length > 0) due = Math.min(due, queue[0].madeMs + giveUpMs)
  }
  return due
}

function say(state: TenantState, routeId: string, of: RouteState, key: string, group: Group, route: Route, nowMs: number): void {
  // Something greater may have come while it waited.
  const events = group.waiting.filter((told) => {
    if (told.event !== 'shelved' && state.alerts[told.id]?.state === 'shelved') return false
    const silenced = told.event !== 'resolved' && isSilenced(state, route, told)
    if (silenced && state.alerts[told.id] !== undefined) of.silenced[told.id] = told
    return !silenced
  })
  const { more } = group
  group.waiting = []
  group.more = 0
  group.dueMs = null
  if (events.length === 0) return
  group.lastMs = nowMs
  if (route.remindMs !== null) {
    for (const { id } of events) if (state.alerts[id] !== undefined && !group.told.includes(id)) group.told.push(id)
    group.remindMs = group.told.length === 0 ? null : nowMs + route.remindMs
  }
  put(of, { id: idOf(state.tenant, routeId, events.map(({ id, number }) => `${id}#${number}`)), order: key, kind: 'alert', madeMs: nowMs, events, more, tries: 0, nextMs: 0 })
}

function remind(state: TenantState, routeId: string, of: RouteState, key: string, group: Group, route: Route, nowMs: number): void {
  group.told = group.told.filter((id) => state.alerts[id] !== undefined)
  const open = group.told.map((id) => state.alerts[id]).filter((alert) => alert.state === 'open' && !isSilenced(state, route, alert))
  const { remindMs } = group
  group.remindMs = group.told.length === 0 || route.remindMs === null ? null : nowMs + route.remindMs
  if (open.length === 0) return
  group.lastMs = nowMs
  const events = open.slice(0, NOTIFY_EVENTS_MAX).map(({ state: _, ...told }) => told)
  const id = idOf(state.tenant, routeId, ['reminder', String(remindMs), ...events.map((told) => told.id)])
  put(of, { id, order: key, kind: 'reminder', madeMs: nowMs, events, more: open.length - events.length, tries: 0, nextMs: 0 })
}

/** Ids begin as Standard Webhooks advises, and are as hard to guess as a hash is. */
function idOf(tenant: string, route: string, parts: readonly string[]): string {
  return `msg_${createHash('sha256').update([tenant, route, ...parts].join('\n')).digest('base64url').slice(0, 27)}`
}

function put(of: RouteState, delivery: Delivery): void {
  of.queue.push(delivery)
  if (of.queue.length <= NOTIFY_WAITING_MAX) return
  of.queue.shift()
  of.givenUp++
  of.lastError = 'too many messages waited for the receiver: the oldest were given up'
}

function giveUpOld(of: RouteState, { giveUpMs }: Route, nowMs: number): boolean {
  const kept = of.queue.filter(({ madeMs }) => nowMs < madeMs + giveUpMs)
  const lost = of.queue.length - kept.length
  of.queue = kept
  of.givenUp += lost
  return lost > 0
}

/** Of each order the first message: those behind it wait for it. */
function firstsOf({ queue }: RouteState): Delivery[] {
  const firsts = new Map<string, Delivery>()
  for (const delivery of queue) if (!firsts.has(delivery.order)) firsts.set(delivery.order, delivery)
  return [...firsts.values()]
}

/** The messages of a route that may be sent now, `most` under way at most: of one order the first alone, and one alone while its receiver fails. */
export function sendable(of: RouteState, isSending: (id: string) => boolean, most: number, nowMs: number): Delivery[] {
  if (of.pausedUntilMs > nowMs) return []
  const firsts = firstsOf(of)
  const sending = firsts.filter(({ id }) => isSending(id)).length
  const ready = firsts.filter(({ id, nextMs }) => nextMs <= nowMs && !isSending(id))
  if (of.failures > 0) ready.sort((a, b) => a.nextMs - b.nextMs || a.madeMs - b.madeMs)
  return ready.slice(0, Math.max(0, (of.failures > 0 ? 1 : most) - sending))
}

/** When something of a route may be sent that is not under way; Infinity for never. */
export function sendableAt(of: RouteState, isSending: (id: string) => boolean): number {
  let at = Infinity
  for (const { id, nextMs } of firstsOf(of)) if (!isSending(id)) at = Math.min(at, nextMs)
  return Math.max(at, of.pausedUntilMs)
}

/** Notes what came of an attempt. `random` in [0, 1) spreads the tries of many. */
export function answered(of: RouteState, id: string, outcome: Outcome, nowMs: number, random: number): void {
  const delivery = of.queue.find((d) => d.id === id)
  if (outcome.kind === 'taken') {
    of.sent++
    of.lastSentMs = nowMs
    of.failures = 0
    of.failingSinceMs = null
    of.pausedUntilMs = 0
    of.queue = of.queue.filter((d) => d !== delivery)
    return
  }
  of.lastError = outcome.error
  of.lastErrorMs = nowMs
  const backOff = (least: number, most: number, times: number) => Math.min(most, least * 2 ** Math.min(times, 30)) * (0.5 + random / 2)
  if (outcome.kind === 'away') {
    of.failures++
    of.failingSinceMs ??= nowMs
    const pauseMs = Math.max(backOff(NOTIFY_PAUSE_MIN_MS, NOTIFY_PAUSE_MAX_MS, of.failures - 1), Math.min(outcome.retryAfterMs ?? 0, NOTIFY_RETRY_AFTER_MAX_MS))
    of.pausedUntilMs = nowMs + pauseMs
  }
  if (delivery === undefined) return
  if (outcome.kind === 'never') {
    of.queue = of.queue.filter((d) => d !== delivery)
    of.givenUp++
    return
  }
  delivery.nextMs = nowMs + Math.max(backOff(NOTIFY_RETRY_MIN_MS, NOTIFY_RETRY_MAX_MS, delivery.tries), outcome.kind === 'refused' ? Math.min(outcome.retryAfterMs ?? 0, NOTIFY_RETRY_AFTER_MAX_MS) : 0)
  delivery.tries++
}
