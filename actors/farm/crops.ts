/**
 * What crops need, by FAO-56: lengths of stages (table 11), single and basal crop coefficients and heights (tables 12, 17), depth of roots and the part of the
 * available water that may be used without stress (table 22). Owns the tables and a crop's course through its season; imports nothing.
 *
 * Every number was compared with the tables as pyfao56 (K. R. Thorp, USDA-ARS; 1.4.3, tools/tables.py) has them.
 *
 * Of the ranges of root depths it is the lesser one, which the paper names for scheduling irrigation. Stages are those of one region each, which `place`
 * names: whoever knows better gives a plot its own.
 */

export interface Crop {
  readonly name: string
  /** Days: initial, development, mid-season, late season (table 11), as of `place`. */
  readonly stageDays: readonly [number, number, number, number]
  readonly place: string
  /** Kc: initial, mid-season, end (table 12). */
  readonly kc: readonly [number, number, number]
  /** Kcb: initial, mid-season, end (table 17). */
  readonly kcb: readonly [number, number, number]
  readonly heightM: number
  readonly rootM: number
  /** p (table 22), for 5 mm of ETc a day. */
  readonly depletionFraction: number
}

/** Of a seed that has just come up. */
const ROOT_AT_FIRST_M = 0.25

export const CROPS = {
  alfalfa: { name: 'alfalfa (first cutting)', stageDays: [10, 30, 25, 10], place: 'Idaho, April', kc: [0.4, 1.2, 1.15], kcb: [0.3, 1.15, 1.1], heightM: 0.7, rootM: 1, depletionFraction: 0.55 },
  barley: { name: 'barley', stageDays: [20, 25, 60, 30], place: '35–45° latitude, March/April', kc: [0.3, 1.15, 0.25], kcb: [0.15, 1.1, 0.15], heightM: 1, rootM: 1, depletionFraction: 0.55 },
  beans: { name: 'dry beans', stageDays: [20, 30, 40, 20], place: 'continental climates, May/June', kc: [0.4, 1.15, 0.35], kcb: [0.15, 1.1, 0.25], heightM: 0.4, rootM: 0.6, depletionFraction: 0.45 },
  cotton: { name: 'cotton', stageDays: [30, 50, 55, 45], place: 'Texas, April', kc: [0.35, 1.17, 0.6], kcb: [0.15, 1.12, 0.45], heightM: 1.35, rootM: 1, depletionFraction: 0.65 },
  grapes: { name: 'wine grapes', stageDays: [30, 60, 40, 80], place: 'mid latitudes, April', kc: [0.3, 0.7, 0.45], kcb: [0.15, 0.65, 0.4], heightM: 1.75, rootM: 1, depletionFraction: 0.45 },
  lettuce: { name: 'lettuce', stageDays: [20, 30, 15, 10], place: 'Mediterranean, April', kc: [0.7, 1, 0.95], kcb: [0.15, 0.9, 0.9], heightM: 0.3, rootM: 0.3, depletionFraction: 0.3 },
  maize: { name: 'maize', stageDays: [30, 40, 50, 30], place: 'Spain and California, April', kc: [0.3, 1.2, 0.35], kcb: [0.15, 1.15, 0.15], heightM: 2, rootM: 1, depletionFraction: 0.55 },
  onions: { name: 'onions', stageDays: [15, 25, 70, 40], place: 'Mediterranean, April', kc: [0.7, 1.05, 0.75], kcb: [0.15, 0.95, 0.65], heightM: 0.4, rootM: 0.3, depletionFraction: 0.3 },
  potatoes: { name: 'potatoes', stageDays: [30, 35, 50, 30], place: 'Europe, April', kc: [0.5, 1.15, 0.75], kcb: [0.15, 1.1, 0.65], heightM: 0.6, rootM: 0.4, depletionFraction: 0.35 },
  sorghum: { name: 'sorghum', stageDays: [20, 35, 40, 30], place: 'USA and Mediterranean, May/June', kc: [0.3, 1.05, 0.55], kcb: [0.15, 1, 0.35], heightM: 1.5, rootM: 1, depletionFraction: 0.55 },
  soybeans: { name: 'soybeans', stageDays: [20, 35, 60, 25], place: 'central USA, May', kc: [0.5, 1.15, 0.5], kcb: [0.15, 1.1, 0.3], heightM: 0.75, rootM: 0.6, depletionFraction: 0.5 },
  'sugar-beet': { name: 'sugar beet', stageDays: [25, 35, 50, 50], place: 'Mediterranean, May', kc: [0.35, 1.2, 0.7], kcb: [0.15, 1.15, 0.5], heightM: 0.5, rootM: 0.7, depletionFraction: 0.55 },
  sunflower: { name: 'sunflowers', stageDays: [25, 35, 45, 25], place: 'Mediterranean and California, April/May', kc: [0.35, 1.1, 0.35], kcb: [0.15, 1.1, 0.25], heightM: 2, rootM: 0.8, depletionFraction: 0.45 },
  tomatoes: { name: 'tomatoes', stageDays: [30, 40, 45, 30], place: 'Mediterranean, April/May', kc: [0.6, 1.15, 0.8], kcb: [0.15, 1.1, 0.7], heightM: 0.6, rootM: 0.7, depletionFraction: 0.4 },
  wheat: { name: 'spring wheat', stageDays: [20, 25, 60, 30], place: '35–45° latitude, March/April', kc: [0.3, 1.15, 0.25], kcb: [0.15, 1.1, 0.15], heightM: 1, rootM: 1, depletionFraction: 0.55 },
} as const satisfies Readonly<Record<string, Crop>>
export type CropName = keyof typeof CROPS

export type Stage = 'before planting' | 'initial' | 'development' | 'mid-season' | 'late season' | 'harvested'

export interface CropDay {
  readonly stage: Stage
  readonly kc: number
  readonly kcb: number
  readonly rootM: number
  readonly heightM: number
}

/** A field without a crop. */
const BARE_KCB = 0.1

/**
 * The crop on the day that is `dayAfterPlanting` (0 on that day) days after its planting. Kc is level, rises, is level, falls (66); roots and height grow from planting to the
 * begin of mid-season. Before and after the season the soil is bare.
 */
export function cropOn(crop: Crop, dayAfterPlanting: number): CropDay {
  const [initial, development, middle, late] = crop.stageDays
  const grown = Math.min(1, Math.max(0, dayAfterPlanting / (initial + development)))
  const rootM = Math.min(crop.rootM, ROOT_AT_FIRST_M) + Math.max(0, crop.rootM - ROOT_AT_FIRST_M) * grown
  const on = (stage: Stage, part: number, from: 0 | 1, to: 0 | 1 | 2): CropDay => {
    const between = ([...values]: readonly [number, number, number]) => values[from]! + (values[to]! - values[from]!) * part
    return { stage, kc: between(crop.kc), kcb: between(crop.kcb), rootM, heightM: Math.max(0.05, crop.heightM * grown) }
  }
  if (dayAfterPlanting < 0) return { ...on('before planting', 0, 0, 0), kcb: BARE_KCB }
  let day = dayAfterPlanting
  if (day < initial) return on('initial', 0, 0, 0)
  day -= initial
  if (day < development) return on('development', day / development, 0, 1)
  day -= development
  if (day < middle) return on('mid-season', 0, 1, 1)
  day -= middle
  if (day < late) return on('late season', day / late, 1, 2)
  return { ...on('harvested', 0, 0, 0), kc: Math.min(crop.kc[0], crop.kc[2]), kcb: BARE_KCB }
}

export function seasonDays(crop: Crop): number {
  return crop.stageDays.reduce((sum, days) => sum + days, 0)
}
