/**
 * One rule at one series: what its conditions remember, since when its steps hold, and the alert that comes of it.
 *
 * Owns the order of things at each look. Leaves conditions to conditions.ts, moves to life.ts, words to words.ts, and who calls when to its owner:
 * the partition's book of rules, or a trial on history.
 *
 * - W1 A look changes nothing where nothing has changed: it may come as often as one likes.
 * - W2 Outside its schedule a rule raises nothing; what is open is resolved all the same.
 */

import * as conditions from './conditions.ts'
import { Truth } from './conditions.ts'
import type { Now, Seen } from './conditions.ts'
import { Life, LIFE_NUMBERS } from './life.ts'
import type { AlertEvent } from './life.ts'
import { truthOf } from './plan.ts'
import type { Plan } from './plan.ts'
import { isWithin, toNextMinute } from './schedule.ts'

/** What a watch says: words and names are its owner's affair. */
export type WatchTell = (watch: Watch, event: AlertEvent) => void

export class Watch {
  readonly plan: Plan
  readonly life = new Life()
  /** Numbers of the conditions. */
  readonly numbers: Float64Array
  /** Activity clock since when each level has held; NaN while it does not. */
  readonly since: Float64Array
  /** Last value of the rule's own metric. */
  value = NaN

  constructor(plan: Plan) {
    this.plan = plan
    this.numbers = new Float64Array(plan.room)
    this.since = new Float64Array(plan.trees.length).fill(NaN)
    for (const { leaf, at } of plan.leaves) conditions.begin(leaf, this.numbers, at)
  }

  /** The series was there before the rule. */
  watchFrom(now: Now): void {
    for (const { leaf, at } of this.plan.leaves) conditions.watchFrom(leaf, this.numbers, at, now)
  }

  hear(metric: string, now: Now): void {
    for (const { leaf, metric: of, at } of this.plan.leaves) if (of === metric) conditions.hear(leaf, this.numbers, at, now)
  }

  see(metric: string, seen: Seen, now: Now): void {
    if (metric === this.plan.rule.metric) this.value = seen.value
    for (const { leaf, metric: of, at } of this.plan.leaves) if (of === metric) conditions.see(leaf, this.numbers, at, seen, now)
  }

  seeAnomaly(metric: string, score: number, now: Now): void {
    for (const { leaf, metric: of, at } of this.plan.leaves) if (of === metric) conditions.seeAnomaly(leaf, this.numbers, at, score, now)
  }

  seeWindow(metric: string, size: number, mean: number): void {
    for (const { leaf, metric: of, at } of this.plan.leaves) if (of === metric) conditions.seeWindow(leaf, this.numbers, at, size, mean)
  }

  /** False where it is about no neighbours: then there is nothing to look at. */
  seeNeighbours(metric: string, mean: number, expected: number): boolean {
    let heard = false
    for (const { leaf, metric: of, at } of this.plan.leaves) {
      if (of !== metric || leaf.is !== 'apart') continue
      conditions.seeNeighbours(leaf, this.numbers, at, mean, expected)
      heard = true
    }
    return heard
  }

  seeForecast(metric: string, madeAt: number, mean: ArrayLike<number>, steps: number): void {
    for (const { leaf, metric: of, at } of this.plan.leaves) if (of === metric) conditions.seeForecast(leaf, this.numbers, at, madeAt, mean, steps)
  }

  /** Looks at what holds now, and says what comes of it. */
  look(now: Now, tell: WatchTell): void {
    const { rule, leaves, trees } = this.plan
    const { life, numbers, since } = this
    for (const { leaf, at } of leaves) conditions.passTime(leaf, numbers, at, now)
    let reached = -1
    let isAmiss = false
    let isCalm = true
    for (let l = 0; l < trees.length; l++) {
      const truth = truthOf(trees[l], leaves, numbers)
      if (truth !== Truth.no) isCalm = false
      if (truth !== Truth.yes) {
        since[l] = NaN
        continue
      }
      isAmiss = true
      if (Number.isNaN(since[l])) since[l] = now.activityMs
      if (now.activityMs - since[l] >= rule.levels[l].forMs) reached = l
    }
    const say = (event: AlertEvent) => tell(this, event)
    life.passTime(now, say)
    if (reached >= 0 && (rule.schedule === null || isWithin(rule.schedule, now.logMs))) life.raise(rule, reached, now, say)
    else if (isCalm) life.calm(rule, now, say)
    else if (isAmiss) life.calmSince = NaN
    if (rule.eases === true && reached >= 0 && trees.slice(reached + 1).every((tree) => truthOf(tree, leaves, numbers) === Truth.no)) life.ease(reached, say)
  }

  /** When time alone may change something, by the activity clock; Infinity for never. */
  due(now: Now): number {
    const { rule, leaves } = this.plan
    const { life, numbers, since } = this
    let due = life.due(rule, now)
    for (const { leaf, at } of leaves) due = Math.min(due, conditions.dueOf(leaf, numbers, at))
    for (const [l, { forMs }] of rule.levels.entries()) {
      if (Number.isNaN(since[l]) || life.held || (life.isOpen && life.level >= l)) continue
      // One that has held for long enough and was not told waits for its schedule.
      const told = since[l] + forMs
      due = Math.min(due, told > now.activityMs ? told : now.activityMs + toNextMinute(now.logMs))
    }
    return due
  }

  /** Goes on with the alert of the same rule's former revision. */
  inherit(former: Watch): void {
    this.life.restore(former.life.numbers())
    this.life.shelvedUntil = former.life.shelvedUntil
    this.life.level = Math.min(this.life.level, this.plan.rule.levels.length - 1)
    this.value = former.value
  }

  /** All of it as numbers; of one that is shelved one more, at the end. */
  state(): Float64Array {
    const { shelvedUntil } = this.life
    return Float64Array.from([this.value, ...this.life.numbers(), ...this.since, ...this.numbers, ...(Number.isNaN(shelvedUntil) ? [] : [shelvedUntil])])
  }

  restore(state: Float64Array): void {
    const at = 1 + LIFE_NUMBERS
    const end = at + this.since.length + this.numbers.length
    if (state.length !== end && state.length !== end + 1) throw new RangeError('Cannot read a snapshot as what a rule remembers must be whole')
    this.value = state[0]
    this.life.restore(state.subarray(1, at))
    this.since.set(state.subarray(at, at + this.since.length))
    this.numbers.set(state.subarray(at + this.since.length, end))
    if (state.length > end) this.life.shelvedUntil = state[end]
  }
}
