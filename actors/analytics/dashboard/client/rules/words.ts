/**
 * What a rule says, in words: made from the document as it was written, of which any part may still be missing or something else. Pure.
 *
 * Leaves the language itself to the server, which checks each document.
 */

import { value } from '../format.ts'
import type { RuleDocument } from '../shapes.ts'
import type { Units } from '../units.ts'

type Words = Pick<Units, 'label' | 'symbol'>

const UNITS: Readonly<Record<string, string>> = { ms: 'ms', s: 's', m: 'min', h: 'h', d: 'd', w: 'weeks' }
const SIZES: Readonly<Record<string, string>> = { '1m': 'minute', '15m': 'quarter of an hour', '1h': 'hour', '1d': 'day' }

/** `1h30m` as `1 h 30 min`. */
export function durationWords(text: unknown): string {
  return typeof text === 'string' ? text.replaceAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g, (_, n: string, unit: string) => `${n} ${UNITS[unit]} `).trim() : ''
}

/** Which devices a rule is about; `field-7/…` are those whose names begin so. */
export function devicesWords({ device, devices, prefix }: Partial<RuleDocument['select']>): string {
  if (device !== undefined) return device
  if (devices !== undefined) return devices.length > 3 ? `${devices.slice(0, 2).join(', ')} and ${devices.length - 2} more` : devices.join(', ')
  return prefix === undefined ? 'all devices' : `${prefix}…`
}

/** A condition as the end of a sentence that begins with the series; empty where it is none. */
export function conditionWords(condition: unknown, metric: string, units: Words): string {
  if (typeof condition !== 'object' || condition === null) return ''
  const of = condition as Record<string, unknown>
  const other = typeof of.metric === 'string' && of.metric !== metric ? of.metric : null
  const number = (v: unknown) => (typeof v === 'number' ? `${value(v)}\u00a0${units.symbol(other ?? metric)}`.trim() : '…')
  const within = of.within === undefined ? '' : ` within ${durationWords(of.within)}`
  const its = other === null ? '' : `its ${units.label(other).toLowerCase()} `
  for (const [name, joint] of [['all', ' and '], ['any', ' or ']] as const) {
    if (Array.isArray(of[name])) return of[name].map((part) => conditionWords(part, metric, units)).filter(Boolean).join(joint)
  }
  if (of.not !== undefined) return `not (${conditionWords(of.not, metric, units)})`
  if (of.above !== undefined) return `${its}above ${number(of.above)}`
  if (of.below !== undefined) return `${its}below ${number(of.below)}`
  if (of.rises !== undefined) return `${its}rising by ${number(of.rises)}${within}`
  if (of.falls !== undefined) return `${its}falling by ${number(of.falls)}${within}`
  if (of.anomaly !== undefined) return `${its}unusual${typeof of.anomaly === 'number' && of.anomaly > 0 ? ` (score ${of.anomaly} and above)` : ''}`
  if (of.silent !== undefined) return `${its}silent for ${of.silent === 'learned' ? 'three of its usual gaps' : durationWords(of.silent)}`
  if (of.deviates !== undefined) {
    const side = of.side === 'above' || of.side === 'below' ? of.side : 'away from'
    const from = of.from === 'neighbours' ? 'what its neighbours let expect' : `the mean of the last ${SIZES[String(of.from ?? '1h')] ?? String(of.from)}`
    return `${its}${typeof of.deviates === 'string' ? of.deviates : number(of.deviates)} ${side} ${from}`
  }
  if (typeof of.forecast !== 'object' || of.forecast === null) return ''
  const { below, above } = of.forecast as Record<string, unknown>
  return `${its}expected ${below !== undefined ? `below ${number(below)}` : `above ${number(above)}`}${within}`
}

/** Each step with its severity: `below 18 % for 5 min: warning`. */
export function stepsWords(document: Partial<RuleDocument>, units: Words): string[] {
  const metric = document.select?.metric ?? ''
  const steps = Array.isArray(document.steps) ? document.steps : []
  return [{ severity: document.severity ?? 'warning', when: document.when, for: document.for }, ...steps].map(({ severity, when, for: held }) => {
    const words = conditionWords(when, metric, units)
    return `${words || 'something'}${held === undefined || held === '0' ? '' : ` for ${durationWords(held)}`}: ${severity}`
  })
}

/** What a rule is called. */
export function ruleName(id: string, document: Partial<RuleDocument> | undefined): string {
  return document?.name ?? id
}
