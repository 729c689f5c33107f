/**
 * What an author tests their actor with: `import { tryActor } from 'weir/testing'`. No server, no files, no clock: an actor is a function of what it is told.
 *
 * Owns a log in memory, and crashes. What drives the actor is the code that drives it in a worker; every step is told twice and compared, and every
 * message is a crash survived, since states are made anew from their texts.
 *
 * @example
 * const trial = tryActor(actor)
 * trial.give([{ device: 'field-1', metric: 'temperature', ts: Date.parse('2026-05-01T04:00Z'), value: -2 }])
 * trial.crash()
 * trial.give([{ device: 'field-1', metric: 'temperature', ts: Date.parse('2026-05-01T06:00Z'), value: 1 }])
 * assert.deepEqual(trial.rows(), [{ key: 'field-1', at: Date.parse('2026-05-01T06:00Z'), hours: 2 }])
 */

import { isDeepStrictEqual } from 'node:util'
import { decodeEffects } from '../partition/effects.ts'
import type { PartitionEffects } from '../partition/effects.ts'
import { factsOf, OwnActor } from './actor.ts'
import type { ToldMessage } from './actor.ts'
import { check } from './contract.ts'
import type { AnyActor, Plain } from './contract.ts'
import { encodeOwnAction, encodeOwnCode, encodeOwnDocument, encodeOwnReadings, encodeOwnTick } from './input.ts'
import { decodePlain, encodePlain } from './plain.ts'
import type { OwnState } from './state.ts'
import { Steps } from './steps.ts'

const TENANT = 'default'

export interface GivenReading {
  readonly device: string
  readonly metric: string
  /** Epoch ms. */
  readonly ts: number
  readonly value: number
  /** `default` where it is left out. */
  readonly tenant?: string
}

export interface SeenRow {
  readonly key: string
  readonly at: number
  readonly [column: string]: unknown
}

export interface SeenAlert {
  readonly key: string
  readonly name: string
  readonly id: string
  readonly at: number
  readonly event: string
  readonly severity: string
  readonly message: string
  readonly value: number
}

/** Throws `TypeError` where it is no definition. */
export function tryActor(actor: AnyActor): Trial {
  check(actor)
  return new Trial(actor)
}

export class Trial {
  readonly #actor: AnyActor
  readonly #own: OwnActor
  #steps: Steps
  #state: OwnState
  #log: ToldMessage[] = []
  /** The answers to each message, as they were first. */
  #said: PartitionEffects[] = []
  #snapshot: { readonly bytes: Uint8Array; readonly messages: number } | null = null
  #timeMs = 0
  #commits = 0
  #revisions = 0

  constructor(actor: AnyActor) {
    this.#actor = actor
    // Its readers are not used here: a trial asks the steps itself, and at once.
    this.#own = new OwnActor(factsOf(actor, 'trial'), { step: async () => [] })
    this.#steps = new Steps(actor)
    this.#state = this.#own.create()
    this.#append(encodeOwnCode(factsOf(actor, 'trial')))
  }

  /** Gives readings, as one commit covers them. The log's time is that of the newest one so far, or `at`. */
  give(readings: readonly GivenReading[], { at }: { readonly at?: number } = {}): this {
    this.#timeMs = Math.max(this.#timeMs, at ?? readings.reduce((most, { ts }) => Math.max(most, ts), 0))
    const tenants = [...new Set(readings.map(({ tenant = TENANT }) => tenant))]
    const after = this.#commits++
    const pieces = tenants.map((of) => {
      const rows = readings.filter(({ tenant = TENANT }) => tenant === of).map(({ device, metric, ts, value }) => [device, metric, ts, value] as const)
      return { seq: this.#commits, tenant: of, receivedAt: this.#timeMs, rows }
    })
    return this.#append(encodeOwnReadings({ created: 'trial', after, upTo: this.#commits, pieces }))
  }

  /** Puts a document; null takes it away. */
  document(id: string, body: Plain, { tenant = TENANT }: { readonly tenant?: string } = {}): this {
    return this.#append(encodeOwnDocument({ tenant, id, revision: ++this.#revisions, body: body === null ? null : encodePlain(body) }))
  }

  /** The log's clock shows `to` (epoch ms): ticks that are due come. */
  passTime(to: number): this {
    this.#timeMs = Math.max(this.#timeMs, to)
    return this.#append(encodeOwnTick())
  }

  /** Somebody acknowledges an alert, resolves it, puts it aside until a time, or takes it up again. */
  answer(id: string, action: 'ack' | 'resolve' | 'shelve' | 'unshelve', by = 'somebody', until?: number): this {
    if (action === 'shelve' && until === undefined) throw new TypeError('Cannot put an alert aside as there must be a time until which, epoch ms: current value is nothing')
    return this.#append(encodeOwnAction({ alert: id, action, by, note: '', ...(action === 'shelve' ? { until: Math.floor(until!) } : {}) }))
  }

  /** Takes a snapshot, from which the next crash resumes. */
  snapshot(): this {
    this.#snapshot = { bytes: this.#own.snapshot(this.#state), messages: this.#log.length }
    return this
  }

  /**
   * The actor's process is killed, and another one resumes: from the newest snapshot, by the messages since. Throws where those give other answers than they
   * gave before, or lead to another state.
   */
  crash(): this {
    const before = this.#own.snapshot(this.#state)
    this.#steps = new Steps(this.#actor)
    this.#state = this.#snapshot === null ? this.#own.create() : this.#own.restore(this.#snapshot.bytes)
    this.#steps.load(this.#state.memory())
    for (let i = this.#snapshot?.messages ?? 0; i < this.#log.length; i++) {
      const again = this.#step(this.#log[i])
      if (!isDeepStrictEqual(again, this.#said[i])) throw new Error(`Cannot resume this actor as message ${i + 1} must lead to what it led to before: first ${JSON.stringify(this.#said[i].own)}, then ${JSON.stringify(again.own)}`)
    }
    if (!isDeepStrictEqual(this.#own.snapshot(this.#state), before)) throw new Error('Cannot resume this actor as what it remembers must be what it remembered before')
    return this
  }

  /** Rows of the view so far, of all keys or of one. A column that is null is left out. */
  rows(key?: string): SeenRow[] {
    return this.#said.flatMap(({ own, series }) => {
      return own.map(({ series: of, at, body }) => ({ key: series[of].device, at, ...(JSON.parse(body) as object) })).filter((row) => key === undefined || row.key === key)
    })
  }

  /** Events in the lives of alerts so far, of all keys or of one. */
  alerts(key?: string): SeenAlert[] {
    return this.#said.flatMap(({ alerts, series }) => {
      return alerts
        .map(({ series: of, at, event, severity, message, rule, value, id }) => ({ key: series[of].device, name: rule.slice(this.#actor.name.length + 1), id, at, event, severity, message, value }))
        .filter((alert) => key === undefined || alert.key === key)
    })
  }

  /** The state of a key, as the actor gets it next; undefined where it has none. */
  state(key: string, { tenant = TENANT }: { readonly tenant?: string } = {}): any {
    const text = this.#state.states.get(`${tenant}\n${key}`)
    return text === undefined ? undefined : decodePlain(text)
  }

  /** Every key that has a state. */
  keys({ tenant = TENANT }: { readonly tenant?: string } = {}): string[] {
    return [...this.#state.states.keys()].filter((name) => name.startsWith(`${tenant}\n`)).map((name) => name.slice(tenant.length + 1))
  }

  #append(data: Uint8Array): this {
    const message = { subject: 'own.0', seq: this.#log.length + 1, timeMs: this.#timeMs, data } as ToldMessage
    this.#said.push(this.#step(message))
    this.#log.push(message)
    return this
  }

  #step(message: ToldMessage): PartitionEffects {
    const plan = this.#state.plan(message)
    const answers = plan.events.map((event) => this.#steps.step(event, true))
    const effects = this.#own.effects()
    this.#own.step(this.#state, { ...message, plan, answers, of: this.#state }, effects)
    return decodeEffects(this.#own.encode(effects, this.#state))
  }
}
