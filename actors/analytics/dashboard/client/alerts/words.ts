/** What is said of alerts, in words of who stands in the field. Pure. */

import { age, count, duration, moment } from '../format.ts'
import type { AlertRow, AlertStep } from '../shapes.ts'
import { isCritical, since } from './order.ts'

const EVENTS: Readonly<Record<string, string>> = {
  opened: 'Raised', reopened: 'Raised again', escalated: 'Grew worse', acknowledged: 'Somebody looks after it', resolved: 'Over', flapping: 'Comes and goes',
  shelved: 'Put aside', unshelved: 'Taken up again', eased: 'Less bad',
}

export const eventWords = (event: string): string => EVENTS[event] ?? capital(event)

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** How many are open, and how bad it is. Those that are open and answered are said apart. */
export function headline(open: readonly AlertRow[]): string {
  const waiting = open.filter(({ state }) => state === 'open')
  const others = (state: string, words: string) => {
    const n = open.filter((alert) => alert.state === state).length
    return n === 0 ? [] : [`${count(n)} ${n === 1 ? 'is' : 'are'} ${words}`]
  }
  const answered = [...others('acked', 'looked after'), ...others('shelved', 'put aside')]
  if (open.length === 0) return 'Nothing is amiss.'
  return `${[waiting.length === 0 ? 'Nothing new' : openWords(waiting), ...answered].join('; ')}.`
}

/** `2 critical alerts and 1 other are open` of those that nobody looks after. */
export function openWords(waiting: readonly AlertRow[]): string {
  const critical = waiting.filter(isCritical).length
  const others = waiting.length - critical
  const alerts = (n: number) => `${count(n)} ${critical > 0 ? 'critical ' : ''}alert${n === 1 ? '' : 's'}`
  if (critical === 0) return `${alerts(others)} ${others === 1 ? 'is' : 'are'} open`
  return `${alerts(critical)}${others > 0 ? ` and ${count(others)} other${others === 1 ? '' : 's'}` : ''} ${waiting.length === 1 ? 'is' : 'are'} open`
}

/** Since when, or from when to when. */
export function sinceWords(alert: AlertRow, nowMs: number): string {
  const from = since(alert)
  if (alert.state !== 'resolved') return `Since ${moment(from, nowMs)}, ${age(from, nowMs)}`
  return `From ${moment(from, nowMs)}, for ${duration(Math.max(0, alert.at - from))}`
}

/** What people did about it last, with their words; empty where nobody did. */
export function answerWords({ state, history }: AlertRow, nowMs: number): string {
  const last = history.at(-1)!
  if (state === 'acked') {
    const step = history.findLast(({ event }) => event === 'acknowledged') ?? last
    return `${bare(step)}, ${age(step.at, nowMs)}`
  }
  if (state === 'shelved') {
    const step = history.findLast(({ event }) => event === 'shelved') ?? last
    return `${bare(step)}, ${age(step.at, nowMs)}`
  }
  return state === 'resolved' ? last.message : ''
}

const bare = ({ message }: AlertStep) => message.replace(/\.$/, '')

/** Whether it is of an own actor, whose name then stands in the place of a metric, and whose alerts can't be put aside. */
export const isOfActor = ({ rule, metric }: { readonly rule: string; readonly metric: string }): boolean => rule.startsWith(`${metric}-`)
