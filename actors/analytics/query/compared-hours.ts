/**
 * Hours of series against those of their kind, as partitions would have compared them, from the stored windows of an hour.
 *
 * - C1 What is usual of a series at an hour, and how far a kind was from that, is told as partition/fleet/hours.ts and fleet/courses.ts do, but for the
 *   steps in which a partition remembers hours, and for members whose hour closed too late to be told.
 */

import { TRIAL_READINGS_MAX } from '../../../runtime/limits.ts'
import { medianOf } from '../../fleet/courses.ts'
import { MEMBERS_MIN } from '../../partition/fleet/courses.ts'
import { USUAL_DAYS, USUAL_DAYS_MIN } from '../../partition/fleet/hours.ts'
import { kindOf, sortOf } from '../../partition/fleet/kinds.ts'
import { DAY_HOURS, HOUR_MS, WINDOW_SIZES_MS } from '../../reading/window.ts'
import type { Range } from '../data/fresh.ts'
import type { Tail } from '../data/tail.ts'
import { storedWindows } from './stored-windows.ts'
import { TrialError } from './trial-error.ts'

export interface ComparedHour {
  readonly device: string
  readonly metric: string
  /** Its end, epoch ms. */
  readonly ts: number
  readonly mean: number
  /** What is usual of the series at that hour, moved as its kind was. */
  readonly expected: number
}

/** Means by hour, from the first on that is looked at; NaN where there is none. */
interface Member {
  readonly device: string
  readonly metric: string
  readonly hours: Float64Array
}

const HOURS = (WINDOW_SIZES_MS as readonly number[]).indexOf(HOUR_MS)

/** The hours of `devices` that end in a range and can be compared, device by device. Throws `TrialError` where their kinds have too many. */
export async function comparedHours(tail: Tail, { tenant, devices, metrics, range }: { tenant: string; devices: readonly string[]; metrics: ReadonlySet<string>; range: Range }): Promise<ComparedHour[]> {
  const sorts = new Set(devices.map(sortOf))
  const kin = new Set<string>()
  for (const { device } of tail.catalog.list(tenant, { devices: null, metrics, prefix: null })) if (sorts.has(sortOf(device))) kin.add(device)
  const known = USUAL_DAYS * DAY_HOURS
  const first = Math.ceil(range.from / HOUR_MS) - 1 - known
  const end = Math.ceil(range.to / HOUR_MS) - 1
  if (kin.size === 0 || end <= first + known) return []
  const kinds = await membersOf(tail, { tenant, devices: kin, metrics }, first, end)
  const asked = new Set(devices)
  const found: ComparedHour[] = []
  for (const members of kinds.values()) {
    for (let at = known; at < end - first; at++) {
      const usual = members.map(({ hours }) => usualOf(hours, at))
      const deviations = members.map(({ hours }, m) => hours[at] - usual[m]).filter((off) => !Number.isNaN(off))
      if (deviations.length < MEMBERS_MIN) continue
      const deviation = medianOf(deviations)
      for (const [m, { device, metric, hours }] of members.entries()) {
        if (!asked.has(device) || Number.isNaN(hours[at] - usual[m])) continue
        found.push({ device, metric, ts: (first + at + 1) * HOUR_MS, mean: hours[at], expected: usual[m] + deviation })
      }
    }
  }
  return found
}

function usualOf(hours: Float64Array, at: number): number {
  let days = 0
  let sum = 0
  for (let before = at - DAY_HOURS; before >= at - USUAL_DAYS * DAY_HOURS; before -= DAY_HOURS) {
    if (Number.isNaN(hours[before])) continue
    days++
    sum += hours[before]
  }
  return days < USUAL_DAYS_MIN ? NaN : sum / days
}

/** Members by kind. Hours are counted since 1970, `end` excluded. */
async function membersOf(tail: Tail, { tenant, devices, metrics }: { tenant: string; devices: ReadonlySet<string>; metrics: ReadonlySet<string> }, first: number, end: number): Promise<Map<string, Member[]>> {
  const view = tail.view()
  try {
    const scope = { tenant, filter: { devices, metrics, prefix: null } }
    const { rows, next } = await storedWindows(tail, view, { scope, range: { from: first * HOUR_MS, to: end * HOUR_MS }, place: null, limit: TRIAL_READINGS_MAX }, HOURS)
    if (next !== null) throw new TrialError(`the series of its kinds must have at most ${TRIAL_READINGS_MAX} hours in that time and the ${USUAL_DAYS} days before it`, rows.length)
    const kinds = new Map<string, Member[]>()
    let member = null as Member | null
    for (const [device, metric, start, , , , mean] of rows) {
      if (member?.device !== device || member.metric !== metric) {
        member = { device, metric, hours: new Float64Array(end - first).fill(NaN) }
        const kind = kindOf(tenant, device, metric)
        const members = kinds.get(kind)
        if (members === undefined) kinds.set(kind, [member])
        else members.push(member)
      }
      member.hours[start / HOUR_MS - first] = mean as number
    }
    return kinds
  } finally {
    view.release()
  }
}
