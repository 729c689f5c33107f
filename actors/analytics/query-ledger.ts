/**
 * The ledger: what became of every reading that was received, summed over devices and over minutes of arrival.
 *
 * - G1 received = accepted + rejected; accepted = onTime + late + duplicate + expired.
 * - G2 A fresh row that the actor called old counts as late until the store has found out whether it is a duplicate.
 */

import type { FreshView, Range } from './fresh.ts'
import { FATE_DUPLICATE, FATE_EXPIRED, FATE_OLD } from './fresh.ts'
import { text } from './lake.ts'
import { rangeSql } from './query-readings.ts'
import type { Tail } from './tail.ts'

export interface Ledger {
  received: number
  accepted: number
  rejected: number
  onTime: number
  late: number
  duplicate: number
  expired: number
}

const MINUTE_MS = 60_000

/** Sums of a tenant; of one device where it is given. The range counts whole minutes of arrival: the one that `from` lies in, and on. */
export async function ledger(tail: Tail, tenant: string, device: string | null, range: Range): Promise<Ledger> {
  const minutes = { from: Math.floor(range.from / MINUTE_MS) * MINUTE_MS, to: range.to }
  const view = tail.view()
  try {
    const sum = freshLedger(view.fresh, tenant, device, minutes)
    const columns = await tail.lake.query(
      `SELECT ${['accepted', 'rejected', 'on_time', 'late', 'duplicate', 'expired'].map((c) => `coalesce(sum(${c}), 0)::DOUBLE`).join(', ')}
       FROM ${view.version.relation('ledger')}
       WHERE tenant = ${text(tenant)}${device === null ? '' : ` AND device = ${text(device)}`}${rangeSql('minute', minutes)}`,
    )
    const [accepted, rejected, onTime, late, duplicate, expired] = columns.map((column) => column[0] as number)
    sum.accepted += accepted
    sum.rejected += rejected
    sum.onTime += onTime
    sum.late += late
    sum.duplicate += duplicate
    sum.expired += expired
    sum.received = sum.accepted + sum.rejected
    return sum
  } finally {
    view.release()
  }
}

function freshLedger(view: FreshView, tenant: string, device: string | null, { from, to }: Range): Ledger {
  const sum: Ledger = { received: 0, accepted: 0, rejected: 0, onTime: 0, late: 0, duplicate: 0, expired: 0 }
  const inRange = (ms: number) => {
    const minute = Math.floor(ms / MINUTE_MS) * MINUTE_MS
    return minute >= from && minute < to
  }
  for (const commits of view) {
    for (const commit of commits) {
      for (const rejects of commit.rejects) {
        if (rejects.tenant !== tenant || !inRange(rejects.timeMs)) continue
        for (const [of, count] of rejects.counts) if (device === null || of === device) sum.rejected += count
      }
      for (const { block, entries, fates, timeMs } of commit.blocks) {
        if (block.tenant !== tenant || !inRange(timeMs)) continue
        const wanted = device === null ? null : entries.map((entry) => entry.device === device)
        if (wanted !== null && !wanted.includes(true)) continue
        for (let i = 0; i < block.row.length; i++) {
          if (wanted !== null && !wanted[block.row[i]]) continue
          sum.accepted++
          switch (fates === null ? 0 : fates[i]) {
            case FATE_OLD:
              sum.late++
              break
            case FATE_DUPLICATE:
              sum.duplicate++
              break
            case FATE_EXPIRED:
              sum.expired++
              break
            default:
              sum.onTime++
          }
        }
      }
    }
  }
  return sum
}
