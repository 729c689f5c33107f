/**
 * The endpoint that draws: one series as columns ready to plot, or several metrics of one device over the same time, for linked charts.
 */

import { z } from '@hono/zod-openapi'
import { parseDuration } from '../../../runtime/config.ts'
import { FORECAST_HORIZON_MAX_MS, GRAPH_METRICS_MAX, GRAPH_WIDTH_MAX } from '../../../runtime/limits.ts'
import { graph } from '../query/graph.ts'
import type { Graph } from '../query/graph.ts'
import { filterOf, numberOf, rangeOf, seriesOf } from './parameters.ts'
import type { Query } from './parameters.ts'
import { ParameterError } from './reply.ts'
import type { AnalyticsSources, Get } from './route.ts'
import * as shapes from './schemas.ts'
import { formatTime } from '../data/times.ts'

const DAY_MS = 86_400_000
/** A forecast is drawn as far ahead as this part of the range. */
const AHEAD_SHARE = 3

export function graphRoute(get: Get, { tail }: AnalyticsSources): void {
  get(
    '/v1/graph',
    {
      summary: 'One series as columns that are ready to plot',
      description:
        'At most a few points a pixel, each with the least and the greatest value of its bucket, so that no extreme is lost at any zoom. The ' +
        'last 24 hours by default. Where there are no more than two readings a pixel, each is a point, and stepMs is 0. Else points are ' +
        'buckets of stepMs, made of the coarsest windows that are fine enough (source). p50 and p95 of a bucket that holds several windows ' +
        'are those of the mixture of their distributions, estimated from the quantiles of each: off by no more than those differ within ' +
        'the bucket; exact to 1 % where a bucket is one window; null where they are not known. gaps are where the series was silent for ' +
        'longer than three of its usual intervals. Of more than 2000 anomalies the worst are shown. Several metrics with commas between ' +
        'give {device, from, to, width, series: [a graph of each]}.',
      query: {
        ...shapes.drawn,
        ...shapes.range,
        width: shapes.whole('Pixels, 800 by default.', 800, { minimum: 1, maximum: GRAPH_WIDTH_MAX }),
        horizon: z.string().optional().openapi({ description: 'How far ahead the forecast is drawn where the range reaches the present, up to 7d; 0s for none. A third of the range by default.', example: '24h' }),
        ...shapes.forms,
      },
      answer: z.union([shapes.Graph, shapes.Graphs]),
    },
    async ({ c, query, principal, nowMs, timeMs }) => {
      const { device, metrics } = drawn(query)
      const range = rangeOf(query, nowMs, { from: nowMs - DAY_MS, to: nowMs })
      const width = numberOf('width', query.width, { fallback: 800, min: 1, max: GRAPH_WIDTH_MAX })
      const aheadMs = query.horizon === undefined || query.horizon === '' ? Math.min((range.to - range.from) / AHEAD_SHARE, FORECAST_HORIZON_MAX_MS) : aheadOf(query.horizon)
      const graphs: Graph[] = []
      for (const metric of metrics) graphs.push(await graph(tail, { tenant: principal.tenant, device, metric, range, width, aheadMs, nowMs }))
      const time = (ms: number) => (timeMs ? ms : formatTime(ms))
      const [from, to] = [time(range.from), time(range.to)]
      const shown = graphs.map((made) => ({
        ...made,
        from,
        to,
        ts: made.ts.map(time),
        gaps: made.gaps.map((gap) => gap.map(time)),
        anomalies: { ...made.anomalies, ts: made.anomalies.ts.map(time) },
        forecast: made.forecast && { ...made.forecast, made_at: time(made.forecast.made_at), ts: made.forecast.ts.map(time) },
      }))
      return c.json(shown.length === 1 ? shown[0] : { device, from, to, width, series: shown }, 200, { 'cache-control': 'no-store' })
    },
  )
}

function aheadOf(text: string): number {
  const aheadMs = parseDuration(text)
  if (aheadMs !== null && aheadMs >= 0 && aheadMs <= FORECAST_HORIZON_MAX_MS) return aheadMs
  throw new ParameterError('horizon', `a duration such as 24h, of at most ${FORECAST_HORIZON_MAX_MS / DAY_MS}d`, text)
}

/** The one device, and the metrics in the order in which they are asked for. */
function drawn(query: Query): { device: string; metrics: readonly string[] } {
  const metrics = [...(filterOf(query).metrics ?? [])]
  if (metrics.length > GRAPH_METRICS_MAX) {
    throw new ParameterError('metric', `a list of at most ${GRAPH_METRICS_MAX} names`, `${metrics.length} names`)
  }
  return { device: seriesOf({ ...query, metric: metrics[0] }).device, metrics }
}
