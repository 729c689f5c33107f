/**
 * Looks at what the next series of a block will be judged by, before they are.
 *
 * With tens of thousands of series nothing of one is in the processor's caches when its reading comes. Read as it is needed, one line of memory waits
 * for the other; looked at for many series in a row, with nothing that depends on it, a dozen are on their way at a time.
 *
 * - W1 Nothing is changed, and nothing depends on what is seen here.
 */

import { ENSEMBLE_DOUBLES } from './series/ensemble/layout.ts'
import { PAGE_BITS, PAGE_SERIES } from './state.ts'
import type { PartitionState } from './state.ts'
import type { Series } from './series/series.ts'

/** Below so many series what is needed is near enough, and looking would only cost. */
export const SERIES_MIN = 4_096
/** Series at a time: what is seen of them must stay in the nearer caches until their turn. */
const SERIES_AT_ONCE = 32
/** Doubles in a line of memory. */
const LINE = 8

/** What was seen, so that an engine does not leave out what nobody asks for. */
const glimpse = { sum: 0.5 }

/** Looks at some of table[from … until), and gives the place behind them. */
export function warm({ series: all, ensembles, summaries }: PartitionState, table: readonly Series[], from: number, until: number): number {
  if (all.length < SERIES_MIN) return until
  const end = Math.min(until, from + SERIES_AT_ONCE)
  let sum = 0
  for (let i = from; i < end; i++) {
    const series = table[i]
    sum += series.glance(summaries)
    if (ensembles.length === 0) continue
    const { doubles } = ensembles[series.id >> PAGE_BITS]
    const at = (series.id & (PAGE_SERIES - 1)) * ENSEMBLE_DOUBLES
    for (let line = 0; line < ENSEMBLE_DOUBLES; line += LINE) sum += doubles[at + line]
  }
  glimpse.sum = sum
  return end
}
