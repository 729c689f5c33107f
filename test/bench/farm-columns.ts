/**
 * A second made truth for the advice to be graded by, of other parts than the first (actors/simulation/fields.ts) and than the advisor (actors/farm), and unkinder: the field is
 * four columns of soil that watering wets unlike one another, and all probes stand in one of them, be it a dry or a wet spot; probes drift through the season and lean with the
 * day's warmth. So what they say is near to what the field has, and not the same.
 *
 * - Water: layers of a decimetre; each drains by gravity at a rate that falls with a power of its water (Campbell 1974), solved exactly over the hour; there is no sharp field
 *   capacity, only a content at which little drains. Neighbours draw from each other. What the ground can't take of rain runs off.
 * - The air: what leaves take grows with light and with the root of the vapour deficit; bare ground gives by the root of time once it has dried (Ritchie 1972).
 * - The crop: a canopy that grows by Gompertz, roots that thin out with depth and drink by suction, and make up for dry layers by wet ones (Jarvis 1989).
 *
 * Owns all of this, and that no water is made or lost: rain + given = lost on the way + run off + evaporated + drunk + drained + what the soil holds more. Leaves who waters, and when, to farm-season.ts.
 */

import { drawn, drawnBetween, drawnNormal } from '../../actors/simulation/random.ts'
import type { FieldPlan, HourOfSky } from '../../actors/simulation/fields.ts'
import type { HourOfTruth, Truth } from './farm-season.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const LAYER_M = 0.1
const LAYER_MM = 1000 * LAYER_M
const COLUMNS = [-1.2, -0.4, 0.4, 1.2] as const
/** First words of every place that is drawn from. */
const Draw = { soil: 51, water: 52, crop: 53, probe: 54, noise: 55, gear: 56 } as const

interface Column {
  /** Water of each layer, m³/m³. */
  readonly layers: Float64Array
  /** Of field capacity and wilting point, m³/m³. */
  readonly capacity: number
  readonly wilting: number
  /** How much of what is given reaches it, and how its crop thrives, against the mean of the field. */
  readonly share: number
  readonly vigour: number
  /** What bare ground has given since it was wet, mm. */
  driedMm: number
  /** What has rained and not yet entered, and what the pipes have yet to bring, mm. */
  puddleMm: number
  comingMm: number
}

/** Of a field; `storedMm` is all the water in it. */
export function columnsOf(plan: FieldPlan, seed: number): Truth & { storedMm(): number } {
  const uneven = drawnBetween(0.05, 0.13, seed, Draw.water, 1)
  const capacityMean = plan.fieldCapacity + 0.015 * drawnNormal(seed, Draw.soil, 1)
  const availableMean = (plan.fieldCapacity - plan.wiltingPoint) * Math.exp(0.1 * drawnNormal(seed, Draw.soil, 2))
  const begin = drawnBetween(0.6, 0.95, seed, Draw.soil, 3)
  const count = Math.ceil((plan.rootM + 0.2) / LAYER_M)
  const turn = Math.floor(4 * drawn(seed, Draw.water, 2))
  const columns = COLUMNS.map((place, i): Column => {
    const capacity = capacityMean + 0.008 * drawnNormal(seed, Draw.soil, 10 + i)
    const wilting = capacity - availableMean
    return {
      layers: new Float64Array(count).fill(wilting + begin * availableMean), capacity, wilting,
      share: 1 + uneven * COLUMNS[(i + turn) % 4]!, vigour: 1 + 0.03 * place, driedMm: 8, puddleMm: 0, comingMm: 0,
    }
  })
  const seenColumn = columns[Math.floor(4 * drawn(seed, Draw.probe, 1))]!
  const depths = [0.15, Math.min(0.5, 0.8 * plan.rootM)]
  const probes = depths.map((depthM, i) => ({
    depthM,
    bias: 0.02 * drawnNormal(seed, Draw.probe, 2, i), gain: Math.exp(0.08 * drawnNormal(seed, Draw.probe, 3, i)),
    driftPerDay: (0.015 * drawnNormal(seed, Draw.probe, 4, i)) / 100, perDegree: 0.0003 * drawnNormal(seed, Draw.probe, 5, i),
  }))
  const efficiency = Math.min(1, plan.efficiency * Math.exp(0.07 * drawnNormal(seed, Draw.gear, 1)))
  const meterGain = Math.exp(0.03 * drawnNormal(seed, Draw.gear, 2))
  const gaugeGain = 0.95 * Math.exp(0.03 * drawnNormal(seed, Draw.gear, 3))
  const takesMm = drawnBetween(9, 20, seed, Draw.soil, 4)
  // Suction of a content is a power of it: -33 kPa at field capacity, -1500 kPa at the wilting point.
  const power = Math.log(1500 / 33) / Math.log(capacityMean / (capacityMean - availableMean))
  const falls = 2 * power + 3
  const drainsMmHour = drawnBetween(0.4, 1.5, seed, Draw.soil, 5) / 24
  const calendar = Math.exp(0.07 * drawnNormal(seed, Draw.crop, 1))
  const appetite = (0.53 * (plan.fullUse / 1.2)) * Math.exp(0.08 * drawnNormal(seed, Draw.crop, 2))
  const halfAt = plan.thirst * drawnBetween(0.88, 1.12, seed, Draw.crop, 3)
  const [initial, development, middle, late] = plan.stageDays
  let temperature = 20

  function hourOfColumn(column: Column, { wantedMm, bareMm, rainMm, givenMm, rootM }: { wantedMm: number; bareMm: number; rainMm: number; givenMm: number; rootM: number }) {
    const { layers, capacity, wilting } = column
    const full = Math.min(0.52, capacity + 0.17)
    // Pipes bring no more than the ground takes; of rain five millimetres may stand, the rest runs off.
    column.puddleMm += rainMm
    column.comingMm += givenMm
    const entersByPipeMm = Math.min(column.comingMm, takesMm)
    column.comingMm -= entersByPipeMm
    const entersOfRainMm = Math.min(column.puddleMm, takesMm - entersByPipeMm)
    const ranOffMm = Math.max(0, column.puddleMm - entersOfRainMm - 5)
    column.puddleMm -= entersOfRainMm + ranOffMm
    let entersMm = entersByPipeMm + entersOfRainMm
    column.driedMm = Math.max(0, column.driedMm - entersMm)
    let drainedMm = 0
    for (let i = 0; i < layers.length; i++) {
      layers[i]! += entersMm / LAYER_MM
      const wet = layers[i]! / capacity
      // dθ/dt = −k (θ/θfc)^n over the hour, in closed form.
      const after = capacity * (wet ** (1 - falls) + ((falls - 1) * drainsMmHour) / (LAYER_MM * capacity)) ** (1 / (1 - falls))
      entersMm = Math.max(0, layers[i]! - Math.min(after, full)) * LAYER_MM
      layers[i]! -= entersMm / LAYER_MM
    }
    drainedMm += entersMm
    for (let i = 0; i + 1 < layers.length; i++) {
      const wet = Math.min(1, (layers[i]! + layers[i + 1]!) / (2 * capacity))
      const moves = 0.02 * wet ** 4 * (layers[i + 1]! - layers[i]!)
      layers[i]! += moves
      layers[i + 1]! -= moves
    }
    // Bare ground: as the air wants until some 8 mm are gone, then by the root of time.
    const slowMm = (3.5 ** 2 / 2 / 24) / Math.max(0.5, column.driedMm - 8)
    const evaporatedMm = Math.min(column.driedMm < 8 ? bareMm : Math.min(bareMm, slowMm), Math.max(0, (layers[0]! - 0.4 * wilting) * LAYER_MM))
    column.driedMm += evaporatedMm
    layers[0]! -= evaporatedMm / LAYER_MM
    // Roots drink by suction: half as easily where it is that of `halfAt` (van Genuchten 1987).
    const halfWater = wilting + halfAt * (capacity - wilting)
    let [weights, eased] = [0, 0]
    const pulls = layers.map((water, i) => {
      const depthM = (i + 0.5) * LAYER_M
      const weight = depthM > rootM + LAYER_M / 2 ? 0 : Math.exp((-2.2 * depthM) / rootM)
      const ease = water <= wilting ? 0 : 1 / (1 + (halfWater / water) ** (3 * power)) * (water > full - 0.02 ? 0.6 : 1)
      weights += weight
      eased += weight * ease
      return weight * ease
    })
    const thrives = Math.min(1, eased / weights / 0.8)
    const drunkMm = eased > 0 ? Math.min(1, thrives) * wantedMm : 0
    let takenMm = 0
    if (eased > 0) pulls.forEach((pull, i) => {
      const takes = Math.min((drunkMm * pull) / eased, Math.max(0, (layers[i]! - wilting) * LAYER_MM))
      layers[i]! -= takes / LAYER_MM
      takenMm += takes
    })
    return { drunkMm: takenMm, evaporatedMm, drainedMm, ranOffMm }
  }

  return {
    probes,
    hour(sky: HourOfSky, ms: number, givenMm: number): HourOfTruth {
      temperature = sky.temperature
      const age = (ms / DAY_MS - plan.plantedDay) * calendar
      const grown = age < 0 ? 0 : Math.exp(-Math.exp(-(age - initial - 0.35 * development) / (development / 4.5)))
      const ageing = Math.min(1, Math.max(0, (age - initial - development - middle) / late))
      const cover = 0.96 * grown * (1 - (1 - plan.endShare) * ageing ** 1.5)
      const rootM = Math.min(plan.rootM, 0.2 + (plan.rootM - 0.2) * Math.sqrt(Math.min(1, Math.max(0, age / (initial + development)))))
      const deficit = Math.max(0, 0.611 * 10 ** ((7.5 * sky.temperature) / (237.3 + sky.temperature)) * (1 - sky.humidity / 100))
      const light = sky.radiation / (sky.radiation + 250)
      const wanted = cover * appetite * light * Math.sqrt(deficit) * (1 + 0.08 * sky.wind)
      const bareMm = (1 - cover) * 0.00081 * sky.radiation
      const sum = { wantedMm: 0, drunkMm: 0, evaporatedMm: 0, drainedMm: 0, ranOffMm: 0 }
      for (const column of columns) {
        const wantedMm = wanted * column.vigour
        const hour = hourOfColumn(column, { wantedMm, bareMm, rainMm: sky.rainMm, givenMm: givenMm * efficiency * column.share, rootM })
        sum.wantedMm += wantedMm / columns.length
        for (const key of ['drunkMm', 'evaporatedMm', 'drainedMm', 'ranOffMm'] as const) sum[key] += hour[key] / columns.length
      }
      return { ...sum, lostMm: givenMm * (1 - efficiency) }
    },
    lackingMm(depthM) {
      const lacks = columns.map(({ layers, capacity }) => layers.reduce((sum, water, i) => sum + (capacity - water) * 1000 * Math.max(0, Math.min(LAYER_M, depthM - i * LAYER_M)), 0))
      return Math.max(0, lacks.reduce((sum, lack) => sum + lack, 0) / columns.length)
    },
    storedMm: () => columns.reduce((sum, { layers, puddleMm, comingMm }) => sum + puddleMm + comingMm + layers.reduce((all, water) => all + water * LAYER_MM, 0), 0) / columns.length,
    probeSays(probe, ms) {
      const { depthM, bias, gain, driftPerDay, perDegree } = probes[probe]!
      const { layers, capacity } = seenColumn
      const at = Math.max(0, depthM / LAYER_M - 0.5)
      const [low, part] = [Math.floor(at), at - Math.floor(at)]
      const water = layers[low]! * (1 - part) + layers[Math.min(low + 1, layers.length - 1)]! * part
      const days = ms / DAY_MS - plan.plantedDay
      const said = capacity + gain * (water - capacity) + bias + driftPerDay * days + perDegree * (temperature - 20) + 0.004 * drawnNormal(seed, Draw.noise, probe, ms)
      return Math.round(1000 * said) / 10
    },
    gaugeSays: (rainMm) => Math.round(rainMm * gaugeGain * 5) / 5,
    meterSays: (givenMm) => givenMm * meterGain,
  }
}
