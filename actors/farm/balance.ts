/**
 * The water of a root zone by FAO-56, chapters 7 and 8. Numbers in brackets are the paper's equations; units are mm, and m for depths.
 *
 * Picture: the root zone is a bowl, and its depletion is what is missing to its rim. Roots drink freely down to a mark (RAW), with effort below it, and not at
 * all at the bottom (TAW). What does not fit drains.
 *
 * Owns one day of the single coefficient (`dayOfRootZone`), and of the dual one that takes the wet surface apart (`dayOfSurface`). Leaves weather, crops and
 * soils to the files of these names. Pure; imports nothing.
 *
 * - B1 Depletion is within 0 and TAW, and nothing is lost: start − rain − irrigation + ETc + drainage = end, unless TAW held back what was asked.
 */

/** TAW (82). */
export function totalAvailableMm(fieldCapacity: number, wiltingPoint: number, rootM: number): number {
  return Math.max(0, 1000 * (fieldCapacity - wiltingPoint) * rootM)
}

/** p for what the crop would use that day: the table's holds for 5 mm (footnote of table 22). */
export function depletionFraction(tabled: number, etcMm: number): number {
  return Math.min(0.8, Math.max(0.1, tabled + 0.04 * (5 - etcMm)))
}

/** Ks (84): the part of its full use to which thirst has brought the crop. */
export function stress(depletionMm: number, { totalMm, fraction }: { totalMm: number; fraction: number }): number {
  const readilyMm = fraction * totalMm
  if (depletionMm <= readilyMm || totalMm <= 0) return 1
  return Math.max(0, (totalMm - depletionMm) / ((1 - fraction) * totalMm))
}

export interface RootZoneDay {
  /** Dr at the end of the day before. */
  readonly depletionMm: number
  readonly totalMm: number
  /** p, as it holds on this day. */
  readonly fraction: number
  /** Kc·ET0: what the crop uses where water is not short. */
  readonly cropUseMm: number
  /** Without what ran off. */
  readonly rainMm?: number
  /** Net: what reached the roots. */
  readonly irrigationMm?: number
  /**
   * When a surplus drains. 'after' the day's use is equation 88 as it stands: a bowl that overflows in the evening. 'before' it is what the table of example 38 does, as
   * water that comes in the morning drains first: there 17 mm drain on the first day, and not the 11 mm of the equation. Default 'after'.
   */
  readonly drains?: 'before' | 'after'
}

export interface RootZoneEnd {
  readonly depletionMm: number
  readonly usedMm: number
  readonly drainedMm: number
  /** Ks of the day, by the depletion at its start. */
  readonly stress: number
}

/** One day (85), (88). Stress is that of the depletion at the start, less the water that came. */
export function dayOfRootZone({ depletionMm, totalMm, fraction, cropUseMm, rainMm = 0, irrigationMm = 0, drains = 'after' }: RootZoneDay): RootZoneEnd {
  const wetted = depletionMm - rainMm - irrigationMm
  const ks = stress(Math.max(0, wetted), { totalMm, fraction })
  const wantedMm = ks * cropUseMm
  const drainedFirst = drains === 'before' ? Math.max(0, -wetted) : 0
  const before = wetted + drainedFirst
  const usedMm = Math.min(wantedMm, Math.max(0, totalMm - before))
  const used = before + usedMm
  const drainedLast = Math.max(0, -used)
  return { depletionMm: Math.min(totalMm, used + drainedLast), usedMm, drainedMm: drainedFirst + drainedLast, stress: ks }
}

/** Rain below a fifth of ET0 is gone before it wets a root (chapter 8, below equation 85). */
export function effectiveRainMm(rainMm: number, et0Mm: number): number {
  return rainMm < 0.2 * et0Mm ? 0 : rainMm
}

/** Kc max (72): no surface gives more water than the air takes. `humidityMin` in percent, `wind` in m/s at 2 m. */
export function coefficientMax({ kcb, wind, humidityMin, heightM }: { kcb: number; wind: number; humidityMin: number; heightM: number }): number {
  return Math.max(1.2 + (0.04 * (wind - 2) - 0.004 * (humidityMin - 45)) * (heightM / 3) ** 0.3, kcb + 0.05)
}

/** fc (76): the part of the ground that the crop covers. */
export function coverOf({ kcb, kcMax, heightM }: { kcb: number; kcMax: number; heightM: number }): number {
  const least = 0.15
  return Math.min(0.99, Math.max(0, (kcb - least) / Math.max(0.05, kcMax - least)) ** (1 + 0.5 * heightM))
}

/** TEW (73): what can evaporate of a bare top layer of `depthM`. */
export function totalEvaporableMm(fieldCapacity: number, wiltingPoint: number, depthM = 0.1): number {
  return 1000 * (fieldCapacity - 0.5 * wiltingPoint) * depthM
}

export interface SurfaceDay {
  /** De at the end of the day before. */
  readonly depletionMm: number
  readonly totalMm: number
  /** REW. */
  readonly readilyMm: number
  readonly kcb: number
  readonly kcMax: number
  readonly et0Mm: number
  /** 1 − fc: what the crop does not cover. */
  readonly exposed: number
  /** fw: what the last water wetted, 1 after rain. */
  readonly wetted: number
  /** Early in the day. */
  readonly rainMm?: number
  /** Averaged over the field, early in the day. */
  readonly irrigationMm?: number
}

/** One day of the top layer: Ke (71), Kr (74), few (75), balance (77), (79). `kc` is Kcb + Ke. */
export function dayOfSurface(day: SurfaceDay): { depletionMm: number; kc: number; cropUseMm: number; drainedMm: number } {
  const { totalMm, readilyMm, kcb, kcMax, et0Mm, exposed, wetted, rainMm = 0, irrigationMm = 0 } = day
  const few = Math.min(exposed, wetted)
  const came = day.depletionMm - rainMm - irrigationMm / wetted
  const depletion = Math.max(0, came)
  const reduction = depletion <= readilyMm ? 1 : Math.max(0, (totalMm - depletion) / (totalMm - readilyMm))
  const ke = Math.min(reduction * (kcMax - kcb), few * kcMax)
  const after = Math.min(totalMm, depletion + (ke * et0Mm) / few)
  return { depletionMm: after, kc: kcb + ke, cropUseMm: (kcb + ke) * et0Mm, drainedMm: Math.max(0, -came) }
}
