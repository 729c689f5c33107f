/**
 * What a rule would have raised: alert/trial.ts over readings, anomalies and forecasts from the lake and from fresh commits, device by device.
 *
 * - T1 Nothing is left out in silence: more series or readings than a trial looks at is an error that says so.
 */

import type { Clock } from '../../../runtime/clock.ts'
import { TRIAL_READINGS_MAX, TRIAL_SERIES_MAX } from '../../../runtime/limits.ts'
import { turnOf } from '../../../runtime/turns.ts'
import { planOf } from '../../alert/plan.ts'
import { selects } from '../../alert/rule.ts'
import type { Rule } from '../../alert/rule.ts'
import { tryRule } from '../../alert/trial.ts'
import type { Past, TrialEvent } from '../../alert/trial.ts'
import type { Range } from '../data/fresh.ts'
import { text } from '../data/lake.ts'
import type { Tail } from '../data/tail.ts'
import { alerts, ALERT_STATES } from './alerts.ts'
import { anomalies } from './anomalies.ts'
import { comparedHours } from './compared-hours.ts'
import { readings } from './readings.ts'
import { rangeSql } from './scope.ts'
import type { Scope } from './scope.ts'
import { TrialError } from './trial-error.ts'

export interface Trial {
  readonly series: number
  readonly readings: number
  readonly events: readonly TrialEvent[]
  /** Alerts that the rule of that id did raise in that time, and how many of the trial's are at a time with one of the same series. */
  readonly known: number
  readonly met: number
}

export async function trial(tail: Tail, { tenant, id, rule, range, clock }: { tenant: string; id: string; rule: Rule; range: Range; clock: Clock }): Promise<Trial> {
  const plan = planOf(rule)
  const devices: string[] = []
  for (const entry of tail.catalog.list(tenant, { devices: null, metrics: new Set([rule.metric]), prefix: rule.prefix })) if (selects(rule, entry.device)) devices.push(entry.device)
  if (devices.length > TRIAL_SERIES_MAX) throw new TrialError(`it must select at most ${TRIAL_SERIES_MAX} series`, devices.length)
  if (devices.length === 0) return { series: 0, readings: 0, events: [], known: 0, met: 0 }
  const scope: Scope = { tenant, filter: { devices: new Set(devices), metrics: new Set([rule.metric, ...plan.others]), prefix: null } }
  const found = await readings(tail, scope, range, null, TRIAL_READINGS_MAX)
  if (found.next !== null) throw new TrialError(`its series must have at most ${TRIAL_READINGS_MAX} readings in that time`, found.rows.length)
  const uses = (is: string) => plan.leaves.some(({ leaf }) => leaf.is === is)
  const scores = new Map<string, number>()
  if (uses('anomaly')) {
    const { rows } = await anomalies(tail, scope, range, { minScore: 0, after: null, limit: TRIAL_READINGS_MAX })
    for (const [device, metric, ts, value, score] of rows) scores.set(`${device}\n${metric}\n${ts}\n${value}`, score as number)
  }
  const past = new Map<string, Past[]>(devices.map((device) => [device, []]))
  for (const [device, metric, ts, value] of found.rows) past.get(device)?.push({ kind: 'reading', ts, metric, value, score: scores.get(`${device}\n${metric}\n${ts}\n${value}`) ?? -1 })
  if (uses('forecast')) for (const [device, forecast] of await forecasts(tail, scope, range)) past.get(device)?.push(forecast)
  const apart = new Set(plan.leaves.flatMap(({ leaf, metric }) => (leaf.is === 'apart' ? [metric] : [])))
  if (apart.size > 0) for (const { device, ...hour } of await comparedHours(tail, { tenant, devices, metrics: apart, range })) past.get(device)!.push({ kind: 'neighbours', ...hour })
  const events: TrialEvent[] = []
  const turn = turnOf(clock)
  for (const [device, list] of past) {
    while (turn.isOver) await turn.next()
    const beganMs = clock.monotonic()
    list.sort((a, b) => a.ts - b.ts)
    events.push(...tryRule(rule, device, list, range.to))
    turn.spent(clock.monotonic() - beganMs)
  }
  events.sort((a, b) => a.at - b.at)
  return { series: devices.length, readings: found.rows.length, events, ...(await metBy(tail, scope, { id, range, events })) }
}

/** Forecasts that were made in a range, as a rule hears of them: the means of their hours. */
async function forecasts(tail: Tail, { tenant, filter }: Scope, range: Range): Promise<[device: string, Past][]> {
  const view = tail.view()
  try {
    const names = (set: ReadonlySet<string>) => [...set].map(text).join(', ')
    const [devices = [], metrics, madeAts, means] = await tail.lake.query(
      `SELECT device, metric, epoch_ms(made_at)::DOUBLE, mean FROM ${view.version.relation('forecasts')}
       WHERE tenant = ${text(tenant)} AND device IN (${names(filter.devices!)}) AND metric IN (${names(filter.metrics!)})${rangeSql('made_at', range)} ORDER BY device, metric, made_at, ts`,
    )
    const found = new Map<string, [string, Past & { kind: 'forecast' }]>()
    for (let i = 0; i < devices.length; i++) {
      const key = `${devices[i]}\n${metrics[i]}\n${madeAts[i]}`
      const known = found.get(key)
      if (known === undefined) found.set(key, [devices[i], { kind: 'forecast', ts: madeAts[i], metric: metrics[i], mean: [means[i]] }])
      else (known[1].mean as number[]).push(means[i])
    }
    for (const { effects } of view.fresh.flat()) {
      for (const { series, madeAt, mean, steps } of effects.forecasts) {
        const of = effects.series[series]
        if (of.tenant !== tenant || !filter.devices!.has(of.device) || !filter.metrics!.has(of.metric) || madeAt < range.from || madeAt >= range.to) continue
        found.set(`${of.device}\n${of.metric}\n${madeAt}`, [of.device, { kind: 'forecast', ts: madeAt, metric: of.metric, mean: [...mean.slice(0, steps)] }])
      }
    }
    return [...found.values()]
  } finally {
    view.release()
  }
}

interface Span {
  readonly device: string
  readonly from: number
  to: number
}

/** How the alerts of a trial meet those that there were. */
async function metBy(tail: Tail, scope: Scope, { id, range, events }: { id: string; range: Range; events: readonly TrialEvent[] }): Promise<Pick<Trial, 'known' | 'met'>> {
  const there = await alerts(tail, scope, { states: new Set(ALERT_STATES), severities: null, rule: id, after: null, limit: 10_000 })
  const known: Span[] = there.alerts
    .map(({ device, openedAt, state, history }) => ({ device, from: openedAt, to: state === 'resolved' ? history.at(-1)!.at : Infinity }))
    .filter(({ from, to }) => to >= range.from && from < range.to)
  const tried = new Map<string, Span>()
  for (const { device, alert, event, at } of events) {
    const key = `${device}\n${alert}`
    const span = tried.get(key)
    if (span === undefined) tried.set(key, { device, from: at, to: Infinity })
    else span.to = event === 'resolved' ? at : Infinity
  }
  const met = [...tried.values()].filter((a) => known.some((b) => b.device === a.device && a.from <= b.to && b.from <= a.to)).length
  return { known: known.length, met }
}
