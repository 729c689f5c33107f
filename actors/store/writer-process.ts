/**
 * The store's writing half as a process of its own (`weir-store-writer`): follows both logs, seals, merges, purges. It serves no requests, so
 * that nobody's query can slow it down.
 *
 * Owns its connection, the writer and the janitor, and what its parent is told. Its options come in `WEIR_STORE_WRITER`.
 *
 * - C1 It ends when the IPC channel to its parent closes, and at SIGTERM: either way it seals what is covered first.
 * - C2 When it can't go on it says why and exits with code 1; its parent starts it again from the newest manifest.
 */

import { join } from 'node:path'
import process from 'node:process'
import { systemClock } from '../../runtime/clock.ts'
import { isOperating } from '../../runtime/errors.ts'
import { STATUS_INTERVAL_MS } from '../../runtime/limits.ts'
import { connectNats } from '../../runtime/nats-log.ts'
import { readInstallation } from '../../runtime/installation.ts'
import { createLogger } from '../../runtime/telemetry.ts'
import { BUCKET_META } from '../../runtime/topology.ts'
import { ViewRegistry } from '../view/registry.ts'
import { compactAside, makePartsAside } from './compaction-client.ts'
import { Janitor } from './janitor.ts'
import { LakeWriter } from './writer.ts'
import type { LakeWriterStatus } from './writer.ts'

/** What the parent asks for; plain data. */
export interface WriterProcessOptions {
  /** Servers of the log, with credentials. */
  readonly nats: string
  /** The data folder: the lake is its `lake`. */
  readonly dataDir: string
  /** Name of this store among the readers of the logs. */
  readonly name: string
  readonly sealIntervalMs?: number
  readonly sealRowsMax?: number
  readonly keepSupersededMs?: number
  readonly keepLogMs?: number
  readonly retentionMs?: number
  readonly retentionBytes?: number
  readonly memoryMiB?: number
}

/** What the parent is told. */
export type WriterMessage =
  | { readonly type: 'manifest'; readonly version: number }
  | { readonly type: 'status'; readonly status: LakeWriterStatus }
  | { readonly type: 'failed'; readonly code: string | null; readonly message: string }

const logger = createLogger('store-writer')

function tell(message: WriterMessage): void {
  if (process.connected) process.send!(message, () => {})
}

function fail(error: unknown): void {
  const code = isOperating(error) ? error.code : null
  const message = error instanceof Error ? error.message : String(error)
  logger.error(code === null ? { err: error } : { code }, message)
  // An exit right away would lose the message.
  if (process.connected) process.send!({ type: 'failed', code, message } satisfies WriterMessage, () => process.exit(1))
  else process.exit(1)
}

async function main(options: WriterProcessOptions): Promise<void> {
  const clock = systemClock
  let open = false
  const ended = new Promise<string>((resolve) => {
    // Before the lake is open there is nothing to seal.
    const end = (why: string) => (open ? resolve(why) : process.exit(0))
    process.on('SIGINT', () => {})
    process.on('SIGTERM', () => end('SIGTERM'))
    process.on('disconnect', () => end('the parent is gone'))
  })
  const connection = await connectNats({ servers: options.nats, name: `weir-store-writer ${options.name}`, clock })
  const topology = await readInstallation(connection, { clock })
  const views = await ViewRegistry.open(await connection.kv(BUCKET_META, { create: false }))
  let failed: (error: unknown) => void = () => {}
  const failure = new Promise<never>((_, reject) => (failed = reject))
  failure.catch(() => {})
  const writer = await LakeWriter.open({
    lakeDir: join(options.dataDir, 'lake'),
    log: connection.log,
    topology,
    clock,
    logger,
    sealIntervalMs: options.sealIntervalMs,
    sealRowsMax: options.sealRowsMax,
    keepSupersededMs: options.keepSupersededMs,
    retentionMs: options.retentionMs,
    retentionBytes: options.retentionBytes,
    memoryMiB: options.memoryMiB,
    compact: compactAside,
    views: () => views.all(),
    parts: makePartsAside,
    onManifest: ({ version }) => tell({ type: 'manifest', version }),
    onFailure: failed,
  })
  const janitor = await Janitor.open({ connection, topology, clock, logger, name: options.name, manifest: () => writer.oldestKept, keepLogMs: options.keepLogMs })
  connection.onReconnect(() => void writer.check().catch((error) => isOperating(error, 'identity') && failed(error)))
  open = true
  await writer.start()
  janitor.start()
  tell({ type: 'manifest', version: writer.manifest.version })
  logger.info({ version: writer.manifest.version, segments: writer.manifest.segments.length }, 'the lake is open')

  const ending = new AbortController()
  const report = (async () => {
    while (!ending.signal.aborted) {
      tell({ type: 'status', status: writer.status() })
      await clock.sleep(STATUS_INTERVAL_MS, ending.signal)
    }
  })()
  try {
    const why = await Promise.race([ended, failure])
    logger.info({ why }, 'the lake is being sealed')
  } finally {
    ending.abort()
    await report
    await janitor.stop()
    await writer.stop()
    views.close()
    await connection.close().catch(() => {})
  }
  process.exit(0)
}

process.title = 'weir-store-writer'
process.on('uncaughtException', (error) => {
  logger.error({ err: error }, 'the lake writer ends as of an error that nobody caught')
  process.exit(1)
})
await main(JSON.parse(process.env.WEIR_STORE_WRITER ?? '{}') as WriterProcessOptions).catch(fail)
