/** What drives a series, in sentences: what each driver does to it, how sure that is, and whether the forecast goes by it. Pure. */

import { clockTime, count, date, duration, value as plain } from '../format.ts'
import type { DriverEffect, DriverRow, DriversOf } from '../shapes.ts'
import type { Units } from '../units.ts'

const DAY_MS = 86_400_000
/** An effect is sure that is as many of its standard errors away from none. */
const SURE_ERRORS = 2

/** A number with its standard error, both to the digit that the error has: 0.80 ± 0.12, 12 ± 3. */
export function plusMinus(effect: number, error: number): string {
  if (!(error > 0) || !Number.isFinite(error)) return plain(effect)
  const exponent = Math.floor(Math.log10(error))
  // One digit of the error; two where the first is a 1, which would else be rounded by half.
  const decimals = Math.max(0, -exponent + (error / 10 ** exponent < 2 ? 1 : 0))
  return decimals > 6 ? `${plain(effect)} ± ${plain(error)}` : `${effect.toFixed(decimals)} ± ${error.toFixed(decimals)}`
}

/** Averages of a driver, as the server tells them, each with how it is said. */
const SPANS = [
  { key: 'last_hour', spell: 'an hour with', more: 'more', does: ['raises', 'lowers'], within: 'in the next' },
  { key: 'last_6h', spell: '6 hours with', more: 'more on average', does: ['raise', 'lower'], within: 'an hour' },
  { key: 'last_24h', spell: 'a day with', more: 'more on average', does: ['raises', 'lowers'], within: 'an hour' },
] as const

const isSure = ({ effect, error }: DriverEffect) => error > 0 && Math.abs(effect) >= SURE_ERRORS * error

/** What a driver is sure to do to the series, a sentence each; what else is known of it where nothing is. */
export function effectWords(metric: string, driver: DriverRow, words: Pick<Units, 'symbol'>): string[] {
  const [symbol, unit] = [words.symbol(metric), words.symbol(driver.metric)].map((text) => (text === '' ? '' : `\u00a0${text}`))
  if (!driver.last_hour) return ['not known yet what it does']
  const sure = SPANS.flatMap(({ key, spell, more, does, within }) => {
    const told = driver[key]
    if (!told || !isSure(told)) return []
    const { effect, error } = told
    return [`${spell} 1${unit} ${more} ${does[effect < 0 ? 1 : 0]} it by ${plusMinus(Math.abs(effect), error)}${symbol} ${within}`]
  })
  return sure.length > 0 ? sure : ['no sure effect so far']
}

/** Whether the forecast goes by the drivers, and what that is known from. */
export function usedWords({ drivers, gain, used, hours, learned_at }: DriversOf, nowMs: number): string {
  if (drivers.length === 0) return ''
  const them = drivers.length === 1 ? 'it' : 'them'
  if (learned_at === null) {
    const end = Math.floor(nowMs / DAY_MS + 1) * DAY_MS
    return `What ${drivers.length === 1 ? 'it does' : 'they do'} is learned by the hour, and first told at the end of the UTC day, at ${clockTime(end)} (in ${duration(end - nowMs)}).`
  }
  const known = `Learned from ${count(hours)} hour${hours === 1 ? '' : 's'}, until ${date(learned_at)}.`
  if (gain === null) return `The forecast does not use ${them} yet: for some days it is tried beside it whether it would be better. ${known}`
  if (!used) return `The forecast does not use ${them}: it would not be better. ${known}`
  return `The forecast uses ${them}: a day ahead or less, it misses ${Math.max(1, Math.round(100 * (1 - gain)))} % less. ${known}`
}
