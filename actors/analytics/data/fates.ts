/**
 * Counts of what became of readings, for the metrics: what `/v1/ledger` says exactly, as counters of this process that begin at 0.
 *
 * A row that the actor calls old is counted as late: whether it was sent twice the lake's writer finds out, and the ledger tells.
 */

import { Counter } from 'prom-client'
import type { Metrics } from '../../../runtime/telemetry.ts'
import type { CoveredCommit } from '../../store/follow.ts'

/** Counts each commit that it is given, into `weir_readings_total` by fate. */
export function countFates(metrics: Metrics): (covered: CoveredCommit) => void {
  const counter = new Counter({
    name: 'weir_readings_total',
    help: 'Readings that commits covered since this process started, by fate: received are all, accepted all but the rejected',
    labelNames: ['fate'],
    registers: [metrics],
  })
  const add = (fate: string, count: number) => counter.inc({ fate }, count)
  for (const fate of ['on_time', 'late', 'duplicate', 'expired', 'rejected']) add(fate, 0)
  return ({ messages }) => {
    for (const { input, fates } of messages) {
      if (input.kind === 'rejects') {
        add('rejected', input.counts.reduce((sum, [, count]) => sum + count, 0))
        continue
      }
      const old = fates?.old.length ?? 0
      const duplicate = fates?.duplicate.length ?? 0
      const expired = fates?.expired.length ?? 0
      add('on_time', input.ts.length - old - duplicate - expired)
      add('late', old)
      add('duplicate', duplicate)
      add('expired', expired)
    }
  }
}
