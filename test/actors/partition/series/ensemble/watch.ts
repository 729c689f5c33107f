/** What the ensemble's tests share: kinds of noise, and an ensemble that watches a series. */

import { REPORT } from '../../../../../actors/partition/series/ensemble/calibration.ts'
import { judge } from '../../../../../actors/partition/series/ensemble/ensemble.ts'
import { judgement, sentenceOf } from '../../../../../actors/partition/series/ensemble/judgement.ts'
import type { Judgement } from '../../../../../actors/partition/series/ensemble/judgement.ts'
import { makeSlab } from '../../../../../actors/partition/series/ensemble/layout.ts'
import { DAY, gaussian, seeded, T0 } from '../../harness.ts'

export interface Found extends Judgement {
  readonly at: number
  readonly reason: string
}

/** Feeds values one after another, null for none, and keeps what is an anomaly. */
export class Watch {
  readonly slab = makeSlab(1)
  readonly found: Found[] = []
  readonly stepMs: number
  at = 0

  constructor(stepMs = 300_000) {
    this.stepMs = stepMs
  }

  feed(value: number | null): number {
    const at = this.at++
    if (value === null) return 0
    judge(this.slab, 0, T0 + at * this.stepMs, value)
    const { score } = judgement
    if (score >= REPORT) this.found.push({ at, ...judgement, reason: sentenceOf(value) })
    return score
  }
}

export function watch(values: Iterable<number | null>, stepMs?: number): Found[] {
  const w = new Watch(stepMs)
  for (const value of values) w.feed(value)
  return w.found
}

export const series = (count: number, make: (i: number) => number | null) => Array.from({ length: count }, (_, i) => make(i))

/** A kind of noise: for a seed and the readings of a day, the value of each reading in turn. */
export type Noise = (seed: number, day: number) => (i: number) => number

/** Tails no heavier than those of the exponential distribution. */
export const CALM_NOISES: Record<string, Noise> = {
  normal: (seed) => ((g) => () => 20 + g())(gaussian(seeded(seed))),
  autoregressive: (seed) => {
    const g = gaussian(seeded(seed))
    let x = 0
    return () => 20 + (x = 0.9 * x + g())
  },
  'random walk': (seed) => {
    const g = gaussian(seeded(seed))
    let x = 0
    return () => (x += g())
  },
  Laplace: (seed) => {
    const random = seeded(seed)
    return () => {
      const u = random() - 0.5
      return -Math.sign(u) * Math.log(1 - 2 * Math.abs(u))
    }
  },
  'daily course': (seed, day) => ((g) => (i: number) => 20 + 8 * Math.sin((i / day) * 2 * Math.PI) + 0.3 * g())(gaussian(seeded(seed))),
  'daily course in steps': (seed, day) => {
    const g = gaussian(seeded(seed))
    return (i) => Math.round(200 + 80 * Math.sin((i / day) * 2 * Math.PI) + 0.5 * g()) / 10
  },
}

export const HEAVY_NOISE: Noise = (seed) => {
  const g = gaussian(seeded(seed))
  return () => g() / Math.sqrt((g() ** 2 + g() ** 2 + g() ** 2) / 3)
}

export const dayOf = (stepMs: number) => DAY / stepMs
