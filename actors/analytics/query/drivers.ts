/** What drives a series, as its partition told at the end of its last day: the newest row of each driver, from the lake and from fresh commits. */

import { text } from '../data/lake.ts'
import type { Tail } from '../data/tail.ts'

export interface KnownEffect {
  readonly device: string
  readonly metric: string
  readonly learnedAt: number
  /** By one unit of the driver: in its last hour, in its average of 6 hours, of 24. */
  readonly effects: readonly number[]
  readonly errors: readonly number[]
  readonly gain: number | null
  readonly hours: number
}

const NUMBERS = ['effect_1h', 'effect_6h', 'effect_24h', 'error_1h', 'error_6h', 'error_24h', 'gain', 'hours']

/** By device and metric of the driver, with a line feed between. */
export async function knownEffects(tail: Tail, { tenant, device, metric }: { tenant: string; device: string; metric: string }): Promise<Map<string, KnownEffect>> {
  const found = new Map<string, KnownEffect>()
  const view = tail.view()
  try {
    const columns = await tail.lake.query(
      `SELECT driver_device, driver_metric, epoch_ms(max(learned_at))::DOUBLE, ${NUMBERS.map((name) => `arg_max_null(${name}, learned_at)::DOUBLE`).join(', ')}
       FROM ${view.version.relation('drivers')} WHERE tenant = ${text(tenant)} AND device = ${text(device)} AND metric = ${text(metric)} GROUP BY driver_device, driver_metric`,
    )
    for (let i = 0; i < (columns[0]?.length ?? 0); i++) {
      const [driver, of, learnedAt, a, b, c, d, e, f, gain, hours] = columns.map((column) => column[i])
      found.set(`${driver}\n${of}`, { device: driver, metric: of, learnedAt, effects: [a, b, c], errors: [d, e, f], gain, hours })
    }
    for (const { effects } of view.fresh.flat()) {
      for (const row of effects.drivers) {
        const of = effects.series[row.series]
        if (of.tenant !== tenant || of.device !== device || of.metric !== metric) continue
        const { driverDevice, driverMetric, at, gain, hours } = row
        found.set(`${driverDevice}\n${driverMetric}`, { device: driverDevice, metric: driverMetric, learnedAt: at, effects: row.effects, errors: row.errors, gain: Number.isNaN(gain) ? null : gain, hours })
      }
    }
    return found
  } finally {
    view.release()
  }
}
