import { connect } from 'node:net'
import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from 'node:zlib'
import { pack } from '../../../runtime/codec.ts'
import { serveApp } from '../../../runtime/http.ts'
import { BODY_MAX_BYTES, REJECTS_LINGER_MS } from '../../../runtime/limits.ts'
import { describe, expect, test } from 'vitest'
import { EdgeFixture } from './fixture.ts'

/** Quick, since only what inflates it is under test. */
const brotli = (body: Buffer) => brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } })

const good = { device: 'field-7/probe-2', metric: 'soil_moisture', value: 23.4 }

describe('POST /v1/readings', () => {
  test('answers 202 with a verdict, and what it accepted is in the log', async () => {
    const edge = await EdgeFixture.start()
    const ts = edge.clock.now()
    const response = await edge.post([{ ...good, ts }, { ...good, device: 'a b' }, { ...good, ts, value: 1 }])
    expect(response.status).toBe(202)
    expect(await response.json()).toEqual({ accepted: 2, rejected: [{ index: 1, reason: expect.stringMatching(/^Device must be/) }] })
    expect(edge.readings()).toEqual([{ ...good, ts }, { ...good, ts, value: 1 }])
  })

  test('counts what it turns away by what was wrong, each cause from the start', async () => {
    const edge = await EdgeFixture.start()
    const causes = async () => {
      const metrics = await (await edge.edge.app.request('/metrics')).text()
      return Object.fromEntries([...metrics.matchAll(/^weir_edge_readings_rejected_total\{cause="(\w+)"\} (\d+)$/gm)].map(([, cause, count]) => [cause, Number(count)]))
    }
    expect(await causes()).toEqual({ device: 0, metric: 0, ts: 0, value: 0, key: 0, form: 0, body: 0 })
    const bound = (await edge.keyring.create({ role: 'device', prefixes: ['mine/'] })).secret
    await edge.post([good, { ...good, device: 'a b' }, { ...good, metric: '1' }, { ...good, ts: 5 }, { ...good, value: 'wet' }, { ...good, value: 1e101 }, 7])
    await edge.post([good, { ...good, device: 'mine/1' }], { key: bound })
    await edge.post('{')
    expect(await causes()).toEqual({ device: 1, metric: 1, ts: 1, value: 2, key: 1, form: 1, body: 1 })
  })

  test('answers only after the log has acknowledged', async () => {
    const edge = await EdgeFixture.start()
    const release = edge.world.holdPublishes('readings.>')
    let status = 0
    const answered = edge.send([good]).then((response) => (status = response.status))
    await edge.clock.advance(500)
    expect(status).toBe(0)
    release()
    await edge.answerOf(answered)
    expect(status).toBe(202)
  })

  test('takes every format, and line breaks in any', async () => {
    const edge = await EdgeFixture.start()
    const bodies: [string, string | Uint8Array][] = [
      ['application/json; charset=utf-8', JSON.stringify(good)],
      ['application/x-ndjson', `${JSON.stringify(good)}\n`],
      ['application/msgpack', pack([good])],
      ['application/vnd.msgpack', pack({ device: 'a', metric: 'm', value: [1] })],
      ['application/x-msgpack', pack(good)],
      ['application/senml+json', '[{"n":"a/m","v":1}]'],
      ['application/senml+cbor', Buffer.from('81a20063612f6d0201', 'hex')],
    ]
    for (const [type, body] of bodies) {
      const response = await edge.post(body, { type })
      expect([type, response.status, await response.json()]).toEqual([type, 202, { accepted: 1, rejected: [] }])
    }
    expect(edge.readings()).toHaveLength(bodies.length)
  })

  test.each([
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['br', brotli],
    ['zstd', zstdCompressSync],
  ] as const)('inflates %s, small and large', async (encoding, deflate) => {
    const edge = await EdgeFixture.start()
    for (const count of [1, 20_000]) {
      const body = deflate(Buffer.from(JSON.stringify(Array.from({ length: count }, (_, i) => ({ ...good, value: (i * 7919) % 10007 })))))
      const response = await edge.post(body, { headers: { 'content-encoding': encoding } })
      expect(await response.json()).toEqual({ accepted: count, rejected: [] })
    }
  })

  test.each([
    ['gzip', gzipSync],
    ['br', brotli],
    ['zstd', zstdCompressSync],
  ] as const)('answers 413 to a %s bomb', async (encoding, deflate) => {
    const edge = await EdgeFixture.start()
    const response = await edge.post(deflate(Buffer.alloc(64 * 1024 * 1024)), { headers: { 'content-encoding': encoding } })
    expect(response.status).toBe(413)
    expect((await response.json()).detail).toMatch(/once it is inflated/)
  })

  test('answers 413 to a body beyond the bound, declared or not, and goes on', async () => {
    const edge = await EdgeFixture.start()
    const large = Buffer.alloc(BODY_MAX_BYTES + 1, 32)
    expect((await edge.post(large)).status).toBe(413)
    expect((await edge.post('x', { headers: { 'content-length': String(BODY_MAX_BYTES + 1) } })).status).toBe(413)
    expect((await edge.post(good)).status).toBe(202)
  })

  test.each([
    ['too large', 'application/json', 413],
    ['of a type that is unknown', 'text/plain', 415],
  ])('tells a client that sends all before it listens, and closes then, that its body is %s', async (_, type, status) => {
    const edge = await EdgeFixture.start()
    const served = await serveApp({ app: edge.edge.app, port: 0 })
    const body = Buffer.alloc(BODY_MAX_BYTES + 1_000_000, 32)
    const head = `POST /v1/readings HTTP/1.1\r\nHost: weir\r\nConnection: close\r\nAuthorization: Bearer ${edge.device}\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`
    const socket = connect(served.port, '127.0.0.1').pause()
    let heard = ''
    try {
      await new Promise<void>((resolve, reject) => {
        socket.on('data', (chunk) => (heard += chunk)).on('end', resolve).on('error', reject)
        socket.pause()
        socket.write(head)
        socket.write(body, () => socket.resume())
      })
    } finally {
      socket.destroy()
      await served.close({ graceMs: 0 })
    }
    expect(heard).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  })

  test('answers 413 to more readings than one request may hold, and takes none of them', async () => {
    const edge = await EdgeFixture.start()
    const response = await edge.post(pack({ device: 'a', metric: 'm', value: new Array(600_000).fill(1) }), { type: 'application/msgpack' })
    expect(response.status).toBe(413)
    expect(edge.messages()).toEqual([])
  })

  test.each([
    ['text/plain', {}, /Content-Type/],
    ['application/json', { 'content-encoding': 'compress' }, /Content-Encoding/],
    ['application/json', { 'content-encoding': 'gzip, gzip' }, /Content-Encoding/],
  ])('answers 415 to what it does not know: %s %j', async (type, headers, detail) => {
    const edge = await EdgeFixture.start()
    const response = await edge.post(good, { type, headers: headers as Record<string, string> })
    expect(response.status).toBe(415)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect((await response.json()).detail).toMatch(detail)
  })

  test.each([
    ['[]', 'No readings'],
    ['', 'Body not readable'],
    ['{nope', 'Body not readable'],
    ['[{"device":"a"}]', 'No reading is valid'],
  ])('answers 400 to %j, with the reasons', async (body, title) => {
    const edge = await EdgeFixture.start()
    const response = await edge.post(body)
    expect(response.status).toBe(400)
    const problem = await response.json()
    expect(problem).toMatchObject({ title, status: 400, accepted: 0 })
    if (body !== '[]') expect(problem.rejected).toHaveLength(1)
  })

  test('answers 400 to a body that is not what its encoding says', async () => {
    const edge = await EdgeFixture.start()
    expect((await edge.post(good, { headers: { 'content-encoding': 'gzip' } })).status).toBe(400)
    expect((await edge.post(gzipSync('{}').subarray(0, 10), { headers: { 'content-encoding': 'gzip' } })).status).toBe(400)
  })

  test('counts the rejected that it does not name', async () => {
    const edge = await EdgeFixture.start()
    const body = await (await edge.post([good, ...Array.from({ length: 1500 }, () => 1)])).json()
    expect(body).toMatchObject({ accepted: 1, rejectedCount: 1500 })
    expect(body.rejected).toHaveLength(1000)
  })
})

describe('keys', () => {
  test.each([undefined, '', 'Bearer', 'Bearer nope', 'Basic abc', `Bearer ${'x'.repeat(5000)}`])('that are missing or unknown get 401: %.20s', async (authorization) => {
    const edge = await EdgeFixture.start()
    const response = await edge.edge.app.request('/v1/readings', { method: 'POST', headers: authorization === undefined ? {} : { authorization }, body: '{}' })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/)
  })

  test('of analysts get 403, of admins may write', async () => {
    const edge = await EdgeFixture.start()
    expect((await edge.post(good, { key: edge.analyst })).status).toBe(403)
    const { secret } = await edge.keyring.create({ role: 'admin' })
    expect((await edge.post(good, { key: secret })).status).toBe(202)
  })

  test('that are revoked get 401 from then on', async () => {
    const edge = await EdgeFixture.start()
    const { secret, record } = await edge.keyring.create({ role: 'device' })
    expect((await edge.post(good, { key: secret })).status).toBe(202)
    await edge.keyring.revoke(record.id)
    expect((await edge.post(good, { key: secret })).status).toBe(401)
  })

  test('bound to prefixes reject the devices of others, and get 403 where no other is in the batch', async () => {
    const edge = await EdgeFixture.start()
    const { secret } = await edge.keyring.create({ role: 'device', prefixes: ['mine/'] })
    const own = { ...good, device: 'mine/1' }
    expect(await (await edge.post([good, own], { key: secret })).json()).toMatchObject({ accepted: 1, rejected: [{ index: 0 }] })
    expect((await edge.post([good], { key: secret })).status).toBe(403)
    expect(edge.readings().map((r) => r.device)).toEqual(['mine/1'])
  })

  test('of two tenants never share a block', async () => {
    const edge = await EdgeFixture.start({ partitions: 1 })
    const { secret } = await edge.keyring.create({ role: 'device', tenant: 'acme' })
    await edge.answerOf(Promise.all([edge.send([good]), edge.send([{ ...good, value: 2 }]), edge.send([good], { key: secret }), edge.send([{ ...good, value: 3 }], { key: secret })]))
    const byTenant = edge.blocks().map((b) => [b.tenant, b.ts.length])
    expect(byTenant.filter(([t]) => t === 'acme').reduce((n, [, rows]) => n + Number(rows), 0)).toBe(2)
    expect(byTenant.filter(([t]) => t === 'default').reduce((n, [, rows]) => n + Number(rows), 0)).toBe(2)
  })
})

describe('quotas', () => {
  test('answer 429 with Retry-After once a tenant has used up its second, and let it in again', async () => {
    const edge = await EdgeFixture.start({ quota: 10 })
    const batch = Array.from({ length: 25 }, (_, i) => ({ ...good, value: i }))
    expect((await edge.post(batch)).status).toBe(202)
    const refused = await edge.post([good])
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBe(2)
    await edge.clock.advance(2_000)
    expect((await edge.post([good])).status).toBe(202)
  })

  test('of one key leave the others alone', async () => {
    const edge = await EdgeFixture.start()
    const { secret } = await edge.keyring.create({ role: 'device', quota: 1 })
    expect((await edge.post([good, { ...good, value: 2 }], { key: secret })).status).toBe(202)
    expect((await edge.post([good], { key: secret })).status).toBe(429)
    expect((await edge.post([good])).status).toBe(202)
  })
})

describe('the ledger of the rejected', () => {
  test('gets exact counts by device and a sample, and no answer waits for it', async () => {
    const edge = await EdgeFixture.start({ partitions: 1 })
    await edge.post([good, { ...good, value: 'x' }, { ...good, value: 'y' }, 7])
    expect(edge.rejects()).toEqual([])
    await edge.clock.advance(REJECTS_LINGER_MS)
    const [message] = edge.rejects()
    expect(new Map(message.counts)).toEqual(new Map([['field-7/probe-2', 2], ['', 1]]))
    expect(message.samples[0]).toEqual([expect.stringMatching(/^Value must be/), JSON.stringify({ ...good, value: 'x' })])
  })

  test('waits for a log that is away, and loses no count', async () => {
    const edge = await EdgeFixture.start({ partitions: 1 })
    expect((await edge.post([7])).status).toBe(400)
    edge.world.failNext('readings.>', 'unavailable', 2)
    await edge.clock.advance(REJECTS_LINGER_MS)
    expect((await edge.post([7, 8])).status).toBe(400)
    await edge.clock.advance(5_000)
    expect(edge.rejects().flatMap((m) => m.counts).reduce((n, [, count]) => n + count, 0)).toBe(3)
  })

  test('counts nothing of a request that is to be sent again', async () => {
    const edge = await EdgeFixture.start({ partitions: 1 })
    edge.world.failNext('readings.>', 'full', 1)
    expect((await edge.post([good, 7])).status).toBe(503)
    expect((await edge.post([good, 7])).status).toBe(202)
    await edge.edge.stop()
    expect(edge.rejects().flatMap((m) => m.counts)).toEqual([['', 1]])
  })
})

describe('POST /api/v2/write', () => {
  const influx = (edge: EdgeFixture, body: string, query = '') =>
    edge.post(body, { path: `/api/v2/write?org=o&bucket=b${query}`, type: 'text/plain; charset=utf-8', headers: { authorization: `Token ${edge.device}` } })

  test('answers 204 where all was taken', async () => {
    const edge = await EdgeFixture.start()
    const ts = edge.clock.now()
    const response = await influx(edge, `weather,device=x temperature=20.5 ${ts}000000`)
    expect(response.status).toBe(204)
    expect(edge.readings()).toEqual([{ device: 'x', metric: 'temperature', ts, value: 20.5 }])
  })

  test('answers 202 with a verdict where a part was taken, which senders take for delivered', async () => {
    const edge = await EdgeFixture.start()
    const response = await influx(edge, 'weather,device=x temperature=20.5,text="hot"')
    expect(response.status).toBe(202)
    expect(await response.json()).toMatchObject({ accepted: 1, rejected: [{ index: 0 }] })
  })

  test('answers as InfluxDB does where nothing was', async () => {
    const edge = await EdgeFixture.start()
    const response = await influx(edge, 'nonsense')
    expect(response.status).toBe(400)
    expect(await response.json()).toEqual({ code: 'invalid', message: expect.stringMatching(/measurement/), line: 1 })
    expect((await influx(edge, 'm v=1', '&precision=h')).status).toBe(400)
    expect(await (await edge.post('m v=1', { path: '/api/v2/write', key: 'nope-nope' })).json()).toMatchObject({ code: 'unauthorized' })
  })

  test('understands precision', async () => {
    const edge = await EdgeFixture.start()
    const seconds = Math.trunc(edge.clock.now() / 1000)
    await influx(edge, `m,device=x v=1 ${seconds}`, '&precision=s')
    expect(edge.readings()[0].ts).toBe(seconds * 1000)
  })
})
