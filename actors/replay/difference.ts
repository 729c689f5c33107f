/** What two payloads of one commit disagree about, in plain words: the first thing, from the totals down to the rows. */

import { firstDifferentByte } from '../../runtime/replay.ts'
import { formatTime } from '../analytics/data/times.ts'
import { decodeEffects } from '../partition/effects.ts'
import type { BlockFates, PartitionEffects } from '../partition/effects.ts'
import { rowsOf } from '../partition/forecasts.ts'
import { WINDOW_SIZE_NAMES } from '../reading/window.ts'

/** Words for the first difference. To be asked of payloads whose bytes differ. */
export function differenceOf(recorded: Uint8Array, replayed: Uint8Array): string {
  const byte = firstDifferentByte(recorded, replayed)
  const where = `byte ${byte} of ${recorded.byteLength}`
  try {
    return first(decodeEffects(recorded), decodeEffects(replayed)) ?? `both say the same in other bytes, from ${where} on`
  } catch {
    // Bytes that were tampered with may be no effects at all, or name times that are none.
    return `what was committed can't be read; it differs from ${where} on`
  }
}

function first(was: PartitionEffects, is: PartitionEffects): string | null {
  return (
    totals(was, is) ??
    list('series', was.series.map(seriesName), is.series.map(seriesName)) ??
    list('fates', was.fates.map(fateWords), is.fates.map(fateWords)) ??
    anomalies(was, is) ??
    forecasts(was, is) ??
    windows(was, is)
  )
}

function totals(was: PartitionEffects, is: PartitionEffects): string | null {
  if (was.accepted !== is.accepted) return `accepted readings were ${was.accepted} when it was committed, and are ${is.accepted} now`
  if (was.pending !== is.pending) return `series with open windows were ${was.pending} when it was committed, and are ${is.pending} now`
  if (was.logTimeMs !== is.logTimeMs) return `log time was ${formatTime(was.logTimeMs)} when it was committed, and is ${formatTime(is.logTimeMs)} now`
  return null
}

function anomalies(was: PartitionEffects, is: PartitionEffects): string | null {
  const name = (effects: PartitionEffects, i: number) => `anomaly ${seriesName(effects.series[effects.anomalies[i].series])}@${formatTime(effects.anomalies[i].ts)}`
  return rows('anomalies', was.anomalies, is.anomalies, (i) => name(was, i))
}

function forecasts(was: PartitionEffects, is: PartitionEffects): string | null {
  const all = (effects: PartitionEffects) => effects.forecasts.flatMap((f) => [...rowsOf(f)])
  const [before, now] = [all(was), all(is)]
  return rows('rows of forecasts', before, now, (i) => {
    const { series, ts, madeAt } = before[i]
    return `forecast ${seriesName(was.series[series])}@${formatTime(ts)} made at ${formatTime(madeAt)}`
  })
}

function windows(was: PartitionEffects, is: PartitionEffects): string | null {
  const name = (i: number) => {
    const { series, size, start } = was.windows[i]
    return `window ${seriesName(was.series[series])} ${WINDOW_SIZE_NAMES[size]} from ${formatTime(start)}`
  }
  return rows('windows', was.windows, is.windows, name)
}

/** The first field of the first row in which two lists differ. */
function rows<Row extends object>(what: string, was: readonly Row[], is: readonly Row[], nameOf: (i: number) => string): string | null {
  const both = Math.min(was.length, is.length)
  for (let i = 0; i < both; i++) {
    for (const key of Object.keys(was[i]) as (keyof Row & string)[]) {
      if (!Object.is(was[i][key], is[i][key])) return `${nameOf(i)}: ${key} was ${String(was[i][key])} when it was committed, and is ${String(is[i][key])} now`
    }
  }
  return was.length === is.length ? null : `${what} were ${was.length} when it was committed, and are ${is.length} now`
}

function list(what: string, was: readonly string[], is: readonly string[]): string | null {
  const at = was.findIndex((words, i) => words !== is[i])
  if (at >= 0) return `${what}: ${was[at]} when it was committed, ${is[at] ?? 'nothing'} now`
  return was.length === is.length ? null : `${what} were ${was.length} when it was committed, and are ${is.length} now`
}

function fateWords(f: BlockFates): string {
  return `block ${f.seq}: duplicate ${[...f.duplicate]}; expired ${[...f.expired]}; old ${[...f.old]} before ${[...f.closedUntil].map(formatTime)}`
}

function seriesName(s: { tenant: string; device: string; metric: string } | undefined): string {
  return s === undefined ? 'a series that is not named' : `${s.tenant}/${s.device}/${s.metric}`
}
