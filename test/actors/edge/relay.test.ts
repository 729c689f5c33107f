/** Live streams through an edge on a real port, from stores that a test scripts: they die in mid-word, drain, refuse, and come back. */

import { once } from 'node:events'
import { createServer, get } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RELAY_OPENING_MAX, RELAY_PATIENCE_MS, RELAY_RESUME_PATIENCE_MS } from '../../../runtime/limits.ts'
import { serveApp } from '../../../runtime/http.ts'
import { EdgeFixture } from './fixture.ts'

const ends: (() => Promise<unknown>)[] = []
let fixture: EdgeFixture
let url: string
beforeEach(async () => {
  fixture = await EdgeFixture.start()
  const served = await serveApp({ app: fixture.edge.app, port: 0 })
  url = served.url
  ends.push(() => served.close({ graceMs: 0 }))
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** A stream that a store was asked for. */
interface Asked {
  readonly url: string
  readonly lastId: string | undefined
  readonly response: ServerResponse
}

/** A store that begins each stream with `begins`, or leaves the answer to the test where that is null. */
class Store {
  readonly asked: Asked[] = []
  readonly url: string
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  static async start(begins: string | null = ''): Promise<Store> {
    const server = createServer((request, response) => {
      store.asked.push({ url: request.url!, lastId: request.headers['last-event-id'] as string | undefined, response })
      if (begins !== null) store.begin(store.asked.length - 1, begins)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const store = new Store(server)
    ends.push(async () => store.die())
    return store
  }

  begin(which: number, text = ''): void {
    this.asked[which].response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' })
    this.asked[which].response.write(`: begun\n\n${text}`)
  }

  say(text: string, which = this.asked.length - 1): void {
    this.asked[which].response.write(text)
  }

  /** As by kill -9. */
  die(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

class Client {
  text = ''
  status = 0
  state: 'open' | 'ended' | 'cut' = 'open'
  answer!: IncomingMessage

  constructor(path = '/v1/live', headers: Record<string, string> = {}) {
    const request = get(url + path, { headers, agent: false }, (answer) => {
      this.answer = answer
      this.status = answer.statusCode!
      answer.on('data', (data) => (this.text += data))
      answer.on('end', () => (this.state = 'ended')).on('error', () => (this.state = 'cut'))
    })
    request.on('error', () => (this.state = 'cut'))
    ends.push(async () => request.destroy())
  }

  /** Data of its events, in order. */
  get data(): string[] {
    return [...this.text.matchAll(/^data: (.*)$/gm)].map(([, data]) => data)
  }
}

const event = (id: number) => `event: reading\nid: g-${id}\ndata: ${id}\n\n`

/** Lets the edge's clock run until `holds`. */
async function until(what: string, holds: () => boolean, stepMs = 50): Promise<void> {
  const endMs = performance.now() + 10_000
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`never came true: ${what}`)
    await fixture.clock.advance(stepMs)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

describe('a live stream', () => {
  test('goes on at another store when its own dies, in the middle of an event too: the client has each event once, on one connection', async () => {
    const [one, two] = [await Store.start(), await Store.start()]
    fixture.stores = [one]
    const client = new Client('/v1/live?device=a%2Fb', { authorization: 'Bearer k' })
    await until('the stream is open', () => client.text !== '')
    one.say(event(1) + event(2))
    one.say('event: reading\nid: g-3\nda')
    await until('two came', () => client.data.length === 2)
    fixture.stores = [two]
    one.die()
    await until('the other store is asked', () => two.asked.length === 1)
    expect(two.asked[0]).toMatchObject({ url: '/v1/live?device=a%2Fb', lastId: 'g-2' })
    two.say(event(3) + event(4))
    await until('all came', () => client.data.length === 4)
    expect(client.data).toEqual(['1', '2', '3', '4'])
    expect([client.status, client.state, one.asked.length]).toEqual([200, 'open', 1])
    expect(client.text.replaceAll(/^:.*\n\n/gm, '')).toBe([1, 2, 3, 4].map(event).join(''))
  })

  test('goes on behind the id that its client came with, or that a heartbeat brought, where nothing else came', async () => {
    const [one, two, three] = [await Store.start(), await Store.start(), await Store.start()]
    fixture.stores = [one]
    const client = new Client('/v1/live', { 'last-event-id': 'g-7' })
    await until('the stream is open', () => client.text !== '')
    fixture.stores = [two]
    one.die()
    await until('the second is asked', () => two.asked.length === 1)
    expect([one.asked[0].lastId, two.asked[0].lastId]).toEqual(['g-7', 'g-7'])
    two.say(': heartbeat\nid: g-9\n\n')
    await until('the heartbeat came', () => client.text.includes('g-9'))
    fixture.stores = [three]
    two.die()
    await until('the third is asked', () => three.asked.length === 1)
    expect(three.asked[0].lastId).toBe('g-9')
  })

  test('waits for the store that is started again', async () => {
    const one = await Store.start()
    fixture.stores = [one]
    const clients = Array.from({ length: 20 }, () => new Client())
    await until('all are open', () => clients.every((client) => client.text !== ''))
    for (let i = 0; i < 20; i++) one.say(event(i), i)
    await until('each has its event', () => clients.every((client) => client.data.length === 1))
    fixture.stores = []
    one.die()
    await until('they are told', () => clients.every((client) => client.text.includes('waits for another')))
    await fixture.clock.advance(RELAY_RESUME_PATIENCE_MS / 2)
    const two = await Store.start()
    fixture.stores = [two]
    await until('all are there', () => two.asked.length === 20)
    expect(two.asked.map(({ lastId }) => lastId).sort()).toEqual(Array.from({ length: 20 }, (_, i) => `g-${i}`).sort())
    expect(clients.every((client) => client.state === 'open')).toBe(true)
  })

  test('goes on elsewhere where its store drains, and ends where the store tells its client to come again', async () => {
    const [one, two] = [await Store.start(), await Store.start()]
    fixture.stores = [one]
    const client = new Client()
    await until('the stream is open', () => client.text !== '')
    one.say(event(1))
    fixture.stores = [two]
    one.asked[0].response.end()
    await until('the other store is asked', () => two.asked.length === 1)
    expect(two.asked[0].lastId).toBe('g-1')
    two.say(event(2))
    two.asked[0].response.end(': too slow; resume from the last id\nretry: 200\n\n')
    await until('the client is at its end', () => client.state === 'ended')
    expect(client.data).toEqual(['1', '2'])
    expect(client.text).toMatch(/: too slow; resume from the last id\nretry: 200\n\n$/)
    expect([one.asked.length, two.asked.length]).toEqual([1, 1])
  })

  test('is cut where its key is no longer good, and asks again while a store is not ready', async () => {
    const [one, two] = [await Store.start(), await Store.start(null)]
    fixture.stores = [one]
    const client = new Client()
    await until('the stream is open', () => client.text !== '')
    fixture.stores = [two]
    one.die()
    for (let n = 1; n <= 3; n++) {
      await until('it is asked for', () => two.asked.length === n)
      expect(client.state).toBe('open')
      two.asked[n - 1].response.writeHead(n < 3 ? 503 : 401).end('refused')
    }
    await until('the client is cut', () => client.state === 'cut')
    expect(client.text).not.toContain('refused')
  })

  test('tells its client to come again when no store has come for long', async () => {
    const one = await Store.start()
    fixture.stores = [one]
    const client = new Client()
    await until('the stream is open', () => client.text !== '')
    fixture.stores = []
    one.die()
    await until('it waits', () => client.text.includes('waits for another'))
    const words = () => client.text.split('waits for another').length - 1
    await fixture.clock.advance(60_000)
    // A client that heard nothing for so long would take the stream for dead.
    await until('it is told so again', () => words() >= 4)
    await fixture.clock.advance(RELAY_RESUME_PATIENCE_MS - 55_000)
    await until('the client is at its end', () => client.state === 'ended')
    const told = words()
    await fixture.clock.advance(60_000)
    expect(words()).toBe(told)
    expect(client.text).toContain('resume from the last id\nretry: ')
  })

  test('that is opened while there is no store waits for one, and is 503 when none comes', async () => {
    const [early, never] = [new Client(), new Client()]
    await fixture.clock.advance(RELAY_PATIENCE_MS / 2)
    expect([early.status, never.status]).toEqual([0, 0])
    const one = await Store.start()
    fixture.stores = [one]
    await until('both are open', () => early.text !== '' && never.text !== '')
    fixture.stores = []
    const late = new Client()
    await until('it is answered', () => late.status !== 0)
    expect([late.status, late.answer.headers['retry-after'], late.answer.headers['content-type']]).toEqual([503, '1', 'application/problem+json'])
  })

  test('gets any other answer of the store as it is', async () => {
    const one = await Store.start(null)
    fixture.stores = [one]
    const client = new Client('/v1/live?kind=news')
    await until('it is asked for', () => one.asked.length === 1)
    one.asked[0].response.writeHead(400, { 'content-type': 'application/problem+json' }).end('{"status":400}')
    await until('it is answered', () => client.state === 'ended')
    expect([client.status, client.text]).toEqual([400, '{"status":400}'])
  })

  test('ends at the store when its client goes, whether it has begun or not', async () => {
    const one = await Store.start(null)
    fixture.stores = [one]
    for (const begun of [true, false]) {
      const request = get(`${url}/v1/live`, { agent: false }, (answer) => answer.on('error', () => {})).on('error', () => {})
      const n = one.asked.length
      await until('it is asked for', () => one.asked.length > n)
      if (begun) {
        one.begin(n)
        await once(request, 'response')
      }
      const closed = once(one.asked[n].response, 'close')
      request.destroy()
      await closed
    }
  })

  test('whose client takes nothing goes on once it does, without a gap', async () => {
    const [one, two] = [await Store.start(), await Store.start()]
    fixture.stores = [one]
    const client = new Client()
    await until('the stream is open', () => client.text !== '')
    client.answer.pause()
    let last = 0
    const pad = 'x'.repeat(50_000)
    const big = (id: number) => `event: reading\nid: g-${id}\ndata: ${id}\n: ${pad}\n\n`
    // Until the edge takes no more of it.
    while (!one.asked[0].response.writableNeedDrain || one.asked[0].response.writableLength < 4_000_000) {
      one.say(big(++last))
      await new Promise((resolve) => setImmediate(resolve))
    }
    fixture.stores = [two]
    one.die()
    await fixture.clock.advance(5_000)
    expect(two.asked).toHaveLength(0)
    client.answer.resume()
    await until('the other store is asked', () => two.asked.length === 1)
    const from = Number(two.asked[0].lastId!.slice(2))
    expect(from).toBeLessThan(last)
    two.say(Array.from({ length: 3 }, (_, i) => event(from + 1 + i)).join(''))
    await until('it goes on', () => client.data.at(-1) === String(from + 3))
    expect(client.data).toEqual(Array.from({ length: from + 3 }, (_, i) => String(i + 1)))
  })
})

test('a store that takes connections and answers none keeps nobody from another', async () => {
  const [frozen, alive] = [await Store.start(null), await Store.start()]
  fixture.stores = [frozen]
  const clients = Array.from({ length: RELAY_OPENING_MAX + 5 }, () => new Client())
  await until('it is asked', () => frozen.asked.length === RELAY_OPENING_MAX)
  fixture.stores = [frozen, alive]
  await until('all are open', () => clients.every((client) => client.text !== ''), 500)
})

test('of thousands who lose a store, as many as may be opened at a time find out that it is gone, and the others wait', async () => {
  const dead = await Store.start()
  fixture.stores = [dead]
  const clients = Array.from({ length: RELAY_OPENING_MAX + 50 }, () => new Client())
  await until('all are open', () => clients.every((client) => client.text !== ''))
  let refused = 0
  const server = createTcpServer((socket) => {
    refused++
    socket.destroy()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(async () => server.close())
  // Its place is there, and nobody listens.
  fixture.stores = [{ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }]
  dead.die()
  await until('all wait', () => clients.every((client) => client.text.includes('waits for another')))
  for (let i = 0; i < 30; i++) {
    await fixture.clock.advance(50)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  expect(refused).toBeGreaterThan(0)
  expect(refused).toBeLessThanOrEqual(RELAY_OPENING_MAX)
})

test('a store is asked for a bounded number of streams at a time, in the order of their coming', async () => {
  const one = await Store.start(null)
  fixture.stores = [one]
  const more = 20
  const clients = Array.from({ length: RELAY_OPENING_MAX + more }, (_, i) => new Client(`/v1/live?device=d${i}`))
  await until('as many as may are asked for', () => one.asked.length >= RELAY_OPENING_MAX)
  for (let i = 0; i < 20; i++) await fixture.clock.advance(50)
  expect(one.asked).toHaveLength(RELAY_OPENING_MAX)
  for (let i = 0; i < more; i++) one.begin(i)
  await until('as many more are asked for', () => one.asked.length === RELAY_OPENING_MAX + more)
  for (let i = more; i < one.asked.length; i++) one.begin(i)
  await until('all are open', () => clients.every((client) => client.text !== ''))
})
