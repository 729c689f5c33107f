/** Why something stood out, in the words of somebody who looks after fields: what sort of thing it is, how far out, who noticed, what the neighbours did. Pure. */

import { count, value as plain } from '../format.ts'
import type { AnomalyRow, WhyRow } from '../shapes.ts'
import { inWords } from '../units.ts'
import type { Units } from '../units.ts'

type Words = Pick<Units, 'text'>

/** What sort of thing it is: its name, and what that means. */
export function kindWords({ kind, value, expected }: AnomalyRow): { name: string; meaning: string } {
  const side = expected !== null && value < expected ? 'below' : 'above'
  switch (kind) {
    case 'spike':
    case 'dip':
      return { name: side === 'below' ? 'A dip' : 'A spike', meaning: `It is suddenly far ${side} its usual course.` }
    case 'level shift':
      return { name: 'A new level', meaning: 'It jumped to another level, and stays there.' }
    case 'drift':
      return { name: 'A drift', meaning: 'It moves away from where it usually is, little by little.' }
    case 'stuck':
      return { name: 'Stuck', meaning: 'The same value comes again and again, where it usually changes.' }
    case 'flat-line':
      return { name: 'A flat line', meaning: 'It hardly moves any more.' }
    case 'noise change':
      return { name: 'Restless', meaning: 'From reading to reading it moves otherwise than it used to.' }
    case 'gap':
      return { name: 'A silence', meaning: 'Nothing came for longer than usual.' }
    case 'pattern':
      return { name: 'Not its usual day', meaning: 'At this time of the day it is usually elsewhere.' }
    case 'device':
      return { name: 'The whole device', meaning: 'Several of its measurements are off at once, each by little.' }
    case 'apart':
      return { name: 'Away from its kind', meaning: 'It goes another way than its neighbours do.' }
    default:
      return { name: kind ? inWords(kind) : 'Out of the ordinary', meaning: '' }
  }
}

/** The detector's own sentence, without the name of the kind in front, which is said already. */
export function reasonWords({ kind, reason }: AnomalyRow): string {
  const bare = kind && reason.startsWith(`${kind}: `) ? reason.slice(kind.length + 2) : reason
  return `${bare.charAt(0).toUpperCase()}${bare.slice(1)}`.replace(/(?<![.!?])$/, '.')
}

const PARTS: Readonly<Record<string, string>> = {
  forecast: 'what its last readings led one to expect',
  tail: 'how rarely it is so far off',
  level: 'its level of late',
  'half-hour': 'its usual course of the day',
  hour: 'its usual value at this hour',
  scatter: 'how much it scatters',
  step: 'the jump, after which it did not come back',
  noise: 'how much it moves from reading to reading',
  away: 'how long it has been away from its usual place',
  rest: 'how long it has stood still',
  rhythm: 'how often it reports',
  device: 'what all measurements of the device do at once',
  neighbours: 'what its neighbours did in the same hours',
}

/** The part of the detector that noticed it; null where it is not known. */
export function partWords({ part }: AnomalyRow): string | null {
  return part ? (PARTS[part] ?? inWords(part)) : null
}

/**
 * How far out it is, in what is usual; null where nothing was expected. Not in the unit: of one that is measured in percent, "40 % above" would be
 * read as a share.
 */
export function offWords({ value, expected, lower, upper }: AnomalyRow): string | null {
  if (expected === null) return null
  const off = value - expected
  const reach = off < 0 ? (lower === null ? 0 : expected - lower) : upper === null ? 0 : upper - expected
  const times = reach > 0 ? Math.abs(off) / reach : 0
  if (lower !== null && upper !== null && value >= lower && value <= upper) return 'within the usual'
  const side = off < 0 ? 'below' : 'above'
  if (times <= 1.05) return `${side} what was expected`
  return `${times < 10 ? plain(Math.round(times * 10) / 10) : count(Math.round(times))} times as far ${side} as is usual`
}

/** What the neighbours did, in a sentence. */
export function neighbourWords({ metric, neighbours }: WhyRow, words: Words): string {
  const { kind, devices, unusual, median } = neighbours
  if (devices === 0) return 'No other device measured this then.'
  const who = kind === null ? 'other devices' : 'neighbours'
  if (devices === 1) return `The one ${kind === null ? 'other device' : 'neighbour'} ${unusual === 0 ? 'was as usual' : 'stood out as well'}, at ${words.text(metric, median)}.`
  const medium = `their median ${words.text(metric, median)}`
  if (unusual === 0) return `All ${count(devices)} ${who} were as usual, ${medium}.`
  if (unusual === devices) return `All ${count(devices)} ${who} stood out as well, ${medium}.`
  return `${count(devices - unusual)} of ${count(devices)} ${who} were as usual, ${medium}.`
}

/** Where things lie on a line from the least to the greatest of them, in percent of it; null where there is no band. */
export function scaleOf({ value, expected, lower, upper }: AnomalyRow): { value: number; expected: number; from: number; to: number } | null {
  if (expected === null || lower === null || upper === null) return null
  const all = [value, expected, lower, upper]
  if (!all.every(Number.isFinite)) return null
  const [least, most] = [Math.min(...all), Math.max(...all)]
  if (most <= least) return null
  // A rim on either side, and a band that can be seen.
  const place = (v: number) => 4 + (92 * (v - least)) / (most - least)
  const middle = (place(lower) + place(upper)) / 2
  const half = Math.max(1.2, (place(upper) - place(lower)) / 2)
  return { value: place(value), expected: place(expected), from: Math.max(0, middle - half), to: Math.min(100, middle + half) }
}
