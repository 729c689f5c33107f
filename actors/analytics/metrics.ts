/**
 * What a store tells of the system in its metrics: its own reading, and what only one that reads both logs knows: partitions that nobody
 * drives, the log's size, readers that hold it, the disk. Each store tells the same of the log, so that boards take the greatest.
 *
 * - X1 A scrape never fails for a log or a disk that is away: what can't be known now is left out, and rules see that it is missing.
 */

import { Counter, Gauge } from 'prom-client'
import type { StatsFs } from 'node:fs'
import { statfs } from 'node:fs/promises'
import type { Clock } from '../../runtime/clock.ts'
import type { Connection } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/telemetry.ts'
import { BUCKET_META, RESULTS, inputStreams } from '../../runtime/topology.ts'
import type { Topology } from '../../runtime/topology.ts'
import type { Follower } from '../store/follow.ts'
import { listReaders, messagesBehind } from '../store/readers.ts'
import type { LiveHub } from './live/live.ts'
import type { SqlPool } from './sql/pool.ts'
import type { MemberView } from './data/status.ts'
import type { Tail } from './data/tail.ts'

export interface MetricsSources {
  readonly connection: Connection
  readonly topology: Topology
  readonly dataDir: string
  readonly clock: Clock
  readonly tail: Tail
  readonly sql: SqlPool
  readonly hub: LiveHub
  readonly follower: Pick<Follower, 'lag'>
  readonly members: () => readonly MemberView[]
}

export function registerMetrics(metrics: Metrics, sources: MetricsSources): void {
  ofReading(metrics, sources)
  ofPartitions(metrics, sources)
  ofLog(metrics, sources)
  ofDisk(metrics, sources)
}

function ofReading(metrics: Metrics, { tail, sql, hub, follower }: MetricsSources): void {
  const registers = [metrics]
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value())
      },
    })
  gauge('weir_analytics_series', 'Series in the catalog', () => tail.catalog.size)
  gauge('weir_analytics_fresh_rows', 'Readings of commits that no manifest covers yet, kept in memory', () => tail.freshRows)
  gauge('weir_analytics_segments', 'Segments attached for queries', () => tail.lake.current.attached.length)
  gauge('weir_analytics_manifest', 'Version of the manifest that queries see', () => tail.manifest?.version ?? 0)
  gauge('weir_sql_running', 'Public queries under way', () => sql.load.running)
  gauge('weir_sql_waiting', 'Public queries that wait for their turn', () => sql.load.waiting)
  gauge('weir_live_streams', 'Live streams open', () => hub.size)
  gauge('weir_live_channels', 'Different things that live streams asked for', () => hub.channels)
  gauge('weir_live_bytes', 'Bytes held for live streams that have yet to read them', () => hub.account.bytes)
  gauge('weir_live_let_go', 'Live streams ended since the start, to be resumed, as their readers were too far behind', () => hub.pump.letGo)
  const waiting = () => follower.lag().reduce((sum, lag) => sum + lag.waitingRows, 0)
  gauge('weir_analytics_waiting_readings', 'Readings of the log that no commit covers yet', waiting)

  // A counter begins at 0 with its process, or a lower value after a restart would look like a new beginning, and a great leap.
  const sealed = () => Object.values(tail.manifest?.covered ?? {}).reduce((sum, { accepted }) => sum + accepted, 0)
  const sealedBefore = sealed()
  new Counter({
    name: 'weir_readings_sealed',
    help: 'Accepted readings that the lake came to cover since this process started; those of weir_readings_total but the rejected come to it',
    registers,
    collect() {
      this.reset()
      this.inc(Math.max(0, sealed() - sealedBefore))
    },
  })
}

function ofPartitions(metrics: Metrics, { topology, clock, tail, follower, members }: MetricsSources): void {
  const registers = [metrics]
  new Gauge({
    name: 'weir_analytics_lag_seconds',
    help: 'Age of the oldest reading of the log that no commit covers, by partition; 0 where none waits',
    labelNames: ['partition'],
    registers,
    collect() {
      for (const { partition, oldestMs, waitingRows } of follower.lag()) {
        const waits = oldestMs !== null && waitingRows > 0
        this.set({ partition: String(partition) }, waits ? Math.max(0, clock.now() - oldestMs) / 1_000 : 0)
      }
    },
  })
  new Gauge({
    name: 'weir_partitions',
    help: 'Partitions of the log',
    registers,
    collect() {
      this.set(topology.partitions)
    },
  })
  new Gauge({
    name: 'weir_partitions_owned',
    help: 'Partitions whose owner, by the last claim, is alive',
    registers,
    collect() {
      const alive = new Set(members().map(({ id }) => id))
      this.set(tail.partitions.filter(({ owner }) => owner !== null && alive.has(owner)).length)
    },
  })
  new Gauge({
    name: 'weir_members',
    help: 'Living members by role; a worker is one for each of its threads',
    // Not `role`: Prometheus knows the role of the store that tells by that name.
    labelNames: ['member_role'],
    registers,
    collect() {
      const all = members()
      for (const role of ['edge', 'worker', 'store', 'notifier']) this.set({ member_role: role }, all.filter((member) => member.role === role).length)
    },
  })
}

function ofLog(metrics: Metrics, { connection, topology }: MetricsSources): void {
  const now = shared(async () => {
    if (!connection.connected()) return null
    const streams = await Promise.all([...inputStreams(topology), RESULTS].map((name) => connection.log.info(name)))
    return { streams, readers: await listReaders(await connection.kv(BUCKET_META, { create: false })) }
  })
  type Log = NonNullable<Awaited<ReturnType<typeof now>>>
  const gauge = (name: string, help: string, label: string, values: (log: Log) => (readonly [of: string, value: number])[]) =>
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [metrics],
      async collect() {
        const log = await now()
        this.reset()
        for (const [of, value] of log === null ? [] : values(log)) this.set({ [label]: of }, value)
      },
    })
  gauge('weir_log_bytes', 'Bytes that a stream of the log holds', 'stream', ({ streams }) => streams.map(({ name, bytes }) => [name, bytes]))
  gauge('weir_log_max_bytes', 'Bytes at which a stream of the log refuses; none of one without a bound of its own', 'stream', ({ streams }) =>
    streams.flatMap(({ name, bytesMax = -1 }) => (bytesMax < 0 ? [] : [[name, bytesMax] as const])),
  )
  gauge('weir_reader_behind_messages', 'Messages that the log keeps for a registered reader', 'reader', ({ readers, streams }) =>
    readers.map(({ name, entry }) => [name, messagesBehind(entry, streams)]),
  )
}

function ofDisk(metrics: Metrics, { dataDir }: MetricsSources): void {
  const disk = shared(() => statfs(dataDir))
  const gauge = (name: string, help: string, value: (of: StatsFs) => number) =>
    new Gauge({
      name,
      help,
      registers: [metrics],
      async collect() {
        const of = await disk()
        this.reset()
        if (of !== null) this.set(value(of))
      },
    })
  gauge('weir_disk_size_bytes', 'Size of the disk that holds the data folder', ({ blocks, bsize }) => blocks * bsize)
  gauge('weir_disk_free_bytes', 'Bytes that are free on the disk that holds the data folder', ({ bavail, bsize }) => bavail * bsize)
}

/** Asks once for all metrics of one scrape; null where the answer is an error. */
function shared<T>(ask: () => Promise<T>): () => Promise<T | null> {
  let asked: Promise<T | null> | null = null
  return () =>
    (asked ??= ask()
      .catch(() => null)
      .finally(() => (asked = null)))
}
