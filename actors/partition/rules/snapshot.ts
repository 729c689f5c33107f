/** What a snapshot holds of a partition's rules: each with its revision and body, and what each watch remembers, in their order. */

import { toBytes, toFloat64 } from '../../../runtime/codec.ts'
import { planOf } from '../../alert/plan.ts'
import { decodeRule } from '../../alert/rule.ts'
import type { PartitionState } from '../state.ts'
import { Watched } from './book.ts'
import type { RuleBook, RuleEntry } from './book.ts'

export interface RulesWire {
  /** Watches so far. */
  n: number
  /** Tenant, id, revision, body; and while the log's time has not passed it, up to when its names are spent. */
  r: [string, string, number, string | null, number?][]
  /** Number, rule's index, series, bucket, memory. */
  w: [number, number, number, number, Uint8Array][]
}

export function writeRules(rules: RuleBook): RulesWire {
  const { count } = rules
  const all = [...rules.entries.values()]
  const watches = all.flatMap((entry, r) => [...entry.watches.values()].map((w): RulesWire['w'][number] => [w.id, r, w.series.id, w.bucket, toBytes(w.watch.state())]))
  return { n: count, r: all.map((entry) => rowOf(entry, rules.isSpent(entry))), w: watches.sort((a, b) => a[0] - b[0]) }
}

function rowOf({ tenant, id, revision, body, spentMs }: RuleEntry, isSpent: boolean): RulesWire['r'][number] {
  return isSpent ? [tenant, id, revision, body, spentMs] : [tenant, id, revision, body]
}

/** Puts back what was written; the series must be there already. Throws `RangeError` on what is not whole. */
export function readRules({ n, r, w }: RulesWire, { rules, series }: PartitionState): void {
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
  const all = r.map(([tenant, id, revision, body, spentMs = -Infinity]) => {
    const sound = typeof tenant === 'string' && typeof id === 'string' && isCount(revision) && (body === null || typeof body === 'string') && typeof spentMs === 'number'
    if (!sound) throw new RangeError('Cannot read a snapshot as each rule must have a name, a revision and a body')
    const entry = { tenant, id, revision, body, plan: body === null ? null : planOf(decodeRule(body)), spentMs, watches: new Map() }
    rules.entries.set(`${tenant}\n${id}`, entry)
    return entry
  })
  for (const [id, rule, at, bucket, memory] of w) {
    const entry = all[rule]
    if (!isCount(id) || id >= n || !isCount(bucket) || !entry?.plan || series[at] === undefined) throw new RangeError('Cannot read a snapshot as each watch must be of a rule and of a series')
    const watched = new Watched(id, entry, series[at], entry.plan)
    watched.watch.restore(toFloat64(memory))
    watched.bucket = bucket
    rules.restore(watched)
  }
  rules.count = n
}
