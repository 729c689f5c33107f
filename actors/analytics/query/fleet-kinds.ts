/**
 * What the devices of a tenant have in common: kinds of series, their groups by daily profile, and who is unlike all of them.
 *
 * - O1 A device is judged by the newest profile of it: far from every group of its kind (`OUTLIER_SPREADS` of the group's own spread, and
 *   `OUTLIER_DISTANCE` of the kind's scale), or at a level that is far from its kind's.
 */

import type { StoredKind } from '../../fleet/learner.ts'
import { sortOf } from '../../partition/fleet/kinds.ts'
import { text, timestamp } from '../data/lake.ts'
import type { Tail } from '../data/tail.ts'

const OUTLIER_SPREADS = 3
const OUTLIER_DISTANCE = 0.5
const OUTLIER_LEVELS = 4
/** Series of a kind, at least, before one of them can be unlike the others. */
const KIND_MIN = 4
const DAY_MS = 86_400_000
/** Devices without a profile for so long are not counted. */
const SHOWN_DAYS = 14

export interface FleetGroup {
  readonly cluster: number
  readonly devices: number
  /** Hours of a UTC day: how far each is from the day's mean, in the unit of the metric. */
  readonly profile: number[]
  readonly spread: number
}

export interface FleetOutlier {
  readonly device: string
  readonly day: number
  /** `profile` or `level`: by what it is unlike the others. */
  readonly by: 'profile' | 'level'
  /** From the nearest group, in the unit of the metric; or of the level from that of the kind. */
  readonly distance: number
  /** What is usual of it. */
  readonly usual: number
}

export interface FleetKind {
  readonly sort: string
  readonly metric: string
  readonly devices: number
  /** Days of series that were learned of. */
  readonly days: number
  readonly level: number
  readonly amplitude: number
  readonly groups: FleetGroup[]
  readonly outliers: FleetOutlier[]
}

interface Member {
  readonly device: string
  readonly day: number
  readonly level: number
  readonly cluster: number | null
  readonly distance: number | null
}

export async function fleetKinds(tail: Tail, kinds: readonly StoredKind[], { tenant, metric, nowMs }: { tenant: string; metric: string | null; nowMs: number }): Promise<FleetKind[]> {
  const members = await newestProfiles(tail, tenant, nowMs - SHOWN_DAYS * DAY_MS)
  const found: FleetKind[] = []
  for (const { of, model } of kinds) {
    const [ofTenant, sort, ofMetric] = of.split('\n')
    if (ofTenant !== tenant || (metric !== null && ofMetric !== metric)) continue
    const own = members.get(`${sort}\n${ofMetric}`) ?? []
    const groups = model.groups.map((group, cluster) => ({
      cluster,
      devices: own.filter((m) => m.cluster === cluster).length,
      profile: group.centre.map((c) => c * model.scale),
      spread: group.spread * model.scale,
    }))
    const outliers: FleetOutlier[] = []
    for (const { device, day, level, cluster, distance } of own.length < KIND_MIN ? [] : own) {
      const spread = cluster === null ? 0 : (model.groups[cluster]?.spread ?? 0)
      if (distance !== null && distance > Math.max(OUTLIER_DISTANCE, OUTLIER_SPREADS * spread)) outliers.push({ device, day, by: 'profile', distance: distance * model.scale, usual: spread * model.scale })
      else if (model.levelSpread > 0 && Math.abs(level - model.level) > OUTLIER_LEVELS * model.levelSpread) outliers.push({ device, day, by: 'level', distance: level - model.level, usual: model.levelSpread })
    }
    outliers.sort((a, b) => Math.abs(b.distance) - Math.abs(a.distance))
    found.push({ sort, metric: ofMetric, devices: own.length, days: model.days, level: model.level, amplitude: model.scale, groups, outliers })
  }
  return found
}

/** The newest profile of each series, by sort of device and metric. */
async function newestProfiles(tail: Tail, tenant: string, sinceMs: number): Promise<Map<string, Member[]>> {
  const newest = new Map<string, Member & { readonly metric: string }>()
  const view = tail.view()
  try {
    const columns = await tail.lake.query(
      `SELECT device, metric, epoch_ms(max(day))::DOUBLE, arg_max(level, day), arg_max_null(cluster, day)::DOUBLE, arg_max_null(distance, day)
       FROM ${view.version.relation('profiles')} WHERE tenant = ${text(tenant)} AND day >= ${timestamp(sinceMs)} GROUP BY device, metric`,
    )
    for (let i = 0; i < (columns[0]?.length ?? 0); i++) {
      const [device, metric, day, level, cluster, distance] = columns.map((column) => column[i])
      newest.set(`${device}\n${metric}`, { device, metric, day, level, cluster, distance })
    }
    for (const { effects } of view.fresh.flat()) {
      for (const { series, day, level, cluster, distance } of effects.profiles) {
        const { tenant: of, device, metric } = effects.series[series]
        if (of !== tenant || day < sinceMs || day < (newest.get(`${device}\n${metric}`)?.day ?? -Infinity)) continue
        newest.set(`${device}\n${metric}`, { device, metric, day, level, cluster: cluster < 0 ? null : cluster, distance: Number.isNaN(distance) ? null : distance })
      }
    }
  } finally {
    view.release()
  }
  const members = new Map<string, Member[]>()
  for (const member of newest.values()) {
    const key = `${sortOf(member.device)}\n${member.metric}`
    members.set(key, [...(members.get(key) ?? []), member])
  }
  return members
}
