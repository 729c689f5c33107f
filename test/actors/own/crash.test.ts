/** Own actors in a world that fails: whatever dies, each reading is told once, and each row is there once. */

import { describe, expect, test } from 'vitest'
import { defineActor } from 'weir/actor'
import type { AnyActor } from 'weir/actor'
import { factsOf, OwnActor } from '../../../actors/own/actor.ts'
import { ownConnection } from '../../../actors/own/connection.ts'
import { runReplay } from '../../../actors/replay/run.ts'
import { encodeOwnAction } from '../../../actors/own/input.ts'
import { OwnState } from '../../../actors/own/state.ts'
import { putDocument } from '../../../actors/own/documents.ts'
import { BUCKET_META, inputSubject, OWN_FIRST } from '../../../runtime/topology.ts'
import { CODE, ownWorld, rowsOf, stepperOf, straight } from './world.ts'
import type { OwnWorld } from './world.ts'

const DEVICES = Array.from({ length: 12 }, (_, i) => `d-${i}`)

/** One state for all devices, wherever their partitions are, and one for each: a row a reading, and each minute. */
const tally = defineActor({
  name: 'tally',
  key: ({ device }) => ['all', device],
  initial: () => ({ readings: 0, sum: 0 }),
  reading(state, { value }, out, key) {
    state.readings++
    state.sum += value
    if (key === 'all') out.row({ readings: state.readings, sum: state.sum })
    if (key === 'all' && state.readings % 50 === 0) out.alert({ name: 'fifty', severity: 'info', message: `${state.readings}` })
    if (key === 'all' && state.readings % 50 === 20) out.resolve('fifty')
  },
  everyMs: 60_000,
  tick(state, { key, time }, out) {
    if (key !== 'all') out.row({ readings: state.readings }, time)
  },
  view: { columns: { readings: 'BIGINT', sum: 'DOUBLE' } },
})

async function expectOnce(s: OwnWorld, sent: readonly number[]): Promise<void> {
  const sum = () => s.commits().flatMap(({ effects }) => effects.own.filter((row) => effects.series[row.series].device === 'all')).length
  await s.clock.until(() => sum() >= sent.length, { what: 'every reading is told' })
  await s.clock.advance(5_000)
  const commits = s.commits()
  const rows = commits.flatMap(({ effects }) => rowsOf(effects))
  expect(rows).toEqual(rowsOf(await straight(tally, s.input())))
  expect(commits.flatMap(({ effects }) => effects.own.map((row) => row.number))).toEqual(rows.map((_, i) => i + 1))
  const last = JSON.parse(commits.flatMap(({ effects }) => effects.own.filter((row) => effects.series[row.series].device === 'all')).at(-1)!.body) as object
  expect(last).toEqual({ readings: sent.length, sum: sent.reduce((a, b) => a + b, 0) })
  const alerts = commits.flatMap(({ effects }) => effects.alerts.map((a) => `${a.id} ${a.number}`))
  expect(new Set(alerts).size).toBe(alerts.length)
  expect(s.lines.filter((line) => line.level >= 50)).toEqual([])
}

async function sendSome(s: OwnWorld, sent: number[]): Promise<void> {
  await s.send(DEVICES, () => {
    sent.push(sent.length)
    return sent.length - 1
  })
}

describe('an own actor', () => {
  test('is told each reading once, of all partitions, where process after process that runs it dies at any await', async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const s = await ownWorld({ seed })
      const sent: number[] = []
      for (let life = 0; life < 4; life++) {
        const connection = s.world.connect()
        connection.dieAt(40 + Math.floor(s.clock.random() * 400))
        void s.run(tally, `p${life}`, connection)
        for (let i = 0; i < 6; i++) {
          await sendSome(s, sent)
          await s.clock.advance(700)
        }
      }
      const last = await s.run(tally, 'last')
      await sendSome(s, sent)
      await expectOnce(s, sent)
      await last.stop()
    }
  })

  test('is told each once by two processes that share it, while answers of the log are lost and one is cut off and comes back', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const s = await ownWorld({ seed })
      const sent: number[] = []
      s.world.publishFault = (subject) => (/^(own|results)\.1024/.test(subject) && s.clock.random() < 0.15 ? (['lost-ack', 'lost', 'unavailable'] as const)[Math.floor(s.clock.random() * 3)] : null)
      const [a, b] = [s.world.connect(), s.world.connect()]
      const both = [await s.run(tally, 'a', a), await s.run(tally, 'b', b)]
      for (let i = 0; i < 12; i++) {
        await sendSome(s, sent)
        await s.clock.advance(900)
        if (s.clock.random() < 0.3) (s.clock.random() < 0.5 ? a : b).cut()
        if (s.clock.random() < 0.3) await s.clock.advance(2_500)
        if (s.clock.random() < 0.7) [a, b].map((c) => c.heal())
      }
      s.world.publishFault = null
      for (const c of [a, b]) c.heal()
      await expectOnce(s, sent)
      expect(both.filter((one) => one.status().state === 'running')).toHaveLength(1)
      await Promise.all(both.map((one) => one.stop()))
    }
  })

  test('goes on from a snapshot that a drained process left, and from what the feed had noted', async () => {
    const s = await ownWorld()
    const sent: number[] = []
    const first = await s.run(tally, 'a')
    await sendSome(s, sent)
    await s.clock.until(() => s.commits().some(({ effects }) => effects.own.length > 0), { what: 'rows' })
    await s.clock.advance(5_000)
    await first.stop()
    await sendSome(s, sent)
    await s.clock.advance(2_000)
    const told = s.input().length
    const second = await s.run(tally, 'b')
    await expectOnce(s, sent)
    // One message with what came meanwhile, and ticks: nothing was told anew.
    expect(s.input().slice(told).length).toBeLessThan(6)
    await second.stop()
    // Made again from the log alone, by the same code and by another.
    const lines: string[] = []
    const replay = (actor: AnyActor) => {
      const own = new OwnActor(factsOf(actor, CODE), stepperOf(actor))
      const connection = ownConnection(s.producer, OWN_FIRST, own)
      return runReplay({ connection: s.producer, topology: s.topology, clock: s.clock, partition: null, from: null, to: null, json: false, quiet: true, print: async (line) => void lines.push(line), own: { partition: OWN_FIRST, actor: own, connection } })
    }
    expect(await replay(tally)).toBe(true)
    expect(lines[0]).toMatch(/^Partition 1024: .* compared: identical\.$/)
    expect(await replay(defineActor({ ...tally, initial: () => ({ readings: 1, sum: 0 }) }))).toBe(false)
  })

  test('that throws is stopped, says where and why, and harms nobody; with other code it goes on from there', async () => {
    const s = await ownWorld()
    const bad = defineActor({ ...tally, reading: (state, reading, out, key) => { if (reading.value === 7) throw new Error('seven'); tally.reading!(state, reading, out, key) } })
    const sent: number[] = []
    const one = await s.run(bad, 'bad')
    await sendSome(s, sent)
    await s.clock.until(() => one.status().state === 'stopped', { what: 'it stops' })
    expect(one.status().why).toMatch(/^reading of all, d-7 m at .*: seven$/)
    const rows = s.commits().flatMap(({ effects }) => rowsOf(effects))
    await sendSome(s, sent)
    await s.clock.advance(5_000)
    expect(s.commits().flatMap(({ effects }) => rowsOf(effects))).toEqual(rows)
    await one.stop()
    s.lines.length = 0
    const fixed = await s.run(tally, 'good')
    await expectOnce(s, sent)
    await fixed.stop()
  })

  test('hears of documents that were put while nobody ran it, and of one that was taken away', async () => {
    const s = await ownWorld()
    const limits = defineActor({
      name: 'limits',
      key: (_, documents) => documents.map(({ id }) => id),
      initial: () => ({ limit: 0 }),
      document: (state, body) => void (state.limit = body as number),
      reading: (state, { value }, out) => out.row({ n: value - state.limit }),
      view: { columns: { n: 'DOUBLE' } },
    })
    const kv = await s.producer.kv(BUCKET_META)
    const put = (id: string, body: number | null) => putDocument(kv, { actor: 'limits', tenant: 'default', id, body })
    await put('a', 1)
    await put('b', 2)
    await put('b', null)
    let one = await s.run(limits, 'x')
    const rows = () => s.commits().flatMap(({ effects }) => effects.own.map((row) => `${effects.series[row.series].device} ${row.body}`))
    await s.clock.advance(3_000)
    await s.send(['d'], () => 10)
    await s.clock.until(() => rows().length === 1, { what: 'a row' })
    await s.clock.advance(3_000)
    await one.stop()
    await put('a', null)
    await put('c', 4)
    one = await s.run(limits, 'y')
    await s.clock.advance(3_000)
    await s.send(['d'], () => 20)
    await s.clock.until(() => rows().length >= 2, { what: 'another row' })
    expect(rows()).toEqual(['a {"n":9}', 'c {"n":16}'])
    await one.stop()
  })

  test('has an alert that is put aside taken up again within a minute of its time, though nothing comes and another process runs it by then', async () => {
    const s = await ownWorld()
    const loud = defineActor({ name: 'loud', key: 'device', initial: () => null, reading: (_, { value }, out) => out.alert({ name: 'loud', severity: 'warning', message: `${value}` }) })
    let one = await s.run(loud, 'a')
    await s.send(['d'], () => 5)
    const events = () => s.commits().flatMap(({ effects }) => effects.alerts)
    await s.clock.until(() => events().length === 1, { what: 'an alert' })
    const untilMs = Math.floor(s.clock.now()) + 150_000
    await s.producer.log.publish(inputSubject(OWN_FIRST), encodeOwnAction({ alert: events()[0].id, action: 'shelve', by: 'ann', note: 'later', until: untilMs }))
    await s.clock.until(() => events().length === 2, { what: 'it is put aside' })
    await one.stop()
    one = await s.run(loud, 'b')
    await s.clock.advance(140_000)
    expect(events().map(({ event }) => event)).toEqual(['opened', 'shelved'])
    await s.clock.advance(75_000)
    expect(events().map(({ event, message }) => `${event} ${message}`)).toEqual(['opened 5', 'shelved 5 (ann: later)', 'unshelved 5 (it was put aside, and that time is over)'])
    const told = s.input().length
    expect(told).toBeLessThan(15)
    await s.clock.advance(300_000)
    expect(s.input().length).toBe(told)
    expect((await straight(loud, s.input())).alerts.map(({ event, at }) => [event, at])).toEqual(events().map(({ event, at }) => [event, at]))
    await one.stop()
  })

  test('is numbered once for ever, and its snapshot reads back to the same bytes', async () => {
    const s = await ownWorld()
    const one = await s.run(tally, 'a')
    expect(one.status().partition).toBe(OWN_FIRST)
    const other = await s.run(defineActor({ ...tally, name: 'second' }), 'b')
    expect(other.status().partition).toBe(OWN_FIRST + 1)
    expect((await s.run(tally, 'c')).status().partition).toBe(OWN_FIRST)
    const state = new OwnState()
    state.keep([['default\na', '{"x":1}'], ['default\nb', '[]'], ['default\na', null]])
    const bytes = state.snapshot()
    expect([...OwnState.restore(bytes).snapshot()]).toEqual([...bytes])
    for (const harmed of [bytes.slice(0, -1), new Uint8Array([0xc0]), new Uint8Array()]) expect(() => OwnState.restore(harmed)).toThrow(RangeError)
  })
})
