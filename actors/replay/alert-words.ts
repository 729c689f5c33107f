/** The life of an alert as a person reads it: what was told, and at each step which conditions held, since when, and what the rule asked for. */

import { formatDuration } from '../../runtime/config.ts'
import { formatTime } from '../analytics/data/times.ts'
import type { Leaf, Rule } from '../alert/rule.ts'
import { WINDOW_SIZE_NAMES } from '../reading/window.ts'
import { line, nameOf, shortTime, shown } from './describe.ts'
import type { AlertExplanation, Moment, SeenLeaf, SeenLevel } from './explain-alert.ts'

const ALERT_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.[0-9a-z]{14}\.[0-9a-z]+$/
export const isAlertId = (text: string) => ALERT_ID.test(text)

export const wordsOfNoAlert = (id: string) => `Cannot explain ${id} as an event of it must be in the results that the log holds: there is none. Older ones, and alerts of own actors, are in /v1/alerts alone`

export function wordsOfAlert(e: AlertExplanation): string {
  const { events, moments, rule } = e
  const { row } = events.at(-1)!
  const out = [`${e.id}  ${nameOf(e.series)}`, '', line('rule', ruleWords(row.rule, rule, moments.at(-1)?.revision ?? null))]
  if (events[0].row.number > 1) out.push(line('before', `events 1 to ${events[0].row.number - 1} are no longer in the log`))
  out.push('', 'Its life, as it was committed')
  for (const { row: r, commit } of events) {
    out.push(`  ${formatTime(r.at)}  ${r.event.padEnd(13)}${r.severity.padEnd(10)}${r.message}${r.by === null ? '' : ` (by ${r.by})`}  commit ${commit.seq}`)
  }
  out.push('', `Readings of the series before it, as they came${e.readings.length === 0 ? ': none are held' : ''}`)
  for (const r of e.readings) out.push(`  ${formatTime(r.ts)}  ${String(r.value).padEnd(12)}  ${r.fate === 'old' ? 'old: late or twice' : r.fate.padEnd(9)}  block ${r.block}`)
  for (const [i, moment] of moments.entries()) out.push('', ...momentWords(e, moment, moments[i - 1] ?? null))
  if (e.unreachable !== null) out.push('', `What was known at ${moments.length === 0 ? 'its events' : 'the other events'} can't be made again: ${e.unreachable}.`)
  if (moments.length > 0) {
    const different = moments.filter(({ same }) => !same).length
    out.push('', line('replayed', `${e.messages} messages from ${e.from}: ${different === 0 ? 'identical to what was committed, to the last bit' : `${different} events are DIFFERENT from what was committed`}`))
  }
  return out.join('\n')
}

function ruleWords(id: string, rule: Rule | null, revision: number | null): string {
  if (rule === null) return id
  const parts = [`${id}, revision ${revision}: ${rule.name}`, `comes back as the same alert within ${formatDuration(rule.reopenMs)}`, `flaps at ${rule.flapping.count} openings within ${formatDuration(rule.flapping.withinMs)}`]
  return parts.join('; ')
}

function momentWords(e: AlertExplanation, moment: Moment, before: Moment | null): string[] {
  const { event, message } = moment
  const out = [`${event.event.charAt(0).toUpperCase()}${event.event.slice(1)} at message ${message.seq} of ${e.stream}, ${message.what}, log time ${formatTime(message.timeMs)}`]
  for (const leaf of moment.leaves) out.push(line(leaf.held, leafWords(leaf, message.seq)))
  for (const [l, level] of moment.levels.entries()) out.push(line(level.severity, levelWords(level, l, moment.levels.length)))
  if (moment.scheduled !== null) out.push(line('schedule', moment.scheduled ? 'lets it raise something at this time' : 'lets it raise nothing at this time'))
  out.push(line('so', becauseWords(e, moment, before)))
  if (!moment.same) out.push(line('replayed', 'DIFFERENT from what was committed'))
  return out
}

/** A condition with what it asks for, and how it stood. */
export function leafWords({ leaf, metric, held, value, against, hour, since }: SeenLeaf, at: number): string {
  const is = leaf.is === 'apart' ? (Number.isNaN(hour) ? 'no hour was compared yet' : `the hour that was compared had ${shown(hour)}`) : Number.isNaN(value) ? 'nothing came yet' : `the last was ${shown(value)}`
  const from = held === 'unknown' ? '' : since === null ? ', so since before the replay began' : `, so since ${since.seq === at ? 'this message' : `message ${since.seq}, ${shortTime(since.timeMs)}`}`
  return `${metric} ${askedWords(leaf, against)}: ${is}${from}`
}

const SIDES = ['or more below', 'or more away from', 'or more above']

function askedWords(leaf: Leaf, against: number): string {
  const far = (by: number, percent: boolean, side: number) => `${shown(by)}${percent ? ' %' : ''} ${SIDES[side + 1]}`
  switch (leaf.is) {
    case 'above':
      return `above ${shown(leaf.limit)}${leaf.clear === leaf.limit ? '' : `, until no longer above ${shown(leaf.clear)}`}`
    case 'below':
      return `below ${shown(leaf.limit)}${leaf.clear === leaf.limit ? '' : `, until no longer below ${shown(leaf.clear)}`}`
    case 'rises':
    case 'falls':
      return `${leaf.is === 'rises' ? 'up' : 'down'} by ${shown(leaf.by)} within ${formatDuration(leaf.withinMs)}`
    case 'anomaly':
      return `unusual, with a score of ${shown(leaf.score)} at least, within ${formatDuration(leaf.holdMs)}`
    case 'silent':
      return `silent for ${against === Infinity ? 'longer than is known of it yet' : `${formatDuration(against)}${leaf.afterMs === null ? ', learned' : ''}`}`
    case 'deviates':
      return `${far(leaf.by, leaf.percent, leaf.side)} the mean of the last ${WINDOW_SIZE_NAMES[leaf.size]}, ${Number.isNaN(against) ? 'not yet known' : shown(against)}`
    case 'apart':
      return `${far(leaf.by, leaf.percent, leaf.side)} what its neighbours let expect, ${Number.isNaN(against) ? 'not yet known' : shown(against)}`
    case 'forecast':
      return `forecast ${leaf.falls ? 'below' : 'above'} ${shown(leaf.limit)} within ${formatDuration(leaf.withinMs)}${Number.isNaN(against) ? '' : `, from ${shortTime(against)} on`}`
  }
}

function levelWords({ held, heldMs, forMs }: SeenLevel, l: number, levels: number): string {
  const step = levels === 1 ? 'the rule' : `step ${l + 1} of ${levels}`
  if (heldMs === null) return `${step}: ${held}`
  const asks = forMs === 0 ? 'asks for no more' : `asks for ${formatDuration(forMs)}`
  return `${step}: ${held}, without a break for ${formatDuration(heldMs)}, and ${asks}`
}

function becauseWords({ rule }: AlertExplanation, { event, openings, levels }: Moment, before: Moment | null): string {
  const by = event.by === null ? '' : ` by ${event.by}`
  switch (event.event) {
    case 'opened':
      return 'an alert is opened: there was none that it could be'
    case 'reopened':
      return `it is the same alert again${before === null || rule === null ? '' : `: ${formatDuration(Math.max(0, event.at - before.event.at))} after what was told before, within ${formatDuration(rule.reopenMs)} or while it is put aside`}`
    case 'escalated':
      return `its severity rises to ${event.severity}`
    case 'eased':
      return `its severity falls to ${event.severity}`
    case 'flapping':
      return `it flaps: opened at ${openings.slice(0, rule?.flapping.count ?? 10).map(shortTime).join(', ')}`
    case 'acknowledged':
      return `it is acknowledged${by}`
    case 'shelved':
      return event.by === null ? 'it stays put aside, as it was when it was resolved' : `it is put aside${by}`
    case 'unshelved':
      return event.by === null ? 'the time for which it was put aside is over' : `it is taken up again${by}`
    case 'resolved':
      if (event.by !== null) return `it is resolved${by}`
      return levels.length === 0 ? 'it is resolved: nothing watches it any more' : 'it is resolved: no step holds'
  }
}

/** The same as one object; times as RFC 3339. */
export function jsonOfAlert(e: AlertExplanation): object {
  const at = (ms: number) => formatTime(ms)
  const number = (n: number) => (Number.isFinite(n) ? n : null)
  return {
    kind: 'alert',
    id: e.id,
    ...e.series,
    partition: e.partition,
    rule: e.rule && { ...e.rule, schedule: e.rule.schedule && { ...e.rule.schedule, offsets: undefined } },
    events: e.events.map(({ row, commit }) => ({ ...row, value: number(row.value), at: at(row.at), commit: { ...commit, timeMs: undefined, created: undefined, at: at(commit.timeMs) } })),
    readings: e.readings.map((r) => ({ ...r, ts: at(r.ts) })),
    moments: e.moments.map((m) => ({
      number: m.event.number,
      event: m.event.event,
      message: { stream: e.stream, seq: m.message.seq, what: m.message.what, logTime: at(m.message.timeMs) },
      revision: m.revision,
      conditions: m.leaves.map(({ since, value, against, hour, ...l }) => ({ ...l, value: number(value), against: number(against), hour: number(hour), since: since && { seq: since.seq, logTime: at(since.timeMs) } })),
      levels: m.levels,
      scheduled: m.scheduled,
      openings: m.openings.map(at),
      same: m.same,
    })),
    unreachable: e.unreachable,
    replayed: { from: e.from, messages: e.messages, same: e.moments.every(({ same }) => same) },
  }
}
