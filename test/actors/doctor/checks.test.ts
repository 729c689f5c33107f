import { describe, expect, test } from 'vitest'
import {
  checkAdminKey, checkCopies, checkDisk, checkLake, checkMembers, checkPartitions, checkPayload, checkPort, checkReaders, checkRuntime, checkServer,
  checkRoutes, checkServerBinary, checkServerVersions, checkSkew, checkStreams, formatBytes, lineOf,
} from '../../../actors/doctor/checks.ts'
import type { Finding } from '../../../actors/doctor/checks.ts'

const GiB = 1024 ** 3

/** The one line of findings, which every wrong finding must end with what to do. */
const line = (findings: readonly Finding[]) => {
  for (const { ok, fix } of findings) expect(fix === undefined).toBe(ok)
  return findings.map(lineOf).join('\n')
}

test('bytes are said in units that a person reads', () => {
  expect([formatBytes(0), formatBytes(999), formatBytes(8 * 1024 ** 2), formatBytes(1.5 * GiB), formatBytes(700 * GiB)]).toEqual(['0 B', '999 B', '8.0 MiB', '1.5 GiB', '700 GiB'])
})

describe('the doctor finds', () => {
  test('a Node that is too old', () => {
    expect(line(checkRuntime({ node: '24.21.0', deno: null }))).toMatch(/^ok/)
    expect(line(checkRuntime({ node: '20.19.2', deno: null }))).toMatch(/^!! {2}Node 20.19.2 is too old → .*24/)
    expect(line(checkRuntime({ node: '20.0.0', deno: '2.9.6' }))).toMatch(/^ok {2}Deno/)
  })

  test('a missing nats-server', () => {
    expect(line(checkServerBinary({ path: '/usr/sbin/nats-server', problem: null }))).toMatch(/^ok/)
    expect(line(checkServerBinary({ path: null, problem: null }))).toMatch(/^!!.*no nats-server.*NATS_SERVER/)
  })

  test('a server that does not answer, and says what to start', () => {
    expect(line(checkServer({ url: 'nats://127.0.0.1:4222', problem: null, embedded: false }))).toMatch(/^ok/)
    expect(line(checkServer({ url: 'nats://127.0.0.1:4222', problem: 'connection refused', embedded: false }))).toMatch(/^!!.*connection refused → .*--nats/)
    expect(line(checkServer({ url: 'nats://127.0.0.1:4222', problem: 'connection refused', embedded: true }))).toMatch(/→ start the system with npm start/)
  })

  test('a server that is too old, and one too old for its replicas', () => {
    expect(line(checkServerVersions({ servers: [{ name: 'n1', version: '2.9.10' }], replicas: 1 }))).toMatch(/^ok/)
    expect(line(checkServerVersions({ servers: [{ name: 'n1', version: '2.9.9' }], replicas: 1 }))).toMatch(/^!!.*2.9.9 is too old → upgrade it to 2.9.10/)
    expect(line(checkServerVersions({ servers: [{ name: 'n1', version: '2.10.22' }], replicas: 3 }))).toMatch(/^!!.*not safe with 3 replicas.*→ upgrade every server to 2.10.23/)
    expect(line(checkServerVersions({ servers: [{ name: 'n1', version: '2.10.23' }], replicas: 3 }))).toMatch(/^ok/)
  })

  test('the one server of a cluster that is too old for replicas', () => {
    const servers = [{ name: 'n1', version: '2.10.27' }, { name: 'n2', version: '2.9.10' }]
    expect(line(checkServerVersions({ servers, replicas: 3 }))).toMatch(/^!! {2}nats-server 2.9.10 \(n2\) is not safe with 3 replicas/)
    expect(line(checkServerVersions({ servers, replicas: 1 }))).toMatch(/^ok {2}nats-server 2.10.27 \(n1\), 2.9.10 \(n2\) will do/)
  })

  test('a cluster that is short of a server, a leader or a copy', () => {
    const copies = (...states: string[]) => states.map((state, i) => ({ server: `n${i + 1}`, state: state as 'leads' }))
    const of = (...states: string[]) => [{ name: 'RESULTS', copies: copies(...states) }, { name: 'KV_weir', copies: copies('leads', 'follows', 'follows') }]
    expect(line(checkCopies({ wanted: 3, streams: of('leads', 'follows', 'follows'), leaderless: [] }))).toBe('ok  each stream has 3 copies, on n1, n2, n3')
    expect(line(checkCopies({ wanted: 3, streams: of('leads', 'follows', 'away'), leaderless: [] }))).toMatch(/^!! {2}server n3 of the cluster is away, and with it a copy of stream RESULTS → start it/)
    expect(line(checkCopies({ wanted: 3, streams: of('behind', 'leads', 'follows'), leaderless: [] }))).toMatch(/^!! {2}server n1 .* not yet caught up with stream RESULTS/)
    expect(line(checkCopies({ wanted: 3, streams: of('leads'), leaderless: [] }))).toMatch(/^!! {2}stream RESULTS has fewer copies .*: 1 in place of 3 → .*--replicas 3/)
    expect(line(checkCopies({ wanted: 3, streams: of('leads', 'follows', 'follows'), leaderless: ['READINGS_0', 'READINGS_1'] }))).toMatch(/^!! {2}no server leads 2 streams \(READINGS_0 …\)/)
    expect(checkCopies({ wanted: 1, streams: of('leads'), leaderless: [] })).toEqual([])
  })

  test('messages that are too small', () => {
    expect(line(checkPayload(8 * 1024 ** 2))).toMatch(/^ok/)
    expect(line(checkPayload(1024 ** 2))).toMatch(/^!!.*1.0 MiB only → set max_payload: 8388608/)
    expect(checkPayload(null)).toEqual([])
  })

  test('clocks that disagree by more than the way there and back explains', () => {
    expect(line(checkSkew({ skewMs: 1_000, roundTripMs: 5 }))).toMatch(/^ok/)
    expect(line(checkSkew({ skewMs: -3_000, roundTripMs: 1_500 }))).toMatch(/^ok/)
    expect(line(checkSkew({ skewMs: -3_000, roundTripMs: 5 }))).toMatch(/^!!.*3.0 s behind.*NTP/)
    expect(line(checkSkew({ skewMs: 90_000_000, roundTripMs: 5 }))).toMatch(/ahead of.*refused/)
  })

  test('streams that are nearly full, and those that are not there', () => {
    expect(line(checkStreams([{ name: 'RESULTS', bytes: GiB, bytesMax: -1 }, { name: 'READINGS_0', bytes: GiB, bytesMax: 2 * GiB }]))).toBe('ok  the log holds 2.0 GiB in 2 streams')
    expect(line(checkStreams([{ name: 'READINGS_0', bytes: 9 * GiB, bytesMax: 10 * GiB }]))).toMatch(/^!!.*READINGS_0 holds 9.0 GiB of 10.0 GiB/)
    expect(line(checkStreams([]))).toMatch(/^!!.*not there/)
    expect(checkStreams(null)).toEqual([])
  })

  test('the reader that holds the log, and tells one that is gone from one that is slow', () => {
    expect(line(checkReaders([{ name: 'store-a', behind: 3, silentMs: 100 }]))).toMatch(/^ok.*store-a/)
    const found = line(checkReaders([{ name: 'store-a', behind: 200_000, silentMs: 100 }, { name: 'store-b', behind: 900_000, silentMs: 3_600_000 }]))
    expect(found).toMatch(/^!! {2}reader store-b is 900000 messages behind.*60 minutes → .*weir store forget store-b\n!! {2}reader store-a/)
  })

  test('roles of which nobody is alive', () => {
    expect(line(checkMembers({ edges: 1, workers: 2, stores: 1 }))).toBe('ok  alive: 1 edge, 2 worker, 1 store')
    expect(line(checkMembers({ edges: 1, workers: 0, stores: 0 }))).toMatch(/^!! {2}no worker.*weir worker\n!! {2}no store/)
  })

  test('routes of which nobody tells, and those whose receiver has failed for long', () => {
    const well = { tenant: 'default', id: 'phone', failsMs: null, error: null, waiting: 0 }
    expect(checkRoutes(null)).toEqual([])
    expect(checkRoutes({ routes: [], notifiers: 0 })).toEqual([])
    expect(line(checkRoutes({ routes: [well, { ...well, id: 'mail', failsMs: 60_000, error: 'x' }], notifiers: 1 }))).toBe('ok  alerts are told by 2 routes')
    expect(line(checkRoutes({ routes: [well], notifiers: 0 }))).toMatch(/^!! {2}no notifier is alive: nobody is told of alerts, though 1 route says whom to tell → .*weir notifier/)
    expect(line(checkRoutes({ routes: [well, { ...well, id: 'hook', failsMs: 35 * 60_000, error: 'the receiver answered 503', waiting: 3 }], notifiers: 1 }))).toMatch(/^!! {2}route hook of tenant default has delivered nothing for 35 minutes: the receiver answered 503; 3 messages wait → .*POST \/v1\/routes\/hook\/test$/)
  })

  test('partitions without an owner, where there is anyone to own them', () => {
    expect(line(checkPartitions({ owners: [1, 1, 1], workers: 1 }))).toMatch(/^ok.*3 partitions/)
    expect(line(checkPartitions({ owners: [1, 0, 0], workers: 1 }))).toMatch(/^!! {2}2 of 3 partitions have no owner: 1, 2/)
    expect(checkPartitions({ owners: [0], workers: 0 })).toEqual([])
  })

  test('a port that someone else holds, and who', () => {
    const at = { host: '127.0.0.1', port: 8080, by: null }
    expect(line(checkPort({ ...at, state: 'free' }))).toMatch(/^ok.*free/)
    expect(line(checkPort({ ...at, state: 'weir' }))).toMatch(/^ok.*edge of Weir/)
    expect(line(checkPort({ ...at, state: 'taken', by: 'nginx (pid 7)' }))).toMatch(/^!!.*taken by nginx \(pid 7\).*--port/)
    expect(line(checkPort({ ...at, state: 'taken' }))).toMatch(/taken by another program/)
    expect(line(checkPort({ ...at, host: '192.0.2.1', state: 'absent' }))).toMatch(/^!!.*no address 192.0.2.1 → .*--host/)
    expect(line(checkPort({ ...at, port: 80, state: 'forbidden' }))).toMatch(/^!!.*1023/)
  })

  test('a disk that is nearly full, and a folder that cannot be used', () => {
    const at = { path: './data', problem: null }
    expect(line(checkDisk({ ...at, freeBytes: 50 * GiB, totalBytes: 100 * GiB }))).toMatch(/^ok {2}50.0 GiB of 100 GiB/)
    expect(line(checkDisk({ ...at, freeBytes: GiB, totalBytes: 100 * GiB }))).toMatch(/^!! {2}only 1.0 GiB/)
    expect(line(checkDisk({ ...at, freeBytes: GiB, totalBytes: 4 * GiB }))).toMatch(/^ok/)
    expect(line(checkDisk({ ...at, freeBytes: 0, totalBytes: 0, problem: 'EACCES' }))).toMatch(/^!!.*EACCES.*chown/)
  })

  test('an admin key that others can read', () => {
    expect(line(checkAdminKey({ path: 'data/admin.key', mode: 0o600, mine: true }))).toMatch(/^ok/)
    expect(line(checkAdminKey({ path: 'data/admin.key', mode: 0o644, mine: true }))).toMatch(/^!!.*mode 644.*chmod 600 data\/admin.key/)
    expect(line(checkAdminKey({ path: 'data/admin.key', mode: 0o600, mine: false }))).toMatch(/^!!.*another user/)
    expect(checkAdminKey(null)).toEqual([])
  })

  test('a lake that does not open, or misses a segment', () => {
    const at = { path: 'data/lake', manifests: 3, problem: null, missing: [], segments: 12, failedViews: [] }
    expect(line(checkLake(at))).toMatch(/^ok.*12 segments/)
    expect(line(checkLake({ ...at, problem: 'no manifest reads' }))).toMatch(/^!!.*no manifest reads.*restore/)
    expect(line(checkLake({ ...at, missing: ['a.duckdb'] }))).toMatch(/^!!.*misses 1 of its 12 segments: a.duckdb/)
    expect(checkLake({ ...at, manifests: 0, segments: 0 })).toEqual([])
    expect(line(checkLake({ ...at, failedViews: [{ name: 'hourly', reason: 'It took too long.' }] }))).toMatch(/^ok[^]*!!.*hourly.*It took too long.*TRY_CAST/)
  })
})
