/**
 * The life of the alerts of one rule at one series: one alert at a time, from its opening to its resolution, and back where it comes back soon.
 *
 * Owns the moves, and when a return is the same alert, and when it is flapping. Leaves whether anything is amiss to watch.ts, words to words.ts.
 *
 * - A1 Moves are those of `MOVES`; another one is a bug. What people ask for that is no move is passed over.
 * - A2 The severity of an alert is the greatest that it had since it was opened, or came back; that of a rule which eases falls with what holds.
 * - A3 An alert that flaps says so once and stays open; it is resolved when nothing was amiss for the rule's time of flapping.
 * - A4 What a person has resolved stays so until nothing was amiss once.
 * - A5 What a person has shelved stays so until the log's time that was named: also where it passes and comes back meanwhile, as the same alert then.
 *   What grows worse is shelved no more.
 */

import { OPENINGS_MAX } from './rule.ts'
import type { Rule } from './rule.ts'
import type { Now } from './conditions.ts'

export const EVENTS = ['opened', 'escalated', 'acknowledged', 'resolved', 'reopened', 'flapping', 'shelved', 'unshelved', 'eased'] as const
export type AlertEvent = (typeof EVENTS)[number]

export const State = { none: 0, open: 1, acked: 2, resolved: 3, shelved: 4 } as const
export type State = (typeof State)[keyof typeof State]

const MOVES: Readonly<Record<State, Partial<Record<AlertEvent, State>>>> = {
  [State.none]: { opened: State.open },
  [State.open]: { escalated: State.open, eased: State.open, flapping: State.open, acknowledged: State.acked, shelved: State.shelved, resolved: State.resolved },
  // Who looks after a warning has not yet heard of what is critical.
  [State.acked]: { escalated: State.open, eased: State.acked, flapping: State.acked, shelved: State.shelved, resolved: State.resolved },
  [State.resolved]: { reopened: State.open, opened: State.open },
  [State.shelved]: { escalated: State.open, eased: State.shelved, flapping: State.shelved, acknowledged: State.acked, shelved: State.shelved, unshelved: State.open, resolved: State.resolved },
}

export type Tell = (event: AlertEvent) => void

/** The longest that an alert may be shelved. */
export const SHELF_MAX_MS = 30 * 24 * 3_600_000

/** Numbers of a life, its openings among them; until when it is shelved is kept beside them. */
export const LIFE_NUMBERS = 8 + OPENINGS_MAX

export class Life {
  state: State = State.none
  /** Index of the rule's level; −1 before the first. */
  level = -1
  /** Log time of the alert's first opening, epoch ms: a part of its name. */
  openedMs = NaN
  /** Events of the alert so far. */
  events = 0
  /** No alert of this life is named by an earlier opening: those before are names of others (K5 of rules/book.ts). Kept by who knows of those. */
  notBefore = -Infinity
  /** Log time when it was resolved. */
  resolvedAt = NaN
  flapping = false
  /** Whether a person has resolved it while something was amiss (A4). */
  held = false
  /** Activity clock since when nothing has been amiss, while it flaps. */
  calmSince = NaN
  /** Log time of the newest openings, newest first. */
  openings: number[] = []
  /** Log time until which it is shelved; NaN where it is not. */
  shelvedUntil = NaN

  get isOpen(): boolean {
    return this.state === State.open || this.state === State.acked || this.state === State.shelved
  }

  /** Something is amiss, at `level`. */
  raise(rule: Rule, level: number, now: Now, tell: Tell): void {
    this.calmSince = NaN
    if (this.held) return
    if (this.isOpen) {
      if (level <= this.level) return
      this.level = level
      this.shelvedUntil = NaN
      this.#move('escalated', tell)
      return
    }
    const isShelved = this.state === State.resolved && now.logMs < this.shelvedUntil
    const isBack = isShelved || (this.state === State.resolved && now.logMs - this.resolvedAt <= rule.reopenMs)
    if (!isShelved || level > this.level) this.shelvedUntil = NaN
    this.level = level
    if (!isBack) {
      this.openedMs = Math.max(now.logMs, this.notBefore)
      this.events = 0
    }
    this.#move(isBack ? 'reopened' : 'opened', tell)
    if (!Number.isNaN(this.shelvedUntil)) this.#move('shelved', tell)
    this.openings = [now.logMs, ...this.openings].slice(0, OPENINGS_MAX)
    const recent = this.openings.filter((at) => now.logMs - at <= rule.flapping.withinMs).length
    if (recent < rule.flapping.count) return
    this.flapping = true
    this.#move('flapping', tell)
  }

  /** Nothing is amiss. */
  calm(rule: Rule, now: Now, tell: Tell): void {
    this.held = false
    if (!this.isOpen) return
    if (this.flapping) {
      if (Number.isNaN(this.calmSince)) this.calmSince = now.activityMs
      if (now.activityMs - this.calmSince < rule.flapping.withinMs) return
    }
    this.#resolve(now, tell)
  }

  /** A person looks after it. */
  acknowledge(tell: Tell): void {
    if (this.state !== State.open && this.state !== State.shelved) return
    this.shelvedUntil = NaN
    this.#move('acknowledged', tell)
  }

  /** A person puts it aside until a time of the log. */
  shelve(untilMs: number, now: Now, tell: Tell): void {
    if (!this.isOpen || !(untilMs > now.logMs)) return
    this.shelvedUntil = Math.min(untilMs, now.logMs + SHELF_MAX_MS)
    this.#move('shelved', tell)
  }

  /** A person takes it up again. */
  unshelve(tell: Tell): void {
    this.shelvedUntil = NaN
    if (this.state === State.shelved) this.#move('unshelved', tell)
  }

  /** Time has passed. */
  passTime(now: Now, tell: Tell): void {
    if (now.logMs >= this.shelvedUntil) this.unshelve(tell)
  }

  /** What holds is of a lower level, and nothing above it. */
  ease(level: number, tell: Tell): void {
    if (!this.isOpen || this.flapping || level >= this.level) return
    this.level = level
    this.#move('eased', tell)
  }

  /** A person, or the end of its rule, resolves it. */
  end(now: Now, tell: Tell): void {
    if (!this.isOpen) return
    this.held = true
    this.shelvedUntil = NaN
    this.#resolve(now, tell)
  }

  /** When time alone changes it, by the activity clock. A calm that is over and did not resolve it waits until it is known whether all is well. */
  due(rule: Rule, now: Now): number {
    const calm = this.flapping && now.activityMs - this.calmSince < rule.flapping.withinMs ? this.calmSince + rule.flapping.withinMs : Infinity
    // The log's time goes at least as fast as the clock of activity.
    return this.state === State.shelved ? Math.min(calm, now.activityMs + Math.max(0, this.shelvedUntil - now.logMs)) : calm
  }

  #resolve(now: Now, tell: Tell): void {
    if (this.flapping) this.openings = []
    this.flapping = false
    this.calmSince = NaN
    this.resolvedAt = now.logMs
    this.#move('resolved', tell)
  }

  #move(event: AlertEvent, tell: Tell): void {
    const next = MOVES[this.state][event]
    if (next === undefined) throw new Error(`Cannot move an alert by ${event} as there is no such move from its state: current value is ${this.state}`)
    this.state = next
    this.events++
    tell(event)
  }

  numbers(): number[] {
    const openings = Array.from({ length: OPENINGS_MAX }, (_, i) => this.openings[i] ?? NaN)
    return [this.state, this.level, this.openedMs, this.events, this.resolvedAt, this.flapping ? 1 : 0, this.held ? 1 : 0, this.calmSince, ...openings]
  }

  restore(numbers: ArrayLike<number>): void {
    const [state, level, openedMs, events, resolvedAt, flapping, held, calmSince, ...openings] = Array.from(numbers)
    this.shelvedUntil = NaN
    if (MOVES[state as State] === undefined || openings.length !== OPENINGS_MAX) throw new RangeError('Cannot read a snapshot as each alert must be in one of its states')
    this.state = state as State
    this.level = level
    this.openedMs = openedMs
    this.events = events
    this.resolvedAt = resolvedAt
    this.flapping = flapping === 1
    this.held = held === 1
    this.calmSince = calmSince
    this.openings = openings.filter((at) => !Number.isNaN(at))
  }
}
