/**
 * What `weir doctor` says of the facts that it found: each check is a function from one fact to findings in plain words.
 *
 * Owns the judgement and its wording: what is wrong, and what to do. Leaves finding the facts to facts.ts. A check whose fact
 * could not be found out (null) says nothing, since another check has said why.
 */

import { atLeast, SERVER_FLOOR, SERVER_FLOOR_REPLICATED } from '../../runtime/installation.ts'
import { PAYLOAD_MAX_BYTES, TS_AHEAD_MS } from '../../runtime/limits.ts'
import type { ServerGreeting, StreamCopy } from '../../runtime/log.ts'
import type { PortState } from '../../runtime/ports.ts'

/** One line of the answer. Where something is wrong, `fix` says what to do. */
export interface Finding {
  readonly ok: boolean
  readonly says: string
  readonly fix?: string
}

export const NODE_FLOOR = '24.2.0'
/** A disk with less than both of these is nearly full. */
const DISK_FREE_BYTES = 2 * 1024 ** 3
const DISK_FREE_SHARE = 0.05
/** A stream filled beyond this share is nearly full. */
const STREAM_FILLED_SHARE = 0.8
/** A reader so far behind is the one that holds the log. */
const READER_BEHIND_MESSAGES = 100_000
const SKEW_MS = 2_000
/** A route that has failed for so long is not just waiting for its receiver to start again. */
const ROUTE_FAILS_MS = 10 * 60_000

const good = (says: string): Finding => ({ ok: true, says })
const bad = (says: string, fix: string): Finding => ({ ok: false, says, fix })

export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024
    unit++
  }
  return `${bytes >= 100 || unit === 0 ? Math.round(bytes) : bytes.toFixed(1)} ${units[unit]}`
}

export function checkRuntime({ node, deno }: { node: string; deno: string | null }): Finding[] {
  if (deno !== null) return [good(`Deno ${deno} runs this`)]
  if (!atLeast(node, NODE_FLOOR)) return [bad(`Node ${node} is too old`, `run it with Node ${NODE_FLOOR} or later: npm ci brings one, which npx and npm start use`)]
  return [good(`Node ${node} runs this`)]
}

export function checkServerBinary({ path, problem }: { path: string | null; problem: string | null }): Finding[] {
  if (path !== null) return [good(`nats-server is at ${path}`)]
  return [bad(`there is no nats-server on this machine${problem ? `: ${problem}` : ''}`, 'run sh deploy/set-up, or install one and name it in NATS_SERVER, or name running servers with --nats')]
}

export interface ServerFact {
  /** Without its password. */
  readonly url: string
  /** Why there is no connection, or null. */
  readonly problem: string | null
  /** Whether it is the one that `weir up` runs. */
  readonly embedded: boolean
}

export function checkServer({ url, problem, embedded }: ServerFact): Finding[] {
  if (problem === null) return [good(`the log's server answers at ${url}`)]
  const fix = embedded ? 'start the system with npm start, or name running servers with --nats' : 'start nats-server with JetStream there, or correct --nats (nats://user:password@host:port)'
  return [bad(`no server of the log at ${url}: ${problem}`, fix)]
}

export function checkServerVersions({ servers, replicas }: { servers: readonly ServerGreeting[]; replicas: number }): Finding[] {
  const shown = ({ name, version }: ServerGreeting) => (servers.length === 1 ? version : `${version} (${name})`)
  const wrong = servers.flatMap((server) => {
    if (!atLeast(server.version, SERVER_FLOOR)) return [bad(`nats-server ${shown(server)} is too old`, `upgrade it to ${SERVER_FLOOR} or later`)]
    if (replicas === 1 || atLeast(server.version, SERVER_FLOOR_REPLICATED)) return []
    return [bad(`nats-server ${shown(server)} is not safe with ${replicas} replicas: it can lose or accept what it must not`, `upgrade every server to ${SERVER_FLOOR_REPLICATED} or later, or run with --replicas 1`)]
  })
  if (wrong.length > 0) return wrong
  return [good(`nats-server ${servers.map(shown).join(', ')} will do for ${replicas === 1 ? 'one replica' : `${replicas} replicas`}`)]
}

export interface CopiesFact {
  /** Copies that the installation asked for. */
  readonly wanted: number
  /** Streams, those of buckets among them, with the copies that the servers keep. */
  readonly streams: readonly { readonly name: string; readonly copies: readonly StreamCopy[] }[]
  /** Streams of which no server says anything, since none leads them. */
  readonly leaderless: readonly string[]
}

export function checkCopies({ wanted, streams, leaderless }: CopiesFact): Finding[] {
  if (wanted === 1 || streams.length + leaderless.length === 0) return []
  const some = (names: readonly string[]) => (names.length === 1 ? `stream ${names[0]}` : `${names.length} streams (${names[0]} …)`)
  const withState = (state: StreamCopy['state']) => {
    const servers = [...new Set(streams.flatMap(({ copies }) => copies.filter((copy) => copy.state === state).map(({ server }) => server)))].sort()
    return servers.map((server) => ({ server, names: streams.filter(({ copies }) => copies.some((c) => c.server === server && c.state === state)).map(({ name }) => name) }))
  }
  const wrong: Finding[] = []
  if (leaderless.length > 0) {
    wrong.push(bad(`no server leads ${some(leaderless)}: what belongs there is refused, and nothing that was accepted is lost`, 'a few seconds after a server died that passes; else start the servers that are away, since more than half of them must be there'))
  }
  const few = streams.filter(({ copies }) => copies.length < wanted)
  if (few.length > 0) {
    const most = Math.max(...few.map(({ copies }) => Math.max(1, copies.length)))
    wrong.push(bad(`${some(few.map(({ name }) => name))} ${few.length === 1 ? 'has' : 'have'} fewer copies than the installation asked for: ${most} in place of ${wanted}`, `give each of them back its copies: nats stream edit NAME --replicas ${wanted}`))
  }
  for (const { server, names } of withState('away')) {
    wrong.push(bad(`server ${server} of the cluster is away, and with it a copy of ${some(names)}`, 'start it: with one more away, nothing is accepted'))
  }
  for (const { server, names } of withState('behind')) {
    wrong.push(bad(`server ${server} of the cluster has not yet caught up with ${some(names)}`, 'wait until it has, before another one is stopped'))
  }
  if (wrong.length > 0) return wrong
  const servers = [...new Set(streams.flatMap(({ copies }) => copies.map(({ server }) => server)))].sort()
  return [good(`each stream has ${wanted} copies, on ${servers.join(', ')}`)]
}

export function checkPayload(maxPayloadBytes: number | null): Finding[] {
  if (maxPayloadBytes === null) return []
  if (maxPayloadBytes < PAYLOAD_MAX_BYTES) {
    return [bad(`the server takes messages of ${formatBytes(maxPayloadBytes)} only`, `set max_payload: ${PAYLOAD_MAX_BYTES} in its nats.conf and reload it`)]
  }
  return [good(`the server takes messages of ${formatBytes(maxPayloadBytes)}`)]
}

/** `skewMs` is the server's clock less this one's; the round trip is how far that can be off. */
export function checkSkew(fact: { skewMs: number; roundTripMs: number } | null): Finding[] {
  if (fact === null) return []
  const surelyMs = Math.max(0, Math.abs(fact.skewMs) - fact.roundTripMs)
  const said = `${(Math.abs(fact.skewMs) / 1000).toFixed(1)} s ${fact.skewMs > 0 ? 'ahead of' : 'behind'} this machine's`
  if (surelyMs <= SKEW_MS) return [good('the clocks of this machine and of the server agree')]
  const hours = surelyMs > TS_AHEAD_MS ? ', so that readings of the present are refused or expire' : ''
  return [bad(`the server's clock is ${said}${hours}`, 'set both clocks by NTP (timedatectl set-ntp true)')]
}

export interface StreamFact {
  readonly name: string
  readonly bytes: number
  /** −1: no bound of its own. */
  readonly bytesMax: number
}

export function checkStreams(streams: readonly StreamFact[] | null): Finding[] {
  if (streams === null) return []
  if (streams.length === 0) return [bad('the streams of the log are not there', 'start the system once (npm start), or look whether --nats names the right servers')]
  const full = streams.filter(({ bytes, bytesMax }) => bytesMax > 0 && bytes > STREAM_FILLED_SHARE * bytesMax)
  if (full.length === 0) {
    return [good(`the log holds ${formatBytes(streams.reduce((sum, { bytes }) => sum + bytes, 0))} in ${streams.length} streams`)]
  }
  return full.map(({ name, bytes, bytesMax }) =>
    bad(
      `stream ${name} holds ${formatBytes(bytes)} of ${formatBytes(bytesMax)}, and refuses new readings when it is full`,
      'see below which reader holds the log; else give the streams more room (nats stream edit --max-bytes)',
    ),
  )
}

export interface ReaderFact {
  readonly name: string
  /** Messages that it has not read. */
  readonly behind: number
  /** How long ago it last said how far it is, in ms; null where what it said does not read. */
  readonly silentMs: number | null
}

export function checkReaders(readers: readonly ReaderFact[] | null): Finding[] {
  if (readers === null) return []
  const unread = readers.filter(({ silentMs }) => silentMs === null)
  if (unread.length > 0) return unread.map(({ name }) => bad(`what reader ${name} says of itself does not read, so that it holds the whole log`, `start it again; if it is gone for good: weir store forget ${name}`))
  const behind = readers.filter((reader) => reader.behind > READER_BEHIND_MESSAGES).sort((a, b) => b.behind - a.behind)
  if (behind.length === 0) return readers.length === 0 ? [] : [good(`the registered readers (${readers.map(({ name }) => name).join(', ')}) keep up with the log`)]
  return behind.map(({ name, behind: messages, silentMs }) => {
    const gone = silentMs! > 300_000
    return bad(
      `reader ${name} is ${messages} messages behind and holds the log${gone ? `: nothing was heard of it for ${Math.round(silentMs! / 60_000)} minutes` : ''}`,
      gone ? `start it again; if it is gone for good: weir store forget ${name}` : 'wait for it to catch up, and look at its log if it does not',
    )
  })
}

export function checkMembers(fact: { edges: number; workers: number; stores: number } | null): Finding[] {
  if (fact === null) return []
  const absent = (Object.entries({ edge: fact.edges, worker: fact.workers, store: fact.stores }) as [string, number][]).filter(([, count]) => count === 0)
  const costs: Record<string, string> = { edge: 'nobody takes readings', worker: 'nothing is processed', store: 'nothing is queried, and the log only grows' }
  if (absent.length === 0) return [good(`alive: ${fact.edges} edge, ${fact.workers} worker, ${fact.stores} store`)]
  return absent.map(([role]) => bad(`no ${role} is alive: ${costs[role]}`, `start it with npm start, or on its own with weir ${role}`))
}

export interface RouteFact {
  readonly tenant: string
  readonly id: string
  /** For how long nothing was delivered that should have been, ms; null where all is well. */
  readonly failsMs: number | null
  readonly error: string | null
  readonly waiting: number
}

/** Routes that are switched on; `notifiers`: how many are alive, null where that is not known. */
export function checkRoutes(fact: { routes: readonly RouteFact[]; notifiers: number | null } | null): Finding[] {
  if (fact === null || fact.routes.length === 0) return []
  const { routes, notifiers } = fact
  const count = routes.length === 1 ? '1 route' : `${routes.length} routes`
  if (notifiers === 0) return [bad(`no notifier is alive: nobody is told of alerts, though ${count} ${routes.length === 1 ? 'says' : 'say'} whom to tell`, 'start it with npm start, or on its own with weir notifier; what happened meanwhile is told then')]
  const failing = routes.filter(({ failsMs }) => failsMs !== null && failsMs >= ROUTE_FAILS_MS)
  if (failing.length === 0) return [good(`alerts are told by ${count}`)]
  return failing.map(({ tenant, id, failsMs, error, waiting }) =>
    bad(
      `route ${id} of tenant ${tenant} has delivered nothing for ${Math.round(failsMs! / 60_000)} minutes: ${error ?? 'no reason is known'}${waiting > 0 ? `; ${waiting} ${waiting === 1 ? 'message waits' : 'messages wait'}` : ''}`,
      `put its receiver right, or the route, and try it: POST /v1/routes/${id}/test`,
    ),
  )
}

/** Own actors by what the processes that loaded them say. */
export function checkActors(actors: readonly { readonly actor: string; readonly state: string; readonly why: string; readonly worker: string }[]): Finding[] {
  return actors.map(({ actor, state, why, worker }) => {
    if (state !== 'stopped') return good(`own actor ${actor} is ${state} on ${worker}`)
    return bad(`own actor ${actor} is stopped on ${worker}: ${why}`, 'correct its file, and start that worker again: it goes on where it stopped')
  })
}

/** `owners` counts the members that say they own each partition, by its number. */
export function checkPartitions(fact: { owners: readonly number[]; workers: number } | null): Finding[] {
  if (fact === null || fact.workers === 0) return []
  const orphans = fact.owners.flatMap((count, partition) => (count === 0 ? [partition] : []))
  if (orphans.length === 0) return [good(`each of the ${fact.owners.length} partitions has an owner`)]
  return [bad(`${orphans.length} of ${fact.owners.length} partitions have no owner: ${orphans.join(', ')}`, 'within seconds of a start this is as it should be; else the log of the workers says why they stopped (<data>/logs)')]
}

export interface PortFact {
  readonly host: string
  readonly port: number
  /** `weir`: taken by an edge. */
  readonly state: PortState | 'weir'
  /** Who holds it, where that could be found out. */
  readonly by: string | null
}

export function checkPort({ host, port, state, by }: PortFact): Finding[] {
  const where = `port ${port} of ${host}`
  if (state === 'weir') return [good(`an edge of Weir answers on ${where}`)]
  if (state === 'free') return [good(`${where} is free`)]
  if (state === 'forbidden') return [bad(`${where} may not be listened on by this user`, 'choose one above 1023 with --port, or another --host')]
  if (state === 'absent') return [bad(`this machine has no address ${host}`, 'choose one that it has with --host: 127.0.0.1 for this machine alone, 0.0.0.0 for all')]
  return [bad(`${where} is taken by ${by ?? 'another program'}, which is no edge of Weir`, 'end that program, or choose another port with --port')]
}

export interface DiskFact {
  readonly path: string
  readonly freeBytes: number
  readonly totalBytes: number
  /** Why the folder can't be used, or null. */
  readonly problem: string | null
}

export function checkDisk({ path, freeBytes, totalBytes, problem }: DiskFact): Finding[] {
  if (problem !== null) return [bad(`the data folder ${path} can't be used: ${problem}`, `make it readable and writable for this user (chown, chmod), or choose another with --data`)]
  const free = `${formatBytes(freeBytes)} of ${formatBytes(totalBytes)} are free on the disk of ${path}`
  if (freeBytes < DISK_FREE_BYTES && freeBytes < DISK_FREE_SHARE * totalBytes) {
    return [bad(`only ${free}: at its end new readings are refused, and nothing that was accepted is lost`, 'free some space, shorten --retention, or move the folder to a larger disk')]
  }
  return [good(free)]
}

/** `mode` are the permission bits; `mine` whether the file belongs to this user. */
export function checkAdminKey(fact: { path: string; mode: number; mine: boolean } | null): Finding[] {
  if (fact === null) return []
  const { path, mode, mine } = fact
  if ((mode & 0o077) !== 0) return [bad(`others can read the admin key in ${path} (mode ${(mode & 0o777).toString(8)})`, `chmod 600 ${path}, and rotate the key if they may have: weir keys rotate`)]
  if (!mine) return [bad(`the admin key in ${path} belongs to another user`, `chown it to the user who runs Weir`)]
  return [good(`only its owner can read ${path}`)]
}

export interface LakeFact {
  readonly path: string
  /** Manifests in the folder; 0 of a lake that is not there yet. */
  readonly manifests: number
  /** Why none reads, or null. */
  readonly problem: string | null
  /** Segments that the newest manifest names and that are not there as it says. */
  readonly missing: readonly string[]
  readonly segments: number
  /** Kept views whose parts could not be made of some segments. */
  readonly failedViews: readonly { readonly name: string; readonly reason: string }[]
}

export function checkLake(fact: LakeFact | null): Finding[] {
  if (fact === null || (fact.manifests === 0 && fact.problem === null)) return []
  const { path, problem, missing, segments, failedViews } = fact
  if (problem !== null) return [bad(`the lake in ${path} does not open: ${problem}`, 'restore the folder from a copy, or move it away: a new lake is then filled from what the logs still hold')]
  if (missing.length > 0) {
    return [bad(`the lake in ${path} misses ${missing.length} of its ${segments} segments: ${missing.slice(0, 3).join(', ')}`, 'restore those files into its folder segments, from a copy or from another store')]
  }
  const failed = failedViews.map(({ name, reason }) => bad(`the view ${name} can not be kept over all readings: ${reason}`, `write it so that it can be computed of every reading (TRY_CAST, TRY, a condition), and weir views put ${name} anew`))
  return [good(`the lake in ${path} is whole: ${segments} segments`), ...failed]
}

/** A finding as a line. */
export function lineOf({ ok, says, fix }: Finding): string {
  return ok ? `ok  ${says}` : `!!  ${says} → ${fix}`
}
