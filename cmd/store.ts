/**
 * `weir store`: writes the lake, and serves the analytics API, live streams and the dashboard. One a data folder. `weir store forget NAME`
 * removes a reader of the log that will not come back, for which the log would be kept for ever.
 */

import { resolve } from 'node:path'
import process from 'node:process'
import { Hono } from 'hono'
import { startStore } from '../actors/analytics/store.ts'
import type { Store } from '../actors/analytics/store.ts'
import { forgetReader, listReaders, readerName } from '../actors/store/readers.ts'
import { systemClock } from '../runtime/clock.ts'
import { readFlags } from '../runtime/config.ts'
import type { Env, FlagSpec } from '../runtime/config.ts'
import { isOperating, OperatingError } from '../runtime/errors.ts'
import { healthRoutes, problem, serveApp } from '../runtime/http.ts'
import { readInstallation } from '../runtime/installation.ts'
import { Keyring } from '../runtime/keys.ts'
import { KEEP_LOG_MS, KEEP_SUPERSEDED_MS } from '../runtime/limits.ts'
import { Membership, runtimeName } from '../runtime/membership.ts'
import { embeddedNatsUrl } from '../runtime/nats-address.ts'
import { connectNats } from '../runtime/nats-log.ts'
import { runProcess } from '../runtime/process.ts'
import { createLogger, createMetrics } from '../runtime/telemetry.ts'
import { BUCKET_KEYS, BUCKET_META } from '../runtime/topology.ts'

const SPEC = {
  nats: { type: 'string', default: null, help: "the log's servers: nats://user:password@host:port, several separated by commas; without it, those of a weir up on the data folder" },
  data: { type: 'string', default: './data', help: 'data folder: the lake is its lake' },
  host: { type: 'string', default: '127.0.0.1', help: 'address to listen on' },
  port: { type: 'number', default: 0, integer: true, min: 0, max: 65_535, help: 'port to listen on; 0 for any that is free' },
  name: { type: 'string', default: '', help: 'name among the readers of the log, its own and the same at each start; by default made of the machine and the data folder' },
  retention: { type: 'duration', default: 0, help: 'age at which readings leave the lake; 0 for never' },
  retentionBytes: { type: 'bytes', default: 0, help: 'size that the lake may have: beyond it its oldest days leave; 0 for no bound' },
  keepSuperseded: { type: 'duration', default: KEEP_SUPERSEDED_MS, help: 'how long a merged segment stays for those who have it open' },
  keepLog: { type: 'duration', default: KEEP_LOG_MS, help: 'how long the log is kept for replay although everyone has read it' },
} as const satisfies FlagSpec

const ARGS = { usage: '[forget NAME]', max: 2 } as const

export async function main(argv: string[], env: Env): Promise<void> {
  const flags = readFlags('store', 'Writes the lake, and serves the analytics API, live streams and the dashboard.', SPEC, argv, env, ARGS)
  if (flags._.length > 0) return forget(flags._, flags)
  const clock = systemClock
  const logger = createLogger('store')
  const metrics = createMetrics()
  const name = readerName(flags.name, flags.data)

  await runProcess({
    title: 'weir-store',
    logger,
    start: async () => {
      const servers = flags.nats ?? (await embeddedNatsUrl(flags.data, 'store'))
      const connection = await connectNats({ servers, name: `weir-store ${name}`, clock })
      const topology = await readInstallation(connection, { clock })
      const keyring = await Keyring.open(await connection.kv(BUCKET_KEYS), clock)
      const membership = new Membership({
        bus: connection.bus,
        clock,
        self: { id: `${name}-${clock.nonce(3)}`, role: 'store', url: null, runtime: runtimeName(), pid: process.pid, startedAt: clock.now(), partitions: [] },
        connected: () => connection.connected(),
      })
      connection.onReconnect(() => membership.refresh())
      membership.start()

      // Health answers while the logs are being caught up with, which can take a while.
      let store: Store | null = null
      const app = new Hono()
      app.route('/', healthRoutes({ ready: () => store?.ready() ?? 'The store is opening the lake.', registry: metrics }))
      app.all('*', (c) => {
        if (store !== null) return store.app.fetch(c.req.raw, c.env as object)
        return problem(c, { status: 503, title: 'Not ready', detail: 'The store is opening the lake. Try again in a second.', headers: { 'retry-after': '1' } })
      })
      const served = await serveApp({ app, host: flags.host, port: flags.port })
      store = await startStore({
        connection,
        topology,
        dataDir: resolve(flags.data),
        keyring,
        membership,
        clock,
        logger,
        metrics,
        writer: { nats: servers, name, keepSupersededMs: flags.keepSuperseded, keepLogMs: flags.keepLog, retentionMs: flags.retention, retentionBytes: flags.retentionBytes },
      })
      membership.update({ url: served.url })
      logger.info({ url: served.url, partitions: topology.partitions }, `serves the lake on ${served.url}`)
      return {
        done: store.failed,
        stop: async () => {
          membership.stop()
          store?.drain()
          await served.close({ graceMs: 1_000 })
          await store?.stop()
          keyring.close()
          await connection.close()
        },
      }
    },
  })
}

async function forget([action, name]: readonly string[], { nats, data }: { nats: string | null; data: string }): Promise<void> {
  if (action !== 'forget' || name === undefined) {
    process.stderr.write('weir store: Cannot go on as the arguments must be none, or forget and the name of a reader (weir doctor names them)\n')
    process.exitCode = 2
    return
  }
  try {
    const servers = nats ?? (await embeddedNatsUrl(data, 'store'))
    const connection = await connectNats({ servers, name: 'weir-store forget', clock: systemClock })
    try {
      const meta = await connection.kv(BUCKET_META, { create: false })
      const known = (await listReaders(meta)).map((reader) => reader.name)
      if (!known.includes(name)) throw new OperatingError('config', `Cannot forget ${name} as it must be a reader of the log: current ones are ${known.join(', ') || 'none'}`)
      await forgetReader(meta, name)
      process.stdout.write(`Reader ${name} is forgotten: nothing is kept for it any more.\n`)
    } finally {
      await connection.close()
    }
  } catch (error) {
    if (!isOperating(error)) throw error
    process.stderr.write(`weir store: ${error.message}\n`)
    process.exitCode = 1
  }
}

if (import.meta.main) await main(process.argv.slice(2), process.env)
