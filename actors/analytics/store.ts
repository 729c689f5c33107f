/**
 * A store: analytics, and the lake's writer as a child process that tells of each new manifest.
 *
 * Owns what joins the two, and readiness and metrics of both together. Leaves reading to start.ts and writing to actors/store.
 */

import { Counter, Gauge } from 'prom-client'
import { join } from 'node:path'
import type { Metrics } from '../../runtime/telemetry.ts'
import { readManifest, readNewestManifest } from '../store/manifest.ts'
import { startWriterProcess } from '../store/writer-client.ts'
import type { LakeWriterStatus, WriterProcessOptions } from '../store/writer-client.ts'
import { startAnalytics } from './start.ts'
import type { Analytics, AnalyticsOptions } from './start.ts'

export interface StoreOptions extends AnalyticsOptions {
  readonly metrics: Metrics
  /** What the writer is told beside the data folder. */
  readonly writer: Omit<WriterProcessOptions, 'dataDir'>
}

export interface Store {
  readonly app: Analytics['app']
  ready(): true | string
  /** Rejects when the process can't go on serving. */
  readonly failed: Promise<never>
  /** Ends live streams, so that a server that closes does not wait for them. */
  drain(): void
  /** Seals what is covered, and ends everything. */
  stop(): Promise<void>
}

export async function startStore(options: StoreOptions): Promise<Store> {
  const { dataDir, clock, logger, metrics } = options
  const lakeDir = join(dataDir, 'lake')
  const analytics = await startAnalytics(options)
  analytics.sql.warm()
  let status: LakeWriterStatus | null = null
  let failure: string | null = null

  const take = async (version: number) => {
    // A manifest that is no longer kept has newer ones.
    const manifest = (await readManifest(lakeDir, version)) ?? (await readNewestManifest(lakeDir))
    if (manifest !== null) await analytics.onManifest(manifest)
  }
  const writer = startWriterProcess({
    ...options.writer,
    dataDir,
    clock,
    logger,
    onManifest: (version) => {
      failure = null
      if (version > 0) take(version).catch((error) => logger.error({ err: error, version }, 'a manifest could not be read'))
    },
    onStatus: (newest) => {
      status = newest
    },
    onFailed: ({ message }) => {
      failure = message
    },
  })
  register(metrics, () => status, () => writer.ready)

  return {
    app: analytics.app,
    failed: analytics.failed,
    ready: () => {
      if (!writer.ready) return `The writer of the lake is being started.${failure === null ? '' : ` It ended before: ${failure}`}`
      return analytics.ready()
    },
    drain: () => analytics.hub.close(),
    stop: async () => {
      await writer.stop()
      await analytics.stop()
    },
  }
}

function register(metrics: Metrics, status: () => LakeWriterStatus | null, up: () => boolean): void {
  const gauge = (name: string, help: string, value: (of: LakeWriterStatus) => number) =>
    new Gauge({
      name,
      help,
      registers: [metrics],
      collect() {
        const of = status()
        if (of !== null) this.set(value(of))
      },
    })
  const counter = (name: string, help: string, value: (of: LakeWriterStatus) => number) =>
    new Counter({
      name,
      help,
      registers: [metrics],
      collect() {
        const of = status()
        this.reset()
        if (of !== null) this.inc(value(of))
      },
    })
  new Gauge({
    name: 'weir_store_writer_up',
    help: 'Whether the writer of the lake runs',
    registers: [metrics],
    collect() {
      this.set(up() ? 1 : 0)
    },
  })
  gauge('weir_store_version', 'Version of the newest manifest', (of) => of.version)
  gauge('weir_store_segments', 'Segments that the lake shows', (of) => of.segments)
  gauge('weir_store_bytes', 'Bytes of the segments that the lake shows', (of) => of.bytes)
  gauge('weir_store_buffered_rows', 'Rows that commits cover and no segment holds yet', (of) => of.bufferedRows)
  counter('weir_store_malformed', 'Messages of the logs that could not be read, since the writer started', (of) => of.malformed)
  counter('weir_store_seals', 'Seals since the writer started', (of) => of.seals)
  counter('weir_store_compactions', 'Compactions since the writer started', (of) => of.compactions)
  gauge('weir_store_seal_seconds', 'Duration of the newest seal', (of) => of.sealMs / 1_000)
  new Gauge({
    name: 'weir_store_waiting_rows',
    help: 'Readings read from the log that no commit covers yet, by partition',
    labelNames: ['partition'],
    registers: [metrics],
    collect() {
      for (const { partition, waitingRows } of status()?.lag ?? []) this.set({ partition: String(partition) }, waitingRows)
    },
  })
}
