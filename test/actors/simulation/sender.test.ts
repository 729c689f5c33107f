import { createServer } from 'node:http'
import type { IncomingHttpHeaders, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { Sender } from '../../../actors/simulation/sender.ts'
import { systemClock } from '../../../runtime/clock.ts'
import type { Clock } from '../../../runtime/clock.ts'

type Answer = { status: number; body?: object; headers?: Record<string, string> } | 'cut'

const servers: Server[] = []
afterEach(() => servers.splice(0).forEach((server) => server.close()))

/** A server that gives these answers in turn, then 202 to everything. */
async function answering(answers: Answer[]) {
  const requests: { headers: IncomingHttpHeaders; readings: unknown[] }[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { readings } = JSON.parse(body) as { readings: unknown[] }
    requests.push({ headers: request.headers, readings })
    const answer = answers.shift() ?? { status: 202, body: { accepted: readings.length, rejected: [] } }
    if (answer === 'cut') return void request.socket.destroy()
    response.writeHead(answer.status, answer.headers).end(JSON.stringify(answer.body ?? {}))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const pauses: number[] = []
  const clock: Clock = { ...systemClock, sleep: async (ms) => void pauses.push(ms), random: () => 1 }
  const troubles: string[] = []
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { requests, pauses, troubles, sender: new Sender({ url, key: 'k', clock, onTrouble: (what) => troubles.push(what) }) }
}

const reading = { device: 'd', metric: 'm', ts: 1, value: 2 }
const never = new AbortController().signal

describe('a sender', () => {
  test('sends a batch again until it is acknowledged, under one Idempotency-Key, and counts it once', async () => {
    const { sender, requests, pauses, troubles } = await answering(['cut', { status: 503 }, { status: 429 }])
    await sender.send([reading, reading], never)
    expect(sender.tally).toEqual({ readings: 2, requests: 4, retries: 3, accepted: 2, rejected: 0, refused: 0 })
    expect(new Set(requests.map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
    expect(requests[0]!.headers.authorization).toBe('Bearer k')
    expect(pauses).toEqual([100, 200, 400])
    expect(troubles).toHaveLength(1)
    await sender.send([reading], never)
    expect(requests.at(-1)!.headers['idempotency-key']).not.toBe(requests[0]!.headers['idempotency-key'])
  })

  test('heeds Retry-After', async () => {
    const { sender, pauses } = await answering([{ status: 503, headers: { 'retry-after': '2' } }])
    await sender.send([reading], never)
    expect(pauses).toEqual([2_000])
  })

  test('counts what is rejected, and a batch that is refused, without sending it again', async () => {
    const { sender } = await answering([{ status: 202, body: { accepted: 1, rejected: [{ index: 1, reason: 'x' }] } }, { status: 400, body: { detail: 'nothing usable' } }])
    await sender.send([reading, reading], never)
    await sender.send([reading], never)
    expect(sender.tally).toMatchObject({ readings: 3, accepted: 1, rejected: 1, refused: 1, retries: 0 })
  })

  test('ends with plain words where the key is not accepted', async () => {
    const { sender } = await answering([{ status: 401, body: { detail: 'Key missing or unknown' } }])
    await expect(sender.send([reading], never)).rejects.toMatchObject({ code: 'config', message: expect.stringContaining('Key missing or unknown') })
  })

  test('gives up at once when it is told to end', async () => {
    const { sender } = await answering([])
    await sender.send([reading], AbortSignal.abort())
    expect(sender.tally.requests).toBe(0)
  })

  test('refuses an address that is none', () => {
    expect(() => new Sender({ url: 'localhost', key: 'k', clock: systemClock })).toThrow(/must be an http address.*localhost/)
  })
})
