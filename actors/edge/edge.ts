/**
 * The edge: takes readings in over HTTP and answers for them, and passes everything else on to a store.
 *
 * Puts the parts together and speaks HTTP; each part says what it owns: ingest.ts the way of a request, batcher.ts blocks,
 * rejects.ts what was turned away, relay.ts live streams, proxy.ts the rest. Leaves listening to whoever serves `app`.
 */

import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import type { Context } from 'hono'
import type { Registry } from 'prom-client'
import type { Clock } from '../../runtime/clock.ts'
import { healthRoutes, installProblems, problem } from '../../runtime/http.ts'
import type { Keyring } from '../../runtime/keys.ts'
import { BODY_MAX_BYTES, EDGE_OUTSTANDING_BYTES } from '../../runtime/limits.ts'
import type { Connection } from '../../runtime/log.ts'
import type { Topology } from '../../runtime/topology.ts'
import { Batcher } from './batcher.ts'
import { Ingest } from './ingest.ts'
import type { Verdict } from './ingest.ts'
import { edgeMetrics } from './metrics.ts'
import { Proxy } from './proxy.ts'
import { Quotas } from './quota.ts'
import { RejectsLog } from './rejects.ts'
import { LiveRelay } from './relay.ts'
import { StoreChoice } from './store-choice.ts'
import type { Stores } from './store-choice.ts'

export interface EdgeOptions {
  readonly connection: Connection
  readonly topology: Topology
  readonly keyring: Keyring
  /** Where the stores are: a `Membership`. */
  readonly membership: Stores
  readonly clock: Clock
  readonly logger: { warn(fields: object, message: string): void; error(fields: object, message: string): void }
  /** A registry of prom-client. */
  readonly metrics: Registry
  /** Readings a second of each tenant through all edges together; null (the default) for no bound. */
  readonly quota?: number | null
  /** Bytes of a body, before and after inflating; `BODY_MAX_BYTES` by default. */
  readonly bodyMaxBytes?: number
  /** Bytes in hand beyond which requests get 503; `EDGE_OUTSTANDING_BYTES` by default. */
  readonly outstandingMaxBytes?: number
}

export interface Edge {
  readonly app: Hono
  /** Refuses new readings with 503, sends what is open, and resolves when all of it is answered. */
  stop(): Promise<void>
}

/** The edge's app, ready to be served. */
export function createEdge(options: EdgeOptions): Edge {
  const { connection, topology, keyring, clock, logger } = options
  const outstandingMaxBytes = options.outstandingMaxBytes ?? EDGE_OUTSTANDING_BYTES
  let open = true
  let bodyBytes = 0
  let troubleMs = -Infinity
  const hand = {
    hold: (bytes: number) => {
      bodyBytes += bytes
      return bodyBytes + batcher.bytesInHand <= outstandingMaxBytes
    },
    release: (bytes: number) => {
      bodyBytes -= bytes
    },
  }
  const batcher = new Batcher({
    connection,
    topology,
    clock,
    report: ({ rows, bytes, ms, error }) => {
      metrics.blocks.inc({ outcome: error === null ? 'stored' : 'failed' })
      metrics.ack.observe(ms / 1000)
      metrics.blockRows.observe(rows)
      metrics.blockBytes.inc(bytes)
      // One line a second says as much as one a block, of a log that is away.
      if (error !== null && clock.monotonic() - troubleMs >= 1000) {
        troubleMs = clock.monotonic()
        logger.warn({ code: (error as { code?: string }).code, err: error.message }, 'the log did not take a block; its senders were told so')
      }
    },
  })
  const metrics = edgeMetrics(options.metrics, {
    bytesInHand: () => bodyBytes + batcher.bytesInHand,
    blocksInFlight: () => batcher.blocksInFlight,
    liveStreams: () => relay.size,
    liveResumed: () => relay.resumed,
  })
  const rejects = new RejectsLog({
    connection,
    topology,
    clock,
    onLost: (count) => {
      metrics.rejectsLost.inc(count)
      logger.warn({ count }, 'the ledger will not show these rejected readings, as the log is away')
    },
  })
  const quotas = new Quotas({ clock, bus: connection.bus, perTenant: options.quota ?? null })
  const choice = new StoreChoice({ stores: options.membership, clock })
  const proxy = new Proxy(choice)
  const relay = new LiveRelay({ choice, clock })
  const ingest = new Ingest({
    keyring,
    batcher,
    rejects,
    quotas,
    metrics,
    clock,
    hand,
    bodyMaxBytes: options.bodyMaxBytes ?? BODY_MAX_BYTES,
    open: () => open,
  })

  const app = new Hono()
  installProblems(app, (error) => logger.error({ err: error }, 'a request failed'))
  app.route('/', healthRoutes({ registry: options.metrics, ready: () => (open ? connection.connected() || 'The log is not connected. Try again in a second.' : false) }))
  const counted = (response: Response) => {
    metrics.requests.inc({ status: String(response.status) })
    return response
  }
  app.post('/v1/readings', async (c) => counted(answer(c, await ingest.readings(c))))
  app.post('/api/v2/write', async (c) => counted(answerInflux(c, await ingest.lines(c))))
  app.get('/v1/live', (c) => (c.req.raw.method === 'HEAD' || (c.env as Partial<HttpBindings>)?.outgoing === undefined ? proxy : relay).handle(c))
  app.all('*', (c) => proxy.handle(c))

  return {
    app,
    stop: async () => {
      open = false
      await batcher.drain()
      await rejects.drain()
      quotas.close()
      relay.close()
      proxy.close()
    },
  }
}

function answer(c: Context, verdict: Verdict): Response {
  return 'problem' in verdict ? problem(c, verdict.problem) : accepted(verdict)
}

function accepted(verdict: Extract<Verdict, { accepted: number }>): Response {
  const { accepted, rejected, rejectedCount } = verdict
  const body = rejectedCount > rejected.length ? { accepted, rejected, rejectedCount } : { accepted, rejected }
  return new Response(JSON.stringify(body), { status: 202, headers: { 'content-type': 'application/json' } })
}

const INFLUX_CODES: Readonly<Record<number, string>> = {
  400: 'invalid',
  401: 'unauthorized',
  403: 'forbidden',
  413: 'request too large',
  415: 'invalid',
  429: 'too many requests',
  503: 'unavailable',
}

/**
 * As InfluxDB answers: 204 where all was taken, `{code, message, line}` where nothing was. A part that was taken is a 202 with the
 * rejected ones named: Telegraf takes it for delivered, where a 400 would make it say that all was dropped.
 */
function answerInflux(_c: Context, verdict: Verdict): Response {
  if (!('problem' in verdict)) return verdict.rejectedCount === 0 ? new Response(null, { status: 204 }) : accepted(verdict)
  const { status, detail, headers } = verdict.problem
  const first = verdict.rejected?.[0]
  const body = { code: INFLUX_CODES[status] ?? 'internal error', message: detail, ...(first === undefined ? {} : { line: first.index + 1 }) }
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } })
}
