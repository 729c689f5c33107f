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
  const times = `${count(anomalies)} time${anomalies === 1 ? '' : 's'} in all`
  parts.push(unusual > 0 ? `${count(unusual)} had something unusual in the last 24 hours, ${times}` : 'nothing unusual in the last 24 hours')
  return `${parts.join('; ')}.`
}

/** Whether something of it was unusual within the last hour. */
export function isRecent({ anomalies }: DeviceRow, nowMs: number): boolean {
  return anomalies !== null && anomalies.newest > nowMs - HOUR_MS
}

export interface Reason {
  /** `before`: unusual, but not within the last hour. */
  readonly kind: 'silent' | 'unusual' | 'before' | 'losing' | 'past'
  readonly text: string
}

/** Why a device is where it is in the list; empty where all is well. */
export function reasons(device: DeviceRow, units: Pick<Units, 'label' | 'text'>, nowMs: number): Reason[] {
  const { state, last, everyMs, anomalies, hour } = device
  const found: Reason[] = []
  const usual = everyMs === null ? '' : `, usually every ${duration(everyMs)}`
  if (state === 'silent') found.push({ kind: 'silent', text: `Silent for ${duration(nowMs - last)}${usual}` })
  if (state === 'past') found.push({ kind: 'past', text: `Of the past: last heard of ${age(last, nowMs)}` })
  if (anomalies !== null) {
    const more = anomalies.count > 1 ? `, worst of ${count(anomalies.count)}` : ''
    const what = `${units.label(anomalies.metric)} ${units.text(anomalies.metric, anomalies.value)}`
    const text = `${severity(anomalies.score)}: ${what} at ${clockTime(anomalies.ts)}${more}`
    found.push({ kind: isRecent(device, nowMs) ? 'unusual' : 'before', text })
  }
  const losing = (n: number, how: string) => found.push({ kind: 'losing', text: `${count(n)} of ${count(hour!.received)} readings ${how} within the hour` })
  if (hour !== null && hour.rejected > 0.01 * hour.received) losing(hour.rejected, 'rejected')
  if (hour !== null && hour.late > 0.2 * hour.received) losing(hour.late, 'late')
  return found
}
