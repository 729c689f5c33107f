/** What a rule would have raised: its alerts by device as bars along the time, their sum in words. Pure. */

import { rankOf } from '../alerts/order.ts'
import { count } from '../format.ts'

export interface TrialEvent {
  readonly device: string
  readonly metric: string
  /** Which of the device's alerts, from 1. */
  readonly alert: number
  readonly event: string
  readonly severity: string
  readonly at: number
  readonly value: number | null
  readonly message: string
}

/** As `POST /v1/rules/{id}/try` answers. */
export interface Trial {
  readonly from: number
  readonly to: number
  readonly alerts: number
  readonly series: number
  readonly readings: number
  readonly known: number
  readonly met: number
  readonly events: readonly TrialEvent[]
  readonly truncated: boolean
}

export interface Bar {
  readonly from: number
  readonly to: number
  readonly severity: string
}

/** Bars of each device, in the order in which devices first had one; a bar a severity, so that an alert that grew worse has several. */
export function barsOf({ events, to }: Pick<Trial, 'events' | 'to'>): { device: string; bars: Bar[] }[] {
  const rows = new Map<string, { bars: Bar[]; open: { from: number; severity: string } | null }>()
  for (const { device, event, severity, at } of events) {
    let row = rows.get(device)
    if (row === undefined) rows.set(device, (row = { bars: [], open: null }))
    if (row.open !== null && (event === 'resolved' || severity !== row.open.severity)) {
      row.bars.push({ ...row.open, to: at })
      row.open = null
    }
    if (event !== 'resolved') row.open ??= { from: at, severity }
  }
  return [...rows].map(([device, { bars, open }]) => ({ device, bars: open === null ? bars : [...bars, { ...open, to }] }))
}

/** What it comes to, in a sentence or two. */
export function trialWords({ alerts, series, readings, known, met, events, truncated }: Trial, days: string): string {
  const looked = `${count(readings)} reading${readings === 1 ? '' : 's'} of ${count(series)} series`
  if (series === 0) return 'No series that was ever measured is selected: nothing could be raised.'
  if (alerts === 0) return `In ${days} it would have raised nothing (${looked}).${known > 0 ? ` The rule as it was raised ${count(known)}.` : ''}`
  const devices = new Set(events.map(({ device }) => device)).size
  // Of each alert the greatest severity counts.
  const greatest = new Map<string, string>()
  for (const { device, alert, severity } of events) {
    const key = `${device}\n${alert}`
    if (rankOf(severity) >= rankOf(greatest.get(key) ?? 'debug')) greatest.set(key, severity)
  }
  const by = new Map<string, number>()
  for (const severity of greatest.values()) by.set(severity, (by.get(severity) ?? 0) + 1)
  const which = [...by].sort(([a], [b]) => rankOf(b) - rankOf(a)).map(([severity, n]) => `${count(n)} ${severity}`).join(', ')
  const there = known === 0 ? '' : ` The rule as it was raised ${count(known)}; ${count(met)} of these here ${met === 1 ? 'is' : 'are'} of the same time and device.`
  const part = truncated ? ' Not all of its steps are shown.' : ''
  return `In ${days} it would have raised ${count(alerts)} alert${alerts === 1 ? '' : 's'} on ${count(devices)} device${devices === 1 ? '' : 's'}: ${which} (${looked}).${there}${part}`
}
