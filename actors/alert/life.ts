/**
 * The life of the alerts of one rule at one series: one alert at a time, from its opening to its resolution, and back where it comes back soon.
 *
 * Owns the moves, and when a return is the same alert, and when it is flapping. Leaves whether anything is amiss to watch.ts, words to words.ts.
 *
 * - A1 Moves are those of `MOVES`; another one is a bug. What people ask for that is no move is passed over.
 * - A2 The severity of an alert is the greatest that it had since it was opened, or came back.
 * - A3 An alert that flaps says so once and stays open; it is resolved when nothing was amiss for the rule's time of flapping.
 * - A4 What a person has resolved stays so until nothing was amiss once.
 */

import { OPENINGS_MAX } from './rule.ts'
import type { Rule } from './rule.ts'
import type { Now } from './conditions.ts'

export const EVENTS = ['opened', 'escalated', 'acknowledged', 'resolved', 'reopened', 'flapping'] as const
export type AlertEvent = (typeof EVENTS)[number]

export const State = { none: 0, open: 1, acked: 2, resolved: 3 } as const
export type State = (typeof State)[keyof typeof State]

const MOVES: Readonly<Record<State, Partial<Record<AlertEvent, State>>>> = {
  [State.none]: { opened: State.open },
  [State.open]: { escalated: State.open, flapping: State.open, acknowledged: State.acked, resolved: State.resolved },
  // Who looks after a warning has not yet heard of what is critical.
  [State.acked]: { escalated: State.open, flapping: State.acked, resolved: State.resolved },
  [State.resolved]: { reopened: State.open, opened: State.open },
}

export type Tell = (event: AlertEvent) => void

/** Numbers of a life, its openings among them. */
export const LIFE_NUMBERS = 8 + OPENINGS_MAX

export class Life {
  state: State = State.none
  /** Index of the rule's level; −1 before the first. */
  level = -1
  /** Log time of the alert's first opening, epoch ms: a part of its name. */
  openedMs = NaN
  /** Events of the alert so far. */
  events = 0
  /** Log time when it was resolved. */
  resolvedAt = NaN
  flapping = false
  /** Whether a person has resolved it while something was amiss (A4). */
  held = false
  /** Activity clock since when nothing has been amiss, while it flaps. */
  calmSince = NaN
  /** Log time of the newest openings, newest first. */
  openings: number[] = []

  get isOpen(): boolean {
    return this.state === State.open || this.state === State.acked
  }

  /** Something is amiss, at `level`. */
  raise(rule: Rule, level: number, now: Now, tell: Tell): void {
    this.calmSince = NaN
    if (this.held) return
    if (this.isOpen) {
      if (level <= this.level) return
      this.level = level
      this.#move('escalated', tell)
      return
    }
    const isBack = this.state === State.resolved && now.logMs - this.resolvedAt <= rule.reopenMs
    this.level = level
    if (!isBack) {
      this.openedMs = now.logMs
      this.events = 0
    }
    this.#move(isBack ? 'reopened' : 'opened', tell)
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
    if (this.state === State.open) this.#move('acknowledged', tell)
  }

  /** A person, or the end of its rule, resolves it. */
  end(now: Now, tell: Tell): void {
    if (!this.isOpen) return
    this.held = true
    this.#resolve(now, tell)
  }

  /** When time alone resolves it, by the activity clock. */
  due(rule: Rule): number {
    return this.flapping && !Number.isNaN(this.calmSince) ? this.calmSince + rule.flapping.withinMs : Infinity
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
