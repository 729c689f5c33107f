/**
 * What soils hold, by FAO-56, table 19: water content at field capacity and at the wilting point, in m³/m³, and the water that leaves the bare top 0.1 m
 * before evaporation slows (REW). Owns the table and the middles of its ranges; imports nothing.
 *
 * All 27 ranges are as the paper prints them on its page 144 (R. G. Allen and others 1998, ISBN 92-5-104219-5), compared line by line with its text; those of water content also with
 * the table `DataForSWC` of the package CropWaterBalance of CRAN (0.2.0), which cites the paper. "Silty clay loam" is its "silt clay loam".
 *
 * The ranges are wide: half of each is the standard deviation with which advice begins, until the plot's own moisture has told more.
 */

export interface Soil {
  readonly name: string
  readonly fieldCapacity: readonly [least: number, most: number]
  readonly wiltingPoint: readonly [least: number, most: number]
  readonly readilyEvaporableMm: readonly [least: number, most: number]
}

export const SOILS = {
  sand: { name: 'sand', fieldCapacity: [0.07, 0.17], wiltingPoint: [0.02, 0.07], readilyEvaporableMm: [2, 7] },
  'loamy-sand': { name: 'loamy sand', fieldCapacity: [0.11, 0.19], wiltingPoint: [0.03, 0.1], readilyEvaporableMm: [4, 8] },
  'sandy-loam': { name: 'sandy loam', fieldCapacity: [0.18, 0.28], wiltingPoint: [0.06, 0.16], readilyEvaporableMm: [6, 10] },
  loam: { name: 'loam', fieldCapacity: [0.2, 0.3], wiltingPoint: [0.07, 0.17], readilyEvaporableMm: [8, 10] },
  'silt-loam': { name: 'silt loam', fieldCapacity: [0.22, 0.36], wiltingPoint: [0.09, 0.21], readilyEvaporableMm: [8, 11] },
  silt: { name: 'silt', fieldCapacity: [0.28, 0.36], wiltingPoint: [0.12, 0.22], readilyEvaporableMm: [8, 11] },
  'silty-clay-loam': { name: 'silty clay loam', fieldCapacity: [0.3, 0.37], wiltingPoint: [0.17, 0.24], readilyEvaporableMm: [8, 11] },
  'silty-clay': { name: 'silty clay', fieldCapacity: [0.3, 0.42], wiltingPoint: [0.17, 0.29], readilyEvaporableMm: [8, 12] },
  clay: { name: 'clay', fieldCapacity: [0.32, 0.4], wiltingPoint: [0.2, 0.24], readilyEvaporableMm: [8, 12] },
} as const satisfies Readonly<Record<string, Soil>>
export type SoilName = keyof typeof SOILS

export const middleOf = ([least, most]: readonly [number, number]): number => (least + most) / 2
