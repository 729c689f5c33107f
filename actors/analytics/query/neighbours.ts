/**
 * What other devices did when one was unlike itself: how many measured the same then, how many of them stood out as well, and what they measured.
 *
 * A frost is seen by every probe of the field, a loose wire by one: the neighbours tell which.
 *
 * - N1 Neighbours are the other devices of the tenant that measured the same metric in the hour of the anomaly and are of its kind: their names are
 *   the same but for numbers. Where none of its kind did, they are all that measured the metric.
 * - N2 A neighbour stood out where it has an anomaly of the metric within 15 minutes of this one, before or behind.
 * - N3 The hour is the one of the clock, by its windows. One that is under way, or just over, has none yet: then it is the quarter of an hour in which
 *   the anomaly lies and the four before it, by their windows, of each neighbour the one nearest to it.
 * - N4 Bounded: one statement for a page, whose joins are by equality, over the segments that hold these hours. Fresh rows are given to it.
 */

import type { Range } from '../data/fresh.ts'
import { text, timestamp } from '../data/lake.ts'
import type { GivenTable } from '../data/lake.ts'
import type { Tail, View } from '../data/tail.ts'
import { HOUR_MS, WINDOW_SIZES_MS } from '../../reading/window.ts'
import { rangeSql } from './scope.ts'
import { freshAnomalies } from '../data/fresh.ts'
import type { Scope } from './scope.ts'
import { CLOSED_BY_AT, freshWindows } from './stored-windows.ts'

export interface Neighbours {
  /** Names of the devices, numbers as #; null where none of its kind measured, and they are of any. */
  readonly kind: string | null
  readonly devices: number
  readonly unusual: number
  /** Median of their means; null where there are none. */
  readonly median: number | null
}

/** An anomaly by its name. Times are epoch ms. */
export interface Asked {
  readonly device: string
  readonly metric: string
  readonly ts: number
}

const QUARTER_MS = 900_000
const [QUARTERS, HOURS] = [QUARTER_MS, HOUR_MS].map((ms) => (WINDOW_SIZES_MS as readonly number[]).indexOf(ms))
/** How long after its end the windows of an hour may be missing still: lateness, idleness, and a commit. */
const CLOSING_MS = 300_000
/** Greater than the sequence of any commit: rows of the fresh ones, and above them those that the store has made with late readings. */
const [FRESH_VERSION, OWN_VERSION] = [1e15, 2e15]

export const NOBODY: Neighbours = { kind: null, devices: 0, unusual: 0, median: null }

/** Devices of one kind have the same text. */
export const kindOf = (device: string): string => device.replace(/[0-9]+/g, '#')
const KIND_SQL = `regexp_replace(device, '[0-9]+', '#', 'g')`

/** Neighbours of each anomaly, in their order. The caller holds the view. */
export async function neighboursOf(tail: Tail, view: View, tenant: string, asked: readonly Asked[], nowMs: number): Promise<Neighbours[]> {
  if (asked.length === 0) return []
  const slots = asked.flatMap((anomaly, n) => slotsOf(anomaly, nowMs).map((slot) => ({ ...slot, n, ...anomaly })))
  const scope: Scope = { tenant, filter: { devices: null, metrics: new Set(asked.map(({ metric }) => metric)), prefix: null } }
  const given: GivenTable[] = [
    {
      name: 'asked_slots',
      texts: { device: slots.map((s) => s.device), metric: slots.map((s) => s.metric), kind: slots.map((s) => kindOf(s.device)) },
      numbers: { n: slots.map((s) => s.n), ts: slots.map((s) => s.ts), size: slots.map((s) => s.size), start: slots.map((s) => s.start) },
    },
  ]
  const windows = [HOURS, QUARTERS].flatMap((size) => {
    const starts = [...new Set(slots.filter((slot) => slot.size === size).map((slot) => slot.start))]
    return starts.length === 0 ? [] : windowsSql(view, scope, size, starts, given)
  })
  const anomalies = anomaliesSql(view, scope, asked, given)
  const counts = (of: string) => `count(*) FILTER (${of})::DOUBLE, count(*) FILTER (${of} AND odd.n IS NOT NULL)::DOUBLE, median(mean) FILTER (${of})`
  const columns = await tail.lake.query(
    `WITH found AS (
       SELECT device, metric, size, start, arg_max(mean, version) AS mean, ${KIND_SQL} AS its_kind FROM (${windows.join(' UNION ALL ')}) GROUP BY ALL),
     near AS (
       SELECT asked_slots.n AS n, found.device AS device, any_value(its_kind = kind) AS kin,
         arg_min(mean, abs(start + ${QUARTER_MS / 2} - ts)) AS mean
       FROM asked_slots JOIN found USING (metric, size, start) WHERE found.device <> asked_slots.device GROUP BY ALL),
     odd AS (
       SELECT DISTINCT s.n AS n, a.device AS device
       FROM (SELECT DISTINCT n, metric, ts, floor(ts / ${QUARTER_MS}) + step AS quarter FROM asked_slots, (VALUES (-1), (0), (1)) v(step)) s
       JOIN (SELECT device, metric, ts, floor(ts / ${QUARTER_MS}) AS quarter FROM (${anomalies})) a USING (metric, quarter)
       WHERE abs(a.ts - s.ts) <= ${QUARTER_MS})
     SELECT near.n, ${counts('kin')}, ${counts('true')} FROM near LEFT JOIN odd USING (n, device) GROUP BY near.n`,
    given,
  )
  const found = new Array<Neighbours>(asked.length).fill(NOBODY)
  for (let i = 0; i < (columns[0]?.length ?? 0); i++) {
    const [n, kin, kinUnusual, kinMedian, devices, unusual, median] = columns.map((column) => column[i] as number)
    found[n] = kin > 0 ? { kind: kindOf(asked[n].device), devices: kin, unusual: kinUnusual, median: kinMedian } : { kind: null, devices, unusual, median }
  }
  return found
}

/** The windows that tell of the hour of an anomaly (N3). */
function slotsOf({ ts }: Asked, nowMs: number): { size: number; start: number }[] {
  const hour = Math.floor(ts / HOUR_MS) * HOUR_MS
  if (hour + HOUR_MS + CLOSING_MS <= nowMs) return [{ size: HOURS, start: hour }]
  const quarter = Math.floor(ts / QUARTER_MS) * QUARTER_MS
  return [4, 3, 2, 1, 0].map((back) => ({ size: QUARTERS, start: quarter - back * QUARTER_MS }))
}

/** Windows of one size as rows `device, metric, size, start, mean, version`; fresh ones are put into `given`. */
function windowsSql(view: View, scope: Scope, size: number, starts: readonly number[], given: GivenTable[]): string[] {
  const wanted = new Set(starts)
  const range = rangeOf(starts, 0, 1)
  const fresh = [...freshWindows(view.fresh, scope, range, size).values()].filter((row) => wanted.has(row[2]))
  const name = `fresh_windows_${size}`
  given.push({
    name,
    texts: { device: fresh.map((row) => row[0]), metric: fresh.map((row) => row[1]) },
    numbers: { start: fresh.map((row) => row[2]), mean: fresh.map((row) => row[6] as number), late: fresh.map((row) => (row[CLOSED_BY_AT] === 'late' ? 1 : 0)) },
  })
  const files = new Set(starts.flatMap((start) => view.version.reached('windows', { from: start, to: start + 1, size }).map(({ segment }) => segment.file)))
  const version = `version::DOUBLE + CASE WHEN closed_by = 'late' THEN ${OWN_VERSION} ELSE 0 END`
  return [
    `SELECT device, metric, ${size}::DOUBLE AS size, epoch_ms(start)::DOUBLE AS start, mean, ${version} AS version
     FROM ${view.version.relation('windows', { ...range, size, files })}
     WHERE ${ownSql(scope)} AND size = to_minutes(${WINDOW_SIZES_MS[size] / 60_000})${rangeSql('start', range)} AND start IN (${starts.map(timestamp).join(', ')})`,
    `SELECT device, metric, ${size}::DOUBLE, start, mean, ${FRESH_VERSION}::DOUBLE + late * ${OWN_VERSION} FROM ${name}`,
  ]
}

/** Anomalies that may lie near as rows `device, metric, ts`; fresh ones are put into `given`. */
function anomaliesSql(view: View, scope: Scope, asked: readonly Asked[], given: GivenTable[]): string {
  const range = rangeOf(asked.map(({ ts }) => ts), QUARTER_MS, QUARTER_MS + 1)
  const fresh = freshAnomalies(view.fresh, scope, range, 0)
  given.push({ name: 'fresh_anomalies', texts: { device: fresh.map((row) => row[0]), metric: fresh.map((row) => row[1]) }, numbers: { ts: fresh.map((row) => row[2]) } })
  const files = new Set(asked.flatMap(({ ts }) => view.version.reached('anomalies', rangeOf([ts], QUARTER_MS, QUARTER_MS + 1)).map(({ segment }) => segment.file)))
  return `SELECT device, metric, epoch_ms(ts)::DOUBLE AS ts FROM ${view.version.relation('anomalies', { ...range, files })} WHERE ${ownSql(scope)}${rangeSql('ts', range)}
    UNION ALL SELECT device, metric, ts FROM fresh_anomalies`
}

const ownSql = ({ tenant, filter }: Scope) => `tenant = ${text(tenant)} AND metric IN (${[...filter.metrics!].map(text).join(', ')})`

function rangeOf(times: readonly number[], before: number, behind: number): Range {
  let [from, to] = [Infinity, -Infinity]
  for (const t of times) [from, to] = [Math.min(from, t), Math.max(to, t)]
  return { from: from - before, to: to + behind }
}
