/**
 * Starts what serves reads: the lake's readers, the tail of both logs, the live hub, and the app on top of them.
 *
 * Owns the order of starting and stopping, and what readiness means. The writer is a process of its own (actors/store); it is
 * handed in, so that reading can be had without it.
 *
 * - B1 The tail begins where the manifest ends that the lake is opened at: between the two no reading is missing or double.
 */

import { join } from 'node:path'
import type { Hono } from 'hono'
import { createHash } from 'node:crypto'
import type { Clock } from '../../runtime/clock.ts'
import { ErrorCode, isOperating, OperatingError } from '../../runtime/errors.ts'
import { decodeJournal } from '../../runtime/journal.ts'
import type { KeyedEnv } from '../../runtime/http.ts'
import type { Keyring } from '../../runtime/keys.ts'
import type { Connection, KeyValue, StreamInfo } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/telemetry.ts'
import { BUCKET_META, BUCKET_NOTIFY, RESULTS, inputStreams, isOwn, resultsSubject } from '../../runtime/topology.ts'
import type { Topology } from '../../runtime/topology.ts'
import { Follower } from '../store/follow.ts'
import type { FollowerLogger } from '../store/follow.ts'
import { makeLake, readNewestWhole } from '../store/manifest.ts'
import type { Manifest } from '../store/manifest.ts'
import { CourseTeller } from '../fleet/courses.ts'
import { DriverRegistry, DriverRelay } from '../fleet/drivers.ts'
import { RuleRelay } from '../fleet/rule-relay.ts'
import { RuleRegistry } from '../fleet/rules.ts'
import { ViewRegistry } from '../view/registry.ts'
import { FleetLearner } from '../fleet/learner.ts'
import { Errands } from '../notify/errands.ts'
import { RouteRegistry } from '../notify/routes.ts'
import { PlotRegistry } from '../farm/plots.ts'
import { getDocument, putDocument } from '../own/documents.ts'
import { OwnNames } from '../own/names.ts'
import { ActorPresences } from '../own/presence.ts'
import { createAnalytics } from './http/app.ts'
import type { AnalyticsSources } from './http/route.ts'
import { dashboardRoutes } from './dashboard/routes.ts'
import { countFates } from './data/fates.ts'
import { isOwnSettled } from './data/own-settled.ts'
import { Lake } from './data/lake.ts'
import { LiveHub } from './live/live.ts'
import { registerMetrics } from './metrics.ts'
import { SqlPool } from './sql/pool.ts'
import { unreadOf } from './data/status.ts'
import type { MemberView } from './data/status.ts'
import { Tail } from './data/tail.ts'
import { UnitRegistry } from './units/units.ts'

export interface AnalyticsOptions {
  readonly connection: Connection
  readonly topology: Topology
  /** The lake is `<dataDir>/lake`. */
  readonly dataDir: string
  readonly keyring: Keyring
  /** Members of the group; `Membership` of runtime/membership.ts fits. */
  readonly membership: { view(role: 'edge' | 'worker' | 'store' | 'notifier'): readonly MemberView[] }
  readonly clock: Clock
  readonly logger: FollowerLogger
  readonly metrics?: Metrics
  /** Rows kept in memory until a manifest covers them; `FRESH_ROWS_MAX` by default. */
  readonly freshRowsMax?: number
  /** Memory of the processes for public SQL; that of limits.ts by default. */
  readonly sql?: { readonly memoryMiB?: number; readonly rssMaxMiB?: number }
}

export interface Analytics {
  readonly app: Hono<KeyedEnv>
  readonly tail: Tail
  readonly sql: SqlPool
  readonly hub: LiveHub
  /** Takes a new manifest over; for who hears of it from the writer. */
  onManifest(manifest: Manifest): Promise<void>
  /** True once the tail has caught up with the logs as they were at the start; else a sentence that says what it waits for. */
  ready(): true | string
  /** Rejects when following the logs has ended by an error. */
  readonly failed: Promise<never>
  /** Ends live streams and reading. The app answers until then. */
  stop(): Promise<void>
}

/** How often a lake whose segments are swept away under the reader is looked at anew. */
const OPEN_TRIES = 5

export async function startAnalytics(options: AnalyticsOptions): Promise<Analytics> {
  const { connection, topology, dataDir, keyring, membership, clock, logger, metrics } = options
  const { log } = connection
  const folder = join(dataDir, 'lake')
  await makeLake(folder)
  const streams = [...inputStreams(topology), RESULTS]
  const infos = await Promise.all(streams.map((stream) => log.info(stream)))
  const resultsCreated = infos.at(-1)!.created

  const hub = new LiveHub({ topology, clock, generation: generationOf(infos) })
  const lake = await Lake.open({ folder, clock })
  const tail = new Tail({ lake, topology, resultsCreated, clock, logger, listener: hub, freshRowsMax: options.freshRowsMax })
  const manifest = await openNewest(folder, tail)
  for (const [partition, state] of tail.partitions.entries()) {
    const covered = manifest?.covered[partition]
    state.accepted = covered?.accepted ?? 0
    state.pending = covered?.pending ?? 0
    state.position = covered?.input.seq ?? 0
    state.resultsSeq = tail.coveredSeq(partition)
  }
  const newest = await Promise.all(tail.partitions.map((_, partition) => log.last(RESULTS, resultsSubject(partition))))
  for (const last of newest) if (last !== null) tail.introduce(decodeJournal(last.data).header)

  let fail: (error: unknown) => void = () => {}
  const failed = new Promise<never>((_, reject) => (fail = reject))
  failed.catch(() => {})
  const countFatesOf = metrics === undefined ? null : countFates(metrics)
  const meta = await connection.kv(BUCKET_META)
  const learner = await FleetLearner.open({ kv: meta, log, topology, created: resultsCreated, clock, logger })
  const drivers = await DriverRegistry.open(meta)
  const courses = new CourseTeller({ log, clock, logger })
  const relay = new DriverRelay({ registry: drivers, log, topology, clock, logger })
  const rules = await RuleRegistry.open(meta)
  const routes = await openRoutes(connection)
  const ruleRelay = await RuleRelay.open({ registry: rules, kv: meta, log, topology, clock, logger })
  const follower = new Follower({
    log,
    topology,
    from: manifest?.covered ?? null,
    resultsFrom: manifest?.resultsFrom,
    resultsCreated: manifest?.resultsCreated,
    inputFrom: manifest?.inputFrom,
    clock,
    logger,
    onInput: (partition, message) => tail.onInput(partition, message),
    onCommit: (covered) => {
      countFatesOf?.(covered)
      tail.onCommit(covered)
      if (isOwn(covered.partition)) return
      learner.onCommit(covered)
      courses.onCommit(covered)
      relay.onCommit(covered)
      ruleRelay.onCommit(covered)
    },
    onClaim: (header) => tail.onClaim(header),
    onFailure: (error) => fail(error),
  })
  await follower.start()
  hub.follow(() => [...follower.read().map((r) => r.seq), follower.positions().resultsFrom - 1], coveredBy(manifest, infos, topology))
  // A stream that was made anew under this process is not the one that was read: the process starts again, from the manifest.
  const offReconnect = connection.onReconnect(() => void follower.check().catch(fail))

  const views = await ViewRegistry.open(meta)
  const sql = new SqlPool({ tail, keptOf: (tenant) => views.of(tenant).views, lakeDir: folder, clock, logger, ...options.sql })
  const members = () => (['edge', 'worker', 'store', 'notifier'] as const).flatMap((role) => [...membership.view(role)])
  const units = await UnitRegistry.open(meta)
  const plots = await PlotRegistry.open(meta)
  const presences = new ActorPresences(connection.bus, clock)
  const actors = () => presences.view()
  const ownNames = await OwnNames.open(meta)
  const documents: AnalyticsSources['documents'] = { get: (place) => getDocument(meta, place), put: (document) => putDocument(meta, document) }
  const { app } = createAnalytics({ tail, sql, hub, log, topology, keyring, units, learner, drivers, rules, ruleRelay, plots, routes, views, errands: new Errands(connection.bus, clock), clock, logger, progress: follower, members, actors, ownSettled: () => isOwnSettled({ tail, progress: follower, log, meta, actors }), ownPartitionOf: (actor) => ownNames.partitionOf(actor), documents })
  app.route('/', dashboardRoutes())
  if (metrics !== undefined) registerMetrics(metrics, { connection, topology, dataDir, clock, tail, sql, hub, follower, members })

  learner.start()
  ruleRelay.start()
  courses.start()
  let caughtUp = false
  return {
    app: app as unknown as Hono<KeyedEnv>,
    tail,
    hub,
    failed,
    sql,
    onManifest: async (next) => {
      await tail.onManifest(next)
      sql.refresh()
    },
    ready: () => {
      const { input, results } = caughtUp ? { input: 0, results: 0 } : unreadOf(follower, infos)
      caughtUp ||= input + results === 0
      return caughtUp || `The store reads what came while it was away: ${input + results} messages are left.`
    },
    stop: async () => {
      offReconnect()
      units.close()
      presences.close()
      ownNames.close()
      plots.close()
      hub.close()
      await sql.close()
      await learner.stop()
      await courses.stop()
      await relay.stop()
      await ruleRelay.stop()
      rules.close()
      views.close()
      routes?.registry.close()
      drivers.close()
      await follower.stop()
      await tail.close()
      await lake.close()
    },
  }
}

/** Null in an installation of before routes, where nobody with the rights to make their bucket has been since. */
async function openRoutes(connection: Connection): Promise<{ registry: RouteRegistry; kv: KeyValue } | null> {
  try {
    const kv = await connection.kv(BUCKET_NOTIFY, { create: false })
    return { registry: await RouteRegistry.open(kv), kv }
  } catch (error) {
    if (isOperating(error, ErrorCode.identity)) return null
    throw error
  }
}

/**
 * Takes the manifest over that the lake's writer goes on from: what it can do without, this can. A compaction that sweeps a segment away
 * meanwhile has written a newer one.
 */
async function openNewest(folder: string, tail: Tail): Promise<Manifest | null> {
  for (let left = OPEN_TRIES; ; left--) {
    const found = await readNewestWhole(folder)
    if (found === null) return null
    const { manifest } = found
    await tail.onManifest(manifest)
    if (tail.manifest?.version === manifest.version) return manifest
    if (left > 0) continue
    const must = 'each of its segments must be there'
    throw new OperatingError('config', `Cannot open the lake as ${must}: manifest ${manifest.version} names one that is not`)
  }
}

/** By stream, as ids number them, the last message that a manifest covers of any partition: up to there some are not read again. */
function coveredBy(manifest: Manifest | null, infos: readonly StreamInfo[], topology: Topology): number[] {
  const vector = infos.map(() => 0)
  for (const [partition, { input, resultsSeq }] of Object.entries(manifest?.covered ?? {})) {
    const stream = Number(partition) % topology.streams
    if (!isOwn(Number(partition)) && input.created === infos[stream].created) vector[stream] = Math.max(vector[stream], input.seq)
    if (manifest!.resultsCreated === infos.at(-1)!.created) vector[vector.length - 1] = Math.max(vector[vector.length - 1], resultsSeq)
  }
  return vector
}

/** A short text that only these creations of the streams have: ids of live events carry it. */
function generationOf(infos: readonly StreamInfo[]): string {
  return createHash('sha256')
    .update(infos.map((info) => `${info.name} ${info.created}`).join('\n'))
    .digest('hex')
    .slice(0, 8)
}
