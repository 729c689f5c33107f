/** The endpoint of live streams: what is asked for, whether there is room, and the answer that stays open. */

import type { HttpBindings } from '@hono/node-server'
import { z } from '@hono/zod-openapi'
import { problem } from '../../../runtime/http.ts'
import { LiveStreams } from '../live/resume.ts'
import { openSink } from '../live/sink.ts'
import { KINDS } from '../live/subscriber.ts'
import { choicesOf, filterOf } from './parameters.ts'
import type { AnalyticsSources, Get } from './route.ts'
import * as shapes from './schemas.ts'

const HEADERS = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' }
const LAST_ID = 'Id of the last event that was read: the stream goes on behind it, exactly.'

export function liveRoute(get: Get, { tail, hub, log, clock, logger }: AnalyticsSources): void {
  const streams = new LiveStreams({ hub, catalog: tail.catalog, log, clock, logger })
  const about = {
    summary: 'Server-Sent Events: a snapshot, then readings, windows, anomalies, alerts and forecasts as they come',
    description:
      'Events: snapshot, reading, window, anomaly, alert, forecast. Each has an id; Last-Event-ID resumes behind it, exactly, at any store of ' +
      'the installation; where the log no longer holds what lies behind it, the stream begins with a snapshot. An edge resumes by itself where ' +
      'a store is gone: the stream pauses, and goes on. A reading that is sent twice may show twice. A stream whose reader is too slow ends ' +
      'with a comment that says so, and resumes. A quiet one has a comment every 15 seconds or so.',
    query: {
      ...shapes.names,
      ...shapes.prefix,
      kind: z.string().optional().openapi({
        description: `${KINDS.join(', ')}; several with commas, all by default.`,
        example: 'reading,anomaly',
      }),
      lastEventId: z.string().optional().openapi({ description: `${LAST_ID} For clients that can't send the header, which counts where both are sent.` }),
      time: shapes.forms.time,
    },
    headers: {
      'Last-Event-ID': z.string().optional().openapi({ description: LAST_ID }),
    },
    answer: z.string(),
    content: 'text/event-stream',
  }
  get('/v1/live', about, ({ c, query, principal, timeMs }) => {
    const filter = { tenant: principal.tenant, filter: filterOf(query), kinds: choicesOf('kind', query.kind, KINDS), timeMs }
    if (c.req.raw.method === 'HEAD') return new Response(null, { status: 200, headers: HEADERS })
    if (!hub.open) {
      const detail = 'Close some, or try again later.'
      return problem(c, { status: 503, title: 'Too many live streams', detail, headers: { 'retry-after': '5' } })
    }
    const { sink, answer } = openSink(((c.env ?? {}) as Partial<HttpBindings>).outgoing, HEADERS)
    streams.open(filter, sink, c.req.header('last-event-id') ?? query.lastEventId ?? null)
    return answer
  })
}
