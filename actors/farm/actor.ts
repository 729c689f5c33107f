/**
 * Advice for the field as an own actor: a document a plot (plot.ts), its series from whatever devices, a day's end an hour after its midnight; a row a day in the view
 * `advice`, and an alert where water is due this evening or the next.
 *
 * It is the model of an actor of several files. All that it does is a function of what it is told; here stands only what joins season.ts to the contract.
 *
 * - A1 History that is told in one go gives rows, and no alerts: whoever waters can do nothing about last week.
 */

import { defineActor } from '../own/contract.ts'
import type { Documents, Out } from '../own/contract.ts'
import { dateOf, parsePlot, PlotError, startOf } from './plot.ts'
import { concerns, firstState, nitrogenOf, plotChanged, readingCame, timePassed } from './season.ts'
import type { PlotDay, PlotState } from './season.ts'
import { adviceWords, gradeWords, nitrogenWords, reasonsOf, urgencyOf } from './words.ts'
import type { Plot } from './plot.ts'

const ALERT = 'water'
const LONG_AGO_MS = 2 * 86_400_000

export const COLUMNS = {
  day: 'VARCHAR',
  plot: 'VARCHAR',
  advice: 'VARCHAR',
  water_on: 'VARCHAR',
  water_mm: 'DOUBLE',
  least_mm: 'DOUBLE',
  most_mm: 'DOUBLE',
  litres: 'DOUBLE',
  reasons: 'VARCHAR',
  depletion_mm: 'DOUBLE',
  deviation_mm: 'DOUBLE',
  ready_mm: 'DOUBLE',
  total_mm: 'DOUBLE',
  seen_mm: 'DOUBLE',
  moisture: 'DOUBLE',
  et0_mm: 'DOUBLE',
  et0_source: 'VARCHAR',
  used_mm: 'DOUBLE',
  rain_mm: 'DOUBLE',
  irrigation_mm: 'DOUBLE',
  drained_mm: 'DOUBLE',
  stress: 'DOUBLE',
  stage: 'VARCHAR',
  /** JSON: of each day to come its date, depletion, deviation, RAW and TAW. */
  outlook: 'VARCHAR',
  nitrogen_kg_ha: 'DOUBLE',
  nitrogen: 'VARCHAR',
  grade: 'VARCHAR',
} as const

/** Which plots a series concerns, by `device\nmetric`; made once of a tenant's documents. */
const byDocuments = new WeakMap<Documents, { readonly plots: readonly (readonly [id: string, plot: Plot])[]; readonly known: Map<string, readonly string[]> }>()

function plotsOf(documents: Documents, series: { readonly device: string; readonly metric: string }): readonly string[] {
  let entry = byDocuments.get(documents)
  if (entry === undefined) {
    const plots = documents.flatMap(({ id, body }): (readonly [string, Plot])[] => {
      try {
        return [[id, parsePlot(body)]]
      } catch {
        // Its own state says so, once the document is told.
        return []
      }
    })
    byDocuments.set(documents, (entry = { plots, known: new Map() }))
  }
  const name = `${series.device}\n${series.metric}`
  let ids = entry.known.get(name)
  if (ids === undefined) entry.known.set(name, (ids = entry.plots.filter(([, plot]) => concerns(plot, series)).map(([id]) => id)))
  return ids
}

function tell(state: PlotState, day: PlotDay, out: Out<typeof COLUMNS>, nowMs: number): void {
  const plot = state.plot!
  const advice = state.advice!
  const tenth = (value: number) => Math.round(value * 10) / 10
  out.row(
    {
      day: dateOf(day.day),
      plot: plot.name,
      advice: adviceWords(plot, advice),
      water_on: advice.waterOn === null ? null : dateOf(advice.waterOn),
      water_mm: tenth(advice.grossMm),
      least_mm: tenth(advice.leastMm),
      most_mm: tenth(advice.mostMm),
      litres: Math.round(advice.litres),
      reasons: reasonsOf(state).join('\n'),
      depletion_mm: day.depletionMm,
      deviation_mm: day.deviationMm,
      ready_mm: day.readyMm,
      total_mm: day.totalMm,
      seen_mm: day.seenMm,
      moisture: day.moisture,
      et0_mm: day.et0Mm,
      et0_source: day.source,
      used_mm: day.usedMm,
      rain_mm: day.rainMm,
      irrigation_mm: day.irrigationMm,
      drained_mm: day.drainedMm,
      stress: day.stress,
      stage: day.stage,
      outlook: JSON.stringify(advice.outlook.map(({ day: of, depletionMm, deviationMm, readyMm, totalMm }) => [dateOf(of), ...[depletionMm, deviationMm, readyMm, totalMm].map(tenth)])),
      nitrogen_kg_ha: nitrogenOf(state)?.leftKgHa ?? null,
      nitrogen: nitrogenWords(state),
      grade: gradeWords(state),
    },
    startOf(plot, day.day + 1),
  )
  if (startOf(plot, day.day + 1) < nowMs - LONG_AGO_MS) return
  const severity = urgencyOf(advice, day)
  if (severity === null) out.resolve(ALERT, `Plot ${plot.name} has water again.`)
  else out.alert({ name: ALERT, severity, message: adviceWords(plot, advice), value: tenth(advice.grossMm) })
}

export default defineActor<PlotState, typeof COLUMNS>({
  name: 'advice',
  about: 'When and how much to water each plot, and why.',
  key: (reading, documents) => plotsOf(documents, reading),
  initial: firstState,
  reading: (state, reading, out) => readingCame(state, reading, (day) => tell(state, day, out, reading.receivedAt)),
  everyMs: 3_600_000,
  tick: (state, { time }, out) => timePassed(state, time, (day) => tell(state, day, out, time)),
  document: (state, body, out) => {
    if (body === null) return out.resolve(ALERT, 'The plot was taken away.')
    try {
      plotChanged(state, parsePlot(body))
    } catch (error) {
      if (!(error instanceof PlotError)) throw error
      state.problem = error.message
    }
  },
  view: { columns: COLUMNS },
})
