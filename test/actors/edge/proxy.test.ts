import { Agent, createServer, request } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { serveApp } from '../../../runtime/http.ts'
import { EdgeFixture } from './fixture.ts'

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function store(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<{ url: string; server: Server }> {
  const server = createServer(handle).listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(async () => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}

/** An edge on a real port, since streams and aborts are a matter of sockets. */
async function edgeBefore(stores: { url: string }[]): Promise<{ url: string; fixture: EdgeFixture }> {
  const fixture = await EdgeFixture.start()
  fixture.stores = stores
  const served = await serveApp({ app: fixture.edge.app, port: 0 })
  ends.push(() => served.close({ graceMs: 0 }))
  return { url: served.url, fixture }
}

test('everything but ingest goes to the store as it came, and its answer comes back as it is', async () => {
  const seen: { method?: string; url?: string; headers: IncomingMessage['headers']; body: string }[] = []
  const one = await store(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    seen.push({ method: request.method, url: request.url, headers: request.headers, body })
    response.writeHead(418, { 'x-own': 'yes', 'content-type': 'text/csv', 'set-cookie': ['a=1', 'b=2'] }).end('a,b')
  })
  const { url } = await edgeBefore([one])
  const answer = await fetch(`${url}/v1/windows?device=a%2Fb&size=1m`, { headers: { authorization: 'Bearer k', connection: 'x-hop', 'x-hop': '1', 'last-event-id': '7' } })
  expect([answer.status, answer.headers.get('x-own'), answer.headers.get('content-type'), await answer.text()]).toEqual([418, 'yes', 'text/csv', 'a,b'])
  expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  expect(seen[0]).toMatchObject({ method: 'GET', url: '/v1/windows?device=a%2Fb&size=1m', headers: { authorization: 'Bearer k', 'last-event-id': '7' } })
  expect(seen[0].headers['x-forwarded-host']).toBe(new URL(url).host)
  expect(seen[0].headers.host).toBe(new URL(one.url).host)

  await (await fetch(`${url}/v1/sql`, { method: 'POST', body: '{"sql":"SELECT 1"}', headers: { 'content-type': 'application/json' } })).text()
  expect(seen[1]).toMatchObject({ method: 'POST', url: '/v1/sql', body: '{"sql":"SELECT 1"}' })
  await fetch(`${url}/`, { method: 'HEAD' })
  expect(seen[2]).toMatchObject({ method: 'HEAD', url: '/' })
  await fetch(`${url}/v1/readings?device=a`)
  expect(seen[3]).toMatchObject({ method: 'GET', url: '/v1/readings?device=a' })
})

test('a GET with a body is passed on without it, and what it holds is never taken for a request of its own', async () => {
  const seen: string[] = []
  const one = await store(async (incoming, response) => {
    let body = ''
    for await (const chunk of incoming) body += chunk
    seen.push(`${incoming.method} ${incoming.url} ${body}`)
    response.end()
  })
  const { url } = await edgeBefore([one])
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  ends.push(async () => agent.destroy())
  const smuggled = 'GET /v1/smuggled HTTP/1.1\r\nhost: a\r\n\r\n'
  for (const path of ['/v1/one', '/v1/two', '/v1/three']) {
    const sent = request(url + path, { method: 'GET', agent, headers: { 'content-length': smuggled.length } }).end(smuggled)
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    expect(answer.statusCode).toBe(200)
    await once(answer.resume(), 'end')
  }
  expect(seen).toEqual(['GET /v1/one ', 'GET /v1/two ', 'GET /v1/three '])
})

test('an event stream comes through event by event, and ends at the store when the client goes', async () => {
  let open: ServerResponse | undefined
  let gone = () => {}
  const closed = new Promise<void>((resolve) => (gone = resolve))
  const one = await store((request, response) => {
    open = response
    response.on('close', gone)
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('event: snapshot\n\n')
    expect(request.url).toBe('/v1/live')
  })
  const { url } = await edgeBefore([one])
  const abort = new AbortController()
  const response = await fetch(`${url}/v1/live`, { signal: abort.signal })
  const reader = response.body!.getReader()
  const next = async () => new TextDecoder().decode((await reader.read()).value)
  expect(await next()).toBe('event: snapshot\n\n')
  open!.write('event: reading\n\n')
  expect(await next()).toBe('event: reading\n\n')
  abort.abort()
  await closed
})

test('without a store it is 503 with Retry-After, and readings are still taken', async () => {
  const { fixture } = await edgeBefore([])
  const response = await fixture.edge.app.request('/v1/latest')
  expect([response.status, response.headers.get('retry-after'), response.headers.get('content-type')]).toEqual([503, '1', 'application/problem+json'])
  expect((await fixture.post({ device: 'a', metric: 'm', value: 1 })).status).toBe(202)
})

test('a store that died is passed over for one that lives', async () => {
  const dead = await store(() => {})
  dead.server.close()
  await once(dead.server, 'close')
  const alive = await store((_, response) => void response.end('alive'))
  const { url, fixture } = await edgeBefore([dead, alive])
  for (let i = 0; i < 5; i++) expect(await (await fetch(`${url}/x`)).text()).toBe('alive')
  fixture.stores = [dead]
  expect((await fetch(`${url}/x`)).status).toBe(503)
})

test('one client keeps to one of several stores', async () => {
  const hits = [0, 0]
  const two = await Promise.all([0, 1].map((i) => store((_, response) => void (hits[i]++, response.end()))))
  const { url } = await edgeBefore(two)
  for (let i = 0; i < 10; i++) await fetch(`${url}/x`)
  expect(hits.sort()).toEqual([0, 10])
})

test('a store that breaks off breaks the answer off', async () => {
  const one = await store((_, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('half')
    response.socket!.end()
  })
  const { url } = await edgeBefore([one])
  const response = await fetch(`${url}/x`)
  await expect(response.text()).rejects.toThrow()
})
