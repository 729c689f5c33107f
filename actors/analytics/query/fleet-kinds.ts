/**
 * What the devices of a tenant have in common: kinds of series, their groups by daily profile with who is in them, and who is unlike all of them.
 *
 * - O1 A device is judged by the newest profile of it: far from every group of its kind (`OUTLIER_SPREADS` of the group's own spread, and
 *   `OUTLIER_DISTANCE` of the kind's scale), or at a level that is far from its kind's.
 * - O2 It is unlike the others since the first of its days that were so in a row, measured by what is usual now; days that it did not tell are passed over.
 * - O3 A device is in the group that its newest day was nearest to. One that told it before its kind had groups is in none, unless there is one only.
 */

import type { KindModel } from '../../fleet/groups.ts'
import type { StoredKind } from '../../fleet/learner.ts'
import type { Tail, View } from '../data/tail.ts'
import { newestProfiles, profilesOf } from './fleet-profiles.ts'
import type { ProfileDay } from './fleet-profiles.ts'

const OUTLIER_SPREADS = 3
const OUTLIER_DISTANCE = 0.5
const OUTLIER_LEVELS = 4
/** Series of a kind, at least, before one of them can be unlike the others. */
const KIND_MIN = 4
const DAY_MS = 86_400_000
/** Devices without a profile for so long are not counted. */
const SHOWN_DAYS = 14
/** How far back it is looked since when one is unlike the others. */
export const SINCE_DAYS = 90

export const KIND_ORDERS = ['name', 'outliers'] as const

export interface FleetGroup {
  readonly cluster: number
  readonly devices: number
  /** Mean of its devices' newest levels; null where it has none. */
  readonly level: number | null
  /** Hours of a UTC day: how far each is from the day's mean, in the unit of the metric. */
  readonly profile: number[]
  readonly spread: number
  /** By name, as many as were asked for. */
  readonly members: { readonly device: string; readonly level: number }[]
}

export interface FleetOutlier {
  readonly device: string
  readonly day: number
  /** First of the days in a row that were so. */
  readonly since: number
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
  /** Devices that are in no group yet. */
  readonly ungrouped: number
  /** Days of series that were learned of. */
  readonly days: number
  readonly level: number
  readonly levelSpread: number
  readonly amplitude: number
  readonly groups: FleetGroup[]
  readonly outliers: FleetOutlier[]
}

export interface KindsAsked {
  readonly tenant: string
  /** Null: all of them. */
  readonly metric: string | null
  readonly sort: string | null
  readonly order: (typeof KIND_ORDERS)[number]
  readonly offset: number
  readonly limit: number
  /** Of each group that are named, at most. */
  readonly members: number
  readonly nowMs: number
}

export interface FleetKinds {
  /** Kinds that match; `kinds` is a part of them. */
  readonly found: number
  /** All that the tenant's kinds measure, by name. */
  readonly metrics: { readonly metric: string; readonly kinds: number; readonly outliers: number }[]
  readonly kinds: FleetKind[]
}

type Undated = Omit<FleetKind, 'outliers'> & { readonly model: KindModel; readonly outliers: Omit<FleetOutlier, 'since'>[] }

export async function fleetKinds(tail: Tail, stored: readonly StoredKind[], asked: KindsAsked): Promise<FleetKinds> {
  const { tenant, metric, sort, order, offset, limit, nowMs } = asked
  const view = tail.view()
  try {
    const days = await newestProfiles(tail, view, { tenant, sinceMs: nowMs - SHOWN_DAYS * DAY_MS })
    const all: Undated[] = []
    for (const { of, model } of stored) {
      const [ofTenant, ofSort, ofMetric] = of.split('\n')
      if (ofTenant === tenant) all.push(kindOf(ofSort, ofMetric, model, days.get(`${ofSort}\n${ofMetric}`) ?? [], asked.members))
    }
    const metrics = [...Map.groupBy(all, (kind) => kind.metric)].map(([name, kinds]) => ({ metric: name, kinds: kinds.length, outliers: kinds.reduce((sum, k) => sum + k.outliers.length, 0) }))
    const found = all.filter((kind) => (metric === null || kind.metric === metric) && (sort === null || kind.sort === sort))
    // What is stored comes in order of names, and a sort keeps that among equals.
    if (order === 'outliers') found.sort((a, b) => b.outliers.length - a.outliers.length || b.devices - a.devices)
    const kinds = await dated(tail, view, { tenant, sinceMs: nowMs - SINCE_DAYS * DAY_MS }, found.slice(offset, offset + limit))
    return { found: found.length, metrics: metrics.sort((a, b) => (a.metric < b.metric ? -1 : 1)), kinds }
  } finally {
    view.release()
  }
}

function kindOf(sort: string, metric: string, model: KindModel, own: readonly ProfileDay[], membersMax: number): Undated {
  const only = model.groups.length === 1 ? 0 : null
  const byGroup = Map.groupBy(own, (day) => day.cluster ?? only)
  const groups = model.groups.map((group, cluster) => {
    const within = byGroup.get(cluster) ?? []
    return {
      cluster,
      devices: within.length,
      level: within.length === 0 ? null : within.reduce((sum, { level }) => sum + level, 0) / within.length,
      profile: group.centre.map((c) => c * model.scale),
      spread: group.spread * model.scale,
      members: membersMax === 0 ? [] : within.map(({ device, level }) => ({ device, level })).sort((a, b) => (a.device < b.device ? -1 : 1)).slice(0, membersMax),
    }
  })
  const outliers = (own.length < KIND_MIN ? [] : own).flatMap((day) => {
    const out = outOf(model, day)
    return out === null ? [] : [{ device: day.device, day: day.day, ...out }]
  })
  outliers.sort((a, b) => Math.abs(b.distance) - Math.abs(a.distance))
  const ungrouped = own.length - groups.reduce((sum, group) => sum + group.devices, 0)
  return { sort, metric, devices: own.length, ungrouped, days: model.days, level: model.level, levelSpread: model.levelSpread, amplitude: model.scale, groups, outliers, model }
}

/** By what a day is unlike its kind, and how far; null where it is as usual. */
function outOf(model: KindModel, { level, cluster, distance }: ProfileDay): Pick<FleetOutlier, 'by' | 'distance' | 'usual'> | null {
  const spread = cluster === null ? 0 : (model.groups[cluster]?.spread ?? 0)
  if (distance !== null && distance > Math.max(OUTLIER_DISTANCE, OUTLIER_SPREADS * spread)) return { by: 'profile', distance: distance * model.scale, usual: spread * model.scale }
  if (model.levelSpread > 0 && Math.abs(level - model.level) > OUTLIER_LEVELS * model.levelSpread) return { by: 'level', distance: level - model.level, usual: model.levelSpread }
  return null
}

/** Says of each outlier since when it is one. */
async function dated(tail: Tail, view: View, asked: { tenant: string; sinceMs: number }, kinds: readonly Undated[]): Promise<FleetKind[]> {
  const devices = new Set(kinds.flatMap((kind) => kind.outliers.map(({ device }) => device)))
  const days = await profilesOf(tail, view, { ...asked, devices })
  return kinds.map(({ model, outliers, ...kind }) => ({
    ...kind,
    outliers: outliers.map((outlier) => {
      const told = days.get(`${outlier.device}\n${kind.metric}`) ?? []
      const end = told.findIndex((day) => outOf(model, day)?.by !== outlier.by)
      return { ...outlier, since: told[(end < 0 ? told.length : end) - 1]?.day ?? outlier.day }
    }),
  }))
}
