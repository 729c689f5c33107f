import { Hono } from 'hono'
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { OperatingError } from '../../runtime/errors.ts'
import { healthRoutes, installProblems, problem, requireKey, serveApp } from '../../runtime/http.ts'
import type { Served } from '../../runtime/http.ts'
import { Keyring } from '../../runtime/keys.ts'
import { HTTP_IDLE_MS } from '../../runtime/limits.ts'
import { MemoryWorld } from '../../runtime/memory-log.ts'
import { BUCKET_KEYS } from '../../runtime/topology.ts'
import { ManualClock } from '../support/manual-clock.ts'

const servers: Served[] = []
afterEach(async () => {
  for (const served of servers.splice(0)) await served.close({ graceMs: 0 })
})
const serve = async (app: Hono) => {
  const served = await serveApp({ app, port: 0 })
  servers.push(served)
  return served
}

describe('problems', () => {
  test('carry what to do, and members of their own', async () => {
    const response = problem(null, { status: 400, title: 'T', detail: 'D', headers: { 'retry-after': '1' }, extra: { rejected: [] } })
    expect(response.status).toBe(400)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(response.headers.get('retry-after')).toBe('1')
    expect(await response.json()).toEqual({ type: 'about:blank', title: 'T', status: 400, detail: 'D', rejected: [] })
  })

  test('answer for unknown paths and for what handlers throw, and tell nothing of the inside', async () => {
    const seen: unknown[] = []
    const app = new Hono()
    installProblems(app, (error) => seen.push(error))
    app.get('/bug', () => {
      throw new Error('secret of the inside')
    })
    app.get('/away', () => {
      throw new OperatingError('unavailable', 'nats://secret')
    })
    app.get('/wrong', () => {
      throw new HTTPException(400, { message: 'Send a width.' })
    })
    const get = async (path: string) => {
      const response = await app.request(path)
      expect(response.headers.get('content-type')).toBe('application/problem+json')
      return { status: response.status, retryAfter: response.headers.get('retry-after'), body: await response.text() }
    }
    expect(await get('/nothing')).toMatchObject({ status: 404 })
    const bug = await get('/bug')
    expect(bug.status).toBe(500)
    expect(bug.body).not.toContain('secret')
    const away = await get('/away')
    expect(away).toMatchObject({ status: 503, retryAfter: '1' })
    expect(away.body).not.toContain('secret')
    expect((await get('/wrong')).body).toContain('Send a width.')
    expect(seen).toHaveLength(2)
  })
})

test('requireKey lets roles and admins pass, and sets the principal', async () => {
  const clock = new ManualClock()
  const keyring = await Keyring.open(await new MemoryWorld({ clock }).connect().kv(BUCKET_KEYS), clock)
  const keys = { device: '', analyst: '', admin: '' }
  for (const role of ['device', 'analyst', 'admin'] as const) keys[role] = (await keyring.create({ role })).secret
  const app = new Hono().get('/read', requireKey(keyring, ['analyst']), (c) => c.json({ tenant: c.var.principal.tenant }))
  const status = async (key: string) => (await app.request('/read', { headers: { authorization: `Bearer ${key}` } })).status
  expect(await status(keys.analyst)).toBe(200)
  expect(await status(keys.admin)).toBe(200)
  expect(await status(keys.device)).toBe(403)
  expect(await status('unknown-key')).toBe(401)
  expect((await app.request('/read')).status).toBe(401)
})

test('health tells living from ready, and why not', async () => {
  let ready: boolean | string = false
  const app = healthRoutes({ ready: () => ready, registry: { contentType: 'application/openmetrics-text', metrics: async () => 'x 1\n# EOF\n' } })
  expect((await app.request('/healthz')).status).toBe(200)
  expect((await app.request('/readyz')).status).toBe(503)
  ready = 'Waits for the log.'
  expect((await (await app.request('/readyz')).json()).detail).toBe('Waits for the log.')
  ready = true
  expect((await app.request('/readyz')).status).toBe(200)
  const metrics = await app.request('/metrics')
  expect([metrics.headers.get('content-type'), await metrics.text()]).toEqual(['application/openmetrics-text', 'x 1\n# EOF\n'])
})

describe('a server', () => {
  test('says where it listens, and that a port is taken', async () => {
    const served = await serve(new Hono().get('/', (c) => c.text('hello')))
    expect(served.url).toBe(`http://127.0.0.1:${served.port}`)
    expect(await (await fetch(served.url)).text()).toBe('hello')
    await expect(serveApp({ app: new Hono(), port: served.port })).rejects.toMatchObject({ code: 'config', message: expect.stringContaining(String(served.port)) })
  })

  test('keeps an idle connection for longer than devices pause, and says so', async () => {
    const { url } = await serve(new Hono().get('/', (c) => c.text('here')))
    const response = await fetch(url)
    await response.text()
    expect(response.headers.get('keep-alive')).toBe(`timeout=${HTTP_IDLE_MS / 1000}`)
    expect(HTTP_IDLE_MS).toBeGreaterThan(60_000)
  })

  test('refuses once it has read the body, however slowly that comes: the sender hears it, and sends the next on the same connection', async () => {
    const refused: string[] = []
    const app = new Hono()
    const refuse = (c: Context, status: 413 | 415) => {
      refused.push(c.req.path)
      return problem(c, { status, title: 'Refused', detail: 'No.' })
    }
    app.post('/unread', (c) => refuse(c, 415))
    app.post('/begun', async (c) => {
      for await (const _ of c.req.raw.body ?? []) return refuse(c, 413)
      return c.text('nothing')
    })
    app.get('/', (c) => c.text('here'))
    const served = await serve(app)
    const socket = connect(served.port, '127.0.0.1')
    let heard = ''
    const ended = once(socket.on('data', (data) => (heard += data)), 'close')
    const hears = async (text: string) => {
      while (!heard.includes(text)) await Promise.race([once(socket, 'data'), ended.then(() => expect(heard).toContain(text))])
    }
    const part = Buffer.alloc(300_000, 32)
    for (const [path, status] of [['/unread', 415], ['/begun', 413]] as const) {
      heard = ''
      socket.write(`POST ${path} HTTP/1.1\r\nHost: weir\r\nContent-Length: ${4 * part.length}\r\n\r\n`)
      for (let i = 0; i < 4; i++) {
        await new Promise((resolve) => socket.write(part, resolve))
        while (!refused.includes(path)) await new Promise((resolve) => setTimeout(resolve, 5))
        if (i === 3) continue
        // Others are answered meanwhile: the refusal had its chance to come too early.
        expect(await (await fetch(served.url)).text()).toBe('here')
        expect(heard).toBe('')
      }
      await hears('No.')
      expect(heard).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    }
    heard = ''
    socket.write('GET / HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n\r\n')
    await ended
    expect(heard).toMatch(/^HTTP\/1.1 200 /)
  })

  test('that closes answers what is under way, and takes nothing new', async () => {
    let arrived = () => {}
    let release = () => {}
    const here = new Promise<void>((resolve) => (arrived = resolve))
    const gate = new Promise<void>((resolve) => (release = resolve))
    const served = await serve(
      new Hono().get('/', async (c) => {
        arrived()
        await gate
        return c.text('late')
      }),
    )
    const answer = fetch(served.url)
    await here
    const closed = served.close({ graceMs: 10_000 })
    await expect(fetch(served.url)).rejects.toThrow()
    release()
    expect(await (await answer).text()).toBe('late')
    await closed
  })

  test('that closes cuts streams that never end, after its grace', async () => {
    const served = await serve(new Hono().get('/', () => new Response(new ReadableStream({ start: (c) => c.enqueue(new Uint8Array([1])) }))))
    const response = await fetch(served.url)
    const body = response.arrayBuffer()
    body.catch(() => {})
    await served.close({ graceMs: 20 })
    await expect(body).rejects.toThrow()
  })
})
