/** A device of several metrics that are judged one by one and together, and kinds of noise that such a device makes. */

import { judgeTogether, hush, togetherWords } from '../../../../actors/partition/device/together.ts'
import { Flag } from '../../../../actors/partition/flags.ts'
import { REPORT } from '../../../../actors/partition/series/ensemble/calibration.ts'
import { judge } from '../../../../actors/partition/series/ensemble/ensemble.ts'
import { judgement, sentenceOf } from '../../../../actors/partition/series/ensemble/judgement.ts'
import { ENSEMBLE_DOUBLES } from '../../../../actors/partition/series/ensemble/layout.ts'
import type { Series } from '../../../../actors/partition/series/series.ts'
import { PAGE_BITS, PAGE_SERIES, PartitionState } from '../../../../actors/partition/state.ts'
import { gaussian, seeded, T0 } from '../harness.ts'

export interface Told {
  readonly at: number
  readonly metric: number
  readonly kind: string
  readonly reason: string
}

/** Fed in the order of its metrics, as the partition actor would. */
export class Crew {
  readonly state = new PartitionState()
  readonly series: readonly Series[]
  readonly told: Told[] = []
  readonly stepMs: number
  readonly together: boolean
  at = 0

  constructor(metrics: number, { stepMs = 300_000, together = true } = {}) {
    this.stepMs = stepMs
    this.together = together
    for (const flag of [Flag.ensemble, Flag.together]) this.state.switchOn(flag)
    this.series = Array.from({ length: metrics }, (_, m) => this.state.seriesAt('default', 'station', `m${m}`))
  }

  /** A reading of each metric, null for none; gives the scores. */
  feed(values: readonly (number | null)[]): number[] {
    const ts = T0 + this.at * this.stepMs
    const { leanings, ensembles } = this.state
    const scores = values.map((value, m) => {
      if (value === null) return 0
      const series = this.series[m]
      const slab = ensembles[series.id >> PAGE_BITS]
      const at = (series.id & (PAGE_SERIES - 1)) * ENSEMBLE_DOUBLES
      series.greatestMs = ts
      judge(slab, at, ts, value)
      if (this.together) judgeTogether(leanings, series, slab, at)
      const { score } = judgement
      if (score >= REPORT) {
        const reason = judgement.kind === 'device' ? togetherWords(leanings, series) : sentenceOf(value)
        this.told.push({ at: this.at, metric: m, kind: judgement.kind, reason })
        if (this.together) hush(leanings, series)
      }
      return score
    })
    this.at++
    return scores
  }
}

/** For a seed, metrics and the readings of a day: the values of each instant in turn. */
export type CrewNoise = (seed: number, metrics: number, day: number) => (i: number) => number[]

const laplace = (random: () => number) => () => {
  const u = random() - 0.5
  return -Math.sign(u) * Math.log(1 - 2 * Math.abs(u))
}

const each = (metrics: number, make: (m: number) => number) => Array.from({ length: metrics }, (_, m) => make(m))

/** Metrics that hang together in many ways, with nothing wrong in them. */
export const CREW_NOISES: Record<string, CrewNoise> = {
  'noise of its own in each': (seed, metrics) => ((g) => () => each(metrics, () => 20 + g()))(gaussian(seeded(seed))),
  'one noise in all': (seed, metrics) => ((g) => () => ((x) => each(metrics, (m) => (m % 2 === 0 ? x : -x))) (g()))(gaussian(seeded(seed))),
  'Laplace noise of its own in each': (seed, metrics) => ((l) => () => each(metrics, l))(laplace(seeded(seed))),
  'one Laplace noise in all': (seed, metrics) => ((l) => () => ((x) => each(metrics, (m) => (m + 1) * x))(l()))(laplace(seeded(seed))),
  'one slow weather in all, beside their own noise': (seed, metrics) => {
    const g = gaussian(seeded(seed))
    let x = 0
    return () => {
      x = 0.99 * x + 0.14 * g()
      return each(metrics, (m) => (m % 2 === 0 ? 3 : -2) * x + 0.3 * g())
    }
  },
  'a daily course in all, that each day is stronger or weaker': (seed, metrics, day) => {
    const g = gaussian(seeded(seed))
    let x = 0
    let sun = 1
    return (i) => {
      if (i % day === 0) sun = 1 + 0.3 * Math.max(-2, Math.min(2, g()))
      x = 0.99 * x + 0.14 * g()
      const course = sun * Math.sin((i / day) * 2 * Math.PI) + 0.1 * x
      return each(metrics, (m) => 20 + (m % 2 === 0 ? 8 : -15) * course + 0.3 * g())
    }
  },
  'wanders of their own': (seed, metrics) => {
    const g = gaussian(seeded(seed))
    const x = each(metrics, () => 0)
    return () => each(metrics, (m) => (x[m] += g()))
  },
  'one wander in all': (seed, metrics) => {
    const g = gaussian(seeded(seed))
    let x = 0
    return () => ((x += g()), each(metrics, (m) => (m % 2 === 0 ? x : -x) + 0.2 * g()))
  },
}
