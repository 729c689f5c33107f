/**
 * Where stands how a series stands to its kind (kin.ts): singles a series.
 *
 * Lean, mark, greatest lean of the block under way; usual distance from its kind, and by how much more than it the series moves with it; hours compared;
 * hours of rest, and usual ones.
 */

export const KIN_SINGLES = 8
export const LEAN = 0
export const MARK = 1
export const HIGH = 2
export const USUAL = 3
export const GAIN = 4
export const COMPARED = 5
export const REST = 6
export const REST_MEAN = 7
