/**
 * Conditions as people write them. Each is an object with one of these:
 *
 * - `above`, `below`    a number; with `clear` it holds until the value has passed that one, too
 * - `rises`, `falls`    by at least so much `within` a time
 * - `anomaly`           the least score, 0 for any; it holds for `hold` (15m) behind the last one
 * - `silent`            a time without a reading, or "learned": three times the series' own usual gap
 * - `deviates`          by so much, or `"20%"`, `from` the mean of the last closed window (1m, 15m, 1h, 1d); `side` above, below or both.
 *                       `from` "neighbours": by the hour, from what is usual of the series itself and what the others of its kind did to theirs
 * - `forecast`          `{"below": 12}` or `{"above": 30}` `within` a time, up to a week
 * - `all`, `any`, `not` of others
 *
 * and, but for the last three, `metric`: another one of the same device.
 */

import { WINDOW_SIZE_NAMES } from '../reading/window.ts'
import { isMetric, METRIC_RULE } from '../reading/validate-names.ts'
import { durationOf, fields, listOf, numberOf, objectOf, RuleError } from './document-parts.ts'
import type { Place } from './document-parts.ts'
import { DEPTH_MAX, LEAVES_MAX } from './rule.ts'
import type { Condition, Leaf } from './rule.ts'

const KINDS = ['above', 'below', 'rises', 'falls', 'anomaly', 'silent', 'deviates', 'forecast', 'all', 'any', 'not'] as const
type Kind = (typeof KINDS)[number]

/** The same in short, for who asks which there are. */
export const CONDITIONS_HELP =
  'one of: above, below (with clear: it holds until that is passed, too); rises, falls (by so much, within a time); anomaly (least score, with hold); silent (a time, or "learned"); ' +
  'deviates (by so much, or "20%", side above, below or both, from the mean of the last window 1m, 15m, 1h or 1d, or from "neighbours": what is usual of the series itself and what the ' +
  'others of its kind, four at least, did to theirs in the last hour); forecast ({"below": 12} or {"above": 30}, within a time); all, any (lists), not. ' +
  'All but the last three may name another metric of the same device'

const MORE: Readonly<Partial<Record<Kind, readonly string[]>>> = { above: ['clear'], below: ['clear'], rises: ['within'], falls: ['within'], anomaly: ['hold'], deviates: ['from', 'side'], forecast: ['within'] }
const SIDES = ['below', 'both', 'above']
const NEIGHBOURS = 'neighbours'
const DAY_MS = 86_400_000
const WEEK_MS = 7 * DAY_MS

export function conditionOf(place: Place, left: { leaves: number }, depth = DEPTH_MAX): Condition {
  const object = objectOf(place)
  const kinds = KINDS.filter((kind) => object[kind] !== undefined)
  if (kinds.length !== 1) throw new RuleError(place, `an object with one of ${KINDS.join(', ')}`, kinds.length === 0 ? object : kinds)
  const [is] = kinds
  if (depth === 0) throw new RuleError(place, `nested at most ${DEPTH_MAX} deep`)
  if (is === 'all' || is === 'any') {
    const of = fields(place, [is], [is])(is)
    const parts = listOf(of, { least: 1, most: LEAVES_MAX }).map((part) => conditionOf(part, left, depth - 1))
    return is === 'all' ? { is, of: parts } : { is, of: parts }
  }
  if (is === 'not') return { is, of: conditionOf(fields(place, [is], [is])(is)!, left, depth - 1) }
  if (left.leaves-- === 0) throw new RuleError(place, `one of at most ${LEAVES_MAX} conditions of a rule`)
  const of = fields(place, [is, 'metric', ...(MORE[is] ?? [])], [is])
  const metric = of('metric')
  if (metric === null) return leafOf(is, of)
  if (typeof metric.value !== 'string' || !isMetric(metric.value)) throw new RuleError(metric, METRIC_RULE)
  return { ...leafOf(is, of), metric: metric.value }
}

function leafOf(is: Exclude<Kind, 'all' | 'any' | 'not'>, of: (name: string) => Place | null): Leaf {
  const own = of(is)!
  const within = (max: number, min = 1_000) => {
    const place = of('within')
    if (place === null) throw new RuleError({ pointer: own.pointer.replace(/[^/]*$/, 'within'), value: undefined }, 'there: a duration such as 1h')
    return durationOf(place, { min, max })
  }
  switch (is) {
    case 'above':
    case 'below': {
      const limit = numberOf(own, {})
      const clear = numberOf(of('clear'), { fallback: limit })
      if (is === 'above' ? clear > limit : clear < limit) throw new RuleError(of('clear')!, `${is === 'above' ? 'no greater than above' : 'no less than below'}, so that it lies on the good side`)
      return { is, limit, clear }
    }
    case 'rises':
    case 'falls': {
      const by = numberOf(own, {})
      if (!(by > 0)) throw new RuleError(own, 'a number greater than 0')
      return { is, by, withinMs: within(WEEK_MS) }
    }
    case 'anomaly':
      return { is, score: numberOf(own, { min: 0, max: 1 }), holdMs: durationOf(of('hold'), { fallback: 15 * 60_000, min: 1_000, max: DAY_MS }) }
    case 'silent':
      return { is, afterMs: own.value === 'learned' ? null : durationOf(own, { min: 1_000, max: 30 * DAY_MS }) }
    case 'deviates':
      return deviates(own, of)
    case 'forecast': {
      const limitOf = fields(own, ['below', 'above'], [])
      const [below, above] = [limitOf('below'), limitOf('above')]
      if ((below === null) === (above === null)) throw new RuleError(own, 'an object with one of below, above')
      return { is, falls: below !== null, limit: numberOf(below ?? above, {}), withinMs: within(WEEK_MS, 60_000) }
    }
  }
}

function deviates(own: Place, of: (name: string) => Place | null): Leaf {
  const share = typeof own.value === 'string' ? /^(\d+(?:\.\d+)?)\s*%$/.exec(own.value) : null
  if (share === null && typeof own.value !== 'number') throw new RuleError(own, 'a number, or a share such as "20%"')
  const by = share === null ? numberOf(own, { min: 0 }) : Number(share[1])
  const from = of('from')
  const isApart = from?.value === NEIGHBOURS
  const size = from === null ? 2 : (WINDOW_SIZE_NAMES as readonly unknown[]).indexOf(from.value)
  if (size < 0 && !isApart) throw new RuleError(from!, `one of ${WINDOW_SIZE_NAMES.join(', ')}, ${NEIGHBOURS}`)
  const side = of('side')
  const at = side === null ? 1 : SIDES.indexOf(String(side.value))
  if (at < 0) throw new RuleError(side!, `one of ${SIDES.join(', ')}`)
  return isApart ? { is: 'apart', by, percent: share !== null, side: at - 1 } : { is: 'deviates', by, percent: share !== null, size, side: at - 1 }
}
