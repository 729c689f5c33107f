/**
 * An own actor as hosts drive it: one partition of its own, whose step is what the author's code, in its process, answered to the message.
 *
 * A host steps synchronously, and an answer of another process takes a while. So the answer is fetched when the message is read (`listening`), and
 * stands beside it when it is stepped. A reader gives a message only once it is asked for one, which is after the one before was stepped; so what is
 * asked of the author's code is asked of the very state that the host has, and state, position and effects are of one moment, as with any actor.
 *
 * Owns how answers become effects, alerts among them. Leaves what is known of the actor to state.ts, and the author's code to a `Stepper`.
 *
 * - W1 An answer is applied to the state that it was asked of; anything else is a bug.
 * - W2 The author's code has the states of the one that is hosted before it is asked of the first message that a reader reads.
 */

import assert from 'node:assert/strict'
import type { Actor, Pieces, Restoring } from '../../runtime/actor.ts'
import type { LogMessage, LogReader } from '../../runtime/log.ts'
import { ofOnePiece, onePiece } from '../../runtime/one-piece.ts'
import type { AlertEvent } from '../alert/life.ts'
import { Life } from '../alert/life.ts'
import type { Rule } from '../alert/rule.ts'
import { alertId } from '../partition/rules/alert-id.ts'
import { isReservedName } from '../reading/reserved-names.ts'
import { EffectsBuilder } from '../partition/effects.ts'
import { SEVERITIES } from './contract.ts'
import type { AnyActor, Severity } from './contract.ts'
import { encodeOwnCode, encodeOwnTick } from './input.ts'
import type { OwnAction } from './input.ts'
import { OWN_SNAPSHOT_VERSION, OwnState } from './state.ts'
import type { Plan } from './state.ts'
import type { StepAnswer, StepEvent, StepMemory } from './steps.ts'
import { keyOf, tenantOf } from './steps.ts'

/** What is known of an author's file, beside its functions. */
export interface ActorFacts {
  readonly name: string
  readonly everyMs: number | null
  readonly columns: readonly (readonly [name: string, type: string])[]
  /** Tells one text of the file from another. */
  readonly code: string
}

/** Throws `TypeError` on a name that something of Weir's has. */
export function factsOf(actor: AnyActor, code: string): ActorFacts {
  if (isReservedName(actor.name)) throw new TypeError(`Cannot use this actor as its name must be one that no view of Weir has and that SQL does not keep for itself, as its view is named so: current value is "${actor.name}"`)
  return { name: actor.name, everyMs: actor.everyMs ?? null, columns: Object.entries(actor.view?.columns ?? {}) as [string, string][], code }
}

/** The author's code, wherever it runs. Its answers to one memory and the same events are the same. */
export interface Stepper {
  /**
   * Tells events, one after another. Where this goes on from something else than the call before (`isNew`), or the process is another one, the code first
   * gets `memory`. Rejects with `ActorFault` where it did what it must not.
   */
  step(events: readonly StepEvent[], memory: () => StepMemory, isNew: boolean): Promise<readonly StepAnswer[]>
}

/** A message with what the author's code said to it. */
export interface ToldMessage extends LogMessage {
  readonly plan: Plan
  readonly of: OwnState
  readonly answers: readonly StepAnswer[]
}

/** How the life of alerts goes that no rule raises. */
const LIFE = { reopenMs: 3_600_000, flapping: { count: Infinity, withinMs: 0 } } as unknown as Rule
/** Alerts that are remembered beyond this are dropped once nothing can come of them. */
const ALERTS_KEPT = 1_000

export class OwnActor implements Actor<OwnState, EffectsBuilder> {
  readonly name: string
  readonly snapshotVersion = OWN_SNAPSHOT_VERSION
  readonly flags: readonly number[] = []
  readonly #facts: ActorFacts
  readonly #stepper: Stepper
  /** The state that was made last is the one that is hosted: a host has one at a time. */
  #hosted: OwnState

  constructor(facts: ActorFacts, stepper: Stepper) {
    this.name = `own-${facts.name}`
    this.#facts = facts
    this.#stepper = stepper
    this.#hosted = new OwnState()
  }

  /** What a reader of its input gives, with the answers beside it. */
  async *listening(reader: LogReader): AsyncGenerator<ToldMessage> {
    let of: OwnState | null = null
    for await (const message of reader) {
      const hosted = this.#hosted
      const plan = hosted.plan(message)
      const answers = plan.events.length === 0 ? [] : await this.#stepper.step(plan.events, () => hosted.memory(), of !== hosted)
      if (plan.events.length > 0) of = hosted
      yield { ...message, plan, of: hosted, answers }
    }
  }

  create(): OwnState {
    return (this.#hosted = new OwnState())
  }

  restore(bytes: Uint8Array): OwnState {
    return (this.#hosted = OwnState.restore(bytes))
  }

  step(state: OwnState, message: Partial<ToldMessage>, effects: EffectsBuilder): void {
    const { plan, answers, of } = message
    assert(plan !== undefined && answers !== undefined && of === state, 'Cannot step an own actor as its message must have the answers to this state')
    state.follow(plan)
    endShelves(this.#facts.name, state, effects)
    for (const answer of answers) applyAnswer(this.#facts.name, state, answer, effects)
    if (plan.input?.kind === 'action') act(this.#facts.name, state, plan.input, effects)
  }

  effects(): EffectsBuilder {
    return new EffectsBuilder()
  }

  count(effects: EffectsBuilder): number {
    return effects.count
  }

  urgent(effects: EffectsBuilder): boolean {
    return effects.alerts.length > 0
  }

  encode(effects: EffectsBuilder, state: OwnState): Uint8Array {
    effects.ownView = { actor: this.#facts.name, columns: state.columns, code: state.code }
    return effects.encode({ accepted: state.readings, pending: 0, logTimeMs: Number.isNaN(state.timeMs) ? 0 : state.timeMs })
  }

  snapshot(state: OwnState): Uint8Array {
    return state.snapshot()
  }

  pieces(state: OwnState): Pieces {
    return onePiece(state.snapshot())
  }

  restoring(): Restoring<OwnState> {
    return ofOnePiece((bytes) => this.restore(bytes))
  }

  snapshotVersionOf(state: OwnState): number {
    return state.isShelving ? OWN_SNAPSHOT_VERSION : 1
  }

  /** Whether the hosted state has an alert that is put aside, so that time has to come by. */
  get isShelving(): boolean {
    return this.#hosted.isShelving
  }

  /** The feed sends ticks when they are due. */
  wantsTick(): boolean {
    return false
  }

  tick(): Uint8Array {
    return encodeOwnTick()
  }

  /** Says which code tells the actor from here on. */
  introduce(state: OwnState): Uint8Array | null {
    return state.code === this.#facts.code ? null : encodeOwnCode(this.#facts)
  }
}

function applyAnswer(actor: string, state: OwnState, answer: StepAnswer, effects: EffectsBuilder): void {
  const series = new Map<string, number>()
  const seriesOf = (name: string): number => {
    let index = series.get(name)
    if (index === undefined) series.set(name, (index = effects.addSeries({ tenant: tenantOf(name), device: keyOf(name), metric: actor })))
    return index
  }
  for (const [name, at, body] of answer.rows) effects.own.push({ series: seriesOf(name), at, number: ++state.rows, body })
  for (const [name, alert, severity, message, value] of answer.alerts) {
    const place = `${name}\n${alert}`
    const known = state.alerts.get(place)
    const isOpen = known?.life.isOpen === true
    if (severity === null) {
      const said = { by: null, message: message === '' ? `${known?.message} (resolved)` : message }
      if (known !== undefined) tellAlert(actor, state, place, seriesOf(name), effects, said, (tell) => known.life.calm(LIFE, nowOf(state), tell))
    } else {
      const level = SEVERITIES.indexOf(severity as Severity)
      if (isOpen && level <= known.life.level) continue
      const entry = known ?? { life: new Life(), message, value: NaN }
      entry.message = message
      entry.value = value ?? NaN
      state.alerts.set(place, entry)
      tellAlert(actor, state, place, seriesOf(name), effects, { by: null, message }, (tell) => entry.life.raise(LIFE, level, nowOf(state), tell))
    }
  }
  for (const [name, text] of answer.states) {
    if (text !== null) continue
    for (const [place, { life, message }] of state.alerts) {
      if (!place.startsWith(`${name}\n`) || !life.isOpen) continue
      tellAlert(actor, state, place, seriesOf(name), effects, { by: null, message: `${message} (no longer watched)` }, (tell) => life.end(nowOf(state), tell))
    }
  }
  state.keep(answer.states)
  forgetAlerts(state)
}

const nowOf = (state: OwnState) => ({ logMs: state.timeMs, activityMs: state.timeMs })

function tellAlert(actor: string, state: OwnState, place: string, series: number, effects: EffectsBuilder, said: { by: string | null; message: string }, move: (tell: (event: AlertEvent) => void) => void): void {
  const { life, value } = state.alerts.get(place)!
  const [tenant, key, name] = place.split('\n')
  const rule = `${actor}-${name}`
  move((event) => {
    effects.alerts.push({
      series,
      at: state.timeMs,
      value,
      number: life.events,
      id: alertId({ tenant, rule, device: key, metric: actor, openedMs: life.openedMs }),
      rule,
      severity: SEVERITIES[Math.max(0, life.level)],
      event,
      message: said.message,
      by: said.by,
    })
  })
}

/** What was put aside until now is taken up again. */
function endShelves(actor: string, state: OwnState, effects: EffectsBuilder): void {
  for (const [place, { life, message }] of state.alerts) {
    if (!(state.timeMs >= life.shelvedUntil)) continue
    const [tenant, key] = place.split('\n')
    const said = { by: null, message: `${message} (it was put aside, and that time is over)` }
    tellAlert(actor, state, place, effects.addSeries({ tenant, device: key, metric: actor }), effects, said, (tell) => life.passTime(nowOf(state), tell))
  }
}

const DONE = { ack: 'acknowledged', resolve: 'resolved', shelve: 'put aside', unshelve: 'taken up again' } as const

/** Does what a person asks for; passes over what is of no alert that there is now. */
function act(actor: string, state: OwnState, { alert, action, by, note, until }: OwnAction, effects: EffectsBuilder): void {
  for (const [place, { life, message }] of state.alerts) {
    const [tenant, key, name] = place.split('\n')
    if (life.events === 0 || alertId({ tenant, rule: `${actor}-${name}`, device: key, metric: actor, openedMs: life.openedMs }) !== alert) continue
    const series = effects.addSeries({ tenant, device: key, metric: actor })
    const said = { by, message: note === '' ? `${message} (${DONE[action]} by ${by})` : `${message} (${by}: ${note})` }
    tellAlert(actor, state, place, series, effects, said, (tell) => {
      if (action === 'ack') life.acknowledge(tell)
      else if (action === 'resolve') life.end(nowOf(state), tell)
      else if (action === 'unshelve') life.unshelve(tell)
      else life.shelve(until!, nowOf(state), tell)
    })
    return
  }
}

/** Lives that are over, and too long ago to come back, are dropped; the same of the same log. */
function forgetAlerts(state: OwnState): void {
  if (state.alerts.size < ALERTS_KEPT) return
  for (const [place, { life }] of state.alerts) if (!life.isOpen && state.timeMs - life.resolvedAt > LIFE.reopenMs && Number.isNaN(life.shelvedUntil)) state.alerts.delete(place)
}
