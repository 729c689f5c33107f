/**
 * What is known of an own actor outside of the author's code: states as texts, documents, alerts, and how far it was told.
 *
 * Owns bounds on all of it, which events a message leads to, and the bytes of a snapshot. Leaves the author's functions to steps.ts.
 *
 * - O1 Each commit of RESULTS is told once: the feed sends at least once and in order, and what is not beyond `fedTo` is passed over here.
 * - O2 Time is that of the actor's own log, and never goes back. A message first makes the ticks come that are due, then it is told.
 * - O3 Of a document the greatest revision holds; its end is one, and is remembered.
 */

import { pack, unpack } from '../../runtime/codec.ts'
import { Life, LIFE_NUMBERS } from '../alert/life.ts'
import { KEYS_MAX, STATES_BYTES_MAX } from './contract.ts'
import { decodeOwnInput } from './input.ts'
import type { OwnInput } from './input.ts'
import { ActorFault } from './steps.ts'
import type { StepAnswer, StepEvent, StepMemory } from './steps.ts'

/** 2 holds until when alerts are shelved; 1 is written where none is. */
export const OWN_SNAPSHOT_VERSION = 2
/** Ticks that come one after another after an outage. */
const TICKS_MAX = 50
/** Keys of one event, so that one call to the actor's process stays short. */
const TICK_KEYS = 500
const READINGS_OF_AN_EVENT = 5_000

/** An alert of a key, alive or lately so. */
export interface OwnAlert {
  readonly life: Life
  message: string
  value: number
}

interface OwnDocumentState {
  readonly revision: number
  /** Null: taken away. */
  readonly body: string | null
}

/** A message and what it leads to: events in order, told one after another. */
export interface Plan {
  /** Null: it could not be read. */
  readonly input: OwnInput | null
  readonly timeMs: number
  readonly events: readonly StepEvent[]
  /** The newest tick that comes with it. */
  readonly tickMs: number
}

export class OwnState {
  code = ''
  everyMs: number | null = null
  columns: readonly (readonly [name: string, type: string])[] = []
  fedCreated = ''
  fedTo = 0
  /** Greatest time of a message, epoch ms; NaN before the first. */
  timeMs = NaN
  /** The last tick that came, or the time since when ticks come. */
  tickMs = NaN
  /** Rows so far. */
  rows = 0
  readings = 0
  malformed = 0
  /** Commits were missing before some message of the feed: the log had been purged. */
  gaps = 0
  /** By `tenant\nkey`. */
  readonly states = new Map<string, string>()
  stateBytes = 0
  /** By `tenant\nid`. */
  readonly documents = new Map<string, OwnDocumentState>()
  /** By `tenant\nkey\nname`. */
  readonly alerts = new Map<string, OwnAlert>()

  plan(message: { readonly timeMs: number; readonly data: Uint8Array }): Plan {
    const timeMs = Number.isNaN(this.timeMs) ? message.timeMs : Math.max(this.timeMs, message.timeMs)
    const events: StepEvent[] = []
    let tickMs = this.tickMs
    if (this.everyMs !== null) {
      const last = Math.floor(timeMs / this.everyMs) * this.everyMs
      if (Number.isNaN(tickMs)) tickMs = last
      const keys = [...this.states.keys()]
      for (let time = Math.max(Math.floor(tickMs / this.everyMs + 1) * this.everyMs, last - (TICKS_MAX - 1) * this.everyMs); time <= last; time += this.everyMs) {
        tickMs = time
        for (let at = 0; at < keys.length; at += TICK_KEYS) events.push({ kind: 'tick', time, keys: keys.slice(at, at + TICK_KEYS) })
      }
    }
    let input: OwnInput
    try {
      input = decodeOwnInput(message.data)
    } catch {
      return { input: null, timeMs, events, tickMs }
    }
    if (input.kind === 'readings') {
      for (const { seq, tenant, receivedAt, rows } of input.pieces) {
        if (seq <= this.#fedTo(input.created)) continue
        for (let at = 0; at < rows.length; at += READINGS_OF_AN_EVENT) events.push({ kind: 'readings', tenant, receivedAt, rows: rows.slice(at, at + READINGS_OF_AN_EVENT) })
      }
    } else if (input.kind === 'document') {
      const { tenant, id, revision, body } = input
      const known = this.documents.get(`${tenant}\n${id}`)
      if (revision > (known?.revision ?? 0) && body !== (known?.body ?? null)) events.push({ kind: 'document', tenant, id, at: timeMs, body })
    }
    return { input, timeMs, events, tickMs }
  }

  /** Notes what the plan says beside its events. */
  follow({ input, timeMs, tickMs }: Plan): void {
    this.timeMs = timeMs
    this.tickMs = tickMs
    if (input === null) this.malformed++
    else if (input.kind === 'readings') {
      const before = this.#fedTo(input.created)
      for (const { seq, rows } of input.pieces) if (seq > before) this.readings += rows.length
      if (input.after > before) this.gaps++
      this.fedCreated = input.created
      this.fedTo = Math.max(before, input.upTo)
    } else if (input.kind === 'document') {
      const name = `${input.tenant}\n${input.id}`
      if (input.revision > (this.documents.get(name)?.revision ?? 0)) this.documents.set(name, { revision: input.revision, body: input.body })
    } else if (input.kind === 'code') {
      this.code = input.code
      this.columns = input.columns
      this.everyMs = input.everyMs
    }
  }

  /** Throws `ActorFault` where that would be more than an actor may have. */
  keep(states: StepAnswer['states']): void {
    for (const [name, text] of states) {
      this.stateBytes += (text === null ? 0 : name.length + text.length) - (this.states.has(name) ? name.length + this.states.get(name)!.length : 0)
      if (text === null) this.states.delete(name)
      else this.states.set(name, text)
    }
    if (this.states.size > KEYS_MAX) throw new ActorFault(`Cannot keep another state as an actor may have at most ${KEYS_MAX} keys: current number is ${this.states.size}`)
    if (this.stateBytes > STATES_BYTES_MAX) throw new ActorFault(`Cannot keep these states as all of an actor must have at most ${STATES_BYTES_MAX} bytes together: current value is ${this.stateBytes}`)
  }

  /** Whether an alert is put aside: its time is looked at with each message. */
  get isShelving(): boolean {
    for (const { life } of this.alerts.values()) if (!Number.isNaN(life.shelvedUntil)) return true
    return false
  }

  memory(): StepMemory {
    const documents = [...this.documents].flatMap(([name, { body }]): (readonly [string, string, string])[] => {
      const [tenant, id] = name.split('\n')
      return body === null ? [] : [[tenant, id, body]]
    })
    return { states: [...this.states], documents }
  }

  #fedTo(created: string): number {
    return created === this.fedCreated ? this.fedTo : 0
  }

  snapshot(): Uint8Array {
    return pack({
      c: this.code,
      e: this.everyMs,
      v: this.columns.flat(),
      f: [this.fedCreated, this.fedTo],
      n: [this.timeMs, this.tickMs, this.rows, this.readings, this.malformed, this.gaps],
      s: [...this.states].flat(),
      d: [...this.documents].map(([name, { revision, body }]) => [name, revision, body]),
      a: [...this.alerts].map(([name, { life, message, value }]) => [name, message, value, life.numbers(), ...(Number.isNaN(life.shelvedUntil) ? [] : [life.shelvedUntil])]),
    })
  }

  /** Throws `RangeError` on bytes that are no snapshot. */
  static restore(bytes: Uint8Array): OwnState {
    const wire = unpack<Wire | null>(bytes)
    const lists = [wire?.v, wire?.f, wire?.n, wire?.s, wire?.d, wire?.a]
    if (wire === null || typeof wire.c !== 'string' || !lists.every(Array.isArray) || wire.n.length !== 6 || wire.s.length % 2 !== 0) throw new RangeError('Cannot read a snapshot of an own actor as it must be whole')
    const state = new OwnState()
    state.code = wire.c
    state.everyMs = wire.e
    state.columns = Array.from({ length: wire.v.length / 2 }, (_, i) => [wire.v[2 * i], wire.v[2 * i + 1]] as const)
    ;[state.fedCreated, state.fedTo] = wire.f
    ;[state.timeMs, state.tickMs, state.rows, state.readings, state.malformed, state.gaps] = wire.n
    state.keep(Array.from({ length: wire.s.length / 2 }, (_, i) => [wire.s[2 * i], wire.s[2 * i + 1]] as const))
    for (const [name, revision, body] of wire.d) state.documents.set(name, { revision, body })
    for (const [name, message, value, numbers, shelvedUntil = NaN] of wire.a) {
      if (numbers.length !== LIFE_NUMBERS) throw new RangeError('Cannot read a snapshot of an own actor as each alert must be whole')
      const life = new Life()
      life.restore(numbers)
      life.shelvedUntil = shelvedUntil
      state.alerts.set(name, { life, message, value })
    }
    return state
  }
}

interface Wire {
  c: string
  e: number | null
  v: string[]
  f: [string, number]
  n: number[]
  s: string[]
  d: [string, number, string | null][]
  a: [string, string, number, number[], number?][]
}
