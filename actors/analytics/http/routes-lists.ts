/**
 * Endpoints that give lists: series, latest values, readings, windows, anomalies. Paged, as JSON, CSV, NDJSON or Parquet.
 */

import { WHY_ROWS_MAX } from '../../../runtime/limits.ts'
import { choiceOf, filterOf, limitOf, numberOf, rangeOf, sizeOf, zoneOf } from './parameters.ts'
import type { Neighbours } from '../query/neighbours.ts'
import { anomalies } from '../query/anomalies.ts'
import { readings } from '../query/readings.ts'
import type { Place } from '../query/pages.ts'
import type { Scope } from '../query/scope.ts'
import { WINDOW_NUMBERS } from '../query/stored-windows.ts'
import { FILLS, windows } from '../query/windows.ts'
import type { WindowPlace } from '../query/windows.ts'
import { LIST_FORMATS, countColumn, decodeCursor, encodeCursor, flagColumn, listReply, numberColumn, textColumn, timeColumn } from './reply.ts'
import type { ColumnSpec } from './reply.ts'
import type { AnalyticsSources, Get, Request } from './route.ts'
import * as shapes from './schemas.ts'
import type { SeriesEntry } from '../data/series-catalog.ts'
import { SIZE, SIZE_MUST } from '../query/window-grid.ts'

const PERCENTILES = ['exact', 'none'] as const

const NAMES = ['device', 'metric'].map(textColumn)
const SERIES = [...NAMES, countColumn('count'), timeColumn('first'), timeColumn('last'), numberColumn('value')]
const READINGS = [...NAMES, timeColumn('ts'), numberColumn('value'), timeColumn('received_at')]
const WINDOWS = [
  ...NAMES,
  textColumn('size'),
  timeColumn('start'),
  countColumn('count'),
  ...WINDOW_NUMBERS.map(numberColumn),
  textColumn('closed_by'),
]
const ANOMALIES = [
  ...NAMES,
  timeColumn('ts'),
  ...['value', 'score', 'expected', 'lower', 'upper'].map(numberColumn),
  ...['reason', 'kind', 'part'].map(textColumn),
  flagColumn('useful'),
]
const RESIDUAL = numberColumn('residual')
/** In JSON an object, `neighbours`; in a table columns of their own. */
const NEIGHBOURS = [textColumn('neighbours_kind'), countColumn('neighbours_devices'), countColumn('neighbours_unusual'), numberColumn('neighbours_median')]
const WHYS = ['false', 'true'] as const

export function listRoutes(get: Get, { tail }: AnalyticsSources): void {
  const scopeOf = ({ principal, query }: Request): Scope => ({ tenant: principal.tenant, filter: filterOf(query) })
  const reply = (
    { c, format, timeMs }: Request,
    name: string,
    columns: readonly ColumnSpec[],
    rows: unknown[][],
    place: readonly unknown[] | null,
  ) => listReply(c, { name, columns, rows, cursor: place === null ? null : encodeCursor(place) }, { format, timeMs, lake: tail.lake })

  /** A page of the catalog: rows of what `row` does not pass over. */
  const catalogPage = (request: Request, name: string, columns: readonly ColumnSpec[], row: (entry: SeriesEntry) => unknown[] | null) => {
    const limit = limitOf(request.query)
    const after = decodeCursor(request.query.cursor, 'ss') as [string, string] | null
    const { tenant, filter } = scopeOf(request)
    const rows: unknown[][] = []
    let last: SeriesEntry | null = null
    for (const entry of tail.catalog.list(tenant, filter, after)) {
      const cells = row(entry)
      if (cells === null) continue
      if (rows.length === limit) return reply(request, name, columns, rows, [last!.device, last!.metric])
      rows.push(cells)
      last = entry
    }
    return reply(request, name, columns, rows, null)
  }

  const query = { ...shapes.names, ...shapes.prefix, ...shapes.paging, ...shapes.forms }
  const ranged = { ...shapes.names, ...shapes.prefix, ...shapes.range }
  const paged = { ...shapes.paging, ...shapes.forms }

  get(
    '/v1/series',
    {
      summary: 'The series, each with count, first and last time, last value',
      query,
      answer: shapes.list('series', shapes.SeriesRow),
      formats: LIST_FORMATS,
    },
    (request) =>
      catalogPage(request, 'series', SERIES, (s) => (s.count === 0 ? null : [s.device, s.metric, s.count, s.first, s.ts, s.value])),
  )

  get(
    '/v1/latest',
    {
      summary: 'The last value of each series by event time',
      query,
      answer: shapes.list('latest', shapes.LatestRow),
      formats: LIST_FORMATS,
    },
    (request) =>
      catalogPage(request, 'latest', READINGS, (s) => (s.ts === -Infinity ? null : [s.device, s.metric, s.ts, s.value, s.receivedAt])),
  )

  get(
    '/v1/readings',
    {
      summary: 'Readings, duplicates removed, in order of time',
      query: { ...ranged, ...paged },
      answer: shapes.list('readings', shapes.ReadingRow),
      formats: LIST_FORMATS,
    },
    async (request) => {
      const after = decodeCursor(request.query.cursor, 'nssn') as Place | null
      const { rows, next } = await readings(tail, scopeOf(request), rangeOf(request.query, request.nowMs), after, limitOf(request.query))
      return reply(request, 'readings', READINGS, rows, next)
    },
  )

  get(
    '/v1/windows',
    {
      summary: 'A row a window, with all of its statistics',
      description:
        'Windows whose start lies in the range, ordered by device, metric, start. Sizes of 1m, 15m, 1h and 1d (UTC) are stored; any other is ' +
        'made of the coarsest of them that tile it, and its percentiles of its readings, exactly: percentiles=none leaves those null and ' +
        'is much faster over long ranges. In UTC windows are those of time_bucket(size, ts), which counts from midnight of Monday 2000-01-03, ' +
        'months from 2000-01-01. With tz they begin whenever a clock there shows a multiple of the size: days, weeks, months and years ' +
        'are those of the calendar, and days have 23 or 25 hours when clocks change. When a clock is put back, what it shows twice is two ' +
        'windows if the size is no longer than that, else one longer window. closed_by of a window that is made of others: open while its ' +
        'end is not past, one of them is open, or readings of it are in none of them yet; else late if one of them is; else as the last of ' +
        'them. fill adds the missing ones with count 0: with nulls, with the numbers of the window before, or on a straight line between ' +
        'neighbours.',
      query: {
        ...ranged,
        size: shapes.text(`Is ${SIZE_MUST}; 1m by default.`, '1h', { pattern: SIZE.source }),
        fill: shapes.choice('none by default.', FILLS, 'none'),
        tz: shapes.text('Zone whose clocks say where windows begin; UTC by default.', 'Europe/Vienna'),
        percentiles: shapes.choice('exact (the default), or none, of sizes that are not stored.', PERCENTILES, 'exact'),
        ...paged,
      },
      answer: shapes.list('windows', shapes.WindowRow),
      formats: LIST_FORMATS,
    },
    async (request) => {
      const size = sizeOf(request.query)
      const { rows, next } = await windows(tail, {
        scope: scopeOf(request),
        range: rangeOf(request.query, request.nowMs),
        size,
        zone: zoneOf(request.query),
        percentiles: choiceOf('percentiles', request.query.percentiles, PERCENTILES, 'exact') === 'exact',
        fill: choiceOf('fill', request.query.fill, FILLS, 'none'),
        after: decodeCursor(request.query.cursor, 'ssnn') as WindowPlace | null,
        limit: limitOf(request.query),
        nowMs: request.nowMs,
      })
      const shown = rows.map(([device, metric, ...rest]) => [device, metric, size.name, ...rest])
      return reply(request, 'windows', WINDOWS, shown, next)
    },
  )

  get(
    '/v1/anomalies',
    {
      summary: 'Anomalies, in order of time',
      description:
        'Each with the value that was expected, the band that would have been usual, what sort of thing it is (kind), the part of the detector that ' +
        'noticed it, a sentence of reason, and what somebody said of it: useful is null until POST /v1/anomalies/feedback. With why=true also how far ' +
        'the value was off (residual), and what the neighbours did: the other devices whose names are the same but for numbers, which measured the metric ' +
        'in that hour (in one that is not over, in the 60 minutes before), or where there are none, all that measured it; how many of them stood out ' +
        'within 15 minutes; and the median of their means. In formats of tables neighbours are columns, neighbours_kind and so on.',
      query: {
        ...ranged,
        minScore: shapes.text('Least score; 0 by default.', 0.9, { type: 'number', minimum: 0, maximum: 1 }),
        why: shapes.choice(`true adds residual and neighbours to each row; pages are then of at most ${WHY_ROWS_MAX} rows.`, WHYS, 'true'),
        ...paged,
      },
      answer: shapes.list('anomalies', shapes.AnomalyRow),
      formats: LIST_FORMATS,
    },
    async (request) => {
      const { query, format, nowMs } = request
      const why = choiceOf('why', query.why, WHYS, 'false') === 'true'
      const limit = limitOf(query)
      const { rows, next } = await anomalies(tail, scopeOf(request), rangeOf(query, nowMs), {
        minScore: numberOf('minScore', query.minScore, { fallback: 0, min: 0, max: 1, integer: false }),
        after: decodeCursor(query.cursor, 'nssn') as Place | null,
        limit: why ? Math.min(limit, WHY_ROWS_MAX) : limit,
        whyMs: why ? nowMs : undefined,
      })
      if (!why) return reply(request, 'anomalies', ANOMALIES, rows, next)
      // An object is written as it is; formats of tables have no such cell.
      if (format === 'json' || format === 'ndjson') return reply(request, 'anomalies', [...ANOMALIES, RESIDUAL, textColumn('neighbours')], rows, next)
      const flat = rows.map((row) => {
        const { kind, devices, unusual, median } = row.at(-1) as Neighbours
        return [...row.slice(0, -1), kind, devices, unusual, median]
      })
      return reply(request, 'anomalies', [...ANOMALIES, RESIDUAL, ...NEIGHBOURS], flat, next)
    },
  )
}
