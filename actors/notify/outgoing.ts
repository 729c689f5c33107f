/**
 * A message as it leaves: what every kind of target is given, and the form that machines read.
 *
 * - O1 The body is a function of what is told: a message that is sent again is the same to the byte.
 */

import type { Outcome } from './desk.ts'
import type { Route, Target } from './route.ts'
import type { Delivery } from './state.ts'
import { wordsOf } from './words.ts'

export interface Outgoing {
  /** By which a receiver knows it again. */
  readonly id: string
  readonly tenant: string
  readonly route: string
  readonly title: string
  readonly text: string
  /** JSON: `{type, timestamp, data}`, as Standard Webhooks advises. */
  readonly body: string
}

/** Delivers one message; never throws. */
export type Sender<Kind extends Target['kind'] = Target['kind']> = (target: Extract<Target, { kind: Kind }>, message: Outgoing, signal: AbortSignal) => Promise<Outcome>
export type Senders = { readonly [Kind in Target['kind']]: Sender<Kind> }

const time = (ms: number) => new Date(ms).toISOString()

export function outgoingOf({ tenant, id, route }: { tenant: string; id: string; route: Route }, delivery: Delivery): Outgoing {
  const { title, text } = wordsOf(route, delivery)
  const { events, more, kind, madeMs } = delivery
  const type = kind === 'reminder' ? 'alert.reminder' : events.length + more === 1 ? `alert.${events[0].event}` : 'alerts'
  const alerts = events.map(({ id: alert, rule, name, device, metric, severity, event, number, at, openedAt, value, message, labels }) => {
    return { id: alert, number, rule, rule_name: name, device, metric, severity, event, at: time(at), opened_at: time(openedAt), value, message, labels }
  })
  const data = { route: id, title, text, alerts, ...(more > 0 ? { more } : {}) }
  return { id: delivery.id, tenant, route: id, title, text, body: JSON.stringify({ id: delivery.id, type, timestamp: time(madeMs), data }) }
}
