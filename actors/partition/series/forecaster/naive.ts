/** Forecasts that repeat: the last hour, the last day, the last week, the mean of the last two weeks. */

export const DAY = 24
export const WEEK = 168

/** Hours `period` back of `values[until]` and on, again and again. Needs `until - from` ≥ `period`. */
export function repeat(values: Float64Array, until: number, period: number, steps: number, out: Float64Array): void {
  for (let h = 0; h < steps; h++) out[h] = h < period ? values[until - period + h] : out[h - period]
}

/** The mean of each hour of the last two weeks. Needs `until - from` ≥ 2 weeks; `steps` is a week at most. */
export function repeatWeeks(values: Float64Array, until: number, steps: number, out: Float64Array): void {
  for (let h = 0; h < steps; h++) out[h] = (values[until - WEEK + h] + values[until - 2 * WEEK + h]) / 2
}
