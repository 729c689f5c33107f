/** What the edge counts of itself. */

import prom from 'prom-client'
import type { Counter, Histogram, Registry } from 'prom-client'
import { REJECT_CAUSES } from '../reading/validate.ts'

export interface EdgeMetrics {
  readonly accepted: Counter
  readonly rejected: Counter<'cause'>
  readonly rejectsLost: Counter
  readonly requests: Counter<'status'>
  readonly blocks: Counter<'outcome'>
  readonly blockBytes: Counter
  readonly blockRows: Histogram
  readonly ack: Histogram
}

/** What is asked at each scrape. */
export interface Asked {
  readonly bytesInHand: () => number
  readonly blocksInFlight: () => number
  readonly liveStreams: () => number
  readonly liveResumed: () => number
}

/** Registers the edge's metrics. */
export function edgeMetrics(registry: Registry, asked: Asked): EdgeMetrics {
  const registers = [registry]
  new prom.Gauge({
    name: 'weir_edge_bytes_in_hand',
    help: 'Bytes of bodies being read and of blocks that the log has not acknowledged',
    registers,
    collect() {
      this.set(asked.bytesInHand())
    },
  })
  new prom.Gauge({
    name: 'weir_edge_blocks_in_flight',
    help: 'Blocks published and not yet acknowledged',
    registers,
    collect() {
      this.set(asked.blocksInFlight())
    },
  })
  new prom.Gauge({
    name: 'weir_edge_live_streams',
    help: 'Live streams that pass through the edge',
    registers,
    collect() {
      this.set(asked.liveStreams())
    },
  })
  new prom.Counter({
    name: 'weir_edge_live_resumed_total',
    help: 'Live streams that went on at another store, as theirs was gone',
    registers,
    collect() {
      this.reset()
      this.inc(asked.liveResumed())
    },
  })
  return {
    accepted: new prom.Counter({ name: 'weir_edge_readings_accepted_total', help: 'Readings acknowledged by the log and answered with 2xx', registers }),
    rejected: rejectedCounter(registers),
    rejectsLost: new prom.Counter({ name: 'weir_edge_rejects_lost_total', help: 'Rejected readings that the ledger will not show, as the log was away', registers }),
    requests: new prom.Counter({ name: 'weir_edge_requests_total', help: 'Requests to write readings, by status', labelNames: ['status'], registers }),
    blocks: new prom.Counter({ name: 'weir_edge_blocks_total', help: 'Blocks published, by outcome', labelNames: ['outcome'], registers }),
    blockBytes: new prom.Counter({ name: 'weir_edge_block_bytes_total', help: 'Bytes of blocks published', registers }),
    blockRows: new prom.Histogram({ name: 'weir_edge_block_rows', help: 'Readings in a block', buckets: [1, 4, 16, 64, 256, 1024, 4096, 16384], registers }),
    ack: new prom.Histogram({
      name: 'weir_edge_ack_seconds',
      help: 'From publishing a block to its acknowledgement',
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
      registers,
    }),
  }
}

/** Every cause is there from the start, so that the first of them shows as a rise. */
function rejectedCounter(registers: Registry[]): Counter<'cause'> {
  const help = 'Readings turned away, by what was wrong: a part of the reading, the key, its form, or the whole body'
  const counter = new prom.Counter({ name: 'weir_edge_readings_rejected_total', help, labelNames: ['cause'], registers })
  for (const cause of REJECT_CAUSES) counter.inc({ cause }, 0)
  return counter
}
