/** The effects of a commit for people: a line for each of them, or one JSON object a commit. */

import type { ReplayedCommit } from '../../runtime/replay.ts'
import { formatTime } from '../analytics/data/times.ts'
import { decodeEffects } from '../partition/effects.ts'
import type { BlockFates, SeriesName } from '../partition/effects.ts'
import { rowsOf } from '../partition/forecasts.ts'
import { WINDOW_SIZE_NAMES } from '../reading/window.ts'
import { differenceOf } from './difference.ts'

export function nameOf({ tenant, device, metric }: SeriesName): string {
  return `${tenant}/${device}/${metric}`
}

/** A time in as few characters as say it. */
export function shortTime(ms: number): string {
  return (formatTime(ms) ?? String(ms)).replace('.000Z', 'Z').replace(/:00Z$/, 'Z')
}

const LABEL = 20

/** A line of an explanation: what it is of, and what it says. */
export function line(label: string, text: string): string {
  return `  ${label.padEnd(LABEL)}${text}`
}

/** A number in at most six significant places: what people compare, not what is stored. */
export function shown(n: number): string {
  return Number.isInteger(n) || !Number.isFinite(n) ? String(n) : String(Number(n.toPrecision(6)))
}

/** The commit's own line, and one for each effect of it. */
export function linesOf(commit: ReplayedCommit): string[] {
  const { header, seq, timeMs, after, messages, recorded, same } = commit
  const { windows, anomalies, forecasts, alerts, rules, fates, series, accepted, pending } = decodeEffects(commit.replayed)
  const range = messages === 0 ? `no message after ${after.seq}` : `messages to ${header.position.seq} (${messages})`
  const parts = header.part > 0 ? `, in ${header.part + 1} parts` : ''
  const verdict = same ? 'identical' : `DIFFERENT: ${differenceOf(recorded, commit.replayed)}`
  const lines = [
    `commit ${seq}  ${formatTime(timeMs)}  epoch ${header.epoch} of ${header.owner}  ${range}, ${recorded.byteLength} bytes${parts}: ${verdict}`,
  ]
  for (const f of fates) lines.push(`  fates    block ${f.seq}: ${fatesOf(f)}`)
  for (const a of anomalies) lines.push(`  anomaly  ${nameOf(series[a.series])}@${formatTime(a.ts)}=${a.value}  score ${shown(a.score)}: ${a.reason}`)
  for (const w of windows) {
    const numbers = `count ${w.count}, mean ${shown(w.sum / w.count)}, min ${shown(w.min)}, max ${shown(w.max)}, p95 ${shown(w.p95)}`
    lines.push(`  window   ${nameOf(series[w.series])}  ${WINDOW_SIZE_NAMES[w.size]} from ${shortTime(w.start)}: ${numbers}, by ${w.closedBy}`)
  }
  for (const f of forecasts) {
    const first = `first ${shown(f.mean[0])} (${shown(f.lower[0])} to ${shown(f.upper[0])})`
    lines.push(`  forecast ${nameOf(series[f.series])}  ${f.steps} hours from ${shortTime(f.madeAt)} by ${f.model}: ${first}`)
  }
  for (const r of rules) lines.push(`  rule     ${r.tenant}/${r.id} is followed in revision ${r.revision}`)
  for (const a of alerts) lines.push(`  alert    ${nameOf(series[a.series])}  ${a.id} ${a.number}: ${a.event}, ${a.severity}: ${a.message}`)
  if (windows.length + anomalies.length + forecasts.length + alerts.length + rules.length + fates.length === 0) lines.push(`  no rows; ${accepted} readings accepted so far, ${pending} series with open windows`)
  return lines
}

function fatesOf(f: BlockFates): string {
  const parts: string[] = []
  if (f.duplicate.length > 0) parts.push(`${f.duplicate.length} duplicate (row ${rows(f.duplicate)})`)
  if (f.expired.length > 0) parts.push(`${f.expired.length} expired (row ${rows(f.expired)})`)
  if (f.old.length > 0) parts.push(`${f.old.length} old, for the store to settle (row ${rows(f.old)})`)
  return parts.join(', ')
}

function rows(list: Uint32Array): string {
  return list.length <= 8 ? [...list].join(', ') : `${[...list.subarray(0, 8)].join(', ')} …`
}

/** Everything of the commit; times as RFC 3339. */
export function jsonOf(partition: number, commit: ReplayedCommit): object {
  const { header, seq, timeMs, after, messages, recorded, same } = commit
  const { windows, anomalies, forecasts, alerts, fates, series, accepted, pending, logTimeMs } = decodeEffects(commit.replayed)
  return {
    kind: 'commit',
    partition,
    seq,
    at: formatTime(timeMs),
    epoch: header.epoch,
    owner: header.owner,
    after: after.seq,
    to: header.position.seq,
    messages,
    bytes: recorded.byteLength,
    same,
    ...(same ? {} : { difference: differenceOf(recorded, commit.replayed) }),
    accepted,
    pending,
    logTime: formatTime(logTimeMs),
    fates: fates.map((f) => ({ block: f.seq, duplicate: [...f.duplicate], expired: [...f.expired], old: [...f.old], closedUntil: [...f.closedUntil].map(formatTime) })),
    anomalies: anomalies.map(({ series: s, ts, ...a }) => ({ ...series[s], ts: formatTime(ts), ...a })),
    alerts: alerts.map(({ series: s, at, ...a }) => ({ ...series[s], at: formatTime(at), ...a })),
    forecasts: forecasts.flatMap((f) => [...rowsOf(f)]).map(({ series: s, madeAt, ts, ...f }) => ({ ...series[s], madeAt: formatTime(madeAt), ts: formatTime(ts), ...f })),
    windows: windows.map(({ series: s, size, start, ...w }) => ({ ...series[s], size: WINDOW_SIZE_NAMES[size], start: formatTime(start), ...w })),
  }
}
