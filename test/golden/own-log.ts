/**
 * Logs of own actors, kept as what makes them: what a feed tells, some of it twice; documents, of which one is older than the last; people who answer alerts; time that goes back;
 * bytes that nobody can read.
 */

import farm from '../../actors/farm/actor.ts'
import { defineActor } from '../../actors/own/contract.ts'
import type { AnyActor } from '../../actors/own/contract.ts'
import { encodeOwnAction, encodeOwnCode, encodeOwnDocument, encodeOwnReadings, encodeOwnTick } from '../../actors/own/input.ts'
import type { OwnPiece } from '../../actors/own/input.ts'
import { encodePlain } from '../../actors/own/plain.ts'
import { tryActor } from '../../actors/own/testing.ts'
import { plotDocuments, PlotsFarm } from '../../actors/simulation/plots.ts'
import type { InputMessage } from '../../runtime/actor.ts'
import { seeded } from '../support/random.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const START = Date.UTC(2026, 3, 1)
/** Places of a commit. */
const PLACES = 1_024

/** Keys across devices, states of odd numbers and texts, alerts that escalate, and limits that are documents. */
const limits = defineActor({
  name: 'limits',
  reads: { metrics: ['level', 'flow*'] },
  key: ({ device, metric }, documents) => (metric === 'level' ? [device, ...documents.filter(({ id }) => device.startsWith(id)).map(({ id }) => id)] : null),
  initial: (key) => ({ n: 0, least: Infinity, last: NaN, names: [key, 'Süd – 7'], limit: null as number | null }),
  reading(state, { device, ts, value }, out, key) {
    state.n++
    state.least = Math.min(state.least, value)
    state.last = value
    if (key !== device) return state.limit !== null && value > state.limit ? out.row({ device, over: value - state.limit, at_ms: ts }) : undefined
    if (value > 80) out.alert({ name: 'high', severity: value > 95 ? 'critical' : 'warning', message: `${device} stands at ${value}`, value })
    else if (value < 60) out.resolve('high')
  },
  everyMs: 10 * MINUTE,
  tick(state, { time }, out) {
    out.row({ n: state.n, least: state.least, is_new: state.n === 0 }, time)
    state.n = 0
  },
  document(state, body, out, key) {
    state.limit = body === null ? null : (body as { limit: number }).limit
    out.row({ device: key, over: state.limit })
  },
  view: { columns: { device: 'VARCHAR', over: 'DOUBLE', at_ms: 'TIMESTAMP', n: 'BIGINT', least: 'DOUBLE', is_new: 'BOOLEAN' } },
})

class Log {
  readonly messages: InputMessage[] = []
  #told = 0
  #commits = 0
  #letters: Uint8Array[] = []

  put(timeMs: number, data: Uint8Array): void {
    this.messages.push({ seq: (this.messages.at(-1)?.seq ?? 0) + 1 + (this.messages.length % 3), timeMs, data })
  }

  code(actor: AnyActor, timeMs: number, code: string): void {
    const columns = Object.entries(actor.view!.columns) as [string, string][]
    this.put(timeMs, encodeOwnCode({ code, everyMs: actor.everyMs ?? null, columns }))
  }

  /** Readings of so many commits in one message. */
  tell(timeMs: number, commits: readonly (readonly Omit<OwnPiece, 'seq'>[])[]): void {
    const pieces = commits.flatMap((of) => {
      this.#commits += 2
      return of.map((piece, i) => ({ ...piece, seq: this.#commits * PLACES + i }))
    })
    const after = this.#told
    this.#told = this.#commits * PLACES + PLACES - 1
    const letter = encodeOwnReadings({ created: 'golden', after, upTo: this.#told, pieces })
    this.#letters.push(letter)
    this.put(timeMs, letter)
  }

  /** A feed that died tells the last messages again. */
  again(timeMs: number, count: number): void {
    for (const letter of this.#letters.slice(-count)) this.put(timeMs, letter)
  }
}

function farmLog(): InputMessage[] {
  const log = new Log()
  log.code(farm, START, 'farm-1')
  const planted = START / DAY - 40
  const documents = Object.entries(plotDocuments(planted))
  for (const [at, [id, body]] of documents.entries()) log.put(START + at, encodeOwnDocument({ tenant: at === 2 ? 'other' : 'default', id, revision: at + 1, body: encodePlain(body) }))
  log.put(START + 9, encodeOwnDocument({ tenant: 'default', id: 'bad', revision: 9, body: encodePlain({ name: 'Bad' }) }))
  const plots = new PlotsFarm(7, planted)
  plots.hours(START, START)
  for (let hour = 3; hour <= 24 * 24; hour += 3) {
    const nowMs = START + hour * HOUR
    const rows = plots.hours(nowMs - 3 * HOUR, nowMs).map(({ device, metric, ts, value }) => [device, metric, ts, value] as const)
    log.tell(nowMs + 500, ['default', 'other'].map((tenant) => [{ tenant, receivedAt: nowMs, rows }]))
    if (hour % 27 === 0) log.again(nowMs + 700, 2)
    if (hour % 60 === 0) log.put(nowMs - 5_000, encodeOwnTick())
    if (hour === 240) log.put(nowMs, encodeOwnDocument({ tenant: 'default', id: 'north', revision: 20, body: encodePlain({ ...documents[0][1], name: 'North again', soil: 'sand' }) }))
    if (hour === 270) log.put(nowMs, encodeOwnDocument({ tenant: 'default', id: 'north', revision: 19, body: null }))
    if (hour === 480) log.put(nowMs, encodeOwnDocument({ tenant: 'default', id: 'south', revision: 21, body: null }))
    if (hour === 300) log.put(nowMs, Uint8Array.of(0xc1))
  }
  log.put(START + 27 * DAY, encodeOwnTick())
  return log.messages
}

function limitsLog(): InputMessage[] {
  const log = new Log()
  const random = seeded(5)
  // What people answer are alerts that there are: a trial says which.
  const trial = tryActor(limits)
  log.code(limits, START, 'limits-1')
  for (let i = 0; i < 420; i++) {
    const nowMs = START + i * 20_000 - (i % 50 === 49 ? 90_000 : 0)
    const rows = Array.from({ length: 1 + Math.floor(random() * 5) }, () => {
      const metric = random() < 0.8 ? 'level' : random() < 0.5 ? 'flow-1' : 'other'
      return [`tank-${Math.floor(random() * 4)}`, metric, nowMs - Math.floor(random() * 4_000), Math.round(random() * 1_000) / 10] as const
    })
    log.tell(nowMs, [[{ tenant: i % 7 === 6 ? 'other' : 'default', receivedAt: nowMs, rows }], []])
    trial.give(rows.map(([device, metric, ts, value]) => ({ device, metric, ts, value, tenant: i % 7 === 6 ? 'other' : 'default' })), { at: nowMs })
    if (i % 40 === 3) {
      const body = i % 80 === 43 ? null : { limit: 40 + (i % 30) }
      log.put(nowMs + 1, encodeOwnDocument({ tenant: 'default', id: `tank-${(i / 40) & 1}`, revision: i + 1, body: encodePlain(body) === 'null' ? null : encodePlain(body) }))
    }
    const last = trial.alerts().at(-1)
    const action = (['ack', 'shelve', 'resolve', 'unshelve'] as const)[i % 4]
    if (last !== undefined && i % 5 === 2) log.put(nowMs + 2, encodeOwnAction({ alert: last.id, action, by: 'ann', note: i % 2 === 0 ? '' : 'on my way', ...(action === 'shelve' ? { until: nowMs + 3 * MINUTE } : {}) }))
    if (i % 33 === 32) log.again(nowMs + 3, 3)
    if (i === 200) log.code(limits, nowMs + 4, 'limits-2')
  }
  log.put(START + DAY, encodeOwnTick())
  return log.messages
}

/**
 * By name: the actor, and what makes its log. The farm's weather takes sines and exponentials, whose last bits are the engine's own: those of Node and of Deno differ, and an own
 * actor's code is another one on the other engine (`code` of sandbox.ts).
 */
export const OWN_LOGS: Readonly<Record<string, { readonly actor: AnyActor; readonly make: () => InputMessage[]; readonly onAnyEngine: boolean }>> = {
  farm: { actor: farm, make: farmLog, onAnyEngine: false },
  limits: { actor: limits, make: limitsLog, onAnyEngine: true },
}
