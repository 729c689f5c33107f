/**
 * Rules in the simulator: put, changed and taken back by messages of the log, as a store tells them, and people who answer alerts. What they lead to
 * is compared as everything that commits say is. Nothing here draws from the seed's numbers: a run without rules is what it was.
 */

import { parseRule } from '../../../actors/alert/document.ts'
import { encodeOwnAction } from '../../../actors/own/input.ts'
import { encodeAction, encodeRule } from '../../../actors/reading/input.ts'
import type { Log } from '../../../runtime/log.ts'
import { inputSubject, isOwn, partitionFor } from '../../../runtime/topology.ts'
import type { Topology } from '../../../runtime/topology.ts'
import type { HeardCommit } from './checks.ts'

/** Values of the simulated devices lie between −20 and 80. None waits for the hours of a schedule, nor an hour for
 * what flaps to be calm: the log's time would go on until they come. */
const DOCUMENTS = [
  { select: { metric: 'm0' }, when: { above: 30, clear: 20 }, steps: [{ severity: 'critical', when: { above: 60 }, for: '1s' }], eases: true, flapping: { count: 3, within: '1m' } },
  { select: { metric: 'm0', prefix: 'probe-' }, when: { any: [{ silent: '20s' }, { silent: 'learned' }, { rises: 40, within: '1m' }] } },
  { select: { metric: 'm1' }, when: { all: [{ below: 30 }, { not: { metric: 'm0', above: 50 } }] }, for: '3s', schedule: { zone: 'Europe/Vienna', days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] } },
  { select: { metric: 'm0', device: 'probe-0' }, when: { any: [{ anomaly: 0, hold: '10s' }, { deviates: 5, from: '1m', side: 'both' }] } },
].map((document) => JSON.stringify(parseRule({ flapping: { count: 10, within: '1m' }, ...document }).rule))

export class SimRules {
  readonly #log: Log
  readonly #topology: Topology
  readonly #tenants: readonly string[]
  #revision = 0
  /** The newest time that commits told of. */
  #logMs = 0
  /** The newest alert of each series that commits told of, and the partition that did. */
  readonly #alerts = new Map<string, { tenant: string; device: string; metric: string; alert: string; from: number }>()

  constructor({ log, topology, tenants }: { log: Log; topology: Topology; tenants: readonly string[] }) {
    this.#log = log
    this.#topology = topology
    this.#tenants = tenants
  }

  /** To be told of each commit. */
  hear({ partition: from, effects: { alerts, series, logTimeMs } }: HeardCommit): void {
    this.#logMs = Math.max(this.#logMs, logTimeMs)
    for (const { id, series: at } of alerts) this.#alerts.set(`${series[at].tenant} ${series[at].device} ${series[at].metric}`, { ...series[at], alert: id, from })
  }

  step(step: number): void {
    const at = step % DOCUMENTS.length
    const revision = ++this.#revision
    // Every ninth is an end, and now and then a partition hears of one twice.
    const body = step % 9 === 8 ? null : DOCUMENTS[(at + (step > 20 ? 1 : 0)) % DOCUMENTS.length]
    for (const tenant of this.#tenants) {
      const message = encodeRule({ tenant, id: `rule-${at}`, revision, body })
      for (let p = 0; p < this.#topology.partitions; p++) for (let n = (step + p) % 4 === 0 ? 2 : 1; n > 0; n--) this.#send(p, message)
    }
    for (const [n, of] of [...this.#alerts.values()].entries()) {
      const action = (['shelve', 'ack', 'shelve', 'resolve', 'shelve', 'unshelve'] as const)[(step + n) % 6]
      const until = action === 'shelve' ? { until: this.#logMs + 60_000 } : {}
      const { from, ...alert } = of
      if (isOwn(from)) this.#send(from, encodeOwnAction({ alert: of.alert, action, by: 'ann', note: '', ...until }))
      else this.#send(partitionFor(this.#topology, of.tenant, of.device), encodeAction({ ...alert, action, by: 'ann', note: '', ...until }))
    }
  }

  /** What the log does not take is lost: it comes again in its next revision. */
  #send(partition: number, message: Uint8Array): void {
    this.#log.publish(inputSubject(partition), message).catch(() => {})
  }
}
