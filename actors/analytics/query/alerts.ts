/**
 * Alerts, each as its events make it: from the lake, and from commits that no segment holds yet.
 *
 * - L1 An event is named by its alert and its number; one that both the lake and fresh commits have counts once.
 * - L2 Alerts are ordered by their first opening, the newest first, which never changes: a cursor neither skips nor repeats one.
 */

import type { AlertEvent } from '../../alert/life.ts'
import { text, timestamp } from '../data/lake.ts'
import { matches } from '../data/series-catalog.ts'
import type { Tail, View } from '../data/tail.ts'
import type { Scope } from './scope.ts'
import { scopeSql } from './scope.ts'

export const ALERT_STATES = ['open', 'acked', 'shelved', 'resolved'] as const
export type AlertState = (typeof ALERT_STATES)[number]

/** Events that decide in which state an alert is: an escalation opens it again, flapping and easing leave it as it was. */
const STATE_AFTER: Readonly<Partial<Record<AlertEvent, AlertState>>> = { opened: 'open', reopened: 'open', escalated: 'open', acknowledged: 'acked', shelved: 'shelved', unshelved: 'open', resolved: 'resolved' }
const DECISIVE = Object.keys(STATE_AFTER).map(text).join(', ')

export interface AlertStep {
  readonly number: number
  readonly event: AlertEvent
  readonly severity: string
  readonly at: number
  readonly value: number | null
  readonly message: string
  readonly person: string | null
}

export interface Alert {
  readonly id: string
  readonly rule: string
  readonly device: string
  readonly metric: string
  readonly state: AlertState
  readonly openedAt: number
  /** In order. */
  readonly history: readonly AlertStep[]
}

export type AlertPlace = readonly [openedAt: number, id: string]

export interface AlertQuery {
  readonly states: ReadonlySet<AlertState>
  /** Null: any. */
  readonly severities: ReadonlySet<string> | null
  readonly rule: string | null
  readonly after: AlertPlace | null
  readonly limit: number
}

/** A page of alerts, the newest first. */
export async function alerts(tail: Tail, scope: Scope, query: AlertQuery): Promise<{ alerts: Alert[]; next: AlertPlace | null }> {
  const view = tail.view()
  try {
    const fresh = freshSteps(view, scope, query.rule)
    const found = [...(await sealedIds(tail, view, scope, query, [...fresh.keys()])), ...fresh.keys()]
    const all = (await readAlerts(tail, view, scope.tenant, found, fresh)).filter((alert) => passes(alert, query))
    all.sort((a, b) => b.openedAt - a.openedAt || (a.id < b.id ? -1 : 1))
    const page = all.slice(0, query.limit)
    const last = page.at(-1)
    return { alerts: page, next: all.length > query.limit && last !== undefined ? [last.openedAt, last.id] : null }
  } finally {
    view.release()
  }
}

/** One alert of a tenant by its id; null where there is none. */
export async function alertOf(tail: Tail, tenant: string, id: string): Promise<Alert | null> {
  const view = tail.view()
  try {
    const scope = { tenant, filter: { devices: null, metrics: null, prefix: null } }
    const [found] = await readAlerts(tail, view, tenant, [id], freshSteps(view, scope, null))
    return found ?? null
  } finally {
    view.release()
  }
}

function passes({ state, history, openedAt, id }: Alert, { states, severities, after }: AlertQuery): boolean {
  if (!states.has(state) || (severities !== null && !severities.has(history.at(-1)!.severity))) return false
  return after === null || openedAt < after[0] || (openedAt === after[0] && id > after[1])
}

type Named = Pick<Alert, 'rule' | 'device' | 'metric'> & { readonly steps: Map<number, AlertStep> }

function freshSteps(view: View, { tenant, filter }: Scope, rule: string | null): Map<string, Named> {
  const found = new Map<string, Named>()
  for (const { effects } of view.fresh.flat()) {
    for (const a of effects.alerts) {
      const name = effects.series[a.series]
      if (name.tenant !== tenant || !matches(filter, name.device, name.metric) || (rule !== null && a.rule !== rule)) continue
      let alert = found.get(a.id)
      if (alert === undefined) found.set(a.id, (alert = { rule: a.rule, device: name.device, metric: name.metric, steps: new Map() }))
      const { number, event, severity, at, value, message, by } = a
      alert.steps.set(number, { number, event, severity, at, value: Number.isNaN(value) ? null : value, message, person: by })
    }
  }
  return found
}

/** Ids of the first alerts in the lake that pass, those aside that fresh commits tell of. */
async function sealedIds(tail: Tail, view: View, scope: Scope, { states, severities, rule, after, limit }: AlertQuery, others: readonly string[]): Promise<string[]> {
  const state = `CASE ${Object.entries(STATE_AFTER).map(([event, of]) => `WHEN decisive = ${text(event)} THEN ${text(of)}`).join(' ')} END`
  const conditions = [`${state} IN (${[...states].map(text).join(', ')})`]
  if (severities !== null) conditions.push(`severity IN (${[...severities].map(text).join(', ')})`)
  if (after !== null) conditions.push(`(opened < ${timestamp(after[0])} OR (opened = ${timestamp(after[0])} AND id > ${text(after[1])}))`)
  const [ids] = await tail.lake.query(
    `SELECT id FROM (
       SELECT id, min(happened_at) AS opened, arg_max(severity, number) AS severity, arg_max(event, number) FILTER (WHERE event IN (${DECISIVE})) AS decisive
       FROM ${view.version.relation('alerts')}
       WHERE ${scopeSql(scope)}${rule === null ? '' : ` AND rule = ${text(rule)}`}${others.length === 0 ? '' : ` AND id NOT IN (${others.map(text).join(', ')})`} GROUP BY id)
     WHERE ${conditions.join(' AND ')} ORDER BY opened DESC, id LIMIT ${limit + 1}`,
  )
  return ids ?? []
}

async function readAlerts(tail: Tail, view: View, tenant: string, ids: readonly string[], fresh: ReadonlyMap<string, Named>): Promise<Alert[]> {
  const all = new Map<string, Named>()
  if (ids.length > 0) {
    const columns = await tail.lake.query(
      `SELECT id, rule, device, metric, number::DOUBLE, event, severity, epoch_ms(happened_at)::DOUBLE, value, message, person FROM ${view.version.relation('alerts')}
       WHERE tenant = ${text(tenant)} AND id IN (${ids.map(text).join(', ')})`,
    )
    for (let i = 0; i < (columns[0]?.length ?? 0); i++) {
      const [id, rule, device, metric, number, event, severity, at, value, message, person] = columns.map((column) => column[i])
      let alert = all.get(id)
      if (alert === undefined) all.set(id, (alert = { rule, device, metric, steps: new Map() }))
      alert.steps.set(number, { number, event, severity, at, value, message, person })
    }
  }
  for (const id of ids) {
    const news = fresh.get(id)
    if (news === undefined) continue
    const alert = all.get(id)
    if (alert === undefined) all.set(id, news)
    else for (const [number, step] of news.steps) alert.steps.set(number, step)
  }
  return [...all].map(([id, { steps, ...names }]) => {
    const history = [...steps.values()].sort((a, b) => a.number - b.number)
    const decisive = history.findLast(({ event }) => STATE_AFTER[event] !== undefined)
    return { id, ...names, state: decisive === undefined ? 'open' : STATE_AFTER[decisive.event]!, openedAt: history[0].at, history }
  })
}
