/** What an ensemble knows, for people to look at. Deviations are root mean squares; rests are in readings; marks are around what was expected. */

import {
  AWAY_AGE,
  AWAY_USUAL,
  COUNT,
  ERROR,
  EXCESS,
  FAST,
  INTERVAL,
  JUMP_AGE,
  LAST,
  LAST_TS,
  PEAK,
  RECORD_DAY,
  RECORD_FORECAST,
  RECORD_LEVEL,
  RECORD_PROFILE,
  RECORD_SCATTER,
  REST,
  REST_MEAN,
  REST_RECORD,
  SCATTER,
  SCATTER_AGE,
  SCATTER_LONG,
  SEEN,
  SLOW,
  STEP,
  USUAL_ERROR,
  WEIGHT_1,
  WEIGHT_2,
} from './layout.ts'
import type { Slab } from './layout.ts'

export function lookAtEnsemble({ doubles: d, singles }: Slab, at: number) {
  const s = 2 * at
  const marks = (record: number): [number, number] => [d[at + record + 1], d[at + record]]
  return {
    count: singles[2 * at + COUNT],
    last: d[at + LAST],
    lastTs: d[at + LAST_TS],
    intervalMs: singles[2 * at + INTERVAL],
    weights: [singles[2 * at + WEIGHT_1], singles[2 * at + WEIGHT_2]] as [number, number],
    slow: d[at + SLOW],
    fast: d[at + FAST],
    deviation: Math.sqrt(d[at + ERROR]),
    excess: singles[2 * at + EXCESS],
    moves: Math.sqrt(d[at + SCATTER]),
    movesUsually: Math.sqrt(d[at + SCATTER_LONG]),
    step: d[at + STEP],
    slots: singles[s + SEEN],
    missesUsually: d[at + USUAL_ERROR],
    marks: {
      forecast: marks(RECORD_FORECAST),
      level: marks(RECORD_LEVEL),
      halfHour: marks(RECORD_PROFILE),
      hour: marks(RECORD_DAY),
      scatter: marks(RECORD_SCATTER),
    },
    peak: singles[2 * at + PEAK],
    rest: singles[2 * at + REST],
    restMean: singles[2 * at + REST_MEAN],
    restRecord: singles[2 * at + REST_RECORD],
    jumpedFor: singles[s + JUMP_AGE],
    scattersFor: singles[s + SCATTER_AGE],
    awayFor: singles[s + AWAY_AGE],
    awayUsually: singles[2 * at + AWAY_USUAL],
  }
}
