import { describe, expect, it } from 'vitest'
import { Account, Feed, costFrom, hold, release } from '../../../../actors/analytics/live/feed.ts'
import { BySeries, readingsOf, seriesOf, textOf } from '../../../../actors/analytics/live/events.ts'
import { LiveIndex } from '../../../../actors/analytics/live/series-index.ts'
import { LivePump } from '../../../../actors/analytics/live/pump.ts'
import type { Sink, SinkListener } from '../../../../actors/analytics/live/sink.ts'
import { Subscriber } from '../../../../actors/analytics/live/subscriber.ts'
import type { LiveFilter } from '../../../../actors/analytics/live/subscriber.ts'
import { matches } from '../../../../actors/analytics/data/series-catalog.ts'
import type { Block } from '../../../../actors/reading/input.ts'
import { systemClock } from '../../../../runtime/clock.ts'
import { LIVE_QUEUE_BYTES_MAX } from '../../../../runtime/limits.ts'
import { seeded } from '../../../support/random.ts'

const filter: LiveFilter = { tenant: 't', filter: { devices: null, metrics: null, prefix: null }, kinds: new Set(['reading'] as const), timeMs: true }

/** A connection that takes `room` writes, then none until it is drained. */
class Connection implements Sink {
  text = ''
  room = Infinity
  state: 'open' | 'ended' | 'cut' = 'open'
  #listener!: SinkListener

  listen(listener: SinkListener): void {
    this.#listener = listener
  }

  write(data: Uint8Array): boolean {
    this.text += Buffer.from(data).toString()
    return --this.room > 0
  }

  drain(room = Infinity): void {
    this.room = room
    this.#listener.onDrain()
  }

  end(): void {
    this.state = 'ended'
  }

  destroy(): void {
    this.state = 'cut'
    this.#listener.onClose()
  }

  close(): void {
    this.#listener.onClose()
  }
}

class Stage {
  readonly account = new Account()
  readonly all = new Set<Subscriber>()
  readonly pump: LivePump

  constructor(bytesMax?: number) {
    this.pump = new LivePump({ clock: systemClock, account: this.account, everyone: () => this.all, bytesMax })
  }

  reader(feed: Feed, room = Infinity): { connection: Connection; subscriber: Subscriber } {
    const connection = new Connection()
    connection.room = room
    const subscriber: Subscriber = new Subscriber({ filter, account: this.account, clock: systemClock, sink: connection, onClosed: () => this.all.delete(subscriber) })
    this.all.add(subscriber)
    subscriber.follow(feed, feed.tail)
    return { connection, subscriber }
  }

  async give(feed: Feed, text: string): Promise<void> {
    this.pump.give(feed, text)
    await this.pump.passedOn()
  }
}

describe('a feed', () => {
  it('keeps what many readers have yet to read once, and nothing that all have read', async () => {
    const stage = new Stage()
    const feed = new Feed(stage.account)
    const slow = Array.from({ length: 50 }, () => stage.reader(feed, 1))
    const quick = Array.from({ length: 50 }, () => stage.reader(feed))
    for (let i = 0; i < 20; i++) await stage.give(feed, `${i}`.padEnd(1_000, '.'))
    for (const { connection } of quick) expect(connection.text).toHaveLength(20_000)
    for (const { connection } of slow) expect(connection.text).toHaveLength(1_000)
    expect(stage.account.bytes).toBe(20 * 1_200)
    for (const { connection } of slow) connection.drain()
    for (const { connection } of slow) expect(connection.text).toBe(quick[0].connection.text)
    expect(stage.account.bytes).toBe(0)
  })

  it('is passed on also while another is given something in every round', async () => {
    const stage = new Stage()
    const [feed, busy] = [new Feed(stage.account), new Feed(stage.account)]
    const [reader, { connection }] = [stage.reader(feed), stage.reader(busy)]
    let rounds = 0
    const write = connection.write.bind(connection)
    connection.write = (data) => {
      if (++rounds < 500) stage.pump.give(busy, 'x')
      return write(data)
    }
    stage.pump.give(busy, 'x')
    for (const text of ['a', 'b']) {
      await stage.give(feed, text)
      expect(reader.connection.text.endsWith(text)).toBe(true)
      expect(rounds).toBeLessThan(20)
    }
    while (rounds < 500) await stage.pump.passedOn()
  })

  it('counts what a connection has not taken until it is taken or the connection is gone', async () => {
    const stage = new Stage()
    const feed = new Feed(stage.account)
    const [a, b] = [stage.reader(feed, 1), stage.reader(feed, 1)]
    await stage.give(feed, 'x'.repeat(1_000))
    await stage.give(feed, 'y'.repeat(1_000))
    a.subscriber.endToResume('test')
    b.connection.close()
    expect([stage.account.bytes, a.connection.state]).toEqual([1_200, 'ended'])
    a.connection.drain()
    expect(stage.account.bytes).toBe(0)
    expect(a.connection.text).toBe(`${'x'.repeat(1_000)}: test; resume from the last id\nretry: 200\n\n`)
  })

  it('that leads into another is read on there, in order and whole, by whoever is anywhere in it', async () => {
    const stage = new Stage()
    const [live, own] = [new Feed(stage.account, { live: true }), new Feed(stage.account)]
    const stays = stage.reader(live)
    const [quick, slow] = [stage.reader(own), stage.reader(own, 1)]
    await stage.give(own, 'a')
    await stage.give(own, 'b')
    const at = hold(live.tail)
    await stage.give(live, 'd')
    stage.pump.give(own, 'c')
    stage.pump.lead(own, live, at)
    release(stage.account, at)
    await stage.give(live, 'e')
    expect([stays.connection.text, quick.connection.text, slow.connection.text]).toEqual(['de', 'abcde', 'a'])
    expect([quick.subscriber.owed, quick.subscriber.upToDate]).toEqual([0, true])
    slow.connection.drain()
    expect(slow.connection.text).toBe('abcde')
    expect([slow.subscriber.owed, stage.account.bytes, costFrom(live.tail)]).toEqual([0, 0, 0])
  })
})

describe('a slow reader', () => {
  it('is let go at its bound, behind what its connection has, and told to resume', async () => {
    const stage = new Stage()
    const feed = new Feed(stage.account)
    const [slow, quick] = [stage.reader(feed, 1), stage.reader(feed)]
    const chunk = 'x'.repeat(LIVE_QUEUE_BYTES_MAX / 4)
    for (let i = 0; i < 4; i++) await stage.give(feed, chunk)
    expect([slow.connection.state, quick.connection.state]).toEqual(['open', 'open'])
    await stage.give(feed, chunk)
    await stage.give(feed, chunk)
    expect([slow.connection.state, quick.connection.state, stage.pump.letGo]).toEqual(['ended', 'open', 1])
    expect(slow.connection.text).toBe(`${chunk}: too slow; resume from the last id\nretry: 200\n\n`)
    expect(quick.connection.text).toHaveLength(6 * chunk.length)
    slow.connection.close()
    expect(stage.account.bytes).toBe(0)
  })

  it('makes room where all together hold too much: those furthest behind go, and never one whose connection takes what it gets', async () => {
    const stage = new Stage(100_000)
    const feeds = Array.from({ length: 12 }, () => new Feed(stage.account))
    const quick = feeds.map((feed) => stage.reader(feed))
    const slow = feeds.map((feed) => stage.reader(feed, 1))
    for (let i = 0; i < 30; i++) {
      for (const [n, feed] of feeds.entries()) await stage.give(feed, 'x'.repeat(100 * (n + 1)))
      expect(stage.account.bytes).toBeLessThanOrEqual(100_000)
    }
    const ended = slow.map(({ connection }) => connection.state === 'ended')
    expect(quick.every(({ connection }) => connection.state === 'open')).toBe(true)
    // The feeds that have more to tell are those whose readers fell behind furthest.
    expect(ended).toEqual([...ended].sort())
    expect([ended[0], ended[11]]).toEqual([false, true])
  })

  it('that does not even take the end is cut where that is what all is held by', async () => {
    const stage = new Stage(50_000)
    const feed = new Feed(stage.account)
    const stuck = Array.from({ length: 4 }, () => stage.reader(feed, 1))
    await stage.give(feed, 'x'.repeat(20_000))
    for (const { subscriber } of stuck) subscriber.endToResume('test')
    // Each counts by itself now: what is with a connection is not known to be shared.
    expect(stage.account.bytes).toBeGreaterThan(50_000)
    const other = new Feed(stage.account)
    const quick = stage.reader(other)
    await stage.give(other, 'y')
    expect(stuck.map(({ connection }) => connection.state)).toContain('cut')
    expect([quick.connection.state, stage.account.bytes <= 50_000]).toEqual(['open', true])
  })
})

describe('the index', () => {
  it('gives each listener the events that a look at everyone would', () => {
    const random = seeded(7)
    const pick = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)]
    const devices = Array.from({ length: 12 }, (_, i) => `f${i % 3}/d${i}`)
    const metrics = ['a', 'b', 'c']
    const some = (of: readonly string[]) => (random() < 0.4 ? null : new Set(Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(of))))
    for (let round = 0; round < 200; round++) {
      const index = new LiveIndex<{ filter: LiveFilter }>()
      const listeners = Array.from({ length: 8 }, () => ({
        filter: {
          tenant: pick(['t', 'u']),
          filter: { devices: some(devices), metrics: some(metrics), prefix: random() < 0.7 ? null : pick(['f0', 'f1/', 'f2/d5']) },
          kinds: new Set(random() < 0.8 ? (['reading'] as const) : (['window'] as const)),
          timeMs: true,
        },
      }))
      const gone = listeners.splice(0, 2)
      for (const one of [...listeners, ...gone]) index.add(one)
      for (const one of gone) index.remove(one)
      const n = 1 + Math.floor(random() * 6)
      const block: Block = {
        kind: 'block', tenant: 't', devices, metrics, keyed: [],
        seriesDevice: Uint16Array.from({ length: n }, () => Math.floor(random() * devices.length)),
        seriesMetric: Uint16Array.from({ length: n }, () => Math.floor(random() * metrics.length)),
        row: Uint16Array.from({ length: 20 }, () => Math.floor(random() * n)),
        ts: Float64Array.from({ length: 20 }, (_, i) => i),
        value: Float64Array.from({ length: 20 }, (_, i) => i),
      }
      const events = readingsOf(0, 0, block, seriesOf(block))
      const matched = index.match(events)
      for (const one of [...listeners, ...gone]) {
        const wanted = matched.get(one)
        const text = wanted === undefined ? '' : textOf(events, new BySeries(events), one.filter, { wanted, prefix: 'p', from: 3 })
        const got = [...text.matchAll(/"value":(\d+)/g)].map((m) => Number(m[1]))
        const expected = [...block.value].filter((i) => {
          const s = block.row[i]
          const asked = matches(one.filter.filter, devices[block.seriesDevice[s]], metrics[block.seriesMetric[s]])
          return i >= 3 && !gone.includes(one) && one.filter.tenant === 't' && one.filter.kinds.has('reading') && asked
        })
        expect(got).toEqual(expected)
      }
    }
  })
})
