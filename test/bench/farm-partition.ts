/**
 * A farm's partition for benches: fed with what its probes measure, at any times, told of kinds or not; and a school, which has what such a
 * partition commits teach each kind, as a learner does.
 */

import { partitionActor } from '../../actors/partition/actor.ts'
import { decodeEffects } from '../../actors/partition/effects.ts'
import type { PartitionEffects } from '../../actors/partition/effects.ts'
import { FLAGS } from '../../actors/partition/flags.ts'
import { kindOf } from '../../actors/partition/fleet/kinds.ts'
import { EMPTY_KIND, learn } from '../../actors/fleet/groups.ts'
import type { KindModel } from '../../actors/fleet/groups.ts'
import { learnTraits, NO_TRAITS } from '../../actors/fleet/traits.ts'
import type { Traits } from '../../actors/fleet/traits.ts'
import { encodeBlock, encodePrior, encodeSettings } from '../../actors/reading/input.ts'
import { deviceOf, FARM_METRICS, measured } from '../../actors/simulation/farm.ts'
import type { FarmMetric } from '../../actors/simulation/farm.ts'

const SETTINGS = { latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }
/** Of the log behind the reading that it carries. */
const LAG_MS = 1_000

export interface Kind {
  readonly model: KindModel
  /** What else a learner would tell; left out where only profiles are to be lent. */
  readonly traits?: Traits
}

export class FarmPartition {
  readonly #state = partitionActor.create()
  readonly #seed: number
  #seq = 0

  /** A partition whose weather and probes `seed` draws, and which is told of `kinds` at `ts`. */
  constructor(seed: number, kinds: ReadonlyMap<string, Kind>, ts: number) {
    this.#seed = seed
    this.#step(encodeSettings(SETTINGS, FLAGS), ts)
    for (const [of, { model, traits }] of kinds) {
      const groups = model.groups.map((g) => ({ centre: Float64Array.from(g.centre), spread: g.spread, days: g.days }))
      const told = { of, revision: 1, scale: model.scale, groups, ...(traits === undefined ? {} : { traits: Float64Array.from(traits.means) }) }
      if (groups.length > 0) this.#step(encodePrior(told), ts)
    }
  }

  /** A reading of each metric of some probes, as measured or as `changed` has it. */
  read(probes: readonly number[], ts: number, changed: (probe: number, metric: FarmMetric, value: number) => number = (_p, _m, value) => value): PartitionEffects {
    const rows = probes.flatMap((_, d) => FARM_METRICS.map((_, m) => [d, m] as const))
    return this.#step(
      encodeBlock({
        tenant: 'default',
        devices: probes.map(deviceOf),
        metrics: FARM_METRICS,
        seriesDevice: Uint16Array.from(rows, ([d]) => d),
        seriesMetric: Uint16Array.from(rows, ([, m]) => m),
        row: Uint16Array.from(rows.keys()),
        ts: new Float64Array(rows.length).fill(ts),
        value: Float64Array.from(rows, ([d, m]) => changed(probes[d], FARM_METRICS[m], measured(this.#seed, probes[d], FARM_METRICS[m], ts))),
        keyed: [],
      }),
      ts + LAG_MS,
    )
  }

  #step(data: Uint8Array, timeMs: number): PartitionEffects {
    const effects = partitionActor.effects()
    partitionActor.step(this.#state, { seq: ++this.#seq, timeMs, data }, effects)
    return decodeEffects(partitionActor.encode(effects, this.#state))
  }
}

/** Each kind, as some probes taught it that were read at `times`. */
export function school(seed: number, teachers: readonly number[], times: Iterable<number>): Map<string, Required<Kind>> {
  const kinds = new Map<string, Required<Kind>>()
  let partition: FarmPartition | undefined
  for (const ts of times) {
    partition ??= new FarmPartition(seed, kinds, ts)
    const { series, profiles } = partition.read(teachers, ts)
    for (const p of profiles) {
      const { tenant, device, metric } = series[p.series]
      const of = kindOf(tenant, device, metric)
      const { model, traits } = kinds.get(of) ?? { model: EMPTY_KIND, traits: NO_TRAITS }
      kinds.set(of, { model: learn(model, p), traits: p.traits === undefined ? traits : learnTraits(traits, p.traits) })
    }
  }
  return kinds
}

/** So many times from `from` on. */
export function* every(stepMs: number, from: number, count: number): Generator<number> {
  for (let i = 0; i < count; i++) yield from + i * stepMs
}

/** `count` numbers of probes from `first` on. */
export const probes = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i)
