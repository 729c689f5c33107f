/**
 * Calls an author's functions: events in, changed states, rows and alerts out. It runs in the actor's own process (sandbox-process.ts), and in that of its tests.
 *
 * Owns the states as texts, the documents, and the check that a step is a pure function. Leaves which events there are, and what becomes of the
 * answers, to who calls it (actor.ts); it is the same code with and without a process around it.
 *
 * - S1 At each event a state is made anew from its text: what is not in the text is forgotten, so that every event is a crash survived.
 * - S2 A checked event is told twice, from the same texts, and the two answers must be the same to the letter (C1 of contract.ts).
 * - S3 A failure changes nothing here: the states are those before the event.
 * - S4 Clocks and randomness throw while an author's function runs.
 */

import { OperatingError } from '../../runtime/errors.ts'
import { ALERT, COLUMN_TYPES, KEY, matches, ROWS_OF_A_STEP_MAX, SEVERITIES, STATE_BYTES_MAX, TEXT_CHARS_MAX } from './contract.ts'
import type { Alert, AnyActor, ColumnType, Document, Out, Plain, Reading } from './contract.ts'
import { decodePlain, encodePlain, freeze } from './plain.ts'

export type StepEvent =
  | { readonly kind: 'readings'; readonly tenant: string; readonly receivedAt: number; readonly rows: readonly (readonly [device: string, metric: string, ts: number, value: number])[] }
  /** `keys`, each as `tenant\nkey`: those whose turn it is. */
  | { readonly kind: 'tick'; readonly time: number; readonly keys: readonly string[] }
  /** `body` as text; null: taken away. */
  | { readonly kind: 'document'; readonly tenant: string; readonly id: string; readonly at: number; readonly body: string | null }

/** What came of an event. A name is `tenant\nkey`. */
export interface StepAnswer {
  /** Changed states in the order of their first change; null: forgotten. */
  readonly states: readonly (readonly [name: string, text: string | null])[]
  /** `values` is JSON by column, in the order of the columns, without nulls. */
  readonly rows: readonly (readonly [name: string, at: number, values: string])[]
  /** Of a resolution the severity is null; so is a value that is not finite. */
  readonly alerts: readonly (readonly [name: string, alert: string, severity: string | null, message: string, value: number | null])[]
}

/** All that an actor remembers. */
export interface StepMemory {
  readonly states: readonly (readonly [name: string, text: string])[]
  readonly documents: readonly (readonly [tenant: string, id: string, body: string])[]
}

/** What an author's code did that it must not; says of which key. It will do so again at the same message. */
export class ActorFault extends OperatingError {
  constructor(message: string, cause?: unknown) {
    super('config', message, { cause, retry: false })
    this.name = 'ActorFault'
  }
}

interface Run {
  readonly states: Map<string, unknown>
  readonly rows: (readonly [string, number, string])[]
  readonly alerts: (readonly [string, string, string | null, string, number | null])[]
  readonly forgotten: Set<string>
}

export class Steps {
  readonly #actor: AnyActor
  readonly #columns: readonly (readonly [string, ColumnType])[]
  #texts = new Map<string, string>()
  #documents = new Map<string, readonly Document[]>()
  /** What is about to be told, for a failure to name. */
  #now = ''

  constructor(actor: AnyActor) {
    this.#actor = actor
    this.#columns = Object.entries(actor.view?.columns ?? {}) as [string, ColumnType][]
  }

  /** Forgets everything, and goes on from there. */
  load({ states, documents }: StepMemory): void {
    this.#texts = new Map(states)
    this.#documents = new Map()
    for (const [tenant, id, body] of documents) this.#put(tenant, id, body)
  }

  /** Throws `ActorFault`. */
  step(event: StepEvent, checked: boolean): StepAnswer {
    const before = this.#documents
    if (event.kind === 'document') {
      this.#documents = new Map(before)
      this.#put(event.tenant, event.id, event.body)
    }
    try {
      const answer = this.#told(event)
      if (checked) this.#compare(answer, this.#told(event))
      for (const [name, text] of answer.states) {
        if (text === null) this.#texts.delete(name)
        else this.#texts.set(name, text)
      }
      return answer
    } catch (error) {
      this.#documents = before
      throw error
    }
  }

  #put(tenant: string, id: string, body: string | null): void {
    const others = (this.#documents.get(tenant) ?? []).filter((document) => document.id !== id)
    const all = body === null ? others : [...others, { id, body: decodePlain(body) as Plain }]
    this.#documents.set(tenant, freeze(all.sort((a, b) => (a.id < b.id ? -1 : 1))))
  }

  #told(event: StepEvent): StepAnswer {
    const run: Run = { states: new Map(), rows: [], alerts: [], forgotten: new Set() }
    try {
      still(() => this.#tell(event, run))
    } catch (error) {
      throw error instanceof ActorFault ? error : new ActorFault(`${this.#now}: ${error instanceof Error ? error.message : String(error)}`, error)
    }
    const states = [...run.states].flatMap(([name, state]): (readonly [string, string | null])[] => {
      if (run.forgotten.has(name)) return [[name, null]]
      const text = this.#encode(name, state)
      return text === this.#texts.get(name) ? [] : [[name, text]]
    })
    return { states, rows: run.rows, alerts: run.alerts }
  }

  #encode(name: string, state: unknown): string {
    let text: string
    try {
      text = encodePlain(state)
    } catch (error) {
      throw new ActorFault(`the state of ${keyOf(name)}: ${(error as Error).message}`, error)
    }
    if (text.length > STATE_BYTES_MAX) throw new ActorFault(`Cannot keep the state of ${keyOf(name)} as it must have at most ${STATE_BYTES_MAX} characters as JSON: current value is ${text.length}`)
    return text
  }

  #tell(event: StepEvent, run: Run): void {
    const actor = this.#actor
    if (event.kind === 'tick') {
      if (actor.tick === undefined) return
      for (const name of event.keys) {
        const key = keyOf(name)
        this.#now = `tick of ${key} at ${isoOf(event.time)}`
        this.#call(run, name, event.time, (state, out) => actor.tick!(state, { key, time: event.time }, out))
      }
    } else if (event.kind === 'document') {
      if (actor.document === undefined) return
      const { tenant, id, body, at } = event
      const name = `${tenant}\n${id}`
      this.#now = `document ${id}`
      this.#call(run, name, at, (state, out) => actor.document!(state, body === null ? null : freeze(decodePlain(body) as Plain), out, id))
      if (body === null) run.forgotten.add(name)
    } else {
      if (actor.reading === undefined) return
      const { tenant, receivedAt, rows } = event
      const documents = this.#documents.get(tenant) ?? NONE
      for (const [device, metric, ts, value] of rows) {
        if (!matches(actor.reads?.devices, device) || !matches(actor.reads?.metrics, metric)) continue
        const reading: Reading = Object.freeze({ tenant, device, metric, ts, value, receivedAt })
        for (const key of this.#keys(reading, documents)) {
          this.#now = `reading of ${key}, ${device} ${metric} at ${isoOf(ts)}`
          this.#call(run, `${tenant}\n${key}`, ts, (state, out) => actor.reading!(state, reading, out, key))
        }
      }
    }
  }

  #keys(reading: Reading, documents: readonly Document[]): readonly string[] {
    const { key } = this.#actor
    const { device, metric, ts } = reading
    if (key === 'device') return [device]
    if (key === 'series') return [`${device} ${metric}`]
    this.#now = `key of ${device} ${metric} at ${isoOf(ts)}`
    const named = key(reading, documents)
    const keys = named === null ? [] : typeof named === 'string' ? [named] : [...named]
    for (const one of keys) if (typeof one !== 'string' || !KEY.test(one)) throw new TypeError(`Cannot use a key as it must be 1 to 128 of A-Z a-z 0-9 . _ : / - and space: current value is ${JSON.stringify(one)}`)
    return keys
  }

  #call(run: Run, name: string, at: number, tell: (state: unknown, out: Out) => void): void {
    if (!run.states.has(name)) {
      const text = this.#texts.get(name)
      run.states.set(name, text === undefined ? decodePlain(this.#encode(name, this.#actor.initial(keyOf(name)))) : decodePlain(text))
    }
    let over = false
    const count = run.rows.length + run.alerts.length
    const asserted = (): void => {
      if (over) throw new TypeError('Cannot answer any more as the call that out was given to must not have ended')
      if (run.rows.length + run.alerts.length - count >= ROWS_OF_A_STEP_MAX) throw new TypeError(`Cannot answer so much as one call may give at most ${ROWS_OF_A_STEP_MAX} rows and alerts`)
    }
    const out: Out = {
      row: (values, time = at) => {
        asserted()
        run.rows.push([name, timeOf(time), this.#values(values)])
      },
      alert: (alert) => {
        asserted()
        run.alerts.push(alertOf(name, alert))
      },
      resolve: (alert, message = '') => {
        asserted()
        run.alerts.push([name, alertName(alert), null, textOf('message', message), null])
      },
    }
    const answer: unknown = tell(run.states.get(name), out)
    over = true
    if (typeof (answer as { then?: unknown } | undefined)?.then === 'function') throw new TypeError('Cannot wait as a step must answer at once, without async and await')
  }

  #values(values: object): string {
    for (const name of Object.keys(values)) if (!this.#columns.some(([column]) => column === name)) throw new TypeError(`Cannot write this row as each of its values must be of a column of the view: current one is ${name}`)
    const row: Record<string, unknown> = {}
    for (const [name, type] of this.#columns) {
      const value = (values as Record<string, unknown>)[name]
      if (value === null || value === undefined) continue
      const sound = type === 'VARCHAR' ? typeof value === 'string' : type === 'BOOLEAN' ? typeof value === 'boolean' : typeof value === 'number'
      if (!sound || !COLUMN_TYPES.includes(type)) throw new TypeError(`Cannot write this row as ${name} must be a ${type}: current value is ${String(value).slice(0, 80)}`)
      if (typeof value === 'number' && !Number.isFinite(value)) continue
      if (type === 'BIGINT' && !Number.isSafeInteger(value)) throw new TypeError(`Cannot write this row as ${name} must be a whole number: current value is ${String(value)}`)
      row[name] = typeof value === 'string' ? value.slice(0, TEXT_CHARS_MAX) : type === 'TIMESTAMP' ? timeOf(value as number) : value
    }
    return JSON.stringify(row)
  }

  #compare(first: StepAnswer, second: StepAnswer): void {
    for (const part of ['states', 'rows', 'alerts'] as const) {
      const [a, b] = [first[part], second[part]]
      for (let i = 0; i < Math.max(a.length, b.length); i++) {
        const [one, other] = [a[i], b[i]].map((item) => (item === undefined ? 'nothing' : JSON.stringify(item.slice(1))))
        if (one === other) continue
        const of = keyOf((a[i] ?? b[i])[0])
        const what = part === 'states' ? 'the state' : part === 'rows' ? 'a row' : 'an alert'
        throw new ActorFault(`Cannot trust this actor as a step must give the same each time that it runs: ${what} of ${of} was first ${one!.slice(0, 200)}, then ${other!.slice(0, 200)} (last told: ${this.#now})`)
      }
    }
  }
}

const NONE: readonly Document[] = Object.freeze([])
export const keyOf = (name: string): string => name.slice(name.indexOf('\n') + 1)
export const tenantOf = (name: string): string => name.slice(0, name.indexOf('\n'))
const isoOf = (ms: number): string => new Date(ms).toISOString()

function timeOf(ms: unknown): number {
  if (typeof ms !== 'number' || !(Math.abs(ms) <= 8.64e15)) throw new TypeError(`Cannot write this row as a time must be epoch ms: current value is ${String(ms)}`)
  return Math.floor(ms) + 0
}

function textOf(what: string, text: unknown): string {
  if (typeof text !== 'string') throw new TypeError(`Cannot raise this alert as its ${what} must be a text: current value is ${String(text)}`)
  return text.slice(0, TEXT_CHARS_MAX)
}

function alertName(name: unknown): string {
  if (typeof name !== 'string' || !ALERT.test(name)) throw new TypeError(`Cannot raise this alert as its name must be 1 to 23 of A-Z a-z 0-9 _ -: current value is ${String(name)}`)
  return name
}

function alertOf(of: string, { name, severity, message, value }: Alert): readonly [string, string, string, string, number | null] {
  if (!SEVERITIES.includes(severity)) throw new TypeError(`Cannot raise this alert as its severity must be one of ${SEVERITIES.join(', ')}: current value is ${String(severity)}`)
  return [of, alertName(name), severity, textOf('message', message), typeof value === 'number' && Number.isFinite(value) ? value : null]
}

/** Runs with clocks and randomness out of reach: whoever reads one is told so at once, and not by a difference some day. */
function still(run: () => void): void {
  const refuse = (what: string) => (): never => {
    throw new TypeError(`Cannot use ${what} as a step must be a function of its state and what it is told: take the time of the reading or the tick`)
  }
  const { Date: RealDate } = globalThis
  const { random } = Math
  class StillDate extends RealDate {
    static override now = refuse('Date.now')

    constructor(...given: unknown[]) {
      if (given.length === 0) refuse('a Date of now')()
      super(...(given as [number]))
    }
  }
  globalThis.Date = StillDate as unknown as DateConstructor
  Math.random = refuse('Math.random')
  try {
    run()
  } finally {
    globalThis.Date = RealDate
    Math.random = random
  }
}
