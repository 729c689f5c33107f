/** The end of a series' day: its profile, told with the group of its kind that it is nearest to. */

import type { EffectsBuilder } from '../effects.ts'
import type { Series } from '../series/series.ts'
import type { PartitionState } from '../state.ts'
import { nearestOf, profileOf } from './profile.ts'

/** `hours`: the means of the day's 24 hours, NaN where there is none. A day of which too little is known is passed over. */
export function endDay(state: PartitionState, series: Series, { day, hours }: { day: number; hours: ArrayLike<number> }, effects: EffectsBuilder): void {
  const profile = profileOf(hours)
  if (profile === null) return
  const { device, metric } = series
  const known = state.priors.of(device.tenant, device.name, metric)
  const { group, distance } = known === null ? { group: -1, distance: NaN } : nearestOf(profile.course, known.scale, known.groups.map((g) => g.centre))
  effects.profiles.push({ series: series.indexIn(effects), day, ...profile, cluster: group, distance })
}
