/**
 * Ranking of series by what someone types, as one would look through a drawer of labels: names that begin with it first,
 * then those with a word that does, then those that hold it, then those that hold its letters in order.
 *
 * Pure. `typed` may hold several words: each must match device or metric, and the ranks add up.
 */

import type { SeriesKey } from './shapes.ts'

/** Greater is better; null is no match. */
export function score(typed: string, series: SeriesKey): number | null {
  const device = series.device.toLowerCase()
  const metric = series.metric.toLowerCase()
  let total = 0
  for (const word of typed.toLowerCase().split(/\s+/).filter(Boolean)) {
    const best = Math.max(scoreWord(word, device), scoreWord(word, metric), scoreWord(word, `${device} ${metric}`) - 5)
    if (best <= 0) return null
    total += best
  }
  return total
}

function scoreWord(word: string, text: string): number {
  const at = text.indexOf(word)
  if (at === 0) return 100 + (text.length === word.length ? 20 : 0)
  if (at > 0 && /[^a-z0-9]/.test(text[at - 1])) return 80
  if (at > 0) return 60
  // Letters in order, with gaps: the fewer gaps the better. One letter alone would match nearly everything.
  if (word.length < 2) return 0
  let from = 0
  let gaps = 0
  for (const letter of word) {
    const next = text.indexOf(letter, from)
    if (next < 0) return 0
    if (next > from && from > 0) gaps++
    from = next + 1
  }
  // More pieces than three, and nearly any long name would match.
  return gaps <= 2 ? 40 - 10 * gaps : 0
}

/** The best `limit` of `all`, best first, equals by name. With nothing typed, the first ones by name. */
export function rank<T extends SeriesKey>(typed: string, all: Iterable<T>, limit: number): T[] {
  const hits: { row: T; points: number }[] = []
  for (const row of all) {
    const points = score(typed, row)
    if (points !== null) hits.push({ row, points })
  }
  hits.sort((a, b) => b.points - a.points || compareSeries(a.row, b.row))
  return hits.slice(0, limit).map((hit) => hit.row)
}

const collator = new Intl.Collator('en', { numeric: true })

/** By device, then metric; numbers within names by size: probe-2 before probe-10. */
export function compareSeries(a: SeriesKey, b: SeriesKey): number {
  return collator.compare(a.device, b.device) || collator.compare(a.metric, b.metric)
}
