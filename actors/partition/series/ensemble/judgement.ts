/**
 * What the ensemble says of a reading: its score, what was expected, the band, which part spoke, the kind of event, and a sentence.
 *
 * - J1 `lower` and `upper` are the marks that the part which spoke kept up to this reading (records.ts), around what it expected; where none
 *   spoke, those of the forecast. So the band is what the series did lately, not what a normal distribution would.
 * - J2 `kind` and the figures of the sentence are set where the surprise is at least `SURPRISE_NAMED` or a rule has spoken, which every score that is reported is above.
 */

export type Kind = 'spike' | 'dip' | 'level shift' | 'drift' | 'pattern' | 'noise change' | 'flat-line' | 'stuck' | 'gap' | 'device' | 'apart'

/** The parts of the ensemble, the rules beside it, and what looks beyond the series (../../device/, ../../fleet/). */
export type Part = 'none' | 'forecast' | 'tail' | 'level' | 'half-hour' | 'hour' | 'scatter' | 'step' | 'noise' | 'away' | 'rest' | 'rhythm' | 'device' | 'neighbours'

export interface Judgement {
  score: number
  /** The surprise of the parts together, before the peak of what was told is asked. */
  surprise: number
  part: Part
  kind: Kind
  expected: number
  lower: number
  upper: number
  /** Of the kind: how far, how often, how long; and what is usual. */
  size: number
  usual: number
  /** Where it counts: the slot's mean is of this hour of the day, UTC. */
  hour: number
}

/** One for all, overwritten by the next reading: who wants to keep it copies it. */
export const judgement: Judgement = {
  score: 0.5,
  surprise: 0.5,
  part: 'none',
  kind: 'spike',
  expected: 0.5,
  lower: 0.5,
  upper: 0.5,
  size: 0.5,
  usual: 0.5,
  hour: 0,
}

/** The judgement of `value` as a sentence. */
export function sentenceOf(value: number): string {
  const j = judgement
  const band = `${short(j.lower)} to ${short(j.upper)}`
  const v = short(value)
  switch (j.kind) {
    case 'stuck':
      return `${v} has not changed for ${j.size} readings, though it usually changes every ${j.usual < 1.5 ? 'reading' : `${Math.round(j.usual)} readings`}`
    case 'gap':
      return `nothing came for ${short(j.size)} usual intervals before this reading`
    case 'noise change':
      return `from reading to reading it now moves ${short(j.size)} times as far as usual`
    case 'flat-line':
      return `from reading to reading it now moves ${short(j.size)} times as far as usual: next to nothing`
    case 'level shift':
      return `it went ${j.size < 0 ? 'down' : 'up'} by ${short(Math.abs(j.size))} to ${v} and stays there; ${band} was usual`
    case 'drift':
      return `${v} is ${j.size < 0 ? 'below' : 'above'} ${band}, which was usual${j.usual > 0 ? `: ${short(Math.abs(j.size))} times as far from ${short(j.expected)} as usual` : ''}`
    case 'pattern':
      return `${short(j.expected)} is usual at ${hourName(j.hour)} UTC, and ${v} is ${j.usual > 0 ? `${short(Math.abs(j.size))} times as far from it as usual` : `outside of ${band}`}`
    default:
      return `${v} is ${j.kind === 'dip' ? 'below' : 'above'} the expected ${short(j.expected)}; ${band} would be usual`
  }
}

function hourName(hour: number): string {
  return `${String(hour).padStart(2, '0')}:00`
}

/** A number in few characters: three significant places, more where the whole part has more. */
export function short(n: number): string {
  const magnitude = Math.abs(n)
  if (magnitude >= 1e6 || (magnitude < 1e-3 && magnitude > 0)) return String(Number(n.toPrecision(3)))
  return String(Number(n.toFixed(magnitude >= 100 ? 1 : magnitude >= 1 ? 2 : 4)))
}
