/** The edge on a real server's log, over real sockets: hostile bodies, wrong keys, a log that goes away and comes back. */

import { request } from 'node:http'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createEdge } from '../../actors/edge/edge.ts'
import type { Edge } from '../../actors/edge/edge.ts'
import { decodeInput } from '../../actors/reading/input.ts'
import type { Block } from '../../actors/reading/input.ts'
import { systemClock } from '../../runtime/clock.ts'
import { pack } from '../../runtime/codec.ts'
import { serveApp } from '../../runtime/http.ts'
import type { Served } from '../../runtime/http.ts'
import { ensureInstallation } from '../../runtime/installation.ts'
import { Keyring } from '../../runtime/keys.ts'
import type { Connection } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/telemetry.ts'
import { BUCKET_KEYS, inputStreams } from '../../runtime/topology.ts'
import type { Topology } from '../../runtime/topology.ts'
import { startTestNats } from '../support/nats.ts'
import type { TestNats } from '../support/nats.ts'
import { eventually } from '../support/system.ts'

let nats: TestNats
let connection: Connection
let topology: Topology
let edge: Edge
let served: Served
let key: string

beforeAll(async () => {
  nats = await startTestNats()
  connection = await nats.connect('edge')
  topology = await ensureInstallation(connection, { partitions: 8, replicas: 1, bytesMax: -1, clock: systemClock })
  const keyring = await Keyring.open(await connection.kv(BUCKET_KEYS), systemClock)
  key = (await keyring.create({ role: 'device' })).secret
  const logger = { warn() {}, error() {} }
  edge = createEdge({ connection, topology, keyring, membership: { view: () => [] }, clock: systemClock, logger, metrics: createMetrics({ process: false }) })
  served = await serveApp({ app: edge.app, port: 0 })
})

afterAll(async () => {
  await edge?.stop()
  await served?.close({ graceMs: 0 })
  await nats?.stop()
})

async function post(body: unknown, headers: Record<string, string> = {}): Promise<{ status: number; headers: Headers; body: any }> {
  const raw = typeof body === 'string' || body instanceof Uint8Array
  const response = await fetch(`${served.url}/v1/readings`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: (raw ? body : JSON.stringify(body)) as BodyInit,
  })
  return { status: response.status, headers: response.headers, body: await response.json() }
}

/** Every reading of `device` in the log. */
async function stored(device: string): Promise<{ metric: string; ts: number; value: number }[]> {
  const rows: { metric: string; ts: number; value: number }[] = []
  for (const stream of inputStreams(topology)) {
    const { lastSeq } = await connection.log.info(stream)
    for (let seq = 1; seq <= lastSeq; seq++) {
      const message = await connection.log.at(stream, seq)
      if (message === null) continue
      const input = decodeInput(message.data)
      if (input.kind === 'block') rows.push(...rowsOf(input, device))
    }
  }
  return rows
}

function rowsOf(block: Block, device: string): { metric: string; ts: number; value: number }[] {
  return Array.from(block.row, (series, i) => ({
    device: block.devices[block.seriesDevice[series]],
    metric: block.metrics[block.seriesMetric[series]],
    ts: block.ts[i],
    value: block.value[i],
  })).flatMap(({ device: of, ...row }) => (of === device ? [row] : []))
}

/** A request whose body goes out in pieces without a declared length. Answers with the status, or the code of the broken socket. */
function postChunked(pieces: number, pieceBytes: number): Promise<number | string> {
  return new Promise((resolve) => {
    const piece = Buffer.alloc(pieceBytes, 32)
    const outgoing = request(`${served.url}/v1/readings`, { method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'transfer-encoding': 'chunked' } })
    outgoing.on('response', (response) => {
      resolve(response.statusCode!)
      response.resume()
      outgoing.destroy()
    })
    outgoing.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    let left = pieces
    const write = () => {
      while (left-- > 0) if (!outgoing.write(piece)) return void outgoing.once('drain', write)
      outgoing.end()
    }
    write()
  })
}

describe('the edge on a real log', () => {
  test('has in the log, block by block, exactly what it answered 202 to', async () => {
    const ts = Date.now()
    const batches = Array.from({ length: 40 }, (_, b) => Array.from({ length: 50 }, (_, i) => ({ device: 'exact', metric: `m${i % 7}`, ts: ts + b, value: b * 50 + i })))
    const answers = await Promise.all(batches.map((batch) => post([...batch, { device: 'exact', metric: 'm', value: 'no' }])))
    for (const { status, body } of answers) expect([status, body.accepted, body.rejected.length]).toEqual([202, 50, 1])
    const rows = await stored('exact')
    expect(rows.sort((a, b) => a.value - b.value)).toEqual(batches.flat().map(({ device: _, ...row }) => row))
  })

  const good = { device: 'survivor', metric: 'm', value: 1 }
  const hostile: [string, string, RegExp][] = [
    ['NaN as text', '"NaN"', /number or a boolean/],
    ['infinity', '1e400', /magnitude/],
    ['null', 'null', /number or a boolean/],
    ['an array', '[[[1]]]', /number or a boolean/],
  ]
  test.each(hostile)('keeps the good readings beside a value that is %s', async (_, value, reason) => {
    const { status, body } = await post(`[${JSON.stringify(good)},{"device":"d","metric":"m","value":${value}},${JSON.stringify(good)}]`)
    expect([status, body.accepted, body.rejected.length, body.rejected[0].index]).toEqual([202, 2, 1, 1])
    expect(body.rejected[0].reason).toMatch(reason)
  })

  test.each([Date.now() + 25 * 3_600_000, -1, 0, 1e300, 'soon'])('keeps the good readings beside one of time %j', async (ts) => {
    const { status, body } = await post([good, { ...good, ts }])
    expect([status, body.accepted, body.rejected[0].index]).toEqual([202, 1, 1])
  })

  test('answers 400 to what is no JSON, to nesting 100,000 deep, to msgpack that lies', async () => {
    for (const [body, headers] of [
      ['not json', {}],
      ['['.repeat(100_000) + ']'.repeat(100_000), {}],
      [Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]), { 'content-type': 'application/msgpack' }],
      [Buffer.from([0xc1]), { 'content-type': 'application/msgpack' }],
      [pack([pack('x')]), { 'content-type': 'application/msgpack' }],
      [Buffer.from('9bffffffffffffffff', 'hex'), { 'content-type': 'application/senml+cbor' }],
    ] as [string | Uint8Array, Record<string, string>][]) {
      const { status, body: problem, headers: answered } = await post(body, headers)
      expect([status, answered.get('content-type')]).toEqual([400, 'application/problem+json'])
      expect(problem.detail).toMatch(/^Nothing was taken/)
    }
  })

  test('answers 413 to 10 MB, declared or in pieces, and to a gzip bomb', async () => {
    expect((await post(Buffer.alloc(10_000_000, 32))).status).toBe(413)
    expect([413, 'ECONNRESET', 'EPIPE']).toContain(await postChunked(160, 65_536))
    expect((await post(gzipSync(Buffer.alloc(100_000_000)), { 'content-encoding': 'gzip' })).status).toBe(413)
    expect((await post([good])).status).toBe(202)
  })

  test('answers 401 to wrong keys and 415 to unknown types', async () => {
    expect((await post([good], { authorization: 'Bearer wrong-key' })).status).toBe(401)
    expect((await post([good], { 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(415)
  })

  test('answers 503 with Retry-After while the log is away, and takes readings again once it is back', async () => {
    await nats.kill()
    const away = await post([{ ...good, device: 'away' }])
    expect(away.status).toBe(503)
    expect(Number(away.headers.get('retry-after'))).toBeGreaterThan(0)
    await nats.restart()
    await eventually('readings are taken again', async () => (await post([{ ...good, device: 'back' }])).status === 202)
    expect((await stored('back')).length).toBeGreaterThan(0)
  })

  test('answers 503 to a log that does not answer, in bounded time', async () => {
    await nats.pause()
    try {
      const { status, headers } = await post([{ ...good, device: 'paused' }])
      expect(status).toBe(503)
      expect(headers.get('retry-after')).toBe('1')
    } finally {
      nats.resume()
    }
    await eventually('readings are taken again', async () => (await post([good])).status === 202)
  })
})
