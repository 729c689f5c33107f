/**
 * What a message says, in words of a person who stands in the field: a title, and a line an alert.
 *
 * - M1 Words are a function of what is told and of when it was decided: a message that is sent again says the same.
 */

import { durationWords, metricWords, numberWords } from '../alert/words.ts'
import type { Delivery, Told } from './state.ts'
import { placeOf } from './route.ts'
import type { Route } from './route.ts'

/** Names that a template may hold in braces, `labels.` with a label beside them. */
export const TEMPLATE_FIELDS = ['device', 'place', 'metric', 'value', 'rule', 'severity', 'event', 'message', 'count', 'since'] as const

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

export interface Words {
  readonly title: string
  readonly text: string
}

export function wordsOf(route: Pick<Route, 'title' | 'message'>, delivery: Pick<Delivery, 'events' | 'more' | 'kind' | 'madeMs'>): Words {
  const { events, more } = delivery
  const count = events.length + more
  const fill = (template: string, told: Told) => template.replaceAll(/\{([^{}]*)\}/g, (_, field: string) => fieldWords(field, told, count, delivery.madeMs))
  const lines = events.map((told) => (route.message === null ? lineOf(told, delivery) : fill(route.message, told)))
  if (more > 0) lines.push(`… and ${more} more.`)
  const title = route.title === null ? titleOf(delivery, count) : fill(route.title, events[0])
  return { title, text: lines.join('\n') }
}

function fieldWords(field: string, told: Told, count: number, nowMs: number): string {
  if (field.startsWith('labels.')) return told.labels[field.slice(7)] ?? ''
  const words: Record<string, string> = {
    device: told.device,
    place: placeOf(told.device),
    metric: metricWords(told.metric),
    value: told.value === null ? 'unknown' : numberWords(told.value),
    rule: told.name,
    severity: told.severity,
    event: told.event,
    message: told.message,
    count: String(count),
    since: sinceWords(told, nowMs),
  }
  return words[field] ?? ''
}

const sinceWords = ({ openedAt }: Told, nowMs: number) => durationWords(Math.max(60_000, Math.round((nowMs - openedAt) / 60_000) * 60_000))

function lineOf(told: Told, { kind, madeMs }: Pick<Delivery, 'kind' | 'madeMs'>): string {
  if (kind === 'reminder') return `Still open after ${sinceWords(told, madeMs)}: ${told.message}`
  // What somebody did says nothing of what it was about.
  return told.event === 'acknowledged' || told.event === 'shelved' ? `${told.name}, ${told.device}: ${told.message}` : told.message
}

function titleOf({ events, kind }: Pick<Delivery, 'events' | 'kind'>, count: number): string {
  const [first] = events
  if (count === 1) {
    if (kind === 'reminder') return `Still open: ${first.name}, ${first.device}`
    const begin = { resolved: 'All well again', acknowledged: 'Looked after', flapping: 'Comes and goes', shelved: 'Put aside', unshelved: 'No longer put aside', eased: 'Less bad' }[first.event as string] ?? capital(first.severity)
    return `${begin}: ${first.name}, ${first.device}`
  }
  const places = new Set(events.map(({ device }) => placeOf(device)))
  const where = places.size === 1 ? ` at ${[...places][0]}` : ` at ${places.size} places`
  const well = events.filter(({ event }) => event === 'resolved').length
  const critical = events.filter(({ event, severity }) => event !== 'resolved' && severity === 'critical').length
  const parts = [...(critical > 0 ? [`${critical} critical`] : []), ...(well > 0 ? [`${well} all well again`] : [])]
  const what = kind === 'reminder' ? `${count} alerts are still open` : `${count} alerts`
  return `${what}${where}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}`
}
