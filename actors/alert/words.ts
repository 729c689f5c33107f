/**
 * What an alert says, in words of a person who stands in the field: made from the rule's own template, else from what its conditions found.
 *
 * - M1 Words are a function of numbers and names, to the letter: no locale, no clock.
 */

import { hourOf, ownOf, silenceOf, valueOf } from './conditions.ts'
import type { AlertEvent } from './life.ts'
import { holding } from './plan.ts'
import type { PlacedLeaf } from './plan.ts'
import type { Watch } from './watch.ts'

/** Names that a template may hold in braces, `labels.` with a label beside them. */
export const FIELDS = ['device', 'metric', 'value', 'rule', 'severity', 'what'] as const

/** A number as one says it: four places at most. */
export function numberWords(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : 'unknown'
}

const UNITS = [['day', 86_400_000], ['hour', 3_600_000], ['minute', 60_000], ['second', 1_000]] as const

/** A duration as one says it: `2 hours`, `90 minutes`, `4 minutes 20 seconds`. */
export function durationWords(ms: number): string {
  let at = UNITS.findIndex(([, size]) => ms >= 2 * size || ms === size)
  if (at < 0) at = UNITS.length - 1
  const words = (count: number, name: string) => `${count} ${name}${count === 1 ? '' : 's'}`
  const [name, unit] = UNITS[at]
  if (at === UNITS.length - 1) return words(Math.round(ms / unit), name)
  const [smaller, part] = UNITS[at + 1]
  const parts = Math.round(ms / part)
  const rest = parts % (unit / part)
  return words((parts - rest) / (unit / part), name) + (rest === 0 ? '' : ` ${words(rest, smaller)}`)
}

/** `soil_moisture` as `soil moisture`. */
export const metricWords = (metric: string): string => metric.replaceAll(/[_.]+/g, ' ').trim()
const SIZES = ['minute', 'quarter of an hour', 'hour', 'day']
const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

function leafWords({ leaf, at }: PlacedLeaf, s: Float64Array, logMs: number): string {
  const value = numberWords(valueOf(s, at))
  switch (leaf.is) {
    case 'above':
      return `is ${value}, above ${numberWords(leaf.limit)}`
    case 'below':
      return `is ${value}, below ${numberWords(leaf.limit)}`
    case 'rises':
      return `has risen to ${value}, by ${numberWords(leaf.by)} or more within ${durationWords(leaf.withinMs)}`
    case 'falls':
      return `has fallen to ${value}, by ${numberWords(leaf.by)} or more within ${durationWords(leaf.withinMs)}`
    case 'anomaly':
      return `is unusual: ${value}`
    case 'silent':
      return `has sent nothing for ${durationWords(silenceOf(leaf, s, at))}`
    case 'deviates':
      return `is ${value}, far from the ${numberWords(ownOf(s, at))} of the last ${SIZES[leaf.size]}`
    case 'apart':
      return `was ${numberWords(hourOf(s, at))} in the last hour that was compared, far from the ${numberWords(ownOf(s, at))} that its neighbours let expect`
    case 'forecast': {
      const hours = Math.max(0, Math.round((ownOf(s, at) - logMs) / 3_600_000))
      const soon = hours === 0 ? 'within the hour' : `in about ${durationWords(hours * 3_600_000)}`
      return `will ${leaf.falls ? 'fall below' : 'rise above'} ${numberWords(leaf.limit)} ${soon}`
    }
  }
}

/** What holds, as the end of a sentence that begins with the rule's series. */
function whatHolds({ plan, life, numbers }: Watch, logMs: number): string {
  const found = holding(plan.trees[life.level] ?? plan.trees[0], plan.leaves, numbers)
  if (found.length === 0) return `is as the rule ${plan.rule.name} says`
  const words = found.map((leaf) => (leaf.metric === plan.rule.metric ? '' : `its ${metricWords(leaf.metric)} `) + leafWords(leaf, numbers, logMs))
  return words.join(' and ')
}

/** What an event of a watch's alert says. `by` is whose key it was, where it was a person: a name that says nothing to others, so it is not told. */
export function messageOf(watch: Watch, event: AlertEvent, about: { device: string; logMs: number; by: string | null; note: string | null; why: string | null }): string {
  const { plan, life, value } = watch
  const { rule } = plan
  const level = rule.levels[life.level] ?? rule.levels[0]
  const series = `${capital(metricWords(rule.metric))} of ${about.device}`
  const note = about.note === null || about.note === '' ? '' : `: ${about.note}`
  if (event === 'acknowledged') return `Somebody looks after it${note}.`
  if (event === 'shelved') {
    const time = durationWords(Math.max(60_000, Math.round((life.shelvedUntil - about.logMs) / 60_000) * 60_000))
    return about.by === null ? `It stays put aside for another ${time}.` : `Somebody has put it aside for ${time}${note}.`
  }
  if (event === 'unshelved') {
    if (about.by !== null) return `Somebody has taken it up again${note}.`
    return `${series} ${whatHolds(watch, about.logMs)}. It was put aside, and that time is over.`
  }
  if (event === 'eased') return `${series} ${whatHolds(watch, about.logMs)}, which is less bad than before.`
  if (event === 'flapping') {
    const times = `${rule.flapping.count} times within ${durationWords(rule.flapping.withinMs)}`
    return `${series} keeps crossing the line of ${rule.name}: ${times}. Nothing more is said until it has been quiet for ${durationWords(rule.flapping.withinMs)}.`
  }
  const fill = (template: string) =>
    template.replaceAll(/\{([^{}]*)\}/g, (_, field: string) => {
      if (field.startsWith('labels.')) return rule.labels[field.slice(7)] ?? ''
      const fields: Record<string, string> = {
        device: about.device,
        metric: metricWords(rule.metric),
        value: numberWords(value),
        rule: rule.name,
        severity: level.severity,
        what: event === 'resolved' ? 'is as it should be' : whatHolds(watch, about.logMs),
      }
      return fields[field] ?? ''
    })
  if (event === 'resolved') {
    if (about.why !== null) return `${series}: ${about.why}.`
    if (about.by !== null) return `Somebody has resolved it${note}.`
    return rule.resolvedMessage === null ? `${series} is as it should be again: ${numberWords(value)}.` : fill(rule.resolvedMessage)
  }
  return level.message === null ? `${series} ${whatHolds(watch, about.logMs)}.` : fill(level.message)
}
