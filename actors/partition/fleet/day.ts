/** The end of a series' day: its profile, told with the group of its kind that it is nearest to, and with its traits. */

import type { EffectsBuilder } from '../effects.ts'
import { Flag } from '../flags.ts'
import type { Series } from '../series/series.ts'
import { ENSEMBLE_DOUBLES } from '../series/ensemble/layout.ts'
import { PAGE_BITS, PAGE_SERIES } from '../state.ts'
import type { PartitionState } from '../state.ts'
import { traitsOf } from './loan.ts'
import { nearestOf, profileOf } from './profile.ts'

/** `hours`: the means of the day's 24 hours, NaN where there is none. A day of which too little is known is passed over. */
export function endDay(state: PartitionState, series: Series, { day, hours }: { day: number; hours: ArrayLike<number> }, effects: EffectsBuilder): void {
  const profile = profileOf(hours)
  if (profile === null) return
  const { device, metric } = series
  const known = state.priors.of(device.tenant, device.name, metric)
  const { group, distance } = known === null ? { group: -1, distance: NaN } : nearestOf(profile.course, known.scale, known.groups.map((g) => g.centre))
  const lends = state.flags.has(Flag.loan) && state.flags.has(Flag.ensemble)
  const traits = lends ? traitsOf(state.ensembles[series.id >> PAGE_BITS], (series.id & (PAGE_SERIES - 1)) * ENSEMBLE_DOUBLES) : null
  effects.profiles.push({ series: series.indexIn(effects), day, ...profile, cluster: group, distance, ...(traits === null ? {} : { traits }) })
}
