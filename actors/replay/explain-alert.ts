/**
 * How an alert came about: its life as it was committed, and what the rule's conditions were at each step of it.
 *
 * The partition's log is told again from before the first event (runtime/replay.ts), and the rule's watch is looked at as each event is told, between two
 * rows of a block where need be. What is told must be what was committed, to the bit.
 */

import assert from 'node:assert/strict'
import { isOperating } from '../../runtime/errors.ts'
import type { LogMessage } from '../../runtime/log.ts'
import { Replay } from '../../runtime/replay.ts'
import { inputStream } from '../../runtime/topology.ts'
import { hourOf, ownOf, silenceOf, Truth, valueOf } from '../alert/conditions.ts'
import { truthOf } from '../alert/plan.ts'
import type { Plan } from '../alert/plan.ts'
import type { Leaf, Rule } from '../alert/rule.ts'
import { isWithin } from '../alert/schedule.ts'
import { partitionActor } from '../partition/actor.ts'
import type { PartitionState } from '../partition/actor.ts'
import type { AlertRow, SeriesName } from '../partition/effects.ts'
import type { RuleEntry, Watched } from '../partition/rules/book.ts'
import { decodeInput } from '../reading/input.ts'
import { findAlert, readingsUpTo } from './find-alert.ts'
import type { AlertEventFound, FoundAlert } from './find-alert.ts'
import type { PastReading } from './find.ts'
import type { Recorded } from './explain.ts'

export type Held = 'holds' | 'does not hold' | 'unknown'

/** A condition as it was at an event. */
export interface SeenLeaf {
  readonly leaf: Leaf
  readonly metric: string
  readonly held: Held
  /** Last value of its series; NaN before the first. */
  readonly value: number
  /** What it was held against, where that is no limit: a mean, what neighbours let expect, the ms of a silence, when a forecast crosses (epoch ms). */
  readonly against: number
  /** Of neighbours the mean of the hour that was compared. */
  readonly hour: number
  /** The message since which this has been so, and its time; null: since before the replay began. */
  readonly since: { readonly seq: number; readonly timeMs: number } | null
}

/** A step of severity as it was at an event. */
export interface SeenLevel {
  readonly severity: string
  readonly held: Held
  /** For how long it had held without a break, ms of the activity clock; null where it did not. */
  readonly heldMs: number | null
  readonly forMs: number
}

export interface Moment {
  readonly event: Omit<AlertRow, 'series'>
  /** What it followed from: a message of the input. */
  readonly message: { readonly seq: number; readonly timeMs: number; readonly what: string }
  readonly revision: number
  readonly leaves: readonly SeenLeaf[]
  readonly levels: readonly SeenLevel[]
  /** Whether the rule's schedule let it raise something then; null where it has none. */
  readonly scheduled: boolean | null
  /** Log times of the newest openings, newest first. */
  readonly openings: readonly number[]
  /** Whether the replay says of it what was committed. */
  readonly same: boolean
}

export interface AlertExplanation {
  readonly id: string
  readonly partition: number
  readonly stream: string
  readonly series: SeriesName
  readonly events: readonly AlertEventFound[]
  /** The rule as it was at the last of the moments; null where there is none. */
  readonly rule: Rule | null
  readonly moments: readonly Moment[]
  /** Readings of the series up to the first event of which there is a moment. */
  readonly readings: readonly PastReading[]
  readonly from: string | null
  readonly messages: number
  /** Why some event has no moment; null where each has. */
  readonly unreachable: string | null
}

/** Null where nothing is held of such an alert. */
export async function explainAlert(log: Recorded, id: string, last: number): Promise<AlertExplanation | null> {
  const found = await findAlert(log.connection.log, log.topology, id)
  if (found === null) return null
  const { partition, series, events } = found
  const about = { id, partition, stream: inputStream(log.topology, partition), series, events }
  const told = await tellAgain(log, found)
  const first = told.moments[0]?.message.seq ?? events[0].commit.to
  return { ...about, ...told, readings: await readingsUpTo(log.connection.log, log.topology, found, first, last) }
}

async function tellAgain(log: Recorded, { partition, series: name, events }: FoundAlert): Promise<Pick<AlertExplanation, 'rule' | 'moments' | 'from' | 'messages' | 'unreachable'>> {
  const open = (from: number | null) => Replay.open({ ...log, actor: partitionActor, partition, from, to: null })
  let unreachable: string | null = null
  try {
    const [{ after }] = events
    const replay = await (after === null ? open(null) : open(after + 1).catch((error) => {
      if (!isOperating(error)) throw error
      unreachable = error.message
      return open(null)
    }))
    assert(replay !== null, 'a partition with an alert has committed')
    const watcher = new Watcher(replay.start.state, name, events)
    const end = events.at(-1)!.commit
    if (end.created === replay.committed.created) await replay.through(end.to, () => watcher.effects(), (message) => watcher.follow(message))
    const { moments, rule } = watcher
    if (moments.length < events.length) unreachable ??= 'what came before is purged, or of a log that was made anew since'
    return { rule, moments, unreachable: moments.length < events.length ? unreachable : null, messages: replay.tally.messages, from: replay.start.snapshot === null ? 'the first message of the log' : `snapshot ${replay.start.snapshot}` }
  } catch (error) {
    if (!isOperating(error)) throw error
    return { rule: null, moments: [], from: null, messages: 0, unreachable: error.message }
  }
}

/** Looks over the partition's shoulder at one rule of one series. */
class Watcher {
  readonly moments: Moment[] = []
  rule: Rule | null = null
  readonly #name: SeriesName
  readonly #events: ReadonlyMap<number, AlertEventFound>
  readonly #id: string
  readonly #rule: string
  readonly #state: PartitionState
  #plan: Plan | null = null
  /** Of each condition what it is, and since which message; null: since before the beginning. */
  #since: { truth: number; at: SeenLeaf['since'] }[] = []
  /** Moments of the message at hand, which is not known before it was stepped. */
  #fresh: Omit<Moment, 'message'>[] = []

  constructor(state: PartitionState, name: SeriesName, events: readonly AlertEventFound[]) {
    this.#state = state
    this.#name = name
    this.#events = new Map(events.map((event) => [event.row.number, event]))
    this.#id = events[0].row.id
    this.#rule = events[0].row.rule
    this.#compare(null)
  }

  /** Effects that say at once when an event of the alert is told: a block goes on behind it. */
  effects(): ReturnType<typeof partitionActor.effects> {
    const effects = partitionActor.effects()
    const { alerts } = effects
    alerts.push = (...rows: AlertRow[]) => {
      for (const row of rows) if (row.id === this.#id) this.#look(row)
      return Array.prototype.push.apply(alerts, rows)
    }
    return effects
  }

  /** A message has been stepped. */
  follow(message: LogMessage): void {
    const at = { seq: message.seq, timeMs: message.timeMs }
    for (const moment of this.#fresh) this.moments.push({ ...moment, leaves: moment.leaves.map((leaf) => ({ ...leaf, since: leaf.since?.seq === NOW ? at : leaf.since })), message: { ...at, what: whatOf(message) } })
    this.#fresh = []
    this.#compare(at)
  }

  /** Finds out which conditions are otherwise than behind the message before. */
  #compare(at: SeenLeaf['since']): void {
    const watched = this.#watched()
    if (watched === null) return
    const { plan, numbers } = watched.watch
    if (plan !== this.#plan) this.#since = plan.leaves.map((leaf) => ({ truth: numbers[leaf.at], at }))
    this.#plan = plan
    for (const [i, leaf] of plan.leaves.entries()) if (numbers[leaf.at] !== this.#since[i].truth) this.#since[i] = { truth: numbers[leaf.at], at }
  }

  #watched(): Watched | null {
    const series = this.#state.find(this.#name.tenant, this.#name.device, this.#name.metric)
    return series === null ? null : (this.#entry()?.watches.get(series.device) ?? null)
  }

  #entry(): RuleEntry | undefined {
    return this.#state.rules.entries.get(`${this.#name.tenant}\n${this.#rule}`)
  }

  #look(row: AlertRow): void {
    const { series: _, ...event } = row
    const watched = this.#watched()
    const committed = this.#events.get(row.number)?.row
    const same = committed !== undefined && (Object.keys(event) as (keyof typeof event)[]).every((key) => Object.is(event[key], committed[key]))
    const none = { event, same, revision: this.#entry()?.revision ?? 0, leaves: [], levels: [], scheduled: null, openings: [] }
    // The rule was taken back, or is no longer about the series: nothing is watched.
    if (watched === null) return void this.#fresh.push(none)
    const { plan, numbers, since, life } = watched.watch
    this.rule = plan.rule
    const { time } = this.#state
    const isKnown = plan === this.#plan
    const leaves = plan.leaves.map(({ leaf, metric, at }, i): SeenLeaf => {
      const truth = numbers[at]
      const isSince = isKnown && this.#since[i].truth === truth
      const against = leaf.is === 'silent' ? silenceOf(leaf, numbers, at) : ['deviates', 'apart', 'forecast'].includes(leaf.is) ? ownOf(numbers, at) : NaN
      return { leaf, metric, held: heldOf(truth), value: valueOf(numbers, at), against, hour: leaf.is === 'apart' ? hourOf(numbers, at) : NaN, since: isSince ? this.#since[i].at : { seq: NOW, timeMs: NOW } }
    })
    const levels = plan.rule.levels.map(({ severity, forMs }, l): SeenLevel => ({ severity, held: heldOf(truthOf(plan.trees[l], plan.leaves, numbers)), heldMs: Number.isNaN(since[l]) ? null : time.activityMs - since[l], forMs }))
    this.#fresh.push({ ...none, leaves, levels, scheduled: plan.rule.schedule === null ? null : isWithin(plan.rule.schedule, time.logMs), openings: [...life.openings] })
  }
}

/** In place of the sequence of the message at hand. */
const NOW = -1

const heldOf = (truth: number): Held => (truth === Truth.yes ? 'holds' : truth === Truth.no ? 'does not hold' : 'unknown')

function whatOf({ data }: LogMessage): string {
  try {
    const input = decodeInput(data)
    switch (input.kind) {
      case 'block':
        return `a block of ${input.row.length} ${input.row.length === 1 ? 'reading' : 'readings'}`
      case 'tick':
        return 'a tick: time had passed'
      case 'action':
        return `what a person asked for: ${input.action}`
      case 'rule':
        return input.body === null ? 'the end of a rule' : 'a rule that came or changed'
      case 'courses':
        return 'what kinds did in an hour'
      default:
        return `a message of kind ${input.kind}`
    }
  } catch {
    return 'a message that nobody can read'
  }
}
