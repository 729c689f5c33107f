/**
 * The laws of a reader against a server that is played: the pull protocol as nats-server 2.9 speaks it, which drops a request that has come of age
 * without a word where a message comes before the server's own timer.
 */

import { describe, expect, test } from 'vitest'
import type { NatsClient } from '../../runtime/nats-client.ts'
import { NatsReader } from '../../runtime/nats-reader.ts'
import { ManualClock, settle } from '../support/manual-clock.ts'

interface Request {
  readonly reply: string
  readonly expiresMs: number
  readonly beatMs: number
  left: number
  bytes: number
  heardMs: number
}

/** R3, and the one message that is read. */
const UNREAD_MAX = 4_096 + 2 * 1_024 + 1

type Callback = (error: null, message: object) => void

/** One stream, and its newest consumer. */
class PullServer {
  readonly clock = new ManualClock()
  /** When each message was stored: that of sequence 1 stands first. */
  readonly storedMs: number[] = []
  /** Times at which a consumer was made. */
  readonly madeMs: number[] = []
  /** A busy server looks at the ages of requests so much too late. */
  readonly lateMs: number
  /** It forgets its consumer, and says nothing more before another is made. */
  isMute = false
  /** Requests so far. */
  pulls = 0
  readonly #bytesEach: number
  #consumer = ''
  #nextSeq = 1
  #delivered = 0
  #requests: Request[] = []
  #subscriptions = new Map<string, Callback>()
  #inboxes = 0

  constructor({ lateMs = 0, bytesEach = 100 } = {}) {
    this.lateMs = lateMs
    this.#bytesEach = bytesEach
    const look = (): void => {
      this.#look()
      this.clock.after(100 + lateMs, look)
    }
    look()
  }

  get client(): NatsClient {
    const { clock } = this
    const nothing = () => () => {}
    const client = {
      clock, closed: false, connected: () => true, onReconnect: nothing, onClose: nothing,
      inbox: () => `_INBOX.${++this.#inboxes}`,
      api: (verb: string, body: never) => Promise.resolve(this.#api(verb, body)),
      nc: { subscribe: this.#subscribe.bind(this), publish: this.#publish.bind(this) },
    }
    return client as unknown as NatsClient
  }

  /** How many messages wait for a request. */
  get unsent(): number {
    return this.storedMs.length + 1 - this.#nextSeq
  }

  store(): void {
    this.storedMs.push(this.clock.monotonic())
    this.#deliver()
  }

  #api(verb: string, body: { config: { name: string; opt_start_seq: number } }): object {
    if (verb.startsWith('STREAM.INFO')) return { created: 'once', config: { num_replicas: 1 }, state: { last_seq: this.storedMs.length } }
    if (!verb.startsWith('CONSUMER.CREATE')) return {}
    this.madeMs.push(this.clock.monotonic())
    this.#consumer = body.config.name
    this.#nextSeq = body.config.opt_start_seq
    this.#delivered = 0
    this.#requests = []
    this.isMute = false
    return { num_pending: this.storedMs.length + 1 - this.#nextSeq }
  }

  #subscribe(subject: string, { callback }: { callback: Callback }): { unsubscribe(): void } {
    this.#subscriptions.set(subject, callback)
    return { unsubscribe: () => void this.#subscriptions.delete(subject) }
  }

  #publish(subject: string, text: string, { reply }: { reply: string }): void {
    if (!subject.endsWith(this.#consumer) || this.isMute) return
    this.pulls++
    const { batch, max_bytes, expires, idle_heartbeat } = JSON.parse(text)
    const nowMs = this.clock.monotonic()
    this.#requests.push({ reply, left: batch, bytes: max_bytes, expiresMs: nowMs + expires / 1e6, beatMs: idle_heartbeat / 1e6, heardMs: nowMs })
    this.#deliver()
  }

  /** As a network does: after what is at hand now, and not before. */
  #send(reply: string, message: object): void {
    queueMicrotask(() => (this.#subscriptions.get(reply) ?? this.#subscriptions.get(reply.replace(/[^.]+$/, '*')))?.(null, message))
  }

  #say(request: Request, code: number, description: string): void {
    const fields: Record<string, string> = code === 100 ? {} : { 'Nats-Pending-Messages': String(request.left) }
    this.#send(request.reply, { subject: request.reply, data: new Uint8Array(0), headers: { code, description, get: (name: string) => fields[name] ?? '' } })
  }

  #deliver(): void {
    const nowMs = this.clock.monotonic()
    while (!this.isMute && this.#nextSeq <= this.storedMs.length) {
      const request = this.#requests.shift()
      if (request === undefined) return
      if (request.bytes < this.#bytesEach) this.#say(request, 409, 'Message Size Exceeds MaxBytes')
      // Not a word: this is what 2.9 does.
      else if (nowMs <= request.expiresMs) {
        request.left--
        request.bytes -= this.#bytesEach
        request.heardMs = nowMs
        const seq = this.#nextSeq++
        const reply = `$JS.ACK.S.${this.#consumer}.1.${seq}.${++this.#delivered}.1000000.${this.storedMs.length - seq}`
        this.#send(request.reply, { subject: 's', reply, data: new Uint8Array(this.#bytesEach) })
        if (request.left > 0) this.#requests.push(request)
      }
    }
  }

  #look(): void {
    if (this.isMute) return
    const nowMs = this.clock.monotonic()
    for (const request of this.#requests) {
      if (nowMs > request.expiresMs) this.#say(request, 408, 'Request Timeout')
      else if (nowMs - request.heardMs >= request.beatMs) {
        request.heardMs = nowMs
        this.#say(request, 100, 'Idle Heartbeat')
      }
    }
    this.#requests = this.#requests.filter(({ expiresMs }) => nowMs <= expiresMs)
  }
}

/** Reads on and on, and notes by how much each message came later than it was stored. */
function follow(server: PullServer): { lagsMs: number[]; seqs: number[]; reader: NatsReader } {
  const reader = new NatsReader(server.client, { stream: 'S', fromSeq: 1 })
  const [lagsMs, seqs] = [[] as number[], [] as number[]]
  void (async () => {
    for await (const { seq } of reader) {
      seqs.push(seq)
      lagsMs.push(server.clock.monotonic() - server.storedMs[seq - 1])
    }
  })()
  return { lagsMs, seqs, reader }
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1)

describe('a reader', () => {
  test.for([1, 20, 50, 170])('has a message each %s ms at once, however late the server looks at the ages of requests', async (everyMs) => {
    const server = new PullServer({ lateMs: 300 })
    const { lagsMs, seqs, reader } = follow(server)
    const count = Math.ceil(40_000 / everyMs)
    for (let n = 0; n < count; n++) {
      await server.clock.advance(everyMs)
      server.store()
    }
    await settle()
    expect(seqs).toEqual(upTo(count))
    expect(Math.max(...lagsMs)).toBe(0)
    expect(server.madeMs).toEqual([0])
    await reader.close()
  })

  test('that is idle asks seldom', async () => {
    const server = new PullServer()
    const { reader } = follow(server)
    await server.clock.advance(119_000)
    // Two requests at a time, a dozen times.
    expect(server.pulls).toBe(24)
    await reader.close()
  })

  test.for([0, 11_000, 51_000, 56_000])('that reads nothing has so many messages sent at most, whatever it asked for while it was idle for %s ms', async (idleMs) => {
    const server = new PullServer()
    const reader = new NatsReader(server.client, { stream: 'S', fromSeq: 1 })
    const messages = reader[Symbol.asyncIterator]()
    const first = messages.next()
    await server.clock.advance(idleMs)
    for (let n = 0; n < 20_000; n++) server.store()
    await first
    await server.clock.advance(60_000)
    expect(20_000 - server.unsent).toBeLessThanOrEqual(UNREAD_MAX)
    const seqs = [1]
    while (seqs.length < 20_000) seqs.push((await messages.next()).value!.seq)
    expect(seqs).toEqual(upTo(20_000))
    expect(server.madeMs).toEqual([0])
    await reader.close()
  })

  test.for([1_000, 4_900, 8_500, 9_900, 10_500, 12_000])('has a new consumer within four seconds of the death of the old one, after %s ms', async (afterMs) => {
    const server = new PullServer()
    const { lagsMs, seqs, reader } = follow(server)
    await server.clock.advance(afterMs)
    server.isMute = true
    server.store()
    await server.clock.advance(4_000)
    expect(seqs).toEqual([1])
    expect(lagsMs[0]).toBeLessThanOrEqual(4_000)
    expect(server.madeMs.length).toBe(2)
    await reader.close()
  })
})
