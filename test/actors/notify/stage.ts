/**
 * A stage for the notifier: a log in memory, a clock that a test moves, commits with events of alerts, and a receiver that keeps what it is sent.
 *
 * Each send is a call of the sender's own process, which may die before it arrives or before it is answered.
 */

import { EffectsBuilder } from '../../../actors/partition/effects.ts'
import type { AlertEvent } from '../../../actors/alert/life.ts'
import { NotifierMetrics } from '../../../actors/notify/metrics.ts'
import { Notifier } from '../../../actors/notify/notifier.ts'
import type { Outcome } from '../../../actors/notify/desk.ts'
import type { Outgoing } from '../../../actors/notify/outgoing.ts'
import { RouteRegistry } from '../../../actors/notify/routes.ts'
import { RuleLabels } from '../../../actors/notify/rule-labels.ts'
import { RuleRegistry } from '../../../actors/fleet/rules.ts'
import { encodeJournal } from '../../../runtime/journal.ts'
import type { MemoryConnection } from '../../../runtime/memory-connection.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import { createMetrics } from '../../../runtime/telemetry.ts'
import { BUCKET_META, BUCKET_NOTIFY, inputStreams, inputSubject, RESULTS, topologyOf } from '../../../runtime/topology.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { quietLogger } from '../../support/quiet-logger.ts'

export const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`
export const HOOK = { webhook: { url: 'http://127.0.0.1:9/hook', secret: SECRET } }

export interface Event {
  readonly device: string
  readonly event: AlertEvent
  readonly number?: number
  readonly severity?: string
  readonly rule?: string
  readonly tenant?: string
}

/** A message as a receiver reads it. */
export interface Received {
  readonly id: string
  readonly route: string
  readonly title: string
  readonly text: string
  readonly type: string
  readonly data: { alerts: { id: string; number: number; event: string; device: string }[]; more?: number }
  readonly body: string
  readonly atMs: number
}

export class Stage {
  readonly clock = new ManualClock()
  readonly world = new MemoryWorld({ clock: this.clock })
  readonly topology = topologyOf(1)
  readonly received: Received[] = []
  /** What the receiver answers; it takes everything unless a test says otherwise. */
  answer: (message: Outgoing) => Outcome | Promise<Outcome> = () => ({ kind: 'taken' })
  /** Of those that run here; undefined: as usual. */
  changesMax: number | undefined
  readonly lines = quietLogger()
  #opened = new Map<string, number>()
  #seq = 0

  static async open(): Promise<Stage> {
    const stage = new Stage()
    const { log } = stage.world.connect()
    for (const name of inputStreams(stage.topology)) await log.ensureStream({ name, subjects: [inputSubject(0)], replicas: 1, bytesMax: -1 })
    await log.ensureStream({ name: RESULTS, subjects: ['results.*'], replicas: 1, bytesMax: -1 })
    return stage
  }

  async route(id: string, document: object, tenant = 'default'): Promise<void> {
    const registry = await RouteRegistry.open(await this.world.connect().kv(BUCKET_NOTIFY))
    await registry.put(tenant, id, { target: HOOK, ...document }, null, () => SECRET)
    registry.close()
  }

  async rule(id: string, labels: Record<string, string>, name = id): Promise<void> {
    const registry = await RuleRegistry.open(await this.world.connect().kv(BUCKET_META))
    await registry.put('default', id, { name, select: { metric: 'm' }, when: { above: 1 }, labels }, null)
    registry.close()
  }

  /** Stores a commit that tells of these events. An alert is the one of its rule and device since it was opened. */
  async commit(...events: Event[]): Promise<void> {
    const effects = new EffectsBuilder()
    const at = this.clock.now()
    for (const { device, event, number = event === 'opened' ? 1 : 2, severity = 'warning', rule = 'dry', tenant = 'default' } of events) {
      const name = `${tenant} ${rule} ${device}`
      if (event === 'opened') this.#opened.set(name, at)
      const id = `${rule}.${device.replaceAll('/', '-')}.${(this.#opened.get(name) ?? at).toString(36)}`
      const series = effects.addSeries({ tenant, device, metric: 'm' })
      effects.alerts.push({ series, at, value: 9.5, number, id, rule, severity, event, message: `M of ${device} ${event}.`, by: null })
    }
    const position = { created: 'x', seq: ++this.#seq, timeMs: at }
    const header = { kind: 'commit' as const, partition: 0, epoch: 1, owner: 'w', nonce: `n${this.#seq}`, position, snapshots: [], part: 0 }
    await this.world.connect().log.publish('results.0', encodeJournal(header, effects.encode({ accepted: 0, pending: 0, logTimeMs: at })))
  }

  /** A notifier that is not started yet. */
  async open(connection: MemoryConnection, metrics = createMetrics({ process: false })): Promise<Notifier> {
    const { clock } = this
    const routes = await RouteRegistry.open(await connection.kv(BUCKET_NOTIFY))
    const rules = await RuleLabels.open(await connection.kv(BUCKET_META))
    const send = (_: unknown, message: Outgoing) =>
      connection.perform(async () => {
        const outcome = await this.answer(message)
        const { id, route, title, text, body } = message
        const { type, data } = JSON.parse(body) as Pick<Received, 'type' | 'data'>
        if (outcome.kind === 'taken') this.received.push({ id, route, title, text, type, data, body, atMs: clock.now() })
        return outcome
      })
    const told = new NotifierMetrics(metrics, () => notifier.states, () => true)
    const notifier: Notifier = await Notifier.open({ connection, topology: this.topology, routes, rules, senders: { webhook: send, email: send, nats: send, mqtt: send }, clock, logger: this.lines.logger, metrics: told, changesMax: this.changesMax })
    return notifier
  }

  /** A process that is the notifier: opened and started as far as its connection lives. */
  async notifier(connection: MemoryConnection = this.world.connect()): Promise<{ notifier: Notifier; metrics: ReturnType<typeof createMetrics> }> {
    const metrics = createMetrics({ process: false })
    const notifier = await this.open(connection, metrics)
    await notifier.start()
    return { notifier, metrics }
  }

  /** Events in what was received, each once, in the order of their first coming. */
  get events(): string[] {
    return [...new Set(this.received.flatMap(({ data }) => data.alerts.map(({ device, event, number }) => `${device} ${event} ${number}`)))]
  }
}
