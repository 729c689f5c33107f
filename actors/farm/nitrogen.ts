/**
 * Nitrogen by mass balance: what the crop needs, less what soil and others give, in kg of N a hectare. Pure; imports nothing.
 *
 * Two ways, and a word of where each comes from:
 * - Maize: the equation of the University of Nebraska-Lincoln, EC117 "Nutrient Management Suggestions for Corn", as its editions to 2021 print it; checked
 *   against the university's own extension text of March 2021. Since December 2023 the circular points to a web tool that was made of it.
 *   It is for Nebraska's soils: elsewhere a first guess.
 * - Any other crop: Stanford's balance (1973, J. Environ. Qual. 2:159). Its abstract names its four terms: what the crop takes up at the yield that can be expected, what the soil
 *   mineralises in the season, what mineral N the root zone holds early in it, and the part that the crop recovers, often 50 to 70 %; the University of Nebraska (CropWatch,
 *   "1.2 lb N per Bushel: Where Did That Come From?") prints his equation as Nf = Ny − Ns. Over recovery, that is what stands here: recovery is asked of fertiliser alone. The
 *   paper's full text was not at hand. What the crop takes up and what the soil gives are asked of the farmer, not made up.
 *
 * Not counted, as no rate of it was measured here: what leaches, denitrifies or volatilises. That water drained through since the last application is said in words.
 */

/** Of a pound an acre. */
export const KG_HA_OF_LB_ACRE = 1.1209
/** Bushels of maize (56 lb) an acre in a tonne a hectare. */
export const BUSHELS_ACRE_OF_TONNE_HA = 15.93

export interface MaizeField {
  /** Tonnes a hectare at 15.5 % water; about 105 % of the mean of five years. */
  readonly yieldTonnesHa: number
  /** NO₃-N of the root zone, to 0.6 m at least, ppm. Without a test 3, and 1.5 in sand. */
  readonly nitratePpm: number
  /** Percent; counts from 0.5 to 3. */
  readonly organicMatter: number
  /** Legume before it, manure, nitrate of the water. */
  readonly creditsKgHa?: number
}

/** kg N a hectare over the whole season, at least 0; factors of price and timing are 1. */
export function nitrogenOfMaize({ yieldTonnesHa, nitratePpm, organicMatter, creditsKgHa = 0 }: MaizeField): number {
  const bushels = yieldTonnesHa * BUSHELS_ACRE_OF_TONNE_HA
  const organic = Math.min(3, Math.max(0.5, organicMatter))
  const pounds = 35 + 1.2 * bushels - 8 * nitratePpm - 0.14 * bushels * organic - creditsKgHa / KG_HA_OF_LB_ACRE
  return Math.max(0, pounds * KG_HA_OF_LB_ACRE)
}

export interface CropNeed {
  /** N in the crop at the yield that is hoped for. */
  readonly cropKgHa: number
  /** Mineral N of the soil in spring, and what it will mineralise. */
  readonly soilKgHa: number
  readonly creditsKgHa?: number
  /** Part of fertiliser's N that the crop recovers, 0.5 to 0.7. Default 0.6. */
  readonly recovery?: number
}

/** kg N a hectare over the whole season, at least 0. */
export function nitrogenOfBalance({ cropKgHa, soilKgHa, creditsKgHa = 0, recovery = 0.6 }: CropNeed): number {
  return Math.max(0, (cropKgHa - soilKgHa - creditsKgHa) / recovery)
}
