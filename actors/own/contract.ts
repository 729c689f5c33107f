/**
 * What an author writes to add an actor of their own: `import { defineActor } from 'weir/actor'`.
 *
 * An actor keeps a state a key (a device, a series, a plot: whatever its `key` says), hears readings, ticks and documents, and answers with rows of a view
 * of its own and with alerts. `weir worker --actors ./my-actor.ts` runs it, `weir/testing` tests it.
 *
 * This file imports nothing, since it is all that an actor's process is handed beside the author's own files. These may import `weir/actor`, and each other
 * by relative paths beneath the folder of the first; types may come from anywhere.
 *
 * - C1 A step is a pure function: what it makes of a state and a reading is the same whenever and wherever it runs. No clock (`Date.now`), no randomness, no
 *   files, no network; time comes with readings and ticks. Weir runs steps twice and stops an actor whose two answers differ.
 * - C2 Nothing is remembered but the state. Variables of the file are not: an actor is killed and resumed at any time, from its states alone.
 * - C3 A state is plain data: objects, arrays, texts, numbers (NaN and the infinities too), booleans and null; neither Date nor Map nor undefined nor a
 *   class. A step changes it in place. A state has at most `STATE_BYTES_MAX` bytes as JSON, all of them of an actor together `STATES_BYTES_MAX`.
 * - C4 Readings come once each: doubles, expired ones and those whose minute was closed already are left out. Those of one series come nearly in order, at most
 *   the installation's lateness (5 s) out of it; of two series of a key either may come first.
 * - C5 All tenants share an actor, and no two of them a state: a key is one of its tenant.
 */

/** As JSON. */
export const STATE_BYTES_MAX = 64 * 1024
export const STATES_BYTES_MAX = 64 * 1024 * 1024
export const KEYS_MAX = 100_000
export const ROWS_OF_A_STEP_MAX = 1_000
export const TEXT_CHARS_MAX = 4_096
export const COLUMNS_MAX = 64
export const SEVERITIES = ['info', 'warning', 'critical'] as const

export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [name: string]: Plain }
export type Severity = (typeof SEVERITIES)[number]

/** A reading that was accepted on time. */
export interface Reading {
  readonly tenant: string
  readonly device: string
  readonly metric: string
  /** When it was measured, epoch ms. */
  readonly ts: number
  readonly value: number
  /** When the log had it, epoch ms. */
  readonly receivedAt: number
}

/** A document that somebody put (`PUT /v1/actors/{name}/documents/{id}`): a plot, a pump, a limit. */
export interface Document {
  readonly id: string
  readonly body: Plain
}

/**
 * The documents of a reading's tenant, in order of their ids. The same object until one of them changes, so that what is made of it may be kept in a
 * `WeakMap`, and is made again where it is not there.
 */
export type Documents = readonly Document[]

export interface Tick {
  readonly key: string
  /** The whole multiple of `everyMs` that has come, epoch ms by the log's clock. */
  readonly time: number
}

export const COLUMN_TYPES = ['DOUBLE', 'BIGINT', 'BOOLEAN', 'VARCHAR', 'TIMESTAMP'] as const
export type ColumnType = (typeof COLUMN_TYPES)[number]
/** Beside these, each row of the view has `tenant`, `key` and `at`. */
export type Columns = Readonly<Record<string, ColumnType>>
/** Of a TIMESTAMP epoch ms; what is left out is null, and so is a number that is not finite. */
type ValueOf<Type> = (Type extends 'BOOLEAN' ? boolean : Type extends 'VARCHAR' ? string : number) | null
export type RowOf<Shown extends Columns> = { readonly [Name in keyof Shown]?: ValueOf<Shown[Name]> }

export interface Alert {
  /** Tells alerts of one key apart; of each name one is open at a time. 1 to 23 of A-Z a-z 0-9 _ -. */
  readonly name: string
  readonly severity: Severity
  /** A sentence. */
  readonly message: string
  /** Shown beside it; NaN or left out for none. */
  readonly value?: number
}

/** Where answers go; valid during the call that it was given to. */
export interface Out<Shown extends Columns = Columns> {
  /** Appends a row to the view. `at` is its time, epoch ms: left out, that of the reading, of the tick, or of the document's message. */
  row(values: RowOf<Shown>, at?: number): void
  /**
   * Opens an alert; one of the name that is open is escalated where this is severer, and else left as it is. What a person has resolved stays so until
   * `resolve` was called once. One that comes back within an hour is the same one, reopened.
   */
  alert(alert: Alert): void
  /** Resolves the alert of that name where one is open. */
  resolve(name: string, message?: string): void
}

export interface ActorDefinition<State = Plain, Shown extends Columns = Columns> {
  /** Name of the actor and of its view: a to z, 0 to 9 and _, beginning with a letter, at most 40 characters. */
  readonly name: string
  /** A sentence that people read. */
  readonly about?: string
  /** What it hears; left out: all readings. A name may end in `*`. */
  readonly reads?: { readonly devices?: readonly string[]; readonly metrics?: readonly string[] }
  /**
   * Whose state a reading concerns: that of its device, of its series (`device metric`, with a space between), or those that a pure function names; null or an
   * empty list: nobody's. A key is 1 to 128 of A-Z a-z 0-9 . _ : / - and space.
   */
  readonly key: 'device' | 'series' | ((reading: Reading, documents: Documents) => string | readonly string[] | null)
  /** The state of a key of which nothing was heard so far. */
  initial(key: string): State
  reading?(state: State, reading: Reading, out: Out<Shown>, key: string): void
  /** How often `tick` is called for each key that has a state: a whole number of minutes, in ms. A day's ticks are at midnight UTC. */
  readonly everyMs?: number
  /** After an outage the ticks that were missed come one after another, the newest 50 of them. */
  tick?(state: State, tick: Tick, out: Out<Shown>): void
  /** A document came, changed, or (null) was taken away: called for the key that is its id, which has a state from then on. */
  document?(state: State, body: Plain, out: Out<Shown>, key: string): void
  /** What an analyst sees as a view of the actor's name in weir.duckdb, and through /v1/sql. */
  readonly view?: { readonly columns: Shown }
}

// States and columns of an actor are its own affair: who runs it knows them as data alone.
export type AnyActor = ActorDefinition<any, any>

/**
 * Gives the definition back, checked. Throws `TypeError` that says what must be otherwise.
 *
 * @example
 * export default defineActor({
 *   name: 'frost_hours',
 *   reads: { metrics: ['temperature'] },
 *   key: 'device',
 *   initial: () => ({ coldSince: null as number | null }),
 *   reading(state, { ts, value }, out) {
 *     if (value < 0) state.coldSince ??= ts
 *     else if (state.coldSince !== null) {
 *       out.row({ hours: (ts - state.coldSince) / 3_600_000 })
 *       state.coldSince = null
 *     }
 *   },
 *   view: { columns: { hours: 'DOUBLE' } },
 * })
 */
export function defineActor<State, const Shown extends Columns>(definition: ActorDefinition<State, Shown>): ActorDefinition<State, Shown> {
  check(definition)
  return definition
}

export const NAME = /^[a-z][a-z0-9_]{0,39}$/
export const KEY = /^[A-Za-z0-9._:/ -]{1,128}$/
export const ALERT = /^[A-Za-z0-9_-]{1,23}$/
const COLUMN = /^[a-z][a-z0-9_]{0,62}$/
const OWN_COLUMNS = ['tenant', 'key', 'at']
const MINUTE_MS = 60_000

/** Throws `TypeError` on what is no definition. */
export function check(definition: unknown): asserts definition is AnyActor {
  const d = definition as Partial<Record<keyof AnyActor, unknown>> | null
  const refuse = (what: string, must: string, current: unknown): never => {
    throw new TypeError(`Cannot use this actor as ${what} must be ${must}: current value is ${shown(current)}`)
  }
  if (typeof d !== 'object' || d === null) return refuse('it', "what defineActor gives, exported as 'default'", definition)
  if (typeof d.name !== 'string' || !NAME.test(d.name)) refuse('its name', 'a to z, 0 to 9 and _, beginning with a letter, at most 40 characters', d.name)
  if (d.about !== undefined && typeof d.about !== 'string') refuse('about', 'a sentence', d.about)
  if (typeof d.initial !== 'function') refuse('initial', 'a function', d.initial)
  if (d.key !== 'device' && d.key !== 'series' && typeof d.key !== 'function') refuse('key', "'device', 'series' or a function", d.key)
  for (const name of ['reading', 'tick', 'document'] as const) if (d[name] !== undefined && typeof d[name] !== 'function') refuse(name, 'a function', d[name])
  const every = d.everyMs
  if (every !== undefined && !(typeof every === 'number' && every >= MINUTE_MS && every % MINUTE_MS === 0)) refuse('everyMs', 'a whole number of minutes, in ms', every)
  if ((d.tick === undefined) !== (every === undefined)) refuse('everyMs', 'given where tick is, and left out where it is not', every)
  const reads = d.reads as { devices?: unknown; metrics?: unknown } | undefined
  for (const names of [reads?.devices, reads?.metrics]) {
    if (names !== undefined && !(Array.isArray(names) && names.every((name) => typeof name === 'string'))) refuse('reads', 'lists of names', names)
  }
  const columns = (d.view as { columns?: unknown } | undefined)?.columns
  if (d.view === undefined) return
  if (typeof columns !== 'object' || columns === null || Object.keys(columns).length > COLUMNS_MAX) return refuse('view.columns', `at most ${COLUMNS_MAX} columns by name`, columns)
  for (const [name, type] of Object.entries(columns)) {
    if (!COLUMN.test(name) || OWN_COLUMNS.includes(name)) refuse('a column', `named by a to z, 0 to 9 and _, and not ${OWN_COLUMNS.join(', ')}`, name)
    if (!COLUMN_TYPES.includes(type as ColumnType)) refuse(`the type of ${name}`, `one of ${COLUMN_TYPES.join(', ')}`, type)
  }
}

function shown(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  try {
    return (JSON.stringify(value) ?? String(value)).slice(0, 80)
  } catch {
    return `a value of type ${typeof value}`
  }
}

/** Whether a list of names, of which some end in `*`, has this one; no list has all. */
export function matches(patterns: readonly string[] | undefined, name: string): boolean {
  return patterns === undefined || patterns.some((pattern) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern))
}
