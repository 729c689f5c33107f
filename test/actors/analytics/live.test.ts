import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decodeId, encodeId } from '../../../actors/analytics/live-ids.ts'
import { Subscriber } from '../../../actors/analytics/live-subscriber.ts'
import { inputSubject } from '../../../runtime/topology.ts'
import { LIVE_QUEUE_CHARS_MAX } from '../../../runtime/limits.ts'
import { House, T0, until, windowRow } from './house.ts'

interface LiveEvent {
  event: string
  id: string
  data: any
}

/** A client of `/v1/live` that remembers what came. */
class Client {
  readonly events: LiveEvent[] = []
  #reader: ReadableStreamDefaultReader<Uint8Array>
  #rest = ''
  ended: Promise<void>

  private constructor(body: ReadableStream<Uint8Array>) {
    this.#reader = body.getReader()
    this.ended = this.#run()
  }

  static async open(house: House, query = '', options: { lastId?: string; key?: string } = {}): Promise<Client> {
    const headers: Record<string, string> = options.lastId === undefined ? {} : { 'last-event-id': options.lastId }
    const answer = await house.get(`/v1/live?time=ms&${query}`, { headers, key: options.key })
    expect(answer.headers.get('content-type')).toContain('text/event-stream')
    return new Client(answer.body!)
  }

  async #run(): Promise<void> {
    const decoder = new TextDecoder()
    for (;;) {
      const { done, value } = await this.#reader.read()
      if (done) return
      this.#rest += decoder.decode(value, { stream: true })
      const blocks = this.#rest.split('\n\n')
      this.#rest = blocks.pop()!
      for (const block of blocks) {
        const field = (name: string) => block.split('\n').find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
        const data = field('data')
        if (data !== undefined) this.events.push({ event: field('event')!, id: field('id')!, data: JSON.parse(data) })
      }
    }
  }

  of(kind: string): LiveEvent[] {
    return this.events.filter((e) => e.event === kind)
  }

  async has(n: number, kind = 'reading'): Promise<void> {
    await until(`${n} events of ${kind}`, () => this.of(kind).length >= n)
  }

  close(): Promise<void> {
    return this.#reader.cancel()
  }
}

let house: House
const clients: Client[] = []
beforeEach(async () => {
  house = await House.open()
})
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close()
  await house.close()
})
const open = async (...args: Parameters<typeof Client.open> extends [House, ...infer R] ? R : never) => {
  const client = await Client.open(house, ...args)
  clients.push(client)
  return client
}

const anomaly = (device: string, ts: number) => ({ device, metric: 'm', ts, value: 1, score: 0.9, expected: 0, lower: -1, upper: 1, reason: 'far' })

describe('a live stream', () => {
  it('begins with a snapshot, then gives readings, windows and anomalies as they come', async () => {
    await house.post([{ device: 'd1', ts: T0, value: 1 }])
    await until('latest', async () => (await house.json('/v1/latest')).latest.length === 1)
    const client = await open()
    await client.has(1, 'snapshot')
    expect(client.events[0].data.latest).toMatchObject([{ device: 'd1', metric: 'm', ts: T0, value: 1 }])
    await house.post([{ device: 'd1', ts: T0 + 1, value: 2 }])
    await client.has(1)
    expect(client.of('reading')[0].data).toEqual({ device: 'd1', metric: 'm', ts: T0 + 1, value: 2, received_at: expect.any(Number) })
    await house.commit({ windows: [windowRow('d1', T0, [1, 2])], anomalies: [anomaly('d1', T0)] })
    await client.has(1, 'anomaly')
    expect(client.of('window')[0].data).toMatchObject({ device: 'd1', size: '1m', start: T0, count: 2, mean: 1.5, closed_by: 'watermark' })
    expect(client.of('anomaly')[0].data).toMatchObject({ ts: T0, score: 0.9, reason: 'far' })
    expect(new Set(client.events.map((e) => e.id)).size).toBe(4)
  })

  it('holds only what was asked for, and only of its own tenant', async () => {
    const byDevice = await open('device=d1')
    const byPrefix = await open('prefix=f/&kind=reading')
    const byMetric = await open('metric=t')
    const foreign = await open('', { key: house.keys['other analyst'] })
    await house.post([{ device: 'd1', ts: T0, value: 1 }, { device: 'f/1', ts: T0, value: 2 }, { device: 'd2', metric: 't', ts: T0, value: 3 }])
    await house.post([{ device: 'd1', ts: T0, value: 9 }], 'other')
    await house.commit({ anomalies: [anomaly('d1', T0), anomaly('f/1', T0)] })
    await house.post(['d1', 'f/1', 'd2'].map((device) => ({ device, metric: 't', ts: T0 + 1, value: 4 })))
    await byMetric.has(4)
    expect(byMetric.of('reading').map((e) => [e.data.device, e.data.value]).sort()).toEqual([['d1', 4], ['d2', 3], ['d2', 4], ['f/1', 4]])
    await byDevice.has(2)
    expect(byDevice.of('reading').map((e) => e.data.value)).toEqual([1, 4])
    expect(byDevice.of('anomaly')).toHaveLength(1)
    expect(byPrefix.of('reading').map((e) => e.data.value)).toEqual([2, 4])
    expect(byPrefix.of('anomaly')).toEqual([])
    await foreign.has(1)
    expect(foreign.of('reading').map((e) => e.data.value)).toEqual([9])
  })

  it('resumes behind any event, exactly, even from another process', async () => {
    const all = await open('kind=reading,window')
    const devices = Array.from({ length: 6 }, (_, i) => `d${i}`)
    for (let round = 0; round < 4; round++) {
      await house.post(devices.flatMap((device) => [0, 1, 2].map((i) => ({ device, ts: T0 + round * 1_000 + i, value: round * 10 + i }))))
      await house.commit({ windows: devices.slice(0, 3).map((d) => windowRow(d, T0 + round * 60_000, [round])) })
    }
    await all.has(72)
    await all.has(12, 'window')
    const text = (e: LiveEvent) => `${e.event} ${JSON.stringify({ ...e.data, received_at: 0 })}`
    const events = all.events.filter((e) => e.event !== 'snapshot')
    const resumeAt = [0, 1, 7, 20, 41, 83]
    for (const restarted of [false, true]) {
      if (restarted) await house.restart()
      for (const at of resumeAt) {
        const rest = events.slice(at + 1).map(text).sort()
        const client = await open('kind=reading,window', { lastId: events[at].id })
        await until('the rest came', () => client.events.length >= rest.length)
        await house.post([{ device: 'end', ts: T0, value: at }])
        await until('the end came', () => client.events.some((e) => e.data.device === 'end' && e.data.value === at))
        const got = client.events.filter((e) => e.data.device !== 'end').map(text).sort()
        expect(got).toEqual(rest)
        await client.close()
      }
    }
  })

  it('resumes exactly while events keep coming, from the ids that the resumed stream itself gave', async () => {
    const sent: number[] = []
    let value = 0
    const post = async (n: number) => {
      const some = Array.from({ length: n }, () => ++value)
      sent.push(...some)
      await house.post(some.map((v) => ({ device: `d${v % 5}`, ts: T0 + v, value: v })))
    }
    const seen: number[] = []
    await post(5)
    await until('latest', async () => (await house.json('/v1/latest')).latest.length === 5)
    let client = await open('kind=reading')
    await client.has(1, 'snapshot')
    sent.length = 0
    let lastId = client.events[0].id
    for (let i = 0; i < 8; i++) {
      const posting = (async () => {
        for (let k = 0; k < 5; k++) await post(7)
      })()
      // Cut wherever the client happens to be: what it had is what counts.
      await client.has(1)
      await client.close()
      const read = client.of('reading')
      seen.push(...read.map((e) => e.data.value))
      lastId = read.at(-1)!.id
      client = await open('kind=reading', { lastId })
      await posting
    }
    await until('all came', () => seen.length + client.of('reading').length >= sent.length)
    seen.push(...client.of('reading').map((e) => e.data.value))
    expect(seen.sort((a, b) => a - b)).toEqual(sent)
  })

  it('ends where the log does not answer a resumption, which is then tried again and leaves nothing out', async () => {
    const first = await open('kind=reading')
    await first.has(1, 'snapshot')
    await first.close()
    await house.post([{ device: 'd1', ts: T0, value: 1 }])
    await until('the reading is read', async () => (await house.json('/v1/status')).accepted === 1)
    const lastId = first.events[0].id
    house.world.killServer()
    const refused = await open('kind=reading', { lastId })
    await refused.ended
    expect(refused.events).toEqual([])
    house.world.restartServer()
    const resumed = await open('kind=reading', { lastId })
    await resumed.has(1)
    expect(resumed.events.map((e) => e.event)).toEqual(['reading'])
  })

  it('begins anew with a snapshot where the id is of another log, unreadable, or its messages are purged', async () => {
    await house.post([{ device: 'd1', ts: T0, value: 1 }])
    const first = await open()
    await first.has(1, 'snapshot')
    for (const lastId of ['x', '00000000-1.1.1.1.1', `${house.analytics.hub.generation}-1.2`]) {
      const client = await open('', { lastId })
      await client.has(1, 'snapshot')
    }
    const id = first.events[0].id
    for (let i = 0; i < 3; i++) await house.post(['d1', 'd2', 'd3', 'd4', 'd5', 'd6'].map((device) => ({ device, ts: T0, value: i })))
    await until('all are read', async () => (await house.json('/v1/status')).accepted >= 19)
    for (let p = 0; p < 4; p++) await house.connection.log.purge(`READINGS_${p}`, { subject: inputSubject(p), beforeSeq: 3 })
    const client = await open('', { lastId: id })
    await client.has(1, 'snapshot')
  })

  it('leaves nothing behind when its reader goes', async () => {
    const client = await open()
    await client.has(1, 'snapshot')
    expect(house.analytics.hub.size).toBe(1)
    await client.close()
    await until('the hub has let go', () => house.analytics.hub.size === 0)
  })
})

describe('the queue of a subscriber', () => {
  const filter = { tenant: 't', filter: { devices: null, metrics: null, prefix: null }, kinds: new Set(['reading'] as const), timeMs: true }

  it('is bounded: a slow reader gets what is queued, is told to resume, and the stream ends', async () => {
    const subscriber = new Subscriber(filter)
    const chunk = 'x'.repeat(LIVE_QUEUE_CHARS_MAX / 4)
    for (let i = 0; i < 4; i++) expect(subscriber.push(chunk)).toBe(true)
    expect(subscriber.push(chunk)).toBe(false)
    const got = await subscriber.take()
    expect(got).toContain('resume from the last id')
    expect(got!.length).toBeLessThan(LIVE_QUEUE_CHARS_MAX + 100)
    expect(await subscriber.take()).toBe(null)
    expect(subscriber.push(chunk)).toBe(false)
  })

  it('gives what is held only behind what goes before it', async () => {
    const subscriber = new Subscriber(filter)
    subscriber.hold()
    subscriber.push('b')
    subscriber.prepend('a')
    subscriber.release()
    subscriber.push('c')
    expect(await subscriber.take()).toBe('abc')
  })
})

describe('ids', () => {
  it('come back as the place they were made of, and no other text is one', () => {
    for (const place of [{ vector: [0, 5, 123_456_789_012, 7, 1], stream: 0, row: -1 }, { vector: [1, 2, 3, 4, 5], stream: 4, row: 999 }]) {
      expect(decodeId('abc', encodeId('abc', place), 4)).toEqual(place)
    }
    for (const id of ['', 'abc', 'abc-', 'abc-1.2.3', 'abc-1.2.3.4.5-9.1', 'abc-1.2.3.4.5-1', 'xyz-1.2.3.4.5', 'abc-1.2.3.4.5-1.2-3', 'abc-1.2.-3.4.5', 'abc-1.2.3.4.$']) {
      expect(decodeId('abc', id, 4)).toBe(null)
    }
  })
})
