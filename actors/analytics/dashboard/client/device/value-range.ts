/** The scale of values of a chart. Pure. */

/** A constant series still gets a scale with room around it; a range of the unit is in it wholly. */
export function valueRange(min: number | null, max: number | null, least: readonly [number, number] | null): [number, number] {
  if (min === null || max === null) return least ? [...least] : [0, 1]
  const room = max > min ? (max - min) * 0.1 : Math.max(Math.abs(max) * 0.1, 0.5)
  const [low, high] = [min - room, max + room]
  return least ? [min < least[0] ? low : least[0], max > least[1] ? high : least[1]] : [low, high]
}
