/**
 * Profiles of days as partitions told them, from the lake and from fresh commits: the newest of each series, and those of some devices day by day.
 *
 * Leaves what is made of them to fleet-kinds.ts. Whoever asks holds the view, so that all answers are of one moment.
 */

import { sortOf } from '../../partition/fleet/kinds.ts'
import { text, timestamp } from '../data/lake.ts'
import type { Tail, View } from '../data/tail.ts'

/** A day of a series. */
export interface ProfileDay {
  readonly device: string
  readonly metric: string
  readonly day: number
  readonly level: number
  /** Group of its kind that it was nearest to, and how far it was, in units of the kind's scale; null where none was known then. */
  readonly cluster: number | null
  readonly distance: number | null
}

export interface ProfilesAsked {
  readonly tenant: string
  readonly sinceMs: number
}

const keyOf = ({ device, metric }: Pick<ProfileDay, 'device' | 'metric'>) => `${device}\n${metric}`

/** By sort of device and metric, with a line feed between, the newest day of each series. */
export async function newestProfiles(tail: Tail, view: View, asked: ProfilesAsked): Promise<Map<string, ProfileDay[]>> {
  const newest = new Map<string, ProfileDay>()
  const columns = await tail.lake.query(
    `SELECT device, metric, epoch_ms(max(day))::DOUBLE, arg_max(level, day), arg_max_null(cluster, day)::DOUBLE, arg_max_null(distance, day)
     FROM ${view.version.relation('profiles')} WHERE ${conditionOf(asked)} GROUP BY device, metric`,
  )
  for (const row of rowsOf(columns)) newest.set(keyOf(row), row)
  for (const row of freshDays(view, asked)) if (row.day >= (newest.get(keyOf(row))?.day ?? -Infinity)) newest.set(keyOf(row), row)
  return Map.groupBy(newest.values(), ({ device, metric }) => `${sortOf(device)}\n${metric}`)
}

/** By device and metric, with a line feed between, all days of some devices, the newest first. */
export async function profilesOf(tail: Tail, view: View, asked: ProfilesAsked & { readonly devices: ReadonlySet<string> }): Promise<Map<string, ProfileDay[]>> {
  const { devices } = asked
  if (devices.size === 0) return new Map()
  const columns = await tail.lake.query(
    `SELECT device, metric, epoch_ms(day)::DOUBLE, level, cluster::DOUBLE, distance
     FROM ${view.version.relation('profiles')} WHERE ${conditionOf(asked)} AND device IN (${[...devices].map(text).join(', ')})`,
  )
  // A day that is in the lake and in a fresh commit is the same one.
  const days = new Map<string, ProfileDay>()
  for (const row of [...rowsOf(columns), ...freshDays(view, asked)]) if (devices.has(row.device)) days.set(`${keyOf(row)}\n${row.day}`, row)
  return Map.groupBy([...days.values()].sort((a, b) => b.day - a.day), keyOf)
}

const conditionOf = ({ tenant, sinceMs }: ProfilesAsked) => `tenant = ${text(tenant)} AND day >= ${timestamp(sinceMs)}`

function rowsOf(columns: readonly any[][]): ProfileDay[] {
  return (columns[0] ?? []).map((_, i) => {
    const [device, metric, day, level, cluster, distance] = columns.map((column) => column[i])
    return { device, metric, day, level, cluster, distance }
  })
}

function freshDays(view: View, { tenant, sinceMs }: ProfilesAsked): ProfileDay[] {
  return view.fresh.flat().flatMap(({ effects }) =>
    effects.profiles.flatMap(({ series, day, level, cluster, distance }) => {
      const { tenant: of, device, metric } = effects.series[series]
      if (of !== tenant || day < sinceMs) return []
      return [{ device, metric, day, level, cluster: cluster < 0 ? null : cluster, distance: Number.isNaN(distance) ? null : distance }]
    }))
}
