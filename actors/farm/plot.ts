/**
 * A plot as its farmer writes it down, checked: crop, soil, place, water, and which series measure what.
 *
 * Owns the document and its errors, each with the place where it stands (JSON Pointer, RFC 6901). Leaves the changes of the zone's clocks to whoever stores
 * the document: it adds them as `offsets`, so that what becomes of a plot depends on nothing but the document. Pure.
 */

import { CROPS } from './crops.ts'
import type { Crop, CropName } from './crops.ts'
import { middleOf, SOILS } from './soils.ts'
import type { SoilName } from './soils.ts'

export interface Source {
  readonly device: string
  readonly metric: string
}

/** What a series of water counts: each reading is what came since the last one, or a meter's total. */
export interface WaterSource extends Source {
  readonly counts: 'each' | 'total'
  /** Liters and cubic metres are spread over the plot's area. */
  readonly unit: 'mm' | 'l' | 'm3'
}

export interface MoistureSource extends Source {
  readonly unit: 'percent' | 'fraction'
  /** Of the probe below the ground; null: not said. */
  readonly depthM: number | null
}

export interface WindSource extends Source {
  readonly heightM: number
}

export interface Nitrogen {
  readonly yieldTonnesHa: number | null
  readonly nitratePpm: number
  readonly organicMatter: number
  readonly cropKgHa: number | null
  readonly soilKgHa: number | null
  readonly creditsKgHa: number
  readonly applied: readonly { readonly on: string; readonly kgHa: number }[]
}

export interface Plot {
  readonly name: string
  readonly crop: Crop
  /** YYYY-MM-DD, where the plot is. */
  readonly planted: string
  readonly soil: string
  /** m³/m³. */
  readonly fieldCapacity: number
  readonly wiltingPoint: number
  /** REW, mm. */
  readonly readilyEvaporableMm: number
  /** Of both, as a standard deviation: that of the texture's range, or of a measured soil. */
  readonly soilDeviation: number
  readonly areaHa: number
  readonly latitude: number
  readonly longitude: number
  readonly elevationM: number
  readonly zone: string
  /** Changes of the zone's clocks: from an epoch ms on, so many ms ahead of UTC, by turns. */
  readonly offsets: readonly number[]
  /** Part of the ground that watering wets: 1 by sprinkler, some 0.3 by drip (table 20). */
  readonly wetted: number
  /** Part of the water that reaches the roots. */
  readonly efficiency: number
  readonly rateMmHour: number | null
  /** Gross, of one watering. */
  readonly mostMm: number | null
  readonly temperature: Source | null
  readonly humidity: Source | null
  readonly wind: WindSource | null
  /** W/m². */
  readonly radiation: Source | null
  readonly rain: WaterSource | null
  readonly irrigation: WaterSource | null
  readonly moisture: readonly MoistureSource[]
  readonly nitrogen: Nitrogen | null
}

/** Why a document is no plot. */
export class PlotError extends Error {
  readonly pointer: string

  /** `must` completes "… must be". */
  constructor(pointer: string, must: string, current: unknown) {
    const shown = (current === undefined ? 'nothing' : (JSON.stringify(current) ?? String(current))).slice(0, 80)
    super(`Cannot use this plot as ${pointer === '' ? 'it' : pointer} must be ${must}: current value is ${shown}`)
    this.name = 'PlotError'
    this.pointer = pointer
  }
}

class Fields {
  readonly #at: string
  readonly #values: Record<string, unknown>

  constructor(at: string, value: unknown, known: readonly string[]) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new PlotError(at, 'an object', value)
    this.#at = at
    this.#values = value as Record<string, unknown>
    for (const name of Object.keys(value)) if (!known.includes(name)) throw new PlotError(`${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, `left out, or one of ${known.join(', ')}`, name)
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined
  }

  raw(name: string): unknown {
    return this.#values[name]
  }

  at(name: string): string {
    return `${this.#at}/${name}`
  }

  number(name: string, least: number, most: number, fallback?: number): number {
    const value = this.#values[name]
    if (value === undefined && fallback !== undefined) return fallback
    if (typeof value !== 'number' || !(value >= least && value <= most)) throw new PlotError(this.at(name), `a number from ${least} to ${most}`, value)
    return value
  }

  text(name: string, { form = /^/, must = 'a text of 1 to 200 characters', fallback }: { form?: RegExp; must?: string; fallback?: string } = {}): string {
    const value = this.#values[name]
    if (value === undefined && fallback !== undefined) return fallback
    if (typeof value !== 'string' || value === '' || value.length > 200 || !form.test(value)) throw new PlotError(this.at(name), must, value)
    return value
  }

  choice<const Choice extends string>(name: string, choices: readonly Choice[], fallback?: Choice): Choice {
    const value = this.#values[name]
    if (value === undefined && fallback !== undefined) return fallback
    if (!choices.includes(value as Choice)) throw new PlotError(this.at(name), `one of ${choices.join(', ')}`, value)
    return value as Choice
  }

  list(name: string, most: number): unknown[] {
    const value = this.#values[name] ?? []
    if (!Array.isArray(value) || value.length > most) throw new PlotError(this.at(name), `a list of at most ${most}`, Array.isArray(value) ? value.length : value)
    return value as unknown[]
  }
}

const MEASURE_NAMES = ['temperature', 'humidity', 'wind', 'radiation', 'rain', 'irrigation', 'moisture'] as const
const KNOWN = ['name', 'crop', 'planted', 'soil', 'areaHa', 'latitude', 'longitude', 'elevationM', 'zone', 'offsets', 'irrigation', 'measures', 'nitrogen'] as const

/** Throws `PlotError`. */
export function parsePlot(document: unknown): Plot {
  const plot = new Fields('', document, KNOWN)
  const water = new Fields('/irrigation', plot.raw('irrigation') ?? {}, ['efficiency', 'rateMmHour', 'mostMm', 'wetted'])
  const measures = new Fields('/measures', plot.raw('measures') ?? {}, MEASURE_NAMES)
  const offsets = plot.list('offsets', 1_000)
  if (offsets.length % 2 !== 0 || !offsets.every((value) => typeof value === 'number')) throw new PlotError('/offsets', 'pairs of numbers', offsets.length)
  const moisture = measures.list('moisture', 16).map((value, i): MoistureSource => {
    const at = `/measures/moisture/${i}`
    const probe = new Fields(at, value, ['device', 'metric', 'unit', 'depthM'])
    return { ...sourceIn(at, value, ['unit', 'depthM']), unit: probe.choice('unit', ['percent', 'fraction'], 'percent'), depthM: probe.has('depthM') ? probe.number('depthM', 0.02, 3) : null }
  })
  const { crop, name: cropName } = cropIn(plot)
  return {
    name: plot.text('name'),
    crop,
    planted: dayIn(plot.raw('planted'), '/planted'),
    ...soilIn(plot),
    areaHa: plot.number('areaHa', 0.0001, 100_000),
    latitude: plot.number('latitude', -66, 66),
    longitude: plot.number('longitude', -180, 180),
    elevationM: plot.number('elevationM', -430, 6_000, 0),
    zone: plot.text('zone', { fallback: 'UTC' }),
    offsets: offsets as number[],
    wetted: water.number('wetted', 0.1, 1, 1),
    efficiency: water.number('efficiency', 0.1, 1, 0.8),
    rateMmHour: water.has('rateMmHour') ? water.number('rateMmHour', 0.1, 500) : null,
    mostMm: water.has('mostMm') ? water.number('mostMm', 1, 500) : null,
    temperature: measures.has('temperature') ? sourceIn('/measures/temperature', measures.raw('temperature')) : null,
    humidity: measures.has('humidity') ? sourceIn('/measures/humidity', measures.raw('humidity')) : null,
    wind: measures.has('wind') ? windIn('/measures/wind', measures.raw('wind')) : null,
    radiation: measures.has('radiation') ? sourceIn('/measures/radiation', measures.raw('radiation')) : null,
    rain: measures.has('rain') ? waterIn('/measures/rain', measures.raw('rain')) : null,
    irrigation: measures.has('irrigation') ? waterIn('/measures/irrigation', measures.raw('irrigation')) : null,
    moisture,
    nitrogen: plot.has('nitrogen') ? nitrogenIn(plot.raw('nitrogen'), cropName) : null,
  }
}

function cropIn(plot: Fields): { crop: Crop; name: CropName } {
  const names = Object.keys(CROPS) as CropName[]
  const given = plot.raw('crop')
  if (typeof given !== 'object') {
    const name = plot.choice('crop', names)
    return { crop: CROPS[name], name }
  }
  const own = new Fields('/crop', given, ['name', 'stageDays', 'kc', 'rootM', 'depletionFraction'])
  const name = own.choice('name', names)
  const table: Crop = CROPS[name]
  const numbers = <Of extends readonly number[]>(field: string, [least, most]: [number, number], tabled: Of): Of => {
    if (!own.has(field)) return tabled
    const list = own.list(field, tabled.length)
    if (list.length !== tabled.length || !list.every((value) => typeof value === 'number' && value >= least && value <= most)) throw new PlotError(own.at(field), `${tabled.length} numbers from ${least} to ${most}`, list)
    return list as unknown as Of
  }
  return {
    name,
    crop: {
      ...table,
      stageDays: numbers('stageDays', [1, 400], table.stageDays),
      kc: numbers('kc', [0.05, 1.5], table.kc),
      rootM: own.number('rootM', 0.1, 3, table.rootM),
      depletionFraction: own.number('depletionFraction', 0.1, 0.8, table.depletionFraction),
    },
  }
}

function soilIn(plot: Fields): Pick<Plot, 'soil' | 'fieldCapacity' | 'wiltingPoint' | 'readilyEvaporableMm' | 'soilDeviation'> {
  const names = Object.keys(SOILS) as SoilName[]
  const given = plot.raw('soil')
  if (typeof given !== 'object') {
    const soil = SOILS[plot.choice('soil', names)]
    const [least, most] = soil.fieldCapacity
    return { soil: soil.name, fieldCapacity: middleOf(soil.fieldCapacity), wiltingPoint: middleOf(soil.wiltingPoint), readilyEvaporableMm: middleOf(soil.readilyEvaporableMm), soilDeviation: (most - least) / 2 }
  }
  const own = new Fields('/soil', given, ['texture', 'fieldCapacity', 'wiltingPoint'])
  const soil = SOILS[own.choice('texture', names)]
  const fieldCapacity = own.number('fieldCapacity', 0.03, 0.7)
  const wiltingPoint = own.number('wiltingPoint', 0.01, 0.5)
  if (wiltingPoint > fieldCapacity - 0.02) throw new PlotError('/soil/wiltingPoint', 'less than fieldCapacity by 0.02 at least', wiltingPoint)
  return { soil: soil.name, fieldCapacity, wiltingPoint, readilyEvaporableMm: middleOf(soil.readilyEvaporableMm), soilDeviation: 0.02 }
}

function dayIn(value: unknown, at: string): string {
  const isDay = typeof value === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(value) && Number.isFinite(Date.parse(`${value}T00:00:00Z`))
  if (!isDay || new Date(Date.parse(`${value}T00:00:00Z`)).toISOString().slice(0, 10) !== value) throw new PlotError(at, 'a day as 2026-04-15', value)
  return value
}

function sourceIn(at: string, value: unknown, more: readonly string[] = []): Source {
  const source = new Fields(at, value, ['device', 'metric', ...more])
  return { device: source.text('device'), metric: source.text('metric') }
}

function windIn(at: string, value: unknown): WindSource {
  return { ...sourceIn(at, value, ['heightM']), heightM: new Fields(at, value, ['device', 'metric', 'heightM']).number('heightM', 0.5, 100, 2) }
}

function waterIn(at: string, value: unknown): WaterSource {
  const source = new Fields(at, value, ['device', 'metric', 'counts', 'unit'])
  return { ...sourceIn(at, value, ['counts', 'unit']), counts: source.choice('counts', ['each', 'total'], 'each'), unit: source.choice('unit', ['mm', 'l', 'm3'], 'mm') }
}

function nitrogenIn(value: unknown, crop: CropName): Nitrogen {
  const given = new Fields('/nitrogen', value, ['yieldTonnesHa', 'nitratePpm', 'organicMatter', 'cropKgHa', 'soilKgHa', 'creditsKgHa', 'applied'])
  const byBalance = given.has('cropKgHa')
  if (!byBalance && crop !== 'maize') throw new PlotError('/nitrogen/cropKgHa', 'there for any crop but maize: what it takes up, kg/ha', undefined)
  const applied = given.list('applied', 30).map((entry, i) => {
    const one = new Fields(`/nitrogen/applied/${i}`, entry, ['on', 'kgHa'])
    return { on: dayIn(one.raw('on'), one.at('on')), kgHa: one.number('kgHa', 0, 1_000) }
  })
  return {
    yieldTonnesHa: byBalance ? null : given.number('yieldTonnesHa', 0.5, 30),
    nitratePpm: given.number('nitratePpm', 0, 200, 3),
    organicMatter: given.number('organicMatter', 0, 60, 2),
    cropKgHa: byBalance ? given.number('cropKgHa', 0, 1_000) : null,
    soilKgHa: byBalance ? given.number('soilKgHa', 0, 1_000) : null,
    creditsKgHa: given.number('creditsKgHa', 0, 1_000, 0),
    applied,
  }
}

/** ms that the plot's clock is ahead of UTC. */
export function offsetAt({ offsets }: Pick<Plot, 'offsets'>, ms: number): number {
  let offset = offsets[1] ?? 0
  for (let i = 0; i < offsets.length && offsets[i]! <= ms; i += 2) offset = offsets[i + 1]!
  return offset
}

const DAY_MS = 86_400_000
/** The plot's day of a moment, as days since 1970-01-01. */
export function dayAt(plot: Pick<Plot, 'offsets'>, ms: number): number {
  return Math.floor((ms + offsetAt(plot, ms)) / DAY_MS)
}

/** When a day of the plot begins, epoch ms. */
export function startOf(plot: Pick<Plot, 'offsets'>, day: number): number {
  const guess = day * DAY_MS - offsetAt(plot, day * DAY_MS)
  return day * DAY_MS - offsetAt(plot, guess)
}

export const dayOf = (date: string): number => Date.parse(`${date}T00:00:00Z`) / DAY_MS
export const dateOf = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10)

/** 1 to 366. */
export function dayOfYear(day: number): number {
  return day - Date.UTC(new Date(day * DAY_MS).getUTCFullYear(), 0, 1) / DAY_MS + 1
}
