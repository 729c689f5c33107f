/** Targets against real receivers on loopback: an HTTP server, a mail server, and a stream of the log. */

import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SMTPServer } from 'smtp-server'
import type { SMTPServerOptions } from 'smtp-server'
import { afterEach, describe, expect, it } from 'vitest'
import type { Outgoing } from '../../../actors/notify/outgoing.ts'
import { signatureOf } from '../../../actors/notify/signature.ts'
import { emailSender } from '../../../actors/notify/targets/email.ts'
import { mqttSender } from '../../../actors/notify/targets/mqtt.ts'
import { reachOf } from '../../../actors/notify/reach.ts'
import { subjectPart, subjectSender } from '../../../actors/notify/targets/subject.ts'
import { retryAfterOf, webhookSender } from '../../../actors/notify/targets/webhook.ts'
import { systemClock } from '../../../runtime/clock.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import { connectNats } from '../../../runtime/nats-log.ts'
import { endServer, freePort, natsServerPath } from '../../support/nats.ts'
import { until } from '../analytics/house.ts'
import { SECRET } from './stage.ts'

const MESSAGE: Outgoing = { id: 'msg_1', tenant: 'default', route: 'phone', title: 'Critical: Böden zu trocken', text: 'Erste Zeile\nZweite', body: '{"type":"alert.opened"}' }
const alive = new AbortController().signal
const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

async function http(answer: (request: IncomingMessage, body: string, response: ServerResponse) => void): Promise<string> {
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part) => (body += part)).on('end', () => answer(request, body, response))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => new Promise((resolve) => (server.close(resolve), server.closeAllConnections())))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
}
const here = reachOf(null)
const sendHook = webhookSender(systemClock, here)
const post = (url: string, signal = alive) => sendHook({ kind: 'webhook', url, secret: SECRET }, MESSAGE, signal)

describe('a webhook', () => {
  it('is a POST of JSON whose signature its receiver can check', async () => {
    const seen: { headers: IncomingMessage['headers']; body: string; method: string }[] = []
    const url = await http((request, body, response) => {
      seen.push({ headers: request.headers, body, method: request.method! })
      response.writeHead(204).end()
    })
    expect(await post(url)).toEqual({ kind: 'taken', status: 204 })
    const [{ headers, body, method }] = seen
    expect([method, body, headers['content-type'], headers['webhook-id']]).toEqual(['POST', MESSAGE.body, 'application/json', MESSAGE.id])
    const timestamp = Number(headers['webhook-timestamp'])
    expect(Math.abs(systemClock.now() / 1_000 - timestamp)).toBeLessThan(60)
    expect(headers['webhook-signature']).toBe(signatureOf({ secret: SECRET, id: MESSAGE.id, timestamp, body }))
  })

  it('takes an error for the message or for the receiver, as its status says, and follows no redirect', async () => {
    let followed = 0
    const url = await http(({ url: path }, _, response) => {
      const status = Number(path!.slice(1))
      if (Number.isNaN(status)) followed++
      response.writeHead(status || 200, { location: '/elsewhere', ...(status === 429 ? { 'retry-after': '7' } : {}) }).end('x')
    })
    const of = (status: number) => post(new URL(`/${status}`, url).href)
    expect(await of(400)).toMatchObject({ kind: 'refused', status: 400, error: 'the receiver answered 400' })
    expect(await of(503)).toMatchObject({ kind: 'away' })
    expect(await of(429)).toEqual({ kind: 'away', status: 429, error: 'the receiver answered 429', retryAfterMs: 7_000 })
    expect(await of(410)).toMatchObject({ kind: 'never' })
    for (const status of [301, 307]) expect(await of(status)).toMatchObject({ kind: 'refused', error: expect.stringContaining('redirect') })
    expect(followed).toBe(0)
  })

  it('ends with an answer that goes on for ever, with one that never comes, and with nobody there', async () => {
    const url = await http(({ url: path }, _, response) => {
      if (path === '/silent') return
      const write = (): void => {
        while (!response.destroyed && response.write('x'.repeat(8_192)));
        if (!response.destroyed) response.once('drain', write)
      }
      response.on('error', () => {})
      write()
    })
    expect(await post(new URL('/endless', url).href)).toEqual({ kind: 'taken', status: 200 })
    const ending = new AbortController()
    const silent = post(new URL('/silent', url).href, ending.signal)
    ending.abort()
    expect(await silent).toMatchObject({ kind: 'away' })
    expect(await post('http://127.0.0.1:1/')).toMatchObject({ kind: 'away', error: expect.stringMatching(/could not be reached: \S/) })
  })

  it('goes again by a connection that waits, and by a new one where the receiver has closed that', async () => {
    const ports: (number | undefined)[] = []
    const url = await http((request, _, response) => {
      ports.push(request.socket.remotePort)
      response.writeHead(200, { connection: 'keep-alive' }).end('ok', () => ports.length === 2 && setImmediate(() => request.socket.resetAndDestroy()))
    })
    for (let i = 0; i < 4; i++) expect(await post(url)).toEqual({ kind: 'taken', status: 200 })
    expect(ports).toHaveLength(4)
    expect(ports[1]).toBe(ports[0])
    expect(ports[2]).not.toBe(ports[1])
  })

  it('connects to nothing but what may be sent to, whatever a name leads to and whenever', async () => {
    let calls = 0
    const url = new URL(await http((_, __, response) => (calls++, response.writeHead(200).end())))
    const named = (name: string) => `http://${name}:${url.port}/hook`
    let leads = '127.0.0.1'
    const send = (to: string, list: string | null) => webhookSender(systemClock, reachOf(list, async () => [{ address: leads, family: 4 }]))({ kind: 'webhook', url: to, secret: SECRET }, MESSAGE, alive)
    expect(await send(named('hooks.example.org'), 'hooks.example.org')).toEqual({ kind: 'taken', status: 200 })
    expect(await send(named('hooks.example.org'), '10.0.0.0/8')).toEqual({ kind: 'away', error: expect.stringMatching(/^Cannot send to hooks\.example\.org as the operator's list .* must name it$/) })
    expect(await send(url.href, 'hooks.example.org')).toMatchObject({ kind: 'away', error: expect.stringContaining('must name it') })
    leads = '169.254.169.254'
    expect(await send(named('hooks.example.org'), 'hooks.example.org')).toMatchObject({ kind: 'away', error: expect.stringContaining('link-local') })
    expect(calls).toBe(1)
  })

  it('reads Retry-After in both of its forms', () => {
    const now = Date.UTC(2026, 0, 1)
    expect([retryAfterOf('120', now), retryAfterOf('Thu, 01 Jan 2026 00:00:30 GMT', now), retryAfterOf('Wed, 31 Dec 2025 00:00:00 GMT', now), retryAfterOf('soon', now), retryAfterOf(null, now)]).toEqual([120_000, 30_000, 0, null, null])
  })
})

interface Mail {
  from: string
  to: string[]
  text: string
  user: string
}

async function smtp(options: SMTPServerOptions, mails: Mail[]): Promise<string> {
  const server = new SMTPServer({
    logger: false,
    hideSTARTTLS: true,
    allowInsecureAuth: true,
    authOptional: true,
    onAuth: ({ username, password }, _, done) => (password === 'hunter2' ? done(null, { user: username }) : done(new Error('wrong password'))),
    onData: (stream, session, done) => {
      let text = ''
      stream.on('data', (part) => (text += part)).on('end', () => {
        const { mailFrom, rcptTo } = session.envelope
        mails.push({ from: mailFrom === false ? '' : mailFrom.address, to: rcptTo.map(({ address }) => address), text, user: String(session.user ?? '') })
        done()
      })
    },
    ...options,
  })
  server.on('error', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => new Promise<void>((resolve) => server.close(() => resolve())))
  return `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`
}
const mail = (server: string, more: Partial<Parameters<ReturnType<typeof emailSender>>[0]> = {}) =>
  emailSender(here)({ kind: 'email', to: ['a@example.org', 'b@example.org'], from: 'weir@example.org', server, user: null, password: null, ...more }, MESSAGE, alive)

describe('an e-mail', () => {
  it('reaches a mail server, with all it has to say, and an id by which it is known again', async () => {
    const mails: Mail[] = []
    expect(await mail(await smtp({}, mails), { user: 'weir', password: 'hunter2' })).toEqual({ kind: 'taken' })
    const [{ from, to, text, user }] = mails
    expect([from, to, user]).toEqual(['weir@example.org', ['a@example.org', 'b@example.org'], 'weir'])
    expect(text).toContain('Message-ID: <msg_1@weir>')
    expect(text).toContain('Subject: =?UTF-8?')
    expect(text).toContain('Erste Zeile')
  })

  it('that is refused is told from a server that is away', async () => {
    const refusing = await smtp({ onRcptTo: ({ address }, _, done) => done(Object.assign(new Error(`nobody of this name: ${address}`), { responseCode: 550 })) }, [])
    expect(await mail(refusing)).toMatchObject({ kind: 'refused', error: expect.stringContaining('nobody of this name') })
    const busy = await smtp({ onMailFrom: (_, __, done) => done(Object.assign(new Error('later'), { responseCode: 451 })) }, [])
    expect(await mail(busy)).toMatchObject({ kind: 'away' })
    expect(await mail(await smtp({}, []), { user: 'weir', password: 'wrong' })).toMatchObject({ kind: 'refused' })
    expect(await mail('smtp://127.0.0.1:1')).toMatchObject({ kind: 'away' })
  })
})

it('a mail server and a broker are held to the same list', async () => {
  const nowhere = reachOf('hooks.example.org')
  const refused = { kind: 'away', error: expect.stringContaining('must name it') }
  expect(await emailSender(nowhere)({ kind: 'email', to: ['a@example.org'], from: 'w@example.org', server: 'smtp://127.0.0.1:1', user: null, password: null }, MESSAGE, alive)).toEqual(refused)
  expect(await mqttSender(systemClock, nowhere)({ kind: 'mqtt', url: 'mqtt://127.0.0.1:1', topic: 'x', user: null, password: null }, MESSAGE, alive)).toEqual(refused)
})

describe('a topic of a broker', () => {
  it('has the message once the broker, a real one, has acknowledged it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'weir-mqtt-'))
    const [port, mqtt] = [await freePort(), await freePort()]
    const config = ['server_name: broker', `listen: "127.0.0.1:${port}"`, `jetstream { store_dir: "${folder}/store" }`, `mqtt { listen: "127.0.0.1:${mqtt}" }`, 'authorization { users: [{ user: weir, password: hunter2 }] }']
    await writeFile(join(folder, 'nats.conf'), config.join('\n'))
    const child = spawn(natsServerPath(), ['-c', join(folder, 'nats.conf')], { stdio: 'ignore' })
    ends.push(async () => {
      await endServer(child, 'SIGKILL')
      await rm(folder, { recursive: true, force: true })
    })
    const url = `mqtt://127.0.0.1:${mqtt}`
    const send = (password: string, topic = 'weir/alerts', to = url) => mqttSender(systemClock, here)({ kind: 'mqtt', url: to, topic, user: 'weir', password }, { ...MESSAGE, body: JSON.stringify({ text: 'ä'.repeat(9_000) }) }, alive)
    await until('the broker is there', async () => (await send('hunter2')).kind === 'taken')
    const connection = await connectNats({ servers: `nats://weir:hunter2@127.0.0.1:${port}`, name: 'test', clock: systemClock })
    ends.unshift(() => connection.close())
    const heard: string[] = []
    connection.bus.listen('weir.>', (data, subject) => heard.push(`${subject} ${(JSON.parse(new TextDecoder().decode(data)) as { text: string }).text.length}`))
    await until('it has come', async () => (await send('hunter2')).kind === 'taken' && heard.length > 0)
    expect(new Set(heard)).toEqual(new Set(['weir.alerts 9000']))
    expect(await send('wrong')).toEqual({ kind: 'refused', error: expect.stringContaining('the broker refuses') })
    expect(await send('hunter2', 'weir/alerts', 'mqtt://127.0.0.1:1')).toMatchObject({ kind: 'away', error: expect.stringContaining('ECONNREFUSED') })
    // What is no broker.
    expect(await send('hunter2', 'x', `mqtt://127.0.0.1:${port}`)).toMatchObject({ kind: 'away' })
  })
})

describe('a subject of the log', () => {
  it('is of the tenant and the route, whatever signs the tenant has', async () => {
    const world = new MemoryWorld({ clock: systemClock })
    const connection = world.connect()
    const heard: string[] = []
    connection.bus.listen('alerts.>', (data, subject) => heard.push(`${subject} ${new TextDecoder().decode(data)}`))
    const send = subjectSender(connection)
    expect(await send({ kind: 'nats', stored: false }, { ...MESSAGE, tenant: 'farm.*é >' }, alive)).toEqual({ kind: 'taken' })
    await new Promise((resolve) => setImmediate(resolve))
    expect(heard).toEqual([`alerts.farm%2E%2A%C3%A9%20%3E.phone ${MESSAGE.body}`])
    expect(subjectPart('default')).toBe('default')
    await world.connect().log.ensureStream({ name: 'KEPT', subjects: ['alerts.default.phone'], replicas: 1, bytesMax: -1 })
    expect(await send({ kind: 'nats', stored: true }, MESSAGE, alive)).toEqual({ kind: 'taken' })
    expect((await world.connect().log.at('KEPT', 1))!.subject).toBe('alerts.default.phone')
    world.publishFault = () => 'unavailable'
    expect(await send({ kind: 'nats', stored: true }, MESSAGE, alive)).toMatchObject({ kind: 'away' })
    connection.cut()
    expect(await send({ kind: 'nats', stored: false }, MESSAGE, alive)).toMatchObject({ kind: 'away' })
  })
})
