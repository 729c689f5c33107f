/**
 * What the notifier keeps of a tenant: the alerts that are open, what waits to be said, and what was said and not yet taken.
 *
 * Owns the form and its bytes, one value a tenant in the log's key-value store; of one with many alerts that is a slip beside a copy (fair-copy.ts). Leaves
 * what happens to it to desk.ts.
 *
 * - S1 The place in RESULTS and all that came of what lies before it are one value and change together, by compare-and-set: so nothing of the log is
 *   taken in twice, and none is left out, whoever dies when.
 */

import type { AlertEvent } from '../alert/life.ts'
import { NOTIFY_STATE_BYTES_MAX } from '../../runtime/limits.ts'
import type { Place, Slip } from './fair-copy.ts'
import type { Facts } from './route.ts'

/** An event of an alert, with all that a message says of it. */
export interface Told extends Facts {
  /** What its rule is called. */
  readonly name: string
  /** Of the alert's events, from 1. */
  readonly number: number
  readonly event: AlertEvent
  /** Log time, epoch ms. */
  readonly at: number
  readonly openedAt: number
  readonly value: number | null
  readonly message: string
}

export interface OpenAlert extends Told {
  readonly state: 'open' | 'acked' | 'shelved'
}

/** A message: decided, stored, then sent until it is taken. */
export interface Delivery {
  /** By which receivers know it again: the same for the same events, whoever sends it and how often. */
  readonly id: string
  /** What has the same order is sent one after the other. */
  readonly order: string
  readonly kind: 'alert' | 'reminder'
  /** When it was decided, epoch ms. */
  readonly madeMs: number
  readonly events: readonly Told[]
  /** Events beyond those. */
  readonly more: number
  tries: number
  /** Not before. */
  nextMs: number
}

export interface Group {
  waiting: Told[]
  more: number
  /** When what waits is said; null: nothing waits. */
  dueMs: number | null
  lastMs: number
  /** Alerts that were told and are open. */
  told: string[]
  remindMs: number | null
}

export interface RouteState {
  groups: Record<string, Group>
  /** By alert: what is not told while another one is open. */
  silenced: Record<string, Told>
  queue: Delivery[]
  sent: number
  givenUp: number
  lastSentMs: number | null
  /** Failures in a row, since when, and what the last one was. */
  failures: number
  failingSinceMs: number | null
  lastError: string | null
  lastErrorMs: number | null
  /** Its receiver is left alone until then. */
  pausedUntilMs: number
}

export interface TenantState {
  readonly v: 1
  readonly tenant: string
  /** Drawn by the term that stored it, so that nobody takes another's for its own. */
  by: string
  /** Creation of RESULTS, and the last sequence of it that was taken in. */
  created: string
  seq: number
  alerts: Record<string, OpenAlert>
  routes: Record<string, RouteState>
}

export const emptyState = (tenant: string): TenantState => ({ v: 1, tenant, by: '', created: '', seq: 0, alerts: {}, routes: {} })

export const emptyRoute = (): RouteState => ({
  groups: {}, silenced: {}, queue: [], sent: 0, givenUp: 0, lastSentMs: null, failures: 0, failingSinceMs: null, lastError: null, lastErrorMs: null, pausedUntilMs: 0,
})

const PREFIX = 'state.'
export const stateKey = (tenant: string) => PREFIX + Buffer.from(tenant).toString('base64url')
/** Where copies of a tenant's state are. */
export const copyKey = (tenant: string, place: Place) => `${stateKey(tenant)}.${place}`
/** The tenant whose state, or copy of it, is there; null for the key of something else. */
export const tenantOf = (key: string) => (key.startsWith(PREFIX) ? Buffer.from(key.slice(PREFIX.length).replace(/\..*/, ''), 'base64url').toString() : null)

/** The bytes of a state, or of the form that it has at each call; where they are too many the oldest messages are given up until they fit. */
export function encodeState(state: TenantState, form: () => object = () => state, bytesMax = NOTIFY_STATE_BYTES_MAX): Uint8Array {
  for (;;) {
    const bytes = new TextEncoder().encode(JSON.stringify(form()))
    if (bytes.byteLength <= bytesMax) return bytes
    const longest = Object.values(state.routes).sort((a, b) => b.queue.length - a.queue.length)[0]
    if (longest === undefined || longest.queue.length === 0) {
      const ids = Object.keys(state.alerts)
      if (ids.length === 0) return bytes
      for (const id of ids.slice(0, Math.ceil(ids.length / 4))) delete state.alerts[id]
      continue
    }
    const lost = Math.ceil(longest.queue.length / 4)
    longest.queue.splice(0, lost)
    longest.givenUp += lost
    longest.lastError = 'too many messages waited for the receiver: the oldest were given up'
  }
}

/** A state, or the slip of one, whose alerts and groups are not all; null for bytes that are neither. */
export function decodeState(bytes: Uint8Array): TenantState | Slip | null {
  try {
    const state = JSON.parse(new TextDecoder().decode(bytes)) as TenantState | Slip
    const sound = (state.v === 1 || (state.v === 2 && typeof state.copy === 'object')) && typeof state.tenant === 'string' && Number.isSafeInteger(state.seq) && typeof state.alerts === 'object' && typeof state.routes === 'object'
    return sound ? state : null
  } catch {
    return null
  }
}
