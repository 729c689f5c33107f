/** What is said of a fleet and of a device, in words that need no manual. Pure. */

import { age, clockTime, count, duration } from '../format.ts'
import { severity } from '../severity.ts'
import type { DeviceRow, FleetSummary } from '../shapes.ts'
import type { Units } from '../units.ts'

const HOUR_MS = 3_600_000

/** How all of it goes, in a sentence or two. */
export function headline({ devices, speaking, silent, past, unusual, anomalies }: FleetSummary): string {
  const are = (n: number) => (n === 1 ? 'is' : 'are')
  const parts: string[] = []
  if (silent > 0) parts.push(`${count(silent)} ${are(silent)} silent`)
  else if (speaking > 0) parts.push(speaking === devices ? (devices === 1 ? 'It speaks' : 'All of them speak') : 'None has fallen silent')
  if (past > 0) parts.push(`${count(past)} ${are(past)} of the past`)
  const odd = unusual > 0 ? `${count(unusual)} had something unusual in the last 24 hours, ${count(anomalies)} time${anomalies === 1 ? '' : 's'} in all` : 'nothing unusual in the last 24 hours'
  return `${[...parts, odd].join('; ')}.`
}

/** Whether something of it was unusual within the last hour. */
export function isRecent({ anomalies }: DeviceRow, nowMs: number): boolean {
  return anomalies !== null && anomalies.newest > nowMs - HOUR_MS
}

/** Why a device is where it is in the list; empty where all is well. */
export function reasons(device: DeviceRow, units: Pick<Units, 'label' | 'text'>, nowMs: number): { kind: 'silent' | 'unusual' | 'before' | 'losing' | 'past'; text: string }[] {
  const { state, last, everyMs, anomalies, hour } = device
  const found: ReturnType<typeof reasons> = []
  const usual = everyMs === null ? '' : `, usually every ${duration(everyMs)}`
  if (state === 'silent') found.push({ kind: 'silent', text: `Silent for ${duration(nowMs - last)}${usual}` })
  if (state === 'past') found.push({ kind: 'past', text: `Of the past: last heard of ${age(last, nowMs)}` })
  if (anomalies !== null) {
    const more = anomalies.count > 1 ? `, worst of ${count(anomalies.count)}` : ''
    found.push({ kind: isRecent(device, nowMs) ? 'unusual' : 'before', text: `${severity(anomalies.score)}: ${units.label(anomalies.metric)} ${units.text(anomalies.metric, anomalies.value)} at ${clockTime(anomalies.ts)}${more}` })
  }
  if (hour !== null && hour.rejected > 0.01 * hour.received) found.push({ kind: 'losing', text: `${count(hour.rejected)} of ${count(hour.received)} readings rejected within the hour` })
  if (hour !== null && hour.late > 0.2 * hour.received) found.push({ kind: 'losing', text: `${count(hour.late)} of ${count(hour.received)} readings late within the hour` })
  return found
}
