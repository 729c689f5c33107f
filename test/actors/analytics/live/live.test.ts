import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decodeId, encodeId } from '../../../../actors/analytics/live/ids.ts'
import { LIVE_CATCH_UP_LAST_MESSAGES, LIVE_CATCH_UP_OWED_MAX } from '../../../../runtime/limits.ts'
import { inputSubject, partitionFor } from '../../../../runtime/topology.ts'
import { House, T0, until, windowRow } from '../house.ts'

interface LiveEvent {
  event: string
  id: string
  data: any
}

/** A client of `/v1/live` that remembers what came. */
class Client {
  readonly events: LiveEvent[] = []
  begun = false
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
      this.begun = true
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
/** Resolves once the stream has begun: what comes from then on is for it. */
const open = async (...args: Parameters<typeof Client.open> extends [House, ...infer R] ? R : never) => {
  const client = await Client.open(house, ...args)
  clients.push(client)
  await until('the stream has begun', () => client.begun)
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
    let ends = 0
    for (const restarted of [false, true]) {
      if (restarted) await house.restart()
      for (const at of resumeAt) {
        const rest = events.slice(at + 1).map(text).sort()
        const client = await open('kind=reading,window', { lastId: events[at].id })
        const got = () => client.events.filter((e) => e.data.device !== 'end').map(text).sort()
        await until('the rest came', () => got().length >= rest.length)
        // What comes twice, or from nowhere, is there when a later one is.
        const value = ++ends
        await house.post([{ device: 'end', ts: T0, value }])
        await until('the end came', () => client.events.some((e) => e.data.device === 'end' && e.data.value === value))
        expect(got()).toEqual(rest)
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
    const { hub } = house.analytics
    const client = await open()
    await client.has(1, 'snapshot')
    expect(hub.size).toBe(1)
    await client.close()
    await until('the hub has let go', () => hub.size === 0 && hub.account.bytes === 0 && hub.channels === 0)
  })

  it('takes the last id from the query too, and the header where both are there', async () => {
    const first = await open('kind=reading')
    await first.has(1, 'snapshot')
    await house.post([{ device: 'd1', ts: T0, value: 1 }])
    await house.post([{ device: 'd1', ts: T0, value: 2 }])
    await first.has(2)
    const ids = first.events.map((e) => e.id)
    const values = async (query: string, lastId?: string) => {
      const client = await open(`kind=reading&${query}`, { lastId })
      await client.has(1)
      return client.events.map((e) => e.data.value)
    }
    expect(await values(`lastEventId=${ids[1]}`)).toEqual([2])
    expect((await values(`lastEventId=${ids[0]}`))[0]).toBe(1)
    expect(await values(`lastEventId=${ids[0]}`, ids[1])).toEqual([2])
  })

  it('may be asked for any kind of the contract, also for those of which nothing comes yet', async () => {
    const client = await open('kind=alert,forecast')
    await client.has(1, 'snapshot')
    const other = await open('kind=alert,reading')
    await house.post([{ device: 'd1', ts: T0, value: 1 }])
    await other.has(1)
    expect(client.events).toHaveLength(1)
    expect((await house.get('/v1/live?kind=news')).status).toBe(400)
  })

  it('is no stream where only its headers are asked for', async () => {
    const answer = await house.analytics.app.request('/v1/live', { method: 'HEAD', headers: { authorization: `Bearer ${house.keys['default analyst']}` } })
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
    expect(house.analytics.hub.size).toBe(0)
  })

  it('shares one snapshot with those who open it at the same time, and each has every reading that came since', async () => {
    await house.post([{ device: 'd1', ts: T0, value: 0 }])
    await until('latest', async () => (await house.json('/v1/latest')).latest.length === 1)
    const some: Client[] = []
    for (let value = 1; value <= 5; value++) {
      some.push(await open('kind=reading'))
      await house.post([{ device: 'd1', ts: T0 + value, value }])
    }
    for (const client of some) {
      await until('the last came', () => client.events.some((e) => e.data.value === 5))
      const [{ event, data }, ...readings] = client.events
      expect(event).toBe('snapshot')
      // What the snapshot shows and what came behind it are without a gap.
      const { value } = data.latest[0]
      expect(readings.map((e) => e.data.value)).toEqual([1, 2, 3, 4, 5].slice(value))
    }
  })

  it('goes on to its end, though its reader falls so far behind that it leaves the run it began with', async () => {
    const first = await open()
    await first.has(1, 'snapshot')
    const [{ id }] = first.of('snapshot')
    for (let part = 0; part < 10; part++) await house.post(Array.from({ length: 8_000 }, (_, i) => ({ device: 'd1', ts: T0 + part * 8_000 + i, value: i })))
    await until('all are read', async () => (await house.json('/v1/latest?time=ms')).latest[0]?.ts === T0 + 79_999)
    const { body } = await house.get('/v1/live?time=ms&kind=reading', { headers: { 'last-event-id': id } })
    const reader = body!.getReader()
    let read = 0
    let rest = ''
    const readMore = async () => {
      rest += new TextDecoder().decode((await reader.read()).value)
      const blocks = rest.split('\n\n')
      rest = blocks.pop()!
      read += blocks.filter((block) => block.startsWith('event: reading')).length
    }
    // Of the 8 MiB that a run passes on before it looks around, some two are left unread.
    const { account } = house.analytics.hub
    for (let bytes = 0; bytes < 6 * 1024 * 1024; bytes = read * 150) await readMore()
    let held = -1
    let looks = 0
    await until('nothing more is passed on', () => {
      looks = account.bytes === held ? looks + 1 : 0
      held = account.bytes
      return looks === 40
    })
    expect(account.bytes).toBeGreaterThan(LIVE_CATCH_UP_OWED_MAX)
    while (read < 80_000) await readMore()
    expect(read).toBe(80_000)
    await reader.cancel()
  })

  it('resumes from all streams of the log at a time, and looks at each of them once', async () => {
    const first = await open('kind=reading')
    await first.has(1, 'snapshot')
    const nameIn = (partition: number) => {
      for (let i = 0; ; i++) if (partitionFor(house.topology, 'default', `d${i}`) === partition) return `d${i}`
    }
    const devices = [0, 1, 2, 3].map(nameIn)
    await house.post(devices.map((device) => ({ device, ts: T0, value: 1 })))
    await first.has(4)
    const { log } = house.connection
    const read = log.read.bind(log)
    const names: string[] = []
    let all = () => {}
    const opened = new Promise<void>((resolve) => (all = resolve))
    log.read = (options) => {
      names.push(options.stream)
      if (names.length === 4) all()
      const reader = read(options)
      // None gives anything before all are open.
      return { close: () => reader.close(), [Symbol.asyncIterator]: () => {
        const messages = reader[Symbol.asyncIterator]()
        return { next: async () => (await opened, messages.next()) }
      } }
    }
    const client = await open('kind=reading', { lastId: first.events[0].id })
    await client.has(4)
    expect(client.of('reading').map((e) => e.data.device).sort()).toEqual([...devices].sort())
    expect(names.sort()).toEqual(['READINGS_0', 'READINGS_1', 'READINGS_2', 'READINGS_3'])
  })

  it('resumes over many messages that hold little for it without waiting for what others are told', async () => {
    const first = await open('device=d1&kind=reading')
    await first.has(1, 'snapshot')
    const messages = LIVE_CATCH_UP_LAST_MESSAGES + 100
    for (let value = 0; value < messages; value++) await house.post([{ device: value % 50 === 0 ? 'd1' : 'd2', ts: T0 + value, value }])
    await first.has(messages / 50)
    // A round of the pump takes long where thousands listen.
    const { pump } = house.analytics.hub
    pump.passedOn = () => new Promise(() => {})
    const client = await open('device=d1&kind=reading', { lastId: first.events[0].id })
    await client.has(messages / 50)
    await house.post([{ device: 'd1', ts: T0 + messages, value: messages }])
    await first.has(messages / 50 + 1)
    await client.has(messages / 50 + 1)
    expect(client.events.map((e) => e.data.value)).toEqual(first.of('reading').map((e) => e.data.value))
  })

  it('resumes many at once with a few looks at the log', async () => {
    const first = await open('kind=reading')
    await first.has(1, 'snapshot')
    const devices = Array.from({ length: 40 }, (_, i) => `d${i}`)
    for (let round = 0; round < 10; round++) await house.post(devices.map((device) => ({ device, ts: T0 + round, value: round })))
    await first.has(400)
    let reads = 0
    let messages = 0
    const { log } = house.connection
    const read = log.read.bind(log)
    log.read = (options) => {
      reads++
      const reader = read(options)
      const all = reader[Symbol.asyncIterator]()
      const next = async () => {
        const message = await all.next()
        messages++
        return message
      }
      return { close: () => reader.close(), [Symbol.asyncIterator]: () => ({ next }) }
    }
    const some: Client[] = []
    for (let i = 0; i < 200; i++) {
      const { id } = first.events[i % 5]
      some.push(await open(i % 2 === 0 ? 'kind=reading' : `kind=reading&device=d${i % 40}`, { lastId: id }))
    }
    const wanted = (i: number) => {
      const rest = first.events.slice((i % 5) + 1).filter((e) => i % 2 === 0 || e.data.device === `d${i % 40}`)
      return rest.map((e) => `${e.data.device} ${e.data.value}`).sort()
    }
    for (const [i, client] of some.entries()) {
      await until(`client ${i} has the rest`, () => client.events.length >= wanted(i).length)
      expect(client.events.map((e) => `${e.data.device} ${e.data.value}`).sort()).toEqual(wanted(i))
    }
    // Runs at a time, the streams of each, and twice where a place lies within a message.
    expect(reads).toBeLessThan(100)
    // Each of the 40 messages once, of each stream perhaps one ahead.
    expect(messages).toBeLessThan(60)
  })
})

describe('a store that starts with a lake that covers more of one partition than of another of its stream', () => {
  it('resumes all the same, though nothing new comes, and leaves nothing out', async () => {
    await house.close()
    house = await House.open({ streams: 2 })
    const nameIn = (partition: number) => {
      for (let i = 0; ; i++) if (partitionFor(house.topology, 'default', `d${i}`) === partition) return `d${i}`
    }
    const [quiet, busy] = [nameIn(0), nameIn(2)]
    const first = await open('kind=reading')
    await first.has(1, 'snapshot')
    await house.post([{ device: quiet, ts: T0, value: 0 }])
    for (let value = 1; value <= 4; value++) await house.post([{ device: busy, ts: T0 + value, value }])
    await first.has(5)
    await house.commit()
    await house.seal()
    await house.restart()
    for (const at of [0, 2, 5]) {
      const client = await open('kind=reading', { lastId: first.events[at].id })
      await house.post([{ device: quiet, ts: T0, value: 100 + at }])
      await until('the new one came', () => client.events.some((e) => e.data.value === 100 + at))
      const values = client.events.map((e) => e.data.value).filter((value) => value < 100)
      expect(values).toEqual([0, 1, 2, 3, 4].slice(at))
    }
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
