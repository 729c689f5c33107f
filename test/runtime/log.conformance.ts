/**
 * The laws of the log port, run by every implementation of it. A law speaks only of what log.ts promises.
 *
 * Each law makes streams, buckets and subjects with names of its own, so that one server serves them all.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Connection, Log, LogMessage, LogReader } from '../../runtime/log.ts'
import { isOperating } from '../../runtime/errors.ts'

export interface Conformed {
  connection: Connection
  close(): Promise<void>
  /** Ends the server abruptly and starts it again on the same data; resolves once it answers. */
  restart?(): Promise<void>
}

const text = (s: string) => new TextEncoder().encode(s)
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

/** A promise that a callback settles. */
function once<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((r) => (resolve = r))
  return { promise, resolve }
}

async function take(reader: LogReader, count: number): Promise<LogMessage[]> {
  const out: LogMessage[] = []
  if (count === 0) return out
  for await (const message of reader) {
    out.push(message)
    if (out.length === count) break
  }
  return out
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    return isOperating(error) ? error.code : `not an operating error: ${String(error)}`
  }
  return 'none'
}

/** Publishes again until it is stored, for laws that go through a restart: what they assert allows doubles. */
async function publishStubbornly(log: Log, subject: string, data: Uint8Array): Promise<number> {
  for (let tries = 0; ; tries++) {
    try {
      return (await log.publish(subject, data, { timeoutMs: 500 })).seq
    } catch (error) {
      if (!isOperating(error) || !error.retry || tries > 100) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

let names = 0

export function logConformance(name: string, open: () => Promise<Conformed>): void {
  describe(`the log port, as ${name} keeps it`, { timeout: 30_000 }, () => {
    let opened: Conformed
    let connection: Connection
    let log: Log

    beforeAll(async () => {
      opened = await open()
      connection = opened.connection
      log = connection.log
    }, 60_000)

    afterAll(async () => {
      await opened?.close()
    })

    /** A stream of its own, with subjects `<x>.0`, `<x>.1`, `<x>.2`. */
    async function stream(bytesMax = -1): Promise<{ stream: string; a: string; b: string; c: string }> {
      const x = `law${++names}`
      const [a, b, c] = [`${x}.0`, `${x}.1`, `${x}.2`]
      await log.ensureStream({ name: x.toUpperCase(), subjects: [a, b, c], replicas: 1, bytesMax })
      return { stream: x.toUpperCase(), a, b, c }
    }

    it('stores what it acknowledges, with growing sequences and the bytes as they were', async () => {
      const s = await stream()
      const before = Date.now()
      const first = await log.publish(s.a, text('one'))
      const second = await log.publish(s.b, text('two'))
      expect([first.seq, second.seq]).toEqual([1, 2])
      const message = await log.at(s.stream, 2)
      expect(message?.subject).toBe(s.b)
      expect(message?.seq).toBe(2)
      expect(textOf(message!.data)).toBe('two')
      expect(Number.isInteger(message!.timeMs)).toBe(true)
      expect(Math.abs(message!.timeMs - before)).toBeLessThan(24 * 3_600_000)
    })

    it('gives sequences in the order of publishing, to many publishes under way at once', async () => {
      const s = await stream()
      const seqs = await Promise.all(Array.from({ length: 200 }, (_, i) => log.publish(s.a, text(String(i)))))
      expect(seqs.map((x) => x.seq)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1))
      const reader = log.read({ stream: s.stream, subject: s.a, fromSeq: 1 })
      const messages = await take(reader, 200)
      await reader.close()
      expect(messages.map((m) => textOf(m.data))).toEqual(Array.from({ length: 200 }, (_, i) => String(i)))
    })

    it('keeps empty messages and messages of every byte', async () => {
      const s = await stream()
      const bytes = Uint8Array.from({ length: 1024 }, (_, i) => i & 255)
      await log.publish(s.a, new Uint8Array(0))
      await log.publish(s.a, bytes)
      expect((await log.at(s.stream, 1))?.data.byteLength).toBe(0)
      expect(new Uint8Array((await log.at(s.stream, 2))!.data)).toEqual(bytes)
    })

    it('rejects a publish with `conflict`, and stores nothing, where the expected last sequence of the subject is another', async () => {
      const s = await stream()
      expect(await codeOf(log.publish(s.a, text('x'), { expectLastSubjectSeq: 3 }))).toBe('conflict')
      expect((await log.info(s.stream)).lastSeq).toBe(0)
      const { seq } = await log.publish(s.a, text('a'), { expectLastSubjectSeq: 0 })
      await log.publish(s.b, text('b'))
      expect(await codeOf(log.publish(s.a, text('y'), { expectLastSubjectSeq: 0 }))).toBe('conflict')
      expect(await codeOf(log.publish(s.a, text('y'), { expectLastSubjectSeq: seq + 1 }))).toBe('conflict')
      const next = await log.publish(s.a, text('c'), { expectLastSubjectSeq: seq })
      expect(next.seq).toBe(3)
      expect((await log.info(s.stream)).messages).toBe(3)
    })

    it('lets exactly one of many racers pass that expect the same last sequence', async () => {
      const s = await stream()
      let last = 0
      for (let round = 0; round < 20; round++) {
        const racers = await Promise.allSettled(
          Array.from({ length: 8 }, (_, i) => log.publish(s.a, text(`${round}/${i}`), { expectLastSubjectSeq: last })),
        )
        const winners = racers.filter((r) => r.status === 'fulfilled')
        expect(winners).toHaveLength(1)
        for (const r of racers) if (r.status === 'rejected') expect(isOperating(r.reason, 'conflict')).toBe(true)
        last = winners[0].value.seq
        expect((await log.last(s.stream, s.a))?.seq).toBe(last)
      }
      expect((await log.info(s.stream)).messages).toBe(20)
    })

    it('rejects a publish to a full stream with `full`, and loses nothing of what is there', async () => {
      const s = await stream(20_000)
      let stored = 0
      let code = 'none'
      for (let i = 0; i < 60 && code === 'none'; i++) {
        code = await codeOf(log.publish(s.a, new Uint8Array(1_000).fill(i)))
        if (code === 'none') stored++
      }
      expect(code).toBe('full')
      const info = await log.info(s.stream)
      expect(info.messages).toBe(stored)
      expect(info.firstSeq).toBe(1)
      await log.purge(s.stream, { beforeSeq: stored })
      expect(await codeOf(log.publish(s.a, text('room again')))).toBe('none')
    })

    it('rejects a message larger than the server takes with `too-large`', async () => {
      const s = await stream()
      expect(await codeOf(log.publish(s.a, new Uint8Array(80 * 1024 * 1024)))).toBe('too-large')
      expect((await log.info(s.stream)).messages).toBe(0)
      expect(connection.connected()).toBe(true)
    })

    it('refuses a publish that no stream takes', async () => {
      expect(['unavailable', 'timeout']).toContain(await codeOf(log.publish(`nobody${++names}.x`, text('x'), { timeoutMs: 500 })))
    })

    it('reads all subjects of a stream in order of sequence, or one of them', async () => {
      const s = await stream()
      for (let i = 0; i < 30; i++) await log.publish([s.a, s.b, s.c][i % 3], text(String(i)))
      const all = log.read({ stream: s.stream, fromSeq: 1 })
      expect((await take(all, 30)).map((m) => m.seq)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1))
      await all.close()
      const one = log.read({ stream: s.stream, subject: s.b, fromSeq: 1 })
      const messages = await take(one, 10)
      await one.close()
      expect(messages.map((m) => m.seq)).toEqual([2, 5, 8, 11, 14, 17, 20, 23, 26, 29])
      expect(new Set(messages.map((m) => m.subject))).toEqual(new Set([s.b]))
    })

    it('starts a reader at the first message whose sequence is at least the one asked for', async () => {
      const s = await stream()
      for (let i = 0; i < 10; i++) await log.publish(i % 2 === 0 ? s.a : s.b, text(String(i)))
      const reader = log.read({ stream: s.stream, subject: s.a, fromSeq: 4 })
      expect((await take(reader, 3)).map((m) => m.seq)).toEqual([5, 7, 9])
      await reader.close()
    })

    it('gives a reader that waits what is published later, also beyond the end of the stream', async () => {
      const s = await stream()
      await log.publish(s.a, text('0'))
      const reader = log.read({ stream: s.stream, subject: s.a, fromSeq: 3 })
      const taken = take(reader, 2)
      for (let i = 1; i < 4; i++) await log.publish(s.a, text(String(i)))
      expect((await taken).map((m) => [m.seq, textOf(m.data)])).toEqual([
        [3, '2'],
        [4, '3'],
      ])
      await reader.close()
    })

    it('gives two readers of one subject everything each, and goes on where an iteration paused', async () => {
      const s = await stream()
      const one = log.read({ stream: s.stream, fromSeq: 1 })
      const two = log.read({ stream: s.stream, fromSeq: 1 })
      const taken = [take(one, 50), take(two, 50)]
      for (let i = 0; i < 50; i++) await log.publish(s.a, text(String(i)))
      for (const messages of await Promise.all(taken)) expect(messages.map((m) => m.seq)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
      await Promise.all([one.close(), two.close()])
    })

    it('ends the iteration of a reader that is closed while it waits', async () => {
      const s = await stream()
      const reader = log.read({ stream: s.stream, fromSeq: 1 })
      const ended = (async () => {
        let count = 0
        for await (const _ of reader) count++
        return count
      })()
      await log.info(s.stream)
      await reader.close()
      expect(await ended).toBe(0)
      await reader.close()
    })

    it('answers with the last message of a subject, or null', async () => {
      const s = await stream()
      expect(await log.last(s.stream, s.a)).toBeNull()
      await log.publish(s.a, text('1'))
      await log.publish(s.b, text('2'))
      expect(textOf((await log.last(s.stream, s.a))!.data)).toBe('1')
      await log.publish(s.a, text('3'))
      const last = await log.last(s.stream, s.a)
      expect([last?.seq, last?.subject, textOf(last!.data)]).toEqual([3, s.a, '3'])
    })

    it('sees its own acknowledged publish in `last` at once', async () => {
      const s = await stream()
      for (let i = 0; i < 50; i++) {
        const { seq } = await log.publish(s.a, text(String(i)))
        expect((await log.last(s.stream, s.a))?.seq).toBe(seq)
      }
    })

    it('answers with null for a sequence that is purged or not yet there', async () => {
      const s = await stream()
      for (let i = 0; i < 3; i++) await log.publish(s.a, text(String(i)))
      expect(await log.at(s.stream, 4)).toBeNull()
      await log.purge(s.stream, { beforeSeq: 3 })
      expect(await log.at(s.stream, 2)).toBeNull()
      expect(textOf((await log.at(s.stream, 3))!.data)).toBe('2')
    })

    it('makes a stream once, and leaves one that is there as it is', async () => {
      const s = await stream()
      await log.publish(s.a, text('kept'))
      const before = await log.info(s.stream)
      const again = await log.ensureStream({ name: s.stream, subjects: [s.a, s.b, s.c], replicas: 1, bytesMax: 1_000_000 })
      expect(again.created).toBe(before.created)
      expect(again.lastSeq).toBe(1)
      const racers = await Promise.all(
        Array.from({ length: 4 }, () => log.ensureStream({ name: `${s.stream}R`, subjects: [`${s.a}.r`], replicas: 1, bytesMax: -1 })),
      )
      expect(new Set(racers.map((r) => r.created)).size).toBe(1)
    })

    it('tells a stream that does not exist by the code `identity`', async () => {
      expect(await codeOf(log.info(`NONE${++names}`))).toBe('identity')
    })

    it('describes a stream by its creation, bounds and size', async () => {
      const s = await stream()
      const empty = await log.info(s.stream)
      expect([empty.name, empty.lastSeq, empty.messages]).toEqual([s.stream, 0, 0])
      expect(empty.created.length).toBeGreaterThan(0)
      for (let i = 0; i < 5; i++) await log.publish(s.a, text('12345'))
      const info = await log.info(s.stream)
      expect([info.firstSeq, info.lastSeq, info.messages, info.created]).toEqual([1, 5, 5, empty.created])
      expect(info.bytes).toBeGreaterThanOrEqual(25)
    })

    it('purges what lies before a sequence, of one subject or of all, twice as once', async () => {
      const s = await stream()
      for (let i = 0; i < 10; i++) await log.publish(i % 2 === 0 ? s.a : s.b, text(String(i)))
      for (let twice = 0; twice < 2; twice++) {
        await log.purge(s.stream, { subject: s.a, beforeSeq: 7 })
        expect((await log.info(s.stream)).messages).toBe(7)
      }
      const reader = log.read({ stream: s.stream, fromSeq: 1 })
      expect((await take(reader, 7)).map((m) => m.seq)).toEqual([2, 4, 6, 7, 8, 9, 10])
      await reader.close()
      for (let twice = 0; twice < 2; twice++) await log.purge(s.stream, { beforeSeq: 10 })
      const info = await log.info(s.stream)
      expect([info.firstSeq, info.lastSeq, info.messages]).toEqual([10, 10, 1])
      await log.purge(s.stream, { beforeSeq: 1 })
      expect((await log.info(s.stream)).messages).toBe(1)
    })

    it('goes on with the next sequence after everything was purged', async () => {
      const s = await stream()
      for (let i = 0; i < 3; i++) await log.publish(s.a, text(String(i)))
      await log.purge(s.stream, { beforeSeq: 4 })
      const info = await log.info(s.stream)
      expect([info.firstSeq, info.lastSeq, info.messages]).toEqual([4, 3, 0])
      expect((await log.publish(s.a, text('next'))).seq).toBe(4)
    })

    it('keeps values by key, with revisions that grow', async () => {
      const kv = await connection.kv(`bucket${++names}`)
      expect(await kv.get('absent')).toBeNull()
      const first = await kv.set('some.key', text('1'))
      const second = await kv.set('some.key', text('2'))
      expect(second).toBeGreaterThan(first)
      const got = await kv.get('some.key')
      expect([textOf(got!.value), got!.revision]).toEqual(['2', second])
      await kv.set('other', text('3'))
      expect((await kv.keys()).sort()).toEqual(['other', 'some.key'])
      await kv.delete('some.key')
      expect(await kv.get('some.key')).toBeNull()
      expect(await kv.keys()).toEqual(['other'])
    })

    it('changes a key by compare-and-set: one racer wins, the others meet `conflict`', async () => {
      const kv = await connection.kv(`bucket${++names}`)
      const created = await Promise.allSettled(Array.from({ length: 5 }, (_, i) => kv.put('k', text(String(i)), 0)))
      expect(created.filter((r) => r.status === 'fulfilled')).toHaveLength(1)
      for (const r of created) if (r.status === 'rejected') expect(isOperating(r.reason, 'conflict')).toBe(true)
      const { revision } = (await kv.get('k'))!
      const changed = await Promise.allSettled(Array.from({ length: 5 }, (_, i) => kv.put('k', text(`new${i}`), revision)))
      expect(changed.filter((r) => r.status === 'fulfilled')).toHaveLength(1)
      await kv.delete('k')
      expect(await codeOf(kv.put('k', text('x'), revision))).toBe('conflict')
      expect(await codeOf(kv.put('k', text('again'), 0))).toBe('none')
      expect(textOf((await kv.get('k'))!.value)).toBe('again')
    })

    it('opens one bucket for all who name it', async () => {
      const bucket = `bucket${++names}`
      const [one, two] = await Promise.all([connection.kv(bucket), connection.kv(bucket)])
      await one.set('k', text('v'))
      expect(textOf((await two.get('k'))!.value)).toBe('v')
    })

    it('watches a bucket: the present entries before it resolves, then each change, until it is told to stop', async () => {
      const kv = await connection.kv(`bucket${++names}`)
      await kv.set('a', text('1'))
      await kv.set('gone', text('x'))
      await kv.delete('gone')
      const seen: string[] = []
      let wait = once<void>()
      const stop = await kv.watch((key, value) => {
        seen.push(`${key}=${value ? textOf(value) : 'null'}`)
        wait.resolve()
      })
      expect(seen).toEqual(['a=1'])
      for (const change of [() => kv.set('b', text('2')), () => kv.set('a', text('3')), () => kv.delete('b')]) {
        wait = once<void>()
        await change()
        await wait.promise
      }
      expect(seen).toEqual(['a=1', 'b=2', 'a=3', 'b=null'])
      stop()
      await kv.set('a', text('4'))
      await kv.get('a')
      expect(seen).toHaveLength(4)
    })

    it('keeps objects whole, small and large, and forgets what is deleted', async () => {
      const objects = await connection.objects(`objects${++names}`)
      expect(await objects.get('absent')).toBeNull()
      expect(await objects.list()).toEqual([])
      const large = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 31) & 255)
      await objects.put('actor.0.1.22', large)
      await objects.put('empty', new Uint8Array(0))
      const got = await objects.get('actor.0.1.22')
      expect(Buffer.compare(got!, large)).toBe(0)
      expect((await objects.get('empty'))?.byteLength).toBe(0)
      expect((await objects.list()).sort()).toEqual(['actor.0.1.22', 'empty'])
      await objects.delete('actor.0.1.22')
      expect(await objects.get('actor.0.1.22')).toBeNull()
      expect(await objects.list()).toEqual(['empty'])
      await objects.delete('never there')
    })

    it('takes an object in pieces that share their memory, gives it bit by bit, and has none of one whose pieces end with an error', async () => {
      const objects = await connection.objects(`objects${++names}`)
      const sizes = [1, 300_000, 0, 131_072, 7]
      const byteOf = (piece: number, i: number) => (piece * 31 + i * 7) & 255
      const memory = new Uint8Array(300_000)
      async function* pieces(until = sizes.length): AsyncGenerator<Uint8Array> {
        for (const [n, size] of sizes.slice(0, until).entries()) {
          for (let i = 0; i < size; i++) memory[i] = byteOf(n, i)
          yield memory.subarray(0, size)
        }
        if (until < sizes.length) throw new TypeError('no more')
      }
      await objects.put('whole', pieces())
      const read: Uint8Array[] = []
      let isWaitedFor = true
      const take = async (bytes: Uint8Array) => {
        expect(isWaitedFor).toBe(true)
        isWaitedFor = false
        read.push(new Uint8Array(bytes))
        await Promise.resolve()
        isWaitedFor = true
      }
      expect(await objects.read('whole', take)).toBe(true)
      const wanted = Buffer.concat(sizes.map((size, n) => Uint8Array.from({ length: size }, (_, i) => byteOf(n, i))))
      expect(Buffer.compare(Buffer.concat(read), wanted)).toBe(0)
      expect(Buffer.compare((await objects.get('whole'))!, wanted)).toBe(0)
      await expect(objects.put('part', pieces(3))).rejects.toThrow('no more')
      expect([await objects.get('part'), await objects.read('part', () => {}), await objects.list()]).toEqual([null, false, ['whole']])
    })

    it('carries a message of the bus to all who listen to its subject or to a prefix of it, and to no others', async () => {
      const x = `bus${++names}`
      const seen: string[] = []
      const last = once<void>()
      const stops = [
        connection.bus.listen(`${x}.a.1`, (data, subject) => seen.push(`exact ${subject} ${textOf(data)}`)),
        connection.bus.listen(`${x}.b.>`, (data, subject) => seen.push(`other ${subject} ${textOf(data)}`)),
        connection.bus.listen(`${x}.>`, (data, subject) => {
          seen.push(`prefix ${subject} ${textOf(data)}`)
          if (textOf(data) === 'end') last.resolve()
        }),
      ]
      await log.info((await stream()).stream)
      connection.bus.send(`${x}.a.1`, text('hello'))
      connection.bus.send(`${x}.c`, text('end'))
      await last.promise
      for (const stop of stops) stop()
      expect(seen.sort()).toEqual([`exact ${x}.a.1 hello`, `prefix ${x}.a.1 hello`, `prefix ${x}.c end`])
    })

    it('tells who sends to a subject of the bus that nobody listens to so, and who sends to another nothing', async () => {
      const x = `bus${++names}`
      const nobody: string[] = []
      const send = (subject: string) => connection.bus.send(subject, text('?'), () => nobody.push(subject))
      const heard = once<void>()
      const stop = connection.bus.listen(`${x}.here`, () => heard.resolve())
      await log.info((await stream()).stream)
      send(`${x}.here`)
      send(`${x}.gone`)
      await heard.promise
      stop()
      await log.info((await stream()).stream)
      send(`${x}.here`)
      const deadline = performance.now() + 30_000
      while (nobody.length < 2 && performance.now() < deadline) await new Promise((resolve) => setImmediate(resolve))
      expect(nobody).toEqual([`${x}.gone`, `${x}.here`])
    })

    it('tells a version of its server, and that it is connected', () => {
      expect(connection.serverVersion).toMatch(/^\d+\.\d+\.\d+/)
      expect(connection.connected()).toBe(true)
    })

    it('gives a reader every message in order and once across a restart of the server', async () => {
      if (!opened.restart) return
      const s = await stream()
      let reconnected = 0
      const back = once<void>()
      const stop = connection.onReconnect(() => {
        reconnected++
        back.resolve()
      })
      const reader = log.read({ stream: s.stream, subject: s.a, fromSeq: 1 })
      const seen: string[] = []
      const seqs: number[] = []
      const end = (async () => {
        for await (const message of reader) {
          seen.push(textOf(message.data))
          seqs.push(message.seq)
          if (textOf(message.data) === 'end') break
        }
      })()
      for (let i = 0; i < 100; i++) await log.publish(s.a, text(String(i)))
      const restarted = opened.restart()
      for (let i = 100; i < 200; i++) await publishStubbornly(log, s.a, text(String(i)))
      await restarted
      await back.promise
      await publishStubbornly(log, s.a, text('end'))
      await end
      await reader.close()
      stop()
      expect(reconnected).toBeGreaterThan(0)
      expect(connection.connected()).toBe(true)
      for (let i = 1; i < seqs.length; i++) expect(seqs[i]).toBeGreaterThan(seqs[i - 1])
      expect([...new Set(seen)].filter((x) => x !== 'end')).toEqual(Array.from({ length: 200 }, (_, i) => String(i)))
      expect((await log.info(s.stream)).messages).toBe(seen.length)
    })
  })
}
