/** What a process of a stranger's code says to a step, looked at part by part: it is believed in nothing but what it says of its own states. */

import { ALERT, COLUMNS_MAX, ROWS_OF_A_STEP_MAX, SEVERITIES, STATE_BYTES_MAX, TEXT_CHARS_MAX } from './contract.ts'
import type { Severity } from './contract.ts'
import { ActorFault } from './steps.ts'
import type { StepAnswer } from './steps.ts'

const NAME_CHARS_MAX = 400
const BODY_CHARS_MAX = COLUMNS_MAX * (TEXT_CHARS_MAX * 6 + 128)
/** Rows of one event: each of its calls may give some. */
const ROWS_MAX = 100 * ROWS_OF_A_STEP_MAX

const isText = (value: unknown, max: number): value is string => typeof value === 'string' && value.length <= max
const isName = (value: unknown): boolean => isText(value, NAME_CHARS_MAX) && /^[^\n]+\n[^\n]+$/.test(value)
const isTime = (value: unknown): boolean => Number.isSafeInteger(value) && Math.abs(value as number) <= 8.64e15
const isTuple = (value: unknown, length: number): value is unknown[] => Array.isArray(value) && value.length === length

/** The answers to so many events. Throws `ActorFault` where they are none. */
export function answersIn(said: unknown, events: number): readonly StepAnswer[] {
  const refuse = (what: string): never => {
    throw new ActorFault(`Cannot use what the process of this actor says as ${what}`)
  }
  if (!Array.isArray(said) || said.length !== events) return refuse(`there must be ${events} answers`)
  return said.map((answer): StepAnswer => {
    const { states, rows, alerts } = (typeof answer === 'object' && answer !== null ? answer : {}) as Record<keyof StepAnswer, unknown>
    if (!Array.isArray(states) || !Array.isArray(rows) || !Array.isArray(alerts)) return refuse('each answer must have states, rows and alerts')
    if (rows.length + alerts.length > ROWS_MAX) return refuse(`an answer must have at most ${ROWS_MAX} rows and alerts`)
    if (!states.every((s) => isTuple(s, 2) && isName(s[0]) && (s[1] === null || isText(s[1], STATE_BYTES_MAX)))) refuse('its states must be named, and bounded')
    if (!rows.every((r) => isTuple(r, 3) && isName(r[0]) && isTime(r[1]) && isText(r[2], BODY_CHARS_MAX) && isObject(r[2]))) refuse('its rows must be named, timed, and JSON')
    const isAlert = (a: unknown): boolean =>
      isTuple(a, 5) && isName(a[0]) && isText(a[1], 64) && ALERT.test(a[1]) && (a[2] === null || SEVERITIES.includes(a[2] as Severity)) && isText(a[3], TEXT_CHARS_MAX) && (a[4] === null || Number.isFinite(a[4]))
    if (!alerts.every(isAlert)) refuse('its alerts must be whole')
    return { states, rows, alerts } as unknown as StepAnswer
  })
}

function isObject(text: string): boolean {
  try {
    const value = JSON.parse(text) as unknown
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}
