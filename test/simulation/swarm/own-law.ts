/**
 * What must hold of own actors: each reading that a partition has admitted is told once, in the order of the commits that admit them; an actor's commits are
 * what one straight run over its log says; ticks come one after another; the newest document of each name was told; a plot is advised once a day.
 *
 * Owns the plainest computation of what is to be told: the rows of each commit's messages, less those that its fates name. Nothing here knows of places,
 * letters, feeds or snapshots.
 */

import assert from 'node:assert/strict'
import { dayAt, dayOf } from '../../../actors/farm/plot.ts'
import { factsOf, OwnActor } from '../../../actors/own/actor.ts'
import { decodeOwnInput } from '../../../actors/own/input.ts'
import { documentKey } from '../../../actors/own/documents.ts'
import { Steps } from '../../../actors/own/steps.ts'
import { decodeEffects } from '../../../actors/partition/effects.ts'
import type { PartitionEffects } from '../../../actors/partition/effects.ts'
import { decodeInput } from '../../../actors/reading/input.ts'
import type { LogMessage } from '../../../runtime/log.ts'
import { isOwn, OWN_FIRST, partitionOf } from '../../../runtime/topology.ts'
import type { HeardCommit } from './checks.ts'
import type { OwnName } from './options.ts'
import { nameOf, rowOf } from './oracle.ts'
import { ACTORS } from './own.ts'

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
/** Places of a commit, by which letters are numbered. */
const PLACES = 1_024
/** As many ticks come after an outage. */
const TICKS_MAX = 50

/** A row of an own actor, as a commit tells it and as the lake shows it. */
export interface OwnRow {
  readonly tenant: string
  readonly key: string
  readonly actor: string
  readonly at: number
  readonly number: number
  readonly body: string
}

export const ownRowName = ({ tenant, key, actor, at, number, body }: OwnRow): string => `${actor} ${number} ${tenant} ${key} ${at} ${body}`

export function ownRowsOf({ own, series }: PartitionEffects): OwnRow[] {
  return own.map(({ series: of, at, number, body }) => ({ tenant: series[of].tenant, key: series[of].device, actor: series[of].metric, at, number, body }))
}

export class OwnLaw {
  readonly #names: readonly OwnName[]
  readonly #inputOf: (partition: number) => readonly LogMessage[]
  /** Readings that are to be told, in order. */
  readonly #due: string[] = []
  /** Rows of each actor, in the order of its commits. */
  readonly #rows: OwnRow[][]
  readonly #commits: { readonly effects: PartitionEffects; readonly seq: number }[][]
  /** Commits that admit readings, by their sequences. */
  readonly #admitting: number[] = []
  /** How far the log of the first actor says that it was told. */
  #fedTo = 0
  /** Readings that the first actor has said. */
  #said = 0
  /** Greatest revision of each document that was told, by its key in the bucket. */
  readonly #documents = new Map<string, number>()

  constructor(names: readonly OwnName[], inputOf: (partition: number) => readonly LogMessage[]) {
    this.#names = names
    this.#inputOf = inputOf
    this.#rows = names.map(() => [])
    this.#commits = names.map(() => [])
  }

  /** To be told of each message of the log that is stored. */
  stored({ subject, data }: LogMessage): void {
    if (!subject.startsWith('own.')) return
    const input = decodeOwnInput(data)
    if (input.kind === 'readings' && partitionOf(subject) === OWN_FIRST) this.#fedTo = Math.max(this.#fedTo, input.upTo)
    if (input.kind !== 'document') return
    const key = documentKey(this.#names[partitionOf(subject) - OWN_FIRST], input.tenant, input.id)
    this.#documents.set(key, Math.max(this.#documents.get(key) ?? 0, input.revision))
  }

  /** To be told of each commit, in the order of RESULTS. */
  hear({ partition, before, seq: commit, position, effects }: HeardCommit): void {
    if (isOwn(partition)) {
      const rows = ownRowsOf(effects)
      const all = this.#rows[partition - OWN_FIRST]
      for (const row of rows) assert.equal(row.number, all.push(row), `number of the next row of ${row.actor}`)
      this.#commits[partition - OWN_FIRST].push({ effects, seq: position.seq })
      if (partition === OWN_FIRST) this.#hearSaid(rows)
      return
    }
    const fates = new Map(effects.fates.map((of) => [of.seq, new Set([...of.duplicate, ...of.expired, ...of.old])]))
    const messages = this.#inputOf(partition)
    const due = this.#due.length
    let at = messages.length
    while (at > 0 && messages[at - 1].seq > before) at--
    for (; at < messages.length && messages[at].seq <= position.seq; at++) {
      const { seq, data } = messages[at]
      const input = decodeInput(data)
      if (input.kind !== 'block') continue
      const passed = fates.get(seq)
      for (let i = 0; i < input.row.length; i++) if (!passed?.has(i)) this.#due.push(nameOf(rowOf(input, i)))
    }
    if (this.#due.length > due) this.#admitting.push(commit)
  }

  /** To be told of each entry of the readers: what a feed notes as told is in the actor's log (G1 of feed.ts). */
  noted(key: string, value: Uint8Array): void {
    if (key !== 'readers.own-echo') return
    const { covered } = JSON.parse(new TextDecoder().decode(value)) as { covered: Record<string, { resultsSeq: number }> }
    const upTo = Math.max(0, ...Object.values(covered).map(({ resultsSeq }) => resultsSeq))
    const last = this.#admitting.findLast((seq) => seq <= upTo)
    assert.ok(last === undefined || this.#fedTo >= last * PLACES, `the feed of echo notes that commit ${last} is told, and its log has those up to ${Math.floor(this.#fedTo / PLACES)}`)
  }

  #hearSaid(rows: readonly OwnRow[]): void {
    for (const { tenant, key, body } of rows) {
      const { device, metric, ts, value } = JSON.parse(body) as { device?: string; metric: string; ts: number; value: number }
      if (key !== 'all' || device === undefined) continue
      const said = nameOf({ tenant, device, metric, ts, value })
      assert.equal(said, this.#due[this.#said], `reading ${this.#said + 1} that echo was told`)
      this.#said++
    }
  }

  get rows(): string[] {
    return this.#rows.flat().map(ownRowName).sort()
  }

  /** Why all is not told yet, or null. */
  restless(documents: ReadonlyMap<string, number>): string | null {
    if (this.#said < this.#due.length) return `echo was told ${this.#said} of ${this.#due.length} readings; next is ${this.#due[this.#said]}`
    for (const [key, revision] of documents) if (this.#documents.get(key) !== revision) return `document ${key} of revision ${revision} was not told`
    return null
  }

  /** Throws where the commits of an actor are not those of one straight run over its log up to its last position. */
  async assertPure(name: OwnName): Promise<void> {
    const at = this.#names.indexOf(name)
    const commits = this.#commits[at]
    const last = commits.at(-1)!
    const messages = this.#inputOf(OWN_FIRST + at).filter(({ seq }) => seq <= last.seq)
    const steps = new Steps(ACTORS[name])
    const own = new OwnActor(factsOf(ACTORS[name], ''), { step: async (events) => events.map((event) => steps.step(event, false)) })
    const state = own.create()
    const effects = own.effects()
    const reader = { close: async () => {}, async *[Symbol.asyncIterator]() { yield* messages } }
    for await (const message of own.listening(reader)) own.step(state, message, effects)
    const straight = decodeEffects(own.encode(effects, state))
    assert.deepEqual(this.#rows[at].map(ownRowName), ownRowsOf(straight).map(ownRowName), `rows of ${name}`)
    const alerts = (of: PartitionEffects) => of.alerts.map(({ series, ...row }) => `${of.series[series].tenant} ${of.series[series].device} ${JSON.stringify(row)}`)
    assert.deepEqual(commits.flatMap(({ effects: of }) => alerts(of)), alerts(straight), `alerts of ${name}`)
    for (const total of ['accepted', 'logTimeMs'] as const) assert.equal(last.effects[total], straight[total], `${total} of ${name}`)
    assert.deepEqual(last.effects.ownView, straight.ownView, `the view of ${name}`)
    assert.equal(state.gaps, 0, `commits that ${name} was not told of`)
    assert.equal(state.malformed, 0, `messages that ${name} could not read`)
    if (name === 'echo') assert.equal(state.readings, this.#due.length, 'readings that echo counts')
    if (name === 'echo') this.#assertTicks(state.timeMs)
    else this.#assertAdvised(state.tickMs)
  }

  /** From the first one on each minute of the log's time has its tick, but those beyond an outage. */
  #assertTicks(nowMs: number): void {
    const last = new Map<string, number>()
    for (const { tenant, key, body } of this.#rows[0]) {
      const { tick } = JSON.parse(body) as { tick?: number }
      if (key !== 'all' || tick === undefined) continue
      const before = last.get(tenant)
      const isNext = before === undefined || tick === before + MINUTE_MS || tick >= before + TICKS_MAX * MINUTE_MS
      assert.ok(isNext, `a tick of ${new Date(tick).toISOString()} after that of ${new Date(before ?? 0).toISOString()}`)
      last.set(tenant, tick)
    }
    for (const tick of last.values()) assert.equal(tick, Math.floor(nowMs / MINUTE_MS) * MINUTE_MS, 'the last tick')
  }

  /** Each plot has a row of each day, in order, up to the one that had ended at the last tick. */
  #assertAdvised(tickMs: number): void {
    const last = new Map<string, number>()
    for (const { key, body } of this.#rows[1]) {
      const { day } = JSON.parse(body) as { day: string }
      const before = last.get(key)
      assert.ok(before === undefined || dayOf(day) === before + 1, `plot ${key} is advised for ${day} after day ${before}`)
      last.set(key, dayOf(day))
    }
    // A day ends an hour after its midnight, unless history is being told at that tick; then at a later one.
    for (const [key, day] of last) assert.ok(day >= dayAt({ offsets: [] }, tickMs - 2 * HOUR_MS) - 2, `plot ${key} is advised for day ${day} last, at ${new Date(tickMs).toISOString()}`)
  }

  /** Days that plots were advised for. */
  get advised(): number {
    return this.#rows[1]?.length ?? 0
  }
}
