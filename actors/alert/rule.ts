/**
 * A rule as partitions follow it: what was written (document.ts), with defaults filled in, durations in ms and the changes of its zone's clocks.
 *
 * Owns the form that travels in the log and stands in snapshots, and the check that bytes of it are whole. Leaves what people write to
 * document.ts, how conditions move to conditions.ts.
 *
 * - R1 A rule holds all that it depends on: no time-zone database, and no default of a program's version, is asked when it is followed.
 */

import { told } from '../../runtime/codec.ts'
import { WINDOW_SIZES_MS } from '../reading/window.ts'

/** What some conditions say of a series; `metric` names another one of the same device, left out it is the rule's own. */
export type Leaf = { readonly metric?: string } & (
  | { readonly is: 'above' | 'below'; readonly limit: number; readonly clear: number }
  | { readonly is: 'rises' | 'falls'; readonly by: number; readonly withinMs: number }
  | { readonly is: 'anomaly'; readonly score: number; readonly holdMs: number }
  /** Null: learned from its own rhythm. */
  | { readonly is: 'silent'; readonly afterMs: number | null }
  /** From the mean of the last closed window of a size (its index), by so much or so many percent; `side` 1 above, −1 below, 0 either. */
  | { readonly is: 'deviates'; readonly by: number; readonly percent: boolean; readonly size: number; readonly side: number }
  /** In the last hour that its kind told of, from what the others' hour and its own days let expect. */
  | { readonly is: 'apart'; readonly by: number; readonly percent: boolean; readonly side: number }
  | { readonly is: 'forecast'; readonly falls: boolean; readonly limit: number; readonly withinMs: number }
)

export interface All {
  readonly is: 'all'
  readonly of: readonly Condition[]
}
export interface Any {
  readonly is: 'any'
  readonly of: readonly Condition[]
}
export interface Not {
  readonly is: 'not'
  readonly of: Condition
}
export type Condition = Leaf | All | Any | Not

/** A step of severity: of several that hold the last one counts. */
export interface Level {
  readonly severity: string
  readonly when: Condition
  /** How long it must have held without a break. */
  readonly forMs: number
  readonly message: string | null
}

/** When a rule may raise something: what is open already resolves at any time. */
export interface Schedule {
  readonly zone: string
  /** Bit 0 is Monday. The time from 22:00 to 06:00 belongs to the day that it begins in. */
  readonly days: number
  /** Minutes of the local day; equal: all day. */
  readonly fromMinute: number
  readonly toMinute: number
  /** From epoch ms on, UTC + ms, by turns; the first holds before it, too. */
  readonly offsets: readonly number[]
}

export interface Rule {
  readonly name: string
  /** Devices exactly, or those that begin so, or (both null) all of them. */
  readonly devices: readonly string[] | null
  readonly prefix: string | null
  readonly metric: string
  readonly levels: readonly Level[]
  readonly schedule: Schedule | null
  /** So many openings within that time are flapping. */
  readonly flapping: { readonly count: number; readonly withinMs: number }
  /** Whether severity falls with what holds; left out: it does not. */
  readonly eases?: boolean
  /** An alert that comes back within this is the same one. */
  readonly reopenMs: number
  readonly labels: Readonly<Record<string, string>>
  /** Of what is resolved; null: that of the language. */
  readonly resolvedMessage: string | null
}

export const LEVELS_MAX = 4
export const LEAVES_MAX = 32
export const DEPTH_MAX = 8
export const OPENINGS_MAX = 10

/** Whether a rule is about that device. */
export function selects({ devices, prefix }: Pick<Rule, 'devices' | 'prefix'>, device: string): boolean {
  if (devices !== null) return devices.includes(device)
  return prefix === null || device.startsWith(prefix)
}

const isNumber = (n: unknown): n is number => typeof n === 'number' && Number.isFinite(n)
const isMs = (n: unknown) => isNumber(n) && n >= 0
const isText = (t: unknown): t is string => typeof t === 'string'
const isMaybe = (t: unknown) => t === null || isText(t)

/** The rule in a text of the log. Throws `RangeError` on what is none. */
export function decodeRule(text: string): Rule {
  let rule: Rule
  try {
    rule = JSON.parse(text) as Rule
  } catch {
    throw new RangeError(`Cannot read a rule as it must be JSON: current value is ${told(text)}`)
  }
  if (!isRule(rule)) throw new RangeError('Cannot read a rule as all of its parts must be there')
  return rule
}

function isRule(rule: Rule | null): boolean {
  if (typeof rule !== 'object' || rule === null) return false
  const { devices, flapping, labels, levels, schedule } = rule
  const named = isText(rule.name) && isText(rule.metric) && isMaybe(rule.prefix) && isMaybe(rule.resolvedMessage) && (devices === null || (Array.isArray(devices) && devices.every(isText)))
  const listed = typeof labels === 'object' && labels !== null && Object.values(labels).every(isText) && Array.isArray(levels) && levels.length >= 1 && levels.length <= LEVELS_MAX
  const counted = isMs(rule.reopenMs) && (rule.eases === undefined || typeof rule.eases === 'boolean') && typeof flapping === 'object' && flapping !== null && isMs(flapping.withinMs) && Number.isInteger(flapping.count) && flapping.count >= 2 && flapping.count <= OPENINGS_MAX
  if (!named || !listed || !counted || !isSchedule(schedule)) return false
  const left = { leaves: LEAVES_MAX }
  return levels.every((level) => typeof level === 'object' && level !== null && isText(level.severity) && isMs(level.forMs) && isMaybe(level.message) && isCondition(level.when, DEPTH_MAX, left))
}

function isSchedule(schedule: Schedule | null): boolean {
  if (schedule === null) return true
  if (typeof schedule !== 'object') return false
  const { zone, days, fromMinute, toMinute, offsets } = schedule
  return isText(zone) && [days, fromMinute, toMinute].every((n) => Number.isInteger(n) && n >= 0) && Array.isArray(offsets) && offsets.length >= 2 && offsets.length % 2 === 0 && offsets.every(isNumber)
}

function isCondition(condition: Condition | null, depth: number, left: { leaves: number }): boolean {
  if (typeof condition !== 'object' || condition === null || depth === 0) return false
  if (condition.is === 'all' || condition.is === 'any') return Array.isArray(condition.of) && condition.of.length > 0 && condition.of.every((part) => isCondition(part, depth - 1, left))
  if (condition.is === 'not') return isCondition(condition.of, depth - 1, left)
  if (left.leaves-- === 0 || (condition.metric !== undefined && !isText(condition.metric))) return false
  switch (condition.is) {
    case 'above':
    case 'below':
      return isNumber(condition.limit) && isNumber(condition.clear)
    case 'rises':
    case 'falls':
      return isNumber(condition.by) && isMs(condition.withinMs) && condition.withinMs >= 1_000
    case 'anomaly':
      return isNumber(condition.score) && isMs(condition.holdMs)
    case 'silent':
      return condition.afterMs === null || isMs(condition.afterMs)
    case 'deviates':
      return isNumber(condition.by) && typeof condition.percent === 'boolean' && WINDOW_SIZES_MS[condition.size] !== undefined && [1, -1, 0].includes(condition.side)
    case 'apart':
      return isNumber(condition.by) && typeof condition.percent === 'boolean' && [1, -1, 0].includes(condition.side)
    case 'forecast':
      return typeof condition.falls === 'boolean' && isNumber(condition.limit) && isMs(condition.withinMs)
    default:
      return false
  }
}
