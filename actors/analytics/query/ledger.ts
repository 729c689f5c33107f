/**
 * The ledger: what became of every reading that was received, summed over devices and minutes of arrival; over each device; over each step of time.
 *
 * - G1 received = accepted + rejected; accepted = onTime + late + duplicate + expired.
 * - G2 A fresh row that the actor called old counts as late until the store has found out whether it is a duplicate.
 */

import type { FreshView, Range } from '../data/fresh.ts'
import { FATE_DUPLICATE, FATE_EXPIRED, FATE_KEPT, FATE_OLD } from '../data/fresh.ts'
import { text } from '../data/lake.ts'
import { rangeSql } from './scope.ts'
import type { Tail } from '../data/tail.ts'

export interface Ledger {
  received: number
  accepted: number
  rejected: number
  onTime: number
  late: number
  duplicate: number
  expired: number
}

/** What the lake keeps of a ledger's row: the rest are sums of these. */
type Fate = 'rejected' | 'onTime' | 'late' | 'duplicate' | 'expired'

const MINUTE_MS = 60_000
const FATES: readonly Fate[] = ['rejected', 'onTime', 'late', 'duplicate', 'expired']
const ON_TIME = FATES.indexOf('onTime')
/** Where the fate of a fresh row is among FATES. */
const FATE_AT: Readonly<Record<number, number>> = {
  [FATE_KEPT]: ON_TIME,
  [FATE_OLD]: FATES.indexOf('late'),
  [FATE_DUPLICATE]: FATES.indexOf('duplicate'),
  [FATE_EXPIRED]: FATES.indexOf('expired'),
}
const SUMS = ['rejected', 'on_time', 'late', 'duplicate', 'expired'].map((column) => `coalesce(sum(${column}), 0)::DOUBLE`).join(', ')

export function noLedger(): Ledger {
  return { received: 0, accepted: 0, rejected: 0, onTime: 0, late: 0, duplicate: 0, expired: 0 }
}

/** Sums of a tenant; of one device where it is given. The range counts whole minutes of arrival: the one that `from` lies in, and on. */
export async function ledger(tail: Tail, tenant: string, device: string | null, range: Range): Promise<Ledger> {
  const sums = await sumBy(tail, { tenant, device, range, key: "''", keyOf: () => '' })
  return sums.get('') ?? noLedger()
}

/** Sums of each device of a tenant. The rejected readings that named no device are those of the device ''. */
export function ledgerByDevice(tail: Tail, tenant: string, range: Range): Promise<Map<string, Ledger>> {
  return sumBy(tail, { tenant, device: null, range, key: 'device', keyOf: (device) => device })
}

/** Sums of each step of time in which something was received, by the epoch ms of its begin, in order. `stepMs` is a whole number of minutes. */
export async function ledgerByTime(tail: Tail, tenant: string, device: string | null, range: Range, stepMs: number): Promise<Map<number, Ledger>> {
  const begin = (ms: number) => Math.floor(ms / stepMs) * stepMs
  const key = `(epoch_ms(minute) // ${stepMs} * ${stepMs})::DOUBLE`
  const sums = await sumBy(tail, { tenant, device, range, key, keyOf: (_device, minuteMs) => begin(minuteMs) })
  return new Map([...sums].sort(([a], [b]) => a - b))
}

interface Question<K> {
  readonly tenant: string
  readonly device: string | null
  readonly range: Range
  /** What the lake's rows are grouped by (SQL), and the same of a fresh row. */
  readonly key: string
  readonly keyOf: (device: string, minuteMs: number) => K
}

async function sumBy<K>(tail: Tail, { tenant, device, range, key, keyOf }: Question<K>): Promise<Map<K, Ledger>> {
  const minutes = { from: minuteOf(range.from), to: range.to }
  const sums = new Map<K, Ledger>()
  const add = (of: K, fate: Fate, count: number) => {
    let sum = sums.get(of)
    if (sum === undefined) sums.set(of, (sum = noLedger()))
    sum[fate] += count
    sum.received += count
    if (fate !== 'rejected') sum.accepted += count
  }
  const view = tail.view()
  try {
    eachFresh(view.fresh, { tenant, device, minutes }, (of, minuteMs, fate, count) => add(keyOf(of, minuteMs), fate, count))
    const [keys, ...columns] = await tail.lake.query(
      `SELECT ${key} AS k, ${SUMS} FROM ${view.version.relation('ledger')}
       WHERE tenant = ${text(tenant)}${device === null ? '' : ` AND device = ${text(device)}`}${rangeSql('minute', minutes)} GROUP BY k`,
    )
    for (let i = 0; i < (keys?.length ?? 0); i++) for (const [f, fate] of FATES.entries()) add(keys[i] as K, fate, columns[f][i] as number)
    return sums
  } finally {
    view.release()
  }
}

const minuteOf = (ms: number) => Math.floor(ms / MINUTE_MS) * MINUTE_MS

function eachFresh(
  view: FreshView,
  { tenant, device, minutes }: { tenant: string; device: string | null; minutes: Range },
  give: (device: string, minuteMs: number, fate: Fate, count: number) => void,
): void {
  const inRange = (minute: number) => minute >= minutes.from && minute < minutes.to
  for (const commits of view) {
    for (const commit of commits) {
      for (const rejects of commit.rejects) {
        const minute = minuteOf(rejects.timeMs)
        if (rejects.tenant !== tenant || !inRange(minute)) continue
        for (const [of, count] of rejects.counts) if (device === null || of === device) give(of, minute, 'rejected', count)
      }
      for (const { block, entries, fates, timeMs } of commit.blocks) {
        const minute = minuteOf(timeMs)
        if (block.tenant !== tenant || !inRange(minute)) continue
        if (device !== null && !entries.some((entry) => entry.device === device)) continue
        const counts = new Uint32Array(entries.length * FATES.length)
        for (let i = 0; i < block.row.length; i++) counts[block.row[i] * FATES.length + (fates === null ? ON_TIME : FATE_AT[fates[i]])]++
        for (const [at, count] of counts.entries()) {
          const of = entries[Math.floor(at / FATES.length)].device
          if (count > 0 && (device === null || of === device)) give(of, minute, FATES[at % FATES.length], count)
        }
      }
    }
  }
}
