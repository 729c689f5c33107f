/**
 * `weir edge`: takes readings in over HTTP, and passes everything else on to a store. Any number of them run side by side.
 */

import process from 'node:process'
import { createEdge } from '../actors/edge/edge.ts'
import { systemClock } from '../runtime/clock.ts'
import { readFlags } from '../runtime/config.ts'
import type { Env, FlagSpec } from '../runtime/config.ts'
import { serveApp } from '../runtime/http.ts'
import { ensureInstallation } from '../runtime/installation.ts'
import { Keyring } from '../runtime/keys.ts'
import { BODY_MAX_BYTES } from '../runtime/limits.ts'
import { Membership, runtimeName } from '../runtime/membership.ts'
import { embeddedNatsUrl } from '../runtime/nats-address.ts'
import { connectNats } from '../runtime/nats-log.ts'
import { runProcess } from '../runtime/process.ts'
import type { Running } from '../runtime/process.ts'
import { createLogger, createMetrics } from '../runtime/telemetry.ts'
import { BUCKET_KEYS } from '../runtime/topology.ts'

const SPEC = {
  nats: { type: 'string', default: null, help: "the log's servers: nats://user:password@host:port, several separated by commas; without it, those of a weir up on the data folder" },
  data: { type: 'string', default: './data', help: 'data folder of a weir up to join' },
  host: { type: 'string', default: '127.0.0.1', help: 'address to listen on' },
  port: { type: 'number', default: 8080, integer: true, min: 0, max: 65_535, help: 'port to listen on; 0 for any that is free' },
  quota: { type: 'number', default: null, min: 1, help: 'readings a second of each tenant, through all edges together; without it, no bound' },
  bodyMax: { type: 'bytes', default: BODY_MAX_BYTES, help: 'largest body of a request, before and after inflating' },
  partitions: { type: 'number', default: null, integer: true, min: 1, max: 1024, help: 'partitions, fixed at the first start of any process: 64 unless said otherwise' },
  replicas: { type: 'number', default: 1, integer: true, min: 1, max: 5, help: 'copies that the servers keep of the log, fixed at the first start' },
} as const satisfies FlagSpec

export async function main(argv: string[], env: Env): Promise<void> {
  const flags = readFlags('edge', 'Takes readings in over HTTP, and passes everything else on to a store.', SPEC, argv, env)
  const clock = systemClock
  const logger = createLogger('edge')
  const metrics = createMetrics()

  await runProcess({
    title: 'weir-edge',
    logger,
    start: async (): Promise<Running> => {
      const servers = flags.nats ?? (await embeddedNatsUrl(flags.data, 'edge'))
      const connection = await connectNats({ servers, name: 'weir-edge', clock })
      const topology = await ensureInstallation(connection, {
        partitions: flags.partitions ?? undefined,
        partitionsDefault: 64,
        replicas: flags.replicas,
        bytesMax: -1,
        clock,
      })
      const keyring = await Keyring.open(await connection.kv(BUCKET_KEYS), clock)
      const membership = new Membership({
        bus: connection.bus,
        clock,
        self: { id: clock.nonce(), role: 'edge', url: null, runtime: runtimeName(), pid: process.pid, startedAt: clock.now(), partitions: [] },
        connected: () => connection.connected(),
      })
      connection.onReconnect(() => membership.refresh())
      const edge = createEdge({ connection, topology, keyring, membership, clock, logger, metrics, quota: flags.quota, bodyMaxBytes: flags.bodyMax })
      membership.start()
      const served = await serveApp({ app: edge.app, host: flags.host, port: flags.port })
      membership.update({ url: served.url })
      logger.info({ url: served.url, partitions: topology.partitions }, `takes readings on ${served.url}`)
      return {
        stop: async () => {
          // New requests are refused while those under way are answered; what streams through to a store is cut.
          await edge.stop()
          await served.close({ graceMs: 1_000 })
          membership.stop()
          keyring.close()
          await connection.close()
        },
      }
    },
  })
}

if (import.meta.main) await main(process.argv.slice(2), process.env)
