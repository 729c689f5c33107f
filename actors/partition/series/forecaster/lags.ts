/** Hours back that the two autoregressions look, ascending, and the prior of their coefficients. */

/** The last hours, the same hours of the day before and of the days on either side of a week ago. */
export const WEEK_LAGS = [1, 2, 3, 22, 23, 24, 25, 26, 48, 49, 72, 144, 145, 167, 168, 169] as const
export const DAY_LAGS = [1, 2, 3, 22, 23, 24, 25, 26, 48, 49] as const

/**
 * What the coefficients are without evidence: what is beyond the season's naive forecast dies away by a fifth each hour. A prior learnt
 * of a series' kind would stand in this place.
 */
const STAYS = 0.8

export const WEEK_PRIOR = WEEK_LAGS.map((lag) => priorOf(lag, 0.5))
export const DAY_PRIOR = DAY_LAGS.map((lag) => priorOf(lag, 1))

/** `daily`: what counts of the day before, the rest is of a week before. */
function priorOf(lag: number, daily: number): number {
  if (lag === 1) return STAYS
  if (lag === 24) return daily
  if (lag === 25) return -STAYS * daily
  if (lag === 168) return 1 - daily
  if (lag === 169) return -STAYS * (1 - daily)
  return 0
}
