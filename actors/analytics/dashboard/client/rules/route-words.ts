/** What a route is, in words: where it leads, which alerts go there, and how it fares. Pure. */

import { age, count } from '../format.ts'

/** As people write it; any part may be something else while it is being written. */
export interface RouteDocument {
  readonly name?: string
  readonly match?: { readonly severity?: string | readonly string[]; readonly rule?: string | readonly string[]; readonly prefix?: string; readonly metric?: string; readonly labels?: Readonly<Record<string, string>> }
  readonly target: { readonly webhook?: { readonly url: string }; readonly email?: { readonly to: string | readonly string[] }; readonly nats?: object; readonly mqtt?: { readonly topic: string } }
  readonly enabled?: boolean
}

export interface RouteRow {
  readonly id: string
  readonly revision: number
  readonly route: RouteDocument
  /** Times are RFC 3339. */
  readonly status: {
    readonly sent: number
    readonly waiting: number
    readonly given_up: number
    readonly last_sent_at: string | null
    readonly failing: boolean
    readonly failing_since: string | null
    readonly last_error: string | null
  }
}

const listed = (of: string | readonly string[]) => (typeof of === 'string' ? of : of.join(' or '))

/** Where it leads: of an address its host alone, since the rest of it may be a secret. */
export function targetWords({ webhook, email, nats, mqtt }: RouteDocument['target']): string {
  if (webhook !== undefined) return `to ${URL.canParse(webhook.url) ? new URL(webhook.url).host : 'a webhook'}`
  if (email !== undefined) return `by e-mail to ${typeof email.to === 'string' ? email.to : email.to.join(', ')}`
  if (mqtt !== undefined) return `to the topic ${mqtt.topic} of a broker`
  return nats === undefined ? 'nowhere' : 'to a subject of NATS'
}

/** Which alerts it tells of. */
export function matchWords(match: RouteDocument['match'] = {}): string {
  const { severity, rule, prefix, metric, labels } = match
  const parts = [
    severity !== undefined && `that are ${listed(severity)}`, rule !== undefined && `of the rule ${listed(rule)}`, prefix !== undefined && `of ${prefix}…`, metric !== undefined && `of ${metric}`,
    ...Object.entries(labels ?? {}).map(([name, value]) => `with ${name} ${value}`),
  ].filter((part) => part !== false)
  return parts.length === 0 ? 'All alerts' : `Alerts ${parts.join(', ')}`
}

/** How it fares: what fails is said first. */
export function statusWords({ sent, waiting, given_up, last_sent_at, failing, failing_since, last_error }: RouteRow['status'], nowMs: number): string {
  const waits = waiting === 0 ? '' : `, ${count(waiting)} wait${waiting === 1 ? 's' : ''}`
  const lost = given_up === 0 ? '' : `, ${count(given_up)} given up`
  if (failing) return `Fails${failing_since === null ? '' : `, first ${age(Date.parse(failing_since), nowMs)}`}: ${last_error ?? 'no reason is known'}${waits}${lost}`
  if (sent === 0) return `Nothing was sent yet${waits}${lost}`
  return `${count(sent)} sent${last_sent_at === null ? '' : `, the last ${age(Date.parse(last_sent_at), nowMs)}`}${waits}${lost}`
}
