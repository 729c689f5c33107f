/**
 * The score of the Numenta Anomaly Benchmark, version 1.1, for the three profiles of cost that it is published with.
 *
 * Picture a watchman who is paid by how early he calls within the hours of an event, once an event, and fined for each call outside of them:
 * little just after an event, fully elsewhere. 0 is who never calls, 100 who calls each event at its first moment and never else. The
 * threshold is the best one for the corpus, as in the published tables; the first 15 % of a file, at most 750 rows, do not count.
 *
 * Source: Lavin and Ahmad, Evaluating Real-Time Anomaly Detection Algorithms (ICMLA 2015).
 */

export interface ScoredFile {
  /** As the labels write them: 19 characters. */
  readonly timestamps: readonly string[]
  readonly scores: ArrayLike<number>
  /** First and last timestamp of each event, in order. */
  readonly windows: readonly (readonly [string, string])[]
}

export interface Profile {
  readonly falseAlarm: number
  readonly missed: number
}

export const PROFILES = {
  standard: { falseAlarm: 0.11, missed: 1 },
  'few false alarms': { falseAlarm: 0.22, missed: 1 },
  'few missed': { falseAlarm: 0.11, missed: 2 },
} as const satisfies Record<string, Profile>

const PROBATION = 0.15
const PROBATION_MAX = 750

const sigmoid = (x: number) => (x > 3 ? -1 : 2 / (1 + Math.exp(5 * x)) - 1)
const FULL = sigmoid(-1)

/** What a call at a row is worth in units of its kind, and which event it is in; −1 for none. */
interface Row {
  readonly score: number
  readonly worth: number
  readonly event: number
}

/** Rows that count; `events` is the number of events before this file. */
function rowsOf({ timestamps, scores, windows }: ScoredFile, events: number): Row[] {
  const first = new Map<string, number>()
  timestamps.forEach((t, i) => first.has(t) || first.set(t, i))
  const rows: Row[] = []
  const probation = Math.min(Math.floor(PROBATION * timestamps.length), PROBATION_MAX)
  let next = 0
  let inside: { event: number; right: number; width: number; end: string } | null = null
  let before: { right: number; width: number } | null = null
  timestamps.forEach((t, i) => {
    if (next < windows.length && t === windows[next][0]) {
      const right = first.get(windows[next][1])
      if (right === undefined) throw new RangeError(`Cannot score a file as each event must end at a row of it: current end is ${windows[next][1]}`)
      inside = { event: events + next, right, width: right - first.get(t)! + 1, end: windows[next][1] }
      next++
    }
    const worth = inside !== null ? sigmoid(-(inside.right - i + 1) / inside.width) / FULL : before === null ? -1 : sigmoid((i - before.right) / (before.width - 1))
    if (i >= probation) rows.push({ score: scores[i], worth, event: inside === null ? -1 : inside.event })
    if (inside !== null && t === inside.end) {
      before = { right: i, width: inside.width }
      inside = null
    }
  })
  if (next < windows.length) throw new RangeError(`Cannot score a file as each event must begin at a row of it: current beginning is ${windows[next][0]}`)
  return rows
}

/** The score, 0 to 100 and below 0 for who calls all the time, and the threshold that gives it; 1.1 for none. */
export function nabScore(files: readonly ScoredFile[], { falseAlarm, missed }: Profile): { score: number; threshold: number } {
  const rows: Row[] = []
  let events = 0
  for (const file of files) {
    for (const row of rowsOf(file, events)) rows.push(row)
    events += file.windows.length
  }
  rows.sort((a, b) => b.score - a.score)
  const earned = new Float64Array(events).fill(-missed)
  let total = -missed * events
  let best = { total, threshold: 1.1 }
  rows.forEach(({ score, worth, event }, i) => {
    if (event < 0) total += falseAlarm * worth
    else if (worth > earned[event]) {
      total += worth - earned[event]
      earned[event] = worth
    }
    if ((i + 1 === rows.length || rows[i + 1].score !== score) && total > best.total) best = { total, threshold: score }
  })
  return { score: (100 * (best.total + missed * events)) / (events * (1 + missed)), threshold: best.threshold }
}
