/**
 * Finds out what `weir doctor` judges: of this machine, of the data folder, and of the log's servers. Changes nothing but one entry of
 * the installation's bucket, by whose time the clocks are compared.
 *
 * Owns asking, with a bound on each question. Leaves the judgement to checks.ts: what can't be found out is null.
 */

import { access, constants, stat, statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { adminKeyPath } from '../../runtime/admin-key.ts'
import type { Clock } from '../../runtime/clock.ts'
import { isOperating } from '../../runtime/errors.ts'
import { HEARTBEAT_MS } from '../../runtime/limits.ts'
import type { Connection, KeyValue, StreamInfo } from '../../runtime/log.ts'
import { watchMembers } from '../../runtime/membership.ts'
import type { Member } from '../../runtime/membership.ts'
import { findNatsServer } from '../../runtime/nats-server.ts'
import { portHolder, portState } from '../../runtime/ports.ts'
import { BUCKET_KEYS, BUCKET_META, BUCKET_NOTIFY, BUCKET_SNAPSHOTS, inputStreams, RESULTS, topologyOf } from '../../runtime/topology.ts'
import { RouteRegistry } from '../notify/routes.ts'
import { decodeState, emptyRoute, stateKey } from '../notify/state.ts'
import { manifestVersions, missingSegments, readNewestManifest } from '../store/manifest.ts'
import { ActorPresences } from '../own/presence.ts'
import type { ActorPresence } from '../own/presence.ts'
import { listReaders, messagesBehind } from '../store/readers.ts'
import type { CopiesFact, DiskFact, LakeFact, PortFact, ReaderFact, RouteFact, StreamFact } from './checks.ts'

const ANSWER_MS = 2_000
/** Every living member has said something within this. */
const LISTEN_MS = 3 * HEARTBEAT_MS

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
const orNull = <T>(asked: Promise<T>): Promise<T | null> => asked.catch(() => null)

export function runtimeFact(): { node: string; deno: string | null } {
  const { node, deno } = process.versions
  return { node, deno: deno ?? null }
}

export async function serverBinaryFact(cacheDir: string): Promise<{ path: string | null; problem: string | null }> {
  try {
    return { path: (await findNatsServer({ cacheDir }))?.path ?? null, problem: null }
  } catch (error) {
    return { path: null, problem: reasonOf(error) }
  }
}

export async function portFact(host: string, port: number): Promise<PortFact> {
  const state = await portState(host, port)
  if (state !== 'taken') return { host, port, state, by: null }
  const name = host.includes(':') ? `[${host}]` : host
  const health = await orNull(fetch(`http://${name}:${port}/healthz`, { signal: AbortSignal.timeout(ANSWER_MS) }).then((answer) => answer.json() as Promise<{ status?: string }>))
  return { host, port, state: health?.status === 'ok' ? 'weir' : 'taken', by: await orNull(portHolder(port)) }
}

/** Of the folder, or of the nearest one above it that is there. */
export async function diskFact(path: string): Promise<DiskFact> {
  let folder = resolve(path)
  while (dirname(folder) !== folder && (await orNull(stat(folder))) === null) folder = dirname(folder)
  try {
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK)
    const { bavail, blocks, bsize } = await statfs(folder)
    return { path, freeBytes: bavail * bsize, totalBytes: blocks * bsize, problem: null }
  } catch (error) {
    return { path, freeBytes: 0, totalBytes: 0, problem: reasonOf(error) }
  }
}

export async function adminKeyFact(dataDir: string): Promise<{ path: string; mode: number; mine: boolean } | null> {
  const path = adminKeyPath(dataDir)
  const found = await orNull(stat(path))
  return found === null ? null : { path, mode: found.mode & 0o777, mine: process.getuid?.() === undefined || process.getuid() === found.uid }
}

export async function lakeFact(dataDir: string): Promise<LakeFact> {
  const path = join(dataDir, 'lake')
  const unknown = { path, manifests: 0, problem: null, missing: [], segments: 0, failedViews: [] }
  try {
    const manifests = (await manifestVersions(path)).length
    const manifest = await readNewestManifest(path)
    if (manifest === null) return { ...unknown, manifests }
    let missing = await missingSegments(path, manifest)
    if (missing.length > 0) {
      // They may have been merged away since the manifest was read.
      const newer = await readNewestManifest(path)
      missing = newer === null ? [] : await missingSegments(path, newer)
    }
    const views = Object.values(manifest.views ?? {}).flatMap((of) => Object.entries(of))
    const failedViews = views.flatMap(([name, { id }]) => {
      const reason = manifest.segments.map((segment) => segment.failed?.[id]).find((why) => why !== undefined)
      return reason === undefined ? [] : [{ name, reason }]
    })
    return { path, manifests, problem: null, missing, segments: manifest.segments.length, failedViews }
  } catch (error) {
    return { ...unknown, problem: reasonOf(error) }
  }
}

/** What the installation's bucket says. */
export interface Installed {
  readonly meta: KeyValue
  readonly partitions: number
  readonly replicas: number
}

/** `leaderless` where no server can say it now; null where there is no installation. */
export async function installedFact(connection: Connection): Promise<Installed | 'leaderless' | null> {
  let meta: KeyValue
  let entry: { value: Uint8Array } | null
  try {
    meta = await connection.kv(BUCKET_META, { create: false })
    entry = await meta.get('topology')
  } catch (error) {
    return isOperating(error) && error.retry ? 'leaderless' : null
  }
  if (entry === null) return null
  const { partitions, replicas } = JSON.parse(new TextDecoder().decode(entry.value)) as { partitions: number; replicas: number }
  return { meta, partitions, replicas }
}

/** The server's clock less this one's, by the time that it gives to an entry written now. */
export async function skewFact(connection: Connection, { meta }: Installed, clock: Clock): Promise<{ skewMs: number; roundTripMs: number } | null> {
  const began = clock.monotonic()
  const before = clock.now()
  const written = await orNull(meta.set('doctor', new TextEncoder().encode(String(before))))
  const roundTripMs = clock.monotonic() - began
  const message = written === null ? null : await orNull(connection.log.at(`KV_${BUCKET_META}`, written))
  return message === null ? null : { skewMs: message.timeMs - (before + roundTripMs / 2), roundTripMs }
}

/** The streams of the log that are there. */
export async function streamFacts(connection: Connection, partitions: number): Promise<StreamInfo[]> {
  const found = await Promise.all([...inputStreams(topologyOf(partitions)), RESULTS].map((name) => orNull(connection.log.info(name))))
  return found.filter((info) => info !== null)
}

/** Where the copies of the installation's streams and buckets are. */
export async function copiesFact(connection: Connection, { partitions, replicas }: Installed): Promise<CopiesFact> {
  const buckets = [`KV_${BUCKET_META}`, `KV_${BUCKET_KEYS}`, `OBJ_${BUCKET_SNAPSHOTS}`]
  const names = [...inputStreams(topologyOf(partitions)), RESULTS, ...buckets]
  const asked = await Promise.all(names.map(async (name) => ({ name, info: await connection.log.info(name).catch((error) => (isOperating(error) && error.retry ? 'leaderless' as const : null)) })))
  const streams = asked.flatMap(({ name, info }) => (info === null || info === 'leaderless' ? [] : [{ name, copies: info.copies ?? [] }]))
  return { wanted: replicas, streams, leaderless: asked.filter(({ info }) => info === 'leaderless').map(({ name }) => name) }
}

export const sizesOf = (streams: readonly StreamInfo[]): StreamFact[] => streams.map(({ name, bytes, bytesMax }) => ({ name, bytes, bytesMax: bytesMax ?? -1 }))

export async function readerFacts({ meta }: Installed, streams: readonly StreamInfo[], clock: Clock): Promise<ReaderFact[] | null> {
  const readers = await orNull(listReaders(meta))
  if (readers === null) return null
  return readers.map(({ name, entry }) => ({
    name,
    behind: messagesBehind(entry, streams),
    silentMs: entry === null ? null : Math.max(0, clock.now() - entry.atMs),
  }))
}

/** The routes that are switched on, and how they fare; null where the installation has no place for them. */
export async function routeFacts(connection: Connection, clock: Clock): Promise<RouteFact[] | null> {
  const kv = await orNull(connection.kv(BUCKET_NOTIFY, { create: false }))
  const registry = kv === null ? null : await orNull(RouteRegistry.open(kv))
  if (kv === null || registry === null) return null
  const routes = registry.all().filter(({ route }) => route !== null)
  registry.close()
  const tenants = [...new Set(routes.map(({ tenant }) => tenant))]
  const states = new Map(await Promise.all(tenants.map(async (tenant) => [tenant, decodeState((await orNull(kv.get(stateKey(tenant))))?.value ?? new Uint8Array())] as const)))
  return routes.map(({ tenant, id }) => {
    const { failingSinceMs, lastError, queue } = states.get(tenant)?.routes[id] ?? emptyRoute()
    return { tenant, id, failsMs: failingSinceMs === null ? null : Math.max(0, clock.now() - failingSinceMs), error: lastError, waiting: queue.length }
  })
}

/** Who says that it is alive, and what own actors do. */
export async function memberFacts(connection: Connection, clock: Clock): Promise<{ members: Member[]; actors: ActorPresence[] }> {
  const members = new Map<string, Member>()
  const presences = new ActorPresences(connection.bus, clock)
  const stop = watchMembers(connection.bus, (member) => members.set(member.id, member))
  await clock.sleep(LISTEN_MS)
  stop()
  presences.close()
  return { members: [...members.values()], actors: presences.view() }
}
